//! Who may see what, judged by somebody else: an evaluator of forty lines that knows plain trees, groups and rules, and
//! nothing of the product. What a user finds in the whole wiki must be, to the letter, what anybody finds in a wiki that
//! has no other pages than those this evaluator grants him.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

#[path = "permissions/evaluator.rs"]
mod evaluator;
mod servers;
#[path = "permissions/wikis.rs"]
mod wikis;

use evaluator::{Door, Item, Wiki, may_see};
use highwater::error::Result;
use highwater::job;
use highwater::plan::Limits;
use highwater::sources::Ask;
use highwater::state::State;
use highwater::state::export::{Line, Wanted};
use highwater::state::search::Query;
use highwater::state::viewer::Viewer;
use highwater::world::{Task, World};
use jiff::SignedDuration;
use knowledge::audience::{Group, Layer, LayerId, Rule};
use knowledge::id::{ChunkId, FactId, NodeId, PageId, PersonKey, SpaceKey};
use knowledge::page::{Above, Folder, PageRef, Person, Space};
use knowledge::record::{Listed, Record};
use knowledge::time::{Timestamp, parse};
use serde_json::Value;
use servers::{Place, talk};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use tempfile::TempDir;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};
use wikis::{DAYS, Dice, NAMES, OWNERS, SPACES, days};

/// A wiki as a source gives it; with its doors, or as one that has none.
#[derive(Clone)]
struct Fake {
    wiki: Arc<Wiki>,
    day: usize,
    only: Option<BTreeSet<String>>,
}

impl Fake {
    fn listed(&self, sweep: u32) -> Listed {
        let wiki = &self.wiki;
        let pages = wiki
            .items
            .iter()
            .filter(|(id, item)| !item.gone && self.only.as_ref().is_none_or(|only| only.contains(*id)));
        let page = |(id, item): (&String, &Item)| {
            let last = item.versions.last().unwrap();
            PageRef {
                id: PageId::new(id.clone()),
                space: SpaceKey::new(item.space.clone()),
                version: Some(last.version),
                history: item
                    .versions
                    .iter()
                    .map(|page| page.version)
                    .filter(|at| *at < last.version)
                    .collect(),
                above: Some(Above::of(last)),
                fingerprint: format!("{}", last.version),
                locator: String::new(),
            }
        };
        let person = |(key, name): (&String, &String)| Person {
            key: PersonKey::new(key.clone()),
            name: name.clone(),
            also: vec![format!("{key}@example.com")],
        };
        let mut listed = Listed {
            sweep,
            wiki: "test".to_owned(),
            pages: pages.map(page).collect(),
            people: wiki.people.iter().map(person).collect(),
            spaces: SPACES
                .iter()
                .map(|key| Space { key: SpaceKey::new(*key), name: format!("{key} space") })
                .collect(),
            ..Listed::default()
        };
        if self.only.is_none() {
            let folder = |(id, parent): (&String, &Option<String>)| Folder {
                id: PageId::new(id.clone()),
                parent: parent.clone().map(PageId::new),
            };
            listed.folders = wiki.folders.iter().map(folder).collect();
            listed.layers = wiki.doors.iter().filter_map(|(on, door)| self.layer(on, door)).collect();
            let group = |(name, members): (&String, &BTreeSet<String>)| Group {
                name: name.clone(),
                members: members.iter().map(|user| PersonKey::new(user.clone())).collect(),
            };
            listed.groups = wiki.groups.iter().map(group).collect();
        }
        listed
    }

    /// A wiki says nothing any more of a page that is gone.
    fn layer(&self, on: &str, door: &Door) -> Option<Layer> {
        let id = match on.split_once(':')? {
            ("space", key) => LayerId::Space(SpaceKey::new(key)),
            (_, id) if self.wiki.items.get(id).is_some_and(|item| item.gone) => return None,
            (_, id) => LayerId::Page(PageId::new(id)),
        };
        let rule = match door {
            Door::Nobody => Rule::Unknown,
            Door::For { users, groups } => Rule::Only {
                users: users.iter().map(|user| PersonKey::new(user.clone())).collect(),
                groups: groups.clone(),
            },
        };
        Some(Layer { id, rule })
    }
}

