//! What people and assistants ask of the graph: a search, or a name to be shown. Here is what may be
//! asked, how the state is opened for it, and what is found; both ways in (`cli`, `serve`) take it from here. It must
//! not know who asks, nor how an answer is carried to him.
//!
//! Invariant: an answer comes from a state as the user may see it for whom the settings say that it is looked at.

mod words;

pub use words::{clip, one_line, say_community, say_hits, say_portrait, say_shown, span};

use crate::embedders::builtin::{Builtin, UNLIKE};
use crate::embedders::{Embedder, Purpose, Quantised};
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::state::State;
use crate::state::communities::CommunityCard;
use crate::state::look::{ChunkCard, EntityCard, PageCard, Source, Statement};
use crate::state::search::{Filter, Hit, Query, Reader, Recalled, Sort};
use crate::state::why::Link;
use crate::wire::{self, Vaulted};
use crate::world::embeds::Embeds;
use crate::world::http::Bounds;
use crate::world::live;
use clap::{Args, ValueEnum};
use knowledge::id::{ChunkId, FactId, NodeId};
use knowledge::rank;
use knowledge::time::{Timestamp, parse};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A search as it is asked for. Each field is a flag of the command line and a parameter of the assistants' tool, with
/// the same words about it.
#[derive(Args, Clone, Debug, Deserialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The question, in your own words
    #[arg(required = true, num_args = 1.., value_name = "WORDS")]
    #[serde(rename = "query", deserialize_with = "a_text")]
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    words: Vec<String>,
    /// Only what was true in the world on this date (of passages: what the wiki said then)
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// Only what the wiki said on this date; what has no date counts always
    #[arg(long, value_name = "DATE")]
    wiki_at: Option<String>,
    /// Only what was true in the world at some time between two dates
    #[arg(long, value_names = ["FROM", "TO"], num_args = 2, conflicts_with = "as_of")]
    between: Option<Vec<String>>,
    /// Only from pages in this space; may be repeated
    #[arg(long, value_name = "KEY")]
    #[serde(default)]
    space: Vec<String>,
    /// Only from pages with this label; may be repeated
    #[arg(long, value_name = "LABEL")]
    #[serde(default)]
    label: Vec<String>,
    /// Only things of this type, such as Service, and facts about one; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    #[serde(default, rename = "type")]
    kind: Vec<String>,
    /// Only facts that the rules, or a model, have read
    #[arg(long, value_name = "WHO")]
    source: Option<Who>,
    /// Only these results; may be repeated
    #[arg(long, value_name = "WHAT")]
    #[serde(default)]
    only: Vec<What>,
    /// Say of each result why it was found
    #[arg(long)]
    #[serde(default)]
    explain: bool,
    /// How many results
    #[arg(long, default_value_t = results(), value_name = "N", value_parser = clap::value_parser!(i64).range(1..=200))]
    #[serde(default = "results", deserialize_with = "a_limit")]
    #[cfg_attr(feature = "mcp", schemars(range(min = 1, max = 200)))]
    limit: i64,
}

/// Who has read a fact, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Who {
    Rules,
    Model,
}

/// A sort of results, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum What {
    Facts,
    Entities,
    Passages,
}

/// What is to be shown, as it is asked for; fields as those of `Search`.
#[derive(Args, Clone, Debug, Deserialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// A name, a page title or id, or an id that `search` printed
    #[arg(required = true, num_args = 1.., value_name = "NAME")]
    #[serde(rename = "name", deserialize_with = "a_text")]
    #[cfg_attr(feature = "mcp", schemars(with = "String"))]
    named: Vec<String>,
    /// How many facts or entities
    #[arg(long, default_value_t = listed(), value_name = "N", value_parser = clap::value_parser!(i64).range(1..=5000))]
    #[serde(default = "listed", deserialize_with = "a_limit")]
    #[cfg_attr(feature = "mcp", schemars(range(min = 1, max = 5000)))]
    limit: i64,
    /// Why names are one entity: the rule, model or sentence behind each
    #[arg(long)]
    #[serde(default)]
    why: bool,
}

