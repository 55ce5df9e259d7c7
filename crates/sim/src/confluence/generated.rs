//! A site of as many pages as are wanted, all from a seed: spaces, trees with folders, versions, restrictions in
//! several layers, people who may see this and not that, comments, files, tasks, and what is archived, in the trash or
//! a draft.

use super::edits::{Creation, Deed, Edit, Order, Remark, apply, attach, comment, create, person};
use super::loading::{add_group, add_space, empty, minute};
use super::site::{ContentId, Deployment, File, Site, Status, UserId};
use crate::rng::Rng;

const SPACES: [(&str, &str); 8] = [
    ("OPS", "Operations"),
    ("PAY", "Payments"),
    ("ENG", "Engineering"),
    ("HR", "People"),
    ("DATA", "Data platform"),
    ("SEC", "Security"),
    ("DOC", "Handbook"),
    ("LAB", "Research"),
];
const SYSTEMS: [&str; 12] = [
    "ledger", "billing", "orders", "catalog", "gateway", "identity", "shipping", "pricing", "audit",
    "search", "mail", "reports",
];
const TEAMS: [&str; 6] = ["Blue", "Green", "Red", "Harbour", "Summit", "River"];
const FIRST_NAMES: [&str; 10] = ["Anna", "Jo", "Sam", "Mia", "Lee", "Ines", "Olu", "Kai", "Eva", "Tom"];
const LAST_NAMES: [&str; 8] = ["Berg", "Lind", "Okoye", "Silva", "Novak", "Tanaka", "Moreau", "Kaya"];

/// How a site is generated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many pages.
    pub pages: usize,
    /// The seed.
    pub seed: u64,
    /// Pages of more than a million characters.
    pub huge: usize,
}

/// A generated site.
pub fn generated(plan: Plan, deployment: Deployment) -> Site {
    let mut site = empty(deployment);
    let mut making = Making { rng: Rng::new(plan.seed, "confluence site"), people: Vec::new() };
    making.people(&mut site);
    let spaces = (1 + plan.pages / 2500).clamp(2, SPACES.len());
    for (key, name) in &SPACES[..spaces] {
        add_space(&mut site, key, name);
    }
    // One that the reader may not see at all.
    let closed = add_space(&mut site, "BOARD", "Board");
    site.spaces.entry(closed).and_modify(|space| space.permissions.clear());
    let mut trees: Vec<Vec<u64>> = vec![Vec::new(); spaces];
    for page in 0..plan.pages {
        let tree = page % spaces;
        making.page(&mut site, (SPACES[tree].0, page, page < plan.huge), &mut trees[tree]);
    }
    making.closed_page(&mut site);
    site
}

struct Making {
    rng: Rng,
    people: Vec<UserId>,
}

impl Making {
    fn people(&mut self, site: &mut Site) {
        for (at, last) in LAST_NAMES.iter().enumerate() {
            for first in &FIRST_NAMES[..5 + at % 5] {
                let id = format!("acc-{}-{}", first.to_lowercase(), last.to_lowercase());
                let mut user = person(&id, &format!("{first} {last}"));
                user.hides_email = self.rng.chance(30);
                user.left = self.rng.chance(10);
                self.people.push(user.id.clone());
                site.users.insert(user.id.clone(), user);
            }
        }
        for (at, team) in TEAMS.iter().enumerate() {
            let ours = self.people.iter().skip(at).step_by(TEAMS.len());
            let mut members: Vec<&str> = ours.map(|id| id.0.as_str()).collect();
            // The reader is in half of the teams.
            if at % 2 == 0 {
                members.push("acc-reader");
            }
            let id = format!("grp-{}", team.to_lowercase());
            add_group(site, (&id, &format!("team-{}", team.to_lowercase())), &members);
        }
        let everybody: Vec<&str> = self.people.iter().map(|id| id.0.as_str()).collect();
        let everybody = [&everybody[..], &["acc-admin", "acc-reader"]].concat();
        add_group(site, ("grp-staff", "staff"), &everybody);
    }

