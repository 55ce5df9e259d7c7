//! Names that look different and mean the same: found by their built-in vectors, asked about, and merged when the model
//! says so. Judged by the server's count and by the graph.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod servers;

use highwater::state::State;
use serde_json::{Value, json};
use servers::{Place, Server};

/// Two names for one thing, of which no letters tell that they are one.
const NAMES: [&str; 2] = ["user authentication service", "service for user authentication"];

/// Reads the name of its page; says that any two names it is asked about are the same.
fn model(_: &str, body: &Value) -> (u16, Value, Vec<String>) {
    let prompt = body["messages"][1]["content"].as_str().unwrap();
    let numbers = |fence: &str| -> Vec<(u64, String)> {
        let parts = prompt.split(fence).skip(1);
        parts
            .filter_map(|part| {
                Some((part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?, part.to_owned()))
            })
            .collect()
    };
    let chunks: Vec<Value> = numbers("<chunk ")
        .into_iter()
        .map(|(number, text)| {
            let name = NAMES.iter().find(|name| text.contains(**name)).unwrap();
            json!({"chunk": number, "entities": [{"name": name, "type": "Thing"}], "facts": []})
        })
        .collect();
    let questions: Vec<Value> = numbers("\"question\":")
        .into_iter()
        .map(|(number, _)| json!({"question": number, "verdict": "same"}))
        .collect();
    let asked = questions.iter().map(|_| prompt.to_owned()).collect();
    let content = match questions.is_empty() {
        true => json!({"chunks": chunks}),
        false => json!({"verdicts": questions}),
    };
    let message = json!({"role": "assistant", "content": content.to_string()});
    (200, json!({"choices": [{"message": message, "finish_reason": "stop"}]}), asked)
}

fn place(server: &Server, embedding: &str) -> Place {
    let place = Place::new(0);
    for (page, name) in NAMES.iter().enumerate() {
        let text = format!("# Page {page}\n\nWhoever signs in is checked by the {name}, day and night.\n");
        std::fs::write(place.path(&format!("wiki/OPS/page-{page}.md")), text).unwrap();
    }
    place.settings(&format!(
        "model = \"compatible/m\"\nmodel_url = \"{}/v1\"\nembedding = \"{embedding}\"\nepoch_pages = 1\n",
        server.url
    ));
    place
}

fn dump(place: &Place) -> String {
    State::open_to_read(&place.path("highwater.db")).unwrap().unwrap().dump().unwrap()
}

/// How many entities have one of the names.
fn entities(place: &Place) -> usize {
    let dump = dump(place);
    let lines = dump.lines().filter(|line| line.starts_with("entity\t"));
    lines.filter(|line| NAMES.iter().any(|name| line.contains(name))).count()
}

#[test]
fn names_that_mean_the_same_are_asked_about_and_merged_on_the_models_word() {
    let server = Server::new(10_000, model);
    let by_meaning = place(&server, "builtin");
    by_meaning.done(&["pipeline", "wiki"]);
    assert_eq!((entities(&by_meaning), server.counts().0), (1, 1));
    let by_letters = place(&server, "none");
    by_letters.done(&["pipeline", "wiki"]);
    assert_eq!(entities(&by_letters), 2);
}

#[test]
fn what_was_asked_by_meaning_does_not_depend_on_what_is_kept_of_vectors() {
    let server = Server::new(10_000, model);
    let calm = place(&server, "builtin");
    calm.done(&["pipeline", "wiki"]);
    let disturbed = place(&server, "builtin");
    // One epoch, then the state with all its vectors is lost.
    disturbed.run(&["pipeline", "wiki", "--max-calls", "1"]);
    for file in ["highwater.db", "highwater.db-wal", "highwater.db-shm"] {
        std::fs::remove_file(disturbed.path(file)).ok();
    }
    disturbed.done(&["pipeline", "wiki"]);
    assert_eq!(dump(&disturbed), dump(&calm));
}

#[test]
fn another_model_goes_on_where_the_first_left_pairs_in_doubt() {
    let server = Server::new(10_000, model);
    let place = place(&server, "builtin");
    let one_epoch =
        std::fs::read_to_string(place.path("highwater.toml")).unwrap().replace("epoch_pages = 1\n", "");
    place.settings(&one_epoch);
    // The chunks are read, and the pair in doubt is not asked about.
    assert_eq!(place.run(&["pipeline", "wiki", "--max-calls", "1"]).status.code(), Some(3));
    place.done(&["pipeline", "wiki", "--model", "compatible/m2"]);
    assert_eq!(entities(&place), 1);
}
