//! The main part of a DOCX, and its notes, to blocks: a stack of what is open. It must not know the container.
//! Invariants: the stack is never deeper than `MOST_OPEN`; text is lost only where it is counted.

use super::pieces::{Item, Piece, Spanned, blocks, table};
use super::styles::{Look, Styles, depth};
use super::{after_colon, value};
use crate::document::{Block, Cell, Inline};
use crate::read::file::{BODY_CAP_BYTES, Tally, mark};
use crate::read::table::{Allowance, Written};
use crate::read::text::{self, Manner};
use crate::read::xml::{Token, Tokens};
use std::collections::BTreeMap;

/// Paragraphs, tables, rows, cells and boxes open at once. Tables within tables within tables are twelve.
const MOST_OPEN: usize = 60;
/// Cells of all tables of a document, most of which hold a word at least.
const MOST_CELLS: usize = 100_000;
/// Columns one cell may cover; the program itself stops at 63.
const MOST_SPAN: usize = 63;

/// A mark in the text that leads to a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// It leads to an endnote.
    pub(super) end: bool,
    pub(super) id: String,
}

enum Bit {
    Text(String),
    Note(usize),
    Break,
    Picture(String),
}

#[derive(Default)]
struct Paragraph {
    bits: Vec<Bit>,
    look: Look,
    outline: Option<u8>,
    /// Boxes that stand in it; they follow it.
    after: Vec<Piece>,
}

#[derive(Default)]
struct CellAt {
    columns: usize,
    continues: bool,
}

enum Frame {
    Blocks(Vec<Piece>),
    Note(String, Vec<Piece>),
    Paragraph(Box<Paragraph>),
    Table { rows: Vec<Vec<Spanned>>, headed: bool },
    Row { cells: Vec<Spanned>, header: bool, deleted: bool },
    Cell(CellAt, Vec<Piece>),
}

impl Frame {
    fn opened_by(name: &str, attributes: &str) -> Option<Self> {
        Some(match name {
            "p" => Self::Paragraph(Box::default()),
            "tbl" => Self::Table { rows: Vec::new(), headed: false },
            "tr" => Self::Row { cells: Vec::new(), header: false, deleted: false },
            "tc" => Self::Cell(CellAt { columns: 1, continues: false }, Vec::new()),
            "txbxContent" => Self::Blocks(Vec::new()),
            "footnote" | "endnote" => Self::Note(value(attributes, "id"), Vec::new()),
            _ => return None,
        })
    }

    fn is_closed_by(&self, name: &str) -> bool {
        matches!(
            (self, name),
            (Self::Paragraph(_), "p")
                | (Self::Table { .. }, "tbl")
                | (Self::Row { .. }, "tr")
                | (Self::Cell(..), "tc")
                | (Self::Blocks(_), "txbxContent")
                | (Self::Note(..), "footnote" | "endnote")
        )
    }
}

/// Which properties are being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Text,
    ParagraphProperties,
    RowProperties,
}

/// A part being read.
pub(super) struct Body<'a> {
    styles: &'a Styles,
    tally: &'a mut Tally,
    allowance: &'a mut Allowance,
    frames: Vec<Frame>,
    /// An element that is left out with all that is in it, and how many of its name are open.
    skipped: Option<(String, usize)>,
    within: Within,
    in_text: bool,
    hidden: bool,
    taken: usize,
    cells: usize,
    references: Vec<Reference>,
    notes: BTreeMap<String, Vec<Block>>,
    counters: BTreeMap<u32, [u32; 9]>,
}

impl<'a> Body<'a> {
    pub(super) fn new(styles: &'a Styles, tally: &'a mut Tally, allowance: &'a mut Allowance) -> Self {
        Self {
            styles,
            tally,
            allowance,
            frames: vec![Frame::Blocks(Vec::new())],
            skipped: None,
            within: Within::Text,
            in_text: false,
            hidden: false,
            taken: 0,
            cells: 0,
            references: Vec::new(),
            notes: BTreeMap::new(),
            counters: BTreeMap::new(),
        }
    }

