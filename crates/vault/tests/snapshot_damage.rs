//! Snapshots and copies under damage: what is restored is what was saved, or an error that names the object.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::*;
use proptest::prelude::*;
use vault::snapshot::{Base, restore, save_in_parts, snapshots};
use vault::{Error, Kind, MemoryStore, ObjectStore, Put, Result, Snapshot};

/// A small vault, and a snapshot of its end that holds this file in parts of this size.
async fn with_snapshot(file: &[u8], part_bytes: usize) -> (MemoryStore, Snapshot) {
    let store = small().await;
    let saved = add_snapshot(&store, file, part_bytes).await;
    (store, saved)
}

async fn add_snapshot(store: &MemoryStore, file: &[u8], part_bytes: usize) -> Snapshot {
    let (_, tail) = entries(store, None).await.unwrap();
    let position = tail.position.unwrap();
    let base = Base { seq: tail.seq, position, fold: 1, journal_bytes: 900, at: at(9) };
    save_in_parts(store, (base, nonce(2)), (file.len() as u64, part_bytes), file).await.unwrap()
}

async fn file(store: &MemoryStore, snapshot: &Snapshot) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    restore(store, snapshot, |part| {
        file.extend_from_slice(part);
        Ok::<_, Error>(())
    })
    .await?;
    Ok(file)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|at| (at * usize::from(seed | 1) % 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_was_saved_is_restored(content in prop::collection::vec(any::<u8>(), 0..300), part in 1usize..70) {
        run(async {
            let (store, saved) = with_snapshot(&content, part).await;
            assert_eq!(file(&store, &saved).await.unwrap(), content);
            let found = snapshots(&store).await.unwrap();
            assert_eq!(found.whole, [saved]);
            let parts = store.objects().keys().filter(|key| key.ends_with(".zst") && key.starts_with("snap")).count();
            assert_eq!(parts, content.len().div_ceil(part));
            assert_eq!(vault::verify(&store).await.unwrap().snapshots, found.whole);
        });
    }

    #[test]
    fn sizes_around_a_part_are_restored(part in 1usize..40, times in 0usize..4, off in -1isize..2, seed: u8) {
        run(async {
            let content = bytes((part * times).saturating_add_signed(off), seed);
            let (store, saved) = with_snapshot(&content, part).await;
            assert_eq!(file(&store, &saved).await.unwrap(), content);
        });
    }

    #[test]
    fn a_damaged_part_never_gives_wrong_bytes(
        (at, bit, cut) in (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..4),
        other in any::<prop::sample::Index>(),
    ) {
        run(async {
            let content = bytes(230, 7);
            let (store, saved) = with_snapshot(&content, 50).await;
            let mut objects = store.objects();
            let parts: Vec<String> =
                objects.keys().filter(|key| key.starts_with("snapshots/") && key.ends_with(".zst")).cloned().collect();
            let key = at.get(&parts).clone();
            let before = objects[&key].clone();
            match cut {
                0 => { objects.remove(&key); }
                1 => objects.get_mut(&key).unwrap().truncate(bit.index(before.len())),
                2 => { objects.insert(key.clone(), objects[other.get(&parts)].clone()); }
                _ => objects.get_mut(&key).unwrap()[bit.index(before.len())] ^= 1 << (before[0] % 8),
            }
            let is_same = objects.get(&key) == Some(&before);
            match file(&MemoryStore::from(objects), &saved).await {
                Ok(found) => assert!(is_same && found == content),
                Err(error) => {
                    assert!(!is_same && error.kind() == Kind::Damaged);
                    assert!(error.to_string().contains(&key), "{error}");
                }
            }
        });
    }
}

#[test]
fn a_manifest_cut_at_any_byte_is_no_snapshot_and_is_named() {
    run(async {
        let (store, saved) = with_snapshot(&bytes(100, 3), 40).await;
        let key = format!("snapshots/{}/manifest.json", saved.name);
        let whole = store.objects()[&key].clone();
        for length in 0..whole.len() {
            let mut objects = store.objects();
            objects.insert(key.clone(), whole[..length].to_vec());
            let found = snapshots(&MemoryStore::from(objects)).await.unwrap();
            assert!(found.whole.is_empty() && found.damaged[0].to_string().contains(&key), "{length}");
        }
    });
}

/// A vault with a voided object and a snapshot of two parts.
async fn with_everything() -> MemoryStore {
    let (store, _) = with_snapshot(&bytes(60, 3), 40).await;
    let mut objects = store.objects();
    objects.insert(name(6), b"half a segment".to_vec());
    let store = MemoryStore::from(objects);
    open(store.clone(), 3).await.unwrap().append(at(5), vec![text("five")]).await.unwrap();
    store.replace("HEAD.json", b"{}").await.unwrap();
    store
}

