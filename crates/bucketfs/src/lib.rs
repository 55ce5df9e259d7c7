//! A bucket in memory that is mounted as a file system, behaves like gcsfuse, and fails on demand; for tests. It must
//! not know who writes into it, or what.
//!
//! What it keeps to is what makes such a mount hard to live with. A file is published when it is closed (FLUSH, which
//! the kernel also sends for a writer that was killed) and not before; of two that publish one name the second gets
//! ESTALE; there are no hard links and no locks between mounts; a rename replaces silently; a file whose publication
//! failed may go on being shown by the mount that failed. A [`Bucket`] is mounted any number of times, each
//! [`Mount`] standing for a machine of its own, with its own faults and caches.

#![cfg(target_os = "linux")]

mod bucket;
mod faults;
mod files;
mod mount;

pub use bucket::Bucket;
pub use faults::{Fault, Operation};
pub use mount::{Mount, is_available};
pub use nix::errno::Errno;
