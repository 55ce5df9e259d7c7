//! `demo`: jobs that are killed while they save, on machines whose disk is lost with them. First the old way, which
//! copies the whole state file after each batch; then the vault. Killed is killed: SIGKILL, at moments that a seed
//! chooses. Prints what each had said was saved, and what was there afterwards.

use crate::bench::{Bench, Folder, Parts, built, number};
use crate::tools::{Done, root, say};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The old way's database: a wiki of some two thousand pages.
const MEGABYTES: u64 = 50;
/// How often the old way is killed, each time from its beginning: a torn copy has nothing to go on from.
const OLD_KILLS: u32 = 3;
/// The old way saves so many batches at most before it is killed.
const BATCHES: u64 = 10;
/// How often ours is killed, each time going on from the vault alone.
const KILLS: u32 = 20;
/// Nothing here takes that long.
const AT_MOST: Duration = Duration::from_secs(60);
/// How often a copy under way is looked at.
const LOOK: Duration = Duration::from_micros(200);
const USAGE: &str = "expected `[--seed N]`";

/// Runs both, and says what came of them.
pub fn demo(words: &[String]) -> Done {
    let seed = match words {
        [] => 1,
        [flag, value] if flag == "--seed" => {
            value.parse().map_err(|why| format!("`--seed {value}`: {why}"))?
        }
        _ => return Err(USAGE.into()),
    };
    let folder = Folder::new("demo")?;
    let binary = built(&folder)?;
    let parts = Parts::built(&folder)?;
    old_way(&folder, &parts, Chance(seed))?;
    ours(&folder, (&binary, &parts), Chance(seed))
}

/// A fixed sequence of numbers.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

fn old_way(folder: &Folder, parts: &Parts, mut chance: Chance) -> Done {
    let first = folder.path().join("first.db");
    parts.run("make", &[&first], Some(MEGABYTES))?;
    say(&format!("the old way copies a state of {MEGABYTES} MB after each batch; killed while copying"));
    for kill in 1..=OLD_KILLS {
        let (state, bucket) = (folder.path().join("old.db"), folder.path().join("bucket"));
        fs::remove_dir_all(&bucket).ok();
        fs::copy(&first, &state).map_err(|why| format!("`{}`: {why}", state.display()))?;
        let saved = killed_while_copying(parts, (&state, &bucket), 1 + chance.below(BATCHES))?;
        let copy = bucket.join("state.db");
        let found = parts.run("check", &[&copy], None)?;
        let before = number(&parts.run("check", &[&first], None)?, "batches");
        let kept = (number(&found, "batches") - before).max(0.0).min(saved as f64) as u64;
        let sound = found["integrity"].as_str().unwrap_or_default();
        say(&format!(
            "  kill {kill}: {saved} batches saved, {} lost: {}",
            saved - kept,
            sound.lines().next().unwrap_or_default()
        ));
    }
    Ok(())
}

/// Starts the old way, and kills it in the middle of the copy after so many batches. Gives how many it said were saved.
fn killed_while_copying(parts: &Parts, (state, bucket): (&Path, &Path), after: u64) -> Result<u64, String> {
    let failed = |why: std::io::Error| format!("the old way: {why}");
    let mut command = parts.command("copies", &[state, bucket], Some(BATCHES + 2));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let lines = child.stdout.take().map(BufReader::new);
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let lines = lines.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
        // Nobody listens any more once the program is killed.
        lines.filter(|line| line.starts_with("saved")).for_each(|line| drop(tell.send(line)));
    });
    let waited = wait_for_a_copy(&told, (state, bucket), after);
    child.kill().and_then(|()| child.wait()).map_err(failed)?;
    Ok(waited? + told.iter().count() as u64)
}

fn wait_for_a_copy(
    told: &Receiver<String>,
    (state, bucket): (&Path, &Path),
    after: u64,
) -> Result<u64, String> {
    for _ in 0..after {
        told.recv_timeout(AT_MOST).map_err(|why| format!("the old way saved nothing: {why}"))?;
    }
    let size = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    let begun = Instant::now();
    loop {
        let (copied, whole) = (size(&bucket.join("state.db")), size(state));
        if copied > 0 && copied < whole / 2 {
            return Ok(after);
        }
        if begun.elapsed() > AT_MOST {
            return Err("no copy was seen under way".into());
        }
        std::thread::park_timeout(LOOK);
    }
}

fn ours(folder: &Folder, (binary, parts): (&Path, &Parts), mut chance: Chance) -> Done {
    let samples = root().join("samples");
    let wiki = samples.to_string_lossy();
    // Small slices: more records, more moments to be killed at.
    let settings = [("HIGHWATER_EMBEDDING", "none"), ("HIGHWATER_EPOCH_PAGES", "8")];
    let undisturbed = Bench { binary, folder: folder.path().join("undisturbed") };
    undisturbed.prepare()?;
    let whole = undisturbed.run(&["pipeline", &wiki], &settings)?;
    let killed = Bench { binary, folder: folder.path().join("killed") };
    killed.prepare()?;
    say("ours, `highwater pipeline samples/`; killed at random, its state file deleted each time");
    let (mut kills, mut lost, mut acknowledged) = (0, 0, Vec::new());
    let ran = loop {
        let segments = killed.segments();
        // Some of its own records and then a moment more: within an append, between two, or in a snapshot.
        let (more, moment) = (chance.below(8) as usize, Duration::from_millis(chance.below(60)));
        let mut reached = None;
        let ran = killed.run_until(&["pipeline", &wiki], &settings, &mut |since| {
            if reached.is_none() && killed.segments() > segments + more {
                reached = Some(since);
            }
            kills < KILLS && reached.is_some_and(|at| since >= at + moment)
        })?;
        if !ran.said.is_null() {
            break ran;
        }
        kills += 1;
        let shown = number(&parts.run("graph", &[&killed.state()], None)?, "applied") as u64;
        let kept = killed.run_alone(&["vault", "verify"])?.number("entries");
        lost += shown.saturating_sub(kept);
        acknowledged.push(shown);
        killed.forget()?;
    };
    let journal = killed.run_alone(&["vault", "verify"])?;
    let graph = |bench: &Bench<'_>| parts.run("graph", &[&bench.state()], None);
    let (first, second) = (graph(&undisturbed)?, graph(&killed)?);
    let same = first["graph"] == second["graph"] && whole.number("facts") == ran.number("facts");
    let (fewest, most) = (acknowledged.first(), acknowledged.last());
    let acknowledged = format!("{} to {}", fewest.copied().unwrap_or(0), most.copied().unwrap_or(0));
    say(&format!("  {kills} kills, with {acknowledged} records acknowledged: {lost} lost"));
    say(&format!(
        "  finished: {} pages, {} facts, {} records; the graph equals an undisturbed run's: {}",
        ran.number("pages"),
        ran.number("facts"),
        journal.number("entries"),
        if same { "yes" } else { "NO" }
    ));
    match same && lost == 0 && kills > 0 {
        true => Ok(()),
        false => Err("what was promised did not happen".into()),
    }
}
