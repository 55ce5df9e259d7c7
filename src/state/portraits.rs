//! Names and summaries that models gave to communities: rows of `portrait`, which are owed, and who may read one.
//!
//! A community may be another one for every reader, and is never asked about for one of them. It is asked about as
//! it is for those who may see everything, in the words of one audience; and whoever sees less reads the answer where
//! he may read every passage it was made from, and the community is for him what it was there.
//!
//! Invariant: of what a model was shown, each word stands in a passage that the portrait names.

use super::State;
use super::apply::Step;
use super::candidates::collect;
use super::communities::TIES;
use crate::error::Result;
use knowledge::audience::LayerId;
use knowledge::communities::Community;
use knowledge::graph::{Kind, Node};
use knowledge::id::{ChunkId, CommunityId, EntityId, FactId, NodeId, PackId};
use knowledge::portrait::{Basis, Portrait, SMALLEST, Saying, Since, Sitter, Sitting, strongest};
use knowledge::resolve::{self, Held};
use rusqlite::{OptionalExtension, params};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Most audiences for which a community is asked about, those with most facts first: a wiki in which every page has a
/// restriction of its own would have as many as pages.
const AUDIENCES: usize = 3;

pub(super) fn apply(step: &Step<'_>, pack: PackId, portrait: &Portrait) -> Result<()> {
    let Basis { members, facts, chunks, of_members, of_facts } = &portrait.basis;
    let members: Vec<u8> = members.iter().flat_map(|member| *member.0.as_bytes()).collect();
    let facts: Vec<u8> = facts.iter().flat_map(|fact| *fact.as_bytes()).collect();
    let chunks: Vec<u8> = chunks.iter().flat_map(|chunk| *chunk.as_bytes()).collect();
    step.run(
        "INSERT OR REPLACE INTO portrait
         SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, extractor FROM pack WHERE pack = ?1",
        params![
            pack.as_bytes(),
            portrait.community.as_bytes(),
            serde_json::to_string(&portrait.audience)?,
            portrait.key.as_bytes(),
            portrait.name,
            portrait.summary,
            members,
            facts,
            chunks,
            of_members,
            of_facts
        ],
    )
}

/// What a model says of a community.
pub(super) struct Told {
    pub audience: Vec<LayerId>,
    /// Empty when nobody would give one.
    pub name: String,
    pub summary: String,
    pub basis: Basis,
    /// Facts it was made from that do not hold any more.
    pub outdated: usize,
}

impl State {
    /// Communities that are owed a portrait, among the first so many, those with most facts first; each for every
    /// audience that may read enough of it.
    pub fn owed_portraits(&self, most: usize) -> Result<Vec<Sitting>> {
        if most == 0 || self.portrayed.get() == Some(most) {
            return Ok(Vec::new());
        }
        let owed = self.find_owed_portraits(most)?;
        self.portrayed.set(owed.is_empty().then_some(most));
        Ok(owed)
    }

    fn find_owed_portraits(&self, most: usize) -> Result<Vec<Sitting>> {
        let mut all = self.all_communities()?;
        all.retain(|community| community.members.len() >= SMALLEST);
        all.sort_unstable_by_key(|community| (Reverse(community.facts), community.id));
        all.truncate(most);
        let is_open = self.is_open_to_all()?;
        let mut owed = Vec::new();
        for community in &all {
            let mut told: BTreeSet<Vec<LayerId>> = BTreeSet::new();
            for portrait in self.portraits_that_count(community)? {
                told.extend(self.audience_of(&portrait.basis.chunks)?);
            }
            // Where everybody sees everything there is one audience, and nothing to look for.
            if is_open && told.contains(&Vec::new()) {
                continue;
            }
            for (audience, sayings) in self.sayings_in(community)? {
                if told.contains(&audience) {
                    continue;
                }
                owed.extend(self.sitting(community, audience, sayings)?);
            }
        }
        Ok(owed)
    }

    /// The audience that passages have by now, where all have the same: restrictions come and go.
    fn audience_of(&self, chunks: &[ChunkId]) -> Result<Option<Vec<LayerId>>> {
        if self.is_open_to_all()? {
            return Ok(Some(Vec::new()));
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT page.page, page.space FROM chunk JOIN page USING (page) WHERE chunk.chunk = ?1",
        )?;
        let mut pages: BTreeSet<(String, String)> = BTreeSet::new();
        for chunk in chunks {
            let found = statement.query([chunk.as_bytes()])?;
            pages.extend(collect(found, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?);
        }
        let layers = pages.iter().map(|(page, space)| self.layers_of(page, space));
        let mut audiences = layers.collect::<Result<BTreeSet<_>>>()?;
        Ok(match audiences.len() {
            0 => Some(Vec::new()),
            1 => audiences.pop_first(),
            _ => None,
        })
    }

    /// Whether this very prompt was answered, whatever became of it: it would be answered the same.
    fn is_portrayed(&self, sitting: &Sitting) -> Result<bool> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT 1 FROM portrait WHERE community = ?1 AND audience = ?2 AND key = ?3")?;
        let (audience, key) = (serde_json::to_string(&sitting.audience)?, sitting.key());
        Ok(statement.exists(params![sitting.community.as_bytes(), audience, key.as_bytes()])?)
    }

