//! `names`: a user's own word on which names are one thing and which are two. It must not know what follows from it.
//! Invariant: a name that may mean two things is refused with the choices, never guessed.

use super::seat::Seat;
use super::{Call, Exit, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::inquiry::one_line;
use crate::plan::Limits;
use crate::state::State;
use crate::state::rulings::{Called, Word};
use crate::{job, wire};
use clap::{Args, Subcommand};
use knowledge::graph::{Ruling, Verdict};
use knowledge::id::{EntityId, NodeId};
use knowledge::record::Ruled;
use knowledge::resolve::normalise;
use serde_json::json;
use std::collections::BTreeSet;

/// What a user says of names
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// These are two things, whatever rules, texts or models say
    #[command(
        after_help = "Example: highwater names apart OPS:\"Payment Gateway\" OPS:\"Payment Gateways\" \
                            --why \"the second is the hardware\""
    )]
    Apart {
        #[command(flatten)]
        two: Two,
        /// Why: `show --why` tells it
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// These are one thing, also across spaces
    #[command(
        after_help = "Example: highwater names same OPS:\"Ledger\" PAY:\"Main ledger\" --why \"renamed in May\""
    )]
    Same {
        #[command(flatten)]
        two: Two,
        /// Why: `show --why` tells it
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Take back what was said of these: rules and models decide again
    #[command(after_help = "Example: highwater names forget OPS:\"Ledger\" PAY:\"Main ledger\"")]
    Forget {
        #[command(flatten)]
        two: Two,
    },
    /// Show what was said and not taken back
    #[command(
        after_help = "Example: highwater names list\n\nFor operators: it knows every name, whoever may see it."
    )]
    List,
}

/// Two names.
#[derive(Args, Debug)]
pub(super) struct Two {
    /// An id that `show` printed, SPACE:NAME, or a name that means one thing alone
    #[arg(value_name = "NAME")]
    one: String,
    /// The other one
    #[arg(value_name = "OTHER")]
    other: String,
    /// Fence a run that is active on this vault
    #[arg(long)]
    take_over: bool,
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Result<Exit> {
    match verb {
        Verb::Apart { two, why } => say(call, two, (Verdict::Apart, why)).await,
        Verb::Same { two, why } => say(call, two, (Verdict::Same, why)).await,
        Verb::Forget { two } => forget(call, two).await,
        Verb::List => list(call).await,
    }
}

/// Records what a user says of two names.
async fn say(call: &Call, two: &Two, (verdict, why): (Verdict, &str)) -> Result<Exit> {
    let why = one_line(why);
    if why.is_empty() {
        return Err(Error::new(Kind::Usage, "`--why`: there is no word in it")
            .hint("say why, for whoever asks later: `highwater show NAME --why` tells it"));
    }
    let mut seat = take_seat(call, two.take_over).await?;
    let state = &seat.owned.state;
    let [ones, others] = meant_both(state, two)?;
    let ruling = |(one, other): (&Called, &Called)| {
        let (a, b) = (one.id.min(other.id), one.id.max(other.id));
        Ruling { a, b, verdict, why: why.clone() }
    };
    let pairs: Vec<(&Called, &Called)> =
        ones.iter().flat_map(|one| others.iter().map(move |other| (one, other))).collect();
    let said = Ruled { rulings: pairs.into_iter().map(ruling).collect(), ..Ruled::default() };
    record(&mut seat, said).await?;
    let of = |names: &[Called]| entities(&seat.owned.state, names);
    let (one, other) = (of(&ones)?, of(&others)?);
    let is = |verdict| if verdict == Verdict::Same { "is" } else { "is not" };
    match call.json {
        true => print_json(&json!({
            "verdict": verdict, "why": why, "names": [ones, others], "entities": [one, other],
        }))?,
        false => {
            let [one, other] = [&ones, &others].map(|names| shown(&names[0]));
            print(&format!("“{one}” {} “{other}”: {why}\n", is(verdict)))?;
            let entities: BTreeSet<EntityId> = of(&ones)?.into_iter().chain(of(&others)?).collect();
            entities.iter().try_for_each(|entity| print(&format!("  entity {entity}\n")))?;
        }
    }
    Ok(Exit::Done)
}

/// Takes back what was said of two names.
async fn forget(call: &Call, two: &Two) -> Result<Exit> {
    let mut seat = take_seat(call, two.take_over).await?;
    let [ones, others] =
        [any_called(&seat.owned.state, &two.one)?, any_called(&seat.owned.state, &two.other)?];
    let mut forgotten: BTreeSet<(NodeId, NodeId)> = BTreeSet::new();
    for word in seat.owned.state.words()? {
        for [a, b] in word.pairs {
            let is_meant = ones.contains(&a.id) && others.contains(&b.id)
                || ones.contains(&b.id) && others.contains(&a.id);
            forgotten.extend(is_meant.then_some((a.id, b.id)));
        }
    }
    if forgotten.is_empty() {
        let text = format!("names forget: nothing was said of `{}` and `{}`", two.one, two.other);
        return Err(Error::new(Kind::Usage, text).hint("`highwater names list` shows what was said"));
    }
    let count = forgotten.len();
    record(&mut seat, Ruled { forgotten: forgotten.into_iter().collect(), ..Ruled::default() }).await?;
    match call.json {
        true => print_json(&json!({"forgotten_pairs": count})),
        false => print(&format!("what was said of `{}` and `{}` is taken back\n", two.one, two.other)),
    }?;
    Ok(Exit::Done)
}

async fn list(call: &Call) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let words = state.words()?;
    match call.json {
        true => print_json(&words)?,
        false if words.is_empty() => call.tell("nobody has said anything of names yet"),
        false => words.iter().try_for_each(|word| print(&said(word)))?,
    }
    Ok(Exit::Done)
}

