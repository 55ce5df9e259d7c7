//! Paragraphs and cells put together: items to nested lists, merged cells to a grid. It must not know XML. Invariant:
//! lists nest no deeper than the nine levels that items can have.

use crate::document::{Block, Inline, Table};
use crate::read::table::{Allowance, Written, grid};

/// Columns that merged cells are followed in; the grid folds what is wider.
const MOST_COLUMNS: usize = 1_000;

/// A part of a text, in order.
#[derive(Debug)]
pub(super) enum Piece {
    Item(Item),
    Block(Block),
}

/// An item of a list that is not put together yet.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) depth: u8,
    /// Its number, if the list is numbered.
    pub(super) number: Option<u32>,
    pub(super) text: Vec<Inline>,
}

/// A cell as it was written.
#[derive(Debug)]
pub(super) struct Spanned {
    pub(super) written: Written,
    /// It is the lower part of the cell above.
    pub(super) continues: bool,
}

/// Items in a row become lists.
pub(super) fn blocks(pieces: Vec<Piece>) -> Vec<Block> {
    let mut out = Vec::with_capacity(pieces.len());
    let mut items = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Item(item) => items.push(item),
            Piece::Block(block) => {
                lists(&mut out, std::mem::take(&mut items));
                out.push(block);
            }
        }
    }
    lists(&mut out, items);
    out
}

/// An item that is deeper than the first one belongs to the item before it.
fn lists(out: &mut Vec<Block>, items: Vec<Item>) {
    let Some(top) = items.first().map(|item| item.depth) else { return };
    let mut below = Vec::new();
    for item in items {
        if item.depth > top {
            below.push(item);
            continue;
        }
        close(out, std::mem::take(&mut below));
        let block = Block::Paragraph(item.text);
        match out.last_mut() {
            Some(Block::List { start, items }) if start.is_some() == item.number.is_some() => {
                items.push(vec![block])
            }
            _ => out.push(Block::List { start: item.number, items: vec![vec![block]] }),
        }
    }
    close(out, below);
}

fn close(out: &mut [Block], below: Vec<Item>) {
    if let Some(Block::List { items, .. }) = out.last_mut()
        && let Some(item) = items.last_mut()
    {
        lists(item, below);
    }
}

/// Cells that continue the one above make it taller; the grid repeats its text.
pub(super) fn table(rows: Vec<Vec<Spanned>>, allowance: &mut Allowance) -> (Block, bool) {
    let mut out: Vec<Vec<Written>> = Vec::with_capacity(rows.len());
    // Where the cell is that covers each column: its row, and its place in that row.
    let mut owners: Vec<Option<(usize, usize)>> = Vec::new();
    for (number, row) in rows.into_iter().enumerate() {
        let mut written = Vec::with_capacity(row.len());
        let mut column = 0;
        for Spanned { written: cell, continues } in row {
            let columns = cell.columns;
            let owner = owners.get(column).copied().flatten().filter(|_| continues);
            match owner.and_then(|(row, place)| out.get_mut(row)?.get_mut(place)) {
                Some(above) => above.rows += 1,
                None if column + columns > MOST_COLUMNS => written.push(cell),
                None => {
                    owners.resize(owners.len().max(column + columns), None);
                    owners[column..column + columns].fill(Some((number, written.len())));
                    written.push(cell);
                }
            }
            column += columns;
        }
        out.push(written);
    }
    let (Table { rows }, cut) = grid(out, allowance);
    (Block::Table(Table { rows }), cut)
}
