//! `status`: what is held and what is owed.

use super::calls::{Asking, Calls, clock};
use super::head::{self, Head};
use super::prices::{self, Prices};
use super::report::{Counted, REFUSALS_SHOWN};
use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::state::State;
use crate::wire;
use crate::world::live;
use knowledge::time::{Timestamp, parse};
use serde_json::json;
use vault::Seq;

/// Refused items shown; the rest is counted.
const PARKED_SHOWN: usize = 20;

pub(super) async fn run(call: &Call) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let state = wire::state_to_read(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let counts = state.counts()?;
    let applied = state.applied()?;
    let wiki = state.meta("wiki")?;
    let skipped = state.skipped()?;
    let parked = state.parked(PARKED_SHOWN)?;
    let standing = Standing::of(&state, &vaulted).await?;
    if call.json {
        let mut value = serde_json::to_value(&counts)?;
        let reasons: Vec<_> = parked.iter().map(|(page, why)| json!({"page": page, "why": why})).collect();
        let skips: Vec<_> =
            skipped.iter().map(|(what, count)| json!({"what": what, "count": count})).collect();
        if let Some(object) = value.as_object_mut() {
            object.insert("durable_seq".into(), json!(applied));
            object.insert("wiki".into(), json!(wiki));
            object.insert("listing".into(), json!(listing(&state)?));
            object.insert("vault".into(), json!(vaulted.identity.id));
            object.insert("durable_at".into(), json!(standing.durable_at));
            object.insert("writer".into(), json!(standing.writer));
            object.insert("term".into(), json!(standing.term));
            object.insert("closed".into(), json!(standing.closed));
            object.insert("snapshot_seq".into(), json!(standing.snapshot));
            object.insert("head".into(), json!(standing.head));
            object.insert("parked_items".into(), json!(reasons));
            object.insert("models".into(), models(&state, &calls(call, &state)?)?);
            object.insert("skipped".into(), json!(skips));
        }
        print_json(&value)?;
        return Ok(Exit::Done);
    }
    print(&format!("wiki      {}\n", wiki.as_deref().unwrap_or("none listed yet")))?;
    let place = call.settings.text("vault");
    let age = standing.durable_at.map(|at| format!(", written {} ago", age(at))).unwrap_or_default();
    print(&format!("vault     {} in `{place}`, durable to record {applied}{age}\n", vaulted.identity.id))?;
    print(&standing.said())?;
    print(&format!(
        "held      {} pages ({} versions), {} chunks, {} entities, {} facts\n",
        counts.pages, counts.versions, counts.chunks, counts.entities, counts.facts
    ))?;
    let listing = listing(&state)?;
    print(&match counts.owed_fetches + counts.owed_cuts + counts.owed_pages {
        0 if listing != "complete" => {
            format!("owed      the listing ({listing}); `highwater pipeline` goes on\n")
        }
        0 => "owed      nothing; `highwater pipeline` looks for changes\n".to_owned(),
        _ => format!(
            "owed      {} fetches, {} versions to cut, {} of {} pages to resolve; `highwater pipeline` goes on\n",
            counts.owed_fetches, counts.owed_cuts, counts.owed_pages, counts.worklist
        ),
    })?;
    say_calls(&state, &calls(call, &state)?)?;
    for (what, count) in state.doubts()? {
        print(&format!("          {count} parts of answers not believed: {what}\n"))?;
    }
    print(&format!("parked    {}\n", counts.parked))?;
    for (page, why) in &parked {
        print(&format!("          {page}: {why}\n"))?;
    }
    for (what, count) in &skipped {
        print(&format!("skipped   {count} × {what}\n"))?;
    }
    Ok(Exit::Done)
}

/// Who wrote last, and how far.
struct Standing {
    durable_at: Option<Timestamp>,
    term: Option<u64>,
    writer: Option<String>,
    closed: bool,
    snapshot: Option<Seq>,
    head: Option<Head>,
}

impl Standing {
    async fn of(state: &State, vaulted: &wire::Vaulted) -> Result<Self> {
        let reign = vault::reign(&vaulted.store, state.position()?).await?;
        let snapshots = vault::snapshot::snapshots(&vaulted.store).await?;
        Ok(Self {
            durable_at: state.meta("applied_at")?.and_then(|text| parse(&text)),
            term: reign.as_ref().map(|reign| reign.term.get()),
            writer: reign.as_ref().and_then(|reign| reign.writer.as_ref().map(ToString::to_string)),
            closed: reign.is_some_and(|reign| reign.closed),
            snapshot: snapshots.whole.first().map(|snapshot| snapshot.base.seq),
            head: head::read(&vaulted.store).await,
        })
    }

