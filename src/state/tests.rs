//! The fold by itself: records in, rows out.

use super::search::{Found, Query};
use super::*;
use crate::error::Kind as Kind_;
use knowledge::audience::{Layer, LayerId, Rule};
use knowledge::chunk::{Chunk, Form};
use knowledge::graph::{
    Change, Claim, End, Ended, Episode, Extractor, Fact, Judgement, Kind, Likeness, Mention, Node, Object,
    Reading, Support,
};
use knowledge::id::{ChunkId, EntityId, FactId, NodeId, PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, Person, RawPage};
use knowledge::record::*;
use knowledge::time::parse;
use vault::{Digest, Entry, Event, Ordinal, Segment, Term};

pub(super) fn state() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::open(&folder.path().join("state.db"), "one").unwrap();
    (folder, state)
}

pub(super) fn segment(first: u64, records: Vec<Record>) -> Segment<Record> {
    let at = parse("2026-01-01").unwrap();
    let entry =
        |(index, record)| Entry { seq: Seq::new(first + index as u64), at, event: Event::Record(record) };
    Segment {
        position: vault::Position { ordinal: Ordinal::new(first), digest: Digest::of(&first.to_le_bytes()) },
        term: Term::new(1),
        entries: records.into_iter().enumerate().map(entry).collect(),
        bytes: 0,
    }
}

pub(super) fn listed(pages: &[(&str, &str)], people: &[(&str, &str)]) -> Record {
    let page = |(id, fingerprint): &(&str, &str)| PageRef {
        id: PageId::new(*id),
        space: SpaceKey::new("OPS"),
        version: None,
        history: Vec::new(),
        above: None,
        fingerprint: (*fingerprint).to_owned(),
        locator: String::new(),
    };
    let person = |(key, name): &(&str, &str)| Person {
        key: PersonKey::new(*key),
        name: (*name).to_owned(),
        also: Vec::new(),
    };
    Record::Listed(Listed {
        sweep: 1,
        wiki: "folder:test".to_owned(),
        pages: pages.iter().map(page).collect(),
        people: people.iter().map(person).collect(),
        ..Listed::default()
    })
}

pub(super) fn worklist(pages: &[&str]) -> Record {
    let item = |id: &&str| Item {
        page: PageId::new(*id),
        space: SpaceKey::new("OPS"),
        work: Work::Fetch { versions: vec![Version(1)], locator: String::new(), fingerprint: "a".to_owned() },
    };
    Record::Worklist(Worklist { sweep: 1, epoch_pages: 2, items: pages.iter().map(item).collect() })
}

pub(super) fn fetched(id: &str) -> Record {
    Record::Fetched(Box::new(RawPage {
        id: PageId::new(id),
        space: SpaceKey::new("OPS"),
        kind: PageKind::Page,
        version: Version(1),
        title: format!("Page {id}"),
        format: BodyFormat::Plain,
        body: "text".to_owned(),
        created: None,
        modified: None,
        author: None,
        editor: None,
        parent: None,
        ancestors: Vec::new(),
        labels: Vec::new(),
        attachments: Vec::new(),
        link: None,
        historical: false,
    }))
}

/// One chunk that says that a person owns a service.
pub(super) fn cut(id: &str) -> (ChunkId, Record) {
    let path = vec![format!("Page {id}")];
    let text = "The ledger-service is owned by @{u1}.".to_owned();
    let chunk = Chunk {
        id: Chunk::identity(&PageId::new(id), &path, &text, 0),
        form: Form::Text,
        path,
        text: text.clone(),
        occurrence: 0,
    };
    let mention = |name: &str, kind: Kind| Mention { name: name.to_owned(), kind, key: None };
    let claim = Claim {
        subject: 0,
        relation: "owned_by".to_owned(),
        object: Object::Named(1),
        sentence: text,
        valid_at: None,
        invalid_at: None,
        single: false,
        extractor: Extractor::Structural,
    };
    let mentions = vec![mention("ledger-service", Kind::COMPONENT), mention("u1", Kind::PERSON)];
    let reading = Reading { mentions, claims: vec![claim] };
    let cut = Cut {
        page: PageId::new(id),
        version: Version(1),
        reader: 1,
        chunker: 1,
        structure: 1,
        chunks: vec![Piece::New { chunk: chunk.clone(), reading }],
        warnings: Vec::new(),
    };
    (chunk.id, Record::Cut(cut))
}

