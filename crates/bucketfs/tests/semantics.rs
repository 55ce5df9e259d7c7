//! What a program sees of a mounted bucket. Each line of the crate's description has its test here.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use bucketfs::{Bucket, Errno, Fault, Mount, Operation, is_available};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// One bucket on two machines.
fn two() -> Option<(Bucket, [Mount; 2], TempDir)> {
    if !is_available() {
        return None;
    }
    let (bucket, folder) = (Bucket::new(), tempfile::tempdir().unwrap());
    let mounts = ["a", "b"].map(|name| bucket.mount(&folder.path().join(name)).unwrap());
    Some((bucket, mounts, folder))
}

fn close(file: File) -> Result<(), Errno> {
    nix::unistd::close(file)
}

fn errno<T: std::fmt::Debug>(end: io::Result<T>) -> Errno {
    Errno::from_raw(end.unwrap_err().raw_os_error().unwrap())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_published_when_it_is_closed_and_the_second_to_close_is_told() {
    let Some((bucket, [a, b], _folder)) = two() else { return };
    let (here, there) = (a.folder().join("x"), b.folder().join("x"));
    let mut one = File::create_new(&here).unwrap();
    one.write_all(b"one").unwrap();
    one.sync_all().unwrap();
    assert!(here.exists() && !there.exists(), "a sync publishes nothing");
    let mut two = File::create_new(&there).unwrap();
    two.write_all(b"two").unwrap();
    assert_eq!(close(one), Ok(()));
    assert_eq!(close(two), Err(Errno::ESTALE));
    assert_eq!((fs::read(&here).unwrap(), fs::read(&there).unwrap()), (b"one".to_vec(), b"one".to_vec()));
    assert_eq!(errno(File::create_new(&there)), Errno::EEXIST);
    assert_eq!(bucket.published(), 1);
}

#[test]
fn there_are_no_links_and_a_rename_replaces_silently() {
    let Some((bucket, [a, b], _folder)) = two() else { return };
    fs::write(a.folder().join("x"), b"x").unwrap();
    fs::write(b.folder().join("y"), b"y").unwrap();
    assert!(fs::hard_link(a.folder().join("x"), a.folder().join("z")).is_err());
    fs::rename(a.folder().join("x"), a.folder().join("y")).unwrap();
    assert_eq!(bucket.objects().into_iter().collect::<Vec<_>>(), [("y".to_owned(), b"x".to_vec())]);
}

#[test]
fn folders_are_made_listed_and_removed() {
    let Some((bucket, [a, b], _folder)) = two() else { return };
    fs::create_dir(a.folder().join("d")).unwrap();
    assert_eq!(errno(fs::create_dir(b.folder().join("d"))), Errno::EEXIST);
    fs::write(b.folder().join("d/x"), vec![7; 300_000]).unwrap();
    assert_eq!(names(&a.folder().join("d")), ["x"]);
    assert_eq!(fs::read(a.folder().join("d/x")).unwrap(), vec![7; 300_000]);
    assert_eq!(errno(fs::remove_dir(a.folder().join("d"))), Errno::ENOTEMPTY);
    fs::remove_file(a.folder().join("d/x")).unwrap();
    fs::remove_dir(a.folder().join("d")).unwrap();
    assert!(bucket.objects().is_empty() && names(b.folder()).is_empty());
}

#[test]
fn a_file_whose_publication_failed_is_forgotten_or_shown_to_this_mount_alone() {
    let Some((bucket, [a, b], _folder)) = two() else { return };
    for (name, keeps) in [("x", false), ("y", true)] {
        a.keep_failed(keeps);
        a.fail(Operation::Flush, Fault::once(Errno::EIO));
        let mut file = File::create_new(a.folder().join(name)).unwrap();
        file.write_all(b"mine").unwrap();
        assert_eq!(close(file), Err(Errno::EIO));
        assert_eq!(a.folder().join(name).exists(), keeps);
        assert!(!b.folder().join(name).exists());
    }
    let again = OpenOptions::new().write(true).open(a.folder().join("y")).unwrap();
    assert_eq!(close(again), Ok(()));
    assert_eq!(bucket.objects()["y"], b"mine", "closing it once more publishes it");
}

#[test]
fn what_is_cached_or_frozen_is_old_and_parts_are_shown_where_they_are() {
    let Some((bucket, [a, b], _folder)) = two() else { return };
    a.cache(Duration::from_secs(60));
    a.freeze_listings(true);
    assert!(!a.folder().join("x").exists() && names(a.folder()).is_empty());
    fs::write(b.folder().join("x"), b"x").unwrap();
    assert!(!a.folder().join("x").exists(), "it was not there a moment ago");
    assert!(names(a.folder()).is_empty());
    a.freeze_listings(false);
    assert_eq!(names(a.folder()), ["x"]);
    bucket.show_parts(true);
    let mut file = File::create_new(a.folder().join("part")).unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(fs::read(b.folder().join("part")).unwrap(), b"half");
    file.write_all(b" whole").unwrap();
    assert_eq!(close(file), Ok(()));
    assert_eq!(fs::read(b.folder().join("part")).unwrap(), b"half whole");
}

/// Ends the child, whatever becomes of the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_killed_writer_publishes_what_it_wrote() {
    let Some((bucket, [a, _b], _folder)) = two() else { return };
    // `tee` opens the file and never duplicates it; a shell would, and closing the duplicate publishes.
    let mut command = Command::new("tee");
    command.arg(a.folder().join("x")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writer = Ended(command.spawn().unwrap());
    let (mut to, mut from) = (writer.0.stdin.take().unwrap(), writer.0.stdout.take().unwrap());
    // It says each piece before it writes it, so the second is the sign that the first was written.
    for piece in ["half", "!"] {
        to.write_all(piece.as_bytes()).unwrap();
        from.read_exact(&mut vec![0; piece.len()]).unwrap();
    }
    assert!(bucket.objects().is_empty(), "it is still open");
    writer.0.kill().unwrap();
    writer.0.wait().unwrap();
    assert!(bucket.objects()["x"].starts_with(b"half"));
}

#[test]
fn a_mount_that_dies_answers_nothing_any_more() {
    let Some((_bucket, [mut a, b], _folder)) = two() else { return };
    fs::write(a.folder().join("x"), b"x").unwrap();
    a.die().unwrap();
    assert_eq!(errno(fs::read(a.folder().join("x"))), Errno::ENOTCONN);
    assert_eq!(fs::read(b.folder().join("x")).unwrap(), b"x");
}

#[test]
fn the_program_holds_its_mounts_until_it_is_told_to_end() {
    if !is_available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    let mut command = Command::new(env!("CARGO_BIN_EXE_bucketfs"));
    command.args([&one, &two]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = Ended(command.spawn().unwrap());
    let mut said = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "2 mounted\n");
    fs::write(one.join("x"), b"x").unwrap();
    assert_eq!(fs::read(two.join("x")).unwrap(), b"x");
    drop(program.0.stdin.take());
    assert!(program.0.wait().unwrap().success());
    assert!(names(&one).is_empty() && names(&two).is_empty(), "nothing stays mounted");
}
