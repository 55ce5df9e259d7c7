//! What the made-up space holds: pages with their versions, comments, tasks and rights. Knows no XML of
//! exports.

use super::PEOPLE;
use serde::Deserialize;

/// A real page text.
#[derive(Deserialize)]
pub(crate) struct Text {
    section: String,
    title: String,
    body_storage: String,
}

/// A page with all its versions, oldest first.
pub(crate) struct Page {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) parent: Option<u64>,
    pub(crate) status: &'static str,
    pub(crate) blog: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) files: Vec<(String, &'static str, u64)>,
    pub(crate) restricted: bool,
    pub(crate) created: u64,
    pub(crate) versions: Vec<Version>,
}

pub(crate) struct Version {
    pub(crate) editor: usize,
    pub(crate) minute: u64,
    pub(crate) body: String,
}

pub(crate) struct Comment {
    pub(crate) on: u64,
    pub(crate) answers: Option<usize>,
    pub(crate) by: usize,
    pub(crate) minute: u64,
    pub(crate) quoted: Option<String>,
    pub(crate) body: String,
}

/// The whole space.
pub(crate) struct Plan {
    pub(crate) pages: Vec<Page>,
    pub(crate) comments: Vec<Comment>,
}

/// A stream of choices that depends on a text only.
struct Dice(blake3::OutputReader);

impl Dice {
    fn of(text: &str) -> Self {
        Self(blake3::Hasher::new_derive_key("highwater samples 1").update(text.as_bytes()).finalize_xof())
    }

    fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % limit as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const TEAMS: &[&str] =
    &["Platform Reliability", "Search and Discovery", "Publishing Core", "Data Services", "Identity"];
const SERVICES: &[(&str, &[&str])] = &[
    ("Alerts", &["router", "search-api", "email-alert-api", "publishing-api", "whitehall"]),
    ("Platform", &["app-cluster", "deploy-bot", "request-tracer", "edge-limiter", "signon"]),
    ("Data", &["content-store", "backup-runner", "search-cache", "opensearch-main"]),
    (
        "Publishing",
        &["asset-manager", "draft-content-store", "email-alert-frontend", "banner-service", "cdn-purger"],
    ),
    ("Ways of working", &["handbook-site", "status-page"]),
];
const STATES: &[(&str, &str)] = &[("Draft", "Grey"), ("Active", "Green"), ("Under review", "Yellow")];
const ABOUT: &str =
    "How we run what we run. Start at the section you need; every page names its owner and who is on call.";
const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// A service of a section, by turns, so that neighbouring pages are about different ones.
fn service(section: &str, turn: usize) -> &'static str {
    let of = SERVICES.iter().find(|(name, _)| *name == section).map_or(&["handbook-site"][..], |(_, of)| of);
    of[turn % of.len()]
}

/// A stable user key, as Confluence writes them.
pub(crate) fn user_key(person: usize) -> String {
    blake3::hash(PEOPLE[person].as_bytes()).to_hex()[..32].to_owned()
}

/// The account name of a person, such as `alex.example`.
pub(crate) fn user_name(person: usize) -> String {
    PEOPLE[person].to_lowercase().replace(' ', ".")
}

/// Plans the space around the texts.
pub(crate) fn plan(texts: &[Text]) -> Plan {
    let mut pages = vec![overview("Operations Handbook", 1_310_721, None, &format!("<p>{ABOUT}</p>"))];
    let home = pages[0].id;
    let mut sections: Vec<&str> = texts.iter().map(|text| text.section.as_str()).collect();
    sections.dedup();
    for (i, section) in sections.iter().enumerate() {
        let links = texts
            .iter()
            .filter(|text| text.section == *section)
            .map(|text| format!("<li>{}</li>", link(&text.title)));
        let body =
            format!("<p>Pages about {}.</p><ul>{}</ul>", section.to_lowercase(), links.collect::<String>());
        pages.push(overview(section, home + 10 + i as u64, Some(home), &body));
    }
    for (i, text) in texts.iter().enumerate() {
        let parent = pages.iter().find(|page| page.title == text.section).map(|page| page.id);
        pages.push(topic(texts, i, home + 100 + i as u64 * 7, parent));
    }
    pages.extend(special(home));
    let comments = comments(&pages);
    Plan { pages, comments }
}

fn blank(title: &str, id: u64, parent: Option<u64>) -> Page {
    Page {
        id,
        title: title.to_owned(),
        parent,
        status: "current",
        blog: false,
        labels: Vec::new(),
        files: Vec::new(),
        restricted: false,
        created: 0,
        versions: Vec::new(),
    }
}

fn overview(title: &str, id: u64, parent: Option<u64>, body: &str) -> Page {
    let mut page = blank(title, id, parent);
    let (editor, minute) = (id as usize % PEOPLE.len(), (id % 5) * DAY + 9 * HOUR);
    page.labels = vec!["overview".into()];
    page.created = minute;
    page.versions = vec![Version { editor, minute, body: body.to_owned() }];
    page
}

