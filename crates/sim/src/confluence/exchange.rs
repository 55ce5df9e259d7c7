//! What goes in and what comes out: a request and a response as values, with how a query is read and an error worded.
//! It must not know sockets: a life under virtual time speaks to the site through these alone.

use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path, percent signs still in it.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers or body; the target may hold a query.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self { method: method.to_owned(), path: path.to_owned(), query: pairs(query), ..Self::default() }
    }

    /// A GET.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// The same with a body of JSON.
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with("content-type", "application/json")
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, if it is there and not empty.
    pub fn one(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter: given many times, separated by commas, or both; `id[]` counts as `id`.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = |found: &str| found == name || found.strip_suffix("[]") == Some(name);
        let values =
            self.query.iter().filter(|(found, _)| named(found)).flat_map(|(_, value)| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    /// Whether a parameter says yes.
    pub fn says(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    /// The parts of the path, decoded.
    pub fn parts(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(|part| decoded(part, false)).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, Refusal> {
        let unread = |why: serde_json::Error| Refusal::new(400, format!("the body is not JSON: {why}"));
        serde_json::from_slice(&self.body).map_err(unread)
    }
}

/// The pairs of a query or of a form.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name, true), decoded(value, true))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// Percent signs undone; in a query a plus sign is a space.
pub fn decoded(text: &str, of_query: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = if byte.is_some() { &after[2..] } else { after };
        let plain = if *first == b'+' && of_query { b' ' } else { *first };
        bytes.push(byte.unwrap_or(plain));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What must be escaped in a query or a path, escaped.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection breaks after so many bytes of the body, although more were promised.
    pub breaks_after: Option<usize>,
    /// How many objects it holds, which is what points are charged for.
    pub objects: u64,
}

impl Response {
    /// An answer in JSON.
    pub fn json(status: u16, value: &Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: value.to_string().into_bytes(), objects: 1, ..Self::default() }
    }

    /// A success in JSON.
    pub fn ok(value: &Value) -> Self {
        Self::json(200, value)
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// A page for people, as a proxy in front of the site shows it.
    pub fn html(status: u16, text: &str) -> Self {
        let body = format!(
            "<!DOCTYPE html><html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>"
        );
        let headers = vec![("Content-Type".to_owned(), "text/html;charset=UTF-8".to_owned())];
        Self { status, headers, body: body.into_bytes(), ..Self::default() }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON, or null.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// What the site says.
    pub message: String,
}

impl Refusal {
    /// A refusal of this status with these words.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// What is not there, or may not be seen: both look alike.
    pub fn absent(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(404, format!("No {what} found with id: ContentId{{id={id}}}"))
    }

    /// As the second version of the interface words it.
    pub fn in_v2(&self) -> Response {
        let error = json!({
            "status": self.status,
            "code": code(self.status),
            "title": if self.status == 404 { "Not Found" } else { self.message.as_str() },
            "detail": if self.status == 404 { Value::from(self.message.as_str()) } else { Value::Null },
        });
        Response::json(self.status, &json!({ "errors": [error] }))
    }

    /// As the first version words it; on Cloud the class of the error stands in front.
    pub fn in_v1(&self, on_cloud: bool) -> Response {
        let class = match self.status {
            404 => "NotFoundException",
            403 => "PermissionException",
            409 => "ConflictException",
            _ => "BadRequestException",
        };
        let message = match on_cloud {
            true => format!("com.atlassian.confluence.api.service.exceptions.{class}: {}", self.message),
            false => self.message.clone(),
        };
        let data = json!({
            "authorized": self.status != 403,
            "valid": self.status != 400,
            "allowedInReadOnlyMode": true,
            "errors": [],
            "successful": false,
        });
        let mut body = json!({ "statusCode": self.status, "data": data, "message": message });
        if !on_cloud {
            body["reason"] = reason(self.status).into();
        }
        Response::json(self.status, &body)
    }
}

/// A response, or why not.
pub type Answer = Result<Response, Refusal>;

fn code(status: u16) -> &'static str {
    match status {
        400 => "INVALID_REQUEST_PARAMETER",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        409 => "CONFLICT",
        413 => "PAYLOAD_TOO_LARGE",
        429 => "TOO_MANY_REQUESTS",
        _ => "INTERNAL_SERVER_ERROR",
    }
}

/// The words that HTTP has for a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_in_all_its_forms() {
        let request = Request::get("/x?id=1,2&id=3&id[]=4&cql=a%20%3D+%22b%22&empty=");
        assert_eq!(request.all("id"), ["1", "2", "3", "4"]);
        assert_eq!(request.one("cql"), Some("a = \"b\""));
        assert_eq!(request.one("empty"), None);
        assert_eq!(decoded(&encoded("a b&ü=+"), true), "a b&ü=+");
        assert_eq!(decoded("100%", false), "100%");
    }
}
