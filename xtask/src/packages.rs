//! Programs from Python's and Node's packages, pinned, in a folder of their own below `tools/` of the target folder.
//! Node itself comes as a Python package, so Python is all that is asked of the system. This file must not know what
//! the programs are for.

use crate::tools::{Done, from_the_system, python, run};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a folder holds, with versions, so that a new release cannot turn a green test red.
pub struct Packages {
    /// From Python's packages.
    pub python: &'static [&'static str],
    /// From Node's packages, if any.
    pub node: Option<&'static str>,
}

impl Packages {
    /// Installs all of it unless it is there in these versions, which a file beside it says.
    pub fn install(&self, folder: &Path) -> Done {
        let stamp = folder.join("installed-versions");
        let versions = format!("{} {}", self.python.join(" "), self.node.unwrap_or_default());
        if fs::read_to_string(&stamp).is_ok_and(|found| found == versions) {
            return Ok(());
        }
        self.in_python(folder)?;
        if let Some(package) = self.node {
            in_node(folder, package)?;
        }
        fs::write(&stamp, &versions).map_err(|why| format!("`{}`: {why}", stamp.display()))?;
        eprintln!("installed {versions} into `{}`", folder.display());
        Ok(())
    }

    fn in_python(&self, folder: &Path) -> Done {
        let environment = || {
            let mut command = Command::new(python()?);
            command.args(["-m", "venv", "--clear"]).arg(folder);
            run(command)
        };
        // Some systems pack Python without it.
        environment().or_else(|_| from_the_system(&["python3-venv"]).and_then(|()| environment()))?;
        let mut command = Command::new(folder.join("bin/python"));
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(self.python);
        run(command)
    }
}

fn in_node(folder: &Path, package: &str) -> Done {
    let mut command = Command::new(folder.join("bin/npm"));
    command.args(["install", "--no-fund", "--no-audit", "--no-package-lock", "--loglevel=error", "--prefix"]);
    command.arg(folder).arg(package).env("PATH", path_with_node(folder)?);
    run(command)
}

/// Programs of Node look for `node` on the path.
pub fn path_with_node(folder: &Path) -> Result<OsString, String> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&rest));
    std::env::join_paths(places).map_err(|why| format!("`{}`: {why}", folder.display()))
}
