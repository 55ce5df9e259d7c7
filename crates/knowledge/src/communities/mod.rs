//! Communities: entities that have more to do with each other than with the rest, in two levels. It must not know how
//! facts are stored or who may see them; whoever asks hands in the facts that count.
//!
//! Everything is computed for each island alone (entities that facts connect, with no fact to any other), from
//! entities in the order of their ids, in whole numbers and without chance. So the communities of an island follow
//! from its facts and from nothing else: not from the order in which facts came, not from what was there before, not
//! from other islands. Where nothing changed nothing needs to be computed, and what is kept is what a fresh run would
//! find.
//!
//! The algorithm is that of Traag, Waltman and van Eck, "From Louvain to Leiden: guaranteeing well-connected
//! communities" (2019), on the modularity of Blondel and others (2008), with the best choice in the place of a drawn
//! one (`leiden.rs`). Invariant: every entity with a fact to another one is in exactly one community of the upper
//! level, and every community is connected by its own facts.

mod graph;
#[cfg(test)]
mod laws;
mod leiden;

use crate::id::{CommunityId, EntityId, IslandId};
use graph::Graph;
use std::collections::BTreeMap;

/// The version of the rules by which communities are made.
pub const COMMUNITIES: u32 = 1;

/// A fact of one entity about another one, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tie {
    /// One end.
    pub one: EntityId,
    /// The other end.
    pub other: EntityId,
    /// How many facts.
    pub facts: u32,
}

/// Entities that facts connect, none of which has a fact to any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Island {
    /// The entities, in the order of their ids.
    entities: Vec<EntityId>,
    /// Pairs of them by position, the smaller first, in order, each once, with the number of facts.
    ties: Vec<(u32, u32, u32)>,
}

/// An entity in a community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The entity.
    pub entity: EntityId,
    /// Its facts to others in the community.
    pub facts: u32,
}

/// Entities that have more to do with each other than with the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Community {
    /// Its id.
    pub id: CommunityId,
    /// The community of the upper level that it is a part of; none if it is of the upper level.
    pub parent: Option<CommunityId>,
    /// Those with most facts in it first, then by id.
    pub members: Vec<Member>,
    /// Facts between its members.
    pub facts: u32,
}

/// The islands of a graph, by their smallest entity. Ties may be given in any order, either way round, and in pieces;
/// what ties an entity to itself is left out.
pub fn islands(ties: impl IntoIterator<Item = Tie>) -> Vec<Island> {
    let mut pairs: Vec<Tie> = ties.into_iter().filter(|tie| tie.one != tie.other && tie.facts > 0).collect();
    for tie in &mut pairs {
        if tie.other < tie.one {
            std::mem::swap(&mut tie.one, &mut tie.other);
        }
    }
    pairs.sort_unstable();
    pairs.dedup_by(|next, kept| {
        let same = (next.one, next.other) == (kept.one, kept.other);
        if same {
            kept.facts = kept.facts.saturating_add(next.facts);
        }
        same
    });
    let mut entities: Vec<EntityId> = pairs.iter().flat_map(|tie| [tie.one, tie.other]).collect();
    entities.sort_unstable();
    entities.dedup();
    let place = |entity: &EntityId| entities.partition_point(|known| known < entity);
    let pairs: Vec<(usize, usize, u32)> =
        pairs.iter().map(|tie| (place(&tie.one), place(&tie.other), tie.facts)).collect();
    let roots = roots(entities.len(), pairs.iter().map(|(one, other, _)| (*one, *other)));
    let mut found: BTreeMap<usize, Island> = BTreeMap::new();
    let mut places = Vec::with_capacity(entities.len());
    for (entity, root) in entities.iter().zip(&roots) {
        let island = found.entry(*root).or_insert_with(|| Island { entities: Vec::new(), ties: Vec::new() });
        places.push(island.entities.len() as u32);
        island.entities.push(*entity);
    }
    for (one, other, facts) in pairs {
        if let Some(island) = found.get_mut(&roots[one]) {
            island.ties.push((places[one], places[other], facts));
        }
    }
    found.into_values().collect()
}

