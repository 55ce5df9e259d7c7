//! The XML that exports are written in, read as a stream with bounded memory.
//!
//! Not a general parser: real exports hold control characters that XML forbids and objects cut in two, and a
//! page body may be larger than what should be held, so text is only kept up to a cap and nothing but the end
//! of the file stops the reading. It must not know what the elements mean. Invariant: `at` is the offset of
//! the next byte.

use std::io::{self, BufRead};

/// The longest tag: real ones are under 300 bytes. What is longer is text with a stray `<`.
const TAG_CAP: usize = 4096;

/// What comes after a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Markup {
    /// `<name ...>`; the tag is in `Lexer::tag`.
    Open,
    /// `<name .../>`.
    Empty,
    /// `</name>`.
    Close,
    /// A CDATA section: its text was added to what is collected.
    CData,
    /// A declaration, comment or processing instruction.
    Other,
    /// The end of the file.
    End,
}

/// A stream of text and markup.
pub(crate) struct Lexer<'a> {
    reader: &'a mut dyn BufRead,
    at: u64,
    tap: Option<blake3::Hasher>,
    tag: Vec<u8>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(reader: &'a mut dyn BufRead) -> Self {
        Self { reader, at: 0, tap: None, tag: Vec::new() }
    }

    /// The offset of the next byte.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Begins to hash every byte from here on.
    pub(crate) fn start_tap(&mut self) {
        self.tap = Some(blake3::Hasher::new());
    }

    /// Ends hashing; none if it was never begun.
    pub(crate) fn end_tap(&mut self) -> Option<[u8; 32]> {
        self.tap.take().map(|hasher| *hasher.finalize().as_bytes())
    }

    /// The last tag: its name and attributes.
    pub(crate) fn tag(&self) -> Tag<'_> {
        Tag(&self.tag)
    }

    /// Reads a run of text, entities decoded, and the markup after it. At most `cap` bytes are collected in
    /// `out`.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>, cap: usize) -> io::Result<Markup> {
        let start = out.len();
        if !self.until(b'<', out, cap)? {
            return Ok(Markup::End);
        }
        unescape(out, start);
        self.tag.clear();
        match self.byte()? {
            None => Ok(Markup::End),
            Some(b'!') => self.declared(out, cap),
            Some(b'?') => self.past(b"?>"),
            Some(b'/') => Ok(if self.rest_of_tag()? { Markup::Close } else { Markup::End }),
            Some(first) => {
                self.tag.push(first);
                if !(first == b'>' || self.rest_of_tag()?) {
                    return Ok(Markup::End);
                }
                let empty = self.tag.last() == Some(&b'/');
                Ok(if empty { Markup::Empty } else { Markup::Open })
            }
        }
    }

    /// What begins with `<!`.
    fn declared(&mut self, out: &mut Vec<u8>, cap: usize) -> io::Result<Markup> {
        for expected in b"[CDATA[" {
            match self.byte()? {
                None => return Ok(Markup::End),
                Some(found) if found == *expected => {}
                Some(b'>') => return Ok(Markup::Other),
                Some(b'-') => return self.past(b"-->"),
                Some(_) => return self.past(b">"),
            }
        }
        Ok(if self.cdata(out, cap)? { Markup::CData } else { Markup::End })
    }

    fn cdata(&mut self, out: &mut Vec<u8>, cap: usize) -> io::Result<bool> {
        // How many `]` stand right before the next byte: not yet known to be text.
        let mut brackets = 0_usize;
        loop {
            if brackets == 0 {
                if !self.until(b']', out, cap)? {
                    return Ok(false);
                }
                brackets = 1;
            }
            let byte = match self.byte()? {
                None => return Ok(false),
                Some(b']') => {
                    brackets += 1;
                    continue;
                }
                Some(byte) => byte,
            };
            let ends = byte == b'>' && brackets >= 2;
            let shown = if ends { brackets - 2 } else { brackets };
            out.extend(std::iter::repeat_n(b']', shown.min(cap.saturating_sub(out.len()))));
            if ends {
                return Ok(true);
            }
            if out.len() < cap {
                out.push(byte);
            }
            brackets = 0;
        }
    }

    /// Reads the rest of a tag up to its `>`; one inside quotes does not end it.
    fn rest_of_tag(&mut self) -> io::Result<bool> {
        let mut tag = std::mem::take(&mut self.tag);
        let whole = loop {
            if !self.until(b'>', &mut tag, TAG_CAP)? {
                break false;
            }
            let quotes = tag.iter().filter(|byte| **byte == b'"').count();
            if quotes % 2 == 0 || tag.len() >= TAG_CAP {
                break true;
            }
            tag.push(b'>');
        };
        self.tag = tag;
        Ok(whole)
    }

    /// Skips to behind `end`.
    fn past(&mut self, end: &[u8]) -> io::Result<Markup> {
        let mut seen = [0_u8; 3];
        loop {
            let Some(byte) = self.byte()? else { return Ok(Markup::End) };
            seen.rotate_left(1);
            seen[2] = byte;
            if seen.ends_with(end) {
                return Ok(Markup::Other);
            }
        }
    }

    /// Reads up to and with `end`; false at the end of the file. `out` gets what is before `end`.
    fn until(&mut self, end: u8, out: &mut Vec<u8>, cap: usize) -> io::Result<bool> {
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let found = memchr::memchr(end, chunk);
            let text = &chunk[..found.unwrap_or(chunk.len())];
            out.extend_from_slice(&text[..text.len().min(cap.saturating_sub(out.len()))]);
            let taken = found.map_or(chunk.len(), |at| at + 1);
            if let Some(tap) = &mut self.tap {
                tap.update(&chunk[..taken]);
            }
            self.reader.consume(taken);
            self.at += taken as u64;
            if found.is_some() {
                return Ok(true);
            }
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let Some(&byte) = self.reader.fill_buf()?.first() else { return Ok(None) };
        if let Some(tap) = &mut self.tap {
            tap.update(&[byte]);
        }
        self.reader.consume(1);
        self.at += 1;
        Ok(Some(byte))
    }
}

