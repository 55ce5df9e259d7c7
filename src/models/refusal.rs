//! Why a model did not answer, and what to do about it: reading of HTTP failures as all vendors share them (statuses,
//! `Retry-After`, Google's `RetryInfo`, the many shapes of an error object). This file must not know whose answer it is
//! but by name, nor the time: a date is read against the `Date` of the same response.

use super::Response;
use crate::error::{self, Error};
use jiff::Timestamp;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same request may work later.
    Later {
        /// How long the vendor says to wait, if it says so.
        wait: Option<Duration>,
        /// A quota is used up; otherwise the vendor or the way to it is at fault.
        quota: bool,
        /// The quota is one of a day: the `wait` that vendors name with it (seconds) is not to be believed.
        day: bool,
    },
    /// This prompt will never be answered here: too long, or refused as such.
    Never,
    /// Nothing will work until a setting, a key or a bill is fixed.
    Halt,
}

impl Kind {
    /// Later, without a quota being used up.
    pub const fn fault() -> Self {
        Kind::Later { wait: None, quota: false, day: false }
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to do about it.
    pub kind: Kind,
    /// What was being done and what was found; advice, where there is any, on a last line behind `hint:`. Never holds
    /// a key.
    pub text: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            Kind::Later { .. } => error::Kind::Later,
            Kind::Never => error::Kind::Never,
            Kind::Halt => error::Kind::Halt,
        };
        match refusal.text.split_once("\nhint: ") {
            Some((text, hint)) => Error::new(kind, text).hint(hint),
            None => Error::new(kind, refusal.text),
        }
    }
}

/// How much of a vendor's message is repeated: the reason stands at its beginning, and it may quote the prompt.
const MESSAGE_CHARS: usize = 300;

/// No wait that a vendor names is longer: daily quotas open within a day.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Codes in error objects that no waiting and no other prompt will change, whatever the status they come with: OpenAI's
/// for money, Anthropic's for a spend limit, Google's for keys and places (400), parameters a model does not know.
const HALTING: [&str; 14] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "enforced_spend_limit_reached",
    "API_KEY_INVALID",
    "API_KEY_SERVICE_BLOCKED",
    "FAILED_PRECONDITION",
    "invalid_api_key",
    "model_not_found",
    "DeploymentNotFound",
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
];

/// The same where vendors give a sentence and no code of its own: Anthropic's empty purse and spend limit, Google's and
/// OpenAI's words for a schema that they do not take, which is the same schema in the next prompt.
const HALTING_WORDS: [&str; 8] = [
    "credit balance is too low",
    "specified api usage limits",
    "spend limit",
    "invalid schema",
    "too many states",
    "compiled grammar is too large",
    "schema is too complex",
    "unknown name \"",
];

/// What a response that is no success says. `vendor` is how the text names the one who answered.
pub(crate) fn of_failure(vendor: &str, response: &Response) -> Refusal {
    let body: Option<Value> = serde_json::from_slice(&response.body).ok();
    let said = Said::of(body.as_ref());
    let kind = kind_of(response, &said, body.as_ref());
    let mut text = format!("asking `{vendor}`: it answered {}", response.status);
    if !said.codes.is_empty() {
        text += &format!(" ({})", said.codes.join(", "));
    }
    let message = match (&said.message, body.is_some()) {
        (Some(message), _) => shortened(message),
        (None, true) => String::new(),
        (None, false) => what_it_is(response),
    };
    if !message.is_empty() {
        text += &format!(": {message}");
    }
    Refusal { kind, text }
}

/// A success whose body is not what the vendor documents: cut off, of another type, or a proxy's page.
pub(crate) fn of_body(vendor: &str, response: &Response, found: &str) -> Refusal {
    let found = match serde_json::from_slice::<Value>(&response.body) {
        Ok(_) => found.to_owned(),
        Err(error) if looks_like_json(&response.body) => format!("JSON that is cut off or broken ({error})"),
        Err(_) => what_it_is(response),
    };
    Refusal::new(Kind::fault(), format!("asking `{vendor}`: it answered {} with {found}", response.status))
}

fn looks_like_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'['))
}

fn what_it_is(response: &Response) -> String {
    let kind = response.header("content-type").unwrap_or("no content type");
    let kind: String = kind.chars().filter(|c| !c.is_control()).take(60).collect();
    match response.body.is_empty() {
        true => "nothing in the body".to_owned(),
        false => {
            format!("{} bytes that are not JSON ({kind}); is there a proxy in between?", response.body.len())
        }
    }
}

