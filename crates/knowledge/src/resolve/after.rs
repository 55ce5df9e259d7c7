//! The graph as it will stand when the pages of the epoch are in: what they say laid over what is held. It
//! answers the same questions as `Held`, and notes the changes and the nodes whose group must be looked at
//! again. It must not decide what is one; it only compares.

use crate::graph::{Change, Decision, Episode, Extractor, Fact, Judgement, Node, Object, Ruling, Support};
use crate::id::{ChunkId, FactId, NodeId};
use crate::judge::Findings;
use crate::resolve::crowds::{self, Crowd, Stirred};
use crate::resolve::page::{GONE, Said, said};
use crate::resolve::pending::Pending;
use crate::resolve::{Held, PageSaid, doubts, names, pairs, times};
use std::collections::{BTreeMap, BTreeSet};

/// What is held, with the epoch laid over it.
pub(super) struct After<'a, H> {
    pub held: &'a H,
    /// What the pages of the epoch say; nodes and facts are joined with what is held of them.
    pub said: Said,
    /// The changes so far, in the order to apply them.
    pub changes: Vec<Change>,
    /// Nodes that come or go, or whose names or decisions change.
    pub seeds: BTreeSet<NodeId>,
    /// Nodes that are not held yet.
    pub entering: BTreeSet<NodeId>,
    /// The same, by what they have in common with others.
    pub crowds: BTreeMap<Crowd, Vec<NodeId>>,
    /// What their coming, and the going of others, means for names that are like them.
    pub stirred: Stirred,
    /// Facts that are not held yet.
    pub new_facts: BTreeSet<FactId>,
    /// Facts of which a support comes, changes or ends.
    pub touched: BTreeSet<FactId>,
    /// What a model has found, and what it is still to be asked.
    pub pending: Pending<'a>,
    /// The supports that change.
    supports: BTreeMap<(FactId, ChunkId), Support>,
    /// The facts that are not held yet, by either end.
    new_at: BTreeMap<NodeId, Vec<FactId>>,
    /// The judgements that change.
    judged: BTreeMap<(FactId, FactId), Judgement>,
    /// The same, by either fact.
    judged_at: BTreeMap<FactId, BTreeSet<(FactId, FactId)>>,
    /// The chunks of the epoch's pages, and whether they will be live.
    chunks: BTreeMap<ChunkId, bool>,
    /// Nodes that a live chunk of the epoch speaks of.
    spoken_of: BTreeSet<NodeId>,
    /// How many held mentions of a node the epoch overrules.
    overruled: BTreeMap<NodeId, usize>,
    /// Decisions of this epoch, by either end.
    decided: BTreeMap<NodeId, Vec<Decision>>,
    /// What a user says now; none where he takes back what he said.
    pub ruled: BTreeMap<(NodeId, NodeId), Option<Ruling>>,
}

impl<'a, H: Held> After<'a, H> {
    /// Compares what the pages say with what is held of them.
    pub fn new(pages: &[PageSaid], held: &'a H, findings: &'a Findings) -> Result<Self, H::Error> {
        let mut all = Said::default();
        pages.iter().for_each(|page| all.join(said(page)));
        let mut after = After {
            held,
            said: all,
            changes: Vec::new(),
            seeds: BTreeSet::new(),
            entering: BTreeSet::new(),
            crowds: BTreeMap::new(),
            stirred: Stirred::default(),
            new_facts: BTreeSet::new(),
            touched: BTreeSet::new(),
            pending: Pending::new(findings),
            supports: BTreeMap::new(),
            new_at: BTreeMap::new(),
            judged: BTreeMap::new(),
            judged_at: BTreeMap::new(),
            chunks: BTreeMap::new(),
            spoken_of: BTreeSet::new(),
            overruled: BTreeMap::new(),
            decided: BTreeMap::new(),
            ruled: BTreeMap::new(),
        };
        let was = after.compare_episodes(pages)?;
        after.compare_nodes()?;
        let touched = after.compare_mentions(&was)?;
        let mut moved = BTreeSet::new();
        for node in touched {
            if after.held.group(node)?.is_some() != after.is_live_node(node)? {
                moved.insert(node);
            }
        }
        // Where nobody judges there are no answers that might count or not.
        if after.weighs_models() {
            let stirring = moved.union(&after.entering).copied().collect();
            after.stirred = crowds::stirred(&stirring, &after)?;
        }
        after.seeds.extend(after.stirred.turned.iter().chain(&moved));
        after.compare_decisions()?;
        Ok(after)
    }

