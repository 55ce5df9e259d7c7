//! What is to be told of an entity of which much is known: what a model is asked, and what of its answer is kept. Of
//! most entities the sentences of their facts are the summary; a model writes one only when these grow long.
//!
//! This room must not know who answers, nor how facts are held. Invariant: a summary is written from the facts of one
//! audience, and names the facts it was written from, so that it goes when one of them goes.

mod prompts;
mod understanding;

pub use prompts::prompt;
pub use understanding::{Understood, understand};
pub(crate) use understanding::{cut, one_line};

use crate::audience::LayerId;
use crate::id::{EntityId, FactId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of what is asked.
pub const SUMMARISER: u32 = 1;

/// Characters of sentences that nobody has summarised, from which on a model is asked. A reader takes 2,000 in at a
/// glance (half a page); below that a model would only say the same again.
pub const LONG_CHARS: usize = 2_000;
/// Most characters of sentences about one entity in a call; the rest is told in the next, on top of that summary.
pub const SUBJECT_CHARS: usize = 6_000;
/// Most characters of a summary.
pub const SUMMARY_CHARS: usize = 1_000;
/// Most characters of a call: twice those of a pack of chunks, since a summary is shorter than what is read in chunks.
const PACK_CHARS: usize = 32_000;
/// Most entities of a call.
const PACK_SUBJECTS: usize = 20;

/// An entity that a summary is to be written of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The entity.
    pub entity: EntityId,
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub kind: String,
    /// Who may see the facts: the layers before all of them, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<LayerId>,
    /// The summary so far, where all that it was written from still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The sentences that are new, oldest first.
    pub sentences: Vec<String>,
    /// The facts that the summary will stand on, sorted: those of the sentences, and of the summary so far.
    pub facts: Vec<FactId>,
}

impl Subject {
    fn chars(&self) -> usize {
        let sentences: usize = self.sentences.iter().map(String::len).sum();
        self.name.len() + self.before.as_ref().map_or(0, String::len) + sentences
    }
}

/// What is told of an entity to those who may see the facts it is written from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The entity.
    pub entity: EntityId,
    /// Who may see it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<LayerId>,
    /// The text.
    pub text: String,
    /// What it was written from, sorted.
    pub facts: Vec<FactId>,
}

/// Sorts subjects into calls: none mixes audiences, each is filled in order.
pub fn pack(subjects: Vec<Subject>) -> Vec<Vec<Subject>> {
    packed(subjects, PACK_SUBJECTS, |subject| (subject.audience.clone(), subject.chars()))
}

/// Sorts what is told of things into calls: none mixes audiences or holds more than `most`, each is filled in order.
/// `about` tells the audience of a thing and how long it is.
pub(crate) fn packed<T>(
    things: Vec<T>,
    most: usize,
    about: impl Fn(&T) -> (Vec<LayerId>, usize),
) -> Vec<Vec<T>> {
    let mut packs: Vec<(Vec<T>, usize)> = Vec::new();
    let mut open: BTreeMap<Vec<LayerId>, usize> = BTreeMap::new();
    for thing in things {
        let (audience, chars) = about(&thing);
        let fits = |at: &&usize| {
            let (pack, used) = &packs[**at];
            pack.len() < most && used + chars <= PACK_CHARS
        };
        let at = match open.get(&audience).filter(fits) {
            Some(at) => *at,
            None => {
                packs.push((Vec::new(), 0));
                packs.len() - 1
            }
        };
        open.insert(audience, at);
        packs[at].0.push(thing);
        packs[at].1 += chars;
    }
    packs.into_iter().map(|(pack, _)| pack).collect()
}

/// The sentences to tell next, of those that nobody has told yet, in the order they are given: as many as one call
/// takes, at least one.
pub fn next_sentences(untold: Vec<(String, Vec<FactId>)>) -> (Vec<String>, Vec<FactId>) {
    let (mut sentences, mut facts, mut chars) = (Vec::new(), Vec::new(), 0);
    for (sentence, of) in untold {
        chars += sentence.len();
        if chars > SUBJECT_CHARS && !sentences.is_empty() {
            break;
        }
        sentences.push(sentence);
        facts.extend(of);
    }
    facts.sort_unstable();
    facts.dedup();
    (sentences, facts)
}
