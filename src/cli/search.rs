//! `search`: the answering fact, its sentence, and where it stands.

use super::{Call, Exit, print, print_json};
use crate::embedders::{Purpose, Quantised};
use crate::error::{Error, Kind, Result};
use crate::state::State;
use crate::state::look::Source;
use crate::state::search::{Filter, Found, Hit, Query, Reader, Reason, Sort, Way};
use crate::world::http::Bounds;
use crate::{wire, world};
use clap::Args;
use knowledge::time::{Timestamp, parse};
use std::time::Duration;

/// Find facts, entities and passages
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  highwater search who owns the ledger service\n  \
                        highwater search --as-of 2024-06-01 who is on call\n  \
                        highwater search --wiki-at 2024-06-01 --json status of the migration\n  \
                        highwater search --as ann@example.com who owns the ledger service\n  \
                        highwater search --space OPS --only passages --explain why the ledger moved")]
pub(super) struct Typed {
    /// The question, in your own words
    #[arg(required = true, num_args = 1.., value_name = "WORDS")]
    words: Vec<String>,
    /// Only what was true in the world on this date (of passages: what the wiki said then)
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// Only what the wiki said on this date
    #[arg(long, value_name = "DATE")]
    wiki_at: Option<String>,
    /// Only what this user may see: a key, an e-mail address or a name [default: the setting `as`]
    #[arg(long = "as", value_name = "USER")]
    viewer: Option<String>,
    /// Only what was true in the world at some time between two dates
    #[arg(long, value_names = ["FROM", "TO"], num_args = 2, conflicts_with = "as_of")]
    between: Option<Vec<String>>,
    /// Only from pages in this space; may be repeated
    #[arg(long, value_name = "KEY")]
    space: Vec<String>,
    /// Only from pages with this label; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Only things of this type, such as Service, and facts about one; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    kind: Vec<String>,
    /// Only facts that the rules, or a model, have read
    #[arg(long, value_name = "WHO", value_parser = ["rules", "model"])]
    source: Option<String>,
    /// Only these results; may be repeated
    #[arg(long, value_name = "WHAT", value_parser = ["facts", "entities", "passages"])]
    only: Vec<String>,
    /// Say of each result why it was found
    #[arg(long)]
    explain: bool,
    /// How many results
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

impl Typed {
    /// Who looks, as the setting it is.
    pub(super) fn viewer(&self) -> Option<String> {
        self.viewer.clone()
    }

