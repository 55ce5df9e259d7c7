//! Vectors that are made here, behind the loop: search works on words before they exist, and a kill loses nothing but
//! time. Those that somebody is paid for are asked for in the loop (`plan/embeds.rs`).

use super::Call;
use super::progress::Bar;
use crate::embedders::Embedder;
use crate::embedders::builtin::{self, Builtin};
use crate::error::Result;
use crate::job::Interrupt;
use crate::state::State;

/// Texts embedded between two transactions: a second or two of work.
const BATCH: usize = 256;

/// Fills what has no vector yet, until done or interrupted.
pub(super) fn fill(call: &Call, state: &State, interrupt: &Interrupt) -> Result<()> {
    state.note_texts(Builtin.name())?;
    let owed = state.count_owed_vectors()?;
    if owed == 0 {
        return Ok(());
    }
    let bar = Bar::new(call, "embed", owed);
    let mut embedded = 0;
    while !interrupt.is_raised() {
        let texts = state.owed_vectors(0, BATCH)?;
        if texts.is_empty() {
            break;
        }
        let words: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
        let vectors = builtin::embed_on_all_cores(&words);
        state.keep_vectors(Builtin.name(), &texts, &vectors)?;
        embedded += texts.len();
        bar.set(embedded as u64);
    }
    bar.finish();
    if !interrupt.is_raised() {
        state.note_alike(Builtin.name())?;
    }
    Ok(())
}
