//! What a page says in its structure: facts that need no model. Cards say what the wiki knows about the page; the
//! rules over blocks read tables, lists, tasks, links and a few turns of phrase.
//!
//! This room must not know other pages, other chunks or how claims become facts. Invariant: a chunk's reading follows
//! from the page id, the space and the chunk alone, and every claim stands on words that are in the chunk.

mod acronyms;
mod cards;
mod dates;
mod lines;
mod names;
mod phrases;
mod place;
mod relations;
mod saying;
mod tables;
mod text;
mod turns;
mod words;

pub(crate) use names::issue;

use crate::chunk::{Chunk, parts};
use crate::document::Document;
use crate::graph::Reading;
use crate::page::RawPage;

/// The version of the structural rules. A new one reads again only when asked to.
pub const STRUCTURE: u32 = 3;

/// A page version as chunks with what rules read in them: the cards first, then the text in reading order.
pub fn pieces(page: &RawPage, document: &Document, chunk_chars: usize) -> Vec<(Chunk, Reading)> {
    let mut out = cards::cards(page);
    let texts = parts(&page.id, &page.title, document, chunk_chars);
    out.extend(texts.into_iter().map(|part| {
        let reading = text::read(page, &part);
        (part.chunk, reading)
    }));
    out
}

#[cfg(test)]
mod tests;
