//! The local disk of a life: the state file and what SQLite and a re-indexing keep beside it. It can be lost,
//! set back to an older day, half written, or refuse in the middle of a transaction. It must not know why.

use crate::fate::kind;
use knowledge::record::Record;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use vault::Entry;

/// Endings of the files that belong to a state file, besides the shared memory that SQLite makes anew.
const FILES: [&str; 6] = ["", "-wal", "-journal", "-next", "-next-wal", "-next-journal"];
const SHARED: [&str; 2] = ["-shm", "-next-shm"];

/// What a kill leaves on the disk: bytes by ending.
pub type Image = BTreeMap<&'static str, Vec<u8>>;

/// A folder of its own for one life, removed when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: std::sync::Arc<Folder>,
}

#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: what stays is a few hundred kilobytes in a folder for temporary files.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Where the disks of lives are: in memory where the system has such a place, since each life syncs a
/// thousand times.
fn home() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

impl Disk {
    /// An empty disk. `name` must differ between lives that run at once.
    pub fn new(name: &str) -> io::Result<Self> {
        let folder = home().join(format!("highwater-sim-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder: std::sync::Arc::new(Folder(folder)) })
    }

    /// The state file.
    pub fn state(&self) -> PathBuf {
        self.folder.0.join("state.db")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.0.join(format!("state.db{ending}"))
    }

    /// What is on the disk this moment, with the log of a database that nobody closed.
    pub fn image(&self) -> Image {
        FILES.iter().filter_map(|ending| Some((*ending, std::fs::read(self.file(ending)).ok()?))).collect()
    }

    /// Puts an image in the place of everything.
    pub fn restore(&self, image: &Image) -> io::Result<()> {
        for ending in FILES.iter().chain(&SHARED) {
            match std::fs::remove_file(self.file(ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        image.iter().try_for_each(|(ending, bytes)| std::fs::write(self.file(ending), bytes))
    }

    /// Whether a re-indexing has a file of its own.
    pub fn is_growing(&self) -> bool {
        self.file("-next").exists()
    }

    /// Makes the transaction that will take in these entries fail on its way, as a kill would cut it: `place`
    /// chooses the table and the row. Whatever else happens, it does not pass the last row it writes.
    pub fn plant(&self, entries: &[Entry<Record>], place: usize) -> rusqlite::Result<()> {
        if let Some(sql) = between_files(entries, place) {
            return self.on_each(sql);
        }
        let tables: &[&str] = match entries.get(place % entries.len().max(1)).map(|entry| kind(&entry.event))
        {
            Some("listed") => &["listed", "person", "meta"],
            Some("worklist") => &["worklist", "owed_fetch", "meta"],
            Some("fetched") => &["raw_page", "page", "meta"],
            Some("cut") => &["chunk", "cut", "meta"],
            Some("packed") => &["pack", "meta"],
            Some("asking") => &["call", "meta"],
            Some("understood") => &["answer", "finding", "summary", "portrait", "meta"],
            Some("submitting") => &["batch", "meta"],
            Some("embedded") => &["vector", "meta"],
            Some("gathered") => &["epoch", "meta"],
            Some("resolved") => {
                &["support", "support", "fact", "mention", "node", "entity", "episode", "decision"]
            }
            _ => &["meta"],
        };
        let table = tables[place / 7 % tables.len()];
        let digit = place / 61 % 16;
        let row = match table {
            "support" | "mention" | "episode" | "chunk" => {
                format!("substr(hex(new.chunk), 2, 1) = '{digit:X}'")
            }
            "meta" => "new.key = 'applied_seq'".to_owned(),
            _ => "1".to_owned(),
        };
        self.on_each(&format!(
            "CREATE TRIGGER kill_here BEFORE INSERT ON {table} WHEN {row}
                 BEGIN SELECT RAISE(ABORT, 'killed by the simulator'); END;
             CREATE TRIGGER kill_last BEFORE INSERT ON meta WHEN new.key = 'applied_seq'
                 BEGIN SELECT RAISE(ABORT, 'killed by the simulator'); END;"
        ))
    }

    /// Takes back what `plant` did.
    pub fn uproot(&self) -> rusqlite::Result<()> {
        self.on_each("DROP TRIGGER IF EXISTS kill_here; DROP TRIGGER IF EXISTS kill_last;")
    }

    fn on_each(&self, sql: &str) -> rusqlite::Result<()> {
        for ending in ["", "-next"] {
            let path = self.file(ending);
            if !path.exists() {
                continue;
            }
            let connection = Connection::open(path)?;
            let ready: bool = connection.query_row(
                "SELECT count(*) FROM sqlite_master WHERE name = 'meta'",
                [],
                |row| row.get(0),
            )?;
            if ready {
                connection.execute_batch(sql)?;
            }
        }
        Ok(())
    }
}

/// A kill between the transaction and the change of files that follows it: while the second file is made, or
/// before it takes the place of the first.
fn between_files(entries: &[Entry<Record>], place: usize) -> Option<&'static str> {
    let holds = |wanted: &str| entries.iter().any(|entry| kind(&entry.event) == wanted);
    match place % 2 {
        0 if holds("reindexing") => Some(
            "CREATE TRIGGER kill_here BEFORE INSERT ON meta WHEN new.key = 'growing'
                 BEGIN SELECT RAISE(ABORT, 'killed by the simulator'); END;",
        ),
        0 if holds("reindexed") => Some(
            "CREATE TRIGGER kill_here BEFORE DELETE ON meta WHEN old.key = 'growing'
                 BEGIN SELECT RAISE(ABORT, 'killed by the simulator'); END;",
        ),
        _ => None,
    }
}
