//! Everything that is held, as lines for other programs: entities, facts, communities, passages, pages
//! (`docs/export.md`). Reads only. It must not know where the lines go.
//!
//! Rows are walked by id, a few hundred at a time, so what is held in memory does not grow with the graph, and equal
//! states give equal lines. With a viewer each row is brought into his tables before it is read, as for any answer.
//!
//! Invariant: all lines are of one moment, and nothing in them depends on the clock, on vectors or on row numbers.

use super::State;
use super::candidates::collect;
use super::communities::{CommunityCard, NamedBy};
use super::look::{extractor_text, with_names};
use super::search::Query;
use crate::error::Result;
use knowledge::id::{ChunkId, CommunityId, EntityId, FactId, NodeId, PersonKey};
use knowledge::time::{Timestamp, stored};
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

/// Counts changes of what lines mean: readers refuse what is newer than they are.
pub const FORMAT: u32 = 1;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Passages too.
    pub passages: bool,
    /// Communities too: they are of the facts that hold now.
    pub communities: bool,
    /// Only what was true in the world then.
    pub as_of: Option<Timestamp>,
    /// Only what the wiki said then.
    pub wiki_at: Option<Timestamp>,
    /// Rows between two looks at the ids, and between two times that a viewer's tables are emptied. It changes no line.
    pub stride: u16,
}

impl Default for Wanted {
    fn default() -> Self {
        // Some hundreds of kilobytes of what is derived; a larger one is no faster.
        Self { passages: false, communities: false, as_of: None, wiki_at: None, stride: 500 }
    }
}

/// One line. Every id is one that `show` takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// The first: what this is an export of.
    Meta(Meta),
    /// A thing with its names.
    Entity(Entity),
    /// A fact with its times and what it stands on.
    Fact(Box<Fact>),
    /// Things that have more to do with each other than with the rest.
    Community(Community),
    /// A chunk of a page, as text.
    Passage(Passage),
    /// A page, as it stands now.
    Page(Page),
    /// The last: how many lines there were of each. Where it is missing, the export was cut short.
    End(Tally),
}

/// What an export is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meta {
    /// The format of the lines.
    pub format: u32,
    /// The vault.
    pub vault: String,
    /// The last record that is in it.
    pub seq: u64,
    /// The key of the user who may see all of it; null when it is everything.
    pub viewer: Option<PersonKey>,
    /// Only what was true in the world then.
    pub as_of: Option<String>,
    /// Only what the wiki said then.
    pub wiki_at: Option<String>,
}

/// A thing with its names.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    /// Its id, that of its smallest member.
    pub id: NodeId,
    /// The shown name.
    pub name: String,
    /// What sort of thing it is.
    #[serde(rename = "type")]
    pub sort: String,
    /// Other names it goes by.
    pub aliases: Vec<String>,
    /// The names and keys that mean it.
    pub members: Vec<Member>,
    /// What models wrote from its facts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub summaries: Vec<String>,
}

/// A name, within a space or everywhere, or a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// The name.
    pub name: String,
    /// The space within which it means this; null when it does everywhere.
    pub space: Option<String>,
    /// What it is beyond doubt: a page, an account, an issue.
    pub key: Option<Value>,
}

/// An end of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// The entity; of a name that no page says any more, the name's own id.
    pub id: NodeId,
    /// The shown name.
    pub name: String,
}

/// A fact with its times and what it stands on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// Its id.
    pub id: FactId,
    /// What it is about.
    pub subject: End,
    /// The relation.
    pub relation: String,
    /// What it leads to; null when it is a value.
    pub object: Option<End>,
    /// The value, where it leads to none.
    pub value: Option<String>,
    /// True in the world since, where known.
    pub valid_at: Option<String>,
    /// True in the world until, where known.
    pub invalid_at: Option<String>,
    /// The wiki says so since, where known.
    pub asserted_from: Option<String>,
    /// The wiki said so until; null while a page says it, and where nobody knows.
    pub asserted_to: Option<String>,
    /// No page says so any more, and none says what came instead.
    pub withdrawn: bool,
    /// The fact that ended it, where it was not the text itself.
    pub closed_by: Option<FactId>,
    /// Earlier stretches of time in which it was true.
    pub earlier: Vec<Stretch>,
    /// Who read it: `structural`, or a model's name.
    pub extractor: String,
    /// Facts that say the same and are shown as this one.
    pub folded: Vec<FactId>,
    /// We hold it since; only in an export of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// We hold it no longer since; only in an export of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<String>,
    /// What it stands on, by page and chunk.
    pub supports: Vec<Said>,
}

