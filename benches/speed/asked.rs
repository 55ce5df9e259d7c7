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
    std::fs::write(folder.join("questions.txt"), questions.join("\n")).unwrap();
    println!("\n{} questions such as “{}”", questions.len() - WARM, questions[0]);
    println!("\n| ms | p50 | p95 | processor p50 | processor p95 |\n|---|--:|--:|--:|--:|");
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
    println!("| {whose}: opened | {:.1} | | | |", start.elapsed().as_secs_f64() * 1e3);
    let mut took: BTreeMap<&str, Vec<Took>> = BTreeMap::new();
    let mut found = 0;
    for (number, question) in questions.iter().enumerate() {
        let mut add = |part, since: Clock| took.entry(part).or_default().push(since.took());
        let start = Clock::now();
        let vector = Builtin.embed(&[question.as_str()]).remove(0);
        add("1 the question's vector", start);
        let query = Query {
            text: question.clone(),
            vector: Some((Builtin.name().to_owned(), vector)),
            now: Some(Timestamp::now()),
            limit: LIMIT,
            ..Query::default()
        };
        let whole = Clock::now();
        let mut spent: BTreeMap<Part, Took> = BTreeMap::new();
        let mut at = (Part::Scope, Clock::now());
        let mut watch = |part| {
            let (wall, processor) = at.1.took();
            let sum = spent.entry(at.0).or_default();
            *sum = (sum.0 + wall, sum.1 + processor);
            at = (part, Clock::now());
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
            println!("| {whose}: the first search | {:.1} | | | |", whole.took().0.as_secs_f64() * 1e3);
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
            let start = Clock::now();
            let query = Query {
                text: question.clone(),
                now: Some(Timestamp::now()),
                limit: LIMIT,
                ..Query::default()
            };
            graph.search(query, &|text| println!("{text}")).await.unwrap();
            took.push(start.took());
        }
        took
    });
    row(&format!("**{whose}: all of it, as `mcp` answers**"), took);
}

/// How long something took, and how much of that the processor worked for it.
type Took = (Duration, Duration);

/// A moment, by the clock on the wall and by the time that the processor has given to this thread so far: on a machine
/// that others use as well, the second says what the first would be without them.
#[derive(Clone, Copy)]
struct Clock(Instant, Duration);

impl Clock {
    fn now() -> Self {
        // The first number that Linux shows here is nanoseconds on a processor; elsewhere there is none.
        let shown = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanoseconds = shown.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        Self(Instant::now(), Duration::from_nanos(nanoseconds))
    }

    fn took(self) -> Took {
        let now = Self::now();
        (now.0 - self.0, now.1 - self.1)
    }
}

fn row(what: &str, took: Vec<Took>) {
    let at = |of: fn(&Took) -> Duration, share: usize| {
        let mut times: Vec<Duration> = took.iter().skip(WARM).map(of).collect();
        times.sort_unstable();
        times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3
    };
    let wall = |took: &Took| took.0;
    let processor = |took: &Took| took.1;
    let figures = [at(wall, 50), at(wall, 95), at(processor, 50), at(processor, 95)];
    println!("| {what} | {} |", figures.map(|figure| format!("{figure:.1}")).join(" | "));
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |rest| rest.trim().to_owned())
}
