//! The codec of one segment: entries to an object and back. It must not know the store or the chain; it
//! checks what one object can prove about itself. `docs/vault-format.md` has the byte table.
//!
//! The invariant: an object is *whole* if and only if it ends in the BLAKE3 of all bytes before. What is not
//! whole was torn or damaged, and nothing of it is ever used.

use crate::error::{Error, Kind, Result};
use crate::sealed::{seal, unseal};
use crate::seq::{Digest, Nonce, Ordinal, Position, Seq, Term, VaultId};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};

/// The format this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// The most a segment may inflate to: twenty pages of the largest size that sources accept (50 MB). More is
/// refused on writing and taken for damage on reading, so that no object can fill the memory.
pub const INFLATED_CAP: u64 = 1 << 30;

/// zstd's default. Level 1 saves little time at these sizes, and higher levels cost more than the disk saves.
const LEVEL: i32 = 3;

/// Who opens a term.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The name of the machine.
    pub host: String,
    /// The id of its current boot: with it, `pid` says whether the writer can still be alive.
    pub boot: String,
    /// The process.
    pub pid: u32,
    /// The execution of the job, where a platform names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<String>,
    /// The version of the program.
    pub version: String,
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on `{}`", self.pid, self.host)?;
        match &self.execution {
            Some(execution) => write!(f, " in execution `{execution}`"),
            None => Ok(()),
        }
    }
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<R> {
    /// A writer began its term.
    Opened {
        /// Counts the terms of the vault, from 1.
        term: Term,
        /// Who it is.
        writer: Writer,
    },
    /// Something happened.
    Record(R),
    /// The segments before this ordinal were deleted, or are about to be: a verified snapshot covers them.
    Pruned {
        /// The first segment that stays.
        before: Ordinal,
    },
    /// The writer ended its term and left nothing undone.
    Closed,
}

/// One event with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<R> {
    /// Its place in the order.
    pub seq: Seq,
    /// When it was written, by the writer's clock. No rule of the vault depends on it.
    pub at: Timestamp,
    /// What it says.
    pub event: Event<R>,
}

/// Entries that were written as one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<R> {
    /// Where it is; a reader that has taken it in stands here.
    pub position: Position,
    /// The term it belongs to.
    pub term: Term,
    /// Its entries, at least one.
    pub entries: Vec<Entry<R>>,
    /// The size of the object.
    pub bytes: u64,
}

impl<R> Segment<R> {
    /// The place of its last entry.
    pub fn last_seq(&self) -> Seq {
        self.entries.last().map_or(Seq::default(), |entry| entry.seq)
    }
}

/// An object that is out of the chain, with the bytes its voider saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voided {
    /// The name of the object.
    pub name: String,
    /// The BLAKE3 of what was there.
    pub digest: Digest,
    /// How much was there, where a store shows parts: more may have come since, and the digest is of so much of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// The first line of a segment. Fields are only ever added, with a default; a change of meaning raises
/// `format`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub format: u32,
    pub vault: VaultId,
    pub ordinal: Ordinal,
    pub term: Term,
    /// The ordinal of the segment that opened the term: from any segment, the writer's name is one step away.
    pub opened: Ordinal,
    pub nonce: Nonce,
    pub first: Seq,
    pub count: u64,
    /// The digest of the segment before in the chain; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// Every object between that segment and this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<Voided>,
}

/// A segment as an object, ready to be put any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub header: Header,
    pub bytes: Vec<u8>,
    pub digest: Digest,
}

impl Sealed {
    pub fn position(&self) -> Position {
        Position { ordinal: self.header.ordinal, digest: self.digest }
    }

    pub fn last_seq(&self) -> Seq {
        last_seq(&self.header)
    }
}

/// The place of the last entry of a segment.
pub(crate) fn last_seq(header: &Header) -> Seq {
    Seq::new((header.first.get() + header.count).saturating_sub(1))
}

/// The name of a segment. Ten digits: ten billion segments sort by name.
pub(crate) fn key(ordinal: Ordinal) -> String {
    format!("journal/{ordinal:010}.jsonl.zst")
}