    fn filter(&self) -> Filter {
        let reader = |word: &str| if word == "rules" { Reader::Rules } else { Reader::Model };
        let sort = |word: &String| match word.as_str() {
            "facts" => Sort::Facts,
            "entities" => Sort::Entities,
            _ => Sort::Passages,
        };
        Filter {
            spaces: self.space.clone(),
            labels: self.label.clone(),
            kinds: self.kind.clone(),
            sources: self.source.iter().map(|word| reader(word)).collect(),
            results: self.only.iter().map(sort).collect(),
        }
    }
}

pub(super) async fn run(call: &Call, typed: &Typed) -> Result<Exit> {
    let date = |flag: &str, text: Option<&String>| -> Result<Option<Timestamp>> {
        let Some(text) = text else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{flag} {text}` is not a date"))
                .hint("write YYYY-MM-DD, or a time such as 2024-06-01T12:00:00Z")
        })
    };
    let (as_of, wiki_at) =
        (date("--as-of", typed.as_of.as_ref())?, date("--wiki-at", typed.wiki_at.as_ref())?);
    let dates = typed.between.as_deref().unwrap_or_default();
    let between = date("--between", dates.first())?.zip(date("--between", dates.last())?);
    if between.is_some_and(|(from, to)| from > to) {
        let found = format!("`--between {}`: the first date is after the second", dates.join(" "));
        return Err(Error::new(Kind::Usage, found).hint("write the earlier date first"));
    }
    let text = typed.words.join(" ");
    if knowledge::rank::terms(&text).is_empty() {
        let found = format!("search `{text}`: there is no word in it");
        return Err(
            Error::new(Kind::Usage, found).hint("ask in words, such as `highwater search who owns X`")
        );
    }
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let state = wire::seen(&call.settings, state, world::live::now())?;
    let vector = question_vector(call, &state, &text).await?;
    let hits = state.search(&Query {
        text,
        vector,
        as_of,
        between,
        wiki_at,
        now: Some(world::live::now()),
        limit: usize::from(typed.limit),
        filter: typed.filter(),
        explain: typed.explain,
    })?;
    match call.json {
        true => print_json(&hits)?,
        false => print_hits(call, &hits)?,
    }
    Ok(Exit::Done)
}

/// A person waits: who does not answer in this time is done without.
const SOON: Bounds =
    Bounds { connect: Duration::from_secs(5), total: Duration::from_secs(15), body: Bounds::ANSWER };

/// The question's vector, where vectors were filled; until then words decide alone, and the model is not even loaded.
/// So they do when whoever makes vectors cannot be reached, which is said.
async fn question_vector(call: &Call, state: &State, text: &str) -> Result<Option<(String, Quantised)>> {
    let alone = |why: &dyn std::fmt::Display| {
        call.tell(&format!("words alone decide, since the question has no vector: {why}"));
        None
    };
    let embeds = match wire::embedding::embeds(&call.settings, SOON).await {
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

fn print_hits(call: &Call, hits: &[Hit]) -> Result<()> {
    if hits.is_empty() {
        call.tell("nothing found");
        return Ok(());
    }
    for (number, hit) in hits.iter().enumerate() {
        let text = match &hit.found {
            Found::Fact { statement, sources } => {
                let mut text = format!(
                    "{} — {} → {}",
                    statement.subject,
                    statement.relation,
                    one_line(&statement.object)
                );
                text.push_str(&span(statement.valid_at.as_deref(), statement.invalid_at.as_deref()));
                for source in sources.iter().take(2) {
                    text.push_str(&format!("\n     {}\n     {}", quoted(source), whence(source)));
                }
                text.push_str(&format!("\n     fact {}", statement.fact));
                text
            }
            Found::Entity { card, facts } => {
                format!("{} ({}), {facts} facts\n     entity {}", card.name, card.kind, card.entity)
            }
            Found::Passage { chunk, page, version, link } => format!(
                "{}\n     {}\n     page {} version {version}{}\n     chunk {}",
                one_line(&chunk.path.join(" › ")),
                clip(&one_line(&chunk.text)),
                one_line(page),
                link.as_ref().map(|link| format!(", {link}")).unwrap_or_default(),
                chunk.chunk
            ),
        };
        let why: String = hit.why.iter().map(|reason| format!("     {}\n", because(reason))).collect();
        print(&format!("{:>2}.  {text}\n{why}", number + 1))?;
    }
    Ok(())
}

/// Why something was found, on one line.
fn because(reason: &Reason) -> String {
    let by = match reason.by {
        Way::Words => "the question's words",
        Way::Meaning => "what the question means",
        Way::Passages => "passages that answer",
        Way::Answering => "facts of those passages",
    };
    let path = reason.path.as_ref().map(|path| {
        let headings = |headings: &[String]| one_line(&headings.join(" › "));
        let (from, to) = (headings(&path.from.headings), headings(&path.to.headings));
        format!(": “{from}” → {} → “{to}”", one_line(&path.through.name))
    });
    format!("because: {by}, place {}{}", reason.place, path.unwrap_or_default())
}

/// When a fact holds, as a suffix.
pub(super) fn span(from: Option<&str>, to: Option<&str>) -> String {
    let day = |text: &str| text.get(..10).unwrap_or(text).to_owned();
    match (from.map(day), to.map(day)) {
        (None, None) => String::new(),
        (Some(from), None) => format!("  (since {from})"),
        (None, Some(to)) => format!("  (until {to})"),
        (Some(from), Some(to)) => format!("  ({from} to {to})"),
    }
}

/// The words a fact stands on, on one line. A recording may know only the passage.
pub(super) fn quoted(source: &Source) -> String {
    match source.sentence.is_empty() {
        true => "(no quote: the whole passage says it)".to_owned(),
        false => format!("“{}”", one_line(&source.sentence)),
    }
}

/// Where a support stands, on one line.
pub(super) fn whence(source: &Source) -> String {
    let link = source.link.as_ref().map(|link| format!(", {link}")).unwrap_or_default();
    let ended = match (&source.ended, &source.asserted_to) {
        (Some(ended), Some(to)) => format!(", {ended} {}", to.get(..10).unwrap_or(to)),
        (Some(ended), None) => format!(", {ended}"),
        _ => String::new(),
    };
    let (title, page) = (one_line(&source.title), one_line(source.page.as_str()));
    format!("page “{title}” ({page}) version {}{ended}{link}", source.version)
}

/// A text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters of a passage shown in a list of results: about two lines of a terminal.
const CLIP: usize = 180;

fn clip(text: &str) -> String {
    match text.char_indices().nth(CLIP) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
