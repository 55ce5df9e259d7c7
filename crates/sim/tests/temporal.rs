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
    // Every fact: in the world and without a date after every run, and on the wiki's clock at the end.
    let exact = |score: &Score| score.expected == score.right && score.found == score.right;
    let scores = [tally.plain, tally.wiki_at, tally.both];
    assert!(tally.standing.values().chain(&scores).all(exact), "{}", told());
    assert!(scores.iter().all(|score| score.right > 1_000), "{}", told());
    assert!(tally.differences.is_empty(), "{}", told());
    assert!(tally.dates > 10_000, "{} dates", tally.dates);
}
