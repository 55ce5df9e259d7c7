//! Passages that answer a question alone or in pairs: what `knowledge::rank::pairs` is told, read from the indexes and
//! the graph. Reads only; what the viewer may not see is neither proposed nor walked through.

use super::grounds::RowNumber;
use super::near::Kind;
use super::scope::Scope;
use super::{Part, Query, Row, Watch};
use crate::error::Result;
use crate::state::State;
use crate::state::candidates::collect;
use knowledge::id::{EntityId, FactId, NodeId};
use knowledge::rank;
use knowledge::rank::pairs::{self, ANCHORS, COMMON, Cover, Link, PROPOSALS, Placed, Word};
use knowledge::resolve::normalise;
use rusqlite::OptionalExtension;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// An entity that two passages share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Through {
    /// Its id.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub entity: EntityId,
    /// Its name.
    pub name: String,
}

/// Names that are looked for in the words of passages, for one anchor: a long list has thousands, and each costs a
/// search.
const NAMES_LOOKED_FOR: usize = 12;
/// Shorter names stand in many words.
const NAME_CHARS: usize = 3;
/// Longer names are descriptions: the same words in the same order stand nowhere else, and to look costs the postings
/// of every little word in them.
const NAME_WORDS: usize = 4;
/// Passages that are noted for one word beside those that count: what it stands in more of is common.
const NOTED: usize = 5_000;

/// A word of the question, with where it stands.
pub(super) struct Asked {
    pub term: String,
    /// In the passages that count and are wanted.
    word: Word,
    /// In these, of whatever form and time, as far as whoever looks may see them; sorted.
    pub seen: Vec<RowNumber>,
    /// Whether these are all: of a common word only the first are noted.
    is_whole: bool,
}

impl Asked {
    /// Whether the word may stand in a passage that is seen.
    pub fn may_stand_in(&self, passage: RowNumber) -> bool {
        !self.is_whole || self.seen.binary_search(&passage).is_ok()
    }
}

/// An entity with its name.
type Titled = (EntityId, String);

/// What was looked up of entities in one search: the anchors of a question speak of the same ones.
type Reach = BTreeMap<EntityId, BTreeSet<RowNumber>>;

/// An entity of a passage, with its names and where it leads to.
struct Bridge {
    entity: EntityId,
    name: String,
    passages: BTreeSet<RowNumber>,
}

impl State {
    /// The words of a question and where they stand.
    pub(super) fn words_asked(&self, query: &Query, scope: &Scope) -> Result<Vec<Asked>> {
        let most = pairs::frequent(scope.passages());
        let mut asked = Vec::new();
        for term in rank::terms(&query.text) {
            let phrase = rank::phrase(&term);
            let (mut word, seen) = self.word(&phrase, most, scope)?;
            // What stands nearly everywhere is left out, unless nothing else is asked.
            if word.among <= most {
                word.headings = self.word(&format!("path : {phrase}"), most, scope)?.0.passages;
            }
            let is_whole = seen.len() < NOTED && word.among <= most;
            asked.push(Asked { term, word, seen, is_whole });
        }
        Ok(asked)
    }

    /// Where an expression stands: in which passages that count and are wanted, among how many that count, and in which
    /// that are seen. More than `most` are not counted, and no more are noted.
    fn word(&self, expression: &str, most: usize, scope: &Scope) -> Result<(Word, Vec<RowNumber>)> {
        let (mut word, mut seen) = (Word::default(), Vec::new());
        self.each_passage(expression, |row| {
            if seen.len() < NOTED && scope.sees(row) {
                seen.push(row);
            }
            if scope.counts(row) {
                word.among += 1;
                if scope.shows(row) && word.passages.len() <= most {
                    word.passages.insert(i64::from(row));
                }
            }
            // A narrow filter wants what stands behind many others.
            word.among <= most || (scope.is_narrow() && word.passages.len() <= most)
        })?;
        Ok((word, seen))
    }

