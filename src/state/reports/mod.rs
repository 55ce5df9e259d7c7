//! What a gardener of a wiki wants to know: where pages disagree, what is cited and was not touched for long, what
//! nobody finds. Reads only.
//!
//! Everything is asked of the tables that a viewer has in place of the file's, and what is derived for him is brought
//! first: a report for a user is that of a wiki which has no other pages than his. Invariant: a report says nothing
//! that no current page says.

mod contradictions;
mod orphans;
mod stale;

pub use contradictions::{Contradiction, Side};
pub use orphans::{Orphans, Unexplained};
pub use stale::Stale;

use super::State;
use super::candidates::collect;
use super::look::with_names;
use crate::error::Result;
use knowledge::graph::Key;
use knowledge::id::{EntityId, FactId, NodeId, PageId};
use knowledge::time::{Timestamp, parse};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// The first so many of what was found, worth most first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing<T> {
    /// How many there are in all.
    pub found: usize,
    /// The first of them.
    pub first: Vec<T>,
}

/// A page as a gardener needs it: where it is, when it was touched, and whom to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageLine {
    /// The page.
    pub page: String,
    /// The space it is in.
    pub space: String,
    /// Its title.
    pub title: String,
    /// Where a browser finds it.
    pub link: Option<String>,
    /// When its current version was written, where known.
    pub touched: Option<String>,
    /// Who made the page.
    pub author: Option<String>,
    /// Who wrote the current version.
    pub editor: Option<String>,
}

/// A current page that says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Voice {
    /// The page.
    #[serde(flatten)]
    pub page: PageLine,
    /// The sentence, with names shown.
    pub sentence: String,
    /// Since when the page says so, where known.
    pub said_since: Option<String>,
    /// Since when it is true, as the sentence says.
    pub valid_at: Option<String>,
    /// Until when it is true, as the sentence says.
    pub invalid_at: Option<String>,
}

impl Voice {
    /// Since when this is meant to be true: what the text says, or since when it says so.
    fn begins(&self) -> Option<&String> {
        self.valid_at.as_ref().or(self.said_since.as_ref())
    }

    fn ended_by(&self, at: Timestamp) -> bool {
        self.invalid_at.as_deref().and_then(parse).is_some_and(|end| end <= at)
    }
}

/// A page's row with the two people who answer for it, from what was received of its current version.
const PAGE: &str = "SELECT page.page, page.space, page.title, page.link, page.modified,
    json_extract(raw_page.received, '$.author'), json_extract(raw_page.received, '$.editor')
    FROM page LEFT JOIN raw_page USING (page, version) WHERE page.page = ?1";

/// Relations by which a text leads to a page.
const LINKS: &str = "('links_to', 'includes')";

/// Relations that state nothing of what they are about: links, and what a text merely names.
const BARE: &str = "('links_to', 'includes', 'mentions', 'refers_to')";

impl State {
    fn page_line(&self, page: &str) -> Result<Option<PageLine>> {
        let named = |key: Option<String>| -> Result<Option<String>> {
            let Some(key) = key else { return Ok(None) };
            let mut statement =
                self.connection().prepare_cached("SELECT name FROM person WHERE person = ?1")?;
            Ok(Some(statement.query_row([&key], |row| row.get(0)).optional()?.unwrap_or(key)))
        };
        let mut statement = self.connection().prepare_cached(PAGE)?;
        let found = collect(statement.query([page])?, |row| {
            Ok(PageLine {
                page: row.get(0)?,
                space: row.get(1)?,
                title: row.get(2)?,
                link: row.get(3)?,
                touched: row.get(4)?,
                author: named(row.get(5)?)?,
                editor: named(row.get(6)?)?,
            })
        })?;
        Ok(found.into_iter().next())
    }

    /// The fact that shows a fact, as the viewer has it; none where he sees nothing of it.
    fn shown(&self, fact: FactId) -> Result<Option<FactId>> {
        self.bring_facts(&[fact])?;
        let mut statement = self
            .connection()
            .prepare_cached("SELECT coalesce(folded_into, fact) FROM fact WHERE fact = ?1")?;
        let found = statement.query_row([fact.as_bytes()], |row| row.get(0)).optional()?;
        Ok(found.map(FactId::from_bytes))
    }