impl World for Fake {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let record = match task {
            Task::Read(Ask::List { sweep, .. }) => Record::Listed(self.listed(sweep)),
            Task::Read(Ask::Fetch { page, version, .. }) => {
                let item = &self.wiki.items[page.as_str()];
                let found = item.versions.iter().find(|held| held.version == version).unwrap();
                Record::Fetched(Box::new(found.clone()))
            }
            other => panic!("nobody is asked: {other:?}"),
        };
        async move { Ok(vec![record]) }
    }

    fn now(&self) -> Timestamp {
        parse(DAYS[self.day]).unwrap() + SignedDuration::from_hours(12)
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
        let held = Held { folder: tempfile::tempdir().unwrap(), store: MemoryStore::new(), runs: 0 };
        held.block_on(async {
            let identity = Identity::new(VaultId::new([7; 16]), "test");
            vault::init(&held.store, &identity).await.unwrap();
        });
        held
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("state.db")
    }

    /// One run over a wiki.
    fn run(&mut self, world: &Fake) {
        self.runs += 1;
        let limits = Limits { accept_deletes: true, epoch_pages: 8, ..Limits::default() };
        let (path, store, runs) = (self.path(), self.store.clone(), self.runs);
        self.block_on(async {
            let id = vault::identity(&store).await.unwrap().id.to_string();
            let mut state = State::open(&path, &id).unwrap();
            let writer =
                Writer { host: "test".to_owned(), pid: 1, version: "0".to_owned(), ..Writer::default() };
            let mut vault =
                Vault::open(store.clone(), writer, Nonce::new([runs; 16]), world.now()).await.unwrap();
            state.catch_up(&store).await.unwrap();
            job::run(world, &mut vault, &mut state, &limits).await.unwrap();
            job::end(world, &mut vault, &mut state, &limits).await.unwrap();
        });
    }

    fn state(&self) -> State {
        State::open_to_read(&self.path()).unwrap().unwrap()
    }
}

/// A wiki brought in day by day: all of it with its doors, or some of its pages without any.
fn brought_in(days: &[Wiki], only: Option<&BTreeSet<String>>) -> Held {
    let mut held = Held::new();
    for (day, wiki) in days.iter().enumerate() {
        held.run(&Fake { wiki: Arc::new(wiki.clone()), day, only: only.cloned() });
    }
    held
}

fn now() -> Timestamp {
    parse(DAYS[DAYS.len() - 1]).unwrap() + SignedDuration::from_hours(13)
}

fn viewer(state: &State, user: &str) -> Option<Viewer> {
    state.viewer(user, now(), SignedDuration::from_hours(24)).ok()
}

/// The results in their order, which is all that their scores mean.
fn plain(hits: &Value) -> Vec<String> {
    let plain = |hit: &Value| {
        let mut hit = hit.clone();
        hit.as_object_mut().unwrap().remove("score");
        hit.to_string()
    };
    hits.as_array().unwrap().iter().map(plain).collect()
}

fn found(state: &State, query: &Query) -> (Vec<String>, String) {
    let hits = serde_json::to_value(state.search(query).unwrap()).unwrap();
    (plain(&hits), hits.to_string())
}

fn ids(state: &State, sql: &str) -> Vec<[u8; 16]> {
    let mut statement = state.connection().prepare(sql).unwrap();
    let found = statement.query_map([], |row| row.get(0)).unwrap();
    found.map(|id| id.unwrap()).collect()
}

