//! A model that reads and judges without a fault: it says what the text says, with the dates that stand there, and of
//! two statements that they contradict each other when one thing has two owners. It must not know the pages.

use super::history::{Relation, Statement, day};
use crate::model::{lines, shown};
use knowledge::prompt::{Finish, Prompt, Reply};
use serde_json::{Value, json};

/// What it answers.
pub fn answer(prompt: &Prompt) -> Reply {
    let answer = match prompt.schema_name.as_str() {
        "verdicts" => json!({ "verdicts": lines(&prompt.text).map(verdict).collect::<Vec<Value>>() }),
        "summaries" => json!({ "summaries": [] }),
        "portraits" => json!({ "portraits": [] }),
        _ => json!({ "chunks": shown(&prompt.text).into_iter().map(read).collect::<Vec<Value>>() }),
    };
    Reply { text: answer.to_string(), finish: Finish::Stop, ..Reply::default() }
}

fn read((number, text): (u64, &str)) -> Value {
    let said: Vec<(&str, Statement)> =
        text.lines().map(str::trim).filter_map(|line| Some((line, Statement::read(line)?))).collect();
    let mut names: Vec<&str> = said.iter().flat_map(|(_, said)| [&*said.fact.0, &*said.fact.2]).collect();
    names.sort_unstable();
    names.dedup();
    let place = |name: &str| names.iter().position(|known| *known == name);
    let fact = |(line, said): &(&str, Statement)| {
        json!({
            "subject": place(&said.fact.0), "relation": said.fact.1.name(), "object": place(&said.fact.2),
            "quote": line, "valid_at": said.since.map(day), "invalid_at": said.until.map(day),
        })
    };
    let facts: Vec<Value> = said.iter().map(fact).collect();
    let entities: Vec<Value> = names.iter().map(|name| json!({ "name": name, "type": "Thing" })).collect();
    json!({ "chunk": number, "entities": entities, "facts": facts })
}

/// Two names mean one thing when they are one name; two owners of one thing contradict each other.
fn verdict(line: Value) -> Value {
    let of_names = line["names"].is_array();
    let pair = if of_names { &line["names"] } else { &line["statements"] };
    let verdict = match of_names {
        true if pair[0]["text"] == pair[1]["text"] => "same",
        true => "different",
        false => {
            let said = |side: &Value| side["quote"].as_str().and_then(Statement::read).map(|said| said.fact);
            match (said(&pair[0]), said(&pair[1])) {
                (Some(one), Some(other)) if one == other => "duplicate",
                (Some(one), Some(other))
                    if (&one.0, one.1) == (&other.0, other.1) && one.1 == Relation::OwnedBy =>
                {
                    "contradicts"
                }
                _ => "unrelated",
            }
        }
    };
    json!({ "question": line["question"], "verdict": verdict })
}
