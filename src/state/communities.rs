//! Communities of entities: kept behind the loop for those who may see everything, worked out when asked for a
//! viewer.
//!
//! They follow from the facts that hold (`knowledge::communities`) and are no part of the fold: like vectors they are
//! no part of any comparison, and a state that lost them makes them again. Kept are ids and counts, never a name or a
//! text: what was erased leaves nothing here. Names are those that a model gave (`portraits.rs`), or those of today.
//!
//! Invariant: what is told is what the facts of this moment give. Rows are believed only while the epoch they were
//! made after is the last one; otherwise communities are worked out anew.

use super::State;
use super::candidates::collect;
use super::look::with_names;
use crate::error::{Error, Kind, Result};
use knowledge::communities::{COMMUNITIES, Community, Island, Member, Tie, islands};
use knowledge::id::{CommunityId, EntityId, FactId, IslandId, NodeId};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The first so many communities, the largest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Communities {
    /// How many there are in all, without their parts.
    pub found: usize,
    /// The first of them.
    pub first: Vec<CommunityCard>,
}

/// A community as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct CommunityCard {
    /// Its id.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub community: CommunityId,
    /// What a model calls it, or the names of those with most facts in it.
    pub name: String,
    /// Which of the two.
    pub named_by: NamedBy,
    /// What a model tells of it, where it named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How many of the facts that the model was told do not hold any more.
    #[serde(skip_serializing_if = "is_zero")]
    pub outdated: usize,
    /// How many entities are in it.
    pub entities: usize,
    /// How many facts that hold are between them.
    pub facts: u32,
    /// Those with most facts in it.
    pub members: Vec<MemberCard>,
    /// Its parts, where it is large.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<CommunityCard>,
}

/// Where the name of a community comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// It is the names of those with most facts in it.
    Entities,
    /// A model gave it, from passages that whoever reads it may read.
    Model,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// An entity in a community.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct MemberCard {
    /// Its id.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub entity: EntityId,
    /// The shown name.
    pub name: String,
    /// The kind.
    pub kind: String,
    /// Its facts to others in the community.
    pub facts: u32,
}

/// What became of what was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Islands that are as they were.
    pub kept: usize,
    /// Islands that were divided anew.
    pub made: usize,
}

/// Entities whose names make the name of a community.
const NAMED_BY: usize = 3;
/// Facts from which communities are worked out for one viewer at most. Each is derived for him by the resolver, in some
/// tenths of a millisecond: more would take longer than anybody waits.
const FACTS_OF_VIEWER: usize = 50_000;

/// Facts that hold between two entities. What ended in the world binds nobody any more; what the clock says is not
/// asked.
pub(super) const TIES: &str = "SELECT sn.entity, obj.entity FROM fact
    JOIN node sn ON sn.node = fact.subject JOIN node obj ON obj.node = fact.object
    WHERE fact.folded_into IS NULL AND fact.withdrawn = 0 AND fact.invalid_at IS NULL AND sn.entity <> obj.entity";

impl State {
    /// Divides anew what changed since it was last done; what did not change is kept, and is what it would be.
    pub fn note_communities(&self) -> Result<Noted> {
        let now = self.communities_now()?;
        if self.meta("communities")?.as_deref() == Some(&now) {
            return Ok(Noted::default());
        }
        let islands: BTreeMap<IslandId, Island> =
            islands(self.ties()?).into_iter().map(|island| (island.id(), island)).collect();
        let kept = self.islands_kept()?;
        let transaction = self.connection().unchecked_transaction()?;
        for gone in kept.iter().filter(|id| !islands.contains_key(*id)) {
            transaction
                .prepare_cached(
                    "DELETE FROM community_member
                     WHERE community IN (SELECT community FROM community WHERE island = ?1)",
                )?
                .execute([gone.as_bytes()])?;
            transaction
                .prepare_cached("DELETE FROM community WHERE island = ?1")?
                .execute([gone.as_bytes()])?;
        }
        let mut noted = Noted::default();
        for (id, island) in &islands {
            match kept.contains(id) {
                true => noted.kept += 1,
                false => {
                    noted.made += 1;
                    island
                        .communities()
                        .iter()
                        .try_for_each(|community| self.keep_community(*id, community))?;
                }
            }
        }
        transaction.execute("INSERT OR REPLACE INTO meta VALUES ('communities', ?1)", [now])?;
        transaction.commit()?;
        Ok(noted)
    }

