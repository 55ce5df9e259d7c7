//! A folder of pages: Markdown, storage-format XML or HTML, and JSON lines with a page each.
//!
//! Page ids are paths (or the ids in the JSON lines), the space is the top folder (or the line's), parents
//! are the `README` or `index` page of the folder (or the line's). It must not know who reads the files, nor
//! other sources. Invariant: a date comes from the text or is missing; a file's own time is never looked at.

mod file;
mod front;

use super::slices::{Around, fingerprint, slice};
use super::{
    Ask, FileEntry, Input, Kind, Need, PAGE_CAP, Part, Skipped, Source, SourceError, Step, Tree, ending,
    file_name, folder_of, too_large,
};
use file::{Place, Read, read_line, read_lines, read_page};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{PageKind, PageRef, Person, RawPage, Space};
use knowledge::record::{Listed, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// A tree's page files.
struct Folder {
    name: String,
    /// Paths of files to read, with what is known from the walk.
    files: BTreeMap<String, Shape>,
    skipped: Skipped,
    shelf: Mutex<Shelf>,
}

/// How a file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Markdown,
    Markup,
    Lines,
}

/// What was read so far. Filled by inputs in any order; once all files are in, the catalogue is made and
/// `read` freed.
#[derive(Default)]
struct Shelf {
    read: BTreeMap<String, Read>,
    catalogue: Option<Arc<Catalogue>>,
}

/// Everything but the bodies.
struct Catalogue {
    pages: Vec<Entry>,
    by_id: BTreeMap<PageId, usize>,
    around: Around,
}

/// A page without its body, and where the body is.
pub(crate) struct Entry {
    pub(crate) page: RawPage,
    pub(crate) place: Place,
    /// Hash of the bytes at `place`.
    pub(crate) hash: [u8; 32],
}

/// Claims every page file that nobody has taken.
pub(crate) fn claim(tree: &Tree, taken: &mut BTreeSet<String>) -> Vec<Part> {
    let mut folder = Folder {
        name: tree.name.clone(),
        files: BTreeMap::new(),
        skipped: Skipped::default(),
        shelf: Mutex::default(),
    };
    for file in tree.files.iter().filter(|file| !taken.contains(&file.path)) {
        match shape(&file.path) {
            None => folder.skipped.add(&format!(
                "file that is not a page ({})",
                ending(&file.path).map_or("no ending".into(), |ending| format!(".{}", ending.to_lowercase()))
            )),
            Some(_) if is_too_large(file) => folder.skipped.lost(&too_large(), &file.path),
            Some(shape) => drop(folder.files.insert(file.path.clone(), shape)),
        }
    }
    taken.extend(folder.files.keys().cloned());
    // What was passed over is reported even when an export is all there is to read beside it.
    if folder.files.is_empty() && (folder.skipped.warnings().is_empty() || taken.is_empty()) {
        return Vec::new();
    }
    vec![Part { prefix: String::new(), source: Box::new(folder) }]
}

/// Whether a file is one page, and more than is read of a page.
pub(crate) fn is_too_large(file: &FileEntry) -> bool {
    matches!(shape(&file.path), Some(Shape::Markdown | Shape::Markup)) && file.bytes > PAGE_CAP
}

fn shape(path: &str) -> Option<Shape> {
    match ending(path)?.to_ascii_lowercase().as_str() {
        "md" | "markdown" => Some(Shape::Markdown),
        "xml" | "html" | "htm" | "xhtml" => Some(Shape::Markup),
        "jsonl" => Some(Shape::Lines),
        _ => None,
    }
}

impl Source for Folder {
    fn wiki(&self) -> String {
        format!("folder:{}", self.name)
    }

