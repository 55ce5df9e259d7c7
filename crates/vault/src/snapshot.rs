//! Snapshots: the file that a program has folded from the journal, as it was after some entry, kept in parts so that
//! neither saving nor restoring holds more than a part in memory. This file knows nothing of what the file holds.
//!
//! The invariant: a snapshot counts only by its manifest, which is written last, after every part was read back; and it
//! is deleted manifest first. So whatever a kill leaves is either a whole snapshot or none. The journal never depends
//! on one, until pruning makes it.
//!
//! A snapshot is a folder of objects, not one: every store can create a part in one request, a part that failed is sent
//! again alone, and `zstdcat snapshots/NAME/*.zst` still gives the file.

use crate::end::end_of_chain;
use crate::error::{Error, Kind, Result};
use crate::identity::identity;
use crate::sealed::{document, is_cut, read_document, seal, unseal};
use crate::segment::FORMAT;
use crate::seq::{Digest, Nonce, Position, Seq, VaultId};
use crate::store::ObjectStore;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::io::Read;

/// Where snapshots are.
const FOLDER: &str = "snapshots/";

/// What a part inflates to, but the last. Two of them and their compressed forms are in memory at once, far below what
/// a small job has; smaller ones would cost a request each for nothing.
const PART_BYTES: usize = 16 << 20;

/// zstd's default: state files are pages of rows, which level 3 halves at several hundred megabytes a second.
const LEVEL: i32 = 3;

/// How often a part is put and read back before saving is given up.
const PART_ATTEMPTS: u32 = 3;

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The last entry folded in.
    pub seq: Seq,
    /// The last segment folded in; reading goes on behind it.
    pub position: Position,
    /// The version of the folding program's rules and tables: another one cannot use the file.
    pub fold: u32,
    /// The size of all segments folded in, as objects: what a later tail is compared with.
    pub journal_bytes: u64,
    /// When it was taken, by the writer's clock.
    pub at: Timestamp,
}

/// A whole snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    format: u32,
    vault: VaultId,
    /// The folder it is in, by name.
    pub name: String,
    /// What it is of.
    pub base: Base,
    /// The size of the file.
    pub bytes: u64,
    /// The size of its parts as objects.
    pub stored_bytes: u64,
    /// The BLAKE3 of the file.
    digest: Digest,
    /// The digests of its parts, each of a whole object.
    parts: Vec<Digest>,
}

/// What is under `snapshots/`.
#[derive(Clone, Debug, Default)]
pub struct Snapshots {
    /// Those with a sound manifest, newest first.
    pub whole: Vec<Snapshot>,
    /// Why others do not count.
    pub damaged: Vec<Error>,
}

/// Lists snapshots by their manifests. Parts are not looked at.
pub async fn snapshots<S: ObjectStore>(store: &S) -> Result<Snapshots> {
    let vault = identity(store).await?;
    let mut found = Snapshots::default();
    for key in store.list(FOLDER, "", usize::MAX).await? {
        let Some(name) = key.strip_prefix(FOLDER).and_then(|rest| rest.strip_suffix("/manifest.json")) else {
            continue;
        };
        // Another process may have deleted it since.
        let Some(bytes) = store.get(&key).await? else { continue };
        if is_cut(&bytes) && !store.is_atomic().await {
            // Its writer was killed, or is still at it: not a snapshot yet.
            continue;
        }
        let place = store.place(&key);
        match read_document::<Snapshot>(&bytes, &place) {
            Ok(snapshot) if snapshot.vault != vault.id => {
                let text = format!("reading `{place}`: it belongs to vault `{}`", snapshot.vault);
                found.damaged.push(Error::new(Kind::Damaged, text).with_hint("delete its folder"));
            }
            Ok(snapshot) if snapshot.name == name => found.whole.push(snapshot),
            Ok(snapshot) => {
                found.damaged.push(damaged(&place, format_args!("it names `{}`", snapshot.name)));
            }
            Err(error) => found.damaged.push(error.with_hint(WAY_OUT)),
        }
    }
    found.whole.sort_by(|a, b| (b.base.seq, &b.name).cmp(&(a.base.seq, &a.name)));
    Ok(found)
}

/// Saves a file as a snapshot. `from` must give exactly `bytes` bytes; an error of it ends the saving. What was put by
/// then does not count, and is deleted by [`rotate`].
pub async fn save<S: ObjectStore>(
    store: &S,
    (base, nonce): (Base, Nonce),
    bytes: u64,
    from: impl Read + Send,
) -> Result<Snapshot> {
    save_in_parts(store, (base, nonce), (bytes, PART_BYTES), from).await
}

