//! What `cargo xtask bench vault` and `cargo xtask demo` need from within: the old way of saving a state (copy the whole
//! file), commits for another program to ship, appends of real records to vaults near and far, and a look into states.
//! Each is a command that ends by itself and prints a JSON object: `cargo bench --bench vault -- COMMAND ...`.
//!
//! This file must not know what is compared with what: `xtask/src/bench/vault.rs` does.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used)] // A bench that cannot set itself up has failed.
#![allow(dead_code)] // Of the false bucket only its count is needed.

#[cfg(feature = "cloud")]
#[path = "../tests/gcs/mod.rs"]
mod gcs;

use highwater::state::State;
use knowledge::record::Record;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vault::{
    DirStore, Event, Identity, MemoryStore, Nonce, ObjectStore, Put, Segment, Vault, VaultId, Writer,
};

/// What a batch changes.
const CHANGE_BYTES: usize = 5_000;
/// One round trip to a bucket, as from a container in the same region.
const ROUND_TRIP: Duration = Duration::from_millis(60);
/// An answer of about 5 KB, as it stands in the journal.
const ANSWER_BYTES: std::ops::RangeInclusive<usize> = 4_000..=6_500;
/// How long a commit may take to be shipped before it is given up.
const SHIPPED_WITHIN: Duration = Duration::from_secs(60);
/// How often the replica is looked at.
const LOOK: Duration = Duration::from_millis(2);

const USAGE: &str = "commands: make DB MB | copies DB FOLDER N | probe DB REPLICA N | appends VAULT ANSWERS N | \
                     distant VAULT ANSWERS N | google ANSWERS N | check DB | graph STATE";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().unwrap();
    let found = match words[..] {
        ["make", file, megabytes] => make(Path::new(file), number(megabytes)),
        ["copies", file, folder, count] => copies(Path::new(file), Path::new(folder), number(count)),
        ["probe", file, replica, count] => probe(Path::new(file), Path::new(replica), number(count)),
        ["appends", vault, answers, count] => near(vault, answers, number(count)),
        ["distant", vault, answers, count] => distant(Path::new(vault), answers, number(count)),
        #[cfg(feature = "cloud")]
        ["google", answers, count] => google(answers, number(count)),
        ["check", file] => check(Path::new(file)),
        ["graph", state] => graph(Path::new(state)),
        _ => return println!("{USAGE}"),
    };
    println!("{found}");
}

/// Times in milliseconds, of which the middle and the 95th of a hundred are told.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn add(&mut self, since: Instant) {
        self.0.push(since.elapsed().as_secs_f64() * 1e3);
    }

    fn told(mut self, bytes: u64) -> Value {
        self.0.sort_by(f64::total_cmp);
        let count = self.0.len();
        let at = |part: usize| self.0[(count * part / 100).min(count - 1)];
        let bytes = bytes / count as u64;
        json!({"count": count, "median_ms": at(50), "p95_ms": at(95), "max_ms": at(100), "bytes": bytes})
    }
}

/// Words that compress like prose, made by a fixed sequence.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 12);
        while text.len() < bytes {
            let word = (self.next() % 4_096).wrapping_mul(2_654_435_761);
            let length = 3 + word % 6;
            text.extend((0..length).map(|at| char::from(b'a' + ((word >> (4 * at)) % 26) as u8)));
            text.push(' ');
        }
        text
    }
}

/// A database as the old way keeps it: in WAL mode, folded into the file when the program says so.
fn open(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;
             PRAGMA busy_timeout = 5000;
             CREATE TABLE IF NOT EXISTS saved_batch (number INTEGER PRIMARY KEY, body TEXT NOT NULL);",
        )
        .unwrap();
    connection
}

fn change(connection: &Connection, words: &mut Words) {
    connection
        .execute("INSERT INTO saved_batch (body) VALUES (?1)", params![words.text(CHANGE_BYTES)])
        .unwrap();
}

fn checkpoint(connection: &Connection) {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0, "somebody else holds the file");
}

