//! How fast a search is in a graph of so many facts: `cargo bench --bench speed -- --facts N [--folder DIR]
//! [--questions N] [--seed N]`. Makes a synthetic wiki (`wiki.rs`), runs the product's own job over it with a model
//! that reads what it was made of (`world.rs`), fills vectors, and asks questions, for everybody and for one user. With
//! `--folder` vault and state stay there, and what is there is asked again without being made: `highwater export
//! --vault DIR/vault --state DIR/state.db` then writes the same facts as JSON Lines, for whoever wants to load them
//! elsewhere (`cargo xtask bench quality graphiti --from DIR` does), and the questions stand in `DIR/questions.txt`.
//!
//! Questions are embedded by the built-in model. Kept vectors are not: a million of them would take an hour, so each is
//! its topic's vector with noise, seeded by its text. What is measured does not depend on which vectors are near.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::unwrap_used, reason = "what is wrong with its input ends a bench")]

mod asked;
mod vectors;
mod wiki;
mod world;

use highwater::job;
use highwater::plan::{Asks, Limits};
use highwater::state::State;
use highwater::world::World;
use knowledge::extract::Vocabulary;
use knowledge::quota::Allowance;
use std::path::{Path, PathBuf};
use std::time::Instant;
use vault::{DirStore, Identity, Nonce, Vault, VaultId, Writer};
use wiki::Wiki;
use world::Synthetic;

const USAGE: &str = "nothing measured: expected --facts N [--folder DIR] [--questions N] [--seed N]";
/// Pages resolved together: as large as a run over a new wiki would have it.
const EPOCH_PAGES: u32 = 256;

struct Typed {
    facts: usize,
    questions: usize,
    seed: u64,
    folder: Option<PathBuf>,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut typed = Typed { facts: 0, questions: 200, seed: 1, folder: None };
    for pair in words.chunks(2) {
        match pair {
            [flag, value] if flag == "--facts" => typed.facts = value.parse().unwrap(),
            [flag, value] if flag == "--questions" => typed.questions = value.parse().unwrap(),
            [flag, value] if flag == "--seed" => typed.seed = value.parse().unwrap(),
            [flag, value] if flag == "--folder" => typed.folder = Some(value.into()),
            _ => return println!("{USAGE}"),
        }
    }
    if typed.facts == 0 {
        return println!("{USAGE}");
    }
    let passing = tempfile::tempdir().unwrap();
    let folder = typed.folder.clone().unwrap_or_else(|| passing.path().to_owned());
    let wiki = Wiki::of(typed.facts, typed.seed);
    let state = folder.join("state.db");
    if !state.exists() {
        make(wiki, &folder, &state);
    }
    tell_sizes(&state);
    asked::measure(wiki, &folder, typed.questions);
}

/// The product's own run over the wiki.
fn make(wiki: Wiki, folder: &Path, state: &Path) {
    let start = Instant::now();
    let world = Synthetic(wiki);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let target = folder.join("vault");
        std::fs::create_dir_all(&target).unwrap();
        let store = DirStore::new(&target);
        let identity = Identity::new(VaultId::new([7; 16]), "default");
        vault::init(&store, &identity).await.unwrap();
        let mut state = State::open(state, &identity.id.to_string()).unwrap();
        let allowance = Allowance { max_concurrency: 64, ..Allowance::default() };
        let asks = Asks::new("oracle", Vocabulary::default(), vec![allowance]);
        let limits = Limits {
            asks: Some(Asks { long_chars: usize::MAX, ..asks }),
            epoch_pages: EPOCH_PAGES,
            ..Limits::default()
        };
        let writer =
            Writer { host: "bench".to_owned(), pid: 1, version: "0".to_owned(), ..Writer::default() };
        let mut vault = Vault::open(store.clone(), writer, Nonce::new([1; 16]), world.now()).await.unwrap();
        state.catch_up(&store).await.unwrap();
        job::run(&world, &mut vault, &mut state, &limits).await.unwrap();
        println!("pages read and resolved in {:.0} s", start.elapsed().as_secs_f64());
        let start = Instant::now();
        let kept = vectors::fill(wiki, &state);
        println!("{kept} vectors kept in {:.0} s", start.elapsed().as_secs_f64());
        job::end(&world, &mut vault, &mut state, &limits).await.unwrap();
    });
}

/// How large the file is, and what in it.
fn tell_sizes(path: &Path) {
    let state = State::open_to_read(path).unwrap().unwrap();
    let count = |sql: &str| state.connection().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let counts = state.counts().unwrap();
    println!(
        "\n{} facts, {} entities, {} passages, {} pages, {} vectors; state file {:.1} MB",
        counts.facts,
        counts.entities,
        counts.chunks,
        counts.pages,
        count("SELECT count(*) FROM vector"),
        std::fs::metadata(path).unwrap().len() as f64 / 1e6
    );
    let bytes = |table: &str| count(&format!("SELECT sum(length(block)) FROM {table}_data")) as f64 / 1e6;
    println!(
        "words of facts {:.1} MB, of names {:.1} MB, of passages {:.1} MB; vectors {:.1} MB; most facts of a name {}",
        bytes("fact_text"),
        bytes("node_text"),
        bytes("chunk_text"),
        count("SELECT sum(length(vector)) FROM vector") as f64 / 1e6,
        count("SELECT max(n) FROM (SELECT count(*) AS n FROM fact WHERE object NOT NULL GROUP BY object)"),
    );
}
