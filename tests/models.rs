//! Every vendor's dialect over a real socket, against small servers in this process that answer as the vendor documents
//! or break off where a network does. They prove our reading of the documents, not the vendors.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use highwater::models::{Endpoint, Form, Kind, Method, Refusal, Request, Response, dialect, local, vendors};
use highwater::secret::{KeySource, Secret};
use highwater::world::http::{Bounds, Http, look};
use knowledge::prompt::{Finish, Prompt, Reply};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const KEY: &str = "sk-the-key-that-nobody-sees";

/// What a server does with a request.
#[derive(Clone)]
enum Answer {
    /// Answers.
    Whole(u16, Vec<(&'static str, String)>, String),
    /// Promises more than it sends, and hangs up.
    Cut(&'static str),
    /// Sends this and then nothing, for as long as the client waits.
    Silent(&'static str),
    /// Repeats what it was sent, as an error.
    Echo(u16),
}

/// A request as the server saw it.
struct Seen {
    head: String,
    body: Value,
}

struct Server {
    url: String,
    seen: Receiver<Seen>,
}

/// A server that answers as many requests as there are answers.
fn serve(answers: Vec<Answer>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (send, seen) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            // A client that waited long enough has gone: writing to it may fail.
            let Ok(request) = take(&stream) else { continue };
            let done = give(stream, &answer, &request);
            if send.send(request).is_err() || done.is_err() {
                continue;
            }
        }
    });
    Server { url, seen }
}

fn take(stream: &TcpStream) -> std::io::Result<Seen> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Seen { head, body: serde_json::from_slice(&body).unwrap_or_default() })
}

fn give(mut stream: TcpStream, answer: &Answer, request: &Seen) -> std::io::Result<()> {
    let (status, headers, body) = match answer {
        Answer::Whole(status, headers, body) => (*status, headers.clone(), body.clone()),
        Answer::Echo(status) => {
            let message = request.head.replace(['\r', '\n'], " ");
            (*status, Vec::new(), json!({"error": {"message": message, "code": message}}).to_string())
        }
        Answer::Cut(bytes) => return stream.write_all(bytes.as_bytes()),
        Answer::Silent(bytes) => {
            stream.write_all(bytes.as_bytes())?;
            return stream.read_to_end(&mut Vec::new()).map(|_| ());
        }
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    write!(stream, "{head}\r\n{body}")
}

fn ok(body: &Value) -> Answer {
    Answer::Whole(200, vec![("content-type", "application/json".into())], body.to_string())
}

/// A vendor's endpoint at a server here, with a key.
fn endpoint(vendor: &str, url: &str) -> Endpoint {
    let base = if ["openai", "compatible"].contains(&vendor) { format!("{url}/v1") } else { url.to_owned() };
    Endpoint {
        vendor: vendor.into(),
        model: "some-model".into(),
        base_url: Some(base),
        project: Some("wiki-prod".into()),
        key: Some(KeySource::Env("KEY".into())),
        ..Endpoint::default()
    }
}

fn prompt() -> Prompt {
    Prompt {
        system: "Never changes.".into(),
        text: "Asked this time.".into(),
        schema_name: "extraction".into(),
        schema: json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
        max_output_tokens: 100,
    }
}

fn good(vendor: &str) -> Value {
    let text = "{\"a\":\"b\"}";
    match vendor {
        "gemini" | "vertex" => {
            json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]})
        }
        "anthropic" => json!({"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}),
        _ => {
            json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})
        }
    }
}

fn bounds() -> Bounds {
    Bounds { connect: Duration::from_secs(5), total: Duration::from_secs(20), body: 1 << 20 }
}

