//! Names that may be one thing to somebody: those that anything has ever said are one, and all that follow from it.
//! Whoever sees another part of the wiki than all may find fewer of them joined, and none that are not in one lot here.
//! Must not know who looks.

use super::grounds::{Id, RowNumber, Rows, each};
use crate::error::Result;
use knowledge::resolve::WEIGHT_JUDGED;
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, HashMap};

/// The lots.
pub(super) struct Kin {
    /// Of each lot, by its place, the rows of its names.
    pub members: Vec<(u32, RowNumber)>,
    /// Of each lot whether names and passages that speak of both alone say that they are one. Where somebody has looked
    /// at two names and said what they are, it may count for one reader and not for another.
    pub decided: Vec<bool>,
}

/// Rows that belong together, each with one that is nearer to the least of them.
#[derive(Default)]
struct Joined(HashMap<RowNumber, RowNumber>);

impl Joined {
    fn least(&mut self, row: RowNumber) -> RowNumber {
        let mut at = row;
        while let Some(next) = self.0.get(&at).copied().filter(|next| *next != at) {
            // Halves the way for whoever comes after.
            let after = self.0.get(&next).copied().unwrap_or(next);
            self.0.insert(at, after);
            at = after;
        }
        at
    }

    fn join(&mut self, one: RowNumber, other: RowNumber) {
        let (one, other) = (self.least(one), self.least(other));
        self.0.insert(one, one.min(other));
        self.0.insert(other, one.min(other));
    }
}

/// What joins two names: that they are one to all, and whatever has said so, though it may not count any more.
const SAME: &str = "SELECT node, entity FROM main.node WHERE entity <> node
    UNION ALL SELECT a, b FROM main.decision WHERE verdict = 'same'
    UNION ALL SELECT a, b FROM main.ruling WHERE verdict = 'same'";

/// What somebody has said who looked at two names.
const SAID: &str =
    "SELECT a, b FROM main.decision WHERE length(chunk) = 0 AND (verdict <> 'same' OR weight = ?1)
    UNION ALL SELECT a, b FROM main.ruling";

pub(super) fn read(connection: &Connection, rows: &Rows) -> Result<Kin> {
    let pair = |row: &rusqlite::Row<'_>| -> Result<Option<(RowNumber, RowNumber)>> {
        let (one, other) = (row.get::<_, Id>(0)?, row.get::<_, Id>(1)?);
        Ok(rows.get(&one).copied().zip(rows.get(&other).copied()))
    };
    let mut joined = Joined::default();
    each(connection, SAME, |row| {
        if let Some((one, other)) = pair(row)? {
            joined.join(one, other);
        }
        Ok(())
    })?;
    let mut lots: BTreeMap<RowNumber, Vec<RowNumber>> = BTreeMap::new();
    let all: Vec<RowNumber> = joined.0.keys().copied().collect();
    for row in all {
        lots.entry(joined.least(row)).or_default().push(row);
    }
    let mut decided = vec![true; lots.len()];
    let places: HashMap<RowNumber, u32> = lots.keys().copied().zip(0..).collect();
    let mut statement = connection.prepare(SAID)?;
    let mut said = statement.query(params![WEIGHT_JUDGED])?;
    while let Some(row) = said.next()? {
        let Some((one, other)) = pair(row)? else { continue };
        let (one, other) = (joined.least(one), joined.least(other));
        if let Some(place) = places.get(&one).filter(|_| one == other) {
            decided[*place as usize] = false;
        }
    }
    let members =
        lots.into_values().zip(0..).flat_map(|(rows, lot)| rows.into_iter().map(move |row| (lot, row)));
    Ok(Kin { members: members.collect(), decided })
}
