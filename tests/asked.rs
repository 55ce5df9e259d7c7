//! What models are asked, counted by the server that is asked: the built program against the model server of
//! `tests/mock`, undisturbed and killed again and again.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod mock;

use highwater::state::State;
use mock::Mock;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::TempDir;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len() as u64) as usize]
    }
}

/// A page: who it is, where it stands, and its two sections, which are a chunk each.
#[derive(Clone)]
struct Page {
    id: usize,
    space: &'static str,
    day: usize,
    sections: [String; 2],
}

const SERVICES: [&str; 9] =
    ["Payment", "Ledger", "Orders", "Catalog", "Billing", "Identity", "Shipping", "Pricing", "Audit"];
const TEAMS: [&str; 5] = ["Checkout Team", "Platform Team", "Data Team", "Risk Team", "Growth Team"];
const CLUSTERS: [&str; 4] = ["Cluster Alpha", "Cluster Bravo", "Cluster Delta", "Cluster Echo"];
const PEOPLE: [&str; 5] = ["Maria Lopez", "Tomas Novak", "Ingrid Berg", "Kofi Mensah", "Aiko Tanaka"];
const FILLING: &str = "Retries use exponential backoff with jitter, and a request is dropped after five attempts. \
    We keep thirty days of logs in hot storage and a year in the archive bucket. Rollback is one click in the \
    pipeline and is safe at any time during the first hour.";

/// Pages that say who owns what and where it runs, each differently as time goes on.
fn pages(count: usize) -> Vec<Page> {
    let mut dice = Dice(1054);
    let mut page = |id: usize| {
        let service = format!("{} {}", dice.of(&SERVICES), dice.of(&["Gateway", "Worker", "Proxy"]));
        let (team, day) = (dice.of(&TEAMS), 1 + dice.roll(28));
        let first = format!(
            "{service} is owned by {team} since 2024-{:02}-{day:02}. {team} is led by {}.",
            1 + dice.roll(12),
            dice.of(&PEOPLE)
        );
        let second = format!(
            "{service} is deployed on {}. {} approved OPS-{id} after the review meeting.",
            dice.of(&CLUSTERS),
            dice.of(&PEOPLE)
        );
        Page { id, space: "ENG", day: id, sections: [first, second] }
    };
    (0..count).map(&mut page).collect()
}

/// A page as a line of JSON. Its sections are long enough to be a chunk each, and a pack each.
fn line(page: &Page) -> String {
    let [first, second] = &page.sections;
    let (month, day) = (1 + page.day / 28 % 12, 1 + page.day % 28);
    let body = format!("<h2>Owner</h2><p>{first} {FILLING}</p><h2>Place</h2><p>{second} {FILLING}</p>");
    serde_json::json!({
        "id": page.id.to_string(), "space": page.space, "title": format!("Page {}", page.id),
        "modified": format!("2025-{month:02}-{day:02}T09:00:00Z"), "body_storage": body,
    })
    .to_string()
}

/// A wiki, a vault and a state file of one test, and whom it asks.
struct Place<'a> {
    folder: TempDir,
    mock: &'a Mock,
}

