//! Anything with a content id, from a page to a comment on a file, with its versions and who may see it. It must not
//! know where contents are kept.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The number of a content: pages, comments and attachments share one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentId(pub u64);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ContentId {
    /// From an address: a number, or `att` and a number.
    pub fn read(text: &str) -> Option<Self> {
        text.strip_prefix("att").unwrap_or(text).parse().ok().map(Self)
    }
}

/// The number of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpaceId(pub u64);

/// An account: on Cloud the account id, on Data Center the user key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserId(pub String);

/// The id of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(pub String);

/// What a content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // The names are Confluence's own.
pub enum Kind {
    Page,
    BlogPost,
    Folder,
    Whiteboard,
    Database,
    Embed,
    FooterComment,
    InlineComment,
    Attachment,
}

impl Kind {
    /// The type as both versions of the interface write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::BlogPost => "blogpost",
            Self::Folder => "folder",
            Self::Whiteboard => "whiteboard",
            Self::Database => "database",
            Self::Embed => "embed",
            Self::FooterComment | Self::InlineComment => "comment",
            Self::Attachment => "attachment",
        }
    }

    /// From the name of a type; a comment is one at the foot.
    pub fn read(name: &str) -> Option<Self> {
        let all = [
            Self::Page,
            Self::BlogPost,
            Self::Folder,
            Self::Whiteboard,
            Self::Database,
            Self::Embed,
            Self::FooterComment,
            Self::Attachment,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is a comment of either kind.
    pub fn is_comment(self) -> bool {
        matches!(self, Self::FooterComment | Self::InlineComment)
    }

    /// Whether it has a place in the tree of a space.
    pub fn is_in_tree(self) -> bool {
        matches!(self, Self::Page | Self::Folder | Self::Whiteboard | Self::Database | Self::Embed)
    }
}

/// Where a content is in its life. What is purged is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // The names are Confluence's own.
pub enum Status {
    Current,
    Draft,
    Archived,
    Trashed,
}

impl Status {
    /// The status as both versions write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Draft => "draft",
            Self::Archived => "archived",
            Self::Trashed => "trashed",
        }
    }
}

/// One version: its words, and when they were written by whom.
#[derive(Clone, Debug, Default)]
pub struct Edition {
    /// From one upwards.
    pub number: u32,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Option<UserId>,
    /// What the editor said about it.
    pub message: String,
    /// Nobody was told of it.
    pub minor: bool,
    /// The title.
    pub title: String,
    /// The body in storage format.
    pub body: String,
}

/// Who alone may do something; nobody named means everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restriction {
    /// These people.
    pub users: BTreeSet<UserId>,
    /// Members of these groups.
    pub groups: BTreeSet<GroupId>,
}

impl Restriction {
    /// Whether nobody is kept out.
    pub fn is_open(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }
}

/// A label: `global` unless it is somebody's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// `global`, `my`, `team` or `system`.
    pub prefix: String,
    /// Its name.
    pub name: String,
}

impl Label {
    /// The number of a label follows from its name, so that one label has one number everywhere.
    pub fn id(&self) -> u64 {
        let hash = blake3::hash(format!("{}:{}", self.prefix, self.name).as_bytes());
        let bytes = hash.as_bytes();
        u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3] & 0x3f])) + 1_000
    }
}

/// Where an inline comment is fixed.
#[derive(Clone, Debug, Default)]
pub struct Anchor {
    /// The marker in the body.
    pub marker: String,
    /// The words that were marked.
    pub selection: String,
    /// `open`, `reopened`, `resolved` or `dangling`.
    pub resolution: String,
}

/// The bytes of an attachment.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A property of a content, for programs.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its number.
    pub id: u64,
    /// Its value.
    pub value: Value,
    /// Its version.
    pub version: u32,
    /// When it was written.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
}

/// Anything with a content id.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its number.
    pub id: ContentId,
    /// What it is.
    pub kind: Kind,
    /// Where it is in its life.
    pub status: Status,
    /// The space it is in.
    pub space: SpaceId,
    /// What it hangs under: in the tree, or the comment it replies to.
    pub parent: Option<ContentId>,
    /// The page or blog post a comment or an attachment belongs to.
    pub container: Option<ContentId>,
    /// Its place among its siblings.
    pub position: u32,
    /// Who owns it.
    pub owner: UserId,
    /// All versions, oldest first; never empty.
    pub editions: Vec<Edition>,
    /// An edit that is not published.
    pub draft: Option<Edition>,
    /// Labels.
    pub labels: BTreeSet<Label>,
    /// Who alone may see it.
    pub read: Restriction,
    /// Who alone may edit it.
    pub update: Restriction,
    /// Properties by key.
    pub properties: BTreeMap<String, Property>,
    /// Of an inline comment.
    pub anchor: Option<Anchor>,
    /// Of an attachment.
    pub file: Option<File>,
    /// Of a smart link in the tree.
    pub link: Option<String>,
}

impl Content {
    /// A current content of one version.
    pub fn new(id: ContentId, kind: Kind, space: SpaceId, edition: Edition) -> Self {
        let owner = edition.by.clone().unwrap_or_else(|| UserId(String::new()));
        Self {
            id,
            kind,
            status: Status::Current,
            space,
            parent: None,
            container: None,
            position: 0,
            owner,
            editions: vec![edition],
            draft: None,
            labels: BTreeSet::new(),
            read: Restriction::default(),
            update: Restriction::default(),
            properties: BTreeMap::new(),
            anchor: None,
            file: None,
            link: None,
        }
    }

    /// The newest version.
    pub fn newest(&self) -> &Edition {
        // It is never empty: it is made with one and only grows.
        &self.editions[self.editions.len() - 1]
    }

    /// The title of the newest version.
    pub fn title(&self) -> &str {
        &self.newest().title
    }

    /// When it was made.
    pub fn created(&self) -> Timestamp {
        self.editions[0].at
    }

    /// Its id as an address has it.
    pub fn address(&self) -> String {
        match self.kind {
            Kind::Attachment => format!("att{}", self.id),
            _ => self.id.to_string(),
        }
    }
}
