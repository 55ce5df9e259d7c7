//! Turns of phrase that state a fact with certainty: `X is owned by Y`, `X is a Y`. It must not know blocks. Invariant:
//! a sentence speaks only if its subject is a name and stands at its beginning, so conditions, questions, negations and
//! orders say nothing.

use super::names::{self, can_be_name, is_identifier, is_opener, is_proper};
use super::place::Place;
use super::saying::{Saying, Stated, this_page};
use super::{dates, relations};
use crate::graph::{Mention, Object};
use std::collections::HashSet;

/// What must stand behind a turn of phrase.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// One or more names.
    Names,
    /// The rest of the sentence.
    Rest,
    /// Nothing: the phrase itself is the value.
    Nothing(&'static str),
}

use Want::{Names, Nothing, Rest};

/// The words, the relation, and what must follow.
type Turn = (&'static str, &'static str, Want);

/// Longest subject. Names of pages are the longest names.
const SUBJECT_WORDS: usize = 12;

/// The first words of all phrases, to pass over most words quickly.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "is", "are", "was", "has", "runs", "belongs", "depends", "relies", "requires", "replaces", "supersedes",
    "stands", "uses", "consists", "provides", "stores", "supports", "contains",
];

/// The phrases. Where two begin at the same place the longer one counts.
const TURNS: &[Turn] = &[
    (" is owned by ", "owned_by", Names),
    (" are owned by ", "owned_by", Names),
    (" is owned and maintained by ", "owned_by", Names),
    (" is maintained by ", "maintained_by", Names),
    (" are maintained by ", "maintained_by", Names),
    (" is managed by ", "managed_by", Names),
    (" are managed by ", "managed_by", Names),
    (" is managed and maintained by ", "maintained_by", Names),
    (" is operated by ", "operated_by", Names),
    (" is developed by ", "developed_by", Names),
    (" was developed by ", "developed_by", Names),
    (" is provided by ", "provided_by", Names),
    (" is hosted on ", "hosted_on", Names),
    (" is hosted by ", "hosted_on", Names),
    (" is hosted in ", "hosted_on", Names),
    (" are hosted on ", "hosted_on", Names),
    (" is deployed on ", "deployed_on", Names),
    (" is deployed to ", "deployed_on", Names),
    (" runs on ", "runs_on", Names),
    (" is built on ", "built_with", Names),
    (" is built with ", "built_with", Names),
    (" is built using ", "built_with", Names),
    (" is powered by ", "powered_by", Names),
    (" is based on ", "based_on", Names),
    (" is written in ", "written_in", Names),
    (" are written in ", "written_in", Names),
    (" is part of ", "part_of", Names),
    (" is a part of ", "part_of", Names),
    (" belongs to ", "part_of", Names),
    (" depends on ", "depends_on", Names),
    (" relies on ", "depends_on", Names),
    (" requires ", "requires", Names),
    (" has been replaced by ", "replaced_by", Names),
    (" is replaced by ", "replaced_by", Names),
    (" was replaced by ", "replaced_by", Names),
    (" is superseded by ", "replaced_by", Names),
    (" has been superseded by ", "replaced_by", Names),
    (" is deprecated in favour of ", "replaced_by", Names),
    (" is deprecated in favor of ", "replaced_by", Names),
    (" has been deprecated in favour of ", "replaced_by", Names),
    (" has been deprecated in favor of ", "replaced_by", Names),
    (" replaces ", "replaces", Names),
    (" supersedes ", "replaces", Names),
    (" has been deprecated", "status", Nothing("deprecated")),
    (" is deprecated", "status", Nothing("deprecated")),
    (" is stored in ", "stored_in", Names),
    (" are stored in ", "stored_in", Names),
    (" is defined in ", "defined_in", Names),
    (" are defined in ", "defined_in", Names),
    (" is configured in ", "configured_in", Names),
    (" is located in ", "located_in", Names),
    (" is located at ", "located_in", Names),
    (" is triggered by ", "triggered_by", Names),
    (" is a fork of ", "fork_of", Names),
    (" is also known as ", "also_known_as", Rest),
    (" is known as ", "also_known_as", Rest),
    (" stands for ", "stands_for", Rest),
    (" is used by ", "used_by", Names),
    (" uses ", "uses", Names),
    (" is used to ", "used_to", Rest),
    (" are used to ", "used_to", Rest),
    (" is used for ", "used_for", Rest),
    (" are used for ", "used_for", Rest),
    (" is responsible for ", "responsible_for", Rest),
    (" are responsible for ", "responsible_for", Rest),
    (" consists of ", "consists_of", Rest),
    (" provides ", "provides", Rest),
    (" stores ", "stores", Rest),
    (" supports ", "supports", Rest),
    (" contains ", "contains", Rest),
    (" is a ", "is_a", Rest),
    (" is an ", "is_a", Rest),
    (" are a ", "is_a", Rest),
    (" is the ", "is_a", Rest),
];

