//! Creating files where there are no hard links: a bucket mounted with gcsfuse, a share, an old disk. It must not know
//! what the bytes mean.
//!
//! The invariant: a creation counts when its `close` succeeded and the bytes were read back, and for nothing less. On
//! such a mount a file is published when it is closed, and of two machines that publish one name the second is told so
//! by its `close` (ESTALE). Nothing is concluded from a rename or a lock; nothing is deleted.
//!
//! The trap is that a mount goes on showing its own machine a file whose publication failed. So what the mount shows
//! is evidence only after it was asked to publish whatever it holds back: the file is opened for writing and closed
//! again ([`settle`]), which does nothing to a file that is published. That is done before our own bytes, found under a
//! name, count; before a name whose `close` failed is read; and, once, with the last name before the first we create:
//! we build on it, and whoever created it may have died before its publication failed.

use super::Put;
use super::dir::{load, make_folder, parent};
use super::refusal::{explain, unclear};
use crate::error::{Error, Kind, Result};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Makes the names of probes differ within this process; the process id and `create_new` do the rest.
static PROBE: AtomicU64 = AtomicU64::new(0);

/// How often a file is read again that was replaced while it was read. Only `HEAD.json` is ever replaced, every half
/// minute at most, so a second time is rare already.
const STALE_ATTEMPTS: u32 = 4;

/// What a store has found out about the file system it stands on.
#[derive(Debug, Default)]
pub(super) struct Ground {
    has_links: OnceLock<bool>,
    /// Folders in which our own last creation succeeded: nothing we build on there can be unpublished.
    firm: Mutex<BTreeSet<PathBuf>>,
    /// Names that we tried to create, with an unclear end: what is shown there may be ours and unpublished.
    doubtful: Mutex<BTreeSet<PathBuf>>,
}

impl Ground {
    /// Whether hard links work in this folder, tried once.
    pub fn has_links(&self, root: &Path) -> Result<bool> {
        if let Some(known) = self.has_links.get() {
            return Ok(*known);
        }
        make_folder(root)?;
        let found = probe(root)?;
        Ok(*self.has_links.get_or_init(|| found))
    }

    /// The same, if it can be found out without making anything but a probe.
    pub fn surely_has_links(&self, root: &Path) -> bool {
        match self.has_links.get() {
            Some(known) => *known,
            None => root.is_dir() && self.has_links(root).unwrap_or(false),
        }
    }

    /// What a failure means here.
    pub fn explain(&self, doing: &str, path: &Path, error: &io::Error) -> Error {
        match self.has_links.get() {
            Some(false) => unclear(doing, path, error),
            _ => explain(doing, path, error),
        }
    }

    /// Creates a file, unless there is one.
    pub fn create(&self, path: &Path, bytes: &[u8]) -> Result<Put> {
        let folder = parent(path)?;
        make_folder(folder)?;
        self.stand(folder, path)?;
        let end = self.write_new(path, bytes);
        match end {
            Ok(Put::Created) => lock(&self.firm).insert(folder.to_owned()),
            _ => lock(&self.firm).remove(folder),
        };
        end
    }

    /// Reads a file, whole; what may be unpublished is published first, or not read.
    pub fn load(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        if lock(&self.doubtful).contains(path) {
            self.settled(path)?;
        }
        for _ in 1..STALE_ATTEMPTS {
            match load(path) {
                Err(error) if error.kind() == ErrorKind::StaleNetworkFileHandle => {}
                end => return self.read(path, end),
            }
        }
        self.read(path, load(path))
    }

