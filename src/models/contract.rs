//! One suite for every vendor: what goes out, what is read from the shapes they document, and what is made of anything
//! else.

use super::*;
use knowledge::prompt::{Finish, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::str::FromStr;
use std::time::Duration;

const KEY: &str = "sk-the-key-that-nobody-sees";

fn environment(name: &str) -> Option<String> {
    name.ends_with("_KEY").then(|| KEY.to_owned())
}

fn endpoint(name: &str) -> Endpoint {
    let mut endpoint = Endpoint::from_str(name).unwrap();
    match endpoint.vendor.as_str() {
        "azure" => endpoint.base_url = Some("https://wiki.openai.azure.com/".into()),
        "compatible" => {
            endpoint.base_url = Some("http://127.0.0.1:8000/v1".into());
            endpoint.key = Some(KeySource::Env("MY_KEY".into()));
        }
        "vertex" => endpoint.project = Some("wiki-prod".into()),
        _ => {}
    }
    endpoint
}

fn made(endpoint: &Endpoint) -> Box<dyn Dialect> {
    dialect(endpoint, environment).unwrap()
}

fn all() -> Vec<Box<dyn Dialect>> {
    vendors().map(|vendor| made(&endpoint(&format!("{vendor}/some-model")))).collect()
}

fn prompt() -> Prompt {
    Prompt {
        system: "Never changes.".into(),
        text: "Asked this time.".into(),
        schema_name: "extraction".into(),
        schema: json!({
            "type": "object",
            "properties": {
                "facts": {"type": "array", "items": {"type": "string", "maxLength": 80}, "maxItems": 9},
                "entities": {"type": "array", "items": {"type": "string"}},
                "note": {"type": "string"}
            },
            "required": ["entities", "facts"]
        }),
        max_output_tokens: 4_000,
    }
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn answer(status: u16, body: impl ToString) -> Response {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Response { status, headers, body: body.to_string().into_bytes() }
}

/// What the vendor documents for a good answer of this text.
fn good(vendor: &str, text: &str) -> Value {
    match vendor {
        "gemini" | "vertex" => json!({
            "candidates": [{
                "content": {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": text}]},
                "finishReason": "STOP", "avgLogprobs": -0.1, "index": 0
            }],
            "usageMetadata": {
                "promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 7,
                "thoughtsTokenCount": 3, "totalTokenCount": 110, "trafficType": "ON_DEMAND"
            },
            "modelVersion": "gemini-2.5-flash", "responseId": "x"
        }),
        "anthropic" => json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": text}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {
                "input_tokens": 30, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 60,
                "output_tokens": 10, "service_tier": "standard"
            }
        }),
        _ => json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{
                "index": 0, "logprobs": null, "finish_reason": "stop",
                "message": {"role": "assistant", "content": text, "refusal": null, "annotations": []}
            }],
            "usage": {
                "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 3}
            }
        }),
    }
}

fn vendors_and_dialects() -> impl Iterator<Item = (&'static str, Box<dyn Dialect>)> {
    vendors().zip(all())
}

#[test]
fn a_good_answer_is_read_with_all_its_tokens() {
    for (vendor, dialect) in vendors_and_dialects() {
        let reply = dialect.read(&answer(200, good(vendor, "{\"entities\":[]}"))).unwrap();
        let usage = Usage { input_tokens: 100, cached_tokens: 60, output_tokens: 10 };
        let expected = Reply { text: "{\"entities\":[]}".into(), finish: Finish::Stop, usage };
        assert_eq!(reply, expected, "{vendor}");
    }
}

#[test]
fn a_length_stop_keeps_what_was_said() {
    for (vendor, dialect) in vendors_and_dialects() {
        let mut body = good(vendor, "{\"entities\":[\"A");
        match vendor {
            "gemini" | "vertex" => body["candidates"][0]["finishReason"] = json!("MAX_TOKENS"),
            "anthropic" => body["stop_reason"] = json!("max_tokens"),
            _ => body["choices"][0]["finish_reason"] = json!("length"),
        }
        let reply = dialect.read(&answer(200, body)).unwrap();
        assert_eq!((reply.text.as_str(), reply.finish), ("{\"entities\":[\"A", Finish::Length), "{vendor}");
    }
}