#[test]
fn every_flipped_bit_of_a_vault_with_snapshots_shows() {
    run(async {
        let objects = with_everything().await.objects();
        for (key, bytes) in objects.iter().filter(|(key, _)| *key != "HEAD.json") {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = objects.clone();
                flipped.get_mut(key).unwrap()[bit / 8] ^= 1 << (bit % 8);
                match vault::verify(&MemoryStore::from(flipped)).await {
                    Err(error) => {
                        assert!(error.to_string().contains(key.as_str()), "{key} bit {bit}: {error}")
                    }
                    Ok(found) => {
                        assert_eq!(*key, name(8), "bit {bit} of {key} is not seen");
                        assert_eq!(found.tail.torn[0].name, name(8));
                    }
                }
            }
        }
    });
}

#[test]
fn every_lost_object_of_a_vault_shows() {
    run(async {
        let objects = with_everything().await.objects();
        for key in objects.keys() {
            let mut fewer = objects.clone();
            fewer.remove(key);
            let end = vault::verify(&MemoryStore::from(fewer)).await;
            // The last segment and a whole snapshot may be absent: they would be, had they never been written.
            let may_be_absent = *key == "HEAD.json" || *key == name(8) || key.ends_with("/manifest.json");
            match end {
                Ok(_) => assert!(may_be_absent, "{key}"),
                Err(error) => {
                    assert!(!may_be_absent && error.to_string().contains(key.as_str()), "{key}: {error}")
                }
            }
        }
    });
}

/// A store that takes so many new objects and then refuses.
struct Stops(MemoryStore, std::sync::atomic::AtomicI64);

impl ObjectStore for Stops {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        match self.1.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) {
            ..=0 => Err(Error::new(Kind::Later, "stopped")),
            _ => self.0.put_new(key, bytes).await,
        }
    }
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.0.get(key).await
    }
    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        self.0.list(prefix, after, limit).await
    }
    async fn delete(&self, key: &str) -> Result<()> {
        self.0.delete(key).await
    }
    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.0.replace(key, bytes).await
    }
    fn place(&self, key: &str) -> String {
        self.0.place(key)
    }
}

#[test]
fn a_copy_that_stops_anywhere_goes_on_and_is_the_same() {
    run(async {
        let store = with_everything().await;
        let mut expected = store.objects();
        expected.remove("HEAD.json");
        for count in 0..expected.len() {
            let target = MemoryStore::new();
            let stops = Stops(target.clone(), (count as i64).into());
            assert_eq!(vault::copy(&store, &stops, |_| ()).await.unwrap_err().kind(), Kind::Later);
            assert!(!target.objects().contains_key("VAULT.json"), "half a copy is no vault");
            let copied = vault::copy(&store, &target, |_| ()).await.unwrap();
            assert_eq!((copied.found, copied.objects as usize), (count as u64, expected.len() - count));
            assert_eq!(target.objects(), expected);
            vault::verify(&target).await.unwrap();
        }
    });
}

#[test]
fn what_is_not_acknowledged_is_not_copied() {
    run(async {
        let mut objects = small().await.objects();
        objects.insert(name(6), b"half".to_vec());
        objects.insert(name(7), b"more".to_vec());
        let target = MemoryStore::new();
        vault::copy(&MemoryStore::from(objects), &target, |_| ()).await.unwrap();
        assert_eq!(target.objects(), small().await.objects());
    });
}

#[test]
fn another_vaults_target_is_refused_also_when_it_is_half_a_copy() {
    run(async {
        let other = MemoryStore::new();
        let identity = vault::Identity::new(vault::VaultId::new([8; 16]), "test");
        vault::init(&other, &identity).await.unwrap();
        open(other.clone(), 1).await.unwrap();
        let mut half = other.objects();
        half.remove("VAULT.json");
        // A pruned vault: no name of its is taken there.
        let pruned = small().await;
        let mut vault = open(pruned.clone(), 5).await.unwrap();
        vault.prune::<Probe>(at(9), vault::Ordinal::new(4)).await.unwrap();
        for (target, from) in
            [(other.objects(), small().await), (half.clone(), small().await), (half, pruned)]
        {
            let store = MemoryStore::from(target.clone());
            let error = vault::copy(&from, &store, |_| ()).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Halt, "{error}");
            assert_eq!(store.objects(), target);
        }
    });
}
