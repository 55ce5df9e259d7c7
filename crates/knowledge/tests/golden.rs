//! Whole bodies in, Markdown and warnings out, as files to review. `UPDATE_GOLDEN=1` writes them anew.

use knowledge::page::BodyFormat;
use knowledge::read;
use std::path::Path;

fn shown(format: BodyFormat, body: &str) -> String {
    let document = read::document(format, body);
    let mut text = read::markdown(&document);
    text.push('\n');
    for warning in document.warnings {
        text.push_str(&format!("<!-- {} x {} -->\n", warning.what, warning.count));
    }
    text
}

#[test]
fn golden_bodies_read_as_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut compared = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (stem, format) = match (name.strip_suffix(".xml"), name.strip_suffix(".source.md")) {
            (Some(stem), _) => (stem, BodyFormat::Storage),
            (_, Some(stem)) => (stem, BodyFormat::Markdown),
            _ => continue,
        };
        let text = shown(format, &std::fs::read_to_string(&path).unwrap());
        let expected = folder.join(format!("{stem}.expected.md"));
        if update {
            std::fs::write(&expected, &text).unwrap();
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(
            text, wanted,
            "`{name}` reads differently; run with UPDATE_GOLDEN=1 and review the difference"
        );
        compared += 1;
    }
    assert!(compared >= 10, "only {compared} golden bodies found");
}
