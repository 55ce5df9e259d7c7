//! Tables: key and value, or a thing a row. This file must not know running text. Invariant: a claim stands on the row
//! that states it, and a table whose shape is not understood says nothing.

use super::place::Place;
use super::relations::{from_header, is_counter, is_single};
use super::saying::{Said, Saying, Stated};
use super::words::{Other, named, other, plain_blocks};
use super::{dates, names, place};
use crate::document::{Block, Cell, Inline, Table};
use crate::graph::{Mention, Object};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Longest header; longer first rows are data.
const HEADER_CHARS: usize = 60;

/// First headers of tables that list properties, with a second header from `VALUE_HEADERS`.
#[rustfmt::skip]
const KEY_HEADERS: &[&str] = &[
    "key", "name", "property", "property name", "field", "attribute", "criteria", "criterion", "parameter",
    "metric", "info", "item", "setting", "variable", "variable name", "option", "characteristic", "aspect",
    "", "details", "environment variable",
];

/// Headers of a column of plain values.
const VALUE_HEADERS: &[&str] =
    &["value", "values", "info", "details", "detail", "data", "configuration", "", "answer", "setting"];

/// Reads a table; `text` is how it reads in the chunk.
pub(super) fn table(place: &Place<'_>, table: &Table, text: &str, saying: &mut Saying<'_>) {
    let properties = place.properties;
    let Some(columns) = table.rows.first().map(Vec::len) else { return };
    let Some(lines) = row_lines(table, text) else { return };
    let rows: Vec<Row<'_>> = table.rows.iter().zip(lines).map(|(cells, line)| Row { cells, line }).collect();
    let headed = columns > 1 && is_header(&table.rows[0]) && rows.len() > 1;
    let keyed = rows.iter().all(|row| row.cells[0].header) || !headed;
    if properties && columns == 2 || columns == 2 && keyed && !headed {
        pairs(place, &rows, saying);
    } else if properties && headed && rows.len() == 2 {
        turned(place, &rows[0], &rows[1], saying);
    } else if headed && columns == 2 && lists_properties(&table.rows[0]) {
        pairs(place, &rows[1..], saying);
    } else if headed {
        entities(place, &rows[0], &rows[1..], saying);
    }
}

/// A row and the line that renders it.
struct Row<'a> {
    cells: &'a [Cell],
    line: &'a str,
}

/// The lines of the rows in the text, if there is one for each.
fn row_lines<'a>(table: &Table, text: &'a str) -> Option<Vec<&'a str>> {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_rule(line)).collect();
    let piped: Vec<&str> = lines.iter().copied().filter(|line| line.starts_with('|')).collect();
    let rows = table.rows.len();
    match (piped.len(), lines.len()) {
        (found, _) if found == rows => Some(piped),
        // A table without headers is written under a blank header line.
        (found, _) if found == rows + 1 => Some(piped[1..].to_vec()),
        (0, found) if found == rows => Some(lines),
        _ => None,
    }
}

fn is_rule(line: &str) -> bool {
    line.starts_with("| ---") && line.chars().all(|c| "|-: ".contains(c))
}

/// Marked up as a header and short enough to be one; converters mark the first row whatever it holds.
fn is_header(row: &[Cell]) -> bool {
    let looks_like_data = |text: &str| {
        let word = !text.contains(' ');
        let coded = text.contains('_') || text.contains('.') && text.contains(|c: char| c.is_ascii_digit());
        text.chars().count() > HEADER_CHARS || names::is_address(text) || word && coded
    };
    let texts: Vec<String> = row.iter().map(|cell| plain_blocks(&cell.blocks)).collect();
    row.iter().all(|cell| cell.header)
        && texts.iter().filter(|text| !text.is_empty()).count() > 1
        && !texts.iter().any(|text| looks_like_data(text))
}

fn lists_properties(header: &[Cell]) -> bool {
    let lower = |cell: &Cell| plain_blocks(&cell.blocks).to_lowercase();
    KEY_HEADERS.contains(&lower(&header[0]).as_str()) && VALUE_HEADERS.contains(&lower(&header[1]).as_str())
}

