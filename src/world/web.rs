//! The way to a live wiki: requests are paced for the whole client, sent again when a server asks for patience, and
//! fetches that are owed at once travel together. It must not know what an answer means; that is the source's.
//!
//! Invariant: a request goes below the base address of the wiki and nowhere else. The one redirect that is followed is
//! that of a file, and whoever is redirected to is shown no login.

mod pace;
mod reader;

use super::http::Http;
use super::live;
use super::oauth::Tokens;
use crate::models::{self, Auth, Method, Refusal, Request, Response};
use crate::secret::Secret;
use crate::sources::{Ask, Get, Input, Kind, Need, Source, SourceError, Step};
use knowledge::id::{PageId, Version};
use knowledge::record::Record;
use pace::Pace;
use reader::Reader;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// How often a request is sent that a server breaks down over.
const BREAKDOWNS: u32 = 5;
/// The same, when it may ask for less instead.
const BREAKDOWNS_OF_MANY: u32 = 2;
/// How often a server may ask for patience before it is taken for gone: with the longest pauses, some hours.
const PATIENCE: u32 = 200;
/// Bodies asked for at once: some of them have a megabyte, and servers break down over fewer.
const LOT: usize = 50;
/// Requests under way at once: servers for people bear few.
const AT_ONCE: usize = 4;
/// Redirects of a file: to the media host, and once more inside it.
const REDIRECTS: u32 = 4;
/// How long fetches wait for company.
const GATHERING: Duration = Duration::from_millis(5);

/// What lets us in.
#[derive(Clone)]
pub enum Login {
    /// Nothing.
    Nobody,
    /// A name and a token (Cloud) or password.
    Basic(Secret),
    /// A personal access token.
    Bearer(Secret),
    /// Tokens that a file holds and that are renewed.
    OAuth(Arc<Tokens>),
}

/// A way to a wiki's server. It is shared by all who ask.
pub struct Web {
    http: Http,
    base: String,
    login: Login,
    pace: Pace,
    reader: Reader,
    at_once: Semaphore,
    waiting: Mutex<BTreeMap<&'static str, VecDeque<Waiting>>>,
}

struct Waiting {
    ask: Ask,
    told: oneshot::Sender<Option<Record>>,
}

impl Web {
    /// A way to the server whose interfaces begin at this address.
    pub fn new(http: Http, base: &str, login: Login) -> Self {
        let (pace, at_once) = (Pace::default(), Semaphore::new(AT_ONCE));
        let (base, reader) = (base.to_owned(), Reader::start());
        Self { http, base, login, pace, reader, at_once, waiting: Mutex::default() }
    }

    /// Answers an ask: asks the server what the source needs until it has its records.
    pub async fn answer(
        self: &Arc<Self>,
        source: &Arc<dyn Source>,
        ask: &Ask,
    ) -> Result<Vec<Record>, SourceError> {
        if let Some(lot) = source.lot(ask)
            && let Some(record) = self.together(source, lot, ask).await?
        {
            return Ok(vec![record]);
        }
        self.converse(source, ask).await
    }

    async fn converse(&self, source: &Arc<dyn Source>, ask: &Ask) -> Result<Vec<Record>, SourceError> {
        let mut answer = None;
        loop {
            let get = match self.step(source, ask, answer).await? {
                Step::Records(records) => return Ok(records),
                Step::Need(Need::Get(get)) => get,
                Step::Need(need) => {
                    let text = format!("reading `{}`: a wiki on a server has no files", need.path());
                    return Err(SourceError::new(Kind::Halt, text));
                }
            };
            let Response { status, body, .. } = self.get(&get).await?;
            answer = Some((get, status, body));
        }
    }

