//! When a name is trivially the same name: normal form, distinctive form, and the node a mention stands for.
//!
//! Everything here is a function of the name, the kind and the place alone. It must not know what else is in
//! the graph (nor how often), because that depends on what was resolved first.

use crate::graph::{Key, Kind, Mention, Node};
use crate::id::NodeId;
use crate::resolve::PageSaid;
use std::collections::HashSet;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

/// Kinds that can never be one thing with another class; part of a name's identity. Everything that is none
/// of the special ones is a `Thing`, whatever a text calls it, so that `Component` here and `Service` there
/// still meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Person,
    Space,
    Label,
    Issue,
    File,
    Page,
    Thing,
}

impl Class {
    pub(super) fn of(kind: &Kind, key: Option<&Key>) -> Class {
        match key {
            Some(Key::Page(_) | Key::Title(..)) => Class::Page,
            Some(Key::Person(_)) => Class::Person,
            Some(Key::Space(_)) => Class::Space,
            Some(Key::Label(_)) => Class::Label,
            Some(Key::Issue(_)) => Class::Issue,
            Some(Key::File(..)) => Class::File,
            None => Class::of_kind(kind),
        }
    }

    fn of_kind(kind: &Kind) -> Class {
        let special = [
            (Kind::PERSON, Class::Person),
            (Kind::SPACE, Class::Space),
            (Kind::LABEL, Class::Label),
            (Kind::ISSUE, Class::Issue),
            (Kind::FILE, Class::File),
            (Kind::PAGE, Class::Page),
        ];
        let found = special.into_iter().find(|(name, _)| name.as_str().eq_ignore_ascii_case(kind.as_str()));
        found.map_or(Class::Thing, |(_, class)| class)
    }

    /// Whether two classes may be one entity when a text says so. It is an equivalence, so no chain of
    /// decisions can join what it keeps apart.
    pub(super) fn may_join(self, other: Class) -> bool {
        let alone = |class| matches!(class, Class::Person | Class::Label | Class::File);
        self == other || (!alone(self) && !alone(other))
    }

    fn tag(self) -> &'static [u8] {
        match self {
            Class::Person => b"person",
            Class::Space => b"space",
            Class::Label => b"label",
            Class::Issue => b"issue",
            Class::File => b"file",
            Class::Page => b"page",
            Class::Thing => b"thing",
        }
    }
}

/// The node a mention on a page stands for; none when nothing is left of the name.
pub(super) fn node_of(mention: &Mention, page: &PageSaid) -> Option<Node> {
    let name = mention.name.split_whitespace().collect::<Vec<_>>().join(" ");
    let normal = normalise(&name);
    let key = mention.key.clone().or_else(|| key_by_kind(&mention.kind, &name, &normal, page)).map(plain_key);
    if let Some(key) = key {
        let normal = normal_of_key(&key);
        let name = if name.is_empty() { normal.clone() } else { name };
        let space = match &key {
            Key::Title(space, _) => Some(space.clone()),
            _ => None,
        };
        let kind = if matches!(key, Key::Person(_)) { Kind::PERSON } else { mention.kind.clone() };
        return Some(Node { id: id_of_key(&key), name, normal, kind, space, key: Some(key) });
    }
    if normal.is_empty() {
        return None;
    }
    let class = Class::of(&mention.kind, None);
    // People are told apart by account, never by name: a bare name means the same person within one page at
    // most.
    let (id, space) = if class == Class::Person {
        let page_id = page.page.as_str().as_bytes();
        (NodeId::of(&[b"name", class.tag(), b"page", page_id, normal.as_bytes()]), Some(page.space.clone()))
    } else if distinctive(&name) {
        (id_everywhere(class, &normal), None)
    } else {
        (id_in_space(class, page.space.as_str(), &normal), Some(page.space.clone()))
    };
    Some(Node { id, name, normal, kind: mention.kind.clone(), space, key: None })
}

/// The id of a distinctive name, which is the same in every space.
pub(super) fn id_everywhere(class: Class, normal: &str) -> NodeId {
    NodeId::of(&[b"name", class.tag(), b"everywhere", normal.as_bytes()])
}

/// The id of an ordinary name, which counts in one space.
pub(super) fn id_in_space(class: Class, space: &str, normal: &str) -> NodeId {
    NodeId::of(&[b"name", class.tag(), b"space", space.as_bytes(), normal.as_bytes()])
}

