//! What is owed now, read from the state. Everything decided here is decided from rows and settings: the same state
//! gives the same plan, whenever the job died before. Pure work (reading, cutting, resolving) is done here and handed
//! over as records; effects are handed over as tasks.

mod adjudication;
mod asks;
mod batches;
mod budget;
mod embeds;
mod extraction;
mod likeness;
mod portraits;
mod refusals;
mod rulings;
mod summaries;
mod sweeps;

pub use asks::Asks;
pub use batches::Batching;
pub use budget::{Budget, Prices};
pub use embeds::{Embeds, note};

use crate::error::Result;
use crate::job::{Interrupt, Pulse, Running};
use crate::state::State;
use crate::state::owed::Slice;
use crate::state::principals::Membership;
use crate::world::Task;
use knowledge::chunk::{CHUNKER, Chunk};
use knowledge::graph::Reading;
use knowledge::id::PageId;
use knowledge::page::RawPage;
use knowledge::read::READER;
use knowledge::record::{Cut, Gathered, Item, Piece, Record, Retried, Ruled, Work, Worklist};
use knowledge::resolve::RESOLVER;
use knowledge::structure::STRUCTURE;
use knowledge::time::Timestamp;
use knowledge::{read, structure};

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// All pages are fetched.
    Fetched,
    /// All pages are cut into chunks.
    Cut,
    /// All pages are in the graph.
    Indexed,
}

/// What a run may do. Plain data; the flag alone is shared, with whoever catches signals.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How far to go.
    pub until: Until,
    /// Begin a new sweep over the wiki once the last one's work is done.
    pub sweep: bool,
    /// Read and resolve everything again from what is kept.
    pub reindex: bool,
    /// Go on although many pages vanished at once.
    pub accept_deletes: bool,
    /// Effects under way at once.
    pub concurrency: usize,
    /// The cap of a chunk, in characters.
    pub chunk_chars: usize,
    /// How many pages an epoch takes.
    pub epoch_pages: u32,
    /// Pages that a run brings up to date, in whole slices of a worklist that is there; none for all.
    pub pages: Option<usize>,
    /// How models are asked; none to ask nobody.
    pub asks: Option<Asks>,
    /// What models and embedders may take in this run.
    pub budget: Budget,
    /// Ask also about names that mean nearly the same by their built-in vectors.
    pub by_meaning: bool,
    /// Who belongs to which group, where somebody else than the source tells.
    pub principals: Option<Membership>,
    /// Erase all that came from this page.
    pub erase: Option<PageId>,
    /// What a user says of names: this is recorded, and nothing else is done.
    pub ruled: Option<Ruled>,
    /// Give another chance to chunks that were refused.
    pub retry_parked: bool,
    /// Who is asked for vectors; none when they are made here, or not at all.
    pub embeds: Option<Embeds>,
    /// Raised to stop: what has arrived is recorded, nothing new is begun.
    pub interrupt: Interrupt,
    /// Told what the run is waiting for.
    pub pulse: Pulse,
    /// Journal in bytes, of segments as objects, from which on a first snapshot is taken.
    pub snapshot_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            until: Until::Indexed,
            sweep: true,
            reindex: false,
            accept_deletes: false,
            // As many as one turn cuts: what finishes while a segment is being put goes into the next one.
            concurrency: 64,
            chunk_chars: 3_500,
            // Large enough for shared questions and few segments, small enough that a resolution takes milliseconds.
            epoch_pages: 64,
            pages: None,
            asks: None,
            budget: Budget::default(),
            by_meaning: false,
            principals: None,
            erase: None,
            ruled: None,
            retry_parked: false,
            embeds: None,
            interrupt: Interrupt::default(),
            pulse: Pulse::default(),
            // Some 500 records: to fold them again takes less than a second.
            snapshot_bytes: 256 << 10,
        }
    }
}

impl Limits {
    /// Whether a run with these limits comes to a slice: it does while it has not gathered its pages.
    pub fn reach(&self, state: &State, slice: &Slice) -> bool {
        // A count that cannot be read is no reason to do more than was asked for.
        self.pages.is_none_or(|most| state.gathered_before(slice).is_ok_and(|gathered| gathered < most))
    }
}

/// What is owed now.
#[derive(Debug, Default)]
pub struct Plan {
    /// Effects to begin.
    pub tasks: Vec<Task>,
    /// Decided without asking anyone: to be recorded as it stands.
    pub settled: Vec<Record>,
    /// When a quota lets out the next call, where one is waited for.
    pub next_slot: Option<Timestamp>,
}

