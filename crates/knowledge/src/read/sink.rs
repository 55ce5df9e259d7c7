//! What open elements collect, and what becomes of it when they close. It must not know tags or attributes.
//! Invariant: content goes in reading order; a block inside a line splits the line and loses nothing.

use super::macros::{Macro, Parameter};
use super::plain;
use super::render::plain_blocks;
use super::table::Written;
use super::tag::Tag;
use super::text::{self, Manner};
use crate::document::{Block, Cell, Definition, Inline, Link, Target, Task};

/// Which element collects.
#[derive(Debug)]
pub(super) enum Kind {
    Root,
    Dropped,
    Heading(u8),
    List { start: Option<u32>, items: Vec<Vec<Block>> },
    Item,
    Strong,
    Emphasis,
    Strike,
    Raised,
    Code,
    Pre,
    Quote,
    Anchor(String),
    Table(Vec<Vec<Written>>),
    Cell { header: bool, columns: usize, rows: usize },
    Definitions(Vec<Definition>),
    Term,
    Description,
    Macro(Box<Macro>),
    Parameter(Parameter),
    PlainBody,
    LinkText,
    Tasks(Vec<Task>),
    Task { done: bool },
    TaskStatus,
    Link { to: Option<Inline>, anchor: String },
    Image { alt: String, caption: String, target: String },
    Caption,
    Extension { fallback: Option<Box<Sink>> },
    Node { what: String, attributes: Vec<(String, String)>, fallback: Option<Box<Sink>> },
    NodeAttribute(String),
    Fallback,
    Resource(Inline),
    Unknown(String),
}

impl Kind {
    /// The kind of an element that needs no attribute.
    pub(super) fn plain(tag: Tag) -> Option<Kind> {
        Some(match tag {
            Tag::Dropped => Kind::Dropped,
            Tag::Item => Kind::Item,
            Tag::Strong => Kind::Strong,
            Tag::Emphasis => Kind::Emphasis,
            Tag::Strike => Kind::Strike,
            Tag::Raised => Kind::Raised,
            Tag::Code => Kind::Code,
            Tag::Pre => Kind::Pre,
            Tag::Quote => Kind::Quote,
            Tag::Table => Kind::Table(Vec::new()),
            Tag::Definitions => Kind::Definitions(Vec::new()),
            Tag::Term => Kind::Term,
            Tag::Description => Kind::Description,
            Tag::PlainBody => Kind::PlainBody,
            Tag::LinkText => Kind::LinkText,
            Tag::Tasks => Kind::Tasks(Vec::new()),
            Tag::Task => Kind::Task { done: false },
            Tag::TaskStatus => Kind::TaskStatus,
            Tag::Caption => Kind::Caption,
            Tag::Extension => Kind::Extension { fallback: None },
            Tag::Fallback => Kind::Fallback,
            _ => return None,
        })
    }

    /// Text is kept to the letter.
    pub(super) fn is_raw(&self) -> bool {
        use Kind::*;
        matches!(self, Code | Pre | Parameter(_) | PlainBody | TaskStatus | NodeAttribute(_))
    }

    /// It stands in a line: a space at its front may be the space between two words.
    fn is_inline(&self) -> bool {
        use Kind::*;
        matches!(
            self,
            Strong | Emphasis | Strike | Raised | Anchor(_) | Link { .. } | LinkText | Unknown(_) | Macro(_)
        )
    }
}

/// What an element has collected so far.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) kind: Kind,
    pub(super) blocks: Vec<Block>,
    /// The line that is not finished yet.
    pub(super) inlines: Vec<Inline>,
    pub(super) raw: String,
}

