//! A store that shows parts, and writers that sleep: what the simulator of the vault (`cargo xtask sim --vaults`) has
//! found, each as a test of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::*;
use std::sync::{Arc, Mutex};
use vault::snapshot::{self, Base, drop_before, save, snapshots, verify_snapshot};
use vault::{Error, Event, Kind, MemoryStore, ObjectStore, Ordinal, Position, Put, Result, Vault};

#[derive(Clone, Copy, PartialEq)]
enum Moment {
    BeforePut,
    AfterGet,
    AtSettling,
}

type Hook = (Moment, String, Box<dyn FnOnce(&MemoryStore) + Send>);

/// A store that shows parts, and in which others do something at certain moments.
#[derive(Clone, Default)]
struct Parts {
    inner: MemoryStore,
    hooks: Arc<Mutex<Vec<Hook>>>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Parts {
    fn over(inner: MemoryStore) -> Self {
        Self { inner, hooks: Arc::default() }
    }

    fn meanwhile(&self, moment: Moment, key: &str, act: impl FnOnce(&MemoryStore) + Send + 'static) {
        self.hooks.lock().unwrap().push((moment, key.to_owned(), Box::new(act)));
    }

    fn comes(&self, moment: Moment, key: &str) {
        let mut hooks = self.hooks.lock().unwrap();
        let found = hooks.iter().position(|(at, of, _)| *at == moment && of == key);
        let hook = found.map(|index| hooks.remove(index));
        drop(hooks);
        if let Some((_, _, act)) = hook {
            act(&self.inner);
        }
    }
}

impl ObjectStore for Parts {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        self.comes(Moment::BeforePut, key);
        self.inner.put_new(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let found = self.inner.get(key).await;
        self.comes(Moment::AfterGet, key);
        found
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.inner.replace(key, bytes).await
    }

    async fn is_atomic(&self) -> bool {
        false
    }

    async fn settle(&self, key: &str) -> Result<()> {
        self.comes(Moment::AtSettling, key);
        Ok(())
    }

    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }
}

/// A vault of two segments, the second of which shows 60 bytes; and the whole second.
async fn half() -> (Parts, Vec<u8>) {
    let store = fresh().await;
    let mut vault = open(store.clone(), 1).await.unwrap();
    vault.append(at(2), vec![text("one")]).await.unwrap();
    let mut objects = store.objects();
    let whole = objects[&name(2)].clone();
    objects.get_mut(&name(2)).unwrap().truncate(60);
    (Parts::over(MemoryStore::from(objects)), whole)
}

fn sets(key: String, bytes: Vec<u8>) -> impl FnOnce(&MemoryStore) + Send + 'static {
    move |store| {
        let mut objects = store.objects();
        objects.insert(key, bytes);
        store.set(objects);
    }
}

#[test]
fn a_segment_that_is_finished_while_an_opener_looks_is_not_passed() {
    run(async {
        let (store, whole) = half().await;
        // The writer ends just before the opener's first put: nothing is behind its segment, so it is acknowledged.
        store.meanwhile(Moment::BeforePut, &name(3), sets(name(2), whole));
        let vault = open(store.clone(), 2).await.unwrap();
        assert_eq!(records(&store).await, [text("one")]);
        assert!(vault.salvage::<Probe>().await.unwrap().is_empty());
        vault::verify(&store).await.unwrap();
    });
}

#[test]
fn a_segment_with_something_behind_it_counts_once_it_is_linked_to() {
    run(async {
        let store = Parts::over(fresh().await);
        let mut first = open(store.clone(), 1).await.unwrap();
        store.meanwhile(Moment::BeforePut, &name(2), sets(name(3), b"an opener's".to_vec()));
        let error = first.append(at(2), vec![text("one")]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Later);
        assert_eq!(first.settle::<Probe>().await.unwrap_err().kind(), Kind::Later);
        open(store.clone(), 2).await.unwrap();
        let settled = first.settle::<Probe>().await.unwrap().unwrap();
        assert_eq!(settled.entries[0].event, Event::Record(text("one")));
        assert_eq!(records(&store).await, [text("one")]);
        assert_eq!(first.append(at(3), vec![text("two")]).await.unwrap_err().kind(), Kind::Fenced);
    });
}

