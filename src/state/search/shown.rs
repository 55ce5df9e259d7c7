//! Results as they are shown: whether a proposed row holds at the asked time and passes the filter, and what it says then.
//! Reads only. Must not know why a row was proposed.

use super::{Found, Query, Row};
use crate::error::Result;
use crate::state::State;
use crate::state::candidates::{collect, supports_noticed};
use crate::state::judged;
use knowledge::graph::Times;
use knowledge::id::{ChunkId, FactId, NodeId};
use knowledge::resolve;
use knowledge::time::{Timestamp, stored};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

/// A fact at a time: its times as known then, and the chunks that said it.
pub(in crate::state) struct Moment {
    pub times: Times,
    pub chunks: BTreeSet<ChunkId>,
}

/// Facts looked at to count those of an entity: a result list needs the size, not the sum.
const FACTS_COUNTED: i64 = 100;

impl State {
    /// A proposed row with its identity among results, if it holds at the asked time.
    pub(super) fn show(&self, row: Row, query: &Query) -> Result<Option<(String, Found)>> {
        match row {
            Row::Fact(row) => self.show_fact(row, query),
            Row::Node(row) => self.show_entity(row, query),
            Row::Chunk(row) => self.show_passage(row, query),
        }
    }

    fn show_fact(&self, row: i64, query: &Query) -> Result<Option<(String, Found)>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT coalesce(folded_into, fact) FROM fact WHERE row = ?1")?;
        let Some(fact) = statement.query_row([row], |row| row.get(0)).optional()?.map(FactId::from_bytes)
        else {
            return Ok(None);
        };
        let Some(moment) = self.moment(fact, query)? else { return Ok(None) };
        let Some(mut statement) = self.statement(fact)? else { return Ok(None) };
        statement.valid_at = moment.times.valid_at.map(stored);
        statement.invalid_at = moment.times.invalid_at.map(stored);
        statement.withdrawn = moment.times.withdrawn.is_some();
        if !query.filter.admits_extractor(&statement.extractor) || !self.admits_ends(fact, &query.filter)? {
            return Ok(None);
        }
        let mut sources = self.sources(fact)?;
        sources.retain(|source| moment.chunks.contains(&source.chunk));
        if query.filter.is_of_pages() {
            let mut admitted = Vec::new();
            for source in sources {
                if self.admits_page(&source.page, &query.filter)? {
                    admitted.push(source);
                }
            }
            if admitted.is_empty() {
                return Ok(None);
            }
            sources = admitted;
        }
        Ok(Some((format!("fact {fact}"), Found::Fact { statement, sources })))
    }

    /// A fact as it stood at the asked time; nothing when it did not hold. On the wiki's clock only what was said then
    /// counts, and only as it was known then. In the world it holds from its beginning (or from when a page first said
    /// it) until it ended or was withdrawn; unknown beginnings hold always.
    pub(in crate::state) fn moment(&self, fact: FactId, query: &Query) -> Result<Option<Moment>> {
        let mut supports = supports_noticed(self.connection(), fact)?;
        if let Some(at) = query.wiki_at {
            supports = supports.iter().filter_map(|support| resolve::as_said_at(support, at)).collect();
        }
        if query.when().is_none() {
            supports.retain(|support| support.end.is_none());
        }
        let mut rivals = BTreeMap::new();
        for rival in judged::rivals(self.connection(), fact)? {
            let said = supports_noticed(self.connection(), rival)?.into_iter();
            let then = said.filter_map(|said| match query.wiki_at {
                Some(at) => resolve::as_said_at(&said, at),
                None => Some(said),
            });
            rivals.insert(rival, then.collect());
        }
        let mut spells = resolve::spells(&supports, &rivals);
        if query.when().is_none() {
            // Now is in the last spell or in none.
            spells = spells.split_off(spells.len().saturating_sub(1));
        }
        let said_since = supports.iter().filter_map(|support| support.asserted_from).min();
        let held = spells.into_iter().map(|spell| spell.times).find(|times| holds(times, said_since, query));
        let chunks = supports.iter().map(|support| support.chunk).collect();
        Ok(held.filter(|_| !supports.is_empty()).map(|times| Moment { times, chunks }))
    }

    /// An entity with the facts that hold at the asked time. At a time other than now, one without any is not shown.
    fn show_entity(&self, row: i64, query: &Query) -> Result<Option<(String, Found)>> {
        let mut statement = self.connection().prepare_cached("SELECT node FROM node WHERE row = ?1")?;
        let Some(node) = statement.query_row([row], |row| row.get(0)).optional()?.map(NodeId::from_bytes)
        else {
            return Ok(None);
        };
        let Some(card) = self.entity_of(node)? else { return Ok(None) };
        if !query.filter.admits_kind(&card.kind) || !self.admits_entity(card.entity, &query.filter)? {
            return Ok(None);
        }
        self.bring_facts_of(card.entity, FACTS_COUNTED as usize)?;
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT fact FROM fact JOIN node ON node.node = fact.subject OR node.node = fact.object
             WHERE node.entity = ?1 AND folded_into IS NULL ORDER BY fact LIMIT ?2",
        )?;
        let facts = collect(statement.query(params![card.entity.0.as_bytes(), FACTS_COUNTED])?, |row| {
            Ok(FactId::from_bytes(row.get(0)?))
        })?;
        let mut holding = 0;
        for fact in facts {
            holding += u32::from(self.moment(fact, query)?.is_some());
        }
        if holding == 0 && (query.when().is_some() || query.wiki_at.is_some()) {
            return Ok(None);
        }
        Ok(Some((format!("entity {}", card.entity), Found::Entity { card, facts: holding })))
    }

    /// Whether a passage may be a result: the wiki said it at the asked time, the viewer may see it, the filter lets it
    /// pass. A passage is true at no date of its own.
    pub(super) fn shows_passage(&self, row: i64, query: &Query) -> Result<bool> {
        let (from, to) = query.said_between();
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.page FROM chunk JOIN episode USING (chunk)
             WHERE chunk.row = ?1 AND ((?2 IS NULL AND ended IS NULL) OR
                   (coalesce(valid_at, ?3) <= ?3 AND (ended IS NULL OR coalesce(end_at, noticed_at) > ?2)))",
        )?;
        let page: Option<String> = statement
            .query_row(params![row, from.map(stored), to.map(stored)], |row| row.get(0))
            .optional()?;
        match page {
            Some(page) if query.filter.is_of_pages() => self.admits_page(&page, &query.filter),
            page => Ok(page.is_some()),
        }
    }

    fn show_passage(&self, row: i64, query: &Query) -> Result<Option<(String, Found)>> {
        if !self.shows_passage(row, query)? {
            return Ok(None);
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.chunk, chunk.page, page.link,
                    (SELECT min(version) FROM cut WHERE cut.page = chunk.page AND instr(cut.chunks, chunk.chunk) > 0)
             FROM chunk LEFT JOIN page ON page.page = chunk.page WHERE chunk.row = ?1",
        )?;
        let found = statement
            .query_row([row], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, Option<u32>>(3)?))
            })
            .optional()?;
        let Some((id, page, link, version)) = found else { return Ok(None) };
        let Some(chunk) = self.chunk(ChunkId::from_bytes(id))? else { return Ok(None) };
        let passage = Found::Passage { chunk, page, version: version.unwrap_or(1), link };
        Ok(Some((format!("chunk {row}"), passage)))
    }
}

/// Whether something with these times holds when it is asked about: now, or at a time in the world.
fn holds(times: &Times, said_since: Option<Timestamp>, query: &Query) -> bool {
    let begins = times.valid_at.or(said_since);
    let ends = times.invalid_at.or(times.withdrawn.flatten());
    let unknown_end = times.withdrawn.is_some() && ends.is_none();
    !unknown_end
        && match query.when() {
            Some((from, to)) => {
                begins.is_none_or(|begins| begins <= to) && ends.is_none_or(|ends| ends > from)
            }
            None => times.invalid_at.zip(query.now).is_none_or(|(ended, now)| ended > now),
        }
}
