//! The independent evaluator: who may see what, from plain trees, groups and doors. It knows nothing of the product.

use knowledge::page::{PageKind, RawPage};
use std::collections::{BTreeMap, BTreeSet};

/// Who passes a door; what nobody has said restricts nobody.
#[derive(Clone, Debug, PartialEq)]
pub enum Door {
    For { users: BTreeSet<String>, groups: BTreeSet<String> },
    Nobody,
}

/// A page, a comment or an attached file, with all its versions.
#[derive(Clone, Debug)]
pub struct Item {
    pub space: String,
    pub kind: PageKind,
    pub parent: Option<String>,
    pub versions: Vec<RawPage>,
    pub gone: bool,
}

/// A wiki on one day.
#[derive(Clone, Debug, Default)]
pub struct Wiki {
    pub items: BTreeMap<String, Item>,
    pub folders: BTreeMap<String, Option<String>>,
    /// Doors of spaces (`space:KEY`) and of pages and folders (`page:ID`).
    pub doors: BTreeMap<String, Door>,
    pub groups: BTreeMap<String, BTreeSet<String>>,
    pub people: BTreeMap<String, String>,
}

/// The independent evaluator: walks up, one step at a time, and stops at the first door that is closed.
pub fn may_see(wiki: &Wiki, user: &str, page: &str) -> bool {
    if !wiki.groups.values().any(|members| members.contains(user)) {
        return false;
    }
    let open = |door: &str| match wiki.doors.get(door) {
        None => true,
        Some(Door::Nobody) => false,
        Some(Door::For { users, groups }) => {
            users.contains(user)
                || groups.iter().any(|group| wiki.groups.get(group).is_some_and(|all| all.contains(user)))
        }
    };
    let mut here = page.to_owned();
    // Nobody knows the door of a page that is gone: whoever is there and stands below it is not shown.
    let mut is_there = false;
    for _ in 0..1_000 {
        if !open(&format!("page:{here}")) {
            return false;
        }
        let above = if let Some(item) = wiki.items.get(&here) {
            if !open(&format!("space:{}", item.space)) || (item.gone && is_there) {
                return false;
            }
            is_there = !item.gone;
            match &item.kind {
                PageKind::Comment { on, .. } | PageKind::Attachment { on, .. } => Some(on.to_string()),
                PageKind::Page | PageKind::BlogPost => item.parent.clone(),
            }
        } else if let Some(above) = wiki.folders.get(&here) {
            is_there = true;
            above.clone()
        } else {
            return false;
        };
        match above {
            Some(above) => here = above,
            None => return true,
        }
    }
    false
}
