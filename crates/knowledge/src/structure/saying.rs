//! A reading in the making. It must not know which rule speaks. Invariants: no mention twice, no claim twice, no claim
//! about itself, and no sentence that the chunk does not hold.

use crate::graph::{Claim, Extractor, Key, Kind, Mention, Object, Reading};
use crate::id::{PageId, PersonKey};
use crate::page::{PageKind, RawPage};
use crate::time::Timestamp;
use std::collections::{HashMap, HashSet};

/// Collects what one chunk says.
pub(super) struct Saying<'a> {
    text: &'a str,
    reading: Reading,
    places: HashMap<Mention, u32>,
    said: HashSet<(u32, String, Object<u32>)>,
}

/// Index of a mention in its reading.
pub(super) type Said = u32;

impl<'a> Saying<'a> {
    /// Nothing yet; `text` is the chunk's.
    pub fn of(text: &'a str) -> Self {
        Saying { text, reading: Reading::default(), places: HashMap::new(), said: HashSet::new() }
    }

    /// Adds a mention, or finds it.
    pub fn mention(&mut self, mention: Mention) -> Said {
        let next = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(mention.clone()).or_insert(next);
        if place == next {
            self.reading.mentions.push(mention);
        }
        place
    }

    /// Whether these words are in the chunk.
    pub fn holds(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// Adds a claim, unless it is said already, says nothing, or its sentence is not in the chunk.
    pub fn claim(&mut self, claim: Stated<'_>) {
        let Stated { subject, relation, object, sentence, valid_at, invalid_at, single } = claim;
        let sentence = sentence.trim();
        let name = &self.reading.mentions[subject as usize].name;
        let nothing = match &object {
            Object::Named(other) => *other == subject,
            // `Batch id: Batch id`, also where the name was made to stand by itself.
            Object::Value(text) => {
                text.is_empty() || name.strip_prefix(text.as_str()).is_some_and(is_addition)
            }
        };
        if nothing || relation.is_empty() || sentence.is_empty() || !self.holds(sentence) {
            return;
        }
        if self.said.insert((subject, relation.to_owned(), object.clone())) {
            self.reading.claims.push(Claim {
                subject,
                relation: relation.to_owned(),
                object,
                sentence: sentence.to_owned(),
                valid_at,
                invalid_at,
                single,
                extractor: Extractor::Structural,
            });
        }
    }

    /// The reading.
    pub fn done(self) -> Reading {
        self.reading
    }
}

/// Nothing, or the page's title in brackets.
fn is_addition(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')')
}

/// A claim on its way in.
pub(super) struct Stated<'a> {
    pub subject: Said,
    pub relation: &'a str,
    pub object: Object<Said>,
    pub sentence: &'a str,
    pub valid_at: Option<Timestamp>,
    pub invalid_at: Option<Timestamp>,
    pub single: bool,
}

impl<'a> Stated<'a> {
    /// A claim without dates that may hold beside others of its kind.
    pub fn new(subject: Said, relation: &'a str, object: Object<Said>, sentence: &'a str) -> Self {
        Stated { subject, relation, object, sentence, valid_at: None, invalid_at: None, single: false }
    }

    /// True in the world since then.
    pub fn since(self, valid_at: Option<Timestamp>) -> Self {
        Stated { valid_at, ..self }
    }
}

/// The page itself.
pub(super) fn this_page(page: &RawPage) -> Mention {
    let (kind, name) = match (&page.kind, page.title.trim()) {
        (PageKind::Comment { .. }, "") => (Kind::new("Comment"), format!("comment {}", page.id)),
        (PageKind::Comment { .. }, title) => (Kind::new("Comment"), title.to_owned()),
        (PageKind::Attachment { .. }, name) => (Kind::new("File"), name.to_owned()),
        (_, "") => (Kind::PAGE, format!("page {}", page.id)),
        (_, title) => (Kind::PAGE, title.to_owned()),
    };
    Mention { name, kind, key: Some(Key::Page(page.id.clone())) }
}

/// A page of the same wiki that is known by id.
pub(super) fn page_by_id(id: &PageId, name: &str) -> Mention {
    Mention { name: name.to_owned(), kind: Kind::PAGE, key: Some(Key::Page(id.clone())) }
}

/// A person.
pub(super) fn person(key: &PersonKey, name: Option<&str>) -> Mention {
    let name = name.map(|name| name.trim_start_matches('@').trim()).filter(|name| !name.is_empty());
    Mention {
        name: name.unwrap_or(key.as_str()).to_owned(),
        kind: Kind::PERSON,
        key: Some(Key::Person(key.clone())),
    }
}
