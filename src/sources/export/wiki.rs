//! The rows of an export as a wiki: which objects are pages, which versions they have, who may see them.
//!
//! It must not read files. Invariant: every content object is either listed (as a page, or as a version of
//! one) or counted as skipped with its reason.

use super::index::{Class, Content, Index, Who};
use crate::sources::{PAGE_CAP, Skipped, slices::Around};
use knowledge::id::{PersonKey, SpaceKey};
use knowledge::page::{Attachment, Person, Space};
use std::collections::{BTreeMap, BTreeSet};

/// A listed page: its current object and its older versions.
#[derive(Clone, Debug)]
pub(crate) struct Listing {
    /// Position of the current object in `Index::contents`.
    pub(crate) current: u32,
    pub(crate) version: u32,
    pub(crate) space: u64,
    /// Number and object of older versions, oldest first.
    pub(crate) history: Vec<(u32, u32)>,
}

/// An export as a wiki.
pub(crate) struct Wiki {
    pub(crate) index: Index,
    /// By id.
    pub(crate) pages: Vec<Listing>,
    pub(crate) around: Around,
    /// Position in `pages` by content id.
    pub(crate) by_id: BTreeMap<u64, u32>,
    pub(crate) labels: BTreeMap<u64, BTreeSet<String>>,
    pub(crate) attachments: BTreeMap<u64, Vec<Attachment>>,
    pub(crate) quoted: BTreeMap<u64, String>,
    user_keys: BTreeMap<String, String>,
}

/// Longer chains of parents or of original versions are circles: real trees are some dozens deep.
pub(crate) const DEEP: usize = 100;

impl Wiki {
    pub(crate) fn new(mut index: Index) -> Self {
        let mut skipped = std::mem::take(&mut index.skipped);
        let user_keys =
            index.users.iter().map(|(key, user)| (user.name.to_lowercase(), key.clone())).collect();
        let mut wiki = Self {
            index,
            pages: Vec::new(),
            around: Around::default(),
            by_id: BTreeMap::new(),
            labels: BTreeMap::new(),
            attachments: BTreeMap::new(),
            quoted: BTreeMap::new(),
            user_keys,
        };
        wiki.list_pages(&mut skipped);
        wiki.list_comments(&mut skipped);
        wiki.list_history(&mut skipped);
        wiki.check_parents(&mut skipped);
        wiki.hang_labels();
        wiki.hang_properties();
        wiki.hang_files(&mut skipped);
        wiki.around.people = wiki.people();
        wiki.around.spaces = wiki.spaces();
        wiki.around.layers = super::rights::layers(&wiki, &mut skipped);
        wiki.around.skipped = skipped;
        wiki
    }

    pub(crate) fn content(&self, row: u32) -> &Content {
        &self.index.contents[row as usize]
    }

    /// The listed page with this content id.
    pub(crate) fn page(&self, id: u64) -> Option<&Listing> {
        self.by_id.get(&id).map(|&at| &self.pages[at as usize])
    }

    /// The id of the current version of a content, through however many steps the export takes to say it.
    pub(crate) fn current_of(&self, id: u64) -> u64 {
        let mut at = id;
        for _ in 0..DEEP {
            let Some(content) = self.index.by_id.get(&at).map(|&row| self.content(row)) else { return at };
            match self.original_of(content) {
                Some(original) => at = original,
                None => return at,
            }
        }
        at
    }

    fn original_of(&self, content: &Content) -> Option<u64> {
        let original = content.original.or_else(|| self.index.older.get(&content.id).copied());
        original.filter(|original| *original != content.id)
    }