    /// A node as it will be held.
    pub fn node(&self, id: NodeId) -> Result<Option<Node>, H::Error> {
        match self.said.nodes.get(&id) {
            Some(node) => Ok(Some(node.clone())),
            None => self.held.node(id),
        }
    }

    /// Whether a live chunk will speak of the node.
    pub fn is_live_node(&self, node: NodeId) -> Result<bool, H::Error> {
        if self.spoken_of.contains(&node) {
            return Ok(true);
        }
        // One more than the epoch can overrule: a mention it has no say in is among them, if there is one.
        let limit = self.overruled.get(&node).copied().unwrap_or(0) + 1;
        let mentions = self.held.live_mentions(node, limit)?;
        Ok(mentions.iter().any(|chunk| !self.chunks.contains_key(chunk)))
    }

    /// All decisions that will name the node.
    pub fn decisions(&self, node: NodeId) -> Result<Vec<Decision>, H::Error> {
        let new = self.decided.get(&node).map_or(&[][..], Vec::as_slice);
        let pair = |decision: &Decision| (decision.a, decision.b, decision.chunk);
        let mut all = self.held.decisions(node)?;
        all.retain(|held| !new.iter().any(|new| pair(new) == pair(held)));
        all.extend_from_slice(new);
        Ok(all)
    }

    /// All that users will have said of the node.
    pub fn rulings(&self, node: NodeId) -> Result<Vec<Ruling>, H::Error> {
        let mut all = self.held.rulings(node)?;
        all.retain(|held| !self.ruled.contains_key(&(held.a, held.b)));
        let now = self.ruled.values().flatten().filter(|now| now.a == node || now.b == node);
        all.extend(now.cloned());
        Ok(all)
    }

    /// Rules need no judge: where no model is asked and none has read, judgements are not looked up.
    pub fn weighs_models(&self) -> bool {
        let by_model = |fact: &Fact| matches!(fact.extractor, Extractor::Model(_));
        self.pending.model().is_some() || self.said.facts.values().any(by_model)
    }

    /// A fact as it will be held.
    pub fn fact(&self, id: FactId) -> Result<Option<Fact>, H::Error> {
        match self.said.facts.get(&id) {
            Some(fact) => Ok(Some(fact.clone())),
            None => Ok(self.held.fact(id)?.map(|held| held.fact)),
        }
    }

    /// The facts that will be held with this node at either end.
    pub fn facts_at(&self, node: NodeId) -> Result<Vec<Fact>, H::Error> {
        let new = self.new_at.get(&node).into_iter().flatten().filter_map(|id| self.said.facts.get(id));
        // A model may read in this epoch what rules had read before.
        let as_read = |held: Fact| match self.said.facts.get(&held.id) {
            Some(said) if said.extractor > held.extractor => said.clone(),
            _ => held,
        };
        let held = self.held.facts_at(node)?.into_iter().map(|held| as_read(held.fact));
        Ok(held.chain(new.cloned()).collect())
    }

    /// What a fact will stand on that has not ended, by chunk, each asserted since its page began to say so.
    pub fn live_supports(&self, fact: FactId) -> Result<Vec<Support>, H::Error> {
        let mut live = self.supports(fact)?;
        live.retain(|support| support.end.is_none());
        Ok(live)
    }

    /// The same with what has ended.
    pub fn supports(&self, fact: FactId) -> Result<Vec<Support>, H::Error> {
        let least = ChunkId::from_bytes([0; 16]);
        let changed = self.supports.range((fact, least)..).take_while(|((of, _), _)| *of == fact);
        let mut all: BTreeMap<ChunkId, Support> = BTreeMap::new();
        if !self.new_facts.contains(&fact) {
            all.extend(self.held.supports_on(fact)?.into_iter().map(|support| (support.chunk, support)));
        }
        all.extend(changed.map(|((_, chunk), support)| (*chunk, support.clone())));
        Ok(times::carried(all.values()))
    }

