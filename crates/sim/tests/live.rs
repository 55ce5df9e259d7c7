//! The live source against a Confluence that is not there (`sim::confluence`): the production client, loop, vault and
//! state; only the wiki is ours.

#![allow(clippy::unwrap_used)] // A test that cannot go on should say where.

#[path = "live/audiences.rs"]
mod audiences;
#[path = "live/histories.rs"]
mod histories;
#[path = "live/logins.rs"]
mod logins;
#[path = "live/rights.rs"]
mod rights;
#[path = "live/troubles.rs"]
mod troubles;

use highwater::error::Result;
use highwater::job;
use highwater::plan::{Asks, Limits, Until};
use highwater::settings::Settings;
use highwater::sources::confluence::Confluence;
use highwater::state::State;
use highwater::world::Task;
use highwater::world::live::Live;
use highwater::{wire, world};
use knowledge::extract::Vocabulary;
use knowledge::record::{Answered, Record};
use knowledge::time::Timestamp;
use rusqlite::Connection;
use sim::confluence::edits::{Edit, Named, Order, apply};
use sim::confluence::generated::{Plan, generated};
use sim::confluence::loading::{small, used};
use sim::confluence::quirks::{QUIRKS, Quirk, Quirks};
use sim::confluence::rates::Hint;
use sim::confluence::server::Server;
use sim::confluence::site::{Content, ContentId, Deployment, Kind, Site, Status};
use sim::model::Model;
use sim::rng::Rng;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};

/// A wiki, and everything a job keeps of it.
struct Job {
    server: Server,
    is_cloud: bool,
    base: String,
    settings: Vec<(String, String)>,
    store: MemoryStore,
    folder: TempDir,
    nonces: u8,
    /// Whom a run asks about chunks, pairs and summaries; nobody where rules alone read.
    oracle: Option<Model>,
    /// Whether it reads all history, as the rules do: who comes later must not know less.
    asks_history: bool,
}

/// Pauses where the server names none: nobody else waits for this one.
const PAUSE: Duration = Duration::from_millis(1);

const BOTH: [Deployment; 2] = [Deployment::Cloud, Deployment::DataCenter];

impl Job {
    async fn over(site: Site) -> Self {
        let is_cloud = site.is_cloud();
        let server = Server::start(site, 0, false).unwrap();
        Self::beside(server, is_cloud, "admin").await
    }

