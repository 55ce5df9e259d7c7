//! What holds of this room whatever a page says and whatever a model answers.

use crate::extract::samples::{asked, fact, part, reply};
use crate::extract::*;
use crate::graph::{Object, Reading};
use crate::prompt::Reply;
use crate::resolve::normalise;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NAMES: [&str; 6] =
    ["Ledger Gateway", "Orders Database", "Team Blue", "Cluster Two", "Ann Berg", "Kafka"];
const VERBS: [&str; 4] = ["is owned by", "calls", "depends on", "was moved to"];

/// A chunk of sentences, each with a fact in it, and the part of a true answer about it.
fn told(seed: &[(usize, usize, usize)], at: usize) -> (Asked, Value) {
    let seen: BTreeSet<(usize, usize, usize)> =
        seed.iter().map(|(s, v, o)| (s % 6, v % 4, o % 6)).filter(|(s, _, o)| s != o).collect();
    let mut sentences = vec![format!("Chunk {at} names Kafka.")];
    let mut facts = Vec::new();
    for (s, v, o) in seen {
        let sentence = format!("{} {} {}.", NAMES[s], VERBS[v], NAMES[o]);
        facts.push(fact(s, VERBS[v], o, &sentence));
        sentences.push(sentence);
    }
    sentences.push(format!("See also {}.", NAMES.join(", ")));
    (asked(&sentences.join("\n")), part(at, &NAMES, &facts))
}

fn pack_of_chunks() -> impl Strategy<Value = (Vec<Asked>, Vec<Value>)> {
    let seed = prop::collection::vec((0..6usize, 0..4usize, 0..6usize), 0..8);
    prop::collection::vec(seed, 1..5)
        .prop_map(|seeds| seeds.iter().enumerate().map(|(at, seed)| told(seed, at + 1)).unzip())
}

fn whole(parts: &[Value]) -> String {
    json!({ "chunks": parts }).to_string()
}

fn read(asked: &[Asked], reply: &Reply) -> Understood {
    understand(asked, &Vocabulary::default(), Witness::quoting("test"), reply)
}

/// What holds of any reading of any chunk.
fn stands_on_its_chunk(asked: &Asked, reading: &Reading) -> Result<(), TestCaseError> {
    let mut names = BTreeSet::new();
    let place = format!("{}\n{}", asked.text, asked.path.join("\n")).to_lowercase();
    for mention in &reading.mentions {
        prop_assert!(place.contains(&mention.name.to_lowercase()), "{} in {place}", mention.name);
        prop_assert!(names.insert(normalise(&mention.name)), "{} twice", mention.name);
    }
    let mut said = BTreeSet::new();
    for claim in &reading.claims {
        prop_assert!((claim.subject as usize) < reading.mentions.len());
        if let Object::Named(object) = &claim.object {
            prop_assert!((*object as usize) < reading.mentions.len() && *object != claim.subject);
        }
        prop_assert!(!claim.sentence.is_empty() && asked.text.contains(&claim.sentence));
        let relation = &claim.relation;
        prop_assert!(relation.chars().all(|c| c == '_' || c.is_alphanumeric() && !c.is_uppercase()));
        prop_assert!(said.insert((claim.subject, relation.clone(), claim.object.clone(), claim.valid_at)));
    }
    Ok(())
}

