//! Runs the production loop over a wiki, and compares what it shows with what the naive evaluator says: at every date
//! on which anything changes, the day before and the day after, on both clocks.

use super::history::{Fact, Relation, Wiki};
use super::rules::{Known, Standing};
use super::world::TrueWorld;
use crate::disk::Disk;
use crate::rng::Rng;
use highwater::error::Error;
use highwater::job;
use highwater::plan::{Asks, Limits};
use highwater::state::State;
use highwater::state::search::{Found, Query};
use highwater::world::World;
use knowledge::extract::Vocabulary;
use knowledge::quota::Allowance;
use knowledge::time::{Timestamp, parse};
use rusqlite::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};

/// What was found, against what is true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// True.
    pub expected: u64,
    /// Shown.
    pub found: u64,
    /// Both.
    pub right: u64,
}

impl Score {
    fn add(&mut self, expected: bool, found: bool) {
        self.expected += u64::from(expected);
        self.found += u64::from(found);
        self.right += u64::from(expected && found);
    }

    /// The share of what is shown that is true.
    pub fn precision(&self) -> f64 {
        self.right as f64 / self.found.max(1) as f64
    }

    /// The share of what is true that is shown.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.expected.max(1) as f64
    }
}

/// What seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Wikis.
    pub wikis: u64,
    /// Runs of the job.
    pub runs: u64,
    /// Dates at which it was asked, on one clock or both.
    pub dates: u64,
    /// Facts by their standing on the world's clock, after every run.
    pub standing: BTreeMap<Standing, Score>,
    /// Live facts where no date is asked about, after every run.
    pub plain: Score,
    /// Live facts on the wiki's clock.
    pub wiki_at: Score,
    /// Live facts on both clocks.
    pub both: Score,
    /// Where the two differ, in words.
    pub differences: Vec<String>,
}

impl Tally {
    /// Adds what another seed came to.
    pub fn add(&mut self, other: Tally) {
        let sum = |mine: &mut Score, other: Score| {
            mine.expected += other.expected;
            mine.found += other.found;
            mine.right += other.right;
        };
        self.wikis += other.wikis;
        self.runs += other.runs;
        self.dates += other.dates;
        for (standing, score) in other.standing {
            sum(self.standing.entry(standing).or_default(), score);
        }
        sum(&mut self.plain, other.plain);
        sum(&mut self.wiki_at, other.wiki_at);
        sum(&mut self.both, other.both);
        self.differences.extend(other.differences);
    }

    /// The figures as a table.
    pub fn table(&self) -> String {
        let of = |standing| self.standing.get(&standing).copied().unwrap_or_default();
        let rows = [
            ("live, --as-of", of(Standing::Live)),
            ("invalid, --as-of", of(Standing::Invalid)),
            ("expired, --as-of", of(Standing::Expired)),
            ("live, no date", self.plain),
            ("live, --wiki-at", self.wiki_at),
            ("live, both clocks", self.both),
        ];
        let mut text =
            format!("{:<20} {:>9} {:>9} {:>10} {:>8}\n", "", "true", "shown", "precision", "recall");
        for (name, score) in rows {
            let (precision, recall) = (score.precision(), score.recall());
            text += &format!(
                "{name:<20} {:>9} {:>9} {precision:>10.4} {recall:>8.4}\n",
                score.expected, score.found
            );
        }
        text
    }
}

/// Differences that are told of one seed: the first are what one looks at.
const TOLD: usize = 8;
const DAY: i64 = 86_400;

/// Measures a seed.
///
/// # Errors
/// The job failed.
pub fn measure(seed: u64) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| format!("making a runtime: {error}"))?;
    let measuring = Measuring::new(seed).map_err(|error| format!("seed {seed}: {error}"))?;
    runtime.block_on(measuring.run()).map_err(|error| format!("seed {seed}: {error}"))
}

/// A seed under way.
struct Measuring {
    seed: u64,
    wiki: Arc<Wiki>,
    state: State,
    // The folder goes when this is dropped.
    _disk: Disk,
    store: MemoryStore,
    identity: Identity,
    /// The dates at which it is asked.
    dates: Vec<Timestamp>,
    rng: Rng,
    tally: Tally,
}

