//! A wiki that is not there: pages over a few days, each day with edits, moves, renames, deletions, restored
//! pages, renamed people and changed restrictions. All of it follows from a seed; it must not know who reads
//! it, or when.

use crate::body::Body;
use crate::rng::Rng;
use jiff::Timestamp;
use knowledge::audience::{Layer, LayerId, Rule};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{Above, Attachment, BodyFormat, PageKind, PageRef, Person, RawPage, Space};
use std::collections::BTreeMap;

/// What a whole life sees, a day at a time.
#[derive(Clone, Debug)]
pub struct Wiki {
    /// The days in order; there is at least one.
    pub days: Vec<Day>,
    /// Every change makes a new version and no page changes its space, so that what was received on the way
    /// is all there is to know: such a wiki gives the same graph when it is read again from what is kept.
    pub strict: bool,
}

/// The wiki as it stands on one day.
#[derive(Clone, Debug, Default)]
pub struct Day {
    /// Everyone with an account.
    pub people: Vec<Person>,
    /// The spaces.
    pub spaces: Vec<Space>,
    /// Restrictions to view.
    pub layers: Vec<Layer>,
    /// The pages a listing shows.
    pub pages: BTreeMap<PageId, Page>,
}

/// A page with its history.
#[derive(Clone, Debug)]
pub struct Page {
    id: PageId,
    space: SpaceKey,
    kind: PageKind,
    /// Oldest first; the last is the current one.
    drafts: Vec<Draft>,
    body: Body,
    labels: Vec<String>,
    attachments: Vec<Attachment>,
    /// The source counts versions; otherwise the page is like a file.
    counted: bool,
    /// The source gives older versions.
    history: bool,
    /// The source knows dates.
    dated: bool,
    /// Listed, but every attempt to read it finds it gone.
    vanishing: bool,
}

/// A page at one version.
#[derive(Clone, Debug)]
struct Draft {
    version: u32,
    title: String,
    body: String,
    parent: Option<PageId>,
    modified: Timestamp,
    editor: PersonKey,
    /// The source refuses to give this version, for good.
    refused: bool,
}

/// What a source answers when a page is fetched.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The page.
    Page(Box<RawPage>),
    /// It is not there any more.
    Gone,
    /// It cannot be had.
    Refused,
}

/// Titles that several pages of different spaces have, and some that only one has.
const TITLES: [&str; 14] = [
    "Overview",
    "API",
    "Runbook",
    "Ledger Service",
    "ledger-service",
    "Billing DB",
    "Auth Gateway",
    "Payments",
    "Meeting notes",
    "Report Writer",
    "Glossary",
    "On call",
    "Search index",
    "Mail relay",
];
const PEOPLE: [&str; 5] = ["Anna Berg", "Jo Lind", "Ana Berg", "Sam Okoye", "Team Blue"];
const LABELS: [&str; 4] = ["runbook", "payments", "draft", "ledger-service"];

/// Midnight of the first day of every life, 2026-01-01.
const FIRST_DAY: i64 = 1_767_225_600;

