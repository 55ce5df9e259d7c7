//! Sweeps over the wiki: list all of it, take over who may see what, then make a worklist of what differs. It must not
//! know how a page is fetched or cut.
//!
//! Invariant: who may see what is as fresh as the run. Rules, the places of pages and the members of groups are taken
//! over as soon as a listing is complete, whatever else waits and whatever else the listing shows.

use super::{Limits, Plan};
use crate::error::{Error, Kind, Result};
use crate::job::Running;
use crate::sources::Ask;
use crate::state::State;
use crate::state::owed::{Compared, Listing, Sweep};
use crate::state::principals::Membership;
use crate::world::Task;
use knowledge::id::Version;
use knowledge::record::{Item, Record, Work, Worklist};

/// Share of the pages, in percent, that may vanish at once without a word from the user.
const VANISHED_PERCENT: usize = 10;
/// A wiki smaller than this may lose any number of pages: a share of a handful means nothing.
const VANISHED_FEW: usize = 5;

/// What every run owes before it goes on with a worklist that another one left: a listing, and what it shows of who may
/// see what. A re-indexing reads nothing, and is made whole first.
pub(super) fn rights(state: &State, running: &Running, limits: &Limits) -> Result<Plan> {
    if let Some(given) = &limits.principals
        && !state.knows_principals_of_this_term()?
    {
        // Also when nothing has changed: it was read, and is as fresh as this run.
        return Ok(Plan::settled(vec![Record::Principals(given.since(&state.membership()?))]));
    }
    if state.reindexing()?.is_some() || state.is_settled()? {
        return Ok(Plan::default());
    }
    let mut plan = match state.sweep()? {
        Some(sweep) if is_listed(&sweep) => Plan::settled(changed_rights(state, limits)?),
        Some(sweep) => list(Some(sweep), limits),
        None => Plan::default(),
    };
    plan.tasks.retain(|task| !running.holds(task));
    Ok(plan)
}

/// Begins a sweep, goes on with it, or turns a complete one into a worklist.
pub(super) fn plan(state: &State, limits: &Limits) -> Result<Plan> {
    let sweep = state.sweep()?;
    match sweep.as_ref().filter(|sweep| is_listed(sweep)) {
        Some(sweep) => {
            let rights = changed_rights(state, limits)?;
            match rights.is_empty() {
                true => worklist(state, sweep, limits),
                false => Ok(Plan::settled(rights)),
            }
        }
        None => Ok(list(sweep, limits)),
    }
}

/// Whether a sweep of this run has listed all there is, and nothing was made of it yet.
fn is_listed(sweep: &Sweep) -> bool {
    sweep.complete && !sweep.planned && sweep.of_this_term
}

/// The next part of a listing. One of an earlier run may be of a wiki that has changed since, or of one that was not
/// whole: a new run lists anew, which costs no model call and fetches nothing twice.
fn list(sweep: Option<Sweep>, limits: &Limits) -> Plan {
    let ask =
        |sweep, cursor| Plan { tasks: vec![Task::Read(Ask::List { sweep, cursor })], ..Plan::default() };
    match sweep {
        None if limits.sweep => ask(1, None),
        Some(Sweep { sweep, of_this_term: false, .. }) if limits.sweep => ask(sweep + 1, None),
        Some(Sweep { sweep, next: Some(cursor), complete: false, .. }) => ask(sweep, Some(cursor)),
        _ => Plan::default(),
    }
}

/// Who may see what, as far as the listing shows it otherwise than it is held.
fn changed_rights(state: &State, limits: &Limits) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let layers = state.changed_layers()?;
    if !layers.is_empty() || state.is_moved()? {
        records.push(Record::AudienceChanged { layers });
    }
    if let (None, Some(groups)) = (&limits.principals, state.listed_groups()?)
        && !state.knows_principals_of_this_term()?
    {
        // The rules name everybody who is in no group; a user of whom neither tells is not known.
        let found = Membership { groups, ..Membership::default() };
        records.push(Record::Principals(found.since(&state.membership()?)));
    }
    Ok(records)
}

