//! The second version of the interface, which Cloud alone has: bodies, trees, versions, comments, attachments. It has
//! no search and no restrictions. Writing is in `v2_writes.rs`, the shapes are in `v2_shapes.rs`.

use super::exchange::{Answer, Refusal, Response};
use super::quirks::Quirk;
use super::site::{Content, ContentId, Edition, Kind, Label, Space, SpaceId, Status};
use super::turning::{Call, Place, bear, limit, list_v2, turn};
use super::v2_shapes as shapes;
use super::v2_tasks;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most rows of any list.
pub const MOST: usize = 250;

/// Answers a GET; `parts` is the path below `/api/v2`.
pub fn get(call: &Call<'_>, parts: &[&str]) -> Answer {
    match parts {
        ["spaces"] => spaces(call),
        ["spaces", id] => one_space(call, id),
        ["spaces", id, below @ ..] => below_space(call, space_of(call, id)?, below),
        ["space-permissions"] => pick(call, permissions_there_are()),
        ["pages"] => all_of(call, Kind::Page),
        ["blogposts"] => all_of(call, Kind::BlogPost),
        ["pages", id] => one_page(call, content_of(call, id, &[Kind::Page])?),
        ["blogposts", id] => one_page(call, content_of(call, id, &[Kind::BlogPost])?),
        ["pages", id, below @ ..] => below_content(call, content_of(call, id, &[Kind::Page])?, below),
        ["blogposts", id, below @ ..] => below_content(call, content_of(call, id, &[Kind::BlogPost])?, below),
        ["attachments"] => attachments(call, &everything(call, &[Kind::Attachment])),
        ["attachments", id] => one_attachment(call, content_of(call, id, &[Kind::Attachment])?),
        ["attachments", id, below @ ..] => {
            below_content(call, content_of(call, id, &[Kind::Attachment])?, below)
        }
        ["footer-comments"] => comments(call, everything(call, &[Kind::FooterComment])),
        ["inline-comments"] => comments(call, everything(call, &[Kind::InlineComment])),
        ["footer-comments", id] => one_comment(call, content_of(call, id, &[Kind::FooterComment])?),
        ["inline-comments", id] => one_comment(call, content_of(call, id, &[Kind::InlineComment])?),
        ["footer-comments", id, below @ ..] => {
            below_content(call, content_of(call, id, &[Kind::FooterComment])?, below)
        }
        ["inline-comments", id, below @ ..] => {
            below_content(call, content_of(call, id, &[Kind::InlineComment])?, below)
        }
        ["comments", id, below @ ..] => {
            let kinds = [Kind::FooterComment, Kind::InlineComment];
            below_content(call, content_of(call, id, &kinds)?, below)
        }
        [kind @ ("folders" | "whiteboards" | "databases" | "embeds"), id, below @ ..] => {
            let kind = Kind::read(kind.trim_end_matches('s')).unwrap_or(Kind::Folder);
            let node = content_of(call, id, &[kind])?;
            match below {
                [] => Ok(Response::ok(&with_base(call, shapes::node(call.site, node)))),
                _ => below_content(call, node, below),
            }
        }
        ["tasks"] => v2_tasks::list(call),
        ["tasks", id] => v2_tasks::one(call, id),
        ["labels"] => labels(call, &all_labels(call)),
        ["labels", id, what] => labelled(call, id, what),
        ["custom-content"] => pick(call, Vec::new()),
        _ => Err(Refusal::new(404, "Not Found")),
    }
}

/// A number in an address.
fn id_of(text: &str) -> Result<ContentId, Refusal> {
    ContentId::read(text).ok_or_else(|| {
        Refusal::new(
            400,
            format!("Provided value {{{text}}} for 'id' is not the correct type. Expected type is long"),
        )
    })
}

/// A content of one of these kinds that the caller may see, and that is not in the trash unless that is asked for.
fn content_of<'a>(call: &Call<'a>, id: &str, kinds: &[Kind]) -> Result<&'a Content, Refusal> {
    let id = id_of(id)?;
    let content = call.seen(id)?;
    if !kinds.contains(&content.kind) {
        return Err(Refusal::absent("content", id));
    }
    let asked = call.request.all("status");
    let drafts = call.request.says("get-draft") || asked.contains(&"draft");
    let fits = match content.status {
        Status::Current => {
            asked.is_empty() || ["current", "historical", "draft"].iter().any(|one| asked.contains(one))
        }
        Status::Archived => asked.is_empty() || asked.contains(&"archived"),
        Status::Trashed => asked.contains(&"trashed"),
        Status::Draft => drafts,
    };
    // Below a content, `status` asks for what hangs on it.
    let fits = fits
        || (call.request.path.trim_end_matches('/').rsplit('/').next() != Some(content.address().as_str())
            && content.status != Status::Trashed);
    if fits { Ok(content) } else { Err(Refusal::absent("content", id)) }
}

