//! Markdown to blocks. It must not know files or links between files: a relative address stays as it is
//! written. Invariant: the tree is never deeper than `MOST_OPEN`, whatever is nested.

use super::sink::{self, Kind, Sink};
use super::table::{self, Allowance, Written};
use super::tag::Tag as Element;
use super::text::{self, Manner};
use crate::document::{Block, Cell, Document, Inline, Link, Table, Target, Task, Warning};
use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, LinkType, Options, Parser, Tag, TagEnd};

/// Elements open at once; deeper ones are flattened. The same number as for storage format.
const MOST_OPEN: usize = 100;
const RAW: Manner = Manner { entities: false, fold: false };

/// Reads a body in Markdown.
pub(super) fn document(body: &str) -> Document {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_GFM
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_DEFINITION_LIST;
    let mut page = Page {
        sinks: vec![Sink::new(Kind::Root)],
        open: Vec::new(),
        html: String::new(),
        allowance: Allowance::of(body.len()),
        flattened: 0,
    };
    for event in Parser::new_ext(body, options) {
        page.event(event);
    }
    page.finish()
}

/// What an open element needs at its end.
enum Open {
    /// Its content went to the element around it.
    Through,
    Sink,
    Paragraph,
    Code(Option<String>),
    Quote(Option<&'static str>),
    Footnote(String),
    Link(Target),
    FrontMatter,
}

struct Page {
    sinks: Vec<Sink>,
    open: Vec<Open>,
    /// The lines of an HTML block.
    html: String,
    allowance: Allowance,
    flattened: u32,
}

impl Page {
    fn top(&mut self) -> &mut Sink {
        self.sinks.last_mut().expect("the root sink stays until the page is finished")
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Text(words) => self.text(&words),
            Event::Code(words) => self.top().inline(Inline::Code(words.into_string())),
            Event::InlineMath(words) | Event::DisplayMath(words) => {
                self.top().inline(Inline::Code(words.into_string()));
            }
            Event::Html(html) => self.html.push_str(&html),
            Event::InlineHtml(html) => self.inline_html(&html),
            Event::FootnoteReference(label) => self.top().inline(Inline::Text(format!("[^{label}]"))),
            Event::SoftBreak => self.soft_break(),
            Event::HardBreak => self.top().inline(Inline::Break),
            Event::Rule => self.top().block(Block::Rule),
            Event::TaskListMarker(done) => self.top().kind = Kind::Task { done },
        }
    }

    fn text(&mut self, words: &str) {
        let top = self.top();
        if top.kind.is_raw() {
            text::append(&mut top.raw, words, RAW, false);
        } else {
            top.run(words, false);
        }
    }

    /// The first line of `> [!INFO] Title` is a line of its own.
    fn soft_break(&mut self) {
        let quoted = matches!(self.open.iter().rev().nth(1), Some(Open::Quote(_)));
        let top = self.top();
        match top.inlines.first() {
            Some(Inline::Text(words)) if quoted && words.starts_with("[!") => top.flush(),
            _ => {
                top.run(" ", false);
            }
        }
    }

