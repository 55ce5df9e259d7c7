//! What each macro means. It must not know how elements are nested. Invariants: parameters of generated views
//! are never printed, and a macro that is not known still gives its body, or is counted.

use super::diagram;
use super::sink::{Kind, Sink};
use super::storage::Page;
use crate::document::{Block, Inline, Link, Target};

/// Macro bodies that hold whole pages of HTML or Markdown may hold such macros again; so deep they are read.
const MOST_LEVELS: u8 = 2;

/// A macro as written; its rich body is what its sink has collected.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) plain: Option<String>,
}

/// A parameter of a macro.
#[derive(Debug, Default)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) link: Option<Inline>,
}

impl Macro {
    fn text(&self, names: &[&str]) -> Option<&str> {
        let found = |name: &&str| self.parameters.iter().find(|parameter| parameter.name == *name);
        let texts = names.iter().filter_map(found).map(|parameter| parameter.text.trim());
        texts.into_iter().find(|text| !text.is_empty())
    }

    fn owned(&self, names: &[&str]) -> Option<String> {
        self.text(names).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn link(&self) -> Option<Link> {
        self.parameters.iter().find_map(|parameter| match &parameter.link {
            Some(Inline::Link(link)) => Some(link.clone()),
            _ => None,
        })
    }

    /// The plain body, or the text of a rich body where a plain one belongs.
    fn source(&mut self, body: &mut Sink) -> Option<String> {
        self.plain.take().or_else(|| {
            body.flush();
            let blocks = std::mem::take(&mut body.blocks);
            (!blocks.is_empty()).then(|| super::render::plain_blocks(&blocks))
        })
    }
}

/// The kind of a box by the name of its macro or type.
pub(super) fn panel_kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "info" => "INFO",
        "note" => "NOTE",
        "tip" => "TIP",
        "warning" => "WARNING",
        "success" => "SUCCESS",
        "error" => "ERROR",
        "panel" | "custom" | "ui-panel" => "PANEL",
        _ => return None,
    })
}

/// Puts what a finished macro means into the element around it.
pub(super) fn finish(page: &mut Page<'_>, mut written: Macro, mut body: Sink) {
    let name = std::mem::take(&mut written.name);
    match name.as_str() {
        "code" | "code-block" | "codeblock" | "noformat" | "preformatted" => code(page, &name, written, body),
        "info" | "note" | "tip" | "warning" | "success" | "error" | "panel" | "custom" | "ui-panel" => {
            let kind = panel_kind(&name).unwrap_or("PANEL");
            boxed(page, kind, written, body);
        }
        "auimessage" | "alert" | "bgcolor-panel" => {
            let kind = written.text(&["type"]).map(str::to_ascii_lowercase);
            let kind = kind.as_deref().and_then(panel_kind).unwrap_or("PANEL");
            boxed(page, kind, written, body);
        }
        "expand" | "ui-expand" | "ui-tab" | "tab" | "card" | "ui-step" | "slide" | "localtab" => {
            let title = written.owned(&["title", "label", "name", ""]);
            body.flush();
            page.top().block(Block::Expand { title, blocks: body.blocks });
        }
        "details" => {
            body.flush();
            if !body.blocks.is_empty() {
                page.top().block(Block::Properties(body.blocks));
            }
        }
        "quote" | "blockquote" => {
            body.flush();
            page.top().block(Block::Quote(body.blocks));
        }
        "status" | "status-handy" => {
            if let Some(title) = written.owned(&["title", "Status", ""]) {
                page.top().inline(Inline::Status(title));
            }
        }
        "jira" | "jiraissues" | "jirachart" => jira(page, &written),
        "include"
        | "excerpt-include"
        | "multiexcerpt-include"
        | "multiexcerpt-include-macro"
        | "excerpt-include-macro"
        | "include-page"
        | "includeplus" => include(page, &written),
        "plantuml" | "plantumlcloud" | "plantumlrender" | "plantuml-macro" => {
            diagram_source(page, "plantuml", written, body)
        }
        "mermaid-macro" | "mermaid-cloud" | "mermaid" | "mermaid-diagram" | "mermaiddiagram" => {
            diagram_source(page, "mermaid", written, body);
        }
        "graphviz" | "flowchart" | "digraph" | "dot" => diagram_source(page, "dot", written, body),
        "drawio" | "inc-drawio" | "drawio-sketch" | "drawio-board" | "gliffy" | "lucidchart"
        | "lucidchart-cloud" => {
            drawing(page, written, body);
        }
        "markdown" | "markdown-from-url" | "html" | "html-bobswift" | "xhtml" | "html-wrap" => {
            nested_page(page, &name, written, body);
        }
        "view-file" | "viewfile" | "viewpdf" | "viewxls" | "viewdoc" | "viewppt" | "multimedia"
        | "widget" | "widget-connector" | "view-file-macro" => file(page, &name, &written),
        _ => inline_or_other(page, &name, written, body),
    }
}

