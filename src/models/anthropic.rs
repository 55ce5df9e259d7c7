//! Anthropic's Messages API: a schema in `output_config.format`, or, for older models, a tool that must be called. Must
//! not know what a prompt is about.

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

/// Closed objects, no numbers' or texts' bounds, `minItems` of 0 or 1. What may be absent stays so: a choice with null
/// counts against a limit of 16, an absent property against one of 24.
const RULES: Rules = Rules { keeps: &["minItems"], all_required: false, closed: true, most_min_items: 1 };

/// The version of the API, which every request must name.
const VERSION: &str = "2023-06-01";

struct Anthropic {
    access: Access,
    url: String,
    auth: Auth,
}

/// Anthropic's API, or a gateway that speaks it.
pub(super) fn make(access: Access) -> Result<Box<dyn Dialect>> {
    let base = access.endpoint.base("https://api.anthropic.com");
    let url = format!("{}/v1/messages", base.trim_end_matches("/v1"));
    let auth = access.key.clone().map_or(Auth::None, |key| Auth::Header("x-api-key", key));
    Ok(Box::new(Anthropic { access, url, auth }))
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    system: [System<'a>; 1],
    messages: [Message<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<[Tool<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

#[derive(Serialize)]
struct System<'a> {
    r#type: &'a str,
    text: &'a str,
    cache_control: Cache<'a>,
}

/// Prefixes are cached only where one is marked; what is too short to be cached costs nothing more.
#[derive(Serialize)]
struct Cache<'a> {
    r#type: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'a str,
    schema: Box<RawValue>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: Box<RawValue>,
}

#[derive(Serialize)]
struct ToolChoice<'a> {
    r#type: &'a str,
    name: &'a str,
}

impl Dialect for Anthropic {
    fn model(&self) -> &str {
        &self.access.endpoint.model
    }

    fn label(&self) -> &str {
        "anthropic"
    }

    fn request(&self, prompt: &Prompt) -> Request {
        let endpoint = &self.access.endpoint;
        let shown = (endpoint.form == Form::Object).then(|| shown(prompt));
        let schema = || adapt(&prompt.schema, &RULES);
        let format =
            (endpoint.form == Form::Schema).then(|| Format { r#type: "json_schema", schema: schema() });
        let effort = endpoint.effort.as_deref();
        let name = prompt.schema_name.as_str();
        let by_tool = endpoint.form == Form::Tool;
        let tool = || [Tool { name, description: "Takes the answer.", input_schema: schema() }];
        let body = Body {
            model: &endpoint.model,
            max_tokens: self.access.output_limit(prompt, effort.is_some()),
            system: [System {
                r#type: "text",
                text: shown.as_deref().unwrap_or(&prompt.system),
                cache_control: Cache { r#type: "ephemeral" },
            }],
            messages: [Message { role: "user", content: &prompt.text }],
            output_config: (effort.is_some() || format.is_some()).then_some(OutputConfig { effort, format }),
            tools: by_tool.then(tool),
            tool_choice: by_tool.then_some(ToolChoice { r#type: "tool", name }),
            temperature: endpoint.temperature,
        };
        let headers =
            vec![("content-type", "application/json".to_owned()), ("anthropic-version", VERSION.to_owned())];
        Request {
            method: Method::Post,
            url: self.url.clone(),
            headers,
            private: self.access.headers.clone(),
            auth: self.auth.clone(),
            // Texts, numbers and a schema already written: nothing in it can fail to be JSON.
            body: serde_json::to_vec(&body).unwrap_or_default(),
        }
    }

    fn read(&self, response: &Response) -> std::result::Result<Reply, Refusal> {
        if !response.is_success() {
            return Err(of_failure(self.label(), response));
        }
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        reply(&body).ok_or_else(|| match body.get("error").is_some() {
            true => of_failure(self.label(), response),
            false => of_body(self.label(), response, "no message, expected one with `content`"),
        })
    }

    fn engine(&self) -> Option<Box<dyn Engine + '_>> {
        Some(Box::new(self))
    }
}

fn reply(body: &Value) -> Option<Reply> {
    let blocks = body.get("content")?.as_array()?;
    let text: String = blocks.iter().filter_map(said).collect();
    let finish = match body.get("stop_reason").and_then(Value::as_str) {
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("refusal") => {
            let why = body.pointer("/stop_details/explanation").and_then(Value::as_str);
            Finish::Refused(why.unwrap_or("refusal").to_owned())
        }
        _ => Finish::Stop,
    };
    Some(Reply { text, finish, usage: usage(body) })
}

fn said(block: &Value) -> Option<String> {
    match block.get("type")?.as_str()? {
        "text" => Some(block.get("text")?.as_str()?.to_owned()),
        "tool_use" => Some(block.get("input")?.to_string()),
        _ => None,
    }
}

/// `input_tokens` counts only what was neither read from the cache nor written to it.
fn usage(body: &Value) -> Usage {
    let count =
        |name: &str| body.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64).unwrap_or(0);
    let cached = count("cache_read_input_tokens");
    let fresh = count("input_tokens").saturating_add(count("cache_creation_input_tokens"));
    Usage {
        input_tokens: fresh.saturating_add(cached),
        cached_tokens: cached,
        output_tokens: count("output_tokens"),
    }
}
