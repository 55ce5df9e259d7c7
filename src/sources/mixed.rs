//! Several sources over one tree, read as one wiki: a folder may hold Markdown beside an export.
//!
//! It must not know which kinds its parts are. Invariant: a page id is listed once; the first part in order
//! has it, and the others' pages of that id are counted as skipped.

use super::{Ask, Input, Kind, Part, Skipped, Source, SourceError, Step, Tree};
use knowledge::document::Warning;
use knowledge::id::PageId;
use knowledge::record::{Listed, Record};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

const TWICE: &str = "page id that another part of the folder has already";

pub(crate) struct Mixed {
    wiki: String,
    skipped: Vec<Warning>,
    parts: Vec<Part>,
    /// For each part, the ids it lists, once it was listed to its end.
    ids: Mutex<Vec<Option<Arc<BTreeSet<PageId>>>>>,
}

impl Mixed {
    /// One wiki of `parts`. An export that is the whole path keeps its own name, so that a newer export of
    /// the same space is the same wiki; a folder is called after itself, so that adding a file to it does not
    /// rename it.
    pub(crate) fn new(tree: &Tree, parts: Vec<Part>) -> Self {
        let wiki = match parts.as_slice() {
            [part] if part.prefix.is_empty() || tree.archive => part.source.wiki(),
            _ => format!("folder:{}", tree.name),
        };
        let ids = Mutex::new(vec![None; parts.len()]);
        Self { wiki, skipped: tree.skipped.clone(), parts, ids }
    }

    fn list(&self, sweep: u32, cursor: Option<&str>, input: Input<'_>) -> Result<Step, SourceError> {
        let (number, inner) = match cursor {
            None => (0, None),
            Some(text) => {
                at_part(text).filter(|(number, _)| *number < self.parts.len()).ok_or_else(|| {
                    let found =
                        format!("listing from cursor `{text}`: expected one of {} parts", self.parts.len());
                    SourceError::new(Kind::Changed, found).hint("start the sweep again")
                })?
            }
        };
        let mut input = Some(input);
        let mut taken: Vec<Arc<BTreeSet<PageId>>> = Vec::new();
        for before in 0..number {
            match self.ids_of(before, sweep, &mut input)? {
                Ok(ids) => taken.push(ids),
                Err(need) => return Ok(need),
            }
        }
        let ask = Ask::List { sweep, cursor: inner.map(str::to_owned) };
        let step = self.parts[number].source.step(&ask, input.take().unwrap_or(Input::Start))?;
        let Step::Records(records) = step else { return Ok(step) };
        let first = cursor.is_none();
        Ok(Step::Records(
            records.into_iter().map(|record| self.merge(record, number, &taken, first)).collect(),
        ))
    }

    /// The ids that a part lists, or what it needs to tell them.
    fn ids_of(
        &self,
        number: usize,
        sweep: u32,
        input: &mut Option<Input<'_>>,
    ) -> Result<Result<Arc<BTreeSet<PageId>>, Step>, SourceError> {
        let known = self.ids.lock().unwrap_or_else(PoisonError::into_inner)[number].clone();
        if let Some(ids) = known {
            return Ok(Ok(ids));
        }
        let (mut ids, mut cursor) = (BTreeSet::new(), None);
        loop {
            let ask = Ask::List { sweep, cursor };
            let step = self.parts[number].source.step(&ask, input.take().unwrap_or(Input::Start))?;
            let Step::Records(records) = step else { return Ok(Err(step)) };
            cursor = None;
            for record in records {
                if let Record::Listed(listed) = record {
                    ids.extend(listed.pages.into_iter().map(|page| page.id));
                    cursor = listed.next;
                }
            }
            if cursor.is_none() {
                break;
            }
        }
        let ids = Arc::new(ids);
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(ids.clone());
        Ok(Ok(ids))
    }

    /// A part's record as one of the whole wiki.
    fn merge(&self, record: Record, number: usize, taken: &[Arc<BTreeSet<PageId>>], first: bool) -> Record {
        let Record::Listed(mut listed) = record else { return record };
        let before = listed.pages.len();
        listed.pages.retain(|page| !taken.iter().any(|ids| ids.contains(&page.id)));
        let mut skipped = Skipped::default();
        skipped.warned(&listed.skipped);
        skipped.count(TWICE, (before - listed.pages.len()) as u32);
        if first {
            skipped.warned(&self.skipped);
        }
        for page in &mut listed.pages {
            page.locator = format!("{}#{}", self.parts[number].prefix, page.locator);
        }
        let next = match listed.next {
            Some(inner) => Some(format!("{number}:{inner}")),
            None => (number + 1 < self.parts.len()).then(|| format!("{}:", number + 1)),
        };
        let incomplete = listed.incomplete || skipped.is_incomplete();
        Record::Listed(Listed {
            wiki: self.wiki.clone(),
            skipped: skipped.warnings(),
            incomplete,
            next,
            ..listed
        })
    }

    /// The part that a locator points into, and the part's own locator. Of two parts that fit, the longer
    /// prefix.
    fn part_of<'a>(&self, locator: &'a str) -> Option<(&Part, &'a str)> {
        let fits = |part: &Part| locator.strip_prefix(part.prefix.as_str())?.strip_prefix('#');
        self.parts
            .iter()
            .filter_map(|part| Some((part, fits(part)?)))
            .max_by_key(|(part, _)| part.prefix.len())
    }
}

impl Source for Mixed {
    fn wiki(&self) -> String {
        self.wiki.clone()
    }

    fn step(&self, ask: &Ask, input: Input<'_>) -> Result<Step, SourceError> {
        match ask {
            Ask::Together(_) => Ok(Step::Records(Vec::new())),
            Ask::List { sweep, cursor } => self.list(*sweep, cursor.as_deref(), input),
            Ask::Fetch { page, version, locator, fingerprint } => {
                let Some((part, inner)) = self.part_of(locator) else {
                    return Ok(Step::Records(vec![Record::Gone { page: page.clone() }]));
                };
                let (page, fingerprint) = (page.clone(), fingerprint.clone());
                let ask = Ask::Fetch { page, version: *version, locator: inner.to_owned(), fingerprint };
                part.source.step(&ask, input)
            }
        }
    }
}

/// `3:inner` as a part's number and its own cursor; an empty one is the part's beginning.
fn at_part(cursor: &str) -> Option<(usize, Option<&str>)> {
    let (number, inner) = cursor.split_once(':')?;
    Some((number.parse().ok()?, (!inner.is_empty()).then_some(inner)))
}
