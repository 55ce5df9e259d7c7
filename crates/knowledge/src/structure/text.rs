//! The walk over a chunk's blocks: each block goes to the rules for its kind, and every certain name is noted. It must
//! not know the rules themselves. Invariant: text is read in reading order, once.

use super::lines::{self, Listed};
use super::phrases::{self, Known};
use super::place::Place;
use super::saying::{Said, Saying, Stated, this_page};
use super::words::{inlines_in, is_garbled, is_open, linked, named, plain, squeeze};
use super::{acronyms, names, tables};
use crate::chunk::{Part, rendered, sentences};
use crate::document::{Block, Inline, Table};
use crate::graph::{Key, Mention, Object, Reading};
use crate::page::RawPage;
use std::cell::OnceCell;
use std::collections::HashSet;

/// Headings whose first paragraph is a property of the page, as runbooks and records of decisions have them.
const SAYING_HEADINGS: &[(&str, &str)] = &[
    ("meaning", "meaning"),
    ("impact", "impact"),
    ("purpose", "purpose"),
    ("goal", "goal"),
    ("goals", "goal"),
    ("scope", "scope"),
    ("definition", "described_as"),
    ("owner", "owned_by"),
    ("owners", "owned_by"),
    ("status", "status"),
    ("decision", "decision"),
    ("severity", "severity"),
];

/// Headings whose list gives values of one relation.
const LISTING_HEADINGS: &[(&str, &str)] = &[
    ("dependencies", "depends_on"),
    ("depends on", "depends_on"),
    ("prerequisites", "requires"),
    ("pre-requisites", "requires"),
    ("requirements", "requires"),
    ("contributors", "contributor"),
    ("adopters", "adopter"),
    ("components", "has_component"),
    ("key components", "has_component"),
    ("features", "has_feature"),
    ("key features", "has_feature"),
    ("key capabilities", "has_feature"),
    ("capabilities", "has_feature"),
    ("owners", "owned_by"),
    ("maintainers", "maintained_by"),
    ("reviewers", "reviewer"),
    ("members", "member"),
    ("team members", "member"),
    ("technologies", "uses"),
    ("tech stack", "uses"),
    ("technology stack", "uses"),
    ("goals", "goal"),
    ("objectives", "goal"),
    ("benefits", "benefit"),
    ("limitations", "limitation"),
    ("known issues", "known_issue"),
    ("use cases", "use_case"),
    ("environments", "environment"),
];

/// Longest item of such a list.
const ITEM_CHARS: usize = 200;

/// Reads a chunk of text.
pub(super) fn read(page: &RawPage, part: &Part<'_>) -> Reading {
    let mut saying = Saying::of(&part.chunk.text);
    let this = saying.mention(this_page(page));
    let place = Place::at(page, &part.chunk.path);
    let mut walk = Walk {
        place,
        text: &part.chunk.text,
        capitals: OnceCell::new(),
        this,
        above: String::new(),
        fresh: false,
        led: false,
        lead_names: Vec::new(),
    };
    for unit in &part.units {
        walk.block(&unit.block, &unit.text, &mut saying);
    }
    saying.done()
}

/// Where the walk is.
struct Walk<'a> {
    place: Place<'a>,
    text: &'a str,
    capitals: OnceCell<HashSet<String>>,
    this: Said,
    /// How the paragraph of `place.lead` is written.
    above: String,
    /// Right behind a heading.
    fresh: bool,
    /// Right behind a heading and one line that leads in.
    led: bool,
    /// The names in the paragraph before.
    lead_names: Vec<(String, Mention)>,
}