    /// Reads XML, up to as much text as a file may give.
    pub(super) fn take(&mut self, source: &str) {
        let mut tokens = Tokens::new(source, false);
        while let Some(token) = tokens.next()
            && self.taken <= BODY_CAP_BYTES
            && self.cells <= MOST_CELLS
        {
            match token {
                Token::Start { name, attributes, empty } => self.start(after_colon(name), attributes, empty),
                Token::End(name) => self.end(after_colon(name)),
                Token::Text(source) => self.text(source, true),
                Token::Cdata(source) => self.text(source, false),
            }
        }
        self.tally.add("cells after the first 100,000 left out", usize::from(self.cells > MOST_CELLS));
        self.tally.add("broken XML", usize::from(tokens.broken()));
    }

    /// The blocks, and the notes that were referred to, in order.
    pub(super) fn finish(mut self) -> (Vec<Block>, Vec<Reference>) {
        while self.frames.len() > 1 {
            self.close();
        }
        let root = self.frames.pop();
        let pieces = if let Some(Frame::Blocks(pieces)) = root { pieces } else { Vec::new() };
        (blocks(pieces), self.references)
    }

    /// The notes of a part of notes, by id.
    pub(super) fn notes(mut self) -> BTreeMap<String, Vec<Block>> {
        while self.frames.len() > 1 {
            self.close();
        }
        self.notes
    }

    fn text(&mut self, source: &str, entities: bool) {
        if !self.in_text || self.hidden || self.skipped.is_some() {
            self.tally.add("hidden text left out", usize::from(self.in_text && self.hidden));
            return;
        }
        let Some(paragraph) = self.paragraph() else { return };
        if !matches!(paragraph.bits.last(), Some(Bit::Text(_))) {
            paragraph.bits.push(Bit::Text(String::new()));
        }
        let Some(Bit::Text(held)) = paragraph.bits.last_mut() else { return };
        let before = held.len();
        let after_space = held.ends_with(' ');
        text::append(held, source, Manner { entities, fold: true }, after_space);
        self.taken += held.len() - before;
    }

    fn bit(&mut self, bit: Bit) {
        if self.hidden {
            return;
        }
        let length = if let Bit::Picture(described) = &bit { described.len() } else { 1 };
        if let Some(paragraph) = self.paragraph() {
            paragraph.bits.push(bit);
            self.taken += length;
        }
    }

    fn word(&mut self, word: &str) {
        let before = std::mem::replace(&mut self.in_text, true);
        self.text(word, false);
        self.in_text = before;
    }

