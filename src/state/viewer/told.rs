//! Which summaries a viewer may read. A summary was written for one audience, from sentences that this audience may
//! see, and of an entity as all decisions together make it. It must not know what a summary says.

use super::State;
use crate::error::Result;
use crate::state::candidates::collect;
use knowledge::id::NodeId;
use knowledge::summary::Summary;

impl State {
    /// Whether a viewer may see everything a summary may have been written from: the entity is for him what it was for
    /// whoever wrote it, and of the pages that speak for its facts those with this audience are all his to see.
    pub(in crate::state) fn may_read(&self, summary: &Summary) -> Result<bool> {
        Ok(!summary.facts.is_empty() && self.is_same_to_all(summary)? && self.sees_the_source(summary)?)
    }

    fn is_same_to_all(&self, summary: &Summary) -> Result<bool> {
        let members = |table: &str| -> Result<Vec<NodeId>> {
            let sql = format!("SELECT node FROM {table} WHERE entity = ?1 ORDER BY node");
            let mut statement = self.connection().prepare_cached(&sql)?;
            collect(statement.query([summary.entity.0.as_bytes()])?, |row| {
                Ok(NodeId::from_bytes(row.get(0)?))
            })
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
}
