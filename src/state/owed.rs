//! What is owed, as indexed rows: a turn of the loop costs what changed, not what exists. Reads only.

use super::State;
use super::candidates::collect;
use crate::error::{Error, Kind, Result};
use crate::sources::Ask;
use knowledge::audience::{Layer, LayerId, Rule};
use knowledge::graph::Reading;
use knowledge::id::{ChunkId, PageId, SpaceKey, Version};
use knowledge::page::RawPage;
use knowledge::record::Gathered;
use knowledge::resolve::{PageSaid, VersionSaid};
use knowledge::time::parse;
use rusqlite::{OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

/// The newest sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Its number.
    pub sweep: u32,
    /// Begun in the present term of the vault.
    pub of_this_term: bool,
    /// Where to go on listing.
    pub next: Option<String>,
    /// The listing is complete.
    pub complete: bool,
    /// Its worklist is recorded.
    pub planned: bool,
    /// Part of the wiki could not be read.
    pub incomplete: bool,
}

/// A page as a complete listing and the state see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The page.
    pub page: PageId,
    /// The space it is listed in, or was in.
    pub space: SpaceKey,
    /// Listed, unless it vanished.
    pub listed: Option<Listing>,
    /// The version held and its fingerprint, unless the page is new (or was gone).
    pub held: Option<(Version, String)>,
}

/// What a listing said of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The version, where the source counts them.
    pub version: Option<Version>,
    /// Older versions that can be had.
    pub history: Vec<Version>,
    /// The fingerprint.
    pub fingerprint: String,
    /// The source's own note.
    pub locator: String,
}

/// A slice of the worklist that may be gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The sweep.
    pub sweep: u32,
    /// The first item.
    pub first: u32,
    /// One past the last item.
    pub end: u32,
    /// The number the epoch will have.
    pub epoch: u32,
}

/// The step in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// How the step is called.
    pub step: &'static str,
    /// How many of what it takes there are.
    pub of: u64,
    /// How many of them it still owes.
    pub owed: u64,
}

