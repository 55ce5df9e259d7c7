//! What one page says over all its versions: episodes, nodes, mentions, facts and supports, as a pure
//! function of the page. It must not know what is held, so that retracting, repeating and coming late are one
//! thing: a comparison.

use crate::graph::{Claim, Decision, End, Ended, Episode, Extractor, Fact, Node, Object, Support, Verdict};
use crate::id::{ChunkId, FactId, NodeId};
use crate::resolve::names::{self, Class};
use crate::resolve::slots::{Stretch, stretches};
use crate::resolve::{PageSaid, VersionSaid};
use crate::time::Timestamp;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A claim of this relation joins two nodes and is no fact.
const SAME_AS: &str = "same_as";
/// The page's card says which title is the page's: nothing outweighs it.
const WEIGHT_SAID_OF_KEYS: u16 = 1000;
/// A rule of high precision read it in the text.
const WEIGHT_SAID: u16 = 990;
/// A model read it; below every rule that needs no reading.
const WEIGHT_SAID_BY_MODEL: u16 = 650;

/// What pages say, ready to be compared with what is held.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub episodes: BTreeMap<ChunkId, Episode>,
    pub nodes: BTreeMap<NodeId, Node>,
    pub mentions: BTreeMap<ChunkId, BTreeSet<NodeId>>,
    pub decisions: BTreeMap<(NodeId, NodeId, ChunkId), Decision>,
    pub facts: BTreeMap<FactId, Fact>,
    pub supports: BTreeMap<(FactId, ChunkId), Support>,
}

impl Said {
    /// Adds what another page says. Chunks belong to one page, so only nodes and facts can meet.
    pub fn join(&mut self, other: Said) {
        self.episodes.extend(other.episodes);
        self.mentions.extend(other.mentions);
        self.decisions.extend(other.decisions);
        self.supports.extend(other.supports);
        for node in other.nodes.into_values() {
            self.add_node(node);
        }
        for fact in other.facts.into_values() {
            self.add_fact(fact);
        }
    }

    fn add_node(&mut self, node: Node) {
        let node = match self.nodes.get(&node.id) {
            Some(known) => names::merged(node, known),
            None => node,
        };
        self.nodes.insert(node.id, node);
    }

    fn add_fact(&mut self, fact: Fact) {
        let known = self.facts.entry(fact.id).or_insert_with(|| fact.clone());
        // A model's name is the greater one: what rules have read too is still asked about.
        known.extractor = std::cmp::max(&known.extractor, &fact.extractor).clone();
    }
}

/// A claim with its ends identified.
struct Statement<'a> {
    chunk: ChunkId,
    subject: NodeId,
    relation: &'a str,
    object: Object<NodeId>,
    claim: &'a Claim,
}

/// A statement in a stretch of versions, on its way to a support.
struct Spell {
    run: u32,
    /// The first and the last version that say it.
    first: usize,
    last: usize,
    /// When the stretch began by taking another value's place.
    since: Option<Timestamp>,
    /// The version that gives another value in its place, and since when that one is true.
    replaced: Option<(usize, Option<Timestamp>)>,
}

/// All that a page says.
pub(super) fn said(page: &PageSaid) -> Said {
    let mut said = Said::default();
    let presence = presence(&page.versions);
    for (chunk, at) in &presence {
        let (first, last) = (at[0], at[at.len() - 1]);
        let end = vanished(page, last + 1);
        said.episodes
            .insert(*chunk, Episode { chunk: *chunk, valid_at: written(&page.versions[first]), end });
    }
    let mut statements = Vec::new();
    for chunk in presence.keys() {
        read_chunk(page, *chunk, &mut said, &mut statements);
    }
    let (single, plain): (Vec<_>, Vec<_>) =
        statements.into_iter().partition(|statement| statement.claim.single);
    for statement in &plain {
        let at = &presence[&statement.chunk];
        let spell = Spell { run: 0, first: at[0], last: at[at.len() - 1], since: None, replaced: None };
        hold(page, statement, spell, &mut said);
    }
    let mut slots: BTreeMap<(NodeId, &str), Vec<&Statement>> = BTreeMap::new();
    for statement in &single {
        slots.entry((statement.subject, statement.relation)).or_default().push(statement);
    }
    for slot in slots.values() {
        hold_slot(page, slot, &presence, &mut said);
    }
    said
}

/// In which versions each chunk stands, as indexes.
///
/// A chunk that goes and comes back counts as there from its first to its last version: one row can hold one
/// interval, and to say that the wiki kept saying it errs less than to forget that it ever did before.
fn presence(versions: &[VersionSaid]) -> BTreeMap<ChunkId, Vec<usize>> {
    let mut presence: BTreeMap<ChunkId, Vec<usize>> = BTreeMap::new();
    for (index, version) in versions.iter().enumerate() {
        for chunk in &version.chunks {
            let at = presence.entry(*chunk).or_default();
            if at.last() != Some(&index) {
                at.push(index);
            }
        }
    }
    presence
}

