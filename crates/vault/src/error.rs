//! The one error of this crate. Its kind says what the caller can do; its text says what was being done, to
//! what, what was found and what was expected. It never holds the bytes of an entry, which may be secret.

use std::fmt;

/// What a vault function gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Try again later: the store did not answer clearly, or a torn object is in the way of an open writer.
    Later,
    /// A setting, a permission or the disk must be put right first.
    Halt,
    /// There is no vault at the target.
    Empty,
    /// Another writer has taken the vault over.
    Fenced,
    /// An object of the vault is not what was written.
    Damaged,
    /// The position is not in the chain: a cache that stands on it must be discarded.
    NotInChain,
    /// A newer version of the program wrote this.
    Newer,
    /// A mistake of ours.
    Bug,
}

/// Why a vault could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    text: String,
    hint: Option<String>,
}

impl Error {
    /// An error of this kind. Stores outside this crate make theirs here, too.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hint: None }
    }

    /// Adds the way out, shown on its own line.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The way out, if there is a known one.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// An object whose content is not what was written, with the usual way out.
    pub(crate) fn damaged(place: &str, found: impl fmt::Display) -> Self {
        Self::new(Kind::Damaged, format!("reading `{place}`: {found}")).with_hint(
            "put this object back from a copy of the vault; nothing after it can be read safely until then",
        )
    }

    /// A mistake of ours.
    pub(crate) fn bug(text: impl Into<String>) -> Self {
        Self::new(Kind::Bug, text)
            .with_hint("this is a fault of the program; please report it with this message")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
