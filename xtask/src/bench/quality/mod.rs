//! `bench quality`: whether what is shown is right, and how fast it is found. This file only knows the list.

mod entities;
mod graphiti;
mod retrieval;
mod speed;
mod temporal;

use crate::tools::Done;

/// A measurement, with the words that follow its name.
type Measurement = fn(&[String]) -> Done;

const MEASUREMENTS: [(&str, Measurement); 5] = [
    ("entities", entities::bench),
    ("retrieval", retrieval::bench),
    ("speed", speed::bench),
    ("temporal", temporal::bench),
    ("graphiti", graphiti::bench),
];

/// Measures everything, or the one that is named.
pub fn bench(words: &[String]) -> Done {
    let Some((name, rest)) = words.split_first() else {
        return MEASUREMENTS.iter().try_for_each(|(_, bench)| bench(&[]));
    };
    match MEASUREMENTS.iter().find(|(known, _)| known == name) {
        Some((_, bench)) => bench(rest),
        None => {
            let known: Vec<&str> = MEASUREMENTS.iter().map(|(known, _)| *known).collect();
            Err(format!("there is no `bench quality {name}`, expected one of: {}", known.join(", ")))
        }
    }
}
