//! `report`: where pages disagree, what is cited and left alone, what nobody finds. It must not know how that is found.

use super::{Call, Exit, communities, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::inquiry::{one_line, span};
use crate::state::State;
use crate::state::reports::{Contradiction, Listing, Orphans, PageLine, Side, Stale, Voice};
use crate::{wire, world};
use clap::{Args, Subcommand};
use jiff::{Span, tz::TimeZone};
use knowledge::time::Timestamp;
use serde::Serialize;

/// What a gardener of the wiki wants to know
#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Facts of different pages that cannot both be true
    #[command(after_help = "Examples:\n  highwater report contradictions\n  \
                            highwater report contradictions --as ann@example.com --json\n\n\
                            First what most pages speak of, then what was said last.")]
    Contradictions(Shown),
    /// Facts that other pages cite and whose own pages nobody touched for long
    #[command(
        after_help = "Examples:\n  highwater report stale\n  highwater report stale --months 6 --limit 20\n\n\
                            First what most pages cite."
    )]
    Stale {
        /// Pages that were not touched for so many months
        #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1200))]
        months: u16,
        #[command(flatten)]
        shown: Shown,
    },
    /// Pages that nothing leads to, and things that nobody explains
    #[command(after_help = "Example: highwater report orphans --as ann@example.com\n\n\
                            First the pages that were not touched for longest, and what most pages speak of.")]
    Orphans(Shown),
    /// Things that have more to do with each other than with the rest
    #[command(after_help = communities::EXAMPLES)]
    Communities {
        /// How many members of each
        #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5000))]
        members: u16,
        #[command(flatten)]
        shown: Shown,
    },
}

/// What is shown of a report, and to whom.
#[derive(Args, Debug)]
pub(super) struct Shown {
    /// Only what this user may see: a key, an e-mail address or a name [default: the setting `as`]
    #[arg(long = "as", value_name = "USER")]
    viewer: Option<String>,
    /// How many findings
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5000))]
    limit: u16,
}

impl Verb {
    fn shown(&self) -> &Shown {
        match self {
            Self::Contradictions(shown)
            | Self::Stale { shown, .. }
            | Self::Orphans(shown)
            | Self::Communities { shown, .. } => shown,
        }
    }

