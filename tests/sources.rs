//! Sources over real files: folders, exports, archives, and what is wrong with them.

#![allow(clippy::unwrap_used, reason = "a test stops where something fails")]

use highwater::sources::{Ask, Kind, Source, SourceError, recognise};
use highwater::world::files::{Files, answer};
use knowledge::audience::{LayerId, Rule};
use knowledge::id::{PageId, PersonKey, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, RawPage};
use knowledge::record::{Listed, Record};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn open(path: &Path) -> Result<(Box<dyn Source>, Files), SourceError> {
    let (files, tree) = Files::open(path)?;
    Ok((recognise(&tree)?, files))
}

/// A whole sweep as one `Listed`.
fn sweep(source: &dyn Source, files: &Files) -> Result<Listed, SourceError> {
    let (mut all, mut cursor) = (Listed::default(), None);
    loop {
        let Record::Listed(listed) = answer(source, &Ask::List { sweep: 1, cursor }, files)?.remove(0) else {
            panic!("a listing gives `Listed`")
        };
        all.wiki = listed.wiki;
        all.pages.extend(listed.pages);
        all.people.extend(listed.people);
        all.spaces.extend(listed.spaces);
        all.layers.extend(listed.layers);
        all.skipped.extend(listed.skipped);
        all.incomplete |= listed.incomplete;
        match listed.next {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

fn ask(page: &PageRef, version: Version) -> Ask {
    let (locator, fingerprint) = (page.locator.clone(), page.fingerprint.clone());
    Ask::Fetch { page: page.id.clone(), version, locator, fingerprint }
}

fn fetch(source: &dyn Source, files: &Files, page: &PageRef, version: Version) -> RawPage {
    match answer(source, &ask(page, version), files).unwrap_or_else(|error| panic!("{error}")).remove(0) {
        Record::Fetched(page) => *page,
        other => panic!("{other:?}"),
    }
}

fn current(source: &dyn Source, files: &Files, page: &PageRef) -> RawPage {
    fetch(source, files, page, page.version.unwrap_or(Version(1)))
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn zip(path: &Path, members: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn find<'a>(listed: &'a Listed, id: &str) -> &'a PageRef {
    listed.pages.iter().find(|page| page.id.as_str() == id).unwrap_or_else(|| panic!("no `{id}`"))
}

fn skipped(listed: &Listed) -> Vec<(&str, u32)> {
    listed.skipped.iter().map(|warning| (warning.what.as_str(), warning.count)).collect()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exports").join(name)
}

const SPACE: &str = r#"<object class="Space"><id name="id">1</id><property name="name">Ops</property>
    <property name="key">OPS</property></object>"#;

/// An export with a space and these objects.
fn export(objects: &str) -> String {
    format!("<?xml version=\"1.0\"?><hibernate-generic>{SPACE}{objects}</hibernate-generic>")
}

fn page(id: u32, more: &str) -> String {
    format!(
        "<object class=\"Page\"><id name=\"id\">{id}</id><property name=\"title\">Page {id}</property>\
         <property name=\"space\" class=\"Space\"><id name=\"id\">1</id></property>{more}</object>\
         <object class=\"BodyContent\"><id name=\"id\">{id}9</id>\
         <property name=\"body\"><![CDATA[<p>{id}</p>]]></property>\
         <property name=\"content\" class=\"Page\"><id name=\"id\">{id}</id></property>\
         <property name=\"bodyType\">2</property></object>"
    )
}

#[test]
fn a_folder_of_pages_is_one_wiki_with_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"{"id":"7","space":"KNOW","title":"Seven","body_storage":"<p>7</p>"}"#;
    write(
        folder.path(),
        &[
            ("ops/README.md", "# Operations\n"),
            ("ops/disk.md", "---\ndate: 2024-03-01\ntags: disk\n---\n# Disk full\n\nDelete it.\n"),
            ("ops/deep/page.xml", "<h1>Page</h1><p>Text</p>"),
            ("pages.jsonl", &format!("{line}\nnot json\n")),
            ("logo.png", "x"),
        ],
    );
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    assert_eq!(listed.wiki, source.wiki());
    assert!(listed.wiki.starts_with("folder:"));
    assert_eq!(listed.pages.len(), 4);
    assert_eq!(
        skipped(&listed),
        [
            ("file that is not a page (.png)", 1),
            ("line that is not a page (JSON with `id` and `body_storage`): `pages.jsonl, line 2`", 1)
        ]
    );
    let disk = fetch(&*source, &files, find(&listed, "ops/disk.md"), Version(3));
    assert_eq!((disk.title.as_str(), disk.version, disk.space.as_str()), ("Disk full", Version(3), "ops"));
    assert_eq!(disk.body, "# Disk full\n\nDelete it.\n");
    assert_eq!(disk.parent, Some(PageId::new("ops/README.md")));
    assert_eq!((disk.ancestors, disk.labels), (vec!["Operations".to_owned()], vec!["disk".to_owned()]));
    assert_eq!(disk.modified, knowledge::time::parse("2024-03-01"));
    let deep = current(&*source, &files, find(&listed, "ops/deep/page.xml"));
    assert_eq!((deep.title.as_str(), deep.ancestors), ("Page", vec!["Operations".to_owned()]));
    assert_eq!(current(&*source, &files, find(&listed, "7")).body, "<p>7</p>");
}

#[test]
fn a_missing_date_stays_missing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", "# A"), ("b.jsonl", r#"{"id":1,"title":"B","body_storage":""}"#)]);
    write(folder.path(), &[("x/entities.xml", &export(&page(5, "")))]);
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    assert_eq!(listed.pages.len(), 3);
    for page in &listed.pages {
        let page = current(&*source, &files, page);
        assert_eq!((page.created, page.modified), (None, None), "{}", page.id);
    }
}

#[test]
fn a_fetch_after_a_restart_reads_what_it_needs_again() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a/README.md", "# Top"), ("a/b.md", "text")]);
    write(folder.path(), &[("x/entities.xml", &export(&page(5, "")))]);
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    for page in &listed.pages {
        let before = current(&*source, &files, page);
        let (source, files) = open(folder.path()).unwrap();
        assert_eq!(current(&*source, &files, page), before);
    }
}

