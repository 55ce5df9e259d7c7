//! The built program against model servers in this process, which keep their own count of what they were asked: how
//! many requests came in any minute, and what was answered more than once. They prove our side, not the vendors'.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod servers;

use serde_json::{Value, json};
use servers::{CUT, Place, Server, reader, talk};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn two_endpoints_of_five_a_minute_are_both_used_to_the_full() {
    let place = Place::new(10);
    let servers = [Server::new(5, reader), Server::new(5, reader)];
    place.settings(&format!(
        "model = \"compatible/m\"\nembedding = \"none\"\npack_chars = 500\nchunk_chars = 500\nrequests_per_minute = 5\n\
         [[endpoint]]\nmodel_url = \"{}/v1\"\nmodel_key = \"env:TEST_KEY\"\n[[endpoint]]\nmodel_url = \"{}/v1\"\n",
        servers[0].url, servers[1].url
    ));
    let estimate = place.json(&["pipeline", "wiki", "--estimate", "--json"]);
    let began = Instant::now();
    let report = place.json(&["pipeline", "wiki", "--json"]);
    let calls = report["calls"].as_u64().unwrap();
    assert_eq!(calls, 10, "packs of another size: {report}");
    // One call about pairs in doubt is allowed for; nothing was found, so there are none.
    let estimated = estimate["calls"].as_u64().unwrap();
    assert_eq!(estimated - estimate["calls_in_doubt"].as_u64().unwrap(), calls, "{estimate}");
    let hours = estimate["hours"].as_f64().unwrap();
    assert!((hours * 60.0 - estimated as f64 / 10.0).abs() < 0.01, "{estimate}");
    // One alone would have to wait for its next minute.
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    for server in &servers {
        let asked = server.asked();
        assert_eq!((asked.admitted.len(), asked.refused, asked.twice()), (5, 0, 0));
    }
}

#[test]
fn endpoints_that_cannot_share_the_work_are_refused_and_keys_are_not_shown() {
    let place = Place::new(1);
    let refused = |settings: &str, word: &str| {
        place.settings(settings);
        let output = place.run(&["pipeline", "wiki"]);
        assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
        assert!(talk(&output).contains(word) && !talk(&output).contains("hunter2"), "{}", talk(&output));
    };
    let base = "model = \"compatible/m\"\nmodel_url = \"http://127.0.0.1:9/v1\"\n";
    refused(&format!("{base}[[endpoint]]\n[[endpoint]]\n"), "endpoint 2: it is the same");
    refused(
        &format!("{base}[[endpoint]]\n[[endpoint]]\nmodel = \"compatible/n\"\n"),
        "names the model `compatible/n`",
    );
    refused(&format!("{base}[[endpoint]]\nvault = \"x\"\n"), "endpoint 1: `vault`");
    refused(&format!("{base}[[endpoint]]\nmodel_key = \"sk-hunter2\"\n"), "`model_key`");
    refused("model_key = \"sk-hunter2\"\n", "`model_key`");
    refused("[[endpoint]]\nmodel_url = \"http://me:hunter2@host\"\n", "`model_url`");
    place.settings(&format!("{base}[[endpoint]]\nmodel_key = \"env:TEST_KEY\"\nrequests_per_minute = 7\n"));
    let shown = place.done(&["config"]);
    assert!(shown.contains("model_key = \"env:TEST_KEY\"  # file `highwater.toml`"), "{shown}");
    let shown = place.json(&["config", "--json"]);
    assert_eq!(shown["endpoint"][0]["requests_per_minute"]["value"], "7");
    assert!(!shown.to_string().contains("nobody-sees"), "{shown}");
}

/// The texts of a request for vectors, in whichever vendor's shape.
fn texts_of(path: &str, body: &Value) -> Vec<String> {
    let (list, place) = match path.rsplit([':', '/']).next().unwrap() {
        "batchEmbedContents" => ("requests", "/content/parts/0/text"),
        "predict" => ("instances", "/content"),
        _ => ("input", ""),
    };
    let texts = body[list].as_array().unwrap().iter();
    texts.map(|one| one.pointer(place).unwrap().as_str().unwrap().to_owned()).collect()
}

/// A vector of letters: texts that share letters are alike.
fn letters(text: &str, length: usize) -> Vec<f64> {
    let mut numbers = vec![0.01; length];
    text.bytes().for_each(|byte| numbers[usize::from(byte) % length] += 1.0);
    numbers
}

/// Vectors of these lengths in the vendor's shape.
fn vectors(path: &str, texts: &[String], length: usize) -> Value {
    let numbers = texts.iter().map(|text| letters(text, length));
    match path.rsplit([':', '/']).next().unwrap() {
        "batchEmbedContents" => {
            json!({"embeddings": numbers.map(|values| json!({"values": values})).collect::<Vec<_>>()})
        }
        "predict" => {
            let one = |values| json!({"embeddings": {"values": values, "statistics": {"token_count": 3}}});
            json!({"predictions": numbers.map(one).collect::<Vec<_>>()})
        }
        _ => {
            let one = |(index, embedding)| json!({"index": index, "embedding": embedding});
            let data: Vec<Value> = numbers.enumerate().map(one).collect();
            json!({"data": data, "usage": {"prompt_tokens": texts.len() * 3}})
        }
    }
}

