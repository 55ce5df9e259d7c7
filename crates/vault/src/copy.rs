//! Copying a vault from one store to another, whatever kinds they are. It can be killed and goes on, and a copy is a
//! vault only when it is complete: the identity comes last.

use crate::error::{Error, Kind, Result};
use crate::identity::{IDENTITY, identity};
use crate::segment::{Object, inspect, ordinal};
use crate::seq::Ordinal;
use crate::store::{ObjectStore, Put};

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects that were written.
    pub objects: u64,
    /// Objects that were there already, with the same bytes.
    pub found: u64,
    /// Bytes of those that were written.
    pub bytes: u64,
}

/// Copies all objects of a vault, but `HEAD.json`, which says what a writer does. `each` is told after every object.
/// What is there already must have the same bytes: that of an earlier copy, or of an earlier state of the same vault.
///
/// What a writer adds meanwhile is copied the next time. What follows the last whole segment was never acknowledged, or
/// is just being written: it is left out.
pub async fn copy<A: ObjectStore, B: ObjectStore>(
    from: &A,
    to: &B,
    mut each: impl FnMut(&Copied),
) -> Result<Copied> {
    let vault = identity(from).await?;
    check_target(from, to).await?;
    let mut copied = Copied::default();
    let journal = from.list("journal/", "", usize::MAX).await?;
    let last = last_whole(from, &journal).await?;
    check_no_gap(&journal, to).await?;
    let mut snapshots = from.list("snapshots/", "", usize::MAX).await?;
    // A snapshot counts by its manifest, so that goes last.
    snapshots.sort_by_key(|key| key.ends_with("/manifest.json"));
    let is_kept = |name: &&String| ordinal(name).is_some_and(|ordinal| Some(ordinal) <= last);
    for key in journal.iter().filter(is_kept).chain(&snapshots) {
        // A writer deletes old snapshots at any time.
        let Some(bytes) = from.get(key).await? else { continue };
        put(to, key, &bytes, &mut copied).await?;
        each(&copied);
    }
    let Some(bytes) = from.get(IDENTITY).await? else {
        return Err(Error::new(Kind::Later, format!("copying vault `{}`: it vanished meanwhile", vault.id)));
    };
    put(to, IDENTITY, &bytes, &mut copied).await?;
    each(&copied);
    Ok(copied)
}

async fn last_whole<A: ObjectStore>(from: &A, journal: &[String]) -> Result<Option<Ordinal>> {
    for key in journal.iter().rev() {
        let Some(number) = ordinal(key) else { continue };
        let Some(bytes) = from.get(key).await? else { continue };
        if let Object::Whole(_) = inspect(bytes, from.place(key))? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// A target is empty, or holds this very vault, or an unfinished copy.
async fn check_target<A: ObjectStore, B: ObjectStore>(from: &A, to: &B) -> Result<()> {
    match (from.get(IDENTITY).await?, to.get(IDENTITY).await?) {
        (Some(ours), Some(theirs)) if ours != theirs => {
            let text = format!("copying to `{}`: another vault is there", to.place(IDENTITY));
            return Err(Error::new(Kind::Halt, text).with_hint("name an empty target"));
        }
        (Some(_), Some(_)) => {}
        _ => check_unfinished(from, to).await?,
    }
    let others = to.list("", "", usize::MAX).await?.into_iter().find(|key| {
        let ours = ["journal/", "snapshots/", IDENTITY, "HEAD.json"];
        !ours.iter().any(|prefix| key.starts_with(prefix))
    });
    match others {
        Some(other) => {
            let text = format!("copying: found `{}`, expected an empty target", to.place(&other));
            Err(Error::new(Kind::Halt, text)
                .with_hint("name an empty folder, or a prefix that holds nothing"))
        }
        None => Ok(()),
    }
}

/// Where the source was pruned beyond what an earlier copy has, the copy would get a hole.
async fn check_no_gap<B: ObjectStore>(journal: &[String], to: &B) -> Result<()> {
    let first = journal.iter().find_map(|name| ordinal(name));
    let held = to.list("journal/", "", usize::MAX).await?;
    let last = held.iter().rev().find_map(|name| ordinal(name));
    match (first, last) {
        (Some(first), Some(last)) if first > last.next() => {
            let text =
                format!("copying: the target ends at segment {last}, the source was pruned before {first}");
            Err(Error::new(Kind::Halt, text).with_hint("name an empty target"))
        }
        _ => Ok(()),
    }
}

/// An unfinished copy has no identity yet, but every segment in it says whose it is.
async fn check_unfinished<A: ObjectStore, B: ObjectStore>(from: &A, to: &B) -> Result<()> {
    let vault = identity(from).await?;
    for name in to.list("journal/", "", usize::MAX).await? {
        if ordinal(&name).is_none() {
            continue;
        }
        let Some(bytes) = to.get(&name).await? else { continue };
        let place = to.place(&name);
        let Object::Whole(whole) = inspect(bytes, place.clone())? else { continue };
        if whole.header.vault != vault.id {
            let text = format!("copying: `{place}` belongs to vault `{}`", whole.header.vault);
            return Err(Error::new(Kind::Halt, text).with_hint("name an empty target"));
        }
        return Ok(());
    }
    Ok(())
}

async fn put<B: ObjectStore>(to: &B, key: &str, bytes: &[u8], copied: &mut Copied) -> Result<()> {
    if to.put_new(key, bytes).await? == Put::Created {
        copied.objects += 1;
        copied.bytes += bytes.len() as u64;
        return Ok(());
    }
    match to.get(key).await? {
        Some(found) if found == bytes => {
            copied.found += 1;
            Ok(())
        }
        _ => {
            let text = format!("copying: `{}` is there with other bytes", to.place(key));
            Err(Error::new(Kind::Damaged, text).with_hint(
                "the target holds another branch of this vault, or is damaged: name an empty target",
            ))
        }
    }
}
