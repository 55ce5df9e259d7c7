//! A few lives in every test run; `cargo xtask sim --seeds 500` runs many.

use sim::life::live;
use sim::tally::live_all;
use sim::vaults;

#[test]
fn sixty_lives_end_in_the_graph_of_an_undisturbed_life() {
    let tally = live_all(1..61, 2, &|_, _| ());
    let failures: Vec<String> =
        tally.failures.iter().map(|(seed, error)| format!("seed {seed}: {error}")).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(tally.lives, 60);
    assert!(tally.lacks().is_empty(), "{:?}\n{}", tally.lacks(), tally.table());
}

#[test]
fn a_seed_is_one_life_whenever_it_is_lived() {
    let first = live(11).unwrap();
    let again = live(11).unwrap();
    assert_eq!((first.log, first.histogram, first.rows), (again.log, again.histogram, again.rows));
}

#[test]
fn no_life_of_a_vault_loses_what_was_acknowledged() {
    let tally = vaults::tally::live_all(1..401, 2);
    let failures: Vec<String> =
        tally.failures.iter().map(|(seed, _, why)| format!("seed {seed}: {why}")).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert_eq!(tally.lives, 400);
    assert!(tally.lacks().is_empty(), "{:?}\n{}", tally.lacks(), tally.table());
}

#[test]
fn a_seed_is_one_life_of_a_vault_whenever_it_is_lived() {
    for (seed, deep) in [(4, true), (5, false)] {
        let (first, again) = (vaults::live(seed, deep).unwrap(), vaults::live(seed, deep).unwrap());
        assert_eq!((first.log, first.seen), (again.log, again.seen));
    }
}
