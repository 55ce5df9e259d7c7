//! The model's server of the tests, and a gate before it that notes when the first question came. This file must not
//! know who asks.
//!
//! Invariant: the server ends with its owner.

use crate::tools::{python, root};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A running server with its gate.
pub(super) struct Model {
    server: Child,
    /// Where the gate's API begins.
    pub(super) url: String,
    first: Arc<Mutex<Option<Instant>>>,
}

impl Model {
    /// Starts both.
    pub(super) fn start() -> Result<Self, String> {
        let failed = |why: std::io::Error| format!("starting the model's server: {why}");
        let mut command = Command::new(python()?);
        command.arg(root().join("xtask/assets/mock_llm.py")).args(["--port", "0"]);
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut server = command.spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = server.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        let first = Arc::default();
        let mut model = Self { server, url: String::new(), first };
        let place = line.trim().split("//").nth(1).and_then(|rest| rest.strip_suffix("/v1"));
        let behind = place.ok_or("the model's server did not say where it listens")?.to_owned();
        let gate = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        model.url = format!("http://{}/v1", gate.local_addr().map_err(failed)?);
        let first = model.first.clone();
        std::thread::spawn(move || {
            for client in gate.incoming().map_while(Result::ok) {
                let (behind, first) = (behind.clone(), first.clone());
                std::thread::spawn(move || let_through(client, &behind, &first));
            }
        });
        Ok(model)
    }

    /// When the first question came since the last look.
    pub(super) fn first(&self) -> Option<Instant> {
        self.first.lock().ok().and_then(|mut first| first.take())
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to stop.
        self.server.kill().and_then(|()| self.server.wait()).ok();
    }
}

/// Passes bytes on, both ways, until one side is done.
fn let_through(mut client: TcpStream, behind: &str, first: &Mutex<Option<Instant>>) -> Option<()> {
    let mut server = TcpStream::connect(behind).ok()?;
    let (mut answers, mut to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    std::thread::spawn(move || {
        std::io::copy(&mut answers, &mut to_client).ok();
        to_client.shutdown(Shutdown::Both).ok();
    });
    let mut bytes = [0; 16 << 10];
    loop {
        let length = client.read(&mut bytes).ok().filter(|length| *length > 0);
        let Some(length) = length else { break };
        if bytes.starts_with(b"POST ") {
            first.lock().ok()?.get_or_insert_with(Instant::now);
        }
        server.write_all(&bytes[..length]).ok()?;
    }
    server.shutdown(Shutdown::Both).ok()
}
