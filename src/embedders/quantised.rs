//! A vector as it is kept: one signed byte for each number.
//!
//! Knows nothing of models. Only the direction is kept, because every vector has length 1: the factor that
//! made bytes of the numbers falls out of a cosine and is not stored. The invariant: equal bytes have equal
//! cosines, on every processor, because the sums are integers.

/// A direction, as bytes from -127 to 127.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantised {
    bytes: Box<[i8]>,
    /// 1 / length of the bytes; 0 for the vector of zeros, whose cosine with anything is then 0.
    factor: f32,
}

/// Kept bytes are not a vector of this embedder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading a kept vector: found {found} bytes, expected {expected}")]
pub struct WrongSize {
    found: usize,
    expected: usize,
}

impl Quantised {
    /// Rounds a vector, its largest number becoming 127 or -127. Numbers that are not finite become 0.
    #[must_use]
    pub fn of(vector: &[f32]) -> Quantised {
        let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
        let largest = vector.iter().map(|x| finite(*x).abs()).fold(f32::MIN_POSITIVE, f32::max);
        Quantised::from_i8(vector.iter().map(|x| (finite(*x) / largest * 127.0).round() as i8).collect())
    }

    /// Reads what `to_bytes` wrote, for an embedder of that many dimensions.
    pub fn from_bytes(bytes: &[u8], dimensions: usize) -> Result<Quantised, WrongSize> {
        if bytes.len() != dimensions {
            return Err(WrongSize { found: bytes.len(), expected: dimensions });
        }
        Ok(Quantised::from_i8(bytes.iter().map(|byte| byte.cast_signed()).collect()))
    }

    /// The bytes to keep, one for each dimension.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.iter().map(|byte| byte.cast_unsigned()).collect()
    }

    /// How many numbers the vector has.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.bytes.len()
    }

    /// How alike two directions are, from -1 to 1. Vectors of different sizes are not alike at all: 0.
    #[must_use]
    pub fn cosine(&self, other: &Quantised) -> f32 {
        if self.bytes.len() != other.bytes.len() {
            return 0.0;
        }
        dot(&self.bytes, &other.bytes) as f32 * (self.factor * other.factor)
    }

    /// The sign of each number as a bit: what differs between two of these says nearly how alike their directions are.
    #[must_use]
    pub fn signs(&self) -> Box<[u64]> {
        let word = |part: &[i8]| part.iter().fold(0, |word, byte| word << 1 | u64::from(*byte < 0));
        self.bytes.chunks(64).map(word).collect()
    }

    fn from_i8(bytes: Box<[i8]>) -> Quantised {
        let square = dot(&bytes, &bytes);
        let factor = if square == 0 { 0.0 } else { 1.0 / (square as f32).sqrt() };
        Quantised { bytes, factor }
    }
}

/// The exact sum of products. Up to 131,071 dimensions it fits: 128 * 128 * 131,071 < 2^31.
fn dot(left: &[i8], right: &[i8]) -> i32 {
    left.iter().zip(right).map(|(left, right)| i32::from(*left) * i32::from(*right)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vectors() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(-1.0f32..1.0, 384)
    }

    fn exact_cosine(left: &[f32], right: &[f32]) -> f32 {
        let dot = |left: &[f32], right: &[f32]| {
            left.iter().zip(right).map(|(left, right)| left * right).sum::<f32>()
        };
        dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
    }

    proptest! {
        #[test]
        fn bytes_come_back(vector in vectors()) {
            let kept = Quantised::of(&vector);
            prop_assert_eq!(Quantised::from_bytes(&kept.to_bytes(), 384), Ok(kept));
        }

        #[test]
        fn the_cosine_is_that_of_the_vectors(left in vectors(), right in vectors()) {
            let (a, b) = (Quantised::of(&left), Quantised::of(&right));
            prop_assert!((a.cosine(&b) - exact_cosine(&left, &right)).abs() < 0.005);
            prop_assert_eq!(a.cosine(&b).to_bits(), b.cosine(&a).to_bits());
            prop_assert!((a.cosine(&a) - 1.0).abs() < 1e-6);
        }

        #[test]
        fn length_does_not_matter(vector in vectors(), power in -20i32..20) {
            let longer: Vec<f32> = vector.iter().map(|x| x * 2f32.powi(power)).collect();
            prop_assert_eq!(Quantised::of(&vector), Quantised::of(&longer));
        }

        #[test]
        fn no_number_or_byte_makes_a_cosine_that_is_not_a_number(
            numbers in prop::collection::vec(any::<f32>(), 0..20),
            bytes in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let read = Quantised::from_bytes(&bytes, bytes.len()).unwrap();
            prop_assert!(Quantised::of(&numbers).cosine(&read).is_finite());
        }
    }

    #[test]
    fn a_vector_of_another_size_is_refused() {
        let error = Quantised::from_bytes(&[0; 768], 384).unwrap_err();
        assert_eq!(error.to_string(), "reading a kept vector: found 768 bytes, expected 384");
    }

    #[test]
    fn nothing_is_like_the_vector_of_zeros() {
        assert_eq!(Quantised::of(&[0.0; 4]).cosine(&Quantised::of(&[1.0; 4])), 0.0);
    }
}
