//! What a model says about each chunk, taken apart without believing it: which part of an answer belongs to which
//! chunk, and whether that part is complete. It must not know what the parts say. Invariant: a part that is damaged or
//! cut off takes no other with it.

use crate::json::{self, Read};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an answer says about one chunk.
#[derive(Debug, PartialEq)]
pub(super) struct Given {
    /// The object, as far as it was read.
    pub said: Map<String, Value>,
    /// Whether all of it was read.
    pub whole: bool,
}

/// The parts of an answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// By the position of the chunk in the prompt, from 0. The first word about a chunk stands.
    pub parts: BTreeMap<usize, Given>,
    /// Parts about chunks that nobody asked about, or about none, or about one that was spoken of before.
    pub strays: usize,
}

/// Takes an answer about `asked` chunks apart; nothing when there is no JSON in it.
pub(super) fn parts(text: &str, asked: usize) -> Option<Answer> {
    let text = json::spoken(text);
    let mut answer = Answer::default();
    let mut read = json::first(text)?;
    let broken = read.open.is_some();
    loop {
        let end = read.end;
        take(read, asked, &mut answer);
        // Behind the place where the text stopped being JSON, each of the next parts may be in order.
        let next = broken.then(|| next_part(text, end)).flatten();
        let Some(next) = next.and_then(|next| json::read(text, next)) else { return Some(answer) };
        read = next;
    }
}

/// Where the next object about a chunk begins.
fn next_part(text: &str, from: usize) -> Option<usize> {
    let begins = |(at, _): &(usize, &str)| {
        let inner = text[from + at + 1..].trim_start();
        let named = inner.strip_prefix("\"chunk\"").map(str::trim_start);
        named.is_some_and(|rest| rest.starts_with(':'))
    };
    text.get(from..)?.match_indices('{').find(begins).map(|(at, _)| from + at)
}

/// Adds the parts of one value.
fn take(read: Read, asked: usize, answer: &mut Answer) {
    let (list, depth) = match read.value {
        Value::Object(mut members) => match members.remove("chunks") {
            Some(Value::Array(list)) => (list, 2),
            Some(one @ Value::Object(_)) => (vec![one], 1),
            _ => (vec![Value::Object(members)], 0),
        },
        Value::Array(list) => (list, 1),
        _ => return,
    };
    let last = list.len();
    let last_is_whole = read.open.is_none_or(|open| open < depth);
    for (at, item) in list.into_iter().enumerate() {
        let Value::Object(mut said) = item else {
            answer.strays += 1;
            continue;
        };
        if at + 1 == last && read.open.is_some_and(|open| open >= depth + 2) {
            drop_last(&mut said);
        }
        let given = Given { whole: last_is_whole || at + 1 < last, said };
        match position(&given.said, asked) {
            Some(place) if !answer.parts.contains_key(&place) => {
                answer.parts.insert(place, given);
            }
            _ => answer.strays += 1,
        }
    }
}

/// Takes away the member in which reading broke off: half a fact may lack its date. Facts come after entities.
fn drop_last(said: &mut Map<String, Value>) {
    for name in ["facts", "entities"] {
        if let Some(Value::Array(list)) = said.get_mut(name)
            && list.pop().is_some()
        {
            return;
        }
    }
}

/// Which chunk a part is about. A part that does not say can only be about the only chunk.
fn position(said: &Map<String, Value>, asked: usize) -> Option<usize> {
    let number = match said.get("chunk") {
        Some(value) => whole_number(value)?,
        None if asked == 1 && (said.contains_key("entities") || said.contains_key("facts")) => 1,
        None => return None,
    };
    (1..=asked).contains(&number).then(|| number - 1)
}

/// A number that counts something, be it written as a number or in quotes.
pub(super) fn whole_number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e9).contains(number));
            whole.map(|number| number as usize)
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str, asked: usize) -> Option<Vec<(usize, bool)>> {
        parts(text, asked).map(|answer| answer.parts.iter().map(|(at, given)| (*at, given.whole)).collect())
    }

    #[test]
    fn parts_are_found_in_any_wrapping() {
        let part = r#"{"chunk":1,"entities":[],"facts":[]}"#;
        for text in [
            format!(r#"{{"chunks":[{part}]}}"#),
            format!("[{part}]"),
            part.to_owned(),
            format!("<think>{{perhaps}}</think>[1] For {{x}}: ```json\n{part}\n```"),
            format!(r#"{{"chunks":[{part}"#),
            part.replace("1", "\"1\""),
            part.replace("1", "1.0"),
            part.replace(r#""chunk":1,"#, ""),
        ] {
            assert_eq!(numbers(&text, 1), Some(vec![(0, true)]), "{text}");
        }
        assert_eq!(numbers("I cannot answer that.", 1), None);
        assert_eq!(numbers("{}", 1), None);
        assert_eq!(numbers("[]", 2), Some(vec![]));
    }

    #[test]
    fn a_damaged_part_takes_no_other_with_it() {
        let text = r#"{"chunks":[{"chunk":1,"entities":[]},{"chunk":2,"entities":[{"name":oops}]},
            {"chunk":3,"entities":[]},{"chunk":4,"ent"#;
        assert_eq!(numbers(text, 4), Some(vec![(0, true), (1, false), (2, true), (3, false)]));
    }

    #[test]
    fn strangers_and_repeats_are_counted_and_the_first_word_stands() {
        let text =
            r#"[{"chunk":7},{"chunk":1,"facts":[]},{"chunk":1,"facts":[1]},{"chunk":0},{"chunk":-1},5,{}]"#;
        let answer = parts(text, 2).unwrap();
        assert_eq!(answer.strays, 6);
        assert_eq!(answer.parts[&0].said["facts"], Value::Array(vec![]));
    }
}
