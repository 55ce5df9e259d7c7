//! `bench vault`: what it costs to have work saved, and how soon a lost machine goes on. The old way (copy the file),
//! Litestream and the vault side by side on states of several sizes; restoring a lost state; the first question after
//! it. `--sizes`: what a wiki of so many pages needs.
//!
//! States are made by the real binary from synthetic pages (`pages.rs`), without vectors. The three ways save the same
//! amount: a change of 5 KB each time, for the vault an answer of a model out of a real journal.

mod litestream;
mod model;
mod parts;
mod sizes;

pub use parts::{Parts, number};

use super::child::{Bench, Ran};
use super::pages;
use super::pipeline::{Folder, WITHOUT_VECTORS, built, machine, megabytes};
use crate::tools::{Done, root, say};
use litestream::Replication;
use model::Model;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Synthetic pages whose states come to about 1, 50 and 500 MB.
const STATES: [usize; 3] = [35, 2_500, 25_500];
/// Batches saved in the old way, and commits shipped: each copies the file, or waits for a second.
const BATCHES: u64 = 20;
/// Appends: enough that the 95th of a hundred means something.
const APPENDS: u64 = 400;
const DISTANT_APPENDS: u64 = 200;
/// Pages of the vault that is asked about, and of that of which answers are taken: 1,140 chunks.
const ASKED_PAGES: usize = 665;
/// How many questions of it are answered before the machine is lost: about half.
const ANSWERED: &str = "80";
/// How often that machine is lost.
const RESTARTS: usize = 9;
const USAGE: &str = "expected `[--wiki FOLDER] [--sizes [N,N,...]]`";

/// Measures, and prints Markdown tables.
pub(super) fn bench(words: &[String]) -> Done {
    let (mut wiki, mut sizes) = (root().join("samples/wiki"), None);
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(flag) = words.next() {
        match (flag, words.next_if(|word| !word.starts_with("--"))) {
            ("--wiki", Some(value)) => {
                wiki = fs::canonicalize(value).map_err(|why| format!("`--wiki {value}`: {why}"))?;
            }
            ("--sizes", value) => sizes = Some(sizes::read(value)?),
            _ => return Err(format!("found `{flag}`: {USAGE}")),
        }
    }
    let folder = Folder::new("bench-vault")?;
    let rig = Rig { binary: built(&folder)?, wiki, folder };
    match sizes {
        Some(sizes) => sizes::bench(&rig, &sizes),
        None => rig.bench(),
    }
}

/// The binary, what pages are made of, and where everything is.
struct Rig {
    binary: PathBuf,
    wiki: PathBuf,
    folder: Folder,
}

