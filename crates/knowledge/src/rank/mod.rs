//! Ranking: what a question asks for in words, and how several rankings become one. Knows no index and no store.

pub mod pairs;

use std::collections::BTreeMap;

/// Words that carry no meaning of their own in a question. Common English function words; other languages pass whole.
const STOP_WORDS: [&str; 60] = [
    "a", "about", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "did", "do",
    "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "me",
    "my", "no", "not", "of", "on", "or", "our", "should", "so", "such", "than", "that", "the", "their",
    "then", "there", "these", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which",
    "who", "why", "with",
];

/// Terms of a query that are looked up, at most: each further OR term costs a scan of its postings, and people's
/// questions have 6 to 15 words.
pub const QUERY_TERMS: usize = 16;

/// The words of a question to look up: lower case, without stop words (unless nothing else is left), without repeats.
/// `KubeAPIDown` is looked up as it stands and as `kube`, `api`, `down`: pages write such names either way.
pub fn terms(question: &str) -> Vec<String> {
    let words: Vec<String> = words(question)
        .flat_map(|word| std::iter::once(word).chain(humps(word)))
        .map(str::to_lowercase)
        .collect();
    let meaningful = |word: &&String| !STOP_WORDS.contains(&word.as_str());
    let mut kept: Vec<String> = Vec::new();
    let chosen: Vec<&String> = match words.iter().any(|word| meaningful(&word)) {
        true => words.iter().filter(meaningful).collect(),
        false => words.iter().collect(),
    };
    for word in chosen {
        if !kept.contains(word) && kept.len() < QUERY_TERMS {
            kept.push(word.clone());
        }
    }
    kept
}

/// Whether the terms of a question hold a name whole: each word of it that means something, as it stands or in its
/// parts.
pub fn holds(question: &[String], name: &str) -> bool {
    let has = |word: &str| question.contains(&word.to_lowercase());
    let is_held = |word: &&str| {
        let parts = humps(word);
        has(word) || (!parts.is_empty() && parts.into_iter().all(has))
    };
    let means = |word: &&str| !STOP_WORDS.contains(&word.to_lowercase().as_str());
    match words(name).any(|word| means(&word)) {
        true => words(name).filter(means).all(|word| is_held(&word)),
        false => words(name).next().is_some() && words(name).all(|word| is_held(&word)),
    }
}

/// The words of a text.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Which words to look up where each costs the rows that have it: the rarest first, until these would be more than
/// `most`; three of them at any rate, so that a question of common words is answered. Gives their places.
pub fn rarest(rows: &[usize], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|at| (rows[*at], *at));
    let mut sum = 0;
    let affordable = order.iter().enumerate().take_while(|(rank, at)| {
        sum += rows[**at];
        *rank < LEAST || sum <= most
    });
    let mut chosen: Vec<usize> = affordable.map(|(_, at)| *at).collect();
    chosen.sort_unstable();
    chosen
}

/// Words that are looked up at any rate.
const LEAST: usize = 3;

/// The parts of a word in camel case: `KubeAPIDown` is Kube, API, Down. A word of one part has none.
fn humps(word: &str) -> Vec<&str> {
    let signs: Vec<(usize, char)> = word.char_indices().collect();
    let begins = |at: usize| {
        let (before, here) = (signs[at - 1].1, signs[at].1);
        let ends_acronym = signs.get(at + 1).is_some_and(|(_, after)| after.is_lowercase());
        here.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && ends_acronym))
    };
    let mut cuts: Vec<usize> = (1..signs.len()).filter(|at| begins(*at)).map(|at| signs[at].0).collect();
    if cuts.is_empty() {
        return Vec::new();
    }
    cuts.insert(0, 0);
    cuts.push(word.len());
    cuts.windows(2).map(|ends| &word[ends[0]..ends[1]]).collect()
}

/// A name as an FTS5 phrase: its words in this order, and never syntax.
pub fn phrase(name: &str) -> String {
    // Nothing but words: a quotation mark would end the phrase, and a NUL the whole expression.
    format!("\"{}\"", words(name).collect::<Vec<_>>().join(" "))
}

/// Whether all these terms carry no meaning of their own.
pub fn is_idle(terms: &[String]) -> bool {
    terms.iter().all(|term| STOP_WORDS.contains(&term.as_str()))
}

/// Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): each ranking gives `weight / (constant + place)`
/// to what it holds, places counted from 1. The larger the constant, the more it counts to be in several rankings, and
/// the less to be first in one. Ties are broken by the order of the items themselves.
pub fn fuse<T: Ord + Clone>(rankings: &[(f64, Vec<T>)], constant: f64) -> Vec<(T, f64)> {
    let mut scores: BTreeMap<&T, f64> = BTreeMap::new();
    for (weight, ranking) in rankings {
        for (rank, item) in ranking.iter().enumerate() {
            *scores.entry(item).or_default() += weight / (constant + 1.0 + rank as f64);
        }
    }
    let mut fused: Vec<(T, f64)> = scores.into_iter().map(|(item, score)| (item.clone(), score)).collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_lose_their_function_words_only_while_others_are_left() {
        assert_eq!(terms("Who owns the ledger-service?"), ["owns", "ledger", "service"]);
        assert_eq!(terms("who is it"), ["who", "is", "it"]);
        assert_eq!(terms("impact of KubeAPIDown"), ["impact", "kubeapidown", "kube", "api", "down"]);
        assert_eq!(terms("OPS Übung"), ["ops", "übung"]);
        assert_eq!(terms("C++ a:b NEAR("), ["c", "b", "near"]);
        assert_eq!(terms(" \"' "), Vec::<String>::new());
    }

    #[test]
    fn a_question_holds_a_name_however_it_is_written() {
        let asked = |question: &str, name: &str| holds(&terms(question), name);
        assert!(asked("what is pagerduty used for", "PagerDuty"));
        assert!(asked("who is on call with Pager Duty", "PagerDuty"));
        assert!(asked("PagerDuty", "Pager Duty"));
        assert!(asked("the hub of all", "The Hub"));
        assert!(!asked("ledger", "ledger-service"));
        assert!(!asked("ledger", "+++"));
        assert!(asked("who", "Who"));
    }

    #[test]
    fn what_two_rankings_hold_comes_before_what_one_holds() {
        let rankings = [(1.0, vec!["a", "x", "y", "b"]), (1.0, vec!["c", "z", "w", "b"])];
        let order =
            |constant| fuse(&rankings, constant).into_iter().map(|(item, _)| item).collect::<Vec<_>>();
        assert_eq!(order(60.0)[..3], ["b", "a", "c"]);
        assert_eq!(
            order(1.0)[..3],
            ["a", "c", "b"],
            "the smaller the constant, the more a first place counts"
        );
    }

    #[test]
    fn the_commonest_words_are_left_out_first_and_never_all() {
        assert_eq!(rarest(&[900, 3, 40, 5_000], 1_000), [0, 1, 2]);
        assert_eq!(rarest(&[5_000, 9_000, 7_000, 6_000], 1_000), [0, 2, 3]);
        assert_eq!(rarest(&[5_000], 1_000), [0]);
        assert!(rarest(&[], 1_000).is_empty());
    }

    #[test]
    fn no_term_is_ever_syntax() {
        assert_eq!(phrase("a\"b\0 NEAR (c)"), "\"a b NEAR c\"");
    }
}
