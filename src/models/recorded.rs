//! A recording in place of a model: what a model once read in passages of text, given again to whoever asks about them.
//! So a run of full size with a real model's output, flaws included, can be repeated offline and costs nothing.
//!
//! Pure: whoever builds it hands the recording's bytes over, and nothing is sent anywhere. Invariant: it says what was
//! recorded and nothing else; a passage that is not in it is left out of the answer, and so are verdicts,
//! summaries and names of communities.

use crate::error::{Error, Kind, Result};
use knowledge::chunk::sentences;
use knowledge::extract::{Shown, chunks_shown};
use knowledge::prompt::{Prompt, Reply, Usage};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest quote that a prompt asks for: a longer sentence is a paragraph, and the fact stands on the chunk.
const QUOTE_CHARS: usize = 600;

/// A line of a recording: a passage with what a model read in it. More members are passed over.
#[derive(Debug, Deserialize)]
struct Line {
    title: String,
    text: String,
    #[serde(default)]
    entities: Vec<Value>,
    #[serde(default)]
    triples: Vec<Value>,
}

/// What a model once said.
pub struct Recording {
    model: String,
    label: String,
    passages: Vec<Line>,
    /// Passages by the letters of their text; the first of several.
    by_text: BTreeMap<String, usize>,
    /// Passages by the letters of their title.
    by_title: BTreeMap<String, Vec<usize>>,
}

impl Recording {
    /// Reads a recording: JSON Lines with `title`, `text`, `entities` (strings) and `triples` (subject, relation,
    /// object). What is wrong inside those two lists is given as it was recorded.
    ///
    /// # Errors
    /// A line that is no such passage, or no line at all.
    pub fn read(model: &str, name: &str, bytes: &[u8]) -> Result<Self> {
        let mut passages = Vec::new();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            passages.push(serde_json::from_slice::<Line>(line).map_err(|error| {
                let found = format!("reading the recording `{name}`: line {}: {error}", at + 1);
                Error::new(Kind::Usage, found)
                    .hint("a line is an object with `title`, `text`, `entities` and `triples`")
            })?);
        }
        if passages.is_empty() {
            return Err(Error::new(
                Kind::Usage,
                format!("reading the recording `{name}`: it holds no passage"),
            ));
        }
        let (mut by_text, mut by_title) = (BTreeMap::new(), BTreeMap::<String, Vec<usize>>::new());
        for (at, passage) in passages.iter().enumerate() {
            by_text.entry(letters(&passage.text)).or_insert(at);
            by_title.entry(letters(&passage.title)).or_default().push(at);
        }
        let label = format!("recorded {model} in {name}");
        Ok(Self { model: model.to_owned(), label, passages, by_text, by_title })
    }

    /// The model as answers are kept under.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whose words these are, for messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What was recorded about what a prompt asks. It took no tokens.
    pub fn answer(&self, prompt: &Prompt) -> Reply {
        let answer = match prompt.schema_name.as_str() {
            form @ ("extraction" | "entities" | "facts") => {
                let known = chunks_shown(&prompt.text).into_iter().filter_map(|shown| {
                    self.passage(&shown).map(|passage| said(&shown, passage, form == "facts"))
                });
                json!({ "chunks": known.collect::<Vec<_>>() })
            }
            "verdicts" => json!({ "verdicts": [] }),
            "portraits" => json!({ "portraits": [] }),
            _ => json!({ "summaries": [] }),
        };
        Reply { text: answer.to_string(), usage: Usage::default(), ..Reply::default() }
    }

    /// The passage that a chunk is, or is a part of.
    fn passage(&self, shown: &Shown<'_>) -> Option<&Line> {
        let text = letters(shown.text);
        if text.is_empty() {
            return None;
        }
        let found = self.by_text.get(&text).copied().or_else(|| {
            let title = shown.place.split_once(" > ")?.1;
            let first = title.split_once(" > ").map_or(title, |(first, _)| first);
            let titled = [title, first].into_iter().find_map(|title| self.by_title.get(&letters(title)))?;
            titled.iter().copied().find(|at| letters(&self.passages[*at].text).contains(&text))
        })?;
        self.passages.get(found)
    }
}

/// What one passage says, in the form of an answer; `by_name` where ends of facts are names and not places in the list.
fn said(shown: &Shown<'_>, passage: &Line, by_name: bool) -> Value {
    let mut names: Vec<&str> = passage.entities.iter().filter_map(Value::as_str).collect();
    let mut facts = Vec::new();
    for triple in &passage.triples {
        let Some([subject, relation, object]) = parts(triple) else {
            // What is no triple was recorded too, and is for the reader to refuse.
            facts.push(json!({ "subject": null, "relation": null, "object": null }));
            continue;
        };
        let ends = [subject, object].map(|name| {
            let place = place(name, &mut names);
            if by_name { json!(name) } else { json!(place) }
        });
        facts.push(json!({
            "subject": ends[0], "relation": relation, "object": ends[1],
            "quote": quote(shown.text, subject, object), "fact": "", "valid_at": null, "invalid_at": null,
        }));
    }
    let entities: Vec<Value> = names.iter().map(|name| json!({ "name": name, "type": "Thing" })).collect();
    json!({ "chunk": shown.number, "entities": entities, "facts": facts })
}

