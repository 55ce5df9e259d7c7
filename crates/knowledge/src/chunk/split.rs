//! Splitting a block that is over the cap by itself: between rows, items, lines or sentences, and only where even one
//! of those is over the cap in the middle of it. It must not know headings. Invariant: no unit given back is over the
//! cap, and together they hold every word of the block.

use super::{GAP, Item, Unit, groups, sentences};
use crate::document::{Block, Cell, Definition, Inline, Table, Task};
use std::borrow::Cow;

/// What a nested split leaves for the markers and indentation around it, in quarters of the cap.
const NESTED_QUARTERS: usize = 3;

/// Below this there is no use in looking for a good place: nesting has eaten the room.
const LEAST_CHARS: usize = 64;

/// The Markdown of one block.
pub(crate) fn rendered(block: &Block) -> String {
    crate::read::render_blocks(std::slice::from_ref(block)).trim().to_owned()
}

/// The unit in parts that each fit.
pub(super) fn split<'a>(unit: &Unit<'a>, cap: usize) -> Vec<Unit<'a>> {
    let parts = split_block(&unit.block, cap).into_iter().map(|part| Unit::new(Cow::Owned(part)));
    let fitting = parts.filter(|part| !part.text.is_empty()).flat_map(|part| match part.chars <= cap {
        true => vec![part],
        false => hard(&part.text, cap),
    });
    fitting.collect()
}

/// One level of splitting. A part may still be over the cap when it has no place to be cut at.
fn split_block(block: &Block, cap: usize) -> Vec<Block> {
    if cap < LEAST_CHARS {
        return vec![block.clone()];
    }
    match block {
        Block::Paragraph(inlines) => split_inlines(inlines, cap).into_iter().map(Block::Paragraph).collect(),
        Block::Code { language, title, text } => split_code(language, title, text, cap),
        Block::Table(table) => split_table(table, cap),
        Block::List { start, items } => split_list(*start, items, cap),
        Block::Tasks(tasks) => split_tasks(tasks, cap),
        Block::Definitions(list) => split_definitions(list, cap),
        Block::Panel { kind, title, blocks } => wrapped(blocks, cap, |first, blocks| Block::Panel {
            kind,
            title: title.clone().filter(|_| first),
            blocks,
        }),
        Block::Quote(blocks) => wrapped(blocks, cap, |_, blocks| Block::Quote(blocks)),
        Block::Expand { title, blocks } => wrapped(blocks, cap, |first, blocks| Block::Expand {
            title: title.clone().filter(|_| first),
            blocks,
        }),
        Block::Properties(blocks) => wrapped(blocks, cap, |_, blocks| Block::Properties(blocks)),
        Block::Heading { .. } | Block::Include(_) | Block::Rule => vec![block.clone()],
    }
}

/// Splits the content of a box and puts each part into a box of its own; the title stays with the first.
fn wrapped(blocks: &[Block], cap: usize, wrap: impl Fn(bool, Vec<Block>) -> Block) -> Vec<Block> {
    let parts = split_blocks(blocks, cap * NESTED_QUARTERS / 4);
    parts.into_iter().enumerate().map(|(at, part)| wrap(at == 0, part)).collect()
}

/// Groups of blocks that fit, splitting those that do not.
fn split_blocks(blocks: &[Block], cap: usize) -> Vec<Vec<Block>> {
    let units = blocks.iter().map(|block| Unit::new(Cow::Borrowed(block)));
    let units: Vec<Unit<'_>> = units
        .flat_map(|unit| match unit.chars <= cap || cap < LEAST_CHARS {
            true => vec![unit],
            false => split(&unit, cap),
        })
        .collect();
    let items: Vec<Item> = units.iter().map(|unit| Item::new(unit.chars, &unit.text)).collect();
    let groups = groups(&items, cap);
    groups
        .into_iter()
        .map(|group| units[group].iter().map(|unit| unit.block.clone().into_owned()).collect())
        .collect()
}

