//! The grid of a table: spans are expanded, rows are made equally long. It must not know markup. Invariants:
//! the result is a rectangle, and no page can make it larger than a small multiple of its source.

use crate::document::{Block, Cell, Inline, Table};

/// A row may not be wider; HTML stops a `colspan` at the same number.
const MOST_COLUMNS: usize = 1000;
/// Padding may multiply the cells of a table by this much, beyond the allowance of a small one: a real table
/// with one wide row stays whole, a hostile one is folded.
const PADDING_FACTOR: usize = 8;
/// Cells any table may have, however few of them were written.
const FREE_CELLS: usize = 4096;

/// A cell as written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) cell: Cell,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// What repeating spanned cells may still cost on this page, in bytes of memory, roughly.
#[derive(Debug)]
pub(super) struct Allowance(usize);

impl Allowance {
    /// Four times the page, and a million for small pages: real spans repeat a word or two.
    pub(super) fn of(page_bytes: usize) -> Self {
        Self(page_bytes.saturating_mul(4).saturating_add(1_000_000))
    }

    fn take(&mut self, cost: usize) -> bool {
        let enough = cost <= self.0;
        if enough {
            self.0 -= cost;
        }
        enough
    }
}

/// A cell that reaches into the rows below.
struct Reaching {
    cell: Cell,
    cost: usize,
    rows: usize,
}

/// Expands the grid. The flag says that something had to be cut short or folded.
pub(super) fn grid(written: Vec<Vec<Written>>, allowance: &mut Allowance) -> (Table, bool) {
    let count: usize = written.iter().map(Vec::len).sum();
    let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(written.len());
    let mut reaching: Vec<Option<Reaching>> = Vec::new();
    let mut cut = false;
    let height = written.len();
    for (number, cells) in written.into_iter().enumerate() {
        let mut row = Vec::with_capacity(cells.len().max(rows.last().map_or(0, Vec::len)));
        for mut source in cells {
            source.rows = source.rows.min(height - number);
            cut |= carry_down(&mut row, &mut reaching, allowance);
            cut |= place(&mut row, &mut reaching, source, allowance);
        }
        cut |= carry_rest(&mut row, &mut reaching, allowance);
        if !row.is_empty() {
            rows.push(row);
        }
    }
    cut |= square(&mut rows, count);
    (Table { rows }, cut)
}

/// Fills the columns that cells from above still cover, up to the first free one.
fn carry_down(row: &mut Vec<Cell>, reaching: &mut [Option<Reaching>], allowance: &mut Allowance) -> bool {
    let mut cut = false;
    while let Some(slot @ Some(_)) = reaching.get_mut(row.len()) {
        cut |= carry(row, slot, allowance);
    }
    cut
}

/// Fills what cells from above cover to the right of the last cell of the row.
fn carry_rest(row: &mut Vec<Cell>, reaching: &mut Vec<Option<Reaching>>, allowance: &mut Allowance) -> bool {
    let mut cut = false;
    while reaching.last().is_some_and(Option::is_none) {
        reaching.pop();
    }
    while row.len() < reaching.len() {
        match reaching.get_mut(row.len()) {
            Some(slot @ Some(_)) => cut |= carry(row, slot, allowance),
            _ => row.push(Cell::default()),
        }
    }
    cut
}

fn carry(row: &mut Vec<Cell>, slot: &mut Option<Reaching>, allowance: &mut Allowance) -> bool {
    let Some(above) = slot else { return false };
    let affordable = allowance.take(above.cost);
    above.rows -= 1;
    let last = above.rows == 0 || !affordable;
    row.push(if affordable { above.cell.clone() } else { Cell::default() });
    if last {
        *slot = None;
    }
    !affordable
}

fn place(
    row: &mut Vec<Cell>,
    reaching: &mut Vec<Option<Reaching>>,
    source: Written,
    allowance: &mut Allowance,
) -> bool {
    let Written { cell, columns, rows } = source;
    let mut cut = columns > MOST_COLUMNS;
    let cost = if columns > 1 || rows > 1 { cost(&cell) } else { 0 };
    let first = row.len();
    let end = first + columns.clamp(1, MOST_COLUMNS);
    row.push(cell);
    while row.len() < end {
        if row.len() >= MOST_COLUMNS || !allowance.take(cost) {
            cut = true;
            break;
        }
        row.push(row[first].clone());
    }
    if rows < 2 {
        return cut;
    }
    if reaching.len() < row.len() {
        reaching.resize_with(row.len(), || None);
    }
    for slot in &mut reaching[first..row.len()] {
        if !allowance.take(cost) {
            return true;
        }
        *slot = Some(Reaching { cell: row[first].clone(), cost, rows: rows - 1 });
    }
    cut
}

