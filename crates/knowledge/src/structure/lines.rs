//! Lines that state something of their first words: `Owner: X`, `**Term** - meaning`, items of a list, definitions and
//! tasks. It must not know tables or sentences. Invariant: a line that could be an instruction or an aside is none.

use super::dates;
use super::names::{self, can_be_name};
use super::place::Place;
use super::relations::{from_header, is_property};
use super::saying::{Said, Saying, Stated, this_page};
use super::tables::objects;
use super::words::{
    Other, inlines_in, is_garbled, is_open, named, other, other_inlines, plain, plain_blocks,
};
use crate::document::{Block, Definition, Inline, Task};
use crate::graph::{Kind, Mention, Object};

/// Labels of asides; what follows them is about nothing in particular.
#[rustfmt::skip]
const ASIDES: &[&str] = &[
    "ex", "notice", "note", "notes", "important", "warning", "tip", "example", "examples", "e.g", "eg",
    "i.e", "good to know", "todo", "question", "answer", "q", "a", "nb", "info", "caution", "see also",
    "output", "result", "input", "request", "response", "hint", "steps", "usage", "optional",
    "prerequisite", "prerequisites", "http", "https", "please note", "reminder", "then", "first", "second",
    "third", "finally", "for example", "disclaimer", "ps", "update", "edit", "options", "option", "if",
    "step", "solution", "error", "expected", "actual", "expected result", "link", "links", "refer",
    "reference", "references", "file", "where", "also", "issue", "case", "scenario", "resolution",
    "problem", "problem statement", "context", "solution", "cause", "root cause", "background", "current",
    "proposed", "workaround", "default", "action", "expected behaviour", "observation", "conclusion",
    "command", "syntax", "body", "headers", "header", "payload", "curl", "api", "params", "bug", "story",
    "task",
];

/// First words of instructions.
#[rustfmt::skip]
const ORDERS: &[&str] = &[
    "add", "apply", "ask", "change", "check", "choose", "clear", "click", "clone", "close", "complete",
    "configure", "confirm", "connect", "consider", "contact", "copy", "create", "define", "delete",
    "deploy", "disable", "do", "download", "edit", "enable", "ensure", "enter", "execute", "extract",
    "fetch", "fill", "find", "fix", "follow", "get", "give", "go", "identify", "if", "import", "include",
    "increase", "inspect", "install", "keep", "let", "log", "login", "look", "make", "manage", "merge",
    "modify", "move", "navigate", "open", "perform", "pick", "please", "press", "provide", "push", "put",
    "read", "redeploy", "refer", "register", "remove", "rename", "repeat", "replace", "restart", "review",
    "rotate", "run", "save", "scroll", "search", "see", "select", "send", "set", "setup", "share", "sign",
    "start", "stop", "store", "submit", "switch", "take", "test", "try", "type", "update", "upgrade",
    "upload", "use", "validate", "verify", "view", "visit", "wait", "watch", "when", "write", "don't",
    "never", "always", "you",
];

/// How a label is set off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Plain text before a colon or a dash.
    Plain,
    /// Bold.
    Bold,
    /// Code, a link, a person, an issue: a name for certain.
    Name,
}

/// A line's first words and what follows.
struct Pair {
    label: String,
    form: Form,
    name: Option<Mention>,
    colon: bool,
    rest: Vec<Inline>,
}

/// A line with its shape.
struct Line<'a> {
    pair: Pair,
    /// The list it is an item of.
    listed: Option<Listed>,
    /// How it reads in the chunk.
    text: &'a str,
}

/// How sure a list makes of its lines.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// All items have the same shape.
    pub alike: bool,
    /// Numbered lists are mostly steps.
    pub numbered: bool,
}

/// Reads a paragraph line by line; `text` is how it reads in the chunk.
pub(super) fn paragraph(place: &Place<'_>, inlines: &[Inline], text: &str, saying: &mut Saying<'_>) {
    let runs: Vec<&[Inline]> = inlines.split(|inline| *inline == Inline::Break).collect();
    let lines: Vec<&str> = text.lines().collect();
    let whole = runs.len() == 1;
    for (at, run) in runs.iter().enumerate() {
        let line = if whole { text } else { lines.get(at).copied().unwrap_or_default() };
        if let Some(pair) = pair(place, run) {
            line_of(place, Line { pair, listed: None, text: line }, saying);
        }
    }
}

