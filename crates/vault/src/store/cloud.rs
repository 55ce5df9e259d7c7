//! A store in a bucket of Google Cloud Storage, S3 or Azure, over a client that somebody else has set up. It must not
//! know what the bytes mean, nor which cloud it is.
//!
//! The invariant: a creation is one request that carries its own condition, so the service decides who was first. The
//! client below sends requests again by itself: a creation whose first answer was lost then finds its own object and is
//! told so, which is true, and the journal sees by the bytes whose it is. What is neither a clear yes nor a clear no is
//! [`Kind::Later`].
//!
//! No text here repeats what a service or the client said beyond a status, a code and the last cause: addresses may be
//! signed, and some services answer a refusal with the signature they expected.

use super::{OBJECT_CAP, ObjectStore, Put, check_key};
use crate::error::{Error, Kind, Result};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutPayload};
use std::sync::Arc;

/// Objects below a prefix of a bucket. Cloning gives another handle on the same objects.
#[derive(Clone, Debug)]
pub struct CloudStore {
    objects: Arc<dyn object_store::ObjectStore>,
    prefix: Path,
    label: Arc<str>,
}

impl CloudStore {
    /// The objects below `prefix`. `label` is what a person calls that place, such as `gs://bucket/prefix`.
    ///
    /// # Errors
    /// A prefix that no object can have.
    pub fn new(objects: Arc<dyn object_store::ObjectStore>, prefix: &str, label: &str) -> Result<Self> {
        let label: Arc<str> = label.trim_end_matches('/').into();
        match Path::parse(prefix) {
            Ok(prefix) => Ok(Self { objects, prefix, label }),
            Err(error) => Err(Error::new(Kind::Halt, format!("opening `{label}`: {error}"))
                .with_hint("name a prefix of plain parts joined by `/`")),
        }
    }

    /// The whole name of an object.
    fn path(&self, key: &str) -> Result<Path> {
        check_key(key)?;
        Ok(self.below(key))
    }

    fn below(&self, name: &str) -> Path {
        name.split('/')
            .filter(|part| !part.is_empty())
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// The name of an object without the prefix; none for the marker some tools leave in the place of a folder.
    fn name(&self, whole: &Path) -> Option<String> {
        match self.prefix.as_ref() {
            "" => Some(whole.to_string()),
            prefix => whole.as_ref().strip_prefix(prefix)?.strip_prefix('/').map(str::to_owned),
        }
    }

    async fn put(&self, key: &str, bytes: &[u8], mode: PutMode) -> Result<(), object_store::Error> {
        // The one copy: the client may outlive this call's borrow, and sends the same bytes again.
        let payload = PutPayload::from(bytes.to_vec());
        self.objects.put_opts(&self.below(key), payload, mode.into()).await.map(|_| ())
    }

    fn failed(&self, doing: &str, key: &str, error: &object_store::Error) -> Error {
        explain(doing, &self.place(key), error)
    }
}

impl ObjectStore for CloudStore {
    async fn put_new(&self, key: &str, bytes: &[u8]) -> Result<Put> {
        check_key(key)?;
        match self.put(key, bytes, PutMode::Create).await {
            Ok(()) => Ok(Put::Created),
            Err(error) if is_taken(&error) => Ok(Put::AlreadyExists),
            Err(error) => Err(self.failed("creating", key, &error)),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(key)?;
        let failed = |error: object_store::Error| self.failed("reading", key, &error);
        let found = match self.objects.get(&path).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let size = found.meta.size;
        if size > OBJECT_CAP {
            let found = format_args!("found {size} bytes, expected at most {OBJECT_CAP}");
            return Err(Error::damaged(&self.place(key), found));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        let mut parts = found.into_stream();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.map_err(failed)?);
        }
        match bytes.len() as u64 == size {
            true => Ok(Some(bytes)),
            false => {
                let found = format!("reading `{}`: {} bytes came of {size}", self.place(key), bytes.len());
                Err(Error::new(Kind::Later, found))
            }
        }
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        // Services list by whole parts here, so what is left of a part is looked at below.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let whole = self.below(folder);
        // A service may refuse to begin outside of the folder it lists.
        let mut listing = match after.starts_with(folder) && check_key(after).is_ok() {
            true => self.objects.list_with_offset(Some(&whole), &self.below(after)),
            false => self.objects.list(Some(&whole)),
        };
        let mut names: Vec<String> = Vec::new();
        let mut in_order = true;
        while let Some(found) = listing.next().await {
            let found = found.map_err(|error| self.failed("listing", prefix, &error))?;
            let Some(name) = self.name(&found.location) else { continue };
            if !name.starts_with(prefix) || name.as_str() <= after {
                continue;
            }
            in_order &= names.last().is_none_or(|last| *last < name);
            names.push(name);
            // Who lists out of order is listed to the end.
            if in_order && names.len() >= limit {
                break;
            }
        }
        names.sort_unstable();
        names.truncate(limit);
        Ok(names)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        match self.objects.delete(&path).await {
            Ok(()) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(self.failed("deleting", key, &error)),
        }
    }

