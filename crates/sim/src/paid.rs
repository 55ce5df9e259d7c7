//! What is paid for: what models and embedders were asked, what of it is under way, and what they have answered. It is
//! counted where the calls arrive; what a run says of itself counts only once it is durable.
//!
//! Invariant: something is answered once, and once more at most for every process that ended while the answer was on
//! its way.

use knowledge::id::{BatchKey, ChunkId, PackId, PortraitId, QuestionId, TextId};
use knowledge::record::{Matter, Record};
use std::collections::{BTreeMap, BTreeSet};

/// What a call is about: each of these is under way at most once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Pack(PackId),
    Chunk(ChunkId),
    Question(QuestionId),
    Summary(String),
    Portrait(PortraitId),
    Text(TextId),
}

/// A call that a process has sent, until its end is durable or the process ends.
#[derive(Clone, Debug)]
struct Open {
    things: Vec<Thing>,
    answered: bool,
}

/// What tells calls of one process apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    About(PackId),
    Vectors(u64),
}

/// All that was paid for in a life.
#[derive(Debug, Default)]
pub struct Paid {
    packs: BTreeMap<PackId, Matter>,
    /// Packs whose answer is durable.
    heard: BTreeSet<PackId>,
    /// Chunks that were read.
    read: BTreeSet<ChunkId>,
    /// Pairs in doubt of which something was found.
    found: BTreeSet<QuestionId>,
    /// Communities that were named, as they were shown.
    portrayed: BTreeSet<PortraitId>,
    /// Texts whose vectors are durable.
    embedded: BTreeSet<TextId>,
    open: BTreeMap<Call, Open>,
    /// What jobs of a batch engine hold: they outlive processes.
    held: BTreeMap<Thing, BatchKey>,
    /// How often packs and texts were answered, and how often a process ended while their answer was on its way.
    answered: BTreeMap<Thing, u32>,
    lost: BTreeMap<Thing, u32>,
    came_to: Asked,
}

/// What asking came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Calls that arrived at models.
    pub calls: usize,
    /// Pairs in doubt that were judged.
    pub judged: usize,
    /// Summaries that were written.
    pub told: usize,
    /// Communities that were named.
    pub named: usize,
    /// Requests in jobs of a batch engine.
    pub in_jobs: usize,
    /// Packs that were answered once more, since a process ended while the answer was on its way.
    pub packs_again: usize,
    /// Texts whose vectors were made once more.
    pub texts_again: usize,
}

impl std::ops::AddAssign for Asked {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.judged += other.judged;
        self.told += other.told;
        self.named += other.named;
        self.in_jobs += other.in_jobs;
        self.packs_again += other.packs_again;
        self.texts_again += other.texts_again;
    }
}

impl Paid {
    /// A pack is asked about, and will be answered or not: what must not be.
    pub fn asks(&mut self, pack: PackId, answered: bool) -> Vec<String> {
        let mut broken = self.must_be_new(pack);
        let things = self.things(pack);
        broken.extend(self.must_be_idle(&things));
        self.begins(Call::About(pack), vec![Thing::Pack(pack)], (things, answered), &mut broken);
        broken
    }

    /// Vectors of these texts are asked for.
    pub fn embeds(&mut self, call: u64, texts: &[(TextId, String)], answered: bool) -> Vec<String> {
        let mut broken = Vec::new();
        let again = texts.iter().filter(|(text, _)| self.embedded.contains(text)).count();
        if again > 0 {
            broken.push(format!("{again} vectors were asked for again although they are durable"));
        }
        let things: Vec<Thing> = texts.iter().map(|(text, _)| Thing::Text(*text)).collect();
        broken.extend(self.must_be_idle(&things));
        self.begins(Call::Vectors(call), things.clone(), (things, answered), &mut broken);
        broken
    }

    /// A job of a batch engine is sent.
    pub fn submits(&mut self, key: BatchKey, packs: &[PackId]) -> Vec<String> {
        let mut broken = Vec::new();
        for pack in packs {
            broken.extend(self.must_be_new(*pack));
            let things = self.things(*pack);
            broken.extend(self.must_be_idle(&things));
            self.held.extend(things.into_iter().map(|thing| (thing, key)));
        }
        broken
    }

    /// `counted` are the things of which each answer costs, `things` all that is under way with them.
    fn begins(
        &mut self,
        call: Call,
        counted: Vec<Thing>,
        (things, answered): (Vec<Thing>, bool),
        broken: &mut Vec<String>,
    ) {
        let most = |of: &BTreeMap<Thing, u32>, thing: &Thing| of.get(thing).copied().unwrap_or(0);
        for thing in &counted {
            let (before, lost) = (most(&self.answered, thing), most(&self.lost, thing));
            if before > lost {
                broken.push(format!(
                    "{thing:?} was answered {before} times, found on its way by {lost} ends, and asked again"
                ));
            }
            if answered {
                *self.answered.entry(thing.clone()).or_default() += 1;
                let again = usize::from(before > 0);
                match call {
                    Call::About(_) => self.came_to.packs_again += again,
                    Call::Vectors(_) => self.came_to.texts_again += again,
                }
            }
        }
        if self.open.insert(call, Open { things, answered }).is_some() {
            broken.push(format!("{call:?} was sent twice by one process"));
        }
    }

