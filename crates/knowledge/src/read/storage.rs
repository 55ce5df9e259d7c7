//! Storage format to blocks: a stack of open elements, some of which collect content. It must not know what a
//! macro means (`macros`) nor how a page is written out (`render`). Invariants: a page that is XML is read as
//! XML; one that is not is read leniently, and no text of it is lost; the tree is never deeper than
//! `MOST_OPEN`.

use super::macros::{self, Macro, Parameter};
use super::sink::{Kind, Sink};
use super::table::{Allowance, Written};
use super::tag::Tag;
use super::text::{self, Manner};
use super::xml::{self, Token, Tokens};
use crate::document::{Block, Document, Inline, Target, Warning};
use std::borrow::Cow;

/// Elements open at once. Real pages stay below 40 even with macros in tables in layouts; deeper ones are
/// flattened, so that nothing that walks the tree can run out of stack.
const MOST_OPEN: usize = 100;

/// Kinds of warnings a page lists; a report with more would not be read.
const MOST_WARNINGS: usize = 50;

/// Reads a body in storage format.
pub(super) fn document(body: &str, level: u8) -> Document {
    let undone = undo_export_escape(body);
    let read = match read(&undone, false, level) {
        Some(document) => Some(document),
        None => read(&undone, true, level),
    };
    let mut document = read.unwrap_or_default();
    document.warnings.sort();
    document
}

/// In exports the end of character data inside character data is written `]] >`, always or not at all.
fn undo_export_escape(body: &str) -> Cow<'_, str> {
    let bytes = body.as_bytes();
    let escaped =
        memchr::memmem::find(bytes, b"]] >").is_some() && memchr::memmem::find(bytes, b"]]>").is_none();
    if escaped { Cow::Owned(body.replace("]] >", "]]>")) } else { Cow::Borrowed(body) }
}

/// `None` if the reading is strict and the body is not XML.
fn read(body: &str, lenient: bool, level: u8) -> Option<Document> {
    let mut tokens = Tokens::new(body, lenient);
    let mut page = Page::new(body.len(), lenient, level);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => page.text(text, true),
            Token::Cdata(text) => page.text(text, false),
            Token::Start { name, attributes, empty } => page.start(name, attributes, empty),
            Token::End(name) => page.end(name),
        }
        if !lenient && (page.broken || tokens.broken()) {
            return None;
        }
    }
    if !lenient && !page.open.is_empty() {
        return None;
    }
    Some(page.finish())
}

/// An open element.
struct Open<'a> {
    tag: Tag,
    name: &'a str,
    /// It has a sink of its own.
    collects: bool,
}

/// A page being read.
pub(super) struct Page<'a> {
    open: Vec<Open<'a>>,
    sinks: Vec<Sink>,
    /// Elements open beyond `MOST_OPEN`.
    beyond: usize,
    lenient: bool,
    broken: bool,
    /// How many macro bodies in macro bodies this is.
    pub(super) level: u8,
    pub(super) allowance: Allowance,
    warnings: Vec<Warning>,
}

impl<'a> Page<'a> {
    fn new(bytes: usize, lenient: bool, level: u8) -> Self {
        let mut page = Self {
            open: Vec::with_capacity(16),
            sinks: Vec::with_capacity(16),
            beyond: 0,
            lenient,
            broken: false,
            level,
            allowance: Allowance::of(bytes),
            warnings: Vec::new(),
        };
        page.sinks.push(Sink::new(Kind::Root));
        if lenient {
            page.warn("broken XML", 1);
        }
        page
    }

    pub(super) fn warn(&mut self, what: &str, count: u32) {
        // A page of nothing but different unknown macros must not make this a long search.
        let full = self.warnings.len() >= MOST_WARNINGS;
        match self.warnings.iter_mut().find(|warning| warning.what == what) {
            Some(warning) => warning.count += count,
            None if full && what != "more" => self.warn("more", count),
            None => self.warnings.push(Warning { what: what.to_owned(), count }),
        }
    }

