//! The text of attached files: what it says, as Markdown or plain text, or why it is not read. It must not know who
//! fetched the bytes or what is done with the text. Invariants: bytes are never kept; the name and the media type are
//! claims by strangers and only the bytes decide; reading never panics and never hangs, since everything that a file
//! could make large (what it inflates to, its pages, its rows, its text) is counted against a bound.

mod archive;
mod docx;
mod drawing;
mod letters;
mod mark;
mod pdf;
mod table;

use crate::document::Warning;
use crate::page::BodyFormat;
use std::collections::BTreeMap;

/// The largest text, table, log or drawing that is read: 5 MB is a thousand printed pages, and a log that is larger
/// is no knowledge.
pub const TEXT_CAP_BYTES: u64 = 5 << 20;
/// The largest PDF or DOCX that is read: pictures make them large, and beyond 20 MB they are mostly pictures.
pub const OFFICE_CAP_BYTES: u64 = 20 << 20;
/// The most text that is taken from one file, about 150,000 words, which is more than any page of a wiki holds.
/// What follows is left out at the end of a paragraph, with a warning.
pub const BODY_CAP_BYTES: usize = 1 << 20;

/// What an attached file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    /// The language of `body`: Markdown where headings, lists or tables were found, else plain.
    pub format: BodyFormat,
    /// The text, never empty and never over `BODY_CAP_BYTES`.
    pub body: String,
    /// What was left out or guessed, sorted.
    pub warnings: Vec<Warning>,
}

/// Why the text of a file was not read. The text of it is for the users of a wiki.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A picture, an archive, a program: known by its name only.
    #[error("files of kind {0} are not read, only listed")]
    Kind(String),
    /// Larger than is worth fetching.
    #[error("larger than the {} MB that are read of such a file", .cap_bytes >> 20)]
    TooLarge {
        /// The cap it is over.
        cap_bytes: u64,
    },
    /// A small file that would become a very large one: nobody writes such a file by accident.
    #[error("it unpacks to more than {} MB", .cap_bytes >> 20)]
    Expands {
        /// The cap it is over.
        cap_bytes: u64,
    },
    /// Its text needs a password.
    #[error("encrypted, so that its text cannot be read")]
    Encrypted,
    /// Cut off, or not what its name says.
    #[error("damaged: {0}")]
    Damaged(&'static str),
    /// Nothing but pictures, or nothing at all.
    #[error("no text in it; it is empty, or a scan, or a picture")]
    NoText,
}

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Markdown,
    Table,
    Drawing,
    Pdf,
    Word,
}

impl Kind {
    fn cap_bytes(self) -> u64 {
        match self {
            Self::Pdf | Self::Word => OFFICE_CAP_BYTES,
            Self::Plain | Self::Markdown | Self::Table | Self::Drawing => TEXT_CAP_BYTES,
        }
    }
}

/// Whether a file is worth fetching, from what a listing says of it. A size that is not known stops nothing: the
/// bytes are counted again when they are there.
pub fn is_read(name: &str, media_type: Option<&str>, size_bytes: Option<u64>) -> bool {
    claimed(name, media_type).is_some_and(|kind| size_bytes.is_none_or(|size| size <= kind.cap_bytes()))
}

/// Reads the text of a file.
pub fn text_of(name: &str, media_type: Option<&str>, bytes: &[u8]) -> Result<FileText, Unread> {
    let kind = claimed(name, media_type).ok_or_else(|| Unread::Kind(called(name, media_type)))?;
    if bytes.len() as u64 > kind.cap_bytes() {
        return Err(Unread::TooLarge { cap_bytes: kind.cap_bytes() });
    }
    let read = match (kind, shape(bytes)) {
        (_, Shape::Pdf) => pdf::text(bytes),
        (_, Shape::Zip) => docx::text(bytes),
        (Kind::Drawing, Shape::Png) => drawing::inside_png(bytes),
        (Kind::Word, Shape::Ole) if holds_encrypted_package(bytes) => Err(Unread::Encrypted),
        (_, Shape::Png) => Err(Unread::Kind("PNG".to_owned())),
        (_, Shape::Ole) => Err(Unread::Kind("DOC (of Word before 2007)".to_owned())),
        (_, Shape::Other(what)) => Err(Unread::Kind(what.to_owned())),
        (Kind::Pdf, Shape::Text) => Err(Unread::Damaged("it does not begin as a PDF does")),
        (Kind::Word, Shape::Text) => Err(Unread::Damaged("it does not begin as a DOCX does")),
        (kind, Shape::Text) => written(kind, name, bytes),
    };
    finished(read?)
}

