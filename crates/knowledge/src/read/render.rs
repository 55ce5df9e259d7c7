//! Blocks to Markdown, and to plain text. It must not know where a document came from. Invariants: people are
//! written as `@{key}` so that a rename changes no chunk; a table row is one line; text is not escaped except
//! where it would break a table, because it is written for models and for search, not for a browser.

use crate::document::{Block, Cell, Document, Inline, Link, Table, Target};

/// A lookup of people's names by key, for text that is shown.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A document as Markdown.
pub fn markdown(document: &Document) -> String {
    render_blocks(&document.blocks)
}

/// A document as Markdown for showing, with people's names where they are known.
pub fn markdown_with_names(document: &Document, names: Names<'_>) -> String {
    written(&document.blocks, Some(names))
}

/// Blocks as Markdown.
pub fn render_blocks(blocks: &[Block]) -> String {
    written(blocks, None)
}

/// Running text without markup; people as `@{key}`.
pub fn plain(inlines: &[Inline]) -> String {
    let mut out = String::new();
    plain_into(&mut out, inlines);
    out
}

fn written(blocks: &[Block], names: Option<Names<'_>>) -> String {
    let mut page = Writer { out: String::with_capacity(1024), indent: String::new(), fresh: true, names };
    page.blocks(blocks, false);
    page.out
}

fn plain_into(out: &mut String, inlines: &[Inline]) {
    for inline in inlines {
        match inline {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Strike(inner) => plain_into(out, inner),
            Inline::Link(link) if link.text.is_empty() => out.push_str(title(&link.target)),
            Inline::Link(link) => plain_into(out, &link.text),
            Inline::Person { key, .. } => person(out, key, None),
            Inline::Date(text) | Inline::Status(text) | Inline::Issue(text) | Inline::Emoji(text) => {
                out.push_str(text)
            }
            Inline::Image { alt, target } => out.push_str(if alt.is_empty() { target } else { alt }),
            Inline::Break => out.push(' '),
        }
    }
}

/// Blocks as plain text, a line each.
pub(super) fn plain_blocks(blocks: &[Block]) -> String {
    match blocks {
        [Block::Paragraph(line)] => plain(line),
        [Block::Code { text, .. }] => text.clone(),
        _ => render_blocks(blocks),
    }
}

/// What a target is called where no text is shown for it.
pub(super) fn title(target: &Target) -> &str {
    match target {
        Target::Page { title, .. } | Target::BlogPost { title, .. } => title,
        Target::Attachment { name, .. } => name,
        Target::Id(text) | Target::Space(text) | Target::Url(text) | Target::Anchor(text) => text,
    }
}

fn person(out: &mut String, key: &str, names: Option<Names<'_>>) {
    match names.and_then(|names| names(key)) {
        Some(name) => {
            out.push('@');
            out.push_str(&name);
        }
        None => {
            out.push_str("@{");
            out.push_str(key);
            out.push('}');
        }
    }
}

/// What a line break becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A line of its own.
    Text,
    /// A heading, or a value after its key.
    Line,
    /// A cell of a table.
    Cell,
}

struct Writer<'a> {
    out: String,
    /// What every further line begins with.
    indent: String,
    /// The line has begun and holds at most a marker.
    fresh: bool,
    names: Option<Names<'a>>,
}