    /// Who looks, as the setting it is.
    pub(super) fn viewer(&self) -> Option<String> {
        self.shown().viewer.clone()
    }
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Result<Exit> {
    let now = world::live::now();
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let state = wire::seen(&call.settings, state, now)?;
    let limit = usize::from(verb.shown().limit);
    match verb {
        Verb::Contradictions(_) => tell(call, &state.contradictions(now, limit)?, print_contradiction),
        Verb::Stale { months, .. } => {
            tell(call, &state.stale((months_before(now, *months)?, now), limit)?, print_stale)
        }
        Verb::Orphans(_) => tell_orphans(call, &state, limit),
        Verb::Communities { members, shown } => communities::tell(call, &state, (shown.limit, *members)),
    }
}

fn months_before(now: Timestamp, months: u16) -> Result<Timestamp> {
    let then = now.to_zoned(TimeZone::UTC).checked_sub(Span::new().months(i32::from(months)));
    then.map(|then| then.timestamp()).map_err(|error| {
        Error::new(Kind::Usage, format!("`--months {months}`: {error}")).hint("give fewer months")
    })
}

/// Prints a listing, or says that there is nothing.
fn tell<T: Serialize>(call: &Call, listing: &Listing<T>, line: fn(&T) -> Result<()>) -> Result<Exit> {
    if call.json {
        print_json(listing)?;
        return Ok(Exit::Done);
    }
    listing.first.iter().try_for_each(line)?;
    tell_rest(call, listing, "findings");
    Ok(Exit::Done)
}

fn tell_rest<T>(call: &Call, listing: &Listing<T>, what: &str) {
    match (listing.found, listing.found - listing.first.len()) {
        (0, _) => call.tell(&format!("no {what}")),
        (_, 0) => {}
        (found, _) => call.tell(&format!("{} of {found} {what}; `--limit` shows more", listing.first.len())),
    }
}

fn print_contradiction(found: &Contradiction) -> Result<()> {
    let [later, other] = &found.sides;
    let how = if found.judged { "a model judged so" } else { "one at a time" };
    print(&format!(
        "{} — {}: {} or {}?  ({how}; {} pages speak of it)\n",
        one_line(&later.statement.subject),
        later.statement.relation,
        one_line(&later.statement.object),
        one_line(&other.statement.object),
        found.spoken_of_by
    ))?;
    print_side(later)?;
    print_side(other)?;
    print("\n")
}

fn print_side(side: &Side) -> Result<()> {
    let span = span(side.statement.valid_at.as_deref(), side.statement.invalid_at.as_deref());
    let held = if side.holds { "taken as true" } else { "taken as over" };
    print(&format!("  {}{span}  {held}  fact {}\n", one_line(&side.statement.object), side.statement.fact))?;
    print_voices(&side.said_by)
}

/// Pages that are shown of those that say the same: the rest is in `--json`.
const VOICES: usize = 2;

fn print_voices(voices: &[Voice]) -> Result<()> {
    for voice in voices.iter().take(VOICES) {
        print(&format!("    “{}”\n    {}\n", one_line(&voice.sentence), whence(&voice.page)))?;
    }
    match voices.len().saturating_sub(VOICES) {
        0 => Ok(()),
        more => print(&format!("    and {more} more pages\n")),
    }
}

/// A page with its dates and people, on one line.
fn whence(page: &PageLine) -> String {
    let mut line = format!("page “{}” ({}) in {}", one_line(&page.title), one_line(&page.page), page.space);
    if let Some(touched) = &page.touched {
        line.push_str(&format!(", touched {}", touched.get(..10).unwrap_or(touched)));
    }
    match (&page.editor, &page.author) {
        (Some(editor), Some(author)) if editor != author => {
            line.push_str(&format!(" by {}, made by {}", one_line(editor), one_line(author)));
        }
        (Some(one), _) | (None, Some(one)) => line.push_str(&format!(" by {}", one_line(one))),
        (None, None) => {}
    }
    if let Some(link) = &page.link {
        line.push_str(&format!(", {link}"));
    }
    line
}

fn print_stale(stale: &Stale) -> Result<()> {
    let span = span(stale.statement.valid_at.as_deref(), stale.statement.invalid_at.as_deref());
    print(&format!(
        "{} — {} → {}{span}  (cited by {} pages)  fact {}\n",
        one_line(&stale.statement.subject),
        stale.statement.relation,
        one_line(&stale.statement.object),
        stale.cited_by,
        stale.statement.fact
    ))?;
    print_voices(&stale.said_by)?;
    let citing: Vec<String> = stale
        .citing
        .iter()
        .map(|citing| format!("“{}” ({})", one_line(&citing.title), one_line(&citing.page)))
        .collect();
    print(&format!("    cited by {}\n\n", citing.join(", ")))
}

fn tell_orphans(call: &Call, state: &State, limit: usize) -> Result<Exit> {
    let orphans = state.orphans(limit)?;
    if call.json {
        print_json(&orphans)?;
        return Ok(Exit::Done);
    }
    let Orphans { pages, unexplained } = &orphans;
    print(if pages.first.is_empty() { "" } else { "pages that nothing leads to:\n" })?;
    for page in &pages.first {
        print(&format!("  {}\n", whence(page)))?;
    }
    tell_rest(call, pages, "pages that nothing leads to");
    print(if unexplained.first.is_empty() { "" } else { "things that nobody explains:\n" })?;
    for thing in &unexplained.first {
        print(&format!(
            "  {} ({}): {} pages speak of it, none explains it  entity {}\n",
            one_line(&thing.name),
            thing.kind,
            thing.pages,
            thing.entity
        ))?;
    }
    tell_rest(call, unexplained, "things that nobody explains");
    Ok(Exit::Done)
}
