//! Which summaries and portraits a viewer may read. A summary was written for one audience, from sentences that this
//! audience may see, and of an entity as all decisions together make it; a portrait is the same of a community. It must
//! not know what they say.

use super::State;
use crate::error::Result;
use crate::state::candidates::collect;
use knowledge::communities::Community;
use knowledge::id::{EntityId, NodeId};
use knowledge::portrait::Basis;
use knowledge::summary::Summary;
use rusqlite::OptionalExtension;

impl State {
    /// Whether a viewer may see everything a summary may have been written from: the entity is for him what it was for
    /// whoever wrote it, and of the pages that speak for its facts those with this audience are all his to see.
    pub(in crate::state) fn may_read(&self, summary: &Summary) -> Result<bool> {
        Ok(!summary.facts.is_empty()
            && self.is_same_to_all(summary.entity)?
            && self.sees_the_source(summary)?)
    }

    fn is_same_to_all(&self, entity: EntityId) -> Result<bool> {
        let members = |table: &str| -> Result<Vec<NodeId>> {
            let sql = format!("SELECT node FROM {table} WHERE entity = ?1 ORDER BY node");
            let mut statement = self.connection().prepare_cached(&sql)?;
            collect(statement.query([entity.0.as_bytes()])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))
        };
        Ok(members("temp.node")? == members("main.node")?)
    }

    fn sees_the_source(&self, summary: &Summary) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT s.page, p.space FROM main.support s JOIN main.page p USING (page)
             WHERE s.fact = ?1 AND s.page NOT IN (SELECT page FROM temp.seen_page)",
        )?;
        for fact in &summary.facts {
            let hidden = collect(statement.query([fact.as_bytes()])?, |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            for (page, space) in hidden {
                if self.layers_of(&page, &space)? == summary.audience {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How many facts a community has for those who may see everything; none where it is not for them what it is for
    /// this viewer, or where nobody knows.
    pub(in crate::state) fn facts_of_whole(&self, community: &Community) -> Result<Option<u32>> {
        if !self.are_kept_for_all()? {
            return Ok(None);
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT entity FROM main.community_member WHERE community = ?1 ORDER BY entity",
        )?;
        let whole = collect(statement.query([community.id.as_bytes()])?, |row| {
            Ok(EntityId(NodeId::from_bytes(row.get(0)?)))
        })?;
        let mut seen: Vec<EntityId> = community.members.iter().map(|member| member.entity).collect();
        seen.sort_unstable();
        if seen != whole {
            return Ok(None);
        }
        let mut statement =
            self.connection().prepare_cached("SELECT facts FROM main.community WHERE community = ?1")?;
        Ok(statement.query_row([community.id.as_bytes()], |row| row.get(0)).optional()?)
    }

    /// Whether a viewer may see every passage that a portrait was made from, and each of the members that were shown is
    /// for him what it was for the model.
    pub(in crate::state) fn may_read_portrait(&self, basis: &Basis) -> Result<bool> {
        let mut statement = self.connection().prepare_cached("SELECT 1 FROM temp.chunk WHERE chunk = ?1")?;
        for chunk in &basis.chunks {
            if !statement.exists([chunk.as_bytes()])? {
                return Ok(false);
            }
        }
        for member in &basis.members {
            if !self.is_same_to_all(*member)? {
                return Ok(false);
            }
        }
        Ok(!basis.chunks.is_empty())
    }
}
