//! Running text as words, and the certain names in it. It must not know where the text stands. Invariant: a value is
//! words of the text, never longer than `VALUE_CHARS`.

use super::names::{self, in_code, is_address};
use super::saying::{page_by_id, person};
use crate::chunk::sentences;
use crate::document::{Block, Inline, Link, Target};
use crate::graph::{Key, Kind, Mention};
use crate::id::{PageId, PersonKey, SpaceKey};
use crate::page::RawPage;
use std::borrow::Cow;

/// Longest value. Longer text is a passage: search finds it as such, and a fact would only repeat it.
const VALUE_CHARS: usize = 300;

/// Longest word that is one.
const WORD_CHARS: usize = 45;

/// Link texts that say nothing of the target.
const POINTERS: &[&str] =
    &["here", "link", "this", "click here", "url", "see here", "this link", "this page", "docs", "click"];

/// Cells and values that say that there is nothing.
#[rustfmt::skip]
const BLANKS: &[&str] = &[
    "", "-", "--", "---", "–", "—", "n/a", "na", "n.a.", "n.a", "nil", "tbd", "tba", "todo", "?", "??",
    "...", "…", "none", "null", "x", ".", "same", "same as above", "ditto", "\"",
];

/// The words of running text, without markup, white space in one piece.
pub(super) fn plain(inlines: &[Inline]) -> String {
    let mut out = String::new();
    inlines.iter().for_each(|inline| push_plain(inline, &mut out));
    match is_squeezed(&out) {
        true => out,
        false => squeeze(&out),
    }
}

/// Nothing to squeeze: the common case, told without looking at more than bytes.
fn is_squeezed(text: &str) -> bool {
    let mut before = b' ';
    for &byte in text.as_bytes() {
        // Spaces beyond ASCII begin with one of these bytes.
        let odd = byte < b' ' || matches!(byte, b'\\' | 0xc2 | 0xe1 | 0xe2 | 0xe3 | 0xef);
        if odd || byte == b' ' && before == b' ' {
            return false;
        }
        before = byte;
    }
    before != b' '
}

