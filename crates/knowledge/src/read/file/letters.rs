//! Bytes to letters: which encoding a text file is in, and what of it is no text. It must not know what the text is.
//! Invariant: what comes out holds no control character but tabs and line feeds.

use super::Tally;

/// How much of a file is looked at to tell text from anything else.
const SAMPLE: usize = 64 << 10;
/// One control character in so many is no text: a few stray ones happen in logs and old exports.
const MOST_CONTROLS: usize = 20;

/// The upper half of Windows-1252 where it differs from Latin-1. Five places mean nothing.
const WINDOWS: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“',
    '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// A letter of Windows-1252; `\0` for a byte that means nothing.
pub(super) fn windows(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// The text of a file, lines ending in `\n`; `None` if it is no text.
pub(super) fn decode(bytes: &[u8], tally: &mut Tally) -> Option<String> {
    let decoded = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => unmarked(bytes, tally),
    };
    is_text(&decoded).then(|| cleaned(&decoded, tally))
}

/// Text of XML or JSON inside a container, where the encoding is one of Unicode's.
pub(super) fn unicode(bytes: Vec<u8>) -> String {
    match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes)
            .unwrap_or_else(|why| String::from_utf8_lossy(why.as_bytes()).into_owned()),
    }
}

pub(super) fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// UTF-8 if it is, or nearly is: a broken byte in a long text does not make it another encoding. Else Windows-1252,
/// of which Latin-1 is a part.
fn unmarked(bytes: &[u8], tally: &mut Tally) -> String {
    let (mut whole, mut broken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    if broken == 0 || whole > broken {
        tally.add("bytes that are no letters", broken);
        return String::from_utf8_lossy(bytes).into_owned();
    }
    tally.add("encoding guessed (Windows-1252)", 1);
    bytes.iter().map(|&byte| windows(byte)).collect()
}

fn is_text(text: &str) -> bool {
    let sample = &text[..text.floor_char_boundary(SAMPLE)];
    let wrong = sample.chars().filter(|letter| is_wrong(*letter)).count();
    wrong * MOST_CONTROLS <= sample.chars().count()
}

/// No text holds it; a form feed and the escape of coloured logs do occur.
fn is_wrong(letter: char) -> bool {
    let usual = matches!(letter, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1b}');
    (letter.is_control() && !usual) || letter == char::REPLACEMENT_CHARACTER
}

/// Line ends made one kind, colours of terminals and control characters dropped.
fn cleaned(text: &str, tally: &mut Tally) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut dropped = 0;
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {
                letters.next_if_eq(&'\n');
                out.push('\n');
            }
            '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{1b}' => skip_colour(&mut letters),
            '\u{feff}' => {}
            '\t' | '\n' => out.push(letter),
            letter if letter.is_control() => dropped += 1,
            letter => out.push(letter),
        }
    }
    tally.add("control characters left out", dropped);
    out
}

/// What follows an escape in a coloured log.
fn skip_colour(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    if letters.next_if_eq(&'[').is_some() {
        while letters.next_if(|letter| letter.is_ascii_digit() || matches!(letter, ';' | '?')).is_some() {}
        letters.next_if(char::is_ascii_alphabetic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<(String, Vec<String>)> {
        let mut tally = Tally::default();
        let text = decode(bytes, &mut tally)?;
        Some((text, tally.warnings().into_iter().map(|warning| warning.what).collect()))
    }

    fn text(bytes: &[u8]) -> String {
        decoded(bytes).unwrap().0
    }

    #[test]
    fn every_usual_encoding_is_read() {
        let utf16: Vec<u8> = "\u{feff}Grüße 🙂".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&utf16), "Grüße 🙂");
        let utf16: Vec<u8> = "\u{feff}Grüße".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text(&utf16), "Grüße");
        assert_eq!(text("\u{feff}Grüße".as_bytes()), "Grüße");
        let (old, warnings) = decoded(b"Gr\xfc\xdfe \x96 5 \x80").unwrap();
        assert_eq!((old.as_str(), warnings.len()), ("Grüße – 5 €", 1));
    }

    #[test]
    fn one_broken_byte_does_not_make_another_encoding() {
        let mut bytes = "Grüße aus Köln, schöne Grüße".as_bytes().to_vec();
        bytes.push(0xc3);
        assert!(text(&bytes).starts_with("Grüße aus Köln"));
    }

    #[test]
    fn lines_end_in_one_way_and_control_characters_go() {
        let log = b"a\r\nb\rc\x00 \x1b[31;1mred\x1b[0m page\x0cnext and so on";
        let (text, warnings) = decoded(log).unwrap();
        assert_eq!(text, "a\nb\nc red page\nnext and so on");
        assert_eq!(warnings, ["control characters left out"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert_eq!(decoded(&[0, 1, 2, 3, 200, 7, 9, 0, 0, 14]), None);
        let without_mark: Vec<u8> = "plain".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(&without_mark), None);
    }
}
