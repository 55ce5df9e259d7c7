//! What models take, as people ask for it: before a run, during it, and after. Reads only; it must not know prices,
//! quotas, or how anything is packed.
//!
//! Invariant: what was asked about in a run is told by the chunks, never by how many calls that took, so that an
//! estimate made of it is one that could have been made before.

use super::State;
use super::answers::Reads;
use super::candidates::collect;
use crate::error::Result;
use knowledge::extract::Owed;
use knowledge::id::{ChunkId, TextId};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};
use vault::Seq;

/// How calls stand now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Calls owed, and neither under way nor in a job.
    pub owed: u64,
    /// Calls under way.
    pub in_flight: u64,
    /// Jobs of a batch engine under way.
    pub jobs: u64,
    /// Calls that wait for these jobs.
    pub batched: u64,
    /// When the oldest of these jobs was announced.
    pub jobs_since: Option<String>,
    /// Why the last call that ended was not answered.
    pub fault: Option<String>,
    /// Tokens that a call was reckoned to take lately; 0 before the first.
    pub tokens_a_call: u64,
}

/// What is to be turned into vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unembedded {
    /// Text chunks that are not noted yet.
    pub chunks: u64,
    /// Texts that are noted and owed a vector.
    pub texts: u64,
    /// Their characters.
    pub chars: u64,
}

/// Calls whose reservations are looked at: enough for a mean, few enough to follow a change.
const LATELY: u32 = 50;

