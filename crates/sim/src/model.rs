//! A false language model: what it answers follows from the prompt and the seed alone, so that two lives that ask the
//! same get the same. How it fails is up to the seed too: answers that break off, answers that are no JSON, storms of
//! refusals, calls that fail. It counts what arrives as a strict provider does.

use crate::rng::Rng;
use knowledge::prompt::{Finish, Prompt, Reply, Usage};
use knowledge::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// How the model of a seed behaves.
#[derive(Clone, Debug)]
pub struct Model {
    seed: u64,
    /// Requests in a true sliding minute.
    pub requests: u32,
    /// Of a hundred answers, how many are of no use the first time.
    broken: usize,
    /// Of a hundred calls, how many fail.
    failing: usize,
    /// Storms come in every hour.
    storms: bool,
    /// What is answered about a chunk depends on its whole pack.
    by_pack: bool,
}

/// What becomes of a call.
pub enum Fate {
    /// It is answered.
    Answer(Reply),
    /// The provider says that the quota is used up, and how long to wait.
    Storm(Option<u64>),
    /// It fails.
    Failure,
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

impl Model {
    /// The model of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "model");
        Self {
            seed,
            requests: *rng.pick(&[5, 60, 600]),
            broken: *rng.pick(&[0, 10, 40]),
            failing: *rng.pick(&[0, 5, 20]),
            storms: rng.chance(30),
            by_pack: rng.chance(30),
        }
    }

    /// How long an answer takes: 10 ms to five minutes.
    pub fn latency(&self, rng: &mut Rng) -> Duration {
        let longest = if rng.chance(10) { 300_000 } else { 8_000 };
        Duration::from_millis(10 + rng.below(longest) as u64)
    }

    /// What becomes of a call that arrives at this moment as the provider's `number`th.
    pub fn fate(&self, prompt: &Prompt, at: Timestamp, number: u64) -> Fate {
        self.refuses(at, number).unwrap_or_else(|| Fate::Answer(self.answer(prompt)))
    }

    /// Whether a call that arrives at this moment is answered, and if not, how it ends.
    pub fn refuses(&self, at: Timestamp, number: u64) -> Option<Fate> {
        let mut rng = Rng::new(self.seed ^ number.wrapping_mul(0x9E37_79B9), "call");
        let into_hour = at.as_millisecond().rem_euclid(HOUR_MS);
        if self.storms && into_hour < 2 * MINUTE_MS {
            let rest = (2 * MINUTE_MS - into_hour).unsigned_abs();
            return Some(Fate::Storm(rng.chance(50).then_some(rest)));
        }
        rng.chance(self.failing).then_some(Fate::Failure)
    }

    /// Whether what it finds about a pair follows from the pair alone, and all that it finds fits together. So a wiki
    /// that is read again comes to the same graph.
    pub fn is_consistent(&self) -> bool {
        !self.by_pack
    }

    /// A verdict on each pair.
    fn judge(&self, text: &str) -> Value {
        let verdict = |line: Value| {
            let of_names = line["names"].is_array();
            let pair = if of_names { &line["names"] } else { &line["statements"] };
            let texts = [&pair[0]["text"], &pair[1]["text"]].map(|side| side.as_str().unwrap_or_default());
            let verdict = match (self.by_pack, of_names) {
                (true, _) => any_verdict(of_names, &[text, texts[0], texts[1]].concat()),
                (false, true) if plain(texts[0]) == plain(texts[1]) => "same",
                (false, true) => "different",
                (false, false) => verdict(texts),
            };
            json!({ "question": line["question"], "verdict": verdict })
        };
        json!({ "verdicts": lines(text).map(verdict).collect::<Vec<Value>>() })
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What it answers.
    pub fn answer(&self, prompt: &Prompt) -> Reply {
        let hash = blake3::hash(prompt.text.as_bytes());
        let mut rng = Rng::new(
            self.seed ^ u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap_or(&[0; 8])),
            "answer",
        );
        let relation = if self.by_pack && rng.chance(50) { "stands_beside" } else { "works_with" };
        let mut text = match prompt.schema_name.as_str() {
            "verdicts" => self.judge(&prompt.text),
            "summaries" => tell(&prompt.text),
            // `facts` is the second of two steps: subjects and objects are names.
            name => {
                let read = |(number, text)| read(number, text, (relation, name == "facts"));
                json!({ "chunks": shown(&prompt.text).into_iter().map(read).collect::<Vec<Value>>() })
            }
        }
        .to_string();
        let mut finish = Finish::Stop;
        if rng.chance(self.broken) {
            match rng.below(4) {
                0 => text = "I cannot help with that.".to_owned(),
                1 => text = r#"{"chunks": [{"chunk": 99, "entities": "none"}]}"#.to_owned(),
                2 => finish = Finish::Refused("safety".to_owned()),
                _ => {
                    let half = text.len() / 2;
                    let end = (half..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
                    text.truncate(end);
                    finish = Finish::Length;
                }
            }
        }
        let tokens = |text: &str| text.len() as u64 / 4;
        let usage =
            Usage { input_tokens: tokens(&prompt.text), output_tokens: tokens(&text), cached_tokens: 0 };
        Reply { text, finish, usage }
    }
}

/// A verdict that nobody can foresee.
fn any_verdict(of_names: bool, said: &str) -> &'static str {
    let number = usize::from(blake3::hash(said.as_bytes()).as_bytes()[0]);
    match of_names {
        true => ["same", "different"][number % 2],
        false => ["duplicate", "contradicts", "unrelated"][number % 3],
    }
}

