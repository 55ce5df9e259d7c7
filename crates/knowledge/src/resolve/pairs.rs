//! When two different nodes are one thing: decisions about a pair, from the two nodes alone.
//!
//! Only what never changes about a node counts (its id's parts), so a pair comes out the same whenever it is
//! compared. Every pair that could be joined is found when the later of its two nodes enters, so order does
//! not show. In doubt no rule decides: equal ordinary names in two spaces, and names that are merely similar,
//! stay apart, without a record while there is nobody to ask, since pairs of them grow with the square of the
//! wiki.

use crate::graph::{Decision, Key, Node, Verdict};
use crate::id::{NodeId, SpaceKey};
use crate::resolve::doubts::WEIGHT_JUDGED;
use crate::resolve::names::{self, Class};
use crate::resolve::{Band, Held, crowds, spelling};
use std::collections::{BTreeMap, BTreeSet};

/// A thing named by its tracker key is that issue.
const WEIGHT_ISSUE: u16 = 950;
/// A name that is a page's whole title, in the page's space.
const WEIGHT_TITLE: u16 = 900;
/// A name that is a page's whole title and one word: all 10 such pairs in the texts of five wikis are one thing.
const WEIGHT_TITLE_WORD: u16 = 790;
/// Names with the same letters and digits: all 18 such pairs among 200 labelled ones are one thing.
const WEIGHT_RESPELLED: u16 = 850;
/// A name of several words and its plural: all 12 such pairs are one thing.
const WEIGHT_PLURAL: u16 = 800;
/// Nearly equal names; a third of the last tenth of similarity is added.
const WEIGHT_SIMILAR: u16 = 700;

/// Permutations and rows per band, as graphiti has them: at a similarity of 0.9, one of the 8 bands agrees in
/// 9,998 of 10,000 pairs.
const PERMUTATIONS: u64 = 32;
const BAND_ROWS: usize = 4;
/// Similarity of 3-grams from which names may be one, in thousandths; also graphiti's.
const SIMILAR: usize = 900;
/// Similarity from which names that no rule joins are worth a question, in thousandths: a word of ten letters with two
/// of them changed, next to one other. At 500 there are more than twice as many questions, of which 3 in 19 are about
/// one thing.
const PERHAPS: usize = 600;
/// Shorter names are compared only if they have two words.
const COMPARED_CHARS: usize = 6;
/// Letters and digits below which separators tell names apart (`a-z` is not `az`).
const SPELLED_CHARS: usize = 4;
/// Names with less entropy (`aaaaaa`, `------`) are no names.
const COMPARED_BITS: f64 = 1.5;
/// A word must be this long for one letter more or less to be a slip of the pen.
const SLIP_CHARS: usize = 6;

/// The keys under which a node is found by names like its own; none for a node that must not be compared, because it
/// has a key other than a title, is a person, or its name is too short or spelled exactly.
pub fn bands(node: &Node) -> Vec<Band> {
    let mut bands = shared(node);
    if let Some(stem) = stem(node).filter(|_| node.space.is_some()) {
        bands.push(band(Lot::Local, "", &stem));
    }
    if let Some(short) = abbreviation(node) {
        bands.push(band(Lot::Abbreviation, scope(node), short));
    }
    bands.extend(initials(node).iter().map(|initials| band(Lot::Expansion, scope(node), initials)));
    bands
}

/// The keys under which the nodes are found that a rule may join with this one. What stands everywhere seeks names of
/// every space and the other way round, while names of two spaces never meet.
fn sought(node: &Node) -> Vec<Band> {
    let mut bands = shared(node);
    if let Some(stem) = stem(node) {
        let other = if node.space.is_some() { Lot::Spelled } else { Lot::Local };
        bands.push(band(other, "", &stem));
    }
    bands
}

/// What is kept under a key.
#[derive(Clone, Copy)]
enum Lot {
    /// Names of one scope that may be one spelled in two ways.
    Spelled = 101,
    /// The same of any space.
    Local,
    /// Names that may be short for another.
    Abbreviation,
    /// Names by their initials.
    Expansion,
}

