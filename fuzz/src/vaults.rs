//! The vaults that inputs are made of: small, since every input reads one whole. It must not know what is done to them.

use std::collections::BTreeMap;
use std::future::Future;
use std::task::{Context, Poll, Waker};
use vault::snapshot::{Base, save_in_parts};
use vault::{Entry, Error, Identity, MemoryStore, Nonce, ObjectStore, Segment, Vault, VaultId, Writer};

/// Names and bytes.
pub type Objects = BTreeMap<String, Vec<u8>>;
/// An entry, whatever its record is.
pub type Any = Entry<serde_json::Value>;

/// A vault as it was written.
pub struct Original {
    pub objects: Objects,
    pub entries: Vec<Any>,
    /// The file of its snapshot.
    pub file: Vec<u8>,
}

/// Runs a call over a store in memory, which never waits.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(end) => end,
        Poll::Pending => panic!("a store in memory never waits"),
    }
}

/// All entries of a vault, as far as they are handed out.
pub fn entries(store: &MemoryStore) -> (Vec<Any>, Result<vault::Tail, Error>) {
    let mut found = Vec::new();
    let end = run(async {
        let start = vault::start(store).await?;
        vault::read(store, start, |segment: Segment<serde_json::Value>| {
            found.extend(segment.entries);
            Ok::<_, Error>(())
        })
        .await
    });
    (found, end)
}

/// The vaults, each of another shape.
pub fn all() -> Vec<Original> {
    [plain as fn(&MemoryStore) -> _, voided, pruned].map(original).into()
}

fn original(make: fn(&MemoryStore) -> Result<Vault<MemoryStore>, Error>) -> Original {
    let store = MemoryStore::new();
    let made = run(vault::init(&store, &Identity::new(VaultId::new([7; 16]), "test")));
    let vault = made.and_then(|()| make(&store)).expect("a vault in memory is always written");
    let file: Vec<u8> = (0..90).collect();
    let base = Base {
        seq: vault.seq(),
        position: vault.position(),
        fold: 1,
        journal_bytes: 700,
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    run(save_in_parts(&store, (base, vault.nonce()), (90, 50), &file[..]))
        .expect("a snapshot in memory is always saved");
    let objects = store.objects();
    Original { entries: entries(&store).0, objects, file }
}

fn open(store: &MemoryStore, seed: u8) -> Result<Vault<MemoryStore>, Error> {
    run(Vault::open(store.clone(), Writer::default(), Nonce::new([seed; 16]), jiff::Timestamp::UNIX_EPOCH))
}

fn append(vault: &mut Vault<MemoryStore>, word: &str) -> Result<(), Error> {
    run(vault.append(jiff::Timestamp::UNIX_EPOCH, vec![word, "and more"])).map(drop)
}

fn plain(store: &MemoryStore) -> Result<Vault<MemoryStore>, Error> {
    let mut vault = open(store, 1)?;
    append(&mut vault, "one")?;
    Ok(vault)
}

fn voided(store: &MemoryStore) -> Result<Vault<MemoryStore>, Error> {
    open(store, 1)?;
    run(store.put_new("journal/0000000002.jsonl.zst", b"half a segment"))?;
    let mut vault = open(store, 2)?;
    append(&mut vault, "one")?;
    Ok(vault)
}

fn pruned(store: &MemoryStore) -> Result<Vault<MemoryStore>, Error> {
    let mut vault = open(store, 1)?;
    append(&mut vault, "one")?;
    append(&mut vault, "two")?;
    let before = vault.position().ordinal;
    run(vault.prune::<String>(jiff::Timestamp::UNIX_EPOCH, before))?;
    append(&mut vault, "three")?;
    Ok(vault)
}
