//! What is asked about chunks, and what their answers came to: one step, or names first and then facts between them.
//! It must not know when a call may go out. Invariant: a chunk that was packed is answered, asked about again, or
//! refused; none is lost.

use super::asks::{self, Again, Asks, Outcome};
use crate::error::Result;
use crate::state::State;
use crate::state::answers::Heard;
use crate::state::owed::Slice;
use knowledge::extract::{self, Asked, Named, Owed};
use knowledge::graph::{Mention, Reading};
use knowledge::id::ChunkId;
use knowledge::prompt::Prompt;
use knowledge::record::{Matter, Pack, Packed, Packing, Record, Understood};
use std::collections::BTreeMap;

/// The owed chunks of a slice, sorted into packs; nothing when they were sorted before.
pub(super) fn pack(state: &State, asks: &Asks, slice: Slice) -> Result<Option<Record>> {
    if state.is_packed(slice, &asks.reads.extractor)? {
        return Ok(None);
    }
    let owed = state.owed_answers(slice, &asks.reads)?;
    let packs = extract::pack(&owed, asks.size).into_iter();
    let packs =
        packs.map(|chunks| Pack::new(&asks.reads.extractor, 0, None, Matter::Chunks(chunks))).collect();
    let slice = Some(Packing { sweep: slice.sweep, first: slice.first, end: slice.end });
    Ok(Some(Record::Packed(Packed { extractor: asks.reads.extractor.clone(), slice, packs })))
}

/// The prompt about chunks: the only one, or the first of two.
pub(super) fn prompt(asked: &[Asked], asks: &Asks, fault: Option<&str>) -> Prompt {
    match asks.two_steps {
        true => extract::prompt_entities(asked, &asks.vocabulary, fault),
        false => extract::prompt(asked, &asks.vocabulary, fault),
    }
}

/// Chunks with the names that the first step found.
pub(super) fn named(state: &State, named: &[(ChunkId, Vec<Mention>)]) -> Result<Vec<Named>> {
    let chunks: Vec<ChunkId> = named.iter().map(|(chunk, _)| *chunk).collect();
    let known: BTreeMap<ChunkId, &Vec<Mention>> =
        named.iter().map(|(chunk, names)| (*chunk, names)).collect();
    let asked = state.asked(&chunks)?.into_iter();
    let with_names = |asked: Asked| {
        let mentions = known.get(&asked.chunk).map(|names| names.to_vec()).unwrap_or_default();
        Named { asked, mentions }
    };
    Ok(asked.map(with_names).collect())
}

/// What an answer about chunks came to.
pub(super) fn understand(
    state: &State,
    asks: &Asks,
    (heard, chunks): (&Heard, &[ChunkId]),
) -> Result<Outcome> {
    let asked = state.asked(chunks)?;
    if asks.two_steps {
        let (outcome, again) = understand_names(&asked, asks, heard);
        return Ok((with_equals(state, asks, outcome)?, again));
    }
    let understood = extract::understand(&asked, &asks.vocabulary, asks.witness(), &heard.reply);
    let fault = understood.fault();
    let (outcome, left) = settle(understood, heard);
    let again = regroup(&asked, &left, (asks, heard)).into_iter();
    let again =
        again.map(|(round, chunks)| Again { round, fault: fault.clone(), matter: Matter::Chunks(chunks) });
    Ok((with_equals(state, asks, outcome)?, again.collect()))
}

/// Adds the chunks that say the same in the same words and were not asked about for themselves.
fn with_equals(state: &State, asks: &Asks, mut understood: Understood) -> Result<Understood> {
    for (chunk, reading) in understood.readings.clone() {
        let equals = state.answered_with(chunk, &asks.reads.extractor)?;
        understood.readings.extend(equals.into_iter().map(|equal| (equal, reading.clone())));
    }
    for (chunk, why) in understood.refused.clone() {
        let equals = state.answered_with(chunk, &asks.reads.extractor)?;
        understood.refused.extend(equals.into_iter().map(|equal| (equal, why.clone())));
    }
    Ok(understood)
}