/// The graph changes that hold what `cut` says.
pub(super) fn changes(chunk: ChunkId) -> Vec<Change> {
    let node = |name: &str, kind: Kind, key| Node {
        id: NodeId::of(&[name.as_bytes()]),
        name: name.to_owned(),
        normal: name.to_owned(),
        kind,
        space: None,
        key,
    };
    let service = node("ledger-service", Kind::COMPONENT, None);
    let person = node("u1", Kind::PERSON, Some(knowledge::graph::Key::Person(PersonKey::new("u1"))));
    let group = |node: &Node| Change::Group {
        entity: EntityId(node.id),
        nodes: vec![node.id],
        name: node.name.clone(),
        kind: node.kind.clone(),
    };
    let fact = FactId::of(&[b"fact"]);
    vec![
        Change::Episode(Episode { chunk, valid_at: None, end: None }),
        Change::Node(service.clone()),
        Change::Node(person.clone()),
        Change::Mention { node: service.id, chunk },
        Change::Mention { node: person.id, chunk },
        group(&service),
        group(&person),
        Change::Fact(Fact {
            id: fact,
            subject: service.id,
            relation: "owned_by".to_owned(),
            object: Object::Named(person.id),
            run: 0,
            extractor: Extractor::Structural,
        }),
        Change::Support(Support {
            fact,
            chunk,
            page: None,
            sentence: "The ledger-service is owned by @{u1}.".to_owned(),
            valid_at: None,
            invalid_at: None,
            from_version: Version(1),
            asserted_from: None,
            end: None,
        }),
    ]
}

fn small_history() -> Vec<Segment<Record>> {
    let (chunk, cut) = cut("p1");
    let gathered =
        Gathered { epoch: 1, sweep: 1, first: 0, end: 1, resolver: 1, extractor: None, alike: Vec::new() };
    let resolved = Resolved { epoch: 1, changes: changes(chunk), left_out: Default::default() };
    vec![
        segment(1, vec![listed(&[("p1", "a")], &[("u1", "Ann Example")])]),
        segment(2, vec![worklist(&["p1"])]),
        segment(3, vec![fetched("p1"), cut]),
        segment(5, vec![Record::Gathered(gathered)]),
        segment(6, vec![Record::Resolved(resolved)]),
    ]
}

fn question(text: &str) -> Query {
    Query { text: text.to_owned(), limit: 5, ..Query::default() }
}

#[test]
fn applying_a_journal_twice_is_applying_it_once() {
    let (_folder, mut state) = state();
    for segment in small_history() {
        state.apply(&segment).unwrap();
    }
    let once = state.dump().unwrap();
    for segment in small_history() {
        state.apply(&segment).unwrap();
    }
    assert_eq!(state.dump().unwrap(), once);
    assert_eq!(state.applied().unwrap(), Seq::new(6));
    assert!(once.contains("owned_by"));
}

#[test]
fn a_segment_that_does_not_follow_changes_nothing() {
    let (_folder, mut state) = state();
    state.apply(&small_history()[0]).unwrap();
    let before = state.dump().unwrap();
    let error = state.apply(&small_history()[2]).unwrap_err();
    assert_eq!(error.kind(), Kind_::Bug);
    assert_eq!((state.dump().unwrap(), state.applied().unwrap()), (before, Seq::new(1)));
}

