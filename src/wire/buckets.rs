//! The clients of the three clouds, set up from the environment in each cloud's own words. Must not know what is kept
//! in a bucket.
//!
//! Invariant: an outage shows within a minute. The journal asks up to six times before it says that an answer is
//! unclear (it sends a segment three times and looks after each), so one request may take about eight seconds to fail:
//! `CONNECT`, `RETRIES` and the times of `Paced` add up to that.

use super::stores::{Bucket, Cloud};
use crate::error::{Error, Kind, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::ReqwestConnector;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use std::sync::Arc;
use std::time::Duration;

/// Until there is a connection.
const CONNECT: &str = "4 seconds";

/// How long the client sends a request again by itself: through the hiccup of one server, not through an outage.
const RETRIES: Duration = Duration::from_secs(5);

/// The client of a bucket.
///
/// # Errors
/// Settings that are missing or cannot be used. No service is asked.
pub fn objects(
    bucket: Bucket<'_>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>> {
    // Whoever was first has installed the same one: there is no other in this program.
    rustls::crypto::ring::default_provider().install_default().ok();
    let environment: Vec<(String, String)> = environment.into_iter().collect();
    match bucket.service {
        Cloud::Google => google(bucket.name, &environment),
        Cloud::Amazon => amazon(bucket.name, &environment),
        Cloud::Azure => azure(bucket.name, &environment),
    }
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        ..BackoffConfig::default()
    };
    // The time is the bound; the number only has to be above what fits into it.
    RetryConfig { backoff, max_retries: 50, retry_timeout: RETRIES }
}

/// What is set on every client; the environment may not change it.
fn options() -> [(ClientConfigKey, &'static str); 2] {
    let agent = concat!("highwater/", env!("CARGO_PKG_VERSION"));
    [(ClientConfigKey::ConnectTimeout, CONNECT), (ClientConfigKey::UserAgent, agent)]
}

/// The variables that begin with this, as the client names them. What it does not know is another program's.
fn named<'a, K: std::str::FromStr>(
    environment: &'a [(String, String)],
    beginning: &'a str,
) -> impl Iterator<Item = (K, &'a str)> {
    environment
        .iter()
        .filter(move |(name, _)| name.starts_with(beginning))
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
}

fn google(bucket: &str, environment: &[(String, String)]) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_retry(retries())
        .with_http_connector(Paced);
    for (key, value) in options() {
        builder = builder.with_config(GoogleConfigKey::Client(key), value);
    }
    let emulator = environment.iter().find(|(name, _)| name == "STORAGE_EMULATOR_HOST");
    builder = match emulator.map(|(_, host)| host.trim_end_matches('/')).filter(|host| !host.is_empty()) {
        // No token for whoever answers there: it is not Google.
        Some(host) if host.contains("://") => builder.with_base_url(host).with_bearer_token("emulator"),
        Some(host) => builder.with_base_url(&format!("http://{host}")).with_bearer_token("emulator"),
        None => with_google_tokens(builder),
    };
    Ok(Arc::new(builder.build().map_err(|error| unusable("Google Cloud Storage", &error))?))
}

fn amazon(bucket: &str, environment: &[(String, String)]) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::new();
    for (key, value) in named(environment, "AWS_") {
        builder = builder.with_config(key, value);
    }
    for (key, value) in options() {
        builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
    }
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
        .iter()
        .find_map(|key| builder.get_config_value(key));
    let allow = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    check_plain_http(endpoint, allow, "AWS_ALLOW_HTTP")?;
    let builder = builder.with_bucket_name(bucket).with_retry(retries()).with_http_connector(Paced);
    Ok(Arc::new(builder.build().map_err(|error| unusable("S3", &error))?))
}

fn azure(container: &str, environment: &[(String, String)]) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in named(environment, "AZURE_") {
        builder = builder.with_config(key, value);
    }
    if let Some((_, endpoint)) = environment.iter().find(|(name, _)| name == "IDENTITY_ENDPOINT") {
        builder = builder.with_msi_endpoint(endpoint);
    }
    for (key, value) in options() {
        builder = builder.with_config(AzureConfigKey::Client(key), value);
    }
    let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
    let allow = builder.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
    check_plain_http(endpoint, allow, "AZURE_ALLOW_HTTP")?;
    let builder = builder.with_container_name(container).with_retry(retries()).with_http_connector(Paced);
    Ok(Arc::new(builder.build().map_err(|error| unusable("Azure", &error))?))
}

/// Refuses an endpoint without TLS that nobody allowed, in our words: the client would only say that the request cannot
/// be built.
fn check_plain_http(endpoint: Option<String>, allow: Option<String>, variable: &str) -> Result<()> {
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    match plain && allow.as_deref() != Some("true") {
        false => Ok(()),
        true => {
            let text = "opening a bucket: its endpoint is `http://`, so everything would go unencrypted";
            Err(Error::new(Kind::Halt, text)
                .hint(format!("give an `https://` endpoint, or set `{variable}=true`")))
        }
    }
}