    /// What is under way when a pack is.
    fn things(&self, pack: PackId) -> Vec<Thing> {
        let mut things = vec![Thing::Pack(pack)];
        match self.packs.get(&pack) {
            Some(Matter::Questions { questions, .. }) => {
                things.extend(questions.iter().map(|question| Thing::Question(question.id)));
            }
            Some(Matter::Summaries(subjects)) => {
                let summary = |(entity, audience)| Thing::Summary(format!("{entity:?} {audience:?}"));
                things.extend(subjects.iter().map(|subject| summary((&subject.entity, &subject.audience))));
            }
            Some(Matter::Portraits(sittings)) => {
                things.extend(sittings.iter().map(|sitting| Thing::Portrait(sitting.key())));
            }
            Some(matter) => things.extend(matter.chunks().into_iter().map(Thing::Chunk)),
            None => {}
        }
        things
    }

    fn must_be_idle(&self, things: &[Thing]) -> Vec<String> {
        let busy = |thing: &&Thing| {
            self.held.contains_key(thing) || self.open.values().any(|open| open.things.contains(thing))
        };
        let twice = things.iter().filter(busy);
        twice.map(|thing| format!("{thing:?} was asked about while it was under way")).collect()
    }

    /// What was answered, or stands in a pack that was read, must not be asked about again.
    fn must_be_new(&self, pack: PackId) -> Vec<String> {
        let mut broken = Vec::new();
        if self.heard.contains(&pack) {
            broken.push(format!("pack {pack} was asked about again although its answer is durable"));
        }
        let known = match self.packs.get(&pack) {
            Some(Matter::Questions { questions, .. }) => {
                questions.iter().filter(|question| self.found.contains(&question.id)).count()
            }
            Some(Matter::Portraits(sittings)) => {
                sittings.iter().filter(|sitting| self.portrayed.contains(&sitting.key())).count()
            }
            Some(matter) => matter.chunks().iter().filter(|chunk| self.read.contains(chunk)).count(),
            None => {
                broken.push(format!("pack {pack} was asked about and is not in the journal"));
                0
            }
        };
        if known > 0 {
            broken.push(format!("pack {pack} asks {known} things that were answered before"));
        }
        broken
    }

    /// This is in the journal now.
    pub fn is_durable(&mut self, record: &Record) {
        match record {
            Record::Packed(packed) => {
                self.packs.extend(packed.packs.iter().map(|pack| (pack.id, pack.matter.clone())));
            }
            Record::Answered(answered) => {
                self.heard.insert(answered.pack);
                self.open.remove(&Call::About(answered.pack));
            }
            Record::Deferred(deferred) => drop(self.open.remove(&Call::About(deferred.pack))),
            Record::BatchEnded(ended) => self.held.retain(|_, key| *key != ended.key),
            Record::Understood(understood) => {
                self.read.extend(understood.readings.iter().map(|(chunk, _)| *chunk));
                self.came_to.told += understood.summaries.len();
                self.portrayed.extend(understood.portraits.iter().map(|portrait| portrait.key));
                self.found.extend(understood.found.iter().map(|(question, _)| *question));
            }
            Record::Embedded(embedded) => {
                self.embedded.extend(&embedded.texts);
                self.open.remove(&Call::Vectors(embedded.call));
            }
            Record::NotEmbedded(failed) => drop(self.open.remove(&Call::Vectors(failed.call))),
            _ => {}
        }
    }

    /// The process is gone: what was on its way to it is lost.
    pub fn process_ends(&mut self) {
        for open in std::mem::take(&mut self.open).into_values().filter(|open| open.answered) {
            for thing in open.things {
                *self.lost.entry(thing).or_default() += 1;
            }
        }
    }

    /// Calls that nobody has heard of.
    pub fn under_way(&self) -> usize {
        self.open.len()
    }

    /// What asking came to, as far as it is known here.
    pub fn came_to(&self) -> Asked {
        Asked { judged: self.found.len(), named: self.portrayed.len(), ..self.came_to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::record::{Pack, Packed};

    fn packed(paid: &mut Paid) -> PackId {
        let matter = Matter::Chunks(vec![ChunkId::of(&[b"one"])]);
        let pack = Pack::new("it", 0, None, matter);
        let id = pack.id;
        paid.is_durable(&Record::Packed(Packed {
            extractor: "it".to_owned(),
            slice: None,
            packs: vec![pack],
        }));
        id
    }

    #[test]
    fn what_is_under_way_must_not_be_asked_about_again() {
        let mut paid = Paid::default();
        let pack = packed(&mut paid);
        assert!(paid.asks(pack, true).is_empty());
        assert!(!paid.asks(pack, true).is_empty());
    }

    #[test]
    fn an_answer_that_a_kill_took_may_be_given_once_more_and_not_twice() {
        let mut paid = Paid::default();
        let pack = packed(&mut paid);
        assert!(paid.asks(pack, true).is_empty());
        paid.process_ends();
        assert!(paid.asks(pack, true).is_empty());
        assert_eq!(paid.came_to().packs_again, 1);
        // Forgotten by the run although its process lived on.
        paid.open.clear();
        assert!(!paid.asks(pack, true).is_empty());
    }

    #[test]
    fn what_a_job_holds_is_under_way_through_every_death() {
        let mut paid = Paid::default();
        let pack = packed(&mut paid);
        assert!(paid.submits(BatchKey::of(&[b"job"]), &[pack]).is_empty());
        paid.process_ends();
        assert!(!paid.asks(pack, true).is_empty());
    }
}