impl Sink {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, blocks: Vec::new(), inlines: Vec::new(), raw: String::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.inlines.is_empty() && self.raw.is_empty()
    }

    /// Ends the collecting and says of which element it was. Stray text of a list joins its items first.
    pub(super) fn take_kind(&mut self) -> Kind {
        if matches!(self.kind, Kind::List { .. } | Kind::Definitions(_)) {
            self.flush();
        }
        std::mem::replace(&mut self.kind, Kind::Root)
    }

    /// Nothing but the spaces between tags.
    fn is_blank(&self) -> bool {
        let blank = |inline: &Inline| matches!(inline, Inline::Text(text) if text.trim().is_empty());
        self.blocks.is_empty() && self.inlines.iter().all(blank)
    }

    fn after_space(&self) -> bool {
        match self.inlines.last() {
            None => !self.kind.is_inline() || !self.blocks.is_empty(),
            Some(Inline::Text(text)) => text.ends_with(' '),
            Some(Inline::Break) => true,
            Some(_) => false,
        }
    }

    /// Takes in running text. Returns how many entities were not known.
    pub(super) fn run(&mut self, source: &str, entities: bool) -> u32 {
        let after_space = self.after_space();
        let source = if after_space { source.trim_ascii_start() } else { source };
        if source.is_empty() {
            return 0;
        }
        let manner = Manner { entities, fold: true };
        if let Some(Inline::Text(text)) = self.inlines.last_mut() {
            return text::append(text, source, manner, after_space);
        }
        let mut text = String::with_capacity(source.len());
        let unknown = text::append(&mut text, source, manner, after_space);
        if !text.is_empty() {
            if self.inlines.is_empty() {
                self.inlines.reserve_exact(1);
            }
            self.inlines.push(Inline::Text(text));
        }
        unknown
    }

    /// Adds to the line.
    pub(super) fn inline(&mut self, inline: Inline) {
        match (&mut self.kind, inline) {
            (Kind::Dropped, _) => {}
            (Kind::Parameter(parameter), inline @ (Inline::Link(_) | Inline::Person { .. })) => {
                parameter.link.get_or_insert(inline);
            }
            (kind, Inline::Break) if kind.is_raw() => self.raw.push('\n'),
            (kind, inline) if kind.is_raw() => self.raw.push_str(&plain(&[inline])),
            (_, Inline::Text(more)) => match self.inlines.last_mut() {
                Some(Inline::Text(text)) => text.push_str(&more),
                _ => self.inlines.push(Inline::Text(more)),
            },
            (_, inline) => self.inlines.push(inline),
        }
    }

    /// Ends the line and adds a block.
    pub(super) fn block(&mut self, block: Block) {
        match self.kind {
            Kind::Dropped => {}
            ref kind if kind.is_raw() => self.raw.push_str(&plain_blocks(&[block])),
            _ => {
                self.flush();
                self.put(block);
            }
        }
    }

    fn put(&mut self, block: Block) {
        match &mut self.kind {
            Kind::List { items, .. } => match items.last_mut() {
                Some(last) => last.push(block),
                None => items.push(vec![block]),
            },
            Kind::Definitions(all) => match all.last_mut() {
                Some(last) => last.blocks.push(block),
                None => all.push(Definition { term: Vec::new(), blocks: vec![block] }),
            },
            _ => {
                // Most cells and items hold one block; a vector that grows by itself begins with room for four.
                if self.blocks.is_empty() {
                    self.blocks.reserve_exact(1);
                }
                self.blocks.push(block);
            }
        }
    }

    /// Ends the line: what it holds is a paragraph, unless it is only space.
    pub(super) fn flush(&mut self) {
        if self.inlines.is_empty() {
            return;
        }
        let mut line = std::mem::take(&mut self.inlines);
        trim(&mut line);
        if !line.is_empty() {
            self.put(Block::Paragraph(line));
        }
    }

    /// Adds all that another element has collected.
    pub(super) fn take_in(&mut self, inner: Sink) {
        if matches!(self.kind, Kind::Dropped) {
            return;
        }
        inner.blocks.into_iter().for_each(|block| self.block(block));
        inner.inlines.into_iter().for_each(|inline| self.inline(inline));
        if !inner.raw.is_empty() {
            self.inline(Inline::Text(inner.raw));
        }
    }

    /// Adds a cell to the last row.
    pub(super) fn cell(&mut self, written: Written) {
        match &mut self.kind {
            Kind::Table(rows) => match rows.last_mut() {
                Some(row) => row.push(written),
                None => rows.push(vec![written]),
            },
            _ => written.cell.blocks.into_iter().for_each(|block| self.block(block)),
        }
    }
}