fn kind_of(response: &Response, said: &Said, body: Option<&Value>) -> Kind {
    if said.halts() {
        return Kind::Halt;
    }
    let wait = wait_of(response, body);
    match status_of(response, body) {
        429 => Kind::Later { wait, quota: true, day: said.is_of_a_day(body) },
        // 529 is Anthropic's "overloaded", 520 to 527 a content network in between; 409 and 425 mean a race.
        408 | 409 | 425 | 500..=599 => Kind::Later { wait, quota: false, day: false },
        400 | 406 | 411..=424 | 426..=499 => Kind::Never,
        // Redirects among them: they are not followed, since a key would follow.
        _ => Kind::Halt,
    }
}

/// The status; of an error that a gateway sends as a success, the one that it carries.
fn status_of(response: &Response, body: Option<&Value>) -> u64 {
    let carried = || {
        let code = body.map(first)?.pointer("/error/code")?;
        code.as_u64().or_else(|| code.as_str()?.parse().ok()).filter(|code| (400..600).contains(code))
    };
    match response.is_success() {
        true => carried().unwrap_or(502),
        false => u64::from(response.status),
    }
}

/// Google's streaming endpoints, and proxies of them, put the object in a list.
fn first(body: &Value) -> &Value {
    body.get(0).unwrap_or(body)
}

/// What an error object says, in whatever shape.
#[derive(Default)]
struct Said {
    codes: Vec<String>,
    message: Option<String>,
}

impl Said {
    fn of(body: Option<&Value>) -> Self {
        let Some(error) = body.map(first).map(|body| body.get("error").unwrap_or(body)) else {
            return Self::default();
        };
        if let Value::String(message) = error {
            return Self { codes: Vec::new(), message: Some(message.clone()) };
        }
        let message = ["message", "detail", "msg"].into_iter().find_map(|key| error.get(key)?.as_str());
        let reasons = details(error).filter_map(|detail| detail.get("reason"));
        let fields = ["status", "type", "code"].into_iter().filter_map(|key| error.get(key));
        let anthropic = error.pointer("/details/error_code");
        let codes = fields.chain(reasons).chain(anthropic).filter_map(Value::as_str).map(shortened);
        Self { codes: codes.collect(), message: message.map(str::to_owned) }
    }

    fn halts(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        self.codes.iter().any(|code| HALTING.contains(&code.as_str()))
            || HALTING_WORDS.iter().any(|words| message.contains(words))
    }

    fn is_of_a_day(&self, body: Option<&Value>) -> bool {
        let message = self.message.as_deref().unwrap_or_default();
        let violations = body
            .map(first)
            .and_then(|body| body.get("error"))
            .into_iter()
            .flat_map(details)
            .filter_map(|detail| detail.get("violations")?.as_array())
            .flatten();
        let named = violations.filter_map(|violation| violation.get("quotaId")?.as_str());
        message.contains("per day") || named.into_iter().any(|quota| quota.contains("PerDay"))
    }
}

fn details(error: &Value) -> impl Iterator<Item = &Value> {
    error.get("details").and_then(Value::as_array).into_iter().flatten()
}

fn wait_of(response: &Response, body: Option<&Value>) -> Option<Duration> {
    let millis = response.header("retry-after-ms").and_then(seconds).map(|wait| wait / 1000);
    let after = response
        .header("retry-after")
        .and_then(|text| seconds(text).or_else(|| until(text, response.header("date")?)));
    let told = body.map(first).and_then(|body| body.get("error")).into_iter().flat_map(details);
    let told = told.filter_map(|detail| seconds(detail.get("retryDelay")?.as_str()?.strip_suffix('s')?));
    // Two statements about one wait: the longer one is safe.
    millis.or(after).into_iter().chain(told).max().map(|wait| wait.min(LONGEST_WAIT))
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT))
}

