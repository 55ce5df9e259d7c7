//! Text as it is compared, with the way back to the text as it is written: models copy words, but not emphasis, links,
//! quotation marks and line breaks. It must not know what is looked for. Invariant: what is found is a piece of the
//! source, cut at characters.

use std::ops::Range;

/// A text without its dress.
pub(super) struct Plain {
    /// Lower case, single spaces, no markup.
    text: String,
    /// For each byte of `text`, where its character begins in the source and where it ends.
    from: Vec<Range<u32>>,
    /// Where a bracket stood: `B[Crawl` and `here](target)there` are two words each, with nothing left between them.
    seams: Vec<usize>,
}

impl Plain {
    /// The form of a text in which it is compared.
    pub fn of(source: &str) -> Plain {
        let mut plain =
            Plain { text: String::with_capacity(source.len()), from: Vec::new(), seams: Vec::new() };
        let mut before = '\n';
        let mut link_end = 0;
        for (at, c) in source.char_indices() {
            let place = at as u32..(at + c.len_utf8()) as u32;
            let rest = &source[at + c.len_utf8()..];
            if at >= link_end {
                plain.take(c, place, (before, rest));
                if let Some(length) = link_target(c, rest) {
                    link_end = at + 1 + length;
                }
            }
            before = c;
        }
        plain
    }

    /// The text that is compared, without space at its ends.
    pub fn text(&self) -> &str {
        self.text.trim()
    }

    /// Where in the source this piece stands first.
    pub fn find(&self, piece: &Plain) -> Option<Range<usize>> {
        let wanted = piece.text();
        (!wanted.is_empty()).then(|| self.text.find(wanted)).flatten().map(|at| self.source(at, wanted.len()))
    }

    /// Whether this piece stands here as whole words.
    pub fn says(&self, piece: &Plain) -> bool {
        self.find_words(piece).is_some()
    }

    /// Where in the source this piece stands first as whole words.
    pub fn find_words(&self, piece: &Plain) -> Option<Range<usize>> {
        let wanted = piece.text();
        let whole = |at: usize| {
            let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let inside = |outer: Option<char>, inner: Option<char>| word(outer) && word(inner);
            let end = at + wanted.len();
            let seam = |at: usize| self.seams.binary_search(&at).is_ok();
            (seam(at) || !inside(self.text[..at].chars().next_back(), wanted.chars().next()))
                && (seam(end) || !inside(self.text[end..].chars().next(), wanted.chars().next_back()))
        };
        let mut places = self.text.match_indices(wanted).map(|(at, _)| at);
        let first = (!wanted.is_empty()).then(|| places.find(|at| whole(*at))).flatten()?;
        Some(self.source(first, wanted.len()))
    }

    /// The source of `length` bytes from `at`.
    fn source(&self, at: usize, length: usize) -> Range<usize> {
        self.from[at].start as usize..self.from[at + length - 1].end as usize
    }

    fn take(&mut self, c: char, place: Range<u32>, (before, rest): (char, &str)) {
        let next = rest.chars().next().unwrap_or('\n');
        let alone = before.is_whitespace() && next.is_whitespace();
        match c {
            '[' | ']' => self.seams.push(self.text.len()),
            '*' | '`' | '~' | '\\' | '"' | '“' | '”' | '„' | '«' | '»' => {}
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\0' => {}
            '_' if !(before.is_alphanumeric() && next.is_alphanumeric()) => {}
            '!' if next == '[' => {}
            '#' if next == '#' || next.is_whitespace() && !before.is_alphanumeric() => {}
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '>' | '+' | '•' if alone => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' => self.push('-', place),
            '‘' | '’' => self.push('\'', place),
            '…' => (0..3).for_each(|_| self.push('.', place.clone())),
            '|' => self.space(place),
            c if c.is_whitespace() => self.space(place),
            c => c.to_lowercase().for_each(|small| self.push(small, place.clone())),
        }
    }

    fn push(&mut self, c: char, place: Range<u32>) {
        self.text.push(c);
        self.from.resize(self.text.len(), place);
    }

    fn space(&mut self, place: Range<u32>) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.push(' ', place);
        }
    }
}

/// The length of `](target)` behind a closing bracket: where a link leads is not what the text says.
fn link_target(c: char, rest: &str) -> Option<usize> {
    let target = rest.strip_prefix('(').filter(|_| c == ']')?;
    let end = target.find([')', '\n', ' ']).filter(|end| target[*end..].starts_with(')'))?;
    Some(1 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(source: &'a str, quote: &str) -> Option<&'a str> {
        Plain::of(source).find(&Plain::of(quote)).map(|range| &source[range])
    }

    proptest! {
        #[test]
        fn any_piece_of_a_text_is_found_in_it_if_it_says_anything(text in "[ a-zA-Z*_é|\\-\n\\[\\]()#İß]{0,60}",
            from in 0..60usize, length in 1..60usize) {
            let piece: String = text.chars().skip(from).take(length).collect();
            // A piece that begins or ends inside markup is dressed otherwise than the whole; words are not.
            let inner = piece.split(|c: char| !c.is_ascii_lowercase()).max_by_key(|word| word.len()).unwrap();
            let said = text.split(|c: char| !c.is_ascii_lowercase()).any(|word| word.contains(inner));
            let in_link = text.contains("](");
            prop_assert!(inner.is_empty() || !said || in_link || found(&text, inner).is_some());
        }

        #[test]
        fn what_is_found_is_cut_at_characters(text in any::<String>(), quote in any::<String>()) {
            let plain = Plain::of(&text);
            if let Some(range) = plain.find(&Plain::of(&quote)) {
                prop_assert!(text.get(range).is_some());
            }
            prop_assert!(plain.text().is_empty() || plain.find(&plain).is_some());
        }
    }

    #[test]
    fn dress_does_not_count() {
        let text =
            "The **Ledger** is owned by [Team Blue](https://x.org/a_(b)) since\n- 2024\u{2011}05\u{2011}01.";
        assert_eq!(found(text, "ledger is owned by Team Blue"), Some("Ledger** is owned by [Team Blue"));
        assert_eq!(found("| Owner | Team Blue |", "Owner Team Blue"), Some("Owner | Team Blue"));
        assert_eq!(found("It’s “late”", "it's late"), Some("It’s “late"));
        assert_eq!(found("# Head\n\n## Sub", "head sub"), Some("Head\n\n## Sub"));
        assert_eq!(found("uses `snake_case` names", "snake_case"), Some("snake_case"));
        assert_eq!(found("nothing of it", "something"), None);
        assert_eq!(found("anything", " ** "), None);
    }

    #[test]
    fn a_bracket_parts_two_words() {
        let says = |text: &str, name: &str| Plain::of(text).says(&Plain::of(name));
        assert!(says("graph TB A[mirror job] --> B[Crawl www]", "TB A"));
        assert!(says("graph TB A[mirror job] --> B[Crawl www]", "Crawl www"));
        assert!(says("[Setup](https://x.org/a)[Load Test](https://x.org/b)", "Load Test"));
        assert!(!says("graph TB A[mirror job] --> B[Crawl www]", "irror job"));
    }

    #[test]
    fn names_are_whole_words() {
        let says = |text: &str, name: &str| Plain::of(text).says(&Plain::of(name));
        assert!(says("The APIs and the API.", "API"));
        assert!(!says("The APIs", "API"));
        assert!(says("C++ is old", "C++"));
        assert!(says("by @{ann}", "@{ann}"));
    }
}
