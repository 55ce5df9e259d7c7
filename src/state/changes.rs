//! What the changes of a `Resolved` record mean for the rows of the graph, and for the text indexes beside them.
//!
//! Every change is an upsert by its natural key. The times of a fact are recomputed from its supports whenever one of
//! them changes; the rule for that is the resolver's, not ours.

use super::apply::Step;
use super::judged;
use super::look::with_names;
use crate::error::Result;
use knowledge::graph::{
    Change, Decision, Ended, Episode, Fact, Key, Kind, Node, Object, Spell, Support, Verdict,
};
use knowledge::id::{ChunkId, EntityId, FactId, NodeId};
use knowledge::page::Person;
use knowledge::resolve;
use knowledge::time::stored;
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

/// Rows whose derived columns must be computed again at the end of the record.
#[derive(Default)]
struct Touched {
    /// What they say or stand on may have changed.
    facts: BTreeSet<FactId>,
    /// Their times alone may have changed.
    dated: BTreeSet<FactId>,
    named: BTreeSet<NodeId>,
    /// They are shown by another name than before: what is said of them is found by that one.
    renamed: BTreeSet<NodeId>,
}

pub(super) fn apply(step: &Step<'_>, all: &[Change]) -> Result<()> {
    let mut touched = Touched::default();
    for change in all {
        apply_one(step, change, &mut touched)?;
    }
    for node in &touched.named {
        index_node(step, *node)?;
    }
    let mut dated = touched.dated;
    dated.extend(&touched.facts);
    judged::spread(step.transaction, &mut dated)?;
    for node in &touched.renamed {
        for fact in ids(step, FACTS_AT, *node.as_bytes())?.into_iter().map(FactId::from_bytes) {
            if !touched.facts.contains(&fact) {
                index_fact(step, fact)?;
            }
        }
    }
    for fact in dated {
        let told = touched.facts.contains(&fact);
        date_fact(step, fact, told)?;
        if told {
            index_fact(step, fact)?;
        }
    }
    Ok(())
}

fn apply_one(step: &Step<'_>, change: &Change, touched: &mut Touched) -> Result<()> {
    match change {
        Change::Episode(episode) => apply_episode(step, episode),
        Change::Node(node) => {
            touched.named.insert(node.id);
            let before = shown_as(step, node.id)?;
            apply_node(step, node)?;
            if before.is_some_and(|before| before != node.name) {
                touched.renamed.insert(node.id);
            }
            Ok(())
        }
        Change::Mention { node, chunk } => step
            .run("INSERT OR IGNORE INTO mention VALUES (?1, ?2)", params![node.as_bytes(), chunk.as_bytes()]),
        Change::Unmention { node, chunk } => {
            step.run("UPDATE node SET unsaid = 1 WHERE node = ?1", [node.as_bytes()])?;
            step.run(
                "DELETE FROM mention WHERE node = ?1 AND chunk = ?2",
                params![node.as_bytes(), chunk.as_bytes()],
            )
        }
        Change::Decide(decision) => apply_decision(step, decision),
        Change::Judge(judgement) => {
            // Times hang on contradictions alone: most judgements say that both may be true, and change nothing.
            if judged::ends(judgement) != judged::held_ends(step.transaction, judgement)? {
                // What contradicted it until now is looked at as well as what does from now on.
                let mut facts = BTreeSet::from([judgement.a, judgement.b]);
                judged::spread(step.transaction, &mut facts)?;
                touched.dated.append(&mut facts);
            }
            judged::apply_judgement(step, judgement)
        }
        Change::Group { entity, nodes, name, kind } => {
            touched.named.extend(nodes);
            let before = nodes.iter().map(|node| shown_as(step, *node)).collect::<Result<Vec<_>>>()?;
            apply_group(step, *entity, nodes, (name, kind))?;
            let now = nodes.first().map(|node| shown_as(step, *node)).transpose()?.flatten();
            let renamed = nodes.iter().zip(before).filter(|(_, before)| *before != now);
            touched.renamed.extend(renamed.map(|(node, _)| *node));
            Ok(())
        }
        Change::Ungroup { node } => {
            touched.renamed.insert(*node);
            leave_group(step, *node)
        }
        Change::Fact(fact) => {
            touched.facts.insert(fact.id);
            apply_fact(step, fact)
        }
        Change::Support(support) => {
            // A fact shows the supports of those folded into it, also when they change later.
            touched
                .facts
                .extend([Some(support.fact), folded_into(step, support.fact)?].into_iter().flatten());
            apply_support(step, support)
        }
        Change::Fold { fact, into } => {
            touched.facts.extend([Some(*fact), folded_into(step, *fact)?, *into].into_iter().flatten());
            step.run(
                "UPDATE fact SET folded_into = ?2, changed_seq = ?3 WHERE fact = ?1",
                params![fact.as_bytes(), into.as_ref().map(FactId::as_bytes), step.seq],
            )
        }
    }
}

