//! The folder store on a mounted bucket (`crates/bucketfs`): the contract, races between machines, every fault, and
//! the journal on top of it. What is proved here is our reading of gcsfuse, not gcsfuse.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use bucketfs::{Bucket, Errno, Fault, Mount, Operation, is_available};
use common::*;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use vault::{DirStore, Kind, ObjectStore, Put, Vault};

/// A bucket mounted on so many machines.
struct Machines {
    bucket: Bucket,
    mounts: Vec<Mount>,
    _folder: TempDir,
}

impl Machines {
    fn new(count: usize) -> Option<Self> {
        if !is_available() {
            return None;
        }
        let bucket = Bucket::new();
        let folder = tempfile::tempdir().unwrap();
        let mounts =
            (0..count).map(|at| bucket.mount(&folder.path().join(at.to_string())).unwrap()).collect();
        Some(Self { bucket, mounts, _folder: folder })
    }

    fn store(&self, machine: usize) -> DirStore {
        DirStore::new(self.mounts[machine].folder().join("vault"))
    }

    fn object(&self, name: &str) -> Option<Vec<u8>> {
        self.bucket.objects().remove(&format!("vault/{name}"))
    }

    /// A store on a machine that has found out that there are no links.
    async fn settled(&self, machine: usize) -> DirStore {
        let store = self.store(machine);
        assert!(!store.is_atomic().await, "not before the folder is there");
        assert_eq!(store.put_new("first", b"x").await, Ok(Put::Created));
        assert!(!store.is_atomic().await, "a mounted bucket shows parts");
        store
    }
}

const NAME: &str = "journal/0000000001.jsonl.zst";

#[test]
fn a_mounted_bucket_keeps_the_contract() {
    let Some(machines) = Machines::new(1) else { return };
    let mut count = 0;
    run(vault::store::contract(|| {
        count += 1;
        DirStore::new(machines.mounts[0].folder().join(format!("{count}/deep/er")))
    }));
    assert!(machines.bucket.objects().keys().all(|name| !name.contains("/.")), "no probe stays");
}

#[test]
fn a_mounted_bucket_with_caches_keeps_the_contract() {
    let Some(machines) = Machines::new(1) else { return };
    machines.mounts[0].cache(Duration::from_secs(60));
    let mut count = 0;
    run(vault::store::contract(|| {
        count += 1;
        DirStore::new(machines.mounts[0].folder().join(count.to_string()))
    }));
}

#[test]
fn every_refusal_of_links_is_understood() {
    let Some(machines) = Machines::new(1) else { return };
    for (at, errno) in [Errno::EPERM, Errno::ENOSYS, Errno::EOPNOTSUPP].into_iter().enumerate() {
        machines.mounts[0].fail(Operation::Link, Fault::always(errno));
        let store = DirStore::new(machines.mounts[0].folder().join(at.to_string()));
        assert_eq!(run(store.put_new(NAME, b"x")), Ok(Put::Created), "{errno}");
        assert!(!run(store.is_atomic()), "{errno}");
    }
    let plain = tempfile::tempdir().unwrap();
    assert!(run(DirStore::new(plain.path()).is_atomic()), "a local disk has links");
    assert_eq!(std::fs::read_dir(plain.path()).unwrap().count(), 0, "no probe stays");
}

