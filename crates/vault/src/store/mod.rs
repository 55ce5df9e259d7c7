//! The seam under the vault: a place that keeps objects by name. A store knows nothing of segments or of the
//! chain; it must only be honest about *create if absent*. [`contract`] is the suite every store passes.

mod any;
#[cfg(feature = "cloud")]
mod cloud;
mod contract;
mod dir;
mod memory;
mod mount;
mod refusal;

pub use any::AnyStore;
#[cfg(feature = "cloud")]
pub use cloud::CloudStore;
pub use contract::contract;
pub use dir::DirStore;
pub use memory::MemoryStore;

use crate::error::{Error, Result};
use std::future::Future;

/// The largest object `get` hands over. Segments are far smaller (`INFLATED_CAP` bounds their content, and
/// compressing does not grow it noticeably); an object beyond this is not ours, and reading it would take all
/// memory.
pub const OBJECT_CAP: u64 = 1 << 30;

/// How a creation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object is there now, durably, with these bytes.
    Created,
    /// An object of this name was there before; nothing was changed.
    AlreadyExists,
}

/// A place that keeps objects by name. Names are parts of letters, digits, `.`, `-` and `_`, joined by `/`;
/// no part begins with a dot.
///
/// Errors of kind [`Kind::Later`](crate::Kind::Later) mean "unclear: it may or may not have happened"; every
/// other kind is a refusal.
pub trait ObjectStore: Send + Sync {
    /// Creates an object, unless there is one of this name. `Created` promises durability. Two callers at
    /// once, in any two processes, never both get `Created`, and nobody sees a part of the bytes under this
    /// name.
    fn put_new(&self, key: &str, bytes: &[u8]) -> impl Future<Output = Result<Put>> + Send;

    /// The bytes of an object, or none if there is no object of this name.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>>> + Send;

    /// The names that begin with `prefix` and sort after `after` (bytewise; `""` for all), in order, at most
    /// `limit`.
    fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Removes an object; it is no error if there is none. Only pruning and erasing delete; the journal never
    /// does.
    fn delete(&self, key: &str) -> impl Future<Output = Result<()>> + Send;

    /// Puts these bytes in the place of an object, or makes it. For `HEAD.json` alone, on which nothing depends: of
    /// two writers at once either may win, and a reader at the wrong moment may find nothing.
    fn replace(&self, key: &str, bytes: &[u8]) -> impl Future<Output = Result<()>> + Send;

    /// Whether a name never shows a part of its bytes, to anybody. Where it may, a creation counts only after a look
    /// at the next name: an opener may have seen the part, and passed it.
    fn is_atomic(&self) -> impl Future<Output = bool> + Send {
        async { true }
    }

    /// Sees to it that what is shown under a name is there for all, where a store may show its own machine what it has
    /// not published: before anybody builds on it.
    fn settle(&self, _key: &str) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// What a person calls this object, for messages: its path or its address.
    fn place(&self, key: &str) -> String;
}

/// Refuses names that could leave the store or differ between stores. Ours never do, so it is a mistake of
/// ours.
pub(crate) fn check_key(key: &str) -> Result<()> {
    let sane = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        // 200: the shortest limit of the file systems in use is 255 bytes, and temporary names add a suffix.
        !part.is_empty() && part.len() <= 200 && !part.starts_with('.') && part.bytes().all(plain)
    };
    match key.split('/').all(sane) {
        true => Ok(()),
        false => Err(Error::bug(format!("the object name `{key}` is not made of plain parts joined by `/`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_the_store() {
        for key in ["VAULT.json", "journal/0000000001.jsonl.zst", "a/b/c-d_e.f"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in
            ["", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.b", "a\\b", "C:", "a b", "é", "a\0"]
        {
            assert!(check_key(key).is_err(), "{key}");
        }
        assert!(check_key(&"a".repeat(201)).is_err());
    }
}
