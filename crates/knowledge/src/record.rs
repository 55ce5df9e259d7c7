//! Everything that can have happened. A record is durable in the journal before anybody acts on it; the state file is a
//! fold of these and nothing else. Fields are only ever added, with a default, so that an old journal stays readable.

use crate::audience::{Group, Layer};
use crate::chunk::Chunk;
use crate::document::Warning;
use crate::graph::{Change, Mention, Reading, Ruling};
use crate::id::{BatchKey, ChunkId, NodeId, PackId, PageId, PersonKey, QuestionId, SpaceKey, Version};
use crate::judge::{Finding, Question};
use crate::page::{Folder, PageRef, Person, RawPage, Space};
use crate::portrait::{Portrait, Sitting};
use crate::prompt::Reply;
use crate::summary::{Subject, Summary};
use crate::time::Timestamp;
use crate::vector::{Embedded, Embedding, NotEmbedded};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A page of a listing was read.
    Listed(Listed),
    /// A complete listing was compared with what is held: this is to be done, in this order.
    Worklist(Worklist),
    /// A page was read at one version.
    Fetched(Box<RawPage>),
    /// A page on the worklist is not in the wiki any more.
    Gone {
        /// The page.
        page: PageId,
    },
    /// Who may see a space or a page changed.
    AudienceChanged {
        /// The layers that changed, with their new rules.
        layers: Vec<Layer>,
    },
    /// Who belongs to which group was read again, and who may use the wiki at all. Its time is that of the entry.
    Principals(Principals),
    /// A page version was read, cut and interpreted.
    Cut(Cut),
    /// A task was refused for good: the line may pass it.
    Parked(Parked),
    /// These chunks will share these calls, whatever happens.
    Packed(Packed),
    /// A call is about to be sent: it counts against the quota from here on, whether or not it is heard of again.
    Asking(Asking),
    /// A model answered.
    Answered(Box<Answered>),
    /// All that came from a page is to be erased: it is retracted first, by the worklist beside this.
    Erasing(Erasing),
    /// All that came from a page is erased.
    Erased {
        /// The page.
        page: PageId,
    },
    /// Answers that stood in a segment which was passed while its writer was still closing it.
    Salvaged(Salvaged),
    /// A call was not answered; it may be sent again.
    Deferred(Deferred),
    /// A pack is not sent again as it is: its endpoint answers others, and not this one.
    Refused(Refused),
    /// What was refused is owed again.
    Retried(Retried),
    /// An answer was read: what each chunk says, and which chunks are still owed one.
    Understood(Understood),
    /// These packs are about to be sent to a provider's batch engine as one job.
    Submitting(Submitting),
    /// The engine has the job.
    Submitted {
        /// Our name for it.
        key: BatchKey,
        /// The engine's name for it.
        name: String,
    },
    /// The job is over. Its answers stand before this record.
    BatchEnded(BatchEnded),
    /// The next slice of the worklist is complete and will be resolved as it stands.
    Gathered(Gathered),
    /// The graph changes of an epoch. This record is the epoch's "done" mark as well.
    Resolved(Resolved),
    /// A user said which names are one and which are two.
    Ruled(Ruled),
    /// Texts are about to be sent to be turned into vectors, by somebody who is paid for it.
    Embedding(Embedding),
    /// They came back as vectors.
    Embedded(Box<Embedded>),
    /// They did not.
    NotEmbedded(NotEmbedded),
    /// All pages are read and resolved again from what is kept, into a new state.
    Reindexing {
        /// Counts re-indexings of this vault, from 1.
        generation: u32,
    },
    /// The new state is complete and replaces the old one.
    Reindexed {
        /// The generation that is complete.
        generation: u32,
    },
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Which sweep over the wiki: 1 is the first.
    pub sweep: u32,
    /// What the source calls the wiki; a vault holds one wiki for life.
    pub wiki: String,
    /// The pages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageRef>,
    /// People that the source knows by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Person>,
    /// Spaces that the source knows by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spaces: Vec<Space>,
    /// Layers of restrictions that the source knows by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// Places in the tree of pages that are no pages, that the source knows by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<Folder>,
    /// Groups that the rules name and who belongs to them, where the source can tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// What the source passed over, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Warning>,
    /// Part of the wiki could not be read: what is missing from this sweep may still be there, so nothing is retracted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Where to go on; none means that the sweep is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What has changed in who belongs to which group since that was last read: nothing, where it was read and found as it
/// was. A reader that could not tell writes no such record, and what is held grows old.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principals {
    /// Groups that are new or have other members than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Groups that nobody knows any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub disbanded: BTreeSet<String>,
    /// Users who may use the wiki from now on, besides the members of groups.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub joined: BTreeSet<PersonKey>,
    /// Users who may not any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub left: BTreeSet<PersonKey>,
}