fn folded_into(step: &Step<'_>, fact: FactId) -> Result<Option<FactId>> {
    let mut statement = step.transaction.prepare_cached("SELECT folded_into FROM fact WHERE fact = ?1")?;
    let bytes: Option<Option<Vec<u8>>> =
        statement.query_row([fact.as_bytes()], |row| row.get(0)).optional()?;
    Ok(bytes.flatten().and_then(|bytes| FactId::from_slice(&bytes)))
}

/// The word the state file has for an end.
pub(super) fn ended_text(ended: Ended) -> &'static str {
    match ended {
        Ended::Replaced => "replaced",
        Ended::Vanished => "vanished",
    }
}

fn apply_episode(step: &Step<'_>, episode: &Episode) -> Result<()> {
    let end = episode.end.as_ref();
    step.run(
        "INSERT INTO episode SELECT ?1, page, ?2, ?3, ?4, ?5, iif(?3 IS NULL, NULL, ?7), ?6 FROM chunk WHERE chunk = ?1
         ON CONFLICT (chunk) DO UPDATE SET valid_at = ?2, ended = ?3, end_version = ?4, end_at = ?5, changed_seq = ?6,
         noticed_at = iif(?3 IS NULL, NULL, coalesce(noticed_at, ?7))",
        params![
            episode.chunk.as_bytes(),
            episode.valid_at.map(stored),
            end.map(|end| ended_text(end.ended)),
            end.and_then(|end| end.version).map(|version| version.0),
            end.and_then(|end| end.at).map(stored),
            step.seq,
            step.at
        ],
    )?;
    step.run(
        "INSERT INTO indexing_checkpoint (chunk, resolved_seq) VALUES (?1, ?2)
         ON CONFLICT (chunk) DO UPDATE SET resolved_seq = ?2",
        params![episode.chunk.as_bytes(), step.seq],
    )
}

fn apply_node(step: &Step<'_>, node: &Node) -> Result<()> {
    let key = node.key.as_ref().map(serde_json::to_string).transpose()?;
    step.run(
        "INSERT INTO node (node, name, normal, kind, space, key, changed_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (node) DO UPDATE SET name = ?2, kind = ?4, changed_seq = ?7",
        params![
            node.id.as_bytes(),
            node.name,
            node.normal,
            node.kind.as_str(),
            node.space.as_ref().map(|space| space.as_str()),
            key,
            step.seq
        ],
    )?;
    for band in resolve::bands(node) {
        // SQLite integers are signed; only equality matters.
        step.run(
            "INSERT OR IGNORE INTO name_band VALUES (?1, ?2)",
            params![band.0.cast_signed(), node.id.as_bytes()],
        )?;
    }
    Ok(())
}

fn apply_decision(step: &Step<'_>, decision: &Decision) -> Result<()> {
    let chunk: &[u8] = decision.chunk.as_ref().map_or(&[], |chunk| chunk.as_bytes().as_slice());
    step.run(
        "INSERT OR REPLACE INTO decision VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            decision.a.as_bytes(),
            decision.b.as_bytes(),
            verdict_text(decision.verdict),
            decision.why,
            decision.weight,
            chunk
        ],
    )
}

/// The word the state file has for a verdict.
pub(super) fn verdict_text(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::Apart => "apart",
        Verdict::Doubt => "doubt",
    }
}

pub(super) fn apply_group(
    step: &Step<'_>,
    entity: EntityId,
    nodes: &[NodeId],
    shown: (&str, &Kind),
) -> Result<()> {
    for node in nodes {
        leave_group(step, *node)?;
    }
    let person = person_name(step, nodes)?;
    step.run(
        "INSERT INTO entity VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (entity) DO UPDATE SET named = ?2, name = ?3, kind = ?4, changed_seq = ?5",
        params![
            entity.0.as_bytes(),
            shown.0,
            person.as_deref().unwrap_or(shown.0),
            shown.1.as_str(),
            step.seq
        ],
    )?;
    for node in nodes {
        step.run(
            "UPDATE node SET entity = ?2, changed_seq = ?3 WHERE node = ?1",
            params![node.as_bytes(), entity.0.as_bytes(), step.seq],
        )?;
    }
    Ok(())
}

