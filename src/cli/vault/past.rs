//! `vault restore`, `vault verify`, `vault copy`: the vault read from end to end.

use crate::cli::{Call, Exit, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::state::State;
use crate::state::snapshots::Until;
use crate::wire::{self, Vaulted};
use serde_json::json;
use std::path::Path;
use vault::{Seq, Verified};

/// Makes a state file as it was at a record or a moment.
pub(super) async fn restore(call: &Call, to: &Path, until: Option<Until>) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    if to.exists() {
        let text = format!("restoring to `{}`: there is a file already", to.display());
        return Err(Error::new(Kind::Usage, text).hint("name a file that is not there yet"));
    }
    let until = until.unwrap_or(Until::Now);
    let id = vaulted.identity.id.to_string();
    let state = State::restore_past((to, &id), &vaulted.store, until, &|text| call.tell(text)).await?;
    let applied = state.applied()?;
    let counts = state.counts()?;
    match call.json {
        true => print_json(&json!({
            "file": to, "applied_seq": applied, "pages": counts.pages, "facts": counts.facts,
        }))?,
        false => print(&format!(
            "restored record {applied} to `{}`: {} pages, {} entities, {} facts\n",
            to.display(),
            counts.pages,
            counts.entities,
            counts.facts
        ))?,
    }
    Ok(Exit::Done)
}

/// Copies a vault.
pub(super) async fn copy(call: &Call, from: &str, to: &str) -> Result<Exit> {
    let (source, target) = (wire::store(from)?, wire::store(to)?);
    let mut told = 0;
    let copied = vault::copy(&source, &target, |copied| {
        if copied.bytes >= told + (256 << 20) {
            told = copied.bytes;
            call.tell(&format!("copied {}", indicatif::HumanBytes(copied.bytes)));
        }
    })
    .await?;
    let found = vault::verify(&target).await?;
    match call.json {
        true => print_json(&json!({
            "written": copied.objects, "found": copied.found, "bytes": copied.bytes, "last_seq": found.tail.seq,
        }))?,
        false => print(&format!(
            "copied {} objects ({}), {} were there already; `{to}` is verified up to record {}\n",
            copied.objects,
            indicatif::HumanBytes(copied.bytes),
            copied.found,
            found.tail.seq
        ))?,
    }
    Ok(Exit::Done)
}

/// Checks every object, and that folding the journal gives what the newest snapshot holds.
pub(super) async fn verify(call: &Call, quick: bool) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let found = vault::verify(&vaulted.store).await?;
    let folded = if quick { None } else { compare(call, &vaulted, &found).await? };
    if call.json {
        print_json(&json!({
            "id": vaulted.identity.id, "segments": found.segments, "entries": found.entries, "bytes": found.bytes,
            "terms": found.terms, "voided": found.voided, "last_seq": found.tail.seq, "torn": found.tail.torn.len(),
            "snapshots": found.snapshots.len(), "pruned_before": found.pruned_before, "folded_snapshot": folded,
        }))?;
        return Ok(Exit::Done);
    }
    print(&format!(
        "vault {} is whole: {} entries in {} segments ({}), {} terms, {} snapshots, last record {}\n",
        vaulted.identity.id,
        found.entries,
        found.segments,
        indicatif::HumanBytes(found.bytes),
        found.terms,
        found.snapshots.len(),
        found.tail.seq
    ))?;
    if let Some(first) = found.pruned_before {
        print(&format!("the journal begins at segment {first}; what is before is in snapshots\n"))?;
    }
    if let Some(seq) = folded {
        print(&format!("folding the journal gives the graph of the snapshot of record {seq}\n"))?;
    }
    for name in &found.voided_but_whole {
        print(&format!("`{name}` was passed and is whole by now: the next run takes up its answers\n"))?;
    }
    for torn in &found.tail.torn {
        print(&format!(
            "`{}` is torn: it was never acknowledged, and the next run will pass it\n",
            torn.name
        ))?;
    }
    Ok(Exit::Done)
}

/// Folds up to the newest snapshot, from the start or from an older one, and compares. Gives the record it is of; none
/// where there is nothing to compare.
pub(super) async fn compare(call: &Call, vaulted: &Vaulted, found: &Verified) -> Result<Option<Seq>> {
    let mut ours = found.snapshots.iter().filter(|snapshot| snapshot.base.fold == State::fold());
    let Some(newest) = ours.next() else { return Ok(None) };
    let older = ours.next();
    if found.pruned_before.is_some() && older.is_none() {
        return Ok(None);
    }
    call.tell(&format!("folding the journal up to record {}", newest.base.seq));
    let folder = tempfile::tempdir_in(folder_of(&call.settings.path("state")))
        .map_err(|error| Error::new(Kind::Halt, format!("making a temporary folder: {error}")))?;
    let id = vaulted.identity.id.to_string();
    let (one, other) = (folder.path().join("saved.db"), folder.path().join("folded.db"));
    let saved = State::unpack((&one, &id), &vaulted.store, newest).await?;
    let mut folded = match (found.pruned_before, older) {
        (Some(_), Some(older)) => State::unpack((&other, &id), &vaulted.store, older).await?,
        _ => State::open(&other, &id)?,
    };
    folded.catch_up_until(&vaulted.store, Until::Seq(newest.base.seq)).await?;
    if saved.dump()? != folded.dump()? {
        let text = format!("snapshot `{}` does not hold what the journal folds to", newest.name);
        return Err(Error::new(Kind::Vault, text).hint(
            "delete its folder under `snapshots/`: the journal has everything; and please report this",
        ));
    }
    Ok(Some(newest.base.seq))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
