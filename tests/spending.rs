//! What models take, as a user is told: before a run, during it and after it, and where budgets end it. The built
//! program against the model server of `tests/mock`, which keeps its own count. They prove our side, not the vendors'.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod mock;

use highwater::state::State;
use mock::Mock;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const TEAMS: [&str; 5] = ["Checkout Team", "Platform Team", "Data Team", "Risk Team", "Growth Team"];
const CLUSTERS: [&str; 3] = ["Cluster Alpha", "Cluster Bravo", "Cluster Delta"];
const FILLING: &str = "Retries use exponential backoff with jitter, and a request is dropped after five attempts. \
    We keep thirty days of logs in hot storage and a year in the archive bucket.";

/// A wiki, a vault and a state file of one test, and who is asked.
struct Place {
    folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Place {
    /// A wiki of so many pages, a chunk each, read by the model at `url`.
    fn new(url: &str, pages: usize) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), settings: Vec::new() }
            .with("EMBEDDING", "none")
            .with("MODEL_URL", url)
            // No estimate counts those: `tests/portraits.rs` does.
            .with("COMMUNITY_SUMMARIES", "0")
            .with("CHUNK_CHARS", "500")
            .with("PACK_CHARS", "1500")
            .with("EPOCH_PAGES", "5");
        std::fs::create_dir(place.path("wiki")).unwrap();
        place.write(&(0..pages).map(said_of_service).collect::<Vec<_>>());
        place
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((format!("HIGHWATER_{name}"), value.to_owned()));
        self
    }

    /// The same place, with a model that is set for good.
    fn with_model(self) -> Self {
        self.with("MODEL", "compatible/mock")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A page for each text.
    fn write(&self, texts: &[String]) {
        let line = |(id, text): (usize, &String)| {
            json!({
                "id": id.to_string(), "space": "ENG", "title": format!("Page {id}"),
                "modified": format!("2025-{:02}-{:02}T09:00:00Z", 1 + id / 28 % 12, 1 + id % 28),
                "body_storage": format!("<p>{text}</p>"),
            })
            .to_string()
        };
        let lines: Vec<String> = texts.iter().enumerate().map(line).collect();
        std::fs::write(self.path("wiki/pages.jsonl"), lines.join("\n")).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).envs(self.settings.iter().cloned()).args(arguments);
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs and expects success; gives what was said on both streams.
    fn done(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", talk(&output));
        (String::from_utf8_lossy(&output.stdout).into_owned(), talk(&output))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--json"]].concat()).0).unwrap()
    }

    /// Runs the same command until it has nothing left to do; gives what each run before the last one said.
    fn until_done(&self, arguments: &[&str]) -> Vec<(Value, String)> {
        let mut told = Vec::new();
        loop {
            let output = self.run(&[arguments, &["--json"]].concat());
            let report = serde_json::from_slice(&output.stdout).unwrap();
            match output.status.code() {
                Some(3) => told.push((report, talk(&output))),
                code => {
                    assert_eq!(code, Some(0), "{}", talk(&output));
                    return told;
                }
            }
            assert!(told.len() < 60, "no end: {told:?}");
        }
    }

    fn dump(&self) -> String {
        State::open_to_read(&self.path("highwater.db")).unwrap().expect("a state file").dump().unwrap()
    }

    fn segments(&self) -> usize {
        std::fs::read_dir(self.path("vault/journal")).map_or(0, Iterator::count)
    }
}

