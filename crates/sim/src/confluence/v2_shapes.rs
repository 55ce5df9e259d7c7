//! How the second version of the interface writes things down. It must not know which request is answered.

use super::exchange::encoded;
use super::site::{
    Content, Edition, Kind, Label, Permission, Principal, Property, Site, Space, User, UserId,
};
use super::tasks::Task;
use super::text;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A moment, to the millisecond, in UTC.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// An account.
pub fn account(user: Option<&UserId>) -> Value {
    user.map_or(Value::Null, |user| user.0.as_str().into())
}

/// A version without its words.
pub fn version(edition: &Edition) -> Value {
    json!({
        "number": edition.number,
        "createdAt": moment(edition.at),
        "message": edition.message,
        "minorEdit": edition.minor,
        "authorId": account(edition.by.as_ref()),
    })
}

/// A body in the form that is asked for; an empty object when none is.
pub fn body(edition: &Edition, format: Option<&str>) -> Value {
    let Some(format) = format else { return json!({}) };
    let value = match format {
        "storage" => edition.body.clone(),
        "atlas_doc_format" => text::nodes(&edition.body),
        _ => text::view(&edition.body),
    };
    json!({ format: { "representation": format, "value": value } })
}

/// The words of a title in an address.
pub fn slug(title: &str) -> String {
    encoded(title).replace("%20", "+")
}

/// The short address of a page: its number, little end first, in base 64.
pub fn tiny(id: u64) -> String {
    use base64::Engine;
    let bytes = id.to_le_bytes();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&bytes[..used]);
    format!("/x/{}", text.trim_end_matches('A').replace('/', "-").replace('+', "_"))
}

/// Where people see a content, below the base.
pub fn webui(site: &Site, content: &Content) -> String {
    let Some(space) = site.spaces.get(&content.space) else { return String::new() };
    let of = |part: &str| format!("/spaces/{}/{part}/{}", space.key, content.id);
    match content.kind {
        Kind::Page => format!("{}/{}", of("pages"), slug(content.title())),
        Kind::BlogPost => {
            let day = content.created().strftime("%Y/%m/%d");
            format!("/spaces/{}/blog/{day}/{}/{}", space.key, content.id, slug(content.title()))
        }
        Kind::Folder | Kind::Whiteboard | Kind::Database | Kind::Embed => of(content.kind.name()),
        Kind::Attachment | Kind::FooterComment | Kind::InlineComment => {
            let container = content.container.and_then(|id| site.content(id));
            let page = container.map_or_else(String::new, |container| webui(site, container));
            match content.kind {
                Kind::Attachment => format!(
                    "/pages/viewpageattachments.action?pageId={}&preview=%2F{}%2F{}%2F{}",
                    container.map_or(0, |container| container.id.0),
                    container.map_or(0, |container| container.id.0),
                    content.id,
                    encoded(content.title())
                ),
                _ => format!("{page}?focusedCommentId={}", content.id),
            }
        }
    }
}

/// A page or a blog post, as lists and single answers have it alike.
pub fn page(site: &Site, content: &Content, edition: &Edition, format: Option<&str>) -> Value {
    let mut value = json!({
        "id": content.address(),
        "status": content.status.name(),
        "title": edition.title,
        "spaceId": content.space.0.to_string(),
        "authorId": account(content.editions[0].by.as_ref()),
        "createdAt": moment(content.created()),
        "version": version(edition),
        "body": body(edition, format),
        "_links": {
            "webui": webui(site, content),
            "editui": format!("/pages/resumedraft.action?draftId={}", content.id),
            "tinyui": tiny(content.id.0),
        },
    });
    if content.kind == Kind::Page {
        let parent = content.parent.and_then(|id| site.content(id));
        value["parentId"] = parent.map(Content::address).into();
        value["parentType"] = parent.map(|parent| parent.kind.name()).into();
        value["position"] = content.position.into();
        value["ownerId"] = content.owner.0.as_str().into();
        value["lastOwnerId"] = Value::Null;
    }
    value
}

/// A folder, a whiteboard, a database or a smart link in the tree: it has no words.
pub fn node(site: &Site, content: &Content) -> Value {
    let parent = content.parent.and_then(|id| site.content(id));
    let mut value = json!({
        "id": content.address(),
        "type": content.kind.name(),
        "status": content.status.name(),
        "title": content.title(),
        "parentId": parent.map(Content::address),
        "parentType": parent.map(|parent| parent.kind.name()),
        "position": content.position,
        "authorId": account(content.editions[0].by.as_ref()),
        "ownerId": content.owner.0,
        "createdAt": moment(content.created()),
        "spaceId": content.space.0.to_string(),
        "version": version(content.newest()),
        "_links": { "webui": webui(site, content) },
    });
    if let Some(link) = &content.link {
        value["embedUrl"] = link.as_str().into();
    }
    if content.kind == Kind::Whiteboard {
        value["_links"]["editui"] = webui(site, content).into();
    }
    value
}

/// A child in the tree.
pub fn child(content: &Content) -> Value {
    json!({
        "id": content.address(),
        "status": content.status.name(),
        "title": content.title(),
        "spaceId": content.space.0.to_string(),
        "childPosition": content.position,
    })
}

