//! Who looks, and what the state shows him: the graph as it would be if the wiki had no other pages than those he may
//! see.
//!
//! A state with a viewer reads from temporary tables of the same names, which hide those of the file: what stands on a
//! page is a view that leaves out the pages he may not see, and what is derived from pages (entities, folds, times, the
//! words that find them) is derived again, by the resolver and by the fold, from what is left. So every reader of the
//! state is written once, and what nobody thought of shows nothing. Rows come when they are asked about
//! (`bring.rs`); `part.rs` answers the resolver; `pages.rs` says which pages there are.
//!
//! Invariant: no row that a reader finds depends on a page that the viewer may not see.

mod bring;
mod pages;
mod part;
mod people;
mod told;

pub(in crate::state) use bring::FACTS_OF_HUB;
pub use people::Viewer;

use super::State;
use super::seen::Seen;
use crate::error::Result;
use knowledge::graph::Node;
use knowledge::id::{ChunkId, FactId, NodeId, PersonKey};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a viewer may see, as far as anybody has asked about it.
#[derive(Default)]
pub(super) struct Sight {
    /// Whose it is.
    viewer: Option<Viewer>,
    /// The pages he may see, sorted.
    pages: Arc<[String]>,
    /// Nodes whose entity is known by now.
    nodes: RefCell<BTreeSet<NodeId>>,
    /// Facts that stand in the table, and those of them that are dated, each with all that says the same.
    placed: RefCell<BTreeSet<FactId>>,
    dated: RefCell<BTreeMap<FactId, Arc<[FactId]>>>,
    /// What can be found by words, since it was last forgotten.
    nodes_found: RefCell<BTreeSet<NodeId>>,
    facts_found: RefCell<BTreeSet<FactId>>,
    /// Facts of which the judgements that fold or end are known by now, and those of which all are.
    judged: RefCell<BTreeSet<FactId>>,
    judged_all: RefCell<BTreeSet<FactId>>,
    /// Nodes as he may see them named.
    viewed: RefCell<BTreeMap<NodeId, Option<Node>>>,
    /// What chunks call the nodes they speak of.
    names: RefCell<BTreeMap<ChunkId, Vec<Node>>>,
}

/// Names and facts that are kept derived between two questions: some 50 MB of tables in memory.
const DERIVED: usize = 100_000;

impl State {
    /// The state as this viewer may see it, at this moment: what is recorded later is not seen. While it is kept, the
    /// log of the file cannot be folded into it: whoever answers many questions makes one for each.
    pub fn seen_by(mut self, viewer: &Viewer) -> Result<Self> {
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        // Held until the state is dropped: what is derived must not mix two moments.
        self.connection.execute_batch("BEGIN")?;
        self.connection.execute_batch(include_str!("viewer.sql"))?;
        // Whatever was looked up before was looked up in all of it.
        self.connection.flush_prepared_statement_cache();
        self.seen = Seen::default();
        self.view = RefCell::default();
        let pages = self.place_pages(viewer)?.into();
        self.sight = Some(Sight { viewer: Some(viewer.clone()), pages, ..Sight::default() });
        Ok(self)
    }

    /// Lets go of the moment that it shows, so that the log of the file can be folded into it while nobody asks. What
    /// was derived is kept, unless it is much; `resume` says whether it still counts.
    pub fn rest(&self) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        if sight.nodes.borrow().len() + sight.placed.borrow().len() > DERIVED {
            self.forget_all()?;
        }
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// Takes up a moment again, after `rest`. False where it is another one than a state shows that was opened just
    /// now, or where somebody else looks: then this one is of no use any more.
    pub fn resume(&self, fresh: &State, viewer: Option<&Viewer>) -> Result<bool> {
        let own = self.sight.as_ref().and_then(|sight| sight.viewer.as_ref());
        if own != viewer {
            return Ok(false);
        }
        if own.is_some() {
            self.connection.execute_batch("BEGIN")?;
        }
        Ok(self.stamp()? == fresh.stamp()?)
    }

    /// Forgets all that was derived. Whoever walks through everything does so now and then, or all of it would be in
    /// memory at once; what is asked about afterwards is derived again, and comes out the same.
    pub(super) fn forget_all(&self) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        self.forget()?;
        self.connection.execute_batch(
            "DELETE FROM temp.node; DELETE FROM temp.entity; DELETE FROM temp.fact; DELETE FROM temp.spell;
             DELETE FROM temp.judgement; DELETE FROM temp.alike;",
        )?;
        sight.nodes.borrow_mut().clear();
        sight.placed.borrow_mut().clear();
        sight.dated.borrow_mut().clear();
        sight.judged.borrow_mut().clear();
        sight.judged_all.borrow_mut().clear();
        sight.viewed.borrow_mut().clear();
        sight.names.borrow_mut().clear();
        Ok(())
    }

    /// The key of the user whose sight this is; none where all is seen.
    pub(super) fn viewer_key(&self) -> Option<PersonKey> {
        self.sight.as_ref()?.viewer.as_ref().map(|viewer| viewer.key().clone())
    }

    /// The pages that whoever looks may see, sorted; none where all are seen.
    pub(super) fn pages_seen(&self) -> Option<Arc<[String]>> {
        self.sight.as_ref().map(|sight| sight.pages.clone())
    }

    /// Whether somebody looks who may not see everything.
    pub(super) fn has_viewer(&self) -> bool {
        self.sight.is_some()
    }
}

#[cfg(test)]
mod tests;
