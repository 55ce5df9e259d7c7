//! A false store for the vault alone: machines that see one bucket, each in its own time. It must not know what the
//! bytes mean.
//!
//! Two kinds of water. **Deep**: a store as the clouds have them, where a visible name is a complete object and every
//! look is fresh. **Shallow**: a mounted bucket. There a machine sees what its own processes have written so far, a
//! killed process leaves a part for all to see, and what other machines created a moment ago may not show yet; a look
//! after this machine's own creation is fresh, as `docs/vault-format.md` demands.
//!
//! Invariant: whatever happens, a name is created once.

use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use vault::{Error, Kind, ObjectStore, Put, Result};

/// How long a request may be on its way after its sender has given it up, in steps of the life.
const LATEST: usize = 60;
/// How far behind the view of another machine may be, in steps.
const STALE: u64 = 40;
/// Of a hundred calls in shallow water, as many see an old view.
const STALE_PERCENT: usize = 15;

/// What happened in the sea.
#[derive(Debug, Default)]
pub struct Sea {
    /// What everybody sees in the end.
    pub objects: BTreeMap<String, Vec<u8>>,
    /// Steps so far.
    pub step: u64,
    /// No part of a name ever shows.
    pub deep: bool,
    /// Of a hundred creations, so many are vexed; and of a hundred looks.
    pub vexed: (usize, usize),
    /// How often each fault struck.
    pub struck: BTreeMap<&'static str, u64>,
    /// Who was told that a name is theirs, and the bytes.
    pub won: BTreeMap<String, Vec<(u32, Vec<u8>)>>,
    /// Creations under `journal/` that a process asked for.
    pub asked: BTreeMap<u32, u64>,
    /// Processes that were shown a file of their machine which never will be published, since its name is taken.
    pub deceived: BTreeSet<u32>,
    /// Names that were deleted.
    pub deleted: BTreeSet<String>,
    rng: Option<Rng>,
    /// When a name was published, and by which machine.
    born: BTreeMap<String, (u64, u32)>,
    /// What a process is still writing, or has left unpublished, as its machine shows it.
    wet: BTreeMap<(u32, String), Wet>,
    /// Requests that nobody waits for any more.
    flights: Vec<Flight>,
    /// When each machine last created something.
    last_own: BTreeMap<u32, u64>,
}

/// A file that is being written.
#[derive(Debug)]
struct Wet {
    bytes: Vec<u8>,
    shown: usize,
    /// A part of it was published by another process of this machine, which asked for it.
    is_out: bool,
    /// Processes it was shown to.
    viewers: BTreeSet<u32>,
}

#[derive(Debug)]
struct Flight {
    due: u64,
    key: String,
    bytes: Vec<u8>,
    machine: u32,
}

impl Sea {
    /// An empty sea.
    pub fn new(rng: Rng, deep: bool, vexed: (usize, usize)) -> Self {
        Self { rng: Some(rng), deep, vexed, ..Self::default() }
    }

    /// One step of time: what is due arrives.
    pub fn turn(&mut self) {
        self.step += 1;
        let (due, later) = std::mem::take(&mut self.flights).into_iter().partition(|it| it.due <= self.step);
        self.flights = later;
        for Flight { key, bytes, machine, .. } in due {
            match self.objects.contains_key(&key) {
                true => self.strikes("arrived again"),
                false => {
                    self.strikes("arrived late");
                    self.publish(key, bytes, machine);
                }
            }
        }
    }

    /// Everything that is on its way arrives, and everything works from now on.
    pub fn calm(&mut self) {
        self.vexed = (0, 0);
        self.flights.iter_mut().for_each(|flight| flight.due = 0);
        self.turn();
        self.step += STALE;
    }

    /// Notes a fault that took effect.
    pub fn strikes(&mut self, word: &'static str) {
        *self.struck.entry(word).or_default() += 1;
    }

