//! Passages that answer together. A question of two hops is answered by two passages: neither has all of its words, and
//! they share an entity that the question does not name. So it is pairs that are ranked, of an **anchor**, which fits
//! the question by itself, and a **partner**, one entity away from it; a passage is worth its best pair, or itself
//! alone.
//!
//! Knows no index and no store: passages are numbers. Invariant: the order follows from what is handed over, ties are
//! broken by the numbers, and nothing is learned from any question. The figures behind each constant are in
//! `docs/benchmarks.md`, "Retrieval".

use std::collections::{BTreeMap, BTreeSet};

/// What counts how much against a cosine. The default is what is used; others are for measuring
/// (`benches/retrieval/validation.rs`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The question's words, as a share of what they could give.
    pub words: f64,
    /// The entity that two passages share.
    pub link: f64,
    /// What a word counts more where it stands in a heading.
    pub in_heading: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { words: 1.5, link: 0.5, in_heading: 0.5 }
    }
}

/// Passages from which pairs are made. 2 to 20 give the same within 0.02: it bounds the work.
pub const ANCHORS: usize = 5;
/// An entity in more passages than this links nothing, and a word in more tells nothing unless the wiki is large. 100
/// to 800 give the same: it bounds the work.
pub const COMMON: usize = 200;
/// The share of all passages from which on a word tells nothing. 0.05 to 1 give the same: it bounds the work.
const FREQUENT: f64 = 0.1;
/// Passages that words, and meaning, each propose as anchors. 20 to 200 give the same.
pub const PROPOSALS: usize = 100;

/// In how many passages a word may stand, of so many.
pub fn frequent(passages: usize) -> usize {
    COMMON.max((passages as f64 * FREQUENT) as usize)
}

/// Where a word of a question stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// In these passages, headings included, as far as they may be results.
    pub passages: BTreeSet<i64>,
    /// In so many of all: what makes it rare or common.
    pub among: usize,
    /// In the headings of these.
    pub headings: BTreeSet<i64>,
}

/// What each word of a question says about the passages it stands in: the rarer it is, the more. How often it stands in
/// one, and how long that is, do not count: passages are short, and such sums would be of pages that not everybody may
/// see.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    /// For each passage that has a word, what each of the words is worth in it.
    passages: BTreeMap<i64, Vec<f64>>,
    /// What all words are worth together, each where it is worth most.
    whole: f64,
    weights: Weights,
}

impl Cover {
    /// From where each word stands, among so many passages. Words in more than [`frequent`] are left out, unless all
    /// words are.
    pub fn of(words: &[Word], passages: usize, weights: Weights) -> Self {
        let found = words.iter().filter(|word| !word.passages.is_empty());
        let telling = found.clone().filter(|word| word.among <= frequent(passages));
        let mut kept: Vec<BTreeMap<i64, f64>> = telling.map(|word| word.worths(passages, weights)).collect();
        if kept.is_empty() {
            kept = found.map(|word| word.worths(passages, weights)).collect();
        }
        let best = |found: &BTreeMap<i64, f64>| found.values().copied().fold(0.0, f64::max);
        let whole = kept.iter().map(best).sum();
        let mut passages: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (at, found) in kept.iter().enumerate() {
            for (passage, worth) in found {
                passages.entry(*passage).or_insert_with(|| vec![0.0; kept.len()])[at] = *worth;
            }
        }
        Self { passages, whole, weights }
    }

    /// What a passage is worth alone that is so near to the question.
    pub fn alone(&self, passage: i64, near: f64) -> f64 {
        near + self.weights.words * self.by(passage)
    }

    /// The share of the question's weight that a passage has, 0 to 1.
    pub fn by(&self, passage: i64) -> f64 {
        self.share(self.passages.get(&passage).map_or(0.0, |worths| worths.iter().sum()))
    }

    /// The share that two passages have together: each word where it is worth more.
    pub fn by_both(&self, one: i64, other: i64) -> f64 {
        match (self.passages.get(&one), self.passages.get(&other)) {
            (Some(one), Some(other)) => {
                self.share(one.iter().zip(other).map(|(one, other)| one.max(*other)).sum())
            }
            (Some(_), None) => self.by(one),
            (None, _) => self.by(other),
        }
    }

    fn share(&self, worth: f64) -> f64 {
        if self.whole <= 0.0 { 0.0 } else { worth / self.whole }
    }

    /// Every passage that has a word, the best first.
    pub fn ranking(&self) -> Vec<i64> {
        let mut ranking: Vec<(i64, f64)> =
            self.passages.iter().map(|(passage, worths)| (*passage, worths.iter().sum())).collect();
        ranking.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        ranking.into_iter().map(|(passage, _)| passage).collect()
    }
}

