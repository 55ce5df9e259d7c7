//! What a provider allows, and when the next call may go out. A `Ledger` knows the calls made at one endpoint (a key,
//! a region); `slot` chooses among the ledgers side by side. Must not know who calls, what is asked, or what time it
//! is: times are handed in.
//!
//! Invariant: however a call is delayed on its way by less than the margin, and whenever a process dies, no window of
//! the provider holds more than is allowed, and what is allowed is used to within a hundredth.

mod brake;
mod flow;
#[cfg(test)]
mod laws;
mod ledger;
mod pace;
#[cfg(test)]
mod tests;
mod window;

pub use ledger::{Call, End, Ledger, Outcome, State, Ticket};

use crate::time::Timestamp;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// What one endpoint allows. What is `None` is not limited; with neither requests nor tokens a minute given, the
/// number of calls under way is found by itself, from four up to `max_concurrency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in any window.
    pub requests_per_minute: Option<u32>,
    /// Tokens in any window, as the provider counts them at arrival.
    pub tokens_per_minute: Option<u64>,
    /// Requests in a day.
    pub requests_per_day: Option<u32>,
    /// The provider's minute: 60 s everywhere we know of; tests scale it, and everything here scales with it.
    pub window: SignedDuration,
    /// When a day's requests are given back.
    pub day: Day,
    /// Calls under way at once, at most.
    pub max_concurrency: u32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            requests_per_minute: None,
            tokens_per_minute: None,
            requests_per_day: None,
            window: SignedDuration::from_secs(60),
            day: Day::Rolling,
            // A local server seldom answers more than four at once; more would only queue there.
            max_concurrency: 4,
        }
    }
}

impl Allowance {
    /// How much later than its sending a call may arrive and still be counted rightly: a two-hundredth of the window,
    /// 300 ms of a minute. Half of the hundredth that may be lost; the other half is for the time between an opening
    /// and the call that uses it, and for tokens that do not fill the window to its brim. A connection that is open
    /// delivers in far less; a call that is answered sooner is known to have arrived, and needs no margin.
    fn margin(&self) -> SignedDuration {
        self.window / 200
    }

    /// How far back calls matter: rows older than this need not be replayed. After 32 windows without a refusal
    /// nothing learned from refusals is left.
    pub fn memory(&self) -> SignedDuration {
        let windows = self.window * 32;
        match self.requests_per_day {
            // A day that has 25 hours because clocks are turned back, and the doubt around its ends.
            Some(_) => windows.max(SignedDuration::from_hours(26)),
            None => windows,
        }
    }
}

/// When a day's requests are given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Day {
    /// Each call for itself, 24 hours after it was made.
    Rolling,
    /// All of them at midnight in this zone. Gemini's is Pacific time, see `Day::pacific`. Around midnight a call
    /// counts for both days, since the provider's clock is not ours.
    Midnight(TimeZone),
}

/// The doubt about midnight: a clock that is set from the network is less than a second off, one in a container that
/// slept may be many. It costs a minute of a day.
const MIDNIGHT_DOUBT: SignedDuration = SignedDuration::from_secs(30);
const ROLLING_DAY: SignedDuration = SignedDuration::from_hours(24);

impl Day {
    /// Midnight in California, summer time included, by a rule that needs no time zone database.
    pub fn pacific() -> Self {
        Self::named("PST8PDT,M3.2.0,M11.1.0").unwrap_or(Self::Rolling)
    }

    /// The day a person named: `rolling`, `pacific`, or a POSIX zone (`UTC0`, `CET-1CEST,M3.5.0,M10.5.0/3`).
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "rolling" => Some(Self::Rolling),
            "pacific" => Some(Self::pacific()),
            zone => TimeZone::posix(zone).ok().map(Self::Midnight),
        }
    }

    /// When a call that was made at `at` counts no more.
    fn leaves(&self, at: Timestamp) -> Timestamp {
        let rolling = after(at, ROLLING_DAY);
        match self {
            Self::Rolling => rolling,
            Self::Midnight(zone) => {
                let day = after(at, MIDNIGHT_DOUBT).to_zoned(zone.clone());
                // Only the last day of the calendar has no morrow.
                let end = day.tomorrow().and_then(|morrow| morrow.start_of_day());
                end.map_or(rolling, |end| after(end.timestamp(), MIDNIGHT_DOUBT))
            }
        }
    }
}

/// Whether a call may go out at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It may go out.
    Now,
    /// Not before this time, and perhaps later.
    At(Timestamp),
    /// When a call that is under way ends.
    Busy,
    /// Not as it is; the text says why and what to do.
    Never(String),
}

/// Where and when a call may go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// At this endpoint, now.
    Now(usize),
    /// Nowhere before this time.
    At(Timestamp),
    /// When a call that is under way ends.
    Busy,
    /// Nowhere; the text says why and what to do.
    Never(String),
}

/// The endpoint that may be called now with about `tokens` tokens, or when to ask again. Of several that are open, the
/// one that is used least for its size; of equals, the first.
pub fn slot(endpoints: &[Ledger], tokens: u64, now: Timestamp) -> Slot {
    let mut open: Option<(u64, usize)> = None;
    let mut soonest: Option<Timestamp> = None;
    let mut busy = false;
    let mut never = None;
    for (index, ledger) in endpoints.iter().enumerate() {
        match ledger.opens(tokens, now) {
            Opening::Now => open = open.into_iter().chain([(ledger.load(tokens), index)]).min(),
            Opening::At(at) => soonest = soonest.into_iter().chain([at]).min(),
            Opening::Busy => busy = true,
            Opening::Never(why) => never = never.or(Some(why)),
        }
    }
    match (open, soonest, busy) {
        (Some((_, index)), ..) => Slot::Now(index),
        (None, Some(at), _) => Slot::At(at),
        (None, None, true) => Slot::Busy,
        (None, None, false) => {
            Slot::Never(never.unwrap_or_else(|| "no endpoint is configured to send a call to".to_owned()))
        }
    }
}

/// `by` after `at`, or the end of time.
fn after(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}