    /// The innermost element that collects. The root is never popped before the end.
    pub(super) fn top(&mut self) -> &mut Sink {
        self.sinks.last_mut().expect("the root sink stays until the page is finished")
    }

    fn text(&mut self, source: &str, entities: bool) {
        let top = self.top();
        let unknown = match top.kind {
            Kind::Dropped => 0,
            ref kind if kind.is_raw() => {
                text::append(&mut top.raw, source, Manner { entities, fold: false }, false)
            }
            _ => top.run(source, entities),
        };
        if unknown > 0 {
            self.warn("unknown entity", unknown);
        }
    }

    fn start(&mut self, name: &'a str, attributes: &'a str, empty: bool) {
        let tag = Tag::of(name);
        if self.lenient {
            self.close_implied(tag);
        }
        if tag.breaks_lines() {
            self.top().flush();
        }
        if self.open.len() >= MOST_OPEN && !empty {
            self.beyond += 1;
            self.warn("nested too deeply, flattened", 1);
            return;
        }
        let sink = self.sink(tag, name, attributes);
        let leaf = empty || (self.lenient && tag.is_void());
        let collects = sink.is_some();
        self.sinks.extend(sink);
        self.open.push(Open { tag, name, collects });
        if leaf {
            self.close(true);
        }
    }

    /// What an element collects into, if it collects. Elements without content act here.
    fn sink(&mut self, tag: Tag, name: &str, attributes: &str) -> Option<Sink> {
        let raw = self.top().kind.is_raw();
        let inside_raw = matches!(
            tag,
            Tag::Link
                | Tag::Resource
                | Tag::Macro
                | Tag::Time
                | Tag::Emoticon
                | Tag::Image
                | Tag::Break
                | Tag::Dropped
        );
        if matches!(self.top().kind, Kind::Dropped) || (raw && !inside_raw) {
            return None;
        }
        let value = |name: &str| xml::attribute(attributes, name).map(text::value);
        let owned = |name: &str| value(name).map(Cow::into_owned).unwrap_or_default();
        let kind = match tag {
            Tag::Lines | Tag::Through | Tag::Input => return None,
            Tag::Row | Tag::Break | Tag::Rule | Tag::Emoticon | Tag::Variable | Tag::Picture => {
                self.leaf(tag, attributes);
                return None;
            }
            Tag::Time => {
                let date = value("datetime").filter(|date| !date.is_empty())?;
                self.top().inline(Inline::Date(date.split('T').next().unwrap_or_default().to_owned()));
                Kind::Dropped
            }
            Tag::Unknown if self.lenient => Kind::Unknown(format!("<{name}{}>", attributes.trim_end())),
            Tag::Unknown => return None,
            Tag::Heading(level) => Kind::Heading(level),
            Tag::List => {
                let numbered = name.eq_ignore_ascii_case("ol");
                Kind::List { start: numbered.then(|| number(attributes, "start")), items: Vec::new() }
            }
            Tag::Cell if !matches!(self.top().kind, Kind::Table(_)) => return None,
            Tag::Cell => cell(name, attributes),
            Tag::Anchor => Kind::Anchor(owned("href")),
            Tag::Macro => {
                Kind::Macro(Box::new(Macro { name: owned("ac:name"), parameters: Vec::new(), plain: None }))
            }
            Tag::Parameter => Kind::Parameter(Parameter { name: owned("ac:name"), ..Parameter::default() }),
            Tag::Link => Kind::Link { to: None, anchor: owned("ac:anchor") },
            Tag::Image => {
                let alt = value("ac:alt").filter(|alt| !alt.is_empty()).or(value("ac:title"));
                let alt = alt.map(Cow::into_owned).unwrap_or_default();
                Kind::Image { alt, caption: String::new(), target: owned("ac:src") }
            }
            Tag::Resource => Kind::Resource(resource(name, &owned)),
            Tag::Node => Kind::Node { what: owned("type"), attributes: Vec::new(), fallback: None },
            Tag::NodeAttribute => Kind::NodeAttribute(owned("key")),
            tag => Kind::plain(tag)?,
        };
        Some(Sink::new(kind))
    }

