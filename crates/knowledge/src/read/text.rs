//! Characters: entities are decoded, white space is folded, invisible characters are dropped. It must not
//! know elements. Invariant: running text never holds a line break, a control character or two spaces in a
//! row.

use std::borrow::Cow;

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Text as it stands.
    Plain,
    /// A space.
    Space,
    /// A tab or a line end.
    Line,
    /// A control character.
    Control,
    /// An entity.
    Ampersand,
    /// The first byte of a character that may be a space or invisible.
    Lead,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 32 {
        classes[byte] = Class::Control;
        byte += 1;
    }
    classes[127] = Class::Control;
    classes[b'\t' as usize] = Class::Line;
    classes[b'\n' as usize] = Class::Line;
    classes[b'\r' as usize] = Class::Line;
    classes[b' ' as usize] = Class::Space;
    classes[b'&' as usize] = Class::Ampersand;
    // U+0080..BF (no-break space, soft hyphen), U+1000..3FFF (typographic and zero-width spaces),
    // U+F000..FFFF (BOM).
    classes[0xC2] = Class::Lead;
    classes[0xE1] = Class::Lead;
    classes[0xE2] = Class::Lead;
    classes[0xE3] = Class::Lead;
    classes[0xEF] = Class::Lead;
    classes
};

/// How text is to be taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// `&amp;` is one character, not five.
    pub(super) entities: bool,
    /// White space runs are one space.
    pub(super) fold: bool,
}

/// Appends `source` to `out`; `after_space` says whether a space before it would be one too many. Returns how
/// many entities were not known.
pub(super) fn append(out: &mut String, source: &str, manner: Manner, after_space: bool) -> u32 {
    let bytes = source.as_bytes();
    let (mut run, mut at, mut unknown) = (0, 0, 0);
    let mut after_space = after_space;
    while at < bytes.len() {
        let (taken, meant) = match CLASSES[bytes[at] as usize] {
            Class::Plain => {
                after_space = false;
                at += 1;
                continue;
            }
            Class::Ampersand if !manner.entities => {
                after_space = false;
                at += 1;
                continue;
            }
            Class::Space if !(manner.fold && after_space) => {
                after_space = true;
                at += 1;
                continue;
            }
            Class::Space => (1, Meant::Nothing),
            Class::Line if !manner.fold && bytes[at] != b'\r' => {
                at += 1;
                continue;
            }
            Class::Line if manner.fold => (1, Meant::Space),
            Class::Line if bytes.get(at + 1) == Some(&b'\n') => (1, Meant::Nothing),
            Class::Line => (1, Meant::Char('\n')),
            Class::Control => (1, Meant::Nothing),
            Class::Ampersand => entity(&source[at..]),
            Class::Lead => {
                let char = source[at..].chars().next().unwrap_or(' ');
                (char.len_utf8(), meaning(char))
            }
        };
        out.push_str(&source[run..at]);
        let last_is_ascii = || out.as_bytes().last().is_none_or(|b| b.is_ascii());
        let piece = match meant {
            Meant::Joiner(_) if last_is_ascii() => Meant::Nothing,
            Meant::Joiner(char) => Meant::Char(char),
            Meant::Char(char) if char.is_ascii_whitespace() && manner.fold => Meant::Space,
            Meant::Unknown => {
                unknown += 1;
                Meant::Char('&')
            }
            other => other,
        };
        match piece {
            Meant::Space if manner.fold && after_space => {}
            Meant::Space => {
                out.push(' ');
                after_space = true;
            }
            Meant::Char(char) => {
                out.push(char);
                after_space = false;
            }
            Meant::Chars(chars) => {
                out.push_str(chars);
                after_space = false;
            }
            Meant::Nothing | Meant::Joiner(_) | Meant::Unknown => {}
        }
        at += taken;
        run = at;
    }
    out.push_str(&source[run..]);
    unknown
}

