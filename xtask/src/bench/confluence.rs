//! A live wiki, simulated (`sim::confluence`): a first run over all of it, one over nothing new, and one over a
//! hundredth that changed. The server runs beside the binary, on the same cores.

use super::child::{Bench, Ran};
use super::pipeline::{Folder, WITHOUT_VECTORS, built, machine, megabytes};
use crate::tools::{Done, cargo, run, say, target};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// As many as the largest wiki that was asked for has.
const PAGES: usize = 20_000;
/// Of so many pages one changes.
const CHANGED: usize = 100;
/// Whom the server takes for its administrator, as a header; and the same for the binary.
const LOGIN: &str = "Authorization: Basic YWRtaW5AZXhhbXBsZS5jb206YWRtaW4tdG9rZW4=";
const USER: (&str, &str) = ("HIGHWATER_CONFLUENCE_USER", "admin@example.com");
const TOKEN: (&str, &str) = ("CONFLUENCE_TOKEN", "admin-token");

/// A server that ends with this.
struct Fake {
    child: Child,
    host: String,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Measures, and prints a Markdown table.
pub(super) fn bench(words: &[String]) -> Done {
    let pages = match words {
        [] => PAGES,
        [flag, value] if flag == "--pages" => {
            value.parse().map_err(|why| format!("`--pages {value}`: {why}"))?
        }
        _ => return Err("expected `[--pages N]`".into()),
    };
    let folder = Folder::new("bench-confluence")?;
    let binary = built(&folder)?;
    run(cargo(&["build", "--release", "--locked", "--package", "sim", "--bin", "fake-confluence"]))?;
    machine();
    for (kind, deployment, base) in [("Cloud", "cloud", "/wiki"), ("Data Center", "data-center", "")] {
        let fake = Fake::start(pages, deployment)?;
        say(&format!("\n{kind}, {pages} pages\n"));
        say("| run | pages | requests | seconds | pages/s | processor s | peak memory |");
        say("|---|--:|--:|--:|--:|--:|--:|");
        let bench = Bench { binary: &binary, folder: folder.path().join(deployment) };
        bench.prepare()?;
        let settings = [WITHOUT_VECTORS, ("HIGHWATER_CONFLUENCE_DEPLOYMENT", deployment), USER, TOKEN];
        let url = format!("http://{}{base}", fake.host);
        fake.row("first", &bench.run(&["pipeline", &url], &settings)?)?;
        fake.row("nothing new", &bench.run(&["pipeline", &url], &settings)?)?;
        fake.change(pages / CHANGED, base)?;
        fake.row("one page of a hundred edited", &bench.run(&["pipeline", &url], &settings)?)?;
    }
    Ok(())
}

impl Fake {
    fn start(pages: usize, deployment: &str) -> Result<Self, String> {
        let mut command = Command::new(target().join("release/fake-confluence"));
        command.args(["--port", "0", "--pages", &pages.to_string()]).stdout(Stdio::piped());
        if deployment == "data-center" {
            command.arg("--data-center");
        }
        let mut child = command.spawn().map_err(|why| format!("starting the server: {why}"))?;
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut fake = Self { child, host: String::new() };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).map_err(|why| format!("reading from the server: {why}"))?;
        let host =
            line.trim().strip_prefix("listening on http://").ok_or(format!("the server says `{line}`"))?;
        fake.host = host.to_owned();
        Ok(fake)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value, String> {
        let failed = |why: std::io::Error| format!("asking the server for `{path}`: {why}");
        let mut stream = TcpStream::connect(&self.host).map_err(failed)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{LOGIN}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.host,
            body.len()
        );
        stream.write_all((head + body).as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(failed)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// A run as a row, with what it asked; the server counts anew afterwards.
    fn row(&self, what: &str, ran: &Ran) -> Done {
        let stats = self.ask("GET", "/_fake/stats", "")?;
        self.ask("DELETE", "/_fake/stats", "")?;
        say(&format!(
            "| {what} | {} | {} | {:.1} | {:.0} | {:.1} | {} |",
            ran.number("pages"),
            stats["requests"],
            ran.seconds,
            ran.number("pages") as f64 / ran.seconds,
            ran.cpu_seconds,
            megabytes(ran.peak_bytes)
        ));
        Ok(())
    }

    /// Edits as many pages, all over the wiki; the server counts anew afterwards.
    fn change(&self, count: usize, base: &str) -> Done {
        let mut ids: Vec<u64> = Vec::new();
        let mut start = 0;
        while ids.len() < count * CHANGED {
            let path = match base.is_empty() {
                true => format!("/rest/api/content?type=page&limit=100&start={start}"),
                false => format!("{base}/rest/api/content?type=page&limit=100&start={start}"),
            };
            let rows = self.ask("GET", &path, "")?["results"].as_array().cloned().unwrap_or_default();
            if rows.is_empty() {
                break;
            }
            start += rows.len();
            ids.extend(rows.iter().filter_map(|row| row["id"].as_str()?.parse::<u64>().ok()));
        }
        let edits: Vec<Value> = ids
            .iter()
            .step_by(CHANGED)
            .map(|id| json!({ "do": "edit", "id": id, "body": "<p>The ledger is owned by Team Lake now.</p>" }))
            .collect();
        self.ask("POST", "/_fake/edit", &Value::Array(edits).to_string())?;
        self.ask("DELETE", "/_fake/stats", "").map(drop)
    }
}
