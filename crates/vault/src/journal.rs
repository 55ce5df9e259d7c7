//! Writing the journal: opening a term, appending, closing. It must not know what a record means.
//!
//! The invariant: an ordinal belongs to whoever created its object first, and nothing else decides. An append
//! that returned is durable; an append that failed left either nothing, or bytes that are sent again exactly
//! as they were.

use crate::chain::look;
use crate::end::{End, end_of_chain, look_for_all};
use crate::error::{Error, Kind, Result};
use crate::identity::{Identity, identity};
use crate::segment::{self, Entry, Event, FORMAT, Header, Object, Sealed, Segment, Voided, Writer};
use crate::segment::{decode, encode, inspect, key, last_seq};
use crate::seq::{Digest, Nonce, Ordinal, Position, Seq, Term};
use crate::store::{ObjectStore, Put};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// How many ordinals an opener may lose before it gives up: that many others would have to win in the same
/// moment.
const OPEN_ATTEMPTS: u32 = 64;

/// How often the same bytes are sent when the answer is unclear. Waiting between attempts is the store's
/// affair: it knows its service, and this crate has no clock.
const PUT_ATTEMPTS: u32 = 3;

/// How often a writer looks at what stands behind its segment and is no segment: an opener that is alive becomes one,
/// or passes it, in less time; one that was killed never does, and only a new opening says whose the place is.
const LOOKS_BEHIND: u32 = 16;

/// What stands behind a torn object while an opener looks at it once more: no segment, so the opening passes it, too.
const STAKE: &[u8] = b"no segment: an opener was here";

/// A vault that is open for writing.
#[derive(Debug)]
pub struct Vault<S> {
    store: S,
    identity: Identity,
    nonce: Nonce,
    term: Term,
    opened: Ordinal,
    /// The last segment of the chain, which is ours.
    position: Position,
    seq: Seq,
    standing: Standing,
    /// Looks at what stands behind a segment that is sent, since it was sent first.
    looks_behind: u32,
    /// Objects that this opening passed, and the one before it.
    voided: Vec<Voided>,
}

/// What the vault can do next.
#[derive(Debug)]
enum Standing {
    /// Append.
    Open,
    /// Settle: these bytes were sent and the answer was unclear (or nobody waited for it).
    Unsettled(Box<Sealed>),
    /// Nothing: the term was closed.
    Closed,
    /// Nothing: the term was lost, for this reason.
    Lost(Error),
}

/// How sending a segment ended.
enum Sent {
    /// It is in the journal.
    Mine,
    /// The name is taken by another object, or this one was passed by the one at this ordinal.
    Taken(Ordinal, Vec<u8>),
    /// It is there, and not in the chain: what it follows was pruned, and its name with it, so the name was free again.
    Pruned,
    /// It is there, and something behind it may yet become an opening that passes it.
    Behind(Error),
}

impl<S: ObjectStore> Vault<S> {
    /// Begins a term: finds the end of the chain, voids what is torn behind it, and wins the next ordinal
    /// with an `Opened` entry. Who loses the race reads on and tries again. `nonce` must be 128 random bits,
    /// never used before.
    pub async fn open(store: S, writer: Writer, nonce: Nonce, now: Timestamp) -> Result<Self> {
        Self::open_from(store, (writer, nonce), now, None).await
    }

    /// As `open`, for whoever has read the journal up to `from`: of the names before it none is listed.
    pub async fn open_from(
        store: S,
        (writer, nonce): (Writer, Nonce),
        now: Timestamp,
        from: Option<Position>,
    ) -> Result<Self> {
        let from = from.map(|position| position.ordinal);
        let identity = identity(&store).await?;
        for _ in 0..OPEN_ATTEMPTS {
            let end = end_of_chain(&store, &identity, from).await?;
            let is_open_ended = end.torn.last().is_some_and(|torn| torn.digest != Digest::of(STAKE));
            if is_open_ended && !store.is_atomic().await {
                stake(&store, end.next).await?;
                continue;
            }
            let before = match &end.last {
                Some((header, _)) => voided_at_opening(&store, &identity, header).await?,
                None => Vec::new(),
            };
            let sealed = opening(&identity, end, (&writer, nonce, now))?;
            let sent = send(&store, &identity, &sealed).await?;
            if let Sent::Behind(error) = sent {
                return Err(error);
            }
            if let Sent::Mine = sent {
                return Ok(Self {
                    store,
                    identity,
                    nonce,
                    term: sealed.header.term,
                    opened: sealed.header.ordinal,
                    position: sealed.position(),
                    seq: sealed.last_seq(),
                    standing: Standing::Open,
                    looks_behind: 0,
                    voided: before.into_iter().chain(sealed.header.voided).collect(),
                });
            }
        }
        let text = format!(
            "opening vault `{}`: other writers took the next place {OPEN_ATTEMPTS} times",
            identity.id
        );
        Err(Error::new(Kind::Later, text)
            .with_hint("see that only one job at a time is started on this vault"))
    }

