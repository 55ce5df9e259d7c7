//! Pages that are written, changed, taken back, deleted and restored, and the runs that look at them in between. All
//! follows from the seed. It must not know what anybody makes of a page.

use crate::rng::Rng;
use knowledge::time::{Timestamp, parse};
use std::collections::BTreeSet;

/// What a seed is: pages with all their versions, and when they were looked at.
#[derive(Clone, Debug)]
pub struct Wiki {
    /// A model is asked; otherwise rules alone read, and nobody judges whether two pages contradict each other.
    pub asked: bool,
    /// The model is shown the versions before the current one as well.
    pub history: bool,
    /// The pages.
    pub pages: Vec<Page>,
    /// When the job ran.
    pub runs: Vec<Timestamp>,
    /// Pages of an epoch, so that facts meet in one epoch, in two of one run, and across runs.
    pub epoch_pages: u32,
}

/// A page with its history. What was written before a run is there for that run, unless the page was away.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page.
    pub id: String,
    /// Its space.
    pub space: &'static str,
    /// The source gives older versions.
    pub told: bool,
    /// The source gives dates.
    pub dated: bool,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// For each run, how many of the versions were written by then; none when the page was not there.
    pub seen: Vec<Option<usize>>,
}

/// A page at one version.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub says: Vec<Statement>,
    /// A line that says nothing, and is changed when somebody edits elsewhere on the page.
    pub note: u32,
}

/// The relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// One at a time.
    OwnedBy,
    /// Any number.
    DependsOn,
}

/// Subject, relation, object: what makes a fact.
pub type Fact = (String, Relation, String);

/// One sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it says.
    pub fact: Fact,
    /// Since when, as the text says.
    pub since: Option<Timestamp>,
    /// Until when, as the text says.
    pub until: Option<Timestamp>,
    /// In words that no rule reads and a model does.
    pub odd: bool,
}

impl Relation {
    /// As the graph calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OwnedBy => "owned_by",
            Self::DependsOn => "depends_on",
        }
    }
}

/// A day as it is written.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

impl Statement {
    /// The sentence.
    pub fn sentence(&self) -> String {
        let (subject, relation, object) = &self.fact;
        let mut words = match (relation, self.odd) {
            (Relation::OwnedBy, false) => format!("{subject} is owned by {object}"),
            (Relation::OwnedBy, true) => format!("Nobody but {object} may answer for {subject}"),
            (Relation::DependsOn, false) => format!("{subject} depends on {object}"),
            (Relation::DependsOn, true) => format!("Without {object}, little would be left of {subject}"),
        };
        if let Some(since) = self.since {
            words.push_str(&format!(" since {}", day(since)));
        }
        if let Some(until) = self.until {
            words.push_str(&format!(" until {}", day(until)));
        }
        words + "."
    }

    /// What a sentence says, as somebody reads it who knows these four forms.
    pub fn read(sentence: &str) -> Option<Statement> {
        let rest = sentence.strip_suffix('.')?;
        let (rest, until) = dated(rest, " until ")?;
        let (rest, since) = dated(rest, " since ")?;
        let plain = |relation, (subject, object): (&str, &str), odd| {
            let fact = (subject.to_owned(), relation, object.to_owned());
            Some(Statement { fact, since, until, odd })
        };
        if let Some(ends) = rest.split_once(" is owned by ") {
            return plain(Relation::OwnedBy, ends, false);
        }
        if let Some(ends) = rest.split_once(" depends on ") {
            return plain(Relation::DependsOn, ends, false);
        }
        if let Some(ends) = rest.strip_prefix("Nobody but ") {
            let (object, subject) = ends.split_once(" may answer for ")?;
            return plain(Relation::OwnedBy, (subject, object), true);
        }
        let (object, subject) = rest.strip_prefix("Without ")?.split_once(", little would be left of ")?;
        plain(Relation::DependsOn, (subject, object), true)
    }
}