impl Plan {
    /// Whether there is nothing to begin and nothing to record.
    pub fn owes_nothing(&self) -> bool {
        self.tasks.is_empty() && self.settled.is_empty() && self.next_slot.is_none()
    }

    fn settled(records: Vec<Record>) -> Self {
        Self { settled: records, ..Self::default() }
    }

    /// The same, once this has been begun.
    fn after(mut self, mut first: Plan) -> Self {
        first.tasks.append(&mut self.tasks);
        first.settled.append(&mut self.settled);
        Self { tasks: first.tasks, settled: first.settled, ..self }
    }
}

/// Pages cut in one turn: enough to make a segment worth its flush, few enough that a kill loses little.
const CUT_PAGES: usize = 64;
/// Bodies cut in one turn, in bytes; one large page may pass it alone.
const CUT_BYTES: usize = 2 << 20;
/// Retractions recorded in one turn.
const RETRACTIONS: usize = 1_000;

/// What to do next. A new worklist, or a re-indexing, begins only when the last one is in the graph to its end, so that
/// there is at most one to speak of. Who may see what is read before anything else in every run, whatever waits.
pub fn plan(state: &State, running: &Running, limits: &Limits, now: Timestamp) -> Result<Plan> {
    if limits.interrupt.is_raised() {
        return Ok(Plan::default());
    }
    let _reading = state.reading()?;
    if let Some(said) = &limits.ruled {
        return rulings::plan(state, said);
    }
    let rights = sweeps::rights(state, running, limits)?;
    let work = plan_work(state, running, limits, now)?.after(rights);
    if !work.owes_nothing() {
        return Ok(work);
    }
    if running.is_empty() && state.is_settled()? {
        let next = plan_next(state, limits)?;
        if !next.owes_nothing() {
            return Ok(next);
        }
    }
    embeds::plan(state, running, limits, now)
}

/// What comes after the last worklist is in the graph to its end: re-indexing, a new sweep, summaries of
/// entities, names of communities.
fn plan_next(state: &State, limits: &Limits) -> Result<Plan> {
    let generation = plan_generation(state, limits)?;
    if !generation.owes_nothing() {
        return Ok(generation);
    }
    let erasure = plan_erasure(state, limits)?;
    if !erasure.owes_nothing() {
        return Ok(erasure);
    }
    let retry = plan_retry(state, limits)?;
    if !retry.owes_nothing() {
        return Ok(retry);
    }
    let sweep = sweeps::plan(state, limits)?;
    match (&limits.asks, sweep.owes_nothing() && limits.until >= Until::Indexed) {
        (Some(asks), true) => {
            let owed = match summaries::plan(state, asks)? {
                // In a part of a wiki communities are others than in all of it, and would be asked about again.
                None if limits.pages.is_none() => portraits::plan(state, asks)?,
                summaries => summaries,
            };
            Ok(Plan { settled: owed.into_iter().collect(), ..sweep })
        }
        _ => Ok(sweep),
    }
}

/// The work of the newest worklist: resolve what is gathered, gather what is complete, cut what is fetched, fetch.
fn plan_work(state: &State, running: &Running, limits: &Limits, now: Timestamp) -> Result<Plan> {
    let mut plan = Plan { tasks: plan_fetches(state, running, limits)?, ..Plan::default() };
    let gone = state.owed_retractions(RETRACTIONS)?;
    plan.settled.extend(gone.into_iter().map(|page| Record::Gone { page }));
    if limits.until >= Until::Cut {
        for page in state.owed_cuts(CUT_PAGES, CUT_BYTES)? {
            plan.settled.push(Record::Cut(cut(state, &page, limits.chunk_chars)?));
        }
    }
    if limits.until >= Until::Indexed {
        asks::plan(state, running, (limits, now), &mut plan)?;
        plan.settled.extend(plan_epoch(state, limits)?);
    }
    Ok(plan)
}

fn plan_fetches(state: &State, running: &Running, limits: &Limits) -> Result<Vec<Task>> {
    let free = limits.concurrency.saturating_sub(running.len());
    if free == 0 {
        return Ok(Vec::new());
    }
    let owed = state.owed_fetches(limits.concurrency + free)?;
    Ok(owed.into_iter().map(Task::Read).filter(|task| !running.holds(task)).take(free).collect())
}

