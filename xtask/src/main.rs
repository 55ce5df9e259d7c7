//! The project's tasks: `cargo xtask` lists them. Each is a function; this table is all that knows them.

mod assistants;
mod bench;
mod check;
mod clouds;
mod demo;
mod docs;
mod facts;
mod judges;
mod packages;
mod real_llm;
mod samples;
mod test;
mod tools;

use std::process::ExitCode;
use tools::{Done, say};

/// A task: its name, what it does, and the function that does it.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Done,
}

const TASKS: [Task; 11] = [
    Task {
        name: "test",
        about: "all tests, 500 simulated lives, 500 of vaults, a little fuzz; with arguments, `cargo test` with them",
        run: test::test,
    },
    Task { name: "check", about: "format, lints, and what may be built in", run: check::check },
    Task {
        name: "sim",
        about: "simulated lives: --seeds N, or --seed S for one with its story; --vaults: of vaults",
        run: test::sim,
    },
    Task { name: "fuzz", about: "damaged objects for the vault: --inputs N, --seed S", run: test::fuzz },
    Task {
        name: "bench",
        about: "the measurements of `docs/benchmarks.md`, or the one named",
        run: bench::bench,
    },
    Task {
        name: "fake-confluence",
        about: "serve a simulated Confluence: --port P, --pages N or --space-from samples/wiki, --data-center",
        run: test::fake_confluence,
    },
    Task {
        name: "demo",
        about: "kill -9 while saving, in the old way and in ours: what is left",
        run: demo::demo,
    },
    Task {
        name: "real-llm",
        about: "three pages through a real model (large downloads): --model NAME",
        run: real_llm::real_llm,
    },
    Task {
        name: "docs",
        about: "write `docs/reference.md` and build the documentation of the code",
        run: docs::docs,
    },
    Task {
        name: "facts",
        about: "structural facts of JSONL pages: count, sample, show",
        run: |words| facts::run(words).map_err(|error| error.to_string()),
    },
    Task { name: "samples", about: "write the generated export of `samples/` again", run: samples::write },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        TASKS.iter().for_each(|task| say(&format!("cargo xtask {:<16} {}", task.name, task.about)));
        return ExitCode::SUCCESS;
    };
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("error: there is no task `{name}`\nhint: `cargo xtask` lists them");
        return ExitCode::from(2);
    };
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: task `{name}`: {why}");
            ExitCode::FAILURE
        }
    }
}
