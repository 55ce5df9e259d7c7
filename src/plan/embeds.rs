//! Which texts are to be turned into vectors now, by somebody who is paid for it: behind everything else, when the
//! graph is as complete as it can be. Decided from rows, settings and the time that is handed in.
//!
//! Invariant: a call is announced in the journal before it is sent, and a text that has a vector of the model, or was
//! refused by it, is in no call.

use super::{Budget, Limits, Plan, Until, asks};
use crate::embedders::Share;
use crate::error::{Error, Kind, Result};
use crate::job::Running;
use crate::state::State;
use crate::state::vectors::Text;
use crate::world::{Task, Texts};
use knowledge::quota::{self, Allowance, Ledger, Slot, State as Standing, Ticket};
use knowledge::record::Record;
use knowledge::time::Timestamp;
use knowledge::vector::Embedding;

/// How texts are turned into vectors. Plain data.
#[derive(Clone, Debug)]
pub struct Embeds {
    /// The name under which vectors are kept.
    pub model: String,
    /// How much a call may hold.
    pub share: Share,
    /// What the endpoint allows.
    pub allowance: Allowance,
}

/// Calls announced in one turn.
const CALLS: usize = 64;
/// Calls that may fail in a row before a run gives up: with the pauses between them some five minutes. Words find
/// everything meanwhile, so nobody is kept waiting for an endpoint that is down.
const FAULTS: u64 = 10;
/// Bytes for a token, for reservations, which the vendor's own count settles: German and code are near it, English has
/// four.
const BYTES_A_TOKEN: usize = 3;

/// Notes which texts of the graph are owed a vector. Asked again, it says that there is nothing new.
pub fn note(state: &State, limits: &Limits) -> Result<bool> {
    let Some(embeds) = &limits.embeds else { return Ok(false) };
    if limits.until < Until::Indexed || limits.interrupt.is_raised() {
        return Ok(false);
    }
    Ok(state.note_texts(&embeds.model)? > 0)
}

/// Calls to make, and calls to announce.
pub(super) fn plan(state: &State, running: &Running, limits: &Limits, now: Timestamp) -> Result<Plan> {
    let mut plan = Plan::default();
    let Some(embeds) = limits.embeds.as_ref().filter(|_| limits.until >= Until::Indexed) else {
        return Ok(plan);
    };
    // Debts to a model that was set before are none to this one; they are noted anew when the rest is done.
    if state.meta("embedding_model")?.as_ref() != Some(&embeds.model) {
        return Ok(plan);
    }
    let held = state.dimensions(&embeds.model)?;
    for calling in state.embedding_calls()? {
        if !running.any(|task| matches!(task, Task::Embed(texts) if texts.call == calling.call)) {
            let texts = state.texts_of_call(calling.call)?;
            let task = Texts { call: calling.call, endpoint: calling.endpoint, texts, held };
            plan.tasks.push(Task::Embed(Box::new(task)));
        }
    }
    announce(state, (embeds, &limits.budget), (running, now), &mut plan)?;
    Ok(plan)
}

fn announce(
    state: &State,
    (embeds, budget): (&Embeds, &Budget),
    (running, now): (&Running, Timestamp),
    plan: &mut Plan,
) -> Result<()> {
    let mut spent = asks::spent(state)?;
    let mut after = 0;
    let mut ledger = None;
    for number in 0..CALLS {
        let mut texts = state.owed_vectors(after, embeds.share.texts)?;
        share(&mut texts, embeds.share);
        let Some(last) = texts.last() else { break };
        after = last.row;
        let ledger = match &mut ledger {
            Some(ledger) => ledger,
            none => none.insert(begin(state, embeds, (running, now))?),
        };
        let tokens = texts.iter().map(|text| text.text.len().div_ceil(BYTES_A_TOKEN) as u64).sum();
        if !budget.allows_vectors(&spent, tokens) {
            break;
        }
        match quota::slot(std::slice::from_ref(ledger), tokens, now) {
            Slot::Now(_) => {
                // A ticket of this turn's own; the next turn reads the real one from the rows.
                ledger.begin(Ticket(u64::MAX - number as u64), tokens, now);
                spent.calls += 1;
                spent.embedding_tokens += tokens;
                let texts = texts.iter().map(|text| text.id).collect();
                let model = embeds.model.clone();
                plan.settled.push(Record::Embedding(Embedding { model, endpoint: 0, tokens, texts }));
            }
            Slot::At(time) => {
                plan.next_slot = Some(time);
                break;
            }
            Slot::Busy => break,
            Slot::Never(why) => {
                let text = format!("asking for {} vectors: {why}", texts.len());
                return Err(Error::new(Kind::Halt, text).hint("set the true `embedding_tokens_per_minute`"));
            }
        }
    }
    Ok(())
}

/// The ledger of the endpoint, unless it has failed for too long.
fn begin(state: &State, embeds: &Embeds, (running, now): (&Running, Timestamp)) -> Result<Ledger> {
    let (faults, why) = state.embedding_faults()?;
    if faults >= FAULTS {
        let text = format!("asking for vectors: {faults} calls in a row failed, the last one {why}");
        return Err(Error::new(Kind::Later, text).hint(
            "the graph is kept and words find it; the same command goes on with the vectors that are owed",
        ));
    }
    let since = now.checked_sub(embeds.allowance.memory()).unwrap_or(Timestamp::MIN);
    let mut calls = state.embedding_calls_since(since)?;
    for call in calls.iter_mut().filter(|call| call.state == Standing::InFlight) {
        // It leaves when it is begun, not when it is announced.
        let asked = |task: &Task| matches!(task, Task::Embed(texts) if texts.call == call.ticket.0);
        call.at = running.began(asked).unwrap_or(now).max(call.at);
    }
    let mut ledger = Ledger::replayed(embeds.allowance.clone(), calls);
    ledger.advance(now);
    Ok(ledger)
}

/// Keeps the first texts, as many as may share a call.
fn share(texts: &mut Vec<Text>, share: Share) {
    let (mut most, mut bytes) = (share.texts, 0);
    let fits = texts.iter().enumerate().take_while(|(number, text)| {
        most = most.min(text.most.unwrap_or(usize::MAX)).max(1);
        bytes += text.text.len();
        *number == 0 || *number < most && bytes <= share.bytes
    });
    let count = fits.count();
    texts.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::id::TextId;

    fn texts(lengths: &[(usize, Option<usize>)]) -> Vec<Text> {
        let text = |(row, (length, most)): (usize, &(usize, Option<usize>))| {
            let text = "x".repeat(*length);
            Text { row: row as i64, id: TextId::of(&[text.as_bytes()]), text, most: *most }
        };
        lengths.iter().enumerate().map(text).collect()
    }

    fn shared(lengths: &[(usize, Option<usize>)]) -> usize {
        let mut texts = texts(lengths);
        share(&mut texts, Share { texts: 4, bytes: 100 });
        texts.len()
    }

    #[test]
    fn a_call_holds_no_more_than_may_share_it_and_never_nothing() {
        assert_eq!(shared(&[]), 0);
        assert_eq!(shared(&[(1, None); 6]), 4);
        assert_eq!(shared(&[(40, None); 6]), 2);
        assert_eq!(shared(&[(500, None); 2]), 1);
        assert_eq!(shared(&[(1, Some(2)); 4]), 2);
        assert_eq!(shared(&[(1, None), (1, Some(1)), (1, None)]), 1);
        assert_eq!(shared(&[(1, Some(0)), (1, None)]), 1);
    }
}
