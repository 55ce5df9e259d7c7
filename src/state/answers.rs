//! What models are asked and what they answered, as rows: written from records, and read by the plan.
//!
//! Invariant: a chunk has an answer, was refused, or is owed one, under the name of one extractor; a call that was
//! announced counts until it is known how it ended.

use super::State;
use super::apply::Step;
use super::batches;
use super::candidates::collect;
use super::owed::Slice;
use crate::error::Result;
use jiff::SignedDuration;
use knowledge::audience::LayerId;
use knowledge::extract::{Asked, Owed};
use knowledge::graph::Reading;
use knowledge::id::{ChunkId, PackId, QuestionId, SpaceKey};
use knowledge::judge::Finding;
use knowledge::prompt::Reply;
use knowledge::quota::{Call, End, Outcome, State as Standing, Ticket};
use knowledge::record::{Answered, Asking, Gathered, Matter, Pack, Packed, Understood};
use knowledge::time::{Timestamp, parse, stored};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};
use vault::Seq;

pub(super) fn packed(step: &Step<'_>, packed: &Packed) -> Result<()> {
    if let Some(slice) = packed.slice {
        step.run(
            "INSERT OR IGNORE INTO packing VALUES (?1, ?2, ?3)",
            params![slice.sweep, slice.first, packed.extractor],
        )?;
    }
    for pack in &packed.packs {
        let epoch = match &pack.matter {
            Matter::Questions { epoch, .. } => Some(epoch),
            _ => None,
        };
        // What is sorted again is owed again: nobody waited for it any more, or its answer is of no use by now.
        step.run(
            "INSERT INTO pack (pack, extractor, round, fault, matter, epoch, standing, chunks, sweep, first)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'owed', ?7, ?8, ?9)
             ON CONFLICT (pack) DO UPDATE SET
                 standing = CASE WHEN standing IN ('passed', 'understood') THEN 'owed' ELSE standing END,
                 matter = excluded.matter, fault = excluded.fault, position = NULL,
                 sweep = excluded.sweep, first = excluded.first, faults = 0, faulted_at = NULL, never = 0
             WHERE standing IN ('passed', 'understood') OR position = -1",
            params![
                pack.id.as_bytes(),
                packed.extractor,
                pack.round,
                pack.fault,
                serde_json::to_string(&pack.matter)?,
                epoch,
                pack.matter.chunks().iter().flat_map(|chunk| *chunk.as_bytes()).collect::<Vec<u8>>(),
                packed.slice.map(|slice| slice.sweep),
                packed.slice.map(|slice| slice.first)
            ],
        )?;
        let chunks = pack.matter.chunks();
        for chunk in packed.slice.is_some().then_some(&chunks).into_iter().flatten() {
            owe_answer(step, packed, *chunk)?;
        }
        let Some(last) = chunks.last() else { continue };
        step.run(
            "UPDATE pack SET position = (SELECT position FROM owed_answer WHERE chunk = ?2 AND extractor = ?3)
             WHERE pack = ?1",
            params![pack.id.as_bytes(), last.as_bytes(), packed.extractor],
        )?;
    }
    Ok(())
}

fn owe_answer(step: &Step<'_>, packed: &Packed, chunk: ChunkId) -> Result<()> {
    let Some(slice) = packed.slice else { return Ok(()) };
    step.run(
        "INSERT OR IGNORE INTO owed_answer
         SELECT chunk.chunk, ?2, w.position FROM chunk JOIN worklist w ON w.page = chunk.page
         WHERE chunk.chunk = ?1 AND w.sweep = ?3 AND w.position >= ?4 AND w.position < ?5",
        params![chunk.as_bytes(), packed.extractor, slice.sweep, slice.first, slice.end],
    )
}

/// A slice is resolved as it stands: what it is still owed, by whomever, nobody waits for.
pub(super) fn gathered(step: &Step<'_>, gathered: &Gathered) -> Result<()> {
    step.run(
        "UPDATE pack SET position = -1, standing = CASE standing WHEN 'owed' THEN 'passed' ELSE standing END
         WHERE position >= ?1 AND position < ?2 AND standing <> 'understood'",
        [gathered.first, gathered.end],
    )?;
    step.run("DELETE FROM owed_answer WHERE position >= ?1 AND position < ?2", [gathered.first, gathered.end])
}

