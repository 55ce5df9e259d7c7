//! A crawl over the lists of a wiki's server: what is asked next, and what an answer adds. Two deployments ask for
//! different lists (`cloud`, `center`); what they have in common is here. Pure: it sends nothing.
//!
//! Invariant: what one list cannot give never ends the crawl. It is counted, what it would have said is unknown (and
//! denies), and where pages may be missing the listing says so, so that nothing is retracted. Only a server that lets
//! us in nowhere ends it.

use super::found::{Found, Listing};
use super::{Wiki, center, cloud};
use crate::sources::{Get, Kind, SourceError};
use knowledge::id::PersonKey;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;

/// Fewer things are never asked for at once, whatever breaks down: as few as the slowest servers are known to bear.
const FEWEST: usize = 5;
/// Requests of a crawl, at most: 100,000 pages take some thousands, so this is a server that leads in circles.
const REQUESTS: usize = 200_000;

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Spaces,
    /// Who may view a space, by the server's id.
    Rights(String),
    Groups,
    Members(String),
    Pages,
    Blogs,
    /// Labels and restrictions of many.
    Marks,
    /// The restrictions of one, and its labels.
    Mark(String),
    Labels(String),
    /// Places in the tree that are no pages: many at once.
    Places,
    /// Pages that show whether places are told as ancestors.
    Witnesses,
    /// A place in the tree that is no page.
    Folder(String),
    Comments,
    Files,
    Users(Vec<PersonKey>),
}

impl What {
    /// What could not be read, in a user's words.
    fn words(&self) -> String {
        match self {
            What::Spaces => "list of spaces".to_owned(),
            What::Rights(_) => "rights of a space that cannot be read (nobody passes)".to_owned(),
            What::Groups | What::Members(_) => {
                "group whose members cannot be read (`--as` takes nobody for a member)".to_owned()
            }
            What::Pages => "list of pages that cannot be read".to_owned(),
            What::Blogs => "list of blog posts that cannot be read".to_owned(),
            What::Marks | What::Mark(_) => "restrictions that cannot be read (nobody passes)".to_owned(),
            What::Places | What::Witnesses | What::Folder(_) => {
                "place above a page that cannot be read (nobody passes)".to_owned()
            }
            What::Labels(_) => "labels that cannot be read (those held stay)".to_owned(),
            What::Comments => "list of comments that cannot be read".to_owned(),
            What::Files => "list of attached files that cannot be read".to_owned(),
            What::Users(_) => "names of people that cannot be read".to_owned(),
        }
    }

    /// Whether pages may be missing from the listing for want of this.
    fn holds_pages(&self) -> bool {
        matches!(self, What::Spaces | What::Pages | What::Blogs | What::Comments | What::Files)
    }
}

/// A crawl under way.
#[derive(Debug)]
pub(super) struct Crawl {
    pub(super) wiki: Wiki,
    pub(super) found: Found,
    todo: VecDeque<(What, String)>,
    /// Stages that are over.
    stage: usize,
    requests: usize,
}

/// What an answer means.
pub(super) enum Read {
    /// It is taken in; there is more of it here.
    Next(Option<String>),
    /// It is not what was asked for.
    Broken,
}

impl Crawl {
    /// A crawl that has asked nothing yet.
    pub(super) fn begin(wiki: Wiki) -> Self {
        let site = (!wiki.base.contains("/ex/confluence/")).then(|| wiki.base.clone());
        let found = Found { site, wanted: wiki.spaces.iter().cloned().collect(), ..Found::default() };
        let mut crawl = Self { wiki, found, todo: VecDeque::new(), stage: 0, requests: 0 };
        crawl.go_on();
        crawl
    }

    /// What is asked next; none when all is found.
    pub(super) fn next(&self) -> Option<Get> {
        let (_, path) = self.todo.front()?;
        Some(Get {
            path: path.clone(),
            may_shrink: limit_of(path).is_some_and(|limit| limit > FEWEST),
            file_bytes: None,
        })
    }

