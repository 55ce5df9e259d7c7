//! Passages that answer a question alone or in pairs: what `knowledge::rank::pairs` is told, read from the indexes and
//! the graph. Reads only; what the viewer may not see is neither proposed nor walked through.

use super::near::Kind;
use super::{Query, Row};
use crate::error::Result;
use crate::state::State;
use crate::state::candidates::collect;
use knowledge::id::{EntityId, FactId, NodeId};
use knowledge::rank;
use knowledge::rank::pairs::{self, ANCHORS, COMMON, Cover, Link, PROPOSALS, Placed, Word};
use knowledge::time::stored;
use rusqlite::params;
use serde::Serialize;
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

/// Names that are looked for in the words of passages, for one anchor: a long list has thousands.
const NAMES_LOOKED_FOR: usize = 40;
/// Shorter names stand in many words.
const NAME_CHARS: usize = 3;
/// Longer names are descriptions: the same words in the same order stand nowhere else, and to look costs the postings
/// of every little word in them.
const NAME_WORDS: usize = 4;

/// That a chunk `c` with its episode `e` is text which the wiki said from `?2` to `?3`; without these, which it says.
/// What it said once, and what it only says about a page, must make no word and no name more common. `+` keeps SQLite
/// from walking through all chunks for each row.
const HOLDS: &str = "+c.form = '\"text\"' AND ((?2 IS NULL AND +e.ended IS NULL) OR
    (coalesce(e.valid_at, ?3) <= ?3 AND (e.ended IS NULL OR coalesce(e.end_at, e.noticed_at) > ?2)))";

/// Which passages a search may show; asked of many again and again.
struct Admitted<'a> {
    state: &'a State,
    query: &'a Query,
    known: BTreeMap<i64, bool>,
}

impl Admitted<'_> {
    fn is(&mut self, passage: i64) -> Result<bool> {
        if let Some(known) = self.known.get(&passage) {
            return Ok(*known);
        }
        let is = self.state.shows_passage(passage, self.query)?;
        self.known.insert(passage, is);
        Ok(is)
    }
}