#[test]
fn a_reader_that_saw_a_segment_being_written_goes_back_to_it() {
    run(async {
        let all = small().await;
        let objects = all.objects();
        for ordinal in 1..5 {
            let mut cut = objects.clone();
            cut.get_mut(&name(ordinal)).unwrap().truncate(50);
            let store = Parts::over(MemoryStore::from(cut));
            store.meanwhile(
                Moment::AfterGet,
                &name(ordinal),
                sets(name(ordinal), objects[&name(ordinal)].clone()),
            );
            assert_eq!(entries(&store, None).await, entries(&all, None).await, "{ordinal}");
        }
    });
}

#[test]
fn an_opening_that_was_passed_and_proves_whole_stays_out_with_all_it_passed() {
    run(async {
        let (store, _) = half().await;
        let store = store.inner;
        open(store.clone(), 2).await.unwrap();
        let opening = store.objects()[&name(3)].clone();
        sets(name(3), opening[..70].to_vec())(&store);
        let mut third = open(store.clone(), 3).await.unwrap();
        third.append(at(5), vec![text("three")]).await.unwrap();
        sets(name(3), opening)(&store);
        assert_eq!(records(&store).await, [text("three")]);
        let found = vault::verify(&store).await.unwrap();
        assert_eq!((found.segments, found.voided, found.terms), (3, 2, 2));
        assert_eq!(found.voided_but_whole, [name(3)]);
    });
}

#[test]
fn a_passed_part_that_has_grown_since_is_no_damage() {
    run(async {
        let (store, whole) = half().await;
        open(store.clone(), 2).await.unwrap();
        for length in [60, 61, whole.len() - 1, whole.len()] {
            sets(name(2), whole[..length].to_vec())(&store.inner);
            let found = vault::verify(&store).await.unwrap();
            assert_eq!(found.voided_but_whole.len(), usize::from(length == whole.len()), "{length}");
        }
        let mut flipped = whole[..80].to_vec();
        flipped[20] ^= 1;
        for other in [&flipped[..], &whole[..59], b""] {
            sets(name(2), other.to_vec())(&store.inner);
            let error = vault::verify(&store).await.unwrap_err();
            assert!(error.kind() == Kind::Damaged && error.to_string().contains(&name(2)), "{error}");
        }
    });
}

#[test]
fn nothing_is_built_on_a_segment_that_only_this_machine_shows() {
    run(async {
        let (theirs, _) = half().await;
        open(theirs.clone(), 7).await.unwrap();
        let store = Parts::over(small().await);
        let published = theirs.inner.objects()[&name(3)].clone();
        store.meanwhile(Moment::AtSettling, &name(5), sets(name(5), published));
        let opened = open(store.clone(), 3).await.unwrap();
        let passed: Vec<&str> = opened.voided().iter().map(|voided| voided.name.as_str()).collect();
        assert_eq!(passed, [name(5).as_str()], "it links to what all have, and passes what all see there");
        vault::verify(&store.inner).await.unwrap();
    });
}

/// Two openers of one machine raced against a segment of another machine; the first has left its stake in the mount's
/// memory alone, and the second must not take it for what the name holds.
#[test]
fn nobody_passes_a_segment_for_a_stake_that_only_this_mount_shows() {
    run(async {
        let store = Parts::over(fresh().await);
        let mut first = open(store.clone(), 1).await.unwrap();
        first.append(at(1), vec![text("acknowledged")]).await.unwrap();
        let published = store.inner.objects()[&name(2)].clone();
        sets(name(2), b"no segment: an opener was here".to_vec())(&store.inner);
        store.meanwhile(Moment::AfterGet, &name(2), sets(name(2), published));
        let second = open(store.clone(), 2).await.unwrap();
        assert_eq!(second.voided(), []);
        assert_eq!(records(&store).await, [text("acknowledged")]);
    });
}

