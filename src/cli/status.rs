//! `status`: what is held and what is owed.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::state::State;
use crate::wire;
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
            object.insert("parked_items".into(), json!(reasons));
            object.insert("models".into(), models(&state)?);
            object.insert("skipped".into(), json!(skips));
        }
        print_json(&value)?;
        return Ok(Exit::Done);
    }
    print(&format!("wiki      {}\n", wiki.as_deref().unwrap_or("none listed yet")))?;
    let place = call.settings.text("vault");
    print(&format!("vault     {} in `{place}`, durable to record {applied}\n", vaulted.identity.id))?;
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
    let spent = state.spent(Seq::new(0))?;
    if spent.calls > 0 {
        print(&format!(
            "models    {} calls, {} tokens of prompts, {} of answers, {} chunks without a usable answer\n",
            spent.calls, spent.input_tokens, spent.output_tokens, spent.refused_chunks
        ))?;
    }
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

/// What models took so far.
fn models(state: &State) -> Result<serde_json::Value> {
    let spent = state.spent(Seq::new(0))?;
    let doubts: Vec<_> =
        state.doubts()?.into_iter().map(|(what, count)| json!({"what": what, "count": count})).collect();
    Ok(json!({
        "calls": spent.calls,
        "paid_again": spent.again,
        "input_tokens": spent.input_tokens,
        "cached_tokens": spent.cached_tokens,
        "output_tokens": spent.output_tokens,
        "refused_chunks": spent.refused_chunks,
        "not_believed": doubts,
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
