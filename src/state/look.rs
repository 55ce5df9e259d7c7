//! Looking at the state: entities, pages and facts for people, and the counts of a report. Reads only.

use super::State;
use super::alike::Alike;
use super::candidates::collect;
use super::viewer::FACTS_OF_HUB;
use crate::error::Result;
use knowledge::id::{ChunkId, EntityId, FactId, NodeId};
use knowledge::summary::Summary;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// A fact as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Statement {
    /// Its id.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub fact: FactId,
    /// The subject's shown name.
    pub subject: String,
    /// The relation, in words.
    pub relation: String,
    /// The object's shown name, or the value.
    pub object: String,
    /// True since, where known.
    pub valid_at: Option<String>,
    /// True until, where known.
    pub invalid_at: Option<String>,
    /// Nothing says it any more.
    pub withdrawn: bool,
    /// Who read it: `structural`, or a model's name.
    pub extractor: String,
}

/// What a fact stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Source {
    /// The sentence, with names shown.
    pub sentence: String,
    /// The chunk.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub chunk: ChunkId,
    /// The page.
    pub page: String,
    /// The page's title.
    pub title: String,
    /// The first version that says it.
    pub version: u32,
    /// Where a browser finds the page.
    pub link: Option<String>,
    /// Since when the page says it.
    pub asserted_from: Option<String>,
    /// Until when the page said it.
    pub asserted_to: Option<String>,
    /// How it ended: `replaced` or `vanished`.
    pub ended: Option<String>,
}

/// An entity with its names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct EntityCard {
    /// Its id.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub entity: EntityId,
    /// The shown name.
    pub name: String,
    /// The kind.
    pub kind: String,
    /// Other names it goes by.
    pub also: Vec<String>,
    /// Entities whose names mean nearly the same; kept apart until somebody judges them.
    pub perhaps: Vec<Alike>,
    /// What a model wrote from its facts, for each audience; empty for most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "mcp", schemars(with = "Vec<serde_json::Value>"))]
    pub summaries: Vec<Summary>,
}

/// A page with its chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct PageCard {
    /// The page.
    pub page: String,
    /// The space.
    pub space: String,
    /// The title.
    pub title: String,
    /// The current version.
    pub version: u32,
    /// When it was written.
    pub modified: Option<String>,
    /// Where a browser finds it.
    pub link: Option<String>,
    /// A complete sweep no longer shows it.
    pub gone: bool,
    /// The chunks of the current version, in reading order.
    pub chunks: Vec<ChunkCard>,
}

impl EntityCard {
    /// All its names, the shown one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.also).map(String::as_str)
    }
}

/// A chunk as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct ChunkCard {
    /// The chunk.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub chunk: ChunkId,
    /// `text` or `card`.
    pub form: String,
    /// The page title and the headings.
    pub path: Vec<String>,
    /// The text, with names shown.
    pub text: String,
    /// How many facts stand on it.
    pub facts: u32,
}

/// What is held and what is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pages in the wiki, as far as held.
    pub pages: u64,
    /// Page versions held.
    pub versions: u64,
    /// Chunks of current pages that are text.
    pub chunks: u64,
    /// Chunks in the graph that a current page says.
    pub episodes: u64,
    /// Entities.
    pub entities: u64,
    /// Facts that hold: shown, and not withdrawn.
    pub facts: u64,
    /// Items refused for good.
    pub parked: u64,
    /// Fetches owed.
    pub owed_fetches: u64,
    /// Page versions fetched and not cut.
    pub owed_cuts: u64,
    /// Worklist items that are not in the graph yet.
    pub owed_pages: u64,
    /// Items of the newest worklist.
    pub worklist: u64,
}

