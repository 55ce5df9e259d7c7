//! Writing through the first version: contents, labels, attachments, restrictions, properties. What is written is
//! answered as it would be read. It must not know how answers look.

use super::edits::{self, Creation, Deed, Edit, Order, Remark, apply, guessed};
use super::exchange::{Answer, Refusal, Request, Response};
use super::quirks::Befallen;
use super::site::{
    Content, ContentId, File, GroupId, Kind, Label, Property, Restriction, Site, Status, UserId,
};
use super::turning::Call;
use super::v1;
use super::v1_shapes::{self as shapes, Expand};
use super::v2_writes::Writing;
use serde_json::{Value, json};

/// Answers what is no GET; `parts` is the path below `/rest/api`.
pub fn answer(site: &mut Site, writing: &Writing<'_>, parts: &[&str]) -> Answer {
    match (writing.request.method.as_str(), parts) {
        ("POST", ["content"]) => create(site, writing),
        ("PUT", ["content", id]) => update(site, writing, id),
        ("DELETE", ["content", id]) => delete(site, writing, id),
        ("POST", ["content", id, "label"]) => add_labels(site, writing, id),
        ("DELETE", ["content", id, "label", name]) => remove_label(site, writing, (id, name)),
        ("DELETE", ["content", id, "label"]) => {
            let name = writing.request.one("name").unwrap_or_default().to_owned();
            remove_label(site, writing, (id, &name))
        }
        ("POST" | "PUT", ["content", id, "child", "attachment"]) => attach(site, writing, id),
        ("POST", ["content", id, "child", "attachment", file, "data"]) => {
            target(site, writing, file)?;
            attach(site, writing, id)
        }
        ("PUT" | "POST", ["content", id, "restriction"]) => restrict(site, writing, id),
        ("DELETE", ["content", id, "restriction"]) => {
            let content = target(site, writing, id)?.id;
            if let Some(content) = site.content_mut(content) {
                content.read = Restriction::default();
                content.update = Restriction::default();
            }
            read(site, writing, &["content", id, "restriction"])
        }
        ("POST", ["content", id, "property"]) => set_property(site, writing, (id, None)),
        ("POST" | "PUT", ["content", id, "property", key]) => set_property(site, writing, (id, Some(key))),
        ("DELETE", ["content", id, "property", key]) => {
            let content = target(site, writing, id)?.id;
            let properties = site.content_mut(content).map(|content| &mut content.properties);
            properties.into_iter().for_each(|properties| drop(properties.remove(*key)));
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::new(405, "Method Not Allowed")),
    }
}

fn bad(why: String) -> Refusal {
    Refusal::new(400, why)
}

fn target<'a>(site: &'a Site, writing: &Writing<'_>, id: &str) -> Result<&'a Content, Refusal> {
    let read = ContentId::read(id).ok_or_else(|| Refusal::absent("content", id))?;
    let found = site.seen(writing.caller, read).ok_or_else(|| Refusal::absent("content", id))?;
    match site.edits(writing.caller, found) {
        true => Ok(found),
        false => Err(Refusal::new(403, "Could not update Content")),
    }
}