#[test]
fn a_listing_goes_on_at_its_cursor_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let objects: String = (1..=1_500).map(|id| page(id, "")).collect();
    write(folder.path(), &[("x/entities.xml", &export(&objects)), ("more.md", "# More")]);
    write(folder.path(), &[("double.jsonl", r#"{"id":"1400","body_storage":"other"}"#)]);
    let (mut cursor, mut ids, mut twice) = (None, Vec::new(), 0);
    loop {
        let (source, files) = open(folder.path()).unwrap();
        let Record::Listed(listed) =
            answer(&*source, &Ask::List { sweep: 2, cursor }, &files).unwrap().remove(0)
        else {
            panic!("a listing gives `Listed`")
        };
        assert_eq!(listed.sweep, 2);
        twice += listed.skipped.iter().filter(|warning| warning.what.contains("another part")).count();
        ids.extend(listed.pages.into_iter().map(|page| page.id));
        cursor = listed.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((ids.len(), twice), (1_501, 1));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1_501);
}

#[test]
fn a_page_that_changed_since_its_listing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", "old")]);
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    write(folder.path(), &[("a.md", "new")]);
    assert_eq!(answer(&*source, &ask(&listed.pages[0], Version(1)), &files).unwrap_err().kind, Kind::Changed);
    let page = PageRef { id: PageId::new("b.md"), ..listed.pages[0].clone() };
    assert_eq!(answer(&*source, &ask(&page, Version(1)), &files).unwrap(), [Record::Gone { page: page.id }]);
}

#[test]
fn a_fingerprint_changes_with_the_page_and_with_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let prints = |folder: &Path| {
        let (source, files) = open(folder).unwrap();
        let listed = sweep(&*source, &files).unwrap();
        listed.pages.into_iter().map(|page| page.fingerprint).collect::<Vec<_>>()
    };
    let labelled = "<object class=\"Label\"><id name=\"id\">8</id>
        <property name=\"name\">new</property></object>
        <object class=\"Labelling\"><id name=\"id\">3</id>
        <property name=\"label\"><id name=\"id\">8</id></property>
        <property name=\"content\"><id name=\"id\">5</id></property></object>";
    write(folder.path(), &[("entities.xml", &export(&(page(5, "") + &page(6, ""))))]);
    let before = prints(folder.path());
    write(folder.path(), &[("entities.xml", &export(&(page(6, "") + &page(5, ""))))]);
    assert_eq!(prints(folder.path()), before);
    write(folder.path(), &[("entities.xml", &export(&(page(5, "") + &page(6, "") + labelled)))]);
    let after = prints(folder.path());
    assert!(after[0] != before[0] && after[1] == before[1]);
}