fn space_of<'a>(call: &Call<'a>, id: &str) -> Result<&'a Space, Refusal> {
    let space = call.site.spaces.get(&SpaceId(id_of(id)?.0));
    let seen = space.filter(|space| call.site.sees_space(call.caller, space));
    seen.ok_or_else(|| Refusal::new(404, format!("No space with id {id} found")))
}

/// The form of the bodies that are asked for, if it is one of these.
pub fn format_of<'a>(call: &Call<'a>, single: bool) -> Result<Option<&'a str>, Refusal> {
    const MANY: [&str; 2] = ["storage", "atlas_doc_format"];
    const SINGLE: [&str; 5] = ["view", "export_view", "anonymous_export_view", "styled_view", "editor"];
    let format = call.request.one("body-format");
    match format {
        Some(format) if !(MANY.contains(&format) || (single && SINGLE.contains(&format))) => {
            Err(Refusal::new(
                400,
                format!("Provided value {{{format}}} for 'body-format' is not the correct type"),
            ))
        }
        _ => Ok(format),
    }
}

/// Single answers say where the site is.
fn with_base(call: &Call<'_>, mut value: Value) -> Value {
    value["_links"]["base"] = call.base().into();
    value
}

/// All contents of these kinds that the caller may see, whatever their status.
fn everything<'a>(call: &Call<'a>, kinds: &[Kind]) -> Vec<&'a Content> {
    call.site.contents().filter(|content| kinds.contains(&content.kind) && call.sees(content)).collect()
}

/// Only those of the statuses that are asked for.
fn of_status(call: &Call<'_>, content: &Content, default: &[&str]) -> bool {
    let asked = call.request.all("status");
    let names = if asked.is_empty() { default } else { &asked[..] };
    names.contains(&content.status.name())
}

/// Where a content stands in a list that is sorted as the request says.
fn place(call: &Call<'_>, content: &Content, default: &str) -> Place {
    let sort = call.request.one("sort").unwrap_or(default).trim_start_matches('-');
    let at = |at: jiff::Timestamp| format!("{:030}", at.as_nanosecond());
    let key = match sort {
        "created-date" => at(content.created()),
        "modified-date" => at(content.newest().at),
        "title" => content.title().to_lowercase(),
        "child-position" => format!("{:010}", content.position),
        _ => String::new(),
    };
    (key, content.id.0)
}

fn descends(call: &Call<'_>) -> bool {
    call.request.one("sort").is_some_and(|sort| sort.starts_with('-'))
}

fn checked_sort(call: &Call<'_>, known: &[&str]) -> Result<(), Refusal> {
    match call.request.one("sort") {
        Some(sort) if !known.contains(&sort.trim_start_matches('-')) => {
            Err(Refusal::new(400, format!("Provided value {{{sort}}} for 'sort' is not the correct type")))
        }
        _ => Ok(()),
    }
}

/// A page of a list of contents, written by `shape`.
fn contents(
    call: &Call<'_>,
    found: Vec<&Content>,
    (default, limit): (&str, usize),
    shape: impl Fn(&Content) -> Value,
) -> Answer {
    let rows = found.into_iter().map(|content| (place(call, content, default), content)).collect();
    let turned = turn(call, rows, descends(call), limit)?;
    let next = turned.next;
    Ok(list_v2(call, super::turning::Turned { rows: turned.rows.into_iter().map(shape).collect(), next }))
}

/// A page of a list of anything else, in the order it is in.
fn pick(call: &Call<'_>, found: Vec<Value>) -> Answer {
    let rows = found.into_iter().enumerate().map(|(at, row)| ((String::new(), at as u64), row)).collect();
    Ok(list_v2(call, turn(call, rows, false, limit(call, 25, MOST)?)?))
}

