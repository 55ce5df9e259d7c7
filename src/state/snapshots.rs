//! Snapshots of the state file: the file is held still while it is read, and a file that was saved takes the place of
//! one that is lost. It must not know when one is due.
//!
//! Invariant: while the main file is held, every commit stays in the log beside it, so that what is read is the file as
//! it was at one record. Whoever would write it meanwhile says so first, and what was read by then does not count.

use super::{FOLD, Found, State, beside, delete, examine, generation, unusable};
use crate::error::{Error, Kind, Result};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vault::snapshot::{self, Base, Snapshot};
use vault::{ObjectStore, Seq};

/// Pages of the log after which it is folded into the file: 64 MB.
pub(super) const CHECKPOINT_PAGES: i64 = 16_384;

/// What is told on the way of a long restore, every so many bytes and records.
const TOLD_BYTES: u64 = 256 << 20;
const TOLD_RECORDS: u64 = 10_000;

/// The promise that the main file is left alone; broken when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Hold(Option<Arc<AtomicBool>>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(kept) = &self.0 {
            kept.store(false, Ordering::SeqCst);
        }
    }
}

/// The main file as it is at one record, to be read from its start to its end.
#[derive(Debug)]
pub struct Frozen {
    /// What it is of.
    pub base: Base,
    /// Its size.
    pub bytes: u64,
    file: Arc<File>,
    read: u64,
    kept: Arc<AtomicBool>,
}

impl Read for Frozen {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.read)?;
        self.read += read as u64;
        match self.kept.load(Ordering::SeqCst) {
            true => Ok(read),
            false => Err(io::Error::other("the state file was written meanwhile")),
        }
    }
}

impl State {
    /// The version of the fold, as snapshots name it.
    pub const fn fold() -> u32 {
        FOLD.unsigned_abs()
    }

