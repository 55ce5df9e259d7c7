//! The laws of the resolver, over random wikis with few names, so that collisions are common.

use super::memory::Memory;
use super::*;
use crate::graph::{Claim, Ended, Extractor, Key, Mention, Object, Ruling, Spell, Times, Verdict};
use crate::id::PersonKey;
use crate::judge::{Finding, Pair, Question};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Names that meet: ordinary, distinctive, nearly equal, written in two ways, titles of pages.
const NAMES: [&str; 14] = [
    "Overview",
    "overview",
    "API",
    "ledger-service",
    "Ledger-Service",
    "Payment Gateway",
    "payment gateways",
    "Payment Gateway 2",
    "KIP-595",
    "Anna",
    "Broker Quota Handling",
    "Broker Quota Handlinq",
    "payment-gateway",
    "broker-quota-handling",
];

fn day(number: usize) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + 86_400 * number as i64).unwrap()
}

fn mention(index: usize) -> Mention {
    let kinds = [Kind::THING, Kind::COMPONENT, Kind::new("Service"), Kind::THING];
    let name = NAMES[index % NAMES.len()].to_owned();
    let (kind, key) = match index / NAMES.len() {
        0..=3 => (kinds[index / NAMES.len()].clone(), None),
        4 => (Kind::PERSON, None),
        5 => (Kind::PERSON, Some(Key::Person(PersonKey::new(format!("p{}", index % 2))))),
        6 => (Kind::PAGE, Some(Key::Page(PageId::new((index % 3).to_string())))),
        7 => (Kind::PAGE, Some(Key::Title(SpaceKey::new(["A", "B"][index % 2]), name.clone()))),
        8 => (Kind::ISSUE, Some(Key::Issue("KIP-595".to_owned()))),
        _ => (Kind::LABEL, None),
    };
    Mention { name, kind, key }
}

fn claim(subject: u32, relation: &str, object: Object<u32>, single: bool) -> Claim {
    Claim {
        subject,
        relation: relation.to_owned(),
        object,
        sentence: format!("{subject} {relation}"),
        valid_at: None,
        invalid_at: None,
        single,
        extractor: Extractor::Structural,
    }
}

/// Drawn numbers for a chunk: its mentions; its claims as subject, relation, object and the day they are true
/// from.
type Drawn = (Vec<usize>, Vec<(u32, u8, u32, Option<usize>)>);

fn reading((mentions, claims): &Drawn) -> Reading {
    let claims = claims.iter().map(|(subject, relation, object, from)| {
        let (name, single) = match relation {
            0..=2 => ("same_as", false),
            3..=4 => ("owned_by", true),
            5 => ("status", true),
            _ => ("uses", false),
        };
        let object = match relation {
            5 => Object::Value(format!("value {object}")),
            _ => Object::Named(*object),
        };
        let model = relation % 2 == 0;
        let extractor = if model { Extractor::Model("m".to_owned()) } else { Extractor::Structural };
        Claim { valid_at: from.map(day), extractor, ..claim(*subject, name, object, single) }
    });
    Reading { mentions: mentions.iter().map(|index| mention(*index)).collect(), claims: claims.collect() }
}

prop_compose! {
    fn a_page(number: usize)(
        space in 0..2usize,
        gone in proptest::bool::weighted(0.1),
        chunks in proptest::collection::vec(
            (
                proptest::collection::vec(0..NAMES.len() * 10, 1..4),
                proptest::collection::vec(
                    (0..4u32, 0..9u8, 0..4u32, proptest::option::weighted(0.2, 0..9usize)),
                    0..4,
                ),
            ),
            1..5,
        ),
        versions in proptest::collection::vec(0..32u8, 1..5),
    ) -> PageSaid {
        let page = PageId::new(number.to_string());
        let id = |chunk: usize| ChunkId::of(&[page.as_str().as_bytes(), &[chunk as u8]]);
        let versions = versions.iter().enumerate().map(|(index, mask)| VersionSaid {
            version: Version(index as u32 + 1),
            modified: (index != 2).then(|| day(index)),
            chunks: (0..chunks.len()).filter(|chunk| mask & (1 << chunk) != 0).map(id).collect(),
        }).collect();
        let readings = chunks.iter().enumerate().map(|(index, chunk)| (id(index), reading(chunk))).collect();
        PageSaid { page: page.clone(), space: SpaceKey::new(["A", "B"][space]), versions, gone, readings }
    }
}