/// Takes spaces and line breaks from both ends.
fn trim(line: &mut Vec<Inline>) {
    while let Some(last) = line.last_mut() {
        match last {
            Inline::Break => {}
            Inline::Text(text) => {
                text.truncate(text.trim_end().len());
                if !text.is_empty() {
                    break;
                }
            }
            _ => break,
        }
        line.pop();
    }
    let blank = |inline: &Inline| match inline {
        Inline::Break => true,
        Inline::Text(text) => text.trim_start().is_empty(),
        _ => false,
    };
    let leading = line.iter().take_while(|inline| blank(inline)).count();
    line.drain(..leading);
    if let Some(Inline::Text(text)) = line.first_mut()
        && text.starts_with(' ')
    {
        text.drain(..text.len() - text.trim_start().len());
    }
}

/// Hands the content of a finished element to the one around it.
pub(super) fn finish(top: &mut Sink, kind: Kind, mut sink: Sink) {
    match kind {
        Kind::Strong => wrapped(top, sink, Inline::Strong),
        Kind::Emphasis => wrapped(top, sink, Inline::Emphasis),
        Kind::Strike => wrapped(top, sink, Inline::Strike),
        Kind::Raised => raised(top, sink),
        Kind::Anchor(href) => anchor(top, sink, href),
        Kind::Link { to, anchor } => link(top, sink, to, anchor),
        Kind::Code if !sink.raw.trim().is_empty() => top.inline(Inline::Code(sink.raw)),
        Kind::Pre if !sink.raw.trim().is_empty() => {
            top.block(Block::Code { language: None, title: None, text: sink.raw });
        }
        Kind::PlainBody => match &mut top.kind {
            Kind::Macro(around) => around.plain.get_or_insert_default().push_str(&sink.raw),
            _ => top.block(Block::Code { language: None, title: None, text: sink.raw }),
        },
        Kind::Parameter(parameter) => {
            if let Kind::Macro(around) = &mut top.kind {
                around.parameters.push(Parameter { text: sink.raw, ..parameter });
            }
        }
        Kind::TaskStatus => {
            if let Kind::Task { done } = &mut top.kind {
                *done = sink.raw.trim() == "complete";
            }
        }
        Kind::NodeAttribute(key) => {
            if let Kind::Node { attributes, .. } = &mut top.kind {
                attributes.push((key, sink.raw.trim().to_owned()));
            }
        }
        Kind::Image { alt, caption, target } => {
            let caption = if caption.is_empty() { plain(&sink.inlines) } else { caption };
            let alt = match (alt.is_empty(), caption.is_empty()) {
                (true, _) => caption,
                (false, true) => alt,
                (false, false) => format!("{alt}: {caption}"),
            };
            if !(alt.is_empty() && target.is_empty()) {
                top.inline(Inline::Image { alt, target });
            }
        }
        Kind::Caption => {
            sink.flush();
            let words = plain_blocks(&sink.blocks);
            match &mut top.kind {
                Kind::Image { caption, .. } => *caption = words,
                _ => top.inline(Inline::Text(words)),
            }
        }
        Kind::Resource(named) => resource(top, named),
        Kind::Root | Kind::Dropped | Kind::Code | Kind::Pre => {}
        Kind::LinkText | Kind::Unknown(_) => top.take_in(sink),
        kind => finish_block(top, kind, sink),
    }
}