#[test]
fn invalid_text_is_replaced_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.md"), b"# A\n\xff\xfe text").unwrap();
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    assert_eq!(skipped(&listed), [("invalid UTF-8 that was replaced: `a.md`", 1)]);
    assert!(current(&*source, &files, &listed.pages[0]).body.contains('\u{fffd}'));
}

#[test]
fn a_page_of_50_mb_is_passed_over_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.md", "# A")]);
    fs::File::create(folder.path().join("large.md")).unwrap().set_len(50 << 20).unwrap();
    let large = "a".repeat(50 << 20);
    let lines =
        format!("{{\"id\":\"x\",\"body_storage\":\"{large}\"}}\n{{\"id\":\"y\",\"body_storage\":\"\"}}\n");
    write(
        folder.path(),
        &[("lines.jsonl", &lines), ("x/entities.xml", &export(&page(5, "").replace("<p>5</p>", &large)))],
    );
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    assert_eq!(listed.pages.iter().map(|page| page.id.as_str()).collect::<Vec<_>>(), ["a.md", "y"]);
    let over: Vec<_> = skipped(&listed).into_iter().filter(|(what, _)| what.contains("over 20 MB")).collect();
    assert_eq!(
        over,
        [
            ("page over 20 MB: `5`", 1),
            ("page over 20 MB: `large.md`", 1),
            ("page over 20 MB: `lines.jsonl, line 1`", 1)
        ]
    );
    assert!(listed.incomplete, "what was not read may still be there");
    assert_eq!(current(&*source, &files, find(&listed, "y")).title, "y");
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder_are_not_followed() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(outside.path(), &[("secret.md", "# Secret")]);
    write(folder.path(), &[("a.md", "# A")]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("circle")).unwrap();
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    assert_eq!((listed.pages.len(), skipped(&listed)), (1, vec![("symbolic link", 2)]));
}

#[test]
fn what_is_no_wiki_says_what_was_found_and_expected() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("photo.jpg", "x")]);
    let error = open(folder.path()).err().unwrap();
    assert_eq!(error.kind, Kind::Halt);
    assert!(
        error.text.contains("1 × jpg") && error.text.contains("expected a Confluence XML export"),
        "{error}"
    );
    let error = open(&folder.path().join("nothing")).err().unwrap();
    assert!(error.text.contains("nothing`: no such file or directory"), "{error}");
}

#[test]
fn half_a_zip_is_said_to_be_half() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(fixture("misc.xml.zip")).unwrap();
    let path = folder.path().join("half.zip");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    for path in [path.as_path(), folder.path()] {
        let error = open(path).err().unwrap();
        assert_eq!(error.kind, Kind::Damaged);
        assert!(error.text.contains("`half.zip`: found no whole ZIP"), "{error}");
    }
}

#[test]
fn a_flipped_byte_in_a_zip_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wiki.zip");
    let text = export(&(1..200).map(|id| page(id, "")).collect::<String>());
    zip(&path, &[("entities.xml", text.as_bytes())]);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let found = open(&path).and_then(|(source, files)| sweep(&*source, &files));
    assert_eq!(found.map(|listed| listed.pages.len()).map_err(|error| error.kind), Err(Kind::Damaged));
}