    fn inline_html(&mut self, html: &str) {
        let name = html.trim_start_matches(['<', '/']);
        let end = name.bytes().position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'));
        let name = &name[..end.unwrap_or(name.len())];
        match Element::of(name) {
            Element::Break => self.top().inline(Inline::Break),
            Element::Unknown if !html.starts_with("<!") && !html.starts_with("</") => {
                self.top().inline(Inline::Text(html.to_owned()));
            }
            Element::Picture => {
                let attributes = html.trim_start_matches("<img").trim_end_matches(['>', '/']);
                let value = |name| super::xml::attribute(attributes, name).map(text::value);
                let owned = |name| value(name).unwrap_or_default().into_owned();
                self.top().inline(Inline::Image { alt: owned("alt"), target: owned("src") });
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        if self.open.len() >= MOST_OPEN {
            self.flattened += 1;
            self.open.push(Open::Through);
            return;
        }
        let (open, kind) = match tag {
            Tag::Paragraph => (Open::Paragraph, None),
            Tag::Heading { level, .. } => (Open::Sink, Some(Kind::Heading(level as u8))),
            Tag::BlockQuote(kind) => (Open::Quote(kind.map(alert)), Some(Kind::Quote)),
            Tag::CodeBlock(CodeBlockKind::Indented) => (Open::Code(None), Some(Kind::Pre)),
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                let language = info.split([' ', ',', '{']).next().filter(|word| !word.is_empty());
                (Open::Code(language.map(str::to_owned)), Some(Kind::Pre))
            }
            Tag::List(start) => {
                let start = start.map(|start| u32::try_from(start).unwrap_or(1));
                (Open::Sink, Some(Kind::List { start, items: Vec::new() }))
            }
            Tag::Item => (Open::Sink, Some(Kind::Item)),
            Tag::FootnoteDefinition(label) => (Open::Footnote(label.into_string()), Some(Kind::Root)),
            Tag::DefinitionList => (Open::Sink, Some(Kind::Definitions(Vec::new()))),
            Tag::DefinitionListTitle => (Open::Sink, Some(Kind::Term)),
            Tag::DefinitionListDefinition => (Open::Sink, Some(Kind::Description)),
            Tag::Table(_) => (Open::Sink, Some(Kind::Table(Vec::new()))),
            Tag::TableHead | Tag::TableRow => {
                let header = matches!(tag, Tag::TableHead);
                self.top().raw = if header { "h" } else { "" }.to_owned();
                if let Kind::Table(rows) = &mut self.top().kind {
                    rows.push(Vec::new());
                }
                (Open::Through, None)
            }
            Tag::TableCell => {
                let header = !self.top().raw.is_empty();
                (Open::Sink, Some(Kind::Cell { header, columns: 1, rows: 1 }))
            }
            Tag::Emphasis => (Open::Sink, Some(Kind::Emphasis)),
            Tag::Strong => (Open::Sink, Some(Kind::Strong)),
            Tag::Strikethrough => (Open::Sink, Some(Kind::Strike)),
            Tag::Link { link_type: LinkType::WikiLink { .. }, dest_url, .. } => {
                let target = Target::Page { space: None, title: dest_url.into_string() };
                (Open::Link(target), Some(Kind::LinkText))
            }
            Tag::Link { dest_url, .. } => (Open::Sink, Some(Kind::Anchor(dest_url.into_string()))),
            Tag::Image { dest_url, .. } => {
                let target = dest_url.into_string();
                (Open::Sink, Some(Kind::Image { alt: String::new(), caption: String::new(), target }))
            }
            Tag::MetadataBlock(_) => (Open::FrontMatter, Some(Kind::Pre)),
            Tag::HtmlBlock | Tag::Superscript | Tag::Subscript => (Open::Through, None),
        };
        self.open.push(open);
        self.sinks.extend(kind.map(Sink::new));
    }

    fn end(&mut self, end: TagEnd) {
        match (self.open.pop(), end) {
            (_, TagEnd::HtmlBlock) => {
                let html = std::mem::take(&mut self.html);
                let inner = super::storage::document(&html, 1);
                inner.blocks.into_iter().for_each(|block| self.top().block(block));
            }
            (Some(Open::Paragraph), _) => self.top().flush(),
            (Some(Open::Through) | None, _) => {}
            (Some(open), _) => self.close(open),
        }
    }

    fn close(&mut self, open: Open) {
        let Some(mut sink) = self.sinks.pop() else { return };
        let kind = sink.take_kind();
        match (open, kind) {
            (Open::Code(language), _) => {
                let text = sink.raw.strip_suffix('\n').map(str::to_owned).unwrap_or(sink.raw);
                self.top().block(Block::Code { language, title: None, text });
            }
            (Open::FrontMatter, _) => self.sinks[0].blocks.extend(front_matter(&sink.raw)),
            (Open::Quote(kind), _) => {
                sink.flush();
                self.top().block(quote(kind, sink.blocks));
            }
            (Open::Footnote(label), _) => {
                sink.flush();
                let mark = Inline::Text(format!("[^{label}]: "));
                match sink.blocks.first_mut() {
                    Some(Block::Paragraph(line)) => line.insert(0, mark),
                    _ => sink.blocks.insert(0, Block::Paragraph(vec![mark])),
                }
                sink.blocks.into_iter().for_each(|block| self.top().block(block));
            }
            (Open::Link(target), _) => {
                sink::wrapped(self.top(), sink, |text| Inline::Link(Link { target: target.clone(), text }));
            }
            (_, Kind::Table(rows)) => {
                let (table, _) = table::grid(rows, &mut self.allowance);
                self.top().block(Block::Table(table));
            }
            (_, Kind::Cell { header, columns, rows }) => {
                sink.flush();
                let cell = Cell { header, blocks: sink.blocks };
                self.top().cell(Written { cell, columns, rows });
            }
            (_, Kind::Task { done }) => {
                sink.flush();
                let task = Block::Tasks(vec![Task { done, body: sink.blocks }]);
                match &mut self.top().kind {
                    Kind::List { items, .. } => items.push(vec![task]),
                    _ => self.top().block(task),
                }
            }
            (_, Kind::List { start, items }) => {
                let top = self.top();
                split(start, items).into_iter().for_each(|block| top.block(block));
            }
            (_, kind) => sink::finish(self.top(), kind, sink),
        }
    }

    fn finish(mut self) -> Document {
        let root = self.top();
        root.flush();
        let blocks = std::mem::take(&mut root.blocks);
        let what = "nested too deeply, flattened".to_owned();
        let warnings = match self.flattened {
            0 => Vec::new(),
            count => vec![Warning { what, count }],
        };
        Document { blocks, warnings }
    }
}

/// Items with a box are tasks; a list may hold both.
fn split(start: Option<u32>, items: Vec<Vec<Block>>) -> Vec<Block> {
    let mut out: Vec<Block> = Vec::with_capacity(1);
    for mut item in items.into_iter().filter(|item| !item.is_empty()) {
        let task = matches!(item.as_slice(), [Block::Tasks(_)]);
        match (out.last_mut(), task) {
            (Some(Block::Tasks(tasks)), true) => {
                if let Some(Block::Tasks(more)) = item.pop() {
                    tasks.extend(more);
                }
            }
            (_, true) => out.append(&mut item),
            (Some(Block::List { items, .. }), false) => items.push(item),
            (_, false) => out.push(Block::List { start, items: vec![item] }),
        }
    }
    out
}

fn alert(kind: BlockQuoteKind) -> &'static str {
    match kind {
        BlockQuoteKind::Note => "NOTE",
        BlockQuoteKind::Tip => "TIP",
        BlockQuoteKind::Important => "IMPORTANT",
        BlockQuoteKind::Warning => "WARNING",
        BlockQuoteKind::Caution => "CAUTION",
    }
}