impl State {
    /// Counts for reports and progress.
    pub fn counts(&self) -> Result<Counts> {
        let count = |sql: &str| -> Result<u64> {
            let mut statement = self.connection().prepare_cached(sql)?;
            Ok(statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)?)
        };
        Ok(Counts {
            pages: count("SELECT count(*) FROM page WHERE gone = 0")?,
            versions: count("SELECT count(*) FROM raw_page")?,
            chunks: count(
                "SELECT count(*) FROM chunk LEFT JOIN episode USING (chunk)
                 WHERE chunk.form = '\"text\"' AND ended IS NULL",
            )?,
            episodes: count("SELECT count(*) FROM episode WHERE ended IS NULL")?,
            entities: count("SELECT count(*) FROM entity")?,
            facts: count("SELECT count(*) FROM fact WHERE folded_into IS NULL AND withdrawn = 0")?,
            parked: count("SELECT count(*) FROM parked")?,
            owed_fetches: count("SELECT count(*) FROM owed_fetch")?,
            owed_cuts: count("SELECT count(*) FROM owed_cut")?,
            owed_pages: count(
                "SELECT (SELECT count(*) FROM worklist WHERE sweep = (SELECT max(sweep) FROM worklist)) -
                        (SELECT coalesce(sum(end - first), 0) FROM epoch
                         WHERE sweep = (SELECT max(sweep) FROM worklist) AND resolved_seq IS NOT NULL)",
            )?,
            worklist: count("SELECT count(*) FROM worklist WHERE sweep = (SELECT max(sweep) FROM worklist)")?,
        })
    }

    /// A fact by id, or the fact it is folded into.
    pub fn statement(&self, fact: FactId) -> Result<Option<Statement>> {
        self.bring_facts(&[fact])?;
        let mut statement = self.connection().prepare_cached(&format!(
            "{STATEMENT} WHERE fact.fact = coalesce((SELECT folded_into FROM fact WHERE fact = ?1), ?1)"
        ))?;
        let read = |row: &Row<'_>| read_statement(self.connection(), row);
        Ok(collect(statement.query([fact.as_bytes()])?, read)?.pop())
    }

    /// What a fact stands on, current supports first.
    pub fn sources(&self, fact: FactId) -> Result<Vec<Source>> {
        self.bring_facts(&[fact])?;
        let mut statement = self.connection().prepare_cached(
            "SELECT support.sentence, support.chunk, support.page, page.title, support.from_version, page.link,
                    support.asserted_from, support.asserted_to, support.ended
             FROM support LEFT JOIN page USING (page)
             WHERE fact = ?1 OR fact IN (SELECT fact FROM fact WHERE folded_into = ?1)
             ORDER BY ended IS NOT NULL, asserted_from, support.page, support.chunk",
        )?;
        let connection = self.connection();
        collect(statement.query([fact.as_bytes()])?, |row| {
            Ok(Source {
                sentence: with_names(connection, &row.get::<_, String>(0)?)?,
                chunk: ChunkId::from_bytes(row.get(1)?),
                page: row.get(2)?,
                title: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                version: row.get(4)?,
                link: row.get(5)?,
                asserted_from: row.get(6)?,
                asserted_to: row.get(7)?,
                ended: row.get(8)?,
            })
        })
    }

    /// The entity that holds a node.
    pub fn entity_of(&self, node: NodeId) -> Result<Option<EntityCard>> {
        self.bring_nodes(&[node])?;
        match self.entity_of_node(node)? {
            Some(entity) => self.entity(entity),
            None => Ok(None),
        }
    }

    pub(super) fn entity_of_node(&self, node: NodeId) -> Result<Option<EntityId>> {
        let mut statement = self.connection().prepare_cached("SELECT entity FROM node WHERE node = ?1")?;
        let found: Option<Option<[u8; 16]>> =
            statement.query_row([node.as_bytes()], |row| row.get(0)).optional()?;
        Ok(found.flatten().map(|entity| EntityId(NodeId::from_bytes(entity))))
    }

    fn entity(&self, entity: EntityId) -> Result<Option<EntityCard>> {
        let mut statement =
            self.connection().prepare_cached("SELECT name, kind FROM entity WHERE entity = ?1")?;
        let found: Option<(String, String)> =
            statement.query_row([entity.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((named, kind)) = found else { return Ok(None) };
        // The node of an account is called by its key, which is no name that anybody goes by.
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT name FROM node WHERE entity = ?1 AND name <> ?2
             AND name IS NOT json_extract(key, '$.person') ORDER BY name",
        )?;
        let also = collect(statement.query(params![entity.0.as_bytes(), named])?, |row| Ok(row.get(0)?))?;
        let name = with_names(self.connection(), &named)?;
        self.bring_alike(entity)?;
        let perhaps = self.alike(entity)?;
        let summaries = self.summaries_of(entity)?;
        Ok(Some(EntityCard { entity, name, kind, also, perhaps, summaries }))
    }

    /// Entities by shown name or by the name of a node, best known first.
    pub fn entities_named(&self, name: &str, limit: usize) -> Result<Vec<EntityCard>> {
        self.bring_named(name)?;
        let mut statement = self.connection().prepare_cached(
            "SELECT entity.entity FROM node JOIN entity USING (entity)
             WHERE entity.name = ?1 COLLATE NOCASE OR node.name = ?1 COLLATE NOCASE GROUP BY entity.entity
             ORDER BY max((SELECT count(*) FROM fact WHERE subject = node.node OR object = node.node)) DESC, 1
             LIMIT ?2",
        )?;
        let ids = collect(statement.query(params![name, limit as i64])?, |row| {
            Ok(EntityId(NodeId::from_bytes(row.get(0)?)))
        })?;
        ids.into_iter().filter_map(|id| self.entity(id).transpose()).collect()
    }

    /// The facts with an entity at either end, current ones first.
    pub fn facts_of(&self, entity: EntityId, limit: usize) -> Result<Vec<Statement>> {
        self.bring_nodes(&[entity.0])?;
        self.bring_facts_of(entity, FACTS_OF_HUB.max(limit))?;
        let mut statement = self.connection().prepare_cached(&format!(
            "{STATEMENT} WHERE fact.folded_into IS NULL AND (sn.entity = ?1 OR obj.entity = ?1)
             ORDER BY fact.withdrawn, fact.invalid_at IS NOT NULL, fact.relation, 4, fact.fact LIMIT ?2"
        ))?;
        let read = |row: &Row<'_>| read_statement(self.connection(), row);
        collect(statement.query(params![entity.0.as_bytes(), limit as i64])?, read)
    }

    /// A page by id, or by title (in the first space that has it).
    pub fn page(&self, named: &str) -> Result<Option<PageCard>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT page, space, title, version, modified, link, gone FROM page
             WHERE page = ?1 OR title = ?1 COLLATE NOCASE ORDER BY page <> ?1, gone, space, page LIMIT 1",
        )?;
        let card = collect(statement.query([named])?, |row| {
            Ok(PageCard {
                page: row.get(0)?,
                space: row.get(1)?,
                title: row.get(2)?,
                version: row.get(3)?,
                modified: row.get(4)?,
                link: row.get(5)?,
                gone: row.get(6)?,
                chunks: Vec::new(),
            })
        })?
        .pop();
        let Some(mut card) = card else { return Ok(None) };
        card.chunks = self.chunks_of(&card.page, card.version)?;
        Ok(Some(card))
    }

    fn chunks_of(&self, page: &str, version: u32) -> Result<Vec<ChunkCard>> {
        let mut statement =
            self.connection().prepare_cached("SELECT chunks FROM cut WHERE page = ?1 AND version = ?2")?;
        let ids: Option<Vec<u8>> =
            statement.query_row(params![page, version], |row| row.get(0)).optional()?;
        let ids = ids.unwrap_or_default();
        ids.chunks_exact(16)
            .filter_map(ChunkId::from_slice)
            .filter_map(|id| self.chunk(id).transpose())
            .collect()
    }

    /// A chunk by id.
    pub fn chunk(&self, chunk: ChunkId) -> Result<Option<ChunkCard>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT form, path, text, (SELECT count(*) FROM support WHERE support.chunk = chunk.chunk)
             FROM chunk WHERE chunk = ?1",
        )?;
        let connection = self.connection();
        let found = collect(statement.query([chunk.as_bytes()])?, |row| {
            Ok(ChunkCard {
                chunk,
                form: serde_json::from_str(&row.get::<_, String>(0)?)?,
                path: serde_json::from_str(&row.get::<_, String>(1)?)?,
                text: with_names(connection, &row.get::<_, String>(2)?)?,
                facts: row.get(3)?,
            })
        })?;
        Ok(found.into_iter().next())
    }

    /// Questions that will find something: the relations that pages state most often, each with the name about which
    /// most is stated that has it.
    pub fn suggestions(&self, limit: usize) -> Result<Vec<String>> {
        let mut statement = self.connection().prepare_cached(
            "WITH told AS (
                 SELECT fact.relation, entity.name FROM fact JOIN node ON node.node = fact.subject
                 JOIN entity USING (entity) JOIN support USING (fact) JOIN chunk USING (chunk)
                 WHERE fact.folded_into IS NULL AND fact.withdrawn = 0 AND fact.invalid_at IS NULL
                   AND chunk.form = '\"text\"' AND length(entity.name) BETWEEN 4 AND 40
                   AND entity.kind NOT IN ('Person', 'Label', 'File', 'Space')
                   AND entity.name NOT GLOB '*[^A-Za-z0-9 ._-]*'
                   AND fact.relation NOT IN (SELECT value FROM json_each(?1))),
             named AS (SELECT name, count(*) AS facts FROM told GROUP BY name),
             best AS (SELECT relation, count(*) AS times FROM told GROUP BY relation
                      ORDER BY times DESC, relation LIMIT ?2)
             SELECT relation, (SELECT name FROM told JOIN named USING (name) WHERE told.relation = best.relation
                               ORDER BY facts DESC, name LIMIT 1)
             FROM best ORDER BY times DESC, relation",
        )?;
        collect(statement.query(params![VAGUE, limit as i64])?, |row| {
            let (relation, name): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("{name} {}", relation.replace('_', " ")))
        })
    }

    /// Refused items with their reasons, by page.
    pub fn parked(&self, limit: usize) -> Result<Vec<(String, String)>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT page, why FROM parked ORDER BY page, version LIMIT ?1")?;
        collect(statement.query([limit as i64])?, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// What the newest listing passed over, and what readers had to guess, with counts.
    pub fn skipped(&self) -> Result<Vec<(String, u64)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT what, count FROM skipped UNION ALL
             SELECT json_extract(w.value, '$.what'), sum(json_extract(w.value, '$.count'))
             FROM page JOIN cut USING (page, version), json_each(cut.warnings) w GROUP BY 1 ORDER BY 2 DESC, 1",
        )?;
        collect(statement.query([])?, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
    }
}

