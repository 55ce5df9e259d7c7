//! A false language model: what it answers follows from the prompt and the seed alone, so that two lives that ask the
//! same get the same. How it fails is up to the seed too: answers that break off, answers that are no JSON, storms of
//! refusals, calls that fail. It counts what arrives as a strict provider does.

use crate::rng::Rng;
use knowledge::extract::chunks_shown;
use knowledge::prompt::{Finish, Prompt, Reply, Usage};
use knowledge::quota::{Allowance, Day};
use knowledge::time::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// Some chunks are refused for good (400), whatever else is in their pack.
pub const REFUSES_SOME: bool = true;
/// Some chunks fail for now (503) for ever, whatever else is in their pack.
pub const FAILS_SOME: bool = true;
/// The first process of some lives meets a model that refuses everything for good, as a wrong setting would: its run
/// must halt, and the next one finds the setting right.
pub const REFUSES_ALL_AT_FIRST: bool = false;
/// Some providers say absurd numbers of tokens: the largest there are.
pub const ABSURD_USAGE: bool = true;
/// Some texts have more tokens than anybody would guess before an answer has told: two characters each.
pub const DENSE_TEXTS: bool = true;

/// How the model of a seed behaves.
#[derive(Clone, Debug)]
pub struct Model {
    seed: u64,
    /// What each endpoint allows where it is asked.
    pub endpoints: Vec<Allowance>,
    /// What the embedder allows.
    pub embedder: Allowance,
    /// Of a hundred answers, how many are of no use the first time.
    broken: usize,
    /// Of a hundred calls, how many fail.
    failing: usize,
    /// Storms come in every hour.
    storms: bool,
    /// What is answered about a chunk depends on its whole pack.
    by_pack: bool,
    /// Some chunks take minutes, always the same ones, and all others next to no time.
    slow_for_some: bool,
    /// The longest an ordinary answer takes, in milliseconds, and a rare one.
    longest_ms: (usize, usize),
    /// Calls take their time to the provider.
    far: bool,
    /// Characters of a hundred tokens.
    dense: u64,
    /// What is wrong with some chunks.
    poison: Option<Poison>,
    /// What the provider says of tokens.
    counting: Counting,
}

/// What is wrong with some chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poison {
    /// They are refused for good.
    Refused,
    /// They fail for now, for ever.
    Failing,
}

/// What a provider says of the tokens it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    Truly,
    NotAtAll,
    Absurdly,
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
/// A quota holds for calls that arrive less than a two-hundredth of its window after they are sent: 300 ms.
const FARTHEST_MS: usize = 299;

/// What an endpoint allows. The largest prompt is taken for 11,000 tokens; what never fits would halt the run.
fn allowance(rng: &mut Rng) -> Allowance {
    let day = *rng.pick(&["rolling", "UTC0"]);
    Allowance {
        requests_per_minute: *rng.pick(&[Some(5), Some(60), Some(600), Some(600), None]),
        tokens_per_minute: *rng.pick(&[None, None, Some(13_000), Some(25_000)]),
        requests_per_day: rng.chance(15).then(|| rng.between(4, 30) as u32),
        day: Day::named(day).unwrap_or(Day::Rolling),
        max_concurrency: *rng.pick(&[4, 64, 64]),
        ..Allowance::default()
    }
}

