//! The naive evaluator: what holds at a date, from the pages alone. It knows no chunks, supports, epochs or ids.
//!
//! It was first written from the words of the design and of `ARCHITECTURE.md` by somebody who had not read the
//! resolver; where the two differed, the words decided. These are the rules, with what the first reading got wrong.
//!
//! - A page says a fact while its versions have it. A text that comes back letter by letter counts as there in between
//!   (one row holds one interval), unless another value stood alone meanwhile.
//! - One value alone in a version and another one alone in the next is a *replacement*; what goes otherwise *vanished*.
//!   (First reading: any other value replaces. But a hand-over names both, and closes nothing.) What was replaced and
//!   comes back begins a new stretch of its own, whoever says it elsewhere.
//! - What a model reads is known of texts that were current at a run, or of every version that was had if it is shown
//!   history; what rules read, of every version that was had.
//! - What was replaced ended when the new value began, by the day its text names or else its version's. (First reading:
//!   always its version's, so that `B since March`, written in May, left both true until May.)
//! - While a live text says a fact, only live texts date it; where they name no day, it holds since any page first
//!   said it. Without one, what replaced it tells the end; else it is *expired* since the last text went.
//! - A saying begins on the day its text names, else when its page began to say it: an edit elsewhere on the page says
//!   nothing again.
//! - An end that a text names counts unless it is before the beginning that a text names: `until February`, written in
//!   March, says that it is over. (First reading, of what is said again after a contradiction: the day on which it was
//!   written was a beginning like one that is named, and brought the fact to life for ever.)
//! - Of two live facts that were found to contradict each other, the one that began later ends the other; what ended
//!   and is said again after that begins again. (First reading: what is not said any more could still be ended. But a
//!   closing stands on live texts on both its sides.)
//!   They do where one began before the other and was not over by then, and a model has read both: by what is said now
//!   or, on the wiki's clock, by what was said then. (First reading: where both were live at the end of a run. But what
//!   the wiki said on a day does not hang on when the job ran.)
//! - Where no date of the world is asked about, it is now, or the day of the wiki that is asked about.
//! - A page that comes back is as if it had never been away: its versions tell, and they know of no gap.

use super::history::{Fact, Page, Relation, Statement, Wiki};
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

/// A fact, and how often its page had replaced it before.
type Turn = (Fact, usize);

/// A text of a page says a fact.
#[derive(Clone, Debug)]
struct Saying {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The day of the first version that has the text; none where the source gives no dates.
    from: Option<Timestamp>,
    /// Since when the page says so, in this text or those before it.
    told: Option<Timestamp>,
    /// When the page stopped, and the day on which the value that took its place begins.
    end: Option<(Timestamp, Standing)>,
    replaced: Option<Timestamp>,
    /// A model was shown the text.
    read: bool,
}

impl Saying {
    fn begins(&self) -> Option<Timestamp> {
        self.since.or(self.told)
    }

    fn is_live(&self) -> bool {
        self.end.is_none()
    }
}

type Sayings = BTreeMap<Turn, Vec<Saying>>;

/// All that is known after a run of what the wiki said by a date.
#[derive(Debug)]
pub struct Known {
    sayings: Sayings,
    /// Facts that contradict each other, both ways round.
    found: BTreeSet<(Turn, Turn)>,
}

impl Known {
    /// What the wiki said by a date (or by the run itself), as it is known after a run.
    pub fn after(wiki: &Wiki, run: usize, by: Option<Timestamp>) -> Known {
        let mut sayings = all_said(wiki, run);
        let is_read = |(_, said): &(&Turn, &Vec<Saying>)| wiki.asked && said.iter().any(|saying| saying.read);
        let read: BTreeSet<Turn> = sayings.iter().filter(is_read).map(|(turn, _)| turn.clone()).collect();
        if let Some(by) = by {
            for said in sayings.values_mut() {
                said.retain(|saying| saying.from.is_none_or(|from| from <= by));
                for saying in said.iter_mut().filter(|saying| saying.end.is_some_and(|(at, _)| at > by)) {
                    (saying.end, saying.replaced) = (None, None);
                }
            }
            sayings.retain(|_, said| !said.is_empty());
        }
        let found = contradictions(&sayings, &read);
        Known { sayings, found }
    }