/// Rows of a key and a value: properties of what the section is about, or values of settings that have a name.
fn pairs(place: &Place<'_>, rows: &[Row<'_>], saying: &mut Saying<'_>) {
    let properties = place.properties;
    let keys: Vec<String> =
        rows.iter().map(|row| names::bare(&plain_blocks(&row.cells[0].blocks)).to_owned()).collect();
    let short = keys.iter().filter(|key| names::can_be_name(key.trim_end_matches(':'))).count();
    if !properties && short * 3 < keys.len() * 2 {
        return;
    }
    for (row, key) in rows.iter().zip(&keys) {
        let key = key.trim_end_matches([':', ' ']);
        if !names::can_be_name(key) {
            continue;
        }
        let setting =
            !properties && !key.contains(' ') && (names::is_identifier(key) || is_code(&row.cells[0]));
        let (subject, relation) = match (setting, properties) {
            (true, _) => (saying.mention(names::component(key)), Some("value".to_owned())),
            (false, true) => (saying.mention(super::saying::this_page(place.page)), from_header(key)),
            (false, false) => (place.subject(saying), from_header(key)),
        };
        let Some(relation) = relation else { continue };
        let said =
            Half { subject, relation: &relation, line: row.line, single: true, since: None, until: None };
        state(place, said, &row.cells[1].blocks, saying);
    }
}

fn is_code(cell: &Cell) -> bool {
    matches!(cell.blocks.as_slice(), [Block::Paragraph(inlines)] if matches!(inlines.as_slice(), [Inline::Code(_)]))
}

/// Page properties lying on their side: one row of headers, one of values.
fn turned(place: &Place<'_>, header: &Row<'_>, values: &Row<'_>, saying: &mut Saying<'_>) {
    let subject = saying.mention(super::saying::this_page(place.page));
    for (head, cell) in header.cells.iter().zip(values.cells) {
        if let Some(relation) = from_header(&plain_blocks(&head.blocks)) {
            let said = Half {
                subject,
                relation: &relation,
                line: values.line,
                single: true,
                since: None,
                until: None,
            };
            state(place, said, &cell.blocks, saying);
        }
    }
}

/// A table with a thing a row: the first column that is no counter names it, the others say something of it.
fn entities(place: &Place<'_>, header: &Row<'_>, rows: &[Row<'_>], saying: &mut Saying<'_>) {
    let heads: Vec<String> = header.cells.iter().map(|cell| plain_blocks(&cell.blocks)).collect();
    let Some(key) = key_column(&heads, rows) else { return };
    let relations: Vec<Option<String>> = (0..heads.len()).map(|at| relation(&heads, key, at)).collect();
    let names: Vec<String> =
        rows.iter().map(|row| names::bare(&plain_blocks(&row.cells[key].blocks)).to_owned()).collect();
    let good = names.iter().filter(|name| names::can_be_name(name) && dates::date(name).is_none()).count();
    let dated = matches!(
        from_header(&heads[key]).as_deref(),
        Some("since" | "until" | "date" | "note" | "described_as")
    );
    if good * 3 < names.len() * 2 || dated {
        return;
    }
    let owned = relations.iter().flatten().any(|relation| names::OWNING.contains(&relation.as_str()));
    let naming = RowNames { place, head: &heads[key], owned };
    for (at, row) in rows.iter().enumerate() {
        if !names::can_be_name(&names[at]) {
            continue;
        }
        let unique = names.iter().filter(|name| **name == names[at]).count() == 1;
        let Some(mention) = naming.of(&row.cells[key], &names[at]) else { continue };
        let subject = saying.mention(mention);
        let date_in = |wanted: &[&str]| {
            let column = relations
                .iter()
                .position(|relation| relation.as_deref().is_some_and(|r| wanted.contains(&r)));
            column.and_then(|column| dates::date(&plain_blocks(&row.cells[column].blocks)))
        };
        let (since, until) = (date_in(&["since", "release_date", "date", "released"]), date_in(&["until"]));
        for (column, relation) in relations.iter().enumerate() {
            let Some(relation) = relation.as_deref().filter(|_| column != key) else { continue };
            let single = unique && is_single(relation);
            let said = Half { subject, relation, line: row.line, single, since, until };
            state(place, said, &row.cells[column].blocks, saying);
        }
    }
}

/// The column that names the rows: the first that is no counter; but where its names repeat, as those of a group do,
/// the next column of things.
fn key_column(heads: &[String], rows: &[Row<'_>]) -> Option<usize> {
    let first = heads.iter().position(|head| !is_counter(head) || head.is_empty())?;
    let repeats = |column: usize| {
        let names: BTreeSet<String> =
            rows.iter().map(|row| plain_blocks(&row.cells[column].blocks)).collect();
        names.len() < rows.len()
    };
    let things = (first + 1..heads.len()).filter(|&column| place::naming(&heads[column]).is_some());
    let better = || things.take(3).find(|&column| !repeats(column));
    if repeats(first) { better().or(Some(first)) } else { Some(first) }
}

/// The relation of a column; `Deprecated API | Alternate API` and the like say what replaces what.
fn relation(heads: &[String], key: usize, column: usize) -> Option<String> {
    let (first, this) = (heads[key].to_lowercase(), heads[column].to_lowercase());
    let old = first.contains("deprecated") || first == "old" || first.starts_with("old ");
    let new = this.contains("alternat") || this.starts_with("new") || this.contains("replacement");
    if old && new && column != key {
        return Some("replaced_by".to_owned());
    }
    from_header(&heads[column])
}

/// What rows are called: under which header, and whether their table says who owns what.
struct RowNames<'a> {
    place: &'a Place<'a>,
    head: &'a str,
    owned: bool,
}

impl RowNames<'_> {
    /// What a row is about.
    fn of(&self, cell: &Cell, name: &str) -> Option<Mention> {
        let alone = match cell.blocks.as_slice() {
            [Block::Paragraph(inlines)] if inlines.len() == 1 => named(&inlines[0], self.place.page),
            _ => None,
        };
        if alone.is_some() {
            return alone;
        }
        let words = name.split_whitespace().count();
        let row = || match self.owned {
            true => self.place.owned_row(name, self.head),
            false => self.place.row(name, self.head),
        };
        (words <= 6 || names::is_proper(name)).then(row)
    }
}