fn worklist(state: &State, sweep: &Sweep, limits: &Limits) -> Result<Plan> {
    let mut compared = state.compared()?;
    // What a damaged listing lacks may still be there, whatever the user accepts.
    compared.retain(|page| page.listed.is_some() || !sweep.incomplete);
    guard_deletes(&compared, limits)?;
    // What was left of an earlier worklist counts.
    let gathered = state.gathered()?;
    let most = limits.pages.map(|most| most.saturating_sub(gathered));
    let mut items = Vec::new();
    for page in compared {
        if most.is_some_and(|most| items.len() >= most) {
            // The rest differs from what is held, and so is on the worklist of a run without this limit.
            break;
        }
        if let Some(work) = work_on(state, &page)? {
            items.push(Item { page: page.page, space: page.space, work });
        }
    }
    Ok(Plan::settled(vec![Record::Worklist(Worklist {
        sweep: sweep.sweep,
        epoch_pages: limits.epoch_pages,
        items,
    })]))
}

/// Many pages gone at once is more often an unmounted folder or a lost right than a clean-up.
fn guard_deletes(compared: &[Compared], limits: &Limits) -> Result<()> {
    let held = compared.iter().filter(|page| page.held.is_some()).count();
    let vanished = compared.iter().filter(|page| page.listed.is_none()).count();
    if limits.accept_deletes || vanished <= VANISHED_FEW || vanished * 100 <= held * VANISHED_PERCENT {
        return Ok(());
    }
    let text = format!("compare the listing with what is held: {vanished} of {held} pages vanished at once");
    Err(Error::new(Kind::Halt, text).hint(
        "check that the source is whole; if the pages really are gone, run again with `--accept-deletes`",
    ))
}

fn work_on(state: &State, page: &Compared) -> Result<Option<Work>> {
    let Some(listed) = &page.listed else { return Ok(Some(Work::Retract)) };
    let Listing { version, history, fingerprint, locator } = listed;
    let is_known = page.held.as_ref().is_some_and(|held| is_held(held, listed));
    if is_known && (history.is_empty() || fingerprint.is_empty()) {
        return Ok(None);
    }
    let erasure = state.erasure(&page.page)?;
    let erased = erasure.as_ref().map_or(Version(0), |erasure| erasure.version);
    if erasure.is_some_and(|erasure| erasure.fingerprint == *fingerprint)
        || version.is_some_and(|version| version <= erased)
    {
        return Ok(None);
    }
    let held = state.versions_held(&page.page)?;
    let newest = held.last().map_or(erased, |version| *version).max(erased);
    if page.held.is_some() && version.is_some_and(|version| version < newest) {
        // An older export, or a wiki put back from a backup: what is held was written later, and stays. It is counted
        // among what was passed over (`state/apply.rs`).
        return Ok(None);
    }
    let current = version.unwrap_or(Version(newest.0 + 1));
    let mut versions: Vec<Version> = history
        .iter()
        .copied()
        .filter(|old| *old < current && *old > erased && !held.contains(old))
        .collect();
    if is_known {
        // More of the history is wanted than before. What could not be had is not asked for again.
        let parked = state.parked_versions(&page.page)?;
        versions.retain(|version| !parked.contains(version));
        if versions.is_empty() {
            return Ok(None);
        }
    }
    versions.sort_unstable();
    versions.push(current);
    Ok(Some(Work::Fetch { versions, locator: locator.clone(), fingerprint: fingerprint.clone() }))
}

/// Whether a page is held as it is listed. Where the source could not read all of what a fingerprint is made of, the
/// version has to do.
fn is_held((version, fingerprint): &(Version, String), listed: &Listing) -> bool {
    match listed.fingerprint.is_empty() {
        true => listed.version == Some(*version),
        false => listed.fingerprint == *fingerprint,
    }
}
