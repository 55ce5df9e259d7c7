//! Letters by the codes and names that fonts of PDF give them. It must not know fonts. The tables are those of the
//! format's own appendix.

use crate::read::file::letters::windows;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// Names of letters that are not put together of a letter and an accent, and are longer than the letter itself.
const NAMES: &str = "exclam ! quotedbl \" numbersign # dollar $ percent % ampersand & quotesingle ' parenleft ( \
    parenright ) asterisk * plus + comma , hyphen - period . slash / zero 0 one 1 two 2 three 3 four 4 five 5 six 6 \
    seven 7 eight 8 nine 9 colon : semicolon ; less < equal = greater > question ? at @ bracketleft [ backslash \\ \
    bracketright ] asciicircum ^ underscore _ grave ` braceleft { bar | braceright } asciitilde ~ exclamdown ¡ cent ¢ \
    sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © ordfeminine ª guillemotleft « \
    logicalnot ¬ registered ® macron ¯ degree ° plusminus ± acute ´ mu µ paragraph ¶ periodcentered · middot · \
    cedilla ¸ ordmasculine º guillemotright » onequarter ¼ onehalf ½ threequarters ¾ questiondown ¿ AE Æ Eth Ð \
    multiply × Oslash Ø Thorn Þ germandbls ß ae æ eth ð divide ÷ oslash ø thorn þ Dcroat Đ dcroat đ Hbar Ħ hbar ħ \
    dotlessi ı IJ Ĳ ij ĳ Ldot Ŀ ldot ŀ Lslash Ł lslash ł Eng Ŋ eng ŋ OE Œ oe œ Tbar Ŧ tbar ŧ florin ƒ circumflex ˆ \
    caron ˇ breve ˘ dotaccent ˙ ring ˚ ogonek ˛ tilde ˜ hungarumlaut ˝ Alpha Α Beta Β Gamma Γ Delta Δ Epsilon Ε \
    Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ \
    Chi Χ Psi Ψ Omega Ω alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ nu ν \
    xi ξ omicron ο pi π rho ρ sigma1 ς sigma σ tau τ upsilon υ phi φ chi χ psi ψ omega ω figuredash ‒ endash – \
    emdash — quoteleft ‘ quoteright ’ quotesinglbase ‚ quotedblleft “ quotedblright ” quotedblbase „ dagger † \
    daggerdbl ‡ bullet • ellipsis … perthousand ‰ minute ′ second ″ guilsinglleft ‹ guilsinglright › fraction ⁄ \
    Euro € trademark ™ arrowleft ← arrowup ↑ arrowright → arrowdown ↓ partialdiff ∂ product ∏ summation ∑ minus − \
    radical √ infinity ∞ integral ∫ approxequal ≈ notequal ≠ lessequal ≤ greaterequal ≥ lozenge ◊ fi fi fl fl ff ff \
    ffi ffi ffl ffl nbspace \u{a0} sfthyphen \u{ad} checkmark ✓";

static BY_NAME: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let words: Vec<&str> = NAMES.split(' ').filter(|word| !word.is_empty()).collect();
    words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
});

/// Accents by the ending of a name: `Aacute`.
const ACCENTS: [(&str, char); 14] = [
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("circumflex", '\u{302}'),
    ("dieresis", '\u{308}'),
    ("tilde", '\u{303}'),
    ("ring", '\u{30a}'),
    ("caron", '\u{30c}'),
    ("cedilla", '\u{327}'),
    ("ogonek", '\u{328}'),
    ("breve", '\u{306}'),
    ("macron", '\u{304}'),
    ("dotaccent", '\u{307}'),
    ("hungarumlaut", '\u{30b}'),
    ("commaaccent", '\u{327}'),
];

/// The upper half of the Macintosh's encoding.
const MACINTOSH: &str = "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}\
    ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";

/// What the standard encoding has beyond ASCII, by code.
const STANDARD: [(u8, char); 57] = [
    (0x27, '’'),
    (0x60, '‘'),
    (0xa1, '¡'),
    (0xa2, '¢'),
    (0xa3, '£'),
    (0xa4, '⁄'),
    (0xa5, '¥'),
    (0xa6, 'ƒ'),
    (0xa7, '§'),
    (0xa8, '¤'),
    (0xa9, '\''),
    (0xaa, '“'),
    (0xab, '«'),
    (0xac, '‹'),
    (0xad, '›'),
    (0xae, 'ﬁ'),
    (0xaf, 'ﬂ'),
    (0xb1, '–'),
    (0xb2, '†'),
    (0xb3, '‡'),
    (0xb4, '·'),
    (0xb6, '¶'),
    (0xb7, '•'),
    (0xb8, '‚'),
    (0xb9, '„'),
    (0xba, '”'),
    (0xbb, '»'),
    (0xbc, '…'),
    (0xbd, '‰'),
    (0xbf, '¿'),
    (0xc1, '`'),
    (0xc2, '´'),
    (0xc3, 'ˆ'),
    (0xc4, '˜'),
    (0xc5, '¯'),
    (0xc6, '˘'),
    (0xc7, '˙'),
    (0xc8, '¨'),
    (0xca, '˚'),
    (0xcb, '¸'),
    (0xcd, '˝'),
    (0xce, '˛'),
    (0xcf, 'ˇ'),
    (0xd0, '—'),
    (0xe1, 'Æ'),
    (0xe3, 'ª'),
    (0xe8, 'Ł'),
    (0xe9, 'Ø'),
    (0xea, 'Œ'),
    (0xeb, 'º'),
    (0xf1, 'æ'),
    (0xf5, 'ı'),
    (0xf8, 'ł'),
    (0xf9, 'ø'),
    (0xfa, 'œ'),
    (0xfb, 'ß'),
    (0x2d, '-'),
];