/// The display name of the first account among these nodes.
fn person_name(step: &Step<'_>, nodes: &[NodeId]) -> Result<Option<String>> {
    let mut statement = step.transaction.prepare_cached(
        "SELECT person.name FROM node JOIN person ON person.person = json_extract(node.key, '$.person')
         WHERE node.node = ?1 AND node.kind = 'Person'",
    )?;
    for node in nodes {
        if let Some(name) = statement.query_row([node.as_bytes()], |row| row.get(0)).optional()? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Takes a node out of its entity, and the entity away when nobody is left in it.
fn leave_group(step: &Step<'_>, node: NodeId) -> Result<()> {
    let mut statement = step.transaction.prepare_cached("SELECT entity FROM node WHERE node = ?1")?;
    let held: Option<Option<Vec<u8>>> =
        statement.query_row([node.as_bytes()], |row| row.get(0)).optional()?;
    let Some(entity) = held.flatten() else { return Ok(()) };
    step.run(
        "UPDATE node SET entity = NULL, changed_seq = ?2 WHERE node = ?1",
        params![node.as_bytes(), step.seq],
    )?;
    step.run(
        "DELETE FROM entity WHERE entity = ?1 AND NOT EXISTS (SELECT 1 FROM node WHERE node.entity = ?1)",
        [entity],
    )
}

fn apply_fact(step: &Step<'_>, fact: &Fact) -> Result<()> {
    let (object, value) = match &fact.object {
        Object::Named(node) => (Some(node.as_bytes()), None),
        Object::Value(value) => (None, Some(value.as_str())),
    };
    step.run(
        "INSERT INTO fact (fact, subject, relation, object, value, run, extractor, created_at, changed_seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (fact) DO UPDATE SET value = ?5, extractor = ?7, changed_seq = ?9",
        params![
            fact.id.as_bytes(),
            fact.subject.as_bytes(),
            fact.relation,
            object,
            value,
            fact.run,
            serde_json::to_string(&fact.extractor)?,
            step.at,
            step.seq
        ],
    )
}

fn apply_support(step: &Step<'_>, support: &Support) -> Result<()> {
    let end = support.end.as_ref();
    step.run(
        "INSERT OR REPLACE INTO support
         SELECT ?1, ?2, page, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, iif(?8 IS NULL, NULL, ?11), ?12
         FROM chunk WHERE chunk = ?2",
        params![
            support.fact.as_bytes(),
            support.chunk.as_bytes(),
            support.sentence,
            support.valid_at.map(stored),
            support.invalid_at.map(stored),
            support.from_version.0,
            support.asserted_from.map(stored),
            end.map(|end| ended_text(end.ended)),
            end.and_then(|end| end.version).map(|version| version.0),
            end.and_then(|end| end.at).map(stored),
            step.at,
            end.and_then(|end| end.until).map(stored)
        ],
    )
}

/// Computes the times of a fact again from what it stands on. Most of those that only hang on others come out as they
/// were, and are not written again.
pub(super) fn date_fact(step: &Step<'_>, fact: FactId, told: bool) -> Result<()> {
    let mut spells = judged::spells(step.transaction, fact)?;
    let Spell { times, by } = spells.pop().unwrap_or_default();
    judged::keep_spells(step, fact, &spells)?;
    let withdrawn = times.withdrawn.is_some();
    step.run(
        "UPDATE fact SET valid_at = ?2, invalid_at = ?3, withdrawn = ?4, withdrawn_at = ?5,
         expired_at = CASE WHEN ?4 THEN coalesce(expired_at, ?6) END, changed_seq = ?7, closed_by = ?8 WHERE fact = ?1
         AND (?9 OR valid_at IS NOT ?2 OR invalid_at IS NOT ?3 OR withdrawn IS NOT ?4 OR withdrawn_at IS NOT ?5
              OR closed_by IS NOT ?8)",
        params![
            fact.as_bytes(),
            times.valid_at.map(stored),
            times.invalid_at.map(stored),
            withdrawn,
            times.withdrawn.flatten().map(stored),
            step.at,
            step.seq,
            by.as_ref().map(FactId::as_bytes),
            told
        ],
    )
}

const FACTS_AT: &str = "SELECT fact FROM fact WHERE subject = ?1 OR object = ?1";

/// The name a node is shown by.
fn shown_as(step: &Step<'_>, node: NodeId) -> Result<Option<String>> {
    let sql = format!("{SHOWN_NAME}?1");
    let mut statement = step.transaction.prepare_cached(&sql)?;
    Ok(statement.query_row([node.as_bytes()], |row| row.get(0)).optional()?)
}

/// The name a node is shown by: its entity's, or its own.
const SHOWN_NAME: &str = "SELECT coalesce(entity.name, node.name) FROM node
    LEFT JOIN entity ON entity.entity = node.entity WHERE node.node = ";

pub(super) fn index_fact(step: &Step<'_>, fact: FactId) -> Result<()> {
    step.run(
        "DELETE FROM vector_of WHERE kind = 'fact' AND row = (SELECT row FROM fact WHERE fact = ?1)",
        [fact.as_bytes()],
    )?;
    step.run(
        "DELETE FROM fact_text WHERE rowid = (SELECT row FROM fact WHERE fact = ?1)",
        [fact.as_bytes()],
    )?;
    put_fact(step, fact)
}

/// Puts what a fact says into the index, if it is shown.
pub(super) fn put_fact(step: &Step<'_>, fact: FactId) -> Result<()> {
    let Some((row, [statement, sentence, card])) = fact_text(step, fact)? else { return Ok(()) };
    step.run(
        "INSERT INTO fact_text (rowid, statement, sentence, card) VALUES (?1, ?2, ?3, ?4)",
        params![row, statement, sentence, card],
    )
}

/// The row of a fact that is shown, and what the columns of the index say of it.
pub(super) fn fact_text(step: &Step<'_>, fact: FactId) -> Result<Option<(i64, [String; 3])>> {
    let sql = format!(
        "SELECT row, ({SHOWN_NAME}fact.subject) || ' ' || replace(relation, '_', ' ') || ' ' ||
                coalesce(value, ({SHOWN_NAME}fact.object), ''),
                coalesce((SELECT sentence FROM support WHERE support.fact = fact.fact ORDER BY chunk LIMIT 1), ''),
                {ON_TEXT}
         FROM fact WHERE fact = ?1 AND folded_into IS NULL"
    );
    let mut statement = step.transaction.prepare_cached(&sql)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found: Option<(i64, String, String, bool)> =
        statement.query_row([fact.as_bytes()], read).optional()?;
    let Some((row, said, sentence, on_text)) = found else { return Ok(None) };
    let (said, sentence) = (with_names(step.transaction, &said)?, with_names(step.transaction, &sentence)?);
    let texts = match on_text {
        true => [said, sentence, String::new()],
        false => [String::new(), String::new(), said],
    };
    Ok(Some((row, texts)))
}

/// Whether a fact stands on a page's text, and not only on a card of what the wiki knows anyway.
const ON_TEXT: &str = "EXISTS (SELECT 1 FROM support JOIN chunk USING (chunk)
    WHERE support.fact = fact.fact AND chunk.form = '\"text\"')";

pub(super) fn index_node(step: &Step<'_>, node: NodeId) -> Result<()> {
    step.run(
        "DELETE FROM node_text WHERE rowid = (SELECT row FROM node WHERE node = ?1)",
        [node.as_bytes()],
    )?;
    step.run(&format!("{PUT_NODE} node.node = ?1"), [node.as_bytes()])
}

/// Puts names into the index, each with that of its entity.
pub(super) const PUT_NODE: &str = "INSERT INTO node_text (rowid, name)
    SELECT node.row, CASE WHEN entity.name IS NULL OR entity.name = node.name THEN node.name
                          ELSE node.name || ' ' || entity.name END
    FROM node LEFT JOIN entity ON entity.entity = node.entity WHERE";

/// Puts a chunk's words into the index, with names in the place of person tokens.
pub(super) fn index_chunk(step: &Step<'_>, chunk: ChunkId) -> Result<()> {
    let mut statement =
        step.transaction.prepare_cached("SELECT row, path, text FROM chunk WHERE chunk = ?1")?;
    let (row, path, text): (i64, String, String) =
        statement.query_row([chunk.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let path: Vec<String> = serde_json::from_str(&path)?;
    let text = with_names(step.transaction, &text)?;
    step.run("DELETE FROM chunk_text WHERE rowid = ?1", [row])?;
    step.run(
        "INSERT INTO chunk_text (rowid, path, text) VALUES (?1, ?2, ?3)",
        params![row, path.join(" / "), text],
    )
}

/// A person has another name now: what is shown and found by name follows; no chunk changes.
pub(super) fn rename_person(step: &Step<'_>, person: &Person) -> Result<()> {
    let mut statement = step
        .transaction
        .prepare_cached("SELECT node, entity FROM node WHERE kind = 'Person' AND key = ?1")?;
    let nodes = statement
        .query_map([serde_json::to_string(&Key::Person(person.key.clone()))?], |row| {
            Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Option<[u8; 16]>>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (node, entity) in nodes {
        step.run(
            "UPDATE entity SET name = ?2, changed_seq = ?3 WHERE entity = ?1",
            params![entity, person.name, step.seq],
        )?;
        index_node(step, NodeId::from_bytes(node))?;
        for chunk in ids(step, "SELECT chunk FROM mention WHERE node = ?1", node)? {
            index_chunk(step, ChunkId::from_bytes(chunk))?;
        }
        for fact in ids(step, FACTS_AT, node)? {
            index_fact(step, FactId::from_bytes(fact))?;
        }
    }
    Ok(())
}

fn ids(step: &Step<'_>, sql: &str, of: [u8; 16]) -> Result<Vec<[u8; 16]>> {
    let mut statement = step.transaction.prepare_cached(sql)?;
    let found = statement.query_map([of], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}