fn a_wiki() -> impl Strategy<Value = Vec<PageSaid>> {
    (2..6usize).prop_flat_map(|pages| (0..pages).map(a_page).collect::<Vec<_>>())
}

fn settled(pages: &[PageSaid]) -> Memory {
    let mut memory = Memory::default();
    memory.settle(pages);
    memory
}

/// A page as it was when it had `count` versions.
fn early(page: &PageSaid, count: usize) -> PageSaid {
    let mut early = page.clone();
    early.versions.truncate(count.max(1));
    early.gone = false;
    early
}

/// A model that knows the truth of these wikis: names that read equal are one thing; one `owned_by` and one `uses` at a
/// time, and both mean the same.
fn truth(question: &Question) -> Finding {
    let words = |text: &str| text.split(" (in space").next().unwrap_or_default().to_owned();
    let (one, other) = (&question.one.text, &question.other.text);
    let says = |text: &str, relation: &str| text.contains(relation);
    match question.pair {
        Pair::Entities(..) if words(one) == words(other) => Finding::Same,
        Pair::Entities(..) => Finding::Different,
        Pair::Facts(..) if says(one, " status ") || says(other, " status ") => Finding::Unrelated,
        Pair::Facts(..) if says(one, " uses ") != says(other, " uses ") => Finding::Duplicate,
        Pair::Facts(..) => Finding::Contradicts,
    }
}

/// Asks until nothing is left to ask, and settles; gives the changes and what was asked.
fn settle_asking(memory: &mut Memory, pages: &[PageSaid]) -> (Vec<Change>, Vec<Question>) {
    let mut findings = Findings::of("m");
    let mut asked = Vec::new();
    for round in 0.. {
        assert!(round < 5, "questions never end");
        let Ok(open) = questions(pages, memory, &findings);
        if open.questions.is_empty() {
            break;
        }
        findings.found.extend(open.questions.iter().map(|question| (question.id, truth(question))));
        asked.extend(open.questions);
    }
    (memory.settle_with(pages, &findings), asked)
}

fn judged(pages: &[PageSaid]) -> Memory {
    let mut memory = Memory::default();
    settle_asking(&mut memory, pages);
    memory
}

/// The graph as people see it, with every stretch of time in which anything was true.
fn seen(memory: &Memory) -> BTreeMap<FactId, (memory::Shown, Vec<Spell>)> {
    memory.shown().into_iter().map(|(fact, (shown, _))| (fact, (shown, memory.spells(fact)))).collect()
}

fn live_groups(memory: &Memory) -> BTreeSet<Vec<NodeId>> {
    memory.groups().map(|group| group.nodes.clone()).collect()
}

/// Two nodes by number, and whether they are one.
type Word = (usize, usize, bool);

fn words() -> impl Strategy<Value = Vec<Word>> {
    proptest::collection::vec(any::<Word>(), 0..4)
}

/// What a user says of nodes: once of each pair.
fn said(memory: &Memory, words: &[Word]) -> Vec<Ruling> {
    let nodes: Vec<NodeId> = memory.nodes().map(|node| node.id).collect();
    let mut said: BTreeMap<(NodeId, NodeId), Ruling> = BTreeMap::new();
    for (one, other, same) in words.iter().filter(|_| !nodes.is_empty()) {
        let (one, other) = (nodes[one % nodes.len()], nodes[other % nodes.len()]);
        let (a, b) = (one.min(other), one.max(other));
        let verdict = if *same { Verdict::Same } else { Verdict::Apart };
        if a != b {
            said.insert((a, b), Ruling { a, b, verdict, why: "so it is".to_owned() });
        }
    }
    said.into_values().collect()
}