/// The id of a node that has a key.
pub(super) fn id_of_key(key: &Key) -> NodeId {
    match key {
        Key::Page(page) => NodeId::of(&[b"key", b"page", page.as_str().as_bytes()]),
        Key::Title(space, title) => {
            NodeId::of(&[b"key", b"title", space.as_str().as_bytes(), title.as_bytes()])
        }
        Key::Person(person) => NodeId::of(&[b"key", b"person", person.as_str().as_bytes()]),
        Key::Space(space) => NodeId::of(&[b"key", b"space", space.as_str().as_bytes()]),
        Key::Label(label) => NodeId::of(&[b"key", b"label", label.as_bytes()]),
        Key::Issue(issue) => NodeId::of(&[b"key", b"issue", issue.as_bytes()]),
        Key::File(page, name) => NodeId::of(&[b"key", b"file", page.as_str().as_bytes(), name.as_bytes()]),
    }
}

/// Keys of one sort exclude each other: an entity has at most one of each.
pub(super) fn sort_of(key: &Key) -> u8 {
    match key {
        Key::Page(_) => 0,
        Key::Title(..) => 1,
        Key::Person(_) => 2,
        Key::Space(_) => 3,
        Key::Label(_) => 4,
        Key::Issue(_) => 5,
        Key::File(..) => 6,
    }
}

/// A kind can say as much as a key: a label is its name, an issue its tracker key, a page its title in the
/// space.
fn key_by_kind(kind: &Kind, name: &str, normal: &str, page: &PageSaid) -> Option<Key> {
    if normal.is_empty() {
        return None;
    }
    match Class::of_kind(kind) {
        Class::Label => Some(Key::Label(normal.to_owned())),
        Class::Issue if is_issue(name) => Some(Key::Issue(name.to_owned())),
        Class::Page => Some(Key::Title(page.space.clone(), normal.to_owned())),
        _ => None,
    }
}

fn is_issue(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(project, number)| {
        project.starts_with(|c: char| c.is_ascii_alphabetic())
            && project.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// One spelling per key: wikis compare titles and labels without case, trackers write keys in capitals.
fn plain_key(key: Key) -> Key {
    match key {
        Key::Title(space, title) => Key::Title(space, normalise(&title)),
        Key::Label(label) => Key::Label(normalise(&label)),
        Key::Issue(issue) => Key::Issue(issue.trim().to_ascii_uppercase()),
        other => other,
    }
}

/// What a keyed node is found by among names. Never its shown name: that may change, and a comparison of two
/// nodes must come out the same whenever it is made.
fn normal_of_key(key: &Key) -> String {
    match key {
        Key::Page(page) => normalise(page.as_str()),
        Key::Title(_, title) => title.clone(),
        Key::Person(person) => normalise(person.as_str()),
        Key::Space(space) => normalise(space.as_str()),
        Key::Label(label) => label.clone(),
        Key::Issue(issue) => normalise(issue),
        Key::File(_, name) => normalise(name),
    }
}

/// Two sightings of one node as one: the smallest name, the most telling kind. Commutative, associative and
/// idempotent, so the node that is held in the end does not depend on the order of sightings.
pub(super) fn merged(a: Node, b: &Node) -> Node {
    let name = if b.name < a.name { b.name.clone() } else { a.name };
    let kind = if telling(&b.kind) < telling(&a.kind) { b.kind.clone() } else { a.kind };
    Node { name, kind, ..a }
}

/// How much a kind tells, most telling first: `Thing` tells nothing, `Component` little.
pub(super) fn telling(kind: &Kind) -> (u8, &str) {
    let rank = match kind.as_str() {
        "Thing" => 2,
        "Component" => 1,
        _ => 0,
    };
    (rank, kind.as_str())
}

/// The form in which names are compared: compatibility composition, lower case, single spaces, one kind of
/// dash, no invisible characters, and no quotation marks, backticks or list punctuation around it.
pub fn normalise(name: &str) -> String {
    let plain: String =
        name.nfkc().filter(|c| !is_invisible(*c)).map(one_dash).flat_map(char::to_lowercase).nfkc().collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let quotes = |c: char| matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '«' | '»' | '„');
    let ends = |c: char| quotes(c) || matches!(c, ':' | ',' | ';') || c == ' ';
    plain.trim_start_matches(|c| quotes(c) || c == ' ').trim_end_matches(ends).to_owned()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\0')
}

fn one_dash(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        other => other,
    }
}

