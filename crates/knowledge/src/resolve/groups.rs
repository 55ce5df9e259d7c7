//! Which groups change: the region around the nodes that changed, cut into components again. It must not look
//! at facts.

use crate::graph::{Change, Decision, Node, Verdict};
use crate::id::{EntityId, NodeId};
use crate::resolve::after::After;
use crate::resolve::bridges::Claim;
use crate::resolve::components::{Links, Pair, components};
use crate::resolve::{Group, Held, names, pairs};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Groups as they will stand where this epoch changes them; no group means that nothing live speaks of the
/// node.
#[derive(Debug, Default)]
pub(super) struct Regrouped {
    groups: BTreeMap<NodeId, Vec<NodeId>>,
    /// Nodes whose group has other members than before.
    pub moved: BTreeSet<NodeId>,
    region: BTreeSet<NodeId>,
    /// Members that were asked for: every fact at a hub asks for the hub's.
    seen: RefCell<BTreeMap<NodeId, Rc<[NodeId]>>>,
}

impl Regrouped {
    /// The members of the node's group; empty when it is in none.
    pub fn members<H: Held>(&self, node: NodeId, held: &H) -> Result<Rc<[NodeId]>, H::Error> {
        if let Some(seen) = self.seen.borrow().get(&node) {
            return Ok(seen.clone());
        }
        let members: Rc<[NodeId]> = match self.region.contains(&node) {
            true => self.groups.get(&node).cloned().unwrap_or_default().into(),
            false => held.group(node)?.map(|group| group.nodes).unwrap_or_default().into(),
        };
        self.seen.borrow_mut().insert(node, members.clone());
        Ok(members)
    }
}

/// Cuts the region around the seeds again and notes what changed.
pub(super) fn regroup<H: Held>(after: &mut After<'_, H>) -> Result<Regrouped, H::Error> {
    let mut region = Region::default();
    region.spread(after)?;
    region.note_claims();
    let mut regrouped = Regrouped { region: region.all, ..Regrouped::default() };
    for node in regrouped.region.iter().filter(|node| !region.live.contains_key(node)) {
        if region.was.contains_key(node) {
            after.changes.push(Change::Ungroup { node: *node });
            regrouped.moved.insert(*node);
        }
    }
    let keys = region.live.iter().map(|(id, node)| (*id, node.key.clone())).collect();
    for nodes in components(&keys, &region.links) {
        let entity = EntityId(nodes[0]);
        let members: Vec<Node> = nodes.iter().filter_map(|node| region.live.get(node)).cloned().collect();
        let (name, kind) = names::shown(&members);
        let group = Group { entity, nodes, name, kind };
        let differs = |node: &NodeId| region.was.get(node).is_none_or(|was| was.nodes != group.nodes);
        let moved: Vec<NodeId> = group.nodes.iter().filter(|node| differs(node)).copied().collect();
        regrouped.moved.extend(&moved);
        regrouped.groups.extend(group.nodes.iter().map(|node| (*node, group.nodes.clone())));
        if region.was.get(&group.nodes[0]) != Some(&group) {
            let Group { entity, nodes, name, kind } = group;
            after.changes.push(Change::Group { entity, nodes, name, kind });
        }
    }
    Ok(regrouped)
}

/// All nodes that the seeds could have been joined with, and what decides about them.
#[derive(Default)]
struct Region {
    all: BTreeSet<NodeId>,
    live: BTreeMap<NodeId, Node>,
    was: BTreeMap<NodeId, Group>,
    links: Links,
    /// Pairs that are the same by their form, and those for which something else speaks.
    formed: BTreeSet<Pair>,
    told: BTreeSet<Pair>,
}

impl Region {
    /// Follows every `Same` there ever was, also those that were refused or do not hold any more: a component
    /// that falls apart is found whole, and one that could not be joined before gets another chance.
    fn spread<H: Held>(&mut self, after: &After<'_, H>) -> Result<(), H::Error> {
        let mut open: Vec<NodeId> = after.seeds.iter().copied().collect();
        while let Some(id) = open.pop() {
            if !self.all.insert(id) {
                continue;
            }
            if after.is_live_node(id)? {
                self.live.extend(after.node(id)?.map(|node| (id, node)));
            }
            if let Some(was) = after.held.group(id)? {
                open.extend(&was.nodes);
                self.was.insert(id, was);
            }
            for decision in after.decisions(id)? {
                open.extend(other_end(&decision, id));
                if after.stands(&decision)? {
                    self.weigh(&decision);
                }
            }
            for ruling in after.rulings(id)? {
                let other = if ruling.a == id { ruling.b } else { ruling.a };
                open.extend(Some(other).filter(|_| ruling.verdict == Verdict::Same));
                self.links.ruled.insert((ruling.a, ruling.b), ruling.verdict);
            }
        }
        Ok(())
    }

    /// Notes which names of spaces read like one that is the same everywhere.
    fn note_claims(&mut self) {
        let parted = |pair: &Pair| {
            self.links.apart.contains(pair) || self.links.ruled.get(pair) == Some(&Verdict::Apart)
        };
        let claim = |pair: &Pair| {
            let (one, other) = self.live.get(&pair.0).zip(self.live.get(&pair.1))?;
            Claim::of(one, other, !self.told.contains(pair))
        };
        let formed = self.formed.iter().filter(|pair| !parted(pair));
        self.links.claims = formed.filter_map(claim).collect();
    }

    /// Takes in a decision that holds.
    fn weigh(&mut self, decision: &Decision) {
        let pair = (decision.a, decision.b);
        match decision.verdict {
            Verdict::Same => {
                let weight = self.links.same.entry(pair).or_default();
                *weight = decision.weight.max(*weight);
                match pairs::is_by_form(decision) {
                    true => self.formed.insert(pair),
                    false => self.told.insert(pair),
                };
            }
            Verdict::Apart => {
                self.links.apart.insert(pair);
            }
            Verdict::Doubt => {}
        }
    }
}

/// The node that a decision says is the same as this one.
fn other_end(decision: &Decision, node: NodeId) -> Option<NodeId> {
    let other = if decision.a == node { decision.b } else { decision.a };
    (decision.verdict == Verdict::Same).then_some(other)
}
