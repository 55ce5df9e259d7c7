//! The project's tasks: `cargo xtask NAME`.

mod facts;
mod samples;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        Some("samples") => samples::write(),
        Some("facts") => facts::run(&words[1..]),
        _ => Err("usage: cargo xtask samples|facts".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