    fn said(&self) -> String {
        let Some(term) = self.term else { return String::new() };
        let writer = self.writer.as_deref().unwrap_or("a writer that was pruned");
        let ended = if self.closed { "it has ended" } else { "it has not ended by itself" };
        let mut text = format!("writer    {writer}, term {term}: {ended}\n");
        // What a writer said last is worth a line only while it may still be at work.
        if let Some(head) = self.head.as_ref().filter(|head| !self.closed && head.term.get() == term) {
            let waits =
                head.waiting_for.as_ref().map(|what| format!(", waiting for {what}")).unwrap_or_default();
            let (step, done, of) = (&head.step, head.done, head.of);
            text += &format!("          {} ago: {step} {done} of {of}{waits}\n", age(head.at));
        }
        text += &match self.snapshot {
            Some(seq) => format!("snapshot  of record {seq}\n"),
            None => "snapshot  none yet\n".to_owned(),
        };
        text
    }
}

/// How long ago, in the largest unit that says enough.
fn age(at: Timestamp) -> String {
    let seconds = live::now().duration_since(at).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How calls of models stand, by whatever the settings say of them.
fn calls(call: &Call, state: &State) -> Result<Calls> {
    let asking = Asking { asks: wire::asks(&call.settings)?, prices: Prices::of(&call.settings)? };
    Calls::look(state, &asking, (Seq::new(0), live::now()))
}

fn say_calls(state: &State, calls: &Calls) -> Result<()> {
    let refusals = state.refusals(None, Seq::new(0))?;
    if calls.is_nothing() && refusals.is_empty() {
        return Ok(());
    }
    let (taken, standing) = (&calls.taken, &calls.standing);
    let money = calls.money.map(|money| format!(", {} at the prices that are set", prices::shown(money)));
    print(&format!(
        "models    {} calls made, {} tokens of prompts ({} from the vendor's cache), {} of answers{}\n",
        calls.made(),
        taken.input_tokens,
        taken.cached_tokens,
        taken.output_tokens,
        money.unwrap_or_default()
    ))?;
    if standing.owed + standing.in_flight > 0 {
        print(&format!("          {} calls owed, {} under way\n", standing.owed, standing.in_flight))?;
    }
    if let Some(moment) = calls.waits_until {
        print(&format!("          the quota lets the next call out at {}\n", clock(moment)))?;
    }
    if let Some(why) = &standing.fault {
        print(&format!("          the last call failed: {why}\n"))?;
    }
    if standing.jobs > 0 {
        let since = standing.jobs_since.as_deref().unwrap_or("an unknown time");
        print(&format!(
            "          {} jobs of a batch engine under way with {} calls, the oldest since {since}\n",
            standing.jobs, standing.batched
        ))?;
    }
    let refused: u64 = refusals.iter().map(|(_, count)| count).sum();
    if refused > 0 {
        print(&format!("          {refused} chunks got no usable answer\n"))?;
    }
    for (why, count) in refusals.iter().take(REFUSALS_SHOWN) {
        print(&format!("            {count} × {why}\n"))?;
    }
    match state.count_given_up()? {
        0 => Ok(()),
        count => print(&format!("          {count} questions about pairs in doubt were given up\n")),
    }
}

/// What models took so far, and what they are still to be asked.
fn models(state: &State, calls: &Calls) -> Result<serde_json::Value> {
    let (taken, standing) = (&calls.taken, &calls.standing);
    let refusals = state.refusals(None, Seq::new(0))?;
    Ok(json!({
        "calls": taken.calls,
        "paid_again": state.spent(Seq::new(0))?.again,
        "input_tokens": taken.input_tokens,
        "cached_tokens": taken.cached_tokens,
        "output_tokens": taken.output_tokens,
        "embedding_calls": taken.embedding_calls,
        "embedding_tokens": taken.embedding_tokens,
        "money": calls.money,
        "owed": standing.owed,
        "in_flight": standing.in_flight,
        "waits_until": calls.waits_until.map(|moment| moment.to_string()),
        "last_fault": standing.fault,
        "batch_jobs": standing.jobs,
        "batch_jobs_since": standing.jobs_since,
        "batched": standing.batched,
        "refused_chunks": refusals.iter().map(|(_, count)| count).sum::<u64>(),
        "refused": Counted::all(refusals),
        "questions_given_up": state.count_given_up()?,
        "not_believed": Counted::all(state.doubts()?),
    }))
}

/// How far the newest listing of the wiki has come.
fn listing(state: &State) -> Result<&'static str> {
    Ok(match state.sweep()? {
        None => "never begun",
        Some(sweep) if sweep.planned => "complete",
        Some(_) => "begun",
    })
}