/// The end of what stands until just before version `next`; none when it stands in the current version of a
/// page that is still there.
fn vanished(page: &PageSaid, next: usize) -> Option<End> {
    match page.versions.get(next) {
        Some(version) => Some(End {
            ended: Ended::Vanished,
            version: Some(version.version),
            at: written(version),
            until: None,
        }),
        None => page.gone.then_some(GONE),
    }
}

/// The end of what the current version says when the page is gone, or is not cut into this chunk any more.
/// Nobody knows the day.
pub(super) const GONE: End = End { ended: Ended::Vanished, version: None, at: None, until: None };

/// Identifies the mentions of a chunk and gathers its claims.
fn read_chunk<'a>(page: &'a PageSaid, chunk: ChunkId, said: &mut Said, statements: &mut Vec<Statement<'a>>) {
    let Some(reading) = page.readings.get(&chunk) else {
        said.mentions.insert(chunk, BTreeSet::new());
        return;
    };
    let nodes: Vec<Option<Node>> =
        reading.mentions.iter().map(|mention| names::node_of(mention, page)).collect();
    let mentioned = nodes.iter().flatten().map(|node| node.id).collect();
    said.mentions.insert(chunk, mentioned);
    let end = |index: u32| nodes.get(index as usize).and_then(Option::as_ref);
    for claim in &reading.claims {
        let Some(subject) = end(claim.subject) else { continue };
        let object = match &claim.object {
            Object::Named(index) => end(*index).map(|node| Object::Named(node.id)),
            Object::Value(value) => plain_value(value).map(Object::Value),
        };
        let Some(object) = object else { continue };
        if object == Object::Named(subject.id) {
            continue;
        }
        if claim.relation == SAME_AS {
            let other = match &claim.object {
                Object::Named(index) => end(*index),
                Object::Value(_) => None,
            };
            let decision = other.and_then(|other| said_to_be_same(subject, other, claim, chunk));
            said.decisions.extend(decision.map(|decision| ((decision.a, decision.b, chunk), decision)));
            continue;
        }
        statements.push(Statement { chunk, subject: subject.id, relation: &claim.relation, object, claim });
    }
    nodes.into_iter().flatten().for_each(|node| said.add_node(node));
}

/// Values are equal when they read equal: white space does not count, case does (`Mb` is not `MB`).
fn plain_value(value: &str) -> Option<String> {
    let plain = value.split_whitespace().collect::<Vec<_>>().join(" ");
    (!plain.is_empty()).then_some(plain)
}

/// A `same_as` claim is a decision that stands on its chunk.
fn said_to_be_same(one: &Node, other: &Node, claim: &Claim, chunk: ChunkId) -> Option<Decision> {
    let class = |node: &Node| Class::of(&node.kind, node.key.as_ref());
    if !class(one).may_join(class(other)) {
        return None;
    }
    let (weight, why) = match &claim.extractor {
        Extractor::Structural if one.key.is_some() && other.key.is_some() => {
            (WEIGHT_SAID_OF_KEYS, "the page says so")
        }
        Extractor::Structural => (WEIGHT_SAID, "the text says so"),
        Extractor::Model(_) => (WEIGHT_SAID_BY_MODEL, "a model read so in the text"),
    };
    let (a, b) = (one.id.min(other.id), one.id.max(other.id));
    Some(Decision { a, b, verdict: Verdict::Same, why: why.to_owned(), weight, chunk: Some(chunk) })
}

/// Turns the values of one slot into supports, each for the stretches in which it stood.
fn hold_slot(
    page: &PageSaid,
    slot: &[&Statement],
    presence: &BTreeMap<ChunkId, Vec<usize>>,
    said: &mut Said,
) {
    let mut given: Vec<BTreeSet<&Object<NodeId>>> = vec![BTreeSet::new(); page.versions.len()];
    for statement in slot {
        for index in &presence[&statement.chunk] {
            given[*index].insert(&statement.object);
        }
    }
    let all = stretches(&given);
    let spans = spans(slot, presence, &all);
    let taken_over = taken_over(&spans);
    // Since when the value that version `index` gives is true, as far as that version tells.
    let begins = |index: usize| {
        let at = |statement: &&&Statement| {
            given[index].contains(&statement.object) && presence[&statement.chunk].contains(&index)
        };
        let named = slot.iter().filter(at).filter_map(|statement| statement.claim.valid_at).min();
        (named, written(&page.versions[index]))
    };
    for Span { statement, stretch, first, last } in spans {
        let goes_on = taken_over.contains(&(&statement.object, stretch.run, first));
        let since = if goes_on { written(&page.versions[stretch.first]) } else { None };
        let start = statement.claim.valid_at.or(since);
        let replaced = stretch.replaced.map(|index| (index, successor_start(begins(index), start)));
        let spell = Spell { run: stretch.run, first, last, since, replaced };
        hold(page, statement, spell, said);
    }
}

