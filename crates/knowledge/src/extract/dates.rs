//! When a fact holds, as a model says and a text confirms. It must not know who is dated. Invariants: no time without a
//! trace in the text or in the chunk's own date, and no fact that ends before it begins.

use crate::extract::Asked;
use crate::time::{self, Timestamp};
use jiff::tz::TimeZone;

/// How a model says "at the time the page was written", which is shorter than the time and cannot be miscopied.
pub(super) const NOW: &str = "now";

/// How far from a page's own date a date may be that the text does not name: "last year", "next summer". Half a
/// thousand days reach over any of these, and a date made up out of nothing is further off as a rule.
const RELATIVE_DAYS: i64 = 500;

/// Wording that puts a fact into the future.
#[rustfmt::skip]
const FUTURE: &[&str] = &[
    "will", "shall", "going to", "plan to", "plans to", "planned to", "planned for", "planning to", "scheduled to",
    "scheduled for", "intend to", "intends to", "expect to", "expects to", "expected to", "aim to", "aims to",
    "upcoming", "about to",
];

/// Wording that gives a true end.
#[rustfmt::skip]
const ENDS: &[&str] = &[
    "until", "till", "through", "expire", "expires", "expired", "ends", "ended", "valid to", "retired", "retires",
];

/// Wording that gives a deadline, if a date follows.
const DEADLINES: &[&str] = &["by", "before", "due", "deadline"];

/// Words that may stand between a deadline's wording and its date.
const BETWEEN: &[&str] =
    &["the", "end", "of", "early", "mid", "late", "next", "on", "by", "is", "no", "later", "than"];

/// Words that are a date, or the better part of one.
#[rustfmt::skip]
const CALENDAR: &[&str] = &[
    "jan", "january", "feb", "february", "mar", "march", "apr", "april", "may", "jun", "june", "jul", "july", "aug",
    "august", "sep", "sept", "september", "oct", "october", "nov", "november", "dec", "december", "monday",
    "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "week", "month", "quarter", "year", "spring",
    "summer", "autumn", "fall", "winter", "tomorrow", "eod", "eow", "christmas", "easter",
];

/// The times of a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// Since when.
    pub valid_at: Option<Timestamp>,
    /// Until when.
    pub invalid_at: Option<Timestamp>,
    /// A time was given and is not believed.
    pub refused: bool,
}

/// What is believed of the times a model gives. `wording` is the quote, with what the model made of it.
pub(super) fn span(since: Option<&str>, until: Option<&str>, wording: &str, asked: &Asked) -> Span {
    let words = words(wording);
    let mut refused = false;
    let mut believed = |text: Option<&str>| {
        let given = text.map(str::trim).filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("null"));
        let at = given.and_then(|text| read(text, asked.reference)).filter(|at| is_traced(*at, asked));
        refused |= given.is_some_and(|text| at.is_none() && !text.eq_ignore_ascii_case(NOW));
        at
    };
    let (mut valid_at, mut invalid_at) = (believed(since), believed(until));
    let later = |at: Timestamp| asked.reference.is_none_or(|reference| at > reference);
    // What is only planned holds as a plan, from when it was written down.
    if says(&words, FUTURE) && valid_at.is_some_and(later) {
        valid_at = asked.reference;
    }
    // What is to happen by a day does not stop being true on that day.
    if invalid_at.is_some_and(later) && !says(&words, ENDS) && is_deadline(&words) {
        invalid_at = None;
    }
    // An end that the text names outweighs a beginning that was read into its tense.
    if let (Some(start), Some(end)) = (valid_at, invalid_at) {
        let presumed = asked.reference == Some(start);
        valid_at = Some(start).filter(|_| start <= end);
        invalid_at = Some(end).filter(|_| start <= end || presumed);
        refused |= start > end && !presumed;
    }
    Span { valid_at, invalid_at, refused }
}

/// A time as models write it: a date with or without a time, a month, a year, or the word for the page's own date.
fn read(text: &str, reference: Option<Timestamp>) -> Option<Timestamp> {
    if text.eq_ignore_ascii_case(NOW) {
        return reference;
    }
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match text.len() {
        4 if numeric => time::parse(&format!("{text}-01-01")),
        7 if numeric => time::parse(&format!("{text}-01")),
        _ => time::parse(text),
    }
}

