//! How well names are told apart and joined: on the labelled pairs of the tests, on the names that rules read in the
//! sample wikis, and, where a folder is given, on the public sets of `py_entitymatching` (its folder `datasets`).
//! `cargo run --release -p knowledge --example entities -- [FOLDER]`

#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]

#[allow(clippy::unwrap_used, reason = "labels that cannot be read are no measurement")]
#[path = "../tests/labelled/mod.rs"]
mod labelled;

use knowledge::chunk::CHUNK_CHARS;
use knowledge::graph::{Kind, Mention, Reading, Verdict};
use knowledge::id::{ChunkId, EntityId, PageId, SpaceKey};
use knowledge::judge::{Findings, Pair as Asked};
use knowledge::page::RawPage;
use knowledge::read::document;
use knowledge::resolve::memory::Memory;
use knowledge::resolve::{PageSaid, normalise, questions};
use knowledge::structure::pieces;
use labelled::{Outcome, pairs, raw, said};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

type Done = Result<(), Box<dyn Error>>;

fn main() -> Done {
    on_labels();
    on_samples(Path::new("samples/wiki"))?;
    let Some(folder) = std::env::args().nth(1) else { return Ok(()) };
    on_restaurants(Path::new(&folder))?;
    on_titles(Path::new(&folder))
}

/// Precision, recall and F1.
fn scored(right: usize, given: usize, wanted: usize) -> String {
    let part = |of: usize| if of == 0 { f64::NAN } else { right as f64 / of as f64 };
    let f1 = if given + wanted == 0 { f64::NAN } else { 2.0 * right as f64 / (given + wanted) as f64 };
    format!("{right}/{given} right of {wanted}: P {:.3} R {:.3} F1 {f1:.3}", part(given), part(wanted))
}

fn on_labels() {
    println!("# 200 labelled pairs (unsure ones left out)");
    let pairs = pairs();
    for (within, place) in [(true, "one space"), (false, "two spaces")] {
        let told = pairs.iter().filter(|pair| pair.in_one_space() == within && pair.same.is_some());
        let told: Vec<(Outcome, bool, &labelled::Pair)> =
            told.map(|pair| (pair.outcome(), pair.same == Some(true), pair)).collect();
        let wanted = told.iter().filter(|(_, same, _)| *same).count();
        for (title, least) in [
            ("equal names", Outcome::OneName),
            ("and rules", Outcome::Merged),
            ("and questions", Outcome::Asked),
        ] {
            let given = told.iter().filter(|(outcome, ..)| *outcome <= least);
            let right = given.clone().filter(|(_, same, _)| *same).count();
            println!("{place:10} {title:14} {}", scored(right, given.count(), wanted));
        }
        let rules = told.iter().filter(|(outcome, ..)| *outcome == Outcome::Merged);
        let right = rules.clone().filter(|(_, same, _)| *same).count();
        println!("{place:10} rules alone    {}", scored(right, rules.count(), wanted));
        for (outcome, _, pair) in
            told.iter().filter(|(outcome, same, _)| *same != (*outcome <= Outcome::Merged))
        {
            println!("  {outcome:?}: {} `{}` and `{}`", pair.id, pair.one.name, pair.other.name);
        }
    }
}

/// What rules join and what they leave to ask among the names of real pages.
fn on_samples(folder: &Path) -> Done {
    let (mut all, mut memory) = (Vec::new(), Memory::default());
    let mut files: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    for file in files {
        for line in std::fs::read_to_string(file.path())?.lines() {
            all.push(read(&serde_json::from_str(line)?));
        }
    }
    let Ok(round) = questions(&all, &memory, &Findings::of("nobody"));
    memory.settle(&all);
    let names = memory.nodes().filter(|node| node.key.is_none()).count();
    println!("\n# {}: {} pages, {names} names without a key", folder.display(), all.len());
    let asked =
        round.questions.iter().filter(|question| matches!(question.pair, Asked::Entities(..))).count();
    println!("{asked} questions about names, {:.3} a name", asked as f64 / names as f64);
    let mut why: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for decision in memory.all_decisions().filter(|decision| decision.verdict == Verdict::Same) {
        *why.entry((&decision.why, decision.chunk.is_some())).or_default() += 1;
    }
    why.iter().for_each(|((why, _), count)| println!("{count:6} {why}"));
    if std::env::var_os("SHOW").is_some() {
        show(&memory, &round.questions);
    }
    Ok(())
}

/// Every pair, for eyes.
fn show(memory: &Memory, asked: &[knowledge::judge::Question]) {
    let names: BTreeMap<_, _> = memory.nodes().map(|node| (node.id, node)).collect();
    for decision in memory.all_decisions().filter(|decision| decision.verdict == Verdict::Same) {
        let (Some(a), Some(b)) = (names.get(&decision.a), names.get(&decision.b)) else { continue };
        if a.normal != b.normal {
            println!("  {}: `{}` and `{}`", decision.why, a.name, b.name);
        }
    }
    for question in asked {
        println!("  asked: `{}` and `{}`", question.one.text, question.other.text);
    }
}

fn read(fields: &serde_json::Value) -> PageSaid {
    let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    let (id, space) = (PageId::new(text("id")), SpaceKey::new(text("space")));
    let page = RawPage { body: text("body_storage"), ..raw(&id, &space, &text("title")) };
    let document = document(page.format, &page.body);
    let readings = pieces(&page, &document, CHUNK_CHARS).into_iter().map(|(chunk, read)| (chunk.id, read));
    said(id, space, readings.collect())
}

