//! Results as they are shown: whether a proposed row holds at the asked time and passes the filter, and what it says
//! then. Reads only. Must not know why a row was proposed.

use super::grounds::RowNumber;
use super::scope::Scope;
use super::{Found, Query, Row};
use crate::error::Result;
use crate::state::State;
use crate::state::candidates::supports_noticed;
use crate::state::judged;
use crate::state::viewer::FACTS_OF_HUB;
use knowledge::graph::{Support, Times};
use knowledge::id::{ChunkId, EntityId, FactId};
use knowledge::resolve;
use knowledge::time::{Timestamp, stored};
use rusqlite::OptionalExtension;
use std::collections::{BTreeMap, BTreeSet};

/// A fact at a time: its times as known then, and the chunks that said it.
pub(in crate::state) struct Moment {
    pub times: Times,
    pub chunks: BTreeSet<ChunkId>,
}

/// Facts of an entity that are counted: a result list needs the size, not the sum.
const FACTS_COUNTED: u32 = 100;
/// Facts with an entity at either end. For a viewer its names are his, and facts are derived one by one.
const FACTS_AT: &str = "SELECT f.row FROM node n JOIN main.fact f ON f.subject = n.node WHERE n.entity = ?1
    UNION ALL SELECT f.row FROM node n JOIN main.fact f ON f.object = n.node WHERE n.entity = ?1";

impl State {
    /// A proposed row with its identity among results, if it holds at the asked time.
    pub(super) fn show(&self, row: Row, asked: (&Query, &Scope)) -> Result<Option<(String, Found)>> {
        match row {
            Row::Fact(row) => self.show_fact(row, asked),
            Row::Node(row) => self.show_entity(row, asked),
            Row::Chunk(row) => self.show_passage(row, asked.1),
        }
    }

    /// Whether a fact that an index proposes holds at the time that is asked about and passes the filter, as far as
    /// that is looked at before rows are cut: where only what holds now is wanted, nearly all do.
    pub(super) fn admits_fact(&self, row: RowNumber, (query, scope): (&Query, &Scope)) -> Result<bool> {
        let must_look = scope.is_dated() || query.filter.is_of_facts();
        let Some(held) = scope.grounds.fact(row).filter(|_| must_look) else { return Ok(true) };
        self.bring_facts(&[held.id])?;
        let Some(fact) = self.shown_in_place_of(row)? else { return Ok(false) };
        if self.moment(fact, query)?.is_none() || !self.admits_ends(fact, &query.filter)? {
            return Ok(false);
        }
        let statement = self.statement(fact)?;
        Ok(statement.is_some_and(|statement| query.filter.admits_extractor(&statement.extractor)))
    }

    /// Whether the entity of a name passes the filter, and something holds of it at an asked time.
    pub(super) fn admits_node(&self, row: RowNumber, (query, scope): (&Query, &Scope)) -> Result<bool> {
        let must_look = scope.is_dated() || !query.filter.kinds.is_empty();
        let Some(named) = scope.grounds.node(row).filter(|_| must_look) else { return Ok(true) };
        let Some(card) = self.entity_of(named.id)? else { return Ok(false) };
        let kind = query.filter.admits_kind(&card.kind);
        Ok(kind && (!scope.is_dated() || self.count_facts(card.entity, (query, scope), 1)? > 0))
    }

