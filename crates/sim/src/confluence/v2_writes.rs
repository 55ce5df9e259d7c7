//! Writing through the second version: pages, blog posts, folders, comments, properties; and two requests that are sent
//! as POST but only ask. What is written is answered as it would be read. It must not know how answers look.

use super::cloud_v2;
use super::edits::{self, Creation, Deed, Edit, Order, Remark, apply};
use super::exchange::{Answer, Refusal, Request, Response};
use super::quirks::Befallen;
use super::site::{Content, ContentId, Kind, Property, Site, SpaceId, Status, UserId};
use super::turning::{Call, base};
use super::v2_shapes as shapes;
use serde_json::{Value, json};

/// Who writes what.
pub struct Writing<'a> {
    /// The request.
    pub request: &'a Request,
    /// Who writes.
    pub caller: &'a UserId,
}

impl Writing<'_> {
    fn deed(&self, site: &Site) -> Deed {
        Deed { by: self.caller.clone(), at: site.now }
    }

    /// What was written, as a GET of this path gives it.
    fn read(&self, site: &Site, parts: &[&str]) -> Answer {
        let mut request = Request::get(&format!("/wiki/api/v2/{}", parts.join("/")));
        request.headers = self.request.headers.clone();
        // A body is given back in the form it came in.
        request.query = vec![
            ("body-format".to_owned(), "storage".to_owned()),
            ("get-draft".to_owned(), "true".to_owned()),
        ];
        let call = Call { site, request: &request, caller: self.caller, befallen: &Befallen::default() };
        cloud_v2::get(&call, parts)
    }
}

/// Answers what is no GET; `parts` is the path below `/api/v2`.
pub fn answer(site: &mut Site, writing: &Writing<'_>, parts: &[&str]) -> Answer {
    let plural = parts.first().copied().unwrap_or_default();
    match (writing.request.method.as_str(), parts) {
        ("POST", ["content", "convert-ids-to-types"]) => types(site, writing),
        ("POST", ["users-bulk"]) => people(site, writing),
        ("POST", ["pages" | "blogposts" | "folders" | "whiteboards" | "databases" | "embeds"]) => {
            create(site, writing, plural)
        }
        ("PUT", ["pages" | "blogposts", id]) => update(site, writing, (plural, id)),
        ("PUT", ["pages", id, "title"]) => rename(site, writing, id),
        ("POST", ["footer-comments" | "inline-comments"]) => comment(site, writing, plural),
        ("PUT", ["footer-comments" | "inline-comments", id]) => update_comment(site, writing, (plural, id)),
        ("DELETE", [_, id]) => delete(site, writing, id),
        ("POST", [_, id, "properties"]) => create_property(site, writing, id),
        ("PUT", [_, id, "properties", property]) => update_property(site, writing, (id, property)),
        ("DELETE", [_, id, "properties", property]) => delete_property(site, writing, (id, property)),
        _ => Err(Refusal::new(405, "Method Not Allowed")),
    }
}

fn bad(why: String) -> Refusal {
    Refusal::new(400, why)
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    body[name].as_str().ok_or_else(|| bad(format!("{name} must be provided")))
}

/// A number that may be written as one or as a text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// A body, either alone or under the name of its form.
fn storage(body: &Value) -> Result<Option<String>, Refusal> {
    let inner = match &body["body"] {
        Value::Null => return Ok(None),
        inner if inner["storage"].is_object() => &inner["storage"],
        inner => inner,
    };
    match inner["representation"].as_str().unwrap_or("storage") {
        "storage" => Ok(inner["value"].as_str().map(str::to_owned)),
        form => Err(bad(format!("a body in the form `{form}` is not taken here"))),
    }
}

fn target<'a>(site: &'a Site, writing: &Writing<'_>, id: &str) -> Result<&'a Content, Refusal> {
    let id = ContentId::read(id).ok_or_else(|| bad(format!("`{id}` is not a number")))?;
    let found = site.seen(writing.caller, id).ok_or_else(|| Refusal::absent("content", id))?;
    match site.edits(writing.caller, found) {
        true => Ok(found),
        false => Err(Refusal::new(403, "Not permitted to update this content")),
    }
}

/// No two current pages of a space have one title.
fn free_title(site: &Site, space: SpaceId, (title, but): (&str, Option<ContentId>)) -> Result<(), Refusal> {
    let same = |content: &&Content| {
        content.space == space
            && content.kind == Kind::Page
            && content.status == Status::Current
            && Some(content.id) != but
            && content.title().eq_ignore_ascii_case(title)
    };
    match site.contents().find(same) {
        Some(_) => Err(bad(
            "A page with this title already exists: A page already exists with the same TITLE in this space"
                .to_owned(),
        )),
        None => Ok(()),
    }
}