/// A text without the date behind a word, and the date.
fn dated<'a>(text: &'a str, word: &str) -> Option<(&'a str, Option<Timestamp>)> {
    match text.rsplit_once(word) {
        Some((rest, date)) => Some((rest, Some(parse(date)?))),
        None => Some((text, None)),
    }
}

impl Version {
    /// The body in storage format.
    pub fn body(&self) -> String {
        let lines = self.says.iter().map(|said| format!("<p>{}</p>", said.sentence()));
        lines.chain([format!("<p>Revision mark {}.</p>", self.note)]).collect()
    }
}

const SPACES: [&str; 3] = ["OPS", "PAY", "DEV"];
/// Services by space: a name that two spaces share may be two things, which is another matter.
const SERVICES: [[&str; 3]; 3] = [
    ["Ledger Gateway", "Orders Worker", "Catalog Proxy"],
    ["Billing Relay", "Pricing Engine", "Refund Desk"],
    ["Audit Trail", "Shipping Planner", "Identity Vault"],
];
const TEAMS: [&str; 6] =
    ["Checkout Team", "Platform Team", "Harbour Crew", "Risk Office", "Growth Guild", "Night Watch"];
const NEEDED: [&str; 5] = ["Message Broker", "Cold Storage", "Metrics Lake", "Session Cache", "Secrets Safe"];

/// The first day of every history.
const FIRST: i64 = 1_704_067_200; // 2024-01-01
const DAY: i64 = 86_400;

struct Writing {
    rng: Rng,
    asked: bool,
    /// Seconds since the epoch, always noon of a day.
    now: i64,
    /// Days that a text names, so that no two dates of different meaning fall together.
    taken: BTreeSet<i64>,
    next_page: u32,
}

impl Wiki {
    /// The wiki of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "truth");
        let asked = rng.chance(70);
        let epoch_pages = *rng.pick(&[1, 2, 3, 64]);
        let history = Rng::new(seed, "history").chance(40);
        let mut writing =
            Writing { rng, asked, now: FIRST + DAY / 2, taken: BTreeSet::new(), next_page: 100 };
        let (mut pages, mut runs) = (Vec::new(), Vec::new());
        let last = writing.rng.between(2, 5);
        for run in 0..last {
            let least = if run == 0 { 6 } else { 1 };
            for _ in 0..writing.rng.between(least, 8) {
                writing.happen(&mut pages, run);
            }
            runs.push(writing.look(&mut pages, run));
        }
        pages.iter_mut().for_each(|page| page.seen.truncate(last));
        Wiki { asked, history, pages, runs, epoch_pages }
    }

    /// Every date on which anything changes: versions, runs, and dates in texts.
    pub fn dates(&self) -> BTreeSet<Timestamp> {
        let versions = || self.pages.iter().flat_map(|page| &page.versions);
        let said = versions().flat_map(|version| &version.says);
        let in_texts = said.flat_map(|said| said.since.into_iter().chain(said.until));
        versions().map(|version| version.at).chain(in_texts).chain(self.runs.iter().copied()).collect()
    }
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

impl Writing {
    /// Time passes; nothing else happens on the same day. Pages are written on even days and texts name odd ones: what
    /// begins on one day is nobody's to order.
    fn pass(&mut self) -> Timestamp {
        self.now += DAY * 2 * self.rng.between(1, 4) as i64;
        moment(self.now)
    }

    /// A midnight so many days around now that no text has named yet.
    fn date(&mut self, (before, after): (i64, i64)) -> Timestamp {
        let first = (self.now - DAY / 2) / DAY - before;
        let drawn = first + self.rng.below((before + after + 1) as usize) as i64;
        let odd = drawn + (drawn - FIRST / DAY + 1) % 2;
        let free = (odd..).step_by(2).find(|day| !self.taken.contains(day)).unwrap_or(odd);
        self.taken.insert(free);
        moment(free * DAY)
    }

    /// The job runs: in the evening of a day on which nobody writes.
    fn look(&mut self, pages: &mut [Page], run: usize) -> Timestamp {
        self.now += DAY * 2;
        for page in pages.iter_mut() {
            let there = page.seen.len() == run;
            if there {
                page.seen.push(Some(page.versions.len()));
            }
        }
        moment(self.now + DAY / 4)
    }