#[test]
fn half_an_unpacked_export_is_refused_and_not_taken_for_a_small_wiki() {
    let folder = tempfile::tempdir().unwrap();
    let whole = export(&page(5, ""));
    write(folder.path(), &[("entities.xml", &whole[..whole.len() - 30])]);
    let (source, files) = open(folder.path()).unwrap();
    let error = sweep(&*source, &files).unwrap_err();
    assert_eq!(error.kind, Kind::Damaged);
    assert!(error.text.contains("before its `</hibernate-generic>`"), "{error}");
}

#[test]
fn a_zip_bomb_is_stopped_early() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    let mut text = export("").replace("</hibernate-generic>", "").into_bytes();
    text.resize(64 << 20, b' ');
    zip(&path, &[("entities.xml", &text)]);
    let (source, files) = open(&path).unwrap();
    let error = sweep(&*source, &files).unwrap_err();
    assert_eq!(error.kind, Kind::Damaged);
    assert!(error.text.contains("a zip bomb"), "{error}");
}

#[test]
fn a_zip_that_names_paths_outside_is_refused() {
    for name in ["../../etc/passwd.md", "/etc/passwd.md", "a/../../b.md", "..\\b.md", "C:\\b.md"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wiki.zip");
        zip(&path, &[("entities.xml", export("").as_bytes()), (name, b"x")]);
        let error = open(&path).err().unwrap_or_else(|| panic!("`{name}` was taken"));
        assert_eq!(error.kind, Kind::Damaged);
        assert!(error.text.contains("leads outside"), "{error}");
    }
}

#[test]
fn a_zip_of_pages_is_read_like_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wiki.zip");
    zip(&path, &[("docs/README.md", b"# Docs"), ("docs/a.md", b"# A")]);
    let (source, files) = open(&path).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    let page = current(&*source, &files, find(&listed, "wiki.zip!docs/a.md"));
    assert_eq!((page.ancestors, page.body.as_str()), (vec!["Docs".to_owned()], "# A"));
}

#[test]
fn old_versions_are_listed_in_order_and_fetched_as_history() {
    let old = |id: u32, version: u32, date: &str| {
        let more = format!(
            "<property name=\"version\">{version}</property>\
             <property name=\"lastModificationDate\">{date}</property>\
             <property name=\"originalVersion\" class=\"Page\"><id name=\"id\">5</id></property>"
        );
        page(id, &more)
    };
    let now = page(5, "<property name=\"version\">4</property>");
    let objects = old(12, 3, "2020-03-01 00:00:00.000") + &old(11, 1, "2020-01-01 00:00:00.000") + &now;
    let objects = objects
        + &old(13, 2, "2020-02-01 00:00:00.000")
        + &old(14, 4, "2020-04-01")
        + &old(15, 2, "2019-01-01");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("entities.xml", &export(&objects))]);
    let (source, files) = open(folder.path()).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    let page = find(&listed, "5");
    assert_eq!(
        (page.version, page.history.as_slice()),
        (Some(Version(4)), &[Version(1), Version(2), Version(3)][..])
    );
    let history: Vec<_> =
        page.history.iter().map(|version| fetch(&*source, &files, page, *version)).collect();
    assert!(history.iter().all(|page| page.historical && page.id.as_str() == "5"));
    assert!(history.is_sorted_by_key(|page| page.modified));
    assert_eq!(
        history.iter().map(|page| page.body.as_str()).collect::<Vec<_>>(),
        ["<p>11</p>", "<p>13</p>", "<p>12</p>"]
    );
    assert!(!current(&*source, &files, page).historical);
    assert!(skipped(&listed).contains(&("old version that is numbered like the current one or later", 1)));
    assert!(skipped(&listed).contains(&("old version whose number another one has", 1)));
    let error = answer(&*source, &ask(page, Version(9)), &files).unwrap_err();
    assert_eq!(error.kind, Kind::Never, "{error}");
}

