//! How fast pages are read and written as Markdown, on one core. Reads JSON lines with the field
//! `body_storage` from the files or folders named as arguments or in `HIGHWATER_BENCH_PAGES`; else the
//! project's `samples/wiki`.
//!
//! `cargo bench -p knowledge --bench read -- PATH...`

use knowledge::page::BodyFormat;
use knowledge::read;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Each measure is the best of so many rounds: other work on the machine only ever makes a round slower.
const ROUNDS: usize = 15;

fn bodies(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        let mut inner: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        inner.sort();
        inner.iter().for_each(|path| bodies(path, found));
    } else if path.extension().is_some_and(|end| end == "jsonl") {
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let page: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            found.extend(page["body_storage"].as_str().map(str::to_owned));
        }
    }
}

fn best(mut round: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut paths: Vec<PathBuf> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    if paths.is_empty() {
        paths.extend(std::env::var_os("HIGHWATER_BENCH_PAGES").map(PathBuf::from));
    }
    if paths.is_empty() {
        paths.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/wiki"));
    }
    let mut pages = Vec::new();
    paths.iter().for_each(|path| bodies(path, &mut pages));
    if pages.is_empty() {
        eprintln!(
            "no pages in {paths:?}: name files or folders of JSON lines with `body_storage`; nothing measured"
        );
        return;
    }
    let megabytes = pages.iter().map(String::len).sum::<usize>() as f64 / 1e6;
    eprintln!("{} pages, {megabytes:.2} MB of storage format, best of {ROUNDS} rounds", pages.len());
    let show = |what: &str, seconds: f64| {
        eprintln!(
            "{what:<16} {:>8.0} pages/s {:>7.1} MB/s",
            pages.len() as f64 / seconds,
            megabytes / seconds
        );
    };
    show(
        "read",
        best(|| {
            for page in &pages {
                black_box(read::document(BodyFormat::Storage, black_box(page)));
            }
        }),
    );
    show(
        "read and write",
        best(|| {
            for page in &pages {
                black_box(read::markdown(&read::document(BodyFormat::Storage, black_box(page))));
            }
        }),
    );
}