/// Reads a short paragraph below one that is only a label, such as `Repository:`; `text` is both.
pub(super) fn below_label(place: &Place<'_>, inlines: &[Inline], text: &str, saying: &mut Saying<'_>) {
    let Some(label) = place.lead.strip_suffix(':').map(str::trim) else { return };
    let Some(relation) = from_header(label).filter(|relation| is_property(relation) && is_label(label))
    else {
        return;
    };
    let words = plain(inlines);
    if words.ends_with(':') || is_order(&words) {
        return;
    }
    let what = other_inlines(inlines, place.page);
    if !too_long(&what) {
        property(place, (&relation, text), what, saying);
    }
}

/// Reads a paragraph below a bold line of its own, which some write in place of a heading.
pub(super) fn below_term(
    place: &Place<'_>,
    above: &str,
    (words, text): (&str, &str),
    saying: &mut Saying<'_>,
) {
    let Some(label) = above.strip_prefix("**").and_then(|rest| rest.strip_suffix("**")) else { return };
    let first = words.split(' ').next().unwrap_or_default();
    let says =
        matches!(first, "This" | "It" | "A" | "An" | "Contains" | "Used" | "Provides" | "Stores" | "Holds");
    let sized = (4..=40).contains(&words.split(' ').count());
    if label.contains("**") || !is_term(label) || !says || !sized || is_open(words) || is_garbled(words) {
        return;
    }
    describe(place.term(label), words, &format!("{above}\n\n{text}"), saying);
}

/// Reads the first paragraph of a list item.
pub(super) fn item(
    place: &Place<'_>,
    (inlines, text): (&[Inline], &str),
    listed: Listed,
    saying: &mut Saying<'_>,
) {
    let run = inlines.split(|inline| *inline == Inline::Break).next().unwrap_or_default();
    if let Some(pair) = pair(place, run) {
        let line = text.lines().next().unwrap_or_default();
        line_of(place, Line { pair, listed: Some(listed), text: line }, saying);
    }
}

/// Whether the items of a list mostly are a label and a meaning.
pub(super) fn are_alike(place: &Place<'_>, items: &[Vec<Block>]) -> bool {
    let labelled = |item: &&Vec<Block>| match item.first() {
        Some(Block::Paragraph(inlines)) => pair(place, inlines).is_some_and(|pair| !pair.rest.is_empty()),
        _ => false,
    };
    items.len() >= 2 && items.iter().filter(labelled).count() * 5 >= items.len() * 4
}

/// Splits a line into its label and the rest.
fn pair(place: &Place<'_>, run: &[Inline]) -> Option<Pair> {
    let blank = |inline: &Inline| matches!(inline, Inline::Text(text) if text.trim().is_empty());
    let start = run.iter().position(|inline| !blank(inline))?;
    let (first, after) = (&run[start], &run[start + 1..]);
    if let Inline::Text(text) = first {
        return plain_pair(text, after);
    }
    let name = named(first, place.page);
    let label = plain(std::slice::from_ref(first));
    let form = match first {
        Inline::Strong(_) if name.is_none() => Form::Bold,
        _ if name.is_some() => Form::Name,
        _ => return None,
    };
    let inside = label.trim_end().ends_with(':') || label.trim_end().ends_with(" -");
    let label = label.trim_end_matches([':', '-', '–', ' ', '\\']).trim_start_matches(['-', ' ']).to_owned();
    if inside {
        return Some(Pair { label, form, name, colon: true, rest: after.to_vec() });
    }
    let (Some(Inline::Text(text)), rest) = (after.first(), after.get(1..).unwrap_or_default()) else {
        return None;
    };
    let lead = text.trim_start();
    let (colon, body) = match lead.strip_prefix(':') {
        Some(body) => (true, body),
        None => (false, dash(lead)?),
    };
    let body = body.trim_start();
    let mut all = vec![Inline::Text(dash(body).unwrap_or(body).trim_start().to_owned())];
    all.extend(rest.iter().cloned());
    Some(Pair { label, form, name, colon, rest: all })
}

