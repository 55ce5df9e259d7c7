//! Numbers made of a seed and the number of an input (splitmix64). The simulator has the same in its own crate, with
//! the whole product under it; a fuzzer is built in seconds.

/// A stream of numbers.
pub struct Rng(u64);

impl Rng {
    /// The stream of an input.
    pub fn new(seed: u64, input: u64) -> Self {
        let mut rng = Self(seed);
        rng.0 = rng.next() ^ input.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
