//! Vertex AI's batch prediction: a file of requests in a bucket, a job about it, files of results in the same bucket.
//! Shapes as in Google's pages "Batch inference from Cloud Storage", "REST resource:
//! projects.locations.batchPredictionJobs", and, for the bucket, the Cloud Storage JSON API, "Objects: insert",
//! "Objects: list", "Objects: get".
//!
//! Adoption: the job's `displayName` is our key, and the list of jobs can be filtered by it. The file that was sent for
//! a job that was never created is written over when it is sent again. A request is known again by its `labels`, which
//! results repeat with the request; nothing else in a line may be ours to choose. Must not know what a prompt is about.

use super::super::batch::{
    Engine, Results, Room, Search, Sending, Stage, Step, alone, in_url, joined, lines, named, next_file,
    or_gone, safe_name,
};
use super::super::refusal::{Refusal, of_body, of_failure};
use super::super::{Dialect, Method, Request, Response};
use super::Gemini;
use knowledge::batch::Job;
use knowledge::id::PackId;
use knowledge::prompt::{Prompt, Reply};
use serde_json::{Value, json};

/// The label that names a request's pack.
const LABEL: &str = "highwater_pack";

/// Batch prediction for one model, with a bucket of its own.
pub(super) struct Jobs<'a> {
    dialect: &'a Gemini,
    /// Where the API begins, with the project and the place.
    root: String,
    /// Where the storage's API begins.
    storage: &'a str,
    bucket: &'a str,
    /// The folder in the bucket, with a closing `/`, or nothing.
    folder: String,
}

impl<'a> Jobs<'a> {
    /// The engine of this model, if a bucket is set and Google lets us in by its own credentials.
    pub(super) fn of(dialect: &'a Gemini) -> Option<Self> {
        let endpoint = &dialect.access.endpoint;
        let (bucket, folder) = parts(endpoint.batch_bucket.as_deref()?)?;
        let (root, _) = dialect.url.rsplit_once("/publishers/")?;
        endpoint.project.as_ref()?;
        let storage = endpoint.storage_url.as_deref().unwrap_or("https://storage.googleapis.com");
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Some(Self { dialect, root: root.to_owned(), storage: storage.trim_end_matches('/'), bucket, folder })
    }

    fn call(&self, method: Method, url: String, body: Vec<u8>) -> Request {
        Request {
            method,
            url,
            headers: vec![("content-type", "application/json".to_owned())],
            private: self.dialect.access.headers.clone(),
            auth: self.dialect.auth.clone(),
            body,
        }
    }

    /// The bucket knows nothing of headers that are for the model's gateway.
    fn call_storage(&self, method: Method, path: &str, body: Vec<u8>) -> Request {
        let url = format!("{}{path}", self.storage);
        Request { private: Vec::new(), ..self.call(method, url, body) }
    }

    fn object(&self, job: &Job, name: &str) -> String {
        format!("{}highwater-{}/{name}", self.folder, job.key)
    }

    fn get_object(&self, name: &str) -> Request {
        let path = format!("/storage/v1/b/{}/o/{}?alt=media", self.bucket, in_url(name));
        self.call_storage(Method::Get, &path, Vec::new())
    }

    fn list_objects(&self, job: &Job, page: Option<&str>, results: Results) -> Step {
        let page = page.map(|page| format!("&pageToken={}", in_url(page))).unwrap_or_default();
        let prefix = in_url(&self.object(job, "out/"));
        let path = format!("/storage/v1/b/{}/o?prefix={prefix}{page}", self.bucket);
        Step::send(self.call_storage(Method::Get, &path, Vec::new()), Stage::Found(results))
    }