/// Items in groups: `single` makes a block of some of them, `broken` splits one that is over the cap by itself.
fn split_items<T: Clone>(
    items: &[T],
    cap: usize,
    single: impl Fn(usize, Vec<T>) -> Block,
    broken: impl Fn(usize, &T) -> Vec<Block>,
) -> Vec<Block> {
    let sizes: Vec<Item> = items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let text = rendered(&single(at, vec![item.clone()]));
            Item::new(text.chars().count(), &text)
        })
        .collect();
    let mut out = Vec::new();
    for group in groups(&sizes, cap) {
        match group.len() == 1 && sizes[group.start].chars > cap {
            true => out.extend(broken(group.start, &items[group.start])),
            false => out.push(single(group.start, items[group].to_vec())),
        }
    }
    out
}

fn split_list(start: Option<u32>, items: &[Vec<Block>], cap: usize) -> Vec<Block> {
    let list = |at: usize, items: Vec<Vec<Block>>| {
        let start = start.map(|first| first.saturating_add(u32::try_from(at).unwrap_or(u32::MAX)));
        Block::List { start, items }
    };
    let broken = |at: usize, item: &Vec<Block>| {
        let parts = split_blocks(item, cap * NESTED_QUARTERS / 4);
        parts.into_iter().map(|part| list(at, vec![part])).collect()
    };
    split_items(items, cap, list, broken)
}

fn split_tasks(tasks: &[Task], cap: usize) -> Vec<Block> {
    let broken = |_: usize, task: &Task| {
        let parts = split_blocks(&task.body, cap * NESTED_QUARTERS / 4);
        parts.into_iter().map(|body| Block::Tasks(vec![Task { done: task.done, body }])).collect()
    };
    split_items(tasks, cap, |_, tasks| Block::Tasks(tasks), broken)
}

fn split_definitions(list: &[Definition], cap: usize) -> Vec<Block> {
    let broken = |_: usize, definition: &Definition| {
        let parts = split_blocks(&definition.blocks, cap * NESTED_QUARTERS / 4);
        let parts = parts.into_iter().map(|blocks| Definition { term: definition.term.clone(), blocks });
        parts.map(|part| Block::Definitions(vec![part])).collect()
    };
    split_items(list, cap, |_, list| Block::Definitions(list), broken)
}

/// Splits between rows; the header rows are repeated. A row over the cap becomes its cells under their headers.
fn split_table(table: &Table, cap: usize) -> Vec<Block> {
    let is_header = |row: &Vec<Cell>| !row.is_empty() && row.iter().all(|cell| cell.header);
    let mut head = table.rows.iter().take_while(|row| is_header(row)).count();
    let size_of_head = rendered(&Block::Table(Table { rows: table.rows[..head].to_vec() })).chars().count();
    if head == table.rows.len() || size_of_head > cap / 2 {
        head = 0;
    }
    let (header, rows) = table.rows.split_at(head);
    let room = cap - if head == 0 { 0 } else { size_of_head + GAP.len() };
    let with_header =
        |rows: Vec<Vec<Cell>>| Block::Table(Table { rows: header.iter().cloned().chain(rows).collect() });
    let sizes: Vec<Item> = rows
        .iter()
        .map(|row| {
            let text = rendered(&Block::Table(Table { rows: vec![row.clone()] }));
            Item::new(text.chars().count(), &text)
        })
        .collect();
    let mut out = Vec::new();
    for group in groups(&sizes, room) {
        match group.len() == 1 && sizes[group.start].chars > room {
            true => out.extend(row_as_blocks(header.last(), &rows[group.start], cap)),
            false => out.push(with_header(rows[group].to_vec())),
        }
    }
    out
}

/// A row that is over the cap by itself, as its cells one after the other.
fn row_as_blocks(header: Option<&Vec<Cell>>, row: &[Cell], cap: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (at, cell) in row.iter().enumerate() {
        blocks.extend(
            header.and_then(|header| header.get(at)).into_iter().flat_map(|cell| cell.blocks.clone()),
        );
        blocks.extend(cell.blocks.clone());
    }
    split_blocks(&blocks, cap).into_iter().flatten().collect()
}