/// Results of a search: what is read at one glance.
fn results() -> i64 {
    8
}

/// Facts of an entity: two screens.
fn listed() -> i64 {
    50
}

/// Any number, so that what is wrong with it can be said in the words of the one who wrote it.
fn a_limit<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<i64, D::Error> {
    i64::deserialize(value).map_err(|_| D::Error::custom("`limit` is not a whole number"))
}

/// What stands in one text here is typed as several words there.
fn a_text<'de, D: Deserializer<'de>>(value: D) -> std::result::Result<Vec<String>, D::Error> {
    Ok(vec![String::deserialize(value)?])
}

/// How a field is written where it is asked from: errors speak of it so.
pub type Written = fn(&str) -> String;

impl Search {
    /// The search as the state takes it, without its vector.
    ///
    /// # Errors
    /// There is no word in it, a date is none, or too much is asked for.
    pub fn query(&self, written: Written) -> Result<Query> {
        let as_of = date(&written("as_of"), self.as_of.as_deref())?;
        let wiki_at = date(&written("wiki_at"), self.wiki_at.as_deref())?;
        let between = self.between(written)?;
        let text = self.words.join(" ");
        if rank::terms(&text).is_empty() {
            let found = format!("search `{}`: there is no word in it", shortened(&text));
            return Err(Error::new(Kind::Usage, found).hint("ask in words, such as `who owns X`"));
        }
        let limit = within(self.limit, 1..=200)?;
        Ok(Query {
            text,
            vector: None,
            as_of,
            between,
            wiki_at,
            now: Some(live::now()),
            limit,
            filter: self.filter(),
            explain: self.explain,
            ..Query::default()
        })
    }

    fn between(&self, written: Written) -> Result<Option<(Timestamp, Timestamp)>> {
        let Some(dates) = &self.between else { return Ok(None) };
        let name = written("between");
        let usage = |found: &str, hint: &str| {
            Error::new(Kind::Usage, format!("`{name} {}`: {found}", shortened(&dates.join(" ")))).hint(hint)
        };
        let [from, to] = dates.as_slice() else {
            return Err(usage("these are not two dates", "write the earlier date, then the later one"));
        };
        if self.as_of.is_some() {
            return Err(usage(
                &format!("`{}` asks for another time", written("as_of")),
                "leave one of them out",
            ));
        }
        let dates = date(&name, Some(from))?.zip(date(&name, Some(to))?);
        match dates.is_some_and(|(from, to)| from > to) {
            true => Err(usage("the first date is after the second", "write the earlier date first")),
            false => Ok(dates),
        }
    }

    fn filter(&self) -> Filter {
        let reader = |who: Who| if who == Who::Rules { Reader::Rules } else { Reader::Model };
        let sort = |what: &What| match what {
            What::Facts => Sort::Facts,
            What::Entities => Sort::Entities,
            What::Passages => Sort::Passages,
        };
        Filter {
            spaces: self.space.clone(),
            labels: self.label.clone(),
            kinds: self.kind.clone(),
            sources: self.source.into_iter().map(reader).collect(),
            results: self.only.iter().map(sort).collect(),
        }
    }
}

impl Name {
    /// The name, on one line.
    pub fn text(&self) -> String {
        self.named.join(" ")
    }
}

/// A date as somebody wrote it behind a flag or a parameter.
///
/// # Errors
/// It is none.
pub fn date(flag: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| {
        Error::new(Kind::Usage, format!("`{flag} {}` is not a date", shortened(text)))
            .hint("write YYYY-MM-DD, or a time such as 2024-06-01T12:00:00Z")
    })
}

fn within(limit: i64, range: RangeInclusive<i64>) -> Result<usize> {
    match usize::try_from(limit) {
        Ok(fits) if range.contains(&limit) => Ok(fits),
        _ => {
            let (least, most) = range.into_inner();
            Err(Error::new(Kind::Usage, format!("limit {limit}: it must be from {least} to {most}")))
        }
    }
}

