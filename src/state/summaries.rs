//! What is told of entities with many facts: rows of `summary`, and which are owed. Only what models read in text is
//! counted and told; what rules read (who wrote a page, which space it is in) stands better in a list.
//!
//! Invariant: a summary whose facts do not all hold any more is neither shown nor built upon.

use super::State;
use super::apply::Step;
use super::candidates::collect;
use crate::error::Result;
use knowledge::audience::LayerId;
use knowledge::id::{ChunkId, EntityId, FactId, NodeId, PackId};
use knowledge::resolve::{self, Held};
use knowledge::summary::{self, Subject, Summary};
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn apply(step: &Step<'_>, pack: PackId, summary: &Summary) -> Result<()> {
    let facts: Vec<u8> = summary.facts.iter().flat_map(|fact| *fact.as_bytes()).collect();
    step.run(
        "INSERT OR REPLACE INTO summary SELECT ?2, ?3, ?4, ?5, extractor FROM pack WHERE pack = ?1",
        params![
            pack.as_bytes(),
            summary.entity.0.as_bytes(),
            serde_json::to_string(&summary.audience)?,
            summary.text,
            facts
        ],
    )
}

/// A summary as kept.
struct Kept {
    /// Empty when nobody would write one.
    text: String,
    facts: BTreeSet<FactId>,
}

/// What one audience may read of an entity.
#[derive(Default)]
struct Told {
    /// Sentences in order of time, with the facts that stand on each.
    sentences: BTreeMap<(String, String), BTreeSet<FactId>>,
    /// What these facts are about, as far as it is this entity: it is named by these alone, since another name of it
    /// may stand on a page that this audience does not see.
    nodes: BTreeSet<NodeId>,
}

impl Told {
    fn facts(&self) -> BTreeSet<FactId> {
        self.sentences.values().flatten().copied().collect()
    }
}

impl State {
    /// Entities of which an audience may read more than `long` characters that nobody has summarised, by id and
    /// audience.
    pub fn owed_summaries(&self, long: usize) -> Result<Vec<Subject>> {
        if self.summarised.get() == Some(long) {
            return Ok(Vec::new());
        }
        let owed = self.find_owed_summaries(long)?;
        self.summarised.set(owed.is_empty().then_some(long));
        Ok(owed)
    }

