//! `bench quality graphiti`: the recorded reading of `bench quality retrieval` replayed into graphiti-core as well, and
//! the same questions asked of both. `assets/graphiti/replay.py` does it; `--facts N` times graphiti-core's search over
//! many synthetic facts instead (`many.py` beside it). This file sees to what they need and must not know what they
//! measure.

use crate::bench::{Folder, built, graphiti_python, machine};
use crate::tools::{Done, root, run};
use std::process::Command;

/// The flag that asks for the speed over many facts alone.
const MANY: &str = "--facts";

/// Measures, with the words that follow.
pub fn bench(words: &[String]) -> Done {
    let assets = root().join("xtask/assets/graphiti");
    let python = graphiti_python(&assets)?;
    let mut measure = Command::new(python);
    // What Python compiles stays out of the project's folders.
    measure.env("PYTHONDONTWRITEBYTECODE", "1");
    if words.iter().any(|word| word == MANY) {
        machine();
        measure.arg(assets.join("many.py")).args(words);
        return run(measure);
    }
    let folder = Folder::new("bench-replay")?;
    let binary = built(&folder)?;
    machine();
    measure.arg(assets.join("replay.py")).arg("--highwater").arg(binary).args(words);
    run(measure)
}