/// Widths of the letters from the space to the tilde in the fonts every reader has, which files may leave out.
const SANS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
const SERIF: [u16; 95] = [
    250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500, 500, 500,
    500, 500, 500, 500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611, 556, 722, 722, 333,
    389, 722, 611, 889, 722, 722, 556, 722, 667, 556, 611, 722, 722, 944, 722, 722, 611, 333, 278, 333, 469,
    500, 333, 444, 500, 444, 500, 444, 333, 500, 500, 278, 278, 500, 278, 778, 500, 500, 500, 500, 333, 389,
    278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
];

/// A letter of one of the encodings that have a name.
pub(super) fn encoded(encoding: &str, code: u8) -> Option<char> {
    let letter = match encoding {
        "MacRomanEncoding" if code >= 0x80 => MACINTOSH.chars().nth(usize::from(code - 0x80))?,
        "StandardEncoding" => match STANDARD.iter().find(|(held, _)| *held == code) {
            Some((_, letter)) => *letter,
            None if code < 0x7f => char::from(code),
            None => return None,
        },
        // Codes that mean nothing in Windows-1252 are bullets here.
        _ => match windows(code) {
            '\0' | '\u{7f}' if code > 32 => '•',
            letter => letter,
        },
    };
    (!letter.is_control()).then_some(letter)
}

/// The letters a name stands for: `eacute`, `uni20AC`, `u1F642`, `f_i`, `a.alt`.
pub(super) fn named(name: &str) -> Option<String> {
    let name = name.split('.').next().filter(|name| !name.is_empty())?;
    if name.contains('_') {
        return name.split('_').take(8).map(one_named).collect();
    }
    one_named(name)
}

fn one_named(name: &str) -> Option<String> {
    let mut letters = name.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Some(letter.to_string());
    }
    if name == "space" {
        return Some(" ".to_owned());
    }
    if let Some(letters) = BY_NAME.get(name) {
        return Some((*letters).to_owned());
    }
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    if let Some(digits) = name.strip_prefix("uni").filter(|digits| digits.len() >= 4 && digits.is_ascii()) {
        let fours = digits.as_bytes().chunks_exact(4).take(8);
        return fours.map(|four| hex(std::str::from_utf8(four).ok()?)).collect();
    }
    if let Some(letter) =
        name.strip_prefix('u').filter(|digits| (4..=6).contains(&digits.len())).and_then(hex)
    {
        return Some(letter.to_string());
    }
    let (base, accent) =
        ACCENTS.iter().find_map(|(ending, accent)| Some((name.strip_suffix(ending)?, accent)))?;
    let base = if base == "dotlessi" { "i" } else { base };
    (base.len() == 1).then(|| [base, accent.encode_utf8(&mut [0; 4])].concat().nfc().collect())
}

/// The width of a letter in thousandths of the size, where the file does not say.
pub(super) fn usual_width(font: &str, letter: char) -> f64 {
    let at = u32::from(letter).wrapping_sub(32) as usize;
    let table = if font.contains("Times") || font.contains("Serif") { &SERIF } else { &SANS };
    match table.get(at) {
        _ if font.contains("Courier") || font.contains("Mono") => 600.0,
        Some(width) => f64::from(*width),
        None => 556.0,
    }
}

/// Two letters printed as one are two letters; what is for private use says nothing.
pub(super) fn plain(letters: &str) -> String {
    let mut out = String::with_capacity(letters.len());
    for letter in letters.chars() {
        match letter {
            '\u{fb00}'..='\u{fb06}' => out.extend(letter.nfkc()),
            // Where symbol fonts have their bullets.
            '\u{f0b7}' | '\u{f0a7}' | '\u{f0d8}' => out.push('•'),
            '\u{a0}' | '\t' | '\n' | '\r' => out.push(' '),
            '\u{e000}'..='\u{f8ff}' | '\u{fffd}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_kind_are_letters() {
        let all = [
            "A",
            "eacute",
            "Scaron",
            "uni20AC",
            "u1F642",
            "f_i",
            "fi",
            "a.alt",
            "space",
            "quoteright",
            "ccedilla",
        ];
        let letters: Vec<_> = all.iter().map(|name| named(name).unwrap()).collect();
        assert_eq!(letters, ["A", "é", "Š", "€", "🙂", "fi", "fi", "a", " ", "’", "ç"]);
        assert!(BY_NAME.values().all(|letters| letters.chars().count() <= 3) && BY_NAME["lozenge"] == "◊");
        assert_eq!(named("g127").or(named(".notdef")).or(named("cid_")), None);
    }

    #[test]
    fn encodings_differ_above_ascii() {
        assert_eq!(encoded("WinAnsiEncoding", 0x96), Some('–'));
        assert_eq!(encoded("WinAnsiEncoding", 0x7f), Some('•'));
        assert_eq!(encoded("MacRomanEncoding", 0x8a), Some('ä'));
        assert_eq!(encoded("StandardEncoding", 0x27), Some('’'));
        assert_eq!(encoded("StandardEncoding", 0x80), None);
        assert_eq!(MACINTOSH.chars().count(), 128);
        assert_eq!(plain("oﬃce\u{f0b7}\u{e000}"), "office•");
    }
}