    fn paragraph(&mut self) -> Option<&mut Paragraph> {
        self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Paragraph(paragraph) => Some(&mut **paragraph),
            _ => None,
        })
    }

    fn start(&mut self, name: &str, attributes: &str, empty: bool) {
        if let Some((skipped, open)) = &mut self.skipped {
            *open += usize::from(!empty && skipped == name);
            return;
        }
        if !empty && self.is_left_out(name, attributes) {
            self.skipped = Some((name.to_owned(), 1));
            return;
        }
        if let Some(frame) = Frame::opened_by(name, attributes).filter(|_| !empty) {
            match self.frames.len() < MOST_OPEN {
                true => self.frames.push(frame),
                false => self.tally.add("nested too deeply, flattened", 1),
            }
            return;
        }
        match name {
            "t" => self.in_text = !empty,
            "pPr" if !empty => self.within = Within::ParagraphProperties,
            "trPr" if !empty => self.within = Within::RowProperties,
            "r" => self.hidden = false,
            _ => match self.within {
                Within::ParagraphProperties => self.paragraph_property(name, attributes),
                Within::RowProperties => self.row_property(name),
                Within::Text => self.within_text(name, attributes),
            },
        }
    }

    /// What was deleted or moved away, what another part of the file repeats, and what a format was before.
    fn is_left_out(&mut self, name: &str, attributes: &str) -> bool {
        match name {
            "del" | "moveFrom" => {
                self.tally.add("tracked deletions left out", 1);
                true
            }
            "Fallback" | "rt" | "delText" | "instrText" => true,
            // The lines that separate notes from the text are notes of their own.
            "footnote" | "endnote" => !matches!(value(attributes, "type").as_str(), "" | "normal"),
            name => name.ends_with("PrChange"),
        }
    }

    fn paragraph_property(&mut self, name: &str, attributes: &str) {
        let given = value(attributes, "val");
        let styles = self.styles;
        let Some(paragraph) = self.paragraph() else { return };
        match name {
            "pStyle" => paragraph.look = styles.look(&given),
            "outlineLvl" => paragraph.outline = given.parse().ok().filter(|level| *level < 6),
            "ilvl" => {
                let list = paragraph.look.list.map_or(0, |(list, _)| list);
                paragraph.look.list = Some((list, depth(&given)));
            }
            // List zero is no list, though the style may be of one.
            "numId" => {
                let at = paragraph.look.list.map_or(0, |(_, depth)| depth);
                paragraph.look.list = given.parse().ok().filter(|list| *list > 0).map(|list| (list, at));
            }
            _ => {}
        }
    }

    fn row_property(&mut self, name: &str) {
        let Some(Frame::Row { header, deleted, .. }) = self.frames.last_mut() else { return };
        match name {
            "tblHeader" => *header = true,
            "del" => *deleted = true,
            _ => {}
        }
    }

    fn within_text(&mut self, name: &str, attributes: &str) {
        let given = || value(attributes, "val");
        match (name, self.frames.last_mut()) {
            ("gridSpan", Some(Frame::Cell(at, _))) => {
                at.columns = given().parse().unwrap_or(1).clamp(1, MOST_SPAN)
            }
            ("vMerge", Some(Frame::Cell(at, _))) => at.continues = given() != "restart",
            ("tblLook", Some(Frame::Table { headed, .. })) => *headed = value(attributes, "firstRow") == "1",
            ("vanish", _) => self.hidden = !matches!(given().as_str(), "0" | "false"),
            ("tab" | "ptab", _) => self.word(" "),
            ("noBreakHyphen", _) => self.word("-"),
            ("cr", _) => self.bit(Bit::Break),
            ("br", _) => match value(attributes, "type").as_str() {
                "page" | "column" => {}
                _ => self.bit(Bit::Break),
            },
            ("footnoteReference" | "endnoteReference", _) => {
                let end = name == "endnoteReference";
                self.references.push(Reference { end, id: value(attributes, "id") });
                self.bit(Bit::Note(self.references.len()));
            }
            ("docPr", _) => {
                let described = value(attributes, "descr");
                if !described.is_empty() {
                    self.bit(Bit::Picture(described));
                }
            }
            ("sym", _) => self.tally.add("symbols of symbol fonts left out", 1),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        if let Some((skipped, open)) = &mut self.skipped {
            *open -= usize::from(skipped == name);
            if *open == 0 {
                self.skipped = None;
            }
            return;
        }
        match name {
            "t" => self.in_text = false,
            "pPr" | "trPr" => self.within = Within::Text,
            "r" => self.hidden = false,
            _ => {
                // The root stays open whatever is closed.
                let at = self.frames.iter().skip(1).rposition(|frame| frame.is_closed_by(name));
                while at.is_some_and(|at| self.frames.len() > at + 1) {
                    self.close();
                }
            }
        }
    }

    /// Closes the innermost frame and hands what it holds to the one around it.
    fn close(&mut self) {
        match self.frames.pop() {
            Some(Frame::Paragraph(paragraph)) => {
                let pieces = self.written(*paragraph);
                self.hand_on(pieces);
            }
            Some(Frame::Blocks(pieces)) => match self.paragraph() {
                Some(paragraph) => paragraph.after.extend(pieces),
                None => self.hand_on(pieces),
            },
            Some(Frame::Note(id, pieces)) => {
                self.notes.insert(id, blocks(pieces));
            }
            Some(Frame::Cell(at, pieces)) => match self.frames.last_mut() {
                Some(Frame::Row { cells, .. }) => {
                    self.cells += 1;
                    let cell = Cell { header: false, blocks: blocks(pieces) };
                    let written = Written { cell, columns: at.columns, rows: 1 };
                    cells.push(Spanned { written, continues: at.continues });
                }
                _ => self.hand_on(pieces),
            },
            Some(Frame::Row { cells, header, deleted }) => self.row(cells, header, deleted),
            Some(Frame::Table { rows, .. }) if !rows.is_empty() => {
                let (block, cut) = table(rows, self.allowance);
                self.tally.add("merged cells not repeated", usize::from(cut));
                self.hand_on(vec![Piece::Block(block)]);
            }
            Some(Frame::Table { .. }) | None => {}
        }
    }

    fn row(&mut self, mut cells: Vec<Spanned>, header: bool, deleted: bool) {
        if deleted {
            return self.tally.add("tracked deletions left out", 1);
        }
        let Some(Frame::Table { rows, headed }) = self.frames.last_mut() else {
            let blocks = cells.into_iter().flat_map(|cell| cell.written.cell.blocks);
            return self.hand_on(blocks.map(Piece::Block).collect());
        };
        for cell in &mut cells {
            cell.written.cell.header = header || (*headed && rows.is_empty());
        }
        rows.push(cells);
    }

    /// To the innermost frame that holds blocks.
    fn hand_on(&mut self, pieces: Vec<Piece>) {
        for frame in self.frames.iter_mut().rev() {
            if let Frame::Blocks(held) | Frame::Note(_, held) | Frame::Cell(_, held) = frame {
                held.extend(pieces);
                return;
            }
        }
    }

    /// A paragraph by what it is, and what stood in it.
    fn written(&mut self, paragraph: Paragraph) -> Vec<Piece> {
        let Paragraph { bits, look, outline, after } = paragraph;
        let text = inlines(bits);
        let mut pieces = Vec::with_capacity(1);
        let heading = look.heading.or(outline.map(|level| level + 1));
        match (heading, look.list) {
            _ if text.is_empty() || look.contents => {}
            (Some(level), _) => pieces.push(Piece::Block(Block::Heading { level, text })),
            (None, Some(list)) => {
                let number = self.number(list);
                pieces.push(Piece::Item(Item { depth: list.1, number, text }));
            }
            (None, None) => pieces.push(Piece::Block(Block::Paragraph(text))),
        }
        pieces.extend(after);
        pieces
    }

    /// The next number of a list, if it is numbered. Deeper levels begin anew.
    fn number(&mut self, (list, depth): (u32, u8)) -> Option<u32> {
        let numbered = self.styles.is_numbered((list, depth));
        let counters = self.counters.entry(list).or_default();
        let at = usize::from(depth).min(counters.len() - 1);
        counters[at] = counters[at].saturating_add(1);
        counters[at + 1..].fill(0);
        numbered.then_some(counters[at])
    }
}

/// Running text, protected from being read as markup, without white space at its ends.
fn inlines(mut bits: Vec<Bit>) -> Vec<Inline> {
    let blank = |bit: &Bit| match bit {
        Bit::Text(text) => text.trim().is_empty(),
        Bit::Break => true,
        Bit::Note(_) | Bit::Picture(_) => false,
    };
    while bits.last().is_some_and(blank) {
        bits.pop();
    }
    let count = bits.len();
    let mut starts_line = true;
    let mut out = Vec::with_capacity(count);
    for (number, bit) in bits.into_iter().enumerate().skip_while(|(_, bit)| blank(bit)) {
        let inline = match bit {
            Bit::Text(text) => {
                let text = if number + 1 == count { text.trim_end() } else { &text };
                let mut escaped = String::with_capacity(text.len() + 4);
                mark::push(&mut escaped, text, starts_line);
                Inline::Text(escaped)
            }
            Bit::Note(number) => Inline::Text(format!("[^{number}]")),
            Bit::Break => Inline::Break,
            Bit::Picture(described) => Inline::Image { alt: mark::line(&described), target: String::new() },
        };
        starts_line = matches!(inline, Inline::Break);
        out.push(inline);
    }
    out
}
