//! Pairs of facts from different current pages that cannot both be true. It must not know how a pair is fixed.
//!
//! Two kinds are told. *Judged*: a model found that they contradict each other, and that stands; this ended the one
//! that began earlier in the graph, while its page says it to this day. *By rule*: one thing has two values of a
//! relation that has one at a time where it was read; nobody has judged them, and the graph keeps both.

use super::super::State;
use super::super::candidates::collect;
use super::super::judged;
use super::super::look::Statement;
use super::{Listing, Voice};
use crate::error::Result;
use knowledge::graph::Likeness;
use knowledge::id::{EntityId, FactId, NodeId};
use knowledge::resolve;
use knowledge::time::{Timestamp, parse};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Two facts that disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contradiction {
    /// A model found so; otherwise the relation has one value at a time.
    pub judged: bool,
    /// How many current pages speak of what both are about.
    pub spoken_of_by: u32,
    /// The one that began later, then the other.
    pub sides: [Side; 2],
}

/// A fact with the current pages that say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The fact.
    #[serde(flatten)]
    pub statement: Statement,
    /// The graph takes it as true today.
    pub holds: bool,
    /// Who says so, last touched first.
    pub said_by: Vec<Voice>,
}

impl Side {
    /// The latest day from which on any page means it to be true.
    fn begins(&self) -> Option<&String> {
        self.said_by.iter().filter_map(Voice::begins).max()
    }

    /// Two pages say the two, of times that overlap.
    fn disagrees_with(&self, other: &Side) -> bool {
        let before = |one: &Voice, other: &Voice| {
            let (end, begin) = (one.invalid_at.as_deref(), other.valid_at.as_deref());
            end.and_then(parse).zip(begin.and_then(parse)).is_some_and(|(end, begin)| end <= begin)
        };
        let apart = |one: &Voice, other: &Voice| {
            one.page.page != other.page.page && !before(one, other) && !before(other, one)
        };
        self.said_by.iter().any(|one| other.said_by.iter().any(|other| apart(one, other)))
    }
}

/// Two shown facts, the smaller first, and whether a model judged them.
type Pairs = BTreeMap<(FactId, FactId), bool>;

fn pair(one: FactId, other: FactId) -> (FactId, FactId) {
    if one < other { (one, other) } else { (other, one) }
}

impl State {
    /// Pairs of facts that current pages disagree about: first those about what most pages speak of, then those whose
    /// later side is newest, then by id.
    pub fn contradictions(&self, now: Timestamp, limit: usize) -> Result<Listing<Contradiction>> {
        let mut pairs = self.judged_pairs()?;
        for (one, other) in self.single_pairs(now)? {
            pairs.entry((one, other)).or_insert(false);
        }
        let mut found = Vec::new();
        for ((one, other), judged) in pairs {
            let (one, other) = (self.side(one, now)?, self.side(other, now)?);
            if let (Some(one), Some(other)) = (one, other)
                && one.disagrees_with(&other)
            {
                let about = self.subject_of(one.statement.fact)?;
                let spoken_of_by = about.map_or(Ok(0), |entity| self.pages_speaking_of(entity))?;
                let sides = if one.begins() < other.begins() { [other, one] } else { [one, other] };
                found.push(Contradiction { judged, spoken_of_by, sides });
            }
        }
        found.sort_by_cached_key(|found| {
            let later = found.sides[0].begins().cloned();
            let ids = [found.sides[0].statement.fact, found.sides[1].statement.fact];
            (std::cmp::Reverse((found.spoken_of_by, later)), ids)
        });
        let all = found.len();
        found.truncate(limit);
        Ok(Listing { found: all, first: found })
    }

    fn side(&self, fact: FactId, now: Timestamp) -> Result<Option<Side>> {
        let said_by = self.voices(fact, now)?;
        let Some(statement) = self.statement(fact)?.filter(|_| !said_by.is_empty()) else { return Ok(None) };
        let ended = statement.invalid_at.as_deref().and_then(parse).is_some_and(|end| end <= now);
        Ok(Some(Side { holds: !ended && !statement.withdrawn, statement, said_by }))
    }

    /// What models found to contradict each other and stands, where current pages say both.
    fn judged_pairs(&self) -> Result<Pairs> {
        let mut statement = self.connection().prepare_cached(
            "SELECT a, b FROM main.judgement j WHERE likeness = 'contradicts'
             AND EXISTS (SELECT 1 FROM support s WHERE s.fact = j.a)
             AND EXISTS (SELECT 1 FROM support s WHERE s.fact = j.b) ORDER BY a, b",
        )?;
        let judged = collect(statement.query([])?, |row| {
            Ok((FactId::from_bytes(row.get(0)?), FactId::from_bytes(row.get(1)?)))
        })?;
        let mut pairs = Pairs::new();
        for (one, other) in judged {
            let (Some(one), Some(other)) = (self.shown(one)?, self.shown(other)?) else { continue };
            if judged::rivals(self.connection(), one)?.contains(&other) {
                pairs.insert(pair(one, other), true);
            }
        }
        Ok(pairs)
    }

