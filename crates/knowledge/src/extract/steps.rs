//! Reading in two steps, for small models that lose count when they write entities and facts at once: first the names,
//! then facts whose ends are an enum of those names. It must not know which models need that. Invariant: what is
//! believed is judged by the same rules as in one step. Values of things are not asked for here: a free text beside the
//! enum would open just the door that the enum closes.

use crate::extract::checks::{Checked, Ends, Refusal, Terms, Text, list, named, spoken, stated};
use crate::extract::prompts::{self, FACTS, QUOTE_CHARS};
use crate::extract::understanding::{Understood, each, parts};
use crate::extract::{Asked, Vocabulary, Witness};
use crate::graph::Mention;
use crate::id::ChunkId;
use crate::prompt::{Prompt, Reply};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most names in an enum: the least that vendors take. With more, any text may be given, and is checked as ever.
const ENUM_NAMES: usize = 250;

/// What the first step came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What chunks speak of, in the order they were asked about.
    pub named: Vec<(ChunkId, Vec<Mention>)>,
    /// Chunks that were not read, and why.
    pub missing: Vec<(ChunkId, String)>,
    /// What was not believed.
    pub refused: Vec<(ChunkId, Refusal)>,
}

/// A chunk with what it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The chunk.
    pub asked: Asked,
    /// The names of the first step.
    pub mentions: Vec<Mention>,
}

/// The first prompt: names only.
pub fn prompt_entities(asked: &[Asked], vocabulary: &Vocabulary, fault: Option<&str>) -> Prompt {
    Prompt {
        system: prompts::task(true) + &prompts::kinds(vocabulary),
        text: prompts::shown(asked, fault, |_| None),
        schema_name: "entities".to_owned(),
        schema: prompts::list_of_chunks(&[("entities", prompts::entities(vocabulary))]),
        max_output_tokens: prompts::output_limit(asked),
    }
}

/// What chunks speak of, by the first answer.
pub fn understand_entities(asked: &[Asked], vocabulary: &Vocabulary, reply: &Reply) -> Names {
    let mut names = Names::default();
    let answer = match parts(reply, asked.len()) {
        Ok(answer) => answer,
        Err(why) => {
            names.missing = asked.iter().map(|asked| (asked.chunk, why.clone())).collect();
            return names;
        }
    };
    for (at, asked) in asked.iter().enumerate() {
        let given = answer.parts.get(&at).filter(|given| given.whole);
        let entities = given.map(|given| list(&given.said, "entities"));
        let (Some(Ok(Some(entities))), chunk) = (entities, asked.chunk) else {
            names
                .missing
                .push((asked.chunk, "the answer has no whole list of entities for a chunk".to_owned()));
            continue;
        };
        let mut refused = Vec::new();
        let mentions = named(&Text::of(asked), entities, vocabulary, &mut refused).mentions;
        if mentions.is_empty() && !refused.is_empty() {
            let why = format!("nothing could be used of a chunk ({})", refused[0].why());
            names.missing.push((chunk, why));
        } else {
            names.named.push((chunk, mentions));
        }
        names.refused.extend(refused.into_iter().map(|refusal| (chunk, refusal)));
    }
    names
}

/// The second prompt: facts between names of the first step. Chunks with fewer than two names have none to give and
/// need not be asked about.
pub fn prompt_facts(named: &[Named], vocabulary: &Vocabulary, fault: Option<&str>) -> Prompt {
    let asked: Vec<Asked> = named.iter().map(|named| named.asked.clone()).collect();
    let names: BTreeSet<String> = named.iter().flat_map(|named| named.mentions.iter().map(spoken)).collect();
    let end = match (1..=ENUM_NAMES).contains(&names.len()) {
        true => json!({"type": "string", "enum": names}),
        false => json!({"type": "string", "maxLength": prompts::NAME_CHARS}),
    };
    let listed = |at: usize| {
        let names: Vec<Value> = named[at].mentions.iter().map(|mention| spoken(mention).into()).collect();
        Some(format!("Names: {}", Value::Array(names)))
    };
    let fact = prompts::object_of(&[
        ("subject", end.clone()),
        ("relation", json!({"type": "string", "maxLength": 40})),
        ("object", end),
        ("quote", json!({"type": "string", "maxLength": QUOTE_CHARS})),
        ("valid_at", prompts::date()),
        ("invalid_at", prompts::date()),
    ]);
    Prompt {
        system: format!(
            "{}facts: every statement of a chunk that joins two of its Names; subject and object are Names.\n{}{}",
            prompts::task(false),
            prompts::fact_rules(),
            prompts::relations(vocabulary)
        ),
        text: prompts::shown(&asked, fault, listed),
        schema_name: "facts".to_owned(),
        schema: prompts::list_of_chunks(&[("facts", prompts::list(fact, FACTS))]),
        max_output_tokens: prompts::output_limit(&asked),
    }
}

/// What chunks say, by the second answer, with the names of the first.
pub fn understand_facts(
    named: &[Named],
    vocabulary: &Vocabulary,
    witness: Witness<'_>,
    reply: &Reply,
) -> Understood {
    let terms = Terms { vocabulary, witness };
    let asked: Vec<Asked> = named.iter().map(|named| named.asked.clone()).collect();
    each(&asked, reply, |at, given| {
        let facts = list(&given.said, "facts")?.ok_or("the answer has no facts for a chunk")?;
        let ends = Ends::of(&named[at].mentions);
        let mut refused = Vec::new();
        let text = Text::of(&asked[at]);
        let checked = stated(&text, facts, (&ends, &terms), &mut refused);
        let reading = crate::graph::Reading { mentions: ends.mentions, ..checked.reading };
        Ok(Checked { reading, refused, ..checked })
    })
}
