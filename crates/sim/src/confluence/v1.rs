//! The first version of the interface: search, restrictions, people, groups, and on Data Center everything. Paths are
//! those below `/rest/api`. The shapes are in `v1_shapes.rs`, writing is in `v1_writes.rs`, people in `v1_people.rs`.

use super::cql::{self, Search};
use super::exchange::{Answer, Refusal, Response, encoded};
use super::quirks::Quirk;
use super::site::{Content, ContentId, Edition, Kind, Space, Status};
use super::text;
use super::turning::{Call, Turned, again, bear, links_v1, list_v1, number, part, turn, within};
use super::v1_people as people;
use super::v1_shapes::{self as shapes, Expand, is_blind};
use super::v2_shapes::webui;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Answers a GET; `parts` is the path below `/rest/api`.
pub fn get(call: &Call<'_>, parts: &[&str]) -> Answer {
    match parts {
        ["content"] => content_list(call, &call.site.contents().collect::<Vec<_>>()),
        ["content", "search"] => search_content(call),
        ["content", id] => one_content(call, id),
        ["content", id, below @ ..] => below_content(call, content_of(call, id)?, below),
        ["experimental", "content", id, "version", below @ ..] if !call.site.is_cloud() => {
            versions(call, content_of(call, id)?, below)
        }
        ["search"] => search(call),
        ["search", "user"] => people::search(call),
        ["space"] => spaces(call),
        ["space", key] => {
            let expand = expand(call, &[]);
            Ok(with_base(call, shapes::space(call, space_of(call, key)?, &expand)))
        }
        ["space", key, below @ ..] => below_space(call, space_of(call, key)?, below),
        ["user" | "group", ..] => people::get(call, parts),
        ["settings", "systemInfo"] if call.site.is_cloud() => Ok(Response::ok(&json!({
            "cloudId": call.site.cloud_id,
            "commitHash": "0000000000000000000000000000000000000000",
            "baseUrl": call.base(),
            "edition": "STANDARD",
            "siteTitle": "Fake Confluence",
            "defaultLocale": "en_GB",
            "defaultTimeZone": call.site.zone,
        }))),
        ["server-information"] if !call.site.is_cloud() => Ok(Response::ok(&json!({
            "baseUrl": call.base(),
            "version": call.site.version,
            "buildNumber": 9103,
            "serverTitle": "Fake Confluence",
        }))),
        _ => Err(Refusal::new(404, "null for uri")),
    }
}

/// What the request expands; what is expanded anyway unless the request says otherwise.
pub fn expand(call: &Call<'_>, anyway: &[&str]) -> Expand {
    let asked = call.request.all("expand");
    Expand::read(if asked.is_empty() { anyway } else { &asked })
}

/// Single answers say where the site is.
pub fn with_base(call: &Call<'_>, mut value: Value) -> Response {
    value["_links"]["base"] = call.base().into();
    value["_links"]["context"] = call.site.context().into();
    Response::ok(&value)
}

fn content_of<'a>(call: &Call<'a>, id: &str) -> Result<&'a Content, Refusal> {
    let id = ContentId::read(id).ok_or_else(|| Refusal::absent("content", id))?;
    let content = call.seen(id)?;
    let asked = call.request.all("status");
    let is_asked = asked.contains(&content.status.name()) || asked.contains(&"any");
    match content.status {
        Status::Current => Ok(content),
        _ if is_asked => Ok(content),
        _ => Err(Refusal::absent("content", id)),
    }
}

fn space_of<'a>(call: &Call<'a>, key: &str) -> Result<&'a Space, Refusal> {
    let space = call.site.space_of_key(key).filter(|space| call.site.sees_space(call.caller, space));
    space.ok_or_else(|| Refusal::new(404, format!("No space with key : {key}")))
}

fn one_content(call: &Call<'_>, id: &str) -> Answer {
    let expand = expand(call, &["space", "history", "version"]);
    let content = content_of(call, id)?;
    check(call, &[content], &expand)?;
    let edition = match call.request.one("version") {
        None => content.newest(),
        Some(number) => edition_of(content, number)?,
    };
    Ok(with_base(call, shapes::content(call, content, edition, &expand)))
}

fn edition_of<'a>(content: &'a Content, number: &str) -> Result<&'a Edition, Refusal> {
    let found = content.editions.iter().find(|edition| edition.number.to_string() == number);
    found.ok_or_else(|| Refusal::absent("content", content.id))
}

