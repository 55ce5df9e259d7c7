//! `bench pipeline`: the real binary over a real wiki and over many synthetic pages, with a kill at half way. Prints
//! the rows of the table in `docs/benchmarks.md`.
//!
//! Everything happens in a folder of its own below `target/`, which is removed at the end, also after a failure.

use super::child::{Bench, Ran};
use super::pages;
use crate::tools::{Done, cargo, root, run, say, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Synthetic pages, unless told otherwise: a large company's wiki.
const PAGES: usize = 50_000;
const USAGE: &str = "expected `[--wiki FOLDER] [--pages N]`";
/// The first segment after a start says that a term began; the second is work.
const OPENED: usize = 1;
/// The setting that leaves vectors out.
pub(super) const WITHOUT_VECTORS: (&str, &str) = ("HIGHWATER_EMBEDDING", "none");

struct Typed {
    wiki: PathBuf,
    pages: usize,
}

/// Measures, and prints a Markdown table.
pub(super) fn bench(words: &[String]) -> Done {
    let typed = typed(words)?;
    let folder = Folder::new("bench-pipeline")?;
    let binary = built(&folder)?;
    let synthetic = folder.0.join("synthetic");
    fs::create_dir_all(&synthetic).map_err(|why| format!("making `{}`: {why}", synthetic.display()))?;
    eprintln!("writing {} pages made of those in `{}`", typed.pages, typed.wiki.display());
    pages::write(&typed.wiki, &synthetic.join("pages.jsonl"), typed.pages)?;

    machine();
    say("\n| measured | pages | chunks | seconds | processor s | chunks/s | pages/s | peak memory |");
    say("|---|--:|--:|--:|--:|--:|--:|--:|");
    let bench = |name: &str| Bench { binary: &binary, folder: folder.0.join(name) };
    whole(&bench("words"), "real wiki, without embedding", &typed.wiki, &[WITHOUT_VECTORS])?;
    whole(&bench("vectors"), "real wiki, with embedding", &typed.wiki, &[])?;
    let many = bench("many");
    let at_once = whole(&many, "synthetic wiki, without embedding", &synthetic, &[WITHOUT_VECTORS])?;
    let journal = many.run(&["vault", "verify"], &[])?;
    let segments = many.segments();
    let killed = resume(&bench("killed"), &synthetic, segments)?;
    say("\n| measured | |\n|---|--:|");
    told_of_resuming(&killed, &at_once);
    told_of_sizes(&binary, &many, &journal)
}

fn typed(words: &[String]) -> Result<Typed, String> {
    let mut typed = Typed { wiki: root().join("samples/wiki"), pages: PAGES };
    let mut words = words.iter();
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{flag}` lacks its value: {USAGE}"))?;
        match flag.as_str() {
            "--wiki" => {
                typed.wiki = fs::canonicalize(value).map_err(|why| format!("`--wiki {value}`: {why}"))?
            }
            "--pages" => typed.pages = value.parse().map_err(|why| format!("`--pages {value}`: {why}"))?,
            _ => return Err(format!("found `{flag}`: {USAGE}")),
        }
    }
    Ok(typed)
}

/// The binary, built and copied into the folder: a build of somebody else may replace it meanwhile.
pub fn built(folder: &Folder) -> Result<PathBuf, String> {
    run(cargo(&["build", "--release", "--locked", "--package", "highwater"]))?;
    let binary = folder.0.join("highwater");
    fs::copy(target().join("release/highwater"), &binary)
        .map_err(|why| format!("copying the binary: {why}"))?;
    Ok(binary)
}

/// Says what this is measured on, and how busy it is: a number from a loaded machine is no number.
pub fn machine() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    say(&format!(
        "\n{} ({cores} cores), load before the bench {}",
        model.map_or("unknown processor", |(_, name)| name),
        load.split(' ').next().filter(|text| !text.is_empty()).unwrap_or("unknown")
    ));
}

/// A whole run into an empty vault, as a row.
fn whole(bench: &Bench<'_>, what: &str, wiki: &Path, settings: &[(&str, &str)]) -> Result<Ran, String> {
    bench.prepare()?;
    let ran = bench.run(&["pipeline", &wiki.to_string_lossy()], settings)?;
    let (pages, chunks) = (ran.number("pages"), ran.number("chunks"));
    say(&format!(
        "| {what} | {pages} | {chunks} | {:.1} | {:.1} | {:.0} | {:.0} | {} |",
        ran.seconds,
        ran.cpu_seconds,
        chunks as f64 / ran.seconds,
        pages as f64 / ran.seconds,
        megabytes(ran.peak_bytes)
    ));
    Ok(ran)
}

/// A run that was killed at half way and started again.
struct Resumed {
    /// Seconds until the kill.
    before: f64,
    /// Seconds of the new process until a segment said that its term had begun.
    until_opened: f64,
    /// Seconds of the new process until its first work was durable.
    until_work: f64,
    /// The second run.
    after: Ran,
    /// What the journal holds at the end.
    journal: Ran,
}

/// Kills a run with half of the segments that a whole one takes, and starts it again.
fn resume(bench: &Bench<'_>, wiki: &Path, segments: usize) -> Result<Resumed, String> {
    let path = wiki.to_string_lossy();
    let words = ["pipeline", path.as_ref()];
    bench.prepare()?;
    let before = bench.run_until(&words, &[WITHOUT_VECTORS], &mut |_| bench.segments() >= segments / 2)?;
    if !before.said.is_null() {
        return Err("the run ended before it could be killed: give more `--pages`".into());
    }
    let held = bench.segments();
    let (mut opened, mut work) = (None, None);
    let after = bench.run_until(&words, &[WITHOUT_VECTORS], &mut |since: Duration| {
        if work.is_none() {
            let new = bench.segments() - held;
            let seen = since.as_secs_f64();
            opened = opened.or((new >= OPENED).then_some(seen));
            work = work.or((new > OPENED).then_some(seen));
        }
        false
    })?;
    let unseen = "the second run recorded nothing";
    Ok(Resumed {
        before: before.seconds,
        until_opened: opened.ok_or(unseen)?,
        until_work: work.ok_or(unseen)?,
        after,
        journal: bench.run(&["vault", "verify"], &[])?,
    })
}

fn told_of_resuming(killed: &Resumed, at_once: &Ran) {
    let row = |what: &str, value: String| say(&format!("| {what} | {value} |"));
    row("killed with half of the segments durable, after", format!("{:.1} s", killed.before));
    row("resumed: new process until its term is durable", format!("{:.2} s", killed.until_opened));
    row("resumed: new process until its first work is durable", format!("{:.2} s", killed.until_work));
    row("resumed: new process until the end", format!("{:.1} s", killed.after.seconds));
    let together = killed.before + killed.after.seconds;
    row(
        "both runs together, against one that was not killed",
        format!("{:+.1} s", together - at_once.seconds),
    );
    let more = killed.journal.number("entries") as i64 - at_once.number("durable_seq") as i64;
    row("records more than in one run (one is the second term's beginning)", format!("{more:+}"));
    let same = ["pages", "chunks", "episodes", "entities", "facts"];
    let same = same.iter().all(|name| killed.after.number(name) == at_once.number(name));
    row(
        "as many pages, chunks, episodes, entities and facts as in one run",
        if same { "yes" } else { "NO" }.into(),
    );
}

fn told_of_sizes(binary: &Path, many: &Bench<'_>, journal: &Ran) -> Done {
    let row = |what: &str, value: String| say(&format!("| {what} | {value} |"));
    let size = |path: &Path| {
        fs::metadata(path).map(|found| found.len()).map_err(|why| format!("`{}`: {why}", path.display()))
    };
    let (bytes, entries) = (journal.number("bytes"), journal.number("entries").max(1));
    row("journal", format!("{} in {} segments", megabytes(bytes), journal.number("segments")));
    row("journal, bytes a record", format!("{} ({entries} records)", bytes / entries));
    row("state file", megabytes(size(&many.state())?));
    let started = Instant::now();
    many.run(&["vault", "rebuild"], &[])?;
    let rate = entries as f64 / started.elapsed().as_secs_f64();
    row("state file lost: folded again from the journal", format!("{rate:.0} records/s"));
    row("binary", megabytes(size(binary)?));
    Ok(())
}

pub(super) fn megabytes(bytes: u64) -> String {
    match bytes {
        0 => "unknown".to_owned(),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A folder that goes when we do.
pub struct Folder(pub(super) PathBuf);

impl Folder {
    /// A new folder below `target/`, its name made this process's own.
    pub fn new(name: &str) -> Result<Self, String> {
        let folder = Self(target().join(format!("{name}-{}", std::process::id())));
        fs::create_dir_all(&folder.0).map_err(|why| format!("making `{}`: {why}", folder.0.display()))?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_dir_all(&self.0) {
            eprintln!("warning: removing `{}`: {why}", self.0.display());
        }
    }
}
