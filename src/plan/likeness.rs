//! Names that mean nearly the same although they look different: found by the built-in vectors when an epoch is
//! gathered, so that a model can be asked about them. A pure function of names: what is kept of vectors is a cache of
//! it, and the same pairs come out whether or not it is there.
//!
//! Invariant: nothing merges because of a vector. A pair is a question, and stays apart when nobody answers.

use crate::embedders::Quantised;
use crate::embedders::builtin::{self, Builtin};
use crate::error::Result;
use crate::state::State;
use crate::state::alike::{ALIKE, NOTES, digits};
use knowledge::graph::Node;
use knowledge::id::NodeId;
use knowledge::record::Gathered;
use knowledge::resolve;
use std::collections::{BTreeMap, BTreeSet};

/// Signs of two vectors that may differ: at a cosine of 0.88 every sixth does (61 of 384), and 20 are four deviations
/// more, so that next to no pair is missed and few are compared in full.
const SIGNS: u32 = 81;

/// A name with what it is compared by.
struct Named {
    id: NodeId,
    digits: String,
    signs: Box<[u64]>,
    vector: Quantised,
}

impl Named {
    fn of((node, vector): (Node, Quantised)) -> Self {
        Self { id: node.id, digits: digits(&node.normal), signs: vector.signs(), vector }
    }

    /// How alike two names are, where that is worth a question.
    fn likeness(&self, other: &Self) -> Option<f32> {
        let differ: u32 =
            self.signs.iter().zip(&other.signs).map(|(one, other)| (one ^ other).count_ones()).sum();
        // Names that differ in a number mean different things.
        let may_be = differ <= SIGNS && self.id != other.id && self.digits == other.digits;
        may_be.then(|| self.vector.cosine(&other.vector)).filter(|cosine| *cosine >= ALIKE)
    }
}

/// Pairs of names, of which at least one enters the graph with this epoch, the smaller id first.
pub(super) fn pairs(state: &State, gathered: &Gathered) -> Result<Vec<(NodeId, NodeId)>> {
    let mut entering = resolve::plain_names(&state.said(gathered)?);
    let held = state.plain_names()?;
    let known: BTreeSet<NodeId> = held.iter().map(|node| node.id).collect();
    entering.retain(|node| !known.contains(&node.id));
    if entering.is_empty() {
        return Ok(Vec::new());
    }
    let entering: Vec<Named> = with_vectors(state, entering)?.into_iter().map(Named::of).collect();
    let held: Vec<Named> = with_vectors(state, held)?.into_iter().map(Named::of).collect();
    let mut found = BTreeSet::new();
    for one in &entering {
        let near = entering.iter().chain(&held).filter_map(|other| Some((one.likeness(other)?, other.id)));
        let mut near: Vec<(f32, NodeId)> = near.collect();
        near.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(a.cmp(b)));
        found.extend(near.into_iter().take(NOTES).map(|(_, other)| (one.id.min(other), one.id.max(other))));
    }
    Ok(found.into_iter().collect())
}

/// Names with their vectors: those that are kept, the others made now and kept.
fn with_vectors(state: &State, nodes: Vec<Node>) -> Result<Vec<(Node, Quantised)>> {
    let texts: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let mut vectors: BTreeMap<String, Quantised> = state.vectors_by_text(&Builtin, &texts)?;
    let missing: Vec<&str> = texts.into_iter().filter(|text| !vectors.contains_key(*text)).collect();
    let made = builtin::embed_on_all_cores(&missing);
    state.keep_by_text(&Builtin, &missing, &made)?;
    vectors.extend(missing.into_iter().map(str::to_owned).zip(made));
    let with = |node: Node| vectors.get(&node.name).cloned().map(|vector| (node, vector));
    Ok(nodes.into_iter().filter_map(with).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::graph::Kind;

    fn named(name: &str) -> Named {
        let id = NodeId::of(&[name.as_bytes()]);
        let (kind, normal) = (Kind::THING, name.to_lowercase());
        let node = Node { id, name: name.to_owned(), normal, kind, space: None, key: None };
        Named::of((node, Builtin.embed(&[name]).remove(0)))
    }

    #[test]
    fn names_that_mean_one_thing_are_found_and_those_that_differ_in_a_number_are_not() {
        let alike = |one, other| named(one).likeness(&named(other)).is_some();
        assert!(alike("database backup", "backup of the database"));
        assert!(alike("user authentication service", "service for user authentication"));
        assert!(!alike("payment gateway", "ledger database"));
        assert!(!alike("release 12 of the portal", "release 13 of the portal"));
        assert!(!alike("database backup", "database backup"), "a name is not alike itself");
    }
}
