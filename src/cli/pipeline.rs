//! `pipeline`: bring the graph up to date with the wiki, and report.

use super::calls::Asking;
use super::estimate::{self, Whom};
use super::head::{Beat, Whose};
use super::prices::{self, Prices};
use super::progress::{Lookout, Watch};
use super::report::{Run, report};
use super::{Call, Exit, courtesy, embed};
use crate::error::{Error, Kind, Result};
use crate::job::Interrupt;
use crate::plan::{Asks, Limits, Until};
use crate::state::State;
use crate::world::embeds::Embeds;
use crate::world::http::Bounds;
use crate::world::live::{Live, Models};
use crate::{job, wire, world};
use clap::{Args, ValueEnum};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vault::{Seq, Vault};

/// Bring the graph up to date with the wiki
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  highwater pipeline\n  \
                        highwater pipeline wiki-export.zip --vault /mnt/wiki-vault\n  \
                        highwater pipeline --until cut\n\n\
                        Kill it whenever you like: the same command goes on from the last durable record.")]
pub(super) struct Typed {
    /// An export (ZIP or folder) or a folder of pages [default: the setting `source`]
    path: Option<String>,
    /// How far to go
    #[arg(long, value_enum, default_value_t = Stage::Indexed)]
    until: Stage,
    /// Read and resolve every page again from what is kept, into a new state
    #[arg(long)]
    reindex: bool,
    /// Fence a run that is active on this vault, instead of leaving with exit code 5
    #[arg(long)]
    take_over: bool,
    /// Go on although more than a tenth of the pages vanished at once
    #[arg(long)]
    accept_deletes: bool,
    /// Who reads the text: `none`, `VENDOR/MODEL`, or `local` [default: the setting `model`]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Let the model read earlier versions of the pages too, as far as `confluence_history` brings them
    #[arg(long)]
    ask_history: bool,
    /// Ask a model at most so often in this run; the same command goes on
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
    /// Have the provider's batch engine read the text: cheaper, within a day, and outside the quota of calls
    #[arg(long)]
    batch: bool,
    /// Spend at most so much on models in this run, at the prices that are set; the same command goes on
    #[arg(long, value_name = "MONEY")]
    max_cost: Option<f64>,
    /// Bring at most so many pages up to date: a cheap first trial
    #[arg(long, value_name = "N")]
    limit_pages: Option<usize>,
    /// Ask again about chunks that got no usable answer
    #[arg(long)]
    retry_parked: bool,
    /// Say what models will be asked and what that takes, and ask nothing
    #[arg(long)]
    estimate: bool,
}

impl Typed {
    /// The path as the setting it is.
    pub(super) fn source(&self) -> Option<String> {
        self.path.clone()
    }

    /// The model as the setting it is.
    pub(super) fn model(&self) -> Option<String> {
        self.model.clone()
    }

