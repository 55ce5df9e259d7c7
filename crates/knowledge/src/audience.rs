//! Who may see what: an AND of layers, each an OR of users and groups (reference: Confluence's restriction rules).
//! Layers are kept by reference, so one restriction on an ancestor is one record and not one per page below it.

use crate::id::{PageId, PersonKey, SpaceKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a layer of restrictions hangs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerId {
    /// The right to view a space.
    Space(SpaceKey),
    /// The view restriction on a page; it holds for everything below that page too.
    Page(PageId),
}

/// Who passes a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Nothing is restricted here.
    Everyone,
    /// Only these users and the members of these groups.
    Only {
        /// Users by key.
        users: BTreeSet<PersonKey>,
        /// Groups by name.
        groups: BTreeSet<String>,
    },
    /// The source could not tell: nobody passes.
    Unknown,
}

/// One layer and its rule, as a source lists it. `Everyone` removes a restriction that was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// What it hangs on.
    pub id: LayerId,
    /// Who passes.
    pub rule: Rule,
}

/// A group and who belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group {
    /// The name, as rules use it.
    pub name: String,
    /// Its members, those of groups inside it included.
    pub members: BTreeSet<PersonKey>,
}