    /// The store under it, for reading.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Which vault it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What tells this writer from every other.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// The term of this writer.
    pub fn term(&self) -> Term {
        self.term
    }

    /// Whether this writer can append no more, whatever the kind of the error that says why.
    pub fn is_lost(&self) -> bool {
        matches!(self.standing, Standing::Lost(_))
    }

    /// The end of the chain, as far as this writer has written it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The last durable entry.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Objects that this opening passed, and the one before it: what [`Vault::salvage`] looks at.
    pub fn voided(&self) -> &[Voided] {
        &self.voided
    }

    /// Appends records as one segment. When it returns they are durable, in this order.
    ///
    /// On [`Kind::Later`], or if this future was dropped before it ended, it is unclear whether they are:
    /// call [`Vault::settle`] until it is clear, or drop the vault and open it again. After any other refusal
    /// of the store this vault only repeats that error; what is durable shows on reading again.
    pub async fn append<R: Serialize>(&mut self, now: Timestamp, records: Vec<R>) -> Result<Segment<R>> {
        if records.is_empty() {
            return Err(Error::bug("appending no records at all"));
        }
        self.write(now, records.into_iter().map(Event::Record).collect()).await
    }

    /// Ends the term. A vault that was closed has no calls in flight.
    pub async fn close<R: Serialize>(&mut self, now: Timestamp) -> Result<Segment<R>> {
        let segment = self.write(now, vec![Event::Closed]).await?;
        self.standing = Standing::Closed;
        Ok(segment)
    }

    /// What stands in objects that were passed because they were torn, by this opening or the one before, and that are
    /// whole by now: their writer was still closing them. They are not in the chain; what they say may be appended.
    pub async fn salvage<R: DeserializeOwned>(&self) -> Result<Vec<(String, Vec<Entry<R>>)>> {
        let mut found = Vec::new();
        for voided in &self.voided {
            let Some(ordinal) = segment::ordinal(&voided.name) else { continue };
            if let Some(Object::Whole(whole)) = look(&self.store, &self.identity, ordinal).await? {
                found.push((voided.name.clone(), decode::<R>(&whole)?.entries));
            }
        }
        Ok(found)
    }

    /// Deletes the segments before `before`, after a record that says so. A verified snapshot must stand on `before` or
    /// on a later segment: from then on nothing else holds what they said. What a kill leaves is deleted the next time.
    pub async fn prune<R: Serialize>(
        &mut self,
        now: Timestamp,
        before: Ordinal,
    ) -> Result<(Segment<R>, u64)> {
        if before > self.position.ordinal {
            return Err(self.behind(before).await?);
        }
        let segment = self.write(now, vec![Event::Pruned { before }]).await?;
        let names = self.store.list("journal/", "", usize::MAX).await?;
        let mut deleted = 0;
        let is_old = |name: &&String| segment::ordinal(name).is_some_and(|found| found < before);
        // The first alone would not be missed: see `unless_left`.
        let old: Vec<&String> = names.iter().filter(is_old).collect();
        for name in old.into_iter().filter(|_| before.get() > 2) {
            self.store.delete(name).await?;
            deleted += 1;
        }
        Ok((segment, deleted))
    }

