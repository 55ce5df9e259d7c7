//! What a page file says about itself: front matter, its first heading, an HTML title. Pure text rules.

use std::collections::BTreeSet;

/// The metadata a Markdown file may begin with, between two lines of `---`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Front {
    pub(crate) title: Option<String>,
    pub(crate) created: Option<String>,
    pub(crate) updated: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) editor: Option<String>,
    pub(crate) space: Option<String>,
    pub(crate) labels: BTreeSet<String>,
}

/// Splits front matter from the text below it. Only the flat part of YAML that such files use is read: `key:
/// value`, `key: [a, b]`, and a key followed by lines of `- a`. What it does not know it leaves out.
pub(crate) fn split(text: &str) -> (Front, &str) {
    let none = (Front::default(), text);
    let Some(rest) = text.strip_prefix("---").map(|rest| rest.trim_start_matches([' ', '\t', '\r'])) else {
        return none;
    };
    let Some(rest) = rest.strip_prefix('\n') else { return none };
    let (mut front, mut key, mut read) = (Front::default(), String::new(), 0);
    for line in rest.split_inclusive('\n') {
        read += line.len();
        let line = line.trim_end();
        if line == "---" || line == "..." {
            return (front, &rest[read..]);
        }
        if let Some(item) = line.trim_start().strip_prefix("- ") {
            front.set(&key, item);
        } else if let Some((name, value)) =
            line.split_once(':').filter(|_| !line.starts_with([' ', '\t', '#']))
        {
            key = name.trim().to_ascii_lowercase();
            front.set(&key, value);
        }
    }
    none
}

impl Front {
    fn set(&mut self, key: &str, value: &str) {
        let value = value.trim();
        let list = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
        let items: Vec<&str> = match list {
            Some(list) => list.split(',').map(plain).filter(|item| !item.is_empty()).collect(),
            None => Some(plain(value)).filter(|value| !value.is_empty()).into_iter().collect(),
        };
        let first = || items.first().map(|item| (*item).to_owned());
        match key {
            "title" => self.title = first().or(self.title.take()),
            "date" | "created" | "published" => self.created = self.created.take().or(first()),
            "updated" | "modified" | "lastmod" | "last_updated" | "last_modified" => {
                self.updated = self.updated.take().or(first());
            }
            "author" | "authors" => self.author = self.author.take().or(first()),
            "editor" => self.editor = first(),
            "space" => self.space = first(),
            "labels" | "tags" | "label" | "tag" => self.labels.extend(
                items
                    .iter()
                    .flat_map(|item| item.split(','))
                    .map(|item| item.trim().to_owned())
                    .filter(|item| !item.is_empty()),
            ),
            _ => {}
        }
    }
}

/// A value without the quotes around it.
fn plain(value: &str) -> &str {
    let value = value.trim();
    let quoted = |mark: char| value.strip_prefix(mark).and_then(|value| value.strip_suffix(mark));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value).trim()
}

/// The first heading of level 1 outside of code.
pub(crate) fn heading(text: &str) -> Option<String> {
    let (mut fenced, mut before) = (false, "");
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            fenced = !fenced;
        }
        if !fenced {
            if let Some(title) = line.strip_prefix("# ") {
                return Some(title.trim().trim_end_matches('#').trim().to_owned())
                    .filter(|title| !title.is_empty());
            }
            if line.len() > 2 && line.trim_end().bytes().all(|byte| byte == b'=') && !before.trim().is_empty()
            {
                return Some(before.trim().to_owned());
            }
        }
        before = line;
    }
    None
}

/// The text of `<title>`, or of the first `<h1>`, tags left out.
pub(crate) fn html_title(text: &str) -> Option<String> {
    let inner = between(text, "title").or_else(|| between(text, "h1"))?;
    let mut pieces = inner.split('<');
    // The first piece is text, each of the others begins inside a tag.
    let mut title = pieces.next().unwrap_or_default().to_owned();
    pieces.for_each(|piece| title.push_str(piece.split_once('>').map_or("", |(_, shown)| shown)));
    let title =
        title.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let title = title.replace("&#39;", "'").replace("&amp;", "&");
    Some(title.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|title| !title.is_empty())
}

/// What is inside `<body>`, or everything.
pub(crate) fn html_body(text: &str) -> &str {
    between(text, "body").unwrap_or(text)
}

/// What is inside the first element of a name, whatever its attributes; names in any case.
fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    let open = lower
        .match_indices(&format!("<{name}"))
        .find(|(at, found)| lower[at + found.len()..].starts_with(['>', ' ', '\t', '\n', '\r']))?;
    let from = open.0 + lower[open.0..].find('>')? + 1;
    let to = from + lower[from..].find(&format!("</{name}"))?;
    Some(&text[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_is_read_and_cut_off() {
        let text = "---\ntitle: \"A: b\"\ndate: 2024-03-01\nupdated: 2024-04-01\ntags: [x, y]\n\
            author: Alex Example\nother:\n  - z\nlabels:\n  - q\n---\n# Body\n";
        let (front, body) = split(text);
        assert_eq!(front.title.as_deref(), Some("A: b"));
        assert_eq!(front.created.as_deref(), Some("2024-03-01"));
        assert_eq!(front.updated.as_deref(), Some("2024-04-01"));
        assert_eq!(front.author.as_deref(), Some("Alex Example"));
        assert_eq!(front.labels.into_iter().collect::<Vec<_>>(), ["q", "x", "y"]);
        assert_eq!(body, "# Body\n");
    }

    #[test]
    fn a_rule_at_the_top_is_no_front_matter() {
        assert_eq!(split("---\nno end").1, "---\nno end");
        assert_eq!(split("----\na: b\n---\n").1, "----\na: b\n---\n");
    }

    #[test]
    fn the_first_heading_outside_code_is_the_title() {
        assert_eq!(heading("```\n# no\n```\n# Yes #\n"), Some("Yes".into()));
        assert_eq!(heading("Title\n=====\n"), Some("Title".into()));
        assert_eq!(heading("## only a section"), None);
    }

    #[test]
    fn an_html_page_is_its_body_and_its_title() {
        let page = "<HTML><head><title>A &amp; B</title></head><BODY class='x'><p>é</p></BODY></html>";
        assert_eq!(html_title(page), Some("A & B".into()));
        assert_eq!(html_body(page), "<p>é</p>");
        assert_eq!(html_title("<h1>One <em>two</em></h1><p>x</p>"), Some("One two".into()));
        assert_eq!(html_body("<p>x</p>"), "<p>x</p>");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".*\n?(---)?.*", tail in "(<[a-z1/]{0,6}>?|é|---\n)*") {
            let text = format!("{text}{tail}");
            split(&text);
            heading(&text);
            html_title(&text);
            html_body(&text);
        }
    }
}