/// Expansions that some page or ancestor spoils, as quirks 5 and 6 have it.
fn check(call: &Call<'_>, rows: &[&Content], expand: &Expand) -> Result<(), Refusal> {
    let storage = expand.of("body").is_some_and(|within| within.of("storage").is_some());
    let poisoned = |content: &&&Content| call.site.quirks.poisoned.contains(&content.id);
    if storage && call.befallen.by(Quirk::PoisonedBody) && rows.iter().any(|content| poisoned(&content)) {
        return Err(Refusal::new(500, "java.lang.NullPointerException"));
    }
    let blind = rows.iter().find(|content| is_blind(call, content, expand));
    match blind.and_then(|content| content.parent) {
        Some(parent) => Err(Refusal::new(
            404,
            format!(
                "Cannot find content. Outdated version/old_draft/trashed? Please provide valid ContentId.{parent}"
            ),
        )),
        None => Ok(()),
    }
}

/// How many rows there may be: the more is expanded, the fewer.
fn most(expand: &Expand, with_bodies: usize) -> usize {
    match (expand.of("body"), expand.is_empty()) {
        (Some(_), _) => with_bodies,
        (None, false) => 200,
        (None, true) => 1000,
    }
}

/// A list of contents by start and limit.
fn listed(call: &Call<'_>, rows: Vec<&Content>, default: usize) -> Answer {
    let expand = expand(call, &[]);
    bear(call, number(call.request, "limit", default)?, expand.of("body").is_some())?;
    let part = part(call, rows, default, most(&expand, 100))?;
    check(call, &part.rows, &expand)?;
    let part = part.map(|content| shapes::content(call, content, content.newest(), &expand));
    let objects = part.rows.len() as u64;
    Ok(Response { objects, ..Response::ok(&list_v1(call, part)) })
}

fn content_list(call: &Call<'_>, all: &[&Content]) -> Answer {
    let request = call.request;
    let kind = request.one("type").unwrap_or("page");
    let asked = request.all("status");
    let statuses = if asked.is_empty() { &["current"][..] } else { &asked[..] };
    let space = request.one("spaceKey").map(|key| space_of(call, key)).transpose()?;
    let title = request.one("title");
    let day = request.one("postingDay");
    let wanted = |content: &&&Content| {
        content.kind.name() == kind
            && (statuses.contains(&content.status.name()) || statuses.contains(&"any"))
            && space.is_none_or(|space| content.space == space.id)
            && title.is_none_or(|title| content.title().eq_ignore_ascii_case(title))
            && day.is_none_or(|day| content.created().strftime("%Y-%m-%d").to_string() == day)
            && call.sees(content)
    };
    listed(call, all.iter().filter(wanted).copied().collect(), 25)
}

fn below_content(call: &Call<'_>, content: &Content, below: &[&str]) -> Answer {
    match below {
        ["child"] => {
            let asked: Vec<String> =
                call.request.all("expand").iter().map(|one| format!("children.{one}")).collect();
            let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            let within = Expand::read(if asked.is_empty() { &["children.none"] } else { &asked });
            let value = shapes::content(call, content, content.newest(), &within);
            Ok(with_base(call, value["children"].clone()))
        }
        ["child", "attachment", id, "download"] if call.site.is_cloud() => {
            to_media(call, attached(call, content, id)?)
        }
        ["child", "attachment", id, "data"] => Ok(bytes(attached(call, content, id)?)),
        ["child", kind] => child(call, content, kind),
        ["descendant", kind] => listed(call, descendants(call, content, kind), 25),
        ["descendant"] => Ok(with_base(
            call,
            json!({ "_expandable": {
            "comment": shapes::path(&format!("content/{}/descendant/comment", content.id)),
            "attachment": shapes::path(&format!("content/{}/descendant/attachment", content.id)),
            "page": shapes::path(&format!("content/{}/descendant/page", content.id)),
        } }),
        )),
        ["restriction"] => {
            let both = restrictions(call, content);
            let rows = vec![both["read"].clone(), both["update"].clone()];
            let mut value = list_v1(call, part(call, rows, 100, 100)?);
            value["restrictionsHash"] = "".into();
            Ok(Response { objects: 4, ..Response::ok(&value) })
        }
        ["restriction", "byOperation"] => {
            // Points are counted for the people, which cost more than pages.
            let mut both = restrictions(call, content);
            both.as_object_mut().map(|both| both.remove("_expandable"));
            Ok(Response { objects: 4, ..with_base(call, both) })
        }
        ["restriction", "byOperation", operation @ ("read" | "update")] => {
            Ok(Response { objects: 2, ..with_base(call, restrictions(call, content)[operation].clone()) })
        }
        ["label"] => {
            let prefix = call.request.one("prefix");
            let wanted =
                content.labels.iter().filter(|label| prefix.is_none_or(|asked| label.prefix == asked));
            let rows = wanted.map(shapes::label).collect();
            Ok(Response::ok(&list_v1(call, part(call, rows, 200, 200)?)))
        }
        ["history"] => {
            let expand = expand(call, &["lastUpdated", "previousVersion", "contributors", "nextVersion"]);
            Ok(with_base(call, shapes::history(call, content, &expand)))
        }
        ["version", rest @ ..] if has_versions(call) => versions(call, content, rest),
        ["property"] => {
            let rows = content.properties.keys().map(|key| property(call, content, key)).collect();
            Ok(Response::ok(&list_v1(call, part(call, rows, 10, 100)?)))
        }
        ["property", key] if content.properties.contains_key(*key) => {
            Ok(with_base(call, property(call, content, key)))
        }
        ["notification", ..] => {
            Ok(Response::ok(&json!({ "results": [], "start": 0, "limit": 200, "size": 0 })))
        }
        _ => Err(Refusal::new(404, "null for uri")),
    }
}

