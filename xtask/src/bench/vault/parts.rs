//! The program of `benches/vault.rs`: built once, then started with a command and asked for what it found. This file
//! must not know what the commands do.

use crate::bench::Folder;
use crate::tools::cargo;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The built program.
pub struct Parts(PathBuf);

impl Parts {
    /// Builds it, and copies it into the folder: a build of somebody else may replace it meanwhile.
    pub fn built(folder: &Folder) -> Result<Self, String> {
        let mut build =
            cargo(&["bench", "--locked", "--bench", "vault", "--no-run", "--message-format=json"]);
        let output = build.stderr(Stdio::inherit()).output().map_err(|why| format!("building: {why}"))?;
        let lines = String::from_utf8_lossy(&output.stdout);
        let built = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let path = built
            .filter(|message| message["target"]["name"] == "vault")
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .ok_or("`cargo bench --bench vault --no-run` built nothing")?;
        let copy = folder.path().join("parts");
        std::fs::copy(&path, &copy).map_err(|why| format!("copying `{}`: {why}", path.display()))?;
        Ok(Self(copy))
    }

    /// A command of it, to be started by the caller.
    pub fn command(&self, word: &str, paths: &[&Path], number: Option<u64>) -> Command {
        let mut command = Command::new(&self.0);
        command.arg(word).args(paths).args(number.map(|number| number.to_string())).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: the object on its last line.
    pub fn run(&self, word: &str, paths: &[&Path], number: Option<u64>) -> Result<Value, String> {
        let mut command = self.command(word, paths, number);
        let output = command.stderr(Stdio::inherit()).output().map_err(|why| format!("`{word}`: {why}"))?;
        if !output.status.success() {
            return Err(format!("`{word}` ended with {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|why| format!("`{word}` said `{last}`: {why}"))
    }
}

/// A number of an object; zero when it is not there.
pub fn number(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or(0.0)
}
