//! What paragraphs of a DOCX are by their style and their numbering. It must not know text. Invariant: styles that
//! build on each other in a circle end after `MOST_STEPS`.

use super::{after_colon, value};
use crate::read::text;
use crate::read::xml::{Token, Tokens};
use std::collections::BTreeMap;

/// Styles that build on each other: real ones do so four or five deep.
const MOST_STEPS: usize = 12;

/// What a paragraph is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The level of a heading, 1 to 6.
    pub(super) heading: Option<u8>,
    /// A line of a table of contents, which repeats the headings.
    pub(super) contents: bool,
    /// The list it is in, and how deep.
    pub(super) list: Option<(u32, u8)>,
}

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    outline: Option<u8>,
    list: Option<(u32, u8)>,
}

/// The styles and lists of a document.
#[derive(Debug, Default)]
pub(super) struct Styles {
    styles: BTreeMap<String, Style>,
    /// The kind of list each list is of.
    kinds: BTreeMap<u32, u32>,
    /// Levels of kinds of lists that have numbers.
    numbered: BTreeMap<(u32, u8), bool>,
}

impl Styles {
    pub(super) fn read(styles: &str, numbering: &str) -> Self {
        let mut read = Self::default();
        read.read_styles(styles);
        read.read_numbering(numbering);
        read
    }

    fn read_styles(&mut self, source: &str) {
        let mut open: Option<(String, Style)> = None;
        for token in Tokens::new(source, false) {
            match token {
                Token::Start { name, attributes, empty: false } if after_colon(name) == "style" => {
                    open = Some((value(attributes, "styleId"), Style::default()));
                }
                Token::Start { name, attributes, .. } => {
                    if let Some((_, style)) = &mut open {
                        style.take(after_colon(name), attributes);
                    }
                }
                Token::End(name) if after_colon(name) == "style" => self.styles.extend(open.take()),
                _ => {}
            }
        }
    }

    fn read_numbering(&mut self, source: &str) {
        let (mut kind, mut level, mut list) = (0, 0, 0);
        for token in Tokens::new(source, false) {
            let Token::Start { name, attributes, .. } = token else { continue };
            match after_colon(name) {
                "abstractNum" => kind = number(&value(attributes, "abstractNumId")),
                "lvl" => level = depth(&value(attributes, "ilvl")),
                "numFmt" => {
                    let format = value(attributes, "val");
                    self.numbered.insert((kind, level), format != "bullet" && format != "none");
                }
                "num" => list = number(&value(attributes, "numId")),
                "abstractNumId" => {
                    self.kinds.insert(list, number(&value(attributes, "val")));
                }
                _ => {}
            }
        }
    }

    /// Whether items of a list at a depth are numbered.
    pub(super) fn is_numbered(&self, (list, depth): (u32, u8)) -> bool {
        let kind = self.kinds.get(&list).copied().unwrap_or(u32::MAX);
        self.numbered.get(&(kind, depth)).copied().unwrap_or(false)
    }

    /// What a style makes of a paragraph.
    pub(super) fn look(&self, id: &str) -> Look {
        let mut look = Look { heading: heading_named(id), ..Look::default() };
        let mut next = Some(id);
        for _ in 0..MOST_STEPS {
            let Some(style) = next.and_then(|id| self.styles.get(id)) else { break };
            let own = heading_named(&style.name).or(style.outline.map(|level| level + 1));
            look.heading = look.heading.or(own.filter(|level| *level <= 6));
            look.contents |= style.name.to_ascii_lowercase().starts_with("toc ");
            look.list = look.list.or(style.list);
            next = style.based_on.as_deref();
        }
        look
    }
}

impl Style {
    fn take(&mut self, name: &str, attributes: &str) {
        let given = value(attributes, "val");
        match name {
            "name" => self.name = given,
            "basedOn" => self.based_on = Some(given),
            // Nine means body text.
            "outlineLvl" => self.outline = given.parse().ok().filter(|level| *level < 9),
            "ilvl" => self.list = Some((self.list.unwrap_or_default().0, depth(&given))),
            "numId" => self.list = Some((number(&given), self.list.unwrap_or_default().1)),
            _ => {}
        }
    }
}

/// `heading 2` is its name in every language of the program; ids are translated, or have no space.
fn heading_named(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level: u8 = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=9).contains(&level).then_some(level.min(6))
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

/// Lists are at most nine deep.
pub(super) fn depth(text: &str) -> u8 {
    text.parse().unwrap_or(0).min(8)
}

/// The value of an attribute, whatever prefix its namespace has.
pub(super) fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let bare = crate::read::xml::attribute(attributes, wanted);
    let found = bare.or_else(|| crate::read::xml::attribute(attributes, &format!("w:{wanted}")));
    found.map(|found| text::value(found).into_owned())
}
