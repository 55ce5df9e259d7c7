//! Calls that failed, as rows: how often each pack did, what its endpoint did meanwhile, and what was refused for good.
//! Written from records, and read by the plan. It must not know how often is too often.
//!
//! Invariant: a failure is counted where it happened, at the pack and at the endpoint, so that one bad text is told
//! from a bad endpoint; and what was refused can be owed again.

use super::State;
use super::apply::Step;
use super::candidates::collect;
use crate::error::Result;
use knowledge::id::{PackId, PageId, SpaceKey};
use knowledge::prompt::{Finish, Reply};
use knowledge::record::{Deferred, Matter, Refused, Retried};
use knowledge::time::{Timestamp, parse, stored};
use rusqlite::{OptionalExtension, params};

pub(super) fn deferred(step: &Step<'_>, deferred: &Deferred) -> Result<()> {
    let ended = match (deferred.quota, deferred.never) {
        (true, _) => "quota",
        (false, true) => "never",
        (false, false) => "failed",
    };
    let pack = deferred.pack.as_bytes();
    step.run(
        "UPDATE call SET ended = ?2, sent_at = ?3, ended_at = ?4, wait_ms = ?5, why = ?6
         WHERE seq = (SELECT call FROM pack WHERE pack = ?1)",
        params![
            pack,
            ended,
            stored(deferred.sent_at),
            step.at,
            deferred.wait_ms.map(|wait| i64::try_from(wait).unwrap_or(i64::MAX)),
            deferred.why
        ],
    )?;
    if !deferred.quota {
        step.run(
            "UPDATE pack SET faults = faults + 1, faulted_at = coalesce(faulted_at, ?2), never = ?3
             WHERE pack = ?1 AND standing = 'asking'",
            params![pack, step.at, deferred.never],
        )?;
    }
    step.run(
        "UPDATE pack SET standing = CASE WHEN position = -1 THEN 'passed' ELSE 'owed' END
         WHERE pack = ?1 AND standing = 'asking'",
        [pack],
    )
}

/// A pack that is given up counts as answered with a refusal, and is understood like any other answer.
pub(super) fn refused(step: &Step<'_>, refused: &Refused) -> Result<()> {
    let reply = Reply { finish: Finish::Refused(refused.why.clone()), ..Reply::default() };
    step.run(
        "UPDATE pack SET standing = 'answered', reply = ?2 WHERE pack = ?1 AND standing = 'owed'",
        params![refused.pack.as_bytes(), serde_json::to_string(&reply)?],
    )
}

pub(super) fn retried(step: &Step<'_>, retried: &Retried) -> Result<()> {
    step.run("DELETE FROM refused_chunk WHERE extractor = ?1", [&retried.extractor])?;
    // Nobody would say: so the pair is asked about again, when its page is resolved again.
    step.run("DELETE FROM finding WHERE finding IS NULL", [])?;
    step.run("INSERT OR REPLACE INTO meta VALUES ('retried_seq', ?1)", [step.seq.to_string()])
}

/// A new term begins: whoever restarts a run may have mended what was wrong.
pub(super) fn opened(step: &Step<'_>) -> Result<()> {
    step.run("UPDATE pack SET never = 0 WHERE never = 1 AND standing <> 'understood'", [])
}

/// A pack that failed, and is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The pack.
    pub pack: PackId,
    /// Where its last call went.
    pub endpoint: u32,
    /// The provider said that it will never answer it.
    pub never: bool,
    /// Calls about it that failed.
    pub faults: u32,
    /// When the first of them did.
    pub since: Timestamp,
    /// How the last one failed.
    pub why: String,
    /// How many things it asks about.
    pub things: usize,
}

/// What an endpoint did with calls of some askers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// It answered once, in whatever term.
    pub answered_ever: bool,
    /// Calls that it answered since a moment.
    pub answered_since: u64,
    /// Packs in a row that it said it will never answer, in the present term.
    pub nevers: u64,
}

/// The record that opened the present term.
const OPENED: &str = "coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)";

