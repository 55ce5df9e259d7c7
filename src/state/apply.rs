//! What records mean. Each is interpreted, never judged: no rule here looks at a page's text or compares two names.
//!
//! Invariant: all rows of a segment and the number of its last record become visible in one transaction, and a record
//! that was applied before is passed over, so applying a journal twice is applying it once.

use super::seen::Seen;
use super::{State, answers, batches, changes, embedded, erasing, failing, principals, rulings};
use crate::error::{Error, Kind, Result};
use knowledge::audience::{Layer, LayerId, Rule};
use knowledge::id::{PageId, Version};
use knowledge::page::{Person, RawPage};
use knowledge::record::{Cut, Gathered, Listed, Parked, Piece, Record, Work, Worklist};
use knowledge::time::stored;
use rusqlite::{Connection, Transaction, params};
use vault::{Entry, Event, Segment, Seq};

/// A connection with an open transaction, and the record it is about.
pub(super) struct Step<'a> {
    pub transaction: &'a Connection,
    pub seq: i64,
    pub at: String,
}

impl State {
    /// Folds a segment into the file.
    ///
    /// # Errors
    /// A segment that does not follow the last one applied is our own mistake and changes nothing.
    pub fn apply(&mut self, segment: &Segment<Record>) -> Result<()> {
        let any =
            |is_such: fn(&Event<Record>) -> bool| segment.entries.iter().any(|entry| is_such(&entry.event));
        if any(|event| !is_about_vectors(event)) {
            self.summarised.set(None);
            self.portrayed.set(None);
        }
        if any(|event| !leaves_the_graph(event)) {
            self.seen = Seen::default();
        }
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let applied = applied(&transaction)?;
        let mut last = applied;
        for entry in &segment.entries {
            if entry.seq <= applied {
                continue;
            }
            follow(last, entry)?;
            apply_entry(&transaction, entry)?;
            last = entry.seq;
        }
        if last > applied {
            set(&transaction, "applied_seq", &last.get().to_string())?;
            if let Some(entry) = segment.entries.last() {
                set(&transaction, "applied_at", &stored(entry.at))?;
            }
            set(&transaction, "position", &serde_json::to_string(&segment.position)?)?;
            transaction.execute(
                "INSERT INTO meta VALUES ('journal_bytes', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + ?1",
                [i64::try_from(segment.bytes).unwrap_or(i64::MAX)],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn is_about_vectors(event: &Event<Record>) -> bool {
    matches!(event, Event::Record(Record::Embedding(_) | Record::Embedded(_) | Record::NotEmbedded(_)))
}

/// Whether it is about what is asked and answered, of which the graph knows nothing until it is resolved.
fn leaves_the_graph(event: &Event<Record>) -> bool {
    use Record::{Answered, Asking, Deferred, Packed, Understood};
    is_about_vectors(event)
        || matches!(event, Event::Record(Packed(_) | Asking(_) | Answered(_) | Deferred(_) | Understood(_)))
}

fn applied(transaction: &Transaction<'_>) -> Result<Seq> {
    let mut statement = transaction.prepare_cached("SELECT value FROM meta WHERE key = 'applied_seq'")?;
    let mut rows = statement.query([])?;
    let text: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
    Ok(Seq::new(text.and_then(|text| text.parse().ok()).unwrap_or(0)))
}

fn follow(last: Seq, entry: &Entry<Record>) -> Result<()> {
    if entry.seq.get() == last.get() + 1 {
        return Ok(());
    }
    let text = format!("apply record {}: the state file stands at {last}", entry.seq);
    Err(Error::new(Kind::Bug, text).hint("run `highwater vault rebuild`"))
}

fn apply_entry(transaction: &Transaction<'_>, entry: &Entry<Record>) -> Result<()> {
    let seq = i64::try_from(entry.seq.get())
        .map_err(|_| Error::new(Kind::Bug, format!("apply record {}: number too large", entry.seq)))?;
    let step = Step { transaction, seq, at: stored(entry.at) };
    match &entry.event {
        Event::Opened { .. } => {
            answers::opened(&step)?;
            failing::opened(&step)?;
            embedded::opened(&step)?;
            set(transaction, "opened_seq", &seq.to_string())
        }
        Event::Closed => set(transaction, "closed_seq", &seq.to_string()),
        Event::Pruned { .. } => Ok(()),
        Event::Record(record) => apply_record(&step, record),
    }
}

fn apply_record(step: &Step<'_>, record: &Record) -> Result<()> {
    match record {
        Record::Listed(listed) => apply_listed(step, listed),
        Record::Worklist(worklist) => apply_worklist(step, worklist),
        Record::Fetched(page) => apply_fetched(step, page),
        Record::Gone { page } => apply_gone(step, page),
        Record::AudienceChanged { layers } => {
            apply_layers(step, layers)?;
            principals::place(step)
        }
        Record::Principals(changed) => principals::apply(step, changed),
        Record::Cut(cut) => apply_cut(step, cut),
        Record::Parked(parked) => apply_parked(step, parked),
        Record::Packed(packed) => answers::packed(step, packed),
        Record::Asking(asking) => answers::asking(step, asking),
        Record::Answered(answered) => answers::answered(step, answered),
        Record::Erasing(erasing) => erasing::erasing(step, erasing),
        Record::Erased { page } => erasing::erased(step, page),
        Record::Salvaged(salvaged) => {
            salvaged.answers.iter().try_for_each(|answer| answers::answered(step, answer))
        }
        Record::Deferred(deferred) => failing::deferred(step, deferred),
        Record::Refused(refused) => failing::refused(step, refused),
        Record::Retried(retried) => failing::retried(step, retried),
        Record::Understood(understood) => answers::understood(step, understood),
        Record::Submitting(submitting) => batches::submitting(step, submitting),
        Record::Submitted { key, name } => batches::submitted(step, *key, name),
        Record::BatchEnded(ended) => batches::ended(step, ended),
        Record::Gathered(gathered) => apply_gathered(step, gathered),
        Record::Resolved(resolved) => {
            changes::apply(step, &resolved.changes)?;
            answers::note_doubts(step, &resolved.left_out)?;
            answers::resolved(step, resolved.epoch)?;
            step.run("UPDATE epoch SET resolved_seq = ?2 WHERE epoch = ?1", params![resolved.epoch, step.seq])
        }
        Record::Ruled(ruled) => {
            rulings::ruled(step, ruled)?;
            changes::apply(step, &ruled.changes)
        }
        Record::Embedding(calling) => embedded::embedding(step, calling),
        Record::Embedded(vectors) => embedded::embedded(step, vectors),
        Record::NotEmbedded(failed) => embedded::not_embedded(step, failed),
        Record::Reindexing { generation } => set(step.transaction, "reindexing", &generation.to_string()),
        Record::Reindexed { generation } => {
            set(step.transaction, "generation", &generation.to_string())?;
            set(step.transaction, "reindexed_seq", &step.seq.to_string())?;
            step.run("DELETE FROM meta WHERE key IN ('reindexing', 'reindexing_planned')", [])
        }
    }
}

impl Step<'_> {
    pub(super) fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<()> {
        self.transaction.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

pub(super) fn set(connection: &Connection, key: &str, value: &str) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
        .execute([key, value])?;
    Ok(())
}

fn apply_listed(step: &Step<'_>, listed: &Listed) -> Result<()> {
    set(step.transaction, "wiki", &listed.wiki)?;
    step.run(
        "INSERT OR IGNORE INTO sweep (sweep, opened_seq)
         SELECT ?1, coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)",
        [listed.sweep],
    )?;
    let new: bool = step.transaction.changes() > 0;
    if new {
        for table in ["listed", "listed_layer", "listed_folder", "listed_group", "skipped"] {
            step.run(&format!("DELETE FROM {table}"), [])?;
        }
    }
    step.run(
        "UPDATE sweep SET next = ?2, complete = ?2 IS NULL, incomplete = max(incomplete, ?3) WHERE sweep = ?1",
        params![listed.sweep, listed.next, listed.incomplete],
    )?;
    for page in &listed.pages {
        let above = page.above.clone().unwrap_or_default();
        step.run(
            "INSERT OR IGNORE INTO listed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                page.id.as_str(),
                page.space.as_str(),
                page.version.map(|version| version.0),
                serde_json::to_string(&page.history)?,
                page.fingerprint,
                page.locator,
                page.above.is_some(),
                above.parent.as_ref().map(PageId::as_str),
                above.on.as_ref().map(PageId::as_str)
            ],
        )?;
    }
    for space in &listed.spaces {
        step.run("INSERT OR REPLACE INTO space VALUES (?1, ?2)", [space.key.as_str(), &space.name])?;
    }
    for layer in &listed.layers {
        step.run(
            "INSERT OR REPLACE INTO listed_layer VALUES (?1, ?2)",
            [layer_text(&layer.id), serde_json::to_string(&layer.rule)?],
        )?;
    }
    principals::listed(step, listed)?;
    for skipped in &listed.skipped {
        step.run(
            "INSERT INTO skipped VALUES (?1, ?2) ON CONFLICT (what) DO UPDATE SET count = count + ?2",
            params![skipped.what, skipped.count],
        )?;
    }
    listed.people.iter().try_for_each(|person| apply_person(step, person))
}

/// The text form of a layer's id in the state file.
pub(super) fn layer_text(id: &LayerId) -> String {
    match id {
        LayerId::Space(key) => format!("space:{key}"),
        LayerId::Page(id) => format!("page:{id}"),
    }
}

fn apply_person(step: &Step<'_>, person: &Person) -> Result<()> {
    let also = serde_json::to_string(&person.also)?;
    step.run(
        "INSERT INTO person VALUES (?1, ?2, ?3)
         ON CONFLICT (person) DO UPDATE SET name = ?2, also = ?3 WHERE name <> ?2 OR also <> ?3",
        [person.key.as_str(), &person.name, &also],
    )?;
    if step.transaction.changes() > 0 {
        changes::rename_person(step, person)?;
    }
    Ok(())
}

/// Counts the pages of which a later version is held than the listing has: they were not worked on.
fn count_older(step: &Step<'_>) -> Result<()> {
    step.run(
        "INSERT OR REPLACE INTO skipped
         SELECT 'page that is older here than what is held, which stays', count(*) FROM listed
         JOIN page USING (page) WHERE gone = 0 AND listed.version <
             (SELECT max(version) FROM raw_page WHERE raw_page.page = listed.page)
         HAVING count(*) > 0",
        [],
    )
}

fn apply_worklist(step: &Step<'_>, worklist: &Worklist) -> Result<()> {
    principals::place(step)?;
    step.run("UPDATE sweep SET planned = 1 WHERE sweep = ?1", [worklist.sweep])?;
    // The worklist of a re-indexing comes from no listing; its sweep counts as begun before any term.
    step.run("INSERT OR IGNORE INTO sweep VALUES (?1, 0, NULL, 1, 1, 0)", [worklist.sweep])?;
    step.run(
        "INSERT OR IGNORE INTO meta SELECT 'reindexing_planned', value FROM meta WHERE key = 'reindexing'",
        [],
    )?;
    set(step.transaction, "epoch_pages", &worklist.epoch_pages.to_string())?;
    count_older(step)?;
    for table in ["listed", "listed_layer", "listed_folder", "listed_group"] {
        step.run(&format!("DELETE FROM {table}"), [])?;
    }
    for (position, item) in worklist.items.iter().enumerate() {
        let position = position as i64;
        let (kind, current, fingerprint, open) = match &item.work {
            Work::Fetch { versions, fingerprint, .. } => {
                ("fetch", versions.last().copied(), Some(fingerprint.as_str()), versions.len())
            }
            Work::Retract => ("retract", None, None, 1),
            Work::Again => ("again", None, None, 0),
        };
        step.run(
            "INSERT INTO worklist VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                worklist.sweep,
                position,
                item.page.as_str(),
                item.space.as_str(),
                kind,
                current.map(|version| version.0),
                fingerprint,
                open as i64
            ],
        )?;
        if let Work::Fetch { versions, locator, fingerprint } = &item.work {
            for version in versions {
                step.run(
                    "INSERT INTO owed_fetch VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![item.page.as_str(), version.0, position, locator, fingerprint],
                )?;
            }
        }
        if item.work == Work::Again {
            owe_cuts_again(step, &item.page, position)?;
        }
    }
    Ok(())
}

/// All versions held of a page are to be cut again.
fn owe_cuts_again(step: &Step<'_>, page: &PageId, position: i64) -> Result<()> {
    step.run(
        "INSERT INTO owed_cut SELECT page, version, ?2 FROM raw_page WHERE page = ?1",
        params![page.as_str(), position],
    )?;
    let owed = step.transaction.changes() as i64;
    step.run(
        "UPDATE worklist SET open = ?3 WHERE page = ?1 AND position = ?2 AND work = 'again'",
        params![page.as_str(), position, owed],
    )
}

fn apply_fetched(step: &Step<'_>, page: &RawPage) -> Result<()> {
    let modified = page.modified.map(stored);
    step.run(
        "INSERT OR REPLACE INTO raw_page VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            page.id.as_str(),
            page.version.0,
            page.title,
            modified,
            serde_json::to_string(page)?,
            step.seq
        ],
    )?;
    if !page.historical {
        step.run(
            "INSERT INTO page VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '', 0, ?8) ON CONFLICT (page) DO UPDATE SET
             space = ?2, version = ?3, title = ?4, parent = ?5, link = ?6, modified = ?7, gone = 0, stands_on = ?8",
            params![
                page.id.as_str(),
                page.space.as_str(),
                page.version.0,
                page.title,
                page.parent.as_ref().map(PageId::as_str),
                page.link,
                modified,
                page.kind.on().map(PageId::as_str)
            ],
        )?;
        step.run(
            "UPDATE page SET fingerprint = (SELECT fingerprint FROM owed_fetch o WHERE o.page = ?1 AND o.version = ?2)
             WHERE page = ?1 AND EXISTS (SELECT 1 FROM owed_fetch o WHERE o.page = ?1 AND o.version = ?2)",
            params![page.id.as_str(), page.version.0],
        )?;
    }
    step.run(
        "INSERT OR IGNORE INTO owed_cut
         SELECT page, version, position FROM owed_fetch WHERE page = ?1 AND version = ?2",
        params![page.id.as_str(), page.version.0],
    )?;
    // A page that was refused and can be had now is no longer parked.
    step.run(
        "DELETE FROM parked WHERE page = ?1 AND version = ?2",
        params![page.id.as_str(), page.version.0],
    )?;
    settle_fetch(step, &page.id, page.version)
}

