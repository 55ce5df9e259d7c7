//! The main job: plan, perform, append, apply, and nothing else. The simulator runs this very function.
//!
//! Invariant: a record is durable in the vault before a row of the state shows it, and an effect is begun only because
//! the state owes it. A kill at any point loses at most what was under way.

use crate::error::{Error, Kind, Result};
use crate::plan::{self, Limits, Plan};
use crate::state::State;
use crate::world::{Task, World};
use jiff::SignedDuration;
use knowledge::record::Record;
use knowledge::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id, JoinSet};
use vault::{ObjectStore, Seq, Vault};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The last record that is durable.
    pub durable: Seq,
    /// The run stopped because it was told to; the same command goes on from here.
    pub interrupted: bool,
}

/// Brings the graph up to date with the wiki, as far as `limits` allow.
///
/// # Errors
/// What halts a run: a source that cannot be read at all, a vault that refuses, a full disk. Everything recorded before
/// stays; the same command goes on from there.
pub async fn run<S: ObjectStore>(
    world: &impl World,
    vault: &mut Vault<S>,
    state: &mut State,
    limits: &Limits,
) -> Result<Report> {
    let mut running = Running::default();
    loop {
        // After a failure nothing new is begun; what is under way may have been paid for, and is waited for.
        let plan = match running.failure {
            Some(_) => Plan::default(),
            None => plan::plan(state, &running, limits, world.now()).unwrap_or_else(|error| {
                running.failure = Some(error);
                Plan::default()
            }),
        };
        if running.failure.is_some() {
            running.let_go();
        }
        if plan.owes_nothing() && running.is_empty() {
            match running.failure.is_none() && plan::note(state, limits)? {
                true => continue,
                false => break,
            }
        }
        running.start(plan.tasks, world);
        // What finished meanwhile shares the segment, and its flush, with what was decided.
        let records = match plan.settled.is_empty() {
            false => running.finished_by_now(plan.settled)?,
            true => running.finished((world, plan.next_slot), &limits.interrupt).await?,
        };
        if !records.is_empty() {
            let segment = vault.append(world.now(), records).await?;
            state.advance(&segment)?;
        }
    }
    if let Some(error) = running.failure {
        return Err(error);
    }
    let segment = vault.close(world.now()).await?;
    state.advance(&segment)?;
    let interrupted = limits.interrupt.is_raised();
    Ok(Report { durable: state.applied()?, interrupted })
}

/// The word to stop: shared between the loop and whoever catches signals. Once raised it stays raised.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<(AtomicBool, Notify)>);

impl Interrupt {
    /// Says the word.
    pub fn raise(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Whether it was said.
    pub fn is_raised(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until it is said.
    async fn raised(&self) {
        let heard = self.0.1.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        // The flag is looked at after listening began, so that no word falls between the two.
        if !self.is_raised() {
            heard.await;
        }
    }
}

/// Effects under way.
#[derive(Default)]
pub struct Running {
    set: JoinSet<Result<Vec<Record>>>,
    /// Each with when it was begun.
    tasks: BTreeMap<Id, (Task, Timestamp, AbortHandle)>,
    /// Why the run must end.
    failure: Option<Error>,
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

    fn start(&mut self, tasks: Vec<Task>, world: &impl World) {
        for task in tasks {
            let handle = self.set.spawn(world.perform(task.clone()));
            self.tasks.insert(handle.id(), (task, world.now(), handle));
        }
    }

    /// Lets go of what is found again by the next run, and may take hours: jobs of a batch engine.
    fn let_go(&self) {
        let jobs = self.tasks.values().filter(|(task, ..)| matches!(task, Task::Batch(_)));
        jobs.for_each(|(.., handle)| handle.abort());
    }

    /// Waits for one effect to finish, or for a slot to open, and takes all that have finished by then. When the run is
    /// interrupted, what is under way has a few seconds more, since it may have been paid for; what has not finished
    /// then is given up, and owed again by the next run.
    async fn finished(
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
    fn finished_by_now(&mut self, decided: Vec<Record>) -> Result<Vec<Record>> {
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
