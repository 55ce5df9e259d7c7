//! Which chunks share a call. It must not know what is asked about them. Invariants: every owed chunk is in exactly one
//! pack, a pack holds chunks of one audience and one round, and the same debt always gives the same packs.

use crate::audience::LayerId;
use crate::extract::estimates::output_room;
use crate::id::ChunkId;
use std::collections::{BTreeMap, BTreeSet};

/// The round in which every chunk is asked alone; whoever fails in it is refused. Whole, whole with the fault named,
/// halves, quarters, alone: a fifth part of the answer would rarely be wrong where a quarter was, and each round more
/// is another call for the same text.
pub const LAST_ROUND: u8 = 4;

/// Most chunks in a pack. Models number and keep apart a few dozen passages reliably; the default pack of 16,000
/// characters holds 17 ordinary chunks, so only packs of one-line pages meet this.
const PACK_CHUNKS: usize = 40;

/// A chunk that no answer was kept for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The chunk.
    pub chunk: ChunkId,
    /// Characters of its text.
    pub chars: usize,
    /// The layers that stand before it, sorted. Packs never mix audiences, since what a model writes about one chunk
    /// may draw on its neighbours.
    pub audience: Vec<LayerId>,
    /// How often it was asked in vain.
    pub round: u8,
}

/// How much a call may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackSize {
    /// Most characters of text.
    pub chars: usize,
    /// Most tokens the model can write in one answer.
    pub output_tokens: u32,
}

impl Default for PackSize {
    /// 16,000 characters are about 17 ordinary chunks: far under the quarter of a call a chunk that five requests a
    /// minute allow, and short enough that models still attend to all of it. 16,384 tokens is the shortest answer
    /// limit among the models in common use; for those with less, set it.
    fn default() -> Self {
        PackSize { chars: 16_000, output_tokens: 16_384 }
    }
}

impl PackSize {
    /// The size in a round: whole, whole again, half, a quarter; after that nothing fits with anything.
    fn at(self, round: u8) -> PackSize {
        let shift = round.saturating_sub(1).min(LAST_ROUND);
        match round >= LAST_ROUND {
            true => PackSize { chars: 0, output_tokens: 0 },
            false => PackSize { chars: self.chars >> shift, output_tokens: self.output_tokens >> shift },
        }
    }
}

/// The round after this one for a chunk that got no usable answer in a pack of `pack_len` chunks; none when it has had
/// its chances: a re-ask with the fault named, and a pack of its own.
pub fn next_round(round: u8, pack_len: usize) -> Option<u8> {
    match round {
        0 => Some(1),
        _ if pack_len <= 1 || round >= LAST_ROUND => None,
        _ => Some(round + 1),
    }
}

/// A pack being filled.
#[derive(Default)]
struct Open {
    chunks: Vec<ChunkId>,
    chars: usize,
    output_tokens: u32,
}

impl Open {
    fn has_room(&self, owed: &Owed, size: PackSize) -> bool {
        self.chunks.is_empty()
            || (self.chunks.len() < PACK_CHUNKS
                && self.chars.saturating_add(owed.chars) <= size.chars
                && self.output_tokens.saturating_add(output_room(owed.chars)) <= size.output_tokens)
    }

    fn add(&mut self, owed: &Owed) {
        self.chunks.push(owed.chunk);
        self.chars = self.chars.saturating_add(owed.chars);
        self.output_tokens = self.output_tokens.saturating_add(output_room(owed.chars));
    }
}