    /// The current pages that say a fact, each with one sentence, last touched first. What the sentence itself calls
    /// over by now is no voice.
    fn voices(&self, fact: FactId, now: Timestamp) -> Result<Vec<Voice>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT s.page, s.sentence, s.asserted_from, s.valid_at, s.invalid_at FROM support s JOIN page USING (page)
             WHERE s.fact IN (SELECT ?1 UNION ALL SELECT fact FROM fact WHERE folded_into = ?1) AND s.ended IS NULL
             ORDER BY page.modified IS NULL, page.modified DESC, s.page, s.asserted_from, s.chunk",
        )?;
        let rows = collect(statement.query([fact.as_bytes()])?, |row| {
            let times: [Option<String>; 3] = [row.get(2)?, row.get(3)?, row.get(4)?];
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, times))
        })?;
        let (mut voices, mut heard) = (Vec::new(), BTreeSet::new());
        for (page, sentence, [said_since, valid_at, invalid_at]) in rows {
            let Some(page) = self.page_line(&page)? else { continue };
            let sentence = with_names(self.connection(), &sentence)?;
            let voice = Voice { page, sentence, said_since, valid_at, invalid_at };
            if !voice.ended_by(now) && heard.insert(voice.page.page.clone()) {
                voices.push(voice);
            }
        }
        Ok(voices)
    }

    /// The entity of a page, if its card is in the graph.
    fn entity_of_page(&self, page: &str) -> Result<Option<EntityId>> {
        let key = serde_json::to_string(&Key::Page(PageId::new(page)))?;
        let mut statement = self.connection().prepare_cached(
            "SELECT n.node FROM episode e JOIN mention m USING (chunk) JOIN main.node n USING (node)
             WHERE e.page = ?1 AND e.ended IS NULL AND n.key = ?2 LIMIT 1",
        )?;
        let node = statement.query_row(params![page, key], |row| row.get(0)).optional()?;
        let Some(node) = node.map(NodeId::from_bytes) else { return Ok(None) };
        self.bring_nodes(&[node])?;
        self.entity_of_node(node)
    }

    /// The pages whose text says something of an entity today, of whichever end; or only those that link to it. What
    /// stands on a page (comments, files) is no page of its own here.
    fn pages_about(&self, entity: EntityId, links: bool) -> Result<BTreeSet<String>> {
        let only = if links { format!("AND f.relation IN {LINKS}") } else { String::new() };
        let end = |end: &str| {
            format!(
                "SELECT s.page FROM node n JOIN main.fact f ON f.{end} = n.node JOIN support s USING (fact)
                 JOIN chunk c USING (chunk) JOIN page p ON p.page = s.page
                 WHERE n.entity = ?1 AND s.ended IS NULL AND c.form = '\"text\"' AND p.stands_on IS NULL {only}"
            )
        };
        let sql = match links {
            true => end("object"),
            false => format!("{} UNION {}", end("subject"), end("object")),
        };
        let mut statement = self.connection().prepare_cached(&sql)?;
        let pages = collect(statement.query([entity.0.as_bytes()])?, |row| Ok(row.get(0)?))?;
        Ok(pages.into_iter().collect())
    }

    /// How many current pages speak of an entity.
    fn pages_speaking_of(&self, entity: EntityId) -> Result<u32> {
        let mut statement = self.connection().prepare_cached(
            "SELECT count(DISTINCT e.page) FROM node n JOIN mention m USING (node) JOIN episode e USING (chunk)
             WHERE n.entity = ?1 AND e.ended IS NULL",
        )?;
        Ok(statement.query_row([entity.0.as_bytes()], |row| row.get(0))?)
    }

    /// The entity a fact is about.
    fn subject_of(&self, fact: FactId) -> Result<Option<EntityId>> {
        let mut statement = self.connection().prepare_cached("SELECT subject FROM fact WHERE fact = ?1")?;
        let node = statement.query_row([fact.as_bytes()], |row| row.get(0)).optional()?;
        match node.map(NodeId::from_bytes) {
            Some(node) => self.entity_of_node(node),
            None => Ok(None),
        }
    }
}
