//! Texts that are turned into vectors by somebody who is paid for it: what is recorded of it. Must not know how a vector
//! is made, or what it is compared with.
//!
//! Invariant: a vector belongs to a text and to the model that made it, and to nothing else: no page, fact or name. So
//! it stays paid for whatever becomes of the graph.

use crate::id::TextId;
use crate::time::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts are about to be sent to be embedded: the call counts against the quota from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedding {
    /// Who makes the vectors; vectors of different names are never compared.
    pub model: String,
    /// Which of the configured endpoints it goes to, from 0.
    pub endpoint: u32,
    /// Tokens it may take, as estimated.
    pub tokens: u64,
    /// The texts, in the order they are sent.
    pub texts: Vec<TextId>,
}

/// Vectors of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedded {
    /// The record that announced the call, by its number.
    pub call: u64,
    /// Who made them.
    pub model: String,
    /// Where.
    pub endpoint: u32,
    /// When the request was sent.
    pub sent_at: Timestamp,
    /// Tokens, as the vendor counted them; 0 where it does not say.
    #[serde(default)]
    pub tokens: u64,
    /// The texts.
    pub texts: Vec<TextId>,
    /// A vector for each, in the same order.
    pub vectors: Vec<Direction>,
}

/// Texts that were sent and have no vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotEmbedded {
    /// The record that announced the call, by its number.
    pub call: u64,
    /// When the request was sent.
    pub sent_at: Timestamp,
    /// How long the provider wants to be left alone, in milliseconds, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// What to do about it.
    pub fault: Fault,
    /// Why, in words.
    pub why: String,
}

/// What to do about texts that have no vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The quota is used up: the same again, later.
    Quota,
    /// The provider or the way to it is at fault: the same again, later.
    Provider,
    /// These texts will not be taken like this: fewer at once, and a single one never.
    Texts,
}

/// A vector as it is kept: its direction, one signed byte for each number. Written as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direction(pub Vec<u8>);

impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
        let text: String = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Direction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?));
        let bytes: Option<Vec<u8>> = bytes.collect();
        let wrong = || D::Error::custom("reading a vector: expected pairs of hexadecimal digits");
        bytes.filter(|_| rest.is_empty()).map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_direction_goes_to_text_and_back(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let kept = Direction(bytes);
            let text = serde_json::to_string(&kept).unwrap();
            prop_assert_eq!(text.len(), 2 + 2 * kept.0.len());
            prop_assert_eq!(serde_json::from_str::<Direction>(&text).unwrap(), kept);
        }
    }

    #[test]
    fn what_is_no_direction_is_refused() {
        for text in ["\"0\"", "\"0g\"", "\"+1\"", "3", "\"é\""] {
            assert!(serde_json::from_str::<Direction>(text).is_err(), "{text}");
        }
    }
}
