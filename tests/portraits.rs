//! Names and summaries of communities, by a model that repeats all it was told: when it is asked, what becomes of its
//! answers, and who reads them.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use highwater::error::Result;
use highwater::job;
use highwater::plan::{Asks, Limits};
use highwater::sources::Ask;
use highwater::state::State;
use highwater::state::communities::{CommunityCard, NamedBy};
use highwater::world::{Task, World};
use jiff::SignedDuration;
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::extract::{Vocabulary, chunks_shown};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, RawPage};
use knowledge::prompt::{Prompt, Reply};
use knowledge::quota::Allowance;
use knowledge::record::{Answered, Listed, Record};
use knowledge::time::{Timestamp, parse};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};

/// A page of sentences such as `ledger-api depends on ledger-store.`, and whether Ann alone may see it.
#[derive(Clone)]
struct Page {
    version: u32,
    text: String,
    closed: bool,
}

/// How the model answers about communities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Plain,
    /// It gives no names.
    Nameless,
    /// It answers, and the run is told to stop.
    LastWords,
}

/// A wiki and a model, both false.
#[derive(Clone)]
struct Fake {
    pages: BTreeMap<String, Page>,
    mood: Mood,
    /// The lines of all prompts about communities, prompt by prompt.
    asked: Arc<Mutex<Vec<Vec<Value>>>>,
    limits: Limits,
}

fn now() -> Timestamp {
    parse("2026-01-02T12:00:00Z").unwrap()
}

impl Fake {
    fn listed(&self, sweep: u32) -> Record {
        let page = |(id, page): (&String, &Page)| PageRef {
            id: PageId::new(id.clone()),
            space: SpaceKey::new("ENG"),
            version: Some(Version(page.version)),
            history: Vec::new(),
            above: None,
            fingerprint: page.version.to_string(),
            locator: String::new(),
        };
        let layer = |(id, page): (&String, &Page)| {
            let rule = match page.closed {
                true => Rule::Only { users: [PersonKey::new("ann")].into(), groups: BTreeSet::new() },
                false => Rule::Everyone,
            };
            Layer { id: LayerId::Page(PageId::new(id.clone())), rule }
        };
        let members = ["ann", "bob"].map(PersonKey::new).into();
        Record::Listed(Listed {
            sweep,
            wiki: "test".to_owned(),
            pages: self.pages.iter().map(page).collect(),
            layers: self.pages.iter().map(layer).collect(),
            groups: vec![Group { name: "all".to_owned(), members }],
            ..Listed::default()
        })
    }

    fn fetched(&self, id: &PageId) -> Record {
        let page = &self.pages[id.as_str()];
        Record::Fetched(Box::new(RawPage {
            id: id.clone(),
            space: SpaceKey::new("ENG"),
            kind: PageKind::Page,
            version: Version(page.version),
            title: format!("Notes {id}"),
            format: BodyFormat::Plain,
            body: page.text.clone(),
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

    fn answer(&self, prompt: &Prompt) -> Reply {
        let answer = match prompt.schema_name.as_str() {
            "portraits" => self.portray(&prompt.text),
            "verdicts" => json!({ "verdicts": [] }),
            "summaries" => json!({ "summaries": [] }),
            _ => {
                let read = chunks_shown(&prompt.text).into_iter().map(|shown| read(shown.number, shown.text));
                json!({ "chunks": read.collect::<Vec<Value>>() })
            }
        };
        Reply { text: answer.to_string(), ..Reply::default() }
    }

    /// Everything it was told of each community, said again.
    fn portray(&self, text: &str) -> Value {
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let said = |line: &Value| {
            let words = |field: &str| line[field].as_array().unwrap().iter().map(|it| it.to_string());
            let all: Vec<String> = words("statements").chain(words("members")).collect();
            let name = if self.mood == Mood::Nameless { "" } else { "The works" };
            json!({ "community": line["community"], "name": name, "summary": all.join(" ") })
        };
        let portraits: Vec<Value> = lines.iter().map(said).collect();
        self.asked.lock().unwrap().push(lines);
        json!({ "portraits": portraits })
    }

    /// How many communities it was asked about.
    fn sittings(&self) -> usize {
        self.asked.lock().unwrap().iter().map(Vec::len).sum()
    }
}

fn read(number: u64, text: &str) -> Value {
    let (mut names, mut facts) = (Vec::<String>::new(), Vec::new());
    for line in text.split_inclusive('.').map(str::trim) {
        let said = line.trim_end_matches('.').trim_end_matches(" by night");
        let Some((subject, object)) = said.split_once(" depends on ") else { continue };
        let mut place = |name: &str| {
            names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            })
        };
        let ends = [place(subject), place(object)];
        facts.push(json!({
            "subject": ends[0], "relation": "depends_on", "object": ends[1], "quote": line,
            "fact": "", "valid_at": null, "invalid_at": null,
        }));
    }
    let entities: Vec<Value> = names.iter().map(|name| json!({ "name": name, "type": "Service" })).collect();
    json!({ "chunk": number, "entities": entities, "facts": facts })
}

impl World for Fake {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let asks = |task: &Task| matches!(task, Task::Ask(asked) if asked.prompt.schema_name == "portraits");
        let stops = (self.mood == Mood::LastWords && asks(&task)).then(|| self.limits.interrupt.clone());
        let record = match task {
            Task::Read(Ask::List { sweep, .. }) => self.listed(sweep),
            Task::Read(Ask::Fetch { page, .. }) => self.fetched(&page),
            Task::Ask(asked) => Record::Answered(Box::new(Answered {
                pack: asked.pack,
                endpoint: asked.endpoint,
                sent_at: now(),
                reply: self.answer(&asked.prompt),
            })),
            other => panic!("nobody is asked: {other:?}"),
        };
        async move {
            // While the answer is on its way: it is recorded, and nothing is done with it.
            if let Some(interrupt) = stops {
                interrupt.raise();
            }
            Ok(vec![record])
        }
    }

    fn now(&self) -> Timestamp {
        now()
    }

    async fn wait_until(&self, _: Timestamp) {}
}

/// A state file with its vault.
struct Held {
    folder: TempDir,
    store: MemoryStore,
    runs: u8,
}

impl Held {
    fn new() -> Self {
        let held = Self { folder: tempfile::tempdir().unwrap(), store: MemoryStore::new(), runs: 0 };
        held.block_on(async {
            vault::init(&held.store, &Identity::new(VaultId::new([7; 16]), "test")).await.unwrap();
        });
        held
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("state.db")
    }