    /// An element without content of its own.
    fn leaf(&mut self, tag: Tag, attributes: &str) {
        let value = |name: &str| xml::attribute(attributes, name).map(text::value);
        let owned = |name: &str| value(name).map(Cow::into_owned).unwrap_or_default();
        let top = self.top();
        match tag {
            Tag::Row => {
                if let Kind::Table(rows) = &mut top.kind {
                    rows.push(Vec::new());
                }
            }
            Tag::Break => top.inline(Inline::Break),
            Tag::Rule => top.block(Block::Rule),
            Tag::Emoticon => emoticon(attributes).into_iter().for_each(|emoji| top.inline(emoji)),
            Tag::Variable => top.inline(Inline::Text(format!("{{{}}}", owned("at:name")))),
            _ => {
                let alt = value("alt").filter(|alt| !alt.is_empty()).or(value("title"));
                let alt = alt.map(Cow::into_owned).unwrap_or_default();
                top.inline(Inline::Image { alt, target: owned("src") });
            }
        }
    }

    /// In HTML some elements end where the next one begins.
    fn close_implied(&mut self, tag: Tag) {
        let Some(top) = self.open.last() else { return };
        let implied = match tag {
            Tag::Item => top.tag == Tag::Item || (is_paragraph(top) && self.parent_is(Tag::Item)),
            Tag::Cell => top.tag == Tag::Cell || (is_paragraph(top) && self.parent_is(Tag::Cell)),
            Tag::Row => matches!(top.tag, Tag::Row | Tag::Cell),
            Tag::Term | Tag::Description => matches!(top.tag, Tag::Term | Tag::Description),
            tag => is_paragraph(top) && tag.breaks_lines(),
        };
        if implied {
            self.close(true);
            self.close_implied(tag);
        }
    }

    fn parent_is(&self, tag: Tag) -> bool {
        self.open.iter().rev().nth(1).is_some_and(|open| open.tag == tag)
    }

    fn end(&mut self, name: &str) {
        if self.beyond > 0 {
            self.beyond -= 1;
            if Tag::of(name).breaks_lines() {
                self.top().flush();
            }
            return;
        }
        match self.open.last() {
            Some(top) if top.name == name => return self.close(true),
            _ if !self.lenient => {
                self.broken = true;
                return;
            }
            _ => {}
        }
        let outer = Tag::of(name).is_outer(name);
        let place = self.open.iter().rev().position(|open| open.name.eq_ignore_ascii_case(name));
        let Some(place) = place else { return };
        let first = self.open.len() - 1 - place;
        if !outer && self.open[first + 1..].iter().any(|open| open.tag.holds()) {
            return;
        }
        while self.open.len() > first + 1 {
            self.close(false);
        }
        self.close(true);
    }

    /// Closes the innermost element; `properly` unless its own end tag is missing.
    fn close(&mut self, properly: bool) {
        let Some(open) = self.open.pop() else { return };
        if open.collects {
            self.collected(properly);
        }
        if open.tag.breaks_lines() {
            self.top().flush();
        }
    }

    /// Takes a finished sink from the stack and hands its content to the one around it.
    fn collected(&mut self, properly: bool) {
        let Some(mut sink) = self.sinks.pop() else { return };
        match sink.take_kind() {
            Kind::Macro(written) => macros::finish(self, *written, sink),
            Kind::Table(rows) => {
                sink.flush();
                let (table, cut) = super::table::grid(rows, &mut self.allowance);
                sink.blocks.into_iter().for_each(|block| self.top().block(block));
                if !table.rows.is_empty() {
                    self.top().block(Block::Table(table));
                }
                if cut {
                    self.warn("table span or width cut", 1);
                }
            }
            Kind::Cell { header, columns, rows } => {
                sink.flush();
                let cell = crate::document::Cell { header, blocks: sink.blocks };
                self.top().cell(Written { cell, columns, rows });
            }
            Kind::Unknown(literal) if !properly => {
                self.top().inline(Inline::Text(literal));
                self.top().take_in(sink);
            }
            kind => super::sink::finish(self.top(), kind, sink),
        }
    }

