//! `bench`: the measurements that `docs/benchmarks.md` cites, on this machine. A measurement of the whole binary is
//! here (`pipeline`); those of a part stand beside the part, and this file only knows how to start them.

mod child;
mod pages;
mod pipeline;

use crate::tools::{Done, cargo, run};

/// The word of the measurement that is no cargo bench.
const PIPELINE: &str = "pipeline";

/// A measurement that stands beside the part it measures: how cargo starts it, under which name.
const PARTS: [(&str, &[&str]); 4] = [
    ("read", &["bench", "--locked", "--package", "knowledge", "--bench", "read", "--", "samples/wiki"]),
    ("embedding", &["bench", "--locked", "--bench", "embedding"]),
    ("append", &["run", "--release", "--locked", "--package", "vault", "--example", "append"]),
    ("sim", &["run", "--release", "--locked", "--package", "sim", "--", "--seeds", "500"]),
];

/// Runs everything, or the one that is named.
pub fn bench(words: &[String]) -> Done {
    let Some((name, rest)) = words.split_first() else {
        PARTS.iter().try_for_each(|(_, arguments)| run(cargo(arguments)))?;
        return pipeline::bench(&[]);
    };
    if name == PIPELINE {
        return pipeline::bench(rest);
    }
    match PARTS.iter().find(|(part, _)| part == name) {
        Some((_, arguments)) if rest.is_empty() => run(cargo(arguments)),
        Some(_) => Err(format!("`bench {name}` takes nothing more, found `{}`", rest.join(" "))),
        None => {
            let known: Vec<&str> = PARTS.iter().map(|(part, _)| *part).chain([PIPELINE]).collect();
            Err(format!("there is no bench `{name}`, expected one of: {}", known.join(", ")))
        }
    }
}