/// Asks as the product does: request, socket, reading.
fn ask(endpoint: &Endpoint, bounds: Bounds) -> Result<Reply, Refusal> {
    let dialect = dialect(endpoint, |_| Some(KEY.to_owned())).unwrap();
    let http = Http::new(bounds).unwrap();
    let response = block_on(http.send(&dialect.request(&prompt())));
    let read = response.and_then(|response| dialect.read(&response));
    if let Err(refusal) = &read {
        let shown = format!("{refusal} {refusal:?}");
        assert!(!shown.contains(KEY) && !shown.contains("nobody-sees"), "{shown}");
    }
    read
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn every_vendor_is_asked_at_its_path_with_its_key_and_understood() {
    let asked = [
        ("anthropic", "POST /v1/messages HTTP/1.1", "x-api-key: sk-the"),
        ("azure", "POST /openai/v1/chat/completions HTTP/1.1", "api-key: sk-the"),
        ("compatible", "POST /v1/chat/completions HTTP/1.1", "authorization: Bearer sk-the"),
        ("gemini", "POST /v1beta/models/some-model:generateContent HTTP/1.1", "x-goog-api-key: sk-the"),
        ("openai", "POST /v1/chat/completions HTTP/1.1", "authorization: Bearer sk-the"),
        (
            "vertex",
            "POST /v1/projects/wiki-prod/locations/global/publishers/google/models/some-model:generateContent HTTP/1.1",
            "x-goog-api-key: sk-the",
        ),
    ];
    assert!(vendors().eq(asked.iter().map(|(vendor, ..)| *vendor)), "a vendor is not tried");
    for (vendor, line, key) in asked {
        let server = serve(vec![ok(&good(vendor))]);
        let mut endpoint = endpoint(vendor, &server.url);
        endpoint.headers.insert("x-team".into(), "wiki".into());
        let reply = ask(&endpoint, bounds()).unwrap();
        assert_eq!((reply.text.as_str(), reply.finish), ("{\"a\":\"b\"}", Finish::Stop), "{vendor}");
        let seen = server.seen.recv().unwrap();
        assert_eq!(seen.head.lines().next(), Some(line));
        assert!(seen.head.contains(key), "{vendor}: {}", seen.head);
        assert!(
            seen.head.contains("x-team: wiki") && seen.head.contains("user-agent: highwater/"),
            "{}",
            seen.head
        );
        assert!(seen.body.to_string().contains("Asked this time."), "{vendor}");
    }
}

#[test]
fn a_connection_that_breaks_off_or_falls_silent_is_tried_later() {
    let broken = [
        Answer::Cut(""),
        Answer::Cut("HTTP/1.1 200 OK\r\ncontent-le"),
        Answer::Cut("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"candidates\": [{\"cont"),
        Answer::Cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"can\r\n"),
        Answer::Cut("nonsense\r\n\r\n"),
        Answer::Silent(""),
        Answer::Silent("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"candidates\": [{\"cont"),
    ];
    for vendor in vendors() {
        let server = serve(broken.to_vec());
        let bounds = Bounds { total: Duration::from_millis(150), ..bounds() };
        for nth in 0..broken.len() {
            let refusal = ask(&endpoint(vendor, &server.url), bounds).unwrap_err();
            assert_eq!(refusal.kind, Kind::fault(), "{vendor} {nth}: {refusal}");
            assert!(refusal.text.starts_with("asking `http://127.0.0.1:"), "{refusal}");
        }
        let silent = ask(&endpoint(vendor, "http://127.0.0.1:9"), bounds).unwrap_err();
        assert_eq!(silent.kind, Kind::fault(), "{vendor}: {silent}");
    }
}

#[test]
fn failures_are_read_through_the_socket_and_sent_once() {
    let info = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}
    ]}});
    let quota = |seconds| Kind::Later { wait: Some(Duration::from_secs(seconds)), quota: true, day: false };
    let cases = [
        (Answer::Whole(429, Vec::new(), info.to_string()), quota(3)),
        (Answer::Whole(429, vec![("Retry-After", "9".into())], "{}".into()), quota(9)),
        (Answer::Whole(500, Vec::new(), "<html>oops</html>".into()), Kind::fault()),
        (Answer::Whole(503, Vec::new(), String::new()), Kind::fault()),
        (Answer::Whole(413, Vec::new(), "{}".into()), Kind::Never),
        (Answer::Whole(401, Vec::new(), "{}".into()), Kind::Halt),
        (Answer::Whole(403, Vec::new(), "{}".into()), Kind::Halt),
        (Answer::Whole(307, vec![("location", "/elsewhere".into())], String::new()), Kind::Halt),
        (Answer::Whole(200, Vec::new(), "<html>Sign in</html>".into()), Kind::fault()),
        (Answer::Whole(200, Vec::new(), "[".repeat(2 << 20)), Kind::fault()),
    ];
    for vendor in vendors() {
        let server = serve(cases.iter().map(|(answer, _)| answer.clone()).collect());
        for (nth, (_, kind)) in cases.iter().enumerate() {
            let refusal = ask(&endpoint(vendor, &server.url), bounds()).unwrap_err();
            assert_eq!(refusal.kind, *kind, "{vendor} {nth}: {refusal}");
            server.seen.recv().unwrap();
        }
        assert!(server.seen.try_recv().is_err(), "{vendor}: something was sent twice");
    }
}

