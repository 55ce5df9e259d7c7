//! The elements of storage format and what kind of thing each is. It must not know how they are read.

/// What an element is to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// Its content stands where it stands, as part of the line: `span`, `u`, comment markers.
    Through,
    /// Its content stands where it stands, in lines of its own: `p`, `div`, layouts.
    Lines,
    /// Not an element of the format.
    Unknown,
    /// Nothing in it is text of the page.
    Dropped,
    Heading(u8),
    List,
    Item,
    Strong,
    Emphasis,
    Strike,
    Raised,
    Code,
    Pre,
    Quote,
    Rule,
    Break,
    Anchor,
    Picture,
    Table,
    Row,
    Cell,
    Definitions,
    Term,
    Description,
    Time,
    Input,
    Macro,
    Parameter,
    PlainBody,
    LinkText,
    Tasks,
    Task,
    TaskStatus,
    Link,
    Image,
    Caption,
    Emoticon,
    Extension,
    Node,
    NodeAttribute,
    Fallback,
    Resource,
    Variable,
}

impl Tag {
    /// The element of a name, without regard to case.
    pub(super) fn of(name: &str) -> Tag {
        match known(name) {
            Tag::Unknown if name.bytes().any(|b| b.is_ascii_uppercase()) => known(&name.to_ascii_lowercase()),
            tag => tag,
        }
    }

    /// It ends the paragraph that is open before it.
    pub(super) fn breaks_lines(self) -> bool {
        use Tag::*;
        matches!(self, Lines | Heading(_) | List | Item | Pre | Quote | Rule | Table | Row | Cell)
            || matches!(self, Definitions | Term | Description | Tasks | Task | Extension | Node | Fallback)
    }

    /// HTML lets it stand without an end tag and without content.
    pub(super) fn is_void(self) -> bool {
        matches!(self, Tag::Break | Tag::Rule | Tag::Picture | Tag::Input | Tag::Resource | Tag::Emoticon)
    }

    /// An end tag of something smaller inside it cannot close something outside it.
    pub(super) fn holds(self) -> bool {
        matches!(self, Tag::Cell | Tag::Item | Tag::Macro | Tag::Task | Tag::Description | Tag::Fallback)
    }

    /// An end tag of it closes whatever is still open inside, cells and macros too.
    pub(super) fn is_outer(self, name: &str) -> bool {
        use Tag::*;
        matches!(self, List | Table | Row | Macro | Tasks | Task | Definitions | Extension | Fallback)
            || self.holds()
            || name.starts_with("ac:layout")
            || name == "ac:rich-text-body"
    }
}

fn known(name: &str) -> Tag {
    match name {
        "p" | "div" | "tbody" | "thead" | "tfoot" | "center" | "section" | "article" | "header"
        | "footer" | "main" | "aside" | "nav" | "figure" | "figcaption" | "address" | "fieldset" | "form"
        | "legend" | "summary" | "details" | "caption" | "body" | "html" | "hgroup" => Tag::Lines,
        "span" | "u" | "sub" | "small" | "big" | "font" | "ins" | "abbr" | "acronym" | "mark" | "label"
        | "q" | "bdi" | "bdo" | "ruby" | "rt" | "rp" | "button" | "nobr" | "data" => Tag::Through,
        "li" => Tag::Item,
        "td" | "th" => Tag::Cell,
        "tr" => Tag::Row,
        "a" => Tag::Anchor,
        "code" | "kbd" | "samp" | "tt" => Tag::Code,
        "strong" | "b" => Tag::Strong,
        "em" | "i" | "cite" | "var" | "dfn" => Tag::Emphasis,
        "del" | "s" | "strike" => Tag::Strike,
        "sup" => Tag::Raised,
        "ul" | "ol" => Tag::List,
        "h1" => Tag::Heading(1),
        "h2" => Tag::Heading(2),
        "h3" => Tag::Heading(3),
        "h4" => Tag::Heading(4),
        "h5" => Tag::Heading(5),
        "h6" => Tag::Heading(6),
        "br" => Tag::Break,
        "hr" => Tag::Rule,
        "pre" => Tag::Pre,
        "blockquote" => Tag::Quote,
        "table" => Tag::Table,
        "dl" => Tag::Definitions,
        "dt" => Tag::Term,
        "dd" => Tag::Description,
        "time" => Tag::Time,
        "img" => Tag::Picture,
        "col" | "wbr" | "input" | "meta" | "link" | "base" | "source" | "track" | "area" | "embed"
        | "param" => Tag::Input,
        "colgroup" | "script" | "style" | "template" | "head" | "noscript" | "title" => Tag::Dropped,
        _ => prefixed(name),
    }
}

fn prefixed(name: &str) -> Tag {
    match name.split_once(':') {
        Some(("ac", name)) => confluence(name),
        Some(("ri", _)) => Tag::Resource,
        Some(("at", "var")) => Tag::Variable,
        Some(("at", _)) => Tag::Dropped,
        _ => Tag::Unknown,
    }
}

fn confluence(name: &str) -> Tag {
    match name {
        "structured-macro" | "macro" => Tag::Macro,
        "parameter" | "default-parameter" => Tag::Parameter,
        "plain-text-body" => Tag::PlainBody,
        "rich-text-body" | "layout" | "layout-section" | "layout-cell" | "adf-content" => Tag::Lines,
        "link-body" | "inline-comment-marker" | "task-body" => Tag::Through,
        "plain-text-link-body" => Tag::LinkText,
        "task-list" => Tag::Tasks,
        "task" => Tag::Task,
        "task-id" | "task-uuid" | "placeholder" => Tag::Dropped,
        "task-status" => Tag::TaskStatus,
        "link" => Tag::Link,
        "image" => Tag::Image,
        "caption" => Tag::Caption,
        "emoticon" => Tag::Emoticon,
        "adf-extension" => Tag::Extension,
        "adf-node" | "adf-leaf" => Tag::Node,
        "adf-attribute" => Tag::NodeAttribute,
        "adf-fallback" => Tag::Fallback,
        name if name.starts_with("adf-") => Tag::Dropped,
        _ => Tag::Through,
    }
}
