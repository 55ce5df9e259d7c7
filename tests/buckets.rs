//! A vault in a bucket: the store's contract and the journal's life on servers of S3, Azure and Google, each through the
//! client the program itself sets up, and the program as a user runs it. The servers of S3 and Azure were written by
//! others; Google's is ours, and fails on purpose.

#![cfg(feature = "cloud")]
#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod clouds;
mod gcs;
mod servers;

use gcs::{Fault, Gcs};
use highwater::wire::stores;
use servers::{Place, talk};
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vault::{AnyStore, Event, Identity, Kind, Nonce, ObjectStore, Put, Result, Vault, VaultId, Writer};

type Environment = Vec<(String, String)>;

/// Stores in prefixes of their own.
struct Fresh {
    scheme: &'static str,
    environment: Environment,
    count: AtomicU32,
}

impl Fresh {
    fn new(scheme: &'static str, environment: Environment) -> Self {
        Self { scheme, environment, count: AtomicU32::new(0) }
    }

    fn store(&self) -> AnyStore {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        self.named(&format!("life-{count}/wiki"))
    }

    fn named(&self, prefix: &str) -> AnyStore {
        let target = format!("{}://{}/{prefix}", self.scheme, clouds::BUCKET);
        stores::store(&target, self.environment.clone()).unwrap()
    }

    async fn vault(&self) -> AnyStore {
        let store = self.store();
        vault::init(&store, &Identity::new(VaultId::new([7; 16]), "test")).await.unwrap();
        store
    }
}

fn google(gcs: &Gcs) -> Fresh {
    Fresh::new("gs", vec![("STORAGE_EMULATOR_HOST".to_owned(), gcs.host.clone())])
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_790_000_000 + second).unwrap()
}

async fn open(store: &AnyStore, seed: u8) -> Result<Vault<AnyStore>> {
    let writer = Writer {
        host: format!("host-{seed}"),
        boot: "boot".to_owned(),
        pid: 17,
        execution: None,
        version: "0.1.0".to_owned(),
    };
    Vault::open(store.clone(), writer, Nonce::new([seed; 16]), at(0)).await
}

/// All records, in order, from a journal that is whole.
async fn records(store: &AnyStore) -> Vec<String> {
    let mut found = Vec::new();
    vault::read(store, None, |segment: vault::Segment<String>| {
        found.extend(segment.entries.into_iter().filter_map(|entry| match entry.event {
            Event::Record(record) => Some(record),
            _ => None,
        }));
        Ok::<_, vault::Error>(())
    })
    .await
    .unwrap();
    vault::verify(store).await.unwrap();
    found
}

/// Appends, and settles until it is clear.
async fn append(vault: &mut Vault<AnyStore>, record: &str) {
    match vault.append(at(1), vec![record.to_owned()]).await {
        Ok(_) => return,
        Err(error) => assert_eq!(error.kind(), Kind::Later, "{error}"),
    }
    for _ in 0..8 {
        match vault.settle::<String>().await {
            Ok(settled) => return assert!(settled.is_some()),
            Err(error) => assert_eq!(error.kind(), Kind::Later, "{error}"),
        }
    }
    panic!("the append never became clear");
}

/// The life of a journal: it lasts, one of two openers wins and knows it, the other is told who has the vault now.
async fn journal_lives(fresh: &Fresh) {
    let store = fresh.vault().await;
    vault::check_creation(&store).await.unwrap();
    let again = vault::init(&store, &Identity::new(VaultId::new([8; 16]), "test")).await;
    assert_eq!(again.unwrap_err().kind(), Kind::Halt);
    let mut first = open(&store, 1).await.unwrap();
    append(&mut first, "one").await;
    first.close::<String>(at(2)).await.unwrap();
    let (left, right) = tokio::join!(open(&store, 2), open(&store, 3));
    let (mut left, mut right) = (left.unwrap(), right.unwrap());
    assert_ne!(left.term(), right.term());
    let ends =
        tokio::join!(left.append(at(3), vec!["two".to_owned()]), right.append(at(3), vec!["two".to_owned()]));
    let fenced = [ends.0.err(), ends.1.err()].into_iter().flatten().collect::<Vec<_>>();
    let [fenced] = &fenced[..] else { panic!("expected one to be fenced: {fenced:?}") };
    assert_eq!(fenced.kind(), Kind::Fenced, "{fenced}");
    assert!(fenced.to_string().contains("host-"), "{fenced}");
    assert_eq!(records(&store).await, ["one", "two"]);
    assert_eq!(vault::identity(&fresh.store()).await.unwrap_err().kind(), Kind::Empty);
}

