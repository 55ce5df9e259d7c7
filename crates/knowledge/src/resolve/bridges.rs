//! A name that is the same everywhere and reads like a name of one space is taken for it by its form. Where names of
//! two spaces read like it, it would make them one although nobody has said so: then it is taken for neither, until a
//! text, a model or a user joins those names. It must not know what anything means.
//!
//! Invariant: what is left out follows from the region as it is cut, so the order in which names came does not show.

use crate::graph::Node;
use crate::id::{NodeId, SpaceKey};
use crate::resolve::components::Pair;
use std::collections::{BTreeMap, BTreeSet};

/// A name that counts in a space and reads like one that is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    everywhere: NodeId,
    local: NodeId,
    space: SpaceKey,
    /// Nothing but their form joins the two.
    by_form_alone: bool,
}

impl Claim {
    /// The claim in a pair that is joined by its form; none where both count everywhere, or neither does.
    pub fn of(one: &Node, other: &Node, by_form_alone: bool) -> Option<Self> {
        let everywhere = |node: &Node| node.space.is_none() && node.key.is_none();
        let (everywhere, local) = match (everywhere(one), everywhere(other)) {
            (true, false) => (one.id, other),
            (false, true) => (other.id, one),
            _ => return None,
        };
        let space = local.space.clone()?;
        Some(Claim { everywhere, local: local.id, space, by_form_alone })
    }

    fn pair(&self) -> Pair {
        (self.everywhere.min(self.local), self.everywhere.max(self.local))
    }
}

/// Whether any name may lead from one space to another.
pub(super) fn may_bridge(claims: &[Claim]) -> bool {
    claims.iter().map(|claim| &claim.space).collect::<BTreeSet<_>>().len() > 1
}

/// The pairs that hold by their form alone, whichever names lead where.
pub(super) fn by_form(claims: &[Claim]) -> BTreeSet<Pair> {
    claims.iter().filter(|claim| claim.by_form_alone).map(Claim::pair).collect()
}

/// Those of them that do not count, given where each node is when none of them does.
pub(super) fn left_out(claims: &[Claim], home: &BTreeMap<NodeId, NodeId>) -> BTreeSet<Pair> {
    let mut about: BTreeMap<NodeId, Vec<&Claim>> = BTreeMap::new();
    for claim in claims {
        if let Some(home) = home.get(&claim.everywhere) {
            about.entry(*home).or_default().push(claim);
        }
    }
    let leads_on = |claims: &&Vec<&Claim>| {
        let spaces: BTreeSet<&SpaceKey> = claims.iter().map(|claim| &claim.space).collect();
        let homes: BTreeSet<_> = claims.iter().filter_map(|claim| home.get(&claim.local)).collect();
        spaces.len() > 1 && homes.len() > 1
    };
    let bridges = about.values().filter(leads_on).flatten();
    bridges.filter(|claim| claim.by_form_alone).map(|claim| claim.pair()).collect()
}
