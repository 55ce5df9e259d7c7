//! Fetching: the body of a page at one version, alone or many pages at once. What a listing knew of a page came along
//! as its locator; only the body, and what belongs to an older version, is asked for.
//!
//! Invariant: a record holds the version it was asked for, or none is made.

use super::crawl::json;
use super::shapes::{Body, Content1, Content2, List, Version as Edition};
use super::{Wiki, encoded};
use crate::sources::{Ask, Get, Kind, SourceError};
use knowledge::id::{PageId, Version};
use knowledge::page::{PageKind, RawPage};
use knowledge::read::file::{FileText, OFFICE_CAP_BYTES, text_of};
use knowledge::record::Record;
use std::collections::BTreeMap;

/// What a fetch asks for, read from the ask.
pub(super) struct Wanted {
    pub(super) page: RawPage,
    /// The version that is wanted; the listing's own, or an older one.
    pub(super) version: Version,
}

/// The lists that give many bodies at once.
const PAGES: &str = "pages";
const BLOGS: &str = "blogposts";
const CONTENT: &str = "content";

impl Wanted {
    /// Reads what is wanted from a fetch.
    pub(super) fn of(ask: &Ask) -> Result<Self, SourceError> {
        let Ask::Fetch { page, version, locator, .. } = ask else {
            return Err(SourceError::new(Kind::Never, "fetching: the ask is for no page"));
        };
        let shell: RawPage = serde_json::from_str(locator).map_err(|error| {
            SourceError::new(Kind::Changed, format!("fetching page {page}: its locator is not ours: {error}"))
        })?;
        Ok(Self { page: shell, version: *version })
    }

    fn is_current(&self) -> bool {
        self.version == self.page.version
    }

    /// The list that gives it together with others.
    pub(super) fn lot(&self, wiki: &Wiki) -> Option<&'static str> {
        match (&self.page.kind, wiki.is_cloud) {
            _ if !self.is_current() => None,
            (PageKind::Page, true) => Some(PAGES),
            (PageKind::BlogPost, true) => Some(BLOGS),
            (PageKind::Attachment { .. }, _) => None,
            _ => Some(CONTENT),
        }
    }

    /// The request for it alone, with the body in the storage format or as it is viewed.
    pub(super) fn alone(&self, wiki: &Wiki, format: Format) -> Get {
        let id = encoded(self.page.id.as_str());
        let (version, form) = (self.version, format.word());
        if let PageKind::Attachment { on, .. } = &self.page.kind {
            return self.file(wiki, on);
        }
        let path = match (&self.page.kind, wiki.is_cloud) {
            (PageKind::Page | PageKind::BlogPost, true) => {
                let list = if self.page.kind == PageKind::Page { PAGES } else { BLOGS };
                format!("/api/v2/{list}/{id}?body-format={form}&version={version}")
            }
            _ if self.is_current() => {
                format!("/rest/api/content/{id}?expand=body.{form},version,space,history")
            }
            _ => format!(
                "/rest/api/content/{id}?status=historical&version={version}&expand=body.{form},version,space,history"
            ),
        };
        Get { path, may_shrink: false, file_bytes: None }
    }

    /// The request for the bytes of a file. Its address is made here: the one that the server tells leads anywhere.
    fn file(&self, wiki: &Wiki, on: &PageId) -> Get {
        let (id, on, version) = (encoded(self.page.id.as_str()), encoded(on.as_str()), self.version);
        let path = match wiki.is_cloud {
            true => format!("/rest/api/content/{on}/child/attachment/{id}/download?version={version}"),
            false => format!("/download/attachments/{on}/{}?version={version}", encoded(&self.page.title)),
        };
        Get { path, may_shrink: false, file_bytes: Some(OFFICE_CAP_BYTES) }
    }

    /// The text of a file. What has none is kept without, so that it is not fetched again.
    fn with_bytes(self, bytes: &[u8]) -> RawPage {
        let mut page = self.page;
        let PageKind::Attachment { media_type, digest, .. } = &mut page.kind else { return page };
        *digest = Some(blake3::hash(bytes).to_hex().to_string());
        if let Ok(FileText { format, body, .. }) = text_of(&page.title, media_type.as_deref(), bytes) {
            (page.format, page.body) = (format, body);
        }
        page
    }

    /// The page with its body, as of the version that was wanted.
    fn with(self, version: Version, body: String, written: Written) -> Option<RawPage> {
        if version != self.version {
            return None;
        }
        let is_current = self.is_current();
        let mut page = RawPage { body, version, historical: !is_current, ..self.page };
        if !is_current {
            // What the listing knew is of the current version.
            page.title = written.title;
            (page.modified, page.editor) = (written.modified, written.editor);
            (page.labels, page.attachments) = (Vec::new(), Vec::new());
        }
        Some(page)
    }
}

/// How a body is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Storage,
    /// As HTML: where the server cannot give the storage format of a page, it may still show it. As nobody sees it: a
    /// view for whoever asks holds the text of other pages (macros that include one) which those who see this page may
    /// not see. It is kept as what the storage format is, since the reader of that reads HTML as well.
    View,
}

/// The form of bodies that nobody in particular sees.
const VIEW: &str = "anonymous_export_view";

impl Format {
    fn word(self) -> &'static str {
        match self {
            Format::Storage => "storage",
            Format::View => VIEW,
        }
    }

    /// The format a request asked for.
    pub(super) fn of(get: &Get) -> Self {
        match get.path.contains(VIEW) {
            true => Format::View,
            false => Format::Storage,
        }
    }
}

