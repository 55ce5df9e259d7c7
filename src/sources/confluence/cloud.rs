//! The lists of Confluence Cloud: REST v2 for spaces, trees, comments and files; v1 for labels, restrictions, people
//! and groups, which v2 does not have.

use super::crawl::{Read, What, after, json, next_of};
use super::found::{Found, Kind, Node, Place};
use super::shapes::{self, Content1, Content2, Group, List, Permission, Restrictions, User, time};
use super::{Wiki, encoded, wants_space};
use knowledge::audience::Rule;
use knowledge::id::{PersonKey, SpaceKey};
use knowledge::page::Space;
use std::collections::BTreeSet;

const V2: &str = "/api/v2/";
const V1: &str = "/rest/api/";
/// The most that v2 gives at once; 200 is what v1 gives with restrictions.
const LIMIT: usize = 250;
const LIMIT_V1: usize = 200;
/// Pages below a place of each kind that have to show that a search tells places as ancestors.
const WITNESSES: usize = 10;
/// The stage in which places are taken in.
const ADOPTING: usize = 5;
/// Spaces named in one request: v2 takes up to 100 ids.
const SPACES: usize = 100;
/// Keys named in one query, which travels in an address.
const KEYS: usize = 40;
/// People asked for in one request.
const PEOPLE: usize = 90;
/// What the marks of pages did not say is asked for one by one, for so many: more would be a list that failed.
const MARKS: usize = 2_000;

/// Places in the tree that are no pages, as the API calls them: the likeliest first.
pub(super) const PLACES: [&str; 4] = ["folders", "whiteboards", "databases", "embeds"];

/// Notes what a parent is, as its child says: it is asked for as that. A page that was not listed is not asked for: it
/// is in the bin, archived, or not for us.
fn note_parent(found: &mut Found, parent: Option<&str>, kind: Option<&str>) {
    let (Some(parent), Some(kind)) = (parent, kind) else { return };
    let place = PLACES.iter().position(|place| place.strip_suffix('s') == Some(kind));
    let first = match kind {
        "page" => PLACES.len(),
        _ => place.unwrap_or(0),
    };
    found.place_kinds.entry(parent.to_owned()).or_insert(first);
}

/// The requests of a stage; none when all stages are over. A stage may have nothing to ask.
pub(super) fn stage(wiki: &Wiki, found: &mut Found, number: usize) -> Option<Vec<(What, String)>> {
    if number == ADOPTING {
        found.adopt_places();
    }
    let found = &*found;
    let ids: Vec<&str> = found.spaces.keys().map(String::as_str).collect();
    let lists = |what: What, name: &str, more: &str| {
        let list = |ids: &[&str]| {
            // By id, so that what is edited meanwhile does not move from one page of the list to another.
            let path = format!("{V2}{name}?space-id={}{more}&sort=id&limit={LIMIT}", ids.join(","));
            (what.clone(), path)
        };
        ids.chunks(SPACES).map(list).collect()
    };
    Some(match number {
        0 => spaces(wiki),
        1 => lists(What::Pages, "pages", "&status=current"),
        2 => lists(What::Blogs, "blogposts", "&status=current"),
        3 => places(found),
        4 => witnesses(found),
        // What stands above a folder may be a folder that nothing is known of: each level is a stage.
        ADOPTING..25 => folders(found),
        25 => vec![
            (What::Comments, format!("{V2}footer-comments?limit={LIMIT}")),
            (What::Comments, format!("{V2}inline-comments?limit={LIMIT}")),
        ],
        26 => vec![(What::Files, format!("{V2}attachments?status=current&limit={LIMIT}"))],
        // Who may see what comes after all of it: what was restricted before somebody wrote on is listed with its rule.
        27 => vec![(What::Groups, format!("{V1}group?limit={LIMIT_V1}&start=0"))],
        28 => ids
            .iter()
            .map(|id| (What::Rights((*id).to_owned()), format!("{V2}spaces/{id}/permissions?limit={LIMIT}")))
            .collect(),
        29 => marks(found),
        30 => missing_marks(found),
        31 => members(found),
        32 => people(found),
        _ => return None,
    })
}

