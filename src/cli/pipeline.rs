//! `pipeline`: bring the graph up to date with the wiki, and report.

use super::progress::Watch;
use super::{Call, Exit, embed, models, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::job::Interrupt;
use crate::plan::{Asks, Limits, Until};
use crate::state::State;
use crate::world::http::Bounds;
use crate::{job, wire, world};
use clap::{Args, ValueEnum};
use serde::Serialize;
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
    /// Go on although more than a tenth of the pages vanished at once
    #[arg(long)]
    accept_deletes: bool,
    /// Who reads the text: `none`, `VENDOR/MODEL`, or `local` [default: the setting `model`]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
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
    /// Ask again about what models were asked in vain
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

/// What a run came to.
#[derive(Debug, Serialize)]
struct Report {
    pages: u64,
    chunks: u64,
    episodes: u64,
    entities: u64,
    facts: u64,
    calls: u64,
    paid_again: u64,
    parked: u64,
    durable_seq: Seq,
    resumed_from_seq: Seq,
    seconds: f64,
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    refused_chunks: u64,
    estimated_calls: u64,
    embedding_calls: u64,
    embedded_texts: u64,
    embedding_tokens: u64,
    skipped: Vec<Skipped>,
}

/// What was passed over or guessed, and how often.
#[derive(Debug, Serialize)]
struct Skipped {
    what: String,
    count: u64,
}

pub(super) async fn run(call: &Call, typed: &Typed) -> Result<Exit> {
    let started = world::live::now();
    let (asks, models) = wire::models(&call.settings).await?.unzip();
    let batch = models.as_ref().filter(|_| typed.batch).map(wire::batching).transpose()?;
    let budget = models::budget(call, typed.max_calls, typed.max_cost)?;
    let asks = asks.map(|asks| Asks { batch, ..asks });
    let embeds = wire::embedding::embeds(&call.settings, Bounds::default()).await?.map(Arc::new);
    let asking = match &embeds {
        Some(embeds) => wire::embedding::asking(&call.settings, &*embeds.embedder)?,
        None => None,
    };
    let limits = Limits { embeds: asking, budget, ..limits(call, typed, asks)? };
    // A re-indexing reads what is kept: the wiki may be away.
    let (world, wiki) = match limits.sweep {
        true => wire::world(&call.settings).map(|(world, wiki)| (world, Some(wiki)))?,
        false => (wire::world_without_wiki(), None),
    };
    let world = match models {
        Some(models) => world.with_models(models),
        None => world,
    };
    let world = match &embeds {
        Some(embeds) => world.with_embeds(embeds.clone()),
        None => world,
    };
    let loading = Arc::new(AtomicBool::new(true));
    catch_signals(limits.interrupt.clone(), loading.clone());
    let vaulted = wire::vault_to_write(&call.settings).await?;
    let mut owned = wire::state_to_write(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    check_wiki(&owned.state, wiki.as_deref())?;
    let resumed_from = owned.state.applied()?;
    announce(call, &owned.state, typed)?;
    let mut vault =
        Vault::open(vaulted.store.clone(), wire::writer(), wire::nonce()?, world::live::now()).await?;
    owned.state.catch_up(&vaulted.store).await?;
    loading.store(false, Ordering::Relaxed);
    let watch = Watch::begin(call, owned.state.path().to_owned());
    let outcome = job::run(&world, &mut vault, &mut owned.state, &limits).await;
    drop(watch);
    let outcome = outcome?;
    if limits.until == Until::Indexed && !outcome.interrupted {
        match &limits.embeds {
            Some(asked) if owned.state.embedding_took(resumed_from)?.texts > 0 => {
                owned.state.note_alike(&asked.model)?;
            }
            None if embeds.is_some() => embed::fill(call, &owned.state, &limits.interrupt)?,
            _ => {}
        }
    }
    if typed.estimate
        && let Some(asks) = &limits.asks
    {
        models::estimate(call, &owned.state, asks)?;
        return Ok(Exit::Done);
    }
    let milliseconds = world::live::now().as_millisecond() - started.as_millisecond();
    report(call, &owned.state, (resumed_from, milliseconds))?;
    if outcome.interrupted || limits.interrupt.is_raised() {
        call.tell("interrupted; everything up to the durable record is kept, and the same command goes on");
        return Ok(Exit::Interrupted);
    }
    match (&limits.asks, limits.until) {
        (Some(asks), Until::Indexed) => end_of_budget(call, &owned.state, asks),
        _ => Ok(Exit::Done),
    }
}

/// A run that ends with calls owed has used up its budget.
fn end_of_budget(call: &Call, state: &State, asks: &Asks) -> Result<Exit> {
    let owed = state.owed_calls(asks.askers())?;
    if owed == 0 {
        return Ok(Exit::Done);
    }
    call.tell(&format!(
        "the budget of this run is used up, and {owed} calls are owed; the same command goes on from here"
    ));
    Ok(Exit::Interrupted)
}

fn limits(call: &Call, typed: &Typed, asks: Option<Asks>) -> Result<Limits> {
    if typed.estimate && asks.is_none() {
        return Err(Error::new(Kind::Usage, "`--estimate`: no model is set, so nothing will be asked")
            .hint("give `--model VENDOR/MODEL`"));
    }
    if typed.batch && asks.is_none() {
        return Err(Error::new(Kind::Usage, "`--batch`: no model is set, so nothing will be asked")
            .hint("give `--model VENDOR/MODEL`"));
    }
    let until = match typed.until {
        _ if typed.estimate => Until::Cut,
        Stage::Fetched => Until::Fetched,
        Stage::Cut => Until::Cut,
        Stage::Indexed => Until::Indexed,
    };
    if typed.reindex && until != Until::Indexed {
        return Err(Error::new(Kind::Usage, "`--reindex` cannot stop before the graph is complete")
            .hint("leave out `--until`"));
    }
    Ok(Limits {
        until,
        sweep: !typed.reindex,
        reindex: typed.reindex,
        accept_deletes: typed.accept_deletes,
        concurrency: call.settings.number("concurrency", wire::CONCURRENCY)?,
        chunk_chars: call.settings.number("chunk_chars", wire::CHUNK_CHARS)?,
        epoch_pages: u32::try_from(call.settings.number("epoch_pages", wire::EPOCH_PAGES)?).unwrap_or(1),
        pages: typed.limit_pages,
        asks,
        by_meaning: call.settings.text("embedding") == "builtin",
        retry_parked: typed.retry_parked,
        interrupt: Interrupt::default(),
        ..Limits::default()
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

fn announce(call: &Call, state: &State, typed: &Typed) -> Result<()> {
    let source = call.settings.text("source");
    let applied = state.applied()?;
    match applied.get() {
        0 => call.tell(&format!("indexing `{source}` into the vault `{}`", call.settings.text("vault"))),
        _ => call.tell(&format!("going on with `{source}` from record {applied}")),
    }
    if typed.reindex {
        let counts = state.counts()?;
        call.tell(&format!(
            "re-indexing {} page versions ({} chunks) from what is kept: 0 model calls",
            counts.versions, counts.chunks
        ));
    }
    Ok(())
}

/// SIGTERM and Ctrl-C stop planning; what has arrived is recorded. While the state is still loading there is nothing to
/// record, and the process ends at once; so it does at a second Ctrl-C. Nothing acknowledged is lost by either.
fn catch_signals(interrupt: Interrupt, loading: Arc<AtomicBool>) {
    tokio::spawn(async move {
        if !signalled().await {
            return;
        }
        interrupt.raise();
        if !loading.load(Ordering::Relaxed) {
            tokio::signal::ctrl_c().await.ok();
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

fn report(call: &Call, state: &State, run: (Seq, i64)) -> Result<()> {
    let counts = state.counts()?;
    let spent = state.spent(run.0)?;
    let vectors = state.embedding_took(run.0)?;
    let report = Report {
        pages: counts.pages,
        chunks: counts.chunks,
        episodes: counts.episodes,
        entities: counts.entities,
        facts: counts.facts,
        calls: spent.calls,
        paid_again: spent.again,
        parked: counts.parked,
        durable_seq: state.applied()?,
        resumed_from_seq: run.0,
        seconds: run.1 as f64 / 1000.0,
        input_tokens: spent.input_tokens,
        cached_tokens: spent.cached_tokens,
        output_tokens: spent.output_tokens,
        refused_chunks: spent.refused_chunks,
        estimated_calls: spent.estimated_calls,
        embedding_calls: vectors.calls,
        embedded_texts: vectors.texts,
        embedding_tokens: vectors.tokens,
        skipped: state.skipped()?.into_iter().map(|(what, count)| Skipped { what, count }).collect(),
    };
    if call.json {
        return print_json(&report);
    }
    print(&format!(
        "{} pages, {} chunks → {} entities, {} facts, in {:.1} s\n",
        report.pages, report.chunks, report.entities, report.facts, report.seconds
    ))?;
    print(&format!(
        "{} model calls, {} parked, durable to record {} (this run began at {})\n",
        report.calls, report.parked, report.durable_seq, report.resumed_from_seq
    ))?;
    if report.calls > 0 || report.refused_chunks > 0 {
        models::tell_spent(call, &spent)?;
    }
    if vectors.calls > 0 {
        print(&format!(
            "{} texts embedded, {} tokens, {} calls\n",
            vectors.texts, vectors.tokens, vectors.calls
        ))?;
    }
    for Skipped { what, count } in &report.skipped {
        print(&format!("skipped or guessed: {count} × {what}\n"))?;
    }
    if state.sweep()?.is_some_and(|sweep| sweep.incomplete) {
        print("part of the wiki could not be read: what is missing from it was left in the graph\n")?;
    }
    suggest(call, state)
}

/// Three searches that will find something, taken from the best connected names.
fn suggest(call: &Call, state: &State) -> Result<()> {
    let questions = state.suggestions(3)?;
    if !questions.is_empty() {
        print("try:\n")?;
    }
    let program = std::env::args().next().unwrap_or_else(|| "highwater".to_owned());
    let flags = call.flags_as_typed();
    questions.iter().try_for_each(|question| print(&format!("  {program} search{flags} {question}\n")))
}
