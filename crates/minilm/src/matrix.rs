//! The product of activations with a weight matrix, in integers.
//!
//! Knows nothing of layers. Weights are int8 with a factor per output; activations are rounded to 14 to 16
//! bits (what the width allows) with a factor per row. The invariant: every sum fits an i32, so it is exact,
//! and the result does not depend on the order of adding, the processor, or which rows are multiplied
//! together.

use crate::weights::Rows;
use pulp::Arch;

/// Rows of activations that one tile works on, and outputs it makes: 6 x 16 sums fill 12 of the 16 AVX2
/// registers, two hold weights and one the activation.
const TILE_ROWS: usize = 6;
const TILE_OUTPUTS: usize = 16;

/// The largest sum of products must fit an i32, and an activation an i16.
const fn largest_rounded(inputs: usize) -> usize {
    let fitting = i32::MAX as usize / (128 * inputs);
    if fitting < i16::MAX as usize { fitting } else { i16::MAX as usize }
}

/// 1.5 * 2^23: adding it to a small number leaves the number, rounded to the nearest integer, in the low
/// bits.
const ROUNDER: f32 = 12_582_912.0;

/// Numbers whose largest is sought side by side; an input width is a multiple of it.
const LANES: usize = 16;

/// Two inputs of 16 outputs, output by output: the order in which a multiply-add instruction wants them.
type Strip = [i8; 2 * TILE_OUTPUTS];
/// Two rounded inputs of each row of a tile, packed as two i16.
type Pairs = [i32; TILE_ROWS];
type Sums = [[i32; TILE_OUTPUTS]; TILE_ROWS];

/// Which instructions multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// What the processor has (looked up at run time).
    Best,
    /// What every processor has.
    Portable,
}