pub(super) fn asking(step: &Step<'_>, asking: &Asking) -> Result<()> {
    step.run(
        "UPDATE pack SET standing = 'asking', call = ?2 WHERE pack = ?1 AND standing = 'owed'",
        params![asking.pack.as_bytes(), step.seq],
    )?;
    step.run(
        // A call that no pack waits for would count as under way for ever.
        "INSERT INTO call (seq, pack, endpoint, began_at, tokens, chars)
         SELECT ?1, pack, ?3, ?4, ?5, ?6 FROM pack WHERE pack = ?2 AND standing = 'asking' AND call = ?1",
        params![
            step.seq,
            asking.pack.as_bytes(),
            asking.endpoint,
            step.at,
            asking.tokens as i64,
            asking.chars as i64
        ],
    )
}

/// A new process begins: whatever was under way was sent by now, or never will be.
pub(super) fn opened(step: &Step<'_>) -> Result<()> {
    step.run("UPDATE pack SET standing = 'owed' WHERE standing = 'asking'", [])?;
    step.run(
        "UPDATE call SET ended = 'unknown', began_at = ?1, ended_at = ?1 WHERE ended IS NULL",
        [&step.at],
    )
}

pub(super) fn answered(step: &Step<'_>, answered: &Answered) -> Result<()> {
    batches::answered(step, answered)?;
    let usage = answered.reply.usage.bounded();
    step.run(
        "UPDATE call SET ended = 'answered', sent_at = ?2, ended_at = ?3, input_tokens = ?4, cached_tokens = ?5,
         output_tokens = ?6 WHERE seq = (SELECT call FROM pack WHERE pack = ?1)",
        params![
            answered.pack.as_bytes(),
            stored(answered.sent_at),
            step.at,
            usage.input_tokens as i64,
            usage.cached_tokens as i64,
            usage.output_tokens as i64
        ],
    )?;
    step.run(
        "UPDATE pack SET standing = 'answered', reply = ?2 WHERE pack = ?1 AND standing <> 'understood'",
        params![answered.pack.as_bytes(), serde_json::to_string(&answered.reply)?],
    )
}

pub(super) fn understood(step: &Step<'_>, understood: &Understood) -> Result<()> {
    let pack = understood.pack;
    for (chunk, reading) in &understood.readings {
        step.run(
            "INSERT OR IGNORE INTO answer SELECT ?2, extractor, ?3, ?4 FROM pack WHERE pack = ?1",
            params![pack.as_bytes(), chunk.as_bytes(), serde_json::to_string(reading)?, step.seq],
        )?;
    }
    for (chunk, why) in &understood.refused {
        step.run(
            "INSERT OR IGNORE INTO refused_chunk SELECT ?2, extractor, ?3, ?4 FROM pack WHERE pack = ?1",
            params![pack.as_bytes(), chunk.as_bytes(), why, step.seq],
        )?;
    }
    let ended = understood.readings.iter().map(|(chunk, _)| chunk);
    for chunk in ended.chain(understood.refused.iter().map(|(chunk, _)| chunk)) {
        step.run(
            "DELETE FROM owed_answer WHERE chunk = ?2 AND extractor = (SELECT extractor FROM pack WHERE pack = ?1)",
            params![pack.as_bytes(), chunk.as_bytes()],
        )?;
    }
    let found = understood.found.iter().map(|(question, finding)| (question, Some(*finding)));
    for (question, finding) in found.chain(understood.given_up.iter().map(|(question, _)| (question, None))) {
        step.run(
            "INSERT OR REPLACE INTO finding SELECT ?2, ?3, coalesce(epoch, 0), ?4 FROM pack WHERE pack = ?1",
            params![pack.as_bytes(), question.as_bytes(), finding.map(finding_text), step.seq],
        )?;
    }
    understood.summaries.iter().try_for_each(|summary| super::summaries::apply(step, pack, summary))?;
    understood.portraits.iter().try_for_each(|portrait| super::portraits::apply(step, pack, portrait))?;
    note_doubts(step, &understood.doubts)?;
    step.run(
        "UPDATE pack SET standing = 'understood', reply = NULL, matter = NULL WHERE pack = ?1",
        [pack.as_bytes()],
    )
}

/// Counts what was not believed, or was left out.
pub(super) fn note_doubts(step: &Step<'_>, doubts: &BTreeMap<String, u32>) -> Result<()> {
    doubts.iter().try_for_each(|(what, count)| {
        step.run(
            "INSERT INTO doubt VALUES (?1, ?2) ON CONFLICT (what) DO UPDATE SET count = count + ?2",
            params![what, count],
        )
    })
}

