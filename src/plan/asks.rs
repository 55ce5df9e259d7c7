//! What is to be asked of models now: which chunks share a call, which calls may go out, what an answer came to.
//! Decided from rows, settings and the time that is handed in; effects are handed over as tasks.
//!
//! Invariant: a call is announced in the journal before it is sent, so whatever dies, the quota knows of it; and a
//! chunk that has an answer is in no pack.

use super::{Limits, Plan};
use crate::error::{Error, Kind, Result};
use crate::job::Running;
use crate::state::State;
use crate::state::answers::Heard;
use crate::state::owed::Slice;
use crate::world::{Question, Task};
use knowledge::extract::{self, Owed, PackSize, Vocabulary};
use knowledge::id::ChunkId;
use knowledge::prompt::Prompt;
use knowledge::quota::{self, Allowance, Ledger, Slot, Ticket};
use knowledge::record::{Asking, Pack, Packed, Packing, Record, Understood};
use knowledge::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How models are asked. Plain data.
#[derive(Clone, Debug)]
pub struct Asks {
    /// Names the model in facts.
    pub model: String,
    /// Names extractor, vocabulary and model: the key under which debts and answers are kept.
    pub extractor: String,
    /// What there may be, and what may be said of it.
    pub vocabulary: Arc<Vocabulary>,
    /// How much a call may hold.
    pub size: PackSize,
    /// What each endpoint allows.
    pub allowances: Vec<Allowance>,
    /// Calls this run may make; none for as many as it takes.
    pub max_calls: Option<u64>,
}

impl Asks {
    /// How this model is asked with this vocabulary.
    pub fn new(model: &str, vocabulary: Vocabulary, allowances: Vec<Allowance>) -> Self {
        Self {
            model: model.to_owned(),
            extractor: format!("{}/{}/{model}", extract::EXTRACTOR, vocabulary.version()),
            vocabulary: Arc::new(vocabulary),
            size: PackSize::default(),
            allowances,
            max_calls: None,
        }
    }
}

/// Slices that are packed ahead of the head of the line, so that the quota is used while the head waits for its last
/// answer. At five requests a minute and the longest answer of five minutes, 25 calls are under way; a slice of 64
/// pages is some 10 calls.
const SLICES_AHEAD: u32 = 8;
/// Calls announced in one turn: more than a second of the largest quotas.
const CALLS: usize = 64;
/// Answers understood in one turn: what arrived in one turn is rarely more.
const ANSWERS: usize = 64;

/// Adds what concerns models to a plan.
pub(super) fn plan(
    state: &State,
    running: &Running,
    limits: (&Limits, Timestamp),
    plan: &mut Plan,
) -> Result<()> {
    let (limits, now) = limits;
    let Some(asks) = &limits.asks else { return Ok(()) };
    for heard in state.heard(ANSWERS)? {
        plan.settled.extend(understand(state, asks, &heard)?);
    }
    for slice in ahead(state)? {
        plan.settled.extend(pack(state, asks, slice)?);
    }
    for announced in state.announced()? {
        let question = Question {
            pack: announced.pack.id,
            endpoint: announced.endpoint,
            prompt: prompt(state, asks, &announced.pack)?,
        };
        let task = Task::Ask(Box::new(question));
        if !running.holds(&task) {
            plan.tasks.push(task);
        }
    }
    announce(state, asks, now, plan)
}

/// Whether a slice waits for no answer.
pub(super) fn is_answered(state: &State, limits: &Limits, slice: Slice) -> Result<bool> {
    let Some(asks) = &limits.asks else { return Ok(true) };
    Ok(state.is_packed(slice, &asks.extractor)? && state.is_answered(slice, &asks.extractor)?)
}

/// The slices at the head of the line that are cut to their end.
fn ahead(state: &State) -> Result<Vec<Slice>> {
    let mut slices = Vec::new();
    for number in 0..SLICES_AHEAD {
        let Some(slice) = state.slice_ahead(number)? else { break };
        if !state.is_complete(slice)? {
            break;
        }
        slices.push(slice);
    }
    Ok(slices)
}

fn pack(state: &State, asks: &Asks, slice: Slice) -> Result<Option<Record>> {
    if state.is_packed(slice, &asks.extractor)? {
        return Ok(None);
    }
    let owed = state.owed_answers(slice, &asks.extractor)?;
    let packs = extract::pack(&owed, asks.size);
    let packs = packs.into_iter().map(|chunks| Pack::new(&asks.extractor, 0, None, chunks)).collect();
    let slice = Some(Packing { sweep: slice.sweep, first: slice.first, end: slice.end });
    Ok(Some(Record::Packed(Packed { extractor: asks.extractor.clone(), slice, packs })))
}

fn prompt(state: &State, asks: &Asks, pack: &Pack) -> Result<Prompt> {
    Ok(extract::prompt(&state.asked(pack)?, &asks.vocabulary, pack.fault.as_deref()))
}

