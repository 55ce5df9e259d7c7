//! On what rows stand: which page a passage is of and when the wiki said it, on which passages a fact stands, and which
//! speak of a name. It is kept in memory for one moment of one file, so that an index can be asked for the rows that
//! somebody may see and wants, and for no others. It must not know who looks, nor what for.
//!
//! Invariant: rows, and nothing that is derived for one viewer, are all that is kept: `scope.rs` judges by them.

use super::{kin, lengths};
use crate::error::Result;
use crate::state::State;
use knowledge::id::{FactId, NodeId};
use knowledge::time::{Timestamp, parse};
use rusqlite::{Connection, Row};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A row of a table: more than four thousand million of one kind are not expected on one machine.
pub(in crate::state) type RowNumber = u32;

/// Lists of rows, each the list of a row.
#[derive(Default)]
pub(super) struct Lists {
    ends: Vec<u32>,
    items: Vec<RowNumber>,
}

/// A piece of a page.
#[derive(Clone, Copy)]
pub(in crate::state) struct Passage {
    /// Its page, as a place in the sorted list of all; none when no such page is held.
    pub page: Option<u32>,
    /// Whether a page's author wrote it, and not the wiki about the page.
    pub is_text: bool,
    /// Since when the wiki says it, and until when it did.
    since: Option<Timestamp>,
    until: Until,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Now,
    Then(Timestamp),
    /// It has ended, or never was, and nobody knows when.
    Unknown,
}

/// What is known of a fact beside its words.
#[derive(Clone, Copy)]
pub(in crate::state) struct FactRow {
    pub id: FactId,
    /// The fact that is shown in its place; itself when it is.
    pub shown: RowNumber,
    /// Both its ends are one thing, so it is never shown.
    pub says_nothing: bool,
    /// The names at its ends.
    pub ends: [Option<RowNumber>; 2],
    /// A text dates it, or it was found to repeat or to contradict another: when it holds takes more than a look.
    pub dated: bool,
    pub judged: bool,
    /// When a page said it first.
    pub said_since: Option<Timestamp>,
    /// Words of its statement as all see it; none when another is shown in its place.
    pub words: u16,
}

/// What is known of a name beside its letters.
#[derive(Clone, Copy)]
pub(in crate::state) struct NodeRow {
    pub id: NodeId,
    /// The names that it was joined with, or may be by what somebody sees, as a place among all such; none when there
    /// are none.
    pub kin: Option<u32>,
    /// It is what it is by a key, such as the id of a page, so that pages may call it otherwise. A label is its name.
    pub has_titles: bool,
    pub is_person: bool,
    /// A person whose account has a name, which facts call him by whatever a page does.
    pub has_account: bool,
    /// A page spoke of it that does not any more.
    pub was_unsaid: bool,
    /// All of its letters are of ASCII: whoever writes it otherwise changes case and punctuation alone.
    pub is_plain: bool,
    /// Words of the name.
    pub words: u16,
}

/// What stands on what.
pub(in crate::state) struct Grounds {
    stamp: String,
    /// Ids of pages, sorted.
    pub pages: Vec<String>,
    passages: Vec<Option<Passage>>,
    facts: Vec<Option<FactRow>>,
    nodes: Vec<Option<NodeRow>>,
    /// Of a fact the passages it stands on; those that say it no more are marked.
    stands: Lists,
    /// Of a passage the facts that stand on it.
    told: Lists,
    /// Of a fact those that are folded into it.
    folded: Lists,
    /// Of a name the passages that speak of it, and the reverse.
    spoken: Lists,
    speaks: Lists,
    /// Names that may be one thing, and of each such lot whether nothing but what it stands on decides about that.
    kin: Lists,
    decided: Vec<bool>,
}

/// Marks a passage that says a fact no more.
const ENDED: RowNumber = 1 << 31;

impl State {
    /// What stands on what, read anew where the file has changed.
    pub(super) fn grounds(&self) -> Result<Arc<Grounds>> {
        let stamp = self.stamp()?;
        let known = self.recalled.borrow().grounds.clone();
        if let Some(grounds) = known.filter(|grounds| grounds.stamp == stamp) {
            return Ok(grounds);
        }
        let grounds = Arc::new(read(self.connection(), stamp)?);
        self.recalled.borrow_mut().grounds = Some(grounds.clone());
        Ok(grounds)
    }