    /// What communities depend on: the rules, and the epoch or the user's word that changed the graph last.
    fn communities_now(&self) -> Result<String> {
        let mut statement =
            self.connection().prepare_cached("SELECT coalesce(max(resolved_seq), 0) FROM epoch")?;
        let last: i64 = statement.query_row([], |row| row.get(0))?;
        let ruled = self.meta("ruled_seq")?.and_then(|seq| seq.parse().ok()).unwrap_or(0);
        Ok(format!("{COMMUNITIES} {}", last.max(ruled)))
    }

    fn are_kept(&self) -> Result<bool> {
        Ok(!self.has_viewer() && self.are_kept_for_all()?)
    }

    /// Whether what is kept for those who may see everything is what they would find now.
    pub(super) fn are_kept_for_all(&self) -> Result<bool> {
        Ok(self.meta("communities")?.as_deref() == Some(&self.communities_now()?))
    }

    /// All communities with their parts, for whoever looks.
    pub(super) fn all_communities(&self) -> Result<Vec<Community>> {
        if self.are_kept()? {
            return self.communities_kept();
        }
        self.bring_ties()?;
        Ok(islands(self.ties()?).iter().flat_map(Island::communities).collect())
    }

    fn islands_kept(&self) -> Result<BTreeSet<IslandId>> {
        let mut statement = self.connection().prepare_cached("SELECT DISTINCT island FROM community")?;
        let kept = collect(statement.query([])?, |row| Ok(IslandId::from_bytes(row.get(0)?)))?;
        Ok(kept.into_iter().collect())
    }