    /// Another job over the same wiki, for whoever has this short name.
    async fn beside(server: Server, is_cloud: bool, who: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, format!("{who}-token\n")).unwrap();
        let (deployment, user) = match is_cloud {
            true => ("cloud", format!("{who}@example.com")),
            false => ("data-center", String::new()),
        };
        let given = [
            ("CONFLUENCE_DEPLOYMENT", deployment.to_owned()),
            ("CONFLUENCE_USER", user),
            ("CONFLUENCE_TOKEN", format!("file:{}", token.display())),
        ];
        let settings = given.map(|(name, value)| (format!("HIGHWATER_{name}"), value)).to_vec();
        let store = MemoryStore::new();
        vault::init(&store, &Identity::new(VaultId::new([7; 16]), "default")).await.unwrap();
        let base = if is_cloud { format!("{}/wiki", server.url()) } else { server.url() };
        Self { server, is_cloud, base, settings, store, folder, nonces: 0, oracle: None, asks_history: true }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings.push((format!("HIGHWATER_{name}"), value.to_owned()));
    }

    fn state(&self) -> std::path::PathBuf {
        self.folder.path().join("state.db")
    }

    fn settings(&self) -> Settings {
        Settings::load(None, self.settings.clone(), &[("source", Some(self.base.clone()))]).unwrap()
    }

    /// One run, as `pipeline` does it.
    async fn run(&mut self, limits: &Limits) -> Result<job::Report> {
        let settings = self.settings();
        let live = live(&settings)?;
        let mut state = State::open(&self.state(), &VaultId::new([7; 16]).to_string()).unwrap();
        state.catch_up(&self.store).await.unwrap();
        self.nonces += 1;
        let who = Writer { host: "test".into(), pid: 1, version: "0".into(), ..Writer::default() };
        let now = world::live::now();
        let mut vault =
            Vault::open(self.store.clone(), who, Nonce::new([self.nonces; 16]), now).await.unwrap();
        state.catch_up(&self.store).await.unwrap();
        let world = World { live, oracle: self.oracle.clone() };
        let asks = self.oracle.as_ref().map(|model| {
            let mut asks = Asks::new("oracle", Vocabulary::default(), model.endpoints.clone());
            asks.reads.history = self.asks_history;
            asks
        });
        let limits = &Limits { asks, ..limits.clone() };
        let report = job::run(&world, &mut vault, &mut state, limits).await?;
        job::end(&world, &mut vault, &mut state, limits).await?;
        Ok(report)
    }

    async fn runs(&mut self) {
        self.run(&Limits { accept_deletes: true, ..Limits::default() }).await.unwrap();
    }

    /// Rows of one column of the state.
    fn rows(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.state()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|row| row.unwrap()).collect()
    }

    /// The facts that hold now, with the names of what they are about, and all names of each thing. When a page was moved,
    /// labelled or given a file no version says, so whoever comes later cannot know since when. Names are compared without
    /// case and kind: of several spellings the smallest is kept and of several kinds the most telling, and a page that is
    /// gone may have had it.
    fn graph(&self) -> Vec<String> {
        let facts = "SELECT lower(coalesce(s.name, '?')) || ' | ' || relation || ' | ' || lower(coalesce(o.name, value, '?')) || ' | ' ||
                            CASE WHEN relation IN ('child_of', 'labelled', 'has_attachment') THEN ''
                                 ELSE coalesce(valid_at, '') END
                     FROM fact
                     LEFT JOIN node sn ON sn.node = subject LEFT JOIN entity s ON s.entity = coalesce(sn.entity, subject)
                     LEFT JOIN node tn ON tn.node = object LEFT JOIN entity o ON o.entity = coalesce(tn.entity, object)
                     WHERE folded_into IS NULL AND withdrawn = 0 AND invalid_at IS NULL ORDER BY 1";
        let things = "SELECT 'one: ' || group_concat(name, ' = ') FROM
                      (SELECT n.entity, lower(n.name) AS name FROM node n
                       WHERE EXISTS (SELECT 1 FROM mention JOIN episode USING (chunk)
                                     WHERE mention.node = n.node AND episode.ended IS NULL)
                       ORDER BY 2, 1) GROUP BY entity ORDER BY 1";
        self.rows(facts).into_iter().chain(self.rows(things)).collect()
    }

    /// Which version of which page was fetched by which record.
    fn fetched(&self) -> BTreeSet<String> {
        if !self.state().exists() {
            return BTreeSet::new();
        }
        self.rows("SELECT page || ' ' || version || ' ' || fetched_seq FROM raw_page").into_iter().collect()
    }

    fn pages(&self) -> BTreeSet<String> {
        self.rows("SELECT page FROM page WHERE gone = 0").into_iter().collect()
    }

    /// Goes through the gateway from now on, as a program with tokens, which this file holds.
    fn through_oauth(&mut self) -> std::path::PathBuf {
        let path = self.folder.path().join("oauth.json");
        let held = format!(
            r#"{{"client_id":"c","client_secret":"secret-of-the-app","refresh_token":"refresh-admin","token_url":"{}/oauth/token"}}"#,
            self.server.url()
        );
        std::fs::write(&path, held).unwrap();
        self.set("CONFLUENCE_OAUTH", &path.display().to_string());
        let cloud = self.server.with(|site| site.cloud_id.clone());
        self.base = format!("{}/ex/confluence/{cloud}/wiki", self.server.url());
        path
    }

    fn edit(&self, edits: impl IntoIterator<Item = Edit>) {
        for edit in edits {
            let done = self.server.with(|site| {
                site.now += jiff::SignedDuration::from_mins(7);
                let at = Some(site.now);
                apply(site, Order { by: None, at, edit })
            });
            done.unwrap();
        }
    }
}

/// The live world as it is wired, but for its pauses.
fn live(settings: &Settings) -> Result<Live> {
    if !wire::confluence::is_address(settings.text("source")) {
        return Ok(wire::world(settings)?.0);
    }
    let wiki = wire::confluence::wiki(settings)?;
    let web = Arc::into_inner(wire::confluence::web(settings, &wiki)?).unwrap().with_pauses(PAUSE);
    Ok(Live::on_a_server(Arc::new(Confluence::new(wiki)), Arc::new(web)))
}

/// The live world, in which the false model answers for any other.
struct World {
    live: Live,
    oracle: Option<Model>,
}