/// For each of `count` things the smallest one that it is connected with.
fn roots(count: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Vec<usize> {
    let mut up: Vec<usize> = (0..count).collect();
    let find = |up: &mut Vec<usize>, mut at: usize| {
        while up[at] != at {
            up[at] = up[up[at]];
            at = up[at];
        }
        at
    };
    for (one, other) in pairs {
        let (one, other) = (find(&mut up, one), find(&mut up, other));
        let (smaller, larger) = (one.min(other), one.max(other));
        up[larger] = smaller;
    }
    (0..count).map(|at| find(&mut up, at)).collect()
}

impl Island {
    /// Its id: the same whenever it would be divided the same way.
    pub fn id(&self) -> IslandId {
        let entities: Vec<u8> = self.entities.iter().flat_map(|entity| *entity.0.as_bytes()).collect();
        let ties: Vec<u8> = self
            .ties
            .iter()
            .flat_map(|(one, other, facts)| [one.to_le_bytes(), other.to_le_bytes(), facts.to_le_bytes()])
            .flatten()
            .collect();
        IslandId::of(&[&COMMUNITIES.to_le_bytes(), &entities, &ties])
    }

    /// Its entities, in the order of their ids.
    pub fn entities(&self) -> &[EntityId] {
        &self.entities
    }

    /// Its communities: those of the upper level by their smallest entity, each before its parts.
    pub fn communities(&self) -> Vec<Community> {
        let mut found = Vec::new();
        for upper in self.divided() {
            let community = upper.community(0, None);
            let id = community.id;
            found.push(community);
            if upper.entities.len() <= WHOLE {
                continue;
            }
            let parts = upper.divided();
            if parts.len() > 1 {
                found.extend(parts.iter().map(|part| part.community(1, Some(id))));
            }
        }
        found
    }

    /// The pieces that modularity divides it into, by their smallest entity; each is connected.
    fn divided(&self) -> Vec<Island> {
        let of = leiden::partition(&self.graph());
        let count = of.iter().max().map_or(0, |last| *last as usize + 1);
        let mut pieces = vec![Island { entities: Vec::new(), ties: Vec::new() }; count];
        let mut places = Vec::with_capacity(of.len());
        for (entity, piece) in self.entities.iter().zip(&of) {
            let piece = &mut pieces[*piece as usize];
            places.push(piece.entities.len() as u32);
            piece.entities.push(*entity);
        }
        for (one, other, facts) in &self.ties {
            let (one, other) = (*one as usize, *other as usize);
            if of[one] == of[other] {
                pieces[of[one] as usize].ties.push((places[one], places[other], *facts));
            }
        }
        pieces
    }

    /// Its ties by weight. What hangs on a hub says little about what it belongs to: half the wiki does.
    fn graph(&self) -> Graph {
        let mut neighbours = vec![0_u64; self.entities.len()];
        for (one, other, _) in &self.ties {
            neighbours[*one as usize] += 1;
            neighbours[*other as usize] += 1;
        }
        let weight = |(one, other, facts): &(u32, u32, u32)| {
            let hub = neighbours[*one as usize].max(neighbours[*other as usize]);
            (*one, *other, (u64::from(*facts) * WEIGHT / hub.isqrt()).max(1))
        };
        Graph::of(vec![0; self.entities.len()], self.ties.iter().map(weight).collect())
    }

    fn community(&self, level: u8, parent: Option<CommunityId>) -> Community {
        let mut members: Vec<Member> =
            self.entities.iter().map(|entity| Member { entity: *entity, facts: 0 }).collect();
        for (one, other, facts) in &self.ties {
            members[*one as usize].facts += facts;
            members[*other as usize].facts += facts;
        }
        let smallest: &[u8] = self.entities.first().map_or(&[], |entity| entity.0.as_bytes());
        members.sort_by_key(|member| (std::cmp::Reverse(member.facts), member.entity));
        let facts = self.ties.iter().map(|(.., facts)| facts).sum();
        Community { id: CommunityId::of(&[&[level], smallest]), parent, members, facts }
    }
}

/// What a fact between two that have no other neighbour weighs: weights are whole numbers, and a hub of a million
/// neighbours leaves one of it.
const WEIGHT: u64 = 1_024;
/// A community of so many entities can be read at a glance; a larger one is divided once more.
const WHOLE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    fn entity(number: u32) -> EntityId {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        EntityId(NodeId::from_bytes(bytes))
    }

    fn tie(one: u32, other: u32) -> Tie {
        Tie { one: entity(one), other: entity(other), facts: 1 }
    }

    fn clique(from: u32, to: u32) -> impl Iterator<Item = Tie> {
        (from..to).flat_map(move |one| (one + 1..to).map(move |other| tie(one, other)))
    }

    fn numbers(community: &Community) -> Vec<u32> {
        let number =
            |member: &Member| u32::from_be_bytes(member.entity.0.as_bytes()[..4].try_into().unwrap());
        let mut numbers: Vec<u32> = community.members.iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn two_cliques_with_a_bridge_are_two_communities() {
        let found = islands(clique(0, 5).chain(clique(5, 10)).chain([tie(4, 5)]));
        assert_eq!(found.len(), 1);
        let communities = found[0].communities();
        let members: Vec<Vec<u32>> = communities.iter().map(numbers).collect();
        assert_eq!(members, vec![vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9]]);
        assert_eq!(communities.iter().map(|community| community.facts).collect::<Vec<_>>(), vec![10, 10]);
    }

    #[test]
    fn what_no_fact_connects_is_never_one_community() {
        let found = islands(clique(0, 3).chain(clique(3, 6)));
        assert_eq!(found.iter().map(|island| island.communities().len()).collect::<Vec<_>>(), vec![1, 1]);
    }

    #[test]
    fn a_hub_that_everything_hangs_on_does_not_make_it_one() {
        // Ten groups of six, and a space that all of them are in.
        let groups = (0..10).flat_map(|group| clique(group * 6, group * 6 + 6));
        let communities = islands(groups.chain((0..60).map(|one| tie(one, 100))))[0].communities();
        let upper: Vec<&Community> = communities.iter().filter(|found| found.parent.is_none()).collect();
        assert_eq!(upper.len(), 10);
    }

    #[test]
    fn a_large_community_is_divided_once_more() {
        // A ring of cliques: modularity of the whole joins neighbours (its resolution has a limit).
        let count = 60;
        let ring = (0..count).map(|at| tie(at * 4 + 3, (at + 1) % count * 4));
        let communities =
            islands((0..count).flat_map(|at| clique(at * 4, at * 4 + 4)).chain(ring))[0].communities();
        for upper in communities.iter().filter(|found| found.parent.is_none()) {
            let parts: Vec<&Community> =
                communities.iter().filter(|part| part.parent == Some(upper.id)).collect();
            let mut members: Vec<u32> = parts.iter().flat_map(|part| numbers(part)).collect();
            members.sort_unstable();
            assert!(parts.is_empty() || members == numbers(upper));
            assert!(!parts.is_empty() || upper.members.len() <= WHOLE);
        }
    }
}