    async fn replace(&self, key: &str, bytes: &[u8]) -> Result<()> {
        check_key(key)?;
        self.put(key, bytes, PutMode::Overwrite).await.map_err(|error| self.failed("replacing", key, &error))
    }

    fn place(&self, key: &str) -> String {
        match key {
            "" => self.label.to_string(),
            key => format!("{}/{key}", self.label),
        }
    }
}

/// Codes that say that the bucket is not there, and not merely an object in it.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "ContainerNotFound", "ResourceNotFound"];

/// Whether an error says, clearly, that there is an object of this name. A 409 has many meanings: S3 answers so when
/// two creations met and neither may have won; Azure means it.
fn is_taken(error: &object_store::Error) -> bool {
    use object_store::Error::{AlreadyExists, Precondition};
    let answer = Answer::of(error);
    match error {
        AlreadyExists { .. } if answer.status == Some(409) => {
            answer.code.as_deref() == Some("BlobAlreadyExists")
        }
        AlreadyExists { .. } | Precondition { .. } => true,
        _ => false,
    }
}

/// Whether an error says that there is no object of this name, in a bucket that is there.
fn is_absent(error: &object_store::Error) -> bool {
    let no_bucket = || NO_BUCKET.iter().any(|code| Answer::of(error).code.as_deref() == Some(code));
    matches!(error, object_store::Error::NotFound { .. }) && !no_bucket()
}

/// What a service answered.
struct Answer {
    status: Option<u16>,
    /// The service's own word for it, such as `AccessDenied`.
    code: Option<String>,
}

impl Answer {
    /// Reads it out of the error's text: the client keeps the status of a listing, or of a refusal it has no word for,
    /// in a type that it does not show. Were the text worded otherwise, the error would count as unclear.
    fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
        let status = after("status code: ").and_then(|rest| rest.get(..3)?.parse().ok());
        let code = after("<Code>").and_then(|rest| rest.split_once('<')).map(|(code, _)| code.to_owned());
        let plain = |code: &String| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self { status, code: code.filter(plain) }
    }
}

/// What a failed request means for a person.
fn explain(doing: &str, place: &str, error: &object_store::Error) -> Error {
    let answer = Answer::of(error);
    let (kind, hint) = advice(&answer, error);
    let found = match (answer.status, &answer.code) {
        (Some(status), Some(code)) => format!("the service answered {status} ({code})"),
        (Some(status), None) => format!("the service answered {status}"),
        (None, _) => last_cause(error),
    };
    let explained = Error::new(kind, format!("{doing} `{place}`: {found}"));
    match hint {
        "" => explained,
        hint => explained.with_hint(hint),
    }
}

const RIGHTS: &str = "let the identity of this process list, read, create, replace and delete objects there, and see \
                      that its credentials are still valid";
const CREDENTIALS: &str = "no usable credentials were found: name them in the environment, as `docs/buckets.md` says, \
                           or run where the machine has an identity";
const BUCKET: &str = "make the bucket (or container) first, or correct its name; nothing here makes one";
const REGION: &str = "the bucket is elsewhere: set `AWS_REGION` to its region, or correct the endpoint";
const CONDITION: &str = "the service did not take the request; it must know `If-None-Match: *` on creation, and \
                         answer 412 where there is an object";
const UNCLEAR: &str =
    "look at the network and the service's status and start again; everything acknowledged is safe";

fn advice(answer: &Answer, error: &object_store::Error) -> (Kind, &'static str) {
    use object_store::Error::*;
    match (answer.status, error) {
        // A machine's own credentials are asked for where nobody named any, and most machines have none.
        _ if asked_the_machine(error) => (Kind::Halt, CREDENTIALS),
        (Some(401 | 403), _) | (_, PermissionDenied { .. } | Unauthenticated { .. }) => (Kind::Halt, RIGHTS),
        (Some(404), _) => (Kind::Halt, BUCKET),
        (Some(300..=399), _) => (Kind::Halt, REGION),
        (Some(408 | 409 | 429), _) => (Kind::Later, UNCLEAR),
        (Some(400..=499 | 501), _) => (Kind::Halt, CONDITION),
        (_, NotSupported { .. } | NotImplemented { .. }) => (Kind::Halt, CONDITION),
        (_, UnknownConfigurationKey { .. } | InvalidPath { .. }) => (Kind::Halt, ""),
        (None, _) if error.to_string().contains("redirect without LOCATION") => (Kind::Halt, REGION),
        // A certificate that is not trusted stays so; everything else on the way may pass.
        (None, _) if last_cause(error).contains("certificate") => (Kind::Halt, ""),
        _ => (Kind::Later, UNCLEAR),
    }
}