fn create(site: &mut Site, writing: &Writing<'_>, plural: &str) -> Answer {
    let body = writing.request.json()?;
    let space = number(&body["spaceId"]).ok_or_else(|| bad("spaceId must be provided".to_owned()))?;
    let space = site.spaces.get(&SpaceId(space)).filter(|space| site.sees_space(writing.caller, space));
    let space = space.ok_or_else(|| Refusal::new(404, "Space not found"))?;
    let draft = body["status"].as_str() == Some("draft");
    let title = match text(&body, "title") {
        Err(_) if draft => "",
        title => title?,
    };
    if plural == "pages" && !draft {
        free_title(site, space.id, (title, None))?;
    }
    let home = space.homepage.filter(|_| plural == "pages" && !writing.request.says("root-level"));
    let parent = number(&body["parentId"]).or(home.map(|id| id.0));
    if let Some(parent) = parent.filter(|parent| site.seen(writing.caller, ContentId(*parent)).is_none()) {
        return Err(Refusal::absent("parent", parent));
    }
    let creation = Creation {
        space: space.key.clone(),
        title: title.to_owned(),
        body: storage(&body)?.unwrap_or_default(),
        kind: Some(plural.trim_end_matches('s').to_owned()),
        id: None,
        parent: parent.filter(|_| plural != "blogposts"),
        draft,
    };
    let deed = writing.deed(site);
    let id = edits::create(site, &deed, creation).map_err(bad)?;
    if let Some(content) = site.content_mut(ContentId(id)).filter(|_| writing.request.says("private")) {
        content.read.users.insert(writing.caller.clone());
    }
    writing.read(site, &[plural, &id.to_string()])
}

/// Whoever updates says which version they make, so that nobody overwrites what they did not see.
fn checked_version(content: &Content, body: &Value) -> Result<(), Refusal> {
    let given = number(&body["version"]["number"]);
    let wanted = match content.status {
        Status::Draft => 1,
        _ => u64::from(content.newest().number) + 1,
    };
    match given {
        Some(given) if given == wanted => Ok(()),
        _ => Err(Refusal::new(
            409,
            format!(
                "Version must be incremented when updating a page. Current Version: [{}]. Provided version: [{}]",
                content.newest().number,
                given.map_or("none".to_owned(), |given| given.to_string())
            ),
        )),
    }
}

fn update(site: &mut Site, writing: &Writing<'_>, (plural, id): (&str, &str)) -> Answer {
    let body = writing.request.json()?;
    let content = target(site, writing, id)?;
    let (number_of, space, status, parent) = (content.id.0, content.space, content.status, content.parent);
    let title = text(&body, "title")?.to_owned();
    let words = storage(&body)?;
    if body["status"].as_str() == Some("draft") {
        let edit = Edit::Draft { id: number_of, title: Some(title), body: words };
        apply(site, Order { by: Some(writing.caller.0.clone()), at: None, edit }).map_err(bad)?;
        return writing.read(site, &[plural, id]);
    }
    checked_version(content, &body)?;
    if plural == "pages" {
        free_title(site, space, (&title, Some(ContentId(number_of))))?;
    }
    let message = body["version"]["message"].as_str().map(str::to_owned);
    let minor = body["version"]["minorEdit"].as_bool();
    let edit = Edit::Edit { id: number_of, title: Some(title), body: words, message, minor };
    apply(site, Order { by: Some(writing.caller.0.clone()), at: None, edit }).map_err(bad)?;
    let moved = number(&body["parentId"]).map(ContentId).filter(|moved| Some(*moved) != parent);
    if let Some(moved) = moved.filter(|_| plural == "pages") {
        site.place(ContentId(number_of), space, Some(moved));
    }
    if let Some(content) = site.content_mut(ContentId(number_of)) {
        content.status = Status::Current;
        if status == Status::Draft {
            // What was a draft is published as its first version.
            let last = content.editions.pop();
            content.editions = last.into_iter().collect();
            content.editions.iter_mut().for_each(|edition| edition.number = 1);
        }
    }
    writing.read(site, &[plural, id])
}

fn rename(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let body = writing.request.json()?;
    let content = target(site, writing, id)?;
    let title = text(&body, "title")?.to_owned();
    free_title(site, content.space, (&title, Some(content.id)))?;
    let edit = Edit::Edit { id: content.id.0, title: Some(title), body: None, message: None, minor: None };
    apply(site, Order { by: Some(writing.caller.0.clone()), at: None, edit }).map_err(bad)?;
    writing.read(site, &["pages", id])
}

fn comment(site: &mut Site, writing: &Writing<'_>, plural: &str) -> Answer {
    let body = writing.request.json()?;
    let above = number(&body["parentCommentId"]).map(ContentId);
    let on = match above.and_then(|id| site.seen(writing.caller, id)) {
        Some(above) => above.container,
        None => ["pageId", "blogPostId", "attachmentId"]
            .iter()
            .find_map(|name| number(&body[*name]))
            .map(ContentId),
    };
    let on = on.filter(|on| site.seen(writing.caller, *on).is_some());
    let on = on.ok_or_else(|| Refusal::new(404, "nothing to comment on"))?;
    let selection = body["inlineCommentProperties"]["textSelection"].as_str().map(str::to_owned);
    let remark = Remark { body: storage(&body)?.unwrap_or_default(), reply_to: above, selection, id: None };
    let deed = writing.deed(site);
    let id = edits::comment(site, &deed, on, remark).map_err(bad)?;
    let mut response = writing.read(site, &[plural, &id.to_string()])?;
    response.status = 201;
    Ok(response)
}