fn settle_fetch(step: &Step<'_>, page: &PageId, version: Version) -> Result<()> {
    step.run("DELETE FROM owed_fetch WHERE page = ?1 AND version = ?2", params![page.as_str(), version.0])
}

fn apply_gone(step: &Step<'_>, page: &PageId) -> Result<()> {
    step.run("UPDATE page SET gone = 1, fingerprint = '' WHERE page = ?1", [page.as_str()])?;
    for table in ["owed_fetch", "owed_cut"] {
        step.run(&format!("DELETE FROM {table} WHERE page = ?1"), [page.as_str()])?;
    }
    step.run("UPDATE worklist SET open = 0 WHERE page = ?1 AND open > 0", [page.as_str()])
}

fn apply_gathered(step: &Step<'_>, gathered: &Gathered) -> Result<()> {
    step.run(
        "INSERT INTO epoch (epoch, sweep, first, end, resolver, extractor, gathered_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            gathered.epoch,
            gathered.sweep,
            gathered.first,
            gathered.end,
            gathered.resolver,
            gathered.extractor,
            step.seq
        ],
    )?;
    for (one, other) in &gathered.alike {
        step.run("INSERT OR IGNORE INTO candidate VALUES (?1, ?2)", [one.as_bytes(), other.as_bytes()])?;
    }
    answers::gathered(step, gathered)
}