proptest! {
    #[test]
    fn the_order_and_the_size_of_epochs_do_not_show(
        (wiki, order) in a_wiki().prop_flat_map(|wiki| {
            let order = Just((0..wiki.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(wiki), order)
        }),
        size in 1..4usize,
    ) {
        let mut other = Memory::default();
        for slice in order.chunks(size) {
            other.settle(&slice.iter().map(|index| wiki[*index].clone()).collect::<Vec<_>>());
        }
        prop_assert_eq!(settled(&wiki), other);
    }

    #[test]
    fn what_is_asked_together_does_not_show(
        (wiki, order) in a_wiki().prop_flat_map(|wiki| {
            let order = Just((0..wiki.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(wiki), order)
        }),
        size in 1..4usize,
    ) {
        let mut other = Memory::default();
        for slice in order.chunks(size) {
            let slice = slice.iter().map(|index| wiki[*index].clone()).collect::<Vec<_>>();
            settle_asking(&mut other, &slice);
        }
        let memory = judged(&wiki);
        prop_assert_eq!(seen(&memory), seen(&other));
        prop_assert_eq!(memory, other);
    }

    #[test]
    fn asking_again_asks_and_changes_nothing(wiki in a_wiki()) {
        let mut memory = judged(&wiki);
        prop_assert_eq!(settle_asking(&mut memory, &wiki), (vec![], vec![]));
        for page in &wiki {
            prop_assert_eq!(settle_asking(&mut memory, std::slice::from_ref(page)), (vec![], vec![]));
        }
    }

    #[test]
    fn versions_that_are_judged_one_by_one_give_the_graph_of_all_at_once(
        wiki in a_wiki(),
        steps in proptest::collection::vec((0..6usize, 1..5usize), 0..8),
    ) {
        let mut seen_so_far = vec![0; wiki.len()];
        let mut memory = Memory::default();
        for (page, count) in steps {
            let page = page % wiki.len();
            seen_so_far[page] = count.max(seen_so_far[page]);
            settle_asking(&mut memory, &[early(&wiki[page], seen_so_far[page])]);
        }
        for page in &wiki {
            settle_asking(&mut memory, std::slice::from_ref(page));
        }
        let whole = judged(&wiki);
        prop_assert_eq!(seen(&memory), seen(&whole));
        prop_assert_eq!(memory, whole);
    }

    #[test]
    fn what_nobody_answers_joins_and_ends_nothing(wiki in a_wiki()) {
        let mut memory = Memory::default();
        memory.settle_with(&wiki, &Findings::of("m"));
        let by_rules = settled(&wiki);
        prop_assert_eq!(live_groups(&memory), live_groups(&by_rules));
        prop_assert_eq!(seen(&memory), seen(&by_rules));
    }

    #[test]
    fn an_answer_that_comes_late_gives_the_graph_of_one_in_time(wiki in a_wiki()) {
        let mut memory = Memory::default();
        memory.settle_with(&wiki, &Findings::of("m"));
        settle_asking(&mut memory, &wiki);
        let whole = judged(&wiki);
        prop_assert_eq!(seen(&memory), seen(&whole));
        prop_assert_eq!(memory, whole);
    }

    #[test]
    fn resolving_again_changes_nothing(wiki in a_wiki()) {
        let mut memory = settled(&wiki);
        let before = memory.clone();
        prop_assert_eq!(memory.settle(&wiki), vec![]);
        for page in &wiki {
            prop_assert_eq!(memory.settle(std::slice::from_ref(page)), vec![]);
        }
        prop_assert_eq!(memory, before);
    }

    #[test]
    fn versions_that_come_one_by_one_give_the_graph_of_all_at_once(
        wiki in a_wiki(),
        steps in proptest::collection::vec((0..6usize, 1..5usize), 0..8),
    ) {
        let mut seen = vec![0; wiki.len()];
        let mut memory = Memory::default();
        for (page, count) in steps {
            let page = page % wiki.len();
            seen[page] = count.max(seen[page]);
            memory.settle(&[early(&wiki[page], seen[page])]);
        }
        for page in &wiki {
            memory.settle(std::slice::from_ref(page));
        }
        prop_assert_eq!(memory, settled(&wiki));
    }

    #[test]
    fn a_page_that_is_gone_leaves_the_groups_as_if_it_had_never_been(wiki in a_wiki(), which in 0..6usize) {
        let mut memory = settled(&wiki);
        let mut gone = wiki[which % wiki.len()].clone();
        gone.gone = true;
        memory.settle(&[gone.clone()]);
        let others: Vec<PageSaid> = wiki.into_iter().filter(|page| page.page != gone.page).collect();
        prop_assert_eq!(live_groups(&memory), live_groups(&settled(&others)));
    }

    #[test]
    fn a_page_that_moves_to_another_space_leaves_nothing_behind(wiki in a_wiki(), which in 0..6usize) {
        let mut memory = settled(&wiki);
        let mut moved = wiki;
        let which = which % moved.len();
        moved[which].space = SpaceKey::new("C");
        memory.settle(&moved[which..=which]);
        let fresh = settled(&moved);
        prop_assert_eq!(live_groups(&memory), live_groups(&fresh));
        for chunk in moved[which].versions.iter().flat_map(|version| &version.chunks) {
            prop_assert_eq!(memory.mentions_of(*chunk), fresh.mentions_of(*chunk));
        }
    }

    #[test]
    fn no_group_holds_two_keys_of_one_sort(wiki in a_wiki()) {
        let memory = settled(&wiki);
        for group in memory.groups() {
            prop_assert_eq!(group.entity.0, group.nodes[0]);
            let nodes = group.nodes.iter().map(|node| memory.node(*node).unwrap().unwrap());
            let sorts: Vec<u8> = nodes.filter_map(|node| node.key).map(|key| names::sort_of(&key)).collect();
            prop_assert_eq!(sorts.len(), sorts.iter().collect::<BTreeSet<_>>().len());
        }
    }

    #[test]
    fn a_recorded_apart_beats_any_path(wiki in a_wiki(), pick in any::<(usize, usize)>()) {
        let pages = settled(&wiki);
        let nodes: Vec<NodeId> = pages.nodes().map(|node| node.id).collect();
        prop_assume!(!nodes.is_empty());
        let (a, b) = (nodes[pick.0 % nodes.len()], nodes[pick.1 % nodes.len()]);
        prop_assume!(a != b);
        let apart = Decision {
            a: a.min(b),
            b: a.max(b),
            verdict: Verdict::Apart,
            why: "told".to_owned(),
            weight: 1000,
            chunk: None,
        };
        let mut memories = [Memory::default(), Memory::default()];
        memories.iter_mut().for_each(|memory| memory.apply(&Change::Decide(apart.clone())));
        memories[0].settle(&wiki);
        wiki.iter().rev().for_each(|page| { memories[1].settle(std::slice::from_ref(page)); });
        prop_assert_eq!(&memories[0], &memories[1]);
        let both = |group: &Group| group.nodes.contains(&a) && group.nodes.contains(&b);
        prop_assert!(!memories[0].groups().any(both));
    }

    #[test]
    fn what_a_user_says_counts_alike_whether_he_says_it_early_or_late(
        (wiki, half, words) in (a_wiki(), 0..6usize, words()),
    ) {
        let rulings = said(&settled(&wiki), &words);
        let mut late = settled(&wiki);
        late.rule(&rulings, &[]);
        let mut early = Memory::default();
        prop_assert_eq!(early.rule(&rulings, &[]), vec![]);
        wiki.iter().rev().for_each(|page| { early.settle(std::slice::from_ref(page)); });
        prop_assert_eq!(&late, &early);
        let mut between = Memory::default();
        let (first, rest) = wiki.split_at(half % wiki.len());
        between.settle(first);
        rulings.iter().for_each(|ruling| { between.rule(std::slice::from_ref(ruling), &[]); });
        between.settle(rest);
        prop_assert_eq!(&late, &between);
        prop_assert_eq!(late.settle(&wiki), vec![]);
        prop_assert_eq!(late.rule(&rulings, &[]), vec![]);
    }

    #[test]
    fn what_a_user_takes_back_leaves_nothing_behind(
        (wiki, words, kept) in (a_wiki(), words(), 0..4usize),
    ) {
        let rulings = said(&settled(&wiki), &words);
        let (kept, back) = rulings.split_at(kept.min(rulings.len()));
        let mut memory = Memory::default();
        memory.rule(&rulings, &[]);
        memory.settle(&wiki);
        memory.rule(&[], &back.iter().map(|said| (said.a, said.b)).collect::<Vec<_>>());
        let mut other = settled(&wiki);
        other.rule(kept, &[]);
        prop_assert_eq!(memory, other);
    }

    #[test]
    fn nobody_is_asked_about_what_a_user_has_said_and_no_answer_overrules_him(
        (wiki, words) in (a_wiki(), words()),
    ) {
        let rulings = said(&judged(&wiki), &words);
        let mut early = Memory::default();
        early.rule(&rulings, &[]);
        let (_, asked) = settle_asking(&mut early, &wiki);
        let pairs: BTreeSet<_> = rulings.iter().map(|said| (said.a, said.b)).collect();
        let about_names = asked.iter().filter_map(|question| match question.pair {
            Pair::Entities(a, b) => Some((a.min(b), a.max(b))),
            Pair::Facts(..) => None,
        });
        for pair in about_names {
            prop_assert!(!pairs.contains(&pair));
        }
        let mut late = judged(&wiki);
        late.rule(&rulings, &[]);
        prop_assert_eq!(live_groups(&early), live_groups(&late));
        let parted = |said: &&Ruling| said.verdict == Verdict::Apart;
        for said in rulings.iter().filter(parted) {
            let both = |group: &Group| group.nodes.contains(&said.a) && group.nodes.contains(&said.b);
            prop_assert!(!late.groups().any(both));
        }
    }

    #[test]
    fn a_word_against_which_nothing_stands_is_kept((wiki, pick) in (a_wiki(), any::<(usize, usize)>())) {
        let mut memory = settled(&wiki);
        let rulings = said(&memory, &[(pick.0, pick.1, true)]);
        let Ok(against) = clash(&rulings, &memory);
        memory.rule(&rulings, &[]);
        for said in &rulings {
            let whole = memory.groups().any(|group| [said.a, said.b].iter().all(|end| group.nodes.contains(end)));
            let live = [said.a, said.b].iter().all(|end| memory.group(*end) != Ok(None));
            prop_assert!(whole || !live || against.is_some());
        }
    }

    #[test]
    fn facts_between_the_same_entities_are_shown_once(wiki in a_wiki()) {
        let memory = settled(&wiki);
        let mut seen = BTreeSet::new();
        for (shown, _) in memory.shown().into_values() {
            let (Some(subject), Some(object)) = (shown.subject, shown.object) else { continue };
            prop_assert!(object != Object::Named(subject));
            prop_assert!(seen.insert((subject, shown.relation, object, shown.run)));
        }
    }

    #[test]
    fn a_value_that_comes_and_goes_is_right_at_every_past_date(
        values in proptest::collection::vec(0..3u8, 1..8),
    ) {
        let chunk = |value: u8| ChunkId::of(&[&[value]]);
        let says = |value: u8| Reading {
            mentions: vec![mention(3)],
            claims: vec![claim(0, "status", Object::Value(value.to_string()), true)],
        };
        let version = |(index, value): (usize, &u8)| VersionSaid {
            version: Version(index as u32 + 1), modified: Some(day(index)), chunks: vec![chunk(*value)],
        };
        let page = PageSaid {
            page: PageId::new("1"),
            space: SpaceKey::new("A"),
            versions: values.iter().enumerate().map(version).collect(),
            gone: false,
            readings: (0..3).map(|value| (chunk(value), says(value))).collect(),
        };
        let mut memory = Memory::default();
        for count in 1..=values.len() {
            memory.settle(&[early(&page, count)]);
        }
        let shown = memory.shown();
        for (index, value) in values.iter().enumerate() {
            let at = day(index);
            let holds = |times: &Times| times.withdrawn.is_none()
                && times.valid_at.is_none_or(|from| from <= at)
                && times.invalid_at.is_none_or(|until| at < until);
            let then = shown.values().filter(|(_, times)| holds(times));
            let true_then: Vec<_> = then.map(|(shown, _)| shown.object.clone()).collect();
            prop_assert_eq!(true_then, vec![Some(Object::Value(value.to_string()))]);
        }
    }
}

fn page(number: &str, chunks: &[(&str, Reading)]) -> PageSaid {
    let id = |chunk: &str| ChunkId::of(&[number.as_bytes(), chunk.as_bytes()]);
    PageSaid {
        page: PageId::new(number),
        space: SpaceKey::new("A"),
        versions: vec![VersionSaid {
            version: Version(1),
            modified: Some(day(0)),
            chunks: chunks.iter().map(|(chunk, _)| id(chunk)).collect(),
        }],
        gone: false,
        readings: chunks.iter().map(|(chunk, reading)| (id(chunk), reading.clone())).collect(),
    }
}

fn named(name: &str) -> Mention {
    Mention { name: name.to_owned(), kind: Kind::THING, key: None }
}

#[test]
fn the_text_that_joined_two_names_parts_them_when_it_goes() {
    let both = vec![named("Cruise Control"), named("CC")];
    let uses = claim(0, "uses", Object::Value("x".to_owned()), false);
    let also = claim(1, "uses", Object::Value("x".to_owned()), false);
    let facts = Reading { mentions: both.clone(), claims: vec![uses, also] };
    let joins = Reading { mentions: both, claims: vec![claim(0, "same_as", Object::Named(1), false)] };
    let mut memory = settled(&[page("1", &[("facts", facts)])]);
    let apart = memory.clone();
    assert_eq!((memory.groups().count(), memory.shown().len()), (2, 2));
    let joining = page("2", &[("joins", joins)]);
    memory.settle(std::slice::from_ref(&joining));
    assert_eq!((memory.groups().count(), memory.shown().len()), (1, 1));
    memory.settle(&[PageSaid { gone: true, ..joining }]);
    assert_eq!(live_groups(&memory), live_groups(&apart));
    assert_eq!(memory.shown(), apart.shown());
}

#[test]
fn a_text_that_moves_to_another_space_joins_nothing_in_the_old_one() {
    let both = vec![named("Cruise Control"), named("CC")];
    let joins = claim(0, "same_as", Object::Named(1), false);
    let joining = page("1", &[("joins", Reading { mentions: both.clone(), claims: vec![joins] })]);
    let staying = page("2", &[("names", Reading { mentions: both, claims: vec![] })]);
    let mut memory = settled(&[joining.clone(), staying]);
    assert_eq!(memory.groups().count(), 1);
    memory.settle(&[PageSaid { space: SpaceKey::new("B"), ..joining }]);
    assert_eq!(
        memory.groups().map(|group| group.nodes.len()).collect::<BTreeSet<_>>(),
        BTreeSet::from([1, 2])
    );
    assert_eq!(memory.groups().count(), 3);
}

#[test]
fn ordinary_names_count_in_their_space_and_distinctive_ones_everywhere() {
    let says = Reading { mentions: vec![named("Overview"), named("ledger-service")], claims: vec![] };
    let here = page("1", &[("a", says.clone())]);
    let there = PageSaid { space: SpaceKey::new("B"), ..page("2", &[("a", says)]) };
    assert_eq!(settled(&[here, there]).groups().count(), 3);
}

#[test]
fn a_user_may_not_make_two_accounts_one_nor_contradict_himself() {
    let account = |key: &str| Mention {
        name: "Anna".to_owned(),
        kind: Kind::PERSON,
        key: Some(Key::Person(PersonKey::new(key))),
    };
    let anna = Mention { name: "Anna".to_owned(), kind: Kind::PERSON, key: None };
    let mentions = vec![account("p0"), account("p1"), anna, named("Overview")];
    let mut memory = settled(&[page("1", &[("a", Reading { mentions, claims: vec![] })])]);
    let id = |name: &str, key: Option<Key>| {
        let mut found = memory.nodes().filter(|node| node.name == name && node.key == key);
        found.next().unwrap().id
    };
    let [p0, p1] = ["p0", "p1"].map(|key| id("Anna", Some(Key::Person(PersonKey::new(key)))));
    let (bare, thing) = (id("Anna", None), id("Overview", None));
    let ruling = |one: NodeId, other: NodeId, verdict| Ruling {
        a: one.min(other),
        b: one.max(other),
        verdict,
        why: "so it is".to_owned(),
    };
    let same = |one, other| [ruling(one, other, Verdict::Same)];
    let apart = |one, other| [ruling(one, other, Verdict::Apart)];
    let against = |memory: &Memory, said: &[Ruling]| clash(said, memory).unwrap();
    assert!(matches!(against(&memory, &same(p0, p1)), Some(Clash::Keys(..))));
    assert!(matches!(against(&memory, &same(p0, thing)), Some(Clash::Kinds(..))));
    assert_eq!(against(&memory, &same(p0, bare)), None);
    memory.rule(&same(p0, bare), &[]);
    assert!(matches!(against(&memory, &same(bare, p1)), Some(Clash::Keys(..))));
    assert_eq!(against(&memory, &apart(p0, bare)), None, "his last word counts");
    memory.rule(&apart(bare, p1), &[]);
    memory.rule(&[], &[(p0.min(bare), p0.max(bare))]);
    assert_eq!(against(&memory, &same(bare, p1)), None, "his last word counts");
    memory.rule(&same(p0, bare), &[]);
    let (a, b) = (bare.min(p1), bare.max(p1));
    let mut both = same(p0, p1).to_vec();
    both.extend(same(p0, bare));
    assert_eq!(against(&memory, &both), Some(Clash::SaidApart(a, b)));
}

/// A page of a space that speaks of a name which others may have too.
fn of_space(space: usize, gone: bool) -> PageSaid {
    let says = Reading { mentions: vec![named("Payment Gateway")], claims: vec![] };
    let page = page(&format!("p{space}"), &[("a", says)]);
    PageSaid { space: SpaceKey::new(format!("S{space}")), gone, ..page }
}

/// How many spaces a name stands in decides whether answers about it count: what was asked on the way does not.
#[test]
fn a_name_that_comes_to_stand_in_many_spaces_means_in_each_what_it_says_there() {
    let mut memory = Memory::default();
    let sizes = |memory: &Memory| memory.groups().count();
    for space in 0..8 {
        settle_asking(&mut memory, &[of_space(space, false)]);
        let fresh = judged(&(0..=space).map(|space| of_space(space, false)).collect::<Vec<_>>());
        assert_eq!(live_groups(&memory), live_groups(&fresh));
        assert_eq!(sizes(&memory), if space < 6 { 1 } else { space + 1 });
    }
    for space in 0..3 {
        settle_asking(&mut memory, &[of_space(space, true)]);
        assert_eq!(sizes(&memory), [7, 1, 1][space]);
    }
}

proptest! {
    #[test]
    fn names_that_come_and_go_in_many_spaces_leave_no_trace(
        steps in proptest::collection::vec((0..9usize, proptest::bool::weighted(0.3)), 0..30),
        size in 1..4usize,
    ) {
        let (mut memory, mut there) = (Memory::default(), BTreeMap::new());
        for steps in steps.chunks(size) {
            let slice: BTreeMap<usize, bool> = steps.iter().copied().collect();
            there.extend(slice.clone());
            let pages = slice.into_iter().map(|(space, gone)| of_space(space, gone)).collect::<Vec<_>>();
            settle_asking(&mut memory, &pages);
        }
        let there = there.into_iter().filter(|(_, gone)| !gone);
        let fresh = judged(&there.map(|(space, _)| of_space(space, false)).collect::<Vec<_>>());
        prop_assert_eq!(live_groups(&memory), live_groups(&fresh));
    }
}

/// A name that is the same everywhere is no evidence that two names of spaces which read like it mean one thing.
#[test]
fn a_name_that_is_the_same_everywhere_makes_no_names_of_two_spaces_one() {
    let says =
        || Reading { mentions: vec![named("Payment Gateway"), named("payment-gateway")], claims: vec![] };
    let here = page("1", &[("a", says())]);
    let there = PageSaid { space: SpaceKey::new("B"), ..page("2", &[("a", says())]) };
    let sizes = |memory: &Memory| {
        memory.groups().map(|group| group.nodes.len()).sum::<usize>() * 10 + memory.groups().count()
    };
    let mut memory = settled(std::slice::from_ref(&here));
    assert_eq!(sizes(&memory), 21, "in one space it is the name of that space");
    memory.settle(std::slice::from_ref(&there));
    assert_eq!(sizes(&memory), 33, "in two it is neither's");
    assert_eq!(memory, settled(&[there.clone(), here.clone()]));
    // Evidence in one of the two spaces.
    let joins = Reading { claims: vec![claim(0, "same_as", Object::Named(1), false)], ..says() };
    let joining = page("3", &[("a", joins)]);
    memory.settle(std::slice::from_ref(&joining));
    assert_eq!(sizes(&memory), 32, "the text says whose it is");
    memory.settle(&[PageSaid { gone: true, ..joining }]);
    assert_eq!(sizes(&memory), 33);
    // Somebody finds that the names of both spaces mean one thing.
    assert_eq!(sizes(&judged(&[here.clone(), there.clone()])), 31);
    memory.settle(&[PageSaid { gone: true, ..there }]);
    assert_eq!(sizes(&memory), 21);
    assert_eq!(live_groups(&memory), live_groups(&settled(&[here])));
}

#[test]
fn people_of_one_name_are_one_within_a_page_only() {
    let anna = Mention { name: "Anna".to_owned(), kind: Kind::PERSON, key: None };
    let says = Reading { mentions: vec![anna], claims: vec![] };
    let pages = [page("1", &[("a", says.clone()), ("b", says.clone())]), page("2", &[("a", says)])];
    assert_eq!(settled(&pages).groups().count(), 2);
}

#[test]
fn a_renamed_page_is_shown_by_its_new_title() {
    let card = |title: &str| {
        let page =
            Mention { name: title.to_owned(), kind: Kind::PAGE, key: Some(Key::Page(PageId::new("1"))) };
        let key = Key::Title(SpaceKey::new("A"), title.to_owned());
        let title = Mention { name: title.to_owned(), kind: Kind::PAGE, key: Some(key) };
        Reading { mentions: vec![page, title], claims: vec![claim(0, "same_as", Object::Named(1), false)] }
    };
    let mut renamed = page("1", &[("old", card("Alpha Plan")), ("new", card("Beta Plan"))]);
    let [old, new] = renamed.versions[0].chunks[..] else { panic!("two chunks") };
    let at = |number, chunk| VersionSaid { version: Version(number), modified: None, chunks: vec![chunk] };
    renamed.versions = vec![at(1, old), at(2, new)];
    let memory = settled(&[renamed]);
    let names: Vec<_> = memory.groups().map(|group| (group.nodes.len(), group.name.as_str())).collect();
    assert_eq!(names, [(2, "Beta Plan")]);
}

#[test]
fn moved_text_keeps_its_beginning_and_is_not_withdrawn() {
    let says = |value: &str| Reading {
        mentions: vec![named("ledger-service")],
        claims: vec![claim(0, "status", Object::Value(value.to_owned()), true)],
    };
    let mut moved = page("1", &[("a", says("x")), ("b", says("y")), ("c", says("y"))]);
    let [a, b, c] = moved.versions[0].chunks[..] else { panic!("three chunks") };
    let at = |number: usize, chunk| VersionSaid {
        version: Version(number as u32),
        modified: Some(day(number)),
        chunks: vec![chunk],
    };
    moved.versions = vec![at(1, a), at(2, b), at(3, c)];
    let times = |memory: &Memory, value: &str| {
        let shown = memory.shown();
        let of = |shown: &memory::Shown| shown.object == Some(Object::Value(value.to_owned()));
        shown.into_values().find(|(shown, _)| of(shown)).unwrap().1
    };
    let memory = settled(&[moved.clone()]);
    let since = Times { valid_at: Some(day(2)), invalid_at: None, withdrawn: None };
    assert_eq!(times(&memory, "y"), since);
    let until = Times { valid_at: None, invalid_at: Some(day(2)), withdrawn: None };
    assert_eq!(times(&memory, "x"), until);
    let memory = settled(&[PageSaid { gone: true, ..moved }]);
    assert_eq!(times(&memory, "y"), Times { withdrawn: Some(None), ..since });
    assert_eq!(times(&memory, "x"), until);
}

#[test]
fn a_date_that_the_new_value_names_ends_the_old_one() {
    let says = |value: &str, from: Option<usize>| Reading {
        mentions: vec![named("ledger-service")],
        claims: vec![Claim {
            valid_at: from.map(day),
            ..claim(0, "status", Object::Value(value.to_owned()), true)
        }],
    };
    let mut dated = page("1", &[("a", says("x", None)), ("b", says("y", Some(7)))]);
    let [a, b] = dated.versions[0].chunks[..] else { panic!("two chunks") };
    let at = |number: usize, chunk| VersionSaid {
        version: Version(number as u32),
        modified: Some(day(number)),
        chunks: vec![chunk],
    };
    dated.versions = vec![at(1, a), at(9, b)];
    let memory = settled(&[dated]);
    let support =
        memory.supports_of(&PageId::new("1")).unwrap().into_iter().find(|support| support.end.is_some());
    let support = support.unwrap();
    assert_eq!((support.invalid_at, support.end.unwrap().ended), (Some(day(7)), Ended::Replaced));
}

#[test]
fn a_value_that_is_said_again_after_a_silence_takes_no_place() {
    let says = |value: &str, until: Option<usize>| Reading {
        mentions: vec![named("ledger-service")],
        claims: vec![Claim {
            invalid_at: until.map(day),
            ..claim(0, "status", Object::Value(value.to_owned()), true)
        }],
    };
    let silent = Reading { mentions: vec![named("ledger-service")], claims: Vec::new() };
    let texts = [("a", says("x", Some(8))), ("b", says("y", None)), ("c", silent), ("d", says("y", None))];
    let mut page = page("1", &texts);
    let at = |(number, chunk): (usize, &ChunkId)| VersionSaid {
        version: Version(number as u32 + 1),
        modified: Some(day(number + 1)),
        chunks: vec![*chunk],
    };
    page.versions = page.versions[0].chunks.iter().enumerate().map(at).collect();
    let mut supports = settled(&[page]).supports_of(&PageId::new("1")).unwrap();
    supports.sort_by_key(|support| support.from_version);
    let since: Vec<_> = supports.iter().map(|support| support.valid_at).collect();
    assert_eq!(
        since,
        [None, Some(day(2)), None],
        "the text of the fourth version is no longer the one of the second"
    );
    let replaced = supports[0].end.as_ref().unwrap();
    assert_eq!((supports[0].invalid_at, replaced.until), (Some(day(2)), Some(day(8))));
}