    fn step(&self, ask: &Ask, input: Input<'_>) -> Result<Step, SourceError> {
        let (catalogue, input) = match self.catalogue(input)? {
            Ok(ready) => ready,
            Err(need) => return Ok(Step::Need(need)),
        };
        match ask {
            Ask::Together(_) => Ok(Step::Records(Vec::new())),
            Ask::List { sweep, cursor } => {
                let reference = |i: usize| catalogue.pages[i].reference();
                let listed = slice(cursor.as_deref(), catalogue.pages.len(), &catalogue.around, reference)?;
                Ok(Step::Records(vec![Record::Listed(Listed { sweep: *sweep, wiki: self.wiki(), ..listed })]))
            }
            Ask::Fetch { page, version, fingerprint, .. } => {
                let Some(entry) = catalogue.by_id.get(page).map(|&i| &catalogue.pages[i]) else {
                    return Ok(Step::Records(vec![Record::Gone { page: page.clone() }]));
                };
                match input {
                    Input::Bytes { path, bytes } if path == entry.place.path() => {
                        entry.fetched(*version, fingerprint, &bytes)
                    }
                    _ => Ok(Step::Need(entry.place.need())),
                }
            }
        }
    }
}

impl Folder {
    /// The catalogue and the input if it was not used up by it; or what has to be read first.
    fn catalogue<'a>(
        &self,
        input: Input<'a>,
    ) -> Result<Result<(Arc<Catalogue>, Input<'a>), Need>, SourceError> {
        let known = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).catalogue.clone();
        if let Some(catalogue) = known {
            return Ok(Ok((catalogue, input)));
        }
        // Reading happens outside the lock: another conversation may read the same file meanwhile, to the
        // same end.
        let read = match input {
            Input::Start | Input::Response { .. } => None,
            Input::Bytes { path, bytes } => {
                self.files.get(path).map(|shape| (path.to_owned(), read_page(path, *shape, &bytes)))
            }
            Input::Stream { path, reader } => Some((path.to_owned(), read_lines(path, reader)?)),
        };
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((path, read)) = read {
            shelf.read.insert(path, read);
        }
        if let Some((path, shape)) = self.files.iter().find(|(path, _)| !shelf.read.contains_key(*path)) {
            let path = path.clone();
            return Ok(Err(if *shape == Shape::Lines {
                Need::Stream { path }
            } else {
                Need::Whole { path }
            }));
        }
        let read = std::mem::take(&mut shelf.read);
        let catalogue = Arc::new(self.arrange(read));
        shelf.catalogue = Some(catalogue.clone());
        Ok(Ok((catalogue, Input::Start)))
    }

    /// Makes one wiki of what the files hold: ids are unique, parents exist, spaces have names.
    fn arrange(&self, read: BTreeMap<String, Read>) -> Catalogue {
        let mut skipped = self.skipped.clone();
        let (mut entries, mut by_id) = (Vec::new(), BTreeMap::new());
        for (_, read) in read {
            skipped.all(&read.skipped);
            for mut entry in read.entries {
                if by_id.contains_key(&entry.page.id) {
                    skipped.add("page id that another page of the folder has already");
                    continue;
                }
                if entry.page.space.as_str().is_empty() {
                    entry.page.space = SpaceKey::new(top_folder(entry.place.path()).unwrap_or(&self.name));
                }
                by_id.insert(entry.page.id.clone(), entries.len());
                entries.push(entry);
            }
        }
        for entry in &mut entries {
            entry.page.parent = parent_of(entry, &by_id, &mut skipped);
        }
        for i in 0..entries.len() {
            entries[i].page.ancestors = ancestors(i, &entries, &by_id);
        }
        let around =
            Around { people: people(&entries), spaces: spaces(&entries), skipped, ..Around::default() };
        Catalogue { pages: entries, by_id, around }
    }
}

impl Entry {
    fn fingerprint(&self) -> String {
        fingerprint(&self.page, &self.hash)
    }

    fn reference(&self) -> PageRef {
        PageRef {
            id: self.page.id.clone(),
            space: self.page.space.clone(),
            version: None,
            history: Vec::new(),
            above: None,
            fingerprint: self.fingerprint(),
            locator: self.place.path().to_owned(),
        }
    }

