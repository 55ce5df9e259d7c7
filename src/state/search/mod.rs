//! Finding: words, meaning and the graph, over facts, entities and passages, fused into one ranking. Reads only.
//!
//! `scope.rs` says which rows are looked through, by what `grounds.rs` has in memory; `passages.rs` finds passages that
//! answer alone or together, `words.rs` facts and names, `near.rs` texts that mean nearly the same, `shown.rs` says
//! what holds, `filter.rs` what is wanted. Invariant: what is returned holds at the asked time on the asked clock, and
//! may be seen by whoever asks; the indexes only propose.

mod filter;
mod grounds;
mod kin;
mod lengths;
mod near;
mod passages;
mod scope;
mod shown;
mod view;
mod words;

pub use filter::{Filter, Reader, Sort};
pub use near::Recalled;
pub use passages::Through;
pub(in crate::state) use view::View;

use super::State;
use super::candidates::collect;
use super::look::{ChunkCard, EntityCard, Source, Statement};
use crate::embedders::Quantised;
use crate::error::Result;
use grounds::RowNumber;
use knowledge::id::{ChunkId, EntityId};
use knowledge::rank;
use knowledge::rank::pairs::{Placed, Weights};
use knowledge::time::Timestamp;
use near::Kind;
use passages::Asked;
use scope::Scope;
use serde::Serialize;
use std::collections::BTreeSet;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The question, in the user's words.
    pub text: String,
    /// Its vector, with the name of the model that made it: it is compared with vectors of that model only.
    pub vector: Option<(String, Quantised)>,
    /// Only what was true in the world then.
    pub as_of: Option<Timestamp>,
    /// Only what was true in the world at some time between these.
    pub between: Option<(Timestamp, Timestamp)>,
    /// Only what the wiki said then.
    pub wiki_at: Option<Timestamp>,
    /// How like the question a text must be that is found by its meaning, where no word of the question stands
    /// anywhere: what has nothing to do with it is like it to some degree.
    pub least: Option<f64>,
    /// The time now: without an asked time, what has ended by now does not hold.
    pub now: Option<Timestamp>,
    /// How many results.
    pub limit: usize,
    /// What they may be about.
    pub filter: Filter,
    /// Say of each result why it was found.
    pub explain: bool,
    /// What passages are not looked for by: for measuring what each part gives.
    pub without: Without,
    /// What counts how much among passages: as it is, but for measuring.
    pub weights: Weights,
}

/// Parts that are left out; meaning is left out with the vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// The question's words.
    pub words: bool,
    /// What passages share: each answers alone.
    pub graph: bool,
}

impl Query {
    /// The stretch of time that is asked about in the world; none for now.
    fn when(&self) -> Option<(Timestamp, Timestamp)> {
        self.between.or(self.as_of.map(|at| (at, at)))
    }

    fn is_like(&self, near: f64) -> bool {
        self.least.is_none_or(|least| near >= least)
    }

    /// The stretch of time in which the wiki must have said a passage; none for now.
    fn said_between(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        self.wiki_at.map(|at| (at, at)).or(self.when()).unzip()
    }
}

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Hit {
    /// The fused score; only its order means anything.
    pub score: f64,
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
    /// Why it was found, where that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<Reason>,
}

/// Why something was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Reason {
    /// What proposed it.
    pub by: Way,
    /// At which place of its ranking, from 1.
    pub place: usize,
    /// The passage that answers and that it stands on, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passage: Option<Place>,
    /// The passage that this one answers with, where two passages answer together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
}

/// How a passage was reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Path {
    /// The passage that fits the question by itself.
    pub from: Place,
    /// The entity that both speak of.
    pub through: Through,
    /// The passage that this entity leads to.
    pub to: Place,
}

/// A passage by its id and its headings.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
pub struct Place {
    /// The chunk.
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    pub chunk: ChunkId,
    /// The page title and the headings.
    pub headings: Vec<String>,
}

/// What proposes results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The question's words.
    Words,
    /// What the question means.
    Meaning,
    /// Words, meaning and the graph together, of passages that answer alone or in pairs.
    Passages,
    /// It stands on a passage that answers.
    Answering,
}