/// What a version says of itself.
struct Written {
    title: String,
    modified: Option<knowledge::time::Timestamp>,
    editor: Option<knowledge::id::PersonKey>,
}

/// A body of an answer, with what it is of.
struct Answered {
    id: String,
    is_current: bool,
    version: Version,
    body: Option<String>,
    written: Written,
}

impl Answered {
    fn new((id, status): (String, &str), title: String, version: &Edition, body: Option<Body>) -> Self {
        Self {
            id,
            is_current: !matches!(status, "trashed" | "deleted" | "archived"),
            version: Version(version.number),
            body: body.and_then(Body::text),
            written: Written { title, modified: version.at(), editor: version.by() },
        }
    }
}

impl From<Content2> for Answered {
    fn from(found: Content2) -> Self {
        Self::new((found.id, &found.status), found.title, &found.version, found.body)
    }
}

impl From<Content1> for Answered {
    fn from(found: Content1) -> Self {
        Self::new((found.id, &found.status), found.title, &found.version, found.body)
    }
}

/// The request for many at once, which are of one lot.
pub(super) fn together(wiki: &Wiki, asks: &[Ask]) -> Option<Get> {
    let wanted: Vec<Wanted> = asks.iter().filter_map(|ask| Wanted::of(ask).ok()).collect();
    let lot = wanted.first()?.lot(wiki)?;
    let ids: Vec<String> = wanted.iter().map(|wanted| encoded(wanted.page.id.as_str())).collect();
    let (ids, limit) = (ids.join(","), wanted.len());
    let path = match lot {
        CONTENT => {
            let cql = encoded(&format!("id in ({ids})"));
            format!(
                "/rest/api/content/search?cql={cql}&expand=body.storage,version,space,history&limit={limit}"
            )
        }
        list => format!("/api/v2/{list}?id={ids}&body-format=storage&limit={limit}"),
    };
    Some(Get { path, may_shrink: true, file_bytes: None })
}

/// The records of those that an answer for many holds as they were wanted.
pub(super) fn of_many(wiki: &Wiki, asks: &[Ask], body: &[u8]) -> Vec<Record> {
    let answered: Vec<Answered> = match asks.first().and_then(|ask| Wanted::of(ask).ok()?.lot(wiki)) {
        Some(CONTENT) => {
            json::<List<Content1>>(body).unwrap_or_default().results.into_iter().map(Into::into).collect()
        }
        _ => json::<List<Content2>>(body).unwrap_or_default().results.into_iter().map(Into::into).collect(),
    };
    let mut by_id: BTreeMap<String, Answered> =
        answered.into_iter().map(|one| (one.id.clone(), one)).collect();
    let record = |ask: &Ask| {
        let wanted = Wanted::of(ask).ok()?;
        let found = by_id.remove(wanted.page.id.as_str()).filter(|found| found.is_current)?;
        let page = wanted.with(found.version, found.body?, found.written)?;
        Some(Record::Fetched(Box::new(page)))
    };
    asks.iter().filter_map(record).collect()
}

/// What an answer for one comes to.
pub(super) enum One {
    Record(Box<Record>),
    /// The same, as it is viewed.
    Again(Format),
}

/// Reads the answer for one page.
pub(super) fn of_one(
    wanted: Wanted,
    wiki: &Wiki,
    (get, status): (&Get, u16),
    body: &[u8],
) -> Result<One, SourceError> {
    let id = wanted.page.id.clone();
    let cannot = |why: &str| SourceError::new(Kind::Never, format!("fetching page {id}: {why}"));
    match status {
        200..300 => {}
        // Whoever may not see a page is told that there is none.
        404 if wanted.is_current() && says_absent(body) => return Ok(gone(id)),
        404 | 403 | 410 if !wanted.is_current() => {
            return Err(cannot("this version cannot be had any more"));
        }
        500.. if get.file_bytes.is_none() && Format::of(get) == Format::Storage => {
            return Ok(One::Again(Format::View));
        }
        _ => return Err(cannot(&format!("status {status}"))),
    }
    if get.file_bytes.is_some() {
        return Ok(One::Record(Box::new(Record::Fetched(Box::new(wanted.with_bytes(body))))));
    }
    let is_v2 = wiki.is_cloud && get.path.starts_with("/api/v2/");
    let answered: Option<Answered> = match is_v2 {
        true => json::<Content2>(body).map(Into::into),
        false => json::<Content1>(body).map(Into::into),
    };
    let Some(found) = answered.filter(|found| found.id == id.as_str()) else {
        return Err(cannot("the answer is not that page"));
    };
    if !found.is_current && wanted.is_current() {
        return Ok(gone(id));
    }
    let Some(text) = found.body else {
        return match Format::of(get) {
            Format::Storage => Ok(One::Again(Format::View)),
            Format::View => Err(cannot("the answer holds no body")),
        };
    };
    match wanted.with(found.version, text, found.written) {
        Some(page) => Ok(One::Record(Box::new(Record::Fetched(Box::new(page))))),
        None => Err(SourceError::new(Kind::Changed, format!("fetching page {id}: it was edited meanwhile"))),
    }
}

/// Whether it is the interface itself that says so: a proxy knows of no page while the server behind it is started, and
/// nothing is taken back for that.
fn says_absent(body: &[u8]) -> bool {
    let Some(said) = json::<serde_json::Value>(body) else { return false };
    let mut errors = said["errors"].as_array().into_iter().flatten();
    said["statusCode"] == 404 || errors.any(|error| error["status"] == 404)
}

fn gone(page: PageId) -> One {
    One::Record(Box::new(Record::Gone { page }))
}