    /// All facts that were ever said.
    pub fn facts(&self) -> BTreeSet<&Fact> {
        self.sayings.keys().map(|(fact, _)| fact).collect()
    }

    /// What a fact was in the world at a date; none before it began.
    pub fn standing(&self, fact: &Fact, at: Timestamp) -> Option<Standing> {
        let turns = self.sayings.range((fact.clone(), 0)..).take_while(|((of, _), _)| of == fact);
        let standings: Vec<Standing> =
            turns.filter_map(|(turn, said)| standing(&self.stretches(turn, said), at)).collect();
        let live = standings.contains(&Standing::Live).then_some(Standing::Live);
        live.or(standings.last().copied())
    }

    /// When a fact held, and how each stretch ended.
    fn stretches(&self, turn: &Turn, said: &[Saying]) -> Vec<Stretch> {
        let first_said = said.iter().filter_map(|saying| saying.from).min();
        let live: Vec<&Saying> = said.iter().filter(|saying| saying.is_live()).collect();
        if live.is_empty() {
            return vec![over(said, first_said)];
        }
        let rivals = self.rivals(turn);
        // Texts that one contradiction ends tell of one stretch; those that none ends, of the last.
        let mut told: BTreeMap<Option<Timestamp>, Vec<&Saying>> = BTreeMap::new();
        for saying in &live {
            let begins = saying.begins();
            let ends = rivals.iter().find(|rival| begins.is_some_and(|begins| **rival > begins));
            told.entry(ends.copied()).or_default().push(saying);
        }
        let last = told.remove(&None);
        let mut stretches = Vec::new();
        for (rival, said) in told.into_iter().chain(last.map(|said| (None, said))) {
            let named = said.iter().filter_map(|saying| saying.since).min();
            let again = said.iter().filter_map(|saying| saying.begins()).min();
            let begins = if stretches.is_empty() { named.or(first_said) } else { again };
            let own = end_after(named, said.iter().filter_map(|said| said.until));
            let end = own.into_iter().chain(rival).min().map(|end| (end, Standing::Invalid));
            stretches.push(Stretch { begins, end });
        }
        stretches
    }

    /// What contradicts a fact and is said by a live text: when it begins.
    fn rivals(&self, turn: &Turn) -> BTreeSet<Timestamp> {
        let others =
            self.sayings.iter().filter(|(other, _)| self.found.contains(&(turn.clone(), (*other).clone())));
        let live = others.flat_map(|(_, said)| said).filter(|saying| saying.is_live());
        live.filter_map(Saying::begins).collect()
    }
}

fn standing(stretches: &[Stretch], at: Timestamp) -> Option<Standing> {
    let begun = stretches.iter().rev().find(|stretch| stretch.begins.is_none_or(|begins| begins <= at))?;
    Some(begun.end.filter(|(end, _)| *end <= at).map_or(Standing::Live, |(_, how)| how))
}

/// The earliest end that is not before the beginning.
fn end_after(begins: Option<Timestamp>, ends: impl Iterator<Item = Timestamp>) -> Option<Timestamp> {
    ends.filter(|end| begins.is_none_or(|begins| *end >= begins)).min()
}

/// How a fact ended that no text says any more.
fn over(said: &[Saying], first_said: Option<Timestamp>) -> Stretch {
    let replaced: Vec<&Saying> =
        said.iter().filter(|saying| matches!(saying.end, Some((_, Standing::Invalid)))).collect();
    let mine: Vec<&Saying> = if replaced.is_empty() { said.iter().collect() } else { replaced.clone() };
    let named = mine.iter().filter_map(|saying| saying.since).min();
    let ends = mine.iter().filter_map(|saying| saying.until.into_iter().chain(saying.replaced).min());
    let invalid = end_after(named, ends).map(|end| (end, Standing::Invalid));
    let gone = said.iter().filter_map(|saying| saying.end).map(|(at, _)| at).max();
    let expired =
        gone.filter(|_| replaced.is_empty() || invalid.is_none()).map(|end| (end, Standing::Expired));
    Stretch { begins: named.or(first_said), end: invalid.into_iter().chain(expired).min() }
}

