//! Wiki markup of Confluence before version 4 to blocks: headings, lists, tables, links, and the macros that
//! hold text. It must not know storage format. Invariants: one pass over the lines; markup that is not
//! understood stays as text.

use super::macros::panel_kind;
use super::sink::{self, Kind, Sink};
use super::table::{self, Allowance, Written};
use crate::document::{Block, Document, Inline, Link, Target};

/// Boxes in boxes; deeper ones are flattened.
const MOST_OPEN: usize = 50;
/// List markers deeper than this are one level.
const MOST_NESTED: usize = 20;

/// Reads a body in wiki markup.
pub(super) fn document(body: &str) -> Document {
    let mut page = Page { sinks: vec![Sink::new(Kind::Root)], open: Vec::new(), rows: Vec::new() };
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        page.line(line, &mut lines);
    }
    page.end_table();
    while page.open.pop().is_some() {
        page.close_box(None);
    }
    let root = page.top();
    root.flush();
    Document { blocks: std::mem::take(&mut root.blocks), warnings: Vec::new() }
}

/// A box that is open: its macro and title.
struct Open {
    name: String,
    title: Option<String>,
}

struct Page {
    sinks: Vec<Sink>,
    open: Vec<Open>,
    rows: Vec<Vec<Written>>,
}

impl Page {
    fn top(&mut self) -> &mut Sink {
        self.sinks.last_mut().expect("the root sink stays until the page is finished")
    }

