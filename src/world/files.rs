//! Files on disk, and members of ZIP archives shown as files: `wiki.zip!entities.xml`.
//!
//! It must not know what a page is. Invariant: only files that the walk found are ever opened, the walk
//! follows no symbolic link below its root, and an archive is read as a stream; nothing is unpacked to a path
//! an archive names.

use crate::sources::{Ask, Skipped, ending};
use crate::sources::{FileEntry, HEAD_BYTES, Input, Kind, Need, Source, SourceError, Step, Tree, wants_head};
use knowledge::record::Record;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zip::ZipArchive;
use zip::read::{ZipArchiveMetadata, ZipReadOptions};
use zip::result::ZipError;

/// How far an archive may expand: XML of an export deflates 5 to 40 times, deflate itself ends at 1,032
/// times.
const RATIO_CAP: u64 = 250;
/// Expansion that is never looked at: small members of a few repeated bytes may well exceed the ratio.
const RATIO_FROM: u64 = 16 << 20;
/// The most that is inflated from one member: the `entities.xml` of the largest sites is some tens of GB.
const MEMBER_CAP: u64 = 64 << 30;
/// The largest file that is read as a whole or as a part: no page and no body is larger, see
/// `folder::PAGE_CAP`; a body may be written with entities, six bytes for one.
const WHOLE_CAP: u64 = 128 << 20;

/// What was found below a path, ready to be read.
pub struct Files {
    root: PathBuf,
    /// Where each path of the tree is.
    places: BTreeMap<String, Place>,
    archives: Vec<Archive>,
    /// Inflated members that parts were asked of, as unlinked temporary files.
    spools: Mutex<BTreeMap<String, Arc<Mutex<File>>>>,
}

#[derive(Clone, Copy)]
enum Place {
    File,
    Member { archive: usize, index: usize },
}

struct Archive {
    path: PathBuf,
    /// Read once; each reading of a member opens the file anew and so has its own position.
    directory: Arc<ZipArchiveMetadata>,
}

impl Files {
    /// Walks a folder, or looks into a file. Gives what `recognise` wants to see as well.
    pub fn open(path: &Path) -> Result<(Files, Tree), SourceError> {
        let root = fs::canonicalize(path).map_err(|why| {
            SourceError::new(Kind::Halt, format!("opening `{}`: {}", path.display(), plain(&why)))
                .hint("give the path of an export (ZIP or folder) or of a folder of pages")
        })?;
        let (root, only) = match root.is_dir() {
            true => (root, None),
            false => (
                root.parent().unwrap_or(Path::new("/")).to_owned(),
                root.file_name().map(|name| name.to_string_lossy().into_owned()),
            ),
        };
        let mut walk =
            Walk { files: Files::empty(root.clone()), tree: Tree::default(), skipped: Skipped::default() };
        match &only {
            Some(name) => {
                walk.tree.name = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
                walk.tree.archive = is_zip(name);
                walk.file(name.clone(), &root.join(name))?;
            }
            None => {
                walk.tree.name =
                    root.file_name().map_or("wiki".into(), |name| name.to_string_lossy().into_owned());
                walk.folder(&root, "")?;
            }
        }
        walk.end()
    }

    fn empty(root: PathBuf) -> Files {
        Files { root, places: BTreeMap::new(), archives: Vec::new(), spools: Mutex::default() }
    }

    fn place(&self, path: &str) -> Result<Place, SourceError> {
        self.places.get(path).copied().ok_or_else(|| {
            SourceError::new(
                Kind::Changed,
                format!("reading `{path}`: no such file was found below `{}`", self.root.display()),
            )
        })
    }

    /// A file from front to back, given to `then`.
    fn stream<T>(
        &self,
        path: &str,
        then: impl FnOnce(&mut dyn BufRead) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        // 256 kB: large reads for the disk, small beside everything else that is held.
        const BUFFER: usize = 256 << 10;
        let open = |at: &Path| File::open(at).map_err(|why| unreadable(path, &why));
        match self.place(path)? {
            Place::File => then(&mut BufReader::with_capacity(BUFFER, open(&self.root.join(path))?)),
            Place::Member { archive, index } => {
                let archive = &self.archives[archive];
                let mut file = open(&archive.path)?;
                let damaged =
                    |why: ZipError| unreadable(path, &io::Error::new(io::ErrorKind::InvalidData, why));
                let entry = archive.directory.entry(index).map_err(damaged)?;
                let packed = entry.compressed_size();
                let inflating = entry.with_reader(&mut file, ZipReadOptions::default()).map_err(damaged)?;
                let watched = Watched { inflating, packed, given: 0 };
                then(&mut BufReader::with_capacity(BUFFER, watched))
            }
        }
    }

