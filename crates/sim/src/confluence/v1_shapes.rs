//! How the first version of the interface writes things down, and the `expand` that says how much of it. Both products
//! have it, with differences. It must not know which request is answered.

use super::exchange::encoded;
use super::quirks::Quirk;
use super::site::{
    Content, ContentId, Edition, Group, Kind, Label, Restriction, Space, Status, User, UserId,
};
use super::text;
use super::turning::Call;
use super::v2_shapes::{described, download, file_id, moment, slug, tiny, webui};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is to be expanded, and what within it.
#[derive(Clone, Debug, Default)]
pub struct Expand(BTreeMap<String, Expand>);

impl Expand {
    /// From the parameters of a request.
    pub fn read(paths: &[&str]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut at = &mut root;
            for part in path.split('.') {
                at = at.0.entry(part.to_owned()).or_default();
            }
        }
        root
    }

    /// What is within a part that is to be expanded.
    pub fn of(&self, name: &str) -> Option<&Self> {
        self.0.get(name)
    }

    /// Whether anything is to be expanded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A moment: on Cloud in UTC, on Data Center in the zone of the server.
pub fn when(call: &Call<'_>, at: Timestamp) -> String {
    if call.site.is_cloud() {
        return moment(at);
    }
    let zone = jiff::tz::TimeZone::get(&call.site.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// The address of something below the interface, without the base.
pub fn path(rest: &str) -> String {
    format!("/rest/api/{rest}")
}

fn own_address(call: &Call<'_>, rest: &str) -> String {
    format!("{}/rest/api/{rest}", call.base())
}

/// A content, with what is to be expanded of it.
pub fn content(call: &Call<'_>, content: &Content, edition: &Edition, expand: &Expand) -> Value {
    let mut value = json!({
        "id": content.address(),
        "type": content.kind.name(),
        "status": if edition.number < content.newest().number { "historical" } else { content.status.name() },
        "title": edition.title,
        "macroRenderedOutput": {},
        "extensions": extensions(content, expand.of("extensions")),
        "_links": links(call, content),
    });
    if call.site.is_cloud() {
        value["ari"] =
            format!("ari:cloud:confluence:{}:{}/{}", call.site.cloud_id, content.kind.name(), content.id)
                .into();
    }
    let mut folded = Map::new();
    let of_content = |rest: &str| path(&format!("content/{}/{rest}", content.address()));
    let key = call.site.spaces.get(&content.space).map_or("", |space| space.key.as_str());
    let all = [
        ("space", path(&format!("space/{key}"))),
        ("history", of_content("history")),
        ("version", String::new()),
        ("ancestors", String::new()),
        ("body", String::new()),
        ("metadata", String::new()),
        ("restrictions", of_content("restriction/byOperation")),
        ("children", of_content("child")),
        ("descendants", of_content("descendant")),
        ("container", container_path(content, key)),
        ("operations", String::new()),
        ("childTypes", String::new()),
    ];
    for (name, address) in all {
        let expanded = expand.of(name).and_then(|within| part(call, (content, edition), name, within));
        match expanded {
            Some(part) => value[name] = part,
            None => drop(folded.insert(name.to_owned(), address.into())),
        }
    }
    value["_expandable"] = Value::Object(folded);
    value
}

fn container_path(content: &Content, key: &str) -> String {
    match content.container {
        Some(container) => path(&format!("content/{container}")),
        None => path(&format!("space/{key}")),
    }
}

/// One expanded part.
fn part(call: &Call<'_>, what: (&Content, &Edition), name: &str, within: &Expand) -> Option<Value> {
    let (found, edition) = what;
    Some(match name {
        "space" => space(call, call.site.spaces.get(&found.space)?, within),
        "history" => history(call, found, within),
        "version" => version(call, edition),
        "ancestors" => ancestors(call, found, within),
        "body" => bodies(call, what, within),
        "metadata" => metadata(call, found, within),
        "restrictions" => restrictions(call, found, within),
        "children" => children(call, found, within),
        "descendants" => json!({ "_expandable": {}, "_links": {} }),
        "container" => match found.container.and_then(|id| call.site.content(id)) {
            Some(above) => content(call, above, above.newest(), within),
            None => space(call, call.site.spaces.get(&found.space)?, within),
        },
        "operations" => json!([{ "operation": "read", "targetType": found.kind.name() }]),
        "childTypes" => {
            let has =
                |kind: &str| json!({ "value": !children_of(call, found, kind).is_empty(), "_links": {} });
            let mut types = json!({ "_expandable": {} });
            for kind in ["attachment", "comment", "page"] {
                types[kind] = has(kind);
            }
            types
        }
        _ => return None,
    })
}

fn links(call: &Call<'_>, content: &Content) -> Value {
    let on_cloud = call.site.is_cloud();
    let mut links = json!({
        "self": own_address(call, &format!("content/{}", content.address())),
        "webui": if on_cloud { webui(call.site, content) } else { display(call, content) },
        "tinyui": tiny(content.id.0),
    });
    if content.kind == Kind::Attachment {
        links["download"] = match (on_cloud, content.container) {
            // Cloud gives the address of the interface; the bytes are behind a redirect.
            (true, Some(container)) => {
                format!("/rest/api/content/{container}/child/attachment/{}/download", content.address())
                    .into()
            }
            _ => download(content).into(),
        };
    }
    if on_cloud && content.kind == Kind::Page {
        links["editui"] = format!("/pages/resumedraft.action?draftId={}", content.id).into();
    }
    links
}

/// Where people see a content of Data Center.
fn display(call: &Call<'_>, content: &Content) -> String {
    let key = call.site.spaces.get(&content.space).map_or("", |space| space.key.as_str());
    let is_plain = |c: char| c.is_alphanumeric() || " -_.,".contains(c);
    match content.kind {
        Kind::Page if content.title().chars().all(is_plain) => {
            format!("/display/{key}/{}", slug(content.title()))
        }
        Kind::BlogPost => {
            format!("/display/{key}/{}/{}", content.created().strftime("%Y/%m/%d"), slug(content.title()))
        }
        Kind::Page => format!("/pages/viewpage.action?pageId={}", content.id),
        _ => webui(call.site, content),
    }
}

fn extensions(content: &Content, expand: Option<&Expand>) -> Value {
    match content.kind {
        Kind::Page | Kind::Folder => json!({ "position": content.position }),
        Kind::Attachment => {
            let empty = Default::default();
            let file = content.file.as_ref().unwrap_or(&empty);
            json!({
                "mediaType": file.media_type,
                "mediaTypeDescription": described(&file.media_type),
                "fileSize": file.bytes.len(),
                "comment": content.newest().message,
                "fileId": file_id(content),
                "collectionName": format!("contentId-{}", content.container.map_or(0, |id| id.0)),
            })
        }
        Kind::FooterComment => json!({ "location": "footer" }),
        Kind::InlineComment => {
            let mut value = json!({ "location": "inline" });
            let anchor = content.anchor.as_ref().zip(expand);
            if let Some((anchor, expand)) = anchor {
                if expand.of("inlineProperties").is_some() {
                    value["inlineProperties"] =
                        json!({ "originalSelection": anchor.selection, "markerRef": anchor.marker });
                }
                if expand.of("resolution").is_some() {
                    value["resolution"] = json!({ "status": anchor.resolution });
                }
            }
            value
        }
        _ => json!({}),
    }
}

fn ancestors(call: &Call<'_>, found: &Content, within: &Expand) -> Value {
    let above = call.site.ancestors(found);
    let seen = above.iter().filter(|above| call.sees(above));
    seen.map(|above| content(call, above, above.newest(), within)).collect()
}

/// Whether expanding the restrictions of ancestors fails for a whole list, as quirk 6 has it.
pub fn is_blind(call: &Call<'_>, content: &Content, expand: &Expand) -> bool {
    let asked = expand.of("ancestors").is_some_and(|within| within.of("restrictions").is_some());
    let hidden = |above: &&Content| above.status != Status::Current || !call.sees(above);
    asked && call.befallen.by(Quirk::BlindAncestor) && call.site.ancestors(content).iter().any(hidden)
}

/// A body as it is viewed: with the text of the pages that it takes in, as far as the caller may see them; as nobody
/// views it, with none but of those that are open to the world, and no space here is.
pub fn viewed(call: &Call<'_>, found: &Content, (edition, form): (&Edition, &str)) -> String {
    let other = |title: &str| {
        let mut pages = call.site.contents().filter(|one| one.space == found.space && one.title() == title);
        let page = pages.find(|page| form != "anonymous_export_view" && call.sees(page))?;
        Some(page.newest().body.as_str())
    };
    text::view(&text::filled(&edition.body, other))
}

fn bodies(call: &Call<'_>, (found, edition): (&Content, &Edition), within: &Expand) -> Value {
    const FORMS: [&str; 7] = [
        "storage",
        "view",
        "export_view",
        "styled_view",
        "editor",
        "anonymous_export_view",
        "atlas_doc_format",
    ];
    let mut value = json!({});
    let mut folded = Map::new();
    for form in FORMS.into_iter().filter(|form| *form != "atlas_doc_format" || call.site.is_cloud()) {
        if within.of(form).is_none() {
            folded.insert(form.to_owned(), "".into());
            continue;
        }
        let words = match form {
            "storage" => edition.body.clone(),
            "atlas_doc_format" => text::nodes(&edition.body),
            _ => viewed(call, found, (edition, form)),
        };
        value[form] = json!({
            "value": words,
            "representation": form,
            "embeddedContent": [],
            "_expandable": { "content": path(&format!("content/{}", found.address())) },
        });
    }
    value["_expandable"] = Value::Object(folded);
    value
}

fn metadata(call: &Call<'_>, found: &Content, within: &Expand) -> Value {
    let mut value = json!({ "_expandable": { "currentuser": "", "properties": "", "frontend": "" } });
    match within.of("labels") {
        Some(_) => {
            let rows: Vec<Value> = found.labels.iter().map(label).collect();
            value["labels"] = whole(call, rows, &format!("content/{}/label", found.address()));
        }
        None => value["_expandable"]["labels"] = "".into(),
    }
    if found.kind == Kind::Attachment {
        let empty = Default::default();
        let file = found.file.as_ref().unwrap_or(&empty);
        value["mediaType"] = file.media_type.as_str().into();
        value["comment"] = found.newest().message.as_str().into();
    }
    value
}

/// A list within something else: all of it, up to the 200 that such lists hold.
pub fn whole(call: &Call<'_>, rows: Vec<Value>, at: &str) -> Value {
    let rows: Vec<Value> = rows.into_iter().take(200).collect();
    json!({
        "results": rows,
        "start": 0,
        "limit": 200,
        "size": rows.len(),
        "_links": { "self": own_address(call, at) },
    })
}

/// A label.
pub fn label(label: &Label) -> Value {
    json!({ "prefix": label.prefix, "name": label.name, "id": label.id().to_string(), "label": label.name })
}

fn children_of<'a>(call: &Call<'a>, found: &Content, kind: &str) -> Vec<&'a Content> {
    let of_kind = |child: &&Content| child.kind.name() == kind && child.status == Status::Current;
    let ids = if ["comment", "attachment"].contains(&kind) && !found.kind.is_comment() {
        call.site.hung_on(found.id)
    } else {
        call.site.under(found.id)
    };
    let top =
        |child: &&Content| found.kind.is_comment() || !child.kind.is_comment() || child.parent.is_none();
    call.seen_of(ids).into_iter().filter(of_kind).filter(top).collect()
}

