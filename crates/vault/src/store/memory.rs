//! A store in memory: for tests and for the simulator, which tears and forgets objects through `objects` and
//! `From`. Clones are handles on the same objects. It must not know what the bytes mean.

use super::{ObjectStore, Put, check_key};
use crate::error::Result;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Objects in memory. Cloning gives another handle on the same objects.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of all objects as they are now; `MemoryStore::from` makes an independent store of it.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.lock().clone()
    }

    /// Changes what is in it, behind the back of all who hold a handle: how a test damages a vault.
    pub fn set(&self, objects: BTreeMap<String, Vec<u8>>) {
        *self.lock() = objects;
    }

    /// Every change is a single map operation, so a panic elsewhere cannot leave the map half-changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<BTreeMap<String, Vec<u8>>> for MemoryStore {
    fn from(objects: BTreeMap<String, Vec<u8>>) -> Self {
        Self { objects: Arc::new(Mutex::new(objects)) }
    }
}

impl ObjectStore for MemoryStore {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        check_key(key)?;
        let mut objects = self.lock();
        if objects.contains_key(key) {
            return Ok(Put::AlreadyExists);
        }
        objects.insert(key.to_owned(), bytes.to_vec());
        Ok(Put::Created)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        check_key(key)?;
        Ok(self.lock().get(key).cloned())
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        // Names that begin with the prefix are never smaller than it, so the later of the two bounds is the
        // start.
        let start = match after < prefix {
            true => Bound::Included(prefix),
            false => Bound::Excluded(after),
        };
        let objects = self.lock();
        let names = objects.range::<str, _>((start, Bound::Unbounded)).map(|(key, _)| key);
        Ok(names.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.lock().remove(key);
        Ok(())
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        check_key(key)?;
        self.lock().insert(key.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn place(&self, key: &str) -> String {
        format!("memory:{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        crate::store::contract(MemoryStore::new).await;
    }
}
