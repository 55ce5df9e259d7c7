//! Lists, a page at a time: by cursor, which is the place of the last row and so stays good while rows come and go, or
//! by start and limit. It must not know what a row is.

use super::exchange::{Refusal, Request, Response, encoded};
use super::quirks::{Befallen, Quirk};
use super::site::{Content, ContentId, Site, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// One request that is being answered, by a site that stands still meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The site.
    pub site: &'a Site,
    /// What is asked, without the prefix of the gateway.
    pub request: &'a Request,
    /// By whom.
    pub caller: &'a UserId,
    /// What befalls it.
    pub befallen: &'a Befallen,
}

impl<'a> Call<'a> {
    /// The address of the site, as this caller reaches it.
    pub fn base(&self) -> String {
        base(self.site, self.request)
    }

    /// A content that the caller may see.
    pub fn seen(&self, id: ContentId) -> Result<&'a Content, Refusal> {
        self.site.seen(self.caller, id).ok_or_else(|| Refusal::absent("content", id))
    }

    /// Whether the caller may see it.
    pub fn sees(&self, content: &Content) -> bool {
        self.site.sees(self.caller, content)
    }

    /// The contents of these numbers that the caller may see.
    pub fn seen_of(&self, ids: Vec<ContentId>) -> Vec<&'a Content> {
        ids.into_iter().filter_map(|id| self.site.seen(self.caller, id)).collect()
    }
}

/// The address of the site, without a slash at the end.
pub fn base(site: &Site, request: &Request) -> String {
    let host = request.header("host").unwrap_or("site.example");
    format!("http://{host}{}", site.context())
}

/// Where a row stands: what is sorted by, then its number.
pub type Place = (String, u64);

/// A page of a list.
#[derive(Debug)]
pub struct Turned<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// How many rows are asked for: the default, and the most there may be.
pub fn limit(call: &Call<'_>, default: usize, most: usize) -> Result<usize, Refusal> {
    let asked = match call.request.one("limit") {
        Some(text) => {
            text.parse().map_err(|_| Refusal::new(400, format!("limit `{text}` is not a number")))?
        }
        None => default,
    };
    if asked == 0 || asked > most {
        return Err(Refusal::new(400, format!("limit {asked} is not between 1 and {most}")));
    }
    Ok(cut(call, asked))
}

/// A limit that is cut without a word, if that befalls the request.
pub fn cut(call: &Call<'_>, asked: usize) -> usize {
    match call.befallen.by(Quirk::LimitCut) {
        true => asked.div_ceil(2),
        false => asked,
    }
}

/// Refuses bodies of too many, if that befalls the request.
pub fn bear(call: &Call<'_>, limit: usize, with_bodies: bool) -> Result<(), Refusal> {
    let too_much = with_bodies && limit > call.site.quirks.bodies && call.befallen.by(Quirk::TooLarge);
    if too_much { Err(Refusal::new(504, "Gateway Timeout")) } else { Ok(()) }
}

/// The page of a list that the cursor of the request leads to.
pub fn turn<T>(
    call: &Call<'_>,
    mut rows: Vec<(Place, T)>,
    descending: bool,
    limit: usize,
) -> Result<Turned<T>, Refusal> {
    rows.sort_by(|(left, _), (right, _)| if descending { right.cmp(left) } else { left.cmp(right) });
    let cursor = call.request.one("cursor").map(read_cursor).transpose()?;
    let is_past = |place: &Place, cursor: &Place| if descending { place < cursor } else { place > cursor };
    let mut from =
        cursor.as_ref().map_or(0, |cursor| rows.partition_point(|(place, _)| !is_past(place, cursor)));
    if cursor.is_some() && call.befallen.by(Quirk::RepeatedRow) {
        from = from.saturating_sub(1);
    }
    let until = rows.len().min(from + limit);
    let goes_on = until < rows.len() || call.befallen.by(Quirk::EndlessNext);
    let last = rows[from..until].last().map(|(place, _)| place.clone()).or(cursor);
    let next = last.filter(|_| goes_on).map(|place| write_cursor(&place));
    let rows = rows.into_iter().skip(from).take(until - from).map(|(_, row)| row).collect();
    Ok(Turned { rows, next })
}

fn write_cursor((key, id): &Place) -> String {
    URL_SAFE_NO_PAD.encode(json!([key, id]).to_string())
}

fn read_cursor(text: &str) -> Result<Place, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&bytes).map_err(|_| Refusal::new(400, "The provided cursor is invalid"))
}

/// The address of this request with these parameters in place of what it had of them.
pub fn again(request: &Request, put: &[(&str, &str)]) -> String {
    let kept = request.query.iter().filter(|(name, _)| !put.iter().any(|(put, _)| name == put));
    let all = kept.map(|(name, value)| (name.as_str(), value.as_str())).chain(put.iter().copied());
    let pairs: Vec<String> =
        all.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    format!("{}?{}", request.path, pairs.join("&"))
}

