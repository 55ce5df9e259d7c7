//! What is to be asked of models now: which calls may go out, what an answer came to. Decided from rows, settings and
//! the time that is handed in; effects are handed over as tasks. What is asked about chunks, pairs in doubt,
//! entities and communities is next door.
//!
//! Invariant: a call is announced in the journal before it is sent, so whatever dies, the quota knows of it; and what
//! has an answer is in no pack.

use super::budget::Budget;
use super::{Batching, Limits, Plan, adjudication, batches, extraction, portraits, refusals, summaries};
use crate::error::{Error, Kind, Result};
use crate::job::Running;
use crate::state::State;
use crate::state::answers::{Heard, Reads, Spent};
use crate::state::owed::Slice;
use crate::world::{Question, Task};
use knowledge::extract::{self, PackSize, Vocabulary, Witness};
use knowledge::judge::ADJUDICATOR;
use knowledge::prompt::{Finish, Prompt};
use knowledge::quota::{self, Allowance, Ledger, Slot, Ticket};
use knowledge::record::{Asking, Matter, Pack, Packed, Record, Understood};
use knowledge::summary::{LONG_CHARS, SUMMARISER};
use knowledge::time::Timestamp;
use std::sync::Arc;

/// How models are asked. Plain data.
#[derive(Clone, Debug)]
pub struct Asks {
    /// Names the model in facts.
    pub model: String,
    /// Whether the model copies the words on which a fact stands; a recording may not have.
    pub quotes: bool,
    /// What is read, and under which name debts and answers about chunks are kept.
    pub reads: Reads,
    /// Names who is asked about pairs in doubt.
    pub adjudicator: String,
    /// Names who is asked for summaries, of entities and of communities.
    pub summariser: String,
    /// What there may be, and what may be said of it.
    pub vocabulary: Arc<Vocabulary>,
    /// Names first, then facts between them: for small models that lose count otherwise.
    pub two_steps: bool,
    /// Characters of sentences about an entity that nobody has summarised, from which on a summary is written.
    pub long_chars: usize,
    /// How many communities are given a name and a summary, those with most facts first; none unless it is said.
    pub portraits: usize,
    /// How much a call may hold.
    pub size: PackSize,
    /// What each endpoint allows.
    pub allowances: Vec<Allowance>,
    /// What each endpoint is called, so that a job is found again at the one that has it.
    pub places: Vec<String>,
    /// How a provider's batch engine is asked about chunks; none to ask call by call.
    pub batch: Option<Batching>,
}

impl Asks {
    /// How this model is asked with this vocabulary.
    pub fn new(model: &str, vocabulary: Vocabulary, allowances: Vec<Allowance>) -> Self {
        Self {
            model: model.to_owned(),
            quotes: true,
            reads: Reads {
                extractor: format!("{}/{}/{model}", extract::EXTRACTOR, vocabulary.version()),
                history: false,
            },
            adjudicator: format!("judge/{ADJUDICATOR}/{model}"),
            summariser: format!("summary/{SUMMARISER}/{model}"),
            vocabulary: Arc::new(vocabulary),
            two_steps: false,
            long_chars: LONG_CHARS,
            portraits: 0,
            size: PackSize::default(),
            allowances,
            places: Vec::new(),
            batch: None,
        }
    }

    /// Who says what it says.
    pub(super) fn witness(&self) -> Witness<'_> {
        Witness { model: &self.model, quotes: self.quotes }
    }

    /// The same, asking about chunks in two steps.
    #[must_use]
    pub fn in_two_steps(mut self) -> Self {
        self.reads.extractor.push_str("/two-steps");
        Self { two_steps: true, ..self }
    }

    /// Under which names anything may be owed.
    pub fn askers(&self) -> [&str; 3] {
        [&self.reads.extractor, &self.adjudicator, &self.summariser]
    }

    /// Under which names single calls are made.
    fn callers(&self) -> [&str; 3] {
        match self.batch {
            None => self.askers(),
            Some(_) => [&self.adjudicator, &self.adjudicator, &self.summariser],
        }
    }

    /// Under which name this is owed.
    fn asker(&self, matter: &Matter) -> &str {
        match matter {
            Matter::Chunks(_) | Matter::Named(_) => &self.reads.extractor,
            Matter::Questions { .. } => &self.adjudicator,
            Matter::Summaries(_) | Matter::Portraits(_) => &self.summariser,
        }
    }
}

