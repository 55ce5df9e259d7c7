//! A page as a tree of blocks: the meaning of its markup, without the markup.
//!
//! Readers make it, the chunker cuts it, the structural rules read it, `read::markdown` writes it. It must not know
//! where a page came from. Invariant: every table is a full rectangle (spans are already expanded).

/// A read page body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The blocks in reading order. Headings are flat; the chunker builds the tree.
    pub blocks: Vec<Block>,
    /// What could not be read as written, for the report. Sorted and counted by kind.
    pub warnings: Vec<Warning>,
}

/// Something the reader had to guess or drop, and how often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// Such as `broken XML` or `unknown macro roadmap`.
    pub what: String,
    /// How many times on this page.
    pub count: u32,
}

/// A node of a page's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading of level 1 to 6.
    Heading {
        /// 1 to 6.
        level: u8,
        /// Its text.
        text: Vec<Inline>,
    },
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// A bulleted (`start` is `None`) or numbered list.
    List {
        /// The first number of a numbered list.
        start: Option<u32>,
        /// Each item is a list of blocks.
        items: Vec<Vec<Block>>,
    },
    /// A list of tasks.
    Tasks(Vec<Task>),
    /// A table with its spans expanded.
    Table(Table),
    /// Code, a diagram's source, or preformatted text: kept to the letter.
    Code {
        /// The language, such as `python`.
        language: Option<String>,
        /// A caption.
        title: Option<String>,
        /// The text.
        text: String,
    },
    /// An info, note, tip or warning box.
    Panel {
        /// Such as `INFO`, `NOTE`, `TIP`, `WARNING`, `ERROR`, `SUCCESS`, `PANEL`; upper case.
        kind: &'static str,
        /// A title.
        title: Option<String>,
        /// The content.
        blocks: Vec<Block>,
    },
    /// A quotation.
    Quote(Vec<Block>),
    /// Blocks under a bold line: an expand macro.
    Expand {
        /// The line to click.
        title: Option<String>,
        /// The content.
        blocks: Vec<Block>,
    },
    /// Page properties (`details` macro): its tables are key and value.
    Properties(Vec<Block>),
    /// A list of terms and what they mean.
    Definitions(Vec<Definition>),
    /// A page shown inside this one. Never inlined.
    Include(Link),
    /// A horizontal rule.
    Rule,
}

/// A term and its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The term.
    pub term: Vec<Inline>,
    /// What it means.
    pub blocks: Vec<Block>,
}

/// A task of a task list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Ticked.
    pub done: bool,
    /// What is to be done; mentions and dates are in it.
    pub body: Vec<Block>,
}

/// A table as a full rectangle: a spanned cell's content is repeated in every cell it covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Rows of equal length.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Marked up as a header (`th`).
    pub header: bool,
    /// The content.
    pub blocks: Vec<Block>,
}

/// A piece of running text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inline {
    /// Text as it reads, entities decoded.
    Text(String),
    /// A code span.
    Code(String),
    /// Bold.
    Strong(Vec<Inline>),
    /// Italic.
    Emphasis(Vec<Inline>),
    /// Struck out.
    Strike(Vec<Inline>),
    /// A link with what is shown for it.
    Link(Link),
    /// A mention of a person, by key. `name` is what the page itself shows, if anything.
    Person {
        /// The person's key in the wiki.
        key: String,
        /// A name the page text gives.
        name: Option<String>,
    },
    /// A date, `YYYY-MM-DD`.
    Date(String),
    /// A status lozenge, without its colour.
    Status(String),
    /// A key of an issue tracker, such as `OPS-42`.
    Issue(String),
    /// An image.
    Image {
        /// Alternative text or caption.
        alt: String,
        /// File name or address.
        target: String,
    },
    /// An emoji or emoticon as its character.
    Emoji(String),
    /// A line break.
    Break,
}

/// A link and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub target: Target,
    /// What is shown; empty means the target's own title.
    pub text: Vec<Inline>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A page by title; no space means the same space.
    Page {
        /// The other space, if it is another.
        space: Option<String>,
        /// The page's title.
        title: String,
    },
    /// A blog post by title and day.
    BlogPost {
        /// The other space, if it is another.
        space: Option<String>,
        /// The post's title.
        title: String,
    },
    /// A page by id.
    Id(String),
    /// A file attached to this or another page.
    Attachment {
        /// The file's name.
        name: String,
        /// Title of the page it hangs on, if another.
        page: Option<String>,
    },
    /// A space.
    Space(String),
    /// An address outside the wiki, or one that was not recognised as inside.
    Url(String),
    /// A place on this page.
    Anchor(String),
}
