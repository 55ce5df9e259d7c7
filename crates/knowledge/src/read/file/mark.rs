//! Foreign text inside Markdown: what would read as markup gets a backslash. It must not know where a text is from.
//! Invariant: read as Markdown again, the text is what it was, apart from white space.

/// Appends running text. `starts_line` says that a marker at its front would begin a heading, a list or a quotation.
pub(super) fn push(out: &mut String, text: &str, starts_line: bool) {
    let text = if starts_line { text.trim_start() } else { text };
    let marker = if starts_line { marker(text) } else { None };
    let mut before = ' ';
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let after = letters.peek().map_or(' ', |(_, letter)| *letter);
        if marker == Some(at) || is_markup(letter, before, after) {
            out.push('\\');
        }
        out.push(letter);
        before = letter;
    }
}

/// Where the letter is that would make the line a heading, an item, a quotation, a table or a rule.
fn marker(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let ends = |at: usize| text.as_bytes().get(at).is_none_or(u8::is_ascii_whitespace);
    if digits > 0 {
        return (text[digits..].starts_with(['.', ')']) && ends(digits + 1)).then_some(digits);
    }
    let first = text.chars().next()?;
    let is_marker = match first {
        '>' | '=' | '|' => true,
        '-' | '+' | ':' => ends(1) || text[1..].starts_with(first),
        '#' => ends(text.bytes().take_while(|byte| *byte == b'#').count()),
        _ => false,
    };
    is_marker.then_some(0)
}

fn is_markup(letter: char, before: char, after: char) -> bool {
    match letter {
        '\\' | '`' | '*' | '[' | '~' => true,
        '_' => !(before.is_alphanumeric() && after.is_alphanumeric()),
        '<' => after.is_ascii_alphabetic() || matches!(after, '/' | '!' | '?'),
        '&' => after.is_ascii_alphabetic() || after == '#',
        _ => false,
    }
}

/// Running text as it is written at the front of a line.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    push(&mut out, text, true);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Block;
    use crate::page::BodyFormat;
    use proptest::prelude::*;

    #[test]
    fn only_what_would_be_markup_is_protected() {
        assert_eq!(line("plain text, snake_case and 3 < 4 & 5"), "plain text, snake_case and 3 < 4 & 5");
        assert_eq!(line("# no heading"), "\\# no heading");
        assert_eq!(line("12. May, 1.5 -5"), "12\\. May, 1.5 -5");
        assert_eq!(line("1.5 or #4 or -5"), "1.5 or #4 or -5");
        assert_eq!(line("- a *b* <b> &lt;"), "\\- a \\*b\\* \\<b> \\&lt;");
    }

    proptest! {
        #[test]
        fn what_was_protected_reads_as_it_was(
            text in "([a-z0-9 ]|[#*_<>&;|~`.()=+:!$^\\[\\]\\\\-]){0,40}"
        ) {
            let document = crate::read::document(BodyFormat::Markdown, &line(&text));
            let read = match document.blocks.as_slice() {
                [] => String::new(),
                [Block::Paragraph(inlines)] => crate::read::plain(inlines),
                other => format!("{other:?}"),
            };
            let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(folded(&read), folded(&text));
        }
    }
}