/// Makes a database of some size.
fn make(file: &Path, megabytes: u64) -> Value {
    let connection = open(file);
    let mut words = Words(1);
    while std::fs::metadata(file).unwrap().len() < megabytes * 1_000_000 {
        let transaction = connection.unchecked_transaction().unwrap();
        (0..200).for_each(|_| change(&connection, &mut words));
        transaction.commit().unwrap();
        checkpoint(&connection);
    }
    json!({"bytes": std::fs::metadata(file).unwrap().len()})
}

/// The old way: after each batch fold the log into the file and copy the file. Every saved batch is said at once.
fn copies(file: &Path, folder: &Path, count: u64) -> Value {
    std::fs::create_dir_all(folder).unwrap();
    let connection = open(file);
    let (mut words, mut times, mut bytes) = (Words(7), Times::default(), 0);
    for number in 1..=count {
        let begun = Instant::now();
        change(&connection, &mut words);
        checkpoint(&connection);
        bytes += std::fs::copy(file, folder.join("state.db")).unwrap();
        times.add(begun);
        println!("saved {number}");
        std::io::stdout().flush().unwrap();
    }
    times.told(bytes)
}

/// Commits now and then, and waits each time until another program has shipped it to its replica.
fn probe(file: &Path, replica: &Path, count: u64) -> Value {
    let shipped = || {
        let names = std::fs::read_dir(replica.join("ltx/0")).into_iter().flatten().flatten();
        let shown = names.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.ends_with(".ltx").then_some((name, entry.metadata().ok()?.len()))
        });
        shown.collect::<BTreeMap<_, _>>()
    };
    let connection = open(file);
    let (mut words, mut times, mut bytes) = (Words(99), Times::default(), 0);
    for round in 0..=count {
        // Not in step with whoever looks once a second.
        std::thread::park_timeout(Duration::from_millis(1_500 + words.next() % 1_000));
        let before = shipped();
        change(&connection, &mut words);
        let begun = Instant::now();
        let new = loop {
            let new: u64 =
                shipped().iter().filter(|(name, _)| !before.contains_key(*name)).map(|(_, size)| size).sum();
            assert!(begun.elapsed() < SHIPPED_WITHIN, "a commit was not shipped");
            if new > 0 {
                break new;
            }
            std::thread::park_timeout(LOOK);
        };
        // The first may wait for the other program to have begun.
        if round > 0 {
            times.add(begun);
            bytes += new;
        }
    }
    times.told(bytes)
}

/// A store that is one round trip away, whatever is asked of it.
#[derive(Clone)]
struct Distant<S> {
    store: S,
    trips: Arc<AtomicU64>,
}

impl<S> Distant<S> {
    fn new(store: S) -> Self {
        Self { store, trips: Arc::default() }
    }

    async fn travel(&self) {
        self.trips.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ROUND_TRIP).await;
    }
}

impl<S: ObjectStore> ObjectStore for Distant<S> {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> vault::Result<Put> {
        self.travel().await;
        self.store.put_new(key, bytes).await
    }

