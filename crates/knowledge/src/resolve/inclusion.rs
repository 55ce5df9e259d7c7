//! Whether one text says all that another says, and perhaps more. It must not know what the texts are about.
//!
//! Invariant: a word that turns what follows it into its opposite, or takes back a part of it, is never "more".

/// Words in a row that are a statement by themselves: fewer (`is active`) may be turned by the words beside them.
const STATEMENT: usize = 3;
/// Words that turn or weaken what stands beside them.
const TURNING: [&str; 23] = [
    "almost",
    "barely",
    "cannot",
    "except",
    "former",
    "formerly",
    "hardly",
    "instead",
    "nearly",
    "neither",
    "never",
    "no",
    "non",
    "nor",
    "not",
    "once",
    "only",
    "partially",
    "partly",
    "previously",
    "unless",
    "until",
    "without",
];

/// Marks that set words apart and are no part of them, unlike those of `C++`, `-5` or `<10`.
const MARKS: &[char] = &[
    '.', ',', ';', ':', '!', '?', '(', ')', '[', ']', '{', '}', '"', '\'', '“', '”', '„', '‘', '’', '«', '»',
    '*', '_', '`', '—', '–', '…', '•', '/', '|',
];

/// Whether one of two texts holds the other whole: as sentences or parts of one by themselves, or as a run of several
/// words that nothing beside it turns. Then they do not contradict each other, the longer only says more.
pub fn includes(one: &str, other: &str) -> bool {
    let (one, other) = (words(one), words(other));
    let (long, short) = if one.len() >= other.len() { (one, other) } else { (other, one) };
    if short.is_empty() {
        return false;
    }
    (0..=long.len() - short.len()).any(|from| {
        let to = from + short.len();
        let (before, after) = (&long[..from], &long[to..]);
        let same = long[from..to].iter().zip(&short).all(|(one, other)| one.text == other.text);
        let opens = from == 0 || long[from].opens || long[from - 1].closes;
        let closes = after.first().is_none_or(|next| next.opens || long[to - 1].closes);
        let turned = || before.last().is_some_and(Word::turns) || after.first().is_some_and(Word::turns);
        let by_itself = opens && closes && !turned();
        same && (by_itself || short.len() >= STATEMENT && !before.iter().chain(after).any(Word::turns))
    })
}

/// A word without the marks around it, and whether marks before or behind it set it apart from its neighbours.
struct Word {
    text: String,
    opens: bool,
    closes: bool,
}

impl Word {
    fn turns(&self) -> bool {
        TURNING.contains(&self.text.as_str()) || self.text.ends_with("n't") || self.text.ends_with("n’t")
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for written in text.split_whitespace() {
        let inner = written.trim_matches(MARKS);
        if inner.is_empty() || inner == "-" {
            // A dash between words sets them apart; behind a number it may make a range of it.
            let words = words.last_mut().filter(|before| !before.text.ends_with(|c: char| c.is_numeric()));
            words.into_iter().for_each(|before| before.closes = true);
            continue;
        }
        let (opens, closes) = (written.starts_with(MARKS), written.ends_with(MARKS));
        words.push(Word { text: inner.to_lowercase(), opens, closes });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::includes;

    #[test]
    fn the_same_text_and_more_is_included_either_way_round() {
        for (short, long) in [
            ("Metrics are inaccurate.", "Metrics are inaccurate. Increased data lag for all users."),
            ("metrics are inaccurate", "Increased data lag; metrics are inaccurate"),
            ("Runs in two regions", "The service runs in two regions of the cloud"),
            ("Active", "Active (since May)"),
            ("17", "17, 21"),
            ("Done", "done — see the review"),
            ("Java 17", "Java 17"),
        ] {
            assert!(includes(short, long) && includes(long, short), "`{short}` in `{long}`");
        }
    }

    #[test]
    fn what_turns_a_text_or_is_another_value_is_no_more_of_it() {
        for (short, long) in [
            ("Active", "Not active"),
            ("Active", "No longer active"),
            ("Done", "Partly done"),
            ("Payments", "Payments Platform"),
            ("2", "2.1"),
            ("5", "-5"),
            ("Metrics are inaccurate", "It is not so that metrics are inaccurate"),
            ("Every page is read", "Every page is read, except those that nobody may see"),
            ("99.9", "99.95"),
            ("C", "C++"),
            ("5", "5 - 10"),
            ("5", "5 – 10 a minute"),
            ("Runs in two regions", "Previously runs in two regions"),
            ("Runs in two regions", "Runs in two regions until March"),
            ("10", "<10"),
            ("", "anything"),
        ] {
            assert!(!includes(short, long), "`{short}` in `{long}`");
        }
    }
}
