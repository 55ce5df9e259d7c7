//! Anthropic's Message Batches. Shapes as in its API reference, pages "Create a Message Batch", "Retrieve a Message
//! Batch", "List Message Batches", "Retrieve Message Batch results", and its guide "Batch processing".
//!
//! Adoption: a batch can be given no name, and only its results show the `custom_id`s of its requests, which begin with
//! our key. So a job is looked for among the batches that were created since it was announced, hold as many requests,
//! and are none of those we know; each is looked into when it has ended, and while one of them has not, the answer is
//! "not yet": better to wait for somebody else's batch, once, after a crash, than to pay twice.
//!
//! Results are asked for at the configured address, never where a `results_url` points. Must not know what a prompt is
//! about.

use super::super::batch::{
    Engine, Results, Room, Search, Sending, Stage, Step, alone, in_url, lines, may_be, named, next_file,
    or_gone,
};
use super::super::refusal::{Refusal, of_body, of_failure};
use super::super::{Dialect, Method, Request, Response};
use super::{Anthropic, VERSION};
use knowledge::batch::Job;
use knowledge::id::PackId;
use knowledge::prompt::{Prompt, Reply};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Batches on a page of the list: the most there may be.
const PAGE: usize = 1_000;

#[derive(Serialize)]
struct Body {
    requests: Vec<One>,
}

#[derive(Serialize)]
struct One {
    custom_id: String,
    params: Box<RawValue>,
}

/// The name of a request: our key, then the pack. Both are 32 hexadecimal digits, and 64 characters is the most.
fn custom_id(job: &Job, pack: PackId) -> String {
    format!("{}{pack}", job.key)
}

impl Anthropic {
    fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Request {
        let headers =
            vec![("content-type", "application/json".to_owned()), ("anthropic-version", VERSION.to_owned())];
        Request {
            method,
            url: format!("{}/batches{path}", self.url),
            headers,
            private: self.access.headers.clone(),
            auth: self.auth.clone(),
            body,
        }
    }

    fn results(&self, name: &str) -> Request {
        self.call(Method::Get, &format!("/{}/results", in_url(name)), Vec::new())
    }

    fn list(&self, after: Option<&str>, search: Search) -> Sending {
        let after = after.map(|after| format!("&after_id={}", in_url(after))).unwrap_or_default();
        let request = self.call(Method::Get, &format!("?limit={PAGE}{after}"), Vec::new());
        Sending { request, stage: Stage::Listed(search) }
    }

    fn read_list(&self, job: &Job, mut search: Search, response: &Response) -> Result<Step, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let Some(batches) = body.get("data").and_then(Value::as_array) else {
            return Err(of_body(self.label(), response, "no list of batches, expected one"));
        };
        for batch in batches {
            let Some(name) = batch.get("id").and_then(Value::as_str) else { continue };
            if !is_candidate(job, batch) || job.known.iter().any(|known| known == name) {
                continue;
            }
            match batch.get("processing_status").and_then(Value::as_str) {
                Some("ended") => search.over.push(name.to_owned()),
                _ => search.waits = true,
            }
        }
        // Newest first: behind one that is older than ours nothing is ours.
        let goes_on = body.get("has_more") == Some(&Value::Bool(true))
            && batches.last().is_some_and(|last| made_since(job, last));
        match body.get("last_id").and_then(Value::as_str).filter(|_| goes_on) {
            Some(after) => Ok(Step::Send(Box::new(self.list(Some(after), search)))),
            None => Ok(self.peek(search)),
        }
    }

    /// Looks into the next batch that is over; without one, the job is not there, or not to be known yet.
    fn peek(&self, mut search: Search) -> Step {
        match search.over.pop() {
            Some(name) => Step::send(self.results(&name), Stage::Peeked(name, search)),
            None if search.waits => Step::Wait,
            None => Step::Absent,
        }
    }

    fn read_batch(&self, name: &str, response: &Response) -> Result<Step, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        match body.get("processing_status").and_then(Value::as_str) {
            Some("ended") => {
                let results = Results { files: vec![name.to_owned()], ..Results::of("ended") };
                Ok(next_file(results, |name| self.results(name)))
            }
            Some(_) => Ok(Step::Wait),
            None => Err(of_body(self.label(), response, "no batch, expected one with `processing_status`")),
        }
    }

    /// A line of results: what was asked, and the answer as it would have come alone.
    fn answer(&self, job: &Job, line: &Value) -> Option<(PackId, Result<Reply, Refusal>)> {
        let id = line.get("custom_id")?.as_str()?;
        let pack = id.strip_prefix(&job.key.to_string())?.parse().ok()?;
        let result = line.get("result")?;
        let response = match result.get("type")?.as_str()? {
            "succeeded" => alone(200, result.get("message")?),
            "errored" => {
                let error = result.get("error").cloned().unwrap_or_default();
                alone(status_of(&error), &error)
            }
            // Canceled, or expired: it was not reached, and may be asked again.
            other => {
                alone(503, &json!({ "error": { "type": other, "message": "the request was not reached" } }))
            }
        };
        Some((pack, Dialect::read(self, &response)))
    }
}

