//! Holding back after a refusal or a fault. Must not know windows or counts.
//!
//! Invariant: refusals of calls that were sent before the last one was noticed are the same event and do not make the
//! wait longer, so a hundred calls refused at once wait as long as one.

use super::after;
use super::ledger::Ticket;
use crate::time::Timestamp;
use jiff::SignedDuration;

/// A brake. It is off when there are no strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Brake {
    /// Events in a row with nothing good between them.
    strikes: u32,
    /// When the last one was noticed.
    since: Timestamp,
    /// Nothing goes out before.
    until: Timestamp,
    /// The call that tries whether it is over.
    probe: Option<Timestamp>,
    spacing: Spacing,
}

/// How calls follow each other once the wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// As they come.
    None,
    /// One goes ahead; if it is not refused within this time, the rest may follow.
    First(SignedDuration),
    /// Each so much after the last one, until one succeeds.
    Each(SignedDuration),
}

impl Default for Brake {
    fn default() -> Self {
        let never = Timestamp::MIN;
        Self { strikes: 0, since: never, until: never, probe: None, spacing: Spacing::None }
    }
}

impl Brake {
    /// Events in a row, were this one counted; none if a call sent at `sent` tells nothing new.
    pub(super) fn strikes_with(&self, sent: Timestamp) -> Option<u32> {
        (sent >= self.since).then(|| self.strikes.saturating_add(1))
    }

    /// A new event.
    pub(super) fn strike(&mut self, at: Timestamp, until: Timestamp, spacing: Spacing) {
        let strikes = self.strikes.saturating_add(1);
        *self = Self { strikes, since: at, until: self.until.max(until), probe: None, spacing };
    }

    /// The provider named a time.
    pub(super) fn hold(&mut self, until: Timestamp) {
        if until > self.until {
            self.until = until;
            self.probe = None;
        }
    }

    /// A call began.
    pub(super) fn begin(&mut self, at: Timestamp) {
        match (self.spacing, self.probe) {
            // The first one was not refused in time: it went through, though its answer may take minutes.
            (Spacing::First(gap), Some(probe)) if at >= after(probe, gap) => self.release(),
            (Spacing::First(_), Some(_)) => {}
            _ => self.probe = Some(at),
        }
    }

    /// It is over. What was sent before is still the old event.
    pub(super) fn release(&mut self) {
        *self = Self { since: self.since, until: self.until, ..Self::default() };
    }

    /// When the event was noticed; a call sent later that succeeds shows that it is over.
    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    /// Nothing goes out before.
    pub(super) fn opens(&self) -> Timestamp {
        match (self.probe, self.spacing) {
            (Some(probe), Spacing::First(gap) | Spacing::Each(gap)) if self.strikes > 0 => {
                self.until.max(after(probe, gap))
            }
            _ => self.until,
        }
    }

    /// The same brake on a clock that was set.
    pub(super) fn moved(&self, to: impl Fn(Timestamp) -> Timestamp) -> Self {
        let probe = self.probe.map(&to);
        Self { since: to(self.since), until: to(self.until), probe, ..self.clone() }
    }
}

/// `base` doubled with every strike after the first, at most `cap`, less up to a half that only the call decides: calls
/// that failed together come back apart, and a simulation comes out the same every time.
pub(super) fn backoff(
    strikes: u32,
    (base, cap): (SignedDuration, SignedDuration),
    ticket: Ticket,
) -> SignedDuration {
    // Twenty doublings of anything are over any cap.
    let doubled = base.saturating_mul(1 << strikes.saturating_sub(1).min(20)).min(cap);
    let thousandths = 1_000 - i32::try_from(mixed(ticket.0 ^ u64::from(strikes)) % 501).unwrap_or(0);
    doubled / 1_000 * thousandths
}

/// The finaliser of SplitMix64: neighbours become strangers.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
