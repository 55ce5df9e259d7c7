//! Many lives, and what they came to together: the histogram of deaths, and whether it shows what a crash
//! test must.

use crate::fate::Histogram;
use crate::life::{Outcome, live};
use crate::paid::Asked;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What many lives came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Lives that ended.
    pub lives: u64,
    /// Lives in which a process died.
    pub crashed: u64,
    /// Lives in which one died inside resolution or retraction.
    pub in_resolution: u64,
    /// Deaths.
    pub deaths: u64,
    /// Kill points whose record became durable by another kill.
    pub overtaken: usize,
    /// Rows of all final graphs.
    pub rows: usize,
    /// What asking came to.
    pub asked: Asked,
    /// In how many lives something was shown.
    pub shown: BTreeMap<&'static str, u64>,
    /// Where kills happened.
    pub histogram: Histogram,
    /// Seeds that failed, and why.
    pub failures: Vec<(u64, String)>,
}

/// Failures after which no new life is begun: the first few tell enough.
const FAILURES: usize = 3;
/// Of a hundred lives, as many must crash inside resolution or retraction.
const IN_RESOLUTION_PERCENT: u64 = 30;
/// From as many lives on, every cell of `MUST` has to be hit: the rarest is hit once in about fifteen lives.
const ENOUGH_LIVES: u64 = 200;

/// Ways to die that must meet each of the kinds.
const MUST_MANNERS: [&str; 4] = ["before put", "after put", "torn put", "in apply"];
/// Kinds of records in which these must happen.
const MUST_KINDS: [&str; 14] = [
    "worklist",
    "fetched",
    "cut",
    "gathered",
    "resolved",
    "gone",
    "reindexing",
    "packed",
    "asking",
    "answered",
    "understood",
    "submitting",
    "submitted",
    "embedded",
];
/// Besides, each of these must happen somewhere.
const MUST: [&str; 9] = [
    "late put",
    "unclear put",
    "refused put",
    "answering",
    "reading",
    "lost disk",
    "stale disk",
    "torn second file",
    "interrupted",
];
/// What some lives must have shown.
const MUST_SHOW: [&str; 12] = [
    "a full minute of requests",
    "a full minute of tokens",
    "a full day of requests",
    "both endpoints asked",
    "answered once more",
    "vectors made once more",
    "answers by the whole pack",
    "slow for some",
    "some refused for good",
    "storms",
    "far away",
    "a word on names",
];

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        self.lives += 1;
        self.crashed += u64::from(outcome.deaths > 0);
        self.in_resolution += u64::from(outcome.in_resolution);
        self.deaths += u64::from(outcome.deaths);
        self.overtaken += outcome.overtaken;
        self.rows += outcome.rows;
        self.asked += outcome.asked;
        outcome.shown.iter().for_each(|word| *self.shown.entry(word).or_default() += 1);
        for (place, count) in &outcome.histogram {
            *self.histogram.entry(*place).or_default() += count;
        }
    }

    /// What these lives fail to show, in words; nothing when all is well.
    pub fn lacks(&self) -> Vec<String> {
        let mut lacks = Vec::new();
        if self.in_resolution * 100 < self.lives * IN_RESOLUTION_PERCENT {
            lacks.push(format!(
                "only {} of {} lives crashed inside resolution or retraction, \
                 expected {IN_RESOLUTION_PERCENT} %",
                self.in_resolution, self.lives
            ));
        }
        if self.lives < ENOUGH_LIVES {
            return lacks;
        }
        let hit = |word: &str, kind: Option<&str>| {
            self.histogram.keys().any(|(found, of)| *found == word && kind.is_none_or(|kind| kind == *of))
        };
        for manner in MUST_MANNERS {
            let missing = MUST_KINDS.iter().filter(|kind| !hit(manner, Some(kind)));
            lacks.extend(missing.map(|kind| format!("no kill `{manner}` met a `{kind}`")));
        }
        lacks.extend(
            MUST.iter().filter(|word| !hit(word, None)).map(|word| format!("`{word}` never happened")),
        );
        let missing = MUST_SHOW.iter().filter(|word| !self.shown.contains_key(*word));
        lacks.extend(missing.map(|word| format!("no life has shown `{word}`")));
        lacks
    }

    /// The histogram as a table.
    pub fn table(&self) -> String {
        let words: BTreeSet<&str> = self.histogram.keys().map(|(word, _)| *word).collect();
        let kinds: BTreeSet<&str> = self.histogram.keys().map(|(_, kind)| *kind).collect();
        let mut text = format!("{:18}", "");
        words.iter().for_each(|word| text.push_str(&format!("{word:>17}")));
        for kind in kinds {
            text.push_str(&format!("\n{kind:18}"));
            for word in &words {
                let count = self.histogram.get(&(*word, kind)).copied().unwrap_or(0);
                let shown = if count == 0 { "·".to_owned() } else { count.to_string() };
                text.push_str(&format!("{shown:>17}"));
            }
        }
        text
    }
}

/// Lives these seeds on as many threads. `told` hears of each seed as it ends.
pub fn live_all(seeds: std::ops::Range<u64>, threads: usize, told: &(dyn Fn(u64, bool) + Sync)) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let enough = tally.lock().is_ok_and(|tally| tally.failures.len() >= FAILURES);
                    if seed >= seeds.end || enough {
                        break;
                    }
                    let outcome = live(seed);
                    told(seed, outcome.is_ok());
                    let Ok(mut tally) = tally.lock() else { break };
                    match outcome {
                        Ok(outcome) => tally.add(&outcome),
                        Err(error) => tally.failures.push((seed, error)),
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap_or_default()
}
