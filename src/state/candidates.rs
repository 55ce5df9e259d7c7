//! What the resolver may ask of the graph: `Held`, answered from indexed rows, every list sorted by id.

use super::State;
use crate::error::{Error, Kind as Advice, Result};
use knowledge::graph::{
    Decision, End, Ended, Episode, Extractor, Fact, Judgement, Key, Kind, Node, Object, Ruling, Support,
    Verdict,
};
use knowledge::id::{ChunkId, EntityId, FactId, NodeId, PageId, SpaceKey, Version};
use knowledge::resolve::{self, Band, Group, Held, HeldFact};
use knowledge::time::{Timestamp, parse};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

impl Held for State {
    type Error = Error;

    fn node(&self, id: NodeId) -> Result<Option<Node>> {
        let mut found = nodes(self.connection(), "node", "WHERE node = ?1", [id.as_bytes()])?;
        Ok(found.pop())
    }

    fn nodes_named(&self, normal: &str) -> Result<Vec<Node>> {
        nodes(self.connection(), "node", "WHERE normal = ?1 ORDER BY node", [normal])
    }

    fn nodes_in_bands(&self, bands: &[Band]) -> Result<Vec<Node>> {
        let mut found = BTreeMap::new();
        for band in bands {
            let in_band = nodes(
                self.connection(),
                "node",
                "JOIN name_band USING (node) WHERE band = ?1",
                [band.0.cast_signed()],
            )?;
            found.extend(in_band.into_iter().map(|node| (node.id, node)));
        }
        Ok(found.into_values().collect())
    }

    fn decisions(&self, node: NodeId) -> Result<Vec<Decision>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT a, b, verdict, why, weight, chunk FROM decision WHERE a = ?1
             UNION ALL SELECT a, b, verdict, why, weight, chunk FROM decision WHERE b = ?1 AND a <> ?1",
        )?;
        let mut found = collect(statement.query([node.as_bytes()])?, decision)?;
        found.sort_unstable_by_key(|decision| (decision.a, decision.b, decision.chunk));
        Ok(found)
    }

    fn live_mentions(&self, node: NodeId, limit: usize) -> Result<Vec<ChunkId>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT mention.chunk FROM mention JOIN episode USING (chunk)
             WHERE node = ?1 AND ended IS NULL ORDER BY mention.chunk LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        collect(statement.query(params![node.as_bytes(), limit])?, |row| Ok(ChunkId::from_bytes(row.get(0)?)))
    }

    fn group(&self, node: NodeId) -> Result<Option<Group>> {
        self.seen.groups.or(node, || self.find_group(node))
    }

    fn is_live(&self, chunk: ChunkId) -> Result<bool> {
        let mut statement =
            self.connection().prepare_cached("SELECT 1 FROM episode WHERE chunk = ?1 AND ended IS NULL")?;
        Ok(statement.exists([chunk.as_bytes()])?)
    }

    fn fact(&self, id: FactId) -> Result<Option<HeldFact>> {
        self.seen.facts.or(id, || {
            let sql = format!("{FACT} WHERE fact = ?1");
            let mut statement = self.connection().prepare_cached(&sql)?;
            Ok(collect(statement.query([id.as_bytes()])?, held_fact)?.pop())
        })
    }

    fn facts_at(&self, node: NodeId) -> Result<Vec<HeldFact>> {
        self.seen.facts_at.or(node, || {
            let sql =
                format!("{FACT} WHERE subject = ?1 UNION ALL {FACT} WHERE object = ?1 AND subject <> ?1");
            let mut statement = self.connection().prepare_cached(&sql)?;
            let mut found = collect(statement.query([node.as_bytes()])?, held_fact)?;
            found.sort_unstable_by_key(|held| held.fact.id);
            Ok(found)
        })
    }

    fn episodes_of(&self, page: &PageId) -> Result<Vec<Episode>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk, valid_at, ended, end_version, end_at FROM episode WHERE page = ?1 ORDER BY chunk",
        )?;
        collect(statement.query([page.as_str()])?, |row| {
            Ok(Episode {
                chunk: ChunkId::from_bytes(row.get(0)?),
                valid_at: time(row, 1)?,
                end: end(row, 2)?,
            })
        })
    }

    fn supports_of(&self, page: &PageId) -> Result<Vec<Support>> {
        let sql = format!("{SUPPORT} WHERE page = ?1 ORDER BY fact, chunk");
        let mut statement = self.connection().prepare_cached(&sql)?;
        collect(statement.query([page.as_str()])?, support)
    }

    fn mentions_of(&self, chunk: ChunkId) -> Result<Vec<NodeId>> {
        let mut statement =
            self.connection().prepare_cached("SELECT node FROM mention WHERE chunk = ?1 ORDER BY node")?;
        collect(statement.query([chunk.as_bytes()])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))
    }

    fn supports_on(&self, fact: FactId) -> Result<Vec<Support>> {
        self.seen.supports.or(fact, || {
            let sql = format!("{NOTICED} WHERE fact = ?1 ORDER BY chunk");
            let mut statement = self.connection().prepare_cached(&sql)?;
            collect(statement.query([fact.as_bytes()])?, support)
        })
    }

    fn judgements(&self, fact: FactId) -> Result<Vec<Judgement>> {
        self.seen.judgements.or(fact, || super::judged::judgements(self.connection(), fact))
    }

    fn rulings(&self, node: NodeId) -> Result<Vec<Ruling>> {
        super::rulings::rulings_on(self.connection(), node)
    }

    fn noted_alike(&self, node: NodeId) -> Result<Vec<NodeId>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT b FROM candidate WHERE a = ?1 UNION SELECT a FROM candidate WHERE b = ?1 ORDER BY 1",
        )?;
        collect(statement.query([node.as_bytes()])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))
    }
}

