//! The nouns and rules of Highwater: pages, documents, chunks, what a text says (`Mention`, `Claim`), what the graph
//! holds (`Entity`, `Fact`), and the records of the journal.
//!
//! This crate is pure: it knows no async, no files, no clock and no SQL. Everything it decides, it decides from the
//! values it is handed, so that the same answers always give the same graph.

pub mod audience;
pub mod batch;
pub mod chunk;
pub mod communities;
pub mod document;
pub mod extract;
pub mod graph;
pub mod id;
mod json;
pub mod judge;
pub mod page;
pub mod portrait;
pub mod prompt;
pub mod quota;
pub mod rank;
pub mod read;
pub mod record;
pub mod resolve;
pub mod structure;
pub mod summary;
pub mod time;
pub mod vector;