/// Words that change nothing in a phrase and are passed over.
const FILLERS: &[&str] = &["currently", "now", "also", "mainly", "primarily", "solely", "jointly"];

/// First words of a rest that judges or points instead of stating.
#[rustfmt::skip]
const VAGUE: &[&str] = &[
    "good", "bad", "great", "better", "best", "same", "only", "problem", "issue", "lot", "way", "case",
    "reason", "result", "following", "first", "last", "next", "one", "must", "bit", "few", "known",
    "similar", "separate", "different", "new", "common", "list", "example", "this", "that", "it", "them",
    "these", "those", "both", "default", "current", "most", "more", "no", "not", "two", "three", "number",
    "step", "second", "previous", "main", "true", "false", "above", "below", "sample", "preview",
    "snapshot",
];

/// Where a name at the other end stops.
#[rustfmt::skip]
const STOPS: &[&str] = &[
    ". ", "; ", " (", " which ", " that ", " for ", " to ", " in ", " via ", " when ", " if ", " because ",
    " so ", " as ", " with ", " from ", " on ", " by ", " since ", " until ", " at ", " using ",
    " through ", " rather ", " instead ", " - ", " – ", ": ", " where ", " but ", " while ", " before ",
    " after ", " being ", " is ", " are ", " was ", " has ",
];

/// The names that stand in the text around: links, code, bold, and words with a capital in mid-sentence.
pub(super) struct Known {
    /// What is shown, and what it names.
    pub marked: Vec<(String, Mention)>,
    /// Words that are written with a capital where no sentence begins.
    pub capitals: HashSet<String>,
}

/// Words with a capital in mid-sentence.
pub(super) fn capitals(text: &str) -> HashSet<String> {
    let mut out = HashSet::new();
    let mut before = "";
    for word in text.split_whitespace() {
        let follows = before.ends_with(|c: char| c.is_lowercase() || c == ',');
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let capital = bare.starts_with(char::is_uppercase) && bare.chars().count() > 2;
        if follows && capital && word.starts_with(char::is_uppercase) && !is_opener(bare) {
            out.insert(bare.to_owned());
        }
        before = word;
    }
    out
}

/// Reads one sentence. `words` is the sentence without markup, `sentence` as it stands in the chunk.
pub(super) fn sentence(
    place: &Place<'_>,
    words: &str,
    sentence: &str,
    known: &Known,
    saying: &mut Saying<'_>,
) {
    let words = without_fillers(words);
    if words.ends_with(['?', ':']) || words.len() > 600 {
        return;
    }
    let Some((at, (phrase, relation, want))) = turn(&words) else { return };
    let Some(subject) = subject(place, &words[..at], known) else { return };
    let rest = words[at + phrase.len()..].trim();
    let objects = match want {
        Nothing(value)
            if rest.trim_matches(['.', ' ']).is_empty()
                || rest.starts_with("since")
                || rest.starts_with('.') =>
        {
            vec![Object::Value((*value).to_owned())]
        }
        Nothing(_) => Vec::new(),
        Names => name_list(rest, known).into_iter().map(|name| Object::Named(saying.mention(name))).collect(),
        Rest => rest_of(rest, phrase).into_iter().map(Object::Value).collect(),
    };
    if objects.is_empty() {
        return;
    }
    let subject = saying.mention(subject);
    let single = objects.len() == 1 && relations::is_single(relation);
    for object in objects {
        let claim = Stated::new(subject, relation, object, sentence).since(dates::since(&words));
        saying.claim(Stated { single, invalid_at: dates::until(&words), ..claim });
    }
}