    /// Goes through the passages that match an expression, in the order of their rows, until told to stop.
    fn each_passage(&self, expression: &str, mut take: impl FnMut(RowNumber) -> bool) -> Result<()> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT rowid FROM main.chunk_text WHERE chunk_text MATCH ?1")?;
        let mut rows = statement.query([expression])?;
        while let Some(row) = rows.next()? {
            if !take(RowNumber::try_from(row.get::<_, i64>(0)?).unwrap_or_default()) {
                break;
            }
        }
        Ok(())
    }

    /// The passages that answer, best first.
    pub(super) fn passages(
        &self,
        query: &Query,
        (asked, scope): (&[Asked], &Scope),
        watch: Watch<'_>,
    ) -> Result<Vec<Placed<EntityId>>> {
        let passages = scope.passages();
        let words: Vec<Word> = match query.without.words {
            true => Vec::new(),
            false => asked.iter().map(|asked| asked.word.clone()).collect(),
        };
        let cover = Cover::of(&words, passages, query.weights);
        let mut proposed: BTreeSet<i64> = cover.ranking().into_iter().take(PROPOSALS).collect();
        watch(Part::Meaning);
        let mut near = BTreeMap::new();
        if let Some(question) = &query.vector {
            let shows = |row: i64| Ok(RowNumber::try_from(row).is_ok_and(|row| scope.shows(row)));
            let found = self.nearest((Kind::Passage, question), PROPOSALS, shows)?;
            near.extend(found.into_iter().take(PROPOSALS).filter(|(_, near)| query.is_like(*near)));
            proposed.extend(near.keys().copied());
        }
        self.measure(&proposed, query, &mut near)?;
        watch(Part::Graph);
        let anchors = match query.without.graph {
            true => Vec::new(),
            false => best_alone(&proposed, (&cover, &near)),
        };
        let (mut links, mut reach) = (Vec::new(), Reach::new());
        for anchor in anchors {
            links.extend(self.links(anchor, scope, &mut reach)?);
        }
        let partners: BTreeSet<i64> = links.iter().map(|link| link.partner).collect();
        self.measure(&partners, query, &mut near)?;
        let proposed: Vec<i64> = proposed.into_iter().collect();
        Ok(pairs::rank_pairs(&proposed, &links, (&cover, &near)))
    }

    /// The cosines of these passages with the question, where they are not known yet.
    fn measure(&self, passages: &BTreeSet<i64>, query: &Query, near: &mut BTreeMap<i64, f64>) -> Result<()> {
        let Some(question) = &query.vector else { return Ok(()) };
        for passage in passages {
            if !near.contains_key(passage)
                && let Some(cosine) = self.cosine(Kind::Passage, *passage, question)?
            {
                near.insert(*passage, cosine);
            }
        }
        Ok(())
    }

    /// Where the entities of a passage lead: to the passages that speak of them, and to those that have their names in
    /// their words. Of several that lead to one passage the most telling counts.
    fn links(&self, anchor: i64, scope: &Scope, reach: &mut Reach) -> Result<Vec<Link<EntityId>>> {
        let mut best: BTreeMap<i64, Link<EntityId>> = BTreeMap::new();
        for (entity, passages) in self.reached_from(anchor, scope, reach)? {
            if !(2..=COMMON).contains(&passages.len()) {
                continue;
            }
            let telling = pairs::telling(passages.len(), scope.passages());
            let partners = passages.into_iter().filter(|partner| scope.shows(*partner)).map(i64::from);
            for partner in partners.filter(|partner| *partner != anchor) {
                if best.get(&partner).is_none_or(|known| telling > known.telling) {
                    best.insert(partner, Link { anchor, partner, through: entity, telling });
                }
            }
        }
        Ok(best.into_values().collect())
    }

    /// The entities of a passage with the passages each leads to. Names are looked for of those that most passages
    /// speak of, as long as these are few enough to tell anything.
    fn reached_from(
        &self,
        anchor: i64,
        scope: &Scope,
        reach: &mut Reach,
    ) -> Result<Vec<(EntityId, BTreeSet<RowNumber>)>> {
        let mut all = self.entities_of_passage(anchor, scope)?;
        all.retain(|named| named.passages.len() <= COMMON);
        // How a name is written may be seen from pages that are hidden, where that makes no difference to its words.
        all.sort_by_cached_key(|named| (Reverse(named.passages.len()), normalise(&named.name), named.entity));
        let mut found = Vec::with_capacity(all.len());
        for (at, named) in all.into_iter().enumerate() {
            let Bridge { entity, name, mut passages } = named;
            if let Some(known) = reach.get(&entity) {
                passages.clone_from(known);
            } else if at < NAMES_LOOKED_FOR {
                passages.extend(self.passages_with_name(&name, scope)?);
                reach.insert(entity, passages.clone());
            }
            found.push((entity, passages));
        }
        found.sort_by_key(|(entity, _)| *entity);
        Ok(found)
    }

    /// The entities a passage speaks of, each once.
    fn entities_of_passage(&self, anchor: i64, scope: &Scope) -> Result<Vec<Bridge>> {
        let anchor = RowNumber::try_from(anchor).unwrap_or_default();
        let mut found: BTreeMap<EntityId, Bridge> = BTreeMap::new();
        for row in scope.grounds.speaks(anchor) {
            let Some(node) = scope.grounds.node(*row) else { continue };
            let is_own = node.kin.is_none() && scope.is_called_as_all_see(*row);
            let (named, members) = match is_own {
                true if scope.is_live(*row) => {
                    (Some((EntityId(node.id), self.name_of_all(*row)?)), vec![*row])
                }
                true => (None, Vec::new()),
                false => self.entity_with_members(node.id, scope.is_named_as_all_see(*row))?,
            };
            let Some((entity, name)) = named.filter(|(entity, _)| !found.contains_key(entity)) else {
                continue;
            };
            let spoken = members.iter().flat_map(|member| scope.spoken(*member));
            let mut passages = BTreeSet::new();
            for passage in spoken {
                passages.insert(passage);
                if passages.len() > COMMON {
                    break;
                }
            }
            found.insert(entity, Bridge { entity, name, passages });
        }
        Ok(found.into_values().collect())
    }

    /// The name of an entity that is one name alone, as everybody has it.
    fn name_of_all(&self, row: RowNumber) -> Result<String> {
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(e.name, n.name) FROM main.node n LEFT JOIN main.entity e ON e.entity = n.entity
             WHERE n.row = ?1",
        )?;
        Ok(statement.query_row([row], |row| row.get(0))?)
    }

    /// The entity of a name as whoever looks sees it, with all its names: read as all see it where that is the same.
    fn entity_with_members(
        &self,
        node: NodeId,
        is_as_all_see: bool,
    ) -> Result<(Option<Titled>, Vec<RowNumber>)> {
        let whose = match self.has_viewer() && !is_as_all_see {
            true => "temp",
            false => "main",
        };
        if !is_as_all_see {
            self.place_nodes(&[node])?;
        }
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT e.entity, e.name FROM {whose}.node n JOIN {whose}.entity e ON e.entity = n.entity
             WHERE n.node = ?1"
        ))?;
        let read = |row: &rusqlite::Row<'_>| Ok((EntityId(NodeId::from_bytes(row.get(0)?)), row.get(1)?));
        let found = statement.query_row([node.as_bytes()], read).optional()?;
        let Some((entity, name)) = found else { return Ok((None, Vec::new())) };
        let mut statement =
            self.connection().prepare_cached(&format!("SELECT row FROM {whose}.node WHERE entity = ?1"))?;
        let members = collect(statement.query([entity.0.as_bytes()])?, |row| Ok(row.get(0)?))?;
        Ok((Some((entity, name)), members))
    }

    /// The passages that count and have a name in their words, one more than counts at most; none for a name of
    /// everyday words, and none for a description.
    fn passages_with_name(&self, name: &str, scope: &Scope) -> Result<Vec<RowNumber>> {
        let terms = rank::terms(name);
        // By its normal form: how it is written may be seen from pages that are hidden.
        let normal = normalise(name);
        let words = normal.split_whitespace().count();
        let is_name = words <= NAME_WORDS && normal.chars().count() >= NAME_CHARS;
        let mut found = Vec::new();
        if !is_name || terms.is_empty() || rank::is_idle(&terms) {
            return Ok(found);
        }
        self.each_passage(&rank::phrase(name), |row| {
            if scope.counts(row) {
                found.push(row);
            }
            found.len() <= COMMON
        })?;
        Ok(found)
    }

    /// Facts that stand on these passages, each with the place of its passage, best passage first; in a passage those
    /// first that are nearest to the question.
    pub(super) fn facts_on(
        &self,
        placed: &[Placed<EntityId>],
        (query, scope): (&Query, &Scope),
    ) -> Result<Vec<(Row, usize)>> {
        let mut ranked: Vec<(f64, FactId, RowNumber, usize)> = Vec::new();
        for (at_passage, placed) in placed.iter().enumerate() {
            for row in self.facts_shown_on(placed.passage, scope)? {
                let at = i64::from(row);
                let near = match &query.vector {
                    Some(question) if scope.is_as_all_see(row) || self.reads_as_all_do(at)? => {
                        self.cosine(Kind::Fact, at, question)?
                    }
                    _ => None,
                };
                let Some(held) = scope.grounds.fact(row) else { continue };
                ranked.push((placed.worth + near.unwrap_or(0.0), held.id, row, at_passage));
            }
        }
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let mut seen = BTreeSet::new();
        let first = ranked.into_iter().filter(|(_, _, row, _)| seen.insert(*row));
        Ok(first.map(|(_, _, row, on)| (Row::Fact(i64::from(row)), on)).collect())
    }

    /// The rows of the facts that stand on a passage, or of what is shown in their places.
    fn facts_shown_on(&self, passage: i64, scope: &Scope) -> Result<BTreeSet<RowNumber>> {
        let mut shown = BTreeSet::new();
        let passage = RowNumber::try_from(passage).unwrap_or_default();
        for row in scope.grounds.told(passage) {
            let Some(held) = scope.grounds.fact(*row) else { continue };
            if !self.has_viewer() {
                shown.insert(held.shown);
            } else if scope.is_as_all_see(*row) {
                shown.insert(*row);
            } else {
                self.bring_facts(&[held.id])?;
                let mut statement = self.connection().prepare_cached(
                    "SELECT shown.row FROM fact f JOIN fact shown ON shown.fact = coalesce(f.folded_into, f.fact)
                     WHERE f.fact = ?1",
                )?;
                let found = statement.query([held.id.as_bytes()])?;
                shown.extend(collect(found, |row| Ok(row.get::<_, RowNumber>(0)?))?);
            }
        }
        Ok(shown)
    }
}

fn best_alone(proposed: &BTreeSet<i64>, (cover, near): (&Cover, &BTreeMap<i64, f64>)) -> Vec<i64> {
    let worth = |passage: i64| cover.alone(passage, near.get(&passage).copied().unwrap_or(0.0));
    let mut ranked: Vec<(f64, i64)> = proposed.iter().map(|passage| (worth(*passage), *passage)).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    ranked.into_iter().take(ANCHORS).map(|(_, passage)| passage).collect()
}
