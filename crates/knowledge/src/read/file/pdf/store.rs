//! The objects of a PDF by number. It must not know what they mean. The tables that say where objects are are not
//! believed but not needed either: all objects are found by looking through the file once, so that a file cut off or
//! damaged in the middle gives what is left of it. Invariants: no more than `INFLATED_CAP_BYTES` are unpacked from one
//! file, and no more than `WORK_CAP_BYTES` are read as values, however often objects refer to each other.

use super::filter;
use super::syntax::{Dict, Lexer, Value, is_white};
use crate::read::file::Unread;
use memchr::memmem;
use std::cell::Cell;
use std::collections::BTreeMap;

/// What all that is unpacked of one file may come to: texts and tables of letters of a book are some tens of MB;
/// pictures are never unpacked.
pub(super) const INFLATED_CAP_BYTES: usize = 64 << 20;
/// Bytes that may be read as values, those read twice counted twice.
const WORK_CAP_BYTES: usize = 64 << 20;
/// References that lead to references.
const MOST_STEPS: usize = 20;
/// Filters that one stream has gone through.
const MOST_FILTERS: usize = 4;
/// Where `endstream` is looked for if a stream says its length.
const END_WITHIN: usize = 16;

#[derive(Clone, Copy)]
enum Place {
    /// Where the value begins, and the bytes of its stream.
    File(usize, Option<(usize, usize)>),
    /// In an unpacked stream of objects.
    Packed(usize, usize),
}

/// All objects of a file.
pub(super) struct Store<'a> {
    bytes: &'a [u8],
    /// With where in the file each was found: the last one counts, since files are changed by appending.
    places: BTreeMap<u32, (usize, Place)>,
    packed: Vec<Vec<u8>>,
    trailer: Dict,
    inflate_left: Cell<usize>,
    work_left: Cell<usize>,
}

