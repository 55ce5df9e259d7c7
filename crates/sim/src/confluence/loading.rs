//! Sites to begin with: a small one for tests, and one made of a folder of samples. A folder may hold pages as lines of
//! JSON, as Markdown, or in storage format; folders within it become folders of the wiki. It knows no interface.

use super::edits::{
    Creation, Deed, Edit, Order, Remark, apply, comment, create, found_space, permit, person,
};
use super::site::{ContentId, Deployment, Group, GroupId, Kind, Principal, Site, SpaceId, UserId};
use super::text::escaped;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// How the reader of every site says who they are: `reader@example.com` with `reader-token`.
pub const READER: &str = "Basic cmVhZGVyQGV4YW1wbGUuY29tOnJlYWRlci10b2tlbg==";
/// The same for the administrator, who sees everything.
pub const ADMIN: &str = "Basic YWRtaW5AZXhhbXBsZS5jb206YWRtaW4tdG9rZW4=";

/// When every wiki begins, 2025-01-06, and when it stands still unless somebody turns its clock.
const FIRST: i64 = 1_736_150_400;
const STANDS: i64 = 1_785_542_400;

/// A moment so many minutes after the beginning.
pub fn minute(minutes: u64) -> Timestamp {
    Timestamp::from_second(FIRST + 60 * minutes as i64).unwrap_or_default()
}

/// A site with nothing but those who may come in: a reader in Berlin, and an administrator who sees everything.
pub fn empty(deployment: Deployment) -> Site {
    let mut site = Site::new(deployment);
    site.now = Timestamp::from_second(STANDS).unwrap_or_default();
    let all = [("acc-admin", "Ada Admin", "admin", true), ("acc-reader", "Robin Reader", "reader", false)];
    for (id, name, short, sees_all) in all {
        let mut user = person(id, name);
        user.email = format!("{short}@example.com");
        user.username = short.to_owned();
        user.sees_all = sees_all;
        user.zone = Some(if sees_all { "UTC" } else { "Europe/Berlin" }.to_owned());
        let token = format!("{short}-token");
        site.access.admit(&user.email, &token, &user.id);
        site.access.admit(short, &token, &user.id);
        site.access.admit_token(&token, &user.id);
        site.access.admit_refresh(&format!("refresh-{short}"), &user.id);
        site.users.insert(user.id.clone(), user);
    }
    add_group(&mut site, ("grp-staff", "staff"), &["acc-admin", "acc-reader"]);
    add_group(&mut site, ("grp-people", "people"), &["acc-admin"]);
    site
}

/// Adds a group.
pub fn add_group(site: &mut Site, (id, name): (&str, &str), members: &[&str]) {
    let members: BTreeSet<UserId> = members.iter().map(|id| UserId((*id).to_owned())).collect();
    let id = GroupId(id.to_owned());
    site.groups.insert(id.clone(), Group { id, name: name.to_owned(), members });
}

/// Adds a space that all of the staff may read.
pub fn add_space(site: &mut Site, key: &str, name: &str) -> SpaceId {
    let deed = Deed { by: UserId("acc-admin".to_owned()), at: minute(0) };
    let id = found_space(site, &deed, (key.to_owned(), name.to_owned()));
    permit(site, id, &Principal::Group(GroupId("grp-staff".to_owned())));
    id
}

/// The body of a page with two tasks.
const TASKS: &str = "<p>Restart the ledger at night.</p><ac:task-list>\
        <ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>Ask \
        <ac:link><ri:user ri:account-id=\"acc-admin\"/></ac:link> by <time datetime=\"2026-04-05\"/>\
        </ac:task-body></ac:task>\
        <ac:task><ac:task-id>2</ac:task-id><ac:task-status>complete</ac:task-status>\
        <ac:task-body>Done</ac:task-body></ac:task>\
        </ac:task-list>";

