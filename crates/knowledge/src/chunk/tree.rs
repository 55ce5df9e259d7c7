//! The tree that flat headings stand for. It must not know sizes beyond its own, nor how a chunk is made. Invariant:
//! walking a tree gives the blocks in document order.

use super::{GAP, Unit};
use crate::document::Block;
use crate::read::plain;
use std::borrow::Cow;
use std::iter::Peekable;
use std::slice::Iter;

/// A heading with all that stands under it; the root has no heading.
pub(super) struct Section<'a> {
    /// The heading's text.
    heading: Option<String>,
    /// The heading itself and the blocks up to the first subheading.
    pub own: Vec<Unit<'a>>,
    /// The sections one level down (levels may skip).
    pub children: Vec<Section<'a>>,
    /// Characters of the whole subtree with gaps between blocks.
    chars: usize,
}

/// Builds the tree. Rules and blocks without a word are left out: they say nothing.
pub(super) fn grow(blocks: &[Block]) -> Section<'_> {
    grow_section(&mut blocks.iter().peekable(), 0, None)
}

fn grow_section<'a>(
    blocks: &mut Peekable<Iter<'a, Block>>,
    level: u8,
    heading: Option<Unit<'a>>,
) -> Section<'a> {
    let title = heading.as_ref().and_then(|unit| match unit.block.as_ref() {
        Block::Heading { text, .. } => Some(plain(text).trim().to_owned()),
        _ => None,
    });
    let mut own: Vec<Unit<'a>> = heading.into_iter().filter(|unit| !unit.text.is_empty()).collect();
    while let Some(block) = blocks.next_if(|block| !matches!(block, Block::Heading { .. })) {
        let unit = Unit::new(Cow::Borrowed(block));
        if !matches!(block, Block::Rule) && !unit.text.is_empty() {
            own.push(unit);
        }
    }
    let mut children = Vec::new();
    while let Some((below, block)) = next_heading(blocks, level) {
        children.push(grow_section(blocks, below, Some(Unit::new(Cow::Borrowed(block)))));
    }
    let parts = own.iter().map(|unit| unit.chars).chain(children.iter().map(|child| child.chars));
    let chars = parts.filter(|&chars| chars > 0).map(|chars| chars + GAP.len()).sum::<usize>();
    Section { heading: title, own, children, chars: chars.saturating_sub(GAP.len()) }
}

/// Takes the next heading if it is below `level`.
fn next_heading<'a>(blocks: &mut Peekable<Iter<'a, Block>>, level: u8) -> Option<(u8, &'a Block)> {
    match blocks.peek() {
        Some(&block @ &Block::Heading { level: below, .. }) if below > level => {
            blocks.next();
            Some((below, block))
        }
        _ => None,
    }
}

impl<'a> Section<'a> {
    pub fn fits(&self, cap: usize) -> bool {
        self.chars <= cap
    }

    /// The heading path of this section, given the one above. A top heading that repeats the page title, as converted
    /// pages have it, adds nothing.
    pub fn path_below(&self, above: &[String]) -> Vec<String> {
        let mut path = above.to_vec();
        path.extend(
            self.heading.clone().filter(|heading| !heading.is_empty() && Some(heading) != above.last()),
        );
        path
    }

    /// All blocks of the subtree in document order.
    pub fn into_units(self, out: &mut Vec<Unit<'a>>) {
        out.extend(self.own);
        for child in self.children {
            child.into_units(out);
        }
    }
}