/// What the second of two answers came to. A chunk whose facts nobody could tell keeps its names.
pub(super) fn understand_named(
    state: &State,
    asks: &Asks,
    (heard, names): (&Heard, &[(ChunkId, Vec<Mention>)]),
) -> Result<Outcome> {
    let named = named(state, names)?;
    let mut understood = extract::understand_facts(&named, &asks.vocabulary, asks.witness(), &heard.reply);
    let fault = understood.fault();
    for named in &named {
        let reading = Reading { mentions: named.mentions.clone(), ..Reading::default() };
        if !understood.partial.iter().any(|(chunk, _)| *chunk == named.asked.chunk) {
            understood.partial.push((named.asked.chunk, reading));
        }
    }
    let (outcome, left) = settle(understood, heard);
    let asked: Vec<Asked> = named.into_iter().map(|named| named.asked).collect();
    let with_names = |chunk: &ChunkId| names.iter().find(|(named, _)| named == chunk).cloned();
    let again = regroup(&asked, &left, (asks, heard)).into_iter().map(|(round, chunks)| {
        let matter = Matter::Named(chunks.iter().filter_map(with_names).collect());
        Again { round, fault: fault.clone(), matter }
    });
    Ok((with_equals(state, asks, outcome)?, again.collect()))
}

/// What the first of two answers came to: chunks with two names or more are asked about facts.
fn understand_names(asked: &[Asked], asks: &Asks, heard: &Heard) -> Outcome {
    let names = extract::understand_entities(asked, &asks.vocabulary, &heard.reply);
    let mut doubts = BTreeMap::new();
    for (_, refusal) in &names.refused {
        *doubts.entry(refusal.why().to_owned()).or_default() += 1;
    }
    let mut understood = extract::Understood { missing: names.missing, ..extract::Understood::default() };
    let mut linked = Vec::new();
    for (chunk, mentions) in names.named {
        match mentions.len() {
            0 | 1 => understood.readings.push((chunk, Reading { mentions, ..Reading::default() })),
            _ => linked.push((chunk, mentions)),
        }
    }
    let fault = understood.fault();
    let (mut outcome, left) = settle(understood, heard);
    outcome.doubts = doubts;
    let again = regroup(asked, &left, (asks, heard)).into_iter();
    let again =
        again.map(|(round, chunks)| Again { round, fault: fault.clone(), matter: Matter::Chunks(chunks) });
    let facts =
        (!linked.is_empty()).then_some(Again { round: 0, fault: None, matter: Matter::Named(linked) });
    (outcome, again.chain(facts).collect())
}

/// The record of an answer, and the chunks that are to be asked about again. Where nobody will be asked again, what was
/// believed of a chunk is worth keeping; a chunk of which nothing was is refused. What is in order and not believed is
/// asked about once more and not in smaller packs.
fn settle(understood: extract::Understood, heard: &Heard) -> (Understood, Vec<ChunkId>) {
    let doubts =
        understood.refusals().into_iter().map(|(why, count)| (why.to_owned(), count as u32)).collect();
    let mut readings = understood.readings;
    let (mut left, mut refused) = (Vec::new(), Vec::new());
    let next = asks::next_round(heard);
    let mut partial: BTreeMap<_, _> = understood.partial.into_iter().collect();
    for (chunk, why) in understood.missing {
        let once_more = heard.pack.round == 0 || !understood.unbelieved.contains(&chunk);
        match partial.remove(&chunk) {
            _ if next.is_some() && once_more => left.push(chunk),
            Some(reading) => readings.push((chunk, reading)),
            None => refused.push((chunk, why)),
        }
    }
    let nothing = Understood::nothing(heard.pack.id);
    (Understood { readings, refused, doubts, ..nothing }, left)
}

/// Sorts chunks that an answer left out into packs of the next round. They shared a pack, so they share an audience.
fn regroup(asked: &[Asked], left: &[ChunkId], (asks, heard): (&Asks, &Heard)) -> Vec<(u8, Vec<ChunkId>)> {
    let Some(round) = asks::next_round(heard) else { return Vec::new() };
    let owed: Vec<Owed> = asked
        .iter()
        .filter(|asked| left.contains(&asked.chunk))
        .map(|asked| Owed {
            chunk: asked.chunk,
            chars: asked.text.chars().count(),
            audience: Vec::new(),
            round,
        })
        .collect();
    extract::pack(&owed, asks.size).into_iter().map(|chunks| (round, chunks)).collect()
}