fn say(text: &str) {
    // Past the harness, which hides what a passing test prints.
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

async fn all_of_it(name: &str, fresh: &Fresh) {
    let began = Instant::now();
    vault::store::contract(|| fresh.store()).await;
    let contract = began.elapsed();
    journal_lives(fresh).await;
    say(&format!("{name}: contract {contract:.1?}, with the journal's life {:.1?}", began.elapsed()));
}

#[tokio::test]
async fn s3_by_moto_keeps_the_contract_and_a_journal() {
    let Some((_cloud, environment)) = clouds::moto() else { return };
    all_of_it("S3 (moto)", &Fresh::new("s3", environment)).await;
}

#[tokio::test]
async fn azure_by_azurite_keeps_the_contract_and_a_journal() {
    let Some((_cloud, environment)) = clouds::azurite().await else { return };
    all_of_it("Azure (Azurite)", &Fresh::new("az", environment)).await;
}

#[tokio::test]
async fn google_by_our_own_server_keeps_the_contract_and_a_journal() {
    all_of_it("Google (our own server)", &google(&Gcs::new())).await;
}

#[tokio::test]
async fn whatever_happens_to_a_creation_nothing_is_there_twice_and_nothing_is_lost() {
    let gcs = Gcs::new();
    let fresh = google(&gcs);
    for faults in [
        &[Fault::Refused(412)][..],
        &[Fault::Refused(409)],
        &[Fault::Refused(429)],
        &[Fault::Refused(503)],
        &[Fault::LostBefore],
        &[Fault::LostAfter],
        &[Fault::DoneBut(503)],
        &[Fault::DoneBut(409)],
        &[Fault::DoneBut(429), Fault::LostBefore],
    ] {
        let store = fresh.vault().await;
        let mut vault = open(&store, 1).await.unwrap();
        gcs.script("PUT", faults);
        append(&mut vault, "one").await;
        append(&mut vault, "two").await;
        assert_eq!(gcs.left(), 0, "{faults:?} were not reached");
        assert_eq!(records(&store).await, ["one", "two"], "{faults:?}");
        // Neither a vault that is being made nor an opening loses itself to an answer that did not come.
        gcs.script("PUT", faults);
        let store = fresh.vault().await;
        assert_eq!(gcs.left(), 0, "{faults:?} were not reached");
        gcs.script("PUT", faults);
        drop(open(&store, 1).await.unwrap());
        assert_eq!(gcs.left(), 0, "{faults:?} were not reached");
        assert_eq!(records(&store).await, [""; 0], "{faults:?}");
    }
}

#[tokio::test]
async fn a_service_that_never_answers_is_not_waited_for_and_what_it_did_counts_once() {
    let gcs = Gcs::new();
    let store = google(&gcs).vault().await;
    let mut vault = open(&store, 1).await.unwrap();
    gcs.script("PUT", &[Fault::Silent]);
    let began = Instant::now();
    append(&mut vault, "one").await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    append(&mut vault, "two").await;
    assert_eq!((records(&store).await, gcs.left()), (vec!["one".to_owned(), "two".to_owned()], 0));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_read_to_its_end_and_never_taken_for_the_whole() {
    let gcs = Gcs::new();
    let store = google(&gcs).store();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    store.put_new("a", &bytes).await.unwrap();
    gcs.script("GET", &[Fault::Cut, Fault::Cut, Fault::Refused(503)]);
    assert_eq!(store.get("a").await, Ok(Some(bytes)));
    assert_eq!(gcs.left(), 0);
}

#[tokio::test]
async fn an_outage_shows_within_a_minute_and_ends_with_the_outage() {
    let gcs = Gcs::new();
    let store = google(&gcs).vault().await;
    let mut vault = open(&store, 1).await.unwrap();
    gcs.always(Some(Fault::Refused(503)));
    let began = Instant::now();
    let error = vault.append(at(1), vec!["one".to_owned()]).await.unwrap_err();
    let took = began.elapsed();
    assert_eq!(error.kind(), Kind::Later, "{error}");
    assert!(error.to_string().contains("503") && !error.to_string().contains("hunter2"), "{error}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    say(&format!("an outage shows after {took:.1?}"));
    gcs.always(None);
    assert!(vault.settle::<String>().await.unwrap().is_some());
    assert_eq!(records(&store).await, ["one"]);
}

#[tokio::test]
async fn what_only_a_person_can_mend_halts_at_once_and_says_how() {
    let gcs = Gcs::new();
    let store = google(&gcs).store();
    for status in [401, 403] {
        gcs.always(Some(Fault::Refused(status)));
        let before = gcs.requests("GET") + gcs.requests("PUT");
        let errors = [
            store.put_new("a", b"x").await.unwrap_err(),
            store.get("a").await.unwrap_err(),
            store.list("", "", 1).await.unwrap_err(),
            store.replace("a", b"x").await.unwrap_err(),
        ];
        assert_eq!(gcs.requests("GET") + gcs.requests("PUT") - before, 4, "nobody asks again");
        for error in errors {
            assert_eq!(error.kind(), Kind::Halt, "{error}");
            assert!(error.to_string().contains(&format!("{status} (Word)")), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.hint().unwrap().contains("list, read, create"), "{error}");
        }
    }
    gcs.always(None);
    let elsewhere = stores::store("gs://elsewhere/x", google(&gcs).environment).unwrap();
    for error in [
        elsewhere.get("a").await.unwrap_err(),
        elsewhere.list("", "", 1).await.unwrap_err(),
        elsewhere.put_new("a", b"x").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Halt, "{error}");
        assert!(error.to_string().contains("404 (NoSuchBucket)"), "{error}");
        assert!(error.hint().unwrap().contains("make the bucket"), "{error}");
    }
}

#[tokio::test]
async fn a_store_that_creates_what_exists_is_found_out() {
    let gcs = Gcs::new();
    let store = google(&gcs).vault().await;
    vault::check_creation(&store).await.unwrap();
    gcs.be_careless();
    assert_eq!(store.put_new("VAULT.json", b"x").await, Ok(Put::Created), "the fault is there");
    let error = vault::check_creation(&store).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Halt);
    assert!(error.to_string().contains("VAULT.json"), "{error}");
}

/// The program's whole life on one bucket.
fn program_lives(scheme: &str, environment: &Environment) {
    let place = Place::new(5);
    let target = format!("{scheme}://{}/wiki", clouds::BUCKET);
    let settings = format!("source = \"wiki\"\nvault = \"{target}\"\nembedding = \"none\"\n");
    place.settings(&settings);
    let run = |arguments: &[&str]| place.command(arguments).envs(environment.clone()).output().unwrap();
    let done = |arguments: &[&str]| {
        let output = run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", talk(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for absent in [run(&["pipeline"]), run(&["status"])] {
        assert_eq!(absent.status.code(), Some(4), "{}", talk(&absent));
        assert!(talk(&absent).contains(&format!("{target}/VAULT.json")), "{}", talk(&absent));
    }
    assert!(done(&["vault", "init", &target]).contains(&target));
    assert_eq!(run(&["vault", "init", &target]).status.code(), Some(1));
    done(&["pipeline", "--quiet"]);
    assert!(done(&["status"]).contains(&target));
    let status: serde_json::Value = serde_json::from_str(&done(&["status", "--json"])).unwrap();
    assert_eq!((&status["pages"], &status["owed_pages"]), (&5.into(), &0.into()));
    done(&["vault", "verify"]);
    // Another machine: nothing but the bucket.
    std::fs::remove_file(place.path("highwater.db")).unwrap();
    let again: serde_json::Value = serde_json::from_str(&done(&["status", "--json"])).unwrap();
    assert_eq!(again, status);
}

#[test]
fn the_program_keeps_its_vault_in_s3() {
    let Some((_cloud, environment)) = clouds::moto() else { return };
    program_lives("s3", &environment);
}

#[test]
fn the_program_keeps_its_vault_in_google_cloud_storage() {
    let gcs = Gcs::new();
    program_lives("gs", &google(&gcs).environment);
    assert!(gcs.names().iter().all(|name| name.starts_with("wiki/")), "{:?}", gcs.names());
}

#[test]
fn a_vault_is_not_made_in_a_bucket_that_breaks_the_promise() {
    let gcs = Gcs::new();
    gcs.be_careless();
    let place = Place::new(1);
    let mut init = place.command(&["vault", "init", "gs://vault/wiki"]);
    let output = init.env("STORAGE_EMULATOR_HOST", &gcs.host).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(talk(&output).contains("create only if absent"), "{}", talk(&output));
    assert_eq!(gcs.names(), [""; 0], "nothing is left that looks like a vault");
}
