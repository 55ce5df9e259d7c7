//! One name written in two ways: with or without separators, in singular and plural, as words and as their initials.
//! Everything here is a function of normal forms alone. It must not know what a name stands for.

/// Words that end in `s` and are not the plural of what is left without it: a protocol over TLS is another one.
const NO_PLURALS: [&str; 10] =
    ["amqps", "ftps", "https", "imaps", "ldaps", "mqtts", "news", "ops", "rtmps", "smtps"];
/// A word with less before its `s` is an abbreviation (`os`, `dns`).
const STEM_CHARS: usize = 3;
/// Letters of an abbreviation that is worth a question: two are the initials of too much, more are a word.
const INITIALS: std::ops::RangeInclusive<usize> = 3..=5;
/// Words that an abbreviation may leave out.
const SMALL: [&str; 9] = ["a", "and", "for", "in", "of", "on", "the", "to", "with"];

/// The words between separators.
fn words(normal: &str) -> Vec<&str> {
    normal.split([' ', '-']).filter(|word| !word.is_empty()).collect()
}

/// Whether separators cut a name into several words.
pub(super) fn has_words(normal: &str) -> bool {
    words(normal).len() > 1
}

/// A name without the separators of its words. Numbers stay apart: `1 2` is not `12`.
pub(super) fn letters(normal: &str) -> String {
    let mut out = String::new();
    for word in words(normal) {
        let number = |c: char| c.is_numeric();
        if out.ends_with(number) && word.starts_with(number) {
            out.push('-');
        }
        out.push_str(word);
    }
    out
}

/// What the ways of writing one name have in common: equal letters have equal stems, and so have singular and plural.
/// Not the other way round, so it only finds.
pub(super) fn stem(normal: &str) -> String {
    let letters = letters(normal);
    let one = letters.strip_suffix('s').filter(|one| !one.ends_with('s')).unwrap_or(&letters);
    one.strip_suffix("ie").map_or_else(|| one.to_owned(), |stem| format!("{stem}y"))
}

/// Whether one name is the other's plural; separators do not count.
pub(super) fn is_plural(one: &str, other: &str) -> bool {
    let (short, long) = (letters(one), letters(other));
    let (short, long) = if short.len() <= long.len() { (short, long) } else { (long, short) };
    let regular = long.strip_suffix('s') == Some(&short) && !short.ends_with('s');
    let changed = || long.strip_suffix("ies").is_some_and(|stem| short.strip_suffix('y') == Some(stem));
    // The form with more separators shows where the last word begins.
    let cut = if words(one).len() >= words(other).len() { one } else { other };
    let last = words(cut).last().map_or("", |word| word.trim_end_matches('s'));
    let word = last.chars().count() >= STEM_CHARS && last.ends_with(char::is_alphabetic);
    let own = |name: &str| words(name).last().is_some_and(|word| NO_PLURALS.contains(word));
    (regular || changed()) && word && !own(one) && !own(other)
}

/// Whether a name may be an abbreviation, by its form.
pub(super) fn is_abbreviation(normal: &str) -> bool {
    INITIALS.contains(&normal.chars().count()) && normal.chars().all(char::is_alphabetic)
}

/// The initials of a name of several words, with and without its small words.
pub(super) fn initials(normal: &str) -> Vec<String> {
    let words = words(normal);
    if words.len() < 2 {
        return Vec::new();
    }
    let first = |word: &&str| word.chars().next();
    let all: String = words.iter().filter_map(first).collect();
    let telling: String = words.iter().filter(|word| !SMALL.contains(word)).filter_map(first).collect();
    let mut both = vec![all, telling];
    both.dedup();
    both.retain(|initials| is_abbreviation(initials));
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_do_not_count_except_between_numbers() {
        assert_eq!(letters("flink-job"), letters("flink job"));
        assert_eq!(letters("kip 595"), letters("kip-595"));
        assert_ne!(letters("gateway 1 2"), letters("gateway 12"));
        assert_ne!(letters("visual c++"), letters("visual c"));
    }

    #[test]
    fn a_plural_is_one_final_s() {
        let plurals = [
            ("flink job", "flink-jobs"),
            ("network policy", "networkpolicies"),
            ("session cookie", "session cookies"),
            ("ledger", "ledgers"),
        ];
        for (one, many) in plurals {
            assert!(is_plural(one, many) && is_plural(many, one), "`{one}` and `{many}`");
            assert_eq!(stem(one), stem(many));
        }
        let others = [
            ("access clas", "access class"),
            ("traffic over http", "traffic over https"),
            ("the o", "the os"),
            ("latency in m", "latency in ms"),
            ("flink job", "flink jobsss"),
            ("flink job", "flink job"),
        ];
        for (one, other) in others {
            assert!(!is_plural(one, other) && !is_plural(other, one), "`{one}` and `{other}`");
        }
    }

    #[test]
    fn initials_leave_out_small_words_or_not() {
        assert_eq!(initials("point in time recovery"), ["pitr", "ptr"]);
        assert_eq!(initials("machine-config-operator"), ["mco"]);
        assert!(initials("ledger").is_empty() && initials("payment gateway").is_empty());
    }
}
