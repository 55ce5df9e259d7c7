//! What a search finds however much else there is: behind a narrow filter, at a date, in common words alone, and for a
//! user in whose way hidden pages must not stand. Wikis of some hundred pages, brought in by the product's own run.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use highwater::error::Result;
use highwater::job;
use highwater::plan::Limits;
use highwater::sources::Ask;
use highwater::state::State;
use highwater::state::search::{Filter, Found, Hit, Query, Sort};
use highwater::world::{Task, World};
use jiff::SignedDuration;
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, Person, RawPage};
use knowledge::record::{Listed, Record};
use knowledge::time::{Timestamp, parse};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use tempfile::TempDir;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};

/// A page of a test, in a space, with a label, as it stands since a day.
#[derive(Clone)]
struct Page {
    space: &'static str,
    label: Option<&'static str>,
    since: &'static str,
    title: String,
    body: String,
    hidden: bool,
}

fn page(title: &str, body: &str) -> Page {
    let (title, body) = (title.to_owned(), format!("<p>{body}</p>"));
    Page { space: "OPS", label: None, since: "2025-01-01", title, body, hidden: false }
}

/// The pages as a wiki; those that are hidden are for nobody.
#[derive(Clone)]
struct Wiki(Arc<Vec<Page>>);

impl World for Wiki {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let record = match task {
            Task::Read(Ask::List { sweep, .. }) => Record::Listed(self.listed(sweep)),
            Task::Read(Ask::Fetch { page, .. }) => Record::Fetched(Box::new(self.fetched(page.as_str()))),
            other => panic!("nobody is asked: {other:?}"),
        };
        async move { Ok(vec![record]) }
    }

    fn now(&self) -> Timestamp {
        parse("2026-01-01").unwrap()
    }

    async fn wait_until(&self, _: Timestamp) {}
}

impl Wiki {
    fn listed(&self, sweep: u32) -> Listed {
        let all = || self.0.iter().enumerate();
        let listed = |(number, page): (usize, &Page)| PageRef {
            id: PageId::new(id(page, number)),
            space: SpaceKey::new(page.space),
            version: Some(Version(1)),
            history: Vec::new(),
            above: None,
            fingerprint: "1".to_owned(),
            locator: number.to_string(),
        };
        let closed = all().filter(|(_, page)| page.hidden).map(|(number, page)| Layer {
            id: LayerId::Page(PageId::new(id(page, number))),
            rule: Rule::Only { users: BTreeSet::new(), groups: BTreeSet::from(["nobody".to_owned()]) },
        });
        Listed {
            sweep,
            wiki: "test".to_owned(),
            pages: all().map(listed).collect(),
            layers: closed.collect(),
            groups: vec![Group { name: "staff".to_owned(), members: [PersonKey::new("ann")].into() }],
            people: vec![Person {
                key: PersonKey::new("u3"),
                name: "Robert Smith".to_owned(),
                also: Vec::new(),
            }],
            ..Listed::default()
        }
    }

    fn fetched(&self, wanted: &str) -> RawPage {
        let (number, page) =
            self.0.iter().enumerate().find(|(number, page)| id(page, *number) == wanted).unwrap();
        RawPage {
            id: PageId::new(id(page, number)),
            space: SpaceKey::new(page.space),
            kind: PageKind::Page,
            version: Version(1),
            title: page.title.clone(),
            format: BodyFormat::Storage,
            body: page.body.clone(),
            created: None,
            modified: parse(page.since),
            author: None,
            editor: None,
            parent: None,
            ancestors: Vec::new(),
            labels: page.label.iter().map(|label| (*label).to_owned()).collect(),
            attachments: Vec::new(),
            link: None,
            historical: false,
        }
    }
}

/// Of fixed width, so that pages come in the order in which a test names them; hidden ones in between.
fn id(page: &Page, number: usize) -> String {
    let own = page.title.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("{own:010}{}", if page.hidden { number } else { 0 })
}

/// A state file of such a wiki.
struct Held {
    folder: TempDir,
}