    fn rng(&mut self) -> &mut Rng {
        self.rng.get_or_insert_with(|| Rng::new(0, "sea"))
    }

    fn publish(&mut self, key: String, bytes: Vec<u8>, machine: u32) {
        self.born.entry(key.clone()).or_insert((self.step, machine));
        self.objects.insert(key, bytes);
    }

    fn flies(&mut self, key: &str, bytes: &[u8], machine: u32) {
        let due = self.step + self.rng().between(1, LATEST) as u64;
        self.flights.push(Flight { due, key: key.to_owned(), bytes: bytes.to_owned(), machine });
    }

    /// What this machine is sure to see: names published at this step or before.
    fn horizon(&mut self, machine: u32) -> u64 {
        let is_calm = self.vexed == (0, 0);
        if self.deep || is_calm || !self.rng().chance(STALE_PERCENT) {
            return self.step;
        }
        let behind = self.rng().below(STALE as usize) as u64;
        let own = self.last_own.get(&machine).copied().unwrap_or(0);
        self.step.saturating_sub(behind).max(own)
    }

    fn shows(&self, key: &str, horizon: u64, machine: u32) -> bool {
        self.born.get(key).is_none_or(|(at, by)| *at <= horizon || *by == machine)
    }

    /// Publishes what this machine holds back under the last name before `key`; false if somebody else has that name.
    fn stand(&mut self, machine: u32, key: &str) -> bool {
        match self.last_before(machine, key) {
            Some(name) => self.settles(machine, name),
            None => true,
        }
    }

    /// The last name before this one, if this machine holds it back.
    fn last_before(&self, machine: u32, key: &str) -> Option<String> {
        let folder = key.rfind('/').map_or("", |at| &key[..=at]).to_owned();
        let before = |name: &&String| name.starts_with(&folder) && name.as_str() < key;
        let of_all = self.objects.keys().rfind(before).cloned();
        let own = self.wet.keys().filter(|(on, _)| *on == machine).map(|(_, name)| name);
        own.filter(before).max().cloned().filter(|name| Some(name) >= of_all.as_ref())
    }

    /// Publishes what this machine holds back under a name; false if somebody else has it.
    fn settles(&mut self, machine: u32, name: String) -> bool {
        let Some(wet) = self.wet.get_mut(&(machine, name.clone())) else { return true };
        if !wet.is_out && self.objects.contains_key(&name) {
            self.strikes("a name held back");
            return false;
        }
        wet.is_out = true;
        let part = wet.bytes[..wet.shown].to_owned();
        self.strikes("a part was published");
        self.publish(name, part, machine);
        true
    }

    /// The end of a file that was written: whole, or as far as it came.
    fn closes(&mut self, machine: u32, key: &str) -> Put {
        let Some(wet) = self.wet.remove(&(machine, key.to_owned())) else { return Put::AlreadyExists };
        if !wet.is_out && self.objects.contains_key(key) {
            self.deceived.extend(wet.viewers);
            return Put::AlreadyExists;
        }
        if wet.shown < wet.bytes.len() {
            self.strikes("torn");
        } else if wet.is_out {
            self.strikes("the rest arrived");
        }
        self.publish(key.to_owned(), wet.bytes[..wet.shown].to_owned(), machine);
        self.last_own.insert(machine, self.step);
        Put::Created
    }
}

/// One process's way to the sea. Clones are the same process.
#[derive(Clone, Debug)]
pub struct Shore {
    sea: Arc<Mutex<Sea>>,
    /// Which machine it runs on.
    pub machine: u32,
    /// Which process it is.
    pub process: u32,
}

