//! Where pages come from: the seam `Source` and the registry of the kinds that read files.
//!
//! A source is pure: it never opens a file or a socket. It says what it needs and turns what it is given into
//! records, so the same code runs over a folder, inside a ZIP, in the simulator and under a fuzzer. It must
//! not know who performs its needs (`world`), nor what becomes of its records. Invariant: an input carries
//! the path it was read from, and taking it in twice changes nothing, so several conversations with one
//! source may run at once.

pub mod confluence;
pub mod export;
pub mod folder;
mod mixed;
mod slices;

use knowledge::document::Warning;
use knowledge::id::{PageId, Version};
use knowledge::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::BufRead;

/// The reason under which a part of a wiki that could not be read is counted: such a listing retracts nothing.
pub(crate) const BROKEN: &str = "object that is broken";

/// What a source is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The next page of a listing: gives one `Record::Listed`.
    List {
        /// Which sweep over the wiki it belongs to.
        sweep: u32,
        /// Where to go on: `next` of the page before, none at the start.
        cursor: Option<String>,
    },
    /// A page at a version: gives one `Record::Fetched`, or `Record::Gone`.
    Fetch {
        /// The page.
        page: PageId,
        /// The version; sources that count none give what they have under this number.
        version: Version,
        /// The locator the listing showed.
        locator: String,
        /// The fingerprint the listing showed.
        fingerprint: String,
    },
    /// Several fetches of one lot (see [`Source::lot`]) at once: gives the records of those that could be answered
    /// together. The others are asked again, each alone.
    Together(Vec<Ask>),
}

/// A request to the server of a wiki.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Get {
    /// What is asked for, from the base address of the wiki on: it begins with `/`. Whoever performs it never takes it
    /// for an address, so no answer can lead elsewhere.
    pub path: String,
    /// It asks for many things, and may ask for fewer: a server that breaks down over it is not asked the same again.
    pub may_shrink: bool,
    /// It asks for a file, which may lie on another host, where we are nobody; no more than so many bytes of it.
    pub file_bytes: Option<u64>,
}

/// What a source needs to have read for it. Paths are those of the `Tree` it was recognised in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// A small file as a whole.
    Whole {
        /// The file.
        path: String,
    },
    /// Some bytes out of the middle of a file.
    Part {
        /// The file.
        path: String,
        /// Offset of the first byte.
        from: u64,
        /// How many bytes.
        length: u64,
    },
    /// A large file from front to back, never held in memory.
    Stream {
        /// The file.
        path: String,
    },
    /// An answer of the wiki's server.
    Get(Get),
}

impl Need {
    /// The file that is needed.
    pub fn path(&self) -> &str {
        match self {
            Need::Get(get) => &get.path,
            Need::Whole { path } | Need::Part { path, .. } | Need::Stream { path } => path,
        }
    }
}

/// What was read.
pub enum Input<'a> {
    /// Nothing yet: the conversation begins.
    Start,
    /// The bytes of a `Need::Whole` or `Need::Part`.
    Bytes {
        /// The file they are from.
        path: &'a str,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The bytes of a `Need::Stream`.
    Stream {
        /// The file.
        path: &'a str,
        /// Its bytes, from the first one on.
        reader: &'a mut dyn BufRead,
    },
    /// The answer to a `Need::Get`, of whatever status.
    Response {
        /// What was asked.
        get: &'a Get,
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

/// What a source says to an ask or an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It needs this first.
    Need(Need),
    /// It has answered.
    Records(Vec<Record>),
}

/// A wiki that can be listed and fetched from.
pub trait Source: Send + Sync {
    /// What the wiki is called, for as long as it lives: a vault refuses another one.
    fn wiki(&self) -> String;

    /// Goes on with the conversation about `ask`. It begins with `Input::Start`; each `Need` is answered by
    /// its input.
    fn step(&self, ask: &Ask, input: Input<'_>) -> Result<Step, SourceError>;

    /// Fetches of one lot may be asked `Together`; none for an ask that stands alone.
    fn lot(&self, _ask: &Ask) -> Option<&'static str> {
        None
    }
}

/// A file as a walk saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path from the root, with `/` between names; a member of an archive is `wiki.zip!entities.xml`.
    pub path: String,
    /// Its size, as the file system or the archive claims.
    pub bytes: u64,
}

