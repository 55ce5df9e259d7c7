//! A store in a plain folder of a local file system: an object is a file. It must not know what the bytes
//! mean.
//!
//! The invariant: a name, once visible, is a complete and durable file. A creation writes a temporary file
//! beside it, syncs it, hard-links it to its name (which fails if the name is taken) and syncs the folder.
//! Temporary names begin with a dot; what a crash leaves of them is never listed or read, and may be deleted
//! by anyone at any time.
//!
//! Work runs on the runtime's blocking threads: a sync takes milliseconds on a good disk and seconds on a bad
//! one, and the calls in flight must not wait for it. It also finishes when the future is dropped, so a name
//! is never left linked but unsynced by a cancelled append. So a Tokio runtime must be running.

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

/// Objects as files under one folder. Cloning gives another handle on the same folder.
#[derive(Clone, Debug)]
pub struct DirStore {
    root: Arc<Path>,
}

impl DirStore {
    /// The store in this folder. Nothing is touched yet; the folder is made when the first object is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into().into() }
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
        blocking(move || create(&path, &bytes)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(key)?;
        blocking(move || load(&path)).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        let mut walk =
            Listing { prefix: prefix.to_owned(), after: after.to_owned(), limit, names: Vec::new() };
        let root = Arc::clone(&self.root);
        blocking(move || {
            walk.folder(&root, "")?;
            Ok(walk.names)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        blocking(move || remove(&path)).await
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(key)?;
        let bytes = bytes.to_vec();
        blocking(move || overwrite(&path, &bytes)).await
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
    sync_folder(folder)?;
    Ok(Put::Created)
}

fn link(temporary: &Path, path: &Path) -> Result<Put> {
    match fs::hard_link(temporary, path) {
        Ok(()) => Ok(Put::Created),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::AlreadyExists),
        Err(error) => Err(explain("linking", path, &error)),
    }
}

/// Writes a file whole, over whatever is there. Not synced: nothing depends on it.
fn overwrite(path: &Path, bytes: &[u8]) -> Result<()> {
    make_folder(parent(path)?)?;
    fs::write(path, bytes).map_err(|error| explain("writing", path, &error))
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

fn load(path: &Path) -> Result<Option<Vec<u8>>> {
    let size = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(explain("reading", path, &error)),
    };
    if size > OBJECT_CAP {
        return Err(Error::damaged(
            &path.display().to_string(),
            format_args!("found {size} bytes, expected at most {OBJECT_CAP}"),
        ));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(explain("reading", path, &error)),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(parent(path)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(explain("deleting", path, &error)),
    }
}

fn parent(path: &Path) -> Result<&Path> {
    path.parent().ok_or_else(|| Error::bug(format!("`{}` is not inside a folder", path.display())))
}

/// Makes a folder and those above it, durably: a new folder's own name must survive as well as what is in it.
fn make_folder(folder: &Path) -> Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make_folder(above)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(above),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(explain("making the folder", folder, &error)),
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| explain("syncing", folder, &error))
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
    fn folder(&mut self, folder: &Path, stem: &str) -> Result<()> {
        for (name, is_folder) in entries(folder, stem)? {
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
fn entries(folder: &Path, stem: &str) -> Result<Vec<(String, bool)>> {
    let failed = |error: &io::Error| explain("listing", folder, error);
    let mut found = Vec::new();
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(failed(&error)),
    };
    for entry in listing {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let is_folder = entry.file_type().map_err(|error| failed(&error))?.is_dir();
        found.push((format!("{stem}{name}{}", if is_folder { "/" } else { "" }), is_folder));
    }
    found.sort_unstable();
    Ok(found)
}

/// What a file system's refusal means for a person. None of these is "unclear": a creation that failed here
/// was either never linked or could not be made durable, and the second must not be taken for a success by
/// looking again.
fn explain(doing: &str, path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space and start again; everything acknowledged so far is safe"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let this user read and write that folder, or name another target"
        }
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            "name a folder for the vault, not a file"
        }
        ErrorKind::Unsupported | ErrorKind::CrossesDevices => {
            "this file system has no hard links; keep the vault on a local disk"
        }
        _ => "look at the disk and start again; everything acknowledged so far is safe",
    };
    Error::new(Kind::Halt, format!("{doing} `{}`: {error}", path.display())).with_hint(hint)
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

    #[test]
    fn a_full_or_forbidden_disk_gets_its_own_advice() {
        let hint = |kind: ErrorKind| {
            let error = explain("writing", Path::new("v"), &kind.into());
            error.hint().unwrap_or_default().to_owned()
        };
        assert!(hint(ErrorKind::StorageFull).starts_with("free some space"));
        assert!(hint(ErrorKind::PermissionDenied).starts_with("let this user read and write"));
        assert!(hint(ErrorKind::Unsupported).contains("no hard links"));
        assert!(hint(ErrorKind::Other).contains("is safe"));
    }
}
