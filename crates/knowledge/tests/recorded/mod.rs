//! Recorded extractions, and the truth about what they say. A chunk a line:
//! `{"page", "space", "modified", "names": [..], "claims": [[subject, relation, object, sentence, valid_at, invalid_at]]}`,
//! subjects and objects being positions in the names, or an object's own words. It must not know what is asked.

use knowledge::graph::{Claim, Extractor, Kind, Mention, Object, Reading};
use knowledge::id::{ChunkId, PageId, SpaceKey, Version};
use knowledge::judge::{Finding, Pair, Question};
use knowledge::resolve::{PageSaid, VersionSaid};
use knowledge::time::{Timestamp, parse};
use serde_json::Value;
use std::collections::BTreeMap;

/// Relations that hold one value at a time, as statements have them.
const SINGLE: [&str; 5] = ["is owned by", "is deployed on", "stores its data in", "is led by", "reports to"];

/// A page of one chunk.
pub fn page(line: &str) -> PageSaid {
    let said: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let when = |value: &Value| -> Option<Timestamp> { value.as_str().and_then(parse) };
    let page = PageId::new(text(&said["page"]));
    let chunk = ChunkId::of(&[page.as_str().as_bytes()]);
    let mention = |name: &Value| Mention { name: text(name), kind: Kind::THING, key: None };
    let claim = |claim: &Value| Claim {
        subject: u32::try_from(claim[0].as_u64().unwrap()).unwrap(),
        relation: text(&claim[1]),
        object: match claim[2].as_u64() {
            Some(position) => Object::Named(u32::try_from(position).unwrap()),
            None => Object::Value(text(&claim[2])),
        },
        sentence: text(&claim[3]),
        valid_at: when(&claim[4]),
        invalid_at: when(&claim[5]),
        single: false,
        extractor: Extractor::Model("recorded".to_owned()),
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let reading = Reading {
        mentions: list(&said["names"]).iter().map(mention).collect(),
        claims: list(&said["claims"]).iter().map(claim).collect(),
    };
    let version = VersionSaid { version: Version(1), modified: when(&said["modified"]), chunks: vec![chunk] };
    PageSaid {
        page,
        space: SpaceKey::new(text(&said["space"])),
        versions: vec![version],
        gone: false,
        readings: BTreeMap::from([(chunk, reading)]),
    }
}

/// Subject, relation and value of a statement that holds one value at a time.
pub fn single(text: &str) -> Option<(String, &'static str, String)> {
    let text = text.to_lowercase();
    SINGLE.iter().find_map(|relation| {
        let (subject, value) = text.split_once(&format!(" {relation} "))?;
        let dates = [" since ", " from ", " until ", " on ", " as of "];
        let end = dates.iter().filter_map(|word| value.find(word)).min().unwrap_or(value.len());
        Some((subject.to_owned(), *relation, value[..end].to_owned()))
    })
}

/// What is true: values of such a relation exclude each other, everything else may be true together.
pub fn answer(question: &Question) -> Finding {
    match (question.pair, single(&question.one.quote), single(&question.other.quote)) {
        (Pair::Entities(..), ..) => Finding::Different,
        (_, Some(one), Some(other)) if (&one.0, one.1) == (&other.0, other.1) && one.2 != other.2 => {
            Finding::Contradicts
        }
        _ => Finding::Unrelated,
    }
}
