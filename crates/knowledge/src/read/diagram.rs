//! The text inside diagrams: PlantUML in its three wrappings, and the labels of drawings. It must not know
//! macros. Invariant: what cannot be unpacked is handed back as it is, and unpacking is bounded.

use super::{text, xml};
use memchr::memmem;

/// A diagram of a megabyte is a drawing of a city; more is an attack.
const MOST_BYTES: usize = 1_000_000;

/// All that is unpacked of one drawing, which may have several pages.
const MOST_ALL_BYTES: usize = 8_000_000;

/// The source of a text diagram: plain, in JSON, or packed with deflate and base64.
pub(super) fn source(written: &str) -> String {
    let trimmed = written.trim();
    if trimmed.starts_with('{')
        && let Ok(json) = serde_json::from_str::<serde_json::Value>(trimmed)
    {
        let fields = ["umlDefinition", "source", "code", "definition", "text", "data"];
        if let Some(inner) = fields.iter().find_map(|name| json.get(name)?.as_str()) {
            return unpacked(inner.trim()).unwrap_or_else(|| inner.to_owned());
        }
    }
    unpacked(trimmed).unwrap_or_else(|| written.to_owned())
}

/// Undoes base64, deflate (with or without a zlib header) and percent-encoding; `None` if it is none of
/// these.
fn unpacked(packed: &str) -> Option<String> {
    let bytes = base64(packed)?;
    let inflated = miniz_oxide::inflate::decompress_to_vec_with_limit(&bytes, MOST_BYTES)
        .or_else(|_| miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes, MOST_BYTES))
        .or_else(|_| gzip(&bytes).ok_or(()))
        .ok();
    let bytes = inflated.filter(|bytes| !bytes.is_empty()).unwrap_or(bytes);
    let text = String::from_utf8(bytes).ok()?;
    let readable = !text.is_empty() && !text.chars().any(|char| char.is_control() && !char.is_whitespace());
    readable.then(|| if text.contains([' ', '\n']) { text } else { percent_decoded(&text) })
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    // The fixed header of a gzip member without optional fields is ten bytes.
    let deflated = bytes.strip_prefix(&[0x1f, 0x8b, 8, 0])?.get(6..)?;
    miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, MOST_BYTES).ok()
}

/// Standard or URL-safe base64; line breaks are allowed, short words are not taken for it.
fn base64(packed: &str) -> Option<Vec<u8>> {
    const SHORTEST: usize = 12;
    let mut out = Vec::with_capacity(packed.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0);
    if packed.len() < SHORTEST {
        return None;
    }
    for byte in packed.bytes().filter(|b| !b.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    Some(out)
}

pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The labels of a drawing in diagrams.net format, plain or packed, each once, in order.
pub(super) fn labels(drawing: &str) -> Vec<String> {
    let mut labels = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut take = |source: &str| {
        for label in cells(source) {
            if seen.insert(label.clone()) {
                labels.push(label);
            }
        }
    };
    take(drawing);
    let mut rest = drawing;
    let mut left = MOST_ALL_BYTES;
    while let Some(start) = memmem::find(rest.as_bytes(), b"<diagram") {
        let Some((_, inside)) = rest[start..].split_once('>') else { break };
        let end = inside.find('<').unwrap_or(inside.len());
        if let Some(unpacked) = unpacked(inside[..end].trim()) {
            left = left.saturating_sub(unpacked.len());
            take(&unpacked);
        }
        if left == 0 {
            break;
        }
        rest = &inside[end..];
    }
    if labels.is_empty()
        && let Some(unpacked) = unpacked(drawing.trim())
    {
        return cells(&unpacked);
    }
    labels
}

fn cells(source: &str) -> Vec<String> {
    let mut labels = Vec::new();
    for token in xml::Tokens::new(source, false) {
        let xml::Token::Start { name: "mxCell" | "UserObject" | "object", attributes, .. } = token else {
            continue;
        };
        let label = xml::attribute(attributes, "value").or(xml::attribute(attributes, "label"));
        let label = label.map(|label| without_tags(&text::value(label))).unwrap_or_default();
        if !label.is_empty() {
            labels.push(label);
        }
    }
    labels
}

/// Labels are HTML inside an attribute.
fn without_tags(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for token in xml::Tokens::new(label, true) {
        match token {
            xml::Token::Text(text) | xml::Token::Cdata(text) => out.push_str(&text::value(text)),
            _ => out.push(' '),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(text: &str) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bytes = miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 6);
        let mut out = String::new();
        for three in bytes.chunks(3) {
            let number = three.iter().fold(0u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - three.len()));
            for place in 0..=three.len() {
                out.push(char::from(LETTERS[(number >> (18 - 6 * place)) as usize & 63]));
            }
        }
        out
    }

    #[test]
    fn a_text_diagram_is_found_in_every_wrapping() {
        let uml = "@startuml\nAlice -> Bob: hello\n@enduml";
        assert_eq!(source(uml), uml);
        assert_eq!(source(&format!("{{\"umlDefinition\":{}}}", serde_json::json!(uml))), uml);
        assert_eq!(source(&packed(uml)), uml);
        assert_eq!(source("not packed at all"), "not packed at all");
    }

    #[test]
    fn labels_are_read_from_plain_and_packed_drawings() {
        let model = r#"<root><mxCell id="2" value="&lt;b&gt;Ledger&lt;/b&gt;&lt;br&gt;API"/></root>"#;
        assert_eq!(labels(model), ["Ledger API"]);
        let encoded: String = model.bytes().map(|b| format!("%{b:02X}")).collect();
        assert_eq!(
            labels(&format!("<mxfile><diagram name=\"x\">{}</diagram></mxfile>", packed(&encoded))),
            ["Ledger API"]
        );
    }
}
