//! One file of a folder: its pages without their bodies, and later a body again. Pure; knows nothing of other
//! files.

use super::front::{self, Front};
use super::{Entry, Shape, blank};
use crate::sources::{Kind, Need, PAGE_CAP, Skipped, SourceError, ending, file_name, too_large};
use knowledge::id::{PageId, PersonKey, SpaceKey};
use knowledge::page::{BodyFormat, RawPage};
use knowledge::time;
use serde::Deserialize;
use std::borrow::Cow;
use std::io::BufRead;

/// Where a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is a file.
    File { path: String },
    /// It is a line of a file.
    Line { path: String, from: u64, length: u64 },
}

impl Place {
    pub(crate) fn path(&self) -> &str {
        match self {
            Place::File { path } | Place::Line { path, .. } => path,
        }
    }

    pub(crate) fn need(&self) -> Need {
        match self.clone() {
            Place::File { path } => Need::Whole { path },
            Place::Line { path, from, length } => Need::Part { path, from, length },
        }
    }
}

/// What a file holds.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) entries: Vec<Entry>,
    pub(crate) skipped: Skipped,
}

/// Reads a file that is one page.
pub(crate) fn read_page(path: &str, shape: Shape, bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let text = lossy(bytes, path, &mut read.skipped);
    if shape == Shape::Markup && !is_markup(&text) {
        read.skipped.add("XML file that is not storage format");
        return read;
    }
    let page = match shape {
        Shape::Markup => {
            let title = front::html_title(&text).unwrap_or_else(|| stem(path));
            blank(PageId::new(path), title, BodyFormat::Storage)
        }
        Shape::Markdown | Shape::Lines => {
            let (front, body) = front::split(&text);
            let title = front.title.clone().or_else(|| front::heading(body)).unwrap_or_else(|| stem(path));
            dated(blank(PageId::new(path), title, BodyFormat::Markdown), front, &mut read.skipped)
        }
    };
    let hash = *blake3::hash(bytes).as_bytes();
    read.entries.push(Entry { page, place: Place::File { path: path.to_owned() }, hash });
    read
}

/// The body of a file that is one page, as its reader wants it: without front matter, which was read as
/// metadata.
pub(crate) fn body(format: BodyFormat, bytes: &[u8]) -> String {
    let text = lossy(bytes, "", &mut Skipped::default());
    match format {
        BodyFormat::Markdown => front::split(&text).1.to_owned(),
        _ => front::html_body(&text).to_owned(),
    }
}

/// Whether text is a storage fragment or an HTML page, and not some other XML: those open with a declaration
/// or a root element, and hold none of the elements every page is made of.
fn is_markup(text: &str) -> bool {
    let declared = text.trim_start().starts_with("<?xml");
    let known = ["<p", "<h1", "<h2", "<h3", "<ac:", "<ul", "<ol", "<table", "<body", "<div"];
    !declared || known.iter().any(|tag| text.contains(tag))
}

fn dated(mut page: RawPage, front: Front, skipped: &mut Skipped) -> RawPage {
    let mut date = |text: &Option<String>| {
        let at = text.as_deref().and_then(time::parse);
        if text.is_some() && at.is_none() {
            skipped.add("date in front matter that is not a date");
        }
        at
    };
    page.created = date(&front.created);
    page.modified = date(&front.updated).or(page.created);
    page.author = front.author.map(PersonKey::new);
    page.editor = front.editor.map(PersonKey::new).or_else(|| page.author.clone());
    page.labels = front.labels.into_iter().collect();
    page.space = SpaceKey::new(front.space.unwrap_or_default());
    page
}

/// Text of bytes; what is not UTF-8 becomes U+FFFD and is counted. A byte order mark is dropped.
fn lossy<'a>(bytes: &'a [u8], whence: &str, skipped: &mut Skipped) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    if matches!(text, Cow::Owned(_)) {
        skipped.at("invalid UTF-8 that was replaced", whence);
    }
    text
}

