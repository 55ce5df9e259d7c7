//! Running cargo, and the tools that are not part of it. Tools go into `tools/` of the target folder and never into the
//! user's home. This file must not know any task.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a task comes to; the text says what failed.
pub type Done = Result<(), String>;

/// Pinned, so that a new release cannot turn a green check red.
const DENY: &str = "0.20.2";

/// The root of the project: the folder above this crate.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// A cargo command in the root of the project. The alias that started us is cargo's own, so this is the same cargo.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(arguments);
    command
}

/// Says what is run, runs it, and fails when it fails.
pub fn run(mut command: Command) -> Done {
    let shown = shown(&command);
    eprintln!("+ {shown}");
    let status = command.status().map_err(|error| format!("`{shown}`: {error}"))?;
    ended(&shown, status)
}

/// As `run`, with every line of its stdout printed and shown to `see` as well.
pub fn run_and_see(mut command: Command, mut see: impl FnMut(&str)) -> Done {
    let shown = shown(&command);
    eprintln!("+ {shown}");
    let failed = |error: std::io::Error| format!("`{shown}`: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let lines = child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
    for line in lines.map_while(Result::ok) {
        say(&line);
        see(&line);
    }
    let status = child.wait().map_err(failed)?;
    ended(&shown, status)
}

/// Prints a line for whoever reads the task's output.
#[allow(clippy::print_stdout)] // A tool for people and for CI: its result is its output.
pub fn say(line: &str) {
    println!("{line}");
}

fn ended(shown: &str, status: std::process::ExitStatus) -> Done {
    match status.success() {
        true => Ok(()),
        false => Err(format!("`{shown}` ended with {status}")),
    }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let parts = std::iter::once(program).chain(command.get_args());
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The path of cargo-deny, built into `tools/` of the target folder if it is not there yet.
pub fn deny() -> Result<PathBuf, String> {
    let tools = target().join("tools");
    let deny = tools.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    let version =
        Command::new(&deny).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    if String::from_utf8_lossy(&version).trim() == format!("cargo-deny {DENY}") {
        return Ok(deny);
    }
    let mut install = cargo(&["install", "--locked", "--quiet", "cargo-deny", "--version", DENY, "--root"]);
    install.arg(&tools);
    run(install)?;
    eprintln!("installed cargo-deny {DENY} into `{}`", tools.display());
    Ok(deny)
}

/// The path of a Python that can serve the tests' model (3.9 or newer). Where there is none, the system's packages are
/// asked for it: it is too large, and too much of the system, to be put into the target folder.
pub fn python() -> Result<PathBuf, String> {
    if let Some(python) = found_python() {
        return Ok(python);
    }
    from_the_system(&["python3", "python3-venv"])
        .map_err(|why| format!("the tests need Python 3.9 or newer as `python3`: {why}"))?;
    found_python().ok_or_else(|| "the tests need Python 3.9 or newer: `python3` is older".to_owned())
}

/// Asks the system's packages, and says so.
pub fn from_the_system(packages: &[&str]) -> Done {
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    run(install)?;
    eprintln!("installed {} from the system's packages", packages.join(", "));
    Ok(())
}

fn found_python() -> Option<PathBuf> {
    let said = "import sys; assert sys.version_info >= (3, 9); print(sys.executable)";
    let output = Command::new("python3").args(["-c", said]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(PathBuf::from(path.trim()))
}