fn brought_in(pages: Vec<Page>) -> Held {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (world, store) = (Wiki(Arc::new(pages)), MemoryStore::new());
        let identity = Identity::new(VaultId::new([7; 16]), "test");
        vault::init(&store, &identity).await.unwrap();
        let mut state = State::open(&folder.path().join("state.db"), &identity.id.to_string()).unwrap();
        let writer = Writer { host: "test".to_owned(), pid: 1, version: "0".to_owned(), ..Writer::default() };
        let mut vault = Vault::open(store.clone(), writer, Nonce::new([1; 16]), world.now()).await.unwrap();
        state.catch_up(&store).await.unwrap();
        let limits = Limits::default();
        job::run(&world, &mut vault, &mut state, &limits).await.unwrap();
        job::end(&world, &mut vault, &mut state, &limits).await.unwrap();
    });
    Held { folder }
}

impl Held {
    fn state(&self) -> State {
        State::open_to_read(&self.folder.path().join("state.db")).unwrap().unwrap()
    }

    fn as_ann(&self) -> State {
        let state = self.state();
        let now = parse("2026-01-01T10:00:00Z").unwrap();
        let ann = state.viewer("ann", now, SignedDuration::from_hours(24)).unwrap();
        state.seen_by(&ann).unwrap()
    }
}

fn query(text: &str) -> Query {
    Query { text: text.to_owned(), now: parse("2026-01-01"), limit: 8, ..Query::default() }
}

/// What facts say.
fn facts(hits: &[Hit]) -> Vec<String> {
    let said = |hit: &Hit| match &hit.found {
        Found::Fact { statement, .. } => {
            Some(format!("{} {} {}", statement.subject, statement.relation, statement.object))
        }
        _ => None,
    };
    hits.iter().filter_map(said).collect()
}

/// Many pages of one space that say of many services what one page of another says of one.
fn crowd() -> Vec<Page> {
    let one = |number: usize| {
        page(
            &format!("Note {number}"),
            &format!("<code>service-{number}</code> depends on <code>ledger-service</code>."),
        )
    };
    (0..500).map(one).collect()
}

#[test]
fn a_narrow_filter_finds_what_stands_behind_many_others() {
    let mut pages = crowd();
    let lone = page("Lone", "<code>lone-service</code> depends on <code>ledger-service</code>.");
    pages.push(Page { space: "PAY", label: Some("urgent"), ..lone });
    let held = brought_in(pages);
    let state = held.state();
    let filters = [
        Filter { spaces: vec!["pay".to_owned()], ..Filter::default() },
        Filter { labels: vec!["urgent".to_owned()], ..Filter::default() },
    ];
    for filter in filters {
        for results in [Sort::Facts, Sort::Entities, Sort::Passages] {
            let filter = Filter { results: vec![results], ..filter.clone() };
            let hits =
                state.search(&Query { filter: filter.clone(), ..query("what depends on ledger service") });
            let hits = serde_json::to_string(&hits.unwrap()).unwrap();
            assert!(hits.contains("lone-service"), "{filter:?}: {hits}");
            assert!(!hits.contains("service-7"), "{filter:?}: {hits}");
        }
    }
}

#[test]
fn a_date_finds_what_held_then_behind_all_that_came_later() {
    let mut pages = crowd();
    let old = page("Old", "<code>lone-writer</code> depends on <code>ledger-service</code>.");
    pages.push(Page { since: "2019-01-01", ..old });
    let held = brought_in(pages);
    let state = held.state();
    for then in [
        Query { as_of: parse("2020-01-01"), ..query("what depends on ledger service") },
        Query { wiki_at: parse("2020-01-01"), ..query("what depends on ledger service") },
        Query {
            between: parse("2019-06-01").zip(parse("2020-01-01")),
            ..query("what depends on ledger service")
        },
    ] {
        let hits = state.search(&then).unwrap();
        assert!(facts(&hits).contains(&"lone-writer depends on ledger-service".to_owned()), "{hits:?}");
        // The hub has one fact of then among hundreds of now.
        let counted = hits.iter().find_map(|hit| match &hit.found {
            Found::Entity { card, facts } if card.name == "ledger-service" => Some(*facts),
            _ => None,
        });
        assert_eq!(counted, Some(1), "{hits:?}");
    }
}