impl world::World for World {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let answer = match (&task, &self.oracle) {
            (Task::Ask(asked), Some(model)) => Some(Record::Answered(Box::new(Answered {
                pack: asked.pack,
                endpoint: asked.endpoint,
                sent_at: world::live::now(),
                reply: model.answer(&asked.prompt),
            }))),
            _ => None,
        };
        let read = answer.is_none().then(|| self.live.perform(task));
        async move {
            match read {
                Some(read) => read.await,
                None => Ok(answer.into_iter().collect()),
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.live.now()
    }

    fn wait_until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send {
        self.live.wait_until(moment)
    }
}

/// What a wiki shows to whoever may see all of it.
fn expected(site: &Site) -> BTreeSet<String> {
    let is_read =
        |kind: Kind| !matches!(kind, Kind::Folder | Kind::Whiteboard | Kind::Database | Kind::Embed);
    let there = site.contents().filter(|content| content.status == Status::Current && is_read(content.kind));
    let id = |content: &Content| match content.kind {
        Kind::Attachment => format!("att{}", content.id),
        _ => content.id.to_string(),
    };
    there.map(id).collect()
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_small_wiki_is_read_whole_and_a_second_run_fetches_nothing() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.runs().await;
            let titles = job.rows("SELECT title FROM page WHERE gone = 0 AND title <> '' ORDER BY 1");
            for title in ["Glossary", "Home", "Restart the ledger", "Runbooks", "We have moved"] {
                assert!(titles.iter().any(|found| found == title), "{deployment:?}: {title} in {titles:?}");
            }
            let links = job.rows("SELECT coalesce(link, '') FROM page WHERE title = 'Runbooks'");
            assert!(links[0].starts_with(&job.base), "{deployment:?}: {links:?}");
            let texts = job.rows("SELECT text FROM chunk").join("\n");
            for text in ["What to do & when", "Indeed.", "When?", "Notes."] {
                assert!(texts.contains(text), "{deployment:?}: {text}");
            }
            let skipped = job.rows("SELECT what FROM skipped ORDER BY 1");
            assert_eq!(skipped, Vec::<String>::new(), "{deployment:?}");
            let (graph, held) = (job.graph(), job.rows("SELECT count(*) || '' FROM raw_page"));
            job.runs().await;
            assert_eq!(job.graph(), graph, "{deployment:?}");
            assert_eq!(job.rows("SELECT count(*) || '' FROM raw_page"), held);
        });
    }
}

/// Tasks stand in the body of their page; the server's own list of them is not asked for.
#[test]
fn a_task_on_a_page_says_for_whom_it_is_and_until_when() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.runs().await;
            let said = "SELECT s.name || ' | ' || relation || ' | ' || coalesce(e.name, value)
                        FROM fact JOIN node s ON s.node = subject LEFT JOIN node o ON o.node = object
                        LEFT JOIN entity e ON e.entity = o.entity
                        WHERE relation IN ('has_task', 'assigned_to', 'due') AND withdrawn = 0 ORDER BY 1";
            let expected = [
                "Ask @{acc-admin} by 2026-04-05 | assigned_to | Ada Admin",
                "Ask @{acc-admin} by 2026-04-05 | due | 2026-04-05",
                "Restart the ledger | has_task | Ask @{acc-admin} by 2026-04-05",
                "Restart the ledger | has_task | Done",
            ];
            assert_eq!(job.rows(said), expected, "{deployment:?}");
            let asked = job.server.with(|site| site.stats.keys().any(|path| path.contains("task")));
            assert!(!asked, "{deployment:?}");
        });
    }
}