/// An epoch is done: what was still to be asked for it is not asked any more.
pub(super) fn resolved(step: &Step<'_>, epoch: u32) -> Result<()> {
    step.run(
        "UPDATE pack SET standing = 'understood', reply = NULL, matter = NULL
         WHERE epoch = ?1 AND standing <> 'understood'",
        [epoch],
    )
}

const FINDINGS: [(Finding, &str); 5] = [
    (Finding::Same, "same"),
    (Finding::Different, "different"),
    (Finding::Duplicate, "duplicate"),
    (Finding::Contradicts, "contradicts"),
    (Finding::Unrelated, "unrelated"),
];

fn finding_text(finding: Finding) -> &'static str {
    FINDINGS.iter().find(|(known, _)| *known == finding).map_or("unrelated", |(_, text)| text)
}

fn finding_of(text: &str) -> Option<Finding> {
    FINDINGS.iter().find(|(_, known)| *known == text).map(|(finding, _)| *finding)
}

/// What a model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reads {
    /// Names extractor, vocabulary and model: the key under which debts and answers about chunks are kept.
    pub extractor: String,
    /// The versions before the current one too, as far as they were fetched.
    pub history: bool,
}

/// A pack with its answer, to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The pack.
    pub pack: Pack,
    /// What the model answered.
    pub reply: Reply,
}

/// A pack that a call was announced for in the present term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The pack.
    pub pack: Pack,
    /// Where the call goes.
    pub endpoint: u32,
}

/// What models took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that were announced.
    pub calls: u64,
    /// Answers to what had been answered.
    pub again: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of prompts that came from the vendor's cache.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Tokens that calls under way may take.
    pub open_tokens: u64,
    /// Tokens of texts that were turned into vectors, and of those that are; filled in where money is counted.
    pub embedding_tokens: u64,
}

