//! What the graph holds, and how it may change. `Mention` and `Claim` are what a text says; `Node`, `Entity` and `Fact`
//! are what is held. Everything held stands on supports, and every time shown is computed from the supports the viewer
//! may see. This module must not know how a change was decided.

use crate::id::{ChunkId, EntityId, FactId, NodeId, PageId, PersonKey, SpaceKey, Version};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What kind of thing a name stands for, such as `Person` or `Service`. Open, so that users can add their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A page of the wiki.
    pub const PAGE: Kind = Kind(Cow::Borrowed("Page"));
    /// A space of the wiki.
    pub const SPACE: Kind = Kind(Cow::Borrowed("Space"));
    /// A person.
    pub const PERSON: Kind = Kind(Cow::Borrowed("Person"));
    /// A label.
    pub const LABEL: Kind = Kind(Cow::Borrowed("Label"));
    /// An issue of a tracker.
    pub const ISSUE: Kind = Kind(Cow::Borrowed("Issue"));
    /// A file.
    pub const FILE: Kind = Kind(Cow::Borrowed("File"));
    /// A named technical thing: a service, a class, a topic, a command, a setting.
    pub const COMPONENT: Kind = Kind(Cow::Borrowed("Component"));
    /// Anything else that has a name.
    pub const THING: Kind = Kind(Cow::Borrowed("Thing"));

    /// A kind by name.
    pub fn new(name: impl Into<String>) -> Self {
        Kind(Cow::Owned(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An identity that holds whatever the name: two nodes with different keys of one sort are never one entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A page by id.
    Page(PageId),
    /// A page as links name it: by space and title. Joined to the page's own node by the page's card.
    Title(SpaceKey, String),
    /// A person by account.
    Person(PersonKey),
    /// A space by key.
    Space(SpaceKey),
    /// A label.
    Label(String),
    /// An issue by tracker key, such as `OPS-42`.
    Issue(String),
    /// An attached file by page and name.
    File(PageId, String),
}

/// Something a text speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mention {
    /// The name as it is written.
    pub name: String,
    /// What kind of thing.
    pub kind: Kind,
    /// A certain identity, where the markup gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
}

/// The other end of a claim or a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object<M> {
    /// Something that has a name.
    Named(M),
    /// A plain value: a date, a number, a status, a sentence.
    Value(String),
}

/// Who read a claim out of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extractor {
    /// Rules over structure; no model.
    Structural,
    /// A model, by name.
    Model(String),
}

/// What a text says: one subject, one relation, one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Index into the mentions of the same chunk.
    pub subject: u32,
    /// The relation in lower snake case, such as `owned_by`.
    pub relation: String,
    /// Index into the mentions of the same chunk, or a value.
    pub object: Object<u32>,
    /// The sentence, row or line it stands on, as written in the chunk.
    pub sentence: String,
    /// Since when it is true in the world, where the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_at: Option<Timestamp>,
    /// Until when it is true in the world, where the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_at: Option<Timestamp>,
    /// At any time the subject has one value of this relation on this page: a newer version's value replaces it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single: bool,
    /// Who says that the text says so.
    pub extractor: Extractor,
}

/// All that one chunk says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// What the chunk speaks of, without repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
    /// What it says of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
}

impl Reading {
    /// All that two readers say of the same chunk; what both speak of stands once.
    pub fn with(mut self, other: Reading) -> Reading {
        let place = |mention: Mention, mentions: &mut Vec<Mention>| {
            let at = mentions.iter().position(|held| *held == mention).unwrap_or(mentions.len());
            if at == mentions.len() {
                mentions.push(mention);
            }
            at as u32
        };
        let moved: Vec<u32> =
            other.mentions.into_iter().map(|mention| place(mention, &mut self.mentions)).collect();
        let at = |index: u32| moved.get(index as usize).copied();
        for claim in other.claims {
            let object = match claim.object {
                Object::Named(index) => at(index).map(Object::Named),
                Object::Value(value) => Some(Object::Value(value)),
            };
            if let (Some(subject), Some(object)) = (at(claim.subject), object) {
                self.claims.push(Claim { subject, object, ..claim });
            }
        }
        self
    }
}

/// A name that is trivially the same wherever it stands: by key, or by normalised name within a space (everywhere, when
/// the name is distinctive). The id is made of just that, so it never depends on who came first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Hash of the scope and the key or normalised name.
    pub id: NodeId,
    /// A written form: the smallest in code point order among all that were ever seen, so that order does not show.
    pub name: String,
    /// The normalised name.
    pub normal: String,
    /// What kind of thing: the most telling kind ever seen (see `resolve::names::telling`).
    pub kind: Kind,
    /// The space the name counts in; none when the name is the same everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceKey>,
    /// A certain identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
}

/// A pairwise decision about two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// One entity.
    Same,
    /// Two entities; beats any path of `Same`.
    Apart,
    /// Worth asking, not answered: kept apart, marked.
    Doubt,
}

/// A decision with its reason. `a < b`, so a pair has one form. One per pair and chunk (or none), so the natural key is
/// (`a`, `b`, `chunk`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The smaller node.
    pub a: NodeId,
    /// The larger node.
    pub b: NodeId,
    /// The verdict.
    pub verdict: Verdict,
    /// The rule or model that decided, in words for `show`.
    pub why: String,
    /// How sure, in thousandths; orders `Same` decisions when a component must be cut.
    pub weight: u16,
    /// The chunk it stands on, where it stands on more than the two names. It holds while that chunk has not ended and
    /// speaks of both nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<ChunkId>,
}

