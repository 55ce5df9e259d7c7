//! What results may be about: spaces, labels, kinds of things, and who read it. Reads only. A filter narrows what is
//! looked through, so that what passes it is found however much else there is.

use crate::error::Result;
use crate::state::State;
use knowledge::id::FactId;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Facts with the sentences they stand on.
    Facts,
    /// Things.
    Entities,
    /// Pieces of pages.
    Passages,
}

impl Filter {
    /// Whether no other sort of results was asked for.
    pub fn wants_only(&self, sort: Sort) -> bool {
        !self.results.is_empty() && self.results.iter().all(|wanted| *wanted == sort)
    }

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

    /// Whether a fact must be looked at by itself to know whether it is admitted.
    pub(super) fn is_of_facts(&self) -> bool {
        !self.kinds.is_empty() || !self.sources.is_empty()
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
}