/// Slices that are packed ahead of the head of the line, so that the quota is used while the head waits for its last
/// answer. At five requests a minute and the longest answer of five minutes, 25 calls are under way; a slice of 64
/// pages is some 10 calls.
const SLICES_AHEAD: u32 = 8;
/// Characters of a token until a provider has counted some: tables and code have three, prose has four. What is
/// reserved too much is given back when it is counted.
const UNSEEN_CHARS_PER_TOKEN: f64 = 3.0;
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
    for heard in state.heard(asks.askers(), ANSWERS)? {
        plan.settled.extend(understand(state, asks, &heard)?);
    }
    let (slices, to_the_end) = ahead(state, (asks, limits))?;
    for slice in slices {
        plan.settled.extend(extraction::pack(state, asks, slice)?);
    }
    for announced in state.announced()? {
        let pack = announced.pack.id;
        if running.any(|task| matches!(task, Task::Ask(question) if question.pack == pack)) {
            continue;
        }
        let prompt = prompt(state, asks, &announced.pack)?;
        plan.tasks.push(Task::Ask(Box::new(Question { pack, endpoint: announced.endpoint, prompt })));
    }
    batches::go_on(state, running, asks, plan)?;
    if refusals::plan(state, (asks, now), plan)? {
        // What is given up is still owed by the rows: it must not be announced beside that.
        return Ok(());
    }
    announce(state, (asks, &limits.budget), (running, now), plan)?;
    // All that a worklist owes shares its jobs, so nothing is sent while more of it may come.
    match to_the_end && plan.settled.is_empty() {
        true => batches::submit(state, (limits, now), plan),
        false => Ok(()),
    }
}

/// Whether a slice waits for no answer.
pub(super) fn is_answered(state: &State, limits: &Limits, slice: Slice) -> Result<bool> {
    let Some(asks) = &limits.asks else { return Ok(true) };
    Ok(state.is_packed(slice, &asks.reads.extractor)? && state.is_answered(slice, &asks.reads.extractor)?)
}

/// The slices at the head of the line that are cut to their end, and whether these are all there are. For a batch
/// engine, which takes hours whatever it is sent, the whole line is looked at.
fn ahead(state: &State, (asks, limits): (&Asks, &Limits)) -> Result<(Vec<Slice>, bool)> {
    let mut slices = Vec::new();
    let most = if asks.batch.is_some() { u32::MAX } else { SLICES_AHEAD };
    for number in 0..most {
        let Some(slice) = state.slice_ahead(number)?.filter(|slice| limits.reach(state, slice)) else {
            return Ok((slices, true));
        };
        if !state.is_complete(slice)? {
            break;
        }
        slices.push(slice);
    }
    Ok((slices, false))
}

pub(super) fn prompt(state: &State, asks: &Asks, pack: &Pack) -> Result<Prompt> {
    let fault = pack.fault.as_deref();
    Ok(match &pack.matter {
        Matter::Chunks(chunks) => extraction::prompt(&state.asked(chunks)?, asks, fault),
        Matter::Named(named) => {
            extract::prompt_facts(&extraction::named(state, named)?, &asks.vocabulary, fault)
        }
        Matter::Questions { questions, .. } => knowledge::judge::prompt(questions, fault),
        Matter::Summaries(subjects) => knowledge::summary::prompt(subjects, fault),
        Matter::Portraits(sittings) => knowledge::portrait::prompt(sittings, fault),
    })
}

/// What an answer came to; what it left out is asked about again, until it had all its chances.
fn understand(state: &State, asks: &Asks, heard: &Heard) -> Result<Vec<Record>> {
    let (understood, again) = match &heard.pack.matter {
        Matter::Chunks(chunks) => extraction::understand(state, asks, (heard, chunks))?,
        Matter::Named(named) => extraction::understand_named(state, asks, (heard, named))?,
        Matter::Questions { epoch, questions } => adjudication::understand(heard, *epoch, questions),
        Matter::Summaries(subjects) => summaries::understand(heard, subjects),
        Matter::Portraits(sittings) => portraits::understand(heard, sittings),
    };
    let mut records = vec![Record::Understood(understood)];
    if !again.is_empty() {
        let extractor = asks.asker(&heard.pack.matter).to_owned();
        // That nobody would answer is no fault of an answer, and what is told of it (counts, a vendor's words) may be
        // another after a crash: the prompt must not.
        let refused = matches!(heard.reply.finish, Finish::Refused(_));
        let pack =
            |Again { round, fault, matter }| Pack::new(&extractor, round, fault.filter(|_| !refused), matter);
        let packs = again.into_iter().map(pack).collect();
        records.push(Record::Packed(Packed { extractor: extractor.clone(), slice: None, packs }));
    }
    Ok(records)
}

/// The round in which what an answer left out is asked about; none when it had all its chances. What was cut off or
/// refused whole would be so again: it is asked about in smaller parts at once.
pub(super) fn next_round(heard: &Heard) -> Option<u8> {
    let things = heard.pack.matter.len();
    match (&heard.reply.finish, extract::next_round(heard.pack.round, things)) {
        (Finish::Refused(_), Some(1)) if things <= 1 => None,
        (Finish::Refused(_) | Finish::Length, Some(1)) if things > 1 => extract::next_round(1, things),
        (_, next) => next,
    }
}

/// What is to be asked next, after an answer.
pub(super) struct Again {
    /// How often it was asked about in vain.
    pub round: u8,
    /// What was wrong with the answer, if anything was.
    pub fault: Option<String>,
    /// What to ask about.
    pub matter: Matter,
}

