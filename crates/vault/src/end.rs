//! The end of the chain as an opener sees it: from the names and the last objects alone, so that opening costs the same
//! whatever the length of the journal. The chain before it is the reader's affair. It never writes.

use crate::chain::look;
use crate::error::{Error, Kind, Result};
use crate::identity::{Identity, identity};
use crate::segment::{self, Event, Header, Object, Voided, Writer, decode, key};
use crate::seq::{Digest, Ordinal, Position, Term};
use crate::snapshot::{Snapshot, snapshots};
use crate::store::ObjectStore;
use serde::de::IgnoredAny;

/// Where the next segment goes.
pub(crate) struct End {
    /// The last whole segment, if there is one.
    pub last: Option<(Header, Digest)>,
    /// What follows it, with the digests of what is there now.
    pub torn: Vec<Voided>,
    pub next: Ordinal,
}

/// The ordinals that belong to the journal, in order. What lies below a hole is none of it where pruning made the hole:
/// a writer that slept through the pruning may have created a name that was free again, for nothing.
pub(crate) async fn ordinals<S: ObjectStore>(store: &S, vault: &Identity) -> Result<Vec<Ordinal>> {
    let names = store.list("journal/", "", usize::MAX).await?;
    let mut ordinals: Vec<Ordinal> = names.iter().filter_map(|name| segment::ordinal(name)).collect();
    if ordinals.windows(2).any(|pair| pair[0].next() != pair[1])
        && let Some(before) = last_pruned(store, vault, &ordinals).await?
    {
        ordinals.retain(|ordinal| *ordinal >= before);
    }
    Ok(ordinals)
}

/// Up to where the journal was pruned, by the last entry that says so.
async fn last_pruned<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    ordinals: &[Ordinal],
) -> Result<Option<Ordinal>> {
    for &ordinal in ordinals.iter().rev() {
        let Some(Object::Whole(whole)) = look(store, vault, ordinal).await? else { continue };
        for entry in decode::<IgnoredAny>(&whole)?.entries.into_iter().rev() {
            if let Event::Pruned { before } = entry.event {
                return Ok(Some(before));
            }
        }
    }
    Ok(None)
}

/// Finds the end of the chain. What pruning has deleted is missing at the start; a hole is damage. Whoever has read up
/// to `from` need not see the names before it.
pub(crate) async fn end_of_chain<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    from: Option<Ordinal>,
) -> Result<End> {
    let ordinals = match from {
        None => ordinals(store, vault).await?,
        Some(from) => {
            let before = key(Ordinal::new(from.get().saturating_sub(1)));
            let names = store.list("journal/", &before, usize::MAX).await?;
            names.iter().filter_map(|name| segment::ordinal(name)).collect()
        }
    };
    if from.is_some() && ordinals.first() != from.as_ref() {
        // What was read is not there any more: it takes a look at all there is to say what that means.
        return Box::pin(end_of_chain(store, vault, None)).await;
    }
    let mut end = End { last: None, torn: Vec::new(), next: Ordinal::new(1) };
    let first = ordinals.first().map_or(1, |ordinal| ordinal.get());
    for (expected, &found) in (first..).map(Ordinal::new).zip(&ordinals) {
        if found != expected {
            let place = store.place(&key(expected));
            return Err(Error::damaged(&place, "it is missing, but there are segments after it"));
        }
        end.next = found.next();
    }
    let is_atomic = store.is_atomic().await;
    for &ordinal in ordinals.iter().rev() {
        let object = match is_atomic {
            true => look(store, vault, ordinal).await?,
            false => look_for_all(store, vault, ordinal).await?,
        };
        match object {
            Some(Object::Whole(whole)) => {
                end.last = Some((whole.header.clone(), whole.digest));
                break;
            }
            Some(Object::Torn(digest, size)) => {
                let bytes = (!is_atomic).then_some(size);
                end.torn.push(Voided { name: key(ordinal), digest, bytes });
            }
            None => {
                let place = store.place(&key(ordinal));
                return Err(Error::new(
                    Kind::Later,
                    format!("reading `{place}`: it was listed, but is not there"),
                ));
            }
        }
    }
    if from.is_some() && end.last.is_none() {
        return Box::pin(end_of_chain(store, vault, None)).await;
    }
    end.torn.reverse();
    if first > 1 && from.is_none() {
        check_covered(store, vault, (&ordinals, &end)).await?;
    }
    Ok(end)
}

/// A journal may lack its start only where a snapshot stands on what is left of it, or pruning says so.
async fn check_covered<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    (ordinals, end): (&[Ordinal], &End),
) -> Result<()> {
    let first = ordinals.first().copied().unwrap_or_default();
    let covers = |saved: &Snapshot| saved.base.position.ordinal >= first;
    if end.last.is_some()
        && (snapshots(store).await?.whole.iter().any(covers)
            || last_pruned(store, vault, ordinals).await?.is_some_and(|before| before >= first))
    {
        return Ok(());
    }
    let place = store.place(&key(Ordinal::new(first.get() - 1)));
    Err(Error::damaged(&place, "it is missing, but there are segments after it"))
}

/// How often an object is looked at that changes from one look to the next: its writer is at it, and writes a few
/// parts.
const LOOKS: u32 = 4;

/// Looks at an object as all see it: a mount shows its own machine what another process has written and not published,
/// and may never publish because the name is taken. An opening that links to such a one would break the chain; one that
/// passes it would pass what another machine has published and counts on. What was settled between two equal looks is
/// no such thing.
pub(crate) async fn look_for_all<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    ordinal: Ordinal,
) -> Result<Option<Object>> {
    let key = key(ordinal);
    let mut seen = look(store, vault, ordinal).await?;
    for _ in 0..LOOKS {
        store.settle(&key).await?;
        let again = look(store, vault, ordinal).await?;
        if again.as_ref().map(Object::digest) == seen.as_ref().map(Object::digest) {
            return Ok(again);
        }
        seen = again;
    }
    let text = format!("reading `{}`: it was another object a moment ago", store.place(&key));
    Err(Error::new(Kind::Later, text).with_hint("another writer was just at it; start again"))
}

/// The last term of a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reign {
    /// Which one.
    pub term: Term,
    /// Whose it is; none where the segment that says so was pruned.
    pub writer: Option<Writer>,
    /// It ended, and left nothing undone.
    pub closed: bool,
}

/// Who wrote last; none if nobody did yet. A courtesy among writers may ask: nothing that is decided here depends on
/// it. Whoever has read the journal up to `from` says so, and sees fewer names.
pub async fn reign<S: ObjectStore>(store: &S, from: Option<Position>) -> Result<Option<Reign>> {
    let vault = identity(store).await?;
    let from = from.map(|position| position.ordinal);
    let Some((header, _)) = end_of_chain(store, &vault, from).await?.last else { return Ok(None) };
    let read = async |ordinal| match look(store, &vault, ordinal).await? {
        Some(Object::Whole(whole)) => Ok(decode::<IgnoredAny>(&whole)?.entries),
        _ => Ok::<_, Error>(Vec::new()),
    };
    let last = read(header.ordinal).await?;
    let closed = matches!(last.last(), Some(entry) if matches!(entry.event, Event::Closed));
    let opening = if header.opened == header.ordinal { last } else { read(header.opened).await? };
    let writer = opening.into_iter().next().and_then(|entry| match entry.event {
        Event::Opened { writer, .. } => Some(writer),
        _ => None,
    });
    Ok(Some(Reign { term: header.term, writer, closed }))
}
