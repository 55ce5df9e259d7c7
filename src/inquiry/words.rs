//! What was found, in words for people and for assistants. It must not know where the words go; wiki text is foreign,
//! and whoever prints it sees to its control characters.

use super::Shown;
use crate::state::communities::CommunityCard;
use crate::state::look::{ChunkCard, EntityCard, PageCard, Source, Statement};
use crate::state::search::{Found, Hit, Reason, Way};
use crate::state::why::Link;
use knowledge::graph::Verdict;

/// Results in order, numbered; of a passage so many characters are shown.
pub fn say_hits(hits: &[Hit], passage: usize) -> String {
    let mut said = String::new();
    for (number, hit) in hits.iter().enumerate() {
        let text = match &hit.found {
            Found::Fact { statement, sources } => say_found_fact(statement, sources),
            Found::Entity { card, facts } => {
                format!("{} ({}), {facts} facts\n     entity {}", card.name, card.kind, card.entity)
            }
            Found::Passage { chunk, page, version, link } => format!(
                "{}\n     {}\n     page {} version {version}{}\n     chunk {}",
                one_line(&chunk.path.join(" › ")),
                clip(&one_line(&chunk.text), passage),
                one_line(page),
                link.as_ref().map(|link| format!(", {link}")).unwrap_or_default(),
                chunk.chunk
            ),
        };
        let why: String = hit.why.iter().map(|reason| format!("     {}\n", because(reason))).collect();
        said.push_str(&format!("{:>2}.  {text}\n{why}", number + 1));
    }
    said
}

fn say_found_fact(statement: &Statement, sources: &[Source]) -> String {
    let mut text =
        format!("{} — {} → {}", statement.subject, statement.relation, one_line(&statement.object));
    text.push_str(&span(statement.valid_at.as_deref(), statement.invalid_at.as_deref()));
    for source in sources.iter().take(2) {
        text.push_str(&format!("\n     {}\n     {}", quoted(source), whence(source)));
    }
    text.push_str(&format!("\n     fact {}", statement.fact));
    text
}

/// What has a name, one thing below the other.
pub fn say_shown(shown: &[Shown]) -> String {
    let say = |shown: &Shown| match shown {
        Shown::Fact { statement, sources } => say_fact(statement, sources),
        Shown::Entity { card, community, facts, why } => say_entity(card, community.as_ref(), (facts, why)),
        Shown::Page(page) => say_page(page),
        Shown::Chunk(chunk) => say_chunk(chunk),
    };
    shown.iter().map(say).collect()
}

fn say_fact(statement: &Statement, sources: &[Source]) -> String {
    let mut said = format!("{}\n  read by {}\n", line(statement), statement.extractor);
    for source in sources {
        said.push_str(&format!("  {}\n  {}, chunk {}\n", quoted(source), whence(source), source.chunk));
    }
    said
}

fn say_entity(
    card: &EntityCard,
    community: Option<&CommunityCard>,
    (facts, why): (&[Statement], &[Link]),
) -> String {
    let mut said = format!("{} ({})  {}\n", card.name, card.kind, card.entity);
    if !card.also.is_empty() {
        said.push_str(&format!("  also: {}\n", card.also.join(", ")));
    }
    why.iter().for_each(|link| said.push_str(&say_link(link)));
    for other in &card.perhaps {
        said.push_str(&format!("  perhaps: {} ({:.2})  {}\n", other.name, other.score, other.entity));
    }
    if let Some(community) = community {
        said.push_str(&format!("  community: {}\n", say_community(community)));
        said.extend(say_portrait(community).map(|line| format!("    {line}\n")));
    }
    for summary in &card.summaries {
        said.push_str(&format!("  {}\n", summary.text));
    }
    for fact in facts {
        said.push_str(&format!("  {}  [{}]\n", line(fact), fact.fact));
    }
    said
}

/// A community on one line.
pub fn say_community(card: &CommunityCard) -> String {
    format!("{}  ({} entities, {} facts)", one_line(&card.name), card.entities, card.facts)
}

/// What a model tells of a community, on one line, and whether that is out of date; none where no model named it.
pub fn say_portrait(card: &CommunityCard) -> Option<String> {
    let summary = card.summary.as_ref()?;
    let outdated = match card.outdated {
        0 => String::new(),
        1 => " (1 of the facts it was told holds no more)".to_owned(),
        more => format!(" ({more} of the facts it was told hold no more)"),
    };
    Some(format!("by a model{outdated}: {}", one_line(summary)))
}

fn say_link(link: &Link) -> String {
    let is = match link.verdict {
        Verdict::Same => "is",
        Verdict::Apart => "is not",
        Verdict::Doubt => "may be",
    };
    let Link { name, other, why, weight, .. } = link;
    let mut said = format!("  why: “{name}” {is} “{other}”: {why} ({weight:.2})\n");
    if let Some(sentence) = &link.sentence {
        said.push_str(&format!("    “{}”\n", one_line(sentence)));
    }
    if let Some(chunk) = link.chunk {
        said.push_str(&format!("    chunk {chunk}\n"));
    }
    said
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

fn say_page(page: &PageCard) -> String {
    let gone = if page.gone { ", gone from the wiki" } else { "" };
    let written =
        page.modified.as_deref().map(|at| format!(" of {}", at.get(..10).unwrap_or(at))).unwrap_or_default();
    let mut said = format!(
        "page “{}” ({}) in {}, version {}{written}{gone}\n",
        page.title, page.page, page.space, page.version
    );
    if let Some(link) = &page.link {
        said.push_str(&format!("  {link}\n"));
    }
    page.chunks.iter().for_each(|chunk| said.push_str(&say_chunk(chunk)));
    said
}

fn say_chunk(chunk: &ChunkCard) -> String {
    let path = chunk.path.join(" › ");
    format!(
        "\n--- {} chunk {}: {path}, {} facts\n{}\n",
        chunk.form,
        chunk.chunk,
        chunk.facts,
        chunk.text.trim_end()
    )
}

/// Why something was found, on one line.
fn because(reason: &Reason) -> String {
    let by = match reason.by {
        Way::Words => "the question's words",
        Way::Meaning => "what the question means",
        Way::Passages => "passages that answer",
        Way::Answering => "a passage that answers",
    };
    let headings = |headings: &[String]| one_line(&headings.join(" › "));
    let on = reason.passage.as_ref().map(|passage| format!(" (“{}”)", headings(&passage.headings)));
    let path = reason.path.as_ref().map(|path| {
        let (from, to) = (headings(&path.from.headings), headings(&path.to.headings));
        format!(": “{from}” → {} → “{to}”", one_line(&path.through.name))
    });
    format!("because: {by}{}, place {}{}", on.unwrap_or_default(), reason.place, path.unwrap_or_default())
}

/// When a fact holds, as a suffix.
pub fn span(from: Option<&str>, to: Option<&str>) -> String {
    let day = |text: &str| text.get(..10).unwrap_or(text).to_owned();
    match (from.map(day), to.map(day)) {
        (None, None) => String::new(),
        (Some(from), None) => format!("  (since {from})"),
        (None, Some(to)) => format!("  (until {to})"),
        (Some(from), Some(to)) => format!("  ({from} to {to})"),
    }
}

/// The words a fact stands on, on one line. A recording may know only the passage.
fn quoted(source: &Source) -> String {
    match source.sentence.is_empty() {
        true => "(no quote: the whole passage says it)".to_owned(),
        false => format!("“{}”", one_line(&source.sentence)),
    }
}

/// Where a support stands, on one line.
fn whence(source: &Source) -> String {
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
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first characters of a text, with a mark where there are more.
pub fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
