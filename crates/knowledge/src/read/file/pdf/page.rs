//! A page of a PDF played through: what is shown, where and how large. It must not know paragraphs. Invariants: forms
//! within forms end at `MOST_FORMS_DEEP`, and what is played of one file ends at `PLAYED_CAP_BYTES`, however often a
//! form is shown.

use super::font::Font;
use super::store::Store;
use super::syntax::{Dict, Lexer, Value};
use crate::read::file::BODY_CAP_BYTES;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Content that is played for one file, forms each time they are shown.
const PLAYED_CAP_BYTES: usize = 64 << 20;
/// What showing a form costs at least.
const FORM_COST_BYTES: usize = 256;
/// What reading a font costs at least: a table of letters is made for each.
const FONT_COST_BYTES: usize = 512;
/// What a value costs of a font that stands in the page itself, which is read anew for each page.
const VALUE_COST_BYTES: usize = 16;
/// Fonts and forms that are kept for the next page.
const MOST_KEPT: usize = 64;
const MOST_FORMS_DEEP: usize = 8;
/// States saved within each other; real pages keep below thirty.
const MOST_SAVED: usize = 256;
/// Values before an operator; the format allows 33.
const MOST_OPERANDS: usize = 256;
/// A step to the right that is a space though none is written, in units of the size: a space is a quarter of it, and
/// letters are moved towards each other by a tenth.
const SPACE: f64 = 0.18;

/// Letters shown at one go.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Where they begin and end along the line, and how high the line is; as if the line were level.
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) height: f64,
    pub(super) size: f64,
    pub(super) text: String,
    /// A quarter turn of the line each.
    pub(super) turns: u8,
}

#[derive(Clone, Copy)]
struct Matrix([f64; 6]);

impl Matrix {
    const UNIT: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    fn of(operands: &[Value]) -> Option<Self> {
        let mut numbers = [0.0; 6];
        for (held, value) in numbers.iter_mut().zip(operands.get(..6)?) {
            *held = value.number()?;
        }
        Some(Self(numbers))
    }

    /// This one first, then the other.
    fn then(self, other: Self) -> Self {
        let (Self([a, b, c, d, e, f]), Self([g, h, i, j, k, l])) = (self, other);
        Self([
            a * g + b * i,
            a * h + b * j,
            c * g + d * i,
            c * h + d * j,
            e * g + f * i + k,
            e * h + f * j + l,
        ])
    }

    fn moved(self, x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y]).then(self)
    }
}

#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    letter_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

/// A part of a page that is shown on several, or several times.
struct Form {
    matrix: Matrix,
    content: Vec<u8>,
}

/// What plays the pages of a file.
pub(super) struct Player<'a> {
    store: &'a Store<'a>,
    fonts: BTreeMap<u32, Rc<Font>>,
    forms: BTreeMap<u32, Rc<Form>>,
    left: usize,
    /// What was shown on the page so far.
    pub(super) runs: Vec<Run>,
    /// Bytes of text on all pages.
    pub(super) taken: usize,
    /// Letters that the file does not tell the meaning of.
    pub(super) unknown: usize,
    pub(super) pictures: usize,
}

/// One stream being played.
struct Playing<'r> {
    resources: &'r Dict,
    state: State,
    saved: Vec<State>,
    line: Matrix,
    text: Matrix,
    /// By the names they have here.
    fonts: BTreeMap<String, Option<Rc<Font>>>,
    /// Marked parts that are open, and whether each is page furniture.
    marked: Vec<bool>,
    /// How many of them are.
    furniture: usize,
    deep: usize,
}

impl<'a> Player<'a> {
    pub(super) fn new(store: &'a Store<'a>) -> Self {
        Self {
            store,
            fonts: BTreeMap::new(),
            forms: BTreeMap::new(),
            left: PLAYED_CAP_BYTES,
            runs: Vec::new(),
            taken: 0,
            unknown: 0,
            pictures: 0,
        }
    }

