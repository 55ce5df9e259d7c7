//! A recorded extraction of 40 pages about services that change hands and move (`fixtures/recorded-services.jsonl`,
//! made up by a program), judged by the truth: what is asked, and which facts end when.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

mod recorded;

use knowledge::graph::{Claim, Extractor, Likeness, Support};
use knowledge::id::{PageId, Version};
use knowledge::judge::{self, Findings};
use knowledge::resolve::memory::Memory;
use knowledge::resolve::{Held, PageSaid, VersionSaid, questions};
use knowledge::time::{Timestamp, parse};
use recorded::{answer, page, single};
use std::collections::{BTreeMap, BTreeSet};

/// A statement of a day, and the day on which another value took its place.
type Ends = BTreeMap<((String, &'static str, String), Timestamp), Option<Timestamp>>;

fn pages() -> Vec<PageSaid> {
    include_str!("fixtures/recorded-services.jsonl").lines().map(page).collect()
}

/// Resolves pages in epochs of a size; gives the graph and the number of calls.
fn judged(pages: &[PageSaid], an_epoch: usize) -> (Memory, usize) {
    let mut memory = Memory::default();
    let calls = judge_again(&mut memory, pages, an_epoch);
    (memory, calls)
}

/// The same over what is held; gives the number of calls.
fn judge_again(memory: &mut Memory, pages: &[PageSaid], an_epoch: usize) -> usize {
    let mut calls = 0;
    for epoch in pages.chunks(an_epoch) {
        let mut findings = Findings::of("recorded");
        loop {
            let Ok(round) = questions(epoch, &*memory, &findings);
            if round.questions.is_empty() {
                break;
            }
            calls += judge::pack(&round.questions, |_| (), judge::PackSize::default()).len();
            findings.found.extend(round.questions.iter().map(|question| (question.id, answer(question))));
        }
        memory.settle_with(epoch, &findings);
    }
    calls
}

fn day(support: &Support) -> Timestamp {
    support.valid_at.or(support.asserted_from).unwrap()
}

/// What the graph says about when statements ended.
fn ends(memory: &Memory) -> Ends {
    let mut ends = Ends::new();
    for fact in memory.shown().into_keys() {
        let spells = memory.spells(fact);
        for support in memory.supports_of_fact(fact) {
            let Some(said) = single(&support.sentence) else { continue };
            let holds = |end: Option<Timestamp>| end.is_none_or(|end| end > day(support));
            let spell = spells.iter().find(|spell| holds(spell.times.invalid_at)).unwrap();
            ends.insert((said, day(support)), spell.times.invalid_at);
        }
    }
    ends
}

/// What is true: the next other value of the same subject and relation ends a value.
fn truth(pages: &[PageSaid]) -> Ends {
    let claims = pages.iter().flat_map(|page| {
        let written = page.versions[0].modified;
        page.readings
            .values()
            .flat_map(move |reading| reading.claims.iter().map(move |claim| (written, claim)))
    });
    let said: BTreeSet<_> = claims
        .filter_map(|(written, claim)| Some((single(&claim.sentence)?, claim.valid_at.or(written)?)))
        .collect();
    let next = |(of, at): &((String, &'static str, String), Timestamp)| {
        let others = said
            .iter()
            .filter(|(other, day)| (&other.0, other.1) == (&of.0, of.1) && other.2 != of.2 && day > at);
        others.map(|(_, day)| *day).min()
    };
    said.iter().map(|said| (said.clone(), next(said))).collect()
}

#[test]
fn what_is_no_longer_true_ends_on_the_right_day_however_pages_come_together() {
    let pages = pages();
    let truth = truth(&pages);
    assert!(truth.values().flatten().count() > 30, "the recording has changes to find");
    let backwards: Vec<PageSaid> = pages.iter().rev().cloned().collect();
    let (whole, _) = judged(&pages, 64);
    for (pages, an_epoch) in [(&pages, 64), (&pages, 5), (&pages, 1), (&backwards, 64), (&backwards, 3)] {
        let (memory, _) = judged(pages, an_epoch);
        assert_eq!(ends(&memory), truth, "{an_epoch} pages an epoch");
        assert!(memory == whole);
    }
}

#[test]
fn what_rules_have_read_too_is_asked_about_all_the_same() {
    let mut pages = pages();
    let truth = truth(&pages);
    for reading in pages.iter_mut().flat_map(|page| page.readings.values_mut()) {
        let by_rules = |claim: &Claim| Claim { extractor: Extractor::Structural, ..claim.clone() };
        reading.claims.extend(reading.claims.iter().map(by_rules).collect::<Vec<_>>());
    }
    assert_eq!(ends(&judged(&pages, 64).0), truth);
    pages.iter_mut().flat_map(|page| page.readings.values_mut()).for_each(|reading| reading.claims.reverse());
    assert_eq!(ends(&judged(&pages, 3).0), truth);
}

#[test]
fn what_a_model_reads_after_the_rules_is_asked_about() {
    let pages = pages();
    let mut by_rules = pages.clone();
    let claims =
        by_rules.iter_mut().flat_map(|page| page.readings.values_mut()).flat_map(|it| &mut it.claims);
    claims.for_each(|claim| claim.extractor = Extractor::Structural);
    let (mut memory, _) = judged(&by_rules, 64);
    judge_again(&mut memory, &pages, 64);
    assert_eq!(ends(&memory), truth(&pages));
}

#[test]
fn few_questions_are_asked_and_nothing_is_held_twice() {
    let pages = pages();
    let (memory, calls) = judged(&pages, 64);
    assert!(calls * 10 <= pages.len(), "{calls} calls for {} chunks", pages.len());
    assert_eq!(memory.groups().count(), 165);
    let shown: Vec<_> = memory.shown().into_values().map(|(shown, _)| shown).collect();
    let distinct: BTreeSet<_> =
        shown.iter().map(|shown| (shown.subject, &shown.relation, &shown.object)).collect();
    assert_eq!(distinct.len(), shown.len());
}

/// A page that says on a day who owns the proxy.
fn line(name: &str, day: &str, team: &str) -> String {
    let sentence = format!("Billing Proxy is owned by {team}");
    let page = serde_json::json!({"page": name, "space": "ENG", "modified": day, "names": ["Billing Proxy", team],
        "claims": [[0, "owned_by", 1, sentence, null, null]]});
    page.to_string()
}

#[test]
fn what_was_said_side_by_side_once_is_judged_for_readers_of_those_days() {
    let silent_since = |last: &str, mut page: PageSaid| {
        page.versions.push(VersionSaid { version: Version(2), modified: parse(last), chunks: Vec::new() });
        page
    };
    let silent = silent_since("2025-06-01", page(&line("0", "2025-01-01", "Risk Team")));
    let judgements_on = |pages: &[PageSaid]| {
        let (memory, _) = judged(pages, 1);
        let facts: BTreeSet<_> =
            memory.supports_of(&PageId::new("0")).unwrap().into_iter().map(|it| it.fact).collect();
        let found = facts.into_iter().flat_map(|fact| memory.judgements(fact).unwrap());
        found.map(|found| (found.likeness, found.stands)).collect::<Vec<_>>()
    };
    let judgements = |day: &str| judgements_on(&[silent.clone(), page(&line("1", day, "Growth Team"))]);
    assert_eq!(judgements("2025-03-01"), [(Likeness::Contradicts, false)], "it ends nothing now");
    assert!(judgements("2025-07-01").is_empty(), "nobody ever read both");
    let mut by_rules = silent_since("2025-04-01", page(&line("1", "2025-03-01", "Growth Team")));
    let claims = by_rules.readings.values_mut().flat_map(|reading| &mut reading.claims);
    claims.for_each(|claim| claim.extractor = Extractor::Structural);
    let later = page(&line("2", "2025-08-01", "Growth Team"));
    assert!(
        judgements_on(&[silent.clone(), by_rules.clone()]).is_empty(),
        "no model has read what one page says"
    );
    assert_eq!(judgements_on(&[silent.clone(), by_rules, later]), [(Likeness::Contradicts, false)]);
}

#[test]
fn a_value_that_comes_back_is_true_twice() {
    let days = ["2025-01-01", "2025-03-01", "2025-06-01"];
    let teams = ["Risk Team", "Growth Team", "Risk Team"];
    let pages: Vec<PageSaid> = (0..3).map(|at| page(&line(&at.to_string(), days[at], teams[at]))).collect();
    let (memory, _) = judged(&pages, 1);
    let mut spells: Vec<_> = memory.shown().into_keys().map(|fact| memory.spells(fact)).collect();
    spells.sort_by_key(Vec::len);
    let times = |spells: &[knowledge::graph::Spell]| -> Vec<_> {
        spells.iter().map(|spell| (spell.times.valid_at, spell.times.invalid_at)).collect()
    };
    let day = |at: usize| parse(days[at]);
    assert_eq!(times(&spells[0]), [(None, day(2))]);
    assert_eq!(times(&spells[1]), [(None, day(1)), (day(2), None)]);
}

#[test]
fn what_ended_a_fact_gives_it_back_when_its_text_goes() {
    let mut pages = pages();
    let (mut memory, _) = judged(&pages, 64);
    let last = pages.last_mut().unwrap();
    last.gone = true;
    memory.settle_with(std::slice::from_ref(last), &Findings::of("recorded"));
    let gone = last.page.clone();
    let left: Vec<PageSaid> = pages.into_iter().filter(|page| page.page != gone).collect();
    let live = |memory: &Memory| -> BTreeMap<_, _> {
        let shown = memory.shown().into_iter().filter(|(_, (_, times))| times.withdrawn.is_none());
        shown.map(|(fact, _)| (fact, memory.spells(fact))).collect()
    };
    assert_eq!(live(&memory), live(&judged(&left, 64).0));
}
