//! The processes of a life: writers, and readers that follow. Each is one future over the production vault, which is
//! dropped where it stands when the process is killed. They must not know what will befall them.

use super::fold::{FOLD, Fold};
use super::ledger::Ledger;
use crate::rng::Rng;
use crate::sea::{Shore, give_way, lock};
use std::sync::{Arc, Mutex};
use vault::snapshot::{self, Base};
use vault::{Error, Kind, Nonce, ObjectStore, Segment, Snapshot, Vault, Writer};

/// How often a process tries what is unclear before it ends.
const PATIENCE: usize = 6;
/// What a part of a snapshot inflates to: small state files have several.
const PART_BYTES: usize = 96;
/// Snapshots that are kept.
const KEPT: usize = 2;

/// One process.
#[derive(Clone)]
pub struct Process {
    /// Its way to the vault.
    pub shore: Shore,
    /// What was promised.
    pub ledger: Arc<Mutex<Ledger>>,
    /// The state file of its machine; none when it was lost.
    pub disk: Arc<Mutex<Option<Fold>>>,
    /// The clock of its machine, in seconds.
    pub clock: Arc<Mutex<i64>>,
    /// What it does.
    pub seed: u64,
}

/// Why a process ended.
pub enum End {
    /// It did all it wanted, or gave up in good order.
    Over,
    /// The vault did what it must not do.
    Wrong(String),
    /// The vault refused.
    Refused(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<String> for End {
    fn from(text: String) -> Self {
        Self::Wrong(text)
    }
}

type Done = Result<(), End>;

impl Process {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    fn now(&self) -> jiff::Timestamp {
        let mut seconds = lock(&self.clock);
        *seconds += 1;
        jiff::Timestamp::from_second(*seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    fn keeps(&self, fold: &Fold) {
        *lock(&self.disk) = Some(fold.clone());
    }

    /// Opens, appends, takes snapshots, prunes, closes: what a job does.
    pub async fn write(self) -> Done {
        let mut rng = Rng::new(self.seed, "writes");
        let mut fold = lock(&self.disk).take().unwrap_or_default();
        catch_up(&self.shore, &mut fold, &self).await?;
        let name = format!("machine-{}", self.shore.machine);
        let (boot, version) = ("boot".to_owned(), "1".to_owned());
        let who = Writer { host: name, boot, pid: self.shore.process, execution: None, version };
        let mut vault = Vault::open(self.shore.clone(), who, Nonce::new(rng.bytes()), self.now()).await?;
        self.ledger().sees("opened");
        catch_up(&self.shore, &mut fold, &self).await?;
        if fold.position != Some(vault.position()) {
            // Somebody opened after us already, or even passed our opening; the next append says so.
            self.ledger().sees("overtaken at the opening");
            return self.append(&mut vault, &mut fold, 1).await;
        }
        self.salvage(&mut vault, &mut fold).await?;
        for _ in 0..rng.between(1, 14) {
            self.act(&mut vault, &mut fold, &mut rng).await?;
        }
        if rng.chance(60) {
            let segment = vault.close::<String>(self.now()).await;
            self.settled(&mut vault, &mut fold, segment).await?;
            self.ledger().sees("closed");
        }
        self.keeps(&fold);
        Ok(())
    }

    async fn act(&self, vault: &mut Vault<Shore>, fold: &mut Fold, rng: &mut Rng) -> Done {
        match rng.weighted(&[10, 3, 1, 1]) {
            0 => self.append(vault, fold, rng.between(1, 3)).await,
            1 => self.save(vault, fold).await,
            2 => self.prune(vault, fold).await,
            _ => {
                self.keeps(fold);
                give_way().await;
                Ok(())
            }
        }
    }

    async fn append(&self, vault: &mut Vault<Shore>, fold: &mut Fold, count: usize) -> Done {
        let records = (0..count).map(|_| self.ledger().record(self.shore.process)).collect();
        let segment = vault.append(self.now(), records).await;
        self.settled(vault, fold, segment).await
    }

    /// Takes in what was written; clears up what is unclear; and when the term is lost, sees that it is lost for good.
    async fn settled(
        &self,
        vault: &mut Vault<Shore>,
        fold: &mut Fold,
        mut end: vault::Result<Segment<String>>,
    ) -> Done {
        for _ in 0..PATIENCE {
            match end {
                Err(error) if error.kind() == Kind::Later => {
                    self.ledger().sees("settled");
                    give_way().await;
                    end = match vault.settle::<String>().await {
                        Ok(None) => return Err(format!("nothing was to be settled after: {error}").into()),
                        Ok(Some(segment)) => Ok(segment),
                        Err(error) => Err(error),
                    };
                }
                _ => break,
            }
        }
        match end {
            Ok(segment) => {
                self.ledger().acknowledges(self.shore.process, &segment)?;
                fold.apply(segment)?;
                Ok(())
            }
            Err(error) if error.kind() == Kind::Fenced => self.stays_fenced(vault, error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Whoever was fenced writes nothing any more, whatever it tries.
    async fn stays_fenced(&self, vault: &mut Vault<Shore>, error: Error) -> Done {
        let asked = self.shore.sea().asked.get(&self.shore.process).copied().unwrap_or(0);
        self.ledger().sees("fenced");
        self.ledger().fenced.insert(self.shore.process, asked);
        let again = vault.append(self.now(), vec!["after the end".to_owned()]).await;
        let closed = vault.close::<String>(self.now()).await;
        match (again, closed) {
            (Err(one), Err(two)) if one == error && two == error => Err(error.into()),
            ends => Err(format!("a fenced writer went on: {ends:?}").into()),
        }
    }

    /// Appends what stands in objects that were passed and are whole by now.
    async fn salvage(&self, vault: &mut Vault<Shore>, fold: &mut Fold) -> Done {
        let found = vault.salvage::<String>().await?;
        let mut again = Vec::new();
        for entry in found.into_iter().flat_map(|(_, entries)| entries) {
            let vault::Event::Record(text) = entry.event else { continue };
            self.ledger().offered.insert(text.clone());
            if !fold.texts()?.contains(text.as_str()) {
                again.push(text);
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        self.ledger().sees("salvaged");
        let segment = vault.append(self.now(), again).await;
        self.settled(vault, fold, segment).await
    }

    async fn save(&self, vault: &Vault<Shore>, fold: &Fold) -> Done {
        let Some(position) = fold.position else { return Ok(()) };
        let at = self.now();
        let base = Base { seq: fold.seq, position, fold: FOLD, journal_bytes: fold.journal_bytes, at };
        let file = fold.to_bytes();
        let size = (file.len() as u64, PART_BYTES);
        let saved = snapshot::save_in_parts(&self.shore, (base, vault.nonce()), size, &file[..]).await;
        let rotated = match saved {
            Ok(_) => snapshot::rotate(&self.shore, FOLD, KEPT).await,
            Err(error) => Err(error),
        };
        match rotated {
            Ok(deleted) => {
                self.ledger().sees(if deleted > 0 { "rotated" } else { "saved" });
                Ok(())
            }
            // A snapshot that could not be saved is tried again another time.
            Err(error) if matches!(error.kind(), Kind::Later | Kind::Halt) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Prunes behind the second newest snapshot whose every part was read.
    async fn prune(&self, vault: &mut Vault<Shore>, fold: &mut Fold) -> Done {
        let mut sound = Vec::new();
        for found in snapshot::snapshots(&self.shore).await?.whole {
            if snapshot::verify_snapshot(&self.shore, &found).await.is_ok() {
                sound.push(found);
            }
        }
        let Some(covering) = sound.get(1) else { return Ok(()) };
        match vault.prune::<String>(self.now(), covering.base.position.ordinal).await {
            Ok((segment, deleted)) => {
                self.ledger().sees(if deleted > 0 { "pruned" } else { "pruned nothing" });
                self.settled(vault, fold, Ok(segment)).await
            }
            // It may be that the record is written and nothing deleted yet: whoever comes next reads it.
            Err(error) if error.kind() == Kind::Fenced => self.stays_fenced(vault, error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Follows the journal for a while.
    pub async fn follow(self) -> Done {
        let mut rng = Rng::new(self.seed, "follows");
        let mut fold = lock(&self.disk).take().unwrap_or_default();
        for _ in 0..rng.between(1, 8) {
            catch_up(&self.shore, &mut fold, &self).await?;
            fold.texts()?;
            self.ledger().sees("followed");
            for _ in 0..rng.between(1, 60) {
                give_way().await;
            }
        }
        self.keeps(&fold);
        Ok(())
    }
}

/// Brings a fold up to the end of the journal: from where it stands, from a snapshot, or from the start.
pub async fn catch_up<S: ObjectStore>(store: &S, fold: &mut Fold, process: &Process) -> Done {
    for _ in 0..PATIENCE {
        let mut wrong = None;
        let end = vault::read(store, fold.position, |segment: Segment<String>| {
            fold.apply(segment).map_err(|text| {
                wrong = Some(text.clone());
                Error::new(Kind::Bug, text)
            })
        });
        match end.await {
            Ok(_) => return Ok(()),
            Err(error) => {
                if let Some(text) = wrong {
                    return Err(End::Wrong(text));
                }
                let is_new = fold.position.is_none() && vault::start(store).await?.is_some();
                match error.kind() {
                    Kind::NotInChain => lock(&process.ledger).sees("discarded"),
                    Kind::Damaged if is_new => {}
                    _ => return Err(error.into()),
                }
                *fold = restored(store, process).await?;
            }
        }
    }
    Err(Error::new(Kind::Later, "catching up did not come to an end").into())
}

/// The newest snapshot that can be used, or nothing where the journal reaches back to its start.
async fn restored<S: ObjectStore>(store: &S, process: &Process) -> Result<Fold, End> {
    let first = vault::start(store).await?;
    for found in snapshot::snapshots(store).await?.whole {
        if first.is_some_and(|first| found.base.position.ordinal < first.ordinal) {
            continue;
        }
        match file(store, &found).await {
            Ok(bytes) => {
                lock(&process.ledger).sees("restored");
                return Ok(Fold::from_bytes(&bytes, &found.base)?);
            }
            Err(error) if error.kind() == Kind::Damaged => {}
            Err(error) => return Err(error.into()),
        }
    }
    match first {
        None => Ok(Fold::default()),
        Some(first) => {
            // The list may have been made before the newest was; nobody may meet this at rest.
            let text = format!("the journal begins at segment {}, and no snapshot reaches it", first.ordinal);
            Err(Error::new(Kind::Later, text).into())
        }
    }
}

async fn file<S: ObjectStore>(store: &S, snapshot: &Snapshot) -> Result<Vec<u8>, Error> {
    let mut file = Vec::new();
    snapshot::restore(store, snapshot, |part| {
        file.extend_from_slice(part);
        Ok::<_, Error>(())
    })
    .await?;
    Ok(file)
}