/// Everything that `show` prints of everything there is, by a list of ids and names that the viewer need not know.
fn shown(state: &State, all: &State, wiki: &Wiki) -> Vec<String> {
    let mut shown = Vec::new();
    let mut put = |what: String, value: Value| shown.push(format!("{what}: {value}"));
    for node in ids(all, "SELECT node FROM node ORDER BY node").into_iter().map(NodeId::from_bytes) {
        let card = state.entity_of(node).unwrap();
        let facts = card.as_ref().map(|card| state.facts_of(card.entity, 5_000).unwrap());
        put(format!("node {node}"), serde_json::to_value((card, facts)).unwrap());
    }
    for fact in ids(all, "SELECT fact FROM fact ORDER BY fact").into_iter().map(FactId::from_bytes) {
        let said = state.statement(fact).unwrap();
        let sources = said.as_ref().map(|said| state.sources(said.fact).unwrap());
        put(format!("fact {fact}"), serde_json::to_value((said, sources)).unwrap());
    }
    for chunk in ids(all, "SELECT chunk FROM chunk ORDER BY chunk").into_iter().map(ChunkId::from_bytes) {
        put(format!("chunk {chunk}"), serde_json::to_value(state.chunk(chunk).unwrap()).unwrap());
    }
    let titles = wiki.items.values().flat_map(|item| &item.versions).map(|page| page.title.clone());
    let names: BTreeSet<String> = titles
        .chain(wiki.items.keys().cloned())
        .chain(NAMES.iter().chain(&OWNERS).map(|name| (*name).to_owned()))
        .chain(wiki.people.values().cloned())
        .collect();
    for name in names {
        put(format!("page {name}"), serde_json::to_value(state.page(&name).unwrap()).unwrap());
        put(format!("name {name}"), serde_json::to_value(state.entities_named(&name, 50).unwrap()).unwrap());
    }
    put(
        "contradictions".to_owned(),
        serde_json::to_value(state.contradictions(now(), 5_000).unwrap()).unwrap(),
    );
    put("stale".to_owned(), serde_json::to_value(state.stale((now(), now()), 5_000).unwrap()).unwrap());
    put("orphans".to_owned(), serde_json::to_value(state.orphans(5_000).unwrap()).unwrap());
    put("communities".to_owned(), serde_json::to_value(state.communities(5_000, 5_000).unwrap()).unwrap());
    shown
}

/// Every line of an export, without what says whose it is and since when it is held.
fn exported(state: &State, wanted: &Wanted) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut take = |line: &Line| {
        let mut line = serde_json::to_value(line).unwrap();
        for own in ["created_at", "expired_at"] {
            line.as_object_mut().unwrap().remove(own);
        }
        lines.push(line);
        Ok(())
    };
    state.export(wanted, &mut take).unwrap();
    lines.remove(0);
    lines
}

/// Everything, and what the wiki said at a time; looking away and again in the midst of it changes nothing.
fn compare_exports(mine: &State, plain: &State, whose: &str) -> String {
    let mut all = String::new();
    for wiki_at in [None, parse("2026-01-02")] {
        let wanted = Wanted { passages: true, wiki_at, ..Wanted::default() };
        let got = exported(mine, &Wanted { stride: 3, ..wanted.clone() });
        for (got, expected) in got.iter().zip(&exported(plain, &wanted)) {
            assert_eq!(got, expected, "{whose}, the wiki at {wiki_at:?}");
        }
        assert_eq!(got, exported(mine, &wanted), "{whose}, the wiki at {wiki_at:?}");
        assert_eq!(got.len(), exported(plain, &wanted).len(), "{whose}, the wiki at {wiki_at:?}");
        all.push_str(&serde_json::to_string(&got).unwrap());
    }
    all
}

/// Words of our own making in a text.
fn own_words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.starts_with("qx") && word.ends_with('z')).map(str::to_owned).collect()
}

/// Words that stand on no page the user may see.
fn forbidden(wiki: &Wiki, seen: &BTreeSet<String>) -> BTreeSet<String> {
    let text = |item: &Item| serde_json::to_string(&item.versions).unwrap();
    let (mut open, mut all) = (String::new(), String::new());
    for (id, item) in &wiki.items {
        all.push_str(&text(item));
        if seen.contains(id) {
            open.push_str(&text(item));
        }
    }
    // A display name is known to whoever may see the account somewhere.
    let names = wiki.people.iter().filter(|(key, _)| !open.contains(&format!("\"{key}")));
    let names: BTreeSet<String> = names.flat_map(|(_, name)| own_words(name)).collect();
    let mut hidden: BTreeSet<String> = own_words(&all).difference(&own_words(&open)).cloned().collect();
    hidden.extend(names);
    hidden
}

