//! Vectors that somebody was paid for: what was sent, what came back, as rows. Written from records, and read by the
//! plan.
//!
//! Invariant: a vector stays under its text and its model whatever becomes of the graph, so that nobody is paid for it
//! twice; and a call that was announced counts until it is known how it ended.

use super::State;
use super::answers::call_of;
use super::apply::Step;
use super::candidates::collect;
use crate::error::Result;
use knowledge::id::TextId;
use knowledge::quota::Call;
use knowledge::time::{Timestamp, stored};
use knowledge::vector::{Embedded, Embedding, Fault, NotEmbedded};
use rusqlite::params;
use vault::Seq;

/// Tokens that no call takes: what a vendor counts is foreign input, and sums of it must not overflow.
const MOST_TOKENS: u64 = 1 << 30;

/// A call for vectors that was announced in the present term and was not heard of since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calling {
    /// The record that announced it.
    pub call: u64,
    /// Where it goes.
    pub endpoint: u32,
}

/// What vectors took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Calls that were announced.
    pub calls: u64,
    /// Texts that came back as vectors.
    pub texts: u64,
    /// Tokens, as the vendor counted them.
    pub tokens: u64,
    /// Tokens that calls under way may take.
    pub open_tokens: u64,
}

/// A new term begins: calls that were under way may have arrived, and their texts are owed a vector again.
pub(super) fn opened(step: &Step<'_>) -> Result<()> {
    step.run("UPDATE owed_vector SET call = NULL WHERE call IS NOT NULL", [])?;
    step.run(
        "UPDATE embedding_call SET ended = 'unknown', began_at = ?1, ended_at = ?1 WHERE ended IS NULL",
        [&step.at],
    )
}

pub(super) fn embedding(step: &Step<'_>, calling: &Embedding) -> Result<()> {
    let texts: Vec<u8> = calling.texts.iter().flat_map(|text| *text.as_bytes()).collect();
    step.run(
        "INSERT INTO embedding_call (seq, model, endpoint, texts, began_at, tokens) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![step.seq, calling.model, calling.endpoint, texts, step.at, calling.tokens as i64],
    )?;
    for text in &calling.texts {
        step.run(
            "UPDATE owed_vector SET call = ?2 WHERE text_hash = ?1",
            params![text.as_bytes(), step.seq],
        )?;
    }
    Ok(())
}

pub(super) fn embedded(step: &Step<'_>, embedded: &Embedded) -> Result<()> {
    step.run(
        "UPDATE embedding_call SET ended = 'answered', sent_at = ?2, ended_at = ?3, used = ?4 WHERE seq = ?1",
        params![
            embedded.call as i64,
            stored(embedded.sent_at),
            step.at,
            embedded.tokens.min(MOST_TOKENS) as i64
        ],
    )?;
    for (text, vector) in embedded.texts.iter().zip(&embedded.vectors) {
        step.run(
            "INSERT OR IGNORE INTO vector VALUES (?1, ?2, ?3)",
            params![text.as_bytes(), embedded.model, vector.0],
        )?;
        step.run(
            "DELETE FROM owed_vector WHERE text_hash = ?1
             AND ?2 = (SELECT value FROM meta WHERE key = 'embedding_model')",
            params![text.as_bytes(), embedded.model],
        )?;
    }
    Ok(())
}

pub(super) fn not_embedded(step: &Step<'_>, failed: &NotEmbedded) -> Result<()> {
    let call = failed.call as i64;
    let ended = match failed.fault {
        Fault::Quota => "quota",
        Fault::Provider => "failed",
        Fault::Texts => "refused",
    };
    step.run(
        "UPDATE embedding_call SET ended = ?2, sent_at = ?3, ended_at = ?4, wait_ms = ?5, why = ?6 WHERE seq = ?1",
        params![
            call,
            ended,
            stored(failed.sent_at),
            step.at,
            failed.wait_ms.map(|wait| wait as i64),
            failed.why
        ],
    )?;
    if failed.fault == Fault::Texts {
        step.run(
            "INSERT OR IGNORE INTO refused_vector SELECT texts, model, ?2 FROM embedding_call
             WHERE seq = ?1 AND length(texts) = 16",
            params![call, failed.why],
        )?;
        step.run(
            "DELETE FROM owed_vector WHERE call = ?1
             AND (SELECT length(texts) FROM embedding_call WHERE seq = ?1) = 16",
            [call],
        )?;
        step.run(
            "UPDATE owed_vector SET most = (SELECT length(texts) / 32 FROM embedding_call WHERE seq = ?1)
             WHERE call = ?1",
            [call],
        )?;
    }
    step.run("UPDATE owed_vector SET call = NULL WHERE call = ?1", [call])
}

impl State {
    /// Calls for vectors that were announced and not heard of since.
    pub fn embedding_calls(&self) -> Result<Vec<Calling>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT seq, endpoint FROM embedding_call WHERE ended IS NULL ORDER BY seq")?;
        collect(statement.query([])?, |row| {
            Ok(Calling { call: row.get::<_, i64>(0)?.unsigned_abs(), endpoint: row.get(1)? })
        })
    }

    /// The texts of a call that is under way.
    pub fn texts_of_call(&self, call: u64) -> Result<Vec<(TextId, String)>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT text_hash, text FROM owed_vector WHERE call = ?1 ORDER BY row")?;
        collect(statement.query([call as i64])?, |row| Ok((TextId::from_bytes(row.get(0)?), row.get(1)?)))
    }

    /// Calls for vectors that began after a moment, as quotas see them.
    pub fn embedding_calls_since(&self, since: Timestamp) -> Result<Vec<Call>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT seq, began_at, tokens, ended, sent_at, ended_at, wait_ms, used FROM embedding_call
             WHERE began_at > ?1 ORDER BY began_at, seq",
        )?;
        collect(statement.query([stored(since)])?, call_of)
    }

    /// Calls of this term that failed since the last that did not, with the reason of the last.
    pub fn embedding_faults(&self) -> Result<(u64, String)> {
        let mut statement = self.connection().prepare_cached(
            "SELECT count(*),
                    coalesce((SELECT why FROM embedding_call WHERE ended = 'failed' ORDER BY seq DESC LIMIT 1), '')
             FROM embedding_call WHERE ended = 'failed'
             AND seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)
             AND seq > coalesce((SELECT max(seq) FROM embedding_call WHERE ended IN ('answered', 'refused')), 0)",
        )?;
        Ok(statement.query_row([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)))?)
    }

    /// What vectors took since a record.
    pub fn embedding_took(&self, since: Seq) -> Result<Took> {
        let mut statement = self.connection().prepare_cached(
            "SELECT count(*), coalesce(sum(CASE ended WHEN 'answered' THEN length(texts) / 16 END), 0),
                    coalesce(sum(used), 0), coalesce(sum(CASE WHEN ended IS NULL THEN tokens END), 0)
             FROM embedding_call WHERE seq > ?1",
        )?;
        let since = i64::try_from(since.get()).unwrap_or(i64::MAX);
        Ok(statement.query_row([since], |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(Took { calls: number(0)?, texts: number(1)?, tokens: number(2)?, open_tokens: number(3)? })
        })?)
    }
}
