//! `bench`: the measurements that `docs/benchmarks.md` cites, on this machine.

use crate::tools::{Done, cargo, run};

/// Runs all benches, or those named.
pub fn bench(names: &[String]) -> Done {
    let mut command = cargo(&["bench", "--workspace", "--locked"]);
    match names.is_empty() {
        true => command.args(["--bench", "*"]),
        false => command.args(names.iter().flat_map(|name| ["--bench", name])),
    };
    run(command)
}
