//! `bench quality retrieval`: the recorded reading of 1,890 passages becomes a graph, and 50 questions of several hops
//! are asked of it. The data is in `benches/multihop/`, with its licences; the measuring is `benches/retrieval/`.

use crate::bench::{Bench, Folder, built, machine};
use crate::tools::{Done, cargo, root, run, say};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Measures; `--questions FILE` asks others over the same passages, `--validate` only measures what remains where the
/// weights are chosen on other questions.
pub fn bench(words: &[String]) -> Done {
    let data = root().join("benches/multihop");
    let (questions, validate) = match words {
        [] => (data.join("questions.jsonl"), false),
        [flag] if flag == "--validate" => (data.join("questions.jsonl"), true),
        [flag, file] if flag == "--questions" => (file.into(), false),
        _ => return Err("expected `[--questions FILE]` or `--validate`".to_owned()),
    };
    let folder = Folder::new("bench-retrieval")?;
    let binary = built(&folder)?;
    machine();
    let wiki = folder.0.join("wiki");
    let recording = data.join("passages.jsonl");
    fs::create_dir_all(&wiki).map_err(|why| format!("making `{}`: {why}", wiki.display()))?;
    write_pages(&recording, &wiki.join("WIKI.jsonl"))?;
    let bench = Bench { binary: &binary, folder: folder.0.join("run") };
    let source = wiki.display().to_string();
    let recording = recording.display().to_string();
    let settings =
        [("HIGHWATER_MODEL", "recorded/gpt-3.5-turbo-1106"), ("HIGHWATER_MODEL_RECORDING", &recording)];
    bench.run(&["pipeline", &source], &settings)?;
    let state = bench.state().display().to_string();
    let questions = questions.display().to_string();
    if validate {
        let validated = ["--bench", "retrieval", "--", &state, &questions, "--validate"];
        return run(cargo(&[&["bench", "--locked"], &validated[..]].concat()));
    }
    run(cargo(&["bench", "--locked", "--bench", "retrieval", "--", &state, &questions]))?;
    run(cargo(&["bench", "--locked", "--bench", "answers", "--", &state, &questions]))?;
    say("\nthe same of `samples/`:");
    let bench = Bench { binary: &binary, folder: folder.0.join("samples") };
    bench.run(&["pipeline", &root().join("samples").display().to_string()], &[])?;
    run(cargo(&["bench", "--locked", "--bench", "answers", "--", &bench.state().display().to_string()]))
}

/// A page for each passage.
fn write_pages(passages: &Path, pages: &Path) -> Done {
    let text =
        fs::read_to_string(passages).map_err(|why| format!("reading `{}`: {why}", passages.display()))?;
    let mut lines = String::new();
    for line in text.lines() {
        let passage: Value = serde_json::from_str(line).map_err(|why| format!("reading a passage: {why}"))?;
        let words = passage["text"].as_str().unwrap_or_default();
        let body = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let page = json!({
            "id": passage["id"].to_string(), "space": "WIKI", "title": passage["title"], "parentId": null,
            "body_storage": format!("<p>{body}</p>"),
        });
        lines.push_str(&format!("{page}\n"));
    }
    fs::write(pages, lines).map_err(|why| format!("writing `{}`: {why}", pages.display()))
}