fn update_comment(site: &mut Site, writing: &Writing<'_>, (plural, id): (&str, &str)) -> Answer {
    let body = writing.request.json()?;
    let content = target(site, writing, id)?;
    let number_of = content.id.0;
    checked_version(content, &body)?;
    let edit = Edit::Edit { id: number_of, title: None, body: storage(&body)?, message: None, minor: None };
    apply(site, Order { by: Some(writing.caller.0.clone()), at: None, edit }).map_err(bad)?;
    if let Some(resolved) = body["resolved"].as_bool() {
        let resolution = if resolved { "resolved" } else { "reopened" }.to_owned();
        apply(site, Edit::Resolve { id: number_of, resolution }.into()).map_err(bad)?;
    }
    writing.read(site, &[plural, id])
}

/// Into the trash, or out of it for good.
fn delete(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let content = target(site, writing, id)?;
    let id = content.id.0;
    let edit = match (writing.request.says("purge"), content.status) {
        (true, Status::Trashed) => Edit::Purge { id },
        (true, _) => return Err(bad("only what is in the trash can be purged".to_owned())),
        (false, Status::Draft) => Edit::Purge { id },
        (false, _) => Edit::Trash { id, keep_children: None },
    };
    apply(site, edit.into()).map_err(bad)?;
    Ok(Response::empty(204))
}

fn create_property(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let body = writing.request.json()?;
    let content = target(site, writing, id)?.id;
    let key = text(&body, "key")?.to_owned();
    let (number, at) = (site.next_id(), site.now);
    let property =
        Property { id: number, value: body["value"].clone(), version: 1, at, by: writing.caller.clone() };
    let properties = site.content_mut(content).map(|content| &mut content.properties);
    let properties = properties.ok_or_else(|| Refusal::absent("content", content))?;
    if properties.contains_key(&key) {
        return Err(Refusal::new(409, "A property with this key already exists"));
    }
    let value = shapes::property((&key, &property));
    properties.insert(key, property);
    Ok(Response::ok(&value))
}

fn update_property(site: &mut Site, writing: &Writing<'_>, (id, property): (&str, &str)) -> Answer {
    let body = writing.request.json()?;
    let content = target(site, writing, id)?.id;
    let at = site.now;
    let properties = site.content_mut(content).map(|content| &mut content.properties);
    let found = properties.into_iter().flatten().find(|(_, found)| found.id.to_string() == property);
    let (key, found) = found.ok_or_else(|| Refusal::new(404, "Content property not found"))?;
    if number(&body["version"]["number"]) != Some(u64::from(found.version) + 1) {
        return Err(Refusal::new(409, "Version must be incremented when updating a property"));
    }
    found.value = body["value"].clone();
    found.version += 1;
    found.at = at;
    Ok(Response::ok(&shapes::property((key, found))))
}

fn delete_property(site: &mut Site, writing: &Writing<'_>, (id, property): (&str, &str)) -> Answer {
    let content = target(site, writing, id)?.id;
    let properties = site.content_mut(content).map(|content| &mut content.properties);
    properties.into_iter().for_each(|all| all.retain(|_, found| found.id.to_string() != property));
    Ok(Response::empty(204))
}

/// The kinds of contents; what the caller may not see, and what is not there, has none.
fn types(site: &Site, writing: &Writing<'_>) -> Answer {
    let body = writing.request.json()?;
    let ids = body["contentIds"].as_array().ok_or_else(|| bad("contentIds must be provided".to_owned()))?;
    let mut results = serde_json::Map::new();
    for id in ids {
        let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let found = ContentId::read(&text).and_then(|id| site.seen(writing.caller, id));
        let kind = found.map(|content| match content.kind {
            Kind::FooterComment => "footer-comment",
            Kind::InlineComment => "inline-comment",
            kind => kind.name(),
        });
        results.insert(text, kind.into());
    }
    Ok(Response::ok(&json!({ "results": results })))
}

fn people(site: &Site, writing: &Writing<'_>) -> Answer {
    let body = writing.request.json()?;
    let ids = body["accountIds"].as_array().ok_or_else(|| bad("accountIds must be provided".to_owned()))?;
    let known = ids.iter().filter_map(|id| site.users.get(&UserId(id.as_str()?.to_owned())));
    let rows: Vec<Value> = known.map(shapes::user).collect();
    let objects = 2 * rows.len() as u64;
    let links = json!({ "base": base(site, writing.request) });
    Ok(Response { objects, ..Response::ok(&json!({ "results": rows, "_links": links })) })
}
