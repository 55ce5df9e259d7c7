//! What was found about facts, and what follows for their times: rows of `judgement`, `spell` and the closing columns
//! of `fact`. It must not know how anything was found. Invariant: the times of a shown fact are computed from its
//! supports and those of the facts that contradict it, by the one rule, whenever one of these changes.

use super::apply::Step;
use super::candidates::{collect, supports_shown_by, unreadable};
use crate::error::Result;
use knowledge::graph::{Judgement, Likeness, Spell, Support};
use knowledge::id::FactId;
use knowledge::resolve;
use knowledge::time::stored;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn apply_judgement(step: &Step<'_>, judgement: &Judgement) -> Result<()> {
    step.run(
        "INSERT OR REPLACE INTO judgement VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            judgement.a.as_bytes(),
            judgement.b.as_bytes(),
            likeness_text(judgement.likeness),
            judgement.why,
            judgement.stands
        ],
    )
}

/// Whether one fact of a judgement may end the other.
pub(super) fn ends(judgement: &Judgement) -> bool {
    judgement.likeness == Likeness::Contradicts && judgement.stands
}

/// The same of what is held about these two facts.
pub(super) fn held_ends(connection: &Connection, judgement: &Judgement) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM judgement WHERE a = ?1 AND b = ?2 AND likeness = 'contradicts' AND stands",
    )?;
    Ok(statement.exists(params![judgement.a.as_bytes(), judgement.b.as_bytes()])?)
}

fn likeness_text(likeness: Likeness) -> &'static str {
    match likeness {
        Likeness::Duplicate => "duplicate",
        Likeness::Contradicts => "contradicts",
        Likeness::Unrelated => "unrelated",
        Likeness::Doubt => "doubt",
    }
}

/// All judgements that name a fact, by pair.
pub(super) fn judgements(connection: &Connection, fact: FactId) -> Result<Vec<Judgement>> {
    judgements_in(connection, "judgement", fact)
}

/// The same, of those in a table like it.
pub(super) fn judgements_in(connection: &Connection, table: &str, fact: FactId) -> Result<Vec<Judgement>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT a, b, likeness, why, stands FROM {table} WHERE a = ?1
         UNION ALL SELECT a, b, likeness, why, stands FROM {table} WHERE b = ?1",
    ))?;
    let mut found = collect(statement.query([fact.as_bytes()])?, |row| {
        let likeness: String = row.get(2)?;
        Ok(Judgement {
            a: FactId::from_bytes(row.get(0)?),
            b: FactId::from_bytes(row.get(1)?),
            likeness: match likeness.as_str() {
                "duplicate" => Likeness::Duplicate,
                "contradicts" => Likeness::Contradicts,
                "unrelated" => Likeness::Unrelated,
                "doubt" => Likeness::Doubt,
                other => return Err(unreadable("judgement", other)),
            },
            why: row.get(3)?,
            stands: row.get(4)?,
        })
    })?;
    found.sort_unstable_by_key(|judgement| (judgement.a, judgement.b));
    Ok(found)
}

/// Two searches for each fact: one that says it all makes SQLite build and drop three tables each time. `CROSS` keeps
/// the order of the joins: left to itself, SQLite walks through all facts for the few that are against one.
const RIVALS: &str =
    "SELECT coalesce(folded_into, fact) FROM judgement CROSS JOIN fact ON fact.fact = judgement.b
     WHERE judgement.a = ?1 AND likeness = 'contradicts' AND stands
     UNION ALL
     SELECT coalesce(folded_into, fact) FROM judgement CROSS JOIN fact ON fact.fact = judgement.a
     WHERE judgement.b = ?1 AND likeness = 'contradicts' AND stands";

/// The same with what was found about facts that do not contradict each other now, and share an entity and a relation.
const RIVALS_ONCE: &str =
    "WITH found AS (
         SELECT b AS other, stands FROM judgement WHERE a = ?1 AND likeness = 'contradicts'
         UNION ALL SELECT a, stands FROM judgement WHERE b = ?1 AND likeness = 'contradicts')
     SELECT coalesce(f.folded_into, f.fact) FROM found CROSS JOIN fact f ON f.fact = found.other
     CROSS JOIN fact own ON own.fact = ?1 CROSS JOIN node fs ON fs.node = f.subject
     CROSS JOIN node os ON os.node = own.subject
     WHERE stands OR (f.relation = own.relation AND coalesce(fs.entity, fs.node) = coalesce(os.entity, os.node)
         AND coalesce(f.value, (SELECT coalesce(entity, node) FROM node WHERE node = f.object)) IS NOT
             coalesce(own.value, (SELECT coalesce(entity, node) FROM node WHERE node = own.object)))";

