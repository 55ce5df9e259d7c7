//! `report communities`: what belongs together. It must not know how that is found.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::inquiry::{one_line, say_community, say_portrait};
use crate::state::State;
use crate::state::communities::CommunityCard;

pub(super) const EXAMPLES: &str = "Examples:\n  highwater report communities\n  \
    highwater report communities --as ann@example.com --json\n\n\
    First those with most facts between their members. Where a model gave no name, it is that of the members with \
    most facts.";

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

fn print_community(card: &CommunityCard) -> Result<()> {
    print(&format!("{}  {}\n", say_community(card), card.community))?;
    say_portrait(card).map_or(Ok(()), |line| print(&format!("  {line}\n")))?;
    let members: Vec<String> =
        card.members.iter().map(|member| format!("{} ({})", one_line(&member.name), member.kind)).collect();
    let more = match card.entities.saturating_sub(members.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    print(&format!("  {}{more}\n", members.join(", ")))?;
    card.parts.iter().try_for_each(|part| {
        print(&format!("  part: {}  {}\n", say_community(part), part.community))?;
        say_portrait(part).map_or(Ok(()), |line| print(&format!("    {line}\n")))
    })
}
