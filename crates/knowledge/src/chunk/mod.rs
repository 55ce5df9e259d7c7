//! Cutting a document into chunks along its headings.
//!
//! The rule: the largest heading subtree that fits is a chunk; a section that does not fit gives its own intro and is
//! cut child by child; small neighbouring siblings share a chunk, with borders chosen by content so that they fall in
//! step again after an edit. Nothing overlaps, so an edit touches few chunks and nothing is read twice.
//!
//! This room must not know labels, dates, people or ancestors: they are context, not identity. Invariants: every word
//! of the document is in exactly one chunk (repeated table headers aside), in order, and no chunk is over the cap.

mod sentences;
mod split;
mod tree;

pub use sentences::sentences;
pub(crate) use split::rendered;

use crate::document::{Block, Document};
use crate::id::{ChunkId, PageId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use tree::Section;

/// The version of the cutting rules. A new one re-cuts only when asked to.
pub const CHUNKER: u32 = 1;

/// The cap that was measured best for model calls: about 1,000 tokens. Below, an edit touches fewer characters but
/// calls multiply; above, an edit sends more unchanged text to a model again.
pub const CHUNK_CHARS: usize = 3500;

/// What stands between two blocks of a chunk.
const GAP: &str = "\n\n";

/// Chunks under this size say too little on their own (about 20 words) and join a neighbour where one has room.
const TINY_CHARS: usize = 120;

/// What a chunk is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Text of the page.
    Text,
    /// A card: lines that say what the wiki knows about the page (space, parent, labels, editor). Rules read it; it is
    /// never sent to a model.
    Card,
}

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Hash of page id, heading path, text and occurrence.
    pub id: ChunkId,
    /// Text or card.
    pub form: Form,
    /// The page title, then the headings down to the chunk.
    pub path: Vec<String>,
    /// Markdown, with people as `@{key}` so that a rename changes no chunk.
    pub text: String,
    /// Counts equal chunks on one page version, from 0.
    pub occurrence: u32,
}

impl Chunk {
    /// The identity rule: page id, heading path, text and occurrence, and nothing else.
    pub fn identity(page: &PageId, path: &[String], text: &str, occurrence: u32) -> ChunkId {
        let number = occurrence.to_le_bytes();
        let mut parts: Vec<&[u8]> = vec![page.as_str().as_bytes(), &number, text.as_bytes()];
        parts.extend(path.iter().map(|heading| heading.as_bytes()));
        ChunkId::of(&parts)
    }
}

/// A chunk of text with the blocks it was made of, for the structural rules.
pub(crate) struct Part<'a> {
    /// The chunk.
    pub chunk: Chunk,
    /// Its blocks in order; the chunk's text is their texts with a blank line between.
    pub units: Vec<Unit<'a>>,
}

/// A block and how it reads.
#[derive(Clone)]
pub(crate) struct Unit<'a> {
    /// The block, borrowed from the document unless it had to be split.
    pub block: Cow<'a, Block>,
    /// Its Markdown.
    pub text: String,
    /// Characters of `text`.
    chars: usize,
}

impl<'a> Unit<'a> {
    fn new(block: Cow<'a, Block>) -> Self {
        let text = split::rendered(&block);
        Unit { chars: text.chars().count(), block, text }
    }
}

/// Cuts a page into chunks of at most `chunk_chars` characters, in reading order. An empty page has none.
pub fn cut(page: &PageId, title: &str, document: &Document, chunk_chars: usize) -> Vec<Chunk> {
    parts(page, title, document, chunk_chars).into_iter().map(|part| part.chunk).collect()
}

/// Like `cut`, and keeps which blocks went into which chunk.
pub(crate) fn parts<'a>(
    page: &PageId,
    title: &str,
    document: &'a Document,
    chunk_chars: usize,
) -> Vec<Part<'a>> {
    let root = tree::grow(&document.blocks);
    let path = vec![title.to_owned()];
    let mut pieces = Vec::new();
    if root.fits(chunk_chars) {
        pieces.push(Piece::of_section(root, path));
    } else {
        cut_section(root, path, chunk_chars, &mut pieces);
    }
    let pieces = join_tiny(pieces, chunk_chars);
    let mut seen = HashMap::new();
    pieces
        .into_iter()
        .filter(|piece| !piece.units.is_empty())
        .map(|piece| piece.into_part(page, &mut seen))
        .collect()
}

/// A chunk in the making.
struct Piece<'a> {
    path: Vec<String>,
    units: Vec<Unit<'a>>,
    chars: usize,
}

impl<'a> Piece<'a> {
    fn new(path: Vec<String>, units: Vec<Unit<'a>>) -> Self {
        let chars =
            units.iter().map(|unit| unit.chars).sum::<usize>() + GAP.len() * units.len().saturating_sub(1);
        Piece { path, units, chars }
    }

    fn of_section(section: Section<'a>, path: Vec<String>) -> Self {
        let mut units = Vec::new();
        section.into_units(&mut units);
        Piece::new(path, units)
    }

    /// Two pieces as one, under the headings they share. A bare heading goes with what follows it.
    fn join(self, next: Piece<'a>) -> Self {
        let bare = self.units.iter().all(|unit| matches!(*unit.block, Block::Heading { .. }));
        let shared = self.path.iter().zip(&next.path).take_while(|(a, b)| a == b).count();
        let path = match bare && shared == self.path.len() {
            true => next.path,
            false => self.path[..shared].to_vec(),
        };
        let mut units = self.units;
        units.extend(next.units);
        Piece::new(path, units)
    }