/// Two hundred names, each wanted by two machines and by two programs on each of them.
#[test]
fn of_two_machines_exactly_one_gets_each_name() {
    for cache in [Duration::ZERO, Duration::from_secs(60)] {
        let Some(machines) = Machines::new(2) else { return };
        machines.mounts.iter().for_each(|mount| mount.cache(cache));
        run(async {
            let stores = [machines.store(0), machines.store(0), machines.store(1), machines.store(1)];
            let mut wins = [0u32; 4];
            for round in 1..=200 {
                let key = name(round);
                let bytes: Vec<Vec<u8>> =
                    (0..4).map(|who| format!("{who} in {round}").into_bytes()).collect();
                let ends = tokio::join!(
                    stores[0].put_new(&key, &bytes[0]),
                    stores[1].put_new(&key, &bytes[1]),
                    stores[2].put_new(&key, &bytes[2]),
                    stores[3].put_new(&key, &bytes[3]),
                );
                let ends = [ends.0, ends.1, ends.2, ends.3];
                let won: Vec<usize> = (0..4).filter(|&who| ends[who] == Ok(Put::Created)).collect();
                assert_eq!(won.len(), 1, "round {round}: {ends:?}");
                assert_eq!(machines.object(&key).unwrap(), bytes[won[0]], "round {round}: {ends:?}");
                wins[won[0]] += 1;
            }
            eprintln!("names won by each of four programs on two machines, cache {cache:?}: {wins:?}");
        });
    }
}

#[test]
fn a_publication_that_fails_is_unclear_and_the_same_bytes_go_through_later() {
    for keeps in [false, true] {
        let Some(machines) = Machines::new(2) else { return };
        machines.mounts[0].keep_failed(keeps);
        run(async {
            let store = machines.settled(0).await;
            for errno in [Errno::EIO, Errno::ETIMEDOUT, Errno::EAGAIN] {
                let key = format!("journal/{errno:?}-{keeps}");
                machines.mounts[0].fail(Operation::Flush, Fault::always(errno));
                assert_eq!(store.put_new(&key, b"mine").await.unwrap_err().kind(), Kind::Later, "{errno}");
                assert_eq!(machines.object(&key), None);
                // What this mount still shows must not be taken for what the bucket has.
                match store.get(&key).await {
                    Ok(found) => assert!(!keeps && found.is_none(), "{errno}: found {found:?}"),
                    Err(error) => assert!(keeps && error.kind() == Kind::Later, "{errno}: {error}"),
                }
                let again = store.put_new(&key, b"mine").await;
                assert_eq!(again.unwrap_err().kind(), Kind::Later, "{errno}");
                machines.mounts[0].clear();
                let end = store.put_new(&key, b"mine").await.unwrap();
                assert_eq!(end, if keeps { Put::AlreadyExists } else { Put::Created }, "{errno}");
                assert_eq!(store.get(&key).await, Ok(Some(b"mine".to_vec())));
                assert_eq!(machines.object(&key).unwrap(), b"mine", "published before anybody counted on it");
            }
        });
    }
}

#[test]
fn a_publication_that_happened_although_it_failed_is_unclear_and_found() {
    let Some(machines) = Machines::new(1) else { return };
    run(async {
        let store = machines.settled(0).await;
        machines.mounts[0].fail(Operation::Flush, Fault::once(Errno::EIO).after_success());
        assert_eq!(store.put_new(NAME, b"mine").await.unwrap_err().kind(), Kind::Later);
        assert_eq!(store.get(NAME).await, Ok(Some(b"mine".to_vec())));
        assert_eq!(store.put_new(NAME, b"mine").await, Ok(Put::AlreadyExists), "even with the same bytes");
        assert_eq!(machines.object(NAME).unwrap(), b"mine");
    });
}

#[test]
fn a_full_bucket_is_later_and_says_what_to_do() {
    let Some(machines) = Machines::new(1) else { return };
    run(async {
        let store = machines.settled(0).await;
        for operation in [Operation::Create, Operation::Write, Operation::Flush] {
            for errno in [Errno::ENOSPC, Errno::EDQUOT] {
                let key = format!("journal/{operation:?}-{errno:?}");
                machines.mounts[0].fail(operation, Fault::once(errno));
                let error = store.put_new(&key, b"mine").await.unwrap_err();
                assert_eq!(error.kind(), Kind::Later, "{operation:?} {errno}: {error}");
                assert!(error.hint().unwrap().starts_with("free some space"), "{error}");
            }
        }
    });
}

