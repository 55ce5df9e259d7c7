//! The back door, for tests in any language: `/_fake/...` edits the wiki, switches quirks and limits on, and tells what
//! was asked. Real sites have nothing like it. It must not know the interfaces.

use super::edits::{Order, apply};
use super::exchange::{Answer, Refusal, Request, Response};
use super::quirks::{QUIRKS, Quirk, Quirks};
use super::rates::{Hint, Rates};
use super::site::{ContentId, Kind, Site};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Answers a request below `/_fake`.
pub fn answer(site: &mut Site, request: &Request, parts: &[&str]) -> Response {
    let answer = match (request.method.as_str(), parts) {
        ("GET", ["stats"]) => Ok(Response::ok(&stats(site))),
        ("DELETE", ["stats"]) => {
            site.stats.clear();
            Ok(Response::empty(204))
        }
        ("POST", ["edit"]) => edit(site, request),
        ("POST", ["quirks"]) => quirks(site, request),
        ("POST", ["rates"]) => rates(site, request),
        ("POST", ["expire"]) => {
            site.access.expire();
            Ok(Response::empty(204))
        }
        ("GET", ["site"]) => Ok(Response::ok(&about(site))),
        _ => Err(Refusal::new(404, "the fake knows stats, edit, quirks, rates, expire and site")),
    };
    answer.unwrap_or_else(|refusal| Response::json(refusal.status, &json!({ "error": refusal.message })))
}

fn stats(site: &Site) -> Value {
    let all = || site.stats.values().flatten();
    json!({
        "requests": all().map(|(_, count)| count).sum::<u64>(),
        "refused": all().filter(|(status, _)| **status >= 400).map(|(_, count)| count).sum::<u64>(),
        "too_early": site.rates.too_early,
        "points": site.rates.points,
        "most_points": site.rates.most,
        "orders_left": site.quirks.left(),
        "endpoints": site.stats,
    })
}

/// One edit or a list of them; the answer names what was edited or made.
fn edit(site: &mut Site, request: &Request) -> Answer {
    let body = request.json()?;
    let orders = match body {
        Value::Array(orders) => orders,
        order => vec![order],
    };
    let mut ids = Vec::new();
    for order in orders {
        let order: Order = serde_json::from_value(order.clone())
            .map_err(|why| Refusal::new(400, format!("{order}: {why}")))?;
        ids.push(apply(site, order).map_err(|why| Refusal::new(400, why))?);
    }
    Ok(Response::ok(&json!({ "ids": ids })))
}

/// `{"seed": 1, "rates": {"too-many": 50}, "next": [{"quirk": "broken-off", "path": "/pages"}], "poisoned": [1]}`
fn quirks(site: &mut Site, request: &Request) -> Answer {
    let body = request.json()?;
    if let Some(seed) = body["seed"].as_u64() {
        site.quirks = Quirks::new(seed);
    }
    let known = |name: &str| {
        let names: Vec<&str> = QUIRKS.iter().map(|(_, name)| *name).collect();
        Quirk::read(name)
            .ok_or_else(|| Refusal::new(400, format!("no quirk `{name}`, but {}", names.join(", "))))
    };
    for (name, rate) in body["rates"].as_object().into_iter().flatten() {
        site.quirks.rate(known(name)?, rate.as_u64().unwrap_or(0) as usize);
    }
    for order in body["next"].as_array().into_iter().flatten() {
        let quirk = known(order["quirk"].as_str().unwrap_or_default())?;
        let times = order["times"].as_u64().unwrap_or(1);
        (0..times).for_each(|_| site.quirks.order(quirk, order["path"].as_str().unwrap_or_default()));
    }
    for order in body["always"].as_array().into_iter().flatten() {
        let quirk = known(order["quirk"].as_str().unwrap_or_default())?;
        site.quirks.always(quirk, order["path"].as_str().unwrap_or_default());
    }
    let poisoned = body["poisoned"].as_array().into_iter().flatten();
    site.quirks.poisoned.extend(poisoned.filter_map(Value::as_u64).map(ContentId));
    if let Some(bodies) = body["bodies"].as_u64() {
        site.quirks.bodies = bodies as usize;
    }
    if let Some(lag) = body["lag-seconds"].as_i64() {
        site.quirks.lag = SignedDuration::from_secs(lag);
    }
    if let Some(wait) = body["wait-seconds"].as_i64() {
        site.quirks.wait = SignedDuration::from_secs(wait);
    }
    Ok(Response::empty(204))
}

/// `{"a-minute": 300, "points-an-hour": 65000, "window-seconds": 3600, "hint": "seconds"}`; what is not named is not
/// limited.
fn rates(site: &mut Site, request: &Request) -> Answer {
    let body = request.json()?;
    let hint = body["hint"].as_str().unwrap_or("seconds");
    let hint = Hint::read(hint).ok_or_else(|| Refusal::new(400, format!("no hint `{hint}`")))?;
    site.rates = Rates::new(body["a-minute"].as_u64(), body["points-an-hour"].as_u64(), hint);
    site.rates.window = body["window-seconds"].as_i64().filter(|seconds| *seconds > 0);
    Ok(Response::empty(204))
}

/// What there is, so that a test can say whether somebody saw all of it.
fn about(site: &Site) -> Value {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for content in site.contents() {
        let kind = match content.kind {
            Kind::InlineComment => "inline-comment",
            kind => kind.name(),
        };
        *kinds.entry(format!("{} {kind}", content.status.name())).or_default() += 1;
    }
    json!({
        "deployment": if site.is_cloud() { "cloud" } else { "data-center" },
        "cloudId": site.cloud_id,
        "now": site.now.to_string(),
        "spaces": site.spaces.values().map(|space| space.key.as_str()).collect::<Vec<_>>(),
        "users": site.users.len(),
        "groups": site.groups.len(),
        "contents": kinds,
        "restricted": site.contents().filter(|content| !content.read.is_open()).count(),
    })
}
