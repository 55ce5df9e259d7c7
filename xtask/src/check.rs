//! `check`: what can be said about the code without running it. The house rules themselves are a test, `tests/tidy.rs`.

use crate::tools::{Done, cargo, deny, run};
use std::process::Command;

/// Format, lints, and what may be built in.
pub fn check(_: &[String]) -> Done {
    run(cargo(&["fmt", "--all", "--check"]))?;
    run(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    let mut command = Command::new(deny()?);
    // No advisories: their database would have to be fetched.
    command.current_dir(crate::tools::root()).args(["check", "bans", "licenses", "sources"]);
    run(command)
}