    /// Sends what an earlier call left unclear once more, exactly the same bytes, and gives the segment they
    /// make. None if nothing is unclear.
    pub async fn settle<R: DeserializeOwned>(&mut self) -> Result<Option<Segment<R>>> {
        let sealed = match &self.standing {
            Standing::Open | Standing::Closed => return Ok(None),
            Standing::Lost(error) => return Err(error.clone()),
            Standing::Unsettled(sealed) => (**sealed).clone(),
        };
        self.deliver(&sealed).await?;
        let place = self.store.place(&key(sealed.header.ordinal));
        let Object::Whole(whole) = inspect(sealed.bytes, place)? else {
            return Err(Error::bug(format!(
                "segment {} that was just written is not whole",
                sealed.header.ordinal
            )));
        };
        let segment = decode::<R>(&whole)?;
        if matches!(segment.entries.last(), Some(entry) if matches!(entry.event, Event::Closed)) {
            self.standing = Standing::Closed;
        }
        Ok(Some(segment))
    }

    async fn write<R: Serialize>(&mut self, now: Timestamp, events: Vec<Event<R>>) -> Result<Segment<R>> {
        match &self.standing {
            Standing::Open => {}
            Standing::Lost(error) => return Err(error.clone()),
            Standing::Unsettled(_) => {
                return Err(Error::bug("appending while an earlier append is not settled"));
            }
            Standing::Closed => return Err(Error::bug("appending after the term was closed")),
        }
        let first = self.seq.next();
        let header = Header {
            format: FORMAT,
            vault: self.identity.id,
            ordinal: self.position.ordinal.next(),
            term: self.term,
            opened: self.opened,
            nonce: self.nonce,
            first,
            count: events.len() as u64,
            previous: Some(self.position.digest),
            voided: Vec::new(),
        };
        let entries = numbered(first, now, events);
        let sealed = encode(header, &entries)?;
        // Before the first byte goes out: a future that is dropped in the middle must leave this behind.
        self.standing = Standing::Unsettled(Box::new(sealed.clone()));
        self.deliver(&sealed).await?;
        let bytes = sealed.bytes.len() as u64;
        Ok(Segment { position: self.position, term: self.term, entries, bytes })
    }

    /// Sends a segment until it is clear whose the ordinal is, and moves on if it is ours.
    async fn deliver(&mut self, sealed: &Sealed) -> Result<()> {
        match send(&self.store, &self.identity, sealed).await {
            // Still unclear: the bytes stay, to be sent again.
            Err(error) if error.kind() == Kind::Later => Err(error),
            // Refused. Whether the name is taken is not looked at here: a name that could not be made durable
            // would look like a success. The next opening finds out.
            Err(error) => {
                self.standing = Standing::Lost(error.clone());
                Err(error)
            }
            Ok(Sent::Behind(error)) => {
                self.looks_behind += 1;
                if self.looks_behind >= LOOKS_BEHIND {
                    self.standing = Standing::Lost(error.clone());
                }
                Err(error)
            }
            Ok(Sent::Mine) => {
                self.looks_behind = 0;
                self.position = sealed.position();
                self.seq = sealed.last_seq();
                self.standing = Standing::Open;
                Ok(())
            }
            Ok(Sent::Pruned) => {
                let error = self.left(sealed.header.ordinal);
                self.standing = Standing::Lost(error.clone());
                Err(error)
            }
            Ok(Sent::Taken(ordinal, object)) => {
                let error = self.taken(ordinal, object).await?;
                self.standing = Standing::Lost(error.clone());
                Err(error)
            }
        }
    }

    /// Pruning was asked for behind our end: because a newer writer's snapshots are newer than all that we have
    /// written, or by mistake.
    async fn behind(&mut self, before: Ordinal) -> Result<Error> {
        let next = self.position.ordinal.next();
        let error = match self.store.get(&key(next)).await? {
            Some(object) => self.taken(next, object).await?,
            None if self.store.get(&key(self.position.ordinal)).await?.is_none() => self.left(next),
            None => {
                return Ok(Error::bug(format!("pruning before segment {before}, which is not written yet")));
            }
        };
        self.standing = Standing::Lost(error.clone());
        Ok(error)
    }

    /// What we wrote last was pruned by others.
    fn left(&self, ordinal: Ordinal) -> Error {
        let place = self.store.place(&key(ordinal));
        let text = format!("appending to `{place}`: others have taken over the vault and pruned it");
        Error::new(Kind::Fenced, text).with_hint("read the vault afresh, and start again")
    }