    /// What changes when anything that was recorded does.
    pub(in crate::state) fn stamp(&self) -> Result<String> {
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce((SELECT value FROM main.meta WHERE key = 'vault'), '') || ' ' ||
                    coalesce((SELECT value FROM main.meta WHERE key = 'applied_seq'), '') || ' ' ||
                    coalesce((SELECT value FROM main.meta WHERE key = 'generation'), '')",
        )?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}

impl Grounds {
    pub fn passage(&self, row: RowNumber) -> Option<&Passage> {
        self.passages.get(row as usize)?.as_ref()
    }

    pub fn passages(&self) -> impl Iterator<Item = &Passage> {
        self.passages.iter().flatten()
    }

    pub fn fact(&self, row: RowNumber) -> Option<&FactRow> {
        self.facts.get(row as usize)?.as_ref()
    }

    pub fn node(&self, row: RowNumber) -> Option<&NodeRow> {
        self.nodes.get(row as usize)?.as_ref()
    }

    /// The passages a fact stands on, each with whether it says so no more.
    pub fn stands(&self, fact: RowNumber) -> impl Iterator<Item = (RowNumber, bool)> + '_ {
        self.stands.of(fact).iter().map(|item| (item & !ENDED, item & ENDED != 0))
    }

    pub fn told(&self, passage: RowNumber) -> &[RowNumber] {
        self.told.of(passage)
    }

    pub fn folded(&self, fact: RowNumber) -> &[RowNumber] {
        self.folded.of(fact)
    }

    pub fn spoken(&self, node: RowNumber) -> &[RowNumber] {
        self.spoken.of(node)
    }

    pub fn speaks(&self, passage: RowNumber) -> &[RowNumber] {
        self.speaks.of(passage)
    }

    /// One more than the last row of a name, and of a fact.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub fn facts(&self) -> usize {
        self.facts.len()
    }

    /// How many lots of names there are that may be one thing.
    pub fn lots(&self) -> u32 {
        self.decided.len() as u32
    }

    /// The names of such a lot.
    pub fn kin(&self, lot: u32) -> &[RowNumber] {
        self.kin.of(lot)
    }

    /// Whether they are one to whoever sees all that speaks of them, if they are to all.
    pub fn is_decided(&self, lot: u32) -> bool {
        self.decided[lot as usize]
    }
}

impl Passage {
    /// Whether the wiki says it, or said it at some time in a stretch.
    pub fn is_said(&self, between: Option<(Timestamp, Timestamp)>) -> bool {
        let Some((from, to)) = between else { return self.until == Until::Now };
        let begun = self.since.is_none_or(|since| since <= to);
        begun
            && match self.until {
                Until::Now => true,
                Until::Then(end) => end > from,
                Until::Unknown => false,
            }
    }
}

impl Lists {
    /// Of pairs of a row and an item.
    pub fn new(mut pairs: Vec<(RowNumber, RowNumber)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let rows = pairs.last().map_or(0, |(row, _)| *row as usize + 1);
        let mut ends = vec![0; rows];
        for (at, (row, _)) in pairs.iter().enumerate() {
            ends[*row as usize] = at as u32 + 1;
        }
        // A row without items ends where the one before it does.
        for row in 1..rows {
            ends[row] = ends[row].max(ends[row - 1]);
        }
        Lists { ends, items: pairs.into_iter().map(|(_, item)| item).collect() }
    }

    fn of(&self, row: RowNumber) -> &[RowNumber] {
        let row = row as usize;
        let Some(end) = self.ends.get(row) else { return &[] };
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[begin as usize..*end as usize]
    }
}

/// What others were found to be to each other changes nothing about them.
const JUDGED: &str = "SELECT a, b FROM main.judgement WHERE likeness IN ('duplicate', 'contradicts')";

pub(super) type Id = [u8; 16];
/// Rows by their ids.
pub(super) type Rows = HashMap<Id, RowNumber, BuildHasherDefault<OfId>>;

/// An id is a digest, so its first bytes scatter as well as any hash of it would; there are millions to be looked up
/// before the first question is answered.
#[derive(Default)]
pub(super) struct OfId(u64);

