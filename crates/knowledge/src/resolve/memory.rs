//! The graph in memory: applies `Change`s and answers as `Held`. Tests and simulations compare it with the
//! state file; it must not know how a change was decided. Two memories are equal when they hold the same
//! graph; what was found about facts is no part of it, only what follows from that.

use crate::graph::{
    Change, Decision, Episode, Fact, Judgement, Kind, Likeness, Node, Object, Ruling, Spell, Support, Times,
};
use crate::id::{ChunkId, EntityId, FactId, NodeId, PageId};
use crate::judge::Findings;
use crate::resolve::{Band, Group, Held, HeldFact, PageSaid, bands, resolve, rule, spells};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// The first id in order, from which a range begins.
const LEAST: [u8; 16] = [0; 16];

/// A whole graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    chunks_of: BTreeMap<PageId, BTreeSet<ChunkId>>,
    episodes: BTreeMap<ChunkId, Episode>,
    nodes: BTreeMap<NodeId, Node>,
    named: BTreeMap<String, BTreeSet<NodeId>>,
    in_band: BTreeMap<Band, BTreeSet<NodeId>>,
    mentions: BTreeSet<(ChunkId, NodeId)>,
    spoken_by: BTreeSet<(NodeId, ChunkId)>,
    decisions: BTreeMap<(NodeId, NodeId, Option<ChunkId>), Decision>,
    decided: BTreeSet<(NodeId, NodeId, NodeId, Option<ChunkId>)>,
    entity_of: BTreeMap<NodeId, EntityId>,
    groups: BTreeMap<EntityId, Group>,
    facts: BTreeMap<FactId, Fact>,
    folded: BTreeMap<FactId, FactId>,
    facts_at: BTreeSet<(NodeId, FactId)>,
    supports: BTreeMap<(ChunkId, FactId), Support>,
    supported_by: BTreeSet<(FactId, ChunkId)>,
    judgements: Kept<BTreeMap<(FactId, FactId), Judgement>>,
    judged: Kept<BTreeSet<(FactId, FactId, FactId)>>,
    rulings: BTreeMap<(NodeId, NodeId), Ruling>,
}

/// What is kept beside the graph: which questions were ever raised depends on what was resolved together.
#[derive(Clone, Debug, Default)]
struct Kept<T>(T);

impl<T> PartialEq for Kept<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Kept<T> {}

/// A fact as it is shown: its ends by entity, and its times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// The fact.
    pub fact: FactId,
    /// The subject's entity; none when nothing live speaks of it.
    pub subject: Option<EntityId>,
    /// The relation.
    pub relation: String,
    /// The object's entity or the value; none when nothing live speaks of it.
    pub object: Option<Object<EntityId>>,
    /// Which stretch of a single value.
    pub run: u32,
}

impl Memory {
    /// Resolves an epoch by rules alone and applies what changes; gives the changes.
    pub fn settle(&mut self, pages: &[PageSaid]) -> Vec<Change> {
        self.settle_with(pages, &Findings::by_rules_alone())
    }

    /// The same with what a model has found.
    pub fn settle_with(&mut self, pages: &[PageSaid], findings: &Findings) -> Vec<Change> {
        for page in pages {
            let chunks = page.versions.iter().flat_map(|version| &version.chunks);
            self.chunks_of.entry(page.page.clone()).or_default().extend(chunks);
        }
        let changes = match resolve(pages, self, findings) {
            Ok(changes) => changes,
            Err(never) => match never {},
        };
        changes.iter().for_each(|change| self.apply(change));
        changes
    }

    /// Takes in what a user says and what he takes back, with what that changes, and gives the changes.
    pub fn rule(&mut self, rulings: &[Ruling], forgotten: &[(NodeId, NodeId)]) -> Vec<Change> {
        let Ok(changes) = rule(rulings, forgotten, self);
        forgotten.iter().for_each(|pair| drop(self.rulings.remove(pair)));
        self.rulings.extend(rulings.iter().map(|said| ((said.a, said.b), said.clone())));
        changes.iter().for_each(|change| self.apply(change));
        changes
    }

    /// Applies one change.
    pub fn apply(&mut self, change: &Change) {
        match change.clone() {
            Change::Episode(episode) => {
                self.episodes.insert(episode.chunk, episode);
            }
            Change::Node(node) => self.add_node(node),
            Change::Mention { node, chunk } => {
                self.mentions.insert((chunk, node));
                self.spoken_by.insert((node, chunk));
            }
            Change::Unmention { node, chunk } => {
                self.mentions.remove(&(chunk, node));
                self.spoken_by.remove(&(node, chunk));
            }
            Change::Decide(decision) => {
                let (a, b, chunk) = (decision.a, decision.b, decision.chunk);
                self.decided.extend([(a, a, b, chunk), (b, a, b, chunk)]);
                self.decisions.insert((a, b, chunk), decision);
            }
            Change::Group { entity, nodes, name, kind } => {
                self.add_group(Group { entity, nodes, name, kind })
            }
            Change::Ungroup { node } => self.leave_group(node),
            Change::Judge(judgement) => {
                let (a, b) = (judgement.a, judgement.b);
                self.judged.0.extend([(a, a, b), (b, a, b)]);
                self.judgements.0.insert((a, b), judgement);
            }
            Change::Fact(fact) => {
                self.facts_at.insert((fact.subject, fact.id));
                if let Object::Named(object) = fact.object {
                    self.facts_at.insert((object, fact.id));
                }
                self.facts.insert(fact.id, fact);
            }
            Change::Support(support) => {
                self.supported_by.insert((support.fact, support.chunk));
                self.supports.insert((support.chunk, support.fact), support);
            }
            Change::Fold { fact, into: Some(into) } => {
                self.folded.insert(fact, into);
            }
            Change::Fold { fact, into: None } => {
                self.folded.remove(&fact);
            }
        }
    }

