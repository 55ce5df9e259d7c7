//! Tables from codes to letters, or to numbers of glyphs, as PDF holds them. It must not know fonts. Invariant: a table
//! holds no more than `MOST_ENTRIES`, and no entry more than `MOST_LETTERS`.

use super::letters::plain;
use super::syntax::{Lexer, Value};
use crate::read::file::letters::utf16;
use std::collections::BTreeMap;

/// Entries of one table: a font with every letter of Chinese has as many, and files hold parts of fonts.
const MOST_ENTRIES: usize = 20_000;
/// Bytes one code may stand for: joined letters, at most a word.
const MOST_LETTERS: usize = 64;
/// Kinds of codes of different length.
const MOST_SPACES: usize = 100;

/// A table.
#[derive(Debug, Default)]
pub(super) struct Cmap {
    /// By the first code of a range: the last one, and the letters of the first.
    ranges: BTreeMap<u32, (u32, String)>,
    /// How long codes are: bytes, first, last.
    spaces: Vec<(usize, u32, u32)>,
}

impl Cmap {
    pub(super) fn read(source: &[u8]) -> Self {
        let mut cmap = Self::default();
        let mut lexer = Lexer::of_content(source);
        let mut held = Vec::new();
        while let Some(value) = lexer.next_value() {
            let Value::Word(word) = &value else {
                held.push(value);
                continue;
            };
            match word.as_str() {
                "endcodespacerange" => cmap.take_spaces(&held),
                "endbfchar" => held.chunks_exact(2).for_each(|pair| cmap.take_letter(&pair[0], &pair[1])),
                "endbfrange" => held.chunks_exact(3).for_each(|three| cmap.take_range(three)),
                _ => {}
            }
            held.clear();
            lexer.renew();
        }
        cmap
    }

    fn take_spaces(&mut self, held: &[Value]) {
        for pair in held.chunks_exact(2).take(MOST_SPACES) {
            if let (Value::Text(first), Value::Text(last)) = (&pair[0], &pair[1])
                && (1..=4).contains(&first.len())
                && self.spaces.len() < MOST_SPACES
            {
                self.spaces.push((first.len(), code(first), code(last)));
            }
        }
    }

    fn take_letter(&mut self, from: &Value, to: &Value) {
        if let (Value::Text(from), Value::Text(to)) = (from, to) {
            self.insert(code(from), code(from), to);
        }
    }

    fn take_range(&mut self, three: &[Value]) {
        let (Value::Text(first), Value::Text(last)) = (&three[0], &three[1]) else { return };
        let (first, last) = (code(first), code(last));
        match &three[2] {
            Value::Text(to) => self.insert(first, last, to),
            Value::Array(each) => {
                for (to, at) in each.iter().zip(first..=last) {
                    if let Value::Text(to) = to {
                        self.insert(at, at, to);
                    }
                }
            }
            _ => {}
        }
    }

    fn insert(&mut self, first: u32, last: u32, to: &[u8]) {
        if self.ranges.len() < MOST_ENTRIES && last >= first && to.len() <= MOST_LETTERS {
            // Some producers write one byte where two are meant.
            let letters = if let [letter] = to {
                char::from(*letter).to_string()
            } else {
                utf16(to, u16::from_be_bytes)
            };
            self.ranges.insert(first, (last, letters));
        }
    }

    /// The next code of a text: how many bytes it has, and its number.
    pub(super) fn next_code(&self, bytes: &[u8], usual: usize) -> (usize, u32) {
        for length in 1..=bytes.len().min(4) {
            let number = code(&bytes[..length]);
            if self
                .spaces
                .iter()
                .any(|(held, first, last)| *held == length && (*first..=*last).contains(&number))
            {
                return (length, number);
            }
        }
        let length = usual.clamp(1, bytes.len().max(1));
        (length, code(&bytes[..length.min(bytes.len())]))
    }

    /// The letters of a code.
    pub(super) fn letters(&self, code: u32) -> Option<String> {
        let (first, (last, letters)) = self.ranges.range(..=code).next_back()?;
        if code > *last {
            return None;
        }
        let mut units: Vec<u16> = letters.encode_utf16().collect();
        let end = units.last_mut()?;
        *end = end.wrapping_add((code - first) as u16);
        Some(plain(&String::from_utf16_lossy(&units)))
    }
}

fn code(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |code, byte| code << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_ranges_lists_and_single_letters_are_found() {
        let source = b"1 begincodespacerange <0000> <FFFF> endcodespacerange
            2 beginbfchar <0003> <0020> <0010> <00660069> endbfchar
            2 beginbfrange <0024> <0026> <0041> <0030> <0031> [<0078> <0079>] endbfrange";
        let cmap = Cmap::read(source);
        let found: Vec<_> = [3, 0x10, 0x25, 0x31].map(|code| cmap.letters(code).unwrap()).into();
        assert_eq!(found, [" ", "fi", "B", "y"]);
        assert_eq!(cmap.letters(0x27), None);
        assert_eq!(cmap.next_code(&[0, 0x24, 9], 1), (2, 0x24));
        assert_eq!(cmap.next_code(&[7], 2), (1, 7));
    }
}