/// Brings the epoch that is gathered on, or gathers the slice that is complete.
fn plan_epoch(state: &State, limits: &Limits) -> Result<Option<Record>> {
    if let Some(epoch) = state.open_epoch()? {
        return adjudication::settle(state, limits.asks.as_ref(), &epoch);
    }
    let Some(slice) = state.head_slice()?.filter(|slice| limits.reach(state, slice)) else { return Ok(None) };
    if !state.is_complete(slice)? || !asks::is_answered(state, limits, slice)? {
        return Ok(None);
    }
    let extractor = limits.asks.as_ref().map(|asks| asks.reads.extractor.clone());
    let Slice { sweep, first, end, epoch } = slice;
    let gathered = Gathered { epoch, sweep, first, end, resolver: RESOLVER, extractor, alike: Vec::new() };
    // Without anybody to judge them, names that are alike are no business of the graph.
    let alike = match limits.asks.is_some() && limits.by_meaning {
        true => likeness::pairs(state, &gathered)?,
        false => Vec::new(),
    };
    Ok(Some(Record::Gathered(Gathered { alike, ..gathered })))
}

/// Reads, cuts and interprets a page version. Chunks that the same rules have made before are named, not repeated.
fn cut(state: &State, page: &RawPage, chunk_chars: usize) -> Result<Cut> {
    let document = read::document(page.format, &page.body);
    let known = state.chunks_made_by(&page.id, (READER, CHUNKER, STRUCTURE))?;
    let pieces = structure::pieces(page, &document, chunk_chars);
    // The same text may come from two trees of blocks, in which rules read different things. Of two readings the lesser
    // counts, whichever version is cut first.
    let piece = |(chunk, reading): (Chunk, Reading)| -> Result<Piece> {
        let held = known.get(&chunk.id);
        Ok(match held.is_some() && held <= Some(&serde_json::to_string(&reading)?) {
            true => Piece::Kept(chunk.id),
            false => Piece::New { chunk, reading },
        })
    };
    let chunks = pieces.into_iter().map(piece).collect::<Result<_>>()?;
    Ok(Cut {
        page: page.id.clone(),
        version: page.version,
        reader: READER,
        chunker: CHUNKER,
        structure: STRUCTURE,
        chunks,
        warnings: document.warnings,
    })
}

/// A re-indexing that was asked for or is under way: begin it, list its work, finish it.
fn plan_generation(state: &State, limits: &Limits) -> Result<Plan> {
    let Some(generation) = state.reindexing()? else {
        return Ok(match limits.reindex && !state.reindexed_this_term()? {
            true => Plan::settled(vec![Record::Reindexing { generation: state.generation()? + 1 }]),
            false => Plan::default(),
        });
    };
    if state.reindexing_is_planned()? {
        return Ok(Plan::settled(vec![Record::Reindexed { generation }]));
    }
    let items =
        state.pages()?.into_iter().map(|(space, page)| Item { page, space, work: Work::Again }).collect();
    let sweep = state.sweep()?.map_or(1, |sweep| sweep.sweep + 1);
    Ok(Plan::settled(vec![Record::Worklist(Worklist { sweep, epoch_pages: limits.epoch_pages, items })]))
}

/// A page that is to be erased is retracted as one that is gone, and then every row of it goes.
fn plan_erasure(state: &State, limits: &Limits) -> Result<Plan> {
    let Some(page) = &limits.erase else { return Ok(Plan::default()) };
    let Some((space, erasing)) = state.erasable(page)? else { return Ok(Plan::default()) };
    if state.erasure(page)?.is_some_and(|erasure| !erasure.is_done) {
        return Ok(Plan::settled(vec![Record::Erased { page: page.clone() }]));
    }
    let sweep = state.sweep()?.map_or(1, |sweep| sweep.sweep + 1);
    let items = vec![Item { page: page.clone(), space, work: Work::Retract }];
    let worklist = Worklist { sweep, epoch_pages: limits.epoch_pages, items };
    Ok(Plan::settled(vec![Record::Erasing(erasing), Record::Worklist(worklist)]))
}

/// Chunks that were refused are owed again, and their pages are read and resolved again.
fn plan_retry(state: &State, limits: &Limits) -> Result<Plan> {
    let Some(asks) = limits.asks.as_ref().filter(|_| limits.retry_parked) else { return Ok(Plan::default()) };
    if state.retried_this_term()? {
        return Ok(Plan::default());
    }
    let refused = state.refused_pages(&asks.reads.extractor)?;
    let items: Vec<Item> =
        refused.into_iter().map(|(space, page)| Item { page, space, work: Work::Again }).collect();
    let sweep = state.sweep()?.map_or(1, |sweep| sweep.sweep + 1);
    let mut records = vec![Record::Retried(Retried { extractor: asks.reads.extractor.clone() })];
    if !items.is_empty() {
        records.push(Record::Worklist(Worklist { sweep, epoch_pages: limits.epoch_pages, items }));
    }
    Ok(Plan::settled(records))
}
