//! Sentences that state a fact with certainty: `X is owned by Y`, `X is a Y`. It must not know blocks. Invariant: a
//! sentence speaks only if its subject is a name and stands at its beginning.

use super::lines::is_order;
use super::names::{self, can_be_name, is_identifier, is_opener, is_proper};
use super::place::Place;
use super::saying::{Said, Saying, Stated, this_page};
use super::turns::{Want, turn};
use super::words::is_open;
use super::{dates, relations};
use crate::chunk::sentences;
use crate::graph::{Mention, Object};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;

/// Words that change nothing in a phrase and are passed over.
#[rustfmt::skip]
const FILLERS: &[&str] = &[
    "currently", "now", "also", "mainly", "primarily", "solely", "jointly", "essentially", "basically",
    "simply",
];

/// What a page calls itself.
#[rustfmt::skip]
const SELF: &[&str] = &[
    "page", "document", "playbook", "guide", "runbook", "doc", "article", "documentation", "manual",
    "handbook", "wiki", "tutorial",
];

/// Plain nouns behind a name that change nothing: `the ledger-service app`.
#[rustfmt::skip]
const TAILS: &[&str] = &[
    "alert", "service", "services", "app", "application", "job", "api", "API", "plugin", "table",
    "database", "repo", "repository", "cluster", "daemon", "command", "file", "variable", "macro",
    "component", "module", "library", "class", "method", "function", "index", "topic", "queue", "role",
    "team", "tool", "flag", "field", "parameter", "property", "attribute", "branch", "namespace",
    "endpoint", "container", "playbook", "script", "workflow",
];

/// First words of a rest that judges or points instead of stating what something is.
#[rustfmt::skip]
const VAGUE: &[&str] = &[
    "good", "bad", "great", "better", "best", "same", "only", "problem", "issue", "lot", "way", "case",
    "reason", "result", "following", "first", "last", "next", "one", "must", "bit", "few", "known",
    "similar", "separate", "different", "new", "common", "list", "example", "this", "that", "it", "them",
    "these", "those", "both", "default", "current", "most", "more", "no", "not", "two", "three", "number",
    "step", "second", "previous", "main", "true", "false", "above", "below", "sample", "preview",
    "snapshot",
];

/// First words that only make sense beside another sentence.
#[rustfmt::skip]
const POINTS: &[&str] = &[
    "this", "that", "it", "them", "these", "those", "its", "their", "same", "following", "both", "below",
    "above", "here", "they",
];

/// Where another statement begins in the same sentence.
const BREAKS: &[&str] = &[" and it ", ", it ", " but ", "; ", ", so ", " and they ", ", which means "];

/// Words that point to another place of the page.
const AWAY: &[&str] = &["the following", " below", " above", "as follows"];

/// Where a name at the other end stops.
#[rustfmt::skip]
const STOPS: &[&str] = &[
    ". ", "; ", " (", " which ", " that ", " for ", " to ", " in ", " via ", " when ", " if ", " because ",
    " so ", " as ", " with ", " from ", " on ", " by ", " since ", " until ", " at ", " using ",
    " through ", " rather ", " instead ", " - ", " – ", ": ", " where ", " but ", " while ", " before ",
    " after ", " being ", " is ", " are ", " was ", " has ",
];

/// The names that stand in the text around: links, code, bold, and words with a capital in mid-sentence.
pub(super) struct Known<'a> {
    /// What is shown, and what it names.
    pub marked: Vec<(String, Mention)>,
    /// Words that are written with a capital where no sentence begins; looked for when first asked.
    pub capitals: &'a OnceCell<HashSet<String>>,
    /// The chunk's text.
    pub text: &'a str,
}

/// Words with a capital in mid-sentence that stand alone, so that `the Content Store` makes no name of `Content`.
fn capitals(text: &str) -> HashSet<String> {
    let is_capital = |word: &str| word.starts_with(char::is_uppercase);
    let mut out = HashSet::new();
    let (mut before, mut words) = ("", text.split_whitespace().peekable());
    while let Some(word) = words.next() {
        let follows = before.ends_with(|c: char| c.is_lowercase() || c == ',') && !is_capital(before);
        let alone =
            !word.ends_with(char::is_alphanumeric) || !words.peek().is_some_and(|next| is_capital(next));
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        if follows && alone && is_capital(word) && bare.chars().count() > 2 && !is_opener(bare) {
            out.insert(bare.to_owned());
        }
        before = word;
    }
    out
}