/// A moment of a life, in seconds after its first midnight.
pub fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(FIRST_DAY + seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How a wiki is made, besides its pages.
struct Making {
    rng: Rng,
    day: i64,
    minute: i64,
    next_page: u32,
    /// See `Wiki`.
    strict: bool,
}

impl Wiki {
    /// The wiki of a seed, with so many pages at first.
    pub fn new(seed: u64, (least, most): (usize, usize)) -> Self {
        let mut rng = Rng::new(seed, "wiki");
        let days = rng.between(1, 4);
        // Small wikis are more frequent, since they find as much in less time.
        let more = most + 1 - least;
        let pages = least + rng.below(more).min(rng.below(more));
        let strict = rng.chance(50);
        let mut making = Making { rng, day: 0, minute: 0, next_page: 100, strict };
        let mut today = making.first_day(pages);
        let mut away = BTreeMap::new();
        let mut wiki = Wiki { days: vec![today.clone()], strict };
        for day in 1..days {
            making.day = day as i64;
            making.minute = 0;
            making.pass_a_day(&mut today, &mut away);
            wiki.days.push(today.clone());
        }
        wiki
    }
}

impl Making {
    fn first_day(&mut self, pages: usize) -> Day {
        let person = |name: &&str| Person {
            key: PersonKey::new(format!("key-{}", name.to_lowercase().replace(' ', "-"))),
            name: (*name).to_owned(),
            also: Vec::new(),
        };
        let space = |key: &str| Space { key: SpaceKey::new(key), name: format!("{key} space") };
        let mut day = Day {
            people: PEOPLE.iter().map(person).collect(),
            spaces: ["OPS", "PAY", "DEV"][..self.rng.between(1, 3)].iter().map(|key| space(key)).collect(),
            ..Day::default()
        };
        for _ in 0..pages {
            self.add_page(&mut day);
        }
        day
    }

    fn add_page(&mut self, day: &mut Day) {
        let id = PageId::new(self.next_page.to_string());
        self.next_page += 1;
        let on = day.pages.values().find(|page| page.kind == PageKind::Page).map(|page| page.id.clone());
        let kind = match (self.rng.below(12), on) {
            (0, _) => PageKind::BlogPost,
            (1, Some(on)) => PageKind::Comment { on, quoted: None },
            _ => PageKind::Page,
        };
        let counted = self.rng.chance(85);
        let mut page = Page {
            id: id.clone(),
            space: self.rng.pick(&day.spaces).key.clone(),
            kind,
            drafts: Vec::new(),
            body: Body::new(&mut self.rng, &titles(day)),
            labels: Vec::new(),
            attachments: Vec::new(),
            counted,
            history: counted && self.rng.chance(80),
            dated: self.rng.chance(85),
            vanishing: false,
        };
        let title = self.rng.pick(&TITLES).to_string();
        let parent = self.parent(day, &page);
        self.write(day, &mut page, (title, parent));
        for _ in 0..self.rng.below(4) {
            self.edit(day, &mut page);
        }
        page.vanishing = self.rng.chance(2);
        day.pages.insert(id, page);
    }

    fn parent(&mut self, day: &Day, page: &Page) -> Option<PageId> {
        let older: Vec<&PageId> = day
            .pages
            .values()
            .filter(|other| other.space == page.space && other.id < page.id)
            .map(|p| &p.id)
            .collect();
        (!older.is_empty() && self.rng.chance(60)).then(|| (*self.rng.pick(&older)).clone())
    }

    /// Adds a version.
    fn write(&mut self, day: &Day, page: &mut Page, (title, parent): (String, Option<PageId>)) {
        self.minute += 1;
        let people: Vec<String> = day.people.iter().map(|person| person.key.to_string()).collect();
        let version =
            page.drafts.last().map_or(1, |draft| draft.version + 1 + u32::from(self.rng.chance(10)));
        page.drafts.push(Draft {
            version,
            title,
            body: page.body.storage(&people),
            parent,
            modified: moment(self.day * 86_400 + self.minute * 60),
            editor: self.rng.pick(&day.people).key.clone(),
            refused: self.rng.chance(3),
        });
    }

    /// The same title and parent again, which a new version keeps unless it renames or moves.
    fn standing(page: &Page) -> (String, Option<PageId>) {
        page.drafts.last().map(|draft| (draft.title.clone(), draft.parent.clone())).unwrap_or_default()
    }

    fn edit(&mut self, day: &Day, page: &mut Page) {
        for _ in 0..self.rng.between(1, 2) {
            page.body.edit(&mut self.rng, &titles(day));
        }
        self.write(day, page, Self::standing(page));
    }

    /// What a day brings.
    fn pass_a_day(&mut self, day: &mut Day, away: &mut BTreeMap<PageId, Page>) {
        let ids: Vec<PageId> = day.pages.keys().cloned().collect();
        for id in ids {
            let Some(mut page) = day.pages.remove(&id) else { continue };
            page.vanishing = self.rng.chance(1);
            if self.change(day, &mut page) {
                day.pages.insert(id, page);
            } else {
                away.insert(id, page);
            }
        }
        let back: Vec<PageId> = away.keys().filter(|_| self.rng.chance(40)).cloned().collect();
        for id in back {
            day.pages.extend(away.remove(&id).map(|page| (id, page)));
        }
        for _ in 0..self.rng.below(5) {
            self.add_page(day);
        }
        self.restrict(day);
        if self.rng.chance(40) {
            let who = self.rng.below(day.people.len());
            day.people[who].name = format!("{} {}", PEOPLE[who], self.day + 1);
        }
    }

    /// Changes a page, or not; false when it is deleted.
    fn change(&mut self, day: &Day, page: &mut Page) -> bool {
        match self.rng.below(20) {
            0 | 1 => return false,
            2..=6 => {
                for _ in 0..self.rng.between(1, 3) {
                    self.edit(day, page);
                }
            }
            7 => {
                let title = self.rng.pick(&TITLES).to_string();
                self.write(day, page, (title, Self::standing(page).1));
            }
            8 => {
                let parent = self.parent(day, page);
                self.write(day, page, (Self::standing(page).0, parent));
            }
            9 if !self.strict => self.move_to_another_space(day, page),
            10 | 11 => self.label(day, page),
            12 => self.revert(page),
            _ => {}
        }
        true
    }

    fn move_to_another_space(&mut self, day: &Day, page: &mut Page) {
        page.space = self.rng.pick(&day.spaces).key.clone();
        self.write(day, page, (Self::standing(page).0, None));
    }

    fn label(&mut self, day: &Day, page: &mut Page) {
        page.labels =
            LABELS.iter().filter(|_| self.rng.chance(40)).map(|label| (*label).to_owned()).collect();
        page.labels.sort();
        if self.rng.chance(50) {
            let name = format!("plan-{}.pdf", self.rng.below(3));
            page.attachments =
                vec![Attachment { name, media_type: None, size_bytes: Some(1), uploaded: None, by: None }];
        }
        if self.strict {
            self.write(day, page, Self::standing(page));
        }
    }

    /// An older version is made the current one again.
    fn revert(&mut self, page: &mut Page) {
        let old = self.rng.pick(&page.drafts).clone();
        let version = page.drafts.last().map_or(1, |draft| draft.version + 1);
        self.minute += 1;
        let modified = moment(self.day * 86_400 + self.minute * 60);
        page.drafts.push(Draft { version, modified, refused: false, ..old });
    }

    fn restrict(&mut self, day: &mut Day) {
        day.layers.clear();
        let ids: Vec<PageId> = day.pages.keys().cloned().collect();
        for _ in 0..self.rng.below(4) {
            let users = [self.rng.pick(&day.people).key.clone()].into();
            let groups = ["writers".to_owned()].into();
            let id = match self.rng.chance(50) && !ids.is_empty() {
                true => LayerId::Page(self.rng.pick(&ids).clone()),
                false => LayerId::Space(self.rng.pick(&day.spaces).key.clone()),
            };
            day.layers.retain(|layer| layer.id != id);
            day.layers.push(Layer { id, rule: Rule::Only { users, groups } });
        }
    }
}

fn titles(day: &Day) -> Vec<String> {
    day.pages.values().filter_map(|page| page.drafts.last()).map(|draft| draft.title.clone()).collect()
}

impl Page {
    /// The page as a listing shows it.
    pub fn listed(&self) -> PageRef {
        let (current, older) = match self.drafts.split_last() {
            Some((last, older)) => (Version(last.version), older),
            None => (Version(0), &[] as &[Draft]),
        };
        let history = older.iter().map(|draft| Version(draft.version)).collect();
        PageRef {
            id: self.id.clone(),
            space: self.space.clone(),
            version: self.counted.then_some(current),
            history: if self.history { history } else { Vec::new() },
            above: self.drafts.last().map(|draft| Above::of(&self.raw(draft, current))),
            fingerprint: self.fingerprint(current),
            locator: format!("at/{}", self.id),
        }
    }

    fn fingerprint(&self, current: Version) -> String {
        let page = self.drafts.last().map(|draft| self.raw(draft, current));
        let text = serde_json::to_string(&(page, &self.attachments)).unwrap_or_default();
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }

    /// The page at a version; a page whose versions are not counted is what it is, under any number.
    pub fn fetched(&self, version: Version) -> Answer {
        let draft = match self.counted {
            true => self.drafts.iter().find(|draft| draft.version == version.0),
            false => self.drafts.last(),
        };
        match draft {
            _ if self.vanishing => Answer::Gone,
            Some(draft) if !draft.refused => Answer::Page(Box::new(self.raw(draft, version))),
            _ => Answer::Refused,
        }
    }

    fn raw(&self, draft: &Draft, version: Version) -> RawPage {
        let current = self.drafts.last().is_some_and(|last| last.version == draft.version);
        RawPage {
            id: self.id.clone(),
            space: self.space.clone(),
            kind: self.kind.clone(),
            version,
            title: draft.title.clone(),
            format: BodyFormat::Storage,
            body: draft.body.clone(),
            created: self.dated.then(|| self.drafts[0].modified),
            modified: self.dated.then_some(draft.modified),
            author: Some(self.drafts[0].editor.clone()),
            editor: Some(draft.editor.clone()),
            parent: draft.parent.clone(),
            ancestors: Vec::new(),
            labels: if current { self.labels.clone() } else { Vec::new() },
            attachments: if current { self.attachments.clone() } else { Vec::new() },
            link: Some(format!("wiki/{}", self.id)),
            historical: !current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_wiki_and_another_seed_another() {
        let shown = |seed| format!("{:?}", Wiki::new(seed, (10, 40)).days);
        assert_eq!(shown(3), shown(3));
        assert_ne!(shown(3), shown(4));
    }

    #[test]
    fn every_kind_of_change_happens_within_a_hundred_seeds() {
        let wikis: Vec<Wiki> = (0..100).map(|seed| Wiki::new(seed, (10, 40))).collect();
        let days = || wikis.iter().flat_map(|wiki| wiki.days.windows(2));
        assert!(days().any(|pair| pair[0].pages.keys().any(|id| !pair[1].pages.contains_key(id))), "deleted");
        assert!(days().any(|pair| pair[0].people != pair[1].people), "a person is renamed");
        assert!(days().any(|pair| pair[0].layers != pair[1].layers), "restrictions change");
        let pages = || wikis.iter().flat_map(|wiki| wiki.days.iter().flat_map(|day| day.pages.values()));
        assert!(pages().any(|page| page.vanishing), "vanishing");
        assert!(pages().any(|page| page.drafts.iter().any(|draft| draft.refused)), "refused");
        assert!(pages().any(|page| !page.counted), "like a file");
        assert!(pages().any(|page| !page.dated), "without dates");
    }
}
