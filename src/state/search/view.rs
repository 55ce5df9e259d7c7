//! What of the rows one who looks may see: the same for each of his questions at one moment of a file, so that it is
//! worked out once. A row that looks to him as it does to all is told from one that may not (`is_as_all_see`), and the
//! latter is derived before it is used. It must not know what is asked.

use super::grounds::{Grounds, NodeRow, Passage, RowNumber};
use crate::error::Result;
use crate::state::State;
use std::sync::Arc;

/// Rows as one who looks may see them.
pub(in crate::state) struct View {
    pub grounds: Arc<Grounds>,
    /// Whether he may not see everything.
    pub is_limited: bool,
    /// Pages that may be seen, by their places.
    seen: Vec<bool>,
    /// Of each name what is told of it below; empty where all is seen.
    named: Vec<u8>,
    /// Of each fact what is told of it below.
    facts: Vec<u8>,
    /// How many passages that may be seen are text, and said now.
    pub passages: usize,
}

/// A fact, or a name by itself, reads as it does for all.
const AS_ALL_SEE: u8 = 1;
/// What facts call a thing by this name reads as it does for all: of a person the name of the account.
const CALLED_SO: u8 = 2;
/// A fact, or one that is shown by it, stands on something that is still said.
const TOLD: u8 = 2;
/// The fact that is shown in its place does.
const SHOWN_TOLD: u8 = 4;

/// Names of a lot up to which it is looked at whether all that speaks of them may be seen; more are derived.
const LOT: usize = 64;

impl State {
    /// What whoever looks may see, worked out anew where the file has changed.
    pub(super) fn view(&self) -> Result<Arc<View>> {
        let grounds = self.grounds()?;
        let known = self.view.borrow().clone();
        if let Some(view) = known.filter(|view| Arc::ptr_eq(&view.grounds, &grounds)) {
            return Ok(view);
        }
        let seen = match self.pages_seen() {
            Some(pages) => among(&grounds.pages, &pages),
            None => vec![true; grounds.pages.len()],
        };
        let view = Arc::new(View::new(grounds, self.has_viewer(), seen));
        *self.view.borrow_mut() = Some(view.clone());
        Ok(view)
    }
}

/// Which of all pages are among some, both sorted.
pub(super) fn among(all: &[String], some: &[String]) -> Vec<bool> {
    let mut some = some.iter().peekable();
    let is_there = |page: &String| {
        while some.next_if(|other| *other < page).is_some() {}
        some.peek() == Some(&page)
    };
    all.iter().map(is_there).collect()
}

impl View {
    fn new(grounds: Arc<Grounds>, is_limited: bool, seen: Vec<bool>) -> Self {
        let (named, facts) = (Vec::new(), Vec::new());
        let mut view = View { grounds, is_limited, seen, named, facts, passages: 0 };
        let counts =
            |passage: &&Passage| passage.is_text && passage.is_said(None) && view.sees_page(passage.page);
        view.passages = view.grounds.passages().filter(counts).count();
        if is_limited {
            let whole: Vec<bool> = (0..view.grounds.lots()).map(|lot| view.is_lot_whole(lot)).collect();
            let names = 0..view.grounds.nodes() as RowNumber;
            view.named = names.map(|row| view.flags_of_name(row, &whole)).collect();
        }
        let facts = 0..view.grounds.facts() as RowNumber;
        let told: Vec<bool> = facts.clone().map(|row| view.is_told(row)).collect();
        let flags = |row: RowNumber| {
            let shown = view.grounds.fact(row).is_some_and(|held| told[held.shown as usize]);
            flag(told[row as usize], TOLD)
                | flag(shown, SHOWN_TOLD)
                | flag(view.reads_as_all_see(row), AS_ALL_SEE)
        };
        view.facts = facts.map(flags).collect();
        view
    }

    pub fn sees_page(&self, page: Option<u32>) -> bool {
        page.map_or(!self.is_limited, |at| self.seen[at as usize])
    }

    /// Whether a passage may be seen, whatever it is and whenever it was said.
    pub fn sees(&self, passage: RowNumber) -> bool {
        self.grounds.passage(passage).is_some_and(|passage| self.sees_page(passage.page))
    }

    /// Whether a fact stands on anything that may be seen.
    pub fn sees_fact(&self, fact: RowNumber) -> bool {
        !self.is_limited || self.grounds.stands(fact).any(|(passage, _)| self.sees(passage))
    }

    /// The same of a fact and those that are folded into it.
    pub fn sees_any_of(&self, fact: RowNumber) -> bool {
        self.sees_fact(fact) || self.grounds.folded(fact).iter().any(|folded| self.sees_fact(*folded))
    }

