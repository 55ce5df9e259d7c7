//! The one rule for the times of a fact, over those of its supports that the viewer may see. It must not look
//! at other supports: a date that only a hidden page gives does not exist for the viewer.

use crate::graph::{End, Ended, Spell, Support, Times};
use crate::id::{FactId, PageId, Version};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// The times of a fact that stands on these supports.
///
/// While something still says it, only that counts: the earliest beginning, and the earliest end that is not before the
/// day on which a text says that it began. When nothing says it any more and a page gave another value in its place, it
/// ended in the world, at the earliest such time. When the text is merely gone, or was replaced nobody knows when, the
/// fact is withdrawn: since the last of it went, where that is known.
pub fn times<'a>(supports: impl IntoIterator<Item = &'a Support>) -> Times {
    let supports = carried(supports);
    let ended = |support: &&Support, how| support.end.as_ref().map(|end| end.ended) == how;
    let told = |how| supports.iter().filter(|support| ended(support, how)).collect::<Vec<_>>();
    let live = told(None);
    if !live.is_empty() {
        return between((&live, &supports), |support| support.invalid_at);
    }
    let replaced = told(Some(Ended::Replaced));
    if !replaced.is_empty() {
        let until = |support: &Support| support.invalid_at.or(support.end.as_ref().and_then(|end| end.at));
        let times = between((&replaced, &supports), until);
        let withdrawn = times.invalid_at.is_none().then_some(None);
        return Times { withdrawn, ..times };
    }
    let went: Option<Vec<Timestamp>> = supports.iter().map(|support| support.end.as_ref()?.at).collect();
    let withdrawn = Some(went.and_then(|went| went.into_iter().max()));
    let all: Vec<&Support> = supports.iter().collect();
    Times { withdrawn, ..between((&all, &supports), |support| support.invalid_at) }
}

/// The earliest beginning and the earliest end, as some texts tell of it among all that ever did. An end before a day
/// that a text names for the beginning is none; one before the day on which a page took the value over is told all the
/// same: `until March`, written in May, says that it is over.
fn between(
    (supports, all): (&[&Support], &[Support]),
    until: impl Fn(&Support) -> Option<Timestamp>,
) -> Times {
    let named = supports
        .iter()
        .filter(|support| !is_taken_over(support))
        .filter_map(|support| support.valid_at)
        .min();
    let ends = supports.iter().filter_map(|support| until(support));
    let invalid_at = ends.filter(|end| named.is_none_or(|named| *end >= named)).min();
    let taken = || taken_over(supports, all).filter(|taken| invalid_at.is_none_or(|end| *taken <= end));
    Times { valid_at: named.or_else(taken), invalid_at, withdrawn: None }
}

/// The stretches of time in which a fact was true, oldest first, the last one being how it stands now: it is ended by
/// the first of its rivals (facts that contradict it, with their supports) that began after it, and begins anew where a
/// text says it again after that.
///
/// Only what is said now counts, on both sides: a rival that nothing says any more ends nothing, so a closing goes with
/// its last support. A text that gives no date speaks for the day on which it was written; where that is unknown too,
/// it neither ends anything nor is ended. Two that begin on the same instant leave each other alone.
pub fn spells(supports: &[Support], rivals: &BTreeMap<FactId, Vec<Support>>) -> Vec<Spell> {
    let whole = || vec![Spell { times: times(supports), by: None }];
    let mut ends: Vec<(Timestamp, FactId)> = Vec::new();
    for (rival, said) in rivals {
        ends.extend(live(said).iter().filter_map(begins).map(|at| (at, *rival)));
    }
    if ends.is_empty() {
        return whole();
    }
    ends.sort_unstable();
    let all = carried(supports);
    let live = all.iter().filter(|support| support.end.is_none());
    let mut stretches: BTreeMap<Option<(Timestamp, FactId)>, Vec<&Support>> = BTreeMap::new();
    for support in live {
        let Some(at) = begins(support) else { continue };
        let next = ends.get(ends.partition_point(|(end, _)| *end <= at)).copied();
        stretches.entry(next).or_default().push(support);
    }
    if stretches.keys().all(Option::is_none) {
        return whole();
    }
    // `None` sorts first and is the last stretch.
    let open = stretches.remove(&None);
    let mut spells: Vec<Spell> = Vec::new();
    for (end, said) in stretches.into_iter().chain(open.map(|said| (None, said))) {
        let mut times = between((&said, &all), |support| support.invalid_at);
        if !spells.is_empty() {
            times.valid_at = said.iter().filter_map(|support| begins(support)).min();
        }
        let own = times.invalid_at;
        if own < times.valid_at && own.is_some() {
            // Written after the end that it names, it says nothing again.
            continue;
        }
        times.invalid_at = own.into_iter().chain(end.map(|(at, _)| at)).min();
        let by = end.filter(|(at, _)| own.is_none_or(|own| *at < own)).map(|(_, rival)| rival);
        spells.push(Spell { times, by });
    }
    spells
}

