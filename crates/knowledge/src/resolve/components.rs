//! The cut rule: which nodes are one entity, given who was said to be the same and who apart. Pure and
//! order-free. It must not know why anything was decided.

use crate::graph::Key;
use crate::id::NodeId;
use crate::resolve::names::sort_of;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Joins nodes along `same` (pair to weight), strongest first and then by pair, and never puts two nodes
/// together that are `apart` or have different keys of one sort. So one `apart` beats any path of `same`, and
/// what gives way is the weakest link between them. Components are sorted by their smallest node, members
/// within them too.
pub(super) fn components(
    nodes: &BTreeMap<NodeId, Option<Key>>,
    same: &BTreeMap<(NodeId, NodeId), u16>,
    apart: &BTreeSet<(NodeId, NodeId)>,
) -> Vec<Vec<NodeId>> {
    let mut foes: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for (a, b) in apart {
        foes.entry(*a).or_default().push(*b);
        foes.entry(*b).or_default().push(*a);
    }
    let mut home: BTreeMap<NodeId, NodeId> = nodes.keys().map(|node| (*node, *node)).collect();
    let mut members: BTreeMap<NodeId, Vec<NodeId>> = nodes.keys().map(|node| (*node, vec![*node])).collect();
    let mut links: Vec<_> = same.iter().map(|(pair, weight)| (Reverse(*weight), *pair)).collect();
    links.sort_unstable();
    for (_, (a, b)) in links {
        let (Some(&one), Some(&other)) = (home.get(&a), home.get(&b)) else { continue };
        if one == other {
            continue;
        }
        let (small, large) =
            if members[&one].len() < members[&other].len() { (one, other) } else { (other, one) };
        let hostile = |node: &NodeId| {
            foes.get(node).into_iter().flatten().any(|foe| home.get(foe) == Some(&large))
                || key_clash(nodes, *node, &members[&large])
        };
        if members[&small].iter().any(hostile) {
            continue;
        }
        let moved = members.remove(&small).unwrap_or_default();
        moved.iter().for_each(|node| {
            home.insert(*node, large);
        });
        members.entry(large).or_default().extend(moved);
    }
    let mut components: Vec<Vec<NodeId>> = members.into_values().collect();
    components.iter_mut().for_each(|component| component.sort_unstable());
    components.sort_unstable();
    components
}

fn key_clash(nodes: &BTreeMap<NodeId, Option<Key>>, node: NodeId, others: &[NodeId]) -> bool {
    let Some(Some(key)) = nodes.get(&node) else { return false };
    others.iter().filter_map(|other| nodes.get(other)?.as_ref()).any(|other| sort_of(other) == sort_of(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PageId;

    fn id(number: u8) -> NodeId {
        NodeId::of(&[&[number]])
    }

    fn pair(a: u8, b: u8) -> (NodeId, NodeId) {
        (id(a).min(id(b)), id(a).max(id(b)))
    }

    fn grouped(
        count: u8,
        same: &[(u8, u8, u16)],
        apart: &[(u8, u8)],
        pages: &[u8],
    ) -> BTreeSet<BTreeSet<u8>> {
        let key = |n: &u8| pages.contains(n).then(|| Key::Page(PageId::new(n.to_string())));
        let nodes = (0..count).map(|n| (id(n), key(&n))).collect();
        let same = same.iter().map(|(a, b, weight)| (pair(*a, *b), *weight)).collect();
        let apart = apart.iter().map(|(a, b)| pair(*a, *b)).collect();
        let number = |node: &NodeId| (0..count).find(|n| id(*n) == *node).unwrap();
        components(&nodes, &same, &apart).iter().map(|group| group.iter().map(number).collect()).collect()
    }

    #[test]
    fn the_weakest_link_between_two_that_are_apart_gives_way() {
        let groups = grouped(4, &[(0, 1, 900), (1, 2, 700), (2, 3, 900)], &[(0, 3)], &[]);
        assert_eq!(groups, BTreeSet::from([BTreeSet::from([0, 1]), BTreeSet::from([2, 3])]));
    }

    #[test]
    fn two_pages_are_never_one() {
        let groups = grouped(3, &[(0, 1, 1000), (1, 2, 990)], &[], &[0, 2]);
        assert_eq!(groups, BTreeSet::from([BTreeSet::from([0, 1]), BTreeSet::from([2])]));
    }
}