/// All files below a path, as a walk saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The path's own name without its ending, such as `samples`.
    pub name: String,
    /// The path is itself an archive: all its files are the archive's members.
    pub archive: bool,
    /// The files, sorted by path.
    pub files: Vec<FileEntry>,
    /// The first bytes (at most `HEAD_BYTES`) of the files that `wants_head` names.
    pub heads: BTreeMap<String, Vec<u8>>,
    /// What the walk passed over, and why.
    pub skipped: Vec<Warning>,
}

/// The largest page that is read, in bytes: the longest real pages are under 5 MB, and what is larger is a
/// data file that would cost more memory and model calls than it can be worth.
pub const PAGE_CAP: u64 = 20 << 20;

/// The reason under which over-large pages are counted.
pub(crate) fn too_large() -> String {
    format!("page over {} MB", PAGE_CAP >> 20)
}

/// How much of a file is read to recognise it: an export descriptor is under 1 kB, and the root element of an
/// `entities.xml` follows its XML declaration.
pub const HEAD_BYTES: usize = 4096;

/// Whether recognising needs the first bytes of this file.
pub fn wants_head(path: &str) -> bool {
    matches!(file_name(path), "entities.xml" | "exportDescriptor.properties")
}

/// A part of a tree that one source reads.
pub(crate) struct Part {
    /// The folder or archive the part is, as a prefix of its paths: `` or `old/` or `wiki.zip!`.
    pub(crate) prefix: String,
    /// Its reader.
    pub(crate) source: Box<dyn Source>,
}

/// Claims parts of a tree: adds the paths it will read, or knows to belong to them, to `taken`.
type Claim = fn(&Tree, &mut BTreeSet<String>) -> Vec<Part>;

/// The kinds of source that read files, in the order they are asked: one line each.
const KINDS: &[Claim] = &[export::claim, folder::claim];

/// Finds out what a tree holds. One kind alone is read as it is, several as one wiki.
pub fn recognise(tree: &Tree) -> Result<Box<dyn Source>, SourceError> {
    let mut taken = BTreeSet::new();
    let parts: Vec<Part> = KINDS.iter().flat_map(|claim| claim(tree, &mut taken)).collect();
    if parts.is_empty() {
        return Err(not_a_wiki(tree));
    }
    Ok(Box::new(mixed::Mixed::new(tree, parts)))
}

fn not_a_wiki(tree: &Tree) -> SourceError {
    if let Some(large) = tree.files.iter().find(|file| folder::is_too_large(file)) {
        let text = format!("looking for a wiki in `{}`: `{}` is a {}", tree.name, large.path, too_large());
        return SourceError::new(Kind::Halt, text).hint("split it into pages, or leave it out");
    }
    let mut endings: BTreeMap<String, u32> = BTreeMap::new();
    for file in &tree.files {
        *endings.entry(ending(&file.path).unwrap_or("no ending").to_owned()).or_default() += 1;
    }
    let found = match tree.files.len() {
        0 => "no files".to_owned(),
        n => {
            let kinds: Vec<_> =
                endings.iter().take(6).map(|(name, count)| format!("{count} × {name}")).collect();
            format!("{n} files ({})", kinds.join(", "))
        }
    };
    SourceError::new(
        Kind::Halt,
        format!(
            "looking for a wiki in `{}`: found {found}, expected a Confluence XML export (a ZIP or folder \
             with `entities.xml`), or pages as `.md`, `.xml`, `.html` or `.jsonl` files",
            tree.name
        ),
    )
    .hint("export a space in Confluence under Space settings, Export space, XML")
}

/// The last name of a path.
pub(crate) fn file_name(path: &str) -> &str {
    let inner = match path.to_ascii_lowercase().rfind(".zip!") {
        Some(at) => &path[at + ".zip!".len()..],
        None => path,
    };
    inner.rsplit('/').next().unwrap_or(inner)
}

/// The folder of a path with its closing `/` or `!`; empty at the root.
pub(crate) fn folder_of(path: &str) -> &str {
    &path[..path.len() - file_name(path).len()]
}