/// Reads one sentence. `words` is the sentence without markup, `sentence` as it stands in the chunk.
pub(super) fn sentence(
    place: &Place<'_>,
    (words, sentence): (&str, &str),
    known: &Known<'_>,
    saying: &mut Saying<'_>,
) {
    let first = words.split(' ').next().unwrap_or_default();
    let begins = matches!(first, "The" | "A" | "An" | "This") || !is_opener(first) && !is_order(first);
    if !begins || words.ends_with(['?', ':']) || words.len() > 600 {
        return;
    }
    let words = without_fillers(words);
    let Some(turn) = turn(&words) else { return };
    let rest = words[turn.rest..].trim();
    let (before, names) = (&words[..turn.subject_end], names_of(rest, turn.want, known));
    let owned = || owned(before, &turn.relation).filter(|_| is_whole_name(rest, known));
    let subject = subject(place, before, known, saying).or_else(|| owned().map(|name| saying.mention(name)));
    let Some(subject) = subject else { return };
    let objects: Vec<Object<Said>> = match (turn.want, names) {
        (Want::Nothing(value), _) => deprecated(rest, value).into_iter().map(Object::Value).collect(),
        (_, names) if !names.is_empty() => {
            names.into_iter().map(|name| Object::Named(saying.mention(name))).collect()
        }
        (want, _) => rest_of(rest, want).into_iter().map(Object::Value).collect(),
    };
    let single = objects.len() == 1 && relations::is_single(&turn.relation);
    for object in objects {
        let claim = Stated::new(subject, &turn.relation, object, sentence).since(dates::since(&words));
        saying.claim(Stated { single, invalid_at: dates::until(&words), ..claim });
    }
}

/// What somebody owns or maintains is a thing with a name, also where that is one word: `Ledger is owned by Team Blue`.
fn owned(before: &str, relation: &str) -> Option<Mention> {
    let before = before.trim();
    let bare = before.strip_prefix("The ").unwrap_or(before);
    (names::OWNING.contains(&relation) && names::is_telling(bare)).then(|| names::thing(bare))
}

/// Whether all behind a phrase is a name, but for since or until when: `Office for National Statistics` is one, and cut
/// at `for` it would be another.
fn is_whole_name(rest: &str, known: &Known<'_>) -> bool {
    let end = [" since ", " until "].iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len());
    let article = ["the ", "an ", "a "].iter().find_map(|article| rest[..end].strip_prefix(article));
    name(article.unwrap_or(&rest[..end]), known).is_some()
}

/// What a line such as `Logstash is responsible for:` says of the list below it: a subject and a relation.
pub(super) fn lead(place: &Place<'_>, known: &Known<'_>, saying: &mut Saying<'_>) -> Option<(Said, String)> {
    let last = sentences(&place.lead).last().map(|last| last.trim())?;
    let words = without_fillers(last);
    let turn = turn(&words)?;
    let rest = words[turn.rest..].trim();
    let open = rest.is_empty() || rest == ":" || rest == "the following:" || rest == "the following";
    if !open || matches!(turn.want, Want::Nothing(_) | Want::Kind) {
        return None;
    }
    let subject = subject(place, &words[..turn.subject_end], known, saying)?;
    Some((subject, turn.relation.into_owned()))
}

fn without_fillers(words: &str) -> Cow<'_, str> {
    match words.split(' ').any(|word| FILLERS.contains(&word)) {
        true => {
            Cow::Owned(words.split(' ').filter(|word| !FILLERS.contains(word)).collect::<Vec<_>>().join(" "))
        }
        false => Cow::Borrowed(words),
    }
}

/// The phrase is the value, if nothing follows that changes it.
fn deprecated(rest: &str, value: &str) -> Option<String> {
    let ends = rest.trim_matches(['.', ' ']).is_empty() || rest.starts_with("since") || rest.starts_with('.');
    ends.then(|| value.to_owned())
}

/// The name that all before the phrase is, if it is one.
fn subject(place: &Place<'_>, before: &str, known: &Known<'_>, saying: &mut Saying<'_>) -> Option<Said> {
    let before = before.trim();
    if let Some(noun) = before.strip_prefix("This ") {
        return this(place, noun, saying);
    }
    let before = match before.find(" (") {
        // An aside behind the name changes nothing.
        Some(at) if before.ends_with(')') => &before[..at],
        _ => before,
    };
    let before = before.trim_matches(['\'', '"', '“', '”', '‘', '’']);
    let bare =
        ["The ", "A ", "An "].iter().find_map(|article| before.strip_prefix(article)).unwrap_or(before);
    if place.is_title(bare) || tailed(bare).is_some_and(|name| place.is_title(name)) {
        return Some(saying.mention(this_page(place.page)));
    }
    if let Some(heading) = place.headed(bare) {
        return Some(saying.mention(heading));
    }
    // `Platform Engineering team`: a name with its plain noun.
    if let Some(whole) = tailed(bare).filter(|name| is_proper(name) && name.contains(' ')).map(|_| bare) {
        return Some(saying.mention(names::thing(whole)));
    }
    let found = name(bare, known).or_else(|| tailed(bare).and_then(|bare| sure_name(bare, known)));
    found.map(|name| saying.mention(name))
}

