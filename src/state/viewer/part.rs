//! What the resolver may ask of a viewer's part of the graph. Names, folds and groups of the whole are not looked at.
//! It must not know what is asked for.

use super::State;
use crate::error::{Error, Result};
use crate::state::candidates::{collect, decision, held_fact, nodes};
use crate::state::judged;
use crate::state::rulings::rulings_on;
use knowledge::graph::{Decision, Episode, Judgement, Kind, Node, Reading, Ruling, Support, Verdict};
use knowledge::id::{ChunkId, EntityId, FactId, NodeId, PageId, SpaceKey};
use knowledge::resolve::{self, Band, Group, Held, HeldFact};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

/// A viewer's part of the graph.
pub(super) struct Part<'a> {
    pub state: &'a State,
    pub known: Known,
}

/// How much of what follows from the part is known: each is derived with the help of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// What stands on pages.
    Nothing,
    /// Which nodes are one.
    Groups,
    /// Which judgements hold.
    Judgements,
}

/// Facts of which the viewer may see what at least one of them stands on; folds are for each viewer to find.
const FACT: &str = "SELECT fact, subject, relation, object, value, run, extractor, NULL FROM main.fact
    WHERE EXISTS (SELECT 1 FROM support WHERE support.fact = main.fact.fact) AND";

impl Held for Part<'_> {
    type Error = Error;

    fn node(&self, id: NodeId) -> Result<Option<Node>> {
        self.state.viewed_node(id)
    }

    fn nodes_named(&self, normal: &str) -> Result<Vec<Node>> {
        let mut statement = self
            .state
            .connection()
            .prepare_cached("SELECT node FROM main.node WHERE normal = ?1 ORDER BY node")?;
        let ids = collect(statement.query([normal])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
        ids.into_iter().filter_map(|id| self.state.viewed_node(id).transpose()).collect()
    }

    fn nodes_in_bands(&self, bands: &[Band]) -> Result<Vec<Node>> {
        let mut statement =
            self.state.connection().prepare_cached("SELECT node FROM main.name_band WHERE band = ?1")?;
        let mut ids = BTreeSet::new();
        for band in bands {
            let found =
                collect(statement.query([band.0.cast_signed()])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
            ids.extend(found);
        }
        ids.into_iter().filter_map(|id| self.state.viewed_node(id).transpose()).collect()
    }

    fn decisions(&self, node: NodeId) -> Result<Vec<Decision>> {
        let mut statement = self.state.connection().prepare_cached(
            "SELECT a, b, verdict, why, weight, chunk FROM decision WHERE a = ?1
             UNION ALL SELECT a, b, verdict, why, weight, chunk FROM decision WHERE b = ?1 AND a <> ?1",
        )?;
        let mut found = Vec::new();
        for decision in collect(statement.query([node.as_bytes()])?, decision)? {
            if self.counts(&decision)? {
                found.push(decision);
            }
        }
        found.sort_unstable_by_key(|decision| (decision.a, decision.b, decision.chunk));
        Ok(found)
    }

    fn live_mentions(&self, node: NodeId, limit: usize) -> Result<Vec<ChunkId>> {
        self.state.live_mentions(node, limit)
    }

    fn group(&self, node: NodeId) -> Result<Option<Group>> {
        match self.known {
            Known::Nothing => Ok(None),
            Known::Groups | Known::Judgements => self.state.viewed_group(node),
        }
    }

    fn is_live(&self, chunk: ChunkId) -> Result<bool> {
        self.state.is_live(chunk)
    }

    fn fact(&self, id: FactId) -> Result<Option<HeldFact>> {
        let mut statement = self.state.connection().prepare_cached(&format!("{FACT} fact = ?1"))?;
        Ok(collect(statement.query([id.as_bytes()])?, held_fact)?.pop())
    }

    fn facts_at(&self, node: NodeId) -> Result<Vec<HeldFact>> {
        let sql = format!("{FACT} subject = ?1 UNION ALL {FACT} object = ?1 AND subject <> ?1");
        let mut statement = self.state.connection().prepare_cached(&sql)?;
        let mut found = collect(statement.query([node.as_bytes()])?, held_fact)?;
        found.sort_unstable_by_key(|held| held.fact.id);
        Ok(found)
    }

    fn episodes_of(&self, page: &PageId) -> Result<Vec<Episode>> {
        self.state.episodes_of(page)
    }

    fn supports_of(&self, page: &PageId) -> Result<Vec<Support>> {
        self.state.supports_of(page)
    }

    fn mentions_of(&self, chunk: ChunkId) -> Result<Vec<NodeId>> {
        self.state.mentions_of(chunk)
    }

    fn supports_on(&self, fact: FactId) -> Result<Vec<Support>> {
        self.state.supports_on(fact)
    }

    fn judgements(&self, fact: FactId) -> Result<Vec<Judgement>> {
        if self.known < Known::Judgements {
            return judged::judgements_in(self.state.connection(), "seen_judgement", fact);
        }
        self.state.bring_judgements(fact)?;
        judged::judgements(self.state.connection(), fact)
    }

    fn rulings(&self, node: NodeId) -> Result<Vec<Ruling>> {
        rulings_on(self.state.connection(), node)
    }

    fn noted_alike(&self, _: NodeId) -> Result<Vec<NodeId>> {
        Ok(Vec::new())
    }
}

impl Part<'_> {
    /// A decision by somebody who looked at what speaks of two names counts for those who may see all of that.
    fn counts(&self, decision: &Decision) -> Result<bool> {
        if decision.chunk.is_some() || decision.verdict == Verdict::Doubt {
            return Ok(true);
        }
        let both = (self.state.viewed_node(decision.a)?, self.state.viewed_node(decision.b)?);
        let (Some(one), Some(other)) = both else { return Ok(false) };
        let by_name = decision.verdict == Verdict::Same && resolve::follows_from_names(&one, &other);
        Ok(by_name || (self.state.is_whole(decision.a)? && self.state.is_whole(decision.b)?))
    }
}

