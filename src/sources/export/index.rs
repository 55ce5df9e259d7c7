//! What the first pass over an export keeps: compact rows of everything but the bodies, in the order of the
//! file.
//!
//! It must not know what the rows mean together (`wiki` does). Invariant: nothing here grows with the size of
//! a body, so an export of any size needs memory for its count of objects only.

use super::objects::{Object, Span, Tally};
use crate::sources::BROKEN;
use crate::sources::Skipped;
use jiff::Timestamp;
use knowledge::time;
use std::collections::{BTreeMap, BTreeSet};

/// A page, blog post or comment, at one version.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) id: u64,
    pub(crate) kind: Class,
    pub(crate) title: Box<str>,
    /// Empty means current: exports before Confluence 4 do not say.
    pub(crate) status: Box<str>,
    pub(crate) version: Option<u32>,
    /// The current version, of an old one.
    pub(crate) original: Option<u64>,
    pub(crate) space: Option<u64>,
    pub(crate) parent: Option<u64>,
    /// What a comment stands on.
    pub(crate) container: Option<u64>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) creator: Option<Who>,
    pub(crate) editor: Option<Who>,
    /// Where the object names its body's id, and the body does not name its owner.
    pub(crate) body_id: Option<u64>,
    /// Position in `Index::bodies`, once the pass is over.
    pub(crate) body: Option<u32>,
    /// The properties of a comment, which may not name their owner.
    pub(crate) properties: Box<[u64]>,
    /// The permission sets a page names, which may not name their owner.
    pub(crate) permission_sets: Box<[u64]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Page,
    BlogPost,
    Comment,
}

/// A person as an object names them: interned, by key or by user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Key(u32),
    Name(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) span: Span,
    /// 0 is wiki markup, 2 storage format; an export from before there were two does not say and means 0.
    pub(crate) kind: u8,
    id: u64,
    owner: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) container: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) uploaded: Option<Timestamp>,
    pub(crate) by: Option<Who>,
    pub(crate) properties: Box<[u64]>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) full_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) account: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct SpaceRow {
    pub(crate) key: String,
    pub(crate) name: String,
}

/// Who may view a space, as its permissions add up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Viewers {
    pub(crate) everyone: bool,
    pub(crate) users: Vec<Who>,
    pub(crate) groups: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct PermissionSet {
    pub(crate) view: bool,
    pub(crate) owner: Option<u64>,
    /// The permissions it says it has.
    pub(crate) members: Box<[u64]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Permission {
    pub(crate) id: u64,
    pub(crate) set: Option<u64>,
    pub(crate) user: Option<Who>,
    pub(crate) group: Option<String>,
}

/// A property of a comment or attachment.
#[derive(Clone, Debug)]
pub(crate) struct Property {
    pub(crate) id: u64,
    pub(crate) owner: Option<u64>,
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// All rows.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) contents: Vec<Content>,
    pub(crate) by_id: BTreeMap<u64, u32>,
    pub(crate) bodies: Vec<Body>,
    pub(crate) files: Vec<File>,
    pub(crate) users: BTreeMap<String, User>,
    /// Full names of accounts by lower-case user name: only site exports have them.
    pub(crate) full_names: BTreeMap<String, (String, Option<String>)>,
    pub(crate) spaces: BTreeMap<u64, SpaceRow>,
    pub(crate) viewers: BTreeMap<u64, Viewers>,
    pub(crate) labels: BTreeMap<u64, String>,
    pub(crate) labellings: Vec<(u64, u64)>,
    pub(crate) sets: BTreeMap<u64, PermissionSet>,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) properties: Vec<Property>,
    /// Old versions as the current one lists them, for those that do not say so themselves.
    pub(crate) older: BTreeMap<u64, u64>,
    pub(crate) skipped: Skipped,
    words: Vec<Box<str>>,
    word_of: BTreeMap<Box<str>, u32>,
}

