//! A space of a site as Confluence exports it: `entities.xml`, the descriptor, the bytes of attachments. It must not
//! know who reads it.
//!
//! Everything that is of the space is written, the bin and drafts too: whoever reads it has to tell them apart.
//! Folders, whiteboards, databases and links in the tree are not written: an export has pages, and pages name such a
//! place as what they are below.

use super::site::{Content, ContentId, Edition, Kind, Label, Permission, Principal, Site, SpaceId, UserId};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

const PAGES: &str = "com.atlassian.confluence.pages";
const CORE: &str = "com.atlassian.confluence.core";
const SPACES: &str = "com.atlassian.confluence.spaces";
const USER: &str = "com.atlassian.confluence.user";
const SECURITY: &str = "com.atlassian.confluence.security";
const LABELS: &str = "com.atlassian.confluence.labels";
const PROPERTIES: &str = "com.atlassian.confluence.content";
/// Numbers of objects that have none on the site: far behind all that have.
const FIRST: u64 = 1 << 40;

/// Writes the unpacked export of a space.
///
/// # Errors
/// What the disk says.
pub fn write(site: &Site, space: SpaceId, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("entities.xml"), entities(site, space))?;
    std::fs::write(folder.join("exportDescriptor.properties"), descriptor(site, space))?;
    let files = contents(site, space).into_iter().filter(|content| content.kind == Kind::Attachment);
    for (content, file) in files.filter_map(|content| Some((content, content.file.as_ref()?))) {
        let on = content.container.unwrap_or(content.id);
        let place = folder.join(format!("attachments/{on}/{}", content.id));
        std::fs::create_dir_all(&place)?;
        std::fs::write(place.join(content.newest().number.to_string()), &file.bytes)?;
    }
    Ok(())
}

/// The key that an export has for an account. On Cloud it is another than the account id, which stands beside it.
pub fn user_key(site: &Site, user: &UserId) -> String {
    match site.is_cloud() {
        true => blake3::hash(user.0.as_bytes()).to_hex()[..32].to_owned(),
        false => user.0.clone(),
    }
}

fn descriptor(site: &Site, space: SpaceId) -> String {
    let key = site.spaces.get(&space).map_or("", |space| space.key.as_str());
    let version = &site.version;
    format!("exportType=space\nspaceKey={key}\nbackupAttachments=true\ncreatedByVersionNumber={version}\n")
}

/// The `entities.xml` of a space.
pub fn entities(site: &Site, space: SpaceId) -> String {
    let mut file = Entities { site, text: String::new(), next: FIRST };
    file.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    file.text.push_str(&format!("<hibernate-generic datetime=\"{}\">\n", time(site.now)));
    file.space(space);
    file.people();
    let contents = contents(site, space);
    let labels: BTreeSet<&Label> = contents.iter().flat_map(|content| &content.labels).collect();
    labels.into_iter().for_each(|label| file.label(label));
    contents.into_iter().for_each(|content| file.content(content));
    file.text.push_str("</hibernate-generic>\n");
    file.text
}

/// What an export of a space holds.
fn contents(site: &Site, space: SpaceId) -> Vec<&Content> {
    let is_written = |content: &&Content| {
        content.space == space && (content.kind == Kind::Page || !content.kind.is_in_tree())
    };
    site.contents().filter(is_written).collect()
}

/// The class of an object. What a place of another kind is called does not matter: it is only named.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Page => "Page",
        Kind::BlogPost => "BlogPost",
        Kind::FooterComment | Kind::InlineComment => "Comment",
        Kind::Attachment => "Attachment",
        Kind::Folder | Kind::Whiteboard | Kind::Database | Kind::Embed => "CustomContentEntityObject",
    }
}

/// The file under way, and the next free number.
struct Entities<'a> {
    site: &'a Site,
    text: String,
    next: u64,
}