    fn deed(&mut self, page: usize) -> Deed {
        let by = self.rng.pick(&self.people).clone();
        Deed { by, at: minute(11 * page as u64 + self.rng.below(10) as u64) }
    }

    fn page(&mut self, site: &mut Site, (space, page, huge): (&str, usize, bool), tree: &mut Vec<u64>) {
        let deed = self.deed(page);
        let parent = self.parent(site, (space, page), tree);
        let kind = if self.rng.chance(2) { "blogpost" } else { "page" };
        let system = *self.rng.pick(&SYSTEMS);
        let creation = Creation {
            space: space.to_owned(),
            title: format!("{} {page}", capital(system)),
            body: self.body(page, huge),
            kind: Some(kind.to_owned()),
            id: Some(1_000_000 + 8 * page as u64),
            parent: parent.filter(|_| kind == "page"),
            draft: false,
        };
        let Ok(id) = create(site, &deed, creation) else { return };
        if kind == "page" {
            if tree.is_empty() {
                let of_page = site.content(ContentId(id)).map(|page| page.space);
                let home = of_page.and_then(|space| site.spaces.get_mut(&space));
                home.into_iter().for_each(|space| space.homepage = Some(ContentId(id)));
            }
            tree.push(id);
        }
        self.history(site, (id, page, &deed));
        if page >= 8 {
            self.fate(site, id);
        }
        self.remarks(site, (id, page));
    }

    /// Under one of the pages before it, rarely under a new folder.
    fn parent(&mut self, site: &mut Site, (space, page): (&str, usize), tree: &[u64]) -> Option<u64> {
        if tree.is_empty() {
            return None;
        }
        let parent = *self.rng.pick(&tree[..tree.len().div_ceil(3)]);
        if !self.rng.chance(3) {
            return Some(parent);
        }
        let deed = self.deed(page);
        let folder = Creation {
            space: space.to_owned(),
            title: format!("Folder {page}"),
            kind: Some(
                (*self.rng.pick(&["folder", "folder", "folder", "whiteboard", "database"])).to_owned(),
            ),
            id: Some(1_000_000 + 8 * page as u64 + 1),
            parent: Some(parent),
            ..Creation::default()
        };
        create(site, &deed, folder).ok().or(Some(parent))
    }

    fn body(&mut self, page: usize, huge: bool) -> String {
        let sections = if huge { 1400 } else { self.rng.between(1, 4) };
        let mut body = String::new();
        for section in 0..sections {
            let (one, other) = (*self.rng.pick(&SYSTEMS), *self.rng.pick(&SYSTEMS));
            let team = *self.rng.pick(&TEAMS);
            body.push_str(&format!(
                "<h2>{} {section}</h2><p>The {one} service of page {page} depends on the {other} service and is run by \
                 Team {team}. It is restarted on the first Monday of a month, after everybody who must know was told \
                 so in writing, and at night when nobody pays anything.</p>",
                capital(one)
            ));
            body.push_str(&self.ornament(page, one));
            if huge {
                body.push_str(&format!(
                    "<p>{}</p>",
                    "Long pages are long because nobody cuts them. ".repeat(14)
                ));
            }
        }
        body
    }

    /// Something that only Confluence has.
    fn ornament(&mut self, page: usize, system: &str) -> String {
        let who = self.rng.pick(&self.people).0.clone();
        match self.rng.below(8) {
            0 => format!(
                "<table><tbody><tr><th>Key</th><th>Value</th></tr><tr><td>Port</td><td>{}</td></tr></tbody></table>",
                8000 + page % 1000
            ),
            1 => format!(
                "<ac:structured-macro ac:name=\"code\"><ac:parameter ac:name=\"language\">sh</ac:parameter>\
                 <ac:plain-text-body><![CDATA[systemctl restart {system} && echo \"<done>\"]]></ac:plain-text-body>\
                 </ac:structured-macro>"
            ),
            2 => format!("<p>Ask <ac:link><ri:user ri:account-id=\"{who}\"/></ac:link>.</p>"),
            3 => format!(
                "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status>\
                 <ac:task-body>Check {system} <time datetime=\"2026-04-05\"/></ac:task-body></ac:task></ac:task-list>"
            ),
            4 => "<p>See <ac:link><ri:page ri:content-title=\"Ledger 0\"/></ac:link>.</p>".to_owned(),
            _ => String::new(),
        }
    }

