//! Which texts are near a question: the signs of all vectors in memory, and the vectors themselves of what the signs
//! propose. Must not know what a text is about, nor who may see it.
//!
//! Invariant: what is proposed is compared by its kept vector, so a score is the same whether signs proposed it or a
//! walk.

use super::grounds::Grounds;
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
    /// The vectors themselves, as long as they are few: several hundred are compared for one question.
    vectors: Vec<u8>,
    /// Whether they are too many for that, and are read one by one.
    is_large: bool,
    /// While they are read: which rows have one.
    has: Vec<bool>,
}

/// The id of a text, as its vector is held by it.
type TextBytes = [u8; 16];

/// What is kept in memory to compare questions with: of a vector the signs, an eighth of a byte for each of its
/// numbers, and the vector itself, a byte for each, 43 MB for 100,000 facts. It is made by the first question, and
/// stands for one moment of one file.
pub(super) struct Codes {
    /// The moment.
    stamp: String,
    model: String,
    dimensions: usize,
    facts: Signs,
    passages: Signs,
}

/// What was read into memory to answer questions about one file.
#[derive(Clone, Default)]
pub struct Recalled {
    pub(super) codes: Option<Arc<Codes>>,
    pub(super) grounds: Option<Arc<Grounds>>,
}

/// Bytes of the vectors of one kind up to which they are kept: those of some 170,000 facts.
const VECTOR_BYTES: usize = 64 << 20;
/// Rows whose vectors are looked at, for one that is wanted: signs misjudge a cosine by a few hundredths.
const RESCORED: usize = 4;

impl State {
    /// What questions in this model's vectors are compared with, made anew where the file has changed.
    pub(super) fn codes(&self, model: &str, dimensions: usize) -> Result<Arc<Codes>> {
        let stamp = self.vectors_stamp()?;
        let known = self.recalled.borrow().codes.clone();
        if let Some(codes) = known
            && codes.stamp == stamp
            && codes.model == model
            && codes.dimensions == dimensions
        {
            return Ok(codes);
        }
        let codes = Arc::new(self.read_codes(model, dimensions, stamp)?);
        self.recalled.borrow_mut().codes = Some(codes.clone());
        Ok(codes)
    }

    /// What was read into memory to answer, for the next state of the same file.
    pub fn recalled(&self) -> Recalled {
        self.recalled.borrow().clone()
    }