impl Hasher for OfId {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // How long an id is, which is the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

fn read(connection: &Connection, stamp: String) -> Result<Grounds> {
    let pages = read_pages(connection)?;
    let (passages, chunk_rows) = read_passages(connection, &pages)?;
    let (mut nodes, node_rows) = read_nodes(connection)?;
    let kin = kin::read(connection, &node_rows)?;
    for (lot, row) in &kin.members {
        if let Some(named) = nodes.get_mut(*row as usize).and_then(Option::as_mut) {
            named.kin = Some(*lot);
        }
    }
    let (mut facts, fact_rows) = read_facts(connection, &node_rows)?;
    let mut stands = Vec::new();
    // What a page replaces from a later day on still holds until then.
    let sql = "SELECT fact, chunk,
                      ended IS NOT NULL AND NOT (ended = 'replaced'
                          AND coalesce(invalid_at > coalesce(asserted_to, noticed_at), 0)),
                      valid_at IS NOT NULL OR invalid_at IS NOT NULL, asserted_from
               FROM main.support";
    each(connection, sql, |row| {
        let found = fact_rows.get(&row.get::<_, Id>(0)?).zip(chunk_rows.get(&row.get::<_, Id>(1)?));
        let Some((fact, chunk)) = found else { return Ok(()) };
        stands.push((*fact, chunk | if row.get(2)? { ENDED } else { 0 }));
        if let Some(held) = facts[*fact as usize].as_mut() {
            held.dated |= row.get::<_, bool>(3)?;
            let since = row.get_ref(4)?.as_str_or_null().ok().flatten().and_then(parse);
            held.said_since = held.said_since.into_iter().chain(since).min();
        }
        Ok(())
    })?;
    each(connection, JUDGED, |row| {
        for column in 0..2 {
            let at = fact_rows.get(&row.get::<_, Id>(column)?);
            if let Some(held) = at.and_then(|at| facts[*at as usize].as_mut()) {
                held.judged = true;
            }
        }
        Ok(())
    })?;
    let mut spoken = Vec::new();
    each(connection, "SELECT node, chunk FROM main.mention", |row| {
        let found = node_rows.get(&row.get::<_, Id>(0)?).zip(chunk_rows.get(&row.get::<_, Id>(1)?));
        spoken.extend(found.map(|(node, chunk)| (*node, *chunk)));
        Ok(())
    })?;
    let turned =
        |pairs: &[(RowNumber, RowNumber)]| pairs.iter().map(|(one, other)| (other & !ENDED, *one)).collect();
    let shown =
        facts.iter().enumerate().filter_map(|(row, held)| Some((held.as_ref()?.shown, row as RowNumber)));
    let folded = shown.filter(|(shown, row)| shown != row).collect();
    Ok(Grounds {
        stamp,
        pages,
        passages,
        nodes,
        told: Lists::new(turned(&stands)),
        stands: Lists::new(stands),
        folded: Lists::new(folded),
        speaks: Lists::new(turned(&spoken)),
        spoken: Lists::new(spoken),
        kin: Lists::new(kin.members),
        decided: kin.decided,
        facts,
    })
}

pub(super) fn each(
    connection: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// A row's number as a place; one that is too large for it is nowhere.
fn place(row: &Row<'_>, column: usize) -> Result<RowNumber> {
    Ok(RowNumber::try_from(row.get::<_, i64>(column)?).unwrap_or_default() & !ENDED)
}

fn put<T>(list: &mut Vec<Option<T>>, at: RowNumber, value: T) {
    let at = at as usize;
    if list.len() <= at {
        list.resize_with(at + 1, || None);
    }
    list[at] = Some(value);
}

fn read_pages(connection: &Connection) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    each(connection, "SELECT page FROM main.page", |row| {
        pages.push(row.get(0)?);
        Ok(())
    })?;
    pages.sort_unstable();
    Ok(pages)
}

/// From indexes alone, each in its own order: the texts themselves are a hundred times as much.
fn read_passages(connection: &Connection, pages: &[String]) -> Result<(Vec<Option<Passage>>, Rows)> {
    let (mut passages, mut rows) = (Vec::new(), Rows::default());
    each(connection, "SELECT page, row FROM main.chunk INDEXED BY chunk_page", |row| {
        let page = row.get_ref(0)?.as_str().unwrap_or_default();
        let page = pages.binary_search_by(|held| held.as_str().cmp(page)).ok().map(|at| at as u32);
        let passage = Passage { page, is_text: false, since: None, until: Until::Unknown };
        put(&mut passages, place(row, 1)?, passage);
        Ok(())
    })?;
    let texts = "SELECT row FROM main.chunk INDEXED BY chunk_form WHERE form = '\"text\"'";
    each(connection, texts, |row| {
        if let Some(passage) = passages.get_mut(place(row, 0)? as usize).and_then(Option::as_mut) {
            passage.is_text = true;
        }
        Ok(())
    })?;
    each(connection, "SELECT chunk, row FROM main.chunk", |row| {
        rows.insert(row.get(0)?, place(row, 1)?);
        Ok(())
    })?;
    let said = "SELECT chunk, valid_at, ended IS NULL, coalesce(end_at, noticed_at) FROM main.episode";
    each(connection, said, |row| {
        let found = rows.get(&row.get::<_, Id>(0)?).and_then(|at| passages.get_mut(*at as usize)?.as_mut());
        let Some(passage) = found else { return Ok(()) };
        let time = |column| -> Result<Option<Timestamp>> {
            Ok(row.get_ref(column)?.as_str_or_null().ok().flatten().and_then(parse))
        };
        passage.since = time(1)?;
        passage.until = match (row.get(2)?, time(3)?) {
            (true, _) => Until::Now,
            (false, Some(end)) => Until::Then(end),
            (false, None) => Until::Unknown,
        };
        Ok(())
    })?;
    Ok((passages, rows))
}

fn read_nodes(connection: &Connection) -> Result<(Vec<Option<NodeRow>>, Rows)> {
    let (mut nodes, mut rows) = (Vec::new(), Rows::default());
    let sql =
        "SELECT row, node, name, kind = 'Person', key IS NOT NULL AND kind <> 'Label', unsaid,
                      EXISTS (SELECT 1 FROM main.person WHERE person.person = json_extract(node.key, '$.person'))
               FROM main.node";
    each(connection, sql, |row| {
        let (at, id) = (place(row, 0)?, row.get::<_, Id>(1)?);
        let name = row.get_ref(2)?.as_str().unwrap_or_default();
        let is_person: bool = row.get(3)?;
        let named = NodeRow {
            id: NodeId::from_bytes(id),
            kin: None,
            has_titles: row.get::<_, bool>(4)? && !is_person,
            is_person,
            has_account: row.get(6)?,
            was_unsaid: row.get(5)?,
            is_plain: name.is_ascii(),
            words: 0,
        };
        put(&mut nodes, at, named);
        rows.insert(id, at);
        Ok(())
    })?;
    lengths::NAMES.each(connection, |at, words| {
        if let Some(named) = nodes.get_mut(at as usize).and_then(Option::as_mut) {
            named.words = words;
        }
    })?;
    Ok((nodes, rows))
}

fn read_facts(connection: &Connection, nodes: &Rows) -> Result<(Vec<Option<FactRow>>, Rows)> {
    let (mut facts, mut rows, mut folds) = (Vec::new(), Rows::default(), Vec::new());
    each(connection, "SELECT row, fact, subject, object, folded_into FROM main.fact", |row| {
        let (at, id) = (place(row, 0)?, row.get::<_, Id>(1)?);
        let end = |id: Option<Id>| id.and_then(|id| nodes.get(&id).copied());
        let held = FactRow {
            id: FactId::from_bytes(id),
            shown: at,
            says_nothing: false,
            ends: [end(row.get(2)?), end(row.get(3)?)],
            dated: false,
            judged: false,
            said_since: None,
            words: 0,
        };
        put(&mut facts, at, held);
        rows.insert(id, at);
        folds.extend(row.get::<_, Option<Id>>(4)?.map(|into| (at, into)));
        Ok(())
    })?;
    for (at, into) in folds {
        let into = rows.get(&into).copied();
        if let Some((held, into)) = facts[at as usize].as_mut().zip(into) {
            held.says_nothing = into == at;
            held.shown = into;
        }
    }
    lengths::FACTS.each(connection, |at, words| {
        if let Some(held) = facts.get_mut(at as usize).and_then(Option::as_mut) {
            held.words = words;
        }
    })?;
    Ok((facts, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_items_has_an_empty_list() {
        let lists = Lists::new(vec![(3, 7), (1, 9), (3, 2), (3, 7)]);
        let all: Vec<&[RowNumber]> = [0, 1, 2, 3, 4, 9].map(|row| lists.of(row)).to_vec();
        assert_eq!(all, [&[][..], &[9], &[], &[2, 7], &[], &[]]);
        assert!(Lists::new(Vec::new()).of(0).is_empty());
    }
}