impl Rig {
    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn child(&self, name: &str) -> Bench<'_> {
        Bench { binary: &self.binary, folder: self.place(name) }
    }

    /// A wiki of synthetic pages.
    fn pages(&self, name: &str, count: usize) -> Result<PathBuf, String> {
        let wiki = self.place(name);
        fs::create_dir_all(&wiki).map_err(|why| format!("making `{}`: {why}", wiki.display()))?;
        pages::write(&self.wiki, &wiki.join("pages.jsonl"), count)?;
        Ok(wiki)
    }

    fn bench(&self) -> Done {
        let parts = Parts::built(&self.folder)?;
        let litestream = litestream::installed().map_err(|why| {
            eprintln!("LEFT OUT: litestream could not be installed: {why}");
        });
        machine();
        let answers = self.lost_while_asking()?;
        say("\n| a save of 5 KB | median | p95 | worst | bytes |\n|---|--:|--:|--:|--:|");
        let google = parts.run("google", &[&answers], Some(DISTANT_APPENDS))?;
        row("the vault, `gs://` on a server 60 ms away", &google);
        let requests = format!("{:.2} requests an append", number(&google, "asked"));
        let mut largest = None;
        for pages in STATES {
            let name = format!("state-{pages}");
            let wiki = self.pages(&format!("wiki-{pages}"), pages)?;
            let child = self.child(&name);
            child.prepare()?;
            child.run(&["pipeline", &wiki.to_string_lossy()], &[WITHOUT_VECTORS])?;
            let state = megabytes(size(&child.state())?);
            self.saves(&parts, (&child, &state), litestream.as_deref().ok(), &answers)?;
            largest = Some((child, state));
        }
        say(&format!("\n`gs://`: {requests}\n"));
        let (child, state) = largest.ok_or("no state was made")?;
        let restored = restored(&child)?;
        say("| a lost state of | restored in | peak memory |\n|---|--:|--:|");
        say(&format!("| {state} | {:.2} s | {} |", restored.seconds, megabytes(restored.peak_bytes)));
        Ok(())
    }

    /// The three ways, on one state.
    fn saves(
        &self,
        parts: &Parts,
        (child, state): (&Bench<'_>, &str),
        litestream: Option<&Path>,
        answers: &Path,
    ) -> Done {
        let copied = self.place("copied.db");
        copy(&child.state(), &copied)?;
        let old = parts.run("copies", &[&copied, &self.place("old-way")], Some(BATCHES))?;
        row(&format!("{state}: checkpoint, copy the file"), &old);
        if let Some(program) = litestream {
            copy(&child.state(), &copied)?;
            let replica = self.place(&format!("replica-{}", size(&copied)?));
            let replication = Replication::start(program, &copied, &replica)?;
            let shipped = parts.run("probe", &[&copied, &replica], Some(BATCHES));
            drop(replication);
            row(&format!("{state}: Litestream 0.5.17, commit to replica"), &shipped?);
            remove(&replica)?;
        }
        let near = parts.run("appends", &[&child.vault(), answers], Some(APPENDS))?;
        row(&format!("{state}: the vault, a folder"), &near);
        let far = parts.run("distant", &[&child.vault(), answers], Some(DISTANT_APPENDS))?;
        row(&format!("{state}: the vault, a store 60 ms away"), &far);
        say(&format!(
            "<!-- records of {:.0} bytes, {} different; {} segments before; {:.2} round trips an append -->",
            number(&near, "record_bytes"),
            near["different"],
            near["segments_before"],
            number(&far, "asked")
        ));
        Ok(())
    }

    /// A vault with work still owed to a model, whose state is lost: how soon the next question is asked. Gives the
    /// vault, in which the answers are.
    fn lost_while_asking(&self) -> Result<PathBuf, String> {
        let wiki = self.pages("asked", ASKED_PAGES)?;
        let path = wiki.to_string_lossy();
        let model = Model::start()?;
        let child = self.child("asking");
        child.prepare()?;
        let url = ("HIGHWATER_MODEL_URL", model.url.as_str());
        let settings = [WITHOUT_VECTORS, ("HIGHWATER_MODEL", "compatible/mock"), url];
        child.run(&["pipeline", &path, "--max-calls", ANSWERED], &settings)?;
        model.first().ok_or("nothing was asked")?;
        let state = size(&child.state())?;
        let (mut seconds, mut peak, mut chunks) = (Vec::new(), 0, 0);
        for _ in 0..RESTARTS {
            child.forget()?;
            let begun = Instant::now();
            let mut first = None;
            let again = child.run_until(&["pipeline", &path, "--max-calls", "1"], &settings, &mut |_| {
                first = first.or_else(|| model.first());
                false
            })?;
            let first = first.or_else(|| model.first()).ok_or("nothing was asked again")?;
            seconds.push(first.duration_since(begun).as_secs_f64());
            (peak, chunks) = (again.peak_bytes.max(peak), again.number("chunks"));
        }
        seconds.sort_by(f64::total_cmp);
        say("\n| the state file was lost, work was owed | median | worst | peak memory |\n|---|--:|--:|--:|");
        say(&format!(
            "| process start to first question: {chunks} chunks, {} | {:.2} s | {:.2} s | {} |",
            megabytes(state),
            seconds[RESTARTS / 2],
            seconds[RESTARTS - 1],
            megabytes(peak)
        ));
        Ok(child.vault())
    }
}

fn row(what: &str, told: &Value) {
    let ms = |name: &str| match number(told, name) {
        long if long >= 100.0 => format!("{long:.0} ms"),
        short => format!("{short:.1} ms"),
    };
    say(&format!(
        "| {what} | {} | {} | {} | {:.0} |",
        ms("median_ms"),
        ms("p95_ms"),
        ms("max_ms"),
        number(told, "bytes")
    ));
}

/// Loses the state, and makes it again from the vault.
fn restored(child: &Bench<'_>) -> Result<Ran, String> {
    child.forget()?;
    let to = child.state();
    child.run(&["vault", "restore", "--to", &to.to_string_lossy()], &[])
}

fn size(path: &Path) -> Result<u64, String> {
    fs::metadata(path).map(|found| found.len()).map_err(|why| format!("`{}`: {why}", path.display()))
}

/// Copies a database that nobody has open, and removes what an older one left beside it.
fn copy(from: &Path, to: &Path) -> Done {
    ["-wal", "-shm"].iter().try_for_each(|end| remove(Path::new(&format!("{}{end}", to.display()))))?;
    fs::copy(from, to).map(|_| ()).map_err(|why| format!("copying `{}`: {why}", from.display()))
}

fn remove(path: &Path) -> Done {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(format!("`{}`: {why}", path.display())),
        _ => Ok(()),
    }
}
