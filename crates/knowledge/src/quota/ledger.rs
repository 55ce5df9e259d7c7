//! The calls made at one endpoint, kept as they happen or replayed from rows. Must not know a clock, or other
//! endpoints.
//!
//! Invariant: a call counts from the latest time it can have arrived: its answer, or its sending and the margin,
//! whichever was first. As long as its sending is not known, its beginning stands for it; a call that was under way
//! when a process died began, for all we know, when the next one took over.

use super::brake::{Brake, Spacing, backoff};
use super::flow::Flow;
use super::pace::{FULL, Pace, WHOLE};
use super::window::{Weight, Window};
use super::{Allowance, Opening, after};
use crate::time::Timestamp;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// One call, for good: asked again, it is another one. The `Seq` of its `Asking` record will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered; the provider counted so many tokens, if it said so.
    Answered(Option<u64>),
    /// It was over the quota (429); the provider said how long to wait, if it did.
    Refused(Option<SignedDuration>),
    /// The provider failed (5xx, a cut connection, silence), and said how long to wait, if it did.
    Failed(Option<SignedDuration>),
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// When it was sent; nothing if it never left this machine.
    pub sent_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is under way.
    InFlight,
    /// It was under way when its process died. `Call::at` is when the *next* term began, and stays so in later terms.
    Crashed,
    /// It ended.
    Ended(End),
}

/// A call as rows tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub ticket: Ticket,
    /// Tokens reserved for it.
    pub tokens: u64,
    /// When it began.
    pub at: Timestamp,
    /// Where it stands.
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    began: Timestamp,
    /// Since when it counts.
    counts: Timestamp,
    tokens: u64,
}

/// The calls at one endpoint, as far as they still matter, and what was learned from their ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    allowance: Allowance,
    minute: Window,
    day: Window,
    open: BTreeMap<Ticket, Open>,
    refused: Brake,
    failed: Brake,
    pace: Pace,
    flow: Flow,
    /// How much later than its sending a call may arrive.
    margin: SignedDuration,
    /// The latest time that was handed in.
    seen: Timestamp,
}

/// Waiting after refusals that name no time: from a sixteenth of the window, in which a few calls leave it, to five
/// windows, after which only somebody else's use can be the reason.
fn refusal_waits(window: SignedDuration) -> (SignedDuration, SignedDuration) {
    (window / 16, window * 5)
}

/// Waiting after faults: from a second to a minute, for a window of a minute. Most are over at once; an outage is
/// noticed to be over within a minute.
fn fault_waits(window: SignedDuration) -> (SignedDuration, SignedDuration) {
    (window / 60, window)
}

/// A refusal comes back within this part of a window, two seconds of a minute, because nothing was computed for it.
const REFUSAL_RETURNS: i32 = 32;
/// The margin once a call was refused though nobody else is there: 480 ms of a minute. More would cost the hundredth
/// that may be lost.
const WIDE_MARGIN: i32 = 125;
/// No wait is longer than until the next day's requests are given.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(25);

impl Ledger {
    /// No calls yet.
    pub fn new(allowance: Allowance) -> Self {
        let known = allowance.requests_per_minute.is_some() || allowance.tokens_per_minute.is_some();
        Self {
            flow: Flow::new(allowance.max_concurrency, known),
            margin: allowance.margin(),
            allowance,
            minute: Window::default(),
            day: Window::default(),
            open: BTreeMap::new(),
            refused: Brake::default(),
            failed: Brake::default(),
            pace: Pace::default(),
            seen: Timestamp::MIN,
        }
    }

    /// The ledger of these calls, in any order. What is older than `Allowance::memory` may be left out.
    pub fn replayed(allowance: Allowance, calls: impl IntoIterator<Item = Call>) -> Self {
        let calls: Vec<Call> = calls.into_iter().collect();
        // At one instant, what ended made room for what began.
        let mut events: Vec<(Timestamp, u8, usize)> = Vec::with_capacity(2 * calls.len());
        for (index, call) in calls.iter().enumerate() {
            events.push((call.at, 1, index));
            match &call.state {
                State::Ended(end) => {
                    events.push((end.at.max(call.at), if end.at > call.at { 0 } else { 2 }, index));
                }
                State::Crashed => events.push((call.at, 2, index)),
                State::InFlight => {}
            }
        }
        events.sort_unstable();
        let mut ledger = Self::new(allowance);
        for (at, part, index) in events {
            let call = &calls[index];
            match (&call.state, part) {
                (_, 1) => ledger.begin(call.ticket, call.tokens, at),
                (State::Ended(end), _) => ledger.settle(call.ticket, end),
                (State::Crashed | State::InFlight, _) => drop(ledger.open.remove(&call.ticket)),
            }
            ledger.seen = ledger.seen.max(at);
        }
        ledger
    }

    /// What is allowed.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// Calls asked or under way.
    pub fn under_way(&self) -> usize {
        self.open.len()
    }

    /// How many may be under way at once, as far as is known by now.
    pub fn concurrency(&self) -> u32 {
        self.flow.cap()
    }

