//! People and groups in the first version of the interface: on Cloud by account and group id, on Data Center by key and
//! name. It must not know contents.

use super::exchange::{Answer, Refusal, Response};
use super::site::{Group, GroupId, User, UserId};
use super::turning::{Call, list_v1, part};
use super::v1::with_base;
use super::v1_shapes as shapes;
use serde_json::{Value, json};

/// Answers a GET below `/user` or `/group`.
pub fn get(call: &Call<'_>, parts: &[&str]) -> Answer {
    match parts {
        ["user"] => Ok(with_base(call, shapes::user(call, asked(call)?))),
        ["user", "current"] => {
            let user = call.site.users.get(call.caller).ok_or_else(|| Refusal::new(404, "No user"))?;
            Ok(with_base(call, shapes::user(call, user)))
        }
        ["user", "bulk"] if call.site.is_cloud() => {
            let ids = call.request.all("accountId");
            let known = ids.iter().filter_map(|id| call.site.users.get(&UserId((*id).to_owned())));
            people(call, known.collect())
        }
        ["user", "memberof"] => {
            let found = call.site.groups_of(&asked(call)?.id);
            groups(call, found)
        }
        ["user", "email"] if call.site.is_cloud() => {
            let user = asked(call)?;
            Ok(Response::ok(&json!({ "accountId": user.id.0, "email": user.email })))
        }
        ["group"] => groups(call, call.site.groups.values().collect()),
        ["group", "by-id"] if call.site.is_cloud() => {
            let id = call.request.one("id").unwrap_or_default();
            one_group(call, call.site.groups.get(&GroupId(id.to_owned())))
        }
        ["group", "by-name"] if call.site.is_cloud() => {
            one_group(call, named(call, call.request.one("name").unwrap_or_default()))
        }
        ["group", "member"] if call.site.is_cloud() => {
            members(call, named(call, call.request.one("name").unwrap_or_default()))
        }
        ["group", id, "membersByGroupId"] if call.site.is_cloud() => {
            members(call, call.site.groups.get(&GroupId((*id).to_owned())))
        }
        ["group", name, "member"] => members(call, named(call, name)),
        ["group", name] => one_group(call, named(call, name)),
        _ => Err(Refusal::new(404, "null for uri")),
    }
}

/// The person that the request names.
fn asked<'a>(call: &Call<'a>) -> Result<&'a User, Refusal> {
    let request = call.request;
    let by_id = |name: &str| Some(UserId(request.one(name)?.to_owned()));
    let id = if call.site.is_cloud() { by_id("accountId") } else { by_id("key") };
    let found = match (id, request.one("username")) {
        (Some(id), _) => call.site.users.get(&id),
        (None, Some(name)) if !call.site.is_cloud() => {
            call.site.users.values().find(|user| user.username == name)
        }
        _ => return Err(Refusal::new(400, "no user is named")),
    };
    found.ok_or_else(|| Refusal::new(404, "No user found"))
}

fn named<'a>(call: &Call<'a>, name: &str) -> Option<&'a Group> {
    call.site.groups.values().find(|group| group.name == name)
}

fn one_group(call: &Call<'_>, group: Option<&Group>) -> Answer {
    let group = group.ok_or_else(|| Refusal::new(404, "No group found"))?;
    Ok(with_base(call, shapes::group(call, group)))
}

fn groups(call: &Call<'_>, found: Vec<&Group>) -> Answer {
    let part = part(call, found, 200, 200)?;
    let objects = 2 * part.rows.len() as u64;
    Ok(Response { objects, ..Response::ok(&list_v1(call, part.map(|group| shapes::group(call, group)))) })
}

fn members(call: &Call<'_>, group: Option<&Group>) -> Answer {
    let group = group.ok_or_else(|| Refusal::new(404, "No group found"))?;
    people(call, group.members.iter().filter_map(|id| call.site.users.get(id)).collect())
}

/// At most 200 at a time, which has cut many a list of members short.
fn people(call: &Call<'_>, found: Vec<&User>) -> Answer {
    let part = part(call, found, 200, 200)?;
    let objects = 2 * part.rows.len() as u64;
    Ok(Response { objects, ..Response::ok(&list_v1(call, part.map(|user| shapes::user(call, user)))) })
}

/// People that a query finds. It pages by start alone and never names a next page.
pub fn search(call: &Call<'_>) -> Answer {
    let cql = call.request.one("cql").unwrap_or_default();
    let words = cql.split('"').nth(1).unwrap_or_default().to_lowercase();
    let by_name = cql.contains("fullname");
    let wanted = |user: &&User| !by_name || user.name.to_lowercase().contains(words.trim_end_matches('*'));
    let found: Vec<&User> = call.site.users.values().filter(wanted).collect();
    let total = found.len();
    let part = part(call, found, 25, 200)?.map(|user| result(call, user));
    let mut value = list_v1(call, part);
    if let Some(links) = value["_links"].as_object_mut() {
        links.remove("next");
    }
    value["totalSize"] = total.into();
    value["cqlQuery"] = cql.into();
    value["searchDuration"] = 1.into();
    Ok(Response::ok(&value))
}

fn result(call: &Call<'_>, user: &User) -> Value {
    json!({
        "user": shapes::user(call, user),
        "title": user.name,
        "excerpt": "",
        "url": format!("/people/{}", user.id.0),
        "breadcrumbs": [],
        "entityType": "user",
        "iconCssClass": "aui-icon content-type-profile",
        "lastModified": "1970-01-01T00:00:00.000Z",
        "score": 0.0,
    })
}
