//! Many synthetic pages out of few real ones: the pages of a wiki again and again, each time with other ids, titles and
//! words. The same wiki and number give the same bytes.
//!
//! Invariant: markup, links and the page tree stay as people wrote them; a copy names things that no other copy names,
//! so that the graph grows with the pages as that of a real wiki does.

use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Copies of the wiki that share a space: with a wiki of some hundred pages, a space of some thousand.
const COPIES_IN_SPACE: usize = 10;
/// One word in this many is the copy's own. With a tenth of its words changed, a page keeps few chunks, names and facts
/// of the one it was made from; with more, the index would hold nothing but words that occur once.
const OWN_WORD: u64 = 10;

type Page = Map<String, Value>;

/// Writes `wanted` pages to `target`, made of the JSONL pages in `wiki`.
pub(super) fn write(wiki: &Path, target: &Path, wanted: usize) -> Result<(), String> {
    let pages = read(wiki)?;
    let failed = |why: &dyn std::fmt::Display| format!("writing `{}`: {why}", target.display());
    let mut file = BufWriter::new(File::create(target).map_err(|why| failed(&why))?);
    for number in 0..wanted {
        let page = copy(&pages[number % pages.len()], number / pages.len());
        let line = serde_json::to_string(&page).map_err(|why| failed(&why))?;
        writeln!(file, "{line}").map_err(|why| failed(&why))?;
    }
    file.flush().map_err(|why| failed(&why))
}

/// Adds a sentence to one page in `every`, in the file that `write` made.
pub(super) fn edit(target: &Path, every: usize) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("editing `{}`: {why}", target.display());
    let edited = target.with_extension("edited");
    let pages = BufReader::new(File::open(target).map_err(|why| failed(&why))?);
    let mut file = BufWriter::new(File::create(&edited).map_err(|why| failed(&why))?);
    for (number, line) in pages.lines().enumerate() {
        let mut line = line.map_err(|why| failed(&why))?;
        if number.is_multiple_of(every) {
            let mut page: Page = serde_json::from_str(&line).map_err(|why| failed(&why))?;
            if let Some(Value::String(body)) = page.get_mut("body_storage") {
                body.push_str(&format!("<p>Service {number} is owned by the team Changed since today.</p>"));
            }
            line = serde_json::to_string(&page).map_err(|why| failed(&why))?;
        }
        writeln!(file, "{line}").map_err(|why| failed(&why))?;
    }
    file.flush().and_then(|()| std::fs::rename(&edited, target)).map_err(|why| failed(&why))
}

fn read(wiki: &Path) -> Result<Vec<Page>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("reading the pages of `{}`: {why}", wiki.display());
    let mut paths: Vec<_> = std::fs::read_dir(wiki)
        .map_err(|why| failed(&why))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .collect();
    paths.sort();
    let mut pages = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|why| failed(&why))?;
        for line in text.lines() {
            pages.push(serde_json::from_str(line).map_err(|why| failed(&why))?);
        }
    }
    match pages.is_empty() {
        true => Err(failed(&"found no `.jsonl` file with pages")),
        false => Ok(pages),
    }
}

/// A page of the copy with this number; the first is the wiki itself.
fn copy(page: &Page, number: usize) -> Page {
    let mut page = page.clone();
    if number == 0 {
        return page;
    }
    let mut change = |field: &str, to: &dyn Fn(&str) -> String| {
        if let Some(Value::String(text)) = page.get_mut(field) {
            *text = to(text);
        }
    };
    // Ids stay numbers, as a real wiki's are.
    change("id", &|id| format!("{id}{number:04}"));
    change("parentId", &|id| format!("{id}{number:04}"));
    change("title", &|title| format!("{title} {number}"));
    change("space", &|space| format!("{space}{}", number / COPIES_IN_SPACE));
    change("body_storage", &|body| own_words(body, number));
    page
}

/// The text with one word in `OWN_WORD` made this copy's own. What stands in tags and entities is left alone.
fn own_words(body: &str, number: usize) -> String {
    let mut text = String::with_capacity(body.len() + body.len() / 16);
    let (mut word, mut closing) = (String::new(), None);
    for sign in body.chars().chain(['\n']) {
        if closing.is_none() && sign.is_alphabetic() {
            word.push(sign);
            continue;
        }
        text.push_str(&word);
        if is_own(&word) {
            text.push_str(&number.to_string());
        }
        word.clear();
        text.push(sign);
        closing = match sign {
            '<' => Some('>'),
            '&' => Some(';'),
            found if closing == Some(found) => None,
            _ => closing,
        };
    }
    text.pop();
    text
}

/// Chosen by the word, so that a copy says the same word the same way everywhere.
fn is_own(word: &str) -> bool {
    let hash = blake3::hash(word.as_bytes());
    let first = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // Short words are grammar.
    word.len() > 4 && first.is_multiple_of(OWN_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_markup_and_changes_the_same_words_everywhere() {
        let changed = "abcdefghijklmnop".chars().map(|sign| format!("word{sign}")).find(|word| is_own(word));
        let word = changed.unwrap();
        let body = format!("<p class=\"{word}\">{word} &amp; the {word}</p>");
        assert_eq!(own_words(&body, 7), format!("<p class=\"{word}\">{word}7 &amp; the {word}7</p>"));
    }

    #[test]
    fn copies_have_their_own_ids_and_their_own_tree() {
        let page = serde_json::json!({"id": "12", "parentId": "3", "title": "Disks", "space": "OPS"});
        let copied = copy(page.as_object().unwrap(), 21);
        let expected =
            serde_json::json!({"id": "120021", "parentId": "30021", "title": "Disks 21", "space": "OPS2"});
        assert_eq!(Value::Object(copied), expected);
        assert_eq!(copy(page.as_object().unwrap(), 0), *page.as_object().unwrap());
    }
}