/// The ending of a file name without the dot, if it has one.
pub(crate) fn ending(path: &str) -> Option<&str> {
    let (stem, ending) = file_name(path).rsplit_once('.')?;
    (!stem.is_empty() && !ending.is_empty()).then_some(ending)
}

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path or setting is wrong: stop and say so.
    Halt,
    /// The input is damaged: stop, since going on would take its pages for deleted.
    Damaged,
    /// This page cannot be had: park it and go on.
    Never,
    /// The input changed under our hands: list it again.
    Changed,
    /// The server answers nobody: nothing is wrong with what was asked for, which stays owed.
    Later,
}

/// Why a source, or the reading of its files, could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// What to do about it.
    pub kind: Kind,
    /// What was being done, to what, what was found and what was expected.
    pub text: String,
    /// A way out.
    pub hint: Option<String>,
}

impl SourceError {
    /// An error without a hint.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hint: None }
    }

    /// The same with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SourceError {}

/// Reasons that are told with a place each; the rest of them are only counted, so that a damaged file of a million
/// lines makes no report of a million lines.
const NAMED: usize = 20;

/// Counts of what was passed over, by reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skipped {
    counts: BTreeMap<String, u32>,
    named: usize,
    incomplete: bool,
}

impl Skipped {
    pub(crate) fn add(&mut self, what: &str) {
        self.count(what, 1);
    }

    pub(crate) fn count(&mut self, what: &str, count: u32) {
        match self.counts.get_mut(what) {
            Some(known) => *known = known.saturating_add(count),
            None if count > 0 => drop(self.counts.insert(what.to_owned(), count)),
            None => {}
        }
    }

    /// Counts a reason at a place, which is named while there are few.
    pub(crate) fn at(&mut self, what: &str, place: &str) {
        self.named += 1;
        match self.named <= NAMED {
            true => self.add(&format!("{what}: `{place}`")),
            false => self.add(&format!("{what} (more)")),
        }
    }

    /// Counts something that may be a page of the wiki and could not be read: what is missing from the listing may
    /// still be there, so the listing is no reason to take anything back.
    pub(crate) fn lost(&mut self, what: &str, place: &str) {
        self.at(what, place);
        self.incomplete = true;
    }

    /// As `lost`, so often, at places unknown.
    pub(crate) fn lost_count(&mut self, what: &str, count: u32) {
        self.count(what, count);
        self.incomplete |= count > 0;
    }

    /// Whether something was lost.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    pub(crate) fn all(&mut self, other: &Skipped) {
        self.warned(&other.warnings());
        self.incomplete |= other.incomplete;
    }

    pub(crate) fn warned(&mut self, warnings: &[Warning]) {
        warnings.iter().for_each(|warning| self.count(&warning.what, warning.count));
    }

    pub(crate) fn warnings(&self) -> Vec<Warning> {
        self.counts.iter().map(|(what, count)| Warning { what: what.clone(), count: *count }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let files = paths.iter().map(|path| FileEntry { path: (*path).into(), bytes: 1 }).collect();
        Tree { name: "stuff".into(), files, ..Tree::default() }
    }

    #[test]
    fn what_is_no_wiki_is_said_with_what_was_found() {
        let error = recognise(&tree(&["a.png", "b.png", "LICENSE"])).err().unwrap();
        assert_eq!(error.kind, Kind::Halt);
        assert!(error.text.contains("found 3 files (1 × no ending, 2 × png)"), "{error}");
        assert!(error.text.contains("expected a Confluence XML export"), "{error}");
        assert!(recognise(&Tree::default()).err().unwrap().text.contains("found no files"));
    }

    #[test]
    fn paths_come_apart_at_slashes_and_archives() {
        assert_eq!(file_name("a/wiki.zip!b/c.md"), "c.md");
        assert_eq!((file_name("x/a!b.md"), folder_of("x/a!b.md")), ("a!b.md", "x/"));
        assert_eq!(folder_of("wiki.zip!entities.xml"), "wiki.zip!");
        assert_eq!(folder_of("a.md"), "");
        assert_eq!(ending("a/.hidden"), None);
        assert_eq!(ending("a.b/c"), None);
    }
}
