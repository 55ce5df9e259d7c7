//! Laws of reading that hold for any body at all: no panic, bounded depth, rectangular tables, text kept.

use knowledge::document::{Block, Document};
use knowledge::page::BodyFormat;
use knowledge::read;
use proptest::prelude::*;

const FORMATS: [BodyFormat; 4] =
    [BodyFormat::Storage, BodyFormat::Markdown, BodyFormat::WikiMarkup, BodyFormat::Plain];

/// Depth of the tree, and whether all tables are rectangles.
fn shape(blocks: &[Block]) -> (usize, bool) {
    let mut all = (0, true);
    let mut take = |inner: (usize, bool)| all = (all.0.max(inner.0 + 1), all.1 && inner.1);
    for block in blocks {
        match block {
            Block::List { items, .. } => items.iter().for_each(|item| take(shape(item))),
            Block::Tasks(tasks) => tasks.iter().for_each(|task| take(shape(&task.body))),
            Block::Definitions(every) => every.iter().for_each(|one| take(shape(&one.blocks))),
            Block::Panel { blocks, .. } | Block::Expand { blocks, .. } => take(shape(blocks)),
            Block::Quote(blocks) | Block::Properties(blocks) => take(shape(blocks)),
            Block::Table(table) => {
                let width = table.rows.first().map_or(0, Vec::len);
                take((0, width > 0 && table.rows.iter().all(|row| row.len() == width)));
                table.rows.iter().flatten().for_each(|cell| take(shape(&cell.blocks)));
            }
            _ => take((0, true)),
        }
    }
    all
}

fn check(document: &Document) {
    let (depth, rectangles) = shape(&document.blocks);
    assert!(depth <= 310, "the tree is {depth} deep");
    assert!(rectangles, "a table is not a rectangle");
    read::markdown(document);
}

/// Bits of markup from which hostile pages are made.
fn scrap() -> impl Strategy<Value = String> {
    const SCRAPS: [&str; 60] = [
        "<p>",
        "</p>",
        "<ul>",
        "</ul>",
        "<li>",
        "</li>",
        "<table>",
        "</table>",
        "<tr>",
        "</tr>",
        "<td>",
        "</td>",
        "<th colspan=\"3\" rowspan=\"2\">",
        "</th>",
        "<td rowspan=\"0\">",
        "<ac:link>",
        "</ac:link>",
        "<ri:page ri:content-title=\"T\"/>",
        "<ri:user ri:account-id=\"k\"/>",
        "<strong>",
        "</strong>",
        "<ac:structured-macro ac:name=\"code\">",
        "</ac:structured-macro>",
        "<ac:plain-text-body>",
        "</ac:plain-text-body>",
        "<![CDATA[",
        "]]>",
        "]] >",
        "<ac:rich-text-body>",
        "</ac:rich-text-body>",
        "<ac:structured-macro ac:name=\"html\">",
        "<ac:structured-macro ac:name=\"info\">",
        "<ac:parameter ac:name=\"\">",
        "</ac:parameter>",
        "<ac:adf-extension>",
        "</ac:adf-extension>",
        "<ac:adf-fallback>",
        "</ac:adf-fallback>",
        "<h2>",
        "</h2>",
        "<pre>",
        "</pre>",
        "<code>",
        "</code>",
        "<br>",
        "<ac:task-list>",
        "<ac:task>",
        "</ac:task>",
        "<a href='x",
        "'>",
        "&nbsp;",
        "&#x1c;",
        "&",
        "<",
        "\u{200b}",
        "- [ ] x\n",
        "| a | b |\n|-|-|\n",
        "{code}",
        "{info}",
        "[a|b]",
    ];
    prop_oneof![prop::sample::select(&SCRAPS[..]).prop_map(str::to_owned), ".{0,8}"]
}