/// The same in parts of this size, 16 MB at most: for tests, which want many small ones.
pub async fn save_in_parts<S: ObjectStore>(
    store: &S,
    (base, nonce): (Base, Nonce),
    (bytes, part_bytes): (u64, usize),
    mut from: impl Read + Send,
) -> Result<Snapshot> {
    let part_bytes = part_bytes.clamp(1, PART_BYTES) as u64;
    let vault = identity(store).await?;
    // The writer's nonce keeps those apart that two writers take of the same entry.
    let name = format!("{:012}-{}-{}", base.seq, base.fold, &nonce.to_string()[..8]);
    let mut snapshot = Snapshot {
        format: FORMAT,
        vault: vault.id,
        name,
        base,
        bytes,
        stored_bytes: 0,
        digest: Digest::of(&[]),
        parts: Vec::new(),
    };
    let mut hasher = blake3::Hasher::new();
    let mut left = bytes;
    while left > 0 {
        let length = left.min(part_bytes) as usize;
        let mut raw = vec![0; length];
        from.read_exact(&mut raw).map_err(|error| {
            Error::new(Kind::Later, format!("reading the file of snapshot `{}`: {error}", snapshot.name))
        })?;
        hasher.update(&raw);
        let part = compress(&raw)?;
        drop(raw);
        put_part(store, &part_key(&snapshot.name, snapshot.parts.len()), &part).await?;
        snapshot.stored_bytes += part.len() as u64;
        snapshot.parts.push(Digest::of(&part));
        left -= length as u64;
    }
    snapshot.digest = Digest::new(*hasher.finalize().as_bytes());
    // Whoever has taken over since may be deleting what we have put.
    let end = end_of_chain(store, &vault, Some(base.position.ordinal)).await?;
    if end.last.is_none_or(|(header, _)| header.nonce != nonce) {
        let text = format!("saving snapshot `{}`: another writer has taken over the vault", snapshot.name);
        return Err(Error::new(Kind::Fenced, text));
    }
    let manifest = manifest_key(&snapshot.name);
    has_parts(store, &snapshot).await?;
    put_part(store, &manifest, &document(&snapshot, "manifest.json")?).await?;
    match has_parts(store, &snapshot).await {
        Ok(()) => Ok(snapshot),
        Err(error) => {
            store.delete(&manifest).await?;
            Err(error)
        }
    }
}

/// Sees that nobody has deleted parts. A writer that slept while another took over and rotated has lost them: without a
/// manifest they looked like what a kill leaves.
async fn has_parts<S: ObjectStore>(store: &S, snapshot: &Snapshot) -> Result<()> {
    let folder = format!("{FOLDER}{}/", snapshot.name);
    let names = store.list(&folder, "", usize::MAX).await?;
    let missing = (0..snapshot.parts.len()).map(|number| part_key(&snapshot.name, number));
    match missing.into_iter().find(|key| !names.contains(key)) {
        None => Ok(()),
        Some(key) => {
            let text = format!("saving snapshot `{}`: `{}` is gone", snapshot.name, store.place(&key));
            Err(Error::new(Kind::Later, text).with_hint("another writer has taken over the vault"))
        }
    }
}

fn compress(raw: &[u8]) -> Result<Vec<u8>> {
    let mut part = zstd::bulk::compress(raw, LEVEL)
        .map_err(|error| Error::bug(format!("compressing a part of a snapshot: {error}")))?;
    seal(&mut part);
    Ok(part)
}

/// Puts an object and reads it back. What an earlier attempt left under its name is nobody's, since no manifest names
/// it.
async fn put_part<S: ObjectStore>(store: &S, key: &str, bytes: &[u8]) -> Result<()> {
    let mut found = None;
    for _ in 0..PART_ATTEMPTS {
        match store.put_new(key, bytes).await {
            Err(error) if error.kind() != Kind::Later => return Err(error),
            _ => {}
        }
        match store.get(key).await {
            Ok(Some(read)) if read == bytes => return Ok(()),
            Ok(Some(_)) => {
                store.delete(key).await?;
                found = None;
            }
            Ok(None) => found = None,
            Err(error) if error.kind() == Kind::Later => found = Some(error),
            Err(error) => return Err(error),
        }
    }
    let place = store.place(key);
    Err(found.unwrap_or_else(|| {
        Error::new(Kind::Later, format!("writing `{place}`: it does not read back as it was written"))
    }))
}

