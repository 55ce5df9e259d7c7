//! What must hold of a life that is over, besides the comparison with an undisturbed one: the journal is
//! whole, the state is nothing but its fold, applying twice is applying once, and what is live is what the
//! current pages say.

use crate::disk::Disk;
use highwater::error::Error;
use highwater::state::State;
use knowledge::read;
use knowledge::structure;
use std::path::Path;
use vault::{Identity, ObjectStore};

/// How many differing lines are shown of each side.
const SHOWN: usize = 6;

/// Compares two dumps.
///
/// # Errors
/// The first lines that only one of them has.
pub fn same(what: &str, expected: &str, found: &str) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (ours, theirs) = (lines(expected), lines(found));
    let mut text = format!("the graph differs: {what}");
    for (sign, only) in [("-", ours.difference(&theirs)), ("+", theirs.difference(&ours))] {
        let (count, only) = (only.clone().count(), only.take(SHOWN));
        only.for_each(|line| {
            text.push_str(&format!("\n  {sign} {}", line.chars().take(400).collect::<String>()))
        });
        if count > SHOWN {
            text.push_str(&format!("\n  {sign} … {} more", count - SHOWN));
        }
    }
    Err(text)
}

/// All checks on a life that is over. `graph` is what a reader of its state file sees.
///
/// # Errors
/// The first that fails, in words.
pub async fn at_the_end<S: ObjectStore>(
    store: &S,
    disk: &Disk,
    (identity, chunk_chars): (&Identity, usize),
    graph: &str,
) -> Result<(), String> {
    let verified = vault::verify(store).await.map_err(|error| format!("verifying the vault: {error}"))?;
    if !verified.tail.torn.is_empty() {
        return Err(format!(
            "after the end something torn lies behind the journal: {:?}",
            verified.tail.torn
        ));
    }
    if disk.is_growing() {
        return Err("after the end the file of a re-indexing is still there".to_owned());
    }
    let said = |error: Error| error.to_string();
    let rebuilt = rebuild(store, disk, identity).await.map_err(said)?;
    same("the journal folded again", graph, &rebuilt.dump().map_err(said)?)?;
    let mut state = open(&disk.state(), identity).map_err(said)?;
    twice(store, &mut state).await.map_err(said)?;
    same("the journal applied twice", graph, &state.dump().map_err(said)?)?;
    drop(state);
    live_is_what_pages_say(&rebuilt, chunk_chars)
}

fn open(path: &Path, identity: &Identity) -> Result<State, Error> {
    State::open(path, &identity.id.to_string())
}

async fn rebuild<S: ObjectStore>(store: &S, disk: &Disk, identity: &Identity) -> Result<State, Error> {
    let mut state = open(&disk.state().with_file_name("again.db"), identity)?;
    state.catch_up(store).await?;
    Ok(state)
}

async fn twice<S: ObjectStore>(store: &S, state: &mut State) -> Result<(), Error> {
    vault::read(store, None, |segment| state.advance(&segment)).await?;
    Ok(())
}

/// Counts rows that should not be.
fn count(state: &State, sql: &str) -> Result<i64, String> {
    state.connection().query_row(sql, [], |row| row.get(0)).map_err(|error| format!("counting: {error}"))
}

/// What must not be in a graph at rest: a sentence and the rows that break it.
const NEVER: [(&str, &str); 8] = [
    ("something is owed", "SELECT (SELECT count(*) FROM owed_fetch) + (SELECT count(*) FROM owed_cut)"),
    ("a call is under way", "SELECT count(*) FROM call WHERE ended IS NULL"),
    ("a page waits to be resolved",
     "SELECT count(*) FROM worklist WHERE sweep = (SELECT max(sweep) FROM worklist)
      AND position >= coalesce((SELECT max(end) FROM epoch WHERE sweep = (SELECT max(sweep) FROM worklist)), 0)"),
    ("an epoch is open", "SELECT count(*) FROM epoch WHERE resolved_seq IS NULL"),
    ("an episode of a page that is gone is live",
     "SELECT count(*) FROM episode JOIN page USING (page) WHERE ended IS NULL AND gone"),
    ("a live support stands on a chunk that has ended",
     "SELECT count(*) FROM support s JOIN episode e USING (chunk)
         WHERE s.ended IS NULL AND e.ended IS NOT NULL"),
    ("a node without live mentions is in an entity",
     "SELECT count(*) FROM node WHERE entity IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mention JOIN episode
      USING (chunk) WHERE mention.node = node.node AND ended IS NULL)"),
    ("an entity has no nodes",
     "SELECT count(*) FROM entity WHERE NOT EXISTS (SELECT 1 FROM node WHERE node.entity = entity.entity)"),
];

/// Checks the graph against the pages as they are kept: every version is cut as the rules cut it, and the
/// live episodes are the chunks of the newest versions.
fn live_is_what_pages_say(state: &State, chunk_chars: usize) -> Result<(), String> {
    for (sentence, sql) in NEVER {
        let rows = count(state, sql)?;
        if rows > 0 {
            return Err(format!("{sentence}: {rows} rows"));
        }
    }
    let said = |error: rusqlite::Error| format!("looking at the pages: {error}");
    let mut statement = state
        .connection()
        .prepare(
            "SELECT raw.received, cut.chunks,
                    (SELECT max(version) FROM cut c WHERE c.page = raw.page) = raw.version
                    AND coalesce((SELECT gone FROM page p WHERE p.page = raw.page), 0) = 0
             FROM raw_page raw LEFT JOIN cut USING (page, version)",
        )
        .map_err(said)?;
    let mut rows = statement.query([]).map_err(said)?;
    while let Some(row) = rows.next().map_err(said)? {
        let received: String = row.get(0).map_err(said)?;
        let held: Option<Vec<u8>> = row.get(1).map_err(said)?;
        let current: bool = row.get(2).map_err(said)?;
        let Some(held) = held else { continue };
        check_version(state, &received, chunk_chars, (&held, current))?;
    }
    Ok(())
}

fn check_version(
    state: &State,
    received: &str,
    chars: usize,
    (held, current): (&[u8], bool),
) -> Result<(), String> {
    let page: knowledge::page::RawPage = serde_json::from_str(received).map_err(|error| error.to_string())?;
    let name = format!("page {} version {}", page.id, page.version.0);
    let document = read::document(page.format, &page.body);
    let pieces = structure::pieces(&page, &document, chars);
    let expected: Vec<u8> = pieces.iter().flat_map(|(chunk, _)| *chunk.id.as_bytes()).collect();
    if expected != held {
        return Err(format!("{name} is not held as the rules cut it"));
    }
    for chunk in held.chunks_exact(16) {
        let live: bool = state
            .connection()
            .query_row("SELECT count(*) FROM episode WHERE chunk = ?1 AND ended IS NULL", [chunk], |row| {
                row.get(0)
            })
            .map_err(|error| error.to_string())?;
        if current && !live {
            return Err(format!("{name} is current, but a chunk of it is not live"));
        }
    }
    Ok(())
}
