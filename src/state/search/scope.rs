//! Which rows a search is about: what whoever looks may see (`search/view.rs`), on the pages that he wants, at the time
//! that he asks about. Judged from what is in memory (`search/grounds.rs`), for every row that an index or a vector
//! proposes, before any is counted or cut. It must not know what proposes rows.
//!
//! Invariant: what is answered here for a viewer follows from the pages he may see.

use super::grounds::{FactRow, Passage, RowNumber};
use super::view::{View, among};
use super::{Query, Row};
use crate::error::Result;
use crate::state::State;
use knowledge::resolve::normalise;
use knowledge::time::Timestamp;
use rusqlite::params;
use std::cell::OnceCell;
use std::ops::Deref;
use std::sync::Arc;

/// What a search is about: a view, and what is wanted of it.
pub(in crate::state) struct Scope {
    view: Arc<View>,
    /// Pages that are wanted, by their places.
    wanted: Option<Vec<bool>>,
    /// When the wiki said it; none for now.
    between: Option<(Timestamp, Timestamp)>,
    now: Option<Timestamp>,
    passages: OnceCell<usize>,
}

impl Deref for Scope {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl State {
    /// What a query is about, for whoever looks.
    pub(super) fn scope(&self, query: &Query) -> Result<Scope> {
        let view = self.view()?;
        let wanted = match query.filter.is_of_pages() {
            true => Some(self.pages_wanted(&view.grounds.pages, query)?),
            false => None,
        };
        let (from, to) = query.said_between();
        Ok(Scope { view, wanted, between: from.zip(to), now: query.now, passages: OnceCell::new() })
    }

    /// Which pages are in one of the spaces and have one of the labels.
    fn pages_wanted(&self, all: &[String], query: &Query) -> Result<Vec<bool>> {
        let list = |names: &[String], of: fn(&String) -> String| -> Result<Option<String>> {
            let names: Vec<String> = names.iter().map(of).collect();
            Ok(if names.is_empty() { None } else { Some(serde_json::to_string(&names)?) })
        };
        let spaces = list(&query.filter.spaces, |space| space.to_lowercase())?;
        let labels = list(&query.filter.labels, |label| normalise(label))?;
        let mut statement = self.connection().prepare_cached(
            "SELECT page FROM main.page WHERE (?1 IS NULL OR lower(space) IN (SELECT value FROM json_each(?1)))
             AND (?2 IS NULL OR page IN (
                 SELECT c.page FROM json_each(?2) wanted
                 JOIN main.node n ON n.normal = wanted.value AND n.kind = 'Label'
                 JOIN main.mention m ON m.node = n.node JOIN main.chunk c ON c.chunk = m.chunk
                 JOIN main.episode e ON e.chunk = c.chunk
                 WHERE c.form <> '\"text\"' AND e.ended IS NULL)) ORDER BY page",
        )?;
        let found = statement.query_map(params![spaces, labels], |row| row.get(0))?;
        let found = found.collect::<rusqlite::Result<Vec<String>>>()?;
        Ok(among(all, &found))
    }
}

impl Scope {
    fn wants_page(&self, page: Option<u32>) -> bool {
        let Some(wanted) = &self.wanted else { return true };
        page.is_some_and(|at| wanted[at as usize])
    }

    /// Whether a passage counts: it is text that may be seen and that the wiki said then.
    pub fn counts(&self, passage: RowNumber) -> bool {
        self.grounds.passage(passage).is_some_and(|passage| self.is_counted(passage))
    }

    fn is_counted(&self, passage: &Passage) -> bool {
        passage.is_text && passage.is_said(self.between) && self.sees_page(passage.page)
    }

    /// Whether a passage may be a result. A passage is true at no date of its own.
    pub fn shows(&self, passage: RowNumber) -> bool {
        self.grounds.passage(passage).is_some_and(|passage| {
            let page = passage.page;
            self.sees_page(page) && self.wants_page(page) && passage.is_said(self.between)
        })
    }

