//! `bench quality speed`: how fast a search is in a synthetic graph; the measuring is `benches/speed/`.

use crate::bench::machine;
use crate::tools::{Done, cargo, run};

/// Facts, unless told otherwise: a large company's wiki.
const FACTS: &str = "100000";

/// Measures, with the words that follow (`--facts N`, `--questions N`, `--folder DIR`, `--seed N`).
pub fn bench(words: &[String]) -> Done {
    machine();
    let mut command = cargo(&["bench", "--locked", "--bench", "speed", "--"]);
    if !words.iter().any(|word| word == "--facts") {
        command.args(["--facts", FACTS]);
    }
    command.args(words);
    run(command)
}
