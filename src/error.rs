//! The product's one error type. Its kind says what to do; the text says what was being done, to what, and what was
//! found; the hint says the way out.

use std::fmt;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Try again later: nothing is wrong with the call.
    Later,
    /// Not now, not ever: park this item and go on.
    Never,
    /// Stop and fix a setting, a path or a right.
    Halt,
    /// The command line was wrong.
    Usage,
    /// The vault will not have this: empty, foreign, fenced, newer or damaged.
    Vault,
    /// Another run is at work on this vault.
    Active,
    /// The state file stands on a record that is not in this vault's chain: fold again from the start.
    Foreign,
    /// Our own mistake.
    Bug,
}

/// An error with its advice.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    text: String,
    hint: Option<String>,
}

/// A result with the product's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a kind. The text has no capital and no full stop.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hint: None }
    }

    /// Adds the way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the verb that failed in front.
    pub fn during(mut self, doing: impl fmt::Display) -> Self {
        self.text = format!("{doing}: {}", self.text);
        self
    }

    /// Adds what else is so.
    pub fn also(mut self, what: impl fmt::Display) -> Self {
        self.text = format!("{}; {what}", self.text);
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The way out, if one is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// Whether a disk refused to take more: what is read from it may be sound.
fn wants_room(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    let code = error.sqlite_error().map(|error| error.extended_code);
    let of_writing = [
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_IOERR_FSYNC,
        ffi::SQLITE_IOERR_TRUNCATE,
        ffi::SQLITE_IOERR_SHMOPEN,
        ffi::SQLITE_IOERR_SHMSIZE,
        ffi::SQLITE_IOERR_SHMMAP,
    ];
    code.is_some_and(|code| of_writing.contains(&code))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let text = format!("state file: {error}");
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Error::new(Kind::Later, text)
                .hint("make room on the disk that holds the state file, then run the same command again"),
            Some(ErrorCode::SystemIoFailure) if wants_room(&error) => Error::new(Kind::Later, text)
                .hint("make room on the disk that holds the state file, then run the same command again"),
            Some(ErrorCode::SystemIoFailure) => Error::new(Kind::Halt, text).hint(
                "the disk that holds the state file fails: give another `--state`; it is made from the vault",
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::new(Kind::Later, text).hint(
                "another process is writing to this state file; wait for it, or give another `--state`",
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::new(Kind::Halt, text).hint(
                "delete the state file, or run `highwater vault rebuild`: it is made again from the vault",
            ),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Error::new(Kind::Halt, text).hint("give a `--state` path that can be written")
            }
            _ => Error::new(Kind::Bug, text),
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::new(Kind::Bug, format!("state file: a stored value is not readable: {error}"))
            .hint("run `highwater vault rebuild`; if it comes back, the binary is older than the state file")
    }
}

impl From<vault::Error> for Error {
    fn from(error: vault::Error) -> Self {
        let kind = match error.kind() {
            vault::Kind::Later => Kind::Later,
            vault::Kind::Halt => Kind::Halt,
            vault::Kind::Bug => Kind::Bug,
            vault::Kind::NotInChain => Kind::Foreign,
            _ => Kind::Vault,
        };
        let converted = Error::new(kind, error.to_string());
        match error.hint() {
            Some(hint) => converted.hint(hint),
            None => converted,
        }
    }
}

impl From<crate::sources::SourceError> for Error {
    fn from(error: crate::sources::SourceError) -> Self {
        let kind = match error.kind {
            crate::sources::Kind::Changed | crate::sources::Kind::Later => Kind::Later,
            crate::sources::Kind::Never => Kind::Never,
            crate::sources::Kind::Halt | crate::sources::Kind::Damaged => Kind::Halt,
        };
        Error { kind, text: error.text, hint: error.hint }
    }
}