#[test]
fn a_server_that_repeats_the_key_does_not_bring_it_into_an_error() {
    for vendor in vendors() {
        let server = serve(vec![Answer::Echo(401), Answer::Echo(400), Answer::Echo(503)]);
        let mut endpoint = endpoint(vendor, &server.url);
        endpoint.headers.insert("x-gateway".into(), "env:GATEWAY".into());
        for _ in 0..3 {
            // That the key is not in it is checked in `ask`.
            let refusal = ask(&endpoint, bounds()).unwrap_err();
            assert!(refusal.text.contains("*****"), "{vendor}: {refusal}");
        }
    }
}

#[test]
fn a_header_that_cannot_be_sent_is_a_setting_to_fix() {
    let server = serve(Vec::new());
    for (name, value) in [("x y", "wiki"), ("x-team", "wi\nki")] {
        let mut endpoint = endpoint("openai", &server.url);
        endpoint.headers.insert(name.into(), value.into());
        let refusal = ask(&endpoint, bounds()).unwrap_err();
        assert_eq!(refusal.kind, Kind::Halt, "{refusal}");
        assert!(refusal.text.contains(&format!("`{name}`")), "{refusal}");
    }
}

#[test]
fn a_certificate_that_is_none_does_not_pass_and_shows_no_key() {
    let server = serve(vec![Answer::Cut("HTTP/1.1 200 OK\r\n\r\n")]);
    let endpoint = endpoint("openai", &server.url.replace("http:", "https:"));
    let refusal = ask(&endpoint, Bounds { total: Duration::from_millis(500), ..bounds() }).unwrap_err();
    assert!(refusal.text.starts_with("asking `https://127.0.0.1:"), "{refusal}");
}

#[test]
fn a_local_server_is_found_where_it_listens_and_gets_no_key() {
    let models = json!({"object": "list", "data": [{"id": "qwen3:8b", "object": "model"}]});
    let (server, other) =
        (serve(vec![ok(&models)]), serve(vec![Answer::Whole(200, vec![], "<html>".into())]));
    let place = |name: &str, url: &str| local::Place { name: name.into(), base_url: format!("{url}/v1") };
    let places = vec![
        place("nobody", "http://127.0.0.1:9"),
        place("a wiki", &other.url),
        place("Ollama", &server.url),
    ];
    let found = block_on(look(places)).unwrap();
    let seen = server.seen.recv().unwrap();
    assert!(seen.head.starts_with("GET /v1/models HTTP/1.1"), "{}", seen.head);
    assert!(!seen.head.to_lowercase().contains("authorization"), "{}", seen.head);
    let endpoint = local::choose(&found, None).unwrap();
    assert_eq!(endpoint.base_url, Some(format!("{}/v1", server.url)));
    assert_eq!((endpoint.model.as_str(), endpoint.form), ("qwen3:8b", Form::Schema));
}

#[test]
fn what_is_struck_out_is_only_the_key() {
    let response =
        Response { status: 200, headers: vec![], body: format!("{{\"a\":\"{KEY}\"}}").into_bytes() };
    let mut body = response.body.clone();
    Secret::new(KEY).strike(&mut body);
    assert_eq!(body, format!("{{\"a\":\"{}\"}}", "*".repeat(KEY.len())).into_bytes());
}

