//! The model against the vectors that the original fp32 model gave, and against itself.

#![allow(clippy::unwrap_used, reason = "a failed test is how a test reports")]

use minilm::Model;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

const WEIGHTS: &[u8] = include_bytes!("../../../assets/embedding/minilm-l6-v2.int8.safetensors");
const VOCABULARY: &str = include_str!("../../../assets/embedding/vocabulary.txt");

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::load(WEIGHTS, VOCABULARY).unwrap());
static GOLDEN: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../assets/embedding/minilm-golden.json")).unwrap()
});

fn texts() -> Vec<&'static str> {
    GOLDEN["cases"].as_array().unwrap().iter().map(|case| case["text"].as_str().unwrap()).collect()
}

fn dot(left: &[f32], right: &[f32]) -> f64 {
    left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
}

#[test]
fn the_token_ids_are_the_golden_ones() {
    for case in GOLDEN["cases"].as_array().unwrap() {
        let ids = MODEL.tokens(case["text"].as_str().unwrap());
        assert_eq!(serde_json::json!(ids), case["ids"], "{}", case["text"]);
    }
}

/// The bound for one pair is 0.006: these int8 weights, run in plain f32, are off by 0.00556 themselves (the
/// pair "KRaft" and "Überprüfung …"; three independent f32 forward passes agree on the figure), so 0.005
/// cannot be met for that pair and one other by any faithful arithmetic. All other pairs must meet 0.005, and
/// the mean 0.002.
#[test]
fn the_cosines_are_the_golden_ones() {
    let vectors = MODEL.embed(&texts());
    let mut errors = Vec::new();
    for (row, left) in GOLDEN["cosine"].as_array().unwrap().iter().zip(&vectors) {
        for (expected, right) in row.as_array().unwrap().iter().zip(&vectors) {
            errors.push((dot(left, right) - expected.as_f64().unwrap()).abs());
        }
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let worst = errors.iter().copied().fold(0.0, f64::max);
    let beyond = errors.iter().filter(|error| **error > 0.005).count();
    println!("worst {worst:.5}, mean {mean:.5}, entries beyond 0.005: {beyond} of {}", errors.len());
    assert!(worst < 0.006 && mean < 0.002 && beyond <= 4, "worst {worst}, mean {mean}, beyond {beyond}");
}

/// If the vectors are as far from the fp32 ones as the golden file says an int8 loader's are, then so are, on
/// average, their first eight numbers. A wrong layer would show as a ratio far above 1.
#[test]
fn the_first_numbers_are_as_close_as_the_weights_allow() {
    let vectors = MODEL.embed(&texts());
    let (mut found, mut allowed) = (0.0, 0.0);
    for (case, vector) in GOLDEN["cases"].as_array().unwrap().iter().zip(&vectors) {
        for (expected, x) in case["first8"].as_array().unwrap().iter().zip(vector) {
            found += (f64::from(*x) - expected.as_f64().unwrap()).powi(2);
        }
        let cosine = case["cos_int8_vs_fp32"].as_f64().unwrap();
        allowed += 2.0 * (1.0 - cosine) * 8.0 / Model::DIMENSIONS as f64;
    }
    assert!(found / allowed < 1.2, "ratio {}", found / allowed);
}

#[test]
fn a_processor_without_special_instructions_gives_the_same_bits() {
    let portable = Model::load_portable(WEIGHTS, VOCABULARY).unwrap();
    assert_eq!(portable.embed(&texts()), MODEL.embed(&texts()));
}

/// Held for ever: vectors are kept, so an arithmetic that gives others needs another model name.
#[test]
fn the_bits_are_those_of_every_other_machine() {
    let digest = MODEL.embed(&texts()).concat().iter().fold(0xcbf2_9ce4_8422_2325u64, |digest, x| {
        (digest ^ u64::from(x.to_bits())).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(format!("{digest:016x}"), "1f5c62a6a6a9d625");
}

#[test]
fn vectors_have_length_one_even_for_no_text() {
    for vector in MODEL.embed(&["", "\0", "payments", &"a b ".repeat(2000)]) {
        assert_eq!(vector.len(), Model::DIMENSIONS);
        assert!((dot(&vector, &vector) - 1.0).abs() < 1e-5);
    }
    assert!(MODEL.embed(&[]).is_empty());
}

#[test]
fn cut_weights_are_refused_with_what_is_missing() {
    let error = Model::load(&WEIGHTS[..WEIGHTS.len() / 2], VOCABULARY).err().unwrap().to_string();
    assert!(error.contains("expected at most"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_text_has_one_vector_whatever_it_is_embedded_with(
        texts in prop::collection::vec("[a-zäé東 .-]{0,120}", 1..8),
        at: prop::sample::Index,
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let at = at.index(texts.len());
        prop_assert_eq!(&MODEL.embed(&texts)[at], &MODEL.embed(&texts[at..=at])[0]);
    }
}
