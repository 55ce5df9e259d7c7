//! `bench quality temporal`: live, invalid and expired facts at every date on both clocks, against an evaluator that
//! knows the pages alone. The wikis and the evaluator are the simulator's (`crates/sim/src/truth/`).

use crate::tools::{Done, cargo, run};

/// Wikis, unless told otherwise (`--seeds N`, `--from N`): some minutes on one core.
const SEEDS: &str = "400";

/// Measures, with the words that follow.
pub fn bench(words: &[String]) -> Done {
    let mut command = cargo(&[
        "run",
        "--quiet",
        "--release",
        "--locked",
        "--package",
        "sim",
        "--bin",
        "sim",
        "--",
        "--truth",
    ]);
    match words {
        [] => command.args(["--seeds", SEEDS]),
        words => command.args(words),
    };
    run(command)
}