impl Entities<'_> {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn object(&mut self, class: &str, package: &str, id: &str, inside: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object { site: self.site, text: String::new() };
        inside(&mut object);
        let (key, id) = match class {
            "ConfluenceUserImpl" => ("key", cdata(id)),
            _ => ("id", id.to_owned()),
        };
        let head =
            format!("<object class=\"{class}\" package=\"{package}\">\n<id name=\"{key}\">{id}</id>\n");
        self.text.extend([head.as_str(), object.text.as_str(), "</object>\n"]);
    }

    fn space(&mut self, id: SpaceId) {
        let Some(space) = self.site.spaces.get(&id) else { return };
        self.object("Space", SPACES, &id.0.to_string(), |object| {
            object.text("name", &space.name).text("key", &space.key);
            object.text("lowerKey", &space.key.to_lowercase()).plain("spaceType", &space.kind);
            if let Some(home) = space.homepage {
                object.refers("homePage", "Page", PAGES, home.0);
            }
        });
        space.permissions.iter().for_each(|permission| self.permission(id, permission));
    }

    /// A right in a space. Only the first of these lets anybody look.
    fn permission(&mut self, space: SpaceId, permission: &Permission) {
        let kind = match (permission.operation.as_str(), permission.target.as_str()) {
            ("read", "space") => "VIEWSPACE",
            ("create", "page") => "EDITSPACE",
            ("create", "comment") => "COMMENT",
            _ => "SETPAGEPERMISSIONS",
        };
        let site = self.site;
        self.object("SpacePermission", SECURITY, &permission.id.to_string(), |object| {
            object.refers("space", "Space", SPACES, space.0).text("type", kind);
            match &permission.principal {
                Principal::User(user) => object.text("group", "").user("userSubject", Some(user)),
                Principal::Group(group) => {
                    object.text("group", site.groups.get(group).map_or("", |group| group.name.as_str()))
                }
            };
            object.text("allUsersSubject", "");
        });
    }

    fn people(&mut self) {
        for user in self.site.users.values() {
            let key = user_key(self.site, &user.id);
            let is_cloud = self.site.is_cloud();
            self.object("ConfluenceUserImpl", USER, &key, |object| {
                object.text("name", &user.username).text("lowerName", &user.username.to_lowercase());
                object.text("email", if user.hides_email { "" } else { &user.email });
                if is_cloud {
                    object.text("atlassianAccountId", &user.id.0);
                }
            });
        }
    }

    fn label(&mut self, label: &Label) {
        self.object("Label", LABELS, &label.id().to_string(), |object| {
            object.text("name", &label.name).text("namespace", &label.prefix);
        });
    }

    /// A content with its older versions, and what belongs to it.
    fn content(&mut self, content: &Content) {
        let Some((newest, older)) = content.editions.split_last() else { return };
        let older: Vec<(u64, &Edition)> = older.iter().map(|edition| (self.id(), edition)).collect();
        let ids: Vec<u64> = older.iter().map(|(id, _)| *id).collect();
        let sets = [(&content.read, "View"), (&content.update, "Edit")];
        let sets: Vec<u64> =
            sets.into_iter().filter_map(|(named, kind)| self.restrict(content, (named, kind))).collect();
        let of_file = content.file.as_ref().map(|file| (file.media_type.clone(), file.bytes.len()));
        let mut properties = Vec::new();
        if let Some((media_type, size)) = &of_file {
            properties.push(self.property("MEDIA_TYPE", (media_type, "")));
            properties.push(self.property("FILESIZE", ("", &size.to_string())));
        }
        if let Some(anchor) = content.anchor.as_ref().filter(|_| content.parent.is_none()) {
            properties.push(self.property("inline-original-selection", (&anchor.selection, "")));
        }
        let class = class(content.kind);
        self.version(content, (content.id.0, newest), |object| {
            object.list("historicalVersions", (class, PAGES), &ids);
            object.list("contentPermissionSets", ("ContentPermissionSet", SECURITY), &sets);
            object.list("contentProperties", ("ContentProperty", PROPERTIES), &properties);
        });
        for (id, edition) in older {
            self.version(content, (id, edition), |object| {
                object.refers("originalVersion", class, PAGES, content.id.0);
            });
        }
        for label in &content.labels {
            let id = self.id().to_string();
            self.object("Labelling", LABELS, &id, |object| {
                object.refers("label", "Label", LABELS, label.id());
                object.refers("content", class, PAGES, content.id.0);
            });
        }
    }

    /// One version, and its body behind it.
    fn version(
        &mut self,
        content: &Content,
        (id, edition): (u64, &Edition),
        more: impl FnOnce(&mut Object<'_>),
    ) {
        let body = (content.kind != Kind::Attachment).then(|| self.id());
        let class = class(content.kind);
        let title = if content.kind.is_comment() { "" } else { &edition.title };
        let author = content.editions.first().and_then(|first| first.by.as_ref());
        self.object(class, PAGES, &id.to_string(), |object| {
            object.text("title", title).list("bodyContents", ("BodyContent", CORE), body.as_slice());
            object.plain("version", &edition.number.to_string()).text("versionComment", &edition.message);
            object.user("creator", author).plain("creationDate", &time(content.created()));
            object.user("lastModifier", edition.by.as_ref()).plain("lastModificationDate", &time(edition.at));
            object.text("contentStatus", content.status.name());
            object.place(content);
            more(object);
        });
        if let Some(body) = body {
            self.object("BodyContent", CORE, &body.to_string(), |object| {
                object.text("body", &edition.body).refers("content", class, PAGES, id);
                object.plain("bodyType", "2");
            });
        }
    }

    /// A restriction: a set, and a permission for each that it names. None if it names nobody.
    fn restrict(
        &mut self,
        content: &Content,
        (named, kind): (&super::site::Restriction, &str),
    ) -> Option<u64> {
        if named.is_open() {
            return None;
        }
        let set = self.id();
        let users: Vec<(u64, &UserId)> = named.users.iter().map(|user| (self.id(), user)).collect();
        let groups: Vec<(u64, String)> = named
            .groups
            .iter()
            .map(|group| {
                let name = self.site.groups.get(group).map_or(group.0.clone(), |group| group.name.clone());
                (self.id(), name)
            })
            .collect();
        let members: Vec<u64> =
            users.iter().map(|(id, _)| *id).chain(groups.iter().map(|(id, _)| *id)).collect();
        self.object("ContentPermissionSet", SECURITY, &set.to_string(), |object| {
            object
                .text("type", kind)
                .list("contentPermissions", ("ContentPermission", SECURITY), &members)
                .refers("owningContent", class(content.kind), PAGES, content.id.0);
        });
        for (id, user) in users {
            self.object("ContentPermission", SECURITY, &id.to_string(), |object| {
                object.text("type", kind).text("groupName", "").user("userSubject", Some(user));
                object.refers("owningSet", "ContentPermissionSet", SECURITY, set);
            });
        }
        for (id, group) in groups {
            self.object("ContentPermission", SECURITY, &id.to_string(), |object| {
                object.text("type", kind).text("groupName", &group);
                object.refers("owningSet", "ContentPermissionSet", SECURITY, set);
            });
        }
        Some(set)
    }

    fn property(&mut self, name: &str, (text, number): (&str, &str)) -> u64 {
        let id = self.id();
        self.object("ContentProperty", PROPERTIES, &id.to_string(), |object| {
            object.text("name", name).text("stringValue", text).plain("longValue", number);
        });
        id
    }
}