#[test]
fn what_is_owed_shrinks_record_by_record() {
    let (_folder, mut state) = state();
    let history = small_history();
    state.apply(&history[0]).unwrap();
    assert!(state.sweep().unwrap().is_some_and(|sweep| sweep.complete && !sweep.planned));
    state.apply(&history[1]).unwrap();
    assert_eq!(state.owed_fetches(9).unwrap().len(), 1);
    let slice = state.head_slice().unwrap().unwrap();
    assert!(!state.is_complete(slice).unwrap());
    state.apply(&history[2]).unwrap();
    assert!(state.owed_fetches(9).unwrap().is_empty() && state.is_complete(slice).unwrap());
    state.apply(&history[3]).unwrap();
    assert_eq!(state.open_epoch().unwrap().map(|epoch| epoch.epoch), Some(1));
    assert!(!state.is_settled().unwrap());
    state.apply(&history[4]).unwrap();
    assert!(state.is_settled().unwrap());
}

#[test]
fn a_refusal_lets_the_line_pass() {
    let (_folder, mut state) = state();
    state.apply(&small_history()[0]).unwrap();
    state.apply(&segment(2, vec![worklist(&["p1", "p2"]), fetched("p1"), cut("p1").1])).unwrap();
    let slice = state.head_slice().unwrap().unwrap();
    assert!(!state.is_complete(slice).unwrap());
    let parked = Parked { page: PageId::new("p2"), version: Some(Version(1)), why: "too large".to_owned() };
    state.apply(&segment(5, vec![Record::Parked(parked)])).unwrap();
    assert!(state.is_complete(slice).unwrap());
    assert_eq!(state.parked(9).unwrap(), [("p2".to_owned(), "too large".to_owned())]);
}

#[test]
fn a_renamed_person_is_found_by_the_new_name_and_no_chunk_changes() {
    let (_folder, mut state) = state();
    for segment in small_history() {
        state.apply(&segment).unwrap();
    }
    let found = |state: &State, name: &str| {
        let hits = state.search(&question(name)).unwrap();
        hits.iter()
            .any(|hit| matches!(&hit.found, Found::Fact { statement, .. } if statement.object.contains(name)))
    };
    assert!(found(&state, "Ann Example"));
    let chunks = |state: &State| state.dump().unwrap().lines().filter(|l| l.starts_with("chunk")).count();
    let before = chunks(&state);
    let mut again = match listed(&[], &[("u1", "Ann Married")]) {
        Record::Listed(listed) => listed,
        _ => unreachable!(),
    };
    again.sweep = 2;
    state.apply(&segment(7, vec![Record::Listed(again)])).unwrap();
    assert!(found(&state, "Ann Married") && !found(&state, "Ann Example"));
    // Nobody goes by the key of his account.
    let person = state.entities_named("Ann Married", 1).unwrap().remove(0);
    assert_eq!((person.name.as_str(), person.also.len()), ("Ann Married", 0), "{person:?}");
    assert_eq!(chunks(&state), before);
}

#[test]
fn no_question_breaks_the_query_syntax() {
    let (_folder, mut state) = state();
    for segment in small_history() {
        state.apply(&segment).unwrap();
    }
    for text in ["C++", "a:b", "\"", "NEAR(", "foo-bar*", "^x", "{a} OR", "'; DROP TABLE fact", "", "日本語"]
    {
        state.search(&question(text)).unwrap();
    }
}

#[test]
fn a_restriction_that_is_listed_no_more_is_lifted() {
    let (_folder, mut state) = state();
    let layer = Layer { id: LayerId::Page(PageId::new("p1")), rule: Rule::Unknown };
    state.apply(&segment(1, vec![Record::AudienceChanged { layers: vec![layer.clone()] }])).unwrap();
    state.apply(&segment(2, vec![listed(&[("p1", "a")], &[])])).unwrap();
    let lifted = state.changed_layers().unwrap();
    assert_eq!(lifted, [Layer { rule: Rule::Everyone, ..layer }]);
    state.apply(&segment(3, vec![Record::AudienceChanged { layers: lifted }])).unwrap();
    assert!(state.changed_layers().unwrap().is_empty());
}

