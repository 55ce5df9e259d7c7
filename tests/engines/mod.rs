//! A server with the batch engines of four vendors, as their pages document them: files, jobs, lists in pages, results
//! out of order. It keeps what it was sent, counts the jobs that were created, and ends them as it is told. This file
//! must not know who asks it.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.
#![allow(dead_code)] // Each user of this file needs a part of it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Whose engines are tried.
pub const VENDORS: [&str; 4] = ["openai", "anthropic", "vertex", "gemini"];

/// When jobs of this server are created, in their vendors' forms.
const CREATED: (i64, &str) = (1_772_367_000, "2026-03-01T12:10:00Z");
/// Looks at a job before it is over.
const LOOKS: usize = 3;

/// How jobs end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is answered.
    Whole,
    /// The second request is refused for good, the third fails.
    Partly,
    /// Only the first three were reached.
    Expired,
    /// The engine forgets it.
    Lost,
    /// It is refused as a whole.
    Failed,
    /// Results hold lines twice, of others, broken ones; the last is cut off.
    Messy,
}

/// A request as it was sent in a job: its id, and what goes to the model.
#[derive(Clone)]
struct Asked {
    id: String,
    body: Value,
}

#[derive(Clone)]
struct Held {
    key: String,
    name: String,
    asked: Vec<Asked>,
    looks: usize,
}

/// What the server saw.
#[derive(Clone, Default)]
pub struct Seen {
    /// Jobs created.
    pub created: usize,
    /// Looks at jobs.
    pub polls: usize,
    /// The key of each request.
    pub keys: Vec<String>,
    /// The body of each request.
    pub bodies: Vec<String>,
    /// Requests in all jobs.
    pub requests: usize,
    /// The same request in another job.
    pub twice: usize,
}

struct Inner {
    vendor: &'static str,
    jobs: Vec<Held>,
    files: BTreeMap<String, String>,
    ending: Ending,
    hang_up: bool,
    failures: Vec<u16>,
    seen: Seen,
}

/// The server.
pub struct Engines {
    /// Where it is.
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

/// What it answers to a text: the numbers of its chunks, with nothing in them; the text itself where there are none.
pub fn said(text: &str) -> String {
    let numbers =
        text.split("<chunk ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    let chunks: Vec<Value> =
        numbers.map(|number| json!({"chunk": number, "entities": [], "facts": []})).collect();
    match chunks.is_empty() {
        true => json!({ "said": text }).to_string(),
        false => json!({ "chunks": chunks }).to_string(),
    }
}

impl Engines {
    /// Serves a vendor's engine until the process ends.
    pub fn serve(vendor: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            vendor,
            jobs: Vec::new(),
            files: BTreeMap::new(),
            ending: Ending::Whole,
            hang_up: false,
            failures: Vec::new(),
            seen: Seen::default(),
        };
        let inner = Arc::new(Mutex::new(inner));
        let shared = inner.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that is gone has no answer to read.
                answer(stream, &shared).ok();
            }
        });
        Self { url, inner }
    }

    /// How jobs end from now on.
    pub fn ending(&self, ending: Ending) {
        self.inner.lock().unwrap().ending = ending;
    }

    /// The next creation of a job is done and not answered.
    pub fn hang_up_at_creation(&self) {
        self.inner.lock().unwrap().hang_up = true;
    }

    /// The next requests fail with these statuses.
    pub fn fail_next(&self, statuses: &[u16]) {
        self.inner.lock().unwrap().failures = statuses.iter().rev().copied().collect();
    }

    /// What it saw.
    pub fn seen(&self) -> Seen {
        self.inner.lock().unwrap().seen.clone()
    }
}

fn answer(mut stream: TcpStream, inner: &Mutex<Inner>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "x-api-key" | "x-goog-api-key" => key = value.to_owned(),
            "authorization" => key = value.trim_start_matches("Bearer ").to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body).unwrap();
    let answered = {
        let mut inner = inner.lock().unwrap();
        inner.seen.keys.push(key);
        inner.seen.bodies.push(body.clone());
        match inner.failures.pop() {
            Some(status) => Some((status, json!({"error": {"message": "as it was told"}}).to_string())),
            None => inner.route(&method, &path, &body),
        }
    };
    let Some((status, body)) = answered else { return Ok(()) };
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