/// What was written, as a GET of this path gives it.
fn read(site: &Site, writing: &Writing<'_>, parts: &[&str]) -> Answer {
    let mut request = Request::get(&format!("{}/rest/api/{}", site.context(), parts.join("/")));
    request.headers = writing.request.headers.clone();
    request.query = vec![
        ("status".to_owned(), "any".to_owned()),
        ("expand".to_owned(), "body.storage,version,space,history,ancestors".to_owned()),
    ];
    let call = Call { site, request: &request, caller: writing.caller, befallen: &Befallen::default() };
    v1::get(&call, parts)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn create(site: &mut Site, writing: &Writing<'_>) -> Answer {
    let body = writing.request.json()?;
    let kind = body["type"].as_str().ok_or_else(|| bad("type must be provided".to_owned()))?;
    let words = body["body"]["storage"]["value"].as_str().unwrap_or_default().to_owned();
    let deed = Deed { by: writing.caller.clone(), at: site.now };
    let above = body["ancestors"].as_array().and_then(|above| number(&above.last()?["id"])).map(ContentId);
    if kind == "comment" {
        let on = number(&body["container"]["id"]).map(ContentId);
        let on = on.filter(|on| site.seen(writing.caller, *on).is_some());
        let on = on.ok_or_else(|| Refusal::new(404, "No container found"))?;
        let reply_to = above.filter(|id| site.content(*id).is_some_and(|above| above.kind.is_comment()));
        let remark = Remark { body: words, reply_to, ..Remark::default() };
        let id = edits::comment(site, &deed, on, remark).map_err(bad)?;
        return read(site, writing, &["content", &id.to_string()]);
    }
    let key = body["space"]["key"].as_str().unwrap_or_default();
    let space = site.space_of_key(key).filter(|space| site.sees_space(writing.caller, space));
    let space = space.ok_or_else(|| Refusal::new(404, format!("No space with key : {key}")))?;
    let title = body["title"].as_str().ok_or_else(|| bad("title must be provided".to_owned()))?;
    let same = |content: &Content| {
        content.space == space.id
            && content.kind == Kind::Page
            && content.status == Status::Current
            && content.title() == title
    };
    if kind == "page" && site.contents().any(same) {
        return Err(bad(
            "A page with this title already exists: A page already exists with the title".to_owned()
        ));
    }
    let creation = Creation {
        space: space.key.clone(),
        title: title.to_owned(),
        body: words,
        kind: Some(kind.to_owned()),
        id: None,
        parent: above.map(|id| id.0),
        draft: body["status"].as_str() == Some("draft"),
    };
    let id = edits::create(site, &deed, creation).map_err(bad)?;
    read(site, writing, &["content", &id.to_string()])
}

fn update(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let body = writing.request.json()?;
    let content = target(site, writing, id)?;
    let (number_of, space) = (content.id, content.space);
    let wanted = u64::from(content.newest().number) + 1;
    let given = number(&body["version"]["number"]);
    if given != Some(wanted) {
        let current = wanted - 1;
        return Err(Refusal::new(
            409,
            format!("Version must be incremented on update. Current version is: {current}"),
        ));
    }
    let edit = Edit::Edit {
        id: number_of.0,
        title: body["title"].as_str().map(str::to_owned),
        body: body["body"]["storage"]["value"].as_str().map(str::to_owned),
        message: body["version"]["message"].as_str().map(str::to_owned),
        minor: body["version"]["minorEdit"].as_bool(),
    };
    apply(site, Order { by: Some(writing.caller.0.clone()), at: None, edit }).map_err(bad)?;
    let above = body["ancestors"].as_array().and_then(|above| number(&above.last()?["id"])).map(ContentId);
    if let Some(above) = above {
        site.place(number_of, space, Some(above));
    }
    read(site, writing, &["content", id])
}

fn delete(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let content = target(site, writing, id)?;
    let id = content.id.0;
    let trashed = content.status == Status::Trashed || writing.request.one("status") == Some("trashed");
    let edit = if trashed { Edit::Purge { id } } else { Edit::Trash { id, keep_children: None } };
    apply(site, edit.into()).map_err(bad)?;
    Ok(Response::empty(204))
}

fn labels_of(site: &Site, writing: &Writing<'_>, id: &str) -> Answer {
    read(site, writing, &["content", id, "label"])
}

fn add_labels(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let content = target(site, writing, id)?.id;
    let body = writing.request.json()?;
    let rows = body.as_array().cloned().unwrap_or_else(|| vec![body]);
    let label = |row: &Value| {
        let prefix = row["prefix"].as_str().unwrap_or("global").to_owned();
        Some(Label { prefix, name: row["name"].as_str()?.to_owned() })
    };
    let content = site.content_mut(content);
    content.into_iter().for_each(|content| content.labels.extend(rows.iter().filter_map(label)));
    labels_of(site, writing, id)
}

fn remove_label(site: &mut Site, writing: &Writing<'_>, (id, name): (&str, &str)) -> Answer {
    let content = target(site, writing, id)?.id;
    let content = site.content_mut(content);
    content.into_iter().for_each(|content| content.labels.retain(|label| label.name != name));
    Ok(Response::empty(204))
}

/// The parts of a form with files: name, file name if it is a file, media type, bytes.
struct Field {
    name: String,
    file: Option<String>,
    media_type: Option<String>,
    bytes: Vec<u8>,
}

fn fields(request: &Request) -> Result<Vec<Field>, Refusal> {
    let kind = request.header("content-type").unwrap_or_default();
    let boundary = kind.split_once("boundary=").map(|(_, boundary)| boundary.trim_matches('"'));
    let boundary = boundary.ok_or_else(|| Refusal::new(415, "a form with files was expected"))?;
    let boundary = format!("--{boundary}");
    let mut found = Vec::new();
    let mut rest = &request.body[..];
    let mut within = false;
    while let Some(at) = position(rest, boundary.as_bytes()) {
        if within {
            found.extend(field(&rest[..at]));
        }
        within = true;
        rest = &rest[at + boundary.len()..];
    }
    Ok(found)
}

fn field(part: &[u8]) -> Option<Field> {
    let at = position(part, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&part[..at]).into_owned();
    let bytes = part.get(at + 4..part.len().saturating_sub(2)).unwrap_or_default().to_vec();
    let quoted = |name: &str| {
        let (_, after) = head.split_once(&format!(" {name}=\""))?;
        Some(after.split_once('"')?.0.to_owned())
    };
    let media_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    Some(Field { name: quoted("name")?, file: quoted("filename"), media_type, bytes })
}

fn position(bytes: &[u8], sought: &[u8]) -> Option<usize> {
    bytes.windows(sought.len()).position(|window| window == sought)
}

fn attach(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    if writing.request.header("x-atlassian-token").is_none() {
        return Err(Refusal::new(403, "XSRF check failed"));
    }
    let to = target(site, writing, id)?.id;
    let fields = fields(writing.request)?;
    let comment = fields.iter().find(|field| field.name == "comment");
    let comment = comment.map(|field| String::from_utf8_lossy(&field.bytes).into_owned()).unwrap_or_default();
    let deed = Deed { by: writing.caller.clone(), at: site.now };
    let mut made = Vec::new();
    for field in fields.into_iter().filter(|field| field.name == "file") {
        let name = field.file.unwrap_or_else(|| "file".to_owned());
        let media_type = field.media_type.unwrap_or_else(|| guessed(&name).to_owned());
        let file = File { media_type, bytes: field.bytes };
        let id = ContentId(edits::attach(site, &deed, to, (name, file)).map_err(bad)?);
        if let Some(edition) = site.content_mut(id).and_then(|content| content.editions.last_mut()) {
            edition.message.clone_from(&comment);
        }
        made.push(id);
    }
    let call =
        Call { site, request: writing.request, caller: writing.caller, befallen: &Befallen::default() };
    let expand = Expand::read(&["version", "container"]);
    let rows = call.seen_of(made);
    let rows: Vec<Value> =
        rows.iter().map(|content| shapes::content(&call, content, content.newest(), &expand)).collect();
    let links = json!({ "base": call.base(), "context": site.context() });
    Ok(Response::ok(
        &json!({ "results": rows, "start": 0, "limit": 200, "size": rows.len(), "_links": links }),
    ))
}

/// Replaces the restrictions that are named.
fn restrict(site: &mut Site, writing: &Writing<'_>, id: &str) -> Answer {
    let content = target(site, writing, id)?.id;
    let body = writing.request.json()?;
    let rows = body.as_array().cloned().unwrap_or_else(|| vec![body]);
    for row in rows {
        let people = list(&row["restrictions"]["user"]);
        let groups = list(&row["restrictions"]["group"]);
        let user = |user: &Value| {
            let id = ["accountId", "userKey", "username"].iter().find_map(|name| user[*name].as_str())?;
            let by_name = site.users.values().find(|user| user.username == id).map(|user| user.id.clone());
            Some(by_name.unwrap_or_else(|| UserId(id.to_owned())))
        };
        let group = |group: &Value| {
            let id = group["id"].as_str().map(|id| GroupId(id.to_owned()));
            let named =
                site.groups.values().find(|found| Some(found.name.as_str()) == group["name"].as_str());
            id.or_else(|| named.map(|group| group.id.clone()))
        };
        let restriction = Restriction {
            users: people.iter().filter_map(user).collect(),
            groups: groups.iter().filter_map(group).collect(),
        };
        let is_read = row["operation"].as_str() == Some("read");
        if let Some(content) = site.content_mut(content) {
            *(if is_read { &mut content.read } else { &mut content.update }) = restriction;
        }
    }
    read(site, writing, &["content", id, "restriction"])
}

/// A list, given as such or as results.
fn list(value: &Value) -> Vec<Value> {
    value.as_array().or_else(|| value["results"].as_array()).cloned().unwrap_or_default()
}

fn set_property(site: &mut Site, writing: &Writing<'_>, (id, key): (&str, Option<&str>)) -> Answer {
    let content = target(site, writing, id)?.id;
    let body = writing.request.json()?;
    let key = key
        .or_else(|| body["key"].as_str())
        .ok_or_else(|| bad("key must be provided".to_owned()))?
        .to_owned();
    let (fresh, at) = (site.next_id(), site.now);
    let Some(found) = site.content_mut(content) else { return Err(Refusal::absent("content", id)) };
    let before = found.properties.get(&key);
    let property = Property {
        id: before.map_or(fresh, |before| before.id),
        value: body["value"].clone(),
        version: before.map_or(1, |before| before.version + 1),
        at,
        by: writing.caller.clone(),
    };
    found.properties.insert(key.clone(), property);
    read(site, writing, &["content", id, "property", &key])
}