    /// Holds the main file still for a snapshot. None while that cannot be: somebody reads from the log, or another
    /// generation grows.
    pub fn freeze(&mut self, at: Timestamp) -> Result<Option<Frozen>> {
        let Some(position) = self.position()?.filter(|_| self.hold.0.is_none()) else { return Ok(None) };
        if self.reindexing()?.is_some() {
            return Ok(None);
        }
        let folded = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        })?;
        if !folded {
            return Ok(None);
        }
        let failed = |error| unusable(&self.path, &error);
        let file = match &self.main {
            Some(file) => file.clone(),
            None => self.main.insert(Arc::new(File::open(&self.path).map_err(failed)?)).clone(),
        };
        let bytes = file.metadata().map_err(failed)?.len();
        let kept = Arc::new(AtomicBool::new(true));
        let journal_bytes = self.journal_bytes()?;
        let base = Base { seq: self.applied()?, position, fold: State::fold(), journal_bytes, at };
        self.connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.hold = Hold(Some(kept.clone()));
        Ok(Some(Frozen { base, bytes, file, read: 0, kept }))
    }

    /// Lets go of the main file.
    pub fn thaw(&mut self) -> Result<()> {
        self.hold = Hold::default();
        self.connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        Ok(())
    }

    /// The size of all segments folded in, as objects.
    pub fn journal_bytes(&self) -> Result<u64> {
        Ok(self.meta("journal_bytes")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// The size of the state as one file, without the log beside it.
    pub fn file_bytes(&self) -> Result<u64> {
        let pages: i64 = self.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let size: i64 = self.connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        Ok((pages * size).unsigned_abs())
    }

    /// Makes the state again, from the newest snapshot that can be used and what the journal holds after it, or from
    /// the journal alone. The old file stays until the new one is complete. What is passed over on the way is told.
    ///
    /// # Errors
    /// A damaged journal; one that was pruned, without a snapshot that can be used.
    pub async fn restore<S: ObjectStore>(
        path: &Path,
        vault_id: &str,
        store: &S,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let mut tried = BTreeSet::new();
        // A writer may have deleted what was listed, and saved another, by the time it is read.
        let others = loop {
            let found = snapshot::snapshots(store).await?;
            for error in found.damaged.iter().filter(|_| tried.is_empty()) {
                tell(&format!("passing over a snapshot: {error}"));
            }
            let (ours, others): (Vec<_>, Vec<_>) =
                found.whole.into_iter().partition(|snapshot| snapshot.base.fold == State::fold());
            let Some(snapshot) = ours.into_iter().find(|snapshot| tried.insert(snapshot.name.clone())) else {
                break others;
            };
            match Self::from_snapshot((path, vault_id), (store, &snapshot), tell).await {
                Err(error) if matches!(error.kind(), Kind::Vault | Kind::Foreign) => {
                    tell(&format!("passing over snapshot `{}`: {error}", snapshot.name));
                }
                done => return done,
            }
        };
        let folded = Self::fold_telling((path, vault_id), store, tell).await;
        match (folded, others.first()) {
            (Err(error), Some(other)) if error.kind() == Kind::Vault => {
                let version = other.base.fold;
                Err(error.hint(format!(
                    "a version of this program that makes state files of fold {version} (this one: {FOLD}) can use \
                     snapshot `{}`",
                    other.name
                )))
            }
            (folded, _) => folded,
        }
    }

    async fn from_snapshot<S: ObjectStore>(
        (path, vault_id): (&Path, &str),
        (store, snapshot): (&S, &Snapshot),
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let fold = beside(path, "fold");
        delete(&fold)?;
        tell(&format!(
            "restoring record {} from its snapshot ({} MB)",
            snapshot.base.seq,
            snapshot.bytes >> 20
        ));
        write(&fold, (store, snapshot), tell).await?;
        let is_ours =
            matches!(examine(&fold)?, Found::Fold(version, id) if version == FOLD && id == vault_id);
        let fresh = Self::create_or_open(&fold, vault_id)?;
        if !is_ours || fresh.applied()? != snapshot.base.seq {
            return Err(Error::new(Kind::Vault, "it is not the state file that its manifest describes"));
        }
        fresh.take_over(path, store, tell).await
    }

    /// Makes a new state file at `path` as it was at a moment of the past.
    pub async fn restore_past<S: ObjectStore>(
        (path, vault_id): (&Path, &str),
        store: &S,
        until: Until,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        let found = snapshot::snapshots(store).await?;
        let fits = |saved: &&Snapshot| {
            saved.base.fold == State::fold() && until.holds(saved.base.seq, saved.base.at)
        };
        let mut state = None;
        for saved in found.whole.iter().filter(fits) {
            match Self::unpack((path, vault_id), store, saved).await {
                Err(error) if error.kind() == Kind::Vault => {
                    tell(&format!("passing over snapshot `{}`: {error}", saved.name));
                }
                unpacked => {
                    state = Some(unpacked?);
                    break;
                }
            }
        }
        let mut state = match (state, vault::start(store).await?) {
            (Some(state), _) => state,
            (None, None) => Self::create_or_open(path, vault_id)?,
            (None, Some(first)) => {
                let oldest = found.whole.last().map_or(0, |saved| saved.base.seq.get());
                let text =
                    format!("restoring the past: the journal was pruned before segment {}", first.ordinal);
                return Err(Error::new(Kind::Vault, text)
                    .hint(format!("ask for record {oldest} or a later one: that is the oldest snapshot")));
            }
        };
        state.catch_up_until(store, until).await?;
        delete(&generation::next_to(path))?;
        if !matches!(until, Until::Now) {
            let sql = "INSERT OR REPLACE INTO meta SELECT 'past', value FROM meta WHERE key = 'applied_seq'";
            state.connection.execute(sql, [])?;
        }
        Ok(state)
    }

    /// Writes a snapshot out as a state file at `path`.
    pub async fn unpack<S: ObjectStore>(
        (path, vault_id): (&Path, &str),
        store: &S,
        saved: &Snapshot,
    ) -> Result<Self> {
        delete(path)?;
        write(path, (store, saved), &|_| {}).await?;
        Self::checked((path, vault_id), saved)
    }

    /// Opens a file that was written from a snapshot, if it is what the manifest says.
    fn checked((path, vault_id): (&Path, &str), saved: &Snapshot) -> Result<Self> {
        let is_ours = matches!(examine(path)?, Found::Fold(version, id) if version == FOLD && id == vault_id);
        let state = Self::create_or_open(path, vault_id)?;
        match is_ours && state.applied()? == saved.base.seq {
            true => Ok(state),
            false => Err(Error::new(Kind::Vault, "it is not the state file that its manifest describes")),
        }
    }

    /// Brings a file that was made beside the old one up to date, and puts it in its place. Vectors are taken over
    /// where they can be read: they belong to texts, not to records.
    pub(super) async fn take_over<S: ObjectStore>(
        mut self,
        path: &Path,
        store: &S,
        tell: &dyn Fn(&str),
    ) -> Result<Self> {
        self.catch_up_telling(store, tell).await?;
        self.merge_indexes()?;
        // A cache that cannot be read has no vectors worth stopping for: they are computed again.
        self.adopt_vectors(path).ok();
        let made = self.path.clone();
        let mut state = self.take_the_place_of(path)?;
        delete(&generation::next_to(&made))?;
        state.catch_up(store).await?;
        Ok(state)
    }

    /// As `catch_up`, for a journal that may be long.
    pub async fn catch_up_telling<S: ObjectStore>(&mut self, store: &S, tell: &dyn Fn(&str)) -> Result<()> {
        self.resume_generation()?;
        let position = self.position()?;
        let mut told = self.applied()?.get();
        vault::read(store, position, |segment| {
            self.advance(&segment)?;
            let last = segment.last_seq().get();
            if last >= told + TOLD_RECORDS {
                tell(&format!("folded to record {last}"));
                told = last;
            }
            Ok::<_, Error>(())
        })
        .await?;
        Ok(())
    }

    /// Folds on up to a record or a moment, and no further. Gives the last record folded in.
    pub async fn catch_up_until<S: ObjectStore>(&mut self, store: &S, until: Until) -> Result<Seq> {
        let position = self.position()?;
        let mut reached = false;
        vault::read(store, position, |mut segment| {
            let before = segment.entries.len();
            let fits = segment.entries.iter().take_while(|entry| until.holds(entry.seq, entry.at)).count();
            if !reached && fits > 0 {
                segment.entries.truncate(fits);
                self.advance(&segment)?;
            }
            reached |= fits < before;
            Ok::<_, Error>(())
        })
        .await?;
        self.applied()
    }
}

/// Up to where the journal is folded for a look at the past.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// This record, included.
    Seq(Seq),
    /// The last record before the first that was written after this moment.
    Time(Timestamp),
    /// All there is.
    Now,
}

impl Until {
    /// Whether an entry still belongs to it.
    pub fn holds(self, seq: Seq, at: Timestamp) -> bool {
        match self {
            Until::Seq(last) => seq <= last,
            Until::Time(last) => at <= last,
            Until::Now => true,
        }
    }
}

async fn write<S: ObjectStore>(
    path: &Path,
    (store, saved): (&S, &Snapshot),
    tell: &dyn Fn(&str),
) -> Result<()> {
    let failed = |error| unusable(path, &error);
    let mut file = File::create(path).map_err(failed)?;
    let (mut written, mut told) = (0, 0);
    snapshot::restore(store, saved, |bytes| {
        file.write_all(bytes).map_err(failed)?;
        written += bytes.len() as u64;
        if written >= told + TOLD_BYTES {
            tell(&format!("restored {} of {} MB", written >> 20, saved.bytes >> 20));
            told = written;
        }
        Ok::<_, Error>(())
    })
    .await
}
