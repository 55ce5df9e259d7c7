//! From what pages say to what the graph holds: pure, order-free, and repeatable.
//!
//! `resolve` takes the pages of one epoch with everything they ever said (all versions held, oldest first),
//! looks up what the graph holds around them, and returns the changes that bring the graph up to date. The
//! same pages and the same graph give the same changes; the order in which epochs were resolved does not show
//! in the final graph. This room must not know how anything is stored.

mod after;
mod bridges;
mod components;
mod crowds;
mod doubts;
mod facts;
mod fold;
mod groups;
mod inclusion;
#[cfg(test)]
mod laws;
pub mod memory;
mod names;
mod once;
mod page;
mod pairs;
mod part;
mod pending;
mod rulings;
mod slots;
mod spelling;
mod times;

pub use doubts::WEIGHT_JUDGED;
pub use inclusion::includes;
pub(crate) use names::telling_word;
pub use names::{distinctive, normalise, shown};
pub use pairs::bands;
pub use part::{
    Said, extractors, follows_from_names, groups_around, judgements_about, merged, names_in, says_the_same,
    stands,
};
pub use pending::{PassedOver, Round};
pub use rulings::{Clash, clash, rule};
pub use times::{as_said_at, meet, spells, times};

use crate::graph::{Change, Decision, Episode, Fact, Judgement, Kind, Node, Reading, Ruling, Support};
use crate::id::{ChunkId, EntityId, FactId, NodeId, PageId, SpaceKey, Version};
use crate::judge::Findings;
use crate::time::Timestamp;
use after::After;
use fold::fold;
use groups::regroup;
use std::collections::BTreeMap;

/// The version of these rules. A newer one leaves finished epochs as they are, until a re-index is asked for.
pub const RESOLVER: u32 = 4;

/// What an epoch comes to, given what a model has found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weighed {
    /// The changes that bring the graph up to date with its pages: none, when it is. A question without a finding
    /// leaves its pair as it is, marked as doubt.
    pub changes: Vec<Change>,
    /// What a model should be asked before: nothing, when the changes are all there is to get. What names turn out to
    /// be the same decides which facts share an end, so the answers to one round may open another; a third is rare.
    pub round: Round,
}

/// Compares what pages say with what is held around them.
pub fn weigh<H: Held>(pages: &[PageSaid], held: &H, findings: &Findings) -> Result<Weighed, H::Error> {
    let mut after = After::new(pages, held, findings)?;
    let regrouped = regroup(&mut after)?;
    after.compare_facts(pages)?;
    facts::judge(&mut after, &regrouped)?;
    fold(&mut after, &regrouped)?;
    Ok(Weighed { changes: after.changes, round: after.pending.round() })
}

/// The changes alone.
pub fn resolve<H: Held>(pages: &[PageSaid], held: &H, findings: &Findings) -> Result<Vec<Change>, H::Error> {
    Ok(weigh(pages, held, findings)?.changes)
}

/// The questions alone.
pub fn questions<H: Held>(pages: &[PageSaid], held: &H, findings: &Findings) -> Result<Round, H::Error> {
    Ok(weigh(pages, held, findings)?.round)
}

/// The plain names of things that pages speak of, by id: those that may mean the same as others that look different.
/// People, and what has a key, are told apart by that.
pub fn plain_names(pages: &[PageSaid]) -> Vec<Node> {
    let mut all = page::Said::default();
    pages.iter().for_each(|page| all.join(page::said(page)));
    let meant = |node: &Node| {
        let chars = node.name.chars().count();
        node.key.is_none() && node.kind != Kind::PERSON && PLAIN.contains(&chars) && !node.name.contains("@{")
    };
    all.nodes.into_values().filter(meant).collect()
}

/// Characters of a name that means something by itself: a shorter one is an abbreviation of many things, a longer one a
/// sentence. Whoever looks for plain names among stored ones asks for the same.
pub const PLAIN: std::ops::RangeInclusive<usize> = 4..=60;

/// A page as it must stand in the graph after its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSaid {
    /// The page.
    pub page: PageId,
    /// The space its names count in.
    pub space: SpaceKey,
    /// All versions held, oldest first; the last is the current one.
    pub versions: Vec<VersionSaid>,
    /// A complete sweep no longer shows the page: nothing in it is said any more.
    pub gone: bool,
    /// What each chunk of any version says.
    pub readings: BTreeMap<ChunkId, Reading>,
}

/// One version of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSaid {
    /// Its number.
    pub version: Version,
    /// When it was written, where known.
    pub modified: Option<Timestamp>,
    /// Its chunks in reading order.
    pub chunks: Vec<ChunkId>,
}

/// A group of nodes as held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The smallest node of the group.
    pub entity: EntityId,
    /// The members, sorted.
    pub nodes: Vec<NodeId>,
    /// The name shown.
    pub name: String,
    /// The kind shown.
    pub kind: Kind,
}

/// A key of the MinHash index: nodes that share one are worth comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Band(pub u64);

/// A fact as held, with the fact it is folded into, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFact {
    /// The fact.
    pub fact: Fact,
    /// The fact that is shown in its place.
    pub into: Option<FactId>,
}

/// What the graph holds, as the resolver asks for it. Every list is sorted by id.
pub trait Held {
    /// What can go wrong while looking.
    type Error;

    /// A node by id.
    fn node(&self, id: NodeId) -> Result<Option<Node>, Self::Error>;
    /// All nodes with this normalised name, in any space.
    fn nodes_named(&self, normal: &str) -> Result<Vec<Node>, Self::Error>;
    /// All nodes that share a band.
    fn nodes_in_bands(&self, bands: &[Band]) -> Result<Vec<Node>, Self::Error>;
    /// All decisions that name this node.
    fn decisions(&self, node: NodeId) -> Result<Vec<Decision>, Self::Error>;
    /// The chunks that speak of this node and have not ended, at most `limit` of them.
    fn live_mentions(&self, node: NodeId, limit: usize) -> Result<Vec<ChunkId>, Self::Error>;
    /// The group that holds this node; none when nothing live speaks of it.
    fn group(&self, node: NodeId) -> Result<Option<Group>, Self::Error>;
    /// Whether a chunk is in the graph and has not ended.
    fn is_live(&self, chunk: ChunkId) -> Result<bool, Self::Error>;
    /// A fact by id.
    fn fact(&self, id: FactId) -> Result<Option<HeldFact>, Self::Error>;
    /// All facts with this node at either end.
    fn facts_at(&self, node: NodeId) -> Result<Vec<HeldFact>, Self::Error>;
    /// The episodes of a page, ended ones too.
    fn episodes_of(&self, page: &PageId) -> Result<Vec<Episode>, Self::Error>;
    /// The supports of a page's chunks, ended ones too.
    fn supports_of(&self, page: &PageId) -> Result<Vec<Support>, Self::Error>;
    /// The nodes a chunk speaks of.
    fn mentions_of(&self, chunk: ChunkId) -> Result<Vec<NodeId>, Self::Error>;
    /// A fact's own supports, ended ones too. An end of which nobody knows the day may be dated by when it was noticed.
    fn supports_on(&self, fact: FactId) -> Result<Vec<Support>, Self::Error>;
    /// All judgements that name this fact.
    fn judgements(&self, fact: FactId) -> Result<Vec<Judgement>, Self::Error>;
    /// All that users said of this node.
    fn rulings(&self, node: NodeId) -> Result<Vec<Ruling>, Self::Error>;
    /// Nodes whose names mean nearly the same as this one's, as far as anybody has noted that.
    fn noted_alike(&self, node: NodeId) -> Result<Vec<NodeId>, Self::Error>;
}
