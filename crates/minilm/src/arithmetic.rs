//! The element-wise functions of the network.
//!
//! Knows nothing of layers. Only adds, multiplies, divides and square roots, which IEEE defines to the bit,
//! in an order that does not depend on the width of the processor's registers; the system's `exp` and `erf`
//! differ between platforms and are not used. The invariant: the same numbers in give the same bits out,
//! everywhere.

use pulp::Arch;

/// 1.5 * 2^23: see `matrix`.
const ROUNDER: f32 = 12_582_912.0;

/// Gain and shift of a layer norm.
pub(crate) struct Norm {
    pub gain: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Norm {
    /// Adds `more` (when there is some) to the rows of `x` and normalises each row.
    pub fn apply(&self, x: &mut [f32], more: &[f32]) {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (x, more) in x.iter_mut().zip(more) {
                    *x += more;
                }
                for row in x.chunks_exact_mut(self.gain.len()) {
                    self.row(row);
                }
            },
        );
    }

    #[inline(always)]
    fn row(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = sum(row, |x| x) / count;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
        // 1e-12 is the epsilon the model was trained with.
        let factor = 1.0 / (variance + 1e-12).sqrt();
        for ((x, gain), shift) in row.iter_mut().zip(&self.gain).zip(&self.shift) {
            *x = (*x - mean) * factor * gain + shift;
        }
    }
}

/// Scales a vector to length 1.
pub(crate) fn unit(vector: &mut [f32]) {
    let factor = 1.0 / sum(vector, |x| x * x).max(f32::MIN_POSITIVE).sqrt();
    for x in vector {
        *x *= factor;
    }
}

/// A sum in sixteen lanes, whatever the processor has; rows are multiples of 16 long.
#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; 16];
    for chunk in row.as_chunks::<16>().0 {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += of(*x);
        }
    }
    lanes.iter().sum()
}

/// The exponential for numbers up to 80 or so; below -87 it stays at e^-87. Wrong by at most 2e-7 of the
/// value.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let power = (x * std::f32::consts::LOG2_E + ROUNDER) - ROUNDER;
    // ln 2 in two parts (Cody and Waite), so that the rest keeps its digits; then its Taylor series, whose
    // first dropped term is (ln 2 / 2)^7 / 7! = 1.2e-7.
    let rest = (x - power * 0.693_359_4) + power * 2.121_944_4e-4;
    let series = 1.0 / 720.0;
    let series = series * rest + 1.0 / 120.0;
    let series = series * rest + 1.0 / 24.0;
    let series = series * rest + 1.0 / 6.0;
    let series = series * rest + 0.5;
    let series = series * rest * rest + rest + 1.0;
    let exponent = (power + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127);
    series * f32::from_bits(exponent << 23)
}

/// GELU by the error function, as the model was trained: x times the share of a normal distribution below x.
pub(crate) fn gelu(numbers: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for x in numbers {
                *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
            }
        },
    );
}

/// Abramowitz and Stegun 7.1.26, wrong by at most 1.5e-7.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let series = 1.061_405_4 * t - 1.453_152;
    let series = series * t + 1.421_413_8;
    let series = series * t - 0.284_496_74;
    let series = (series * t + 0.254_829_6) * t;
    let above = 1.0 - series * exp(-(size * size));
    if x < 0.0 { -above } else { above }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_exponential_is_that_of_the_system_to_six_digits(x in -86.0f32..60.0) {
            let exact = f64::from(x).exp();
            prop_assert!((f64::from(exp(x)) - exact).abs() <= 1e-6 * exact);
        }

        #[test]
        fn a_normalised_row_has_mean_zero_and_spread_one(row in prop::collection::vec(-5.0f32..5.0, 32)) {
            let mut x = row;
            x[0] = 50.0;
            Norm { gain: vec![1.0; 32], shift: vec![0.0; 32] }.apply(&mut x, &[]);
            prop_assert!(x.iter().sum::<f32>().abs() < 1e-4);
            prop_assert!((x.iter().map(|x| x * x).sum::<f32>() - 32.0).abs() < 1e-2);
        }
    }

    #[test]
    fn the_exponential_of_a_masked_score_is_almost_nothing() {
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_has_the_values_of_its_definition() {
        let mut x = [-6.0, -1.0, 0.0, 0.5, 1.0, 6.0];
        gelu(&mut x);
        let expected = [-5.9e-9, -0.158_655_3, 0.0, 0.345_731_2, 0.841_344_8, 6.0];
        for (x, expected) in x.iter().zip(expected) {
            assert!((x - expected).abs() < 1e-6, "{x} {expected}");
        }
    }
}
