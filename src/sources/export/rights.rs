//! Who may see what, as an export tells it. Invariant: what the export leaves open denies.

use super::index::{Class, Permission};
use super::wiki::Wiki;
use crate::sources::Skipped;
use knowledge::audience::{Layer, LayerId, Rule};
use knowledge::id::PageId;
use std::collections::{BTreeMap, BTreeSet};

/// The layers of all listed spaces and of the listed pages that are restricted.
pub(crate) fn layers(wiki: &Wiki, skipped: &mut Skipped) -> Vec<Layer> {
    let mut layers = spaces(wiki, skipped);
    layers.extend(pages(wiki, skipped));
    layers
}

fn spaces(wiki: &Wiki, skipped: &mut Skipped) -> Vec<Layer> {
    let listed: BTreeSet<u64> = wiki.pages.iter().map(|page| page.space).collect();
    let mut layers = BTreeMap::new();
    for id in listed {
        let rule = match wiki.index.viewers.get(&id) {
            Some(viewers) if viewers.everyone => Rule::Everyone,
            Some(viewers) if !viewers.users.is_empty() || !viewers.groups.is_empty() => Rule::Only {
                users: viewers.users.iter().map(|who| wiki.key_of(*who)).collect(),
                groups: viewers.groups.clone(),
            },
            Some(_) | None => {
                skipped.add("space that does not say who may view it (nobody passes)");
                Rule::Unknown
            }
        };
        let id = LayerId::Space(wiki.space_key(id));
        layers.entry(id.clone()).or_insert(Layer { id, rule });
    }
    layers.into_values().collect()
}

fn pages(wiki: &Wiki, skipped: &mut Skipped) -> Vec<Layer> {
    let mut members: BTreeMap<u64, Vec<&Permission>> = BTreeMap::new();
    let sets = wiki.index.sets.iter();
    let named: BTreeMap<u64, u64> =
        sets.flat_map(|(id, set)| set.members.iter().map(|member| (*member, *id))).collect();
    for permission in &wiki.index.permissions {
        let set = permission.set.or_else(|| named.get(&permission.id).copied());
        match set.filter(|set| wiki.index.sets.contains_key(set)) {
            Some(set) => members.entry(set).or_default().push(permission),
            None => skipped.add("restriction whose set is not in the export"),
        }
    }
    // A set names its page, or the page names the set.
    let mut owners: BTreeMap<u64, u64> = BTreeMap::new();
    for content in wiki.index.contents.iter().filter(|content| content.kind != Class::Comment) {
        owners.extend(content.permission_sets.iter().map(|set| (*set, content.id)));
    }
    let mut rules: BTreeMap<u64, Rule> = BTreeMap::new();
    for set in owners.keys().filter(|set| !wiki.index.sets.contains_key(set)) {
        // It may be a view restriction or not; what it says is lost.
        skipped.add("restriction set that is not in the export (nobody passes)");
        rules.insert(owners[set], Rule::Unknown);
    }
    for (id, set) in wiki.index.sets.iter().filter(|(_, set)| set.view) {
        let Some(owner) = set.owner.or_else(|| owners.get(id).copied()) else {
            skipped.add("view restriction that names no page");
            continue;
        };
        let found = members.get(id).map_or(&[][..], Vec::as_slice);
        // An empty set restricts nothing. One whose members are missing from the export does.
        match rule(wiki, found) {
            Some(rule) => drop(rules.insert(owner, rule)),
            None if !set.members.is_empty() || !found.is_empty() => drop(rules.insert(owner, Rule::Unknown)),
            None => {}
        }
    }
    // What stands above it may be closed to anybody: it is a folder, which no export tells, or not current any more.
    rules.extend(wiki.below_unknown().map(|page| (page, Rule::Unknown)));
    let listed = rules.into_iter().filter(|(owner, _)| wiki.page(*owner).is_some());
    listed.map(|(owner, rule)| Layer { id: LayerId::Page(PageId::new(owner.to_string())), rule }).collect()
}

/// The rule of a set; none if it names nobody.
fn rule(wiki: &Wiki, members: &[&Permission]) -> Option<Rule> {
    let users: BTreeSet<_> =
        members.iter().filter_map(|member| member.user).map(|who| wiki.key_of(who)).collect();
    let groups: BTreeSet<String> = members.iter().filter_map(|member| member.group.clone()).collect();
    (!users.is_empty() || !groups.is_empty()).then_some(Rule::Only { users, groups })
}