fn link(title: &str) -> String {
    format!("<ac:link><ri:page ri:content-title=\"{}\" /></ac:link>", escaped(title))
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn mention(person: usize) -> String {
    format!("<ac:link><ri:user ri:userkey=\"{}\" /></ac:link>", user_key(person))
}

/// What a page says about itself at one version.
struct Facts<'a> {
    service: &'a str,
    owner: &'a str,
    state: (&'a str, &'a str),
    on_call: usize,
    reviewed: u64,
}

impl Facts<'_> {
    /// The page properties.
    fn details(&self) -> String {
        let row = |name: &str, value: &str| format!("<tr><th>{name}</th><td>{value}</td></tr>");
        let (state, colour) = self.state;
        let lozenge = format!(
            "<ac:structured-macro ac:name=\"status\"><ac:parameter ac:name=\"colour\">{colour}</ac:parameter>\
             <ac:parameter ac:name=\"title\">{state}</ac:parameter></ac:structured-macro>"
        );
        let reviewed = format!("<time datetime=\"{}\" />", date(self.reviewed));
        format!(
            "<ac:structured-macro ac:name=\"details\" ac:schema-version=\"1\"><ac:rich-text-body>\
             <table><tbody>{}{}{}{}{}\
             </tbody></table></ac:rich-text-body></ac:structured-macro>",
            row("Service", &format!("<code>{}</code>", self.service)),
            row("Owner", self.owner),
            row("Status", &lozenge),
            row("On-call", &mention(self.on_call)),
            row("Last reviewed", &reviewed),
        )
    }
}

/// A page around a real text: it is written, reviewed, handed over; each version differs from the one before.
fn topic(texts: &[Text], turn: usize, id: u64, parent: Option<u64>) -> Page {
    let text = &texts[turn];
    let mut dice = Dice::of(&text.title);
    let mut page = blank(&text.title, id, parent);
    let service = service(&text.section, turn);
    page.labels = vec![text.section.to_lowercase().replace(' ', "-"), service.to_owned()];
    page.labels.push(dice.one(&["runbook", "how-to", "reference"]).to_owned());
    page.created =
        (20 + dice.below(80) as u64) * DAY + (8 + dice.below(8) as u64) * HOUR + dice.below(60) as u64;
    let (mut owner, mut on_call, mut minute) = (dice.one(TEAMS), dice.below(PEOPLE.len()), page.created);
    let author = dice.below(PEOPLE.len());
    let extras = [tail(texts, turn, &mut dice), tasks(&mut dice, page.created)];
    let versions = 2 + dice.below(4);
    for version in 0..versions {
        let mut body = shortened(&text.body_storage, version == 0);
        match version {
            0 => {}
            1 => body.push_str(&extras[0]),
            _ => body.push_str(&extras.concat()),
        }
        if version >= 2 {
            // A hand-over: another team, or another person on call.
            match dice.below(2) {
                0 => {
                    owner =
                        TEAMS[(TEAMS.iter().position(|team| *team == owner).unwrap_or(0) + 1) % TEAMS.len()]
                }
                _ => on_call = (on_call + 1 + dice.below(PEOPLE.len() - 1)) % PEOPLE.len(),
            }
        }
        let state = if version == 0 { STATES[0] } else { STATES[1 + usize::from(version == 3)] };
        let facts = Facts { service, owner, state, on_call, reviewed: minute };
        let since = format!("<p>This page is owned by {owner} since {}.</p>", date(minute));
        let editor = if version == 0 { author } else { dice.below(PEOPLE.len()) };
        page.versions.push(Version { editor, minute, body: facts.details() + &since + &body });
        minute += (14 + dice.below(60) as u64) * DAY + dice.below(240) as u64;
    }
    if dice.below(4) == 0 {
        let name = format!("{service}-diagram.png");
        page.files.push((name, "image/png", 20_000 + dice.below(90_000) as u64));
    }
    page
}

/// The body, or for a first draft the body without its last section.
fn shortened(body: &str, first: bool) -> String {
    match body.rfind("<h2").filter(|at| first && *at > body.len() / 3) {
        Some(at) => body[..at].to_owned(),
        None => body.to_owned(),
    }
}

/// What it depends on, and where to read on.
fn tail(texts: &[Text], turn: usize, dice: &mut Dice) -> String {
    let text = &texts[turn];
    let (here, there) = (service(&text.section, turn), service(dice.one(&["Data", "Platform"]), turn + 1));
    let depends = match here == there {
        true => String::new(),
        false => format!("<p><code>{here}</code> depends on <code>{there}</code>.</p>"),
    };
    let near = &texts[(turn + 1) % texts.len()].title;
    let far = &texts[(turn + 2 + dice.below(texts.len() - 3)) % texts.len()].title;
    format!(
        "<h2>Dependencies</h2>{depends}<h2>See also</h2><ul><li>{}</li><li>{}</li></ul>",
        link(near),
        link(far)
    )
}

