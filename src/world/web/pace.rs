//! The pace of a whole client. One request that is told to wait holds up all, since the limit is the client's.

use crate::models::Response;
use crate::world::live;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The first pause where a server names none; the longest is so many times as long.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: u32 = 30;
/// A server that names a longer pause than this has its clock wrong, or means never.
const LONGEST_NAMED: Duration = Duration::from_secs(3_600);
/// Between requests, while a server says that its limit is near.
const NEAR_LIMIT: Duration = Duration::from_millis(1_000);

/// When the next request may be sent.
#[derive(Debug)]
pub(super) struct Pace {
    first: Duration,
    state: Mutex<State>,
}

impl Default for Pace {
    fn default() -> Self {
        Self::of(FIRST)
    }
}

#[derive(Debug, Default)]
struct State {
    /// Nothing is sent before.
    until: Option<Timestamp>,
    /// What lies between two requests.
    between: Duration,
}

impl Pace {
    /// One that pauses for this long at first.
    pub(super) fn of(first: Duration) -> Self {
        Self { first, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn.
    pub(super) async fn wait(&self) {
        while let Some(left) = self.left() {
            live::pause(left).await;
        }
    }

    /// How long it is until the next turn; none if it is now, and taken.
    fn left(&self) -> Option<Duration> {
        let (mut state, now) = (self.state(), live::now());
        let left = state.until.and_then(|until| Duration::try_from(until.duration_since(now)).ok());
        // A clock that was set back would have us wait for years.
        let left = left.filter(|left| !left.is_zero() && *left <= LONGEST_NAMED);
        if left.is_none() {
            state.until = later(now, state.between);
        }
        left
    }

    /// Nobody sends anything for a while: as long as the server says, or longer each time. A server that says so again
    /// did not mean what it named at first (`0`, or a moment that was over).
    pub(super) fn rest(&self, named: Option<Duration>, attempt: u32, path: &str) {
        let length = match (named, attempt.saturating_sub(1)) {
            (None, _) => pause(self.first, attempt, path),
            (Some(named), 0) => named,
            (Some(named), before) => named.max(pause(self.first, before, path)),
        };
        let mut state = self.state();
        state.until = state.until.max(later(live::now(), length.min(LONGEST_NAMED)));
    }

    /// One alone waits before it sends the same again, and nobody else does.
    pub(super) async fn pause(&self, attempt: u32, path: &str) {
        live::pause(pause(self.first, attempt, path)).await;
    }

    /// Slows down near a limit, and no longer.
    pub(super) fn heeds(&self, response: &Response) {
        let is_near =
            response.header("x-ratelimit-nearlimit").is_some_and(|near| near.eq_ignore_ascii_case("true"))
                || response.header("x-ratelimit-remaining") == Some("0");
        self.state().between = if is_near { NEAR_LIMIT } else { Duration::ZERO };
    }
}

fn later(now: Timestamp, length: Duration) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from(length).ok()?).ok()
}

/// Twice as long each time, and a little apart for each request, so that several clients do not come back at once.
fn pause(first: Duration, attempt: u32, path: &str) -> Duration {
    let doubled = first.saturating_mul((1_u32 << attempt.saturating_sub(1).min(10)).min(LONGEST));
    let share = u32::from(blake3::hash(path.as_bytes()).as_bytes()[0]);
    doubled.mul_f64(0.75 + f64::from(share) / 1_024.0)
}

/// How long a server wants to be left alone: in seconds, or until a moment, by its own clock, or by ours if it does not
/// say what its own is.
pub(in crate::world) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = moment(text)?;
    let now = response.header("date").and_then(moment).unwrap_or_else(live::now);
    let left: SignedDuration = until.duration_since(now);
    Some(Duration::try_from(left).unwrap_or_default())
}

/// A moment as HTTP writes it (RFC 9110, section 5.6.7).
fn moment(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(&str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        retry_after(&Response { status: 429, headers, body: Vec::new() })
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        assert_eq!(told(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(told(&[("retry-after", "0")]), Some(Duration::ZERO));
        let date = ("date", "Fri, 27 Nov 2026 15:00:00 GMT");
        assert_eq!(
            told(&[date, ("retry-after", "Fri, 27 Nov 2026 15:00:30 GMT")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(told(&[date, ("retry-after", "Fri, 27 Nov 2026 14:00:30 GMT")]), Some(Duration::ZERO));
        assert_eq!(told(&[("retry-after", "soon")]), None);
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let lengths: Vec<Duration> = (1..12).map(|attempt| pause(FIRST, attempt, "/x")).collect();
        assert!(lengths.is_sorted() && lengths[0] >= FIRST.mul_f64(0.75) && lengths[10] <= FIRST * LONGEST);
    }

    /// How long everybody rests after refusals that name this.
    fn rested(named: Option<Duration>, attempt: u32) -> Duration {
        let pace = Pace::default();
        pace.rest(named, attempt, "/x");
        pace.left().unwrap_or_default()
    }

    #[test]
    fn a_server_that_says_at_once_is_believed_once() {
        assert_eq!(rested(Some(Duration::ZERO), 1), Duration::ZERO);
        assert!(rested(Some(Duration::ZERO), 2) > FIRST / 2);
        assert!(rested(Some(Duration::ZERO), 6) > FIRST * 10);
        let named = Duration::from_secs(600);
        assert!(rested(Some(named), 7) > named - FIRST, "what is longer counts");
        assert!(rested(None, 1) > FIRST / 2);
    }

    #[test]
    fn one_that_pauses_alone_holds_up_nobody() {
        let pace = Pace::of(Duration::ZERO);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(pace.pause(5, "/x"));
        assert_eq!(pace.left(), None);
    }
}