fn inline_or_other(page: &mut Page<'_>, name: &str, mut written: Macro, mut body: Sink) {
    match name {
        "img" | "image" => {
            let address = written.link().map(|link| super::render::title(&link.target).to_owned());
            if let Some(target) = address.or_else(|| written.owned(&["src", "url", ""])) {
                let alt = written.owned(&["alt", "title"]).unwrap_or_default();
                page.top().inline(Inline::Image { alt, target });
            }
        }
        "eazy-math-inline" | "mathinline" | "latex-inline" => {
            if let Some(formula) = math(&mut written, &mut body) {
                page.top().inline(Inline::Code(formula));
            }
        }
        "easy-math-block" | "eazy-math-block" | "mathblock" | "latex" | "mathdisplay" => {
            if let Some(text) = math(&mut written, &mut body) {
                page.top().block(Block::Code { language: Some("math".to_owned()), title: None, text });
            }
        }
        _ => other(page, name, written, body),
    }
}

/// Macros that show other pages' content, found anew at each view, or nothing that is text.
fn is_generated(name: &str) -> bool {
    matches!(
        name,
        "anchor"
            | "toc"
            | "children"
            | "pagetree"
            | "pagetreesearch"
            | "recently-updated"
            | "livesearch"
            | "blog-posts"
            | "contentbylabel"
            | "attachments"
            | "gallery"
            | "profile"
            | "contributors"
            | "contributors-summary"
            | "tasks-report"
            | "tasks-report-macro"
            | "recently-updated-dashboard"
            | "detailssummary"
            | "content-report-table"
            | "popular-labels"
            | "related-labels"
            | "listlabels"
            | "navmap"
            | "favpages"
            | "space-attachments"
            | "space-details"
            | "spaces"
            | "index"
            | "userlister"
            | "change-history"
            | "create-from-template"
            | "create-space-button"
            | "search"
            | "profile-picture"
            | "global-reports"
            | "network"
            | "recently-used-labels"
            | "spaceindex"
            | "style"
            | "toc-macro"
            | "viewport-url"
            | "junitreport"
            | "rss"
            | "cheese"
            | "loremipsum"
            | "page-index"
            | "labels-list"
            | "easy-heading-free"
            | "numberedheadings-toggle"
            | "chart-from-table"
            | "decisionreport"
            | "bookmarks"
    )
}

fn other(page: &mut Page<'_>, name: &str, mut written: Macro, mut body: Sink) {
    let view = is_generated(name) && (body.is_empty() || name == "toc");
    if view || name == "style" {
        return;
    }
    if !body.is_empty() {
        body.kind = Kind::Root;
        return page.top().take_in(body);
    }
    match written.plain.take() {
        Some(text) if !text.trim().is_empty() => {
            page.top().block(Block::Code { language: None, title: None, text });
        }
        _ if is_generated(name) || written.had_empty_body() => {}
        _ => page.warn(&format!("unknown macro {name}"), 1),
    }
}

impl Macro {
    /// Containers that happen to be empty lose nothing.
    fn had_empty_body(&self) -> bool {
        self.plain.is_some()
    }
}

fn code(page: &mut Page<'_>, name: &str, mut written: Macro, mut body: Sink) {
    let named = !matches!(name, "noformat" | "preformatted");
    let language = if named { written.owned(&["language", "lang", ""]) } else { None };
    let title = written.owned(&["title"]);
    match written.source(&mut body) {
        Some(text) if !text.trim().is_empty() => page.top().block(Block::Code { language, title, text }),
        _ => {}
    }
}

fn boxed(page: &mut Page<'_>, kind: &'static str, written: Macro, mut body: Sink) {
    body.flush();
    let mut blocks = body.blocks;
    if let Some(text) = written.plain.as_deref().filter(|text| !text.trim().is_empty()) {
        blocks.push(Block::Paragraph(vec![Inline::Text(text.trim().to_owned())]));
    }
    let title = written.owned(&["title"]);
    if title.is_some() || !blocks.is_empty() {
        page.top().block(Block::Panel { kind, title, blocks });
    }
}

fn jira(page: &mut Page<'_>, written: &Macro) {
    let key = written.owned(&["key", "issueKey", "issuekey"]).or_else(|| {
        written.owned(&[""]).filter(|text| text.contains('-') && !text.contains([' ', '=', '/', ':']))
    });
    if let Some(keys) = key {
        for (number, key) in keys.split(',').map(str::trim).filter(|key| !key.is_empty()).enumerate() {
            if number > 0 {
                page.top().inline(Inline::Text(", ".to_owned()));
            }
            page.top().inline(Inline::Issue(key.to_owned()));
        }
        return;
    }
    match written.owned(&["jqlQuery", "jqlquery", "jql", "url", ""]) {
        Some(query) => page.top().inline(Inline::Text(format!("Jira query: {query}"))),
        None => page.warn("jira macro without key or query", 1),
    }
}