/// What is to be done, in canonical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worklist {
    /// The sweep it comes from.
    pub sweep: u32,
    /// How many items an epoch takes.
    pub epoch_pages: u32,
    /// The items, ordered by space, then page.
    pub items: Vec<Item>,
}

/// One page to bring up to date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The page.
    pub page: PageId,
    /// The space it is in.
    pub space: SpaceKey,
    /// What is to be done with it.
    pub work: Work,
}

/// What is to be done with a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Fetch these versions, oldest first; the last is the current one.
    Fetch {
        /// The versions not held yet.
        versions: Vec<Version>,
        /// The source's own note of where the page is.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        locator: String,
        /// The fingerprint the listing showed.
        fingerprint: String,
    },
    /// Retract it: a complete sweep no longer shows it.
    Retract,
    /// Read and resolve it again from what is kept.
    Again,
}

/// A page version as chunks, with what rules read in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The page.
    pub page: PageId,
    /// Its version.
    pub version: Version,
    /// The version of the reader.
    pub reader: u32,
    /// The version of the chunker.
    pub chunker: u32,
    /// The version of the structural rules.
    pub structure: u32,
    /// The chunks in reading order.
    pub chunks: Vec<Piece>,
    /// What the reader had to guess.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// A chunk of a cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// A chunk that was not held before, with what rules read in it.
    New {
        /// The chunk.
        chunk: Chunk,
        /// What rules read in it.
        reading: Reading,
    },
    /// A chunk that an earlier cut by the same reader, chunker and rules has brought.
    Kept(ChunkId),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The page it concerns.
    pub page: PageId,
    /// The version that could not be had, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Why, in words for `status`.
    pub why: String,
}

/// What is owed an answer, sorted into packs: the chunks of a slice of the worklist, the questions of an epoch, long
/// entities, communities, or what an earlier answer left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Who will answer: what is asked, in which version, and the model. Debts and answers are kept under this name.
    pub extractor: String,
    /// The slice whose chunks these are; none for anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<Packing>,
    /// The packs.
    pub packs: Vec<Pack>,
}

/// Which items of a worklist were packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// The sweep whose worklist it slices.
    pub sweep: u32,
    /// First item.
    pub first: u32,
    /// One past the last item.
    pub end: u32,
}

/// What shares a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// Hash of the extractor, the round and the matter.
    pub id: PackId,
    /// How often this was asked about in vain.
    #[serde(default)]
    pub round: u8,
    /// What was wrong with the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What it is about, in the order it is shown.
    pub matter: Matter,
}

/// What a call is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// What these chunks say; in two steps, first of what they speak.
    Chunks(Vec<ChunkId>),
    /// The second of two steps: what these chunks say of the names that were found in them.
    Named(Vec<(ChunkId, Vec<Mention>)>),
    /// What the pairs in doubt of an epoch are to each other.
    Questions {
        /// The epoch that waits for them.
        epoch: u32,
        /// The questions.
        questions: Vec<Question>,
    },
    /// What is to be told of entities with many facts.
    Summaries(Vec<Subject>),
    /// What communities are to be called, and what is to be told of them.
    Portraits(Vec<Sitting>),
}

impl Matter {
    /// How many things it asks about.
    pub fn len(&self) -> usize {
        match self {
            Matter::Chunks(chunks) => chunks.len(),
            Matter::Named(chunks) => chunks.len(),
            Matter::Questions { questions, .. } => questions.len(),
            Matter::Summaries(subjects) => subjects.len(),
            Matter::Portraits(sittings) => sittings.len(),
        }
    }

    /// Whether it asks about nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chunks it asks about: none when it is about something else.
    pub fn chunks(&self) -> Vec<ChunkId> {
        match self {
            Matter::Chunks(chunks) => chunks.clone(),
            Matter::Named(chunks) => chunks.iter().map(|(chunk, _)| *chunk).collect(),
            Matter::Questions { .. } | Matter::Summaries(_) | Matter::Portraits(_) => Vec::new(),
        }
    }

    /// What tells it from any other.
    fn mark(&self) -> Vec<u8> {
        match self {
            Matter::Chunks(chunks) => chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect(),
            // Plain data with text as keys: writing it as JSON cannot fail.
            other => serde_json::to_vec(other).unwrap_or_default(),
        }
    }
}

impl Pack {
    /// A pack with its id.
    pub fn new(extractor: &str, round: u8, fault: Option<String>, matter: Matter) -> Self {
        let id = PackId::of(&[extractor.as_bytes(), &[round], &matter.mark()]);
        Self { id, round, fault, matter }
    }
}

