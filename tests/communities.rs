//! What belongs together, through the built program: found by a run, kept while nothing changes, the same as from
//! nothing, and named where an entity is shown.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod mock;

use highwater::state::State;
use mock::Mock;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A place of its own for one test: a wiki, a vault, a state file.
struct Place {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path("wiki").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A space whose services all depend on each other.
    fn write_team(&self, space: &str, services: &[&str]) {
        for service in services {
            let others = services.iter().filter(|other| other != &service);
            let depends: String =
                others.map(|other| format!("The `{service}` depends on `{other}`.\n\n")).collect();
            self.write(&format!("{space}/{service}.md"), &format!("# {service}\n\n{depends}"));
        }
    }

    fn done(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).args(arguments).env("HIGHWATER_EMBEDDING", "none");
        command.envs(self.settings.iter().cloned());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn run(&self) {
        self.done(&["pipeline", "wiki", "--quiet"]);
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.done(&["report", "communities", "--limit", "5000", "--json"])).unwrap()
    }

    /// The report of a state that is made again from the vault.
    fn report_anew(&self) -> Value {
        std::fs::remove_file(self.path("highwater.db")).unwrap();
        self.report()
    }

    /// How many rows the state keeps of communities.
    fn kept(&self) -> i64 {
        let state = State::open_to_read(&self.path("highwater.db")).unwrap().expect("a state file");
        state.connection().query_row("SELECT count(*) FROM community_member", [], |row| row.get(0)).unwrap()
    }
}

const LEDGER: [&str; 4] = ["ledger-api", "ledger-store", "ledger-audit", "ledger-batch"];
const SEARCH: [&str; 4] = ["search-index", "search-crawler", "search-ranker", "search-cache"];

fn names(community: &Value) -> BTreeSet<String> {
    let members = community["members"].as_array().unwrap().iter();
    members.map(|member| member["name"].as_str().unwrap().to_owned()).collect()
}

/// The community that an entity is in.
fn with<'a>(report: &'a Value, name: &str) -> &'a Value {
    let found: Vec<&Value> =
        report["first"].as_array().unwrap().iter().filter(|found| names(found).contains(name)).collect();
    assert_eq!(found.len(), 1, "{name} in {report:#}");
    found[0]
}

#[test]
fn a_run_tells_apart_what_has_little_to_do_with_each_other() {
    let place = Place::new();
    place.write_team("PAY", &LEDGER);
    place.write_team("FIND", &SEARCH);
    place.write("FIND/note.md", "# Bridge\n\nThe `search-cache` uses `ledger-api`.\n");
    place.run();
    let report = place.report();
    for (team, one) in [(LEDGER, "ledger-api"), (SEARCH, "search-index")] {
        let names = names(with(&report, one));
        assert!(team.iter().all(|name| names.contains(*name)), "{report:#}");
    }
    assert_ne!(with(&report, "ledger-api")["community"], with(&report, "search-index")["community"]);
    let shown = place.done(&["show", "ledger-store"]);
    let line =
        shown.lines().find(|line| line.contains("community: ")).expect("a line that names the community");
    assert!(line.contains(with(&report, "ledger-store")["name"].as_str().unwrap()), "{line}");
}

#[test]
fn what_is_kept_is_what_is_found_from_nothing_after_every_change() {
    let place = Place::new();
    place.write_team("PAY", &LEDGER);
    place.run();
    assert!(place.kept() > 0);
    let first = place.report();
    place.run();
    assert_eq!(place.report(), first, "nothing changed");
    place.write_team("FIND", &SEARCH);
    place.run();
    let grown = place.report();
    assert_ne!(grown, first);
    std::fs::remove_file(place.path("wiki/PAY/ledger-audit.md")).unwrap();
    place.write("PAY/ledger-batch.md", "# ledger-batch\n\nThe `ledger-batch` depends on `search-index`.\n");
    place.done(&["pipeline", "wiki", "--quiet", "--accept-deletes"]);
    let changed = place.report();
    assert_ne!(changed, grown);
    assert_eq!(changed, place.report_anew(), "from nothing, where nothing is kept");
    place.run();
    assert!(place.kept() > 0, "kept again by the next run");
    assert_eq!(changed, place.report());
}

#[test]
fn a_model_names_communities_where_one_is_set_and_as_many_as_are_wanted() {
    let Some(mock) = Mock::start(&[]) else { return };
    let mut place = Place::new();
    place.write_team("PAY", &LEDGER);
    place.write_team("FIND", &SEARCH);
    let model = |wanted: &str| {
        vec![
            ("HIGHWATER_MODEL", "compatible/mock".to_owned()),
            ("HIGHWATER_MODEL_URL", mock.url()),
            ("HIGHWATER_COMMUNITY_SUMMARIES", wanted.to_owned()),
        ]
    };
    place.settings = model("0");
    place.run();
    assert_eq!(with(&place.report(), "ledger-api")["named_by"], "entities");
    place.settings = model("50");
    place.run();
    let report = place.report();
    for name in ["ledger-api", "search-cache"] {
        let card = with(&report, name);
        assert_eq!(card["named_by"], "model", "{card}");
        assert!(card["summary"].as_str().unwrap().contains(" depends on "), "{card}");
    }
    let name = with(&report, "ledger-api")["name"].as_str().unwrap();
    for said in [place.done(&["report", "communities"]), place.done(&["show", "ledger-store"])] {
        assert!(said.contains(name) && said.contains("by a model: "), "{said}");
    }
    let answered = mock.stats().answered();
    place.run();
    assert_eq!(mock.stats().answered(), answered, "what is named is not asked about again");
    // Nobody is asked any more, and what was answered is told on.
    place.settings = Vec::new();
    place.run();
    assert_eq!(place.report(), report);
    assert_eq!(place.report_anew(), report, "it is in the journal");
}
