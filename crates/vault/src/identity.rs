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
pub(crate) const KEY: &str = "VAULT.json";

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
    let found = match store.get(KEY).await? {
        Some(_) => Some(KEY.to_owned()),
        None => store.list("", "", 1).await?.pop(),
    };
    if let Some(found) = found {
        return Err(taken(store, &found));
    }
    match store.put_new(KEY, &document(identity, KEY)?).await? {
        Put::Created => Ok(()),
        Put::AlreadyExists => Err(taken(store, KEY)),
    }
}

/// Reads which vault is in a store. An empty target is [`Kind::Empty`]: a bucket that did not mount must not
/// pass for a vault that has nothing in it yet.
pub async fn identity<S: ObjectStore>(store: &S) -> Result<Identity> {
    let place = store.place(KEY);
    match store.get(KEY).await? {
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
        KEY => "this is a vault already and can be used as it is",
        _ => "name an empty folder or a prefix that holds nothing",
    };
    Error::new(Kind::Halt, text).with_hint(hint)
}