/// A call that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// What it asks.
    pub pack: PackId,
    /// Which of the configured endpoints it goes to, from 0.
    pub endpoint: u32,
    /// Tokens it may take, as estimated.
    pub tokens: u64,
    /// Characters of the prompt: what estimates of tokens learn from.
    pub chars: u64,
}

/// An answer, as received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What was asked.
    pub pack: PackId,
    /// Where.
    pub endpoint: u32,
    /// When the request was sent.
    pub sent_at: Timestamp,
    /// The answer.
    pub reply: Reply,
}

/// What of a page is never to be read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasing {
    /// The page.
    pub page: PageId,
    /// The newest version that is held: only later ones are read again.
    pub version: Version,
    /// What the source said of that version: where sources know no versions, only what differs is read again.
    pub fingerprint: String,
}

/// Answers that a writer had received and could not append before another one took over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salvaged {
    /// The name of the object they stood in.
    pub from: String,
    /// Those that are still owed.
    pub answers: Vec<Answered>,
}

/// A call that was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// What was asked.
    pub pack: PackId,
    /// Where.
    pub endpoint: u32,
    /// When the request was sent.
    pub sent_at: Timestamp,
    /// How long the provider wants to be left alone, in milliseconds, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// The provider said that the quota is used up (429).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quota: bool,
    /// The provider said that it will never answer this. Whether that is about the pack or about everything that is
    /// sent there shows when others are answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never: bool,
    /// Why, in words.
    pub why: String,
}

/// A pack that is given up as it is. What it asked about goes into smaller ones, while there are any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What was asked.
    pub pack: PackId,
    /// Why, in words.
    pub why: String,
}

/// Refused chunks that get another chance. The pages they are on are on the worklist beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Under whose name they were refused.
    pub extractor: String,
}

/// A job that is about to be sent to a batch engine. Without a `BatchEnded` it may be there, whatever died since: it is
/// looked for by its key before it is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitting {
    /// Our name for it, which the engine carries.
    pub key: BatchKey,
    /// Under whose name its packs are owed.
    pub extractor: String,
    /// Which of the configured endpoints it goes to, from 0.
    pub endpoint: u32,
    /// What that endpoint is called: it is found again by this name, wherever the settings have it by then.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What it asks.
    pub packs: Vec<PackId>,
    /// Tokens it may take, as estimated.
    #[serde(default)]
    pub tokens: u64,
}

/// How a job of a batch engine ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchEnded {
    /// The job.
    pub key: BatchKey,
    /// What it asked and did not get answered: it is owed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<PackId>,
    /// How it ended, in words.
    pub why: String,
    /// Sending it again is of no use until a setting, a key or a bill is fixed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halts: bool,
}

/// What an answer came to. What it left out stands in the `Packed` beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Understood {
    /// Which answer.
    pub pack: PackId,
    /// What chunks say, as the model read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<(ChunkId, Reading)>,
    /// Chunks that had all their chances, and why they were refused; the line may pass them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<(ChunkId, String)>,
    /// What was found about pairs in doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<(QuestionId, Finding)>,
    /// Questions that had all their chances, and why; their pairs stay in doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<(QuestionId, String)>,
    /// What is told of entities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summaries: Vec<Summary>,
    /// What communities are called, and what is told of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub portraits: Vec<Portrait>,
    /// How often each reason stood against a part of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<String, u32>,
}

impl Understood {
    /// An answer of which nothing could be used.
    pub fn nothing(pack: PackId) -> Self {
        Self {
            pack,
            readings: Vec::new(),
            refused: Vec::new(),
            found: Vec::new(),
            given_up: Vec::new(),
            summaries: Vec::new(),
            portraits: Vec::new(),
            doubts: BTreeMap::new(),
        }
    }
}

/// A slice of the worklist that is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gathered {
    /// Counts epochs over the life of the vault, from 1.
    pub epoch: u32,
    /// The sweep whose worklist it slices.
    pub sweep: u32,
    /// First item of the slice.
    pub first: u32,
    /// One past the last item.
    pub end: u32,
    /// The version of the resolver that rendered the questions.
    pub resolver: u32,
    /// Whose readings count beside those of the rules: the model that was asked, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extractor: Option<String>,
    /// Names that mean nearly the same, by their vectors: worth a question, and no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<(NodeId, NodeId)>,
}

/// What an epoch changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The epoch.
    pub epoch: u32,
    /// The changes, in the order to apply them.
    pub changes: Vec<Change>,
    /// What nobody was asked about because of a cap, in words, with how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, u32>,
}

/// What a user said of names, with what it changes in the graph as it stood. It holds from here on, also of names that
/// are not there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruled {
    /// What he said; of each pair his last word counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rulings: Vec<Ruling>,
    /// Pairs of which he takes back what he said: rules and answers decide about them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<(NodeId, NodeId)>,
    /// The changes, in the order to apply them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}