    /// One step of a conversation. To read a file or a listing takes a while, and the loop must not wait for it.
    async fn step(
        &self,
        source: &Arc<dyn Source>,
        ask: &Ask,
        answer: Option<Answer>,
    ) -> Result<Step, SourceError> {
        let is_file = answer.as_ref().is_some_and(|(get, ..)| get.file_bytes.is_some());
        let broken = match ask {
            Ask::List { .. } => Kind::Halt,
            _ if is_file => Kind::Never,
            _ => return step_of(&**source, ask, answer),
        };
        let (source, ask) = (source.clone(), ask.clone());
        let read = self.reader.read(move || step_of(&*source, &ask, answer)).await;
        read.unwrap_or_else(|| Err(SourceError::new(broken, "reading an answer: its reader broke over it")))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<&'static str, VecDeque<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks together with whoever else asks for the same lot just now. Whoever finds nobody there gathers, and asks for
    /// all. None for an ask that no answer for many holds: it is asked alone.
    async fn together(
        self: &Arc<Self>,
        source: &Arc<dyn Source>,
        lot: &'static str,
        ask: &Ask,
    ) -> Result<Option<Record>, SourceError> {
        let (told, hears) = oneshot::channel();
        let gathers = {
            let mut waiting = self.waiting();
            let queue = waiting.entry(lot).or_default();
            queue.push_back(Waiting { ask: ask.clone(), told });
            queue.len() == 1
        };
        if gathers {
            let (web, source) = (self.clone(), source.clone());
            tokio::spawn(async move { web.gather(&source, lot).await });
        }
        // Whoever gathers may be gone, and everybody asks alone.
        Ok(hears.await.unwrap_or(None))
    }

    async fn gather(&self, source: &Arc<dyn Source>, lot: &'static str) {
        live::pause(GATHERING).await;
        loop {
            let some: Vec<Waiting> = {
                let mut waiting = self.waiting();
                let queue = waiting.entry(lot).or_default();
                let count = queue.len().min(LOT);
                queue.drain(..count).filter(|one| !one.told.is_closed()).collect()
            };
            if some.is_empty() {
                return;
            }
            self.ask_for(source, some).await;
        }
    }

    /// Asks for some at once; while a server breaks down over it, for each half of them.
    async fn ask_for(&self, source: &Arc<dyn Source>, some: Vec<Waiting>) {
        let mut lots = VecDeque::from([some]);
        while let Some(mut some) = lots.pop_front() {
            let asks = some.iter().map(|one| one.ask.clone()).collect();
            let records = match some.len() {
                // One alone is asked as such, by whoever waits for it.
                1 => Ok(Vec::new()),
                _ => self.converse(source, &Ask::Together(asks)).await,
            };
            let records = records.unwrap_or_default();
            if records.is_empty() && some.len() > 1 {
                let half = some.split_off(some.len() / 2);
                lots.extend([some, half]);
                continue;
            }
            let mut found: BTreeMap<(PageId, Version), Record> =
                records.into_iter().filter_map(|record| Some((named(&record)?, record))).collect();
            for Waiting { ask, told } in some {
                let record = match ask {
                    Ask::Fetch { page, version, .. } => found.remove(&(page, version)),
                    _ => None,
                };
                // Whoever waited may be gone: the run was told to stop.
                told.send(record).ok();
            }
        }
    }

    /// Sends a request until there is an answer that means something.
    ///
    /// # Errors
    /// The server is not there, or does not let us in.
    pub async fn get(&self, get: &Get) -> Result<Response, SourceError> {
        let mut tries = Tries::default();
        loop {
            let sent = {
                // Nobody closes it.
                let _turn = self.at_once.acquire().await;
                self.pace.wait().await;
                self.send(get).await
            };
            if let Ok(response) = &sent {
                self.pace.heeds(response);
                if response.status == 401 && !tries.renewed && self.renew().await? {
                    tries.renewed = true;
                    continue;
                }
            }
            match tries.judge(get, sent) {
                Next::Answer(response) if response.status == 401 => return Err(self.refused()),
                Next::Answer(response) => return Ok(response),
                Next::End(error) => return Err(error),
                Next::Rest(named) => self.pace.rest(named, tries.breakdowns.max(tries.patience), &get.path),
            }
        }
    }

    async fn send(&self, get: &Get) -> Result<Response, Refusal> {
        let url = format!("{}{}", self.base, get.path);
        if !get.path.starts_with('/') || place(&url) != place(&self.base) {
            let text = format!("asking `{}`: `{}` does not lead there", self.base, get.path);
            return Err(Refusal::new(models::Kind::Halt, text));
        }
        let Some(bytes) = get.file_bytes else {
            return self.http.send(&self.request(url, true).await?).await;
        };
        let http = self.http.clone().with_body(usize::try_from(bytes).unwrap_or(usize::MAX));
        let mut url = url;
        for _ in 0..REDIRECTS {
            let is_ours = place(&url) == place(&self.base);
            let response = http.send(&self.request(url.clone(), is_ours).await?).await?;
            let Some(next) = redirected(&url, &response) else { return Ok(response) };
            if !next.starts_with("https://")
                && place(&next) != place(&self.base)
                && !is_of_this_machine(&next)
            {
                let text = format!("fetching a file of `{}`: it lies where others can read along", self.base);
                return Err(Refusal::new(models::Kind::Never, text));
            }
            url = next;
        }
        let text = format!("fetching a file of `{}`: more than {REDIRECTS} redirects", self.base);
        Err(Refusal::new(models::Kind::Never, text))
    }

    /// A request; to anybody but the wiki's own server it is made as nobody.
    async fn request(&self, url: String, is_ours: bool) -> Result<Request, Refusal> {
        let auth = match &self.login {
            Login::Nobody => Auth::None,
            Login::Basic(secret) => Auth::Header("authorization", secret.clone()),
            Login::Bearer(token) => Auth::Bearer(token.clone()),
            Login::OAuth(tokens) => Auth::Bearer(tokens.access(&self.http).await?),
        };
        Ok(Request {
            method: Method::Get,
            url,
            headers: vec![("accept", "application/json, */*;q=0.5".to_owned())],
            private: Vec::new(),
            auth: if is_ours { auth } else { Auth::None },
            body: Vec::new(),
        })
    }

    /// Tokens that were refused are renewed, where they can be.
    async fn renew(&self) -> Result<bool, SourceError> {
        let Login::OAuth(tokens) = &self.login else { return Ok(false) };
        tokens.renew(&self.http).await.map_err(|refusal| SourceError::new(Kind::Halt, refusal.text))?;
        Ok(true)
    }

    fn refused(&self) -> SourceError {
        let text = format!("asking `{}`: the server does not accept our login (status 401)", self.base);
        SourceError::new(Kind::Halt, text)
            .hint("see `confluence_user` and `confluence_token`; `highwater doctor` says what is missing")
    }
}

/// What came back, and for what.
type Answer = (Get, u16, Vec<u8>);

fn step_of(source: &dyn Source, ask: &Ask, answer: Option<Answer>) -> Result<Step, SourceError> {
    match answer {
        None => source.step(ask, Input::Start),
        Some((get, status, body)) => source.step(ask, Input::Response { get: &get, status, body }),
    }
}

/// What a request has met with so far.
#[derive(Debug, Default)]
struct Tries {
    breakdowns: u32,
    patience: u32,
    renewed: bool,
}

/// What comes after a request was sent.
enum Next {
    Answer(Response),
    End(SourceError),
    /// The same again, after a rest of this length if one was named.
    Rest(Option<Duration>),
}

impl Tries {
    fn judge(&mut self, get: &Get, sent: Result<Response, Refusal>) -> Next {
        match sent {
            Err(refusal) => self.judge_refusal(get, refusal),
            Ok(response) if asks_for_patience(&response) && self.patience < PATIENCE => {
                self.patience += 1;
                Next::Rest(pace::retry_after(&response))
            }
            Ok(response) if response.status >= 500 && !self.is_enough(get) => Next::Rest(None),
            Ok(response) => Next::Answer(response),
        }
    }

