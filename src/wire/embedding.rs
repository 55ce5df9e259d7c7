//! The settings of embeddings become who makes vectors, how much may be asked of them, and the way there.

use super::models::{calls_at_once, check_url, count, halt, key, local_model};
use crate::embedders::builtin::Builtin;
use crate::embedders::{self, Embedder};
use crate::error::{Error, Result};
use crate::models::Endpoint;
use crate::plan::Embeds as Asking;
use crate::settings::Settings;
use crate::world::embeds::Embeds;
use crate::world::http::{Bounds, Http};
use knowledge::quota::Allowance;
use std::ops::RangeInclusive;

/// Numbers a vector may have: fewer mean nothing, more no model makes.
const DIMENSIONS: RangeInclusive<usize> = 8..=8192;

/// Who makes vectors; nothing when words alone are wanted.
///
/// # Errors
/// An unknown vendor, a key that cannot be read, no or several servers where `local` is meant.
pub async fn embeds(settings: &Settings, bounds: Bounds) -> Result<Option<Embeds>> {
    let http = || Http::new(bounds).map_err(halt);
    let endpoint = match settings.text("embedding") {
        "none" => return Ok(None),
        "builtin" => return Ok(Some(Embeds { embedder: Box::new(Builtin), http: http()? })),
        named => match named.split_once('/') {
            Some(("local", model)) => local_model(Some(model)).await?,
            _ => endpoint(settings)?,
        },
    };
    let environment = |name: &str| std::env::var(name).ok();
    let embedder = embedders::embedder(&endpoint, dimensions(settings)?, environment)?;
    Ok(Some(Embeds { embedder, http: http()? }))
}

/// How the loop asks for vectors; nothing when nobody is asked.
pub fn asking(settings: &Settings, embedder: &dyn Embedder) -> Result<Option<Asking>> {
    let Some(share) = embedder.share() else { return Ok(None) };
    Ok(Some(Asking { model: embedder.name().to_owned(), share, allowance: allowance(settings)? }))
}

/// Refuses settings of embeddings that nothing could be built from.
pub(super) fn check(settings: &Settings) -> Result<()> {
    // Whether or not somebody is asked: `config` shows them, so there must be no key in them.
    key(settings, "embedding_key")?;
    check_url(settings, "embedding_url")?;
    dimensions(settings)?;
    allowance(settings)?;
    match settings.text("embedding") {
        "none" | "builtin" => Ok(()),
        local if local.starts_with("local/") => Ok(()),
        _ => endpoint(settings).map(|_| ()),
    }
}

fn endpoint(settings: &Settings) -> Result<Endpoint> {
    let given = |name: &str| Some(settings.text(name).to_owned()).filter(|text| !text.is_empty());
    // The project is nearly always the same; so is the region, of which a model may be asked at several.
    let first = |name: &str| given(name)?.split(',').next().map(|one| one.trim().to_owned());
    let (vendor, model) =
        settings.text("embedding").split_once('/').unwrap_or((settings.text("embedding"), ""));
    let endpoint = Endpoint {
        vendor: vendor.to_owned(),
        model: model.to_owned(),
        base_url: given("embedding_url"),
        project: given("embedding_project").or_else(|| given("model_project")),
        location: given("embedding_location").or_else(|| first("model_location")),
        key: key(settings, "embedding_key")?,
        ..Endpoint::default()
    };
    let said =
        |error: Error| error.during(format_args!("setting `embedding` ({})", settings.origin("embedding")));
    embedders::check(&endpoint).map(|()| endpoint).map_err(said)
}

fn dimensions(settings: &Settings) -> Result<Option<usize>> {
    match settings.text("embedding_dimensions") {
        "" => Ok(None),
        _ => settings.number("embedding_dimensions", DIMENSIONS).map(Some),
    }
}

fn allowance(settings: &Settings) -> Result<Allowance> {
    let requests = count(settings, "embedding_requests_per_minute")?;
    Ok(Allowance {
        requests_per_minute: requests,
        tokens_per_minute: settings.limit("embedding_tokens_per_minute")?,
        max_concurrency: calls_at_once(settings, requests)?,
        ..Allowance::default()
    })
}
