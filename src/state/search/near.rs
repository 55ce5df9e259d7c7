//! Which texts are near a question: the signs of all vectors in memory, and the vectors themselves of what the signs
//! propose. Must not know what a text is about, nor who may see it.
//!
//! Invariant: what is proposed is compared by its kept vector, so a score is the same whether signs proposed it or a
//! walk.

use crate::embedders::Quantised;
use crate::error::Result;
use crate::state::State;
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;

/// What has a vector that questions are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::state) enum Kind {
    Fact,
    Passage,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Fact => "fact",
            Kind::Passage => "chunk",
        }
    }
}

/// The signs of one kind's vectors, in the order of their rows.
#[derive(Default)]
struct Signs {
    rows: Vec<i64>,
    words: Vec<u64>,
}

/// What is kept in memory to compare questions with: an eighth of a byte for each number of a vector, 5 MB for 100,000
/// facts. It is made by the first question, and stands for one moment of one file.
pub struct Codes {
    /// The moment.
    stamp: String,
    model: String,
    dimensions: usize,
    facts: Signs,
    passages: Signs,
}

/// Rows whose vectors are looked at, for one that is wanted: signs misjudge a cosine by a few hundredths.
const LOOKED_AT: usize = 4;

impl State {
    /// What questions in this model's vectors are compared with, made anew where the file has changed.
    pub fn codes(&self, model: &str, dimensions: usize) -> Result<Arc<Codes>> {
        let stamp = self.vectors_stamp()?;
        let known = self.codes.borrow().clone();
        if let Some(codes) = known
            && codes.stamp == stamp
            && codes.model == model
            && codes.dimensions == dimensions
        {
            return Ok(codes);
        }
        let codes = Arc::new(self.read_codes(model, dimensions, stamp)?);
        *self.codes.borrow_mut() = Some(codes.clone());
        Ok(codes)
    }

    /// What was made to compare questions with, for the next state of the same file.
    pub fn codes_made(&self) -> Option<Arc<Codes>> {
        self.codes.borrow().clone()
    }

    /// Takes over what another state of the same file has made; it is looked at again whether it still stands.
    #[must_use]
    pub fn with_codes(self, codes: Arc<Codes>) -> Self {
        *self.codes.borrow_mut() = Some(codes);
        self
    }

    /// What changes when vectors do: what was applied, what is owed, and the last row that is noted of each kind.
    fn vectors_stamp(&self) -> Result<String> {
        let mut statement = self.connection().prepare_cached(
            "SELECT (SELECT value FROM main.meta WHERE key = 'applied_seq') || ' ' ||
                    coalesce((SELECT value FROM main.meta WHERE key = 'generation'), ''),
                    (SELECT count(*) FROM main.owed_vector),
                    (SELECT max(row) FROM main.vector_of WHERE kind = 'fact'),
                    (SELECT max(row) FROM main.vector_of WHERE kind = 'chunk')",
        )?;
        Ok(statement.query_row([], |row| {
            let (applied, owed): (Option<String>, i64) = (row.get(0)?, row.get(1)?);
            let (fact, chunk): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok(format!("{applied:?} {owed} {fact:?} {chunk:?}"))
        })?)
    }

    fn read_codes(&self, model: &str, dimensions: usize, stamp: String) -> Result<Codes> {
        let (mut facts, mut passages) = (Signs::default(), Signs::default());
        let mut statement = self.connection().prepare_cached(
            "SELECT kind, row, vector FROM main.vector_of JOIN main.vector USING (text_hash)
             WHERE kind <> 'node' AND vector.model = ?1 ORDER BY kind, row",
        )?;
        let mut rows = statement.query([model])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(2)?.as_blob().unwrap_or_default();
            // A model whose vectors have changed their length behind its name says nothing about this question.
            let Ok(vector) = Quantised::from_bytes(bytes, dimensions) else { continue };
            let is_fact = row.get_ref(0)?.as_str().unwrap_or_default() == Kind::Fact.word();
            let signs = if is_fact { &mut facts } else { &mut passages };
            signs.rows.push(row.get(1)?);
            signs.words.extend(vector.signs());
        }
        Ok(Codes { stamp, model: model.to_owned(), dimensions, facts, passages })
    }

    /// The rows nearest to a question by their signs that `admits` lets pass, with their cosines, the nearest first.
    pub(super) fn nearest(
        &self,
        (kind, question): (Kind, &(String, Quantised)),
        wanted: usize,
        mut admits: impl FnMut(i64) -> Result<bool>,
    ) -> Result<Vec<(i64, f64)>> {
        let codes = self.codes(&question.0, question.1.dimensions())?;
        let signs = match kind {
            Kind::Fact => &codes.facts,
            Kind::Passage => &codes.passages,
        };
        let mut found = Vec::new();
        for row in signs.by_distance(&question.1.signs()) {
            if found.len() >= wanted * LOOKED_AT {
                break;
            }
            if admits(row)?
                && let Some(cosine) = self.cosine(kind, row, question)?
            {
                found.push((row, cosine));
            }
        }
        found.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        found.truncate(wanted);
        Ok(found)
    }

    /// The cosine of a row's text with a question; none where it has no vector of that model.
    pub(super) fn cosine(
        &self,
        kind: Kind,
        row: i64,
        (model, question): &(String, Quantised),
    ) -> Result<Option<f64>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT vector FROM main.vector_of JOIN main.vector USING (text_hash)
             WHERE kind = ?1 AND row = ?2 AND model = ?3",
        )?;
        let bytes: Option<Vec<u8>> =
            statement.query_row(params![kind.word(), row, model], |row| row.get(0)).optional()?;
        let vector = bytes.and_then(|bytes| Quantised::from_bytes(&bytes, question.dimensions()).ok());
        Ok(vector.map(|vector| f64::from(question.cosine(&vector))))
    }
}

impl Signs {
    /// All rows, those first that differ in the fewest signs; of equals, the smaller first. A sort by counting.
    fn by_distance(&self, question: &[u64]) -> impl Iterator<Item = i64> {
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); question.len() * 64 + 1];
        for (at, words) in self.words.chunks_exact(question.len().max(1)).enumerate() {
            let differ: u32 = words.iter().zip(question).map(|(one, other)| (one ^ other).count_ones()).sum();
            places[differ as usize].push(at as u32);
        }
        let rows = self.rows.clone();
        places.into_iter().flatten().map(move |at| rows[at as usize])
    }
}
