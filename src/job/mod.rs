//! The main job: plan, perform, append, apply, and nothing else. The simulator runs this very function.
//!
//! Invariant: a record is durable in the vault before a row of the state shows it, and an effect is begun only because
//! the state owes it. A kill at any point loses at most what was under way.

mod appending;
mod patience;
mod pulse;
mod running;
mod saving;

pub use patience::patiently;
pub use pulse::{Interrupt, Pulse};
pub use running::Running;

use crate::error::{Error, Kind, Result};
use crate::plan::{self, Limits, Plan};
use crate::state::State;
use crate::world::World;
use appending::append;
use knowledge::time::Timestamp;
use saving::Saving;
use vault::{ObjectStore, Seq, Snapshot, Vault};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The last record that is durable.
    pub durable: Seq,
    /// The run stopped because it was told to; the same command goes on from here.
    pub interrupted: bool,
}

/// Brings the graph up to date with the wiki, as far as `limits` allow. The term stays open: what is computed behind
/// the loop may still come into the last snapshot; [`end`] ends it.
///
/// # Errors
/// What halts a run: a source that cannot be read at all, a vault that refuses. Everything recorded before stays; the
/// same command goes on from there.
pub async fn run<S: ObjectStore + Clone + 'static>(
    world: &impl World,
    vault: &mut Vault<S>,
    state: &mut State,
    limits: &Limits,
) -> Result<Report> {
    let mut saving = Saving::begin(vault, limits).await;
    let outcome = turns(world, (vault, state), limits, &mut saving).await;
    saving.abandon(state)?;
    outcome?;
    Ok(Report { durable: state.applied()?, interrupted: limits.interrupt.is_raised() })
}

async fn turns<S: ObjectStore + Clone + 'static>(
    world: &impl World,
    (vault, state): (&mut Vault<S>, &mut State),
    limits: &Limits,
    saving: &mut Saving,
) -> Result<()> {
    let mut running = Running::default();
    let salvaged = appending::salvaged(vault, state).await?;
    if !salvaged.is_empty() {
        append(world, (vault, state), salvaged, limits).await?;
    }
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
            let owes = || plan::note(state, limits);
            match running.failure.is_none() && patiently(world, limits, owes).await? {
                true => continue,
                false => break,
            }
        }
        running.start(plan.tasks, world);
        // What finished meanwhile shares the segment, and its flush, with what was decided.
        let records = match plan.settled.is_empty() {
            false => running.finished_by_now(plan.settled)?,
            true => {
                limits.pulse.waits_until(plan.next_slot);
                running.finished((world, plan.next_slot), &limits.interrupt).await?
            }
        };
        if !records.is_empty() {
            append(world, (vault, state), records, limits).await.map_err(|error| running.unsaved(error))?;
        }
        saving.turn((vault, state), world.now()).await?;
    }
    running.failure.map_or(Ok(()), Err)
}

/// Takes a snapshot now, due or not.
///
/// # Errors
/// It could not be saved.
pub async fn save<S: ObjectStore>(vault: &Vault<S>, state: &mut State, now: Timestamp) -> Result<Snapshot> {
    let held = state.freeze(now)?;
    let frozen = held.ok_or_else(|| {
        Error::new(Kind::Later, "taking a snapshot: another process is reading the state file")
            .hint("run the same command again")
    })?;
    let (base, bytes) = (frozen.base, frozen.bytes);
    let saved = vault::snapshot::save(vault.store(), (base, vault.nonce()), bytes, frozen).await;
    state.thaw()?;
    Ok(saved?)
}

/// Ends a run that came to its end: a last snapshot where one is due, and the word that nothing is left undone.
///
/// # Errors
/// A vault that refuses. That a snapshot could not be saved is no error: the journal has everything.
pub async fn end<S: ObjectStore + Clone + 'static>(
    world: &impl World,
    vault: &mut Vault<S>,
    state: &mut State,
    limits: &Limits,
) -> Result<Seq> {
    if !limits.interrupt.is_raised() {
        state.merge_indexes()?;
        Saving::begin(vault, limits).await.last((vault, state), world.now()).await?;
    }
    appending::close(world, (vault, state), limits).await?;
    state.applied()
}
