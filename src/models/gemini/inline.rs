//! The Gemini API's batches, with their requests in the job itself. Shapes as in Google's page "Batch API" of the
//! Gemini API reference (`models.batchGenerateContent`, `batches.get`, `batches.list`, `InlinedResponse`).
//!
//! Adoption: the batch's `displayName` is our key, and the list of batches shows it. Must not know what a prompt is
//! about.

use super::super::batch::{
    Engine, Results, Room, Search, Sending, Stage, Step, alone, in_url, may_be, named, or_gone, safe_name,
};
use super::super::refusal::{Refusal, of_body, of_failure};
use super::super::{Dialect, Method, Request, Response};
use super::Gemini;
use knowledge::batch::Job;
use knowledge::id::PackId;
use knowledge::prompt::{Prompt, Reply};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Batches on a page of the list: as many as such lists of Google's give.
const PAGE: usize = 100;

/// Batches of one model.
pub(super) struct Inline<'a>(pub(super) &'a Gemini);

#[derive(Serialize)]
struct Body {
    batch: Batch,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    display_name: String,
    input_config: Input,
}

#[derive(Serialize)]
struct Input {
    requests: Requests,
}

#[derive(Serialize)]
struct Requests {
    requests: Vec<One>,
}

#[derive(Serialize)]
struct One {
    request: Box<RawValue>,
    metadata: Named,
}

#[derive(Serialize)]
struct Named {
    key: String,
}

impl Inline<'_> {
    fn call(&self, method: Method, url: String, body: Vec<u8>) -> Request {
        Request {
            method,
            url,
            headers: vec![("content-type", "application/json".to_owned())],
            private: self.0.access.headers.clone(),
            auth: self.0.auth.clone(),
            body,
        }
    }

    /// Where the API begins.
    fn root(&self) -> &str {
        self.0.url.split_once("/models/").map_or("", |(root, _)| root)
    }

    fn list(&self, page: Option<&str>) -> Sending {
        let page = page.map(|page| format!("&pageToken={}", in_url(page))).unwrap_or_default();
        let url = format!("{}/batches?pageSize={PAGE}{page}", self.root());
        let request = self.call(Method::Get, url, Vec::new());
        Sending { request, stage: Stage::Listed(Search::default()) }
    }

    /// Nothing says in which order they stand, so all pages are looked at, but for batches of another time.
    fn read_list(&self, job: &Job, response: &Response) -> Result<Step, Refusal> {
        let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
            return Err(of_body(&self.0.label, response, "no list of batches, expected one"));
        };
        let key = job.key.to_string();
        let mut found = body.get("operations").and_then(Value::as_array).into_iter().flatten();
        let ours = |batch: &&Value| {
            batch.pointer("/metadata/displayName").is_some_and(|held| *held == key) && is_since(job, batch)
        };
        if let Some(name) = found.find(ours).and_then(|batch| safe_name(batch.get("name")?.as_str()?)) {
            return Ok(Step::There(name));
        }
        let page = body.get("nextPageToken").and_then(Value::as_str).filter(|page| !page.is_empty());
        Ok(page.map_or(Step::Absent, |page| Step::Send(Box::new(self.list(Some(page))))))
    }

    fn read_batch(&self, job: &Job, response: &Response) -> Result<Step, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let state = body.pointer("/metadata/state").or_else(|| body.get("state")).and_then(Value::as_str);
        let done = body.get("done") == Some(&Value::Bool(true));
        let Some((_, state)) = state.and_then(|state| state.split_once("_STATE_")) else {
            return Err(of_body(&self.0.label, response, "no batch, expected one with `state`"));
        };
        if !done && !["SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"].contains(&state) {
            return Ok(Step::Wait);
        }
        let said = body.pointer("/error/message").and_then(Value::as_str);
        let why = said.map_or(state.to_lowercase(), |said| format!("{}: {said}", state.to_lowercase()));
        let mut results = Results::of(why);
        for place in [
            "/response/inlinedResponses/inlinedResponses",
            "/metadata/output/inlinedResponses/inlinedResponses",
        ] {
            let answers = body.pointer(place).and_then(Value::as_array).into_iter().flatten();
            let answers = answers.filter_map(|one| self.answer(one));
            answers.for_each(|(pack, answer)| results.note(job, pack, answer));
        }
        Ok(Step::Ended(results))
    }

    fn answer(&self, one: &Value) -> Option<(PackId, Result<Reply, Refusal>)> {
        let pack = one.pointer("/metadata/key")?.as_str()?.parse().ok()?;
        let response = match (one.get("response"), one.get("error")) {
            (Some(body), _) => alone(200, body),
            (None, Some(error)) => {
                let code = error.get("code").and_then(Value::as_u64).unwrap_or(0);
                alone(status_of(code), &serde_json::json!({ "error": error }))
            }
            (None, None) => return None,
        };
        Some((pack, Dialect::read(self.0, &response)))
    }
}