/// How telling a word is that stands in so many of all passages: its inverse document frequency, as BM25 has it
/// (Robertson and Zaragoza 2009, section 3.1).
pub fn rarity(with: usize, passages: usize) -> f64 {
    let (all, with) = (passages.max(with) as f64, with as f64);
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

impl Word {
    /// What the word is worth in each of its passages: its rarity, and more in a heading.
    fn worths(&self, passages: usize, weights: Weights) -> BTreeMap<i64, f64> {
        let rarity = rarity(self.among.max(self.passages.len()), passages);
        let worth = |passage: &i64| match self.headings.contains(passage) {
            true => rarity * (1.0 + weights.in_heading),
            false => rarity,
        };
        self.passages.iter().map(|passage| (*passage, worth(passage))).collect()
    }
}

/// How telling an entity is that so many of all passages share: 1 for the rarest, 0 for one in all of them.
pub fn telling(shared_by: usize, passages: usize) -> f64 {
    (1.0 - (shared_by.max(1) as f64).ln() / (passages.max(2) as f64).ln()).clamp(0.0, 1.0)
}

/// That an entity leads from one passage to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Link<E> {
    /// Where it leads from: an anchor.
    pub anchor: i64,
    /// Where it leads to.
    pub partner: i64,
    /// Which entity.
    pub through: E,
    /// How telling it is, from [`telling`].
    pub telling: f64,
}

/// A passage in its place, with what it is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<E> {
    /// The passage.
    pub passage: i64,
    /// Its worth; only the order means anything.
    pub worth: f64,
    /// The pair that it is worth so much in; none when it is worth most alone.
    pub pair: Option<Link<E>>,
}

/// Ranks passages alone and in pairs. `near` holds the cosine with the question of every passage that is named in
/// `proposed` or in a link; who has none is near nothing.
pub fn rank_pairs<E: Clone>(
    proposed: &[i64],
    links: &[Link<E>],
    (cover, near): (&Cover, &BTreeMap<i64, f64>),
) -> Vec<Placed<E>> {
    let near = |passage: i64| near.get(&passage).copied().unwrap_or(0.0);
    let own = |passage: i64| cover.alone(passage, near(passage));
    let Weights { words, link: shared, .. } = cover.weights;
    let mut placed: BTreeMap<i64, Placed<E>> = BTreeMap::new();
    for passage in proposed {
        placed.insert(*passage, Placed { passage: *passage, worth: own(*passage), pair: None });
    }
    for link in links {
        let both = (near(link.anchor) + near(link.partner)) / 2.0;
        let worth = both + words * cover.by_both(link.anchor, link.partner) + shared * link.telling;
        for passage in [link.anchor, link.partner] {
            let better = placed.get(&passage).is_none_or(|known| worth > known.worth);
            if better {
                placed.insert(passage, Placed { passage, worth, pair: Some(link.clone()) });
            }
        }
    }
    let mut ranking: Vec<(f64, Placed<E>)> =
        placed.into_values().map(|placed| (own(placed.passage), placed)).collect();
    ranking.sort_by(|(own, one), (its_own, other)| {
        let by_worth = other.worth.total_cmp(&one.worth);
        by_worth.then(its_own.total_cmp(own)).then(one.passage.cmp(&other.passage))
    });
    ranking.into_iter().map(|(_, placed)| placed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(passages: impl IntoIterator<Item = i64>) -> Word {
        let passages: BTreeSet<i64> = passages.into_iter().collect();
        Word { among: passages.len(), passages, headings: BTreeSet::new() }
    }

    #[test]
    fn two_passages_that_have_all_words_together_come_before_two_that_have_one_each_alone() {
        // "Which city is the founder of Acme from?": 1 says who founded Acme, 2 where the founder was born.
        let cover = Cover::of(&[word([1, 3]), word([2, 4])], 10, Weights::default());
        let links = [Link { anchor: 1, partner: 2, through: "the founder", telling: 0.9 }];
        let ranking = rank_pairs(&[1, 2, 3, 4], &links, (&cover, &BTreeMap::new()));
        let order: Vec<i64> = ranking.iter().map(|placed| placed.passage).collect();
        assert_eq!(order, [1, 2, 3, 4]);
        assert_eq!(ranking[1].pair.as_ref().unwrap().through, "the founder");
        assert!(ranking[2].pair.is_none());
    }

    #[test]
    fn a_word_that_stands_everywhere_counts_only_where_there_is_no_other() {
        let most = frequent(1_000) as i64;
        let everywhere = word(0..=most);
        let cover = Cover::of(&[everywhere.clone(), word([2])], 1_000, Weights::default());
        assert_eq!(cover.ranking(), [2]);
        assert_eq!(Cover::of(&[everywhere], 1_000, Weights::default()).ranking().len() as i64, most + 1);
        let titled = Word { headings: BTreeSet::from([7]), ..word([3, 7]) };
        assert_eq!(
            Cover::of(&[titled], 1_000, Weights::default()).ranking(),
            [7, 3],
            "a word in a heading counts more"
        );
        assert!(telling(1, 100) > telling(50, 100) && telling(100, 100).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn shares_lie_between_nothing_and_all(
            words in prop::collection::vec(prop::collection::btree_set(0i64..9, 0..9), 0..5),
            one in 0i64..9, other in 0i64..9,
        ) {
            let words: Vec<Word> = words.into_iter().map(word).collect();
            let cover = Cover::of(&words, 4, Weights::default());
            let (alone, both) = (cover.by(one), cover.by_both(one, other));
            prop_assert!((0.0..=1.0 + 1e-9).contains(&both) && alone <= both + 1e-9);
            prop_assert_eq!(both.to_bits(), cover.by_both(other, one).to_bits());
        }
    }
}
