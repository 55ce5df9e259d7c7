//! Texts per second of the built-in embedder on one core, the time to load it, and cosines per second of kept
//! vectors: `cargo bench --bench embedding`. Prints the best of five rounds, since others may use the
//! machine.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use highwater::embedders::{Quantised, builtin::Builtin};
use minilm::Vocabulary;
use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    Vocabulary::parse(include_str!("../assets/embedding/vocabulary.txt"))
        .expect("the vocabulary is a file of ours")
});

/// Facts of 10 to 15 words, as a wiki states them.
const FACTS: [&str; 8] = [
    "The payments team has owned ledger-service since the reorganisation of March 2026.",
    "Kafka topic orders.created has twelve partitions and a retention of seven days.",
    "Maria Gonzalez leads the platform group and reviews every change of the schema.",
    "KIP-595 replaces ZooKeeper by a Raft quorum that the brokers themselves hold.",
    "The nightly export depends on billing-api, which runs in the Frankfurt region only.",
    "Release 4.2 was delayed by two weeks because the load test had failed twice.",
    "Every incident of severity one needs a written review within five working days.",
    "Access to the staging cluster is granted by the security team on request.",
];

fn main() {
    let start = Instant::now();
    black_box(Builtin.embed(&["first"]));
    println!("load and first text: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let start = Instant::now();
    black_box(Builtin.embed(&["who owns the ledger service?"]));
    println!("one question: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let facts: Vec<String> = (0..320).map(|at| format!("{} {at}", FACTS[at % FACTS.len()])).collect();
    rate("facts of 12 to 14 words, together", &facts, |facts| Builtin.embed(facts));
    rate("facts of 12 to 14 words, one by one", &facts, |facts| {
        facts.iter().flat_map(|fact| Builtin.embed(&[fact])).collect()
    });
    // Twelve facts are about 200 tokens.
    let passages: Vec<String> =
        (0..32).map(|at| format!("{at} {} {}", FACTS.join(" "), FACTS[..4].join(" "))).collect();
    rate("passages of about 200 tokens", &passages, |passages| Builtin.embed(passages));

    let kept = Builtin.embed(&facts.iter().map(String::as_str).collect::<Vec<_>>());
    let best = best(|| {
        for left in &kept {
            black_box(kept.iter().map(|right| left.cosine(right)).fold(0.0, f32::max));
        }
    });
    println!(
        "cosines of kept vectors: {:.1} M/s",
        (kept.len() * kept.len()) as f64 / best.as_secs_f64() / 1e6
    );
}

fn rate(what: &str, texts: &[String], embed: impl Fn(&[&str]) -> Vec<Quantised>) {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let best = best(|| drop(black_box(embed(&texts))));
    let tokens: usize = texts.iter().map(|text| VOCABULARY.tokens(text).len()).sum();
    let (count, seconds) = (texts.len() as f64, best.as_secs_f64());
    println!("{what} ({:.1} tokens each): {:.0} texts/s", tokens as f64 / count, count / seconds);
}

fn best(mut run: impl FnMut()) -> Duration {
    let rounds = (0..5).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    rounds.min().unwrap_or_default()
}
