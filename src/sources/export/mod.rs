//! A Confluence XML export of a space or a site, as a ZIP or unpacked.
//!
//! Two passes over `entities.xml`, never a document tree: listing streams it once and keeps an index of
//! everything but the bodies; fetching cuts one body out by its offset. It must not know who reads the file,
//! nor other sources. Invariant: memory grows with the count of objects, not with their size; after a restart
//! the index is built again from the same stream, so it is never needed from disk.

mod index;
mod objects;
mod rights;
mod wiki;
mod xml;

use super::slices::{fingerprint, slice};
use super::{Ask, Input, Kind, Need, Part, Source, SourceError, Step, Tree, file_name};
use index::{Class, Content, Index};
use knowledge::id::{PageId, Version};
use knowledge::page::{Above, BodyFormat, PageKind, PageRef, RawPage};
use knowledge::record::{Listed, Record};
use std::collections::BTreeSet;
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};
use wiki::{DEEP, Listing, Wiki};

/// An export in a tree.
struct Export {
    name: String,
    entities: String,
    wiki: Mutex<Option<Arc<Wiki>>>,
}

/// Claims every folder and archive that holds an `entities.xml` of an export, with all that is in it.
pub(crate) fn claim(tree: &Tree, taken: &mut BTreeSet<String>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let is_export = |path: &str| {
        let head = tree.heads.get(path).map_or(&[][..], Vec::as_slice);
        file_name(path) == "entities.xml" && memchr::memmem::find(head, b"<hibernate-generic").is_some()
    };
    for file in tree.files.iter().filter(|file| is_export(&file.path)) {
        if taken.contains(&file.path) {
            continue;
        }
        let prefix = super::folder_of(&file.path).to_owned();
        taken.extend(
            tree.files.iter().filter(|file| file.path.starts_with(&prefix)).map(|file| file.path.clone()),
        );
        let name = wiki_name(tree, &prefix);
        let export = Export { name, entities: file.path.clone(), wiki: Mutex::default() };
        parts.push(Part { prefix, source: Box::new(export) });
    }
    parts
}

/// The name of the wiki: by the space key, which a later export of the same space shares; by the file if
/// there is none.
fn wiki_name(tree: &Tree, prefix: &str) -> String {
    let descriptor = tree.heads.get(&format!("{prefix}exportDescriptor.properties"));
    let text = descriptor.map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim);
    match (value("exportType"), value("spaceKey").filter(|key| !key.is_empty())) {
        (Some("space"), Some(key)) => format!("export:{key}"),
        (Some("all" | "site"), _) => "export:site".into(),
        _ => {
            let file = file_name(prefix.trim_end_matches(['/', '!']));
            let name = file.strip_suffix(".zip").unwrap_or(file);
            format!("export:{}", if name.is_empty() { &tree.name } else { name })
        }
    }
}

impl Source for Export {
    fn wiki(&self) -> String {
        self.name.clone()
    }

    fn step(&self, ask: &Ask, input: Input<'_>) -> Result<Step, SourceError> {
        let (wiki, input) = match (self.known(), input) {
            (Some(wiki), input) => (wiki, input),
            (None, Input::Stream { path, reader }) if path == self.entities => {
                (self.index(reader)?, Input::Start)
            }
            (None, _) => return Ok(Step::Need(Need::Stream { path: self.entities.clone() })),
        };
        match ask {
            Ask::Together(_) => Ok(Step::Records(Vec::new())),
            Ask::List { sweep, cursor } => {
                let reference = |i: usize| wiki.reference(&wiki.pages[i]);
                let listed = slice(cursor.as_deref(), wiki.pages.len(), &wiki.around, reference)?;
                Ok(Step::Records(vec![Record::Listed(Listed { sweep: *sweep, wiki: self.wiki(), ..listed })]))
            }
            Ask::Fetch { page, version, fingerprint, .. } => {
                self.fetch(&wiki, page, (*version, fingerprint), input)
            }
        }
    }
}

impl Export {
    fn known(&self) -> Option<Arc<Wiki>> {
        self.wiki.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first pass. Two conversations may both make it; they make the same.
    fn index(&self, reader: &mut dyn BufRead) -> Result<Arc<Wiki>, SourceError> {
        let mut index = Index::default();
        let tally = objects::read(&self.entities, reader, &mut |object| index.take(object))?;
        index.end(tally);
        let wiki = Arc::new(Wiki::new(index));
        *self.wiki.lock().unwrap_or_else(PoisonError::into_inner) = Some(wiki.clone());
        Ok(wiki)
    }

    fn fetch(
        &self,
        wiki: &Wiki,
        id: &PageId,
        (version, listed): (Version, &str),
        input: Input<'_>,
    ) -> Result<Step, SourceError> {
        let gone = || Ok(Step::Records(vec![Record::Gone { page: id.clone() }]));
        let Some(page) = id.as_str().parse().ok().and_then(|id| wiki.page(id)) else { return gone() };
        let Some(row) = wiki.row_at(page, version) else {
            let text = format!("fetching page `{id}` from `{}`: it has no version {version}", self.entities);
            return Err(SourceError::new(Kind::Never, text));
        };
        let changed = || {
            let text =
                format!("fetching page `{id}` from `{}`: found other content than was listed", self.entities);
            SourceError::new(Kind::Changed, text).hint("run again: the next listing sees the new content")
        };
        if row == page.current && wiki.reference(page).fingerprint != listed {
            return Err(changed());
        }
        let mut raw = wiki.raw(page, row);
        let Some(body) = wiki.content(row).body.map(|at| &wiki.index.bodies[at as usize]) else {
            return Ok(Step::Records(vec![Record::Fetched(Box::new(raw))]));
        };
        match input {
            Input::Bytes { path, bytes } if path == self.entities => {
                if *blake3::hash(&bytes).as_bytes() != body.span.hash {
                    return Err(changed());
                }
                raw.body = xml::body(&bytes);
                Ok(Step::Records(vec![Record::Fetched(Box::new(raw))]))
            }
            _ => {
                let (from, length) = (body.span.from, body.span.length);
                Ok(Step::Need(Need::Part { path: self.entities.clone(), from, length }))
            }
        }
    }
}

impl Wiki {
    /// The object of a page at a version.
    fn row_at(&self, page: &Listing, version: Version) -> Option<u32> {
        if version.0 == page.version {
            return Some(page.current);
        }
        page.history.iter().find(|(known, _)| *known == version.0).map(|(_, row)| *row)
    }

