//! Servers that break down over one thing, answer nobody, or have somebody before them who speaks to people: one page's
//! trouble is that page's, and nothing is taken back for what nobody said.

use super::*;
use highwater::error::Kind as Advice;

/// The pages that were given up, with why.
fn parked(job: &Job) -> Vec<String> {
    job.rows("SELECT page || ': ' || why FROM parked ORDER BY page")
}

/// What a run ends with that does not come to its end.
async fn ends(job: &mut Job) -> highwater::error::Error {
    job.run(&Limits { accept_deletes: true, ..Limits::default() }).await.unwrap_err()
}

fn calm(job: &Job) {
    job.server.with(|site| site.quirks = Quirks::new(0));
}

fn edited(id: u64, body: &str) -> Edit {
    Edit::Edit { id, title: None, body: Some(body.to_owned()), message: None, minor: None }
}

fn texts(job: &Job) -> String {
    job.rows("SELECT text FROM chunk").join("\n")
}

#[test]
fn one_poisoned_page_is_read_as_nobody_in_particular_sees_it() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            let takes_in = "<p>Words of its own.</p><ac:structured-macro ac:name=\"include\"><ac:parameter \
                            ac:name=\"\"><ac:link><ri:page ri:content-title=\"Glossary\" /></ac:link></ac:parameter>\
                            </ac:structured-macro>";
            job.edit([
                edited(1002, takes_in),
                edited(1003, "<p>The password is swordfish.</p>"),
                Edit::Restrict {
                    id: 1003,
                    read: Some(Named { users: vec!["acc-admin".to_owned()], groups: vec![] }),
                    update: None,
                },
            ]);
            job.server.with(|site| {
                site.quirks.rate(Quirk::PoisonedBody, 1_000);
                site.quirks.poisoned.insert(ContentId(1002));
            });
            job.runs().await;
            let expected = job.server.with(|site| expected(site));
            assert_eq!((job.pages(), parked(&job)), (expected, Vec::new()), "{deployment:?}");
            let mine = job.rows("SELECT text FROM chunk WHERE page = '1002'").join("\n");
            assert!(
                mine.contains("Words of its own") && !mine.contains("swordfish"),
                "{deployment:?}: {mine}"
            );
            assert!(texts(&job).contains("swordfish"), "{deployment:?}: it is on its own page");
        });
    }
}

#[test]
fn a_page_in_which_the_connection_always_breaks_stops_nothing() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.server.with(|site| site.quirks.cut_off.insert(ContentId(1002), true));
            job.runs().await;
            let mut expected = job.server.with(|site| expected(site));
            let parked_now = parked(&job);
            assert!(
                matches!(&parked_now[..], [one] if one.starts_with("1002: ")),
                "{deployment:?}: {parked_now:?}"
            );
            let whole = expected.clone();
            expected.remove("1002");
            assert_eq!(job.pages(), expected, "{deployment:?}");
            calm(&job);
            job.runs().await;
            assert_eq!((job.pages(), parked(&job)), (whole, Vec::new()), "{deployment:?}");
        });
    }
}

#[test]
fn a_row_that_breaks_every_list_takes_nothing_back() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.runs().await;
            let before = job.pages();
            job.server.with(|site| site.quirks.cut_off.insert(ContentId(1002), false));
            job.runs().await;
            assert_eq!(job.pages(), before, "{deployment:?}");
            let skipped = job.rows("SELECT what FROM skipped");
            assert!(skipped.iter().any(|what| what.contains("list of pages")), "{deployment:?}: {skipped:?}");
        });
    }
}

#[test]
fn a_server_that_answers_nobody_any_more_parks_nothing_and_the_next_run_goes_on() {
    for quirk in [Quirk::Down, Quirk::DeadLink] {
        run(async {
            let mut job = Job::over(small(Deployment::Cloud)).await;
            // The list is answered, and then the part of the interface that has the bodies goes away.
            job.server.with(|site| site.quirks.after(1, quirk, "/api/v2/pages"));
            let error = ends(&mut job).await;
            assert_eq!(error.kind(), Advice::Later, "{quirk:?}: {error}");
            assert_eq!(parked(&job), Vec::<String>::new(), "{quirk:?}");
            assert!(!job.rows("SELECT page FROM owed_fetch").is_empty(), "{quirk:?}: it is still owed");
            calm(&job);
            job.runs().await;
            assert_eq!(job.pages(), job.server.with(|site| expected(site)), "{quirk:?}");
        });
    }
}

#[test]
fn a_server_that_comes_back_is_gone_on_with() {
    run(async {
        let mut job = Job::over(small(Deployment::Cloud)).await;
        job.server.with(|site| {
            site.quirks.order(Quirk::TooManySilent, "/api/v2/blogposts");
            (0..40).for_each(|_| site.quirks.order(Quirk::Down, "/api/v2/pages"));
            (0..9).for_each(|_| site.quirks.order(Quirk::TooManyZero, "/api/v2/attachments"));
        });
        job.runs().await;
        assert_eq!(job.server.with(|site| site.quirks.left()), 0);
        assert_eq!((job.pages(), parked(&job)), (job.server.with(|site| expected(site)), Vec::new()));
        let skipped = job.rows("SELECT what FROM skipped");
        assert_eq!(skipped, Vec::<String>::new());
    });
}

