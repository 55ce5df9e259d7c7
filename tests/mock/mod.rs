//! The model server of tests and benches: `xtask/assets/mock_llm.py` as a process of its own, on a port that is free. It
//! keeps the count that the product is judged by. This file must not know who asks it. Invariant: the process ends with
//! its owner.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.
#![allow(dead_code)] // Each user of this file needs a part of it.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running server.
pub struct Mock {
    child: Child,
    address: String,
}

impl Mock {
    /// Starts one with these options. Nothing where there is no Python, said loudly, unless `PYTHON3` names one: `cargo
    /// xtask test` does, so that there nothing is left out.
    pub fn start(options: &[&str]) -> Option<Self> {
        let named = std::env::var("PYTHON3").ok();
        let python = named.clone().unwrap_or_else(|| "python3".to_owned());
        let found =
            Command::new(&python).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            assert!(named.is_none(), "`{python}`, which `PYTHON3` names, does not run");
            eprintln!("LEFT OUT: there is no `python3` to serve the model; `cargo xtask test` sees to it");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("xtask/assets/mock_llm.py");
        let mut command = Command::new(python);
        command.arg(script).args(["--port", "0"]).args(options);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().split("//").nth(1).and_then(|rest| rest.strip_suffix("/v1"));
        Some(Self { address: address.expect("it says where it listens").to_owned(), child })
    }

    /// Where its API begins.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it has counted.
    pub fn stats(&self) -> Stats {
        Stats(self.call("GET", "/mock/stats", ""))
    }

    /// When requests came, in its seconds, and when those came that were over the limit.
    pub fn arrivals(&self) -> (Vec<f64>, Vec<f64>) {
        let told = self.call("GET", "/mock/arrivals", "");
        let times =
            |name: &str| told[name].as_array().unwrap().iter().map(|at| at.as_f64().unwrap()).collect();
        (times("arrived"), times("refused"))
    }

    /// Counts from the beginning.
    pub fn reset(&self) {
        self.call("POST", "/mock/reset", "{}");
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (_, body) = response.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the server has counted since it was reset.
#[derive(Clone, Debug)]
pub struct Stats(Value);

impl Stats {
    /// Chunks that it has answered, each counted once.
    pub fn chunks(&self) -> u64 {
        self.number("chunks")
    }

    /// Answers about a chunk that were not the first.
    pub fn chunks_twice(&self) -> u64 {
        self.number("chunks_twice")
    }

    /// Answers to a question that were not the first.
    pub fn questions_twice(&self) -> u64 {
        self.number("questions_twice")
    }

    /// Answers to the very same prompt that were not the first.
    pub fn prompts_twice(&self) -> u64 {
        self.number("prompts_twice")
    }

    /// Chunks and questions that were answered in one prompt and then asked about in another.
    pub fn elsewhere(&self) -> u64 {
        self.number("chunks_elsewhere") + self.number("questions_elsewhere")
    }

    /// Calls that it has answered.
    pub fn answered(&self) -> u64 {
        self.0["kinds"].as_object().unwrap().values().map(|kind| kind["ok"].as_u64().unwrap()).sum()
    }

    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }
}