#[test]
fn a_forbidden_bucket_is_halt() {
    let Some(machines) = Machines::new(1) else { return };
    run(async {
        let store = machines.settled(0).await;
        for (operation, errno) in [
            (Operation::Create, Errno::EACCES),
            (Operation::Write, Errno::EPERM),
            (Operation::Flush, Errno::EROFS),
        ] {
            machines.mounts[0].fail(operation, Fault::once(errno));
            let error = store.put_new(&format!("a/{operation:?}"), b"mine").await.unwrap_err();
            assert_eq!(error.kind(), Kind::Halt, "{operation:?} {errno}: {error}");
        }
    });
}

/// The close says ESTALE: somebody else was first. It may have been ourselves.
#[test]
fn whose_a_name_is_that_was_published_meanwhile_shows_in_its_bytes() {
    for keeps in [false, true] {
        let Some(machines) = Machines::new(2) else { return };
        machines.mounts[0].keep_failed(keeps);
        run(async {
            let store = machines.settled(0).await;
            for (key, theirs, ours) in [("other/name", "theirs", false), ("same/name", "mine", true)] {
                let bucket = machines.bucket.clone();
                machines.mounts[0].meanwhile(Operation::Flush, move || {
                    bucket.put(&format!("vault/{key}"), theirs.as_bytes());
                });
                let end = store.put_new(key, b"mine").await;
                let expected = if ours && !keeps { Put::Created } else { Put::AlreadyExists };
                assert_eq!(end, Ok(expected), "{key}, keeps {keeps}");
                assert_eq!(machines.object(key).unwrap(), theirs.as_bytes(), "nothing was overwritten");
                match store.get(key).await {
                    Ok(found) => assert_eq!(found.unwrap(), theirs.as_bytes()),
                    Err(error) => assert!(keeps && error.kind() == Kind::Later, "{key}: {error}"),
                }
            }
        });
    }
}

#[test]
fn errors_while_reading_are_later_and_a_replaced_file_is_read_again() {
    let Some(machines) = Machines::new(1) else { return };
    run(async {
        let store = machines.settled(0).await;
        assert_eq!(store.put_new(NAME, b"mine").await, Ok(Put::Created));
        machines.mounts[0].fail(Operation::Read, Fault::once(Errno::ESTALE).times(3));
        assert_eq!(store.get(NAME).await, Ok(Some(b"mine".to_vec())));
        for (operation, errno) in [
            (Operation::Read, Errno::ESTALE),
            (Operation::Read, Errno::EIO),
            (Operation::Lookup, Errno::EIO),
            (Operation::Lookup, Errno::ETIMEDOUT),
        ] {
            machines.mounts[0].fail(operation, Fault::always(errno));
            assert_eq!(store.get(NAME).await.unwrap_err().kind(), Kind::Later, "{operation:?} {errno}");
            machines.mounts[0].clear();
        }
        machines.mounts[0].fail(Operation::List, Fault::once(Errno::EIO));
        assert_eq!(store.list("", "", 9).await.unwrap_err().kind(), Kind::Later);
        // Written, closed, but not read back: unclear, and then found.
        machines.mounts[0].fail(Operation::Read, Fault::once(Errno::EIO));
        assert_eq!(store.put_new("a/b", b"mine").await.unwrap_err().kind(), Kind::Later);
        assert_eq!(store.get("a/b").await, Ok(Some(b"mine".to_vec())));
    });
}

#[test]
fn replacing_overtakes_and_is_overtaken_without_an_error() {
    let Some(machines) = Machines::new(2) else { return };
    run(async {
        let (one, two) = (machines.settled(0).await, machines.store(1));
        for round in 0..40 {
            let (a, b) = (format!("one {round}"), format!("two {round}"));
            let ends = tokio::join!(
                one.replace("HEAD.json", a.as_bytes()),
                two.replace("HEAD.json", b.as_bytes()),
                one.get("HEAD.json"),
            );
            assert_eq!((ends.0, ends.1), (Ok(()), Ok(())), "round {round}");
            let found = machines.object("HEAD.json").unwrap();
            assert!(found == a.as_bytes() || found == b.as_bytes(), "round {round}");
        }
        machines.mounts[0].fail(Operation::Flush, Fault::once(Errno::EIO));
        assert_eq!(one.replace("HEAD.json", b"x").await.unwrap_err().kind(), Kind::Later);
    });
}