/// Characters of what was asked that are repeated in an error.
const REPEATED: usize = 80;

fn shortened(text: &str) -> String {
    clip(&one_line(text), REPEATED)
}

/// What was found under a name.
#[derive(Serialize)]
#[cfg_attr(feature = "mcp", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// A fact with what it stands on.
    Fact {
        /// The fact.
        #[serde(flatten)]
        statement: Statement,
        /// What it stands on, current supports first.
        sources: Vec<Source>,
    },
    /// An entity with its facts.
    Entity {
        /// The entity.
        #[serde(flatten)]
        card: EntityCard,
        /// What it belongs to; never for a viewer.
        #[serde(skip_serializing_if = "Option::is_none")]
        community: Option<CommunityCard>,
        /// Its facts, current ones first.
        facts: Vec<Statement>,
        /// Why its names are one, where that was asked.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        why: Vec<Link>,
    },
    /// A page with its chunks.
    Page(PageCard),
    /// A chunk.
    Chunk(ChunkCard),
}

/// Where answers are looked for.
pub struct Graph {
    settings: Settings,
    vaulted: Vaulted,
    /// Who makes a question's vector, since the first question.
    embeds: OnceCell<Option<Embeds>>,
    /// A state that shows how things stood at the last question.
    latest: Mutex<Option<State>>,
    /// States that answered, at rest: what they have derived and compiled is of use to the next question.
    idle: Mutex<Vec<State>>,
    /// What was read into memory to answer: all states of one file share it.
    recalled: Mutex<Recalled>,
}

/// Talk on the way to an answer: what is done without, and why.
pub type Tell<'a> = &'a dyn Fn(&str);

impl Graph {
    /// The graph of the vault that the settings name.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let vaulted = wire::vault(settings).await?;
        Ok(Self {
            settings: settings.clone(),
            vaulted,
            embeds: OnceCell::new(),
            latest: Mutex::default(),
            idle: Mutex::default(),
            recalled: Mutex::default(),
        })
    }

    /// The state as fresh as it can be had, and as the user may see it for whom it is looked at.
    pub async fn state(&self, tell: Tell<'_>) -> Result<State> {
        let state = wire::state_to_read(&self.settings, &self.vaulted, tell).await?;
        wire::seen(&self.settings, state, live::now())
    }

    /// Finds facts, entities and passages.
    pub async fn search(&self, mut query: Query, tell: Tell<'_>) -> Result<Vec<Hit>> {
        let mut fresh = self.fresh(tell).await?;
        let state = match self.resumed(&fresh) {
            // Another file has just taken its place.
            Err(error) if error.kind() == Kind::Later => {
                fresh = wire::state_to_read(&self.settings, &self.vaulted, tell).await?;
                self.resumed(&fresh)?
            }
            resumed => resumed?,
        };
        *lock(&self.latest) = Some(fresh);
        query.vector = self.vector_of(&query.text, &state, tell).await?;
        query.least = query.vector.as_ref().filter(|(model, _)| model == Builtin.name()).map(|_| UNLIKE);
        let hits = state.search(&query)?;
        *lock(&self.recalled) = state.recalled();
        state.rest()?;
        let mut idle = lock(&self.idle);
        if idle.len() < AT_REST {
            idle.push(state);
        }
        Ok(hits)
    }

    /// The state as fresh as it can be had: a look at the end of the journal says whether the latest still is, so that
    /// nothing which a run beside adds is missed.
    async fn fresh(&self, tell: Tell<'_>) -> Result<State> {
        let latest = lock(&self.latest).take();
        if let Some(latest) = latest
            && wire::is_current(&latest, &self.vaulted).await.unwrap_or(false)
        {
            return Ok(latest);
        }
        wire::state_to_read(&self.settings, &self.vaulted, tell).await
    }

    /// A state at rest that shows what this one does, or else a new one, as the user may see it.
    fn resumed(&self, fresh: &State) -> Result<State> {
        let viewer = wire::viewer(&self.settings, fresh, live::now())?;
        loop {
            let known = lock(&self.idle).pop();
            match known {
                Some(state) if state.is_in_place() && state.resume(fresh, viewer.as_ref())? => {
                    return Ok(state);
                }
                Some(_) => {}
                None => break,
            }
        }
        let state = fresh.again()?.recalling(lock(&self.recalled).clone());
        match viewer {
            Some(viewer) => state.seen_by(&viewer),
            None => Ok(state),
        }
    }

    /// What has a name, or an id.
    ///
    /// # Errors
    /// Nothing has it.
    pub async fn show(&self, name: &Name, tell: Tell<'_>) -> Result<Vec<Shown>> {
        let (named, limit) = (name.text(), within(name.limit, 1..=5000)?);
        let state = self.state(tell).await?;
        let mut shown = find(&state, &named, limit)?;
        for shown in shown.iter_mut().filter(|_| name.why) {
            if let Shown::Entity { card, why, .. } = shown {
                *why = state.why_one(card.entity, limit)?;
            }
        }
        if shown.is_empty() {
            let named = shortened(&named);
            let text = format!("show `{named}`: no entity, page, fact or chunk has this name or id");
            return Err(Error::new(Kind::Never, text).hint(format!("try `search {named}`")));
        }
        Ok(shown)
    }

    /// The question's vector, where vectors were filled; until then words decide alone, and the model is not even
    /// loaded. So they do when whoever makes vectors cannot be reached, which is said.
    async fn vector_of(
        &self,
        text: &str,
        state: &State,
        tell: Tell<'_>,
    ) -> Result<Option<(String, Quantised)>> {
        let alone = |why: &dyn std::fmt::Display| {
            tell(&format!("words alone decide, since the question has no vector: {why}"));
            None
        };
        let embeds = self.embeds.get_or_try_init(|| wire::embedding::embeds(&self.settings, SOON));
        let embeds = match embeds.await {
            Ok(Some(embeds)) => embeds,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(alone(&error)),
        };
        let name = embeds.embedder.name().to_owned();
        if !state.has_vectors(&name)? {
            return Ok(None);
        }
        Ok(match embeds.vectors(&[text], Purpose::Question).await {
            Ok(answer) => answer.vectors.into_iter().next().map(|vector| (name, vector)),
            Err(refusal) => alone(&refusal),
        })
    }
}