/// A claim of a row without its object.
struct Half<'a> {
    subject: Said,
    relation: &'a str,
    line: &'a str,
    single: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// Adds what a cell says.
fn state(place: &Place<'_>, said: Half<'_>, blocks: &[Block], saying: &mut Saying<'_>) {
    let (relation, other) = match other(blocks, place.page) {
        // A column of remarks that holds defaults says so in the cell.
        Other::Words(words) if words.to_lowercase().starts_with("eg:") => {
            ("example", Other::Words(words["eg:".len()..].trim().to_owned()))
        }
        Other::Words(words) if words.to_lowercase().starts_with("default value:") => {
            ("default_value", Other::Words(words["default value:".len()..].trim().to_owned()))
        }
        other => (said.relation, other),
    };
    let objects = objects(other, relation, saying);
    let single = said.single && objects.len() == 1;
    for object in objects {
        let claim = Stated::new(said.subject, relation, object, said.line);
        saying.claim(Stated { valid_at: said.since, invalid_at: said.until, single, ..claim });
    }
}

/// Relations whose other end is a thing even when it is written without markup.
#[rustfmt::skip]
const NAMED_ENDS: &[&str] = &[
    "owned_by", "maintained_by", "team", "depends_on", "replaced_by", "replaces", "runs_on", "part_of",
    "written_in", "required_by", "assigned_to", "responsible", "lead",
];

/// The other ends of a claim.
pub(super) fn objects(other: Other, relation: &str, saying: &mut Saying<'_>) -> Vec<Object<Said>> {
    match other {
        Other::Part(first) if matches!(relation, "described_as" | "purpose" | "note") => {
            vec![Object::Value(first)]
        }
        Other::Blank | Other::Part(_) => Vec::new(),
        Other::Names(names) => names.into_iter().map(|name| Object::Named(saying.mention(name))).collect(),
        Other::Words(words) if NAMED_ENDS.contains(&relation) => match ends(&words) {
            Some(names) => names.into_iter().map(|name| Object::Named(saying.mention(name))).collect(),
            None => vec![Object::Value(words)],
        },
        Other::Words(words) => vec![Object::Value(words)],
    }
}

/// Words such as `Payments team, Team Blue` as names, if all of them can be.
fn ends(words: &str) -> Option<Vec<Mention>> {
    let parts: Vec<&str> =
        words.split([',', ';', '/']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let fits = |part: &&str| names::can_be_name(part) && part.split_whitespace().count() <= 5;
    let all = !parts.is_empty() && parts.len() <= 8 && parts.iter().all(fits);
    all.then(|| parts.into_iter().map(by_shape).collect())
}

fn by_shape(name: &str) -> Mention {
    match names::issue(name) {
        Some(issue) => issue,
        None if names::is_identifier(name) => names::component(name),
        None => names::thing(name),
    }
}