fn queries(wiki: &Wiki, dice: &mut Dice, count: usize) -> Vec<Query> {
    let all: String =
        wiki.items.values().map(|item| serde_json::to_string(&item.versions).unwrap()).collect();
    let mut words: Vec<String> = own_words(&all).into_iter().collect();
    words.extend(wiki.people.values().flat_map(|name| own_words(name)));
    // Words that stand on every page find every page: one question in twenty has one.
    let common: Vec<String> = NAMES
        .iter()
        .chain(&OWNERS)
        .chain(&["payments", "draft", "replaced"])
        .map(|word| (*word).to_owned())
        .collect();
    let mut query = || {
        let mut text = String::new();
        for _ in 0..1 + dice.below(2) {
            let from: &[String] = if dice.chance(80) { &words } else { &common };
            let word: &String = dice.pick(from);
            text.push_str(word);
            text.push(' ');
        }
        if dice.chance(5) {
            let broad: &str = ["owned by", "status", "Notes", "page"][dice.below(4)];
            text.push_str(broad);
        }
        let day = |dice: &mut Dice| {
            dice.chance(15).then(|| parse(["2025-06-01", "2026-01-02", "2026-02-02"][dice.below(3)]).unwrap())
        };
        Query {
            text,
            vector: None,
            as_of: day(dice),
            wiki_at: day(dice),
            now: Some(now()),
            // All there is, or what is shown: then it matters what comes first, and nothing is looked at behind that.
            limit: [2_000, 8, 3][dice.below(3)],
            ..Query::default()
        }
    };
    (0..count).map(|_| query()).collect()
}

/// Questions that are asked for a user.
const QUESTIONS: usize = 120;

/// Asks for every user of one wiki after another, until there are so many pairs; gives how many results there were.
fn ask_all(first_seed: u64, enough: usize) -> usize {
    let (mut pairs, mut results) = (0, 0);
    for seed in first_seed.. {
        if pairs >= enough {
            break;
        }
        let days = days(seed, 10 + (seed % 3) as usize * 5);
        let wiki = days.last().unwrap();
        let whole = brought_in(&days, None);
        let all = whole.state();
        for user in wiki.people.keys() {
            let seen: BTreeSet<String> =
                wiki.items.keys().filter(|id| may_see(wiki, user, id)).cloned().collect();
            let Some(viewer) = viewer(&all, user) else {
                assert_eq!(seen, BTreeSet::new(), "seed {seed}: {user} is nobody");
                continue;
            };
            for id in wiki.items.keys() {
                assert_eq!(
                    all.may_see(&viewer, id).unwrap(),
                    seen.contains(id),
                    "seed {seed}: {user} and page {id}"
                );
            }
            let plain = brought_in(&days, Some(&seen));
            let (mine, plain) = (whole.state().seen_by(&viewer).unwrap(), plain.state());
            let hidden = forbidden(wiki, &seen);
            let mut dice = Dice(seed ^ 77);
            for query in queries(wiki, &mut dice, QUESTIONS) {
                let ((got, text), (expected, _)) = (found(&mine, &query), found(&plain, &query));
                let leaked: Vec<&String> =
                    hidden.iter().filter(|word| text.contains(word.as_str())).collect();
                assert!(leaked.is_empty(), "seed {seed}, {user}, {query:?}: {leaked:?} in {text}");
                let sets: [BTreeSet<&String>; 2] = [got.iter().collect(), expected.iter().collect()];
                let missing: Vec<_> = sets[1].difference(&sets[0]).collect();
                let more: Vec<_> = sets[0].difference(&sets[1]).collect();
                assert!(
                    missing.is_empty() && more.is_empty(),
                    "seed {seed}, {user}, {query:?}:\nmissing {missing:#?}\nmore {more:#?}"
                );
                let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
                assert_eq!(differs, None, "seed {seed}, {user}, {query:?}: {got:#?} and {expected:#?}");
                pairs += 1;
                results += got.len();
            }
            let text = compare_exports(&mine, &plain, &format!("seed {seed}, {user}"));
            let leaked: Vec<&String> = hidden.iter().filter(|word| text.contains(word.as_str())).collect();
            assert!(leaked.is_empty(), "seed {seed}, {user}: {leaked:?} in the export");
            let (got, expected) = (shown(&mine, &all, wiki), shown(&plain, &all, wiki));
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!(got, expected, "seed {seed}, {user}");
            }
        }
    }
    results
}

/// Ten thousand pairs of a user and a question, in two halves that run side by side.
fn ask_five_thousand(first_seed: u64) {
    let results = ask_all(first_seed, 5_000);
    assert!(results > 20_000, "{results} results");
}

#[test]
fn what_a_user_finds_is_what_a_wiki_of_the_pages_he_may_see_has() {
    ask_five_thousand(0);
}

