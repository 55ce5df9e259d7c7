//! Attached files as users upload them, honest and not: made by other programs (fixtures: ReportLab, fpdf2, Matplotlib,
//! pikepdf, Pillow, Typst, python-docx), written here part by part, cut, flipped and blown up. `UPDATE_GOLDEN=1` writes
//! the expected texts anew.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.

use knowledge::page::BodyFormat;
use knowledge::read;
use knowledge::read::file::{
    BODY_CAP_BYTES, FileText, OFFICE_CAP_BYTES, TEXT_CAP_BYTES, Unread, is_read, text_of,
};
use proptest::prelude::*;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const FIXTURES: [&str; 7] =
    ["chart.pdf", "columns.pdf", "packed.pdf", "report.pdf", "unicode.pdf", "runbook.docx", "scan.pdf"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/files")
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn shown(read: &Result<FileText, Unread>) -> String {
    match read {
        Err(why) => format!("not read: {why}\n"),
        Ok(text) => {
            let warnings: String =
                text.warnings.iter().map(|w| format!("<!-- {} x {} -->\n", w.what, w.count)).collect();
            format!("{}\n{warnings}", text.body)
        }
    }
}

#[test]
fn files_of_other_programs_read_as_reviewed() {
    for name in FIXTURES {
        let text = shown(&text_of(name, None, &fixture(name)));
        let expected = folder().join(format!("{name}.expected.md"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&expected, &text).unwrap();
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(
            text, wanted,
            "`{name}` reads differently; run with UPDATE_GOLDEN=1 and review the difference"
        );
    }
}

#[test]
fn a_file_whose_objects_are_packed_reads_as_the_plain_one() {
    assert_eq!(
        text_of("a.pdf", None, &fixture("packed.pdf")),
        text_of("a.pdf", None, &fixture("report.pdf"))
    );
}

#[test]
fn what_is_not_read_says_why() {
    let why = |name: &str, bytes: &[u8]| text_of(name, None, bytes).unwrap_err().to_string();
    assert_eq!(why("a.pdf", &fixture("locked.pdf")), "encrypted, so that its text cannot be read");
    assert_eq!(why("a.png", b""), "files of kind PNG are not read, only listed");
    assert_eq!(why("notes.txt", b"\x89PNG\r\n\x1a\n0000"), "files of kind PNG are not read, only listed");
    assert_eq!(why("notes.txt", &[0, 159, 1, 2, 3]), "files of kind binary are not read, only listed");
    assert_eq!(why("notes.txt", b" \n \n"), "no text in it; it is empty, or a scan, or a picture");
    assert_eq!(
        why("notes.txt", &vec![b'x'; TEXT_CAP_BYTES as usize + 1]),
        "larger than the 5 MB that are read of such a file"
    );
    assert_eq!(why("a.docx", b"PK\x03\x04 and no more"), "damaged: it does not unpack");
    assert_eq!(why("a.docx", b"plain"), "damaged: it does not begin as a DOCX does");
    assert_eq!(why("a.pdf", b"%PDF-1.7\nand no more"), "damaged: no page is left of it");
    let ole = [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        &b"E n c r y p t e d P a c k a g e ".map(|b| if b == b' ' { 0 } else { b })[..],
    ];
    assert_eq!(why("a.docx", &ole.concat()), "encrypted, so that its text cannot be read");
}

#[test]
fn what_is_worth_fetching_is_known_from_the_listing() {
    let pdf = Some("application/pdf");
    assert!(
        is_read("a.pdf", None, None) && is_read("Plan 1.4", pdf, Some(9)) && is_read("A.DOCX", None, Some(9))
    );
    assert!(is_read("flow.drawio", None, None) && is_read("flow.drawio.png", Some("image/png"), None));
    assert!(
        is_read("flow", Some("application/vnd.jgraph.mxfile"), None)
            && is_read("x", Some("text/plain; a=b"), None)
    );
    assert!(
        !is_read("a.pdf", None, Some(OFFICE_CAP_BYTES + 1))
            && !is_read("a.csv", None, Some(TEXT_CAP_BYTES + 1))
    );
    assert!(
        !is_read("a.png", Some("text/plain"), None)
            && !is_read("a", None, None)
            && !is_read("a.zip", pdf, None)
    );
    assert!(!is_read("~flow.drawio.tmp", Some("application/vnd.jgraph.mxfile"), None));
}

#[test]
fn text_markdown_tables_and_drawings_are_read_by_their_kind() {
    let read = |name: &str, bytes: &[u8]| {
        let text = text_of(name, None, bytes).unwrap();
        (text.format, text.body)
    };
    assert_eq!(read("a.log", b"\n  a\r\nb\n"), (BodyFormat::Plain, "a\nb".to_owned()));
    assert_eq!(read("a.md", b"# A\n\n- b\n"), (BodyFormat::Markdown, "# A\n\n- b".to_owned()));
    assert_eq!(
        read("a.csv", b"A;B\n1;2\n"),
        (BodyFormat::Markdown, "| A | B |\n| --- | --- |\n| 1 | 2 |".to_owned())
    );
    assert_eq!(read("a.tsv", b"A,x\tB\n1\t2\n").1, "| A,x | B |\n| --- | --- |\n| 1 | 2 |");
    let drawing = b"<mxfile><diagram><mxCell value=\"Ledger\"/></diagram></mxfile>";
    assert_eq!(read("a.xml", drawing), (BodyFormat::Markdown, "- Ledger".to_owned()));
    assert_eq!(
        read("a.xml", b"<project>x</project>"),
        (BodyFormat::Plain, "<project>x</project>".to_owned())
    );
    assert_eq!(read("a.txt", &fixture("report.pdf")).0, BodyFormat::Markdown);
}

#[test]
fn a_long_text_ends_at_a_paragraph_and_says_so() {
    let long = "A line of a paragraph.\nAnd another.\n\n".repeat(40_000);
    let text = text_of("a.txt", None, long.as_bytes()).unwrap();
    assert!(text.body.len() <= BODY_CAP_BYTES && text.body.ends_with("And another."));
    assert_eq!(text.warnings[0].what, "text after the first 1 MB left out");
    let one = text_of("a.txt", None, "é".repeat(BODY_CAP_BYTES).as_bytes()).unwrap();
    assert!(one.body.len() > BODY_CAP_BYTES - 4);
}

// Documents of Word.

fn packed(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A document with this body, and the styles and lists that Word brings.
fn docx(body: &str) -> Vec<u8> {
    let styles = r#"<w:styles><w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>
        <w:style w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="berschrift2"/></w:style>
        <w:style w:styleId="Verzeichnis1"><w:name w:val="toc 1"/></w:style></w:styles>"#;
    let numbering = r#"<w:numbering><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/>
        </w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>
        <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>"#;
    let notes = r#"<w:footnotes><w:footnote w:type="separator" w:id="0"><w:p><w:r><w:t>--</w:t></w:r></w:p></w:footnote>
        <w:footnote w:id="2"><w:p><w:r><w:footnoteRef/><w:t xml:space="preserve"> As of 2024.</w:t></w:r></w:p>
        </w:footnote></w:footnotes>"#;
    let document = format!("<?xml version=\"1.0\"?><w:document><w:body>{body}</w:body></w:document>");
    packed(&[
        ("word/document.xml", &document),
        ("word/styles.xml", styles),
        ("word/numbering.xml", numbering),
        ("word/footnotes.xml", notes),
    ])
}

fn body_of(body: &str) -> String {
    text_of("a.docx", None, &docx(body)).unwrap().body
}

fn p(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

#[test]
fn headings_lists_and_breaks_of_a_document_stay() {
    let item = |level: u8, text: &str| {
        let list = format!("<w:numPr><w:ilvl w:val=\"{level}\"/><w:numId w:val=\"1\"/></w:numPr>");
        format!("<w:p><w:pPr>{list}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    };
    let styled = |style: &str, text: &str| {
        format!("<w:p><w:pPr><w:pStyle w:val=\"{style}\"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    };
    let body = [
        styled("Verzeichnis1", "Purpose 3"),
        styled("Mine", "Purpose"),
        "<w:p><w:r><w:t>One &amp; two</w:t><w:br/><w:t># three</w:t><w:tab/><w:t>four</w:t></w:r></w:p>"
            .to_owned(),
        item(0, "first"),
        item(1, "inner"),
        item(0, "second"),
        p("between"),
        item(0, "third"),
    ];
    let expected =
        "## Purpose\n\nOne & two\n\\# three four\n\n1. first\n   - inner\n2. second\n\nbetween\n\n3. third";
    assert_eq!(body_of(&body.concat()), expected);
}

#[test]
fn deleted_hidden_and_repeated_text_is_left_out() {
    let body = "<w:p><w:r><w:t xml:space=\"preserve\">kept </w:t></w:r><w:del><w:r><w:delText>gone</w:delText>\
        <w:t>gone too</w:t></w:r></w:del><w:ins><w:r><w:t>added</w:t></w:r></w:ins>\
        <w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:commentReference w:id=\"1\"/>\
        <w:r><w:instrText>HYPERLINK</w:instrText></w:r><w:hyperlink><w:r><w:t xml:space=\"preserve\"> link</w:t></w:r>\
        </w:hyperlink></w:p><mc:AlternateContent><mc:Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Choice>\
        <mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback></mc:AlternateContent>";
    let text = text_of("a.docx", None, &docx(body)).unwrap();
    assert_eq!(text.body, "kept added link\n\nbox");
    let warnings: Vec<_> = text.warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(warnings, ["hidden text left out", "tracked deletions left out"]);
}

#[test]
fn tables_in_tables_and_merged_cells_are_read() {
    let cell = |inside: &str| format!("<w:tc>{inside}</w:tc>");
    let merged = |how: &str, text: &str| cell(&format!("<w:tcPr><w:vMerge{how}/></w:tcPr>{}", p(text)));
    let inner = format!("<w:tbl><w:tr>{}{}</w:tr></w:tbl>", cell(&p("x")), cell(&p("y | z")));
    let rows = [
        format!("<w:tr><w:trPr><w:tblHeader/></w:trPr>{}{}</w:tr>", cell(&p("A")), cell(&p("B"))),
        format!("<w:tr>{}{}</w:tr>", merged(" w:val=\"restart\"", "tall"), cell(&inner)),
        format!("<w:tr>{}{}</w:tr>", merged("", ""), cell(&p("below"))),
        format!("<w:tr><w:trPr><w:del w:id=\"1\"/></w:trPr>{}</w:tr>", cell(&p("deleted"))),
        format!("<w:tr>{}</w:tr>", cell(&format!("<w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>{}", p("wide")))),
    ];
    let expected = "| A | B |\n| --- | --- |\n| tall | x, y \\| z |\n| tall | below |\n| wide | wide |";
    assert_eq!(body_of(&format!("<w:tbl>{}</w:tbl>", rows.concat())), expected);
}

#[test]
fn footnotes_stand_at_the_end() {
    let body = "<w:p><w:r><w:t>Ten</w:t><w:footnoteReference w:id=\"2\"/>\
        <w:t xml:space=\"preserve\"> a day</w:t></w:r></w:p>";
    assert_eq!(body_of(body), "Ten[^1] a day\n\n[^1]: As of 2024.");
}

#[test]
fn a_document_opens_nothing_outside_and_no_entity() {
    let document = "<!DOCTYPE d [<!ENTITY e SYSTEM \"file:///etc/passwd\"><!ENTITY b \"bbbbbbbb\">]>\
        <w:document><w:body><w:p><w:r><w:t>a &e; &b; c</w:t></w:r></w:p></w:body></w:document>";
    let text = text_of("a.docx", None, &packed(&[("word/document.xml", document)])).unwrap();
    assert_eq!(text.body, "a \\&e; \\&b; c");
}

#[test]
fn a_bomb_is_refused_and_other_containers_are_named() {
    let bomb = format!("<w:document>{}</w:document>", " ".repeat(20 << 20));
    let read = text_of("a.docx", None, &packed(&[("word/document.xml", &bomb)]));
    assert!(matches!(read, Err(Unread::Expands { .. })), "{read:?}");
    let rels =
        "<Relationships><Relationship Type=\"x/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>";
    assert_eq!(
        text_of("a.docx", None, &packed(&[("_rels/.rels", rels)])),
        Err(Unread::Kind("XLSX".to_owned()))
    );
    assert_eq!(text_of("a.docx", None, &packed(&[("a.txt", "x")])), Err(Unread::Kind("ZIP".to_owned())));
}

// PDF.

/// A file of objects numbered from 1, the first being the catalog.
fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    for (number, object) in objects.iter().enumerate() {
        out.extend(format!("{} 0 obj\n", number + 1).bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    out.extend(b"trailer << /Root 1 0 R >>\n%%EOF");
    out
}

fn stream(dict: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("<< {dict} /Length {} >>\nstream\n", bytes.len());
    [head.as_bytes(), bytes, b"\nendstream"].concat()
}

/// One page that shows `content`, with `F` as its font and `X` as a form.
fn one_page(content: &[u8], form: Vec<u8>) -> Vec<u8> {
    pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R 3 0 R 2 0 R] >>".to_vec(),
        b"<< /Type /Page /Contents 4 0 R /Resources << /Font << /F 5 0 R >> /XObject << /X 6 0 R >> >> >>"
            .to_vec(),
        stream("", content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec(),
        form,
    ])
}

fn page_text(content: &str) -> Result<FileText, Unread> {
    text_of("a.pdf", None, &one_page(content.as_bytes(), stream("/Subtype /Form", b"")))
}

#[test]
fn a_page_is_read_as_it_is_shown() {
    let content = "BT /F 12 Tf 14 TL 50 700 Td [(Led) 20 (ger) -400 (grew)] TJ (in 2024 \\226 it did.) ' \
        /Artifact BMC T* (Page 1) Tj EMC 0 -40 Td (# A ) Tj ET BT /F 12 Tf 80 646 Td (new one) Tj ET";
    assert_eq!(page_text(content).unwrap().body, "Ledger grew in 2024 – it did.\n\n\\# A new one");
}

#[test]
fn a_turned_line_and_a_picture_inside_the_page_do_no_harm() {
    let content = "BI /W 1 ID \x01(BT\x02 EI BT /F 12 Tf 0 1 -1 0 40 40 Tm (up) Tj ( wards) Tj ET \
        BT /F 12 Tf 50 700 Td (level) Tj ET";
    assert_eq!(page_text(content).unwrap().body, "level\n\nup wards");
}

#[test]
fn a_page_of_pictures_has_no_text() {
    let file = one_page(b"/X Do", stream("/Subtype /Image", b"\xff\xd8"));
    assert_eq!(text_of("a.pdf", None, &file), Err(Unread::NoText));
}

#[test]
fn bombs_and_circles_end() {
    let text = b"BT /F 9 Tf (text) Tj ET";
    // A form that shows itself, a thousand times on each level.
    let form = stream("/Subtype /Form /Resources << /XObject << /X 6 0 R >> >>", &b"/X Do ".repeat(1000));
    let read =
        text_of("a.pdf", None, &one_page(&[&b"/X Do "[..], text].concat(), form)).unwrap_or_else(|why| {
            assert!(matches!(why, Unread::NoText | Unread::Expands { .. }));
            text_of("a.txt", None, b"x").unwrap()
        });
    assert!(read.body.len() < 100);
    // A gigabyte of zeros, as a page and as a stream of objects.
    let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 80 << 20], 1);
    for kind in ["/Type /ObjStm /N 9 /First 9", "/Subtype /Form"] {
        let bomb = stream(&format!("{kind} /Filter /FlateDecode"), &zeros);
        let read = text_of("a.pdf", None, &one_page(&[&b"/X Do "[..], text].concat(), bomb));
        assert!(matches!(read, Err(Unread::Expands { .. }) | Ok(_)), "{read:?}");
    }
    // Strings that never end, each of which is looked through to the end of the file.
    let open = [&b"%PDF-1.4\n"[..], &b"1 0 obj (".repeat(100_000)].concat();
    assert!(text_of("a.pdf", None, &open).is_err());
}

#[test]
fn a_file_cut_in_the_middle_gives_what_is_left() {
    let whole = fixture("report.pdf");
    let cut = text_of("a.pdf", None, &whole[..whole.len() * 4 / 5]).unwrap();
    assert!(cut.body.contains("ledger service"));
}

// Anything.

fn is_sound(read: &Result<FileText, Unread>) {
    if let Ok(text) = read {
        assert!(!text.body.is_empty() && text.body.len() <= BODY_CAP_BYTES);
        assert!(!text.body.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')));
        read::document(text.format, &text.body);
    }
}

const NAMES: [&str; 8] = ["a.txt", "a.md", "a.csv", "a.tsv", "a.drawio", "a.drawio.png", "a.pdf", "a.docx"];
const HEADS: [&[u8]; 6] =
    [b"", b"%PDF-1.7\n1 0 obj\n", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\xff\xfe", b"<mxfile><diagram>"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_under_any_name_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000), head in 0usize..6) {
        let bytes = [HEADS[head], &bytes].concat();
        NAMES.iter().for_each(|name| is_sound(&text_of(name, None, &bytes)));
    }

    #[test]
    fn files_cut_and_flipped_do_no_harm(
        file in 0..FIXTURES.len(), cut in 0.0f64..1.2, flips in prop::collection::vec((0.0f64..1.0, any::<u8>()), 0..12)
    ) {
        let mut bytes = fixture(FIXTURES[file]);
        for (at, byte) in flips {
            let at = (at * bytes.len() as f64) as usize;
            bytes[at] = byte;
        }
        bytes.truncate((cut * bytes.len() as f64) as usize);
        is_sound(&text_of(FIXTURES[file], None, &bytes));
    }

    #[test]
    fn pages_of_any_operators_do_no_harm(
        words in prop::collection::vec(prop::sample::select(&OPERATORS[..]), 0..200), cut in 0usize..900
    ) {
        let content = words.join(" ");
        let form = stream("/Subtype /Form /Matrix [0 1 -1 0 9 9]", content.as_bytes());
        let file = one_page(content.as_bytes(), form);
        is_sound(&text_of("a.pdf", None, &file));
        is_sound(&text_of("a.pdf", None, &file[..file.len().saturating_sub(cut)]));
    }

    #[test]
    fn documents_of_any_elements_do_no_harm(
        words in prop::collection::vec(prop::sample::select(&ELEMENTS[..]), 0..200)
    ) {
        is_sound(&text_of("a.docx", None, &docx(&words.concat())));
    }

    #[test]
    fn every_cell_of_a_table_is_kept(
        rows in prop::collection::vec(prop::collection::vec("[a-z]{1,6}( [|\"*,;a-z]{1,4})?", 3), 1..9)
    ) {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
        let csv = rows.iter().map(line).collect::<Vec<_>>().join("\r\n");
        let text = text_of("a.csv", None, csv.as_bytes()).unwrap();
        let document = read::document(text.format, &text.body);
        let [knowledge::document::Block::Table(table)] = document.blocks.as_slice() else {
            return Err(TestCaseError::fail(text.body));
        };
        let plain = |cell: &knowledge::document::Cell| match cell.blocks.as_slice() {
            [knowledge::document::Block::Paragraph(line)] => read::plain(line),
            other => format!("{other:?}"),
        };
        let read: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(plain).collect()).collect();
        prop_assert_eq!(read, rows);
    }
}

const OPERATORS: [&str; 40] = [
    "q",
    "Q",
    "BT",
    "ET",
    "/F 12 Tf",
    "/F -1e9 Tf",
    "/G 1 Tf",
    "1 0 0 1 50 700 Tm",
    "0 0 0 0 0 0 Tm",
    "9 9 9 Tm",
    "0 -14 Td",
    "(word) Tj",
    "(a\\377\\001) Tj",
    "[(a) -900 (b) (c)] TJ",
    "T*",
    "(x) '",
    "1 2 (y) \"",
    "/X Do",
    "/Y Do",
    "/Artifact BMC",
    "EMC",
    "EMC",
    "99999999999999999999 Tz",
    "-5 Tc",
    "1e300 Tw",
    "0 Tz",
    "2 0 0 2 0 0 cm",
    "1e200 0 0 1e200 0 0 cm",
    "[",
    "]",
    "<<",
    ">>",
    "(",
    ")",
    "<41",
    ">",
    "BI ID x EI",
    "BI ID",
    "%",
    "\n",
];

const ELEMENTS: [&str; 44] = [
    "<w:p>",
    "</w:p>",
    "<w:r>",
    "</w:r>",
    "<w:t>",
    "</w:t>",
    "word ",
    "&amp;",
    "&nope;",
    "<w:tbl>",
    "</w:tbl>",
    "<w:tr>",
    "</w:tr>",
    "<w:tc>",
    "</w:tc>",
    "<w:trPr>",
    "</w:trPr>",
    "<w:pPr>",
    "</w:pPr>",
    "<w:del>",
    "</w:del>",
    "<w:del/>",
    "<w:vMerge/>",
    "<w:vMerge w:val=\"restart\"/>",
    "<w:gridSpan w:val=\"63\"/>",
    "<w:gridSpan w:val=\"-1\"/>",
    "<w:txbxContent>",
    "</w:txbxContent>",
    "<w:footnoteReference w:id=\"2\"/>",
    "<w:footnote w:id=\"2\">",
    "</w:footnote>",
    "<w:br/>",
    "<w:tab/>",
    "<w:ilvl w:val=\"99\"/>",
    "<w:numId w:val=\"1\"/>",
    "<w:pStyle w:val=\"Mine\"/>",
    "<w:outlineLvl w:val=\"3\"/>",
    "<w:vanish/>",
    "<wp:docPr descr=\"a ] picture\"/>",
    "<mc:Fallback>",
    "</mc:Fallback>",
    "<w:pPrChange>",
    "<!--",
    "<![CDATA[",
];
