//! The example of `docs/vault-format.md` is a vault: what the page shows is what the code reads and writes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![allow(clippy::print_stdout, reason = "prints a new example when asked to")]

mod common;

use common::*;
use vault::{MemoryStore, Seq, Vault};

const PAGE: &str = include_str!("../../../docs/vault-format.md");

/// The fenced blocks of a language, as (name of the object, content).
fn blocks(language: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for block in PAGE.split("\n```").skip(1) {
        let (head, content) = block.split_once('\n').unwrap_or((block, ""));
        if let Some(("", name)) = head.split_once(language)
            && let Some(name) = name.strip_prefix(' ')
        {
            found.push((name.to_owned(), format!("{content}\n")));
        }
    }
    found
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// The vault that the page tells of, written by today's code.
async fn written_now() -> MemoryStore {
    let store = Scripted::over(fresh().await);
    let mut first = open(store.clone(), 1).await.unwrap();
    store.next(&[Fault::TornAfter(60)]);
    first.append(at(11), vec![text("lost")]).await.unwrap_err();
    let mut second: Vault<_> = open(store.clone(), 2).await.unwrap();
    second.append(at(12), vec![text("kept"), Probe::Number(42)]).await.unwrap();
    store.inner
}

fn lines(object: &[u8]) -> String {
    String::from_utf8(zstd::decode_all(object).unwrap()).unwrap()
}

#[test]
fn the_example_of_the_format_page_is_read() {
    run(async {
        let (name, identity) = blocks("json").pop().expect("the page shows `VAULT.json`");
        let mut objects = Objects::from([(name, identity.into_bytes())]);
        objects.extend(blocks("hex").into_iter().map(|(name, hex)| (name, from_hex(&hex))));
        assert_eq!(objects.len(), 5);
        let store = MemoryStore::from(objects.clone());
        let found = vault::verify(&store).await.unwrap();
        assert_eq!((found.segments, found.entries, found.terms, found.voided), (3, 4, 2, 1));
        assert_eq!(found.tail.seq, Seq::new(4));
        assert_eq!(records(&store).await, [text("kept"), Probe::Number(42)]);
        let shown = blocks("jsonl");
        assert_eq!(shown.len(), 3);
        for (name, content) in shown {
            assert_eq!(lines(&objects[&name]), content, "{name}");
        }
    });
}

#[test]
fn todays_code_writes_what_the_format_page_shows() {
    run(async {
        let mut objects = written_now().await.objects();
        if std::env::var_os("SHOW_VAULT_EXAMPLE").is_some() {
            show(&objects);
        }
        let (_, identity) = blocks("json").pop().expect("the page shows `VAULT.json`");
        assert_eq!(objects.remove("VAULT.json").unwrap(), identity.into_bytes());
        // The compressed bytes are zstd's affair and may differ between its versions; digests of them do,
        // too. So the lines are compared with every digest masked.
        for (name, content) in blocks("jsonl") {
            assert_eq!(masked(&lines(&objects[&name])), masked(&content), "{name}");
        }
    });
}

/// Replaces every run of 64 hex digits.
fn masked(text: &str) -> String {
    let is_digest = |part: &&str| part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parts: Vec<&str> =
        text.split('"').map(|part| if is_digest(&part) { "digest" } else { part }).collect();
    parts.join("\"")
}

/// Prints the example, to be put into the page when the format changes on purpose.
fn show(objects: &Objects) {
    for (name, bytes) in objects {
        if name == "VAULT.json" {
            println!("```json {name}\n{}```\n", String::from_utf8_lossy(bytes));
            continue;
        }
        if inflates(bytes) {
            println!("```jsonl {name}\n{}```\n", lines(bytes));
        }
        println!("```hex {name}");
        for row in bytes.chunks(32) {
            println!("{}", row.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "));
        }
        println!("```\n");
    }
}

fn inflates(bytes: &[u8]) -> bool {
    zstd::decode_all(bytes).is_ok()
}
