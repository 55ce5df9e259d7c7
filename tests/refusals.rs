//! What the built program does with models that will not answer: it tells one bad text from a bad endpoint, gives up the
//! one and waits for the other, and asks again about what was refused when it is told to.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod servers;

use highwater::state::State;
use serde_json::{Value, json};
use servers::{Place, Server, reader, talk};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Asks this server, a chunk a call.
fn asks(server: &Server) -> String {
    format!(
        "model = \"compatible/m\"\nmodel_url = \"{}/v1\"\nmodel_key = \"env:TEST_KEY\"\nembedding = \"none\"\n\
         pack_chars = 500\nchunk_chars = 500\n",
        server.url
    )
}

/// A model that finds one thing in each chunk, which no rule finds.
fn namer(path: &str, body: &Value) -> (u16, Value, Vec<String>) {
    let (status, _, texts) = reader(path, body);
    let prompt = body["messages"][1]["content"].as_str().unwrap();
    let chunks: Vec<Value> = prompt
        .split("<chunk ")
        .skip(1)
        .filter_map(|part| {
            let number: u64 = part.split(' ').next()?.parse().ok()?;
            let entities = json!([{"name": "first Monday of a month", "type": "Thing"}]);
            Some(json!({"chunk": number, "entities": entities, "facts": []}))
        })
        .collect();
    let content = json!({"chunks": chunks}).to_string();
    (status, json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}), texts)
}

fn refusal() -> (u16, Value, Vec<String>) {
    (400, json!({"error": {"message": "response_format is not supported here"}}), Vec::new())
}

/// The graph, in which there is what the model found.
fn dump(place: &Place) -> String {
    let graph = State::open_to_read(&place.path("highwater.db")).unwrap().unwrap().dump().unwrap();
    assert!(graph.contains("first Monday of a month"), "{graph}");
    graph
}

/// Whether a word stands anywhere in the vault or the state file.
fn is_kept(place: &Place, word: &str) -> bool {
    let journal = std::fs::read_dir(place.path("vault/journal")).unwrap();
    let segments =
        journal.map(|file| zstd::decode_all(std::fs::File::open(file.unwrap().path()).unwrap()).unwrap());
    let state = std::fs::read(place.path("highwater.db")).unwrap();
    segments.chain([state]).any(|bytes| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
}

#[test]
fn an_endpoint_that_refuses_everything_halts_the_run_and_nothing_is_given_up() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = broken.clone();
    let server = Server::new(10_000, move |path, body| match is_broken.load(Ordering::SeqCst) {
        true => refusal(),
        false => namer(path, body),
    });
    let place = Place::new(8);
    place.settings(&asks(&server));
    let output = place.run(&["pipeline", "wiki"]);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("response_format is not supported here"), "{}", talk(&output));
    assert!(talk(&output).contains("hint: "), "{}", talk(&output));
    broken.store(false, Ordering::SeqCst);
    let report = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!(report["refused_chunks"], 0, "{report}");
    assert_eq!(server.counts().0, 8);
    let calm = Place::new(8);
    calm.settings(&asks(&server));
    calm.done(&["pipeline", "wiki"]);
    assert_eq!(dump(&place), dump(&calm));
}

#[test]
fn a_text_that_is_refused_takes_no_other_down_and_can_be_asked_about_again() {
    let picky = Arc::new(AtomicBool::new(true));
    let is_picky = picky.clone();
    let server = Server::new(10_000, move |path, body| {
        let prompt = body["messages"][1]["content"].as_str().unwrap();
        match is_picky.load(Ordering::SeqCst) && prompt.contains("`service-3` depends") {
            true => refusal(),
            false => namer(path, body),
        }
    });
    let place = Place::new(8);
    place.settings(&asks(&server));
    let report = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!((&report["refused_chunks"], server.counts().0), (&json!(1), 7), "{report}");
    // Refused for good: a plain run asks nobody.
    let again = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!(again["calls"], 0, "{again}");
    picky.store(false, Ordering::SeqCst);
    let retried = place.json(&["pipeline", "wiki", "--retry-parked", "--json"]);
    assert_eq!((&retried["calls"], &retried["refused_chunks"]), (&json!(1), &json!(0)), "{retried}");
    assert_eq!((server.counts().0, server.asked().twice()), (8, 0));
    let calm = Place::new(8);
    calm.settings(&asks(&server));
    calm.done(&["pipeline", "wiki"]);
    assert_eq!(dump(&place), dump(&calm));
}

#[test]
fn a_wiki_of_one_page_that_is_refused_comes_to_an_end() {
    let server = Server::new(10_000, |_, _| refusal());
    let place = Place::new(1);
    place.settings(&asks(&server));
    let report = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!(report["refused_chunks"], 1, "{report}");
}

