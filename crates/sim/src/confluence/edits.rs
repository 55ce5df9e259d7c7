//! Live edits: what people do to a wiki while somebody reads it. Tests in any language send them as JSON. Edits do not
//! ask who may do what; the interface does, before it comes here. It must not know HTTP.

use super::site::{
    Anchor, Content, ContentId, Edition, File, Group, GroupId, Kind, Label, Permission, Principal,
    Restriction, Site, Space, SpaceId, Status, User, UserId,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;

/// An edit, by whom and when; without these by the first administrator, now.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// By whom.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
    /// What.
    #[serde(flatten)]
    pub edit: Edit,
}

impl From<Edit> for Order {
    fn from(edit: Edit) -> Self {
        Self { by: None, at: None, edit }
    }
}

/// What is done. The fields are explained in `docs/fake-confluence.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs)] // See the page named above.
pub enum Edit {
    Space {
        key: String,
        name: String,
    },
    Create(Creation),
    Edit {
        id: u64,
        title: Option<String>,
        body: Option<String>,
        message: Option<String>,
        minor: Option<bool>,
    },
    Draft {
        id: u64,
        title: Option<String>,
        body: Option<String>,
    },
    Move {
        id: u64,
        parent: Option<u64>,
        space: Option<String>,
        position: Option<u32>,
    },
    Trash {
        id: u64,
        keep_children: Option<bool>,
    },
    Restore {
        id: u64,
    },
    Archive {
        id: u64,
    },
    Purge {
        id: u64,
    },
    Label {
        id: u64,
        add: Option<Vec<String>>,
        remove: Option<Vec<String>>,
    },
    Restrict {
        id: u64,
        read: Option<Named>,
        update: Option<Named>,
    },
    Comment {
        on: u64,
        body: String,
        reply_to: Option<u64>,
        selection: Option<String>,
        id: Option<u64>,
    },
    Resolve {
        id: u64,
        resolution: String,
    },
    Attach {
        to: u64,
        name: String,
        media_type: Option<String>,
        text: Option<String>,
        base64: Option<String>,
    },
    Person {
        id: String,
        name: String,
        email: Option<String>,
        zone: Option<String>,
        left: Option<bool>,
    },
    Group {
        id: String,
        name: Option<String>,
        add: Option<Vec<String>>,
        remove: Option<Vec<String>>,
    },
    Permit {
        space: String,
        user: Option<String>,
        group: Option<String>,
    },
    Forbid {
        space: String,
        user: Option<String>,
        group: Option<String>,
    },
}

/// A new content: a page unless its `kind` says otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Creation {
    /// The key of the space.
    pub space: String,
    /// The title.
    pub title: String,
    /// The body in storage format.
    #[serde(default)]
    pub body: String,
    /// What it is.
    pub kind: Option<String>,
    /// Its number, if it matters.
    pub id: Option<u64>,
    /// What it hangs under.
    pub parent: Option<u64>,
    /// A page that is not published yet.
    #[serde(default)]
    pub draft: bool,
}

/// People and groups.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Accounts.
    #[serde(default)]
    pub users: Vec<String>,
    /// Ids of groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl Named {
    fn restriction(self) -> Restriction {
        Restriction {
            users: self.users.into_iter().map(UserId).collect(),
            groups: self.groups.into_iter().map(GroupId).collect(),
        }
    }
}

/// Does what is ordered, and says the number of what was edited or made.
pub fn apply(site: &mut Site, order: Order) -> Result<u64, String> {
    let at = order.at.unwrap_or(site.now);
    let by = order.by.map(UserId).or_else(|| first_administrator(site));
    let by = by.ok_or_else(|| "there is nobody who could have done it".to_owned())?;
    let deed = Deed { by, at };
    match order.edit {
        Edit::Create(creation) => create(site, &deed, creation),
        Edit::Comment { on, body, reply_to, selection, id } => {
            let remark = Remark { body, reply_to: reply_to.map(ContentId), selection, id };
            comment(site, &deed, ContentId(on), remark)
        }
        Edit::Attach { to, name, media_type, text, base64 } => {
            let bytes = match (text, base64) {
                (Some(text), _) => text.into_bytes(),
                (None, Some(encoded)) => STANDARD.decode(encoded).map_err(|why| format!("base64: {why}"))?,
                (None, None) => Vec::new(),
            };
            let file = File { media_type: media_type.unwrap_or_else(|| guessed(&name).to_owned()), bytes };
            attach(site, &deed, ContentId(to), (name, file))
        }
        Edit::Space { key, name } => Ok(found_space(site, &deed, (key, name)).0),
        Edit::Person { .. } | Edit::Group { .. } | Edit::Permit { .. } | Edit::Forbid { .. } => {
            people(site, order.edit).map(|()| 0)
        }
        edit => change(site, &deed, edit),
    }
}

