//! The official client of the Model Context Protocol, from Python's packages, in `tools/assistants` of the target
//! folder. This file must not know what it asks.

use crate::packages::Packages;
use crate::tools::target;
use std::ffi::OsString;

const PACKAGES: Packages = Packages { python: &["mcp==2.3.0"], node: None };

/// What the environment of the tests needs, so that they find the client. Where it cannot be had, this says so and the
/// test passes without a verdict.
pub fn environment() -> Vec<(&'static str, OsString)> {
    let folder = target().join("tools/assistants");
    if let Err(why) = PACKAGES.install(&folder) {
        eprintln!("SKIPPED: the client of the Model Context Protocol could not be installed: {why}");
        return Vec::new();
    }
    vec![("ASSISTANTS_PYTHON", folder.join("bin/python").into_os_string())]
}