impl State {
    /// The passages that answer, best first.
    pub(super) fn passages(&self, query: &Query) -> Result<Vec<Placed<Through>>> {
        let mut admitted = Admitted { state: self, query, known: BTreeMap::new() };
        let pages = self.count_pages_seen()?;
        let cover = self.cover(query, pages)?;
        let mut proposed = BTreeSet::new();
        let mut by_words = 0;
        for passage in cover.ranking() {
            if by_words == PROPOSALS {
                break;
            }
            if admitted.is(passage)? {
                by_words += 1;
                proposed.insert(passage);
            }
        }
        let mut near = BTreeMap::new();
        if let Some(question) = &query.vector {
            near.extend(self.nearest((Kind::Passage, question), PROPOSALS, |row| admitted.is(row))?);
            proposed.extend(near.keys().copied());
        }
        self.measure(&proposed, query, &mut near)?;
        let anchors = match query.without.graph {
            true => Vec::new(),
            false => best_alone(&proposed, (&cover, &near)),
        };
        let mut links = Vec::new();
        for anchor in anchors {
            for link in self.links(anchor, pages, query)? {
                if admitted.is(link.partner)? {
                    links.push(link);
                }
            }
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

    /// How many pages there are for whoever asks: what is rare is told by pages, since to count passages takes longer
    /// than to search.
    fn count_pages_seen(&self) -> Result<usize> {
        let pages = if self.has_viewer() { "temp.seen_page" } else { "main.page" };
        let mut statement = self.connection().prepare_cached(&format!("SELECT count(*) FROM {pages}"))?;
        Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs() as usize)
    }

    /// What each word of the question finds.
    fn cover(&self, query: &Query, pages: usize) -> Result<Cover> {
        let most = pairs::frequent(pages) + 1;
        let mut words = Vec::new();
        let terms = if query.without.words { Vec::new() } else { rank::terms(&query.text) };
        for term in terms {
            let word = rank::phrase(&term);
            let passages = self.passages_matching(&word, most, query)?;
            // What stands nearly everywhere is left out, unless nothing else is asked.
            let headings = match passages.len() < most {
                true => self.passages_matching(&format!("path : {word}"), most, query)?,
                false => BTreeSet::new(),
            };
            words.push(Word { passages, headings });
        }
        Ok(Cover::of(&words, pages))
    }

    /// The passages that match an expression and hold at the asked time, at most so many.
    fn passages_matching(&self, expression: &str, most: usize, query: &Query) -> Result<BTreeSet<i64>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT rowid FROM chunk_text WHERE chunk_text MATCH ?1 AND EXISTS (
                 SELECT 1 FROM chunk c JOIN episode e ON e.chunk = c.chunk
                 WHERE c.row = chunk_text.rowid AND {HOLDS}) LIMIT ?4"
        ))?;
        let (from, to) = query.said_between();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let found = statement.query(params![expression, from.map(stored), to.map(stored), most])?;
        Ok(collect(found, |row| Ok(row.get(0)?))?.into_iter().collect())
    }

    /// Where the entities of a passage lead: to the passages that speak of them, and to those that have their names in
    /// their words. Of several that lead to one passage the most telling counts.
    fn links(&self, anchor: i64, pages: usize, query: &Query) -> Result<Vec<Link<Through>>> {
        let mut best: BTreeMap<i64, Link<Through>> = BTreeMap::new();
        for (at, through) in self.entities_of_passage(anchor)?.into_iter().enumerate() {
            let mut passages = self.passages_of(through.entity, query)?;
            let name = rank::terms(&through.name);
            let words = through.name.split_whitespace().count();
            let is_name = words <= NAME_WORDS && through.name.chars().count() >= NAME_CHARS;
            if at < NAMES_LOOKED_FOR && is_name && passages.len() <= COMMON {
                passages.extend(self.passages_with_name(&name, (&through.name, query))?);
            }
            if !(2..=COMMON).contains(&passages.len()) {
                continue;
            }
            let telling = pairs::telling(passages.len(), pages);
            for partner in passages.into_iter().filter(|partner| *partner != anchor) {
                if best.get(&partner).is_none_or(|known| telling > known.telling) {
                    let through = through.clone();
                    best.insert(partner, Link { anchor, partner, through, telling });
                }
            }
        }
        Ok(best.into_values().collect())
    }

    /// The entities a passage speaks of, in the order of their ids.
    fn entities_of_passage(&self, passage: i64) -> Result<Vec<Through>> {
        let mut mentioned = self.connection().prepare_cached(
            "SELECT m.node FROM chunk c JOIN mention m USING (chunk) WHERE c.row = ?1 ORDER BY m.node",
        )?;
        let nodes = collect(mentioned.query([passage])?, |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
        self.bring_nodes(&nodes)?;
        let mut statement = self.connection().prepare_cached(
            "SELECT e.entity, e.name FROM node n JOIN entity e ON e.entity = n.entity WHERE n.node = ?1",
        )?;
        let mut entities = BTreeMap::new();
        for node in nodes {
            let found = statement.query([node.as_bytes()])?;
            entities.extend(collect(found, |row| Ok((NodeId::from_bytes(row.get(0)?), row.get(1)?)))?);
        }
        Ok(entities.into_iter().map(|(id, name)| Through { entity: EntityId(id), name }).collect())
    }

    /// The passages that speak of an entity, one more than counts at most.
    fn passages_of(&self, entity: EntityId, query: &Query) -> Result<BTreeSet<i64>> {
        let mut statement = self.connection().prepare_cached(&format!(
            "SELECT DISTINCT c.row FROM node n JOIN mention m ON m.node = n.node JOIN chunk c ON c.chunk = m.chunk
             JOIN episode e ON e.chunk = c.chunk WHERE n.entity = ?1 AND {HOLDS} LIMIT ?4"
        ))?;
        let (from, to) = query.said_between();
        let most = COMMON as i64 + 1;
        let found = statement.query(params![entity.0.as_bytes(), from.map(stored), to.map(stored), most])?;
        Ok(collect(found, |row| Ok(row.get(0)?))?.into_iter().collect())
    }

    /// The passages that have a name in their words, one more than counts at most; none for a name of everyday words.
    fn passages_with_name(&self, terms: &[String], (name, query): (&str, &Query)) -> Result<BTreeSet<i64>> {
        if terms.is_empty() || rank::is_idle(terms) {
            return Ok(BTreeSet::new());
        }
        self.passages_matching(&rank::phrase(name), COMMON + 1, query)
    }

    /// Facts that stand on these passages, best passage first; in a passage those first that are nearest to the
    /// question.
    pub(super) fn facts_on(&self, placed: &[Placed<Through>], query: &Query) -> Result<Vec<Row>> {
        let mut ranked: Vec<(f64, i64)> = Vec::new();
        for placed in placed {
            for row in self.facts_shown_on(placed.passage)? {
                let near = match &query.vector {
                    Some(question) if self.reads_as_all_do(row)? => self.cosine(Kind::Fact, row, question)?,
                    _ => None,
                };
                ranked.push((placed.worth + near.unwrap_or(0.0), row));
            }
        }
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let mut seen = BTreeSet::new();
        Ok(ranked.into_iter().filter(|(_, row)| seen.insert(*row)).map(|(_, row)| Row::Fact(row)).collect())
    }

    /// The rows of the facts that stand on a passage and are shown by themselves.
    fn facts_shown_on(&self, passage: i64) -> Result<Vec<i64>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT s.fact FROM chunk c JOIN support s USING (chunk) WHERE c.row = ?1 ORDER BY s.fact",
        )?;
        let facts = collect(statement.query([passage])?, |row| Ok(FactId::from_bytes(row.get(0)?)))?;
        self.bring_facts(&facts)?;
        let mut shown = self.connection().prepare_cached(
            "SELECT DISTINCT shown.row FROM chunk c JOIN support s USING (chunk) JOIN fact f ON f.fact = s.fact
             JOIN fact shown ON shown.fact = coalesce(f.folded_into, f.fact) WHERE c.row = ?1 ORDER BY shown.fact",
        )?;
        collect(shown.query([passage])?, |row| Ok(row.get(0)?))
    }
}

fn best_alone(proposed: &BTreeSet<i64>, (cover, near): (&Cover, &BTreeMap<i64, f64>)) -> Vec<i64> {
    let worth = |passage: i64| pairs::alone(near.get(&passage).copied().unwrap_or(0.0), cover.by(passage));
    let mut ranked: Vec<(f64, i64)> = proposed.iter().map(|passage| (worth(*passage), *passage)).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    ranked.into_iter().take(ANCHORS).map(|(_, passage)| passage).collect()
}