type Answer = Option<(u16, String)>;

fn ok(body: Value) -> Answer {
    Some((200, body.to_string()))
}

fn nowhere() -> Answer {
    Some((404, json!({"error": {"message": "there is no such thing"}}).to_string()))
}

/// The value of a part of a query, `%` undone.
fn query(path: &str, name: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    let raw = query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
    Some(decoded(raw))
}

fn decoded(raw: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after.get(..2)) {
            (b'%', Some(hex)) => {
                bytes.push(u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap());
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

impl Inner {
    fn route(&mut self, method: &str, path: &str, body: &str) -> Answer {
        match self.vendor {
            "openai" => self.openai(method, path, body),
            "anthropic" => self.anthropic(method, path, body),
            "vertex" => self.vertex(method, path, body),
            _ => self.gemini(method, path, body),
        }
    }

    /// Takes a job; nothing is answered when it is told to hang up.
    fn create(&mut self, key: &str, asked: Vec<Asked>, prefix: &str) -> Option<Held> {
        self.seen.created += 1;
        self.seen.requests += asked.len();
        let before = |asked: &&Asked| {
            self.jobs.iter().flat_map(|held| &held.asked).any(|held| held.body == asked.body)
        };
        self.seen.twice += asked.iter().filter(before).count();
        let name = format!("{prefix}{}", self.jobs.len() + 1);
        let held = Held { key: key.to_owned(), name, asked, looks: 0 };
        self.jobs.push(held.clone());
        (!std::mem::take(&mut self.hang_up)).then_some(held)
    }

    /// The job of this name, looked at once more; nothing when it is lost.
    fn look(&mut self, name: &str) -> Option<(Held, bool)> {
        self.seen.polls += 1;
        let lost = self.ending == Ending::Lost;
        let held = self.jobs.iter_mut().find(|held| held.name == name)?;
        held.looks += 1;
        let over = held.looks > LOOKS;
        (!(lost && over)).then(|| (held.clone(), over))
    }

    /// What became of each request, last first.
    fn results(&self, held: &Held) -> Vec<(Asked, Result<String, u16>)> {
        let outcome = |(number, asked): (usize, &Asked)| {
            let text = said(&text_of(&asked.body));
            let outcome = match (self.ending, number) {
                (Ending::Partly, 1) => Err(400),
                (Ending::Partly, 2) => Err(500),
                (Ending::Expired, 3..) | (Ending::Failed, _) => Err(0),
                _ => Ok(text),
            };
            (asked.clone(), outcome)
        };
        let mut results: Vec<_> = held.asked.iter().enumerate().map(outcome).collect();
        if self.ending != Ending::Messy {
            results.reverse();
        }
        results
    }

    /// Lines of results, in a mess if that is told.
    fn file(&self, lines: Vec<Value>) -> String {
        let mut text = String::new();
        let messy = self.ending == Ending::Messy;
        for (number, line) in lines.iter().enumerate() {
            let last = number + 1 == lines.len();
            text += &line.to_string();
            if messy && last {
                text.truncate(text.len() - 9);
                break;
            }
            text.push('\n');
            if messy {
                // The same again with another text, another's, and nothing at all.
                text += &line.to_string().replace("Question", "Another");
                text += "\n{\"custom_id\":\"somebody-else\",\"key\":1}\nnot json\n\n[]\n";
            }
        }
        text
    }

    fn openai(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let place = path.split('?').next().unwrap();
        match (method, place) {
            ("POST", "/v1/files") => {
                assert!(body.contains("name=\"purpose\"\r\n\r\nbatch\r\n"), "{body}");
                let (_, rest) = body.split_once("application/jsonl\r\n\r\n").unwrap();
                let name = format!("file-{}", self.files.len() + 1);
                self.files.insert(name.clone(), rest.split("\r\n--").next().unwrap().to_owned());
                ok(json!({"id": name, "object": "file", "purpose": "batch"}))
            }
            ("POST", "/v1/batches") => {
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!(
                    (&body["endpoint"], &body["completion_window"]),
                    (&json!("/v1/chat/completions"), &json!("24h"))
                );
                let file = self.files[body["input_file_id"].as_str().unwrap()].clone();
                let asked = file.lines().map(|line| {
                    let line: Value = serde_json::from_str(line).unwrap();
                    assert_eq!(
                        (&line["method"], &line["url"]),
                        (&json!("POST"), &json!("/v1/chat/completions"))
                    );
                    Asked { id: line["custom_id"].as_str().unwrap().to_owned(), body: line["body"].clone() }
                });
                let key = body["metadata"]["highwater_key"].as_str().unwrap();
                let held = self.create(key, asked.collect(), "batch_")?;
                ok(openai_job(&held, "validating"))
            }
            ("GET", "/v1/batches") => {
                // A page has two; before ours, those of others.
                let foreign = (0..5).map(|number| json!({"id": format!("foreign-{number}"), "created_at": CREATED.0, "metadata": null}));
                let all: Vec<Value> =
                    foreign.chain(self.jobs.iter().map(|held| openai_job(held, "in_progress"))).collect();
                let after = query(path, "after");
                let from =
                    all.iter().position(|job| job["id"].as_str() == after.as_deref()).map_or(0, |at| at + 1);
                let page: Vec<&Value> = all[from..].iter().take(2).collect();
                let more = from + page.len() < all.len();
                ok(json!({"object": "list", "data": page, "has_more": more}))
            }
            ("GET", _) if place.starts_with("/v1/batches/") => self.openai_look(place),
            ("GET", _) if place.ends_with("/content") => {
                let name = place.strip_prefix("/v1/files/").unwrap().strip_suffix("/content").unwrap();
                self.files.get(name).map(|file| (200, file.clone())).or_else(nowhere)
            }
            _ => nowhere(),
        }
    }

    fn openai_look(&mut self, place: &str) -> Answer {
        let Some((held, over)) = self.look(place.strip_prefix("/v1/batches/").unwrap()) else {
            return nowhere();
        };
        if !over {
            return ok(openai_job(&held, "in_progress"));
        }
        if self.ending == Ending::Failed {
            let mut job = openai_job(&held, "failed");
            job["errors"] = json!({"object": "list", "data": [{"code": "model_not_found", "message": "the model is not for batches"}]});
            return ok(job);
        }
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (asked, outcome) in self.results(&held) {
            let line = |response: Value, error: Value| json!({"id": "batch_req_1", "custom_id": asked.id, "response": response, "error": error});
            match outcome {
                Ok(text) => good.push(line(
                    json!({"status_code": 200, "request_id": "r", "body": {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}}),
                    Value::Null,
                )),
                Err(0) => bad.push(line(Value::Null, json!({"code": "batch_expired", "message": "This request could not be executed before the completion window expired."}))),
                Err(status) => bad.push(line(json!({"status_code": status, "request_id": "r", "body": {"error": {"message": "no"}}}), Value::Null)),
            }
        }
        let (good, bad) = (self.file(good), if bad.is_empty() { String::new() } else { self.file(bad) });
        let status = if self.ending == Ending::Expired { "expired" } else { "completed" };
        let mut job = openai_job(&held, status);
        for (field, file) in [("output_file_id", good), ("error_file_id", bad)] {
            if !file.is_empty() {
                job[field] = json!(format!("{field}-{}", held.name));
                self.files.insert(format!("{field}-{}", held.name), file);
            }
        }
        ok(job)
    }

    fn anthropic(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let place = path.split('?').next().unwrap();
        match (method, place) {
            ("POST", "/v1/messages/batches") => {
                let body: Value = serde_json::from_str(body).unwrap();
                let asked = body["requests"].as_array().unwrap().iter().map(|one| {
                    let id = one["custom_id"].as_str().unwrap();
                    assert!(
                        id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)),
                        "{id}"
                    );
                    Asked { id: id.to_owned(), body: one["params"].clone() }
                });
                let held = self.create("", asked.collect(), "msgbatch_")?;
                ok(anthropic_job(&held, false))
            }
            ("GET", "/v1/messages/batches") => {
                // Others are on the list: of another time, of another size, one that is known, and one that only its
                // results tell from ours.
                let foreign = |name: &str, requests: usize, made: &str| {
                    let mut job = anthropic_job(
                        &Held { key: String::new(), name: name.to_owned(), asked: Vec::new(), looks: 9 },
                        true,
                    );
                    job["request_counts"]["succeeded"] = json!(requests);
                    job["created_at"] = json!(made);
                    job
                };
                let mut all: Vec<Value> =
                    self.jobs.iter().map(|held| anthropic_job(held, held.looks > LOOKS)).collect();
                // Looking at the list takes time, too.
                self.jobs.iter_mut().for_each(|held| held.looks += 1);
                all.push(foreign("foreign-twin", 7, CREATED.1));
                all.push(foreign("foreign-size", 3, CREATED.1));
                all.push(foreign("known-job", 7, CREATED.1));
                all.push(foreign("foreign-old", 7, "2025-01-01T00:00:00Z"));
                let after = query(path, "after_id");
                let from =
                    all.iter().position(|job| job["id"].as_str() == after.as_deref()).map_or(0, |at| at + 1);
                let page: Vec<&Value> = all[from..].iter().take(2).collect();
                let (more, last) = (from + page.len() < all.len(), page.last().map(|job| job["id"].clone()));
                ok(json!({"data": page, "has_more": more, "first_id": null, "last_id": last}))
            }
            ("GET", _) if place.ends_with("/results") => self.anthropic_results(place),
            ("GET", _) => match self.look(place.strip_prefix("/v1/messages/batches/").unwrap()) {
                Some((held, over)) => ok(anthropic_job(&held, over)),
                None => nowhere(),
            },
            _ => nowhere(),
        }
    }

    fn anthropic_results(&mut self, place: &str) -> Answer {
        let name = place.strip_prefix("/v1/messages/batches/").unwrap().strip_suffix("/results").unwrap();
        assert!(
            name != "known-job" && name != "foreign-size" && name != "foreign-old",
            "{name} was looked into"
        );
        let Some(held) = self.jobs.iter().find(|held| held.name == name) else {
            return Some((200, json!({"custom_id": "theirs", "result": {"type": "canceled"}}).to_string()));
        };
        let lines = self.results(held).into_iter().map(|(asked, outcome)| {
            let error = |kind: &str| json!({"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": "no"}}});
            let result = match outcome {
                Ok(text) => json!({"type": "succeeded", "message": {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}}),
                Err(400) => error("invalid_request_error"),
                Err(0) => json!({"type": "expired"}),
                Err(_) => error("api_error"),
            };
            json!({"custom_id": asked.id, "result": result})
        });
        Some((200, self.file(lines.collect())))
    }

    fn vertex(&mut self, method: &str, path: &str, body: &str) -> Answer {
        const JOBS: &str = "/v1/projects/wiki-prod/locations/global/batchPredictionJobs";
        const OBJECTS: &str = "/storage/v1/b/wiki-batches/o";
        let place = path.split('?').next().unwrap();
        match (method, place) {
            ("POST", "/upload/storage/v1/b/wiki-batches/o") => {
                assert_eq!(query(path, "uploadType").as_deref(), Some("media"));
                let name = query(path, "name").unwrap();
                self.files.insert(name.clone(), body.to_owned());
                ok(json!({"kind": "storage#object", "name": name, "bucket": "wiki-batches"}))
            }
            ("POST", JOBS) => {
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["model"], "publishers/google/models/some-model");
                assert_eq!(
                    (&body["inputConfig"]["instancesFormat"], &body["outputConfig"]["predictionsFormat"]),
                    (&json!("jsonl"), &json!("jsonl"))
                );
                let uri = body["inputConfig"]["gcsSource"]["uris"][0].as_str().unwrap();
                let file = &self.files[uri.strip_prefix("gs://wiki-batches/").unwrap()];
                let asked = file.lines().map(|line| {
                    let line: Value = serde_json::from_str(line).unwrap();
                    Asked { id: String::new(), body: line["request"].clone() }
                });
                let (asked, key) = (asked.collect(), body["displayName"].as_str().unwrap());
                let held = self.create(key, asked, "projects/1/locations/global/batchPredictionJobs/")?;
                ok(vertex_job(&held, "JOB_STATE_PENDING"))
            }
            ("GET", JOBS) => {
                let filter = query(path, "filter").unwrap();
                let ours = self.jobs.iter().filter(|held| filter == format!("display_name=\"{}\"", held.key));
                let jobs: Vec<Value> = ours.map(|held| vertex_job(held, "JOB_STATE_RUNNING")).collect();
                ok(if jobs.is_empty() { json!({}) } else { json!({"batchPredictionJobs": jobs}) })
            }
            ("GET", OBJECTS) => {
                let prefix = query(path, "prefix").unwrap();
                let names: Vec<&String> =
                    self.files.keys().filter(|name| name.starts_with(&prefix)).collect();
                let from = query(path, "pageToken").map_or(0, |page| page.parse().unwrap());
                let mut list = json!({"kind": "storage#objects"});
                if let Some(name) = names.get(from) {
                    list["items"] = json!([{"name": name}]);
                }
                if from + 1 < names.len() {
                    list["nextPageToken"] = json!((from + 1).to_string());
                }
                ok(list)
            }
            ("GET", _) if place.starts_with(OBJECTS) => {
                let name = decoded(place.strip_prefix("/storage/v1/b/wiki-batches/o/").unwrap());
                self.files.get(&name).map(|file| (200, file.clone())).or_else(nowhere)
            }
            ("GET", _) => self.vertex_look(place.strip_prefix("/v1/").unwrap()),
            _ => nowhere(),
        }
    }

    fn vertex_look(&mut self, name: &str) -> Answer {
        let Some((held, over)) = self.look(name) else { return nowhere() };
        if !over {
            return ok(vertex_job(&held, "JOB_STATE_RUNNING"));
        }
        if self.ending == Ending::Failed {
            let mut job = vertex_job(&held, "JOB_STATE_FAILED");
            job["error"] = json!({"code": 3, "message": "the model is not for batches"});
            return ok(job);
        }
        let lines = self.results(&held).into_iter().map(|(asked, outcome)| match outcome {
            Ok(text) => json!({"status": "", "processed_time": CREATED.1, "request": asked.body, "response": gemini_answer(&text)}),
            Err(0) => json!({"status": "Deadline exceeded", "request": asked.body, "response": {}}),
            Err(code) => {
                let error = json!({"error": {"code": code, "message": "no", "status": "X"}});
                json!({"status": format!("Bad Request: {error}"), "request": asked.body, "response": {}})
            }
        });
        let lines: Vec<Value> = lines.collect();
        let out = format!("highwater/highwater-{}/out/prediction-model-2026", held.key);
        // Two files, and one that says how many errors there were.
        match self.ending {
            Ending::Messy => drop(self.files.insert(format!("{out}/predictions.jsonl"), self.file(lines))),
            _ => {
                let (first, second) = lines.split_at(2);
                self.files.insert(format!("{out}/predictions-1.jsonl"), self.file(first.to_vec()));
                self.files.insert(format!("{out}/predictions-2.jsonl"), self.file(second.to_vec()));
            }
        }
        self.files.insert(format!("{out}/errors_stats"), "0 errors".to_owned());
        ok(vertex_job(
            &held,
            if self.ending == Ending::Expired { "JOB_STATE_EXPIRED" } else { "JOB_STATE_SUCCEEDED" },
        ))
    }

    fn gemini(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let place = path.split('?').next().unwrap();
        match (method, place) {
            ("POST", "/v1beta/models/some-model:batchGenerateContent") => {
                let body: Value = serde_json::from_str(body).unwrap();
                let requests =
                    body["batch"]["inputConfig"]["requests"]["requests"].as_array().unwrap().iter();
                let asked = requests.map(|one| Asked {
                    id: one["metadata"]["key"].as_str().unwrap().to_owned(),
                    body: one["request"].clone(),
                });
                let key = body["batch"]["displayName"].as_str().unwrap();
                let held = self.create(key, asked.collect(), "batches/")?;
                ok(gemini_job(&held, "BATCH_STATE_PENDING"))
            }
            ("GET", "/v1beta/batches") => {
                let foreign = json!({"name": "batches/foreign", "metadata": {"displayName": "another", "state": "BATCH_STATE_RUNNING"}});
                let all: Vec<Value> = std::iter::once(foreign)
                    .chain(self.jobs.iter().map(|held| gemini_job(held, "BATCH_STATE_RUNNING")))
                    .collect();
                let from = query(path, "pageToken").map_or(0, |page| page.parse().unwrap());
                let mut list = json!({"operations": [all[from]]});
                if from + 1 < all.len() {
                    list["nextPageToken"] = json!((from + 1).to_string());
                }
                ok(list)
            }
            ("GET", _) => self.gemini_look(place.strip_prefix("/v1beta/").unwrap()),
            _ => nowhere(),
        }
    }

    fn gemini_look(&mut self, name: &str) -> Answer {
        let Some((held, over)) = self.look(name) else { return nowhere() };
        if !over {
            return ok(gemini_job(&held, "BATCH_STATE_RUNNING"));
        }
        if self.ending == Ending::Failed {
            let mut job = gemini_job(&held, "BATCH_STATE_FAILED");
            job["done"] = json!(true);
            job["error"] = json!({"code": 3, "message": "the model is not for batches"});
            return ok(job);
        }
        let answers = self.results(&held).into_iter().map(|(asked, outcome)| {
            let metadata = json!({"key": asked.id});
            match outcome {
                Ok(text) => json!({"metadata": metadata, "response": gemini_answer(&text)}),
                Err(400) => json!({"metadata": metadata, "error": {"code": 3, "message": "no"}}),
                Err(0) => json!({"metadata": metadata, "error": {"code": 4, "message": "expired"}}),
                Err(_) => json!({"metadata": metadata, "error": {"code": 13, "message": "no"}}),
            }
        });
        let answers: Vec<Value> = answers.collect();
        let state =
            if self.ending == Ending::Expired { "BATCH_STATE_EXPIRED" } else { "BATCH_STATE_SUCCEEDED" };
        let mut job = gemini_job(&held, state);
        job["done"] = json!(true);
        job["response"] = json!({"inlinedResponses": {"inlinedResponses": answers}});
        ok(job)
    }
}