/// A stretch of time in which a fact was true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Since.
    pub valid_at: Option<String>,
    /// Until.
    pub invalid_at: Option<String>,
    /// The fact that ended it.
    pub closed_by: Option<FactId>,
}

/// A sentence that says a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The page.
    pub page: String,
    /// The first version that says it.
    pub version: u32,
    /// The chunk.
    pub chunk: ChunkId,
    /// The sentence, with names shown.
    pub sentence: String,
    /// True since, by this sentence.
    pub valid_at: Option<String>,
    /// True until, by this sentence.
    pub invalid_at: Option<String>,
    /// The page says so since.
    pub asserted_from: Option<String>,
    /// The page said so until.
    pub asserted_to: Option<String>,
    /// How it ended: `replaced` or `vanished`; null while the page says it.
    pub ended: Option<String>,
    /// True until, by this sentence alone, where another value has ended it since.
    #[serde(skip)]
    until: Option<String>,
}

/// A community, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Community {
    /// Its id.
    pub id: CommunityId,
    /// 0, or 1 for a part.
    pub level: u8,
    /// The community it is a part of.
    pub parent: Option<CommunityId>,
    /// What a model calls it, or the names of those with most facts in it.
    pub name: String,
    /// Which of the two.
    pub named_by: NamedBy,
    /// What a model tells of it.
    pub summary: Option<String>,
    /// How many of the facts that the model was told hold no more.
    pub outdated: usize,
    /// How many facts that hold are between its members.
    pub facts: u32,
    /// The entities in it, those with most facts in it first.
    pub members: Vec<EntityId>,
}

impl Community {
    fn new(card: CommunityCard, parent: Option<CommunityId>) -> Self {
        Self {
            id: card.community,
            level: u8::from(parent.is_some()),
            parent,
            name: card.name,
            named_by: card.named_by,
            summary: card.summary,
            outdated: card.outdated,
            facts: card.facts,
            members: card.members.into_iter().map(|member| member.entity).collect(),
        }
    }
}

/// A chunk of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passage {
    /// The chunk's id.
    pub id: ChunkId,
    /// The page.
    pub page: String,
    /// `text`, or `card`: what the wiki knows about a page beside its text.
    pub form: String,
    /// The page's title and the headings.
    pub path: Vec<String>,
    /// The text, with names shown.
    pub text: String,
    /// Since when the page has it, where known.
    pub valid_at: Option<String>,
    /// How it ended: `replaced` or `vanished`; null while the page has it.
    pub ended: Option<String>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its id in the wiki.
    pub id: String,
    /// The title.
    pub title: String,
    /// The space.
    pub space: String,
    /// Where a browser finds it.
    pub link: Option<String>,
    /// The current version.
    pub version: u32,
    /// When that was written.
    pub modified: Option<String>,
    /// A complete sweep no longer shows it.
    pub gone: bool,
}

/// How many lines there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Entities.
    pub entities: u64,
    /// Facts.
    pub facts: u64,
    /// Communities and their parts.
    pub communities: u64,
    /// Passages.
    pub passages: u64,
    /// Pages.
    pub pages: u64,
}

/// Who takes the lines, one after the other.
pub type Take<'a> = &'a mut dyn FnMut(&Line) -> Result<()>;

