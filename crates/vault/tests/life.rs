//! The life of a vault: made, opened, appended to, read, contended for, closed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::*;
use proptest::prelude::*;
use vault::{DirStore, Event, Kind, MemoryStore, Ordinal, Position, Segment, Seq, Term, Vault};

fn a_probe() -> impl Strategy<Value = Probe> {
    prop_oneof![
        Just(Probe::Nothing),
        any::<String>().prop_map(Probe::Text),
        any::<i64>().prop_map(Probe::Number),
        (
            prop::collection::vec(any::<Option<String>>(), 0..4),
            prop::collection::btree_map(any::<String>(), any::<u32>(), 0..4)
        )
            .prop_map(|(list, map)| Probe::Nested { list, map }),
    ]
}

fn an_instant() -> impl Strategy<Value = jiff::Timestamp> {
    // From the year 1 to 9000, to the nanosecond.
    (-62_000_000_000i64..221_000_000_000, 0..1_000_000_000)
        .prop_map(|(second, nanosecond)| jiff::Timestamp::new(second, nanosecond).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_appended_is_read_again_from_any_position(
        appends in prop::collection::vec((an_instant(), prop::collection::vec(a_probe(), 1..5)), 1..6),
    ) {
        run(async {
            let store = fresh().await;
            let mut vault = open(store.clone(), 1).await.unwrap();
            let mut written = vec![];
            for (at, records) in appends {
                written.push(vault.append(at, records).await.unwrap());
            }
            written.push(vault.close(at(9)).await.unwrap());
            let mut all: Vec<Segment<Probe>> = vec![];
            let tail = vault::read(&store, None, |segment| {
                all.push(segment);
                Ok::<_, vault::Error>(())
            }).await.unwrap();
            assert_eq!(all[1..], written);
            assert_eq!(tail.position, Some(vault.position()));
            assert_eq!(tail.seq, vault.seq());
            assert_eq!(tail.torn, vec![]);
            for (count, from) in all.iter().enumerate() {
                let (rest, same_tail) = entries(&store, Some(from.position)).await.unwrap();
                let later = all[count + 1..].iter();
                let expected: Vec<_> = later.flat_map(|segment| segment.entries.clone()).collect();
                assert_eq!(rest, expected);
                assert_eq!(same_tail, tail);
            }
            let verified = vault::verify(&store).await.unwrap();
            assert_eq!(verified.segments as usize, all.len());
            assert_eq!(verified.entries, tail.seq.get());
            assert_eq!(verified.bytes, all.iter().map(|segment| segment.bytes).sum::<u64>());
        });
    }
}

#[test]
fn terms_and_entries_are_numbered_from_one() {
    run(async {
        let store = small().await;
        let (entries, tail) = entries(&store, None).await.unwrap();
        let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq.get()).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7]);
        let opened = |term, host: &str| Event::Opened { term: Term::new(term), writer: writer(host) };
        assert_eq!(entries[0].event, opened(1, "host-1"));
        assert_eq!(entries[3].event, Event::Closed);
        assert_eq!(entries[4].event, opened(2, "host-2"));
        assert_eq!(tail.position.unwrap().ordinal, Ordinal::new(5));
        let found = vault::verify(&store).await.unwrap();
        assert_eq!((found.segments, found.entries, found.terms, found.voided), (5, 7, 2, 0));
        assert_eq!(found.tail, tail);
    });
}

#[test]
fn a_folder_holds_a_vault_like_memory_does() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let store = DirStore::new(home.path().join("vault"));
        vault::init(&store, &an_identity()).await.unwrap();
        assert_eq!(vault::identity(&store).await.unwrap(), an_identity());
        let mut vault = open(store.clone(), 1).await.unwrap();
        vault.append(at(2), vec![text("one"), text("two")]).await.unwrap();
        vault.close::<Probe>(at(3)).await.unwrap();
        let mut vault = open(store.clone(), 2).await.unwrap();
        vault.append(at(4), vec![text("three"), Probe::Number(4)]).await.unwrap();
        for (name, bytes) in small().await.objects() {
            assert_eq!(std::fs::read(store.root().join(&name)).unwrap(), bytes, "{name}");
        }
        assert_eq!(
            std::fs::read_dir(store.root().join("journal")).unwrap().count(),
            5,
            "nothing temporary stays"
        );
    });
}

