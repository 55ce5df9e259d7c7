//! The one door: a request in, a response out, the site changed where the request changes it. Whether it comes through
//! a socket or from a simulation under virtual time is all the same here. It must not know what the interfaces answer.

use super::access::{self, Way};
use super::control;
use super::exchange::{Refusal, Request, Response};
use super::quirks::{Befallen, Quirk, disturb, refuse};
use super::site::{ContentId, Site, UserId};
use super::turning::Call;
use super::v2_writes::Writing;
use super::{cloud_v2, v1, v1_writes, v2_writes};
use serde_json::json;
use std::io::Write;

/// Answers a request.
pub fn answer(site: &mut Site, request: &Request) -> Response {
    let parts = request.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts[..] {
        ["_fake", ref rest @ ..] => return packed(request, control::answer(site, request, rest)),
        ["_media", "file", id, ..] => return media(site, request, id),
        ["_edge", "tenant_info"] if site.is_cloud() => {
            return Response::ok(&json!({ "cloudId": site.cloud_id }));
        }
        ["oauth", "token"] if site.is_cloud() && request.method == "POST" => {
            return tokens(site, request);
        }
        ["oauth", "token", "accessible-resources"] if site.is_cloud() => return resources(site, request),
        _ => {}
    }
    let (inner, at_gateway) = match without_gateway(site, request, &parts) {
        Ok(inner) => inner,
        Err(refusal) => return refusal.in_v1(true),
    };
    let response = counted(site, &inner, at_gateway);
    packed(request, response)
}

/// Tokens are given by another service, which can be unwell too.
fn tokens(site: &mut Site, request: &Request) -> Response {
    let befallen = site.quirks.befall(&request.path);
    let response = refuse(site, &befallen).unwrap_or_else(|| access::token(site, request));
    *site.stats.entry("POST /oauth/token".to_owned()).or_default().entry(response.status).or_default() += 1;
    response
}

/// The request as the site behind the gateway gets it.
fn without_gateway(site: &Site, request: &Request, parts: &[&str]) -> Result<(Request, bool), Refusal> {
    let mut inner = request.clone();
    let ["ex", "confluence", cloud, ..] = parts else { return Ok((inner, false)) };
    if *cloud != site.cloud_id || !site.is_cloud() {
        return Err(Refusal::new(404, "No site with this id"));
    }
    let rest = request.path.split('/').skip(4).collect::<Vec<_>>().join("/");
    inner.path = format!("/{rest}");
    Ok((inner, true))
}

/// Which interface a path belongs to, and the parts below it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    V1,
    V2,
    Download,
}

fn door<'a, 'b>(site: &Site, parts: &'b [&'a str]) -> Option<(Door, &'b [&'a str])> {
    let parts = match (site.is_cloud(), parts) {
        (true, ["wiki", rest @ ..]) => rest,
        (true, _) => return None,
        (false, rest) => rest,
    };
    match parts {
        ["api", "v2", rest @ ..] if site.is_cloud() => Some((Door::V2, rest)),
        ["rest", "api", rest @ ..] => Some((Door::V1, rest)),
        // The older path of what is an experiment, and of versions before the eighth.
        ["rest", "experimental", ..] => Some((Door::V1, &parts[1..])),
        ["download", "attachments", rest @ ..] => Some((Door::Download, rest)),
        _ => None,
    }
}

/// The name under which a request is counted: its method and path, with what differs from content to content left out.
fn endpoint(request: &Request, parts: &[&str]) -> String {
    let is_id = |part: &str| ContentId::read(part).is_some();
    let mut named: Vec<&str> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |at| parts[at]);
        let is_key =
            (before == "space" || before == "group") && !part.starts_with("by-") && *part != "member";
        named.push(if is_id(part) || is_key || (at == 4 && parts[0] == "download") { "{}" } else { part });
    }
    if parts.first() == Some(&"wiki") && named.len() == 5 && named[1] == "download" {
        named[4] = "{}";
    }
    format!("{} /{}", request.method, named.join("/"))
}

fn counted(site: &mut Site, request: &Request, at_gateway: bool) -> Response {
    let parts = request.parts();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let endpoint = endpoint(request, &parts);
    let response = match door(site, &parts) {
        Some((door, below)) => {
            let response = admitted(site, request, at_gateway, (door, below));
            response.unwrap_or_else(|refusal| match door {
                Door::V2 => refusal.in_v2(),
                Door::V1 | Door::Download => refusal.in_v1(site.is_cloud()),
            })
        }
        None => Response::html(404, "Oops, you've found a dead link."),
    };
    *site.stats.entry(endpoint).or_default().entry(response.status).or_default() += 1;
    response
}