/// The status that an error would have come with alone (page "Errors").
fn status_of(error: &Value) -> u16 {
    let kind = error.pointer("/error/type").or_else(|| error.get("type")).and_then(Value::as_str);
    match kind.unwrap_or_default() {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "overloaded_error" => 529,
        _ => 500,
    }
}

fn made_since(job: &Job, batch: &Value) -> bool {
    let made = batch.get("created_at").and_then(Value::as_str);
    let made = made.and_then(|made| made.parse::<jiff::Timestamp>().ok());
    made.is_none_or(|made| may_be(job, made.as_second()))
}

/// Whether a batch may be this job: created since, with as many requests.
fn is_candidate(job: &Job, batch: &Value) -> bool {
    let counts = batch.get("request_counts").and_then(Value::as_object);
    let requests = counts.map(|counts| counts.values().filter_map(Value::as_u64).sum::<u64>());
    made_since(job, batch) && requests.is_none_or(|requests| requests == job.packs.len() as u64)
}

impl Engine for Anthropic {
    /// "100,000 Message requests or 256 MB in size, whichever is reached first" (guide "Batch processing").
    fn room(&self) -> Room {
        Room::within(100_000, 256 << 20)
    }

    fn find(&self, _: &Job) -> Sending {
        self.list(None, Search::default())
    }

    fn submit(&self, job: &Job, prompts: &[Prompt]) -> Sending {
        let one = |(pack, prompt): (&PackId, &Prompt)| {
            // The body of a request is JSON, written by us.
            let params = String::from_utf8(self.request(prompt).body).unwrap_or_default();
            let params = RawValue::from_string(params).unwrap_or_else(|_| RawValue::NULL.to_owned());
            One { custom_id: custom_id(job, *pack), params }
        };
        let body = Body { requests: job.packs.iter().zip(prompts).map(one).collect() };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        Sending { request: self.call(Method::Post, "", body), stage: Stage::Created }
    }

    fn poll(&self, _: &Job, name: &str) -> Sending {
        let request = self.call(Method::Get, &format!("/{}", in_url(name)), Vec::new());
        Sending { request, stage: Stage::Polled }
    }

    fn next(&self, job: &Job, stage: Stage, response: &Response) -> Result<Step, Refusal> {
        match (stage, response.is_success()) {
            (Stage::Polled, false) => {
                or_gone(self.label(), response)?;
                Ok(Step::Ended(Results::of("the provider does not know the batch any more")))
            }
            (Stage::Fetched(results), false) => {
                or_gone(self.label(), response)?;
                Ok(next_file(results, |name| self.results(name)))
            }
            (Stage::Peeked(_, search), false) => {
                or_gone(self.label(), response)?;
                Ok(self.peek(search))
            }
            (_, false) => Err(of_failure(self.label(), response)),
            (Stage::Listed(search), true) => self.read_list(job, search, response),
            (Stage::Peeked(name, search), true) => {
                let ours = |line: Value| self.answer(job, &line).is_some();
                Ok(match lines(&response.body).any(ours) {
                    true => Step::There(name),
                    false => self.peek(search),
                })
            }
            (Stage::Created, true) => match named(response, "id") {
                Some(name) => Ok(Step::There(name)),
                None => Err(of_body(self.label(), response, "no batch, expected one with `id`")),
            },
            (Stage::Polled, true) => match named(response, "id") {
                Some(name) => self.read_batch(&name, response),
                None => Err(of_body(self.label(), response, "no batch, expected one with `id`")),
            },
            (Stage::Fetched(mut results), true) => {
                let found = lines(&response.body).filter_map(|line| self.answer(job, &line));
                found.for_each(|(pack, answer)| results.note(job, pack, answer));
                Ok(next_file(results, |name| self.results(name)))
            }
            (Stage::Uploaded | Stage::Found(_), true) => Ok(Step::Wait),
        }
    }
}
