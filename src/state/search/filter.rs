//! What results may be about: spaces, labels, kinds of things, and who read it. Reads only. A filter narrows what is
//! found and never changes its order.

use crate::error::Result;
use crate::state::State;
use knowledge::id::{EntityId, FactId};
use knowledge::resolve::normalise;
use rusqlite::params;

/// What results may be about; an empty list admits everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Keys of spaces.
    pub spaces: Vec<String>,
    /// Labels of pages.
    pub labels: Vec<String>,
    /// Kinds of things, such as `Service`: of entities, and of either end of a fact. Passages have none.
    pub kinds: Vec<String>,
    /// Who read a fact.
    pub sources: Vec<Reader>,
    /// Which sorts of results.
    pub results: Vec<Sort>,
}

/// Who read a fact in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The rules.
    Rules,
    /// A model.
    Model,
}

/// A sort of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Facts with the sentences they stand on.
    Facts,
    /// Things.
    Entities,
    /// Pieces of pages.
    Passages,
}

impl Filter {
    /// Whether this sort of results is wanted.
    pub fn wants(&self, sort: Sort) -> bool {
        let asked = self.results.is_empty() || self.results.contains(&sort);
        asked
            && match sort {
                Sort::Facts => true,
                Sort::Entities => self.sources.is_empty(),
                Sort::Passages => self.kinds.is_empty() && self.sources.is_empty(),
            }
    }

    /// Whether it matters on which page something stands.
    pub(super) fn is_of_pages(&self) -> bool {
        !self.spaces.is_empty() || !self.labels.is_empty()
    }

    pub(super) fn admits_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind))
    }

    pub(super) fn admits_extractor(&self, extractor: &str) -> bool {
        let reader = if extractor == "structural" { Reader::Rules } else { Reader::Model };
        self.sources.is_empty() || self.sources.contains(&reader)
    }
}

impl State {
    /// Whether a page is in one of the spaces and has one of the labels.
    pub(super) fn admits_page(&self, page: &str, filter: &Filter) -> Result<bool> {
        let list = |names: &[String], of: fn(&String) -> String| -> Result<Option<String>> {
            let names: Vec<String> = names.iter().map(of).collect();
            Ok(if names.is_empty() { None } else { Some(serde_json::to_string(&names)?) })
        };
        let spaces = list(&filter.spaces, |space| space.to_lowercase())?;
        let labels = list(&filter.labels, |label| normalise(label))?;
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM page WHERE page = ?1
             AND (?2 IS NULL OR lower(space) IN (SELECT value FROM json_each(?2)))
             AND (?3 IS NULL OR EXISTS (
                 SELECT 1 FROM json_each(?3) wanted JOIN main.node n ON n.normal = wanted.value AND n.kind = 'Label'
                 JOIN mention m ON m.node = n.node JOIN chunk c ON c.chunk = m.chunk
                 JOIN episode e ON e.chunk = c.chunk
                 WHERE c.page = page.page AND c.form <> '\"text\"' AND e.ended IS NULL))",
        )?;
        Ok(statement.exists(params![page, spaces, labels])?)
    }

    /// Whether an end of a fact is of one of the kinds.
    pub(super) fn admits_ends(&self, fact: FactId, filter: &Filter) -> Result<bool> {
        if filter.kinds.is_empty() {
            return Ok(true);
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(e.kind, n.kind) FROM fact f JOIN node n ON n.node IN (f.subject, f.object)
             LEFT JOIN entity e ON e.entity = n.entity WHERE f.fact = ?1",
        )?;
        let mut rows = statement.query([fact.as_bytes()])?;
        while let Some(row) = rows.next()? {
            if filter.admits_kind(row.get_ref(0)?.as_str().unwrap_or_default()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of the pages that speak of an entity is admitted.
    pub(super) fn admits_entity(&self, entity: EntityId, filter: &Filter) -> Result<bool> {
        if !filter.is_of_pages() {
            return Ok(true);
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT c.page FROM node n JOIN mention m ON m.node = n.node JOIN chunk c ON c.chunk = m.chunk
             WHERE n.entity = ?1 ORDER BY c.page LIMIT ?2",
        )?;
        let mut rows = statement.query(params![entity.0.as_bytes(), PAGES_LOOKED_AT])?;
        while let Some(row) = rows.next()? {
            if self.admits_page(&row.get::<_, String>(0)?, filter)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Pages that are looked at to find whether an entity is of a space or a label: a hub stands on thousands.
const PAGES_LOOKED_AT: i64 = 1_000;