    fn add_node(&mut self, node: Node) {
        for band in bands(&node) {
            self.in_band.entry(band).or_default().insert(node.id);
        }
        self.named.entry(node.normal.clone()).or_default().insert(node.id);
        self.nodes.insert(node.id, node);
    }

    fn add_group(&mut self, group: Group) {
        group.nodes.iter().for_each(|node| self.leave_group(*node));
        self.entity_of.extend(group.nodes.iter().map(|node| (*node, group.entity)));
        self.groups.insert(group.entity, group);
    }

    /// A group whose members have all left is gone; what stays of a group until its own change comes is of no
    /// account.
    fn leave_group(&mut self, node: NodeId) {
        let Some(entity) = self.entity_of.remove(&node) else { return };
        if let Some(group) = self.groups.get_mut(&entity) {
            group.nodes.retain(|member| *member != node);
            if group.nodes.is_empty() {
                self.groups.remove(&entity);
            }
        }
    }

    /// All entities, sorted by id.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// All nodes, sorted by id.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// All decisions, sorted by pair.
    pub fn all_decisions(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.values()
    }

    /// All facts that are shown, with their times as seen through all supports.
    pub fn shown(&self) -> BTreeMap<FactId, (Shown, Times)> {
        let shown = self.facts.values().filter(|fact| !self.folded.contains_key(&fact.id));
        let entity = |node: &NodeId| self.entity_of.get(node).copied();
        let show = |fact: &Fact| Shown {
            fact: fact.id,
            subject: entity(&fact.subject),
            relation: fact.relation.clone(),
            object: match &fact.object {
                Object::Named(node) => entity(node).map(Object::Named),
                Object::Value(value) => Some(Object::Value(value.clone())),
            },
            run: fact.run,
        };
        shown
            .map(|fact| {
                let last = self.spells(fact.id).pop().unwrap_or_default();
                (fact.id, (show(fact), last.times))
            })
            .collect()
    }

    /// The stretches of time in which a shown fact was true, as seen through all supports.
    pub fn spells(&self, fact: FactId) -> Vec<Spell> {
        let rivals = self.rivals(fact);
        let rivals = rivals.into_iter().map(|rival| (rival, self.supports_shown_by(rival))).collect();
        spells(&self.supports_shown_by(fact), &rivals)
    }

    /// The facts that contradict a shown fact.
    fn rivals(&self, fact: FactId) -> BTreeSet<FactId> {
        let shown = |fact: FactId| self.folded.get(&fact).copied().unwrap_or(fact);
        let against = |member: FactId| {
            let pairs = self.judged.0.range((member, FactId::from_bytes(LEAST), FactId::from_bytes(LEAST))..);
            let pairs = pairs.take_while(move |(of, ..)| *of == member);
            let known = pairs.filter_map(|(_, a, b)| self.judgements.0.get(&(*a, *b)));
            let known = known.filter(|known| known.likeness == Likeness::Contradicts && known.stands);
            known.map(move |known| if known.a == member { known.b } else { known.a }).collect::<Vec<_>>()
        };
        let rivals = self.members(fact).into_iter().flat_map(against).map(shown);
        rivals.filter(|rival| *rival != fact).collect()
    }

    /// A shown fact and those folded into it.
    fn members(&self, fact: FactId) -> Vec<FactId> {
        let folded = self.folded.iter().filter(|(of, into)| **into == fact && **of != fact);
        folded.map(|(of, _)| *of).chain([fact]).collect()
    }

    fn supports_shown_by(&self, fact: FactId) -> Vec<Support> {
        self.members(fact).into_iter().flat_map(|member| self.supports_of_fact(member)).cloned().collect()
    }

    /// A fact's own supports.
    pub fn supports_of_fact(&self, fact: FactId) -> Vec<&Support> {
        let on = self.supported_by.range((fact, ChunkId::from_bytes(LEAST))..);
        let on = on.take_while(|(of, _)| *of == fact);
        on.filter_map(|(fact, chunk)| self.supports.get(&(*chunk, *fact))).collect()
    }