    fn sitting(
        &self,
        community: &Community,
        audience: Vec<LayerId>,
        sayings: Vec<Saying>,
    ) -> Result<Option<Sitting>> {
        let sayings = strongest(sayings);
        let names = self.names_of(&sayings)?;
        match Sitting::new(community, audience, (&sayings, &names)) {
            Some(sitting) if !self.is_portrayed(&sitting)? => Ok(Some(sitting)),
            _ => Ok(None),
        }
    }

    /// What pages say of the facts between the members of a community, for the audiences that may read most of it.
    fn sayings_in(&self, community: &Community) -> Result<Vec<(Vec<LayerId>, Vec<Saying>)>> {
        let members = members_of(community);
        let mut audiences: BTreeMap<ChunkId, Vec<LayerId>> = BTreeMap::new();
        let mut found: BTreeMap<Vec<LayerId>, BTreeMap<FactId, Saying>> = BTreeMap::new();
        let mut ties = Vec::new();
        for subject in &members {
            ties.extend(self.ties_of(*subject, &members)?);
        }
        for (fact, ends) in ties {
            for saying in self.said_of_tie(fact, ends)? {
                let audience = match audiences.get(&saying.chunk) {
                    Some(known) => known.clone(),
                    None => self.layers_before(&[saying.chunk])?,
                };
                audiences.insert(saying.chunk, audience.clone());
                let known = found.entry(audience).or_default().entry(fact);
                known.and_modify(|known| known.said_by += 1).or_insert(saying);
            }
        }
        let mut found: Vec<(Vec<LayerId>, Vec<Saying>)> =
            found.into_iter().map(|(audience, said)| (audience, said.into_values().collect())).collect();
        found.sort_by_key(|(_, said)| Reverse(said.len()));
        found.truncate(AUDIENCES);
        Ok(found)
    }

