//! A live Confluence, Cloud or Data Center, over its REST interfaces. This page answers asks; `crawl` lists, `bodies`
//! fetches, `shapes` is what the server says. Pure, as every source is: it sends nothing, and must not know who does,
//! how often a request is sent, or what lets us in.
//!
//! Invariant: every request is a path below the wiki's own base address, made here; no answer can lead anywhere else.

mod bodies;
mod center;
mod cloud;
mod crawl;
pub mod doctor;
mod found;
mod shapes;
#[cfg(test)]
mod tests;

use super::slices::slice;
use super::{Ask, Input, Kind, Need, Source, SourceError, Step};
use bodies::{Format, One, Wanted};
use crawl::Crawl;
use found::Listing;
use knowledge::record::{Listed, Record};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which wiki is read, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiki {
    /// The base address, without a `/` at its end: `https://SITE.atlassian.net/wiki`, or where a Data Center begins.
    pub base: String,
    /// Cloud, or Data Center (and Server).
    pub is_cloud: bool,
    /// The keys of the spaces that are read; none for all but personal ones.
    pub spaces: Vec<String>,
    /// How many versions before the current one are read.
    pub history: u32,
}

/// The reader of a live wiki.
pub struct Confluence {
    wiki: Wiki,
    /// The newest sweep, as far as it has come. A sweep ends with the process that began it.
    sweep: Mutex<Option<(u32, Sweep)>>,
}

enum Sweep {
    Crawling(Box<Crawl>),
    Listed(Box<Listing>),
}

impl Confluence {
    /// A reader of this wiki.
    pub fn new(wiki: Wiki) -> Self {
        Self { wiki, sweep: Mutex::default() }
    }

    fn sweep(&self) -> MutexGuard<'_, Option<(u32, Sweep)>> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self, sweep: u32, cursor: Option<&str>, input: Input<'_>) -> Result<Step, SourceError> {
        let mut held = self.sweep();
        if let (Input::Start, None) = (&input, cursor) {
            *held = Some((sweep, Sweep::Crawling(Box::new(Crawl::begin(self.wiki.clone())))));
        }
        let Some((_, at)) = held.as_mut().filter(|(number, _)| *number == sweep) else {
            let text = "listing the wiki: this sweep was begun by another process";
            return Err(SourceError::new(Kind::Changed, text).hint("run the same command again"));
        };
        if let (Sweep::Crawling(crawl), Input::Response { get, status, body }) = (&mut *at, &input) {
            crawl.take(get, *status, body)?;
        }
        if let Sweep::Crawling(crawl) = at {
            if let Some(get) = crawl.next() {
                return Ok(Step::Need(Need::Get(get)));
            }
            let over = std::mem::replace(crawl.as_mut(), Crawl::begin(self.wiki.clone()));
            *at = Sweep::Listed(Box::new(over.listing()));
        }
        let Sweep::Listed(listing) = at else {
            return Err(SourceError::new(Kind::Changed, "listing the wiki: it is not listed yet"));
        };
        let listed = slice(cursor, listing.len(), &listing.around, |at| listing.page(at))?;
        if listed.next.is_none() {
            // All of it is handed over, and most of a run is still to come.
            *held = None;
        }
        Ok(Step::Records(vec![Record::Listed(Listed { sweep, wiki: self.wiki(), ..listed })]))
    }

    fn fetch(&self, ask: &Ask, input: Input<'_>) -> Result<Step, SourceError> {
        let wanted = Wanted::of(ask)?;
        let Input::Response { get, status, body } = input else {
            return Ok(Step::Need(Need::Get(wanted.alone(&self.wiki, Format::Storage))));
        };
        let again = Wanted::of(ask)?;
        Ok(match bodies::of_one(wanted, &self.wiki, (get, status), &body)? {
            One::Record(record) => Step::Records(vec![*record]),
            One::Again(format) => Step::Need(Need::Get(again.alone(&self.wiki, format))),
        })
    }
}

impl Source for Confluence {
    fn wiki(&self) -> String {
        let place = self.wiki.base.split_once("://").map_or(self.wiki.base.as_str(), |(_, place)| place);
        format!("confluence:{place}")
    }

    fn step(&self, ask: &Ask, input: Input<'_>) -> Result<Step, SourceError> {
        match ask {
            Ask::List { sweep, cursor } => self.list(*sweep, cursor.as_deref(), input),
            Ask::Fetch { .. } => self.fetch(ask, input),
            Ask::Together(asks) => Ok(match input {
                Input::Response { status: 200..300, body, .. } => {
                    Step::Records(bodies::of_many(&self.wiki, asks, &body))
                }
                // Each of them alone will say what is wrong.
                Input::Response { .. } => Step::Records(Vec::new()),
                _ => match bodies::together(&self.wiki, asks) {
                    Some(get) => Step::Need(Need::Get(get)),
                    None => Step::Records(Vec::new()),
                },
            }),
        }
    }

    fn lot(&self, ask: &Ask) -> Option<&'static str> {
        Wanted::of(ask).ok()?.lot(&self.wiki)
    }
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Whether spaces of this kind are read without being named.
fn wants_space(kind: &str) -> bool {
    kind != "personal"
}

/// Whether this address is of Confluence Cloud: a site of it, or the gateway before all sites.
pub fn is_cloud(base: &str) -> bool {
    let place = base.split_once("://").map_or(base, |(_, place)| place);
    let host = place.split(['/', ':']).next().unwrap_or_default();
    host.ends_with(".atlassian.net") || host == "api.atlassian.com"
}
