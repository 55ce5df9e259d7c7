//! `docs`: writes the pages that are made from the code, and builds the documentation of the code. Whether the written
//! pages are stale is a test, `tests/reference.rs`, which also holds what makes them: so this crate need not build the
//! product before it can list its tasks.

use crate::tools::{Done, cargo, run};

/// Writes `docs/reference.md` and builds the documentation of all crates.
pub fn docs(_: &[String]) -> Done {
    let mut write = cargo(&["test", "--quiet", "--locked", "--test", "reference"]);
    write.env("WRITE_REFERENCE", "1");
    run(write)?;
    run(cargo(&["doc", "--workspace", "--no-deps", "--locked"]))
}
