//! Torn, flipped, missing and foreign objects: what must show, what must be passed, and that no wrong entry
//! ever comes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use common::*;
use vault::{Error, Kind, MemoryStore, Ordinal};

/// A vault with every kind of object: closed and open terms, a torn object that is voided.
async fn with_a_voided_object() -> MemoryStore {
    let mut objects = small().await.objects();
    objects.insert(name(6), b"half a segment".to_vec());
    let store = MemoryStore::from(objects);
    let mut vault = open(store.clone(), 3).await.unwrap();
    vault.append(at(5), vec![text("five")]).await.unwrap();
    store
}

#[test]
fn a_last_segment_cut_at_any_byte_is_torn_and_never_gives_a_wrong_entry() {
    run(async {
        let objects = small().await.objects();
        let (all, _) = entries(&MemoryStore::from(objects.clone()), None).await.unwrap();
        for length in 0..objects[&name(5)].len() {
            let mut cut = objects.clone();
            cut.get_mut(&name(5)).unwrap().truncate(length);
            let store = MemoryStore::from(cut);
            let (found, tail) = entries(&store, None).await.unwrap();
            assert_eq!(found, all[..5], "cut at {length}");
            assert_eq!(tail.torn.len(), 1);
            assert_eq!(tail.torn[0].name, name(5));
            assert_eq!(tail.position.unwrap().ordinal, Ordinal::new(4));

            let mut vault = open(store.clone(), 3).await.unwrap();
            vault.append(at(9), vec![text("again")]).await.unwrap();
            let (found, tail) = entries(&store, None).await.unwrap();
            assert_eq!(found[..5], all[..5], "cut at {length}");
            assert_eq!((found.len(), tail.torn.len()), (7, 0));
            assert_eq!(vault::verify(&store).await.unwrap().voided, 1);
        }
    });
}

#[test]
fn every_flipped_bit_shows() {
    run(async {
        let objects = with_a_voided_object().await.objects();
        vault::verify(&MemoryStore::from(objects.clone())).await.unwrap();
        let last = objects.keys().rfind(|key| key.starts_with("journal/")).unwrap().clone();
        for (key, bytes) in &objects {
            for bit in 0..bytes.len() * 8 {
                let mut flipped = objects.clone();
                flipped.get_mut(key).unwrap()[bit / 8] ^= 1 << (bit % 8);
                let found = vault::verify(&MemoryStore::from(flipped)).await;
                match found {
                    Err(error) => {
                        assert!(error.to_string().contains(key.as_str()), "{key} bit {bit}: {error}")
                    }
                    Ok(found) => {
                        assert_eq!(*key, last, "bit {bit} of {key} is not seen");
                        assert_eq!(found.tail.torn[0].name, last);
                    }
                }
            }
        }
    });
}

async fn refusal(objects: Objects) -> Error {
    let store = MemoryStore::from(objects);
    let read = entries(&store, None).await.unwrap_err();
    let verified = vault::verify(&store).await.unwrap_err();
    assert_eq!(read, verified);
    read
}

#[test]
fn a_damaged_segment_in_the_middle_stops_reading_by_name() {
    run(async {
        let mut objects = small().await.objects();
        objects.get_mut(&name(2)).unwrap()[40] ^= 1;
        let error = refusal(objects).await;
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(error.to_string().contains(&name(2)), "{error}");
        assert!(error.hint().unwrap().contains("copy of the vault"));
    });
}

#[test]
fn a_hole_stops_reading_and_opening_by_name() {
    run(async {
        // The first may have been pruned, as far as an opener can see; reading tells.
        let mut objects = small().await.objects();
        objects.remove(&name(1));
        let store = MemoryStore::from(objects);
        assert!(entries(&store, None).await.unwrap_err().to_string().contains(&name(1)));
        assert!(vault::verify(&store).await.unwrap_err().to_string().contains(&name(1)));
        for missing in 2..5 {
            let mut objects = small().await.objects();
            objects.remove(&name(missing));
            let error = open(MemoryStore::from(objects.clone()), 3).await.unwrap_err();
            assert_eq!(error, refusal(objects).await);
            assert_eq!(error.kind(), Kind::Damaged);
            assert!(
                error.to_string().contains(&name(missing)) && error.to_string().contains("missing"),
                "{error}"
            );
        }
    });
}

#[test]
fn a_missing_identity_beside_a_journal_is_damage_and_not_an_empty_target() {
    run(async {
        let mut objects = small().await.objects();
        objects.remove("VAULT.json");
        assert_eq!(refusal(objects).await.kind(), Kind::Damaged);
    });
}

#[test]
fn a_segment_under_another_name_or_of_another_vault_is_refused() {
    run(async {
        let mut objects = small().await.objects();
        let copy = objects[&name(3)].clone();
        objects.insert(name(2), copy);
        assert!(refusal(objects).await.to_string().contains("it is segment 3, expected 2"));

        let other = MemoryStore::new();
        let identity = vault::Identity::new(vault::VaultId::new([8; 16]), "test");
        vault::init(&other, &identity).await.unwrap();
        open(other.clone(), 1).await.unwrap();
        let mut objects = small().await.objects();
        objects.insert(name(1), other.objects()[&name(1)].clone());
        assert!(refusal(objects).await.to_string().contains("it belongs to vault `0808"));
    });
}