fn spaces(wiki: &Wiki) -> Vec<(What, String)> {
    let keys: Vec<String> = wiki.spaces.iter().map(|key| encoded(key)).collect();
    let path = |more: String| (What::Spaces, format!("{V2}spaces?status=current{more}&limit={LIMIT}"));
    match keys.is_empty() {
        true => vec![path(String::new())],
        false => keys.chunks(KEYS).map(|keys| path(format!("&keys={}", keys.join(",")))).collect(),
    }
}

fn marks(found: &Found) -> Vec<(What, String)> {
    searched(found, &What::Marks, "page,blogpost", "metadata.labels")
}

/// Searches for all content of these types, with its restrictions and something more.
fn searched(found: &Found, what: &What, types: &str, more: &str) -> Vec<(What, String)> {
    let keys: Vec<String> =
        found.spaces.values().map(|space| format!("\"{}\"", space.key.as_str().replace('"', ""))).collect();
    let query = |keys: &[String]| {
        let cql = encoded(&format!("type in ({types}) and space in ({})", keys.join(",")));
        let expand =
            format!("{more},restrictions.read.restrictions.user,restrictions.read.restrictions.group");
        (what.clone(), format!("{V1}content/search?cql={cql}&expand={expand}&limit={LIMIT_V1}"))
    };
    keys.chunks(KEYS).map(query).collect()
}

/// The places that stand above pages, by a search, since no list of v2 holds them. What it does not show is asked for
/// one by one.
fn places(found: &Found) -> Vec<(What, String)> {
    match folders(found).is_empty() {
        true => Vec::new(),
        false => searched(found, &What::Places, "folder,whiteboard,database,embed", "ancestors"),
    }
}

/// Of a place, only v2 is bound to say what it stands below. What a search shows is believed where it shows the same as
/// v2 of pages that stand below a place of each kind: a restriction would otherwise be lost with the place that a
/// server leaves out.
fn witnesses(found: &Found) -> Vec<(What, String)> {
    let mut of_kind = [0; PLACES.len()];
    let mut shows = |node: &Node| {
        let parent = node.parent.as_ref().filter(|id| found.places.contains_key(*id));
        let kind = parent.and_then(|id| found.place_kinds.get(id)).copied().unwrap_or(PLACES.len());
        of_kind.get_mut(kind).is_some_and(|count| {
            *count += 1;
            *count <= WITNESSES
        })
    };
    let ids: Vec<&str> =
        found.nodes.iter().filter(|(_, node)| shows(node)).map(|(id, _)| id.as_str()).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let cql = encoded(&format!("id in ({})", ids.join(",")));
    vec![(What::Witnesses, format!("{V1}content/search?cql={cql}&expand=ancestors&limit={}", ids.len()))]
}

fn mark(id: &str) -> (What, String) {
    (What::Mark(id.to_owned()), format!("{V1}content/{}/restriction/byOperation", encoded(id)))
}

/// A search index is behind by seconds or minutes: whoever it does not know yet is asked about one by one.
fn missing_marks(found: &Found) -> Vec<(What, String)> {
    let pages = found.nodes.iter().filter(|(_, node)| matches!(node.kind, Kind::Page | Kind::Blog));
    let labels = |id: &String, kind: Kind| {
        let list = if kind == Kind::Page { "pages" } else { "blogposts" };
        (What::Labels(id.clone()), format!("{V2}{list}/{}/labels?limit={LIMIT}", encoded(id)))
    };
    let missing = |id: &String| !found.rules.contains_key(id);
    let pages = pages.filter(|(id, _)| missing(id)).flat_map(|(id, node)| [mark(id), labels(id, node.kind)]);
    let folders = found.folders.keys().filter(|id| missing(id)).map(|id| mark(id));
    pages.chain(folders).take(MARKS).collect()
}

/// Whatever kind of place it is: each answers for its own only, so a place is asked for as each.
fn folders(found: &Found) -> Vec<(What, String)> {
    let unknown = found.unknown_parents();
    let kind = |id: &String| PLACES.get(found.place_kinds.get(id).copied().unwrap_or(0));
    let ask = |id: String| Some((What::Folder(id.clone()), format!("{V2}{}/{}", kind(&id)?, encoded(&id))));
    unknown.into_iter().filter_map(ask).collect()
}

