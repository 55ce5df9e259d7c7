//! What was shown on pages, put together to lines, lines to paragraphs, headings and items. It must not know fonts.
//! The order is that in which a page shows its text, since columns and cells are shown one after the other, and sorting
//! by place would mix them. Invariant: no letter is lost but those of lines that stand on most pages.

use super::page::Run;
use crate::read::file::mark;
use std::collections::{BTreeMap, BTreeSet};

/// Two heights are one line if they differ by less, in units of the size; a raised number is a third higher.
const ONE_LINE: f64 = 0.5;
/// A gap between runs that is a space, in units of the size.
const GAP: f64 = 0.15;
/// A gap that parts cells of a table: wider than spaces become where lines are stretched to the margin, and less than
/// what usual tables leave between the longest cells of two columns.
const CELL_GAP: f64 = 0.9;
/// The same where no space is written between the two, as there is between words.
const BARE_CELL_GAP: f64 = 0.5;
/// Lines of a table stand no further apart, in units of the size.
const ROW_STEP: f64 = 4.0;
/// Lines among which the one is looked for that a bullet shown later belongs to.
const MOST_BACK: usize = 100;
/// Bullets, as they stand before items.
const BULLETS: [char; 13] = ['•', '‣', '◦', '▪', '●', '○', '■', '–', '-', '*', '·', '➢', '✓'];
/// The hyphen that is there only while a word is parted.
const PARTED: char = '\u{ad}';
/// How much larger than the text a heading is.
const HEADING: f64 = 1.12;
/// A heading is no longer.
const MOST_HEADING_BYTES: usize = 200;
/// Lines at the top and at the foot of a page that may be furniture.
const EDGE_LINES: usize = 2;
/// Pages on which a line must stand to be furniture.
const FEWEST_PAGES: usize = 3;

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    left: f64,
    right: f64,
    height: f64,
    /// The size of its longest run: bullets and raised numbers have sizes of their own.
    size: f64,
    longest: usize,
    turns: u8,
    page: usize,
    text: String,
    /// What wide gaps part: where each cell begins and ends, and its first byte.
    cells: Vec<(f64, f64, usize)>,
}

/// The lines of a page, in order.
pub(super) fn lines(runs: &[Run], page: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for run in runs {
        if lines.iter_mut().rev().take(MOST_BACK).any(|line| line.is_marked_by(run)) {
            continue;
        }
        match lines.last_mut().filter(|line| line.continues(run)) {
            Some(line) => line.push(run),
            None => lines.push(Line {
                left: run.left,
                right: run.right,
                height: run.height,
                size: run.size,
                longest: run.text.len(),
                turns: run.turns,
                page,
                text: run.text.trim_start().to_owned(),
                cells: vec![(run.left, run.right, 0)],
            }),
        }
    }
    lines.retain(|line| !line.text.trim().is_empty());
    lines.iter_mut().for_each(|line| line.text.truncate(line.text.trim_end().len()));
    lines
}

impl Line {
    fn continues(&self, run: &Run) -> bool {
        let size = self.size.max(run.size);
        self.turns == run.turns
            && (self.height - run.height).abs() < ONE_LINE * size
            && run.left > self.right - size.min(0.5 * (self.right - self.left) + 0.3 * size)
    }

    /// Takes a bullet that is shown after the text it stands before.
    fn is_marked_by(&mut self, run: &Run) -> bool {
        let bullet = run.text.trim();
        let gap = (self.left - run.right) / run.size.max(self.size).max(0.1);
        let near = run.left < self.left && (-0.5..3.0).contains(&gap);
        let level = self.turns == run.turns && (self.height - run.height).abs() < ONE_LINE * self.size;
        if !near || !level || !BULLETS.iter().any(|one| bullet.strip_prefix(*one) == Some("")) {
            return false;
        }
        self.text.insert(0, ' ');
        self.text.insert_str(0, bullet);
        self.cells.iter_mut().skip(1).for_each(|cell| cell.2 += bullet.len() + 1);
        self.left = run.left;
        true
    }