impl Index {
    /// Takes an object in.
    pub(crate) fn take(&mut self, object: Object) {
        let Ok(id) = object.id.parse::<u64>() else { return self.take_keyed(&object) };
        match object.class.as_str() {
            "Page" => self.take_content(id, Class::Page, &object),
            "BlogPost" => self.take_content(id, Class::BlogPost, &object),
            "Comment" => self.take_content(id, Class::Comment, &object),
            "BodyContent" => self.take_body(id, &object),
            "Attachment" => self.take_file(id, &object),
            "Space" => self.take_space(id, &object),
            "ContentProperty" => self.take_property(id, &object),
            "Label" => self.take_label(id, &object),
            "Labelling" => self.take_labelling(&object),
            "SpacePermission" => self.take_space_permission(&object),
            "ContentPermissionSet" => self.take_set(id, &object),
            "ContentPermission" => self.take_permission(id, &object),
            "InternalUser" => self.take_account(&object),
            "Draft" => self.skipped.add("draft"),
            "PageTemplate" => self.skipped.add("page template"),
            "SpaceDescription" => self.skipped.add("space description"),
            "CustomContentEntityObject" => self.skipped.add("content of an app"),
            _ => {}
        }
    }

    /// Ends the pass: bodies find their owners.
    pub(crate) fn end(&mut self, tally: Tally) {
        self.skipped.lost_count(BROKEN, tally.broken);
        self.skipped.count("invalid UTF-8 that was replaced (properties)", tally.invalid_text);
        self.by_id = self.contents.iter().enumerate().rev().map(|(i, row)| (row.id, i as u32)).collect();
        let twice = self.contents.len() - self.by_id.len();
        self.skipped.count("object whose id another one has already", twice as u32);
        let mut by_body: BTreeMap<u64, u32> = BTreeMap::new();
        for (i, body) in self.bodies.iter().enumerate().rev() {
            by_body.insert(body.id, i as u32);
            let row = body.owner.and_then(|owner| self.by_id.get(&owner)).map(|&row| row as usize);
            if let Some(content) = row.map(|row| &mut self.contents[row]) {
                // Of several bodies the shown one counts: type 1 is what a rich editor keeps for itself.
                let better = content.body.is_none_or(|known| body.kind >= self.bodies[known as usize].kind);
                if better {
                    content.body = Some(i as u32);
                }
            }
        }
        for content in self.contents.iter_mut().filter(|content| content.body.is_none()) {
            content.body = content.body_id.and_then(|id| by_body.get(&id)).copied();
        }
    }

    pub(crate) fn word(&self, number: u32) -> &str {
        &self.words[number as usize]
    }

    fn intern(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.word_of.get(word) {
            return number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.into());
        self.word_of.insert(word.into(), number);
        number
    }

    /// The person in a property, by key in newer exports and by user name in older ones.
    fn who(&mut self, object: &Object, by_key: &str, by_name: &str) -> Option<Who> {
        if let Some(key) = object.text(by_key) {
            return Some(Who::Key(self.intern(key)));
        }
        object.text(by_name).map(|name| Who::Name(self.intern(name)))
    }

    fn take_content(&mut self, id: u64, kind: Class, object: &Object) {
        let creator = self.who(object, "creator", "creatorName");
        let editor = self.who(object, "lastModifier", "lastModifierName");
        self.older.extend(object.list("historicalVersions").map(|older| (older, id)));
        let ids = |name: &'static str, of: bool| object.list(name).filter(|_| of).collect();
        self.contents.push(Content {
            id,
            kind,
            title: object.text("title").unwrap_or_default().into(),
            status: object.text("contentStatus").unwrap_or_default().into(),
            version: object.number("version").and_then(|version| u32::try_from(version).ok()),
            original: object.number("originalVersion").or_else(|| object.number("originalVersionId")),
            space: object.number("space"),
            parent: object.number("parent"),
            container: ["containerContent", "owner", "page"].iter().find_map(|name| object.number(name)),
            created: date(object, "creationDate"),
            modified: date(object, "lastModificationDate"),
            creator,
            editor,
            body_id: object.list("bodyContents").next(),
            body: None,
            properties: ids("contentProperties", kind == Class::Comment),
            permission_sets: ids("contentPermissionSets", true),
        });
    }

    fn take_body(&mut self, id: u64, object: &Object) {
        if let Some(span) = object.body {
            let kind = object.number("bodyType").and_then(|kind| u8::try_from(kind).ok()).unwrap_or(0);
            self.bodies.push(Body { span, kind, id, owner: object.number("content") });
        }
    }

