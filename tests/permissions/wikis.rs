//! Random wikis: trees of pages and folders with doors on them, groups that change, and some days in which things happen.

use super::evaluator::{Door, Item, Wiki};
use jiff::SignedDuration;
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, RawPage};
use knowledge::time::parse;
use std::collections::BTreeSet;

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const USERS: usize = 6;
pub const SPACES: [&str; 2] = ["OPS", "PAY"];
pub const NAMES: [&str; 10] = [
    "ledger-service",
    "Ledger Gateway",
    "ledger gateway",
    "LEDGER GATEWAY",
    "Ledger Gateways",
    "auth-gateway",
    "KIP-595",
    "billing-db",
    "Report Writer",
    "report-writer",
];
pub const OWNERS: [&str; 5] = ["Team Blue", "TEAM BLUE", "Platform Crew", "Payments Folk", "payments folk"];
pub const DAYS: [&str; 3] = ["2026-01-01", "2026-02-01", "2026-03-01"];

/// Makes a wiki, and lets days pass.
struct Making {
    dice: Dice,
    next: usize,
    day: usize,
    minute: i64,
}

impl Making {
    fn word(&mut self) -> String {
        self.next += 1;
        // No stem of one is a stem of another, and none is a word of any language.
        format!("qx{}z", self.next)
    }

    fn door(&mut self) -> Door {
        if self.dice.chance(12) {
            return Door::Nobody;
        }
        let users = (0..USERS).filter(|_| self.dice.chance(25)).map(|user| format!("u{user}")).collect();
        let mut groups: BTreeSet<String> =
            (0..3).filter(|_| self.dice.chance(35)).map(|group| format!("g{group}")).collect();
        if self.dice.chance(10) {
            groups.insert("nobody-knows-this-group".to_owned());
        }
        Door::For { users, groups }
    }

    fn first(&mut self, pages: usize) -> Wiki {
        let mut wiki = Wiki::default();
        for user in 0..USERS {
            let name = format!("{} Person", self.word());
            wiki.people.insert(format!("u{user}"), name);
        }
        self.regroup(&mut wiki);
        for _ in 0..3 {
            let id = self.id();
            let parent = self.some_place(&wiki);
            wiki.folders.insert(id, parent);
        }
        for _ in 0..pages {
            self.add(&mut wiki);
        }
        self.restrict(&mut wiki);
        wiki
    }

    fn id(&mut self) -> String {
        self.next += 1;
        (1_000 + self.next).to_string()
    }

    fn regroup(&mut self, wiki: &mut Wiki) {
        wiki.groups = (0..3)
            .map(|group| {
                // The last user is in no group: the wiki does not know him.
                let members = (0..USERS - 1).filter(|_| self.dice.chance(45)).map(|user| format!("u{user}"));
                (format!("g{group}"), members.collect())
            })
            .collect();
    }

    /// Anything a page may stand below: a page, a folder, nothing, and now and then something that is not held.
    fn some_place(&mut self, wiki: &Wiki) -> Option<String> {
        if self.dice.chance(3) {
            return Some("404".to_owned());
        }
        let pages = wiki.items.iter().filter(|(_, item)| !item.gone && item.kind == PageKind::Page);
        let places: Vec<String> =
            pages.map(|(id, _)| id.clone()).chain(wiki.folders.keys().cloned()).collect();
        (!places.is_empty() && self.dice.chance(75)).then(|| self.dice.pick(&places).clone())
    }

    fn add(&mut self, wiki: &mut Wiki) {
        let id = self.id();
        let posts = wiki.items.iter().filter(|(_, item)| !item.gone && item.kind.on().is_none());
        let posts: Vec<String> = posts.map(|(id, _)| id.clone()).collect();
        let on = (!posts.is_empty()).then(|| PageId::new(self.dice.pick(&posts).clone()));
        let kind = match (self.dice.below(10), on) {
            (0, _) => PageKind::BlogPost,
            (1, Some(on)) => PageKind::Comment { on, quoted: None },
            (2, Some(on)) => PageKind::Attachment { on, media_type: None, digest: None },
            _ => PageKind::Page,
        };
        let parent = match kind {
            PageKind::Page => self.some_place(wiki),
            // A comment that answers one that is gone.
            PageKind::Comment { .. } if self.dice.chance(20) => Some("404".to_owned()),
            _ => None,
        };
        let space = match kind.on().and_then(|on| wiki.items.get(on.as_str())) {
            Some(item) => item.space.clone(),
            None => (*self.dice.pick(&SPACES)).to_owned(),
        };
        wiki.items.insert(id.clone(), Item { space, kind, parent, versions: Vec::new(), gone: false });
        self.write(wiki, &id);
    }

    fn block(&mut self, wiki: &Wiki) -> String {
        let (one, other, owner) =
            (*self.dice.pick(&NAMES), *self.dice.pick(&NAMES), *self.dice.pick(&OWNERS));
        let (own, who) = (self.word(), self.dice.below(USERS));
        let titles: Vec<&str> = wiki
            .items
            .values()
            .filter_map(|item| item.versions.last())
            .map(|page| page.title.as_str())
            .collect();
        match self.dice.below(9) {
            0 => format!(
                "<table><tbody><tr><th>Owner</th><td>{owner}</td></tr><tr><th>Status</th><td>{own}</td></tr></tbody></table>"
            ),
            1 => format!(
                "<table><tbody><tr><th>Service</th><th>Owner</th><th>Status</th></tr>\
                 <tr><td>{one}</td><td>{owner}</td><td>Live</td></tr><tr><td>{other}</td><td>{own} Team</td><td>Beta</td></tr>\
                 </tbody></table>"
            ),
            2 => format!("<p>{one} depends on {other}.</p>"),
            3 => format!("<p>{one} is replaced by {own}-service.</p>"),
            4 => format!("<p>{one} is owned by {owner} since 2025-0{}-01.</p>", 1 + self.dice.below(9)),
            5 if !titles.is_empty() => {
                let title = *self.dice.pick(&titles);
                format!("<p>See <ac:link><ri:page ri:content-title=\"{title}\" /></ac:link>.</p>")
            }
            6 => format!(
                "<p>Ask <ac:link><ri:user ri:userkey=\"u{who}\" /></ac:link> about <code>{one}</code>.</p>"
            ),
            7 => format!("<p>{one} is owned by <ac:link><ri:user ri:userkey=\"u{who}\" /></ac:link>.</p>"),
            _ => format!("<p>Nobody has measured {own} under load.</p>"),
        }
    }