/// The ordinal that a name stands for, if it is a segment's.
pub(crate) fn ordinal(name: &str) -> Option<Ordinal> {
    let digits = name.strip_prefix("journal/")?.strip_suffix(".jsonl.zst")?;
    let plain = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok().map(Ordinal::new) } else { None }
}

/// Writes a segment.
pub(crate) fn encode<R: Serialize>(header: Header, entries: &[Entry<R>]) -> Result<Sealed> {
    let failed = |error: &dyn fmt::Display| Error::bug(format!("writing `{}`: {error}", key(header.ordinal)));
    let mut frame = zstd::Encoder::new(Vec::new(), LEVEL).map_err(|error| failed(&error))?;
    frame.include_checksum(true).map_err(|error| failed(&error))?;
    let mut lines = Counted { into: frame, bytes: 0 };
    line(&mut lines, &header).map_err(|error| failed(&error))?;
    for entry in entries {
        line(&mut lines, entry).map_err(|error| failed(&error))?;
        if lines.bytes > INFLATED_CAP {
            return Err(too_large(&header));
        }
    }
    let mut bytes = lines.into.finish().map_err(|error| failed(&error))?;
    seal(&mut bytes);
    let digest = Digest::of(&bytes);
    Ok(Sealed { header, bytes, digest })
}

fn too_large(header: &Header) -> Error {
    let text = format!(
        "appending {} entries from {}: they take more than {INFLATED_CAP} bytes in one segment",
        header.count, header.first
    );
    Error::new(Kind::Halt, text).with_hint("append fewer records at once")
}

fn line<T: Serialize>(into: &mut impl Write, value: &T) -> std::io::Result<()> {
    serde_json::to_writer(&mut *into, value)?;
    into.write_all(b"\n")
}

/// Counts what goes in, before it is compressed.
struct Counted<W> {
    into: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.into.flush()
    }
}

/// An object that proved whole, with its header read.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub header: Header,
    pub digest: Digest,
    place: String,
    object: Vec<u8>,
}

impl Whole {
    /// The bytes it was read from.
    pub fn into_object(self) -> Vec<u8> {
        self.object
    }

    pub fn position(&self) -> Position {
        Position { ordinal: self.header.ordinal, digest: self.digest }
    }
}

/// What an object turned out to be.
pub(crate) enum Object {
    Whole(Box<Whole>),
    /// It does not end in the digest of what is before: the digest of all of it, and its size.
    Torn(Digest, u64),
}

impl Object {
    /// The digest of all of it.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Whole(whole) => whole.digest,
            Self::Torn(digest, _) => *digest,
        }
    }
}

/// Tells whether an object is whole, and reads the header if it is.
pub(crate) fn inspect(object: Vec<u8>, place: String) -> Result<Object> {
    let digest = Digest::of(&object);
    let Some(frame) = unseal(&object) else { return Ok(Object::Torn(digest, object.len() as u64)) };
    let header = header(&mut Lines::new(frame, &place, INFLATED_CAP)?)?;
    Ok(Object::Whole(Box::new(Whole { header, digest, place, object })))
}

fn header(lines: &mut Lines<'_>) -> Result<Header> {
    /// The one field that must keep its meaning for ever.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let line = match lines.next()? {
        Some(line) => line.to_vec(),
        None => return Err(Error::damaged(lines.place, "it has no header")),
    };
    let format = serde_json::from_slice::<Format>(&line)
        .map_err(|error| Error::damaged(lines.place, format_args!("its header is not one: {error}")))?
        .format;
    if format > FORMAT {
        let text =
            format!("reading `{}`: it has format {format}, this program reads up to {FORMAT}", lines.place);
        return Err(Error::new(Kind::Newer, text).with_hint("use a newer version of the program"));
    }
    serde_json::from_slice(&line)
        .map_err(|error| Error::damaged(lines.place, format_args!("its header is not one: {error}")))
}

/// Reads the entries of a whole object.
pub(crate) fn decode<R: DeserializeOwned>(whole: &Whole) -> Result<Segment<R>> {
    decode_capped(whole, INFLATED_CAP)
}