impl State {
    /// How calls stand; those that are owed to these askers, or to whomever.
    pub fn standing_of_calls(&self, askers: Option<[&str; 3]>) -> Result<Standing> {
        let [one, two, three] = askers.map_or([None; 3], |askers| askers.map(Some));
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(sum(standing = 'owed'), 0), coalesce(sum(standing = 'asking'), 0),
                    coalesce(sum(standing = 'batched'), 0) FROM pack
             WHERE standing <> 'understood' AND (?1 IS NULL OR extractor IN (?1, ?2, ?3))",
        )?;
        let number = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        let standing = statement.query_row([one, two, three], |row| {
            Ok(Standing {
                owed: number(row, 0)?,
                in_flight: number(row, 1)?,
                batched: number(row, 2)?,
                ..Standing::default()
            })
        })?;
        let mut statement = self
            .connection()
            .prepare_cached("SELECT count(*), min(began_at) FROM batch WHERE ended_at IS NULL")?;
        let (jobs, jobs_since) = statement.query_row([], |row| Ok((number(row, 0)?, row.get(1)?)))?;
        let mut statement = self.connection().prepare_cached(
            "SELECT why FROM call WHERE ended IS NOT NULL AND ended <> 'unknown' ORDER BY seq DESC LIMIT 1",
        )?;
        let fault: Option<Option<String>> = statement.query_row([], |row| row.get(0)).optional()?;
        let mut statement = self.connection().prepare_cached(
            "SELECT CAST(coalesce(avg(tokens), 0) AS INTEGER)
             FROM (SELECT tokens FROM call WHERE batch IS NULL ORDER BY seq DESC LIMIT ?1)",
        )?;
        let tokens_a_call = statement.query_row([LATELY], |row| number(row, 0))?;
        Ok(Standing { jobs, jobs_since, fault: fault.flatten(), tokens_a_call, ..standing })
    }

    /// How many calls about chunks are likely to come from pages that are not sorted into calls yet: as many a page as
    /// of those that are.
    pub fn calls_to_come(&self, extractor: &str) -> Result<u64> {
        let mut statement = self.connection().prepare_cached(
            "SELECT (SELECT count(*) FROM worklist WHERE sweep = ?1 AND position < ?3),
                    (SELECT count(*) FROM worklist WHERE sweep = ?1 AND position >= ?3),
                    (SELECT count(*) FROM pack WHERE extractor = ?2 AND first IS NOT NULL AND sweep = ?1)",
        )?;
        let Some(sweep) = self.newest_worklist()? else { return Ok(0) };
        let pages: u32 = self.meta("epoch_pages")?.and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
        let mut packed = self
            .connection()
            .prepare_cached("SELECT max(first) FROM packing WHERE sweep = ?1 AND extractor = ?2")?;
        let first: Option<u32> = packed.query_row(params![sweep, extractor], |row| row.get(0))?;
        let Some(first) = first else { return Ok(0) };
        let (sorted, rest, calls): (i64, i64, i64) = statement
            .query_row(params![sweep, extractor, first + pages], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        Ok((calls * rest / sorted.max(1)).unsigned_abs())
    }

    fn newest_worklist(&self) -> Result<Option<u32>> {
        let mut statement = self.connection().prepare_cached("SELECT max(sweep) FROM worklist")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Characters a token of this extractor's prompts had so far; nothing before the first answer.
    pub fn chars_per_token(&self, extractor: &str) -> Result<Option<f64>> {
        self.chars_per_token_until(extractor, Seq::new(u64::MAX))
    }

    /// The same in answers up to a record. Counts that no tokenizer gives (a token of fifty characters, five tokens a
    /// character) teach nothing.
    pub fn chars_per_token_until(&self, extractor: &str, until: Seq) -> Result<Option<f64>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT sum(chars), sum(input_tokens) FROM (
                 SELECT call.input_tokens AS input_tokens, call.chars AS chars FROM call JOIN pack USING (pack)
                 WHERE pack.extractor = ?1 AND ended = 'answered' AND call.batch IS NULL AND call.seq <= ?2
                 AND call.input_tokens BETWEEN call.chars / 50 AND call.chars * 5
                 ORDER BY call.seq DESC LIMIT 200)",
        )?;
        let (chars, tokens): (Option<i64>, Option<i64>) = statement
            .query_row(params![extractor, number_of(until)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let known = chars.zip(tokens).filter(|(_, tokens)| *tokens > 0);
        Ok(known.map(|(chars, tokens)| chars as f64 / tokens as f64))
    }

    /// The chunks that this extractor was asked about in calls after a record, by the slices that they were sorted in,
    /// as they were owed before.
    pub fn asked_since(&self, extractor: &str, since: Seq) -> Result<Vec<Vec<Owed>>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT chunks FROM pack WHERE extractor = ?1 AND pack IN (SELECT pack FROM call WHERE seq > ?2)",
        )?;
        let asked = collect(statement.query(params![extractor, number_of(since)])?, |row| {
            Ok(row.get::<_, Vec<u8>>(0)?)
        })?;
        let mut asked: BTreeSet<ChunkId> = asked.iter().flat_map(|chunks| ids(chunks)).collect();
        let mut statement = self.connection().prepare_cached(
            "SELECT sweep, first, chunks FROM pack WHERE extractor = ?1 AND first IS NOT NULL ORDER BY row",
        )?;
        let packs = collect(statement.query([extractor])?, |row| {
            Ok(((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?), row.get::<_, Vec<u8>>(2)?))
        })?;
        let mut slices: BTreeMap<(u32, u32), Vec<Owed>> = BTreeMap::new();
        for (slice, chunks) in packs {
            for chunk in ids(&chunks).filter(|chunk| asked.remove(chunk)) {
                if let Some(chars) = self.chars_of(chunk)? {
                    let audience = self.layers_before(&[chunk])?;
                    slices.entry(slice).or_default().push(Owed { chunk, chars, audience, round: 0 });
                }
            }
        }
        Ok(slices.into_values().collect())
    }

    fn chars_of(&self, chunk: ChunkId) -> Result<Option<usize>> {
        let mut statement =
            self.connection().prepare_cached("SELECT length(text) FROM chunk WHERE chunk = ?1")?;
        let chars: Option<i64> = statement.query_row([chunk.as_bytes()], |row| row.get(0)).optional()?;
        Ok(chars.map(|chars| usize::try_from(chars).unwrap_or(0)))
    }

    /// Text chunks that have neither an answer of this extractor nor a refusal, by the slices of so many pages in which
    /// a re-indexing would owe them.
    pub fn unread(&self, reads: &Reads, epoch_pages: usize) -> Result<Vec<Vec<Owed>>> {
        let mut slices = Vec::new();
        for slice in self.pages()?.chunks(epoch_pages.max(1)) {
            let mut owed = Vec::new();
            for (space, page) in slice {
                owed.extend(self.owed_of_page((page.as_str(), space.as_str()), reads)?);
            }
            slices.push(owed);
        }
        Ok(slices)
    }

    /// How many text chunks of current pages, that are in the graph and on no page that is to be worked on, have
    /// neither an answer of this extractor nor a refusal.
    pub fn count_unread(&self, extractor: &str) -> Result<u64> {
        let (sweep, first) = self.head_slice()?.map_or((0, 0), |slice| (slice.sweep, slice.first));
        let mut statement = self.connection().prepare_cached(
            "SELECT count(*) FROM episode JOIN chunk USING (chunk) WHERE ended IS NULL AND form = '\"text\"'
             AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.chunk = episode.chunk AND a.extractor = ?1)
             AND NOT EXISTS (SELECT 1 FROM refused_chunk r WHERE r.chunk = episode.chunk AND r.extractor = ?1)
             AND NOT EXISTS (SELECT 1 FROM worklist w
                             WHERE w.page = episode.page AND w.sweep = ?2 AND w.position >= ?3)",
        )?;
        let count: i64 = statement.query_row(params![extractor, sweep, first], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Why chunks got no usable answer, the most frequent reason first, after a record: of one extractor, or of all.
    pub fn refusals(&self, extractor: Option<&str>, since: Seq) -> Result<Vec<(String, u64)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT why, count(*) FROM refused_chunk WHERE seq > ?2 AND (?1 IS NULL OR extractor = ?1)
             GROUP BY why ORDER BY 2 DESC, 1",
        )?;
        collect(statement.query(params![extractor, number_of(since)])?, |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })
    }

    /// Questions about pairs in doubt that nobody would answer.
    pub fn count_given_up(&self) -> Result<u64> {
        let mut statement =
            self.connection().prepare_cached("SELECT count(*) FROM finding WHERE finding IS NULL")?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// What is to be turned into vectors of this model, as far as it is known before the graph is there.
    pub fn unembedded(&self, model: &str) -> Result<Unembedded> {
        let of_model = self.meta("embedding_model")?.as_deref() == Some(model);
        let mut statement = self.connection().prepare_cached(
            "SELECT (SELECT count(*) FROM chunk WHERE form = '\"text\"'),
                    (SELECT count(*) FROM vector_of v JOIN chunk USING (row)
                     WHERE v.kind = 'chunk' AND chunk.form = '\"text\"'),
                    (SELECT count(*) FROM owed_vector), (SELECT coalesce(sum(length(text)), 0) FROM owed_vector)",
        )?;
        let number = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(i64::unsigned_abs);
        let (all, noted, texts, chars) = statement
            .query_row([], |row| Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?)))?;
        Ok(match of_model {
            true => Unembedded { chunks: all.saturating_sub(noted), texts, chars },
            false => Unembedded { chunks: all, ..Unembedded::default() },
        })
    }

    /// How many chunks got a vector from calls after a record.
    pub fn chunks_embedded_since(&self, since: Seq) -> Result<u64> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT texts FROM embedding_call WHERE seq > ?1 AND ended = 'answered'")?;
        let calls = collect(statement.query([number_of(since)])?, |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
        let texts: BTreeSet<TextId> =
            calls.iter().flat_map(|texts| texts.chunks_exact(16)).filter_map(TextId::from_slice).collect();
        if texts.is_empty() {
            return Ok(0);
        }
        let mut statement =
            self.connection().prepare_cached("SELECT text_hash FROM vector_of WHERE kind = 'chunk'")?;
        let noted = collect(statement.query([])?, |row| Ok(TextId::from_bytes(row.get(0)?)))?;
        Ok(noted.iter().filter(|text| texts.contains(text)).count() as u64)
    }
}

fn ids(chunks: &[u8]) -> impl Iterator<Item = ChunkId> {
    chunks.chunks_exact(16).filter_map(ChunkId::from_slice)
}

fn number_of(seq: Seq) -> i64 {
    i64::try_from(seq.get()).unwrap_or(i64::MAX)
}
