//! Verbs that write to a vault: `vault prune` and `vault erase`.

use crate::cli::seat::Seat;
use crate::cli::{Call, Exit, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::job;
use crate::plan::{Limits, Until};
use crate::state::State;
use crate::wire;
use crate::world::live;
use jiff::SignedDuration;
use knowledge::id::PageId;
use knowledge::record::Record;
use knowledge::time::Timestamp;
use serde_json::json;
use vault::{AnyStore, Ordinal, Segment, Snapshot, snapshot};

/// Snapshots of this fold version whose every part was read and is as it was written, newest first.
async fn verified(store: &AnyStore) -> Result<Vec<Snapshot>> {
    let mut sound = Vec::new();
    for found in snapshot::snapshots(store).await?.whole {
        if found.base.fold == State::fold() && snapshot::verify_snapshot(store, &found).await.is_ok() {
            sound.push(found);
        }
    }
    Ok(sound)
}

/// Deletes segments that are older than so many days and that the second newest verified snapshot covers.
pub(super) async fn prune(call: &Call, keep_days: u32, take_over: bool) -> Result<Exit> {
    let mut open = Seat::take(call, take_over).await?;
    let sound = verified(&open.vaulted.store).await?;
    let Some(covering) = sound.get(1) else {
        return Err(Error::new(
            Kind::Halt,
            format!("pruning: found {} verified snapshots, expected two at least", sound.len()),
        )
        .hint("each run that brings much leaves a snapshot; nothing was deleted"));
    };
    let found = vault::verify(&open.vaulted.store).await?;
    super::past::compare(call, &open.vaulted, &found).await?;
    let oldest = live::now()
        .checked_sub(SignedDuration::from_hours(24) * i32::try_from(keep_days).unwrap_or(i32::MAX));
    let old = before(&open.vaulted.store, oldest.unwrap_or(Timestamp::MIN)).await?;
    let before = old.min(covering.base.position.ordinal);
    let (segment, deleted) = open.vault.prune::<Record>(live::now(), before).await?;
    open.owned.state.advance(&segment)?;
    open.leave().await?;
    call.tell(BOUND);
    match call.json {
        true => print_json(&json!({"before_segment": before, "deleted": deleted}))?,
        false => print(&format!(
            "deleted {deleted} segments before segment {before}; snapshots of records {} and {} cover them\n",
            sound[0].base.seq, covering.base.seq
        ))?,
    }
    Ok(Exit::Done)
}

/// What pruning means for later versions of the program.
const BOUND: &str = "without its first segments the vault can be read only by versions of this program that can use \
                     its snapshots; keep this version, or a copy made before";

/// The first segment that has an entry of this moment or later.
async fn before(store: &AnyStore, oldest: Timestamp) -> Result<Ordinal> {
    let start = vault::start(store).await?;
    let mut first = None;
    let mut last = Ordinal::new(1);
    vault::read(store, start, |segment: Segment<serde::de::IgnoredAny>| {
        last = segment.position.ordinal;
        if first.is_none() && segment.entries.iter().any(|entry| entry.at >= oldest) {
            first = Some(last);
        }
        Ok::<_, Error>(())
    })
    .await?;
    let first = first.unwrap_or(last);
    // The segment that reading begins behind is as old as the one after it says.
    Ok(match start {
        Some(start) if first == start.ordinal.next() => start.ordinal,
        _ => first,
    })
}

/// Erases all that came from a page, from the state, the snapshots and the journal.
pub(super) async fn erase(call: &Call, page: &str, take_over: bool) -> Result<Exit> {
    let mut open = Seat::take(call, take_over).await?;
    let page = PageId::new(page);
    let state = &mut open.owned.state;
    // An erasure that was cut short goes on where it was: retracting, or cleaning up behind it.
    let begun = state.erasure(&page)?;
    let is_under_way = begun.as_ref().is_some_and(|erasure| !erasure.is_done);
    if (!state.is_settled()? && !is_under_way) || state.reindexing()?.is_some() {
        return Err(Error::new(Kind::Halt, "erasing: there is work under way").hint(
            "run `highwater pipeline` to its end first (`--model none` asks nobody); nothing was erased",
        ));
    }
    if state.erasable(&page)?.is_none() && begun.is_none() {
        let text = format!("erasing page `{}`: nothing is held of it", page.as_str());
        return Err(
            Error::new(Kind::Usage, text).hint("`highwater search` and `show` name pages by their ids")
        );
    }
    let limits =
        Limits { erase: Some(page.clone()), sweep: false, until: Until::Indexed, ..Limits::default() };
    let world = wire::world_without_wiki();
    job::run(&world, &mut open.vault, state, &limits).await?;
    if !state.erasure(&page)?.is_some_and(|erasure| erasure.is_done) {
        return Err(Error::new(Kind::Later, "erasing was interrupted")
            .hint("run the same command again: until it ends, the vault still holds the page"));
    }
    // What was deleted must not stay in free pages of the file that is saved now.
    state.vacuum()?;
    let saved = job::save(&open.vault, state, live::now()).await?;
    let (segment, deleted) = open.vault.prune::<Record>(live::now(), saved.base.position.ordinal).await?;
    open.owned.state.advance(&segment)?;
    let parts = snapshot::drop_before(&open.vaulted.store, &saved).await?;
    // One snapshot alone would be all there is.
    job::save(&open.vault, &mut open.owned.state, live::now()).await?;
    open.leave().await?;
    call.tell(BOUND);
    let place = call.settings.text("vault").to_owned();
    match call.json {
        true => print_json(&json!({
            "page": page.as_str(), "deleted_segments": deleted, "deleted_snapshot_objects": parts,
            "snapshot": saved.name,
        }))?,
        false => print(&format!(
            "erased page `{}`: {deleted} segments and {parts} objects of older snapshots are deleted\n",
            page.as_str()
        ))?,
    }
    call.tell(&format!(
        "what may remain: copies of `{place}` and of state files elsewhere; in a bucket with versions or soft delete, \
         the deleted objects until its retention ends (delete noncurrent versions under `journal/` and `snapshots/`)"
    ));
    Ok(Exit::Done)
}
