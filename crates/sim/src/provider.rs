//! What arrives at providers, and whether it was more than they allow: judged from the arrivals alone, as a provider
//! does that counts strictly, over the whole life and through every death. It must not know what callers believe to
//! have sent.
//!
//! Invariant: a call arrives when it arrives, whether or not its process lives to see it.

use knowledge::quota::{Allowance, Day};

/// One endpoint, and what arrived there.
#[derive(Clone, Debug)]
pub struct Provider {
    allows: Allowance,
    arrived: Vec<Arrival>,
}

/// A call as the provider counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When, in milliseconds.
    pub at: i64,
    /// Tokens of the prompt; nothing for a call that was turned away at the door.
    pub tokens: u64,
    /// It was let in: calls that were turned away count as requests of the minute, not of the day.
    pub let_in: bool,
}

/// How full the fullest window of each kind was, in hundredths: requests a minute, tokens a minute, requests a day.
pub type Fill = [u64; 3];

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

impl Provider {
    /// An endpoint that allows so much.
    pub fn new(allows: Allowance) -> Self {
        Self { allows, arrived: Vec::new() }
    }

    /// A call arrives.
    pub fn take(&mut self, arrival: Arrival) {
        self.arrived.push(arrival);
    }

    /// How many calls arrived.
    pub fn calls(&self) -> usize {
        self.arrived.len()
    }

    /// How full its windows were.
    ///
    /// # Errors
    /// The fullest window of a kind, when it held more than is allowed.
    pub fn judge(&self, name: &str) -> Result<Fill, String> {
        let mut arrived = self.arrived.clone();
        arrived.sort_unstable();
        let allows = &self.allows;
        let calls = |arrival: &Arrival| (arrival.at, 1);
        let minute = fullest(arrived.iter().map(calls), MINUTE_MS);
        let tokens = fullest(arrived.iter().map(|arrival| (arrival.at, arrival.tokens)), MINUTE_MS);
        let let_in = arrived.iter().filter(|arrival| arrival.let_in).map(calls);
        let day = match allows.day {
            Day::Rolling => fullest(let_in, DAY_MS),
            // Midnight in UTC: every call of a day counts as one at its beginning.
            Day::Midnight(_) => fullest(let_in.map(|(at, one)| (at - at.rem_euclid(DAY_MS), one)), 1),
        };
        let kinds = [
            ("calls in a minute", minute, allows.requests_per_minute.map(u64::from)),
            ("tokens in a minute", tokens, allows.tokens_per_minute),
            ("calls in a day", day, allows.requests_per_day.map(u64::from)),
        ];
        let mut fill = Fill::default();
        for (fill, (what, found, allowed)) in fill.iter_mut().zip(kinds) {
            let Some(allowed) = allowed else { continue };
            if found > allowed {
                return Err(format!("{name}: {found} {what} arrived, {allowed} are allowed"));
            }
            *fill = found * 100 / allowed.max(1);
        }
        Ok(fill)
    }
}

/// The most that any window of this length holds. `arrived` comes in order of time.
fn fullest(arrived: impl Iterator<Item = (i64, u64)>, window_ms: i64) -> u64 {
    let mut within = std::collections::VecDeque::new();
    let (mut sum, mut most) = (0, 0);
    for (at, weight) in arrived {
        within.push_back((at, weight));
        sum += weight;
        while let Some((first, weight)) = within.front().copied()
            && first <= at - window_ms
        {
            sum -= weight;
            within.pop_front();
        }
        most = most.max(sum);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(allows: Allowance, at: &[i64]) -> Provider {
        let mut provider = Provider::new(allows);
        at.iter().for_each(|at| provider.take(Arrival { at: *at, tokens: 10, let_in: true }));
        provider
    }

    #[test]
    fn a_window_slides_and_knows_no_full_minutes() {
        let allows = Allowance { requests_per_minute: Some(2), ..Allowance::default() };
        assert_eq!(provider(allows.clone(), &[60_000, 0, 1]).judge("it"), Ok([100, 0, 0]));
        assert!(provider(allows, &[59_000, 60_500, 118_999]).judge("it").is_err());
    }

    #[test]
    fn tokens_and_days_have_windows_of_their_own() {
        let tokens = Allowance { tokens_per_minute: Some(20), ..Allowance::default() };
        assert_eq!(provider(tokens.clone(), &[0, 1]).judge("it"), Ok([0, 100, 0]));
        assert!(provider(tokens, &[0, 1, 2]).judge("it").is_err());
        let day = Allowance { requests_per_day: Some(2), ..Allowance::default() };
        let night = [0, DAY_MS - 1, DAY_MS];
        assert_eq!(provider(day.clone(), &night).judge("it"), Ok([0, 0, 100]));
        assert!(provider(day.clone(), &[1, 2, DAY_MS]).judge("it").is_err());
        let day = Allowance { day: Day::named("UTC0").unwrap(), ..day };
        assert_eq!(provider(day, &night).judge("it"), Ok([0, 0, 100]));
    }
}