/// One ranking of many.
struct Ranking {
    way: Way,
    sort: Sort,
    weight: f64,
    rows: Vec<Row>,
    /// Of each fact that was found by a passage, the place of that one among all.
    on: Vec<usize>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A fact with the sentence that answers, and where it stands.
    Fact {
        /// The fact.
        #[serde(flatten)]
        statement: Statement,
        /// What it stands on at the asked time, best first.
        sources: Vec<Source>,
    },
    /// An entity.
    Entity {
        /// The entity.
        #[serde(flatten)]
        card: EntityCard,
        /// Facts that hold and name it; no more than a hundred are counted.
        facts: u32,
    },
    /// A passage.
    Passage {
        /// The chunk.
        #[serde(flatten)]
        chunk: ChunkCard,
        /// The page.
        page: String,
        /// The first version that has it.
        version: u32,
        /// Where a browser finds the page.
        link: Option<String>,
    },
}

/// A row of one of the three indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Fact(i64),
    Node(i64),
    Chunk(i64),
}

/// Rows that each ranking proposes, or as many as are asked for: up to here the order does not hang on how many that
/// is.
const PROPOSALS: usize = 40;
/// Names that are looked at for one that the question holds whole: such a one is among the first.
const NAMES: usize = 8;
/// Of these, those that are looked at for one that the question is and nothing else: it comes before all results.
const ALONE: usize = 3;
/// Passages whose facts are results as well.
const ANSWERING: usize = 10;

/// What the rankings of facts count beside each other, and the constant by which they are fused: a small one, since
/// what is first by its words or its meaning is what was asked for more often than what is somewhere in all of them
/// (docs/benchmarks.md). Whoever writes the words of a fact wants that one. That a fact stands on a passage which
/// answers says little about it among the others there.
const BY_WORDS: f64 = 1.2;
const BY_MEANING: f64 = 1.0;
const BY_PASSAGE: f64 = 0.1;
const WITHIN: f64 = 3.0;
/// How often each sort comes up in what is shown: of eight results some four are facts, and three are passages.
const OF_FACTS: f64 = 1.0;
const OF_ENTITIES: f64 = 0.5;
const OF_PASSAGES: f64 = 0.75;
const BETWEEN: f64 = 0.0;

/// Whoever wants to know what a search is at: told of each part as it begins.
pub type Watch<'a> = &'a mut dyn FnMut(Part);

/// The parts of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Which rows may be seen and are wanted.
    Scope,
    /// The indexes of words, of passages, facts and names.
    Words,
    /// Vectors near the question's.
    Meaning,
    /// From passages to passages through what they speak of, and to the facts that stand on them.
    Graph,
    /// What is found, as it is shown.
    Results,
}

impl State {
    /// Searches. Without a vector, or before vectors are filled, words and the graph decide.
    pub fn search(&self, query: &Query) -> Result<Vec<Hit>> {
        self.search_watched(query, &mut |_| {})
    }

    /// The same, telling of each part as it begins.
    pub fn search_watched(&self, query: &Query, watch: Watch<'_>) -> Result<Vec<Hit>> {
        watch(Part::Scope);
        // A viewer's state is of one moment already.
        let is_of_a_moment = self.has_viewer() || !self.connection().is_autocommit();
        let _moment = if is_of_a_moment { None } else { Some(self.reading()?) };
        self.forget()?;
        let scope = self.scope(query)?;
        watch(Part::Words);
        let asked = self.words_asked(query, &scope)?;
        let is_unheard = asked.iter().all(|asked| asked.seen.is_empty());
        let query = &Query { least: query.least.filter(|_| is_unheard), ..query.clone() };
        let passages = self.passages(query, (&asked, &scope), watch)?;
        let rankings = self.rankings((query, &scope), (&asked, &passages), watch)?;
        watch(Part::Results);
        let named = rank::terms(&query.text);
        let mut hits: Vec<Hit> = Vec::new();
        let (mut seen, mut names, mut first) = (BTreeSet::new(), 0, 0);
        for (row, score) in mixed(&rankings, &scope) {
            let is_name = row.sort() == Sort::Entities;
            if hits.len() >= query.limit && !(is_name && names < ALONE) {
                continue;
            }
            if query.filter.wants(row.sort())
                && let Some((identity, found)) = self.show(row, (query, &scope))?
                && seen.insert(identity)
            {
                names += usize::from(is_name);
                if !query.filter.wants_only(Sort::Entities) && !found.is_asked_for(&named) {
                    continue;
                }
                let why = if query.explain { self.why(row, &rankings, &passages)? } else { Vec::new() };
                let is_it = names <= ALONE && found.is_named_alone(&named);
                let (place, more) = if is_it { (first, OF_FACTS) } else { (hits.len(), 0.0) };
                hits.insert(place, Hit { score: score + more, found, why });
                first += usize::from(is_it);
            }
        }
        hits.truncate(query.limit);
        Ok(hits)
    }