/// The supports, each asserted since its page began to say so: a text that took the place of another one which said the
/// same, in the version that ended that one, says nothing again. Somebody has edited elsewhere on the page, and what
/// that page says of old must not win over what others have written since.
pub(super) fn carried<'a>(supports: impl IntoIterator<Item = &'a Support>) -> Vec<Support> {
    let mut supports: Vec<Support> = supports.into_iter().cloned().collect();
    let mut before: BTreeMap<Written, (Version, Option<Timestamp>)> = BTreeMap::new();
    for support in &supports {
        let began = (support.from_version, support.asserted_from);
        if let Some(End { ended: Ended::Vanished, version: Some(version), at: Some(at), .. }) = &support.end {
            let known = before.entry((support.page.clone(), *version, *at)).or_insert(began);
            *known = began.min(*known);
        }
    }
    for support in supports.iter_mut().filter(|_| !before.is_empty()) {
        let mut began = (support.from_version, support.asserted_from);
        while let (version, Some(written)) = began
            && let Some(earlier) = before.get(&(support.page.clone(), version, written))
            && earlier.0 < version
        {
            began = *earlier;
        }
        support.asserted_from = began.1;
    }
    supports
}

/// A version of a page, with the day on which it was written.
type Written = (Option<PageId>, Version, Timestamp);

/// The supports that have not ended, each asserted since its page began to say so.
fn live(supports: &[Support]) -> Vec<Support> {
    carried(supports).into_iter().filter(|support| support.end.is_none()).collect()
}

/// Whether a page put it in another value's place on the day on which it began to say so, and its text names none.
fn is_taken_over(support: &Support) -> bool {
    support.valid_at == support.asserted_from
}

/// The day on which a page put what these texts say in another value's place, where nobody has ever said it before
/// that: since then it is true, if no text names a day.
fn taken_over(supports: &[&Support], all: &[Support]) -> Option<Timestamp> {
    let taken = supports.iter().filter_map(|support| support.valid_at).min()?;
    let earlier = all.iter().filter_map(|support| support.asserted_from).any(|from| from < taken);
    (!earlier).then_some(taken)
}

/// Whether of two facts that stand on these supports one may end the other: something says the one that begins before
/// what is said of the other, and is not over by then.
pub fn meet(one: &[Support], other: &[Support]) -> bool {
    let (one, other) = (live(one), live(other));
    let ends = |one: &Support, other: &Support| {
        let (from, next) = (begins(one), begins(other));
        from.is_some() && from < next && (one.invalid_at.is_none() || one.invalid_at > next)
    };
    one.iter().any(|one| other.iter().any(|other| ends(one, other) || ends(other, one)))
}

/// Since when a support says that something is true: the day it names, or else the day it was written.
pub(super) fn begins(support: &Support) -> Option<Timestamp> {
    support.valid_at.or(support.asserted_from)
}

