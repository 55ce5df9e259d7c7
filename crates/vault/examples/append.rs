//! Measures appending to and reading from a vault in a folder: `append FOLDER [APPENDS] [RECORDS]`. The
//! folder must not exist yet, and stays for you to look at.
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::time::{Duration, Instant};
use vault::{DirStore, Error, Event, Identity, Nonce, Segment, Vault, VaultId, Writer};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "target/append-bench".to_owned());
    let mut number = |default| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (appends, records): (usize, usize) = (number(500), number(10));

    let store = DirStore::new(folder);
    vault::init(&store, &Identity::new(VaultId::new([1; 16]), "bench")).await?;
    let mut vault = Vault::open(store.clone(), Writer::default(), Nonce::new([1; 16]), at(0)).await?;
    let mut times = Vec::with_capacity(appends);
    for round in 0..appends {
        let batch: Vec<String> = (0..records).map(|record| text(round * records + record)).collect();
        let begun = Instant::now();
        vault.append(at(round), batch).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let middle = |part: usize| times[(appends * part / 100).min(appends - 1)];
    println!("{appends} appends of {records} records: median {:?}, p99 {:?}", middle(50), middle(99));

    let begun = Instant::now();
    let (mut count, mut inflated, mut bytes) = (0u64, 0u64, 0u64);
    vault::read(&store, None, |segment: Segment<String>| {
        bytes += segment.bytes;
        for entry in segment.entries {
            if let Event::Record(record) = entry.event {
                count += 1;
                inflated += record.len() as u64;
            }
        }
        Ok::<_, Error>(())
    })
    .await?;
    report("read", count, inflated, begun.elapsed());
    println!("{:.1} bytes per record of {:.1}", bytes as f64 / count as f64, inflated as f64 / count as f64);
    let begun = Instant::now();
    let found = vault::verify(&store).await?;
    report("verify", found.entries, inflated, begun.elapsed());
    Ok(())
}

fn report(what: &str, entries: u64, bytes: u64, time: Duration) {
    let seconds = time.as_secs_f64();
    println!("{what}: {:.0} entries/s, {:.1} MB/s", entries as f64 / seconds, bytes as f64 / seconds / 1e6);
}

fn at(round: usize) -> jiff::Timestamp {
    let second = 1_790_000_000 + i64::try_from(round).unwrap_or_default();
    jiff::Timestamp::from_second(second).unwrap_or_default()
}

/// About 600 characters that compress like prose: words from a small list, picked by a fixed sequence.
fn text(seed: usize) -> String {
    const WORDS: [&str; 12] = [
        "ledger", "service", "owns", "the", "replica", "of", "topic", "since", "release", "metadata",
        "broker", "and",
    ];
    let mut state = seed as u64 + 1;
    let mut text = String::new();
    while text.len() < 600 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 33) as usize % WORDS.len()]);
        text.push(' ');
    }
    text
}
