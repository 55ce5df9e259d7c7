//! Snapshots and what depends on them: saved and restored, passed over when damaged, rotated, and a journal that was
//! pruned behind them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::*;
use vault::snapshot::{self, Base};
use vault::{Event, Kind, MemoryStore, Ordinal, Position, Segment, Snapshot, Vault};

/// A file of so many bytes that do not compress, the same for the same seed.
fn a_file(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn base(vault: &Vault<MemoryStore>) -> Base {
    Base { seq: vault.seq(), position: vault.position(), fold: 7, journal_bytes: 100, at: at(50) }
}

async fn save(vault: &Vault<MemoryStore>, file: &[u8]) -> Snapshot {
    let (base, bytes) = (base(vault), file.len() as u64);
    snapshot::save(vault.store(), (base, vault.nonce()), bytes, file).await.unwrap()
}

async fn restored(store: &MemoryStore, saved: &Snapshot) -> vault::Result<Vec<u8>> {
    let mut file = Vec::new();
    snapshot::restore(store, saved, |part| {
        file.extend_from_slice(part);
        Ok::<_, vault::Error>(())
    })
    .await?;
    Ok(file)
}

#[test]
fn a_file_of_several_parts_comes_back_as_it_was() {
    run(async {
        for bytes in [0, 1, (16 << 20) - 1, 16 << 20, (33 << 20) + 5] {
            let vault = open(fresh().await, 1).await.unwrap();
            let file = a_file(bytes as u64, bytes);
            let saved = save(&vault, &file).await;
            assert_eq!(saved.bytes, bytes as u64);
            assert_eq!(snapshot::snapshots(vault.store()).await.unwrap().whole, std::slice::from_ref(&saved));
            assert!(restored(vault.store(), &saved).await.unwrap() == file, "{bytes} bytes");
            assert_eq!(vault::verify(vault.store()).await.unwrap().snapshots, [saved]);
        }
    });
}

#[test]
fn a_file_that_ends_early_or_fails_leaves_nothing_that_counts() {
    run(async {
        let vault = open(fresh().await, 1).await.unwrap();
        let short = a_file(1, 100);
        let saved = snapshot::save(vault.store(), (base(&vault), vault.nonce()), 101, &short[..]).await;
        assert_eq!(saved.unwrap_err().kind(), Kind::Later);
        assert!(snapshot::snapshots(vault.store()).await.unwrap().whole.is_empty());
        // What is left of it stands in nobody's way: the same snapshot can be taken again.
        let saved = save(&vault, &short).await;
        assert_eq!(restored(vault.store(), &saved).await.unwrap(), short);
    });
}

#[test]
fn a_damaged_part_is_named_and_never_gives_wrong_bytes() {
    run(async {
        let vault = open(fresh().await, 1).await.unwrap();
        let saved = save(&vault, &a_file(3, 300)).await;
        let objects = vault.store().objects();
        let part = objects.keys().find(|key| key.ends_with("/00000.zst")).unwrap().clone();
        for bit in 0..objects[&part].len() * 8 {
            let mut flipped = objects.clone();
            flipped.get_mut(&part).unwrap()[bit / 8] ^= 1 << (bit % 8);
            let store = MemoryStore::from(flipped);
            let error = restored(&store, &saved).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Damaged);
            assert!(error.to_string().contains(&part), "{error}");
            assert!(vault::verify(&store).await.unwrap_err().to_string().contains(&part));
        }
        let mut without = objects.clone();
        without.remove(&part);
        let error = restored(&MemoryStore::from(without), &saved).await.unwrap_err();
        assert!(error.to_string().contains("it is missing"), "{error}");
    });
}