fn apply_layers(step: &Step<'_>, layers: &[Layer]) -> Result<()> {
    for layer in layers {
        let id = layer_text(&layer.id);
        match layer.rule {
            Rule::Everyone => step.run("DELETE FROM audience WHERE layer = ?1", [id])?,
            _ => step.run(
                "INSERT OR REPLACE INTO audience VALUES (?1, ?2)",
                [id, serde_json::to_string(&layer.rule)?],
            )?,
        }
    }
    Ok(())
}

fn apply_cut(step: &Step<'_>, cut: &Cut) -> Result<()> {
    let made_by = made_by(cut.reader, cut.chunker, cut.structure);
    let mut ids = Vec::with_capacity(cut.chunks.len() * 16);
    for piece in &cut.chunks {
        let id = match piece {
            Piece::Kept(id) => *id,
            Piece::New { chunk, reading } => {
                step.run(
                    "INSERT INTO chunk (chunk, page, form, path, text, occurrence, made_by, reading)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT (chunk) DO UPDATE SET made_by = ?7,
                     reading = CASE made_by WHEN ?7 THEN min(reading, ?8) ELSE ?8 END",
                    params![
                        chunk.id.as_bytes(),
                        cut.page.as_str(),
                        serde_json::to_string(&chunk.form)?,
                        serde_json::to_string(&chunk.path)?,
                        chunk.text,
                        chunk.occurrence,
                        made_by,
                        serde_json::to_string(reading)?
                    ],
                )?;
                changes::index_chunk(step, chunk.id)?;
                chunk.id
            }
        };
        ids.extend_from_slice(id.as_bytes());
    }
    step.run(
        "INSERT OR REPLACE INTO cut VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            cut.page.as_str(),
            cut.version.0,
            cut.reader,
            cut.chunker,
            cut.structure,
            ids,
            serde_json::to_string(&cut.warnings)?
        ],
    )?;
    settle_cut(step, &cut.page, cut.version)
}

