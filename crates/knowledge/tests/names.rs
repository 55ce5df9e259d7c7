//! The floor under what the rules make of names: 200 labelled pairs.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod labelled;

use labelled::{Outcome, Pair, pairs};

/// Pairs of an outcome that are about one thing, and those that are not.
fn counted(pairs: &[Pair], within: bool, wanted: Outcome) -> (usize, Vec<&str>) {
    let of = pairs.iter().filter(|pair| pair.in_one_space() == within && pair.outcome() == wanted);
    let told: Vec<&Pair> = of.filter(|pair| pair.same.is_some()).collect();
    let wrong = told.iter().filter(|pair| pair.same == Some(false)).map(|pair| pair.id.as_str()).collect();
    (told.iter().filter(|pair| pair.same == Some(true)).count(), wrong)
}

#[test]
fn rules_join_only_what_is_one_and_most_of_it() {
    let pairs = pairs();
    assert_eq!(pairs.len(), 200);
    let (right, wrong) = counted(&pairs, true, Outcome::Merged);
    assert_eq!(wrong, [""; 0]);
    assert!(right >= 31, "{right}");
    let (right, wrong) = counted(&pairs, false, Outcome::Merged);
    assert_eq!((right, wrong), (0, Vec::new()));
}