    /// Something happens to the wiki between two runs.
    fn happen(&mut self, pages: &mut Vec<Page>, run: usize) {
        let at = self.pass();
        // Who is away has its `seen` of this run already.
        let there: Vec<usize> = (0..pages.len()).filter(|place| pages[*place].seen.len() == run).collect();
        if there.len() < 3 || self.rng.chance(25) {
            let page = self.page(at, run);
            pages.push(page);
            return;
        }
        let page = &mut pages[*self.rng.pick(&there)];
        // Deleted; after a run or two it comes back as it was, if the history is that long.
        if page.seen.last().is_some_and(Option::is_some) && self.rng.chance(10) {
            let runs = self.rng.between(1, 3);
            page.seen.extend(vec![None; runs]);
            return;
        }
        let Some(last) = page.versions.last().cloned() else { return };
        let older = self.rng.pick(&page.versions).clone();
        let mut next = Version { at, ..last.clone() };
        let services = services(page.space);
        match self.rng.weighted(&[20, 10, 12, 10, 8, 8, 8, 8, 8]) {
            0 => self.change(&mut next, false),
            // Somebody puts an older version back, or takes a slip of the pen back, letter by letter.
            1 => next = Version { at, ..older },
            2 if page.dated => self.slip(&mut next),
            3 => {
                if !next.says.is_empty() {
                    let gone = self.rng.below(next.says.len());
                    next.says.remove(gone);
                }
            }
            4 => self.add(&mut next, services, page.dated),
            5 => next.note += 1,
            6 if page.dated => self.redate(&mut next),
            7 if page.dated => self.hand_over(&mut next),
            _ => self.change(&mut next, page.dated),
        }
        if (&next.says, next.note) == (&last.says, last.note) {
            next.note += 1;
        }
        page.versions.push(next);
    }

    fn page(&mut self, at: Timestamp, run: usize) -> Page {
        let at_space = self.rng.below(SPACES.len());
        let (told, dated) = (self.rng.chance(70), self.rng.chance(85));
        let mut first = Version { at, says: Vec::new(), note: 1 };
        for _ in 0..self.rng.between(1, 3) {
            self.add(&mut first, &SERVICES[at_space], dated);
        }
        let id = self.next_page.to_string();
        self.next_page += 1;
        // A page that was not there at earlier runs.
        let seen = vec![None; run];
        Page { id, space: SPACES[at_space], told, dated, versions: vec![first], seen }
    }

    /// One more sentence; of a service's owner there is one sentence on a page.
    fn add(&mut self, version: &mut Version, services: &[&str], dated: bool) {
        let subject = (*self.rng.pick(services)).to_owned();
        // What nobody dates cannot say which of two owners came later.
        let owned = dated && self.rng.chance(60);
        let (relation, object) = match owned {
            true => (Relation::OwnedBy, *self.rng.pick(&TEAMS)),
            false => (Relation::DependsOn, *self.rng.pick(&NEEDED)),
        };
        let same = |said: &Statement| {
            said.fact.0 == subject
                && said.fact.1 == relation
                && (relation == Relation::OwnedBy || said.fact.2 == object)
        };
        if version.says.iter().any(same) {
            return;
        }
        let since = (dated && self.rng.chance(25)).then(|| self.date((60, 10)));
        let odd = self.asked && self.rng.chance(30);
        version.says.push(Statement {
            fact: (subject, relation, object.to_owned()),
            since,
            until: None,
            odd,
        });
    }

