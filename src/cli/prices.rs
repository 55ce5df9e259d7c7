//! Money: the prices that are set, what a run may take of it, and what something took. It must not know how calls are
//! counted. Invariant: what has no price is named, never taken for free in silence.

use super::Call;
use crate::error::{Error, Kind, Result};
use crate::plan::{self, Budget};
use crate::settings::Settings;
use crate::state::State;
use serde::Serialize;
use vault::Seq;

/// What was asked of models and of those who make vectors, and what it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Taken {
    /// Calls of models.
    pub calls: u64,
    /// Tokens of prompts, those from the vendor's cache among them.
    pub input_tokens: u64,
    /// Tokens of prompts that came from the vendor's cache.
    pub cached_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Calls for vectors.
    pub embedding_calls: u64,
    /// Tokens of texts that were turned into vectors.
    pub embedding_tokens: u64,
}

impl Taken {
    /// What was taken since a record.
    pub(super) fn since(state: &State, since: Seq) -> Result<Self> {
        let (spent, vectors) = (state.spent(since)?, state.embedding_took(since)?);
        Ok(Self {
            calls: spent.calls,
            input_tokens: spent.input_tokens,
            cached_tokens: spent.cached_tokens,
            output_tokens: spent.output_tokens,
            embedding_calls: vectors.calls,
            embedding_tokens: vectors.tokens,
        })
    }
}

/// The prices that are set, for a million tokens each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Prices {
    input: Option<f64>,
    cached: Option<f64>,
    output: Option<f64>,
    embedding: Option<f64>,
}

impl Prices {
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        Ok(Self {
            input: settings.price("input_price")?,
            cached: settings.price("cached_price")?,
            output: settings.price("output_price")?,
            embedding: settings.price("embedding_price")?,
        })
    }

    /// What it costs, as far as it has prices; nothing when none of it has.
    pub(super) fn cost(&self, taken: &Taken) -> Option<f64> {
        let models = self.input.zip(self.output).map(|(input, output)| {
            let cached = taken.cached_tokens.min(taken.input_tokens);
            let fresh = taken.input_tokens - cached;
            let prompts = fresh as f64 * input + cached as f64 * self.cached.unwrap_or(input);
            (prompts + taken.output_tokens as f64 * output) / 1e6
        });
        let vectors = self.embedding.map(|price| taken.embedding_tokens as f64 * price / 1e6);
        models.into_iter().chain(vectors).reduce(|models, vectors| models + vectors)
    }

    /// The settings that are missing for a price of all of it.
    pub(super) fn missing(&self, taken: &Taken) -> Option<&'static str> {
        let models = taken.calls > 0 && (self.input.is_none() || self.output.is_none());
        let vectors = taken.embedding_calls > 0 && self.embedding.is_none();
        match (models, vectors) {
            (true, true) => Some("`input_price`, `output_price`, `embedding_price`"),
            (true, false) => Some("`input_price`, `output_price`"),
            (false, true) => Some("`embedding_price`"),
            (false, false) => None,
        }
    }
}

/// An amount of money as people read it: small ones with more digits, since a trial costs less than a cent.
pub(super) fn shown(money: f64) -> String {
    match money {
        money if money > 0.0 && money < 0.1 => format!("{money:.4}"),
        _ => format!("{money:.2}"),
    }
}

/// What a run may take, by its flags and the prices that are set.
pub(super) fn budget(call: &Call, calls: Option<u64>, money: Option<f64>) -> Result<Budget> {
    let prices = Prices::of(&call.settings)?;
    match (money, prices.input, prices.output) {
        (Some(money), ..) if !(money.is_finite() && money >= 0.0) => Err(Error::new(
            Kind::Usage,
            format!("`--max-cost {money}`: expected an amount of money such as 2.50"),
        )),
        (Some(_), None, _) | (Some(_), _, None) => {
            Err(Error::new(Kind::Usage, "`--max-cost`: no prices are set, so nobody knows what a call costs")
                .hint("set `input_price` and `output_price`, for a million tokens each"))
        }
        (money, input, output) => {
            let prices = plan::Prices {
                input: input.unwrap_or(0.0),
                cached: prices.cached,
                output: output.unwrap_or(0.0),
                embedding: prices.embedding.unwrap_or(0.0),
            };
            Ok(Budget { calls, money, prices })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_from_the_cache_have_their_own_price_and_what_has_none_is_named() {
        let taken = Taken {
            calls: 1,
            input_tokens: 1_000_000,
            cached_tokens: 400_000,
            output_tokens: 100_000,
            embedding_calls: 1,
            embedding_tokens: 2_000_000,
        };
        let prices = |input, cached, embedding| Prices { input, cached, output: Some(10.0), embedding };
        let cents = |prices: Prices| prices.cost(&taken).map(|money| (money * 100.0).round());
        assert_eq!(cents(prices(Some(1.0), Some(0.25), Some(0.02))), Some(174.0));
        assert_eq!(cents(prices(Some(1.0), None, Some(0.02))), Some(204.0), "at the price of other prompts");
        assert_eq!(cents(prices(Some(1.0), None, None)), Some(200.0));
        assert_eq!(prices(Some(1.0), None, None).missing(&taken), Some("`embedding_price`"));
        assert_eq!(cents(prices(None, None, None)), None);
        assert_eq!(prices(Some(1.0), None, Some(0.02)).missing(&taken), None);
        assert_eq!(
            (shown(0.0), shown(0.0123), shown(12.345)),
            ("0.00".into(), "0.0123".into(), "12.35".into())
        );
    }
}
