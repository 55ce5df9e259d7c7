//! Names that mean nearly the same: noted for people and for a model that will judge them, and kept apart until then.
//!
//! A note is no part of the graph and no record: it is found behind the loop from the vectors of names, and nothing
//! merges because of it. Names are compared only where the signs of a slice of their vectors agree, so the work grows
//! with the names and not with their square.

use super::State;
use super::candidates::collect;
use crate::embedders::Quantised;
use crate::error::Result;
use knowledge::id::{EntityId, NodeId};
use rusqlite::params;
use serde::Serialize;
use std::collections::BTreeMap;

/// From here on a pair is worth a question. Pairs of names of the sample wikis above it are mostly spellings, plurals
/// and abbreviations of one thing; below it mostly things of one sort.
pub const ALIKE: f32 = 0.88;
/// Signs that must agree for two names to be compared: at a cosine of 0.9 a sign agrees in 86 of 100 cases, so that
/// one of the 32 slices of 12 agrees in 99 of 100.
const SLICE: usize = 12;
/// Names in one slot that are compared with each other: a fuller slot says nothing, and its square would cost.
const SLOT: usize = 256;
/// Notes kept for a name.
pub const NOTES: usize = 3;

/// An entity that may be the same as another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Alike {
    /// The other entity.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub entity: EntityId,
    /// Its shown name.
    pub name: String,
    /// The cosine of the names.
    pub score: f64,
}

struct Named {
    node: [u8; 16],
    entity: [u8; 16],
    vector: Quantised,
    signs: Vec<bool>,
    digits: String,
}

impl State {
    /// Notes again which names are alike, from the vectors held. Returns how many pairs were noted.
    pub fn note_alike(&self, model: &str) -> Result<usize> {
        let dimensions = self.dimensions(model)?.unwrap_or(0);
        let names = self.names_with_vector(model, dimensions)?;
        let mut pairs: BTreeMap<(usize, usize), f32> = BTreeMap::new();
        for slice in 0..dimensions / SLICE {
            let mut slots: BTreeMap<&[bool], Vec<usize>> = BTreeMap::new();
            for (index, name) in names.iter().enumerate() {
                slots.entry(&name.signs[slice * SLICE..(slice + 1) * SLICE]).or_default().push(index);
            }
            slots
                .values()
                .filter(|slot| slot.len() <= SLOT)
                .for_each(|slot| compare(&names, slot, &mut pairs));
        }
        let best = best_of_each(&pairs);
        let transaction = self.connection().unchecked_transaction()?;
        transaction.execute("DELETE FROM alike", [])?;
        for (a, b) in &best {
            let score = f64::from(pairs[&(*a, *b)]);
            transaction
                .prepare_cached("INSERT OR IGNORE INTO alike VALUES (?1, ?2, ?3)")?
                .execute(params![names[*a].node, names[*b].node, score])?;
        }
        transaction.commit()?;
        Ok(best.len())
    }

    fn names_with_vector(&self, model: &str, dimensions: usize) -> Result<Vec<Named>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT node.node, node.entity, vector.vector, node.normal FROM vector_of JOIN vector USING (text_hash)
             JOIN node ON node.row = vector_of.row
             WHERE vector_of.kind = 'node' AND vector.model = ?1 AND node.entity IS NOT NULL ORDER BY node.node",
        )?;
        let found = collect(statement.query([model])?, |row| {
            let bytes: Vec<u8> = row.get(2)?;
            let Ok(vector) = Quantised::from_bytes(&bytes, dimensions) else { return Ok(None) };
            let signs = bytes.iter().map(|byte| byte.cast_signed() < 0).collect();
            let digits = digits(&row.get::<_, String>(3)?);
            Ok(Some(Named { node: row.get(0)?, entity: row.get(1)?, vector, signs, digits }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What an entity may be the same as, best first.
    pub(super) fn alike(&self, entity: EntityId) -> Result<Vec<Alike>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT other.entity, entity.name, max(score) FROM node
             JOIN (SELECT a, b, score FROM alike UNION ALL SELECT b, a, score FROM alike) pair ON pair.a = node.node
             JOIN node other ON other.node = pair.b JOIN entity ON entity.entity = other.entity
             WHERE node.entity = ?1 AND other.entity <> ?1 GROUP BY other.entity ORDER BY 3 DESC, 1 LIMIT ?2",
        )?;
        collect(statement.query(params![entity.0.as_bytes(), NOTES as i64])?, |row| {
            Ok(Alike {
                entity: EntityId(NodeId::from_bytes(row.get(0)?)),
                name: row.get(1)?,
                score: row.get(2)?,
            })
        })
    }
}

/// The digits of a name: names that differ in a number mean different things.
pub fn digits(name: &str) -> String {
    name.chars().filter(char::is_ascii_digit).collect()
}

fn compare(names: &[Named], slot: &[usize], pairs: &mut BTreeMap<(usize, usize), f32>) {
    for (position, a) in slot.iter().enumerate() {
        for b in &slot[position + 1..] {
            let (one, other) = (&names[*a], &names[*b]);
            if one.entity == other.entity || one.digits != other.digits || pairs.contains_key(&(*a, *b)) {
                continue;
            }
            let score = one.vector.cosine(&other.vector);
            if score >= ALIKE {
                pairs.insert((*a, *b), score);
            }
        }
    }
}

/// The pairs that are among the best few of one of their names, in order.
fn best_of_each(pairs: &BTreeMap<(usize, usize), f32>) -> Vec<(usize, usize)> {
    let mut ranked: Vec<(&(usize, usize), &f32)> = pairs.iter().collect();
    ranked.sort_by(|one, other| other.1.total_cmp(one.1).then(one.0.cmp(other.0)));
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    let mut best = Vec::new();
    for ((a, b), _) in ranked {
        let room = |name: &usize| taken.get(name).is_none_or(|count| *count < NOTES);
        if room(a) || room(b) {
            best.push((*a, *b));
            *taken.entry(*a).or_default() += 1;
            *taken.entry(*b).or_default() += 1;
        }
    }
    best.sort_unstable();
    best
}
