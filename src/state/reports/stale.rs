//! Facts that nobody looked after for long and that others build on. It must not know what "long" is: the caller says
//! before when.
//!
//! A fact is stale when every current page that says it in its text was last touched before a date, it holds today, and
//! at least one *other* page cites it: by a link to one of those pages, or by saying something of the same thing. Pages
//! without a date are neither fresh nor stale; they keep a fact out, since nobody knows.

use super::super::State;
use super::super::candidates::collect;
use super::super::look::Statement;
use super::{BARE, Listing, Voice};
use crate::error::Result;
use knowledge::id::FactId;
use knowledge::time::{Timestamp, parse, stored};
use serde::Serialize;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A fact that was not looked after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// The fact.
    #[serde(flatten)]
    pub statement: Statement,
    /// How many other pages cite it.
    pub cited_by: usize,
    /// Some of them.
    pub citing: Vec<Citing>,
    /// Who says so, last touched first.
    pub said_by: Vec<Voice>,
}

/// A page that cites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Citing {
    /// The page.
    pub page: String,
    /// Its title.
    pub title: String,
}

/// Citing pages that are named; the rest is counted.
const NAMED: usize = 5;

/// What is known by now of who cites: by page and by fact the same is asked again and again.
#[derive(Default)]
struct Cited {
    pages: BTreeMap<String, BTreeSet<String>>,
    entities: BTreeMap<[u8; 16], BTreeSet<String>>,
}

impl State {
    /// Facts whose pages were all last touched before a date, and that other pages cite: most cited first, then those
    /// that were not touched for longest, then by id.
    pub fn stale(&self, (before, now): (Timestamp, Timestamp), limit: usize) -> Result<Listing<Stale>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT DISTINCT s.fact FROM page p JOIN support s USING (page) JOIN chunk c USING (chunk)
             JOIN main.fact f USING (fact)
             WHERE p.modified < ?1 AND s.ended IS NULL AND c.form = '\"text\"' AND f.relation NOT IN {BARE}
             ORDER BY s.fact"
        ))?;
        let facts = collect(statement.query([stored(before)])?, |row| Ok(FactId::from_bytes(row.get(0)?)))?;
        let (mut seen, mut cited, mut found) = (BTreeSet::new(), Cited::default(), Vec::new());
        for fact in facts {
            let Some(shown) = self.shown(fact)?.filter(|shown| seen.insert(*shown)) else { continue };
            found.extend(self.neglected(shown, (before, now), &mut cited)?);
        }
        found.sort_by_cached_key(|stale| {
            let touched = stale.said_by.first().and_then(|voice| voice.page.touched.clone());
            (std::cmp::Reverse(stale.cited_by), touched, stale.statement.fact)
        });
        let all = found.len();
        found.truncate(limit);
        Ok(Listing { found: all, first: found })
    }

    /// A fact, if all that say it were left alone and somebody cites it.
    fn neglected(
        &self,
        fact: FactId,
        (before, now): (Timestamp, Timestamp),
        cited: &mut Cited,
    ) -> Result<Option<Stale>> {
        let said_by = self.voices(fact, now)?;
        let old = |voice: &Voice| {
            voice.page.touched.as_deref().and_then(parse).is_some_and(|touched| touched < before)
        };
        if said_by.is_empty() || !said_by.iter().all(old) {
            return Ok(None);
        }
        let Some(statement) = self.statement(fact)? else { return Ok(None) };
        let over = statement.invalid_at.as_deref().and_then(parse).is_some_and(|end| end <= now);
        let citing = self.citing(fact, &said_by, cited)?;
        if over || statement.withdrawn || citing.is_empty() {
            return Ok(None);
        }
        let mut named = Vec::new();
        for page in citing.iter().take(NAMED) {
            named.extend(self.page_line(page)?.map(|line| Citing { page: line.page, title: line.title }));
        }
        Ok(Some(Stale { statement, cited_by: citing.len(), citing: named, said_by }))
    }

    /// The other pages that link to a page that says a fact, or say something of what it is about.
    fn citing(&self, fact: FactId, said_by: &[Voice], cited: &mut Cited) -> Result<BTreeSet<String>> {
        let mut pages = BTreeSet::new();
        for voice in said_by {
            let page = &voice.page.page;
            if !cited.pages.contains_key(page) {
                let entity = self.entity_of_page(page)?;
                let linking = entity.map_or(Ok(BTreeSet::new()), |entity| self.pages_about(entity, true))?;
                cited.pages.insert(page.clone(), linking);
            }
            pages.extend(cited.pages.get(page).into_iter().flatten().cloned());
        }
        if let Some(entity) = self.subject_of(fact)? {
            let key = *entity.0.as_bytes();
            if let Entry::Vacant(unknown) = cited.entities.entry(key) {
                unknown.insert(self.pages_about(entity, false)?);
            }
            pages.extend(cited.entities.get(&key).into_iter().flatten().cloned());
        }
        pages.retain(|page| said_by.iter().all(|voice| voice.page.page != *page));
        Ok(pages)
    }
}
