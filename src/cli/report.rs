//! What a run came to, in words and numbers. It must not know how a run goes. Invariant: what is said of a run is of
//! this run and of whom it asked, never of those before.

use super::estimate::{Side, Whom, compared, tell_unread};
use super::prices::{Prices, Taken};
use super::{Call, print, print_json};
use crate::error::Result;
use crate::plan::{Limits, Until};
use crate::state::State;
use serde::Serialize;
use vault::Seq;

/// A run that has ended.
pub(super) struct Run<'a> {
    /// How far it went, and whom it asked.
    pub limits: &'a Limits,
    /// The last record before it.
    pub resumed_from: Seq,
    /// How long it took.
    pub milliseconds: i64,
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
    refused: Vec<Counted>,
    unread_chunks: u64,
    estimated_calls: u64,
    embedding_calls: u64,
    embedded_texts: u64,
    embedding_tokens: u64,
    estimate: Side,
    actual: Side,
    skipped: Vec<Counted>,
}

/// What happened, and how often.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    what: String,
    count: u64,
}

impl Counted {
    pub(super) fn all(list: Vec<(String, u64)>) -> Vec<Self> {
        list.into_iter().map(|(what, count)| Self { what, count }).collect()
    }
}

/// Refusals shown in words; the rest is counted.
pub(super) const REFUSALS_SHOWN: usize = 5;

/// Says what a run came to.
pub(super) fn report(call: &Call, state: &State, run: &Run<'_>) -> Result<()> {
    let report = read(call, state, run)?;
    if call.json {
        print_json(&report)?;
    } else {
        say(state, &report)?;
        suggest(call, state)?;
    }
    tell_unread(call, report.unread_chunks);
    Ok(())
}

fn read(call: &Call, state: &State, run: &Run<'_>) -> Result<Report> {
    let Run { limits, resumed_from, milliseconds } = *run;
    let counts = state.counts()?;
    let (spent, vectors) = (state.spent(resumed_from)?, state.embedding_took(resumed_from)?);
    let taken = Taken::since(state, resumed_from)?;
    let (prices, seconds) = (Prices::of(&call.settings)?, milliseconds as f64 / 1000.0);
    let whom = Whom { asks: limits.asks.as_ref(), embeds: limits.embeds.as_ref() };
    let estimate = whom.of_run(state, resumed_from)?;
    let (refused, unread_chunks) = match &limits.asks {
        Some(asks) if limits.until == Until::Indexed => (
            state.refusals(Some(&asks.reads.extractor), resumed_from)?,
            state.count_unread(&asks.reads.extractor)?,
        ),
        _ => (Vec::new(), 0),
    };
    Ok(Report {
        pages: counts.pages,
        chunks: counts.chunks,
        episodes: counts.episodes,
        entities: counts.entities,
        facts: counts.facts,
        calls: spent.calls,
        paid_again: spent.again,
        parked: counts.parked,
        durable_seq: state.applied()?,
        resumed_from_seq: resumed_from,
        seconds,
        input_tokens: spent.input_tokens,
        cached_tokens: spent.cached_tokens,
        output_tokens: spent.output_tokens,
        refused_chunks: refused.iter().map(|(_, count)| count).sum(),
        refused: Counted::all(refused),
        unread_chunks,
        estimated_calls: estimate.taken.calls,
        embedding_calls: vectors.calls,
        embedded_texts: vectors.texts,
        embedding_tokens: vectors.tokens,
        estimate: Side::new(&estimate.taken, &prices, estimate.hours),
        actual: Side::new(&taken, &prices, Some(seconds / 3600.0)),
        skipped: Counted::all(state.skipped()?),
    })
}

fn say(state: &State, report: &Report) -> Result<()> {
    print(&format!(
        "{} pages, {} chunks → {} entities, {} facts, in {:.1} s\n",
        report.pages, report.chunks, report.entities, report.facts, report.seconds
    ))?;
    print(&format!(
        "{} model calls, {} parked, durable to record {} (this run began at {})\n",
        report.calls, report.parked, report.durable_seq, report.resumed_from_seq
    ))?;
    if report.calls + report.embedding_calls > 0 {
        print(&compared(&report.estimate, &report.actual))?;
    }
    if report.cached_tokens > 0 {
        print(&format!("{} tokens of prompts came from the vendor's cache\n", report.cached_tokens))?;
    }
    if report.embedding_calls > 0 {
        print(&format!("{} texts embedded\n", report.embedded_texts))?;
    }
    if report.refused_chunks > 0 {
        print(&format!("{} chunks got no usable answer and were passed\n", report.refused_chunks))?;
    }
    for Counted { what, count } in report.refused.iter().take(REFUSALS_SHOWN) {
        print(&format!("  {count} × {what}\n"))?;
    }
    for Counted { what, count } in &report.skipped {
        print(&format!("skipped or guessed: {count} × {what}\n"))?;
    }
    if state.sweep()?.is_some_and(|sweep| sweep.incomplete) {
        print("part of the wiki could not be read: what is missing from it was left in the graph\n")?;
    }
    Ok(())
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
