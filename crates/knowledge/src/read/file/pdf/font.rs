//! Fonts of a PDF: what the codes of a text mean, and how wide they are. It must not know where on a page they stand.

use super::cmap::Cmap;
use super::letters::{encoded, named, plain, usual_width};
use super::store::Store;
use super::syntax::{Dict, Value};
use std::collections::BTreeMap;

/// Entries in a table of widths.
const MOST_WIDTHS: usize = 20_000;
/// No code is longer than three bytes in any font that is met.
const LAST_CODE: u32 = 0x00ff_ffff;

/// A font, as far as text goes.
#[derive(Debug, Default)]
pub(super) struct Font {
    /// Codes to letters, where the font says so itself.
    cmap: Cmap,
    /// Letters of codes of one byte; empty for fonts of more.
    letters: Vec<Option<String>>,
    /// Codes of two bytes are letters of Unicode.
    is_unicode: bool,
    /// Widths by the first code of a range, in thousandths of the size.
    widths: BTreeMap<u32, (u32, f64)>,
    usual: f64,
    name: String,
}

/// A letter as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    /// What it says; `None` if the file does not tell.
    pub(super) letters: Option<String>,
    /// Its width in units of the size.
    pub(super) width: f64,
    /// It is the byte 32, which the spacing of words goes by.
    pub(super) is_space: bool,
}

impl Font {
    pub(super) fn read(store: &Store<'_>, dict: &Dict) -> Self {
        let kind = store.get(dict, "Subtype");
        let kind = kind.as_ref().and_then(Value::name).unwrap_or_default();
        let cmap =
            dict.get("ToUnicode").and_then(|value| store.stream(value)).map(|(_, bytes)| Cmap::read(&bytes));
        let name =
            store.get(dict, "BaseFont").and_then(|name| name.name().map(str::to_owned)).unwrap_or_default();
        let mut font = Self { cmap: cmap.unwrap_or_default(), name, ..Self::default() };
        match kind {
            "Type0" => font.read_composite(store, dict),
            _ => font.read_simple(store, dict, kind),
        }
        font
    }

    fn read_composite(&mut self, store: &Store<'_>, dict: &Dict) {
        let encoding = store.get(dict, "Encoding");
        let encoding = encoding.as_ref().and_then(Value::name).unwrap_or_default();
        self.is_unicode = encoding.contains("UCS2") || encoding.contains("UTF16");
        let below = store.array(dict, "DescendantFonts").unwrap_or_default();
        let Some(Value::Dict(below)) = below.first().map(|below| store.resolve(below)) else { return };
        self.usual = store.number(&below, "DW").unwrap_or(1000.0);
        let widths = store.array(&below, "W").unwrap_or_default();
        let mut rest = widths.as_slice();
        while let [first, next, after @ ..] = rest {
            let Some(first) = first.number().map(|first| (first as u32).min(LAST_CODE)) else { break };
            match (store.resolve(next), after) {
                (Value::Array(each), _) => {
                    for (width, code) in each.iter().filter_map(Value::number).zip(first..) {
                        self.wide(code, code, width);
                    }
                    rest = after;
                }
                (Value::Number(last), [width, after @ ..]) => {
                    self.wide(first, last as u32, width.number().unwrap_or(self.usual));
                    rest = after;
                }
                _ => break,
            }
        }
    }

    fn read_simple(&mut self, store: &Store<'_>, dict: &Dict, kind: &str) {
        let descriptor = store.dict(dict, "FontDescriptor").unwrap_or_default();
        let encoding = store.get(dict, "Encoding");
        let (base, differences) = match &encoding {
            Some(Value::Name(name)) => (Some(name.clone()), Vec::new()),
            Some(Value::Dict(encoding)) => (
                store.get(encoding, "BaseEncoding").and_then(|base| base.name().map(str::to_owned)),
                store.array(encoding, "Differences").unwrap_or_default(),
            ),
            _ => (None, Vec::new()),
        };
        // The fonts every reader has are of Adobe's encoding; what is embedded without a word is mostly of Windows'.
        let usual =
            if kind == "Type1" && descriptor.is_empty() { "StandardEncoding" } else { "WinAnsiEncoding" };
        let base = base.unwrap_or_else(|| usual.to_owned());
        self.letters = (0..=255).map(|code| encoded(&base, code).map(|letter| letter.to_string())).collect();
        let mut code = 0;
        for value in &differences {
            match store.resolve(value) {
                Value::Number(number) => code = number as usize,
                Value::Name(name) => {
                    if let Some(held) = self.letters.get_mut(code) {
                        *held = named(&name);
                    }
                    code = code.saturating_add(1);
                }
                _ => {}
            }
        }
        self.letters.iter_mut().for_each(|letters| *letters = letters.as_deref().map(plain));
        self.usual = store.number(&descriptor, "MissingWidth").unwrap_or(0.0);
        // Type 3 fonts measure in units of their own.
        let scale = match store.array(dict, "FontMatrix").and_then(|matrix| matrix.first()?.number()) {
            Some(scale) if kind == "Type3" => scale * 1000.0,
            _ => 1.0,
        };
        let first = (store.number(dict, "FirstChar").unwrap_or(0.0) as u32).min(LAST_CODE);
        let widths = store.array(dict, "Widths").unwrap_or_default();
        for (width, code) in widths.iter().zip(first..) {
            if let Some(width) = store.resolve(width).number() {
                self.wide(code, code, width * scale);
            }
        }
    }

    fn wide(&mut self, first: u32, last: u32, width: f64) {
        if self.widths.len() < MOST_WIDTHS && width.is_finite() {
            self.widths.insert(first, (last, width));
        }
    }

    fn width(&self, code: u32, letters: Option<&str>) -> f64 {
        let held = self.widths.range(..=code).next_back().filter(|(_, (last, _))| code <= *last);
        match held {
            Some((_, (_, width))) => *width,
            None if self.widths.is_empty() && !self.letters.is_empty() => {
                usual_width(&self.name, letters.and_then(|letters| letters.chars().next()).unwrap_or(' '))
            }
            None => self.usual,
        }
    }

    /// The first letter of a text, and how many bytes it takes: at least one.
    pub(super) fn next(&self, bytes: &[u8]) -> (usize, Shown) {
        let simple = !self.letters.is_empty();
        let (length, code) = match simple {
            true => (1, bytes.first().copied().map_or(0, u32::from)),
            false => self.cmap.next_code(bytes, 2),
        };
        let own = || match simple {
            true => self.letters.get(code as usize).cloned().flatten(),
            false if self.is_unicode => char::from_u32(code).map(|letter| plain(&letter.to_string())),
            false => None,
        };
        let letters = self.cmap.letters(code).filter(|letters| !letters.is_empty()).or_else(own);
        let width = self.width(code, letters.as_deref()) / 1000.0;
        (length, Shown { letters, width, is_space: length == 1 && code == 32 })
    }
}
