//! The one socket: sends a request of a dialect and brings the whole response, within bounds of time and size.
//!
//! One call is one request: nothing is sent again and no redirect is followed, so a permit of the quota is one request
//! at the vendor, and a key goes nowhere else. Must not know what is asked or what an answer means. Invariant: no key
//! is in what comes back, be it an error or a body that repeats what was sent.

#[cfg(feature = "gcp")]
use super::google::Google;
use crate::models::{Auth, Kind, Method, Refusal, Request, Response, local};
use crate::secret::Secret;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::error::Error as _;
use std::time::Duration;

/// How long and how large a response may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the last byte of the body.
    pub total: Duration,
    /// Bytes of the body.
    pub body: usize,
}

impl Bounds {
    /// Bytes of the largest answer: one of 64k tokens is under 1 MB, 256 vectors of 3,072 numbers are under 20 MB, so
    /// this is the page of somebody else.
    pub const ANSWER: usize = 32 << 20;
}

impl Default for Bounds {
    /// A connection is there in 20 s or not at all; the longest answers (a thinking model, a small machine) take
    /// minutes, and vendors themselves give up at 10.
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), total: Duration::from_secs(600), body: Self::ANSWER }
    }
}

/// Looking for a server on this machine: it answers at once or is not there.
const LOOKING: Bounds =
    Bounds { connect: Duration::from_secs(1), total: Duration::from_secs(3), body: 1 << 20 };

/// Servers and gateways in between drop connections that were quiet for a minute or more.
const IDLE: Duration = Duration::from_secs(50);

/// Notices a peer that is gone while a model thinks: gateways forget quiet connections after some minutes.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A token takes at most three short requests (federation, then impersonation); whoever is silent longer is not there.
#[cfg(feature = "gcp")]
const TOKEN: Duration = Duration::from_secs(60);

/// Sends requests. Cheap to clone; the clones share connections.
#[derive(Clone)]
pub struct Http {
    /// By the proxy that the environment names, if it names one.
    outside: reqwest::Client,
    /// Never by a proxy: this machine.
    inside: reqwest::Client,
    bounds: Bounds,
    #[cfg(feature = "gcp")]
    google: Google,
}

impl Http {
    /// A way out with these bounds.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(bounds: Bounds) -> Result<Self, Refusal> {
        // Whoever was first has installed the same one: there is no other in this program.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = || {
            reqwest::Client::builder()
                .user_agent(concat!("highwater/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(bounds.connect)
                .timeout(bounds.total)
                .pool_idle_timeout(IDLE)
                .tcp_keepalive(KEEPALIVE)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
        };
        let halt = |error: reqwest::Error| {
            Refusal::new(Kind::Halt, format!("preparing connections: {}", chain(&error.without_url())))
        };
        Ok(Self {
            outside: client().build().map_err(halt)?,
            inside: client().no_proxy().build().map_err(halt)?,
            bounds,
            #[cfg(feature = "gcp")]
            google: Google::default(),
        })
    }

    /// The same, for responses of up to so many bytes.
    #[must_use]
    pub fn with_body(mut self, bytes: usize) -> Self {
        self.bounds.body = bytes;
        self
    }