    /// Takes over what another state of the same file has read; it is looked at again whether it still stands.
    #[must_use]
    pub fn recalling(self, recalled: Recalled) -> Self {
        *self.recalled.borrow_mut() = recalled;
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

    /// Vectors are held by their texts, so they are read in that order, one after the other, and put where their rows
    /// are: to look one up for each row took longer than all else that a first question does.
    fn read_codes(&self, model: &str, dimensions: usize, stamp: String) -> Result<Codes> {
        let (mut facts, mut passages) = (Signs::default(), Signs::default());
        let mut texts: Vec<(TextBytes, bool, u32)> = Vec::new();
        let mut statement = self.connection().prepare_cached(
            "SELECT kind, row, text_hash FROM main.vector_of WHERE kind <> 'node' ORDER BY kind, row",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let is_fact = row.get_ref(0)?.as_str().unwrap_or_default() == Kind::Fact.word();
            let signs = if is_fact { &mut facts } else { &mut passages };
            texts.push((row.get(2)?, is_fact, signs.rows.len() as u32));
            signs.rows.push(row.get(1)?);
        }
        texts.sort_unstable();
        let (mut facts, mut passages) = (facts.with_room(dimensions), passages.with_room(dimensions));
        let mut statement = self.connection().prepare_cached(
            "SELECT text_hash, vector FROM main.vector WHERE model = ?1 ORDER BY text_hash",
        )?;
        let mut rows = statement.query([model])?;
        let mut texts = texts.into_iter().peekable();
        while let Some(row) = rows.next()? {
            let (text, bytes) = (row.get::<_, TextBytes>(0)?, row.get_ref(1)?.as_blob().unwrap_or_default());
            // A model whose vectors have changed their length behind its name says nothing about this question.
            let vector = Quantised::from_bytes(bytes, dimensions).ok();
            while texts.next_if(|(other, ..)| *other < text).is_some() {}
            while let Some((_, is_fact, at)) = texts.next_if(|(other, ..)| *other == text) {
                let signs = if is_fact { &mut facts } else { &mut passages };
                if let Some(vector) = &vector {
                    signs.put(at as usize, vector, bytes);
                }
            }
        }
        facts.close(dimensions);
        passages.close(dimensions);
        Ok(Codes { stamp, model: model.to_owned(), dimensions, facts, passages })
    }

    /// Rows near to a question that `admits` lets pass, with their cosines, the nearest first: of those nearest by
    /// their signs several times as many as are wanted, so that whoever wants fewer may order equals as he likes.
    pub(super) fn nearest(
        &self,
        (kind, question): (Kind, &(String, Quantised)),
        wanted: usize,
        mut admits: impl FnMut(i64) -> Result<bool>,
    ) -> Result<Vec<(i64, f64)>> {
        let codes = self.codes(&question.0, question.1.dimensions())?;
        let signs = codes.of(kind);
        let mut found = Vec::new();
        let mut last = 0;
        for (row, distance) in signs.by_distance(&question.1.signs()) {
            // Of equals all: which of them has the smaller row hangs on when it came.
            if found.len() >= wanted * RESCORED && distance > last {
                break;
            }
            last = distance;
            if admits(row)?
                && let Some(cosine) = self.cosine(kind, row, question)?
            {
                found.push((row, cosine));
            }
        }
        found.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        Ok(found)
    }

    /// The cosine of a row's text with a question; none where it has no vector of that model.
    pub(super) fn cosine(
        &self,
        kind: Kind,
        row: i64,
        (model, question): &(String, Quantised),
    ) -> Result<Option<f64>> {
        let codes = self.recalled.borrow().codes.clone();
        let known = codes.filter(|codes| codes.model == *model && codes.dimensions == question.dimensions());
        if let Some(signs) = known.as_ref().map(|codes| codes.of(kind)).filter(|signs| !signs.is_large) {
            let vector = signs.vector(row, question.dimensions());
            return Ok(vector.map(|vector| f64::from(question.cosine(&vector))));
        }
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

impl Codes {
    fn of(&self, kind: Kind) -> &Signs {
        match kind {
            Kind::Fact => &self.facts,
            Kind::Passage => &self.passages,
        }
    }
}

impl Signs {
    /// With room for the vectors of its rows.
    fn with_room(mut self, dimensions: usize) -> Self {
        self.is_large = self.rows.len() * dimensions > VECTOR_BYTES;
        self.has = vec![false; self.rows.len()];
        self.words = vec![0; self.rows.len() * dimensions.div_ceil(64)];
        if !self.is_large {
            self.vectors = vec![0; self.rows.len() * dimensions];
        }
        self
    }

    fn put(&mut self, at: usize, vector: &Quantised, bytes: &[u8]) {
        self.has[at] = true;
        let signs = vector.signs();
        self.words[at * signs.len()..][..signs.len()].copy_from_slice(&signs);
        if !self.is_large {
            self.vectors[at * bytes.len()..][..bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Leaves out the rows that have no vector.
    fn close(&mut self, dimensions: usize) {
        let has = std::mem::take(&mut self.has);
        leave(&mut self.rows, (&has, 1));
        leave(&mut self.words, (&has, dimensions.div_ceil(64)));
        if !self.is_large {
            leave(&mut self.vectors, (&has, dimensions));
        }
    }

    /// The vector of a row, where vectors are kept.
    fn vector(&self, row: i64, dimensions: usize) -> Option<Quantised> {
        let at = self.rows.binary_search(&row).ok()? * dimensions;
        Quantised::from_bytes(self.vectors.get(at..at + dimensions)?, dimensions).ok()
    }

    /// All rows with the number of signs that differ, the fewest first; of equals, the smaller first. A sort by
    /// counting.
    fn by_distance(&self, question: &[u64]) -> impl Iterator<Item = (i64, u16)> + '_ {
        let differ = |words: &[u64]| -> u16 {
            words.iter().zip(question).map(|(one, other)| (one ^ other).count_ones() as u16).sum()
        };
        let distances: Vec<u16> = self.words.chunks_exact(question.len().max(1)).map(differ).collect();
        let mut ends = vec![0_u32; question.len() * 64 + 2];
        for distance in &distances {
            ends[usize::from(*distance) + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut places = vec![0_u32; distances.len()];
        for (at, distance) in distances.iter().enumerate() {
            let end = &mut ends[usize::from(*distance)];
            places[*end as usize] = at as u32;
            *end += 1;
        }
        places.into_iter().map(move |at| (self.rows[at as usize], distances[at as usize]))
    }
}

/// Keeps, of so many items a row, those of the rows that have a vector.
fn leave<T: Copy>(items: &mut Vec<T>, (has, width): (&[bool], usize)) {
    let mut kept = 0;
    for at in (0..has.len()).filter(|at| has[*at]) {
        items.copy_within(at * width..(at + 1) * width, kept * width);
        kept += 1;
    }
    items.truncate(kept * width);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_vector_are_left_out() {
        let vector = |numbers: [f32; 3]| Quantised::of(&numbers);
        let mut signs = Signs { rows: vec![3, 5, 9, 12], ..Signs::default() }.with_room(3);
        let (one, other) = (vector([1.0, -2.0, 0.5]), vector([-1.0, 2.0, 3.0]));
        signs.put(3, &other, &other.to_bytes());
        signs.put(1, &one, &one.to_bytes());
        signs.close(3);
        assert_eq!(signs.rows, [5, 12]);
        assert_eq!(signs.vector(5, 3), Some(one.clone()));
        assert_eq!(signs.vector(12, 3), Some(other.clone()));
        assert_eq!(signs.vector(3, 3), None);
        let found: Vec<(i64, u16)> = signs.by_distance(&other.signs()).collect();
        assert_eq!(found, [(12, 0), (5, 2)]);
    }
}