    /// A call is asked, and will begin at `at`; said again when it really begins, the later word counts.
    pub fn begin(&mut self, ticket: Ticket, tokens: u64, at: Timestamp) {
        let counts = self.arrives(at);
        match self.open.insert(ticket, Open { began: at, counts, tokens }) {
            Some(before) => self.take((before.counts, ticket)),
            None => {
                self.flow.begin(self.open.len());
                self.pace.begin(at, self.gap(tokens), self.allowance.window);
                self.refused.begin(at);
                self.failed.begin(at);
            }
        }
        self.put((counts, ticket), Weight { tokens, refused: false });
    }

    /// A call ended. One that is not known is counted all the same.
    pub fn settle(&mut self, ticket: Ticket, end: &End) {
        let open = self.open.remove(&ticket);
        let reserved = open.as_ref().map_or(0, |open| open.tokens);
        if let Some(open) = &open {
            self.take((open.counts, ticket));
        }
        let tokens = match end.outcome {
            Outcome::Answered(tokens) => tokens.unwrap_or(reserved),
            Outcome::Refused(_) => 0,
            Outcome::Failed(_) => reserved,
        };
        if let Some(sent) = end.sent_at {
            let refused = matches!(end.outcome, Outcome::Refused(_));
            self.put((self.arrives(sent).min(end.at.max(sent)), ticket), Weight { tokens, refused });
        }
        self.forget(end.at);
        self.seen = self.seen.max(end.at);
        let began = open.map_or(end.at, |open| open.began);
        let sent = end.sent_at.unwrap_or(began);
        match end.outcome {
            Outcome::Answered(_) => self.answered(sent, end.at),
            Outcome::Refused(wait) => self.refused((ticket, reserved), sent, (end.at, wait)),
            Outcome::Failed(wait) => self.failed(ticket, sent, (end.at, wait)),
        }
    }

    /// A call that was asked will not be made after all.
    pub fn withdraw(&mut self, ticket: Ticket) {
        if let Some(open) = self.open.remove(&ticket) {
            self.take((open.counts, ticket));
        }
    }

    /// Drops what counts no more. To be called before asking, so that asking stays cheap. When the clock was set back,
    /// the past is moved with it; otherwise calls of the future would have to be waited for.
    pub fn advance(&mut self, now: Timestamp) {
        if after(now, self.allowance.margin()) < self.seen {
            let by = self.seen.duration_since(now);
            let to = |at: Timestamp| after(at, -by);
            self.minute = self.minute.moved(to);
            self.day = self.day.moved(to);
            for open in self.open.values_mut() {
                (open.began, open.counts) = (to(open.began), to(open.counts));
            }
            self.refused = self.refused.moved(to);
            self.failed = self.failed.moved(to);
            self.pace = self.pace.moved(to);
            self.seen = now;
        }
        self.seen = self.seen.max(now);
        self.forget(now);
    }

    /// Whether a call of about `tokens` tokens may go out.
    pub fn opens(&self, tokens: u64, now: Timestamp) -> Opening {
        if let Some(why) = self.never(tokens) {
            return Opening::Never(why);
        }
        let allowance = &self.allowance;
        let leaves = |at| after(at, allowance.window);
        let requests =
            allowance.requests_per_minute.and_then(|limit| self.minute.blocks_request(limit.into()));
        let worth = allowance.tokens_per_minute.and_then(|limit| self.minute.blocks_tokens(limit, tokens));
        let day = allowance.requests_per_day.and_then(|limit| self.day.blocks_request(limit.into()));
        let windows = [requests.map(leaves), worth.map(leaves), day.map(|at| allowance.day.leaves(at))];
        let held = [self.refused.opens(), self.failed.opens(), self.pace.opens(now, allowance.window)];
        let at = windows.into_iter().flatten().chain(held).max().filter(|at| *at > now);
        match at {
            Some(at) => Opening::At(at),
            None if self.open.len() >= self.flow.cap() as usize => Opening::Busy,
            None => Opening::Now,
        }
    }

    /// The part of the allowance that is used with one more call, in millionths: of the limit that is nearest.
    pub(super) fn load(&self, tokens: u64) -> u64 {
        let allowance = &self.allowance;
        let requests = allowance.requests_per_minute.map(|limit| (self.minute.len() + 1, u64::from(limit)));
        let worth = allowance.tokens_per_minute.map(|limit| (self.minute.tokens() + tokens, limit));
        let day = allowance.requests_per_day.map(|limit| (self.day.len() + 1, u64::from(limit)));
        let flow = (requests.is_none() && worth.is_none())
            .then(|| (self.open.len() as u64 + 1, u64::from(self.flow.cap())));
        let parts = [requests, worth, day, flow].into_iter().flatten();
        parts.map(|(used, limit)| share(used, limit)).max().unwrap_or(0)
    }

