//! WordPiece: text to token ids, as BERT's uncased models were trained.
//!
//! Knows the vocabulary and Unicode, nothing of the network. Text is only text: `[MASK]` typed by somebody is
//! five pieces, never the special token. The invariant: every text gives at least the two frame tokens and at
//! most `MAX_TOKENS`, and reading stops there, however long the text is.

use crate::weights::Damaged;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{
    GeneralCategory as Category, GeneralCategoryGroup as Group, UnicodeGeneralCategory,
};

/// The longest input, frame included: what the model was trained with.
pub const MAX_TOKENS: usize = 256;

/// Longer words are unknown, by the rule of the model's tokenizer.
const MAX_WORD_CHARS: usize = 100;

/// The model's tokens.
pub struct Vocabulary {
    /// Pieces that begin a word. Looked up only; its order is never seen.
    starts: HashMap<&'static str, u32>,
    /// Pieces that go on with a word, without their `##`.
    continuations: HashMap<&'static str, u32>,
    begin: u32,
    end: u32,
    unknown: u32,
    longest_bytes: usize,
}

impl Vocabulary {
    /// Reads a vocabulary: a token a line, its id being the line's number from 0.
    pub fn parse(lines: &'static str) -> Result<Vocabulary, Damaged> {
        let count = lines.lines().count();
        let mut starts = HashMap::with_capacity(count);
        let mut continuations = HashMap::with_capacity(count / 4);
        let mut longest_bytes = 0;
        for (token, id) in lines.lines().zip(0..) {
            longest_bytes = longest_bytes.max(token.len());
            match token.strip_prefix("##") {
                Some(rest) if !rest.is_empty() => continuations.insert(rest, id),
                _ => starts.insert(token, id),
            };
        }
        let special = |token: &str| {
            starts.get(token).copied().ok_or_else(|| Damaged {
                part: "vocabulary".to_owned(),
                found: format!("{count} tokens without `{token}`"),
                expected: "it among them".to_owned(),
            })
        };
        let (begin, end, unknown) = (special("[CLS]")?, special("[SEP]")?, special("[UNK]")?);
        Ok(Vocabulary { begin, end, unknown, longest_bytes, starts, continuations })
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len() + self.continuations.len()
    }

    /// Whether there are none; a parsed vocabulary has at least the special tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of a text: `[CLS]`, the pieces of its words, `[SEP]`.
    #[must_use]
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let mut ids = vec![self.begin];
        let mut word = Word::default();
        for c in normalised(text) {
            match Kind::of(c) {
                Kind::Inside => word.push(c),
                Kind::Space => self.finish(&mut word, &mut ids),
                Kind::Alone => {
                    self.finish(&mut word, &mut ids);
                    word.push(c);
                    self.finish(&mut word, &mut ids);
                }
            }
            if ids.len() >= MAX_TOKENS {
                break;
            }
        }
        self.finish(&mut word, &mut ids);
        ids.truncate(MAX_TOKENS - 1);
        ids.push(self.end);
        ids
    }

    /// Adds the pieces of the word, and empties it.
    fn finish(&self, word: &mut Word, ids: &mut Vec<u32>) {
        if word.chars == 0 {
            return;
        }
        let before = ids.len();
        if word.chars > MAX_WORD_CHARS || self.cut(&word.text, ids).is_none() {
            ids.truncate(before);
            ids.push(self.unknown);
        }
        word.text.clear();
        word.chars = 0;
    }

    /// Longest piece first, from the left; none where a rest has no piece.
    fn cut(&self, word: &str, ids: &mut Vec<u32>) -> Option<()> {
        let mut rest = word;
        while !rest.is_empty() {
            let pieces = if rest.len() == word.len() { &self.starts } else { &self.continuations };
            let longest = rest.floor_char_boundary(self.longest_bytes);
            let (length, id) = (1..=longest)
                .rev()
                .filter_map(|length| Some((length, *pieces.get(rest.get(..length)?)?)))
                .next()?;
            ids.push(id);
            rest = &rest[length..];
        }
        Some(())
    }
}

/// The word being read. Its text stops growing once it is too long to be known.
#[derive(Default)]
struct Word {
    text: String,
    chars: usize,
}

impl Word {
    fn push(&mut self, c: char) {
        self.chars += 1;
        if self.chars <= MAX_WORD_CHARS {
            self.text.push(c);
        }
    }
}

/// What a character does to the word it stands in.
enum Kind {
    Inside,
    Space,
    /// A word of its own: punctuation, and characters of scripts written without spaces.
    Alone,
}

impl Kind {
    fn of(c: char) -> Kind {
        match c {
            'a'..='z' | '0'..='9' => Kind::Inside,
            _ if c.is_whitespace() => Kind::Space,
            _ if c.is_ascii_punctuation() || is_ideograph(c) => Kind::Alone,
            _ if !c.is_ascii() && c.general_category_group() == Group::Punctuation => Kind::Alone,
            _ => Kind::Inside,
        }
    }
}

