//! A planned space as the `entities.xml` of an export. Knows the format, not what the pages say.

use super::PEOPLE;
use super::page::{Comment, Page, Plan, Version, date, owner_of, time, user_key, user_name};
use std::collections::BTreeMap;

const SPACE: u64 = 1_310_000;
const PAGES: &str = "com.atlassian.confluence.pages";
const CORE: &str = "com.atlassian.confluence.core";
const USER: &str = "com.atlassian.confluence.user";
const SECURITY: &str = "com.atlassian.confluence.security";
const LABELS: &str = "com.atlassian.confluence.labels";

/// The file under way, and the next free object id.
pub(crate) struct Entities {
    text: String,
    next: u64,
}

impl Entities {
    /// The whole file.
    pub(crate) fn of(plan: &Plan) -> String {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <hibernate-generic datetime=\"2025-06-02 09:00:00\">\n";
        let mut file = Self { text: head.to_owned(), next: 2_000_000 };
        file.space(plan.pages[0].id);
        file.people();
        let labels = file.labels(plan);
        for page in &plan.pages {
            file.page(page, &plan.comments, &labels);
        }
        let ids: Vec<u64> = plan.comments.iter().map(|_| file.id()).collect();
        for (comment, id) in plan.comments.iter().zip(&ids) {
            file.comment(comment, *id, comment.answers.map(|at| ids[at]));
        }
        file.text.push_str("</hibernate-generic>\n");
        file.text
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn object(&mut self, class: &str, package: &str, id: &str, inside: impl FnOnce(&mut Object)) {
        let mut object = Object(String::new());
        inside(&mut object);
        let key = if class == "ConfluenceUserImpl" { "key" } else { "id" };
        let id = if key == "key" { cdata(id) } else { id.to_owned() };
        self.text.push_str(&format!(
            "<object class=\"{class}\" package=\"{package}\">\n<id name=\"{key}\">{id}</id>\n"
        ));
        self.text.push_str(&object.0);
        self.text.push_str("</object>\n");
    }

    fn space(&mut self, home: u64) {
        self.object("Space", "com.atlassian.confluence.spaces", &SPACE.to_string(), |space| {
            space.text("name", "Operations Handbook").text("key", "OPSBOOK").text("lowerKey", "opsbook");
            space.refers("homePage", "Page", PAGES, home).plain("spaceType", "global");
        });
        // Everybody may view the space, strangers too; one page in it is restricted.
        for group in [Some("operations"), None] {
            let id = self.id().to_string();
            self.object("SpacePermission", SECURITY, &id, |permission| {
                permission.refers("space", "Space", "com.atlassian.confluence.spaces", SPACE);
                permission.text("type", "VIEWSPACE").text("group", group.unwrap_or_default());
                permission.text("allUsersSubject", if group.is_none() { "anonymous-users" } else { "" });
            });
        }
    }

    fn people(&mut self) {
        for (person, name) in PEOPLE.iter().enumerate() {
            let (user, key) = (user_name(person), user_key(person));
            self.object("ConfluenceUserImpl", USER, &key, |object| {
                object
                    .text("name", &user)
                    .text("lowerName", &user)
                    .text("email", &format!("{user}@example.org"));
            });
            let id = self.id().to_string();
            self.object("InternalUser", "com.atlassian.crowd.model.user", &id, |object| {
                object.text("name", &user).text("lowerName", &user).plain("active", "true");
                object.text("displayName", name).text("emailAddress", &format!("{user}@example.org"));
            });
        }
    }

    fn labels(&mut self, plan: &Plan) -> BTreeMap<String, u64> {
        let mut ids = BTreeMap::new();
        for label in plan.pages.iter().flat_map(|page| &page.labels) {
            if !ids.contains_key(label) {
                let id = self.id();
                ids.insert(label.clone(), id);
                self.object("Label", LABELS, &id.to_string(), |object| {
                    object.text("name", label).text("namespace", "global");
                });
            }
        }
        ids
    }

    fn page(&mut self, page: &Page, comments: &[Comment], labels: &BTreeMap<String, u64>) {
        let Some((current, older)) = page.versions.split_last() else { return };
        let older_ids: Vec<u64> = older.iter().map(|_| self.id()).collect();
        let set = page.restricted.then(|| self.restrict(page.id));
        let number = page.versions.len();
        let marked = Version {
            body: match comments.iter().any(|comment| comment.on == page.id && comment.quoted.is_some()) {
                true => marked(&current.body, owner_of(page)),
                false => current.body.clone(),
            },
            ..*current
        };
        self.version(page, page.id, (number, &marked), |object| {
            object.refers("space", "Space", "com.atlassian.confluence.spaces", SPACE);
            object.list("historicalVersions", "Page", PAGES, &older_ids);
            object.list("contentPermissionSets", "ContentPermissionSet", SECURITY, set.as_slice());
        });
        for (at, (version, id)) in older.iter().zip(&older_ids).enumerate() {
            self.version(page, *id, (at + 1, version), |object| {
                object.refers("originalVersion", "Page", PAGES, page.id);
            });
        }
        for label in &page.labels {
            let id = self.id().to_string();
            self.object("Labelling", LABELS, &id, |object| {
                object
                    .refers("label", "Label", LABELS, labels[label])
                    .refers("content", "Page", PAGES, page.id);
            });
        }
        for (name, media_type, size) in &page.files {
            self.file(page, (name, media_type, *size));
        }
    }

    /// One version of a page and its body. The bodies come after their pages, as Confluence writes them.
    fn version(
        &mut self,
        page: &Page,
        id: u64,
        (number, version): (usize, &Version),
        more: impl FnOnce(&mut Object),
    ) {
        let body = self.id();
        let author = page.versions.first().map_or(0, |first| first.editor);
        let class = if page.blog { "BlogPost" } else { "Page" };
        self.object(class, PAGES, &id.to_string(), |object| {
            object.text("title", &page.title).list("bodyContents", "BodyContent", CORE, &[body]);
            object.plain("version", &number.to_string());
            object.user("creator", author).plain("creationDate", &time(page.created));
            object.user("lastModifier", version.editor).plain("lastModificationDate", &time(version.minute));
            object
                .text("versionComment", if number > 1 { "Reviewed" } else { "" })
                .text("contentStatus", page.status);
            if let Some(parent) = page.parent {
                object.refers("parent", "Page", PAGES, parent);
            }
            more(object);
        });
        self.body(body, (class, id), &version.body);
    }

    fn body(&mut self, id: u64, (class, owner): (&str, u64), body: &str) {
        self.object("BodyContent", CORE, &id.to_string(), |object| {
            object.text("body", body).refers("content", class, PAGES, owner).plain("bodyType", "2");
        });
    }

    /// A view restriction to a group and one more person.
    fn restrict(&mut self, page: u64) -> u64 {
        let (set, members) = (self.id(), [self.id(), self.id()]);
        self.object("ContentPermissionSet", SECURITY, &set.to_string(), |object| {
            object.text("type", "View").list("contentPermissions", "ContentPermission", SECURITY, &members);
            object.refers("owningContent", "Page", PAGES, page);
        });
        for (at, member) in members.iter().enumerate() {
            self.object("ContentPermission", SECURITY, &member.to_string(), |object| {
                object.text("type", "View").text("groupName", if at == 0 { "security-team" } else { "" });
                if at == 1 {
                    object.user("userSubject", 0);
                }
                object.refers("owningSet", "ContentPermissionSet", SECURITY, set);
            });
        }
        set
    }

    fn file(&mut self, page: &Page, (name, media_type, size): (&str, &str, u64)) {
        let (id, properties) = (self.id(), [self.id(), self.id()]);
        self.object("Attachment", PAGES, &id.to_string(), |object| {
            object.text("title", name).plain("version", "1").text("contentStatus", "current");
            object.user("creator", page.versions[0].editor).plain("creationDate", &time(page.created));
            object
                .user("lastModifier", page.versions[0].editor)
                .plain("lastModificationDate", &time(page.created));
            object.refers("containerContent", "Page", PAGES, page.id);
            object.list(
                "contentProperties",
                "ContentProperty",
                "com.atlassian.confluence.content",
                &properties,
            );
        });
        self.property(properties[0], ("MEDIA_TYPE", media_type, ""), None);
        self.property(properties[1], ("FILESIZE", "", &size.to_string()), None);
    }

    fn property(&mut self, id: u64, (name, text, number): (&str, &str, &str), owner: Option<u64>) {
        self.object("ContentProperty", "com.atlassian.confluence.content", &id.to_string(), |object| {
            object.text("name", name).text("stringValue", text).plain("longValue", number);
            if let Some(owner) = owner {
                object.refers("content", "Comment", PAGES, owner);
            }
        });
    }

    fn comment(&mut self, comment: &Comment, id: u64, answers: Option<u64>) {
        let body = self.id();
        self.object("Comment", PAGES, &id.to_string(), |object| {
            object.text("title", "").list("bodyContents", "BodyContent", CORE, &[body]).plain("version", "1");
            object.user("creator", comment.by).plain("creationDate", &time(comment.minute));
            object.user("lastModifier", comment.by).plain("lastModificationDate", &time(comment.minute));
            object.text("contentStatus", "current").refers("containerContent", "Page", PAGES, comment.on);
            if let Some(parent) = answers {
                object.refers("parent", "Comment", PAGES, parent);
            }
        });
        self.body(body, ("Comment", id), &comment.body);
        if let Some(quoted) = &comment.quoted {
            let property = self.id();
            self.property(property, ("inline-original-selection", quoted, ""), Some(id));
        }
    }
}

/// The body with the marker of an inline comment around the words that name the owner.
fn marked(body: &str, owner: &str) -> String {
    let words = format!("owned by {owner}");
    let marker =
        format!("<ac:inline-comment-marker ac:ref=\"{}\">{words}</ac:inline-comment-marker>", date(0));
    body.replacen(&words, &marker, 1)
}

/// The inside of an object.
struct Object(String);

impl Object {
    fn property(&mut self, name: &str, more: &str, value: &str) -> &mut Self {
        match value.is_empty() {
            true => self.0.push_str(&format!("<property name=\"{name}\"{more}/>")),
            false => self.0.push_str(&format!("<property name=\"{name}\"{more}>{value}</property>\n")),
        }
        self
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.property(name, "", &if value.is_empty() { String::new() } else { cdata(value) })
    }

    fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        self.property(name, "", value)
    }

    fn refers(&mut self, name: &str, class: &str, package: &str, id: u64) -> &mut Self {
        let more = format!(" class=\"{class}\" package=\"{package}\"");
        self.property(name, &more, &format!("<id name=\"id\">{id}</id>\n"))
    }

    fn user(&mut self, name: &str, person: usize) -> &mut Self {
        let more = format!(" class=\"ConfluenceUserImpl\" package=\"{USER}\"");
        self.property(name, &more, &format!("<id name=\"key\">{}</id>\n", cdata(&user_key(person))))
    }

    fn list(&mut self, name: &str, class: &str, package: &str, ids: &[u64]) -> &mut Self {
        if !ids.is_empty() {
            let item = |id: &u64| {
                format!(
                    "<element class=\"{class}\" package=\"{package}\"><id name=\"id\">{id}</id>\n</element>\n"
                )
            };
            let items: String = ids.iter().map(item).collect();
            self.0.push_str(&format!(
                "<collection name=\"{name}\" class=\"java.util.Collection\">{items}</collection>\n"
            ));
        }
        self
    }
}

/// Text as Confluence puts it in exports: CDATA, whose end inside the text is broken with a space.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]] >"))
}