/// A client could not be set up. Only the innermost cause is told: around it stand the values that were tried.
fn unusable(service: &str, error: &object_store::Error) -> Error {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let cause = cause.to_string();
    let cause = cause.split('?').next().unwrap_or_default();
    Error::new(Kind::Halt, format!("opening a bucket of {service}: {cause}"))
        .hint("`docs/buckets.md` lists what the environment must say")
}

#[cfg(not(feature = "gcp"))]
fn with_google_tokens(builder: GoogleCloudStorageBuilder) -> GoogleCloudStorageBuilder {
    builder
}

#[cfg(feature = "gcp")]
fn with_google_tokens(builder: GoogleCloudStorageBuilder) -> GoogleCloudStorageBuilder {
    builder.with_credentials(Arc::new(tokens::Tokens::default()))
}

/// Google's application-default credentials, in the place of the client's own, which know no workload identity
/// federation and no impersonation.
#[cfg(feature = "gcp")]
mod tokens {
    use crate::models::Kind;
    use crate::world::google::Google;
    use crate::world::live::pause;
    use object_store::gcp::GcpCredential;
    use std::fmt;
    use std::sync::Arc;
    use std::time::Duration;

    /// Reading, writing and deleting objects; nothing else in the project.
    const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

    /// A token takes at most three short requests (federation, then impersonation).
    const TOKEN: Duration = Duration::from_secs(20);

    #[derive(Default)]
    pub(super) struct Tokens(Google);

    impl fmt::Debug for Tokens {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Tokens")
        }
    }

    #[async_trait::async_trait]
    impl object_store::CredentialProvider for Tokens {
        type Credential = GcpCredential;

        async fn get_credential(&self) -> object_store::Result<Arc<GcpCredential>> {
            let headers = tokio::select! {
                headers = self.0.headers(SCOPE) => headers,
                () = pause(TOKEN) => return Err(unclear("asking for a Google token: no answer".to_owned())),
            };
            let headers = headers.map_err(|refusal| {
                // The advice on the last line is for models; the store has its own.
                let text = refusal.text.lines().next().unwrap_or_default().to_owned();
                match refusal.kind {
                    Kind::Later { .. } => unclear(text),
                    _ => object_store::Error::Unauthenticated { path: String::new(), source: text.into() },
                }
            })?;
            let named = |name: &str| name.eq_ignore_ascii_case("authorization");
            let token = headers.iter().find(|(name, _)| named(name));
            let bearer = token.and_then(|(_, value)| value.expose().strip_prefix("Bearer "));
            match bearer {
                Some(bearer) => Ok(Arc::new(GcpCredential { bearer: bearer.to_owned() })),
                None => Err(unclear("asking for a Google token: there is none in the answer".to_owned())),
            }
        }
    }

    fn unclear(text: String) -> object_store::Error {
        object_store::Error::Generic { store: "GCS", source: text.into() }
    }
}

/// Gives each request the time that its size needs. One limit for all would either cut a large snapshot off or let a
/// dead service hold a small segment for as long as a snapshot takes.
#[derive(Debug)]
struct Paced;

/// Uploads up to so many bytes, and how long each may take: at 300 KB a second (the smallest at 26 KB) it gets through.
const UPLOADS: [(usize, &str); 3] =
    [(256 << 10, "10 seconds"), (16 << 20, "1 minute"), (usize::MAX, "1 hour")];

/// A download may take as long as it needs while something comes, and this long for the next of it.
const SILENCE: Duration = Duration::from_secs(8);

/// An hour moves the largest object at 300 KB a second.
const DOWNLOAD: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct PacedClient {
    download: HttpClient,
    uploads: Vec<(usize, HttpClient)>,
}

impl HttpConnector for Paced {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let upload = |(size, time): (usize, &str)| {
            let options = options.clone().with_config(ClientConfigKey::Timeout, time);
            Ok((size, ReqwestConnector::default().connect(&options)?))
        };
        let download = options.clone().with_read_timeout(SILENCE).with_timeout(DOWNLOAD);
        Ok(HttpClient::new(PacedClient {
            download: ReqwestConnector::default().connect(&download)?,
            uploads: UPLOADS.into_iter().map(upload).collect::<object_store::Result<_>>()?,
        }))
    }
}

#[async_trait::async_trait]
impl HttpService for PacedClient {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let size = request.body().content_length();
        let upload = self.uploads.iter().find(|(most, _)| size <= *most);
        match upload.filter(|_| request.method() != "GET") {
            Some((_, client)) => client.execute(request).await,
            None => self.download.execute(request).await,
        }
    }
}