/// Names of one table or of two, as if one page spoke of all of them.
struct Names {
    entity: BTreeMap<String, EntityId>,
    asked: BTreeSet<(EntityId, EntityId)>,
}

impl Names {
    fn of(names: &[&str]) -> Self {
        let mention = |name: &&str| Mention { name: (*name).to_owned(), kind: Kind::THING, key: None };
        let reading = Reading { mentions: names.iter().map(mention).collect(), claims: Vec::new() };
        let readings = BTreeMap::from([(ChunkId::of(&[b"names"]), reading)]);
        let page = said(PageId::new("names"), SpaceKey::new("NAMES"), readings);
        let mut memory = Memory::default();
        let Ok(round) = questions(std::slice::from_ref(&page), &memory, &Findings::of("nobody"));
        memory.settle(&[page]);
        let members = memory.groups().flat_map(|group| group.nodes.iter().map(|node| (*node, group.entity)));
        let home: BTreeMap<_, _> = members.collect();
        let named = |node: &knowledge::graph::Node| Some((node.normal.clone(), *home.get(&node.id)?));
        let asked = round.questions.iter().filter_map(|question| match question.pair {
            Asked::Entities(a, b) => Some((*home.get(&a)?, *home.get(&b)?)),
            Asked::Facts(..) => None,
        });
        let asked = asked.flat_map(|(a, b)| [(a, b), (b, a)]).collect();
        Names { entity: memory.nodes().filter_map(named).collect(), asked }
    }

    fn entity(&self, name: &str) -> Option<EntityId> {
        self.entity.get(&normalise(name)).copied()
    }

    fn same(&self, one: &str, other: &str) -> bool {
        self.entity(one).is_some_and(|entity| self.entity(other) == Some(entity))
    }

    fn perhaps(&self, one: &str, other: &str) -> bool {
        let both = self.entity(one).zip(self.entity(other));
        self.same(one, other) || both.is_some_and(|both| self.asked.contains(&both))
    }

    /// How the rules, and the rules and questions, do on pairs with their labels.
    fn report(&self, pairs: &[(&str, &str, bool)]) {
        let wanted = pairs.iter().filter(|(.., same)| *same).count();
        let score = |title: &str, says: &dyn Fn(&str, &str) -> bool| {
            let given = pairs.iter().filter(|(a, b, _)| says(a, b));
            let right = given.clone().filter(|(.., same)| *same).count();
            println!("{title:20} {}", scored(right, given.count(), wanted));
        };
        score("equal names", &|a, b| normalise(a) == normalise(b));
        score("and rules", &|a, b| self.same(a, b));
        score("and questions", &|a, b| self.perhaps(a, b));
    }
}

/// The rows of a table by the names of its columns; lines that begin with `#` are remarks.
fn table(path: &Path) -> Result<Vec<BTreeMap<String, String>>, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|why| format!("`{}`: {why}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut rows = csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(text.as_bytes());
    let heads: Vec<String> = rows.headers()?.iter().map(str::to_owned).collect();
    let row = |row: csv::StringRecord| heads.iter().cloned().zip(row.iter().map(str::to_owned)).collect();
    Ok(rows.records().map(|record| record.map(row)).collect::<Result<_, _>>()?)
}

fn cell<'a>(row: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    row.get(name).map_or("", String::as_str)
}

fn on_restaurants(folder: &Path) -> Done {
    let folder = folder.join("end-to-end/restaurants");
    let [fodors, zagats, gold] =
        ["fodors.csv", "zagats.csv", "matches_fodors_zagats.csv"].map(|name| table(&folder.join(name)));
    let (fodors, zagats, gold) = (fodors?, zagats?, gold?);
    let gold: BTreeSet<_> = gold.iter().map(|row| (cell(row, "fodors_id"), cell(row, "zagats_id"))).collect();
    let mut pairs = Vec::new();
    for one in &fodors {
        let pair = |other| {
            let same = gold.contains(&(cell(one, "id"), cell(other, "id")));
            (cell(one, "name"), cell(other, "name"), same)
        };
        pairs.extend(zagats.iter().map(pair));
    }
    println!(
        "\n# Fodors-Zagats: {} pairs, {} of them one restaurant, by name alone",
        pairs.len(),
        gold.len()
    );
    let names: Vec<&str> = fodors.iter().chain(&zagats).map(|row| cell(row, "name")).collect();
    Names::of(&names).report(&pairs);
    println!(
        "published, with all columns and labels to learn from: Magellan 100, DeepMatcher 100, Ditto 100"
    );
    Ok(())
}

fn on_titles(folder: &Path) -> Done {
    let files = [
        ("labeled_data_demo.csv", ["ltable_title", "rtable_title", "label"]),
        ("dblp_acm_demo_labels.csv", ["ltable.title", "rtable.title", "gold"]),
    ];
    for (file, columns) in files {
        let rows = table(&folder.join(file))?;
        let pairs: Vec<(&str, &str, bool)> = rows
            .iter()
            .map(|row| (cell(row, columns[0]), cell(row, columns[1]), cell(row, columns[2]) == "1"))
            .collect();
        let one = pairs.iter().filter(|(.., same)| *same).count();
        println!("\n# DBLP-ACM, `{file}`: {} pairs, {one} of them one paper, by title alone", pairs.len());
        let names: Vec<&str> = pairs.iter().flat_map(|(a, b, _)| [*a, *b]).collect();
        Names::of(&names).report(&pairs);
    }
    println!(
        "published, with all columns and labels to learn from: Magellan 98.4, DeepMatcher 98.4, Ditto 98.99"
    );
    Ok(())
}
