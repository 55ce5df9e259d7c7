//! Tokens of Google's application-default credentials: the file that `GOOGLE_APPLICATION_CREDENTIALS` names (a service
//! account, workload identity federation, impersonation), that of `gcloud`, or the metadata server. Must not know what
//! a token is for. Nothing is looked for before the first request that needs one.

use crate::models::{Kind, Refusal};
use crate::secret::Secret;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, Builder, CacheableResource, CredentialsProvider,
};
use google_cloud_auth::errors::CredentialsError;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// The credentials, once they were needed. They keep their token and renew it by themselves.
#[derive(Clone, Default)]
pub(crate) struct Google(Arc<OnceCell<AccessTokenCredentials>>);

impl Google {
    /// These credentials.
    pub(crate) fn of(credentials: AccessTokenCredentials) -> Self {
        Self(Arc::new(OnceCell::new_with(Some(credentials))))
    }

    /// The headers that let a request in: the token, and who pays where that is said.
    pub(crate) async fn headers(&self, scope: &str) -> Result<Vec<(String, Secret)>, Refusal> {
        let credentials = self.0.get_or_try_init(|| async { find(scope) }).await?;
        match credentials.headers(http::Extensions::new()).await {
            Ok(CacheableResource::New { data, .. }) => Ok(data
                .iter()
                .filter_map(|(name, value)| Some((name.to_string(), Secret::new(value.to_str().ok()?))))
                .collect()),
            // Only who names a token that he has already is told so.
            Ok(CacheableResource::NotModified) => Err(refused(Kind::fault(), "there is none")),
            Err(error) => Err(of_error(&error)),
        }
    }
}

fn find(scope: &str) -> Result<AccessTokenCredentials, Refusal> {
    let found = Builder::default().with_scopes([scope]).build_access_token_credentials();
    found.map_err(|error| refused(Kind::Halt, &format!("the credentials cannot be used: {error}{HINT}")))
}

fn of_error(error: &CredentialsError) -> Refusal {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    match error.is_transient() {
        true => refused(Kind::fault(), &text),
        false => refused(Kind::Halt, &format!("{text}{HINT}")),
    }
}

/// The way out.
const HINT: &str = "\nhint: run `gcloud auth application-default login`, or name a credentials file in \
                    `GOOGLE_APPLICATION_CREDENTIALS`, or give the job a service account";

fn refused(kind: Kind, found: &str) -> Refusal {
    Refusal::new(kind, format!("asking for a Google token: {found}"))
}