fn tasks(dice: &mut Dice, from: u64) -> String {
    let what = [
        "Test the steps on staging",
        "Update the alert threshold",
        "Move the dashboard link",
        "Check the rota",
    ];
    let mut items = String::new();
    for number in 1..=1 + dice.below(3) {
        let done = if dice.below(2) == 0 { "complete" } else { "incomplete" };
        let due = date(from + (60 + dice.below(120) as u64) * DAY);
        items.push_str(&format!(
            "<ac:task><ac:task-id>{number}</ac:task-id><ac:task-status>{done}</ac:task-status>\
             <ac:task-body>{} {} \
             <time datetime=\"{due}\" /></ac:task-body></ac:task>",
            mention(dice.below(PEOPLE.len())),
            dice.one(&what),
        ));
    }
    format!("<h2>Open work</h2><ac:task-list>{items}</ac:task-list>")
}

/// Pages that are there for what may happen to a page: rights, a blog post, a draft, the bin.
fn special(home: u64) -> Vec<Page> {
    let contacts = "<p>Who to call when an incident touches security. Do not copy this list.</p>\
                    <table><tbody>\
                    <tr><th>Role</th><th>Person</th></tr><tr><td>Incident lead</td><td>LEAD</td></tr>\
                    <tr><td>Deputy</td><td>DEPUTY</td></tr></tbody></table>";
    let contacts = contacts.replace("LEAD", &mention(6)).replace("DEPUTY", &mention(7));
    let mut restricted = overview("Security incident contacts", home + 1_001, Some(home), &contacts);
    restricted.restricted = true;
    restricted.labels = vec!["security".into()];
    let log = "<p>The signing key of <code>signon</code> was replaced on \
               <time datetime=\"2025-02-11\" />.</p>\
               <p>Next rotation: <time datetime=\"2025-08-11\" />.</p>";
    let below = overview("Credential rotation log", home + 1_002, Some(restricted.id), log);
    let news = format!(
        "<p><code>deploy-bot</code> replaced <code>release-script</code>. Questions to {}.</p>",
        mention(3)
    );
    let mut blog = overview("Deployments have moved to deploy-bot", home + 1_003, None, &news);
    (blog.blog, blog.labels) = (true, vec!["news".into()]);
    let mut draft = overview("Draft: capacity plan", home + 1_004, Some(home), "<p>Not finished.</p>");
    draft.status = "draft";
    let mut trashed = overview("Old deployment guide", home + 1_005, Some(home), "<p>Use the new one.</p>");
    trashed.status = "deleted";
    vec![restricted, below, blog, draft, trashed]
}

/// Footer comments, answers, and inline comments on the sentence that names the owner.
fn comments(pages: &[Page]) -> Vec<Comment> {
    let mut comments: Vec<Comment> = Vec::new();
    for page in pages.iter().filter(|page| page.versions.len() > 1) {
        let mut dice = Dice::of(&format!("comments on {}", page.title));
        let last = page.versions.last().map_or(0, |version| version.minute);
        let mut say = |answers: Option<usize>, quoted: Option<String>, words: &str, later: u64| {
            let (by, body) = (dice.below(PEOPLE.len()), format!("<p>{words}</p>"));
            comments.push(Comment { on: page.id, answers, by, minute: last + later * DAY, quoted, body });
            comments.len() - 1
        };
        match page.id % 4 {
            0 => {
                let asked = say(None, None, "The third step fails on staging for me. Is it still right?", 2);
                say(Some(asked), None, "It needs the new permission. I will add it here.", 3);
            }
            1 => {
                let owner = owner_of(page);
                say(
                    None,
                    Some(format!("owned by {owner}")),
                    "Is this still the right team after the move?",
                    1,
                );
            }
            _ => {}
        }
    }
    comments
}

/// The owner that the current version names.
pub(crate) fn owner_of(page: &Page) -> &str {
    let body = page.versions.last().map_or("", |version| version.body.as_str());
    let from = body.find("owned by ").map_or(0, |at| at + "owned by ".len());
    body[from..].split(" since ").next().unwrap_or_default()
}

/// A minute of the made-up calendar as `YYYY-MM-DD`.
pub(crate) fn date(minute: u64) -> String {
    time(minute)[..10].to_owned()
}

/// A minute of the made-up calendar, which begins on Monday 2024-01-08, as exports write times.
pub(crate) fn time(minute: u64) -> String {
    let start = jiff::civil::datetime(2024, 1, 8, 0, 0, 0, 0);
    let at = start.saturating_add(jiff::Span::new().minutes(minute as i64));
    at.strftime("%Y-%m-%d %H:%M:%S.000").to_string()
}
