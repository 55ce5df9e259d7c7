//! 200 pairs of names from three wikis, each labelled twice (`fixtures/name-pairs.md`), and what the resolver makes of
//! them. It must not know why a pair is joined.

use knowledge::chunk::CHUNK_CHARS;
use knowledge::document::{Block, Document, Inline};
use knowledge::graph::{Key, Kind, Mention, Node, Reading};
use knowledge::id::{ChunkId, EntityId, NodeId, PageId, SpaceKey, Version};
use knowledge::judge::{Findings, Pair as Asked};
use knowledge::page::{BodyFormat, PageKind, RawPage};
use knowledge::resolve::memory::Memory;
use knowledge::resolve::{PageSaid, VersionSaid, distinctive, normalise, questions};
use knowledge::structure::pieces;
use std::collections::BTreeMap;

/// A name where it stands.
#[derive(Clone, Debug)]
pub struct Side {
    pub name: String,
    form: String,
    space: SpaceKey,
    page: String,
    sentence: String,
}

/// Two names and whether they mean one thing; none when the texts do not tell.
#[derive(Clone, Debug)]
pub struct Pair {
    pub id: String,
    pub one: Side,
    pub other: Side,
    pub same: Option<bool>,
}

/// What becomes of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The two are one name: their normal forms and their space are equal.
    OneName,
    /// A rule or a sentence joins them.
    Merged,
    /// A model would be asked.
    Asked,
    /// Nothing says that they are one.
    Apart,
}

impl Pair {
    /// Both names stand in one space.
    pub fn in_one_space(&self) -> bool {
        self.one.space == self.other.space
    }

    /// What the resolver makes of the two, where nothing else is known.
    pub fn outcome(&self) -> Outcome {
        let said = pages(&[&self.one, &self.other]);
        let mut memory = Memory::default();
        let Ok(round) = questions(&said, &memory, &Findings::of("nobody"));
        memory.settle(&said);
        let (Some(a), Some(b)) = (self.one.node(&memory), self.other.node(&memory)) else {
            return Outcome::Apart;
        };
        let pair = Asked::Entities(a.min(b), a.max(b));
        if a == b {
            Outcome::OneName
        } else if entity(&memory, a) == entity(&memory, b) {
            Outcome::Merged
        } else if round.questions.iter().any(|question| question.pair == pair) {
            Outcome::Asked
        } else {
            Outcome::Apart
        }
    }
}

impl Side {
    fn key(&self) -> Option<Key> {
        (self.form == "Page").then(|| Key::Title(self.space.clone(), normalise(&self.page)))
    }

    fn mention(&self) -> Mention {
        let kind = match self.form.as_str() {
            "Page" => Kind::PAGE,
            "Component" => Kind::COMPONENT,
            _ => Kind::THING,
        };
        Mention { name: self.name.clone(), kind, key: self.key() }
    }

    fn node(&self, memory: &Memory) -> Option<NodeId> {
        let key = self.key();
        let space = (key.is_some() || !distinctive(&self.name)).then_some(&self.space);
        let normal = normalise(if key.is_some() { &self.page } else { &self.name });
        let this = |node: &&Node| node.normal == normal && node.key == key && node.space.as_ref() == space;
        memory.nodes().find(this).map(|node| node.id)
    }
}

/// The labelled pairs.
pub fn pairs() -> Vec<Pair> {
    let side = |cells: &[&str]| Side {
        name: cells[0].to_owned(),
        form: cells[1].to_owned(),
        space: SpaceKey::new(cells[2]),
        page: cells[3].to_owned(),
        sentence: cells[4].to_owned(),
    };
    let pair = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let same = match cells[14] {
            "same" => Some(true),
            "apart" => Some(false),
            _ => None,
        };
        Pair { id: cells[0].to_owned(), one: side(&cells[1..6]), other: side(&cells[6..11]), same }
    };
    include_str!("../fixtures/name-pairs.tsv").lines().skip(1).map(pair).collect()
}

/// The entity of a node.
pub fn entity(memory: &Memory, node: NodeId) -> Option<EntityId> {
    memory.groups().find(|group| group.nodes.contains(&node)).map(|group| group.entity)
}

/// Pages that say the sentences and nothing else.
fn pages(sides: &[&Side]) -> Vec<PageSaid> {
    let mut by_page: BTreeMap<(&SpaceKey, &str), Vec<&Side>> = BTreeMap::new();
    for side in sides {
        by_page.entry((&side.space, &side.page)).or_default().push(side);
    }
    by_page.into_iter().map(|((space, title), sides)| page(space, title, &sides)).collect()
}

fn page(space: &SpaceKey, title: &str, sides: &[&Side]) -> PageSaid {
    let id = PageId::new(format!("{space} {title}"));
    let paragraph = |side: &&Side| Block::Paragraph(vec![Inline::Text(side.sentence.clone())]);
    let document = Document { blocks: sides.iter().map(paragraph).collect(), warnings: Vec::new() };
    let mut readings: BTreeMap<ChunkId, Reading> =
        pieces(&raw(&id, space, title), &document, CHUNK_CHARS).into_iter().map(|(c, r)| (c.id, r)).collect();
    let mentions = sides.iter().map(|side| side.mention()).collect();
    readings
        .insert(ChunkId::of(&[b"names", id.as_str().as_bytes()]), Reading { mentions, claims: Vec::new() });
    said(id, space.clone(), readings)
}

/// A page in its only version.
pub fn said(page: PageId, space: SpaceKey, readings: BTreeMap<ChunkId, Reading>) -> PageSaid {
    let chunks = readings.keys().copied().collect();
    let versions = vec![VersionSaid { version: Version(1), modified: None, chunks }];
    PageSaid { page, space, versions, gone: false, readings }
}

/// A page without a text.
pub fn raw(id: &PageId, space: &SpaceKey, title: &str) -> RawPage {
    RawPage {
        id: id.clone(),
        space: space.clone(),
        kind: PageKind::Page,
        version: Version(1),
        title: title.to_owned(),
        format: BodyFormat::Storage,
        body: String::new(),
        created: None,
        modified: None,
        author: None,
        editor: None,
        parent: None,
        ancestors: Vec::new(),
        labels: Vec::new(),
        attachments: Vec::new(),
        link: None,
        historical: false,
    }
}
