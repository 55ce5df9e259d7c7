//! `show`: an entity with its facts, a page with its chunks, a fact with its supports, a chunk.

use super::search::{one_line, quoted, span, whence};
use super::{Call, Exit, communities, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::state::State;
use crate::state::communities::CommunityCard;
use crate::state::look::{ChunkCard, EntityCard, PageCard, Source, Statement};
use crate::{wire, world};
use clap::Args;
use knowledge::id::{ChunkId, FactId, NodeId};
use serde::Serialize;

/// Show an entity, a page, a fact or a chunk
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  highwater show ledger-service\n  highwater show \"Deploy runbook\"\n  \
                        highwater show ID, with an id that `search` printed")]
pub(super) struct Typed {
    /// A name, a page title or id, or an id that `search` printed
    #[arg(required = true, num_args = 1.., value_name = "NAME")]
    named: Vec<String>,
    /// Only what this user may see: a key, an e-mail address or a name [default: the setting `as`]
    #[arg(long = "as", value_name = "USER")]
    viewer: Option<String>,
    /// How many facts or entities
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5000))]
    limit: u16,
}

impl Typed {
    /// Who looks, as the setting it is.
    pub(super) fn viewer(&self) -> Option<String> {
        self.viewer.clone()
    }
}

/// What was found under a name.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Shown {
    Fact {
        #[serde(flatten)]
        statement: Statement,
        sources: Vec<Source>,
    },
    Entity {
        #[serde(flatten)]
        card: EntityCard,
        /// What it belongs to; never for a viewer.
        #[serde(skip_serializing_if = "Option::is_none")]
        community: Option<CommunityCard>,
        facts: Vec<Statement>,
    },
    Page(PageCard),
    Chunk(ChunkCard),
}

pub(super) async fn run(call: &Call, typed: &Typed) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let state = wire::seen(&call.settings, state, world::live::now())?;
    let named = typed.named.join(" ");
    let shown = find(&state, &named, usize::from(typed.limit))?;
    if shown.is_empty() {
        let text = format!("show `{named}`: no entity, page, fact or chunk has this name or id");
        return Err(Error::new(Kind::Never, text).hint(format!("try `highwater search {named}`")));
    }
    if call.json {
        print_json(&shown)?;
        return Ok(Exit::Done);
    }
    shown.iter().try_for_each(print_shown)?;
    Ok(Exit::Done)
}

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

fn with_facts(state: &State, card: EntityCard, limit: usize) -> Result<Shown> {
    let (community, facts) = (state.community_of(card.entity)?, state.facts_of(card.entity, limit)?);
    Ok(Shown::Entity { card, community, facts })
}

fn print_shown(shown: &Shown) -> Result<()> {
    match shown {
        Shown::Fact { statement, sources } => {
            print(&format!("{}\n", line(statement)))?;
            print(&format!("  read by {}\n", statement.extractor))?;
            for source in sources {
                print(&format!("  {}\n  {}, chunk {}\n", quoted(source), whence(source), source.chunk))?;
            }
            Ok(())
        }
        Shown::Entity { card, community, facts } => {
            print(&format!("{} ({})  {}\n", card.name, card.kind, card.entity))?;
            if !card.also.is_empty() {
                print(&format!("  also: {}\n", card.also.join(", ")))?;
            }
            for other in &card.perhaps {
                print(&format!("  perhaps: {} ({:.2})  {}\n", other.name, other.score, other.entity))?;
            }
            if let Some(community) = community {
                print(&format!("  community: {}\n", communities::line(community)))?;
            }
            for summary in &card.summaries {
                print(&format!("  {}\n", summary.text))?;
            }
            facts.iter().try_for_each(|fact| print(&format!("  {}  [{}]\n", line(fact), fact.fact)))
        }
        Shown::Page(page) => print_page(page),
        Shown::Chunk(chunk) => print_chunk(chunk),
    }
}

fn line(statement: &Statement) -> String {
    let withdrawn = if statement.withdrawn { "  (no page says so any more)" } else { "" };
    let span = span(statement.valid_at.as_deref(), statement.invalid_at.as_deref());
    format!(
        "{} — {} → {}{span}{withdrawn}",
        statement.subject,
        statement.relation,
        one_line(&statement.object)
    )
}

fn print_page(page: &PageCard) -> Result<()> {
    let gone = if page.gone { ", gone from the wiki" } else { "" };
    let written =
        page.modified.as_deref().map(|at| format!(" of {}", at.get(..10).unwrap_or(at))).unwrap_or_default();
    print(&format!(
        "page “{}” ({}) in {}, version {}{written}{gone}\n",
        page.title, page.page, page.space, page.version
    ))?;
    if let Some(link) = &page.link {
        print(&format!("  {link}\n"))?;
    }
    page.chunks.iter().try_for_each(print_chunk)
}

fn print_chunk(chunk: &ChunkCard) -> Result<()> {
    print(&format!(
        "\n--- {} chunk {}: {}, {} facts\n",
        chunk.form,
        chunk.chunk,
        chunk.path.join(" › "),
        chunk.facts
    ))?;
    print(&format!("{}\n", chunk.text.trim_end()))
}
