//! Vectors that are made here, behind the loop: search works on words before they exist, and a kill loses nothing but
//! time. Those that somebody is paid for are asked for in the loop (`plan/embeds.rs`).

use super::Call;
use super::progress::Bar;
use crate::embedders::Embedder;
use crate::embedders::builtin::{self, Builtin};
use crate::error::Result;
use crate::job::patiently;
use crate::plan::Limits;
use crate::state::State;
use crate::world::live::Live;

/// Texts embedded between two transactions: a second or two of work.
const BATCH: usize = 256;

/// Fills what has no vector yet, until done or interrupted.
pub(super) async fn fill(call: &Call, state: &State, (world, limits): (&Live, &Limits)) -> Result<()> {
    patiently(world, limits, || state.note_texts(Builtin.name())).await?;
    let owed = state.count_owed_vectors()?;
    if owed == 0 {
        return Ok(());
    }
    let bar = Bar::new(call, "embed", owed);
    let mut embedded = 0;
    while !limits.interrupt.is_raised() {
        let texts = state.owed_vectors(0, BATCH)?;
        if texts.is_empty() {
            break;
        }
        let words: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
        let vectors = builtin::embed_on_all_cores(&words);
        patiently(world, limits, || state.keep_vectors(Builtin.name(), &texts, &vectors)).await?;
        embedded += texts.len();
        bar.set(embedded as u64);
    }
    bar.finish();
    if !limits.interrupt.is_raised() {
        patiently(world, limits, || state.note_alike(Builtin.name())).await?;
    }
    Ok(())
}
