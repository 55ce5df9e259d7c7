//! The naive evaluator: what holds at a date, from the pages alone. It knows nothing of chunks, supports, epochs or ids,
//! and was written from the words of the design and of `ARCHITECTURE.md` by somebody who had not read the resolver.
//!
//! The rules, as it reads them:
//!
//! 1. A page says a fact from the first version in a row that has it until the first that has it no more. It is
//!    *replaced* when that version gives another value of a relation that has one at a time, else it *vanished*.
//! 2. What a model reads is known of texts that were current at a run; what rules read, of every version that was had.
//! 3. A saying begins on the day the text names, else on the day of its version; where there is none, ever since.
//!    The text that stands now says the dates, not one that it has taken the place of.
//! 4. Of two facts that contradict each other (one subject, two owners) the one that begins later ends the other, while
//!    a live text says it. Without anybody to judge, what two pages say ends nothing of each other.
//! 5. A fact that a live text says without an end is not ended by another page's text that changed.
//! 6. What ended and is said again later begins again.
//! 7. What nobody says any more and nothing replaced is *expired* and ends nothing; it held until its text went.
//! 8. A page that comes back is as if it had never been away: its versions tell, and they know of no gap.

use super::history::{Fact, Page, Relation, Statement, Version, Wiki};
use knowledge::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What may be said of a fact that was ever said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It holds.
    Live,
    /// It ended in the world.
    Invalid,
    /// Nobody says it any more.
    Expired,
}

/// A stretch of time in which a fact was true; an end comes with what the fact is from then on.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// None where nobody dates it.
    begins: Option<Timestamp>,
    end: Option<(Timestamp, Standing)>,
}

/// A page says a fact.
#[derive(Clone, Debug)]
struct Saying {
    fact: Fact,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The day of the first version; none where the source gives no dates.
    from: Option<Timestamp>,
    /// When the page stopped: by another value, or the text is gone.
    end: Option<(Timestamp, Standing)>,
}

impl Saying {
    fn begins(&self) -> Option<Timestamp> {
        self.since.or(self.from)
    }

    fn is_live(&self) -> bool {
        self.end.is_none()
    }
}

/// All that is known after a run of what the wiki said by a date.
#[derive(Debug)]
pub struct Known {
    asked: bool,
    sayings: BTreeMap<Fact, Vec<Saying>>,
}

impl Known {
    /// What the wiki said by a date (or by the run itself), as it is known after a run.
    pub fn after(wiki: &Wiki, run: usize, by: Option<Timestamp>) -> Known {
        let mut sayings: BTreeMap<Fact, Vec<Saying>> = BTreeMap::new();
        for page in &wiki.pages {
            for saying in said_by(page, (&wiki.runs, run), by) {
                sayings.entry(saying.fact.clone()).or_default().push(saying);
            }
        }
        Known { asked: wiki.asked, sayings }
    }

    /// All facts that were ever said.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.sayings.keys()
    }

    /// When a fact held, and how each stretch ended.
    fn stretches(&self, fact: &Fact) -> Vec<Stretch> {
        let Some(sayings) = self.sayings.get(fact) else { return Vec::new() };
        let rivals = self.rivals(fact);
        let points: BTreeSet<Option<Timestamp>> = sayings.iter().map(Saying::begins).collect();
        let mut stretches = Vec::new();
        let mut next = points.first().copied();
        while let Some(begins) = next {
            let rival =
                rivals.iter().filter(|rival| begins.is_none_or(|begins| **rival > begins)).min().copied();
            let said = said_end(sayings, (begins, rival));
            let contradicted = rival.map(|rival| (rival, Standing::Invalid));
            let end = said.into_iter().chain(contradicted).min();
            stretches.push(Stretch { begins, end });
            // What was taken back before its day came never held; its stretch is empty.
            let after = end.map(|(end, _)| Some(end).max(begins));
            next = after.and_then(|after| points.iter().find(|point| **point > after).copied());
        }
        stretches
    }

    /// What contradicts a fact and is said by a live text: when it begins.
    fn rivals(&self, fact: &Fact) -> BTreeSet<Timestamp> {
        if !self.asked || fact.1 != Relation::OwnedBy {
            return BTreeSet::new();
        }
        let others = self
            .sayings
            .iter()
            .filter(|(other, _)| (&other.0, other.1) == (&fact.0, fact.1) && other.2 != fact.2);
        let live = others.flat_map(|(_, sayings)| sayings).filter(|saying| saying.is_live());
        live.filter_map(Saying::begins).collect()
    }

    /// What a fact was in the world at a date; none before it began.
    pub fn standing(&self, fact: &Fact, at: Timestamp) -> Option<Standing> {
        let stretches = self.stretches(fact);
        let begun =
            stretches.iter().rev().find(|stretch| stretch.begins.is_none_or(|begins| begins <= at))?;
        Some(begun.end.filter(|(end, _)| *end <= at).map_or(Standing::Live, |(_, how)| how))
    }
}