impl<'a> Place<'a> {
    fn new(mock: &'a Mock, pages: &[Page]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), mock };
        std::fs::create_dir(place.path("wiki")).unwrap();
        place.write(pages);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, pages: &[Page]) {
        let lines: Vec<String> = pages.iter().map(line).collect();
        std::fs::write(self.path("wiki/pages.jsonl"), lines.join("\n")).unwrap();
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        let settings = [
            ("EMBEDDING", "none"),
            ("MODEL", "compatible/mock"),
            ("COMMUNITY_SUMMARIES", "0"),
            ("MODEL_URL", &self.mock.url()),
            ("CHUNK_CHARS", "500"),
            ("EPOCH_PAGES", "16"),
            ("CALLS_AT_ONCE", AT_ONCE),
        ];
        command.envs(settings.map(|(name, value)| (format!("HIGHWATER_{name}"), value)));
        command.current_dir(self.folder.path()).args(["pipeline", "wiki", "--quiet"]).args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Runs to the end; gives how many chunks the server answered for it, and how many calls it took.
    fn asked(&self, flags: &[&str]) -> (u64, u64) {
        let before = self.mock.stats();
        let output = self.command(flags).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let after = self.mock.stats();
        assert_eq!((after.chunks_twice(), after.questions_twice()), (0, 0), "{after:?}");
        (after.chunks() - before.chunks(), after.answered() - before.answered())
    }

    fn dump(&self) -> String {
        State::open_to_read(&self.path("highwater.db")).unwrap().expect("a state file").dump().unwrap()
    }
}

/// Calls under way at once.
const AT_ONCE: &str = "8";

#[test]
fn a_chunk_is_asked_about_once_whatever_happens_around_it() {
    let Some(mock) = Mock::start(&[]) else { return };
    let mut wiki = pages(60);
    let place = Place::new(&mock, &wiki);
    let (chunks, calls) = place.asked(&[]);
    assert_eq!(chunks, 120, "two a page");
    assert!(calls < 60, "{calls} calls: packs span pages");
    let first = place.dump();
    assert_eq!(place.asked(&[]), (0, 0), "nothing changed");
    assert_eq!(place.asked(&["--reindex"]), (0, 0), "answers are kept");
    assert_eq!(place.dump(), first);

    wiki[7].space = "OPS";
    place.write(&wiki);
    assert_eq!(place.asked(&[]).0, 0, "the page moved, its text did not");

    wiki[8].sections[1] = "Ledger Gateway is deployed on Cluster Foxtrot since 2025-05-05.".to_owned();
    place.write(&wiki);
    assert_eq!(
        place.asked(&[]).0,
        1,
        "the section beside the edited one, and the pages beside, stay answered"
    );

    wiki.push(Page { id: 60, ..pages(61)[60].clone() });
    place.write(&wiki);
    assert_eq!(place.asked(&[]).0, 2, "a new page");
    assert_eq!(place.asked(&["--reindex"]), (0, 0));

    std::fs::remove_file(place.path("highwater.db")).unwrap();
    assert_eq!(place.asked(&[]), (0, 0), "answers are in the vault, not in the state file");
}

#[test]
fn a_block_that_a_page_repeats_is_asked_about_once_and_says_the_same_wherever_it_stands() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(&mock, &[]);
    let section = format!("<h2>Owner</h2><p>Ledger Gateway is owned by Data Team. {FILLING}</p>");
    let page = |id: usize, body: String| {
        serde_json::json!({"id": id.to_string(), "space": "ENG", "title": format!("Page {id}"), "body_storage": body})
            .to_string()
    };
    std::fs::write(place.path("wiki/pages.jsonl"), [page(1, section.repeat(3)), page(2, section)].join("\n"))
        .unwrap();
    assert_eq!(place.asked(&[]).0, 2, "once a page, which is part of what is asked");
    let state = rusqlite::Connection::open(place.path("highwater.db")).unwrap();
    let count = |sql: &str| state.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM chunk WHERE text LIKE '%Data Team%'"), 4);
    assert_eq!(count("SELECT count(*) FROM answer"), 4);
    let said = "SELECT count(DISTINCT chunk) FROM support JOIN fact USING (fact)
        WHERE extractor <> '\"structural\"' AND sentence LIKE '%Data Team%' AND ended IS NULL";
    assert_eq!(count(said), 4);
    assert_eq!(place.asked(&["--reindex"]), (0, 0), "answers are kept");
}

/// Kills in one run.
const KILLS: u64 = 50;

/// One chunk a pack, so that there are many calls; each kill comes a moment after some answers were given, so that
/// others are under way.
#[test]
fn killed_fifty_times_the_graph_is_the_same_and_only_what_was_under_way_is_paid_again() {
    let Some(mock) = Mock::start(&["--latency-ms", "30"]) else { return };
    let wiki = pages(300);
    let settings = ["HIGHWATER_PACK_CHARS", "500"];
    let undisturbed = Place::new(&mock, &wiki);
    let mut command = undisturbed.command(&[]);
    assert!(command.env(settings[0], settings[1]).status().unwrap().success());
    assert_eq!(
        (mock.stats().chunks(), mock.stats().chunks_twice()),
        (600, 0),
        "not killed, nothing is paid again"
    );
    mock.reset();

    let killed = Place::new(&mock, &wiki);
    let mut dice = Dice(50);
    for round in 0..KILLS {
        let wanted = mock.stats().answered() + 1 + dice.roll(6);
        let mut child = killed.command(&[]).env(settings[0], settings[1]).spawn().unwrap();
        while mock.stats().answered() < wanted {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before kill {round}");
            pass(Duration::from_millis(1));
        }
        pass(Duration::from_millis(dice.roll(40)));
        child.kill().unwrap();
        child.wait().unwrap();
        if round % 10 == 9 {
            std::fs::remove_file(killed.path("highwater.db")).unwrap();
        }
    }
    assert!(killed.command(&[]).env(settings[0], settings[1]).status().unwrap().success());
    assert_eq!(killed.dump(), undisturbed.dump());

    let state = rusqlite::Connection::open(killed.path("highwater.db")).unwrap();
    let sql = "SELECT count(*) FROM call WHERE ended = 'unknown'";
    let in_flight: u64 = state.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    let stats = mock.stats();
    let twice = stats.prompts_twice();
    eprintln!("{KILLS} kills: {in_flight} calls were under way, {twice} were answered and paid again");
    assert_eq!(stats.chunks(), 600);
    assert!(in_flight >= KILLS, "only {in_flight} calls were under way at {KILLS} kills");
    assert!(in_flight <= KILLS * AT_ONCE.parse::<u64>().unwrap());
    assert!(twice <= in_flight, "{twice} calls paid again, {in_flight} under way: {stats:?}");
    assert!(stats.chunks_twice() <= in_flight, "{stats:?}");
    assert_eq!(stats.elsewhere(), 0, "whatever was paid again was the same call again: {stats:?}");
}

/// Lets time pass, for a process that cannot tell when it has come so far.
fn pass(time: Duration) {
    let (_sender, receiver) = channel::<()>();
    receiver.recv_timeout(time).ok();
}