    /// The facts of a member that hold between it and another one.
    fn ties_of(
        &self,
        subject: EntityId,
        members: &BTreeSet<EntityId>,
    ) -> Result<Vec<(FactId, [EntityId; 2])>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT fact.fact, obj.entity FROM node sn JOIN fact ON fact.subject = sn.node
             JOIN node obj ON obj.node = fact.object
             WHERE sn.entity = ?1 AND fact.folded_into IS NULL AND fact.withdrawn = 0 AND fact.invalid_at IS NULL
               AND sn.entity <> obj.entity ORDER BY fact.fact",
        )?;
        let found = collect(statement.query([subject.0.as_bytes()])?, |row| {
            let other = EntityId(NodeId::from_bytes(row.get(1)?));
            Ok((FactId::from_bytes(row.get(0)?), [subject, other]))
        })?;
        let within = |(_, [_, other]): &(FactId, [EntityId; 2])| members.contains(other);
        Ok(found.into_iter().filter(within).collect())
    }

    /// The passages that say a fact now, each in its own words.
    fn said_of_tie(&self, fact: FactId, ends: [EntityId; 2]) -> Result<Vec<Saying>> {
        let mut statement = self.connection().prepare_cached(
            r#"SELECT said.subject, said.object, said.relation, support.chunk,
                      CASE said.extractor WHEN '"structural"' THEN '' ELSE support.sentence END, sn.entity
               FROM fact said JOIN support ON support.fact = said.fact JOIN node sn ON sn.node = said.subject
               WHERE (said.fact = ?1 OR said.folded_into = ?1) AND said.object IS NOT NULL AND support.ended IS NULL
               ORDER BY support.chunk, said.fact"#,
        )?;
        collect(statement.query([fact.as_bytes()])?, |row| {
            let (subject, object) = (NodeId::from_bytes(row.get(0)?), NodeId::from_bytes(row.get(1)?));
            let [one, other] = ends;
            // What says the same may say it the other way round.
            let turned = row.get::<_, Option<[u8; 16]>>(5)? != Some(*one.0.as_bytes());
            Ok(Saying {
                fact,
                ends: if turned { [other, one] } else { [one, other] },
                nodes: [subject, object],
                relation: row.get(2)?,
                chunk: ChunkId::from_bytes(row.get(3)?),
                sentence: row.get(4)?,
                said_by: 1,
            })
        })
    }

    /// What these passages call the members they speak of: another name of one may stand on a page that this audience
    /// does not see.
    fn names_of(&self, sayings: &[Saying]) -> Result<BTreeMap<EntityId, Sitter>> {
        let chunks: BTreeSet<ChunkId> = sayings.iter().map(|saying| saying.chunk).collect();
        let mut called: BTreeMap<NodeId, Node> = BTreeMap::new();
        for chunk in chunks {
            for node in self.names_in(chunk)? {
                let known = called.remove(&node.id);
                let both = known.map_or_else(|| node.clone(), |known| resolve::merged(known, &node));
                called.insert(node.id, both);
            }
        }
        let mut nodes: BTreeMap<EntityId, BTreeMap<NodeId, Node>> = BTreeMap::new();
        for (entity, id) in sayings.iter().flat_map(|saying| saying.ends.into_iter().zip(saying.nodes)) {
            let node = match called.get(&id) {
                Some(node) => Some(node.clone()),
                None => self.node(id)?.map(plainly),
            };
            nodes.entry(entity).or_default().extend(node.map(|node| (id, node)));
        }
        let sitter = |nodes: BTreeMap<NodeId, Node>| {
            let (name, kind) = resolve::shown(&nodes.into_values().collect::<Vec<_>>());
            Sitter { name, kind: kind.as_str().to_owned() }
        };
        Ok(nodes.into_iter().map(|(entity, nodes)| (entity, sitter(nodes))).collect())
    }

    /// The portraits of a community that count and that whoever looks may read.
    pub(super) fn portraits_that_count(&self, community: &Community) -> Result<Vec<Told>> {
        let members = members_of(community);
        // A viewer's facts may be fewer: that is no change.
        let of_facts =
            if self.has_viewer() { self.facts_of_whole(community)? } else { Some(community.facts) };
        let Some(of_facts) = of_facts else { return Ok(Vec::new()) };
        let mut told: Vec<Told> = Vec::new();
        for mut kept in self.portraits_kept(community.id)? {
            let mut since = Since {
                of_members: members.len(),
                of_facts: of_facts as usize,
                members_gone: kept.basis.members.iter().filter(|member| !members.contains(*member)).count(),
                facts_gone: 0,
            };
            for fact in &kept.basis.facts {
                since.facts_gone += usize::from(!self.ties_two_of(*fact, &members)?);
            }
            if !kept.basis.counts(&since) || self.has_viewer() && !self.may_read_portrait(&kept.basis)? {
                continue;
            }
            kept.outdated = since.facts_gone;
            told.push(kept);
        }
        Ok(told)
    }

    fn portraits_kept(&self, community: CommunityId) -> Result<Vec<Told>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT audience, name, summary, members, facts, chunks, of_members, of_facts FROM portrait
             WHERE community = ?1 ORDER BY audience, key",
        )?;
        collect(statement.query([community.as_bytes()])?, |row| {
            let blob = |column: usize| row.get::<_, Vec<u8>>(column);
            let (audience, members, facts, chunks) = (row.get::<_, String>(0)?, blob(3)?, blob(4)?, blob(5)?);
            let entities = members.chunks_exact(16).filter_map(NodeId::from_slice).map(EntityId);
            let basis = Basis {
                members: entities.collect(),
                facts: facts.chunks_exact(16).filter_map(FactId::from_slice).collect(),
                chunks: chunks.chunks_exact(16).filter_map(ChunkId::from_slice).collect(),
                of_members: row.get(6)?,
                of_facts: row.get(7)?,
            };
            let audience = serde_json::from_str(&audience)?;
            Ok(Told { audience, name: row.get(1)?, summary: row.get(2)?, basis, outdated: 0 })
        })
    }

    /// Whether a fact holds between two different members.
    fn ties_two_of(&self, fact: FactId, members: &BTreeSet<EntityId>) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(&format!("{TIES} AND fact.fact = ?1"))?;
        let ends = statement.query_row([fact.as_bytes()], |row| Ok([row.get(0)?, row.get(1)?])).optional()?;
        let is_in = |end: [u8; 16]| members.contains(&EntityId(NodeId::from_bytes(end)));
        Ok(ends.is_some_and(|ends: [[u8; 16]; 2]| ends.into_iter().all(is_in)))
    }

    /// What a model says of a community to whoever looks: of several portraits the one that most facts speak for which
    /// still hold. None where nobody gave it a name.
    pub(super) fn portrait_of(&self, community: &Community) -> Result<Option<Told>> {
        let told = self.portraits_that_count(community)?;
        let named = told.into_iter().filter(|told| !told.name.is_empty());
        let most = |told: &Told| {
            let holding = told.basis.facts.len().saturating_sub(told.outdated);
            (holding, Reverse(told.outdated), Reverse(told.audience.clone()))
        };
        Ok(named.max_by_key(most))
    }
}

fn members_of(community: &Community) -> BTreeSet<EntityId> {
    community.members.iter().map(|member| member.entity).collect()
}

/// A node of which no passage that is shown has the name, as far as it is the same everywhere.
fn plainly(node: Node) -> Node {
    let is_told = node.key.is_some() || node.kind == Kind::PERSON;
    let kind = if is_told { node.kind } else { Kind::THING };
    Node { name: node.normal.clone(), kind, ..node }
}
