//! Erasing a page: every row that came from it goes, after the graph has retracted what stood on it. Read by the plan,
//! written from records. It must not know why.
//!
//! Invariant: nothing that another page says is lost. A fact, a name or an entity goes only with its last support.

use super::apply::Step;
use super::indexes::INDEXES;
use super::{State, changes};
use crate::error::Result;
use knowledge::id::{FactId, PageId, SpaceKey, Version};
use knowledge::record::Erasing;
use rusqlite::{OptionalExtension, params};

/// Notes what is never to be read again.
pub(super) fn erasing(step: &Step<'_>, erasing: &Erasing) -> Result<()> {
    step.run(
        "INSERT OR REPLACE INTO erased VALUES (?1, ?2, ?3, NULL)",
        params![erasing.page.as_str(), erasing.version.0, erasing.fingerprint],
    )
}

/// What goes, in this order; `?1` is the page. `going_chunk`, `going_fact` and `going_node` hold what stood on it.
const ERASE: [&str; 44] = [
    "DELETE FROM support WHERE page = ?1",
    "DELETE FROM going_fact WHERE fact IN (SELECT fact FROM support)
        OR fact IN (SELECT folded_into FROM fact WHERE folded_into IS NOT NULL)",
    "DELETE FROM mention WHERE chunk IN (SELECT chunk FROM going_chunk)",
    "DELETE FROM decision WHERE chunk IN (SELECT chunk FROM going_chunk)",
    "DELETE FROM fact_text WHERE rowid IN (SELECT row FROM fact JOIN going_fact USING (fact))",
    "DELETE FROM vector_of WHERE kind = 'fact' AND row IN (SELECT row FROM fact JOIN going_fact USING (fact))",
    "DELETE FROM judgement WHERE a IN (SELECT fact FROM going_fact) OR b IN (SELECT fact FROM going_fact)",
    "DELETE FROM spell WHERE fact IN (SELECT fact FROM going_fact)",
    "DELETE FROM fact WHERE fact IN (SELECT fact FROM going_fact)",
    "DELETE FROM going_node WHERE node IN (SELECT node FROM mention) OR node IN (SELECT subject FROM fact)
        OR node IN (SELECT object FROM fact WHERE object IS NOT NULL)",
    "DELETE FROM summary WHERE entity IN (SELECT entity FROM going_entity)
        OR EXISTS (SELECT 1 FROM touched_fact WHERE instr(summary.facts, touched_fact.fact) > 0)",
    "DELETE FROM portrait WHERE EXISTS (SELECT 1 FROM going_chunk WHERE instr(portrait.chunks, going_chunk.chunk) > 0)
        OR EXISTS (SELECT 1 FROM touched_fact WHERE instr(portrait.facts, touched_fact.fact) > 0)
        OR EXISTS (SELECT 1 FROM going_entity WHERE instr(portrait.members, going_entity.entity) > 0)",
    "DELETE FROM node_text WHERE rowid IN (SELECT row FROM node JOIN going_node USING (node))",
    "DELETE FROM vector_of WHERE kind = 'node' AND row IN (SELECT row FROM node JOIN going_node USING (node))",
    "DELETE FROM name_band WHERE node IN (SELECT node FROM going_node)",
    "DELETE FROM decision WHERE a IN (SELECT node FROM going_node) OR b IN (SELECT node FROM going_node)",
    "DELETE FROM ruling WHERE a IN (SELECT node FROM going_node) OR b IN (SELECT node FROM going_node)",
    "DELETE FROM candidate WHERE a IN (SELECT node FROM going_node) OR b IN (SELECT node FROM going_node)",
    "DELETE FROM alike WHERE a IN (SELECT node FROM going_node) OR b IN (SELECT node FROM going_node)",
    "DELETE FROM node WHERE node IN (SELECT node FROM going_node)",
    "DELETE FROM entity WHERE entity IN (SELECT entity FROM going_entity)
        AND entity NOT IN (SELECT entity FROM node WHERE entity IS NOT NULL)",
    "DELETE FROM chunk_text WHERE rowid IN (SELECT row FROM chunk WHERE page = ?1)",
    "DELETE FROM vector_of WHERE kind = 'chunk' AND row IN (SELECT row FROM chunk WHERE page = ?1)",
    "DELETE FROM answer WHERE chunk IN (SELECT chunk FROM going_chunk)",
    "DELETE FROM refused_chunk WHERE chunk IN (SELECT chunk FROM going_chunk)",
    "DELETE FROM owed_answer WHERE chunk IN (SELECT chunk FROM going_chunk)",
    "DELETE FROM indexing_checkpoint WHERE chunk IN (SELECT chunk FROM going_chunk)",
    "DELETE FROM episode WHERE page = ?1",
    "DELETE FROM chunk WHERE page = ?1",
    "DELETE FROM cut WHERE page = ?1",
    "DELETE FROM raw_page WHERE page = ?1",
    "DELETE FROM parked WHERE page = ?1",
    "UPDATE page SET title = '', parent = NULL, link = NULL WHERE page = ?1",
    // What was asked and is understood, or waited for by nobody, is kept as a count alone.
    "UPDATE pack SET matter = NULL, reply = NULL, fault = NULL WHERE standing IN ('understood', 'passed')",
    // All that is left are summaries and portraits, which are sorted again from what is held then.
    "DELETE FROM pack WHERE standing NOT IN ('understood', 'passed')",
    "UPDATE call SET why = NULL WHERE ended IS NOT NULL",
    "DELETE FROM vector WHERE text_hash NOT IN (SELECT text_hash FROM vector_of)",
    "DELETE FROM owed_vector WHERE text_hash NOT IN (SELECT text_hash FROM vector_of)",
    "DELETE FROM refused_vector WHERE text_hash NOT IN (SELECT text_hash FROM vector_of)",
    "DELETE FROM listed WHERE page = ?1",
    "DELETE FROM summary WHERE entity NOT IN (SELECT entity FROM entity)",
    // Made again from what is left, by the next run.
    "DELETE FROM meta WHERE key = 'communities'",
    "DELETE FROM community",
    "DELETE FROM community_member",
];

