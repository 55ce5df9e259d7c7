//! Histories: what came of a wiki by whatever way must be what it is.

use super::*;
use sim::confluence::edits::Creation;

/// Names: two spellings of one, and two that differ from it by so much that no rule joins them. The oracle takes the first
/// of these for the same and the other for another.
const SYSTEMS: [&str; 6] =
    ["Ledger-Kernel", "ledger-kernel", "Ledger-Kernelss", "Ledger-Kernelxy", "Billing-Store", "Mail-Relay"];

/// A random edit of a wiki that is there.
fn edit(rng: &mut Rng, site: &Site) -> Option<Edit> {
    let of = |kinds: &[Kind]| -> Vec<u64> {
        let there = site.contents().filter(|one| one.status == Status::Current && kinds.contains(&one.kind));
        there.map(|one| one.id.0).collect()
    };
    let (pages, all) = (of(&[Kind::Page]), of(&[Kind::Page, Kind::BlogPost]));
    let id = *all.get(rng.below(all.len().max(1)))?;
    let sentence = |rng: &mut Rng| {
        let owner = ["Team Blue", "Team Green", "Team Red"][rng.below(3)];
        let (one, other) = (rng.pick(&SYSTEMS), rng.pick(&SYSTEMS));
        let (service, cluster) = (rng.below(9), rng.below(4));
        match rng.below(4) {
            0 | 1 => format!(
                "<p>The Service{service} Gateway is owned by {owner}. It runs on Cluster {cluster}.</p>"
            ),
            2 => format!("<p>{one} depends on {other}.</p>"),
            _ => format!("<p><code>{one}</code> needs the {other} of {owner}.</p>"),
        }
    };
    Some(match rng.below(12) {
        0..4 => {
            let (one, two) = (sentence(rng), sentence(rng));
            Edit::Edit { id, title: None, body: Some(one + &two), message: None, minor: None }
        }
        4 => Edit::Edit {
            id,
            title: Some(format!("Page {}", rng.below(1_000_000))),
            body: None,
            message: None,
            minor: None,
        },
        5 => Edit::Create(Creation {
            space: "OPS".to_owned(),
            title: format!("New {}", rng.below(1_000_000)),
            body: sentence(rng),
            parent: pages.first().copied(),
            ..Creation::default()
        }),
        6 => Edit::Move { id: *pages.last()?, parent: pages.first().copied(), space: None, position: None },
        7 if pages.len() > 4 => Edit::Trash { id: *pages.last()?, keep_children: Some(true) },
        8 => Edit::Label { id, add: Some(vec![format!("label{}", rng.below(3))]), remove: None },
        9 => Edit::Restrict {
            id,
            read: Some(Named { users: vec![], groups: vec!["grp-people".to_owned()] }),
            update: None,
        },
        10 => Edit::Comment { on: id, body: sentence(rng), reply_to: None, selection: None, id: None },
        _ => Edit::Attach {
            to: id,
            name: format!("notes{}.txt", rng.below(3)),
            media_type: None,
            text: Some(format!("Cluster {} is in Dublin.", rng.below(4))),
            base64: None,
        },
    })
}

/// A wiki to which anything happens between the runs, and a job to which anything happens in them; and a job that begins
/// now and reads all history. What holds after the last run of one is what the other finds. Gives what a model has found
/// about pairs.
async fn live_through(seed: u64, deployment: Deployment, oracle: Option<Model>) -> Vec<String> {
    let mut rng = Rng::new(seed, "live histories");
    let mut job = Job::over(small(deployment)).await;
    job.oracle.clone_from(&oracle);
    job.set("CONFLUENCE_HISTORY", "1000");
    for _ in 0..rng.between(2, 5) {
        for _ in 0..rng.between(0, 8) {
            if let Some(edit) = job.server.with(|site| edit(&mut rng, site)) {
                job.edit([edit]);
            }
        }
        let before = job.fetched();
        // Some are cut off: the next one goes on.
        if rng.chance(40) {
            let after = std::time::Duration::from_millis(rng.between(1, 120) as u64);
            let limits = Limits { accept_deletes: true, ..Limits::default() };
            tokio::time::timeout(after, job.run(&limits)).await.ok();
        }
        // What it brought into the journal is not fetched a second time.
        let brought: BTreeSet<String> = job.fetched().difference(&before).cloned().collect();
        job.runs().await;
        assert!(job.fetched().is_superset(&brought), "seed {seed}, {deployment:?}");
    }
    let mut fresh = Job::beside(job.server.clone(), job.is_cloud, "admin").await;
    fresh.oracle = oracle;
    fresh.set("CONFLUENCE_HISTORY", "1000");
    fresh.runs().await;
    assert_eq!(job.pages(), fresh.pages(), "seed {seed}, {deployment:?}");
    assert_eq!(job.graph(), fresh.graph(), "seed {seed}, {deployment:?}");
    let layers = "SELECT layer || rule FROM audience WHERE layer LIKE 'space:%'
                  OR layer IN (SELECT 'page:' || page FROM page WHERE gone = 0) ORDER BY 1";
    assert_eq!(job.rows(layers), fresh.rows(layers), "seed {seed}, {deployment:?}");
    fresh.rows(
        "SELECT 'facts: ' || likeness FROM judgement WHERE stands
         UNION ALL SELECT 'names: ' || verdict FROM decision WHERE why LIKE '%`oracle`%'",
    )
}

#[test]
fn after_any_history_the_graph_is_that_of_a_fresh_run() {
    for (seed, deployment) in (0..12).zip(BOTH.into_iter().cycle()) {
        assert_eq!(run(live_through(seed, deployment, None)), Vec::<String>::new());
    }
}

/// The same where a model reads and judges: an oracle, whose word on a chunk or a pair follows from that alone.
#[test]
fn so_it_is_where_a_model_reads_and_judges() {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for (seed, deployment) in (100..132).zip(BOTH.into_iter().cycle()) {
        found.extend(run(live_through(seed, deployment, Some(Model::oracle()))));
    }
    let words = ["facts: contradicts", "facts: duplicate", "names: apart", "names: same"];
    assert!(words.iter().all(|word| found.contains(*word)), "{found:?}");
}

#[test]
fn what_earlier_versions_said_is_asked_about_only_where_that_is_wanted() {
    let said = |asks_history: bool| {
        run(async move {
            let mut job = Job::over(small(Deployment::Cloud)).await;
            for body in ["<p>Mail-Relay depends on Billing-Store.</p>", "<p>Mail-Relay is new.</p>"] {
                let body = Some(body.to_owned());
                job.edit([Edit::Edit { id: 1001, title: None, body, message: None, minor: None }]);
            }
            job.oracle = Some(Model::oracle());
            job.asks_history = asks_history;
            job.set("CONFLUENCE_HISTORY", "10");
            job.runs().await;
            job.rows("SELECT sentence || ' ' || ended || ' ' || end_version FROM support WHERE sentence LIKE 'Mail-Relay dep%'")
        })
    };
    assert_eq!(said(false), Vec::<String>::new());
    assert_eq!(said(true), ["Mail-Relay depends on Billing-Store. vanished 3"]);
}
