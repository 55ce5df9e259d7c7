//! `bench models`: how often a model is asked, and what that takes here. Whole wikis and generated chunks are run and
//! counted by `assets/graphiti/alone.py`; the questions that a recorded extraction raises by the example
//! `questions_asked` of `knowledge`. This file must not know what they measure.

use super::pipeline::{Folder, built, machine};
use crate::tools::{Done, cargo, python, root, run, say};
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// The flag before a recording: passages as JSONL, as `assets/graphiti/recorded.py` describes them.
const RECORDED: &str = "--recorded";

/// Measures, and prints Markdown tables; the words beside the recording go to `alone.py`.
pub(super) fn bench(words: &[String]) -> Done {
    let (mut rest, mut recordings) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word == RECORDED {
            true => recordings.push(words.next().ok_or(format!("`{RECORDED}` is followed by a file"))?),
            false => rest.push(word),
        }
    }
    let assets = root().join("xtask/assets/graphiti");
    let folder = Folder::new("bench-models")?;
    // What is not there is said before anything is measured.
    if let Some(missing) = recordings.iter().find(|file| !Path::new(file).is_file()) {
        return Err(format!("`{missing}`: there is no such recording"));
    }
    let binary = built(&folder)?;
    machine();
    let mut alone = Command::new(python()?);
    alone.arg(assets.join("alone.py")).arg("--highwater").arg(binary).args(rest);
    // What Python compiles stays out of the project's folders.
    alone.env("PYTHONDONTWRITEBYTECODE", "1");
    run(alone)?;
    recordings.iter().try_for_each(|file| {
        [false, true].iter().try_for_each(|dated| questions(&assets, &folder, (Path::new(file), *dated)))
    })
}

/// The questions that a recorded extraction raises, with and without a day for each of its pages.
fn questions(assets: &Path, folder: &Folder, (recording, dated): (&Path, bool)) -> Done {
    let chunks = folder.path().join("recorded.jsonl");
    let failed = |why: std::io::Error| format!("`{}`: {why}", chunks.display());
    let mut convert = Command::new(python()?);
    convert.arg(assets.join("recorded.py")).arg(recording).args(dated.then_some("--dated"));
    convert.stdout(File::create(&chunks).map_err(failed)?);
    run(convert)?;
    say(&format!("\n`{}`{}:", recording.display(), if dated { ", a page a day" } else { ", without dates" }));
    let mut ask = cargo(&[
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "knowledge",
        "--example",
        "questions_asked",
    ]);
    ask.stdin(File::open(&chunks).map_err(failed)?);
    run(ask)
}
