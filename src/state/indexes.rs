//! The full-text indexes as files: how many pieces each is in. Must not know what stands in them.
//!
//! Source: SQLite's documentation of FTS5, "The 'optimize' Command" and "FTS5 Data Structures": every transaction adds
//! a segment, and a word is looked for in each of them.

use super::State;
use crate::error::Result;

/// The indexes by words.
pub(super) const INDEXES: [&str; 3] = ["chunk_text", "node_text", "fact_text"];

/// Pieces that an index may be in: a search takes longer with each, and to put them together writes all of it anew.
const PIECES: i64 = 4;

impl State {
    /// Puts each index together that is in many pieces. A search finds the same before and after.
    pub fn merge_indexes(&self) -> Result<()> {
        for index in INDEXES {
            let pieces = format!("SELECT count(DISTINCT segid) FROM main.{index}_idx");
            if self.connection.query_row(&pieces, [], |row| row.get::<_, i64>(0))? > PIECES {
                self.connection.execute(&format!("INSERT INTO {index} ({index}) VALUES ('optimize')"), [])?;
            }
        }
        Ok(())
    }
}