/// What an answer came to; chunks that it left out are asked about again, until they had all their chances.
fn understand(state: &State, asks: &Asks, heard: &Heard) -> Result<Vec<Record>> {
    let Heard { pack, reply } = heard;
    let asked = state.asked(pack)?;
    let understood = extract::understand(&asked, &asks.vocabulary, &asks.model, reply);
    let doubts = understood.refusals().into_iter();
    let doubts = doubts.map(|(why, count)| (why.to_owned(), count as u32)).collect();
    let fault = understood.fault();
    let mut readings = understood.readings;
    let next = extract::next_round(pack.round, pack.chunks.len());
    let (again, refused): (Vec<ChunkId>, Vec<_>) = match next {
        Some(_) => (understood.missing.iter().map(|(chunk, _)| *chunk).collect(), Vec::new()),
        None => {
            // Nobody will be asked again: what was believed of it is worth keeping.
            let partial: BTreeMap<_, _> = understood.partial.into_iter().collect();
            let kept = understood.missing.iter().filter_map(|(chunk, _)| partial.get_key_value(chunk));
            readings.extend(kept.map(|(chunk, reading)| (*chunk, reading.clone())));
            let lost = understood.missing.into_iter().filter(|(chunk, _)| !partial.contains_key(chunk));
            (Vec::new(), lost.collect())
        }
    };
    let again_packs = match next {
        Some(round) if !again.is_empty() => packs_again(&asked, &again, asks, (round, fault)),
        _ => Vec::new(),
    };
    let mut records =
        vec![Record::Understood(Understood { pack: pack.id, readings, again, refused, doubts })];
    if !again_packs.is_empty() {
        let extractor = asks.extractor.clone();
        records.push(Record::Packed(Packed { extractor, slice: None, packs: again_packs }));
    }
    Ok(records)
}

/// Packs of the chunks that an answer left out. They shared a pack, so they share an audience.
fn packs_again(
    asked: &[extract::Asked],
    again: &[ChunkId],
    asks: &Asks,
    (round, fault): (u8, Option<String>),
) -> Vec<Pack> {
    let owed: Vec<Owed> = asked
        .iter()
        .filter(|asked| again.contains(&asked.chunk))
        .map(|asked| Owed {
            chunk: asked.chunk,
            chars: asked.text.chars().count(),
            audience: Vec::new(),
            round,
        })
        .collect();
    let packs = extract::pack(&owed, asks.size).into_iter();
    packs.map(|chunks| Pack::new(&asks.extractor, round, fault.clone(), chunks)).collect()
}

/// Announces as many calls as the quota lets out now, or says when it will let out the next.
fn announce(state: &State, asks: &Asks, now: Timestamp, plan: &mut Plan) -> Result<()> {
    let owed = state.owed_packs(&asks.extractor, CALLS)?;
    if owed.is_empty() {
        return Ok(());
    }
    let mut ledgers = ledgers(state, asks, now)?;
    let per_token = state.chars_per_token(&asks.extractor)?.unwrap_or(extract::CHARS_PER_TOKEN);
    let mut left = match asks.max_calls {
        Some(most) => most.saturating_sub(state.calls_this_term()?),
        None => u64::MAX,
    };
    for (number, pack) in owed.into_iter().enumerate() {
        if left == 0 {
            break;
        }
        let prompt = prompt(state, asks, &pack)?;
        let chars = (prompt.system.len() + prompt.text.len() + prompt.schema.to_string().len()) as u64;
        // With an answer of half the text that is asked about; settled by what the provider counts.
        let tokens = ((chars + prompt.text.len() as u64 / 2) as f64 / per_token).ceil() as u64;
        match quota::slot(&ledgers, tokens, now) {
            Slot::Now(endpoint) => {
                // A ticket of this turn's own; the next turn reads the real one from the rows.
                ledgers[endpoint].begin(Ticket(u64::MAX - number as u64), tokens, now);
                let asking = Asking { pack: pack.id, endpoint: endpoint as u32, tokens, chars };
                plan.settled.push(Record::Asking(asking));
                left -= 1;
            }
            Slot::At(time) => {
                plan.next_slot = Some(time);
                break;
            }
            Slot::Busy => break,
            Slot::Never(why) => {
                return Err(Error::new(
                    Kind::Halt,
                    format!("asking about a pack of {} chunks: {why}", pack.chunks.len()),
                )
                .hint("set a smaller `pack_chars`, or the true `tokens_per_minute`"));
            }
        }
    }
    Ok(())
}

fn ledgers(state: &State, asks: &Asks, now: Timestamp) -> Result<Vec<Ledger>> {
    let ledger = |(endpoint, allowance): (usize, &Allowance)| -> Result<Ledger> {
        let since = now.checked_sub(allowance.memory()).unwrap_or(Timestamp::MIN);
        let calls = state.calls_since(endpoint as u32, since)?;
        let mut ledger = Ledger::replayed(allowance.clone(), calls);
        ledger.advance(now);
        Ok(ledger)
    };
    asks.allowances.iter().enumerate().map(ledger).collect()
}
