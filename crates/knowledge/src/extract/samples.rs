//! Chunks and answers that several tests of this room use. Made up for the tests.

use crate::extract::Asked;
use crate::id::{ChunkId, SpaceKey};
use crate::prompt::{Finish, Reply, Usage};
use crate::time;
use serde_json::{Value, json};

/// A chunk of the page "Ledger Overview", written on 2025-01-07.
pub(super) fn asked(text: &str) -> Asked {
    Asked {
        chunk: ChunkId::of(&[text.as_bytes()]),
        path: vec!["Ledger Overview".to_owned(), "Details".to_owned()],
        text: text.to_owned(),
        space: SpaceKey::new("ENG"),
        reference: time::parse("2025-01-07T09:00:00Z"),
    }
}

/// An answer that was written to its end.
pub(super) fn reply(text: impl Into<String>) -> Reply {
    Reply { text: text.into(), finish: Finish::Stop, usage: Usage::default() }
}

/// A chunk of an answer.
pub(super) fn part(chunk: usize, entities: &[&str], facts: &[Value]) -> Value {
    let entities: Vec<Value> = entities.iter().map(|name| json!({"name": name, "type": "Service"})).collect();
    json!({"chunk": chunk, "entities": entities, "facts": facts})
}

/// A fact of an answer.
pub(super) fn fact(subject: usize, relation: &str, object: usize, quote: &str) -> Value {
    json!({"subject": subject, "relation": relation, "object": object, "fact": "", "quote": quote,
        "valid_at": null, "invalid_at": null})
}