    /// Later versions.
    fn history(&mut self, site: &mut Site, (id, page, first): (u64, usize, &Deed)) {
        for edit in 1..=self.rng.weighted(&[70, 20, 7, 3]) {
            let mut deed = self.deed(page + 40 * edit);
            deed.at = deed.at.max(first.at);
            let body = self.body(page, false);
            let edit = Edit::Edit {
                id,
                title: None,
                body: Some(body),
                message: None,
                minor: Some(self.rng.chance(20)),
            };
            apply(site, Order { by: Some(deed.by.0), at: Some(deed.at), edit }).ok();
        }
    }

    /// Restrictions and labels, and what is not current any more.
    fn fate(&mut self, site: &mut Site, id: u64) {
        let luck = self.rng.below(1000);
        let team = format!("grp-{}", self.rng.pick(&TEAMS).to_lowercase());
        let who = self.rng.pick(&self.people).clone();
        let label = format!("team-{}", self.rng.pick(&TEAMS).to_lowercase());
        let Some(content) = site.content_mut(ContentId(id)) else { return };
        match luck {
            0..30 => {
                content.read.groups.insert(super::site::GroupId(team));
            }
            30..40 => {
                content.read.users.insert(who);
            }
            40..55 => content.status = Status::Archived,
            55..70 => content.status = Status::Trashed,
            70..75 => content.status = Status::Draft,
            75..85 => {
                content.update.users.insert(who);
            }
            _ => {}
        }
        if luck.is_multiple_of(4) {
            content.labels.insert(super::edits::label(&label));
        }
    }

    fn remarks(&mut self, site: &mut Site, (id, page): (u64, usize)) {
        let on = ContentId(id);
        if self.rng.chance(15) {
            let deed = self.deed(page + 100);
            let selection = self.rng.chance(30).then(|| "depends on".to_owned());
            let number = Some(id + 2);
            let remark =
                Remark { body: "<p>Is this still so?</p>".to_owned(), selection, id: number, reply_to: None };
            comment(site, &deed, on, remark).ok();
            let reply_to = Some(ContentId(id + 2));
            let body = "<p>It is, as of last week.</p>".to_owned();
            let deed = self.deed(page + 120);
            comment(site, &deed, on, Remark { body, reply_to, id: Some(id + 3), selection: None }).ok();
        }
        if self.rng.chance(10) {
            let deed = self.deed(page + 30);
            let bytes = format!("Notes on page {page}.").into_bytes();
            let file = File { media_type: "text/plain".to_owned(), bytes };
            attach(site, &deed, on, ("notes.txt".to_owned(), file)).ok();
        }
    }

    fn closed_page(&mut self, site: &mut Site) {
        let deed = self.deed(0);
        let creation = Creation {
            space: "BOARD".to_owned(),
            title: "Plans".to_owned(),
            body: "<p>Nobody may read this.</p>".to_owned(),
            ..Creation::default()
        };
        create(site, &deed, creation).ok();
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_a_site_of_so_many_pages() {
        let plan = Plan { pages: 1000, seed: 3, huge: 1 };
        let site = generated(plan, Deployment::Cloud);
        let of = |name: &str| site.contents().filter(|content| content.kind.name() == name).count();
        assert_eq!(of("page") + of("blogpost"), 1001);
        assert!(of("folder") > 5 && of("comment") > 100 && of("attachment") > 50);
        let reader = UserId("acc-reader".to_owned());
        let hidden = site.contents().filter(|content| !site.sees(&reader, content)).count();
        assert!(hidden > 10 && hidden < 500, "{hidden}");
        assert!(
            site.contents().any(|content| content.newest().body.len() > 1_000_000
                || content.editions[0].body.len() > 1_000_000)
        );
        let again = generated(plan, Deployment::Cloud);
        let words =
            |site: &Site| site.contents().map(|content| content.newest().body.clone()).collect::<Vec<_>>();
        assert_eq!(words(&site), words(&again));
    }
}
