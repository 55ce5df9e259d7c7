//! Documents of Word to Markdown: headings by style, lists, tables, notes; without what was deleted, commented on or
//! hidden. It must not know who wrote it. Invariant: nothing outside the container is ever opened, since only texts of
//! its elements are read and entities are never looked up.

mod body;
mod pieces;
mod styles;

use super::archive::Archive;
use super::{FileText, Tally, Unread, letters};
use crate::page::BodyFormat;
use crate::read::render_blocks;
use crate::read::table::Allowance;
use crate::read::xml::{Token, Tokens};
use body::Body;
use styles::Styles;

/// Reads a container: a DOCX, or something that is packed the same way and not read.
pub(super) fn text(bytes: &[u8]) -> Result<FileText, Unread> {
    let mut archive = Archive::open(bytes)?;
    let main = main_part(&mut archive)?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut part = |name: &str| -> Result<String, Unread> {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        Ok(archive.part(&path)?.map(letters::unicode).unwrap_or_default())
    };
    let styles = Styles::read(&part("styles.xml")?, &part("numbering.xml")?);
    let notes = [part("footnotes.xml")?, part("endnotes.xml")?];
    let source = archive.part(&main)?.map(letters::unicode);
    let source = source.ok_or(Unread::Damaged("its main part is missing"))?;
    let mut tally = Tally::default();
    let mut allowance = Allowance::of(source.len().min(super::BODY_CAP_BYTES));
    let mut read = Body::new(&styles, &mut tally, &mut allowance);
    read.take(&source);
    let (blocks, references) = read.finish();
    let mut body = render_blocks(&blocks);
    if !references.is_empty() {
        let mut all = [String::new(), String::new()].map(|_| Default::default());
        for (held, source) in all.iter_mut().zip(&notes) {
            let mut read = Body::new(&styles, &mut tally, &mut allowance);
            read.take(source);
            *held = read.notes();
        }
        for (number, reference) in references.iter().enumerate() {
            if let Some(blocks) = all[usize::from(reference.end)].get(&reference.id) {
                let line = render_blocks(blocks).split_whitespace().collect::<Vec<_>>().join(" ");
                body.push_str(&format!("\n\n[^{}]: {line}", number + 1));
            }
        }
    }
    Ok(FileText { format: BodyFormat::Markdown, body, warnings: tally.warnings() })
}

/// The path of the part that holds the text, as the container itself says.
fn main_part(archive: &mut Archive<'_>) -> Result<String, Unread> {
    let relations = archive.part("_rels/.rels")?.map(letters::unicode).unwrap_or_default();
    let mut target = None;
    for token in Tokens::new(&relations, false) {
        let Token::Start { attributes, .. } = token else { continue };
        if value(attributes, "Type").ends_with("/officeDocument") {
            target = Some(value(attributes, "Target").trim_start_matches('/').to_owned());
        }
    }
    let target = target.unwrap_or_default();
    let first = target.split('/').next().unwrap_or_default();
    match first {
        "xl" => Err(Unread::Kind("XLSX".to_owned())),
        "ppt" => Err(Unread::Kind("PPTX".to_owned())),
        "visio" => Err(Unread::Kind("VSDX".to_owned())),
        _ if !target.is_empty() => Ok(target),
        _ if archive.has("word/document.xml") => Ok("word/document.xml".to_owned()),
        _ => Err(Unread::Kind("ZIP".to_owned())),
    }
}

/// The name of an element without its namespace.
fn after_colon(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// The value of an attribute; empty if it is not there.
fn value(attributes: &str, wanted: &str) -> String {
    styles::attribute(attributes, wanted).unwrap_or_default()
}
