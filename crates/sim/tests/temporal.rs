//! What is live, what ended and what nobody says any more, at every date on both clocks, against an evaluator that knows
//! the pages and not the resolver; `cargo xtask bench quality temporal` asks more wikis.

use sim::truth::measure::{Score, Tally, measure};

/// As many as a test run has time for.
const SEEDS: u64 = 40;

#[test]
fn facts_are_live_and_ended_when_the_pages_say_so() {
    let mut tally = Tally::default();
    for seed in 1..=SEEDS {
        tally.add(measure(seed).unwrap_or_else(|error| panic!("{error}")));
    }
    let told = || format!("{}\n{}", tally.table(), tally.differences.join("\n"));
    // In the world, every fact at every date after every run.
    let exact = |score: &Score| score.expected == score.right && score.found == score.right;
    assert!(tally.standing.values().all(exact), "{}", told());
    // On the wiki's clock three wikis of forty still differ; see `docs/benchmarks.md`.
    let nearly = |score: Score| score.precision().min(score.recall()) >= 0.998;
    assert!(nearly(tally.wiki_at) && nearly(tally.both), "{}", told());
    assert!(tally.dates > 10_000, "{} dates", tally.dates);
}