    fn push(&mut self, run: &Run) {
        // Bold without a bold font is the same text shown twice, a hair's breadth apart.
        if self.text.ends_with(&run.text) && (run.right - self.right).abs() < 0.1 * run.size {
            return;
        }
        let gap = (run.left - self.right) / run.size.min(self.size).max(0.1);
        let spaced = self.text.ends_with(' ') || run.text.starts_with([' ', PARTED]);
        if run.text.trim().is_empty() {
            self.text.push_str(if spaced && self.text.ends_with(' ') { "" } else { " " });
            return;
        }
        if gap > GAP && !spaced {
            self.text.push(' ');
        }
        if gap > (if spaced { CELL_GAP } else { BARE_CELL_GAP })
            && !self.text.trim().is_empty()
            && !self.is_item_mark()
        {
            self.cells.push((run.left, run.right, self.text.len()));
        }
        self.text.push_str(&run.text);
        self.right = self.right.max(run.right);
        if let Some(cell) = self.cells.last_mut() {
            cell.1 = self.right;
        }
        if run.text.len() > self.longest {
            (self.size, self.longest) = (run.size, run.text.len());
        }
    }

    /// It is no more than a bullet or a number so far, which stand apart from their text.
    fn is_item_mark(&self) -> bool {
        let text = self.text.trim();
        text.chars().count() == 1 || self.is_numbered() && !text.contains(' ')
    }

    /// Whether it is the row below another: as many cells, each below the other's.
    fn is_row_below(&self, above: &Self) -> bool {
        let step = (above.height - self.height) / self.size.max(above.size).max(0.1);
        self.page == above.page
            && self.turns == above.turns
            && self.cells.len() > 1
            && self.cells.len() == above.cells.len()
            && (0.5..ROW_STEP).contains(&step)
            && self.cells.iter().zip(&above.cells).all(|(a, b)| a.0 < b.1 && b.0 < a.1)
    }

    /// The text of each cell.
    fn cell_texts(&self) -> impl Iterator<Item = &str> {
        let ends = self.cells.iter().skip(1).map(|cell| cell.2).chain([self.text.len()]);
        self.cells.iter().zip(ends).map(|(cell, end)| self.text.get(cell.2..end).unwrap_or_default().trim())
    }

    fn is_item(&self) -> bool {
        self.item().is_some()
    }

    /// The text behind a bullet.
    fn item(&self) -> Option<&str> {
        let rest = self.text.strip_prefix(BULLETS)?;
        rest.starts_with(' ').then(|| rest.trim_start())
    }

    /// `3.` or `b)` at its front.
    fn is_numbered(&self) -> bool {
        let first = self.text.split(' ').next().unwrap_or_default();
        let Some(number) = first.strip_suffix(['.', ')']) else { return false };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        !number.is_empty() && (digits && number.len() <= 8 || number.len() == 1 && number.is_ascii())
    }
}

/// A whole file's lines as Markdown.
pub(super) fn markdown(mut lines: Vec<Line>, pages: usize) -> String {
    drop_furniture(&mut lines, pages);
    let body =
        usual(lines.iter().map(|line| (halves(line.size), line.text.len()))).unwrap_or(20) as f64 / 2.0;
    let steps =
        lines.windows(2).filter(|pair| pair[0].page == pair[1].page && pair[0].turns == pair[1].turns);
    // Weighed by how long the line above is, since the lines of paragraphs are long.
    let steps =
        steps.map(|pair| ((pair[0].height - pair[1].height) / pair[1].size.max(0.1), pair[0].text.len()));
    let steps = steps
        .filter(|(step, _)| (0.8..2.6).contains(step))
        .map(|(step, weight)| ((step * 10.0) as i64, weight));
    let step = usual(steps).unwrap_or(12) as f64 / 10.0;
    let parts = parts(&lines, step);
    let sizes = heading_sizes(&parts, body);
    let mut out = String::new();
    let mut after_item = false;
    for part in &parts {
        let is_item = matches!(part, Part::Paragraph(paragraph) if paragraph.first.is_item());
        if !out.is_empty() {
            out.push_str(if after_item && is_item { "\n" } else { "\n\n" });
        }
        match part {
            Part::Table(rows) => table(&mut out, rows),
            Part::Paragraph(paragraph) => {
                let level = sizes.get(&halves(paragraph.first.size)).copied();
                paragraph.write(&mut out, level.filter(|_| paragraph.is_heading(body)));
            }
        }
        after_item = is_item;
    }
    out
}