impl Walk<'_> {
    /// Reads a block; `text` is how it reads.
    fn block(&mut self, block: &Block, text: &str, saying: &mut Saying<'_>) {
        let fresh = std::mem::take(&mut self.fresh);
        let led = std::mem::take(&mut self.led);
        match block {
            Block::Heading { level, text: inlines } => {
                self.place.enter(*level, plain(inlines));
                self.names(&[inlines], &[text], saying);
                self.fresh = true;
                self.above.clear();
                return;
            }
            Block::Paragraph(inlines) => self.paragraph(inlines, text, fresh, saying),
            Block::List { start, items } => {
                self.under_listing_heading(items, fresh || led, saying);
                self.under_lead(items, saying);
                self.list(start.is_some(), items, saying);
            }
            Block::Tasks(tasks) => {
                for task in tasks {
                    let text = rendered(&Block::Tasks(vec![task.clone()]));
                    let line = text.lines().next().unwrap_or_default();
                    lines::task(&self.place, task, line, saying);
                    self.inner_names(&task.body, line, saying);
                }
            }
            Block::Table(table) => self.table(table, text, saying),
            Block::Panel { blocks, .. } | Block::Quote(blocks) | Block::Expand { blocks, .. } => {
                self.inside(blocks, saying);
            }
            Block::Properties(blocks) => {
                let before = std::mem::replace(&mut self.place.properties, true);
                self.inside(blocks, saying);
                self.place.properties = before;
            }
            Block::Definitions(list) => {
                for definition in list {
                    let text = rendered(&Block::Definitions(vec![definition.clone()]));
                    lines::definition(&self.place, definition, &text, saying);
                    self.names(&[&definition.term], &[&text], saying);
                    self.inner_names(&definition.blocks, &text, saying);
                }
            }
            Block::Include(link) => {
                if let Some(included) = linked(link, self.place.page) {
                    let included = saying.mention(included);
                    saying.claim(Stated::new(self.this, "includes", Object::Named(included), text));
                }
            }
            Block::Code { .. } | Block::Rule => {}
        }
        if !matches!(block, Block::Paragraph(_)) {
            self.place.lead.clear();
            self.above.clear();
        }
    }

    fn inside(&mut self, blocks: &[Block], saying: &mut Saying<'_>) {
        for block in blocks {
            // A table of page properties is written differently from another.
            let text = match block {
                Block::Table(_) if self.place.properties => rendered(&Block::Properties(vec![block.clone()])),
                _ => rendered(block),
            };
            self.block(block, &text, saying);
        }
    }

    fn paragraph(&mut self, inlines: &[Inline], text: &str, fresh: bool, saying: &mut Saying<'_>) {
        let words = plain(inlines);
        if fresh {
            self.under_heading(inlines, &words, text, saying);
        }
        lines::below_term(&self.place, &self.above, (&words, text), saying);
        lines::below_label(&self.place, inlines, &format!("{}\n\n{text}", self.above), saying);
        lines::paragraph(&self.place, inlines, text, saying);
        self.sentences(inlines, &words, text, saying);
        // One line such as `You need:` may stand between a heading and its list.
        self.led = fresh && words.ends_with(':');
        self.place.lead = words;
        text.clone_into(&mut self.above);
    }

    /// A short paragraph right under a heading such as `Impact`.
    fn under_heading(&mut self, inlines: &[Inline], words: &str, text: &str, saying: &mut Saying<'_>) {
        let heading = self.place.heading().unwrap_or_default().to_lowercase();
        let Some((_, relation)) = SAYING_HEADINGS.iter().find(|(known, _)| *known == heading) else {
            return self.under_name(words, text, saying);
        };
        let ends_open = words.ends_with(':');
        let sentence = sentences(text).first().map(|first| first.trim()).unwrap_or_default();
        let whole = words.chars().count() <= 300;
        let value = if whole { words.to_owned() } else { squeeze(sentences(words).first().unwrap_or(&"")) };
        let pointer = words.to_lowercase().starts_with("see ");
        if ends_open || pointer || value.split_whitespace().count() < 2 || value.chars().count() > 300 {
            return;
        }
        let subject = self.place.subject_above(saying);
        let other = super::words::other_inlines(inlines, self.place.page);
        let named = matches!(other, super::words::Other::Names(_));
        let objects =
            if named { tables::objects(other, relation, saying) } else { vec![Object::Value(value)] };
        let single = objects.len() == 1;
        for object in objects {
            let claim = Stated::new(subject, relation, object, if whole { text } else { sentence });
            saying.claim(Stated { single, ..claim });
        }
    }

    /// A short paragraph right under a heading that is an identifier says what that is.
    fn under_name(&self, words: &str, text: &str, saying: &mut Saying<'_>) {
        let heading = self.place.heading().unwrap_or_default();
        let name = heading.split([' ', '(', '[']).next().unwrap_or_default().trim_end_matches(':');
        let alone =
            heading.len() == name.len() || heading[name.len()..].trim_start().starts_with(['[', '(', ':']);
        let sized = (4..=40).contains(&words.split_whitespace().count()) && sentences(words).len() <= 2;
        if !alone
            || !sized
            || is_garbled(words)
            || !names::is_identifier(name)
            || lines::is_order(words)
            || is_open(words)
        {
            return;
        }
        let first = words.split(' ').next().unwrap_or_default();
        if names::is_opener(first) && !matches!(first, "This" | "It") {
            return;
        }
        let subject = saying.mention(names::component(name));
        saying.claim(Stated::new(subject, "described_as", Object::Value(words.to_owned()), text));
    }

    /// A list right under a heading such as `Dependencies`.
    fn under_listing_heading(&self, items: &[Vec<Block>], fresh: bool, saying: &mut Saying<'_>) {
        let heading = self.place.heading().unwrap_or_default().to_lowercase();
        let heading = heading.split(':').next().unwrap_or_default();
        let Some((_, relation)) = LISTING_HEADINGS.iter().find(|(known, _)| *known == heading && fresh)
        else {
            return;
        };
        let subject = self.place.subject_above(saying);
        self.each_item(items, (subject, relation), |words| !lines::is_order(words), saying);
    }

    /// A list right under a line such as `Logstash is responsible for:`.
    fn under_lead(&mut self, items: &[Vec<Block>], saying: &mut Saying<'_>) {
        if self.place.lead.is_empty() || self.place.lead.ends_with(['.', '!', '?']) {
            return;
        }
        let known =
            Known { marked: std::mem::take(&mut self.lead_names), capitals: &self.capitals, text: self.text };
        if let Some((subject, relation)) = phrases::lead(&self.place, &known, saying) {
            self.each_item(items, (subject, &relation), |_| true, saying);
        }
    }

    /// A claim for each item that is short and fit.
    fn each_item(
        &self,
        items: &[Vec<Block>],
        (subject, relation): (Said, &str),
        fit: impl Fn(&str) -> bool,
        saying: &mut Saying<'_>,
    ) {
        for item in items {
            let Some(block @ Block::Paragraph(inlines)) = item.first() else { continue };
            let words = plain(inlines);
            if !fit(&words) || words.ends_with(':') || words.chars().count() > ITEM_CHARS {
                continue;
            }
            let other = super::words::other_inlines(inlines, self.place.page);
            for object in tables::objects(other, relation, saying) {
                saying.claim(Stated::new(subject, relation, object, &rendered(block)));
            }
        }
    }

    fn list(&mut self, numbered: bool, items: &[Vec<Block>], saying: &mut Saying<'_>) {
        let listed = Listed { alike: lines::are_alike(&self.place, items), numbered };
        let lead = self.place.lead.clone();
        for item in items {
            self.place.lead.clone_from(&lead);
            self.item(item, listed, saying);
        }
    }

    fn item(&mut self, item: &[Block], listed: Listed, saying: &mut Saying<'_>) {
        for (at, block) in item.iter().enumerate() {
            let text = rendered(block);
            let Block::Paragraph(inlines) = block else {
                self.block(block, &text, saying);
                continue;
            };
            if at == 0 {
                lines::item(&self.place, (inlines, &text), listed, saying);
            }
            self.sentences(inlines, &plain(inlines), &text, saying);
        }
    }

    fn table(&mut self, table: &Table, text: &str, saying: &mut Saying<'_>) {
        tables::table(&self.place, table, text, saying);
        let lines: Vec<&str> = text.lines().collect();
        for cell in table.rows.iter().flatten() {
            let mut runs = Vec::new();
            inlines_in(&cell.blocks, &mut runs);
            self.names(&runs, &lines, saying);
        }
    }

    /// Turns of phrase and names in running text.
    fn sentences(&mut self, inlines: &[Inline], words: &str, text: &str, saying: &mut Saying<'_>) {
        let written: Vec<&str> =
            sentences(text).into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
        let spoken: Vec<&str> =
            sentences(words).into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
        self.names(&[inlines], &written, saying);
        let marked = self.marked(inlines);
        self.lead_names.clone_from(&marked);
        let known = Known { marked, capitals: &self.capitals, text: self.text };
        for (at, words) in spoken.iter().enumerate() {
            // Where markup hides the end of a sentence the whole paragraph stands for it.
            let sentence = if written.len() == spoken.len() { written[at] } else { text };
            phrases::sentence(&self.place, (words, sentence), &known, saying);
            acronyms::sentence(words, sentence, saying);
        }
    }

    /// The names that markup sets off, as they are shown.
    fn marked(&self, inlines: &[Inline]) -> Vec<(String, Mention)> {
        let mut out = Vec::new();
        for inline in inlines {
            let shown = plain(std::slice::from_ref(inline));
            let name = match (named(inline, self.place.page), inline) {
                (Some(name), _) => Some(name),
                (None, Inline::Link(_)) if names::is_proper(&shown) => Some(names::thing(&shown)),
                (None, Inline::Strong(_)) if lines::is_term(&shown) => Some(if names::is_proper(&shown) {
                    names::thing(&shown)
                } else {
                    self.place.term(&shown)
                }),
                _ => None,
            };
            out.extend(name.map(|name| (shown, name)));
        }
        out
    }

    fn inner_names(&self, blocks: &[Block], line: &str, saying: &mut Saying<'_>) {
        let mut runs = Vec::new();
        inlines_in(blocks, &mut runs);
        self.names(&runs, &[line], saying);
    }

    /// Notes every certain name; links, people and issues are claims of the page as well.
    fn names(&self, runs: &[&[Inline]], written: &[&str], saying: &mut Saying<'_>) {
        for inline in runs.iter().copied().flatten() {
            match inline {
                Inline::Text(text) => self.shaped(text, written, saying),
                Inline::Strong(inner) | Inline::Emphasis(inner) => self.names(&[inner], written, saying),
                other => {
                    let Some(name) = named(other, self.place.page) else { continue };
                    let relation = relation_of(other, &name);
                    let shown = match other {
                        Inline::Person { key, .. } => format!("@{{{key}}}"),
                        _ => plain(std::slice::from_ref(other)),
                    };
                    self.note((name, relation), &shown, written, saying);
                }
            }
        }
    }

    /// Names by their shape in plain text.
    fn shaped(&self, text: &str, written: &[&str], saying: &mut Saying<'_>) {
        for word in
            text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | '/' | ':' | ';' | '"'))
        {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            if let Some(name) = names::shaped(word) {
                let relation = matches!(name.key, Some(Key::Issue(_))).then_some("refers_to");
                self.note((name, relation), word, written, saying);
            }
        }
    }

    /// Adds a name, and what the page does by it, standing on the first line that shows it.
    fn note(
        &self,
        (name, relation): (Mention, Option<&str>),
        shown: &str,
        written: &[&str],
        saying: &mut Saying<'_>,
    ) {
        let name = saying.mention(name);
        let Some(relation) = relation else { return };
        let line = written.iter().find(|line| line.contains(shown)).or(written.first());
        if let Some(line) = line {
            saying.claim(Stated::new(self.this, relation, Object::Named(name), line));
        }
    }
}

/// What the page does by naming something.
fn relation_of(inline: &Inline, name: &Mention) -> Option<&'static str> {
    match (inline, &name.key) {
        (_, Some(Key::Issue(_))) => Some("refers_to"),
        (Inline::Person { .. }, _) => Some("mentions"),
        (Inline::Link(_), _) => Some("links_to"),
        _ => None,
    }
}