    /// Takes an answer in.
    pub(super) fn take(&mut self, get: &Get, status: u16, body: &[u8]) -> Result<(), SourceError> {
        // An answer that is taken in a second time changes nothing.
        if self.todo.front().is_none_or(|(_, path)| *path != get.path) {
            return Ok(());
        }
        let Some((what, path)) = self.todo.pop_front() else { return Ok(()) };
        self.requests += 1;
        if self.requests > REQUESTS {
            let text = format!("listing the wiki: no end after {REQUESTS} requests");
            return Err(SourceError::new(Kind::Halt, text).hint("name fewer spaces in `confluence_spaces`"));
        }
        match status {
            200..300 => match self.read(&what, &path, body) {
                Read::Next(Some(next)) => self.todo.push_front((what, next)),
                Read::Next(None) => {}
                Read::Broken => self.cannot(&what, "an answer that is not what was asked for")?,
            },
            // Too much at once: half of it is tried, from the same place.
            500.. if get.may_shrink => self.todo.push_front((what, halved(&path))),
            _ => self.cannot(&what, &format!("status {status}"))?,
        }
        self.go_on();
        Ok(())
    }

    fn read(&mut self, what: &What, path: &str, body: &[u8]) -> Read {
        match self.wiki.is_cloud {
            true => cloud::read(&mut self.found, (what, path), body),
            false => center::read(&mut self.found, (what, path), body),
        }
    }

    /// What could not be read is counted and passed.
    fn cannot(&mut self, what: &What, why: &str) -> Result<(), SourceError> {
        if *what == What::Spaces {
            let text = format!("listing the spaces of `{}`: {why}", self.wiki.base);
            return Err(SourceError::new(Kind::Halt, text).hint("`highwater doctor` says what is missing"));
        }
        if matches!(what, What::Places | What::Witnesses) {
            // What they would have told is asked for one by one.
            return Ok(());
        }
        if let What::Folder(id) = what {
            // It may be a place of another kind.
            let asked = self.found.place_kinds.entry(id.clone()).or_default();
            *asked += 1;
            if *asked < cloud::PLACES.len() {
                return Ok(());
            }
        }
        match what {
            What::Labels(id) => drop(self.found.without_labels.insert(id.clone())),
            What::Files => self.found.files_are_lost = true,
            _ => {}
        }
        match what.holds_pages() {
            true => self.found.skipped.lost(&what.words(), why),
            false => self.found.skipped.at(&what.words(), why),
        }
        Ok(())
    }

    /// Begins the next stages until there is something to ask.
    fn go_on(&mut self) {
        while self.todo.is_empty() {
            let more = match self.wiki.is_cloud {
                true => cloud::stage(&self.wiki, &mut self.found, self.stage),
                false => center::stage(&self.wiki, &self.found, self.stage),
            };
            let Some(more) = more else { return };
            self.stage += 1;
            self.todo.extend(more);
        }
    }

    /// The listing, once all is found.
    pub(super) fn listing(self) -> Listing {
        let history = self.wiki.history;
        self.found.listing(history)
    }
}

/// The answer as this shape.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// How many things a request asks for.
pub(super) fn limit_of(path: &str) -> Option<usize> {
    let (_, query) = path.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("limit="))?.parse().ok()
}

fn halved(path: &str) -> String {
    let Some(limit) = limit_of(path) else { return path.to_owned() };
    with(path, "limit", &(limit / 2).max(FEWEST).to_string())
}

/// The same request with another value of a parameter.
pub(super) fn with(path: &str, name: &str, value: &str) -> String {
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let is_it = |pair: &&str| pair.split('=').next() == Some(name);
    let mut pairs: Vec<String> =
        query.split('&').filter(|pair| !pair.is_empty() && !is_it(pair)).map(str::to_owned).collect();
    pairs.push(format!("{name}={value}"));
    format!("{place}?{}", pairs.join("&"))
}

/// A link to the next page of a list as a request of ours: from the API's own part on, whatever stands before it. A
/// link that does not lead into the API leads nowhere.
pub(super) fn next_of(link: Option<&str>, api: &str) -> Option<String> {
    let link = link?;
    let at = link.find(api)?;
    Some(link[at..].to_owned())
}

/// The next page of a list that counts: after as many rows as came. A server that gives fewer than it was asked for
/// says where to go on by the number it was asked for, and rows would be missed.
pub(super) fn after(path: &str, rows: usize, has_next: bool) -> Option<String> {
    (has_next && rows > 0).then(|| with(path, "start", &(start_of(path) + rows).to_string()))
}

/// At which row a request for a part of a list begins.
pub(super) fn start_of(path: &str) -> usize {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("start="))
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