/// An embedder that answers everything it is asked with vectors of this length.
fn embedder(length: usize) -> impl Fn(&str, &Value) -> (u16, Value, Vec<String>) + Send + Sync {
    move |path, body| {
        let texts = texts_of(path, body);
        (200, vectors(path, &texts, length), texts)
    }
}

fn embedding(place: &Place, name: &str, url: &str) {
    let url = if name.starts_with("compatible") || name.starts_with("openai") {
        format!("{url}/v1")
    } else {
        url.into()
    };
    place.settings(&format!(
        "source = \"wiki\"\nembedding = \"{name}\"\nembedding_url = \"{url}\"\nembedding_key = \"env:TEST_KEY\"\n\
         embedding_project = \"wiki\"\ncalls_at_once = 4\n"
    ));
}

const VENDORS: [&str; 5] = [
    "azure/text-embedding-3-small",
    "compatible/bge-m3",
    "gemini/gemini-embedding-001",
    "openai/text-embedding-3-large",
    "vertex/text-embedding-005",
];

#[test]
fn a_text_is_embedded_once_whatever_becomes_of_the_state() {
    for name in VENDORS {
        let place = Place::new(8);
        let server = Server::new(usize::MAX, embedder(1024));
        embedding(&place, name, &server.url);
        let report = place.json(&["pipeline", "--json"]);
        let (texts, calls, _) = server.counts();
        assert!(texts >= 24 && calls <= 3, "{name}: {texts} texts in {calls} calls");
        assert_eq!(
            (report["embedded_texts"].as_u64(), report["embedding_calls"].as_u64()),
            (Some(texts as u64), Some(calls as u64))
        );
        assert_eq!(
            report["embedding_tokens"].as_u64(),
            Some(if name.starts_with("gemini") { 0 } else { texts as u64 * 3 })
        );
        place.done(&["pipeline"]);
        place.done(&["pipeline", "--reindex"]);
        std::fs::remove_file(place.path("highwater.db")).unwrap();
        place.done(&["pipeline"]);
        place.done(&["vault", "rebuild"]);
        place.done(&["pipeline"]);
        assert_eq!(server.counts(), (texts, calls, 0), "{name} was paid again");

        let found = place.json(&["search", "--json", "which", "service", "depends", "on", "service-3"]);
        assert!(!found.as_array().unwrap().is_empty());
        assert_eq!(server.asked().admitted.len(), calls + 1, "{name}: the question has a vector too");
    }
}

#[test]
fn another_model_makes_vectors_of_its_own_and_the_first_ones_stay_paid() {
    let place = Place::new(4);
    let server = Server::new(usize::MAX, embedder(64));
    let asked = || server.asked().admitted.len();
    embedding(&place, "compatible/one", &server.url);
    place.done(&["pipeline"]);
    let first = asked();
    embedding(&place, "compatible/other", &server.url);
    let output = place.run(&["search", "service-1"]);
    assert!(
        output.status.success() && asked() == first,
        "vectors of another model are compared: {}",
        talk(&output)
    );
    place.done(&["pipeline"]);
    let second = asked();
    assert_eq!(second, 2 * first);
    embedding(&place, "compatible/one", &server.url);
    place.done(&["pipeline"]);
    assert_eq!(asked(), second, "the first model was paid again");
}

