//! `export`: everything that is held, as JSON Lines on stdout or in a file. It must not know what the lines say.
//! Invariant: a file is written whole, or stays as it was.

use super::{Call, Exit};
use crate::error::{Error, Kind, Result};
use crate::inquiry::{Graph, date};
use crate::state::State;
use crate::state::export::{Line, Tally, Wanted};
use clap::{Args, ValueEnum};
use std::cell::Cell;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Write out entities, facts, communities, passages and pages as JSON Lines
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  highwater export --to graph.jsonl\n  \
                        highwater export --with passages --with communities | gzip > graph.jsonl.gz\n  \
                        highwater export --as ann@example.com --to graph-of-ann.jsonl\n\n\
                        `docs/export.md` says what the lines hold.")]
pub(super) struct Typed {
    /// Write to this file, whole or not at all [default: stdout]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// What else to write
    #[arg(long, value_name = "WHAT")]
    with: Vec<More>,
    /// Only what was true in the world on this date (of passages: what the wiki said then)
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// Only what the wiki said on this date; what has no date counts always
    #[arg(long, value_name = "DATE")]
    wiki_at: Option<String>,
    /// Only what this user may see: a key, an e-mail address or a name [default: the setting `as`]
    #[arg(long = "as", value_name = "USER")]
    viewer: Option<String>,
}

/// What is written only when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum More {
    /// The text of the pages, chunk by chunk
    Passages,
    /// What belongs together, as `report communities` finds it
    Communities,
}

impl Typed {
    /// Who looks, as the setting it is.
    pub(super) fn viewer(&self) -> Option<String> {
        self.viewer.clone()
    }
}

pub(super) async fn run(call: &Call, typed: &Typed) -> Result<Exit> {
    let wanted = Wanted {
        passages: typed.with.contains(&More::Passages),
        communities: typed.with.contains(&More::Communities),
        as_of: date("--as-of", typed.as_of.as_deref())?,
        wiki_at: date("--wiki-at", typed.wiki_at.as_deref())?,
        ..Wanted::default()
    };
    if wanted.communities && (wanted.as_of.is_some() || wanted.wiki_at.is_some()) {
        return Err(Error::new(
            Kind::Usage,
            "`--with communities`: they are of what holds now, of no other date",
        )
        .hint("leave out `--as-of` and `--wiki-at`, or the communities"));
    }
    let place = typed.to.as_deref().map(place_of).transpose()?;
    let state = Graph::open(&call.settings).await?.state(&|text| call.tell(text)).await?;
    let tally = match &place {
        Some(place) => Some(into_file(place, &state, &wanted)?),
        None => onto_stdout(&state, &wanted)?,
    };
    if let Some(Tally { entities, facts, communities, passages, pages }) = tally {
        let also = |asked: bool, text: String| if asked { text + ", " } else { String::new() };
        let communities = also(wanted.communities, format!("{communities} communities"));
        let passages = also(wanted.passages, format!("{passages} passages"));
        call.tell(&format!("wrote {entities} entities, {facts} facts, {communities}{passages}{pages} pages"));
    }
    Ok(Exit::Done)
}

/// Where the file is to stand: what a link leads to, which stays a link.
///
/// # Errors
/// Something stands there that is no file, such as a folder or a device.
fn place_of(to: &Path) -> Result<PathBuf> {
    match std::fs::metadata(to) {
        Err(error) if error.kind() == ErrorKind::NotFound => match folder_of(to) {
            folder if folder.is_dir() => Ok(to.to_owned()),
            folder => Err(unwritten(to, &format!("there is no folder `{}`", folder.display()))),
        },
        Ok(found) if found.is_file() => to.canonicalize().map_err(|error| unwritten(to, &error)),
        Err(error) => Err(unwritten(to, &error)),
        Ok(_) => Err(Error::new(
            Kind::Usage,
            format!("export file `{}`: what stands there is no file", to.display()),
        )
        .hint("name a file, or leave `--to` out and send stdout there")),
    }
}

/// A file beside it takes its place when it is complete and on the disk.
fn into_file(place: &Path, state: &State, wanted: &Wanted) -> Result<Tally> {
    let failed = |error: std::io::Error| unwritten(place, &error);
    let folder = folder_of(place);
    // What the error itself names is the file beside it, which nobody asked for.
    let unmade = |error: std::io::Error| {
        unwritten(place, &format!("making a file in the folder `{}`: {}", folder.display(), error.kind()))
    };
    let mut file = BufWriter::new(NamedTempFile::new_in(folder).map_err(unmade)?);
    let tally = state.export(wanted, &mut |line| file.write_all(text(line)?.as_bytes()).map_err(failed))?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(place).map_err(|error| failed(error.error))?;
    Ok(tally)
}

fn folder_of(place: &Path) -> &Path {
    place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritten(place: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Halt, format!("export file `{}`: {why}", place.display()))
        .hint("name a file in a folder that can be written")
}

/// Nothing when the reader has gone away (`| head`), which is no error.
fn onto_stdout(state: &State, wanted: &Wanted) -> Result<Option<Tally>> {
    let gone = Cell::new(false);
    let failed = |error: std::io::Error| {
        gone.set(error.kind() == ErrorKind::BrokenPipe);
        Error::new(Kind::Halt, format!("writing to stdout: {error}"))
    };
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let written = state
        .export(wanted, &mut |line| stdout.write_all(text(line)?.as_bytes()).map_err(failed))
        .and_then(|tally| stdout.flush().map_err(failed).map(|()| tally));
    match written {
        Err(_) if gone.get() => Ok(None),
        written => written.map(Some),
    }
}

/// A line as it is written. Wiki text is foreign: what some readers take for the end of a line, and what a terminal
/// might obey, is written as an escape, which is the same text to whoever reads JSON.
fn text(line: &Line) -> Result<String> {
    let text = serde_json::to_string(line)?;
    let is_loud = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut written = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        match is_loud(c) {
            true => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => written.push(c),
        }
    }
    written.push('\n');
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::export::Page;

    #[test]
    fn whatever_a_page_is_called_it_is_one_line_and_the_same_text() {
        let title = "a\u{85}b\u{2028}c\n\u{9b}31m\u{7f} \"é\" 🌊";
        let page = Page {
            id: "1".to_owned(),
            title: title.to_owned(),
            space: "OPS".to_owned(),
            link: None,
            version: 1,
            modified: None,
            gone: false,
        };
        let written = text(&Line::Page(page)).unwrap();
        assert!(written.trim_end().chars().all(|c| !c.is_control() && c != '\u{2028}'), "{written}");
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!((&read["kind"], &read["title"]), (&"page".into(), &title.into()));
    }
}
