//! How the calls of models stand at a moment: for progress and `status`. It looks at rows and at the quota that is set,
//! from outside, so no run knows of it. Invariant: a number that is guessed says so.

use super::estimate::hours;
use super::prices::{self, Prices, Taken};
use crate::error::Result;
use crate::plan::Asks;
use crate::state::State;
use crate::state::spending::Standing;
use jiff::tz::TimeZone;
use knowledge::quota::{self, Ledger, Slot};
use knowledge::time::Timestamp;
use vault::Seq;

/// What is known of how models are asked.
#[derive(Clone, Default)]
pub(super) struct Asking {
    /// How; nothing when it is not known here.
    pub asks: Option<Asks>,
    /// What it costs.
    pub prices: Prices,
}

/// How calls stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calls {
    /// What was taken, of calls that are under way only that they are.
    pub taken: Taken,
    /// Those that have not ended.
    pub standing: Standing,
    /// Those that are likely to come from pages that are not sorted into calls yet.
    pub to_come: u64,
    /// In money, as far as prices are set.
    pub money: Option<f64>,
    /// When the quota lets out the next one, where it is waited for.
    pub waits_until: Option<Timestamp>,
    /// How long the quota makes the rest take.
    pub hours_left: Option<f64>,
}

/// Letters of a reason that are shown on a line of progress.
const REASON: usize = 160;

impl Calls {
    /// How they stand now, of those that were announced after a record.
    pub(super) fn look(state: &State, asking: &Asking, (since, now): (Seq, Timestamp)) -> Result<Self> {
        let asks = asking.asks.as_ref();
        let taken = Taken::since(state, since)?;
        let standing = state.standing_of_calls(asks.map(Asks::askers))?;
        let mut calls = Self { money: asking.prices.cost(&taken), taken, standing, ..Self::default() };
        let Some(asks) = asks else { return Ok(calls) };
        calls.to_come = state.calls_to_come(&asks.reads.extractor)?;
        if asks.batch.is_none() {
            let rest = calls.standing.owed + calls.standing.in_flight + calls.to_come;
            calls.hours_left = hours(&asks.allowances, (rest, rest * calls.standing.tokens_a_call));
        }
        if calls.standing.owed > 0 {
            calls.waits_until = waits_until(state, asks, (calls.standing.tokens_a_call, now))?;
        }
        Ok(calls)
    }

    /// Calls that have ended.
    pub(super) fn made(&self) -> u64 {
        self.taken.calls.saturating_sub(self.standing.in_flight)
    }

    /// All that have ended or are known or likely to come.
    pub(super) fn expected(&self) -> u64 {
        let Standing { owed, in_flight, batched, .. } = self.standing;
        self.made() + owed + in_flight + batched + self.to_come
    }

    /// Nothing was asked and nothing is to be.
    pub(super) fn is_nothing(&self) -> bool {
        self.expected() == 0
    }

    /// What it took so far, and what has not ended, for a line of progress.
    pub(super) fn said(&self) -> String {
        let Standing { owed, in_flight, jobs, batched, fault, .. } = &self.standing;
        let mut parts = vec![format!("{} calls made, {in_flight} under way, {owed} owed", self.made())];
        if *jobs > 0 {
            parts.push(format!("{batched} in {jobs} jobs of a batch engine"));
        }
        if self.to_come > 0 {
            parts.push(format!("about {} to come", self.to_come));
        }
        let tokens = self.taken.input_tokens + self.taken.output_tokens;
        parts.push(format!("{tokens} tokens"));
        parts.extend(self.money.map(|money| format!("{} spent", prices::shown(money))));
        parts.extend(self.waits_until.map(|moment| format!("the quota opens at {}", clock(moment))));
        if let Some(hours) = self.hours_left.filter(|hours| *hours > 0.0) {
            parts.push(match hours < 2.0 {
                true => format!("about {:.0} min left at the quota", (hours * 60.0).ceil()),
                false => format!("about {hours:.1} h left at the quota"),
            });
        }
        if let Some(why) = fault {
            parts.push(format!("the last call failed: {}", why.chars().take(REASON).collect::<String>()));
        }
        parts.join(", ")
    }
}

/// A moment on the clock of whoever looks.
pub(super) fn clock(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// When the quota lets out a call of so many tokens, if not now.
fn waits_until(state: &State, asks: &Asks, (tokens, now): (u64, Timestamp)) -> Result<Option<Timestamp>> {
    let mut ledgers = Vec::new();
    for (endpoint, allowance) in asks.allowances.iter().enumerate() {
        let since = now.checked_sub(allowance.memory()).unwrap_or(Timestamp::MIN);
        let mut ledger = Ledger::replayed(allowance.clone(), state.calls_since(endpoint as u32, since)?);
        ledger.advance(now);
        ledgers.push(ledger);
    }
    Ok(match quota::slot(&ledgers, tokens, now) {
        Slot::At(moment) => Some(moment),
        Slot::Now(_) | Slot::Busy | Slot::Never(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_known_and_leaves_out_what_is_not() {
        let standing = Standing { owed: 5, in_flight: 2, ..Standing::default() };
        let taken = Taken { calls: 12, input_tokens: 900, output_tokens: 100, ..Taken::default() };
        let calls = Calls { taken, standing, ..Calls::default() };
        assert_eq!(calls.said(), "10 calls made, 2 under way, 5 owed, 1000 tokens");
        let standing = Standing {
            fault: Some("HTTP 503: overloaded".to_owned()),
            jobs: 1,
            batched: 7,
            ..calls.standing
        };
        let calls = Calls { standing, to_come: 30, money: Some(0.5), hours_left: Some(0.61), ..calls };
        assert_eq!(
            calls.said(),
            "10 calls made, 2 under way, 5 owed, 7 in 1 jobs of a batch engine, about 30 to come, 1000 tokens, \
             0.50 spent, about 37 min left at the quota, the last call failed: HTTP 503: overloaded"
        );
        assert_eq!(calls.expected(), 10 + 2 + 5 + 7 + 30);
    }
}
