//! Dates in words. It must not guess: a date without a year, or one whose day and month could be swapped, is none.

use crate::time::{Timestamp, parse};

#[rustfmt::skip]
const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The date a whole text is: `2026-03-01`, `1 March 2026`, `March 1, 2026`, `March 2026`.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_end_matches('.');
    if text.starts_with(|c: char| c.is_ascii_digit())
        && text.len() == 10
        && text.as_bytes().get(4) == Some(&b'-')
    {
        return parse(text);
    }
    let words: Vec<&str> =
        text.split([' ', ',', '-']).filter(|word| !word.is_empty() && *word != "of").collect();
    let (day, month, year) = match words.as_slice() {
        [month, year] => ("1", *month, *year),
        [day, month, year] if number(day).is_some() => (*day, *month, *year),
        [month, day, year] => (*day, *month, *year),
        _ => return None,
    };
    let (day, month, year) = (number(day)?, number_of_month(month)?, year.parse::<u16>().ok()?);
    if !(1990..2100).contains(&year) {
        return None;
    }
    parse(&format!("{year:04}-{month:02}-{day:02}"))
}

fn number(day: &str) -> Option<u8> {
    let digits = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let tail = &day[digits.len()..];
    matches!(tail, "" | "st" | "nd" | "rd" | "th")
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|day| (1..=31).contains(day))
}

fn number_of_month(word: &str) -> Option<usize> {
    let lower = word.to_lowercase();
    let lower = lower.trim_end_matches('.');
    let at = MONTHS.iter().position(|month| lower.starts_with(month))?;
    let full = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ][at];
    (lower.len() == 3 || lower == full || lower == "sept").then_some(at + 1)
}

/// The date behind one of these words, such as `since 2026-03-01`.
fn after(text: &str, words: &[&str]) -> Option<Timestamp> {
    let lower = text.to_lowercase();
    // Lower case can change lengths in some scripts; then positions mean nothing.
    if lower.len() != text.len() {
        return None;
    }
    let starts = words.iter().filter_map(|word| lower.find(word).map(|at| at + word.len()));
    let mut rests =
        starts.filter_map(|at| text.get(at..)).map(|rest| rest.split_whitespace().collect::<Vec<_>>());
    rests.find_map(|rest| (1..=4.min(rest.len())).rev().find_map(|count| dated(&rest[..count])))
}

fn dated(words: &[&str]) -> Option<Timestamp> {
    let joined = words.join(" ");
    date(joined.trim_end_matches([',', ';', ')', '.', ':']))
}

/// `since`, `as of`, `starting` and a date.
pub(super) fn since(text: &str) -> Option<Timestamp> {
    after(text, &["since ", "as of ", "starting from ", "with effect from ", "effective from "])
}

/// `until`, `up to`, `retired on` and a date.
pub(super) fn until(text: &str) -> Option<Timestamp> {
    after(text, &["until ", "up to ", "ended on ", "valid till "])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_usual_forms_and_not_guessed() {
        let expected = parse("2026-03-01");
        for text in
            ["2026-03-01", "1 March 2026", "March 1, 2026", "1st Mar 2026", "March 2026", "01-Mar-2026"]
        {
            assert_eq!(date(text), expected, "{text}");
        }
        for text in
            ["03/04/2026", "March", "1 March", "2026", "31 Foo 2026", "2026-13-01", "1-3-2026", "29 Nov 22"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn since_and_until_take_the_date_that_follows() {
        let text = "Payments is owned by Team Blue since 1 March 2026, and was planned until 2027-01-01.";
        assert_eq!(since(text), parse("2026-03-01"));
        assert_eq!(until(text), parse("2027-01-01"));
        assert_eq!(since("since release 4.8"), None);
    }
}
