//! What holds of the communities of any graph, shown on random ones.

use super::*;
use crate::id::NodeId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn entity(number: u32) -> EntityId {
    // Ids are hashes: their order says nothing.
    EntityId(NodeId::of(&[&number.to_le_bytes()]))
}

fn tie((one, other, facts): (u32, u32, u32)) -> Tie {
    Tie { one: entity(one), other: entity(other), facts }
}

/// Groups of equal size with dense ties within and thin ones across, from drawn numbers: group size, then for every
/// pair a number below a hundred.
fn planted(groups: u32, size: u32, draws: &[u8]) -> Vec<Tie> {
    let count = groups * size;
    let pairs = (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other)));
    let keeps = |(one, other): &(u32, u32), draw: u8| {
        let often = if one / size == other / size { 60 } else { 3 };
        draw % 100 < often
    };
    let drawn = pairs.zip(draws.iter().cycle());
    drawn.filter(|(pair, draw)| keeps(pair, **draw)).map(|((one, other), _)| tie((one, other, 1))).collect()
}

fn ties() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    prop::collection::vec((0_u32..60, 0_u32..60, 1_u32..5), 0..160)
}

/// A few draws for every pair of forty.
fn draws() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 780)
}

fn all(ties: &[(u32, u32, u32)]) -> Vec<Community> {
    islands(ties.iter().copied().map(tie)).iter().flat_map(Island::communities).collect()
}

fn members(community: &Community) -> BTreeSet<EntityId> {
    community.members.iter().map(|member| member.entity).collect()
}

/// Whether facts between the members alone lead from each of them to each other.
fn is_connected(community: &Community, ties: &[(u32, u32, u32)]) -> bool {
    let members = members(community);
    let mut reached: BTreeSet<EntityId> = members.first().copied().into_iter().collect();
    loop {
        let before = reached.len();
        for tie in ties.iter().copied().map(tie) {
            if members.contains(&tie.one) && members.contains(&tie.other) {
                if reached.contains(&tie.one) {
                    reached.insert(tie.other);
                } else if reached.contains(&tie.other) {
                    reached.insert(tie.one);
                }
            }
        }
        if reached.len() == before {
            return reached == members;
        }
    }
}

/// Modularity of a division of an island, from -1 to 1.
fn modularity(island: &Island, of: &[u32]) -> f64 {
    let graph = island.graph();
    graph.modularity(of) as f64 / (graph.total() as f64).powi(2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn communities_do_not_depend_on_the_order_of_facts_nor_on_their_direction(
        ties in ties(), shuffle in any::<prop::sample::Index>(), turned in any::<u64>(),
    ) {
        let found = all(&ties);
        let mut other = ties.clone();
        other.reverse();
        if !other.is_empty() {
            let at = shuffle.index(other.len());
            other.rotate_left(at);
        }
        for (at, (one, another, _)) in other.iter_mut().enumerate() {
            if turned >> (at % 64) & 1 == 1 {
                std::mem::swap(one, another);
            }
        }
        prop_assert_eq!(found, all(&other));
        // Nor on whether two facts are told at once or apart.
        let apart: Vec<(u32, u32, u32)> =
            ties.iter().flat_map(|(one, other, facts)| (0..*facts).map(|_| (*one, *other, 1))).collect();
        prop_assert_eq!(all(&ties), all(&apart));
    }

    #[test]
    fn every_entity_with_a_tie_is_in_one_community_and_every_community_is_connected(ties in ties()) {
        let found = all(&ties);
        let tied: BTreeSet<EntityId> = ties
            .iter()
            .filter(|(one, other, _)| one != other)
            .flat_map(|(one, other, _)| [entity(*one), entity(*other)])
            .collect();
        let upper: Vec<EntityId> = found.iter().filter(|found| found.parent.is_none()).flat_map(members).collect();
        prop_assert_eq!(upper.len(), tied.len());
        prop_assert_eq!(upper.into_iter().collect::<BTreeSet<_>>(), tied);
        for community in &found {
            prop_assert!(is_connected(community, &ties), "{:?}", community);
        }
        let mut parts: BTreeMap<CommunityId, Vec<EntityId>> = BTreeMap::new();
        for part in &found {
            if let Some(parent) = part.parent {
                parts.entry(parent).or_default().extend(members(part));
            }
        }
        for (parent, mut inner) in parts {
            inner.sort_unstable();
            let whole = found.iter().find(|found| found.id == parent).map(members).unwrap_or_default();
            prop_assert_eq!(inner, whole.into_iter().collect::<Vec<_>>());
        }
        let ids: BTreeSet<CommunityId> = found.iter().map(|found| found.id).collect();
        prop_assert_eq!(ids.len(), found.len());
    }

    #[test]
    fn modularity_is_never_below_that_of_singletons_and_of_one_whole(ties in ties()) {
        for island in islands(ties.iter().copied().map(tie)) {
            let graph = island.graph();
            let found = graph.modularity(&leiden::partition(&graph));
            let alone: Vec<u32> = (0..graph.len() as u32).collect();
            prop_assert!(found >= graph.modularity(&alone));
            prop_assert!(found >= 0, "that of one whole is zero");
        }
    }

    #[test]
    fn what_changes_on_one_island_leaves_the_others_as_they_are(
        ties in ties(), more in prop::collection::vec((100_u32..120, 100_u32..120, 1_u32..3), 1..30),
    ) {
        let before = islands(ties.iter().copied().map(tie));
        let after = islands(ties.iter().chain(&more).copied().map(tie));
        let kept: BTreeMap<IslandId, Vec<Community>> =
            before.iter().map(|island| (island.id(), island.communities())).collect();
        let same: Vec<&Island> = after.iter().filter(|island| kept.contains_key(&island.id())).collect();
        prop_assert_eq!(same.len(), before.len());
        for island in same {
            // What is kept by the id of an island is what a fresh run finds.
            prop_assert_eq!(&island.communities(), &kept[&island.id()]);
        }
    }

    #[test]
    fn an_island_is_known_by_all_that_divides_it(ties in ties(), which in any::<prop::sample::Index>()) {
        let before: BTreeSet<IslandId> = islands(ties.iter().copied().map(tie)).iter().map(Island::id).collect();
        let mut other = ties.clone();
        if let Some(at) = (!other.is_empty()).then(|| which.index(other.len())) {
            other[at].2 += 1;
            let after: BTreeSet<IslandId> = islands(other.iter().copied().map(tie)).iter().map(Island::id).collect();
            let changed = usize::from(other[at].0 != other[at].1);
            prop_assert_eq!(before.difference(&after).count(), changed);
        }
    }

    #[test]
    fn planted_groups_are_found_as_well_as_whoever_planted_them_knows(draws in draws()) {
        let ties = planted(4, 10, &draws);
        for island in islands(ties) {
            let number = |entity: &EntityId| (0..40).find(|number| *entity == super::laws::entity(*number));
            let truth: Vec<u32> = island.entities().iter().filter_map(number).map(|number| number / 10).collect();
            let graph = island.graph();
            let (found, planted) = (leiden::partition(&graph), modularity(&island, &truth));
            prop_assert!(modularity(&island, &found) >= planted - 0.01, "{} of {planted}", modularity(&island, &found));
        }
    }
}