/// What a user says of two names: one entity, or two. It stands on no page, and nobody but a user overrules it.
/// `a < b`, so a pair has one form and one ruling at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The smaller node.
    pub a: NodeId,
    /// The larger node.
    pub b: NodeId,
    /// `Same` or `Apart`.
    pub verdict: Verdict,
    /// Why, in the user's words.
    pub why: String,
}

/// What two facts that share an end are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// They say the same in other words.
    Duplicate,
    /// They cannot both be true at one time.
    Contradicts,
    /// Each may be true whatever the other is.
    Unrelated,
    /// Worth asking, not answered: both kept as they are, marked.
    Doubt,
}

/// What was found about two facts. `a < b`, and one per pair, so the natural key is (`a`, `b`). A `Duplicate` counts
/// while live texts say both; a contradiction ends the one that began earlier while a live text says the later one
/// (`resolve::spells`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The smaller fact.
    pub a: FactId,
    /// The larger fact.
    pub b: FactId,
    /// What they are to each other.
    pub likeness: Likeness,
    /// The model that found so, in words for `show`.
    pub why: String,
    /// The facts share the entities that they were judged for: false once a decision parts them.
    pub stands: bool,
}

/// Something held: a subject, a relation, an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Hash of subject, relation, object and `run`.
    pub id: FactId,
    /// The subject's node.
    pub subject: NodeId,
    /// Lower snake case.
    pub relation: String,
    /// The object's node, or a value.
    pub object: Object<NodeId>,
    /// Counts reversals: 0 is the first stretch of time in which a page held this single value, 1 the next after
    /// another value stood in between. Always 0 for relations that are not single.
    #[serde(default)]
    pub run: u32,
    /// Who read it: a model if one has, be it that rules have too.
    pub extractor: Extractor,
}

/// Why a page stopped saying something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// A newer version of the page gives another value: the fact ended in the world.
    Replaced,
    /// The text is gone: we no longer hold the fact.
    Vanished,
}

/// Which chunk a fact stands on, and for how long the page said so. One per fact and chunk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// What is supported.
    pub fact: FactId,
    /// What it stands on.
    pub chunk: ChunkId,
    /// The words in it.
    pub sentence: String,
    /// Since when it is true in the world, as far as this chunk tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_at: Option<Timestamp>,
    /// Until when it is true in the world, as far as this chunk tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_at: Option<Timestamp>,
    /// The first version of the page that says it.
    pub from_version: Version,
    /// When that version was written, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_from: Option<Timestamp>,
    /// Set when the page no longer says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// The end of a support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Why.
    pub ended: Ended,
    /// The first version of the page that no longer says it; none when the page itself is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// When that version was written, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// A chunk as the graph sees it: dated by the first page version that contains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The chunk.
    pub chunk: ChunkId,
    /// Since when the wiki says this, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_at: Option<Timestamp>,
    /// Set when no current page says it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// An edit of the graph. All are upserts by their natural key, so applying one twice is applying it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A chunk enters the graph, or its dates change, or it leaves.
    Episode(Episode),
    /// A name enters the graph.
    Node(Node),
    /// A chunk speaks of a node.
    Mention {
        /// The node.
        node: NodeId,
        /// The chunk.
        chunk: ChunkId,
    },
    /// A chunk does not speak of a node any more: its page moved to another space, or it was read differently.
    Unmention {
        /// The node.
        node: NodeId,
        /// The chunk.
        chunk: ChunkId,
    },
    /// Two nodes were compared.
    Decide(Decision),
    /// An entity is exactly these nodes now; it is shown as `name`.
    Group {
        /// The smallest of `nodes`.
        entity: EntityId,
        /// The members, sorted. Nodes that are in no group are not in the graph.
        nodes: Vec<NodeId>,
        /// The name to show.
        name: String,
        /// The kind to show.
        kind: Kind,
    },
    /// A node has no live mention any more, and with that no entity.
    Ungroup {
        /// The node.
        node: NodeId,
    },
    /// Two facts were compared, or what they share has changed; replaces the row of the same pair.
    Judge(Judgement),
    /// A fact is held from now on.
    Fact(Fact),
    /// A fact stands on a chunk; replaces the row of the same fact and chunk.
    Support(Support),
    /// `fact` says the same as `into` (their ends became the same entities): show only `into`, on the supports of both.
    /// A fact folded into itself says nothing, since both its ends became one entity: it is not shown. `None` undoes
    /// it.
    Fold {
        /// The fact that is hidden.
        fact: FactId,
        /// The smallest fact that says the same, or none.
        into: Option<FactId>,
    },
}

/// The times of a fact as seen through some of its supports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// True in the world since; null means the text does not say.
    pub valid_at: Option<Timestamp>,
    /// True in the world until; null means still, or unknown.
    pub invalid_at: Option<Timestamp>,
    /// Set when nothing the viewer may see says it any more and nothing replaced it: since when, where known.
    pub withdrawn: Option<Option<Timestamp>>,
}

/// A stretch of time in which a fact was true. A fact that another one ended and that came back has several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spell {
    /// Its times; only the last spell of a fact can be withdrawn.
    pub times: Times,
    /// The fact that ended it, when it was not the text itself.
    pub by: Option<FactId>,
}
