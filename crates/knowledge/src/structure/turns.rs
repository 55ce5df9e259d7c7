//! Turns of phrase: where the verb of a simple statement stands, and what relation it is. It must not know names.
//! Invariant: only present statements and plain passives count; questions, conditions, negations, wishes and orders
//! have no turn.

use std::borrow::Cow;

/// What must stand behind a turn of phrase.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Names if there are any in front, else the rest of the sentence.
    Names,
    /// Names if there is nothing else, else the rest of the sentence.
    Either,
    /// The rest of the sentence.
    Rest,
    /// What something is: the rest of the sentence, if it does not judge or point.
    Kind,
    /// Nothing: the phrase itself is the value.
    Nothing(&'static str),
}

use Want::{Either, Kind, Names, Nothing, Rest};

/// A turn found in a sentence.
pub(super) struct Turn {
    /// Where the subject ends.
    pub subject_end: usize,
    /// Where the rest begins.
    pub rest: usize,
    pub relation: Cow<'static, str>,
    pub want: Want,
}

/// Longest subject. Names of pages are the longest names.
const SUBJECT_WORDS: usize = 12;

/// Phrases with a relation of their own. Where two begin at the same place the longer one counts.
#[rustfmt::skip]
const FIXED: &[(&str, &str, Want)] = &[
    ("is owned and maintained by", "owned_by", Names),
    ("is managed and maintained by", "maintained_by", Names),
    ("is built and maintained by", "maintained_by", Names), ("is hosted by", "hosted_on", Names),
    ("is hosted in", "hosted_on", Names), ("are hosted by", "hosted_on", Names),
    ("is deployed to", "deployed_on", Names), ("is built using", "built_with", Names),
    ("is built on", "built_with", Names), ("is part of", "part_of", Names),
    ("is a part of", "part_of", Names), ("are part of", "part_of", Names), ("belongs to", "part_of", Names),
    ("depends on", "depends_on", Names), ("relies on", "depends_on", Names),
    ("requires", "requires", Names), ("has been replaced by", "replaced_by", Names),
    ("is replaced by", "replaced_by", Names), ("was replaced by", "replaced_by", Names),
    ("is superseded by", "replaced_by", Names), ("has been superseded by", "replaced_by", Names),
    ("is deprecated in favour of", "replaced_by", Names),
    ("is deprecated in favor of", "replaced_by", Names),
    ("has been deprecated in favour of", "replaced_by", Names),
    ("has been deprecated in favor of", "replaced_by", Names), ("replaces", "replaces", Names),
    ("supersedes", "replaces", Names), ("has been deprecated", "status", Nothing("deprecated")),
    ("is deprecated", "status", Nothing("deprecated")), ("are deprecated", "status", Nothing("deprecated")),
    ("is a fork of", "fork_of", Names), ("is also known as", "also_known_as", Rest),
    ("is known as", "also_known_as", Rest), ("is called", "also_known_as", Rest),
    ("stands for", "stands_for", Rest), ("uses", "uses", Names),
    ("is responsible for", "responsible_for", Rest), ("are responsible for", "responsible_for", Rest),
    ("is used to", "used_to", Rest), ("are used to", "used_to", Rest), ("is used for", "used_for", Rest),
    ("are used for", "used_for", Rest), ("is available at", "available_at", Either),
    ("is available on", "available_on", Either), ("is a", "is_a", Kind), ("is an", "is_a", Kind),
    ("are a", "is_a", Kind), ("is the", "is_a", Kind), ("are the", "is_a", Kind),
];

/// Third person verbs that state; the relation is the verb.
#[rustfmt::skip]
const ACTIVE: &[&str] = &[
    "accepts", "acts", "aggregates", "allows", "applies", "builds", "calculates", "calls", "captures",
    "checks", "collects", "combines", "comprises", "computes", "configures", "connects", "consists",
    "consumes", "contains", "controls", "converts", "copies", "covers", "creates", "defines", "deletes",
    "delivers", "deploys", "describes", "details", "detects", "determines", "displays", "documents",
    "drives", "enables", "enriches", "ensures", "evaluates", "executes", "expects", "explains", "exports",
    "exposes", "extends", "extracts", "facilitates", "fetches", "fires", "follows", "forwards", "functions",
    "generates", "gives", "handles", "helps", "holds", "hosts", "identifies", "implements", "imports",
    "improves", "includes", "indexes", "indicates", "installs", "integrates", "interacts", "invokes",
    "keeps", "leverages", "listens", "lists", "lives", "loads", "looks", "maintains", "manages", "means",
    "measures", "monitors", "notifies", "offers", "operates", "orchestrates", "outlines", "owns", "parses",
    "performs", "persists", "points", "polls", "powers", "presents", "prevents", "processes", "produces",
    "protects", "provides", "proxies", "publishes", "pulls", "pushes", "queries", "reads", "receives",
    "redirects", "reduces", "removes", "renders", "replicates", "reports", "represents", "resides",
    "responds", "retries", "retrieves", "returns", "routes", "runs", "scans", "schedules", "searches",
    "secures", "selects", "sends", "serves", "shows", "signs", "simplifies", "sits", "specifies", "starts",
    "stops", "stores", "submits", "subscribes", "suggests", "summarises", "summarizes", "supports",
    "synchronises", "syncs", "takes", "tests", "tracks", "transforms", "translates", "triggers", "updates",
    "uploads", "utilises", "utilizes", "validates", "verifies", "watches", "works", "wraps", "writes",
];