    /// All judgements that will name the fact.
    pub fn judgements(&self, fact: FactId) -> Result<Vec<Judgement>, H::Error> {
        let new = self.judged_at.get(&fact).into_iter().flatten().filter_map(|pair| self.judged.get(pair));
        let mut all = match self.new_facts.contains(&fact) {
            true => Vec::new(),
            false => self.held.judgements(fact)?,
        };
        all.retain(|held| !self.judged.contains_key(&(held.a, held.b)));
        all.extend(new.cloned());
        Ok(all)
    }

    /// Records a judgement.
    pub fn judge(&mut self, judgement: Judgement) {
        self.changes.push(Change::Judge(judgement.clone()));
        for fact in [judgement.a, judgement.b] {
            self.judged_at.entry(fact).or_default().insert((judgement.a, judgement.b));
        }
        self.judged.insert((judgement.a, judgement.b), judgement);
    }

    /// A chunk that speaks of a node, one that has not ended if there is one.
    pub fn a_mention(&self, node: NodeId) -> Result<Option<ChunkId>, H::Error> {
        let said = self.said.mentions.iter().filter(|(_, nodes)| nodes.contains(&node));
        let said: Vec<ChunkId> = said.map(|(chunk, _)| *chunk).collect();
        let live = said.iter().find(|chunk| self.chunks.get(chunk) == Some(&true));
        match live.or(said.first()) {
            Some(chunk) => Ok(Some(*chunk)),
            None => Ok(self.held.live_mentions(node, 1)?.pop()),
        }
    }

    /// Whether what a decision stands on will still be there.
    pub fn stands(&self, decision: &Decision) -> Result<bool, H::Error> {
        let Some(chunk) = decision.chunk else { return crowds::counts(decision, self) };
        let live = match self.chunks.get(&chunk) {
            Some(live) => *live,
            None => self.held.is_live(chunk)?,
        };
        if !live {
            return Ok(false);
        }
        if let Some(nodes) = self.said.mentions.get(&chunk) {
            return Ok(nodes.contains(&decision.a) && nodes.contains(&decision.b));
        }
        let nodes = self.held.mentions_of(chunk)?;
        Ok(nodes.contains(&decision.a) && nodes.contains(&decision.b))
    }

    /// Episodes that come, change or end; gives the held chunks of the pages and whether they were live.
    fn compare_episodes(&mut self, pages: &[PageSaid]) -> Result<BTreeMap<ChunkId, bool>, H::Error> {
        let mut was: BTreeMap<ChunkId, Episode> = BTreeMap::new();
        for page in pages {
            was.extend(
                self.held.episodes_of(&page.page)?.into_iter().map(|episode| (episode.chunk, episode)),
            );
        }
        for held in was.values().filter(|held| !self.said.episodes.contains_key(&held.chunk)) {
            self.chunks.insert(held.chunk, false);
            if held.end.is_none() {
                self.changes.push(Change::Episode(Episode { end: Some(GONE), ..held.clone() }));
            }
        }
        for episode in self.said.episodes.values() {
            self.chunks.insert(episode.chunk, episode.end.is_none());
            if was.get(&episode.chunk) != Some(episode) {
                self.changes.push(Change::Episode(episode.clone()));
            }
        }
        Ok(was.into_iter().map(|(chunk, episode)| (chunk, episode.end.is_none())).collect())
    }

    fn compare_nodes(&mut self) -> Result<(), H::Error> {
        for node in self.said.nodes.values_mut() {
            match self.held.node(node.id)? {
                Some(held) => {
                    *node = names::merged(node.clone(), &held);
                    if *node == held {
                        continue;
                    }
                    self.seeds.insert(node.id);
                }
                None => {
                    self.entering.insert(node.id);
                    for crowd in crowds::crowds_of(node) {
                        self.crowds.entry(crowd).or_default().push(node.id);
                    }
                }
            }
            self.changes.push(Change::Node(node.clone()));
        }
        Ok(())
    }

