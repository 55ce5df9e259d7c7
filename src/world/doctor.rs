//! What stands between us and a live Confluence, found out before a run does. It must not know who asks.

use super::live;
use super::web::Web;
use crate::models::Response;
use crate::sources::confluence::{Wiki, doctor};
use crate::sources::{Get, SourceError};
use jiff::SignedDuration;
use serde::Serialize;
use std::collections::VecDeque;

/// Our clock and the server's may be this far apart: tokens and pauses that are named as dates bear that much.
const SKEW: SignedDuration = SignedDuration::from_secs(120);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: `address`, `login`, `zone`, `tokens`, `clock`, `limits`, `spaces`, `rights`.
    pub what: &'static str,
    /// Whether it is as it should be.
    pub good: bool,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, good: true, found: found.into(), hint: None }
    }

    fn bad(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, good: false, found: found.into(), hint: Some(hint.into()) }
    }
}

/// Looks at address, login, zone, clock, limits, spaces and rights, as far as it comes.
pub async fn examine(wiki: &Wiki, web: &Web, renews: bool) -> Vec<Finding> {
    let kind = if wiki.is_cloud { "Confluence Cloud" } else { "Confluence Data Center" };
    let mut findings = Vec::new();
    let response = match ask(web, doctor::LOGIN).await {
        Ok(response) => response,
        Err(error) => {
            let hint =
                error.hint.unwrap_or_else(|| "see that the address is right and can be reached".to_owned());
            return vec![Finding::bad("address", error.text, hint)];
        }
    };
    findings.push(Finding::good("address", format!("`{}` answers ({kind})", wiki.base)));
    let is_in = login(&response, renews, &mut findings);
    findings.push(clock(&response));
    findings.push(limits(&response));
    if is_in {
        findings.extend(reach(wiki, web).await);
    }
    findings
}

async fn ask(web: &Web, path: &str) -> std::result::Result<Response, SourceError> {
    web.look(&Get { path: path.to_owned(), may_shrink: false, file_bytes: None }).await
}

/// Who we are; false if the server lets us in nowhere.
fn login(response: &Response, renews: bool, findings: &mut Vec<Finding>) -> bool {
    let hint = "give `confluence_user` and `confluence_token` (an API token), or `confluence_token` alone (a personal \
                access token)";
    match doctor::login(&response.body).filter(|_| response.is_success()) {
        None => {
            let found = format!("who we are is answered with status {}", response.status);
            findings.push(Finding::bad(
                "login",
                found,
                "see that the address ends where the wiki begins (`/wiki` on Cloud)",
            ));
            return false;
        }
        Some(login) if login.is_nobody => {
            findings.push(Finding::bad("login", "nobody: only what anybody may see is read", hint));
        }
        Some(login) => {
            findings.push(Finding::good("login", format!("`{}`", login.name)));
            findings.push(Finding::good(
                "zone",
                login.zone.unwrap_or_else(|| "not said; a day of overlap covers it".to_owned()),
            ));
        }
    }
    if renews {
        let found = "the tokens in the file change with each renewal";
        let hint =
            "on a disk that does not last, use an API token: a renewed token that is lost locks us out";
        findings.push(Finding { hint: Some(hint.to_owned()), ..Finding::good("tokens", found) });
    }
    true
}

fn clock(response: &Response) -> Finding {
    let said = response.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    let Some(said) = said else { return Finding::good("clock", "the server does not say its time") };
    let apart = live::now().duration_since(said.timestamp());
    match apart.abs() <= SKEW {
        true => Finding::good("clock", format!("{} s apart from the server's", apart.as_secs())),
        false => Finding::bad(
            "clock",
            format!("{} s apart from the server's", apart.as_secs()),
            "set this machine's clock",
        ),
    }
}

fn limits(response: &Response) -> Finding {
    let is_limit = |name: &str| name.contains("ratelimit") || name == "retry-after";
    let told: Vec<String> = response
        .headers
        .iter()
        .filter(|(name, _)| is_limit(name))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    match told.is_empty() {
        true => Finding::good("limits", "the server names none"),
        false => Finding::good("limits", told.join(", ")),
    }
}

/// What we may read.
async fn reach(wiki: &Wiki, web: &Web) -> Vec<Finding> {
    let mut findings = Vec::new();
    let listed = ask(web, &doctor::spaces(wiki)).await;
    let found = listed.ok().filter(Response::is_success).and_then(|it| doctor::read_spaces(wiki, &it.body));
    let Some((spaces, missing)) = found else {
        let hint = "the account needs to see at least one space";
        return vec![Finding::bad("spaces", "the list of spaces cannot be read", hint)];
    };
    if !missing.is_empty() {
        let text = format!("not there, or not for us: {}", missing.join(", "));
        findings.push(Finding::bad("spaces", text, "see `confluence_spaces`, and the account's rights"));
    }
    let Some(first) = spaces.first() else {
        findings.push(Finding::bad(
            "spaces",
            "none that is read",
            "see `confluence_spaces`, and the account's rights",
        ));
        return findings;
    };
    findings.push(Finding::good("spaces", format!("{} are read, such as `{}`", spaces.len(), first.key)));
    findings.extend(rights(wiki, web, doctor::rights(wiki, first)).await);
    findings
}

/// Whether all that a run reads is answered, and with what was asked for.
async fn rights(wiki: &Wiki, web: &Web, rights: Vec<doctor::Right>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut todo = VecDeque::from(rights);
    while let Some(right) = todo.pop_front() {
        let without = right.without;
        let (found, hint) = match web.look(&right.get).await {
            Ok(response) if response.is_success() => match right.read(wiki, &response.body) {
                Ok(more) => {
                    todo.extend(more);
                    continue;
                }
                Err(found) => (format!("{found}; {without}"), None),
            },
            Ok(response) => (format!("status {} for {without}", response.status), None),
            Err(error) => (format!("{}; {without}", error.text), error.hint),
        };
        let hint = hint.unwrap_or_else(|| "give the account (or the token's scopes) that right".to_owned());
        findings.push(Finding::bad("rights", found, hint));
    }
    if findings.is_empty() {
        let all = "restrictions, rights of spaces, groups and members, files and comments can be read";
        findings.push(Finding::good("rights", all));
    }
    findings
}