impl Measuring {
    fn new(seed: u64) -> Result<Self, Error> {
        let wiki = Arc::new(Wiki::new(seed));
        let mut rng = Rng::new(seed, "measure");
        let disk = Disk::new(&format!("truth-{seed}"))
            .map_err(|error| Error::new(highwater::error::Kind::Bug, format!("making a disk: {error}")))?;
        let identity = Identity::new(VaultId::new(rng.bytes()), "simulation");
        let state = State::open(&disk.state(), &identity.id.to_string())?;
        let around = |at: Timestamp| {
            [-DAY, 0, DAY].map(|seconds| Timestamp::from_second(at.as_second() + seconds).unwrap_or(at))
        };
        let dates: BTreeSet<Timestamp> = wiki.dates().into_iter().flat_map(around).collect();
        let tally = Tally { wikis: 1, ..Tally::default() };
        let (store, dates) = (MemoryStore::new(), dates.into_iter().collect());
        Ok(Self { seed, wiki, state, _disk: disk, store, identity, dates, rng, tally })
    }

    async fn run(mut self) -> Result<Tally, Error> {
        vault::init(&self.store, &self.identity).await?;
        for run in 0..self.wiki.runs.len() {
            self.job(run).await?;
            self.tally.runs += 1;
            self.as_of(run)?;
        }
        self.wiki_at()?;
        Ok(self.tally)
    }

    /// A run of the job, to its end.
    async fn job(&mut self, run: usize) -> Result<(), Error> {
        let world = TrueWorld { wiki: self.wiki.clone(), run };
        let mut asks = Asks::new("oracle", Vocabulary::default(), vec![Allowance::default()]);
        asks.reads.history = self.wiki.history;
        let limits = Limits {
            asks: self.wiki.asked.then_some(asks),
            accept_deletes: true,
            epoch_pages: self.wiki.epoch_pages,
            ..Limits::default()
        };
        let writer =
            Writer { host: "simulated".to_owned(), pid: 1, version: "0".to_owned(), ..Writer::default() };
        let nonce = Nonce::new(self.rng.bytes());
        let mut vault = Vault::open(self.store.clone(), writer, nonce, world.now()).await?;
        self.state.catch_up(&self.store).await?;
        job::run(&world, &mut vault, &mut self.state, &limits).await?;
        job::end(&world, &mut vault, &mut self.state, &limits).await?;
        Ok(())
    }

    /// After a run: what each fact was in the world at every date, as it is known by then.
    fn as_of(&mut self, run: usize) -> Result<(), Error> {
        let known = Known::after(&self.wiki, run, None);
        let held = self.held()?;
        let now = self.wiki.runs[run];
        for at in self.dates.clone() {
            let live = self.live((Some(at), None))?;
            let facts: BTreeSet<&Fact> = known.facts().into_iter().chain(held.keys()).chain(&live).collect();
            for fact in facts {
                let ended = held.get(fact).and_then(|stretches| ended(stretches, at));
                let found = if live.contains(fact) { Some(Standing::Live) } else { ended };
                let expected = known.standing(fact, at);
                for standing in [Standing::Live, Standing::Invalid, Standing::Expired] {
                    let score = self.tally.standing.entry(standing).or_default();
                    score.add(expected == Some(standing), found == Some(standing));
                }
                if expected != found {
                    self.differ(&format!(
                        "after run {run}, as of {at}: {fact:?} is {expected:?}, shown as {found:?}"
                    ));
                }
            }
            self.tally.dates += 1;
        }
        // Without a date, it is now.
        let shown = self.live((None, None))?;
        let facts: BTreeSet<&Fact> = known.facts().into_iter().chain(&shown).collect();
        for fact in facts {
            let (expected, found) = (known.standing(fact, now) == Some(Standing::Live), shown.contains(fact));
            self.tally.plain.add(expected, found);
            if expected != found {
                self.differ(&format!("after run {run}, no date: {fact:?}, expected {expected}"));
            }
        }
        Ok(())
    }

    /// At the end: what the wiki said at every date, and what of that was true at some other.
    fn wiki_at(&mut self) -> Result<(), Error> {
        let last = self.wiki.runs.len() - 1;
        for at in self.dates.clone() {
            let known = Known::after(&self.wiki, last, Some(at));
            let other = *self.rng.pick(&self.dates);
            self.read_then(&known, (None, at))?;
            self.read_then(&known, (Some(other), at))?;
        }
        Ok(())
    }