    /// The page with its body, if the bytes are still the ones that were listed.
    fn fetched(&self, version: Version, listed: &str, bytes: &[u8]) -> Result<Step, SourceError> {
        if *blake3::hash(bytes).as_bytes() != self.hash || self.fingerprint() != listed {
            let text = format!(
                "fetching page `{}` from `{}`: found other content than was listed",
                self.page.id,
                self.place.path()
            );
            return Err(SourceError::new(Kind::Changed, text)
                .hint("run again: the next listing sees the new content"));
        }
        let body = match self.place {
            Place::Line { .. } => read_line(bytes).map_or_else(String::new, |line| line.body),
            Place::File { .. } => file::body(self.page.format, bytes),
        };
        let page = RawPage { version, body, ..self.page.clone() };
        Ok(Step::Records(vec![Record::Fetched(Box::new(page))]))
    }
}

/// The top folder of a path, if it is in one.
fn top_folder(path: &str) -> Option<&str> {
    let archive = path.to_ascii_lowercase().find(".zip!").map(|at| at + ".zip".len());
    archive.into_iter().chain(path.find('/')).min().map(|end| &path[..end])
}

/// The parent that an entry names, or the index page of its folder or of the nearest one above that has one.
fn parent_of(entry: &Entry, by_id: &BTreeMap<PageId, usize>, skipped: &mut Skipped) -> Option<PageId> {
    if let Some(named) = &entry.page.parent {
        if by_id.contains_key(named) && *named != entry.page.id {
            return Some(named.clone());
        }
        skipped.add("parent page that is not in the folder");
        return None;
    }
    let Place::File { path } = &entry.place else { return None };
    let mut folder = folder_of(path);
    if is_index(path) {
        folder = above(folder)?;
    }
    loop {
        let index = INDEXES
            .iter()
            .map(|name| PageId::new(format!("{folder}{name}")))
            .find(|id| by_id.contains_key(id));
        if index.is_some() {
            return index;
        }
        folder = above(folder)?;
    }
}

/// The pages that stand for their folder.
const INDEXES: &[&str] =
    &["README.md", "index.md", "readme.md", "_index.md", "Readme.md", "index.html", "index.xml", "index.htm"];

fn is_index(path: &str) -> bool {
    INDEXES.contains(&file_name(path))
}

fn above(folder: &str) -> Option<&str> {
    folder.strip_suffix(['/', '!']).map(folder_of)
}

fn ancestors(start: usize, entries: &[Entry], by_id: &BTreeMap<PageId, usize>) -> Vec<String> {
    let mut titles = Vec::new();
    let mut at = &entries[start].page;
    while let Some(&i) = at.parent.as_ref().and_then(|id| by_id.get(id)) {
        // Real trees are at most some dozens deep; a longer chain is a circle.
        if i == start || titles.len() > 100 {
            break;
        }
        at = &entries[i].page;
        titles.push(at.title.clone());
    }
    titles.reverse();
    titles
}

fn people(entries: &[Entry]) -> Vec<Person> {
    let keys: BTreeSet<&PersonKey> =
        entries.iter().flat_map(|entry| entry.page.author.iter().chain(&entry.page.editor)).collect();
    keys.into_iter()
        .map(|key| Person { key: key.clone(), name: key.as_str().to_owned(), also: Vec::new() })
        .collect()
}

fn spaces(entries: &[Entry]) -> Vec<Space> {
    let keys: BTreeSet<&SpaceKey> = entries.iter().map(|entry| &entry.page.space).collect();
    keys.into_iter().map(|key| Space { key: key.clone(), name: key.as_str().to_owned() }).collect()
}

/// A page about which nothing is known yet.
pub(crate) fn blank(id: PageId, title: String, format: knowledge::page::BodyFormat) -> RawPage {
    RawPage {
        id,
        space: SpaceKey::new(""),
        kind: PageKind::Page,
        version: Version(1),
        title,
        format,
        body: String::new(),
        created: None,
        modified: None,
        author: None,
        editor: None,
        parent: None,
        ancestors: Vec::new(),
        labels: Vec::new(),
        attachments: Vec::new(),
        link: None,
        historical: false,
    }
}
