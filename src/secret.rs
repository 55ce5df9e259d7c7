//! What must never be seen: keys and tokens, and where a user says they are. A `Secret` prints stars, has no serialised
//! form, and is taken out of texts that others wrote. This file must not know what a key opens.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// A shorter text is no secret but a word such as `none` or `dummy`, which local servers are given as a key; striking
/// it out of answers would garble them.
const SHORTEST: usize = 8;

/// A key or token. It is shown as stars; only `expose` gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret. White space around it (the line break at the end of a file) does not belong to it.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().trim().to_owned())
    }

    /// The secret itself, for the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is worth hiding.
    fn is_secret(&self) -> bool {
        self.0.len() >= SHORTEST
    }

    /// Strikes the secret out of a text that came from elsewhere, such as a server that repeats what it was sent.
    pub fn strike(&self, text: &mut [u8]) {
        if !self.is_secret() {
            return;
        }
        let finder = memchr::memmem::Finder::new(self.0.as_bytes());
        let places: Vec<usize> = finder.find_iter(text).collect();
        for place in places {
            text[place..place + self.0.len()].fill(b'*');
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a key is. In settings it is written `env:NAME` or `file:PATH` (a mounted secret is a file); a key itself is
/// never written there, so settings may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
}

impl KeySource {
    /// Reads the key. `environment` looks a variable up.
    ///
    /// # Errors
    /// The variable is not set, the file cannot be read, there is nothing in it, or it cannot stand in a header.
    pub fn read(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Secret> {
        let text = match self {
            KeySource::Env(name) => environment(name).ok_or_else(|| {
                Error::new(Kind::Halt, format!("reading a key: the environment variable `{name}` is not set"))
                    .hint(format!("set `{name}`, or name another place with `env:NAME` or `file:PATH`"))
            })?,
            KeySource::File(path) => read_file(path)?,
        };
        let secret = Secret::new(text);
        let found = match secret.expose() {
            "" => "nothing in it",
            key if !key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
                "line breaks or characters that cannot stand in a header"
            }
            _ => return Ok(secret),
        };
        Err(Error::new(Kind::Halt, format!("reading a key: `{self}` has {found}, expected one line of text")))
    }
}

fn read_file(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(Kind::Halt, format!("reading a key from the file `{}`: {error}", path.display()))
            .hint("check that the secret is mounted there and can be read")
    })
}

impl TryFrom<String> for KeySource {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(KeySource::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(KeySource::File(path.into())),
            // The text is not repeated: it may be a key that was put in the wrong place.
            _ => {
                Err("expected `env:NAME` or `file:PATH`; a key itself does not belong in settings".to_owned())
            }
        }
    }
}

impl From<KeySource> for String {
    fn from(source: KeySource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::Env(name) => write!(f, "env:{name}"),
            KeySource::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_stars() {
        let secret = Secret::new("sk-very-secret\n");
        assert_eq!(format!("{secret:?} {secret} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "sk-very-secret");
    }

    #[test]
    fn a_secret_is_struck_out_wherever_it_stands_but_a_word_is_not() {
        let mut text = b"key sk-very-secret, again sk-very-secret".to_vec();
        Secret::new("sk-very-secret").strike(&mut text);
        assert_eq!(text, b"key **************, again **************");
        let mut text = b"none of it".to_vec();
        Secret::new("none").strike(&mut text);
        Secret::new("").strike(&mut text);
        assert_eq!(text, b"none of it");
    }

    #[test]
    fn a_key_is_read_from_the_environment_or_a_file_and_never_from_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "from-a-file\n").unwrap();
        let read = |text: &str| {
            let source = KeySource::try_from(text.to_owned()).unwrap();
            source.read(|name| (name == "KEY").then(|| "from-env".to_owned()))
        };
        assert_eq!(read("env:KEY").unwrap().expose(), "from-env");
        assert_eq!(read(&format!("file:{}", path.display())).unwrap().expose(), "from-a-file");
        assert!(read("env:OTHER").unwrap_err().to_string().contains("`OTHER` is not set"));
        assert!(read("file:nowhere").unwrap_err().to_string().contains("nowhere"));
        std::fs::write(&path, "two\nlines").unwrap();
        let error = read(&format!("file:{}", path.display())).unwrap_err().to_string();
        assert!(error.contains("line breaks") && !error.contains("two"), "{error}");
        let error = KeySource::try_from("sk-very-secret".to_owned()).unwrap_err();
        assert!(!error.contains("sk-"), "{error}");
    }
}