    fn judge_refusal(&mut self, get: &Get, refusal: Refusal) -> Next {
        let kind = match refusal.kind {
            models::Kind::Never => Kind::Never,
            models::Kind::Halt => Kind::Halt,
            models::Kind::Later { .. } if !self.is_enough(get) => return Next::Rest(None),
            // Cut off in the middle, or too large: as if it had broken down over it.
            models::Kind::Later { .. } if get.may_shrink => {
                return Next::Answer(Response { status: 500, headers: Vec::new(), body: Vec::new() });
            }
            models::Kind::Later { .. } if get.file_bytes.is_some() => Kind::Never,
            models::Kind::Later { .. } => Kind::Halt,
        };
        let hint = "see that the wiki is there, then run the same command again";
        Next::End(SourceError::new(kind, refusal.text).hint(hint))
    }

    /// Counts a breakdown: whether that was the last that is borne.
    fn is_enough(&mut self, get: &Get) -> bool {
        self.breakdowns += 1;
        self.breakdowns >= if get.may_shrink { BREAKDOWNS_OF_MANY } else { BREAKDOWNS }
    }
}

/// Scheme, host and port of an address; none for what is no address.
fn place(url: &str) -> Option<String> {
    Some(reqwest::Url::parse(url).ok()?.origin().ascii_serialization())
}

fn is_of_this_machine(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| super::http::is_inside(&url))
}

/// Where an answer sends us on to, if it does.
fn redirected(from: &str, response: &Response) -> Option<String> {
    if !matches!(response.status, 301..=303 | 307 | 308) {
        return None;
    }
    let to = reqwest::Url::parse(from).ok()?.join(response.header("location")?).ok()?;
    Some(to.to_string())
}

/// The page and version a record is about.
fn named(record: &Record) -> Option<(PageId, Version)> {
    match record {
        Record::Fetched(page) => Some((page.id.clone(), page.version)),
        _ => None,
    }
}

/// Whether an answer says no more than `later`. Data Center under load sends pages for people, whatever the status.
fn asks_for_patience(response: &Response) -> bool {
    let is_for_people = response.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    match response.status {
        429 => true,
        503 => response.header("retry-after").is_some(),
        200..300 | 403 => is_for_people,
        _ => false,
    }
}