    fn read(&self, path: &Path, end: io::Result<Option<Vec<u8>>>) -> Result<Option<Vec<u8>>> {
        end.map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => Error::damaged(&path.display().to_string(), error),
            _ => self.explain("reading", path, &error),
        })
    }

    /// Sees to it that the last name before this one is published.
    fn stand(&self, folder: &Path, path: &Path) -> Result<()> {
        if lock(&self.firm).contains(folder) {
            return Ok(());
        }
        let before = last_before(folder, path).map_err(|error| unclear("listing", folder, &error))?;
        match before {
            Some(before) => self.settled(&before).map(drop),
            None => Ok(()),
        }
    }

    /// Creating takes a look of its own: the kernel asks for the name before it makes it.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> Result<Put> {
        let file = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return self.exists(path, bytes),
            Err(error) => return Err(unclear("creating", path, &error)),
        };
        match write(file, bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StaleNetworkFileHandle => {
                lock(&self.doubtful).insert(path.to_owned());
                return self.overtaken(path, bytes);
            }
            Err(error) => {
                lock(&self.doubtful).insert(path.to_owned());
                return Err(unclear("writing", path, &error));
            }
        }
        match holds(path, bytes) {
            Ok(true) => Ok(Put::Created),
            Ok(false) => Err(Error::new(
                Kind::Later,
                format!("reading `{}` back: found other bytes than were written", path.display()),
            )),
            Err(error) => Err(unclear("reading back", path, &error)),
        }
    }

    /// The name is taken. If by what looks like our own bytes, they must be published before anybody hears of it.
    fn exists(&self, path: &Path, bytes: &[u8]) -> Result<Put> {
        let is_doubtful = lock(&self.doubtful).contains(path);
        if is_doubtful || holds(path, bytes).map_err(|error| unclear("reading", path, &error))? {
            // Gone again: nobody has the name, so the answer is not "taken".
            return self.settled(path)?.then_some(Put::AlreadyExists).ok_or_else(|| vanished(path));
        }
        Ok(Put::AlreadyExists)
    }

    /// Our `close` was refused because the name was published by somebody: by another machine, or by an earlier
    /// attempt of this mount that it took for failed.
    fn overtaken(&self, path: &Path, bytes: &[u8]) -> Result<Put> {
        match settle(path) {
            Ok(true) => {}
            Ok(false) => return Err(vanished(path)),
            // It holds on to our bytes, which lost. The name stays in doubt, so that they are not read as published.
            Err(error) if error.kind() == ErrorKind::StaleNetworkFileHandle => return Ok(Put::AlreadyExists),
            Err(error) => return Err(unclear("looking at", path, &error)),
        }
        lock(&self.doubtful).remove(path);
        match holds(path, bytes) {
            Ok(true) => Ok(Put::Created),
            Ok(false) => Ok(Put::AlreadyExists),
            Err(error) => Err(unclear("reading back", path, &error)),
        }
    }

    /// Whether there is a file, which is published now in any case.
    pub fn settled(&self, path: &Path) -> Result<bool> {
        let end = settle(path).map_err(|error| match error.kind() {
            ErrorKind::StaleNetworkFileHandle => Error::new(
                Kind::Later,
                format!("looking at `{}`: this mount shows a file that was never published", path.display()),
            )
            .with_hint("start again in a minute, or mount the bucket again: another writer has that place"),
            _ => unclear("publishing", path, &error),
        })?;
        lock(&self.doubtful).remove(path);
        Ok(end)
    }
}

fn vanished(path: &Path) -> Error {
    Error::new(Kind::Later, format!("looking at `{}`: it was there, and is gone", path.display()))
}

/// A set of names is changed in one go, so a panic elsewhere cannot leave it half-changed.
fn lock<T>(set: &Mutex<T>) -> MutexGuard<'_, T> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries a hard link between two files of our own.
fn probe(folder: &Path) -> Result<bool> {
    let number = PROBE.fetch_add(1, Ordering::Relaxed);
    let name = |end: &str| folder.join(format!(".links.{}-{number}.{end}.tmp", std::process::id()));
    let (one, two) = (name("one"), name("two"));
    // What a dead process with our id left here says nothing.
    fs::remove_file(&two).ok();
    File::create(&one).map_err(|error| explain("creating", &one, &error))?;
    let end = fs::hard_link(&one, &two);
    // Best effort: names that begin with a dot are nobody's objects.
    fs::remove_file(&two).ok();
    fs::remove_file(&one).ok();
    match end {
        Ok(()) => Ok(true),
        // EPERM, ENOSYS, EOPNOTSUPP: the folder is ours to write in, so it is links that are refused.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            Ok(false)
        }
        Err(error) => Err(explain("linking", &two, &error)),
    }
}

/// Writes a file that is open, whole, and closes it. Every step is taken whatever became of the one before; the first
/// failure counts.
fn write(mut file: File, bytes: &[u8]) -> io::Result<()> {
    let written = file.write_all(bytes);
    // A disk without links is synced like any other; gcsfuse publishes nothing by it.
    let synced = match file.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => Ok(()),
        end => end,
    };
    let closed = close(file);
    written.and(synced).and(closed)
}

/// Closes a file and says how that went, which dropping it does not.
pub(super) fn close(file: File) -> io::Result<()> {
    #[cfg(unix)]
    return nix::unistd::close(file).map_err(io::Error::from);
    #[cfg(not(unix))]
    return file.sync_all();
}

/// Has the mount publish what it holds back under a name, if it does; false if there is no such file.
fn settle(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => close(file).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a name has exactly these bytes, on a fresh look.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.len() != bytes.len() as u64 => Ok(false),
        Ok(_) => Ok(load(path)?.is_some_and(|found| found == bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The last file of a folder whose name sorts before this one.
fn last_before(folder: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut last = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && found < *path && entry.file_type()?.is_file() {
            last = last.max(Some(found));
        }
    }
    Ok(last)
}