#[test]
fn a_vendor_that_will_not_answer_is_a_reply_that_was_paid_for() {
    let cases = [
        ("gemini", "/candidates/0", json!({"finishReason": "SAFETY", "safetyRatings": []}), "SAFETY"),
        ("vertex", "/candidates/0/finishReason", json!("RECITATION"), "RECITATION"),
        ("openai", "/choices/0/message/refusal", json!("I can't help with that."), "I can't help with that."),
        ("azure", "/choices/0/finish_reason", json!("content_filter"), "content_filter"),
        ("anthropic", "/stop_reason", json!("refusal"), "refusal"),
    ];
    for (vendor, place, value, why) in cases {
        let mut body = good(vendor, "");
        *body.pointer_mut(place).unwrap_or(&mut Value::Null) = value;
        let reply = made(&endpoint(&format!("{vendor}/m"))).read(&answer(200, body)).unwrap();
        assert_eq!(reply.finish, Finish::Refused(why.into()), "{vendor}");
        assert_eq!(reply.usage.total(), 110, "{vendor}");
    }
    let blocked = json!({
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 50}
    });
    let reply = made(&endpoint("vertex/m")).read(&answer(200, blocked)).unwrap();
    assert_eq!(reply.finish, Finish::Refused("the prompt was blocked: PROHIBITED_CONTENT".into()));
    assert_eq!(reply.usage.input_tokens, 50);
}

#[test]
fn what_is_no_answer_is_a_fault_and_not_an_empty_reply() {
    for (vendor, dialect) in vendors_and_dialects() {
        let whole = good(vendor, "text").to_string();
        let bodies = [
            String::new(),
            "<html><body>Sign in to the proxy</body></html>".into(),
            "{}".into(),
            "null".into(),
            "[]".into(),
            "7".into(),
            whole[..whole.len() / 2].into(),
            json!({"candidates": [], "choices": [], "content": "no list"}).to_string(),
            json!({"candidates": {"0": 1}, "choices": "x", "content": 7}).to_string(),
            json!({"candidates": [[]], "choices": [{"message": []}], "content": null}).to_string(),
            json!({"choices": [{"message": {"content": 7}}], "candidates": [{"content": {"parts": 7}}]})
                .to_string(),
            "[".repeat(100_000),
        ];
        for body in bodies {
            let refusal = dialect.read(&answer(200, &body)).unwrap_err();
            assert_eq!(refusal.kind, Kind::fault(), "{vendor}: {refusal}");
        }
    }
}

#[test]
fn statuses_say_what_to_do() {
    let later =
        |quota, wait: Option<u64>| Kind::Later { wait: wait.map(Duration::from_secs), quota, day: false };
    for (vendor, dialect) in vendors_and_dialects() {
        let kind = |status: u16, body: &Value| dialect.read(&answer(status, body)).unwrap_err().kind;
        let empty = json!({"error": {"message": "no"}});
        for status in [401, 403, 404] {
            assert_eq!(kind(status, &empty), Kind::Halt, "{vendor} {status}");
        }
        for status in [500, 503, 529] {
            assert_eq!(kind(status, &empty), later(false, None), "{vendor} {status}");
        }
        for status in [400, 413] {
            assert_eq!(kind(status, &empty), Kind::Never, "{vendor} {status}");
        }
        let mut limited = answer(429, &empty);
        assert_eq!(dialect.read(&limited).unwrap_err().kind, later(true, None), "{vendor}");
        limited.headers.push(("retry-after".into(), "12".into()));
        assert_eq!(dialect.read(&limited).unwrap_err().kind, later(true, Some(12)), "{vendor}");
        let sent_as_success = json!({"error": {"code": 429, "message": "upstream"}});
        assert_eq!(kind(200, &sent_as_success), later(true, None), "{vendor}");
        assert_eq!(kind(200, &json!({"error": "upstream"})), later(false, None), "{vendor}");
    }
}

#[test]
fn an_answer_has_room_to_think_where_that_counts_and_no_more_than_the_model_writes() {
    let limit = |name: &str, most: Option<u32>| {
        let endpoint = Endpoint {
            output_tokens: most,
            key: Some(KeySource::Env("KEY".into())),
            ..name.parse().unwrap()
        };
        let access = access(&endpoint, |_| Some(KEY.to_owned())).unwrap();
        access.output_limit(&prompt(), true)
    };
    assert_eq!(limit("gemini/gemini-2.5-flash", None), 4_000 + THINKING);
    assert_eq!(limit("gemini/gemini-2.0-flash", None), 4_000);
    assert_eq!(limit("openai/gpt-4.1-mini", None), 4_000);
    assert_eq!(limit("openai/gpt-5-mini", Some(2_000)), 2_000);
}