fn written(kind: Kind, name: &str, bytes: &[u8]) -> Result<FileText, Unread> {
    let mut tally = Tally::default();
    let text = letters::decode(bytes, &mut tally).ok_or_else(|| Unread::Kind("binary".to_owned()))?;
    let (format, body) = match kind {
        Kind::Drawing => (BodyFormat::Markdown, drawing::listed(&text)),
        Kind::Plain if drawing::is_one(&text) => (BodyFormat::Markdown, drawing::listed(&text)),
        Kind::Table => (BodyFormat::Markdown, table::markdown(&text, ending(name) == "tsv", &mut tally)),
        Kind::Markdown => (BodyFormat::Markdown, text),
        Kind::Plain | Kind::Pdf | Kind::Word => (BodyFormat::Plain, text),
    };
    Ok(FileText { format, body, warnings: tally.warnings() })
}

/// Cuts what is too long, and refuses what says nothing.
fn finished(mut text: FileText) -> Result<FileText, Unread> {
    text.body.truncate(text.body.trim_end().len());
    let lead = text.body.len() - text.body.trim_start_matches(['\n', ' ']).len();
    text.body.drain(..lead);
    if text.body.is_empty() {
        return Err(Unread::NoText);
    }
    if text.body.len() > BODY_CAP_BYTES {
        text.body.truncate(cut_at(&text.body));
        text.body.truncate(text.body.trim_end().len());
        let what = format!("text after the first {} MB left out", BODY_CAP_BYTES >> 20);
        text.warnings.push(Warning { what, count: 1 });
    }
    text.warnings.sort();
    Ok(text)
}

/// The end of the last whole paragraph below the cap; of the last line or letter where a paragraph is as long as half
/// of everything.
fn cut_at(body: &str) -> usize {
    let most = body.floor_char_boundary(BODY_CAP_BYTES);
    let inside = &body[..most];
    let late = |end: &usize| *end > most / 2;
    inside.rfind("\n\n").filter(late).or_else(|| inside.rfind('\n').filter(late)).unwrap_or(most)
}

/// What left something out, and how often.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    fn add(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            let held = self.0.entry(what).or_default();
            *held = held.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    fn warnings(self) -> Vec<Warning> {
        self.0.into_iter().map(|(what, count)| Warning { what: what.to_owned(), count }).collect()
    }
}

/// The kind a file has by its name, or by its media type where its name says nothing.
fn claimed(name: &str, media_type: Option<&str>) -> Option<Kind> {
    let name = name.to_ascii_lowercase();
    if [".drawio.png", ".drawio.svg", ".drawio.xml"].iter().any(|end| name.ends_with(end)) {
        return Some(Kind::Drawing);
    }
    match ending(&name).as_str() {
        "txt" | "text" | "log" | "rst" | "adoc" | "asciidoc" | "org" | "tex" | "srt" | "vtt" | "json"
        | "jsonl" | "ndjson" | "yaml" | "yml" | "toml" | "ini" | "cfg" | "conf" | "properties" | "xml"
        | "xsd" | "wsdl" | "sql" | "ddl" | "graphql" | "gql" | "proto" | "avsc" | "sh" | "bash" | "zsh"
        | "ps1" | "bat" | "cmd" | "py" | "rb" | "pl" | "php" | "lua" | "r" | "jl" | "rs" | "go" | "c"
        | "h" | "cc" | "cpp" | "hpp" | "cs" | "java" | "kt" | "kts" | "scala" | "groovy" | "gradle"
        | "swift" | "js" | "mjs" | "ts" | "tsx" | "jsx" | "css" | "scss" | "vue" | "tf" | "hcl"
        | "dockerfile" | "puml" | "plantuml" | "mmd" | "dot" | "gv" | "patch" | "diff" | "feature"
        | "http" => Some(Kind::Plain),
        "md" | "markdown" | "mdown" | "mkd" => Some(Kind::Markdown),
        "csv" | "tsv" => Some(Kind::Table),
        "drawio" | "dio" | "mxfile" => Some(Kind::Drawing),
        "pdf" => Some(Kind::Pdf),
        "docx" | "docm" | "dotx" => Some(Kind::Word),
        "" if ["readme", "license", "changelog", "dockerfile", "makefile"].contains(&name.as_str()) => {
            Some(Kind::Plain)
        }
        // Names such as `Release 1.4` end in nothing that is a kind; a name that ends in one is believed.
        ending if ending.is_empty() || !ending.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            by_media(media_type)
        }
        _ => by_media(media_type).filter(|_| !is_known_other(&name)),
    }
}