#[cfg(feature = "gcp")]
mod google {
    use super::*;
    use google_cloud_auth::credentials::mds;
    use highwater::models::Auth;

    const TOKEN: &str = "ya29.a-token-that-nobody-sees";

    /// Within a runtime, since credentials keep a task that renews their token.
    fn http(metadata: &str) -> Http {
        let http = Http::new(bounds()).unwrap();
        let credentials =
            mds::Builder::default().with_endpoint(metadata).build_access_token_credentials().unwrap();
        http.with_google(credentials)
    }

    fn vertex(url: &str) -> Box<dyn highwater::models::Dialect> {
        dialect(&Endpoint { key: None, ..endpoint("vertex", url) }, |_| None).unwrap()
    }

    fn token() -> Answer {
        ok(&json!({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}))
    }

    #[test]
    fn vertex_is_asked_with_a_token_of_the_metadata_server_that_is_fetched_once() {
        let metadata = serve(vec![token()]);
        let server = serve(vec![ok(&good("vertex")), ok(&good("vertex")), Answer::Echo(401)]);
        let dialect = vertex(&server.url);
        block_on(async {
            let http = http(&metadata.url);
            for _ in 0..2 {
                let response = http.send(&dialect.request(&prompt())).await.unwrap();
                assert_eq!(dialect.read(&response).unwrap().text, "{\"a\":\"b\"}");
            }
            let response = http.send(&dialect.request(&prompt())).await.unwrap();
            let refusal = dialect.read(&response).unwrap_err();
            assert_eq!(refusal.kind, Kind::Halt);
            assert!(!format!("{refusal:?} {response:?}").contains(TOKEN), "{refusal}");
        });
        assert!(metadata.seen.recv().unwrap().head.contains("/service-accounts/default/token"));
        for _ in 0..3 {
            let head = server.seen.recv().unwrap().head;
            assert!(head.contains(&format!("authorization: Bearer {TOKEN}")), "{head}");
        }
    }

    #[test]
    fn no_token_is_said_and_nothing_is_sent() {
        let metadata = serve(vec![Answer::Whole(404, vec![], "no service account".into())]);
        let server = serve(vec![ok(&good("vertex"))]);
        let dialect = vertex(&server.url);
        let refusal =
            block_on(async { http(&metadata.url).send(&dialect.request(&prompt())).await }).unwrap_err();
        assert!(refusal.text.starts_with("asking for a Google token: "), "{refusal}");
        assert_eq!(refusal.kind, Kind::Halt, "{refusal}");
        assert!(server.seen.try_recv().is_err());
    }

    #[test]
    fn a_metadata_server_that_is_busy_silent_or_gone_is_asked_again_later() {
        let metadata =
            serve(vec![Answer::Whole(503, vec![], String::new()), Answer::Silent(""), Answer::Cut("")]);
        let bounds = Bounds { total: Duration::from_millis(300), ..bounds() };
        let dialect = vertex("http://127.0.0.1:9");
        for url in [&metadata.url, &metadata.url, &metadata.url, "http://127.0.0.1:9"] {
            let builder = mds::Builder::default().with_endpoint(url);
            let http = Http::new(bounds).unwrap();
            let refusal = block_on(async {
                let http = http.with_google(builder.build_access_token_credentials().unwrap());
                http.send(&dialect.request(&prompt())).await.unwrap_err()
            });
            assert_eq!(refusal.kind, Kind::fault(), "{refusal}");
        }
    }

    #[test]
    fn a_token_never_goes_over_a_wire_that_others_can_read() {
        let request = Request {
            method: Method::Get,
            // An address for documents: nothing is there, and nothing is sent.
            url: "http://192.0.2.1/v1".into(),
            headers: vec![],
            private: vec![],
            auth: Auth::Google("https://www.googleapis.com/auth/cloud-platform"),
            body: vec![],
        };
        let refusal = block_on(async { http("http://127.0.0.1:9").send(&request).await }).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.text.contains("only sent over `https`")),
            (Kind::Halt, true),
            "{refusal}"
        );
    }
}
