//! Where sentences end. One rule for cutting and for quoting, so that a quoted sentence is never cut in two. It must
//! not know blocks. Invariant: the sentences of a text, put together, are the text.

/// Words after which a dot does not end a sentence.
#[rustfmt::skip]
const ABBREVIATIONS: &[&str] = &[
    "e.g", "i.e", "etc", "vs", "cf", "approx", "incl", "excl", "resp", "no", "nr", "fig", "mr", "mrs", "ms",
    "dr", "prof", "st", "inc", "ltd", "co", "dept", "est", "min", "max", "ver", "sec", "ca", "al", "eg",
    "ie", "viz",
];

/// The sentences of a text in order, each with the white space that follows it. A line break ends a sentence too.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let end = match bytes[at] {
            b'\n' => Some(at + 1),
            b'.' | b'!' | b'?' => sentence_end(text, start, at),
            _ => None,
        };
        at += 1;
        if let Some(end) = end {
            let end = end + text[end..].len() - text[end..].trim_start().len();
            out.push(&text[start..end]);
            (start, at) = (end, end);
        }
    }
    if start < text.len() {
        out.push(&text[start..]);
    }
    out
}

/// If the mark at `at` ends the sentence that began at `start`: where, closing quotes and brackets included.
fn sentence_end(text: &str, start: usize, at: usize) -> Option<usize> {
    let after = text[at..].trim_start_matches(['.', '!', '?']);
    let after = after.trim_start_matches(['"', '\'', ')', ']', '*', '_', '”', '’', '»', '`']);
    let end = text.len() - after.len();
    if after.is_empty() {
        return Some(end);
    }
    let next = after.trim_start();
    let word =
        next.split(char::is_whitespace).next().unwrap_or_default().trim_end_matches([',', '.', ';', ':']);
    // A small letter goes on, unless the word is a name that is written small: `ledger-service`.
    let goes_on = next.starts_with(|c: char| c.is_lowercase()) && word.chars().all(char::is_alphabetic);
    if next.len() == after.len() || goes_on {
        return None;
    }
    let word = text[start..at].rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    (text[at..end].starts_with(['!', '?']) || !is_short_form(word)).then_some(end)
}

/// An abbreviation, an initial, or the number of a numbered line.
fn is_short_form(word: &str) -> bool {
    let lower = word.to_lowercase();
    let initial = lower.chars().count() == 1 && lower.chars().all(char::is_alphabetic);
    let number = !lower.is_empty() && lower.len() <= 2 && lower.bytes().all(|byte| byte.is_ascii_digit());
    initial || number || ABBREVIATIONS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sentences_put_together_are_the_text(text in "[a-zé .!?\n\"*)A-Z0-9]{0,80}") {
            prop_assert_eq!(sentences(&text).concat(), text);
        }
    }

    #[test]
    fn abbreviations_versions_and_names_of_files_end_nothing() {
        let text =
            "Use e.g. Redis 7.2 or config.yml. Then restart! See Fig. 3 (v. 2). \"Done.\" Next line\nends.";
        let found: Vec<&str> = sentences(text).into_iter().map(str::trim).collect();
        let expected = [
            "Use e.g. Redis 7.2 or config.yml.",
            "Then restart!",
            "See Fig. 3 (v. 2).",
            "\"Done.\"",
            "Next line",
            "ends.",
        ];
        assert_eq!(found, expected);
    }
}
