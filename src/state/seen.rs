//! What the resolver has looked up: a hub of a wiki is at one end of hundreds of facts, an epoch weighs each of them
//! against its neighbours, and does so again when answers have come. It must not know what anything is looked up for.
//!
//! Invariant: what is kept here is what the rows of the graph say; a record that changes them empties it.

use crate::error::Result;
use knowledge::graph::{Judgement, Support};
use knowledge::id::{FactId, NodeId};
use knowledge::resolve::{Group, HeldFact};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What was looked up since the graph last changed.
#[derive(Default)]
pub(super) struct Seen {
    pub facts: Answers<FactId, Option<HeldFact>>,
    pub facts_at: Answers<NodeId, Vec<HeldFact>>,
    pub groups: Answers<NodeId, Option<Group>>,
    pub supports: Answers<FactId, Vec<Support>>,
    pub judgements: Answers<FactId, Vec<Judgement>>,
}

/// Answers of one sort.
pub(super) struct Answers<K, V>(RefCell<BTreeMap<K, V>>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Answers(RefCell::new(BTreeMap::new()))
    }
}

impl<K: Ord, V: Clone> Answers<K, V> {
    /// What was seen, or else what a look finds.
    pub fn or(&self, key: K, look: impl FnOnce() -> Result<V>) -> Result<V> {
        if let Some(seen) = self.0.borrow().get(&key) {
            return Ok(seen.clone());
        }
        let found = look()?;
        self.0.borrow_mut().insert(key, found.clone());
        Ok(found)
    }
}