    fn keep_community(&self, island: IslandId, community: &Community) -> Result<()> {
        self.connection()
            .prepare_cached("INSERT OR REPLACE INTO community VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![
                community.id.as_bytes(),
                island.as_bytes(),
                community.parent.as_ref().map(CommunityId::as_bytes),
                community.members.len() as i64,
                community.facts
            ])?;
        let mut statement = self
            .connection()
            .prepare_cached("INSERT OR REPLACE INTO community_member VALUES (?1, ?2, ?3)")?;
        for member in &community.members {
            statement.execute(params![community.id.as_bytes(), member.entity.0.as_bytes(), member.facts])?;
        }
        Ok(())
    }

    fn ties(&self) -> Result<Vec<Tie>> {
        let mut statement = self.connection().prepare_cached(TIES)?;
        let entity = |bytes| EntityId(NodeId::from_bytes(bytes));
        collect(statement.query([])?, |row| {
            Ok(Tie { one: entity(row.get(0)?), other: entity(row.get(1)?), facts: 1 })
        })
    }

    /// Brings all facts between things that a viewer may see.
    fn bring_ties(&self) -> Result<()> {
        if !self.has_viewer() {
            return Ok(());
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT f.fact FROM main.fact f WHERE f.object IS NOT NULL
             AND EXISTS (SELECT 1 FROM support WHERE support.fact = f.fact) ORDER BY f.row LIMIT ?1",
        )?;
        let facts = collect(statement.query([FACTS_OF_VIEWER as i64 + 1])?, |row| {
            Ok(FactId::from_bytes(row.get(0)?))
        })?;
        if facts.len() > FACTS_OF_VIEWER {
            let text = format!(
                "communities for one user: he may see more than {FACTS_OF_VIEWER} facts, which takes too long to derive"
            );
            return Err(
                Error::new(Kind::Never, text).hint("they are kept only for those who may see everything")
            );
        }
        self.bring_facts(&facts)
    }

    /// The communities of the upper level with their parts, those with most facts first, then by id; of each so many
    /// members.
    pub fn communities(&self, limit: usize, members: usize) -> Result<Communities> {
        let all = self.all_communities()?;
        let (mut upper, mut parts): (Vec<&Community>, BTreeMap<CommunityId, Vec<&Community>>) =
            Default::default();
        for community in &all {
            match community.parent {
                Some(parent) => parts.entry(parent).or_default().push(community),
                None => upper.push(community),
            }
        }
        let order = |community: &&Community| (Reverse(community.facts), community.id);
        upper.sort_unstable_by_key(order);
        let mut first = Vec::new();
        for community in upper.iter().take(limit) {
            let mut card = self.community_card(community, members)?;
            let mut inner = parts.remove(&community.id).unwrap_or_default();
            inner.sort_unstable_by_key(order);
            card.parts =
                inner.into_iter().map(|part| self.community_card(part, members)).collect::<Result<_>>()?;
            first.push(card);
        }
        Ok(Communities { found: upper.len(), first })
    }

    /// Gives all communities and parts with all their members, by id, each with the community it is a part of.
    pub fn each_community(
        &self,
        mut take: impl FnMut(CommunityCard, Option<CommunityId>) -> Result<()>,
    ) -> Result<()> {
        let mut all = self.all_communities()?;
        all.sort_unstable_by_key(|community| community.id);
        all.iter()
            .try_for_each(|community| take(self.community_card(community, usize::MAX)?, community.parent))
    }

    /// The community of the upper level that an entity is in; none where it is in none, where communities were not
    /// kept since the graph changed, and for a viewer: his would have to be worked out from all that he may see.
    pub fn community_of(&self, entity: EntityId) -> Result<Option<CommunityCard>> {
        if !self.are_kept()? {
            return Ok(None);
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT community.community, community.facts FROM community_member JOIN community USING (community)
             WHERE entity = ?1 AND parent IS NULL",
        )?;
        let found = statement.query_row([entity.0.as_bytes()], |row| {
            Ok((CommunityId::from_bytes(row.get(0)?), row.get::<_, u32>(1)?))
        });
        let Some((id, facts)) = found.optional()? else { return Ok(None) };
        let members = self.members_kept(id)?;
        Ok(Some(self.community_card(&Community { id, parent: None, members, facts }, NAMED_BY)?))
    }

    fn communities_kept(&self) -> Result<Vec<Community>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT community, parent, facts FROM community ORDER BY community")?;
        let rows = collect(statement.query([])?, |row| {
            let parent = row.get::<_, Option<[u8; 16]>>(1)?.map(CommunityId::from_bytes);
            Ok((CommunityId::from_bytes(row.get(0)?), parent, row.get::<_, u32>(2)?))
        })?;
        rows.into_iter()
            .map(|(id, parent, facts)| Ok(Community { id, parent, members: self.members_kept(id)?, facts }))
            .collect()
    }

    fn members_kept(&self, community: CommunityId) -> Result<Vec<Member>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT entity, facts FROM community_member WHERE community = ?1 ORDER BY facts DESC, entity",
        )?;
        collect(statement.query([community.as_bytes()])?, |row| {
            Ok(Member { entity: EntityId(NodeId::from_bytes(row.get(0)?)), facts: row.get(1)? })
        })
    }

    fn community_card(&self, community: &Community, told: usize) -> Result<CommunityCard> {
        let mut statement =
            self.connection().prepare_cached("SELECT name, kind FROM entity WHERE entity = ?1")?;
        let mut members = Vec::new();
        for member in community.members.iter().take(told.max(NAMED_BY)) {
            let found = statement.query_row([member.entity.0.as_bytes()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            });
            let Some((name, kind)) = found.optional()? else { continue };
            let name = with_names(self.connection(), &name)?;
            members.push(MemberCard { entity: member.entity, name, kind, facts: member.facts });
        }
        let names: Vec<&str> = members.iter().take(NAMED_BY).map(|member| member.name.as_str()).collect();
        let plain = (names.join(", "), NamedBy::Entities, None, 0);
        let (name, named_by, summary, outdated) = match self.portrait_of(community)? {
            None => plain,
            Some(told) => {
                let shown = |text: &str| with_names(self.connection(), text);
                (shown(&told.name)?, NamedBy::Model, Some(shown(&told.summary)?), told.outdated)
            }
        };
        members.truncate(told);
        Ok(CommunityCard {
            community: community.id,
            name,
            named_by,
            summary,
            outdated,
            entities: community.members.len(),
            facts: community.facts,
            members,
            parts: Vec::new(),
        })
    }
}