#[test]
fn a_server_that_was_never_there_is_not_waited_for() {
    run(async {
        let mut job = Job::over(small(Deployment::Cloud)).await;
        job.server.with(|site| site.quirks.always(Quirk::Down, "/"));
        assert_eq!(ends(&mut job).await.kind(), Advice::Later);
        let asked: u64 = job.server.with(|site| site.stats.values().flatten().map(|(_, count)| count).sum());
        assert!(asked < 10, "{asked} requests");
    });
}

#[test]
fn what_a_proxy_says_of_a_page_takes_nothing_back() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.runs().await;
            let before = job.pages();
            job.edit([edited(1003, "<p>Newer words.</p>")]);
            let path = if job.is_cloud { "/pages/1003" } else { "/content/1003" };
            job.server.with(|site| {
                site.quirks.always(Quirk::DeadLink, path);
                site.quirks.always(Quirk::DeadLink, "/nowhere");
            });
            job.runs().await;
            assert_eq!(job.pages(), before, "{deployment:?}");
            assert_eq!(parked(&job).len(), 1, "{deployment:?}: {:?}", parked(&job));
            calm(&job);
            job.runs().await;
            assert!(texts(&job).contains("Newer words"), "{deployment:?}");
        });
    }
}

#[test]
fn an_attached_page_is_read_as_the_file_that_it_is() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.edit([Edit::Attach {
                to: 1001,
                name: "report.txt".to_owned(),
                media_type: Some("text/html".to_owned()),
                text: Some("<html><body><p>All is well in Dublin.</p></body></html>".to_owned()),
                base64: None,
            }]);
            job.runs().await;
            assert_eq!(job.pages(), job.server.with(|site| expected(site)), "{deployment:?}");
            assert_eq!(parked(&job), Vec::<String>::new(), "{deployment:?}");
        });
    }
}

#[test]
fn a_page_to_log_in_at_ends_a_run_with_a_word_and_doctor_says_so_at_once() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.runs().await;
            let before = job.pages();
            job.server.with(|site| {
                site.quirks.always(Quirk::LoginPage, "/");
                site.stats.clear();
            });
            let error = ends(&mut job).await;
            assert!(error.kind() == Advice::Halt && error.to_string().contains("`Log in`"), "{error}");
            assert!(error.advice().is_some_and(|hint| hint.contains("single sign-on")), "{error}");
            assert_eq!(job.pages(), before, "{deployment:?}");
            job.server.with(|site| site.stats.clear());
            let findings = wire::confluence::examine(&job.settings()).await.unwrap();
            assert!(
                matches!(&findings[..], [one] if !one.good && one.found.contains("`Log in`")),
                "{findings:?}"
            );
            let asked: u64 =
                job.server.with(|site| site.stats.values().flatten().map(|(_, count)| count).sum());
            assert_eq!(asked, 1, "{deployment:?}");
        });
    }
}

#[test]
fn a_page_to_log_in_at_before_files_alone_costs_files_alone() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            let path = if job.is_cloud { "/child/attachment" } else { "/download/" };
            job.server.with(|site| site.quirks.always(Quirk::LoginPage, path));
            job.runs().await;
            let parked = parked(&job);
            assert!(!parked.is_empty() && parked.iter().all(|one| one.contains("`Log in`")), "{parked:?}");
            let findings = wire::confluence::examine(&job.settings()).await.unwrap();
            let of_files = findings.iter().any(|one| !one.good && one.found.contains("attached files"));
            assert!(of_files, "{deployment:?}: {findings:?}");
        });
    }
}

#[test]
fn doctor_reads_what_is_answered() {
    run(async {
        let mut site = small(Deployment::DataCenter);
        site.version = "8.5.0".to_owned();
        let job = Job::over(site).await;
        let findings = wire::confluence::examine(&job.settings()).await.unwrap();
        let bad: Vec<_> = findings.iter().filter(|one| one.what == "rights" && !one.good).collect();
        assert!(matches!(&bad[..], [one] if one.found.contains("nobody passes `--as`")), "{findings:?}");
        let job = Job::over(small(Deployment::Cloud)).await;
        for (path, words) in [
            ("/permissions", "rights of spaces"),
            ("/membersByGroupId", "members of groups"),
            ("/api/v2/attachments", "attached files"),
            ("/content/search", "restrictions"),
        ] {
            job.server.with(|site| {
                site.quirks = Quirks::new(0);
                site.quirks.always(Quirk::NoScope, path);
            });
            let findings = wire::confluence::examine(&job.settings()).await.unwrap();
            let bad: Vec<_> = findings.iter().filter(|one| one.what == "rights" && !one.good).collect();
            assert!(matches!(&bad[..], [one] if one.found.contains(words)), "{path}: {findings:?}");
        }
    });
}
