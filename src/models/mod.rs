//! Language models: the seam `Dialect`, the registry of vendors, and what goes to and comes from a vendor.
//!
//! A dialect is pure: it turns a prompt into an HTTP request and a response into a reply or a refusal. It opens no
//! socket, reads no clock and knows neither quotas nor what a prompt is about (`world::http` sends, the plan decides
//! what is asked again). Invariant: whatever a server answers, `read` gives a reply or a refusal and never panics, and
//! no key is in the URL, in a refusal or in any printed form. Vendors in this folder never name each other.

mod anthropic;
pub mod batch;
mod endpoint;
mod gemini;
pub mod local;
mod openai;
mod recorded;
mod refusal;
mod schema;

pub use endpoint::{Endpoint, Form, url_fault};
pub(crate) use gemini::{SCOPE as GOOGLE_SCOPE, host as google_host};
pub use recorded::Recording;
pub use refusal::{Kind, Refusal};
pub(crate) use refusal::{of_body, of_failure};

use crate::error::{Error, Result};
use crate::secret::{KeySource, Secret};
use knowledge::prompt::{Prompt, Reply};
use knowledge::quota::Day;
use std::fmt;

/// How one model of one vendor is spoken to.
pub trait Dialect: Send + Sync {
    /// The model as answers are kept under: the same model elsewhere is not paid for again.
    fn model(&self) -> &str;

    /// Where it is asked, for messages: vendor and place, without keys.
    fn label(&self) -> &str;

    /// The request for a prompt. The same prompt gives the same bytes, what never changes first.
    fn request(&self, prompt: &Prompt) -> Request;

    /// What a response says.
    ///
    /// # Errors
    /// A failure, or a success that is not what the vendor documents.
    fn read(&self, response: &Response) -> std::result::Result<Reply, Refusal>;

    /// The vendor's batch engine for this model; nothing where there is none, or a setting that it needs is missing.
    fn engine(&self) -> Option<Box<dyn batch::Engine + '_>> {
        None
    }
}

/// Who answers: a vendor that is spoken to, or a recording that has what a model once said.
pub enum Answerer {
    /// A vendor's model.
    Vendor(Box<dyn Dialect>),
    /// A recording of one.
    Recording(Recording),
}

impl Answerer {
    /// The model as answers are kept under.
    pub fn model(&self) -> &str {
        match self {
            Answerer::Vendor(dialect) => dialect.model(),
            Answerer::Recording(recording) => recording.model(),
        }
    }

    /// Who is asked, for messages.
    pub fn label(&self) -> &str {
        match self {
            Answerer::Vendor(dialect) => dialect.label(),
            Answerer::Recording(recording) => recording.label(),
        }
    }

    /// The vendor's dialect; nothing of a recording.
    pub fn dialect(&self) -> Option<&dyn Dialect> {
        match self {
            Answerer::Vendor(dialect) => Some(&**dialect),
            Answerer::Recording(_) => None,
        }
    }
}

/// A request, but for a Google token, which is fetched when it is sent.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address; never with a key in it.
    pub url: String,
    /// Headers that anybody may see.
    pub headers: Vec<(&'static str, String)>,
    /// Headers from the settings, which may be keys of a gateway.
    pub private: Vec<(String, Secret)>,
    /// What lets us in.
    pub auth: Auth,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is the wiki's text: it belongs in no log.
        let size = format!("{} bytes", self.body.len());
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("private", &self.private)
            .field("auth", &self.auth)
            .field("body", &size)
            .finish()
    }
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Ask for something.
    Get,
    /// Send something.
    Post,
}

/// What lets us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nothing: a server of one's own.
    None,
    /// `Authorization: Bearer`.
    Bearer(Secret),
    /// A header of the vendor's.
    Header(&'static str, Secret),
    /// A token for this scope from Google's application-default credentials.
    Google(&'static str),
}

/// A response, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
}

