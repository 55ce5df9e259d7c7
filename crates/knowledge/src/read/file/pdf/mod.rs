//! Text of PDF files to Markdown. It must not know who asks. A reader of our own: of the libraries, the one that reads
//! text panics on every eighth damaged file, the leanest that reads objects unpacks whatever a file holds, and the
//! others cost a minute and a half of building. Invariants: pictures are never unpacked, nothing in a file is ever
//! run, and all that is done is counted.

mod cmap;
mod filter;
mod font;
mod layout;
mod letters;
mod page;
mod store;
mod syntax;

use super::{FileText, Tally, Unread};
use crate::page::BodyFormat;
use page::Player;
use std::collections::BTreeSet;
use store::{INFLATED_CAP_BYTES, Store};
use syntax::{Dict, Value};

/// Pages that are read: a large handbook.
const MOST_PAGES: usize = 2_000;
/// Branches that are not walked yet: one level of a flat tree of pages is a hundred times smaller.
const MOST_OPEN: usize = 200_000;
/// How deep the tree of pages goes; balanced trees of that many pages are four deep.
const MOST_DEEP: usize = 60;

/// Reads a file that begins as a PDF does.
pub(super) fn text(bytes: &[u8]) -> Result<FileText, Unread> {
    let store = Store::open(bytes)?;
    let mut tally = Tally::default();
    let pages = pages(&store, &mut tally);
    if pages.is_empty() {
        return Err(Unread::Damaged("no page is left of it"));
    }
    let mut player = Player::new(&store);
    let mut lines = Vec::new();
    let mut read = 0;
    for (number, PageAt { page, resources_of }) in pages.iter().enumerate() {
        if player.is_done() {
            break;
        }
        let resources = resources_of.and_then(|of| store.dict(&node(&store, of)?, "Resources"));
        player.page(&node(&store, *page).unwrap_or_default(), &resources.unwrap_or_default());
        // What stands across the page comes after what stands upright.
        let mut runs = std::mem::take(&mut player.runs);
        runs.sort_by_key(|run| run.turns);
        lines.extend(layout::lines(&runs, number));
        read += 1;
    }
    if lines.is_empty() && store.is_exhausted() {
        return Err(Unread::Expands { cap_bytes: INFLATED_CAP_BYTES as u64 });
    }
    tally.add("pages left out", pages.len() - read);
    tally.add("letters whose meaning the file does not tell", player.unknown);
    tally.add("pictures left out", player.pictures);
    let body = layout::markdown(lines, pages.len());
    Ok(FileText { format: BodyFormat::Markdown, body, warnings: tally.warnings() })
}

/// A page by its number, and the object whose resources it has.
#[derive(Clone, Copy)]
struct PageAt {
    page: u32,
    resources_of: Option<u32>,
}

/// The pages in order; all that look like pages if there is no tree of them.
fn pages(store: &Store<'_>, tally: &mut Tally) -> Vec<PageAt> {
    let mut pages = Vec::new();
    let catalog = store.dict(store.trailer(), "Root").filter(|root| root.contains_key("Pages"));
    let catalog = catalog.or_else(|| node(store, of_type(store, "Catalog").pop()?));
    if let Some(Value::Reference(top)) = catalog.and_then(|mut catalog| catalog.remove("Pages")) {
        walk(store, top, &mut pages, tally);
    }
    if pages.is_empty() {
        pages = of_type(store, "Page")
            .into_iter()
            .map(|page| PageAt { page, resources_of: Some(page) })
            .collect();
    }
    pages
}

fn node(store: &Store<'_>, number: u32) -> Option<Dict> {
    if let Value::Dict(dict) = store.resolve(&Value::Reference(number)) { Some(dict) } else { None }
}

fn of_type(store: &Store<'_>, kind: &str) -> Vec<u32> {
    let is_one = |number: &u32| {
        node(store, *number).is_some_and(|dict| dict.get("Type").and_then(Value::name) == Some(kind))
    };
    store.numbers().filter(is_one).take(MOST_PAGES).collect()
}

/// The tree of pages, each branch once, however they refer to each other. Only numbers are kept: a page may be as
/// large as a file, and there may be thousands.
fn walk(store: &Store<'_>, top: u32, pages: &mut Vec<PageAt>, tally: &mut Tally) {
    let mut seen = BTreeSet::new();
    let mut open = vec![(top, None, 0)];
    while let Some((number, inherited, deep)) = open.pop() {
        let fresh = seen.insert(number) && deep <= MOST_DEEP;
        let Some(dict) = Some(()).filter(|()| fresh).and_then(|()| node(store, number)) else { continue };
        let resources_of = if dict.contains_key("Resources") { Some(number) } else { inherited };
        match store.array(&dict, "Kids") {
            Some(kids) if open.len() < MOST_OPEN => {
                open.extend(kids.iter().rev().filter_map(|kid| match kid {
                    Value::Reference(kid) => Some((*kid, resources_of, deep + 1)),
                    _ => None,
                }))
            }
            Some(_) => tally.add("pages left out", 1),
            None if pages.len() < MOST_PAGES => pages.push(PageAt { page: number, resources_of }),
            None => tally.add("pages left out", 1),
        }
    }
}