fn members(found: &Found) -> Vec<(What, String)> {
    let named = found.groups_in_rules();
    let known = found.group_names.iter().filter(|(_, name)| named.contains(*name));
    let path = |id: &str| format!("{V1}group/{}/membersByGroupId?limit={LIMIT_V1}&start=0", encoded(id));
    known.map(|(id, name)| (What::Members(name.clone()), path(id))).collect()
}

fn people(found: &Found) -> Vec<(What, String)> {
    let unknown: Vec<PersonKey> = found.unknown_people().into_iter().collect();
    let path = |keys: &[PersonKey]| {
        let ids: Vec<String> =
            keys.iter().map(|key| format!("accountId={}", encoded(key.as_str()))).collect();
        (What::Users(keys.to_vec()), format!("{V1}user/bulk?{}&limit={LIMIT_V1}", ids.join("&")))
    };
    unknown.chunks(PEOPLE).map(path).collect()
}

/// Takes an answer in.
pub(super) fn read(found: &mut Found, (what, path): (&What, &str), body: &[u8]) -> Read {
    let read = match what {
        What::Spaces => rows(body, V2, |space: shapes::Space| take_space(found, space)),
        What::Rights(id) => rights(found, id, body),
        What::Groups => counted(path, body, |group: Group| {
            let id = group.id.unwrap_or_else(|| group.name.clone());
            found.group_names.insert(id, group.name);
        }),
        What::Members(group) => {
            let members = found.members.entry(group.clone()).or_default();
            counted(path, body, |user: User| members.extend(user.key()))
        }
        What::Pages => rows(body, V2, |page: Content2| take(found, page, Kind::Page)),
        What::Blogs => rows(body, V2, |page: Content2| take(found, page, Kind::Blog)),
        What::Comments => rows(body, V2, |page: Content2| take(found, page, Kind::Comment)),
        What::Files => rows(body, V2, |page: Content2| take(found, page, Kind::File)),
        What::Marks => rows(body, V1, |content: Content1| {
            if let Some(metadata) = content.metadata {
                found.label(&content.id, metadata.labels());
            }
            if let Some(restrictions) = content.restrictions {
                found.rules.insert(content.id, restrictions.rule());
            }
        }),
        What::Mark(id) => json(body).map(|restrictions: Restrictions| {
            found.rules.insert(id.clone(), restrictions.rule());
            None
        }),
        What::Labels(id) => {
            let mut names = found.labels.remove(id).unwrap_or_default();
            let next = rows(body, V2, |label: shapes::Label| names.push(label.name));
            names.sort_unstable();
            found.label(id, names);
            next
        }
        What::Places => rows(body, V1, |content: Content1| take_place(found, content)),
        What::Witnesses => rows(body, V1, |content: Content1| {
            let Some(node) = found.nodes.get(&content.id) else { return };
            let told = content.ancestors.as_ref().and_then(|above| above.last());
            match told.map(|above| &above.id) == node.parent.as_ref() {
                true => found.witnesses.0 += 1,
                false => found.witnesses.1 += 1,
            }
        }),
        // A place without a title is none: what it says of its parent, if anything, is not believed.
        What::Folder(id) => json(body).filter(|place: &shapes::Place| !place.title.is_empty()).map(|place| {
            note_parent(found, place.parent_id.as_deref(), place.parent_type.as_deref());
            let rule = found.places.remove(id).and_then(|shown| shown.rule);
            found.rules.extend(rule.map(|rule| (id.clone(), rule)));
            found.folders.insert(id.clone(), (place.title, place.parent_id));
            None
        }),
        What::Users(_) => rows(body, V1, |user: User| {
            if let Some(person) = user.person() {
                found.people.insert(person.key.clone(), person);
            }
        }),
    };
    read.map_or(Read::Broken, Read::Next)
}