/// What follows a dash that stands by itself.
fn dash(text: &str) -> Option<&str> {
    let dashes = ["- ", "– ", "— ", "-- ", "–", "—"];
    dashes.iter().find_map(|dash| text.strip_prefix(dash))
}

fn plain_pair(text: &str, after: &[Inline]) -> Option<Pair> {
    let head = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
    let colon = text[..head]
        .find(": ")
        .or_else(|| (text[..head].trim_end().ends_with(':')).then(|| text[..head].trim_end().len() - 1));
    let dash = [" - ", " – ", " — "].iter().filter_map(|dash| text[..head].find(dash)).min();
    let (at, colon) = match (colon, dash) {
        (Some(colon), Some(dash)) if dash < colon => (dash, false),
        (Some(colon), _) => (colon, true),
        (None, Some(dash)) => (dash, false),
        (None, None) => return None,
    };
    let body = text[at..].trim_start_matches([':', '-', '–', '—', ' ']);
    let label = text[..at].trim().to_owned();
    let mut rest = vec![Inline::Text(body.to_owned())];
    rest.extend(after.iter().cloned());
    Some(Pair { label, form: Form::Plain, name: None, colon, rest })
}

/// Decides what a label and its rest say.
fn line_of(place: &Place<'_>, line: Line<'_>, saying: &mut Saying<'_>) {
    let Line { pair, listed, text: line } = line;
    let Pair { label, form, name, colon, rest } = pair;
    let label = names::bare(&label).to_owned();
    if !is_label(&label) || is_order(&plain(&rest)) {
        return;
    }
    let what = other_inlines(&rest, place.page);
    let relation = from_header(&label);
    if let Some(relation) = relation.as_deref().filter(|relation| is_property(relation)) {
        if colon && form != Form::Name && !too_long(&what) {
            property(place, (relation, line), what, saying);
        }
        return;
    }
    let alike = listed.is_some_and(|listed| listed.alike && !listed.numbered);
    let certain = form != Form::Plain && listed.is_none_or(|listed| listed.alike || !listed.numbered);
    let changes = form != Form::Name && listed.is_some() && place.tells_changes();
    if !(certain || alike) || changes || is_aside(&label) || warns(&place.lead) {
        return;
    }
    let (Other::Words(words) | Other::Part(words)) = &what else { return };
    let short = words.split_whitespace().count() <= 5 && !words.ends_with('.');
    let shaped = form == Form::Name || names::is_identifier(&label);
    match relation {
        Some(relation) if short && colon && !shaped && label.split(' ').count() <= 4 => {
            property(place, (&relation, line), what, saying);
        }
        _ => {
            let term = name.unwrap_or_else(|| place.term(&label));
            let enough = words.split_whitespace().count() >= if shaped { 2 } else { 4 };
            if enough && !is_pointer(words) {
                describe(term, words, line, saying);
            }
        }
    }
}

fn too_long(what: &Other) -> bool {
    matches!(what, Other::Words(words) if words.chars().count() > 120) || matches!(what, Other::Part(_))
}

/// A property of what the section is about, standing on `line`.
fn property(place: &Place<'_>, (relation, line): (&str, &str), what: Other, saying: &mut Saying<'_>) {
    let subject = place.subject(saying);
    let objects = objects(what, relation, saying);
    let single = objects.len() == 1;
    for object in objects {
        let claim = Stated::new(subject, relation, object, line).since(dates::since(line));
        saying.claim(Stated { single, invalid_at: dates::until(line), ..claim });
    }
}

fn describe(term: Mention, words: &str, line: &str, saying: &mut Saying<'_>) {
    let subject = saying.mention(term);
    saying.claim(Stated::new(subject, "described_as", Object::Value(words.to_owned()), line));
}

/// A label is a few words that can be a name and order nothing.
fn is_label(label: &str) -> bool {
    let words: Vec<&str> = label.split_whitespace().collect();
    let first = words.first().copied().unwrap_or_default();
    let pronoun = names::is_opener(first) && words.len() > 1;
    can_be_name(label) && words.len() <= 6 && !pronoun && !is_order(label) && !label.contains(',')
}

