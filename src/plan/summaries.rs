//! Summaries of entities with many facts: owed once all that is known is in the graph. It must not know when a call may
//! go out. Invariant: a summary is asked for only when nothing else is owed, so that it is written once for all that a
//! run brought.

use super::asks::{Again, Asks, Outcome, fault, next_round, split};
use crate::error::Result;
use crate::state::State;
use crate::state::answers::Heard;
use knowledge::record::{Matter, Pack, Packed, Record, Understood};
use knowledge::summary::{self, Subject, Summary};

/// The summaries that are owed, sorted into calls; nothing while calls are owed that were sorted before.
pub(super) fn plan(state: &State, asks: &Asks) -> Result<Option<Record>> {
    if !state.owed_packs(asks.askers(), 1)?.is_empty() {
        return Ok(None);
    }
    let packs: Vec<Pack> = summary::pack(state.owed_summaries(asks.long_chars)?)
        .into_iter()
        .map(|subjects| Pack::new(&asks.summariser, 0, None, Matter::Summaries(subjects)))
        .collect();
    let packed = |packs| Record::Packed(Packed { extractor: asks.summariser.clone(), slice: None, packs });
    Ok((!packs.is_empty()).then(|| packed(packs)))
}

/// What an answer came to. Of what had all its chances nothing is told: the sentences of its facts have to do.
pub(super) fn understand(heard: &Heard, subjects: &[Subject]) -> Outcome {
    let understood = summary::understand(subjects, &heard.reply);
    let fault = fault(&understood.missing);
    let mut summaries = understood.summaries;
    let left = understood.missing.iter().map(|(at, _)| subjects[*at].clone());
    let mut again = Vec::new();
    match next_round(heard) {
        Some(round) => again.extend(split(&left.collect::<Vec<_>>(), round).into_iter().map(|left| Again {
            round,
            fault: fault.clone(),
            matter: Matter::Summaries(left),
        })),
        None => summaries.extend(left.map(|subject| Summary {
            entity: subject.entity,
            audience: subject.audience,
            text: String::new(),
            facts: subject.facts,
        })),
    }
    (Understood { summaries, ..Understood::nothing(heard.pack.id) }, again)
}