/// The pairs of live facts that contradict each other, of those that a model has read.
fn contradictions(sayings: &Sayings, read: &BTreeSet<Turn>) -> BTreeSet<(Turn, Turn)> {
    let owners = || sayings.iter().filter(|(turn, _)| turn.0.1 == Relation::OwnedBy && read.contains(turn));
    let before = |one: &Saying, other: &Saying| {
        one.begins() < other.begins() && one.until.is_none_or(|until| Some(until) > other.begins())
    };
    let pairs = owners().flat_map(|one| owners().map(move |other| (one, other)));
    let rivals = pairs.filter(|(one, other)| one.0.0.0 == other.0.0.0 && one.0.0.2 != other.0.0.2);
    let contradict = rivals.filter(|((_, said), (_, against))| {
        let (said, against) = (live(said), live(against));
        said.iter().any(|one| against.iter().any(|other| before(one, other) || before(other, one)))
    });
    contradict.map(|((one, _), (other, _))| (one.clone(), other.clone())).collect()
}

fn live(said: &[Saying]) -> Vec<&Saying> {
    said.iter().filter(|saying| saying.is_live()).collect()
}

/// All that pages say and said, as known after a run.
fn all_said(wiki: &Wiki, run: usize) -> Sayings {
    let mut all = Sayings::new();
    for page in &wiki.pages {
        if let Some(had) = Had::after(page, wiki, run) {
            had.add_to(&mut all);
        }
    }
    all
}

/// What was had of a page by a run.
struct Had<'a> {
    /// The versions: their day, where known, when they were first had, and what is read in them.
    versions: Vec<(Option<Timestamp>, Timestamp, Vec<&'a Statement>)>,
    bodies: Vec<String>,
    /// The bodies that a model is shown, if one is asked.
    read: BTreeSet<String>,
    /// When it was found to be gone.
    gone: Option<Timestamp>,
}

impl<'a> Had<'a> {
    fn after(page: &'a Page, wiki: &Wiki, run: usize) -> Option<Self> {
        let runs = &wiki.runs;
        let seen = page.seen.iter().take(run + 1).enumerate();
        let seen: Vec<(usize, usize)> = seen.filter_map(|(run, seen)| Some((run, (*seen)?))).collect();
        let (last_run, newest) = seen.last().copied()?;
        let current: BTreeSet<usize> = seen.iter().map(|(_, written)| written - 1).collect();
        let had: Vec<usize> = (0..newest).filter(|at| page.told || current.contains(at)).collect();
        let shown = had.iter().filter(|at| wiki.history || current.contains(at));
        let read: BTreeSet<String> = shown.map(|at| page.versions[*at].body()).collect();
        let bodies: Vec<String> = had.iter().map(|at| page.versions[*at].body()).collect();
        let version = |at: &usize| {
            let version = &page.versions[*at];
            let first = seen.iter().find(|(_, written)| written > at).map_or(last_run, |(run, _)| *run);
            let says = version.says.iter().filter(|said| !said.odd || read.contains(&version.body()));
            (page.dated.then_some(version.at), runs[first], says.collect())
        };
        let gone = runs.get(last_run + 1).copied().filter(|_| last_run < run);
        Some(Had { versions: had.iter().map(version).collect(), bodies, read, gone })
    }

    /// Adds what the page says of every fact.
    fn add_to(&self, all: &mut Sayings) {
        let facts: BTreeSet<&Fact> =
            self.versions.iter().flat_map(|(.., says)| says).map(|said| &said.fact).collect();
        for fact in facts {
            for (turn, (versions, next)) in self.turns(fact).into_iter().enumerate() {
                let said = self.said(fact, &versions, next);
                all.entry((fact.clone(), turn)).or_default().extend(said);
            }
        }
    }