    /// What the wiki said at a date, as its reader of that day understood it, or of another date.
    fn read_then(&mut self, known: &Known, (as_of, at): (Option<Timestamp>, Timestamp)) -> Result<(), Error> {
        let found = self.live((as_of, Some(at)))?;
        let facts: BTreeSet<&Fact> = known.facts().into_iter().chain(&found).collect();
        for fact in facts {
            let expected = known.standing(fact, as_of.unwrap_or(at)) == Some(Standing::Live);
            let shown = found.contains(fact);
            let score = if as_of.is_none() { &mut self.tally.wiki_at } else { &mut self.tally.both };
            score.add(expected, shown);
            if expected != shown {
                self.differ(&format!("wiki at {at}, as of {as_of:?}: {fact:?}, expected {expected}"));
            }
        }
        self.tally.dates += 1;
        Ok(())
    }

    fn differ(&mut self, what: &str) {
        if self.tally.differences.len() < TOLD {
            let asked = if self.wiki.asked { "a model is asked" } else { "rules alone" };
            self.tally.differences.push(format!("seed {} ({asked}): {what}", self.seed));
        }
    }

    /// The facts that a search shows.
    fn live(
        &self,
        (as_of, wiki_at): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<BTreeSet<Fact>, Error> {
        let now = self.wiki.runs.iter().take(self.tally.runs as usize).next_back().copied();
        // The words of the two relations find all that is said in them.
        let text = "owned depends".to_owned();
        let query = Query { text, vector: None, as_of, wiki_at, now, limit: 1_000, ..Query::default() };
        let hits = self.state.search(&query)?.into_iter();
        Ok(hits
            .filter_map(|hit| match hit.found {
                Found::Fact { statement, .. } => {
                    fact(statement.subject, &statement.relation, statement.object)
                }
                _ => None,
            })
            .collect())
    }

    /// The facts that are kept, with their stretches of time, in order.
    fn held(&self) -> Result<BTreeMap<Fact, Vec<Kept>>, Error> {
        let mut statement = self.state.connection().prepare_cached(
            "WITH told AS (
                 SELECT fact.fact, run, 1000000 AS number, valid_at, invalid_at, withdrawn FROM fact
                 WHERE folded_into IS NULL
                 UNION ALL SELECT spell.fact, run, number, spell.valid_at, spell.invalid_at, 0
                 FROM spell JOIN fact USING (fact) WHERE folded_into IS NULL)
             SELECT sn.name, fact.relation, obj.name, told.valid_at, told.invalid_at, told.withdrawn,
                    (SELECT min(asserted_from) FROM support WHERE support.fact = told.fact),
                    (SELECT max(coalesce(asserted_to, noticed_at)) FROM support WHERE support.fact = told.fact)
             FROM told JOIN fact USING (fact) JOIN node sn ON sn.node = fact.subject
             JOIN node obj ON obj.node = fact.object
             ORDER BY fact.subject, fact.object, told.run, told.number",
        )?;
        let mut held: BTreeMap<Fact, Vec<Kept>> = BTreeMap::new();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(fact) = fact(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?) {
                held.entry(fact).or_default().push(Kept::read(row)?);
            }
        }
        Ok(held)
    }
}

/// A stretch of time as the state keeps it.
struct Kept {
    begins: Option<Timestamp>,
    invalid: Option<Timestamp>,
    withdrawn: Option<Timestamp>,
}

impl Kept {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |column: usize| -> rusqlite::Result<Option<Timestamp>> {
            Ok(row.get::<_, Option<String>>(column)?.as_deref().and_then(parse))
        };
        let withdrawn: bool = row.get(5)?;
        Ok(Kept {
            begins: time(3)?.or(time(6)?),
            invalid: time(4)?,
            withdrawn: time(7)?.filter(|_| withdrawn),
        })
    }
}

/// How a fact that does not hold at a date has ended by then; none before it began.
fn ended(stretches: &[Kept], at: Timestamp) -> Option<Standing> {
    let begun = stretches.iter().rev().find(|kept| kept.begins.is_none_or(|begins| begins <= at))?;
    let invalid = begun.invalid.filter(|end| *end <= at).map(|end| (end, Standing::Invalid));
    let expired = begun.withdrawn.filter(|end| *end <= at).map(|end| (end, Standing::Expired));
    invalid.into_iter().chain(expired).min().map(|(_, standing)| standing)
}

fn fact(subject: String, relation: &str, object: String) -> Option<Fact> {
    let relation = match relation.replace(' ', "_").as_str() {
        "owned_by" => Relation::OwnedBy,
        "depends_on" => Relation::DependsOn,
        _ => return None,
    };
    Some((subject, relation, object))
}
