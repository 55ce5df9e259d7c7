//! Reading the journal as a chain: which segments belong to it, in which order, up to where. It never writes.
//!
//! The rule that decides (`docs/vault-format.md` has it with an example): a whole segment names the digest of
//! the one before it in the chain and voids, by name and digest, every object between the two. So an object
//! that is not whole is harmless if the next whole segment voids it, torn if nothing whole follows, and
//! damage otherwise. A segment is handed out only after a look at the next one, because a voided object may
//! have become whole since.

use crate::end::ordinals;
use crate::error::{Error, Kind, Result};
use crate::identity::{Identity, identity};
use crate::segment::{self, Event, Header, Object, Segment, Voided, Whole, decode, inspect, key, last_seq};
use crate::seq::{Digest, Nonce, Ordinal, Position, Seq, Term};
use crate::snapshot::{self, Snapshot};
use crate::store::ObjectStore;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;

/// Where reading ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The last segment of the chain; none if it has none yet.
    pub position: Option<Position>,
    /// The last entry of the chain.
    pub seq: Seq,
    /// Objects after it that are not whole: the leavings of a write that was never acknowledged. The next
    /// opener voids them.
    pub torn: Vec<Voided>,
}

/// What a complete check found. It is returned only if everything acknowledged is as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Segments in the chain.
    pub segments: u64,
    /// Entries in them.
    pub entries: u64,
    /// The size of these segments as objects.
    pub bytes: u64,
    /// Writers that have opened the vault.
    pub terms: u64,
    /// Objects that were voided.
    pub voided: u64,
    /// Voided objects that are whole by now: their entries are not in the chain, but could be appended again.
    pub voided_but_whole: Vec<String>,
    /// The first segment that is there, where those before it were pruned.
    pub pruned_before: Option<Ordinal>,
    /// Snapshots, each of them checked.
    pub snapshots: Vec<Snapshot>,
    /// Where the chain ends, and what lies torn behind it.
    pub tail: Tail,
}

/// Hands every segment after `after` (all, if none) to `each`, in order, holding two in memory at most. Never
/// writes.
///
/// [`Kind::NotInChain`] means that `after` does not belong to this vault's chain, and that whatever was built
/// on it must be discarded.
pub async fn read<S, R, E>(
    store: &S,
    after: Option<Position>,
    mut each: impl FnMut(Segment<R>) -> Result<(), E>,
) -> Result<Tail, E>
where
    S: ObjectStore,
    R: DeserializeOwned,
    E: From<Error>,
{
    let mut walk = Walk::begin(store, after).await?;
    while let Some(segment) = walk.next::<R>().await? {
        each(segment)?;
    }
    Ok(walk.tail())
}

/// Whether there is a segment after `after`: one that is, says no more than that a reader who stands there is behind.
pub async fn goes_on<S: ObjectStore>(store: &S, after: Option<Position>) -> Result<bool> {
    Ok(Walk::begin(store, after).await?.next::<IgnoredAny>().await?.is_some())
}

/// Checks every object of the vault: digests, links, order and terms, and that snapshots are of this chain.
pub async fn verify<S: ObjectStore>(store: &S) -> Result<Verified> {
    let vault = identity(store).await?;
    let listed = snapshot::snapshots(store).await?;
    if let Some(error) = listed.damaged.into_iter().next() {
        return Err(error);
    }
    let first = first_whole(store, &vault).await?;
    let mut walk = Walk::begin(store, first.as_ref().map(|first| first.position())).await?;
    let mut found = Verified { snapshots: listed.whole, ..Verified::default() };
    let mut chain: BTreeMap<Ordinal, Digest> =
        first.iter().map(|it| (it.header.ordinal, it.digest)).collect();
    let mut pruned = Ordinal::default();
    while let Some(segment) = walk.next::<IgnoredAny>().await? {
        for entry in &segment.entries {
            match entry.event {
                Event::Opened { .. } => found.terms += 1,
                Event::Pruned { before } => pruned = pruned.max(before),
                Event::Record(_) | Event::Closed => {}
            }
        }
        chain.insert(segment.position.ordinal, segment.position.digest);
        found.segments += 1;
        found.entries += segment.entries.len() as u64;
        found.bytes += segment.bytes;
    }
    found.voided = walk.voided;
    for seen in std::mem::take(&mut walk.changed) {
        if is_whole_now(store, &seen).await? {
            found.voided_but_whole.push(seen.name);
        }
    }
    found.tail = walk.tail();
    if let Some(first) = &first {
        starts_as_pruned(store, &vault, (&first.header, pruned)).await?;
        found.pruned_before = Some(first.header.ordinal);
    }
    for snapshot in &found.snapshots {
        snapshot::verify_snapshot(store, snapshot).await?;
        let position = snapshot.base.position;
        let is_pruned = first.as_ref().is_some_and(|first| position.ordinal < first.header.ordinal);
        let end = found.tail.position.map(|end| end.ordinal).unwrap_or_default();
        if position.ordinal > end {
            let text = format_args!("it is not whole, but snapshot `{}` was taken of it", snapshot.name);
            return Err(Error::damaged(&store.place(&key(position.ordinal)), text));
        }
        if !is_pruned && chain.get(&position.ordinal) != Some(&position.digest) {
            let text = format!("snapshot `{}` is of another chain than this journal", snapshot.name);
            return Err(Error::new(Kind::Damaged, text).with_hint("delete its folder under `snapshots/`"));
        }
    }
    Ok(found)
}