    fn never(&self, tokens: u64) -> Option<String> {
        let allowance = &self.allowance;
        let none = |what: &str| {
            Some(format!(
                "the quota of this endpoint allows 0 {what}; raise it, or leave it out if there is no limit"
            ))
        };
        match allowance.tokens_per_minute {
            Some(limit) if tokens > limit => {
                return Some(format!(
                    "a prompt of about {tokens} tokens never fits into {limit} tokens a minute; make `pack_chars` \
                     smaller, or correct the quota"
                ));
            }
            _ => {}
        }
        match (allowance.requests_per_minute, allowance.requests_per_day, allowance.max_concurrency) {
            (Some(0), ..) => none("requests a minute"),
            (_, Some(0), _) => none("requests a day"),
            (.., 0) => none("calls at once"),
            _ => None,
        }
    }

    fn answered(&mut self, sent: Timestamp, at: Timestamp) {
        self.failed.release();
        if sent >= self.refused.since() {
            self.refused.release();
        }
        self.flow.answer(at.duration_since(sent));
    }

    fn refused(
        &mut self,
        call: (Ticket, u64),
        sent: Timestamp,
        (at, wait): (Timestamp, Option<SignedDuration>),
    ) {
        let window = self.allowance.window;
        let named = wait.map(|wait| after(at, wait.min(LONGEST_WAIT)));
        let used = self.used(call.1);
        let Some(strikes) = self.refused.strikes_with(sent) else {
            named.into_iter().for_each(|until| self.refused.hold(until));
            used.into_iter().for_each(|used| self.pace.refuse_too(used));
            return;
        };
        let until = named.unwrap_or_else(|| after(at, backoff(strikes, refusal_waits(window), call.0)));
        self.refused.strike(at, until, Spacing::First(window / REFUSAL_RETURNS));
        self.flow.object();
        // What is refused time after time says nothing about shares: nobody is served.
        let Some(used) = used.filter(|_| strikes == 1) else { return };
        let wide = window / WIDE_MARGIN;
        match used >= FULL && self.margin < wide {
            true => self.margin = wide,
            false => self.pace.refuse(at, used, window),
        }
    }

    fn failed(&mut self, ticket: Ticket, sent: Timestamp, (at, wait): (Timestamp, Option<SignedDuration>)) {
        let window = self.allowance.window;
        let named = wait.map(|wait| after(at, wait.min(LONGEST_WAIT)));
        if let Some(strikes) = self.failed.strikes_with(sent) {
            let wait = backoff(strikes, fault_waits(window), ticket);
            // One fault is an accident; from the second in a row on, calls only try whether it is over.
            let spacing = if strikes > 1 { Spacing::Each(wait) } else { Spacing::None };
            self.failed.strike(at, after(at, wait), spacing);
            self.flow.object();
        }
        named.into_iter().for_each(|until| self.failed.hold(until));
    }

    /// The part of the allowance that was served in the last window, if there is a limit to speak of. All of it, if a
    /// refused call of so many tokens would have been the last that fits.
    fn used(&self, refused: u64) -> Option<u64> {
        let (requests, tokens) = (self.allowance.requests_per_minute, self.allowance.tokens_per_minute);
        let part = |one: u64, worth: u64| {
            let requests = requests.map(|limit| share(self.minute.served() + one, limit.into()));
            requests.max(tokens.map(|limit| share(self.minute.tokens() + worth, limit)))
        };
        part(1, refused).filter(|used| *used >= FULL).or(part(0, 0))
    }

    /// The time a call takes of the window, were all of them alike.
    fn gap(&self, tokens: u64) -> SignedDuration {
        let window = self.allowance.window.as_micros();
        let part = |used: u64, limit: u64| window * i128::from(used) / i128::from(limit.max(1));
        let requests = self.allowance.requests_per_minute.map_or(0, |limit| part(1, limit.into()));
        let worth = self.allowance.tokens_per_minute.map_or(0, |limit| part(tokens, limit));
        SignedDuration::from_micros(i64::try_from(requests.max(worth)).unwrap_or(i64::MAX))
    }

    /// When a call that was sent at `at` has arrived at the latest.
    fn arrives(&self, at: Timestamp) -> Timestamp {
        after(at, self.margin)
    }

    fn put(&mut self, key: (Timestamp, Ticket), weight: Weight) {
        self.minute.put(key, weight);
        // Calls that were refused are not served, and a day of waiting would be eaten up by them.
        if self.allowance.requests_per_day.is_some() && !weight.refused {
            self.day.put(key, weight);
        }
    }

    fn take(&mut self, key: (Timestamp, Ticket)) {
        self.minute.take(key);
        self.day.take(key);
    }

    fn forget(&mut self, now: Timestamp) {
        let Allowance { window, day, .. } = &self.allowance;
        self.minute.forget(|at| after(at, *window) <= now);
        self.day.forget(|at| day.leaves(at) <= now);
    }
}

/// `used` of `limit`, in millionths.
fn share(used: u64, limit: u64) -> u64 {
    let share = u128::from(used) * u128::from(WHOLE) / u128::from(limit.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}