    /// Somebody else has our ordinal: says who.
    async fn taken(&self, ordinal: Ordinal, object: Vec<u8>) -> Result<Error> {
        let place = self.store.place(&key(ordinal));
        let mut found = inspect(object, place.clone()).map(Some);
        let mut next = ordinal;
        let who = loop {
            match found {
                Ok(Some(Object::Whole(whole))) => break self.name(&whole).await?,
                // A segment that we cannot even read: a newer program has come after us.
                Err(error) if error.kind() != Kind::Later => break format!("another writer ({error})"),
                Err(error) => return Err(error),
                Ok(Some(Object::Torn(..))) => {}
                Ok(None) => {
                    let text =
                        format!("appending to `{place}`: found an object that is not whole, expected none");
                    let hint = "start again: the next opening sets that object aside";
                    return Ok(Error::new(Kind::Later, text).with_hint(hint));
                }
            }
            next = next.next();
            found = look(&self.store, &self.identity, next).await;
        };
        Ok(Error::new(Kind::Fenced, format!("appending to `{place}`: {who} has taken over the vault"))
            .with_hint("everything acknowledged is safe; let that run finish, or stop it and start again"))
    }

    /// The writer of a segment, in words.
    async fn name(&self, whole: &segment::Whole) -> Result<String> {
        let header = &whole.header;
        let opening = match header.opened == header.ordinal {
            true => Some(decode::<IgnoredAny>(whole)?),
            false => match look(&self.store, &self.identity, header.opened).await? {
                Some(Object::Whole(whole)) => Some(decode::<IgnoredAny>(&whole)?),
                _ => None,
            },
        };
        let first = opening.and_then(|segment| segment.entries.into_iter().next());
        Ok(match first.map(|entry| entry.event) {
            Some(Event::Opened { term, writer }) => format!("{writer} (term {term})"),
            _ => format!("the writer of term {}", header.term),
        })
    }
}

fn numbered<R>(first: Seq, at: Timestamp, events: Vec<Event<R>>) -> Vec<Entry<R>> {
    let numbers = (first.get()..).map(Seq::new);
    numbers.zip(events).map(|(seq, event)| Entry { seq, at, event }).collect()
}

/// Puts something that is no segment behind a torn object, where a store shows parts. The writer of that object may be
/// alive: it counts its segment as acknowledged once that is whole and nothing is behind it. So the opener must have
/// seen it torn while something was, or both would be right. A whole stake is nobody's segment in the making, whoever
/// put it there, so what lies before one is surely passed.
async fn stake<S: ObjectStore>(store: &S, ordinal: Ordinal) -> Result<()> {
    store.put_new(&key(ordinal), STAKE).await.map(drop)
}