fn spaces(call: &Call<'_>) -> Answer {
    checked_sort(call, &["id", "key", "name"])?;
    let (ids, keys) = (call.request.all("ids"), call.request.all("keys"));
    let wanted = |space: &&Space| {
        let status = if space.archived { "archived" } else { "current" };
        (ids.is_empty() || ids.contains(&space.id.0.to_string().as_str()))
            && (keys.is_empty() || keys.contains(&space.key.as_str()))
            && call.request.one("type").is_none_or(|kind| kind == space.kind)
            && call.request.one("status").is_none_or(|asked| asked == status)
            && call.site.sees_space(call.caller, space)
    };
    let place = |space: &Space| match call.request.one("sort").map(|sort| sort.trim_start_matches('-')) {
        Some("key") => (space.key.clone(), space.id.0),
        Some("name") => (space.name.to_lowercase(), space.id.0),
        _ => (String::new(), space.id.0),
    };
    let description = call.request.one("description-format");
    let rows = call.site.spaces.values().filter(wanted);
    let rows = rows.map(|space| (place(space), shapes::space(space, description))).collect();
    Ok(list_v2(call, turn(call, rows, descends(call), limit(call, 25, MOST)?)?))
}

fn one_space(call: &Call<'_>, id: &str) -> Answer {
    let space = space_of(call, id)?;
    let mut value = shapes::space(space, call.request.one("description-format"));
    let optional =
        |rows: Vec<Value>, what: &str| optional(call, rows, &format!("/api/v2/spaces/{id}/{what}"));
    if call.request.says("include-permissions") {
        let all = space.permissions.iter().map(shapes::permission).collect();
        value["permissions"] = optional(all, "permissions");
    }
    if call.request.says("include-labels") {
        value["labels"] = optional(Vec::new(), "labels");
    }
    if call.request.says("include-properties") {
        value["properties"] = optional(Vec::new(), "properties");
    }
    if call.request.says("include-operations") {
        value["operations"] = optional(vec![operation("read", "space")], "operations");
    }
    Ok(Response::ok(&with_base(call, value)))
}

fn operation(name: &str, target: &str) -> Value {
    json!({ "operation": name, "targetType": target })
}

/// What a single answer includes when it is asked to: the first rows, and where the list is.
fn optional(call: &Call<'_>, rows: Vec<Value>, path: &str) -> Value {
    let has_more = rows.len() > 50;
    let rows: Vec<Value> = rows.into_iter().take(50).collect();
    json!({
        "results": rows,
        "meta": { "hasMore": has_more, "cursor": "" },
        "_links": { "self": format!("{}{path}", call.base()) },
    })
}

fn below_space(call: &Call<'_>, space: &Space, below: &[&str]) -> Answer {
    match below {
        ["permissions"] => pick(call, space.permissions.iter().map(shapes::permission).collect()),
        ["pages"] => pages_of_space(call, space, Kind::Page),
        ["blogposts"] => pages_of_space(call, space, Kind::BlogPost),
        ["labels" | "properties" | "custom-content" | "role-assignments"] => pick(call, Vec::new()),
        ["content", "labels"] => {
            let inside =
                call.site.contents().filter(|content| content.space == space.id && call.sees(content));
            labels(call, &inside.flat_map(|content| content.labels.iter()).cloned().collect())
        }
        ["operations"] => Ok(Response::ok(&json!({ "operations": [operation("read", "space")] }))),
        _ => Err(Refusal::new(404, "Not Found")),
    }
}

fn pages_of_space(call: &Call<'_>, space: &Space, kind: Kind) -> Answer {
    let at_root = call.request.one("depth") == Some("root");
    let of_space = call.site.contents().filter(|content| content.kind == kind && content.space == space.id);
    let found = of_space.filter(|content| !at_root || content.parent.is_none()).collect();
    pages(call, found, kind)
}

fn all_of(call: &Call<'_>, kind: Kind) -> Answer {
    let ids = call.request.all("id");
    if ids.len() > MOST {
        return Err(Refusal::new(400, format!("at most {MOST} ids")));
    }
    let spaces = call.request.all("space-id");
    if spaces.len() > 100 {
        return Err(Refusal::new(400, "at most 100 space ids"));
    }
    let spaces: BTreeSet<u64> = spaces.iter().filter_map(|id| id.parse().ok()).collect();
    let in_spaces = |content: &&Content| spaces.is_empty() || spaces.contains(&content.space.0);
    let found: Vec<&Content> = match ids.is_empty() {
        true => call.site.contents().filter(in_spaces).collect(),
        false => {
            let ids = ids.iter().map(|id| id_of(id)).collect::<Result<BTreeSet<_>, _>>()?;
            ids.into_iter().filter_map(|id| call.site.content(id)).filter(in_spaces).collect()
        }
    };
    pages(call, found.into_iter().filter(|content| content.kind == kind).collect(), kind)
}