/// An opener was killed between its stake and its opening: nobody ever says whose the place is, and the writer that lives
/// must not ask for ever. What it wrote is there for whoever opens next.
#[test]
fn a_writer_behind_which_an_opener_died_gives_up_and_its_segment_stays() {
    run(async {
        let store = Parts::over(fresh().await);
        let mut vault = open(store.clone(), 1).await.unwrap();
        sets(name(3), b"no segment: an opener was here".to_vec())(&store.inner);
        let mut ended = vault.append(at(2), vec![text("written")]).await.map(drop);
        let mut looks = 0;
        while !vault.is_lost() {
            assert_eq!(ended.unwrap_err().kind(), Kind::Later);
            ended = vault.settle::<Probe>().await.map(drop);
            looks += 1;
            assert!(looks < 100, "it asks for ever");
        }
        open(store.clone(), 2).await.unwrap();
        assert_eq!(records(&store).await, [text("written")]);
    });
}

#[test]
fn a_damaged_last_segment_that_a_snapshot_stands_on_is_named_and_not_the_snapshot() {
    run(async {
        let store = small().await;
        let (_, tail) = entries(&store, None).await.unwrap();
        save(&store, (base(tail.position.unwrap(), 7), nonce(2)), 4, &b"file"[..]).await.unwrap();
        let mut objects = store.objects();
        objects.get_mut(&name(5)).unwrap()[30] ^= 1;
        let flipped = objects.clone();
        objects.remove(&name(5));
        for damaged in [flipped, objects] {
            let error = vault::verify(&MemoryStore::from(damaged)).await.unwrap_err();
            assert!(error.to_string().contains(&name(5)), "{error}");
            assert!(error.hint().unwrap().starts_with("put this object back"));
        }
    });
}

/// A first writer at segment 2 that sleeps; a second one that has written on to segment 6.
async fn overtaken() -> (MemoryStore, Vault<MemoryStore>, Vault<MemoryStore>) {
    let store = fresh().await;
    let mut first = open(store.clone(), 1).await.unwrap();
    first.append(at(1), vec![text("one")]).await.unwrap();
    let mut second = open(store.clone(), 2).await.unwrap();
    for word in ["two", "three", "four"] {
        second.append(at(2), vec![text(word)]).await.unwrap();
    }
    (store, first, second)
}

#[test]
fn a_name_that_pruning_freed_is_won_for_nothing() {
    run(async {
        for before in 3..7 {
            let (store, mut first, mut second) = overtaken().await;
            second.prune::<Probe>(at(3), Ordinal::new(before)).await.unwrap();
            let error = first.append(at(4), vec![text("late")]).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Fenced, "{before}: {error}");
            assert_eq!(first.settle::<Probe>().await.unwrap_err(), error);
            // What it left behind is in nobody's way.
            let found = vault::verify(&store).await.unwrap();
            assert_eq!(found.pruned_before, Some(Ordinal::new(before)));
            let stand = vault::start(&store).await.unwrap();
            assert_eq!(entries(&store, stand).await.unwrap().1.seq, second.seq());
            second.append(at(5), vec![text("five")]).await.unwrap();
            open(store.clone(), 3).await.unwrap();
            vault::verify(&store).await.unwrap();
        }
    });
}

#[test]
fn the_second_segment_after_a_pruning_is_missed_by_its_name() {
    run(async {
        let (store, _, mut second) = overtaken().await;
        second.prune::<Probe>(at(3), Ordinal::new(4)).await.unwrap();
        for lost in 4..7 {
            let mut objects = store.objects();
            objects.remove(&name(lost));
            let error = vault::verify(&MemoryStore::from(objects)).await.unwrap_err();
            assert!(error.to_string().contains(&name(lost)), "{lost}: {error}");
        }
    });
}

#[test]
fn an_opener_that_slept_through_a_pruning_opens_at_the_end() {
    run(async {
        for (ordinal, before) in [(1, 4), (3, 6), (4, 6), (5, 6)] {
            let (done, _, mut second) = overtaken().await;
            let mut early = done.objects();
            early.retain(|key, _| !key.starts_with("journal/") || *key < name(ordinal));
            second.prune::<Probe>(at(3), Ordinal::new(before)).await.unwrap();
            let store = Parts::over(MemoryStore::from(early));
            let later = done.objects();
            store.meanwhile(Moment::BeforePut, &name(ordinal), move |store| store.set(later));
            let vault = open(store.clone(), 3).await.unwrap();
            assert_eq!(vault.position().ordinal, Ordinal::new(8), "{ordinal}, {before}");
            vault::verify(&store).await.unwrap();
        }
    });
}

