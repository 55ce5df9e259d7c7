//! `cargo xtask samples` makes `samples/export/operations-handbook.zip`: a complete XML export of a space
//! that never was, around real page texts (`samples/handbook.jsonl`), with what such texts lack: people,
//! versions, dates, labels, links, comments, tasks, rights.
//!
//! Everything that is made up is drawn from a hash of the page's title, so the same texts give the same
//! bytes. People are called so that nobody takes them for real ones.

mod page;
mod xml;

use page::{Plan, Text, plan};
use std::io::{Cursor, Write};
use std::path::Path;
use xml::Entities;

/// The texts: GOV.UK's operations handbook, see `samples/NOTICE`.
const HANDBOOK: &str = include_str!("samples/handbook.jsonl");
/// Where the export goes.
const TARGET: &str = "samples/export/operations-handbook.zip";

/// People who are plainly nobody.
pub(crate) const PEOPLE: &[&str] = &[
    "Alex Example",
    "Blake Sample",
    "Casey Placeholder",
    "Devon Fictional",
    "Emery Mockup",
    "Frankie Dummy",
    "Gale Specimen",
    "Harper Template",
    "Indigo Stub",
    "Jules Pattern",
];

/// Writes the export. Run from the root of the repository, as cargo does.
pub fn write(_arguments: &[String]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target = root.join(TARGET);
    std::fs::write(&target, archive()?).map_err(|why| format!("writing `{}`: {why}", target.display()))?;
    eprintln!("wrote {TARGET}");
    Ok(())
}

/// The export as bytes.
fn archive() -> Result<Vec<u8>, String> {
    let texts: Vec<Text> = HANDBOOK
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|why| format!("reading `handbook.jsonl`: {why}")))
        .collect::<Result<_, _>>()?;
    let plan: Plan = plan(&texts);
    let descriptor = "#Mon Jun 02 09:00:00 UTC 2025\nexportType=space\nspaceKey=OPSBOOK\nbuildNumber=8804\n\
                      createdByBuildNumber=8804\nbackupAttachments=false\nsource=server\n";
    let members =
        [("entities.xml", Entities::of(&plan)), ("exportDescriptor.properties", descriptor.to_owned())];
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // The time of a member is fixed: the same texts give the same bytes.
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let failed = |why: &dyn std::fmt::Display| format!("packing the export: {why}");
    for (name, text) in members {
        zip.start_file(name, options).map_err(|why| failed(&why))?;
        zip.write_all(text.as_bytes()).map_err(|why| failed(&why))?;
    }
    Ok(zip.finish().map_err(|why| failed(&why))?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_texts_give_the_bytes_in_the_repository() {
        let bytes = archive().unwrap();
        assert_eq!(bytes, archive().unwrap());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let kept = std::fs::read(root.join(TARGET)).unwrap();
        assert!(kept == bytes, "run `cargo xtask samples` and commit `{TARGET}`");
    }
}