impl State {
    /// The decisions that name a node, as far as whoever looks may know of them.
    pub(in crate::state) fn decisions_as_seen(&self, node: NodeId) -> Result<Vec<Decision>> {
        match self.sight {
            Some(_) => Part { state: self, known: Known::Nothing }.decisions(node),
            None => self.decisions(node),
        }
    }

    /// Whether a decision counts for a viewer.
    pub(in crate::state) fn stands_as_seen(&self, decision: &Decision) -> Result<bool> {
        resolve::stands(decision, &Part { state: self, known: Known::Nothing })
    }

    /// Whether a viewer may see everything that speaks of a node.
    pub(in crate::state) fn is_whole(&self, node: NodeId) -> Result<bool> {
        let mut statement =
            self.connection().prepare_cached("SELECT 1 FROM temp.whole_node WHERE node = ?1")?;
        Ok(statement.exists([node.as_bytes()])?)
    }

    /// A node, named as a viewer may see it named; none if nothing that he may see speaks of it.
    fn viewed_node(&self, id: NodeId) -> Result<Option<Node>> {
        let Some(sight) = &self.sight else { return Ok(None) };
        if let Some(viewed) = sight.viewed.borrow().get(&id) {
            return Ok(viewed.clone());
        }
        let viewed = self.view_node(id)?;
        sight.viewed.borrow_mut().insert(id, viewed.clone());
        Ok(viewed)
    }