/// Versions were an experiment before the eighth Data Center.
fn has_versions(call: &Call<'_>) -> bool {
    let major = call.site.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    call.site.is_cloud() || major.is_none_or(|major| major >= 8)
}

/// A property of a content.
pub fn property(call: &Call<'_>, content: &Content, key: &str) -> Value {
    let Some(property) = content.properties.get(key) else { return Value::Null };
    json!({
        "id": property.id.to_string(),
        "key": key,
        "value": property.value,
        "version": {
            "when": shapes::when(call, property.at),
            "message": "",
            "number": property.version,
            "minorEdit": false,
        },
        "_expandable": { "content": shapes::path(&format!("content/{}", content.id)), "additionalProperties": "" },
        "_links": { "self": format!("{}/rest/api/content/{}/property/{key}", call.base(), content.id) },
    })
}

fn restrictions(call: &Call<'_>, content: &Content) -> Value {
    let anyway =
        "read.restrictions.user,read.restrictions.group,update.restrictions.user,update.restrictions.group";
    shapes::restrictions(call, content, &Expand::read(&anyway.split(',').collect::<Vec<_>>()))
}

fn child(call: &Call<'_>, content: &Content, kind: &str) -> Answer {
    let begins_late = call.request.one("start").is_some_and(|start| start != "0");
    if kind == "attachment" && begins_late && call.befallen.by(Quirk::NoOffset) && !call.site.is_cloud() {
        return Err(Refusal::new(400, "start is not supported here"));
    }
    let everything = call.request.one("depth") == Some("all");
    let rows = match everything && kind == "comment" {
        true => descendants(call, content, kind),
        false => shapes::direct(call, content, kind),
    };
    let name = call.request.one("filename");
    let locations = call.request.all("location");
    let media_type = call.request.one("mediaType");
    let location = |content: &Content| match (&content.kind, &content.anchor) {
        (Kind::InlineComment, Some(anchor)) if anchor.resolution == "resolved" => "resolved",
        (Kind::InlineComment, _) => "inline",
        _ => "footer",
    };
    let wanted = |found: &&Content| {
        name.is_none_or(|name| found.title() == name)
            && media_type.is_none_or(|asked| found.file.as_ref().is_some_and(|file| file.media_type == asked))
            && (kind != "comment" || locations.is_empty() || locations.contains(&location(found)))
    };
    listed(call, rows.into_iter().filter(wanted).collect(), if kind == "attachment" { 50 } else { 25 })
}

fn descendants<'a>(call: &Call<'a>, content: &Content, kind: &str) -> Vec<&'a Content> {
    if ["comment", "attachment"].contains(&kind) && !content.kind.is_comment() {
        let current = |found: &&Content| found.kind.name() == kind && found.status == Status::Current;
        return call.seen_of(call.site.hung_on(content.id)).into_iter().filter(current).collect();
    }
    let mut found = Vec::new();
    let mut level = vec![content.id];
    while !level.is_empty() {
        let below = call.seen_of(level.iter().flat_map(|id| call.site.under(*id)).collect());
        level = below.iter().map(|content| content.id).collect();
        found.extend(below);
    }
    found.retain(|content| content.kind.name() == kind && content.status == Status::Current);
    found
}