#[test]
fn a_segment_of_another_branch_does_not_link() {
    run(async {
        // Two histories that part after segment 4.
        let mut trunk = small().await.objects();
        trunk.remove(&name(5));
        let branch = MemoryStore::from(trunk.clone());
        open(branch.clone(), 8).await.unwrap();
        open(branch.clone(), 9).await.unwrap();
        let mut mixed = small().await.objects();
        mixed.insert(name(6), branch.objects()[&name(6)].clone());
        let error = refusal(mixed).await;
        assert!(
            error.to_string().contains(&name(6)) && error.to_string().contains("does not link"),
            "{error}"
        );
    });
}

#[test]
fn several_torn_objects_in_a_row_are_passed_by_one_opening() {
    run(async {
        let store = fresh().await;
        let mut objects = store.objects();
        objects.insert(name(1), vec![]);
        objects.insert(name(2), b"half".to_vec());
        let store = MemoryStore::from(objects);
        let (none, tail) = entries(&store, None).await.unwrap();
        assert!(none.is_empty());
        assert_eq!(tail.torn.len(), 2);
        let mut vault = open(store.clone(), 1).await.unwrap();
        assert_eq!(vault.position().ordinal, Ordinal::new(3));
        vault.append(at(1), vec![text("one")]).await.unwrap();
        assert_eq!(vault::verify(&store).await.unwrap().voided, 2);
        assert_eq!(records(&store).await, [text("one")]);
    });
}

#[test]
fn two_openers_that_see_the_same_torn_object_both_go_on() {
    run(async {
        let mut objects = small().await.objects();
        objects.get_mut(&name(5)).unwrap().truncate(50);
        let store = Scripted::over(MemoryStore::from(objects));
        let (one, two) = tokio::join!(open(store.clone(), 3), open(store.clone(), 4));
        let mut ordinals = [one.unwrap().position().ordinal.get(), two.unwrap().position().ordinal.get()];
        ordinals.sort_unstable();
        assert_eq!(ordinals, [6, 7]);
        let found = vault::verify(&store).await.unwrap();
        assert_eq!((found.voided, found.terms), (1, 4));
    });
}

#[test]
fn a_voided_object_that_becomes_whole_stays_out_and_is_reported() {
    run(async {
        let before = small().await.objects();
        let (all, tail) = entries(&MemoryStore::from(before.clone()), None).await.unwrap();
        let mut objects = before.clone();
        objects.get_mut(&name(5)).unwrap().truncate(50);
        let store = MemoryStore::from(objects);
        open(store.clone(), 3).await.unwrap();
        let mut late = store.objects();
        late.insert(name(5), before[&name(5)].clone());
        let store = MemoryStore::from(late);
        let (found, _) = entries(&store, None).await.unwrap();
        assert_eq!(found[..5], all[..5]);
        assert_eq!(found.len(), 6);
        let verified = vault::verify(&store).await.unwrap();
        assert_eq!(verified.voided_but_whole, [name(5)]);
        let stale = entries(&store, tail.position).await.unwrap_err();
        assert_eq!(stale.kind(), Kind::NotInChain, "who took the voided segment in must start over");
    });
}

#[test]
fn a_segment_that_was_read_whole_and_is_torn_now_is_damage_until_it_is_voided() {
    run(async {
        let store = small().await;
        let (_, tail) = entries(&store, None).await.unwrap();
        let mut objects = store.objects();
        objects.get_mut(&name(5)).unwrap()[60] ^= 4;
        let store = MemoryStore::from(objects);
        let error = entries(&store, tail.position).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        open(store.clone(), 3).await.unwrap();
        assert_eq!(entries(&store, tail.position).await.unwrap_err().kind(), Kind::NotInChain);
    });
}

#[test]
fn a_record_of_a_newer_program_is_named_and_not_skipped() {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Later {
        Unheard { of: u32 },
    }
    run(async {
        let store = small().await;
        let mut vault = open(store.clone(), 3).await.unwrap();
        vault.append(at(9), vec![Later::Unheard { of: 1 }]).await.unwrap();
        let error = entries(&store, None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Newer);
        assert!(error.to_string().contains("entry 9") && error.to_string().contains(&name(7)), "{error}");
        vault::verify(&store).await.expect("what a record means is not the vault's affair");
    });
}

#[test]
fn a_newer_format_says_so() {
    run(async {
        let mut objects = small().await.objects();
        let text = String::from_utf8(objects["VAULT.json"].clone()).unwrap();
        let newer = text.replace("\"format\": 1", "\"format\": 2").into_bytes();
        objects.insert("VAULT.json".to_owned(), newer);
        let error = refusal(objects).await;
        assert_eq!(error.kind(), Kind::Newer);
        assert!(error.to_string().contains("format 2"), "{error}");
    });
}