/// A small site whose pages everybody who writes a test knows.
pub fn small(deployment: Deployment) -> Site {
    let mut site = empty(deployment);
    let space = add_space(&mut site, "OPS", "Operations");
    let pages = [
        (1000, "Home", "<p>Welcome.</p>", None, "page"),
        (1001, "Runbooks", "<p>What to do &amp; when.</p>", Some(1000), "page"),
        (1002, "Restart the ledger", TASKS, Some(1001), "page"),
        (1003, "Glossary", "<p>Words.</p>", Some(1001), "page"),
        (1010, "We have moved", "<p>News.</p>", None, "blogpost"),
        (1020, "Archive", "", Some(1000), "folder"),
        (1021, "Sketch", "", Some(1020), "whiteboard"),
        (1022, "Table", "", Some(1020), "database"),
        (1023, "Board", "", Some(1020), "embed"),
    ];
    for (at, (id, title, body, parent, kind)) in pages.into_iter().enumerate() {
        let deed = Deed { by: UserId("acc-admin".to_owned()), at: minute(10 * at as u64) };
        let creation = Creation {
            space: "OPS".to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            kind: Some(kind.to_owned()),
            id: Some(id),
            parent,
            draft: false,
        };
        // Nothing of it is there twice, and the space is there.
        create(&mut site, &deed, creation).ok();
    }
    site.spaces.entry(space).and_modify(|space| space.homepage = Some(ContentId(1000)));
    let orders = [
        Edit::Label { id: 1001, add: Some(vec!["runbook".to_owned()]), remove: None },
        Edit::Comment {
            on: 1001,
            body: "<p>Good.</p>".to_owned(),
            reply_to: None,
            selection: None,
            id: Some(1100),
        },
        Edit::Comment {
            on: 1001,
            body: "<p>Indeed.</p>".to_owned(),
            reply_to: Some(1100),
            selection: None,
            id: Some(1101),
        },
        Edit::Comment {
            on: 1001,
            body: "<p>When?</p>".to_owned(),
            reply_to: None,
            selection: Some("when".to_owned()),
            id: Some(1102),
        },
        Edit::Attach {
            to: 1001,
            name: "notes.txt".to_owned(),
            media_type: None,
            text: Some("Notes.".to_owned()),
            base64: None,
        },
    ];
    for edit in orders {
        apply(&mut site, Order { by: None, at: Some(minute(100)), edit }).ok();
    }
    site
}

/// A site made of a folder of samples.
pub fn from_folder(folder: &Path, deployment: Deployment) -> Result<Site, String> {
    let mut site = empty(deployment);
    let mut loading = Loading { made: 0 };
    loading.folder(&mut site, (folder, None, None))?;
    if site.contents().next().is_none() {
        return Err(format!("`{}` holds no pages: expected .jsonl, .md, .xml or .html", folder.display()));
    }
    Ok(site)
}

struct Loading {
    made: u64,
}

impl Loading {
    fn deed(&mut self) -> Deed {
        self.made += 1;
        Deed { by: UserId("acc-admin".to_owned()), at: minute(7 * self.made) }
    }

    /// All that is in a folder, in the order of names; `space` and `parent` are where its pages go.
    fn folder(
        &mut self,
        site: &mut Site,
        (folder, space, parent): (&Path, Option<&str>, Option<u64>),
    ) -> Result<(), String> {
        let failed = |why: std::io::Error| format!("`{}`: {why}", folder.display());
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        for path in paths {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                self.below(site, &path, (space, parent, &stem))?;
                continue;
            }
            let text = match path.extension().and_then(|ending| ending.to_str()) {
                Some("jsonl" | "md" | "xml" | "html") => {
                    std::fs::read_to_string(&path).map_err(|why| format!("`{}`: {why}", path.display()))?
                }
                _ => continue,
            };
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("jsonl") => {
                    self.lines(site, &text).map_err(|why| format!("`{}`: {why}", path.display()))?
                }
                Some("md") => self.page(site, (space, parent), (&stem, markdown(&text))),
                _ => self.page(site, (space, parent), (&stem, text)),
            }
        }
        Ok(())
    }

    /// A folder within: the first level are spaces, the rest folders of the wiki.
    fn below(
        &mut self,
        site: &mut Site,
        path: &Path,
        (space, parent, name): (Option<&str>, Option<u64>, &str),
    ) -> Result<(), String> {
        let Some(space) = space else {
            let key: String =
                name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
            add_space(site, &key, name);
            return self.folder(site, (path, Some(&key), None));
        };
        let deed = self.deed();
        let creation = Creation {
            space: space.to_owned(),
            title: name.to_owned(),
            kind: Some(Kind::Folder.name().to_owned()),
            parent,
            ..Creation::default()
        };
        let id = create(site, &deed, creation)?;
        self.folder(site, (path, Some(space), Some(id)))
    }

    fn page(&mut self, site: &mut Site, place: (Option<&str>, Option<u64>), (name, body): (&str, String)) {
        let space = place.0.unwrap_or("WIKI").to_owned();
        add_space_once(site, &space);
        let deed = self.deed();
        let title = body.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
        let title = title.map_or(name, |(title, _)| title).to_owned();
        let creation = Creation { space, title, body, parent: place.1, ..Creation::default() };
        create(site, &deed, creation).ok();
    }

    /// Pages as lines of JSON: id, space, title, parentId, body_storage.
    fn lines(&mut self, site: &mut Site, text: &str) -> Result<(), String> {
        let mut parents = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let row: Value = serde_json::from_str(line).map_err(|why| format!("line {number}: {why}"))?;
            let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let numeric = |name: &str| row[name].as_str().and_then(|id| id.parse::<u64>().ok());
            add_space_once(site, &word("space"));
            let deed = self.deed();
            let creation = Creation {
                space: word("space"),
                title: word("title"),
                body: word("body_storage"),
                id: numeric("id"),
                ..Creation::default()
            };
            let id = create(site, &deed, creation).map_err(|why| format!("line {number}: {why}"))?;
            parents.push((ContentId(id), numeric("parentId").map(ContentId)));
        }
        for (id, parent) in parents {
            let Some(space) = site.content(id).map(|content| content.space) else { continue };
            let parent = parent.filter(|parent| site.content(*parent).is_some());
            site.place(id, space, parent);
            if parent.is_none() {
                let space = site.spaces.get_mut(&space);
                space.into_iter().for_each(|space| space.homepage = space.homepage.or(Some(id)));
            }
        }
        Ok(())
    }
}