/// Shorter names are everyday words or abbreviations too often to mean the same in every space.
const DISTINCTIVE_CHARS: usize = 8;
/// With a number in it (`KIP-595`, `log4j2`), less is enough.
const DISTINCTIVE_CHARS_WITH_NUMBER: usize = 6;
/// Two humps make everyday words too (`BackEnd`, `OnBoarding`), so they must be this long, or be three.
const CAMEL_CHARS: usize = 12;

/// Whether a name means the same thing in every space, by its form alone: a composite (`ledger-service`,
/// `payments.ledger.entries`, `KafkaProducer`, `KIP-595`) with at least one part that is not an everyday
/// word. Not by how rare it is: rarity depends on what was read before.
pub fn distinctive(name: &str) -> bool {
    // A path from here or from the root of something leads elsewhere in every place.
    if name.contains(char::is_whitespace) || name.starts_with(['.', '/', '~']) {
        return false;
    }
    let name = name.trim_matches(|c: char| !c.is_alphanumeric());
    let parts = parts_of(name);
    let telling = parts.iter().filter(|part| !is_everyday(part)).count();
    let chars = name.chars().count();
    let has = |c: char| name.contains(c);
    let begins_small = name.starts_with(char::is_lowercase);
    if telling == 0 || chars < DISTINCTIVE_CHARS_WITH_NUMBER {
        false
    } else if name.contains(|c: char| c.is_ascii_digit()) {
        true
    } else if chars < DISTINCTIVE_CHARS {
        false
    } else if has('-') || has('.') || has('/') || has(':') {
        parts.len() > 1
    } else if has('_') {
        // `customer_id` and `retry_count` are columns and settings that every service has its own of.
        telling > 1
    } else if begins_small {
        // So are `lastName` and `retryCount`.
        telling > 1 && chars >= CAMEL_CHARS
    } else {
        parts.len() > 2 || (parts.len() == 2 && chars >= CAMEL_CHARS)
    }
}

/// Whether a name of several words says more than everyday words do: `Payment Gateway` does, `Release Notes`
/// does not.
pub(super) fn several_words(normal: &str) -> bool {
    let parts = parts_of(normal);
    parts.len() > 1 && parts.iter().any(|part| !is_everyday(part))
}

/// Letters of a word that says something by itself: fewer are an abbreviation of many things.
const TELLING_CHARS: usize = 4;

/// Whether one word says more than everyday words do: `Ledger` does, `Backup` does not.
pub(crate) fn telling_word(word: &str) -> bool {
    let letters = word.chars().count() >= TELLING_CHARS && word.chars().all(char::is_alphabetic);
    letters && !is_everyday(&word.to_lowercase())
}

/// Words between separators and at humps, in lower case; digits stay with the letters they follow.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let hump = c.is_uppercase() && before.is_lowercase();
        if hump || !c.is_alphanumeric() {
            parts.push(String::new());
        }
        if let (true, Some(part)) = (c.is_alphanumeric(), parts.last_mut()) {
            part.extend(c.to_lowercase());
        }
        before = c;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Everyday: in the list below, in singular or plural, with or without a number (`phase2`, `server01`), or
/// with less than three letters (`v1`, `q3`, `42`).
pub(super) fn is_everyday(part: &str) -> bool {
    let word: String = part.chars().filter(|c| !c.is_numeric()).collect();
    let listed = |word: &str| EVERYDAY_SET.contains(word);
    word.chars().count() < 3 || listed(&word) || word.strip_suffix('s').is_some_and(listed)
}

