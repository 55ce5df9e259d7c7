//! From a model's answer to portraits. It must not know who answered, nor ask again. Invariants: any answer is
//! understood without a panic; every community either has a name and a summary or is missing; neither holds a character
//! that a line cannot show.

use crate::json;
use crate::portrait::{NAME_CHARS, Portrait, SUMMARY_CHARS, Sitting};
use crate::prompt::{Finish, Reply};
use crate::summary::{cut, one_line};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What an answer came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// Names and summaries.
    pub portraits: Vec<Portrait>,
    /// Positions of the communities without usable ones, and why, in words for a second ask.
    pub missing: Vec<(usize, String)>,
}

/// What is a little longer than asked for is cut; what is so many times as long is a model in a loop.
const LOOP: usize = 4;

/// Spaces without width, and marks of direction.
const UNSEEN: [RangeInclusive<char>; 3] =
    ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}'];

/// What a reply says of the communities. Of an answer that breaks off, what is whole counts.
pub fn understand(sittings: &[Sitting], reply: &Reply) -> Understood {
    let given = match &reply.finish {
        Finish::Refused(why) => Err(format!("the model would not answer: `{}`", one_line(why, 120))),
        _ => given(&reply.text).ok_or_else(|| "the answer was no JSON with a list `portraits`".to_owned()),
    };
    let mut understood = Understood::default();
    for (at, sitting) in sittings.iter().enumerate() {
        let said = match &given {
            Ok(given) => usable(given.get(&(at + 1))),
            Err(why) => Err(why.clone()),
        };
        match said {
            Ok((name, summary)) => understood.portraits.push(sitting.portrait(name, summary)),
            Err(why) => understood.missing.push((at, why)),
        }
    }
    understood
}

/// Name and summary under each number; the first word about a community stands.
fn given(text: &str) -> Option<BTreeMap<usize, (String, String)>> {
    let answer = json::first(json::spoken(text))?.value;
    let list = answer.get("portraits").and_then(Value::as_array).or(answer.as_array())?;
    let mut given = BTreeMap::new();
    for part in list {
        let number = part.get("community").and_then(|number| match number {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64().and_then(|number| usize::try_from(number).ok()),
        });
        let text = |field: &str| part.get(field).and_then(Value::as_str);
        if let (Some(number), Some(name), Some(summary)) = (number, text("name"), text("summary")) {
            given.entry(number).or_insert_with(|| (name.to_owned(), summary.to_owned()));
        }
    }
    Some(given)
}

fn usable(said: Option<&(String, String)>) -> Result<(String, String), String> {
    let (name, summary) = said.ok_or("the answer left a community out")?;
    let (name, summary) = (plain(name), plain(summary));
    let name = match name.chars().count() {
        _ if !name.chars().any(char::is_alphanumeric) => {
            return Err("the answer gave a community an empty name".to_owned());
        }
        chars if chars > LOOP * NAME_CHARS => {
            return Err(format!("a name is longer than {NAME_CHARS} characters"));
        }
        chars if chars > NAME_CHARS => whole_words(&name),
        _ => name,
    };
    match summary.chars().count() {
        0 => Err("the answer gave a community an empty summary".to_owned()),
        chars if chars > LOOP * SUMMARY_CHARS => {
            Err(format!("a summary is longer than {SUMMARY_CHARS} characters"))
        }
        chars if chars > SUMMARY_CHARS => Ok((name, cut(&summary, SUMMARY_CHARS))),
        _ => Ok((name, summary)),
    }
}

/// The words of a name that fit.
fn whole_words(name: &str) -> String {
    let room = one_line(name, NAME_CHARS - 1);
    let end = room.rfind(' ').unwrap_or(room.len());
    format!("{}…", &room[..end])
}

/// A text as one line, without marks that nobody sees: what turns the direction of writing makes a line say something
/// else than its letters.
fn plain(text: &str) -> String {
    let unseen = |c: &char| match c {
        '\u{ad}' | '\u{61c}' | '\u{feff}' => true,
        c => UNSEEN.iter().any(|range| range.contains(c)),
    };
    let seen: String = text.chars().filter(|c| !unseen(c)).collect();
    one_line(&seen, usize::MAX)
}