#[test]
fn a_request_says_the_stable_part_first_and_is_the_same_bytes_again() {
    for (vendor, dialect) in vendors_and_dialects() {
        let request = dialect.request(&prompt());
        assert_eq!(request.body, dialect.request(&prompt()).body, "{vendor}");
        let text = String::from_utf8(request.body).unwrap();
        let place =
            |words: &str| text.find(words).unwrap_or_else(|| panic!("{vendor}: no `{words}` in {text}"));
        assert!(place("Never changes.") < place("Asked this time."), "{vendor}");
        assert!(place("\"entities\":") < place("\"facts\":"), "{vendor}: {text}");
        assert!(place("\"facts\":") < place("\"note\":"), "{vendor}: {text}");
        assert!(!text.contains("maxLength") && text.contains("At most 80 characters."), "{vendor}: {text}");
        // Vendors' newer models think, and what they think counts.
        let room = if ["anthropic", "compatible"].contains(&vendor) { "4000" } else { "12192" };
        assert!(text.contains(room), "{vendor}: {text}");
    }
}

#[test]
fn the_gemini_api_gets_its_key_in_a_header() {
    let request = made(&endpoint("gemini/gemini-2.5-flash")).request(&prompt());
    assert_eq!(
        request.url,
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
    );
    assert_eq!(request.auth, Auth::Header("x-goog-api-key", Secret::new(KEY)));
    let body = body(&request);
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"]["required"], json!(["entities", "facts"]));
    assert!(config.get("temperature").is_none() && config.get("thinkingConfig").is_none(), "{config}");
    assert_eq!(body["systemInstruction"]["parts"][0]["text"], "Never changes.");
    assert_eq!(body["contents"][0], json!({"role": "user", "parts": [{"text": "Asked this time."}]}));
    let thinking = |effort: &str| {
        let endpoint = Endpoint { effort: Some(effort.into()), ..endpoint("gemini/g") };
        super::contract::body(&made(&endpoint).request(&prompt()))["generationConfig"]["thinkingConfig"]
            .clone()
    };
    assert_eq!(
        (thinking("0"), thinking("low")),
        (json!({"thinkingBudget": 0}), json!({"thinkingLevel": "low"}))
    );
}

#[test]
fn vertex_is_asked_where_the_settings_say() {
    let url = |location: Option<&str>, model: &str| {
        let endpoint =
            Endpoint { location: location.map(str::to_owned), ..endpoint(&format!("vertex/{model}")) };
        made(&endpoint).request(&prompt()).url
    };
    let path = |place| {
        format!("/v1/projects/wiki-prod/locations/{place}/publishers/google/models/g:generateContent")
    };
    assert_eq!(url(None, "g"), format!("https://aiplatform.googleapis.com{}", path("global")));
    assert_eq!(
        url(Some("europe-west4"), "g"),
        format!("https://europe-west4-aiplatform.googleapis.com{}", path("europe-west4"))
    );
    assert_eq!(url(Some("eu"), "g"), format!("https://aiplatform.eu.rep.googleapis.com{}", path("eu")));
    assert!(url(None, "endpoints/77").ends_with("/locations/global/endpoints/77:generateContent"));
    let vertex = made(&endpoint("vertex/g"));
    assert_eq!(
        vertex.request(&prompt()).auth,
        Auth::Google("https://www.googleapis.com/auth/cloud-platform")
    );
    let express =
        Endpoint { project: None, key: Some(KeySource::Env("MY_KEY".into())), ..endpoint("vertex/g") };
    let request = made(&express).request(&prompt());
    assert_eq!(
        request.url,
        "https://aiplatform.googleapis.com/v1/publishers/google/models/g:generateContent"
    );
    assert_eq!(request.auth, Auth::Header("x-goog-api-key", Secret::new(KEY)));
    let nowhere = Endpoint { project: None, ..endpoint("vertex/g") };
    assert!(dialect(&nowhere, environment).err().unwrap().to_string().contains("no `project`"));
}