#[test]
fn edits_moves_labels_restrictions_and_deletes_arrive_with_the_next_run_and_nothing_else_is_fetched() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.runs().await;
            let chunks = job.rows("SELECT hex(chunk) FROM chunk ORDER BY 1");
            job.edit([Edit::Restrict {
                id: 1001,
                read: Some(Named { users: vec![], groups: vec!["grp-people".to_owned()] }),
                update: None,
            }]);
            let before = job.rows("SELECT page || version || fetched_seq FROM raw_page ORDER BY 1");
            job.runs().await;
            let layers = job.rows("SELECT layer || rule FROM audience WHERE layer LIKE 'page:%'");
            assert_eq!(layers.len(), 1, "{deployment:?}: one restriction is one layer: {layers:?}");
            assert!(layers[0].contains("people"), "{layers:?}");
            assert_eq!(job.rows("SELECT page || version || fetched_seq FROM raw_page ORDER BY 1"), before);
            assert_eq!(job.rows("SELECT hex(chunk) FROM chunk ORDER BY 1"), chunks, "nothing is cut again");
            job.edit([
                Edit::Edit {
                    id: 1003,
                    title: Some("Dictionary".to_owned()),
                    body: Some("<p>Words and more words.</p>".to_owned()),
                    message: None,
                    minor: None,
                },
                Edit::Move { id: 1002, parent: Some(1000), space: None, position: None },
                Edit::Trash { id: 1010, keep_children: None },
                Edit::Label { id: 1000, add: Some(vec!["start".to_owned()]), remove: None },
            ]);
            job.runs().await;
            let titles = job
                .rows("SELECT page || ' ' || title || ' ' || coalesce(parent, '') FROM page WHERE gone = 0");
            assert!(titles.contains(&"1003 Dictionary 1001".to_owned()), "{deployment:?}: {titles:?}");
            assert!(
                titles.contains(&"1002 Restart the ledger 1000".to_owned()),
                "{deployment:?}: {titles:?}"
            );
            assert!(!titles.iter().any(|title| title.starts_with("1010")), "{deployment:?}: {titles:?}");
            let mut fresh = Job::beside(job.server.clone(), job.is_cloud, "admin").await;
            fresh.runs().await;
            assert_eq!(job.pages(), fresh.pages());
        });
    }
}

/// All quirks at once, at some rate: slower, and once they are over the graph is that of a fresh run.
#[test]
fn a_server_with_all_quirks_gives_the_same_graph() {
    for deployment in BOTH {
        run(async {
            let mut site = generated(Plan { pages: 60, seed: 5, huge: 0 }, deployment);
            used(&mut site, 7);
            let mut job = Job::over(site).await;
            job.server.with(|site| {
                let mut quirks = Quirks::new(3);
                for (quirk, _) in QUIRKS {
                    quirks.rate(quirk, 20);
                }
                quirks.wait = jiff::SignedDuration::ZERO;
                site.quirks = quirks;
            });
            // What one run could not read, the next one does.
            for _ in 0..2 {
                job.run(&Limits::default()).await.ok();
            }
            job.server.with(|site| site.quirks = Quirks::new(3));
            job.runs().await;
            let mut calm = Job::beside(job.server.clone(), job.is_cloud, "admin").await;
            calm.runs().await;
            assert_eq!(job.pages(), calm.pages(), "{deployment:?}");
            assert_eq!(job.graph(), calm.graph(), "{deployment:?}");
        });
    }
}

/// Tokens that renew themselves, through the gateway: the file holds the newest before it is used, and a run that finds
/// its access token refused in the middle renews it and goes on.
#[test]
fn oauth_tokens_are_kept_before_they_are_used() {
    run(async {
        let mut job = Job::over(small(Deployment::Cloud)).await;
        let path = job.through_oauth();
        let refused = job.run(&Limits::default()).await.map(drop).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("others may read it")), "mode 0644 is refused");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        job.runs().await;
        assert!(job.pages().len() > 5);
        let first = std::fs::read_to_string(&path).unwrap();
        assert!(!first.contains("refresh-admin"), "the token is another after its use");
        job.server.with(|site| site.access.expire());
        job.runs().await;
        assert_ne!(std::fs::read_to_string(&path).unwrap(), first);
        let journal: Vec<u8> = job
            .store
            .objects()
            .into_values()
            .flat_map(|it| zstd::decode_all(&it[..]).unwrap_or(it))
            .collect();
        let tokens = [b"secret-of-the-app".as_slice(), b"refresh-admin"];
        assert!(tokens.iter().all(|token| !journal.windows(token.len()).any(|part| part == *token)));
    });
}

/// Programs with OAuth are given points. Where they are few, a run takes longer, and that is all: nothing is asked
/// before there are points again but what was under way.
#[test]
fn a_run_with_few_points_waits_for_more_and_ends_with_the_same_graph() {
    run(with_few_points(Hint::Seconds));
}

#[test]
fn so_it_does_where_the_server_names_a_date() {
    run(with_few_points(Hint::Date));
}