    fn run(&mut self, world: &Fake) {
        self.runs += 1;
        let (path, store, runs) = (self.path(), self.store.clone(), self.runs);
        self.block_on(async {
            let id = vault::identity(&store).await.unwrap().id.to_string();
            let mut state = State::open(&path, &id).unwrap();
            let writer =
                Writer { host: "test".to_owned(), pid: 1, version: "0".to_owned(), ..Writer::default() };
            let mut vault =
                Vault::open(store.clone(), writer, Nonce::new([runs; 16]), world.now()).await.unwrap();
            state.catch_up(&store).await.unwrap();
            job::run(world, &mut vault, &mut state, &world.limits).await.unwrap();
            state.note_communities().unwrap();
            job::end(world, &mut vault, &mut state, &world.limits).await.unwrap();
        });
    }

    fn state(&self) -> State {
        State::open_to_read(&self.path()).unwrap().unwrap()
    }

    fn seen_by(&self, user: &str) -> State {
        let viewer = self.state().viewer(user, now(), SignedDuration::from_hours(24)).unwrap();
        self.state().seen_by(&viewer).unwrap()
    }
}

fn limits() -> Limits {
    let mut asks = Asks::new("false", Vocabulary::default(), vec![Allowance::default()]);
    asks.portraits = 50;
    Limits { accept_deletes: true, epoch_pages: 8, asks: Some(asks), ..Limits::default() }
}

fn fake(pages: &[(&str, &str, bool)]) -> Fake {
    let page = |(id, text, closed): &(&str, &str, bool)| {
        ((*id).to_owned(), Page { version: 1, text: (*text).to_owned(), closed: *closed })
    };
    Fake {
        pages: pages.iter().map(page).collect(),
        mood: Mood::Plain,
        asked: Arc::default(),
        limits: limits(),
    }
}

impl Fake {
    /// The same wiki on another day.
    fn with(mut self, id: &str, text: &str) -> Self {
        let version = self.pages.get(id).map_or(1, |page| page.version + 1);
        self.pages.insert(id.to_owned(), Page { version, text: text.to_owned(), closed: false });
        self
    }
}

/// Every service of a team depends on every other one.
fn team(services: &[&str]) -> String {
    let mut text = String::new();
    for service in services {
        for other in services.iter().filter(|other| *other != service) {
            text.push_str(&format!("{service} depends on {other}. "));
        }
    }
    text
}

const LEDGER: [&str; 4] = ["ledger-api", "ledger-store", "ledger-audit", "ledger-batch"];
const SEARCH: [&str; 4] = ["search-index", "search-crawler", "search-ranker", "search-cache"];

/// The community that an entity is in.
fn with(state: &State, name: &str) -> CommunityCard {
    let found = state.communities(500, 500).unwrap().first;
    let mut holding = found.into_iter().filter(|card| card.members.iter().any(|member| member.name == name));
    holding.next().unwrap_or_else(|| panic!("{name} is in a community"))
}

#[test]
fn communities_are_named_once_and_again_only_when_much_has_changed() {
    let world = fake(&[("pay", &team(&LEDGER), false), ("find", &team(&SEARCH), false)]);
    let mut held = Held::new();
    held.run(&world);
    for name in ["ledger-api", "search-index"] {
        let card = with(&held.state(), name);
        assert_eq!((card.name.as_str(), card.named_by), ("The works", NamedBy::Model), "{card:?}");
        let summary = card.summary.unwrap();
        assert!(summary.contains(&format!("{name} depends on ")), "{summary}");
        assert_eq!(card.outdated, 0);
    }
    let shown = held.state().community_of(with(&held.state(), "ledger-api").members[0].entity).unwrap();
    assert_eq!(shown.map(|card| card.named_by), Some(NamedBy::Model), "`show` names it the same");
    let asked = world.sittings();
    assert!(asked >= 2);

    held.run(&world);
    assert_eq!(world.sittings(), asked, "nothing changed, nothing is asked");

    let little = team(&LEDGER).replace("ledger-api depends on ledger-batch. ", "");
    let world = world.with("pay", &little);
    held.run(&world);
    assert_eq!(world.sittings(), asked, "a little changed, nothing is asked");
    let card = with(&held.state(), "ledger-api");
    assert_eq!((card.named_by, card.outdated), (NamedBy::Model, 1), "{card:?}");

    let much = "ledger-api depends on ledger-store. ledger-store depends on ledger-audit.";
    let world = world.with("pay", much);
    held.run(&world);
    assert_eq!(world.sittings(), asked + 1, "much changed, that community is asked about once");
    let last = world.asked.lock().unwrap().last().cloned().unwrap();
    assert!(!last[0].to_string().contains("search-"), "{last:?}");
    let card = with(&held.state(), "ledger-api");
    assert_eq!((card.named_by, card.outdated), (NamedBy::Model, 0));
    assert!(!card.summary.unwrap().contains("ledger-batch"));

    // What it was before it may be again: that was answered already.
    let world = world.with("pay", &team(&LEDGER));
    held.run(&world);
    assert_eq!(world.sittings(), asked + 1);
    assert!(with(&held.state(), "ledger-api").summary.unwrap().contains("ledger-batch"));
}

#[test]
fn what_stands_on_a_restricted_page_is_told_only_to_those_who_may_see_it() {
    let both = |name: &&str| format!("{name} depends on qxphoenix. qxphoenix depends on {name}. ");
    let hidden: String = LEDGER.iter().map(both).collect();
    let (pay, find) = (team(&LEDGER), team(&SEARCH));
    let world = fake(&[("pay", &pay, false), ("find", &find, false), ("plans", &hidden, true)]);
    let mut held = Held::new();
    held.run(&world);
    let prompts = world.asked.lock().unwrap().clone();
    for lines in &prompts {
        let secret = lines.iter().filter(|line| line.to_string().contains("qx")).count();
        assert!(secret == 0 || secret == lines.len(), "audiences share no call: {lines:?}");
    }
    assert!(prompts.iter().flatten().any(|line| line.to_string().contains("qxphoenix")));

    let (ann, bob) = (held.seen_by("ann"), held.seen_by("bob"));
    for state in [&held.state(), &ann] {
        let card = with(state, "ledger-api");
        assert_eq!(card.named_by, NamedBy::Model, "{card:?}");
        assert!(card.members.iter().any(|member| member.name == "qxphoenix"));
    }
    let told = serde_json::to_string(&bob.communities(500, 500).unwrap()).unwrap();
    assert!(!told.contains("qx"), "{told}");
    // For him the community is another one, whoever it was that described it to those who see more.
    assert_eq!(with(&bob, "ledger-api").named_by, NamedBy::Entities);
    let open = with(&bob, "search-index");
    assert_eq!((open.named_by, &open.summary), (NamedBy::Model, &with(&ann, "search-index").summary));
}

#[test]
fn of_one_community_each_reads_what_was_told_to_him() {
    let hidden = "ledger-api depends on ledger-audit by night. ledger-audit depends on ledger-store by night. \
        ledger-store depends on ledger-batch by night. ledger-batch depends on ledger-api by night.";
    let mut world = fake(&[("pay", &team(&LEDGER), false), ("plans", hidden, true)]);
    let mut held = Held::new();
    held.run(&world);
    let told = |state: &State| serde_json::to_string(&state.communities(500, 500).unwrap()).unwrap();
    for (user, reads_it) in [("ann", true), ("bob", false)] {
        let state = held.seen_by(user);
        let card = with(&state, "ledger-api");
        // Of two that she may read, Ann is given the one that more was told for.
        assert!(!reads_it || card.named_by == NamedBy::Model, "{card:?}");
        assert!(!told(&state).contains("by night"), "{}", told(&state));
    }
    let asked = world.sittings();
    assert!(world.asked.lock().unwrap().iter().flatten().any(|line| line.to_string().contains("by night")));
    // The open page is closed: what was told of it is for Ann alone from now on, and nobody is asked again for that.
    world.pages.get_mut("pay").unwrap().closed = true;
    world.pages.get_mut("plans").unwrap().closed = false;
    held.run(&world);
    assert_eq!(with(&held.seen_by("ann"), "ledger-api").named_by, NamedBy::Model);
    let bob = told(&held.seen_by("bob"));
    assert!(!bob.contains("ledger-api depends on ledger-store"), "{bob}");
    assert_eq!(world.sittings(), asked);
}

#[test]
fn an_answer_that_was_recorded_before_the_run_ended_is_not_paid_for_again() {
    let mut world = fake(&[("pay", &team(&LEDGER), false)]);
    world.mood = Mood::LastWords;
    let mut held = Held::new();
    held.run(&world);
    assert_eq!(with(&held.state(), "ledger-api").named_by, NamedBy::Entities, "it is not understood yet");
    let asked = world.sittings();
    assert!(asked > 0);
    // The state file is lost as well: the journal has the answer.
    for file in std::fs::read_dir(held.folder.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    (world.mood, world.limits) = (Mood::Plain, limits());
    held.run(&world);
    assert_eq!(world.sittings(), asked);
    assert_eq!(with(&held.state(), "ledger-api").named_by, NamedBy::Model);
}

#[test]
fn a_community_that_nobody_would_name_goes_by_its_entities_and_is_not_asked_about_for_ever() {
    let mut world = fake(&[("pay", &team(&LEDGER), false)]);
    world.mood = Mood::Nameless;
    let mut held = Held::new();
    held.run(&world);
    let card = with(&held.state(), "ledger-api");
    assert_eq!((card.named_by, card.summary), (NamedBy::Entities, None));
    let asked = world.sittings();
    assert!((1..10).contains(&asked), "{asked}");
    world.mood = Mood::Plain;
    held.run(&world);
    assert_eq!(world.sittings(), asked);
}

#[test]
fn what_was_told_from_an_erased_page_goes_with_it() {
    let plans = "ledger-api depends on qxphoenix. qxphoenix depends on ledger-store.";
    let mut world = fake(&[("pay", &team(&LEDGER), false), ("plans", plans, false)]);
    let mut held = Held::new();
    held.run(&world);
    assert!(with(&held.state(), "ledger-api").summary.unwrap().contains("qxphoenix"));
    world.limits.erase = Some(PageId::new("plans"));
    held.run(&world);
    let rows = "SELECT count(*) FROM portrait WHERE name || summary LIKE '%qxphoenix%'";
    let left: i64 = held.state().connection().query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    let card = with(&held.state(), "ledger-api");
    assert_eq!(card.named_by, NamedBy::Model, "it is told again without it: {card:?}");
    assert!(!card.summary.unwrap().contains("qxphoenix"));
}

#[test]
fn so_many_communities_are_named_as_are_wanted_those_with_most_facts_first() {
    let mut world = fake(&[("pay", &team(&LEDGER), false), ("find", &team(&SEARCH[..3]), false)]);
    let wanted = |world: &mut Fake, most: usize| {
        if let Some(asks) = &mut world.limits.asks {
            asks.portraits = most;
        }
    };
    wanted(&mut world, 0);
    let mut held = Held::new();
    held.run(&world);
    assert_eq!(world.sittings(), 0);
    wanted(&mut world, 1);
    held.run(&world);
    assert_eq!(world.sittings(), 1);
    let found = held.state().communities(500, 5).unwrap().first;
    let named = found.iter().filter(|card| card.named_by == NamedBy::Model).count();
    assert_eq!((named, found[0].named_by), (1, NamedBy::Model), "{found:?}");
}
