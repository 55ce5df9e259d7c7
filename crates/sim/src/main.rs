//! `sim`: lives many seeds, or one, and says what came of it. Exit code 1 when a life ended otherwise than it
//! should, or when the lives together did not reach what a crash test must reach.

use clap::Parser;
use sim::truth::measure;
use sim::{life, tally, vaults};
use std::process::ExitCode;
use std::time::Instant;

/// Kills and restarts the main job under virtual time and compares the graphs.
#[derive(Parser)]
struct Typed {
    /// How many lives.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// One seed alone, with everything that happens to it.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Lives of the vault alone, under many writers: even seeds over a store as the clouds have, odd ones over a mount.
    #[arg(long)]
    vaults: bool,
    /// Histories of pages: what is live, ended and withdrawn at every date, against an evaluator.
    #[arg(long, conflicts_with = "vaults")]
    truth: bool,
}

fn main() -> ExitCode {
    let typed = Typed::parse();
    if typed.truth {
        return truth(&typed);
    }
    match (typed.vaults, typed.seed) {
        (false, Some(seed)) => one(seed),
        (false, None) => many(&typed),
        (true, Some(seed)) => one_vault(seed),
        (true, None) => many_vaults(&typed),
    }
}

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn truth(typed: &Typed) -> ExitCode {
    let (began, mut tally, mut failed) = (Instant::now(), measure::Tally::default(), Vec::new());
    let seeds = typed.seed.map_or(typed.from..typed.from + typed.seeds, |seed| seed..seed + 1);
    for seed in seeds {
        match measure::measure(seed) {
            Ok(measured) => tally.add(measured),
            Err(error) => failed.push(error),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", tally.table());
    println!(
        "{} wikis, {} runs of the job, {} dates asked about, {} differences, {seconds:.1} s",
        tally.wikis,
        tally.runs,
        tally.dates,
        tally.differences.len()
    );
    tally.differences.iter().chain(&failed).for_each(|line| println!("{line}"));
    match tally.differences.is_empty() && failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn one_vault(seed: u64) -> ExitCode {
    match vaults::live(seed, vaults::tally::is_deep(seed)) {
        Ok(outcome) => {
            println!("seed {seed}: {} records acknowledged and there", outcome.acknowledged);
            outcome.log.iter().for_each(|line| println!("  {line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("seed {seed}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn many_vaults(typed: &Typed) -> ExitCode {
    let began = Instant::now();
    let tally = vaults::tally::live_all(typed.from..typed.from + typed.seeds, typed.threads);
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", tally.table());
    println!(
        "{} lives of vaults in {seconds:.1} s, {} processes, {} records acknowledged",
        tally.lives, tally.processes, tally.acknowledged
    );
    for (seed, deep, error) in &tally.failures {
        println!(
            "\nseed {seed} failed (deep: {deep}); `cargo xtask sim --vaults --seed {seed}` repeats it\n{error}"
        );
    }
    let lacks = tally.lacks();
    lacks.iter().for_each(|lack| println!("{lack}"));
    match tally.failures.is_empty() && lacks.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn one(seed: u64) -> ExitCode {
    match life::live(seed) {
        Ok(outcome) => {
            println!(
                "seed {seed}: the same graph, {} rows, {} steps undisturbed",
                outcome.rows, outcome.steps
            );
            outcome.log.iter().for_each(|line| println!("  {line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("seed {seed}: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)] // A tool for people: its result is its output.
fn many(typed: &Typed) -> ExitCode {
    let began = Instant::now();
    let tally = tally::live_all(typed.from..typed.from + typed.seeds, typed.threads, &|_, _| ());
    let seconds = began.elapsed().as_secs_f64();
    println!("{}", tally.table());
    let (lives, asked) = (tally.lives, tally.asked);
    println!(
        "{lives} lives in {seconds:.1} s ({:.0} a minute), {} crashed, {} inside resolution or retraction; {} deaths, \
         {} kill points overtaken, {} rows a graph",
        lives as f64 * 60.0 / seconds,
        tally.crashed,
        tally.in_resolution,
        tally.deaths,
        tally.overtaken,
        tally.rows / lives.max(1) as usize,
    );
    println!(
        "{} calls to models, {} pairs judged, {} summaries, {} communities named, {} requests in jobs; {} packs and {} \
         texts answered once more",
        asked.calls,
        asked.judged,
        asked.told,
        asked.named,
        asked.in_jobs,
        asked.packs_again,
        asked.texts_again,
    );
    let shown: Vec<String> = tally.shown.iter().map(|(word, lives)| format!("{word}: {lives}")).collect();
    println!("lives by what they have shown: {}", shown.join(", "));
    for (seed, error) in &tally.failures {
        println!("\nseed {seed} failed; `cargo xtask sim --seed {seed}` repeats it\n{error}");
    }
    let lacks = tally.lacks();
    lacks.iter().for_each(|lack| println!("{lack}"));
    match tally.failures.is_empty() && lacks.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
