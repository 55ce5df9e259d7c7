//! Why names are one entity, or why two that look alike are not: the decisions about an entity's names with what each
//! stands on. Reads only, and of a viewer's state only what that viewer may see.

use super::State;
use super::candidates::collect;
use super::look::with_names;
use super::rulings::{Called, rulings_on};
use crate::error::Result;
use knowledge::chunk::sentences;
use knowledge::graph::{Decision, Ruling, Verdict};
use knowledge::id::{ChunkId, EntityId, NodeId};
use knowledge::resolve;
use rusqlite::OptionalExtension;
use serde::Serialize;
use std::collections::BTreeSet;

/// A decision as people read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Link {
    /// The name that belongs to the entity.
    pub name: String,
    /// The other name.
    pub other: String,
    /// One entity, two, or worth asking.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub verdict: Verdict,
    /// The rule or model that decided, or what a user said.
    pub why: String,
    /// How sure, from 0 to 1; the weakest links give way where names must stay apart.
    pub weight: f64,
    /// The chunk it stands on, where it stands on more than the two names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "mcp", schemars(with = "Option<String>"))]
    pub chunk: Option<ChunkId>,
    /// The words in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
}

impl State {
    /// The decisions that join the names of an entity, strongest first, and then those that keep others apart from it.
    pub fn why_one(&self, entity: EntityId, limit: usize) -> Result<Vec<Link>> {
        self.bring_nodes(&[entity.0])?;
        let mut statement =
            self.connection().prepare_cached("SELECT node FROM node WHERE entity = ?1 ORDER BY node")?;
        let members: BTreeSet<NodeId> =
            collect(statement.query([entity.0.as_bytes()])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?
                .into_iter()
                .collect();
        let mut decisions: Vec<Decision> = Vec::new();
        for member in &members {
            let ruled = self.ruled_as_seen(*member)?;
            let is_ruled = |found: &Decision| ruled.iter().any(|said| (said.a, said.b) == (found.a, found.b));
            let mut all = self.decisions_as_seen(*member)?;
            // What a user said stands in the place of all else that was said of a pair.
            all.retain(|found| !is_ruled(found));
            all.extend(ruled);
            // Each once, although both ends may be members.
            let once = all.into_iter().filter(|found| found.a == *member || !members.contains(&found.a));
            decisions.extend(once);
        }
        decisions.retain(|found| {
            found.verdict != Verdict::Same || members.contains(&found.a) && members.contains(&found.b)
        });
        decisions.sort_by_key(|found| (found.verdict, std::cmp::Reverse(found.weight), found.a, found.b));
        let mut links = Vec::new();
        for decision in decisions {
            if links.len() == limit || !self.holds(&decision)? {
                continue;
            }
            let link = self.link(&decision, members.contains(&decision.a))?;
            // A name may stand for a page and for its title: what is said of both is told once.
            links.extend(link.filter(|link| !links.contains(link)));
        }
        Ok(links)
    }

    /// What users said of a name, as decisions. A reason may speak of anything, so a viewer is told it only where he
    /// may see all that speaks of the two names.
    fn ruled_as_seen(&self, node: NodeId) -> Result<Vec<Decision>> {
        let mut said = Vec::new();
        for Ruling { a, b, verdict, why } in rulings_on(self.connection(), node)? {
            let is_told = !self.has_viewer() || (self.is_whole(a)? && self.is_whole(b)?);
            let why =
                if is_told { format!("somebody said so: {why}") } else { "somebody said so".to_owned() };
            said.push(Decision { a, b, verdict, why, weight: 1000, chunk: None });
        }
        Ok(said)
    }

    /// Whether what a decision stands on is still there, and it counts.
    fn holds(&self, decision: &Decision) -> Result<bool> {
        match self.has_viewer() {
            true => self.stands_as_seen(decision),
            false => resolve::stands(decision, self),
        }
    }

    fn link(&self, decision: &Decision, a_is_member: bool) -> Result<Option<Link>> {
        let (one, other) = if a_is_member { (decision.a, decision.b) } else { (decision.b, decision.a) };
        let (Some(one), Some(other)) = (self.name_of(one)?, self.name_of(other)?) else { return Ok(None) };
        let sentence = match decision.chunk {
            Some(chunk) => self.sentence_with(chunk, [&one.name, &other.name])?,
            None => None,
        };
        let Some([name, other]) = told_apart(one, other) else { return Ok(None) };
        let Decision { verdict, why, weight, chunk, .. } = decision.clone();
        let weight = f64::from(weight) / 1000.0;
        Ok(Some(Link { name, other, verdict, why, weight, chunk, sentence }))
    }

    fn name_of(&self, node: NodeId) -> Result<Option<Called>> {
        self.bring_nodes(&[node])?;
        self.called_by_id(node)
    }

    /// The first sentence of a chunk that holds both names, whatever their case.
    fn sentence_with(&self, chunk: ChunkId, names: [&str; 2]) -> Result<Option<String>> {
        let mut statement = self.connection().prepare_cached("SELECT text FROM chunk WHERE chunk = ?1")?;
        let text: Option<String> = statement.query_row([chunk.as_bytes()], |row| row.get(0)).optional()?;
        let text = text.unwrap_or_default();
        let names = names.map(str::to_lowercase);
        let holds = |sentence: &&str| {
            let sentence = sentence.to_lowercase();
            names.iter().all(|name| sentence.contains(name.as_str()))
        };
        let found = sentences(&text).into_iter().find(holds).map(str::trim);
        found.map(|sentence| with_names(self.connection(), sentence)).transpose()
    }
}

/// Two names as they are told; where both are written alike, with what sets them apart, and none where nothing does.
fn told_apart(one: Called, other: Called) -> Option<[String; 2]> {
    if one.name != other.name {
        return Some([one.name, other.name]);
    }
    let told = [&one, &other].map(|called| {
        let space = called.space.as_ref().map(|key| format!(" in {key}")).unwrap_or_default();
        let by = called.by.as_ref().map(|by| format!(", by its {by}")).unwrap_or_default();
        format!("{} ({}{space}{by})", called.name, called.kind)
    });
    Some(told).filter(|[one, other]| one != other)
}