/// White space in one piece, and none of it invisible.
pub(super) fn squeeze(text: &str) -> String {
    let unseen = |c: char| matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{2060}');
    let seen = match text.contains(unseen) {
        true => Cow::Owned(text.replace(unseen, "")),
        false => Cow::Borrowed(text),
    };
    let mut out = String::with_capacity(seen.len());
    // A backslash by itself is a line break that a converter did not understand.
    for word in seen.split_whitespace().filter(|word| *word != "\\") {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

fn push_plain(inline: &Inline, out: &mut String) {
    match inline {
        Inline::Text(text) | Inline::Code(text) | Inline::Date(text) | Inline::Issue(text) => {
            out.push_str(text)
        }
        Inline::Status(text) | Inline::Emoji(text) => out.push_str(text),
        Inline::Strong(inner) | Inline::Emphasis(inner) => {
            inner.iter().for_each(|inline| push_plain(inline, out))
        }
        Inline::Strike(_) => {}
        Inline::Link(link) => out.push_str(&shown(link)),
        Inline::Person { key, .. } => {
            out.push_str("@{");
            out.push_str(key);
            out.push('}');
        }
        Inline::Image { .. } => {}
        Inline::Break => out.push(' '),
    }
}

/// What a link shows.
fn shown(link: &Link) -> String {
    let text = plain(&link.text);
    match &link.target {
        Target::Url(url) if text.is_empty() || POINTERS.contains(&text.to_lowercase().as_str()) => {
            url.clone()
        }
        Target::Page { title, .. } | Target::BlogPost { title, .. } if text.is_empty() => title.clone(),
        Target::Attachment { name, .. } if text.is_empty() => name.clone(),
        Target::Id(text) | Target::Space(text) | Target::Anchor(text) if text.is_empty() => text.clone(),
        _ => text,
    }
}

/// The words of a cell or a meaning. Code blocks and tables in it are not words.
pub(super) fn plain_blocks(blocks: &[Block]) -> String {
    let mut parts = Vec::new();
    blocks.iter().for_each(|block| push_block(block, &mut parts));
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

fn push_block(block: &Block, parts: &mut Vec<String>) {
    match block {
        Block::Paragraph(inlines) | Block::Heading { text: inlines, .. } => parts.push(plain(inlines)),
        Block::List { items, .. } => items.iter().flatten().for_each(|block| push_block(block, parts)),
        Block::Panel { blocks, .. } | Block::Quote(blocks) | Block::Expand { blocks, .. } => {
            blocks.iter().for_each(|block| push_block(block, parts));
        }
        Block::Code { text, .. } if text.lines().count() == 1 => parts.push(squeeze(text)),
        _ => {}
    }
}

/// The certain name that a piece of running text is, if it is one.
pub(super) fn named(inline: &Inline, page: &RawPage) -> Option<Mention> {
    match inline {
        Inline::Person { key, name } => Some(person(&PersonKey::new(key.clone()), name.as_deref())),
        Inline::Issue(key) => {
            let key = key.trim();
            Some(Mention { name: key.to_owned(), kind: Kind::ISSUE, key: Some(Key::Issue(key.to_owned())) })
        }
        Inline::Code(text) => in_code(text),
        Inline::Link(link) => linked(link, page),
        Inline::Strong(inner) | Inline::Emphasis(inner) => match inner.as_slice() {
            [only] => named(only, page),
            _ => None,
        },
        _ => None,
    }
}

/// What a link leads to, where it leads to something of the wiki or its tracker.
pub(super) fn linked(link: &Link, page: &RawPage) -> Option<Mention> {
    let titled = |space: &Option<String>, title: &str| {
        let space = space.as_ref().map_or_else(|| page.space.clone(), |space| SpaceKey::new(space.clone()));
        Some(Mention {
            name: title.to_owned(),
            kind: Kind::PAGE,
            key: Some(Key::Title(space, title.to_owned())),
        })
    };
    match &link.target {
        Target::Page { space, title } | Target::BlogPost { space, title } if !title.trim().is_empty() => {
            titled(space, title.trim())
        }
        Target::Id(id) => {
            let text = plain(&link.text);
            Some(page_by_id(&PageId::new(id.clone()), if text.is_empty() { id } else { &text }))
        }
        Target::Attachment { name, page: other } => {
            let key = other.is_none().then(|| Key::File(page.id.clone(), name.clone()));
            Some(Mention { name: name.clone(), kind: Kind::FILE, key })
        }
        Target::Space(key) => {
            let key = SpaceKey::new(key.clone());
            Some(Mention { name: key.to_string(), kind: Kind::SPACE, key: Some(Key::Space(key)) })
        }
        Target::Url(url) => by_address(url, &plain(&link.text)),
        _ => None,
    }
}

/// Pages and issues that are linked by address.
fn by_address(url: &str, text: &str) -> Option<Mention> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    if let Some((_, key)) = path.rsplit_once("/browse/") {
        return names::issue(key);
    }
    let (_, rest) = path
        .split_once("/pages/")
        .filter(|(site, _)| site.contains("/spaces/") || site.contains("/display/"))?;
    let id =
        rest.split('/').next().filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))?;
    let name = if text.is_empty() || is_address(text) { id } else { text };
    Some(page_by_id(&PageId::new(id), name))
}

/// All running text in blocks, for names only.
pub(super) fn inlines_in<'a>(blocks: &'a [Block], out: &mut Vec<&'a [Inline]>) {
    for block in blocks {
        match block {
            Block::Paragraph(inlines) | Block::Heading { text: inlines, .. } => out.push(inlines),
            Block::List { items, .. } => items.iter().for_each(|item| inlines_in(item, out)),
            Block::Panel { blocks, .. } | Block::Quote(blocks) | Block::Expand { blocks, .. } => {
                inlines_in(blocks, out)
            }
            Block::Properties(blocks) => inlines_in(blocks, out),
            Block::Tasks(tasks) => tasks.iter().for_each(|task| inlines_in(&task.body, out)),
            Block::Definitions(list) => {
                for definition in list {
                    out.push(&definition.term);
                    inlines_in(&definition.blocks, out);
                }
            }
            _ => {}
        }
    }
}