    /// The kind and name shown for the entity of a node.
    pub fn shown_as(&self, node: NodeId) -> Option<(&str, &Kind)> {
        let group = self.groups.get(self.entity_of.get(&node)?)?;
        Some((&group.name, &group.kind))
    }
}

impl Held for Memory {
    type Error = Infallible;

    fn node(&self, id: NodeId) -> Result<Option<Node>, Infallible> {
        Ok(self.nodes.get(&id).cloned())
    }

    fn nodes_named(&self, normal: &str) -> Result<Vec<Node>, Infallible> {
        let ids = self.named.get(normal).into_iter().flatten();
        Ok(ids.filter_map(|id| self.nodes.get(id)).cloned().collect())
    }

    fn nodes_in_bands(&self, bands: &[Band]) -> Result<Vec<Node>, Infallible> {
        let ids: BTreeSet<NodeId> =
            bands.iter().filter_map(|band| self.in_band.get(band)).flatten().copied().collect();
        Ok(ids.iter().filter_map(|id| self.nodes.get(id)).cloned().collect())
    }

    fn decisions(&self, node: NodeId) -> Result<Vec<Decision>, Infallible> {
        let from = self
            .decided
            .range((node, NodeId::from_bytes(LEAST), NodeId::from_bytes(LEAST), None)..)
            .take_while(|(end, ..)| *end == node);
        Ok(from.filter_map(|(_, a, b, chunk)| self.decisions.get(&(*a, *b, *chunk))).cloned().collect())
    }

    fn live_mentions(&self, node: NodeId, limit: usize) -> Result<Vec<ChunkId>, Infallible> {
        let chunks =
            self.spoken_by.range((node, ChunkId::from_bytes(LEAST))..).take_while(|(end, _)| *end == node);
        Ok(chunks.map(|(_, chunk)| *chunk).filter(|chunk| self.live(*chunk)).take(limit).collect())
    }

    fn group(&self, node: NodeId) -> Result<Option<Group>, Infallible> {
        Ok(self.entity_of.get(&node).and_then(|entity| self.groups.get(entity)).cloned())
    }

    fn is_live(&self, chunk: ChunkId) -> Result<bool, Infallible> {
        Ok(self.live(chunk))
    }

    fn fact(&self, id: FactId) -> Result<Option<HeldFact>, Infallible> {
        Ok(self
            .facts
            .get(&id)
            .map(|fact| HeldFact { fact: fact.clone(), into: self.folded.get(&id).copied() }))
    }

    fn facts_at(&self, node: NodeId) -> Result<Vec<HeldFact>, Infallible> {
        let facts =
            self.facts_at.range((node, FactId::from_bytes(LEAST))..).take_while(|(end, _)| *end == node);
        facts.filter_map(|(_, fact)| self.fact(*fact).transpose()).collect()
    }

    fn episodes_of(&self, page: &PageId) -> Result<Vec<Episode>, Infallible> {
        let chunks = self.chunks_of.get(page).into_iter().flatten();
        Ok(chunks.filter_map(|chunk| self.episodes.get(chunk)).cloned().collect())
    }

    fn supports_of(&self, page: &PageId) -> Result<Vec<Support>, Infallible> {
        let chunks = self.chunks_of.get(page).into_iter().flatten();
        let of = |chunk: &ChunkId| {
            let chunk = *chunk;
            self.supports
                .range((chunk, FactId::from_bytes(LEAST))..)
                .take_while(move |((on, _), _)| *on == chunk)
        };
        let mut supports: Vec<Support> = chunks.flat_map(of).map(|(_, support)| support.clone()).collect();
        supports.sort_unstable_by_key(|support| (support.fact, support.chunk));
        Ok(supports)
    }

    fn mentions_of(&self, chunk: ChunkId) -> Result<Vec<NodeId>, Infallible> {
        let nodes =
            self.mentions.range((chunk, NodeId::from_bytes(LEAST))..).take_while(|(end, _)| *end == chunk);
        Ok(nodes.map(|(_, node)| *node).collect())
    }

    fn supports_on(&self, fact: FactId) -> Result<Vec<Support>, Infallible> {
        Ok(self.supports_of_fact(fact).into_iter().cloned().collect())
    }

    fn judgements(&self, fact: FactId) -> Result<Vec<Judgement>, Infallible> {
        let least = FactId::from_bytes(LEAST);
        let pairs = self.judged.0.range((fact, least, least)..).take_while(|(of, ..)| *of == fact);
        Ok(pairs.filter_map(|(_, a, b)| self.judgements.0.get(&(*a, *b))).cloned().collect())
    }

    fn rulings(&self, node: NodeId) -> Result<Vec<Ruling>, Infallible> {
        Ok(self.rulings.values().filter(|said| said.a == node || said.b == node).cloned().collect())
    }

    fn noted_alike(&self, _: NodeId) -> Result<Vec<NodeId>, Infallible> {
        Ok(Vec::new())
    }
}

impl Memory {
    fn live(&self, chunk: ChunkId) -> bool {
        self.episodes.get(&chunk).is_some_and(|episode| episode.end.is_none())
    }
}
