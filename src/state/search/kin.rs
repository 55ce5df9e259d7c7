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

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of names, those in `entities` one to all, with what was said of pairs: a verdict, its weight, and whether
    /// a passage says so.
    fn lots(
        names: u8,
        said: &[(u8, u8, &str, u16, bool)],
        ruled: &[(u8, u8)],
    ) -> Vec<(Vec<RowNumber>, bool)> {
        let connection = Connection::open_in_memory().unwrap();
        let tables = "CREATE TABLE node (node, entity); CREATE TABLE ruling (a, b, verdict);
            CREATE TABLE decision (a, b, verdict, weight, chunk)";
        connection.execute_batch(tables).unwrap();
        let id = |name: u8| [name; 16];
        for (a, b, verdict, weight, by_passage) in said {
            let chunk: &[u8] = if *by_passage { &[9; 16] } else { &[] };
            let values = params![id(*a), id(*b), verdict, weight, chunk];
            connection.execute("INSERT INTO decision VALUES (?1, ?2, ?3, ?4, ?5)", values).unwrap();
        }
        for (a, b) in ruled {
            connection
                .execute("INSERT INTO ruling VALUES (?1, ?2, 'same')", params![id(*a), id(*b)])
                .unwrap();
        }
        let rows = (0..names).map(|name| (id(name), RowNumber::from(name))).collect();
        let kin = read(&connection, &rows).unwrap();
        let mut found = vec![(Vec::new(), true); kin.decided.len()];
        for (lot, row) in kin.members {
            found[lot as usize].0.push(row);
        }
        for (lot, decided) in found.iter_mut().zip(kin.decided) {
            lot.0.sort_unstable();
            lot.1 = decided;
        }
        found
    }

    #[test]
    fn what_anything_ever_joined_is_one_lot() {
        let said = [(0, 5, "same", 850, false), (5, 3, "same", 900, true), (7, 8, "apart", 0, true)];
        assert_eq!(lots(9, &said, &[]), [(vec![0, 3, 5], true)]);
        // A chain that is told in any order.
        let chain: Vec<_> = [4, 0, 2, 6, 1, 5, 3].map(|at| (at, at + 1, "same", 850, false)).to_vec();
        assert_eq!(lots(9, &chain, &[]), [((0..8).collect(), true)]);
    }

    #[test]
    fn what_somebody_said_who_looked_counts_for_one_and_not_for_another() {
        let named = (0, 1, "same", 850, false);
        let judged = (1, 2, "same", WEIGHT_JUDGED, false);
        assert_eq!(lots(4, &[named, judged], &[]), [(vec![0, 1, 2], false)]);
        // He parts two that names join.
        assert_eq!(lots(4, &[named, (0, 1, "apart", WEIGHT_JUDGED, false)], &[]), [(vec![0, 1], false)]);
        // What is said of names of two lots changes neither.
        let other = (2, 3, "same", 850, false);
        let apart = (1, 2, "apart", WEIGHT_JUDGED, false);
        assert_eq!(lots(4, &[named, other, apart], &[]), [(vec![0, 1], true), (vec![2, 3], true)]);
        assert_eq!(lots(4, &[named], &[(0, 1)]), [(vec![0, 1], false)], "a user's word is such a one too");
    }
}