/// A linear layer: weights laid out for the tiles, and a bias.
pub(crate) struct Linear {
    strips: Vec<Strip>,
    factors: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Linear {
    /// `rows` has a row for each output.
    pub fn new(rows: &[Rows], bias: Vec<f32>, inputs: usize) -> Linear {
        let factors: Vec<f32> = rows.iter().flat_map(|rows| rows.factors.iter().copied()).collect();
        assert!(
            inputs.is_multiple_of(2)
                && bias.len() == factors.len()
                && bias.len().is_multiple_of(TILE_OUTPUTS)
        );
        let panels = rows.iter().flat_map(|rows| rows.bytes.chunks_exact(TILE_OUTPUTS * inputs));
        let strips =
            panels.flat_map(|panel| (0..inputs / 2).map(move |pair| strip(panel, pair, inputs))).collect();
        Linear { strips, factors, bias, inputs }
    }

    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Writes `outputs()` numbers for each row of `activations`.
    pub fn apply(&self, activations: &Rounded, out: &mut [f32], kernel: Kernel) {
        assert_eq!(self.inputs, activations.inputs);
        assert_eq!(out.len(), activations.factors.len() * self.outputs());
        match (kernel, Arch::new()) {
            (Kernel::Portable, _) => self.run(activations, out, tile),
            #[cfg(target_arch = "x86_64")]
            (Kernel::Best, Arch::V3(v3)) => v3.vectorize(
                #[inline(always)]
                || self.run(activations, out, |strips, pairs| tile_avx2(v3, strips, pairs)),
            ),
            (Kernel::Best, arch) => arch.dispatch(
                #[inline(always)]
                || self.run(activations, out, tile),
            ),
        }
    }

    #[inline(always)]
    fn run(&self, activations: &Rounded, out: &mut [f32], tile: impl Fn(&[Strip], &[Pairs]) -> Sums) {
        let pairs = self.inputs / 2;
        for (panel, strips) in self.strips.chunks_exact(pairs).enumerate() {
            let outputs = panel * TILE_OUTPUTS..(panel + 1) * TILE_OUTPUTS;
            let (factors, bias) = (&self.factors[outputs.clone()], &self.bias[outputs.clone()]);
            let tiles = activations.pairs.chunks_exact(pairs).zip(activations.factors.chunks(TILE_ROWS));
            let out_tiles = out.chunks_mut(TILE_ROWS * self.bias.len());
            for ((pairs, row_factors), out) in tiles.zip(out_tiles) {
                let sums = tile(strips, pairs);
                let rows = out.chunks_exact_mut(self.bias.len()).zip(row_factors).zip(&sums);
                for ((row, row_factor), sums) in rows {
                    scale(&mut row[outputs.clone()], sums, (*row_factor, factors, bias));
                }
            }
        }
    }
}

#[inline(always)]
fn scale(out: &mut [f32], sums: &[i32; TILE_OUTPUTS], (row, factors, bias): (f32, &[f32], &[f32])) {
    for (((out, sum), factor), bias) in out.iter_mut().zip(sums).zip(factors).zip(bias) {
        *out = *sum as f32 * (row * factor) + bias;
    }
}

/// The weights of input pair `pair` in a panel of 16 outputs.
fn strip(panel: &[u8], pair: usize, inputs: usize) -> Strip {
    let mut strip = [0; 2 * TILE_OUTPUTS];
    for (place, row) in strip.as_chunks_mut::<2>().0.iter_mut().zip(panel.chunks_exact(inputs)) {
        *place = [row[2 * pair].cast_signed(), row[2 * pair + 1].cast_signed()];
    }
    strip
}

/// Activations rounded to integers, laid out for the tiles.
pub(crate) struct Rounded {
    pairs: Vec<Pairs>,
    factors: Vec<f32>,
    inputs: usize,
}

impl Rounded {
    /// Rounds rows of `inputs` numbers, each by its own largest number.
    pub fn new(rows: &[f32], inputs: usize) -> Rounded {
        Arch::new().dispatch(
            #[inline(always)]
            || round_rows(rows, inputs),
        )
    }
}

#[inline(always)]
fn round_rows(rows: &[f32], inputs: usize) -> Rounded {
    let (count, half) = (rows.len() / inputs, inputs / 2);
    let mut pairs = vec![[0; TILE_ROWS]; count.div_ceil(TILE_ROWS) * half];
    let mut factors = Vec::with_capacity(count);
    let mut rounded = vec![0i32; inputs];
    let top = largest_rounded(inputs) as f32;
    for (at, row) in rows.chunks_exact(inputs).enumerate() {
        let largest = largest(row);
        let up = top / largest;
        for (rounded, number) in rounded.iter_mut().zip(row) {
            *rounded = (number * up + ROUNDER).to_bits().cast_signed() - ROUNDER.to_bits().cast_signed();
        }
        let tile = &mut pairs[at / TILE_ROWS * half..][..half];
        for (pairs, two) in tile.iter_mut().zip(rounded.as_chunks::<2>().0) {
            pairs[at % TILE_ROWS] = (two[0] & 0xffff) | (two[1] << 16);
        }
        factors.push(largest / top);
    }
    Rounded { pairs, factors, inputs }
}

/// The largest magnitude, or a tiny number where a row is all zero and could not be divided by.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut lanes = [1e-30f32; LANES];
    for chunk in row.as_chunks::<LANES>().0 {
        for (lane, number) in lanes.iter_mut().zip(chunk) {
            let magnitude = number.abs();
            *lane = if magnitude > *lane { magnitude } else { *lane };
        }
    }
    lanes.into_iter().fold(0.0, f32::max)
}

/// The sums of one tile, for any processor.
#[inline(always)]
fn tile(strips: &[Strip], pairs: &[Pairs]) -> Sums {
    let mut sums = [[0; TILE_OUTPUTS]; TILE_ROWS];
    for (strip, pairs) in strips.iter().zip(pairs) {
        for (sums, pair) in sums.iter_mut().zip(pairs) {
            let (first, second) = (i32::from(*pair as i16), pair >> 16);
            for (sum, weights) in sums.iter_mut().zip(strip.as_chunks::<2>().0) {
                *sum += i32::from(weights[0]) * first + i32::from(weights[1]) * second;
            }
        }
    }
    sums
}