fn versions(call: &Call<'_>, content: &Content, rest: &[&str]) -> Answer {
    let expand = expand(call, &[]);
    let row = |edition: &Edition| {
        let mut value = shapes::version(call, edition);
        if let Some(within) = expand.of("content") {
            value["content"] = shapes::content(call, content, edition, within);
        }
        value
    };
    match rest {
        [] => {
            let rows: Vec<&Edition> = content.editions.iter().rev().collect();
            let most = if expand.is_empty() { 200 } else { 20 };
            Ok(Response::ok(&list_v1(call, part(call, rows, 200, most)?.map(row))))
        }
        [number] => Ok(with_base(call, row(edition_of(content, number)?))),
        _ => Err(Refusal::new(404, "null for uri")),
    }
}

fn attached<'a>(call: &Call<'a>, content: &Content, id: &str) -> Result<&'a Content, Refusal> {
    let id = ContentId::read(id).ok_or_else(|| Refusal::absent("attachment", id))?;
    let found = call.seen(id)?;
    match found.container == Some(content.id) && found.kind == Kind::Attachment {
        true => Ok(found),
        false => Err(Refusal::absent("attachment", id)),
    }
}

/// Cloud keeps bytes elsewhere: the same server by its other name, so that a client may not take its secrets along.
pub fn to_media(call: &Call<'_>, attachment: &Content) -> Answer {
    let host = call.request.header("host").unwrap_or("site.example");
    let port = host.rsplit_once(':').map_or(String::new(), |(_, port)| format!(":{port}"));
    let other = if host.starts_with("localhost") { "127.0.0.1" } else { "localhost" };
    let token = media_token(attachment);
    let to = format!(
        "http://{other}{port}/_media/file/{}/binary?token={token}&name={}",
        attachment.id,
        encoded(attachment.title())
    );
    Ok(Response::empty(302).with("Location", to))
}

/// What opens the bytes of an attachment.
pub fn media_token(attachment: &Content) -> String {
    let hash = blake3::hash(format!("media {}:{}", attachment.id, attachment.newest().number).as_bytes());
    hash.to_hex()[..24].to_owned()
}

/// The bytes of an attachment.
pub fn bytes(attachment: &Content) -> Response {
    let file = attachment.file.clone().unwrap_or_default();
    let named = format!("attachment; filename*=UTF-8''{}", encoded(attachment.title()));
    let response = Response { status: 200, body: file.bytes, objects: 1, ..Response::default() };
    response.with("Content-Type", file.media_type).with("Content-Disposition", named)
}

/// What a query finds, as this request pages through it: on Cloud by cursor, on Data Center by start.
fn found<'a>(call: &Call<'a>, expand: &Expand) -> Result<(Turned<&'a Content>, usize, usize), Refusal> {
    let text = call.request.one("cql").ok_or_else(|| Refusal::new(400, "A cql query is required"))?;
    let query = cql::read(text)?;
    let lag = if call.befallen.by(Quirk::IndexLag) { call.site.quirks.lag } else { SignedDuration::ZERO };
    let search = Search::new(call.site, call.caller, lag);
    let rows = search.run(&query)?;
    let total = rows.len();
    let asked = number(call.request, "limit", 25)?;
    bear(call, asked, expand.of("body").is_some())?;
    if !call.site.is_cloud() {
        let part = part(call, rows, 25, most(expand, 50))?;
        let limit = part.limit();
        let turned = Turned { next: part.next().map(|start| start.to_string()), rows: part.rows };
        check(call, &turned.rows, expand)?;
        return Ok((turned, limit, total));
    }
    let limit = super::turning::cut(call, asked.min(most(expand, 50)));
    let rows = rows.into_iter().map(|content| (search.place(&query, content), content)).collect();
    let turned = turn(call, rows, query.descends(), limit)?;
    check(call, &turned.rows, expand)?;
    Ok((turned, limit, total))
}

/// A list of search results.
fn results(call: &Call<'_>, rows: Vec<Value>, next: Option<&str>, limit: usize) -> Result<Value, Refusal> {
    let start = number(call.request, "start", 0)?;
    let mut links = links_v1(call);
    if let Some(next) = next {
        let (limit, after) = (limit.to_string(), (start + rows.len()).to_string());
        let path = match call.site.is_cloud() {
            true => again(
                call.request,
                &[("next", "true"), ("cursor", next), ("limit", &limit), ("start", &after)],
            ),
            false => again(call.request, &[("limit", &limit), ("start", next)]),
        };
        links["next"] = within(call, &path).into();
    }
    Ok(json!({ "results": rows, "start": start, "limit": limit, "size": rows.len(), "_links": links }))
}