fn finish_block(top: &mut Sink, kind: Kind, mut sink: Sink) {
    sink.flush();
    let blocks = std::mem::take(&mut sink.blocks);
    match kind {
        Kind::Heading(level) => heading(top, level, blocks),
        Kind::Item => match &mut top.kind {
            Kind::List { items, .. } => items.push(blocks),
            _ => blocks.into_iter().for_each(|block| top.block(block)),
        },
        Kind::List { start, mut items } => {
            items.retain(|item| !item.is_empty());
            if !items.is_empty() {
                top.block(Block::List { start, items });
            }
        }
        Kind::Quote if !blocks.is_empty() => top.block(Block::Quote(blocks)),
        Kind::Definitions(all) if !all.is_empty() => top.block(Block::Definitions(all)),
        Kind::Term => match &mut top.kind {
            Kind::Definitions(all) => all.push(Definition { term: joined(blocks), blocks: Vec::new() }),
            _ => blocks.into_iter().for_each(|block| top.block(block)),
        },
        Kind::Description => blocks.into_iter().for_each(|block| top.block(block)),
        Kind::Tasks(tasks) => {
            blocks.into_iter().for_each(|block| top.block(block));
            if !tasks.is_empty() {
                top.block(Block::Tasks(tasks));
            }
        }
        Kind::Task { done } => match &mut top.kind {
            Kind::Tasks(tasks) => tasks.push(Task { done, body: blocks }),
            _ => top.block(Block::Tasks(vec![Task { done, body: blocks }])),
        },
        Kind::Extension { fallback } => either(top, blocks, fallback),
        Kind::Node { what, attributes, fallback } => node(top, &what, &attributes, (blocks, fallback)),
        Kind::Fallback => {
            let kept = Sink { blocks, ..Sink::new(Kind::Fallback) };
            match &mut top.kind {
                Kind::Extension { fallback } | Kind::Node { fallback, .. } => {
                    *fallback = Some(Box::new(kept))
                }
                _ => top.take_in(kept),
            }
        }
        _ => blocks.into_iter().for_each(|block| top.block(block)),
    }
}

/// Content or fallback, never both.
fn either(top: &mut Sink, blocks: Vec<Block>, fallback: Option<Box<Sink>>) {
    if !blocks.is_empty() {
        blocks.into_iter().for_each(|block| top.block(block));
    } else if let Some(fallback) = fallback {
        top.take_in(*fallback);
    }
}

/// A node of the newer editor's format.
fn node(
    top: &mut Sink,
    what: &str,
    attributes: &[(String, String)],
    (blocks, fallback): (Vec<Block>, Option<Box<Sink>>),
) {
    let attribute =
        |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if blocks.is_empty() {
        return either(top, blocks, fallback);
    }
    match what {
        "panel" => {
            let kind =
                super::macros::panel_kind(attribute("panel-type").unwrap_or("panel")).unwrap_or("PANEL");
            top.block(Block::Panel { kind, title: None, blocks });
        }
        "decision-item" => top.block(Block::List { start: None, items: vec![blocks] }),
        "task-item" => {
            let done = attribute("state").is_some_and(|state| state.eq_ignore_ascii_case("done"));
            top.block(Block::Tasks(vec![Task { done, body: blocks }]));
        }
        "decision-list" | "task-list" => merged(blocks).into_iter().for_each(|block| top.block(block)),
        "expand" | "nested-expand" => {
            let title = attribute("title").map(str::to_owned).filter(|title| !title.is_empty());
            top.block(Block::Expand { title, blocks });
        }
        "blockquote" => top.block(Block::Quote(blocks)),
        _ => either(top, blocks, fallback),
    }
}

/// Neighbouring lists of one item each are one list.
fn merged(blocks: Vec<Block>) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::with_capacity(1);
    for block in blocks {
        match (out.last_mut(), block) {
            (Some(Block::List { items, .. }), Block::List { items: more, .. }) => items.extend(more),
            (Some(Block::Tasks(tasks)), Block::Tasks(more)) => tasks.extend(more),
            (_, block) => out.push(block),
        }
    }
    out
}

/// The text of the paragraphs becomes the heading; anything else inside it follows.
fn heading(top: &mut Sink, level: u8, blocks: Vec<Block>) {
    let mut text = Vec::new();
    let mut after = Vec::new();
    for block in blocks {
        match block {
            Block::Paragraph(line) => {
                if !text.is_empty() {
                    text.push(Inline::Text(" ".to_owned()));
                }
                text.extend(line);
            }
            block => after.push(block),
        }
    }
    for inline in &mut text {
        if *inline == Inline::Break {
            *inline = Inline::Text(" ".to_owned());
        }
    }
    if !text.is_empty() {
        top.block(Block::Heading { level, text });
    }
    after.into_iter().for_each(|block| top.block(block));
}

fn joined(blocks: Vec<Block>) -> Vec<Inline> {
    let mut text = Vec::new();
    for block in blocks {
        if !text.is_empty() {
            text.push(Inline::Text(" ".to_owned()));
        }
        match block {
            Block::Paragraph(line) => text.extend(line),
            block => text.push(Inline::Text(plain_blocks(&[block]))),
        }
    }
    text
}

