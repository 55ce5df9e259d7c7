//! Vectors, filled behind the loop: search works on words before they exist, and a kill loses nothing but time.

use super::Call;
use super::progress::Bar;
use crate::embedders::{Embedder, Quantised};
use crate::error::Result;
use crate::job::Interrupt;
use crate::state::State;
use crate::state::vectors::Text;

/// Texts embedded between two transactions: a second or two of work.
const BATCH: usize = 256;

/// Fills what has no vector yet, until done or interrupted. Returns how many texts were embedded.
pub(super) fn fill(
    call: &Call,
    state: &State,
    embedder: &dyn Embedder,
    interrupt: &Interrupt,
) -> Result<usize> {
    let owed = state.count_without_vector()?;
    if owed == 0 {
        return Ok(0);
    }
    let bar = Bar::new(call, "embed", owed);
    let (mut seen, mut embedded) = (0, 0);
    while !interrupt.is_raised() {
        let texts = state.texts_without_vector(embedder.name(), BATCH)?;
        if texts.is_empty() {
            break;
        }
        seen += texts.len();
        let texts = state.use_known_vectors(embedder.name(), texts)?;
        let vectors = embed_on_all_cores(embedder, &texts);
        state.keep_vectors(embedder.name(), &texts, &vectors)?;
        embedded += texts.len();
        bar.set(seen as u64);
    }
    bar.finish();
    if !interrupt.is_raised() {
        state.note_alike(embedder.name(), embedder.dimensions())?;
    }
    Ok(embedded)
}

/// Splits the texts over the cores; a text's vector does not depend on its neighbours.
fn embed_on_all_cores(embedder: &dyn Embedder, texts: &[Text]) -> Vec<Quantised> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = texts.len().div_ceil(cores).max(1);
    let embed = |part: &[Text]| -> Vec<Quantised> {
        let part: Vec<&str> = part.iter().map(|text| text.text.as_str()).collect();
        embedder.embed(&part).iter().map(|vector| Quantised::of(vector)).collect()
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