    fn finish(mut self) -> Document {
        while !self.open.is_empty() {
            self.close(false);
        }
        let root = self.top();
        root.flush();
        Document { blocks: std::mem::take(&mut root.blocks), warnings: self.warnings }
    }
}

fn is_paragraph(open: &Open) -> bool {
    open.name.eq_ignore_ascii_case("p")
}

/// A numbered list begins at one unless it says otherwise.
fn number(attributes: &str, name: &str) -> u32 {
    xml::attribute(attributes, name).and_then(|value| value.trim().parse().ok()).unwrap_or(1)
}

fn cell(name: &str, attributes: &str) -> Kind {
    // Row numbers that Confluence counts itself are no keys of the rows.
    let numbering =
        xml::attribute(attributes, "class").is_some_and(|class| class.contains("numberingColumn"));
    let header = name.eq_ignore_ascii_case("th") && !numbering;
    Kind::Cell { header, columns: span(attributes, "colspan"), rows: span(attributes, "rowspan") }
}

/// In HTML a span of zero reaches to the end of the table.
fn span(attributes: &str, name: &str) -> usize {
    match xml::attribute(attributes, name).and_then(|value| value.trim().parse().ok()) {
        Some(0) if name == "rowspan" => usize::MAX,
        Some(span) => span,
        None => 1,
    }
}

fn emoticon(attributes: &str) -> Option<Inline> {
    let value = |name| xml::attribute(attributes, name).map(text::value).filter(|value| !value.is_empty());
    let name = value("ac:name");
    let shown = value("ac:emoji-fallback").filter(|shown| !shown.starts_with(':'));
    let known = || name.as_deref().filter(|name| *name != "blue-star").and_then(super::emoji::named);
    let shown = shown.map(Cow::into_owned).or_else(|| known().map(str::to_owned));
    let shown = shown.or_else(|| value("ac:emoji-shortname").map(Cow::into_owned));
    let shown = shown.or_else(|| {
        name.as_deref().map(|name| match super::emoji::named(name) {
            Some(char) => char.to_owned(),
            None => format!(":{name}:"),
        })
    });
    shown.map(Inline::Emoji)
}

/// What an element of the `ri:` prefix names.
fn resource(name: &str, value: &dyn Fn(&str) -> String) -> Inline {
    let filled = |text: String| (!text.is_empty()).then_some(text);
    let first = |names: &[&str]| names.iter().find_map(|name| filled(value(name))).unwrap_or_default();
    let space = filled(value("ri:space-key"));
    let target = match name.strip_prefix("ri:").unwrap_or(name) {
        "user" => {
            return Inline::Person {
                key: first(&["ri:account-id", "ri:userkey", "ri:username"]),
                name: None,
            };
        }
        "page" => match (value("ri:content-title"), value("ri:content-id"), space) {
            (title, id, _) if title.is_empty() && !id.is_empty() => Target::Id(id),
            (title, _, Some(space)) if title.is_empty() => Target::Space(space),
            (title, _, space) => Target::Page { space, title },
        },
        "blog-post" => Target::BlogPost { space, title: value("ri:content-title") },
        "attachment" => Target::Attachment { name: value("ri:filename"), page: None },
        "space" => Target::Space(value("ri:space-key")),
        "content-entity" => Target::Id(value("ri:content-id")),
        "shortcut" => Target::Url(format!("{}:{}", value("ri:key"), value("ri:parameter"))),
        _ => Target::Url(value("ri:value")),
    };
    Inline::Link(crate::document::Link { target, text: Vec::new() })
}
