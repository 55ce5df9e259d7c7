//! The built program, as a user runs it: against small wikis on disk, killed at random, given bad input.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use highwater::state::State;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A place of its own for one test: a wiki, a vault, a state file.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(place.wiki()).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn wiki(&self) -> PathBuf {
        self.path("wiki")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.wiki().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A wiki of `pages` pages that name each other's services.
    fn fill(&self, pages: usize) {
        for page in 0..pages {
            let (owner, next) = (page % 7, (page + 1) % pages);
            self.write(
                &format!("OPS/service-{page}.md"),
                &format!(
                    "# service-{page}\n\n| Property | Value |\n|---|---|\n| Owner | Team {owner} |\n| Status | live |\n\n\
                     ## Notes\n\nThe `service-{page}` depends on `service-{next}`. See [next](service-{next}.md).\n"
                ),
            );
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).args(arguments).env("HIGHWATER_EMBEDDING", "none");
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and expects success.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", talk(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs and expects a refusal with this exit code whose talk holds all these words.
    fn refused(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.run(arguments);
        let talk = talk(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {talk}");
        for word in words {
            assert!(talk.contains(word), "{arguments:?} should say `{word}`: {talk}");
        }
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }

    fn dump(&self) -> String {
        State::open_to_read(&self.path("highwater.db")).unwrap().expect("a state file").dump().unwrap()
    }

    fn segments(&self) -> usize {
        std::fs::read_dir(self.path("vault/journal")).map_or(0, Iterator::count)
    }
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_first_run_indexes_and_a_second_run_finds_nothing_to_do() {
    let place = Place::new();
    place.fill(12);
    let first = place.json(&["pipeline", "wiki", "--json"]);
    let keys = [
        "pages",
        "chunks",
        "episodes",
        "entities",
        "facts",
        "calls",
        "paid_again",
        "parked",
        "durable_seq",
        "resumed_from_seq",
        "seconds",
    ];
    for key in keys {
        assert!(first.get(key).is_some_and(serde_json::Value::is_number), "`{key}` is missing: {first}");
    }
    assert_eq!(first["pages"], 12);
    assert!(first["facts"].as_u64().unwrap() >= 24, "{first}");
    let before = place.dump();
    let second = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!(second["resumed_from_seq"], first["durable_seq"]);
    assert_eq!(place.dump(), before);
}

#[test]
fn every_joined_name_is_shown_with_its_reason() {
    let place = Place::new();
    place.write("OPS/scaling.md", "# Scaling\n\nWe rely on the Horizontal Pod Autoscaler (HPA) at night.\n");
    place
        .write("OPS/more.md", "# Down\n\nThe `kube-api-down` alert, also written `KubeApiDown`, wakes us.\n");
    place.done(&["pipeline", "wiki", "--quiet"]);
    let shown = place.done(&["show", "HPA", "--why"]);
    assert!(shown.contains("the text says so"), "{shown}");
    assert!(shown.contains("“We rely on the Horizontal Pod Autoscaler (HPA) at night.”"), "{shown}");
    assert!(!place.done(&["show", "HPA"]).contains("the text says so"));
    let shown = place.done(&["show", "KubeApiDown", "--why"]);
    assert!(shown.contains("the names differ only in spaces and dashes (0.85)"), "{shown}");
    let json = place.json(&["show", "KubeApiDown", "--why", "--json"]);
    assert_eq!(json[0]["entity"]["why"][0]["verdict"], "same", "{json}");
}

#[test]
fn reading_verbs_never_append() {
    let place = Place::new();
    place.fill(5);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let segments = place.segments();
    place.done(&["status"]);
    place.json(&["status", "--json"]);
    assert!(place.done(&["search", "who", "owns", "service-3"]).contains("Team 3"));
    assert!(place.done(&["show", "service-3"]).contains("Team 3"));
    place.done(&["config"]);
    place.done(&["vault", "verify"]);
    std::fs::remove_file(place.path("highwater.db")).unwrap();
    place.done(&["status"]);
    assert_eq!(place.segments(), segments);
}

#[test]
fn a_deleted_state_file_is_made_again_with_equal_content() {
    let place = Place::new();
    place.fill(9);
    place.done(&["pipeline", "wiki", "--quiet"]);
    place.write("OPS/service-2.md", "# service-2\n\n| Property | Value |\n|---|---|\n| Owner | Team 9 |\n");
    std::fs::remove_file(place.wiki().join("OPS/service-4.md")).unwrap();
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    place.done(&["vault", "rebuild"]);
    assert_eq!(place.dump(), before);
    std::fs::remove_file(place.path("highwater.db")).unwrap();
    place.done(&["status"]);
    assert_eq!(place.dump(), before);
}

#[test]
fn reindexing_from_what_is_kept_gives_the_same_graph_and_asks_the_wiki_nothing() {
    let place = Place::new();
    place.fill(9);
    place.done(&["pipeline", "wiki", "--quiet"]);
    place.write("OPS/service-2.md", "# service-2\n\n| Property | Value |\n|---|---|\n| Owner | Team 9 |\n");
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    place.write("OPS/service-3.md", "# service-3\n\nThis edit must wait for the next sweep.\n");
    place.done(&["pipeline", "wiki", "--reindex", "--quiet"]);
    assert_eq!(place.dump(), before);
    place.done(&["vault", "rebuild"]);
    assert_eq!(place.dump(), before);
}

#[test]
fn a_value_that_changed_is_found_as_it_was_and_as_it_is() {
    let place = Place::new();
    let page = |day: &str, owner: &str| {
        format!(
            "---\nupdated: {day}\n---\n# ledger-service\n\n| Property | Value |\n|---|---|\n| Owner | {owner} |\n"
        )
    };
    place.write("OPS/ledger-service.md", &page("2024-01-01", "Team Red"));
    place.done(&["pipeline", "wiki", "--quiet"]);
    place.write("OPS/ledger-service.md", &page("2024-07-01", "Team Blue"));
    place.done(&["pipeline", "wiki", "--quiet"]);
    let ask = |flags: &[&str]| place.done(&[&["search", "ledger-service", "owner"], flags].concat());
    let now = ask(&[]);
    assert!(now.contains("→ Team Blue") && !now.contains("→ Team Red"), "{now}");
    let then = ask(&["--as-of", "2024-03-01"]);
    assert!(then.contains("→ Team Red") && !then.contains("→ Team Blue"), "{then}");
    let said = ask(&["--wiki-at", "2024-03-01"]);
    assert!(said.contains("→ Team Red") && !said.contains("→ Team Blue"), "{said}");
}

#[test]
fn what_is_older_than_what_is_held_changes_nothing_and_is_counted() {
    let place = Place::new();
    let export = |version: u32, owner: &str| {
        format!(
            r#"<hibernate-generic><object class="Space" package="com.atlassian.confluence.spaces"><id name="id">1</id>
            <property name="key">OPS</property></object><object class="Page"><id name="id">7</id>
            <property name="title">ledger-service</property><property name="version">{version}</property>
            <property name="contentStatus">current</property>
            <property name="space" class="Space"><id name="id">1</id></property></object>
            <object class="BodyContent"><id name="id">8</id><property name="bodyType">2</property>
            <property name="body"><![CDATA[<p>Owned by {owner}.</p>]]></property>
            <property name="content" class="Page"><id name="id">7</id></property></object></hibernate-generic>"#
        )
    };
    place.write("entities.xml", &export(5, "Team Blue"));
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    assert!(before.contains("Team Blue"), "{before}");
    place.write("entities.xml", &export(3, "Team Red"));
    let report = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!(place.dump(), before);
    assert!(report["skipped"].to_string().contains("older here than what is held"), "{report}");
}

#[test]
fn until_stops_where_it_is_told_and_the_next_run_goes_on() {
    let place = Place::new();
    place.fill(6);
    let fetched = place.json(&["pipeline", "wiki", "--until", "fetched", "--json"]);
    assert_eq!((&fetched["pages"], &fetched["chunks"]), (&6.into(), &0.into()));
    let cut = place.json(&["pipeline", "wiki", "--until", "cut", "--json"]);
    assert!(cut["chunks"].as_u64().unwrap() >= 6);
    assert_eq!(cut["entities"], 0);
    assert!(place.json(&["pipeline", "wiki", "--json"])["entities"].as_u64().unwrap() > 0);
}

/// Kills come after a wait spread over 5 to 125 ms in no order, so that they fall anywhere; the end must be as if none
/// had come.
#[test]
fn killed_again_and_again_the_graph_is_the_same() {
    let undisturbed = Place::new();
    undisturbed.fill(1600);
    undisturbed.done(&["pipeline", "wiki", "--quiet"]);
    let killed = Place::new();
    killed.fill(1600);
    let mut landed = 0;
    for round in 0..25u64 {
        let mut child = killed
            .command(&["pipeline", "wiki", "--quiet"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        assert!(receiver.recv_timeout(std::time::Duration::from_millis(5 + (round * 47) % 120)).is_err());
        drop(sender);
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            landed += 1;
        }
        child.wait().unwrap();
        if round % 6 == 5 {
            std::fs::remove_file(killed.path("highwater.db")).ok();
        }
    }
    assert!(landed >= 5, "only {landed} kills fell into a run");
    killed.done(&["pipeline", "wiki", "--quiet"]);
    killed.done(&["vault", "verify"]);
    assert_eq!(killed.dump(), undisturbed.dump());
}

#[test]
fn a_terminated_run_says_so_and_goes_on() {
    let place = Place::new();
    place.fill(1500);
    let child =
        place.command(&["pipeline", "wiki"]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let journal = place.path("vault/journal");
    while std::fs::read_dir(&journal).map_or(0, Iterator::count) < 8 {
        std::thread::yield_now();
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
    assert!(talk(&output).contains("the same command goes on"));
    assert_ne!(place.json(&["status", "--json"])["owed_pages"], 0);
    place.done(&["pipeline", "wiki", "--quiet"]);
    assert_eq!(place.json(&["status", "--json"])["owed_pages"], 0);
}

#[test]
fn an_explicit_vault_that_is_empty_is_refused_until_it_is_made() {
    let place = Place::new();
    place.fill(3);
    std::fs::create_dir(place.path("bucket")).unwrap();
    place.refused(&["pipeline", "wiki", "--vault", "bucket"], 4, &["bucket", "vault init"]);
    place.refused(&["status"], 4, &["vault init"]);
    place.done(&["vault", "init", "bucket"]);
    place.refused(&["vault", "init", "bucket"], 1, &["bucket"]);
    place.done(&["pipeline", "wiki", "--vault", "bucket", "--quiet"]);
}

#[test]
fn a_vault_of_another_wiki_or_environment_is_refused() {
    let place = Place::new();
    place.fill(3);
    place.done(&["pipeline", "wiki", "--quiet"]);
    std::fs::create_dir(place.path("other")).unwrap();
    std::fs::write(place.path("other/page.md"), "# Other\n\nText of another wiki.\n").unwrap();
    place.refused(&["pipeline", "other"], 4, &["other", "--vault"]);
    let output = place.command(&["status"]).env("HIGHWATER_ENVIRONMENT", "prod").output().unwrap();
    assert!(!output.status.success() && talk(&output).contains("prod"), "{}", talk(&output));
}

#[test]
fn many_pages_gone_at_once_are_not_believed_without_a_word() {
    let place = Place::new();
    place.fill(30);
    place.done(&["pipeline", "wiki", "--quiet"]);
    for page in 10..30 {
        std::fs::remove_file(place.wiki().join(format!("OPS/service-{page}.md"))).unwrap();
    }
    let before = place.dump();
    place.refused(&["pipeline", "wiki"], 1, &["20 of 30", "--accept-deletes"]);
    assert_eq!(place.dump(), before);
    let report = place.json(&["pipeline", "wiki", "--accept-deletes", "--json"]);
    assert_eq!(report["pages"], 10);
}

#[test]
fn wrong_settings_and_flags_are_named() {
    let place = Place::new();
    place.refused(&["pipeline", "--no-such-flag"], 2, &["--no-such-flag"]);
    std::fs::write(place.path("bad.toml"), "vualt = \"x\"\n").unwrap();
    place.refused(&["status", "--config", "bad.toml"], 2, &["bad.toml", "vualt", "vault"]);
    place.refused(&["status", "--config", "absent.toml"], 2, &["absent.toml"]);
    place.refused(&["search", "--as-of", "yesterday", "x"], 2, &["yesterday", "YYYY-MM-DD"]);
}

#[test]
fn what_is_no_wiki_is_refused_and_nothing_is_lost() {
    let place = Place::new();
    place.refused(&["pipeline", "nowhere"], 1, &["nowhere"]);
    std::fs::write(place.path("noise.bin"), [0u8, 159, 146, 150]).unwrap();
    place.refused(&["pipeline", "noise.bin"], 1, &["noise", "expected a Confluence XML export"]);
    std::fs::write(place.path("half.zip"), b"PK\x03\x04 and then nothing").unwrap();
    place.refused(&["pipeline", "half.zip"], 1, &["half"]);
}

#[test]
fn a_state_file_that_is_not_ours_is_left_alone() {
    let place = Place::new();
    place.fill(3);
    let foreign = place.path("foreign.db");
    let database = rusqlite::Connection::open(&foreign).unwrap();
    database.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)").unwrap();
    drop(database);
    let before = std::fs::read(&foreign).unwrap();
    place.refused(&["pipeline", "wiki", "--state", "foreign.db"], 1, &["foreign.db", "--state"]);
    assert_eq!(std::fs::read(&foreign).unwrap(), before);
    std::fs::write(place.path("text.db"), "just text").unwrap();
    place.refused(&["pipeline", "wiki", "--state", "text.db"], 1, &["text.db", "--state"]);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let ours = rusqlite::Connection::open(place.path("highwater.db")).unwrap();
    ours.pragma_update(None, "user_version", 9_999).unwrap();
    drop(ours);
    place.refused(&["status"], 1, &["newer version", "--state"]);
}

#[test]
fn a_state_file_of_another_vault_is_made_again_and_said_so() {
    let place = Place::new();
    place.fill(4);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    place.done(&["vault", "init", "second"]);
    let output = place.run(&["pipeline", "wiki", "--vault", "second"]);
    assert!(output.status.success() && talk(&output).contains("another vault"), "{}", talk(&output));
    assert_eq!(place.dump(), before);
}

#[test]
fn two_runs_on_one_state_file_do_not_mix() {
    let place = Place::new();
    place.fill(4);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let lock = std::fs::File::options().append(true).open(place.path("highwater.db-lock")).unwrap();
    lock.lock().unwrap();
    place.refused(&["pipeline", "wiki"], 1, &["another run"]);
    place.done(&["status"]);
}

#[test]
fn pages_that_came_back_are_listed_anew_after_a_refusal() {
    let place = Place::new();
    place.fill(30);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    std::fs::rename(place.wiki().join("OPS"), place.path("away")).unwrap();
    place.write("OPS/service-1.md", "# service-1\n\nAlone.\n");
    place.refused(&["pipeline", "wiki"], 1, &["vanished at once"]);
    std::fs::remove_dir_all(place.wiki().join("OPS")).unwrap();
    std::fs::rename(place.path("away"), place.wiki().join("OPS")).unwrap();
    place.done(&["pipeline", "wiki", "--quiet"]);
    assert_eq!(place.dump(), before);
}

#[test]
fn looking_at_another_vault_does_not_cost_the_state_file() {
    let place = Place::new();
    place.fill(4);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = std::fs::read(place.path("highwater.db")).unwrap();
    place.done(&["vault", "init", "second"]);
    place.refused(&["status", "--vault", "second"], 4, &["another vault", "--state"]);
    assert_eq!(std::fs::read(place.path("highwater.db")).unwrap(), before);
    place.done(&["status", "--vault", "second", "--state", "second.db"]);
}

#[test]
fn a_rebuild_from_a_damaged_journal_keeps_the_state_it_has() {
    let place = Place::new();
    place.fill(40);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    let mut segments: Vec<PathBuf> =
        std::fs::read_dir(place.path("vault/journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let middle = &segments[segments.len() / 2];
    let mut bytes = std::fs::read(middle).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(middle, bytes).unwrap();
    let name = middle.file_name().unwrap().to_string_lossy().into_owned();
    place.refused(&["vault", "rebuild"], 4, &[&name]);
    assert_eq!(place.dump(), before);
}

#[test]
fn a_damaged_state_file_is_made_again_and_said_so() {
    let place = Place::new();
    place.fill(40);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    let state = place.path("highwater.db");
    let whole = std::fs::read(&state).unwrap();
    std::fs::write(&state, &whole[..whole.len() / 3]).unwrap();
    std::fs::remove_file(place.path("highwater.db-wal")).ok();
    let output = place.run(&["vault", "rebuild"]);
    assert!(output.status.success(), "{}", talk(&output));
    assert_eq!(place.dump(), before);
}

#[test]
fn what_is_mistyped_is_refused_before_anything_is_made() {
    let place = Place::new();
    place.fill(2);
    place.refused(&["pipeline", "nowhere"], 1, &["nowhere"]);
    let output = place.command(&["pipeline", "wiki"]).env("HIGHWATER_EMBEDDING", "magic").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("builtin"));
    assert!(!place.path("vault").exists() && !place.path("highwater.db").exists());
}

#[test]
fn what_a_page_writes_never_steers_the_terminal() {
    let place = Place::new();
    place.write(
        "OPS/evil.md",
        "# Evil \u{1b}[31mred\u{7}\n\nThe `evil-service` depends on `other-service`.\n",
    );
    let report = place.done(&["pipeline", "wiki"]);
    let shown = place.done(&["search", "evil"]) + &place.done(&["show", "OPS/evil.md"]) + &report;
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
}

#[test]
fn nothing_is_found_at_a_time_before_anything_was_said() {
    let place = Place::new();
    place.write(
        "OPS/a.md",
        "---\nupdated: 2024-01-01\n---\n# ledger-service\n\nIt depends on `billing-db`.\n",
    );
    place.done(&["pipeline", "wiki", "--quiet"]);
    let hits = place.json(&["search", "ledger-service", "--wiki-at", "1990-01-01", "--json"]);
    assert_eq!(hits.as_array().map(Vec::len), Some(0), "{hits}");
}

#[test]
fn what_could_not_be_read_is_named_and_nothing_is_taken_back() {
    let place = Place::new();
    let line = |number: usize| {
        format!(
            r#"{{"id": "{number}", "space": "OPS", "title": "Page {number}", "body_storage": "<p>x</p>"}}"#
        )
    };
    let lines: Vec<String> = (1..=3).map(line).collect();
    place.write("pages.jsonl", &lines.join("\n"));
    place.write("large.md", "# Large");
    assert_eq!(place.json(&["pipeline", "wiki", "--json"])["pages"], 4);
    let half = &lines[2][..30];
    place.write("pages.jsonl", &[&lines[0], &lines[1], half].join("\n"));
    place.write("large.md", &"large ".repeat(5 << 20));
    let report = place.json(&["pipeline", "wiki", "--json"]);
    assert_eq!(report["pages"], 4, "{report}");
    let skipped = report["skipped"].to_string();
    assert!(skipped.contains("pages.jsonl, line 3") && skipped.contains("large.md"), "{skipped}");
    let alone = Place::new();
    alone.write("large.md", &"large ".repeat(5 << 20));
    alone.refused(&["pipeline", "wiki"], 1, &["large.md", "over 20 MB"]);
}

#[test]
fn passages_are_those_of_the_asked_date() {
    let place = Place::new();
    let page =
        |day: &str, owner: &str| format!("---\nupdated: {day}\n---\n# Duty\n\nThe pager is with {owner}.\n");
    place.write("OPS/duty.md", &page("2024-01-01", "the red crew"));
    place.done(&["pipeline", "wiki", "--quiet"]);
    place.write("OPS/duty.md", &page("2024-07-01", "the blue crew"));
    place.done(&["pipeline", "wiki", "--quiet"]);
    let then = place.done(&["search", "pager", "crew", "--as-of", "2024-03-01"]);
    assert!(then.contains("red crew") && !then.contains("blue crew"), "{then}");
    assert!(!place.done(&["search", "pager", "crew", "--as-of", "2020-01-01"]).contains("crew"));
}

#[test]
fn a_run_waits_for_a_command_that_only_looks() {
    let place = Place::new();
    place.fill(5);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let lock = std::fs::File::options().append(true).open(place.path("highwater.db-lock")).unwrap();
    lock.lock().unwrap();
    let mut run = place.command(&["pipeline", "wiki"]).stderr(Stdio::piped()).spawn().unwrap();
    let talk = std::io::BufReader::new(run.stderr.take().unwrap());
    let mut lines = std::io::BufRead::lines(talk).map_while(|line| line.ok());
    assert!(lines.any(|line| line.contains("waiting for another command")));
    lock.unlock().unwrap();
    lines.for_each(drop);
    assert!(run.wait().unwrap().success());
}

#[test]
fn suggested_searches_work_as_they_are_printed() {
    let place = Place::new();
    place.fill(9);
    place.done(&["vault", "init", "my vault"]);
    let told = place.done(&["pipeline", "wiki", "--vault", "my vault", "--state", "my.db"]);
    let line = told.lines().find(|line| line.contains(" search ")).unwrap();
    let output = Command::new("sh").args(["-c", line]).current_dir(place.folder.path()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", talk(&output));
}

#[test]
fn reindexing_needs_no_wiki() {
    let place = Place::new();
    place.fill(5);
    place.done(&["pipeline", "wiki", "--quiet"]);
    let before = place.dump();
    std::fs::remove_dir_all(place.wiki()).unwrap();
    place.done(&["pipeline", "wiki", "--reindex", "--quiet"]);
    assert_eq!(place.dump(), before);
}

#[test]
fn status_says_when_nothing_was_listed_yet() {
    let place = Place::new();
    place.done(&["vault", "init"]);
    assert!(place.done(&["status"]).contains("never begun"));
    assert_eq!(place.json(&["status", "--json"])["listing"], "never begun");
}

#[test]
fn a_state_file_inside_the_vault_and_empty_values_are_refused() {
    let place = Place::new();
    place.fill(1);
    place.refused(&["pipeline", "wiki", "--state", "vault/journal/s.db"], 2, &["inside the vault"]);
    place.refused(&["pipeline", "wiki", "--state", ""], 2, &["`state`", "empty"]);
    place.refused(&["search", "!!!"], 2, &["no word"]);
}
