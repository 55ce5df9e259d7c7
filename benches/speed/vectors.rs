//! Vectors of a synthetic wiki's texts: the vector of the topic they speak of, with noise. Must not know what asks for
//! them.

use super::wiki::{Dice, Wiki};
use highwater::embedders::Embedder;
use highwater::embedders::Quantised;
use highwater::embedders::builtin::{Builtin, embed_on_all_cores};
use highwater::state::State;
use std::collections::HashMap;

/// Texts between two transactions.
const BATCH: usize = 5_000;
/// Length of the noise against that of the topic's vector: two texts of a topic then have a cosine of about 0.6, as
/// sentences about one thing have.
const NOISE: f32 = 0.8;

/// Fills what is owed a vector; gives how many there are.
pub fn fill(wiki: Wiki, state: &State) -> usize {
    let topics: Vec<String> = (0..wiki.topics).map(|topic| wiki.topic_words(topic).join(" ")).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let topics: Vec<Vec<f32>> = embed_on_all_cores(&topics).iter().map(length_one).collect();
    let names: HashMap<String, usize> =
        (0..wiki.entities()).map(|at| (wiki.name(at), wiki.topic_of(at))).collect();
    state.note_texts(Builtin.name()).unwrap();
    let mut kept = 0;
    loop {
        let texts = state.owed_vectors(0, BATCH).unwrap();
        if texts.is_empty() {
            return kept;
        }
        let vectors: Vec<Quantised> = texts
            .iter()
            .map(|text| {
                let bytes = text.id.as_bytes();
                let mut dice = Dice(u64::from_le_bytes(*bytes.first_chunk().unwrap()));
                let topic = topic_of(&text.text, &names).unwrap_or_else(|| dice.below(topics.len()));
                noisy(&topics[topic], &mut dice)
            })
            .collect();
        state.keep_vectors(Builtin.name(), &texts, &vectors).unwrap();
        kept += texts.len();
    }
}

/// The topic of the name that a text begins with.
fn topic_of(text: &str, names: &HashMap<String, usize>) -> Option<usize> {
    let words: Vec<&str> = text.split([' ', '\n']).take(3).collect();
    (2..=words.len()).rev().find_map(|many| names.get(&words[..many].join(" ")).copied())
}

fn length_one(vector: &Quantised) -> Vec<f32> {
    let numbers: Vec<f32> = vector.to_bytes().iter().map(|byte| f32::from(byte.cast_signed())).collect();
    let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
    numbers.iter().map(|number| number / length.max(1.0)).collect()
}

fn noisy(topic: &[f32], dice: &mut Dice) -> Quantised {
    // The sum of four even numbers is nearly normal, with a variance of a third.
    let mut normal = || {
        let bits = dice.next();
        let part = |at: u32| ((bits >> (16 * at)) & 0xFFFF) as f32 / 65_536.0 - 0.5;
        (part(0) + part(1) + part(2) + part(3)) * 3f32.sqrt()
    };
    let scale = NOISE / (topic.len() as f32).sqrt();
    let vector: Vec<f32> = topic.iter().map(|number| number + scale * normal()).collect();
    Quantised::of(&vector)
}
