//! Making records durable and then visible, however long that takes. A vault that cannot be reached and a disk that is
//! full are waited for: nothing new is announced meanwhile, so that at most what is under way waits with them.
//!
//! Invariant: nothing is dropped. What was sent and not answered clearly is sent again, the same bytes, until it is
//! clear.

use super::patience::Pauses;
use crate::error::{Error, Kind, Result};
use crate::plan::Limits;
use crate::state::State;
use crate::world::World;
use knowledge::record::{Record, Salvaged};
use vault::{Event, ObjectStore, Segment, Vault};

/// Appends records and folds them in.
pub(super) async fn append<S: ObjectStore>(
    world: &impl World,
    (vault, state): (&mut Vault<S>, &mut State),
    records: Vec<Record>,
    limits: &Limits,
) -> Result<()> {
    let count = records.len();
    let paid = records.iter().filter(|record| is_paid_for(record)).count();
    let segment = match vault.append(world.now(), records).await {
        Err(error) if error.kind() == vault::Kind::Later && !vault.is_lost() => {
            let trouble = format!("{count} records ({paid} of them answers) wait to be saved");
            settle(world, vault, limits, (&trouble, error)).await
        }
        appended => appended.map_err(Error::from),
    };
    let segment = segment.map_err(|error| match paid {
        0 => error,
        _ => error.also(format_args!("{paid} answers that had arrived could not be saved")),
    })?;
    advance(world, state, &segment, limits).await
}

/// Appends the last word of a term.
pub(super) async fn close<S: ObjectStore>(
    world: &impl World,
    (vault, state): (&mut Vault<S>, &mut State),
    limits: &Limits,
) -> Result<()> {
    let segment = match vault.close(world.now()).await {
        Err(error) if error.kind() == vault::Kind::Later && !vault.is_lost() => {
            settle(world, vault, limits, ("the end of the run waits to be saved", error)).await?
        }
        closed => closed?,
    };
    advance(world, state, &segment, limits).await
}

/// What a vault holds that was never taken in: answers in a segment that was passed while its writer was still closing
/// it.
pub(super) async fn salvaged<S: ObjectStore>(vault: &Vault<S>, state: &State) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (from, entries) in vault.salvage::<Record>().await? {
        let answered = |event| match event {
            Event::Record(Record::Answered(answered)) => Some(*answered),
            _ => None,
        };
        let mut answers = Vec::new();
        for answer in entries.into_iter().filter_map(|entry| answered(entry.event)) {
            if state.is_owed(answer.pack)? {
                answers.push(answer);
            }
        }
        if !answers.is_empty() {
            records.push(Record::Salvaged(Salvaged { from, answers }));
        }
    }
    Ok(records)
}

/// Whether a record holds what somebody was paid for.
pub(super) fn is_paid_for(record: &Record) -> bool {
    matches!(record, Record::Answered(_) | Record::Embedded(_))
}

/// Sends the same bytes again until the vault answers clearly.
async fn settle<S: ObjectStore>(
    world: &impl World,
    vault: &mut Vault<S>,
    limits: &Limits,
    (waits, error): (&str, vault::Error),
) -> Result<Segment<Record>> {
    let mut last = Error::from(error);
    let mut pauses = Pauses::default();
    loop {
        limits.pulse.is_in_trouble(Some(format!("{waits}: {last}")));
        pauses.pause(world, limits, last).await?;
        last = match vault.settle().await {
            Ok(Some(segment)) => {
                limits.pulse.is_in_trouble(None);
                return Ok(segment);
            }
            Ok(None) => {
                return Err(Error::new(Kind::Bug, "an append that was not clear left nothing behind"));
            }
            Err(error) if error.kind() == vault::Kind::Later && !vault.is_lost() => error.into(),
            Err(error) => return Err(error.into()),
        };
    }
}

/// Folds a segment in. A full disk takes the transaction back whole, and is waited for; the segment is durable already.
async fn advance(
    world: &impl World,
    state: &mut State,
    segment: &Segment<Record>,
    limits: &Limits,
) -> Result<()> {
    let mut pauses = Pauses::default();
    loop {
        let error = match state.advance(segment) {
            Ok(()) => break,
            Err(error) if error.kind() == Kind::Later && state.applied()? < segment.last_seq() => error,
            Err(error) => return Err(error),
        };
        limits.pulse.is_in_trouble(Some(format!("{error}; what is recorded is safe in the vault")));
        pauses.pause(world, limits, error).await?;
    }
    limits.pulse.is_in_trouble(None);
    Ok(())
}