/// A statement in a stretch of versions in which its value stood: the first and the last that have its text.
struct Span<'a> {
    statement: &'a Statement<'a>,
    stretch: &'a Stretch,
    first: usize,
    last: usize,
}

fn spans<'a>(
    slot: &[&'a Statement<'a>],
    presence: &BTreeMap<ChunkId, Vec<usize>>,
    all: &'a BTreeMap<&Object<NodeId>, Vec<Stretch>>,
) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    for statement in slot {
        for stretch in all.get(&statement.object).into_iter().flatten() {
            let within = |index: &&usize| (stretch.first..=stretch.last).contains(*index);
            let mut at = presence[&statement.chunk].iter().filter(within);
            let Some(first) = at.next().copied() else { continue };
            let last = at.next_back().copied().unwrap_or(first);
            spans.push(Span { statement, stretch, first, last });
        }
    }
    spans
}

/// The versions from which on texts go on saying what their stretch began with by taking another value's place: each
/// text follows another one that does. After a silence a text says it again and takes no place.
fn taken_over<'a>(spans: &[Span<'a>]) -> BTreeSet<(&'a Object<NodeId>, u32, usize)> {
    let mut in_order: Vec<&Span<'a>> = spans.iter().filter(|span| span.stretch.took_over).collect();
    in_order.sort_by_key(|span| (span.first, span.last));
    let mut goes_on = BTreeSet::new();
    for Span { statement, stretch, first, last } in in_order {
        let at = |version| (&statement.object, stretch.run, version);
        if *first == stretch.first || goes_on.contains(&at(*first)) {
            goes_on.extend([at(*first), at(last + 1)]);
        }
    }
    goes_on
}

/// A new value ends the old one on the day its text names, or else when it was written; a day before the old
/// value even began is no such day.
fn successor_start(
    (named, written): (Option<Timestamp>, Option<Timestamp>),
    start: Option<Timestamp>,
) -> Option<Timestamp> {
    match (named, start) {
        (Some(named), Some(start)) if named <= start => written,
        (Some(named), _) => Some(named),
        (None, _) => written,
    }
}

/// Adds the fact and the support of a statement.
fn hold(page: &PageSaid, statement: &Statement, spell: Spell, said: &mut Said) {
    let claim = statement.claim;
    let id = fact_id(statement.subject, statement.relation, &statement.object, spell.run);
    said.add_fact(Fact {
        id,
        subject: statement.subject,
        relation: statement.relation.to_owned(),
        object: statement.object.clone(),
        run: spell.run,
        extractor: claim.extractor.clone(),
    });
    let mut end = vanished(page, spell.last + 1);
    let mut invalid_at = claim.invalid_at;
    if let Some((next, until)) = spell.replaced.filter(|(next, _)| *next == spell.last + 1) {
        let version = &page.versions[next];
        end = Some(End {
            ended: Ended::Replaced,
            version: Some(version.version),
            at: written(version),
            until: invalid_at.map(to_the_millisecond),
        });
        invalid_at = earliest(invalid_at, until);
    }
    let first = &page.versions[spell.first];
    let support = Support {
        fact: id,
        chunk: statement.chunk,
        page: Some(page.page.clone()),
        sentence: claim.sentence.clone(),
        valid_at: claim.valid_at.or(spell.since).map(to_the_millisecond),
        invalid_at: invalid_at.map(to_the_millisecond),
        from_version: first.version,
        asserted_from: written(first),
        end,
    };
    add_support(support, said);
}

/// One row per fact and chunk: where a chunk says a thing twice, the first sentence stands, with any date
/// either gives.
fn add_support(support: Support, said: &mut Said) {
    match said.supports.entry((support.fact, support.chunk)) {
        Entry::Vacant(place) => {
            place.insert(support);
        }
        Entry::Occupied(mut place) => {
            let known = place.get_mut();
            known.valid_at = known.valid_at.or(support.valid_at);
            known.invalid_at = known.invalid_at.or(support.invalid_at);
            if let (Some(known_end), Some(End { until: Some(until), .. })) = (&mut known.end, support.end)
                && known_end.until.is_none()
            {
                known_end.until = Some(until);
                known.invalid_at = earliest(known.invalid_at, Some(until));
            }
        }
    }
}

/// Times are held to the millisecond; a finer one would never equal what is held.
fn to_the_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn written(version: &VersionSaid) -> Option<Timestamp> {
    version.modified.map(to_the_millisecond)
}

/// The earlier of two times, where known.
fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// A fact is what it says; who read it is not part of it, so two extractors that agree support one fact.
pub(super) fn fact_id(subject: NodeId, relation: &str, object: &Object<NodeId>, run: u32) -> FactId {
    let (tag, object): (&[u8], &[u8]) = match object {
        Object::Named(node) => (b"named", node.as_bytes()),
        Object::Value(value) => (b"value", value.as_bytes()),
    };
    FactId::of(&[subject.as_bytes(), relation.as_bytes(), tag, object, &run.to_le_bytes()])
}
