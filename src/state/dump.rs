//! The graph as text, for comparing: two states are the same graph when their dumps are equal. Left out are what
//! depends on when and how often the job ran (`created_at`, `expired_at`, `noticed_at`, every `Seq`), vectors, and what
//! was found about facts: what follows from that is in the facts and their spells.

use super::State;
use crate::error::Result;
use rusqlite::types::ValueRef;

/// The tables of the graph with the columns that belong to the comparison, in a repeatable order.
const TABLES: [(&str, &str); 15] = [
    ("page", "SELECT page, space, version, title, parent, link, modified, gone FROM page ORDER BY page"),
    ("audience", "SELECT layer, rule FROM audience ORDER BY layer"),
    ("cut", "SELECT page, version, reader, chunker, structure, chunks FROM cut ORDER BY page, version"),
    ("chunk", "SELECT chunk, page, form, path, text, occurrence FROM chunk ORDER BY chunk"),
    ("episode", "SELECT chunk, valid_at, ended, end_version, end_at FROM episode ORDER BY chunk"),
    ("node", "SELECT node, name, normal, kind, space, key, entity FROM node ORDER BY node"),
    ("decision", "SELECT a, b, verdict, why, weight, chunk FROM decision ORDER BY a, b, chunk"),
    ("ruling", "SELECT a, b, verdict, why FROM ruling ORDER BY a, b"),
    ("mention", "SELECT node, chunk FROM mention ORDER BY node, chunk"),
    ("entity", "SELECT entity, named, name, kind FROM entity ORDER BY entity"),
    (
        "fact",
        "SELECT fact, subject, relation, object, value, run, extractor, folded_into, valid_at, invalid_at, withdrawn,
         withdrawn_at, closed_by FROM fact ORDER BY fact",
    ),
    (
        "support",
        "SELECT fact, chunk, page, sentence, valid_at, invalid_at, from_version, asserted_from, ended, end_version,
         asserted_to, until FROM support ORDER BY fact, chunk",
    ),
    (
        "summary",
        "SELECT entity, audience, text, facts FROM summary JOIN entity USING (entity) ORDER BY entity, audience",
    ),
    (
        "portrait",
        "SELECT community, audience, name, summary, members, facts, chunks, of_members, of_facts FROM portrait
         ORDER BY community, audience, key",
    ),
    ("spell", "SELECT fact, number, valid_at, invalid_at, closed_by FROM spell ORDER BY fact, number"),
];

impl State {
    /// The graph as text, a row a line.
    pub fn dump(&self) -> Result<String> {
        let mut text = String::new();
        for (table, sql) in TABLES {
            let mut statement = self.connection().prepare(sql)?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                text.push_str(table);
                for column in 0..columns {
                    text.push('\t');
                    write_value(&mut text, row.get_ref(column)?);
                }
                text.push('\n');
            }
        }
        Ok(text)
    }
}

fn write_value(text: &mut String, value: ValueRef<'_>) {
    use std::fmt::Write;
    let written = match value {
        ValueRef::Null => write!(text, "-"),
        ValueRef::Integer(number) => write!(text, "{number}"),
        ValueRef::Real(number) => write!(text, "{number}"),
        ValueRef::Text(bytes) => write!(text, "{:?}", String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}")),
    };
    written.expect("writing to a string cannot fail");
}
