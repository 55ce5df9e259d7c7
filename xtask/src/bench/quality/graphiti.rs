//! `bench quality graphiti`: the recorded reading of `bench quality retrieval` replayed into graphiti-core as well, and
//! the same questions asked of both. `assets/graphiti/replay.py` does it; `--facts N` times graphiti-core's search over
//! many synthetic facts instead (`many.py` beside it), `--from FOLDER` that of both over the facts that `bench quality
//! speed --folder FOLDER` has made. This file sees to what they need and must not know what they measure.

use crate::bench::{Folder, built, graphiti_python, machine};
use crate::tools::{Done, root, run};
use std::path::Path;
use std::process::Command;

/// The flag that asks for the speed over many facts alone.
const MANY: &str = "--facts";

/// The flag that names the folder with the facts that both are asked about.
const SAME: &str = "--from";

/// Measures, with the words that follow.
pub fn bench(words: &[String]) -> Done {
    let assets = root().join("xtask/assets/graphiti");
    let python = graphiti_python(&assets)?;
    let mut measure = Command::new(python);
    // What Python compiles stays out of the project's folders.
    measure.env("PYTHONDONTWRITEBYTECODE", "1");
    if words.iter().any(|word| word == MANY) && !words.iter().any(|word| word == SAME) {
        machine();
        measure.arg(assets.join("many.py")).args(words);
        return run(measure);
    }
    let folder = Folder::new("bench-replay")?;
    let binary = built(&folder)?;
    if let Some(at) = words.iter().position(|word| word == SAME) {
        let facts = Path::new(words.get(at + 1).ok_or("`--from` names no folder")?);
        let mut export = Command::new(&binary);
        export.args(["export", "--with", "passages", "--to"]).arg(facts.join("graph.jsonl"));
        export.arg("--vault").arg(facts.join("vault")).arg("--state").arg(facts.join("state.db"));
        run(export)?;
        machine();
        measure.arg(assets.join("many.py")).arg("--highwater").arg(binary).args(words);
        return run(measure);
    }
    machine();
    measure.arg(assets.join("replay.py")).arg("--highwater").arg(binary).args(words);
    run(measure)
}