/// Wraps the lines of an element; blocks inside it end the line and stand beside it. Spaces at the ends move
/// out, since `** b **` is not bold.
pub(super) fn wrapped(top: &mut Sink, sink: Sink, wrap: impl Fn(Vec<Inline>) -> Inline) {
    for block in sink.blocks {
        match block {
            Block::Paragraph(line) => top.block(Block::Paragraph(vec![wrap(line)])),
            block => top.block(block),
        }
    }
    let mut line = sink.inlines;
    let starts = matches!(line.first(), Some(Inline::Text(text)) if text.starts_with(' '));
    let ends = matches!(line.last(), Some(Inline::Text(text)) if text.ends_with(' '));
    let breaks = matches!(line.last(), Some(Inline::Break));
    trim(&mut line);
    if starts && !top.after_space() {
        top.inline(Inline::Text(" ".to_owned()));
    }
    if !line.is_empty() {
        top.inline(wrap(line));
    }
    if breaks {
        top.inline(Inline::Break);
    } else if ends && !top.after_space() {
        top.inline(Inline::Text(" ".to_owned()));
    }
}

/// Ten to the sixth must not read as one hundred and six.
fn raised(top: &mut Sink, sink: Sink) {
    let number = match sink.inlines.as_slice() {
        [Inline::Text(text)] => text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'n')),
        _ => false,
    };
    let follows = matches!(top.inlines.last(), Some(Inline::Text(text)) if !text.ends_with(' '));
    if number && follows {
        top.inline(Inline::Text("^".to_owned()));
    }
    top.take_in(sink);
}

fn anchor(top: &mut Sink, sink: Sink, href: String) {
    if href.is_empty() {
        return top.take_in(sink);
    }
    let target = match href.strip_prefix('#') {
        Some(place) => Target::Anchor(place.to_owned()),
        None => Target::Url(href),
    };
    if sink.is_blank() {
        return top.inline(Inline::Link(Link { target, text: Vec::new() }));
    }
    wrapped(top, sink, |text| Inline::Link(Link { target: target.clone(), text }));
}

fn link(top: &mut Sink, mut sink: Sink, to: Option<Inline>, anchor: String) {
    let target = match to {
        Some(Inline::Person { key, name }) => {
            sink.flush();
            let shown = plain_blocks(&sink.blocks);
            let name = if shown.is_empty() { name } else { Some(shown) };
            return person(top, key, name);
        }
        Some(Inline::Link(link)) => link.target,
        _ if anchor.is_empty() => return top.take_in(sink),
        _ => Target::Anchor(anchor),
    };
    if sink.is_blank() {
        return top.inline(Inline::Link(Link { target, text: Vec::new() }));
    }
    wrapped(top, sink, |text| Inline::Link(Link { target: target.clone(), text }));
}

fn person(top: &mut Sink, key: String, name: Option<String>) {
    match (key.is_empty(), name) {
        (false, name) => top.inline(Inline::Person { key, name }),
        (true, Some(name)) => top.inline(Inline::Text(name)),
        (true, None) => {}
    }
}

/// A named page, file or person belongs to the link or image around it.
fn resource(top: &mut Sink, named: Inline) {
    match (&mut top.kind, named) {
        (Kind::Link { to, .. }, named) => *to = Some(named),
        (Kind::Image { target, .. }, Inline::Link(link)) => {
            *target = match link.target {
                Target::Attachment { name, .. } => name,
                target => super::render::title(&target).to_owned(),
            };
        }
        (Kind::Resource(Inline::Link(around)), Inline::Link(link)) => {
            if let (Target::Attachment { page, .. }, Target::Page { title, .. }) =
                (&mut around.target, link.target)
            {
                *page = Some(title);
            }
        }
        (Kind::Resource(_), _) => {}
        (_, Inline::Person { key, name }) => person(top, key, name),
        (_, named) => top.inline(named),
    }
}

/// A cell of a table that is made of other things.
pub(super) fn cell(header: bool, line: Vec<Inline>) -> Cell {
    let blocks = if line.is_empty() { Vec::new() } else { vec![Block::Paragraph(line)] };
    Cell { header, blocks }
}
