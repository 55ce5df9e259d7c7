//! Logins: a right that is missing is no login that is missing, and tokens that change with each use are never lost nor
//! used twice.

use super::*;
use highwater::error::Kind as Advice;
use highwater::secret::Secret;
use highwater::world::http::{Bounds, Http};
use highwater::world::oauth::Tokens;
use std::path::{Path, PathBuf};

/// How often tokens were asked for, whatever the answer.
fn renewals(job: &Job) -> u64 {
    job.server.with(|site| site.stats.get("POST /oauth/token").map_or(0, |of| of.values().sum()))
}

/// A job that goes through the gateway with tokens in this file.
async fn with_tokens() -> (Job, PathBuf) {
    let mut job = Job::over(small(Deployment::Cloud)).await;
    let path = job.through_oauth();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    (job, path)
}

fn lock(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-lock", path.display()))
}

#[test]
fn a_scope_that_is_missing_costs_what_it_is_for_and_no_renewal() {
    run(async {
        let (mut job, _) = with_tokens().await;
        job.server.with(|site| {
            site.quirks.always(Quirk::NoScope, "/inline-comments");
            site.quirks.always(Quirk::NoScope, "/user/current");
        });
        job.runs().await;
        assert_eq!(renewals(&job), 1, "the first access token");
        let skipped = job.rows("SELECT what FROM skipped");
        assert!(matches!(&skipped[..], [one] if one.contains("list of comments")), "{skipped:?}");
        assert!(job.pages().contains("1001"));
    });
}

#[test]
fn a_right_that_is_missing_is_told_from_a_login_that_is() {
    for deployment in BOTH {
        run(async {
            let mut job = Job::over(small(deployment)).await;
            job.server.with(|site| site.quirks.always(Quirk::NoScope, "/group"));
            job.runs().await;
            assert!(job.pages().contains("1001"), "{deployment:?}");
            std::fs::write(job.folder.path().join("token"), "another-token").unwrap();
            let error = job.run(&Limits::default()).await.unwrap_err();
            let found =
                error.kind() == Advice::Halt && error.to_string().contains("does not accept our login");
            assert!(found, "{deployment:?}: {error}");
        });
    }
}

async fn renew(tokens: &Tokens, (http, refused): (&Http, &Secret)) -> bool {
    tokens.renew(http, Some(refused.clone())).await.is_ok()
}

#[test]
fn a_token_that_many_find_refused_is_renewed_once() {
    run(async {
        let (job, path) = with_tokens().await;
        let http = Http::new(Bounds::default()).unwrap();
        let (mine, others) = (Tokens::open(&path).unwrap(), Tokens::open(&path).unwrap());
        let first = mine.access(&http).await.unwrap();
        // Another process, which opened the file before.
        assert!(others.access(&http).await.unwrap() == first);
        assert_eq!(renewals(&job), 1);
        let renew = |tokens| renew(tokens, (&http, &first));
        let all = tokio::join!(renew(&mine), renew(&others), renew(&mine), renew(&others));
        assert_eq!(all, (true, true, true, true));
        assert_eq!(renewals(&job), 2);
        assert!(mine.in_use().await == others.in_use().await && mine.in_use().await != first);
    });
}

/// A run that has waited long enough says that it is to go on later; the same command does.
async fn runs_in_the_end(job: &mut Job) {
    for _ in 0..10 {
        match job.run(&Limits { accept_deletes: true, ..Limits::default() }).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), Advice::Later, "{error}"),
        }
    }
    panic!("the token endpoint answers, and no run ends");
}

#[test]
fn a_token_endpoint_that_is_busy_or_away_is_waited_for() {
    run(async {
        let (mut job, _) = with_tokens().await;
        job.server.with(|site| {
            site.quirks.wait = jiff::SignedDuration::ZERO;
            let quirks = [Quirk::TooMany, Quirk::Unavailable, Quirk::Down, Quirk::DeadLink, Quirk::LoginPage];
            quirks.into_iter().for_each(|quirk| site.quirks.order(quirk, "/oauth/token"));
        });
        runs_in_the_end(&mut job).await;
        assert_eq!((renewals(&job), job.server.with(|site| site.quirks.left())), (6, 0));
        // In the middle of a run as well.
        job.server.with(|site| {
            site.access.expire();
            (0..20).for_each(|_| site.quirks.order(Quirk::Down, "/oauth/token"));
        });
        runs_in_the_end(&mut job).await;
        assert_eq!(job.pages(), job.server.with(|site| expected(site)));
    });
}

#[test]
fn nothing_is_renewed_where_there_is_no_place_for_what_comes_of_it() {
    run(async {
        let (mut job, path) = with_tokens().await;
        std::fs::create_dir(lock(&path)).unwrap();
        let error = job.run(&Limits::default()).await.unwrap_err();
        assert!(
            error.kind() == Advice::Halt && error.to_string().contains("no place for the new one"),
            "{error}"
        );
        assert_eq!(renewals(&job), 0, "the token to renew with is still good");
        std::fs::remove_dir(lock(&path)).unwrap();
        job.runs().await;
        assert!(job.pages().contains("1001"));
    });
}
