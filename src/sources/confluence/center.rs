//! The lists of Confluence Data Center and Server: REST v1 alone, where a list of pages can bring labels, restrictions
//! and all that is above each with it. Lists count by `start`.

use super::cloud::{counted, take_space};
use super::crawl::{Read, What, json, start_of, with};
use super::found::{Found, Kind, Node};
use super::shapes::{self, Content1, List, Restrictions, SpacePermission, User, time};
use super::{Wiki, encoded};
use knowledge::audience::Rule;
use std::collections::BTreeSet;

const V1: &str = "/rest/api/";
/// What the server gives at most with what we ask it to bring along.
const LIMIT: usize = 200;
const KEYS: usize = 40;
/// How often lists are begun again in one crawl.
const RESTARTS: u32 = 20;
/// What is brought along with a page.
const EXPAND: &str = "version,space,ancestors,history,metadata.labels,restrictions.read.restrictions.user,\
                      restrictions.read.restrictions.group";

/// The requests of a stage; none when all stages are over.
pub(super) fn stage(wiki: &Wiki, found: &Found, number: usize) -> Option<Vec<(What, String)>> {
    Some(match number {
        0 => spaces(wiki),
        1 => contents(found, What::Pages, "page"),
        2 => contents(found, What::Blogs, "blogpost"),
        3 => searched(
            found,
            What::Comments,
            "comment",
            "version,container,history,ancestors,extensions.inlineProperties",
        ),
        4 => searched(found, What::Files, "attachment", "version,container,extensions"),
        5 => missing_marks(found),
        6 => found
            .spaces
            .iter()
            .map(|(id, space)| {
                let key = encoded(space.key.as_str());
                (What::Rights(id.clone()), format!("{V1}space/{key}?expand=permissions"))
            })
            .collect(),
        7 => found
            .groups_in_rules()
            .into_iter()
            .map(|name| {
                let path = format!("{V1}group/{}/member?limit={LIMIT}&start=0", encoded(&name));
                (What::Members(name), path)
            })
            .collect(),
        8 => found
            .unknown_people()
            .into_iter()
            .map(|key| (What::Users(vec![key.clone()]), format!("{V1}user?key={}", encoded(key.as_str()))))
            .collect(),
        _ => return None,
    })
}

fn spaces(wiki: &Wiki) -> Vec<(What, String)> {
    let keys: String = wiki.spaces.iter().map(|key| format!("&spaceKey={}", encoded(key))).collect();
    vec![(What::Spaces, format!("{V1}space?status=current{keys}&limit={LIMIT}&start=0"))]
}

fn contents(found: &Found, what: What, kind: &str) -> Vec<(What, String)> {
    let path = |key: &str| {
        let key = encoded(key);
        format!("{V1}content?spaceKey={key}&type={kind}&status=current&expand={EXPAND}&limit={LIMIT}&start=0")
    };
    found.spaces.values().map(|space| (what.clone(), path(space.key.as_str()))).collect()
}

fn searched(found: &Found, what: What, kind: &str, expand: &str) -> Vec<(What, String)> {
    let keys: Vec<String> =
        found.spaces.values().map(|space| format!("\"{}\"", space.key.as_str().replace('"', ""))).collect();
    let query = |keys: &[String]| {
        let cql = format!("type={kind} and space in ({})", keys.join(","));
        let path = format!("{V1}content/search?cql={}&expand={expand}&limit={LIMIT}&start=0", encoded(&cql));
        (what.clone(), path)
    };
    keys.chunks(KEYS).map(query).collect()
}

/// What the list did not bring along: restrictions of what stands above and is not listed, too.
fn missing_marks(found: &Found) -> Vec<(What, String)> {
    let pages = found.nodes.iter().filter(|(_, node)| matches!(node.kind, Kind::Page | Kind::Blog));
    let missing = pages
        .map(|(id, _)| id)
        .filter(|id| !matches!(found.rules.get(*id), Some(rule) if *rule != Rule::Unknown));
    missing
        .map(|id| (What::Mark(id.clone()), format!("{V1}content/{}/restriction/byOperation", encoded(id))))
        .collect()
}