#[test]
fn names_that_mean_the_same_are_noted_and_kept_apart() {
    let (_folder, mut state) = state();
    let (chunk, cut) = cut("p1");
    state.apply(&segment(1, vec![cut])).unwrap();
    let mut all = vec![Change::Episode(Episode { chunk, valid_at: None, end: None })];
    for name in ["Content Store", "content-store", "Zebra crossing", "Release 5.1", "Release 5.2"] {
        let id = NodeId::of(&[name.as_bytes()]);
        let node = Node {
            id,
            name: name.to_owned(),
            normal: name.to_lowercase(),
            kind: Kind::THING,
            space: None,
            key: None,
        };
        all.push(Change::Node(node));
        all.push(Change::Group {
            entity: EntityId(id),
            nodes: vec![id],
            name: name.to_owned(),
            kind: Kind::THING,
        });
    }
    state
        .apply(&segment(
            2,
            vec![Record::Resolved(Resolved { epoch: 1, changes: all, left_out: Default::default() })],
        ))
        .unwrap();
    let before = state.dump().unwrap();
    use crate::embedders::Embedder as _;
    let embedder = crate::embedders::builtin::Builtin;
    assert_eq!(state.note_texts(embedder.name()).unwrap(), 6);
    assert_eq!(state.note_texts(embedder.name()).unwrap(), 0);
    let texts = state.owed_vectors(0, 99).unwrap();
    let words: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
    state.keep_vectors(embedder.name(), &texts, &embedder.embed(&words)).unwrap();
    assert_eq!(state.count_owed_vectors().unwrap(), 0);
    state.note_alike(embedder.name()).unwrap();
    let perhaps = |name: &str| {
        let card = state.entities_named(name, 1).unwrap().remove(0);
        card.perhaps.into_iter().map(|other| other.name).collect::<Vec<_>>()
    };
    assert_eq!(perhaps("Content Store"), ["content-store"]);
    assert!(perhaps("Release 5.1").is_empty(), "names that differ in a number are not alike");
    assert!(perhaps("Zebra crossing").is_empty());
    assert_eq!(state.dump().unwrap(), before, "a note is no part of the graph");
}

#[test]
fn a_fact_follows_the_supports_of_those_folded_into_it() {
    let (_folder, mut state) = state();
    small_history().iter().for_each(|segment| state.apply(segment).unwrap());
    let mut changes = changes(cut("p1").0);
    let (Some(Change::Support(mut support)), Some(Change::Fact(mut other))) = (changes.pop(), changes.pop())
    else {
        panic!("the last changes are a fact and its support")
    };
    let shown = std::mem::replace(&mut other.id, FactId::of(&[b"other"]));
    support.fact = other.id;
    let folded = vec![
        Change::Fact(other.clone()),
        Change::Support(support.clone()),
        Change::Fold { fact: other.id, into: Some(shown) },
    ];
    support.valid_at = parse("2024-11-15");
    let later = vec![Change::Support(support)];
    for (seq, changes) in [(7, folded), (8, later)] {
        state
            .apply(&segment(
                seq,
                vec![Record::Resolved(Resolved { epoch: 1, changes, left_out: Default::default() })],
            ))
            .unwrap();
    }
    let valid_at: Option<String> = state
        .connection()
        .query_row("SELECT valid_at FROM fact WHERE fact = ?1", [shown.as_bytes()], |row| row.get(0))
        .unwrap();
    assert_eq!(valid_at.as_deref(), Some("2024-11-15T00:00:00.000Z"));
}

#[test]
fn reading_the_journal_again_begins_no_reindexing_again() {
    let (_folder, mut state) = state();
    let mut history = small_history();
    history.push(segment(7, vec![Record::Reindexing { generation: 1 }]));
    history.push(segment(8, vec![Record::Reindexed { generation: 1 }]));
    history.iter().for_each(|segment| state.advance(segment).unwrap());
    let before = (state.dump().unwrap(), state.generation().unwrap());
    history.iter().for_each(|segment| state.advance(segment).unwrap());
    assert_eq!((state.dump().unwrap(), state.generation().unwrap()), before);
    assert!(!super::generation::next_to(state.path()).exists());
}