impl State {
    /// Whether a pack waits for its answer.
    pub fn is_owed(&self, pack: PackId) -> Result<bool> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT 1 FROM pack WHERE pack = ?1 AND standing IN ('owed', 'asking')")?;
        Ok(statement.exists([pack.as_bytes()])?)
    }

    /// What a model read in a chunk: by this extractor, else by the one that answered last.
    pub(super) fn answer(&self, chunk: ChunkId, extractor: Option<&str>) -> Result<Option<Reading>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT reading FROM answer WHERE chunk = ?1 ORDER BY extractor = coalesce(?2, '') DESC, seq DESC LIMIT 1",
        )?;
        let found: Option<String> =
            statement.query_row(params![chunk.as_bytes(), extractor], |row| row.get(0)).optional()?;
        Ok(found.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Whether the owed chunks of a slice were sorted into packs for this extractor.
    pub fn is_packed(&self, slice: Slice, extractor: &str) -> Result<bool> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT 1 FROM packing WHERE sweep = ?1 AND first = ?2 AND extractor = ?3")?;
        Ok(statement.exists(params![slice.sweep, slice.first, extractor])?)
    }

    /// Whether every chunk of a slice that was packed has an answer of this extractor, or was refused.
    pub fn is_answered(&self, slice: Slice, extractor: &str) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM owed_answer WHERE extractor = ?3 AND position >= ?1 AND position < ?2 LIMIT 1",
        )?;
        Ok(!statement.exists(params![slice.first, slice.end, extractor])?)
    }

    /// Text chunks of the pages of a slice that have neither an answer of this extractor nor a refusal, in worklist
    /// order, then newest version first, then reading order.
    pub fn owed_answers(&self, slice: Slice, reads: &Reads) -> Result<Vec<Owed>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT w.page, p.space FROM worklist w JOIN page p USING (page)
             WHERE w.sweep = ?1 AND w.position >= ?2 AND w.position < ?3 AND p.gone = 0 AND w.work <> 'retract'
             ORDER BY w.position",
        )?;
        let pages = collect(statement.query(params![slice.sweep, slice.first, slice.end])?, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut owed = Vec::new();
        for (page, space) in pages {
            for one in self.owed_of_page((&page, &space), reads)? {
                if !self.is_answered_with_another(one.chunk, &reads.extractor)? {
                    owed.push(one);
                }
            }
        }
        Ok(owed)
    }

    /// Text chunks of a page that have neither an answer of this extractor nor a refusal.
    pub(super) fn owed_of_page(&self, (page, space): (&str, &str), reads: &Reads) -> Result<Vec<Owed>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT cut.chunks FROM page JOIN cut USING (page)
             WHERE page = ?1 AND gone = 0 AND (cut.version = page.version OR (?2 AND cut.version < page.version))
             ORDER BY cut.version DESC",
        )?;
        let versions =
            collect(statement.query(params![page, reads.history])?, |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
        let audience = self.layers_of(page, space)?;
        let (mut seen, mut owed) = (BTreeSet::new(), Vec::new());
        for chunk in
            versions.iter().flat_map(|chunks| chunks.chunks_exact(16)).filter_map(ChunkId::from_slice)
        {
            let chars = if seen.insert(chunk) { self.owed_chars(chunk, &reads.extractor)? } else { None };
            owed.extend(chars.map(|chars| Owed { chunk, chars, audience: audience.clone(), round: 0 }));
        }
        Ok(owed)
    }

    /// Characters of a text chunk that is owed an answer.
    pub(super) fn owed_chars(&self, chunk: ChunkId, extractor: &str) -> Result<Option<usize>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT length(text) FROM chunk WHERE chunk = ?1 AND form = '\"text\"'
             AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.chunk = ?1 AND a.extractor = ?2)
             AND NOT EXISTS (SELECT 1 FROM refused_chunk r WHERE r.chunk = ?1 AND r.extractor = ?2)",
        )?;
        Ok(statement
            .query_row(params![chunk.as_bytes(), extractor], |row| row.get::<_, i64>(0))
            .optional()?
            .map(|chars| usize::try_from(chars).unwrap_or(0)))
    }

    /// Whether the wiki has no restriction at all, as most have not: then there is nothing to look for above its pages.
    pub(super) fn is_open_to_all(&self) -> Result<bool> {
        Ok(!self.connection().prepare_cached("SELECT 1 FROM audience LIMIT 1")?.exists([])?)
    }

    /// The layers of restrictions that stand before a page: its own, those of the page it stands on or of the places
    /// above it, and those of their spaces.
    pub(super) fn layers_of(&self, page: &str, space: &str) -> Result<Vec<LayerId>> {
        if self.is_open_to_all()? {
            return Ok(Vec::new());
        }
        let mut statement = self.connection().prepare_cached(
            "WITH RECURSIVE above (place, depth) AS (
                 SELECT ?1, 0
                 UNION
                 SELECT coalesce(page.stands_on, page.parent, folder.parent), depth + 1
                 FROM above LEFT JOIN main.page ON page.page = place LEFT JOIN folder ON folder.folder = place
                 WHERE coalesce(page.stands_on, page.parent, folder.parent) IS NOT NULL AND depth < 100)
             SELECT layer FROM audience WHERE layer IN (
                 SELECT 'page:' || place FROM above
                 UNION SELECT 'space:' || space FROM main.page WHERE page IN (SELECT place FROM above)
                 UNION SELECT 'space:' || ?2)
             -- Nobody passes a place that is not there: what is below it shares no call with what others see.
             UNION SELECT 'page:' || place FROM above
             WHERE NOT EXISTS (SELECT 1 FROM main.page WHERE page = place AND (NOT gone OR page = ?1))
             AND NOT EXISTS (SELECT 1 FROM folder WHERE folder = place)",
        )?;
        let found =
            collect(statement.query([page, space])?, |row| super::owed::layer_id(&row.get::<_, String>(0)?))?;
        Ok(found.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Answers to these askers that are not understood yet, oldest pack first.
    pub fn heard(&self, askers: [&str; 3], limit: usize) -> Result<Vec<Heard>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT pack, round, fault, matter, reply FROM pack
             WHERE standing = 'answered' AND extractor IN (?1, ?2, ?3) ORDER BY row LIMIT ?4",
        )?;
        let [one, two, three] = askers;
        collect(statement.query(params![one, two, three, limit as i64])?, |row| {
            let reply: String = row.get(4)?;
            Ok(Heard { pack: pack(row)?, reply: serde_json::from_str(&reply)? })
        })
    }

    /// Packs of these askers that a call is to be announced for: those never asked, those put off, and those whose
    /// call was under way when the process before this one died. Those that failed least come first, so that no bad one
    /// holds up the rest; then what an epoch waits for, then the oldest.
    pub fn owed_packs(&self, askers: [&str; 3], limit: usize) -> Result<Vec<Pack>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT pack, round, fault, matter FROM pack WHERE standing = 'owed' AND never = 0
             AND extractor IN (?1, ?2, ?3) ORDER BY faults, epoch IS NULL, row LIMIT ?4",
        )?;
        let [one, two, three] = askers;
        collect(statement.query(params![one, two, three, limit as i64])?, pack)
    }

    /// Packs whose call was announced and was not heard of since.
    pub fn announced(&self) -> Result<Vec<Announced>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT pack.pack, round, fault, matter, endpoint FROM pack JOIN call ON call.seq = pack.call
             WHERE standing = 'asking' ORDER BY call.seq",
        )?;
        collect(statement.query([])?, |row| Ok(Announced { pack: pack(row)?, endpoint: row.get(4)? }))
    }

    /// Whether an epoch waits for this asker's answers about its pairs in doubt.
    pub fn is_in_doubt(&self, epoch: u32, adjudicator: &str) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM pack WHERE epoch = ?1 AND extractor = ?2 AND standing <> 'understood' LIMIT 1",
        )?;
        Ok(statement.exists(params![epoch, adjudicator])?)
    }

    /// What was found for an epoch: nothing in place of a finding where nobody would say.
    pub fn findings(&self, epoch: u32) -> Result<Vec<(QuestionId, Option<Finding>)>> {
        let mut statement =
            self.connection().prepare_cached("SELECT question, finding FROM finding WHERE epoch = ?1")?;
        collect(statement.query([epoch])?, |row| {
            let text: Option<String> = row.get(1)?;
            Ok((QuestionId::from_bytes(row.get(0)?), text.as_deref().and_then(finding_of)))
        })
    }

    /// What was found about a question, whenever that was; nothing when it was never asked, or is under way.
    pub fn finding(&self, question: QuestionId) -> Result<Option<Option<Finding>>> {
        let mut statement =
            self.connection().prepare_cached("SELECT finding FROM finding WHERE question = ?1")?;
        let text: Option<Option<String>> =
            statement.query_row([question.as_bytes()], |row| row.get(0)).optional()?;
        Ok(text.map(|text| text.as_deref().and_then(finding_of)))
    }

    /// The layers that stand before the pages of chunks, all of them.
    pub fn layers_before(&self, chunks: &[ChunkId]) -> Result<Vec<LayerId>> {
        if self.is_open_to_all()? {
            return Ok(Vec::new());
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT p.page, p.space FROM chunk JOIN page p USING (page) WHERE chunk.chunk = ?1",
        )?;
        let mut layers = BTreeSet::new();
        for chunk in chunks {
            let page: Option<(String, String)> =
                statement.query_row([chunk.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            if let Some((page, space)) = page {
                layers.extend(self.layers_of(&page, &space)?);
            }
        }
        Ok(layers.into_iter().collect())
    }

    /// Chunks as they are shown to a model.
    pub fn asked(&self, chunks: &[ChunkId]) -> Result<Vec<Asked>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.path, chunk.text, p.space,
                    (SELECT min(r.modified) FROM cut JOIN raw_page r USING (page, version)
                     WHERE cut.page = chunk.page AND instr(cut.chunks, chunk.chunk) > 0)
             FROM chunk JOIN page p ON p.page = chunk.page WHERE chunk.chunk = ?1",
        )?;
        let mut show = |chunk: &ChunkId| -> Result<Option<Asked>> {
            let mut rows = statement.query([chunk.as_bytes()])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let (path, reference): (String, Option<String>) = (row.get(0)?, row.get(3)?);
            Ok(Some(Asked {
                chunk: *chunk,
                path: serde_json::from_str(&path)?,
                text: row.get(1)?,
                space: SpaceKey::new(row.get::<_, String>(2)?),
                reference: reference.as_deref().and_then(parse),
            }))
        };
        chunks.iter().filter_map(|chunk| show(chunk).transpose()).collect()
    }

    /// Calls at an endpoint that began after a moment, as quotas see them.
    pub fn calls_since(&self, endpoint: u32, since: Timestamp) -> Result<Vec<Call>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT seq, began_at, tokens, ended, sent_at, ended_at, wait_ms, input_tokens + output_tokens FROM call
             WHERE began_at > ?1 AND endpoint = ?2 AND batch IS NULL ORDER BY began_at, seq",
        )?;
        collect(statement.query(params![stored(since), endpoint])?, call_of)
    }

    /// Packs of the calls that are under way, by the record that announced them.
    pub fn open_calls(&self) -> Result<BTreeMap<u64, PackId>> {
        let mut statement =
            self.connection().prepare_cached("SELECT seq, pack FROM call WHERE ended IS NULL")?;
        let open = collect(statement.query([])?, |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), PackId::from_bytes(row.get(1)?)))
        })?;
        Ok(open.into_iter().collect())
    }

    /// What models took since a record.
    pub fn spent(&self, since: Seq) -> Result<Spent> {
        let since = i64::try_from(since.get()).unwrap_or(i64::MAX);
        let mut statement = self.connection().prepare_cached(
            "SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(cached_tokens), 0),
                    coalesce(sum(output_tokens), 0),
                    coalesce(sum(ended = 'answered'), 0) - count(DISTINCT CASE ended WHEN 'answered' THEN pack END),
                    coalesce(sum(CASE WHEN ended IS NULL THEN tokens END), 0)
             FROM call WHERE seq > ?1",
        )?;
        Ok(statement.query_row([since], |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(Spent {
                calls: number(0)?,
                input_tokens: number(1)?,
                cached_tokens: number(2)?,
                output_tokens: number(3)?,
                again: number(4)?,
                open_tokens: number(5)?,
                embedding_tokens: 0,
            })
        })?)
    }

    /// What stood against parts of answers, and how often, the most frequent first.
    pub fn doubts(&self) -> Result<Vec<(String, u64)>> {
        let mut statement =
            self.connection().prepare_cached("SELECT what, count FROM doubt ORDER BY count DESC, what")?;
        collect(statement.query([])?, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
    }

    /// The record with which the present term began.
    pub fn opened(&self) -> Result<Seq> {
        Ok(Seq::new(self.meta("opened_seq")?.and_then(|text| text.parse().ok()).unwrap_or(0)))
    }

    /// Calls that are owed to these askers and not announced.
    pub fn owed_calls(&self, askers: [&str; 3]) -> Result<u64> {
        let mut statement = self.connection().prepare_cached(
            "SELECT count(*) FROM pack WHERE standing = 'owed' AND extractor IN (?1, ?2, ?3)",
        )?;
        let count: i64 = statement.query_row(askers, |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

/// A pack from the columns pack, round, fault, matter.
pub(super) fn pack(row: &rusqlite::Row<'_>) -> Result<Pack> {
    let matter: String = row.get(3)?;
    Ok(Pack {
        id: PackId::from_bytes(row.get(0)?),
        round: row.get(1)?,
        fault: row.get(2)?,
        matter: serde_json::from_str(&matter)?,
    })
}

/// A call as quotas see it, from the columns seq, began_at, tokens, ended, sent_at, ended_at, wait_ms, tokens counted.
pub(super) fn call_of(row: &rusqlite::Row<'_>) -> Result<Call> {
    let time = |text: Option<String>| text.as_deref().and_then(parse);
    let wait = row.get::<_, Option<i64>>(6)?.map(SignedDuration::from_millis);
    let used = u64::try_from(row.get::<_, i64>(7)?).ok().filter(|tokens| *tokens > 0);
    let began = time(row.get(1)?).unwrap_or(Timestamp::MIN);
    let outcome = match row.get::<_, Option<String>>(3)?.as_deref() {
        None => None,
        Some("unknown") => Some(None),
        Some("answered" | "refused" | "never") => Some(Some(Outcome::Answered(used))),
        Some("quota") => Some(Some(Outcome::Refused(wait))),
        Some(_) => Some(Some(Outcome::Failed(wait))),
    };
    let (sent_at, ended) = (time(row.get(4)?), time(row.get(5)?).unwrap_or(began));
    let state = match outcome {
        None => Standing::InFlight,
        Some(None) => Standing::Crashed,
        Some(Some(outcome)) => Standing::Ended(End { sent_at, at: ended, outcome }),
    };
    Ok(Call {
        ticket: Ticket(row.get::<_, i64>(0)?.unsigned_abs()),
        tokens: row.get::<_, i64>(2)?.unsigned_abs(),
        at: began,
        state,
    })
}
