//! A vault that cannot be written, and a disk that is full: the built program waits, asks nobody meanwhile, and goes on.
//! The place it writes to is a mounted bucket that fails on demand (`crates/bucketfs`).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod mock;

use bucketfs::{Bucket, Errno, Fault, Mount, Operation, is_available};
use highwater::state::State;
use mock::Mock;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Calls under way at once: what may still be answered once nothing can be saved.
const AT_ONCE: u64 = 2;
/// Failures of the mount that are waited for: three a try, so some tries with growing pauses.
const FAILURES: u64 = 12;

struct Place {
    folder: TempDir,
    mount: Mount,
    url: String,
}

impl Place {
    fn new(mock: &Mock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("wiki/OPS")).unwrap();
        for page in 0..30 {
            let text = format!(
                "# service-{page}\n\nThe Service{page} Gateway is owned by Team {}. It runs on Cluster {}.\n",
                page % 7,
                page % 3
            );
            std::fs::write(folder.path().join(format!("wiki/OPS/service-{page}.md")), text).unwrap();
        }
        std::fs::create_dir(folder.path().join("bucket")).unwrap();
        let mount = Bucket::new().mount(&folder.path().join("bucket")).unwrap();
        let place = Self { folder, mount, url: mock.url() };
        assert!(place.command(&["vault", "init"]).status().unwrap().success());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        let at_once = AT_ONCE.to_string();
        let settings = [
            ("EMBEDDING", "none"),
            ("VAULT", "bucket"),
            ("MODEL", "compatible/mock"),
            ("COMMUNITY_SUMMARIES", "0"),
            ("MODEL_URL", &self.url),
            ("PACK_CHARS", "500"),
            ("CALLS_AT_ONCE", &at_once),
        ];
        command.envs(settings.map(|(name, value)| (format!("HIGHWATER_{name}"), value)));
        command.current_dir(self.folder.path()).args(arguments).arg("--quiet");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn dump(&self) -> String {
        State::open_to_read(&self.path("highwater.db")).unwrap().expect("a state file").dump().unwrap()
    }
}

/// Lets a little time pass while another process works.
fn pass() {
    let (_sender, receiver) = channel::<()>();
    receiver.recv_timeout(Duration::from_millis(5)).ok();
}

/// Waits until something is so, while a process is alive.
fn until(child: &mut Child, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended");
        assert!(begun.elapsed() < Duration::from_secs(120), "it took two minutes");
        pass();
    }
}

/// Runs while `fault` strikes for some time in the middle of it; the graph must be that of a run that nothing disturbs.
fn goes_on_after(operation: Operation, fault: Fault) {
    if !is_available() {
        return;
    }
    let Some(mock) = Mock::start(&["--latency-ms", "20"]) else { return };
    let calm = Place::new(&mock);
    assert!(calm.command(&["pipeline", "wiki"]).status().unwrap().success());
    mock.reset();
    let place = Place::new(&mock);
    let mut child = place.command(&["pipeline", "wiki"]).spawn().unwrap();
    until(&mut child, || mock.stats().answered() >= 3);
    place.mount.fail(operation, fault);
    until(&mut child, || place.mount.struck(operation) > 0);
    let before = mock.stats().answered();
    until(&mut child, || place.mount.struck(operation) >= FAILURES);
    let during = mock.stats().answered();
    assert!(
        during <= before + AT_ONCE,
        "{before} calls were answered, then {during} while nothing could be saved"
    );
    place.mount.clear();
    assert!(child.wait().unwrap().success());
    assert_eq!(mock.stats().chunks_twice(), 0, "an answer was lost and paid for again");
    assert_eq!(place.dump(), calm.dump());
}

#[test]
fn a_vault_that_cannot_be_reached_is_waited_for_and_nobody_is_asked() {
    goes_on_after(Operation::Flush, Fault::always(Errno::EIO));
}

#[test]
fn a_disk_that_is_full_is_waited_for_and_nobody_is_asked() {
    goes_on_after(Operation::Create, Fault::always(Errno::ENOSPC));
}

