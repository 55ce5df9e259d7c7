//! How long resolving takes: synthetic pages in epochs, first for the first time, then again unchanged, then
//! with an edit each. `cargo run --release -p knowledge --example resolve_pace -- [pages] [mentions]`

#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]

use knowledge::graph::{Claim, Extractor, Key, Kind, Mention, Object, Reading};
use knowledge::id::{ChunkId, PageId, PersonKey, SpaceKey, Version};
use knowledge::resolve::memory::Memory;
use knowledge::resolve::{PageSaid, VersionSaid};
use std::time::Instant;

/// Mentions of one chunk.
const CHUNK_MENTIONS: usize = 5;
/// Pages of one epoch.
const EPOCH_PAGES: usize = 20;

/// A stream of numbers that is the same in every run.
fn draw(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// Names of which a few are everywhere and most are rare, as in a wiki.
fn mention(state: &mut u64, pages: usize) -> Mention {
    let often = draw(state) % 100;
    let which = draw(state);
    let (name, kind) = match draw(state) % 5 {
        0 => (format!("service-{}", which % (often + 1)), Kind::COMPONENT),
        1 => (format!("Payment Handling Part {}", which % (pages * 2)), Kind::THING),
        2 => (["Overview", "API", "Backend", "Release Notes"][which % 4].to_owned(), Kind::THING),
        3 => (format!("Kafka{}Consumer", which % pages), Kind::COMPONENT),
        _ => {
            let key = Key::Person(PersonKey::new(format!("p{}", which % 50)));
            return Mention { name: format!("Person {}", which % 50), kind: Kind::PERSON, key: Some(key) };
        }
    };
    Mention { name, kind, key: None }
}

fn claim(subject: u32, relation: &str, object: u32) -> Claim {
    Claim {
        subject,
        relation: relation.to_owned(),
        object: Object::Named(object),
        sentence: "A sentence of some length on which all of this is said to stand.".to_owned(),
        valid_at: None,
        invalid_at: None,
        single: relation == "owned_by",
        extractor: Extractor::Structural,
    }
}

fn page(number: usize, pages: usize, mentions: usize) -> PageSaid {
    let mut state = number as u64 + 1;
    let id = PageId::new(number.to_string());
    let space = SpaceKey::new(format!("S{}", number % 10));
    let chunk = |index: usize| ChunkId::of(&[id.as_str().as_bytes(), &index.to_le_bytes()]);
    let title = format!("Handling of case {number}");
    let card = Reading {
        mentions: vec![
            Mention { name: title.clone(), kind: Kind::PAGE, key: Some(Key::Page(id.clone())) },
            Mention { name: title.clone(), kind: Kind::PAGE, key: Some(Key::Title(space.clone(), title)) },
            Mention { name: space.to_string(), kind: Kind::SPACE, key: Some(Key::Space(space.clone())) },
        ],
        claims: vec![claim(0, "same_as", 1), claim(0, "in_space", 2)],
    };
    let count = mentions.div_ceil(CHUNK_MENTIONS);
    let mut readings: Vec<(ChunkId, Reading)> = vec![(chunk(0), card)];
    for index in 1..=count {
        let mentions = (0..CHUNK_MENTIONS).map(|_| mention(&mut state, pages)).collect();
        let claims = vec![claim(0, "uses", 1), claim(2, "owned_by", 3), claim(1, "depends_on", 4)];
        readings.push((chunk(index), Reading { mentions, claims }));
    }
    let version =
        VersionSaid { version: Version(1), modified: None, chunks: (0..=count).map(chunk).collect() };
    PageSaid {
        page: id,
        space,
        versions: vec![version],
        gone: false,
        readings: readings.into_iter().collect(),
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map_while(|argument| argument.parse::<usize>().ok());
    let (pages, mentions) = (arguments.next().unwrap_or(1000), arguments.next().unwrap_or(20));
    let mut wiki: Vec<PageSaid> = (0..pages).map(|number| page(number, pages, mentions)).collect();
    let mut memory = Memory::default();
    for what in ["first time", "unchanged", "one chunk fewer"] {
        let begun = Instant::now();
        let changes: usize = wiki.chunks(EPOCH_PAGES).map(|epoch| memory.settle(epoch).len()).sum();
        let micros = begun.elapsed().as_micros() as usize / pages;
        let groups = memory.groups().count();
        let nodes = memory.nodes().count();
        println!("{what}: {micros} µs a page, {changes} changes, {nodes} nodes, {groups} entities");
        for page in &mut wiki {
            let mut next = page.versions[page.versions.len() - 1].clone();
            next.version = Version(2);
            next.chunks.pop();
            if what == "unchanged" {
                page.versions.push(next);
            }
        }
    }
}