/// Whether a voided object is whole by now. Otherwise it must be what its voider saw, or that and more: where a store
/// shows parts, a writer may have gone on for a while.
async fn is_whole_now<S: ObjectStore>(store: &S, seen: &Voided) -> Result<bool> {
    let place = store.place(&seen.name);
    let Some(bytes) = store.get(&seen.name).await? else {
        return Err(Error::damaged(&place, "it is missing, but there are segments after it"));
    };
    let part = seen.bytes.and_then(|length| bytes.get(..usize::try_from(length).ok()?));
    let is_grown = part.is_some_and(|part| Digest::of(part) == seen.digest);
    let found = Digest::of(&bytes);
    match inspect(bytes, place.clone()) {
        Ok(Object::Torn(..)) if is_grown || found == seen.digest => Ok(false),
        Ok(Object::Torn(..)) => {
            let text = format_args!("it is voided with digest {}, found {found}", seen.digest);
            Err(Error::damaged(&place, text))
        }
        Ok(Object::Whole(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Where the start was pruned: everything from there to the first segment that others link to must be voided by that
/// one.
async fn starts_as_pruned<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    (first, pruned): (&Header, Ordinal),
) -> Result<()> {
    let mut unlinked = None;
    for ordinal in (pruned.get().max(1)..first.ordinal.get()).map(Ordinal::new) {
        let place = store.place(&key(ordinal));
        match first.voided.iter().find(|voided| voided.name == key(ordinal)) {
            Some(seen) => drop(is_whole_now(store, seen).await?),
            None => match look(store, vault, ordinal).await? {
                None => return Err(Error::damaged(&place, "it is missing, and was not pruned")),
                Some(Object::Torn(..)) => return Err(Error::damaged(&place, "it is not whole")),
                Some(Object::Whole(_)) => unlinked = Some(place),
            },
        }
    }
    match unlinked {
        Some(place) => Err(Error::damaged(&place, "the segment after it does not link to it")),
        None => Ok(()),
    }
}

/// Where reading can begin: none where the journal reaches back to the start; otherwise its first whole segment, whose
/// own entries, and all before, are in snapshots alone.
pub async fn start<S: ObjectStore>(store: &S) -> Result<Option<Position>> {
    Ok(first_whole(store, &identity(store).await?).await?.map(|first| first.position()))
}

async fn first_whole<S: ObjectStore>(store: &S, vault: &Identity) -> Result<Option<Box<Whole>>> {
    let ordinals = ordinals(store, vault).await?;
    let missing = match ordinals.first() {
        Some(first) if *first > Ordinal::new(1) => Ordinal::new(first.get() - 1),
        _ => return Ok(None),
    };
    let mut first: Option<Box<Whole>> = None;
    for ordinal in ordinals {
        let Some(Object::Whole(whole)) = look(store, vault, ordinal).await? else { continue };
        match first {
            // What nothing links to was created for nothing, or is voided.
            Some(first) if whole.header.previous == Some(first.digest) => return Ok(Some(first)),
            _ => first = Some(whole),
        }
    }
    first.map(Some).ok_or_else(|| {
        Error::damaged(&store.place(&key(missing)), "it is missing, and nothing after it is whole")
    })
}

/// The end of the chain so far.
#[derive(Clone, Copy)]
struct Link {
    position: Position,
    term: Term,
    nonce: Nonce,
    opened: Ordinal,
    seq: Seq,
    closed: bool,
}

/// What lies behind the last confirmed segment.
enum Item {
    /// It links to the last confirmed segment. Nothing has confirmed it yet, and what comes may pass it.
    Whole(Box<Whole>),
    Torn(Digest),
}

/// A walk along the chain.
struct Walk<'s, S> {
    store: &'s S,
    vault: Identity,
    /// The last confirmed segment.
    link: Option<Link>,
    /// The reader has that segment already: it is where reading began.
    is_known: bool,
    /// Everything that was found behind it, ordinal by ordinal.
    pending: Vec<Item>,
    /// The next object to look at.
    next: Ordinal,
    /// The last object that the listing showed; a missing one before it is a hole.
    highest: Ordinal,
    ended: bool,
    voided: u64,
    /// Objects that are not as their voider saw them.
    changed: Vec<Voided>,
}

impl<'s, S: ObjectStore> Walk<'s, S> {
    async fn begin(store: &'s S, after: Option<Position>) -> Result<Self> {
        let vault = identity(store).await?;
        let listed = match after {
            None => ordinals(store, &vault).await?,
            Some(position) => {
                let names = store.list("journal/", &key(position.ordinal), usize::MAX).await?;
                names.iter().filter_map(|name| segment::ordinal(name)).collect()
            }
        };
        let lowest = listed.first().copied().unwrap_or(Ordinal::new(1));
        let highest = listed.last().copied().unwrap_or_default();
        if after.is_none() && lowest > Ordinal::new(1) {
            // Where it was pruned, whoever reads begins at a snapshot, or at `start`.
            let missing = store.place(&key(Ordinal::new(lowest.get() - 1)));
            return Err(Error::damaged(&missing, "it is missing, but there are segments after it"));
        }
        let mut walk = Self {
            store,
            vault,
            link: None,
            is_known: false,
            pending: Vec::new(),
            next: Ordinal::new(1),
            highest,
            ended: false,
            voided: 0,
            changed: Vec::new(),
        };
        if let Some(position) = after {
            walk.stand_on(position).await?;
        }
        Ok(walk)
    }

    /// Takes the segment that the reader already has as the start.
    async fn stand_on(&mut self, position: Position) -> Result<()> {
        match self.look(position.ordinal).await? {
            Some(Object::Whole(whole)) if whole.digest == position.digest => {
                let segment = decode::<IgnoredAny>(&whole)?;
                self.next = position.ordinal.next();
                self.link = Some(link(&whole, &segment));
                self.is_known = true;
                Ok(())
            }
            Some(Object::Torn(..)) if !self.is_voided(position.ordinal).await? => {
                let place = self.store.place(&key(position.ordinal));
                let found = "it was whole when it was read before, and is not any more";
                Err(Error::damaged(&place, found).with_hint(
                    "put it back from a copy of the vault, or delete the state file to go on without it",
                ))
            }
            _ => Err(not_in_chain(position.ordinal)),
        }
    }

    /// Whether the next whole object after `ordinal` voids it.
    async fn is_voided(&self, ordinal: Ordinal) -> Result<bool> {
        let mut next = ordinal.next();
        while let Some(object) = self.look(next).await? {
            if let Object::Whole(whole) = object {
                return Ok(whole.header.voided.iter().any(|voided| voided.name == key(ordinal)));
            }
            next = next.next();
        }
        Ok(false)
    }

    async fn look(&self, ordinal: Ordinal) -> Result<Option<Object>> {
        look(self.store, &self.vault, ordinal).await
    }

    /// The next segment that is surely in the chain, as far as it reaches now.
    async fn next<R: DeserializeOwned>(&mut self) -> Result<Option<Segment<R>>> {
        while !self.ended {
            let confirmed = match self.look(self.next).await? {
                Some(Object::Torn(digest, _)) => {
                    self.pending.push(Item::Torn(digest));
                    None
                }
                Some(Object::Whole(whole)) if self.came_since(&whole.header).await? => continue,
                Some(Object::Whole(whole)) => self.follow(whole)?,
                None => self.end().await?,
            };
            self.next = self.next.next();
            if let Some(whole) = confirmed {
                return self.admit(*whole).map(Some);
            }
        }
        Ok(None)
    }

    /// Nothing follows: the last whole one is the last of the chain.
    async fn end(&mut self) -> Result<Option<Box<Whole>>> {
        if self.next <= self.highest {
            let listed = ordinals(self.store, &self.vault).await?;
            if listed.first().is_some_and(|lowest| *lowest > self.next) {
                // Pruned while it was read.
                return Err(not_in_chain(self.next));
            }
            let place = self.store.place(&key(self.next));
            if listed.contains(&self.next) || listed.last().is_none_or(|last| *last < self.next) {
                // A mount may know a name before it shows the object.
                let text = format!("reading `{place}`: it was listed, but is not there");
                return Err(Error::new(Kind::Later, text));
            }
            return Err(Error::damaged(&place, "it is missing, but there are segments after it"));
        }
        self.ended = true;
        let last = self.pending.iter().rposition(|item| matches!(item, Item::Whole(_)));
        Ok(last.and_then(|last| self.confirm(last)))
    }

    fn stand(&self) -> Ordinal {
        self.link.map(|link| link.position.ordinal).unwrap_or_default()
    }

    /// Whether the segment that a header links to is another than was seen: its writer was still at it, or a mount
    /// showed its own machine one that was never published. Then the walk goes back to it; or the reader has it
    /// already, and must discard it.
    async fn came_since(&mut self, header: &Header) -> Result<bool> {
        let before = Ordinal::new(header.ordinal.get().saturating_sub(header.voided.len() as u64 + 1));
        let Some(distance) = before.get().checked_sub(self.stand().get()) else { return Ok(false) };
        let seen = match distance.checked_sub(1).map(|index| self.pending.get(index as usize)) {
            None => self.link.map(|link| link.position.digest),
            Some(Some(Item::Whole(whole))) => Some(whole.digest),
            Some(_) => None,
        };
        if seen == header.previous {
            return Ok(false);
        }
        let came = match self.look(before).await? {
            Some(Object::Whole(whole)) => Some(whole.digest) == header.previous,
            _ => false,
        };
        match distance.checked_sub(1) {
            _ if !came => Ok(false),
            None => Err(not_in_chain(before)),
            Some(index) => {
                self.pending.truncate(index as usize);
                self.next = before;
                Ok(true)
            }
        }
    }

    /// Joins a whole segment to what was found, as its header says: it voids, in order, exactly what lies between it
    /// and the segment it links to. Gives that one back, if this confirms it.
    fn follow(&mut self, whole: Box<Whole>) -> Result<Option<Box<Whole>>> {
        let header = &whole.header;
        let place = self.store.place(&key(header.ordinal));
        let first = header.ordinal.get().saturating_sub(header.voided.len() as u64);
        let lies_before = |(ordinal, voided): (u64, &Voided)| voided.name == key(Ordinal::new(ordinal));
        if first == 0 || !(first..).zip(&header.voided).all(lies_before) {
            return Err(Error::damaged(&place, "what it voids is not what lies before it"));
        }
        let before = Ordinal::new(first - 1);
        let index = match before.get().checked_sub(self.stand().get()) {
            Some(0) => None,
            Some(distance) => Some(distance as usize - 1),
            None if self.is_known => return Err(not_in_chain(self.stand())),
            None => return Err(Error::damaged(&place, "it voids a segment that another one has confirmed")),
        };
        let expected = match index.map(|index| &self.pending[index]) {
            None => self.link.map(|link| link.position.digest),
            Some(Item::Whole(found)) => Some(found.digest),
            Some(Item::Torn(_)) => {
                // The one it links to is the culprit: what lies torn before that one may be voided by it.
                let damaged = self.store.place(&key(before));
                let text = format_args!("it is not whole, and `{place}` links to it");
                return Err(Error::damaged(&damaged, text));
            }
        };
        if header.previous != expected {
            return Err(Error::damaged(&place, format_args!("it does not link to {}", shown(expected))));
        }
        let confirmed = index.and_then(|index| self.confirm(index));
        self.pending.push(Item::Whole(whole));
        Ok(confirmed)
    }

    /// Takes a whole segment out of what was found, with all before it, which it voids.
    fn confirm(&mut self, index: usize) -> Option<Box<Whole>> {
        let rest = self.pending.split_off(index + 1);
        let Some(Item::Whole(whole)) = self.pending.pop() else { return None };
        let passed = std::mem::replace(&mut self.pending, rest);
        self.voided += passed.len() as u64;
        for (seen, item) in whole.header.voided.iter().zip(passed) {
            match item {
                Item::Torn(digest) if digest == seen.digest => {}
                _ => self.changed.push(seen.clone()),
            }
        }
        Some(whole)
    }

    /// Takes a confirmed segment in: checks that it continues the order and the term, and decodes it.
    fn admit<R: DeserializeOwned>(&mut self, whole: Whole) -> Result<Segment<R>> {
        let segment = decode::<R>(&whole)?;
        check_order(self.link.as_ref(), &whole.header, &segment)
            .map_err(|text| Error::damaged(&self.store.place(&key(whole.header.ordinal)), text))?;
        self.link = Some(link(&whole, &segment));
        self.is_known = false;
        Ok(segment)
    }

    /// Where the walk has come to.
    fn tail(self) -> Tail {
        let torn = |(ordinal, item)| match item {
            Item::Torn(digest) => Some(Voided { name: key(Ordinal::new(ordinal)), digest, bytes: None }),
            Item::Whole(_) => None,
        };
        let behind = self.stand().next().get()..;
        Tail {
            position: self.link.map(|link| link.position),
            seq: self.link.map(|link| link.seq).unwrap_or_default(),
            torn: behind.zip(self.pending).filter_map(torn).collect(),
        }
    }
}

/// Looks at one object of the journal. A whole one must be of this vault and bear its own name.
pub(crate) async fn look<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    ordinal: Ordinal,
) -> Result<Option<Object>> {
    let key = key(ordinal);
    let Some(bytes) = store.get(&key).await? else { return Ok(None) };
    let object = inspect(bytes, store.place(&key))?;
    if let Object::Whole(whole) = &object {
        let header = &whole.header;
        if header.vault != vault.id {
            let text = format_args!("it belongs to vault `{}`, expected `{}`", header.vault, vault.id);
            return Err(Error::damaged(&store.place(&key), text));
        }
        if header.ordinal != ordinal {
            let text = format_args!("it is segment {}, expected {ordinal}", header.ordinal);
            return Err(Error::damaged(&store.place(&key), text));
        }
    }
    Ok(Some(object))
}

fn link<R>(whole: &Whole, segment: &Segment<R>) -> Link {
    let header = &whole.header;
    let closed = matches!(segment.entries.last(), Some(entry) if matches!(entry.event, Event::Closed));
    Link {
        position: whole.position(),
        term: header.term,
        nonce: header.nonce,
        opened: header.opened,
        seq: last_seq(header),
        closed,
    }
}

/// Whether a segment continues the order and the term of the one before, or begins a term. What does not is
/// no damage by accident, as the object is whole: a faulty program wrote it.
fn check_order<R>(before: Option<&Link>, header: &Header, segment: &Segment<R>) -> Result<(), String> {
    let expected = before.map(|link| link.seq).unwrap_or_default().next();
    if header.first != expected {
        return Err(format!("its first entry is {}, expected {expected}", header.first));
    }
    let same_writer = |link: &&Link| {
        (link.term, link.nonce, link.opened) == (header.term, header.nonce, header.opened) && !link.closed
    };
    let continues = before.is_some_and(|link| same_writer(&link));
    let begins =
        header.term > before.map(|link| link.term).unwrap_or_default() && header.opened == header.ordinal;
    if !continues && !begins {
        return Err(format!("it neither continues the term before it nor begins term {}", header.term));
    }
    let last = segment.entries.len() - 1;
    for (place, entry) in segment.entries.iter().enumerate() {
        let fits = match &entry.event {
            Event::Opened { term, .. } => begins && place == 0 && *term == header.term,
            Event::Record(_) | Event::Pruned { .. } => continues || place > 0,
            Event::Closed => place == last && (continues || place > 0),
        };
        if !fits {
            return Err(format!("entry {} does not belong at its place in term {}", entry.seq, header.term));
        }
    }
    Ok(())
}

fn not_in_chain(ordinal: Ordinal) -> Error {
    let text = format!(
        "reading on from segment {ordinal}: the vault's chain does not contain the segment seen before"
    );
    Error::new(Kind::NotInChain, text)
        .with_hint("the cache belongs to another vault or another branch; discard it and read from the start")
}

fn shown(digest: Option<Digest>) -> String {
    match digest {
        Some(digest) => format!("the segment before it, `{digest}`"),
        None => "the start of the chain".to_owned(),
    }
}
