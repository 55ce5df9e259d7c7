//! Reads one mutated vault by every public way in, and says what must not have happened. It must not know how the
//! mutation was made, only whether the digest was seen to.

use crate::mutate::{Change, mutate};
use crate::rng::Rng;
use crate::vaults::{Original, entries, run};
use std::fmt;
use vault::snapshot::{restore, snapshots};
use vault::{Error, MemoryStore};

/// What many inputs came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub inputs: u64,
    damaged: u64,
    forged: u64,
    refused: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.inputs += other.inputs;
        self.damaged += other.damaged;
        self.forged += other.forged;
        self.refused += other.refused;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} damaged, {} forged, {} refused", self.damaged, self.forged, self.refused)
    }
}

/// Makes an input and reads it.
pub fn judge(vaults: &[Original], seed: u64, number: u64) -> Result<Tally, String> {
    let mut rng = Rng::new(seed, number);
    let original = &vaults[rng.below(vaults.len())];
    let mut objects = original.objects.clone();
    let (key, change) = mutate(&mut objects, &mut rng);
    let is_same = objects.get(&key) == original.objects.get(&key);
    let store = MemoryStore::from(objects);
    // Whoever forges digests is believed: the chain is no guard against that. What is merely damaged must not be.
    let is_forged = change == Change::Forged;
    let read = check_entries(&store, original, is_forged)?;
    let restored = check_snapshots(&store, original, is_forged)?;
    let verified = run(vault::verify(&store));
    let is_torn_end =
        verified.as_ref().is_ok_and(|found| found.tail.torn.iter().any(|torn| torn.name == key));
    let may_pass = is_same || is_forged || is_torn_end || change == Change::Lost;
    if verified.is_ok() && !may_pass {
        return Err(format!("`{key}` was changed ({change:?}), and the vault verifies"));
    }
    if verified.is_ok() && !(read && restored) {
        return Err(format!("`{key}` was changed ({change:?}): the vault verifies, and cannot be read"));
    }
    Ok(Tally {
        inputs: 1,
        damaged: u64::from(change == Change::Damaged),
        forged: u64::from(is_forged),
        refused: u64::from(verified.is_err()),
    })
}

/// Entries come in order; and none that was not written, unless it was forged.
fn check_entries(store: &MemoryStore, original: &Original, is_forged: bool) -> Result<bool, String> {
    let (found, end) = entries(store);
    if let Some(pair) = found.windows(2).find(|pair| pair[1].seq != pair[0].seq.next()) {
        return Err(format!("entry {} came after entry {}", pair[1].seq, pair[0].seq));
    }
    let wrong = found.iter().find(|entry| !original.entries.contains(entry));
    match wrong.filter(|_| !is_forged) {
        Some(entry) => Err(format!("entry {} is not what was written", entry.seq)),
        None => Ok(end.is_ok()),
    }
}

fn check_snapshots(store: &MemoryStore, original: &Original, is_forged: bool) -> Result<bool, String> {
    let Ok(listed) = run(snapshots(store)) else { return Ok(false) };
    let mut is_whole = listed.damaged.is_empty();
    for snapshot in listed.whole {
        let mut file = Vec::new();
        let end = run(restore(store, &snapshot, |part| {
            file.extend_from_slice(part);
            Ok::<_, Error>(())
        }));
        if end.is_ok() && file != original.file && !is_forged {
            return Err("a snapshot gave what was not saved".to_owned());
        }
        is_whole &= end.is_ok();
    }
    Ok(is_whole)
}