/// The same sums with AVX2: each multiply-add does 16 products.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn tile_avx2(v3: pulp::x86::V3, strips: &[Strip], pairs: &[Pairs]) -> Sums {
    let mut sums = [[v3.avx._mm256_setzero_si256(); 2]; TILE_ROWS];
    for (strip, pairs) in strips.iter().zip(pairs) {
        let [low, high]: [[i8; TILE_OUTPUTS]; 2] = pulp::cast(*strip);
        let low = v3.avx2._mm256_cvtepi8_epi16(pulp::cast(low));
        let high = v3.avx2._mm256_cvtepi8_epi16(pulp::cast(high));
        for (sums, pair) in sums.iter_mut().zip(pairs) {
            let pair = v3.avx._mm256_set1_epi32(*pair);
            sums[0] = v3.avx2._mm256_add_epi32(sums[0], v3.avx2._mm256_madd_epi16(pair, low));
            sums[1] = v3.avx2._mm256_add_epi32(sums[1], v3.avx2._mm256_madd_epi16(pair, high));
        }
    }
    pulp::cast(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn linear(bytes: Vec<u8>, inputs: usize) -> Linear {
        let outputs = bytes.len() / inputs;
        let rows = Rows { bytes: bytes.leak(), factors: vec![0.01; outputs] };
        Linear::new(&[rows], vec![0.25; outputs], inputs)
    }

    proptest! {
        #[test]
        fn every_kernel_gives_the_same_bits(
            bytes in prop::collection::vec(any::<u8>(), 32 * 16),
            rows in prop::collection::vec(-9.0f32..9.0, 16..16 * 14),
        ) {
            let linear = linear(bytes, 16);
            let rows = &rows[..rows.len() / 16 * 16];
            let mut outs = [Kernel::Best, Kernel::Portable].map(|kernel| {
                let mut out = vec![0.0; rows.len() / 16 * 32];
                linear.apply(&Rounded::new(rows, 16), &mut out, kernel);
                out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            }).into_iter();
            prop_assert_eq!(outs.next(), outs.next());
        }

        #[test]
        fn the_product_is_close_to_the_exact_one(
            bytes in prop::collection::vec(any::<u8>(), 16 * 32),
            row in prop::collection::vec(-9.0f32..9.0, 32),
        ) {
            let mut out = vec![0.0; 16];
            linear(bytes.clone(), 32).apply(&Rounded::new(&row, 32), &mut out, Kernel::Best);
            for (out, weights) in out.iter().zip(bytes.chunks(32)) {
                let product = |(weight, x): (&u8, &f32)| f64::from(weight.cast_signed()) * f64::from(*x);
                let exact = weights.iter().zip(&row).map(product).sum::<f64>() * 0.01 + 0.25;
                // 32 inputs, each wrong by at most 9/8191/2, times a weight of at most 1.28.
                prop_assert!((f64::from(*out) - exact).abs() < 0.03, "{out} {exact}");
            }
        }
    }

    #[test]
    fn the_largest_sum_fits() {
        for inputs in [16, 384, 512, 528, 1536] {
            let linear = linear(vec![128; 16 * inputs], inputs);
            let mut out = vec![0.0; 16];
            linear.apply(&Rounded::new(&vec![-7.0; inputs], inputs), &mut out, Kernel::Best);
            assert!((out[0] - 7.0 * 1.28 * inputs as f32 - 0.25).abs() < 0.1, "{inputs}: {}", out[0]);
        }
    }

    #[test]
    fn a_row_of_zeros_gives_the_bias() {
        let mut out = vec![0.0; 16];
        linear(vec![7; 16 * 16], 16).apply(&Rounded::new(&[0.0; 16], 16), &mut out, Kernel::Best);
        assert_eq!(out, vec![0.25; 16]);
    }
}