/// A comment. At the top of its page it names the page; a reply names the comment above it.
pub fn comment(site: &Site, content: &Content, format: Option<&str>) -> Value {
    let edition = content.newest();
    let mut value = json!({
        "id": content.address(),
        "status": content.status.name(),
        "title": edition.title,
        "version": version(edition),
        "body": body(edition, format),
        "_links": { "webui": webui(site, content) },
    });
    let container = content.container.and_then(|id| site.content(id));
    match container.map(|container| container.kind) {
        Some(Kind::BlogPost) => value["blogPostId"] = container.map(Content::address).into(),
        Some(Kind::Attachment) => value["attachmentId"] = container.map(Content::address).into(),
        _ => value["pageId"] = container.map(Content::address).into(),
    }
    if let Some(parent) = content.parent {
        value["parentCommentId"] = parent.to_string().into();
    }
    if let Some(anchor) = &content.anchor {
        value["resolutionStatus"] = anchor.resolution.as_str().into();
        value["properties"] = json!({
            "inlineMarkerRef": anchor.marker,
            "inlineOriginalSelection": anchor.selection,
            "inline-marker-ref": anchor.marker,
            "inline-original-selection": anchor.selection,
        });
    }
    value
}

/// An attachment.
pub fn attachment(site: &Site, content: &Content) -> Value {
    let empty = Default::default();
    let file = content.file.as_ref().unwrap_or(&empty);
    let edition = content.newest();
    let container = content.container.and_then(|id| site.content(id));
    let download = download(content);
    let mut value = json!({
        "id": content.address(),
        "status": content.status.name(),
        "title": edition.title,
        "createdAt": moment(content.created()),
        "mediaType": file.media_type,
        "mediaTypeDescription": described(&file.media_type),
        "comment": edition.message,
        "fileId": file_id(content),
        "fileSize": file.bytes.len(),
        "webuiLink": webui(site, content),
        "downloadLink": download,
        "version": version(edition),
        "_links": { "webui": webui(site, content), "download": download },
    });
    let field =
        if container.is_some_and(|found| found.kind == Kind::BlogPost) { "blogPostId" } else { "pageId" };
    value[field] = container.map(Content::address).into();
    value
}

/// What a media type is for people.
pub fn described(media_type: &str) -> &'static str {
    match media_type.split('/').next() {
        Some("image") => "Image",
        Some("text") => "Text File",
        _ if media_type == "application/pdf" => "PDF Document",
        _ => "File",
    }
}

/// The number of the bytes of an attachment, which changes with each version.
pub fn file_id(content: &Content) -> String {
    let hash = blake3::hash(format!("{}:{}", content.id, content.newest().number).as_bytes()).to_hex();
    format!("{}-{}-4{}-8{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32])
}

/// Where the bytes of an attachment are, below the base.
pub fn download(content: &Content) -> String {
    let container = content.container.map_or(0, |id| id.0);
    let at = content.newest().at.as_millisecond();
    format!(
        "/download/attachments/{container}/{}?version={}&modificationDate={at}&cacheVersion=1&api=v2",
        encoded(content.title()),
        content.newest().number
    )
}

/// A space, with its description if that is asked for.
pub fn space(space: &Space, with_description: Option<&str>) -> Value {
    let description = with_description
        .map(|format| json!({ format: { "representation": format, "value": space.description } }));
    json!({
        "id": space.id.0.to_string(),
        "key": space.key,
        "currentActiveAlias": space.key,
        "name": space.name,
        "type": space.kind,
        "status": if space.archived { "archived" } else { "current" },
        "authorId": space.author.0,
        "spaceOwnerId": space.author.0,
        "createdAt": moment(space.created),
        "homepageId": space.homepage.map(|id| id.to_string()),
        "description": description,
        "icon": null,
        "_links": { "webui": format!("/spaces/{}", space.key) },
    })
}

/// A permission of a space.
pub fn permission(permission: &Permission) -> Value {
    let (kind, id) = match &permission.principal {
        Principal::User(user) => ("user", &user.0),
        Principal::Group(group) => ("group", &group.0),
    };
    json!({
        "id": permission.id.to_string(),
        "principal": { "type": kind, "id": id },
        "operation": { "key": permission.operation, "targetType": permission.target },
    })
}

/// A label.
pub fn label(label: &Label) -> Value {
    json!({ "id": label.id().to_string(), "name": label.name, "prefix": label.prefix })
}

/// A property of a content.
pub fn property((key, property): (&String, &Property)) -> Value {
    json!({
        "id": property.id.to_string(),
        "key": key,
        "value": property.value,
        "version": {
            "number": property.version,
            "createdAt": moment(property.at),
            "message": "",
            "minorEdit": false,
            "authorId": property.by.0,
        },
    })
}

/// A task.
pub fn task(task: &Task, format: Option<&str>) -> Value {
    let container = if task.on_blog { "blogPostId" } else { "pageId" };
    let edition = Edition { body: task.body.clone(), ..Edition::default() };
    let at = moment(task.at);
    let mut value = json!({
        "id": task.id.to_string(),
        "localId": task.local,
        "spaceId": task.space.0.to_string(),
        "status": if task.done { "complete" } else { "incomplete" },
        "body": body(&edition, format),
        "createdBy": account(task.by.as_ref()),
        "assignedTo": task.assigned,
        "completedBy": account(task.by.as_ref().filter(|_| task.done)),
        "createdAt": at,
        "updatedAt": at,
        "dueAt": task.due,
        "completedAt": if task.done { Value::from(at.as_str()) } else { Value::Null },
    });
    value[container] = task.container.to_string().into();
    value
}

/// Somebody.
pub fn user(user: &User) -> Value {
    json!({
        "accountId": user.id.0,
        "accountType": "atlassian",
        "accountStatus": if user.left { "inactive" } else { "active" },
        "displayName": user.name,
        "publicName": user.username,
        "email": if user.hides_email { "" } else { user.email.as_str() },
        "timeZone": user.zone,
        "isExternalCollaborator": false,
        "personalSpaceId": null,
        "profilePicture": { "path": "/wiki/aa-avatar/none", "isDefault": true },
    })
}