fn table(out: &mut String, rows: &[Line]) {
    for (number, row) in rows.iter().enumerate() {
        out.push_str(if number > 0 { "\n|" } else { "|" });
        for cell in row.cell_texts() {
            let mut escaped = String::with_capacity(cell.len());
            mark::push(&mut escaped, cell, false);
            out.push(' ');
            out.push_str(&escaped.replace('|', "\\|"));
            out.push_str(" |");
        }
        if number == 0 {
            out.push_str("\n|");
            out.push_str(&" --- |".repeat(row.cells.len()));
        }
    }
}

/// Half points.
fn halves(size: f64) -> i64 {
    (size * 2.0).round() as i64
}

/// What is met most, weighed; the smaller one if two are.
fn usual(weighed: impl Iterator<Item = (i64, usize)>) -> Option<i64> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for (value, weight) in weighed {
        *counts.entry(value).or_default() += weight;
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}

/// Heads and feet: what stands at the edge of most pages, but for its number, is kept once.
fn drop_furniture(lines: &mut Vec<Line>, pages: usize) {
    let mut edges: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut edge: Vec<bool> = vec![false; lines.len()];
    let mut start = 0;
    for page in lines.chunk_by(|a, b| a.page == b.page) {
        let mut order: Vec<usize> = (0..page.len()).collect();
        order.sort_by(|a, b| page[*b].height.total_cmp(&page[*a].height));
        let ends = order.iter().take(EDGE_LINES).chain(order.iter().rev().take(EDGE_LINES));
        for at in ends {
            edge[start + at] = true;
            edges.entry(without_numbers(&page[*at].text)).or_default().insert(page[*at].page);
        }
        start += page.len();
    }
    let mut at = 0;
    lines.retain(|line| {
        let on = edges.get(&without_numbers(&line.text)).filter(|_| edge[at]);
        at += 1;
        on.is_none_or(|on| on.len() < FEWEST_PAGES || on.len() * 2 < pages || on.first() == Some(&line.page))
    });
}

fn without_numbers(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).collect()
}

struct Paragraph<'l> {
    first: &'l Line,
    text: String,
}

enum Part<'l> {
    Paragraph(Paragraph<'l>),
    Table(&'l [Line]),
}

impl Paragraph<'_> {
    fn is_heading(&self, body: f64) -> bool {
        let large = self.first.size >= body * HEADING;
        large
            && !self.first.is_item()
            && self.text.len() <= MOST_HEADING_BYTES
            && self.text.chars().any(char::is_alphabetic)
    }

    fn write(&self, out: &mut String, level: Option<usize>) {
        let text = &self.text.replace(PARTED, "");
        match level {
            Some(level) => {
                out.push_str(&"####"[..(level + 1).min(4)]);
                out.push(' ');
                mark::push(out, text, false);
            }
            None if self.first.is_item() => {
                out.push_str("- ");
                mark::push(out, text.split_once(' ').map_or("", |(_, text)| text), true);
            }
            None => mark::push(out, text, true),
        }
    }
}

/// Rows that stand below each other are tables, the other lines paragraphs.
fn parts(lines: &[Line], step: f64) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    let mut before: Option<&Line> = None;
    for rows in lines.chunk_by(|above, line| line.is_row_below(above)) {
        if rows.len() > 1 {
            out.push(Part::Table(rows));
            before = None;
            continue;
        }
        let [line] = rows else { continue };
        let joined = before.is_some_and(|before| !is_new(before, line, step));
        match out.last_mut() {
            Some(Part::Paragraph(paragraph)) if joined => join(&mut paragraph.text, &line.text),
            _ => out.push(Part::Paragraph(Paragraph { first: line, text: line.text.clone() })),
        }
        before = Some(line);
    }
    out
}

/// Whether a line begins a paragraph after the one before it.
fn is_new(before: &Line, line: &Line, step: f64) -> bool {
    let size = before.size.max(line.size).max(0.1);
    let ended = before.text.ends_with(['.', '!', '?', ':', ';', '。']);
    let other = (before.size - line.size).abs() > 0.1 * size || before.turns != line.turns;
    if other || line.is_item() || line.is_numbered() {
        return true;
    }
    let down = (before.height - line.height) / size;
    // A new page or column goes on in the middle of a sentence.
    if before.page != line.page || down < 0.3 {
        return ended || !line.text.starts_with(char::is_lowercase);
    }
    let indented = line.left > before.left + size && ended && !before.is_item() && !before.is_numbered();
    let short = ended && before.right - before.left < 0.7 * (line.right - line.left);
    down > step * 1.3 || indented || short
}

