//! `real-llm`: three pages of `samples/wiki` through a real model that nobody here wrote, from end to end, and what was
//! believed of its answers. Not part of the tests: weights of up to 1.1 GB, minutes of processor time, an answer that
//! nobody can foresee. The server and its weights come from packages, pinned by hash (`assets/real_llm`).
//!
//! Invariant: the server that was started is stopped, and the job ends whatever the model says.

use crate::bench::{Bench, Folder, built, machine};
use crate::tools::{Done, python, root, run, say, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The better one of the two for which there are pins; `smollm2-135m` is smaller, and loops.
const MODEL: &str = "qwen2.5-coder-1.5b";
/// Where it listens: not one of the usual ports, so that no other server is meant.
const PORT: &str = "48731";
/// Short pages that name services and what they do, by id.
const PAGES: [&str; 3] = ["499359365", "480515499", "387306681"];

/// Indexes the pages and prints what came of it.
pub fn real_llm(words: &[String]) -> Done {
    let model = match words {
        [] => MODEL.to_owned(),
        [flag, model] if flag == "--model" => model.clone(),
        _ => return Err("expected `[--model qwen2.5-coder-1.5b|smollm2-135m]`".into()),
    };
    let python = python()?;
    let folder = Folder::new("real-llm")?;
    let binary = built(&folder)?;
    let wiki = folder.path().join("wiki");
    write(&wiki)?;
    let _server = Server::start(&model)?;
    machine();
    let bench = Bench { binary: &binary, folder: folder.path().join("run") };
    bench.prepare()?;
    let (url, asked) = (format!("http://127.0.0.1:{PORT}/v1"), format!("local/{model}"));
    let settings = [
        ("OPENAI_BASE_URL", url.as_str()),
        ("HIGHWATER_EMBEDDING", "none"),
        // One chunk a call and one call at once: all that a small model attends to, on all the processors there are.
        ("HIGHWATER_PACK_CHARS", "500"),
        ("HIGHWATER_CALLS_AT_ONCE", "1"),
    ];
    let ran = bench.run(&["pipeline", &wiki.to_string_lossy(), "--model", &asked], &settings)?;
    say(&format!("\n`{model}` over {} pages, {:.0} s\n", PAGES.len(), ran.seconds));
    let mut report = Command::new(python);
    report.arg(assets().join("report.py")).arg(bench.state());
    run(report)
}

fn assets() -> PathBuf {
    root().join("xtask/assets/real_llm")
}

/// The pages as a wiki of their own.
fn write(wiki: &Path) -> Done {
    let sample = root().join("samples/wiki/KNOW.jsonl");
    let failed = |path: &Path, why: std::io::Error| format!("`{}`: {why}", path.display());
    let all = fs::read_to_string(&sample).map_err(|why| failed(&sample, why))?;
    let meant = |line: &&str| PAGES.iter().any(|id| line.contains(&format!("\"id\": \"{id}\"")));
    let lines: Vec<&str> = all.lines().filter(meant).collect();
    if lines.len() != PAGES.len() {
        return Err(format!("`{}` has {} of {} pages", sample.display(), lines.len(), PAGES.len()));
    }
    fs::create_dir_all(wiki).map_err(|why| failed(wiki, why))?;
    fs::write(wiki.join("pages.jsonl"), lines.join("\n")).map_err(|why| failed(wiki, why))
}

/// The model's server; it goes when we do.
struct Server;

impl Server {
    fn start(model: &str) -> Result<Self, String> {
        let mut start = Self::script();
        start.env("MODEL", model);
        // Made first, so that a server which never became healthy is stopped too.
        let server = Self;
        run(start)?;
        Ok(server)
    }

    fn script() -> Command {
        let mut script = Command::new("bash");
        script.arg(assets().join("start.sh"));
        script.env("PORT", PORT).env("REAL_LLM_HOME", target().join("tools/real_llm"));
        script
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = Self::script();
        stop.arg("stop");
        if let Err(why) = run(stop) {
            eprintln!("warning: stopping the model's server: {why}");
        }
    }
}