#[test]
fn words_that_stand_everywhere_still_find_something() {
    let held = brought_in(crowd());
    for results in [Sort::Facts, Sort::Passages] {
        let filter = Filter { results: vec![results], ..Filter::default() };
        let hits = held.state().search(&Query { filter, ..query("depends ledger service") }).unwrap();
        assert_eq!(hits.len(), 8, "{results:?}");
    }
}

#[test]
fn hidden_pages_change_neither_what_is_found_nor_its_order() {
    let mut open: Vec<Page> = crowd().into_iter().take(90).collect();
    for (number, name) in ["Ledger Gateway", "ledger-gateway", "Report Writer"].iter().enumerate() {
        open.push(page(
            &format!("Open {number}"),
            &format!("<code>{name}</code> is owned by Team Blue. Ledger matters."),
        ));
    }
    let mut both = open.clone();
    // Rare words become common, common names get other spellings and more facts, and rows are numbered otherwise.
    for number in 0..300 {
        let name = ["LEDGER GATEWAY", "Report Writer", "ledger-service", "Team Blue"][number % 4];
        let body = format!(
            "<code>{name}</code> depends on <code>hidden-{number}</code>. <code>{name}</code> is owned by Team Blue. \
             <code>service-{number}</code> depends on <code>ledger-service</code>. Gateway, \
             writer, blue, matters, team."
        );
        both.push(Page { hidden: true, ..page(&format!("Closed {number}"), &body) });
    }
    let (open, both) = (brought_in(open), brought_in(both));
    let (open, both) = (open.as_ann(), both.as_ann());
    for text in [
        "who owns the ledger gateway",
        "ledger",
        "team blue report writer",
        "what depends on ledger service",
        "gateway matters",
        "service 7",
        "depends",
    ] {
        for limit in [3, 8, 200] {
            let asked = Query { limit, explain: true, ..query(text) };
            let (expected, found) = (open.search(&asked).unwrap(), both.search(&asked).unwrap());
            assert!(!expected.is_empty(), "{text}");
            assert_eq!(found, expected, "{text}, {limit} results");
        }
    }
}

#[test]
fn what_hidden_pages_call_a_thing_makes_no_difference() {
    let user = |body: &str| format!("<ac:link><ri:user ri:account-id=\"u3\" />{body}</ac:link>");
    let link = |body: &str| {
        format!(
            "See <ac:link><ri:page ri:content-title=\"Alpha Plan\" /><ac:link-body>{body}</ac:link-body></ac:link>."
        )
    };
    let hidden = |title: &str, body: &str| Page { hidden: true, ..page(title, body) };
    let open = vec![
        page("Duty", &format!("{} is on duty, and reviews the plan.", user(""))),
        page("One", &link("old runbook")),
        page("Two", &link("Bazaar guide")),
    ];
    let mut both = open.clone();
    both.push(hidden("Alpha Plan", "The plan."));
    both.push(hidden("Secret", &format!("{} wrote it.", user("<ac:link-body>Bobby</ac:link-body>"))));
    let (open, both) = (brought_in(open), brought_in(both));
    let (open, both) = (open.as_ann(), both.as_ann());
    let entities = Filter { results: vec![Sort::Entities], ..Filter::default() };
    for text in
        ["bobby", "robert smith", "bazaar", "bazaar guide", "old runbook", "alpha plan", "who is on duty"]
    {
        for filter in [Filter::default(), entities.clone()] {
            let asked = Query { filter, ..query(text) };
            let plain = |state: &State| {
                let hits = state.search(&asked).unwrap().into_iter();
                hits.map(|hit| serde_json::to_string(&hit.found).unwrap()).collect::<Vec<_>>()
            };
            assert_eq!(plain(&both), plain(&open), "{text}");
        }
    }
}