fn stem(path: &str) -> String {
    let name = file_name(path);
    let cut = ending(path).map_or(name.len(), |ending| name.len() - ending.len() - 1);
    name[..cut].to_owned()
}

/// A page as a line of JSON.
#[derive(Deserialize)]
struct Line {
    #[serde(deserialize_with = "text_or_number")]
    id: String,
    #[serde(default)]
    space: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default, rename = "parentId", deserialize_with = "maybe_text_or_number")]
    parent: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default, alias = "updated")]
    modified: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    editor: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default, alias = "url")]
    link: Option<String>,
    #[serde(rename = "body_storage")]
    body: String,
}

/// A line read again for its body.
pub(crate) struct Body {
    pub(crate) body: String,
}

/// Reads the body of a line.
pub(crate) fn read_line(bytes: &[u8]) -> Option<Body> {
    let text = lossy(bytes, "", &mut Skipped::default());
    serde_json::from_str::<Line>(&text).ok().map(|line| Body { body: line.body })
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    maybe_text_or_number(deserializer)?.ok_or_else(|| serde::de::Error::custom("expected an id"))
}

fn maybe_text_or_number<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) if !text.is_empty() => Ok(Some(text)),
        serde_json::Value::Number(number) => Ok(Some(number.to_string())),
        _ => Ok(None),
    }
}

/// Reads a file of JSON lines, holding one line at a time.
pub(crate) fn read_lines(path: &str, reader: &mut dyn BufRead) -> Result<Read, SourceError> {
    let mut read = Read::default();
    let (mut from, mut line) = (0, Vec::new());
    for number in 1_u64.. {
        let length = next_line(path, reader, &mut line)?;
        if length == 0 {
            return Ok(read);
        }
        let place = Place::Line { path: path.to_owned(), from, length: line.len() as u64 };
        if length > PAGE_CAP {
            read.skipped.lost(&too_large(), &format!("{path}, line {number}"));
        } else if !line.trim_ascii().is_empty() {
            take_line(&mut read, place, number, &line);
        }
        from += length;
    }
    Ok(read)
}

/// Reads up to and with the next line feed and returns how many bytes that was; keeps at most the cap of
/// them.
fn next_line(path: &str, reader: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<u64, SourceError> {
    line.clear();
    let mut length = 0;
    loop {
        let chunk = reader.fill_buf().map_err(|why| {
            SourceError::new(Kind::Damaged, format!("reading `{path}`: {why}"))
                .hint("see that the file is whole")
        })?;
        let end = chunk.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(chunk.len());
        let room = (PAGE_CAP as usize).saturating_sub(line.len());
        line.extend_from_slice(&chunk[..taken.min(room)]);
        reader.consume(taken);
        length += taken as u64;
        if end.is_some() || taken == 0 {
            return Ok(length);
        }
    }
}

fn take_line(read: &mut Read, place: Place, number: u64, bytes: &[u8]) {
    let whence = format!("{}, line {number}", place.path());
    let text = lossy(bytes, &whence, &mut read.skipped);
    let line = match serde_json::from_str::<Line>(&text) {
        Ok(line) => line,
        Err(_) => {
            let what = "line that is not a page (JSON with `id` and `body_storage`)";
            return read.skipped.lost(what, &whence);
        }
    };
    let title = line.title.filter(|title| !title.trim().is_empty()).unwrap_or_else(|| line.id.clone());
    let mut page = blank(PageId::new(line.id), title, BodyFormat::Storage);
    let front = Front {
        created: line.created,
        updated: line.modified,
        author: line.author,
        editor: line.editor,
        labels: line.labels.into_iter().collect(),
        space: Some(line.space.unwrap_or_else(|| stem(place.path()))),
        ..Front::default()
    };
    page = dated(page, front, &mut read.skipped);
    page.parent = line.parent.map(PageId::new);
    page.link = line.link;
    read.entries.push(Entry { page, place, hash: *blake3::hash(bytes).as_bytes() });
}