#[test]
fn a_second_file_that_is_complete_takes_the_place_of_the_first_after_a_kill() {
    let (_folder, mut state) = state();
    small_history().iter().for_each(|segment| state.advance(segment).unwrap());
    state.advance(&segment(7, vec![Record::Reindexing { generation: 1 }])).unwrap();
    state.apply(&segment(8, vec![Record::Reindexed { generation: 1 }])).unwrap();
    let path = state.path().to_owned();
    drop(state);
    let mut state = State::open(&path, "one").unwrap();
    state.resume_generation().unwrap();
    drop(state);
    let seen = State::open_to_read(&path).unwrap().unwrap();
    assert_eq!((seen.generation().unwrap(), seen.applied().unwrap()), (1, Seq::new(8)));
}

/// Facts of the small history's service with other values, each since a day, on the same chunk.
fn values(days: &[(&str, &str)]) -> (Vec<FactId>, Vec<Change>) {
    let mut all = changes(cut("p1").0);
    let (Some(Change::Support(support)), Some(Change::Fact(fact))) = (all.pop(), all.pop()) else {
        panic!("the last changes are a fact and its support")
    };
    let ids: Vec<FactId> =
        days.iter().map(|(value, day)| FactId::of(&[value.as_bytes(), day.as_bytes()])).collect();
    for (id, (value, day)) in ids.iter().zip(days) {
        let object = Object::Value((*value).to_owned());
        all.push(Change::Fact(Fact { id: *id, object, ..fact.clone() }));
        all.push(Change::Support(Support { fact: *id, valid_at: parse(day), ..support.clone() }));
    }
    (ids, all)
}

fn contradict(one: FactId, other: FactId, stands: bool) -> Change {
    let (a, b) = (one.min(other), one.max(other));
    Change::Judge(Judgement { a, b, likeness: Likeness::Contradicts, why: "told".to_owned(), stands })
}

/// Beginning, end and what ended it.
type SpellRow = (Option<String>, Option<String>, Option<Vec<u8>>);

/// Earlier spells and the last.
fn spells_of(state: &State, fact: FactId) -> Vec<SpellRow> {
    let mut statement = state
        .connection()
        .prepare(
            "SELECT valid_at, invalid_at, closed_by, number FROM spell WHERE fact = ?1
             UNION ALL SELECT valid_at, invalid_at, closed_by, 99 FROM fact WHERE fact = ?1 ORDER BY 4",
        )
        .unwrap();
    let day = |text: Option<String>| text.map(|text| text[..10].to_owned());
    let rows =
        statement.query_map([fact.as_bytes()], |row| Ok((day(row.get(0)?), day(row.get(1)?), row.get(2)?)));
    rows.unwrap().map(|row| row.unwrap()).collect()
}

#[test]
fn what_contradicts_a_fact_ends_it_until_its_own_text_goes() {
    let (_folder, mut state) = state();
    small_history().iter().for_each(|segment| state.apply(segment).unwrap());
    let (ids, mut all) = values(&[("red", "2024-01-01"), ("blue", "2024-06-01"), ("red", "2024-09-01")]);
    let [red, blue, again] = ids[..] else { panic!("three facts") };
    all.push(contradict(red, blue, true));
    all.push(Change::Fold { fact: again, into: Some(red) });
    let mut resolved = |seq, changes| {
        let resolved = Record::Resolved(Resolved { epoch: 1, changes, left_out: Default::default() });
        state.apply(&segment(seq, vec![resolved])).unwrap();
        (spells_of(&state, red), spells_of(&state, blue))
    };
    let spell = |from: &str, until: Option<&str>, by: Option<FactId>| {
        (Some(from.to_owned()), until.map(str::to_owned), by.map(|by| by.as_bytes().to_vec()))
    };
    let first = spell("2024-01-01", Some("2024-06-01"), Some(blue));
    let between = spell("2024-06-01", Some("2024-09-01"), Some(red));
    let closed = (vec![first.clone(), spell("2024-09-01", None, None)], vec![between]);
    assert_eq!(resolved(7, all), closed);

    let open = (vec![spell("2024-01-01", None, None)], vec![spell("2024-06-01", None, None)]);
    assert_eq!(resolved(8, vec![contradict(red, blue, false)]), open);
    assert_eq!(resolved(9, vec![contradict(red, blue, true)]), closed);

    let apart = (vec![first], vec![spell("2024-06-01", None, None)]);
    assert_eq!(resolved(10, vec![Change::Fold { fact: again, into: None }]), apart);

    let (_, mut gone) = values(&[("blue", "2024-06-01")]);
    let Some(Change::Support(support)) = gone.last_mut() else { panic!("a support is last") };
    support.end = Some(End { ended: Ended::Vanished, version: None, at: None, until: None });
    assert_eq!(resolved(11, gone).0, open.0);
}