/// Sorts owed chunks, given in worklist order, into packs. Each pack is filled in order before the next of the same
/// audience and round begins; packs come in the order of their first chunks. A chunk that is larger than a pack is one.
/// Chunks added at the end of the debt change no pack but the last of their kind.
pub fn pack(owed: &[Owed], size: PackSize) -> Vec<Vec<ChunkId>> {
    let mut packs: Vec<Open> = Vec::new();
    let mut open: BTreeMap<(u8, &[LayerId]), usize> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for owed in owed.iter().filter(|owed| seen.insert(owed.chunk)) {
        let kind = (owed.round.min(LAST_ROUND), owed.audience.as_slice());
        let at = match open.get(&kind) {
            Some(at) if packs[*at].has_room(owed, size.at(kind.0)) => *at,
            _ => {
                packs.push(Open::default());
                packs.len() - 1
            }
        };
        open.insert(kind, at);
        packs[at].add(owed);
    }
    packs.into_iter().map(|pack| pack.chunks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{PageId, SpaceKey};
    use proptest::prelude::*;

    fn owed() -> impl Strategy<Value = Vec<Owed>> {
        let one = (0..20_000usize, 0..3u8, 0..6u8);
        prop::collection::vec(one, 0..80).prop_map(|list| {
            let owed = |(index, (chars, audience, round)): (usize, (usize, u8, u8))| {
                let mut layers = vec![LayerId::Space(SpaceKey::new("OPS"))];
                layers.extend((0..audience).map(|page| LayerId::Page(PageId::new(page.to_string()))));
                Owed { chunk: ChunkId::of(&[&index.to_le_bytes()]), chars, audience: layers, round }
            };
            list.into_iter().enumerate().map(owed).collect()
        })
    }

    fn of<'a>(owed: &'a [Owed], id: &ChunkId) -> (usize, &'a Owed) {
        owed.iter().enumerate().find(|(_, owed)| owed.chunk == *id).unwrap()
    }

    proptest! {
        #[test]
        fn every_chunk_is_in_exactly_one_pack_and_the_same_debt_gives_the_same_packs(owed in owed()) {
            let packs = pack(&owed, PackSize::default());
            let mut packed: Vec<ChunkId> = packs.concat();
            packed.sort();
            let mut all: Vec<ChunkId> = owed.iter().map(|owed| owed.chunk).collect();
            all.sort();
            prop_assert_eq!(packed, all);
            prop_assert_eq!(pack(&owed, PackSize::default()), packs);
        }

        #[test]
        fn a_pack_holds_one_audience_and_one_round_in_order_and_no_more_than_fits(owed in owed()) {
            let size = PackSize { chars: 9_000, output_tokens: 8_192 };
            for pack in pack(&owed, size) {
                let members: Vec<(usize, &Owed)> = pack.iter().map(|id| of(&owed, id)).collect();
                let first = members[0].1;
                prop_assert!(members.is_sorted_by_key(|(at, _)| *at));
                prop_assert!(members.iter().all(|(_, owed)| owed.audience == first.audience));
                let kind = |owed: &Owed| owed.round.min(LAST_ROUND);
                prop_assert!(members.iter().all(|(_, owed)| kind(owed) == kind(first)));
                let alone = members.len() == 1;
                let size = size.at(first.round);
                prop_assert!(alone || members.iter().map(|(_, owed)| owed.chars).sum::<usize>() <= size.chars);
                let room: u32 = members.iter().map(|(_, owed)| output_room(owed.chars)).sum();
                prop_assert!(alone || room <= size.output_tokens);
                prop_assert!(alone || first.round < LAST_ROUND);
                prop_assert!(members.len() <= PACK_CHUNKS);
            }
        }

        #[test]
        fn chunks_that_come_later_change_only_the_last_pack_of_a_kind(owed in owed(), cut in 0..80usize) {
            let fewer = &owed[..cut.min(owed.len())];
            let (before, after) = (pack(fewer, PackSize::default()), pack(&owed, PackSize::default()));
            let kind = |pack: &[ChunkId]| {
                let owed = of(&owed, &pack[0]).1;
                (owed.round.min(LAST_ROUND), owed.audience.clone())
            };
            for (at, pack) in before.iter().enumerate() {
                let last = !before[at + 1..].iter().any(|other| kind(other) == kind(pack));
                let grown = |other: &Vec<ChunkId>| last && other.starts_with(pack);
                prop_assert!(after.contains(pack) || after.iter().any(grown));
            }
        }

        #[test]
        fn a_debt_that_is_never_answered_ends_and_costs_a_chunk_five_asks_at_most(owed in owed()) {
            let mut owed: Vec<Owed> = owed.into_iter().map(|owed| Owed { round: 0, ..owed }).collect();
            let mut turns = 0;
            while !owed.is_empty() {
                turns += 1;
                prop_assert!(turns <= usize::from(LAST_ROUND) + 1);
                let packs = pack(&owed, PackSize::default());
                let len_of = |owed: &Owed| packs.iter().find(|pack| pack.contains(&owed.chunk)).unwrap().len();
                owed = owed.iter().filter_map(|owed| {
                    next_round(owed.round, len_of(owed)).map(|round| Owed { round, ..owed.clone() })
                }).collect();
            }
        }
    }

    #[test]
    fn one_chunk_a_pack_costs_two_calls_at_most() {
        assert_eq!(next_round(0, 1), Some(1));
        assert_eq!(next_round(1, 1), None);
        assert_eq!(next_round(1, 2), Some(2));
        assert_eq!(next_round(LAST_ROUND, 1), None);
    }

    #[test]
    fn the_default_pack_holds_seventeen_ordinary_chunks_of_many_pages() {
        let owed: Vec<Owed> = (0..34u32)
            .map(|at| Owed {
                chunk: ChunkId::of(&[&at.to_le_bytes()]),
                chars: 923,
                audience: vec![LayerId::Space(SpaceKey::new("ENG"))],
                round: 0,
            })
            .collect();
        assert_eq!(pack(&owed, PackSize::default()).iter().map(Vec::len).collect::<Vec<_>>(), [17, 17]);
    }
}
