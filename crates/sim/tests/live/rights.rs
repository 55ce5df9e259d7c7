//! Who may see what is as fresh as the run, whatever waits and whatever is missing.

use super::*;

fn closed_to_people(id: u64) -> Edit {
    Edit::Restrict {
        id,
        read: Some(Named { users: vec![], groups: vec!["grp-people".to_owned()] }),
        update: None,
    }
}

#[test]
fn a_restriction_counts_from_the_next_run_though_another_run_left_work() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            // Fetched and not in the graph: the worklist waits.
            let half = Limits { until: Until::Fetched, ..Limits::default() };
            job.run(&half).await.unwrap();
            job.edit([closed_to_people(1001)]);
            job.run(&half).await.unwrap();
            let doors = "SELECT layer FROM audience WHERE layer LIKE 'page:%'";
            assert_eq!(job.rows(doors), ["page:1001"], "{deployment:?}");
            job.runs().await;
            let whole = job.graph();
            let mut fresh = Job::beside(job.server.clone(), job.is_cloud, "admin").await;
            fresh.runs().await;
            assert_eq!(whole, fresh.graph(), "{deployment:?}");
        });
    }
}

#[test]
fn a_restriction_counts_though_too_many_pages_are_gone_to_believe_it() {
    for deployment in BOTH {
        run(async {
            let site = generated(Plan { pages: 60, seed: 5, huge: 0 }, deployment);
            let mut job = Job::over(site).await;
            job.runs().await;
            let pages: Vec<u64> = job.server.with(|site| {
                let pages =
                    site.contents().filter(|one| one.kind == Kind::Page && one.status == Status::Current);
                pages.map(|one| one.id.0).collect()
            });
            let (kept, lost) = pages.split_first().unwrap();
            job.edit([closed_to_people(*kept)]);
            job.edit(
                lost[lost.len() / 2..].iter().map(|id| Edit::Trash { id: *id, keep_children: Some(true) }),
            );
            let held = job.pages();
            let error = job.run(&Limits::default()).await.unwrap_err();
            assert!(error.to_string().contains("vanished at once"), "{error}");
            assert_eq!(job.pages(), held, "{deployment:?}: nothing is taken back");
            let door = format!("SELECT layer FROM audience WHERE layer = 'page:{kept}'");
            assert_eq!(job.rows(&door).len(), 1, "{deployment:?}");
        });
    }
}

#[test]
fn more_of_the_history_is_read_when_it_is_wanted() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            for body in ["<p>One.</p>", "<p>Two.</p>"] {
                let body = Some(body.to_owned());
                job.edit([Edit::Edit { id: 1001, title: None, body, message: None, minor: None }]);
            }
            job.runs().await;
            let held = "SELECT version || '' FROM raw_page WHERE page = '1001' ORDER BY version";
            assert_eq!(job.rows(held), ["3"], "{deployment:?}");
            job.set("CONFLUENCE_HISTORY", "10");
            job.runs().await;
            assert_eq!(job.rows(held), ["1", "2", "3"], "{deployment:?}");
            let before = job.rows("SELECT page || version || fetched_seq FROM raw_page ORDER BY 1");
            job.runs().await;
            assert_eq!(job.rows("SELECT page || version || fetched_seq FROM raw_page ORDER BY 1"), before);
        });
    }
}