fn by_media(media_type: Option<&str>) -> Option<Kind> {
    let media_type = media_type?.to_ascii_lowercase();
    match media_type.split(';').next().unwrap_or_default().trim() {
        "text/markdown" | "text/x-markdown" => Some(Kind::Markdown),
        "text/csv" | "text/tab-separated-values" => Some(Kind::Table),
        "text/html" | "text/rtf" | "text/calendar" => None,
        "application/json" | "application/yaml" | "application/x-yaml" | "application/xml"
        | "application/sql" | "application/toml" => Some(Kind::Plain),
        "application/vnd.jgraph.mxfile" | "application/x-drawio" => Some(Kind::Drawing),
        "application/pdf" => Some(Kind::Pdf),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Some(Kind::Word),
        text if text.starts_with("text/") => Some(Kind::Plain),
        _ => None,
    }
}

/// Endings of what is not read whatever media type a browser made of it when it was uploaded.
fn is_known_other(name: &str) -> bool {
    matches!(
        ending(name).as_str(),
        "png"
            | "jpg"
            | "jpeg"
            | "gif"
            | "svg"
            | "webp"
            | "bmp"
            | "ico"
            | "tif"
            | "tiff"
            | "psd"
            | "zip"
            | "gz"
            | "tgz"
            | "7z"
            | "rar"
            | "tar"
            | "jar"
            | "war"
            | "exe"
            | "dll"
            | "msi"
            | "bin"
            | "iso"
            | "dmg"
            | "class"
            | "so"
            | "mp3"
            | "mp4"
            | "mov"
            | "avi"
            | "mkv"
            | "wav"
            | "webm"
            | "doc"
            | "xls"
            | "xlsx"
            | "xlsm"
            | "ppt"
            | "pptx"
            | "odt"
            | "ods"
            | "odp"
            | "rtf"
            | "vsd"
            | "vsdx"
            | "htm"
            | "html"
            | "mht"
            | "msg"
            | "pst"
            | "tmp"
            | "bak"
            | "p12"
            | "pfx"
            | "jks"
            | "key"
            | "pem"
            | "der"
            | "crt"
    )
}

/// What is after the last dot of a name, in small letters; nothing if there is no dot.
fn ending(name: &str) -> String {
    name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// A kind by the word users know it by.
fn called(name: &str, media_type: Option<&str>) -> String {
    let ending = ending(name);
    let plain = (1..=8).contains(&ending.len()) && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    match media_type {
        _ if plain => ending.to_ascii_uppercase(),
        Some(media_type) if media_type.len() <= 100 => media_type.to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// What the bytes are, by how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Pdf,
    Zip,
    Png,
    /// The container of Office before 2007, and of encrypted files since.
    Ole,
    Other(&'static str),
    /// Nothing that is known; it may be text.
    Text,
}

fn shape(bytes: &[u8]) -> Shape {
    const OTHERS: [(&[u8], &str); 20] = [
        (b"\xff\xd8\xff", "JPEG"),
        (b"GIF8", "GIF"),
        (b"RIFF", "RIFF (sound or picture)"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"\x1f\x8b", "GZIP"),
        (b"BZh", "BZIP2"),
        (b"\xfd7zXZ\0", "XZ"),
        (b"\x28\xb5\x2f\xfd", "ZSTD"),
        (b"7z\xbc\xaf\x27\x1c", "7Z"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"\x7fELF", "ELF program"),
        (b"MZ\x90\0", "Windows program"),
        (b"\xca\xfe\xba\xbe", "Java class"),
        (b"\xcf\xfa\xed\xfe", "macOS program"),
        (b"SQLite format 3\0", "SQLite database"),
        (b"ID3", "MP3"),
        (b"OggS", "OGG"),
        (b"{\\rtf", "RTF"),
        (b"%!PS", "PostScript"),
    ];
    // Producers put a few bytes before the header, and readers look for it in the first kilobyte.
    const PDF_WITHIN: usize = 1024;
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Shape::Png,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Shape::Zip,
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Shape::Ole,
        _ if bytes.starts_with(b"%PDF-") => Shape::Pdf,
        _ => match OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            Some((_, what)) => Shape::Other(what),
            None if begins_late(&bytes[..bytes.len().min(PDF_WITHIN)]) => Shape::Pdf,
            None => Shape::Text,
        },
    }
}

/// A PDF header on a line that is not the first, before anything that reads as text about PDF.
fn begins_late(head: &[u8]) -> bool {
    memchr::memmem::find(head, b"%PDF-1.")
        .is_some_and(|at| at > 0 && matches!(head[at - 1], b'\n' | b'\r' | 0))
}

/// Encrypted files of Office are a container with a stream of this name.
fn holds_encrypted_package(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".bytes().flat_map(|letter| [letter, 0]).collect();
    memchr::memmem::find(bytes, &name).is_some()
}