/// The inside of an object.
struct Object<'a> {
    site: &'a Site,
    text: String,
}

impl Object<'_> {
    fn property(&mut self, name: &str, more: &str, value: &str) -> &mut Self {
        let text = match value.is_empty() {
            true => format!("<property name=\"{name}\"{more}/>\n"),
            false => format!("<property name=\"{name}\"{more}>{value}</property>\n"),
        };
        self.text.push_str(&text);
        self
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let value = if value.is_empty() { String::new() } else { cdata(value) };
        self.property(name, "", &value)
    }

    fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.property(name, "", value)
    }

    fn refers(&mut self, name: &str, class: &str, package: &str, id: u64) -> &mut Self {
        let more = format!(" class=\"{class}\" package=\"{package}\"");
        self.property(name, &more, &format!("<id name=\"id\">{id}</id>\n"))
    }

    fn user(&mut self, name: &str, user: Option<&UserId>) -> &mut Self {
        let Some(user) = user else { return self.property(name, "", "") };
        let key = cdata(&user_key(self.site, user));
        let more = format!(" class=\"ConfluenceUserImpl\" package=\"{USER}\"");
        self.property(name, &more, &format!("<id name=\"key\">{key}</id>\n"))
    }

    fn list(&mut self, name: &str, (class, package): (&str, &str), ids: &[u64]) -> &mut Self {
        if ids.is_empty() {
            return self;
        }
        self.text.push_str(&format!("<collection name=\"{name}\" class=\"java.util.Collection\">"));
        for id in ids {
            self.text.push_str(&format!(
                "<element class=\"{class}\" package=\"{package}\"><id name=\"id\">{id}</id>\n</element>\n"
            ));
        }
        self.text.push_str("</collection>\n");
        self
    }

    /// Where a content is: pages in their space, below others; comments and files on a page, which says the space.
    fn place(&mut self, content: &Content) {
        if content.container.is_none() {
            self.refers("space", "Space", SPACES, content.space.0)
                .plain("position", &content.position.to_string());
        }
        let site = self.site;
        let mut named = |name: &str, id: Option<ContentId>| {
            let kind = id.and_then(|id| site.content(id)).map(|content| content.kind);
            if let (Some(id), Some(kind)) = (id, kind) {
                self.refers(name, class(kind), PAGES, id.0);
            }
        };
        named("parent", content.parent);
        named("containerContent", content.container);
    }
}

/// A time as exports have it, without the zone, which is the server's: UTC here.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

/// Text as Confluence puts it in exports: CDATA, whose end inside the text is broken with a space.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]] >"))
}

#[cfg(test)]
mod tests {
    use super::super::loading::small;
    use super::super::site::Deployment;
    use super::*;

    #[test]
    fn an_export_has_what_is_in_the_space_and_no_places_but_pages() {
        let site = small(Deployment::Cloud);
        let space = site.space_of_key("OPS").unwrap().id;
        let text = entities(&site, space);
        let of = |class: &str| text.matches(&format!("<object class=\"{class}\"")).count();
        assert_eq!((of("Page"), of("BlogPost"), of("Comment"), of("Attachment")), (4, 1, 3, 1));
        assert_eq!((of("Space"), of("ConfluenceUserImpl"), of("Label")), (1, 2, 1));
        assert!(text.contains("<property name=\"type\"><![CDATA[VIEWSPACE]]></property>"));
        assert!(!text.contains("Sketch") && text.ends_with("</hibernate-generic>\n"));
        assert!(descriptor(&site, space).contains("\nspaceKey=OPS\n"));
    }
}