async fn with_few_points(hint: Hint) {
    let site = generated(Plan { pages: 60, seed: 5, huge: 0 }, Deployment::Cloud);
    // The points come back with the time, so this clock goes.
    let server = Server::start(site, 0, true).unwrap();
    let mut job = Job::beside(server.clone(), true, "admin").await;
    let path = job.through_oauth();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let points = 150;
    job.server.with(|site| {
        site.rates.points_an_hour = Some(points);
        site.rates.window = Some(1);
        site.rates.hint = hint;
    });
    job.runs().await;
    let rates = job.server.with(|site| site.rates.clone());
    assert!(rates.refused > 0 && rates.points > 2 * points, "the limit was met: {rates:?}");
    let under_way = 4;
    assert!(rates.most <= points + under_way * rates.dearest, "{rates:?}");
    assert!(rates.too_early <= under_way * rates.refused, "{rates:?}");
    let mut calm = Job::beside(server, true, "admin").await;
    calm.runs().await;
    assert_eq!(job.pages(), calm.pages());
    assert_eq!(job.graph(), calm.graph());
}

/// Places above pages are asked for by a search, a few requests for all of them; a restriction of one of them holds
/// with the next run, as it would if the place were asked alone.
#[test]
fn folders_are_asked_for_together_and_who_may_see_what_is_below_follows_them() {
    run(async {
        let site = generated(Plan { pages: 300, seed: 4, huge: 0 }, Deployment::Cloud);
        let mut job = Job::over(site).await;
        job.runs().await;
        let alone = |job: &Job| {
            job.server.with(|site| {
                let of = |part: &str| {
                    let asked = site.stats.iter().filter(|(endpoint, _)| endpoint.contains(part));
                    asked.flat_map(|(_, answers)| answers.values()).sum::<u64>()
                };
                of("/folders/") + of("/whiteboards/") + of("/databases/") + of("/restriction/byOperation")
            })
        };
        let folders = job.rows("SELECT layer FROM audience WHERE layer LIKE 'page:%'");
        assert_eq!(alone(&job), 0, "{folders:?}");
        let above = |site: &Site| {
            let mut folders = site.contents().filter(|one| one.kind == Kind::Folder);
            let folder = folders.find(|one| site.under(one.id).iter().any(|id| is_page(site, *id)));
            folder.map(|folder| folder.id.0)
        };
        let folder = job.server.with(|site| above(site)).unwrap();
        job.edit([Edit::Restrict {
            id: folder,
            read: Some(Named { users: vec![], groups: vec!["grp-people".to_owned()] }),
            update: None,
        }]);
        job.runs().await;
        let layer = format!("SELECT rule FROM audience WHERE layer = 'page:{folder}'");
        assert!(job.rows(&layer).concat().contains("people"), "{:?}", job.rows(&layer));
        job.edit([Edit::Restrict { id: folder, read: Some(Named::default()), update: None }]);
        job.runs().await;
        assert!(!job.rows(&layer).concat().contains("people"), "{:?}", job.rows(&layer));
    });
}

fn is_page(site: &Site, id: ContentId) -> bool {
    site.content(id).is_some_and(|one| one.kind == Kind::Page && one.status == Status::Current)
}

/// A token that sees less is told of less, and nothing that it is not told of leaves a trace.
#[test]
fn whoever_sees_less_reads_less() {
    for deployment in BOTH {
        run(async {
            let site = generated(Plan { pages: 80, seed: 9, huge: 0 }, deployment);
            let mut all = Job::over(site).await;
            all.runs().await;
            let mut some = Job::beside(all.server.clone(), all.is_cloud, "reader").await;
            some.runs().await;
            let (all, some) = (all.pages(), some.pages());
            assert!(some.is_subset(&all) && some.len() < all.len(), "{} of {}", some.len(), all.len());
        });
    }
}

#[test]
fn doctor_finds_nothing_missing_where_a_run_reads_all_and_says_what_is_missing_elsewhere() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            let findings = wire::confluence::examine(&job.settings()).await.unwrap();
            let missing: Vec<_> =
                findings.iter().filter(|finding| !finding.good && finding.what != "clock").collect();
            assert!(missing.is_empty() && findings.len() > 4, "{deployment:?}: {findings:?}");
            job.set("CONFLUENCE_SPACES", "NOWHERE");
            let findings = wire::confluence::examine(&job.settings()).await.unwrap();
            assert!(findings.iter().any(|finding| finding.what == "spaces" && !finding.good), "{findings:?}");
            std::fs::write(job.folder.path().join("token"), "another-token").unwrap();
            let findings = wire::confluence::examine(&job.settings()).await.unwrap();
            assert!(
                findings.iter().any(|finding| !finding.good && finding.found.contains("401")),
                "{findings:?}"
            );
        });
    }
}
