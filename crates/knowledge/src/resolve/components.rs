//! The cut rule: which nodes are one entity, given who was said to be the same and who apart. Pure and
//! order-free. It must not know why anything was decided.

use crate::graph::{Key, Verdict};
use crate::id::NodeId;
use crate::resolve::bridges::{self, Claim};
use crate::resolve::names::sort_of;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Two nodes, the smaller first.
pub(super) type Pair = (NodeId, NodeId);

/// What decides about the nodes of a region.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Who is the same, by the weight of the strongest reason.
    pub same: BTreeMap<Pair, u16>,
    /// Who is apart.
    pub apart: BTreeSet<Pair>,
    /// What a user said.
    pub ruled: BTreeMap<Pair, Verdict>,
    /// Names of spaces that read like one that is the same everywhere.
    pub claims: Vec<Claim>,
}

/// Joins nodes along what a user said, then along `same`, strongest first and then by pair, and never puts two nodes
/// together that are apart or have different keys of one sort. So one `apart` beats any path of `same`, and what gives
/// way is the weakest link between them; what a user said is one gives way to nothing but his own word. Components are
/// sorted by their smallest node, members within them too.
pub(super) fn components(nodes: &BTreeMap<NodeId, Option<Key>>, links: &Links) -> Vec<Vec<NodeId>> {
    let mut left_out = BTreeSet::new();
    if bridges::may_bridge(&links.claims) {
        let home = cut(nodes, links, &bridges::by_form(&links.claims)).home;
        left_out = bridges::left_out(&links.claims, &home);
    }
    let members = cut(nodes, links, &left_out).members;
    let mut components: Vec<Vec<NodeId>> = members.into_values().collect();
    components.iter_mut().for_each(|component| component.sort_unstable());
    components.sort_unstable();
    components
}

/// The same, but for some pairs that are the same.
fn cut<'a>(nodes: &'a BTreeMap<NodeId, Option<Key>>, links: &Links, left_out: &BTreeSet<Pair>) -> Cut<'a> {
    let ruled =
        |verdict| links.ruled.iter().filter(move |(_, said)| **said == verdict).map(|(pair, _)| *pair);
    let mut cut = Cut::new(nodes);
    cut.part(ruled(Verdict::Apart));
    ruled(Verdict::Same).for_each(|pair| cut.join(pair));
    cut.part(links.apart.iter().copied());
    let counts = links.same.iter().filter(|(pair, _)| !left_out.contains(pair));
    let mut same: Vec<_> = counts.map(|(pair, weight)| (Reverse(*weight), *pair)).collect();
    same.sort_unstable();
    same.into_iter().for_each(|(_, pair)| cut.join(pair));
    cut
}

/// Components on their way.
struct Cut<'a> {
    nodes: &'a BTreeMap<NodeId, Option<Key>>,
    foes: BTreeMap<NodeId, Vec<NodeId>>,
    home: BTreeMap<NodeId, NodeId>,
    members: BTreeMap<NodeId, Vec<NodeId>>,
}

impl<'a> Cut<'a> {
    fn new(nodes: &'a BTreeMap<NodeId, Option<Key>>) -> Self {
        let home = nodes.keys().map(|node| (*node, *node)).collect();
        let members = nodes.keys().map(|node| (*node, vec![*node])).collect();
        Cut { nodes, foes: BTreeMap::new(), home, members }
    }

    /// Keeps these apart from now on, where they are not together.
    fn part(&mut self, pairs: impl Iterator<Item = Pair>) {
        for (a, b) in pairs {
            self.foes.entry(a).or_default().push(b);
            self.foes.entry(b).or_default().push(a);
        }
    }

    /// Puts the components of two nodes together, unless something in them keeps them apart.
    fn join(&mut self, (a, b): Pair) {
        let (Some(&one), Some(&other)) = (self.home.get(&a), self.home.get(&b)) else { return };
        if one == other {
            return;
        }
        let (small, large) = match self.members[&one].len() < self.members[&other].len() {
            true => (one, other),
            false => (other, one),
        };
        let hostile = |node: &NodeId| {
            self.foes.get(node).into_iter().flatten().any(|foe| self.home.get(foe) == Some(&large))
                || key_clash(self.nodes, *node, &self.members[&large])
        };
        if self.members[&small].iter().any(hostile) {
            return;
        }
        let moved = self.members.remove(&small).unwrap_or_default();
        moved.iter().for_each(|node| {
            self.home.insert(*node, large);
        });
        self.members.entry(large).or_default().extend(moved);
    }
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
        grouped_as_ruled(count, (same, apart), pages, &[])
    }

    /// Who is the same, with how much weight, and who is apart.
    type Told<'a> = (&'a [(u8, u8, u16)], &'a [(u8, u8)]);

    fn grouped_as_ruled(
        count: u8,
        (same, apart): Told<'_>,
        pages: &[u8],
        ruled: &[(u8, u8, Verdict)],
    ) -> BTreeSet<BTreeSet<u8>> {
        let key = |n: &u8| pages.contains(n).then(|| Key::Page(PageId::new(n.to_string())));
        let nodes = (0..count).map(|n| (id(n), key(&n))).collect();
        let links = Links {
            same: same.iter().map(|(a, b, weight)| (pair(*a, *b), *weight)).collect(),
            apart: apart.iter().map(|(a, b)| pair(*a, *b)).collect(),
            ruled: ruled.iter().map(|(a, b, verdict)| (pair(*a, *b), *verdict)).collect(),
            claims: Vec::new(),
        };
        let number = |node: &NodeId| (0..count).find(|n| id(*n) == *node).unwrap();
        components(&nodes, &links).iter().map(|group| group.iter().map(number).collect()).collect()
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
    #[test]
    fn what_a_user_says_gives_way_to_nothing_that_others_say() {
        use Verdict::{Apart, Same};
        let texts = (&[(0, 1, 1000), (1, 2, 990)][..], &[(0, 3)][..]);
        let sets = |groups: &[&[u8]]| groups.iter().map(|group| group.iter().copied().collect()).collect();
        let ruled = |ruled| grouped_as_ruled(4, texts, &[], ruled);
        assert_eq!(ruled(&[]), sets(&[&[0, 1, 2], &[3]]));
        assert_eq!(ruled(&[(0, 1, Apart)]), sets(&[&[0], &[1, 2], &[3]]));
        assert_eq!(ruled(&[(0, 2, Apart)]), sets(&[&[0, 1], &[2], &[3]]));
        assert_eq!(ruled(&[(0, 3, Same)]), sets(&[&[0, 1, 2, 3]]));
        assert_eq!(ruled(&[(1, 3, Same)]), sets(&[&[0], &[1, 2, 3]]));
        // His own word alone keeps apart what he joins on the way.
        assert_eq!(ruled(&[(2, 3, Same), (0, 2, Same)]), sets(&[&[0, 1, 2, 3]]));
    }
}