/// A name without what slips of the pen change.
fn plain(name: &str) -> String {
    let letters: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.trim_end_matches('s').to_owned()
}

/// What holds one value at a time, and what means the same.
const SINGLE: [&str; 3] = [" owned by ", " status ", " works with "];
const ONE_MEANING: [&str; 2] = [" depends on ", " works with "];

/// Statements under one relation of `SINGLE` contradict each other; those under two of `ONE_MEANING` say the same.
fn verdict(texts: [&str; 2]) -> &'static str {
    let both = |relation: &str| texts.iter().all(|text| text.contains(relation));
    let means = |text: &str| ONE_MEANING.iter().position(|relation| text.contains(relation));
    match (SINGLE.iter().any(|relation| both(relation)), means(texts[0]).zip(means(texts[1]))) {
        (true, _) => "contradicts",
        (false, Some((one, other))) if one != other => "duplicate",
        _ => "unrelated",
    }
}

/// A summary of each entity that says how much was told of it.
fn tell(text: &str) -> Value {
    let told = lines(text).map(|line| {
        let statements = line["statements"].as_array().map_or(0, Vec::len);
        let before = line["summary_so_far"].as_str().map_or(0, str::len);
        json!({ "entity": line["entity"], "summary": format!("{} statements after {before} letters.", statements) })
    });
    json!({ "summaries": told.collect::<Vec<Value>>() })
}

/// The lines of a prompt that are JSON.
fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object)
}

/// The chunks of a prompt: number and text.
fn shown(text: &str) -> Vec<(u64, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("<chunk ") {
        rest = &rest[at + "<chunk ".len()..];
        let Some((head, body)) = rest.split_once(">\n") else { break };
        let Some((number, seal)) = head.split_once(' ') else { continue };
        let (Ok(number), close) = (number.parse(), format!("</chunk {number} {seal}>")) else { continue };
        let Some((inner, after)) = body.split_once(&close) else { break };
        found.push((number, inner.split_once("\n\n").map_or("", |(_, text)| text)));
        rest = after;
    }
    found
}

/// Names in code spans and words that begin with a capital, and a fact for each line that holds two of them.
fn read(number: u64, text: &str, (relation, by_name): (&str, bool)) -> Value {
    let mut names: Vec<&str> = Vec::new();
    let mut facts = Vec::new();
    for line in text.lines().map(str::trim) {
        let here: Vec<usize> = named(line).into_iter().map(|name| place(name, &mut names)).collect();
        if let [first, second, ..] = here[..]
            && first != second
        {
            let end = |at: usize| if by_name { json!(names[at]) } else { json!(at) };
            facts.push(json!({
                "subject": end(first), "relation": relation, "object": end(second), "quote": line,
                "valid_at": null, "invalid_at": null,
            }));
        }
    }
    let entities: Vec<Value> = names.iter().map(|name| json!({ "name": name, "type": "Thing" })).collect();
    json!({ "chunk": number, "entities": entities, "facts": facts })
}

fn place<'a>(name: &'a str, names: &mut Vec<&'a str>) -> usize {
    names.iter().position(|held| *held == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

fn named(line: &str) -> Vec<&str> {
    let words = line.split(|c: char| c.is_whitespace() || "`|,.;:()".contains(c));
    words
        .filter(|word| {
            word.len() > 3 && (word.contains('-') || word.starts_with(char::is_uppercase)) && word.is_ascii()
        })
        .collect()
}