/// The addresses at which machines of the clouds hand out credentials.
const METADATA: [&str; 3] = ["://169.254.169.254", "://169.254.170.2", "://metadata.google.internal"];

fn asked_the_machine(error: &object_store::Error) -> bool {
    let text = error.to_string();
    METADATA.iter().any(|address| text.contains(address))
}

/// The innermost cause, such as `Connection refused`; without what follows a `?`, which may be a signature.
fn last_cause(error: &object_store::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    text.split('?').next().unwrap_or_default().chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn a_bucket_keeps_the_contract_with_and_without_a_prefix() {
        for prefix in ["", "a/deep/prefix"] {
            let fresh = || CloudStore::new(Arc::new(InMemory::new()), prefix, "gs://bucket").unwrap();
            crate::store::contract(fresh).await;
        }
    }

    #[tokio::test]
    async fn vaults_side_by_side_in_a_bucket_do_not_see_each_other() {
        let bucket = Arc::new(InMemory::new());
        let store = |prefix| CloudStore::new(bucket.clone(), prefix, "gs://bucket").unwrap();
        store("wiki").put_new("a", b"x").await.unwrap();
        store("wiki-2").put_new("b", b"x").await.unwrap();
        assert_eq!(store("wiki").list("", "", 9).await.unwrap(), ["a"]);
        assert_eq!(store("wik").list("", "", 9).await, Ok(vec![]));
        assert_eq!(store("").list("", "", 9).await.unwrap(), ["wiki-2/b", "wiki/a"]);
    }

    /// An error as the client words it, of the variant that it gives for a status.
    fn answered(status: u16, body: &str) -> object_store::Error {
        let source = format!("Server returned non-2xx status code: {status} Word: {body}").into();
        let path = "p".to_owned();
        match status {
            404 => object_store::Error::NotFound { path, source },
            409 | 412 => object_store::Error::AlreadyExists { path, source },
            401 => object_store::Error::Unauthenticated { path, source },
            403 => object_store::Error::PermissionDenied { path, source },
            _ => object_store::Error::Generic { store: "S3", source },
        }
    }

    #[test]
    fn only_a_clear_answer_says_that_a_name_is_taken_or_free() {
        let code = |word: &str| format!("<Error><Code>{word}</Code></Error>");
        assert!(is_taken(&answered(412, "")));
        assert!(is_taken(&answered(409, &code("BlobAlreadyExists"))));
        for word in ["ConditionalRequestConflict", "OperationAborted", "ContainerBeingDeleted"] {
            let error = answered(409, &code(word));
            assert!(!is_taken(&error));
            assert_eq!(explain("creating", "s3://b/k", &error).kind(), Kind::Later, "{word}");
        }
        assert!(is_absent(&answered(404, &code("NoSuchKey"))));
        assert!(!is_absent(&answered(404, &code("NoSuchBucket"))));
        assert!(!is_absent(&answered(404, &code("ContainerNotFound"))));
    }

    #[test]
    fn every_answer_has_its_kind_and_no_text_repeats_what_may_be_secret() {
        let body = "<Code>Word</Code><StringToSign>hunter2</StringToSign><SignatureProvided>hunter2";
        for (status, kind) in [
            (307, Kind::Halt),
            (400, Kind::Halt),
            (401, Kind::Halt),
            (403, Kind::Halt),
            (404, Kind::Halt),
            (501, Kind::Halt),
            (408, Kind::Later),
            (409, Kind::Later),
            (429, Kind::Later),
            (500, Kind::Later),
            (503, Kind::Later),
        ] {
            let error = explain("creating", "s3://b/k", &answered(status, body));
            assert_eq!(error.kind(), kind, "{status}");
            assert_eq!(
                error.to_string(),
                format!("creating `s3://b/k`: the service answered {status} (Word)")
            );
            assert!(error.hint().is_some(), "{status}");
        }
        let source = "error sending request for url (https://a.b/c?sig=hunter2)".into();
        let error = explain("reading", "az://c/k", &object_store::Error::Generic { store: "x", source });
        assert!(error.kind() == Kind::Later && !error.to_string().contains("hunter2"), "{error}");
    }
}