impl State {
    /// Gives everything that is wanted, line by line: what it is, entities, facts, communities, passages, pages, each
    /// by id, and how many there were.
    pub fn export(&self, wanted: &Wanted, take: Take<'_>) -> Result<Tally> {
        // A viewer's state is of one moment already.
        let _moment = if self.has_viewer() { None } else { Some(self.reading()?) };
        take(&Line::Meta(Meta {
            format: FORMAT,
            vault: self.vault_id()?,
            seq: self.applied()?.get(),
            viewer: self.viewer_key(),
            as_of: wanted.as_of.map(stored),
            wiki_at: wanted.wiki_at.map(stored),
        }))?;
        let mut tally = Tally::default();
        self.walk((NODES, wanted), |node| {
            let entity = self.entity_line(NodeId::from_bytes(node), wanted)?;
            tally.entities += give(entity.map(Line::Entity), take)?;
            Ok(())
        })?;
        self.walk((FACTS, wanted), |fact| {
            let fact = self.fact_line(FactId::from_bytes(fact), wanted)?;
            tally.facts += give(fact.map(|fact| Line::Fact(Box::new(fact))), take)?;
            Ok(())
        })?;
        if wanted.communities {
            self.each_community(|card, parent| {
                tally.communities += give(Some(Line::Community(Community::new(card, parent))), take)?;
                Ok(())
            })?;
            self.forget_all()?;
        }
        if wanted.passages {
            self.walk((CHUNKS, wanted), |chunk| {
                let passage = self.passage_line(ChunkId::from_bytes(chunk), wanted)?;
                tally.passages += give(passage.map(Line::Passage), take)?;
                Ok(())
            })?;
        }
        tally.pages = self.page_lines(take)?;
        take(&Line::End(tally))?;
        Ok(tally)
    }

    /// Walks through rows by id. Ids are read a few hundred at a time: none is being read while a row is looked at.
    fn walk(&self, (sql, wanted): (&str, &Wanted), mut at: impl FnMut([u8; 16]) -> Result<()>) -> Result<()> {
        let mut after = Vec::new();
        loop {
            let mut statement = self.connection().prepare_cached(sql)?;
            let ids: Vec<[u8; 16]> =
                collect(statement.query(params![after, wanted.stride])?, |row| Ok(row.get(0)?))?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = last.to_vec();
            ids.into_iter().try_for_each(&mut at)?;
            self.forget_all()?;
        }
    }

    fn entity_line(&self, id: NodeId, wanted: &Wanted) -> Result<Option<Entity>> {
        self.bring_nodes(&[id])?;
        let mut statement =
            self.connection().prepare_cached("SELECT named, name, kind FROM entity WHERE entity = ?1")?;
        let found: Option<(String, String, String)> = statement
            .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((named, name, sort)) = found else { return Ok(None) };
        if !self.is_there(id, wanted)? {
            return Ok(None);
        }
        let mut statement = self
            .connection()
            .prepare_cached("SELECT node, name, space, key FROM node WHERE entity = ?1 ORDER BY node")?;
        let members = collect(statement.query([id.as_bytes()])?, |row| {
            let key: Option<String> = row.get(3)?;
            Ok(Member {
                id: NodeId::from_bytes(row.get(0)?),
                name: with_names(self.connection(), &row.get::<_, String>(1)?)?,
                space: row.get(2)?,
                key: key.map(|key| serde_json::from_str(&key)).transpose()?,
            })
        })?;
        let (name, named) = (with_names(self.connection(), &name)?, with_names(self.connection(), &named)?);
        let mut aliases: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
        aliases.retain(|alias| *alias != name && *alias != named);
        aliases.sort_unstable();
        aliases.dedup();
        let summaries = self.summaries_of(EntityId(id))?;
        let summaries = summaries.into_iter().map(|summary| summary.text).collect();
        Ok(Some(Entity { id, name, sort, aliases, members, summaries }))
    }

