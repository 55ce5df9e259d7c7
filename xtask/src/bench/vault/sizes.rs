//! `bench vault --sizes`: what a wiki of so many pages comes to, from its first run to a later one in which a hundredth
//! of the pages has changed. Rules alone read (no model, no vectors). This file must not know how a vault saves.

use super::super::child::{Bench, Ran};
use super::super::pipeline::{WITHOUT_VECTORS, machine, megabytes};
use super::{Rig, remove, restored, size};
use crate::bench::pages;
use crate::tools::{Done, say};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A team's wiki, a company's, a very large one.
const PAGES: [usize; 3] = [1_000, 10_000, 100_000];
/// One page in this many changes before the later run.
const CHANGED: usize = 100;
/// Beyond this, folding the whole journal takes longer than all the rest; the smaller sizes show the rate.
const FOLDED: usize = 20_000;

/// The sizes that are named, or the usual ones.
pub(super) fn read(named: Option<&str>) -> Result<Vec<usize>, String> {
    let Some(named) = named else { return Ok(PAGES.to_vec()) };
    let number = |text: &str| text.parse().map_err(|why| format!("`--sizes {named}`: {why}"));
    named.split(',').map(number).collect()
}

/// Measures, and prints a table with a column a size.
pub(super) fn bench(rig: &Rig, sizes: &[usize]) -> Done {
    machine();
    let columns = sizes.iter().map(|pages| column(rig, *pages)).collect::<Result<Vec<_>, _>>()?;
    say(&format!("\n| |{}", " |".repeat(sizes.len())));
    say(&format!("|---|{}", "--:|".repeat(sizes.len())));
    let rows = columns.first().map_or(0, Vec::len);
    for row in 0..rows {
        let values: Vec<&str> = columns.iter().map(|column| column[row].1.as_str()).collect();
        say(&format!("| {} | {} |", columns[0][row].0, values.join(" | ")));
    }
    Ok(())
}

type Column = Vec<(&'static str, String)>;

fn column(rig: &Rig, pages: usize) -> Result<Column, String> {
    let wiki = rig.pages(&format!("wiki-{pages}"), pages)?;
    let path = wiki.to_string_lossy();
    let child = rig.child(&format!("sized-{pages}"));
    child.prepare()?;
    let (ran, disk) = watched(&child, &path)?;
    let state = size(&child.state())?;
    let before = objects(&child.vault())?;
    let bytes_in = |part: &str| -> u64 {
        before.iter().filter(|(name, _)| name.starts_with(part)).map(|(_, size)| size).sum()
    };
    let newest = before.keys().filter_map(|name| name.strip_prefix("snapshots/")?.split('/').next()).max();
    let newest = newest.map(|name| bytes_in(&format!("snapshots/{name}/"))).unwrap_or(0);
    let mut column = vec![
        ("pages", ran.number("pages").to_string()),
        ("chunks", ran.number("chunks").to_string()),
        ("facts", ran.number("facts").to_string()),
        ("first run", format!("{:.1} s", ran.seconds)),
        ("· peak memory", megabytes(ran.peak_bytes)),
        ("· state file with its log, at most", megabytes(disk)),
        ("· both: what a job needs where the disk is memory", megabytes(ran.peak_bytes + disk)),
        ("state file", megabytes(state)),
        ("journal", megabytes(bytes_in("journal/"))),
        ("newest snapshot, as stored", megabytes(newest)),
        ("everything under the vault", megabytes(bytes_in(""))),
    ];
    let restored = restored(&child)?;
    column.push(("state lost: restored from the snapshot", format!("{:.2} s", restored.seconds)));
    column.push(("· peak memory", megabytes(restored.peak_bytes)));
    column.push(("without snapshots: folded from the journal", folded(&child, pages)?));
    pages::edit(&wiki.join("pages.jsonl"), CHANGED)?;
    child.forget()?;
    let (again, disk) = watched(&child, &path)?;
    let uploaded: u64 = objects(&child.vault())?
        .iter()
        .filter(|(name, size)| before.get(*name) != Some(*size))
        .map(|(_, size)| size)
        .sum();
    let share = 100.0 * uploaded as f64 / state as f64;
    column.extend([
        ("1 % changed, on a machine without a state file", format!("{:.1} s", again.seconds)),
        ("· peak memory", megabytes(again.peak_bytes)),
        ("· state file with its log, at most", megabytes(disk)),
        ("· uploaded", megabytes(uploaded)),
        ("· uploaded, of the state file", format!("{share:.2} %")),
    ]);
    eprintln!("{column:?}");
    remove(&wiki)?;
    remove(&child.folder)?;
    Ok(column)
}

/// Runs the pipeline; also gives the most that its state took of the disk.
fn watched(child: &Bench<'_>, wiki: &str) -> Result<(Ran, u64), String> {
    let mut most = 0;
    let state = child.state();
    let ran = child.run_until(&["pipeline", wiki], &[WITHOUT_VECTORS], &mut |_| {
        let name = state.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = fs::read_dir(&child.folder).into_iter().flatten().flatten();
        let ours = files.filter(|file| file.file_name().to_string_lossy().starts_with(&name));
        most = most.max(ours.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>());
        false
    })?;
    Ok((ran, most))
}

/// How long it takes to make the state of the journal alone.
fn folded(child: &Bench<'_>, pages: usize) -> Result<String, String> {
    if pages > FOLDED {
        return Ok("not measured".to_owned());
    }
    let (kept, away) = (child.vault().join("snapshots"), child.folder.join("snapshots-away"));
    let moved = |why: std::io::Error| format!("`{}`: {why}", kept.display());
    fs::rename(&kept, &away).map_err(moved)?;
    child.forget()?;
    let ran = child.run(&["vault", "rebuild"], &[])?;
    fs::rename(&away, &kept).map_err(moved)?;
    Ok(format!("{:.1} s", ran.seconds))
}

/// The objects of a vault with their sizes.
fn objects(vault: &Path) -> Result<BTreeMap<String, u64>, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(vault.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let failed = |why: std::io::Error| format!("`{}`: {why}", folder.display());
        for entry in fs::read_dir(&folder).map_err(failed)?.flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let about = entry.metadata().map_err(failed)?;
            match about.is_dir() {
                true => folders.push((entry.path(), format!("{name}/"))),
                false => drop(found.insert(name, about.len())),
            }
        }
    }
    Ok(found)
}
