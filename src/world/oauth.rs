//! OAuth 2.0 tokens of Confluence Cloud (3LO) that renew themselves. The token to renew with is another after each use
//! (rotating refresh tokens), so the new one is on the disk before anything is done with what came with it.
//!
//! Invariant: the file is never less than whole, and nobody else may read it. A token is never written anywhere else.
//! Nothing is renewed before there is a place for what comes of it, nor by two at once: whoever renews holds a lock
//! beside the file, and has read it again.

use super::http::Http;
use super::web::retry_after;
use crate::error::{Error, Kind, Result};
use crate::models::{self, Auth, Method, Refusal, Request, Response};
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::sync::Mutex;

/// Where tokens are renewed unless the file names another place.
const TOKENS: &str = "https://auth.atlassian.com/oauth/token";

/// Room that is taken on the disk for tokens that are not there yet: those of Confluence have some thousand characters.
const ROOM: usize = 16 << 10;
/// Another process may be renewing: its request ends within some minutes, whatever becomes of it.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
const LOCK_TRIES: u32 = 3_000;

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

impl Held {
    fn is_fresh(&self) -> bool {
        !self.access_token.is_empty() && self.renew_at.is_some_and(|at| at > super::live::now())
    }

    /// The request that renews them.
    fn request(&self) -> Request {
        let body = serde_json::json!({
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        });
        Request {
            method: Method::Post,
            url: self.token_url.clone(),
            headers: vec![("content-type", "application/json".to_owned())],
            private: Vec::new(),
            auth: Auth::None,
            body: body.to_string().into_bytes(),
        }
    }

    /// What they are after this was granted.
    fn after(&self, granted: Granted) -> Self {
        let half = SignedDuration::from_secs(granted.expires_in.unwrap_or(3_600).clamp(0, 86_400) / 2);
        Self {
            access_token: granted.access_token,
            refresh_token: granted.refresh_token.unwrap_or_else(|| self.refresh_token.clone()),
            renew_at: super::live::now().checked_add(half).ok(),
            ..self.clone()
        }
    }
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
        // A link would be replaced, and what it leads to would keep a token that is worth nothing.
        let path = fs::canonicalize(path).map_err(|error| wrong(error.to_string()))?;
        let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).map_err(|error| wrong(error.to_string()))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(wrong(format!("others may read it (mode {:o})", mode & 0o777)));
            }
        }
        // What stands in the file is not repeated: it may be a token.
        let held = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("line {}: not as expected", error.line())))?;
        Ok(Self { path, held: Mutex::new(held) })
    }

    /// The access token, renewed at half of its life.
    ///
    /// # Errors
    /// It cannot be renewed, now or ever.
    pub async fn access(&self, http: &Http) -> std::result::Result<Secret, Refusal> {
        let mut held = self.held.lock().await;
        if !held.is_fresh() {
            self.renewed(http, &mut held).await?;
        }
        Ok(Secret::new(&held.access_token))
    }

    /// The access token that is used, whatever it is worth.
    pub async fn in_use(&self) -> Secret {
        Secret::new(&self.held.lock().await.access_token)
    }

    /// Renews the access token whatever its age, since this one was refused; if another is used by now, that is done.
    ///
    /// # Errors
    /// It cannot be renewed, now or ever.
    pub async fn renew(&self, http: &Http, refused: Option<Secret>) -> std::result::Result<(), Refusal> {
        let mut held = self.held.lock().await;
        match refused.is_some_and(|refused| refused != Secret::new(&held.access_token)) {
            true => Ok(()),
            false => self.renewed(http, &mut held).await,
        }
    }

    async fn renewed(&self, http: &Http, held: &mut Held) -> std::result::Result<(), Refusal> {
        let _lock = self.lock().await?;
        let text = fs::read(&self.path).map_err(|error| self.unwritable(&error))?;
        let found: Held = serde_json::from_slice(&text)
            .map_err(|_| self.unwritable(&std::io::Error::other("it is not as it was when it was read")))?;
        let is_other = found.access_token != held.access_token;
        *held = found;
        if is_other && held.is_fresh() {
            return Ok(());
        }
        let place = Place::make(&self.path, &text).map_err(|error| self.unwritable(&error))?;
        let granted = granted(&http.send(&held.request()).await?)?;
        let next = held.after(granted);
        // The old token is worth nothing from here on: before the new one is used, it is kept.
        place.take(&next).map_err(|error| halt(format!("keeping the new token: {error}")))?;
        *held = next;
        Ok(())
    }

    /// The right to renew, once whoever has it is done.
    async fn lock(&self) -> std::result::Result<File, Refusal> {
        let mut name = self.path.clone().into_os_string();
        name.push("-lock");
        let file = File::options().create(true).append(true).open(PathBuf::from(name));
        let file = file.map_err(|error| self.unwritable(&error))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                // There are file systems without locks: then whoever set it up sees to it that one alone renews.
                Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                    return Ok(file);
                }
                Err(TryLockError::Error(error)) => return Err(self.unwritable(&error)),
                Err(TryLockError::WouldBlock) => super::live::pause(LOCK_PAUSE).await,
            }
        }
        let text = format!("renewing the access token: another process holds `{}`", self.path.display());
        Err(Refusal::new(models::Kind::fault(), text))
    }

    fn unwritable(&self, error: &std::io::Error) -> Refusal {
        halt(format!(
            "there is no place for the new one at `{}`: {error}\nhint: the file is rewritten at each renewal: give a \
             `confluence_oauth` in a folder that can be written to, with room on its disk",
            self.path.display()
        ))
    }
}