    /// Whether an entity is there at the asked time: something that held then names it.
    fn is_there(&self, entity: NodeId, wanted: &Wanted) -> Result<bool> {
        let Some(query) = moment_of(wanted) else { return Ok(true) };
        self.bring_facts_of(EntityId(entity), usize::MAX)?;
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT fact FROM fact JOIN node ON node.node = fact.subject OR node.node = fact.object
             WHERE node.entity = ?1 AND folded_into IS NULL ORDER BY fact",
        )?;
        let facts =
            collect(statement.query([entity.as_bytes()])?, |row| Ok(FactId::from_bytes(row.get(0)?)))?;
        for fact in facts {
            if self.moment(fact, &query)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fact_line(&self, id: FactId, wanted: &Wanted) -> Result<Option<Fact>> {
        self.bring_facts(&[id])?;
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(se.entity, sn.node), coalesce(se.name, sn.name), fact.relation,
                    coalesce(oe.entity, obj.node), coalesce(oe.name, obj.name), fact.value, fact.valid_at,
                    fact.invalid_at, fact.withdrawn, fact.closed_by, fact.extractor, fact.created_at, fact.expired_at
             FROM fact JOIN node sn ON sn.node = fact.subject LEFT JOIN entity se ON se.entity = sn.entity
             LEFT JOIN node obj ON obj.node = fact.object LEFT JOIN entity oe ON oe.entity = obj.entity
             WHERE fact.fact = ?1 AND fact.folded_into IS NULL",
        )?;
        let found = collect(statement.query([id.as_bytes()])?, |row| self.read_fact(id, row))?.pop();
        let Some(mut fact) = found else { return Ok(None) };
        fact.folded = self.folded_into(id)?;
        fact.supports = self.said_for(id)?;
        if self.has_viewer() {
            (fact.created_at, fact.expired_at) = (None, None);
        }
        match moment_of(wanted) {
            None => fact.earlier = self.earlier(id)?,
            Some(query) => {
                let Some(moment) = self.moment(id, &query)? else { return Ok(None) };
                (fact.valid_at, fact.invalid_at) =
                    (moment.times.valid_at.map(stored), moment.times.invalid_at.map(stored));
                fact.withdrawn = moment.times.withdrawn.is_some();
                fact.closed_by = None;
                fact.supports.retain(|said| moment.chunks.contains(&said.chunk));
                if let Some(at) = wanted.wiki_at {
                    fact.supports.iter_mut().for_each(|said| as_known_at(said, &stored(at)));
                }
            }
        }
        let said = || fact.supports.iter();
        fact.asserted_from = said().filter_map(|said| said.asserted_from.clone()).min();
        let is_said = said().any(|said| said.ended.is_none());
        fact.asserted_to = said().filter(|_| !is_said).filter_map(|said| said.asserted_to.clone()).max();
        Ok(Some(fact))
    }

    fn read_fact(&self, id: FactId, row: &Row<'_>) -> Result<Fact> {
        let shown = |name: String| with_names(self.connection(), &name);
        let object: Option<[u8; 16]> = row.get(3)?;
        let object = object.map(|id| -> Result<End> {
            let name = row.get::<_, Option<String>>(4)?.unwrap_or_default();
            Ok(End { id: NodeId::from_bytes(id), name: shown(name)? })
        });
        Ok(Fact {
            id,
            subject: End { id: NodeId::from_bytes(row.get(0)?), name: shown(row.get(1)?)? },
            relation: row.get(2)?,
            object: object.transpose()?,
            value: row.get::<_, Option<String>>(5)?.map(shown).transpose()?,
            valid_at: row.get(6)?,
            invalid_at: row.get(7)?,
            asserted_from: None,
            asserted_to: None,
            withdrawn: row.get(8)?,
            closed_by: row.get::<_, Option<[u8; 16]>>(9)?.map(FactId::from_bytes),
            earlier: Vec::new(),
            extractor: extractor_text(&row.get::<_, String>(10)?)?,
            folded: Vec::new(),
            created_at: row.get(11)?,
            expired_at: row.get(12)?,
            supports: Vec::new(),
        })
    }

    fn folded_into(&self, fact: FactId) -> Result<Vec<FactId>> {
        let mut statement =
            self.connection().prepare_cached("SELECT fact FROM fact WHERE folded_into = ?1 ORDER BY fact")?;
        collect(statement.query([fact.as_bytes()])?, |row| Ok(FactId::from_bytes(row.get(0)?)))
    }

