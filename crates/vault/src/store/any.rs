//! The stores that a program may be told to use, as one type: the registry. It must not know how a store is set up.

use super::{DirStore, ObjectStore, Put};
use crate::error::Result;

/// A store of one of the kinds there are. A new kind is a line here and a line in each function below.
#[derive(Clone, Debug)]
pub enum AnyStore {
    /// A folder.
    Dir(DirStore),
    /// A bucket.
    #[cfg(feature = "cloud")]
    Cloud(super::CloudStore),
}

/// Calls the same function of whichever store it is.
macro_rules! each {
    ($any:expr, $store:ident => $call:expr) => {
        match $any {
            AnyStore::Dir($store) => $call,
            #[cfg(feature = "cloud")]
            AnyStore::Cloud($store) => $call,
        }
    };
}

impl ObjectStore for AnyStore {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        each!(self, store => store.put_new(key, bytes).await)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        each!(self, store => store.get(key).await)
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        each!(self, store => store.list(prefix, after, limit).await)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        each!(self, store => store.delete(key).await)
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        each!(self, store => store.replace(key, bytes).await)
    }

    async fn is_atomic(&self) -> bool {
        each!(self, store => store.is_atomic().await)
    }

    async fn settle(&self, key: &str) -> Result<()> {
        each!(self, store => store.settle(key).await)
    }

    fn place(&self, key: &str) -> String {
        each!(self, store => store.place(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_store_keeps_the_contract_of_the_one_it_is() {
        let home = tempfile::tempdir().unwrap();
        let mut count = 0;
        crate::store::contract(|| {
            count += 1;
            AnyStore::Dir(DirStore::new(home.path().join(count.to_string())))
        })
        .await;
    }
}
