//! Sentence embedding with all-MiniLM-L6-v2: text in, a vector of 384 numbers out, in pure safe Rust.
//!
//! This crate knows no wiki, no graph, no files and no threads; the weights are bytes that the caller hands
//! in. The invariant: a text has one vector. It does not depend on the texts it was embedded with, and not on
//! the processor, because the large products are exact integer sums and the rest is basic IEEE arithmetic in
//! a fixed order.

mod arithmetic;
mod attention;
mod matrix;
mod network;
mod weights;
mod wordpiece;

pub use weights::Damaged;
pub use wordpiece::{MAX_TOKENS, Vocabulary};

use matrix::Kernel;
use network::{Network, WIDTH};

/// Tokens that run through the network together. From 128 on the weights are read often enough per pass; more
/// only grows the working memory (9 kB a token).
const GROUP_TOKENS: usize = 128;

/// The loaded model: 13 MB of memory, filled in about 20 ms; the word table stays in the caller's bytes.
pub struct Model {
    vocabulary: Vocabulary,
    network: Network,
}

impl Model {
    /// How many numbers a vector has.
    pub const DIMENSIONS: usize = WIDTH;

    /// Reads the int8 safetensors weights and the vocabulary (a token a line).
    pub fn load(weights: &'static [u8], vocabulary: &'static str) -> Result<Model, Damaged> {
        Model::with_kernel(weights, vocabulary, Kernel::Best)
    }

    /// The same model without any processor-specific instruction: slower, and equal bit for bit.
    pub fn load_portable(weights: &'static [u8], vocabulary: &'static str) -> Result<Model, Damaged> {
        Model::with_kernel(weights, vocabulary, Kernel::Portable)
    }

    fn with_kernel(weights: &'static [u8], words: &'static str, kernel: Kernel) -> Result<Model, Damaged> {
        let vocabulary = Vocabulary::parse(words)?;
        let network = Network::load(weights, kernel)?;
        if network.words() != vocabulary.len() {
            return Err(Damaged {
                part: "vocabulary".to_owned(),
                found: format!("{} tokens", vocabulary.len()),
                expected: format!("{}, the rows of the word table", network.words()),
            });
        }
        Ok(Model { vocabulary, network })
    }

    /// The token ids of a text, as the network sees them.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        self.vocabulary.tokens(text)
    }

    /// One vector of length 1 for each text, in order. Text beyond 256 tokens is not read.
    pub fn embed(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut group = Vec::new();
        let mut group_tokens = 0;
        for text in texts {
            let ids = self.tokens(text);
            if !group.is_empty() && group_tokens + ids.len() > GROUP_TOKENS {
                vectors.extend(self.network.forward(&group));
                group.clear();
                group_tokens = 0;
            }
            group_tokens += ids.len();
            group.push(ids);
        }
        vectors.extend(self.network.forward(&group));
        vectors
    }
}