#[test]
fn restrictions_become_layers_and_what_is_left_open_denies() {
    let set = |id: u32, kind: &str, page: u32, members: &str| {
        format!(
            "<object class=\"ContentPermissionSet\"><id name=\"id\">{id}</id>\
             <property name=\"type\">{kind}</property>\
             <collection name=\"contentPermissions\">{members}</collection>\
             <property name=\"owningContent\" class=\"Page\"><id name=\"id\">{page}</id></property></object>"
        )
    };
    let member = |id: u32, set: u32, who: &str| {
        format!(
            "<object class=\"ContentPermission\"><id name=\"id\">{id}</id>{who}\
             <property name=\"owningSet\"><id name=\"id\">{set}</id></property></object>"
        )
    };
    let user = "<property name=\"userSubject\"><id name=\"key\">u1</id></property>";
    let view = |who: &str| {
        format!(
            "<object class=\"SpacePermission\"><id name=\"id\">70</id>\
             <property name=\"type\">VIEWSPACE</property>{who}\
             <property name=\"space\"><id name=\"id\">1</id></property></object>"
        )
    };
    let objects = [
        (5..=9).map(|id| page(id, "")).collect::<String>(),
        // Below what no export tells, such as a folder, which may be closed to anybody.
        page(10, "<property name=\"parent\" class=\"Page\"><id name=\"id\">404</id></property>"),
        set(50, "View", 5, "")
            + &member(60, 50, user)
            + &member(61, 50, "<property name=\"groupName\">sec</property>"),
        set(51, "Edit", 6, "") + &member(62, 51, user),
        set(52, "View", 7, ""),
        set(53, "View", 8, "<element><id name=\"id\">99</id></element>"),
        member(63, 54, user),
    ]
    .concat();
    let layers = |more: &str| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("entities.xml", &export(&(objects.clone() + more)))]);
        let (source, files) = open(folder.path()).unwrap();
        let listed = sweep(&*source, &files).unwrap();
        listed.layers.into_iter().map(|layer| (layer.id, layer.rule)).collect::<Vec<_>>()
    };
    let only = |users: &[&str], groups: &[&str]| Rule::Only {
        users: users.iter().map(|user| PersonKey::new(*user)).collect(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let space = LayerId::Space(SpaceKey::new("OPS"));
    let at = |id: &str| LayerId::Page(PageId::new(id));
    let found = layers("");
    let expected = [
        (space.clone(), Rule::Unknown),
        (at("5"), only(&["u1"], &["sec"])),
        (at("8"), Rule::Unknown),
        (at("10"), Rule::Unknown),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        layers(&view("<property name=\"group\">staff</property>"))[0],
        (space.clone(), only(&[], &["staff"]))
    );
    assert_eq!(layers(&view("<property name=\"group\"/>"))[0], (space.clone(), Rule::Everyone));
    let all =
        |who: &str| layers(&view(&format!("<property name=\"allUsersSubject\">{who}</property>")))[0].clone();
    assert_eq!(all("anonymous-users"), (space.clone(), Rule::Everyone));
    assert_eq!(all("authenticated-users"), (space, only(&[], &["authenticated-users"])));
}

#[test]
fn comments_are_pages_of_their_own() {
    let (source, files) = open(&fixture("annotations")).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    let comment = current(&*source, &files, find(&listed, "949846020"));
    let on = PageId::new("949323637");
    assert_eq!(
        comment.kind,
        PageKind::Comment { on, quoted: Some(", consectetur adipiscing elit. M".into()) }
    );
    assert_eq!((comment.title.as_str(), comment.body.as_str()), ("Re: Annotations", "<p>annotation 1</p>"));
    assert_eq!(comment.ancestors, ["Home page", "Parent page", "Annotations"]);
    assert_eq!(comment.created, knowledge::time::parse("2025-02-10T14:33:37.774Z"));
}

#[test]
fn wiki_markup_nested_cdata_and_forbidden_characters_come_through() {
    let only = |name: &str, id: &str| {
        let (source, files) = open(&fixture(name)).unwrap();
        let listed = sweep(&*source, &files).unwrap();
        current(&*source, &files, find(&listed, id))
    };
    assert_eq!(only("fixcdata", "10").body, "wrong <![CDATA[cdata]]>");
    assert_eq!(only("3.4.7.zip", "131078").format, BodyFormat::WikiMarkup);
    let page = only("cdatazerowidthspace", "45809846");
    assert_eq!(
        (page.format, page.body.contains('\u{2}'), page.body.contains('\u{2028}')),
        (BodyFormat::Storage, true, true)
    );
}

#[test]
fn every_fixture_is_read_and_counted_as_noted() {
    let mut entries: Vec<_> = fs::read_dir(fixture(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    entries.retain(|name| !matches!(name.as_str(), "NOTICE" | "counts.txt"));
    entries.sort();
    let mut found = String::new();
    for name in entries {
        let (source, files) = open(&fixture(&name)).unwrap();
        let listed = sweep(&*source, &files).unwrap();
        let (mut bytes, mut history) = (0, 0);
        for page in &listed.pages {
            history += page.history.len();
            bytes += current(&*source, &files, page).body.len();
            page.history.iter().for_each(|version| drop(fetch(&*source, &files, page, *version)));
        }
        let (pages, people, layers) = (listed.pages.len(), listed.people.len(), listed.layers.len());
        let counts =
            format!("{pages} pages, {history} old versions, {people} people, {layers} layers, {bytes} bytes");
        writeln!(found, "{name}: {} with {counts}", listed.wiki).unwrap();
        skipped(&listed)
            .iter()
            .for_each(|(what, count)| writeln!(found, "  skipped {count} × {what}").unwrap());
    }
    let noted = fs::read_to_string(fixture("counts.txt")).unwrap_or_default();
    assert!(found == noted, "`counts.txt` should read:\n{found}");
}

#[test]
fn the_samples_are_a_wiki_with_everything_a_wiki_has() {
    let (source, files) = open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")).unwrap();
    let listed = sweep(&*source, &files).unwrap();
    assert_eq!(listed.wiki, "folder:samples");
    assert!(listed.pages.len() > 350, "{}", listed.pages.len());
    assert_eq!(
        skipped(&listed),
        [("draft", 1), ("page in the trash", 1), ("file that is not a page (no ending)", 1)]
    );
    assert!(listed.people.iter().any(|person| person.name == "Alex Example"));
    assert!(
        listed
            .layers
            .iter()
            .any(|layer| matches!((&layer.id, &layer.rule), (LayerId::Page(_), Rule::Only { .. })))
    );
    let pages: Vec<RawPage> = listed.pages.iter().map(|page| current(&*source, &files, page)).collect();
    assert!(pages.iter().any(|page| page.kind == PageKind::BlogPost));
    assert!(pages.iter().any(|page| matches!(&page.kind, PageKind::Comment { quoted: Some(_), .. })));
    assert!(
        pages
            .iter()
            .any(|page| page.ancestors.last().is_some_and(|title| title == "Security incident contacts"))
    );
    assert!(
        pages.iter().any(|page| !page.attachments.is_empty())
            && pages.iter().any(|page| !page.labels.is_empty())
    );
    let edited = listed.pages.iter().find(|page| page.history.len() >= 3).unwrap();
    let first = fetch(&*source, &files, edited, edited.history[0]);
    let last = current(&*source, &files, edited);
    assert!(
        first.modified < last.modified && first.body != last.body && last.body.contains("<th>Owner</th>")
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_as_an_export_panic(noise: Vec<u8>, cut in 0usize..6_000, at in 0usize..6_000) {
        let mut bytes = fs::read(fixture("historyorder").join("entities.xml")).unwrap();
        let at = at.min(bytes.len());
        bytes.splice(at..(at + cut % 40).min(bytes.len()), noise);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("entities.xml"), &bytes).unwrap();
        if let Ok((source, files)) = open(folder.path())
            && let Ok(listed) = sweep(&*source, &files)
        {
            for page in &listed.pages {
                let versions = page.version.iter().chain(&page.history);
                versions.for_each(|version| drop(answer(&*source, &ask(page, *version), &files)));
            }
        }
    }
}