/// Bold words that can be a term.
pub(super) fn is_term(shown: &str) -> bool {
    is_label(shown) && !is_aside(shown) && shown.split(' ').count() <= 4
}

fn is_aside(label: &str) -> bool {
    let lower = label.to_lowercase();
    let first = lower.split(' ').next().unwrap_or_default();
    ASIDES.contains(&lower.as_str()) || matches!(first, "step" | "note" | "example" | "option" | "if" | "for")
}

/// Begins like an instruction.
pub(super) fn is_order(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    ORDERS.contains(&first.trim_matches(|c: char| !c.is_alphanumeric() && c != '\''))
}

/// Only sends the reader elsewhere.
fn is_pointer(words: &str) -> bool {
    let lower = words.to_lowercase();
    let starts =
        ["here", "link", "http", "refer ", "this link", "this page", "documentation", "same as", "as above"];
    starts.iter().any(|start| lower.starts_with(start))
}

/// The lead of a list takes back what its items say.
fn warns(lead: &str) -> bool {
    let lower = lead.to_lowercase();
    let words = [
        " not ",
        "n't ",
        "for example",
        "e.g.",
        "such as",
        "avoid",
        "never",
        "incorrect",
        "should ",
        "must ",
        "steps",
    ];
    words.iter().any(|word| lower.contains(word))
}

/// Reads a list of terms; `lines` find what each is in the chunk.
pub(super) fn definition(place: &Place<'_>, definition: &Definition, text: &str, saying: &mut Saying<'_>) {
    let label = plain(&definition.term);
    let label = label.trim_end_matches(':');
    if !can_be_name(label) {
        return;
    }
    // The meaning stands on the line below the term; where that is indented, it stands for both.
    let line = if saying.holds(text) { text } else { text.lines().nth(1).unwrap_or_default() };
    let what = other(&definition.blocks, place.page);
    match (from_header(label).filter(|relation| is_property(relation)), &what) {
        (Some(relation), _) if !too_long(&what) => property(place, (&relation, line), what, saying),
        (_, Other::Words(words) | Other::Part(words)) => {
            let name = match definition.term.as_slice() {
                [only] => named(only, place.page),
                _ => None,
            };
            describe(name.unwrap_or_else(|| place.term(label)), words, line, saying);
        }
        _ => {}
    }
}

/// Reads a task: what is to be done, by whom, until when, and whether it is done.
pub(super) fn task(place: &Place<'_>, task: &Task, line: &str, saying: &mut Saying<'_>) {
    let words = plain_blocks(&task.body);
    let name: String = words.chars().take(160).collect();
    if !name.contains(char::is_alphanumeric) {
        return;
    }
    let this = saying.mention(this_page(place.page));
    let named_task = Mention { name: name.trim().to_owned(), kind: Kind::new("Task"), key: None };
    let subject = saying.mention(named_task);
    saying.claim(Stated::new(this, "has_task", Object::Named(subject), line));
    let status = if task.done { "done" } else { "open" };
    let single = |claim| saying_single(claim);
    saying.claim(single(Stated::new(subject, "status", Object::Value(status.to_owned()), line)));
    let mut runs = Vec::new();
    inlines_in(&task.body, &mut runs);
    let inlines: Vec<&Inline> = runs.into_iter().flatten().collect();
    let people: Vec<Said> = inlines
        .iter()
        .filter(|inline| matches!(inline, Inline::Person { .. }))
        .filter_map(|inline| named(inline, place.page))
        .map(|person| saying.mention(person))
        .collect();
    for person in &people {
        let claim = Stated::new(subject, "assigned_to", Object::Named(*person), line);
        saying.claim(Stated { single: people.len() == 1, ..claim });
    }
    let mut due = inlines.iter().filter_map(|inline| match inline {
        Inline::Date(day) => Some(day.clone()),
        _ => None,
    });
    if let Some(day) = due.next_back() {
        saying.claim(single(Stated::new(subject, "due", Object::Value(day), line)));
    }
}

fn saying_single(claim: Stated<'_>) -> Stated<'_> {
    Stated { single: true, ..claim }
}
