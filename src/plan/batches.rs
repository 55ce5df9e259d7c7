//! Jobs of a provider's batch engine: which packs share one, when it may be sent, which are waited for. Only packs of
//! chunks go this way; pairs in doubt and summaries hold up an epoch or a run, and are asked about in single calls.
//!
//! Invariant: a job is announced before it is sent, under a key by which it is found again; and packs wait for one job
//! at most.

use super::asks::{self, Asks};
use super::{Limits, Plan};
use crate::error::{Error, Kind, Result};
use crate::job::Running;
use crate::state::State;
use crate::state::batches::UnderWay;
use crate::world::{Batch, Task};
use jiff::SignedDuration;
use knowledge::batch::Job;
use knowledge::extract;
use knowledge::id::{BatchKey, PackId};
use knowledge::prompt::Prompt;
use knowledge::record::{Pack, Record, Submitting};
use knowledge::time::Timestamp;

/// How a batch engine is used. Plain data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// The endpoint that has one.
    pub endpoint: u32,
    /// Most prompts in a job.
    pub prompts: usize,
    /// Most bytes of a job.
    pub bytes: usize,
}

/// Jobs in a row that may bring nothing before the run halts: an engine that fails three times, minutes apart, fails at
/// something that waiting does not mend.
const IN_VAIN: u32 = 3;

/// How long to wait after a job that brought nothing, for each such job in a row: long enough for an engine that is
/// full, short against the hours a job takes.
const PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Bytes of a prompt's line besides its texts: names of fields, the model, the key.
const AROUND: usize = 2_000;

/// Adds the jobs that are under way. They are waited for whether or not this run sends any, since their packs wait.
pub(super) fn go_on(state: &State, running: &Running, asks: &Asks, plan: &mut Plan) -> Result<()> {
    let under_way = state.batches_under_way(&asks.reads.extractor)?;
    let mut unnamed = false;
    for found in under_way {
        // One after the other: an engine that shows no keys tells our jobs apart by those whose names are known.
        if found.name.is_none() && std::mem::replace(&mut unnamed, true) {
            continue;
        }
        let mut task = task(&found, endpoint_of(asks, &found)?);
        if running.holds(&Task::Batch(Box::new(task.clone()))) {
            continue;
        }
        task.job.packs = state.batched_ids(found.seq)?;
        if found.name.is_none() {
            task.job.known = state.batch_names()?;
            task.prompts = prompts(state, asks, &state.batched(found.seq)?)?;
        }
        plan.tasks.push(Task::Batch(Box::new(task)));
    }
    Ok(())
}

/// A job without what is long: enough to know whether it is under way.
fn task(found: &UnderWay, endpoint: u32) -> Batch {
    let job = Job { key: found.key, packs: Vec::new(), since: found.began_at, known: Vec::new() };
    Batch { endpoint, job, name: found.name.clone(), may_be_there: !found.of_this_term, prompts: Vec::new() }
}

/// The endpoint that has a job, wherever the settings have it by now.
fn endpoint_of(asks: &Asks, found: &UnderWay) -> Result<u32> {
    if found.place.is_empty() || asks.places.is_empty() {
        return Ok(found.endpoint);
    }
    asks.places.iter().position(|place| *place == found.place).map(|at| at as u32).ok_or_else(|| {
        let text =
            format!("batch {}: it is under way at `{}`, which is not set any more", found.key, found.place);
        Error::new(Kind::Halt, text).hint("keep that endpoint in the settings until the job has ended")
    })
}

fn prompts(state: &State, asks: &Asks, packs: &[Pack]) -> Result<Vec<Prompt>> {
    packs.iter().map(|pack| asks::prompt(state, asks, pack)).collect()
}

