//! Identities. Every id has its own type; content-addressed ids are 128 bits of BLAKE3 and are written as hex, so the
//! same input gives the same id on every machine and in every life of a job.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a name that came from outside.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A page's identity in its wiki: Confluence's content id, or the path of a file in a folder.
    PageId
}
text_id! {
    /// The key of a space, such as `OPS`.
    SpaceKey
}
text_id! {
    /// A person as the wiki knows them: an account id, a user key or a user name. Never a display name.
    PersonKey
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $context:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id of something made of `parts`. Parts are length-prefixed, so no two lists of parts collide by
            /// concatenation.
            pub fn of(parts: &[&[u8]]) -> Self {
                let mut hasher = blake3::Hasher::new_derive_key($context);
                for part in parts {
                    hasher.update(&(part.len() as u64).to_le_bytes());
                    hasher.update(part);
                }
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
                Self(bytes)
            }

            /// An id from the 16 bytes it was stored as.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// An id from stored bytes; nothing when they are not 16.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The raw 16 bytes, for use as part of another id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(std::str::from_utf8(&hex(&self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_hex(text).map(Self).ok_or_else(|| BadId { found: text.chars().take(64).collect() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_id! {
    /// A piece of a page that is sent to a model or interpreted by rules: hash of page id, heading path (which begins
    /// with the page title), text and occurrence. Position, ancestors, labels and dates are not part of it.
    ChunkId, "highwater chunk 1"
}
hash_id! {
    /// A name as the graph keeps it apart from others: everything that is trivially the same name in the same place.
    /// See `graph::Node`.
    NodeId, "highwater node 1"
}
hash_id! {
    /// Something stated: subject node, relation, object. See `graph::Fact`.
    FactId, "highwater fact 1"
}
hash_id! {
    /// A question about a pair: hash of what is asked, who is asked, and the texts of the pair. Never of the prompt it
    /// stands in, so that it is the same question in whatever company. See `judge::Question`.
    QuestionId, "highwater question 1"
}
hash_id! {
    /// Chunks that share a call, asked for the nth time: hash of extractor, round and chunks.
    PackId, "highwater pack 1"
}
hash_id! {
    /// A job of a provider's batch engine, under the name that we give it before it is sent: hash of the vault, the
    /// record it was decided at, and its packs.
    BatchKey, "highwater batch 1"
}
hash_id! {
    /// A text that has a vector: hash of its words alone.
    TextId, "highwater text 1"
}

hash_id! {
    /// Entities that facts connect, and their facts: hash of all that communities are made from. See
    /// `communities::Island`.
    IslandId, "highwater island 1"
}
hash_id! {
    /// A community of entities: hash of its level and of the smallest entity in it, so that it keeps its id while
    /// others come and go. See `communities::Community`.
    CommunityId, "highwater community 1"
}
hash_id! {
    /// What a portrait was made from: hash of all that the model was shown of the community. See `portrait::Sitting`.
    PortraitId, "highwater portrait 1"
}

/// An entity is a connected component of nodes, named by the smallest node in it. Every node id is therefore for ever
/// a valid way to ask for the entity that holds it, and merging leaves no dangling reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntityId(pub NodeId);

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EntityId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        text.parse().map(Self)
    }
}

/// Text that was meant to be an id and is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an id: expected 32 hexadecimal digits")]
pub struct BadId {
    found: String,
}

/// 16 bytes as 32 digits. Ids are written by the ten thousand into every segment, so not by the formatter.
fn hex(bytes: &[u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The number of a page's version as the wiki counts: 1 is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_their_own_text() {
        let id = ChunkId::of(&[b"page", b"text"]);
        assert_eq!(id.to_string().parse::<ChunkId>(), Ok(id));
        assert_eq!(serde_json::from_str::<ChunkId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn parts_do_not_collide_by_concatenation() {
        assert_ne!(ChunkId::of(&[b"ab", b"c"]), ChunkId::of(&[b"a", b"bc"]));
    }

    #[test]
    fn foreign_text_is_refused() {
        assert!("not an id".parse::<NodeId>().is_err());
        assert!("é".repeat(16).parse::<NodeId>().is_err());
    }
}