/// How the state file names the versions of the rules that made a chunk's reading.
pub(super) fn made_by(reader: u32, chunker: u32, structure: u32) -> String {
    format!("{reader}.{chunker}.{structure}")
}

fn settle_cut(step: &Step<'_>, page: &PageId, version: Version) -> Result<()> {
    step.run(
        "UPDATE worklist SET open = open - 1 WHERE open > 0 AND (page, position) IN
         (SELECT page, position FROM owed_cut WHERE page = ?1 AND version = ?2)",
        params![page.as_str(), version.0],
    )?;
    step.run("DELETE FROM owed_cut WHERE page = ?1 AND version = ?2", params![page.as_str(), version.0])
}

fn apply_parked(step: &Step<'_>, parked: &Parked) -> Result<()> {
    let version = parked.version.unwrap_or(Version(0));
    step.run(
        "INSERT OR REPLACE INTO parked VALUES (?1, ?2, ?3, ?4)",
        params![parked.page.as_str(), version.0, parked.why, step.seq],
    )?;
    for table in ["owed_fetch", "owed_cut"] {
        step.run(
            &format!(
                "UPDATE worklist SET open = open - 1 WHERE open > 0 AND (page, position) IN
                 (SELECT page, position FROM {table} WHERE page = ?1 AND version = ?2)"
            ),
            params![parked.page.as_str(), version.0],
        )?;
        step.run(
            &format!("DELETE FROM {table} WHERE page = ?1 AND version = ?2"),
            params![parked.page.as_str(), version.0],
        )?;
    }
    Ok(())
}