fn said(word: &Word) -> String {
    let Some([one, other]) = word.pairs.first() else { return String::new() };
    let is = if word.verdict == Verdict::Same { "is" } else { "is not" };
    let day = word.at.get(..10).unwrap_or(&word.at);
    let mut said = format!("“{}” {is} “{}”: {} ({day})\n", shown(one), shown(other), word.why);
    for [one, other] in &word.pairs {
        said.push_str(&format!("  {} {}\n", one.id, other.id));
    }
    said
}

/// A name as it may be typed.
fn shown(name: &Called) -> String {
    match (&name.space, name.name.is_empty()) {
        (_, true) => name.id.to_string(),
        (Some(space), _) => format!("{space}:{}", name.name),
        (None, _) => name.name.clone(),
    }
}

async fn take_seat(call: &Call, take_over: bool) -> Result<Seat> {
    let seat = Seat::take(call, take_over).await?;
    match seat.owned.state.reindexing()? {
        None => Ok(seat),
        Some(_) => Err(Error::new(Kind::Halt, "names: a re-indexing is under way")
            .hint("run `highwater pipeline` to its end first; nothing was changed")),
    }
}

/// Records what is said, with what it changes; nothing else is done.
async fn record(seat: &mut Seat, said: Ruled) -> Result<()> {
    let limits = Limits { ruled: Some(said), sweep: false, ..Limits::default() };
    let ran = job::run(&wire::world_without_wiki(), &mut seat.vault, &mut seat.owned.state, &limits)
        .await
        .map(drop);
    // What was refused changed nothing, and nothing is left undone either.
    seat.leave().await?;
    ran
}

/// The entities that hold these names now.
fn entities(state: &State, names: &[Called]) -> Result<BTreeSet<EntityId>> {
    let mut found = BTreeSet::new();
    for name in names {
        found.extend(state.called_by_id(name.id)?.and_then(|called| called.entity));
    }
    Ok(found)
}

/// All names that are meant by each of the two.
fn meant_both(state: &State, two: &Two) -> Result<[Vec<Called>; 2]> {
    let (mut ones, mut others) = (meant(state, &two.one)?, meant(state, &two.other)?);
    let entity = |names: &[Called]| names.first().and_then(|name| name.entity);
    // Within one entity an id means that very name; elsewhere it stands for the entity as it is called.
    if entity(&ones) != entity(&others) {
        ones = called_alike(state, ones)?;
        others = called_alike(state, others)?;
    }
    match ones.iter().any(|one| others.iter().any(|other| one.id == other.id)) {
        true => {
            let text = format!("names: `{}` and `{}` are one name", two.one, two.other);
            Err(Error::new(Kind::Usage, text).hint(choices("give the ids of two of these", &ones)))
        }
        false => Ok([ones, others]),
    }
}

/// The names a text means, all of one entity.
fn meant(state: &State, text: &str) -> Result<Vec<Called>> {
    let mut found = candidates(state, text)?;
    found.retain(|name| name.entity.is_some());
    let entities: BTreeSet<_> = found.iter().map(|name| name.entity).collect();
    match entities.len() {
        0 => Err(Error::new(Kind::Never, format!("names: nothing in the graph is called `{text}`"))
            .hint(format!("try `highwater search {text}`"))),
        1 => Ok(found),
        several => {
            let text = format!("names: `{text}` means {several} things");
            Err(Error::new(Kind::Usage, text).hint(choices("give the id of the one that is meant", &found)))
        }
    }
}

/// All that may be meant by a text.
fn candidates(state: &State, text: &str) -> Result<Vec<Called>> {
    if let Ok(id) = text.parse::<NodeId>() {
        return Ok(state.called_by_id(id)?.into_iter().collect());
    }
    let Some((space, name)) = text.split_once(':') else { return state.called(text) };
    if !state.has_space(space)? {
        return state.called(text);
    }
    let found = state.called(name)?;
    let is_here = |name: &Called| name.space.as_ref().is_some_and(|key| key.eq_ignore_ascii_case(space));
    let (here, rest): (Vec<Called>, Vec<Called>) = found.into_iter().partition(is_here);
    match here.is_empty() {
        false => Ok(here),
        // A distinctive name is the same in every space.
        true => Ok(rest.into_iter().filter(|name| name.space.is_none() && name.by.is_none()).collect()),
    }
}

/// The ids that a text may mean, also of names that nothing speaks of any more.
fn any_called(state: &State, text: &str) -> Result<BTreeSet<NodeId>> {
    let by_id = text.parse::<NodeId>().ok();
    Ok(candidates(state, text)?.into_iter().map(|name| name.id).chain(by_id).collect())
}

/// The names of an entity that read as one of these does.
fn called_alike(state: &State, names: Vec<Called>) -> Result<Vec<Called>> {
    let Some(entity) = names.first().and_then(|name| name.entity) else { return Ok(names) };
    let written: BTreeSet<String> = names.iter().map(|name| normalise(&name.name)).collect();
    let mut all = state.called_with(entity)?;
    all.retain(|name| written.contains(&normalise(&name.name)) || names.contains(name));
    Ok(all)
}

/// Names shown in an error; a name that means more is best asked about with its space.
const CHOICES: usize = 20;

fn choices(what: &str, names: &[Called]) -> String {
    let line = |name: &Called| {
        let by = name.by.as_ref().map(|by| format!(", by its {by}")).unwrap_or_default();
        format!("\n  {}  {} ({}{by})", name.id, one_line(&shown(name)), name.kind)
    };
    let mut text = format!("{what}:");
    text.extend(names.iter().take(CHOICES).map(line));
    if names.len() > CHOICES {
        text.push_str(&format!("\n  … {} more", names.len() - CHOICES));
    }
    text
}
