//! Vectors of texts: filled behind the loop, kept by text hash, no part of the fold. A text that changed loses its
//! vector row and is owed a new one.

use super::State;
use super::candidates::collect;
use crate::embedders::Quantised;
use crate::error::Result;
use rusqlite::params;

/// The text a vector is made of, by kind and row. Facts that stand on cards alone have none: words find them. A passage
/// is its headings and its first 600 characters, about 150 tokens: the model could read 256, at nearly twice the time.
const TEXTS: &str = "
    SELECT 'fact' AS kind, fact.row AS row,
           coalesce(se.name, sn.name) || ' ' || replace(fact.relation, '_', ' ') || ' ' ||
           coalesce(fact.value, oe.name, obj.name, '') AS text
    FROM fact JOIN node sn ON sn.node = fact.subject LEFT JOIN entity se ON se.entity = sn.entity
    LEFT JOIN node obj ON obj.node = fact.object LEFT JOIN entity oe ON oe.entity = obj.entity
    WHERE fact.folded_into IS NULL
      AND EXISTS (SELECT 1 FROM support JOIN chunk USING (chunk)
                  WHERE support.fact = fact.fact AND chunk.form = '\"text\"')
      AND NOT EXISTS (SELECT 1 FROM vector_of v WHERE v.kind = 'fact' AND v.row = fact.row)
    UNION ALL
    SELECT 'chunk', chunk.row, (SELECT group_concat(value, ' / ') FROM json_each(chunk.path)) || char(10) ||
           substr(chunk.text, 1, 600)
    FROM chunk JOIN episode USING (chunk) WHERE chunk.form = '\"text\"'
      AND NOT EXISTS (SELECT 1 FROM vector_of v WHERE v.kind = 'chunk' AND v.row = chunk.row)
    UNION ALL
    SELECT 'node', node.row, node.name FROM node
    WHERE node.entity IS NOT NULL AND node.key IS NULL AND node.kind <> 'Person' AND length(node.name) BETWEEN 4 AND 60
      AND instr(node.name, '@{') = 0
      AND NOT EXISTS (SELECT 1 FROM vector_of v WHERE v.kind = 'node' AND v.row = node.row)";

/// A text that is owed a vector.
pub struct Text {
    kind: String,
    row: i64,
    hash: [u8; 32],
    /// The text itself.
    pub text: String,
}

impl State {
    /// Whether any vector of this model is held.
    pub fn has_vectors(&self, model: &str) -> Result<bool> {
        Ok(self
            .connection()
            .prepare_cached("SELECT 1 FROM vector WHERE model = ?1 LIMIT 1")?
            .exists([model])?)
    }

    /// How many texts have no vector.
    pub fn count_without_vector(&self) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM ({TEXTS})");
        let count: i64 = self.connection().prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Texts without a vector, at most `limit`.
    pub fn texts_without_vector(&self, model: &str, limit: usize) -> Result<Vec<Text>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection().prepare_cached(&format!("{TEXTS} LIMIT ?1"))?;
        collect(statement.query([limit])?, |row| {
            let text: String = row.get(2)?;
            let hash = *blake3::hash(format!("{model}\n{text}").as_bytes()).as_bytes();
            Ok(Text { kind: row.get(0)?, row: row.get(1)?, hash, text })
        })
    }

    /// Gives the texts whose vector is held already to it, and returns the others, without repeats.
    pub fn use_known_vectors(&self, model: &str, texts: Vec<Text>) -> Result<Vec<Text>> {
        let transaction = self.connection().unchecked_transaction()?;
        let mut unknown: Vec<Text> = Vec::new();
        for text in texts {
            let held = transaction
                .prepare_cached("SELECT 1 FROM vector WHERE text_hash = ?1 AND model = ?2")?
                .exists(params![text.hash, model])?;
            if held {
                link(&transaction, &text)?;
            } else if !unknown.iter().any(|other| other.hash == text.hash) {
                unknown.push(text);
            }
        }
        transaction.commit()?;
        Ok(unknown)
    }

    /// Keeps the vectors of these texts.
    pub fn keep_vectors(&self, model: &str, texts: &[Text], vectors: &[Quantised]) -> Result<()> {
        let transaction = self.connection().unchecked_transaction()?;
        for (text, vector) in texts.iter().zip(vectors) {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO vector VALUES (?1, ?2, ?3)")?
                .execute(params![text.hash, model, vector.to_bytes()])?;
            link(&transaction, text)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn link(connection: &rusqlite::Connection, text: &Text) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO vector_of VALUES (?1, ?2, ?3)")?
        .execute(params![text.kind, text.row, text.hash])?;
    Ok(())
}
