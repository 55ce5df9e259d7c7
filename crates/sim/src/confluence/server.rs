//! A site behind a socket: HTTP/1.1 as small as clients allow, a thread for each connection, the site behind one lock.
//! Written here because the fake breaks connections in the middle, which servers are made not to do. It must not know
//! what is answered.

use super::answer::answer;
use super::exchange::{Request, Response, reason};
use super::rates::http_date;
use super::site::Site;
use jiff::Timestamp;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest body that is taken.
const LARGEST: usize = 64 << 20;

/// A site that is served until the process ends.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    site: Arc<Mutex<Site>>,
}

impl Server {
    /// Serves a site on loopback; port 0 takes any that is free. With `live`, its clock is that of the machine;
    /// otherwise it stands still unless it is turned through `with`.
    pub fn start(site: Site, port: u16, live: bool) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let server = Self { address: listener.local_addr()?, site: Arc::new(Mutex::new(site)) };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.converse(&stream, live));
            }
        });
        Ok(server)
    }

    /// The address of the host.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does something to the site between two requests.
    pub fn with<T>(&self, act: impl FnOnce(&mut Site) -> T) -> T {
        // A test whose request panicked sees that panic; what the site is worth after it does not matter.
        act(&mut self.site.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn converse(&self, stream: &TcpStream, live: bool) {
        stream.set_nodelay(true).ok();
        let mut reader = BufReader::new(stream);
        while let Some(request) = take(&mut reader, stream) {
            let stays = !request.header("connection").is_some_and(|way| way.eq_ignore_ascii_case("close"));
            let response = self.with(|site| {
                if live {
                    site.now = now();
                }
                answer(site, &request).with("Date", http_date(site.now))
            });
            let broken = response.breaks_after.is_some();
            if give(stream, &response, request.method == "HEAD").is_err() || broken || !stays {
                break;
            }
        }
        stream.shutdown(Shutdown::Both).ok();
    }
}

#[allow(clippy::disallowed_methods)] // The one place where a served site learns the time.
fn now() -> Timestamp {
    Timestamp::now()
}

/// The next request, unless the client has gone.
fn take(reader: &mut impl BufRead, mut stream: &TcpStream) -> Option<Request> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let mut request = Request::new(words.next()?, words.next()?);
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("expect").is_some_and(|what| what.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let chunked = request.header("transfer-encoding").is_some_and(|way| way.contains("chunked"));
    request.body = match chunked {
        true => chunks(reader)?,
        false => {
            let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            bytes(reader, length)?
        }
    };
    Some(request)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    // A client that sends no end of a line is no client of ours.
    let length = reader.take(64 << 10).read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

fn bytes(reader: &mut impl BufRead, length: usize) -> Option<Vec<u8>> {
    let mut body = vec![0; Some(length).filter(|length| *length <= LARGEST)?];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() <= LARGEST {
        let size = line(reader)?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        body.extend(bytes(reader, size)?);
        line(reader)?;
        if size == 0 {
            return Some(body);
        }
    }
    None
}

fn give(mut stream: &TcpStream, response: &Response, head_only: bool) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", response.body.len()));
    let mut bytes = head.into_bytes();
    let length = response.breaks_after.unwrap_or(response.body.len()).min(response.body.len());
    if !head_only {
        bytes.extend_from_slice(&response.body[..length]);
    }
    stream.write_all(&bytes)?;
    stream.flush()
}
