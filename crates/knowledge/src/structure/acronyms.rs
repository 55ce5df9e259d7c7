//! Abbreviations that a text declares: `Horizontal Pod Autoscaler (HPA)`. Only where the letters are the initials of
//! the words right before them, so that a remark in brackets is none. It must not know what the words name.

use super::names::thing;
use super::saying::{Saying, Stated};
use crate::graph::Object;

/// Letters of an abbreviation.
const LETTERS: std::ops::RangeInclusive<usize> = 2..=6;
/// Small words that may stand between the words of a name beside those the letters stand for.
const SMALL: [&str; 9] = ["a", "and", "for", "in", "of", "on", "the", "to", "with"];
/// So many of them at most.
const SMALL_WORDS: usize = 3;

/// Claims that the two names are one, standing on the sentence.
pub(super) fn sentence(words: &str, sentence: &str, saying: &mut Saying<'_>) {
    for (long, short) in declared(words) {
        // Markup may stand between the two; then the chunk does not show them as they are read here.
        if saying.holds(long) && saying.holds(short) {
            let (long, short) = (saying.mention(thing(long)), saying.mention(thing(short)));
            saying.claim(Stated::new(long, "same_as", Object::Named(short), sentence));
        }
    }
}

/// Every name with its abbreviation, in the order of the text.
fn declared(words: &str) -> Vec<(&str, &str)> {
    let bracket = |(at, _): (usize, &str)| {
        let inside = words[at + 1..].split_once(')')?.0;
        let letters = letters(inside)?;
        Some((spelled_out(words[..at].trim_end(), &letters)?, inside))
    };
    words.match_indices('(').filter_map(bracket).collect()
}

/// The letters that a word stands for, when it is an abbreviation: capitals, with or without the `s` of a plural.
fn letters(short: &str) -> Option<String> {
    let one = short.strip_suffix('s').unwrap_or(short);
    let capitals = one.chars().all(char::is_uppercase) && LETTERS.contains(&one.chars().count());
    capitals.then(|| one.to_lowercase())
}

/// The fewest words at the end of a text of which the letters are the initials.
fn spelled_out<'a>(before: &'a str, letters: &str) -> Option<&'a str> {
    let most = letters.chars().count() + SMALL_WORDS;
    let starts = before.char_indices().rev().filter(|(at, c)| {
        !c.is_whitespace() && before[..*at].chars().next_back().is_none_or(char::is_whitespace)
    });
    let names = starts.take(most).map(|(at, _)| &before[at..]);
    let mut plain =
        names.take_while(|name| name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '-')));
    plain.find(|name| is_initials(name, letters))
}

/// Whether the letters are the initials of all words, or of all but the small ones.
fn is_initials(name: &str, letters: &str) -> bool {
    let words = words(name);
    let small = |word: &String| SMALL.contains(&word.as_str());
    let first = |word: &String| word.chars().next();
    let begins = words.first().is_some_and(|word| !small(word));
    let all: String = words.iter().filter_map(first).collect();
    let telling: String = words.iter().filter(|word| !small(word)).filter_map(first).collect();
    begins && words.len() > 1 && (all == letters || telling == letters)
}

/// The words of a name in lower case, cut at separators and humps.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut before) = (vec![String::new()], ' ');
    for c in name.chars() {
        if !c.is_alphanumeric() || c.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_the_initials_of_the_words_before_them() {
        let texts = [
            ("Scale it with the Horizontal Pod Autoscaler (HPA).", "Horizontal Pod Autoscaler", "HPA"),
            ("The machine-config-operator (MCO) restarts", "machine-config-operator", "MCO"),
            ("It runs on Virtual Machines (VMs)", "Virtual Machines", "VMs"),
            ("We support point-in-time recovery (PITR)", "point-in-time recovery", "PITR"),
            ("an Office for National Statistics (ONS) page", "Office for National Statistics", "ONS"),
            ("Write JavaScript (JS) here", "JavaScript", "JS"),
        ];
        for (text, long, short) in texts {
            assert_eq!(declared(text), [(long, short)]);
        }
    }

    #[test]
    fn a_remark_in_brackets_declares_nothing() {
        let texts = [
            "Restart the pods (ASAP)",
            "Flink, Async Jobs (FAJ)",
            "The Content (C) service",
            "A service (see below)",
            "Horizontal Pod Autoscaler (HPA",
            "(HPA)",
            "of the Pod (OTP)",
        ];
        for text in texts {
            assert_eq!(declared(text), [], "{text}");
        }
    }
}