    fn line<'a>(&mut self, line: &'a str, lines: &mut std::str::Lines<'a>) {
        let text = line.trim();
        if let Some(cells) = text.strip_prefix('|') {
            return self.row(cells);
        }
        self.end_table();
        if text.is_empty() {
            return self.top().flush();
        }
        if let Some((level, heading)) = heading(text) {
            let text = inlines(heading);
            return self.top().block(Block::Heading { level, text });
        }
        if let Some((markers, item)) = item(text) {
            return self.item(markers, item);
        }
        if let Some(quoted) = text.strip_prefix("bq. ") {
            return self.top().block(Block::Quote(vec![Block::Paragraph(inlines(quoted))]));
        }
        if text.len() >= 4 && text.bytes().all(|b| b == b'-') {
            return self.top().block(Block::Rule);
        }
        self.braces(text, lines);
    }

    /// A line that may hold a macro.
    fn braces<'a>(&mut self, text: &'a str, lines: &mut std::str::Lines<'a>) {
        let found = text.match_indices('{').find_map(|(at, _)| {
            let monospace = text[..at].ends_with('{') || text[at + 1..].starts_with('{');
            let inside = within(&text[at + 1..], "}").filter(|_| !monospace)?;
            let after = &text[at + inside.len() + 2..];
            let (name, parameters) = inside.split_once(':').unwrap_or((inside, ""));
            is_block_macro(name).then_some((at, name, parameters, after))
        });
        let Some((at, name, parameters, after)) = found else { return self.words(text) };
        if at > 0 {
            self.words(&text[..at]);
        }
        match name {
            "code" | "noformat" => self.code(name, parameters, after, lines),
            "toc" | "children" | "anchor" | "pagetree" | "recently-updated" | "section" | "column"
            | "color" => {
                self.rest(after, lines);
            }
            "include" | "excerpt-include" => {
                let (space, title) = match parameters.split('|').next().unwrap_or_default().split_once(':') {
                    Some((space, title)) => (Some(space.to_owned()), title.to_owned()),
                    None => (None, parameters.split('|').next().unwrap_or_default().to_owned()),
                };
                let target = Target::Page { space, title };
                self.top().block(Block::Include(Link { target, text: Vec::new() }));
                self.rest(after, lines);
            }
            name => {
                self.toggle(name, parameters);
                self.rest(after, lines);
            }
        }
    }

    /// The rest of a line after a macro is a line again. Lines hold few macros; the depth is bounded all the
    /// same.
    fn rest<'a>(&mut self, after: &'a str, lines: &mut std::str::Lines<'a>) {
        match after.matches('{').count() {
            0 if after.trim().is_empty() => {}
            1..=MOST_NESTED => self.braces(after.trim(), lines),
            _ => self.words(after.trim()),
        }
    }

    fn words(&mut self, text: &str) {
        let top = self.top();
        if !top.inlines.is_empty() {
            top.inline(Inline::Break);
        }
        inlines(text).into_iter().for_each(|inline| self.top().inline(inline));
    }

    fn code<'a>(&mut self, name: &str, parameters: &str, after: &'a str, lines: &mut std::str::Lines<'a>) {
        let end = format!("{{{name}}}");
        let mut text = String::new();
        let mut line = Some(after);
        let mut rest = "";
        while let Some(current) = line {
            if let Some((inside, after)) = current.split_once(&end) {
                text.push_str(inside);
                rest = after;
                break;
            }
            text.push_str(current);
            text.push('\n');
            line = lines.next();
        }
        let text = text.trim_start_matches('\n').trim_end().to_owned();
        let language =
            parameters.split('|').find(|word| !word.contains('=') && !word.is_empty()).map(str::to_owned);
        let block = Block::Code { language, title: parameter(parameters, "title"), text };
        self.top().block(block);
        self.rest(rest, lines);
    }

    /// The same tag opens and closes a box.
    fn toggle(&mut self, name: &str, parameters: &str) {
        if self.open.last().is_some_and(|open| open.name == name) && parameters.is_empty() {
            let title = self.open.pop().and_then(|open| open.title);
            return self.close_box(Some((name, title)));
        }
        if self.open.len() < MOST_OPEN {
            let title = parameter(parameters, "title").or_else(|| {
                let bare =
                    parameters.split('|').next().filter(|word| !word.is_empty() && !word.contains('='));
                bare.map(str::to_owned)
            });
            self.open.push(Open { name: name.to_owned(), title });
            self.sinks.push(Sink::new(Kind::Root));
        }
    }

    /// `None` means that the box was never closed: its content stands for itself.
    fn close_box(&mut self, closed: Option<(&str, Option<String>)>) {
        let Some(mut sink) = self.sinks.pop() else { return };
        sink.flush();
        let blocks = sink.blocks;
        let block = match closed {
            None | Some(("excerpt" | "div" | "span" | "center", _)) => {
                return blocks.into_iter().for_each(|block| self.top().block(block));
            }
            Some(("quote", _)) => Block::Quote(blocks),
            Some(("details", _)) => Block::Properties(blocks),
            Some(("expand", title)) => Block::Expand { title, blocks },
            Some((name, title)) => Block::Panel { kind: panel_kind(name).unwrap_or("PANEL"), title, blocks },
        };
        self.top().block(block);
    }

    fn item(&mut self, markers: &str, text: &str) {
        let numbered = markers.ends_with('#');
        let top = self.top();
        top.flush();
        let mut blocks = &mut top.blocks;
        // Down to the item that the new one stands in, as far as there is one.
        for _ in 1..markers.len().min(MOST_NESTED) {
            let inside = matches!(blocks.last(), Some(Block::List { .. }));
            if !inside {
                break;
            }
            let Some(Block::List { items, .. }) = blocks.last_mut() else { return };
            let Some(last) = items.last_mut() else { return };
            blocks = last;
        }
        let fits = matches!(blocks.last(), Some(Block::List { start, .. }) if start.is_some() == numbered);
        if !fits {
            blocks.push(Block::List { start: numbered.then_some(1), items: Vec::new() });
        }
        if let Some(Block::List { items, .. }) = blocks.last_mut() {
            items.push(vec![Block::Paragraph(inlines(text))]);
        }
    }

    fn row(&mut self, cells: &str) {
        self.top().flush();
        let mut row = Vec::new();
        let mut rest = cells;
        let mut header = rest.starts_with('|');
        rest = rest.strip_prefix('|').unwrap_or(rest);
        while !rest.trim().is_empty() {
            let end = cell_end(rest);
            let cell = sink::cell(header, inlines(rest[..end].trim()));
            row.push(Written { cell, columns: 1, rows: 1 });
            rest = rest[end..].strip_prefix('|').unwrap_or("");
            header = rest.starts_with('|');
            rest = rest.strip_prefix('|').unwrap_or(rest);
        }
        self.rows.push(row);
    }

    fn end_table(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut self.rows);
        let (table, _) = table::grid(rows, &mut Allowance::of(0));
        if !table.rows.is_empty() {
            self.top().block(Block::Table(table));
        }
    }
}

