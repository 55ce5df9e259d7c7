//! A server that speaks as much of Google Cloud Storage's XML API as the vault uses, and that fails as it is told. It
//! shows what we believe of that service, not what the service does. This file must not know what an object means.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this status, and nothing happens.
    Refused(u16),
    /// Nothing happens and the connection breaks.
    LostBefore,
    /// It happens and the connection breaks before the answer.
    LostAfter,
    /// It happens, and the answer is this status.
    DoneBut(u16),
    /// It happens and nothing is ever answered.
    Silent,
    /// The answer breaks off half way.
    Cut,
}

/// The bucket that is there.
pub const BUCKET: &str = "vault";

/// A page of a listing: small, so that pages are turned.
const PAGE: usize = 3;

#[derive(Default)]
struct Shared {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    writes: u64,
    /// What happens to the next requests of a method.
    script: BTreeMap<&'static str, VecDeque<Fault>>,
    /// What happens to every request.
    always: Option<Fault>,
    /// Takes the condition of a creation and does not look at it.
    careless: bool,
    requests: Vec<String>,
}

/// A server of one bucket.
#[derive(Clone)]
pub struct Gcs {
    /// Its address, as `STORAGE_EMULATOR_HOST` takes it.
    pub host: String,
    shared: Arc<Mutex<Shared>>,
}

impl Gcs {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let gcs = Self { host, shared: Arc::default() };
        let serving = gcs.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(&stream));
            }
        });
        gcs
    }

    /// The next requests of this method fail so, one after the other.
    pub fn script(&self, method: &'static str, faults: &[Fault]) {
        self.shared.lock().unwrap().script.insert(method, faults.iter().copied().collect());
    }

    /// How many faults of the script were not reached.
    pub fn left(&self) -> usize {
        self.shared.lock().unwrap().script.values().map(VecDeque::len).sum()
    }

    /// Every request fails so, until it is told otherwise.
    pub fn always(&self, fault: Option<Fault>) {
        self.shared.lock().unwrap().always = fault;
    }

    /// From now on conditions are not looked at.
    pub fn be_careless(&self) {
        self.shared.lock().unwrap().careless = true;
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.shared.lock().unwrap().objects.keys().cloned().collect()
    }

    /// How many requests of a method there were.
    pub fn requests(&self, method: &str) -> usize {
        self.shared.lock().unwrap().requests.iter().filter(|one| *one == method).count()
    }

    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = take(&mut reader) {
            let fault = {
                let mut shared = self.shared.lock().unwrap();
                shared.requests.push(request.method.clone());
                let next = shared.script.get_mut(request.method.as_str()).and_then(VecDeque::pop_front);
                next.or(shared.always)
            };
            let answer = match fault {
                Some(Fault::Refused(status)) => refusal(status, "Word"),
                Some(Fault::LostBefore) => break,
                _ => self.shared.lock().unwrap().perform(&request),
            };
            let answer = match fault {
                Some(Fault::LostAfter) => break,
                Some(Fault::DoneBut(status)) => refusal(status, "Word"),
                Some(Fault::Silent) => {
                    // Until the client goes away.
                    reader.read_to_end(&mut Vec::new()).ok();
                    break;
                }
                _ => answer,
            };
            if give(stream, &answer, fault == Some(Fault::Cut)).is_none() {
                break;
            }
        }
        stream.shutdown(Shutdown::Both).ok();
    }
}

impl Shared {
    fn perform(&mut self, request: &Request) -> Answer {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let path = decoded(path.trim_start_matches('/'));
        let (bucket, name) = path.split_once('/').unwrap_or((&path, ""));
        if bucket != BUCKET {
            return refusal(404, "NoSuchBucket");
        }
        match request.method.as_str() {
            "GET" if name.is_empty() => self.list(query),
            "GET" => self.get(name, request.headers.get("range")),
            "PUT" => self.put(name, request),
            "DELETE" => match self.objects.remove(name) {
                Some(_) => Answer { status: 204, ..Answer::default() },
                None => refusal(404, "NoSuchKey"),
            },
            _ => refusal(405, "MethodNotAllowed"),
        }
    }

    fn put(&mut self, name: &str, request: &Request) -> Answer {
        match request.headers.get("x-goog-if-generation-match").map(String::as_str) {
            Some("0") if self.objects.contains_key(name) && !self.careless => {
                return refusal(412, "PreconditionFailed");
            }
            None | Some("0") => {}
            Some(_) => return refusal(400, "InvalidArgument"),
        }
        self.writes += 1;
        self.objects.insert(name.to_owned(), (request.body.clone(), self.writes));
        Answer { status: 200, headers: self.written(), ..Answer::default() }
    }

    fn written(&self) -> Vec<String> {
        vec![format!("etag: \"{}\"", self.writes), format!("x-goog-generation: {}", self.writes)]
    }

    fn get(&self, name: &str, range: Option<&String>) -> Answer {
        let Some((bytes, generation)) = self.objects.get(name) else { return refusal(404, "NoSuchKey") };
        let mut headers = vec![
            format!("etag: \"{generation}\""),
            format!("x-goog-generation: {generation}"),
            "last-modified: Fri, 27 Nov 2026 12:00:00 GMT".to_owned(),
        ];
        let Some((from, to)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
            return Answer { status: 200, headers, body: bytes.clone() };
        };
        let from: usize = from.parse().unwrap();
        let to = to.parse().map_or(bytes.len(), |last: usize| last + 1).min(bytes.len());
        headers.push(format!("content-range: bytes {from}-{}/{}", to - 1, bytes.len()));
        Answer { status: 206, headers, body: bytes[from..to].to_vec() }
    }

    fn list(&self, query: &str) -> Answer {
        let asked: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(&value.replace('+', " "))))
            .collect();
        let word = |name: &str| asked.get(name).map_or("", String::as_str);
        let after = word("start-after").max(word("continuation-token"));
        let names = self.objects.keys().map(String::as_str);
        let mut rest = names.filter(|name| name.starts_with(word("prefix")) && *name > after);
        let page: Vec<&str> = rest.by_ref().take(PAGE).collect();
        let mut body = "<?xml version='1.0'?><ListBucketResult>".to_owned();
        for name in &page {
            body += &format!(
                "<Contents><Key>{name}</Key><Size>1</Size><LastModified>2026-11-27T12:00:00Z</LastModified>\
                 <ETag>\"1\"</ETag></Contents>"
            );
        }
        if let (Some(last), true) = (page.last(), rest.next().is_some()) {
            body += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
        }
        body += "</ListBucketResult>";
        Answer { status: 200, headers: Vec::new(), body: body.into_bytes() }
    }
}

#[derive(Default)]
struct Answer {
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
}

fn refusal(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Details>hunter2</Details></Error>").into_bytes();
    Answer { status, headers: Vec::new(), body }
}

struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn take(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length: &String| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}

fn give(mut stream: &TcpStream, answer: &Answer, cut: bool) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Word\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
    for header in &answer.headers {
        head += &format!("{header}\r\n");
    }
    let shown = if cut { &answer.body[..answer.body.len() / 2] } else { &answer.body[..] };
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    stream.write_all(shown).ok()?;
    (!cut).then_some(())
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        plain.push(u8::from_str_radix(&part[..2], 16).unwrap());
        plain.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(plain).unwrap()
}