    fn rankings(
        &self,
        (query, scope): (&Query, &Scope),
        (asked, passages): (&[Asked], &[Placed<EntityId>]),
        watch: Watch<'_>,
    ) -> Result<Vec<Ranking>> {
        let mut rankings = Vec::new();
        let wanted = PROPOSALS.max(query.limit);
        let (facts, entities) = (query.filter.wants(Sort::Facts), query.filter.wants(Sort::Entities));
        let admits = |row: RowNumber| self.admits_fact(row, (query, scope));
        watch(Part::Words);
        if facts {
            let rows = self.facts_by_words(asked, (scope, wanted), &admits)?;
            rankings.push(Ranking::new(Way::Words, Sort::Facts, BY_WORDS, rows));
        }
        if entities {
            let admits = |row: RowNumber| self.admits_node(row, (query, scope));
            let wanted = if query.filter.wants_only(Sort::Entities) { wanted } else { NAMES };
            let rows = self.nodes_by_words(asked, (scope, wanted), &admits)?;
            rankings.push(Ranking::new(Way::Words, Sort::Entities, 1.0, rows));
        }
        if facts {
            watch(Part::Meaning);
            rankings.extend(self.by_meaning((query, scope), wanted, &admits)?);
            watch(Part::Graph);
            let answering = &passages[..passages.len().min(ANSWERING)];
            let (rows, on) = self.facts_on(answering, (query, scope))?.into_iter().unzip();
            let ranking = Ranking::new(Way::Answering, Sort::Facts, BY_PASSAGE, rows);
            rankings.push(Ranking { on, ..ranking });
        }
        let rows = passages.iter().map(|placed| Row::Chunk(placed.passage)).collect();
        rankings.push(Ranking::new(Way::Passages, Sort::Passages, 1.0, rows));
        Ok(rankings)
    }

    /// Facts whose statements mean nearly what is asked.
    fn by_meaning(
        &self,
        (query, scope): (&Query, &Scope),
        wanted: usize,
        admits: &dyn Fn(RowNumber) -> Result<bool>,
    ) -> Result<Option<Ranking>> {
        let Some(question) = &query.vector else { return Ok(None) };
        let found = self.nearest((Kind::Fact, question), wanted, |at| {
            let Ok(row) = RowNumber::try_from(at) else { return Ok(false) };
            // Others may be folded into what he reads than are for all, so what stands on what is looked at anew.
            let reads = match scope.is_as_all_see(row) {
                true => scope.wants_fact(row),
                false => {
                    scope.sees_any_of(row)
                        && self.reads_as_all_do(at)?
                        && self.fact_stands_as_seen(row, scope)?
                }
            };
            Ok(reads && admits(row)?)
        })?;
        let mut found: Vec<(f64, [u8; 16], Row)> = (found.into_iter())
            .filter(|(_, near)| query.is_like(*near))
            .map(|(row, near)| (near, scope.id_of(Row::Fact(row)), Row::Fact(row)))
            .collect();
        found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let rows = found.into_iter().take(wanted).map(|(_, _, row)| row).collect();
        Ok(Some(Ranking::new(Way::Meaning, Sort::Facts, BY_MEANING, rows)))
    }