#[test]
fn a_mount_whose_program_died_is_later_and_says_to_mount_it_again() {
    let Some(mut machines) = Machines::new(2) else { return };
    run(async {
        let store = machines.settled(0).await;
        machines.mounts[0].die().unwrap();
        let put = store.put_new(NAME, b"mine").await.unwrap_err();
        let got = store.get(NAME).await.unwrap_err();
        let listed = store.list("", "", 1).await.unwrap_err();
        let fresh = machines.store(0).get(NAME).await.unwrap_err();
        for error in [put, got, listed, fresh] {
            assert_eq!(error.kind(), Kind::Later, "{error}");
            assert!(error.hint().unwrap().contains("mount it again"), "{error}");
        }
        assert_eq!(machines.store(1).put_new(NAME, b"mine").await, Ok(Put::Created), "the bucket lives");
    });
}

#[test]
fn a_listing_is_asked_for_anew_and_an_old_one_only_costs_the_race() {
    let Some(machines) = Machines::new(2) else { return };
    run(async {
        let (one, two) = (machines.settled(0).await, machines.store(1));
        assert_eq!(two.put_new(&name(1), b"x").await, Ok(Put::Created));
        assert_eq!(one.list("journal/", "", 9).await, Ok(vec![name(1)]));
        machines.mounts[0].freeze_listings(true);
        assert_eq!(two.put_new(&name(2), b"x").await, Ok(Put::Created));
        assert_eq!(one.list("journal/", "", 9).await, Ok(vec![name(1)]), "the mount is behind");
        assert_eq!(one.put_new(&name(2), b"y").await, Ok(Put::AlreadyExists));
        machines.mounts[0].freeze_listings(false);
        assert_eq!(one.list("journal/", "", 9).await, Ok(vec![name(1), name(2)]));
    });
}

/// All that was acknowledged, by a journal on a mount where every third operation of a kind fails.
#[test]
fn a_journal_keeps_every_acknowledged_entry_whatever_fails() {
    let kinds = [
        (Operation::Flush, Errno::EIO, false),
        (Operation::Flush, Errno::EIO, true),
        (Operation::Flush, Errno::ETIMEDOUT, false),
        (Operation::Flush, Errno::ENOSPC, false),
        (Operation::Write, Errno::EIO, false),
        (Operation::Write, Errno::ENOSPC, false),
        (Operation::Create, Errno::EIO, false),
        (Operation::Read, Errno::EIO, false),
        (Operation::Lookup, Errno::EIO, false),
        (Operation::List, Errno::EIO, false),
    ];
    for (operation, errno, after) in kinds {
        for keeps in [false, true] {
            let Some(machines) = Machines::new(2) else { return };
            machines.mounts[0].keep_failed(keeps);
            let plan = Fault::once(errno);
            let plan = if after { plan.after_success() } else { plan };
            run(survive(&machines, operation, plan));
        }
    }
}