fn quote(kind: Option<&'static str>, mut blocks: Vec<Block>) -> Block {
    if let Some(kind) = kind {
        return Block::Panel { kind, title: None, blocks };
    }
    let marked = match blocks.first() {
        Some(Block::Paragraph(line)) => match line.first() {
            Some(Inline::Text(words)) => words.strip_prefix("[!").and_then(|words| words.split_once(']')),
            _ => None,
        },
        _ => None,
    };
    let Some((word, title)) = marked else { return Block::Quote(blocks) };
    let Some(kind) = super::macros::panel_kind(&word.to_ascii_lowercase()) else {
        return Block::Quote(blocks);
    };
    let title = Some(title.trim().to_owned()).filter(|title| !title.is_empty());
    if let Block::Paragraph(line) = &mut blocks[0] {
        line.remove(0);
        if line.is_empty() {
            blocks.remove(0);
        }
    }
    Block::Panel { kind, title, blocks }
}

/// The simple `key: value` lines of a front matter, as properties.
fn front_matter(yaml: &str) -> Option<Block> {
    let mut rows = Vec::new();
    for line in yaml.lines().filter(|line| !line.starts_with([' ', '\t', '-', '#'])) {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim().trim_matches(['"', '\'']);
        if key.is_empty() || value.is_empty() {
            continue;
        }
        let cell = |header, text: &str| sink::cell(header, vec![Inline::Text(text.to_owned())]);
        rows.push(vec![cell(true, key.trim()), cell(false, value)]);
    }
    (!rows.is_empty()).then(|| Block::Properties(vec![Block::Table(Table { rows })]))
}