/// When a stretch ends by what is said of the fact itself: a text that is there names an end, or all that said it by
/// the next contradiction has stopped.
fn said_end(
    sayings: &[Saying],
    (begins, rival): (Option<Timestamp>, Option<Timestamp>),
) -> Option<(Timestamp, Standing)> {
    let within = |saying: &&Saying| {
        saying.begins() >= begins && rival.is_none_or(|rival| saying.begins() < Some(rival))
    };
    let mine: Vec<&Saying> = sayings.iter().filter(within).collect();
    let by_its_words = |saying: &&Saying| saying.until.map(|until| (until, Standing::Invalid));
    if mine.iter().any(|saying| saying.end.is_none()) {
        let live = mine.iter().filter(|saying| saying.end.is_none());
        return live.filter_map(by_its_words).filter(|(end, _)| Some(*end) > begins).min();
    }
    let ends = |saying: &&&Saying| by_its_words(*saying).into_iter().chain(saying.end).min();
    let (replaced, vanished): (Vec<_>, Vec<_>) =
        mine.iter().partition(|saying| matches!(saying.end, Some((_, Standing::Invalid))));
    if let Some(end) = replaced.iter().filter_map(ends).max() {
        return Some(end);
    }
    // What vanished here and is still said elsewhere, later, did not end in between.
    let again = sayings.iter().any(|saying| !matches!(saying.end, Some((_, Standing::Expired))));
    vanished.iter().filter_map(ends).max().filter(|_| !again)
}

/// What a page says and said, as known after a run.
fn said_by(page: &Page, (runs, run): (&[Timestamp], usize), by: Option<Timestamp>) -> Vec<Saying> {
    let seen: Vec<(usize, usize)> =
        page.seen.iter().take(run + 1).enumerate().filter_map(|(run, seen)| Some((run, (*seen)?))).collect();
    let Some((last_run, newest)) = seen.last().copied() else { return Vec::new() };
    let current: BTreeSet<usize> = seen.iter().map(|(_, written)| written - 1).collect();
    let had = |version: &usize| page.told || current.contains(version);
    let read: BTreeSet<String> = current.iter().map(|version| page.versions[*version].body()).collect();
    let mut saying: Vec<Saying> = Vec::new();
    for version in (0..newest).filter(had) {
        let Version { at, says, .. } = &page.versions[version];
        if page.dated && by.is_some_and(|by| *at > by) {
            break;
        }
        // When the job first had a version, for those without a date of their own.
        let had_at = seen.iter().find(|(_, written)| *written > version).map(|(run, _)| runs[*run]);
        let at = if page.dated { Some(*at) } else { had_at };
        let says: Vec<&Statement> =
            says.iter().filter(|said| !said.odd || read.contains(&page.versions[version].body())).collect();
        take_in(&mut saying, &says, (page.dated, at));
    }
    let gone = runs.get(last_run + 1).filter(|_| last_run < run);
    if let Some(gone) = gone {
        saying
            .iter_mut()
            .filter(|saying| saying.is_live())
            .for_each(|saying| saying.end = Some((*gone, Standing::Expired)));
    }
    if let Some(by) = by {
        saying.iter_mut().for_each(|saying| saying.end = saying.end.filter(|(at, _)| *at <= by));
    }
    saying
}

/// The next version of a page.
fn take_in(saying: &mut Vec<Saying>, says: &[&Statement], (dated, at): (bool, Option<Timestamp>)) {
    for open in saying.iter_mut().filter(|saying| saying.is_live()) {
        if let Some(said) = says.iter().find(|said| said.fact == open.fact) {
            (open.since, open.until) = (said.since, said.until);
            continue;
        }
        let value = |said: &&&Statement| (&said.fact.0, said.fact.1) == (&open.fact.0, open.fact.1);
        let replaced = open.fact.1 == Relation::OwnedBy && says.iter().any(|said| value(&said));
        let why = if replaced { Standing::Invalid } else { Standing::Expired };
        open.end = at.map(|at| (at, why));
    }
    for said in says {
        if !saying.iter().any(|open| open.is_live() && open.fact == said.fact) {
            let Statement { fact, since, until, .. } = (*said).clone();
            saying.push(Saying { fact, since, until, from: at.filter(|_| dated), end: None });
        }
    }
}