    fn view_node(&self, id: NodeId) -> Result<Option<Node>> {
        // What spoke of it may have been read otherwise since; a fact that ended then keeps its ends.
        let mut spoken = self.connection().prepare_cached(
            "SELECT 1 FROM mention WHERE node = ?1 UNION ALL
             SELECT 1 FROM main.fact f JOIN support ON support.fact = f.fact WHERE f.subject = ?1 UNION ALL
             SELECT 1 FROM main.fact f JOIN support ON support.fact = f.fact WHERE f.object = ?1 LIMIT 1",
        )?;
        if !spoken.exists([id.as_bytes()])? {
            return Ok(None);
        }
        let Some(mut node) = nodes(self.connection(), "main.node", "WHERE node = ?1", [id.as_bytes()])?.pop()
        else {
            return Ok(None);
        };
        if self.is_whole(id)? {
            return Ok(Some(node));
        }
        let mut statement =
            self.connection().prepare_cached("SELECT chunk FROM mention WHERE node = ?1 ORDER BY chunk")?;
        let chunks = collect(statement.query([id.as_bytes()])?, |row| Ok(ChunkId::from_bytes(row.get(0)?)))?;
        let mut seen: Option<Node> = None;
        for chunk in chunks {
            let Some(named) = self.named_in(chunk, id)? else { continue };
            seen = Some(match seen {
                Some(seen) => resolve::merged(named, &seen),
                None => named,
            });
            // Of all names and kinds the least is held, so nothing that is still to come is less.
            if seen.as_ref().is_some_and(|seen| seen.name == node.name && seen.kind == node.kind) {
                return Ok(seen.map(|_| node));
            }
        }
        // The normal form, a key, and being a person are part of what the node is: whoever may see it has seen them.
        let is_told = node.key.is_some() || node.kind == Kind::PERSON;
        let plain = if is_told { node.kind.clone() } else { Kind::THING };
        (node.name, node.kind) = match seen {
            Some(seen) => (seen.name, seen.kind),
            None => (node.normal.clone(), plain),
        };
        Ok(Some(node))
    }

    /// What a chunk calls a node.
    fn named_in(&self, chunk: ChunkId, node: NodeId) -> Result<Option<Node>> {
        let Some(sight) = &self.sight else { return Ok(None) };
        if !sight.names.borrow().contains_key(&chunk) {
            let names = self.names_in(chunk)?;
            sight.names.borrow_mut().insert(chunk, names);
        }
        let names = sight.names.borrow();
        Ok(names.get(&chunk).into_iter().flatten().find(|named| named.id == node).cloned())
    }

    pub(in crate::state) fn names_in(&self, chunk: ChunkId) -> Result<Vec<Node>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT chunk.reading, chunk.page, coalesce(page.space, '')
             FROM chunk LEFT JOIN page ON page.page = chunk.page WHERE chunk = ?1",
        )?;
        let found = statement.query_row([chunk.as_bytes()], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        });
        let Some((reading, page, space)) = found.optional()? else { return Ok(Vec::new()) };
        let answer = self.answer(chunk, self.last_extractor()?.as_deref())?.unwrap_or_default();
        let reading = serde_json::from_str::<Reading>(&reading)?.with(answer);
        Ok(resolve::names_in(&PageId::new(page), &SpaceKey::new(space), &reading))
    }

    /// The group of a node among those that are known by now.
    fn viewed_group(&self, node: NodeId) -> Result<Option<Group>> {
        self.place_nodes(&[node])?;
        let mut statement = self.connection().prepare_cached(
            "SELECT entity.entity, entity.named, entity.kind FROM temp.node JOIN temp.entity USING (entity)
             WHERE node.node = ?1",
        )?;
        let found: Option<([u8; 16], String, String)> = statement
            .query_row([node.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((entity, name, kind)) = found else { return Ok(None) };
        let mut statement =
            self.connection().prepare_cached("SELECT node FROM temp.node WHERE entity = ?1 ORDER BY node")?;
        let nodes = collect(statement.query(params![entity])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
        Ok(Some(Group { entity: EntityId(NodeId::from_bytes(entity)), nodes, name, kind: Kind::new(kind) }))
    }
}