impl State {
    fn find_group(&self, node: NodeId) -> Result<Option<Group>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT entity.entity, entity.named, entity.kind FROM node JOIN entity USING (entity) WHERE node.node = ?1",
        )?;
        let found: Option<([u8; 16], String, String)> = statement
            .query_row([node.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((entity, name, kind)) = found else { return Ok(None) };
        let mut statement =
            self.connection().prepare_cached("SELECT node FROM node WHERE entity = ?1 ORDER BY node")?;
        let nodes = collect(statement.query([entity])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
        Ok(Some(Group { entity: EntityId(NodeId::from_bytes(entity)), nodes, name, kind: Kind::new(kind) }))
    }
}

/// The supports that a fact shows: its own and those of the facts folded into it.
pub(super) fn supports_shown_by(connection: &Connection, fact: FactId) -> Result<Vec<Support>> {
    shown_by(connection, SUPPORT, fact)
}

/// The same, an end of unknown date being dated by when it was noticed: at a time after that, the wiki did not say it.
pub(super) fn supports_noticed(connection: &Connection, fact: FactId) -> Result<Vec<Support>> {
    shown_by(connection, NOTICED, fact)
}

/// Two searches, sorted here: the one that says it all makes SQLite build and drop two tables for every fact.
fn shown_by(connection: &Connection, columns: &str, fact: FactId) -> Result<Vec<Support>> {
    let sql = format!(
        "{columns} WHERE fact = ?1 UNION ALL
         {columns} JOIN (SELECT fact FROM fact WHERE folded_into = ?1) USING (fact)"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = collect(statement.query([fact.as_bytes()])?, support)?;
    found.sort_by_key(|support| (support.fact, support.chunk));
    Ok(found)
}

const NOTICED: &str = "SELECT fact, chunk, sentence, valid_at, invalid_at, from_version, asserted_from,
    ended, end_version, coalesce(asserted_to, noticed_at), until, page FROM support";

const SUPPORT: &str = "SELECT fact, chunk, sentence, valid_at, invalid_at, from_version, asserted_from,
    ended, end_version, asserted_to, until, page FROM support";

const FACT: &str = "SELECT fact, subject, relation, object, value, run, extractor, folded_into FROM fact";

/// Reads all rows with a function that may fail for our own reasons.
pub(super) fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

impl State {
    /// The plain names of things that are in the graph: those that may mean the same as others.
    pub fn plain_names(&self) -> Result<Vec<Node>> {
        nodes(self.connection(), "node", &format!("WHERE {} ORDER BY node", is_plain()), [])
    }
}

/// Whether a row of `node` is a plain name of something in the graph, as `resolve::plain_names` means it.
pub(super) fn is_plain() -> String {
    let (least, most) = (resolve::PLAIN.start(), resolve::PLAIN.end());
    format!(
        "node.entity IS NOT NULL AND node.key IS NULL AND node.kind <> 'Person'
         AND length(node.name) BETWEEN {least} AND {most} AND instr(node.name, '@{{') = 0"
    )
}

pub(super) fn nodes(
    connection: &Connection,
    table: &str,
    which: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Node>> {
    let sql = format!("SELECT node, name, normal, kind, space, key FROM {table} {which}");
    let mut statement = connection.prepare_cached(&sql)?;
    collect(statement.query(values)?, |row| {
        let key: Option<String> = row.get(5)?;
        Ok(Node {
            id: NodeId::from_bytes(row.get(0)?),
            name: row.get(1)?,
            normal: row.get(2)?,
            kind: Kind::new(row.get::<_, String>(3)?),
            space: row.get::<_, Option<String>>(4)?.map(SpaceKey::new),
            key: key.map(|key| serde_json::from_str::<Key>(&key)).transpose()?,
        })
    })
}

pub(super) fn decision(row: &Row<'_>) -> Result<Decision> {
    let chunk: Vec<u8> = row.get(5)?;
    Ok(Decision {
        a: NodeId::from_bytes(row.get(0)?),
        b: NodeId::from_bytes(row.get(1)?),
        verdict: verdict(&row.get::<_, String>(2)?)?,
        why: row.get(3)?,
        weight: row.get(4)?,
        chunk: ChunkId::from_slice(&chunk),
    })
}

/// A verdict by the word the state file has for it.
pub(super) fn verdict(text: &str) -> Result<Verdict> {
    match text {
        "same" => Ok(Verdict::Same),
        "apart" => Ok(Verdict::Apart),
        "doubt" => Ok(Verdict::Doubt),
        other => Err(unreadable("decision", other)),
    }
}

pub(super) fn unreadable(what: &str, found: &str) -> Error {
    Error::new(Advice::Bug, format!("state file: `{found}` is not a {what} this binary knows"))
        .hint("run `highwater vault rebuild`")
}

pub(super) fn held_fact(row: &Row<'_>) -> Result<HeldFact> {
    let object: Option<[u8; 16]> = row.get(3)?;
    let into: Option<[u8; 16]> = row.get(7)?;
    let extractor: String = row.get(6)?;
    let fact = Fact {
        id: FactId::from_bytes(row.get(0)?),
        subject: NodeId::from_bytes(row.get(1)?),
        relation: row.get(2)?,
        object: match object {
            Some(node) => Object::Named(NodeId::from_bytes(node)),
            None => Object::Value(row.get(4)?),
        },
        run: row.get(5)?,
        extractor: match extractor.as_str() {
            // Most facts, and reading JSON takes longer than reading the row.
            "\"structural\"" => Extractor::Structural,
            other => serde_json::from_str::<Extractor>(other)?,
        },
    };
    Ok(HeldFact { fact, into: into.map(FactId::from_bytes) })
}

pub(super) fn support(row: &Row<'_>) -> Result<Support> {
    let until = time(row, 10)?;
    Ok(Support {
        fact: FactId::from_bytes(row.get(0)?),
        chunk: ChunkId::from_bytes(row.get(1)?),
        page: Some(PageId::new(row.get::<_, String>(11)?)),
        sentence: row.get(2)?,
        valid_at: time(row, 3)?,
        invalid_at: time(row, 4)?,
        from_version: Version(row.get(5)?),
        asserted_from: time(row, 6)?,
        end: end(row, 7)?.map(|end| End { until, ..end }),
    })
}

/// Three columns from `first` on: word, version, time.
fn end(row: &Row<'_>, first: usize) -> Result<Option<End>> {
    let Some(word) = row.get::<_, Option<String>>(first)? else { return Ok(None) };
    let ended = match word.as_str() {
        "replaced" => Ended::Replaced,
        "vanished" => Ended::Vanished,
        other => return Err(unreadable("way to end", other)),
    };
    let version: Option<u32> = row.get(first + 1)?;
    Ok(Some(End { ended, version: version.map(Version), at: time(row, first + 2)?, until: None }))
}

fn time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.as_deref().and_then(parse))
}
