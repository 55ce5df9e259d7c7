//! The built program with its vault on a mounted bucket (`crates/bucketfs`), killed again and again. What is proved here
//! is our reading of gcsfuse, not gcsfuse.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use bucketfs::{Bucket, Errno, Fault, Mount, Operation, is_available};
use highwater::state::State;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vault::{Digest, DirStore, Event, Segment};

/// Enough that a kill falls into every part of a creation many times; the time is printed.
const KILLS: u64 = 100;
const PAGES: usize = 800;

/// A linear congruential generator: the kills are spread alike in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A folder with a wiki, and a state file beside it.
struct Place {
    folder: TempDir,
    vault: PathBuf,
}

impl Place {
    fn new(vault: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wiki = folder.path().join("wiki/OPS");
        std::fs::create_dir_all(&wiki).unwrap();
        for page in 0..PAGES {
            let (owner, next) = (page % 7, (page + 1) % PAGES);
            let text = format!(
                "# service-{page}\n\n| Property | Value |\n|---|---|\n| Owner | Team {owner} |\n\n\
                 ## Notes\n\nThe `service-{page}` depends on `service-{next}`. See [next](service-{next}.md).\n"
            );
            std::fs::write(wiki.join(format!("service-{page}.md")), text).unwrap();
        }
        let place = Self { folder, vault: vault.to_owned() };
        place.done(&["vault", "init", vault.to_str().unwrap()]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
        command.current_dir(self.folder.path()).args(arguments);
        // Small slices make many segments, and so many places to die in.
        command.env("HIGHWATER_EMBEDDING", "none").env("HIGHWATER_EPOCH_PAGES", "4");
        command.env("HIGHWATER_CONCURRENCY", "4").stdin(Stdio::null());
        command
    }

    fn pipeline(&self) -> Command {
        self.command(&["pipeline", "wiki", "--quiet", "--vault", self.vault.to_str().unwrap()])
    }

    fn done(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {talk}");
    }

    fn finish(&self) {
        let output = self.pipeline().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn state(&self) -> Option<State> {
        State::open_to_read(&self.path("highwater.db")).unwrap()
    }

    fn dump(&self) -> String {
        self.state().expect("a state file").dump().unwrap()
    }
}

/// What the journal holds: for each entry, the digest of its segment.
fn chain(store: &DirStore) -> Vec<Digest> {
    let mut entries = Vec::new();
    let read = vault::read(store, None, |segment: Segment<serde_json::Value>| {
        for entry in &segment.entries {
            assert_eq!(entry.seq.get(), entries.len() as u64 + 1);
            assert!(!matches!(&entry.event, Event::Record(record) if record.is_null()));
            entries.push(segment.position.digest);
        }
        Ok::<_, vault::Error>(())
    });
    tokio::runtime::Runtime::new().unwrap().block_on(read).unwrap();
    entries
}

/// Lets time pass, for a process that cannot tell when it has come so far.
fn pass(time: Duration) {
    let (_sender, receiver) = channel::<()>();
    receiver.recv_timeout(time).ok();
}

/// Kills the pipeline a moment after it has published so many objects; false if it ended before.
fn kill_after(place: &Place, bucket: &Bucket, dice: &mut Dice) -> bool {
    let wanted = bucket.published() + 1 + dice.roll(4);
    let mut child = place.pipeline().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while bucket.published() < wanted && child.try_wait().unwrap().is_none() {
        pass(Duration::from_micros(500));
    }
    pass(Duration::from_micros(dice.roll(9000)));
    let is_running = child.try_wait().unwrap().is_none();
    child.kill().ok();
    child.wait().unwrap();
    is_running
}

/// Most rounds are plain kills; in some the mount fails once as well, before or after publishing.
fn plan_a_fault(mount: &Mount, round: u64) {
    let unclear = Fault::once(Errno::EIO).skip(2);
    match round % 10 {
        3 => mount.fail(Operation::Flush, unclear),
        6 => mount.fail(Operation::Flush, unclear.after_success()),
        8 => mount.fail(Operation::Read, unclear),
        _ => {}
    }
}

#[test]
fn killed_a_hundred_times_on_a_mounted_bucket_nothing_acknowledged_is_lost() {
    if !is_available() {
        return;
    }
    let begun = Instant::now();
    let plain = tempfile::tempdir().unwrap();
    let undisturbed = Place::new(&plain.path().join("vault"));
    undisturbed.finish();

    let (bucket, folder) = (Bucket::new(), tempfile::tempdir().unwrap());
    let [writer, reader] = ["writer", "reader"].map(|name| bucket.mount(&folder.path().join(name)).unwrap());
    let killed = Place::new(&writer.folder().join("vault"));
    let elsewhere = DirStore::new(reader.folder().join("vault"));
    let mut dice = Dice(100);
    let (mut landed, mut round, mut known) = (0, 0, Vec::<Digest>::new());
    while landed < KILLS {
        // A fault that ends a run before its kill makes one more round.
        round += 1;
        assert!(round < 2 * KILLS, "only {landed} kills fell into a run");
        writer.clear();
        // Each step of a creation takes a while, so that kills fall into all of them.
        writer.delay(Operation::Create, Duration::from_millis(1));
        writer.delay(Operation::Write, Duration::from_millis(2));
        writer.delay(Operation::Flush, Duration::from_millis(2));
        writer.keep_failed(round % 2 == 1);
        plan_a_fault(&writer, round);
        landed += u64::from(kill_after(&killed, &bucket, &mut dice));
        // What the state shows was acknowledged; from another machine it must all be there, for good.
        let applied = killed.state().map_or(0, |state| state.applied().unwrap().get());
        let found = chain(&elsewhere);
        assert!(
            applied <= found.len() as u64,
            "round {round}: {applied} acknowledged, {} there",
            found.len()
        );
        assert!(
            known.len() <= found.len() && known == found[..known.len()],
            "round {round}: the chain changed"
        );
        known.clone_from(&found);
        known.truncate(usize::try_from(applied).unwrap());
        if round % 16 == 15 {
            std::fs::remove_file(killed.path("highwater.db")).unwrap();
        }
    }
    writer.clear();
    let before = chain(&elsewhere).len();
    killed.finish();
    assert!(chain(&elsewhere).len() > before + 2, "the work was done before the last kill");
    let verified = tokio::runtime::Runtime::new().unwrap().block_on(vault::verify(&elsewhere)).unwrap();
    assert_eq!(killed.dump(), undisturbed.dump());
    eprintln!(
        "{KILLS} kills in {round} runs on a mounted bucket: {} segments, {} writers, {} torn and voided, nothing \
         acknowledged was lost; {:.1} s",
        verified.segments,
        verified.terms,
        verified.voided,
        begun.elapsed().as_secs_f64()
    );
    assert!(verified.voided >= 1, "no kill fell into a creation");
}