    fn whole(&self, path: &str) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        self.stream(path, |reader| {
            reader.take(WHOLE_CAP + 1).read_to_end(&mut bytes).map_err(|why| unreadable(path, &why))
        })?;
        if bytes.len() as u64 > WHOLE_CAP {
            let text = format!("reading `{path}` as a whole: it is over {} MB", WHOLE_CAP >> 20);
            return Err(SourceError::new(Kind::Never, text));
        }
        Ok(bytes)
    }

    fn part(&self, path: &str, from: u64, length: u64) -> Result<Vec<u8>, SourceError> {
        if length > WHOLE_CAP {
            let text =
                format!("reading {length} bytes of `{path}`: over the limit of {} MB", WHOLE_CAP >> 20);
            return Err(SourceError::new(Kind::Never, text));
        }
        let cut = |file: &mut File| cut_out(file, from, length).map_err(|why| unreadable(path, &why));
        match self.place(path)? {
            Place::File => cut(&mut File::open(self.root.join(path)).map_err(|why| unreadable(path, &why))?),
            Place::Member { .. } => {
                let spool = self.spool(path)?;
                cut(&mut spool.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// A member as a file that can be read anywhere. Deflate has no middle to begin at, so the first part
    /// asked for inflates the whole member once, into a temporary file that has no name and goes with this
    /// process.
    fn spool(&self, path: &str) -> Result<Arc<Mutex<File>>, SourceError> {
        let mut spools = self.spools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spool) = spools.get(path) {
            return Ok(spool.clone());
        }
        let folder = std::env::temp_dir();
        let full = |why: io::Error| {
            let text = format!(
                "inflating `{path}` into a temporary file in `{}`: {}",
                folder.display(),
                plain(&why)
            );
            SourceError::new(Kind::Halt, text)
                .hint("set TMPDIR to a disk with room for the inflated file, or unpack the ZIP yourself")
        };
        let mut file = tempfile::tempfile_in(&folder).map_err(full)?;
        self.stream(path, |reader| {
            loop {
                let chunk = reader.fill_buf().map_err(|why| unreadable(path, &why))?;
                let read = chunk.len();
                if read == 0 {
                    return Ok(());
                }
                file.write_all(chunk).map_err(full)?;
                reader.consume(read);
            }
        })?;
        let spool = Arc::new(Mutex::new(file));
        spools.insert(path.to_owned(), spool.clone());
        Ok(spool)
    }
}

/// An inflating reader, watched for more than such a member can honestly hold.
struct Watched<R> {
    inflating: R,
    packed: u64,
    given: u64,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inflating.read(buffer)?;
        self.given += read as u64;
        if self.given > RATIO_FROM && self.given / RATIO_CAP > self.packed {
            let text =
                format!("{} packed bytes inflate to over {} MB: a ZIP bomb", self.packed, self.given >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if self.given > MEMBER_CAP {
            let text = format!("it inflates to over {} GB", MEMBER_CAP >> 30);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(read)
    }
}

/// Answers an ask: performs what the source needs until it has its records.
pub fn answer(source: &dyn Source, ask: &Ask, files: &Files) -> Result<Vec<Record>, SourceError> {
    let mut step = source.step(ask, Input::Start)?;
    loop {
        step = match step {
            Step::Records(records) => return Ok(records),
            Step::Need(need) => give(source, ask, files, &need)?,
        }
    }
}

fn give(source: &dyn Source, ask: &Ask, files: &Files, need: &Need) -> Result<Step, SourceError> {
    match need {
        Need::Whole { path } => source.step(ask, Input::Bytes { path, bytes: files.whole(path)? }),
        Need::Part { path, from, length } => {
            source.step(ask, Input::Bytes { path, bytes: files.part(path, *from, *length)? })
        }
        Need::Stream { path } => {
            files.stream(path, |reader| source.step(ask, Input::Stream { path, reader }))
        }
        Need::Get(get) => {
            let text = format!("asking for `{}`: a wiki in files has no server", get.path);
            Err(SourceError::new(Kind::Halt, text))
        }
    }
}

fn cut_out(file: &mut File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A walk under way.
struct Walk {
    files: Files,
    tree: Tree,
    skipped: Skipped,
}

impl Walk {
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), SourceError> {
        let unreadable = |why: io::Error| {
            let text = format!("walking `{}`: {}", folder.display(), plain(&why));
            SourceError::new(Kind::Halt, text).hint("make it readable, or move it out of the wiki")
        };
        let mut entries: Vec<_> =
            fs::read_dir(folder).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().map_err(unreadable)?;
            let Ok(name) = entry.file_name().into_string() else {
                self.skipped.add("file whose name is not UTF-8");
                continue;
            };
            if kind.is_symlink() {
                self.skipped.add("symbolic link");
            } else if name.starts_with('.') {
                self.skipped.add("hidden file or folder");
            } else if kind.is_dir() {
                self.folder(&entry.path(), &format!("{prefix}{name}/"))?;
            } else if kind.is_file() {
                self.file(format!("{prefix}{name}"), &entry.path())?;
            } else {
                self.skipped.add("pipe, socket or device");
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, on_disk: &Path) -> Result<(), SourceError> {
        if is_zip(&path) {
            return self.archive(&path, on_disk);
        }
        let bytes = fs::metadata(on_disk).map_err(|why| unreadable(&path, &why))?.len();
        self.add(path, bytes, Place::File);
        Ok(())
    }

    fn archive(&mut self, path: &str, on_disk: &Path) -> Result<(), SourceError> {
        let damaged = |why: String| {
            SourceError::new(Kind::Damaged, format!("opening the archive `{path}`: {why}"))
                .hint("it may have been cut short on its way: copy or export it again, or move it away")
        };
        let file = File::open(on_disk).map_err(|why| unreadable(path, &why))?;
        let directory = ZipArchive::new(BufReader::new(file))
            .map_err(|why| damaged(format!("found no whole ZIP ({})", why)))?
            .metadata();
        let archive = self.files.archives.len();
        for index in 0..directory.len() {
            let member = directory.entry(index).map_err(|why| damaged(format!("member {index}: {why}")))?;
            let name = member
                .name()
                .map_err(|why| damaged(format!("the name of member {index}: {why}")))?
                .into_owned();
            if leads_outside(&name) {
                let text = format!("it holds the path `{}`, which leads outside", name.escape_debug());
                return Err(SourceError { hint: Some(DISTRUST.to_owned()), ..damaged(text) });
            }
            if member.is_symlink() {
                self.skipped.add("symbolic link");
            } else if member.encrypted() {
                self.skipped.add("encrypted member of a ZIP");
            } else if member.is_file() {
                self.add(format!("{path}!{name}"), member.size(), Place::Member { archive, index });
            }
        }
        if directory.has_duplicate_names() {
            self.skipped.add("ZIP that holds a name twice");
        }
        self.files.archives.push(Archive { path: on_disk.to_owned(), directory });
        Ok(())
    }

    fn add(&mut self, path: String, bytes: u64, place: Place) {
        self.files.places.insert(path.clone(), place);
        self.tree.files.push(FileEntry { path, bytes });
    }

    fn end(mut self) -> Result<(Files, Tree), SourceError> {
        self.tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        for file in self.tree.files.iter().filter(|file| wants_head(&file.path)) {
            let mut head = Vec::new();
            self.files.stream(&file.path, |reader| {
                let read = reader.take(HEAD_BYTES as u64).read_to_end(&mut head);
                read.map_err(|why| unreadable(&file.path, &why))
            })?;
            self.tree.heads.insert(file.path.clone(), head);
        }
        self.tree.skipped = self.skipped.warnings();
        Ok((self.files, self.tree))
    }
}

fn is_zip(path: &str) -> bool {
    ending(path).is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// Whether a member's name is anything but a plain way downwards.
/// What to do with an archive that was made to write where it should not.
const DISTRUST: &str = "do not trust this archive: find out who made it, and move it out of the wiki";

fn leads_outside(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    drive
        || name.starts_with(['/', '\\'])
        || name.contains('\0')
        || name.split(['/', '\\']).any(|part| part == "..")
}

fn unreadable(path: &str, why: &io::Error) -> SourceError {
    let kind = match why.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
            Kind::Damaged
        }
        _ => Kind::Halt,
    };
    SourceError::new(kind, format!("reading `{path}`: {}", plain(why)))
        .hint("see that the file is whole and readable")
}

/// An error without the `(os error 2)` behind it.
fn plain(why: &io::Error) -> String {
    let text = why.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    // The system begins its messages with a capital; names in ours stay as they are.
    let mut signs = text.chars();
    let first = signs.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    first + signs.as_str()
}