/// The children of one kind that stand directly below.
pub fn direct<'a>(call: &Call<'a>, found: &Content, kind: &str) -> Vec<&'a Content> {
    children_of(call, found, kind)
}

fn children(call: &Call<'_>, found: &Content, within: &Expand) -> Value {
    let mut value = json!({});
    let mut folded = Map::new();
    for kind in ["attachment", "comment", "page", "folder", "whiteboard", "database", "embed"] {
        let at = format!("content/{}/child/{kind}", found.address());
        match within.of(kind) {
            Some(inner) => {
                let rows = children_of(call, found, kind);
                let rows =
                    rows.iter().take(25).map(|child| content(call, child, child.newest(), inner)).collect();
                value[kind] = whole(call, rows, &at);
            }
            None => drop(folded.insert(kind.to_owned(), path(&at).into())),
        }
    }
    value["_expandable"] = Value::Object(folded);
    value["_links"] = json!({ "self": own_address(call, &format!("content/{}/child", found.address())) });
    value
}

/// A version.
pub fn version(call: &Call<'_>, edition: &Edition) -> Value {
    let mut value = json!({
        "by": by(call, edition.by.as_ref()),
        "when": when(call, edition.at),
        "friendlyWhen": edition.at.strftime("%b %d, %Y").to_string(),
        "message": edition.message,
        "number": edition.number,
        "minorEdit": edition.minor,
        "_expandable": { "content": "", "collaborators": "" },
        "_links": {},
    });
    if call.site.is_cloud() {
        value["contentTypeModified"] = false.into();
        value["confRev"] = format!("confluence$content${}", edition.number).into();
    }
    value
}