impl State {
    /// The step in progress. Asked several times a second while a run writes: only narrow indexes are counted.
    pub fn ahead(&self) -> Result<Ahead> {
        let count = |sql: &str| -> Result<u64> {
            let mut statement = self.connection().prepare_cached(sql)?;
            Ok(statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)?)
        };
        let owed = count("SELECT count(*) FROM owed_fetch")?;
        if owed > 0 {
            return Ok(Ahead { step: "fetch", of: owed + count("SELECT count(*) FROM raw_page")?, owed });
        }
        let owed = count("SELECT count(*) FROM owed_cut")?;
        if owed > 0 {
            return Ok(Ahead { step: "cut", of: count("SELECT count(*) FROM raw_page")?, owed });
        }
        let owed = count("SELECT count(*) FROM pack WHERE standing NOT IN ('understood', 'passed')")?;
        if owed > 0 {
            return Ok(Ahead { step: "ask", of: count("SELECT count(*) FROM pack")?, owed });
        }
        let of = count(
            "SELECT coalesce((SELECT position + 1 FROM worklist ORDER BY sweep DESC, position DESC LIMIT 1), 0)",
        )?;
        // Epochs take the worklist from its front.
        let done = count(
            "SELECT coalesce((SELECT end FROM epoch WHERE resolved_seq IS NOT NULL
             AND sweep = (SELECT max(sweep) FROM worklist) ORDER BY epoch DESC LIMIT 1), 0)",
        )?;
        let vectors = count("SELECT count(*) FROM owed_vector")?;
        if done >= of && vectors > 0 {
            return Ok(Ahead { step: "embed", of: count("SELECT count(*) FROM vector_of")?, owed: vectors });
        }
        Ok(Ahead { step: "resolve", of, owed: of.saturating_sub(done) })
    }

    /// The newest sweep, if there was one.
    pub fn sweep(&self) -> Result<Option<Sweep>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT sweep, next, complete, planned, incomplete,
                    opened_seq >= coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)
             FROM sweep ORDER BY sweep DESC LIMIT 1",
        )?;
        let found = statement.query_row([], |row| {
            Ok(Sweep {
                sweep: row.get(0)?,
                next: row.get(1)?,
                complete: row.get(2)?,
                planned: row.get(3)?,
                incomplete: row.get(4)?,
                of_this_term: row.get(5)?,
            })
        });
        Ok(found.optional()?)
    }

    /// Whether all epochs of all worklists are resolved, and nothing waits.
    pub fn is_settled(&self) -> Result<bool> {
        Ok(self.open_epoch()?.is_none() && self.head_slice()?.is_none())
    }

    /// Fetches owed, head of the line first, at most `limit`.
    pub fn owed_fetches(&self, limit: usize) -> Result<Vec<Ask>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT page, version, locator, fingerprint FROM owed_fetch ORDER BY position, version LIMIT ?1",
        )?;
        collect(statement.query([limit as i64])?, |row| {
            Ok(Ask::Fetch {
                page: PageId::new(row.get::<_, String>(0)?),
                version: Version(row.get(1)?),
                locator: row.get(2)?,
                fingerprint: row.get(3)?,
            })
        })
    }

    /// Page versions that wait to be cut, head of the line first, until their bodies pass `limit_bytes`.
    pub fn owed_cuts(&self, limit_pages: usize, limit_bytes: usize) -> Result<Vec<RawPage>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT received FROM owed_cut JOIN raw_page USING (page, version) ORDER BY position, version LIMIT ?1",
        )?;
        let mut rows = statement.query([limit_pages as i64])?;
        let (mut pages, mut bytes) = (Vec::new(), 0);
        while bytes < limit_bytes {
            let Some(row) = rows.next()? else { break };
            let received: String = row.get(0)?;
            bytes += received.len();
            pages.push(serde_json::from_str(&received)?);
        }
        Ok(pages)
    }

    /// The chunks of a page that these versions of the rules have made already, with what they read in each, as it is
    /// kept.
    pub fn chunks_made_by(&self, page: &PageId, rules: (u32, u32, u32)) -> Result<BTreeMap<ChunkId, String>> {
        let made_by = super::apply::made_by(rules.0, rules.1, rules.2);
        let mut statement = self
            .connection()
            .prepare_cached("SELECT chunk, reading FROM chunk WHERE page = ?1 AND made_by = ?2")?;
        let found =
            statement.query_map(params![page.as_str(), made_by], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found
            .map(|row| row.map(|(chunk, reading)| (ChunkId::from_bytes(chunk), reading)).map_err(Into::into))
            .collect()
    }

    /// Pages of the newest worklist that are to be retracted and are not recorded as gone yet, at most
    /// `limit`.
    pub fn owed_retractions(&self, limit: usize) -> Result<Vec<PageId>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT page FROM worklist WHERE sweep = (SELECT max(sweep) FROM worklist) AND work = 'retract' AND open > 0
             ORDER BY position LIMIT ?1",
        )?;
        collect(statement.query([limit as i64])?, |row| Ok(PageId::new(row.get::<_, String>(0)?)))
    }

    /// The next slice of the newest worklist that no epoch holds yet, complete or not.
    pub fn head_slice(&self) -> Result<Option<Slice>> {
        self.slice_ahead(0)
    }

    /// The slice so many behind the head of the line.
    pub fn slice_ahead(&self, number: u32) -> Result<Option<Slice>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT sweep, position + 1 FROM worklist ORDER BY sweep DESC, position DESC LIMIT 1",
        )?;
        let last: Option<(u32, u32)> =
            statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((sweep, length)) = last else { return Ok(None) };
        let mut statement = self
            .connection()
            .prepare_cached("SELECT epoch, sweep, end FROM epoch ORDER BY epoch DESC LIMIT 1")?;
        let before: Option<(u32, u32, u32)> =
            statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let (epoch, first) = match before {
            Some((epoch, of, end)) if of == sweep => (epoch + 1, end),
            Some((epoch, ..)) => (epoch + 1, 0),
            None => (1, 0),
        };
        let pages: u32 = self.meta("epoch_pages")?.and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
        let (first, epoch) = (first.saturating_add(number.saturating_mul(pages)), epoch + number);
        if first >= length {
            return Ok(None);
        }
        Ok(Some(Slice { sweep, first, end: length.min(first + pages), epoch }))
    }

    /// Items of worklists that were gathered in the present term.
    pub fn gathered(&self) -> Result<usize> {
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(sum(end - first), 0) FROM epoch
             WHERE gathered_seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)",
        )?;
        let count: i64 = statement.query_row([], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Items of worklists that were gathered in the present term, and those that stand between them and a slice.
    pub fn gathered_before(&self, slice: &Slice) -> Result<usize> {
        let mut statement = self.connection().prepare_cached(
            "SELECT coalesce(sum(end - first), 0), coalesce(max(CASE sweep WHEN ?1 THEN end END), ?2) FROM epoch
             WHERE gathered_seq > coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'opened_seq'), 0)",
        )?;
        let head = self.head_slice()?.map_or(slice.first, |head| head.first);
        let (gathered, from): (i64, u32) =
            statement.query_row(params![slice.sweep, head], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(usize::try_from(gathered).unwrap_or(0) + slice.first.saturating_sub(from) as usize)
    }

    /// Whether every item of a slice is cut, refused or gone.
    pub fn is_complete(&self, slice: Slice) -> Result<bool> {
        let mut statement = self.connection().prepare_cached(
            "SELECT 1 FROM worklist WHERE sweep = ?1 AND position >= ?2 AND position < ?3 AND open > 0 LIMIT 1",
        )?;
        Ok(!statement.exists(params![slice.sweep, slice.first, slice.end])?)
    }

    /// The epoch that is gathered and not resolved; there is at most one.
    pub fn open_epoch(&self) -> Result<Option<Gathered>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT epoch, sweep, first, end, resolver, extractor FROM epoch WHERE resolved_seq IS NULL
             ORDER BY epoch LIMIT 1",
        )?;
        let found = statement.query_row([], |row| {
            Ok(Gathered {
                epoch: row.get(0)?,
                sweep: row.get(1)?,
                first: row.get(2)?,
                end: row.get(3)?,
                resolver: row.get(4)?,
                extractor: row.get(5)?,
                // They are rows by now (`candidate`).
                alike: Vec::new(),
            })
        });
        Ok(found.optional()?)
    }

    /// The pages of an epoch with all they ever said.
    pub fn said(&self, epoch: &Gathered) -> Result<Vec<PageSaid>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT w.page, coalesce(p.space, w.space), coalesce(p.gone, 0)
             FROM worklist w LEFT JOIN page p USING (page)
             WHERE w.sweep = ?1 AND w.position >= ?2 AND w.position < ?3 ORDER BY w.position",
        )?;
        let pages = collect(statement.query(params![epoch.sweep, epoch.first, epoch.end])?, |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?))
        })?;
        let extractor = epoch.extractor.as_deref();
        pages.into_iter().map(|page| self.said_by(page, extractor)).collect()
    }

    /// All that a page ever said, as it was last resolved.
    pub(super) fn said_of(&self, page: &PageId) -> Result<Option<PageSaid>> {
        let mut statement =
            self.connection().prepare_cached("SELECT page, space, gone FROM page WHERE page = ?1")?;
        let found = statement
            .query_row([page.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let extractor = self.last_extractor()?;
        found.map(|page| self.said_by(page, extractor.as_deref())).transpose()
    }

    /// Whose readings counted in the newest epoch, beside those of the rules.
    pub(super) fn last_extractor(&self) -> Result<Option<String>> {
        let mut statement =
            self.connection().prepare_cached("SELECT extractor FROM epoch ORDER BY epoch DESC LIMIT 1")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?.flatten())
    }

    fn said_by(&self, page: (String, String, bool), extractor: Option<&str>) -> Result<PageSaid> {
        let (page, space, gone) = page;
        let mut statement = self.connection().prepare_cached(
            "SELECT cut.version, raw_page.modified, cut.chunks FROM cut JOIN raw_page USING (page, version)
             WHERE cut.page = ?1 ORDER BY cut.version",
        )?;
        let versions = collect(statement.query([&page])?, |row| {
            let modified: Option<String> = row.get(1)?;
            let chunks: Vec<u8> = row.get(2)?;
            Ok(VersionSaid {
                version: Version(row.get(0)?),
                modified: modified.as_deref().and_then(parse),
                chunks: chunks.chunks_exact(16).filter_map(ChunkId::from_slice).collect(),
            })
        })?;
        let mut readings = BTreeMap::new();
        let mut statement = self.connection().prepare_cached("SELECT reading FROM chunk WHERE chunk = ?1")?;
        for chunk in versions.iter().flat_map(|version| &version.chunks) {
            if readings.contains_key(chunk) {
                continue;
            }
            let reading: String = statement.query_row([chunk.as_bytes()], |row| row.get(0))?;
            let reading = serde_json::from_str::<Reading>(&reading)?;
            let answer = self.answer(*chunk, extractor)?.unwrap_or_default();
            readings.insert(*chunk, reading.with(answer));
        }
        Ok(PageSaid { page: PageId::new(page), space: SpaceKey::new(space), versions, gone, readings })
    }

    /// The complete listing against what is held, in canonical order (space, then page).
    pub fn compared(&self) -> Result<Vec<Compared>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT page, l.space, l.version, l.history, l.fingerprint, l.locator, p.version, p.fingerprint, p.gone
             FROM listed l LEFT JOIN page p USING (page)
             UNION ALL
             SELECT page, space, NULL, NULL, NULL, NULL, version, fingerprint, gone FROM page
             WHERE gone = 0 AND page NOT IN (SELECT page FROM listed)
             ORDER BY 2, 1",
        )?;
        collect(statement.query([])?, |row| {
            let fingerprint: Option<String> = row.get(4)?;
            let history: Option<String> = row.get(3)?;
            let gone: bool = row.get::<_, Option<bool>>(8)?.unwrap_or(true);
            let held = match row.get::<_, Option<u32>>(6)? {
                Some(version) if !gone => Some((Version(version), row.get(7)?)),
                _ => None,
            };
            let listed = match fingerprint {
                Some(fingerprint) => Some(Listing {
                    version: row.get::<_, Option<u32>>(2)?.map(Version),
                    history: serde_json::from_str(history.as_deref().unwrap_or("[]"))?,
                    fingerprint,
                    locator: row.get(5)?,
                }),
                None => None,
            };
            Ok(Compared {
                page: PageId::new(row.get::<_, String>(0)?),
                space: SpaceKey::new(row.get::<_, String>(1)?),
                listed,
                held,
            })
        })
    }

    /// The versions of a page that could not be had.
    pub fn parked_versions(&self, page: &PageId) -> Result<BTreeSet<Version>> {
        let mut statement = self.connection().prepare_cached("SELECT version FROM parked WHERE page = ?1")?;
        let found = collect(statement.query([page.as_str()])?, |row| Ok(Version(row.get(0)?)))?;
        Ok(found.into_iter().collect())
    }

    /// The versions held of a page; also of one that is gone.
    pub fn versions_held(&self, page: &PageId) -> Result<BTreeSet<Version>> {
        let mut statement =
            self.connection().prepare_cached("SELECT version FROM raw_page WHERE page = ?1")?;
        let found = statement.query_map([page.as_str()], |row| row.get(0))?;
        found.map(|version| Ok(Version(version?))).collect()
    }

    /// All pages of which anything is held, in canonical order: also those that are gone, since what they
    /// once said is part of the graph, and those of which only older versions could be had.
    pub fn pages(&self) -> Result<Vec<(SpaceKey, PageId)>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT space, page FROM page
             UNION SELECT json_extract(received, '$.space'), page FROM raw_page
             WHERE page NOT IN (SELECT page FROM page) ORDER BY 1, 2",
        )?;
        collect(statement.query([])?, |row| {
            Ok((SpaceKey::new(row.get::<_, String>(0)?), PageId::new(row.get::<_, String>(1)?)))
        })
    }

    /// The layers whose rule the complete listing shows otherwise than it is held. A layer that is not listed any more
    /// restricts nobody, where what it hangs on still is listed: a page that is gone keeps its last audience. Where
    /// part of the wiki could not be read, the layer may still be there.
    pub fn changed_layers(&self) -> Result<Vec<Layer>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT layer, rule FROM listed_layer
             WHERE rule <> coalesce((SELECT rule FROM audience a WHERE a.layer = listed_layer.layer), '\"everyone\"')
             UNION ALL
             SELECT layer, '\"everyone\"' FROM audience WHERE layer NOT IN (SELECT layer FROM listed_layer)
                 AND NOT coalesce((SELECT incomplete FROM sweep ORDER BY sweep DESC LIMIT 1), 0)
                 AND CASE WHEN layer LIKE 'page:%'
                     THEN substr(layer, 6) IN (SELECT page FROM listed UNION ALL SELECT folder FROM listed_folder)
                     ELSE substr(layer, 7) IN (SELECT space FROM listed) END
             ORDER BY 1",
        )?;
        collect(statement.query([])?, |row| {
            let (id, rule): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(Layer { id: layer_id(&id)?, rule: serde_json::from_str::<Rule>(&rule)? })
        })
    }

    /// The generation a re-indexing in progress will make.
    pub fn reindexing(&self) -> Result<Option<u32>> {
        Ok(self.meta("reindexing")?.and_then(|text| text.parse().ok()))
    }

    /// Whether the worklist of the re-indexing in progress is recorded.
    pub fn reindexing_is_planned(&self) -> Result<bool> {
        Ok(self.meta("reindexing_planned")?.is_some())
    }

    /// Whether a re-indexing was completed in the present term.
    pub fn reindexed_this_term(&self) -> Result<bool> {
        let number = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(number(self.meta("reindexed_seq")?) > number(self.meta("opened_seq")?))
    }

    /// The generation that is complete.
    pub fn generation(&self) -> Result<u32> {
        Ok(self.meta("generation")?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }
}

pub(super) fn layer_id(text: &str) -> Result<LayerId> {
    match text.split_once(':') {
        Some(("space", key)) => Ok(LayerId::Space(SpaceKey::new(key))),
        Some(("page", id)) => Ok(LayerId::Page(PageId::new(id))),
        _ => Err(Error::new(Kind::Bug, format!("state file: `{text}` is not a layer of restrictions"))),
    }
}
