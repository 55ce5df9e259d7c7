//! `report communities`: what belongs together. It must not know how that is found.

use super::search::one_line;
use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::state::State;
use crate::state::communities::CommunityCard;
use crate::{wire, world};
use clap::{Args, Subcommand};

/// What a gardener of the wiki wants to know
#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Things that have more to do with each other than with the rest
    #[command(after_help = EXAMPLES)]
    Communities(Typed),
}

impl Verb {
    /// Who looks, as the setting it is.
    pub(super) fn viewer(&self) -> Option<String> {
        let Self::Communities(typed) = self;
        typed.viewer.clone()
    }
}

const EXAMPLES: &str = "Examples:\n  highwater report communities\n  \
    highwater report communities --as ann@example.com --json\n\n\
    First those with most facts between their members. A name is that of the members with most facts.";

/// What is shown of the communities, and to whom.
#[derive(Args, Debug)]
pub(super) struct Typed {
    /// Only what this user may see: a key, an e-mail address or a name [default: the setting `as`]
    #[arg(long = "as", value_name = "USER")]
    viewer: Option<String>,
    /// How many communities
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5000))]
    limit: u16,
    /// How many members of each
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5000))]
    members: u16,
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Result<Exit> {
    let Verb::Communities(typed) = verb;
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let state = wire::seen(&call.settings, state, world::live::now())?;
    tell(call, &state, (typed.limit, typed.members))
}

/// Prints the first so many communities, each with so many members, or says that there are none.
pub(super) fn tell(call: &Call, state: &State, (limit, members): (u16, u16)) -> Result<Exit> {
    let communities = state.communities(usize::from(limit), usize::from(members))?;
    if call.json {
        print_json(&communities)?;
        return Ok(Exit::Done);
    }
    communities.first.iter().try_for_each(print_community)?;
    match (communities.found, communities.found - communities.first.len()) {
        (0, _) => call.tell("no communities"),
        (_, 0) => {}
        (found, _) => {
            call.tell(&format!("{} of {found} communities; `--limit` shows more", communities.first.len()));
        }
    }
    Ok(Exit::Done)
}

/// A community on one line.
pub(super) fn line(card: &CommunityCard) -> String {
    format!("{}  ({} entities, {} facts)", one_line(&card.name), card.entities, card.facts)
}

fn print_community(card: &CommunityCard) -> Result<()> {
    print(&format!("{}  {}\n", line(card), card.community))?;
    let members: Vec<String> =
        card.members.iter().map(|member| format!("{} ({})", one_line(&member.name), member.kind)).collect();
    let more = match card.entities.saturating_sub(members.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    print(&format!("  {}{more}\n", members.join(", ")))?;
    card.parts.iter().try_for_each(|part| print(&format!("  part: {}  {}\n", line(part), part.community)))
}