/// What the other end of a claim is.
pub(super) enum Other {
    /// Nothing but names.
    Names(Vec<Mention>),
    /// Words.
    Words(String),
    /// The first sentence of words that are too many for a value.
    Part(String),
    /// Nothing.
    Blank,
}

/// What a cell or a meaning holds: names if it is nothing but names, else its words.
pub(super) fn other(blocks: &[Block], page: &RawPage) -> Other {
    let mut runs = Vec::new();
    inlines_in(blocks, &mut runs);
    let plainly = blocks.iter().all(|block| matches!(block, Block::Paragraph(_) | Block::List { .. }));
    let names: Option<Vec<Mention>> =
        runs.iter().map(|run| only_names(run, page)).collect::<Option<Vec<_>>>().map(|all| all.concat());
    match names {
        Some(names) if plainly && !names.is_empty() => Other::Names(names),
        _ => value(&plain_blocks(blocks)),
    }
}

/// Like `other`, for running text.
pub(super) fn other_inlines(inlines: &[Inline], page: &RawPage) -> Other {
    match only_names(inlines, page) {
        Some(names) if !names.is_empty() => Other::Names(names),
        _ => value(&plain(inlines)),
    }
}

/// The names in a run that holds nothing else but commas and the like.
fn only_names(inlines: &[Inline], page: &RawPage) -> Option<Vec<Mention>> {
    let mut names = Vec::new();
    for inline in inlines {
        match inline {
            Inline::Text(text) if is_separator(text) => {}
            Inline::Break => {}
            other => names.push(named(other, page)?),
        }
    }
    Some(names)
}

fn is_separator(text: &str) -> bool {
    text.split_whitespace()
        .all(|word| matches!(word, "and" | "or") || word.chars().all(|c| ",;/&|+.".contains(c)))
}

/// Last words of a sentence that goes on elsewhere, in a list below or in a line lost.
#[rustfmt::skip]
const OPEN_ENDS: &[&str] = &[
    "to", "for", "the", "and", "of", "with", "in", "a", "an", "by", "is", "are", "or", "from", "that", "as",
    "on", "at", "via", "using", "be", "which", "their", "its", "your", "our", "into", "following", "when",
    "if", "i.e", "e.g",
];

/// A sentence that was not finished, or asks.
pub(super) fn is_open(text: &str) -> bool {
    // As written: `Team A` and `Vitamin A` are whole.
    let last = text.rsplit(' ').next().unwrap_or_default();
    text.ends_with(['?', ':', '(', '\\']) || text.contains(' ') && OPEN_ENDS.contains(&last)
}

/// A table or a line of code that a converter ran together.
pub(super) fn is_garbled(text: &str) -> bool {
    text.split_whitespace()
        .any(|word| word.chars().count() > WORD_CHARS && !word.contains(['/', '\\', '@', '=', '-']))
}

/// Words fit for a value: not blank, not too long. Too long a text gives its first sentence if that says enough.
fn value(text: &str) -> Other {
    // A backslash before a space is a line break that a converter did not understand: what follows is another line.
    let text = text.split("\\ ").map(str::trim).find(|part| !part.is_empty()).unwrap_or_default();
    let text = text.trim_end_matches([';', ',', '\\']).trim();
    match text {
        "✅" | "✔" | "✔️" | "☑" => return Other::Words("yes".to_owned()),
        "❌" | "✖" | "✗" | "❎" => return Other::Words("no".to_owned()),
        _ => {}
    }
    let blank = BLANKS.contains(&text.to_lowercase().as_str()) || !text.contains(char::is_alphanumeric);
    if blank || is_open(text) || is_garbled(text) || text.contains("](") {
        return Other::Blank;
    }
    if text.chars().count() <= VALUE_CHARS {
        return Other::Words(text.to_owned());
    }
    let first = sentences(text).first().map(|first| first.trim()).unwrap_or_default();
    match (20..=VALUE_CHARS).contains(&first.chars().count()) {
        true => Other::Part(first.to_owned()),
        false => Other::Blank,
    }
}