/// Words that name a role, a document, a time or a place in every space, so that names made of nothing else
/// are local. English only: in other languages a composite of such words counts as distinctive, a page title
/// of several words as telling. Short words need no entry.
const EVERYDAY: &str = "
about access account action active add added admin agenda alert all and announcement api app application
architecture archive area asset auth back backend backlog backup base basic batch best big board body book bot
bug build built button calendar call case change changelog channel chart check checklist child class cli
client close cloud cluster code column command comment common community component config configuration
connection contact container content context control copy core count create created cross css csv current
custom customer daily dashboard data database date day debug decision default definition delete deleted demo
deploy deployment design detail dev developer development diagram dir directory doc docker document
documentation done down draft edit email end engineering entry env environment error event example export
extension external faq feature feedback field file filter first fix flow folder follow for form format free
from front frontend full function future gateway general get getting global goal group guide guideline handler
hard head header help helper high history home host hour how html http https image impl implementation import
important inc index info information infra infrastructure init input install installation instance integration
interface internal intro introduction issue item jar java job json key kick known label last latest launch
layer learn level lib library life link list live load local lock log logging login long low mail main
maintenance manage management manager manual map master max mean meeting member menu message meta metadata
metric micro min minute misc miscellaneous mobile mode model module monitor monitoring month monthly multi
name need network new news next node note number object office old on onboarding online only open operation
option order org other out output over overview owner package page param parameter parent part partner
password path pdf people per performance person phase pipeline plan planning platform plugin png policies
policy port post postmortem practice pre prefix pri primary private pro problem process prod product
production profile program project properties property proposal prototype public python quarter query question
queue quick random raw read readme ready real record ref reference release remote repo report repository
request requirement resource response rest result retro retrospective review risk road roadmap role room root
rule run runbook sample schedule schema scope screen script search secret section security self semi server
service session set setting settings setup shared short side sign simple site size slack software solution
source space spec specification sprint stage staging stand standard standup start started state stats status
step stop storage store stories story string structure style sub summary support sync system table tag task
team tech technical temp template term test testing text the thing third ticket time timeline title tls todo
token tool tooling top topic total training troubleshooting tutorial txt type unit update updated upgrade
upload url usage use used user util utils valid value version video view web week weekly welcome why wiki
window with work worker workflow working workshop world write xml yaml year yml zip zone
";

static EVERYDAY_SET: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| EVERYDAY.split_ascii_whitespace().collect());

/// The name and kind to show for an entity, from its members alone. A page shows its current title, which its
/// `Title` node carries; then come people, pages, spaces, issues and labels; plain names show the shortest
/// form.
pub fn shown(members: &[Node]) -> (String, Kind) {
    let rank = |node: &Node| match &node.key {
        Some(Key::Title(..)) => 0,
        Some(Key::Person(_)) => 1,
        Some(Key::Page(_)) => 2,
        Some(Key::Space(_)) => 3,
        Some(Key::Issue(_)) => 4,
        Some(Key::Label(_)) => 5,
        Some(Key::File(..)) => 6,
        None => 7,
    };
    let best = members.iter().min_by_key(|node| (rank(node), node.name.chars().count(), &node.name, node.id));
    let Some(best) = best else { return (String::new(), Kind::THING) };
    let kind = match best.key {
        Some(_) => &best.kind,
        None => members.iter().map(|node| &node.kind).min_by_key(|kind| telling(kind)).unwrap_or(&best.kind),
    };
    (best.name.clone(), kind.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composites_with_a_telling_part_are_distinctive() {
        let names = [
            "ledger-service",
            "KIP-595",
            "PAY-1482",
            "payments.ledger.entries",
            "KafkaProducer",
            "etcdNoLeader",
            "log4j2",
            "alphagov/tech-docs-template",
            "sunbird_dial_repo_api_key",
        ];
        assert_eq!(names.into_iter().filter(|name| !distinctive(name)).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn everyday_words_in_any_form_are_not() {
        let names = [
            "Overview",
            "API",
            "Backend",
            "BackEnd",
            "back-end",
            "Release Notes",
            "release-notes",
            "follow-up",
            "config.yaml",
            "README.md",
            "api-gateway",
            "user_id",
            "customer_id",
            "lastName",
            "UserService",
            "phase-2",
            "Sprint-42",
            "server01",
            "v1.2.3",
            "2024-01-15",
            "Q3-2024",
            "../assets/ledger-picture.png",
            "/api/payments/v1",
            "ledger",
            "",
        ];
        assert_eq!(names.into_iter().filter(|name| distinctive(name)).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn names_are_compared_without_their_dress() {
        assert_eq!(normalise("  `Ledger\u{2011}Service`: "), "ledger-service");
        assert_eq!(normalise("“Ｐａｙｍｅｎｔ\u{a0} Gateway”"), "payment gateway");
        assert_eq!(normalise(".NET"), ".net");
        assert_eq!(normalise("C++"), "c++");
        assert_eq!(normalise("\u{200b}"), "");
    }

    #[test]
    fn joining_classes_is_an_equivalence() {
        use Class::{File, Issue, Label, Page, Person, Space, Thing};
        let all = [Person, Space, Label, Issue, File, Page, Thing];
        let triples = all.map(|a| all.map(|b| all.map(|c| (a, b, c))));
        for (a, b, c) in triples.into_iter().flatten().flatten() {
            assert!(a.may_join(a));
            assert_eq!(a.may_join(b), b.may_join(a));
            assert!(!(a.may_join(b) && b.may_join(c)) || a.may_join(c));
        }
    }
}