/// A list as the second version gives it.
pub fn list_v2(call: &Call<'_>, turned: Turned<Value>) -> Response {
    let base = call.base();
    let mut links = json!({ "base": base });
    let mut header = format!("<{base}>; rel=\"base\"");
    if let Some(cursor) = &turned.next {
        let next = again(call.request, &[("cursor", cursor)]);
        header = format!("<{next}>; rel=\"next\", {header}");
        links["next"] = next.into();
    }
    let objects = turned.rows.len() as u64;
    let body = json!({ "results": turned.rows, "_links": links });
    Response { objects, ..Response::ok(&body).with("Link", header) }
}

/// The part of a list of the first version that `start` and `limit` ask for.
pub struct Part<T> {
    /// Its rows.
    pub rows: Vec<T>,
    start: usize,
    limit: usize,
    next: Option<usize>,
}

impl<T> Part<T> {
    /// The same part with every row written otherwise.
    pub fn map<U>(self, shape: impl Fn(T) -> U) -> Part<U> {
        let Self { rows, start, limit, next } = self;
        Part { rows: rows.into_iter().map(shape).collect(), start, limit, next }
    }

    /// The limit after all that cuts it.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Where the next part begins.
    pub fn next(&self) -> Option<usize> {
        self.next
    }
}

/// A part of a list by start and limit. The server's own bound cuts what is asked for silently.
pub fn part<T>(call: &Call<'_>, rows: Vec<T>, default: usize, most: usize) -> Result<Part<T>, Refusal> {
    let (start, asked) = (number(call.request, "start", 0)?, number(call.request, "limit", default)?);
    let limit = cut(call, asked.min(most));
    let whole = rows.len();
    let rows: Vec<T> = rows.into_iter().skip(start).take(limit).collect();
    let step = match call.befallen.by(Quirk::LimitCut) && !call.site.is_cloud() {
        true => asked,
        false => limit,
    };
    let goes_on = (start + rows.len() < whole && limit > 0) || call.befallen.by(Quirk::EndlessNext);
    Ok(Part { start, limit, next: goes_on.then_some(start + step), rows })
}

/// A parameter that is a number.
pub fn number(request: &Request, name: &str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = request.one(name) else { return Ok(default) };
    text.parse().map_err(|_| Refusal::new(400, format!("{name} `{text}` is not a number")))
}

/// A list as the first version gives it.
pub fn list_v1(call: &Call<'_>, part: Part<Value>) -> Value {
    let mut links = links_v1(call);
    if let Some(start) = part.next {
        let next = again(call.request, &[("start", &start.to_string()), ("limit", &part.limit.to_string())]);
        links["next"] = within(call, &next).into();
    }
    json!({ "results": part.rows, "start": part.start, "limit": part.limit, "size": part.rows.len(), "_links": links })
}

/// A path relative to the base of the first version, which holds the context already.
pub fn within(call: &Call<'_>, path: &str) -> String {
    path.strip_prefix(call.site.context()).unwrap_or(path).to_owned()
}

/// The links every answer of the first version has.
pub fn links_v1(call: &Call<'_>) -> Value {
    let here = match call.request.query.is_empty() {
        true => call.request.path.clone(),
        false => again(call.request, &[]),
    };
    json!({
        "base": call.base(),
        "context": call.site.context(),
        "self": format!("{}{}", call.base(), within(call, &here)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::answer::answer;
    use super::super::edits::{Edit, apply};
    use super::super::loading::{READER, small};
    use super::super::site::Deployment;
    use super::*;

    fn ask(site: &mut Site, target: &str) -> Value {
        let response = answer(site, &Request::get(target).with("authorization", READER));
        assert_eq!(response.status, 200, "{target}: {}", response.value());
        response.value()
    }

    fn ids(list: &Value) -> Vec<String> {
        let results = list["results"].as_array().unwrap();
        results.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_cursor_outlives_the_row_it_points_at() {
        let mut site = small(Deployment::Cloud);
        let first = ask(&mut site, "/wiki/api/v2/pages?limit=2&sort=id");
        assert_eq!(ids(&first), ["1000", "1001"]);
        let next = first["_links"]["next"].as_str().unwrap().to_owned();
        assert!(next.starts_with("/wiki/api/v2/pages?"), "relative to the host: {next}");
        apply(&mut site, Edit::Purge { id: 1001 }.into()).unwrap();
        assert_eq!(ids(&ask(&mut site, &next)), ["1002", "1003"]);
        assert_eq!(
            answer(&mut site, &Request::get("/wiki/api/v2/pages?cursor=x").with("authorization", READER))
                .status,
            400
        );
    }

    #[test]
    fn a_row_that_moves_while_a_list_is_turned_is_met_again() {
        let mut site = small(Deployment::Cloud);
        let target = "/wiki/api/v2/pages?limit=2&sort=modified-date";
        let first = ask(&mut site, target);
        let moved: u64 = ids(&first)[0].parse().unwrap();
        let edit = Edit::Edit { id: moved, title: None, body: None, message: None, minor: None };
        apply(&mut site, edit.into()).unwrap();
        let mut rest = Vec::new();
        let mut next = first["_links"]["next"].as_str().map(str::to_owned);
        while let Some(target) = next {
            let page = ask(&mut site, &target);
            rest.extend(ids(&page));
            next = page["_links"]["next"].as_str().map(str::to_owned);
        }
        assert_eq!(rest.last(), Some(&moved.to_string()));
    }
}
