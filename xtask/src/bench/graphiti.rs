//! `bench graphiti`: graphiti-core and this product side by side, the same chunks against the same false model. Both
//! are run, and counted, by `assets/graphiti/compare.py`; this file sees to what that needs and must not know what it
//! measures. graphiti-core and FalkorDB come from their packages, pinned, into `tools/` of the target folder.

use super::pipeline::{Folder, built, machine};
use crate::tools::{Done, python, root, run, target};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The flag that leaves graphiti-core out, and with it what has to be installed.
const ALONE: &str = "--without-graphiti";

/// Measures, and prints a Markdown table.
pub(super) fn bench(words: &[String]) -> Done {
    let assets = root().join("xtask/assets/graphiti");
    let folder = Folder::new("bench-graphiti")?;
    let binary = built(&folder)?;
    let python = match words.iter().any(|word| word == ALONE) {
        true => python()?,
        false => installed(&assets)?,
    };
    machine();
    let mut compare = Command::new(python);
    compare.arg(assets.join("compare.py")).arg("--highwater").arg(binary).args(words);
    // What Python compiles stays out of the project's folders.
    compare.env("PYTHONDONTWRITEBYTECODE", "1");
    run(compare)
}

/// The Python that has the packages pinned in the folder's `requirements.txt`.
pub fn installed(assets: &Path) -> Result<PathBuf, String> {
    let requirements = &assets.join("requirements.txt");
    let folder = target().join("tools/graphiti");
    let python_there = folder.join("bin/python");
    let failed = |why: std::io::Error| format!("`{}`: {why}", requirements.display());
    let wanted = std::fs::read(requirements).map_err(failed)?;
    // What was installed, kept beside it: an interrupted or older installation is made again.
    let stamp = folder.join("installed.txt");
    if std::fs::read(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(python_there);
    }
    let mut make = Command::new(python()?);
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    run(make)?;
    let mut install = Command::new(&python_there);
    install.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements);
    run(install)?;
    std::fs::write(&stamp, wanted).map_err(|why| format!("`{}`: {why}", stamp.display()))?;
    eprintln!("installed graphiti-core and FalkorDB into `{}`", folder.display());
    Ok(python_there)
}