fn parts(triple: &Value) -> Option<[&str; 3]> {
    let parts = triple.as_array()?;
    let [subject, relation, object] = parts.as_slice() else { return None };
    Some([subject.as_str()?, relation.as_str()?, object.as_str()?])
}

/// The position of a name in the list of entities. Ends that the list does not hold are added: a fact is as good as the
/// words that stand in the text, not as a list that was made before it.
fn place<'a>(name: &'a str, names: &mut Vec<&'a str>) -> usize {
    names.iter().position(|held| *held == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

/// The sentence that holds both ends of a fact; none where no sentence does.
fn quote<'a>(text: &'a str, subject: &str, object: &str) -> Option<&'a str> {
    let ends = [subject.to_lowercase(), object.to_lowercase()];
    let holds = |sentence: &&str| {
        let sentence = sentence.to_lowercase();
        ends.iter().all(|end| sentence.contains(end.as_str()))
    };
    let found = sentences(text).into_iter().map(str::trim).find(holds)?;
    (found.chars().count() <= QUOTE_CHARS).then_some(found)
}

/// A text's letters and digits: what stays the same however a page is written down.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::extract::{Asked, Vocabulary, Witness, prompt, understand};
    use knowledge::graph::Object;
    use knowledge::id::{ChunkId, SpaceKey};

    const LINES: &str = r#"{"id":0,"title":"Ada Lovelace","text":"Ada Lovelace wrote about the Analytical Engine. It was designed by Charles Babbage.","entities":["Ada Lovelace","Analytical Engine","Charles Babbage"],"triples":[["Ada Lovelace","wrote about","Analytical Engine"],["Charles Babbage","designed","Analytical Engine"],["Ada Lovelace","born in","1815"],["odd"]]}"#;

    fn asked(title: &str, text: &str) -> Asked {
        let (path, space) = (vec![title.to_owned()], SpaceKey::new("W"));
        let chunk = ChunkId::of(&[text.as_bytes()]);
        Asked { chunk, path, text: text.to_owned(), space, reference: None }
    }

    fn recording() -> Recording {
        Recording::read("gpt", "lines.jsonl", LINES.as_bytes()).unwrap()
    }

    #[test]
    fn facts_stand_on_the_sentence_with_both_ends_or_on_the_chunk() {
        let text = "Ada Lovelace wrote about the Analytical Engine.\nIt was designed by Charles Babbage.";
        let pack = [asked("Other", "Unknown to all."), asked("Ada Lovelace", text)];
        let vocabulary = Vocabulary::default();
        let reply = recording().answer(&prompt(&pack, &vocabulary, None));
        let witness = Witness { model: "gpt", quotes: false };
        let understood = understand(&pack, &vocabulary, witness, &reply);
        assert_eq!(understood.missing.len(), 1, "what was not recorded is not answered");
        let (_, reading) = &understood.readings[0];
        let claims: Vec<(&str, &str)> = (reading.claims.iter())
            .map(|claim| match &claim.object {
                Object::Named(end) => {
                    (reading.mentions[*end as usize].name.as_str(), claim.sentence.as_str())
                }
                Object::Value(value) => (value.as_str(), claim.sentence.as_str()),
            })
            .collect();
        // The second stands on two sentences, hence on the chunk; 1815 stands nowhere, and one was no triple.
        let first = "Ada Lovelace wrote about the Analytical Engine.";
        assert_eq!(claims, [("Analytical Engine", first), ("Analytical Engine", "")]);
        assert_eq!(understood.refused.len(), 3, "{:?}", understood.refused);
        let strict = understand(&pack, &vocabulary, Witness::quoting("gpt"), &reply);
        assert_eq!(strict.readings[0].1.claims.len(), 1, "who is asked for quotes must give them");
    }

    #[test]
    fn a_part_of_a_passage_is_answered_from_what_stands_in_it() {
        let pack = [asked("Ada Lovelace", "It was designed by Charles Babbage.")];
        let vocabulary = Vocabulary::default();
        let reply = recording().answer(&prompt(&pack, &vocabulary, None));
        let understood = understand(&pack, &vocabulary, Witness { model: "gpt", quotes: false }, &reply);
        let names: Vec<&str> =
            understood.readings[0].1.mentions.iter().map(|mention| mention.name.as_str()).collect();
        assert_eq!(
            names,
            ["Ada Lovelace", "Charles Babbage"],
            "the title counts, the other sentence does not"
        );
    }

    #[test]
    fn what_is_no_recording_is_refused_by_its_line() {
        let error = Recording::read("m", "x", b"\n{\"title\": 3}\n").err().unwrap();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert!(Recording::read("m", "x", b"\n\n").is_err());
    }
}