#[test]
fn words_find_what_they_can_when_the_embedder_is_gone() {
    let place = Place::new(4);
    let server = Server::new(usize::MAX, embedder(64));
    embedding(&place, "compatible/m", &server.url);
    place.done(&["pipeline"]);
    embedding(&place, "compatible/m", "http://127.0.0.1:9");
    let output = place.run(&["search", "who", "runs", "service-2"]);
    assert!(output.status.success(), "{}", talk(&output));
    assert!(talk(&output).contains("words alone decide"), "{}", talk(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("service-2"));
}

#[test]
fn an_embedder_that_fails_for_a_while_is_asked_again_and_nothing_is_paid_twice() {
    let place = Place::new(6);
    let calls = Mutex::new(0);
    let server = Server::new(usize::MAX, move |path, body| {
        let nth = {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        let texts = texts_of(path, body);
        let quota = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded", "details": [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.4s"}
        ]}});
        match nth {
            1 => (429, quota, Vec::new()),
            2 => (503, json!({}), Vec::new()),
            3 => (CUT, vectors(path, &texts, 768), Vec::new()),
            4 => (200, vectors(path, &texts[1..], 768), Vec::new()),
            _ => (200, vectors(path, &texts, 768), texts),
        }
    });
    embedding(&place, "gemini/gemini-embedding-001", &server.url);
    let began = Instant::now();
    let report = place.json(&["pipeline", "--json"]);
    let asked = server.asked();
    assert_eq!(report["embedded_texts"].as_u64(), Some(asked.answered.len() as u64), "{report}");
    assert_eq!((asked.twice(), report["embedding_calls"].as_u64()), (0, Some(asked.admitted.len() as u64)));
    let pause = asked.admitted[1].duration_since(asked.admitted[0]);
    assert!(pause >= Duration::from_millis(390), "{pause:?} after a refusal that named 400 ms");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_text_that_is_refused_takes_no_other_down_and_is_not_sent_again() {
    let place = Place::new(6);
    let server = Server::new(usize::MAX, |path: &str, body: &Value| {
        let texts = texts_of(path, body);
        match texts.iter().any(|text| text.contains("restarted") && text.contains("service-3`")) {
            true => (400, json!({"error": {"message": "input is too long"}}), Vec::new()),
            false => (200, vectors(path, &texts, 32), texts),
        }
    });
    embedding(&place, "compatible/m", &server.url);
    let report = place.json(&["pipeline", "--json"]);
    let (answered, calls, _) = server.counts();
    assert_eq!(report["embedded_texts"].as_u64(), Some(answered as u64), "{report}");
    assert!(answered >= 14 && calls < 20, "{answered} texts in {calls} calls");
    place.done(&["pipeline"]);
    place.done(&["vault", "rebuild"]);
    place.done(&["pipeline"]);
    assert_eq!(server.counts(), (answered, calls, 0));
}

#[test]
fn vectors_of_another_length_and_a_wrong_key_halt_with_the_graph_kept() {
    let place = Place::new(4);
    let long = Arc::new(std::sync::atomic::AtomicUsize::new(64));
    let now = long.clone();
    let server = Server::new(usize::MAX, move |path: &str, body: &Value| {
        match now.load(std::sync::atomic::Ordering::SeqCst) {
            0 => (401, json!({"error": {"message": "bad key sk-the-key-that-nobody-sees"}}), Vec::new()),
            length => embedder(length)(path, body),
        }
    });
    embedding(&place, "compatible/m", &server.url);
    place.done(&["pipeline"]);
    for (length, word) in [(32, "32 numbers, those held of it 64"), (0, "401")] {
        long.store(length, std::sync::atomic::Ordering::SeqCst);
        let page = format!("# New {length}\n\nThe new-{length} service is run by Team Blue.\n");
        std::fs::write(place.path(&format!("wiki/OPS/new-{length}.md")), page).unwrap();
        let output = place.run(&["pipeline"]);
        assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
        assert!(talk(&output).contains(word) && !talk(&output).contains("nobody-sees"), "{}", talk(&output));
        assert!(place.done(&["search", &format!("new-{length}")]).contains("Team Blue"));
    }
}

#[test]
fn a_kill_pays_again_at_most_what_was_in_flight() {
    let place = Place::new(25);
    let (send, heard) = std::sync::mpsc::channel();
    let server = Server::new(usize::MAX, move |path, body| {
        let texts = texts_of(path, body);
        send.send(()).ok();
        (200, vectors(path, &texts, 768), texts)
    });
    // One text a request: as many kill points as there are texts.
    embedding(&place, "vertex/gemini-embedding-001", &server.url);
    let kills = 6;
    for kill in 0..kills {
        let mut child = place.command(&["pipeline", "--quiet"]).spawn().unwrap();
        for _ in 0..3 + 2 * kill {
            heard.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let report = place.json(&["pipeline", "--json"]);
    let asked = server.asked();
    assert!(report["embedded_texts"].as_u64().unwrap() > 0, "the kills came too late: {report}");
    assert!(asked.twice() <= kills * 4, "{} texts were paid again after {kills} kills", asked.twice());
    let held = highwater::state::State::open_to_read(&place.path("highwater.db")).unwrap().unwrap();
    assert_eq!(held.count_owed_vectors().unwrap(), 0);
    let vectors = held.connection().query_row("SELECT count(*) FROM vector", [], |row| row.get::<_, i64>(0));
    assert_eq!(vectors.unwrap() as usize, asked.answered.len());
}

#[test]
fn a_budget_of_calls_holds_for_vectors_too() {
    let place = Place::new(5);
    let server = Server::new(usize::MAX, |path, body| {
        let texts = texts_of(path, body);
        (200, vectors(path, &texts, 768), texts)
    });
    embedding(&place, "vertex/gemini-embedding-001", &server.url);
    let output = place.run(&["pipeline", "--max-calls", "3"]);
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    assert!(talk(&output).contains("texts are owed a vector"), "{}", talk(&output));
    assert_eq!(server.asked().admitted.len(), 3);
    place.done(&["pipeline"]);
    assert_eq!(server.asked().twice(), 0);
}
