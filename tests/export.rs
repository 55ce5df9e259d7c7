//! What `export` writes: whole, in one order, the same from the same vault, and of what a user may see alone.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod doors;
mod servers;

use highwater::state::State;
use serde_json::{Map, Value};
use servers::{Place, talk};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

/// A place with a graph of three pages, one of them hidden from some.
fn hidden_place() -> Place {
    let place = Place::new(0);
    doors::write(place.folder.path());
    place.done(&["pipeline", "wiki", "--quiet"]);
    place
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

/// A page of the folder with a day and an owner.
fn page(day: &str, owner: &str) -> String {
    format!(
        "---\nupdated: {day}\n---\n# ledger-service\n\n| Property | Value |\n|---|---|\n| Owner | {owner} |\n\n\
         The `ledger-service` depends on `broker`. \u{85}It is \u{2028}old.\n"
    )
}

/// A place whose page was edited, and where another one is gone.
fn edited_place() -> Place {
    let place = Place::new(3);
    place.settings("embedding = \"none\"\n");
    let write = |name: &str, text: &str| std::fs::write(place.path("wiki/OPS").join(name), text).unwrap();
    write("ledger-service.md", &page("2024-01-01", "Team Red"));
    write("broker.md", "# broker\n\nThe `broker` is owned by Team Green.\n");
    place.done(&["pipeline", "wiki", "--quiet"]);
    write("ledger-service.md", &page("2024-07-01", "Team Blue"));
    std::fs::remove_file(place.path("wiki/OPS/broker.md")).unwrap();
    place.done(&["pipeline", "wiki", "--quiet"]);
    place
}

#[test]
fn every_line_has_its_place_and_every_id_is_that_of_a_line() {
    let place = edited_place();
    let text = place.done(&["export", "--with", "passages", "--with", "communities", "--quiet"]);
    let lines = lines(&text);
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let order: BTreeMap<&str, usize> =
        ["meta", "entity", "fact", "community", "passage", "page", "end"].into_iter().zip(0..).collect();
    assert!(kinds.is_sorted_by_key(|kind| order[kind]), "{kinds:?}");
    let (meta, end) = (&lines[0], lines.last().unwrap());
    assert_eq!((&meta["kind"], &meta["format"], &meta["viewer"]), (&"meta".into(), &1.into(), &Value::Null));
    let id = |line: &Value| line["id"].as_str().unwrap().to_owned();
    for (kind, counted) in [
        ("entity", "entities"),
        ("fact", "facts"),
        ("community", "communities"),
        ("passage", "passages"),
        ("page", "pages"),
    ] {
        let ids: Vec<String> = of_kind(&lines, kind).into_iter().map(id).collect();
        assert!(!ids.is_empty() && ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == ids.len());
        assert_eq!(end[counted], ids.len(), "{kind}");
    }
    let all = |kind: &str| -> BTreeSet<String> { of_kind(&lines, kind).into_iter().map(id).collect() };
    let (entities, passages, pages) = (all("entity"), all("passage"), all("page"));
    for fact in of_kind(&lines, "fact") {
        assert_eq!(fact["object"].is_null(), fact["value"].is_string(), "{fact}");
        let supports = fact["supports"].as_array().unwrap();
        let is_said = supports.iter().any(|said| said["ended"].is_null());
        assert!(!is_said || entities.contains(fact["subject"]["id"].as_str().unwrap()), "{fact}");
        assert!(!supports.is_empty() && (fact["asserted_to"].is_null() || !is_said), "{fact}");
        for said in supports {
            assert!(passages.contains(said["chunk"].as_str().unwrap()), "{said}");
            assert!(pages.contains(said["page"].as_str().unwrap()), "{said}");
        }
    }
    for community in of_kind(&lines, "community") {
        let members = community["members"].as_array().unwrap();
        assert!(members.len() > 1, "{community}");
        assert!(members.iter().all(|member| entities.contains(member.as_str().unwrap())), "{community}");
        assert_eq!((&community["level"], &community["parent"]), (&0.into(), &Value::Null), "{community}");
    }
    let state = State::open_to_read(&place.path("highwater.db")).unwrap().unwrap();
    let counts = state.counts().unwrap();
    assert_eq!(
        (end["entities"].as_u64(), end["pages"].as_u64()),
        (Some(counts.entities), Some(counts.pages + 1))
    );
    let held = of_kind(&lines, "fact").into_iter().filter(|fact| fact["withdrawn"] == false).count();
    assert_eq!(held as u64, counts.facts);
    assert_eq!(meta["seq"], state.applied().unwrap().get());
}

#[test]
fn facts_come_with_both_clocks_and_at_a_time_only_those_of_that_time() {
    let place = edited_place();
    let owners = |flags: &[&str]| -> Vec<Value> {
        let lines = lines(&place.done(&[&["export", "--quiet"], flags].concat()));
        let owned =
            |fact: &&Value| fact["subject"]["name"] == "ledger-service" && fact["relation"] == "owned_by";
        let mut owners: Vec<Value> = of_kind(&lines, "fact").into_iter().filter(owned).cloned().collect();
        owners.sort_by_key(|fact| fact["object"]["name"].to_string());
        owners
    };
    let all = owners(&[]);
    let names = |facts: &[Value]| -> Vec<String> {
        facts.iter().map(|fact| fact["object"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&all), ["Team Blue", "Team Red"], "{all:?}");
    let (blue, red) = (&all[0], &all[1]);
    let day = |at: &Value| at.as_str().unwrap_or("-")[..].get(..10).unwrap_or("-").to_owned();
    assert_eq!(
        (day(&red["asserted_from"]), day(&red["asserted_to"])),
        ("2024-01-01".into(), "2024-07-01".into())
    );
    assert_eq!(
        (day(&red["invalid_at"]), &red["supports"][0]["ended"]),
        ("2024-07-01".into(), &"replaced".into())
    );
    assert_eq!((day(&blue["asserted_from"]), &blue["asserted_to"]), ("2024-07-01".into(), &Value::Null));
    assert!(red["created_at"].is_string() && red["extractor"] == "structural", "{red}");
    assert_eq!(names(&owners(&["--as-of", "2024-03-01"])), ["Team Red"]);
    let said = owners(&["--wiki-at", "2024-03-01"]);
    assert_eq!(names(&said), ["Team Red"]);
    // Nobody knew then that it would end.
    let nothing = (&Value::Null, &Value::Null, &Value::Null);
    let known = (&said[0]["invalid_at"], &said[0]["asserted_to"], &said[0]["supports"][0]["ended"]);
    assert_eq!(known, nothing, "{said:?}");
    assert_eq!(names(&owners(&["--wiki-at", "2024-08-01", "--as-of", "2024-08-01"])), ["Team Blue"]);
    let none = lines(&place.done(&["export", "--wiki-at", "2020-01-01", "--with", "passages", "--quiet"]));
    assert!(of_kind(&none, "fact").iter().all(|fact| fact["subject"]["name"] != "ledger-service"));
    for wrong in
        [&["export", "--as-of", "soon"][..], &["export", "--with", "communities", "--as-of", "2024-03-01"]]
    {
        let refused = place.run(wrong);
        assert_eq!(refused.status.code(), Some(2), "{}", talk(&refused));
    }
}

#[test]
fn the_same_vault_gives_the_same_bytes_whatever_became_of_the_state() {
    let place = edited_place();
    let ways: [&[&str]; 4] = [
        &["export", "--with", "passages", "--quiet"],
        &["export", "--with", "communities", "--quiet"],
        &["export", "--as-of", "2024-03-01", "--quiet"],
        &["export", "--wiki-at", "2024-03-01", "--with", "passages", "--quiet"],
    ];
    let written = || ways.map(|way| place.done(way));
    let before = written();
    assert_eq!(written(), before);
    place.done(&["vault", "rebuild", "--quiet"]);
    assert_eq!(written(), before);
    std::fs::remove_file(place.path("highwater.db")).unwrap();
    assert_eq!(written(), before);
    // One line is one line for whoever splits at any end of line there is.
    assert!(!before[0].contains(['\u{85}', '\u{2028}', '\r']), "raw ends of lines");
}

#[test]
fn what_is_hidden_from_a_user_is_in_no_line() {
    let place = hidden_place();
    let everything = ["export", "--with", "passages", "--with", "communities", "--quiet"];
    let written = |user: &[&str]| place.done(&[&everything, user].concat());
    let (all, ann, bob) = (written(&[]), written(&["--as", doors::ANN]), written(&["--as", doors::BOB]));
    assert!(ann.to_lowercase().contains("team zanzibar") && all.to_lowercase().contains("team zanzibar"));
    assert!(!bob.to_lowercase().contains(doors::SECRET), "{bob}");
    assert!(bob.contains("Team Blue") && bob.contains("Team Green"));
    // Who may see all of it is given all of it, but for whose it is and when it was held.
    let plain = |text: &str| -> Vec<Map<String, Value>> {
        let own = ["created_at", "expired_at", "viewer"];
        let strip = |line: Value| {
            let Value::Object(mut line) = line else { panic!("no object: {line}") };
            own.iter().for_each(|name| drop(line.remove(*name)));
            line
        };
        lines(text).into_iter().map(strip).collect()
    };
    assert_eq!(plain(&ann), plain(&all));
    assert_eq!(lines(&bob)[0]["viewer"], doors::BOB);
    assert_eq!(of_kind(&lines(&bob), "page").len(), 2);
    // What belongs together is worked out from what he may see: `report communities` tells him the same.
    let told = place.json(&["report", "communities", "--members", "5000", "--json", "--as", doors::BOB]);
    let told = told["first"].as_array().unwrap().iter().map(|found| found["community"].clone());
    let written: Vec<Value> =
        of_kind(&lines(&bob), "community").iter().map(|line| line["id"].clone()).collect();
    let mut told: Vec<Value> = told.collect();
    told.sort_by_key(Value::to_string);
    assert_eq!((told.is_empty(), &told), (false, &written));
    let nobody = place.run(&["export", "--as", "eve"]);
    assert_eq!((nobody.status.code(), nobody.stdout.len()), (Some(1), 0), "{}", talk(&nobody));
}

#[test]
fn a_file_is_written_whole_or_stays_as_it_was() {
    let place = hidden_place();
    let stdout = place.done(&["export", "--quiet"]);
    let output = place.run(&["export", "--to", "graph.jsonl"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", talk(&output));
    assert!(talk(&output).contains(" facts, 3 pages"), "{}", talk(&output));
    assert_eq!(std::fs::read_to_string(place.path("graph.jsonl")).unwrap(), stdout);
    // A link stays a link, and a new export takes the place of the old one.
    std::os::unix::fs::symlink("graph.jsonl", place.path("latest.jsonl")).unwrap();
    place.done(&["export", "--as", doors::BOB, "--to", "latest.jsonl", "--quiet"]);
    assert!(place.path("latest.jsonl").symlink_metadata().unwrap().is_symlink());
    let bob = std::fs::read_to_string(place.path("graph.jsonl")).unwrap();
    assert!(bob.len() < stdout.len() && bob.contains("\"viewer\":\"bob\""));
    for (to, words) in [
        ("wiki", "no file"),
        ("/dev/null", "no file"),
        ("nowhere/graph.jsonl", "there is no folder `nowhere`"),
    ] {
        let refused = place.run(&["export", "--to", to]);
        assert!(!refused.status.success() && talk(&refused).contains(words), "{to}: {}", talk(&refused));
        assert!(!talk(&refused).contains(".tmp"), "{to}: {}", talk(&refused));
    }
    let failed = place.run(&["export", "--as", "eve", "--to", "graph.jsonl"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(place.path("graph.jsonl")).unwrap(), bob);
    let left = std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "something is left");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new(60);
    place.settings("embedding = \"none\"\n");
    place.done(&["pipeline", "wiki", "--quiet"]);
    let mut command = place.command(&["export", "--with", "passages"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", talk(&output));
    assert!(first.starts_with(b"{\"kind\":\"meta\""));
}

/// The tables of the page that says what lines hold, by kind, and its examples.
fn documented() -> (BTreeMap<String, BTreeSet<String>>, Vec<Value>) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.md")).unwrap();
    let (mut tables, mut examples, mut kind) = (BTreeMap::new(), Vec::new(), String::new());
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("## `") {
            kind = named.trim_end_matches('`').to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let field = row.split('`').next().unwrap().to_owned();
            tables.entry(kind.clone()).or_insert_with(BTreeSet::new).insert(field);
        } else if line.starts_with('{') {
            examples.push(serde_json::from_str(line).unwrap());
        }
    }
    (tables, examples)
}

/// Fields of a line, those within it behind the name of where they are.
fn fields(line: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, value) in line.as_object().unwrap() {
        found.insert(name.clone());
        let within = match value {
            Value::Array(items) => items.first(),
            // A key is whatever the wiki has.
            other => Some(other),
        };
        if let Some(Value::Object(inner)) = within {
            found.extend(inner.keys().map(|inner| format!("{name}.{inner}")));
        }
    }
    found.remove("kind");
    found
}

#[test]
fn the_page_about_the_format_names_every_field_and_its_examples_are_lines() {
    let (tables, examples) = documented();
    let kinds = ["community", "end", "entity", "fact", "meta", "page", "passage"];
    assert_eq!(tables.keys().collect::<Vec<_>>(), kinds);
    let place = edited_place();
    let written = lines(&place.done(&["export", "--with", "passages", "--with", "communities", "--quiet"]));
    for line in examples.iter().chain(&written) {
        let kind = line["kind"].as_str().unwrap();
        let unknown: Vec<String> = fields(line).difference(&tables[kind]).cloned().collect();
        assert!(unknown.is_empty(), "`{kind}`: {unknown:?} of {line} are not in its table");
    }
    for kind in kinds {
        let shown = examples.iter().filter(|line| line["kind"] == kind).map(fields);
        let shown: BTreeSet<String> = shown.flatten().collect();
        assert_eq!(shown, tables[kind], "the example of `{kind}` shows every field");
    }
}