impl<'a> Store<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Unread> {
        let mut store = Self {
            bytes,
            places: BTreeMap::new(),
            packed: Vec::new(),
            trailer: Dict::new(),
            inflate_left: Cell::new(INFLATED_CAP_BYTES),
            work_left: Cell::new(WORK_CAP_BYTES),
        };
        let streams = store.scan();
        store.read_trailers();
        if store.trailer.contains_key("Encrypt") {
            return Err(Unread::Encrypted);
        }
        for (at, dict, data) in streams {
            store.unpack_objects(at, &dict, data);
        }
        if store.is_exhausted() {
            return Err(Unread::Expands { cap_bytes: INFLATED_CAP_BYTES as u64 });
        }
        Ok(store)
    }

    /// Whether more was asked of the file than any honest one needs.
    pub(super) fn is_exhausted(&self) -> bool {
        self.inflate_left.get() == 0 || self.work_left.get() == 0
    }

    /// What the end of the file says of it.
    pub(super) fn trailer(&self) -> &Dict {
        &self.trailer
    }

    /// The numbers of all objects.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.places.keys().copied()
    }

    /// Finds every `12 0 obj`. Gives back the streams that hold further objects.
    fn scan(&mut self) -> Vec<(usize, Dict, (usize, usize))> {
        let mut streams = Vec::new();
        let mut at = 0;
        while let Some(found) = memmem::find(&self.bytes[at..], b"obj").map(|found| at + found) {
            at = found + 3;
            let Some(number) = number_before(self.bytes, found) else { continue };
            let Some((value, end)) = self.parse(self.bytes, at) else {
                if self.is_exhausted() {
                    break;
                }
                continue;
            };
            let data = if let Value::Dict(dict) = &value { self.stream_after(dict, end) } else { None };
            self.places.insert(number, (found, Place::File(at, data)));
            at = data.map_or(end, |(_, end)| end);
            if let (Value::Dict(dict), Some(data)) = (value, data) {
                match dict.get("Type").and_then(Value::name) {
                    Some("ObjStm") => streams.push((found, dict, data)),
                    Some("XRef") => self.take_trailer(dict),
                    _ => {}
                }
            }
        }
        streams
    }

    fn parse(&self, bytes: &[u8], at: usize) -> Option<(Value, usize)> {
        let mut lexer = Lexer::of_objects(bytes, at);
        let value = if self.work_left.get() > 0 { lexer.next_value() } else { None };
        self.work_left.set(self.work_left.get().saturating_sub(lexer.at.saturating_sub(at) + 1));
        value.map(|value| (value, lexer.at))
    }

    /// The bytes of the stream whose dictionary ends here, by its own word where that is borne out.
    fn stream_after(&self, dict: &Dict, end: usize) -> Option<(usize, usize)> {
        let mut lexer = Lexer::of_objects(self.bytes, end);
        if !lexer.eat(b"stream") {
            return None;
        }
        let mut start = lexer.at;
        start += usize::from(self.bytes.get(start) == Some(&b'\r'));
        start += usize::from(self.bytes.get(start) == Some(&b'\n'));
        let start = start.min(self.bytes.len());
        let said =
            dict.get("Length").and_then(Value::number).map(|length| start.saturating_add(length as usize));
        if let Some(tail) = said.and_then(|said| self.bytes.get(said..)) {
            let near = &tail[..tail.len().min(END_WITHIN)];
            if let (Some(said), true) = (said, memmem::find(near, b"endstream").is_some()) {
                return Some((start, said));
            }
        }
        let length = memmem::find(&self.bytes[start..], b"endstream").unwrap_or(self.bytes.len() - start);
        Some((start, start + length))
    }

    fn read_trailers(&mut self) {
        let mut at = 0;
        while let Some(found) = memmem::find(&self.bytes[at..], b"trailer") {
            at += found + b"trailer".len();
            if let Some((Value::Dict(dict), end)) = self.parse(self.bytes, at) {
                at = end;
                self.take_trailer(dict);
            } else if self.is_exhausted() {
                break;
            }
        }
    }

    fn take_trailer(&mut self, dict: Dict) {
        for key in ["Root", "Encrypt"] {
            if let Some(value) = dict.get(key).filter(|value| **value != Value::Null) {
                self.trailer.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// A stream of objects begins with their numbers and where they are in it.
    fn unpack_objects(&mut self, found: usize, dict: &Dict, data: (usize, usize)) {
        let Some(bytes) = self.unpack(dict, data) else { return };
        let first = dict.get("First").and_then(Value::number).unwrap_or(0.0) as usize;
        let mut lexer = Lexer::of_content(&bytes);
        let mut places: Vec<(u32, usize)> = Vec::new();
        while lexer.at < first.min(bytes.len()) {
            let (Some(Value::Number(number)), Some(Value::Number(at))) =
                (lexer.next_value(), lexer.next_value())
            else {
                break;
            };
            places.push((number as u32, first.saturating_add(at as usize)));
            lexer.renew();
        }
        let stream = self.packed.len();
        for (number, at) in places.into_iter().filter(|(_, at)| *at < bytes.len()) {
            let newer = self.places.get(&number).is_none_or(|(held, _)| *held < found);
            if newer {
                self.places.insert(number, (found, Place::Packed(stream, at)));
            }
        }
        self.packed.push(bytes);
    }

    /// An object, and where its stream is if it has one.
    fn object(&self, number: u32) -> Option<(Value, Option<(usize, usize)>)> {
        match self.places.get(&number)?.1 {
            Place::File(at, data) => Some((self.parse(self.bytes, at)?.0, data)),
            Place::Packed(stream, at) => Some((self.parse(self.packed.get(stream)?, at)?.0, None)),
        }
    }

    /// A value, references followed.
    pub(super) fn resolve(&self, value: &Value) -> Value {
        let mut value = value.clone();
        for _ in 0..MOST_STEPS {
            let Value::Reference(number) = value else { return value };
            value = self.object(number).map_or(Value::Null, |(value, _)| value);
        }
        Value::Null
    }

    /// What a dictionary holds under a name, references followed.
    pub(super) fn get(&self, dict: &Dict, key: &str) -> Option<Value> {
        dict.get(key).map(|value| self.resolve(value)).filter(|value| *value != Value::Null)
    }

    /// A thing by the name a page calls it, of a kind such as `Font`; what it refers to is not looked at.
    pub(super) fn resource(&self, resources: &Dict, kind: &str, name: &str) -> Option<Value> {
        match resources.get(kind)? {
            Value::Dict(all) => all.get(name).cloned(),
            other => match self.resolve(other) {
                Value::Dict(mut all) => all.remove(name),
                _ => None,
            },
        }
    }

    pub(super) fn dict(&self, dict: &Dict, key: &str) -> Option<Dict> {
        self.get(dict, key).and_then(|value| if let Value::Dict(dict) = value { Some(dict) } else { None })
    }

    pub(super) fn array(&self, dict: &Dict, key: &str) -> Option<Vec<Value>> {
        self.get(dict, key).and_then(|value| if let Value::Array(array) = value { Some(array) } else { None })
    }

    pub(super) fn number(&self, dict: &Dict, key: &str) -> Option<f64> {
        self.get(dict, key).and_then(|value| value.number())
    }

    /// A stream's dictionary, without unpacking it.
    pub(super) fn stream_dict(&self, value: &Value) -> Option<Dict> {
        let Value::Reference(number) = value else { return None };
        match self.object(*number)? {
            (Value::Dict(dict), Some(_)) => Some(dict),
            _ => None,
        }
    }

    /// A stream, unpacked.
    pub(super) fn stream(&self, value: &Value) -> Option<(Dict, Vec<u8>)> {
        let Value::Reference(number) = value else { return None };
        match self.object(*number)? {
            (Value::Dict(dict), Some(data)) => {
                let bytes = self.unpack(&dict, data)?;
                Some((dict, bytes))
            }
            (Value::Reference(next), None) if next != *number => {
                let (Value::Dict(dict), Some(data)) = self.object(next)? else { return None };
                let bytes = self.unpack(&dict, data)?;
                Some((dict, bytes))
            }
            _ => None,
        }
    }

    fn unpack(&self, dict: &Dict, (start, end): (usize, usize)) -> Option<Vec<u8>> {
        let several = |key: &str, short: &str| match self.get(dict, key).or_else(|| self.get(dict, short)) {
            Some(Value::Array(array)) => array.iter().map(|value| self.resolve(value)).collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let (filters, params) = (several("Filter", "F"), several("DecodeParms", "DP"));
        if filters.len() > MOST_FILTERS {
            return None;
        }
        let packed = self.bytes.get(start..end).filter(|packed| packed.len() <= self.inflate_left.get())?;
        let mut bytes = packed.to_vec();
        for (number, filter) in filters.iter().enumerate() {
            let params = if let Some(Value::Dict(params)) = params.get(number) { Some(params) } else { None };
            let left = self.inflate_left.get();
            bytes = filter::unpack(filter.name()?, params, &bytes, left)?;
            self.inflate_left.set(left.saturating_sub(bytes.len().max(1)));
        }
        if filters.is_empty() {
            self.inflate_left.set(self.inflate_left.get().saturating_sub(bytes.len()));
        }
        Some(bytes)
    }
}

/// The number of the object whose `obj` is here.
fn number_before(bytes: &[u8], at: usize) -> Option<u32> {
    let (rest, white) = without_white(&bytes[..at]);
    let (rest, generation) = without_digits(rest);
    let (rest, between) = without_white(rest);
    let (before, number) = without_digits(rest);
    let whole = generation.len() <= 5 && between > 0 && white <= 8 && between <= 8;
    let alone = before.last().is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let found = whole && alone && !generation.is_empty();
    std::str::from_utf8(number).ok().filter(|_| found)?.parse().ok()
}

fn without_white(bytes: &[u8]) -> (&[u8], usize) {
    let white = bytes.iter().rev().take(9).take_while(|byte| is_white(**byte)).count();
    (&bytes[..bytes.len() - white], white)
}

fn without_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let digits = bytes.iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    bytes.split_at(bytes.len() - digits)
}
