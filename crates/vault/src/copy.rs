//! Copying a vault from one store to another, whatever kinds they are. It can be killed and goes on, and a copy is a vault
//! only when it is complete: the identity comes last.

use crate::error::{Error, Kind, Result};
use crate::identity::{IDENTITY, identity};
use crate::segment::{Object, inspect, ordinal};
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

/// Copies all objects of a vault, but `HEAD.json`, which says what a writer does. `each` is told after every object. What
/// is there already must have the same bytes: that of an earlier copy, or of an earlier state of the same vault.
///
/// What a writer adds meanwhile is copied the next time. A last segment that is not whole was never acknowledged, or
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
    let last = journal.iter().rfind(|name| ordinal(name).is_some());
    let mut snapshots = from.list("snapshots/", "", usize::MAX).await?;
    // A snapshot counts by its manifest, so that goes last.
    snapshots.sort_by_key(|key| key.ends_with("/manifest.json"));
    for key in journal.iter().filter(|name| ordinal(name).is_some()).chain(&snapshots) {
        // A writer deletes old snapshots at any time.
        let Some(bytes) = from.get(key).await? else { continue };
        if Some(key) == last && matches!(inspect(bytes.clone(), from.place(key))?, Object::Torn(..)) {
            continue;
        }
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

/// A target is empty, or holds this very vault, or an unfinished copy.
async fn check_target<A: ObjectStore, B: ObjectStore>(from: &A, to: &B) -> Result<()> {
    match (from.get(IDENTITY).await?, to.get(IDENTITY).await?) {
        (Some(ours), Some(theirs)) if ours != theirs => {
            let text = format!("copying to `{}`: another vault is there", to.place(IDENTITY));
            return Err(Error::new(Kind::Halt, text).with_hint("name an empty target"));
        }
        _ => {}
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
