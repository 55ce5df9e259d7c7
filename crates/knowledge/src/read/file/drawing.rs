//! Drawings of diagrams.net (draw.io) as lists of their labels: alone, packed, or inside a picture. It must not know
//! shapes or arrows. Invariant: a picture is looked at for its text only, and its text is unpacked within bounds.

use super::{FileText, Tally, Unread, letters, mark};
use crate::page::BodyFormat;
use crate::read::{diagram, text};
use std::borrow::Cow;

/// Where a drawing must begin: after the head of an XML file and perhaps a comment.
const WITHIN_BYTES: usize = 2_000;
/// A drawing inside a picture may unpack to this; see `diagram`.
const MOST_BYTES: usize = 4 << 20;

/// Whether XML is a drawing.
pub(super) fn is_one(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(WITHIN_BYTES)];
    head.contains("<mxfile") || head.contains("<mxGraphModel")
}

/// The labels, an item each.
pub(super) fn listed(drawing: &str) -> String {
    let inside = inside_svg(drawing);
    let mut out = String::new();
    for label in diagram::labels(inside.as_deref().unwrap_or(drawing)) {
        out.push_str("- ");
        mark::push(&mut out, &label, true);
        out.push('\n');
    }
    out
}

/// A picture of a drawing that can be edited again holds the drawing in an attribute of its first element.
fn inside_svg(svg: &str) -> Option<Cow<'_, str>> {
    let element = &svg[svg.find("<svg")?..];
    let content = element.split_once("content=\"")?.1.split_once('"')?.0;
    Some(text::value(content))
}

/// The same for PNG: the drawing is the text of a chunk by the name of `mxfile`.
pub(super) fn inside_png(bytes: &[u8]) -> Result<FileText, Unread> {
    const SIGNATURE: usize = 8;
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some((kind, after)) = kind.split_at_checked(4) else { break };
        let Some((chunk, after)) = after.split_at_checked(length) else { break };
        if let Some(drawing) = drawing_of(kind, chunk) {
            let body = listed(&diagram::percent_decoded(&drawing));
            return Ok(FileText {
                format: BodyFormat::Markdown,
                body,
                warnings: Tally::default().warnings(),
            });
        }
        rest = after.get(4..).unwrap_or_default();
    }
    Err(Unread::NoText)
}

fn drawing_of(kind: &[u8], chunk: &[u8]) -> Option<String> {
    let text = chunk.strip_prefix(b"mxfile\0").or(chunk.strip_prefix(b"mxGraphModel\0"))?;
    match kind {
        b"tEXt" => Some(letters::unicode(text.to_vec())),
        // One byte names the method of packing, of which there is one.
        b"zTXt" => {
            let packed = text.get(1..)?;
            let bytes = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, MOST_BYTES).ok()?;
            Some(letters::unicode(bytes))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWING: &str = "<mxfile><diagram><mxGraphModel><root><mxCell id=\"2\" value=\"Ledger\"/>\
        <mxCell id=\"3\" value=\"1. pays\"/></root></mxGraphModel></diagram></mxfile>";

    #[test]
    fn labels_are_items_of_a_list() {
        assert!(is_one(DRAWING) && !is_one("<project/>"));
        assert_eq!(listed(DRAWING), "- Ledger\n- 1\\. pays\n");
    }

    #[test]
    fn a_picture_that_holds_its_drawing_is_read() {
        let escaped = DRAWING.replace('<', "&lt;").replace('"', "&quot;").replace('>', "&gt;");
        assert_eq!(listed(&format!("<svg width=\"9\" content=\"{escaped}\"><g/></svg>")), listed(DRAWING));
        let encoded: String = DRAWING.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let chunk = [b"mxfile\0", encoded.as_bytes()].concat();
        let length = u32::try_from(chunk.len()).unwrap().to_be_bytes();
        let png = [b"\x89PNG\r\n\x1a\n\0\0\0\x01IHDRx....", &length[..], b"tEXt", &chunk, b"...."].concat();
        assert_eq!(inside_png(&png).unwrap().body, listed(DRAWING));
        assert_eq!(inside_png(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIDAT"), Err(Unread::NoText));
    }
}
