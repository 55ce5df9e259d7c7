//! Vectors of texts, kept by the hash of the words and the model that made them. Which row has which text, and which
//! texts are owed a vector, is noted behind the loop and is no part of the fold; vectors that somebody was paid for are
//! (`embedded.rs`). A text that changed is noted anew.

use super::State;
use super::candidates::{collect, is_plain};
use crate::embedders::{Embedder, Quantised};
use crate::error::Result;
use knowledge::id::{FactId, TextId};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

/// What a fact says, in words, and where these come from.
macro_rules! said {
    () => {
        "coalesce(se.name, sn.name) || ' ' || replace(fact.relation, '_', ' ') || ' ' ||
         coalesce(fact.value, oe.name, obj.name, '') AS text
         FROM fact JOIN node sn ON sn.node = fact.subject LEFT JOIN entity se ON se.entity = sn.entity
         LEFT JOIN node obj ON obj.node = fact.object LEFT JOIN entity oe ON oe.entity = obj.entity"
    };
}

/// The text a vector is made of, by kind and row. Facts that stand on cards alone have none: words find them. A passage
/// is its headings and its first 600 characters, about 150 tokens: the model could read 256, at nearly twice the time.
const TEXTS: &str = concat!(
    "SELECT 'fact' AS kind, fact.row AS row, ",
    said!(),
    " WHERE fact.folded_into IS NULL
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
    WHERE NOT EXISTS (SELECT 1 FROM vector_of v WHERE v.kind = 'node' AND v.row = node.row) AND "
);

/// A text that is owed a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The row of the debt: debts are paid in this order.
    pub row: i64,
    /// Its id.
    pub id: TextId,
    /// The text itself.
    pub text: String,
    /// Texts that may share its call, where more were refused together.
    pub most: Option<usize>,
}

/// Texts noted between two transactions.
const NOTED: usize = 10_000;

impl State {
    /// Whether a viewer reads in a fact what its vector was made of; anybody else does.
    pub(super) fn reads_as_all_do(&self, row: i64) -> Result<bool> {
        if !self.has_viewer() {
            return Ok(true);
        }
        let mut fact = self.connection().prepare_cached("SELECT fact FROM main.fact WHERE row = ?1")?;
        let found: Option<[u8; 16]> = fact.query_row([row], |row| row.get(0)).optional()?;
        self.bring_facts(&found.map(FactId::from_bytes).into_iter().collect::<Vec<_>>())?;
        let sql = concat!("SELECT ", said!(), " WHERE fact.row = ?1 AND fact.folded_into IS NULL");
        let mut words = self.connection().prepare_cached(sql)?;
        let Some(text) = words.query_row([row], |row| row.get::<_, String>(0)).optional()? else {
            return Ok(false);
        };
        let mut noted = self
            .connection()
            .prepare_cached("SELECT 1 FROM vector_of WHERE kind = 'fact' AND row = ?1 AND text_hash = ?2")?;
        Ok(noted.exists(params![row, TextId::of(&[text.as_bytes()]).as_bytes()])?)
    }

    /// Whether any vector of this model is held.
    pub fn has_vectors(&self, model: &str) -> Result<bool> {
        Ok(self.dimensions(model)?.is_some())
    }

    /// How many numbers a vector of this model has; nothing before the first.
    pub fn dimensions(&self, model: &str) -> Result<Option<usize>> {
        let mut statement =
            self.connection().prepare_cached("SELECT length(vector) FROM vector WHERE model = ?1 LIMIT 1")?;
        let found: Option<i64> = statement.query_row([model], |row| row.get(0)).optional()?;
        Ok(found.and_then(|length| usize::try_from(length).ok()))
    }

