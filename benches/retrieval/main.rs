//! Recall of the passages that support a question, and what each part of the search gives: `cargo bench --bench retrieval
//! -- STATE QUESTIONS [--validate]`. The state is that of a wiki whose pages are passages; a question is a line of JSON with
//! `question` and `supporting`, the ids of pages. `cargo xtask bench quality retrieval` makes both and starts this.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::unwrap_used, reason = "what is wrong with its input ends a bench")]

mod validation;

use highwater::embedders::{Embedder, builtin::Builtin};
use highwater::state::State;
use highwater::state::search::{Filter, Found, Query, Sort, Without};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many are looked at.
const AT: [usize; 3] = [2, 5, 10];
/// Draws of the paired bootstrap (Efron and Tibshirani 1993, chapter 16).
const DRAWS: usize = 10_000;

#[derive(Deserialize)]
struct Question {
    question: String,
    supporting: Vec<u64>,
}

/// A way of looking: which parts take part.
struct Way {
    name: &'static str,
    words: bool,
    meaning: bool,
    graph: bool,
}

const WAYS: [Way; 6] = [
    Way { name: "words", words: true, meaning: false, graph: false },
    Way { name: "meaning", words: false, meaning: true, graph: false },
    Way { name: "words + meaning", words: true, meaning: true, graph: false },
    Way { name: "words + graph", words: true, meaning: false, graph: true },
    Way { name: "meaning + graph", words: false, meaning: true, graph: true },
    Way { name: "words + meaning + graph", words: true, meaning: true, graph: true },
];

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let validate = arguments.last().is_some_and(|word| word == "--validate");
    arguments.truncate(arguments.len() - usize::from(validate));
    let [state, questions] = arguments.as_slice() else {
        println!("nothing measured: expected STATE QUESTIONS [--validate]");
        return;
    };
    let state = State::open_to_read(Path::new(state)).unwrap().expect("there is a state file");
    let text = std::fs::read_to_string(questions).unwrap();
    let questions: Vec<Question> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    if validate {
        return measure_weights(&state, &questions);
    }
    println!("{} questions\n\n| ranked by | R@2 | R@5 | R@10 |\n|---|--:|--:|--:|", questions.len());
    let mut found: BTreeMap<&str, Vec<Vec<u64>>> = BTreeMap::new();
    for way in &WAYS {
        let ranked: Vec<Vec<u64>> = questions.iter().map(|question| look(&state, question, way)).collect();
        row(way.name, &questions, &ranked);
        found.insert(way.name, ranked);
    }
    let fused: Vec<Vec<u64>> =
        found["words"].iter().zip(&found["meaning"]).map(|(one, other)| fuse(one, other)).collect();
    row("words and meaning, fused by rank", &questions, &fused);
    compare(&recalls(&questions, &fused), &recalls(&questions, &found["words + meaning + graph"]));
    time(&state, &questions);
}

fn query(question: &Question, way: &Way) -> Query {
    let vector = || (Builtin.name().to_owned(), Builtin.embed(&[question.question.as_str()]).remove(0));
    Query {
        text: question.question.clone(),
        vector: way.meaning.then(vector),
        limit: 100,
        filter: Filter { results: vec![Sort::Passages], ..Filter::default() },
        without: Without { words: !way.words, graph: !way.graph },
        ..Query::default()
    }
}

/// What remains of recall where the weights are chosen on other questions.
fn measure_weights(state: &State, questions: &[Question]) {
    let asked: BTreeMap<&str, Query> = (questions.iter())
        .map(|question| (question.question.as_str(), query(question, &WAYS[WAYS.len() - 1])))
        .collect();
    let held_out = validation::validate(questions, &|question, weights| {
        pages(state, &Query { weights, ..asked[question.question.as_str()].clone() })
    });
    let ranked = |way: usize| questions.iter().map(move |question| look(state, question, &WAYS[way]));
    let fused: Vec<Vec<u64>> =
        ranked(0).zip(ranked(1)).map(|(words, meaning)| fuse(&words, &meaning)).collect();
    compare(&recalls(questions, &fused), &held_out);
}

/// Each question's recall among the first five.
fn recalls(questions: &[Question], found: &[Vec<u64>]) -> Vec<f64> {
    questions.iter().zip(found).map(|(question, found)| recall(question, found, 5)).collect()
}

/// The pages that a way finds, best first.
fn look(state: &State, question: &Question, way: &Way) -> Vec<u64> {
    pages(state, &query(question, way))
}

/// The pages of the passages found, best first.
fn pages(state: &State, query: &Query) -> Vec<u64> {
    let mut pages = Vec::new();
    for hit in state.search(query).unwrap() {
        if let Found::Passage { page, .. } = hit.found {
            let page = page.parse().unwrap();
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
    }
    pages
}

fn fuse(one: &[u64], other: &[u64]) -> Vec<u64> {
    let fused = knowledge::rank::fuse(&[(1.0, one.to_vec()), (1.0, other.to_vec())], 60.0);
    fused.into_iter().map(|(page, _)| page).collect()
}

fn recall(question: &Question, found: &[u64], at: usize) -> f64 {
    let first = &found[..found.len().min(at)];
    let hits = question.supporting.iter().filter(|page| first.contains(page)).count();
    hits as f64 / question.supporting.len() as f64
}

fn row(name: &str, questions: &[Question], found: &[Vec<u64>]) {
    let mean = |at: usize| {
        let sum: f64 = questions.iter().zip(found).map(|(question, found)| recall(question, found, at)).sum();
        sum / questions.len() as f64
    };
    let [two, five, ten] = AT.map(mean);
    println!("| {name} | {two:.3} | {five:.3} | {ten:.3} |");
}

/// What the state of SplitMix64 goes on by, and what it makes of one (Steele, Lea and Flood 2014).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mixed(state: u64) -> u64 {
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The gain in R@5 over the fused ranking, with the interval in which 95 % of the draws lie.
fn compare(fused: &[f64], ours: &[f64]) {
    let gains: Vec<f64> = fused.iter().zip(ours).map(|(fused, ours)| ours - fused).collect();
    let mut seed = 20_261_127_u64;
    let mut next = || {
        seed = seed.wrapping_add(GOLDEN);
        mixed(seed) as usize % gains.len()
    };
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| (0..gains.len()).map(|_| gains[next()]).sum::<f64>() / gains.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let mean = gains.iter().sum::<f64>() / gains.len() as f64;
    let none = means.iter().filter(|mean| **mean <= 0.0).count() as f64 / DRAWS as f64;
    println!(
        "\ngain in R@5 over the fused ranking: {mean:+.3}, 95 % of {DRAWS} paired draws from {:+.3} to {:+.3}, \
         share of draws without a gain {none:.4}",
        means[DRAWS / 40],
        means[DRAWS - DRAWS / 40]
    );
}

/// How long a warm search for all sorts of results takes, and the question's vector in it.
fn time(state: &State, questions: &[Question]) {
    let way = &WAYS[WAYS.len() - 1];
    let (mut whole, mut vectors) = (Vec::new(), Vec::new());
    for question in questions {
        let start = Instant::now();
        let query = Query { limit: 8, filter: Filter::default(), ..query(question, way) };
        vectors.push(start.elapsed());
        state.search(&query).unwrap();
        whole.push(start.elapsed());
    }
    println!(
        "\nwarm search, all sorts of results: {}; the question's vector: {}",
        said(whole),
        said(vectors)
    );
}

fn said(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, p95 {:.1} ms", at(50), at(95))
}