fn said_of_service(page: usize) -> String {
    format!(
        "Service Number-{page} is owned by {}. Service Number-{page} is deployed on {}. {FILLING}",
        TEAMS[page % TEAMS.len()],
        CLUSTERS[page % CLUSTERS.len()]
    )
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

const PIPELINE: [&str; 2] = ["pipeline", "wiki"];

#[test]
fn a_budget_of_calls_of_money_or_of_pages_stops_and_goes_on_to_the_same_graph() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place =
        || Place::new(&mock.url(), 20).with_model().with("INPUT_PRICE", "10").with("OUTPUT_PRICE", "10");
    let undisturbed = place();
    let report = undisturbed.json(&PIPELINE);
    let (dump, calls) = (undisturbed.dump(), number(&report["calls"]));
    assert!(calls >= 8, "{report}");

    let by_calls = place();
    let told = by_calls.until_done(&[&PIPELINE[..], &["--max-calls", "3"]].concat());
    assert!(told.len() as u64 >= calls / 3 - 1, "{told:?}");
    for (report, talk) in &told {
        assert!(number(&report["calls"]) <= 3, "{report}");
        assert!(
            talk.contains("the 3 calls of `--max-calls` are made, and ") && talk.contains("goes on"),
            "{talk}"
        );
    }
    assert_eq!(by_calls.dump(), dump);

    let by_money = place();
    let a_call = report["actual"]["money"].as_f64().unwrap() / calls as f64;
    let most = format!("{:.4}", 4.0 * a_call);
    let told = by_money.until_done(&[&PIPELINE[..], &["--max-cost", &most]].concat());
    assert!(!told.is_empty(), "{report}");
    for (report, talk) in &told {
        // What an answer takes is known when it is there: the last calls may go a little over.
        let money = report["actual"]["money"].as_f64().unwrap();
        assert!(money <= 5.0 * a_call, "{money} of {most}: {report}");
        assert!(talk.contains("more than is left of `--max-cost"), "{talk}");
    }
    assert_eq!(by_money.dump(), dump);

    let by_pages = place();
    for pages in [10, 20, 20] {
        assert_eq!(by_pages.json(&[&PIPELINE[..], &["--limit-pages", "10"]].concat())["pages"], pages);
    }
    assert_eq!(by_pages.dump(), dump);

    let listed_before = place();
    listed_before.done(&[&PIPELINE[..], &["--estimate"]].concat());
    let (_, talk) = listed_before.done(&[&PIPELINE[..], &["--limit-pages", "10"]].concat());
    assert!(talk.contains("10 pages of the worklist are left"), "{talk}");
}

#[test]
fn what_was_estimated_before_stands_beside_what_it_took() {
    let Some(mock) = Mock::start(&[]) else { return };
    for steps in ["1", "2"] {
        let place = Place::new(&mock.url(), 20).with_model().with("EXTRACTION_STEPS", steps);
        let place = place
            .with("INPUT_PRICE", "1.5")
            .with("OUTPUT_PRICE", "6")
            .with("REQUESTS_PER_MINUTE", "100000")
            .with("EMBEDDING", "compatible/m")
            .with("EMBEDDING_URL", &mock.url())
            .with("EMBEDDING_PRICE", "0.1");
        mock.reset();
        let before = place.json(&[&PIPELINE[..], &["--estimate"]].concat());
        assert_eq!(mock.stats().answered(), 0, "an estimate asks nothing");
        let report = place.json(&PIPELINE);
        let (estimate, actual) = (&report["estimate"], &report["actual"]);
        for name in [
            "calls",
            "input_tokens",
            "output_tokens",
            "embedding_calls",
            "embedding_tokens",
            "money",
            "hours",
        ] {
            assert_eq!(estimate[name], before[name], "{name} in {steps} steps: {before} {report}");
        }
        let (calls, estimated) = (number(&actual["calls"]), number(&estimate["calls"]));
        assert_eq!(calls + number(&actual["embedding_calls"]), mock.stats().answered());
        let at_least = estimated - number(&before["calls_in_doubt"]);
        assert!((at_least..=estimated).contains(&calls), "{steps} steps: {before} {report}");
        let (one, other) = (number(&estimate["input_tokens"]) as f64, number(&actual["input_tokens"]) as f64);
        assert!((0.5..2.0).contains(&(one / other)), "{one} tokens estimated, {other} taken");
        let again = place.json(&PIPELINE);
        assert_eq!((&again["estimate"]["calls"], &again["actual"]["calls"]), (&json!(0), &json!(0)));
    }
}

#[test]
fn the_report_is_a_table_of_what_was_estimated_and_taken() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(&mock.url(), 6).with_model().with("INPUT_PRICE", "1").with("OUTPUT_PRICE", "1");
    let (estimate, _) = place.done(&[&PIPELINE[..], &["--estimate"]].concat());
    assert!(
        estimate.contains("6 chunks are owed") && estimate.contains("not in it: asking again"),
        "{estimate}"
    );
    let (report, _) = place.done(&PIPELINE);
    let line = |name: &str| report.lines().find(|line| line.starts_with(name)).map(str::split_whitespace);
    assert_eq!(line("calls").unwrap().count(), 3, "{report}");
    assert_eq!(line("tokens of prompts").unwrap().count(), 5, "{report}");
    assert_eq!(line("money").unwrap().count(), 3, "{report}");
    assert!(report.contains("   estimated       actual\n"), "{report}");
}