#[test]
fn openai_gets_a_strict_schema_and_servers_of_ones_own_the_older_names() {
    let request = made(&endpoint("openai/gpt-5-mini")).request(&prompt());
    assert_eq!(request.url, "https://api.openai.com/v1/chat/completions");
    assert_eq!(request.auth, Auth::Bearer(Secret::new(KEY)));
    let body = body(&request);
    let format = &body["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["strict"]), (&json!("json_schema"), &json!(true)));
    assert_eq!(format["json_schema"]["name"], "extraction");
    assert_eq!(format["json_schema"]["schema"]["required"], json!(["entities", "facts", "note"]));
    assert_eq!((&body["max_completion_tokens"], body.get("temperature")), (&json!(4000 + 8192), None));
    let mut own = endpoint("compatible/Qwen/Qwen3");
    own.form = Form::Object;
    let request = made(&own).request(&prompt());
    assert_eq!(request.url, "http://127.0.0.1:8000/v1/chat/completions");
    let body = super::contract::body(&request);
    assert_eq!((&body["max_tokens"], &body["temperature"]), (&json!(4000), &json!(0.0)));
    assert_eq!(
        (&body["response_format"], &body["model"]),
        (&json!({"type": "json_object"}), &json!("Qwen/Qwen3"))
    );
    assert!(body["messages"][0]["content"].as_str().unwrap().contains("fits this JSON Schema"));
}

#[test]
fn azure_has_addresses_with_and_without_a_date() {
    let mut azure = endpoint("azure/my-deployment");
    let request = made(&azure).request(&prompt());
    assert_eq!(request.url, "https://wiki.openai.azure.com/openai/v1/chat/completions");
    assert_eq!(request.auth, Auth::Header("api-key", Secret::new(KEY)));
    azure.api_version = Some("2024-10-21".into());
    assert_eq!(
        made(&azure).request(&prompt()).url,
        "https://wiki.openai.azure.com/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"
    );
    let filtered = json!({"error": {
        "code": "content_filter", "status": 400, "param": "prompt",
        "message": "The response was filtered", "innererror": {"code": "ResponsibleAIPolicyViolation"}
    }});
    assert_eq!(made(&azure).read(&answer(400, filtered)).unwrap_err().kind, Kind::Never);
}

#[test]
fn anthropic_gets_a_schema_or_a_tool_and_a_mark_where_its_cache_ends() {
    let mut endpoint = endpoint("anthropic/claude-haiku-4-5");
    let request = made(&endpoint).request(&prompt());
    assert_eq!(request.url, "https://api.anthropic.com/v1/messages");
    assert_eq!(request.auth, Auth::Header("x-api-key", Secret::new(KEY)));
    assert!(request.headers.contains(&("anthropic-version", "2023-06-01".into())));
    let asked = body(&request);
    let schema = &asked["output_config"]["format"]["schema"];
    assert_eq!(
        (&schema["additionalProperties"], &schema["required"]),
        (&json!(false), &json!(["entities", "facts"]))
    );
    assert_eq!(asked["system"][0]["cache_control"], json!({"type": "ephemeral"}));
    assert!(asked.get("tools").is_none());
    endpoint.form = Form::Tool;
    let dialect = made(&endpoint);
    let asked = body(&dialect.request(&prompt()));
    assert_eq!(asked["tool_choice"], json!({"type": "tool", "name": "extraction"}));
    assert_eq!(asked["tools"][0]["input_schema"]["type"], "object");
    let mut called = good("anthropic", "");
    called["content"] =
        json!([{"type": "tool_use", "id": "t", "name": "extraction", "input": {"entities": []}}]);
    called["stop_reason"] = json!("tool_use");
    let reply = dialect.read(&answer(200, called)).unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), ("{\"entities\":[]}", Finish::Stop));
}

#[test]
fn a_key_is_in_no_printed_form_and_in_no_address_or_body() {
    for vendor in vendors() {
        let mut endpoint = endpoint(&format!("{vendor}/m"));
        endpoint.headers.insert("x-gateway".into(), "env:GATEWAY_KEY".into());
        let dialect = made(&endpoint);
        let request = dialect.request(&prompt());
        assert_eq!(request.private[0].1.expose(), KEY);
        let body = String::from_utf8(request.body.clone()).unwrap();
        let shown = format!("{request:?} {} {} {endpoint:?} {body}", request.url, dialect.label());
        assert!(!shown.contains(KEY), "{vendor}: {shown}");
    }
}

#[test]
fn a_missing_key_is_named_and_another_servers_key_is_not_taken() {
    for (vendor, variable) in [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")] {
        let error = dialect(&endpoint(&format!("{vendor}/m")), |_| None).err().unwrap();
        assert!(error.to_string().contains(variable), "{error}");
    }
    let own = Endpoint { key: None, ..endpoint("compatible/m") };
    assert_eq!(made(&own).request(&prompt()).auth, Auth::None);
}

proptest! {
    #[test]
    fn no_body_makes_a_dialect_panic(status in 100..1000u16, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for dialect in all() {
            let response = Response { status, headers: Vec::new(), body: body.clone() };
            prop_assert!(dialect.read(&response).is_err(), "{:?}", dialect.read(&response));
        }
    }

    #[test]
    fn a_good_answer_cut_or_damaged_anywhere_is_read_or_refused(at in 0.0..1.0f64, byte in any::<u8>(), cut in any::<bool>()) {
        for (vendor, dialect) in vendors_and_dialects() {
            let mut body = good(vendor, "{\"entities\":[]}").to_string().into_bytes();
            let place = (at * body.len() as f64) as usize;
            match cut {
                true => body.truncate(place),
                false => body[place] = byte,
            }
            let read = dialect.read(&Response { status: 200, headers: Vec::new(), body });
            prop_assert!(!cut || read.is_err(), "{vendor}: {read:?}");
        }
    }
}
