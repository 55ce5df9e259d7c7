//! Cards: what the wiki knows about a page beside its text, as short chunks that rules read and no model sees. One
//! card per aspect, so that what did not change keeps its identity from version to version. Cards must not know the
//! page's text.

use super::saying::{Said, Saying, Stated, page_by_id, person, this_page};
use crate::chunk::{Chunk, Form};
use crate::graph::{Key, Kind, Mention, Object, Reading};
use crate::id::PersonKey;
use crate::page::{Attachment, PageKind, RawPage};
use crate::time::{Timestamp, stored};
use std::fmt::Write;

/// The cards of a page version, those without content left out.
pub(super) fn cards(page: &RawPage) -> Vec<(Chunk, Reading)> {
    let made = [place(page), labels(page), attachments(page), made(page), edited(page)];
    made.into_iter().flatten().collect()
}

/// A card with this text, and what `say` reads in it.
fn card(page: &RawPage, text: String, say: impl FnOnce(&mut Saying<'_>, Said)) -> Option<(Chunk, Reading)> {
    let path = vec![page.title.clone()];
    let mut saying = Saying::of(&text);
    let this = saying.mention(this_page(page));
    say(&mut saying, this);
    let reading = saying.done();
    let id = Chunk::identity(&page.id, &path, &text, 0);
    Some((Chunk { id, form: Form::Card, path, text, occurrence: 0 }, reading))
}

/// A name within quotes would be broken by a line end in it.
fn line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The day of a point in time.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Where the page is: its space, its parent, and the name that links call it by.
fn place(page: &RawPage) -> Option<(Chunk, Reading)> {
    let what = match page.kind {
        PageKind::Page => "page",
        PageKind::BlogPost => "blog post",
        PageKind::Comment { .. } => "comment",
        PageKind::Attachment { .. } => "file",
    };
    let first = format!("{} is a {what} in space {}.", line(&this_page(page).name), page.space);
    let under = page.ancestors.iter().map(|title| line(title)).collect::<Vec<_>>().join(" > ");
    let second = match (&page.kind, under.as_str(), &page.parent) {
        (PageKind::Comment { on, quoted }, ..) => match quoted {
            Some(words) => format!("It comments on page {on}, on the words: {}", line(words)),
            None => format!("It comments on page {on}."),
        },
        (PageKind::Attachment { on, .. }, ..) => format!("It is attached to page {on}."),
        (_, "", Some(parent)) => format!("It is a child of page {parent}."),
        (_, "", None) => String::new(),
        (_, under, Some(parent)) => format!("It is under: {under} (page {parent})"),
        (_, under, None) => format!("It is under: {under}"),
    };
    let text = [first.as_str(), second.as_str()].join("\n").trim_end().to_owned();
    card(page, text, |saying, this| {
        let space = Mention {
            name: page.space.to_string(),
            kind: Kind::SPACE,
            key: Some(Key::Space(page.space.clone())),
        };
        let space = saying.mention(space);
        saying.claim(Stated::new(this, "in_space", Object::Named(space), &first));
        if let Some(on) = page.kind.on() {
            let relation = match page.kind {
                PageKind::Attachment { .. } => "attached_to",
                _ => "comments_on",
            };
            let on = saying.mention(page_by_id(on, on.as_str()));
            saying.claim(Stated::new(this, relation, Object::Named(on), &second));
            return;
        }
        let named = saying.mention(by_title(page, &page.title));
        saying.claim(Stated::new(this, "same_as", Object::Named(named), &first));
        let parent = match (&page.parent, page.ancestors.last()) {
            (Some(id), title) => page_by_id(id, title.map_or(id.as_str(), String::as_str)),
            (None, Some(title)) => by_title(page, title),
            (None, None) => return,
        };
        let parent = saying.mention(parent);
        let claim = Stated::new(this, "child_of", Object::Named(parent), &second);
        saying.claim(Stated { single: true, ..claim });
    })
}

/// A page of this page's space, as links name it.
fn by_title(page: &RawPage, title: &str) -> Mention {
    let key = Key::Title(page.space.clone(), title.to_owned());
    Mention { name: title.to_owned(), kind: Kind::PAGE, key: Some(key) }
}

fn labels(page: &RawPage) -> Option<(Chunk, Reading)> {
    if page.labels.is_empty() {
        return None;
    }
    let lines: Vec<String> = page.labels.iter().map(|label| format!("Label: {}", line(label))).collect();
    card(page, lines.join("\n"), |saying, this| {
        for (label, line) in page.labels.iter().zip(&lines) {
            let key = Some(Key::Label(label.clone()));
            let label = saying.mention(Mention { name: label.clone(), kind: Kind::LABEL, key });
            saying.claim(Stated::new(this, "labelled", Object::Named(label), line));
        }
    })
}

fn attachments(page: &RawPage) -> Option<(Chunk, Reading)> {
    if page.attachments.is_empty() {
        return None;
    }
    let lines: Vec<String> = page.attachments.iter().map(attachment_line).collect();
    card(page, lines.join("\n"), |saying, this| {
        for (file, line) in page.attachments.iter().zip(&lines) {
            let key = Some(Key::File(page.id.clone(), file.name.clone()));
            let named = saying.mention(Mention { name: file.name.clone(), kind: Kind::FILE, key });
            let claim = Stated::new(this, "has_attachment", Object::Named(named), line);
            saying.claim(claim.since(file.uploaded));
            if let Some(key) = &file.by {
                let by = saying.mention(person(key, None));
                saying.claim(Stated::new(named, "uploaded_by", Object::Named(by), line).since(file.uploaded));
            }
        }
    })
}

fn attachment_line(file: &Attachment) -> String {
    let mut out = format!("Attached file: {}", line(&file.name));
    if let Some(kind) = &file.media_type {
        out += &format!(" ({kind})");
    }
    // The full time: two uploads on one day are two cards.
    let at = file.uploaded.map(|at| format!(" at {}", stored(at)));
    out + &by_and_when(file.by.as_ref(), None) + &at.unwrap_or_default()
}

/// ` by @{key} on 2026-02-02`, as far as known.
fn by_and_when(by: Option<&PersonKey>, at: Option<Timestamp>) -> String {
    let mut out = String::new();
    if let Some(key) = by {
        write!(out, " by @{{{key}}}").expect("writing to a string cannot fail");
    }
    if let Some(at) = at {
        write!(out, " on {}", day(at)).expect("writing to a string cannot fail");
    }
    out
}

fn made(page: &RawPage) -> Option<(Chunk, Reading)> {
    let author = page.author.as_ref()?;
    let text = format!("Created{}.", by_and_when(Some(author), page.created));
    card(page, text.clone(), |saying, this| {
        let by = saying.mention(person(author, None));
        saying.claim(Stated::new(this, "created_by", Object::Named(by), &text).since(page.created));
    })
}

fn edited(page: &RawPage) -> Option<(Chunk, Reading)> {
    let editor = page.editor.as_ref()?;
    let text = format!("Version {} was written{}.", page.version, by_and_when(Some(editor), page.modified));
    card(page, text.clone(), |saying, this| {
        let by = saying.mention(person(editor, None));
        saying.claim(Stated::new(this, "edited_by", Object::Named(by), &text).since(page.modified));
    })
}
