//! A place for one test, and model servers in this process that keep their own count of what they were asked: how many
//! requests came in any minute, and what was answered more than once. This file must not know who asks.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.
#![allow(dead_code)] // Each user of this file needs a part of it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A place of its own for one test: a wiki, a vault, a state file.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    /// With a wiki of so many pages.
    pub fn new(pages: usize) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(place.path("wiki/OPS")).unwrap();
        for page in 0..pages {
            let next = (page + 1) % pages;
            let text = format!(
                "# service-{page}\n\nThe `service-{page}` depends on `service-{next}` and is run by Team {}.\n\n{}",
                page % 7,
                "It is restarted on the first Monday of a month, at night. ".repeat(5)
            );
            std::fs::write(place.path(&format!("wiki/OPS/service-{page}.md")), text).unwrap();
        }
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn settings(&self, text: &str) {
        std::fs::write(self.path("highwater.toml"), text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        // Calls are counted by chunks: `tests/portraits.rs` counts those about communities.
        command.env("TEST_KEY", "sk-the-key-that-nobody-sees").env("HIGHWATER_COMMUNITY_SUMMARIES", "0");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and expects success.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", talk(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(arguments)).unwrap()
    }
}

pub fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a server was asked.
#[derive(Default)]
pub struct Asked {
    /// Requests that were let in.
    pub admitted: Vec<Instant>,
    /// Requests over the limit.
    pub refused: usize,
    /// How often each text was answered.
    pub answered: BTreeMap<String, usize>,
}

impl Asked {
    /// Texts that were answered more than once.
    pub fn twice(&self) -> usize {
        self.answered.values().map(|times| times - 1).sum()
    }
}

/// Answers a request: status and body, and the texts that this answers.
pub type Model = dyn Fn(&str, &Value) -> (u16, Value, Vec<String>) + Send + Sync;

pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Asked>>,
}

impl Server {
    /// A server that lets so many requests in within any 60 seconds.
    pub fn new(
        a_minute: usize,
        model: impl Fn(&str, &Value) -> (u16, Value, Vec<String>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Asked::default()));
        let (count, model): (_, Arc<Model>) = (asked.clone(), Arc::new(model));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (count, model) = (count.clone(), model.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    while let Some((path, body)) = take(&mut reader) {
                        give(&stream, answer(a_minute, &count, &*model, (&path, &body)));
                    }
                });
            }
        });
        Self { url, asked }
    }

    /// Texts that were answered, requests that were let in, texts answered more than once.
    pub fn counts(&self) -> (usize, usize, usize) {
        let asked = self.asked();
        (asked.answered.len(), asked.admitted.len(), asked.twice())
    }

    pub fn asked(&self) -> std::sync::MutexGuard<'_, Asked> {
        self.asked.lock().unwrap()
    }
}

fn answer(a_minute: usize, count: &Mutex<Asked>, model: &Model, request: (&str, &Value)) -> (u16, Value) {
    {
        let mut asked = count.lock().unwrap();
        let recent = asked.admitted.iter().filter(|at| at.elapsed() < Duration::from_secs(60)).count();
        if recent >= a_minute {
            asked.refused += 1;
            return (429, json!({"error": {"message": "over the limit"}}));
        }
        asked.admitted.push(Instant::now());
    }
    let (status, body, texts) = model(request.0, request.1);
    let mut asked = count.lock().unwrap();
    for text in texts {
        *asked.answered.entry(text).or_default() += 1;
    }
    (status, body)
}

fn take(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if path.is_empty() {
            path = line.split(' ').nth(1)?.to_owned();
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}

/// As a status: an answer that breaks off half way.
pub const CUT: u16 = 299;

fn give(mut stream: &TcpStream, (status, body): (u16, Value)) {
    let body = body.to_string();
    if status == CUT {
        write!(stream, "HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{}", body.len(), &body[..body.len() / 2])
            .ok();
        stream.shutdown(std::net::Shutdown::Both).ok();
        return;
    }
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    // A client that was killed has gone.
    write!(stream, "{head}\r\n\r\n{body}").ok();
}

/// A model of chat completions that finds nothing in any chunk; what it is asked about are the chunks' texts.
pub fn reader(_: &str, body: &Value) -> (u16, Value, Vec<String>) {
    let prompt = body["messages"][1]["content"].as_str().unwrap();
    let shown: Vec<&str> = prompt.split("<chunk ").skip(1).collect();
    let number = |part: &&str| part.split(' ').next().unwrap().parse::<u64>().ok();
    let chunks: Vec<Value> = shown
        .iter()
        .filter_map(number)
        .map(|number| json!({"chunk": number, "entities": [], "facts": []}))
        .collect();
    let texts = shown.iter().filter(|part| number(part).is_some());
    let texts =
        texts.map(|part| part.split("</chunk").next().unwrap().split_once('\n').unwrap().1.to_owned());
    let message = json!({"role": "assistant", "content": json!({"chunks": chunks}).to_string()});
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 10});
    (
        200,
        json!({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}),
        texts.collect(),
    )
}