    fn reference(&self, page: &Listing) -> PageRef {
        let content = self.content(page.current);
        let hash = content.body.map_or([0; 32], |at| self.index.bodies[at as usize].span.hash);
        let raw = self.raw(page, page.current);
        PageRef {
            id: PageId::new(content.id.to_string()),
            space: self.space_key(page.space),
            version: Some(Version(page.version)),
            history: page.history.iter().map(|(version, _)| Version(*version)).collect(),
            above: Some(Above::of(&raw)),
            fingerprint: fingerprint(&raw, &hash),
            locator: String::new(),
        }
    }

    /// A page at a version, without its body.
    fn raw(&self, page: &Listing, row: u32) -> RawPage {
        let (content, historical) = (self.content(row), row != page.current);
        let id = self.content(page.current).id;
        let kind = self.content(page.current).kind;
        let kind_of_body = content.body.map(|at| self.index.bodies[at as usize].kind);
        let parent = content.parent.filter(|parent| *parent != id && self.page(*parent).is_some());
        let on = self.stands_on(self.content(page.current)).filter(|_| kind == Class::Comment);
        let now = |wanted: bool| wanted && !historical;
        RawPage {
            id: PageId::new(id.to_string()),
            space: self.space_key(page.space),
            kind: self.kind(kind, id, on),
            version: Version(if historical { content.version.unwrap_or(0) } else { page.version }),
            title: self.title(content, on),
            format: match kind_of_body {
                Some(0) => BodyFormat::WikiMarkup,
                _ => BodyFormat::Storage,
            },
            body: String::new(),
            created: content.created,
            modified: content.modified,
            author: content.creator.map(|who| self.key_of(who)),
            editor: content.editor.map(|who| self.key_of(who)),
            parent: parent.map(|parent| PageId::new(parent.to_string())),
            ancestors: self.ancestors(on.or(parent)),
            labels: self.labels.get(&id).filter(|_| now(true)).into_iter().flatten().cloned().collect(),
            attachments: self.attachments.get(&id).filter(|_| now(true)).cloned().unwrap_or_default(),
            link: Some(self.link(page, content, on)),
            historical,
        }
    }

    fn kind(&self, class: Class, id: u64, on: Option<u64>) -> PageKind {
        match (class, on) {
            (Class::Comment, Some(on)) => {
                PageKind::Comment { on: PageId::new(on.to_string()), quoted: self.quoted.get(&id).cloned() }
            }
            (Class::BlogPost, _) => PageKind::BlogPost,
            _ => PageKind::Page,
        }
    }

    /// A comment has no title of its own: it is called as Confluence does, after the page.
    fn title(&self, content: &Content, on: Option<u64>) -> String {
        match on.and_then(|on| self.page(on)) {
            Some(page) => format!("Re: {}", self.content(page.current).title),
            None => content.title.to_string(),
        }
    }

    /// Titles from the top down to the page `from`.
    fn ancestors(&self, from: Option<u64>) -> Vec<String> {
        let mut titles = Vec::new();
        let mut at = from.and_then(|id| self.page(id));
        while let Some(page) = at {
            if titles.len() >= DEEP {
                break;
            }
            let content = self.content(page.current);
            titles.push(content.title.to_string());
            at = content.parent.and_then(|parent| self.page(parent));
        }
        titles.reverse();
        titles
    }

    /// Where a browser finds the page, below the wiki's base address, which an export does not tell.
    fn link(&self, page: &Listing, content: &Content, on: Option<u64>) -> String {
        if let Some(on) = on {
            let id = content.id;
            return format!("/pages/viewpage.action?pageId={on}&focusedCommentId={id}#comment-{id}");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_' | b',');
        let current = page.current == self.index.by_id[&content.id];
        match current && content.kind == Class::Page && content.title.bytes().all(plain) {
            true => format!("/display/{}/{}", self.space_key(page.space), content.title.replace(' ', "+")),
            false => format!("/pages/viewpage.action?pageId={}", content.id),
        }
    }
}