/// Locks what a panic cannot leave half-changed: every life is dropped after one.
pub fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives way once: here a process can be paused, or killed.
pub async fn give_way() {
    let mut given = false;
    poll_fn(|_| match std::mem::replace(&mut given, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

fn unclear(key: &str) -> Error {
    Error::new(Kind::Later, format!("asking for `{key}`: the connection was cut"))
}

/// What becomes of a creation.
enum Vex {
    Nothing,
    NotDone,
    Done,
    Late,
    Twice,
    Refused,
}

/// While a creation is under way: what a kill makes of it.
struct UnderWay<'a> {
    shore: &'a Shore,
    key: &'a str,
    bytes: &'a [u8],
    is_over: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut sea = lock(&self.shore.sea);
        let machine = self.shore.machine;
        if !sea.deep {
            sea.closes(machine, self.key);
        } else if sea.rng().chance(50) {
            sea.strikes("sent by the dead");
            sea.flies(self.key, self.bytes, machine);
        }
    }
}

impl Shore {
    /// A process on a machine.
    pub fn new(sea: Arc<Mutex<Sea>>, machine: u32, process: u32) -> Self {
        Self { sea, machine, process }
    }

    /// The sea itself.
    pub fn sea(&self) -> MutexGuard<'_, Sea> {
        lock(&self.sea)
    }

    /// Time passes on the way.
    async fn travel(&self) {
        let steps = self.sea().rng().weighted(&[50, 30, 10, 5, 5]);
        for _ in 0..=steps {
            give_way().await;
        }
    }

    fn vex(&self) -> Vex {
        let mut sea = self.sea();
        let (percent, _) = sea.vexed;
        if !sea.rng().chance(percent) {
            return Vex::Nothing;
        }
        match sea.rng().below(11) {
            0..3 => Vex::NotDone,
            3..6 => Vex::Done,
            6..8 => Vex::Late,
            8..10 => Vex::Twice,
            _ => Vex::Refused,
        }
    }

    async fn send(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        let deep = self.sea().deep;
        match deep {
            true => self.create_at_once(key, bytes).await,
            false => self.create_in_parts(key, bytes).await,
        }
    }

    async fn create_at_once(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        let mut under_way = UnderWay { shore: self, key, bytes, is_over: false };
        self.travel().await;
        under_way.is_over = true;
        let mut sea = self.sea();
        if sea.objects.contains_key(key) {
            return Ok(Put::AlreadyExists);
        }
        sea.publish(key.to_owned(), bytes.to_owned(), self.machine);
        Ok(Put::Created)
    }

    async fn create_in_parts(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        self.travel().await;
        {
            let mut sea = self.sea();
            let horizon = sea.horizon(self.machine);
            let is_there = sea.objects.contains_key(key) && sea.shows(key, horizon, self.machine);
            if is_there || sea.wet.contains_key(&(self.machine, key.to_owned())) {
                return Ok(Put::AlreadyExists);
            }
            if !sea.stand(self.machine, key) {
                return Err(unclear(key));
            }
            let (bytes, viewers) = (bytes.to_owned(), BTreeSet::new());
            let wet = Wet { bytes, shown: 0, is_out: false, viewers };
            let now = sea.step;
            sea.last_own.insert(self.machine, now);
            sea.wet.insert((self.machine, key.to_owned()), wet);
        }
        let mut under_way = UnderWay { shore: self, key, bytes, is_over: false };
        for part in 1..=3 {
            self.travel().await;
            if let Some(wet) = self.sea().wet.get_mut(&(self.machine, key.to_owned())) {
                wet.shown = bytes.len() * part / 3;
            }
        }
        self.travel().await;
        under_way.is_over = true;
        let mut sea = self.sea();
        let put = sea.closes(self.machine, key);
        if put == Put::AlreadyExists {
            sea.strikes("closed too late");
        }
        Ok(put)
    }

    fn wins(&self, key: &str, bytes: &[u8], put: Put) -> Put {
        if put == Put::Created {
            let mut sea = self.sea();
            if key.starts_with("journal/") && sea.deleted.contains(key) {
                sea.strikes("a pruned name won");
            }
            sea.won.entry(key.to_owned()).or_default().push((self.process, bytes.to_owned()));
        }
        put
    }
}

