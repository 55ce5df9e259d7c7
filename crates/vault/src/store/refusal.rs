//! What a file system's refusal means: for the caller, by its kind, and for a person, by its hint. It must not know
//! what was being stored.
//!
//! The rule: what was certainly not done, and cannot be done before somebody changes something, is [`Kind::Halt`].
//! What may have been done, or will go by itself, is [`Kind::Later`]; so is a full disk, which nothing was put on.

use crate::error::{Error, Kind};
use std::io::{self, ErrorKind};
use std::path::Path;

/// A refusal of a disk. None of these is "unclear", but for what only a network says: a creation that failed was
/// never linked.
pub(super) fn explain(doing: &str, path: &Path, error: &io::Error) -> Error {
    let kind = match is_settled(error) || !is_passing(error) {
        true => Kind::Halt,
        false => Kind::Later,
    };
    told(kind, doing, path, error)
}

/// A refusal after which the caller must not go on, whatever it says: looking again would show a success.
pub(super) fn halting(doing: &str, path: &Path, error: &io::Error) -> Error {
    told(Kind::Halt, doing, path, error)
}

/// A refusal of a mounted bucket: whatever is not said clearly may have happened.
pub(super) fn unclear(doing: &str, path: &Path, error: &io::Error) -> Error {
    let kind = match is_settled(error) {
        true => Kind::Halt,
        false => Kind::Later,
    };
    told(kind, doing, path, error)
}

/// A refusal that stands until a setting or a permission is changed.
fn is_settled(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::Unsupported
            | ErrorKind::CrossesDevices
            | ErrorKind::InvalidFilename
    )
}

/// A refusal that may end by itself: no room, or a network between us and the disk.
fn is_passing(error: &io::Error) -> bool {
    is_full(error) || is_cut(error)
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn is_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotConnected
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::StaleNetworkFileHandle
            | ErrorKind::TimedOut
    )
}

fn told(kind: Kind, doing: &str, path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free some space there; everything acknowledged so far is safe"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let this user read and write that folder, or name another target"
        }
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists => {
            "name a folder for the vault, not a file"
        }
        ErrorKind::CrossesDevices => "keep the whole vault on one file system",
        ErrorKind::NotConnected => {
            "the program behind this mount has ended: mount it again; everything acknowledged so far is safe"
        }
        _ if kind == Kind::Later => {
            "the network or the mount did not answer clearly; everything acknowledged so far is safe"
        }
        _ => "look at the disk and start again; everything acknowledged so far is safe",
    };
    Error::new(kind, format!("{doing} `{}`: {error}", path.display())).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ErrorKind) -> Error {
        explain("writing", Path::new("v"), &kind.into())
    }

    #[test]
    fn a_full_or_forbidden_disk_gets_its_own_advice() {
        let hint = |kind: ErrorKind| of(kind).hint().unwrap_or_default().to_owned();
        assert!(hint(ErrorKind::StorageFull).starts_with("free some space"));
        assert!(hint(ErrorKind::PermissionDenied).starts_with("let this user read and write"));
        assert!(hint(ErrorKind::NotConnected).contains("mount it again"));
        assert!(hint(ErrorKind::Other).contains("is safe"));
    }

    #[test]
    fn what_may_pass_is_later_and_what_stands_is_halt() {
        for kind in
            [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::NotConnected, ErrorKind::TimedOut]
        {
            assert_eq!(of(kind).kind(), Kind::Later, "{kind}");
        }
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::NotADirectory] {
            assert_eq!(of(kind).kind(), Kind::Halt, "{kind}");
            assert_eq!(unclear("writing", Path::new("v"), &kind.into()).kind(), Kind::Halt, "{kind}");
        }
        // The same failure of a disk and of a network: a disk that cannot write has not written.
        assert_eq!(of(ErrorKind::Other).kind(), Kind::Halt);
        assert_eq!(unclear("writing", Path::new("v"), &ErrorKind::Other.into()).kind(), Kind::Later);
        assert_eq!(halting("syncing", Path::new("v"), &ErrorKind::StorageFull.into()).kind(), Kind::Halt);
    }
}
