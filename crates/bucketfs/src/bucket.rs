//! The objects of a bucket, as all mounts share them. It must not know files or mounts.
//!
//! The invariant: an object changes only from the generation that its writer saw. Zero stands for "no object yet".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bucket in memory. Cloning gives another handle on the same objects.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    /// The last generation that was given to an object.
    generation: u64,
    objects: BTreeMap<String, Object>,
    /// What is being written and shown to everybody before it is published.
    parts: BTreeMap<String, Arc<Vec<u8>>>,
    shows_parts: bool,
    published: u64,
}

/// One object, as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub generation: u64,
    pub bytes: Arc<Vec<u8>>,
}

impl Bucket {
    /// An empty bucket.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of all objects that were published, without the marks of folders.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let content = self.lock();
        let files = content.objects.iter().filter(|(name, _)| !name.ends_with('/'));
        files.map(|(name, object)| (name.clone(), object.bytes.to_vec())).collect()
    }

    /// How often an object was published.
    pub fn published(&self) -> u64 {
        self.lock().published
    }

    /// Puts an object behind the back of every mount.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut content = self.lock();
        content.generation += 1;
        let object = Object { generation: content.generation, bytes: Arc::new(bytes.to_vec()) };
        content.objects.insert(name.to_owned(), object);
    }

    /// Removes an object behind the back of every mount.
    pub fn remove(&self, name: &str) {
        self.lock().objects.remove(name);
    }

    /// Lets all mounts see what was written of a file before it is closed. Gcsfuse does not; other network file
    /// systems do.
    pub fn show_parts(&self, on: bool) {
        self.lock().shows_parts = on;
    }

    pub(crate) fn object(&self, name: &str) -> Option<Object> {
        let content = self.lock();
        let part = content.parts.get(name).map(|bytes| Object { generation: 0, bytes: Arc::clone(bytes) });
        content.objects.get(name).cloned().or(part)
    }

    pub(crate) fn is_folder(&self, name: &str) -> bool {
        let stem = format!("{name}/");
        let content = self.lock();
        let first = content.objects.range(stem.clone()..).next();
        first.is_some_and(|(found, _)| found.starts_with(&stem))
    }

    pub(crate) fn make_folder(&self, name: &str) {
        self.put(&format!("{name}/"), &[]);
    }

    /// What stands directly in a folder, whose names begin with `stem`: name, and whether it is a folder.
    pub(crate) fn children(&self, stem: &str) -> BTreeMap<String, bool> {
        let content = self.lock();
        let names: BTreeSet<&String> = content.objects.keys().chain(content.parts.keys()).collect();
        let inside =
            names.into_iter().filter_map(|name| name.strip_prefix(stem)).filter(|rest| !rest.is_empty());
        let child = |rest: &str| match rest.split_once('/') {
            Some((folder, _)) => (folder.to_owned(), true),
            None => (rest.to_owned(), false),
        };
        inside.map(child).collect()
    }

    /// Publishes an object if it still has this generation, and gives the new one.
    pub(crate) fn publish(&self, name: &str, from: u64, bytes: &[u8]) -> Option<u64> {
        let mut content = self.lock();
        let now = content.objects.get(name).map_or(0, |object| object.generation);
        if now != from {
            return None;
        }
        content.generation += 1;
        content.published += 1;
        content.parts.remove(name);
        let object = Object { generation: content.generation, bytes: Arc::new(bytes.to_vec()) };
        content.objects.insert(name.to_owned(), object);
        Some(content.generation)
    }

    /// Notes what was written of a file so far, for those who are shown it.
    pub(crate) fn show_part(&self, name: &str, bytes: &[u8]) {
        let mut content = self.lock();
        if content.shows_parts {
            content.parts.insert(name.to_owned(), Arc::new(bytes.to_vec()));
        }
    }

    pub(crate) fn forget_part(&self, name: &str) {
        self.lock().parts.remove(name);
    }

    /// Moves an object over whatever is there.
    pub(crate) fn rename(&self, from: &str, to: &str) -> bool {
        let mut content = self.lock();
        let Some(object) = content.objects.remove(from) else { return false };
        content.generation += 1;
        let generation = content.generation;
        content.objects.insert(to.to_owned(), Object { generation, ..object });
        true
    }

    /// Every change is made in one go, so a panic elsewhere cannot leave the content half-changed.
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_who_saw_the_same_generation_the_second_is_refused() {
        let bucket = Bucket::new();
        let first = bucket.publish("a", 0, b"one").unwrap();
        assert_eq!(bucket.publish("a", 0, b"two"), None);
        assert!(bucket.publish("a", first, b"three").is_some());
        assert_eq!(bucket.objects()["a"], b"three");
        assert_eq!(bucket.published(), 2);
    }

    #[test]
    fn a_folder_is_there_as_long_as_something_is_in_it_or_it_was_made() {
        let bucket = Bucket::new();
        bucket.put("a/b/c", b"x");
        bucket.make_folder("d");
        assert!(bucket.is_folder("a") && bucket.is_folder("a/b") && bucket.is_folder("d"));
        assert!(!bucket.is_folder("a/b/c"));
        let found: Vec<(String, bool)> = bucket.children("").into_iter().collect();
        assert_eq!(found, [("a".to_owned(), true), ("d".to_owned(), true)]);
        assert_eq!(bucket.children("a/b/").into_iter().collect::<Vec<_>>(), [("c".to_owned(), false)]);
    }
}