#[test]
fn who_looks_may_change_between_two_questions() {
    let mut pages = vec![page("Open", "<code>ledger-service</code> depends on <code>gateway</code>.")];
    pages.push(Page { hidden: true, ..page("Closed", "The zephyr project replaces <code>gateway</code>.") });
    let held = brought_in(pages);
    let (state, now) = (held.state(), parse("2026-01-01T10:00:00Z").unwrap());
    assert!(!state.search(&query("zephyr")).unwrap().is_empty());
    let ann = state.viewer("ann", now, SignedDuration::from_hours(24)).unwrap();
    let state = state.seen_by(&ann).unwrap();
    for text in ["zephyr", "what replaces gateway", "gateway project"] {
        assert_eq!(
            state.search(&query(text)).unwrap(),
            held.as_ann().search(&query(text)).unwrap(),
            "{text}"
        );
    }
}

#[test]
fn a_fact_found_by_a_passage_names_the_one_it_stands_on() {
    let held = brought_in(crowd());
    let asked = Query { explain: true, ..query("what does service-12 depend on") };
    let mut named = 0;
    for hit in held.as_ann().search(&asked).unwrap() {
        let Found::Fact { sources, .. } = &hit.found else { continue };
        for passage in hit.why.iter().filter_map(|reason| reason.passage.as_ref()) {
            assert!(sources.iter().any(|source| source.chunk == passage.chunk), "{hit:?}");
            named += 1;
        }
    }
    assert!(named > 0, "no fact was found by its passage");
}

#[test]
fn a_state_at_rest_answers_as_a_new_one_does() {
    let mut pages = crowd();
    pages.push(Page {
        hidden: true,
        ..page("Closed", "<code>secret-writer</code> depends on <code>ledger-service</code>.")
    });
    let held = brought_in(pages);
    let (kept, now) = (held.as_ann(), parse("2026-01-01T10:00:00Z").unwrap());
    let ann = held.state().viewer("ann", now, SignedDuration::from_hours(24)).unwrap();
    for text in ["who depends on ledger service", "service 12", "secret writer", "service 12"] {
        let found = kept.search(&query(text)).unwrap();
        assert_eq!(found, held.as_ann().search(&query(text)).unwrap(), "{text}");
        kept.rest().unwrap();
        assert!(!kept.resume(&held.state(), None).unwrap(), "somebody else looks");
        assert!(kept.resume(&held.state(), Some(&ann)).unwrap());
    }
}

#[test]
fn of_those_with_all_words_the_one_with_no_others_comes_first() {
    let services = ["kube-old-api", "kube-aggregated-api", "kube-api", "kube-extended-api", "kube-inner-api"];
    let told = |service: &&str| {
        page(&format!("About {service}"), &format!("<code>{service}</code> depends on <code>etcd</code>."))
    };
    let held = brought_in(services.iter().map(told).collect());
    let hits = held.state().search(&query("kube api depends on etcd")).unwrap();
    assert_eq!(facts(&hits)[0], "kube-api depends on etcd");
}

#[test]
fn a_name_is_found_by_itself_and_beside_facts_where_the_question_has_it_whole() {
    let held = brought_in(crowd());
    let state = held.state();
    let named = |hits: &[Hit]| -> Vec<String> {
        let name = |hit: &Hit| match &hit.found {
            Found::Entity { card, .. } => Some(card.name.clone()),
            _ => None,
        };
        hits.iter().filter_map(name).collect()
    };
    let hits = state.search(&query("Ledger-Service")).unwrap();
    assert_eq!(named(&hits[..1]), ["ledger-service"], "whoever types a name wants what has it: {hits:?}");
    let hits = state.search(&query("what depends on ledger service")).unwrap();
    assert_eq!(named(&hits), ["ledger-service"], "no name is shown that holds other words: {hits:?}");
    assert!(matches!(hits[0].found, Found::Fact { .. }), "a question is answered first: {hits:?}");
}

#[test]
fn how_many_are_asked_for_changes_no_order() {
    let held = brought_in(crowd());
    let state = held.state();
    for text in ["what depends on ledger service", "service 12", "note 7 service", "depends"] {
        let ask = |limit| state.search(&Query { limit, ..query(text) }).unwrap();
        let all = ask(40);
        for limit in [1, 3, 8, 20] {
            assert_eq!(ask(limit), all[..limit.min(all.len())], "{text}, {limit} results");
        }
    }
}
