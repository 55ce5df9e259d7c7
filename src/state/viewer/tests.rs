//! Who sees which page, and what of the graph follows: small cases with their answers.

use super::Viewer;
use crate::error::Kind as Advice;
use crate::state::State;
use crate::state::principals::Membership;
use crate::state::search::{Found, Query};
use crate::state::tests::{changes, cut, fetched, segment, state};
use jiff::SignedDuration;
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::graph::{
    Change, Decision, Extractor, Fact, Judgement, Kind, Likeness, Node, Object, Ruling, Support, Verdict,
};
use knowledge::id::{ChunkId, EntityId, FactId, NodeId, PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{Above, Folder, PageKind, PageRef, Person};
use knowledge::record::{
    Listed, Matter, Pack, Packed, Principals, Record, Resolved, Ruled, Understood, Worklist,
};
use knowledge::summary::Summary;
use knowledge::time::parse;

fn only(users: &[&str], groups: &[&str]) -> Rule {
    Rule::Only {
        users: users.iter().map(|user| PersonKey::new(*user)).collect(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

fn on_page(id: &str, rule: Rule) -> Layer {
    Layer { id: LayerId::Page(PageId::new(id)), rule }
}

fn on_space(key: &str, rule: Rule) -> Layer {
    Layer { id: LayerId::Space(SpaceKey::new(key)), rule }
}

fn page(id: &str, parent: Option<&str>) -> Record {
    let Record::Fetched(mut page) = fetched(id) else { unreachable!() };
    page.parent = parent.map(PageId::new);
    Record::Fetched(page)
}

fn comment(id: &str, on: &str) -> Record {
    let Record::Fetched(mut page) = fetched(id) else { unreachable!() };
    page.kind = PageKind::Comment { on: PageId::new(on), quoted: None };
    page.parent = Some(PageId::new("a-comment-that-is-gone"));
    Record::Fetched(page)
}

/// Ann and Bob are developers, Cid may use the wiki.
fn principals() -> Record {
    let members = ["ann", "bob"].map(PersonKey::new).into();
    Record::Principals(Principals {
        groups: vec![Group { name: "devs".to_owned(), members }],
        joined: [PersonKey::new("cid")].into(),
        ..Principals::default()
    })
}

fn hours(number: i64) -> SignedDuration {
    SignedDuration::from_hours(number)
}

/// Records of these tests are of 2026-01-01.
fn viewer(state: &State, user: &str) -> Viewer {
    state.viewer(user, parse("2026-01-01T10:00:00Z").unwrap(), hours(24)).unwrap()
}

/// Which of these pages a user sees: each by itself, and all at once.
fn sees(state: &State, user: &str, pages: &[&'static str]) -> Vec<&'static str> {
    let viewer = viewer(state, user);
    let each: Vec<&str> =
        pages.iter().filter(|page| state.may_see(&viewer, page).unwrap()).copied().collect();
    let seen = State::open_to_read(state.path()).unwrap().unwrap().seen_by(&viewer).unwrap();
    let all: Vec<&str> = pages.iter().filter(|page| seen.page(page).unwrap().is_some()).copied().collect();
    assert_eq!(each, all);
    each
}

fn with(records: Vec<Record>) -> (tempfile::TempDir, State) {
    let (folder, mut state) = state();
    state.apply(&segment(1, vec![principals()])).unwrap();
    state.apply(&segment(2, records)).unwrap();
    (folder, state)
}

#[test]
fn every_door_on_the_way_must_let_a_user_pass() {
    let (_folder, state) = with(vec![
        page("top", None),
        page("middle", Some("top")),
        page("leaf", Some("middle")),
        Record::AudienceChanged {
            layers: vec![on_page("top", only(&[], &["devs"])), on_page("leaf", only(&["ann", "cid"], &[]))],
        },
    ]);
    let all = ["top", "middle", "leaf"];
    assert_eq!(sees(&state, "ann", &all), all);
    assert_eq!(sees(&state, "bob", &all), ["top", "middle"]);
    // The list of the page itself does not open the door above it.
    assert_eq!(sees(&state, "cid", &all), [""; 0]);
}

#[test]
fn a_space_may_be_closed_and_an_unlisted_door_is_open() {
    let (_folder, mut state) = with(vec![
        page("p", None),
        Record::AudienceChanged { layers: vec![on_space("OPS", only(&["cid"], &[]))] },
    ]);
    assert_eq!(sees(&state, "ann", &["p"]), [""; 0]);
    assert_eq!(sees(&state, "cid", &["p"]), ["p"]);
    let lifted = vec![on_space("OPS", Rule::Everyone)];
    state.apply(&segment(4, vec![Record::AudienceChanged { layers: lifted }])).unwrap();
    assert_eq!(sees(&state, "ann", &["p"]), ["p"]);
}

#[test]
fn what_is_not_known_denies() {
    let (_folder, state) = with(vec![
        page("unknown", None),
        page("below", Some("unknown")),
        page("orphan", Some("never-held")),
        page("snake", Some("tail")),
        page("tail", Some("snake")),
        page("nobody", None),
        Record::AudienceChanged {
            layers: vec![on_page("unknown", Rule::Unknown), on_page("nobody", only(&[], &["no-such-group"]))],
        },
    ]);
    assert_eq!(
        sees(&state, "ann", &["unknown", "below", "orphan", "snake", "tail", "nobody", "absent"]),
        [""; 0]
    );
}

#[test]
fn a_folder_is_a_door_and_what_stands_on_a_page_is_seen_with_it() {
    let folder =
        |id: &str, parent: Option<&str>| Folder { id: PageId::new(id), parent: parent.map(PageId::new) };
    let listed = Listed {
        sweep: 1,
        wiki: "w".to_owned(),
        folders: vec![folder("f", None), folder("g", Some("f"))],
        ..Listed::default()
    };
    let worklist = Worklist { sweep: 1, epoch_pages: 2, items: Vec::new() };
    let (_folder, mut state) = with(vec![
        Record::Listed(listed.clone()),
        Record::AudienceChanged { layers: vec![on_page("f", only(&["ann"], &[]))] },
        Record::Worklist(worklist.clone()),
        page("p", Some("g")),
        comment("c", "p"),
        comment("reply", "absent"),
    ]);
    let all = ["p", "c", "reply"];
    assert_eq!(sees(&state, "ann", &all), ["p", "c"]);
    assert_eq!(sees(&state, "bob", &all), [""; 0]);
    // Packs and summaries are sorted by the same doors.
    let door = [LayerId::Page(PageId::new("f"))];
    assert_eq!(state.layers_of("p", "OPS").unwrap(), door);
    assert_eq!(state.layers_of("c", "OPS").unwrap(), door);
    // A damaged listing takes no folder away; a whole one does, and with it what was below.
    let again = Listed { sweep: 2, folders: Vec::new(), incomplete: true, ..listed.clone() };
    let second = Record::Worklist(Worklist { sweep: 2, ..worklist.clone() });
    state.apply(&segment(8, vec![Record::Listed(again), second])).unwrap();
    assert_eq!(sees(&state, "ann", &all), ["p", "c"]);
    // A worklist that comes from no listing says nothing about folders.
    state.apply(&segment(10, vec![Record::Worklist(Worklist { sweep: 3, ..worklist.clone() })])).unwrap();
    assert_eq!(sees(&state, "ann", &all), ["p", "c"]);
    let whole = Listed { sweep: 4, folders: Vec::new(), ..listed };
    let fourth = Record::Worklist(Worklist { sweep: 4, ..worklist });
    state.apply(&segment(11, vec![Record::Listed(whole), fourth])).unwrap();
    assert_eq!(sees(&state, "ann", &all), [""; 0]);
}

#[test]
fn nobody_knows_who_may_pass_a_page_that_is_gone() {
    let (_folder, mut state) = with(vec![
        page("top", None),
        page("middle", Some("top")),
        page("leaf", Some("middle")),
        Record::Gone { page: PageId::new("leaf") },
        Record::Gone { page: PageId::new("middle") },
    ]);
    let all = ["top", "middle", "leaf"];
    assert_eq!(sees(&state, "ann", &all), all, "they went together, and keep their places");
    // One that is still there, or again, stands below what may have been closed since.
    state.apply(&segment(7, vec![page("leaf", Some("middle"))])).unwrap();
    assert_eq!(sees(&state, "ann", &all), ["top", "middle"]);
    let closed = vec![on_space("OPS", only(&["cid"], &[]))];
    state.apply(&segment(8, vec![Record::AudienceChanged { layers: closed }])).unwrap();
    let door = [LayerId::Page(PageId::new("middle")), LayerId::Space(SpaceKey::new("OPS"))];
    let mut layers = state.layers_of("leaf", "OPS").unwrap();
    layers.sort();
    let mut expected = door.to_vec();
    expected.sort();
    assert_eq!(layers, expected, "it shares no call with what others see");
}

#[test]
fn a_page_that_moved_is_behind_its_new_doors_before_it_is_fetched() {
    let listed = |page: &str, parent: &str| PageRef {
        id: PageId::new(page),
        space: SpaceKey::new("OPS"),
        version: Some(Version(2)),
        history: Vec::new(),
        above: Some(Above { parent: Some(PageId::new(parent)), on: None }),
        fingerprint: "moved".to_owned(),
        locator: String::new(),
    };
    let listing = Listed {
        sweep: 1,
        wiki: "w".to_owned(),
        pages: vec![listed("p", "secret")],
        layers: vec![on_page("secret", only(&["cid"], &[]))],
        ..Listed::default()
    };
    let (_folder, mut state) = with(vec![
        page("draft", None),
        page("secret", None),
        page("p", Some("draft")),
        Record::AudienceChanged {
            layers: vec![on_page("draft", only(&["bob"], &[])), on_page("secret", only(&["cid"], &[]))],
        },
    ]);
    assert_eq!(sees(&state, "bob", &["p"]), ["p"]);
    state.apply(&segment(6, vec![Record::Listed(listing)])).unwrap();
    assert!(state.is_moved().unwrap());
    // The old door is opened by the same listing.
    let lifted = vec![on_page("draft", Rule::Everyone)];
    state.apply(&segment(7, vec![Record::AudienceChanged { layers: lifted }])).unwrap();
    assert!(!state.is_moved().unwrap());
    assert_eq!(sees(&state, "ann", &["p", "draft"]), ["draft"]);
    assert_eq!(sees(&state, "cid", &["p"]), ["p"]);
}

#[test]
fn a_page_that_is_gone_keeps_its_last_audience() {
    let gone = Record::Gone { page: PageId::new("p") };
    let restricted = Record::AudienceChanged { layers: vec![on_page("p", only(&["ann"], &[]))] };
    let listed = Record::Listed(Listed { sweep: 1, wiki: "w".to_owned(), ..Listed::default() });
    let (_folder, state) = with(vec![page("p", None), restricted, gone, listed]);
    assert!(state.changed_layers().unwrap().is_empty());
    assert_eq!(sees(&state, "ann", &["p"]), ["p"]);
    assert_eq!(sees(&state, "bob", &["p"]), [""; 0]);
}

#[test]
fn nobody_looks_who_is_not_known_or_whose_groups_are_old() {
    let (_folder, mut state) = state();
    let noon = parse("2026-01-01T12:00:00Z").unwrap();
    let refused = |state: &State, user: &str, now| state.viewer(user, now, hours(24)).unwrap_err().kind();
    assert_eq!(refused(&state, "ann", noon), Advice::Halt);
    state.apply(&segment(1, vec![principals()])).unwrap();
    assert_eq!(state.viewer("ann", noon, hours(24)).unwrap().key().as_str(), "ann");
    assert_eq!(refused(&state, "ann", parse("2026-01-02T01:00:00Z").unwrap()), Advice::Halt);
    assert_eq!(refused(&state, "eve", noon), Advice::Never);
    assert_eq!(refused(&state, "", noon), Advice::Never);
    // Read again and found as it was: it is as fresh as that.
    state.apply(&segment(2, vec![Record::Principals(Principals::default())])).unwrap();
    let out = Principals { left: [PersonKey::new("cid")].into(), ..Principals::default() };
    state.apply(&segment(3, vec![Record::Principals(out)])).unwrap();
    assert_eq!(refused(&state, "cid", noon), Advice::Never);
    let disbanded = Principals { disbanded: ["devs".to_owned()].into(), ..Principals::default() };
    state.apply(&segment(4, vec![Record::Principals(disbanded)])).unwrap();
    assert_eq!(refused(&state, "ann", noon), Advice::Never);
}

#[test]
fn a_user_is_meant_by_key_before_address_before_name() {
    let person = |key: &str, name: &str, also: &[&str]| Person {
        key: PersonKey::new(key),
        name: name.to_owned(),
        also: also.iter().map(|text| (*text).to_owned()).collect(),
    };
    let people = vec![
        person("ann", "Ann Example", &["ann@example.com"]),
        // Whoever calls himself like somebody else is not taken for him, where that one's address is known.
        person("bob", "ann@example.com", &[]),
        person("cid", "Ann Example", &[]),
        person("eve", "Eve", &["bob"]),
    ];
    let listed = Listed { sweep: 1, wiki: "w".to_owned(), people, ..Listed::default() };
    let (_folder, state) = with(vec![Record::Listed(listed)]);
    let key = |named: &str| viewer(&state, named).key().as_str().to_owned();
    assert_eq!(["ann", "Ann@Example.com", "bob"].map(key), ["ann", "ann", "bob"]);
    let now = parse("2026-01-01").unwrap();
    for nobody in ["Ann Example", "Eve", "eve"] {
        assert_eq!(state.viewer(nobody, now, hours(24)).unwrap_err().kind(), Advice::Never, "{nobody}");
    }
}

#[test]
fn only_what_changed_is_recorded() {
    let members = |names: &[&str]| names.iter().map(|name| PersonKey::new(*name)).collect();
    let before = Membership {
        groups: [("a".to_owned(), members(&["u"])), ("b".to_owned(), members(&["v"]))].into(),
        users: members(&["x", "y"]),
    };
    let after = Membership {
        groups: [("a".to_owned(), members(&["u"])), ("c".to_owned(), members(&["v"]))].into(),
        users: members(&["y", "z"]),
    };
    let changed = after.since(&before);
    assert_eq!(changed.groups, [Group { name: "c".to_owned(), members: members(&["v"]) }]);
    assert_eq!((changed.disbanded.len(), changed.joined.len(), changed.left.len()), (1, 1, 1));
    assert_eq!(after.since(&after), Principals::default());
    let (_folder, mut state) = state();
    state.apply(&segment(1, vec![Record::Principals(before.since(&Membership::default()))])).unwrap();
    state.apply(&segment(2, vec![Record::Principals(changed)])).unwrap();
    assert_eq!(state.membership().unwrap(), after);
}

/// Two pages that say that the same person owns a service; Bob may not see the second, where it is called `phoenix`.
struct Secret {
    _folder: tempfile::TempDir,
    state: State,
    service: NodeId,
    secret: NodeId,
    /// The chunks of the open page and of the closed one.
    chunks: [ChunkId; 2],
    /// The facts of these.
    facts: [FactId; 2],
}

fn node(name: &str, kind: Kind) -> Node {
    Node {
        id: NodeId::of(&[name.as_bytes()]),
        name: name.to_owned(),
        normal: name.to_owned(),
        kind,
        space: None,
        key: None,
    }
}

fn support(fact: FactId, chunk: ChunkId, day: &str) -> Support {
    Support {
        fact,
        chunk,
        page: None,
        sentence: format!("Said on {day}."),
        valid_at: parse(day),
        invalid_at: None,
        from_version: Version(1),
        asserted_from: None,
        end: None,
    }
}

/// As the resolver makes it, which finds facts that say the same by their ids.
fn id_of(subject: NodeId, relation: &str, (sort, object): (&[u8], &[u8])) -> FactId {
    FactId::of(&[subject.as_bytes(), relation.as_bytes(), sort, object, &0u32.to_le_bytes()])
}

/// `decided` joins the two names.
fn secret(
    decided: impl Fn(&[ChunkId; 2]) -> Option<ChunkId>,
    more: impl Fn(&Secret) -> Vec<Change>,
) -> Secret {
    let ((one, cut_one), (two, cut_two)) = (cut("open"), cut("closed"));
    let closed = Record::AudienceChanged { layers: vec![on_page("closed", only(&["ann"], &[]))] };
    let (folder, state) = with(vec![page("open", None), page("closed", None), closed, cut_one, cut_two]);
    let (service, phoenix) = (NodeId::of(&[b"ledger-service"]), node("phoenix", Kind::COMPONENT));
    let person = NodeId::of(&[b"u1"]);
    let of = |subject: NodeId| Fact {
        id: id_of(subject, "owned_by", (b"named", person.as_bytes())),
        subject,
        relation: "owned_by".to_owned(),
        object: Object::Named(person),
        run: 0,
        extractor: Extractor::Model("m".to_owned()),
    };
    let facts = [of(service).id, of(phoenix.id).id];
    let mut secret =
        Secret { _folder: folder, state, service, secret: phoenix.id, chunks: [one, two], facts };
    let episode = |chunk| Change::Episode(knowledge::graph::Episode { chunk, valid_at: None, end: None });
    let mut all: Vec<Change> = changes(one);
    all.retain(|change| !matches!(change, Change::Fact(_) | Change::Support(_) | Change::Mention { .. }));
    all.extend([episode(one), episode(two), Change::Node(phoenix.clone())]);
    let mention = |node, chunk| Change::Mention { node, chunk };
    all.extend([mention(service, one), mention(person, one), mention(phoenix.id, two), mention(person, two)]);
    all.push(mention(service, two));
    let (a, b) = (service.min(phoenix.id), service.max(phoenix.id));
    all.push(Change::Decide(Decision {
        a,
        b,
        verdict: Verdict::Same,
        why: "so it is said".to_owned(),
        weight: 900,
        chunk: decided(&secret.chunks),
    }));
    all.push(Change::Group {
        entity: EntityId(a),
        nodes: vec![a, b],
        name: "phoenix".to_owned(),
        kind: Kind::COMPONENT,
    });
    all.extend([Change::Fact(of(service)), Change::Fact(of(phoenix.id))]);
    all.push(Change::Support(support(facts[0], one, "2025-03-01")));
    all.push(Change::Support(support(facts[0], two, "2024-03-01")));
    all.push(Change::Support(support(facts[1], two, "2024-01-01")));
    let (small, large) = (facts[0].min(facts[1]), facts[0].max(facts[1]));
    all.push(Change::Fold { fact: large, into: Some(small) });
    all.extend(more(&secret));
    secret
        .state
        .apply(&segment(
            7,
            vec![Record::Resolved(Resolved { epoch: 1, changes: all, left_out: Default::default() })],
        ))
        .unwrap();
    secret
}

impl Secret {
    fn as_seen_by(&self, user: &str) -> State {
        let viewer = viewer(&self.state, user);
        State::open_to_read(self.state.path()).unwrap().unwrap().seen_by(&viewer).unwrap()
    }
}

#[test]
fn what_only_a_hidden_page_joins_falls_apart() {
    let told = secret(|chunks| Some(chunks[1]), |_| Vec::new());
    let (ann, bob) = (told.as_seen_by("ann"), told.as_seen_by("bob"));
    let name = |state: &State, node| state.entity_of(node).unwrap().map(|card| card.name);
    assert_eq!(name(&ann, told.service).as_deref(), Some("phoenix"));
    assert_eq!(name(&ann, told.secret).as_deref(), Some("phoenix"));
    assert_eq!(name(&bob, told.service).as_deref(), Some("ledger-service"));
    assert_eq!(name(&bob, told.secret), None);
    let card = bob.entity_of(told.service).unwrap().unwrap();
    assert_eq!(card.entity, EntityId(told.service), "an id of what he may not see says nothing");
    // Ann sees both facts as one, Bob the one that he may see, with its own date and its own sentence.
    let joined = ann.entity_of(told.service).unwrap().unwrap();
    assert_eq!(ann.facts_of(joined.entity, 9).unwrap().len(), 1);
    let of = bob.facts_of(card.entity, 9).unwrap();
    assert_eq!(of.len(), 1);
    assert_eq!(of[0].valid_at.as_deref().map(|at| &at[..10]), Some("2025-03-01"));
    assert_eq!(bob.sources(of[0].fact).unwrap().len(), 1);
    assert!(bob.statement(told.facts[1]).unwrap().is_none());
    assert!(bob.chunk(told.chunks[1]).unwrap().is_none());
    assert!(bob.page("closed").unwrap().is_none() && bob.page("Page closed").unwrap().is_none());
    assert!(bob.entities_named("phoenix", 9).unwrap().is_empty());
}

#[test]
fn no_word_of_a_hidden_page_finds_what_can_be_seen() {
    let told = secret(|chunks| Some(chunks[1]), |_| Vec::new());
    let ask = |state: &State, text: &str| {
        let query = Query { text: text.to_owned(), limit: 20, ..Query::default() };
        state.search(&query).unwrap()
    };
    let (ann, bob) = (told.as_seen_by("ann"), told.as_seen_by("bob"));
    assert!(!ask(&ann, "phoenix").is_empty());
    assert!(ask(&bob, "phoenix").is_empty());
    // By its own name it is found, which the whole does not show.
    let found = ask(&bob, "ledger service");
    let facts = found.iter().filter(|hit| matches!(&hit.found, Found::Fact { .. })).count();
    let entities = found.iter().filter(|hit| matches!(&hit.found, Found::Entity { facts: 1, .. })).count();
    assert_eq!((facts, entities), (1, 1), "{found:?}");
    assert!(ask(&bob, "2024").is_empty());
}

#[test]
fn what_was_looked_up_before_shows_nothing_after() {
    let told = secret(|chunks| Some(chunks[1]), |_| Vec::new());
    let query = Query { text: "phoenix ledger".to_owned(), limit: 20, ..Query::default() };
    let everything = |state: &State| {
        let entity = state.entity_of(told.secret).unwrap();
        let fact = state.statement(told.facts[1]).unwrap().is_some_and(|said| said.fact == told.facts[1]);
        let page = state.page("closed").unwrap().is_some();
        (entity.is_some(), fact, page, state.chunk(told.chunks[1]).unwrap().is_some())
    };
    let state = State::open_to_read(told.state.path()).unwrap().unwrap();
    let before = state.search(&query).unwrap().len();
    assert!(everything(&state).0 && everything(&state).2 && everything(&state).3);
    let state = state.seen_by(&viewer(&told.state, "bob")).unwrap();
    assert_eq!(everything(&state), (false, false, false, false));
    assert!(state.search(&query).unwrap().len() < before);
    // An answer does not depend on the questions before it.
    let fresh = told.as_seen_by("bob").search(&query).unwrap();
    assert_eq!(state.search(&query).unwrap(), fresh);
}

/// What a user said stands on no page: it counts for whoever may see both names, and its reason is told to those alone who
/// may see all that speaks of them.
#[test]
fn a_users_word_counts_for_whoever_may_see_both_names() {
    let ruled = |mut told: Secret| {
        let (a, b) = (told.service.min(told.secret), told.service.max(told.secret));
        let why = "phoenix is its code name".to_owned();
        let ruling = Ruling { a, b, verdict: Verdict::Same, why };
        let said = Ruled { rulings: vec![ruling], ..Ruled::default() };
        told.state.apply(&segment(8, vec![Record::Ruled(said)])).unwrap();
        told
    };
    let why = |state: &State, node| {
        let card = state.entity_of(node).unwrap().unwrap();
        let links = state.why_one(card.entity, 9).unwrap();
        links.into_iter().map(|link| link.why).collect::<Vec<_>>()
    };
    let told = ruled(secret(|_| None, |_| Vec::new()));
    let bob = told.as_seen_by("bob");
    assert_eq!(bob.entity_of(told.service).unwrap().unwrap().name, "ledger-service");
    assert_eq!(why(&bob, told.service), [""; 0]);
    let told =
        ruled(secret(|_| None, |told| vec![Change::Mention { node: told.secret, chunk: told.chunks[0] }]));
    let (ann, bob) = (told.as_seen_by("ann"), told.as_seen_by("bob"));
    let names = |state: &State| {
        let card = state.entity_of(told.service).unwrap().unwrap();
        (card.entity, card.name, card.also)
    };
    assert_eq!(names(&ann), names(&bob));
    assert_eq!(why(&ann, told.service), ["somebody said so: phoenix is its code name"]);
    assert_eq!(why(&bob, told.service), ["somebody said so"]);
}

#[test]
fn a_model_that_was_shown_a_hidden_page_has_joined_nothing() {
    let told = secret(|_| None, |_| Vec::new());
    let bob = told.as_seen_by("bob");
    assert_eq!(bob.entity_of(told.service).unwrap().unwrap().name, "ledger-service");
    assert_eq!(told.as_seen_by("ann").entity_of(told.service).unwrap().unwrap().name, "phoenix");
}

#[test]
fn a_hidden_fact_ends_nothing() {
    let value = |told: &Secret, value: &str| Fact {
        id: id_of(told.service, "status", (b"value", value.as_bytes())),
        subject: told.service,
        relation: "status".to_owned(),
        object: Object::Value(value.to_owned()),
        run: 0,
        extractor: Extractor::Model("m".to_owned()),
    };
    let judged = |told: &Secret| {
        let (live, retired) = (value(told, "live"), value(told, "retired"));
        vec![
            Change::Fact(live.clone()),
            Change::Fact(retired.clone()),
            Change::Support(support(live.id, told.chunks[0], "2025-01-01")),
            Change::Support(support(retired.id, told.chunks[1], "2025-06-01")),
            Change::Judge(Judgement {
                a: live.id.min(retired.id),
                b: live.id.max(retired.id),
                likeness: Likeness::Contradicts,
                why: "m".to_owned(),
                stands: true,
            }),
        ]
    };
    let told = secret(|chunks| Some(chunks[1]), judged);
    let ends = |state: &State| state.statement(value(&told, "live").id).unwrap().unwrap().invalid_at;
    assert_eq!(ends(&told.as_seen_by("ann")).as_deref().map(|at| &at[..10]), Some("2025-06-01"));
    assert_eq!(ends(&told.as_seen_by("bob")), None);
    assert!(told.as_seen_by("bob").statement(value(&told, "retired").id).unwrap().is_none());
}

#[test]
fn a_summary_is_read_by_those_it_was_written_for() {
    let mut told = secret(|chunks| Some(chunks[1]), |_| Vec::new());
    let entity = EntityId(told.service.min(told.secret));
    let shown = told.facts[0].min(told.facts[1]);
    let summary = |audience: Vec<LayerId>, text: &str| Summary {
        entity,
        audience,
        text: text.to_owned(),
        facts: vec![shown],
    };
    let pack = Pack::new("m", 0, None, Matter::Summaries(Vec::new()));
    let packed = Packed { extractor: "m".to_owned(), slice: None, packs: vec![pack.clone()] };
    let summaries = vec![
        summary(Vec::new(), "For all."),
        summary(vec![LayerId::Page(PageId::new("closed"))], "For Ann."),
    ];
    let understood = Understood { summaries, ..Understood::nothing(pack.id) };
    told.state.apply(&segment(8, vec![Record::Packed(packed), Record::Understood(understood)])).unwrap();
    let texts = |state: &State| -> Vec<String> {
        let card = state.entity_of(told.service).unwrap().unwrap();
        card.summaries.into_iter().map(|summary| summary.text).collect()
    };
    let for_ann = texts(&told.as_seen_by("ann"));
    assert!(for_ann.contains(&"For Ann.".to_owned()), "{for_ann:?}");
    // For Bob the entity is another one than the one that was told of.
    assert_eq!(texts(&told.as_seen_by("bob")), [""; 0]);
}

#[test]
fn one_restriction_closes_twenty_thousand_pages() {
    let mut pages: Vec<Record> = vec![page("top", None)];
    let below = |number: usize| match number {
        0 => "top".to_owned(),
        _ => format!("p{}", (number - 1) / 4),
    };
    pages.extend((0..20_000).map(|number| page(&format!("p{number}"), Some(&below(number)))));
    let (_folder, mut state) = with(pages);
    let count = |state: &State, user: &str| {
        let viewer = viewer(state, user);
        let seen = State::open_to_read(state.path()).unwrap().unwrap().seen_by(&viewer).unwrap();
        seen.connection().query_row("SELECT count(*) FROM page", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&state, "bob"), 20_001);
    let closed = Record::AudienceChanged { layers: vec![on_page("top", only(&["ann"], &[]))] };
    state.apply(&segment(20_003, vec![closed])).unwrap();
    assert_eq!((count(&state, "ann"), count(&state, "bob")), (20_001, 0));
}
