//! What `doctor` asks a wiki's server, and what the answers mean. Pure: it sends nothing.

use super::crawl::json;
use super::shapes::{Content1, Content2, Group, List, Permission, Restrictions, Space, SpaceRights, User};
use super::{Wiki, encoded, wants_space};
use crate::sources::Get;
use knowledge::audience::Rule;
use serde::de::DeserializeOwned;

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

/// A space, as the server and as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    id: String,
    /// Its key.
    pub key: String,
}

/// The spaces that would be read, as far as one answer says; and the keys of those that were named and are not there.
pub fn read_spaces(wiki: &Wiki, body: &[u8]) -> Option<(Vec<Known>, Vec<String>)> {
    let list: List<Space> = list(body)?;
    let is_whole = list.links.next.is_none();
    let is_read = |space: &Space| match wiki.spaces.is_empty() {
        true => wants_space(&space.kind),
        false => wiki.spaces.contains(&space.key),
    };
    let found = list.results.into_iter().filter(is_read).map(|space| Known { id: space.id, key: space.key });
    let found: Vec<Known> = found.collect();
    let is_there = |key: &&String| found.iter().any(|space| space.key == **key);
    let missing = wiki.spaces.iter().filter(|key| is_whole && !is_there(key)).cloned().collect();
    Some((found, missing))
}

/// Something that a run reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The question whose answer shows whether we may.
    pub get: Get,
    /// What it is, and what goes wrong without.
    pub without: &'static str,
    shows: Shows,
}

/// What an answer has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    Restrictions,
    Viewers,
    Groups,
    Members,
    Files,
    Rows,
    Bytes,
}

/// No more of a file is read to see that it can be.
const BYTES: u64 = 1 << 20;

impl Right {
    fn of(shows: Shows, path: String, without: &'static str) -> Self {
        let file_bytes = (shows == Shows::Bytes).then_some(BYTES);
        Self { get: Get { path, may_shrink: false, file_bytes }, without, shows }
    }

    /// What shows next, after this answer.
    ///
    /// # Errors
    /// What the answer does not say.
    pub fn read(&self, wiki: &Wiki, body: &[u8]) -> Result<Option<Right>, &'static str> {
        const STRANGE: &str = "the answer is not what was asked for";
        match self.shows {
            Shows::Restrictions => {
                let rows: List<Content1> = list(body).ok_or(STRANGE)?;
                let mut rules =
                    rows.results.into_iter().map(|page| page.restrictions.map(Restrictions::rule));
                let is_told = |rule: Option<Rule>| rule.is_some_and(|rule| rule != Rule::Unknown);
                rules.all(is_told).then_some(None).ok_or("pages come without their restrictions")
            }
            Shows::Viewers if wiki.is_cloud => {
                let rows: List<Permission> = list(body).ok_or(STRANGE)?;
                let views = |one: &Permission| one.operation.key == "read" && one.operation.target == "space";
                let is_told = rows.results.iter().any(views) || rows.links.next.is_some();
                is_told.then_some(None).ok_or("nobody is named who may view the space")
            }
            Shows::Viewers => {
                let space: SpaceRights = json(body).ok_or(STRANGE)?;
                let told = space.permissions.map(|_| None);
                told.ok_or("the space comes without its permissions (a Data Center gives them from 9.1 on)")
            }
            Shows::Groups => {
                let rows: List<Group> = list(body).ok_or(STRANGE)?;
                Ok(rows.results.first().map(|group| members(wiki, group)))
            }
            Shows::Members => {
                let rows: List<User> = list(body).ok_or(STRANGE)?;
                let are_known = rows.results.iter().all(|user| user.key().is_some());
                are_known.then_some(None).ok_or("members of a group come without what they are known by")
            }
            Shows::Files => {
                let rows: Vec<File> = match wiki.is_cloud {
                    true => rows::<Content2, _>(body).ok_or(STRANGE)?,
                    false => rows::<Content1, _>(body).ok_or(STRANGE)?,
                };
                Ok(rows.into_iter().find_map(|file| file.bytes(wiki)))
            }
            Shows::Rows => list::<serde_json::Value>(body).map(|_| None).ok_or(STRANGE),
            Shows::Bytes => Ok(None),
        }
    }
}