fn band(lot: Lot, scope: &str, text: &str) -> Band {
    Band(hash(lot as u64, &[scope.as_bytes(), text.as_bytes()]))
}

fn scope(node: &Node) -> &str {
    node.space.as_ref().map_or("", |space| space.as_str())
}

/// A name without a certain identity, that is not a person's.
fn is_plain(node: &Node) -> bool {
    node.key.is_none() && Class::of(&node.kind, None) != Class::Person
}

/// Both stored and sought.
fn shared(node: &Node) -> Vec<Band> {
    let mut bands = if is_plain(node) { signature(node) } else { Vec::new() };
    bands.extend(stem(node).map(|stem| band(Lot::Spelled, scope(node), &stem)));
    bands
}

/// What a name has in common with its other spellings, where it may have some.
fn stem(node: &Node) -> Option<String> {
    let meant = is_plain(node) || matches!(node.key, Some(Key::Title(..)));
    (meant && is_spelled_freely(&node.normal)).then(|| spelling::stem(&node.normal))
}

/// The keys of the abbreviations with these letters in a space, and of what they may stand for.
pub(super) fn bands_of_letters(space: &SpaceKey, letters: &str) -> [Band; 2] {
    [Lot::Abbreviation, Lot::Expansion].map(|lot| band(lot, space.as_str(), letters))
}

/// A name in a space that may be short for others there.
pub(super) fn abbreviation(node: &Node) -> Option<&str> {
    let meant = is_plain(node) && node.space.is_some() && spelling::is_abbreviation(&node.normal);
    (meant && !names::is_everyday(&node.normal)).then_some(node.normal.as_str())
}

/// What a name in a space may be shortened to.
pub(super) fn initials(node: &Node) -> Vec<String> {
    let meant = is_plain(node) && node.space.is_some() && is_spelled_freely(&node.normal);
    if meant { spelling::initials(&node.normal) } else { Vec::new() }
}

/// MinHash of a name that is long enough to be recognised when it is misspelled.
fn signature(node: &Node) -> Vec<Band> {
    let normal = node.normal.as_str();
    if !comparable(normal) {
        return Vec::new();
    }
    let place = hash(0, &[scope(node).as_bytes(), skeleton(normal).as_bytes()]);
    let shingles = shingles(normal);
    let least =
        |permutation| shingles.iter().map(|shingle| mix(*shingle ^ mix(permutation))).min().unwrap_or(0);
    let signature: Vec<u64> = (1..=PERMUTATIONS).map(least).collect();
    let band = |(index, rows): (usize, &[u64])| {
        let rows: Vec<[u8; 8]> = rows.iter().map(|row| row.to_le_bytes()).collect();
        Band(hash(index as u64 + 1, &[&place.to_le_bytes(), rows.as_flattened()]))
    };
    signature.chunks_exact(BAND_ROWS).enumerate().map(band).collect()
}

/// Identifiers, paths and addresses are spelled exactly: `user_declarations` the table is not
/// `user_declaration` the column.
fn is_spelled_exactly(normal: &str) -> bool {
    normal.contains(['_', '.', '/', ':', '@', '=', '\\'])
}

/// Long enough for a slip of the pen.
fn comparable(normal: &str) -> bool {
    let long = normal.chars().count() >= COMPARED_CHARS || normal.contains(' ');
    long && !is_spelled_exactly(normal) && entropy_bits(normal) >= COMPARED_BITS
}

/// Long enough to be written with separators or without.
fn is_spelled_freely(normal: &str) -> bool {
    let letters = normal.chars().filter(|c| c.is_alphanumeric()).count();
    letters >= SPELLED_CHARS && !is_spelled_exactly(normal) && entropy_bits(normal) >= COMPARED_BITS
}

fn entropy_bits(text: &str) -> f64 {
    let mut counts: BTreeMap<char, f64> = BTreeMap::new();
    text.chars().for_each(|c| *counts.entry(c).or_default() += 1.0);
    let total: f64 = counts.values().sum();
    counts.values().map(|count| -(count / total) * (count / total).log2()).sum()
}