/// Takes an answer in.
pub(super) fn read(found: &mut Found, (what, path): (&What, &str), body: &[u8]) -> Read {
    let read = match what {
        What::Spaces => counted(path, body, |space: shapes::Space| take_space(found, space)),
        What::Rights(id) => rights(found, id, body),
        What::Pages => overlapping(found, path, body, Kind::Page),
        What::Blogs => overlapping(found, path, body, Kind::Blog),
        What::Comments => overlapping(found, path, body, Kind::Comment),
        What::Files => overlapping(found, path, body, Kind::File),
        What::Mark(id) => json(body).map(|restrictions: Restrictions| {
            found.rules.insert(id.clone(), restrictions.rule());
            None
        }),
        What::Members(group) => {
            let members = found.members.entry(group.clone()).or_default();
            counted(path, body, |user: User| {
                members.extend(user.key());
                if let Some(person) = user.person() {
                    found.people.insert(person.key.clone(), person);
                }
            })
        }
        What::Users(_) => json(body).map(|user: User| {
            if let Some(person) = user.person() {
                found.people.insert(person.key.clone(), person);
            }
            None
        }),
        What::Groups | What::Marks | What::Labels(_) | What::Places | What::Witnesses | What::Folder(_) => {
            None
        }
    };
    read.map_or(Read::Broken, Read::Next)
}

/// Takes in a page of a list that counts, and that people change meanwhile: where a row goes away, the rows behind it
/// move up, and one would be missed. So each page begins with the last row of the one before; where it does not, the
/// list is read again from its start. A list that never holds still is broken.
fn overlapping(found: &mut Found, path: &str, body: &[u8], kind: Kind) -> Option<Option<String>> {
    let list: List<Content1> = json(body)?;
    let (start, rows) = (start_of(path), list.results.len());
    if start == 0 {
        found.edge = None;
    }
    let has_moved = start > 0 && found.edge != list.results.first().map(|content| content.id.clone());
    if has_moved {
        found.restarts += 1;
        return (found.restarts < RESTARTS).then(|| Some(with(path, "start", "0")));
    }
    found.edge = list.results.last().map(|content| content.id.clone());
    let has_more = list.links.next.is_some() && rows > usize::from(start > 0);
    list.results.into_iter().for_each(|content| take(found, content, kind));
    Some(has_more.then(|| with(path, "start", &(start + rows - 1).to_string())))
}

/// Who may view a space. Older versions do not say: then nobody passes.
fn rights(found: &mut Found, id: &str, body: &[u8]) -> Option<Option<String>> {
    let key = found.key_of(Some(id))?;
    let space: shapes::SpaceRights = json(body)?;
    let rule = match space.permissions {
        None => Rule::Unknown,
        Some(permissions) => viewers(permissions),
    };
    found.space_rules.insert(key, rule);
    Some(None)
}

fn viewers(permissions: Vec<SpacePermission>) -> Rule {
    let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
    for permission in permissions.into_iter().filter(SpacePermission::lets_view) {
        if permission.is_for_all() {
            return Rule::Everyone;
        }
        let (some_users, some_groups) = permission.who();
        users.extend(some_users);
        groups.extend(some_groups);
    }
    Rule::Only { users, groups }
}

fn take(found: &mut Found, content: Content1, kind: Kind) {
    let on = content.container.and_then(|container| container.id);
    let space = match kind {
        Kind::Page | Kind::Blog => content.space.map(|space| space.key),
        Kind::Comment | Kind::File => found.space_of(on.as_deref()),
    };
    let is_there = content.status.is_empty() || content.status == "current";
    let Some(space) = space.filter(|_| is_there) else { return };
    if let Some(metadata) = content.metadata {
        found.label(&content.id, metadata.labels());
    }
    if let Some(restrictions) = content.restrictions {
        found.rules.insert(content.id.clone(), restrictions.rule());
    }
    let (author, editor) =
        (content.history.as_ref().and_then(|history| history.created_by.clone()), content.version.user());
    for person in [&author, &editor].into_iter().flatten().filter_map(User::person) {
        found.people.insert(person.key.clone(), person);
    }
    if kind == Kind::Page && content.ancestors.is_none() {
        found.astray.insert(content.id.clone());
    }
    let above = content.ancestors.as_ref().and_then(|above| above.last());
    let parent = match kind {
        Kind::Comment => above.filter(|above| above.kind == "comment"),
        _ => above,
    };
    let (selection, media_type, size_bytes) = match content.extensions {
        Some(more) => (more.inline_properties, more.media_type, more.file_size),
        None => (None, None, None),
    };
    found.nodes.insert(
        content.id,
        Box::new(Node {
            kind,
            space,
            title: content.title,
            version: content.version.number.max(1),
            created: content.history.as_ref().and_then(|history| time(history.created_date.as_deref())),
            modified: content.version.at(),
            author: author.as_ref().and_then(User::key),
            editor: content.version.by(),
            parent: parent.map(|above| above.id.clone()),
            on,
            quoted: selection.and_then(shapes::Selection::words),
            link: content.links.webui,
            media_type,
            size_bytes,
        }),
    );
}
