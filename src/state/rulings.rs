//! What users said of names: rows of `ruling`, who is meant by a name, and the list of all that was said. It must not
//! know what follows from it for the graph; that stands in the record beside it.
//!
//! Invariant: of two names the last word counts, and one that was taken back leaves no row.

use super::State;
use super::apply::{Step, set};
use super::candidates::{collect, verdict};
use super::changes::verdict_text;
use crate::error::Result;
use knowledge::graph::{Ruling, Verdict};
use knowledge::id::{EntityId, NodeId};
use knowledge::record::Ruled;
use knowledge::resolve;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

pub(super) fn ruled(step: &Step<'_>, ruled: &Ruled) -> Result<()> {
    for (a, b) in &ruled.forgotten {
        step.run("DELETE FROM ruling WHERE a = ?1 AND b = ?2", params![a.as_bytes(), b.as_bytes()])?;
    }
    for Ruling { a, b, verdict, why } in &ruled.rulings {
        step.run(
            "INSERT OR REPLACE INTO ruling VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![a.as_bytes(), b.as_bytes(), verdict_text(*verdict), why, step.seq, step.at],
        )?;
    }
    set(step.transaction, "ruled_seq", &step.seq.to_string())
}

fn ruling(row: &Row<'_>) -> Result<Ruling> {
    Ok(Ruling {
        a: NodeId::from_bytes(row.get(0)?),
        b: NodeId::from_bytes(row.get(1)?),
        verdict: verdict(&row.get::<_, String>(2)?)?,
        why: row.get(3)?,
    })
}

/// All that was said of a node, by pair.
pub(super) fn rulings_on(connection: &Connection, node: NodeId) -> Result<Vec<Ruling>> {
    let mut statement = connection.prepare_cached(
        "SELECT a, b, verdict, why FROM ruling WHERE a = ?1
         UNION ALL SELECT a, b, verdict, why FROM ruling WHERE b = ?1",
    )?;
    let mut found = collect(statement.query([node.as_bytes()])?, ruling)?;
    found.sort_unstable_by_key(|said| (said.a, said.b));
    Ok(found)
}

/// A name that somebody may mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Called {
    /// The name's own id.
    pub id: NodeId,
    /// As it is written.
    pub name: String,
    /// What kind of thing.
    pub kind: String,
    /// The space it counts in, or that its page is in; none where it counts everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// The entity it belongs to; none when nothing speaks of it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityId>,
    /// What makes it certain, where something does: it is a page, a title, an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a user said, as he reads it again: one word, however many spellings it was about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Word {
    /// One entity, or two.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// When it was said, in UTC.
    pub at: String,
    /// Which names it is about, in pairs.
    pub pairs: Vec<[Called; 2]>,
}

/// A name with its entity, its page's space, and its person's name.
const CALLED: &str =
    "SELECT n.node, coalesce(person.name, n.name), n.kind, coalesce(n.space, page.space), n.entity,
        (SELECT k.key FROM json_each(n.key) k)
    FROM node n LEFT JOIN page ON page.page = json_extract(n.key, '$.page')
    LEFT JOIN person ON n.kind = 'Person' AND person.person = json_extract(n.key, '$.person')";

fn called(row: &Row<'_>) -> Result<Called> {
    Ok(Called {
        id: NodeId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        kind: row.get(2)?,
        space: row.get(3)?,
        entity: row.get::<_, Option<[u8; 16]>>(4)?.map(|bytes| EntityId(NodeId::from_bytes(bytes))),
        by: row.get(5)?,
    })
}

impl State {
    /// The name with this id.
    pub fn called_by_id(&self, id: NodeId) -> Result<Option<Called>> {
        let mut statement = self.connection().prepare_cached(&format!("{CALLED} WHERE n.node = ?1"))?;
        Ok(collect(statement.query([id.as_bytes()])?, called)?.pop())
    }

    /// All that is called so, by id.
    pub fn called(&self, name: &str) -> Result<Vec<Called>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "{CALLED} WHERE n.name = ?1 COLLATE NOCASE OR n.normal = ?2 OR person.name = ?1 COLLATE NOCASE
             ORDER BY n.node"
        ))?;
        collect(statement.query([name, &resolve::normalise(name)])?, called)
    }

    /// All names that are one entity with this one today, itself included.
    pub fn called_with(&self, entity: EntityId) -> Result<Vec<Called>> {
        let mut statement =
            self.connection().prepare_cached(&format!("{CALLED} WHERE n.entity = ?1 ORDER BY n.node"))?;
        collect(statement.query([entity.0.as_bytes()])?, called)
    }

    /// Whether names may count in a space of this key, in whatever case.
    pub fn has_space(&self, key: &str) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM space WHERE space = ?1 COLLATE NOCASE)
                         OR EXISTS (SELECT 1 FROM page WHERE space = ?1 COLLATE NOCASE)",
        )?;
        Ok(statement.exists([key])?)
    }

    /// What was said of two names.
    pub fn ruling(&self, a: NodeId, b: NodeId) -> Result<Option<Ruling>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT a, b, verdict, why FROM ruling WHERE a = ?1 AND b = ?2")?;
        Ok(collect(statement.query([a.min(b).as_bytes(), a.max(b).as_bytes()])?, ruling)?.pop())
    }

    /// All that users said and did not take back, the oldest first.
    pub fn words(&self) -> Result<Vec<Word>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT a, b, verdict, why, said_at, said_seq FROM ruling ORDER BY said_seq, a, b",
        )?;
        let rows = collect(statement.query([])?, |row| {
            Ok((ruling(row)?, row.get::<_, String>(4)?, row.get::<_, i64>(5)?))
        })?;
        let mut words: Vec<(i64, Word)> = Vec::new();
        for (Ruling { a, b, verdict, why }, at, seq) in rows {
            let pair = [self.called_or_gone(a)?, self.called_or_gone(b)?];
            match words.last_mut() {
                Some((last, word)) if *last == seq => word.pairs.push(pair),
                _ => words.push((seq, Word { verdict, why, at, pairs: vec![pair] })),
            }
        }
        Ok(words.into_iter().map(|(_, word)| word).collect())
    }

    /// A name by id, also one that is not in the graph.
    fn called_or_gone(&self, id: NodeId) -> Result<Called> {
        let unknown =
            Called { id, name: String::new(), kind: String::new(), space: None, entity: None, by: None };
        Ok(self.called_by_id(id)?.unwrap_or(unknown))
    }

    /// Whether all this is said already, and nothing more is to be recorded.
    pub fn has_heard(&self, said: &Ruled) -> Result<bool> {
        for ruling in &said.rulings {
            if self.ruling(ruling.a, ruling.b)?.as_ref() != Some(ruling) {
                return Ok(false);
            }
        }
        for (a, b) in &said.forgotten {
            if self.ruling(*a, *b)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