/// Makes all rows equally long. Where that would cost too much, what is too far right joins the last column.
fn square(rows: &mut [Vec<Cell>], written: usize) -> bool {
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let most_cells = written.saturating_mul(PADDING_FACTOR).max(FREE_CELLS);
    let width = widest.min(MOST_COLUMNS).min((most_cells / rows.len().max(1)).max(1));
    for row in rows.iter_mut() {
        let beyond = row.split_off(width.min(row.len()));
        if let Some(last) = row.last_mut() {
            last.blocks.extend(beyond.into_iter().flat_map(|cell| cell.blocks));
        }
        row.resize_with(width, Cell::default);
    }
    width < widest
}

/// Roughly the memory a copy of a cell takes.
fn cost(cell: &Cell) -> usize {
    64 + cell.blocks.iter().map(block_cost).sum::<usize>()
}

fn blocks_cost(blocks: &[Block]) -> usize {
    blocks.iter().map(block_cost).sum()
}

fn block_cost(block: &Block) -> usize {
    64 + match block {
        Block::Heading { text, .. } | Block::Paragraph(text) => inlines_cost(text),
        Block::List { items, .. } => items.iter().map(|item| blocks_cost(item)).sum(),
        Block::Tasks(tasks) => tasks.iter().map(|task| blocks_cost(&task.body)).sum(),
        Block::Table(table) => table.rows.iter().flatten().map(cost).sum(),
        Block::Code { text, .. } => text.len(),
        Block::Panel { blocks, .. } | Block::Expand { blocks, .. } => blocks_cost(blocks),
        Block::Quote(blocks) | Block::Properties(blocks) => blocks_cost(blocks),
        Block::Definitions(all) => {
            all.iter().map(|one| inlines_cost(&one.term) + blocks_cost(&one.blocks)).sum()
        }
        Block::Include(link) => inlines_cost(&link.text),
        Block::Rule => 0,
    }
}

fn inlines_cost(inlines: &[Inline]) -> usize {
    let cost = |inline: &Inline| match inline {
        Inline::Text(text) | Inline::Code(text) => 32 + text.len(),
        Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Strike(inner) => 32 + inlines_cost(inner),
        Inline::Link(link) => 128 + inlines_cost(&link.text),
        Inline::Image { alt, target } => 64 + alt.len() + target.len(),
        _ => 64,
    };
    inlines.iter().map(cost).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str, columns: usize, rows: usize) -> Written {
        let blocks = vec![Block::Paragraph(vec![Inline::Text(text.to_owned())])];
        Written { cell: Cell { header: false, blocks }, columns, rows }
    }

    fn words(table: &Table) -> Vec<Vec<String>> {
        let word = |cell: &Cell| match cell.blocks.first() {
            Some(Block::Paragraph(text)) => crate::read::plain(text),
            _ => String::new(),
        };
        table.rows.iter().map(|row| row.iter().map(word).collect()).collect()
    }

    #[test]
    fn spans_in_both_directions_repeat_their_text() {
        let rows = vec![
            vec![written("a", 2, 2), written("b", 1, 1)],
            vec![written("c", 1, 1)],
            vec![written("d", 1, 1), written("e", 2, 5)],
        ];
        let (table, cut) = grid(rows, &mut Allowance::of(100));
        assert_eq!(words(&table), [["a", "a", "b"], ["a", "a", "c"], ["d", "e", "e"]]);
        assert!(!cut);
    }

    #[test]
    fn an_absurd_span_is_cut_short() {
        let (table, cut) = grid(vec![vec![written("a", 100_000, 1)]], &mut Allowance::of(100));
        assert!(cut);
        assert!(table.rows[0].len() <= MOST_COLUMNS);
    }

    proptest! {
        #[test]
        fn every_table_is_a_rectangle_that_holds_every_word(
            sizes in prop::collection::vec(prop::collection::vec((0usize..9, 0usize..9), 0..7), 0..9)
        ) {
            let mut names = Vec::new();
            let rows = sizes.iter().enumerate().map(|(row, cells)| {
                cells.iter().enumerate().map(|(column, &(columns, rows))| {
                    names.push(format!("w{row}x{column}"));
                    written(&names[names.len() - 1], columns, rows)
                }).collect()
            }).collect();
            let (table, _) = grid(rows, &mut Allowance::of(100));
            let width = table.rows.first().map_or(0, Vec::len);
            prop_assert!(table.rows.iter().all(|row| row.len() == width));
            let held: Vec<String> = words(&table).concat();
            prop_assert!(names.iter().all(|name| held.contains(name)));
        }
    }
}
