//! Jobs of providers' batch engines, as rows: written from records, and read by the plan.
//!
//! Invariant: a pack is in at most one job that has not ended, and a job that was announced is under way until its end
//! is recorded, whatever died since.

use super::State;
use super::answers::pack;
use super::apply::Step;
use super::candidates::collect;
use crate::error::Result;
use knowledge::id::{BatchKey, PackId};
use knowledge::record::{Answered, BatchEnded, Pack, Submitting};
use knowledge::time::{Timestamp, parse, stored};
use rusqlite::params;

pub(super) fn submitting(step: &Step<'_>, submitting: &Submitting) -> Result<()> {
    step.run(
        "INSERT INTO batch (seq, key, extractor, endpoint, place, began_at, packs, tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            step.seq,
            submitting.key.as_bytes(),
            submitting.extractor,
            submitting.endpoint,
            submitting.place,
            step.at,
            submitting.packs.len() as i64,
            submitting.tokens as i64
        ],
    )?;
    for pack in &submitting.packs {
        step.run(
            "UPDATE pack SET standing = 'batched', batch = ?2 WHERE pack = ?1 AND standing = 'owed'",
            params![pack.as_bytes(), step.seq],
        )?;
    }
    Ok(())
}

pub(super) fn submitted(step: &Step<'_>, key: BatchKey, name: &str) -> Result<()> {
    step.run("UPDATE batch SET name = ?2 WHERE key = ?1", params![key.as_bytes(), name])
}

/// An answer of a job becomes a call of its own: that of the record that brought it.
pub(super) fn answered(step: &Step<'_>, answered: &Answered) -> Result<()> {
    let pack = answered.pack.as_bytes();
    step.run(
        "INSERT INTO call (seq, pack, endpoint, began_at, tokens, chars, batch)
         SELECT ?2, pack, ?3, ?4, 0, 0, batch FROM pack WHERE pack = ?1 AND standing = 'batched'",
        params![pack, step.seq, answered.endpoint, stored(answered.sent_at)],
    )?;
    step.run(
        "UPDATE batch SET answered = answered + 1
         WHERE seq = (SELECT batch FROM pack WHERE pack = ?1 AND standing = 'batched')",
        [pack],
    )?;
    step.run("UPDATE pack SET call = ?2 WHERE pack = ?1 AND standing = 'batched'", params![pack, step.seq])
}

pub(super) fn ended(step: &Step<'_>, ended: &BatchEnded) -> Result<()> {
    for pack in &ended.missing {
        step.run(
            "UPDATE pack SET standing = CASE WHEN position = -1 THEN 'passed' ELSE 'owed' END
             WHERE pack = ?1 AND standing = 'batched'",
            [pack.as_bytes()],
        )?;
    }
    step.run(
        "UPDATE batch SET ended_at = ?2, why = ?3, halts = ?4 WHERE key = ?1",
        params![ended.key.as_bytes(), step.at, ended.why, ended.halts],
    )
}

/// A job that was announced and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// The record that announced it.
    pub seq: i64,
    /// Our name for it.
    pub key: BatchKey,
    /// The endpoint it was meant for.
    pub endpoint: u32,
    /// What that endpoint was called; nothing in journals of the first versions.
    pub place: String,
    /// The engine's name for it, once it has said so.
    pub name: Option<String>,
    /// When it was announced.
    pub began_at: Timestamp,
    /// Announced in the present term of the vault: nobody can have sent it before this process.
    pub of_this_term: bool,
}

/// How jobs of the present term ended since the last one that brought an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InVain {
    /// How many brought nothing.
    pub jobs: u32,
    /// How the last one ended.
    pub why: String,
    /// When.
    pub ended_at: Option<Timestamp>,
    /// The last one, whatever it brought, says that another is of no use.
    pub halts: bool,
}

/// The record that opened the present term.
const OPENED: &str = "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)";

impl State {
    /// Jobs of this extractor that are under way, oldest first.
    pub fn batches_under_way(&self, extractor: &str) -> Result<Vec<UnderWay>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT seq, key, endpoint, name, began_at, seq >= {OPENED}, place FROM batch
             WHERE ended_at IS NULL AND extractor = ?1 ORDER BY seq"
        ))?;
        collect(statement.query([extractor])?, |row| {
            Ok(UnderWay {
                seq: row.get(0)?,
                key: BatchKey::from_bytes(row.get(1)?),
                endpoint: row.get(2)?,
                name: row.get(3)?,
                began_at: parse(&row.get::<_, String>(4)?).unwrap_or(Timestamp::MIN),
                of_this_term: row.get(5)?,
                place: row.get(6)?,
            })
        })
    }

    /// The packs of a job that have no answer yet, in order.
    pub fn batched(&self, batch: i64) -> Result<Vec<Pack>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT pack, round, fault, matter FROM pack WHERE batch = ?1 AND standing = 'batched' ORDER BY row",
        )?;
        collect(statement.query([batch])?, pack)
    }

    /// The same, by their ids alone.
    pub fn batched_ids(&self, batch: i64) -> Result<Vec<PackId>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT pack FROM pack WHERE batch = ?1 AND standing = 'batched' ORDER BY row")?;
        collect(statement.query([batch])?, |row| Ok(PackId::from_bytes(row.get(0)?)))
    }

    /// The engines' names of all jobs that have one.
    pub fn batch_names(&self) -> Result<Vec<String>> {
        let mut statement =
            self.connection().prepare_cached("SELECT name FROM batch WHERE name IS NOT NULL ORDER BY seq")?;
        collect(statement.query([])?, |row| Ok(row.get(0)?))
    }

    /// How many calls the jobs under way are still to make, and the tokens these may take.
    pub fn batched_calls(&self) -> Result<(u64, u64)> {
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(sum(packs), 0), coalesce(sum(tokens), 0) FROM batch WHERE ended_at IS NULL",
        )?;
        let number = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        Ok(statement.query_row([], |row| Ok((number(row, 0)?, number(row, 1)?)))?)
    }

    /// How the last jobs of the present term ended, back to the last one that brought an answer.
    pub fn batches_in_vain(&self) -> Result<InVain> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT answered, why, ended_at, halts FROM batch WHERE ended_at IS NOT NULL AND seq >= {OPENED}
             ORDER BY ended_at DESC, seq DESC"
        ))?;
        let mut rows = statement.query([])?;
        let mut found = InVain::default();
        let mut last = true;
        while let Some(row) = rows.next()? {
            if std::mem::take(&mut last) {
                found.why = row.get(1)?;
                found.ended_at = parse(&row.get::<_, String>(2)?);
                found.halts = row.get(3)?;
            }
            if row.get::<_, i64>(0)? > 0 {
                break;
            }
            found.jobs += 1;
        }
        Ok(found)
    }
}