fn decode_capped<R: DeserializeOwned>(whole: &Whole, cap: u64) -> Result<Segment<R>> {
    let Whole { header, digest, place, object } = whole;
    let frame =
        unseal(object).ok_or_else(|| Error::bug(format!("`{place}` was whole and is not any more")))?;
    let mut lines = Lines::new(frame, place, cap)?;
    lines.next()?;
    let mut entries = Vec::new();
    let mut expected = header.first;
    while let Some(line) = lines.next()? {
        let entry = entry::<R>(line, place)?;
        if entry.seq != expected {
            return Err(Error::damaged(
                place,
                format_args!("found entry {}, expected {expected}", entry.seq),
            ));
        }
        expected = expected.next();
        entries.push(entry);
    }
    if entries.is_empty() || entries.len() as u64 != header.count {
        let text = format_args!("found {} entries, its header promises {}", entries.len(), header.count);
        return Err(Error::damaged(place, text));
    }
    let position = Position { ordinal: header.ordinal, digest: *digest };
    Ok(Segment { position, term: header.term, entries, bytes: object.len() as u64 })
}

/// Reads one entry. The object is whole, so a line that has a `Seq` but does not parse was written by a newer
/// program.
fn entry<R: DeserializeOwned>(line: &[u8], place: &str) -> Result<Entry<R>> {
    #[derive(Deserialize)]
    struct Stub {
        seq: Seq,
    }
    serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<Stub>(line) {
        Ok(Stub { seq }) => {
            let text = format!("reading `{place}`: this program does not understand entry {seq}: {error}");
            Error::new(Kind::Newer, text)
                .with_hint("use the version of the program that wrote it, or a newer one")
        }
        Err(_) => Error::damaged(place, format_args!("a line is not an entry: {error}")),
    })
}

/// The lines of a frame, one at a time, never more than `cap` bytes of them.
struct Lines<'a> {
    from: BufReader<std::io::Take<zstd::Decoder<'a, &'a [u8]>>>,
    line: Vec<u8>,
    place: &'a str,
    left: u64,
}

impl<'a> Lines<'a> {
    fn new(frame: &'a [u8], place: &'a str, cap: u64) -> Result<Self> {
        let decoder = zstd::Decoder::with_buffer(frame).map_err(|error| Error::damaged(place, error))?;
        // One byte more than allowed is let through, so that "exactly the cap" and "too much" can be told
        // apart.
        let from = BufReader::new(decoder.single_frame().take(cap + 1));
        Ok(Self { from, line: Vec::new(), place, left: cap })
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let read =
            self.from.read_until(b'\n', &mut self.line).map_err(|error| Error::damaged(self.place, error))?;
        self.left = match self.left.checked_sub(read as u64) {
            Some(left) => left,
            None => return Err(Error::damaged(self.place, "it inflates beyond what a segment may hold")),
        };
        match self.line.pop() {
            None => self.end(),
            Some(b'\n') => Ok(Some(&self.line)),
            Some(_) => Err(Error::damaged(self.place, "its last line does not end")),
        }
    }