    /// Whether all is read that may be.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0 || self.taken > BODY_CAP_BYTES || self.store.is_exhausted()
    }

    /// Plays a page.
    pub(super) fn page(&mut self, page: &Dict, resources: &Dict) {
        let contents = match page.get("Contents") {
            Some(value) => match self.store.resolve(value) {
                Value::Array(parts) => parts,
                _ => vec![value.clone()],
            },
            None => Vec::new(),
        };
        let mut all = Vec::new();
        for (_, bytes) in contents.iter().map_while(|part| Some(self.store.stream(part))).flatten() {
            all.extend(bytes);
            all.push(b'\n');
            if all.len() > self.left {
                break;
            }
        }
        self.play(&all, resources, Matrix::UNIT, 0);
    }

    fn play(&mut self, content: &[u8], resources: &Dict, matrix: Matrix, deep: usize) {
        let whole = content.len() <= self.left;
        let content = &content[..content.len().min(self.left)];
        self.left = if whole { self.left - content.len() } else { 0 };
        let state = State {
            matrix,
            font: None,
            size: 0.0,
            letter_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        let (line, text) = (Matrix::UNIT, Matrix::UNIT);
        let (saved, marked, fonts, furniture) = (Vec::new(), Vec::new(), BTreeMap::new(), 0);
        let mut playing = Playing { resources, state, saved, line, text, fonts, marked, furniture, deep };
        let mut lexer = Lexer::of_content(content);
        let mut operands = Vec::new();
        while self.taken <= BODY_CAP_BYTES {
            match lexer.next_value() {
                Some(Value::Word(word)) => {
                    if word == "ID" {
                        lexer.skip_picture();
                    }
                    self.operator(&mut playing, &word, &operands);
                    operands.clear();
                    lexer.renew();
                }
                Some(value) if operands.len() < MOST_OPERANDS => operands.push(value),
                None if lexer.peek().is_none() => break,
                // What is too large or too deep is no operand; what follows it may be.
                Some(_) | None => {
                    operands.clear();
                    lexer.renew();
                }
            }
        }
    }

    fn operator(&mut self, playing: &mut Playing<'_>, word: &str, operands: &[Value]) {
        let number = |at: usize| operands.get(at).and_then(Value::number).unwrap_or(0.0);
        let state = &mut playing.state;
        match word {
            "q" if playing.saved.len() < MOST_SAVED => playing.saved.push(state.clone()),
            "Q" => {
                if let Some(saved) = playing.saved.pop() {
                    playing.state = saved;
                }
            }
            "cm" => {
                if let Some(matrix) = Matrix::of(operands) {
                    state.matrix = matrix.then(state.matrix);
                }
            }
            "Tc" => state.letter_space = number(0),
            "Tw" => state.word_space = number(0),
            "Tz" => state.stretch = number(0) / 100.0,
            "TL" => state.leading = number(0),
            "Ts" => state.rise = number(0),
            "Tf" => {
                state.size = number(1);
                let name = operands.first().and_then(Value::name).unwrap_or_default();
                state.font = match playing.fonts.get(name) {
                    Some(font) => font.clone(),
                    None => {
                        let font = self.font(playing.resources, name);
                        keep(&mut playing.fonts, name.to_owned(), font.clone());
                        font
                    }
                };
            }
            "BMC" | "BDC" => {
                let furniture = operands.first().and_then(Value::name) == Some("Artifact");
                playing.furniture += usize::from(furniture);
                playing.marked.push(furniture);
            }
            "EMC" => {
                playing.furniture -= usize::from(playing.marked.pop() == Some(true));
            }
            "Do" => self.external(playing, operands.first().and_then(Value::name).unwrap_or_default()),
            _ => self.text_operator(playing, word, operands),
        }
    }

    fn text_operator(&mut self, playing: &mut Playing<'_>, word: &str, operands: &[Value]) {
        let number = |at: usize| operands.get(at).and_then(Value::number).unwrap_or(0.0);
        let leading = playing.state.leading;
        match word {
            "BT" => playing.set_line(Matrix::UNIT),
            "Tm" => playing.set_line(Matrix::of(operands).unwrap_or(Matrix::UNIT)),
            "Td" => playing.set_line(playing.line.moved(number(0), number(1))),
            "TD" => {
                playing.state.leading = -number(1);
                playing.set_line(playing.line.moved(number(0), number(1)));
            }
            "T*" => playing.set_line(playing.line.moved(0.0, -leading)),
            "Tj" => self.show(playing, operands),
            "TJ" => match operands.first() {
                Some(Value::Array(parts)) => self.show(playing, parts),
                _ => self.show(playing, operands),
            },
            "'" => {
                playing.set_line(playing.line.moved(0.0, -leading));
                self.show(playing, operands);
            }
            "\"" => {
                playing.state.word_space = number(0);
                playing.state.letter_space = number(1);
                playing.set_line(playing.line.moved(0.0, -leading));
                self.show(playing, operands.get(2..).unwrap_or_default());
            }
            _ => {}
        }
    }

    /// Shows texts, and steps between them.
    fn show(&mut self, playing: &mut Playing<'_>, parts: &[Value]) {
        let Some(font) = playing.state.font.clone() else { return };
        let start = playing.point();
        let mut text = String::new();
        for part in parts {
            match part {
                Value::Text(bytes) => self.letters(playing, &font, bytes, &mut text),
                Value::Number(back) => {
                    let State { size, stretch, .. } = playing.state;
                    let step = -back / 1000.0;
                    if step > SPACE && !text.ends_with(' ') {
                        text.push(' ');
                    }
                    playing.text = playing.text.moved(step * size * stretch, 0.0);
                }
                _ => {}
            }
        }
        if text.is_empty() || playing.furniture > 0 {
            return;
        }
        self.taken += text.len();
        let Matrix([a, b, c, d, ..]) = playing.text.then(playing.state.matrix);
        let turns = match (a.abs() >= b.abs(), a >= 0.0, b >= 0.0) {
            (true, true, _) => 0,
            (false, _, true) => 1,
            (true, false, _) => 2,
            (false, _, false) => 3,
        };
        let end = playing.point();
        let level = |(x, y): (f64, f64)| match turns {
            0 => (x, y),
            1 => (y, -x),
            2 => (-x, -y),
            _ => (-y, x),
        };
        let ((left, height), (right, _)) = (level(start), level(end));
        let size = playing.state.size.abs() * c.hypot(d);
        if [left, right, height, size].iter().all(|number| number.is_finite()) {
            self.runs.push(Run { left, right, height, size, text, turns });
        }
    }

    fn letters(&mut self, playing: &mut Playing<'_>, font: &Font, bytes: &[u8], text: &mut String) {
        let State { size, letter_space, word_space, stretch, .. } = playing.state;
        let mut rest = bytes;
        while !rest.is_empty() && text.len() <= BODY_CAP_BYTES {
            let (length, shown) = font.next(rest);
            rest = &rest[length.min(rest.len())..];
            let word_space = if shown.is_space { word_space } else { 0.0 };
            let step = (shown.width * size + letter_space + word_space) * stretch;
            playing.text = playing.text.moved(step, 0.0);
            match shown.letters {
                // Some step to where the next word begins and show the space as well.
                Some(letters) if letters == " " && text.ends_with(' ') => {}
                Some(letters) => text.push_str(&letters),
                None => self.unknown += 1,
            }
        }
    }

    fn font(&mut self, resources: &Dict, name: &str) -> Option<Rc<Font>> {
        let held = self.store.resource(resources, "Font", name)?;
        if let Value::Reference(number) = held
            && let Some(font) = self.fonts.get(&number)
        {
            return Some(font.clone());
        }
        let Value::Dict(dict) = self.store.resolve(&held) else { return None };
        self.left = self.left.saturating_sub(FONT_COST_BYTES);
        if self.left == 0 {
            return None;
        }
        let font = Rc::new(Font::read(self.store, &dict));
        match held {
            Value::Reference(number) => keep(&mut self.fonts, number, font.clone()),
            held => self.left = self.left.saturating_sub(count(&held) * VALUE_COST_BYTES + FONT_COST_BYTES),
        }
        Some(font)
    }

    /// Shows a form; counts a picture.
    fn external(&mut self, playing: &mut Playing<'_>, name: &str) {
        self.left = self.left.saturating_sub(FORM_COST_BYTES);
        let held = self.store.resource(playing.resources, "XObject", name);
        let Some(value @ Value::Reference(number)) = held else { return };
        let shown = playing.furniture == 0 && playing.deep < MOST_FORMS_DEEP && self.left > 0;
        let Some(dict) = self.store.stream_dict(&value).filter(|_| shown) else { return };
        if self.store.get(&dict, "Subtype").as_ref().and_then(Value::name) == Some("Image") {
            self.pictures += 1;
            return;
        }
        let form = match self.forms.get(&number) {
            Some(form) => form.clone(),
            None => {
                let Some((_, content)) = self.store.stream(&value) else { return };
                let matrix = self.store.array(&dict, "Matrix").and_then(|matrix| Matrix::of(&matrix));
                let form = Rc::new(Form { matrix: matrix.unwrap_or(Matrix::UNIT), content });
                keep(&mut self.forms, number, form.clone());
                form
            }
        };
        let own = self.store.dict(&dict, "Resources");
        let resources = own.as_ref().unwrap_or(playing.resources);
        self.play(&form.content, resources, form.matrix.then(playing.state.matrix), playing.deep + 1);
    }
}

/// Keeps what will be needed again; when it is too much, begins anew.
fn keep<K: Ord, T>(kept: &mut BTreeMap<K, T>, key: K, new: T) {
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
    kept.insert(key, new);
}

/// How many values there are in one.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(count).sum::<usize>(),
        Value::Dict(dict) => 1 + dict.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

impl Playing<'_> {
    fn set_line(&mut self, matrix: Matrix) {
        self.line = matrix;
        self.text = matrix;
    }

    /// Where the next letter stands on the page.
    fn point(&self) -> (f64, f64) {
        let Matrix([.., x, y]) = self.text.moved(0.0, self.state.rise).then(self.state.matrix);
        (x, y)
    }
}
