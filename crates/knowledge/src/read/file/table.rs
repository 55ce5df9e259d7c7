//! Tables as text, CSV and its kin, to a Markdown table. It must not know where a table is cut into pieces. Invariants:
//! a row is one line; rows, columns and letters are bounded, and what was left out is counted.

use super::{BODY_CAP_BYTES, Tally, mark};
use csv::{ReaderBuilder, StringRecord};

/// A wider table is data for a program, not for a reader.
const MOST_COLUMNS: usize = 100;
/// More rows are a database's.
const MOST_ROWS: usize = 20_000;
/// Letters of one cell; a longer one is a document of its own.
const MOST_LETTERS: usize = 4_000;
/// Lines that are looked at to find what separates the cells.
const SAMPLE_LINES: usize = 20;

/// The table as Markdown; its first row is the header.
pub(super) fn markdown(text: &str, tabs: bool, tally: &mut Tally) -> String {
    let (declared, text) = declaration(text);
    let separator = match declared {
        _ if tabs => b'\t',
        Some(separator) => separator,
        None => separator(text),
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut rows: Vec<StringRecord> = Vec::new();
    let mut beyond = 0;
    for row in reader.records().map_while(Result::ok) {
        match row.iter().all(|cell| cell.trim().is_empty()) {
            true => {}
            false if rows.len() < MOST_ROWS => rows.push(row),
            false => beyond += 1,
        }
    }
    let widest = rows.iter().map(StringRecord::len).max().unwrap_or(0);
    let width = widest.min(MOST_COLUMNS);
    tally.add("columns left out", widest - width);
    let mut out = String::with_capacity(text.len());
    let mut written = 0;
    for row in &rows {
        if out.len() > BODY_CAP_BYTES {
            break;
        }
        line(&mut out, row, width, tally);
        if written == 0 {
            out.push('|');
            out.push_str(&" --- |".repeat(width));
            out.push('\n');
        }
        written += 1;
    }
    tally.add("rows left out", beyond + rows.len() - written);
    out
}

fn line(out: &mut String, row: &StringRecord, width: usize, tally: &mut Tally) {
    out.push('|');
    for column in 0..width {
        out.push(' ');
        cell(out, row.get(column).unwrap_or_default().trim(), tally);
        out.push_str(" |");
    }
    out.push('\n');
}

/// Lines within a cell become breaks, since a row is one line.
fn cell(out: &mut String, text: &str, tally: &mut Tally) {
    let mut whole = text;
    if let Some((end, _)) = text.char_indices().nth(MOST_LETTERS) {
        tally.add("long cells cut", 1);
        whole = &text[..end];
    }
    for (number, part) in whole.lines().enumerate() {
        out.push_str(if number > 0 { "<br>" } else { "" });
        let mut escaped = String::with_capacity(part.len());
        mark::push(&mut escaped, part.trim(), false);
        out.push_str(&escaped.replace('|', "\\|"));
    }
}

/// Spreadsheets write `sep=;` in a first line of its own.
fn declaration(text: &str) -> (Option<u8>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.trim().strip_prefix("sep=").map(str::as_bytes) {
        Some(&[separator]) if separator.is_ascii() => (Some(separator), rest),
        _ => (None, text),
    }
}

/// What separates the cells: the candidate that occurs in most of the first lines, and most evenly.
fn separator(text: &str) -> u8 {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(SAMPLE_LINES).collect();
    let score = |separator: u8| {
        let counts: Vec<usize> = lines.iter().map(|line| outside_quotes(line, separator)).collect();
        let usual = counts.first().copied().unwrap_or(0);
        let even = counts.iter().filter(|count| **count == usual && usual > 0).count();
        (even, counts.iter().filter(|count| **count > 0).count())
    };
    // In case of a tie the first one counts, so the reverse order for `max_by_key`, which takes the last.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|separator| score(*separator)).unwrap_or(b',')
}

fn outside_quotes(line: &str, wanted: u8) -> usize {
    let mut quoted = false;
    let outside = line.bytes().filter(|byte| {
        quoted ^= *byte == b'"';
        *byte == wanted && !quoted
    });
    outside.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        markdown(text, false, &mut Tally::default())
    }

    #[test]
    fn quotes_line_breaks_and_pipes_stay_inside_their_cell() {
        let table = "Name,Note\nAnna,\"says \"\"hi\"\", often\"\nBen,\"two\nlines | one *cell*\"\n";
        let expected = "| Name | Note |\n| --- | --- |\n| Anna | says \"hi\", often |\n\
                        | Ben | two<br>lines \\| one \\*cell\\* |\n";
        assert_eq!(read(table), expected);
    }

    #[test]
    fn the_separator_is_found_or_declared() {
        let expected = "| a, x | b |\n| --- | --- |\n| 1 | 2 |\n";
        assert_eq!(read("a, x;b\n1;2\n"), expected);
        assert_eq!(read("sep=;\na, x;b\n1;2\n"), expected);
        assert_eq!(read("a, x\tb\n1\t2\n"), expected);
        assert_eq!(read("one\ntwo\n"), "| one |\n| --- |\n| two |\n");
    }

    #[test]
    fn short_rows_are_filled_and_empty_ones_dropped() {
        assert_eq!(read("a,b,c\n\n,,\n1\n"), "| a | b | c |\n| --- | --- | --- |\n| 1 |  |  |\n");
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut tally = Tally::default();
        let wide = format!("{}\n", "x,".repeat(MOST_COLUMNS + 4));
        let long = format!("a,b\n{}", "1,2\n".repeat(MOST_ROWS + 9));
        markdown(&wide, false, &mut tally);
        let text = markdown(&long, false, &mut tally);
        assert!(text.lines().count() == MOST_ROWS + 1);
        let warnings: Vec<_> = tally.warnings().into_iter().map(|w| (w.what, w.count)).collect();
        assert_eq!(warnings, [("columns left out".to_owned(), 5), ("rows left out".to_owned(), 10)]);
    }
}