/// What two names must share to be one whatever their likeness: the number of words, every number, every
/// short word, and each word's first letter. As part of the bands it keeps `runbook of team a` and `runbook
/// of team b`, and a thousand like them, from ever being compared.
fn skeleton(normal: &str) -> String {
    let mut skeleton = String::new();
    for word in words(normal) {
        let whole = word.chars().count() < SLIP_CHARS - 1 || word.contains(char::is_numeric);
        skeleton.extend(word.chars().take(if whole { usize::MAX } else { 1 }));
        skeleton.push(' ');
    }
    skeleton
}

fn words(normal: &str) -> Vec<&str> {
    normal.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

fn shingles(normal: &str) -> BTreeSet<u64> {
    let chars: Vec<char> = normal.chars().collect();
    let shingle = |window: &[char]| hash(99, &[window.iter().collect::<String>().as_bytes()]);
    if chars.len() < 3 { BTreeSet::from([shingle(&chars)]) } else { chars.windows(3).map(shingle).collect() }
}

/// FNV-1a with a mixing step: stable on every machine, and bands need no more.
fn hash(seed: u64, parts: &[&[u8]]) -> u64 {
    let mut state = mix(seed ^ 0xcbf2_9ce4_8422_2325);
    for part in parts {
        for byte in *part {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        state = mix(state ^ part.len() as u64);
    }
    state
}

/// A bijection of 64 bits that spreads every bit (the finaliser of SplitMix64).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The decisions between nodes that enter with an epoch and all others, each pair once.
pub(super) fn decisions<H: Held>(entering: &[Node], held: &H) -> Result<Vec<Decision>, H::Error> {
    let mut by_name: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    let mut by_band: BTreeMap<Band, Vec<&Node>> = BTreeMap::new();
    let mut found: BTreeMap<(NodeId, NodeId), Decision> = BTreeMap::new();
    for node in entering {
        let sought = sought(node);
        let mut others: Vec<&Node> =
            by_name.get(node.normal.as_str()).into_iter().flatten().copied().collect();
        others.extend(sought.iter().filter_map(|band| by_band.get(band)).flatten());
        let held = candidates(node, &sought, held)?;
        for decision in others.into_iter().chain(&held).filter_map(|other| decide(node, other)) {
            found.insert((decision.a, decision.b), decision);
        }
        by_name.entry(&node.normal).or_default().push(node);
        bands(node).into_iter().for_each(|band| by_band.entry(band).or_default().push(node));
    }
    Ok(found.into_values().collect())
}

/// Held nodes worth comparing with this one.
fn candidates<H: Held>(node: &Node, sought: &[Band], held: &H) -> Result<Vec<Node>, H::Error> {
    let mut others = Vec::new();
    let tell = names::several_words(&node.normal) || names::telling_word(&node.normal);
    match (&node.key, &node.space) {
        (Some(Key::Title(space, title)), _) => {
            let ordinary = tell.then(|| names::id_in_space(Class::Thing, space.as_str(), title));
            let ids = ordinary.into_iter().chain([names::id_everywhere(Class::Thing, title)]);
            for id in ids {
                others.extend(held.node(id)?);
            }
        }
        (Some(Key::Issue(_)), _) => {
            others.extend(held.node(names::id_everywhere(Class::Thing, &node.normal))?)
        }
        (Some(_), _) => {}
        (None, Some(space)) if tell => {
            others.extend(held.node(names::id_of_key(&Key::Title(space.clone(), node.normal.clone())))?);
        }
        (None, Some(_)) => {}
        (None, None) => others.extend(held.nodes_named(&node.normal)?),
    }
    if !sought.is_empty() {
        others.extend(held.nodes_in_bands(sought)?);
    }
    Ok(others)
}

/// Pairs in doubt, by their ids, the smaller first.
pub(super) type Doubts = BTreeMap<(NodeId, NodeId), [Node; 2]>;

/// Pairs that no rule decides and that may be one: nearly equal names in one space, singular and plural of a word, and
/// names that somebody noted to mean nearly the same. Those of crowds are not among them (`crowds`).
pub(super) fn doubts<H: Held>(entering: &[Node], held: &H) -> Result<Doubts, H::Error> {
    let mut by_band: BTreeMap<Band, Vec<&Node>> = BTreeMap::new();
    for node in entering {
        bands(node).into_iter().for_each(|band| by_band.entry(band).or_default().push(node));
    }
    let mut found = BTreeMap::new();
    for node in entering {
        let mut near = in_bands(&sought(node), &by_band, held)?;
        near.retain(|other| perhaps_equal(node, other));
        for other in held.noted_alike(node.id)? {
            let new =
                entering.binary_search_by_key(&other, |node| node.id).ok().map(|at| entering[at].clone());
            let other = if new.is_some() { new } else { held.node(other)? };
            near.extend(
                other.filter(|other| may_be_alike(node, other) && !crowds::are_namesakes(node, other)),
            );
        }
        for other in near.into_iter().filter(|other| decide(node, other).is_none() && other.id != node.id) {
            let pair = (node.id.min(other.id), node.id.max(other.id));
            let both = if pair.0 == node.id { [node.clone(), other] } else { [other, node.clone()] };
            found.insert(pair, both);
        }
    }
    Ok(found)
}

/// All nodes under any of these keys, each once: those that enter, and those that are held.
fn in_bands<H: Held>(
    bands: &[Band],
    entering: &BTreeMap<Band, Vec<&Node>>,
    held: &H,
) -> Result<Vec<Node>, H::Error> {
    if bands.is_empty() {
        return Ok(Vec::new());
    }
    let entering = bands.iter().filter_map(|band| entering.get(band)).flatten().copied().cloned();
    let all = entering.chain(held.nodes_in_bands(bands)?).map(|node| (node.id, node));
    Ok(all.collect::<BTreeMap<_, _>>().into_values().collect())
}

/// Two plain names in one scope that are alike, but not enough for a rule.
fn perhaps_equal(one: &Node, other: &Node) -> bool {
    let alike = || {
        let measured = comparable(&one.normal) && comparable(&other.normal);
        let framed = measured && skeleton(&one.normal) == skeleton(&other.normal);
        framed && likeness(&one.normal, &other.normal) >= PERHAPS
    };
    let plain = is_plain(one) && is_plain(other) && one.space == other.space;
    let class = |node: &Node| Class::of(&node.kind, None);
    plain && class(one) == class(other) && (spelling::is_plural(&one.normal, &other.normal) || alike())
}

/// Things, not people: whoever noted that names are alike has not looked at what they name.
fn may_be_alike(one: &Node, other: &Node) -> bool {
    let class = |node: &Node| Class::of(&node.kind, node.key.as_ref());
    let keyed = one.key.is_some() && other.key.is_some();
    !keyed && class(one) != Class::Person && class(one).may_join(class(other))
}

/// How many of their 3-grams two names share, in thousandths.
fn likeness(one: &str, other: &str) -> usize {
    let (one, other) = (shingles(one), shingles(other));
    let common = one.intersection(&other).count();
    common * 1000 / (one.len() + other.len() - common)
}

/// Whether a decision follows from the names alone, and not from what a text or a model says.
pub(super) fn is_by_form(decision: &Decision) -> bool {
    decision.chunk.is_none() && decision.weight != WEIGHT_JUDGED
}

/// Whether the names of two nodes alone make them one.
pub(super) fn is_decided(one: &Node, other: &Node) -> bool {
    decide(one, other).is_some()
}

/// Whether two nodes are one, as far as their names tell.
fn decide(one: &Node, other: &Node) -> Option<Decision> {
    if one.id == other.id {
        return None;
    }
    let (weight, why) = match (&one.key, &other.key) {
        (Some(_), Some(_)) => return None,
        (Some(key), None) => named_by_key(key, other).or_else(|| one_spelling(one, other))?,
        (None, Some(key)) => named_by_key(key, one).or_else(|| one_spelling(one, other))?,
        (None, None) => one_spelling(one, other).or_else(|| nearly_equal(one, other))?,
    };
    let (a, b) = (one.id.min(other.id), one.id.max(other.id));
    Some(Decision { a, b, verdict: Verdict::Same, why: why.to_owned(), weight, chunk: None })
}

/// A plain name that is a page's title or an issue's key.
///
/// A title counts where titles are unique, in its own space, and only when it says more than everyday words
/// do: the things `Payment Gateway` and `Ledger` are what the pages of these titles are about, while `Overview` or
/// `Release Notes` in a sentence rarely means the page. A name that is distinctive by form is the same in every space,
/// and so joins wherever such a page is.
fn named_by_key(key: &Key, name: &Node) -> Option<(u16, &'static str)> {
    if Class::of(&name.kind, None) != Class::Thing {
        return None;
    }
    match key {
        Key::Title(space, title) if *title == name.normal => {
            let (several, word) = (names::several_words(title), names::telling_word(title));
            let here = name.space.as_ref() == Some(space) && (several || word);
            let weight = if word && name.space.is_some() { WEIGHT_TITLE_WORD } else { WEIGHT_TITLE };
            (here || name.space.is_none()).then_some((weight, "the name is the page's title"))
        }
        Key::Issue(issue) if name.space.is_none() && names::normalise(issue) == name.normal => {
            Some((WEIGHT_ISSUE, "the name is the issue's key"))
        }
        _ => None,
    }
}

/// Two names, of which one may be a page's title, that are written in two ways or in singular and plural.
///
/// In one space separators do not tell names apart. A name that is the same in every space, and a title, are met by
/// another spelling only if one of the two has several words that say more than everyday ones. A single word and its
/// plural (`Configurations`) mean two things too often.
fn one_spelling(one: &Node, other: &Node) -> Option<(u16, &'static str)> {
    let class = |node: &Node| if is_titled(node) { Class::Thing } else { Class::of(&node.kind, None) };
    let here = one.space == other.space;
    let meet = here || one.space.is_none() || other.space.is_none();
    let freely = stem(one).is_some() && stem(other).is_some();
    if !meet || !freely || class(one) != class(other) || one.normal == other.normal {
        return None;
    }
    let (a, b) = (&one.normal, &other.normal);
    let several = names::several_words(a) || names::several_words(b);
    let telling = several || here && !is_titled(one) && !is_titled(other);
    if telling && spelling::letters(a) == spelling::letters(b) {
        return Some((WEIGHT_RESPELLED, "the names differ only in spaces and dashes"));
    }
    let worded = spelling::has_words(a) || spelling::has_words(b);
    let plural = telling && worded && spelling::is_plural(a, b);
    plural.then_some((WEIGHT_PLURAL, "one name is the plural of the other"))
}

fn is_titled(node: &Node) -> bool {
    matches!(node.key, Some(Key::Title(..)))
}

/// Two plain names in one scope that differ by slips of the pen.
fn nearly_equal(one: &Node, other: &Node) -> Option<(u16, &'static str)> {
    let class = Class::of(&one.kind, None);
    let alike = one.space == other.space && class == Class::of(&other.kind, None) && class != Class::Person;
    if !alike || !comparable(&one.normal) || !comparable(&other.normal) {
        return None;
    }
    let single = !spelling::has_words(&one.normal) && !spelling::has_words(&other.normal);
    if single && spelling::is_plural(&one.normal, &other.normal) {
        return None;
    }
    let (words_of_one, words_of_other) = (words(&one.normal), words(&other.normal));
    let same_skeleton = skeleton(&one.normal) == skeleton(&other.normal);
    if !same_skeleton || !words_of_one.iter().zip(&words_of_other).all(|(one, other)| slip(one, other)) {
        return None;
    }
    let likeness = likeness(&one.normal, &other.normal);
    let extra = u16::try_from(likeness.saturating_sub(SIMILAR)).unwrap_or(0);
    (likeness >= SIMILAR).then_some((WEIGHT_SIMILAR + extra, "the names are nearly equal"))
}

/// Equal words, or words of some length that differ by one letter added, dropped or changed, but not the
/// first.
fn slip(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().max(other.len()) < SLIP_CHARS || one.len().abs_diff(other.len()) > 1 || one[0] != other[0] {
        return false;
    }
    let same_before = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let same_after = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    same_before + same_after + 1 >= one.len().max(other.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Kind;
    use crate::id::SpaceKey;
    use proptest::prelude::*;

    fn node(name: &str) -> Node {
        let normal = names::normalise(name);
        let id = names::id_in_space(Class::Thing, "A", &normal);
        Node {
            id,
            name: name.to_owned(),
            normal,
            kind: Kind::THING,
            space: Some(SpaceKey::new("A")),
            key: None,
        }
    }

    fn everywhere(name: &str) -> Node {
        let normal = names::normalise(name);
        Node { id: names::id_everywhere(Class::Thing, &normal), space: None, ..node(name) }
    }

    fn title(name: &str) -> Node {
        let key = Key::Title(SpaceKey::new("A"), names::normalise(name));
        Node { id: names::id_of_key(&key), kind: Kind::PAGE, key: Some(key), ..node(name) }
    }

    fn one(a: &str, b: &str) -> bool {
        decide(&node(a), &node(b)).is_some()
    }

    fn why(a: &Node, b: &Node) -> Option<String> {
        assert_eq!(decide(a, b), decide(b, a));
        decide(a, b).map(|decision| decision.why)
    }

    #[test]
    fn plurals_and_slips_of_the_pen_are_one() {
        assert!(one("Payment Gateway", "Payment Gateways"));
        assert!(one("Quota Handling in the Broker", "Quota Handling in the Brokers"));
    }

    #[test]
    fn separators_and_plurals_of_several_words_are_one_name() {
        let respelled = Some("the names differ only in spaces and dashes".to_owned());
        let plural = Some("one name is the plural of the other".to_owned());
        assert_eq!(why(&node("Mime Type"), &node("mimeType")), respelled);
        assert_eq!(why(&node("Flink job"), &node("Flink jobs")), plural);
        assert_eq!(why(&node("Question set"), &node("QuestionSets")), plural);
        assert_eq!(why(&title("Kube API Down"), &node("KubeAPIDown")), respelled);
        assert_eq!(why(&title("Kube API Down"), &everywhere("KubeAPIDown")), respelled);
        assert_eq!(why(&everywhere("dial-codes"), &node("DIAL codes")), respelled);
        assert_eq!(
            why(&everywhere("kube-controller-manager"), &everywhere("KubeControllerManager")),
            respelled
        );
        assert_eq!(why(&everywhere("release-notes"), &node("Release Notes")), None);
        assert_eq!(why(&title("Configuration"), &node("Configurations")), None);
        assert_eq!(why(&title("Flink jobs"), &title("Flink job")), None);
        assert!(!one("Configuration", "Configurations") && !one("Traffic over HTTP", "Traffic over HTTPS"));
        let elsewhere = Node { space: Some(SpaceKey::new("B")), ..node("mimeType") };
        assert_eq!(why(&node("Mime Type"), &elsewhere), None);
    }

    #[test]
    fn a_name_that_is_a_title_is_the_page_unless_it_is_an_everyday_word() {
        let titled = Some("the name is the page's title".to_owned());
        for name in ["Payment Gateway", "Ledger", "Pingdom", "CodeQL"] {
            assert_eq!(why(&title(name), &node(name)), titled, "{name}");
        }
        for name in ["Overview", "Services", "Release Notes", "OTP", "V2", "Release-5.1.0"] {
            assert_eq!(why(&title(name), &node(name)), None, "{name}");
        }
        let elsewhere = Node { space: Some(SpaceKey::new("B")), ..node("Ledger") };
        assert_eq!(why(&title("Ledger"), &elsewhere), None);
    }

    #[test]
    fn what_may_be_one_is_asked_about() {
        assert!(perhaps_equal(&node("Configuration"), &node("Configurations")));
        assert!(perhaps_equal(&node("Payment Gateway"), &node("Payment Gatevay")));
        assert!(!perhaps_equal(&node("Payment Gateway 1"), &node("Payment Gateway 2")));
        let (short, long) = (node("HPA"), node("Horizontal Pod Autoscaler"));
        let sought = band(Lot::Expansion, "A", "hpa");
        assert!(
            bands(&long).contains(&sought) && bands(&short).contains(&band(Lot::Abbreviation, "A", "hpa"))
        );
        assert!(abbreviation(&node("team")).is_none() && abbreviation(&everywhere("hpa")).is_none());
    }

    #[test]
    fn a_number_a_letter_or_a_short_word_keeps_names_apart() {
        let pairs = [
            ("Availability Zone of the East A", "Availability Zone of the East B"),
            ("Quarterly Planning Report 2023", "Quarterly Planning Report 2024"),
            ("Runbook of the Payment Team East", "Runbook of the Payment Team West"),
            ("Payment Gateway 1.2", "Payment Gateway 12"),
            ("maximum_connections_of_the_pool", "maximum_connections_of_the_pools"),
            ("Automated Formal Verification Programme", "Automated Normal Verification Programme"),
            ("ledger", "ledgers"),
        ];
        for (a, b) in pairs {
            assert!(!one(a, b), "`{a}` and `{b}`");
        }
    }

    #[test]
    fn names_that_must_not_be_compared_have_no_bands() {
        let person = Node { kind: Kind::PERSON, ..node("Anna Example") };
        let page = Node { key: Some(Key::Label("payment gateway".to_owned())), ..node("payment gateway") };
        assert!([person, page, node("ab"), node("aaaaaaaa")].iter().all(|node| bands(node).is_empty()));
        assert_eq!(bands(&node("payment gateway")).len(), 10);
    }

    proptest! {
        /// Else a pair would be decided or not by who came first.
        #[test]
        fn a_pair_that_would_be_joined_is_found_by_its_bands(
            word in "[a-z]{6,12}", second in "[a-z]{6,12}", third in "[a-z]{6,12}",
        ) {
            let a = node(&format!("{word} {second} {third}"));
            let b = node(&format!("{word} {second} {third}s"));
            let shared = bands(&a).into_iter().any(|band| bands(&b).contains(&band));
            prop_assert!(decide(&a, &b).is_none() || shared);
        }

        /// The same of names that are written in two ways, and whichever of the two enters later.
        #[test]
        fn other_spellings_are_found_by_their_bands(
            words in prop::collection::vec("[a-c1-2]{1,4}", 1..4), gaps in prop::collection::vec("[- ]?", 6),
            (one, other) in (0..3, 0..3), plural in any::<bool>(),
        ) {
            let written = |gaps: &[String]| {
                words.iter().zip(gaps).map(|(word, gap)| format!("{word}{gap}")).collect::<String>()
            };
            let make = |form, name: &str| [node, everywhere, title][form as usize](name);
            let a = make(one, &written(&gaps[..3]));
            let b = make(other, &format!("{}{}", written(&gaps[3..]), if plural { "s" } else { "" }));
            let finds = |a: &Node, b: &Node| sought(a).iter().any(|band| bands(b).contains(band));
            prop_assert_eq!(decide(&a, &b), decide(&b, &a));
            if decide(&a, &b).is_some_and(|decision| (WEIGHT_PLURAL..=WEIGHT_RESPELLED).contains(&decision.weight)) {
                prop_assert!(finds(&a, &b) && finds(&b, &a));
            }
        }

        #[test]
        fn deciding_is_symmetric(a in "[ab]{6,8}[s]?", b in "[ab]{6,8}[s]?") {
            prop_assert_eq!(decide(&node(&a), &node(&b)), decide(&node(&b), &node(&a)));
        }
    }
}