    /// The values that a version gives of what a fact is about.
    fn values(&self, at: usize, fact: &Fact) -> BTreeSet<&'a str> {
        let mine = |said: &&&Statement| (&said.fact.0, said.fact.1) == (&fact.0, fact.1);
        self.versions[at].2.iter().filter(mine).map(|said| &*said.fact.2).collect()
    }

    /// The versions that say a fact, apart where another value stood alone in between; with each, the version that
    /// replaced it.
    fn turns(&self, fact: &Fact) -> Vec<(Vec<usize>, Option<usize>)> {
        let mut turns: Vec<(Vec<usize>, Option<usize>)> = Vec::new();
        let mut shut = true;
        for at in 0..self.versions.len() {
            let values = self.values(at, fact);
            let says = values.contains(&*fact.2);
            if says && shut {
                turns.push((Vec::new(), None));
            }
            let Some((versions, next)) = turns.last_mut() else { continue };
            if says {
                shut = false;
                versions.push(at);
            } else if fact.1 == Relation::OwnedBy && values.len() == 1 {
                let alone = at > 0 && self.values(at - 1, fact) == BTreeSet::from([&*fact.2]);
                if alone {
                    *next = Some(at);
                }
                shut = true;
            }
        }
        turns
    }

    /// What the texts of a turn say.
    fn said(&self, fact: &Fact, versions: &[usize], next: Option<usize>) -> Vec<Saying> {
        let texts: BTreeSet<&String> = versions.iter().map(|at| &self.bodies[*at]).collect();
        let mut found: Vec<(usize, usize, Saying)> = Vec::new();
        for text in texts {
            let with: Vec<usize> = versions.iter().copied().filter(|at| self.bodies[*at] == *text).collect();
            let (Some(first), Some(last)) = (with.first().copied(), with.last().copied()) else { continue };
            let Some(said) = self.versions[first].2.iter().find(|said| said.fact == *fact) else { continue };
            let replaced = next.filter(|next| *next == last + 1);
            let how = if replaced.is_some() { Standing::Invalid } else { Standing::Expired };
            let after = self.versions.get(last + 1).map(|(at, had, _)| at.unwrap_or(*had));
            let from = self.versions[first].0;
            let (since, until) = (said.since, said.until);
            let start = since.or_else(|| self.took_over(fact, versions));
            found.push((
                first,
                last,
                Saying {
                    since,
                    until,
                    from,
                    told: from,
                    end: after.or(self.gone).map(|at| (at, how)),
                    read: self.read.contains(text),
                    replaced: replaced.and_then(|next| self.successor((next, fact), start)),
                },
            ));
        }
        found.sort_by_key(|(first, ..)| *first);
        // A text that takes the place of another one that says the same goes on with what that one said.
        for at in 0..found.len() {
            let first = found[at].0;
            let before = found[..at].iter().filter(|(_, last, _)| last + 1 == first);
            let told = before.filter_map(|(.., saying)| saying.told).min();
            found[at].2.told = told.or(found[at].2.told);
        }
        found.into_iter().map(|(.., saying)| saying).collect()
    }

    /// The day on which a turn began by taking another value's place.
    fn took_over(&self, fact: &Fact, versions: &[usize]) -> Option<Timestamp> {
        let first = *versions.first()?;
        let before = first.checked_sub(1).map(|before| self.values(before, fact))?;
        let replaces =
            fact.1 == Relation::OwnedBy && before.len() == 1 && self.values(first, fact).len() == 1;
        self.versions[first].0.filter(|_| replaces)
    }

    /// Since when the value that replaced a fact is true: a day before the fact itself began is no such day.
    fn successor(&self, (next, fact): (usize, &Fact), start: Option<Timestamp>) -> Option<Timestamp> {
        let (written, _, says) = &self.versions[next];
        let mine = says.iter().filter(|said| (&said.fact.0, said.fact.1) == (&fact.0, fact.1));
        let named = mine.filter_map(|said| said.since).min();
        named.filter(|named| start.is_none_or(|start| *named > start)).or(*written)
    }
}