#[test]
fn a_place_in_the_journal_that_was_left_torn_ends_the_run_and_the_next_one_passes_it() {
    if !is_available() {
        return;
    }
    let Some(mock) = Mock::start(&["--latency-ms", "20"]) else { return };
    let place = Place::new(&mock);
    let mut child = place.command(&["pipeline", "wiki"]).spawn().unwrap();
    until(&mut child, || mock.stats().answered() >= 3);
    // The disk is full in the middle of a segment: its name is taken by a part, and nobody may delete that.
    place.mount.fail(Operation::Write, Fault::once(Errno::ENOSPC));
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(place.command(&["pipeline", "wiki"]).status().unwrap().success());
    assert!(place.command(&["vault", "verify"]).status().unwrap().success());
    assert!(mock.stats().prompts_twice() <= AT_ONCE, "more was paid for again than was under way");
}

#[test]
fn a_run_that_is_told_to_stop_while_nothing_can_be_saved_ends_in_time_and_loses_nothing_that_was_saved() {
    if !is_available() {
        return;
    }
    let Some(mock) = Mock::start(&["--latency-ms", "20"]) else { return };
    let place = Place::new(&mock);
    let mut child = place.command(&["pipeline", "wiki"]).spawn().unwrap();
    until(&mut child, || mock.stats().answered() >= 3);
    place.mount.fail(Operation::Flush, Fault::always(Errno::EIO));
    until(&mut child, || place.mount.struck(Operation::Flush) >= 3);
    let told = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(told.elapsed() < Duration::from_secs(8), "it took {:?}", told.elapsed());
    place.mount.clear();
    assert!(place.command(&["pipeline", "wiki"]).status().unwrap().success());
    assert!(mock.stats().prompts_twice() <= AT_ONCE, "more was paid for again than was under way");
}

/// A small disk in memory, gone with the test.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (none, flags) = (None::<&Path>, nix::mount::MsFlags::empty());
        let size = format!("size={bytes}");
        nix::mount::mount(none, folder.path(), Some("tmpfs"), flags, Some(size.as_str())).unwrap();
        Self { folder }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    fn used(&self) -> u64 {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    }

    /// Takes all room but so much.
    fn fill(&self, left: u64) -> PathBuf {
        let path = self.folder.path().join("filler");
        std::fs::write(&path, vec![0; usize::try_from(DISK - left).unwrap()]).unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        nix::mount::umount2(self.folder.path(), nix::mount::MntFlags::MNT_DETACH).ok();
    }
}

const DISK: u64 = 64 << 20;

/// Wherever the disk of the state file is full, in the loop or while vectors are made: the run waits for room.
#[test]
fn a_disk_of_the_state_that_is_full_is_waited_for_wherever_that_is() {
    if !is_available() {
        return;
    }
    let Some(mock) = Mock::start(&[]) else { return };
    let run = |place: &Place, disk: &Disk| {
        let mut command = place.command(&["pipeline", "wiki"]);
        command.env("HIGHWATER_STATE", disk.state()).env("HIGHWATER_EMBEDDING", "builtin");
        command.stderr(Stdio::piped());
        command
    };
    let dump =
        |disk: &Disk| State::open_to_read(&disk.state()).unwrap().expect("a state file").dump().unwrap();
    let (calm, disk) = (Place::new(&mock), Disk::new(DISK));
    let mut child = run(&calm, &disk).spawn().unwrap();
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = most.max(disk.used());
        pass();
    }
    for percent in [20, 60, 75, 85, 95] {
        let (place, small) = (Place::new(&mock), Disk::new(DISK));
        let filler = small.fill(most * percent / 100);
        let mut child = run(&place, &small).spawn().unwrap();
        // It waits once nothing has been written for a while; or ends at once, where even a beginning had no room.
        let (mut size, mut since) = (0, Instant::now());
        while child.try_wait().unwrap().is_none() && since.elapsed() < Duration::from_secs(2) {
            if small.used() != size {
                (size, since) = (small.used(), Instant::now());
            }
            pass();
        }
        let waits = child.try_wait().unwrap().is_none();
        std::fs::remove_file(filler).unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.success(), waits, "{percent} %: {said}");
        if !waits {
            assert!(said.contains("make room"), "{percent} %: {said}");
            assert!(run(&place, &small).status().unwrap().success(), "{percent} %");
        }
        assert_eq!(dump(&small), dump(&disk), "{percent} %");
    }
}
