//! `test`, `sim` and `fuzz`: everything that can fail by running it.
//!
//! Plain `cargo test`, although other runners are faster: it is part of every toolchain, so a bare machine builds no
//! runner first (minutes, for a suite of minutes); it runs the examples in the documentation too; and there is one way
//! to run the tests, here and in CI.

use crate::tools::{Done, cargo, python, run, run_and_see, say};
use crate::{assistants, clouds, judges};

/// Lives in a test run: enough that every kind of crash comes up many times, in about a minute.
const LIVES: &str = "500";

/// Unit, contract, golden, property, scenario and tidy tests, the examples in the documentation, then the simulator.
pub fn test(filter: &[String]) -> Done {
    let python = python()?;
    eprintln!("the tests need the toolchain and Python (`{}`)", python.display());
    eprintln!(
        "on Linux they mount buckets: that needs root and `/dev/fuse`; HIGHWATER_NO_FUSE=1 leaves it out"
    );
    let mut command = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    command.env("PYTHON3", python).envs(clouds::environment()?).envs(judges::environment());
    command.envs(assistants::environment());
    command.args(filter);
    let mut tally = Tally::default();
    let tested = run_and_see(command, |line| tally.see(line));
    let lived = match filter.is_empty() {
        true => lives(),
        false => Ok(()),
    };
    say(&tally.line());
    tested.and(lived)
}

/// Lives of the main job, lives of the vault alone, and a little fuzz.
fn lives() -> Done {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let of_jobs = sim(&words(&["--seeds", LIVES]));
    let of_vaults = sim(&words(&["--vaults", "--seeds", LIVES]));
    of_jobs.and(of_vaults).and(fuzz(&[]))
}

/// Feeds damaged and forged objects to what reads a vault: some seconds, unless told otherwise.
pub fn fuzz(arguments: &[String]) -> Done {
    let mut command = cargo(&["run", "--quiet", "--release", "--locked", "--package", "fuzz", "--"]);
    command.args(arguments);
    run(command)
}

/// Kills and restarts the main job under virtual time, and compares the graphs.
pub fn sim(arguments: &[String]) -> Done {
    let mut command = cargo(&["run", "--quiet", "--locked", "--package", "sim", "--"]);
    command.args(arguments);
    run(command)
}

/// Serves a simulated Confluence until it is ended.
pub fn fake_confluence(arguments: &[String]) -> Done {
    let mut command =
        cargo(&["run", "--quiet", "--locked", "--package", "sim", "--bin", "fake-confluence", "--"]);
    command.args(arguments);
    run(command)
}

/// Adds up what each test binary says of itself, so that the last lines of a long output tell the whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    suites: u32,
    passed: u32,
    failed: u32,
}

impl Tally {
    fn see(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let part = result.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(what));
            part.and_then(|number| number.trim().parse::<u32>().ok()).unwrap_or(0)
        };
        self.suites += 1;
        self.passed += count("passed");
        self.failed += count("failed");
    }

    fn line(&self) -> String {
        format!("all tests: {} passed, {} failed, in {} suites", self.passed, self.failed, self.suites)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tally_adds_up_all_suites() {
        let mut tally = Tally::default();
        tally.see("running 3 tests");
        tally.see(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.02s",
        );
        tally.see("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s");
        assert_eq!(tally, Tally { suites: 2, passed: 13, failed: 2 });
        assert_eq!(tally.line(), "all tests: 13 passed, 2 failed, in 2 suites");
    }
}