/// Facts of the small history with what `told` makes of their supports.
fn told_as(
    values_of: &[(&str, &str)],
    told: impl Fn(usize, &mut Support),
) -> (tempfile::TempDir, State, Vec<FactId>) {
    let (folder, mut state) = state();
    small_history().iter().for_each(|segment| state.apply(segment).unwrap());
    let (ids, mut all) = values(values_of);
    let supports = all.iter_mut().filter_map(|change| match change {
        Change::Support(support) if ids.contains(&support.fact) => Some(support),
        _ => None,
    });
    supports.enumerate().for_each(|(number, support)| told(number, support));
    if let [one, other] = ids[..] {
        all.push(contradict(one, other, false));
    }
    let resolved = Record::Resolved(Resolved { epoch: 1, changes: all, left_out: Default::default() });
    state.apply(&segment(7, vec![resolved])).unwrap();
    (folder, state, ids)
}

#[test]
fn what_another_value_will_replace_holds_until_that_day() {
    let (_folder, state, ids) = told_as(&[("red", "2024-01-01")], |_, support| {
        support.invalid_at = parse("2024-03-01");
        let end =
            End { ended: Ended::Replaced, version: Some(Version(2)), at: parse("2024-02-01"), until: None };
        support.end = Some(end);
    });
    let holds =
        |query: Query| state.moment(ids[0], &query).unwrap().is_some_and(|found| !found.chunks.is_empty());
    let on = |day: &str| {
        [
            holds(Query { now: parse(day), ..Query::default() }),
            holds(Query { wiki_at: parse(day), ..Query::default() }),
            holds(Query { as_of: parse(day), ..Query::default() }),
        ]
    };
    assert_eq!(on("2024-02-15"), [true; 3], "the new owner begins in March");
    assert_eq!(on("2024-03-02"), [false; 3]);
    assert!(!holds(Query::default()), "without any time, nothing says it");
}

