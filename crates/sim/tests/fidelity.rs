//! The simulated Confluence, judged by clients that nobody here wrote: atlassian-python-api, LangChain and md2conf from
//! Python's packages, confluence.js from Node's, which holds every answer against schemas of its own, and schemathesis
//! with Atlassian's description of the interface where a copy of that is at hand. `cargo xtask test` installs them and
//! names them in the environment; where they are not, a test says so and passes. The clients are driven by the small
//! programs in `judges/`.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use sim::confluence::generated::{Plan, generated};
use sim::confluence::loading::small;
use sim::confluence::server::Server;
use sim::confluence::site::{Deployment, Site, Status, UserId};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Past the harness, which hides what a passing test prints.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The folder or program that a variable names; without it the test that asks is skipped, loudly.
fn named(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        say(&format!("SKIPPED: no judge in `{variable}`; `cargo xtask test` installs it"));
    }
    found
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges").join(name)
}

/// A site that is served with a clock that stands still, so that a verdict is the same whenever it is given.
fn served(site: Site) -> Server {
    Server::start(site, 0, false).unwrap()
}

/// Runs a judge, and fails with all it says if it finds a fault.
fn judged(mut command: Command, server: &Server, deployment: &str) {
    command.env("FAKE", server.url()).env("DEPLOYMENT", deployment).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let trouble = String::from_utf8_lossy(&output.stderr).into_owned();
    let asked = server.with(|site| site.stats.values().flat_map(|one| one.values()).sum::<u64>());
    assert!(output.status.success(), "{deployment}, after {asked} requests:\n{words}\n{trouble}");
    assert!(asked > 0, "it asked nothing");
    say(&format!("{deployment}: {} ({asked} requests)", words.lines().last().unwrap_or("nothing said")));
}

fn both() -> [(Deployment, &'static str); 2] {
    [(Deployment::Cloud, "cloud"), (Deployment::DataCenter, "data-center")]
}

#[test]
fn atlassian_python_api_reads_and_writes_both_products() {
    let Some(python) = named("JUDGES_PYTHON") else { return };
    for (deployment, name) in both() {
        let mut command = Command::new(&python);
        command.arg(program("judge_atlassian.py"));
        judged(command, &served(small(deployment)), name);
    }
}

#[test]
fn confluence_js_finds_no_answer_beside_its_schemas() {
    let (Some(node), Some(packages)) = (named("JUDGES_NODE"), named("JUDGES_NODE_PACKAGES")) else { return };
    let mut command = Command::new(node);
    command.arg(program("judge_confluence_js.mjs"));
    command.env("AUDIT_SCHEMAS", "true").env("JUDGES_NODE_PACKAGES", packages);
    judged(command, &served(small(Deployment::Cloud)), "cloud");
}

#[test]
fn langchain_loads_exactly_the_pages_its_user_may_see() {
    let Some(python) = named("JUDGES_PYTHON") else { return };
    for (deployment, name) in both() {
        let site = generated(Plan { pages: 600, seed: 5, huge: 1 }, deployment);
        let reader = UserId("acc-reader".to_owned());
        let space = site.space_of_key("OPS").unwrap().id;
        let seen = site.contents().filter(|content| {
            content.kind.name() == "page"
                && content.space == space
                && content.status == Status::Current
                && site.sees(&reader, content)
        });
        let pages = seen.count().to_string();
        let mut command = Command::new(&python);
        command.arg(program("judge_langchain.py")).env("PAGES", pages);
        judged(command, &served(site), name);
    }
}

#[test]
fn md2conf_writes_pages_and_finds_them_again() {
    let Some(python) = named("JUDGES_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(program("judge_md2conf.py"));
    judged(command, &served(small(Deployment::Cloud)), "cloud");
}

/// Atlassian's own description may not be handed on, so it is no part of this project.
#[test]
fn schemathesis_finds_no_answer_beside_atlassians_description() {
    let Some(python) = named("JUDGES_PYTHON") else { return };
    let Some(description) = std::env::var_os("CONFLUENCE_OPENAPI") else {
        say("SKIPPED: `CONFLUENCE_OPENAPI` does not name Atlassian's OpenAPI description of Confluence (v2)");
        return;
    };
    let mut command = Command::new(python);
    command.arg(program("judge_schemathesis.py")).env("DESCRIPTION", description);
    judged(command, &served(small(Deployment::Cloud)), "cloud");
}
