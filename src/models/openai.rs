//! Chat completions as OpenAI documents them, and as everybody else repeats them: OpenAI, Azure, and compatible servers
//! (vLLM, llama.cpp, Ollama, LM Studio, LiteLLM, gateways). Must not know which server is behind an address.

mod batch;

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

/// Strict schemas: every property required, objects closed. Lengths of texts are refused for some models; and a grammar
/// made from one (llama.cpp) repeats a rule so many times that it is refused too.
const RULES: Rules = Rules {
    keeps: &["minItems", "maxItems", "minimum", "maximum"],
    all_required: true,
    closed: true,
    most_min_items: u64::MAX,
};

/// A schema's name has at most so many characters.
const NAME_CHARS: usize = 64;

struct OpenAi {
    access: Access,
    label: String,
    url: String,
    auth: Auth,
    /// A server of somebody else's, which knows the older names of some fields only.
    compatible: bool,
}

/// OpenAI itself.
pub(super) fn openai(access: Access) -> Result<Box<dyn Dialect>> {
    let url = format!("{}/chat/completions", access.endpoint.base("https://api.openai.com/v1"));
    let auth = access.key.clone().map_or(Auth::None, Auth::Bearer);
    Ok(Box::new(OpenAi { label: "openai".to_owned(), url, auth, compatible: false, access }))
}

/// A resource of Azure: with `api_version` its dated addresses, otherwise the ones that have no date.
pub(super) fn azure(access: Access) -> Result<Box<dyn Dialect>> {
    let Access { endpoint, key, .. } = &access;
    if endpoint.base_url.is_none() {
        let error = endpoint.wrong("it has no `base_url`, expected the address of the resource".to_owned());
        return Err(error.hint("for example `https://NAME.openai.azure.com`"));
    }
    let base = endpoint.base("");
    let base = base.trim_end_matches("/openai/v1");
    let url = match &endpoint.api_version {
        Some(version) => {
            format!("{base}/openai/deployments/{}/chat/completions?api-version={version}", endpoint.model)
        }
        None => format!("{base}/openai/v1/chat/completions"),
    };
    let auth = key.clone().map_or(Auth::None, |key| Auth::Header("api-key", key));
    Ok(Box::new(OpenAi { label: "azure".to_owned(), url, auth, compatible: false, access }))
}

/// A server that speaks the same.
pub(super) fn compatible(access: Access) -> Result<Box<dyn Dialect>> {
    let Access { endpoint, key, .. } = &access;
    if endpoint.base_url.is_none() {
        let error = endpoint.wrong("it has no `base_url`, expected the address of the server".to_owned());
        return Err(error.hint("for example `http://localhost:11434/v1`, or write `local` to look for one"));
    }
    let url = format!("{}/chat/completions", endpoint.base(""));
    let auth = key.clone().map_or(Auth::None, Auth::Bearer);
    Ok(Box::new(OpenAi {
        label: format!("compatible {}", endpoint.base("")),
        url,
        auth,
        compatible: true,
        access,
    }))
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    response_format: Format<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonObject,
    JsonSchema { json_schema: Named<'a> },
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    strict: bool,
    schema: Box<RawValue>,
}

impl Dialect for OpenAi {
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
        let name: String = prompt.schema_name.chars().take(NAME_CHARS).collect();
        let response_format = match by_schema {
            true => {
                let schema = adapt(&prompt.schema, &RULES);
                Format::JsonSchema { json_schema: Named { name: &name, strict: true, schema } }
            }
            false => Format::JsonObject,
        };
        let system = Message { role: "system", content: shown.as_deref().unwrap_or(&prompt.system) };
        let body = Body {
            model: &endpoint.model,
            messages: [system, Message { role: "user", content: &prompt.text }],
            response_format,
            max_completion_tokens: (!self.compatible).then(|| self.access.output_limit(prompt, true)),
            max_tokens: self.compatible.then(|| self.access.output_limit(prompt, false)),
            temperature: endpoint.temperature.or(self.compatible.then_some(0.0)),
            reasoning_effort: endpoint.effort.as_deref(),
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
        reply(&body).ok_or_else(|| match body.get("error").is_some_and(|error| !error.is_null()) {
            true => of_failure(&self.label, response),
            false => of_body(&self.label, response, "no choices, expected one"),
        })
    }

    /// Azure has one too, for deployments made for it; it is not spoken here. Compatible servers have none.
    fn engine(&self) -> Option<Box<dyn Engine + '_>> {
        (self.access.endpoint.vendor == "openai").then(|| Box::new(self) as Box<dyn Engine>)
    }
}

fn reply(body: &Value) -> Option<Reply> {
    let choice = body.pointer("/choices/0")?;
    let message = choice.get("message")?.as_object()?;
    let text = match message.get("content") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        // Some gateways pass parts on as they got them.
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        Some(_) => return None,
    };
    let refusal = message.get("refusal").and_then(Value::as_str).filter(|refusal| !refusal.is_empty());
    let finish = match (refusal, choice.get("finish_reason").and_then(Value::as_str)) {
        (Some(refusal), _) => Finish::Refused(refusal.to_owned()),
        (None, Some("length")) => Finish::Length,
        (None, Some("content_filter")) => Finish::Refused("content_filter".to_owned()),
        (None, _) => Finish::Stop,
    };
    Some(Reply { text, finish, usage: usage(body) })
}

/// `prompt_tokens` counts cached tokens too, `completion_tokens` what it thought.
fn usage(body: &Value) -> Usage {
    let count = |path: &str| body.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    Usage {
        input_tokens: count("/usage/prompt_tokens"),
        cached_tokens: count("/usage/prompt_tokens_details/cached_tokens"),
        output_tokens: count("/usage/completion_tokens"),
    }
}
