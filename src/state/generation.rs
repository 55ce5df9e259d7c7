//! Re-indexing: a second file grows beside the state file and takes its place when it is complete, so that
//! readers see the old graph whole until they see the new one whole.
//!
//! The switch hangs on records alone: `Reindexing` makes the second file from what was received and answered,
//! `Reindexed` moves it over the first. A lost second file is made again from the first one and the journal.

use super::indexes::INDEXES;
use super::seen::Seen;
use super::snapshots::Hold;
use super::{State, beside, delete};
use crate::error::Result;
use knowledge::record::Record;
use std::path::Path;
use vault::{Event, Segment};

/// Tables that a new generation fills anew. What was received, answered and embedded stays.
const DERIVED: [&str; 17] = [
    "cut",
    "chunk",
    "indexing_checkpoint",
    "episode",
    "node",
    "name_band",
    "decision",
    "mention",
    "entity",
    "fact",
    "support",
    "judgement",
    "spell",
    "vector_of",
    "candidate",
    "community",
    "community_member",
];

impl State {
    /// The file that a run writes at this moment: the second one while a re-indexing is in progress. It is not named
    /// before it keeps a log of its own, since only then nobody who looks stands in the way of its making.
    pub fn written_at(path: &Path) -> std::path::PathBuf {
        let next = next_to(path);
        if beside(&next, "wal").exists() { next } else { path.to_owned() }
    }

    /// Folds a segment, and changes files where its records say so. What was taken in before changes nothing.
    pub fn advance(&mut self, segment: &Segment<Record>) -> Result<()> {
        let before = self.applied()?;
        self.apply(segment)?;
        for entry in segment.entries.iter().filter(|entry| entry.seq > before) {
            match &entry.event {
                Event::Record(Record::Reindexing { .. }) => self.begin_generation()?,
                Event::Record(Record::Reindexed { .. }) => self.end_generation()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Goes on in the second file if a re-indexing is in progress; makes it if it is lost.
    pub(super) fn resume_generation(&mut self) -> Result<()> {
        if self.reindexing()?.is_none() {
            return delete(&next_to(&self.path));
        }
        let next = next_to(&self.path);
        let vault_id = self.vault_id()?;
        match State::create_or_open(&next, &vault_id) {
            // A file left from an earlier re-indexing, or one that was cut short while it was made, is of no
            // use.
            Ok(found) if found.applied()? >= self.applied()? && found.meta("growing")?.is_some() => {
                self.connection = found.connection;
                // Killed after the second file took in `Reindexed` and before the files changed places.
                if self.reindexing()?.is_none() { self.end_generation() } else { Ok(()) }
            }
            _ => self.begin_generation(),
        }
    }

    fn begin_generation(&mut self) -> Result<()> {
        let next = next_to(&self.path);
        delete(&next)?;
        self.connection.execute("VACUUM INTO ?1", [next.to_string_lossy()])?;
        let grown = State::create_or_open(&next, &self.vault_id()?)?;
        let transaction = grown.connection.unchecked_transaction()?;
        for table in DERIVED {
            transaction.execute(&format!("DELETE FROM {table}"), [])?;
        }
        for index in INDEXES {
            transaction.execute(&format!("INSERT INTO {index} ({index}) VALUES ('delete-all')"), [])?;
        }
        transaction.execute("INSERT INTO meta VALUES ('growing', '1')", [])?;
        transaction.commit()?;
        // Whoever closes the first file folds its log into it.
        self.hold = Hold::default();
        self.connection = grown.connection;
        self.seen = Seen::default();
        Ok(())
    }

    fn end_generation(&mut self) -> Result<()> {
        // First, and again when the files change places: where there is no room for it, nothing is changed yet.
        self.fold_log_in()?;
        self.connection.execute("DELETE FROM meta WHERE key = 'growing'", [])?;
        let connection = std::mem::replace(&mut self.connection, nowhere()?);
        let grown = State::over(connection, &next_to(&self.path));
        *self = grown.take_the_place_of(&self.path.clone())?;
        Ok(())
    }
}

/// A connection to nothing, while two files change places.
fn nowhere() -> Result<rusqlite::Connection> {
    Ok(rusqlite::Connection::open_in_memory()?)
}

/// The second file's name.
pub(super) fn next_to(path: &Path) -> std::path::PathBuf {
    beside(path, "next")
}