fn pages(call: &Call<'_>, found: Vec<&Content>, kind: Kind) -> Answer {
    checked_sort(call, &["id", "created-date", "modified-date", "title"])?;
    let format = format_of(call, false)?;
    let limit = limit(call, 25, MOST)?;
    bear(call, limit, format.is_some())?;
    let default: &[&str] = if kind == Kind::Page { &["current", "archived"] } else { &["current"] };
    let title = call.request.one("title");
    let wanted = |content: &&Content| {
        of_status(call, content, default)
            && title.is_none_or(|title| content.title() == title)
            && call.sees(content)
    };
    let found = found.into_iter().filter(wanted).collect();
    contents(call, found, ("id", limit), |content| shapes::page(call.site, content, content.newest(), format))
}

/// The version that is asked for: the newest, an older one, or the draft.
fn edition_of<'a>(call: &Call<'_>, content: &'a Content) -> Result<&'a Edition, Refusal> {
    if let Some(number) = call.request.one("version") {
        let found = content.editions.iter().find(|edition| edition.number.to_string() == number);
        return found.ok_or_else(|| Refusal::absent("version", content.id));
    }
    let drafts = call.request.says("get-draft") || call.request.all("status") == ["draft"];
    let draft = content.draft.as_ref().filter(|draft| drafts && draft.by.as_ref() == Some(call.caller));
    Ok(draft.unwrap_or_else(|| content.newest()))
}

fn one_page(call: &Call<'_>, content: &Content) -> Answer {
    let format = format_of(call, true)?;
    if format == Some("storage") && is_poisoned(call, content) {
        return Err(Refusal::new(500, "Internal Server Error"));
    }
    let edition = edition_of(call, content)?;
    let mut value = shapes::page(call.site, content, edition, format);
    if let Some(form) = format.filter(|form| form.ends_with("view")) {
        value["body"][form]["value"] = super::v1_shapes::viewed(call, content, (edition, form)).into();
    }
    let plural = if content.kind == Kind::Page { "pages" } else { "blogposts" };
    let optional =
        |rows, what: &str| optional(call, rows, &format!("/api/v2/{plural}/{}/{what}", content.id));
    let of_content = content.kind.name();
    let parts: [(&str, &str, Vec<Value>); 5] = [
        ("include-labels", "labels", content.labels.iter().map(shapes::label).collect()),
        ("include-properties", "properties", content.properties.iter().map(shapes::property).collect()),
        (
            "include-operations",
            "operations",
            vec![operation("read", of_content), operation("update", of_content)],
        ),
        ("include-likes", "likes", Vec::new()),
        ("include-versions", "versions", content.editions.iter().rev().map(shapes::version).collect()),
    ];
    for (asked, name, rows) in parts {
        if call.request.says(asked) {
            value[name] = optional(rows, name);
        }
    }
    if call.request.one("include-version") == Some("false") {
        value.as_object_mut().map(|object| object.remove("version"));
    }
    if call.request.says("include-favorited-by-current-user-status") {
        value["isFavoritedByCurrentUser"] = false.into();
    }
    Ok(Response::ok(&with_base(call, value)))
}

/// Whether quirk 5 has this page.
pub fn is_poisoned(call: &Call<'_>, content: &Content) -> bool {
    call.befallen.by(Quirk::PoisonedBody) && call.site.quirks.poisoned.contains(&content.id)
}

