//! What a gardener is told, through the built program: where pages disagree (judged by a model or by rule, met in one run
//! or across two), what is cited and left alone, what nobody finds; and that a user is told of his own pages only.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod mock;

use highwater::error::Result;
use highwater::job;
use highwater::plan::Limits;
use highwater::sources::Ask;
use highwater::state::State;
use highwater::world::{Task, World};
use jiff::SignedDuration;
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, RawPage};
use knowledge::record::{Listed, Record};
use knowledge::time::{Timestamp, parse};
use mock::Mock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};

/// A wiki of JSON lines and whom it asks.
struct Place<'a> {
    folder: TempDir,
    mock: Option<&'a Mock>,
}

/// A page: id, title, date, body.
type Line<'a> = (&'a str, &'a str, &'a str, &'a str);

impl<'a> Place<'a> {
    fn new(mock: Option<&'a Mock>) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), mock };
        std::fs::create_dir(place.folder.path().join("wiki")).unwrap();
        place
    }

    fn write(&self, pages: &[Line<'_>]) {
        let line = |(id, title, modified, body): &Line<'_>| {
            let page = json!({
                "id": id, "space": "OPS", "title": title, "modified": format!("{modified}T09:00:00Z"),
                "author": "ann", "editor": "bob", "link": format!("wiki/{id}"), "body_storage": body,
            });
            page.to_string()
        };
        let lines: Vec<String> = pages.iter().map(line).collect();
        std::fs::write(self.folder.path().join("wiki/pages.jsonl"), lines.join("\n")).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).args(arguments).env("HIGHWATER_EMBEDDING", "none");
        if let Some(mock) = self.mock {
            command.env("HIGHWATER_MODEL", "compatible/mock").env("HIGHWATER_MODEL_URL", mock.url());
        }
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes the pages and brings the graph up to date with them.
    fn bring(&self, pages: &[Line<'_>]) {
        self.write(pages);
        self.done(&["pipeline", "wiki", "--quiet"]);
    }

    fn report(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[&["report"], words, &["--json"]].concat())).unwrap()
    }

    /// The only contradiction there is.
    fn contradiction(&self) -> Value {
        let report = self.report(&["contradictions"]);
        assert_eq!(report["found"], 1, "{report}");
        report["first"][0].clone()
    }
}

const OLD: Line<'_> =
    ("1", "On call", "2025-01-10", "<p>Payment Gateway is owned by Risk Team.</p><p>Ring the bell.</p>");
const NEW: Line<'_> = ("2", "Payments", "2025-06-10", "<p>Payment Gateway is owned by Growth Team.</p>");

/// The pair of `OLD` and `NEW`, the later one first, with all that a gardener needs to fix it.
fn is_the_pair(found: &Value) {
    let sides = &found["sides"];
    assert_eq!((&sides[0]["object"], &sides[1]["object"]), (&json!("Growth Team"), &json!("Risk Team")));
    assert_eq!(sides[0]["subject"], "Payment Gateway");
    let old = &sides[1]["said_by"][0];
    assert_eq!(old["sentence"], "Payment Gateway is owned by Risk Team.");
    assert_eq!((&old["page"], &old["title"], &old["space"]), (&json!("1"), &json!("On call"), &json!("OPS")));
    assert_eq!(
        (&old["author"], &old["editor"], &old["link"]),
        (&json!("ann"), &json!("bob"), &json!("wiki/1"))
    );
    assert_eq!(old["touched"].as_str().unwrap().get(..10), Some("2025-01-10"));
    assert_eq!(sides[0]["said_by"][0]["said_since"].as_str().unwrap().get(..10), Some("2025-06-10"));
}

#[test]
fn a_contradiction_inside_one_run_is_told_and_which_side_the_graph_takes() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(Some(&mock));
    place.bring(&[OLD, NEW]);
    let found = place.contradiction();
    is_the_pair(&found);
    assert_eq!((&found["judged"], &found["spoken_of_by"]), (&json!(true), &json!(2)));
    assert_eq!((&found["sides"][0]["holds"], &found["sides"][1]["holds"]), (&json!(true), &json!(false)));
}

#[test]
fn a_contradiction_across_runs_is_told_and_goes_with_the_sentence() {
    let Some(mock) = Mock::start(&[]) else { return };
    let place = Place::new(Some(&mock));
    place.bring(&[OLD]);
    assert_eq!(place.report(&["contradictions"])["found"], 0);
    place.bring(&[OLD, NEW]);
    let found = place.contradiction();
    is_the_pair(&found);
    assert_eq!(found["judged"], true);
    let fixed = ("1", "On call", "2025-07-10", "<p>Payment Gateway is owned by Growth Team.</p>");
    place.bring(&[fixed, NEW]);
    assert_eq!(place.report(&["contradictions"])["found"], 0);
}