fn include(page: &mut Page<'_>, written: &Macro) {
    let named = || {
        let written =
            written.owned(&["", "nopanel-page", "page", "pageTitle", "PageWithExcerpt", "title"])?;
        let (space, title) = match written.split_once(':') {
            Some((space, title)) if !space.contains(' ') => (Some(space.to_owned()), title.to_owned()),
            _ => (None, written),
        };
        Some(Link { target: Target::Page { space, title }, text: Vec::new() })
    };
    match written.link().or_else(named) {
        Some(link) => page.top().block(Block::Include(Link { text: Vec::new(), ..link })),
        None => page.warn("include without a page", 1),
    }
}

/// A diagram that is kept as text: in the body, in JSON, or packed into a parameter.
fn diagram_source(page: &mut Page<'_>, language: &str, mut written: Macro, mut body: Sink) {
    let title = written.owned(&["title", "filename", "diagramName", "name"]);
    let written_source = written.source(&mut body).filter(|text| !text.trim().is_empty());
    let packed = || written.text(&["data", "umlDefinition", "code", "source", "content"]).map(str::to_owned);
    match written_source.or_else(packed).map(|text| diagram::source(&text)) {
        Some(text) => {
            let language = Some(language.to_owned());
            page.top().block(Block::Code { language, title: None, text });
        }
        None => match title {
            Some(name) => page.top().inline(Inline::Image { alt: "diagram".to_owned(), target: name }),
            None => page.warn(&format!("{language} macro without source"), 1),
        },
    }
}

/// A drawing: its name, and the words in it if its source is here.
fn drawing(page: &mut Page<'_>, mut written: Macro, mut body: Sink) {
    let names =
        ["diagramName", "diagramDisplayName", "name", "displayName", "documentName", "title", "filename"];
    let name = written
        .owned(&names)
        .or_else(|| written.link().map(|link| super::render::title(&link.target).to_owned()));
    if let Some(name) = &name {
        page.top().inline(Inline::Image { alt: "diagram".to_owned(), target: name.clone() });
    }
    let source = written.source(&mut body).unwrap_or_default();
    let labels = diagram::labels(&source);
    if !labels.is_empty() {
        let item = |label: String| vec![Block::Paragraph(vec![Inline::Text(label)])];
        page.top().block(Block::List { start: None, items: labels.into_iter().map(item).collect() });
    } else if name.is_none() {
        page.warn("drawing without a name", 1);
    }
}

/// A body in another language.
fn nested_page(page: &mut Page<'_>, name: &str, mut written: Macro, mut body: Sink) {
    let Some(text) = written.source(&mut body).filter(|text| !text.trim().is_empty()) else {
        if let Some(url) = written.owned(&["url", "URL", "location"]) {
            page.top().inline(Inline::Link(Link { target: Target::Url(url), text: Vec::new() }));
        }
        return;
    };
    if page.level >= MOST_LEVELS {
        page.warn("macro bodies nested too deeply, kept as code", 1);
        return page.top().block(Block::Code { language: None, title: None, text });
    }
    let document = match name.starts_with("markdown") {
        true => super::markup::document(&text),
        false => super::storage::document(&text, page.level + 1),
    };
    document.blocks.into_iter().for_each(|block| page.top().block(block));
    for warning in document.warnings {
        page.warn(&warning.what, warning.count);
    }
}

fn file(page: &mut Page<'_>, name: &str, written: &Macro) {
    let named = written.owned(&["name", "url", "file", "filename", "attachment", ""]).map(|text| {
        let is_url = text.contains("://") || name.starts_with("widget");
        let target = if is_url { Target::Url(text) } else { Target::Attachment { name: text, page: None } };
        Link { target, text: Vec::new() }
    });
    let links = written.parameters.iter().filter_map(|parameter| match &parameter.link {
        Some(Inline::Link(link)) if !matches!(link.target, Target::Page { .. }) => Some(link.clone()),
        _ => None,
    });
    match links.into_iter().next().or(named) {
        Some(link) => page.top().inline(Inline::Link(link)),
        None => page.warn(&format!("{name} macro without a file or address"), 1),
    }
}

fn math(written: &mut Macro, body: &mut Sink) -> Option<String> {
    let formula = written.owned(&["body", ""]);
    formula.or_else(|| written.source(body)).filter(|formula| !formula.trim().is_empty())
}
