//! Who is asking: API tokens, passwords, personal access tokens, and OAuth with refresh tokens that change at each use.
//! It must not know what anybody may see.

use super::exchange::{Refusal, Request, Response, pairs};
use super::site::{Site, UserId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How somebody showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An address with an API token, or a name with a password.
    Basic,
    /// A personal access token of Data Center.
    Personal,
    /// An access token of OAuth, which alone is charged points.
    Oauth,
}

/// A refresh token, and when it was first used.
#[derive(Clone, Debug)]
struct Refresh {
    user: UserId,
    used: Option<Timestamp>,
}

/// All secrets of a site.
#[derive(Clone, Debug)]
pub struct Access {
    basic: BTreeMap<String, UserId>,
    personal: BTreeMap<String, UserId>,
    issued: BTreeMap<String, (UserId, Timestamp)>,
    refreshes: BTreeMap<String, Refresh>,
    /// How long an access token lives.
    pub lifetime: SignedDuration,
    /// How long a refresh token may be used again after its first use.
    pub grace: SignedDuration,
    made: u64,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            basic: BTreeMap::new(),
            personal: BTreeMap::new(),
            issued: BTreeMap::new(),
            refreshes: BTreeMap::new(),
            lifetime: SignedDuration::from_hours(1),
            grace: SignedDuration::from_mins(10),
            made: 0,
        }
    }
}

impl Access {
    /// Lets somebody in by name and secret: on Cloud an address and an API token.
    pub fn admit(&mut self, name: &str, secret: &str, user: &UserId) {
        self.basic.insert(format!("{name}:{secret}"), user.clone());
    }

    /// Lets somebody in by a personal access token.
    pub fn admit_token(&mut self, token: &str, user: &UserId) {
        self.personal.insert(token.to_owned(), user.clone());
    }

    /// Gives somebody a refresh token.
    pub fn admit_refresh(&mut self, token: &str, user: &UserId) {
        self.refreshes.insert(token.to_owned(), Refresh { user: user.clone(), used: None });
    }

    /// No access token that was issued is good any more.
    pub fn expire(&mut self) {
        self.issued.clear();
    }

    fn issue(&mut self, user: &UserId, now: Timestamp) -> Value {
        self.made += 1;
        let (access, refresh) = (format!("access-{:06}", self.made), format!("refresh-{:06}", self.made));
        self.issued.insert(access.clone(), (user.clone(), now + self.lifetime));
        self.admit_refresh(&refresh, user);
        json!({
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
            "scope": "offline_access read:page:confluence read:space:confluence read:comment:confluence",
        })
    }
}

/// Who is asking. Access tokens of OAuth are good at the gateway alone.
pub fn caller(site: &Site, request: &Request, at_gateway: bool) -> Result<(UserId, Way), Refusal> {
    let refused = |why: &str| Refusal::new(401, why.to_owned());
    let Some(header) = request.header("authorization") else {
        return Err(refused("Client must be authenticated to access this resource."));
    };
    let (scheme, secret) = header.split_once(' ').unwrap_or((header, ""));
    let secret = secret.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = STANDARD.decode(secret).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let user = pair.and_then(|pair| site.access.basic.get(&pair));
        return user.map(|user| (user.clone(), Way::Basic)).ok_or_else(|| refused("Unauthorized"));
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("Unauthorized"));
    }
    if !site.is_cloud() {
        let user = site.access.personal.get(secret);
        return user.map(|user| (user.clone(), Way::Personal)).ok_or_else(|| refused("Unauthorized"));
    }
    match site.access.issued.get(secret) {
        Some((user, until)) if site.now < *until && at_gateway => Ok((user.clone(), Way::Oauth)),
        _ => Err(refused("Unauthorized; scope does not match")),
    }
}

/// The endpoint that gives tokens for a refresh token, once each: after a first use there is a short grace, because the
/// answer may have been lost.
pub fn token(site: &mut Site, request: &Request) -> Response {
    let field = fields(request);
    let refused = |status, error: &str, words: &str| {
        Response::json(status, &json!({ "error": error, "error_description": words }))
    };
    if field("grant_type").as_deref() != Some("refresh_token") {
        return refused(400, "unsupported_grant_type", "only refresh_token is known here");
    }
    let (now, grace) = (site.now, site.access.grace);
    let given = field("refresh_token").unwrap_or_default();
    let known = site.access.refreshes.get_mut(&given);
    let Some(known) = known.filter(|known| known.used.is_none_or(|used| now < used + grace)) else {
        return refused(403, "unauthorized_client", "refresh_token is invalid");
    };
    known.used.get_or_insert(now);
    let user = known.user.clone();
    Response::ok(&site.access.issue(&user, now))
}

/// The fields of a form, or of a JSON object.
fn fields(request: &Request) -> impl Fn(&str) -> Option<String> {
    let as_json = serde_json::from_slice::<Value>(&request.body).ok();
    let as_form = pairs(&String::from_utf8_lossy(&request.body));
    move |name: &str| match &as_json {
        Some(object) => object[name].as_str().map(str::to_owned),
        None => as_form.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::answer;
    use super::super::loading::small;
    use super::super::site::Deployment;
    use super::*;

    fn refresh(site: &mut Site, token: &str) -> Response {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": token });
        answer(site, &Request::new("POST", "/oauth/token").with_json(&body))
    }

    #[test]
    fn a_refresh_token_changes_at_each_use_and_the_old_one_ends_after_a_grace() {
        let mut site = small(Deployment::Cloud);
        let first = refresh(&mut site, "refresh-reader").value();
        assert_eq!(refresh(&mut site, "refresh-reader").status, 200, "within the grace");
        site.now += SignedDuration::from_mins(11);
        let late = refresh(&mut site, "refresh-reader");
        assert_eq!((late.status, late.value()["error"].as_str()), (403, Some("unauthorized_client")));
        assert_eq!(refresh(&mut site, first["refresh_token"].as_str().unwrap()).status, 200);
    }

    #[test]
    fn an_access_token_is_good_for_an_hour_and_at_the_gateway_alone() {
        let mut site = small(Deployment::Cloud);
        let issued = refresh(&mut site, "refresh-reader").value();
        let bearer = format!("Bearer {}", issued["access_token"].as_str().unwrap());
        let gateway = format!("/ex/confluence/{}/wiki/api/v2/spaces", site.cloud_id);
        let ask = |site: &mut Site, path: &str| {
            answer(site, &Request::get(path).with("authorization", &bearer)).status
        };
        assert_eq!(ask(&mut site, &gateway), 200);
        assert_eq!(ask(&mut site, "/wiki/api/v2/spaces"), 401);
        assert_eq!(ask(&mut site, "/ex/confluence/other/wiki/api/v2/spaces"), 404);
        site.now += SignedDuration::from_mins(61);
        assert_eq!(ask(&mut site, &gateway), 401);
    }
}
