//! What `doctor` asks a wiki's server, and what the answers mean. Pure: it sends nothing.

use super::crawl::json;
use super::shapes::{List, Space, User};
use super::{Wiki, wants_space};

/// Who the server takes us for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name to show.
    pub name: String,
    /// The time zone of the profile, in which queries by time are read.
    pub zone: Option<String>,
    /// Nobody: the server lets whoever comes look around.
    pub is_nobody: bool,
}

/// The path that says who we are.
pub const LOGIN: &str = "/rest/api/user/current";

/// A small question to the part of the interface that a path belongs to: whoever is not answered there asks whether
/// anybody is.
pub fn neighbour(path: &str) -> &'static str {
    let is_below = |part: &str| path.starts_with(part);
    match path {
        _ if is_below("/api/v2/pages") => "/api/v2/pages?limit=1",
        _ if is_below("/api/v2/blogposts") => "/api/v2/blogposts?limit=1",
        _ if is_below("/api/v2/") => "/api/v2/spaces?limit=1",
        _ if is_below("/rest/api/content") || is_below("/download/") => {
            "/rest/api/content/search?cql=type%3Dpage&limit=1"
        }
        _ => LOGIN,
    }
}

/// What shows that we are known, if only one of them is not answered with 401: a token may be for anything but who we
/// are, though never for no space.
pub fn proofs(path: &str, is_cloud: bool) -> impl Iterator<Item = &'static str> {
    let spaces = (is_cloud || path.starts_with("/api/v2/")).then_some("/api/v2/spaces?limit=1");
    [LOGIN].into_iter().chain(spaces)
}

/// Reads who we are.
pub fn login(body: &[u8]) -> Option<Login> {
    #[derive(serde::Deserialize)]
    struct Kind {
        #[serde(default, rename = "type")]
        kind: String,
    }
    let (user, Kind { kind }) = (json::<User>(body)?, json::<Kind>(body)?);
    let name = user.name().unwrap_or("?").to_owned();
    Some(Login { is_nobody: kind == "anonymous", name, zone: user.time_zone })
}

/// The path that lists spaces.
pub fn spaces(wiki: &Wiki) -> String {
    match wiki.is_cloud {
        true => "/api/v2/spaces?status=current&limit=250".to_owned(),
        false => "/rest/api/space?status=current&limit=200&start=0".to_owned(),
    }
}

/// Keys of the spaces that would be read, as far as one answer says; and those that were named and are not there.
pub fn read_spaces(wiki: &Wiki, body: &[u8]) -> Option<(Vec<String>, Vec<String>)> {
    let list: List<Space> = json(body)?;
    let is_whole = list.links.next.is_none();
    let is_read = |space: &Space| match wiki.spaces.is_empty() {
        true => wants_space(&space.kind),
        false => wiki.spaces.contains(&space.key),
    };
    let keys: Vec<String> =
        list.results.iter().filter(|space| is_read(space)).map(|space| space.key.clone()).collect();
    let missing = wiki.spaces.iter().filter(|key| is_whole && !keys.contains(key)).cloned().collect();
    Some((keys, missing))
}

/// Paths that show whether restrictions, groups and rights of a space can be read, each with what goes wrong without.
pub fn rights(wiki: &Wiki, space: &str) -> Vec<(String, &'static str)> {
    let cql = super::encoded(&format!("type=page and space=\"{}\"", space.replace('"', "")));
    let marks =
        format!("/rest/api/content/search?cql={cql}&expand=restrictions.read.restrictions.user&limit=1");
    vec![
        (marks, "restrictions of pages: without them nobody passes `--as`"),
        (
            "/rest/api/group?limit=1&start=0".to_owned(),
            "groups: without them `--as` takes nobody for a member",
        ),
        (
            match wiki.is_cloud {
                true => "/api/v2/footer-comments?limit=1".to_owned(),
                false => format!("/rest/api/space/{}?expand=permissions", super::encoded(space)),
            },
            match wiki.is_cloud {
                true => "comments: without them only pages are read",
                false => "rights of spaces: without them nobody passes `--as`",
            },
        ),
    ]
}