/// When a content came about and changed.
pub fn history(call: &Call<'_>, found: &Content, within: &Expand) -> Value {
    let first = &found.editions[0];
    let mut value = json!({
        "latest": true,
        "createdBy": by(call, first.by.as_ref()),
        "createdDate": when(call, first.at),
        "_expandable": {},
        "_links": { "self": own_address(call, &format!("content/{}/history", found.address())) },
    });
    let count = found.editions.len();
    let others = [
        ("lastUpdated", Some(found.newest())),
        ("previousVersion", count.checked_sub(2).map(|at| &found.editions[at])),
        ("nextVersion", None),
    ];
    for (name, edition) in others {
        match (within.of(name), edition) {
            (Some(_), Some(edition)) => value[name] = version(call, edition),
            _ => value["_expandable"][name] = "".into(),
        }
    }
    match within.of("contributors") {
        Some(_) => {
            let mut users: Vec<&UserId> =
                found.editions.iter().filter_map(|edition| edition.by.as_ref()).collect();
            users.sort();
            users.dedup();
            let keys: Vec<&str> = users.iter().map(|user| user.0.as_str()).collect();
            let users: Vec<Value> = users.iter().map(|user| by(call, Some(user))).collect();
            value["contributors"] = json!({ "publishers": { "users": users, "userKeys": keys } });
        }
        None => value["_expandable"]["contributors"] = "".into(),
    }
    if call.site.is_cloud() {
        value["ownedBy"] = by(call, Some(&found.owner));
    }
    value
}

