//! Google's Gemini models by `generateContent`: the Gemini API with its key, and Vertex AI with Google credentials at a
//! region, a multi-region or the global endpoint. Must not know where a token comes from.

mod inline;
mod jobs;

use super::batch::Engine;
use super::endpoint::Form;
use super::refusal::{Refusal, of_body, of_failure};
use super::schema::{Rules, adapt, shown};
use super::{Access, Auth, Dialect, Method, Request, Response};
use crate::error::Result;
use knowledge::prompt::{Finish, Prompt, Reply, Usage};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// `responseJsonSchema` knows no lengths of texts. It does know lengths of lists, but nested ones are what the server
/// calls a schema with "too many states for serving", so they are said in words.
const RULES: Rules =
    Rules { keeps: &["minimum", "maximum"], all_required: false, closed: false, most_min_items: 0 };

/// What Vertex AI asks of a token.
pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

struct Gemini {
    access: Access,
    label: String,
    url: String,
    auth: Auth,
}

/// The Gemini API: `generativelanguage.googleapis.com`, with a key.
pub(super) fn gemini(access: Access) -> Result<Box<dyn Dialect>> {
    let Access { endpoint, key, .. } = &access;
    let base = endpoint.base("https://generativelanguage.googleapis.com");
    let url = format!("{base}/v1beta/models/{}:generateContent", endpoint.model);
    let auth = key.clone().map_or(Auth::None, |key| Auth::Header("x-goog-api-key", key));
    Ok(Box::new(Gemini { label: "gemini".to_owned(), url, auth, access }))
}

/// Vertex AI. Credentials are Google's own, unless a key is set; with a key and no project it is the express mode.
pub(super) fn vertex(access: Access) -> Result<Box<dyn Dialect>> {
    let Access { endpoint, key, .. } = &access;
    let place = endpoint.location.as_deref().unwrap_or("global");
    let base = endpoint.base(&format!("https://{}", host(place)));
    let path = match endpoint.model.starts_with("endpoints/") {
        true => endpoint.model.clone(),
        false => format!("publishers/google/models/{}", endpoint.model),
    };
    let scope = match (&endpoint.project, key) {
        (Some(project), _) => format!("projects/{project}/locations/{place}/"),
        (None, Some(_)) => String::new(),
        (None, None) => {
            let error =
                endpoint.wrong("it has no `project`, expected the name of a Google Cloud project".to_owned());
            return Err(error.hint("set `project`; `gcloud config get project` says the current one"));
        }
    };
    let url = format!("{base}/v1/{scope}{path}:generateContent");
    let auth = key.clone().map_or(Auth::Google(SCOPE), |key| Auth::Header("x-goog-api-key", key));
    Ok(Box::new(Gemini { label: format!("vertex {place}"), url, auth, access }))
}

/// Where Vertex AI is at a place.
pub(crate) fn host(place: &str) -> String {
    match place {
        "global" => "aiplatform.googleapis.com".to_owned(),
        "eu" | "us" => format!("aiplatform.{place}.rep.googleapis.com"),
        region => format!("{region}-aiplatform.googleapis.com"),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    system_instruction: Content<'a>,
    contents: [Content<'a>; 1],
    generation_config: Config<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    response_mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Box<RawValue>>,
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thinking<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Thinking<'a> {
    ThinkingBudget(u32),
    ThinkingLevel(&'a str),
}

impl Dialect for Gemini {
    fn model(&self) -> &str {
        &self.access.endpoint.model
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn request(&self, prompt: &Prompt) -> Request {
        let endpoint = &self.access.endpoint;
        let by_schema = endpoint.form == Form::Schema;
        let shown = (!by_schema).then(|| shown(prompt));
        let content = |role, text| Content { role, parts: [Part { text }] };
        let thinking = endpoint.effort.as_deref().map(|effort| match effort.parse() {
            Ok(tokens) => Thinking::ThinkingBudget(tokens),
            Err(_) => Thinking::ThinkingLevel(effort),
        });
        let body = Body {
            system_instruction: content(None, shown.as_deref().unwrap_or(&prompt.system)),
            contents: [content(Some("user"), &prompt.text)],
            generation_config: Config {
                response_mime_type: "application/json",
                response_json_schema: by_schema.then(|| adapt(&prompt.schema, &RULES)),
                max_output_tokens: self.access.output_limit(prompt, true),
                temperature: endpoint.temperature,
                thinking_config: thinking,
            },
        };
        Request {
            method: Method::Post,
            url: self.url.clone(),
            headers: vec![("content-type", "application/json".to_owned())],
            private: self.access.headers.clone(),
            auth: self.auth.clone(),
            // Texts, numbers and a schema already written: nothing in it can fail to be JSON.
            body: serde_json::to_vec(&body).unwrap_or_default(),
        }
    }

    fn read(&self, response: &Response) -> std::result::Result<Reply, Refusal> {
        if !response.is_success() {
            return Err(of_failure(&self.label, response));
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        reply(&body).ok_or_else(|| match body.get("error").is_some() {
            true => of_failure(&self.label, response),
            false => of_body(&self.label, response, "no candidates, expected one"),
        })
    }

    fn engine(&self) -> Option<Box<dyn Engine + '_>> {
        match self.access.endpoint.vendor.as_str() {
            "vertex" => jobs::Jobs::of(self).map(|jobs| Box::new(jobs) as Box<dyn Engine>),
            _ => Some(Box::new(inline::Inline(self))),
        }
    }
}

fn reply(body: &Value) -> Option<Reply> {
    let usage = usage(body);
    if let Some(reason) = body.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
        let finish = Finish::Refused(format!("the prompt was blocked: {reason}"));
        return Some(Reply { text: String::new(), finish, usage });
    }
    let candidate = body.pointer("/candidates/0")?.as_object()?;
    let parts = candidate.get("content").and_then(|content| content.get("parts"));
    let parts = match parts {
        None => &[],
        Some(parts) => parts.as_array()?.as_slice(),
    };
    // What it thought is not what it said.
    let said = parts.iter().filter(|part| part.get("thought") != Some(&Value::Bool(true)));
    let text: String = said.filter_map(|part| part.get("text")?.as_str()).collect();
    let finish = match candidate.get("finishReason").and_then(Value::as_str) {
        None | Some("STOP") => Finish::Stop,
        Some("MAX_TOKENS") => Finish::Length,
        Some(reason) => {
            let message = candidate.get("finishMessage").and_then(Value::as_str).unwrap_or_default();
            Finish::Refused(format!("{reason} {message}").trim_end().to_owned())
        }
    };
    Some(Reply { text, finish, usage })
}

/// `promptTokenCount` counts cached tokens too; thoughts are counted beside the candidates.
fn usage(body: &Value) -> Usage {
    let count = |name: &str| {
        body.get("usageMetadata").and_then(|usage| usage.get(name)).and_then(Value::as_u64).unwrap_or(0)
    };
    Usage {
        input_tokens: count("promptTokenCount"),
        cached_tokens: count("cachedContentTokenCount"),
        output_tokens: count("candidatesTokenCount").saturating_add(count("thoughtsTokenCount")),
    }
}
