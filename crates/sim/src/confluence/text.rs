//! Bodies in other forms than the one that is stored: as people see them, as a tree of nodes, as bare words. Rough on
//! purpose: who needs the real rendering must ask a real site. It must not know what a page is.

use serde_json::{Value, json};

/// A piece of storage format.
enum Piece<'a> {
    /// A tag: its name, whether it closes, and all of it.
    Tag(&'a str, bool, &'a str),
    /// Words, still escaped.
    Words(&'a str),
    /// Words of a CDATA section, as they are.
    Verbatim(&'a str),
}

fn pieces(storage: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = storage;
    while let Some(at) = rest.find('<') {
        if at > 0 {
            found.push(Piece::Words(&rest[..at]));
        }
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            let end = inner.find("]]>").unwrap_or(inner.len());
            found.push(Piece::Verbatim(&inner[..end]));
            rest = inner.get(end + 3..).unwrap_or("");
            continue;
        }
        let end = rest.find('>').map_or(rest.len(), |end| end + 1);
        let tag = &rest[..end];
        let inner = tag.trim_start_matches(['<', '/']).trim_end_matches(['>', '/']);
        let name = inner.split(|c: char| c.is_whitespace()).next().unwrap_or("");
        found.push(Piece::Tag(name, tag.starts_with("</"), tag));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        found.push(Piece::Words(rest));
    }
    found
}

/// As people see it: Confluence's own elements are gone, their words are left.
pub fn view(storage: &str) -> String {
    let mut out = String::with_capacity(storage.len());
    let mut hidden = 0_usize;
    for piece in pieces(storage) {
        match piece {
            Piece::Tag("ac:parameter", closes, tag) => {
                let opens = usize::from(!closes && !tag.ends_with("/>"));
                hidden = (hidden + opens).saturating_sub(usize::from(closes));
            }
            Piece::Tag("ac:plain-text-body", closes, _) => {
                out.push_str(if closes { "</pre>" } else { "<pre>" })
            }
            Piece::Tag(name, _, tag) if !name.contains(':') => out.push_str(tag),
            Piece::Words(words) if hidden == 0 => out.push_str(words),
            Piece::Verbatim(words) if hidden == 0 => out.push_str(&escaped(words)),
            _ => {}
        }
    }
    out
}

/// The title of the page that an element takes the text of, if it is one that does.
fn taken_in(macro_text: &str) -> Option<&str> {
    let takes = ["ac:name=\"include\"", "ac:name=\"excerpt-include\""];
    takes.iter().any(|name| macro_text.contains(name)).then_some(())?;
    let after = macro_text.split_once("ri:content-title=\"")?.1;
    Some(after.split_once('"')?.0)
}

/// A body with the text of other pages in the place of the macros that take it in, as far as `find` gives it: it knows
/// for whom this is done.
pub fn filled<'a>(storage: &str, find: impl Fn(&str) -> Option<&'a str>) -> String {
    const OPENS: &str = "<ac:structured-macro";
    const CLOSES: &str = "</ac:structured-macro>";
    let (mut out, mut rest) = (String::with_capacity(storage.len()), storage);
    while let Some(at) = rest.find(OPENS) {
        let end = rest[at..].find(CLOSES).map_or(rest.len(), |end| at + end + CLOSES.len());
        out.push_str(&rest[..at]);
        match taken_in(&rest[at..end]) {
            Some(title) => out.push_str(find(title).unwrap_or_default()),
            None => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out + rest
}

/// Text with what XML reserves written otherwise.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The words alone, a line for each block.
pub fn plain(storage: &str) -> Vec<String> {
    const BLOCKS: [&str; 13] = ["p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "td", "th", "pre", "br"];
    let view = view(storage);
    let mut lines = vec![String::new()];
    for piece in pieces(&view) {
        match piece {
            Piece::Tag(name, _, _) if BLOCKS.contains(&name) => lines.push(String::new()),
            Piece::Tag(..) => {}
            Piece::Words(words) | Piece::Verbatim(words) => {
                let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
                if let Some(line) = lines.last_mut() {
                    line.push_str(&words.replace("&nbsp;", " ").replace("&amp;", "&"));
                }
            }
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// As a tree of nodes: a paragraph for each block. The interface gives the tree as a string.
pub fn nodes(storage: &str) -> String {
    let paragraph =
        |line: &String| json!({ "type": "paragraph", "content": [{ "type": "text", "text": line }] });
    let content: Vec<Value> = plain(storage).iter().map(paragraph).collect();
    json!({ "type": "doc", "version": 1, "content": content }).to_string()
}

/// The beginning of the words, for search results.
pub fn excerpt(storage: &str) -> String {
    plain(storage).join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "<p>See &amp; run:</p><ac:structured-macro ac:name=\"code\">\
         <ac:parameter ac:name=\"language\">sh</ac:parameter>\
         <ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro>";

    #[test]
    fn a_view_keeps_the_words_and_no_element_of_confluence() {
        assert_eq!(view(CODE), "<p>See &amp; run:</p><pre>a &lt; b</pre>");
        assert_eq!(plain(CODE), ["See & run:", "a < b"]);
        assert_eq!(view("<p>unfinished <b"), "<p>unfinished <b");
    }

    #[test]
    fn nodes_come_as_a_string_that_holds_a_tree() {
        let tree: Value = serde_json::from_str(&nodes(CODE)).unwrap();
        assert_eq!(tree["content"][1]["content"][0]["text"], "a < b");
    }
}
