//! Plain Markdown for blocks, until the reader's own is here.

use crate::document::{Block, Inline, Link, Target};

pub(crate) fn plain(inlines: &[Inline]) -> String {
    inlines.iter().map(inline).collect::<String>().replace('\n', " ").trim().to_owned()
}

fn link(link: &Link) -> String {
    if !link.text.is_empty() {
        return link.text.iter().map(inline).collect();
    }
    match &link.target {
        Target::Page { title, .. } | Target::BlogPost { title, .. } => title.clone(),
        Target::Id(text) | Target::Space(text) | Target::Url(text) | Target::Anchor(text) => text.clone(),
        Target::Attachment { name, .. } => name.clone(),
    }
}

fn inline(inline: &Inline) -> String {
    match inline {
        Inline::Text(text) | Inline::Date(text) | Inline::Issue(text) | Inline::Emoji(text) => text.clone(),
        Inline::Code(text) => format!("`{text}`"),
        Inline::Strong(inner) => format!("**{}**", inner.iter().map(self::inline).collect::<String>()),
        Inline::Emphasis(inner) => format!("*{}*", inner.iter().map(self::inline).collect::<String>()),
        Inline::Strike(inner) => format!("~~{}~~", inner.iter().map(self::inline).collect::<String>()),
        Inline::Link(to) => link(to),
        Inline::Person { key, .. } => format!("@{{{key}}}"),
        Inline::Status(text) => format!("[{text}]"),
        Inline::Image { alt, target } => format!("![{alt}]({target})"),
        Inline::Break => "\n".to_owned(),
    }
}

fn cell(blocks: &[Block]) -> String {
    render_blocks(blocks).replace('\n', "<br>")
}

fn prefixed(text: &str, first: &str, rest: &str) -> String {
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| format!("{}{line}\n", if at == 0 { first } else { rest })).collect()
}

fn block(block: &Block) -> String {
    let raw = |inlines: &[Inline]| inlines.iter().map(inline).collect::<String>();
    match block {
        Block::Heading { level, text } => format!("{} {}", "#".repeat(usize::from(*level)), plain(text)),
        Block::Paragraph(inlines) => raw(inlines),
        Block::List { start, items } => {
            let marker =
                |at: usize| start.map_or("- ".to_owned(), |first| format!("{}. ", first as usize + at));
            let lines = items.iter().enumerate();
            lines.map(|(at, item)| prefixed(&render_blocks(item), &marker(at), "  ")).collect()
        }
        Block::Tasks(tasks) => tasks
            .iter()
            .map(|task| {
                prefixed(&render_blocks(&task.body), if task.done { "- [x] " } else { "- [ ] " }, "  ")
            })
            .collect(),
        Block::Table(table) => {
            let row = |cells: &Vec<crate::document::Cell>| {
                cells.iter().map(|c| format!("| {} ", cell(&c.blocks))).collect::<String>() + "|\n"
            };
            table.rows.iter().map(row).collect()
        }
        Block::Code { language, title, text } => {
            let title = title.as_ref().map_or(String::new(), |title| format!("{title}\n"));
            format!("{title}```{}\n{text}\n```", language.as_deref().unwrap_or_default())
        }
        Block::Panel { kind, title, blocks } => {
            let text =
                format!("[!{kind}] {}\n{}", title.as_deref().unwrap_or_default(), render_blocks(blocks));
            prefixed(&text, "> ", "> ")
        }
        Block::Quote(blocks) => prefixed(&render_blocks(blocks), "> ", "> "),
        Block::Expand { title, blocks } => {
            title.as_ref().map_or(String::new(), |title| format!("**{title}**\n\n")) + &render_blocks(blocks)
        }
        Block::Properties(blocks) => render_blocks(blocks),
        Block::Definitions(list) => {
            list.iter().map(|d| format!("**{}**: {}\n", plain(&d.term), render_blocks(&d.blocks))).collect()
        }
        Block::Include(to) => format!("{{{{include: {}}}}}", link(to)),
        Block::Rule => "---".to_owned(),
    }
}

pub(crate) fn render_blocks(blocks: &[Block]) -> String {
    let texts: Vec<String> = blocks.iter().map(block).map(|text| text.trim_end().to_owned()).collect();
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}
