//! A wiki page at a version, as a source hands it over. Nothing here is interpreted: bodies are as they were received.

use crate::id::{PageId, PersonKey, SpaceKey, Version};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A page as a listing shows it: enough to decide whether it must be fetched, and to fetch it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRef {
    /// The page.
    pub id: PageId,
    /// The space it is in.
    pub space: SpaceKey,
    /// The current version, where the source counts versions. Files have none: the plan numbers them by change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Older versions the source can still give, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Version>,
    /// Changes whenever anything that `RawPage` holds may have changed (a hash of content and metadata). Empty where
    /// the source could not read all of that this time: what is held at this version stays.
    pub fingerprint: String,
    /// What it stands below and with, where the listing tells: who may see it follows from that, also before it is
    /// fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Above>,
    /// Where the source finds the page again. Only the source reads it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub locator: String,
}

/// What is above a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Above {
    /// What it stands below; nothing at the top of its space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PageId>,
    /// What a comment or an attached file is seen with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<PageId>,
}

impl Above {
    /// What is above a page, as it says itself.
    pub fn of(page: &RawPage) -> Self {
        Self { parent: page.parent.clone(), on: page.kind.on().cloned() }
    }
}

/// The language a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// Confluence storage format: an XML fragment with `ac:` and `ri:` elements.
    Storage,
    /// Markdown (CommonMark with tables, task lists and footnotes).
    Markdown,
    /// Wiki markup of Confluence before version 4.
    WikiMarkup,
    /// Text without markup.
    Plain,
}

/// What kind of content a page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// An ordinary page.
    Page,
    /// A blog post.
    BlogPost,
    /// A comment: its own document, seen by whoever sees the page it stands on.
    Comment {
        /// The page or blog post commented on.
        on: PageId,
        /// For an inline comment, the words it is attached to.
        quoted: Option<String>,
    },
    /// The text of an attached file: its own document, seen by whoever sees the page it is attached to.
    Attachment {
        /// The page or blog post it is attached to.
        on: PageId,
        /// The media type, such as `application/pdf`, where known.
        media_type: Option<String>,
        /// BLAKE3 of its bytes, which are not kept; none before it was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
}

impl PageKind {
    /// The page or blog post this stands on, for what stands on one.
    pub fn on(&self) -> Option<&PageId> {
        match self {
            Self::Page | Self::BlogPost => None,
            Self::Comment { on, .. } | Self::Attachment { on, .. } => Some(on),
        }
    }
}

/// A place in the tree of pages that is no page: a folder, a whiteboard, a database. It has no text; pages stand below
/// it, and restrictions hang on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Folder {
    /// Its id, of the same numbers as those of pages.
    pub id: PageId,
    /// What it stands below, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PageId>,
}

/// A file attached to a page. Bytes are never kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The file name.
    pub name: String,
    /// The media type, such as `application/pdf`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Size in bytes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// When this version of the file was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<Timestamp>,
    /// Who uploaded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<PersonKey>,
}

/// A person of the wiki. Names change; keys do not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The stable key.
    pub key: PersonKey,
    /// The name to show.
    pub name: String,
    /// Other names or keys the same account goes by (user name, e-mail).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// A space of the wiki.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Space {
    /// The key.
    pub key: SpaceKey,
    /// The name to show.
    pub name: String,
}

/// A page at one version, as received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawPage {
    /// The page.
    pub id: PageId,
    /// The space it is in.
    pub space: SpaceKey,
    /// Page, blog post or comment.
    pub kind: PageKind,
    /// The version this is.
    pub version: Version,
    /// The title.
    pub title: String,
    /// The language of `body`.
    pub format: BodyFormat,
    /// The body as received.
    pub body: String,
    /// When the page was first made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When this version was written. Null when the source does not say; never a file's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Who made the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonKey>,
    /// Who wrote this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<PersonKey>,
    /// The parent page; for a comment the comment answered, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PageId>,
    /// Titles from the top of the space down to the parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<String>,
    /// Labels, sorted. Sources that keep no history of labels give them with the current version only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Attached files, sorted by name; with the current version only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Where a browser finds the page, if the source knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// An older version, read for the sake of time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub historical: bool,
}