/// Puts a segment. An unclear answer is cleared up by looking: only our own bytes carry our nonce.
async fn send<S: ObjectStore>(store: &S, vault: &Identity, sealed: &Sealed) -> Result<Sent> {
    let key = key(sealed.header.ordinal);
    let mut unclear = None;
    for _ in 0..PUT_ATTEMPTS {
        match store.put_new(&key, &sealed.bytes).await {
            Ok(Put::Created) => return unless_left(store, vault, sealed).await,
            Ok(Put::AlreadyExists) => {}
            Err(error) if error.kind() == Kind::Later => unclear = Some(error),
            Err(error) => return Err(error),
        }
        match store.get(&key).await {
            Ok(Some(found)) => {
                return match whose(sealed, found, store.place(&key))? {
                    Sent::Mine => unless_left(store, vault, sealed).await,
                    other => Ok(other),
                };
            }
            Ok(None) => {}
            Err(error) if error.kind() == Kind::Later => unclear = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(unclear.unwrap_or_else(|| {
        let text = format!("writing `{}`: the store says it exists, but does not show it", store.place(&key));
        Error::new(Kind::Later, text)
    }))
}

/// Pruning frees names, and a writer that slept through a takeover and a pruning can create one of them. It deletes
/// from the oldest on: so as long as the object before ours is there, ours was never free. Before the first there is
/// nothing; but pruning never deletes the first alone, so then the second is missing.
async fn unless_left<S: ObjectStore>(store: &S, vault: &Identity, sealed: &Sealed) -> Result<Sent> {
    let ordinal = sealed.header.ordinal.get();
    let is_left = match ordinal {
        0 | 1 => {
            let behind = store.list("journal/", &key(sealed.header.ordinal), 1).await?;
            behind.first().is_some_and(|name| *name != key(Ordinal::new(2)))
        }
        _ => store.get(&key(Ordinal::new(ordinal - 1))).await?.is_none(),
    };
    if is_left { Ok(Sent::Pruned) } else { unless_passed(store, vault, sealed).await }
}

/// A segment that is whole by now may have been seen before it was, where a store shows parts. Whoever saw it so may
/// pass it, but only after something stood behind it ([`Vault::open`]): so it counts if nothing does, or if the next
/// whole segment does not pass it.
async fn unless_passed<S: ObjectStore>(store: &S, vault: &Identity, sealed: &Sealed) -> Result<Sent> {
    if store.is_atomic().await {
        return Ok(Sent::Mine);
    }
    let ours = key(sealed.header.ordinal);
    let first = sealed.header.ordinal.next();
    let mut next = first;
    loop {
        let found = match look(store, vault, next).await? {
            None => None,
            Some(_) => look_for_all(store, vault, next).await?,
        };
        match found {
            None if next == first => return Ok(Sent::Mine),
            None => {
                let place = store.place(&key(first));
                let text = format!("writing `{ours}`: `{place}` is just being written");
                let hint = "start again: the next opening says whose that place is";
                return Ok(Sent::Behind(Error::new(Kind::Later, text).with_hint(hint)));
            }
            Some(Object::Whole(whole)) if whole.header.voided.iter().any(|voided| voided.name == ours) => {
                return Ok(Sent::Taken(next, whole.into_object()));
            }
            // They have seen ours whole: it counts, and the next append finds out about them.
            Some(Object::Whole(_)) => return Ok(Sent::Mine),
            Some(Object::Torn(..)) => next = next.next(),
        }
    }
}

/// Tells our own object from another's. Ours is exactly what we sent; a part of it does not count, because
/// nobody can tell from outside whether the rest will still come.
fn whose(sealed: &Sealed, found: Vec<u8>, place: String) -> Result<Sent> {
    if Digest::of(&found) == sealed.digest {
        return Ok(Sent::Mine);
    }
    match inspect(found.clone(), place.clone()) {
        Ok(Object::Whole(whole)) if whole.header.nonce == sealed.header.nonce => {
            Err(Error::bug(format!("writing `{place}`: found other bytes with this writer's own nonce")))
        }
        _ => Ok(Sent::Taken(sealed.header.ordinal, found)),
    }
}

/// What the term of this segment passed when it opened.
async fn voided_at_opening<S: ObjectStore>(
    store: &S,
    vault: &Identity,
    header: &Header,
) -> Result<Vec<Voided>> {
    if header.opened == header.ordinal {
        return Ok(header.voided.clone());
    }
    match look(store, vault, header.opened).await? {
        Some(Object::Whole(whole)) => Ok(whole.header.voided),
        // Pruned, or damaged, which a reader says: there is nothing to salvage.
        _ => Ok(Vec::new()),
    }
}

/// The segment that begins a term.
fn opening(vault: &Identity, end: End, (writer, nonce, now): (&Writer, Nonce, Timestamp)) -> Result<Sealed> {
    let (last_term, last, previous) = match &end.last {
        Some((header, digest)) => (header.term, last_seq(header), Some(*digest)),
        None => (Term::default(), Seq::default(), None),
    };
    let (term, first) = (last_term.next(), last.next());
    let header = Header {
        format: FORMAT,
        vault: vault.id,
        ordinal: end.next,
        term,
        opened: end.next,
        nonce,
        first,
        count: 1,
        previous,
        voided: end.torn,
    };
    // The record type does not matter here, as there is no record.
    let entries: Vec<Entry<()>> = numbered(first, now, vec![Event::Opened { term, writer: writer.clone() }]);
    encode(header, &entries)
}