/// Where a cell ends: at a bar that is neither escaped nor inside a link.
fn cell_end(rest: &str) -> usize {
    let (mut inside, mut escaped) = (false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'|' if !inside && !escaped => return at,
            b'[' => inside = memchr::memchr(b']', &rest.as_bytes()[at..rest.len().min(at + 500)]).is_some(),
            b']' => inside = false,
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    rest.len()
}

fn is_block_macro(name: &str) -> bool {
    panel_kind(name).is_some()
        || matches!(
            name,
            "code"
                | "noformat"
                | "quote"
                | "expand"
                | "excerpt"
                | "details"
                | "section"
                | "column"
                | "toc"
                | "children"
                | "anchor"
                | "pagetree"
                | "recently-updated"
                | "include"
                | "excerpt-include"
                | "div"
                | "span"
                | "center"
                | "color"
        )
}

fn parameter(parameters: &str, name: &str) -> Option<String> {
    let found = parameters.split('|').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    found.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn heading(text: &str) -> Option<(u8, &str)> {
    let level = text.strip_prefix('h')?.bytes().next().filter(|b| (b'1'..=b'6').contains(b))?;
    Some((level - b'0', text[2..].strip_prefix('.')?.trim()))
}

fn item(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|b| !matches!(b, b'*' | b'#' | b'-'))?;
    let (markers, rest) = text.split_at(end);
    let one_dash = markers == "-" || !markers.contains('-');
    (!markers.is_empty() && one_dash && rest.starts_with(' ')).then(|| (markers, rest.trim()))
}

/// Running text: links, images, bold, italic, monospace, mentions, line breaks.
fn inlines(text: &str) -> Vec<Inline> {
    let mut line = Sink::new(Kind::Root);
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'[', b'{', b'\\', rest.as_bytes()) {
        emphasised(&mut line, &rest[..at]);
        let (special, after) = rest[at..].split_at(1);
        let taken = match special {
            "[" => link(after),
            "{" => braced(after),
            _ => escaped(after),
        };
        let step = match taken {
            Some((inline, step)) => {
                line.inline(inline);
                step
            }
            None => {
                line.inline(Inline::Text(special.to_owned()));
                0
            }
        };
        rest = &after[step..];
    }
    emphasised(&mut line, rest);
    line.inlines
}

/// A link never spans lines and is not longer than this; the bound keeps a line of brackets linear.
const LINK_BYTES: usize = 2000;

fn within<'a>(text: &'a str, end: &str) -> Option<&'a str> {
    let window = &text.as_bytes()[..text.len().min(LINK_BYTES)];
    memchr::memmem::find(window, end.as_bytes()).map(|at| &text[..at])
}

fn link(after: &str) -> Option<(Inline, usize)> {
    let inside = within(after, "]")?;
    let step = inside.len() + 1;
    let (text, to) = inside.split_once('|').map_or(("", inside), |(text, rest)| {
        (text.trim(), rest.split('|').next().unwrap_or_default().trim())
    });
    if to.is_empty() || to.starts_with(' ') {
        return None;
    }
    if let Some(key) = to.strip_prefix('~') {
        let name = (!text.is_empty()).then(|| text.to_owned());
        return Some((Inline::Person { key: key.to_owned(), name }, step));
    }
    let target = if to.contains("://") || to.starts_with("mailto:") {
        Target::Url(to.to_owned())
    } else if let Some(place) = to.strip_prefix('#') {
        Target::Anchor(place.to_owned())
    } else if let Some(name) = to.strip_prefix('^') {
        Target::Attachment { name: name.to_owned(), page: None }
    } else {
        let page = to.split('#').next().unwrap_or(to);
        match page.split_once(':') {
            Some((space, "")) => Target::Space(space.to_owned()),
            Some((space, title)) if !space.contains(' ') => {
                Target::Page { space: Some(space.to_owned()), title: title.to_owned() }
            }
            _ => Target::Page { space: None, title: page.to_owned() },
        }
    };
    let text = if text.is_empty() { Vec::new() } else { vec![Inline::Text(text.to_owned())] };
    Some((Inline::Link(Link { target, text }), step))
}