/// Whether the chunk names the year of this time, or was itself written near it.
fn is_traced(at: Timestamp, asked: &Asked) -> bool {
    let near = asked.reference.is_some_and(|reference| {
        let seconds = at.as_second().saturating_sub(reference.as_second());
        seconds.abs() <= RELATIVE_DAYS * 24 * 60 * 60
    });
    let year = at.to_zoned(TimeZone::UTC).year();
    let (long, short) = (format!("{year:04}"), format!("{:02}", year.rem_euclid(100)));
    let named = |text: &String| {
        text.split(|c: char| !c.is_ascii_digit())
            .any(|number| number == long || number == short || number.len() > 4 && number.starts_with(&long))
    };
    near || named(&asked.text) || asked.path.iter().any(named)
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Whether one of these phrases, of one word or two, stands in the text.
fn says(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| match phrase.split_once(' ') {
        Some((one, two)) => words.windows(2).any(|pair| pair[0] == one && pair[1] == two),
        None => words.iter().any(|word| word == phrase),
    })
}

/// Whether the text says by when, and not by whom.
fn is_deadline(words: &[String]) -> bool {
    let dated = |word: &String| {
        let quarter = word.len() == 2 && word.starts_with('q');
        quarter || CALENDAR.contains(&word.as_str()) || word.starts_with(|c: char| c.is_ascii_digit())
    };
    words.iter().enumerate().any(|(at, word)| {
        let follows = words[at + 1..].iter().find(|word| !BETWEEN.contains(&word.as_str()));
        DEADLINES.contains(&word.as_str()) && follows.is_some_and(dated)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::samples::asked;

    const PAGE: &str = "2025-01-07T09:00:00Z";

    fn of(text: &str, since: Option<&str>, until: Option<&str>) -> (Option<String>, Option<String>) {
        let span = span(since, until, text, &asked(text));
        let day = |at: Timestamp| at.to_string();
        (span.valid_at.map(day), span.invalid_at.map(day))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn dates_are_read_in_any_precision() {
        let midnight = some("2024-04-01T00:00:00Z");
        for date in
            ["2024-04-01", "2024-04", "2024-04-01T00:00:00Z", "2024-04-01T02:00:00+02:00", " 2024-04-01 "]
        {
            assert_eq!(of("since 2024", Some(date), None).0, midnight, "{date}");
        }
        assert_eq!(of("since 2019", Some("2019"), None).0, some("2019-01-01T00:00:00Z"));
        assert_eq!(of("now", Some("now"), None).0, some(PAGE));
        for nothing in ["", "null", "unknown", "2024-13-45", "99999999-01-01", "last week"] {
            assert_eq!(of("in 2024", Some(nothing), None), (None, None), "{nothing}");
        }
    }

    #[test]
    fn a_date_that_nobody_wrote_is_not_believed() {
        assert_eq!(of("Ledger is owned by Team Blue", Some("2017-03-04"), None).0, None);
        assert!(span(Some("2017-03-04"), None, "", &asked("Ledger")).refused);
        assert_eq!(of("since last spring", Some("2024-03-20"), None).0, some("2024-03-20T00:00:00Z"));
        assert_eq!(of("from 4.3.17", Some("2017-03-04"), None).0, some("2017-03-04T00:00:00Z"));
        assert_eq!(of("built 20170304", Some("2017-03-04"), None).0, some("2017-03-04T00:00:00Z"));
    }

    #[test]
    fn plans_hold_from_when_they_were_written() {
        let plan = "Ledger will move to Cluster Two on 2025-06-01";
        assert_eq!(of(plan, Some("2025-06-01"), None).0, some(PAGE));
        assert_eq!(of("It moved on 2024-06-01", Some("2024-06-01"), None).0, some("2024-06-01T00:00:00Z"));
    }

    #[test]
    fn deadlines_are_no_ends() {
        let due = "Ann has to move Ledger by the end of March 2025";
        assert_eq!(of(due, None, Some("2025-03-31")).1, None);
        assert_eq!(of("due on 2025-03-31", None, Some("2025-03-31")).1, None);
        let end = some("2025-03-31T00:00:00Z");
        assert_eq!(of("Ledger is owned by Ann until 2025-03-31", None, Some("2025-03-31")).1, end);
        assert_eq!(of("The licence, held by Ann, expires 2025-03-31", None, Some("2025-03-31")).1, end);
        assert_eq!(of("owned by Team Blue, 2025-03-31 it goes", None, Some("2025-03-31")).1, end);
        let past = some("2024-03-31T00:00:00Z");
        assert_eq!(of("done by 2024-03-31", None, Some("2024-03-31")).1, past);
    }

    #[test]
    fn no_fact_ends_before_it_begins() {
        let text = "Ledger was owned by Ann until 2023-01-01";
        assert_eq!(of(text, Some("now"), Some("2023-01-01")), (None, some("2023-01-01T00:00:00Z")));
        assert_eq!(of("2022 2023", Some("2023-01-01"), Some("2022-01-01")), (None, None));
    }
}