impl Model {
    /// The model of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "model");
        let endpoints = if rng.chance(35) { 2 } else { 1 };
        let poisons = match rng.below(10) {
            0 | 1 => Some(Poison::Refused).filter(|_| REFUSES_SOME),
            2 => Some(Poison::Failing).filter(|_| FAILS_SOME),
            _ => None,
        };
        let counting = match rng.below(12) {
            0 => Counting::NotAtAll,
            1 if ABSURD_USAGE => Counting::Absurdly,
            _ => Counting::Truly,
        };
        Self {
            seed,
            endpoints: (0..endpoints).map(|_| allowance(&mut rng)).collect(),
            embedder: Allowance { requests_per_day: None, ..allowance(&mut rng) },
            broken: *rng.pick(&[0, 10, 40]),
            failing: *rng.pick(&[0, 5, 20]),
            storms: rng.chance(30),
            by_pack: rng.chance(30),
            slow_for_some: rng.chance(25),
            longest_ms: *rng.pick(&[(400, 400), (8_000, 300_000), (120_000, 300_000)]),
            far: rng.chance(60),
            dense: if DENSE_TEXTS && rng.chance(20) { 200 } else { *rng.pick(&[430, 520]) },
            poison: poisons,
            counting,
        }
    }

    /// A model that always answers, at once, and whose word on a chunk or a pair follows from that alone.
    pub fn oracle() -> Self {
        Self {
            seed: 0,
            endpoints: vec![Allowance { max_concurrency: 64, ..Allowance::default() }],
            embedder: Allowance::default(),
            broken: 0,
            failing: 0,
            storms: false,
            by_pack: false,
            slow_for_some: false,
            longest_ms: (1, 1),
            far: false,
            dense: 430,
            poison: None,
            counting: Counting::Truly,
        }
    }

    /// Some chunks always fail for now.
    pub fn fails_some(&self) -> bool {
        self.poison == Some(Poison::Failing)
    }

    /// What is odd about it, in words.
    pub fn traits(&self) -> Vec<&'static str> {
        let traits = [
            (self.by_pack, "answers by the whole pack"),
            (self.slow_for_some, "slow for some"),
            (self.storms, "storms"),
            (self.far, "far away"),
            (self.endpoints.len() > 1, "two endpoints"),
            (self.poison == Some(Poison::Refused), "some refused for good"),
            (self.fails_some(), "some fail for ever"),
            (self.counting == Counting::NotAtAll, "no tokens told"),
            (self.counting == Counting::Absurdly, "absurd tokens told"),
            (self.dense < 300, "dense texts"),
        ];
        traits.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).collect()
    }

    /// How long the `number`th call is on its way to the provider.
    pub fn travel(&self, number: u64) -> Duration {
        let mut rng = self.of_call(number, "travel");
        Duration::from_millis(if self.far { rng.below(FARTHEST_MS + 1) as u64 } else { 0 })
    }

    fn of_call(&self, number: u64, purpose: &str) -> Rng {
        Rng::new(self.seed ^ number.wrapping_mul(0x9E37_79B9), purpose)
    }

    /// Tokens of a prompt, as the provider counts them: nearly the same share of characters everywhere.
    pub fn tokens(&self, prompt: &Prompt) -> u64 {
        let chars = (prompt.system.len() + prompt.text.len() + prompt.schema.to_string().len()) as u64;
        chars * 10_000 / (self.dense * (98 + u64::from(mark(&prompt.text, 2)) % 5))
    }

    /// Tokens of a text that is embedded.
    pub fn tokens_of_text(&self, text: &str) -> u64 {
        text.len() as u64 * 100 / self.dense.max(300)
    }

    /// What the provider says of tokens.
    pub fn told(&self, tokens: u64) -> u64 {
        match self.counting {
            Counting::Truly => tokens,
            Counting::NotAtAll => 0,
            Counting::Absurdly => {
                *[u64::MAX, i64::MAX as u64, 1, 0, u64::MAX - 1].get(tokens as usize % 5).unwrap_or(&0)
            }
        }
    }

    /// How long the `number`th call takes once it has arrived: 10 ms to five minutes.
    pub fn latency(&self, text: &str, number: u64) -> Duration {
        let mut rng = self.of_call(number, "latency");
        let is_slow = |text: &str| mark(text, 1).is_multiple_of(4);
        if self.slow_for_some {
            let slow = shown(text).into_iter().any(|(_, text)| is_slow(text));
            let (least, more) = if slow { (60_000, 240_000) } else { (10, 500) };
            return Duration::from_millis(least + rng.below(more) as u64);
        }
        let (ordinary, rare) = self.longest_ms;
        let longest = if rng.chance(10) { rare } else { ordinary };
        Duration::from_millis(10 + rng.below(longest) as u64)
    }

    /// What becomes of a call that arrives at an endpoint at this moment as the provider's `number`th.
    pub fn fate(&self, prompt: &Prompt, (endpoint, at): (u32, Timestamp), number: u64) -> Fate {
        let fails = || (self.fails_some() && self.is_poisoned(prompt)).then_some(Fate::Failure);
        let refused = self.refuses((endpoint, at), number).or_else(fails);
        refused.unwrap_or_else(|| Fate::Answer(self.answer(prompt)))
    }

    /// Whether a call that arrives at this moment is answered, and if not, how it ends. Storms of two endpoints come
    /// half an hour apart.
    pub fn refuses(&self, (endpoint, at): (u32, Timestamp), number: u64) -> Option<Fate> {
        let mut rng = self.of_call(number, "call");
        let into_hour = (at.as_millisecond() + i64::from(endpoint) * HOUR_MS / 2).rem_euclid(HOUR_MS);
        if self.storms && into_hour < 2 * MINUTE_MS {
            let rest = (2 * MINUTE_MS - into_hour).unsigned_abs();
            return Some(Fate::Storm(rng.chance(50).then_some(rest)));
        }
        rng.chance(self.failing).then_some(Fate::Failure)
    }

    /// Something is wrong with a chunk that is shown.
    fn is_poisoned(&self, prompt: &Prompt) -> bool {
        shown(&prompt.text).into_iter().any(|(_, text)| mark(text, 0) < 12)
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
        if self.poison == Some(Poison::Refused) && self.is_poisoned(prompt) {
            return refusal();
        }
        let hash = blake3::hash(prompt.text.as_bytes());
        let mut rng = Rng::new(
            self.seed ^ u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap_or(&[0; 8])),
            "answer",
        );
        let relation = if self.by_pack && rng.chance(50) { "stands_beside" } else { "works_with" };
        let mut text = match prompt.schema_name.as_str() {
            "verdicts" => self.judge(&prompt.text),
            "summaries" => tell(&prompt.text),
            "portraits" => portray(&prompt.text),
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
        let (read, wrote) = (self.told(self.tokens(prompt)), self.told(text.len() as u64 / 4));
        let usage = Usage { input_tokens: read, output_tokens: wrote, cached_tokens: 0 };
        Reply { text, finish, usage }
    }
}

/// What a refusal for good comes to.
pub fn refusal() -> Reply {
    Reply { finish: Finish::Refused("the model answers 400".to_owned()), ..Reply::default() }
}

/// A number that a text always has.
fn mark(text: &str, place: usize) -> u8 {
    blake3::hash(text.as_bytes()).as_bytes()[place]
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

/// A name and a summary of each community that say how much was told of it.
fn portray(text: &str) -> Value {
    let portray = |line: Value| {
        let first = line["members"][0]["name"].as_str().unwrap_or_default().to_owned();
        let statements = line["statements"].as_array().map_or(0, Vec::len);
        let (name, summary) = (format!("Around {first}"), format!("{statements} statements."));
        json!({ "community": line["community"], "name": name, "summary": summary })
    };
    json!({ "portraits": lines(text).map(portray).collect::<Vec<Value>>() })
}

/// The lines of a prompt that are JSON.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object)
}

/// The chunks of a prompt: number and text.
pub(crate) fn shown(text: &str) -> Vec<(u64, &str)> {
    chunks_shown(text).into_iter().map(|shown| (shown.number, shown.text)).collect()
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