#[test]
fn counts_that_no_call_can_have_are_survived_by_this_run_and_the_next() {
    let server = Server::new(10_000, |path, body| {
        let (status, mut answer, texts) = namer(path, body);
        let absurd = u64::MAX / 2;
        answer["usage"] = json!({"prompt_tokens": absurd, "completion_tokens": absurd,
            "prompt_tokens_details": {"cached_tokens": absurd}});
        (status, answer, texts)
    });
    let place = Place::new(6);
    place.settings(&asks(&server));
    place.done(&["pipeline", "wiki"]);
    place.done(&["status"]);
    assert_eq!(place.json(&["pipeline", "wiki", "--json"])["calls"], 0);
}

#[test]
fn a_key_that_is_repeated_in_a_success_is_kept_nowhere() {
    let server = Server::new(10_000, |_, _| {
        (200, json!({"error": {"message": "bad key sk-the-key-that-nobody-sees"}}), Vec::new())
    });
    let place = Place::new(2);
    place.settings(&asks(&server));
    // It is put off again and again; the first answers are enough.
    let mut child = place.command(&["pipeline", "wiki"]).spawn().unwrap();
    let began = Instant::now();
    while server.asked().admitted.is_empty() && began.elapsed() < Duration::from_secs(30) {
        std::thread::park_timeout(Duration::from_millis(50));
    }
    std::thread::park_timeout(Duration::from_secs(1));
    child.kill().unwrap();
    child.wait().unwrap();
    place.run(&["status"]);
    assert!(is_kept(&place, "bad key"), "the answer is not kept, so this shows nothing");
    assert!(!is_kept(&place, "sk-the-key-that-nobody-sees"));
}

#[test]
fn what_nobody_waits_for_any_more_is_not_asked() {
    let server = Server::new(10_000, namer);
    let place = Place::new(8);
    place.settings(&asks(&server));
    let output = place.run(&["pipeline", "wiki", "--max-calls", "2"]);
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    // The epoch is resolved without the model.
    place.done(&["pipeline", "wiki", "--model", "none"]);
    assert_eq!(place.json(&["pipeline", "wiki", "--json"])["calls"], 0);
    // Once all is read again, the rest is asked about, and what was answered is not.
    assert_eq!(place.json(&["pipeline", "--reindex", "--json"])["calls"], 6);
    assert_eq!(server.counts(), (8, 8, 0));
}

#[test]
fn a_limit_of_pages_holds_where_the_worklist_is_already_there() {
    let server = Server::new(10_000, namer);
    let place = Place::new(8);
    place.settings(&format!("{}epoch_pages = 2\n", asks(&server)));
    // The estimate has listed all pages.
    place.done(&["pipeline", "wiki", "--estimate"]);
    let trial = place.json(&["pipeline", "wiki", "--limit-pages", "3", "--json"]);
    assert_eq!((&trial["calls"], server.counts().0), (&json!(4), 4), "whole slices of two pages: {trial}");
    let rest = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!((&rest["calls"], server.counts()), (&json!(4), (8, 8, 0)), "{rest}");
}

#[test]
fn a_run_that_is_told_to_stop_waits_for_what_is_paid() {
    let server = Server::new(10_000, |path, body| {
        std::thread::park_timeout(Duration::from_millis(1_500));
        namer(path, body)
    });
    let place = Place::new(4);
    place.settings(&asks(&server));
    let child = place.command(&["pipeline", "wiki", "--quiet"]).spawn().unwrap();
    let began = Instant::now();
    while server.asked().admitted.len() < 4 && began.elapsed() < Duration::from_secs(30) {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let told = Instant::now();
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}", told.elapsed());
    place.done(&["pipeline", "wiki"]);
    assert_eq!(server.asked().twice(), 0);
}

/// A slice that is resolved while an answer was of no use, and read again later.
#[test]
fn what_was_asked_in_vain_and_passed_is_asked_again_when_all_is_read_again() {
    let useless = Arc::new(AtomicBool::new(true));
    let is_useless = useless.clone();
    let server = Server::new(10_000, move |path, body| match is_useless.load(Ordering::SeqCst) {
        true => {
            (200, json!({"choices": [{"message": {"content": "no"}, "finish_reason": "stop"}]}), Vec::new())
        }
        false => namer(path, body),
    });
    let place = Place::new(1);
    place.settings(&asks(&server));
    assert_eq!(place.run(&["pipeline", "wiki", "--max-calls", "1"]).status.code(), Some(3));
    place.done(&["pipeline", "wiki", "--model", "none"]);
    useless.store(false, Ordering::SeqCst);
    assert_eq!(place.json(&["pipeline", "--reindex", "--json"])["calls"], 1);
    dump(&place);
}