fn below_content(call: &Call<'_>, content: &Content, below: &[&str]) -> Answer {
    let hanging = || call.seen_of(call.site.hung_on(content.id));
    let of_kind = |kind: Kind| hanging().into_iter().filter(|found| found.kind == kind).collect::<Vec<_>>();
    let at_top = |kind: Kind| {
        let mut found = of_kind(kind);
        found.retain(|comment| comment.parent.is_none());
        found
    };
    match below {
        ["children"] if content.kind.is_comment() => {
            comments(call, call.seen_of(call.site.under(content.id)))
        }
        ["children"] => children(call, content, true),
        ["direct-children"] => children(call, content, false),
        ["descendants"] => descendants(call, content),
        ["ancestors"] => ancestors(call, content),
        ["labels"] => labels(call, &content.labels),
        ["attachments"] => attachments(call, &of_kind(Kind::Attachment)),
        ["footer-comments"] => comments(call, at_top(Kind::FooterComment)),
        ["inline-comments"] => comments(call, at_top(Kind::InlineComment)),
        ["versions"] => versions(call, content),
        ["versions", number] => one_version(content, number),
        ["properties"] => {
            let key = call.request.one("key");
            let found = content.properties.iter().filter(|(found, _)| key.is_none_or(|key| *found == key));
            pick(call, found.map(shapes::property).collect())
        }
        ["properties", id] => {
            let found = content.properties.iter().find(|(_, property)| property.id.to_string() == *id);
            let found = found.ok_or_else(|| Refusal::new(404, "Content property not found"))?;
            Ok(Response::ok(&shapes::property(found)))
        }
        ["operations"] => {
            Ok(Response::ok(&json!({ "operations": [operation("read", content.kind.name())] })))
        }
        ["likes", "count"] => Ok(Response::ok(&json!({ "count": 0 }))),
        ["likes", "users"] | ["custom-content"] => pick(call, Vec::new()),
        _ => Err(Refusal::new(404, "Not Found")),
    }
}

fn children(call: &Call<'_>, content: &Content, pages_alone: bool) -> Answer {
    let wanted = |child: &Content| !pages_alone || child.kind == Kind::Page;
    let current =
        |child: &&Content| matches!(child.status, Status::Current | Status::Archived) && wanted(child);
    let found = call.seen_of(call.site.under(content.id)).into_iter().filter(current).collect();
    contents(call, found, ("child-position", limit(call, 25, MOST)?), |child| {
        let mut row = shapes::child(child);
        if !pages_alone {
            row["type"] = child.kind.name().into();
        }
        row
    })
}

fn descendants(call: &Call<'_>, content: &Content) -> Answer {
    let deepest: usize = call.request.one("depth").and_then(|depth| depth.parse().ok()).unwrap_or(5);
    let mut rows = Vec::new();
    let mut level = vec![content.id];
    for depth in 1..=deepest {
        let below = level.iter().flat_map(|id| call.site.under(*id)).collect::<Vec<_>>();
        let seen = call.seen_of(below);
        level = seen.iter().map(|found| found.id).collect();
        rows.extend(seen.into_iter().filter(|found| found.status == Status::Current).map(|found| {
            let mut row = shapes::child(found);
            row["type"] = found.kind.name().into();
            // Here alone the space is not said.
            row.as_object_mut().map(|row| row.remove("spaceId"));
            row["depth"] = depth.into();
            row["parentId"] = found.parent.map(|id| id.to_string()).into();
            row
        }));
    }
    pick(call, rows)
}

/// Highest first, types and numbers alone, without a cursor.
fn ancestors(call: &Call<'_>, content: &Content) -> Answer {
    let row = |above: &&Content| json!({ "id": above.address(), "type": above.kind.name() });
    let limit = limit(call, 25, MOST)?;
    let above = call.site.ancestors(content);
    let rows: Vec<Value> = above[above.len().saturating_sub(limit)..].iter().map(row).collect();
    if content.kind != Kind::Page {
        return Ok(Response::ok(&json!({ "results": rows })));
    }
    Ok(list_v2(call, super::turning::Turned { rows, next: None }))
}

fn labels(call: &Call<'_>, found: &BTreeSet<Label>) -> Answer {
    checked_sort(call, &["created-date", "id", "name"])?;
    let prefix = call.request.one("prefix");
    let wanted = found.iter().filter(|label| prefix.is_none_or(|prefix| prefix == label.prefix));
    let place = |label: &Label| match call.request.one("sort").map(|sort| sort.trim_start_matches('-')) {
        Some("name") => (label.name.clone(), label.id()),
        _ => (String::new(), label.id()),
    };
    let rows = wanted.map(|label| (place(label), shapes::label(label))).collect();
    Ok(list_v2(call, turn(call, rows, descends(call), limit(call, 25, MOST)?)?))
}

fn all_labels(call: &Call<'_>) -> BTreeSet<Label> {
    let ids = call.request.all("label-id");
    let seen = call.site.contents().filter(|content| call.sees(content));
    let wanted = |label: &&Label| ids.is_empty() || ids.contains(&label.id().to_string().as_str());
    seen.flat_map(|content| content.labels.iter()).filter(wanted).cloned().collect()
}