#[test]
fn without_a_model_two_values_of_what_has_one_are_told_and_both_hold() {
    for runs in [&[&[OLD, NEW][..]][..], &[&[OLD], &[OLD, NEW]]] {
        let place = Place::new(None);
        runs.iter().for_each(|pages| place.bring(pages));
        let found = place.contradiction();
        is_the_pair(&found);
        assert_eq!(found["judged"], false);
        assert_eq!((&found["sides"][0]["holds"], &found["sides"][1]["holds"]), (&json!(true), &json!(true)));
    }
}

#[test]
fn what_the_texts_themselves_set_apart_in_time_is_no_contradiction() {
    let over = |text| ("1", "On call", "2025-01-10", text);
    let place = Place::new(None);
    place.bring(&[over("<p>Payment Gateway is owned by Risk Team until 2025-06-01.</p>"), NEW]);
    assert_eq!(place.report(&["contradictions"])["found"], 0);
    // Several values of what may have several are none either.
    let needs = |id, what: &str| format!("<p>Payment Gateway depends on {what} {id}.</p>");
    let (one, other) = (needs("Lake", "Data"), needs("Store", "Cold"));
    place.bring(&[("3", "A", "2025-01-10", &one), ("4", "B", "2025-01-11", &other)]);
    assert_eq!(place.report(&["contradictions"])["found"], 0);
}

#[test]
fn a_text_is_no_contradiction_to_the_same_and_more_unless_a_word_turns_it() {
    let body = |status: &str| {
        format!(
            "<table><tbody><tr><th>Service</th><th>Status</th></tr>\
             <tr><td>Payment Gateway</td><td>{status}</td></tr></tbody></table>"
        )
    };
    let told = |one: &str, other: &str| {
        let place = Place::new(None);
        let (one, other) = (body(one), body(other));
        place.bring(&[("1", "May", "2025-05-10", &one), ("2", "June", "2025-06-10", &other)]);
        let shown = place.done(&["show", "Payment Gateway"]);
        assert_eq!(shown.matches("— status →").count(), 2, "{shown}");
        place.report(&["contradictions"])["found"].clone()
    };
    let more = "Metrics of the day are inaccurate. Increased data lag in the lake.";
    assert_eq!(told("Metrics of the day are inaccurate.", more), 0);
    assert_eq!(told(more, "metrics of the day are inaccurate"), 0);
    assert_eq!(told("active", "not active"), 1);
    assert_eq!(told("active", "retired"), 1);
}

#[test]
fn a_page_of_one_word_disagrees_with_a_row_and_with_a_sentence_about_it() {
    let row = |header: &str, name: &str, owner: &str| {
        format!(
            "<table><tr><th>{header}</th><th>Owner</th></tr><tr><td>{name}</td><td>{owner}</td></tr></table>"
        )
    };
    let own = row("Property", "Scope", "Money") + "<p><strong>Owner:</strong> Team Red</p>";
    let (in_row, about_backup) =
        (row("Service", "Ledger", "Team Blue"), row("Service", "Backup", "Team Blue"));
    let said = "<p>Ledger is owned by Team Blue.</p>";
    for (title, other, found) in [("Ledger", &*in_row, 1), ("Ledger", said, 1), ("Backup", &*about_backup, 0)]
    {
        let place = Place::new(None);
        place.bring(&[("1", title, "2025-05-10", &own), ("2", "What was handed over", "2025-06-10", other)]);
        let report = place.report(&["contradictions"]);
        assert_eq!(report["found"], found, "{title}: {report:#}\n{}", place.done(&["show", title]));
    }
}

#[test]
fn what_most_pages_speak_of_is_told_first() {
    let place = Place::new(None);
    let said = |subject: &str, team: &str| format!("<p>{subject} is owned by {team} Team.</p>");
    let bodies = [
        said("Ledger Gateway", "Risk"),
        said("Ledger Gateway", "Growth"),
        said("Orders Worker", "Risk"),
        said("Orders Worker", "Growth"),
        "<p>Orders Worker depends on Ledger Store. Nothing else does.</p>".to_owned(),
    ];
    let ids = ["1", "2", "3", "4", "5"];
    let pages: Vec<Line<'_>> =
        ids.iter().zip(&bodies).map(|(id, body)| (*id, *id, "2025-01-10", &**body)).collect();
    place.bring(&pages);
    let report = place.report(&["contradictions"]);
    let subject = |at: usize| report["first"][at]["sides"][0]["subject"].clone();
    assert_eq!((subject(0), subject(1)), (json!("Orders Worker"), json!("Ledger Gateway")));
    let first = place.report(&["contradictions", "--limit", "1"]);
    assert_eq!((first["found"].as_u64(), first["first"].as_array().unwrap().len()), (Some(2), 1));
}