fn add_space_once(site: &mut Site, key: &str) {
    if site.space_of_key(key).is_none() {
        add_space(site, key, &format!("{key} space"));
    }
}

/// Markdown in storage format, roughly: headings, paragraphs, lists and fenced code.
pub fn markdown(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let level = line.chars().take_while(|c| *c == '#').count();
        if let Some(language) = line.strip_prefix("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            out.push_str(&format!(
                "<ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">{}</ac:parameter>\
                 <ac:plain-text-body><![CDATA[{}]]></ac:plain-text-body></ac:structured-macro>",
                escaped(language),
                code.join("\n").replace("]]>", "]]]]><![CDATA[>")
            ));
        } else if (1..=6).contains(&level) && line[level..].starts_with(' ') {
            out.push_str(&format!("<h{level}>{}</h{level}>", escaped(line[level..].trim())));
        } else if let Some(item) = line.strip_prefix("- ") {
            out.push_str(&format!("<ul><li><p>{}</p></li>", escaped(item)));
            while let Some(item) = lines.next_if(|line| line.starts_with("- ")) {
                out.push_str(&format!("<li><p>{}</p></li>", escaped(&item[2..])));
            }
            out.push_str("</ul>");
        } else if !line.trim().is_empty() {
            let mut words = line.trim().to_owned();
            let goes_on = |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', '-', '`']);
            while let Some(line) = lines.next_if(goes_on) {
                words.push(' ');
                words.push_str(line.trim());
            }
            out.push_str(&format!("<p>{}</p>", escaped(&words)));
        }
    }
    out
}

/// Adds what people leave on pages: comments with replies, labels, files. Every page that is a multiple of so many gets
/// some.
pub fn used(site: &mut Site, every: usize) {
    let pages: Vec<ContentId> =
        site.contents().filter(|content| content.kind == Kind::Page).map(|page| page.id).collect();
    for id in pages.into_iter().step_by(every.max(1)) {
        let Some(at) = site.content(id).map(|page| page.newest().at + SignedDuration::from_hours(3)) else {
            continue;
        };
        let deed = Deed { by: UserId("acc-reader".to_owned()), at };
        let remark = Remark { body: "<p>Is this still so?</p>".to_owned(), ..Remark::default() };
        let Ok(first) = comment(site, &deed, id, remark) else { continue };
        let reply_to = Some(ContentId(first));
        comment(site, &deed, id, Remark { body: "<p>It is.</p>".to_owned(), reply_to, ..Remark::default() })
            .ok();
        let label = Edit::Label { id: id.0, add: Some(vec!["reviewed".to_owned()]), remove: None };
        apply(site, Order { by: None, at: Some(at), edit: label }).ok();
        let file = Edit::Attach {
            to: id.0,
            name: "notes.txt".to_owned(),
            media_type: None,
            text: Some(format!("Notes on page {id}.")),
            base64: None,
        };
        apply(site, Order { by: None, at: Some(at), edit: file }).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_becomes_a_site() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/wiki");
        let site = from_folder(&root, Deployment::Cloud).unwrap();
        assert_eq!(site.contents().count(), 306);
        assert_eq!(site.spaces.len(), 2);
        assert!(site.spaces.values().all(|space| space.homepage.is_some()));
        assert!(site.contents().filter(|page| page.parent.is_some()).count() > 200);
    }

    #[test]
    fn markdown_is_stored_as_confluence_does() {
        let stored = markdown("# A & b\n\nOne\ntwo.\n\n- x\n- y\n\n```sh\na ]]> b\n```\n");
        assert!(
            stored
                .starts_with("<h1>A &amp; b</h1><p>One two.</p><ul><li><p>x</p></li><li><p>y</p></li></ul>")
        );
        assert!(stored.contains("<![CDATA[a ]]]]><![CDATA[> b]]>"));
    }
}
