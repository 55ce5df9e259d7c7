//! The questions of the bench, and how long each takes. Must not know how the graph was made.

use super::wiki::Wiki;
use super::world::VIEWER;
use highwater::embedders::{Embedder, builtin::Builtin};
use highwater::inquiry::Graph;
use highwater::settings::Settings;
use highwater::state::State;
use highwater::state::search::{Part, Query};
use jiff::SignedDuration;
use knowledge::time::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Results asked for: what the command line asks for unless told otherwise.
const LIMIT: usize = 8;
/// Questions before any is measured.
const WARM: usize = 10;

/// Asks all questions, as everybody and as the viewer, and prints rows.
pub fn measure(wiki: Wiki, folder: &Path, questions: usize) {
    let questions: Vec<String> = (0..questions + WARM).map(|number| wiki.question(number)).collect();
    println!("\n{} questions such as “{}”", questions.len() - WARM, questions[0]);
    println!("\n| | p50 ms | p95 ms | longest ms |\n|---|--:|--:|--:|");
    for viewer in [None, Some(VIEWER)] {
        let whose = if viewer.is_some() { "one user's view" } else { "everything" };
        parts(&questions, (&folder.join("state.db"), viewer), whose);
        whole(&questions, (folder, viewer), whose);
    }
    println!("\npeak memory {}", peak());
}

/// The search with its parts, on one state that rests between questions, as that of `mcp` does.
fn parts(questions: &[String], (path, viewer): (&Path, Option<&str>), whose: &str) {
    let open = || State::open_to_read(path).unwrap().unwrap();
    let start = Instant::now();
    let viewer = viewer
        .map(|viewer| open().viewer(viewer, Timestamp::now(), SignedDuration::from_hours(8_760)).unwrap());
    let state = viewer.iter().fold(open(), |state, viewer| state.seen_by(viewer).unwrap());
    println!("| {whose}: opened | {:.1} | | |", start.elapsed().as_secs_f64() * 1e3);
    let mut took: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut found = 0;
    for (number, question) in questions.iter().enumerate() {
        let mut add = |part, since: Instant| took.entry(part).or_default().push(since.elapsed());
        let start = Instant::now();
        let vector = Builtin.embed(&[question.as_str()]).remove(0);
        add("1 the question's vector", start);
        let query = Query {
            text: question.clone(),
            vector: Some((Builtin.name().to_owned(), vector)),
            now: Some(Timestamp::now()),
            limit: LIMIT,
            ..Query::default()
        };
        let whole = Instant::now();
        let mut spent: BTreeMap<Part, Duration> = BTreeMap::new();
        let mut at = (Part::Scope, Instant::now());
        let mut watch = |part| {
            *spent.entry(at.0).or_default() += at.1.elapsed();
            at = (part, Instant::now());
        };
        found += state.search_watched(&query, &mut watch).unwrap().len();
        watch(Part::Scope);
        add("7 the search", whole);
        for (part, name) in PARTS {
            took.entry(name).or_default().push(spent.get(&part).copied().unwrap_or_default());
        }
        state.rest().unwrap();
        assert!(state.resume(&open(), viewer.as_ref()).unwrap());
        if number == 0 {
            println!("| {whose}: the first search | {:.1} | | |", whole.elapsed().as_secs_f64() * 1e3);
        }
    }
    for (name, took) in took {
        row(&format!("{whose}: {}", &name[2..]), took);
    }
    assert!(found > questions.len(), "hardly anything was found");
}

/// The parts of a search, in the order of their rows.
const PARTS: [(Part, &str); 5] = [
    (Part::Scope, "2 what may be seen"),
    (Part::Words, "3 words"),
    (Part::Meaning, "4 vectors"),
    (Part::Graph, "5 graph"),
    (Part::Results, "6 results"),
];

/// As the product answers assistants: the journal looked at, the state opened, the question embedded.
fn whole(questions: &[String], (folder, viewer): (&Path, Option<&str>), whose: &str) {
    let flag = |name: &str| Some(folder.join(name).display().to_string());
    let flags = [
        ("vault", flag("vault")),
        ("state", flag("state.db")),
        ("as", viewer.map(str::to_owned)),
        ("principals_max_age", Some("8760".to_owned())),
    ];
    let settings = Settings::load(None, [], &flags).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let took = runtime.block_on(async {
        let graph = Graph::open(&settings).await.unwrap();
        let mut took = Vec::new();
        for question in questions {
            let start = Instant::now();
            let query = Query {
                text: question.clone(),
                now: Some(Timestamp::now()),
                limit: LIMIT,
                ..Query::default()
            };
            graph.search(query, &|text| println!("{text}")).await.unwrap();
            took.push(start.elapsed());
        }
        took
    });
    row(&format!("**{whose}: all of it, as `mcp` answers**"), took);
}

fn row(what: &str, took: Vec<Duration>) {
    let mut took: Vec<Duration> = took.into_iter().skip(WARM).collect();
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    println!("| {what} | {:.1} | {:.1} | {:.1} |", at(50), at(95), at(100));
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |rest| rest.trim().to_owned())
}