#[test]
fn two_snapshots_are_kept_and_what_a_kill_left_goes() {
    run(async {
        let mut vault = open(fresh().await, 1).await.unwrap();
        let mut saved = Vec::new();
        for number in 0..4 {
            vault.append(at(number), vec![text("x")]).await.unwrap();
            if number == 1 {
                let part = &a_file(9, 50)[..];
                snapshot::save(vault.store(), (base(&vault), vault.nonce()), 99, part).await.unwrap_err();
                continue;
            }
            saved.push(save(&vault, &a_file(number as u64, 1_000)).await);
        }
        assert_eq!(
            snapshot::rotate(vault.store(), 8, 2).await.unwrap(),
            0,
            "another fold version's are left alone"
        );
        assert!(snapshot::rotate(vault.store(), 7, 2).await.unwrap() > 0);
        let found = snapshot::snapshots(vault.store()).await.unwrap();
        assert_eq!(found.whole, [saved[2].clone(), saved[1].clone()]);
        let left = vault.store().objects().keys().filter(|key| key.starts_with("snapshots/")).count();
        assert_eq!(left, 4, "a part and a manifest each");
    });
}

/// A vault of six segments, pruned before the fourth.
async fn pruned() -> (Vault<MemoryStore>, Position) {
    let mut vault = open(fresh().await, 1).await.unwrap();
    let mut stands = None;
    for number in 0..5 {
        let segment = vault.append(at(number), vec![text(&format!("record {number}"))]).await.unwrap();
        if number == 2 {
            save(&vault, &a_file(1, 100)).await;
            stands = Some(segment.position);
        }
    }
    let stands = stands.unwrap();
    let (_, deleted) = vault.prune::<Probe>(at(9), stands.ordinal).await.unwrap();
    assert_eq!(deleted, 3);
    (vault, stands)
}