impl Writer<'_> {
    /// Begins a line, unless one has just begun.
    fn line(&mut self) {
        if !std::mem::take(&mut self.fresh) {
            self.out.push('\n');
            self.out.push_str(&self.indent);
        }
    }

    /// An empty line between blocks.
    fn gap(&mut self) {
        if !self.fresh {
            self.out.push('\n');
            self.out.push_str(self.indent.trim_end());
        }
    }

    fn blocks(&mut self, blocks: &[Block], tight: bool) {
        for (number, block) in blocks.iter().enumerate() {
            let joined = tight && matches!(block, Block::List { .. } | Block::Tasks(_));
            if number > 0 && !joined {
                self.gap();
            }
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading { level, text } => {
                self.line();
                self.out.push_str(&"######"[..usize::from(*level).clamp(1, 6)]);
                self.out.push(' ');
                self.inlines(text, Place::Line);
            }
            Block::Paragraph(text) => {
                self.line();
                self.inlines(text, Place::Text);
            }
            Block::List { start, items } => self.list(*start, items),
            Block::Tasks(tasks) => {
                for task in tasks {
                    self.marked(if task.done { "- [x] " } else { "- [ ] " }, "  ", &task.body);
                }
            }
            Block::Table(table) => self.table(table, false),
            Block::Code { language, title, text } => self.code(language.as_deref(), title.as_deref(), text),
            Block::Panel { kind, title, blocks } => self.panel(kind, title.as_deref(), blocks),
            Block::Quote(blocks) => self.marked("> ", "> ", blocks),
            Block::Expand { title, blocks } => self.expand(title.as_deref(), blocks),
            Block::Properties(blocks) => self.properties(blocks),
            Block::Definitions(all) => {
                for (number, definition) in all.iter().enumerate() {
                    if number > 0 {
                        self.gap();
                    }
                    self.line();
                    self.inlines(&definition.term, Place::Line);
                    self.marked(": ", "  ", &definition.blocks);
                }
            }
            Block::Include(link) => {
                self.line();
                self.include(link);
            }
            Block::Rule => {
                self.line();
                self.out.push_str("---");
            }
        }
    }

    /// Blocks behind a marker, further lines indented.
    fn marked(&mut self, marker: &str, indent: &str, blocks: &[Block]) {
        self.line();
        self.out.push_str(marker);
        let outer = self.indent.len();
        self.indent.push_str(indent);
        self.fresh = true;
        self.blocks(blocks, true);
        self.fresh = false;
        self.indent.truncate(outer);
    }

    fn list(&mut self, start: Option<u32>, items: &[Vec<Block>]) {
        for (number, item) in items.iter().enumerate() {
            match start {
                None => self.marked("- ", "  ", item),
                Some(start) => {
                    let marker = format!("{}. ", u64::from(start) + number as u64);
                    self.marked(&marker, &" ".repeat(marker.len()), item);
                }
            }
        }
    }

    fn code(&mut self, language: Option<&str>, title: Option<&str>, text: &str) {
        if let Some(title) = title {
            self.line();
            self.out.push_str("**");
            self.out.push_str(title);
            self.out.push_str("**");
        }
        let fence = "`".repeat(longest_run(text).max(2) + 1);
        self.line();
        self.out.push_str(&fence);
        self.out.push_str(language.unwrap_or_default());
        let text = text.strip_suffix('\n').unwrap_or(text);
        if self.indent.is_empty() {
            self.out.push('\n');
            self.out.push_str(text);
        } else {
            for line in text.split('\n') {
                self.line();
                self.out.push_str(line);
            }
        }
        self.line();
        self.out.push_str(&fence);
    }

    fn panel(&mut self, kind: &str, title: Option<&str>, blocks: &[Block]) {
        self.line();
        self.out.push_str("> [!");
        self.out.push_str(kind);
        self.out.push(']');
        if let Some(title) = title {
            self.out.push(' ');
            self.out.push_str(title);
        }
        let outer = self.indent.len();
        self.indent.push_str("> ");
        self.blocks(blocks, false);
        self.indent.truncate(outer);
    }

    fn expand(&mut self, title: Option<&str>, blocks: &[Block]) {
        if let Some(title) = title {
            self.line();
            self.out.push_str("**");
            self.out.push_str(title);
            self.out.push_str("**");
            if !blocks.is_empty() {
                self.gap();
            }
        }
        self.blocks(blocks, false);
    }

    fn properties(&mut self, blocks: &[Block]) {
        for (number, block) in blocks.iter().enumerate() {
            if number > 0 {
                self.gap();
            }
            match block {
                Block::Table(table) => self.table(table, true),
                block => self.block(block),
            }
        }
    }

    fn include(&mut self, link: &Link) {
        self.out.push_str("{{include: ");
        if let Target::Page { space: Some(space), .. } | Target::BlogPost { space: Some(space), .. } =
            &link.target
        {
            self.out.push_str(space);
            self.out.push('/');
        }
        self.out.push_str(title(&link.target));
        self.out.push_str("}}");
    }

    fn table(&mut self, table: &Table, properties: bool) {
        if is_keyed(table) || (properties && table.rows.iter().all(|row| row.len() == 2 && !row[1].header)) {
            return self.keyed(table);
        }
        let width = table.rows.first().map_or(0, Vec::len);
        let headed = table.rows.first().is_some_and(|row| is_head(row));
        let (head, body) = table.rows.split_at(usize::from(headed));
        let empty = vec![Cell::default(); if headed { 0 } else { width }];
        self.row(head.first().unwrap_or(&empty));
        self.line();
        self.out.push('|');
        for _ in 0..width {
            self.out.push_str(" --- |");
        }
        for row in body {
            self.row(row);
        }
    }

    fn row(&mut self, cells: &[Cell]) {
        self.line();
        self.out.push('|');
        for cell in cells {
            self.out.push(' ');
            self.cell(&cell.blocks, Place::Cell);
            self.out.push_str(" |");
        }
    }

    fn keyed(&mut self, table: &Table) {
        for row in &table.rows {
            self.line();
            self.out.push_str("- ");
            let Some((key, values)) = row.split_first() else { continue };
            self.cell(&key.blocks, Place::Line);
            self.out.push_str(if self.out.ends_with(':') { " " } else { ": " });
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    self.out.push_str("; ");
                }
                self.cell(&value.blocks, Place::Line);
            }
        }
    }

    /// Blocks in one line.
    fn cell(&mut self, blocks: &[Block], place: Place) {
        let start = self.out.len();
        self.cell_blocks(blocks, place);
        if place == Place::Cell && self.out[start..].contains('|') {
            let escaped = self.out[start..].replace('|', "\\|");
            self.out.truncate(start);
            self.out.push_str(&escaped);
        }
    }

    fn cell_blocks(&mut self, blocks: &[Block], place: Place) {
        for (number, block) in blocks.iter().enumerate() {
            if number > 0 {
                self.out.push_str(if place == Place::Cell { "<br>" } else { "; " });
            }
            self.cell_block(block, place);
        }
    }

    fn cell_block(&mut self, block: &Block, place: Place) {
        match block {
            Block::Heading { text, .. } | Block::Paragraph(text) => self.inlines(text, place),
            Block::List { items, .. } => self.several(items.iter().map(Vec::as_slice), place),
            Block::Tasks(tasks) => {
                for (number, task) in tasks.iter().enumerate() {
                    self.out.push_str(if number > 0 { "; " } else { "" });
                    self.out.push_str(if task.done { "[x] " } else { "[ ] " });
                    self.cell_blocks(&task.body, place);
                }
            }
            Block::Table(table) => {
                for (number, row) in table.rows.iter().enumerate() {
                    self.out.push_str(if number > 0 { "; " } else { "" });
                    self.cells_in_cell(row, place);
                }
            }
            Block::Code { title, text, .. } => {
                self.caption(title.as_deref());
                let lines = text.split('\n').filter(|line| !line.trim().is_empty());
                for (number, line) in lines.enumerate() {
                    self.out.push_str(if number > 0 { "<br>" } else { "" });
                    self.code_span(line);
                }
            }
            Block::Panel { kind, title, blocks } => {
                self.out.push_str("[!");
                self.out.push_str(kind);
                self.out.push_str("] ");
                self.caption(title.as_deref());
                self.cell_blocks(blocks, place);
            }
            Block::Expand { title, blocks } => {
                self.caption(title.as_deref());
                self.cell_blocks(blocks, place);
            }
            Block::Quote(blocks) | Block::Properties(blocks) => self.cell_blocks(blocks, place),
            Block::Definitions(all) => {
                for (number, definition) in all.iter().enumerate() {
                    self.out.push_str(if number > 0 { "; " } else { "" });
                    self.inlines(&definition.term, place);
                    self.out.push_str(": ");
                    self.cell_blocks(&definition.blocks, place);
                }
            }
            Block::Include(link) => self.include(link),
            Block::Rule => self.out.push('—'),
        }
    }

    fn cells_in_cell(&mut self, row: &[Cell], place: Place) {
        for (number, cell) in row.iter().enumerate() {
            self.out.push_str(if number > 0 { ", " } else { "" });
            self.cell_blocks(&cell.blocks, place);
        }
    }

    fn caption(&mut self, title: Option<&str>) {
        if let Some(title) = title {
            self.out.push_str("**");
            self.out.push_str(title);
            self.out.push_str("**: ");
        }
    }

    fn several<'b>(&mut self, items: impl Iterator<Item = &'b [Block]>, place: Place) {
        for (number, item) in items.enumerate() {
            self.out.push_str(if number > 0 { "; " } else { "" });
            self.cell_blocks(item, place);
        }
    }

    fn inlines(&mut self, inlines: &[Inline], place: Place) {
        for inline in inlines {
            match inline {
                Inline::Text(text) | Inline::Date(text) | Inline::Issue(text) | Inline::Emoji(text) => {
                    self.out.push_str(text);
                }
                Inline::Code(text) => self.code_span(text),
                Inline::Strong(inner) => self.wrapped("**", inner, place),
                Inline::Emphasis(inner) => self.wrapped("*", inner, place),
                Inline::Strike(inner) => self.wrapped("~~", inner, place),
                Inline::Link(link) => self.link(link, place),
                Inline::Person { key, .. } => person(&mut self.out, key, self.names),
                Inline::Status(text) => {
                    self.out.push('[');
                    self.out.push_str(text);
                    self.out.push(']');
                }
                Inline::Image { alt, target } => {
                    self.out.push_str("![");
                    self.out.push_str(alt);
                    self.out.push_str("](");
                    self.address(&[target]);
                    self.out.push(')');
                }
                Inline::Break => match place {
                    Place::Text => self.line(),
                    Place::Line => self.out.push(' '),
                    Place::Cell => self.out.push_str("<br>"),
                },
            }
        }
    }

    fn wrapped(&mut self, mark: &str, inner: &[Inline], place: Place) {
        self.out.push_str(mark);
        self.inlines(inner, place);
        self.out.push_str(mark);
    }

    fn code_span(&mut self, text: &str) {
        let fence = "`".repeat(longest_run(text) + 1);
        let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
        self.out.push_str(&fence);
        self.out.push_str(space);
        match text.contains('\n') {
            true => self.out.push_str(&text.replace('\n', " ")),
            false => self.out.push_str(text),
        }
        self.out.push_str(space);
        self.out.push_str(&fence);
    }

    fn link(&mut self, link: &Link, place: Place) {
        let itself = matches!(link.text.as_slice(), [Inline::Text(text)] if text == title(&link.target));
        if let Target::Url(url) = &link.target
            && (link.text.is_empty() || itself)
        {
            self.out.push('<');
            self.out.push_str(url);
            self.out.push('>');
            return;
        }
        self.out.push('[');
        match link.text.is_empty() {
            true => self.out.push_str(title(&link.target)),
            false => self.inlines(&link.text, place),
        }
        self.out.push_str("](");
        match &link.target {
            Target::Page { space: Some(space), title } | Target::BlogPost { space: Some(space), title } => {
                self.address(&["confluence:", space, "/", title]);
            }
            Target::Page { space: None, title } | Target::BlogPost { space: None, title } => {
                self.address(&["confluence:", title]);
            }
            Target::Id(id) => self.address(&["confluence:id/", id]),
            Target::Attachment { name, .. } => self.address(&["attachment:", name]),
            Target::Space(key) => self.address(&["confluence:", key]),
            Target::Url(url) => self.address(&[url]),
            Target::Anchor(place) => self.address(&["#", place]),
        }
        self.out.push(')');
    }

    /// An address in brackets if it holds what would end it.
    fn address(&mut self, parts: &[&str]) {
        let bracketed = parts.iter().any(|part| part.bytes().any(|b| matches!(b, b' ' | b'(' | b')')));
        self.out.push_str(if bracketed { "<" } else { "" });
        parts.iter().for_each(|part| self.out.push_str(part));
        self.out.push_str(if bracketed { ">" } else { "" });
    }
}

/// Every row begins with a header cell and holds no other: keys and values.
fn is_keyed(table: &Table) -> bool {
    let keyed = |row: &Vec<Cell>| {
        row.len() > 1
            && row[0].header
            && !row[0].blocks.is_empty()
            && row[1..].iter().all(|cell| !cell.header)
    };
    !table.rows.is_empty() && table.rows.iter().all(keyed)
}

/// A row of header cells; corners may be empty.
fn is_head(row: &[Cell]) -> bool {
    row.iter().any(|cell| cell.header) && row.iter().all(|cell| cell.header || cell.blocks.is_empty())
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    if memchr::memchr(b'`', text.as_bytes()).is_none() {
        return 0;
    }
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