/// `This page`, or `This job` on a page whose title ends in `job`.
fn this(place: &Place<'_>, noun: &str, saying: &mut Saying<'_>) -> Option<Said> {
    let lower = noun.to_lowercase();
    let last = place.page.title.trim().rsplit(' ').next().unwrap_or_default().to_lowercase();
    let own = SELF.contains(&lower.as_str())
        || lower == last && lower.len() > 2
        || lower == "alert" && place.is_identifier();
    own.then(|| saying.mention(this_page(place.page)))
}

/// A phrase without the plain noun at its end.
fn tailed(phrase: &str) -> Option<&str> {
    let (name, _) = phrase.rsplit_once(' ').filter(|(_, tail)| TAILS.contains(tail))?;
    Some(name.trim_matches(['\'', '"', '“', '”', '‘', '’']))
}

/// A phrase as a name: marked up, shaped like one, or with capitals.
fn name(phrase: &str, known: &Known<'_>) -> Option<Mention> {
    let phrase = phrase.trim().trim_end_matches(['.', ',', ';', ':']);
    if let Some(sure) = sure_name(phrase, known) {
        return Some(sure);
    }
    let common = TAILS.contains(&phrase.to_lowercase().as_str());
    let single = !phrase.contains(' ') && !is_opener(phrase) && can_be_name(phrase) && !common;
    if single
        && (known.capitals.get_or_init(|| capitals(known.text)).contains(phrase) || names::is_acronym(phrase))
    {
        return Some(names::thing(phrase));
    }
    (is_proper(phrase) && !phrase.contains("@{")).then(|| names::thing(phrase))
}

/// A phrase that markup or its shape makes a name.
fn sure_name(phrase: &str, known: &Known<'_>) -> Option<Mention> {
    if let Some((_, mention)) = known.marked.iter().find(|(shown, _)| shown == phrase) {
        return Some(mention.clone());
    }
    if !can_be_name(phrase) || phrase.contains("@{") || phrase.contains(' ') || is_opener(phrase) {
        return None;
    }
    names::issue(phrase)
        .or_else(|| names::shaped(phrase))
        .or_else(|| is_identifier(phrase).then(|| names::component(phrase)))
}

/// The names behind a phrase: the first one, and those joined to it by commas or `and`.
fn names_of(rest: &str, want: Want, known: &Known<'_>) -> Vec<Mention> {
    if matches!(want, Want::Rest | Want::Kind | Want::Nothing(_)) {
        return Vec::new();
    }
    let article = ["the ", "an ", "a "].iter().find_map(|article| rest.strip_prefix(article));
    let rest = article.unwrap_or(rest);
    let end = match want {
        Want::Either => rest.len(),
        _ => STOPS.iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len()),
    };
    let part = rest[..end].trim_end_matches(['.', ',', ' ']);
    if let Some(whole) = name(part, known).or_else(|| tailed(part).and_then(|part| sure_name(part, known))) {
        return vec![whole];
    }
    let parts: Vec<&str> = part.split(", ").flat_map(|part| part.split(" and ")).collect();
    let parts = parts.iter().map(|part| part.trim().trim_start_matches("and ").trim_start_matches("the "));
    let found: Vec<Option<Mention>> = parts.map(|part| name(part, known)).collect();
    match found.iter().all(Option::is_some) {
        true => found.into_iter().flatten().collect(),
        false => Vec::new(),
    }
}

/// The rest of a sentence as a value.
fn rest_of(rest: &str, want: Want) -> Option<String> {
    let end = BREAKS.iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len());
    let rest = rest[..end].trim().trim_end_matches(['.', '-']).trim();
    if AWAY.iter().any(|word| rest.contains(word)) {
        return None;
    }
    let first = rest.split_whitespace().next().unwrap_or_default().to_lowercase();
    let first = first.trim_matches(|c: char| !c.is_alphanumeric());
    let vague = match want {
        Want::Kind => VAGUE.contains(&first),
        _ => POINTS.contains(&first),
    };
    let least = if want == Want::Rest { 1 } else { 2 };
    let whole = !rest.contains(". ")
        && !rest.ends_with([':', ',', '('])
        && rest.matches('(').count() == rest.matches(')').count();
    let whole = whole && !is_open(rest);
    let fits = rest.split_whitespace().count() >= least && rest.chars().count() <= 300;
    (fits && !vague && whole).then(|| rest.to_owned())
}