#[test]
fn leftovers_of_a_crash_in_a_folder_are_harmless() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let store = DirStore::new(home.path());
        vault::init(&store, &an_identity()).await.unwrap();
        let mut vault = open(store.clone(), 1).await.unwrap();
        let journal = home.path().join("journal");
        // Every temporary name this process could take next is taken already.
        for number in 0..40 {
            let name = format!(".0000000002.jsonl.zst.{}-{number}.tmp", std::process::id());
            std::fs::write(journal.join(name), b"half").unwrap();
        }
        std::fs::write(journal.join("notes.txt"), b"mine").unwrap();
        vault.append(at(1), vec![text("one")]).await.unwrap();
        assert_eq!(records(&store).await, [text("one")]);
        assert_eq!(vault::verify(&store).await.unwrap().segments, 2);
    });
}

#[test]
fn an_empty_target_is_no_vault_and_a_vault_is_no_empty_target() {
    run(async {
        let store = MemoryStore::new();
        let error = open(store.clone(), 1).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Empty);
        assert!(error.to_string().contains("the target is empty"), "{error}");
        assert!(error.hint().unwrap().contains("vault init"));
        assert_eq!(entries(&store, None).await.unwrap_err().kind(), Kind::Empty);
        assert_eq!(vault::verify(&store).await.unwrap_err().kind(), Kind::Empty);
        assert!(store.objects().is_empty(), "looking writes nothing");

        vault::init(&store, &an_identity()).await.unwrap();
        let again = vault::init(&store, &an_identity()).await.unwrap_err();
        assert_eq!(again.kind(), Kind::Halt);
        assert!(again.hint().unwrap().contains("is a vault already"));

        let foreign = MemoryStore::from(Objects::from([("holiday.jpg".to_owned(), vec![1])]));
        assert_eq!(vault::init(&foreign, &an_identity()).await.unwrap_err().kind(), Kind::Halt);
        let error = open(foreign, 1).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Empty);
        assert!(error.to_string().contains("holiday.jpg"), "{error}");
    });
}

#[test]
fn another_environment_is_refused() {
    let error = an_identity().require_environment("production").unwrap_err();
    assert_eq!(error.kind(), Kind::Halt);
    assert!(error.to_string().contains("environment `test`, expected `production`"), "{error}");
    assert_eq!(an_identity().require_environment("test"), Ok(()));
}

#[test]
fn of_two_openers_each_gets_its_own_ordinal() {
    run(async {
        let store = Scripted::over(fresh().await);
        let (one, two) = tokio::join!(open(store.clone(), 1), open(store.clone(), 2));
        let mut ordinals = [one.unwrap().position().ordinal, two.unwrap().position().ordinal];
        ordinals.sort_unstable();
        assert_eq!(ordinals, [Ordinal::new(1), Ordinal::new(2)]);
        assert!(store.sent.lock().unwrap().len() > 2, "they met at the same ordinal");
        assert_eq!(vault::verify(&store).await.unwrap().terms, 2);
    });
}