#[test]
fn so_it_is_in_other_wikis() {
    ask_five_thousand(100);
}

#[test]
fn a_changed_restriction_counts_from_the_next_run_and_nothing_is_read_again() {
    let mut wiki = days(5, 20).remove(0);
    wiki.doors.clear();
    let mut held = Held::new();
    let fake = |wiki: &Wiki| Fake { wiki: Arc::new(wiki.clone()), day: 0, only: None };
    held.run(&fake(&wiki));
    let user = wiki.groups.values().flatten().next().unwrap().clone();
    let at = parse(DAYS[0]).unwrap() + SignedDuration::from_hours(13);
    let seen = |held: &Held| {
        let state = held.state();
        let viewer = state.viewer(&user, at, SignedDuration::from_hours(24)).unwrap();
        wiki.items.keys().filter(|id| state.may_see(&viewer, id).unwrap()).count()
    };
    let work = |held: &Held| {
        let count =
            |sql: &str| held.state().connection().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        [
            "SELECT count(*) FROM worklist",
            "SELECT count(*) FROM epoch",
            "SELECT count(*) FROM call",
            "SELECT coalesce(max(fetched_seq), 0) FROM raw_page",
            "SELECT coalesce(max(changed_seq), 0) FROM episode",
            "SELECT coalesce(max(changed_seq), 0) FROM fact",
        ]
        .map(count)
    };
    let (before, done) = (seen(&held), work(&held));
    assert!(before > 0);
    let mut closed = wiki.clone();
    for space in SPACES {
        closed.doors.insert(format!("space:{space}"), Door::Nobody);
    }
    held.run(&fake(&closed));
    assert_eq!((seen(&held), work(&held)), (0, done));
    held.run(&fake(&wiki));
    assert_eq!((seen(&held), work(&held)), (before, done));
    // Somebody leaves all groups.
    let mut left = wiki.clone();
    left.groups.values_mut().for_each(|members| members.retain(|member| *member != user));
    held.run(&fake(&left));
    assert!(held.state().viewer(&user, at, SignedDuration::from_hours(24)).is_err());
    assert_eq!(work(&held), done);
}

#[test]
fn a_file_of_groups_lets_users_look() {
    let place = Place::new(0);
    let text = "# Ledger\n\nThe ledger-service is owned by Team Blue.\n";
    std::fs::create_dir_all(place.path("wiki/OPS")).unwrap();
    std::fs::write(place.path("wiki/OPS/ledger.md"), text).unwrap();
    place.settings("embedding = \"none\"\nprincipals = \"groups.json\"\n");
    for bad in ["", "{}", "{\"groups\": []}", "{\"users\": [\" \"]}", "{\"user\": [\"ann\"]}"] {
        std::fs::write(place.path("groups.json"), bad).unwrap();
        let output = place.run(&["pipeline", "wiki"]);
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", talk(&output));
        assert!(talk(&output).contains("groups.json"), "{bad}: {}", talk(&output));
    }
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", talk(&output));
        assert!(talk(&output).contains(why), "{arguments:?}: {}", talk(&output));
        assert!(output.stdout.is_empty());
    };
    std::fs::write(place.path("groups.json"), "{\"groups\": {\"devs\": [\"ann\"]}, \"users\": [\"cid\"]}")
        .unwrap();
    place.done(&["pipeline", "wiki"]);
    let search = |more: &[&str]| plain(&place.json(&[&["search", "--json", "ledger"], more].concat()));
    let everything = search(&[]);
    assert!(everything.len() > 1);
    for user in ["ann", "cid"] {
        assert_eq!(search(&["--as", user]), everything);
        place.done(&["show", "--as", user, "ledger-service"]);
    }
    refused(&["search", "--as", "eve", "ledger"], 1, "no user");
    refused(&["show", "--as", "eve", "ledger-service"], 1, "no user");
    // An empty name must not be taken for nobody, and so for everything.
    refused(&["search", "--as", "", "ledger"], 2, "`as`");
    refused(&["show", "--as", " ", "ledger-service"], 2, "`as`");
    std::fs::write(place.path("groups.json"), "{\"users\": [\"ann\"]}").unwrap();
    place.done(&["pipeline", "wiki"]);
    refused(&["search", "--as", "cid", "ledger"], 1, "no user");
}
