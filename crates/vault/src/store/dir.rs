//! A store in a folder: an object is a file. It must not know what the bytes mean.
//!
//! The invariant, where the file system has hard links: a name, once visible, is a complete and durable file. A
//! creation writes a temporary file beside it, syncs it, hard-links it to its name (which fails if the name is
//! taken) and syncs the folder. Temporary names begin with a dot; what a crash leaves of them is never listed or
//! read, and may be deleted by anyone at any time. Where links are refused, as on a mounted bucket, `mount.rs`
//! says what holds; which of the two it is shows at the first creation.
//!
//! Work runs on the runtime's blocking threads: a sync takes milliseconds on a good disk and seconds on a bad
//! one, and the calls in flight must not wait for it. It also finishes when the future is dropped, so a name
//! is never left linked but unsynced by a cancelled append. So a Tokio runtime must be running.

use super::mount::{Ground, close};
use super::refusal::{explain, halting};
use super::{OBJECT_CAP, ObjectStore, Put, check_key};
use crate::error::{Error, Kind, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes temporary names differ within this process; the process id and `create_new` do the rest.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// How many leftovers of dead processes with our id we step over before we say that something is wrong.
const TEMPORARY_ATTEMPTS: u32 = 10_000;

/// How often a replacement is tried that somebody else's overtook.
const REPLACE_ATTEMPTS: u32 = 4;

/// Objects as files under one folder. Cloning gives another handle on the same folder.
#[derive(Clone, Debug)]
pub struct DirStore {
    root: Arc<Path>,
    ground: Arc<Ground>,
}

impl DirStore {
    /// The store in this folder. Nothing is touched yet; the folder is made when the first object is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into(), ground: Arc::default() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        Ok(self.root.join(key))
    }
}

impl ObjectStore for DirStore {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        let path = self.path(key)?;
        let bytes = bytes.to_vec();
        let (root, ground) = (Arc::clone(&self.root), Arc::clone(&self.ground));
        blocking(move || match ground.has_links(&root)? {
            true => create(&path, &bytes),
            false => ground.create(&path, &bytes),
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(key)?;
        let ground = Arc::clone(&self.ground);
        blocking(move || ground.load(&path)).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        let mut walk =
            Listing { prefix: prefix.to_owned(), after: after.to_owned(), limit, names: Vec::new() };
        let (root, ground) = (Arc::clone(&self.root), Arc::clone(&self.ground));
        blocking(move || {
            let failed = |(folder, error): (PathBuf, io::Error)| ground.explain("listing", &folder, &error);
            walk.folder(&root, "").map_err(failed)?;
            Ok(walk.names)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        let ground = Arc::clone(&self.ground);
        blocking(move || remove(&path).map_err(|error| ground.explain("deleting", &path, &error))).await
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(key)?;
        let bytes = bytes.to_vec();
        let ground = Arc::clone(&self.ground);
        blocking(move || {
            make_folder(parent(&path)?)?;
            overwrite(&path, &bytes).map_err(|error| ground.explain("writing", &path, &error))
        })
        .await
    }

    async fn is_atomic(&self) -> bool {
        let (root, ground) = (Arc::clone(&self.root), Arc::clone(&self.ground));
        // Where it cannot be found out, "no" is the answer that costs only a look.
        blocking(move || Ok(ground.surely_has_links(&root))).await.unwrap_or(false)
    }

    async fn settle(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let path = self.root.join(key);
        let (root, ground) = (Arc::clone(&self.root), Arc::clone(&self.ground));
        blocking(move || match ground.has_links(&root)? {
            true => Ok(()),
            false => ground.settled(&path).map(drop),
        })
        .await
    }

    fn place(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(broken) if broken.is_panic() => std::panic::resume_unwind(broken.into_panic()),
        Err(_) => {
            Err(Error::new(Kind::Later, "a file operation was cancelled because the program is stopping"))
        }
    }
}

fn create(path: &Path, bytes: &[u8]) -> Result<Put> {
    let folder = parent(path)?;
    make_folder(folder)?;
    let (temporary, mut file) = temporary_file(path)?;
    let linked = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| explain("writing", &temporary, &error))
        .and_then(|()| link(&temporary, path));
    drop(file);
    // Best effort: a temporary file that stays is harmless, and the error that matters is in `linked`.
    fs::remove_file(&temporary).ok();
    if linked? == Put::AlreadyExists {
        return Ok(Put::AlreadyExists);
    }
    // The name is there, but perhaps not for good: never "unclear", since a second look would find it.
    sync_folder(folder).map_err(|error| halting("syncing", folder, &error))?;
    Ok(Put::Created)
}

fn link(temporary: &Path, path: &Path) -> Result<Put> {
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(Put::Created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::AlreadyExists),
        Err(error) => Err(explain("linking", path, &error)),
    }
}

/// Writes a file whole, over whatever is there. Not synced: nothing depends on it. If another writer's bytes came in
/// between, either may win, but one of them is there.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut end = Ok(());
    for _ in 0..REPLACE_ATTEMPTS {
        let mut file = File::create(path)?;
        let written = file.write_all(bytes);
        end = written.and(close(file));
        match &end {
            Err(error) if error.kind() == ErrorKind::StaleNetworkFileHandle => {}
            _ => return end,
        }
    }
    end
}

