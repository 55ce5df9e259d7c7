//! What whoever asks is shown, of all sorts of results together: `cargo bench --bench answers -- STATE [QUESTIONS]`. Facts
//! and names of the state itself are asked about, and of a file of questions (a line of JSON with `question`, `answer`
//! and `aliases` each) whether the answer stands in what is shown. `cargo xtask bench quality retrieval` starts this.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::unwrap_used, reason = "what is wrong with its input ends a bench")]

use highwater::embedders::{Embedder, builtin::Builtin};
use highwater::state::State;
use highwater::state::search::{Found, Hit, Query};
use jiff::Timestamp;
use serde::Deserialize;
use std::path::Path;

/// Results shown: what the command line shows unless told otherwise.
const SHOWN: usize = 8;
/// Facts, and names, that are asked about.
const ASKED: usize = 300;

#[derive(Deserialize)]
struct Question {
    question: String,
    answer: String,
    aliases: Vec<String>,
}

/// A question with what would answer it.
struct Asked {
    text: String,
    answers: Box<dyn Fn(&Found) -> bool>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let (state, questions) = match arguments.as_slice() {
        [state] => (state, None),
        [state, questions] => (state, Some(questions)),
        _ => return println!("nothing measured: expected STATE [QUESTIONS]"),
    };
    let state = State::open_to_read(Path::new(state)).unwrap().expect("there is a state file");
    println!(
        "\n| asked for, {SHOWN} results shown | questions | answered | first | mean 1/place | facts, names, passages shown |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    row("a fact, by its subject and relation", &state, facts(&state, "subject"));
    row("a fact, by its relation and object", &state, facts(&state, "object"));
    row("a name", &state, names(&state));
    if let Some(questions) = questions {
        let text = std::fs::read_to_string(questions).unwrap();
        let read = |line: &str| answered(serde_json::from_str(line).unwrap());
        row("questions: the answer stands in a result", &state, text.lines().map(read).collect());
    }
}

fn row(name: &str, state: &State, asked: Vec<Asked>) {
    let (mut places, mut sorts) = (Vec::new(), [0_usize; 3]);
    for asked in &asked {
        let hits = look(state, &asked.text);
        hits.iter().for_each(|hit| sorts[sort(hit)] += 1);
        places.push(hits.iter().position(|hit| (asked.answers)(&hit.found)));
    }
    let count = places.len() as f64;
    let share = |counts: fn(usize) -> bool| {
        places.iter().flatten().filter(|place| counts(**place)).count() as f64 / count
    };
    let mean = places.iter().flatten().map(|place| 1.0 / (*place as f64 + 1.0)).sum::<f64>() / count;
    let [facts, names, passages] = sorts.map(|shown| shown as f64 / count);
    println!(
        "| {name} | {} | {:.3} | {:.3} | {mean:.3} | {facts:.1}, {names:.1}, {passages:.1} |",
        places.len(),
        share(|_| true),
        share(|place| place == 0),
    );
}

fn look(state: &State, text: &str) -> Vec<Hit> {
    let query = Query {
        text: text.to_owned(),
        vector: Some((Builtin.name().to_owned(), Builtin.embed(&[text]).remove(0))),
        now: Some(Timestamp::now()),
        limit: SHOWN,
        ..Query::default()
    };
    state.search(&query).unwrap()
}

fn sort(hit: &Hit) -> usize {
    match hit.found {
        Found::Fact { .. } => 0,
        Found::Entity { .. } => 1,
        Found::Passage { .. } => 2,
    }
}

/// Facts that a page's text says, some of all: ids are hashes, so the first are drawn at random. Any fact with the same
/// relation at the same end answers.
fn facts(state: &State, end: &'static str) -> Vec<Asked> {
    let sql = format!(
        "SELECT DISTINCT e.name, f.relation FROM fact f
         JOIN node n ON n.node = f.{end} JOIN entity e ON e.entity = n.entity
         WHERE f.folded_into IS NULL AND f.withdrawn = 0 AND f.object IS NOT NULL AND e.name NOT LIKE '%@{{%'
           AND EXISTS (SELECT 1 FROM support s JOIN chunk c USING (chunk)
                       WHERE s.fact = f.fact AND s.ended IS NULL AND c.form = '\"text\"')
         ORDER BY f.fact LIMIT {ASKED}"
    );
    let mut statement = state.connection().prepare(&sql).unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Vec<(String, String)> =
        statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap();
    let asked = |(name, relation): (String, String)| {
        let words = relation.replace('_', " ");
        let text = if end == "subject" { format!("{name} {words}") } else { format!("{words} {name}") };
        let answers = move |found: &Found| match found {
            Found::Fact { statement, .. } => {
                let shown = if end == "subject" { &statement.subject } else { &statement.object };
                *shown == name && statement.relation.replace('_', " ") == words
            }
            _ => false,
        };
        Asked { text, answers: Box::new(answers) }
    };
    found.into_iter().map(asked).collect()
}

/// Names of entities that facts speak of.
fn names(state: &State) -> Vec<Asked> {
    let sql = format!(
        "SELECT name FROM entity e WHERE name NOT LIKE '%@{{%'
           AND EXISTS (SELECT 1 FROM node n JOIN fact f ON f.subject = n.node OR f.object = n.node
                                                 WHERE n.entity = e.entity)
         ORDER BY entity LIMIT {ASKED}"
    );
    let mut statement = state.connection().prepare(&sql).unwrap();
    let found: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let asked = |name: String| {
        let text = name.clone();
        let answers = move |found: &Found| matches!(found, Found::Entity { card, .. } if card.name == name);
        Asked { text, answers: Box::new(answers) }
    };
    found.into_iter().map(asked).collect()
}

/// Whether an answer, by one of its names, stands in what is shown.
fn answered(question: Question) -> Asked {
    let names: Vec<String> =
        question.aliases.iter().chain([&question.answer]).map(|name| name.to_lowercase()).collect();
    let answers = move |found: &Found| {
        let shown = match found {
            Found::Fact { statement, sources } => {
                let sentences = sources.iter().map(|source| source.sentence.as_str());
                let said = [statement.subject.as_str(), statement.object.as_str()];
                said.into_iter().chain(sentences).collect::<Vec<_>>().join("\n")
            }
            Found::Entity { card, .. } => card.name.clone(),
            Found::Passage { chunk, .. } => chunk.text.clone(),
        };
        let shown = shown.to_lowercase();
        names.iter().any(|name| shown.contains(name))
    };
    Asked { text: question.question, answers: Box::new(answers) }
}