fn halt(why: String) -> Refusal {
    Refusal::new(models::Kind::Halt, format!("renewing the access token: {why}"))
}

/// What the token endpoint says. That it is busy or away says nothing about the token.
fn granted(response: &Response) -> std::result::Result<Granted, Refusal> {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    let later = |wait, found: &str| {
        let kind = models::Kind::Later { wait, quota: false, day: false };
        Refusal::new(kind, format!("renewing the access token: {found} (status {})", response.status))
    };
    match response.status {
        200..300 => {
            serde_json::from_slice(&response.body).map_err(|_| later(None, "the answer holds no token"))
        }
        408 | 425 | 429 | 500.. => Err(later(retry_after(response), "its endpoint wants to be left alone")),
        status => {
            let said = serde_json::from_slice::<Said>(&response.body).ok();
            // A page for people is a proxy's, and no word about the token.
            let Some(Said { error }) = said else {
                return Err(later(None, "the answer is not its endpoint's"));
            };
            let is_code =
                error.len() < 40 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let code = if is_code { error } else { "an error".to_owned() };
            Err(halt(format!("`{code}` (status {status})\nhint: log in anew and write the new token file")))
        }
    }
}

/// A place on the disk for tokens to come, beside the file that they replace.
struct Place {
    path: PathBuf,
    file: NamedTempFile,
}

impl Place {
    /// Makes it, after the file was replaced by itself: what can be done now can be done when it matters.
    fn make(path: &Path, now: &[u8]) -> std::io::Result<Self> {
        let mut rehearsal = Self::beside(path)?;
        rehearsal.file.write_all(now)?;
        rehearsal.replace()?;
        let mut place = Self::beside(path)?;
        place.file.write_all(&[b' '; ROOM])?;
        place.file.as_file().sync_all()?;
        Ok(place)
    }

    fn beside(path: &Path) -> std::io::Result<Self> {
        // Made with mode 0600.
        Ok(Self { path: path.to_owned(), file: NamedTempFile::new_in(folder(path))? })
    }

    /// Puts tokens there, and then in the place of the file.
    fn take(mut self, held: &Held) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(held)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.as_file().set_len(text.len() as u64)?;
        self.replace()
    }

    fn replace(self) -> std::io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(|error| error.error)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { status, headers, body: body.as_bytes().to_vec() }
    }

    fn refusal(response: &Response) -> Refusal {
        granted(response).err().unwrap()
    }

    #[test]
    fn an_endpoint_that_is_busy_or_away_says_nothing_about_the_token() {
        let is_later = |refusal: Refusal| matches!(refusal.kind, models::Kind::Later { .. });
        for status in [429, 500, 502, 503, 504] {
            assert!(is_later(refusal(&answer(status, &[], "<html>"))), "{status}");
        }
        let named = refusal(&answer(429, &[("retry-after", "7")], "{}"));
        assert_eq!(
            named.kind,
            models::Kind::Later { wait: Some(Duration::from_secs(7)), quota: false, day: false }
        );
        assert!(is_later(refusal(&answer(200, &[], "<html>a proxy</html>"))));
        assert!(is_later(refusal(&answer(403, &[], "<html>a proxy</html>"))));
        let ended = refusal(&answer(403, &[], r#"{"error":"invalid_grant","error_description":"secret"}"#));
        assert!(ended.kind == models::Kind::Halt && ended.text.contains("invalid_grant"), "{ended}");
        assert!(!ended.text.contains("secret"));
    }

    #[test]
    fn a_place_is_there_before_it_is_needed_and_takes_what_is_shorter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        fs::write(&path, r#"{"client_id":"c","client_secret":"s","refresh_token":"r"}"#).unwrap();
        let text = fs::read(&path).unwrap();
        let place = Place::make(&path, &text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text, "it replaced itself");
        let held: Held = serde_json::from_slice(&text).unwrap();
        let granted =
            Granted { access_token: "a".into(), refresh_token: Some("r2".into()), expires_in: None };
        place.take(&held.after(granted)).unwrap();
        let kept: Held = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!((kept.refresh_token.as_str(), kept.is_fresh()), ("r2", true));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(Place::make(&folder.path().join("not/there.json"), b"x").is_err());
    }
}
