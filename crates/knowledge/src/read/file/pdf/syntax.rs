//! The words of a PDF: numbers, names, strings, arrays, dictionaries. It must not know objects or pages. Invariants:
//! reading goes forward only, nests no deeper than `MOST_DEEP`, and makes no more than `MOST_VALUES` values at a time.

use std::collections::BTreeMap;

/// Arrays and dictionaries within each other; real ones are five deep.
const MOST_DEEP: usize = 40;
/// Values of one object, or before one operator: the pages of a large book, or the widths of a large font.
const MOST_VALUES: usize = 100_000;

pub(super) type Dict = BTreeMap<String, Value>;

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Number(f64),
    Name(String),
    Text(Vec<u8>),
    Array(Vec<Value>),
    Dict(Dict),
    Reference(u32),
    /// A word such as `true`, or an operator of a page.
    Word(String),
}

impl Value {
    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(super) fn name(&self) -> Option<&str> {
        if let Self::Name(name) = self { Some(name) } else { None }
    }
}

/// A position in bytes.
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    /// Pages hold no references, and `R` is theirs to use.
    references: bool,
    left: usize,
}

impl<'a> Lexer<'a> {
    /// Words of objects.
    pub(super) fn of_objects(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, references: true, left: MOST_VALUES }
    }

    /// Words of a page or of a table of letters.
    pub(super) fn of_content(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, references: false, left: MOST_VALUES }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn skip_white(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'%' => {
                    self.at += memchr::memchr2(b'\n', b'\r', &self.bytes[self.at..]).unwrap_or(usize::MAX / 2)
                }
                byte if is_white(byte) => self.at += 1,
                _ => return,
            }
        }
        self.at = self.bytes.len();
    }

    /// The next value.
    pub(super) fn next_value(&mut self) -> Option<Value> {
        self.value(0)
    }

    /// The values so far are done with, and as many again may follow.
    pub(super) fn renew(&mut self) {
        self.left = MOST_VALUES;
    }

    /// Whether a word comes next; if so it is behind.
    pub(super) fn eat(&mut self, word: &[u8]) -> bool {
        self.skip_white();
        let eaten = self.bytes[self.at..].starts_with(word);
        self.at += if eaten { word.len() } else { 0 };
        eaten
    }

    fn value(&mut self, deep: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        self.skip_white();
        match self.peek()? {
            b'/' => Some(Value::Name(self.name())),
            b'(' => Some(Value::Text(self.text())),
            b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => self.dict(deep),
            b'<' => Some(Value::Text(self.hex())),
            b'[' => self.array(deep),
            b'{' | b'}' | b')' | b']' | b'>' => {
                self.at += 1;
                Some(Value::Null)
            }
            _ => Some(self.word()),
        }
    }

    fn array(&mut self, deep: usize) -> Option<Value> {
        let mut values = Vec::new();
        self.at += 1;
        if deep >= MOST_DEEP {
            return None;
        }
        loop {
            self.skip_white();
            if self.peek()? == b']' {
                self.at += 1;
                return Some(Value::Array(values));
            }
            values.push(self.inner(deep)?);
        }
    }

    fn dict(&mut self, deep: usize) -> Option<Value> {
        let mut dict = Dict::new();
        self.at += 2;
        if deep >= MOST_DEEP {
            return None;
        }
        loop {
            self.skip_white();
            match self.peek()? {
                b'>' => {
                    self.at = (self.at + 2).min(self.bytes.len());
                    return Some(Value::Dict(dict));
                }
                b'/' => {
                    let key = self.name();
                    let value = self.inner(deep)?;
                    dict.insert(key, value);
                }
                // A value without its name: damaged, but what follows may do.
                _ => {
                    self.inner(deep)?;
                }
            }
        }
    }

    /// A value inside another; the end of an object here means that the value around it was cut off.
    fn inner(&mut self, deep: usize) -> Option<Value> {
        let value = self.value(deep + 1)?;
        match &value {
            Value::Word(word) if matches!(word.as_str(), "obj" | "endobj" | "stream" | "endstream") => None,
            _ => Some(value),
        }
    }

    fn name(&mut self) -> String {
        self.at += 1;
        let mut out = Vec::new();
        while let Some(byte) = self.peek().filter(|byte| !is_white(*byte) && !is_delimiter(*byte)) {
            self.at += 1;
            let digits = self.bytes.get(self.at..self.at + 2).filter(|_| byte == b'#');
            match digits.and_then(|digits| Some(digit(digits[0])? << 4 | digit(digits[1])?)) {
                Some(meant) => {
                    out.push(meant);
                    self.at += 2;
                }
                None => out.push(byte),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    fn text(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut open = 1;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.escape(&mut out),
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
            match byte {
                b'\\' => {}
                // A line's end is one byte, whichever way it is written.
                b'\r' => {
                    self.at += usize::from(self.peek() == Some(b'\n'));
                    out.push(b'\n');
                }
                byte => out.push(byte),
            }
        }
        out
    }

    fn escape(&mut self, out: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.at += 1;
        match byte {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'\n' => {}
            b'\r' => self.at += usize::from(self.peek() == Some(b'\n')),
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(next @ b'0'..=b'7') = self.peek() else { break };
                    code = code * 8 + u32::from(next - b'0');
                    self.at += 1;
                }
                out.push(code as u8);
            }
            byte => out.push(byte),
        }
    }

    fn hex(&mut self) -> Vec<u8> {
        self.at += 1;
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
        self.at = (self.at + end + 1).min(self.bytes.len());
        let digits: Vec<u8> = rest[..end].iter().filter_map(|byte| digit(*byte)).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
    }

    fn word(&mut self) -> Value {
        let start = self.at;
        while self.peek().is_some_and(|byte| !is_white(byte) && !is_delimiter(byte)) {
            self.at += 1;
        }
        let word = &self.bytes[start..self.at];
        let Some(number) = number(word) else {
            return Value::Word(String::from_utf8_lossy(word).into_owned());
        };
        match self.reference(number) {
            Some(reference) if self.references => Value::Reference(reference),
            _ => Value::Number(number),
        }
    }

    /// `12 0 R` after the first number of it.
    fn reference(&mut self, number: f64) -> Option<u32> {
        if !self.references || number < 0.0 || number.fract() != 0.0 || number > f64::from(u32::MAX) {
            return None;
        }
        let before = self.at;
        self.skip_white();
        let digits = self.bytes[self.at..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        let white = self.at;
        self.skip_white();
        let ends = self.bytes.get(self.at + 1).is_none_or(|byte| is_white(*byte) || is_delimiter(*byte));
        if (1..6).contains(&digits) && self.at > white && self.peek() == Some(b'R') && ends {
            self.at += 1;
            return Some(number as u32);
        }
        self.at = before;
        None
    }

    /// Steps over the bytes of a picture that stands in the page itself.
    pub(super) fn skip_picture(&mut self) {
        let rest = &self.bytes[self.at..];
        let end = memchr::memmem::find_iter(rest, b"EI").find(|&end| {
            let before = end > 0 && is_white(rest[end - 1]);
            before && rest.get(end + 2).is_none_or(|byte| is_white(*byte))
        });
        self.at = end.map_or(self.bytes.len(), |end| self.at + end + 2);
    }
}