/// Verbs that are as often plural nouns; a determiner behind them tells.
#[rustfmt::skip]
const NOUNS: &[&str] = &[
    "builds", "calls", "checks", "copies", "details", "displays", "documents", "functions", "hosts",
    "indexes", "lists", "measures", "queries", "reports", "routes", "scans", "schedules", "searches",
    "shows", "signs", "starts", "stops", "tests", "triggers", "updates", "uploads", "works",
];

/// Words that begin the object of a verb.
#[rustfmt::skip]
const DETERMINERS: &[&str] = &[
    "the", "a", "an", "all", "each", "every", "any", "how", "which", "what", "where", "whether", "its",
    "your", "our", "out", "as", "one", "two", "some", "when",
];

/// Small words that belong to the verb.
#[rustfmt::skip]
const PREPOSITIONS: &[&str] = &[
    "on", "as", "in", "to", "from", "with", "at", "by", "via", "into", "through", "for", "of", "using",
    "out", "after", "upon", "over", "when", "against",
];

/// Participles that do not end in `ed`.
#[rustfmt::skip]
const IRREGULAR: &[&str] = &[
    "built", "run", "written", "sent", "kept", "held", "made", "read", "found", "driven", "split", "shown",
];

/// Participles that wish or oblige instead of stating.
#[rustfmt::skip]
const WISHES: &[&str] = &[
    "expected", "required", "recommended", "supposed", "advised", "needed", "allowed", "asked",
    "encouraged", "planned", "proposed", "limited", "interested", "concerned", "related", "based",
    "tempted", "permitted", "failed", "assumed",
];

/// The first turn of a sentence. Subjects are short, so only the beginning is looked at.
pub(super) fn turn(words: &str) -> Option<Turn> {
    let spaces = words.bytes().enumerate().filter(|(_, byte)| *byte == b' ').map(|(at, _)| at);
    spaces.take(SUBJECT_WORDS).find_map(|at| turn_at(words, at))
}

/// A turn whose first word stands behind the space at `at`.
fn turn_at(words: &str, at: usize) -> Option<Turn> {
    let rest = &words[at + 1..];
    let length = rest.bytes().position(|byte| byte == b' ').unwrap_or(rest.len());
    let verb = rest[..length].trim_end_matches(['.', ',', ':']);
    // Third person verbs, and these, are the only words that begin a turn; telling that takes one look.
    if !verb.ends_with('s') && !matches!(verb, "are" | "were" | "have") {
        return None;
    }
    let fixed =
        FIXED.iter().filter(|(phrase, ..)| begins(rest, phrase)).max_by_key(|(phrase, ..)| phrase.len());
    if let Some((phrase, relation, want)) = fixed {
        let rest = at + 1 + phrase.len();
        return Some(Turn { subject_end: at, rest, relation: Cow::Borrowed(relation), want: *want });
    }
    let found = |length: usize, relation: String, want: Want| {
        Some(Turn { subject_end: at, rest: at + 1 + length, relation: Cow::Owned(relation), want })
    };
    let mut next = rest.split(' ').skip(1);
    let object = rest[length..].trim_start().split(' ').next().unwrap_or_default();
    if ACTIVE.binary_search(&verb).is_ok() && (!NOUNS.contains(&verb) || DETERMINERS.contains(&object)) {
        return match next.next().filter(|word| PREPOSITIONS.contains(word)) {
            Some(word) => found(verb.len() + 1 + word.len(), format!("{verb}_{word}"), Either),
            None => found(verb.len(), verb.to_owned(), Either),
        };
    }
    let to_be = match verb {
        "is" | "are" | "was" | "were" => verb.len(),
        "has" | "have" if next.next() == Some("been") => verb.len() + " been".len(),
        _ => return None,
    };
    let mut behind = rest.get(to_be + 1..)?.split(' ');
    let (participle, small) = (behind.next()?, behind.next()?);
    let stated = (participle.ends_with("ed") && participle.len() > 4 || IRREGULAR.contains(&participle))
        && PREPOSITIONS.contains(&small)
        && (!WISHES.contains(&participle) || (participle, small) == ("based", "on"));
    // Who does something is named first; what follows is when and why.
    let want = if small == "by" { Names } else { Either };
    let length = to_be + participle.len() + small.len() + 2;
    if stated { found(length, format!("{participle}_{small}"), want) } else { None }
}

/// Begins with the whole words of a phrase.
fn begins(text: &str, phrase: &str) -> bool {
    text.strip_prefix(phrase).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '.', ',', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sentence: &str) -> Option<(&str, String, &str)> {
        let turn = turn(sentence)?;
        Some((&sentence[..turn.subject_end], turn.relation.into_owned(), sentence[turn.rest..].trim()))
    }

    #[test]
    fn verbs_are_sorted_for_the_search() {
        assert!(ACTIVE.is_sorted());
    }

    #[test]
    fn statements_have_a_turn() {
        let cases = [
            ("Ledger is owned by Payments.", ("Ledger", "owned_by", "Payments.")),
            ("Filebeat runs as a daemon.", ("Filebeat", "runs_as", "a daemon.")),
            ("Redis stores sessions.", ("Redis", "stores", "sessions.")),
            ("It has been installed by Helm.", ("It", "installed_by", "Helm.")),
            ("X is deprecated.", ("X", "status", ".")),
        ];
        for (sentence, (subject, relation, rest)) in cases {
            assert_eq!(read(sentence), Some((subject, relation.to_owned(), rest)), "{sentence}");
        }
    }

    #[test]
    fn wishes_negations_and_plans_have_none() {
        for sentence in
            ["X is expected to fail.", "X is not owned by Y.", "X does not use Y.", "X may run on Y."]
        {
            assert_eq!(read(sentence), None, "{sentence}");
        }
    }
}