#[test]
fn openers_in_many_threads_share_a_folder_without_losing_a_term() {
    let home = tempfile::tempdir().unwrap();
    let store = DirStore::new(home.path());
    run(vault::init(&store, &an_identity())).unwrap();
    let mut ordinals: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=6)
            .map(|seed| {
                let store = DirStore::new(home.path());
                scope.spawn(move || run(open(store, seed)).unwrap().position().ordinal.get())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    ordinals.sort_unstable();
    assert_eq!(ordinals, [1, 2, 3, 4, 5, 6]);
    assert_eq!(run(vault::verify(&store)).unwrap().terms, 6);
}

#[test]
fn a_writer_that_was_overtaken_is_refused_and_told_by_whom() {
    run(async {
        let store = fresh().await;
        let mut first = open(store.clone(), 1).await.unwrap();
        first.append(at(1), vec![text("mine")]).await.unwrap();
        let mut second = open(store.clone(), 2).await.unwrap();
        second.append(at(2), vec![text("theirs")]).await.unwrap();
        let error = first.append(at(3), vec![text("late")]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Fenced);
        assert!(error.to_string().contains("process 17 on `host-2` (term 2)"), "{error}");
        assert_eq!(first.append(at(4), vec![text("again")]).await.unwrap_err(), error);
        assert_eq!(first.close::<Probe>(at(4)).await.unwrap_err(), error);
        assert_eq!(first.settle::<Probe>().await.unwrap_err(), error);
        assert_eq!(records(&store).await, [text("mine"), text("theirs")]);
        second.append(at(5), vec![text("on")]).await.unwrap();
    });
}

#[test]
fn an_unclear_answer_is_cleared_up_by_looking() {
    run(async {
        let store = Scripted::over(fresh().await);
        let mut vault = open(store.clone(), 1).await.unwrap();
        store.sent.lock().unwrap().clear();
        store.next(&[Fault::LostBefore, Fault::LostAfter]);
        vault.append(at(1), vec![text("one")]).await.unwrap();
        let sent = store.sent.lock().unwrap().clone();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0], sent[1], "a retry sends exactly the same bytes");
        assert_eq!(records(&store).await, [text("one")]);
    });
}

#[test]
fn an_append_that_stays_unclear_is_settled_with_the_same_bytes() {
    run(async {
        let store = Scripted::over(fresh().await);
        let mut vault = open(store.clone(), 1).await.unwrap();
        assert_eq!(vault.settle::<Probe>().await.unwrap(), None);
        store.sent.lock().unwrap().clear();
        store.next(&[Fault::LostBefore; 4]);
        assert_eq!(vault.append(at(1), vec![text("one")]).await.unwrap_err().kind(), Kind::Later);
        let other = vault.append(at(2), vec![text("two")]).await.unwrap_err();
        assert_eq!(other.kind(), Kind::Bug, "other bytes must not take the place of those in flight");
        let settled = vault.settle::<Probe>().await.unwrap().unwrap();
        assert_eq!(settled.entries[0].event, Event::Record(text("one")));
        assert_eq!(settled.position, vault.position());
        let sent = store.sent.lock().unwrap().clone();
        assert!(sent.len() == 5 && sent.iter().all(|bytes| *bytes == sent[0]));
        vault.append(at(2), vec![text("two")]).await.unwrap();
        assert_eq!(records(&store).await, [text("one"), text("two")]);
    });
}

#[test]
fn an_append_that_nobody_waited_for_is_settled() {
    run(async {
        let store = Scripted::over(fresh().await);
        let mut vault = open(store.clone(), 1).await.unwrap();
        // The store gives way at its first step, so the zero-length timeout drops the append in the middle.
        let dropped = futures_drop(vault.append(at(1), vec![text("one")])).await;
        assert!(dropped, "the append was not over");
        let settled = vault.settle::<Probe>().await.unwrap().unwrap();
        assert_eq!(settled.entries[0].event, Event::Record(text("one")));
        assert_eq!(vault.seq(), Seq::new(2));
    });
}

/// Polls a future once and drops it; tells whether it was still going.
async fn futures_drop<T>(future: impl Future<Output = T>) -> bool {
    let mut future = Box::pin(future);
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[test]
fn an_own_torn_write_ends_the_term_and_the_next_opening_passes_it() {
    run(async {
        let store = Scripted::over(fresh().await);
        let mut vault = open(store.clone(), 1).await.unwrap();
        store.next(&[Fault::TornAfter(30)]);
        let error = vault.append(at(1), vec![text("one")]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Later);
        assert!(error.hint().unwrap().contains("sets that object aside"));
        let mut vault = open(store.clone(), 2).await.unwrap();
        vault.append(at(2), vec![text("one")]).await.unwrap();
        let found = vault::verify(&store).await.unwrap();
        assert_eq!((found.terms, found.voided, found.segments), (2, 1, 3));
        assert_eq!(records(&store).await, [text("one")]);
    });
}

#[test]
fn nothing_follows_a_closing_in_its_term() {
    run(async {
        let store = fresh().await;
        let mut vault = open(store.clone(), 1).await.unwrap();
        assert_eq!(vault.append::<Probe>(at(1), vec![]).await.unwrap_err().kind(), Kind::Bug);
        vault.close::<Probe>(at(1)).await.unwrap();
        assert_eq!(vault.append(at(2), vec![text("late")]).await.unwrap_err().kind(), Kind::Bug);
        assert_eq!(vault.settle::<Probe>().await.unwrap(), None);
    });
}

#[test]
fn a_position_of_another_branch_or_vault_is_not_in_the_chain() {
    run(async {
        let store = small().await;
        let (_, tail) = entries(&store, None).await.unwrap();
        let Position { ordinal, digest } = tail.position.unwrap();
        let beyond = Position { ordinal: ordinal.next(), digest };
        let elsewhere = Position { ordinal: Ordinal::new(2), digest };
        for position in [beyond, elsewhere, Position { ordinal: Ordinal::default(), digest }] {
            assert_eq!(
                entries(&store, Some(position)).await.unwrap_err().kind(),
                Kind::NotInChain,
                "{position:?}"
            );
        }
        let mut shorter = store.objects();
        shorter.remove(&name(5));
        let error = entries(&MemoryStore::from(shorter), tail.position).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotInChain, "the end was cut off");
    });
}