    /// Adds a version.
    fn write(&mut self, wiki: &mut Wiki, id: &str) {
        self.minute += 1;
        let at = parse(DAYS[self.day]).unwrap() + SignedDuration::from_mins(self.minute);
        let before = wiki.items[id].versions.last().cloned();
        let (own, heading) = (self.word(), self.word());
        let mut body = match &before {
            Some(before) if self.dice.chance(70) => before.body.clone(),
            _ => format!("<p>This page is about {own}.</p>"),
        };
        for _ in 0..1 + self.dice.below(3) {
            body.push_str(&self.block(wiki));
        }
        body.push_str(&format!("<h2>Part {heading}</h2>{}", self.block(wiki)));
        let title = match (&before, self.dice.below(10)) {
            (Some(before), 0..=7) => before.title.clone(),
            (_, 8) => (*self.dice.pick(&NAMES)).to_owned(),
            _ => format!("Notes {own}"),
        };
        let common = ["payments", "draft"].iter().filter(|_| self.dice.chance(30));
        let mut labels: Vec<String> = common.map(|label| (*label).to_owned()).collect();
        if self.dice.chance(20) {
            labels.push(self.word());
        }
        let editor = PersonKey::new(format!("u{}", self.dice.below(USERS)));
        let ancestors = self.titles_above(wiki, id);
        let item = wiki.items.get_mut(id).unwrap();
        item.versions.iter_mut().for_each(|old| old.historical = true);
        let author = item.versions.first().map_or(editor.clone(), |first| first.author.clone().unwrap());
        item.versions.push(RawPage {
            id: PageId::new(id),
            space: SpaceKey::new(item.space.clone()),
            kind: item.kind.clone(),
            version: Version(item.versions.len() as u32 + 1),
            title,
            format: BodyFormat::Storage,
            body,
            created: None,
            modified: Some(at),
            author: Some(author),
            editor: Some(editor),
            parent: item.parent.clone().map(PageId::new),
            ancestors,
            labels,
            attachments: Vec::new(),
            link: Some(format!("wiki/{id}")),
            historical: false,
        });
    }

    fn titles_above(&self, wiki: &Wiki, id: &str) -> Vec<String> {
        let (mut titles, mut at) = (Vec::new(), wiki.items[id].parent.clone());
        for _ in 0..20 {
            let Some(here) = at else { break };
            let Some(item) = wiki.items.get(&here) else { break };
            titles.extend(item.versions.last().map(|page| page.title.clone()));
            at = item.parent.clone();
        }
        titles.reverse();
        titles
    }

    fn restrict(&mut self, wiki: &mut Wiki) {
        for space in SPACES {
            if self.dice.chance(30) {
                let door = self.door();
                wiki.doors.insert(format!("space:{space}"), door);
            } else {
                wiki.doors.remove(&format!("space:{space}"));
            }
        }
        let living = wiki.items.iter().filter(|(_, item)| !item.gone && item.kind.on().is_none());
        let places: Vec<String> =
            living.map(|(id, _)| id.clone()).chain(wiki.folders.keys().cloned()).collect();
        for id in places {
            match self.dice.below(10) {
                0 | 1 => {
                    let door = self.door();
                    wiki.doors.insert(format!("page:{id}"), door);
                }
                2..=5 => drop(wiki.doors.remove(&format!("page:{id}"))),
                _ => {}
            }
        }
    }

    /// What a day brings.
    fn pass(&mut self, wiki: &mut Wiki) {
        self.day += 1;
        let ids: Vec<String> =
            wiki.items.iter().filter(|(_, item)| !item.gone).map(|(id, _)| id.clone()).collect();
        for id in ids {
            match self.dice.below(10) {
                0 => wiki.items.get_mut(&id).unwrap().gone = true,
                1 | 2 => self.write(wiki, &id),
                3 if wiki.items[&id].kind == PageKind::Page => {
                    // A circle now and then, which no real wiki has.
                    let parent = self.some_place(wiki);
                    wiki.items.get_mut(&id).unwrap().parent = parent;
                    self.write(wiki, &id);
                }
                _ => {}
            }
        }
        for _ in 0..2 {
            self.add(wiki);
        }
        if self.dice.chance(40) {
            self.regroup(wiki);
        }
        self.restrict(wiki);
    }
}

/// The days of a seed.
pub fn days(seed: u64, pages: usize) -> Vec<Wiki> {
    let mut making = Making { dice: Dice(seed), next: 0, day: 0, minute: 0 };
    let mut wiki = making.first(pages);
    let mut days = vec![wiki.clone()];
    for _ in 1..DAYS.len() {
        making.pass(&mut wiki);
        days.push(wiki.clone());
    }
    days
}