fn members(wiki: &Wiki, group: &Group) -> Right {
    let path = match (wiki.is_cloud, &group.id) {
        (true, Some(id)) => format!("/rest/api/group/{}/membersByGroupId?limit=1&start=0", encoded(id)),
        _ => format!("/rest/api/group/{}/member?limit=1&start=0", encoded(&group.name)),
    };
    Right::of(Shows::Members, path, "members of groups: without them `--as` takes nobody for a member")
}

/// An attached file, of either version of the interface.
struct File {
    id: String,
    title: String,
    on: Option<String>,
    size_bytes: Option<u64>,
}

impl From<Content2> for File {
    fn from(file: Content2) -> Self {
        let on = file.page_id.or(file.blog_post_id);
        Self { id: file.id, title: file.title, on, size_bytes: file.file_size }
    }
}

impl From<Content1> for File {
    fn from(file: Content1) -> Self {
        let on = file.container.and_then(|container| container.id);
        let size_bytes = file.extensions.and_then(|more| more.file_size);
        Self { id: file.id, title: file.title, on, size_bytes }
    }
}

impl File {
    /// The bytes of a small file: a single sign-on often stands before these alone.
    fn bytes(&self, wiki: &Wiki) -> Option<Right> {
        let (id, on, title) = (encoded(&self.id), encoded(self.on.as_ref()?), encoded(&self.title));
        let path = match wiki.is_cloud {
            true => format!("/rest/api/content/{on}/child/attachment/{id}/download"),
            false => format!("/download/attachments/{on}/{title}"),
        };
        let without = "attached files: without their bytes they are passed over";
        self.size_bytes.is_some_and(|size| size <= BYTES).then(|| Right::of(Shows::Bytes, path, without))
    }
}

/// The rows of the list in an answer, as something else.
fn rows<T: DeserializeOwned, U: From<T>>(body: &[u8]) -> Option<Vec<U>> {
    Some(list::<T>(body)?.results.into_iter().map(U::from).collect())
}

/// The list in an answer; none where it holds none.
fn list<T: DeserializeOwned>(body: &[u8]) -> Option<List<T>> {
    json::<serde_json::Value>(body)?["results"].as_array()?;
    json(body)
}

/// What shows whether a run can read all that it asks for.
pub fn rights(wiki: &Wiki, space: &Known) -> Vec<Right> {
    let within = |kind: &str| encoded(&format!("type={kind} and space=\"{}\"", space.key.replace('"', "")));
    let marks = format!(
        "/rest/api/content/search?cql={}&expand=restrictions.read.restrictions.user,\
         restrictions.read.restrictions.group&limit=1",
        within("page")
    );
    let key = encoded(&space.key);
    let (viewers, files, comments) = match wiki.is_cloud {
        true => (
            format!("/api/v2/spaces/{}/permissions?limit=250", encoded(&space.id)),
            "/api/v2/attachments?status=current&limit=10".to_owned(),
            "/api/v2/footer-comments?limit=1".to_owned(),
        ),
        false => (
            format!("/rest/api/space/{key}?expand=permissions"),
            format!(
                "/rest/api/content/search?cql={}&expand=container,extensions&limit=10&start=0",
                within("attachment")
            ),
            format!("/rest/api/content/search?cql={}&limit=1&start=0", within("comment")),
        ),
    };
    vec![
        Right::of(Shows::Restrictions, marks, "restrictions of pages: without them nobody passes `--as`"),
        Right::of(Shows::Viewers, viewers, "rights of spaces: without them nobody passes `--as`"),
        Right::of(
            Shows::Groups,
            "/rest/api/group?limit=1&start=0".to_owned(),
            "groups: without them `--as` takes nobody for a member",
        ),
        Right::of(Shows::Files, files, "lists of attached files: without them only pages are read"),
        Right::of(Shows::Rows, comments, "comments: without them only pages are read"),
    ]
}