/// Thirty appends, each third with a fault; whatever stops a writer, the next one goes on.
async fn survive(machines: &Machines, operation: Operation, plan: Fault) {
    let what = format!("{operation:?}, {plan:?}");
    vault::init(&machines.store(0), &an_identity()).await.unwrap();
    let mut acknowledged = Vec::new();
    let mut writer: Option<Vault<DirStore>> = None;
    let mut writers = 0u8;
    for number in 0..30 {
        if number % 3 == 2 {
            machines.mounts[0].fail(operation, plan.skip(number % 2));
        }
        if operation == Operation::List {
            // Only opening lists.
            writer = None;
        }
        let mut open_one = match writer.take() {
            Some(open) => open,
            None => {
                writers += 1;
                match open(machines.store(0), writers).await {
                    Ok(open) => open,
                    Err(error) => {
                        // A store that has created nothing yet cannot tell a mount from a failing disk.
                        assert!(matches!(error.kind(), Kind::Later | Kind::Halt), "{what}: {error}");
                        continue;
                    }
                }
            }
        };
        let record = text(&format!("{number}"));
        let mut end = open_one.append(at(number.into()), vec![record.clone()]).await;
        for _ in 0..3 {
            let Err(error) = &end else { break };
            assert_eq!(error.kind(), Kind::Later, "{what}: {error}");
            match open_one.settle().await {
                Ok(Some(segment)) => end = Ok(segment),
                Ok(None) => break,
                Err(error) => end = Err(error),
            }
        }
        if end.is_ok() {
            acknowledged.push(record);
            writer = Some(open_one);
        }
    }
    machines.mounts[0].clear();
    // From the other machine, which never saw what the first one did not publish.
    let found = records(&machines.store(1)).await;
    let missing: Vec<_> = acknowledged.iter().filter(|record| !found.contains(record)).collect();
    assert!(missing.is_empty(), "{what}: {missing:?} of {} acknowledged are lost", acknowledged.len());
    assert!(acknowledged.len() >= 20, "{what}: only {} of 30 came through", acknowledged.len());
    vault::verify(&machines.store(1)).await.unwrap();
    let struck = machines.mounts[0].struck(operation);
    assert!(struck >= 5, "{what}: the fault struck {struck} times only");
}

/// The writer dies after its publication failed, and the mount goes on showing the segment to this machine alone.
#[test]
fn nobody_builds_on_a_segment_that_only_this_mount_shows() {
    let Some(machines) = Machines::new(2) else { return };
    machines.mounts[0].keep_failed(true);
    run(async {
        vault::init(&machines.store(0), &an_identity()).await.unwrap();
        let mut first = open(machines.store(0), 1).await.unwrap();
        first.append(at(1), vec![text("kept")]).await.unwrap();
        machines.mounts[0].fail(Operation::Flush, Fault::always(Errno::EIO));
        assert_eq!(first.append(at(2), vec![text("lost")]).await.unwrap_err().kind(), Kind::Later);
        drop(first);
        let third = machines.mounts[0].folder().join("vault").join(name(3));
        assert!(third.exists(), "this machine is shown it");
        assert_eq!(machines.object(&name(3)), None, "nobody else is");
        let error = open(machines.store(0), 2).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Later, "it cannot be published, so nothing follows it: {error}");
        assert_eq!(machines.object(&name(4)), None);
        machines.mounts[0].clear();
        let mut second = open(machines.store(0), 3).await.unwrap();
        second.append(at(3), vec![text("more")]).await.unwrap();
        assert_eq!(records(&machines.store(1)).await, [text("kept"), text("lost"), text("more")]);
    });
}

#[test]
fn a_disk_that_is_full_links_nothing_leaves_nothing_and_goes_on_when_there_is_room() {
    if !is_available() {
        return;
    }
    let disk = Disk::new(64 << 10);
    run(async {
        let store = DirStore::new(disk.folder.path());
        assert_eq!(store.put_new(&name(1), b"small").await, Ok(Put::Created));
        let ballast = disk.folder.path().join("ballast");
        std::fs::write(&ballast, vec![0; 40 << 10]).unwrap();
        let large = vec![7; 30 << 10];
        let error = store.put_new(&name(2), &large).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Later, "{error}");
        assert!(error.hint().unwrap().starts_with("free some space"), "{error}");
        let left: Vec<_> = std::fs::read_dir(disk.folder.path().join("journal")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        std::fs::remove_file(&ballast).unwrap();
        assert_eq!(store.put_new(&name(2), &large).await, Ok(Put::Created));
        assert!(store.is_atomic().await);
    });
}

/// A small disk in memory, gone with the test.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new(bytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let none = None::<&Path>;
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(none, folder.path(), Some("tmpfs"), flags, Some(size.as_str())).unwrap();
        Self { folder }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        nix::mount::umount2(self.folder.path(), nix::mount::MntFlags::MNT_DETACH).ok();
    }
}
