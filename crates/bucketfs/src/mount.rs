//! One mount of a bucket: a machine of its own, as far as faults and caches go.
//!
//! The invariant: whatever becomes of a test, its mounts are gone when it is dropped, used or not.

use crate::bucket::Bucket;
use crate::faults::{Fault, Faults, Operation};
use crate::files::{Files, Switches};
use fuser::{BackgroundSession, Config, MountOption};
use nix::mount::{MntFlags, umount2};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How many requests a mount works on at once: a slow one must not hold up the others.
const THREADS: usize = 4;

/// The environment variable that declares that there is no FUSE on this machine.
const NO_FUSE: &str = "HIGHWATER_NO_FUSE";

/// Whether a bucket can be mounted here. If not, that must be declared by `HIGHWATER_NO_FUSE=1`, and is said loudly: a
/// proof that silently did not run is none.
///
/// # Panics
/// When FUSE is missing and nobody declared it.
pub fn is_available() -> bool {
    let device = Path::new("/dev/fuse");
    let declared = std::env::var_os(NO_FUSE).is_some_and(|value| value == "1");
    if declared {
        writeln!(io::stderr(), "SKIPPED: {NO_FUSE}=1, so nothing about mounted buckets was tested").ok();
        return false;
    }
    let found = File::options().read(true).write(true).open(device);
    assert!(
        found.is_ok(),
        "opening `{}`: {found:?}; mounted buckets are tested by root on Linux with FUSE (`modprobe fuse`), and not at \
         all only where {NO_FUSE}=1 declares it",
        device.display()
    );
    true
}

/// A bucket mounted at a folder, until it is dropped.
#[derive(Debug)]
pub struct Mount {
    folder: PathBuf,
    faults: Arc<Faults>,
    switches: Arc<Switches>,
    session: Option<BackgroundSession>,
    /// Keeps the dead mount in its place: see `die`.
    held: Option<File>,
}

impl Bucket {
    /// Mounts the bucket at this folder, which is made if it is not there.
    pub fn mount(&self, folder: &Path) -> io::Result<Mount> {
        std::fs::create_dir_all(folder)?;
        let faults = Arc::<Faults>::default();
        let switches = Arc::<Switches>::default();
        let files = Files::new(self.clone(), Arc::clone(&faults), Arc::clone(&switches));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("bucketfs".to_owned())];
        config.n_threads = Some(THREADS);
        let session = fuser::spawn_mount(files, folder, &config)?;
        Ok(Mount { folder: folder.to_owned(), faults, switches, session: Some(session), held: None })
    }
}

impl Mount {
    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Plans how an operation fails on this mount; the last plan for an operation counts.
    pub fn fail(&self, operation: Operation, fault: Fault) {
        self.faults.fail(operation, fault);
    }

    /// Makes an operation take so long.
    pub fn delay(&self, operation: Operation, by: Duration) {
        self.faults.delay(operation, by);
    }

    /// Makes publishing and reading as slow as this.
    pub fn slow(&self, bytes_per_second: u32) {
        self.faults.slow(bytes_per_second);
    }

    /// Lets something happen while the next operation of a kind is under way: asked for, and not yet done.
    pub fn meanwhile(&self, operation: Operation, happens: impl FnOnce() + Send + 'static) {
        self.faults.meanwhile(operation, happens);
    }

    /// Ends all faults and slowness.
    pub fn clear(&self) {
        self.faults.clear();
    }

    /// How many times an operation has failed as planned.
    pub fn struck(&self, operation: Operation) -> u64 {
        self.faults.struck(operation)
    }

    /// Lets this mount answer from what it saw up to so long ago: names (also those that were not there), sizes.
    pub fn cache(&self, names: Duration) {
        self.switches.cache_ms.store(u64::try_from(names.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Lets this mount list folders as they are now, however they change, until it is told otherwise.
    pub fn freeze_listings(&self, on: bool) {
        self.switches.frozen.store(on, Relaxed);
    }

    /// Lets this mount go on showing a file whose publication failed, which nobody else sees.
    pub fn keep_failed(&self, on: bool) {
        self.switches.keeps_failed.store(on, Relaxed);
    }

    /// The process behind the mount dies: from now on every call ends in ENOTCONN, and what was not published is lost.
    pub fn die(&mut self) -> io::Result<()> {
        // A forced unmount first cuts the connection and then fails, because we hold the folder open.
        self.held = Some(File::open(&self.folder)?);
        match umount2(&self.folder, MntFlags::MNT_FORCE) {
            Ok(()) => Err(io::Error::other("the mount went away instead of dying")),
            Err(nix::errno::Errno::EBUSY) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.held = None;
        // Detached, since a test that failed may have left a file open; the session ends with the last of them.
        umount2(&self.folder, MntFlags::MNT_DETACH).ok();
        drop(self.session.take());
    }
}