/// Takes in the rows of a list; gives where it goes on. A list without rows has ended, whatever it says of a next page.
pub(super) fn rows<T: serde::de::DeserializeOwned>(
    body: &[u8],
    api: &str,
    take: impl FnMut(T),
) -> Option<Option<String>> {
    let list: List<T> = json(body)?;
    let next = next_of(list.links.next.as_deref(), api).filter(|_| !list.results.is_empty());
    list.results.into_iter().for_each(take);
    Some(next)
}

/// As `rows`, for a list that counts.
pub(super) fn counted<T: serde::de::DeserializeOwned>(
    path: &str,
    body: &[u8],
    take: impl FnMut(T),
) -> Option<Option<String>> {
    let list: List<T> = json(body)?;
    let next = after(path, list.results.len(), list.links.next.is_some());
    list.results.into_iter().for_each(take);
    Some(next)
}

/// Takes a space in, if it is one of those that are read.
pub(super) fn take_space(found: &mut Found, space: shapes::Space) {
    if found.wanted.is_empty() && !wants_space(&space.kind) {
        found.skipped.add("personal space (name it in `confluence_spaces` to read it)");
        return;
    }
    if !found.wanted.is_empty() && !found.wanted.contains(&space.key) {
        return;
    }
    let name = if space.name.is_empty() { space.key.clone() } else { space.name };
    found.spaces.insert(space.id, Space { key: SpaceKey::new(space.key), name });
}

/// Takes a place in as a search shows it, if it shows what that stands below.
fn take_place(found: &mut Found, content: Content1) {
    let Some(above) = content.ancestors else { return };
    let parent = above.into_iter().next_back();
    let kind = parent.as_ref().map(|above| above.kind.as_str());
    note_parent(found, parent.as_ref().map(|above| above.id.as_str()), kind);
    let rule = content.restrictions.map(Restrictions::rule).filter(|rule| *rule != Rule::Unknown);
    let place = Place { title: content.title, parent: parent.map(|above| above.id), rule };
    found.places.insert(content.id, place);
}

/// Who may view a space: everybody that holds the right to read it.
fn rights(found: &mut Found, id: &str, body: &[u8]) -> Option<Option<String>> {
    let key = found.key_of(Some(id))?;
    let (mut users, mut groups) = match found.space_rules.remove(&key) {
        Some(Rule::Only { users, groups }) => (users, groups),
        _ => (BTreeSet::new(), BTreeSet::new()),
    };
    let names = &found.group_names;
    let next = rows(body, V2, |permission: Permission| {
        if permission.operation.key != "read" || permission.operation.target != "space" {
            return;
        }
        match (permission.principal.kind.as_str(), permission.principal.id) {
            ("user", Some(id)) => drop(users.insert(PersonKey::new(id))),
            ("group", Some(id)) => drop(groups.insert(names.get(&id).cloned().unwrap_or(id))),
            // Whoever else may view it cannot be named here, and does not pass.
            _ => {}
        }
    });
    found.space_rules.insert(key, if next.is_some() { Rule::Only { users, groups } } else { Rule::Unknown });
    next
}

fn take(found: &mut Found, content: Content2, kind: Kind) {
    note_parent(found, content.parent_id.as_deref(), content.parent_type.as_deref());
    let on = content.page_id.or(content.blog_post_id);
    let space = match kind {
        Kind::Page | Kind::Blog => found.key_of(content.space_id.as_deref()),
        // What stands on nothing that was listed is of a space that is not read, or of a page in the bin.
        Kind::Comment | Kind::File => found.space_of(on.as_deref()),
    };
    let is_there = content.status.is_empty() || content.status == "current";
    let Some(space) = space.filter(|_| is_there) else { return };
    let author = content.author_id.filter(|id| !id.is_empty()).map(PersonKey::new);
    let version = content.version;
    found.nodes.insert(
        content.id,
        Box::new(Node {
            kind,
            space,
            title: content.title,
            version: version.number.max(1),
            created: time(content.created_at.as_deref()),
            modified: version.at(),
            editor: version.by(),
            author,
            parent: match kind {
                Kind::Comment => content.parent_comment_id,
                _ => content.parent_id,
            },
            on,
            quoted: content.properties.and_then(shapes::Selection::words),
            link: content.links.webui,
            media_type: content.media_type,
            size_bytes: content.file_size,
        }),
    );
}
