//! Reading named tensors out of a safetensors file that lies in memory.
//!
//! Knows the file format (8 bytes of header length, a JSON header, the numbers) and nothing of the network.
//! The invariant: a tensor that is handed out has exactly the shape that was asked for.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The weights or the vocabulary are not what the network needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading the embedding weights, `{part}`: found {found}, expected {expected}")]
pub struct Damaged {
    pub(crate) part: String,
    pub(crate) found: String,
    pub(crate) expected: String,
}

fn damaged(part: &str, found: impl ToString, expected: impl ToString) -> Damaged {
    Damaged { part: part.to_owned(), found: found.to_string(), expected: expected.to_string() }
}

/// One line of the header.
#[derive(Deserialize)]
struct Place {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

/// The tensors of a file, by name.
pub(crate) struct Weights {
    places: BTreeMap<String, Place>,
    numbers: &'static [u8],
}

/// Rows of int8 with a factor each: number = int8 * factor of its row.
pub(crate) struct Rows {
    pub bytes: &'static [u8],
    pub factors: Vec<f32>,
}

impl Weights {
    pub fn parse(file: &'static [u8]) -> Result<Weights, Damaged> {
        let short = || damaged("header", format!("{} bytes", file.len()), "a length, a header and numbers");
        let (length, rest) = file.split_first_chunk::<8>().ok_or_else(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
        let (header, numbers) = rest.split_at_checked(length).ok_or_else(short)?;
        let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header)
            .map_err(|error| damaged("header", error, "a JSON object of tensors"))?;
        let places = header
            .into_iter()
            .filter(|(name, _)| name != "__metadata__")
            .map(|(name, value)| match serde_json::from_value(value) {
                Ok(place) => Ok((name, place)),
                Err(error) => Err(damaged(&name, error, "type, shape and offsets")),
            })
            .collect::<Result<_, _>>()?;
        Ok(Weights { places, numbers })
    }

    /// A tensor of `count` f32 numbers, whatever its shape.
    pub fn floats(&self, name: &str, count: usize) -> Result<Vec<f32>, Damaged> {
        let (place, bytes) = self.find(name, "F32")?;
        if bytes.len() != count * size_of::<f32>() {
            return Err(damaged(name, format!("shape {:?}", place.shape), format!("{count} numbers")));
        }
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }

    /// A tensor of int8 rows of `width` numbers, with its `.scale` tensor.
    pub fn rows(&self, name: &str, width: usize) -> Result<Rows, Damaged> {
        let (place, bytes) = self.find(name, "I8")?;
        let &[count, found] = place.shape.as_slice() else {
            return Err(damaged(name, format!("shape {:?}", place.shape), "rows and columns"));
        };
        if found != width || Some(bytes.len()) != count.checked_mul(width) {
            return Err(damaged(
                name,
                format!("shape {:?}", place.shape),
                format!("rows of {width} numbers"),
            ));
        }
        Ok(Rows { bytes, factors: self.floats(&format!("{name}.scale"), count)? })
    }

    fn find(&self, name: &str, kind: &str) -> Result<(&Place, &'static [u8]), Damaged> {
        let place = self.places.get(name).ok_or_else(|| damaged(name, "no such tensor", "one"))?;
        if place.dtype != kind {
            return Err(damaged(name, format!("type `{}`", place.dtype), format!("`{kind}`")));
        }
        let (from, to) = place.data_offsets;
        let bytes = self.numbers.get(from..to).ok_or_else(|| {
            damaged(name, format!("bytes {from}..{to}"), format!("at most {}", self.numbers.len()))
        })?;
        Ok((place, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(header: &str, numbers: &[u8]) -> &'static [u8] {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(numbers);
        file.leak()
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(weights) = Weights::parse(bytes.leak()) {
                prop_assert!(weights.floats("x", 1).is_err());
            }
        }

        #[test]
        fn no_shape_or_offset_makes_the_reader_panic(rows: usize, width: usize, from: usize, to: usize) {
            let places = format!(r#""shape":[{rows},{width}],"data_offsets":[{from},{to}]"#);
            let header = format!(r#"{{"x":{{"dtype":"I8",{places}}}}}"#);
            let weights = Weights::parse(file(&header, &[1, 2, 3, 4])).unwrap();
            prop_assert!(weights.rows("x", width).is_err());
        }
    }

    #[test]
    fn rows_come_with_their_factors() {
        let header = r#"{"__metadata__":{"a":"b"},"x":{"dtype":"I8","shape":[2,1],"data_offsets":[0,2]},
            "x.scale":{"dtype":"F32","shape":[2],"data_offsets":[2,10]}}"#;
        let numbers = [&[1u8, 255][..], &0.5f32.to_le_bytes(), &2f32.to_le_bytes()].concat();
        let rows = Weights::parse(file(header, &numbers)).unwrap().rows("x", 1).unwrap();
        assert_eq!((rows.bytes, rows.factors), (&[1u8, 255][..], vec![0.5, 2.0]));
    }

    #[test]
    fn a_wrong_shape_says_what_was_found_and_expected() {
        let header = r#"{"x":{"dtype":"I8","shape":[2,1],"data_offsets":[0,2]}}"#;
        let error = Weights::parse(file(header, &[0, 0])).unwrap().rows("x", 3).err().unwrap();
        let text = "reading the embedding weights, `x`: found shape [2, 1], expected rows of 3 numbers";
        assert_eq!(error.to_string(), text);
    }
}
