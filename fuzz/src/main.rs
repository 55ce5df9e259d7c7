//! `fuzz`: feeds mutated objects of small vaults to all that reads a vault. An input follows from the seed and its
//! number, so a failure is repeated with `--seed S --from N --inputs 1`. Exit code 1 when something was accepted that
//! must not be, when a reader panicked, or when memory was not bounded.

mod judge;
mod mutate;
mod rng;
mod vaults;

use clap::Parser;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Damages and forges objects of vaults, and reads them.
#[derive(Parser)]
struct Typed {
    /// How many inputs.
    #[arg(long, default_value_t = 50_000)]
    inputs: u64,
    /// What the inputs follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The first input.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Inputs that a thread takes at once.
const BATCH: u64 = 256;
/// Memory that is enough for two readers of what is at most a part of a snapshot, and for a bomb that is turned down.
const MEMORY_KB: u64 = 400 << 10;

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn main() -> ExitCode {
    let typed = Typed::parse();
    let began = Instant::now();
    let vaults = vaults::all();
    let next = AtomicU64::new(typed.from);
    let end = typed.from + typed.inputs;
    let tally = Mutex::new((judge::Tally::default(), Vec::<String>::new()));
    std::thread::scope(|scope| {
        for _ in 0..typed.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    let stop = tally.lock().is_ok_and(|tally| !tally.1.is_empty());
                    if first >= end || stop {
                        break;
                    }
                    let (found, failures) = batch(&vaults, typed.seed, first..end.min(first + BATCH));
                    let Ok(mut tally) = tally.lock() else { break };
                    tally.0.add(&found);
                    tally.1.extend(failures);
                }
            });
        }
    });
    let (found, failures) = tally.into_inner().unwrap_or_default();
    let memory = peak_kb();
    println!(
        "{} inputs in {:.1} s: {}; at most {} MB of memory",
        found.inputs,
        began.elapsed().as_secs_f64(),
        found,
        memory >> 10
    );
    failures.iter().for_each(|failure| println!("{failure}"));
    let is_bounded = memory <= MEMORY_KB;
    if !is_bounded {
        println!("memory was not bounded: {memory} kB, expected {MEMORY_KB} kB at most");
    }
    match failures.is_empty() && is_bounded {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn batch(
    vaults: &[vaults::Original],
    seed: u64,
    inputs: std::ops::Range<u64>,
) -> (judge::Tally, Vec<String>) {
    let mut tally = judge::Tally::default();
    let mut failures = Vec::new();
    for number in inputs {
        let end = catch_unwind(|| judge::judge(vaults, seed, number));
        match end.unwrap_or_else(|_| Err("a reader panicked".to_owned())) {
            Ok(found) => tally.add(&found),
            Err(why) => {
                failures.push(format!("input {number} of seed {seed}: {why} (`--from {number} --inputs 1`)"));
            }
        }
    }
    (tally, failures)
}

/// The most memory this process has held, where the system says so.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