#[test]
fn what_contradicted_a_fact_then_ends_it_for_a_reader_of_the_wiki_then() {
    let (_folder, state, ids) =
        told_as(&[("red", "2024-01-01"), ("blue", "2024-06-01")], |number, support| {
            support.asserted_from = support.valid_at.take();
            if number == 0 {
                let end = End {
                    ended: Ended::Vanished,
                    version: Some(Version(2)),
                    at: parse("2024-09-01"),
                    until: None,
                };
                support.end = Some(end);
            }
        });
    let said = |at: &str| {
        let query = Query { wiki_at: parse(at), ..Query::default() };
        ids.iter().map(|id| state.moment(*id, &query).unwrap().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(said("2024-05-01"), [true, false]);
    assert_eq!(said("2024-07-01"), [false, true], "both are said, and blue is the newer one");
    assert_eq!(said("2024-10-01"), [false, true]);
}

/// The same history, read by a model on two pages, of which one is restricted and calls the service by another name.
#[test]
fn a_summary_is_asked_for_with_the_names_that_its_audience_may_read() {
    let (_folder, mut state) = state();
    let (open, closed) = (cut("p1"), cut("p2"));
    let restricted = Layer { id: LayerId::Page(PageId::new("p2")), rule: Rule::Unknown };
    let read = |changes: Vec<Change>| -> Vec<Change> {
        let by_model = |change| match change {
            Change::Fact(fact) => Change::Fact(Fact { extractor: Extractor::Model("m".to_owned()), ..fact }),
            other => other,
        };
        changes.into_iter().map(by_model).collect()
    };
    let mut said = read(changes(open.0));
    let secret = Node {
        id: NodeId::of(&[b"phoenix"]),
        name: "phoenix".to_owned(),
        normal: "phoenix".to_owned(),
        kind: Kind::COMPONENT,
        space: None,
        key: None,
    };
    let (service, person) = (NodeId::of(&[b"ledger-service"]), NodeId::of(&[b"u1"]));
    let fact = FactId::of(&[b"another"]);
    said.extend([
        Change::Episode(Episode { chunk: closed.0, valid_at: None, end: None }),
        Change::Node(secret.clone()),
        Change::Mention { node: secret.id, chunk: closed.0 },
        Change::Group {
            entity: EntityId(service),
            nodes: vec![service, secret.id],
            name: "phoenix".to_owned(),
            kind: Kind::COMPONENT,
        },
        Change::Fact(Fact {
            id: fact,
            subject: secret.id,
            relation: "owned_by".to_owned(),
            object: Object::Named(person),
            run: 0,
            extractor: Extractor::Model("m".to_owned()),
        }),
        Change::Support(Support {
            fact,
            chunk: closed.0,
            page: None,
            sentence: "Phoenix is owned by @{u1}.".to_owned(),
            valid_at: None,
            invalid_at: None,
            from_version: Version(1),
            asserted_from: None,
            end: None,
        }),
    ]);
    let gathered =
        Gathered { epoch: 1, sweep: 1, first: 0, end: 2, resolver: 1, extractor: None, alike: Vec::new() };
    for segment in [
        segment(1, vec![listed(&[("p1", "a"), ("p2", "a")], &[("u1", "Ann Example")])]),
        segment(2, vec![Record::AudienceChanged { layers: vec![restricted] }, worklist(&["p1", "p2"])]),
        segment(4, vec![fetched("p1"), open.1, fetched("p2"), closed.1]),
        segment(
            8,
            vec![
                Record::Gathered(gathered),
                Record::Resolved(Resolved { epoch: 1, changes: said, left_out: Default::default() }),
            ],
        ),
    ] {
        state.apply(&segment).unwrap();
    }
    let owed = state.owed_summaries(5).unwrap();
    assert!(owed.iter().all(|subject| !subject.name.contains("Ann Example")), "{owed:?}");
    for subject in owed.iter().filter(|subject| subject.entity == EntityId(service)) {
        let expected = if subject.audience.is_empty() { "ledger-service" } else { "phoenix" };
        assert_eq!(subject.name, expected, "{subject:?}");
    }
    assert_eq!(owed.iter().filter(|subject| subject.entity == EntityId(service)).count(), 2, "{owed:?}");
}

#[test]
fn a_file_whose_maker_was_killed_while_making_it_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let made = rusqlite::Connection::open(&path).unwrap();
    made.execute_batch("PRAGMA user_version = 1; PRAGMA user_version = 0").unwrap();
    drop(made);
    // The log of the change that was under way, of a file that had no pages before it (SQLite file format, section 3).
    let mut log = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7].to_vec();
    for number in [0u32, 7, 0, 512, 4096] {
        log.extend(number.to_be_bytes());
    }
    log.resize(512, 0);
    std::fs::write(folder.path().join("state.db-journal"), log).unwrap();
    assert_eq!(State::standing(&path, "one").unwrap(), Standing::Absent);
    drop(State::open(&path, "one").unwrap());
    assert_eq!(State::standing(&path, "one").unwrap(), Standing::Ours);
}

#[test]
fn what_is_sorted_again_after_its_answer_is_owed_again() {
    let (_folder, mut state) = state();
    let pack = Pack::new("m", 0, None, Matter::Summaries(Vec::new()));
    let packed =
        || Record::Packed(Packed { extractor: "m".to_owned(), slice: None, packs: vec![pack.clone()] });
    state.apply(&segment(1, vec![packed(), Record::Understood(Understood::nothing(pack.id))])).unwrap();
    assert!(state.owed_packs(["m"; 3], 9).unwrap().is_empty());
    state.apply(&segment(3, vec![packed()])).unwrap();
    assert_eq!(state.owed_packs(["m"; 3], 9).unwrap(), [pack]);
}
