//! The laws of cutting, as properties, then examples.

use super::*;
use crate::document::{Cell, Inline, Table};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn text(words: &str) -> Vec<Inline> {
    vec![Inline::Text(words.to_owned())]
}

fn paragraph(words: &str) -> Block {
    Block::Paragraph(text(words))
}

fn heading(level: u8, words: &str) -> Block {
    Block::Heading { level, text: text(words) }
}

fn row(header: bool, cells: &[&str]) -> Vec<Cell> {
    cells.iter().map(|words| Cell { header, blocks: vec![paragraph(words)] }).collect()
}

fn cut_blocks(blocks: Vec<Block>, cap: usize) -> Vec<Chunk> {
    cut(&PageId::new("7"), "Title", &Document { blocks, warnings: Vec::new() }, cap)
}

fn ids(chunks: &[Chunk]) -> BTreeSet<ChunkId> {
    chunks.iter().map(|chunk| chunk.id).collect()
}

/// The words made by the strategies below; markers and fences hold none of them.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.starts_with('w') && word.len() > 4).map(str::to_owned).collect()
}

fn sentence() -> impl Strategy<Value = String> {
    proptest::collection::vec("w[a-z0-9]{4,7}", 1..12).prop_map(|words| words.join(" ") + ". ")
}

fn prose(sentences: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(sentence(), 1..sentences).prop_map(|all| all.concat().trim().to_owned())
}

fn leaf() -> impl Strategy<Value = Block> {
    let code = proptest::collection::vec(prose(3), 1..6).prop_map(|lines| Block::Code {
        language: Some("sh".into()),
        title: None,
        text: lines.join("\n\n"),
    });
    prop_oneof![4 => prose(12).prop_map(|words| paragraph(&words)), 1 => code]
}

fn block() -> impl Strategy<Value = Block> {
    leaf().prop_recursive(3, 24, 6, |inner| {
        let some = || proptest::collection::vec(inner.clone(), 1..4);
        let items = || proptest::collection::vec(some(), 1..6);
        let cell = (some(), any::<bool>()).prop_map(|(blocks, header)| Cell { header, blocks });
        let table = proptest::collection::vec(proptest::collection::vec(cell, 2), 1..6);
        prop_oneof![
            (items(), any::<bool>())
                .prop_map(|(items, numbered)| Block::List { start: numbered.then_some(1), items }),
            some().prop_map(|blocks| Block::Panel { kind: "INFO", title: None, blocks }),
            some().prop_map(Block::Quote),
            some().prop_map(|blocks| Block::Expand { title: None, blocks }),
            table.prop_map(|rows| Block::Table(Table { rows })),
        ]
    })
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let heading = (1..5u8, prose(2)).prop_map(|(level, words)| heading(level, words.trim_end_matches('.')));
    proptest::collection::vec(prop_oneof![1 => heading, 2 => block()], 0..14)
}

/// A page of sections under the given headings, each with its paragraphs.
fn page_of(sections: &[(String, Vec<String>)]) -> Vec<Block> {
    let section = |(name, paragraphs): &(String, Vec<String>)| {
        std::iter::once(heading(2, name))
            .chain(paragraphs.iter().map(|words| paragraph(words)))
            .collect::<Vec<_>>()
    };
    sections.iter().flat_map(section).collect()
}

fn sections(count: Range<usize>) -> impl Strategy<Value = Vec<(String, Vec<String>)>> {
    proptest::collection::vec(("[A-Z][a-z]{5,9}", proptest::collection::vec(prose(6), 1..6)), count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_word_is_in_a_chunk_in_order_and_the_cap_holds(blocks in blocks(), cap in 80..1200usize) {
        let whole: Vec<String> = blocks.iter().flat_map(|block| words(&split::rendered(block))).collect();
        // Headers are repeated, and a row over the cap is written with each header before its cell.
        let headed = format!("{blocks:?}").contains("Table(");
        let chunks = cut_blocks(blocks, cap);
        prop_assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= cap));
        let found: Vec<String> = chunks.iter().flat_map(|chunk| words(&chunk.text)).collect();
        if !headed {
            prop_assert_eq!(&found, &whole);
        }
        let (found, whole): (BTreeSet<_>, BTreeSet<_>) = (found.into_iter().collect(), whole.into_iter().collect());
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn cutting_twice_gives_the_same_chunks_and_no_id_twice(blocks in blocks(), cap in 80..1200usize) {
        let chunks = cut_blocks(blocks.clone(), cap);
        prop_assert_eq!(&cut_blocks(blocks, cap), &chunks);
        prop_assert_eq!(ids(&chunks).len(), chunks.len());
    }

    #[test]
    fn a_changed_paragraph_changes_only_chunks_near_it(
        sections in sections(4..24), at in any::<prop::sample::Index>(), words in prose(6),
    ) {
        let cap = 1200;
        let before = cut_blocks(page_of(&sections), cap);
        let mut edited = sections.clone();
        let touched = at.index(sections.len());
        edited[touched].1[0] = words;
        let after = cut_blocks(page_of(&edited), cap);
        let (before, line) = (ids(&before), format!("## {}", sections[touched].0));
        let new: Vec<usize> = (0..after.len()).filter(|&at| !before.contains(&after[at].id)).collect();
        let edited_at = after.iter().position(|chunk| chunk.text.lines().any(|found| found == line)).unwrap();
        // Cutting runs forward: nothing changes before the edit but the group that the edited section may join, and
        // from the first common border on all is as it was.
        prop_assert!(new.first().is_none_or(|&first| first + 1 >= edited_at), "{:?} {}", new, edited_at);
        prop_assert!(new.windows(2).all(|pair| pair[1] - pair[0] <= 2), "{:?}", new);
    }

    #[test]
    fn a_section_of_its_own_keeps_its_id_when_it_moves(order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle()) {
        let section = |at: &usize| (format!("Part {at}"), vec!["word ".repeat(130) + &at.to_string()]);
        let before = cut_blocks(page_of(&(0..6).collect::<Vec<_>>().iter().map(section).collect::<Vec<_>>()), 1200);
        let after = cut_blocks(page_of(&order.iter().map(section).collect::<Vec<_>>()), 1200);
        prop_assert_eq!(ids(&before), ids(&after));
    }
}