    /// Notes what the graph's texts are, and which of them are owed a vector of this model. Returns how many are newly
    /// owed one; asked again, none.
    pub fn note_texts(&self, model: &str) -> Result<u64> {
        let mut noted = 0;
        if self.meta("embedding_model")?.as_deref() != Some(model) {
            // Debts to another model are none to this one; its vectors stay, should it be set again.
            self.connection().execute_batch("DELETE FROM vector_of; DELETE FROM owed_vector")?;
            self.connection()
                .execute("INSERT OR REPLACE INTO meta VALUES ('embedding_model', ?1)", [model])?;
        }
        loop {
            let texts = self.unnoted(NOTED)?;
            let last = texts.len() < NOTED;
            let transaction = self.connection().unchecked_transaction()?;
            for (kind, row, text) in texts {
                let id = TextId::of(&[text.as_bytes()]);
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO vector_of VALUES (?1, ?2, ?3)")?
                    .execute(params![kind, row, id.as_bytes()])?;
                noted += transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO owed_vector (text_hash, text) SELECT ?1, ?2
                         WHERE NOT EXISTS (SELECT 1 FROM vector WHERE text_hash = ?1 AND model = ?3)
                         AND NOT EXISTS (SELECT 1 FROM refused_vector WHERE text_hash = ?1 AND model = ?3)",
                    )?
                    .execute(params![id.as_bytes(), text, model])? as u64;
            }
            if last {
                // Texts that the graph has lost since they were noted.
                transaction.execute(
                    "DELETE FROM owed_vector WHERE call IS NULL AND text_hash NOT IN (SELECT text_hash FROM vector_of)",
                    [],
                )?;
            }
            transaction.commit()?;
            if last {
                return Ok(noted);
            }
        }
    }

    /// Texts of the graph that are not noted yet: kind, row, words.
    fn unnoted(&self, limit: usize) -> Result<Vec<(String, i64, String)>> {
        let mut statement = self.connection().prepare_cached(&format!("{TEXTS}{} LIMIT ?1", is_plain()))?;
        collect(statement.query([limit as i64])?, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    }

    /// How many texts are owed a vector.
    pub fn count_owed_vectors(&self) -> Result<u64> {
        let mut statement = self.connection().prepare_cached("SELECT count(*) FROM owed_vector")?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Texts that are owed a vector and that nobody is being asked for, after a row, at most `limit`.
    pub fn owed_vectors(&self, after: i64, limit: usize) -> Result<Vec<Text>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT row, text_hash, text, most FROM owed_vector WHERE call IS NULL AND row > ?1 ORDER BY row LIMIT ?2",
        )?;
        collect(statement.query(params![after, limit as i64])?, |row| {
            Ok(Text {
                row: row.get(0)?,
                id: TextId::from_bytes(row.get(1)?),
                text: row.get(2)?,
                most: row.get::<_, Option<i64>>(3)?.and_then(|most| usize::try_from(most).ok()),
            })
        })
    }

    /// The vectors that are kept of these texts.
    pub fn vectors_by_text(
        &self,
        embedder: &impl Embedder,
        texts: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, Quantised>> {
        let dimensions = self.dimensions(embedder.name())?.unwrap_or(0);
        let mut statement = self
            .connection()
            .prepare_cached("SELECT vector FROM vector WHERE text_hash = ?1 AND model = ?2")?;
        let mut found = BTreeMap::new();
        for text in texts {
            let id = TextId::of(&[text.as_bytes()]);
            let kept: Option<Vec<u8>> =
                statement.query_row(params![id.as_bytes(), embedder.name()], |row| row.get(0)).optional()?;
            let vector = kept.and_then(|bytes| Quantised::from_bytes(&bytes, dimensions).ok());
            found.extend(vector.map(|vector| ((*text).to_owned(), vector)));
        }
        Ok(found)
    }

    /// Keeps the vectors of these texts, whether or not the graph has them yet: a cache, in whatever transaction is
    /// open.
    pub fn keep_by_text(
        &self,
        embedder: &impl Embedder,
        texts: &[&str],
        vectors: &[Quantised],
    ) -> Result<()> {
        let mut statement =
            self.connection().prepare_cached("INSERT OR IGNORE INTO vector VALUES (?1, ?2, ?3)")?;
        for (text, vector) in texts.iter().zip(vectors) {
            let id = TextId::of(&[text.as_bytes()]);
            statement.execute(params![id.as_bytes(), embedder.name(), vector.to_bytes()])?;
        }
        Ok(())
    }

    /// Keeps the vectors of these texts, made here.
    pub fn keep_vectors(&self, model: &str, texts: &[Text], vectors: &[Quantised]) -> Result<()> {
        let transaction = self.connection().unchecked_transaction()?;
        for (text, vector) in texts.iter().zip(vectors) {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO vector VALUES (?1, ?2, ?3)")?
                .execute(params![text.id.as_bytes(), model, vector.to_bytes()])?;
            transaction.prepare_cached("DELETE FROM owed_vector WHERE row = ?1")?.execute([text.row])?;
        }
        transaction.commit()?;
        Ok(())
    }
}
