//! Cutting a document into chunks along its headings.

use crate::id::{ChunkId, PageId};
use serde::{Deserialize, Serialize};

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