impl State {
    /// Packs of these askers that the provider will never answer, or that failed so often, oldest first.
    pub fn failing(&self, askers: [&str; 3], faults: u32) -> Result<Vec<Failing>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT pack.pack, call.endpoint, never, faults, faulted_at, coalesce(call.why, ''), matter
             FROM pack JOIN call ON call.seq = pack.call
             WHERE standing = 'owed' AND extractor IN (?1, ?2, ?3) AND (never OR faults >= ?4) ORDER BY row",
        )?;
        let [one, two, three] = askers;
        collect(statement.query(params![one, two, three, faults])?, |row| {
            Ok(Failing {
                pack: PackId::from_bytes(row.get(0)?),
                endpoint: row.get(1)?,
                never: row.get(2)?,
                faults: row.get(3)?,
                since: parse(&row.get::<_, String>(4)?).unwrap_or(Timestamp::MIN),
                why: row.get(5)?,
                things: serde_json::from_str::<Matter>(&row.get::<_, String>(6)?)?.len(),
            })
        })
    }

    /// What an endpoint did with calls of these askers.
    pub fn conduct(&self, endpoint: u32, askers: [&str; 3], since: Timestamp) -> Result<Conduct> {
        let mut statement = self.connection().prepare_cached(&format!(
            "WITH own AS (
                 SELECT call.seq, call.pack, call.ended, call.ended_at FROM call JOIN pack USING (pack)
                 WHERE endpoint = ?1 AND extractor IN (?2, ?3, ?4) AND call.batch IS NULL)
             SELECT EXISTS (SELECT 1 FROM own WHERE ended = 'answered'),
                    (SELECT count(*) FROM own WHERE ended = 'answered' AND ended_at > ?5),
                    (SELECT count(DISTINCT pack) FROM own WHERE ended = 'never' AND seq > {OPENED}
                     AND seq > coalesce((SELECT max(seq) FROM own WHERE ended = 'answered'), 0))"
        ))?;
        let [one, two, three] = askers;
        Ok(statement.query_row(params![endpoint, one, two, three, stored(since)], |row| {
            Ok(Conduct {
                answered_ever: row.get(0)?,
                answered_since: row.get::<_, i64>(1)?.unsigned_abs(),
                nevers: row.get::<_, i64>(2)?.unsigned_abs(),
            })
        })?)
    }

    /// Calls of the present term about these askers' packs that failed since the last that was answered, in whatever
    /// term; and whether any was ever answered.
    pub fn faults_in_a_row(&self, askers: [&str; 3]) -> Result<(u64, bool)> {
        let mut statement = self.connection().prepare_cached(
            "SELECT call.seq FROM call JOIN pack USING (pack) WHERE ended = 'answered' AND extractor IN (?1, ?2, ?3)
             ORDER BY call.seq DESC LIMIT 1",
        )?;
        let answered: Option<i64> = statement.query_row(askers, |row| row.get(0)).optional()?;
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT count(*) FROM call JOIN pack USING (pack) WHERE ended = 'failed' AND call.seq > {OPENED}
             AND call.seq > ?4 AND extractor IN (?1, ?2, ?3)"
        ))?;
        let [one, two, three] = askers;
        let faults: i64 =
            statement.query_row(params![one, two, three, answered.unwrap_or(0)], |row| row.get(0))?;
        Ok((faults.unsigned_abs(), answered.is_some()))
    }

    /// How the call failed that failed last.
    pub fn last_fault(&self) -> Result<Option<String>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT why FROM call WHERE why IS NOT NULL ORDER BY seq DESC LIMIT 1")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }

    /// Whether a call of these askers may be announced, or is under way: that of a pack which may still be answered.
    pub fn others_are_owed(&self, askers: [&str; 3]) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM pack WHERE standing IN ('owed', 'asking', 'answered') AND never = 0
             AND extractor IN (?1, ?2, ?3) LIMIT 1",
        )?;
        Ok(statement.exists(askers)?)
    }

    /// The pages with chunks that this extractor was refused, in canonical order.
    pub fn refused_pages(&self, extractor: &str) -> Result<Vec<(SpaceKey, PageId)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT p.space, p.page FROM refused_chunk JOIN chunk USING (chunk) JOIN page p USING (page)
             WHERE refused_chunk.extractor = ?1 AND p.gone = 0 ORDER BY p.space, p.page",
        )?;
        collect(statement.query([extractor])?, |row| {
            Ok((SpaceKey::new(row.get::<_, String>(0)?), PageId::new(row.get::<_, String>(1)?)))
        })
    }

    /// Whether refused chunks got their other chance in the present term.
    pub fn retried_this_term(&self) -> Result<bool> {
        let at: u64 = self.meta("retried_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(at > self.opened()?.get())
    }
}