    /// Of what has one value at a time and has several on current pages: each value against the newest.
    fn single_pairs(&self, now: Timestamp) -> Result<BTreeSet<(FactId, FactId)>> {
        let mut pairs = BTreeSet::new();
        for facts in self.several_values()? {
            let mut sides = Vec::new();
            for fact in facts {
                let Some(shown) = self.shown(fact)? else { continue };
                let known = sides.iter().any(|side: &Side| side.statement.fact == shown);
                if !known && self.is_said_as_single(fact)? {
                    sides.extend(self.side(shown, now)?);
                }
            }
            sides.sort_by(|one, other| {
                (other.begins(), one.statement.fact).cmp(&(one.begins(), other.statement.fact))
            });
            let Some((newest, older)) = sides.split_first() else { continue };
            for side in older.iter().filter(|side| side.disagrees_with(newest)) {
                let found = pair(newest.statement.fact, side.statement.fact);
                if !self.is_judged_otherwise(found)? && !self.says_more(found)? {
                    pairs.insert(found);
                }
            }
        }
        Ok(pairs)
    }

    /// Facts that current pages say, by what they are about and the relation, where there are several.
    fn several_values(&self) -> Result<Vec<Vec<FactId>>> {
        if self.has_viewer() {
            let mut subjects = self.connection().prepare_cached(
                "SELECT DISTINCT f.subject FROM main.fact f JOIN support s USING (fact)
                 WHERE s.ended IS NULL ORDER BY f.subject",
            )?;
            let nodes = collect(subjects.query([])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
            self.bring_nodes(&nodes)?;
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT n.entity, f.relation, f.fact FROM main.fact f JOIN node n ON n.node = f.subject
             WHERE n.entity IS NOT NULL AND EXISTS (SELECT 1 FROM support s WHERE s.fact = f.fact AND s.ended IS NULL)
             ORDER BY n.entity, f.relation, f.fact",
        )?;
        let mut groups: Vec<(EntityId, String, Vec<FactId>)> = Vec::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let entity = EntityId(NodeId::from_bytes(row.get(0)?));
            let (relation, fact): (String, _) = (row.get(1)?, FactId::from_bytes(row.get(2)?));
            match groups.last_mut() {
                Some((of, by, facts)) if *of == entity && *by == relation => facts.push(fact),
                _ => groups.push((entity, relation, vec![fact])),
            }
        }
        groups.retain(|(.., facts)| facts.len() > 1);
        Ok(groups.into_iter().map(|(.., facts)| facts).collect())
    }

    /// Whether whoever read it (rules, or a model in a vocabulary) read it as one value at a time.
    fn is_said_as_single(&self, fact: FactId) -> Result<bool> {
        let read = |table: &str| {
            format!(
                "SELECT 1 FROM support s JOIN main.fact f USING (fact) JOIN {table} r USING (chunk),
                 json_each(r.reading, '$.claims') claim
                 WHERE s.fact = ?1 AND s.ended IS NULL AND json_extract(claim.value, '$.relation') = f.relation
                 AND json_extract(claim.value, '$.single')"
            )
        };
        for table in ["chunk", "answer"] {
            let sql = read(table);
            if self.connection().prepare_cached(&sql)?.exists([fact.as_bytes()])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether both are texts, and one says what the other says and more: names are things, of which `Payments` and
    /// `Payments Platform` are two.
    fn says_more(&self, (one, other): (FactId, FactId)) -> Result<bool> {
        let mut statement = self.connection().prepare_cached("SELECT value FROM fact WHERE fact = ?1")?;
        let mut value = |fact: FactId| statement.query_row([fact.as_bytes()], |row| row.get(0)).optional();
        let texts: [Option<Option<String>>; 2] = [value(one)?, value(other)?];
        Ok(matches!(&texts, [Some(Some(one)), Some(Some(other))] if resolve::includes(one, other)))
    }

    /// Whether a model found the two to say the same, or to have nothing to do with each other.
    fn is_judged_otherwise(&self, (one, other): (FactId, FactId)) -> Result<bool> {
        self.shown(one)?;
        let settles = [Likeness::Duplicate, Likeness::Unrelated];
        let mut statement = self
            .connection()
            .prepare_cached("SELECT fact FROM fact WHERE fact = ?1 OR folded_into = ?1 ORDER BY fact")?;
        let members = |fact: FactId, statement: &mut rusqlite::CachedStatement<'_>| {
            collect(statement.query(params![fact.as_bytes()])?, |row| Ok(FactId::from_bytes(row.get(0)?)))
        };
        let (ones, others) = (members(one, &mut statement)?, members(other, &mut statement)?);
        for fact in ones {
            self.bring_all_judgements(fact)?;
            let found = judged::judgements(self.connection(), fact)?;
            let meets = |other: &FactId| others.contains(other);
            if found.iter().any(|found| {
                found.stands && settles.contains(&found.likeness) && (meets(&found.a) || meets(&found.b))
            }) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
