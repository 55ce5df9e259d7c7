//! Where in a page a rule stands: what a property belongs to, and what a term is called outside its page. It must not
//! know tables or lists. Invariant: a subject made here can be understood with nothing but the page's title beside it.

use super::names::{self, can_be_name, is_identifier, is_proper};
use super::saying::{Said, Saying, this_page};
use crate::graph::{Kind, Mention};
use crate::page::RawPage;

/// Headings that speak of the page itself: a property under them is the page's.
#[rustfmt::skip]
const GENERIC: &[&str] = &[
    "overview", "introduction", "intro", "summary", "details", "detail", "about", "properties",
    "page properties", "metadata", "information", "general", "general information", "contacts", "contact",
    "ownership", "owner", "owners", "status", "background", "purpose", "key facts", "basics", "description",
    "links", "references", "reference", "document info", "quick facts", "at a glance", "facts", "team",
    "context", "scope", "meaning", "impact", "notes", "note", "table of contents", "useful links",
    "resources", "more information", "further information", "related", "additional information",
];

/// First words of table headers whose column holds names of things that exist by themselves.
#[rustfmt::skip]
const NAMING: &[(&str, &str)] = &[
    ("service", "Service"), ("services", "Service"), ("application", "Application"),
    ("applications", "Application"), ("app", "Application"), ("component", "Component"),
    ("components", "Component"), ("team", "Team"), ("job", "Job"), ("api", "API"), ("software", "Software"),
    ("technology", "Technology"), ("tool", "Tool"), ("product", "Product"), ("project", "Project"),
    ("repository", "Repository"), ("repo", "Repository"), ("database", "Database"), ("plugin", "Plugin"),
    ("library", "Library"), ("system", "System"), ("module", "Module"), ("variable", "Component"),
    ("server", "Server"), ("cluster", "Cluster"), ("topic", "Topic"), ("index", "Index"),
    ("person", "Person"), ("environment variable", "Component"), ("variable name", "Component"),
    ("jenkins job", "Job"), ("queue", "Queue"),
];

/// The place of the block being read.
pub(super) struct Place<'a> {
    pub page: &'a RawPage,
    headings: Vec<(u8, String)>,
    /// How many of the headings are the chunk's own path.
    fixed: usize,
    /// The page is named by an identifier, as the runbook of an alert is.
    identifier: bool,
    /// Inside page properties.
    pub properties: bool,
    /// The paragraph just before, which says what a list or a table is about.
    pub lead: String,
}

impl<'a> Place<'a> {
    /// At the start of a chunk.
    pub fn at(page: &'a RawPage, path: &[String]) -> Self {
        let mut place = Place {
            page,
            fixed: 0,
            headings: Vec::new(),
            lead: String::new(),
            identifier: false,
            properties: false,
        };
        path.iter().skip(1).for_each(|heading| place.enter(u8::MAX, heading.clone()));
        place.fixed = place.headings.len();
        place.headings.iter_mut().for_each(|(level, _)| *level = 0);
        place
    }

    /// A heading is passed.
    pub fn enter(&mut self, level: u8, text: String) {
        let above = |(at, _): &(u8, String)| *at < level || level == u8::MAX;
        while self.headings.len() > self.fixed && !self.headings.last().is_some_and(above) {
            self.headings.pop();
        }
        self.lead.clear();
        // The chunk's own path is written out at its beginning again.
        self.identifier |= is_identifier(&text) && self.is_title(&text);
        let known = self.headings[..self.fixed].iter().any(|(_, heading)| *heading == text);
        if !known && !text.is_empty() && !self.is_title(&text) {
            self.headings.push((level, text));
        }
    }

    /// Whether this is the page's title, in whatever spelling: `KubePodDown` is `Kube Pod Down`.
    pub fn is_title(&self, text: &str) -> bool {
        let title = self.page.title.trim();
        // Where titles must differ, a wiki or a converter puts a word behind: `Overview (ledger)`.
        let short = title.rfind(" (").map_or(title, |at| &title[..at]);
        text.eq_ignore_ascii_case(short) || text.len() <= title.len() && letters(text).eq(letters(title))
    }

