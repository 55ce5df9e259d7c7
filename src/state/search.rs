//! Finding: words and meaning, over facts, entities and passages, fused into one ranking. Reads only.
//!
//! Invariant: what is returned holds at the asked time on the asked clock; the indexes only propose.

use super::State;
use super::candidates::collect;
use super::look::{ChunkCard, EntityCard, Source, Statement};
use crate::embedders::Quantised;
use crate::error::Result;
use knowledge::graph::Times;
use knowledge::id::{ChunkId, FactId, NodeId};
use knowledge::time::{Timestamp, stored};
use knowledge::{rank, resolve};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The question, in the user's words.
    pub text: String,
    /// Its vector, with the name of the model that made it: it is compared with vectors of that model only.
    pub vector: Option<(String, Quantised)>,
    /// Only what was true in the world then.
    pub as_of: Option<Timestamp>,
    /// Only what the wiki said then.
    pub wiki_at: Option<Timestamp>,
    /// The time now: without an asked time, what has ended by now does not hold.
    pub now: Option<Timestamp>,
    /// How many results.
    pub limit: usize,
}

/// A fact at a time: its times as known then, and the chunks that said it.
struct Moment {
    times: Times,
    chunks: BTreeSet<ChunkId>,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// The fused score; only its order means anything.
    pub score: f64,
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A fact with the sentence that answers, and where it stands.
    Fact {
        /// The fact.
        #[serde(flatten)]
        statement: Statement,
        /// What it stands on at the asked time, best first.
        sources: Vec<Source>,
    },
    /// An entity.
    Entity {
        /// The entity.
        #[serde(flatten)]
        card: EntityCard,
        /// Facts that hold and name it, at most a thousand.
        facts: u32,
    },
    /// A passage.
    Passage {
        /// The chunk.
        #[serde(flatten)]
        chunk: ChunkCard,
        /// The page.
        page: String,
        /// The first version that has it.
        version: u32,
        /// Where a browser finds the page.
        link: Option<String>,
    },
}

/// A row of one of the three indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Fact(i64),
    Node(i64),
    Chunk(i64),
}

/// Facts looked at to count those of an entity: a result list needs the size, not the sum.
const FACTS_COUNTED: i64 = 1_000;

/// The best rows of a text index; `weights` are those of its columns, `only` narrows it.
fn best_rows(index: &str, weights: &str, only: &str) -> String {
    format!(
        "SELECT rowid, bm25({index}{weights}) AS score FROM {index} WHERE {index} MATCH ?1 {only}
         ORDER BY score, rowid LIMIT ?2"
    )
}

/// Passages are found in the index of all, and shown to whoever may see them.
const SEEN_PASSAGES: &str = "AND EXISTS (SELECT 1 FROM chunk WHERE chunk.row = chunk_text.rowid)";

/// Rows each index proposes for one result wanted: many fall to the asked time or fold into one entity.
const PROPOSALS: usize = 8;
/// Rows each index proposes at least.
const PROPOSALS_LEAST: usize = 40;

impl State {
    /// Searches. Without a vector, or before vectors are filled, words alone decide.
    pub fn search(&self, query: &Query) -> Result<Vec<Hit>> {
        self.forget()?;
        let wanted = PROPOSALS_LEAST.max(query.limit * PROPOSALS);
        let mut rankings = self.by_words(query, wanted)?;
        if let Some((model, vector)) = &query.vector {
            rankings.extend(self.by_meaning(model, vector, wanted)?);
        }
        let mut hits = Vec::new();
        let mut seen = BTreeSet::new();
        for (row, score) in rank::fuse(&rankings) {
            if hits.len() >= query.limit {
                break;
            }
            if let Some((identity, found)) = self.show(row, query)?
                && seen.insert(identity)
            {
                hits.push(Hit { score, found });
            }
        }
        Ok(hits)
    }

    fn by_words(&self, query: &Query, wanted: usize) -> Result<Vec<(f64, Vec<Row>)>> {
        let terms = rank::terms(&query.text);
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let expression = rank::any_of(&terms);
        self.bring_found(&expression, wanted)?;
        let seen = if self.has_viewer() { SEEN_PASSAGES } else { "" };
        let find = |sql: &str, row: fn(i64) -> Row| -> Result<Vec<Row>> {
            let mut statement = self.connection().prepare_cached(sql)?;
            collect(statement.query(params![expression, wanted as i64])?, |found| Ok(row(found.get(0)?)))
        };
        // `bm25()` as a value is cheaper than `rank` in this SQLite. A fact's own statement counts twice its sentence,
        // a passage's headings twice its text; what a card says (the page tree, who edited) comes behind what people
        // wrote.
        Ok(vec![
            (1.0, find(&best_rows("fact_text", ", 2.0, 1.0, 0.2", ""), Row::Fact)?),
            (0.7, find(&best_rows("node_text", "", ""), Row::Node)?),
            (0.9, find(&best_rows("chunk_text", ", 2.0, 1.0", seen), Row::Chunk)?),
        ])
    }