#[test]
fn a_page_that_fits_is_one_chunk_under_its_title() {
    let chunks = cut_blocks(
        vec![heading(1, "Intro"), paragraph("Hello."), heading(2, "More"), paragraph("Bye.")],
        3500,
    );
    assert_eq!(chunks.len(), 1);
    assert_eq!(chunks[0].path, ["Title"]);
    assert_eq!(chunks[0].text, "# Intro\n\nHello.\n\n## More\n\nBye.");
}

#[test]
fn a_section_that_does_not_fit_is_cut_at_its_children() {
    let long = "A sentence of some length. ".repeat(10);
    let blocks = vec![
        heading(1, "Title"),
        heading(2, "Install"),
        paragraph(&long),
        heading(3, "Linux"),
        paragraph(&long),
        heading(3, "Mac"),
        paragraph(&long),
        heading(2, "Use"),
        paragraph(&long),
    ];
    let chunks = cut_blocks(blocks, 310);
    let paths: Vec<String> = chunks.iter().map(|chunk| chunk.path.join(" > ")).collect();
    assert_eq!(paths, ["Title > Install", "Title > Install > Linux", "Title > Install > Mac", "Title > Use"]);
    assert!(chunks[0].text.starts_with("# Title\n\n## Install\n\n"), "a bare heading joins what follows");
}

#[test]
fn an_empty_page_has_no_chunk() {
    assert_eq!(cut_blocks(vec![], 3500), []);
    assert_eq!(cut_blocks(vec![Block::Rule, paragraph(" ")], 3500), []);
}

#[test]
fn a_long_table_is_cut_by_rows_under_its_header() {
    let mut rows = vec![row(true, &["Service", "Owner"])];
    rows.extend((0..60).map(|at| row(false, &[&format!("service-{at}"), "The team that runs it"])));
    let chunks = cut_blocks(vec![Block::Table(Table { rows })], 600);
    assert!(chunks.len() > 3);
    for chunk in &chunks {
        assert!(chunk.text.starts_with("| Service | Owner |"), "{}", chunk.text);
        assert!(chunk.text.ends_with('|'));
    }
}

#[test]
fn long_code_is_cut_at_blank_lines_with_its_fence_repeated() {
    let text = (0..20).map(|at| format!("fn f{at}() {{\n    work();\n}}\n")).collect::<Vec<_>>().join("\n");
    let chunks = cut_blocks(vec![Block::Code { language: Some("rust".into()), title: None, text }], 200);
    assert!(chunks.len() > 2);
    for chunk in &chunks {
        assert!(chunk.text.starts_with("```rust\nfn f"), "{}", chunk.text);
        assert!(chunk.text.ends_with("}\n```"), "{}", chunk.text);
    }
}

#[test]
fn prose_is_cut_between_sentences_and_a_line_without_any_in_the_middle() {
    let chunks = cut_blocks(vec![paragraph(&"This is a sentence. ".repeat(40))], 100);
    assert!(chunks.iter().all(|chunk| chunk.text.ends_with("sentence.")));
    let chunks = cut_blocks(vec![paragraph(&"é".repeat(1000))], 100);
    assert_eq!(chunks.iter().map(|chunk| chunk.text.chars().count()).sum::<usize>(), 1000);
}

#[test]
fn equal_text_twice_has_two_ids() {
    let long = "Same words again. ".repeat(8);
    let blocks = vec![heading(2, "A"), paragraph(&long), heading(2, "A"), paragraph(&long)];
    let chunks = cut_blocks(blocks, 200);
    assert_eq!(chunks.iter().map(|chunk| chunk.occurrence).collect::<Vec<_>>(), [0, 1]);
    assert_ne!(chunks[0].id, chunks[1].id);
}

#[test]
fn an_edit_changes_two_chunks_or_less_on_average() {
    let section = |at: usize, edit: &str| {
        let paragraph =
            |k: usize| format!("Words of section {at} in paragraph {k}{edit}. ").repeat(3 + (at * 7 + k) % 9);
        (format!("Section number {at}"), (0..1 + at % 5).map(paragraph).collect::<Vec<_>>())
    };
    let page: Vec<_> = (0..60).map(|at| section(at, "")).collect();
    let before = ids(&cut_blocks(page_of(&page), 2000));
    let mut fresh = 0;
    for at in 0..60 {
        let (mut changed, mut shorter, mut longer) = (page.clone(), page.clone(), page.clone());
        changed[at] = section(at, " as edited");
        shorter.remove(at);
        longer.insert(at, section(100 + at, ""));
        for edited in [changed, shorter, longer] {
            fresh += ids(&cut_blocks(page_of(&edited), 2000)).difference(&before).count();
        }
    }
    assert!(fresh <= 2 * 180, "{fresh} new chunks in 180 edits");
}