/// Gives the file back, part by part. What was handed out before an error is of no use.
pub async fn restore<S: ObjectStore, E: From<Error>>(
    store: &S,
    snapshot: &Snapshot,
    mut into: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    for (number, expected) in snapshot.parts.iter().enumerate() {
        let key = part_key(&snapshot.name, number);
        let place = store.place(&key);
        let Some(object) = store.get(&key).await? else { return Err(gone(&place).into()) };
        let raw = inflate(&object, *expected, &place)?;
        hasher.update(&raw);
        bytes += raw.len() as u64;
        into(&raw)?;
    }
    let place = store.place(&manifest_key(&snapshot.name));
    if bytes != snapshot.bytes || hasher.finalize().as_bytes() != snapshot.digest.as_bytes() {
        return Err(damaged(&place, "its parts do not make the file it describes").into());
    }
    Ok(())
}

fn inflate(object: &[u8], expected: Digest, place: &str) -> Result<Vec<u8>> {
    let frame = unseal(object).filter(|_| Digest::of(object) == expected);
    let frame = frame.ok_or_else(|| damaged(place, "it is not what its manifest says"))?;
    zstd::bulk::decompress(frame, PART_BYTES).map_err(|error| damaged(place, error))
}

/// The way out of a damaged snapshot.
const WAY_OUT: &str = "delete its folder: the snapshot before it, or the journal, has what it holds";

fn damaged(place: &str, found: impl std::fmt::Display) -> Error {
    Error::damaged(place, found).with_hint(WAY_OUT)
}

fn gone(place: &str) -> Error {
    damaged(place, "it is missing, but its manifest is there")
}

/// Checks every part of a snapshot.
pub async fn verify_snapshot<S: ObjectStore>(store: &S, snapshot: &Snapshot) -> Result<()> {
    restore(store, snapshot, |_| Ok(())).await
}

/// Deletes all but the newest snapshots of this fold version, and parts that no manifest names. `keep` is at least two:
/// the newest may prove damaged. Only the writer of the vault may ask, and not while it saves one.
pub async fn rotate<S: ObjectStore>(store: &S, fold: u32, keep: usize) -> Result<u64> {
    let found = snapshots(store).await?;
    let ours = found.whole.iter().filter(|snapshot| snapshot.base.fold == fold);
    let Some(oldest) = ours.take(keep.max(2)).last() else { return Ok(0) };
    // Newer ones of another fold version belong to a newer program, and stay.
    let stays = |snapshot: &&Snapshot| snapshot.base.seq >= oldest.base.seq;
    let kept: Vec<&str> = found.whole.iter().filter(stays).map(|snapshot| snapshot.name.as_str()).collect();
    let mut names = store.list(FOLDER, "", usize::MAX).await?;
    // Manifests first: what is half deleted must not look whole.
    names.sort_by_key(|key| !key.ends_with("/manifest.json"));
    let mut deleted = 0;
    for key in names {
        let name = key.strip_prefix(FOLDER).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if !kept.contains(&name) && seq_of(&key).is_some_and(|seq| seq <= found.whole[0].base.seq) {
            store.delete(&key).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// Deletes every snapshot but this one and newer ones, of whatever program: what they hold is to be forgotten. A newer
/// one is of a writer that came after us, and knows what is to be forgotten; what was pruned since may be in it alone.
pub async fn drop_before<S: ObjectStore>(store: &S, kept: &Snapshot) -> Result<u64> {
    let mut names = store.list(FOLDER, "", usize::MAX).await?;
    names.sort_by_key(|key| !key.ends_with("/manifest.json"));
    let folder = format!("{FOLDER}{}/", kept.name);
    let mut deleted = 0;
    for key in names.iter().filter(|key| !key.starts_with(&folder)) {
        if seq_of(key).is_some_and(|seq| seq > kept.base.seq) {
            continue;
        }
        store.delete(key).await?;
        deleted += 1;
    }
    Ok(deleted)
}

/// The entry that a snapshot is of, by the name of one of its objects.
fn seq_of(key: &str) -> Option<Seq> {
    key.strip_prefix(FOLDER)?.split('-').next()?.parse().ok().map(Seq::new)
}

fn part_key(name: &str, number: usize) -> String {
    format!("{FOLDER}{name}/{number:05}.zst")
}

fn manifest_key(name: &str) -> String {
    format!("{FOLDER}{name}/manifest.json")
}
