//! What the tests of the vault share: a small record type, makers of vaults, and a store with scripted
//! faults.
#![allow(dead_code, reason = "each test file uses its own part")]

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex};
use vault::{
    Entry, Error, Event, Identity, Kind, MemoryStore, Nonce, ObjectStore, Position, Put, Result, Segment,
    Tail, Vault, VaultId, Writer,
};

/// A record type with every shape that serialises differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    Nothing,
    Text(String),
    Number(i64),
    Nested { list: Vec<Option<String>>, map: BTreeMap<String, u32> },
}

pub type Objects = BTreeMap<String, Vec<u8>>;

pub fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}

pub fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub fn text(text: &str) -> Probe {
    Probe::Text(text.to_owned())
}

pub fn an_identity() -> Identity {
    Identity::new(VaultId::new([7; 16]), "test")
}

pub fn writer(host: &str) -> Writer {
    Writer {
        host: host.to_owned(),
        boot: "boot".to_owned(),
        pid: 17,
        execution: None,
        version: "0.1.0".to_owned(),
    }
}

pub fn nonce(seed: u8) -> Nonce {
    Nonce::new([seed; 16])
}

pub async fn fresh() -> MemoryStore {
    let store = MemoryStore::new();
    vault::init(&store, &an_identity()).await.unwrap();
    store
}

pub async fn open<S: ObjectStore>(store: S, seed: u8) -> Result<Vault<S>> {
    Vault::open(store, writer(&format!("host-{seed}")), nonce(seed), at(i64::from(seed))).await
}

/// A vault with a closed term, and one of two appends that was not closed: five segments, seven entries.
pub async fn small() -> MemoryStore {
    let store = fresh().await;
    let mut vault = open(store.clone(), 1).await.unwrap();
    vault.append(at(2), vec![text("one"), text("two")]).await.unwrap();
    vault.close::<Probe>(at(3)).await.unwrap();
    let mut vault = open(store.clone(), 2).await.unwrap();
    vault.append(at(4), vec![text("three"), Probe::Number(4)]).await.unwrap();
    store
}

pub async fn entries<S: ObjectStore>(
    store: &S,
    after: Option<Position>,
) -> Result<(Vec<Entry<Probe>>, Tail)> {
    let mut found = Vec::new();
    let tail = vault::read(store, after, |segment: Segment<Probe>| {
        found.extend(segment.entries);
        Ok::<_, Error>(())
    })
    .await?;
    Ok((found, tail))
}

pub async fn records<S: ObjectStore>(store: &S) -> Vec<Probe> {
    let (entries, _) = entries(store, None).await.unwrap();
    let record = |entry: Entry<Probe>| match entry.event {
        Event::Record(record) => Some(record),
        _ => None,
    };
    entries.into_iter().filter_map(record).collect()
}

pub fn name(ordinal: u64) -> String {
    format!("journal/{ordinal:010}.jsonl.zst")
}

/// What happens to one creation.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It works.
    None,
    /// It does not happen, and the answer is unclear.
    LostBefore,
    /// It happens, and the answer is unclear.
    LostAfter,
    /// A part of the bytes appears, and the answer is unclear.
    TornAfter(usize),
    /// It happens, but the store says that it could not be made durable.
    Refused,
}

/// A store that gives way to others at every call, and fails creations by a script.
#[derive(Clone, Default)]
pub struct Scripted {
    pub inner: MemoryStore,
    script: Arc<Mutex<VecDeque<Fault>>>,
    pub sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Scripted {
    pub fn over(inner: MemoryStore) -> Self {
        Self { inner, ..Self::default() }
    }

    pub fn next(&self, faults: &[Fault]) {
        self.script.lock().unwrap().extend(faults);
    }
}

impl ObjectStore for Scripted {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        tokio::task::yield_now().await;
        self.sent.lock().unwrap().push(bytes.to_vec());
        let fault = self.script.lock().unwrap().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::None => return self.inner.put_new(key, bytes).await,
            Fault::LostBefore => {}
            Fault::Refused => {
                self.inner.put_new(key, bytes).await?;
                return Err(Error::new(Kind::Halt, "the disk is failing"));
            }
            Fault::LostAfter => drop(self.inner.put_new(key, bytes).await?),
            Fault::TornAfter(length) => drop(self.inner.put_new(key, &bytes[..length]).await?),
        }
        Err(Error::new(Kind::Later, "the connection was cut"))
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        tokio::task::yield_now().await;
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        tokio::task::yield_now().await;
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        tokio::task::yield_now().await;
        self.inner.replace(key, bytes).await
    }

    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }
}