/// Somebody who may be unknown.
pub fn by(call: &Call<'_>, user: Option<&UserId>) -> Value {
    match user.and_then(|user| call.site.users.get(user)) {
        Some(found) => self::user(call, found),
        None => json!({
            "type": "anonymous",
            "displayName": "Anonymous",
            "profilePicture": { "path": "/images/anonymous.png", "width": 48, "height": 48, "isDefault": true },
        }),
    }
}

/// Somebody with an account.
pub fn user(call: &Call<'_>, user: &User) -> Value {
    let picture = format!("{}/aa-avatar/{}", call.site.context(), user.id.0);
    let picture = json!({ "path": picture, "width": 48, "height": 48, "isDefault": false });
    if !call.site.is_cloud() {
        return json!({
            "type": "known",
            "username": user.username,
            "userKey": user.id.0,
            "profilePicture": picture,
            "displayName": user.name,
            "_expandable": { "status": "" },
            "_links": { "self": own_address(call, &format!("user?key={}", encoded(&user.id.0))) },
        });
    }
    let mut value = json!({
        "type": "known",
        "accountId": user.id.0,
        "accountType": "atlassian",
        "email": if user.hides_email { "" } else { user.email.as_str() },
        "publicName": user.username,
        "profilePicture": picture,
        "displayName": user.name,
        "isExternalCollaborator": false,
        "isGuest": false,
        "_expandable": { "operations": "", "personalSpace": "" },
        "_links": { "self": own_address(call, &format!("user?accountId={}", encoded(&user.id.0))) },
    });
    if let Some(zone) = &user.zone {
        value["timeZone"] = zone.as_str().into();
    }
    value
}

/// A group.
pub fn group(call: &Call<'_>, group: &Group) -> Value {
    let mut value = json!({
        "type": "group",
        "name": group.name,
        "_links": { "self": own_address(call, &format!("group/{}", encoded(&group.name))) },
    });
    if call.site.is_cloud() {
        value["id"] = group.id.0.as_str().into();
        value["_links"]["self"] =
            own_address(call, &format!("group/by-id?id={}", encoded(&group.id.0))).into();
    }
    value
}