fn search_content(call: &Call<'_>) -> Answer {
    let expand = expand(call, &[]);
    let (turned, limit, _) = found(call, &expand)?;
    let rows: Vec<Value> =
        turned.rows.iter().map(|content| shapes::content(call, content, content.newest(), &expand)).collect();
    let objects = rows.len() as u64;
    Ok(Response { objects, ..Response::ok(&results(call, rows, turned.next.as_deref(), limit)?) })
}

fn search(call: &Call<'_>) -> Answer {
    let text = call.request.one("cql").unwrap_or_default();
    if cql::read(text).is_ok_and(|query| cql::asks_for_people(&query)) {
        return people::search(call);
    }
    let expand = expand(call, &[]);
    let within = Expand::read(
        &call.request.all("expand").iter().filter_map(|one| one.strip_prefix("content.")).collect::<Vec<_>>(),
    );
    let (turned, limit, total) = found(call, &expand)?;
    let row = |content: &&Content| {
        let space = call.site.spaces.get(&content.space);
        json!({
            "content": shapes::content(call, content, content.newest(), &within),
            "title": content.title(),
            "excerpt": text::excerpt(&content.newest().body),
            "url": webui(call.site, content),
            "resultGlobalContainer": {
                "title": space.map(|space| space.name.as_str()),
                "displayUrl": format!("/spaces/{}", space.map_or("", |space| space.key.as_str())),
            },
            "breadcrumbs": [],
            "entityType": "content",
            "iconCssClass": format!("aui-icon content-type-{}", content.kind.name()),
            "lastModified": shapes::when(call, content.newest().at),
            "friendlyLastModified": content.newest().at.strftime("%b %d, %Y").to_string(),
            "score": 0.0,
        })
    };
    let rows: Vec<Value> = turned.rows.iter().map(row).collect();
    let objects = rows.len() as u64;
    let mut value = results(call, rows, turned.next.as_deref(), limit)?;
    value["totalSize"] = total.into();
    value["cqlQuery"] = text.into();
    value["searchDuration"] = 1.into();
    value["archivedResultCount"] = 0.into();
    Ok(Response { objects, ..Response::ok(&value) })
}

fn spaces(call: &Call<'_>) -> Answer {
    let expand = expand(call, &[]);
    let (keys, ids) = (call.request.all("spaceKey"), call.request.all("spaceId"));
    let wanted = |space: &&Space| {
        let status = if space.archived { "archived" } else { "current" };
        (keys.is_empty() || keys.contains(&space.key.as_str()))
            && (ids.is_empty() || ids.contains(&space.id.0.to_string().as_str()))
            && call.request.one("type").is_none_or(|kind| kind == space.kind)
            && call.request.one("status").is_none_or(|asked| asked == status)
            && call.site.sees_space(call.caller, space)
    };
    let rows = call.site.spaces.values().filter(wanted).collect();
    let part = part(call, rows, 25, most(&expand, 100))?;
    Ok(Response::ok(&list_v1(call, part.map(|space| shapes::space(call, space, &expand)))))
}

fn below_space(call: &Call<'_>, space: &Space, below: &[&str]) -> Answer {
    let inside = |kind: &str| {
        let at_root = call.request.one("depth") == Some("root");
        let wanted = |content: &&Content| {
            content.space == space.id
                && content.kind.name() == kind
                && content.status == Status::Current
                && (!at_root || content.parent.is_none())
                && call.sees(content)
        };
        call.site.contents().filter(wanted).collect::<Vec<_>>()
    };
    match below {
        ["content"] => {
            let list = |kind: &str| -> Result<Value, Refusal> {
                let listed = listed(call, inside(kind), 25)?;
                Ok(listed.value())
            };
            Ok(with_base(call, json!({ "page": list("page")?, "blogpost": list("blogpost")? })))
        }
        ["content", kind] => listed(call, inside(kind), 25),
        ["permissions"] if !call.site.is_cloud() => {
            Ok(Response::ok(&space.permissions.iter().map(|one| shapes::permission(call, one)).collect()))
        }
        ["label" | "property"] => Ok(Response::ok(&list_v1(call, part(call, Vec::new(), 200, 200)?))),
        _ => Err(Refusal::new(404, "null for uri")),
    }
}

/// The attachment that a download address names, which is not below the interface.
pub fn downloaded<'a>(call: &Call<'a>, container: &str, name: &str) -> Result<&'a Content, Refusal> {
    let container = ContentId::read(container).ok_or_else(|| Refusal::absent("content", container))?;
    let hanging = call.seen_of(call.site.hung_on(container)).into_iter();
    let mut named = hanging.filter(|found| found.kind == Kind::Attachment && found.title() == name);
    named.next().ok_or_else(|| Refusal::absent("attachment", name))
}