/// What holds of anything that was understood.
fn is_in_order(asked: &[Asked], understood: &Understood) -> Result<(), TestCaseError> {
    let chunks = |list: &[(ChunkId, Reading)]| list.iter().map(|(chunk, _)| *chunk).collect::<BTreeSet<_>>();
    let (read, partial) = (chunks(&understood.readings), chunks(&understood.partial));
    let missing: BTreeSet<ChunkId> = understood.missing.iter().map(|(chunk, _)| *chunk).collect();
    prop_assert!(read.is_disjoint(&missing));
    prop_assert!(partial.is_subset(&missing));
    prop_assert_eq!(read.len() + missing.len(), asked.len());
    prop_assert_eq!(understood.fault().is_some(), !missing.is_empty());
    for (chunk, reading) in understood.readings.iter().chain(&understood.partial) {
        stands_on_its_chunk(asked.iter().find(|asked| asked.chunk == *chunk).unwrap(), reading)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_true_answer_is_believed_to_the_last_fact((asked, parts) in pack_of_chunks()) {
        let understood = read(&asked, &reply(whole(&parts)));
        is_in_order(&asked, &understood)?;
        prop_assert_eq!(&understood.refused, &[]);
        prop_assert_eq!(understood.readings.len(), asked.len());
        for ((_, reading), part) in understood.readings.iter().zip(&parts) {
            prop_assert_eq!(reading.mentions.len(), NAMES.len());
            prop_assert_eq!(reading.claims.len(), part["facts"].as_array().unwrap().len());
            for (claim, fact) in reading.claims.iter().zip(part["facts"].as_array().unwrap()) {
                prop_assert_eq!(Some(claim.sentence.as_str()), fact["quote"].as_str());
                prop_assert_eq!(u64::from(claim.subject), fact["subject"].as_u64().unwrap());
            }
        }
    }

    #[test]
    fn of_a_cut_answer_the_complete_chunks_are_read_and_the_others_are_missing(
        (asked, parts) in pack_of_chunks(), share in 0.0..1.0f64,
    ) {
        let text = whole(&parts);
        let all = read(&asked, &reply(text.clone()));
        let cut = &text[..(text.len() as f64 * share) as usize];
        let some = read(&asked, &reply(cut));
        is_in_order(&asked, &some)?;
        prop_assert!(all.readings.starts_with(&some.readings));
        for (chunk, reading) in &some.partial {
            let full = &all.readings.iter().find(|(other, _)| other == chunk).unwrap().1;
            prop_assert!(full.mentions.starts_with(&reading.mentions));
            prop_assert!(full.claims.starts_with(&reading.claims));
        }
        let complete = parts.iter().scan(r#"{"chunks":["#.len(), |end, part| {
            *end += part.to_string().len() + 1;
            Some(*end - 1)
        });
        prop_assert_eq!(some.readings.len(), complete.filter(|end| *end <= cut.len()).count());
    }

    #[test]
    fn any_answer_at_all_is_understood_in_order((asked, _) in pack_of_chunks(), text in any::<String>(),
        json in "[\\[{\\]}\",: a-z\\\\01-]{0,120}", finish in 0..2u8) {
        for text in [text, json.clone(),
            format!("{{\"chunks\":[{{\"chunk\":1,{json}"), format!("{{\"chunk\":1{json}")] {
            let finish = if finish == 0 { crate::prompt::Finish::Stop } else { crate::prompt::Finish::Length };
            let reply = Reply { text, finish, ..Reply::default() };
            is_in_order(&asked, &read(&asked, &reply))?;
            understand_entities(&asked, &Vocabulary::default(), &reply);
        }
    }

    #[test]
    fn a_true_answer_with_holes_and_garbage_in_it_is_still_in_order(
        (asked, parts) in pack_of_chunks(), at in 0.0..1.0f64, length in 0..60usize,
        garbage in "[\\[{\\]}\",: a\\\\01]{0,20}",
    ) {
        let mut text = whole(&parts);
        let from = (text.len() as f64 * at) as usize;
        text.replace_range(from..(from + length).min(text.len()), &garbage);
        is_in_order(&asked, &read(&asked, &reply(text)))?;
    }

    #[test]
    fn a_bad_chunk_takes_no_neighbour_down((asked, parts) in pack_of_chunks(), bad in 0..4usize, kind in 0..7usize) {
        let bad = bad % parts.len();
        let all = read(&asked, &reply(whole(&parts)));
        let rubbish = [
            "null", "[1]", r#"{"chunk":99,"entities":[]}"#, r#"{"chunk":"one"}"#, "{}",
            r#"{"entities":[{"name":"#, r#"{"chunk":1,"entities":{"name":"Kafka"},"facts":7}"#,
        ][kind].replace(":1,", &format!(":{},", bad + 1));
        let texts: Vec<String> = parts.iter().enumerate()
            .map(|(at, part)| if at == bad { rubbish.clone() } else { part.to_string() }).collect();
        let understood = read(&asked, &reply(format!(r#"{{"chunks":[{}]}}"#, texts.join(","))));
        is_in_order(&asked, &understood)?;
        for (chunk, reading) in all.readings.iter().filter(|(chunk, _)| *chunk != asked[bad].chunk) {
            prop_assert!(understood.readings.contains(&(*chunk, reading.clone())), "{:?}", understood.missing);
        }
    }

    #[test]
    fn what_is_read_of_a_chunk_does_not_depend_on_the_pack((asked, parts) in pack_of_chunks()) {
        let all = read(&asked, &reply(whole(&parts)));
        for ((asked, part), reading) in asked.iter().zip(&parts).zip(&all.readings) {
            let mut part = part.clone();
            part["chunk"] = json!(1);
            let alone = read(std::slice::from_ref(asked), &reply(whole(&[part])));
            prop_assert_eq!(&alone.readings[..], std::slice::from_ref(reading));
        }
    }

    #[test]
    fn two_steps_believe_what_one_step_believes((asked, parts) in pack_of_chunks()) {
        let vocabulary = Vocabulary::default();
        let all = read(&asked, &reply(whole(&parts)));
        let names = understand_entities(&asked, &vocabulary, &reply(whole(&parts)));
        prop_assert!(names.missing.is_empty());
        let named: Vec<Named> = asked.iter().zip(names.named)
            .map(|(asked, (_, mentions))| Named { asked: asked.clone(), mentions }).collect();
        let by_name: Vec<Value> = parts.iter().map(|part| {
            let mut part = part.clone();
            for fact in part["facts"].as_array_mut().unwrap() {
                for end in ["subject", "object"] {
                    fact[end] = json!(NAMES[fact[end].as_u64().unwrap() as usize]);
                }
            }
            part
        }).collect();
        let understood = understand_facts(&named, &vocabulary, Witness::quoting("test"), &reply(whole(&by_name)));
        prop_assert_eq!(understood.readings, all.readings);
        prop_assert!(prompt_facts(&named, &vocabulary, None).text.contains("Names: [\""));
    }

    #[test]
    fn no_text_can_end_its_fence_or_begin_another(texts in prop::collection::vec("[a-f0-9 <>/chunk\n]{0,80}", 1..5)) {
        let mut pages: Vec<Asked> = texts.iter().map(|text| asked(text)).collect();
        // An attacker who has seen an earlier prompt writes its fences into the next version of the page.
        let seen = prompt(&pages, &Vocabulary::default(), None);
        pages[0].text = seen.text.clone();
        pages[0].path.push(format!("Title\n\n{}", seen.text));
        let prompt = prompt(&pages, &Vocabulary::default(), None);
        let seal = &prompt.text["<chunk 1 ".len()..][..16];
        prop_assert_eq!(prompt.text.matches(seal).count(), 2 * pages.len());
        let mut rest = prompt.text.as_str();
        for (at, page) in pages.iter().enumerate() {
            let open = format!("<chunk {} {seal}>\n", at + 1);
            let close = format!("\n</chunk {} {seal}>\n", at + 1);
            prop_assert!(rest.starts_with(&open));
            let (inside, after) = rest[open.len()..].split_once(&close).unwrap();
            prop_assert!(inside.ends_with(page.text.trim()));
            prop_assert_eq!(inside.split_once("\n\n").unwrap().0.lines().count(), 2);
            rest = after.trim_start();
        }
        prop_assert!(rest.starts_with("Answer the "));
        prop_assert_eq!(prompt.system, seen.system);
    }
}

#[test]
fn the_prompt_of_a_second_ask_begins_like_the_first() {
    let pages = [asked("Kafka"), asked("Team Blue")];
    let vocabulary = Vocabulary::default();
    let first = prompt(&pages, &vocabulary, None);
    let second = prompt(&pages, &vocabulary, Some("the answer\nwas </chunk> no JSON"));
    assert_eq!((&first.system, &first.schema), (&second.system, &second.schema));
    assert!(second.text.starts_with(&first.text));
    assert!(second.text.ends_with("could not be used: the answer was </chunk> no JSON. Take care of that."));
}

/// Whether a schema keeps to what all vendors take.
fn is_plain(schema: &Value) -> bool {
    let Value::Object(members) = schema else { return false };
    let known = [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "anyOf",
        "description",
        "minItems",
        "maxItems",
        "maxLength",
        "minimum",
        "maximum",
        "additionalProperties",
    ];
    let object = members.get("type") == Some(&json!("object"));
    let all: BTreeSet<&str> = members
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let required: BTreeSet<&str> = members
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    members.keys().all(|name| known.contains(&name.as_str()))
        && (!object || members["additionalProperties"] == json!(false) && all == required)
        && members
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .all(|(_, inner)| is_plain(inner))
        && members.get("anyOf").and_then(Value::as_array).into_iter().flatten().all(is_plain)
        && members.get("items").is_none_or(is_plain)
}

#[test]
fn schemas_keep_to_what_all_vendors_take() {
    let vocabulary = Vocabulary::default();
    let named = [Named { asked: asked("Kafka"), mentions: vec![] }];
    for prompt in [
        prompt(&[], &vocabulary, None),
        prompt_entities(&[], &vocabulary, None),
        prompt_facts(&named, &vocabulary, None),
        prompt(&[], &Vocabulary { entities: vec![], relations: vec![] }, None),
    ] {
        assert!(is_plain(&prompt.schema), "{:#}", prompt.schema);
    }
}

#[test]
fn a_pack_is_estimated_as_it_is_asked() {
    let vocabulary = Vocabulary::default();
    let pages: Vec<Asked> =
        (0..17).map(|at| asked(&format!("{at} {}", "Ledger Gateway calls Kafka. ".repeat(33)))).collect();
    let owed: Vec<Owed> = pages
        .iter()
        .map(|page| Owed { chunk: page.chunk, chars: page.text.chars().count(), audience: vec![], round: 0 })
        .collect();
    let estimate = estimate(&owed, PackSize::default(), &vocabulary, CHARS_PER_TOKEN);
    let prompt = prompt(&pages, &vocabulary, None);
    let chars = prompt.system.len() + prompt.text.len() + prompt.schema.to_string().len();
    assert_eq!(estimate.calls, 1);
    let ratio = estimate.input_tokens as f64 * CHARS_PER_TOKEN / chars as f64;
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    assert!(estimate.output_tokens < u64::from(prompt.max_output_tokens));
    // What every call repeats must stay small beside what it is about.
    assert!(prompt.system.len() + prompt.schema.to_string().len() < 5_000, "{chars}");
}
