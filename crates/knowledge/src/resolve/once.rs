//! Pairs that contradict each other for a reader of the wiki of some past day: both were said then, whatever is said
//! now. Only of what a model has read; which pairs are doubtful now `facts` knows.

use crate::graph::{Ended, Support};
use crate::id::NodeId;
use crate::resolve::Held;
use crate::resolve::after::After;
use crate::resolve::facts::{DAYS, Doubtful, Equals, FEW, MOST, Saying, Sayings, Scope, add, may_contradict};
use crate::resolve::times::begins;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Texts that began after another one which are looked at: a subject with many values has most of them side by side.
const LOOKED_AT: usize = 64;

/// When a text said something, and of when it tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Text<'a> {
    begins: Timestamp,
    said: (Timestamp, Timestamp),
    saying: &'a Saying,
}

/// What was said under one relation of a subject, in the order in which it began.
#[derive(Default)]
struct Said<'a> {
    texts: Vec<Text<'a>>,
    values: usize,
}

type BySubject<'a> = BTreeMap<(NodeId, &'a str), Said<'a>>;

/// The pairs in a scope that a reader of some day found next to each other in time.
pub(super) fn doubtful<H: Held>(after: &mut After<'_, H>, sayings: &Sayings, scope: &Scope) -> Doubtful {
    let mut pairs = Doubtful::new();
    let read = || sayings.iter().filter(|(saying, equals)| equals.by_model && scope.has_relation(saying));
    let mut all = BySubject::new();
    for (saying, equals) in read() {
        let said = all.entry((saying.0, &saying.1)).or_default();
        let before = said.texts.len();
        let text =
            |support: &Support| Some(Text { begins: begins(support)?, said: said_between(support), saying });
        said.texts.extend(equals.texts.iter().filter_map(text));
        said.values += usize::from(said.texts.len() > before);
    }
    all.values_mut().for_each(|said| said.texts.sort_unstable());
    for (saying, own) in read() {
        let Some(said) = all.get(&(saying.0, saying.1.as_str())) else { continue };
        let near = began_later(said, saying, own);
        if near.len() > MOST {
            after.pending.pass_over(own.fact.id, near.len() - MOST);
        }
        let near = near.into_iter().take(MOST).filter_map(|other| sayings.get(other));
        near.for_each(|other| add(&mut pairs, own, other));
    }
    pairs
}

/// What began after a saying did and could end it for a reader of a day on which both were said; the nearest first.
/// Left out is what others would have ended it before, which began in between and were said on all these days.
fn began_later<'a>(Said { texts, values }: &Said<'a>, saying: &Saying, own: &Equals) -> Vec<&'a Saying> {
    let most = if *values > FEW { 1 } else { DAYS };
    let mut found: Vec<&Saying> = Vec::new();
    for support in &own.texts {
        let Some(at) = begins(support) else { continue };
        let until = until(support);
        let later = texts[texts.partition_point(|text| text.begins <= at)..].iter();
        let later = later.filter(|text| may_contradict(saying, text.saying)).take(LOOKED_AT);
        let mut nearer: Vec<&Text> = Vec::new();
        for text in later.take_while(|text| until.is_none_or(|until| until > text.begins)) {
            let Some(both) = common(said_between(support), text.said) else { continue };
            let ends_before =
                |near: &&&Text| near.begins < text.begins && common(near.said, both) == Some(both);
            let days: BTreeSet<Timestamp> =
                nearer.iter().filter(ends_before).map(|near| near.begins).collect();
            if days.len() < most {
                nearer.push(text);
            }
        }
        let new = nearer.into_iter().map(|text| text.saying);
        new.for_each(|other| {
            if !found.contains(&other) {
                found.push(other)
            }
        });
    }
    found
}

/// The days that two stretches have in common.
fn common(one: (Timestamp, Timestamp), other: (Timestamp, Timestamp)) -> Option<(Timestamp, Timestamp)> {
    let both = (one.0.max(other.0), one.1.min(other.1));
    (both.0 < both.1).then_some(both)
}

/// When the wiki said so. What has ended on a day that nobody has noted yet is said until now.
fn said_between(support: &Support) -> (Timestamp, Timestamp) {
    let to = support.end.as_ref().and_then(|end| end.at);
    (support.asserted_from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX))
}

/// Until when it is true, as the text itself tells.
fn until(support: &Support) -> Option<Timestamp> {
    match &support.end {
        Some(end) if end.ended == Ended::Replaced => end.until,
        _ => support.invalid_at,
    }
}