fn labelled(call: &Call<'_>, id: &str, what: &str) -> Answer {
    let kind = match what {
        "pages" => Kind::Page,
        "blogposts" => Kind::BlogPost,
        "attachments" => Kind::Attachment,
        _ => return Err(Refusal::new(404, "Not Found")),
    };
    let has = |content: &&Content| content.labels.iter().any(|label| label.id().to_string() == id);
    let found: Vec<_> = everything(call, &[kind]).into_iter().filter(has).collect();
    match kind {
        Kind::Attachment => attachments(call, &found),
        _ => pages(call, found, kind),
    }
}

fn attachments(call: &Call<'_>, found: &[&Content]) -> Answer {
    checked_sort(call, &["created-date", "modified-date"])?;
    let (media_type, name) = (call.request.one("mediaType"), call.request.one("filename"));
    let wanted = |content: &&Content| {
        let file = content.file.as_ref();
        of_status(call, content, &["current", "archived"])
            && media_type.is_none_or(|asked| file.is_some_and(|file| file.media_type == asked))
            && name.is_none_or(|name| content.title() == name)
    };
    let found = found.iter().copied().filter(wanted).collect();
    contents(call, found, ("id", limit(call, 50, MOST)?), |content| shapes::attachment(call.site, content))
}

fn one_attachment(call: &Call<'_>, content: &Content) -> Answer {
    Ok(Response::ok(&with_base(call, shapes::attachment(call.site, content))))
}

fn comments(call: &Call<'_>, found: Vec<&Content>) -> Answer {
    checked_sort(call, &["created-date", "modified-date"])?;
    let format = format_of(call, false)?;
    let resolution = call.request.all("resolution-status");
    let wanted = |content: &&Content| {
        let resolved = content.anchor.as_ref().map_or("open", |anchor| anchor.resolution.as_str());
        of_status(call, content, &["current"]) && (resolution.is_empty() || resolution.contains(&resolved))
    };
    let found = found.into_iter().filter(wanted).collect();
    contents(call, found, ("created-date", limit(call, 25, MOST)?), |content| {
        shapes::comment(call.site, content, format)
    })
}

fn one_comment(call: &Call<'_>, content: &Content) -> Answer {
    let format = format_of(call, true)?;
    Ok(Response::ok(&with_base(call, shapes::comment(call.site, content, format))))
}

fn versions(call: &Call<'_>, content: &Content) -> Answer {
    checked_sort(call, &["modified-date"])?;
    let format = format_of(call, false)?;
    let descending = call.request.one("sort") != Some("modified-date");
    let row = |edition: &Edition| {
        let mut value = shapes::version(edition);
        let field = match content.kind {
            Kind::BlogPost => "blogpost",
            Kind::FooterComment | Kind::InlineComment => "comment",
            Kind::Attachment => "attachment",
            _ => "page",
        };
        value[field] = json!({
            "id": content.address(),
            "title": edition.title,
            "body": shapes::body(edition, format),
        });
        ((String::new(), u64::from(edition.number)), value)
    };
    let rows = content.editions.iter().map(row).collect();
    Ok(list_v2(call, turn(call, rows, descending, limit(call, 25, MOST)?)?))
}

fn one_version(content: &Content, number: &str) -> Answer {
    let at = content.editions.iter().position(|edition| edition.number.to_string() == number);
    let at = at.ok_or_else(|| Refusal::absent("version", content.id))?;
    let mut value = shapes::version(&content.editions[at]);
    value["contentTypeModified"] = false.into();
    value["collaborators"] = json!([shapes::account(content.editions[at].by.as_ref())]);
    if at > 0 {
        value["prevVersion"] = content.editions[at - 1].number.into();
    }
    if let Some(next) = content.editions.get(at + 1) {
        value["nextVersion"] = next.number.into();
    }
    Ok(Response::ok(&value))
}

fn permissions_there_are() -> Vec<Value> {
    let all =
        [("read", "space", "View"), ("create", "page", "Add pages"), ("create", "comment", "Add comments")];
    let row = |(key, target, name): (&str, &str, &str)| {
        json!({
            "id": format!("{key}/{target}"),
            "displayName": name,
            "description": name,
            "requiredPermissionIds": [],
        })
    };
    all.into_iter().map(row).collect()
}