    fn create(&self, job: &Job) -> Request {
        let place = |name: &str| format!("gs://{}/{}", self.bucket, self.object(job, name));
        let body = json!({
            "displayName": job.key.to_string(),
            "model": self.model(),
            "inputConfig": { "instancesFormat": "jsonl", "gcsSource": { "uris": [place("requests.jsonl")] } },
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": { "outputUriPrefix": place("out") },
            },
        });
        self.call(Method::Post, format!("{}/batchPredictionJobs", self.root), body.to_string().into_bytes())
    }

    fn model(&self) -> String {
        format!("publishers/google/models/{}", self.dialect.access.endpoint.model)
    }

    fn list(&self, job: &Job, page: Option<&str>) -> Sending {
        let page = page.map(|page| format!("&pageToken={}", in_url(page))).unwrap_or_default();
        let filter = in_url(&format!("display_name=\"{}\"", job.key));
        let url = format!("{}/batchPredictionJobs?filter={filter}{page}", self.root);
        let request = self.call(Method::Get, url, Vec::new());
        Sending { request, stage: Stage::Listed(Search::default()) }
    }

    /// An empty list has no field of jobs at all.
    fn read_list(&self, job: &Job, response: &Response) -> Result<Step, Refusal> {
        let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
            return Err(of_body(&self.dialect.label, response, "no list of jobs, expected one"));
        };
        let jobs = body.get("batchPredictionJobs").and_then(Value::as_array).into_iter().flatten();
        let key = job.key.to_string();
        let mut ours = jobs.filter(|found| found.get("displayName").is_some_and(|held| *held == key));
        if let Some(name) = ours.find_map(|found| safe_name(found.get("name")?.as_str()?)) {
            return Ok(Step::There(name));
        }
        let page = body.get("nextPageToken").and_then(Value::as_str).filter(|page| !page.is_empty());
        Ok(page.map_or(Step::Absent, |page| Step::Send(Box::new(self.list(job, Some(page))))))
    }

    fn read_job(&self, job: &Job, response: &Response) -> Result<Step, Refusal> {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let state = body.get("state").and_then(Value::as_str);
        let Some(state) = state.and_then(|state| state.strip_prefix("JOB_STATE_")) else {
            return Err(of_body(&self.dialect.label, response, "no job, expected one with `state`"));
        };
        if !["SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"].contains(&state) {
            return Ok(Step::Wait);
        }
        let said = body.pointer("/error/message").and_then(Value::as_str);
        let why = said.map_or(state.to_lowercase(), |said| format!("{}: {said}", state.to_lowercase()));
        Ok(self.list_objects(job, None, Results::of(why)))
    }

    fn read_objects(&self, job: &Job, mut results: Results, response: &Response) -> Result<Step, Refusal> {
        let Ok(Value::Object(body)) = serde_json::from_slice(&response.body) else {
            return Err(of_body(&self.dialect.label, response, "no list of objects, expected one"));
        };
        let items = body.get("items").and_then(Value::as_array).into_iter().flatten();
        results.files.extend(items.filter_map(|item| Some(item.get("name")?.as_str()?.to_owned())));
        Ok(match body.get("nextPageToken").and_then(Value::as_str).filter(|page| !page.is_empty()) {
            Some(page) => self.list_objects(job, Some(page), results),
            None => next_file(results, |name| self.get_object(name)),
        })
    }

    /// A line of results: what was asked, and the answer as it would have come alone. `status` is empty, or says what
    /// went wrong, often with the whole error behind it.
    fn answer(&self, line: &Value) -> Option<(PackId, Result<Reply, Refusal>)> {
        let pack = line.pointer(&format!("/request/labels/{LABEL}"))?.as_str()?.parse().ok()?;
        let body = line
            .get("response")
            .filter(|body| body.get("candidates").is_some() || body.get("promptFeedback").is_some());
        if let Some(body) = body {
            return Some((pack, Dialect::read(self.dialect, &alone(200, body))));
        }
        let status = line.get("status").and_then(Value::as_str).unwrap_or_default();
        let whole = status.find('{').and_then(|at| serde_json::from_str::<Value>(&status[at..]).ok());
        let error = whole.unwrap_or_else(|| json!({ "error": { "message": status } }));
        let code = error.pointer("/error/code").and_then(Value::as_u64).unwrap_or(503);
        let code = u16::try_from(code).ok().filter(|code| *code >= 400).unwrap_or(503);
        Some((pack, Err(of_failure(&self.dialect.label, &alone(code, &error)))))
    }
}

/// Bucket and folder of `gs://BUCKET/FOLDER`, whose form was checked with the endpoint.
fn parts(place: &str) -> Option<(&str, &str)> {
    let path = place.strip_prefix("gs://")?.trim_end_matches('/');
    Some(path.split_once('/').unwrap_or((path, "")))
}

impl Engine for Jobs<'_> {
    /// "Up to 200,000 requests" and a file of 1 GB (page "Batch inference with Gemini").
    fn room(&self) -> Room {
        Room::within(200_000, 1 << 30)
    }

    fn find(&self, job: &Job) -> Sending {
        self.list(job, None)
    }

    fn submit(&self, job: &Job, prompts: &[Prompt]) -> Sending {
        let line = |pack: PackId, prompt: &Prompt| {
            let body = self.dialect.request(prompt).body;
            // Written into the text, since reading it would lose the order of the schema's properties.
            let rest = body.strip_prefix(b"{").unwrap_or_default();
            let mut line = format!("{{\"request\":{{\"labels\":{{\"{LABEL}\":\"{pack}\"}},").into_bytes();
            line.extend_from_slice(rest);
            line.push(b'}');
            line
        };
        let name = in_url(&self.object(job, "requests.jsonl"));
        let path = format!("/upload/storage/v1/b/{}/o?uploadType=media&name={name}", self.bucket);
        let request = self.call_storage(Method::Post, &path, joined(job, prompts, line));
        Sending { request, stage: Stage::Uploaded }
    }

    fn poll(&self, _: &Job, name: &str) -> Sending {
        // The name begins with `projects/`, the address ends with the project and the place.
        let (base, _) = self.root.split_once("/projects/").unwrap_or((&self.root, ""));
        Sending {
            request: self.call(Method::Get, format!("{base}/{name}"), Vec::new()),
            stage: Stage::Polled,
        }
    }

    fn next(&self, job: &Job, stage: Stage, response: &Response) -> Result<Step, Refusal> {
        let label = &self.dialect.label;
        match (stage, response.is_success()) {
            (Stage::Polled, false) => {
                or_gone(label, response)?;
                Ok(Step::Ended(Results::of("the provider does not know the job any more")))
            }
            (Stage::Fetched(results), false) => {
                or_gone(label, response)?;
                Ok(next_file(results, |name| self.get_object(name)))
            }
            (_, false) => Err(of_failure(label, response)),
            (Stage::Listed(_), true) => self.read_list(job, response),
            (Stage::Uploaded, true) => Ok(Step::send(self.create(job), Stage::Created)),
            (Stage::Created, true) => match named(response, "name") {
                Some(name) => Ok(Step::There(name)),
                None => Err(of_body(label, response, "no job, expected one with `name`")),
            },
            (Stage::Polled, true) => self.read_job(job, response),
            (Stage::Found(results), true) => self.read_objects(job, results, response),
            (Stage::Fetched(mut results), true) => {
                let found = lines(&response.body).filter_map(|line| self.answer(&line));
                found.for_each(|(pack, answer)| results.note(job, pack, answer));
                Ok(next_file(results, |name| self.get_object(name)))
            }
            (Stage::Peeked(..), true) => Ok(Step::Wait),
        }
    }
}
