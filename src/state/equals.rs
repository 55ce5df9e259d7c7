//! Chunks of a page that a model would be shown word for word alike: a page that repeats a block has one for each time.
//! One of them is asked about, and what it says is said by all. It must not know what is asked.
//!
//! Invariant: of equal chunks that are owed an answer the first is asked about, and the others are answered with it.

use super::State;
use super::candidates::collect;
use crate::error::Result;
use knowledge::extract::Asked;
use knowledge::id::ChunkId;
use rusqlite::{OptionalExtension, params};

// `+` keeps SQLite from the index by form, under which half of all chunks are one entry.
impl State {
    /// Whether a chunk is answered together with an equal one that stands before it on its page.
    pub(super) fn is_answered_with_another(&self, chunk: ChunkId, extractor: &str) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT first.chunk FROM chunk
             CROSS JOIN chunk first ON first.page = chunk.page AND first.occurrence = 0 AND +first.form = chunk.form
                             AND first.path = chunk.path AND first.text = chunk.text
             WHERE chunk.chunk = ?1 AND chunk.occurrence > 0
             AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.chunk = first.chunk AND a.extractor = ?2)
             AND NOT EXISTS (SELECT 1 FROM refused_chunk r WHERE r.chunk = first.chunk AND r.extractor = ?2)",
        )?;
        let first: Option<[u8; 16]> =
            statement.query_row(params![chunk.as_bytes(), extractor], |row| row.get(0)).optional()?;
        match first {
            Some(first) => self.are_shown_alike(ChunkId::from_bytes(first), chunk),
            None => Ok(false),
        }
    }

    /// The chunks of the current page that are answered together with this one.
    pub fn answered_with(&self, first: ChunkId, extractor: &str) -> Result<Vec<ChunkId>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.chunk FROM chunk first
             CROSS JOIN chunk ON chunk.page = first.page AND chunk.occurrence > 0 AND +chunk.form = first.form
                             AND chunk.path = first.path AND chunk.text = first.text
             WHERE first.chunk = ?1 AND first.occurrence = 0
             AND EXISTS (SELECT 1 FROM page p JOIN cut USING (page, version)
                         WHERE p.page = chunk.page AND instr(cut.chunks, chunk.chunk) > 0)
             AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.chunk = chunk.chunk AND a.extractor = ?2)
             AND NOT EXISTS (SELECT 1 FROM refused_chunk r WHERE r.chunk = chunk.chunk AND r.extractor = ?2)
             ORDER BY chunk.occurrence",
        )?;
        let found = collect(statement.query(params![first.as_bytes(), extractor])?, |row| {
            Ok(ChunkId::from_bytes(row.get(0)?))
        })?;
        let mut alike = Vec::new();
        for chunk in found {
            if self.are_shown_alike(first, chunk)? {
                alike.push(chunk);
            }
        }
        Ok(alike)
    }

    /// A chunk that came with a later version is shown with another date.
    fn are_shown_alike(&self, one: ChunkId, other: ChunkId) -> Result<bool> {
        let shown = self.asked(&[one, other])?;
        Ok(matches!(&shown[..], [a, b] if *a == Asked { chunk: a.chunk, ..b.clone() }))
    }
}
