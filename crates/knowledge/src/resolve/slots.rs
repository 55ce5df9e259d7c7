//! When a page changed its mind: the stretches of versions in which a slot (a subject and a relation that has
//! one value at a time) held each value. It must not know claims or chunks, only which values each version
//! gives.

use std::collections::{BTreeMap, BTreeSet};

/// A stretch of versions, as indexes, in which a value stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Counts the stretches of this value that another value, standing alone, has separated.
    pub run: u32,
    /// The first version of the stretch.
    pub first: usize,
    /// The last version of it that gives the value.
    pub last: usize,
    /// It began by taking the place of another value.
    pub took_over: bool,
    /// The version that gives another value in its place.
    pub replaced: Option<usize>,
}

/// The stretches of every value. One value in one version and another one alone in the next is a replacement;
/// a value that goes while none or several others stand has merely vanished, and goes on with its stretch
/// when it comes back.
pub(super) fn stretches<V: Ord + Copy>(given: &[BTreeSet<V>]) -> BTreeMap<V, Vec<Stretch>> {
    let mut all: BTreeMap<V, Vec<Stretch>> = BTreeMap::new();
    let mut shut: BTreeSet<V> = BTreeSet::new();
    let nothing = BTreeSet::new();
    for (index, now) in given.iter().enumerate() {
        let before = index.checked_sub(1).map_or(&nothing, |before| &given[before]);
        let replaces = now.len() == 1 && before.len() == 1 && now != before;
        if now.len() == 1 {
            shut.extend(all.keys().filter(|value| !now.contains(value)));
        }
        for value in before.iter().filter(|_| replaces) {
            if let Some(stretch) = all.get_mut(value).and_then(|stretches| stretches.last_mut()) {
                stretch.replaced = Some(index);
            }
        }
        for value in now {
            let stretches = all.entry(*value).or_default();
            let run = stretches.len() as u32;
            match stretches.last_mut() {
                Some(stretch) if !shut.remove(value) => stretch.last = index,
                _ => stretches.push(Stretch {
                    run,
                    first: index,
                    last: index,
                    took_over: replaces,
                    replaced: None,
                }),
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(versions: &[&str]) -> BTreeMap<char, Vec<Stretch>> {
        stretches(&versions.iter().map(|version| version.chars().collect()).collect::<Vec<_>>())
    }

    #[test]
    fn a_value_that_returns_after_another_stood_alone_begins_a_new_run() {
        let all = of(&["a", "b", "a", "a"]);
        let first = Stretch { run: 0, first: 0, last: 0, took_over: false, replaced: Some(1) };
        assert_eq!(
            all[&'a'],
            [first, Stretch { run: 1, first: 2, last: 3, took_over: true, replaced: None }]
        );
        assert_eq!(all[&'b'], [Stretch { run: 0, first: 1, last: 1, took_over: true, replaced: Some(2) }]);
    }

    #[test]
    fn several_values_at_once_close_nothing() {
        let all = of(&["a", "ab", "b"]);
        assert_eq!(all[&'a'], [Stretch { run: 0, first: 0, last: 1, took_over: false, replaced: None }]);
        assert_eq!(all[&'b'], [Stretch { run: 0, first: 1, last: 2, took_over: false, replaced: None }]);
    }

    #[test]
    fn silence_replaces_nothing_and_begins_no_run() {
        let all = of(&["a", "", "a"]);
        assert_eq!(all[&'a'], [Stretch { run: 0, first: 0, last: 2, took_over: false, replaced: None }]);
    }
}
