//! How many calls are under way at once. Where the provider names no rate, the number is found: it doubles until
//! something objects, then grows by one and shrinks by a part. Must not know windows.
//!
//! Invariant: at least one, at most `most`.

use jiff::SignedDuration;

/// Where the search begins: what one small local server takes.
const FIRST: u32 = 4;
/// Answers looked at before the number is changed. Latencies of one model differ a hundredfold; the mean of their
/// logarithms over 32 of them is good to a factor of 1.3.
const ANSWERS: u32 = 32;
/// One doubling.
const OCTAVE: i64 = 1_024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    most: u32,
    now: u32,
    /// The rate is known; nothing is to be found.
    fixed: bool,
    /// Nothing has objected yet.
    doubling: bool,
    /// The number was reached since it was last changed: growth would have been used.
    full: bool,
    answers: u32,
    /// Of those answers, the sum of logarithms.
    latency: i64,
    /// The logarithm of the latency one call at a time would have, were the server worth asking more at once.
    calm: Option<i64>,
}

impl Flow {
    pub(super) fn new(most: u32, fixed: bool) -> Self {
        let now = if fixed { most } else { most.min(FIRST) };
        Self { most, now, fixed, doubling: true, full: false, answers: 0, latency: 0, calm: None }
    }

    /// Calls that may be under way.
    pub(super) fn cap(&self) -> u32 {
        self.now
    }

    /// A call began; so many are under way with it.
    pub(super) fn begin(&mut self, under_way: usize) {
        self.full |= under_way >= self.now as usize;
    }

    /// A call was answered.
    pub(super) fn answer(&mut self, latency: SignedDuration) {
        if self.fixed {
            return;
        }
        self.answers += 1;
        self.latency += logarithm(u64::try_from(latency.as_micros()).unwrap_or(1));
        if self.answers >= self.now.saturating_mul(2).max(ANSWERS) {
            self.judge();
        }
    }

    /// The provider refused or failed.
    pub(super) fn object(&mut self) {
        if !self.fixed {
            self.shrink(self.now / 2);
        }
    }

    /// Asking more at once is worth it while latency grows at most as the square root of the number: a server that is
    /// full makes it grow as the number itself. A quarter of a doubling is forgiven as chance.
    fn judge(&mut self) {
        let mean = self.latency / i64::from(self.answers) - logarithm(u64::from(self.now)) / 2;
        let calm = self.calm.unwrap_or(mean);
        let over = mean - calm;
        // What is calmer is believed soon. What is not may be a queue of our own making: only when prompts change for
        // good, it becomes the rule.
        self.calm = Some(calm + over / if over < 0 { 8 } else { 32 });
        if over > OCTAVE * 3 / 4 {
            let fewer = self.now - self.now.div_ceil(5);
            self.shrink(fewer.max(FIRST.min(self.now)));
        } else if over > OCTAVE / 4 {
            self.doubling = false;
            self.restart();
        } else if self.full {
            let more = if self.doubling { self.now } else { 1 };
            self.now = self.now.saturating_add(more).min(self.most);
            self.restart();
        } else {
            self.restart();
        }
    }

    fn shrink(&mut self, to: u32) {
        self.now = to.max(1).min(self.most);
        self.doubling = false;
        self.restart();
    }

    fn restart(&mut self) {
        (self.full, self.answers, self.latency) = (false, 0, 0);
    }
}

/// The binary logarithm, straight between powers of two; the same on every machine, which `f64::ln` is not.
fn logarithm(number: u64) -> i64 {
    let number = number.max(1);
    let whole = number.ilog2();
    let rest = (u128::from(number - (1 << whole)) * 1_024) >> whole;
    i64::from(whole) * OCTAVE + i64::try_from(rest).unwrap_or(0)
}
