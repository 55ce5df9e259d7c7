//! The pairs in doubt of an epoch: asked about in shared calls before it is resolved. It must not know which pairs are
//! in doubt (`knowledge::resolve` does) nor when a call may go out. Invariant: a question that has an answer, or that
//! nobody would answer, is not asked again.

use super::asks::{Again, Asks, Outcome, fault, next_round, split};
use crate::error::Result;
use crate::state::State;
use crate::state::answers::Heard;
use knowledge::audience::LayerId;
use knowledge::judge::{self, Findings, PackSize, Question};
use knowledge::record::{Gathered, Matter, Pack, Packed, Record, Resolved, Understood};
use knowledge::resolve::{self, Weighed};
use std::collections::BTreeMap;

/// The next step of an open epoch: its questions, or what it changes; nothing while answers are waited for.
pub(super) fn settle(state: &State, asks: Option<&Asks>, epoch: &Gathered) -> Result<Option<Record>> {
    if let Some(asks) = asks
        && state.is_in_doubt(epoch.epoch, &asks.adjudicator)?
    {
        return Ok(None);
    }
    let weighed = weigh(state, asks, epoch)?;
    let Some(asks) = asks.filter(|_| !weighed.round.questions.is_empty()) else {
        let (changes, left_out) = (weighed.changes, weighed.round.left_out());
        return Ok(Some(Record::Resolved(Resolved { epoch: epoch.epoch, changes, left_out })));
    };
    let packs = pack(state, weighed.round.questions)?.into_iter();
    let matter = |questions| Matter::Questions { epoch: epoch.epoch, questions };
    let packs = packs.map(|questions| Pack::new(&asks.adjudicator, 0, None, matter(questions))).collect();
    Ok(Some(Record::Packed(Packed { extractor: asks.adjudicator.clone(), slice: None, packs })))
}

/// Weighs the epoch with all that was found so far, for it or before. Each finding may raise other questions, and each
/// question is looked up once, so this ends.
fn weigh(state: &State, asks: Option<&Asks>, epoch: &Gathered) -> Result<Weighed> {
    let said = state.said(epoch)?;
    let Some(asks) = asks else { return resolve::weigh(&said, state, &Findings::by_rules_alone()) };
    let mut findings = Findings::of(asks.model.clone());
    let note = |findings: &mut Findings, question, finding| match finding {
        Some(finding) => drop(findings.found.insert(question, finding)),
        None => drop(findings.given_up.insert(question)),
    };
    for (question, finding) in state.findings(epoch.epoch)? {
        note(&mut findings, question, finding);
    }
    loop {
        let weighed = resolve::weigh(&said, state, &findings)?;
        let mut known = false;
        for question in &weighed.round.questions {
            if let Some(finding) = state.finding(question.id)? {
                note(&mut findings, question.id, finding);
                known = true;
            }
        }
        if !known {
            return Ok(weighed);
        }
    }
}

/// Questions that share a call may be seen by the same people.
fn pack(state: &State, questions: Vec<Question>) -> Result<Vec<Vec<Question>>> {
    let mut audiences: BTreeMap<_, Vec<LayerId>> = BTreeMap::new();
    for question in &questions {
        audiences.insert(question.id, state.layers_before(&question.chunks())?);
    }
    let packs = judge::pack(&questions, |question| audiences.get(&question.id), PackSize::default());
    Ok(packs.into_iter().map(|pack| pack.into_iter().map(|at| questions[at].clone()).collect()).collect())
}

/// What an answer about pairs in doubt came to.
pub(super) fn understand(heard: &Heard, epoch: u32, questions: &[Question]) -> Outcome {
    let understood = judge::understand(questions, &heard.reply);
    let fault = fault(&understood.missing);
    let found = understood.found.into_iter().collect();
    let nothing = Understood::nothing(heard.pack.id);
    let Some(round) = next_round(heard) else {
        let given_up = understood.missing.into_iter().map(|(at, why)| (questions[at].id, why)).collect();
        return (Understood { found, given_up, ..nothing }, Vec::new());
    };
    let left: Vec<Question> = understood.missing.iter().map(|(at, _)| questions[*at].clone()).collect();
    let again = split(&left, round).into_iter().map(|questions| {
        let matter = Matter::Questions { epoch, questions };
        Again { round, fault: fault.clone(), matter }
    });
    (Understood { found, ..nothing }, again.collect())
}