#[test]
fn a_reader_follows_a_writer() {
    run(async {
        let store = fresh().await;
        let (none, tail) = entries(&store, None).await.unwrap();
        assert!(none.is_empty() && tail.position.is_none() && tail.seq == Seq::default());
        let mut vault = Vault::open(store.clone(), writer("a"), nonce(1), at(1)).await.unwrap();
        let mut stand = None;
        for round in 0..5 {
            vault.append(at(round), vec![Probe::Number(round)]).await.unwrap();
            let (news, tail) = entries(&store, stand).await.unwrap();
            assert_eq!(news.last().unwrap().event, Event::Record(Probe::Number(round)));
            assert_eq!(news.len(), if round == 0 { 2 } else { 1 });
            stand = tail.position;
        }
        let before = store.objects();
        entries(&store, stand).await.unwrap();
        assert_eq!(store.objects(), before, "reading writes nothing");
    });
}

#[test]
fn a_callers_own_error_stops_reading() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Full,
        Vault(Kind),
    }
    impl From<vault::Error> for Mine {
        fn from(error: vault::Error) -> Self {
            Self::Vault(error.kind())
        }
    }
    run(async {
        let mut count = 0;
        let store = small().await;
        let full = vault::read(&store, None, |_: Segment<Probe>| {
            count += 1;
            if count == 2 { Err(Mine::Full) } else { Ok(()) }
        });
        assert_eq!(full.await, Err(Mine::Full));
        assert_eq!(count, 2);
        let empty = vault::read(&MemoryStore::new(), None, |_: Segment<Probe>| Ok(())).await;
        assert_eq!(empty, Err(Mine::Vault(Kind::Empty)));
    });
}

#[test]
fn what_the_store_refused_is_not_taken_for_durable_by_looking_again() {
    run(async {
        let store = Scripted::over(fresh().await);
        let mut vault = open(store.clone(), 1).await.unwrap();
        store.next(&[Fault::Refused]);
        let error = vault.append(at(1), vec![text("one")]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Halt);
        assert_eq!(vault.settle::<Probe>().await.unwrap_err(), error);
        assert_eq!(vault.append(at(2), vec![text("two")]).await.unwrap_err(), error);
        // Opening again is clear either way: the object is there whole, so it counts.
        open(store.clone(), 2).await.unwrap();
        assert_eq!(records(&store).await, [text("one")]);
    });
}

#[test]
fn the_vault_can_be_used_from_any_thread() {
    fn moves<T: Send>(_: &T) {}
    let store = DirStore::new("nowhere");
    moves(&vault::init(&store, &an_identity()));
    moves(&vault::verify(&store));
    moves(&vault::read(&store, None, |_: Segment<Probe>| Ok::<_, vault::Error>(())));
    moves(&Vault::open(store.clone(), writer("a"), nonce(1), at(1)));
    let mut none: Option<Vault<DirStore>> = None;
    if let Some(vault) = &mut none {
        moves(&vault.append(at(1), vec![text("one")]));
        moves(&vault.settle::<Probe>());
        moves(&vault.close::<Probe>(at(1)));
    }
}
