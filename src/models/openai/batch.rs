//! The batch engine of OpenAI, and of those who repeat it: a file of requests, a job about it, files of results. Shapes
//! as in OpenAI's API reference, pages "Batch" and "Files" (and "The request input object", "The request output
//! object"), and its guide "Batch API".
//!
//! Adoption: the job carries our key in its `metadata`, which the list of jobs shows. A file that was sent for a job
//! that was never created stays behind; the vendor deletes it. Must not know what a prompt is about.

use super::super::batch::{
    Engine, Results, Room, Search, Sending, Stage, Step, alone, in_url, joined, lines, may_be, named,
    next_file, or_gone,
};
use super::super::refusal::{Refusal, of_body, of_failure};
use super::super::{Dialect, Method, Request, Response};
use super::OpenAi;
use knowledge::batch::Job;
use knowledge::id::PackId;
use knowledge::prompt::{Prompt, Reply};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The name of our key in a job's metadata.
const KEY: &str = "highwater_key";

/// Jobs on a page of the list: the most there may be.
const PAGE: usize = 100;

/// A line of the file of requests.
#[derive(Serialize)]
struct Line<'a> {
    custom_id: String,
    method: &'a str,
    url: &'a str,
    body: Box<RawValue>,
}

impl OpenAi {
    /// Where the API begins: its address of chat completions without its end.
    fn root(&self) -> &str {
        self.url.strip_suffix(CHAT).unwrap_or(&self.url)
    }

    fn call(&self, method: Method, path: &str, body: Vec<u8>, kind: &str) -> Request {
        Request {
            method,
            url: format!("{}{path}", self.root()),
            headers: vec![("content-type", kind.to_owned())],
            private: self.access.headers.clone(),
            auth: self.auth.clone(),
            body,
        }
    }

    fn get(&self, path: &str) -> Request {
        Request { headers: Vec::new(), ..self.call(Method::Get, path, Vec::new(), "") }
    }

    fn get_file(&self, file: &str) -> Request {
        self.get(&format!("/files/{file}/content"))
    }

    fn create(&self, job: &Job, file: &str) -> Request {
        let body = json!({
            "input_file_id": file,
            // With Azure, too, it is the path behind the place where the API begins.
            "endpoint": format!("/v1{CHAT}"),
            "completion_window": "24h",
            "metadata": { KEY: job.key.to_string() },
        });
        self.call(Method::Post, "/batches", body.to_string().into_bytes(), "application/json")
    }

    fn list(&self, after: Option<&str>) -> Sending {
        let after = after.map(|after| format!("&after={}", in_url(after))).unwrap_or_default();
        let request = self.get(&format!("/batches?limit={PAGE}{after}"));
        Sending { request, stage: Stage::Listed(Search::default()) }
    }

    fn read_list(&self, job: &Job, response: &Response) -> Result<Step, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let Some(jobs) = body.get("data").and_then(Value::as_array) else {
            return Err(of_body(&self.label, response, "no list of batches, expected one"));
        };
        let key = job.key.to_string();
        let ours = |found: &&Value| found.pointer("/metadata/highwater_key").is_some_and(|held| *held == key);
        if let Some(name) = jobs.iter().find(ours).and_then(|found| found.get("id")?.as_str()) {
            return Ok(Step::There(name.to_owned()));
        }
        // Newest first: behind one that is older than ours nothing is ours.
        let last = jobs.last().filter(|last| {
            let made = last.get("created_at").and_then(Value::as_i64);
            body.get("has_more") == Some(&Value::Bool(true)) && made.is_none_or(|made| may_be(job, made))
        });
        Ok(match last.and_then(|last| last.get("id")?.as_str()) {
            Some(after) => Step::Send(Box::new(self.list(Some(after)))),
            None => Step::Absent,
        })
    }

    fn read_job(&self, response: &Response) -> Result<Step, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let status = body.get("status").and_then(Value::as_str);
        let said = body.pointer("/errors/data/0/message").and_then(Value::as_str);
        let why = match (status, said) {
            (None, _) => return Err(of_body(&self.label, response, "no batch, expected one with `status`")),
            (Some("validating" | "in_progress" | "finalizing" | "cancelling"), _) => return Ok(Step::Wait),
            (Some(status), Some(said)) => format!("{status}: {said}"),
            (Some(status), None) => status.to_owned(),
        };
        let file = |field: &str| body.get(field)?.as_str().map(in_url);
        // Read from the last one: errors first is as good as any order.
        let files = ["output_file_id", "error_file_id"].into_iter().filter_map(file).collect();
        Ok(next_file(Results { files, ..Results::of(why) }, |file| self.get_file(file)))
    }

    /// A line of results: what was asked, and the answer as it would have come alone.
    fn answer(&self, line: &Value) -> Option<(PackId, Result<Reply, Refusal>)> {
        let pack = line.get("custom_id")?.as_str()?.parse().ok()?;
        let response = line.get("response").filter(|response| response.is_object());
        let error = line.get("error").filter(|error| !error.is_null());
        let answer = match (response, error) {
            (Some(response), _) => {
                let status = response.get("status_code").and_then(Value::as_u64).unwrap_or(200);
                let body = response.get("body").unwrap_or(&Value::Null);
                self.read(&alone(u16::try_from(status).unwrap_or(502), body))
            }
            // What was not reached in time, or cancelled, may be asked again.
            (None, Some(error)) => Err(of_failure(&self.label, &alone(503, &json!({ "error": error })))),
            (None, None) => return None,
        };
        Some((pack, answer))
    }
}