    fn take_file(&mut self, id: u64, object: &Object) {
        let old = object.number("originalVersion").or_else(|| object.number("originalVersionId")).is_some();
        let current = matches!(object.text("contentStatus"), None | Some("current"));
        let container = object.number("containerContent").or_else(|| object.number("content"));
        let name = object.text("title").or_else(|| object.text("fileName"));
        let (Some(container), Some(name)) = (container, name) else {
            return self.skipped.add("attachment without a page or a name");
        };
        if old || !current {
            return self.skipped.add("old version of an attachment");
        }
        let name = name.to_owned();
        let by = self
            .who(object, "lastModifier", "lastModifierName")
            .or_else(|| self.who(object, "creator", "creatorName"));
        self.files.push(File {
            id,
            name,
            container,
            media_type: object.text("contentType").map(str::to_owned),
            size: object.number("fileSize"),
            uploaded: date(object, "lastModificationDate").or_else(|| date(object, "creationDate")),
            by,
            properties: object.list("contentProperties").collect(),
        });
    }

    fn take_space(&mut self, id: u64, object: &Object) {
        let Some(key) = object.text("key") else { return self.skipped.add("space without a key") };
        let name = object.text("name").unwrap_or(key).to_owned();
        self.spaces.entry(id).or_insert(SpaceRow { key: key.to_owned(), name });
    }

    fn take_property(&mut self, id: u64, object: &Object) {
        let name = match object.text("name") {
            Some("inline-original-selection" | "inlineOriginalSelection") => "quoted",
            Some("MEDIA_TYPE") => "media type",
            Some("FILESIZE") => "size",
            _ => return,
        };
        let value = object.text("stringValue").or_else(|| object.text("longValue"));
        let Some(value) = value else { return };
        let owner = object.number("content");
        self.properties.push(Property { id, owner, name, value: value.to_owned() });
    }

    /// Labels of other namespaces are favourites of a person (`my`) or marks of an app, not words about the
    /// page.
    fn take_label(&mut self, id: u64, object: &Object) {
        if let (Some(name), None | Some("global")) = (object.text("name"), object.text("namespace")) {
            self.labels.insert(id, name.to_owned());
        }
    }

    fn take_labelling(&mut self, object: &Object) {
        let content = object.number("content").or_else(|| object.number("labelableId"));
        if let (Some(label), Some(content)) = (object.number("label"), content) {
            self.labellings.push((content, label));
        }
    }

    fn take_space_permission(&mut self, object: &Object) {
        let Some(space) = object.number("space") else { return };
        let user = self.who(object, "userSubject", "userName");
        let viewers = self.viewers.entry(space).or_default();
        if object.text("type") != Some("VIEWSPACE") {
            return;
        }
        // Everybody who is logged in is kept as a group of that name, so that it never means strangers.
        let all = object.text("allUsersSubject").filter(|all| *all != "anonymous-users");
        match (user, object.text("group").or(all)) {
            (Some(user), _) => viewers.users.push(user),
            (None, Some(group)) => {
                viewers.groups.insert(group.to_owned());
            }
            (None, None) => viewers.everyone = true,
        }
    }

    fn take_set(&mut self, id: u64, object: &Object) {
        let view = object.text("type").is_some_and(|kind| kind.eq_ignore_ascii_case("view"));
        let members = object.list("contentPermissions").collect();
        self.sets.insert(id, PermissionSet { view, owner: object.number("owningContent"), members });
    }

    fn take_permission(&mut self, id: u64, object: &Object) {
        let user = self.who(object, "userSubject", "userName");
        let group = object.text("groupName").map(str::to_owned);
        self.permissions.push(Permission { id, set: object.number("owningSet"), user, group });
    }

    /// Objects whose id is a text: users.
    fn take_keyed(&mut self, object: &Object) {
        if object.class != "ConfluenceUserImpl" {
            return;
        }
        let text = |name: &str| object.text(name).map(str::to_owned);
        let user = User {
            name: text("name").unwrap_or_default(),
            full_name: text("fullName").or_else(|| text("displayName")),
            email: text("email"),
            account: text("atlassianAccountId"),
        };
        self.users.entry(object.id.clone()).or_insert(user);
    }

    fn take_account(&mut self, object: &Object) {
        let name = object.text("lowerName").or_else(|| object.text("name"));
        if let (Some(name), Some(shown)) = (name, object.text("displayName")) {
            let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
            let email = object.text("emailAddress").map(str::to_owned);
            self.full_names.insert(name.to_lowercase(), (shown, email));
        }
    }
}

/// Exports write times as `2014-03-01 12:30:00.000` without saying the zone; they are taken as UTC.
fn date(object: &Object, name: &str) -> Option<Timestamp> {
    object.text(name).and_then(time::parse)
}