/// Old pages that are cited, by a link and by the same subject, old pages that are not, and a fresh one.
fn neglected() -> [Line<'static>; 5] {
    [
        ("1", "Ledger", "2019-01-10", "<p>Ledger Gateway is owned by Risk Team.</p>"),
        ("2", "Orders", "2018-01-10", "<p>Orders Worker is owned by Growth Team.</p>"),
        ("3", "Lonely", "2017-01-10", "<p>Audit Trail is owned by Night Watch.</p>"),
        (
            "4",
            "Fresh",
            "2999-01-10",
            "<p>Catalog Proxy depends on Ledger Gateway.</p><p>See <ac:link><ri:page ri:content-title=\"Ledger\" /></ac:link> \
             and <ac:link><ri:page ri:content-title=\"Orders\" /></ac:link>.</p>",
        ),
        (
            "5",
            "Also fresh",
            "2999-01-11",
            "<p>Shipping Planner depends on Ledger Gateway.</p><p>See <ac:link><ri:page ri:content-title=\"Fresh\" />\
             </ac:link>.</p>",
        ),
    ]
}

#[test]
fn stale_facts_are_those_that_others_cite_most_cited_first() {
    let place = Place::new(None);
    place.bring(&neglected());
    let report = place.report(&["stale"]);
    let told: Vec<(&str, u64)> = report["first"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stale| (stale["subject"].as_str().unwrap(), stale["cited_by"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("Ledger Gateway", 2), ("Orders Worker", 1)], "{report:#}");
    assert_eq!(report["first"][0]["said_by"][0]["editor"], "bob");
    let citing = &report["first"][1]["citing"];
    assert_eq!(citing, &json!([{ "page": "4", "title": "Fresh" }]));
    // Who says the same today keeps it fresh.
    let mut pages = neglected().to_vec();
    pages.push(("6", "Newest", "2999-01-12", "<p>Ledger Gateway is owned by Risk Team.</p>"));
    place.bring(&pages);
    assert_eq!(place.report(&["stale"])["first"][0]["subject"], "Orders Worker");
    assert_eq!(place.report(&["stale", "--months", "1200"])["found"], 0);
}

#[test]
fn orphans_are_pages_that_nothing_leads_to_and_names_that_nobody_explains() {
    let place = Place::new(None);
    place.bring(&neglected());
    let report = place.report(&["orphans"]);
    let pages: Vec<&str> = report["pages"]["first"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| page["page"].as_str().unwrap())
        .collect();
    assert_eq!(pages, ["3", "5"], "longest untouched first: {report:#}");
    let mut pages = neglected().to_vec();
    pages.push(("6", "Third", "2999-01-12", "<p>Metrics Lake depends on Cold Storage.</p>"));
    pages.push(("7", "Fourth", "2999-01-12", "<p>Catalog Proxy depends on Cold Storage.</p>"));
    pages.push(("8", "Fifth", "2999-01-12", "<p>Audit Trail depends on Cold Storage.</p>"));
    place.bring(&pages);
    let report = place.report(&["orphans"]);
    let named: Vec<&Value> =
        report["unexplained"]["first"].as_array().unwrap().iter().map(|thing| &thing["name"]).collect();
    assert_eq!(named, ["Cold Storage"], "{report:#}");
}

/// What is in a folder, by path.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(tree(&path)),
            false => drop(found.insert(path.display().to_string(), std::fs::read(&path).unwrap())),
        }
    }
    found
}

#[test]
fn a_report_is_told_in_words_and_changes_nothing() {
    let place = Place::new(None);
    let mut pages = neglected().to_vec();
    pages.extend([("11", OLD.1, OLD.2, OLD.3), ("12", NEW.1, NEW.2, NEW.3)]);
    place.bring(&pages);
    let before = tree(&place.folder.path().join("vault"));
    let told = place.done(&["report", "contradictions"]);
    assert!(told.contains("Payment Gateway — owned by: Growth Team or Risk Team?"), "{told}");
    assert!(told.contains("touched 2025-01-10 by bob, made by ann, wiki/11"), "{told}");
    let told = place.done(&["report", "stale"]);
    assert!(told.contains("cited by “Fresh” (4), “Also fresh” (5)"), "{told}");
    let said = place.done(&["report", "orphans"]);
    assert!(
        said.starts_with("pages that nothing leads to:\n") && said.contains("\n  page “Lonely” (3)"),
        "{said}"
    );
    assert_eq!(tree(&place.folder.path().join("vault")), before);
    // Nobody has read any groups: whoever is named is refused, and nothing is told.
    let refused = place.run(&["report", "contradictions", "--as", "ann"]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0));
}

