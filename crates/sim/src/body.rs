//! Page bodies of the false wiki: sections of blocks, written as Confluence storage format. Few names are
//! shared by many pages, in several spellings, so that entities merge and come apart again as pages change.

use crate::rng::Rng;

/// Names of things, many of them spellings of one another.
const NAMES: [&str; 16] = [
    "ledger-service",
    "Ledger Service",
    "LedgerService",
    "ledger_service",
    "billing-db",
    "Billing DB",
    "auth-gateway",
    "AuthGateway",
    "payments.events",
    "payment.events",
    "report-writer",
    "Report Writer",
    "PAY-1482",
    "KIP-595",
    "mail-relay",
    "search-index",
];
/// Who owns things, besides the people of the wiki.
const TEAMS: [&str; 6] =
    ["Team Blue", "team blue", "Payments Team", "Payments team", "Platform", "Anna Berg"];
const STATUSES: [&str; 4] = ["Live", "Planned", "Retired", "Beta"];
const DATES: [&str; 4] = ["2024-03-01", "2024-11-15", "2025-02-28", "2025-12-01"];
const HEADINGS: [&str; 7] =
    ["Overview", "Operations", "Dependencies", "Runbook", "History", "Owner", "Open questions"];
const PROSE: [&str; 6] = [
    "The nightly run takes about forty minutes.",
    "Nobody has measured this under load yet.",
    "Restart it twice if the first restart hangs; the third never helps.",
    "Überweisungen werden nachts gebucht.",
    "Ask before you change the retention &amp; the quota.",
    "This page needs a review.",
];

