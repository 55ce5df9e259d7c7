//! Vectors that are made here, behind the loop: search works on words before they exist, and a kill loses nothing but
//! time. Those that somebody is paid for are asked for in the loop (`plan/embeds.rs`).

use super::Call;
use super::progress::Bar;
use crate::embedders::builtin::Builtin;
use crate::embedders::{Embedder, Quantised};
use crate::error::Result;
use crate::job::Interrupt;
use crate::state::State;
use crate::state::vectors::Text;

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
        let vectors = embed_on_all_cores(&texts);
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

/// Splits the texts over the cores; a text's vector does not depend on its neighbours.
fn embed_on_all_cores(texts: &[Text]) -> Vec<Quantised> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = texts.len().div_ceil(cores).max(1);
    let embed = |part: &[Text]| -> Vec<Quantised> {
        let part: Vec<&str> = part.iter().map(|text| text.text.as_str()).collect();
        Builtin.embed(&part)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = texts.chunks(share).map(|part| scope.spawn(move || embed(part))).collect();
        // A panic in one share must not shift the vectors of the others onto wrong texts.
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<Quantised>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    })
}
