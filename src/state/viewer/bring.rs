//! Brings into a viewer's tables what is asked about: the entities of nodes, and the facts that say the same with their
//! times, as the resolver and the fold derive them. Where nobody looks whose sight is limited, nothing is done.

use super::part::{Known, Part};
use super::{Sight, State};
use crate::error::Result;
use crate::state::apply::Step;
use crate::state::candidates::collect;
use crate::state::changes::{PUT_NODE, apply_group, date_fact, fact_text};
use crate::state::judged;
use knowledge::graph::{Extractor, Judgement, Likeness, Object};
use knowledge::id::{EntityId, FactId, NodeId, PageId};
use knowledge::resolve::{self, Group, Held};
use rusqlite::params;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    /// Forgets what can be found by words: an answer must not depend on what was asked before. What was derived stays.
    pub(in crate::state) fn forget(&self) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        self.connection().execute_batch(
            "INSERT INTO temp.node_text (node_text) VALUES ('delete-all');
             INSERT INTO temp.fact_text (fact_text) VALUES ('delete-all');",
        )?;
        sight.nodes_found.borrow_mut().clear();
        sight.facts_found.borrow_mut().clear();
        Ok(())
    }

    /// Brings these nodes and the entities they belong to, which can be found from then on.
    pub(in crate::state) fn bring_nodes(&self, nodes: &[NodeId]) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        self.place_nodes(nodes)?;
        let mut rows = Vec::new();
        for node in nodes {
            rows.extend(self.rows_to_find(sight, *node)?);
        }
        self.put_all(&format!("{PUT_NODE} node.row IN (SELECT value FROM json_each(?1))"), &rows)
    }

    /// Puts rows into an index with one statement: each statement makes it write out what it holds in memory.
    fn put_all<T: Serialize>(&self, sql: &str, rows: &[T]) -> Result<()> {
        match rows {
            [] => Ok(()),
            rows => self.step().run(sql, [serde_json::to_string(rows)?]),
        }
    }

    /// Puts these nodes and the entities they belong to into the tables.
    pub(in crate::state) fn place_nodes(&self, nodes: &[NodeId]) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        for node in nodes {
            if sight.nodes.borrow().contains(node) {
                continue;
            }
            let part = Part { state: self, known: Known::Nothing };
            let groups = match self.stands_alone(*node)? {
                true => self.group_of_one(*node, &part)?.into_iter().collect(),
                false => resolve::groups_around(&[*node], &part)?,
            };
            for group in groups {
                self.place_group(sight, &part, group)?;
            }
            if sight.nodes.borrow_mut().insert(*node) {
                // Nothing live speaks of it: it is in no entity, and its name may still be the end of a fact that was.
                self.place_node(&part, *node)?;
            }
        }
        Ok(())
    }

    /// Whether nothing has ever said that a node is one with another. The resolver would find the same, after it has
    /// asked for all that was ever said about it.
    fn stands_alone(&self, node: NodeId) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM main.decision WHERE a = ?1 AND verdict = 'same'
             UNION ALL SELECT 1 FROM main.decision WHERE b = ?1 AND verdict = 'same'
             UNION ALL SELECT 1 FROM main.ruling WHERE (a = ?1 OR b = ?1) AND verdict = 'same' LIMIT 1",
        )?;
        Ok(!statement.exists([node.as_bytes()])?)
    }

    /// The entity of such a node, while anything live speaks of it.
    fn group_of_one(&self, node: NodeId, part: &Part<'_>) -> Result<Option<Group>> {
        if part.live_mentions(node, 1)?.is_empty() {
            return Ok(None);
        }
        let Some(named) = part.node(node)? else { return Ok(None) };
        let (name, kind) = resolve::shown(&[named]);
        Ok(Some(Group { entity: EntityId(node), nodes: vec![node], name, kind }))
    }

    fn place_group(&self, sight: &Sight, part: &Part<'_>, group: Group) -> Result<()> {
        for node in &group.nodes {
            if sight.nodes.borrow_mut().insert(*node) {
                self.place_node(part, *node)?;
            }
        }
        apply_group(&self.step(), group.entity, &group.nodes, (&group.name, &group.kind))
    }

    /// The names of a node's entity that are not in the index yet.
    fn rows_to_find(&self, sight: &Sight, node: NodeId) -> Result<Vec<i64>> {
        if sight.nodes_found.borrow().contains(&node) {
            return Ok(Vec::new());
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT node, row FROM temp.node
             WHERE entity = (SELECT entity FROM temp.node WHERE node = ?1) ORDER BY node",
        )?;
        let members = collect(statement.query([node.as_bytes()])?, |row| {
            Ok((NodeId::from_bytes(row.get(0)?), row.get(1)?))
        })?;
        let mut found = sight.nodes_found.borrow_mut();
        Ok(members.into_iter().filter(|(member, _)| found.insert(*member)).map(|(_, row)| row).collect())
    }

    fn place_node(&self, part: &Part<'_>, id: NodeId) -> Result<()> {
        let Some(node) = part.node(id)? else { return Ok(()) };
        self.step().run(
            "INSERT OR IGNORE INTO temp.node
             SELECT row, node, ?2, normal, ?3, space, key, NULL, 0 FROM main.node WHERE node = ?1",
            params![id.as_bytes(), node.name, node.kind.as_str()],
        )
    }

    /// What is derived here belongs to no record.
    fn step(&self) -> Step<'_> {
        Step { transaction: self.connection(), seq: 0, at: String::new() }
    }

    /// Brings facts with all that says the same, dated by what the viewer may see.
    pub(in crate::state) fn bring_facts(&self, facts: &[FactId]) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        let mut rows = Vec::new();
        for fact in facts {
            let known = sight.dated.borrow().get(fact).cloned();
            let class = match known {
                Some(class) => class,
                None => self.date_class(sight, *fact)?,
            };
            for member in class.iter().filter(|member| sight.facts_found.borrow_mut().insert(**member)) {
                rows.extend(fact_text(&self.step(), *member)?);
            }
        }
        self.put_all(
            "INSERT INTO fact_text (rowid, statement, sentence, card)
             SELECT value ->> 0, value ->> '$[1][0]', value ->> '$[1][1]', value ->> '$[1][2]' FROM json_each(?1)",
            &rows,
        )
    }

    /// Dates a fact and all that says the same; gives them.
    fn date_class(&self, sight: &Sight, fact: FactId) -> Result<Arc<[FactId]>> {
        let class: Arc<[FactId]> = self.place_fact(sight, fact)?.into_iter().collect();
        for member in class.iter() {
            self.place_rivals(sight, *member)?;
        }
        for member in class.iter() {
            date_fact(&self.step(), *member, true)?;
            sight.dated.borrow_mut().insert(*member, class.clone());
        }
        Ok(class)
    }

    /// Puts a fact and all that says the same into the table; gives them.
    fn place_fact(&self, sight: &Sight, fact: FactId) -> Result<BTreeSet<FactId>> {
        let part = Part { state: self, known: Known::Judgements };
        let Some(held) = part.fact(fact)? else { return Ok(BTreeSet::new()) };
        let mut class = resolve::says_the_same(&held, &part)?;
        class.entry(fact).or_insert(None);
        for (member, into) in &class {
            if !sight.placed.borrow_mut().insert(*member) {
                continue;
            }
            let Some(held) = part.fact(*member)? else { continue };
            let mut ends = vec![held.fact.subject];
            if let Object::Named(object) = held.fact.object {
                ends.push(object);
            }
            self.place_nodes(&ends)?;
            let extractor = self.viewed_extractor(*member, held.fact.extractor)?;
            self.step().run(
                "INSERT OR IGNORE INTO temp.fact
                 SELECT row, fact, subject, relation, object, value, run, ?2, ?3,
                        NULL, NULL, 0, NULL, NULL, NULL, NULL, 0 FROM main.fact WHERE fact = ?1",
                params![
                    member.as_bytes(),
                    serde_json::to_string(&extractor)?,
                    into.as_ref().map(FactId::as_bytes)
                ],
            )?;
        }
        Ok(class.into_keys().collect())
    }

    /// Facts that contradict a fact are there before it is dated; they are not dated themselves.
    fn place_rivals(&self, sight: &Sight, fact: FactId) -> Result<()> {
        self.bring_judgements(fact)?;
        for judgement in judged::judgements(self.connection(), fact)? {
            // Those that do not contradict it now may have done so for a reader of the wiki then.
            if judgement.likeness == Likeness::Contradicts {
                let rival = if judgement.a == fact { judgement.b } else { judgement.a };
                self.place_fact(sight, rival)?;
            }
        }
        Ok(())
    }

    /// Brings the judgements about a fact that fold facts or end them, and whether they hold among what the viewer may
    /// see. Most say that two facts have nothing to do with each other, and change nothing about them.
    pub(super) fn bring_judgements(&self, fact: FactId) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        if !sight.judged.borrow_mut().insert(fact) {
            return Ok(());
        }
        let part = Part { state: self, known: Known::Groups };
        let tells =
            |judgement: &Judgement| matches!(judgement.likeness, Likeness::Duplicate | Likeness::Contradicts);
        match part.judgements(fact)?.iter().any(tells) {
            true => self.bring_all_judgements(fact),
            false => Ok(()),
        }
    }

    /// Brings all judgements about a fact.
    pub(in crate::state) fn bring_all_judgements(&self, fact: FactId) -> Result<()> {
        let Some(sight) = &self.sight else { return Ok(()) };
        if !sight.judged_all.borrow_mut().insert(fact) {
            return Ok(());
        }
        let part = Part { state: self, known: Known::Groups };
        let pairs = part.judgements(fact)?;
        // Each pair as its smaller fact has it, whichever of the two is asked about.
        for smaller in pairs.iter().map(|judgement| judgement.a).collect::<BTreeSet<_>>() {
            let Some(held) = part.fact(smaller)? else { continue };
            for judgement in resolve::judgements_about(&held.fact, &part)? {
                if judgement.a == smaller && judgement.likeness != Likeness::Doubt {
                    judged::apply_judgement(&self.step(), &judgement)?;
                }
            }
        }
        Ok(())
    }

    /// Who has read a fact in what the viewer may see.
    fn viewed_extractor(&self, fact: FactId, of_all: Extractor) -> Result<Extractor> {
        let Extractor::Model(_) = of_all else { return Ok(of_all) };
        let mut hidden = self.connection().prepare_cached(
            "SELECT 1 FROM main.support s WHERE s.fact = ?1 AND s.page NOT IN (SELECT page FROM temp.seen_page)",
        )?;
        if !hidden.exists([fact.as_bytes()])? {
            return Ok(of_all);
        }
        let mut statement = self
            .connection()
            .prepare_cached("SELECT DISTINCT page FROM support WHERE fact = ?1 ORDER BY page")?;
        let pages =
            collect(statement.query([fact.as_bytes()])?, |row| Ok(PageId::new(row.get::<_, String>(0)?)))?;
        let mut best = Extractor::Structural;
        for page in pages {
            let Some(said) = self.said_of(&page)? else { continue };
            let read = resolve::extractors(&said).remove(&fact);
            best = read.into_iter().chain([best]).max().unwrap_or(Extractor::Structural);
        }
        Ok(best)
    }

    /// Brings an entity's facts, at most so many: of a hub those that come first for everybody.
    pub(in crate::state) fn bring_facts_of(&self, entity: EntityId, most: usize) -> Result<()> {
        if !self.has_viewer() {
            return Ok(());
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT DISTINCT f.fact FROM temp.node n JOIN main.fact f ON f.subject = n.node OR f.object = n.node
             WHERE n.entity = ?1 AND EXISTS (SELECT 1 FROM support WHERE support.fact = f.fact)
             ORDER BY f.withdrawn, f.invalid_at IS NOT NULL, f.relation, f.fact LIMIT ?2",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let facts = collect(statement.query(params![entity.0.as_bytes(), most])?, |row| {
            Ok(FactId::from_bytes(row.get(0)?))
        })?;
        self.bring_facts(&facts)
    }

    /// Brings what may go by a name.
    pub(in crate::state) fn bring_named(&self, name: &str) -> Result<()> {
        if !self.has_viewer() {
            return Ok(());
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT n.node FROM main.node n LEFT JOIN main.entity e USING (entity)
             LEFT JOIN person ON n.kind = 'Person' AND person.person = json_extract(n.key, '$.person')
             WHERE (n.name = ?1 COLLATE NOCASE OR n.normal = ?2 OR e.name = ?1 COLLATE NOCASE
                    OR person.name = ?1 COLLATE NOCASE)
             AND EXISTS (SELECT 1 FROM mention WHERE mention.node = n.node) ORDER BY n.node",
        )?;
        let nodes = collect(statement.query(params![name, resolve::normalise(name)])?, |row| {
            Ok(NodeId::from_bytes(row.get(0)?))
        })?;
        self.bring_nodes(&nodes)?;
        for node in nodes {
            if let Some(entity) = self.entity_of_node(node)? {
                self.bring_facts_of(entity, FACTS_OF_HUB)?;
            }
        }
        Ok(())
    }

    /// Brings what may be the same as an entity: names that are alike, where the viewer may see all that is called so.
    pub(in crate::state) fn bring_alike(&self, entity: EntityId) -> Result<()> {
        if !self.has_viewer() {
            return Ok(());
        }
        self.step().run(
            "INSERT OR IGNORE INTO temp.alike SELECT a, b, score FROM main.alike
             WHERE (a IN (SELECT node FROM temp.node WHERE entity = ?1)
                 OR b IN (SELECT node FROM temp.node WHERE entity = ?1))
             AND EXISTS (SELECT 1 FROM temp.whole_node w WHERE w.node = alike.a)
             AND EXISTS (SELECT 1 FROM temp.whole_node w WHERE w.node = alike.b)",
            [entity.0.as_bytes()],
        )?;
        let mut statement = self.connection().prepare_cached(
            "SELECT a FROM temp.alike WHERE b IN (SELECT node FROM temp.node WHERE entity = ?1)
             UNION SELECT b FROM temp.alike WHERE a IN (SELECT node FROM temp.node WHERE entity = ?1) ORDER BY 1",
        )?;
        let nodes =
            collect(statement.query([entity.0.as_bytes()])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
        self.bring_nodes(&nodes)
    }

    /// Whether facts at an entity are found under another name in the index of the whole.
    pub(in crate::state) fn is_named_otherwise(&self, entity: EntityId) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM temp.node n JOIN temp.entity mine ON mine.entity = n.entity
             JOIN main.node whole ON whole.node = n.node LEFT JOIN main.entity theirs ON theirs.entity = whole.entity
             WHERE n.entity = ?1 AND coalesce(theirs.name, whole.name) <> mine.name",
        )?;
        Ok(statement.exists([entity.0.as_bytes()])?)
    }
}

/// Facts that are brought of an entity to list or to count them: a hub has a hundred thousand, and to date them takes
/// longer than anybody waits.
pub(in crate::state) const FACTS_OF_HUB: usize = 5_000;
