//! The state: one SQLite file, a fold of the journal, with what is owed, the graph and the indexes.
//!
//! It is a cache of the vault and knows only what records told it: the number of the last record applied stands in the
//! same transaction as the rows, so after a power loss the file is merely behind. It must not read pages, cut, or
//! decide anything. One process writes at a time; readers open the same file read-only.

pub mod alike;
pub mod answers;
mod apply;
pub mod batches;
mod candidates;
mod changes;
pub mod communities;
pub mod dump;
pub mod embedded;
mod equals;
pub mod erasing;
pub mod export;
pub mod failing;
mod generation;
mod indexes;
mod judged;
pub mod look;
pub mod owed;
mod portraits;
pub mod principals;
pub mod reports;
pub mod rulings;
pub mod search;
mod seen;
pub mod snapshots;
pub mod spending;
mod summaries;
pub mod vectors;
pub mod viewer;
pub mod why;

use crate::error::{Error, Kind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction};
use search::{Recalled, View};
use seen::Seen;
use snapshots::Hold;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vault::{ObjectStore, Position, Seq};
use viewer::Sight;

/// The version of the fold: the schema together with the meaning `apply` gives to records. A file of an older fold is
/// discarded and made again; a file of a newer one is refused.
pub const FOLD: i32 = 10;

/// Marks an SQLite file as ours (`HWTR`), so that no other file is ever discarded by mistake.
const APPLICATION: i32 = 0x4857_5452;

/// The state file, open for writing.
pub struct State {
    connection: Connection,
    path: PathBuf,
    /// The length beyond which no summary is owed, until a record says more than vectors: the question is a walk
    /// through all facts, and is asked at every turn.
    summarised: Cell<Option<usize>>,
    /// The number of communities up to which no portrait is owed, as long.
    portrayed: Cell<Option<usize>>,
    seen: Seen,
    /// What its viewer may see; none when whoever reads may see all.
    sight: Option<Sight>,
    /// What was read into memory to answer, since the first question.
    recalled: RefCell<Recalled>,
    /// Which rows whoever looks may see, since his first question.
    view: RefCell<Option<Arc<View>>>,
    hold: Hold,
    /// Which file it was that was opened to be read.
    opened: Option<FileId>,
    /// The file itself, from the first snapshot on. Closed after the connection, which fields above it are: POSIX takes
    /// a process's locks on a file away when any of its descriptors is closed, SQLite's among them.
    main: Option<Arc<File>>,
}

/// What stands at a state file's path.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet.
    Absent,
    /// A fold of this vault.
    Ours,
    /// It was folded by an older binary.
    OlderFold,
    /// It belongs to another vault.
    OtherVault(String),
    /// It is a state file that SQLite cannot read any more.
    Damaged,
}

impl State {
    /// Looks at what stands at a path, and changes nothing.
    ///
    /// # Errors
    /// A file that is not ours, or that a newer version has made.
    pub fn standing(path: &Path, vault_id: &str) -> Result<Standing> {
        Ok(match examine(path)? {
            Found::Nothing => Standing::Absent,
            Found::Damaged => Standing::Damaged,
            Found::Fold(fold, _) if fold < FOLD => Standing::OlderFold,
            Found::Fold(_, id) if id == vault_id => Standing::Ours,
            Found::Fold(_, id) => Standing::OtherVault(id),
        })
    }

    /// Opens the state file of a vault, or makes an empty one.
    pub fn open(path: &Path, vault_id: &str) -> Result<Self> {
        // Left by a fold that was killed: of no use to anybody, and as large as the state.
        delete(&beside(path, "fold"))?;
        Self::create_or_open(path, vault_id)
    }

    /// Folds the whole journal into a new file, which takes the place of the one at `path` only when it is complete.
    pub async fn fold_anew<S: ObjectStore>(path: &Path, vault_id: &str, store: &S) -> Result<Self> {
        Self::fold_telling((path, vault_id), store, &|_| {}).await
    }

    /// As `fold_anew`, for a journal that may be long.
    pub async fn fold_telling<S: ObjectStore>(
        (path, vault_id): (&Path, &str),
        store: &S,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let fold = beside(path, "fold");
        delete(&fold)?;
        Self::create_or_open(&fold, vault_id)?.take_over(path, store, tell).await
    }

