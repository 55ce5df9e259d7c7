//! Conversion cases of storage format with what must and must not be in the Markdown. Written for this
//! project.
//!
//! A check is a string the Markdown must hold. `~ws` at its end folds white space first. Prefixes: `COLSn:` a
//! table row of n cells that match (`*` is any); `ROW:` and `SAMELINE:` the words on one line in order;
//! `KIND:` a panel of one of these kinds; `ONCE:` exactly once; `ANY:` one of these; `NEST:` the second word
//! indented deeper than the first.

use knowledge::page::BodyFormat;
use knowledge::read;
use serde_json::Value;

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn in_order(line: &str, words: &str) -> bool {
    let mut rest = line;
    words.split(',').all(|word| match rest.split_once(word) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

fn columns(line: &str, check: &str) -> bool {
    let (count, wanted) = check.split_once(':').expect("`COLSn:` has cells");
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
    let matches = |(cell, wanted): (&&str, &str)| wanted == "*" || *cell == wanted;
    cells.len().to_string() == count && cells.iter().zip(wanted.split(',')).all(matches)
}

fn indent(text: &str, word: &str) -> Option<usize> {
    let line = text.lines().find(|line| line.trim().ends_with(word))?;
    Some(line.len() - line.trim_start().len())
}

fn holds(text: &str, check: &str) -> bool {
    if let Some(check) = check.strip_suffix("~ws") {
        return folded(text).contains(&folded(check));
    }
    let (kind, rest) = check.split_once(':').unwrap_or(("", check));
    match kind {
        "ROW" | "SAMELINE" => text.lines().any(|line| in_order(line, rest)),
        "KIND" => rest.split(',').any(|kind| text.to_lowercase().contains(&format!("[!{kind}]"))),
        "ONCE" => text.matches(rest).count() == 1,
        "ANY" => rest.split(',').any(|one| text.contains(one)),
        "NEST" => {
            let (outer, inner) = rest.split_once(',').expect("`NEST:` has two words");
            indent(text, outer) < indent(text, inner)
        }
        _ if kind.starts_with("COLS") => text.lines().any(|line| columns(line, &check[4..])),
        _ => text.contains(check),
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn failures(case: &Value, must: &Value, must_not: &Value) -> Vec<String> {
    let storage = case["storage"].as_str().unwrap_or_default();
    let text = read::markdown(&read::document(BodyFormat::Storage, storage));
    let missing =
        strings(must).into_iter().filter(|check| !holds(&text, check)).map(|check| format!("no `{check}`"));
    let wrong =
        strings(must_not).into_iter().filter(|wrong| text.contains(wrong)).map(|wrong| format!("`{wrong}`"));
    missing.chain(wrong).map(|why| format!("{}: {why} in:\n{text}\n", case["name"])).collect()
}

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/fidelity-cases.json")).expect("the fixture is JSON")
}

#[test]
fn all_strict_cases_convert_as_they_should() {
    let cases = cases();
    assert_eq!(cases.len(), 39);
    let failed: Vec<_> = cases
        .iter()
        .flat_map(|case| failures(case, &case["strict_checks"], &case["must_not_contain"]))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn all_informational_cases_keep_their_information() {
    let cases: Vec<Value> = cases().into_iter().filter(|case| !case["info"].is_null()).collect();
    assert_eq!(cases.len(), 31);
    let failed: Vec<_> = cases
        .iter()
        .flat_map(|case| failures(case, &case["info"]["must"], &case["info"]["must_not"]))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