/// What an answer came to, and what is to be asked next.
pub(super) type Outcome = (Understood, Vec<Again>);

/// Splits what an answer left out for its next round: whole, then in halves, then each for itself.
pub(super) fn split<T: Clone>(left: &[T], round: u8) -> Vec<Vec<T>> {
    let most = match round {
        0 | 1 => left.len(),
        extract::LAST_ROUND.. => 1,
        _ => left.len().div_ceil(2),
    };
    left.chunks(most.max(1)).map(<[T]>::to_vec).collect()
}

/// The reasons why an answer could not be used, once each, for the model to read.
pub(super) fn fault(missing: &[(usize, String)]) -> Option<String> {
    let reasons: std::collections::BTreeSet<&str> = missing.iter().map(|(_, why)| why.as_str()).collect();
    (!reasons.is_empty()).then(|| reasons.into_iter().collect::<Vec<_>>().join("; "))
}

/// Announces as many calls as the quota lets out now, or says when it will let out the next.
fn announce(
    state: &State,
    (asks, budget): (&Asks, &Budget),
    (running, now): (&Running, Timestamp),
    plan: &mut Plan,
) -> Result<()> {
    let owed = state.owed_packs(asks.callers(), CALLS)?;
    if owed.is_empty() {
        return Ok(());
    }
    let mut spent = spent(state)?;
    let mut ledgers = ledgers(state, asks, (running, now))?;
    for (number, pack) in owed.into_iter().enumerate() {
        let per_token = state.chars_per_token(asks.asker(&pack.matter))?.unwrap_or(UNSEEN_CHARS_PER_TOKEN);
        let (chars, tokens) = weigh(&prompt(state, asks, &pack)?, per_token);
        if !budget.allows(&spent, (1, tokens)) {
            break;
        }
        match quota::slot(&ledgers, tokens, now) {
            Slot::Now(endpoint) => {
                // A ticket of this turn's own; the next turn reads the real one from the rows.
                ledgers[endpoint].begin(Ticket(u64::MAX - number as u64), tokens, now);
                let asking = Asking { pack: pack.id, endpoint: endpoint as u32, tokens, chars };
                plan.settled.push(Record::Asking(asking));
                spent.calls += 1;
                spent.open_tokens += tokens;
            }
            Slot::At(time) => {
                plan.next_slot = Some(time);
                break;
            }
            Slot::Busy => break,
            Slot::Never(why) => {
                return Err(Error::new(
                    Kind::Halt,
                    format!("asking about {} things in one call: {why}", pack.matter.len()),
                )
                .hint("set a smaller `pack_chars`, or the true `tokens_per_minute`"));
            }
        }
    }
    Ok(())
}

/// What this run has taken, vectors among it, and what may come to it still from jobs of a batch engine.
pub(super) fn spent(state: &State) -> Result<Spent> {
    let (calls, tokens) = state.batched_calls()?;
    let opened = state.opened()?;
    let (spent, vectors) = (state.spent(opened)?, state.embedding_took(opened)?);
    Ok(Spent {
        calls: spent.calls + calls + vectors.calls,
        open_tokens: spent.open_tokens + tokens,
        embedding_tokens: vectors.tokens + vectors.open_tokens,
        ..spent
    })
}

/// Characters of a prompt, and the tokens that call and answer may take; settled by what the provider counts.
pub(super) fn weigh(prompt: &Prompt, per_token: f64) -> (u64, u64) {
    let text = prompt.text.chars().count();
    let chars = (prompt.system.chars().count() + text + prompt.schema.to_string().chars().count()) as u64;
    let answer =
        (text as f64 * extract::ANSWER_CHARS_PER_CHAR).min(f64::from(prompt.max_output_tokens) * per_token);
    (chars, ((chars as f64 + answer) / per_token).ceil() as u64)
}

fn ledgers(state: &State, asks: &Asks, (running, now): (&Running, Timestamp)) -> Result<Vec<Ledger>> {
    // A call leaves when it is begun, which is after its record is durable: seconds later, where a bucket is slow. What
    // is announced and not begun yet will be begun now.
    let open = state.open_calls()?;
    let leaves = |ticket: Ticket| {
        let pack = open.get(&ticket.0)?;
        let asked = |task: &Task| matches!(task, Task::Ask(question) if question.pack == *pack);
        Some(running.began(asked).unwrap_or(now))
    };
    let ledger = |(endpoint, allowance): (usize, &Allowance)| -> Result<Ledger> {
        let since = now.checked_sub(allowance.memory()).unwrap_or(Timestamp::MIN);
        let mut calls = state.calls_since(endpoint as u32, since)?;
        calls.iter_mut().for_each(|call| call.at = leaves(call.ticket).map_or(call.at, |at| at.max(call.at)));
        let mut ledger = Ledger::replayed(allowance.clone(), calls);
        ledger.advance(now);
        Ok(ledger)
    };
    asks.allowances.iter().enumerate().map(ledger).collect()
}