/// The first phrase of a sentence and where it stands. Subjects are short, so only the beginning is looked at.
fn turn(words: &str) -> Option<(usize, &'static Turn)> {
    let spaces = words.match_indices(' ').map(|(at, _)| at).take(SUBJECT_WORDS);
    let mut found = spaces.filter_map(|at| {
        let rest = &words[at..];
        let verb = rest[1..].split(' ').next().unwrap_or_default().trim_end_matches('.');
        let fits = TURNS.iter().filter(|turn| VERBS.contains(&verb) && rest.starts_with(turn.0));
        fits.max_by_key(|turn| turn.0.len()).map(|turn| (at, turn))
    });
    found.next()
}

fn without_fillers(words: &str) -> String {
    words.split(' ').filter(|word| !FILLERS.contains(word)).collect::<Vec<_>>().join(" ")
}

/// The name that all before the phrase is, if it is one.
fn subject(place: &Place<'_>, before: &str, known: &Known) -> Option<Mention> {
    let before = before.trim();
    let bare =
        ["The ", "A ", "An "].iter().find_map(|article| before.strip_prefix(article)).unwrap_or(before);
    if bare.eq_ignore_ascii_case(place.page.title.trim()) {
        return Some(this_page(place.page));
    }
    name(bare, known)
}

/// A phrase as a name: marked up, shaped like one, or with capitals.
fn name(phrase: &str, known: &Known) -> Option<Mention> {
    let phrase = phrase.trim().trim_end_matches(['.', ',', ';', ':']);
    if let Some((_, mention)) = known.marked.iter().find(|(shown, _)| shown == phrase) {
        return Some(mention.clone());
    }
    if !can_be_name(phrase) || phrase.contains("@{") {
        return None;
    }
    if let Some(shaped) = names::issue(phrase).or_else(|| names::shaped(phrase)) {
        return Some(shaped);
    }
    let single = !phrase.contains(' ') && !is_opener(phrase);
    if single && is_identifier(phrase) {
        return Some(names::component(phrase));
    }
    if single && (known.capitals.contains(phrase) || names::is_acronym(phrase)) {
        return Some(names::thing(phrase));
    }
    is_proper(phrase).then(|| names::thing(phrase))
}

/// The names behind a phrase: the first one, and those joined to it by commas or `and`.
fn name_list(rest: &str, known: &Known) -> Vec<Mention> {
    let rest = rest
        .strip_prefix("the ")
        .or_else(|| rest.strip_prefix("an "))
        .or_else(|| rest.strip_prefix("a "))
        .unwrap_or(rest);
    let end = STOPS.iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len());
    let part = rest[..end].trim_end_matches(['.', ',']);
    if let Some(whole) = name(part, known) {
        return vec![whole];
    }
    let parts: Vec<&str> = part.split(", ").flat_map(|part| part.split(" and ")).collect();
    let parts = parts.iter().map(|part| part.trim().trim_start_matches("and ").trim_start_matches("the "));
    parts.map_while(|part| name(part, known)).collect()
}

/// The rest of a sentence as a value.
fn rest_of(rest: &str, phrase: &str) -> Option<String> {
    let rest = rest.trim().trim_end_matches('.').trim();
    let count = rest.split_whitespace().count();
    let first = rest.split_whitespace().next().unwrap_or_default().to_lowercase();
    let vague = VAGUE.contains(&first.trim_matches(|c: char| !c.is_alphanumeric()));
    let least = if phrase.contains("known as") || phrase.contains("stands") { 1 } else { 2 };
    let whole = !rest.contains(". ")
        && !rest.ends_with([':', ',', '('])
        && rest.matches('(').count() == rest.matches(')').count();
    (count >= least && rest.chars().count() <= 300 && !vague && whole).then(|| rest.to_owned())
}