#[test]
fn a_pruner_that_was_overtaken_is_fenced() {
    run(async {
        let (store, mut first, mut second) = overtaken().await;
        let error = first.prune::<Probe>(at(3), Ordinal::new(5)).await.unwrap_err();
        assert!(error.kind() == Kind::Fenced && error.to_string().contains("host-2"), "{error}");
        assert_eq!(first.append(at(3), vec![text("on")]).await.unwrap_err(), error);
        let (_, mut third, _) = overtaken().await;
        assert_eq!(third.prune::<Probe>(at(3), Ordinal::new(9)).await.unwrap_err().kind(), Kind::Fenced);
        assert_eq!(second.prune::<Probe>(at(3), Ordinal::new(9)).await.unwrap_err().kind(), Kind::Bug);
        vault::verify(&store).await.unwrap();
    });
}

fn base(position: Position, seq: u64) -> Base {
    Base { seq: vault::Seq::new(seq), position, fold: 1, journal_bytes: 1, at: at(1) }
}

#[test]
fn forgetting_older_snapshots_leaves_those_of_a_newer_writer() {
    run(async {
        let (store, _, second) = overtaken().await;
        let mut saved = Vec::new();
        for seq in [1, 2, 6] {
            let of = (base(second.position(), seq), second.nonce());
            saved.push(save(&store, of, 4, &b"file"[..]).await.unwrap());
        }
        drop_before(&store, &saved[1]).await.unwrap();
        let left: Vec<String> =
            snapshots(&store).await.unwrap().whole.into_iter().map(|found| found.name).collect();
        assert_eq!(left, [saved[2].name.clone(), saved[1].name.clone()]);
    });
}

#[test]
fn a_saver_that_slept_through_a_rotation_leaves_no_manifest() {
    run(async {
        let store = Parts::over(small().await);
        let (_, tail) = entries(&store, None).await.unwrap();
        let of = (base(tail.position.unwrap(), 7), nonce(2));
        let folder = format!("snapshots/{:012}-1-02020202/", 7);
        let part = format!("{folder}00000.zst");
        store.meanwhile(Moment::BeforePut, &format!("{folder}manifest.json"), move |store| {
            let mut objects = store.objects();
            objects.remove(&part);
            store.set(objects);
        });
        let error = save(&store, of, 4, &b"file"[..]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Later, "{error}");
        assert!(snapshots(&store).await.unwrap().whole.is_empty());
        vault::verify(&store).await.unwrap();
        let saved = save(&store, of, 4, &b"file"[..]).await.unwrap();
        verify_snapshot(&store, &saved).await.unwrap();
    });
}

#[test]
fn a_manifest_that_is_being_written_is_no_damage_where_parts_show() {
    run(async {
        let store = Parts::over(small().await);
        let (_, tail) = entries(&store, None).await.unwrap();
        let saved = save(&store, (base(tail.position.unwrap(), 7), nonce(2)), 4, &b"file"[..]).await.unwrap();
        let key = format!("snapshots/{}/manifest.json", saved.name);
        let whole = store.inner.objects()[&key].clone();
        for length in 0..whole.len() {
            sets(key.clone(), whole[..length].to_vec())(&store.inner);
            let found = snapshots(&store).await.unwrap();
            assert!(found.whole.is_empty() && found.damaged.is_empty(), "{length}");
            vault::verify(&store).await.unwrap();
            // Where none ever show, it was damaged.
            assert_eq!(vault::verify(&store.inner).await.unwrap_err().kind(), Kind::Damaged, "{length}");
        }
        // Saving again sweeps it away.
        sets(key.clone(), whole[..50].to_vec())(&store.inner);
        save(&store, (saved.base, nonce(2)), 4, &b"file"[..]).await.unwrap();
        let mut file = Vec::new();
        let found = snapshots(&store).await.unwrap().whole.remove(0);
        snapshot::restore(&store, &found, |part| {
            file.extend_from_slice(part);
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
        assert_eq!(file, b"file");
    });
}
