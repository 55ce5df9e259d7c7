//! OAuth 2.0 tokens of Confluence Cloud (3LO) that renew themselves. The token to renew with is another after each use
//! (rotating refresh tokens), so the new one is on the disk before anything is done with what came with it.
//!
//! Invariant: the file is never less than whole, and nobody else may read it. A token is never written anywhere else.

use super::http::Http;
use crate::error::{Error, Kind, Result};
use crate::models::{self, Auth, Method, Refusal, Request};
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;

/// Where tokens are renewed unless the file names another place.
const TOKENS: &str = "https://auth.atlassian.com/oauth/token";

/// Tokens in a file.
pub struct Tokens {
    path: PathBuf,
    held: Mutex<Held>,
}

/// What the file holds, as JSON.
#[derive(Clone, Serialize, Deserialize)]
struct Held {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    #[serde(default)]
    access_token: String,
    /// When half of the access token's life is over.
    #[serde(default)]
    renew_at: Option<Timestamp>,
    #[serde(default = "tokens")]
    token_url: String,
}

fn tokens() -> String {
    TOKENS.to_owned()
}

/// An answer of the token endpoint (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, others may read it, or it is not what it should be.
    pub fn open(path: &Path) -> Result<Self> {
        let wrong = |why: String| {
            let hint = "it is JSON with `client_id`, `client_secret` and `refresh_token`, mode 0600";
            Error::new(Kind::Halt, format!("reading the tokens in `{}`: {why}", path.display())).hint(hint)
        };
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path).map_err(|error| wrong(error.to_string()))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(wrong(format!("others may read it (mode {:o})", mode & 0o777)));
            }
        }
        // What stands in the file is not repeated: it may be a token.
        let held = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("line {}: not as expected", error.line())))?;
        Ok(Self { path: path.to_owned(), held: Mutex::new(held) })
    }

    /// The access token, renewed at half of its life.
    pub async fn access(&self, http: &Http) -> std::result::Result<Secret, Refusal> {
        let mut held = self.held.lock().await;
        let is_fresh = held.renew_at.is_some_and(|at| at > super::live::now());
        if !is_fresh || held.access_token.is_empty() {
            self.renewed(http, &mut held).await?;
        }
        Ok(Secret::new(&held.access_token))
    }

    /// Renews the access token whatever its age: it was refused.
    pub async fn renew(&self, http: &Http) -> std::result::Result<(), Refusal> {
        let mut held = self.held.lock().await;
        self.renewed(http, &mut held).await
    }

    async fn renewed(&self, http: &Http, held: &mut Held) -> std::result::Result<(), Refusal> {
        let body = serde_json::json!({
            "grant_type": "refresh_token",
            "client_id": held.client_id,
            "client_secret": held.client_secret,
            "refresh_token": held.refresh_token,
        });
        let request = Request {
            method: Method::Post,
            url: held.token_url.clone(),
            headers: vec![("content-type", "application/json".to_owned())],
            private: Vec::new(),
            auth: Auth::None,
            body: body.to_string().into_bytes(),
        };
        let response = http.send(&request).await?;
        let halt =
            |why: String| Refusal::new(models::Kind::Halt, format!("renewing the access token: {why}"));
        if !response.is_success() {
            return Err(halt(format!(
                "status {}; log in anew and write the new token file",
                response.status
            )));
        }
        let granted: Granted = serde_json::from_slice(&response.body)
            .map_err(|_| halt("the answer holds no token".to_owned()))?;
        let half = SignedDuration::from_secs(granted.expires_in.unwrap_or(3_600).clamp(0, 86_400) / 2);
        let next = Held {
            access_token: granted.access_token,
            refresh_token: granted.refresh_token.unwrap_or_else(|| held.refresh_token.clone()),
            renew_at: super::live::now().checked_add(half).ok(),
            ..held.clone()
        };
        // The old token is worth nothing from here on: before the new one is used, it is kept.
        self.keep(&next).map_err(|error| halt(format!("keeping the new token: {error}")))?;
        *held = next;
        Ok(())
    }

    fn keep(&self, held: &Held) -> std::io::Result<()> {
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(serde_json::to_string_pretty(held)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}
