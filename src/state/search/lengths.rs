//! How many words a row of an index has: the sizes that the index itself keeps, so that what all see and what is
//! derived for one are counted alike. Must not know what a length is for.
//!
//! Source: SQLite's documentation of FTS5, "External Content and Contentless Tables" and "FTS5 Data Structures": the
//! table `%_docsize` has a row for each row of the index, with a varint for each column: its tokens.

use super::grounds::RowNumber;
use crate::error::Result;
use crate::state::State;
use rusqlite::{Connection, OptionalExtension};

/// An index whose rows have lengths, with the columns that are counted.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    sizes: &'static str,
    columns: &'static [usize],
}

/// Of a fact the statement, or what a card says in its place; the sentence that it stands on is not counted.
pub(super) const FACTS: Lengths = Lengths { sizes: "fact_text_docsize", columns: &[0, 2] };
pub(super) const NAMES: Lengths = Lengths { sizes: "node_text_docsize", columns: &[0] };

impl Lengths {
    /// Every row of the index of all, with its words.
    pub fn each(self, connection: &Connection, mut take: impl FnMut(RowNumber, u16)) -> Result<()> {
        let mut statement = connection.prepare(&format!("SELECT id, sz FROM main.{}", self.sizes))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let size = row.get_ref(1)?.as_blob().unwrap_or_default();
            take(RowNumber::try_from(row.get::<_, i64>(0)?).unwrap_or_default(), self.words(size));
        }
        Ok(())
    }

    /// The words of a row that was derived for whoever looks.
    pub fn derived(self, state: &State, row: RowNumber) -> Result<u16> {
        let sql = format!("SELECT sz FROM temp.{} WHERE id = ?1", self.sizes);
        let mut statement = state.connection().prepare_cached(&sql)?;
        let size: Option<Vec<u8>> = statement.query_row([row], |row| row.get(0)).optional()?;
        Ok(self.words(&size.unwrap_or_default()))
    }

    fn words(self, size: &[u8]) -> u16 {
        let counted = varints(size).enumerate().filter(|(column, _)| self.columns.contains(column));
        u16::try_from(counted.map(|(_, words)| words).sum::<u64>()).unwrap_or(u16::MAX)
    }
}

/// Numbers of seven bits a byte, the high ones first; the last byte of each has no high bit. Lengths of a column never
/// come to the nine bytes at which SQLite's form is another.
fn varints(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes
        .split_inclusive(|byte| byte & 0x80 == 0)
        .map(|number| number.iter().take(8).fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_that_the_index_keeps() {
        let connection = Connection::open_in_memory().unwrap();
        let columns = "statement, sentence, card, content = '', contentless_delete = 1";
        connection.execute_batch(&format!("CREATE VIRTUAL TABLE fact_text USING fts5 ({columns})")).unwrap();
        let long = "word ".repeat(20_000);
        let rows = [(1, "a b c", "d e", ""), (2, "", "", "x y"), (7, long.as_str(), "z", "")];
        for (row, statement, sentence, card) in rows {
            let sql = "INSERT INTO fact_text (rowid, statement, sentence, card) VALUES (?1, ?2, ?3, ?4)";
            connection.execute(sql, rusqlite::params![row, statement, sentence, card]).unwrap();
        }
        let mut found = Vec::new();
        FACTS.each(&connection, |row, words| found.push((row, words))).unwrap();
        assert_eq!(found, [(1, 3), (2, 2), (7, 20_000)]);
        assert_eq!(FACTS.words(&[0xff; 30]), u16::MAX, "a size that is none is a very long one");
    }
}