    fn earlier(&self, fact: FactId) -> Result<Vec<Stretch>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT valid_at, invalid_at, closed_by FROM spell WHERE fact = ?1 ORDER BY number",
        )?;
        collect(statement.query([fact.as_bytes()])?, |row| {
            let closed_by = row.get::<_, Option<[u8; 16]>>(2)?.map(FactId::from_bytes);
            Ok(Stretch { valid_at: row.get(0)?, invalid_at: row.get(1)?, closed_by })
        })
    }

    fn said_for(&self, fact: FactId) -> Result<Vec<Said>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT page, from_version, chunk, sentence, valid_at, invalid_at, asserted_from, asserted_to, ended, until
             FROM support WHERE fact = ?1 OR fact IN (SELECT fact FROM fact WHERE folded_into = ?1)
             ORDER BY page, chunk, fact",
        )?;
        collect(statement.query([fact.as_bytes()])?, |row| {
            Ok(Said {
                page: row.get(0)?,
                version: row.get(1)?,
                chunk: ChunkId::from_bytes(row.get(2)?),
                sentence: with_names(self.connection(), &row.get::<_, String>(3)?)?,
                valid_at: row.get(4)?,
                invalid_at: row.get(5)?,
                asserted_from: row.get(6)?,
                asserted_to: row.get(7)?,
                ended: row.get(8)?,
                until: row.get(9)?,
            })
        })
    }

    fn passage_line(&self, id: ChunkId, wanted: &Wanted) -> Result<Option<Passage>> {
        let at = wanted.wiki_at.or(wanted.as_of).map(stored);
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.page, form, path, text, valid_at, ended FROM chunk JOIN episode USING (chunk)
             WHERE chunk.chunk = ?1 AND (?2 IS NULL OR
                   (coalesce(valid_at, ?2) <= ?2 AND (ended IS NULL OR coalesce(end_at, noticed_at) > ?2)))",
        )?;
        let found = collect(statement.query(params![id.as_bytes(), at])?, |row| {
            Ok(Passage {
                id,
                page: row.get(0)?,
                form: serde_json::from_str(&row.get::<_, String>(1)?)?,
                path: serde_json::from_str(&row.get::<_, String>(2)?)?,
                text: with_names(self.connection(), &row.get::<_, String>(3)?)?,
                valid_at: row.get(4)?,
                ended: row.get::<_, Option<String>>(5)?.filter(|_| at.is_none()),
            })
        })?;
        Ok(found.into_iter().next())
    }

    fn page_lines(&self, take: Take<'_>) -> Result<u64> {
        let mut statement = self.connection().prepare_cached(
            "SELECT page, title, space, link, version, modified, gone FROM page ORDER BY page",
        )?;
        let (mut rows, mut count) = (statement.query([])?, 0);
        while let Some(row) = rows.next()? {
            let page = Page {
                id: row.get(0)?,
                title: row.get(1)?,
                space: row.get(2)?,
                link: row.get(3)?,
                version: row.get(4)?,
                modified: row.get(5)?,
                gone: row.get(6)?,
            };
            count += give(Some(Line::Page(page)), take)?;
        }
        Ok(count)
    }
}

/// Names that something the viewer may see speaks of, by id after the one given. That of an entity is its smallest
/// member's, so entities come in the order of theirs.
const NODES: &str = "SELECT node FROM main.node WHERE node > ?1
    AND EXISTS (SELECT 1 FROM mention WHERE mention.node = main.node.node) ORDER BY node LIMIT ?2";
/// The same of facts that stand on anything he may see.
const FACTS: &str = "SELECT fact FROM main.fact WHERE fact > ?1
    AND EXISTS (SELECT 1 FROM support WHERE support.fact = main.fact.fact) ORDER BY fact LIMIT ?2";
const CHUNKS: &str = "SELECT chunk FROM main.chunk WHERE chunk > ?1 ORDER BY chunk LIMIT ?2";

fn give(line: Option<Line>, take: Take<'_>) -> Result<u64> {
    let Some(line) = line else { return Ok(0) };
    take(&line)?;
    Ok(1)
}

/// The asked time as a search asks for it; none when all times are wanted. What has ended by now is not left out: an
/// export must not depend on the clock.
fn moment_of(wanted: &Wanted) -> Option<Query> {
    let asked = wanted.as_of.is_some() || wanted.wiki_at.is_some();
    asked.then(|| Query { as_of: wanted.as_of, wiki_at: wanted.wiki_at, ..Query::default() })
}

/// An end that came later, or whose day nobody knows, had not come then; nor had the day that it brought with it.
fn as_known_at(said: &mut Said, at: &str) {
    if said.ended.is_some() && said.asserted_to.as_deref().is_none_or(|to| to > at) {
        if said.ended.take().is_some_and(|ended| ended == "replaced") {
            said.invalid_at = said.until.take();
        }
        said.asserted_to = None;
    }
}