/// What stood on the page, before anything goes.
const GOING: [&str; 5] = [
    "CREATE TEMP TABLE going_chunk AS SELECT chunk FROM chunk WHERE page = ?1",
    "CREATE TEMP TABLE going_fact AS SELECT DISTINCT fact FROM support WHERE page = ?1",
    "CREATE TEMP TABLE touched_fact AS SELECT fact FROM temp.going_fact
        UNION SELECT folded_into FROM fact
              WHERE folded_into IS NOT NULL AND fact IN (SELECT fact FROM temp.going_fact)",
    "CREATE TEMP TABLE going_node AS
        SELECT node FROM mention WHERE chunk IN (SELECT chunk FROM temp.going_chunk)
        UNION SELECT subject FROM fact WHERE fact IN (SELECT fact FROM temp.going_fact)
        UNION SELECT object FROM fact WHERE object IS NOT NULL AND fact IN (SELECT fact FROM temp.going_fact)",
    "CREATE TEMP TABLE going_entity AS
        SELECT DISTINCT entity FROM node WHERE entity IS NOT NULL AND node IN (SELECT node FROM temp.going_node)",
];

pub(super) fn erased(step: &Step<'_>, page: &PageId) -> Result<()> {
    // Freed space is overwritten, not only given back: somebody may read the file and not the rows.
    step.transaction.pragma_update(None, "secure_delete", 1)?;
    for sql in GOING.iter().chain(&ERASE) {
        match sql.contains("?1") {
            true => step.transaction.execute(sql, [page.as_str()])?,
            false => step.transaction.execute(sql, [])?,
        };
    }
    // What stands on other pages as well may be found by a sentence of this one still.
    let mut touched =
        step.transaction.prepare("SELECT fact FROM temp.touched_fact JOIN fact USING (fact)")?;
    let found = touched.query_map([], |row| row.get(0).map(FactId::from_bytes))?;
    let facts = found.collect::<rusqlite::Result<Vec<FactId>>>()?;
    facts.into_iter().try_for_each(|fact| changes::index_fact(step, fact))?;
    drop(touched);
    for table in ["going_chunk", "going_fact", "touched_fact", "going_node", "going_entity"] {
        step.transaction.execute(&format!("DROP TABLE temp.{table}"), [])?;
    }
    // The indexes keep words of deleted rows until they are merged.
    for index in INDEXES {
        step.transaction.execute(&format!("INSERT INTO {index} ({index}) VALUES ('optimize')"), [])?;
    }
    step.run("UPDATE erased SET erased_seq = ?2 WHERE page = ?1", params![page.as_str(), step.seq])
}

/// How far a page is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Up to this version.
    pub version: Version,
    /// What the source said of it.
    pub fingerprint: String,
    /// Nothing of it is left.
    pub is_done: bool,
}

impl State {
    /// How far a page was erased; none if it never was.
    pub fn erasure(&self, page: &PageId) -> Result<Option<Erasure>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT version, fingerprint, erased_seq IS NOT NULL FROM erased WHERE page = ?1",
        )?;
        let found = statement.query_row([page.as_str()], |row| {
            Ok(Erasure { version: Version(row.get(0)?), fingerprint: row.get(1)?, is_done: row.get(2)? })
        });
        Ok(found.optional()?)
    }

    /// A page that is held, to be erased: its space, and what is never to be read again. None if nothing of it is held.
    pub fn erasable(&self, page: &PageId) -> Result<Option<(SpaceKey, Erasing)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT space, max(version, coalesce((SELECT max(version) FROM raw_page r WHERE r.page = page.page), 0)),
                    coalesce(nullif(fingerprint, ''), (SELECT fingerprint FROM erased e WHERE e.page = page.page), '')
             FROM page WHERE page = ?1 AND EXISTS (SELECT 1 FROM raw_page r WHERE r.page = page.page)",
        )?;
        let found = statement.query_row([page.as_str()], |row| {
            let erasing =
                Erasing { page: page.clone(), version: Version(row.get(1)?), fingerprint: row.get(2)? };
            Ok((SpaceKey::new(row.get::<_, String>(0)?), erasing))
        });
        Ok(found.optional()?)
    }

    /// Rewrites the file, so that nothing of what was deleted is left in it.
    pub fn vacuum(&self) -> Result<()> {
        self.connection().execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(())
    }
}