/// Announces a job of as many packs as fit into one, or says when to try again.
pub(super) fn submit(state: &State, (limits, now): (&Limits, Timestamp), plan: &mut Plan) -> Result<()> {
    let Some((asks, batching)) = limits.asks.as_ref().and_then(|asks| Some((asks, asks.batch?))) else {
        return Ok(());
    };
    let owed = state.owed_packs([asks.reads.extractor.as_str(); 3], batching.prompts)?;
    if owed.is_empty() {
        return Ok(());
    }
    match rest(state, asks)? {
        Rest::Until(time) if now < time => {
            plan.next_slot = plan.next_slot.into_iter().chain([time]).min();
            return Ok(());
        }
        Rest::UntilTheyEnd => return Ok(()),
        Rest::Until(_) | Rest::Not => {}
    }
    let per_token = state.chars_per_token(&asks.reads.extractor)?.unwrap_or(extract::CHARS_PER_TOKEN);
    let spent = asks::spent(state)?;
    let (mut packs, mut bytes, mut tokens) = (Vec::new(), 0, 0);
    for pack in owed {
        let prompt = asks::prompt(state, asks, &pack)?;
        bytes += size(&prompt)?;
        tokens += asks::weigh(&prompt, per_token).1;
        // A pack that is too large alone is sent alone: what the engine says of it is recorded.
        let is_full = bytes > batching.bytes && !packs.is_empty();
        if is_full || !limits.budget.allows(&spent, (packs.len() as u64 + 1, tokens)) {
            tokens -= asks::weigh(&prompt, per_token).1;
            break;
        }
        packs.push(pack.id);
    }
    if !packs.is_empty() {
        let key = key(state, &packs)?;
        let (extractor, endpoint) = (asks.reads.extractor.clone(), batching.endpoint);
        let place = asks.places.get(endpoint as usize).cloned().unwrap_or_default();
        plan.settled.push(Record::Submitting(Submitting { key, extractor, endpoint, place, packs, tokens }));
    }
    Ok(())
}

/// A job's key: no other job of any vault has it, since no other of this vault is decided where the journal stands now.
fn key(state: &State, packs: &[PackId]) -> Result<BatchKey> {
    let vault = state.meta("vault")?.unwrap_or_default();
    let decided_at = state.applied()?.get().to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![vault.as_bytes(), &decided_at];
    parts.extend(packs.iter().map(|pack| pack.as_bytes().as_slice()));
    Ok(BatchKey::of(&parts))
}

/// Whether to leave an engine alone.
enum Rest {
    Not,
    Until(Timestamp),
    /// Until the jobs that are under way have ended: an engine that is full has room again then.
    UntilTheyEnd,
}

/// Whether an engine is left alone because the last jobs brought nothing.
///
/// # Errors
/// Too many in a row brought nothing, or the last one says that another is of no use.
fn rest(state: &State, asks: &Asks) -> Result<Rest> {
    let in_vain = state.batches_in_vain()?;
    if in_vain.halts || in_vain.jobs >= IN_VAIN {
        let text = match in_vain.halts {
            true => format!("batches of `{}`: the last one ended with requests refused", asks.model),
            false => format!("batches of `{}`: {} in a row brought nothing", asks.model, in_vain.jobs),
        };
        return Err(Error::new(Kind::Halt, format!("{text}; {}", in_vain.why))
            .hint("everything answered so far is kept; fix what it says, or leave `--batch` out"));
    }
    let Some(ended_at) = in_vain.ended_at.filter(|_| in_vain.jobs > 0) else { return Ok(Rest::Not) };
    if !state.batches_under_way(&asks.reads.extractor)?.is_empty() {
        return Ok(Rest::UntilTheyEnd);
    }
    let rest = PAUSE.saturating_mul(in_vain.jobs.try_into().unwrap_or(i32::MAX));
    Ok(ended_at.checked_add(rest).map_or(Rest::Not, Rest::Until))
}

/// Bytes of a prompt in a job's file: as JSON, which doubles quotes and breaks of lines.
fn size(prompt: &Prompt) -> Result<usize> {
    let written = |text: &str| serde_json::to_string(text).map(|text| text.len());
    Ok(written(&prompt.system)? + written(&prompt.text)? + prompt.schema.to_string().len() + AROUND)
}