/// Relations that make no question: links, and columns that every table has.
const VAGUE: &str = r#"["links_to","includes","refers_to","mentions","described_as","note","notes","value","type","key",
    "example","default_value","count","repository"]"#;

/// The columns of a `Statement`.
const STATEMENT: &str =
    "SELECT fact.fact, coalesce(se.name, sn.name), fact.relation, coalesce(fact.value, oe.name, obj.name, ''),
            fact.valid_at, fact.invalid_at, fact.withdrawn, fact.extractor
     FROM fact JOIN node sn ON sn.node = fact.subject LEFT JOIN entity se ON se.entity = sn.entity
     LEFT JOIN node obj ON obj.node = fact.object LEFT JOIN entity oe ON oe.entity = obj.entity";

fn read_statement(connection: &Connection, row: &Row<'_>) -> Result<Statement> {
    let relation: String = row.get(2)?;
    Ok(Statement {
        fact: FactId::from_bytes(row.get(0)?),
        subject: with_names(connection, &row.get::<_, String>(1)?)?,
        relation: relation.replace('_', " "),
        object: with_names(connection, &row.get::<_, String>(3)?)?,
        valid_at: row.get(4)?,
        invalid_at: row.get(5)?,
        withdrawn: row.get(6)?,
        extractor: extractor_text(&row.get::<_, String>(7)?)?,
    })
}

/// Who has read a fact, as people read it.
pub(super) fn extractor_text(stored: &str) -> Result<String> {
    Ok(match serde_json::from_str(stored)? {
        knowledge::graph::Extractor::Structural => "structural".to_owned(),
        knowledge::graph::Extractor::Model(model) => model,
    })
}

/// A text with `@{key}` replaced by `@Name` where the person's name is known.
pub(super) fn with_names(connection: &Connection, text: &str) -> Result<String> {
    if !text.contains("@{") {
        return Ok(text.to_owned());
    }
    let mut statement = connection.prepare_cached("SELECT name FROM person WHERE person = ?1")?;
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find("@{") {
        let after = &rest[start + 2..];
        let Some(end) = after.find('}') else { break };
        let key = &after[..end];
        let name: Option<String> = statement.query_row([key], |row| row.get(0)).optional()?;
        shown.push_str(&rest[..start]);
        shown.push('@');
        shown.push_str(name.as_deref().unwrap_or(key));
        rest = &after[end + 1..];
    }
    shown.push_str(rest);
    Ok(shown)
}