    /// The fact of a row, or what is shown in its place; none where that says nothing, since both its ends are one
    /// thing.
    fn shown_in_place_of(&self, row: RowNumber) -> Result<Option<FactId>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(folded_into, fact) FROM fact WHERE row = ?1 AND folded_into IS NOT fact",
        )?;
        Ok(statement.query_row([row], |row| row.get(0)).optional()?.map(FactId::from_bytes))
    }

    fn show_fact(&self, row: i64, (query, scope): (&Query, &Scope)) -> Result<Option<(String, Found)>> {
        let Ok(row) = RowNumber::try_from(row) else { return Ok(None) };
        let Some(held) = scope.grounds.fact(row) else { return Ok(None) };
        self.bring_facts(&[held.id])?;
        let Some(fact) = self.shown_in_place_of(row)? else { return Ok(None) };
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
        sources.retain(|source| scope.wants(&source.page));
        if scope.is_narrow() && sources.is_empty() {
            return Ok(None);
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
        let is_said = supports.iter().any(|support| support.end.is_none());
        if query.moment().is_none() && !is_said {
            return Ok(None);
        }
        let rivals = self.rivals_at((fact, &supports), query.wiki_at)?;
        let mut spells = resolve::spells(&supports, &rivals);
        if query.moment().is_none() {
            // Without any time, what counts is how it stands.
            spells = spells.split_off(spells.len().saturating_sub(1));
        }
        let said_since = supports.iter().filter_map(|support| support.asserted_from).min();
        let held = spells.into_iter().map(|spell| spell.times).find(|times| holds(times, said_since, query));
        // What ended dates what goes on from it; it is not cited where it is not asked about and something says it now.
        supports.retain(|support| query.when().is_some() || !is_said || support.end.is_none());
        let chunks = supports.iter().map(|support| support.chunk).collect();
        Ok(held.filter(|_| !supports.is_empty()).map(|times| Moment { times, chunks }))
    }

    /// What contradicts a fact with these supports, with its own: now, or for a reader of the wiki then.
    fn rivals_at(
        &self,
        (fact, supports): (FactId, &[Support]),
        wiki_at: Option<Timestamp>,
    ) -> Result<BTreeMap<FactId, Vec<Support>>> {
        let connection = self.connection();
        let mut rivals = BTreeMap::new();
        let Some(at) = wiki_at else {
            for rival in judged::rivals(connection, fact)? {
                rivals.insert(rival, supports_noticed(connection, rival)?);
            }
            return Ok(rivals);
        };
        for rival in judged::rivals_once(connection, fact)? {
            let said = supports_noticed(connection, rival)?;
            let then: Vec<Support> = said.iter().filter_map(|said| resolve::as_said_at(said, at)).collect();
            if resolve::meet(supports, &then) {
                rivals.insert(rival, then);
            }
        }
        Ok(rivals)
    }

    /// An entity with the facts that hold at the asked time. At a time other than now, one without any is not shown.
    fn show_entity(&self, row: i64, (query, scope): (&Query, &Scope)) -> Result<Option<(String, Found)>> {
        let Ok(row) = RowNumber::try_from(row) else { return Ok(None) };
        let Some(named) = scope.grounds.node(row) else { return Ok(None) };
        let Some(card) = self.entity_of(named.id)? else { return Ok(None) };
        if !query.filter.admits_kind(&card.kind) {
            return Ok(None);
        }
        let facts = self.count_facts(card.entity, (query, scope), FACTS_COUNTED)?;
        if facts == 0 && scope.is_dated() {
            return Ok(None);
        }
        Ok(Some((format!("entity {}", card.entity), Found::Entity { card, facts })))
    }

    /// How many facts at an entity hold at the asked time, until there are so many.
    fn count_facts(&self, entity: EntityId, (query, scope): (&Query, &Scope), enough: u32) -> Result<u32> {
        let mut statement = self.connection().prepare_cached(FACTS_AT)?;
        let rows = statement.query_map([entity.0.as_bytes()], |row| row.get(0))?;
        // How many others are hidden makes no difference. All rows first: to derive a fact adds to the tables that are
        // walked through.
        let rows = rows.filter(|row| row.as_ref().map_or(true, |row| scope.sees_fact(*row)));
        let rows = rows.take(FACTS_OF_HUB).collect::<rusqlite::Result<Vec<RowNumber>>>()?;
        let mut holding: BTreeSet<FactId> = BTreeSet::new();
        for row in rows {
            let Some(held) = scope.grounds.fact(row) else { continue };
            if scope.surely_holds(row) {
                holding.insert(held.id);
            } else if scope.sees_fact(row) {
                self.bring_facts(&[held.id])?;
                let Some(shown) = self.shown_in_place_of(row)? else { continue };
                if !holding.contains(&shown) && self.moment(shown, query)?.is_some() {
                    holding.insert(shown);
                }
            }
            if holding.len() as u64 >= u64::from(enough) {
                break;
            }
        }
        Ok(u32::try_from(holding.len()).unwrap_or(u32::MAX))
    }

    fn show_passage(&self, row: i64, scope: &Scope) -> Result<Option<(String, Found)>> {
        if !RowNumber::try_from(row).is_ok_and(|row| scope.shows(row)) {
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

impl Query {
    /// The moment, or stretch, of the world that is asked about: a named one; else that of a reader of the wiki then,
    /// who was told of what was to come and what was over as it looked on that day; else now.
    fn moment(&self) -> Option<(Timestamp, Timestamp)> {
        let point = |at: Timestamp| (at, at);
        self.when().or(self.wiki_at.map(point)).or(self.now.map(point))
    }
}

/// Whether something with these times holds at the moment that is asked about. Without any, it does while it is said.
fn holds(times: &Times, said_since: Option<Timestamp>, query: &Query) -> bool {
    let begins = times.valid_at.or(said_since);
    let ends = times.invalid_at.into_iter().chain(times.withdrawn.flatten()).min();
    let unknown_end = times.withdrawn.is_some() && ends.is_none();
    let within = |(from, to): (Timestamp, Timestamp)| {
        begins.is_none_or(|begins| begins <= to) && ends.is_none_or(|ends| ends > from)
    };
    !unknown_end && query.moment().is_none_or(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_says_any_more_does_not_hold_until_the_end_that_its_text_named() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).ok();
        let times = Times { valid_at: day(1), invalid_at: day(9), withdrawn: Some(day(5)) };
        let at = |number: i64| Query { as_of: day(number), ..Query::default() };
        assert!(holds(&times, None, &at(4)));
        assert!(!holds(&times, None, &at(7)));
    }

    #[test]
    fn what_held_for_a_while_is_found_in_every_stretch_that_touches_it() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).ok();
        let times = Times { valid_at: day(5), invalid_at: day(8), withdrawn: None };
        let in_between = |from, to| Query { between: day(from).zip(day(to)), ..Query::default() };
        let found = [(1, 4), (1, 5), (6, 7), (7, 20), (8, 20)]
            .map(|(from, to)| holds(&times, None, &in_between(from, to)));
        assert_eq!(found, [false, true, true, true, false]);
    }

    #[test]
    fn a_reader_of_the_wiki_then_knew_neither_what_began_nor_what_ended_since() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).ok();
        let then = |number: i64| Query { wiki_at: day(number), now: day(20), ..Query::default() };
        let announced = Times { valid_at: day(8), invalid_at: day(12), withdrawn: None };
        assert!(!holds(&announced, day(1), &then(7)), "it was still to come");
        assert!(holds(&announced, day(1), &then(9)), "it is over by now, and was not then");
    }
}