/// How an address of chat completions ends.
const CHAT: &str = "/chat/completions";

impl Engine for OpenAi {
    /// "Up to 50,000 requests, and up to 200 MB in size" (page "Batch", `input_file_id`).
    fn room(&self) -> Room {
        Room::within(50_000, 200 << 20)
    }

    fn find(&self, _: &Job) -> Sending {
        self.list(None)
    }

    fn submit(&self, job: &Job, prompts: &[Prompt]) -> Sending {
        let line = |pack: PackId, prompt: &Prompt| {
            // The body of a request is JSON, written by us.
            let body = String::from_utf8(self.request(prompt).body).unwrap_or_default();
            let body = RawValue::from_string(body).unwrap_or_else(|_| RawValue::NULL.to_owned());
            let url = format!("/v1{CHAT}");
            let line = Line { custom_id: pack.to_string(), method: "POST", url: &url, body };
            serde_json::to_vec(&line).unwrap_or_default()
        };
        // No line of the file begins with it: each begins with a brace.
        let fence = format!("highwater-{}", job.key);
        let mut body = format!(
            "--{fence}\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--{fence}\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"{}.jsonl\"\r\n\
             content-type: application/jsonl\r\n\r\n",
            job.key
        )
        .into_bytes();
        body.extend(joined(job, prompts, line));
        body.extend(format!("\r\n--{fence}--\r\n").into_bytes());
        let kind = format!("multipart/form-data; boundary={fence}");
        Sending { request: self.call(Method::Post, "/files", body, &kind), stage: Stage::Uploaded }
    }

    fn poll(&self, _: &Job, name: &str) -> Sending {
        Sending { request: self.get(&format!("/batches/{}", in_url(name))), stage: Stage::Polled }
    }

    fn next(&self, job: &Job, stage: Stage, response: &Response) -> Result<Step, Refusal> {
        match (stage, response.is_success()) {
            (Stage::Polled, false) => {
                or_gone(&self.label, response)?;
                Ok(Step::Ended(Results::of("the provider does not know the batch any more")))
            }
            (Stage::Fetched(results), false) => {
                or_gone(&self.label, response)?;
                Ok(next_file(results, |file| self.get_file(file)))
            }
            (_, false) => Err(of_failure(&self.label, response)),
            (Stage::Listed(_), true) => self.read_list(job, response),
            (Stage::Uploaded, true) => match named(response, "id") {
                Some(file) => Ok(Step::send(self.create(job, &file), Stage::Created)),
                None => Err(of_body(&self.label, response, "no file, expected one with `id`")),
            },
            (Stage::Created, true) => match named(response, "id") {
                Some(name) => Ok(Step::There(name)),
                None => Err(of_body(&self.label, response, "no batch, expected one with `id`")),
            },
            (Stage::Polled, true) => self.read_job(response),
            (Stage::Fetched(mut results), true) => {
                let found = lines(&response.body).filter_map(|line| self.answer(&line));
                found.for_each(|(pack, answer)| results.note(job, pack, answer));
                Ok(next_file(results, |file| self.get_file(file)))
            }
            (Stage::Peeked(..) | Stage::Found(_), true) => Ok(Step::Wait),
        }
    }
}