/// What a question that failed has left behind is as good as before it.
fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// States kept at rest: as many as there are questions answered at once.
const AT_REST: usize = 4;

/// Somebody waits: who does not answer in this time is done without.
const SOON: Bounds =
    Bounds { connect: Duration::from_secs(5), total: Duration::from_secs(15), body: Bounds::ANSWER };

fn find(state: &State, named: &str, limit: usize) -> Result<Vec<Shown>> {
    if let Some(shown) = by_id(state, named, limit)? {
        return Ok(vec![shown]);
    }
    let mut shown = Vec::new();
    for card in state.entities_named(named, limit)? {
        shown.push(with_facts(state, card, limit)?);
    }
    shown.extend(state.page(named)?.map(Shown::Page));
    Ok(shown)
}

fn with_facts(state: &State, card: EntityCard, limit: usize) -> Result<Shown> {
    let (community, facts) = (state.community_of(card.entity)?, state.facts_of(card.entity, limit)?);
    Ok(Shown::Entity { card, community, facts, why: Vec::new() })
}

fn by_id(state: &State, named: &str, limit: usize) -> Result<Option<Shown>> {
    let Ok(node) = named.parse::<NodeId>() else { return Ok(None) };
    if let Some(card) = state.entity_of(node)? {
        return with_facts(state, card, limit).map(Some);
    }
    let fact = FactId::from_bytes(*node.as_bytes());
    if let Some(statement) = state.statement(fact)? {
        let sources = state.sources(statement.fact)?;
        return Ok(Some(Shown::Fact { statement, sources }));
    }
    Ok(state.chunk(ChunkId::from_bytes(*node.as_bytes()))?.map(Shown::Chunk))
}