/// A tag without its brackets.
#[derive(Clone, Copy)]
pub(crate) struct Tag<'a>(&'a [u8]);

impl<'a> Tag<'a> {
    pub(crate) fn name(self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'/');
        &self.0[..end.unwrap_or(self.0.len())]
    }

    /// The value of an attribute, as written. Exports use double quotes and no entities in the ones that
    /// matter.
    pub(crate) fn attribute(self, name: &str) -> Option<&'a str> {
        let text = std::str::from_utf8(self.0).ok()?;
        text.match_indices(name).find_map(|(at, _)| {
            let before = text[..at].ends_with(|byte: char| byte.is_ascii_whitespace());
            let value =
                text[at + name.len()..].trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
            before.then(|| value.split('"').next().unwrap_or_default())
        })
    }
}

/// Decodes the entities in `text[from..]` in place. What is no known entity stays as it is written.
fn unescape(text: &mut Vec<u8>, from: usize) {
    if memchr::memchr(b'&', &text[from..]).is_none() {
        return;
    }
    let raw = text.split_off(from);
    let mut rest = raw.as_slice();
    while let Some(at) = memchr::memchr(b'&', rest) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        // The longest that means anything is `&#x10FFFF;`.
        let end = rest.iter().take(12).position(|byte| *byte == b';');
        match end.and_then(|end| Some((end, entity(&rest[1..end])?))) {
            Some((end, character)) => {
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[end + 1..];
            }
            None => {
                text.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    text.extend_from_slice(rest);
}

fn entity(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        _ => {
            let number = std::str::from_utf8(name.strip_prefix(b"#")?).ok()?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

/// The text of a body: what is between `<property name="body">` and its end, which is in `raw` as well. The
/// exporter may not write `]]>` inside CDATA and writes `]] >`, which is undone here.
pub(crate) fn body(raw: &[u8]) -> String {
    let (mut bytes, mut reader) = (Vec::with_capacity(raw.len()), raw);
    let mut lexer = Lexer::new(&mut reader);
    // A body is text; the first tag is the end of its property.
    while let Ok(Markup::CData | Markup::Other) = lexer.next(&mut bytes, usize::MAX) {}
    String::from_utf8_lossy(&bytes).replace("]] >", "]]>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(mut text: &[u8]) -> Vec<(Markup, String, String)> {
        let mut lexer = Lexer::new(&mut text);
        let mut pieces = Vec::new();
        loop {
            let mut out = Vec::new();
            let markup = lexer.next(&mut out, 1 << 20).unwrap();
            let name = String::from_utf8_lossy(lexer.tag().name()).into_owned();
            pieces.push((markup, name, String::from_utf8_lossy(&out).into_owned()));
            if markup == Markup::End {
                return pieces;
            }
        }
    }

    #[test]
    fn text_tags_cdata_and_comments_come_apart() {
        let found = pieces(
            b"<?xml version=\"1.0\"?><!-- <no> --><a x=\">\">1 &lt;&#x1c;&nope;<b/><![CDATA[]]]&amp;]]></a>",
        );
        let kinds: Vec<_> = found.iter().map(|(markup, ..)| *markup).collect();
        use Markup::*;
        assert_eq!(kinds, [Other, Other, Open, Empty, CData, Close, End]);
        assert_eq!(found[3].2, "1 <\u{1c}&nope;");
        assert_eq!(found[4].2, "]]]&amp;");
        assert_eq!((found[2].1.as_str(), found[3].1.as_str(), found[5].1.as_str()), ("a", "b", "a"));
    }

    #[test]
    fn attributes_are_found_by_their_whole_name() {
        let tag = Tag(b"property xname=\"no\" class = \"Page\"\n name=\"title\"");
        assert_eq!((tag.attribute("name"), tag.attribute("class")), (Some("title"), Some("Page")));
        assert_eq!(tag.attribute("package"), None);
    }

    #[test]
    fn nested_cdata_is_undone() {
        assert_eq!(body(b"<![CDATA[a <![CDATA[code]] > b]]></property>"), "a <![CDATA[code]]> b");
        assert_eq!(body(b"<![CDATA[a]]]]><![CDATA[>b]]></property>"), "a]]>b");
        assert_eq!(body(b"&lt;p&gt;x&lt;/p&gt;</property>"), "<p>x</p>");
    }

    #[test]
    fn what_is_collected_is_capped_and_the_rest_is_read_over() {
        let text = format!("<![CDATA[{}]]]>{}<a>", "x".repeat(100), "y".repeat(100));
        let (mut reader, mut out) = (text.as_bytes(), Vec::new());
        let mut lexer = Lexer::new(&mut reader);
        assert_eq!(lexer.next(&mut out, 10).unwrap(), Markup::CData);
        assert_eq!(lexer.next(&mut out, 20).unwrap(), Markup::Open);
        assert_eq!(out, b"xxxxxxxxxxyyyyyyyyyy");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_and_every_byte_is_counted(
            bytes: Vec<u8>,
            markup in "(<!\\[CDATA\\[|\\]{1,3}|>|<|/|&#x1;|-->|\"|a){0,40}",
        ) {
            let mut all = bytes.clone();
            all.extend(markup.as_bytes());
            let mut reader = all.as_slice();
            let mut lexer = Lexer::new(&mut reader);
            while lexer.next(&mut Vec::new(), 64).unwrap() != Markup::End {}
            proptest::prop_assert_eq!(lexer.at(), all.len() as u64);
            body(&all);
        }
    }
}
