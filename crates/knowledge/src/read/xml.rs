//! Tokens of an XML fragment: tags, text and character data, as slices of the page. It must not know what any
//! element means. Invariant: every byte of the page is looked at a bounded number of times, however broken
//! the page is.

use memchr::{memchr, memchr3, memmem};

/// How far a tag may reach once a `<` was seen inside one of its quoted values. Longer means the quote never
/// ended; the bound keeps a page of unfinished tags linear.
const QUOTED_MARKUP_BYTES: usize = 256;

/// A piece of a page's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A start tag, or an empty element.
    Start { name: &'a str, attributes: &'a str, empty: bool },
    /// An end tag.
    End(&'a str),
    /// Text in which entities are not decoded yet.
    Text(&'a str),
    /// Text that is meant as it stands.
    Cdata(&'a str),
}

/// The tokens of a page, read from front to back.
pub(super) struct Tokens<'a> {
    body: &'a str,
    at: usize,
    lenient: bool,
    broken: bool,
    no_more_cdata_ends: bool,
    no_more_comment_ends: bool,
}

impl<'a> Tokens<'a> {
    /// Starts at the front. A lenient reading guesses where unfinished character data ends.
    pub(super) fn new(body: &'a str, lenient: bool) -> Self {
        Self { body, at: 0, lenient, broken: false, no_more_cdata_ends: false, no_more_comment_ends: false }
    }

    /// Whether anything so far was not XML.
    pub(super) fn broken(&self) -> bool {
        self.broken
    }

    fn literal(&mut self, bytes: usize) -> Token<'a> {
        self.broken = true;
        let text = &self.body[self.at..self.at + bytes];
        self.at += bytes;
        Token::Text(text)
    }

    fn tag(&mut self) -> Token<'a> {
        let rest = &self.body[self.at + 1..];
        let Some(end) = tag_end(rest) else { return self.literal(1) };
        let inside = &rest[..end];
        self.at += end + 2;
        if let Some(name) = inside.strip_prefix('/') {
            return Token::End(name.trim_ascii_end());
        }
        let (inside, empty) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let name_end = inside.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(inside.len());
        Token::Start { name: &inside[..name_end], attributes: &inside[name_end..], empty }
    }

    fn cdata(&mut self) -> Token<'a> {
        const OPEN: usize = "<![CDATA[".len();
        let rest = &self.body[self.at + OPEN..];
        let end = if self.no_more_cdata_ends { None } else { memmem::find(rest.as_bytes(), b"]]>") };
        self.no_more_cdata_ends = end.is_none();
        let (inside, length) = match end {
            Some(end) => (&rest[..end], end + 3),
            None => {
                self.broken = true;
                (rest, rest.len())
            }
        };
        let (inside, length) = match self.lenient {
            true => unfinished(inside).unwrap_or((inside, length)),
            false => (inside, length),
        };
        self.at += OPEN + length;
        Token::Cdata(inside)
    }

    /// Steps over a comment, a processing instruction or a document type; false means that it never ends.
    fn skip(&mut self) -> bool {
        let rest = &self.body.as_bytes()[self.at..];
        let end = if rest.starts_with(b"<!--") {
            if self.no_more_comment_ends {
                return false;
            }
            let end = memmem::find(&rest[4..], b"-->").map(|end| end + 7);
            self.no_more_comment_ends = end.is_none();
            end
        } else {
            memchr3(b'>', b'<', 0, &rest[1..]).filter(|&end| rest[end + 1] == b'>').map(|end| end + 2)
        };
        self.at += end.unwrap_or(0);
        end.is_some()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.body.as_bytes();
        loop {
            match (bytes.get(self.at)?, bytes.get(self.at + 1).copied().unwrap_or(0)) {
                (b'<', b'/') if bytes.get(self.at + 2).is_some_and(|&b| starts_name(b)) => {
                    return Some(self.tag());
                }
                (b'<', b) if starts_name(b) => return Some(self.tag()),
                (b'<', b'!') if bytes[self.at..].starts_with(b"<![CDATA[") => return Some(self.cdata()),
                (b'<', b'!' | b'?') if self.skip() => {}
                (b'<', _) => return Some(self.literal(1)),
                _ => {
                    let rest = &self.body[self.at..];
                    let end = memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
                    self.at += end;
                    return Some(Token::Text(&rest[..end]));
                }
            }
        }
    }
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Where the `>` of a tag is, quoted values respected; `None` if another tag begins before.
fn tag_end(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let mut at = 0;
    let mut limit = bytes.len();
    loop {
        let quote = match bytes[at..limit].iter().position(|b| matches!(b, b'>' | b'<' | b'"' | b'\'')) {
            Some(step) if bytes[at + step] == b'>' => return Some(at + step),
            Some(step) if bytes[at + step] == b'<' => return None,
            Some(step) => at + step,
            None => return None,
        };
        let mut end = quote + 1 + memchr::memchr2(bytes[quote], b'<', &bytes[quote + 1..limit])?;
        if bytes[end] == b'<' {
            limit = limit.min(QUOTED_MARKUP_BYTES);
            let inside = bytes.get(quote + 1..limit)?;
            end = quote + 1 + memchr(bytes[quote], inside)?;
            let closes =
                bytes.get(end + 1).is_some_and(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
            if !closes {
                return None;
            }
        }
        at = end + 1;
    }
}

/// Where character data must have ended if its own end is missing or belongs to a later one.
fn unfinished(inside: &str) -> Option<(&str, usize)> {
    let body_end = memmem::find(inside.as_bytes(), b"</ac:plain-text-")?;
    let text = &inside[..body_end];
    let trimmed = text.trim_ascii_end();
    // Exports write the end of character data inside character data as `]] >`.
    let text = trimmed.strip_suffix("]] >").or(trimmed.strip_suffix("]]")).unwrap_or(text);
    Some((text, body_end))
}

/// The value of an attribute as written, entities not decoded.
pub(super) fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = attributes.trim_ascii_start();
    while !rest.is_empty() {
        let name_end = rest.bytes().position(|b| b == b'=' || b.is_ascii_whitespace()).unwrap_or(rest.len());
        let name = &rest[..name_end];
        rest = rest[name_end..].trim_ascii_start();
        let Some(after) = rest.strip_prefix('=') else {
            if name == wanted {
                return Some("");
            }
            continue;
        };
        let after = after.trim_ascii_start();
        let (value, next) = match after.as_bytes().first() {
            Some(&quote @ (b'"' | b'\'')) => match memchr(quote, &after.as_bytes()[1..]) {
                Some(end) => (&after[1..end + 1], &after[end + 2..]),
                None => (&after[1..], ""),
            },
            _ => {
                let end = after.bytes().position(|b| b.is_ascii_whitespace()).unwrap_or(after.len());
                (&after[..end], &after[end..])
            }
        };
        if name == wanted {
            return Some(value);
        }
        rest = next.trim_ascii_start();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_text_and_character_data_come_as_slices() {
        let tokens: Vec<_> = Tokens::new("a<b c=\"d>e\"/><![CDATA[<x>]]></b >", false).collect();
        let start = Token::Start { name: "b", attributes: " c=\"d>e\"", empty: true };
        assert_eq!(tokens, [Token::Text("a"), start, Token::Cdata("<x>"), Token::End("b")]);
    }

    #[test]
    fn an_attribute_is_found_among_others_and_with_either_quote() {
        let source = " ac:name='x' flag ri:title=\"a 'b'\" bare=1";
        assert_eq!(attribute(source, "ac:name"), Some("x"));
        assert_eq!(attribute(source, "flag"), Some(""));
        assert_eq!(attribute(source, "ri:title"), Some("a 'b'"));
        assert_eq!(attribute(source, "bare"), Some("1"));
        assert_eq!(attribute(source, "name"), None);
    }
}