/// The facts that are shown and contradict a shown fact, itself and what is folded into it.
pub(super) fn rivals(connection: &Connection, fact: FactId) -> Result<BTreeSet<FactId>> {
    found_against(connection, RIVALS, fact)
}

/// Those that may have contradicted it at some time, by what was said then.
pub(super) fn rivals_once(connection: &Connection, fact: FactId) -> Result<BTreeSet<FactId>> {
    found_against(connection, RIVALS_ONCE, fact)
}

fn found_against(connection: &Connection, sql: &str, fact: FactId) -> Result<BTreeSet<FactId>> {
    let mut folded = connection.prepare_cached("SELECT fact FROM fact WHERE folded_into = ?1")?;
    let id = |row: &rusqlite::Row<'_>| Ok(FactId::from_bytes(row.get(0)?));
    let mut own = collect(folded.query([fact.as_bytes()])?, id)?;
    own.push(fact);
    let mut against = connection.prepare_cached(sql)?;
    let mut found = BTreeSet::new();
    for member in own {
        found.extend(collect(against.query([member.as_bytes()])?, id)?);
    }
    found.remove(&fact);
    Ok(found)
}

/// Adds the facts whose times hang on those of the touched ones: what shows them, and what they contradict.
pub(super) fn spread(connection: &Connection, touched: &mut BTreeSet<FactId>) -> Result<()> {
    if !connection.prepare_cached("SELECT 1 FROM judgement LIMIT 1")?.exists([])? {
        return Ok(());
    }
    for fact in touched.clone() {
        let shown = shown_in_place_of(connection, fact)?;
        touched.insert(shown);
        touched.extend(rivals(connection, shown)?);
        if shown != fact {
            // What a fact contradicted while another one showed it.
            touched.extend(rivals(connection, fact)?);
        }
    }
    Ok(())
}

fn shown_in_place_of(connection: &Connection, fact: FactId) -> Result<FactId> {
    let mut statement = connection.prepare_cached("SELECT folded_into FROM fact WHERE fact = ?1")?;
    let into: Option<Option<[u8; 16]>> =
        statement.query_row([fact.as_bytes()], |row| row.get(0)).optional()?;
    Ok(into.flatten().map_or(fact, FactId::from_bytes))
}

/// The stretches of time in which a fact was true. One that is folded away has those that its own texts tell of.
pub(super) fn spells(connection: &Connection, fact: FactId) -> Result<Vec<Spell>> {
    let supports = supports_shown_by(connection, fact)?;
    match shown_in_place_of(connection, fact)? == fact {
        true => Ok(resolve::spells(&supports, &said_by(connection, &rivals(connection, fact)?)?)),
        false => Ok(resolve::spells(&supports, &BTreeMap::new())),
    }
}

fn said_by(connection: &Connection, facts: &BTreeSet<FactId>) -> Result<BTreeMap<FactId, Vec<Support>>> {
    facts.iter().map(|fact| Ok((*fact, supports_shown_by(connection, *fact)?))).collect()
}

/// Keeps the earlier spells of a fact; the last one is in its own row.
pub(super) fn keep_spells(step: &Step<'_>, fact: FactId, earlier: &[Spell]) -> Result<()> {
    step.run("DELETE FROM spell WHERE fact = ?1", [fact.as_bytes()])?;
    for (number, spell) in earlier.iter().enumerate() {
        step.run(
            "INSERT INTO spell VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                fact.as_bytes(),
                i64::try_from(number).unwrap_or(i64::MAX),
                spell.times.valid_at.map(stored),
                spell.times.invalid_at.map(stored),
                spell.by.as_ref().map(FactId::as_bytes)
            ],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rivals_are_looked_up_and_not_searched_for_among_all_facts() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema.sql")).unwrap();
        for sql in [RIVALS, RIVALS_ONCE] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement.query_map([[0; 16]], |row| row.get::<_, String>("detail")).unwrap();
            let walks: Vec<String> =
                steps.map(|step| step.unwrap()).filter(|step| step.starts_with("SCAN")).collect();
            let tables = ["fact", "judgement", "node", "f", "own", "fs", "os"];
            let table = |step: &String| step.split(' ').nth(1).map(str::to_owned).unwrap_or_default();
            assert!(!walks.iter().any(|step| tables.contains(&&*table(step))), "{walks:?}");
        }
    }
}