    /// Another owner, or something else that is needed.
    fn change(&mut self, version: &mut Version, dated: bool) {
        if version.says.is_empty() {
            return;
        }
        let place = self.rng.below(version.says.len());
        let (subject, relation, _) = version.says[place].fact.clone();
        let object = match relation {
            Relation::OwnedBy => *self.rng.pick(&TEAMS),
            Relation::DependsOn => *self.rng.pick(&NEEDED),
        };
        let fact = (subject, relation, object.to_owned());
        if version.says.iter().any(|said| said.fact == fact) {
            return;
        }
        let since = (dated && self.rng.chance(40)).then(|| self.date((20, 10)));
        // One sentence for the two of a hand-over.
        version.says.retain(|said| {
            relation != Relation::OwnedBy || (&said.fact.0, said.fact.1) != (&fact.0, relation)
        });
        if relation == Relation::DependsOn {
            version.says.remove(place);
        }
        let odd = self.asked && self.rng.chance(30);
        version.says.push(Statement { fact, since, until: None, odd });
    }

    /// A slip of the pen in a name; `1` in `happen` may take it back.
    fn slip(&mut self, version: &mut Version) {
        if version.says.is_empty() {
            return;
        }
        let place = self.rng.below(version.says.len());
        let object = &mut version.says[place].fact.2;
        let mut letters: Vec<char> = object.chars().collect();
        letters.swap(2, 3);
        *object = letters.into_iter().collect();
    }

    /// A date is added, changed or left out.
    fn redate(&mut self, version: &mut Version) {
        if version.says.is_empty() {
            return;
        }
        let place = self.rng.below(version.says.len());
        let since = self.rng.chance(70).then(|| self.date((60, 10)));
        let until = self.rng.chance(30).then(|| self.date((-5, 40)));
        let said = &mut version.says[place];
        said.since = since;
        said.until = until.filter(|until| since.is_none_or(|since| since < *until));
    }

    /// `A until the day, B since the day`.
    fn hand_over(&mut self, version: &mut Version) {
        let Some(place) = version.says.iter().position(|said| said.fact.1 == Relation::OwnedBy) else {
            return;
        };
        let date = self.date((20, 20));
        let object = *self.rng.pick(&TEAMS);
        let before = &mut version.says[place];
        let subject = before.fact.0.clone();
        if before.fact.2 == object
            || before.until.is_some()
            || before.since.is_some_and(|since| since >= date)
        {
            return;
        }
        before.until = Some(date);
        let odd = before.odd;
        let fact = (subject, Relation::OwnedBy, object.to_owned());
        version.says.push(Statement { fact, since: Some(date), until: None, odd });
    }
}

fn services(space: &str) -> &'static [&'static str] {
    let at = SPACES.iter().position(|known| *known == space).unwrap_or_default();
    &SERVICES[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_what_it_was_made_from() {
        for seed in 0..200 {
            for page in Wiki::new(seed).pages {
                for said in page.versions.iter().flat_map(|version| &version.says) {
                    assert_eq!(Statement::read(&said.sentence()).as_ref(), Some(said));
                }
            }
        }
    }

    #[test]
    fn everything_that_can_happen_happens_within_a_hundred_seeds() {
        let wikis: Vec<Wiki> = (0..100).map(Wiki::new).collect();
        let pages = || wikis.iter().flat_map(|wiki| &wiki.pages);
        let later = |page: &&Page, there: fn(&Option<usize>) -> bool| {
            page.seen.iter().skip_while(|seen| seen.is_none()).any(there)
        };
        assert!(pages().any(|page| later(&page, Option::is_none)), "deleted");
        let back = |page: &&Page| {
            let found = page.seen.iter().skip_while(|seen| seen.is_none()).skip_while(|seen| seen.is_some());
            found.flatten().next().is_some()
        };
        assert!(pages().any(|page| back(&page)), "comes back");
        assert!(pages().any(|page| !page.told) && pages().any(|page| !page.dated));
        let says_again = |page: &&Page| {
            page.versions
                .windows(3)
                .any(|three| three[0].says == three[2].says && three[0].says != three[1].says)
        };
        assert!(pages().any(|page| says_again(&page)), "taken back");
        let said = || pages().flat_map(|page| &page.versions).flat_map(|version| &version.says);
        assert!(
            said().any(|said| said.until.is_some()) && said().any(|said| said.odd),
            "dates and odd words"
        );
    }
}
