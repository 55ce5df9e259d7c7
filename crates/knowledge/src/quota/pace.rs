//! The share of the allowance that is really ours. Others may use the same quota, and a provider may watch shorter
//! windows than it says: refusals under our own count lower the share at once, quiet raises it slowly. Must not know
//! why a call was refused.
//!
//! Invariant: at a full share calls are not spaced; below it they keep the pace of the share, so that no short window
//! sees more than its part.

use super::after;
use crate::time::Timestamp;
use jiff::SignedDuration;

/// A millionth is the unit of shares.
pub(super) const WHOLE: u64 = 1_000_000;
/// Less than a twentieth is not believed: from there on, waiting after each refusal does the rest.
const LEAST: u64 = WHOLE / 20;
/// Calls may be ahead of the pace by this part of a window: the time from an opening to the call that uses it does
/// not add up.
const AHEAD: i32 = 32;
/// From here on we used all there is.
pub(super) const FULL: u64 = WHOLE / 100 * 95;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// The share as it was when a call was last refused.
    share: u64,
    /// The share before that.
    before: u64,
    /// When that was.
    since: Timestamp,
    /// When the next call is due.
    due: Timestamp,
}

impl Default for Pace {
    fn default() -> Self {
        Self { share: WHOLE, before: WHOLE, since: Timestamp::MIN, due: Timestamp::MIN }
    }
}

impl Pace {
    /// The share at `now`. It grows by a thousandth times the square of the windows that passed quietly: slowly near
    /// the share that was refused (a hundredth takes three windows), faster when nobody objects (back from a
    /// half in 23).
    pub(super) fn share(&self, now: Timestamp, window: SignedDuration) -> u64 {
        if self.share == WHOLE {
            return WHOLE;
        }
        let thousandths =
            now.duration_since(self.since).as_micros().max(0) * 1_000 / window.as_micros().max(1);
        let thousandths = u64::try_from(thousandths).unwrap_or(u64::MAX);
        self.share.saturating_add(thousandths.saturating_mul(thousandths) / 1_000).min(WHOLE)
    }

    /// A call was refused while calls of ours that came to `used` of the allowance had been served.
    pub(super) fn refuse(&mut self, at: Timestamp, used: u64, window: SignedDuration) {
        if at < after(self.since, window) {
            // The same shortage, met once more.
            self.refuse_too(used);
            (self.since, self.due) = (at, self.due.max(at));
            return;
        }
        let before = self.share(at, window);
        *self = Self { share: lowered(before, used), before, since: at, due: at };
    }

    /// One more call of the same event was refused, so less was served than had seemed.
    pub(super) fn refuse_too(&mut self, used: u64) {
        self.share = self.share.min(lowered(self.before, used));
    }

    /// A call began that takes `gap` at a full share.
    pub(super) fn begin(&mut self, at: Timestamp, gap: SignedDuration, window: SignedDuration) {
        let share = self.share(at, window);
        if share < WHOLE {
            let gap = gap.as_micros() * i128::from(WHOLE) / i128::from(share);
            let gap = SignedDuration::from_micros(i64::try_from(gap).unwrap_or(i64::MAX));
            self.due = after(self.due.max(at), gap);
        }
    }

    /// Nothing goes out before.
    pub(super) fn opens(&self, now: Timestamp, window: SignedDuration) -> Timestamp {
        match self.share(now, window) {
            WHOLE => Timestamp::MIN,
            _ => after(self.due, -(window / AHEAD)),
        }
    }

    /// The same pace on a clock that was set.
    pub(super) fn moved(&self, to: impl Fn(Timestamp) -> Timestamp) -> Self {
        Self { since: to(self.since), due: to(self.due), ..self.clone() }
    }
}

/// What is left of a share: a little less than what was served, and never more than half of it lost at once, since
/// what was served may have been all that was owed.
fn lowered(share: u64, used: u64) -> u64 {
    (used.min(share) / 100 * 97).max(share / 2).max(LEAST)
}
