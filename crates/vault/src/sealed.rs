//! Seals: every object of a vault ends in the BLAKE3 of all bytes before, so that any flipped bit and any missing end
//! shows. Compressed objects carry it in a zstd skippable frame, JSON documents as their last field. It must not know
//! what is sealed. `docs/vault-format.md` has the byte tables.

use crate::error::{Error, Kind, Result};
use crate::segment::FORMAT;
use crate::seq::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A zstd skippable frame (magic `0x184D2A50`) with 32 bytes of content: tools pass over it.
pub(crate) const SEAL_HEAD: [u8; 8] = [0x50, 0x2A, 0x4D, 0x18, 32, 0, 0, 0];

/// Length of the seal: its head and the digest.
const SEAL_LEN: usize = SEAL_HEAD.len() + 32;

/// What stands before the 64 hex digits of a document's digest, and after them.
const DOCUMENT_SEAL: (&str, &str) = (",\n  \"blake3\": \"", "\"\n}\n");

/// Puts the seal behind a frame.
pub(crate) fn seal(frame: &mut Vec<u8>) {
    let digest = blake3::hash(frame);
    frame.extend_from_slice(&SEAL_HEAD);
    frame.extend_from_slice(digest.as_bytes());
}

/// The bytes before the seal, if the seal fits them.
pub(crate) fn unseal(object: &[u8]) -> Option<&[u8]> {
    let (frame, seal) = object.split_at(object.len().checked_sub(SEAL_LEN)?);
    let (head, digest) = seal.split_at(SEAL_HEAD.len());
    (head == SEAL_HEAD && digest == blake3::hash(frame).as_bytes()).then_some(frame)
}

/// A JSON document with its seal. `value` must be an object with at least one field.
pub(crate) fn document<T: Serialize>(value: &T, key: &str) -> Result<Vec<u8>> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::bug(format!("writing `{key}`: {error}")))?;
    text.truncate(text.trim_end_matches("\n}").len());
    let digest = Digest::of(text.as_bytes());
    Ok(format!("{text}{}{digest}{}", DOCUMENT_SEAL.0, DOCUMENT_SEAL.1).into_bytes())
}

/// Reads a document back. A newer format is told from damage by its field `format`, whose meaning never changes.
pub(crate) fn read_document<T: DeserializeOwned>(bytes: &[u8], place: &str) -> Result<T> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    if let Ok(Format { format }) = serde_json::from_slice(bytes)
        && format > FORMAT
    {
        let text =
            format!("reading `{place}`: the vault has format {format}, this program reads up to {FORMAT}");
        return Err(Error::new(Kind::Newer, text).with_hint("use a newer version of the program"));
    }
    if !is_sealed(bytes) {
        return Err(Error::damaged(place, "its digest does not fit its content"));
    }
    serde_json::from_slice(bytes).map_err(|error| Error::damaged(place, error))
}

/// Whether a document lacks its end, as a killed writer leaves it where a store shows parts.
pub(crate) fn is_cut(bytes: &[u8]) -> bool {
    !bytes.ends_with(DOCUMENT_SEAL.1.as_bytes())
}

fn is_sealed(bytes: &[u8]) -> bool {
    let tail = DOCUMENT_SEAL.0.len() + 64 + DOCUMENT_SEAL.1.len();
    let Some((content, seal)) = bytes.len().checked_sub(tail).map(|at| bytes.split_at(at)) else {
        return false;
    };
    format!("{}{}{}", DOCUMENT_SEAL.0, Digest::of(content), DOCUMENT_SEAL.1).as_bytes() == seal
}