/// A word parted at the end of a line is one word.
fn join(text: &mut String, line: &str) {
    let parted = text.strip_suffix(['-', '\u{2010}']).is_some_and(|word| word.ends_with(char::is_lowercase));
    if text.ends_with(PARTED) || parted && line.starts_with(char::is_lowercase) {
        text.pop();
    } else {
        text.push(' ');
    }
    text.push_str(line);
}

/// The sizes headings have, and how many are larger.
fn heading_sizes(parts: &[Part<'_>], body: f64) -> BTreeMap<i64, usize> {
    let sizes: BTreeSet<i64> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Paragraph(paragraph) if paragraph.is_heading(body) => Some(halves(paragraph.first.size)),
            _ => None,
        })
        .collect();
    sizes.into_iter().rev().zip(0..).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, left: f64, height: f64, size: f64) -> Run {
        let right = left + text.chars().count() as f64 * size * 0.5;
        Run { left, right, height, size, text: text.to_owned(), turns: 0 }
    }

    #[test]
    fn runs_become_lines_and_lines_paragraphs() {
        let runs = [
            run("Results", 50.0, 800.0, 18.0),
            run("The led", 50.0, 770.0, 10.0),
            run("ger grew and was trans-", 85.0, 770.0, 10.0),
            run("ferred.", 50.0, 758.0, 10.0),
            run("A second", 50.0, 734.0, 10.0),
            run("paragraph", 95.0, 734.0, 10.0),
            run("• one", 50.0, 710.0, 10.0),
            run("•", 50.0, 698.0, 10.0),
            run("two", 60.0, 698.0, 10.0),
            run("1. first", 50.0, 686.0, 10.0),
        ];
        let text = markdown(lines(&runs, 0), 1);
        let expected = "# Results\n\nThe ledger grew and was transferred.\n\nA second paragraph\n\n- one\n- two\n\n\
                        1\\. first";
        assert_eq!(text, expected);
    }

    #[test]
    fn rows_below_each_other_are_a_table() {
        let runs = [
            run("Name", 50.0, 700.0, 10.0),
            run("Owner | since", 200.0, 700.0, 10.0),
            run("Ledger", 50.0, 680.0, 10.0),
            run("Anna", 200.0, 680.0, 10.0),
            run("After it", 50.0, 640.0, 10.0),
        ];
        let expected = "| Name | Owner \\| since |\n| --- | --- |\n| Ledger | Anna |\n\nAfter it";
        assert_eq!(markdown(lines(&runs, 0), 1), expected);
    }

    #[test]
    fn bullets_shown_late_and_soft_hyphens_find_their_place() {
        let runs = [
            run("an item that is part\u{ad}", 60.0, 700.0, 10.0),
            run("ed", 60.0, 688.0, 10.0),
            run("another", 60.0, 676.0, 10.0),
            run("•", 50.0, 700.0, 10.0),
            run("•", 50.0, 676.0, 10.0),
        ];
        assert_eq!(markdown(lines(&runs, 0), 1), "- an item that is parted\n- another");
    }

    #[test]
    fn what_stands_on_every_page_is_kept_once() {
        let page = |number: usize| {
            let runs = [
                run("ACME internal", 50.0, 820.0, 8.0),
                run(&format!("Text of page {} is here.", ["one", "two", "three"][number]), 50.0, 700.0, 10.0),
                run("Nothing at the edge.", 50.0, 600.0, 10.0),
                run("And a closing line, unlike others.", 50.0, 500.0 - number as f64, 10.0),
                run(&format!("Page {number}"), 50.0, 20.0, 8.0),
            ];
            lines(&runs, number)
        };
        let text = markdown((0..3).flat_map(page).collect(), 3);
        assert_eq!(text.matches("ACME").count(), 1);
        assert_eq!(text.matches("Page").count(), 1);
        assert_eq!(text.matches("Text of page").count(), 3);
    }
}