    fn by_meaning(&self, model: &str, query: &Quantised, wanted: usize) -> Result<Vec<(f64, Vec<Row>)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT kind, row, vector FROM vector_of JOIN vector USING (text_hash)
             WHERE kind <> 'node' AND vector.model = ?1 ORDER BY kind, row",
        )?;
        let mut facts = Vec::new();
        let mut chunks = Vec::new();
        let mut rows = statement.query([model])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(2)?.as_blob().unwrap_or_default();
            // A model whose vectors have changed their length behind its name says nothing about this question.
            let Ok(vector) = Quantised::from_bytes(bytes, query.dimensions()) else { continue };
            let score = query.cosine(&vector);
            match row.get_ref(0)?.as_str().unwrap_or_default() {
                "fact" => facts.push((score, Row::Fact(row.get(1)?))),
                _ => chunks.push((score, Row::Chunk(row.get(1)?))),
            }
        }
        let best = |mut scored: Vec<(f32, Row)>| {
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            scored.into_iter().take(wanted).map(|(_, row)| row).collect::<Vec<_>>()
        };
        let mut told = Vec::new();
        for row in best(facts) {
            if let Row::Fact(number) = row
                && self.reads_as_all_do(number)?
            {
                told.push(row);
            }
        }
        Ok(vec![(1.0, told), (0.9, best(chunks))])
    }

    /// A proposed row with its identity among results, if it holds at the asked time.
    fn show(&self, row: Row, query: &Query) -> Result<Option<(String, Found)>> {
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
        let mut sources = self.sources(fact)?;
        sources.retain(|source| moment.chunks.contains(&source.chunk));
        Ok(Some((format!("fact {fact}"), Found::Fact { statement, sources })))
    }

    /// A fact as it stood at the asked time; nothing when it did not hold. On the wiki's clock only what was said then
    /// counts, and only as it was known then. In the world it holds from its beginning (or from when a page first said
    /// it) until it ended or was withdrawn; unknown beginnings hold always.
    fn moment(&self, fact: FactId, query: &Query) -> Result<Option<Moment>> {
        let mut supports = super::candidates::supports_noticed(self.connection(), fact)?;
        if let Some(at) = query.wiki_at {
            supports = supports.iter().filter_map(|support| resolve::as_said_at(support, at)).collect();
        }
        if query.as_of.is_none() && supports.iter().all(|support| support.end.is_some()) {
            return Ok(None);
        }
        let mut rivals = BTreeMap::new();
        for rival in super::judged::rivals(self.connection(), fact)? {
            let said = super::candidates::supports_noticed(self.connection(), rival)?.into_iter();
            let then = said.filter_map(|said| match query.wiki_at {
                Some(at) => resolve::as_said_at(&said, at),
                None => Some(said),
            });
            rivals.insert(rival, then.collect());
        }
        let mut spells = resolve::spells(&supports, &rivals);
        if query.moment().is_none() {
            // Without any time, what counts is how it stands.
            spells = spells.split_off(spells.len().saturating_sub(1));
        }
        let said_since = supports.iter().filter_map(|support| support.asserted_from).min();
        let held = spells.into_iter().map(|spell| spell.times).find(|times| holds(times, said_since, query));
        // What ended dates what goes on from it; it is not cited where it is not asked about.
        supports.retain(|support| query.as_of.is_some() || support.end.is_none());
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
        if holding == 0 && (query.as_of.is_some() || query.wiki_at.is_some()) {
            return Ok(None);
        }
        Ok(Some((format!("entity {}", card.entity), Found::Entity { card, facts: holding })))
    }

    fn show_passage(&self, row: i64, query: &Query) -> Result<Option<(String, Found)>> {
        // A passage is true at no date of its own: what counts is whether the wiki said it then.
        let wiki_at = query.wiki_at.or(query.as_of).map(stored);
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.chunk, chunk.page, page.link,
                    (SELECT min(version) FROM cut WHERE cut.page = chunk.page AND instr(cut.chunks, chunk.chunk) > 0)
             FROM chunk JOIN episode USING (chunk) LEFT JOIN page ON page.page = chunk.page
             WHERE chunk.row = ?1 AND ((?2 IS NULL AND ended IS NULL) OR
                   (coalesce(valid_at, ?2) <= ?2 AND (ended IS NULL OR coalesce(end_at, noticed_at) > ?2)))",
        )?;
        let found = statement
            .query_row(params![row, wiki_at], |row| {
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
    /// The moment of the world that is asked about: a named one; else that of a reader of the wiki then, who was told
    /// of what was to come and what was over as it looked on that day; else now.
    fn moment(&self) -> Option<Timestamp> {
        self.as_of.or(self.wiki_at).or(self.now)
    }
}

/// Whether something with these times holds at the moment that is asked about. Without any, it does while it is said.
fn holds(times: &Times, said_since: Option<Timestamp>, query: &Query) -> bool {
    let begins = times.valid_at.or(said_since);
    let ends = times.invalid_at.into_iter().chain(times.withdrawn.flatten()).min();
    let unknown_end = times.withdrawn.is_some() && ends.is_none();
    let within =
        |at: Timestamp| begins.is_none_or(|begins| begins <= at) && ends.is_none_or(|ends| ends > at);
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
    fn a_reader_of_the_wiki_then_knew_neither_what_began_nor_what_ended_since() {
        let day = |day: i64| Timestamp::from_second(day * 86_400).ok();
        let then = |number: i64| Query { wiki_at: day(number), now: day(20), ..Query::default() };
        let announced = Times { valid_at: day(8), invalid_at: day(12), withdrawn: None };
        assert!(!holds(&announced, day(1), &then(7)), "it was still to come");
        assert!(holds(&announced, day(1), &then(9)), "it is over by now, and was not then");
    }
}
