//! What is asked of a language model about pairs in doubt, and what of its answer is believed: are these two names one
//! thing, do these two facts say the same, can both be true at one time.
//!
//! This room must not know which pairs are in doubt (`resolve` does), who answers, or what follows from a finding.
//! Invariant: a finding belongs to the texts of a pair, the version of this room and the model, and to nothing else:
//! not to the prompt, its other questions, or the order of the two sides.

mod packs;
mod prompts;
mod understanding;

pub use packs::{PackSize, pack};
pub use prompts::prompt;
pub use understanding::{Understood, understand};

use crate::id::{ChunkId, FactId, NodeId, QuestionId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of what is asked. A newer one leaves questions that were answered answered, until asked again.
pub const ADJUDICATOR: u32 = 1;

/// What a model found about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Two names of one thing.
    Same,
    /// Two things.
    Different,
    /// Two facts that say the same.
    Duplicate,
    /// Two facts that cannot both be true at one time.
    Contradicts,
    /// Two facts that may both be true.
    Unrelated,
}

/// The pair a question is about, the smaller id first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pair {
    /// Are they one thing?
    Entities(NodeId, NodeId),
    /// Do they say the same, or contradict each other?
    Facts(FactId, FactId),
}

impl Pair {
    /// Whether a finding is an answer to a question about this pair.
    pub fn admits(&self, finding: Finding) -> bool {
        let of_entities = matches!(finding, Finding::Same | Finding::Different);
        of_entities == matches!(self, Pair::Entities(..))
    }
}

/// One side of a pair as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What the finding belongs to: a name with its place, or a statement; the same whoever says it.
    pub text: String,
    /// The kind of thing, for a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Words of a page in which it stands; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub quote: String,
    /// Since when it is true or said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The chunk the quote stands in, whose audience may see this side; none only when nothing says it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<ChunkId>,
}

/// A question about a pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Under which the finding is kept.
    pub id: QuestionId,
    /// The pair.
    pub pair: Pair,
    /// The side whose text is smaller.
    pub one: Side,
    /// The other side.
    pub other: Side,
    /// An earlier epoch asked this in vain.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

impl Question {
    /// A question to a model about two sides, in whatever order they come.
    pub fn new(model: &str, pair: Pair, sides: (Side, Side)) -> Self {
        let (one, other) = if sides.0.text <= sides.1.text { sides } else { (sides.1, sides.0) };
        let kind: &[u8] = match pair {
            Pair::Entities(..) => b"entities",
            Pair::Facts(..) => b"facts",
        };
        let parts =
            [kind, &ADJUDICATOR.to_le_bytes(), model.as_bytes(), one.text.as_bytes(), other.text.as_bytes()];
        Question { id: QuestionId::of(&parts), pair, one, other, again: false }
    }

    /// The chunks that its words come from, sorted: who may see all of them may see the question.
    pub fn chunks(&self) -> Vec<ChunkId> {
        let chunks: BTreeSet<ChunkId> = self.one.chunk.into_iter().chain(self.other.chunk).collect();
        chunks.into_iter().collect()
    }
}

/// What a model has found so far, as far as an epoch needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Who is asked; none when nobody is, and then nothing is in doubt either.
    pub model: Option<String>,
    /// The findings.
    pub found: BTreeMap<QuestionId, Finding>,
    /// Questions that were asked and will not be answered in this epoch.
    pub given_up: BTreeSet<QuestionId>,
}

impl Findings {
    /// Nobody is asked: rules alone decide.
    pub fn by_rules_alone() -> Self {
        Self::default()
    }

    /// A model is asked, and has found nothing so far.
    pub fn of(model: impl Into<String>) -> Self {
        Findings { model: Some(model.into()), ..Self::default() }
    }

    /// What was found about a question.
    pub fn get(&self, question: &Question) -> Option<Finding> {
        self.found.get(&question.id).copied().filter(|finding| question.pair.admits(*finding))
    }
}