/// A support as it stood at a time on the wiki's own clock; none when nothing said it yet. An end that came later, or
/// whose day nobody knows, had not come then; nor had the day that the end brought with it: the text itself may have
/// named another one.
pub fn as_said_at(support: &Support, at: Timestamp) -> Option<Support> {
    if support.asserted_from.is_some_and(|from| from > at) {
        return None;
    }
    let mut then = support.clone();
    let Some(end) = &support.end else { return Some(then) };
    if end.at.is_none_or(|end| end > at) {
        then.end = None;
        if end.ended == Ended::Replaced {
            then.invalid_at = end.until;
        }
    }
    Some(then)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ChunkId;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 86_400 * number).unwrap()
    }

    fn support(valid_at: Option<i64>, invalid_at: Option<i64>, end: Option<(Ended, Option<i64>)>) -> Support {
        Support {
            fact: FactId::of(&[]),
            chunk: ChunkId::of(&[]),
            page: Some(PageId::new("1")),
            sentence: String::new(),
            valid_at: valid_at.map(day),
            invalid_at: invalid_at.map(day),
            from_version: Version(1),
            asserted_from: Some(day(0)),
            end: end.map(|(ended, at)| End { ended, version: None, at: at.map(day), until: None }),
        }
    }

    fn of(supports: &[Support]) -> (Option<Timestamp>, Option<Timestamp>, Option<Option<Timestamp>>) {
        let times = times(supports);
        (times.valid_at, times.invalid_at, times.withdrawn)
    }

    #[test]
    fn while_something_says_it_only_that_counts() {
        let replaced = support(Some(1), None, Some((Ended::Replaced, Some(3))));
        assert_eq!(
            of(&[replaced, support(Some(2), None, None), support(None, Some(9), None)]),
            (Some(day(2)), Some(day(9)), None)
        );
    }

    #[test]
    fn an_end_before_the_beginning_is_none() {
        assert_eq!(
            of(&[support(None, Some(1), None), support(Some(2), None, None)]),
            (Some(day(2)), None, None)
        );
    }

    #[test]
    fn what_was_replaced_ended_in_the_world_and_what_vanished_is_withdrawn() {
        let replaced = support(None, None, Some((Ended::Replaced, Some(3))));
        let vanished = support(None, None, Some((Ended::Vanished, Some(5))));
        let some_day = support(None, None, Some((Ended::Vanished, None)));
        assert_eq!(of(&[replaced.clone(), vanished.clone()]), (None, Some(day(3)), None));
        assert_eq!(of(std::slice::from_ref(&vanished)), (None, None, Some(Some(day(5)))));
        assert_eq!(of(&[vanished, some_day]), (None, None, Some(None)));
        assert_eq!(of(&[support(None, None, Some((Ended::Replaced, None)))]), (None, None, Some(None)));
        assert_eq!(of(&[]), (None, None, Some(None)));
    }

    #[test]
    fn an_edit_elsewhere_on_a_page_says_nothing_again() {
        let edited = End { ended: Ended::Vanished, version: Some(Version(2)), at: Some(day(5)), until: None };
        let before = Support { end: Some(edited), ..support(None, None, None) };
        let now =
            Support { from_version: Version(2), asserted_from: Some(day(5)), ..support(None, None, None) };
        let rival = FactId::of(&[b"rival"]);
        let later = Support { fact: rival, asserted_from: Some(day(3)), ..support(None, None, None) };
        let of = |supports: &[Support]| spells(supports, &BTreeMap::from([(rival, vec![later.clone()])]));
        let ended = Times { invalid_at: Some(day(3)), ..Times::default() };
        assert_eq!(of(&[before.clone(), now.clone()]), [Spell { times: ended, by: Some(rival) }]);
        // A page that had said nothing of it until then says it anew.
        assert_eq!(of(std::slice::from_ref(&now)), [Spell::default()]);
        // So does one that is edited in the instant in which another page is.
        let now = Support { page: Some(PageId::new("2")), ..now };
        assert_eq!(of(&[before, now]), [Spell::default()]);
    }

    #[test]
    fn the_day_a_page_took_a_value_over_is_not_before_what_another_page_said() {
        let took_over =
            Support { valid_at: Some(day(4)), asserted_from: Some(day(4)), ..support(None, None, None) };
        assert_eq!(times([&took_over]).valid_at, Some(day(4)));
        assert_eq!(
            times([&took_over, &support(None, None, None)]).valid_at,
            None,
            "said since the first day"
        );
        assert_eq!(times([&took_over, &support(Some(6), None, None)]).valid_at, Some(day(6)));
    }

    #[test]
    fn a_text_that_says_until_a_day_before_it_was_written_says_that_it_is_over() {
        let took_over = Support { asserted_from: Some(day(4)), ..support(Some(4), Some(2), None) };
        assert_eq!(of(&[took_over]), (None, Some(day(2)), None), "a slip of the pen is mended after the end");
        let rival = FactId::of(&[b"rival"]);
        let later = support(Some(3), None, None);
        let again = Support { asserted_from: Some(day(4)), ..support(None, Some(2), None) };
        let ended = Times { invalid_at: Some(day(3)), ..Times::default() };
        assert_eq!(
            spells(&[support(None, None, None), again], &BTreeMap::from([(rival, vec![later])])),
            [Spell { times: ended, by: Some(rival) }],
            "nor does it say anything again"
        );
    }

    #[test]
    fn before_its_end_a_support_had_none() {
        let replaced = support(None, Some(3), Some((Ended::Replaced, Some(3))));
        assert_eq!(as_said_at(&replaced, day(-1)), None);
        assert_eq!(as_said_at(&replaced, day(2)), Some(support(None, None, None)));
        assert_eq!(as_said_at(&replaced, day(3)), Some(replaced));
    }

    #[test]
    fn before_another_value_ended_it_the_end_that_a_text_names_was_known() {
        let mut replaced = support(None, Some(2), Some((Ended::Replaced, Some(4))));
        replaced.end.as_mut().unwrap().until = Some(day(3));
        assert_eq!(as_said_at(&replaced, day(1)), Some(support(None, Some(3), None)));
    }
}