#[test]
fn chunks_that_a_model_never_read_are_named_and_a_reindexing_is_estimated_without_being_begun() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(&mock.url(), 12);
    place.done(&PIPELINE);
    let place = place.with_model();
    let (report, talk) = place.done(&[&PIPELINE[..], &["--json"]].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["calls"], &report["unread_chunks"]), (&json!(0), &json!(12)), "{talk}");
    assert!(talk.contains("12 chunks") && talk.contains("`highwater pipeline --reindex`"), "{talk}");
    let (_, talk) = place.done(&[&PIPELINE[..], &["--estimate"]].concat());
    assert!(talk.contains("12 chunks") && talk.contains("--reindex"), "{talk}");

    let segments = place.segments();
    let estimate = place.json(&["pipeline", "--estimate", "--reindex"]);
    assert_eq!((&estimate["chunks"], place.segments()), (&json!(12), segments), "{estimate}");
    assert_eq!(mock.stats().answered(), 0);

    let (report, talk) = place.done(&["pipeline", "--reindex", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(talk.contains("12 chunks are asked about"), "{talk}");
    assert_eq!((mock.stats().chunks(), &report["unread_chunks"]), (12, &json!(0)));
    assert_eq!(report["estimate"]["calls"], estimate["calls"]);
    let (_, talk) = place.done(&["pipeline", "--reindex"]);
    assert!(talk.contains(" 0 chunks are asked about"), "{talk}");
    assert_eq!(place.json(&["pipeline", "--estimate", "--reindex"])["calls"], 0);
}

#[test]
fn status_says_what_is_owed_until_when_it_waits_and_what_it_cost() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(&mock.url(), 20).with_model().with("REQUESTS_PER_MINUTE", "1");
    let place = place.with("INPUT_PRICE", "1").with("CACHED_PRICE", "0.1").with("OUTPUT_PRICE", "1");
    assert_eq!(place.run(&[&PIPELINE[..], &["--max-calls", "1"]].concat()).status.code(), Some(3));
    let status = place.json(&["status"]);
    let models = &status["models"];
    assert_eq!(
        (&models["calls"], &models["in_flight"], &models["batch_jobs"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert!(number(&models["owed"]) >= 4 && models["money"].as_f64().unwrap() > 0.0, "{models}");
    assert!(models["waits_until"].is_string(), "{models}");
    let (status, _) = place.done(&["status"]);
    assert!(
        status.contains("calls owed") && status.contains("the quota lets the next call out at 2"),
        "{status}"
    );
    assert!(status.contains("at the prices that are set"), "{status}");
}

#[test]
fn refused_chunks_are_told_with_reasons_and_of_their_own_run() {
    let place = Place::new(&always(json!({"chunks": []})), 3).with_model();
    let report = place.json(&PIPELINE);
    assert_eq!(report["refused_chunks"], 3, "{report}");
    assert_eq!(report["refused"].as_array().unwrap().iter().map(|why| number(&why["count"])).sum::<u64>(), 3);
    assert!(number(&report["actual"]["calls"]) > number(&report["estimate"]["calls"]), "{report}");
    assert_eq!(place.json(&PIPELINE)["refused_chunks"], 0, "those were refused in another run");
    let models = &place.json(&["status"])["models"];
    assert_eq!((&models["refused_chunks"], &models["questions_given_up"]), (&json!(3), &json!(0)));
    let (status, _) = place.done(&["status"]);
    let why = models["refused"][0]["what"].as_str().unwrap();
    assert!(status.contains("3 chunks got no usable answer") && status.contains(why), "{status}");
}

/// A server that lets one call in every 12 seconds: long enough for a line of progress.
#[test]
fn progress_says_what_is_waited_for_and_why_the_last_call_failed() {
    let Some(mock) = Mock::start(&["--rpm", "1", "--rpm-window", "12"]) else { return };
    let place = Place::new(&mock.url(), 20).with_model().with("CALLS_AT_ONCE", "1");
    let output = place.run(&[&PIPELINE[..], &["--max-calls", "3"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    let talk = talk(&output);
    let line =
        talk.lines().find(|line| line.starts_with("ask: ")).unwrap_or_else(|| panic!("no line: {talk}"));
    for words in ["2 calls made", " owed", " tokens", "the quota opens at 2", "the last call failed: ", "429"]
    {
        assert!(line.contains(words), "`{words}` is missing: {talk}");
    }
}

/// What a re-indexing does is written beside the state file until it is complete.
#[test]
fn progress_of_a_reindexing_is_its_own() {
    let Some(mock) = Mock::start(&["--rpm", "1", "--rpm-window", "12"]) else { return };
    let place = Place::new(&mock.url(), 20);
    place.done(&PIPELINE);
    let place = place.with_model().with("CALLS_AT_ONCE", "1");
    let output = place.run(&["pipeline", "--reindex", "--max-calls", "3"]);
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    let talk = talk(&output);
    let line =
        talk.lines().find(|line| line.starts_with("ask: ")).unwrap_or_else(|| panic!("no line: {talk}"));
    assert!(line.contains("2 calls made") && line.contains("the quota opens at"), "{talk}");
    place.done(&["status"]);
}

#[test]
fn two_steps_bring_the_same_facts_as_one() {
    let Some(mock) = Mock::start(&[]) else { return };
    let facts = |steps: &str| {
        let place = Place::new(&mock.url(), 10).with_model().with("EXTRACTION_STEPS", steps);
        mock.reset();
        place.done(&PIPELINE);
        let (shown, _) = place.done(&["show", "Service", "Number-3"]);
        let facts = shown
            .lines()
            .filter(|line| line.contains(" → "))
            .map(|line| line.split("  [").next().unwrap().to_owned());
        (mock.stats().chunks(), facts.collect::<Vec<_>>())
    };
    let (one, two) = (facts("1"), facts("2"));
    assert!(one.1.iter().any(|fact| fact.contains("Risk Team")), "{one:?}");
    assert_eq!((one.0, two.0), (10, 20), "each chunk is shown once, or once a step");
    assert_eq!(one.1, two.1);
}

#[test]
fn an_entity_of_which_much_is_said_has_a_summary() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(&mock.url(), 0).with_model();
    let text = |page: usize| {
        format!(
            "Payment Gateway is called by Client Number-{page} whenever somebody pays for an order of more than a \
             hundred things in one go. {FILLING}"
        )
    };
    place.write(&(0..30).map(text).collect::<Vec<_>>());
    place.done(&PIPELINE);
    let shown = place.json(&["show", "Payment", "Gateway"]);
    let summary =
        shown[0]["entity"]["summaries"][0]["text"].as_str().unwrap_or_else(|| panic!("no summary: {shown}"));
    assert!(summary.contains("Payment Gateway is called by"), "{summary}");
    let (shown, _) = place.done(&["show", "Payment", "Gateway"]);
    assert!(shown.contains(summary.split(". ").next().unwrap()), "{shown}");
    assert_eq!(place.json(&PIPELINE)["calls"], 0, "a summary is written once");
}

/// A server that gives every request this answer, whatever it asks.
fn always(answer: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let message = json!({"role": "assistant", "content": answer.to_string()});
    let body = json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A client that was done has gone.
            give(&stream, &body).ok();
        }
    });
    url
}

fn give(mut stream: &TcpStream, body: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let head = "HTTP/1.1 200 X\r\ncontent-type: application/json\r\nconnection: close";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_type_and_a_value_of_ones_own_vocabulary_reach_the_graph() {
    let quote = "The Zephyr Pump feeds the Brine Tank at tier 3.";
    let entities = json!([{"name": "Zephyr Pump", "type": "Pump"}, {"name": "Brine Tank", "type": "Vessel"}]);
    let fact = |relation: &str, object: Value| {
        json!({"subject": 0, "relation": relation, "object": object, "quote": quote, "fact": "", "valid_at": null,
               "invalid_at": null})
    };
    let facts = [fact("feeds", json!(1)), fact("tier", json!("3"))];
    let url = always(json!({"chunks": [{"chunk": 1, "entities": entities, "facts": facts}]}));
    let place = Place::new(&url, 0).with_model().with("VOCABULARY", "plant.toml");
    place.write(&[quote.to_owned()]);
    std::fs::write(
        place.path("plant.toml"),
        "[[entities]]\nname = \"Pump\"\nattributes = [{ name = \"tier\" }]\n[[entities]]\nname = \"Vessel\"\n\
         [[relations]]\nname = \"feeds\"\nsubjects = [\"Pump\"]\nobjects = [\"Vessel\"]\n",
    )
    .unwrap();
    place.done(&PIPELINE);
    let shown = place.json(&["show", "Zephyr", "Pump"]);
    assert_eq!(shown[0]["entity"]["kind"], "Pump", "{shown}");
    let facts: Vec<(&str, &str)> = shown[0]["entity"]["facts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fact| (fact["relation"].as_str().unwrap(), fact["object"].as_str().unwrap()))
        .collect();
    assert!(facts.contains(&("feeds", "Brine Tank")) && facts.contains(&("tier", "3")), "{facts:?}");
}

#[test]
fn a_key_without_quotes_is_refused_and_not_shown() {
    let place = Place::new("http://127.0.0.1:9/v1", 1);
    std::fs::write(place.path("highwater.toml"), "model = \"none\"\nmodel_key = sk-hunter2\n").unwrap();
    let output = place.run(&["status"]);
    assert_eq!(output.status.code(), Some(2));
    let said = talk(&output) + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("line 2: ") && !said.contains("hunter2"), "{said}");
}