/// What a character or an entity adds to a text.
enum Meant {
    Nothing,
    Space,
    Char(char),
    Chars(&'static str),
    /// Kept inside emoji and joined scripts, dropped after Latin text.
    Joiner(char),
    Unknown,
}

fn meaning(char: char) -> Meant {
    match char {
        '\u{200C}' | '\u{200D}' => Meant::Joiner(char),
        '\u{AD}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' => {
            Meant::Nothing
        }
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Meant::Nothing,
        char if char.is_whitespace() => Meant::Space,
        char if char.is_control() => Meant::Nothing,
        char => Meant::Char(char),
    }
}

/// The longest entity name of HTML is 31 letters, with `&` and `;`.
const ENTITY_BYTES: usize = 33;

fn entity(source: &str) -> (usize, Meant) {
    let window = &source.as_bytes()[..source.len().min(ENTITY_BYTES)];
    let Some(end) = memchr::memchr(b';', window) else { return (1, Meant::Unknown) };
    let name = &source[1..end];
    let meant = match name {
        "lt" => Meant::Char('<'),
        "gt" => Meant::Char('>'),
        "amp" => Meant::Char('&'),
        "quot" => Meant::Char('"'),
        "apos" => Meant::Char('\''),
        "nbsp" => Meant::Space,
        _ => match name.strip_prefix('#') {
            Some(number) => numbered(number),
            None => quick_xml::escape::resolve_html5_entity(name).map_or(Meant::Unknown, |chars| {
                let mut each = chars.chars();
                match (each.next(), each.next()) {
                    (Some(char), None) => meaning(char),
                    _ => Meant::Chars(chars),
                }
            }),
        },
    };
    match meant {
        Meant::Unknown => (1, Meant::Unknown),
        meant => (end + 1, meant),
    }
}

fn numbered(number: &str) -> Meant {
    let value = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    let Ok(value) = value else { return Meant::Unknown };
    match char::from_u32(value) {
        Some(char @ ('\n' | '\t' | ' ')) => Meant::Char(char),
        Some(char) => meaning(char),
        None => Meant::Nothing,
    }
}

/// The value of an attribute or parameter, trimmed.
pub(super) fn value(source: &str) -> Cow<'_, str> {
    if source.bytes().all(|b| CLASSES[b as usize] == Class::Plain || b == b' ') {
        return Cow::Borrowed(source.trim());
    }
    let mut out = String::with_capacity(source.len());
    append(&mut out, source, Manner { entities: true, fold: true }, true);
    out.truncate(out.trim_end().len());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(source: &str) -> String {
        let mut out = String::new();
        append(&mut out, source, Manner { entities: true, fold: true }, true);
        out
    }

    #[test]
    fn white_space_of_every_kind_is_one_space() {
        assert_eq!(folded(" a \n\t b&nbsp;\u{a0}c\u{2009}d\u{2028}e"), "a b c d e");
    }

    #[test]
    fn invisible_characters_and_control_characters_go() {
        assert_eq!(folded("a\u{200b}b\u{1c}c\u{feff}d&#28;e&#8203;f\u{ad}g"), "abcdefg");
    }

    #[test]
    fn joiners_stay_inside_emoji() {
        assert_eq!(folded("x\u{200d}y \u{1f62e}\u{200d}\u{1f4a8}"), "xy \u{1f62e}\u{200d}\u{1f4a8}");
    }

    #[test]
    fn entities_are_decoded_once_and_unknown_ones_stay() {
        assert_eq!(
            folded("&amp;lt; caf&eacute; &rarr; &#x41;&#66; &nope; A&B & C"),
            "&lt; café → AB &nope; A&B & C"
        );
    }

    #[test]
    fn kept_text_keeps_lines_and_indentation() {
        let mut out = String::new();
        append(&mut out, "a\r\n  b\u{a0}c\t&amp;", Manner { entities: false, fold: false }, false);
        assert_eq!(out, "a\n  b c\t&amp;");
    }
}
