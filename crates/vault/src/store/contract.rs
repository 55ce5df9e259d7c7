//! What every store must do, as code: run it over yours. It panics at the first thing that does not hold.

use super::{ObjectStore, Put};

/// Runs the suite over stores that `fresh` makes, each of them empty.
///
/// # Panics
/// When the store breaks the contract; the message says which part.
pub async fn contract<S: ObjectStore>(mut fresh: impl FnMut() -> S) {
    what_was_put_is_there(&fresh()).await;
    a_name_is_created_once(&fresh()).await;
    of_many_creators_one_wins(&fresh()).await;
    lists_are_sorted_and_bounded(&fresh()).await;
    deleting_frees_the_name(&fresh()).await;
    replacing_needs_nothing_there(&fresh()).await;
    names_outside_are_refused(&fresh()).await;
}

async fn created<S: ObjectStore>(store: &S, key: &str, bytes: &[u8]) {
    let put = store.put_new(key, bytes).await;
    assert_eq!(put, Ok(Put::Created), "creating `{}`", store.place(key));
}

async fn what_was_put_is_there<S: ObjectStore>(store: &S) {
    assert_eq!(store.get("a/b").await, Ok(None), "an empty store has no objects");
    assert_eq!(store.list("", "", usize::MAX).await, Ok(vec![]), "an empty store lists nothing");
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    created(store, "a/b", &every_byte).await;
    created(store, "a/empty", b"").await;
    assert_eq!(store.get("a/b").await, Ok(Some(every_byte)), "bytes come back as they went");
    assert_eq!(store.get("a/empty").await, Ok(Some(vec![])), "an empty object is an object");
    assert_eq!(store.get("a/c").await, Ok(None), "a neighbour is absent");
}

async fn a_name_is_created_once<S: ObjectStore>(store: &S) {
    created(store, "a/b", b"first").await;
    let again = store.put_new("a/b", b"second").await;
    assert_eq!(again, Ok(Put::AlreadyExists), "the second creation of a name");
    let same = store.put_new("a/b", b"first").await;
    assert_eq!(same, Ok(Put::AlreadyExists), "even with the same bytes");
    assert_eq!(store.get("a/b").await, Ok(Some(b"first".to_vec())), "the first bytes stay");
}

async fn of_many_creators_one_wins<S: ObjectStore>(store: &S) {
    // Twenty rounds: a race that is lost once in a few tries shows, and a disk that syncs in 10 ms needs a
    // second.
    for round in 0..20 {
        let key = format!("race/{round}");
        let ends = tokio::join!(
            store.put_new(&key, b"0"),
            store.put_new(&key, b"1"),
            store.put_new(&key, b"2"),
            store.put_new(&key, b"3"),
        );
        let ends = [ends.0, ends.1, ends.2, ends.3];
        let won: Vec<usize> = (0..4).filter(|&who| ends[who] == Ok(Put::Created)).collect();
        assert_eq!(won.len(), 1, "of four creators at once exactly one wins, found {ends:?}");
        let expected = won[0].to_string().into_bytes();
        assert_eq!(store.get(&key).await, Ok(Some(expected)), "the winner's bytes are there");
    }
}

async fn lists_are_sorted_and_bounded<S: ObjectStore>(store: &S) {
    for key in ["b/10", "b/9", "a-/x", "a/x", "a.x", "c"] {
        created(store, key, b"x").await;
    }
    let list = async |prefix, after, limit| store.list(prefix, after, limit).await;
    let all = ["a-/x", "a.x", "a/x", "b/10", "b/9", "c"].map(str::to_owned).to_vec();
    assert_eq!(list("", "", usize::MAX).await, Ok(all.clone()), "bytewise order of whole names");
    assert_eq!(list("", "", 2).await, Ok(all[..2].to_vec()), "no more than asked for");
    assert_eq!(list("", "a.x", 2).await, Ok(all[2..4].to_vec()), "strictly after");
    assert_eq!(list("b/", "", usize::MAX).await, Ok(all[3..5].to_vec()), "a folder");
    assert_eq!(list("b/", "b/10", usize::MAX).await, Ok(all[4..5].to_vec()), "a folder from a name on");
    assert_eq!(list("b/1", "", usize::MAX).await, Ok(all[3..4].to_vec()), "a prefix inside a name");
    assert_eq!(list("b/", "c", usize::MAX).await, Ok(vec![]), "after the last");
    assert_eq!(list("d/", "", usize::MAX).await, Ok(vec![]), "a folder that is not there");
}

async fn deleting_frees_the_name<S: ObjectStore>(store: &S) {
    created(store, "a/b", b"first").await;
    assert_eq!(store.delete("a/b").await, Ok(()), "deleting what is there");
    assert_eq!(store.delete("a/b").await, Ok(()), "deleting what is not there");
    assert_eq!(store.get("a/b").await, Ok(None), "it is gone");
    assert_eq!(store.list("", "", usize::MAX).await, Ok(vec![]), "also from the list");
    created(store, "a/b", b"second").await;
}

async fn replacing_needs_nothing_there<S: ObjectStore>(store: &S) {
    for bytes in [&b"a longer first"[..], b"second", b""] {
        assert_eq!(store.replace("HEAD.json", bytes).await, Ok(()), "replacing what is or is not there");
        assert_eq!(store.get("HEAD.json").await, Ok(Some(bytes.to_vec())), "the last bytes are there, whole");
    }
    assert_eq!(store.put_new("HEAD.json", b"x").await, Ok(Put::AlreadyExists), "what was replaced exists");
}

async fn names_outside_are_refused<S: ObjectStore>(store: &S) {
    for key in ["", "/etc/x", "../x", "a/../../x", "a//b", ".hidden", "a/", "a\\b"] {
        assert!(store.put_new(key, b"x").await.is_err(), "creating `{key}` is refused");
        assert!(store.get(key).await.is_err(), "reading `{key}` is refused");
        assert!(store.delete(key).await.is_err(), "deleting `{key}` is refused");
        assert!(store.replace(key, b"x").await.is_err(), "replacing `{key}` is refused");
    }
}