/// A space.
pub fn space(call: &Call<'_>, space: &Space, within: &Expand) -> Value {
    let mut value = json!({
        "id": space.id.0,
        "key": space.key,
        "name": space.name,
        "type": space.kind,
        "status": if space.archived { "archived" } else { "current" },
        "_expandable": {
            "settings": path(&format!("space/{}/settings", space.key)),
            "metadata": "", "operations": "", "lookAndFeel": "", "permissions": "",
            "icon": "", "theme": "", "history": "",
        },
        "_links": {
            "webui": format!("/{}/{}", if call.site.is_cloud() { "spaces" } else { "display" }, space.key),
            "self": own_address(call, &format!("space/{}", space.key)),
        },
    });
    if call.site.is_cloud() {
        value["alias"] = space.key.as_str().into();
    }
    match within.of("description") {
        Some(_) => {
            let plain =
                json!({ "value": space.description, "representation": "plain", "embeddedContent": [] });
            value["description"] = json!({ "plain": plain, "_expandable": { "view": "" } });
        }
        None => value["_expandable"]["description"] = "".into(),
    }
    let home = space.homepage.and_then(|id| call.site.seen(call.caller, id));
    match (home, within.of("homepage")) {
        (Some(home), Some(inner)) => value["homepage"] = content(call, home, home.newest(), inner),
        (Some(home), None) => value["_expandable"]["homepage"] = path(&format!("content/{}", home.id)).into(),
        (None, _) => {}
    }
    // Before this, a Data Center knew no such thing.
    let tells = call.site.is_cloud() || is_from(&call.site.version, (9, 1));
    if within.of("permissions").is_some() && tells {
        value["permissions"] = space.permissions.iter().map(|one| permission(call, one)).collect();
    }
    value
}

/// Whether a version is this or a later one.
fn is_from(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

/// A permission of a space.
pub fn permission(call: &Call<'_>, one: &super::site::Permission) -> Value {
    use super::site::Principal;
    let list = |row: Value| json!({ "results": [row], "size": 1 });
    let subjects = match &one.principal {
        Principal::User(id) => json!({ "user": list(by(call, Some(id))) }),
        Principal::Group(id) => {
            let found = call.site.groups.get(id).map_or(Value::Null, |found| group(call, found));
            json!({ "group": list(found) })
        }
    };
    json!({
        "id": one.id,
        "subjects": subjects,
        "operation": { "operation": one.operation, "targetType": one.target },
        "anonymousAccess": false,
        "unlicensedAccess": false,
    })
}

/// Who alone may see a content, and who alone may edit it.
pub fn restrictions(call: &Call<'_>, found: &Content, within: &Expand) -> Value {
    let mut value = json!({ "_expandable": {}, "_links": {} });
    for (name, one) in [("read", &found.read), ("update", &found.update)] {
        match within.of(name) {
            Some(inner) => {
                let named = inner.of("restrictions");
                value[name] = restriction(call, (found.id, name), one, named);
            }
            None => {
                let at = path(&format!("content/{}/restriction/byOperation/{name}", found.address()));
                value["_expandable"][name] = at.into();
            }
        }
    }
    let at = format!("content/{}/restriction/byOperation", found.address());
    value["_links"]["self"] = own_address(call, &at).into();
    value
}

/// The restriction of one operation; people and groups are named only where they are to be expanded.
pub fn restriction(
    call: &Call<'_>,
    (id, operation): (ContentId, &str),
    one: &Restriction,
    named: Option<&Expand>,
) -> Value {
    let at = format!("content/{id}/restriction/byOperation/{operation}");
    let mut value = json!({
        "operation": operation,
        "_expandable": { "content": path(&format!("content/{id}")) },
        "_links": { "self": own_address(call, &at) },
    });
    let Some(named) = named else {
        value["_expandable"]["restrictions"] = "".into();
        return value;
    };
    let users: Vec<Value> = one.users.iter().map(|user| by(call, Some(user))).collect();
    let groups = one.groups.iter().filter_map(|id| call.site.groups.get(id));
    let groups: Vec<Value> = groups.map(|found| group(call, found)).collect();
    let mut inner = json!({ "_expandable": {} });
    for (name, rows) in [("user", users), ("group", groups)] {
        match named.of(name) {
            Some(_) => {
                inner[name] = whole(call, rows, &format!("{at}/{name}"));
                if name == "group" && call.site.is_cloud() {
                    inner[name].as_object_mut().map(|groups| groups.remove("_links"));
                }
            }
            None => inner["_expandable"][name] = "".into(),
        }
    }
    value["restrictions"] = inner;
    value
}
