//! What reading will take, before anything is asked, and how long an answer may be. It must not know prices. Invariant:
//! what is estimated is packed by the very rule that packs.

use crate::extract::packs::{Owed, PackSize, pack};
use crate::extract::prompts::{self, FENCE_CHARS};
use crate::extract::steps;
use crate::extract::vocabulary::Vocabulary;
use crate::id::ChunkId;
use crate::prompt::Prompt;
use std::collections::BTreeMap;

/// Characters of a token, as all vendors' price pages reckon for English text. Other scripts have fewer.
pub const CHARS_PER_TOKEN: f64 = 4.0;

/// Tokens of an answer for a character of text: measured as 0.44 on forty service pages of 923 characters, half of them
/// filler, with ten entities and seven quoted facts each.
const ANSWER_TOKENS_PER_CHAR: f64 = 0.45;

/// The part of these in the first of two steps: ten entities on such a page are 450 characters of JSON.
const NAMES_TOKENS_PER_CHAR: f64 = 0.12;

/// Characters of names for a character of text in the prompt of the second step: each stands in a list, and twice in
/// the schema, as a subject and as an object. Ten names on such a page are 200 characters with their quotes.
const NAMED_CHARS_PER_CHAR: f64 = 0.65;

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

/// A step of reading: what its prompts hold besides the text, and what its answers hold.
struct Step {
    /// Characters of a prompt that no chunk has brought.
    fixed_chars: usize,
    /// Characters of a prompt for a character of its text.
    chars_per_char: f64,
    /// Tokens of an answer for a character of text.
    answer_tokens_per_char: f64,
}

/// What it takes to ask about these chunks once.
pub fn estimate(owed: &[Owed], size: PackSize, vocabulary: &Vocabulary, chars_per_token: f64) -> Estimate {
    let step = Step {
        fixed_chars: fixed_chars(&prompts::prompt(&[], vocabulary, None)),
        chars_per_char: 1.0,
        answer_tokens_per_char: ANSWER_TOKENS_PER_CHAR,
    };
    estimate_steps(owed, size, &[step], chars_per_token)
}

/// The same in two steps. A pack in which no chunk has two names needs no second call; it is counted all the same,
/// since nobody knows before.
pub fn estimate_two_steps(
    owed: &[Owed],
    size: PackSize,
    vocabulary: &Vocabulary,
    chars_per_token: f64,
) -> Estimate {
    let names = Step {
        fixed_chars: fixed_chars(&steps::prompt_entities(&[], vocabulary, None)),
        chars_per_char: 1.0,
        answer_tokens_per_char: NAMES_TOKENS_PER_CHAR,
    };
    let facts = Step {
        fixed_chars: fixed_chars(&steps::prompt_facts(&[], vocabulary, None)),
        chars_per_char: 1.0 + NAMED_CHARS_PER_CHAR,
        answer_tokens_per_char: ANSWER_TOKENS_PER_CHAR - NAMES_TOKENS_PER_CHAR,
    };
    estimate_steps(owed, size, &[names, facts], chars_per_token)
}

fn fixed_chars(empty: &Prompt) -> usize {
    empty.system.chars().count() + empty.text.chars().count() + empty.schema.to_string().chars().count()
}

fn estimate_steps(owed: &[Owed], size: PackSize, steps: &[Step], chars_per_token: f64) -> Estimate {
    let chars: BTreeMap<ChunkId, usize> = owed.iter().map(|owed| (owed.chunk, owed.chars)).collect();
    let tokens = |chars: f64| (chars / chars_per_token.max(0.1)).ceil() as u64;
    let mut all = Estimate::default();
    for pack in pack(owed, size) {
        let text: usize = pack.iter().filter_map(|chunk| chars.get(chunk)).sum();
        let text = text as f64;
        for step in steps {
            all.calls += 1;
            let around = (step.fixed_chars + pack.len() * FENCE_CHARS) as f64;
            all.input_tokens += tokens(around + text * step.chars_per_char);
            // The share of text that comes back is counted in characters, so it follows the tokens of the script.
            all.output_tokens += tokens(text * step.answer_tokens_per_char * CHARS_PER_TOKEN);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(chunks: u32) -> Vec<Owed> {
        let one = |at: u32| Owed {
            chunk: ChunkId::of(&[&at.to_le_bytes()]),
            chars: 900,
            audience: vec![],
            round: 0,
        };
        (0..chunks).map(one).collect()
    }

    #[test]
    fn two_steps_are_two_calls_a_pack_and_hold_the_text_twice() {
        let (vocabulary, size) = (Vocabulary::default(), PackSize::default());
        let one = estimate(&owed(100), size, &vocabulary, CHARS_PER_TOKEN);
        let two = estimate_two_steps(&owed(100), size, &vocabulary, CHARS_PER_TOKEN);
        assert_eq!((one.calls, two.calls), (6, 12));
        assert!(two.input_tokens > one.input_tokens + 100 * 900 / 4, "{one:?} {two:?}");
        assert!(two.output_tokens.abs_diff(one.output_tokens) <= 12, "{one:?} {two:?}");
    }

    #[test]
    fn what_is_not_english_counts_in_characters() {
        let vocabulary = |description: String| Vocabulary {
            entities: vec![crate::extract::EntityType {
                name: "Service".to_owned(),
                description,
                attributes: Vec::new(),
            }],
            ..Vocabulary::default()
        };
        let tokens = |letter: &str| {
            estimate(&owed(1), PackSize::default(), &vocabulary(letter.repeat(400)), CHARS_PER_TOKEN)
                .input_tokens
        };
        assert_eq!(tokens("x"), tokens("\u{416}"));
    }
}
