//! What a language model reads in chunks of text: which chunks share a call, what is asked, and what of the answer is
//! believed. A page's text is data here and never an instruction; what a model writes is a witness and never a judge.
//!
//! This room must not know who answers, what an answer costs in money, or how claims become facts. Invariant: every
//! mention and every claim of a reading stands on words that are in its chunk, whatever the model wrote, and what is
//! wrong with one chunk never changes what is read of another.

mod answers;
mod checks;
mod dates;
mod estimates;
mod packs;
mod plain;
mod prompts;
mod steps;
mod understanding;
mod vocabulary;

pub use checks::Refusal;
pub use estimates::{ANSWER_CHARS_PER_CHAR, CHARS_PER_TOKEN, Estimate, estimate, estimate_two_steps};
pub use packs::{LAST_ROUND, Owed, PackSize, next_round, pack};
pub use prompts::{Shown, chunks_shown, prompt};
pub use steps::{Named, Names, prompt_entities, prompt_facts, understand_entities, understand_facts};
pub use understanding::{Understood, Wording, understand};
pub use vocabulary::{Attribute, BadVocabulary, EntityType, RelationType, Vocabulary};

use crate::chunk::Chunk;
use crate::id::{ChunkId, SpaceKey};
use crate::time::Timestamp;

/// The version of what is asked and what is believed. With the vocabulary's version and the model's name it is the key
/// under which a chunk is owed: a newer one leaves finished chunks finished, until asked to read again.
pub const EXTRACTOR: u32 = 1;

/// Who says what a chunk says.
#[derive(Clone, Copy, Debug)]
pub struct Witness<'a> {
    /// The model's name, as facts are kept under.
    pub model: &'a str,
    /// Whether it copies the words on which a fact stands. A recording that was made without them may leave a quote
    /// out: such a fact stands on its whole chunk, and its sentence is empty.
    pub quotes: bool,
}

impl<'a> Witness<'a> {
    /// A model that is asked for quotes.
    pub fn quoting(model: &'a str) -> Self {
        Self { model, quotes: true }
    }
}

/// A chunk as it is shown to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The chunk.
    pub chunk: ChunkId,
    /// The page title, then the headings down to the chunk.
    pub path: Vec<String>,
    /// Its text, people as `@{key}`.
    pub text: String,
    /// The space of its page.
    pub space: SpaceKey,
    /// The date of the first page version that says it, where known. Never the time of asking.
    pub reference: Option<Timestamp>,
}

impl Asked {
    /// A chunk with what dates it.
    pub fn of(chunk: &Chunk, space: &SpaceKey, reference: Option<Timestamp>) -> Asked {
        let (path, text) = (chunk.path.clone(), chunk.text.clone());
        Asked { chunk: chunk.id, path, text, space: space.clone(), reference }
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod samples;