    fn room_for(&self, next: &Piece<'_>, cap: usize) -> bool {
        self.chars + GAP.len() + next.chars <= cap
    }

    fn into_part(self, page: &PageId, seen: &mut HashMap<ChunkId, u32>) -> Part<'a> {
        let texts: Vec<&str> = self.units.iter().map(|unit| unit.text.as_str()).collect();
        let text = texts.join(GAP);
        let first = Chunk::identity(page, &self.path, &text, 0);
        let count = seen.entry(first).or_insert(0);
        let occurrence = *count;
        *count += 1;
        let id = match occurrence {
            0 => first,
            _ => Chunk::identity(page, &self.path, &text, occurrence),
        };
        let chunk = Chunk { id, form: Form::Text, path: self.path, text, occurrence };
        Part { chunk, units: self.units }
    }
}

/// Cuts a section that does not fit: its intro and its small children in groups, its large children by themselves.
fn cut_section<'a>(section: Section<'a>, path: Vec<String>, cap: usize, out: &mut Vec<Piece<'a>>) {
    let mut run = cut_intro(section.own, &path, cap);
    for child in section.children {
        let below = child.path_below(&path);
        if child.fits(cap) {
            run.push(Piece::of_section(child, below));
            continue;
        }
        out.extend(merge(std::mem::take(&mut run), cap));
        cut_section(child, below, cap, out);
    }
    out.extend(merge(run, cap));
}

/// The text between a heading and its first subheading: one piece if it fits, else groups of its blocks.
fn cut_intro<'a>(own: Vec<Unit<'a>>, path: &[String], cap: usize) -> Vec<Piece<'a>> {
    let whole = Piece::new(path.to_vec(), own);
    if whole.units.is_empty() {
        return Vec::new();
    }
    if whole.chars <= cap {
        return vec![whole];
    }
    let units = whole.units.into_iter().flat_map(|unit| match unit.chars <= cap {
        true => vec![unit],
        false => split::split(&unit, cap),
    });
    let mut glued: Vec<Piece<'a>> = Vec::new();
    for unit in units {
        let next = Piece::new(path.to_vec(), vec![unit]);
        match glued.pop() {
            Some(last) if leads_in(&last) && last.room_for(&next, cap) => glued.push(last.join(next)),
            Some(last) => glued.extend([last, next]),
            None => glued.push(next),
        }
    }
    merge(glued, cap)
}

/// A heading, or a line such as `Run this:`, reads only together with what follows.
fn leads_in(piece: &Piece<'_>) -> bool {
    let Some(last) = piece.units.last() else { return false };
    matches!(*last.block, Block::Heading { .. }) || last.text.trim_end_matches(['*', '_']).ends_with(':')
}

/// Merges small neighbours.
fn merge<'a>(pieces: Vec<Piece<'a>>, cap: usize) -> Vec<Piece<'a>> {
    let items: Vec<Item> = pieces.iter().map(|piece| Item::new(piece.chars, &piece.units[0].text)).collect();
    let groups = groups(&items, cap);
    let mut pieces = pieces.into_iter();
    let merged = groups.into_iter().filter_map(|group| pieces.by_ref().take(group.len()).reduce(Piece::join));
    merged.collect()
}

/// Something to be grouped with its neighbours.
struct Item {
    chars: usize,
    even: bool,
}

impl Item {
    /// `label` is what decides about a border before this item; only its beginning counts, so that most edits of the
    /// item itself move no border.
    fn new(chars: usize, label: &str) -> Self {
        let end = label.char_indices().nth(48).map_or(label.len(), |(at, _)| at);
        let even = blake3::hash(&label.as_bytes()[..end]).as_bytes()[0].is_multiple_of(2);
        Item { chars, even }
    }
}

/// Groups neighbours up to the cap. A border falls before an item whose label hashes even once the group holds a third
/// of the cap: so borders depend on content and not on position, and fall in step again soon after an insertion.
fn groups(items: &[Item], cap: usize) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (at, item) in items.iter().enumerate() {
        let joined = held + GAP.len() + item.chars;
        match out.last_mut() {
            Some(group) if joined <= cap && !(held >= cap / 3 && item.even) => {
                group.end = at + 1;
                held = joined;
            }
            _ => {
                out.push(at..at + 1);
                held = item.chars;
            }
        }
    }
    out
}

/// Pieces that say too little on their own join the neighbour they share more headings with, if it has room.
fn join_tiny<'a>(pieces: Vec<Piece<'a>>, cap: usize) -> Vec<Piece<'a>> {
    let shared =
        |a: &Piece<'_>, b: &Piece<'_>| a.path.iter().zip(&b.path).take_while(|(a, b)| a == b).count();
    let mut out: Vec<Piece<'a>> = Vec::new();
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        if piece.chars >= TINY_CHARS {
            out.push(piece);
            continue;
        }
        let after = pieces.peek().filter(|next| piece.room_for(next, cap)).map(|next| shared(&piece, next));
        let before = out.last().filter(|last| last.room_for(&piece, cap)).map(|last| shared(last, &piece));
        if after.is_some() && (after >= before || leads_in(&piece)) {
            let next = pieces.next().expect("peeked above, so there is a next piece");
            out.push(piece.join(next));
        } else if before.is_some() {
            let last = out.pop().expect("looked at above, so there is a last piece");
            out.push(last.join(piece));
        } else {
            out.push(piece);
        }
    }
    out
}

#[cfg(test)]
mod tests;