    async fn get(&self, key: &str) -> vault::Result<Option<Vec<u8>>> {
        self.travel().await;
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> vault::Result<Vec<String>> {
        self.travel().await;
        self.store.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> vault::Result<()> {
        self.travel().await;
        self.store.delete(key).await
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> vault::Result<()> {
        self.travel().await;
        self.store.replace(key, bytes).await
    }

    async fn is_atomic(&self) -> bool {
        self.store.is_atomic().await
    }

    fn place(&self, key: &str) -> String {
        self.store.place(key)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn at(second: u64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000 + second as i64).unwrap()
}

/// Answers of the usual size out of a journal: real records, as a model's answers became them.
async fn answers(folder: &str) -> Vec<Record> {
    let mut found = Vec::new();
    vault::read(&DirStore::new(folder), None, |segment: Segment<Record>| {
        found.extend(segment.entries.into_iter().filter_map(|entry| match entry.event {
            Event::Record(record @ Record::Answered(_)) => Some(record),
            _ => None,
        }));
        Ok::<_, vault::Error>(())
    })
    .await
    .unwrap();
    let size = |record: &Record| serde_json::to_vec(record).unwrap().len();
    let mut sizes: Vec<usize> = found.iter().map(size).collect();
    sizes.sort_unstable();
    found.retain(|record| ANSWER_BYTES.contains(&size(record)));
    assert!(!found.is_empty(), "`{folder}` has no answers of about 5 KB, but of {sizes:?}");
    found
}

/// Appends one record at a time, and times each until it is durable.
/// `asked` counts what the store is asked.
async fn append<S: ObjectStore>(store: S, records: &[Record], count: u64, asked: impl Fn() -> u64) -> Value {
    let nonce =
        Nonce::new(*blake3::hash(&std::process::id().to_le_bytes()).as_bytes().first_chunk().unwrap());
    let mut vault = Vault::open(store, Writer::default(), nonce, at(0)).await.unwrap();
    let (mut times, mut bytes, mut inflated) = (Times::default(), 0, 0);
    let before = asked();
    for round in 0..count {
        let record = records[round as usize % records.len()].clone();
        inflated += serde_json::to_vec(&record).unwrap().len() as u64;
        let begun = Instant::now();
        let segment = vault.append(at(round), vec![record]).await.unwrap();
        times.add(begun);
        bytes += segment.bytes;
    }
    let mut told = times.told(bytes);
    told["asked"] = json!((asked() - before) as f64 / count as f64);
    told["record_bytes"] = json!(inflated / count);
    told["different"] = json!(records.len());
    told["segments_before"] = json!(vault.position().ordinal.get() - count - 1);
    told
}

/// To a folder on a local disk.
fn near(folder: &str, from: &str, count: u64) -> Value {
    runtime().block_on(async { append(DirStore::new(folder), &answers(from).await, count, || 0).await })
}

/// To a store that is a round trip away and holds what the folder holds.
fn distant(folder: &Path, from: &str, count: u64) -> Value {
    runtime().block_on(async {
        let near = DirStore::new(folder);
        let mut objects = BTreeMap::new();
        for name in near.list("", "", usize::MAX).await.unwrap() {
            let bytes = near.get(&name).await.unwrap().unwrap();
            objects.insert(name, bytes);
        }
        let far = Distant::new(MemoryStore::from(objects));
        let records = answers(from).await;
        let trips = far.trips.clone();
        append(far, &records, count, || trips.load(Ordering::Relaxed)).await
    })
}

/// To a server that speaks as Google's buckets do, through the client the program uses: what is counted is requests.
#[cfg(feature = "cloud")]
fn google(from: &str, count: u64) -> Value {
    let server = gcs::Gcs::new();
    let environment = [("STORAGE_EMULATOR_HOST".to_owned(), server.host.clone())];
    runtime().block_on(async {
        let target = format!("gs://{}/wiki", gcs::BUCKET);
        let store = highwater::wire::stores::store(&target, environment).unwrap();
        vault::init(&store, &Identity::new(VaultId::new([7; 16]), "bench")).await.unwrap();
        let requests = || {
            ["PUT", "GET", "HEAD", "POST", "DELETE"]
                .map(|method| server.requests(method))
                .iter()
                .sum::<usize>() as u64
        };
        append(Distant::new(store), &answers(from).await, count, requests).await
    })
}

/// Whether a database opens and is sound, and how many batches it holds.
fn check(file: &Path) -> Value {
    let looked = || {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let integrity: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let batches: i64 = connection.query_row("SELECT count(*) FROM saved_batch", [], |row| row.get(0))?;
        Ok::<_, rusqlite::Error>((integrity, batches.unsigned_abs()))
    };
    match looked() {
        Ok((integrity, batches)) => json!({"integrity": integrity, "batches": batches}),
        Err(why) => json!({"integrity": why.to_string(), "batches": 0}),
    }
}

/// The last record that a state shows, and its graph as a digest. A file that is not there shows nothing.
fn graph(file: &Path) -> Value {
    match State::open_to_read(file).unwrap() {
        None => json!({"applied": 0, "graph": ""}),
        Some(state) => {
            let dump = state.dump().unwrap();
            json!({"applied": state.applied().unwrap().get(), "graph": blake3::hash(dump.as_bytes()).to_string()})
        }
    }
}
