//! What reading will take, before anything is asked, and how long an answer may be. It must not know prices. Invariant:
//! what is estimated is packed by the very rule that packs.

use crate::extract::packs::{Owed, PackSize, pack};
use crate::extract::prompts::{FENCE_CHARS, fixed_chars};
use crate::extract::vocabulary::Vocabulary;
use crate::id::ChunkId;
use std::collections::BTreeMap;

/// Characters of a token, as all vendors' price pages reckon for English text. Other scripts have fewer.
pub const CHARS_PER_TOKEN: f64 = 4.0;

/// Tokens of an answer for a character of text: measured as 0.44 on forty service pages of 923 characters, half of them
/// filler, with ten entities and seven quoted facts each.
const ANSWER_TOKENS_PER_CHAR: f64 = 0.45;

/// The same in characters, which follow the tokens of the script.
pub const ANSWER_CHARS_PER_CHAR: f64 = ANSWER_TOKENS_PER_CHAR * CHARS_PER_TOKEN;

/// Room for an answer per character of text: twice what is expected. Text that is all table says little more than that,
/// and a model that loops is stopped before it has written much.
const ROOM_TOKENS_PER_CHAR: f64 = 0.9;

/// Room for what an answer holds however short the chunk is: its brackets, and one entity.
const ROOM_TOKENS_PER_CHUNK: f64 = 64.0;

/// What a run will take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Calls, if every answer can be used.
    pub calls: u64,
    /// Tokens of the prompts, schemas among them.
    pub input_tokens: u64,
    /// Tokens of the answers.
    pub output_tokens: u64,
}

/// Most tokens that an answer about a chunk of this size may have.
pub(super) fn output_room(chars: usize) -> u32 {
    (chars as f64 * ROOM_TOKENS_PER_CHAR + ROOM_TOKENS_PER_CHUNK).ceil() as u32
}

/// What it takes to ask about these chunks once.
pub fn estimate(owed: &[Owed], size: PackSize, vocabulary: &Vocabulary, chars_per_token: f64) -> Estimate {
    let chars: BTreeMap<ChunkId, usize> = owed.iter().map(|owed| (owed.chunk, owed.chars)).collect();
    let fixed = fixed_chars(vocabulary);
    let tokens = |chars: usize| (chars as f64 / chars_per_token.max(0.1)).ceil() as u64;
    let mut all = Estimate::default();
    for pack in pack(owed, size) {
        let text: usize = pack.iter().filter_map(|chunk| chars.get(chunk)).sum();
        all.calls += 1;
        all.input_tokens += tokens(fixed + text + pack.len() * FENCE_CHARS);
        all.output_tokens += tokens((text as f64 * ANSWER_CHARS_PER_CHAR) as usize);
    }
    all
}