    fn create_or_open(path: &Path, vault_id: &str) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| unusable(path, &error))?;
        }
        let flags = ONE_THREAD | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection =
            Connection::open_with_flags(path, flags).map_err(Error::from).map_err(|e| e.during(at(path)))?;
        tune(&connection)?;
        let fresh: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if fresh == 0 {
            let transaction = connection.unchecked_transaction()?;
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.execute("INSERT INTO meta VALUES ('vault', ?1)", [vault_id])?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", FOLD)?;
            transaction.commit()?;
        }
        Ok(Self::over(connection, path))
    }

    fn over(connection: Connection, path: &Path) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            summarised: Cell::default(),
            portrayed: Cell::default(),
            seen: Seen::default(),
            sight: None,
            recalled: RefCell::default(),
            view: RefCell::default(),
            hold: Hold::default(),
            opened: None,
            main: None,
        }
    }

    /// Opens a state file for reading only; nothing when there is none yet.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>> {
        if matches!(examine(path)?, Found::Nothing) {
            return Ok(None);
        }
        // Before the file is opened: if another takes its place in between, this one counts as moved.
        let opened = file_id(path);
        let connection = Connection::open_with_flags(path, ONE_THREAD | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "mmap_size", MMAP_BYTES)?;
        connection.busy_timeout(BUSY)?;
        keep_statements(&connection)?;
        Ok(Some(Self { opened, ..Self::over(connection, path) }))
    }

    /// The same file opened to be read once more.
    ///
    /// # Errors
    /// Another file took its place.
    pub fn again(&self) -> Result<Self> {
        let state = Self::open_to_read(&self.path)?.filter(|state| state.opened == self.opened);
        state.ok_or_else(|| {
            Error::new(Kind::Later, format!("{}: another run has just put it there", at(&self.path)))
                .hint("ask again")
        })
    }

    /// As `open_to_read`, for looking at a run under way again and again: nothing is mapped, so that the file does not
    /// count as memory of the process that writes it.
    pub fn open_to_watch(path: &Path) -> Result<Option<Self>> {
        let state = Self::open_to_read(path)?;
        if let Some(state) = &state {
            state.connection.pragma_update(None, "mmap_size", 0)?;
        }
        Ok(state)
    }

    /// Whether the file that was opened to be read still stands at its path.
    pub fn is_in_place(&self) -> bool {
        self.opened.is_some() && self.opened == file_id(&self.path)
    }

    /// One transaction for many reads, until dropped: each would take and give back the file's locks otherwise. What is
    /// cached on the way is kept.
    pub fn reading(&self) -> Result<Transaction<'_>> {
        let mut transaction = self.connection.unchecked_transaction()?;
        transaction.set_drop_behavior(rusqlite::DropBehavior::Commit);
        Ok(transaction)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connection, for the rooms of the state and for tests that look.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A value of the `meta` table.
    pub fn meta(&self, key: &str) -> Result<Option<String>> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// The last record applied; zero before the first.
    pub fn applied(&self) -> Result<Seq> {
        let text = self.meta("applied_seq")?;
        Ok(Seq::new(text.and_then(|text| text.parse().ok()).unwrap_or(0)))
    }

    /// The last segment applied; none before the first.
    pub fn position(&self) -> Result<Option<Position>> {
        self.meta("position")?.map(|text| serde_json::from_str(&text).map_err(Error::from)).transpose()
    }

    /// The vault this state is a fold of.
    pub fn vault_id(&self) -> Result<String> {
        Ok(self.meta("vault")?.unwrap_or_default())
    }

    /// Applies everything that the journal holds beyond this file.
    ///
    /// # Errors
    /// `Kind::Foreign` when the file stands on a record that is not in the chain.
    pub async fn catch_up<S: ObjectStore>(&mut self, store: &S) -> Result<()> {
        self.catch_up_telling(store, &|_| {}).await
    }

    /// Copies the vectors of another state file.
    pub fn adopt_vectors(&self, other: &Path) -> Result<()> {
        self.connection.execute("ATTACH ?1 AS other", [other.to_string_lossy()])?;
        let copied = self.connection.execute("INSERT OR IGNORE INTO vector SELECT * FROM other.vector", []);
        self.connection.execute("DETACH other", [])?;
        copied?;
        Ok(())
    }

    /// Folds the log beside the file into it, whole.
    fn fold_log_in(&self) -> Result<()> {
        fold_log_in(&self.connection, &self.path)
    }

    /// Moves this file to `path`, over the one that is there.
    pub fn take_the_place_of(self, path: &Path) -> Result<Self> {
        let (from, vault_id) = (self.path.clone(), self.vault_id()?);
        drop(self.hold);
        // The log beside a file that moves is deleted: nothing may be in it alone.
        fold_log_in(&self.connection, &from)?;
        self.connection.close().map_err(|(_, error)| Error::from(error))?;
        delete(path)?;
        std::fs::rename(&from, path).map_err(|error| unusable(path, &error))?;
        delete(&from)?;
        Self::create_or_open(path, &vault_id)
    }
}

fn fold_log_in(connection: &Connection, path: &Path) -> Result<()> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    match busy {
        true => Err(Error::new(Kind::Later, format!("{}: another process reads it", at(path)))),
        false => Ok(()),
    }
}