#[test]
fn a_pruned_journal_is_read_from_its_snapshot_on_and_verified() {
    run(async {
        let (mut vault, stands) = pruned().await;
        vault.append(at(10), vec![text("after")]).await.unwrap();
        let store = vault.store().clone();
        let (later, tail) = entries(&store, Some(stands)).await.unwrap();
        assert_eq!(later.len(), 4, "two records, the pruning, one more");
        assert!(matches!(later[2].event, Event::Pruned { before } if before == Ordinal::new(4)));
        assert_eq!(tail.position, Some(vault.position()));
        let found = vault::verify(&store).await.unwrap();
        assert_eq!(found.pruned_before, Some(Ordinal::new(4)));
        assert_eq!(vault::start(&store).await.unwrap(), Some(stands));
        let error = entries(&store, None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(error.to_string().contains(&name(3)), "{error}");
        // The next writer goes on as ever.
        let mut next = open(store.clone(), 2).await.unwrap();
        let segment: Segment<Probe> = next.append(at(11), vec![text("next")]).await.unwrap();
        assert_eq!(segment.last_seq(), next.seq());
        vault::verify(&store).await.unwrap();
    });
}

#[test]
fn segments_that_are_lost_and_were_not_pruned_are_damage() {
    run(async {
        let (vault, _) = pruned().await;
        let mut objects = vault.store().objects();
        objects.remove(&name(4));
        let error = vault::verify(&MemoryStore::from(objects)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(error.to_string().contains(&name(4)), "{error}");

        let mut objects = small().await.objects();
        objects.remove(&name(1));
        let error = vault::verify(&MemoryStore::from(objects)).await.unwrap_err();
        assert!(error.to_string().contains(&name(1)), "{error}");
    });
}

#[test]
fn a_snapshot_of_another_chain_is_damage() {
    run(async {
        let mut vault = open(fresh().await, 1).await.unwrap();
        vault.append(at(1), vec![text("one")]).await.unwrap();
        save(&vault, &a_file(1, 100)).await;
        let saved = vault.store().objects();
        let mut other = open(fresh().await, 2).await.unwrap();
        other.append(at(1), vec![text("another")]).await.unwrap();
        let mut objects = other.store().objects();
        objects.extend(saved.into_iter().filter(|(key, _)| key.starts_with("snapshots/")));
        let error = vault::verify(&MemoryStore::from(objects)).await.unwrap_err();
        assert!(error.to_string().contains("of another chain"), "{error}");
    });
}

#[test]
fn a_copy_is_the_same_vault_goes_on_where_it_stopped_and_refuses_another() {
    run(async {
        let mut vault = open(fresh().await, 1).await.unwrap();
        vault.append(at(1), vec![text("one")]).await.unwrap();
        save(&vault, &a_file(1, 100)).await;
        vault.append(at(2), vec![text("two")]).await.unwrap();
        vault
            .store()
            .set(vault.store().objects().into_iter().chain([("HEAD.json".into(), b"{}".to_vec())]).collect());
        let target = MemoryStore::new();
        // A target that stopped after any number of objects is no vault yet, and is completed.
        let all = vault::copy(vault.store(), &target, |_| {}).await.unwrap();
        let whole = target.objects();
        let order: Vec<&String> = whole.keys().filter(|key| *key != "VAULT.json").collect();
        for count in 0..=order.len() {
            let part: Objects =
                order[..count].iter().map(|key| ((*key).clone(), whole[*key].clone())).collect();
            let target = MemoryStore::from(part);
            assert!(vault::identity(&target).await.is_err(), "a part of a copy is no vault");
            let rest = vault::copy(vault.store(), &target, |_| {}).await.unwrap();
            assert_eq!((rest.found as usize, rest.objects + rest.found), (count, all.objects));
            assert_eq!(target.objects(), whole);
        }
        assert!(!whole.contains_key("HEAD.json"));
        vault.append(at(3), vec![text("three")]).await.unwrap();
        assert_eq!(vault::copy(vault.store(), &target, |_| {}).await.unwrap().objects, 1);
        assert_eq!(vault::verify(&target).await.unwrap().tail.seq, vault.seq());

        let other = small().await;
        let error = vault::copy(&other, &target, |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("found") || error.to_string().contains("other"), "{error}");
        assert_eq!(vault::verify(&target).await.unwrap().tail.seq, vault.seq(), "and nothing was changed");
    });
}

#[test]
fn who_wrote_last_is_named() {
    run(async {
        let store = fresh().await;
        assert_eq!(vault::reign(&store, None).await.unwrap(), None);
        let mut vault = open(store.clone(), 1).await.unwrap();
        let reign = vault::reign(&store, None).await.unwrap().unwrap();
        assert_eq!((reign.term, reign.writer, reign.closed), (vault.term(), Some(writer("host-1")), false));
        vault.append(at(1), vec![text("one")]).await.unwrap();
        assert!(!vault::reign(&store, None).await.unwrap().unwrap().closed);
        let stands = vault.position();
        vault.close::<Probe>(at(2)).await.unwrap();
        assert_eq!(vault::reign(&store, Some(stands)).await, vault::reign(&store, None).await);
        // Whoever stands on what is not there any more sees what the others see.
        let gone = Position { ordinal: Ordinal::new(99), ..stands };
        assert_eq!(vault::reign(&store, Some(gone)).await, vault::reign(&store, None).await);
        assert!(vault::reign(&store, None).await.unwrap().unwrap().closed);
    });
}

#[test]
fn answers_in_a_segment_that_was_passed_while_it_was_closed_are_offered() {
    run(async {
        let store = fresh().await;
        let mut first = open(store.clone(), 1).await.unwrap();
        first.append(at(1), vec![text("late answer")]).await.unwrap();
        let whole = store.objects()[&name(2)].clone();
        let set = |bytes: &[u8]| {
            let mut objects = store.objects();
            objects.insert(name(2), bytes.to_vec());
            store.set(objects);
        };
        set(&whole[..whole.len() / 2]);
        let second = open(store.clone(), 2).await.unwrap();
        assert!(second.salvage::<Probe>().await.unwrap().is_empty(), "it is torn still");
        set(&whole);
        let offered = second.salvage::<Probe>().await.unwrap();
        assert_eq!(offered.len(), 1);
        assert_eq!(offered[0].1[0].event, Event::Record(text("late answer")));
        // Also to the one after, if the second dies before it looks.
        let third = open(store.clone(), 3).await.unwrap();
        assert_eq!(third.salvage::<Probe>().await.unwrap(), offered);
    });
}