    /// Mentions that come or go; gives the nodes whose life may hang on it.
    fn compare_mentions(&mut self, was: &BTreeMap<ChunkId, bool>) -> Result<BTreeSet<NodeId>, H::Error> {
        let mut touched = BTreeSet::new();
        for (&chunk, &live) in &self.chunks {
            let was_live = was.get(&chunk).copied();
            let before: BTreeSet<NodeId> = match was_live {
                Some(_) => self.held.mentions_of(chunk)?.into_iter().collect(),
                None => BTreeSet::new(),
            };
            let now = self.said.mentions.get(&chunk).unwrap_or(&before);
            self.changes.extend(now.difference(&before).map(|node| Change::Mention { node: *node, chunk }));
            self.changes.extend(before.difference(now).map(|node| Change::Unmention { node: *node, chunk }));
            if live {
                self.spoken_of.extend(now);
            }
            let was_live = was_live == Some(true);
            if was_live {
                before.iter().for_each(|node| *self.overruled.entry(*node).or_default() += 1);
            }
            if was_live == live && before == *now {
                continue;
            }
            touched.extend(before.symmetric_difference(now));
            if was_live != live {
                touched.extend(before.union(now));
            }
            // What joins these nodes may stand on this chunk, as it was held or as it is read now.
            if !before.is_empty() {
                self.seeds.extend(before.symmetric_difference(now));
            }
            if !self.said.mentions.contains_key(&chunk) {
                self.seeds.extend(&before);
            }
        }
        for (a, b, chunk) in self.said.decisions.keys() {
            if was.get(chunk) != self.chunks.get(chunk) {
                self.seeds.extend([*a, *b]);
            }
        }
        Ok(touched)
    }

    /// Decisions that the texts state, and those about the names of nodes that enter.
    fn compare_decisions(&mut self) -> Result<(), H::Error> {
        let mut new = Vec::new();
        // A page with a long history says the same of itself in every version: its node is looked up once.
        let mut known: (Option<NodeId>, Vec<Decision>) = (None, Vec::new());
        for decision in self.said.decisions.values() {
            if known.0 != Some(decision.a) {
                known = (Some(decision.a), self.held.decisions(decision.a)?);
            }
            let held = known.1.iter().find(|held| held.b == decision.b && held.chunk == decision.chunk);
            if held != Some(decision) {
                new.push(decision.clone());
            }
        }
        let entering: Vec<Node> =
            self.entering.iter().filter_map(|node| self.said.nodes.get(node)).cloned().collect();
        for decision in pairs::decisions(&entering, self.held)? {
            // Who looked closer has already decided about this pair; a rule about names does not overrule
            // that.
            let known = self.held.decisions(decision.a)?;
            if !known
                .iter()
                .any(|known| known.chunk.is_none() && (known.a, known.b) == (decision.a, decision.b))
            {
                new.push(decision);
            }
        }
        new.extend(doubts::decisions(self, &entering)?);
        for decision in new {
            for end in [decision.a, decision.b] {
                self.seeds.insert(end);
                self.decided.entry(end).or_default().push(decision.clone());
            }
            self.changes.push(Change::Decide(decision));
        }
        Ok(())
    }

    /// Facts and supports that come or change, after the groups.
    pub fn compare_facts(&mut self, pages: &[PageSaid]) -> Result<(), H::Error> {
        for fact in self.said.facts.values_mut() {
            if let Some(held) = self.held.fact(fact.id)? {
                if held.fact.extractor >= fact.extractor {
                    continue;
                }
                self.touched.insert(fact.id);
            } else {
                self.new_facts.insert(fact.id);
                self.new_at.entry(fact.subject).or_default().push(fact.id);
                if let Object::Named(object) = fact.object {
                    self.new_at.entry(object).or_default().push(fact.id);
                }
            }
            self.changes.push(Change::Fact(fact.clone()));
        }
        let mut was = BTreeMap::new();
        for page in pages {
            let held = self.held.supports_of(&page.page)?;
            was.extend(held.into_iter().map(|support| ((support.fact, support.chunk), support)));
        }
        for (key, support) in &self.said.supports {
            if was.get(key) != Some(support) {
                self.touched.insert(key.0);
                self.supports.insert(*key, support.clone());
                self.changes.push(Change::Support(support.clone()));
            }
        }
        for (key, mut support) in was {
            if support.end.is_none() && !self.said.supports.contains_key(&key) {
                support.end = Some(GONE);
                self.touched.insert(key.0);
                self.supports.insert(key, support.clone());
                self.changes.push(Change::Support(support));
            }
        }
        Ok(())
    }
}