impl Response {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An endpoint with its secrets read: what a vendor's dialect is made from.
pub(crate) struct Access {
    pub(crate) endpoint: Endpoint,
    pub(crate) key: Option<Secret>,
    pub(crate) headers: Vec<(String, Secret)>,
}

/// Tokens that a model may think before it answers, where thinking counts against the length of the answer: what the
/// vendors' models take for tasks of this size with their own settings, with room.
const THINKING: u32 = 8_192;

/// Beginnings of the names of models that do not think, or whose answers may be no longer than a few thousand tokens.
/// Whatever is newer thinks, as a rule.
const THOUGHTLESS: [&str; 6] = ["gpt-3", "gpt-4", "chatgpt-4", "gemini-1", "gemini-2.0", "gemma"];

impl Access {
    /// The most tokens that an answer to this prompt may have. `thinks` says whether the vendor counts thinking.
    pub(crate) fn output_limit(&self, prompt: &Prompt, thinks: bool) -> u32 {
        let name = self.endpoint.model.rsplit('/').next().unwrap_or_default();
        let thinks = thinks && !THOUGHTLESS.iter().any(|known| name.starts_with(known));
        let room = if thinks { THINKING } else { 0 };
        let most = self.endpoint.output_tokens.unwrap_or(u32::MAX);
        prompt.max_output_tokens.saturating_add(room).min(most)
    }
}

/// A vendor: its name in the settings, where its key is unless the settings say otherwise, and its dialect.
struct Vendor {
    name: &'static str,
    key: Option<&'static str>,
    make: fn(Access) -> Result<Box<dyn Dialect>>,
}

/// Every vendor, one line each. `compatible` has no usual key: a key that was set for another server is not sent to it.
const VENDORS: &[Vendor] = &[
    Vendor { name: "anthropic", key: Some("ANTHROPIC_API_KEY"), make: anthropic::make },
    Vendor { name: "azure", key: Some("AZURE_OPENAI_API_KEY"), make: openai::azure },
    Vendor { name: "compatible", key: None, make: openai::compatible },
    Vendor { name: "gemini", key: Some("GEMINI_API_KEY"), make: gemini::gemini },
    Vendor { name: "openai", key: Some("OPENAI_API_KEY"), make: openai::openai },
    Vendor { name: "vertex", key: None, make: gemini::vertex },
];

/// The names of all vendors, for messages.
pub fn vendors() -> impl Iterator<Item = &'static str> {
    VENDORS.iter().map(|vendor| vendor.name)
}

/// When a vendor gives a day's requests back: the Gemini API says midnight in California; the others count the last 24
/// hours, or nothing by the day.
pub fn day(vendor: &str) -> Day {
    match vendor {
        "gemini" => Day::pacific(),
        _ => Day::Rolling,
    }
}

/// The dialect of an endpoint. `environment` looks a variable up.
///
/// # Errors
/// Settings that do not fit the vendor, or a key that cannot be read.
pub fn dialect(
    endpoint: &Endpoint,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Box<dyn Dialect>> {
    let vendor = vendor(endpoint)?;
    (vendor.make)(access(endpoint, environment)?)
}

fn vendor(endpoint: &Endpoint) -> Result<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == endpoint.vendor).ok_or_else(|| endpoint.unknown())
}

/// An endpoint with its secrets, for whoever speaks to its vendor. `environment` looks a variable up.
///
/// # Errors
/// Settings that do not fit the vendor, or a key that cannot be read.
pub(crate) fn access(endpoint: &Endpoint, environment: impl Fn(&str) -> Option<String>) -> Result<Access> {
    endpoint.check()?;
    let vendor = vendor(endpoint)?;
    let usual = || vendor.key.map(|name| KeySource::Env(name.to_owned()));
    let during = |error: Error| error.during(format_args!("model `{}`", endpoint.name()));
    let key = endpoint.key.clone().or_else(usual).map(|source| source.read(&environment));
    let key = key.transpose().map_err(during)?;
    let headers = endpoint.headers.iter().map(|(name, value)| {
        let secret = match KeySource::try_from(value.clone()) {
            Ok(source) => source.read(&environment)?,
            Err(_) => Secret::new(value),
        };
        Ok((name.clone(), secret))
    });
    let headers = headers.collect::<Result<_>>().map_err(during)?;
    Ok(Access { endpoint: endpoint.clone(), key, headers })
}

#[cfg(test)]
mod contract;