fn braced(after: &str) -> Option<(Inline, usize)> {
    if let Some(mono) = after.strip_prefix('{') {
        let inside = within(mono, "}}")?;
        return Some((Inline::Code(inside.to_owned()), inside.len() + 3));
    }
    let inside = within(after, "}")?;
    let step = inside.len() + 1;
    let (name, parameters) = inside.split_once(':').unwrap_or((inside, ""));
    let inline = match name {
        "status" => Inline::Status(parameter(parameters, "title")?),
        "jira" | "jiraissue" => {
            Inline::Issue(parameters.split('|').next().filter(|key| !key.is_empty())?.to_owned())
        }
        _ => return None,
    };
    Some((inline, step))
}

fn escaped(after: &str) -> Option<(Inline, usize)> {
    if after.starts_with('\\') {
        return Some((Inline::Break, 1));
    }
    let char = after.chars().next().filter(char::is_ascii_punctuation)?;
    Some((Inline::Text(char.to_string()), 1))
}

/// Words with `*bold*`, `_italic_` and `!image!`.
fn emphasised(line: &mut Sink, text: &str) {
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'*', b'_', b'!', rest.as_bytes()) {
        let opens = !rest[..at].ends_with(|char: char| char.is_alphanumeric());
        let mark = &rest[at..at + 1];
        let inside = within(&rest[at + 1..], mark).filter(|inside| {
            let tight = !inside.is_empty() && !inside.starts_with(' ') && !inside.ends_with(' ');
            let after = &rest[at + inside.len() + 2..];
            opens && tight && !after.starts_with(|char: char| char.is_alphanumeric())
        });
        let image = mark == "!";
        let Some(inside) = inside.filter(|inside| !image || (inside.contains('.') && !inside.contains(' ')))
        else {
            line.run(&rest[..at + 1], true);
            rest = &rest[at + 1..];
            continue;
        };
        line.run(&rest[..at], true);
        let words = || vec![Inline::Text(inside.to_owned())];
        line.inline(match mark {
            "*" => Inline::Strong(words()),
            "_" => Inline::Emphasis(words()),
            _ => {
                let target = inside.split('|').next().unwrap_or(inside).to_owned();
                Inline::Image { alt: String::new(), target }
            }
        });
        rest = &rest[at + inside.len() + 2..];
    }
    line.run(rest, true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::markdown;

    fn read(body: &str) -> String {
        markdown(&document(body))
    }

    #[test]
    fn headings_lists_and_running_text() {
        let body = "h2. Title\nSome *bold* and _it_ with {{code}}.\nNext [line|http://x.org/a_b] [~ann]\n\
            \n* a\n** b\n* c\n# one\n# two";
        let wanted = "## Title\n\nSome **bold** and *it* with `code`.\n\
            Next [line](http://x.org/a_b) @{ann}\n\n- a\n  - b\n- c\n\n1. one\n2. two";
        assert_eq!(read(body), wanted);
    }

    #[test]
    fn tables_keep_their_headers_and_links() {
        let body = "||Svc||Owner||\n|api|[Ann|Ann's page]|\n";
        assert_eq!(read(body), "| Svc | Owner |\n| --- | --- |\n| api | [Ann](<confluence:Ann's page>) |");
    }

    #[test]
    fn macros_that_hold_text_are_read() {
        let body = "{code:java|title=Boot}\nif (a < b) {\n  *x*;\n}\n{code}\n{info:title=Mind}\nthe gap\n\
            {info}\n{toc}\n{noformat}raw{noformat} end";
        let wanted = "**Boot**\n```java\nif (a < b) {\n  *x*;\n}\n```\n\n> [!INFO] Mind\n> the gap\n\n```\n\
            raw\n```\n\nend";
        assert_eq!(read(body), wanted);
    }

    #[test]
    fn unfinished_markup_stays_as_text() {
        assert_eq!(read("a [b *c {code\n{panel}\nopen"), "a [b *c {code\n\nopen");
    }
}