/// Of the default flags only that no mutex is taken at every step and column: a connection is used by one thread at a
/// time, which its type sees to. A path that looks like a URI is a path.
const ONE_THREAD: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
/// Reading may map this much of the file; more than any state we expect on one machine would need to be fast.
const MMAP_BYTES: i64 = 1 << 30;
/// Statements kept compiled: more than the rooms of the state have, since one too few compiles them all in turn.
const STATEMENTS: usize = 256;
/// How long one process waits for another one's transaction; the longest of ours takes well under a second.
const BUSY: std::time::Duration = std::time::Duration::from_secs(10);

/// Device and number of a file: what a name stands for, however it is written over.
type FileId = (u64, u64);

fn file_id(path: &Path) -> Option<FileId> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

fn tune(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // 64 MB of pages: an epoch touches the indexes of a few hundred names and facts at random.
    connection.pragma_update(None, "cache_size", -65_536)?;
    // 64 MB of log before it is folded into the file: ids are hashes, so a turn touches pages everywhere, and folding
    // the log after every 4 MB wrote each of them again and again.
    connection.pragma_update(None, "wal_autocheckpoint", snapshots::CHECKPOINT_PAGES)?;
    keep_statements(connection)
}

/// Keeps statements compiled.
fn keep_statements(connection: &Connection) -> Result<()> {
    // A plan that may depend on a bound value is made again at every binding, which took a fifth of a run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

enum Found {
    Nothing,
    Damaged,
    Fold(i32, String),
}

/// Looks at a file without changing it.
fn examine(path: &Path) -> Result<Found> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(unusable(path, &error)),
        Ok(found) if found.is_dir() => {
            return Err(Error::new(Kind::Halt, format!("{}: is a folder, expected a file", at(path)))
                .hint("give `--state` a file name"));
        }
        Ok(found) if found.len() == 0 => return Ok(Found::Nothing),
        Ok(_) => {}
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let read = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i32>(0));
    let seen = || Ok((read("PRAGMA application_id")?, read("PRAGMA user_version")?, read(TABLES)?));
    let (application, fold, tables) = match seen() {
        Ok(seen) => seen,
        Err(error) if is_busy(&error) => return Err(error.into()),
        Err(_) if bears_our_mark(path) => return Ok(Found::Damaged),
        Err(_) if is_unborn(path) => return Ok(Found::Nothing),
        Err(_) => return Err(foreign(path)),
    };
    if application == 0 && fold == 0 && tables == 0 {
        return Ok(Found::Nothing);
    }
    if application != APPLICATION {
        return Err(foreign(path));
    }
    if fold > FOLD {
        return Err(Error::new(
            Kind::Halt,
            format!("{}: made by a newer version (fold {fold}, this binary knows {FOLD})", at(path)),
        )
        .hint("use the newer binary, or give another `--state`: it is made again from the vault"));
    }
    match connection.query_row("SELECT value FROM meta WHERE key = 'vault'", [], |row| row.get(0)) {
        Ok(vault) => Ok(Found::Fold(fold, vault)),
        Err(error) if is_busy(&error) => Err(error.into()),
        Err(_) => Ok(Found::Damaged),
    }
}

const TABLES: &str = "SELECT count(*) FROM sqlite_master";

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

fn foreign(path: &Path) -> Error {
    Error::new(Kind::Halt, format!("{}: this is not a state file of Highwater", at(path)))
        .hint("it was left alone; give another `--state`")
}

/// Whether a file that SQLite cannot read has our mark at the place where SQLite keeps it (bytes 68 to 71 of the
/// header, big-endian; SQLite file format, section 1.3).
fn bears_our_mark(path: &Path) -> bool {
    use std::io::Read;
    let mut header = [0; 72];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header.starts_with(b"SQLite format 3\0") && header[68..] == APPLICATION.to_be_bytes()
}

/// Whether a file that cannot be looked at was left by a process that died while it made it: a first page in which
/// there is nothing yet, and a log that only somebody who may write can take back. (SQLite file format, section 1.3:
/// bytes 28 to 31 of the header count the pages. A table would need a second one.)
fn is_unborn(path: &Path) -> bool {
    use std::io::Read;
    let mut header = [0; 72];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    let logged = ["journal", "wal"].iter().any(|log| beside(path, log).exists());
    read.is_ok() && header.starts_with(b"SQLite format 3\0") && pages <= 1 && header[68..] == [0; 4] && logged
}

fn delete(path: &Path) -> Result<()> {
    for file in [path.to_owned(), beside(path, "wal"), beside(path, "shm"), beside(path, "journal")] {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(unusable(&file, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The name SQLite gives to a file beside a database, such as `highwater.db-wal`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-");
    name.push(suffix);
    PathBuf::from(name)
}

fn at(path: &Path) -> String {
    format!("state file `{}`", path.display())
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Halt, format!("{}: {error}", at(path))).hint("give a `--state` path that can be written")
}

#[cfg(test)]
mod tests;