    /// Where a row stands in each ranking, and how a passage was reached.
    fn why(&self, row: Row, rankings: &[Ranking], passages: &[Placed<EntityId>]) -> Result<Vec<Reason>> {
        let mut reasons = Vec::new();
        for ranking in rankings {
            let Some(at) = ranking.rows.iter().position(|ranked| *ranked == row) else { continue };
            let placed = match ranking.way {
                Way::Passages => passages.get(at),
                Way::Answering => ranking.on.get(at).and_then(|on| passages.get(*on)),
                Way::Words | Way::Meaning => None,
            };
            let passage = match placed.filter(|_| ranking.way == Way::Answering) {
                Some(placed) => self.place(placed.passage)?,
                None => None,
            };
            let path = match placed.and_then(|placed| placed.pair.as_ref()) {
                Some(link) => self.path_of(link)?,
                None => None,
            };
            reasons.push(Reason { by: ranking.way, place: at + 1, passage, path });
        }
        Ok(reasons)
    }

    fn path_of(&self, link: &rank::pairs::Link<EntityId>) -> Result<Option<Path>> {
        let (from, to) = (self.place(link.anchor)?, self.place(link.partner)?);
        let name = self.entity_of(link.through.0)?.map(|card| card.name).unwrap_or_default();
        let through = Through { entity: link.through, name };
        Ok(from.zip(to).map(|(from, to)| Path { from, through, to }))
    }

    fn place(&self, row: i64) -> Result<Option<Place>> {
        let mut statement =
            self.connection().prepare_cached("SELECT chunk, path FROM chunk WHERE row = ?1")?;
        let found = collect(statement.query([row])?, |row| {
            Ok((ChunkId::from_bytes(row.get(0)?), row.get::<_, String>(1)?))
        })?;
        found
            .into_iter()
            .next()
            .map(|(chunk, path)| Ok(Place { chunk, headings: serde_json::from_str(&path)? }))
            .transpose()
    }
}

/// All rows in one order: those of each sort by their rankings, and the sorts beside each other by place.
fn mixed(rankings: &[Ranking], scope: &Scope) -> Vec<(Row, f64)> {
    let keyed = |row: &Row| (row.sort(), scope.id_of(*row), *row);
    let of = |sort: Sort| -> Vec<(Sort, [u8; 16], Row)> {
        let rankings = rankings.iter().filter(|ranking| ranking.sort == sort);
        let lists: Vec<_> =
            rankings.map(|ranking| (ranking.weight, ranking.rows.iter().map(keyed).collect())).collect();
        rank::fuse(&lists, WITHIN).into_iter().map(|(keyed, _)| keyed).collect()
    };
    let sorts =
        [(OF_FACTS, of(Sort::Facts)), (OF_ENTITIES, of(Sort::Entities)), (OF_PASSAGES, of(Sort::Passages))];
    rank::fuse(&sorts, BETWEEN).into_iter().map(|((_, _, row), score)| (row, score)).collect()
}

impl Ranking {
    fn new(way: Way, sort: Sort, weight: f64, rows: Vec<Row>) -> Self {
        Ranking { way, sort, weight, rows, on: Vec::new() }
    }
}

impl Found {
    /// Whether an entity has a name that the question holds whole: a part of one is no sign that it is asked for. Facts
    /// and passages are results for what they say.
    fn is_asked_for(&self, words: &[String]) -> bool {
        let Found::Entity { card, .. } = self else { return true };
        card.names().any(|name| rank::holds(words, name))
    }

    /// Whether the question is nothing but a name of this entity: then it is what was asked for.
    fn is_named_alone(&self, words: &[String]) -> bool {
        let Found::Entity { card, .. } = self else { return false };
        let is_all = |name: &str| {
            let terms = rank::terms(name);
            rank::holds(words, name) && words.iter().all(|word| terms.contains(word))
        };
        card.names().any(is_all)
    }
}

impl Row {
    fn sort(self) -> Sort {
        match self {
            Row::Fact(_) => Sort::Facts,
            Row::Node(_) => Sort::Entities,
            Row::Chunk(_) => Sort::Passages,
        }
    }
}
