//! Calls in a sliding window, oldest first. Must not know how long the window is: when a call leaves it is asked of a
//! function that rises with the time of the call.
//!
//! Invariant: `tokens` is the sum of what the calls weigh.

use super::ledger::Ticket;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What a call weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    pub tokens: u64,
    /// The provider refused it: it may count as a request there, but it was not served.
    pub refused: bool,
}

/// The latest time a call can have arrived, and which call it is.
pub(super) type Key = (Timestamp, Ticket);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    calls: BTreeMap<Key, Weight>,
    tokens: u64,
}

impl Window {
    pub(super) fn put(&mut self, key: Key, weight: Weight) {
        self.take(key);
        self.calls.insert(key, weight);
        self.tokens += weight.tokens;
    }

    pub(super) fn take(&mut self, key: Key) {
        if let Some(weight) = self.calls.remove(&key) {
            self.tokens -= weight.tokens;
        }
    }

    /// Drops what has left.
    pub(super) fn forget(&mut self, has_left: impl Fn(Timestamp) -> bool) {
        while let Some(entry) = self.calls.first_entry() {
            if !has_left(entry.key().0) {
                break;
            }
            self.tokens -= entry.remove().tokens;
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.calls.len() as u64
    }

    pub(super) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many calls here the provider served, or may have.
    pub(super) fn served(&self) -> u64 {
        self.calls.values().filter(|weight| !weight.refused).count() as u64
    }

    /// The call that has to leave before one more fits, if any.
    pub(super) fn blocks_request(&self, limit: u64) -> Option<Timestamp> {
        let too_many = (self.len() + 1).checked_sub(limit).filter(|count| *count > 0)?;
        self.calls.keys().nth(usize::try_from(too_many).ok()? - 1).map(|key| key.0)
    }

    /// The call that has to leave before `tokens` more fit, if any. They must fit into an empty window.
    pub(super) fn blocks_tokens(&self, limit: u64, tokens: u64) -> Option<Timestamp> {
        let mut too_many = (self.tokens + tokens).checked_sub(limit).filter(|count| *count > 0)?;
        for (key, weight) in &self.calls {
            too_many = too_many.saturating_sub(weight.tokens);
            if too_many == 0 {
                return Some(key.0);
            }
        }
        None
    }

    /// The same calls, each at another time.
    pub(super) fn moved(&self, to: impl Fn(Timestamp) -> Timestamp) -> Self {
        let calls = self.calls.iter().map(|((at, ticket), weight)| ((to(*at), *ticket), *weight)).collect();
        Self { calls, tokens: self.tokens }
    }
}
