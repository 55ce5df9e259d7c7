//! How a site misbehaves: sixteen kinds of trouble that real sites give, each switched on by a rate out of a thousand,
//! ordered for the next request to a path, or for good for all of them. All of it follows from a seed. It must not know
//! what else is answered.

use super::exchange::{Request, Response};
use super::rates::{Hint, too_many};
use super::site::{ContentId, Status};
use super::site::{Deployment, Site};
use crate::rng::Rng;
use jiff::SignedDuration;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One kind of trouble. The numbers are those of the list in `docs/fake-confluence.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// 1: 429, come again in some seconds.
    TooMany,
    /// 1: 429 without a word about when.
    TooManySilent,
    /// 1: 503, come again in some seconds.
    Unavailable,
    /// 1: Data Center under load: 403, or a page for people.
    Overloaded,
    /// 2: 504 where bodies of many are asked for at once.
    TooLarge,
    /// 3: the last page of a list names a next one, which is empty and does so too.
    EndlessNext,
    /// 4: fewer rows than asked for; on Data Center the next page begins where the asked-for limit ends.
    LimitCut,
    /// 5: bodies of poisoned pages cannot be expanded.
    PoisonedBody,
    /// 6: restrictions of ancestors cannot be expanded where one of them may not be seen or is in the trash.
    BlindAncestor,
    /// 7: Data Center refuses to begin a list of attachments anywhere but at its start.
    NoOffset,
    /// 8: a page is trashed, archived or restricted just before it is read.
    Vanishing,
    /// 9: all access tokens end at once.
    TokenEnds,
    /// 10: search sees what was a while ago.
    IndexLag,
    /// 11: a page of a list begins with the last row of the one before.
    RepeatedRow,
    /// 11: a page is edited while a list is turned, so that it stands elsewhere in it.
    MovedRow,
    /// 12: the connection breaks in the middle of a body.
    BrokenOff,
    /// 13: 429, come again at a date.
    TooManyDated,
    /// 13: 429, come again at once.
    TooManyZero,
    /// 14: 503 without a word about when: nobody is behind the proxy.
    Down,
    /// 14: the same as a proxy says it that knows no site at all: a dead link.
    DeadLink,
    /// 15: a page to log in at, as a single sign-on shows it to whoever is no browser.
    LoginPage,
    /// 16: 401, because the token is not for this part of the interface.
    NoScope,
}

/// All of them, with their names.
pub const QUIRKS: [(Quirk, &str); 22] = [
    (Quirk::TooMany, "too-many"),
    (Quirk::TooManySilent, "too-many-silent"),
    (Quirk::Unavailable, "unavailable"),
    (Quirk::Overloaded, "overloaded"),
    (Quirk::TooLarge, "too-large"),
    (Quirk::EndlessNext, "endless-next"),
    (Quirk::LimitCut, "limit-cut"),
    (Quirk::PoisonedBody, "poisoned-body"),
    (Quirk::BlindAncestor, "blind-ancestor"),
    (Quirk::NoOffset, "no-offset"),
    (Quirk::Vanishing, "vanishing"),
    (Quirk::TokenEnds, "token-ends"),
    (Quirk::IndexLag, "index-lag"),
    (Quirk::RepeatedRow, "repeated-row"),
    (Quirk::MovedRow, "moved-row"),
    (Quirk::BrokenOff, "broken-off"),
    (Quirk::TooManyDated, "too-many-dated"),
    (Quirk::TooManyZero, "too-many-zero"),
    (Quirk::Down, "down"),
    (Quirk::DeadLink, "dead-link"),
    (Quirk::LoginPage, "login-page"),
    (Quirk::NoScope, "no-scope"),
];

impl Quirk {
    /// From its name.
    pub fn read(name: &str) -> Option<Self> {
        QUIRKS.iter().find(|(_, found)| *found == name).map(|(quirk, _)| *quirk)
    }
}

/// What is switched on.
#[derive(Clone, Debug)]
pub struct Quirks {
    rng: Rng,
    rates: BTreeMap<Quirk, usize>,
    script: VecDeque<(Quirk, String)>,
    /// With how many requests are spared before.
    always: Vec<(Quirk, String, usize)>,
    /// Contents in the middle of which the connection breaks, whatever answer they are in, and whether only where the
    /// answer holds bodies.
    pub cut_off: BTreeMap<ContentId, bool>,
    /// Pages whose bodies cannot be expanded, with quirk 5.
    pub poisoned: BTreeSet<ContentId>,
    /// How far search lags, with quirk 10.
    pub lag: SignedDuration,
    /// How many bodies may be asked for at once, with quirk 2.
    pub bodies: usize,
    /// How long a refusal asks to wait.
    pub wait: SignedDuration,
}

impl Default for Quirks {
    fn default() -> Self {
        Self::new(0)
    }
}

/// What befalls one request.
#[derive(Clone, Debug, Default)]
pub struct Befallen(BTreeSet<Quirk>);

impl Befallen {
    /// Whether this does.
    pub fn by(&self, quirk: Quirk) -> bool {
        self.0.contains(&quirk)
    }
}

impl Quirks {
    /// None, with the luck of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed, "confluence"),
            rates: BTreeMap::new(),
            script: VecDeque::new(),
            always: Vec::new(),
            cut_off: BTreeMap::new(),
            poisoned: BTreeSet::new(),
            lag: SignedDuration::from_mins(5),
            bodies: 50,
            wait: SignedDuration::from_secs(1),
        }
    }

    /// Befalls so many of a thousand requests.
    pub fn rate(&mut self, quirk: Quirk, per_mille: usize) {
        self.rates.insert(quirk, per_mille);
    }

    /// Befalls the next request whose path contains this; orders for one path wait in line.
    pub fn order(&mut self, quirk: Quirk, path: &str) {
        self.script.push_back((quirk, path.to_owned()));
    }

    /// Befalls all requests whose path contains this.
    pub fn always(&mut self, quirk: Quirk, path: &str) {
        self.after(0, quirk, path);
    }

    /// The same after so many of them.
    pub fn after(&mut self, spared: usize, quirk: Quirk, path: &str) {
        self.always.push((quirk, path.to_owned(), spared));
    }

    /// Orders that no request has met yet.
    pub fn left(&self) -> usize {
        self.script.len()
    }

    /// What befalls this request.
    pub fn befall(&mut self, path: &str) -> Befallen {
        let ordered = self.script.iter().position(|(_, within)| path.contains(within.as_str()));
        let mut befallen: BTreeSet<Quirk> =
            ordered.and_then(|at| self.script.remove(at)).into_iter().map(|(quirk, _)| quirk).collect();
        for (quirk, _, spared) in
            self.always.iter_mut().filter(|(_, within, _)| path.contains(within.as_str()))
        {
            match spared.checked_sub(1) {
                None => drop(befallen.insert(*quirk)),
                Some(left) => *spared = left,
            }
        }
        for (quirk, per_mille) in &self.rates {
            if self.rng.below(1000) < *per_mille {
                befallen.insert(*quirk);
            }
        }
        Befallen(befallen)
    }
}

/// The refusal that befalls a request before anybody looks at it.
pub fn refuse(site: &mut Site, befallen: &Befallen) -> Option<Response> {
    let (now, wait) = (site.now, site.quirks.wait);
    let hints = [
        (Quirk::TooMany, Hint::Seconds),
        (Quirk::TooManySilent, Hint::Silent),
        (Quirk::TooManyDated, Hint::Date),
        (Quirk::TooManyZero, Hint::Zero),
    ];
    if let Some((_, hint)) = hints.iter().find(|(quirk, _)| befallen.by(*quirk)) {
        return Some(too_many(now, wait, *hint));
    }
    if befallen.by(Quirk::Unavailable) {
        let busy = Response::html(503, "Service Unavailable");
        return Some(busy.with("Retry-After", wait.as_secs().to_string()));
    }
    if befallen.by(Quirk::Down) {
        return Some(Response::html(503, "Service Unavailable"));
    }
    if befallen.by(Quirk::DeadLink) {
        return Some(Response::html(404, "Site not found"));
    }
    if befallen.by(Quirk::LoginPage) {
        return Some(login_page());
    }
    if befallen.by(Quirk::NoScope) {
        return Some(Response::json(
            401,
            &json!({ "code": 401, "message": "Unauthorized; scope does not match" }),
        ));
    }
    if befallen.by(Quirk::TokenEnds) {
        site.access.expire();
    }
    if befallen.by(Quirk::Overloaded) && site.deployment == Deployment::DataCenter {
        let status = *site.quirks.rng.pick(&[403, 200]);
        return Some(Response::html(status, "The system is busy"));
    }
    None
}

fn login_page() -> Response {
    let form = "<form method='post'><input name='user'><input type=\"password\" name=\"pw\"></form>";
    let page = Response::html(200, "Log in");
    let body = String::from_utf8_lossy(&page.body).replace("<body>", &format!("<body>{form}"));
    Response { body: body.into_bytes(), ..page }
}

/// What happens to the wiki just before this request is answered: the page that is read goes away, or one is edited.
pub fn disturb(site: &mut Site, request: &Request, befallen: &Befallen) {
    if befallen.by(Quirk::Vanishing) && request.method == "GET" {
        let parts = request.parts();
        let after = parts.iter().position(|part| ["pages", "content"].contains(&part.as_str()));
        let id = after.and_then(|at| ContentId::read(parts.get(at + 1)?));
        if let Some(id) = id {
            vanish(site, id);
        }
    }
    let turning = request.one("cursor").is_some() || request.one("start").is_some_and(|start| start != "0");
    if befallen.by(Quirk::MovedRow) && turning {
        let pages: Vec<ContentId> = site
            .contents()
            .filter(|content| content.kind.name() == "page" && content.status == Status::Current)
            .map(|page| page.id)
            .collect();
        let at = site.quirks.rng.below(pages.len());
        let now = site.now;
        let page = pages.get(at).and_then(|id| site.content_mut(*id));
        if let Some(page) = page {
            let mut again = page.newest().clone();
            again.number += 1;
            again.at = now;
            again.minor = true;
            page.editions.push(again);
        }
    }
}

fn vanish(site: &mut Site, id: ContentId) {
    let way = site.quirks.rng.below(3);
    let Some(page) = site.content_mut(id).filter(|content| content.status == Status::Current) else { return };
    match way {
        0 => page.status = Status::Trashed,
        1 => page.status = Status::Archived,
        _ => {
            page.read.users.insert(page.owner.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luck_follows_from_the_seed_and_orders_are_met_in_turn() {
        let run = |seed| {
            let mut quirks = Quirks::new(seed);
            quirks.rate(Quirk::TooMany, 500);
            (0..64).map(|_| quirks.befall("/x").by(Quirk::TooMany)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        let mut quirks = Quirks::new(0);
        quirks.order(Quirk::Unavailable, "/pages");
        quirks.order(Quirk::BrokenOff, "/pages");
        assert!(quirks.befall("/spaces").0.is_empty());
        assert!(quirks.befall("/api/v2/pages").by(Quirk::Unavailable));
        assert!(quirks.befall("/api/v2/pages").by(Quirk::BrokenOff));
        assert_eq!(quirks.left(), 0);
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        assert!(QUIRKS.iter().all(|(quirk, name)| Quirk::read(name) == Some(*quirk)));
    }
}