/// A wiki whose page `2` only `ann` may see.
#[derive(Clone)]
struct Guarded;

impl World for Guarded {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let pages =
            [OLD, NEW, ("3", "Links", "2025-06-11", "<p>Payment Gateway depends on Cold Storage.</p>")];
        ready(Ok(match task {
            Task::Read(Ask::List { sweep, .. }) => {
                let listed = |(id, ..): &Line<'_>| PageRef {
                    id: PageId::new(*id),
                    space: SpaceKey::new("OPS"),
                    version: Some(Version(1)),
                    history: Vec::new(),
                    above: None,
                    fingerprint: String::new(),
                    locator: String::new(),
                };
                let only = Rule::Only { users: [PersonKey::new("ann")].into(), groups: Default::default() };
                let members = [PersonKey::new("ann"), PersonKey::new("bob")].into();
                vec![Record::Listed(Listed {
                    sweep,
                    wiki: "guarded".to_owned(),
                    pages: pages.iter().map(listed).collect(),
                    layers: vec![Layer { id: LayerId::Page(PageId::new("2")), rule: only }],
                    groups: vec![Group { name: "all".to_owned(), members }],
                    ..Listed::default()
                })]
            }
            Task::Read(Ask::Fetch { page, version, .. }) => {
                let (id, title, modified, body) = pages.iter().find(|(id, ..)| *id == page.as_str()).unwrap();
                vec![Record::Fetched(Box::new(RawPage {
                    id: PageId::new(*id),
                    space: SpaceKey::new("OPS"),
                    kind: PageKind::Page,
                    version,
                    title: (*title).to_owned(),
                    format: BodyFormat::Storage,
                    body: (*body).to_owned(),
                    created: None,
                    modified: parse(modified),
                    author: None,
                    editor: None,
                    parent: None,
                    ancestors: Vec::new(),
                    labels: Vec::new(),
                    attachments: Vec::new(),
                    link: None,
                    historical: false,
                }))]
            }
            _ => Vec::new(),
        }))
    }

    fn now(&self) -> Timestamp {
        parse("2026-11-27").unwrap()
    }

    async fn wait_until(&self, _: Timestamp) {}
}

#[test]
fn a_user_is_told_of_what_his_own_pages_disagree_about_cite_and_hide() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new(VaultId::new([7; 16]), "test");
    let path = folder.path().join("state.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (store, mut state) = (MemoryStore::new(), State::open(&path, &identity.id.to_string()).unwrap());
        vault::init(&store, &identity).await.unwrap();
        let mut vault =
            Vault::open(store.clone(), Writer::default(), Nonce::new([1; 16]), Guarded.now()).await.unwrap();
        state.catch_up(&store).await.unwrap();
        job::run(&Guarded, &mut vault, &mut state, &Limits::default()).await.unwrap();
        job::end(&Guarded, &mut vault, &mut state, &Limits::default()).await.unwrap();
    });
    let now = Guarded.now();
    let seen_by = |user: &str| {
        let state = State::open_to_read(&path).unwrap().unwrap();
        let viewer = state.viewer(user, now, SignedDuration::from_hours(24)).unwrap();
        state.seen_by(&viewer).unwrap()
    };
    let (ann, bob) = (seen_by("ann"), seen_by("bob"));
    let found = ann.contradictions(now, 10).unwrap();
    assert_eq!((found.found, found.first[0].spoken_of_by), (1, 3));
    assert_eq!(bob.contradictions(now, 10).unwrap().found, 0, "he sees one side");
    let stale = |state: &State| -> Vec<(String, usize)> {
        let listing = state.stale((now, now), 10).unwrap();
        listing.first.into_iter().map(|stale| (stale.statement.object, stale.cited_by)).collect()
    };
    let of = |object: &str, cited: usize| (object.to_owned(), cited);
    // Equally cited: what was left alone longer comes first.
    assert_eq!(stale(&ann), [of("Risk Team", 2), of("Growth Team", 2), of("Cold Storage", 2)]);
    assert_eq!(stale(&bob), [of("Risk Team", 1), of("Cold Storage", 1)]);
    let orphans = |state: &State| state.orphans(10).unwrap().pages.found;
    assert_eq!((orphans(&ann), orphans(&bob)), (3, 2));
}