proptest! {
    #[test]
    fn any_bytes_are_read_in_any_format(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let body = String::from_utf8_lossy(&bytes);
        FORMATS.iter().for_each(|&format| check(&read::document(format, &body)));
    }

    #[test]
    fn any_heap_of_markup_is_read_in_any_format(scraps in prop::collection::vec(scrap(), 0..80)) {
        let body = scraps.concat();
        FORMATS.iter().for_each(|&format| check(&read::document(format, &body)));
    }

    #[test]
    fn a_page_cut_or_changed_anywhere_is_still_read(case in 0usize..39, at in 0usize..900, with in scrap()) {
        let cases = include_str!("fixtures/fidelity-cases.json");
        let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
        let body = cases[case]["storage"].as_str().unwrap();
        let at = (0..=at.min(body.len())).rev().find(|&at| body.is_char_boundary(at)).unwrap_or(0);
        check(&read::document(BodyFormat::Storage, &body[..at]));
        check(&read::document(BodyFormat::Storage, &format!("{}{with}{}", &body[..at], &body[at..])));
    }

    #[test]
    fn words_survive_whatever_is_missing_around_them(
        parts in prop::collection::vec((0usize..14, "[a-z]{6}"), 1..20)
    ) {
        // Tags only: inside a parameter, an id or an unfinished tag a word is no text of the page.
        const TAGS: [&str; 14] = [
            "<p>", "</p>", "<b>", "</b>", "<td>", "</table>", "<table>", "<tr>", "<li>", "</ul>", "<ul>",
            "<i>", "<dl>", "<nothing>",
        ];
        let mut body = String::new();
        for (tag, word) in &parts {
            body.push_str(&format!("{} {word} ", TAGS[*tag]));
        }
        let text = read::markdown(&read::document(BodyFormat::Storage, &body));
        for (_, word) in &parts {
            prop_assert!(text.contains(word.as_str()), "`{}` is lost from {:?}: {:?}", word, body, text);
        }
    }

    #[test]
    fn the_text_of_simple_pages_survives(
        words in prop::collection::vec("[a-zA-Z0-9 .,;äé→]{1,20}", 1..12)
    ) {
        const WRAPS: [(&str, &str); 6] = [
            ("<p>", "</p>"), ("<h3>", "</h3>"), ("<ul><li>", "</li></ul>"), ("<p><em>", "</em></p>"),
            ("<table><tbody><tr><td>", "</td></tr></tbody></table>"),
            ("<blockquote><p>", "</p></blockquote>"),
        ];
        let page: String = words.iter().enumerate().map(|(number, word)| {
            let (open, close) = WRAPS[number % WRAPS.len()];
            format!("{open}{word}{close}")
        }).collect();
        let document = read::document(BodyFormat::Storage, &page);
        prop_assert!(document.warnings.is_empty());
        let text = read::markdown(&document);
        for word in words {
            let folded = word.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert!(text.contains(&folded));
        }
    }
}

#[test]
fn a_hundred_thousand_nested_elements_are_flattened_and_counted() {
    for (open, close) in [("<div>", "</div>"), ("<strong>", "</strong>"), ("<ul><li>", "</li></ul>")] {
        let page = format!("{}deep{}<p>after</p>", open.repeat(100_000), close.repeat(100_000));
        let document = read::document(BodyFormat::Storage, &page);
        check(&document);
        assert!(document.warnings.iter().any(|warning| warning.what.contains("deeply")));
        let text = read::markdown(&document);
        assert!(text.contains("deep") && text.ends_with("after"));
    }
    check(&read::document(BodyFormat::Markdown, &"> ".repeat(50_000)));
}

#[test]
fn an_absurd_span_is_counted_and_costs_little() {
    let page = "<table><tr><td colspan=\"100000\" rowspan=\"100000\">x</td></tr><tr><td>y</td></tr></table>";
    let document = read::document(BodyFormat::Storage, page);
    check(&document);
    assert!(document.warnings.iter().any(|warning| warning.what.contains("span")));
    assert!(read::markdown(&document).contains('y'));
}
