//! What is done to objects: damage as it happens, and forgeries whose digest is right, so that what lies behind the
//! digest is reached. The seals are written down here a second time, from `docs/vault-format.md`.

use crate::rng::Rng;
use crate::vaults::Objects;

const SEAL_HEAD: [u8; 8] = [0x50, 0x2A, 0x4D, 0x18, 32, 0, 0, 0];
const DOCUMENT_SEAL: (&str, &str) = (",\n  \"blake3\": \"", "\"\n}\n");
/// What a bomb inflates to: more than a part of a snapshot may.
const BOMB_BYTES: usize = 40 << 20;
/// One in so many forgeries is a bomb: each takes a thousand times longer than other inputs.
const BOMBS: usize = 5_000;

/// How an object was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its bytes, and nothing was done about its digest.
    Damaged,
    /// Its content, under a digest that fits.
    Forged,
    /// It is gone.
    Lost,
}

/// Changes one object: its name, and how.
pub fn mutate(objects: &mut Objects, rng: &mut Rng) -> (String, Change) {
    let at = rng.below(objects.len());
    let (key, bytes) =
        objects.iter().nth(at).map(|(key, bytes)| (key.clone(), bytes.clone())).unwrap_or_default();
    if rng.chance(2) {
        objects.remove(&key);
        return (key, Change::Lost);
    }
    let other = objects.values().nth(rng.below(objects.len())).cloned().unwrap_or_default();
    let (changed, change) = match rng.chance(60) {
        true => (forged(&key, &bytes, &other, rng), Change::Forged),
        false => (damaged(bytes, &other, rng), Change::Damaged),
    };
    objects.insert(key.clone(), changed);
    (key, change)
}

/// One to three changes of bytes.
fn damaged(mut bytes: Vec<u8>, other: &[u8], rng: &mut Rng) -> Vec<u8> {
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len());
        match rng.below(7) {
            0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, rng.byte()),
            4 if !bytes.is_empty() => drop(bytes.remove(at)),
            5 => {
                let from = rng.below(other.len());
                bytes.splice(at..bytes.len().min(at + 8), other[from..].iter().copied().take(16));
            }
            6 if bytes.len() >= at + 4 => bytes[at..at + 4].copy_from_slice(&[0xFF; 4]),
            _ => bytes.push(rng.byte()),
        }
    }
    bytes
}

fn forged(key: &str, bytes: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    if key.ends_with(".json") {
        return document(bytes, other, rng);
    }
    let frame = &bytes[..bytes.len().saturating_sub(40)];
    let frame = match zstd::decode_all(frame) {
        _ if rng.below(BOMBS) == 0 => compressed(&vec![b' '; BOMB_BYTES]),
        Ok(text) if rng.chance(80) => compressed(&content(text, other, rng)),
        _ => damaged(frame.to_vec(), other, rng),
    };
    let digest = blake3::hash(&frame);
    [&frame[..], &SEAL_HEAD, digest.as_bytes()].concat()
}

fn compressed(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 1).expect("compressing into memory works")
}

fn document(bytes: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let seal = DOCUMENT_SEAL.0.len() + 64 + DOCUMENT_SEAL.1.len();
    let text = bytes[..bytes.len().saturating_sub(seal)].to_vec();
    let text = content(text, other, rng);
    let digest = blake3::hash(&text).to_string();
    [&text[..], DOCUMENT_SEAL.0.as_bytes(), digest.as_bytes(), DOCUMENT_SEAL.1.as_bytes()].concat()
}

/// Changes text as a text: numbers, names, lines; or bytes like any.
fn content(text: Vec<u8>, other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let digits: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
    let mut text = text;
    match rng.below(5) {
        0 | 1 if !digits.is_empty() => {
            let at = digits[rng.below(digits.len())];
            let numbers =
                ["0", "1", "2", "9", "-1", "18446744073709551615", "1e9", "99999999999999999999", "null"];
            text.splice(at..=at, numbers[rng.below(numbers.len())].bytes());
            text
        }
        2 => {
            let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
            let (one, two) = (rng.below(lines.len()), rng.below(lines.len()));
            match rng.below(3) {
                0 if !lines.is_empty() => lines.swap(one, two),
                1 if !lines.is_empty() => drop(lines.remove(one)),
                _ => lines.extend_from_within(one..),
            }
            lines.concat()
        }
        _ => damaged(text, other, rng),
    }
}