/// The status that an error would have come with alone, by its `google.rpc.Code`.
fn status_of(code: u64) -> u16 {
    match code {
        3 | 9 | 11 => 400,
        7 => 403,
        8 => 429,
        13 => 500,
        16 => 401,
        // As in HTTP, where it is already that.
        400..=599 => code as u16,
        _ => 503,
    }
}

fn is_since(job: &Job, batch: &Value) -> bool {
    let made = batch.pointer("/metadata/createTime").and_then(Value::as_str);
    let made = made.and_then(|made| made.parse::<jiff::Timestamp>().ok());
    made.is_none_or(|made| may_be(job, made.as_second()))
}

impl Engine for Inline<'_> {
    /// "The total request size under 20 MB" (guide "Batch API", inline requests), less what stands around them.
    fn room(&self) -> Room {
        Room::within(100_000, 19 << 20)
    }

    fn find(&self, _: &Job) -> Sending {
        self.list(None)
    }

    fn submit(&self, job: &Job, prompts: &[Prompt]) -> Sending {
        let one = |(pack, prompt): (&PackId, &Prompt)| {
            // The body of a request is JSON, written by us.
            let request = String::from_utf8(self.0.request(prompt).body).unwrap_or_default();
            let request = RawValue::from_string(request).unwrap_or_else(|_| RawValue::NULL.to_owned());
            One { request, metadata: Named { key: pack.to_string() } }
        };
        let requests = Requests { requests: job.packs.iter().zip(prompts).map(one).collect() };
        let batch = Batch { display_name: job.key.to_string(), input_config: Input { requests } };
        let body = serde_json::to_vec(&Body { batch }).unwrap_or_default();
        let url = self.0.url.replace(":generateContent", ":batchGenerateContent");
        Sending { request: self.call(Method::Post, url, body), stage: Stage::Created }
    }

    fn poll(&self, _: &Job, name: &str) -> Sending {
        let request = self.call(Method::Get, format!("{}/{name}", self.root()), Vec::new());
        Sending { request, stage: Stage::Polled }
    }

    fn next(&self, job: &Job, stage: Stage, response: &Response) -> Result<Step, Refusal> {
        let label = &self.0.label;
        match (stage, response.is_success()) {
            (Stage::Polled, false) => {
                or_gone(label, response)?;
                Ok(Step::Ended(Results::of("the provider does not know the batch any more")))
            }
            (_, false) => Err(of_failure(label, response)),
            (Stage::Listed(_), true) => self.read_list(job, response),
            (Stage::Created, true) => match named(response, "name") {
                Some(name) => Ok(Step::There(name)),
                None => Err(of_body(label, response, "no batch, expected one with `name`")),
            },
            (Stage::Polled, true) => self.read_batch(job, response),
            (_, true) => Ok(Step::Wait),
        }
    }
}