    /// Whether a fact, or one that is shown by it, stands on something that is still said.
    pub fn tells(&self, fact: RowNumber) -> bool {
        self.has(fact, TOLD)
    }

    /// The same of the fact that is shown in its place.
    pub fn tells_shown(&self, fact: RowNumber) -> bool {
        self.has(fact, SHOWN_TOLD)
    }

    /// Whether a fact reads for whoever looks as it does for all, and is shown by itself.
    pub fn is_as_all_see(&self, fact: RowNumber) -> bool {
        self.has(fact, AS_ALL_SEE)
    }

    fn has(&self, fact: RowNumber, flag: u8) -> bool {
        self.facts.get(fact as usize).is_some_and(|flags| flags & flag != 0)
    }

    /// Whether a name has the words for whoever looks that it has for all, and is one with the same names.
    pub fn is_named_as_all_see(&self, node: RowNumber) -> bool {
        self.has_name_flag(node, AS_ALL_SEE)
    }

    /// Whether facts call what has a name by the same words for whoever looks as for all.
    pub fn is_called_as_all_see(&self, node: RowNumber) -> bool {
        self.has_name_flag(node, CALLED_SO)
    }

    fn has_name_flag(&self, node: RowNumber, flag: u8) -> bool {
        !self.is_limited || self.named.get(node as usize).is_some_and(|flags| flags & flag != 0)
    }

    /// Whether something that may be seen speaks of a name now.
    pub fn is_live(&self, node: RowNumber) -> bool {
        self.grounds.spoken(node).iter().any(|passage| {
            let passage = self.grounds.passage(*passage);
            passage.is_some_and(|passage| passage.is_said(None) && self.sees_page(passage.page))
        })
    }

    /// Whether a fact stands on a page's text that may be seen, and not only on a card of what the wiki knows anyway.
    pub fn is_on_text(&self, fact: RowNumber) -> bool {
        let is_text =
            |passage: RowNumber| self.grounds.passage(passage).is_some_and(|passage| passage.is_text);
        self.grounds.stands(fact).any(|(passage, _)| is_text(passage) && self.sees(passage))
    }

    fn is_told(&self, fact: RowNumber) -> bool {
        let stands =
            |fact: RowNumber| self.grounds.stands(fact).any(|(passage, ended)| !ended && self.sees(passage));
        stands(fact) || self.grounds.folded(fact).iter().any(|folded| stands(*folded))
    }

    fn reads_as_all_see(&self, fact: RowNumber) -> bool {
        if !self.is_limited {
            return true;
        }
        let Some(held) = self.grounds.fact(fact) else { return false };
        held.shown == fact
            && !held.judged
            && self.grounds.folded(fact).is_empty()
            && self.grounds.stands(fact).all(|(passage, _)| self.sees(passage))
            && held.ends.iter().flatten().all(|end| self.is_called_as_all_see(*end))
    }

    fn flags_of_name(&self, node: RowNumber, whole: &[bool]) -> u8 {
        let Some(named) = self.grounds.node(node) else { return 0 };
        let is_whole = || self.is_whole(node, named);
        // A name without a key is one however it is written, so its words are the same wherever it stands; what has a
        // key may be called otherwise elsewhere, and a person goes by the name of the account while anything speaks of
        // him.
        let reads_so = match (named.kin, named.has_titles || named.is_person) {
            (Some(lot), _) => whole[lot as usize],
            (None, true) => is_whole(),
            (None, false) => named.is_plain || is_whole(),
        };
        let by_account = named.kin.is_none() && named.has_account && self.is_live(node);
        flag(reads_so, AS_ALL_SEE) | flag(reads_so || by_account, CALLED_SO)
    }

    /// Whether all that speaks of a name may be seen.
    fn is_whole(&self, node: RowNumber, named: &NodeRow) -> bool {
        let spoken = self.grounds.spoken(node);
        !named.was_unsaid && !spoken.is_empty() && spoken.iter().all(|passage| self.sees(*passage))
    }

    /// Whether names are one for whoever looks as they are for all: he sees all that speaks of any of them, and nothing
    /// else decides.
    fn is_lot_whole(&self, lot: u32) -> bool {
        let names = self.grounds.kin(lot);
        let is_whole =
            |row: &RowNumber| self.grounds.node(*row).is_some_and(|named| self.is_whole(*row, named));
        names.len() <= LOT && self.grounds.is_decided(lot) && names.iter().all(is_whole)
    }
}

fn flag(is: bool, flag: u8) -> u8 {
    if is { flag } else { 0 }
}
