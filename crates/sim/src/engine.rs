//! A false batch engine: it takes jobs, lives on when processes die, and answers after hours. Jobs get lost, expire
//! with a part of their answers, or end whole, as the seed says; what it would break to ask of it is noted. It must not
//! know how a job came to be.
//!
//! Invariant: a job brings the same results however often they are fetched.

use crate::model::Model;
use crate::rng::Rng;
use highwater::world::Batch;
use knowledge::id::{BatchKey, PackId};
use knowledge::prompt::Reply;
use knowledge::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The engine of a life.
#[derive(Debug, Default)]
pub struct Engine {
    jobs: Vec<Held>,
    /// Keys that are announced in the journal, and those whose end is.
    pub announced: BTreeSet<BatchKey>,
    /// Keys of jobs whose end is in the journal.
    pub ended: BTreeSet<BatchKey>,
    /// Jobs in a row that brought nothing: production gives up after three, so a third is whole.
    in_vain: u32,
}

#[derive(Debug)]
struct Held {
    key: BatchKey,
    packs: BTreeMap<PackId, Reply>,
    ends: Timestamp,
    results: Option<Vec<(PackId, Reply)>>,
}

/// The longest a job takes: a day.
const LONGEST_S: usize = 86_400;

impl Engine {
    /// The engine's name of the job with this key, if it has one.
    pub fn find(&self, key: BatchKey) -> Option<String> {
        self.jobs.iter().position(|held| held.key == key).map(|number| format!("job-{number}"))
    }

    /// Takes a job: the engine's name for it, or what that breaks.
    pub fn take(&mut self, task: &Batch, at: Timestamp, model: &Model) -> Result<String, String> {
        let key = task.job.key;
        if !self.announced.contains(&key) {
            return Err(format!("batch {key} was sent before it was announced"));
        }
        if self.find(key).is_some() {
            return Err(format!("batch {key} was sent twice"));
        }
        if task.job.packs.len() != task.prompts.len() || task.prompts.is_empty() {
            return Err(format!("batch {key} has {} prompts", task.prompts.len()));
        }
        let under_way = self.jobs.iter().filter(|held| !self.ended.contains(&held.key));
        let twice = under_way.flat_map(|held| held.packs.keys()).find(|pack| task.job.packs.contains(pack));
        if let Some(pack) = twice {
            return Err(format!("pack {pack} is in two batches at once"));
        }
        let mut rng = Rng::new(model.seed() ^ self.jobs.len() as u64, "takes");
        let seconds = if rng.chance(50) { rng.between(1, 600) } else { rng.between(1, LONGEST_S) };
        let ends = at.checked_add(Duration::from_secs(seconds as u64)).unwrap_or(at);
        let replies = task.prompts.iter().map(|prompt| model.answer(prompt));
        let packs = task.job.packs.iter().copied().zip(replies).collect();
        self.jobs.push(Held { key, packs, ends, results: None });
        Ok(format!("job-{}", self.jobs.len() - 1))
    }

    /// When the job of this name is over; nothing when there is no such job.
    pub fn ends(&self, name: &str) -> Option<Timestamp> {
        self.number(name).map(|number| self.jobs[number].ends)
    }

    fn number(&self, name: &str) -> Option<usize> {
        name.strip_prefix("job-")?.parse().ok().filter(|number| *number < self.jobs.len())
    }

    /// What the job of this name answered.
    pub fn results(&mut self, name: &str, seed: u64) -> Vec<(PackId, Reply)> {
        let Some(number) = self.number(name) else { return Vec::new() };
        if self.jobs[number].results.is_none() {
            let mut rng = Rng::new(seed ^ number as u64, "results");
            let whole = self.in_vain >= 2;
            // Lost; expired; or some requests failed, or none.
            let missing = *rng.pick(&[100, 50, 10, 0, 0, 0]);
            let job = &self.jobs[number];
            let answered = job.packs.iter().filter(|_| whole || !rng.chance(missing));
            let answered: Vec<_> = answered.map(|(pack, reply)| (*pack, reply.clone())).collect();
            self.in_vain = if answered.is_empty() { self.in_vain + 1 } else { 0 };
            self.jobs[number].results = Some(answered);
        }
        self.jobs[number].results.clone().unwrap_or_default()
    }

    /// Requests in all jobs.
    pub fn requests(&self) -> usize {
        self.jobs.iter().map(|held| held.packs.len()).sum()
    }
}
