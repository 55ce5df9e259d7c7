//! The way to a live wiki: requests are paced for the whole client, sent again when a server asks for patience, and
//! fetches that are owed at once travel together. It must not know what an answer means; that is the source's.
//!
//! Invariant: a request goes below the base address of the wiki and nowhere else. The one redirect that is followed is
//! that of a file, and whoever is redirected to is shown no login.
//!
//! What an answer says of the server is in `meaning`, what follows for a request in `tries`, where files may lie in
//! `redirects`.

mod meaning;
mod pace;
mod reader;
mod redirects;
mod tries;

use super::http::Http;
use super::live;
use super::oauth::Tokens;
use crate::models::{self, Auth, Method, Refusal, Request, Response};
use crate::secret::Secret;
use crate::sources::confluence::{doctor, is_cloud};
use crate::sources::{Ask, Get, Input, Kind, Need, Source, SourceError, Step};
use knowledge::id::{PageId, Version};
use knowledge::record::Record;
use meaning::{Meaning, Trouble, meaning};
use pace::Pace;
pub(super) use pace::retry_after;
use reader::Reader;
use redirects::{place, redirected};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tries::{Next, Tries};

/// How often a server is waited for that answered before and answers nobody now: with the longest pauses, half an hour,
/// which is a restart, or an upgrade.
const OUTAGES: u32 = 30;
/// How often somebody who only looks is patient.
const LOOKS: u32 = 3;
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
    /// Anything was answered since we came.
    has_answered: AtomicBool,
    /// It was waited for in vain: nobody waits any more, until somebody is answered.
    is_gone: AtomicBool,
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
        let (has_answered, is_gone) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { http, base, login, pace, reader, at_once, has_answered, is_gone, waiting: Mutex::default() }
    }

    /// The same with pauses that begin at this length, for a server that is known to bear more.
    #[must_use]
    pub fn with_pauses(self, first: Duration) -> Self {
        Self { pace: Pace::of(first), ..self }
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
            // Where nobody is answered, fewer are not answered either: each hears so when it asks alone.
            let breaks = !matches!(&records, Err(error) if error.kind != Kind::Never);
            let records = records.unwrap_or_default();
            if breaks && records.is_empty() && some.len() > 1 {
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

    /// Sends a request until there is an answer that means something. One that fails while others are answered is given
    /// up, and its source hears that the server broke down over it.
    ///
    /// # Errors
    /// The server is not there, or does not let us in.
    pub async fn get(&self, get: &Get) -> Result<Response, SourceError> {
        let mut tries = Tries::default();
        loop {
            let used = self.login_in_use().await;
            match tries.judge(get, self.turn(get).await, &self.base) {
                Next::Answer(response) => {
                    self.was_answered();
                    if response.status != 401 || !self.is_let_in((get, used), &mut tries).await? {
                        return Ok(response);
                    }
                }
                Next::End(error) => return Err(error),
                Next::Rest(named) => self.pace.rest(named, tries.patience, &get.path),
                Next::Again(trouble) if self.is_gone() => return Err(self.ended_by(trouble)),
                Next::Again(_) => self.pace.pause(tries.failures, &get.path).await,
                Next::Doubt(trouble) => self.doubt(get, trouble, &mut tries).await?,
            }
        }
    }

    /// Looks whether this is answered, without much patience: whoever looks wants to know what is in the way.
    ///
    /// # Errors
    /// It is not answered.
    pub async fn look(&self, get: &Get) -> Result<Response, SourceError> {
        let mut tries = Tries::default();
        loop {
            let used = self.login_in_use().await;
            let trouble = match tries.judge(get, self.turn(get).await, &self.base) {
                Next::Answer(response) => {
                    let Login::OAuth(tokens) = &self.login else { return Ok(response) };
                    if response.status != 401 || !tries.renews() {
                        return Ok(response);
                    }
                    let renewed = tokens.renew(&self.http, used).await;
                    renewed.map_err(|refusal| tries::error(kind_of(&refusal), refusal.text))?;
                    continue;
                }
                Next::End(error) => return Err(error),
                Next::Rest(named) if tries.patience <= LOOKS => {
                    self.pace.rest(named, tries.patience, &get.path);
                    continue;
                }
                Next::Rest(_) => {
                    let text = format!("asking `{}`: it asked for patience {LOOKS} times", self.base);
                    return Err(SourceError::new(Kind::Later, text));
                }
                Next::Again(trouble) | Next::Doubt(trouble) => trouble,
            };
            if trouble.is_for_people() || tries.failures > LOOKS {
                return Err(trouble.error(Kind::Halt, &self.base));
            }
            self.pace.pause(tries.failures, &get.path).await;
        }
    }

    /// Sends it, once, when it is our turn.
    async fn turn(&self, get: &Get) -> Result<Response, Refusal> {
        // Nobody closes it.
        let _turn = self.at_once.acquire().await;
        self.pace.wait().await;
        let sent = self.send(get).await;
        if let Ok(response) = &sent {
            self.pace.heeds(response);
        }
        sent
    }

    fn was_answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        self.is_gone.store(false, Ordering::Relaxed);
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// A request failed as often as is borne. Is its neighbour answered, it is its own trouble, and has one more
    /// chance, since the server may have come back just now. If nobody is answered, it is waited for.
    async fn doubt(&self, get: &Get, trouble: Trouble, tries: &mut Tries) -> Result<(), SourceError> {
        let neighbour = doctor::neighbour(&get.path);
        let other = Get { path: neighbour.to_owned(), may_shrink: false, file_bytes: None };
        let answered = self.turn(&other).await;
        if answered.is_ok_and(|response| matches!(meaning(&other, &response), Meaning::Said)) {
            self.was_answered();
            tries.is_alone = true;
            return Ok(());
        }
        let is_over = tries.outages >= OUTAGES || !self.has_answered.load(Ordering::Relaxed);
        if trouble.is_door() || is_over || self.is_gone() {
            self.is_gone.store(true, Ordering::Relaxed);
            return Err(self.ended_by(trouble));
        }
        tries.outages += 1;
        self.pace.rest(None, tries.outages, &get.path);
        Ok(())
    }

    fn ended_by(&self, trouble: Trouble) -> SourceError {
        let kind = trouble.kind();
        trouble.error(kind, &self.base)
    }

    /// What lets us in just now, where it changes.
    async fn login_in_use(&self) -> Option<Secret> {
        match &self.login {
            Login::OAuth(tokens) => Some(tokens.in_use().await),
            _ => None,
        }
    }

    /// After a 401: whether we are let in by another login than was used, so that the same may be asked again. No means
    /// that this is not for us, whoever we are: a right or a scope that is missing. It is believed where the server
    /// still knows who we are.
    ///
    /// # Errors
    /// Nobody lets us in.
    async fn is_let_in(
        &self,
        (get, used): (&Get, Option<Secret>),
        tries: &mut Tries,
    ) -> Result<bool, SourceError> {
        let is_old = self.login_in_use().await != used;
        if !is_old && !self.is_locked_out(&get.path).await? {
            // Whoever asked was renewed meanwhile.
            return Ok(self.login_in_use().await != used && tries.renews());
        }
        let Login::OAuth(tokens) = &self.login else { return Err(self.refused()) };
        if !tries.renews() {
            return Err(self.refused());
        }
        if is_old {
            return Ok(true);
        }
        let Err(refusal) = tokens.renew(&self.http, used).await else { return Ok(true) };
        let kind = kind_of(&refusal);
        if kind != Kind::Later || tries.outages >= OUTAGES {
            return Err(tries::error(kind, refusal.text));
        }
        tries.outages += 1;
        tries.forgets_renewal();
        self.pace.rest(wait_of(&refusal), tries.outages, &get.path);
        Ok(true)
    }

    /// Whether the server knows us nowhere.
    async fn is_locked_out(&self, path: &str) -> Result<bool, SourceError> {
        for proof in doctor::proofs(path, is_cloud(&self.base)) {
            if self.status_of(proof).await? != 401 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn status_of(&self, path: &str) -> Result<u16, SourceError> {
        let get = Get { path: path.to_owned(), may_shrink: false, file_bytes: None };
        let mut tries = Tries::default();
        loop {
            match tries.judge(&get, self.turn(&get).await, &self.base) {
                Next::Answer(response) => return Ok(response.status),
                Next::End(error) => return Err(error),
                Next::Rest(named) => self.pace.rest(named, tries.patience, path),
                Next::Again(_) => self.pace.pause(tries.failures, path).await,
                Next::Doubt(trouble) => return Ok(trouble.status()),
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
            if let Some(fault) = redirects::fault(&self.base, &next) {
                let text = format!("fetching a file of `{}`: {fault}", self.base);
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

fn kind_of(refusal: &Refusal) -> Kind {
    match refusal.kind {
        models::Kind::Later { .. } => Kind::Later,
        models::Kind::Never => Kind::Never,
        models::Kind::Halt => Kind::Halt,
    }
}

fn wait_of(refusal: &Refusal) -> Option<Duration> {
    match refusal.kind {
        models::Kind::Later { wait, .. } => wait,
        _ => None,
    }
}

/// The page and version a record is about.
fn named(record: &Record) -> Option<(PageId, Version)> {
    match record {
        Record::Fetched(page) => Some((page.id.clone(), page.version)),
        _ => None,
    }
}
