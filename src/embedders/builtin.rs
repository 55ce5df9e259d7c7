//! The embedder that is compiled in: all-MiniLM-L6-v2, no key, no request, no file.
//!
//! Knows where the weights lie in the source tree; the arithmetic is the crate `minilm`. The model is loaded
//! once per process, when the first text comes, so a command that embeds nothing pays nothing.

use super::{Embedder, Purpose, Quantised, Turn};
use minilm::Model;
use std::sync::LazyLock;

/// Changes whenever a text could get another vector: kept vectors carry it.
const NAME: &str = "builtin/all-minilm-l6-v2-int8.1";

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::load(
        include_bytes!("../../assets/embedding/minilm-l6-v2.int8.safetensors"),
        include_str!("../../assets/embedding/vocabulary.txt"),
    )
    .expect("the weights are compiled in, and a test loads these very bytes")
});

/// A cosine below which this model says nothing: random letters came to 0.30 with the nearest of 4,000 texts, a German
/// question about an English page to 0.32, an English one to 0.68.
pub const UNLIKE: f64 = 0.31;

/// The compiled-in embedder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

impl Embedder for Builtin {
    fn name(&self) -> &str {
        NAME
    }

    fn turn(&self, texts: &[&str], _: Purpose) -> Turn {
        Turn::Made(self.embed(texts))
    }
}

/// One vector for each text, in order, by all processors: a text's vector does not depend on its neighbours.
pub fn embed_on_all_cores(texts: &[&str]) -> Vec<Quantised> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = texts.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            texts.chunks(share).map(|part| scope.spawn(move || Builtin.embed(part))).collect();
        // A panic in one share must not shift the vectors of the others onto wrong texts.
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<Quantised>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect()
    })
}

impl Builtin {
    /// One vector for each text, in order.
    #[must_use]
    pub fn embed(&self, texts: &[&str]) -> Vec<Quantised> {
        MODEL.embed(texts).iter().map(|vector| Quantised::of(vector)).collect()
    }
}