/// Who did something, and when.
#[derive(Clone, Debug)]
pub struct Deed {
    /// Who.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

fn first_administrator(site: &Site) -> Option<UserId> {
    let all = || site.users.values();
    all().find(|user| user.sees_all).or_else(|| all().next()).map(|user| user.id.clone())
}

fn known(site: &mut Site, id: u64) -> Result<&mut Content, String> {
    site.content_mut(ContentId(id)).ok_or_else(|| format!("there is no content {id}"))
}

/// Everything that changes one content.
fn change(site: &mut Site, deed: &Deed, edit: Edit) -> Result<u64, String> {
    match edit {
        Edit::Edit { id, title, body, message, minor } => {
            let content = known(site, id)?;
            let mut next = Edition { message: message.unwrap_or_default(), ..content.newest().clone() };
            next.minor = minor.unwrap_or(false);
            next.title = title.unwrap_or(next.title);
            next.body = body.unwrap_or(next.body);
            publish(content, deed, next);
            Ok(id)
        }
        Edit::Draft { id, title, body } => {
            let content = known(site, id)?;
            let mut draft = content.draft.clone().unwrap_or_else(|| content.newest().clone());
            draft.title = title.unwrap_or(draft.title);
            draft.body = body.unwrap_or(draft.body);
            draft.at = deed.at;
            draft.by = Some(deed.by.clone());
            content.draft = Some(draft);
            Ok(id)
        }
        Edit::Move { id, parent, space, position } => {
            let content = known(site, id)?;
            content.position = position.unwrap_or(content.position);
            let stays = content.space;
            let space = match space {
                Some(key) => site.space_of_key(&key).ok_or_else(|| format!("there is no space `{key}`"))?.id,
                None => stays,
            };
            move_with_all_below(site, ContentId(id), space, parent.map(ContentId));
            Ok(id)
        }
        Edit::Purge { id } => {
            known(site, id)?;
            site.purge(ContentId(id));
            Ok(id)
        }
        Edit::Trash { id, keep_children } => {
            known(site, id)?.status = Status::Trashed;
            if keep_children != Some(true) {
                children_move_up(site, ContentId(id));
            }
            Ok(id)
        }
        Edit::Restore { id } => known(site, id).map(|content| content.status = Status::Current).map(|()| id),
        Edit::Archive { id } => known(site, id).map(|content| content.status = Status::Archived).map(|()| id),
        Edit::Label { id, add, remove } => {
            let labels = &mut known(site, id)?.labels;
            labels.extend(add.unwrap_or_default().iter().map(|name| label(name)));
            for name in remove.unwrap_or_default() {
                labels.remove(&label(&name));
            }
            Ok(id)
        }
        Edit::Restrict { id, read, update } => {
            let content = known(site, id)?;
            content.read = read.map_or_else(|| content.read.clone(), Named::restriction);
            content.update = update.map_or_else(|| content.update.clone(), Named::restriction);
            Ok(id)
        }
        Edit::Resolve { id, resolution } => {
            known(site, id)?.anchor.get_or_insert_default().resolution = resolution;
            Ok(id)
        }
        _ => Err("this does not change a content".to_owned()),
    }
}

/// A label from `name` or `prefix:name`.
pub fn label(text: &str) -> Label {
    let (prefix, name) = text.split_once(':').unwrap_or(("global", text));
    Label { prefix: prefix.to_owned(), name: name.to_owned() }
}

/// Makes a version the newest.
pub fn publish(content: &mut Content, deed: &Deed, mut edition: Edition) {
    edition.number = content.newest().number + 1;
    edition.at = deed.at;
    edition.by = Some(deed.by.clone());
    content.editions.push(edition);
    content.draft = None;
}

fn children_move_up(site: &mut Site, id: ContentId) {
    let up = site.content(id).and_then(|content| content.parent);
    for child in site.under(id) {
        if let Some(space) = site.content(child).map(|child| child.space) {
            site.place(child, space, up);
        }
    }
}

fn move_with_all_below(site: &mut Site, id: ContentId, space: SpaceId, parent: Option<ContentId>) {
    site.place(id, space, parent);
    for hanging in site.hung_on(id) {
        let parent = site.content(hanging).and_then(|content| content.parent);
        site.place(hanging, space, parent);
    }
    for below in site.under(id) {
        if site.content(below).is_some_and(|content| content.space != space) {
            move_with_all_below(site, below, space, Some(id));
        }
    }
}

/// Makes a content of the tree, or a blog post.
pub fn create(site: &mut Site, deed: &Deed, creation: Creation) -> Result<u64, String> {
    let no_space = || format!("there is no space `{}`", creation.space);
    let space = site.space_of_key(&creation.space).ok_or_else(no_space)?.id;
    let kind = creation.kind.as_deref().unwrap_or("page");
    let kind = Kind::read(kind).ok_or_else(|| format!("there is no kind `{kind}`"))?;
    let parent = creation.parent.map(ContentId);
    let position = parent.map_or(0, |parent| site.under(parent).len() as u32);
    let id = ContentId(creation.id.unwrap_or_else(|| site.next_id()));
    if site.content(id).is_some() {
        return Err(format!("there is a content {id} already"));
    }
    let edition = Edition {
        number: 1,
        at: deed.at,
        by: Some(deed.by.clone()),
        title: creation.title,
        body: creation.body,
        ..Edition::default()
    };
    let mut content = Content::new(id, kind, space, edition);
    content.parent = parent;
    content.position = position;
    content.status = if creation.draft { Status::Draft } else { Status::Current };
    content.link = (kind == Kind::Embed).then(|| "https://example.com/board".to_owned());
    site.put(content);
    Ok(id.0)
}

/// A comment that is to be made.
#[derive(Clone, Debug, Default)]
pub struct Remark {
    /// Its body in storage format.
    pub body: String,
    /// The comment it replies to.
    pub reply_to: Option<ContentId>,
    /// The words it stands at; without them it stands at the foot.
    pub selection: Option<String>,
    /// Its number, if it matters.
    pub id: Option<u64>,
}

/// Comments on a page, a blog post, or replies.
pub fn comment(site: &mut Site, deed: &Deed, on: ContentId, remark: Remark) -> Result<u64, String> {
    let container = site.content(on).ok_or_else(|| format!("there is no content {on}"))?;
    let (space, title) = (container.space, format!("Re: {}", container.title()));
    let above = remark.reply_to.and_then(|id| site.content(id));
    let inline = match above {
        Some(above) => above.kind == Kind::InlineComment,
        None => remark.selection.is_some(),
    };
    let anchor = match above {
        Some(above) => above.anchor.clone(),
        None => remark.selection.map(|selection| Anchor {
            marker: format!("marker-{}", remark.id.unwrap_or(on.0)),
            selection,
            resolution: "open".to_owned(),
        }),
    };
    let id = ContentId(remark.id.unwrap_or_else(|| site.next_id()));
    let edition = Edition {
        number: 1,
        at: deed.at,
        by: Some(deed.by.clone()),
        title,
        body: remark.body,
        ..Edition::default()
    };
    let kind = if inline { Kind::InlineComment } else { Kind::FooterComment };
    let mut content = Content::new(id, kind, space, edition);
    content.parent = remark.reply_to;
    content.container = Some(on);
    content.anchor = anchor;
    site.put(content);
    Ok(id.0)
}

/// Attaches a file; one of the same name gets a new version.
pub fn attach(site: &mut Site, deed: &Deed, to: ContentId, named: (String, File)) -> Result<u64, String> {
    let (name, file) = named;
    let space = site.content(to).ok_or_else(|| format!("there is no content {to}"))?.space;
    let same = site.hung_on(to).into_iter().find(|id| {
        site.content(*id).is_some_and(|found| found.kind == Kind::Attachment && found.title() == name)
    });
    if let Some(content) = same.and_then(|id| site.content_mut(id)) {
        let next = content.newest().clone();
        publish(content, deed, next);
        content.file = Some(file);
        return Ok(content.id.0);
    }
    let id = ContentId(site.next_id());
    let edition =
        Edition { number: 1, at: deed.at, by: Some(deed.by.clone()), title: name, ..Edition::default() };
    let mut content = Content::new(id, Kind::Attachment, space, edition);
    content.container = Some(to);
    content.file = Some(file);
    site.put(content);
    Ok(id.0)
}

/// Makes a space.
pub fn found_space(site: &mut Site, deed: &Deed, (key, name): (String, String)) -> SpaceId {
    if let Some(space) = site.space_of_key(&key) {
        return space.id;
    }
    let id = SpaceId(site.next_id());
    let space = Space {
        id,
        kind: if key.starts_with('~') { "personal" } else { "global" }.to_owned(),
        key,
        name,
        archived: false,
        homepage: None,
        description: String::new(),
        created: deed.at,
        author: deed.by.clone(),
        permissions: Vec::new(),
    };
    site.spaces.insert(id, space);
    id
}

/// Lets somebody, or the members of a group, read a space.
pub fn permit(site: &mut Site, space: SpaceId, principal: &Principal) {
    for (operation, target) in [("read", "space"), ("create", "page"), ("create", "comment")] {
        let id = site.next_id();
        let permission = Permission {
            id,
            principal: principal.clone(),
            operation: operation.to_owned(),
            target: target.to_owned(),
        };
        let space = site.spaces.get_mut(&space);
        space.into_iter().for_each(|space| space.permissions.push(permission.clone()));
    }
}

fn people(site: &mut Site, edit: Edit) -> Result<(), String> {
    match edit {
        Edit::Person { id, name, email, zone, left } => {
            let id = UserId(id);
            let user = site.users.entry(id.clone()).or_insert_with(|| person(&id.0, ""));
            user.name = name;
            user.email = email.unwrap_or_else(|| user.email.clone());
            user.zone = zone.or_else(|| user.zone.clone());
            user.left = left.unwrap_or(user.left);
        }
        Edit::Group { id, name, add, remove } => {
            let id = GroupId(id);
            let fresh = Group { id: id.clone(), name: id.0.clone(), members: BTreeSet::new() };
            let group = site.groups.entry(id).or_insert(fresh);
            group.name = name.unwrap_or_else(|| group.name.clone());
            group.members.extend(add.unwrap_or_default().into_iter().map(UserId));
            for user in remove.unwrap_or_default() {
                group.members.remove(&UserId(user));
            }
        }
        Edit::Permit { space, user, group } => {
            let id = site.space_of_key(&space).ok_or_else(|| format!("there is no space `{space}`"))?.id;
            permit(site, id, &principal(user, group)?);
        }
        Edit::Forbid { space, user, group } => {
            let id = site.space_of_key(&space).ok_or_else(|| format!("there is no space `{space}`"))?.id;
            let principal = principal(user, group)?;
            let space = site.spaces.get_mut(&id);
            space.into_iter().for_each(|space| space.permissions.retain(|one| one.principal != principal));
        }
        _ => return Err("this does not change people".to_owned()),
    }
    Ok(())
}

fn principal(user: Option<String>, group: Option<String>) -> Result<Principal, String> {
    let named = user.map(|user| Principal::User(UserId(user)));
    let named = named.or_else(|| group.map(|group| Principal::Group(GroupId(group))));
    named.ok_or_else(|| "neither `user` nor `group` is named".to_owned())
}

/// Somebody with an account.
pub fn person(id: &str, name: &str) -> User {
    let username = name.to_lowercase().replace(' ', ".");
    User {
        id: UserId(id.to_owned()),
        email: format!("{username}@example.com"),
        username,
        name: name.to_owned(),
        hides_email: false,
        zone: None,
        sees_all: false,
        left: false,
    }
}

/// The media type of a name.
pub fn guessed(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("svg") => "image/svg+xml",
        Some("pdf") => "application/pdf",
        Some("txt" | "log" | "md") => "text/plain",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("drawio") => "application/vnd.jgraph.mxfile",
        _ => "application/octet-stream",
    }
}