/// Drops control characters and accents, and lowers case, in the order of BERT's normaliser.
fn normalised(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|c| !is_dropped(*c))
        .nfd()
        .filter(|c| c.is_ascii() || c.general_category() != Category::NonspacingMark)
        .flat_map(char::to_lowercase)
}

/// Control and format characters, private use and unassigned ones; not the controls that are white space in a
/// text.
fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{fffd}' => true,
        _ if c.is_ascii() => c.is_ascii_control(),
        _ => c.general_category_group() == Group::Other,
    }
}

/// The ideographs that BERT puts spaces around: the unified ones and their extensions, not kana and not
/// hangul.
fn is_ideograph(c: char) -> bool {
    matches!(
        u32::from(c),
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x2a6df | 0x2a700..=0x2b81f
            | 0x2b920..=0x2ceaf | 0x2f800..=0x2fa1f
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
        Vocabulary::parse(include_str!("../../../assets/embedding/vocabulary.txt")).unwrap()
    });

    fn tokens(text: &str) -> Vec<u32> {
        VOCABULARY.tokens(text)
    }

    fn inner(text: &str) -> Vec<u32> {
        let ids = tokens(text);
        ids[1..ids.len() - 1].to_vec()
    }

    proptest! {
        #[test]
        fn any_text_gives_a_framed_row_of_at_most_256_known_ids(text in "(?s).{0,600}") {
            let ids = tokens(&text);
            prop_assert!((2..=MAX_TOKENS).contains(&ids.len()));
            prop_assert_eq!((ids[0], ids[ids.len() - 1]), (101, 102));
            prop_assert!(ids.iter().all(|id| (*id as usize) < VOCABULARY.len()));
        }

        #[test]
        fn case_and_outer_space_do_not_matter(text in "[a-zA-Z .,-]{0,60}") {
            prop_assert_eq!(tokens(&text), tokens(&format!("  {}\n", text.to_uppercase())));
        }

        #[test]
        fn words_are_cut_alone(left in "\\PC{0,40}", right in "\\PC{0,40}") {
            let together = inner(&format!("{left} {right}"));
            prop_assert_eq!(together, [inner(&left), inner(&right)].concat());
        }

        #[test]
        fn a_known_word_is_one_piece(id in 1999u32..29_000) {
            let word = VOCABULARY.starts.iter().find(|(_, found)| **found == id).map(|(word, _)| *word);
            if let Some(word) = word.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())) {
                prop_assert_eq!(inner(word), vec![id]);
            }
        }
    }

    #[test]
    fn accents_case_and_composition_do_not_matter() {
        assert_eq!(tokens("Überprüfung"), tokens("U\u{308}BERPRU\u{308}FUNG"));
        assert_eq!(tokens("Überprüfung"), tokens("uberprufung"));
    }

    #[test]
    fn ideographs_and_punctuation_are_words_of_their_own() {
        assert_eq!(inner("东京a"), [inner("东"), inner("京"), inner("a")].concat());
        assert_eq!(inner("a«b»…c"), inner("a « b » … c"));
    }

    #[test]
    fn invisible_characters_are_dropped_and_odd_spaces_are_spaces() {
        assert_eq!(tokens("pay\u{200b}ments\u{ad}\u{feff}\0"), tokens("payments"));
        assert_eq!(tokens("a\u{a0}b\u{2003}c\r\n"), tokens("a b c"));
    }

    #[test]
    fn special_tokens_in_a_text_are_plain_text() {
        assert_eq!(inner("[MASK]"), [inner("["), inner("mask"), inner("]")].concat());
    }

    #[test]
    fn a_word_beyond_the_vocabulary_or_100_letters_is_unknown() {
        assert_eq!(inner("\u{1f980}"), vec![100]);
        assert_eq!(inner(&"a".repeat(101)), vec![100]);
        assert_ne!(inner(&"a".repeat(100)), vec![100]);
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let ids = tokens(&"word ".repeat(1000));
        assert_eq!((ids.len(), ids[254], ids[255]), (256, ids[1], 102));
        assert_eq!(tokens(&"wo ".repeat(254)).len(), 256);
        assert_eq!(tokens(&"wo ".repeat(253)).len(), 255);
    }

    #[test]
    fn a_vocabulary_without_its_frame_is_refused() {
        assert!(Vocabulary::parse("[CLS]\n[UNK]\na\n").is_err());
    }

    #[test]
    fn the_vocabulary_is_that_of_the_models_tokenizer() {
        let file = include_str!("../../../assets/embedding/tokenizer.json");
        let tokenizer: serde_json::Value = serde_json::from_str(file).unwrap();
        let expected = tokenizer["model"]["vocab"].as_object().unwrap();
        let lines = include_str!("../../../assets/embedding/vocabulary.txt").lines();
        let found = lines.zip(0u64..).filter(|(token, id)| expected[*token].as_u64() == Some(*id));
        assert_eq!((found.count(), expected.len()), (30_522, 30_522));
    }
}
