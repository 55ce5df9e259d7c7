//! Reading a page body into a `Document`, and writing a document as Markdown or plain text. It must not know
//! where a page came from, nor what is done with its text. Invariants: reading never fails and never panics,
//! whatever the body holds; text is never lost, only markup; what had to be guessed is counted as a warning.

mod diagram;
mod emoji;
pub mod file;
mod macros;
mod markup;
mod render;
mod sink;
mod storage;
mod table;
mod tag;
mod text;
mod wiki;
mod xml;

pub use render::{Names, markdown, markdown_with_names, plain, render_blocks};

use crate::document::{Block, Document};
use crate::page::BodyFormat;

/// The version of the reader, recorded with every cut. Raise it when the same body would give another
/// document.
pub const READER: u32 = 1;

/// Reads a body.
pub fn document(format: BodyFormat, body: &str) -> Document {
    match format {
        BodyFormat::Storage => storage::document(body, 0),
        BodyFormat::Markdown => markup::document(body),
        BodyFormat::WikiMarkup => wiki::document(body),
        BodyFormat::Plain => plain_text(body),
    }
}

/// The id of a wiki page in its address (`/pages/123/Title`, `?pageId=123`), if the address is one.
pub fn page_id(url: &str) -> Option<&str> {
    let after = url.split_once("/pages/").or(url.split_once("pageId="))?.1;
    let after = after.strip_prefix("edit-v2/").or(after.strip_prefix("edit/")).unwrap_or(after);
    let id = &after[..after.bytes().take_while(u8::is_ascii_digit).count()];
    let rest = &after[id.len()..];
    (!id.is_empty() && (rest.is_empty() || rest.starts_with(['/', '?', '#', '&']))).then_some(id)
}

/// Paragraphs between empty lines; lines stay lines.
fn plain_text(body: &str) -> Document {
    let mut page = sink::Sink::new(sink::Kind::Root);
    for line in body.lines() {
        if line.trim().is_empty() {
            page.flush();
            continue;
        }
        if !page.inlines.is_empty() {
            page.inline(crate::document::Inline::Break);
        }
        page.run(line, false);
    }
    page.flush();
    let blocks: Vec<Block> = page.blocks;
    Document { blocks, warnings: Vec::new() }
}
