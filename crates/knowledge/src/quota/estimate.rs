//! How many tokens a text will be, learned from what providers said about earlier ones. Must not know any tokenizer.
//!
//! Invariant: the same observations in the same order give the same estimate on every machine: whole numbers only.

/// Tokens of a text by its length, for one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens in a million characters.
    rate: u64,
    /// How far that is off, in the mean, in millionths of itself.
    doubt: u64,
    seen: u32,
}

const MILLION: u64 = 1_000_000;
/// English prose has about four characters a token, mark-up and names three: between them until something is learned.
const UNSEEN: u64 = MILLION * 2 / 7;
/// How far that may be off.
const UNSEEN_DOUBT: u64 = MILLION / 5;
/// The weight of a new observation is one in so many: a change of wiki shows after a dozen calls, one odd page hardly.
const MEMORY: u64 = 8;
/// What no tokenizer leaves: a token of fifty characters, five tokens a character (bytes of rare scripts).
const RANGE: std::ops::RangeInclusive<u64> = MILLION / 50..=MILLION * 5;

impl Default for Estimate {
    fn default() -> Self {
        Self { rate: UNSEEN, doubt: UNSEEN_DOUBT, seen: 0 }
    }
}

impl Estimate {
    /// The tokens of a text, as likely too many as too few: for prices.
    pub fn tokens(&self, chars: u64) -> u64 {
        part(chars, self.rate)
    }

    /// What to reserve for a text: with the doubt on top, given back when the call is settled.
    pub fn reserve(&self, chars: u64) -> u64 {
        let tokens = self.tokens(chars);
        tokens + part(tokens, self.doubt)
    }

    /// A text of `chars` characters was counted as `tokens`.
    pub fn learn(&mut self, chars: u64, tokens: u64) {
        if chars == 0 || tokens == 0 {
            return;
        }
        let rate = u128::from(tokens) * u128::from(MILLION) / u128::from(chars);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX).clamp(*RANGE.start(), *RANGE.end());
        let off = rate.abs_diff(self.rate).saturating_mul(MILLION) / self.rate;
        // The first ones are averaged, so that the guess before them weighs nothing.
        let weight = (u64::from(self.seen) + 1).min(MEMORY);
        self.rate = blend(self.rate, rate, weight);
        if self.seen > 0 {
            // The first one is off from a guess, which says nothing about texts.
            self.doubt = blend(self.doubt, off.min(MILLION), weight);
        }
        self.seen = self.seen.saturating_add(1);
    }
}

/// `old` with one part in `weight` of `new`.
fn blend(old: u64, new: u64, weight: u64) -> u64 {
    (old * (weight - 1) + new + weight / 2) / weight
}

/// So many millionths of `whole`, rounded up.
fn part(whole: u64, millionths: u64) -> u64 {
    let part = (u128::from(whole) * u128::from(millionths)).div_ceil(u128::from(MILLION));
    u64::try_from(part).unwrap_or(u64::MAX)
}
