//! A store that fails as fate wills: killed before, after and in the middle of a put, unclear answers, and
//! puts of the dead that arrive late. It wraps a store that works; nothing in the vault knows.

use crate::disk::Disk;
use crate::fate::{Fates, Manner};
use knowledge::record::Record;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vault::{Entry, Error, Kind, ObjectStore, Put, Result};

/// A name and its bytes.
type Object = (String, Vec<u8>);

/// A store that fails on purpose. Clones are handles on the same store.
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    fates: Fates,
    disk: Disk,
    /// A put that its process did not live to see arrive.
    late: Arc<Mutex<Option<Object>>>,
    /// How long puts take, at most.
    slowest: Duration,
}

impl<S: ObjectStore> FaultyStore<S> {
    /// Wraps a store. Kills inside apply are prepared on `disk`.
    pub fn new(inner: S, fates: Fates, disk: Disk) -> Self {
        Self { inner, fates, disk, late: Arc::default(), slowest: Duration::ZERO }
    }

    /// The same store, whose puts take up to so long.
    #[must_use]
    pub fn slowed(self, slowest: Duration) -> Self {
        Self { slowest, ..self }
    }

    /// Time passes while a segment of this size travels: the same for the same bytes.
    async fn travel(&self, bytes: &[u8]) {
        if !self.slowest.is_zero() {
            let part = u32::from(blake3::hash(bytes).as_bytes()[0]);
            tokio::time::sleep(self.slowest * part / 256).await;
        }
    }

    /// The store that works.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    async fn put_whole(&self, key: &str, bytes: &[u8], entries: &[Entry<Record>]) -> Result<Put> {
        let put = self.inner.put_new(key, bytes).await?;
        if put == Put::Created {
            self.fates.lock().is_durable(entries);
        }
        Ok(put)
    }

    /// What a dead process had sent arrives now, if it was on its way to this name.
    async fn let_the_late_one_in(&self, key: &str) -> Result<()> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner).take();
        match late {
            Some((name, bytes)) if name == key => {
                self.put_whole(key, &bytes, &entries(&bytes)).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn vex(&self, manner: Manner, key: &str, bytes: &[u8], entries: &[Entry<Record>]) -> Result<Put> {
        let unclear = || Error::new(Kind::Later, format!("putting `{key}`: no answer"));
        match manner {
            Manner::Before | Manner::Answering | Manner::Reading | Manner::Interrupted => {
                self.fates.hang().await
            }
            Manner::After => {
                self.put_whole(key, bytes, entries).await?;
                self.fates.hang().await
            }
            Manner::Torn(percent) => {
                self.inner.put_new(key, &bytes[..bytes.len() * percent / 100]).await?;
                self.fates.hang().await
            }
            Manner::Late => {
                *self.late.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((key.to_owned(), bytes.to_vec()));
                self.fates.hang().await
            }
            Manner::Unclear(happens) => {
                if happens {
                    self.put_whole(key, bytes, entries).await?;
                }
                Err(unclear())
            }
            Manner::Refused | Manner::Outage(_) => Err(unclear()),
            Manner::InApply(place) => {
                let put = self.put_whole(key, bytes, entries).await?;
                self.disk.plant(entries, place).map_err(|error| Error::new(Kind::Bug, error.to_string()))?;
                Ok(put)
            }
        }
    }
}

impl<S: ObjectStore> ObjectStore for FaultyStore<S> {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        if self.fates.lock().is_dead() {
            return self.fates.hang().await;
        }
        if !key.starts_with("journal/") {
            self.travel(bytes).await;
            return self.inner.put_new(key, bytes).await;
        }
        self.let_the_late_one_in(key).await?;
        if self.inner.get(key).await?.is_some() {
            return Ok(Put::AlreadyExists);
        }
        self.travel(bytes).await;
        let entries = entries(bytes);
        let manner = self.fates.lock().puts(&entries);
        match manner {
            Some(manner) => self.vex(manner, key, bytes, &entries).await,
            None => self.put_whole(key, bytes, &entries).await,
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let dead = {
            let mut fate = self.fates.lock();
            fate.is_dead() || fate.reads()
        };
        if dead {
            return self.fates.hang().await;
        }
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        if self.fates.lock().is_dead() {
            return self.fates.hang().await;
        }
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.inner.replace(key, bytes).await
    }

    fn place(&self, key: &str) -> String {
        self.inner.place(key)
    }
}

/// The entries of a segment that is being put: the lines after its header. The format is the vault's; what
/// cannot be read is no segment, and no kill is aimed at it.
pub fn entries(bytes: &[u8]) -> Vec<Entry<Record>> {
    let lines = zstd::decode_all(bytes).unwrap_or_default();
    lines.split(|byte| *byte == b'\n').skip(1).filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