/// A block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A table with headers at the left: owner and status.
    Card(&'static str, &'static str),
    /// The same as page properties.
    Properties(&'static str, &'static str),
    /// Rows of a name, its owner and its status.
    Grid(Vec<(&'static str, &'static str, &'static str)>),
    /// One thing depends on another.
    Depends(&'static str, &'static str),
    /// One thing is replaced by another.
    Replaced(&'static str, &'static str),
    /// A thing is owned by somebody since a day.
    Since(&'static str, &'static str, &'static str),
    /// A sentence that holds a code span.
    Span(&'static str),
    /// A link to a page by its title.
    Link(String),
    /// A task: whether it is done, who has it (an index into the people), and what it is about.
    Task(bool, usize, &'static str),
    /// A sentence that says nothing to a rule.
    Prose(&'static str),
    /// Names as a list.
    List(Vec<&'static str>),
}

/// A heading with its blocks; the first section of a page has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    heading: Option<&'static str>,
    blocks: Vec<Block>,
}

/// The body of a page, with what was taken out of it and may come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    sections: Vec<Section>,
    removed: Vec<Block>,
}

fn word(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.below(from.len())]
}

fn block(rng: &mut Rng, titles: &[String]) -> Block {
    let name = |rng: &mut Rng| word(rng, &NAMES);
    match rng.below(13) {
        0 | 1 => Block::Card(word(rng, &TEAMS), word(rng, &STATUSES)),
        2 => Block::Properties(word(rng, &TEAMS), word(rng, &STATUSES)),
        3 => {
            let row = |rng: &mut Rng| (word(rng, &NAMES), word(rng, &TEAMS), word(rng, &STATUSES));
            Block::Grid((0..rng.between(1, 3)).map(|_| row(rng)).collect())
        }
        4 | 5 => Block::Depends(name(rng), name(rng)),
        6 => Block::Replaced(name(rng), name(rng)),
        7 => Block::Since(name(rng), word(rng, &TEAMS), word(rng, &DATES)),
        8 => Block::Span(name(rng)),
        9 if !titles.is_empty() => Block::Link(rng.pick(titles).clone()),
        10 => Block::Task(rng.chance(50), rng.below(8), name(rng)),
        11 => Block::List((0..rng.between(1, 3)).map(|_| name(rng)).collect()),
        _ => Block::Prose(word(rng, &PROSE)),
    }
}

impl Body {
    /// A new body.
    pub fn new(rng: &mut Rng, titles: &[String]) -> Self {
        let mut sections = vec![Section { heading: None, blocks: vec![block(rng, titles)] }];
        for _ in 0..rng.below(4) {
            let blocks = (0..rng.between(1, 3)).map(|_| block(rng, titles)).collect();
            sections.push(Section { heading: Some(word(rng, &HEADINGS)), blocks });
        }
        Self { sections, removed: Vec::new() }
    }

    /// One edit, as people make them: most change a value or a line, some move, remove, restore or repeat
    /// one.
    pub fn edit(&mut self, rng: &mut Rng, titles: &[String]) {
        let section = rng.below(self.sections.len());
        let blocks = &mut self.sections[section].blocks;
        let at = rng.below(blocks.len());
        match rng.below(10) {
            0 | 1 if !blocks.is_empty() => change_value(&mut blocks[at], rng),
            2 if !blocks.is_empty() => blocks[at] = block(rng, titles),
            3 if !blocks.is_empty() => self.removed.push(blocks.remove(at)),
            4 | 5 if !self.removed.is_empty() => {
                let restored = self.removed.swap_remove(rng.below(self.removed.len()));
                blocks.insert(at, restored);
            }
            6 if !blocks.is_empty() => {
                let moved = blocks.remove(at);
                let to = rng.below(self.sections.len());
                self.sections[to].blocks.push(moved);
            }
            7 if !blocks.is_empty() => blocks.push(blocks[at].clone()),
            8 => {
                let heading = Some(word(rng, &HEADINGS));
                self.sections.push(Section { heading, blocks: vec![block(rng, titles)] });
            }
            _ => blocks.push(block(rng, titles)),
        }
    }

    /// The body in storage format. `people` are the keys that mentions use.
    pub fn storage(&self, people: &[String]) -> String {
        let mut text = String::new();
        for section in &self.sections {
            if let Some(heading) = section.heading {
                text.push_str(&format!("<h2>{heading}</h2>"));
            }
            section.blocks.iter().for_each(|block| write_block(&mut text, block, people));
        }
        text
    }
}

/// Another owner or status; with few values to choose from, the old one often comes back.
fn change_value(block: &mut Block, rng: &mut Rng) {
    match block {
        Block::Card(owner, status) | Block::Properties(owner, status) => match rng.chance(50) {
            true => *owner = TEAMS[rng.below(3)],
            false => *status = word(rng, &STATUSES[..2]),
        },
        Block::Grid(rows) => {
            let row = rng.below(rows.len());
            rows[row].1 = word(rng, &TEAMS[1..3]);
        }
        Block::Depends(_, to) | Block::Replaced(_, to) => *to = word(rng, &NAMES),
        Block::Since(_, owner, _) => *owner = word(rng, &TEAMS[..2]),
        Block::Task(done, ..) => *done = !*done,
        Block::Span(name) => *name = word(rng, &NAMES),
        Block::List(names) => names.push(word(rng, &NAMES)),
        Block::Link(_) | Block::Prose(_) => *block = Block::Prose(word(rng, &PROSE)),
    }
}

fn card(owner: &str, status: &str) -> String {
    format!(
        "<table><tbody><tr><th>Owner</th><td>{owner}</td></tr>\
         <tr><th>Status</th><td>{status}</td></tr></tbody></table>"
    )
}

fn write_block(text: &mut String, block: &Block, people: &[String]) {
    let written = match block {
        Block::Card(owner, status) => card(owner, status),
        Block::Properties(owner, status) => format!(
            "<ac:structured-macro ac:name=\"details\"><ac:rich-text-body>\
             {}</ac:rich-text-body></ac:structured-macro>",
            card(owner, status)
        ),
        Block::Grid(rows) => {
            let rows: String = rows
                .iter()
                .map(|(name, owner, status)| {
                    format!("<tr><td>{name}</td><td>{owner}</td><td>{status}</td></tr>")
                })
                .collect();
            format!(
                "<table><tbody><tr><th>Service</th><th>Owner</th><th>Status</th></tr>{rows}</tbody></table>"
            )
        }
        Block::Depends(from, to) => format!("<p>{from} depends on {to}.</p>"),
        Block::Replaced(from, to) => format!("<p>{from} is replaced by {to}.</p>"),
        Block::Since(what, owner, day) => format!("<p>{what} is owned by {owner} since {day}.</p>"),
        Block::Span(name) => format!("<p>Look at <code>{name}</code> first.</p>"),
        Block::Link(title) => {
            format!("<p>See <ac:link><ri:page ri:content-title=\"{title}\" /></ac:link>.</p>")
        }
        Block::Task(done, who, what) => {
            let status = if *done { "complete" } else { "incomplete" };
            let who = &people[who % people.len()];
            format!(
                "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>{status}</ac:task-status>\
                 <ac:task-body><ac:link><ri:user ri:userkey=\"{who}\" /></ac:link> checks {what} by \
                 <time datetime=\"2026-05-01\" /></ac:task-body></ac:task></ac:task-list>"
            )
        }
        Block::Prose(line) => format!("<p>{line}</p>"),
        Block::List(names) => {
            let items: String = names.iter().map(|name| format!("<li><code>{name}</code></li>")).collect();
            format!("<ul>{items}</ul>")
        }
    };
    text.push_str(&written);
}
