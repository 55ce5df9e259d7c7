//! How long communities take: a synthetic wiki of topics with people and spaces that are everywhere, as one island.
//! `cargo run --release -p knowledge --example communities_pace -- [facts]`

#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]

use knowledge::communities::{Tie, islands};
use knowledge::id::{EntityId, NodeId};
use std::time::Instant;

/// A stream of numbers that is the same in every run.
fn draw(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as u32
}

/// Entities of one topic.
const TOPIC: u32 = 40;

/// Eight facts of ten stay in their topic, one leads to a hub, one anywhere.
fn tie(state: &mut u64, entities: u32) -> Tie {
    let one = draw(state) % entities;
    let other = match draw(state) % 10 {
        0 => draw(state) % 50,
        1 => draw(state) % entities,
        _ => (one / TOPIC * TOPIC + draw(state) % TOPIC) % entities,
    };
    let entity = |number: u32| EntityId(NodeId::of(&[&number.to_le_bytes()]));
    Tie { one: entity(one), other: entity(other), facts: 1 }
}

fn main() {
    let facts: u32 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let entities = facts * 2 / 5;
    let mut state = 42;
    let ties: Vec<Tie> = (0..facts).map(|_| tie(&mut state, entities)).collect();
    let start = Instant::now();
    let found = islands(ties);
    let apart = start.elapsed();
    let largest = found.iter().map(|island| island.entities().len()).max().unwrap_or(0);
    println!("{facts} facts, {} islands, the largest of {largest} entities, in {apart:.0?}", found.len());
    let start = Instant::now();
    let ids: Vec<_> = found.iter().map(knowledge::communities::Island::id).collect();
    println!("{} ids in {:.0?}", ids.len(), start.elapsed());
    let start = Instant::now();
    let communities: Vec<_> = found.iter().flat_map(knowledge::communities::Island::communities).collect();
    let upper = communities.iter().filter(|community| community.parent.is_none()).count();
    println!("{upper} communities with {} parts in {:.0?}", communities.len() - upper, start.elapsed());
}