impl ObjectStore for Shore {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        if key.starts_with("journal/") {
            *self.sea().asked.entry(self.process).or_default() += 1;
        }
        let vex = self.vex();
        if let Vex::NotDone | Vex::Late = vex {
            self.travel().await;
            let mut sea = self.sea();
            sea.strikes("unclear, not done");
            // A mount sends nothing after its process was told that it failed.
            if matches!(vex, Vex::Late) && sea.deep {
                sea.flies(key, bytes, self.machine);
            }
            return Err(unclear(key));
        }
        let put = self.send(key, bytes).await?;
        give_way().await;
        match (vex, put) {
            (Vex::Done, Put::Created) => {
                self.sea().strikes("unclear, done");
                Err(unclear(key))
            }
            (Vex::Twice, Put::Created) => {
                let mut sea = self.sea();
                sea.strikes("sent twice");
                // The client's second request finds what the first has made.
                match sea.deep && sea.rng().chance(50) {
                    true => sea.flies(key, bytes, self.machine),
                    false => return Ok(Put::AlreadyExists),
                }
                drop(sea);
                Ok(self.wins(key, bytes, put))
            }
            (Vex::Refused, Put::Created) => {
                self.sea().strikes("refused");
                Err(Error::new(Kind::Halt, format!("creating `{key}`: the disk is failing")))
            }
            _ => Ok(self.wins(key, bytes, put)),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.travel().await;
        let mut sea = self.sea();
        let (_, percent) = sea.vexed;
        if sea.rng().chance(percent) {
            sea.strikes("unclear look");
            return Err(unclear(key));
        }
        if let Some(wet) = sea.wet.get_mut(&(self.machine, key.to_owned())) {
            wet.viewers.insert(self.process);
            let part = wet.bytes[..wet.shown].to_owned();
            let is_out = wet.is_out;
            let is_false = !is_out && sea.objects.contains_key(key);
            sea.strikes("a part was seen");
            if is_false {
                sea.deceived.insert(self.process);
            }
            return Ok(Some(part));
        }
        let horizon = sea.horizon(self.machine);
        let found = sea.objects.get(key).cloned();
        if found.is_some() && !sea.shows(key, horizon, self.machine) {
            sea.strikes("stale absence");
            return Ok(None);
        }
        Ok(found)
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        self.travel().await;
        let mut sea = self.sea();
        let (_, percent) = sea.vexed;
        if sea.rng().chance(percent) {
            sea.strikes("unclear look");
            return Err(unclear(prefix));
        }
        let horizon = sea.horizon(self.machine);
        let is_asked = |key: &&String| key.starts_with(prefix) && key.as_str() > after;
        let (shown, hidden): (Vec<&String>, Vec<&String>) =
            sea.objects.keys().filter(is_asked).partition(|key| sea.shows(key, horizon, self.machine));
        let wet = sea.wet.keys().filter(|(on, _)| *on == self.machine).map(|(_, name)| name);
        let names: BTreeSet<String> = shown.into_iter().chain(wet.filter(is_asked)).cloned().collect();
        if !hidden.is_empty() {
            sea.strikes("stale list");
        }
        Ok(names.into_iter().take(limit).collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.travel().await;
        let mut sea = self.sea();
        if sea.objects.remove(key).is_some() {
            sea.born.remove(key);
            sea.deleted.insert(key.to_owned());
            sea.won.remove(key);
        }
        Ok(())
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.travel().await;
        self.sea().publish(key.to_owned(), bytes.to_owned(), self.machine);
        Ok(())
    }

    async fn is_atomic(&self) -> bool {
        self.sea().deep
    }

    async fn settle(&self, key: &str) -> Result<()> {
        self.travel().await;
        match self.sea().settles(self.machine, key.to_owned()) {
            true => Ok(()),
            false => Err(unclear(key)),
        }
    }

    fn place(&self, key: &str) -> String {
        format!("sea:{key}")
    }
}
