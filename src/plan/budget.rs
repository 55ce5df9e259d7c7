//! What a run may take, in calls and in money. It must not know what is asked, nor when a call may go out.
//!
//! Invariant: what is under way counts as if it took all that was reserved for it, so a budget is not passed by more
//! than a reservation was too small.

use crate::state::answers::Spent;

/// What a run may take; what is not set is not limited. Plain data.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Calls, for answers and for vectors.
    pub calls: Option<u64>,
    /// Money, in whatever the prices are in.
    pub money: Option<f64>,
    /// What tokens cost.
    pub prices: Prices,
}

/// Money for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    /// Of prompts.
    pub input: f64,
    /// Of prompts, where they came from the vendor's cache; none for the same.
    pub cached: Option<f64>,
    /// Of answers.
    pub output: f64,
    /// Of texts that are turned into vectors.
    pub embedding: f64,
}

impl Prices {
    /// What was taken, in money.
    pub fn cost(&self, spent: &Spent) -> f64 {
        let cached = spent.cached_tokens.min(spent.input_tokens);
        let parts = [
            (spent.input_tokens - cached, self.input),
            (cached, self.cached.unwrap_or(self.input)),
            (spent.output_tokens, self.output),
            (spent.embedding_tokens, self.embedding),
        ];
        parts.iter().map(|(tokens, price)| *tokens as f64 * price).sum::<f64>() / 1e6
    }
}

impl Budget {
    /// Whether one more call, or so many, with so many tokens stays within. What is under way, and these, count at the
    /// higher price: what they really take is known when they have answered.
    pub(super) fn allows(&self, spent: &Spent, (calls, tokens): (u64, u64)) -> bool {
        let dear = self.prices.input.max(self.prices.output) / 1e6;
        let open = (spent.open_tokens + tokens) as f64 * dear;
        self.calls.is_none_or(|most| spent.calls + calls <= most)
            && self.money.is_none_or(|most| self.prices.cost(spent) + open <= most)
    }

    /// The same for a call for vectors.
    pub(super) fn allows_vectors(&self, spent: &Spent, tokens: u64) -> bool {
        let taken = Spent { embedding_tokens: spent.embedding_tokens + tokens, ..*spent };
        self.calls.is_none_or(|most| spent.calls < most)
            && self.money.is_none_or(|most| {
                let dear = self.prices.input.max(self.prices.output) / 1e6;
                self.prices.cost(&taken) + spent.open_tokens as f64 * dear <= most
            })
    }
}