    /// After the last line: nothing may follow the one frame.
    fn end(&mut self) -> Result<Option<&[u8]>> {
        match self.from.get_ref().get_ref().get_ref().is_empty() {
            true => Ok(None),
            false => Err(Error::damaged(self.place, "something follows its frame")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_header(count: u64) -> Header {
        Header {
            format: FORMAT,
            vault: VaultId::new([1; 16]),
            ordinal: Ordinal::new(3),
            term: Term::new(1),
            opened: Ordinal::new(1),
            nonce: Nonce::new([2; 16]),
            first: Seq::new(5),
            count,
            previous: Some(Digest::of(b"before")),
            voided: Vec::new(),
        }
    }

    fn entries(seqs: &[u64]) -> Vec<Entry<String>> {
        let entry = |&seq| Entry {
            seq: Seq::new(seq),
            at: Timestamp::UNIX_EPOCH,
            event: Event::Record("x".repeat(100)),
        };
        seqs.iter().map(entry).collect()
    }

    fn whole(bytes: Vec<u8>) -> Whole {
        match inspect(bytes, "here".to_owned()) {
            Ok(Object::Whole(whole)) => *whole,
            Ok(Object::Torn(..)) => panic!("it is torn"),
            Err(error) => panic!("{error}"),
        }
    }

    /// An object of these bytes with a seal that fits.
    fn sealed(mut frame: Vec<u8>) -> Vec<u8> {
        seal(&mut frame);
        frame
    }

    fn refusal(count: u64, seqs: &[u64]) -> String {
        let object = encode(a_header(count), &entries(seqs)).unwrap();
        decode::<String>(&whole(object.bytes)).unwrap_err().to_string()
    }

    #[test]
    fn what_a_header_promises_is_checked() {
        assert_eq!(refusal(3, &[5, 6]), "reading `here`: found 2 entries, its header promises 3");
        assert_eq!(refusal(1, &[5, 6]), "reading `here`: found 2 entries, its header promises 1");
        assert_eq!(refusal(0, &[]), "reading `here`: found 0 entries, its header promises 0");
        assert_eq!(refusal(2, &[5, 7]), "reading `here`: found entry 7, expected 6");
    }

    #[test]
    fn a_segment_that_inflates_beyond_the_cap_is_refused() {
        let object = whole(encode(a_header(2), &entries(&[5, 6])).unwrap().bytes);
        let frame = unseal(&object.object).unwrap();
        let size = zstd::decode_all(frame).unwrap().len() as u64;
        assert_eq!(decode_capped::<String>(&object, size).unwrap().entries, entries(&[5, 6]));
        let error = decode_capped::<String>(&object, size - 1).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        assert!(error.to_string().contains("inflates beyond"), "{error}");
    }

    #[test]
    fn the_header_alone_of_a_bomb_is_refused() {
        // One line without end, a hundred times the cap: only a little more than the cap is ever inflated.
        let frame = zstd::encode_all(std::io::repeat(b'x').take(1 << 20), LEVEL).unwrap();
        let error = Lines::new(&frame, "here", 1 << 10).unwrap().next().unwrap_err();
        assert!(error.to_string().contains("inflates beyond"), "{error}");
    }

    #[test]
    fn nothing_may_stand_between_the_frame_and_the_seal() {
        let bytes = encode(a_header(1), &entries(&[5])).unwrap().bytes;
        let frame = unseal(&bytes).unwrap();
        let doubled = whole(sealed([frame, frame].concat()));
        let error = decode::<String>(&doubled).unwrap_err();
        assert!(error.to_string().contains("something follows its frame"), "{error}");
    }

    #[test]
    fn a_sealed_object_that_is_no_segment_is_damage() {
        for content in ["", "\n", "{}\n", "{\"format\":1}\n", "{\"format\":1}", "nonsense"] {
            let object = sealed(zstd::encode_all(content.as_bytes(), LEVEL).unwrap());
            let error = inspect(object, "here".to_owned()).err().unwrap();
            assert_eq!(error.kind(), Kind::Damaged, "{content:?}: {error}");
        }
        let newer = sealed(zstd::encode_all(&b"{\"format\":2,\"all\":\"else\"}\n"[..], LEVEL).unwrap());
        assert_eq!(inspect(newer, "here".to_owned()).err().unwrap().kind(), Kind::Newer);
        let raw = sealed(b"not even zstd".to_vec());
        assert_eq!(inspect(raw, "here".to_owned()).err().unwrap().kind(), Kind::Damaged);
    }

    #[test]
    fn only_names_of_segments_have_an_ordinal() {
        assert_eq!(ordinal(&key(Ordinal::new(42))), Some(Ordinal::new(42)));
        assert_eq!(key(Ordinal::new(42)), "journal/0000000042.jsonl.zst");
        for name in
            ["journal/42.jsonl.zst", "journal/+000000042.jsonl.zst", "journal/0000000042.jsonl.zst.bak"]
        {
            assert_eq!(ordinal(name), None, "{name}");
        }
    }

    #[test]
    fn tools_pass_over_the_seal() {
        // What `zstdcat` does: frame after frame to the end of the file, skippable ones left out.
        let object = encode(a_header(1), &entries(&[5])).unwrap().bytes;
        let text = String::from_utf8(zstd::decode_all(&object[..]).unwrap()).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.ends_with("}\n"));
    }
}