    /// Whether the page is about the thing that an identifier names.
    pub fn is_identifier(&self) -> bool {
        self.identifier || is_identifier(self.page.title.trim())
    }

    /// A heading above that is this very name.
    pub fn headed(&self, name: &str) -> Option<Mention> {
        let found = self.headings.iter().any(|(_, heading)| heading == name);
        let plain = !is_generic(name)
            && can_be_name(name)
            && !names::is_opener(name)
            && name.starts_with(char::is_uppercase);
        (found && plain).then(|| match name.contains(' ') && !is_proper(name) {
            true => names::qualified(name, &self.page.title),
            false => names::thing(name),
        })
    }

    /// Lists of changes: what stands behind a name there is what happened to it, not what it is.
    pub fn tells_changes(&self) -> bool {
        let titles = self.headings.iter().map(|(_, text)| text.as_str()).chain([self.page.title.as_str()]);
        let words =
            ["release", "changelog", "change log", "what's new", "bug", "fixes", "fixed", "enhancement"];
        titles.into_iter().any(|title| words.iter().any(|word| title.to_lowercase().contains(word)))
    }

    /// The innermost heading.
    pub fn heading(&self) -> Option<&str> {
        self.headings.last().map(|(_, text)| text.as_str())
    }

    /// What a property stated here belongs to: the thing the section is about, or the page.
    pub fn subject(&self, saying: &mut Saying<'_>) -> Said {
        self.subject_of(&self.headings, saying)
    }

    /// The same for a section whose own heading names the relation.
    pub fn subject_above(&self, saying: &mut Saying<'_>) -> Said {
        self.subject_of(&self.headings[..self.headings.len().saturating_sub(1)], saying)
    }

    fn subject_of(&self, headings: &[(u8, String)], saying: &mut Saying<'_>) -> Said {
        let special = headings
            .iter()
            .rev()
            .map(|(_, text)| text.trim_matches([':', ' ']))
            .find(|text| !is_generic(text));
        let mention = match special {
            Some(text) if is_identifier(text) => names::component(text),
            Some(text) if can_be_name(text) => names::qualified(text, &self.page.title),
            _ => this_page(self.page),
        };
        saying.mention(mention)
    }

    /// A term of this page: as it is if its shape makes it stand by itself, else with the page's title.
    pub fn term(&self, name: &str) -> Mention {
        if self.is_title(name) {
            return this_page(self.page);
        }
        if let Some(issue) = names::issue(name) {
            return issue;
        }
        if is_identifier(name) {
            return names::component(name);
        }
        names::qualified(name, &self.page.title)
    }

    /// The name of a row in a column under `header`, in a table that says who owns what. Its rows mean the things
    /// themselves, also those called by one word; elsewhere a page may tell of its own `Redis` and no other. Two people
    /// may share a first name.
    pub fn owned_row(&self, name: &str, header: &str) -> Mention {
        match naming(header).filter(|kind| *kind != Kind::PERSON.as_str() && names::is_telling(name)) {
            Some(kind) if !self.is_title(name) => {
                Mention { name: name.to_owned(), kind: Kind::new(kind), key: None }
            }
            _ => self.row(name, header),
        }
    }

    /// The name of a row in a column under `header`.
    pub fn row(&self, name: &str, header: &str) -> Mention {
        let term = self.term(name);
        let kind = naming(header);
        match kind {
            Some(kind) if is_identifier(name) && term.key.is_none() => {
                Mention { kind: Kind::new(kind), ..term }
            }
            Some(kind) if is_proper(name) && term.key.is_none() => {
                Mention { name: name.to_owned(), kind: Kind::new(kind), key: None }
            }
            _ => term,
        }
    }
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// The kind of thing a column of names holds.
pub(super) fn naming(header: &str) -> Option<&'static str> {
    let lower = header.to_lowercase();
    let lower = lower.trim_end_matches(" name").trim();
    NAMING.iter().find(|(word, _)| *word == lower).map(|(_, kind)| *kind)
}

fn is_generic(heading: &str) -> bool {
    let lower = heading.to_lowercase();
    GENERIC.contains(&lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' '))
}