/// From one HTTP date to another; no wait if it is past.
fn until(date: &str, now: &str) -> Option<Duration> {
    let (date, now) = (http_date(date)?, http_date(now)?);
    Some(Duration::from_millis(u64::try_from(date.as_millisecond() - now.as_millisecond()).unwrap_or(0)))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

fn shortened(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(MESSAGE_CHARS + 1).collect();
    if short.chars().count() > MESSAGE_CHARS {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { status, headers, body: body.as_bytes().to_vec() }
    }

    fn kind(status: u16, headers: &[(&str, &str)], body: &str) -> Kind {
        of_failure("x", &response(status, headers, body)).kind
    }

    fn quota(wait: Option<u64>) -> Kind {
        Kind::Later { wait: wait.map(Duration::from_millis), quota: true, day: false }
    }

    #[test]
    fn a_wait_is_read_from_wherever_a_vendor_puts_it() {
        let info = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":[
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"10.5s"}]}}"#;
        let date =
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")];
        assert_eq!(kind(429, &[], ""), quota(None));
        assert_eq!(kind(429, &[("retry-after", "7")], "{}"), quota(Some(7_000)));
        assert_eq!(kind(429, &[("retry-after-ms", "250"), ("retry-after", "1")], "{}"), quota(Some(250)));
        assert_eq!(kind(429, &date, "{}"), quota(Some(60_000)));
        assert_eq!(kind(429, &date[1..], "{}"), quota(None), "without a clock a date says nothing");
        assert_eq!(kind(429, &[], info), quota(Some(10_500)));
        assert_eq!(kind(429, &[("retry-after", "2")], &format!("[{info}]")), quota(Some(10_500)));
        for nonsense in ["-3", "soon", "NaN", "", "1e", "Sun, 99 Nov"] {
            assert_eq!(kind(429, &[("retry-after", nonsense)], "{}"), quota(None), "{nonsense}");
        }
        assert_eq!(kind(429, &[("retry-after", "1e300")], "{}"), quota(Some(86_400_000)));
    }

    #[test]
    fn a_quota_of_a_day_is_known_as_one() {
        let google = r#"{"error":{"code":429,"details":[{"violations":[
            {"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"retryDelay":"22s"}]}}"#;
        let openai = r#"{"error":{"message":"Rate limit reached on requests per day (RPD)","code":"rate_limit_exceeded"}}"#;
        let wait = Some(Duration::from_secs(22));
        assert_eq!(kind(429, &[], google), Kind::Later { wait, quota: true, day: true });
        assert_eq!(kind(429, &[], openai), Kind::Later { wait: None, quota: true, day: true });
    }

    #[test]
    fn an_empty_purse_and_a_wrong_key_halt_whatever_their_status() {
        let bodies = [
            (
                429,
                r#"{"error":{"message":"You exceeded","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
            ),
            (
                429,
                r#"{"error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            ),
            (400, r#"{"error":{"code":"unsupported_value","param":"temperature","message":"no"}}"#),
            (401, ""),
            (402, "{}"),
            (403, "<html>"),
            (404, r#"{"error":{"code":"model_not_found"}}"#),
            (302, ""),
        ];
        for (status, body) in bodies {
            assert_eq!(kind(status, &[], body), Kind::Halt, "{status} {body}");
        }
    }

    #[test]
    fn statuses_say_later_or_never() {
        for status in [408, 500, 502, 503, 504, 520, 529] {
            assert_eq!(kind(status, &[], "<html>"), Kind::fault(), "{status}");
        }
        for status in [400, 413, 422] {
            assert_eq!(kind(status, &[], r#"{"error":"context length exceeded"}"#), Kind::Never, "{status}");
        }
    }

    #[test]
    fn the_text_names_what_was_found() {
        let body = r#"{"error":{"status":"UNAVAILABLE","message":"over\nloaded"}}"#;
        let found = of_failure("vertex", &response(503, &[], body)).text;
        assert_eq!(found, "asking `vertex`: it answered 503 (UNAVAILABLE): over loaded");
        let page = response(200, &[("content-type", "text/html")], "<html>Sign in</html>");
        let found = of_body("openai", &page, "no choices").text;
        assert!(found.contains("20 bytes that are not JSON (text/html); is there a proxy"), "{found}");
        let cut = of_body("openai", &response(200, &[], "{\"choices\":["), "no choices").text;
        assert!(cut.contains("cut off or broken"), "{cut}");
    }

    #[test]
    fn advice_survives_becoming_an_error() {
        let error = Error::from(Refusal::new(Kind::Halt, "no token\nhint: log in"));
        assert_eq!((error.to_string().as_str(), error.advice()), ("no token", Some("log in")));
        assert_eq!(error.kind(), error::Kind::Halt);
    }

    proptest! {
        #[test]
        fn no_failure_makes_it_panic(
            status in 100..1000u16,
            headers in proptest::collection::vec(("retry-after(-ms)?|date", "\\PC{0,30}"), 0..4),
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let failed = Response { status, headers, body };
            prop_assert!(!of_failure("x", &failed).text.is_empty());
            prop_assert!(!of_body("x", &failed, "y").text.is_empty());
        }
    }
}
