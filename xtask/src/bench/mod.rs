//! `bench`: the measurements that `docs/benchmarks.md` cites, on this machine. A measurement of the whole binary is
//! here (`pipeline`, `export`, `graphiti`, `models`, `confluence`, `vault`, `quality`); those of a part stand beside
//! the part, and this file only knows how to start them.

mod child;
mod confluence;
mod export;
mod graphiti;
mod models;
mod pages;
mod pipeline;
mod quality;
mod vault;

pub use self::vault::{Parts, number};
pub use child::Bench;
pub use graphiti::installed as graphiti_python;
pub use pipeline::{Folder, built, machine};

use crate::tools::{Done, cargo, run};

/// Measures the whole binary, with the words that follow its name.
type Whole = fn(&[String]) -> Done;

/// The measurements of the whole binary.
const WHOLE: [(&str, Whole); 7] = [
    ("pipeline", pipeline::bench),
    ("export", export::bench),
    ("graphiti", graphiti::bench),
    ("models", models::bench),
    ("confluence", confluence::bench),
    ("vault", self::vault::bench),
    ("quality", quality::bench),
];

/// A measurement that stands beside the part it measures: how cargo starts it, under which name.
const PARTS: [(&str, &[&str]); 6] = [
    ("read", &["bench", "--locked", "--package", "knowledge", "--bench", "read", "--", "samples/wiki"]),
    ("embedding", &["bench", "--locked", "--bench", "embedding"]),
    ("quota", &["bench", "--locked", "--bench", "quota"]),
    (
        "communities",
        &["run", "--release", "--locked", "--package", "knowledge", "--example", "communities_pace"],
    ),
    ("append", &["run", "--release", "--locked", "--package", "vault", "--example", "append"]),
    ("sim", &["run", "--release", "--locked", "--package", "sim", "--", "--seeds", "500"]),
];

/// Runs everything, or the one that is named.
pub fn bench(words: &[String]) -> Done {
    let Some((name, rest)) = words.split_first() else {
        PARTS.iter().try_for_each(|(_, arguments)| run(cargo(arguments)))?;
        return WHOLE.iter().try_for_each(|(_, bench)| bench(&[]));
    };
    if let Some((_, bench)) = WHOLE.iter().find(|(whole, _)| whole == name) {
        return bench(rest);
    }
    match PARTS.iter().find(|(part, _)| part == name) {
        Some((_, arguments)) if rest.is_empty() => run(cargo(arguments)),
        Some(_) => Err(format!("`bench {name}` takes nothing more, found `{}`", rest.join(" "))),
        None => {
            let known: Vec<&str> =
                PARTS.iter().map(|(part, _)| *part).chain(WHOLE.map(|(whole, _)| whole)).collect();
            Err(format!("there is no bench `{name}`, expected one of: {}", known.join(", ")))
        }
    }
}