    /// Rows that are not hidden behind an earlier one of the same id.
    fn rows(&self) -> impl Iterator<Item = (u32, &Content)> + '_ {
        self.index.by_id.values().map(|&row| (row, self.content(row)))
    }

    fn list_pages(&mut self, skipped: &mut Skipped) {
        let only = match self.index.spaces.len() {
            1 => self.index.spaces.keys().next().copied(),
            _ => None,
        };
        let mut pages = Vec::new();
        for (row, content) in self.rows().filter(|(_, content)| content.kind != Class::Comment) {
            if self.original_of(content).is_some() {
                continue;
            }
            if self.is_passed_over(content, skipped) {
                continue;
            }
            match self.space_of(content).or(only) {
                _ if content.title.is_empty() => skipped.add("page without a title"),
                None => skipped.add("page without a space"),
                Some(space) => pages.push(Listing { current: row, version: 0, space, history: Vec::new() }),
            }
        }
        for page in pages {
            self.by_id.insert(self.content(page.current).id, self.pages.len() as u32);
            self.pages.push(page);
        }
    }

    /// Whether a page or comment is not listed, and counts why.
    fn is_passed_over(&self, content: &Content, skipped: &mut Skipped) -> bool {
        if let Some(reason) = passed_over(content) {
            skipped.add(&reason);
            return true;
        }
        let over = self.is_over_cap(content);
        if over {
            skipped.lost(&crate::sources::too_large(), &content.id.to_string());
        }
        over
    }

    fn is_over_cap(&self, content: &Content) -> bool {
        content.body.is_some_and(|body| self.index.bodies[body as usize].span.length > PAGE_CAP)
    }

    /// A page's space, or that of the nearest page above that has one.
    fn space_of(&self, content: &Content) -> Option<u64> {
        let mut at = content;
        for _ in 0..DEEP {
            if let Some(space) = at.space.filter(|space| self.index.spaces.contains_key(space)) {
                return Some(space);
            }
            at = self.content(*self.index.by_id.get(&at.parent?)?);
        }
        None
    }

    fn list_comments(&mut self, skipped: &mut Skipped) {
        let mut comments = Vec::new();
        for (row, content) in self.rows().filter(|(_, content)| content.kind == Class::Comment) {
            if self.original_of(content).is_some() {
                continue;
            }
            if self.is_passed_over(content, skipped) {
                continue;
            }
            match self.stands_on(content).and_then(|page| self.page(page)) {
                None => skipped.add("comment on something that is not listed"),
                Some(page) => {
                    let space = page.space;
                    comments.push(Listing { current: row, version: 0, space, history: Vec::new() });
                }
            }
        }
        self.pages.extend(comments);
        self.pages.sort_by_key(|page| self.index.contents[page.current as usize].id);
        let ids = self.pages.iter().enumerate().map(|(i, page)| (self.content(page.current).id, i as u32));
        self.by_id = ids.collect();
    }

    /// The page or blog post a comment stands on; a reply may only name the comment above it.
    pub(crate) fn stands_on(&self, comment: &Content) -> Option<u64> {
        let mut at = comment;
        for _ in 0..DEEP {
            let above = at.container.or(at.parent)?;
            let above = self.current_of(above);
            at = self.content(*self.index.by_id.get(&above)?);
            if at.kind != Class::Comment {
                return Some(above);
            }
        }
        None
    }

    fn list_history(&mut self, skipped: &mut Skipped) {
        let mut older: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
        for (row, content) in self.rows().filter(|(_, content)| self.original_of(content).is_some()) {
            let current = self.current_of(content.id);
            let reason = passed_over(content).map(|reason| format!("old version of a page: {reason}"));
            let reason = reason.or_else(|| self.is_over_cap(content).then(crate::sources::too_large));
            match (reason, self.page(current), content.version) {
                (Some(reason), ..) => skipped.add(&reason),
                (None, None, _) => skipped.add("old version of a page that is not listed"),
                (None, Some(_), None) => skipped.add("old version without a number"),
                (None, Some(_), Some(version)) => older.entry(current).or_default().push((version, row)),
            }
        }
        for at in 0..self.pages.len() {
            let content = self.content(self.pages[at].current);
            let (id, version) = (content.id, content.version);
            let mut history = older.remove(&id).unwrap_or_default();
            // Of two with one number, the one written later.
            history
                .sort_by_key(|&(version, row)| (version, self.content(row).modified, self.content(row).id));
            let found = history.len();
            let last = history.last().map_or(0, |(version, _)| *version);
            let current = version.unwrap_or(last.saturating_add(1));
            history.retain(|(version, _)| *version < current);
            skipped.count(
                "old version that is numbered like the current one or later",
                (found - history.len()) as u32,
            );
            let found = history.len();
            let mut unique: Vec<(u32, u32)> = Vec::with_capacity(found);
            for (version, row) in history {
                match unique.last_mut() {
                    Some(known) if known.0 == version => known.1 = row,
                    _ => unique.push((version, row)),
                }
            }
            skipped.count("old version whose number another one has", (found - unique.len()) as u32);
            self.pages[at].history = unique;
            self.pages[at].version = current;
        }
    }

    fn check_parents(&self, skipped: &mut Skipped) {
        let lost = self.below_unknown().count();
        skipped.count("place above a page that is not in the export (nobody passes)", lost as u32);
        let empty = self.pages.iter().filter(|page| self.content(page.current).body.is_none()).count();
        skipped.count("page without a body (listed as empty)", empty as u32);
    }

    /// Pages right below something that is not listed, or that is said to be below itself.
    pub(crate) fn below_unknown(&self) -> impl Iterator<Item = u64> + '_ {
        let pages = self.pages.iter().map(|page| self.content(page.current));
        let is_lost = |content: &&Content| {
            let lost = |parent: u64| parent == content.id || self.page(parent).is_none();
            content.kind == Class::Page && content.parent.is_some_and(lost)
        };
        pages.filter(is_lost).map(|content| content.id)
    }

    fn hang_labels(&mut self) {
        for (content, label) in &self.index.labellings {
            if let Some(name) = self.index.labels.get(label) {
                self.labels.entry(*content).or_default().insert(name.clone());
            }
        }
    }

    /// Properties find their owners: they name them, or are named by them.
    fn hang_properties(&mut self) {
        let mut owners: BTreeMap<u64, u64> = BTreeMap::new();
        let contents = self.index.contents.iter().map(|content| (content.id, &content.properties));
        let files = self.index.files.iter().map(|file| (file.id, &file.properties));
        for (owner, properties) in contents.chain(files) {
            owners.extend(properties.iter().map(|property| (*property, owner)));
        }
        let mut values: BTreeMap<(u64, &str), String> = BTreeMap::new();
        for property in std::mem::take(&mut self.index.properties) {
            if let Some(owner) = property.owner.or_else(|| owners.get(&property.id).copied()) {
                values.insert((owner, property.name), property.value);
            }
        }
        for file in &mut self.index.files {
            file.media_type = file.media_type.take().or_else(|| values.remove(&(file.id, "media type")));
            file.size = file.size.or_else(|| values.remove(&(file.id, "size"))?.parse().ok());
        }
        let quoted = values.into_iter().filter(|((_, name), _)| *name == "quoted");
        self.quoted = quoted.map(|((owner, _), value)| (owner, value)).collect();
    }

    fn hang_files(&mut self, skipped: &mut Skipped) {
        for file in std::mem::take(&mut self.index.files) {
            let page = self.current_of(file.container);
            if self.page(page).is_none() {
                skipped.add("attachment of something that is not listed");
                continue;
            }
            let by = file.by.map(|who| self.key_of(who));
            self.attachments.entry(page).or_default().push(Attachment {
                name: file.name,
                media_type: file.media_type,
                size_bytes: file.size,
                uploaded: file.uploaded,
                by,
            });
        }
        self.attachments.values_mut().for_each(|files| files.sort_by(|a, b| a.name.cmp(&b.name)));
    }

    /// A person's key: the user key, or the user name where the export has no such user.
    pub(crate) fn key_of(&self, who: Who) -> PersonKey {
        match who {
            Who::Key(word) => PersonKey::new(self.index.word(word)),
            Who::Name(word) => {
                let name = self.index.word(word);
                PersonKey::new(self.user_keys.get(&name.to_lowercase()).map_or(name, String::as_str))
            }
        }
    }

    pub(crate) fn space_key(&self, id: u64) -> SpaceKey {
        SpaceKey::new(self.index.spaces.get(&id).map_or("", |space| space.key.as_str()))
    }

    fn people(&self) -> Vec<Person> {
        let mut people: BTreeMap<PersonKey, Person> = BTreeMap::new();
        for (key, user) in &self.index.users {
            let account = self.index.full_names.get(&user.name.to_lowercase());
            let full = user.full_name.clone().or_else(|| account.map(|(name, _)| name.clone()));
            let email = user.email.clone().or_else(|| account.and_then(|(_, email)| email.clone()));
            let shown = full.or_else(|| Some(user.name.clone()).filter(|name| !name.is_empty()));
            let name = shown.unwrap_or_else(|| key.clone());
            let also = [Some(user.name.clone()), email, user.account.clone()];
            let also: BTreeSet<String> =
                also.into_iter().flatten().filter(|also| !also.is_empty() && *also != name).collect();
            let key = PersonKey::new(key);
            people.insert(key.clone(), Person { key, name, also: also.into_iter().collect() });
        }
        // Exports before Confluence 5.3 name people and have no objects for them.
        for who in
            self.index.contents.iter().flat_map(|content| content.creator.iter().chain(&content.editor))
        {
            let key = self.key_of(*who);
            if let (Who::Name(_), false) = (who, people.contains_key(&key)) {
                let account = self.index.full_names.get(&key.as_str().to_lowercase());
                let name = account.map_or_else(|| key.as_str().to_owned(), |(name, _)| name.clone());
                people.insert(key.clone(), Person { key, name, also: Vec::new() });
            }
        }
        people.into_values().collect()
    }

    fn spaces(&self) -> Vec<Space> {
        let listed: BTreeSet<u64> = self.pages.iter().map(|page| page.space).collect();
        let spaces = self.index.spaces.iter().filter(|(id, _)| listed.contains(id));
        let mut spaces: Vec<_> =
            spaces.map(|(_, row)| Space { key: SpaceKey::new(&row.key), name: row.name.clone() }).collect();
        spaces.sort();
        spaces.dedup_by(|a, b| a.key == b.key);
        spaces
    }
}

/// Why a content is not listed, by its status. Archived pages are passed over too: Confluence takes them out
/// of the tree and out of search, and says by it that they no longer hold.
fn passed_over(content: &Content) -> Option<String> {
    match &*content.status {
        "" | "current" => None,
        "draft" => Some("draft".into()),
        "trashed" | "deleted" => Some("page in the trash".into()),
        "archived" => Some("archived page".into()),
        other => Some(format!("page with the status `{}`", other.chars().take(32).collect::<String>())),
    }
}