    fn find_owed_summaries(&self, long: usize) -> Result<Vec<Subject>> {
        let mut statement = self.connection().prepare_cached(
            r#"WITH said AS (
                 SELECT subject AS node, sentence FROM fact JOIN support USING (fact)
                 WHERE folded_into IS NULL AND withdrawn = 0 AND extractor <> '"structural"' AND ended IS NULL
                 UNION ALL
                 SELECT object, sentence FROM fact JOIN support USING (fact)
                 WHERE folded_into IS NULL AND withdrawn = 0 AND extractor <> '"structural"' AND ended IS NULL
                   AND object IS NOT NULL)
             SELECT entity.entity FROM said JOIN node USING (node)
             JOIN entity ON entity.entity = node.entity
             GROUP BY entity.entity HAVING sum(length(sentence)) > ?1 ORDER BY entity.entity"#,
        )?;
        let candidates =
            collect(statement.query([long as i64])?, |row| Ok(EntityId(NodeId::from_bytes(row.get(0)?))))?;
        let mut owed = Vec::new();
        for entity in candidates {
            for (audience, told) in self.told_of(entity)? {
                let mut members = Vec::new();
                for node in &told.nodes {
                    members.extend(self.node(*node)?);
                }
                // The name as it is written, a person's key: display names go to no model.
                let (name, kind) = resolve::shown(&members);
                let subject = Subject {
                    entity,
                    name,
                    kind: kind.as_str().to_owned(),
                    audience,
                    before: None,
                    sentences: Vec::new(),
                    facts: Vec::new(),
                };
                owed.extend(self.owed_summary(subject, told, long)?);
            }
        }
        Ok(owed)
    }

    fn owed_summary(&self, mut subject: Subject, told: Told, long: usize) -> Result<Option<Subject>> {
        let held = told.facts();
        let kept = self.kept(subject.entity, &serde_json::to_string(&subject.audience)?)?;
        let kept = kept.filter(|kept| kept.facts.is_subset(&held));
        let known = kept.as_ref().map(|kept| kept.facts.clone()).unwrap_or_default();
        let untold: Vec<(String, Vec<FactId>)> = told
            .sentences
            .into_iter()
            .filter(|(_, facts)| !facts.is_subset(&known))
            .map(|((_, sentence), facts)| (sentence, facts.into_iter().collect()))
            .collect();
        if untold.iter().map(|(sentence, _)| sentence.len()).sum::<usize>() <= long {
            return Ok(None);
        }
        let (sentences, facts) = summary::next_sentences(untold);
        subject.before = kept.map(|kept| kept.text).filter(|text| !text.is_empty());
        subject.sentences = sentences;
        subject.facts = known.into_iter().chain(facts).collect::<BTreeSet<_>>().into_iter().collect();
        Ok(Some(subject))
    }

    fn kept(&self, entity: EntityId, audience: &str) -> Result<Option<Kept>> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT text, facts FROM summary WHERE entity = ?1 AND audience = ?2")?;
        let found = statement.query_row(params![entity.0.as_bytes(), audience], |row| {
            let facts: Vec<u8> = row.get(1)?;
            let facts = facts.chunks_exact(16).filter_map(FactId::from_slice).collect();
            Ok(Kept { text: row.get(0)?, facts })
        });
        Ok(found.optional()?)
    }

    /// What models read about an entity that still holds, by audience.
    fn told_of(&self, entity: EntityId) -> Result<BTreeMap<Vec<LayerId>, Told>> {
        let mut statement = self.connection().prepare_cached(
            r#"SELECT DISTINCT fact.fact, support.chunk, support.sentence,
                    coalesce(support.valid_at, support.asserted_from, ''), node.node
             FROM node JOIN fact ON fact.subject = node.node OR fact.object = node.node
             JOIN support ON support.fact = fact.fact
             WHERE node.entity = ?1 AND fact.folded_into IS NULL AND fact.withdrawn = 0
               AND fact.extractor <> '"structural"' AND support.ended IS NULL AND support.sentence <> ''"#,
        )?;
        let said = collect(statement.query([entity.0.as_bytes()])?, |row| {
            let (fact, chunk) = (FactId::from_bytes(row.get(0)?), ChunkId::from_bytes(row.get(1)?));
            let node = NodeId::from_bytes(row.get(4)?);
            Ok((fact, chunk, row.get::<_, String>(2)?, row.get::<_, String>(3)?, node))
        })?;
        let mut audiences: BTreeMap<ChunkId, Vec<LayerId>> = BTreeMap::new();
        let mut told: BTreeMap<Vec<LayerId>, Told> = BTreeMap::new();
        for (fact, chunk, sentence, day, node) in said {
            let audience = match audiences.get(&chunk) {
                Some(known) => known.clone(),
                None => self.layers_before(&[chunk])?,
            };
            audiences.insert(chunk, audience.clone());
            let told = told.entry(audience).or_default();
            told.nodes.insert(node);
            told.sentences.entry((day, sentence)).or_default().insert(fact);
        }
        Ok(told)
    }

    /// What models tell of an entity, for each audience of whose facts all still hold.
    pub fn summaries_of(&self, entity: EntityId) -> Result<Vec<Summary>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT audience, text, facts FROM summary WHERE entity = ?1 AND text <> '' ORDER BY audience",
        )?;
        let kept = collect(statement.query([entity.0.as_bytes()])?, |row| {
            let (audience, facts): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
            let facts = facts.chunks_exact(16).filter_map(FactId::from_slice).collect();
            Ok(Summary { entity, audience: serde_json::from_str(&audience)?, text: row.get(1)?, facts })
        })?;
        if kept.is_empty() {
            return Ok(kept);
        }
        self.bring_facts_of(entity, usize::MAX)?;
        let told = self.told_of(entity)?;
        let holds = |summary: &Summary| {
            let held = told.get(&summary.audience).map(Told::facts).unwrap_or_default();
            summary.facts.iter().all(|fact| held.contains(fact))
        };
        let mut held: Vec<Summary> = kept.into_iter().filter(holds).collect();
        if self.has_viewer() {
            let all = std::mem::take(&mut held);
            for summary in all {
                if self.may_read(&summary)? {
                    held.push(summary);
                }
            }
        }
        Ok(held)
    }
}
