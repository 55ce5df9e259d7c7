//! The built program and its vault: a state that is lost is restored, the past is looked at, pages are erased, and of two
//! writers one goes on.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod mock;

use highwater::state::State;
use mock::Mock;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Calls that a run has under way at most.
const AT_ONCE: u64 = 2;

/// A place of its own for one test: a wiki, a vault, a state file.
struct Place {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Place {
    /// A wiki of `pages` pages that name each other's services.
    fn new(pages: usize) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), settings: Vec::new() };
        (0..pages).for_each(|page| place.write(page, &format!("Team {}", page % 7)));
        place
    }

    fn write(&self, page: usize, owner: &str) {
        let path = self.path(&format!("wiki/OPS/service-{page}.md"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!(
            "# service-{page}\n\n| Property | Value |\n|---|---|\n| Owner | {owner} |\n| Status | live |\n\n\
             ## Notes\n\nThe `service-{page}` depends on `service-{}`.\n",
            page + 1
        );
        std::fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command.env("HIGHWATER_EMBEDDING", "none").env("HIGHWATER_SNAPSHOT_BYTES", "0");
        command.envs(self.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and expects success; gives what was said on both streams.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        said(&output)
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn dump(&self, state: &str) -> String {
        State::open_to_read(&self.path(state)).unwrap().expect("a state file").dump().unwrap()
    }

    fn lose_the_state(&self) {
        for ending in ["", "-wal", "-shm", "-lock"] {
            std::fs::remove_file(self.path(&format!("highwater.db{ending}"))).ok();
        }
    }

    /// Names of segments; what is being written has another one.
    fn segments(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path("vault/journal")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    /// Folders of snapshots, oldest first.
    fn snapshots(&self) -> Vec<PathBuf> {
        let folders = std::fs::read_dir(self.path("vault/snapshots")).unwrap();
        let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
        folders.retain(|folder| folder.join("manifest.json").exists());
        folders.sort();
        folders
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_lost_state_is_restored_from_the_newest_sound_snapshot() {
    let place = Place::new(12);
    place.done(&["pipeline", "wiki"]);
    place.write(3, "Team Ninety");
    place.done(&["pipeline", "wiki"]);
    let graph = place.dump("highwater.db");
    assert_eq!(place.snapshots().len(), 2, "{:?}", place.snapshots());
    place.lose_the_state();
    let talk = place.done(&["status"]);
    assert!(talk.contains("from its snapshot"), "{talk}");
    assert_eq!(place.dump("highwater.db"), graph);

    // The newest is damaged: the one before it, and the segments since, give the same.
    flip(&place.snapshots()[1].join("00000.zst"));
    place.lose_the_state();
    let talk = place.done(&["status"]);
    assert!(talk.contains("passing over snapshot") && talk.contains("from its snapshot"), "{talk}");
    assert_eq!(place.dump("highwater.db"), graph);
    let verified = place.run(&["vault", "verify"]);
    assert_eq!(verified.status.code(), Some(4), "{}", said(&verified));

    // Both are: the journal has everything.
    flip(&place.snapshots()[0].join("manifest.json"));
    place.lose_the_state();
    let talk = place.done(&["status"]);
    assert!(talk.contains("passing over a snapshot"), "{talk}");
    assert_eq!(place.dump("highwater.db"), graph);
}

#[test]
fn the_past_can_be_looked_at_by_record_and_by_time() {
    let place = Place::new(8);
    place.done(&["pipeline", "wiki"]);
    let first = place.json(&["status", "--json"]);
    let (seq, at) = (first["durable_seq"].to_string(), first["durable_at"].as_str().unwrap().to_owned());
    let graph = place.dump("highwater.db");
    place.write(3, "Team Ninety");
    place.done(&["pipeline", "wiki"]);
    assert_ne!(place.dump("highwater.db"), graph);
    for (number, flags) in [["--seq", &seq], ["--time", &at]].into_iter().enumerate() {
        let file = format!("past-{number}.db");
        let talk = place.done(&["vault", "restore", "--to", &file, flags[0], flags[1]]);
        assert!(talk.contains(&format!("restored record {seq}")), "{talk}");
        assert_eq!(place.dump(&file), graph);
    }
    // Such a file stays what it is: it is looked at, and not written.
    let talk = place.done(&["show", "service-3", "--state", "past-0.db"]);
    assert!(talk.contains("of the past") && !talk.contains("Team Ninety"), "{talk}");
    assert_eq!(place.dump("past-0.db"), graph);
    let refused = place.run(&["pipeline", "wiki", "--state", "past-0.db"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    place.done(&["vault", "restore", "--to", "now.db"]);
    assert_eq!(place.dump("now.db"), place.dump("highwater.db"));
    let again = place.run(&["vault", "restore", "--to", "now.db"]);
    assert_eq!(again.status.code(), Some(2), "a file that is there is left alone");
}

#[test]
fn the_log_tells_terms_and_verify_folds_again() {
    let place = Place::new(8);
    place.done(&["pipeline", "wiki"]);
    place.write(3, "Team Ninety");
    place.done(&["pipeline", "wiki"]);
    let log = place.json(&["vault", "log", "--json"]);
    let terms = log.as_array().unwrap();
    assert_eq!(terms.len(), 2);
    assert_eq!((terms[0]["pages_fetched"].as_u64(), terms[1]["pages_fetched"].as_u64()), (Some(8), Some(1)));
    assert_eq!(terms[1]["closed"], true);
    let text = place.done(&["vault", "log", "--last", "1"]);
    assert!(text.contains("term 2") && text.contains("1 page versions fetched"), "{text}");
    let talk = place.done(&["vault", "verify"]);
    assert!(talk.contains("2 snapshots") && talk.contains("folding the journal gives the graph"), "{talk}");
    let status = place.json(&["status", "--json"]);
    assert_eq!((status["term"].as_u64(), status["closed"].as_bool()), (Some(2), Some(true)));
    assert_eq!(status["head"]["standing"], "ended");
}

#[test]
fn a_copy_is_a_vault_of_its_own_and_grows_with_the_first() {
    let place = Place::new(8);
    place.done(&["pipeline", "wiki"]);
    place.done(&["vault", "copy", "vault", "backup"]);
    place.done(&["status", "--vault", "backup", "--state", "other.db"]);
    assert_eq!(place.dump("other.db"), place.dump("highwater.db"));
    place.write(3, "Team Ninety");
    place.done(&["pipeline", "wiki"]);
    let talk = place.done(&["vault", "copy", "vault", "backup"]);
    assert!(talk.contains("were there already"), "{talk}");
    place.done(&["status", "--vault", "backup", "--state", "other.db"]);
    assert_eq!(place.dump("other.db"), place.dump("highwater.db"));
}

#[test]
fn a_pruned_vault_restores_from_its_snapshots_and_goes_on() {
    let mut place = Place::new(8);
    place.settings = vec![("HIGHWATER_SNAPSHOT_BYTES", "10000000".to_owned())];
    place.done(&["pipeline", "wiki"]);
    let refused = place.run(&["vault", "prune", "--keep-days", "0"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("expected two"), "{}", said(&refused));
    place.settings.clear();
    place.write(2, "Team Eighty");
    place.done(&["pipeline", "wiki"]);
    place.write(3, "Team Ninety");
    place.done(&["pipeline", "wiki"]);
    place.done(&["vault", "prune", "--keep-days", "1"]);
    assert!(place.path("vault/journal/0000000001.jsonl.zst").exists(), "it is younger than a day");
    let graph = place.dump("highwater.db");
    let talk = place.done(&["vault", "prune", "--keep-days", "0"]);
    assert!(talk.contains("cover them"), "{talk}");
    assert!(!place.path("vault/journal/0000000001.jsonl.zst").exists());
    place.lose_the_state();
    place.done(&["status"]);
    assert_eq!(place.dump("highwater.db"), graph);
    let talk = place.done(&["vault", "verify"]);
    assert!(talk.contains("the journal begins at segment"), "{talk}");
    place.write(4, "Team Hundred");
    place.done(&["pipeline", "wiki"]);
    place.done(&["vault", "verify"]);
    let rebuilt = place.run(&["vault", "rebuild"]);
    assert_eq!(rebuilt.status.code(), Some(4), "there is no start to fold from: {}", said(&rebuilt));
}

#[test]
fn an_erased_page_is_nowhere_and_is_not_read_again() {
    let place = Place::new(8);
    place.write(3, "Team Xylophone");
    place.done(&["pipeline", "wiki"]);
    place.write(4, "Team Ninety");
    place.done(&["pipeline", "wiki"]);
    let page = place.json(&["search", "Xylophone", "--json"]);
    assert!(page.to_string().contains("Xylophone"));
    let id = place.id_of("service-3");
    let talk = place.done(&["vault", "erase", &id]);
    assert!(talk.contains("erased page") && talk.contains("what may remain"), "{talk}");
    assert!(!holds(&place.path("vault"), b"Xylophone"), "the vault still holds it");
    for file in ["highwater.db", "highwater.db-wal"] {
        let bytes = std::fs::read(place.path(file)).unwrap_or_default();
        assert!(!contains(&bytes, b"ylophone"), "`{file}` still holds it");
    }
    assert!(!place.json(&["search", "Xylophone", "--json"]).to_string().contains("Xylophone"));
    // Killed before it cleaned up, it would be called again; it does what is left, and nothing else.
    let talk = place.done(&["vault", "erase", &id]);
    assert!(talk.contains("erased page"), "{talk}");
    let never = place.run(&["vault", "erase", "no-such-page"]);
    assert_eq!(never.status.code(), Some(2), "{}", said(&never));
    // What others say stays, and the vault is sound.
    assert!(place.json(&["search", "Ninety", "--json"]).to_string().contains("Ninety"));
    place.done(&["vault", "verify"]);
    place.done(&["pipeline", "wiki"]);
    assert!(!holds(&place.path("vault"), b"Xylophone"), "it was read again");
    place.lose_the_state();
    place.done(&["status"]);
    // A newer version is read.
    place.write(3, "Team Violin");
    place.done(&["pipeline", "wiki"]);
    assert!(place.json(&["search", "Violin", "--json"]).to_string().contains("Violin"));
    assert!(!holds(&place.path("vault"), b"Xylophone"));
}

#[test]
fn what_two_pages_say_stays_and_is_found_by_the_words_of_the_one_that_stays() {
    let place = Place::new(3);
    let says = |page: usize, sentence: &str| {
        let text = format!("# note-{page}\n\n{sentence}\n");
        std::fs::write(place.path(&format!("wiki/OPS/note-{page}.md")), text).unwrap();
    };
    // The same statement in two sentences; which of them it is found by is chosen by the ids of their chunks.
    for (erased, kept) in [(1, 2), (2, 1)] {
        says(erased, "`service-1` depends on `service-2`, quoth the marzipan.");
        says(kept, "`service-1` depends on `service-2`, says the walrus.");
        place.done(&["pipeline", "wiki"]);
        let id = place.id_of(&format!("note-{erased}"));
        place.done(&["vault", "erase", &id]);
        let state = State::open_to_read(&place.path("highwater.db")).unwrap().unwrap();
        let hits = |word: &str| -> i64 {
            let sql = "SELECT (SELECT count(*) FROM fact_text WHERE fact_text MATCH ?1)
                           + (SELECT count(*) FROM chunk_text WHERE chunk_text MATCH ?1)";
            state.connection().query_row(sql, [word], |row| row.get(0)).unwrap()
        };
        assert_eq!(hits("marzipan"), 0);
        assert!(hits("walrus") > 0);
        drop(state);
        for file in ["highwater.db", "highwater.db-wal"] {
            let bytes = std::fs::read(place.path(file)).unwrap_or_default();
            assert!(!contains(&bytes, b"marzipan"), "`{file}` still holds it");
        }
        assert!(!holds(&place.path("vault"), b"marzipan"));
    }
}

impl Place {
    fn id_of(&self, title: &str) -> String {
        let state = State::open_to_read(&self.path("highwater.db")).unwrap().unwrap();
        let sql = "SELECT page FROM page WHERE title = ?1";
        state.connection().query_row(sql, [title], |row| row.get(0)).unwrap()
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Whether any object of a vault, inflated, holds a word.
fn holds(folder: &Path, word: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, word),
            false => {
                // What is being written has a name for a moment only.
                let bytes = std::fs::read(&path).unwrap_or_default();
                contains(&zstd::decode_all(&bytes[..]).unwrap_or(bytes), word)
            }
        }
    })
}

/// A run under way, killed when dropped.
struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end: exit code and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let mut talk = String::new();
        std::io::Read::read_to_string(&mut self.0.stderr.take().unwrap(), &mut talk).unwrap();
        (self.0.wait().unwrap().code(), talk)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Place {
    /// A wiki whose pages are read by this model server.
    fn asking(mock: &Mock, pages: usize) -> Self {
        let mut place = Self::new(pages);
        place.settings = vec![
            ("HIGHWATER_MODEL", "compatible/mock".to_owned()),
            ("HIGHWATER_MODEL_URL", mock.url()),
            ("HIGHWATER_PACK_CHARS", "600".to_owned()),
            ("HIGHWATER_CALLS_AT_ONCE", AT_ONCE.to_string()),
        ];
        place
    }

    /// Starts a run and waits until it has announced a call.
    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let running = Running(command.spawn().unwrap());
        let begun = Instant::now();
        while !self.path("vault/HEAD.json").exists() || !holds(&self.path("vault/journal"), b"\"asking\"") {
            assert!(begun.elapsed() < Duration::from_secs(60), "no call was announced in a minute");
            std::thread::yield_now();
        }
        running
    }
}

#[test]
fn a_writer_that_was_paused_and_taken_over_from_stops_and_says_by_whom() {
    let Some(mock) = Mock::start(&["--latency-ms", "400"]) else { return };
    let calm = Place::asking(&mock, 6);
    calm.done(&["pipeline", "wiki"]);
    let place = Place::asking(&mock, 6);
    let first = place.start(&["pipeline", "wiki"]);
    first.signal("STOP");
    let other = ["pipeline", "wiki", "--state", "other.db"];
    let waits = place.start_and_read(&other);
    assert!(waits.contains("may be at work"), "{waits}");
    let talk = place.done(&[&other[..], &["--take-over"]].concat());
    assert!(talk.contains("taking over from process"), "{talk}");
    let before = place.segments();
    first.signal("CONT");
    let (code, talk) = first.end();
    assert_eq!(code, Some(4), "{talk}");
    assert!(talk.contains("has taken over the vault"), "{talk}");
    assert_eq!(place.segments(), before, "it wrote nothing more");
    place.done(&["vault", "verify"]);
    assert_eq!(place.dump("other.db"), calm.dump("highwater.db"));
}

impl Place {
    /// Starts a run, reads its first line about another writer, and ends it.
    fn start_and_read(&self, arguments: &[&str]) -> String {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().unwrap());
        let lines = std::io::BufRead::lines(std::io::BufReader::new(running.0.stderr.take().unwrap()));
        lines.map_while(Result::ok).find(|line| line.contains("at work")).unwrap_or_default()
    }
}

#[test]
fn a_second_run_beside_one_that_is_alive_leaves_it_alone() {
    let Some(mock) = Mock::start(&["--latency-ms", "60000"]) else { return };
    let place = Place::asking(&mock, 6);
    let first = place.start(&["pipeline", "wiki"]);
    let begun = Instant::now();
    let second = place.run(&["pipeline", "wiki", "--state", "other.db"]);
    assert_eq!(second.status.code(), Some(5), "{}", said(&second));
    assert!(said(&second).contains("--take-over"), "{}", said(&second));
    assert!(
        begun.elapsed() < Duration::from_secs(50),
        "a writer that is alive shows itself within 30 seconds"
    );
    // Told to stop, the first gives up its calls and ends in time.
    first.signal("TERM");
    let told = Instant::now();
    let (code, talk) = first.end();
    assert_eq!(code, Some(3), "{talk}");
    assert!(told.elapsed() < Duration::from_secs(8), "it took {:?}", told.elapsed());
}

#[test]
fn of_two_runs_that_are_started_at_once_one_goes_on_at_a_time() {
    let Some(mock) = Mock::start(&["--latency-ms", "200"]) else { return };
    let place = Place::asking(&mock, 6);
    place.done(&["vault", "init"]);
    let spawn = |state: &str| {
        let mut command = place.command(&["pipeline", "wiki", "--state", state]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    };
    let (one, other) = (spawn("one.db"), spawn("other.db"));
    let (one, other) = (one.end(), other.end());
    let mut codes = [one.0.unwrap(), other.0.unwrap()];
    codes.sort_unstable();
    assert_eq!(codes[0], 0, "one goes on to the end: {one:?} {other:?}");
    let twice = mock.stats().prompts_twice();
    match codes[1] {
        // It came late enough to see the other at work, waited for its end, and found nothing to ask.
        0 | 5 => assert_eq!(twice, 0, "nothing was under way that was lost: {one:?} {other:?}"),
        4 => assert!(twice <= AT_ONCE, "{twice} prompts of the one that was fenced: {one:?} {other:?}"),
        _ => panic!("the other is fenced, leaves, or waits: {one:?} {other:?}"),
    }
    place.done(&["vault", "verify"]);
}
