//! Many lives of vaults, and whether they show what they must.

use super::{Outcome, live};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What many lives came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Lives that ended as they should.
    pub lives: u64,
    /// Records acknowledged in them.
    pub acknowledged: u64,
    /// Processes that lived in them.
    pub processes: u64,
    /// What struck or was seen, in deep and in shallow water.
    pub seen: [BTreeMap<&'static str, u64>; 2],
    /// Seeds that failed, in deep water or not, and why.
    pub failures: Vec<(u64, bool, String)>,
}

/// Failures after which no new life is begun: the first few tell enough.
const FAILURES: usize = 3;
/// From as many lives on, everything that must happen has to have happened.
const ENOUGH_LIVES: u64 = 400;

/// What must happen in both waters.
const MUST: [&str; 23] = [
    "bit flipped",
    "clock jumped",
    "closed",
    "discarded",
    "fenced",
    "followed",
    "killed",
    "object lost",
    "opened",
    "overtaken at the opening",
    "paused",
    "pruned",
    "pruned at the end",
    "refused",
    "restored",
    "restored at the end",
    "rotated",
    "saved",
    "sent twice",
    "settled",
    "snapshots at the end",
    "unclear look",
    "unclear, done",
];
/// What must happen in deep water besides.
const MUST_DEEP: [&str; 3] = ["arrived again", "arrived late", "sent by the dead"];
/// What must happen in shallow water besides.
const MUST_SHALLOW: [&str; 11] = [
    "a name held back",
    "a part was published",
    "a part was seen",
    "closed too late",
    "salvaged",
    "stale absence",
    "stale list",
    "the rest arrived",
    "torn",
    "voided",
    "voided but whole",
];

impl Tally {
    fn add(&mut self, outcome: &Outcome, deep: bool) {
        self.lives += 1;
        self.acknowledged += outcome.acknowledged;
        self.processes += outcome.processes;
        for (word, count) in &outcome.seen {
            *self.seen[usize::from(!deep)].entry(word).or_default() += count;
        }
    }

    /// What these lives fail to show, in words.
    pub fn lacks(&self) -> Vec<String> {
        if self.lives < ENOUGH_LIVES {
            return Vec::new();
        }
        let waters = [("deep", &MUST_DEEP[..]), ("shallow", &MUST_SHALLOW[..])];
        let missing = waters.iter().zip(&self.seen).flat_map(|((water, own), seen)| {
            let words = MUST.iter().chain(*own).filter(|word| !seen.contains_key(*word));
            words.map(move |word| format!("`{word}` never happened in {water} water"))
        });
        missing.collect()
    }

    /// What was seen, as a table.
    pub fn table(&self) -> String {
        let mut words: Vec<&str> = self.seen.iter().flat_map(BTreeMap::keys).copied().collect();
        words.sort_unstable();
        words.dedup();
        let mut text = format!("{:26}{:>10}{:>10}", "", "deep", "shallow");
        for word in words {
            let count = |water: usize| self.seen[water].get(word).map_or("·".to_owned(), u64::to_string);
            text.push_str(&format!("\n{word:26}{:>10}{:>10}", count(0), count(1)));
        }
        text
    }
}

/// Lives these seeds on as many threads; odd seeds in shallow water.
pub fn live_all(seeds: std::ops::Range<u64>, threads: usize) -> Tally {
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
                    let deep = is_deep(seed);
                    let outcome = live(seed, deep);
                    let Ok(mut tally) = tally.lock() else { break };
                    match outcome {
                        Ok(outcome) => tally.add(&outcome, deep),
                        Err(error) => tally.failures.push((seed, deep, error)),
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap_or_default()
}

/// Which water a seed is lived in.
pub fn is_deep(seed: u64) -> bool {
    seed.is_multiple_of(2)
}
