//! Effects under way: begun, waited for, given up. It must not know what any of them is about.
//!
//! Invariant: what is under way may have been paid for, so nothing is dropped before its grace is over.

use super::Interrupt;
use super::appending::is_paid_for;
use crate::error::{Error, Kind, Result};
use crate::world::{Task, World};
use jiff::SignedDuration;
use knowledge::record::Record;
use knowledge::time::Timestamp;
use std::collections::BTreeMap;
use tokio::task::{AbortHandle, Id, JoinSet};

/// Effects under way.
#[derive(Default)]
pub struct Running {
    set: JoinSet<Result<Vec<Record>>>,
    /// Each with when it was begun.
    tasks: BTreeMap<Id, (Task, Timestamp, AbortHandle)>,
    /// Why the run must end.
    pub(super) failure: Option<Error>,
    /// Until when what is under way is waited for, in a run that was interrupted.
    grace: Option<Timestamp>,
}

/// How long an interrupted run waits for what is under way: whoever sends SIGTERM kills after ten seconds (Cloud Run),
/// and what arrived has to be appended within them.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// How an effect ended, with its id.
type Outcome = std::result::Result<(Id, Result<Vec<Record>>), tokio::task::JoinError>;

/// Records gathered from finished effects for one append, at most: a segment stays small enough to be read at once.
const BATCH: usize = 256;

impl Running {
    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// How many effects are under way.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether this very task is under way.
    pub fn holds(&self, task: &Task) -> bool {
        self.any(|held| held == task)
    }

    /// Whether such a task is under way.
    pub fn any(&self, is_such: impl Fn(&Task) -> bool) -> bool {
        self.tasks.values().any(|(task, ..)| is_such(task))
    }

    /// When such a task was begun, if it is under way. It was announced before that, and a record takes its time.
    pub fn began(&self, is_such: impl Fn(&Task) -> bool) -> Option<Timestamp> {
        self.tasks.values().find(|(task, ..)| is_such(task)).map(|(_, began, _)| *began)
    }

    pub(super) fn start(&mut self, tasks: Vec<Task>, world: &impl World) {
        for task in tasks {
            let handle = self.set.spawn(world.perform(task.clone()));
            self.tasks.insert(handle.id(), (task, world.now(), handle));
        }
    }

    /// Counts what has arrived and can be saved no more, for the last words of a run.
    pub(super) fn unsaved(&mut self, error: Error) -> Error {
        let arrived = self.finished_by_now(Vec::new()).unwrap_or_default();
        match arrived.iter().filter(|record| is_paid_for(record)).count() {
            0 => error,
            count => error.also(format_args!("{count} more had just arrived")),
        }
    }

    /// Lets go of what is found again by the next run, and may take hours: jobs of a batch engine.
    pub(super) fn let_go(&self) {
        let jobs = self.tasks.values().filter(|(task, ..)| matches!(task, Task::Batch(_)));
        jobs.for_each(|(.., handle)| handle.abort());
    }

    /// Waits for one effect to finish, or for a slot to open, and takes all that have finished by then. When the run is
    /// interrupted, what is under way has a few seconds more, since it may have been paid for; what has not finished
    /// then is given up, and owed again by the next run.
    pub(super) async fn finished(
        &mut self,
        slot: (&impl World, Option<Timestamp>),
        interrupt: &Interrupt,
    ) -> Result<Vec<Record>> {
        let (world, moment) = slot;
        if interrupt.is_raised() && self.grace.is_none() {
            self.grace = world.now().checked_add(GRACE).ok();
        }
        let opens = async {
            match self.grace.or(moment) {
                Some(moment) => world.wait_until(moment).await,
                None => std::future::pending().await,
            }
        };
        let first = tokio::select! {
            biased;
            next = self.set.join_next_with_id(), if !self.set.is_empty() => next,
            () = opens => None,
            () = interrupt.raised(), if self.grace.is_none() => return Ok(Vec::new()),
        };
        if first.is_none() && self.grace.is_some() {
            self.set.abort_all();
            *self = Self { failure: self.failure.take(), ..Self::default() };
            return Ok(Vec::new());
        }
        self.gather(first, Vec::new())
    }

    /// Takes all that have finished, behind records that are decided.
    pub(super) fn finished_by_now(&mut self, decided: Vec<Record>) -> Result<Vec<Record>> {
        if decided.len() >= BATCH {
            return Ok(decided);
        }
        let first = self.set.try_join_next_with_id();
        self.gather(first, decided)
    }

    fn gather(&mut self, first: Option<Outcome>, mut records: Vec<Record>) -> Result<Vec<Record>> {
        let mut next = first;
        while let Some(outcome) = next {
            let (id, outcome) = match outcome {
                Err(error) if error.is_cancelled() => (error.id(), Ok(Vec::new())),
                Err(error) => {
                    let text = format!("an effect did not end as it should: {error}");
                    return Err(Error::new(Kind::Bug, text));
                }
                Ok(ended) => ended,
            };
            self.tasks.remove(&id);
            match outcome {
                Ok(done) => records.extend(done),
                Err(error) => drop(self.failure.get_or_insert(error)),
            }
            if records.len() >= BATCH {
                break;
            }
            next = self.set.try_join_next_with_id();
        }
        Ok(records)
    }
}