fn admitted(
    site: &mut Site,
    request: &Request,
    at_gateway: bool,
    (door, below): (Door, &[&str]),
) -> Result<Response, Refusal> {
    let befallen = site.quirks.befall(&request.path);
    if let Some(refused) = refuse(site, &befallen) {
        return Ok(refused);
    }
    let (caller, way) = match access::caller(site, request, at_gateway) {
        Ok(caller) => caller,
        Err(refusal) => return Ok(unknown(&refusal)),
    };
    let now = site.now;
    if let Some(refused) = site.rates.admit(now, way) {
        return Ok(refused);
    }
    disturb(site, request, &befallen);
    let response = opened(site, request, (&caller, &befallen), (door, below));
    let response = response.unwrap_or_else(|refusal| match door {
        Door::V2 => refusal.in_v2(),
        Door::V1 | Door::Download => refusal.in_v1(site.is_cloud()),
    });
    let reads = ["GET", "HEAD"].contains(&request.method.as_str());
    let objects = if reads { response.objects } else { 0 };
    let mut response = finished(site, way, &befallen, Response { objects, ..response });
    if is_cut_off(site, request, &response) {
        response.breaks_after = Some(response.body.len() / 2);
    }
    Ok(response)
}

/// Who does not say who they are, or is not believed.
fn unknown(refusal: &Refusal) -> Response {
    let body = json!({ "code": 401, "message": refusal.message });
    let response = Response::json(refusal.status, &body);
    response
        .with("WWW-Authenticate", "Basic realm=\"protected-area\"")
        .with("X-Seraph-LoginReason", "AUTHENTICATED_FAILED")
}

fn opened(
    site: &mut Site,
    request: &Request,
    (caller, befallen): (&UserId, &Befallen),
    (door, below): (Door, &[&str]),
) -> Result<Response, Refusal> {
    let writing = Writing { request, caller };
    let reads = ["GET", "HEAD"].contains(&request.method.as_str());
    match door {
        Door::V1 if !reads => return v1_writes::answer(site, &writing, below),
        Door::V2 if !reads => return v2_writes::answer(site, &writing, below),
        _ => {}
    }
    let call = Call { site, request, caller, befallen };
    match (door, below) {
        (Door::V1, _) => v1::get(&call, below),
        (Door::V2, _) => cloud_v2::get(&call, below),
        (Door::Download, [container, name]) => {
            let found = v1::downloaded(&call, container, name)?;
            if call.site.is_cloud() { v1::to_media(&call, found) } else { Ok(v1::bytes(found)) }
        }
        (Door::Download, _) => Err(Refusal::new(404, "Not Found")),
    }
}

/// Charges for the answer, and breaks it off where that befalls it.
fn finished(site: &mut Site, way: Way, befallen: &Befallen, response: Response) -> Response {
    let mut response = site.rates.charge(way, response);
    if befallen.by(Quirk::BrokenOff) && response.status == 200 {
        response.breaks_after = Some(response.body.len() / 2);
    }
    response
}

/// Whether an answer holds what breaks the connection.
fn is_cut_off(site: &Site, request: &Request, response: &Response) -> bool {
    if site.quirks.cut_off.is_empty() || response.status != 200 {
        return false;
    }
    let has_bodies = request.one("body-format").is_some()
        || request.all("expand").iter().any(|expanded| expanded.starts_with("body"));
    let text = String::from_utf8_lossy(&response.body);
    let holds = |id: &ContentId| text.contains(&format!("\"id\":\"{id}\""));
    site.quirks.cut_off.iter().any(|(id, only_bodies)| (has_bodies || !only_bodies) && holds(id))
}

/// Packs a body for a client that unpacks it. What breaks off, breaks off packed.
fn packed(request: &Request, mut response: Response) -> Response {
    let unpacks = request.header("accept-encoding").is_some_and(|ways| ways.contains("gzip"));
    if !unpacks || response.body.len() < 200 || response.header("content-encoding").is_some() {
        return response;
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let bytes = packer.write_all(&response.body).and_then(|()| packer.finish());
    if let Ok(bytes) = bytes {
        response.breaks_after = response.breaks_after.map(|_| bytes.len() / 2);
        response.body = bytes;
        response = response.with("Content-Encoding", "gzip").with("Vary", "Accept-Encoding");
    }
    response
}

/// The host of the bytes. It opens to the token in the address alone, and refuses whoever brings another secret along.
fn media(site: &mut Site, request: &Request, id: &str) -> Response {
    let found = ContentId::read(id).and_then(|id| site.content(id));
    let response = match found {
        _ if request.header("authorization").is_some() => {
            Response::json(400, &json!({ "error": "only one way to show who you are is taken" }))
        }
        Some(found) if request.one("token") == Some(&v1::media_token(found)) => v1::bytes(found),
        _ => Response::json(403, &json!({ "error": "no access to this file" })),
    };
    let stats = site.stats.entry("GET /_media/file/{}/binary".to_owned()).or_default();
    *stats.entry(response.status).or_default() += 1;
    response
}

/// The sites an access token is good for.
fn resources(site: &Site, request: &Request) -> Response {
    match access::caller(site, request, true) {
        Ok(_) => Response::ok(&json!([{
            "id": site.cloud_id,
            "url": super::turning::base(site, request).trim_end_matches("/wiki"),
            "name": "fake",
            "scopes": ["read:page:confluence", "read:space:confluence"],
            "avatarUrl": "",
        }])),
        Err(refusal) => unknown(&refusal),
    }
}