fn openai_job(held: &Held, status: &str) -> Value {
    json!({
        "id": held.name, "object": "batch", "endpoint": "/v1/chat/completions", "errors": null, "status": status,
        "input_file_id": "file-1", "completion_window": "24h", "created_at": CREATED.0, "output_file_id": null,
        "error_file_id": null, "metadata": {"highwater_key": held.key},
        "request_counts": {"total": held.asked.len(), "completed": 0, "failed": 0}
    })
}

fn anthropic_job(held: &Held, over: bool) -> Value {
    let count = held.asked.len();
    let (processing, succeeded) = if over { (0, count) } else { (count, 0) };
    json!({
        "id": held.name, "type": "message_batch", "processing_status": if over { "ended" } else { "in_progress" },
        "request_counts": {"processing": processing, "succeeded": succeeded, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": CREATED.1, "expires_at": CREATED.1, "ended_at": null, "archived_at": null, "cancel_initiated_at": null,
        // Somewhere else: it must not be followed.
        "results_url": "http://192.0.2.1/v1/results"
    })
}

fn vertex_job(held: &Held, state: &str) -> Value {
    json!({"name": held.name, "displayName": held.key, "state": state, "createTime": CREATED.1})
}

fn gemini_job(held: &Held, state: &str) -> Value {
    json!({"name": held.name, "metadata": {"displayName": held.key, "state": state, "createTime": CREATED.1}})
}

fn gemini_answer(text: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}]})
}

/// What was asked, out of a request to the model.
fn text_of(body: &Value) -> String {
    let places = ["/messages/1/content", "/messages/0/content", "/contents/0/parts/0/text"];
    places.iter().find_map(|place| body.pointer(place)?.as_str()).unwrap_or_default().to_owned()
}