/// Splits at blank lines, else between lines. Each part is a block of code of its own.
fn split_code(language: &Option<String>, title: &Option<String>, text: &str, cap: usize) -> Vec<Block> {
    let around = 16 + language.as_deref().unwrap_or_default().chars().count();
    let room = cap
        .saturating_sub(around + title.as_deref().unwrap_or_default().chars().count())
        .max(LEAST_CHARS / 2);
    let mut pieces: Vec<&str> = Vec::new();
    for paragraph in paragraphs(text) {
        match paragraph.chars().count() <= room {
            true => pieces.push(paragraph),
            false => paragraph.split_inclusive('\n').for_each(|line| pieces.extend(windows(line, room))),
        }
    }
    let items: Vec<Item> = pieces.iter().map(|piece| Item::new(piece.chars().count(), piece)).collect();
    let mut title = title.clone();
    let groups = groups(&items, room).into_iter().map(|group| Block::Code {
        language: language.clone(),
        title: title.take(),
        text: pieces[group].concat().trim_end_matches('\n').to_owned(),
    });
    groups.collect()
}

/// Runs of lines up to and with the blank lines that follow them.
fn paragraphs(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut at, mut blank) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        let is_blank = line.trim().is_empty();
        if blank && !is_blank {
            out.push(&text[start..at]);
            start = at;
        }
        blank = is_blank;
        at += line.len();
    }
    out.push(&text[start..]);
    out
}

/// Splits running text between sentences and at line breaks.
fn split_inlines(inlines: &[Inline], cap: usize) -> Vec<Vec<Inline>> {
    let mut runs: Vec<Vec<Inline>> = vec![Vec::new()];
    for inline in inlines {
        let pieces = match inline {
            Inline::Text(text) => {
                sentences(text).into_iter().map(|part| Inline::Text(part.to_owned())).collect()
            }
            other => vec![other.clone()],
        };
        for piece in pieces {
            let ends = matches!(&piece, Inline::Break)
                || matches!(&piece, Inline::Text(text) if text.trim_end().len() < text.len() && ends_sentence(text));
            runs.last_mut().expect("begins with one run and only grows").push(piece);
            if ends {
                runs.push(Vec::new());
            }
        }
    }
    runs.retain(|run| !run.is_empty());
    let items: Vec<Item> = runs
        .iter()
        .map(|run| {
            let text = rendered(&Block::Paragraph(run.clone()));
            Item::new(text.chars().count(), &text)
        })
        .collect();
    groups(&items, cap).into_iter().map(|group| runs[group].concat()).collect()
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with('\n') || text.trim_end().trim_end_matches(['"', ')', ']', '”']).ends_with(['.', '!', '?'])
}

/// The last resort: cuts the Markdown itself, at white space where there is some.
fn hard(text: &str, cap: usize) -> Vec<Unit<'static>> {
    let parts = windows(text, cap).into_iter().map(str::trim).filter(|part| !part.is_empty());
    let units = parts.map(|part| Unit {
        block: Cow::Owned(Block::Paragraph(vec![Inline::Text(part.to_owned())])),
        text: part.to_owned(),
        chars: part.chars().count(),
    });
    units.collect()
}

/// Slices of at most `cap` characters. A slice ends behind white space if its second half holds some, else behind a
/// mark, else anywhere.
fn windows(text: &str, cap: usize) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((limit, _)) = rest.char_indices().nth(cap.max(1)) {
        let behind = |ends: fn(char) -> bool| {
            let at = rest[..limit].rfind(ends).filter(|&at| at > limit / 2)?;
            Some(at + rest[at..].chars().next().map_or(1, char::len_utf8))
        };
        let end = behind(char::is_whitespace).or_else(|| behind(|c| !c.is_alphanumeric())).unwrap_or(limit);
        out.push(&rest[..end]);
        rest = &rest[end..];
    }
    out.push(rest);
    out
}
