//! Names and summaries of communities: owed once all that is known is in the graph and its entities are summarised.
//! It must not know when a call may go out. Invariant: a community is asked about only when nothing else is owed, so
//! that it is as it will be told; and one that did not change is not asked about again.

use super::asks::{Again, Asks, Outcome, fault, next_round, split};
use crate::error::Result;
use crate::state::State;
use crate::state::answers::Heard;
use knowledge::portrait::{self, Sitting};
use knowledge::record::{Matter, Pack, Packed, Record, Understood};

/// The portraits that are owed, sorted into calls; nothing while calls are owed that were sorted before.
pub(super) fn plan(state: &State, asks: &Asks) -> Result<Option<Record>> {
    if asks.portraits == 0 || !state.owed_packs(asks.askers(), 1)?.is_empty() {
        return Ok(None);
    }
    let packs: Vec<Pack> = portrait::pack(state.owed_portraits(asks.portraits)?)
        .into_iter()
        .map(|sittings| Pack::new(&asks.summariser, 0, None, Matter::Portraits(sittings)))
        .collect();
    let packed = |packs| Record::Packed(Packed { extractor: asks.summariser.clone(), slice: None, packs });
    Ok((!packs.is_empty()).then(|| packed(packs)))
}

/// What an answer came to. What had all its chances is kept without a name: its members have to do.
pub(super) fn understand(heard: &Heard, sittings: &[Sitting]) -> Outcome {
    let understood = portrait::understand(sittings, &heard.reply);
    let fault = fault(&understood.missing);
    let mut portraits = understood.portraits;
    let left: Vec<Sitting> = understood.missing.iter().map(|(at, _)| sittings[*at].clone()).collect();
    let mut again = Vec::new();
    match next_round(heard) {
        Some(round) => again.extend(split(&left, round).into_iter().map(|left| Again {
            round,
            fault: fault.clone(),
            matter: Matter::Portraits(left),
        })),
        None => portraits.extend(left.iter().map(|sitting| sitting.portrait(String::new(), String::new()))),
    }
    (Understood { portraits, ..Understood::nothing(heard.pack.id) }, again)
}