    /// How many passages count.
    pub fn passages(&self) -> usize {
        if self.between.is_none() {
            return self.view.passages;
        }
        let count = || self.grounds.passages().filter(|passage| self.is_counted(passage)).count();
        *self.passages.get_or_init(count)
    }

    /// Whether a fact, or one that is shown by it, may stand on something that is wanted. Without a time, on something
    /// that is still said; whether it holds then, its dates say.
    pub fn wants_fact(&self, fact: RowNumber) -> bool {
        if self.is_plain() {
            return self.tells(fact);
        }
        self.stands(fact) || self.grounds.folded(fact).iter().any(|folded| self.stands(*folded))
    }

    /// The same of the fact that is shown in its place.
    pub fn wants_shown(&self, fact: RowNumber) -> bool {
        match self.is_plain() {
            true => self.tells_shown(fact),
            false => self.grounds.fact(fact).is_some_and(|held| self.wants_fact(held.shown)),
        }
    }

    /// The same of a fact by itself.
    pub fn stands(&self, fact: RowNumber) -> bool {
        self.grounds.stands(fact).any(|(passage, ended)| {
            let page = self.grounds.passage(passage).and_then(|passage| passage.page);
            (self.between.is_some() || !ended) && self.sees_page(page) && self.wants_page(page)
        })
    }

    /// Whether a page is wanted.
    pub fn wants(&self, page: &str) -> bool {
        let at = || self.grounds.pages.binary_search_by(|held| held.as_str().cmp(page)).ok();
        self.wanted.is_none() || self.wants_page(at().map(|at| at as u32))
    }

    /// Whether something speaks of a name now, so that it is in an entity, and a page that is wanted does or did.
    pub fn wants_node(&self, node: RowNumber) -> bool {
        let wants = |passage: &RowNumber| {
            let page = self.grounds.passage(*passage).and_then(|passage| passage.page);
            self.sees_page(page) && self.wants_page(page)
        };
        self.is_live(node) && (self.wanted.is_none() || self.grounds.spoken(node).iter().any(wants))
    }

    /// The passages that count and speak of a name.
    pub fn spoken(&self, node: RowNumber) -> impl Iterator<Item = RowNumber> + '_ {
        self.grounds.spoken(node).iter().copied().filter(move |passage| self.counts(*passage))
    }

    /// The id by which equals are ordered: rows are numbered as they came, hidden ones among them, but for passages,
    /// which come page by page.
    pub fn id_of(&self, row: Row) -> [u8; 16] {
        let at = |row: i64| RowNumber::try_from(row).unwrap_or_default();
        match row {
            Row::Fact(row) => self.grounds.fact(at(row)).map(|held| *held.id.as_bytes()),
            Row::Node(row) => self.grounds.node(at(row)).map(|named| *named.id.as_bytes()),
            Row::Chunk(_) => None,
        }
        .unwrap_or_default()
    }

    /// Whether a moment is asked about that is not now.
    pub fn is_dated(&self) -> bool {
        self.between.is_some()
    }

    /// Whether all that may be seen is wanted, as it is said now.
    fn is_plain(&self) -> bool {
        self.wanted.is_none() && self.between.is_none()
    }

    /// Whether only some pages are wanted.
    pub fn is_narrow(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether a fact holds now, as a look tells: nothing dates it, nobody has judged it, and it is said.
    pub fn surely_holds(&self, fact: RowNumber) -> bool {
        let told = |held: &FactRow| {
            let begun = self.now.is_none_or(|now| held.said_since.is_none_or(|since| since <= now));
            held.shown == fact
                && !held.says_nothing
                && !held.dated
                && !held.judged
                && begun
                && self.grounds.folded(fact).is_empty()
        };
        self.between.is_none()
            && self.is_as_all_see(fact)
            && self.grounds.fact(fact).is_some_and(told)
            && self.grounds.stands(fact).all(|(_, ended)| !ended)
    }
}
