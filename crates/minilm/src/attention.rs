//! Attention of one text over itself: every token takes a mixture of all tokens' values.
//!
//! Knows the width of a head and nothing of the weights. A text is worked on alone, without padding to its
//! neighbours, and sums run in a fixed order: so its result cannot depend on what it is embedded with.

use crate::arithmetic::exp;
use crate::network::WIDTH;
use pulp::Arch;

const HEADS: usize = 12;
const HEAD: usize = WIDTH / HEADS;

/// Tokens that are scored at once: two AVX registers, so that two chains of adds overlap.
const LANES: usize = 16;

/// 1 / sqrt(HEAD)
const SCORE_FACTOR: f32 = 0.176_776_7;

/// Keys of one head by number, 16 tokens side by side.
type Keys = [[f32; LANES]; HEAD];

/// `rows` holds query, key and value of each token of one text; writes the mixture for each token.
pub(crate) fn attend(rows: &[f32], out: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let tokens = out.len() / WIDTH;
            let mut keys = vec![[[0.0; LANES]; HEAD]; tokens.div_ceil(LANES)];
            let mut scores = vec![[0.0; LANES]; keys.len()];
            for head in 0..HEADS {
                gather_keys(rows, head, &mut keys);
                for (row, out) in rows.chunks_exact(3 * WIDTH).zip(out.chunks_exact_mut(WIDTH)) {
                    score(&row[head * HEAD..][..HEAD], &keys, &mut scores);
                    let total = soften(scores.as_flattened_mut(), tokens);
                    let values = &rows[2 * WIDTH + head * HEAD..];
                    mix(values, scores.as_flattened(), total, &mut out[head * HEAD..][..HEAD]);
                }
            }
        },
    );
}

#[inline(always)]
fn gather_keys(rows: &[f32], head: usize, keys: &mut [Keys]) {
    for (token, row) in rows.chunks_exact(3 * WIDTH).enumerate() {
        let places = &mut keys[token / LANES];
        for (place, key) in places.iter_mut().zip(&row[WIDTH + head * HEAD..]) {
            place[token % LANES] = *key;
        }
    }
}

#[inline(always)]
fn score(query: &[f32], keys: &[Keys], scores: &mut [[f32; LANES]]) {
    for (scores, keys) in scores.iter_mut().zip(keys) {
        let mut sums = [0.0; LANES];
        for (x, keys) in query.iter().zip(keys) {
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += x * key;
            }
        }
        *scores = sums.map(|sum| sum * SCORE_FACTOR);
    }
}

/// Turns scores into shares (not yet divided by their total, which is returned). Scores beyond the text
/// become 0.
#[inline(always)]
fn soften(scores: &mut [f32], tokens: usize) -> f32 {
    scores[tokens..].fill(f32::NEG_INFINITY);
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in scores.as_chunks::<LANES>().0 {
        for (largest, score) in largest.iter_mut().zip(chunk) {
            *largest = if score > largest { *score } else { *largest };
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    for score in scores.iter_mut() {
        *score = exp(*score - largest);
    }
    scores[tokens..].fill(0.0);
    let mut totals = [0.0; LANES];
    for chunk in scores.as_chunks::<LANES>().0 {
        for (total, share) in totals.iter_mut().zip(chunk) {
            *total += share;
        }
    }
    totals.iter().sum()
}

/// The values, each by its share of the total. `values` begins at the first token's value; a token's row is
/// `3 * WIDTH` long.
#[inline(always)]
fn mix(values: &[f32], shares: &[f32], total: f32, out: &mut [f32]) {
    let mut sums = [0.0; HEAD];
    for (value, share) in values.chunks(3 * WIDTH).zip(shares) {
        for (sum, x) in sums.iter_mut().zip(&value[..HEAD]) {
            *sum += share * x;
        }
    }
    let factor = 1.0 / total;
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = sum * factor;
    }
}