/// A file of our own beside `path`.
fn temporary_file(path: &Path) -> Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for _ in 0..TEMPORARY_ATTEMPTS {
        let number = TEMPORARY.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(explain("creating", &temporary, &error)),
        }
    }
    Err(Error::new(
        Kind::Halt,
        format!("creating a temporary file beside `{}`: all names are taken", path.display()),
    )
    .with_hint("delete the files there whose names begin with a dot and end in `.tmp`"))
}

/// The bytes of a file; an error of the kind `FileTooLarge` if that cannot be an object.
pub(super) fn load(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let found = fs::metadata(path).and_then(|found| match found.len() {
        size if size > OBJECT_CAP => {
            let text = format!("found {size} bytes, expected at most {OBJECT_CAP}");
            Err(io::Error::new(ErrorKind::FileTooLarge, text))
        }
        _ => fs::read(path),
    });
    match found {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file, and its folder if it was the last one there: a bucket has no empty folders either.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            match fs::remove_dir(folder) {
                Ok(()) => Ok(()),
                Err(_) => sync_folder(folder),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn parent(path: &Path) -> Result<&Path> {
    path.parent().ok_or_else(|| Error::bug(format!("`{}` is not inside a folder", path.display())))
}

/// Makes a folder and those above it, durably: a new folder's own name must survive as well as what is in it.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => return Ok(()),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(explain("looking at", folder, &error));
        }
        _ => {}
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folder(above)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(above).map_err(|error| explain("syncing", above, &error)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(explain("making the folder", folder, &error)),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|handle| handle.sync_all())
}

/// A listing in progress: depth first, each folder sorted as its full names sort, stopping when it is full.
struct Listing {
    prefix: String,
    after: String,
    limit: usize,
    names: Vec<String>,
}

impl Listing {
    /// Adds what is in `folder`, whose names all begin with `stem`.
    fn folder(&mut self, folder: &Path, stem: &str) -> Result<(), (PathBuf, io::Error)> {
        let inside = entries(folder, stem).map_err(|error| (folder.to_owned(), error))?;
        for (name, is_folder) in inside {
            if self.names.len() >= self.limit {
                return Ok(());
            }
            if is_folder {
                // Skip a folder if nothing in it can begin with the prefix or come after `after`.
                let on_the_way = self.prefix.starts_with(&name) || name.starts_with(&self.prefix);
                let not_yet_passed = name > self.after || self.after.starts_with(&name);
                if on_the_way && not_yet_passed {
                    self.folder(&folder.join(&name[stem.len()..name.len() - 1]), &name)?;
                }
            } else if name.starts_with(&self.prefix) && name > self.after {
                self.names.push(name);
            }
        }
        Ok(())
    }
}

/// Names in a folder, in bytewise order of the full names: a folder sorts by its name with the `/`. Names
/// that begin with a dot are nobody's objects. Links to files count, links to folders do not, so there are no
/// circles.
fn entries(folder: &Path, stem: &str) -> io::Result<Vec<(String, bool)>> {
    let mut found = Vec::new();
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in listing {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let is_folder = entry.file_type()?.is_dir();
        found.push((format!("{stem}{name}{}", if is_folder { "/" } else { "" }), is_folder));
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_the_contract() {
        let home = tempfile::tempdir().unwrap();
        let mut count = 0;
        crate::store::contract(|| {
            count += 1;
            DirStore::new(home.path().join(format!("{count}/deep/er")))
        })
        .await;
    }

    #[tokio::test]
    async fn a_file_where_the_folder_should_be_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = DirStore::new(file.path());
        let put = store.put_new("a/b", b"x").await.unwrap_err();
        let got = store.get("a/b").await.unwrap_err();
        let listed = store.list("", "", 1).await.unwrap_err();
        for error in [put, got, listed] {
            assert_eq!(error.kind(), Kind::Halt);
            assert!(error.to_string().contains(&*file.path().to_string_lossy()), "{error}");
            assert_eq!(error.hint(), Some("name a folder for the vault, not a file"), "{error}");
        }
    }
}