    /// The same with these Google credentials in the place of the application's default.
    #[cfg(feature = "gcp")]
    #[must_use]
    pub fn with_google(self, credentials: google_cloud_auth::credentials::AccessTokenCredentials) -> Self {
        Self { google: Google::of(credentials), ..self }
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// No whole response within the bounds, or no way to be let in. A response of any status is no error.
    pub async fn send(&self, request: &Request) -> Result<Response, Refusal> {
        let url = reqwest::Url::parse(&request.url)
            .map_err(|error| Refusal::new(Kind::Halt, format!("reading an address: {error}")))?;
        let place = url.origin().ascii_serialization();
        let (headers, secrets) = self.headers(request, &url).await?;
        let client = if is_inside(&url) { &self.inside } else { &self.outside };
        let building = match request.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url).body(request.body.clone()),
        };
        let received = match building.headers(headers).send().await {
            Ok(response) => self.receive(response).await,
            Err(error) => Err(Fault::Transport(error)),
        };
        let mut response = received.map_err(|fault| self.refusal(&place, fault, &secrets))?;
        // Of whatever status: gateways send errors that repeat the key as successes.
        secrets.iter().for_each(|secret| secret.strike(&mut response.body));
        Ok(response)
    }

    async fn receive(&self, mut response: reqwest::Response) -> Result<Response, Fault> {
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let headers = headers.collect();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(Fault::Transport)? {
            if body.len() + part.len() > self.bounds.body {
                return Err(Fault::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(Response { status, headers, body })
    }

    async fn headers(
        &self,
        request: &Request,
        url: &reqwest::Url,
    ) -> Result<(HeaderMap, Vec<Secret>), Refusal> {
        let private = request.private.iter().map(|(name, secret)| (name.clone(), secret.clone()));
        let mut private: Vec<(String, Secret)> = private.collect();
        match &request.auth {
            Auth::None => {}
            Auth::Bearer(key) => private.push(bearer(key)),
            Auth::Header(name, key) => private.push(((*name).to_owned(), key.clone())),
            Auth::Google(scope) => private.extend(self.google_headers(scope, url).await?),
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            insert(&mut headers, name, value, false)?;
        }
        for (name, secret) in &private {
            insert(&mut headers, name, secret.expose(), true)?;
        }
        let secrets = private.into_iter().map(|(_, secret)| {
            // A server repeats the token, not always the word before it.
            let text = secret.expose();
            let bare = text.strip_prefix("Bearer ").or_else(|| text.strip_prefix("Basic "));
            Secret::new(bare.unwrap_or(text))
        });
        Ok((headers, secrets.collect()))
    }

    #[cfg(feature = "gcp")]
    async fn google_headers(
        &self,
        scope: &str,
        url: &reqwest::Url,
    ) -> Result<Vec<(String, Secret)>, Refusal> {
        // Such a token opens the whole project, so it never goes over a wire that others can read.
        if url.scheme() != "https" && !is_inside(url) {
            let place = url.origin().ascii_serialization();
            return Err(Refusal::new(
                Kind::Halt,
                format!("asking `{place}`: a Google token is only sent over `https`"),
            ));
        }
        let within = self.bounds.total.min(TOKEN);
        let waited = tokio::time::timeout(within, self.google.headers(scope)).await;
        waited.unwrap_or_else(|_| {
            let text = format!("asking for a Google token: none within {} s", within.as_secs_f32());
            Err(Refusal::new(Kind::fault(), text))
        })
    }

    #[cfg(not(feature = "gcp"))]
    async fn google_headers(&self, _: &str, _: &reqwest::Url) -> Result<Vec<(String, Secret)>, Refusal> {
        let text =
            "asking for a Google token: this build has no `gcp`; set `key`, or build with the feature `gcp`";
        Err(Refusal::new(Kind::Halt, text))
    }

    fn refusal(&self, place: &str, fault: Fault, secrets: &[Secret]) -> Refusal {
        let (kind, found) = match fault {
            Fault::TooLarge => {
                (Kind::fault(), format!("the answer is over the limit of {} MB", self.bounds.body >> 20))
            }
            Fault::Transport(error) if error.is_timeout() && !error.is_connect() => {
                (Kind::fault(), format!("no whole answer within {} s", self.bounds.total.as_secs_f32()))
            }
            Fault::Transport(error) => {
                let found = chain(&error.without_url());
                // A certificate that is not trusted stays so; everything else on the way may pass.
                let halts = found.contains("certificate");
                (if halts { Kind::Halt } else { Kind::fault() }, found)
            }
        };
        let mut text = format!("asking `{place}`: {found}").into_bytes();
        secrets.iter().for_each(|secret| secret.strike(&mut text));
        Refusal::new(kind, String::from_utf8_lossy(&text))
    }
}

/// Why there is no whole response.
enum Fault {
    Transport(reqwest::Error),
    TooLarge,
}

fn bearer(key: &Secret) -> (String, Secret) {
    ("authorization".to_owned(), Secret::new(format!("Bearer {}", key.expose())))
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str, sensitive: bool) -> Result<(), Refusal> {
    let wrong =
        |what| Refusal::new(Kind::Halt, format!("sending the header `{name}`: its {what} is not allowed"));
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("name"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong("value"))?;
    value.set_sensitive(sensitive);
    headers.insert(known, value);
    Ok(())
}

pub(super) fn is_inside(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error with what caused it: the outermost one says least.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}

/// Asks every place whether a model server is there. For `local`, which the user must have written.
///
/// # Errors
/// The system's certificates cannot be read.
pub async fn look(places: Vec<local::Place>) -> Result<Vec<local::Found>, Refusal> {
    let http = Http::new(LOOKING)?;
    let mut found = Vec::new();
    for place in places {
        let Ok(response) = http.send(&local::request(&place)).await else { continue };
        found.extend(local::read(place, &response));
    }
    Ok(found)
}
