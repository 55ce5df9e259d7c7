//! The vault: a durable order of entries. This page is the contents; `docs/vault-format.md` is the format.
//!
//! A vault is a set of objects in a store. Its journal is a chain of immutable segments, and the only
//! primitive that decides anything is **create if absent** on a segment's ordinal. This crate knows no pages,
//! facts or models: it keeps entries of any type that serialises. It reads no clock and makes no random
//! numbers: both are handed in.
//!
//! The order of use: [`read`] from where you stand, [`Vault::open`], [`read`] what came since (your own
//! opening included), then [`Vault::append`], and [`Vault::close`]. Reading first shows damage before an
//! opening covers it.

mod chain;
mod copy;
mod end;
mod error;
mod identity;
mod journal;
mod sealed;
mod segment;
mod seq;
pub mod snapshot;
pub mod store;

pub use chain::{Tail, Verified, goes_on, read, start, verify};
pub use copy::{Copied, copy};
pub use end::{Reign, reign};
pub use error::{Error, Kind, Result};
pub use identity::{IDENTITY, Identity, check_creation, identity, init};
pub use journal::Vault;
pub use segment::{Entry, Event, FORMAT, INFLATED_CAP, Segment, Voided, Writer};

pub use seq::{Digest, Nonce, Ordinal, Position, Seq, Term, VaultId};
pub use snapshot::Snapshot;
#[cfg(feature = "cloud")]
pub use store::CloudStore;
pub use store::{AnyStore, DirStore, MemoryStore, ObjectStore, Put};