/// Numbers as they are met: `-.5`, `4.`, `+3`, and `--2` of some producers.
fn number(word: &[u8]) -> Option<f64> {
    let (first, rest) = word.split_first()?;
    if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.') || word.len() > 40 {
        return None;
    }
    let digits = if *first == b'-' && rest.starts_with(b"-") { rest } else { word };
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+'));
    digits.parse().ok().filter(|_| plain)
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let source =
            b"<< /Na#6de (a\\(b\\051\\n(\\b\\f\r\n)) /K [1 -.5 12 0 R true <4A4b5>] % note\n /D << /E null >> >>";
        let Some(Value::Dict(dict)) = Lexer::of_objects(source, 0).next_value() else {
            panic!("no dictionary")
        };
        assert_eq!(dict["Name"], Value::Text(b"a(b)\n(\x08\x0c\n)".to_vec()));
        let array = vec![
            Value::Number(1.0),
            Value::Number(-0.5),
            Value::Reference(12),
            Value::Word("true".to_owned()),
            Value::Text(b"JKP".to_vec()),
        ];
        assert_eq!(dict["K"], Value::Array(array));
    }

    #[test]
    fn nothing_that_is_cut_off_or_too_deep_is_a_value() {
        assert_eq!(Lexer::of_objects(b"<< /A [1 2", 0).next_value(), None);
        assert_eq!(Lexer::of_objects(b"<< /A 1 endobj >>", 0).next_value(), None);
        assert_eq!(Lexer::of_objects(&b"[".repeat(100_000), 0).next_value(), None);
    }
}
