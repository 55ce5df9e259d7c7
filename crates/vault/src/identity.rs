//! `VAULT.json`: which vault this is. Written once by `init`, never changed. It must not know the journal.
//!
//! Like every object of a vault it ends in the BLAKE3 of all bytes before: here as the last field of the
//! JSON.

use crate::error::{Error, Kind, Result};
use crate::sealed::{document, read_document};
use crate::segment::FORMAT;
use crate::seq::VaultId;
use crate::store::{ObjectStore, Put};
use serde::{Deserialize, Serialize};

/// The name of the object.
pub const IDENTITY: &str = "VAULT.json";

/// How often the object is sent when the answer is unclear; waiting between attempts is the store's affair.
const PUT_ATTEMPTS: u32 = 3;

/// Which vault this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Random, drawn by whoever initialises the vault.
    pub id: VaultId,
    /// What the vault is for, such as `production`; a job for another environment is refused.
    pub environment: String,
    /// The wiki it holds, if that was fixed when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wiki: Option<String>,
    /// The format the vault was made with.
    pub format: u32,
}

impl Identity {
    /// A new vault in today's format.
    pub fn new(id: VaultId, environment: impl Into<String>) -> Self {
        Self { id, environment: environment.into(), wiki: None, format: FORMAT }
    }

    /// Refuses a job that was set up for another environment.
    pub fn require_environment(&self, expected: &str) -> Result<()> {
        if self.environment == expected {
            return Ok(());
        }
        Err(Error::new(
            Kind::Halt,
            format!(
                "opening vault `{}`: it belongs to environment `{}`, expected `{expected}`",
                self.id, self.environment
            ),
        )
        .with_hint("name the vault of this environment, or change the setting `environment`"))
    }
}

/// Makes a vault where there is nothing yet, and refuses otherwise.
pub async fn init<S: ObjectStore>(store: &S, identity: &Identity) -> Result<()> {
    let found = match store.get(IDENTITY).await? {
        Some(_) => Some(IDENTITY.to_owned()),
        None => store.list("", "", 1).await?.pop(),
    };
    if let Some(found) = found {
        return Err(taken(store, &found));
    }
    create(store, &document(identity, IDENTITY)?).await
}

/// Puts the object. As with a segment, an unclear answer is cleared up by looking: the id in it is random, so equal
/// bytes are ours, also where the store says that somebody was first because it sent our request twice.
async fn create<S: ObjectStore>(store: &S, bytes: &[u8]) -> Result<()> {
    let mut unclear = Error::new(
        Kind::Later,
        format!("making a vault: `{}` is said to exist, but is not shown", store.place(IDENTITY)),
    );
    for _ in 0..PUT_ATTEMPTS {
        match store.put_new(IDENTITY, bytes).await {
            Ok(Put::Created) => return Ok(()),
            Ok(Put::AlreadyExists) => {}
            Err(error) if error.kind() == Kind::Later => unclear = error,
            Err(error) => return Err(error),
        }
        match store.get(IDENTITY).await {
            Ok(Some(found)) if found == bytes => return Ok(()),
            Ok(Some(_)) => return Err(taken(store, IDENTITY)),
            Ok(None) => {}
            Err(error) if error.kind() == Kind::Later => unclear = error,
            Err(error) => return Err(error),
        }
    }
    Err(unclear)
}

/// Sees that the store keeps its one promise, by creating again what is there: `VAULT.json`, with the bytes it has, so
/// that a store which breaks the promise does no harm. Some services that speak S3 take the condition and ignore it;
/// two writers would then overwrite each other's segments and never know.
pub async fn check_creation<S: ObjectStore>(store: &S) -> Result<()> {
    let place = store.place(IDENTITY);
    let Some(bytes) = store.get(IDENTITY).await? else { return Err(absent(store, &place).await?) };
    match store.put_new(IDENTITY, &bytes).await? {
        Put::AlreadyExists => Ok(()),
        Put::Created => {
            let text = format!("creating `{place}` again: it was done, expected a refusal because it exists");
            Err(Error::new(Kind::Halt, text).with_hint(
                "this store does not keep \"create only if absent\", without which a vault is not safe; use another",
            ))
        }
    }
}

/// Reads which vault is in a store. An empty target is [`Kind::Empty`]: a bucket that did not mount must not
/// pass for a vault that has nothing in it yet.
pub async fn identity<S: ObjectStore>(store: &S) -> Result<Identity> {
    let place = store.place(IDENTITY);
    match store.get(IDENTITY).await? {
        Some(bytes) => read_document(&bytes, &place),
        None => Err(absent(store, &place).await?),
    }
}

async fn absent<S: ObjectStore>(store: &S, place: &str) -> Result<Error> {
    let Some(other) = store.list("", "", 1).await?.pop() else {
        return Ok(Error::new(
            Kind::Empty,
            format!("reading `{place}`: there is no vault here, the target is empty"),
        )
        .with_hint(
            "check that the target is mounted and spelt right, or make a vault: `highwater vault init`",
        ));
    };
    if other.starts_with("journal/") || other.starts_with("snapshots/") {
        return Ok(Error::damaged(
            place,
            format_args!("it is missing, but `{}` is there", store.place(&other)),
        ));
    }
    Ok(Error::new(
        Kind::Empty,
        format!("reading `{place}`: there is no vault here, but there is `{}`", store.place(&other)),
    )
    .with_hint("name the folder of a vault, or an empty one and make a vault there: `highwater vault init`"))
}

fn taken<S: ObjectStore>(store: &S, found: &str) -> Error {
    let text = format!("making a vault: found `{}`, expected an empty target", store.place(found));
    let hint = match found {
        IDENTITY => "this is a vault already and can be used as it is",
        _ => "name an empty folder or a prefix that holds nothing",
    };
    Error::new(Kind::Halt, text).with_hint(hint)
}
