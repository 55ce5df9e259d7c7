//! What nobody finds and what nobody explains. It must not know why.
//!
//! A page is an orphan when no other page's text links to or includes it, it stands below nothing, and nothing stands
//! below it: only who knows its title finds it. Comments and files stand on a page and are none. A thing is unexplained
//! when at least three pages speak of it and no page says anything about it.

use super::super::State;
use super::super::candidates::collect;
use super::{Listing, PageLine};
use crate::error::Result;
use crate::state::look::with_names;
use knowledge::id::{EntityId, NodeId};
use serde::Serialize;

/// What nobody finds or explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphans {
    /// Pages that nothing leads to, longest untouched first.
    pub pages: Listing<PageLine>,
    /// Things that pages speak of and none explains, most spoken of first.
    pub unexplained: Listing<Unexplained>,
}

/// A thing that pages speak of and none explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unexplained {
    /// The entity.
    pub entity: EntityId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How many current pages speak of it in their text.
    pub pages: u32,
}

/// Pages that speak of a thing before it is worth a page's explaining: two may be one hand's copying.
const SPEAKING: u32 = 3;

impl State {
    /// Pages that nothing leads to, and things that nobody explains.
    pub fn orphans(&self, limit: usize) -> Result<Orphans> {
        Ok(Orphans { pages: self.orphan_pages(limit)?, unexplained: self.unexplained(limit)? })
    }

    fn orphan_pages(&self, limit: usize) -> Result<Listing<PageLine>> {
        // A parent that is gone leads nowhere; a folder does.
        let mut statement = self.connection().prepare_cached(
            "SELECT page FROM page p WHERE gone = 0 AND stands_on IS NULL
             AND NOT EXISTS (SELECT 1 FROM page up WHERE up.page = p.parent AND up.gone = 0)
             AND NOT EXISTS (SELECT 1 FROM folder WHERE folder = p.parent)
             ORDER BY modified IS NULL, modified, page",
        )?;
        let roots: Vec<String> = collect(statement.query([])?, |row| Ok(row.get(0)?))?;
        let mut found = Vec::new();
        for page in roots {
            if !self.is_reached(&page)? {
                found.extend(self.page_line(&page)?);
            }
        }
        let all = found.len();
        found.truncate(limit);
        Ok(Listing { found: all, first: found })
    }

    /// Whether a page without a parent can be found in another way: from a page below or above it, or by a link.
    fn is_reached(&self, page: &str) -> Result<bool> {
        let mut children = self
            .connection()
            .prepare_cached("SELECT 1 FROM page WHERE parent = ?1 AND gone = 0 AND stands_on IS NULL")?;
        if children.exists([page])? {
            return Ok(true);
        }
        let Some(entity) = self.entity_of_page(page)? else { return Ok(false) };
        // Sources that know the titles above a page and not their ids say so on its card.
        let mut tree = self.connection().prepare_cached(
            "SELECT 1 FROM node n JOIN main.fact f ON n.node IN (f.subject, f.object) JOIN support s USING (fact)
             WHERE n.entity = ?1 AND f.relation = 'child_of' AND s.ended IS NULL",
        )?;
        if tree.exists([entity.0.as_bytes()])? {
            return Ok(true);
        }
        Ok(self.pages_about(entity, true)?.iter().any(|other| other != page))
    }

    fn unexplained(&self, limit: usize) -> Result<Listing<Unexplained>> {
        if self.has_viewer() {
            let mut statement = self.connection().prepare_cached(
                "SELECT DISTINCT m.node FROM mention m JOIN episode e USING (chunk) WHERE e.ended IS NULL
                 ORDER BY m.node",
            )?;
            let nodes = collect(statement.query([])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
            self.bring_nodes(&nodes)?;
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT entity.entity, entity.name, entity.kind, count(DISTINCT e.page) AS pages
             FROM entity JOIN node n ON n.entity = entity.entity JOIN mention m USING (node)
             JOIN episode e USING (chunk) JOIN chunk c USING (chunk)
             WHERE e.ended IS NULL AND c.form = '\"text\"'
             AND entity.kind NOT IN ('Page', 'Space', 'Person', 'Label', 'File', 'Issue')
             GROUP BY entity.entity HAVING pages >= ?1
             AND NOT EXISTS (SELECT 1 FROM node own JOIN main.fact f ON f.subject = own.node JOIN support s USING (fact)
                             WHERE own.entity = entity.entity AND s.ended IS NULL)
             ORDER BY pages DESC, entity.name, entity.entity",
        )?;
        let mut found = collect(statement.query([SPEAKING])?, |row| {
            Ok(Unexplained {
                entity: EntityId(NodeId::from_bytes(row.get(0)?)),
                name: with_names(self.connection(), &row.get::<_, String>(1)?)?,
                kind: row.get(2)?,
                pages: row.get(3)?,
            })
        })?;
        let all = found.len();
        found.truncate(limit);
        Ok(Listing { found: all, first: found })
    }
}