    /// Whether earlier versions are asked about, as the setting it is.
    pub(super) fn ask_history(&self) -> Option<String> {
        self.ask_history.then(|| "yes".to_owned())
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stage {
    /// All pages are fetched
    Fetched,
    /// All pages are cut into chunks
    Cut,
    /// All pages are in the graph
    Indexed,
}

pub(super) async fn run(call: &Call, typed: &Typed) -> Result<Exit> {
    let started = world::live::now();
    let Asked { models, embeds, limits } = asked(call, typed).await?;
    if typed.estimate && typed.reindex {
        return estimate_again(call, &limits).await;
    }
    let (world, wiki) = world_of(call, &limits, (models, embeds.clone()))?;
    let loading = Arc::new(AtomicBool::new(true));
    catch_signals(limits.interrupt.clone(), loading.clone());
    let vaulted = wire::vault_to_write(&call.settings).await?;
    let mut owned = wire::state_to_write(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    check_wiki(&owned.state, wiki.as_deref())?;
    let resumed_from = owned.state.applied()?;
    announce(call, &owned.state, &limits)?;
    let me = wire::writer();
    let from = owned.state.position()?;
    courtesy::wait(call, (&vaulted.store, from), (&me, typed.take_over)).await?;
    let whose = me.to_string();
    let me = (me, wire::nonce()?);
    let mut vault = Vault::open_from(vaulted.store.clone(), me, world::live::now(), from).await?;
    owned.state.catch_up(&vaulted.store).await?;
    // Whoever wrote while we waited may have been the first.
    check_wiki(&owned.state, wiki.as_deref())?;
    loading.store(false, Ordering::Relaxed);
    let prices = Prices::of(&call.settings)?;
    let lookout = || {
        let asking = Asking { asks: limits.asks.clone(), prices };
        Lookout::new(owned.state.path().to_owned(), asking, limits.pulse.clone())
    };
    let whose = Whose { vault: vaulted.identity.id, term: vault.term(), writer: whose };
    let beat = Beat::begin(vaulted.store.clone(), whose, (lookout(), limits.pulse.clone()));
    let watch = Watch::begin(call, lookout());
    let ran = job::run(&world, &mut vault, &mut owned.state, &limits).await;
    drop(watch);
    let Some(outcome) = unless_stopped(call, &limits, ran)? else { return Ok(Exit::Interrupted) };
    if limits.until == Until::Indexed && !outcome.interrupted {
        let filled = fill(call, &owned.state, (&world, &limits), (embeds.is_some(), resumed_from)).await;
        if unless_stopped(call, &limits, filled)?.is_none() {
            return Ok(Exit::Interrupted);
        }
    }
    let ended = job::end(&world, &mut vault, &mut owned.state, &limits).await;
    let Some(durable) = unless_stopped(call, &limits, ended)? else { return Ok(Exit::Interrupted) };
    beat.end(durable.get()).await;
    if let Some(why) = limits.pulse.waiting().unsaved {
        call.tell(&format!("about snapshots: {why}; the journal has everything"));
    }
    if typed.estimate && !outcome.interrupted {
        return estimate(call, &owned.state, &limits);
    }
    let milliseconds = world::live::now().as_millisecond() - started.as_millisecond();
    report(call, &owned.state, &Run { limits: &limits, resumed_from, milliseconds })?;
    if outcome.interrupted || limits.interrupt.is_raised() {
        call.tell("interrupted; everything up to the durable record is kept, and the same command goes on");
        return Ok(Exit::Interrupted);
    }
    tell_of_pages(call, &owned.state, &limits)?;
    match limits.until {
        Until::Indexed => end_of_calls(call, &owned.state, &limits),
        Until::Fetched | Until::Cut => Ok(Exit::Done),
    }
}

/// What came of a step; none if the run was told to stop while something could not be written: what was not saved is
/// owed again.
fn unless_stopped<T>(call: &Call, limits: &Limits, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Err(error) if limits.interrupt.is_raised() && error.kind() == Kind::Later => {
            call.tell(&format!("interrupted: {error}"));
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

/// The world of a run, and the wiki in it. A re-indexing reads what is kept: the wiki may be away.
fn world_of(
    call: &Call,
    limits: &Limits,
    (models, embeds): (Option<Models>, Option<Arc<Embeds>>),
) -> Result<(Live, Option<String>)> {
    let (mut world, wiki) = match limits.sweep {
        true => wire::world(&call.settings).map(|(world, wiki)| (world, Some(wiki)))?,
        false => (wire::world_without_wiki(), None),
    };
    if let Some(models) = models {
        world = world.with_models(models);
    }
    if let Some(embeds) = embeds {
        world = world.with_embeds(embeds);
    }
    Ok((world, wiki))
}

/// What is done behind the loop, so that search works on text before: communities, and vectors that are made here.
async fn fill(
    call: &Call,
    state: &State,
    (world, limits): (&Live, &Limits),
    (wanted, resumed_from): (bool, Seq),
) -> Result<()> {
    job::patiently(world, limits, || state.note_communities()).await?;
    match &limits.embeds {
        Some(asked) if state.embedding_took(resumed_from)?.texts > 0 => {
            job::patiently(world, limits, || state.note_alike(&asked.model)).await.map(drop)
        }
        None if wanted => embed::fill(call, state, (world, limits)).await,
        _ => Ok(()),
    }
}

/// A run that was limited to some pages says how many of the worklist are left.
fn tell_of_pages(call: &Call, state: &State, limits: &Limits) -> Result<()> {
    let left = state.counts()?.owed_pages;
    if let Some(most) = limits.pages.filter(|_| left > 0 && limits.until == Until::Indexed) {
        call.tell(&format!(
            "`--limit-pages {most}` is reached: {left} pages of the worklist are left; the same command goes on, \
             without the flag to the end"
        ));
    }
    Ok(())
}

/// Who is asked in a run, and how far it goes.
struct Asked {
    models: Option<Models>,
    embeds: Option<Arc<Embeds>>,
    limits: Limits,
}

async fn asked(call: &Call, typed: &Typed) -> Result<Asked> {
    // An estimate asks nobody, so it needs no key; only where the model is still to be found is it looked for.
    let known = if typed.estimate && !typed.batch { wire::asks(&call.settings)? } else { None };
    let (asks, models) = match known {
        Some(asks) => (Some(asks), None),
        None => wire::models(&call.settings).await?.unzip(),
    };
    let batch = models.as_ref().filter(|_| typed.batch).map(wire::batching).transpose()?;
    let budget = prices::budget(call, typed.max_calls, typed.max_cost)?;
    let asks = asks.map(|asks| Asks { batch, ..asks });
    let embeds = wire::embedding::embeds(&call.settings, Bounds::default()).await?.map(Arc::new);
    let asking = match &embeds {
        Some(embeds) => wire::embedding::asking(&call.settings, &*embeds.embedder)?,
        None => None,
    };
    let principals = wire::principals(&call.settings)?;
    let limits =
        limits(call, typed, Limits { asks, budget, embeds: asking, principals, ..Limits::default() })?;
    Ok(Asked { models, embeds, limits })
}

fn whom(limits: &Limits) -> Whom<'_> {
    Whom { asks: limits.asks.as_ref(), embeds: limits.embeds.as_ref() }
}

/// Says what the work that lies ahead will take.
fn estimate(call: &Call, state: &State, limits: &Limits) -> Result<Exit> {
    let unread = match &limits.asks {
        Some(asks) => state.count_unread(&asks.reads.extractor)?,
        None => 0,
    };
    let debt = whom(limits).ahead(state)?;
    estimate::tell(call, state, whom(limits), (&debt, unread))?;
    Ok(Exit::Done)
}

/// Says what a re-indexing would take, and begins none.
async fn estimate_again(call: &Call, limits: &Limits) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let debt = whom(limits).again(&state, limits.epoch_pages as usize)?;
    estimate::tell(call, &state, whom(limits), (&debt, 0))?;
    Ok(Exit::Done)
}

/// A run that ends with calls owed says why: it has used up its budget, or nobody answered them.
fn end_of_calls(call: &Call, state: &State, limits: &Limits) -> Result<Exit> {
    let Limits { asks, embeds, budget, .. } = limits;
    let standing = match asks {
        Some(asks) => state.standing_of_calls(Some(asks.askers()))?,
        None => Default::default(),
    };
    let texts = if embeds.is_some() { state.count_owed_vectors()? } else { 0 };
    if standing.owed == 0 && texts == 0 {
        return match limits.pages.is_some() || state.is_settled()? {
            true => Ok(Exit::Done),
            false => Err(Error::new(
                Kind::Bug,
                "the run ended with pages that wait for nothing and are not resolved",
            )
            .hint("nothing is lost; `--reindex` reads all pages again from what is kept")),
        };
    }
    let opened = state.opened()?;
    let made = state.spent(opened)?.calls + state.batched_calls()?.0 + state.embedding_took(opened)?.calls;
    let owed = match standing.owed {
        0 => format!("{texts} texts are owed a vector; the same command goes on from here"),
        owed => format!("{owed} calls are owed so far; the same command goes on from here"),
    };
    call.tell(&match (budget.calls, budget.money) {
        (Some(most), _) if made >= most => format!("the {most} calls of `--max-calls` are made, and {owed}"),
        (_, Some(most)) => {
            let most = prices::shown(most);
            format!("another call might cost more than is left of `--max-cost {most}`, and {owed}")
        }
        (Some(most), None) => format!("what is owed does not fit into `--max-calls {most}`, and {owed}"),
        (None, None) => match standing.fault {
            Some(why) => format!("the last call failed ({why}), and {owed}"),
            None => owed,
        },
    });
    Ok(Exit::Interrupted)
}

/// How far to go, with whom is asked given.
fn limits(call: &Call, typed: &Typed, asked: Limits) -> Result<Limits> {
    let nobody = |flag: &str| {
        Error::new(Kind::Usage, format!("`{flag}`: no model is set, so nothing will be asked"))
            .hint("give `--model VENDOR/MODEL`")
    };
    if typed.estimate && asked.asks.is_none() && asked.embeds.is_none() {
        return Err(nobody("--estimate"));
    }
    if typed.batch && asked.asks.is_none() {
        return Err(nobody("--batch"));
    }
    let until = match typed.until {
        Stage::Fetched => Until::Fetched,
        Stage::Cut => Until::Cut,
        Stage::Indexed => Until::Indexed,
    };
    if typed.reindex && until != Until::Indexed {
        return Err(Error::new(Kind::Usage, "`--reindex` cannot stop before the graph is complete")
            .hint("leave out `--until`"));
    }
    Ok(Limits {
        // What will be asked is known when all is cut.
        until: if typed.estimate { Until::Cut } else { until },
        sweep: !typed.reindex,
        reindex: typed.reindex,
        accept_deletes: typed.accept_deletes,
        concurrency: call.settings.number("concurrency", wire::CONCURRENCY)?,
        chunk_chars: call.settings.number("chunk_chars", wire::CHUNK_CHARS)?,
        epoch_pages: u32::try_from(call.settings.number("epoch_pages", wire::EPOCH_PAGES)?).unwrap_or(1),
        pages: typed.limit_pages,
        snapshot_bytes: call.settings.number("snapshot_bytes", wire::SNAPSHOT_BYTES)? as u64,
        by_meaning: call.settings.text("embedding") == "builtin",
        retry_parked: typed.retry_parked,
        interrupt: Interrupt::default(),
        ..asked
    })
}

/// A vault holds one wiki for life: another wiki's listing would retract the whole graph.
fn check_wiki(state: &State, wiki: Option<&str>) -> Result<()> {
    match (state.meta("wiki")?, wiki) {
        (Some(held), Some(wiki)) if held != wiki => Err(Error::new(
            Kind::Vault,
            format!("this vault holds the wiki `{held}`, the source is `{wiki}`"),
        )
        .hint("give another `--vault` for another wiki, or the path this vault was filled from")),
        _ => Ok(()),
    }
}

fn announce(call: &Call, state: &State, limits: &Limits) -> Result<()> {
    let source = call.settings.text("source");
    let applied = state.applied()?;
    match applied.get() {
        0 => call.tell(&format!("indexing `{source}` into the vault `{}`", call.settings.text("vault"))),
        _ => call.tell(&format!("going on with `{source}` from record {applied}")),
    }
    // While one is under way, what it will ask is not known: its chunks are just being made.
    if limits.reindex && state.reindexing()?.is_none() {
        let counts = state.counts()?;
        let asked = match &limits.asks {
            Some(asks) => {
                let unread = state.unread(&asks.reads, limits.epoch_pages as usize)?;
                let unread: usize = unread.iter().map(Vec::len).sum();
                format!("{unread} chunks are asked about, those that `{}` has never read", asks.model)
            }
            None => "no model is asked".to_owned(),
        };
        call.tell(&format!(
            "re-indexing {} page versions ({} chunks) from what is kept: {asked}",
            counts.versions, counts.chunks
        ));
    }
    Ok(())
}

/// Whoever sends SIGTERM kills after ten seconds (Cloud Run): a put that hangs is not waited for longer than this.
const LONGEST_STOP: std::time::Duration = std::time::Duration::from_millis(7_500);

/// SIGTERM and Ctrl-C stop planning; what has arrived is recorded. While the state is still loading there is nothing to
/// record, and the process ends at once; so it does at a second Ctrl-C. Nothing acknowledged is lost by either.
fn catch_signals(interrupt: Interrupt, loading: Arc<AtomicBool>) {
    tokio::spawn(async move {
        if !signalled().await {
            return;
        }
        interrupt.raise();
        if !loading.load(Ordering::Relaxed) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                () = world::live::pause(LONGEST_STOP) => {
                    eprintln!("interrupted before all was saved; what is not in the vault is owed again");
                }
            }
        }
        std::process::exit(Exit::Interrupted as i32);
    });
}

/// Waits for SIGTERM or Ctrl-C; false when the system does not let us.
async fn signalled() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return false };
    tokio::select! {
        _ = terminate.recv() => true,
        ended = tokio::signal::ctrl_c() => ended.is_ok(),
    }
}

/// Ends the process at a signal, for commands that have nothing to record.
pub(super) async fn end_at_a_signal() {
    if signalled().await {
        std::process::exit(Exit::Interrupted as i32);
    }
}
