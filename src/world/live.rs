//! The real world: files, and the machine's clock. The one place that reads the time.

use super::embeds::{self, Embeds};
use super::files::{Files, answer};
use super::http::Http;
use super::web::Web;
use super::{Question, Task, World, batches};
use crate::error::{Error, Kind, Result};
use crate::models::batch::Pauses;
use crate::models::{self, Answerer};
use crate::sources::{self, Ask, Source, SourceError};
use knowledge::record::{Answered, Deferred, Parked, Record};
use knowledge::time::Timestamp;
use std::future::Future;
use std::sync::Arc;

/// Performs tasks against a wiki on disk or on a server.
pub struct Live {
    wiki: Option<(Arc<dyn Source>, Way)>,
    models: Option<Arc<Models>>,
    embeds: Option<Arc<Embeds>>,
}

/// The way to a wiki.
#[derive(Clone)]
enum Way {
    Files(Arc<Files>),
    Web(Arc<Web>),
}

/// The models that may be asked, and the way to them.
pub struct Models {
    /// One for each endpoint, in the order in which calls number them.
    pub answerers: Vec<Answerer>,
    /// The way out.
    pub http: Http,
    /// How long is waited between looks at a job of a batch engine.
    pub pauses: Pauses,
}

impl Live {
    /// A world that reads this source from these files.
    pub fn new(source: Arc<dyn Source>, files: Arc<Files>) -> Self {
        Self { wiki: Some((source, Way::Files(files))), models: None, embeds: None }
    }

    /// A world that reads this source from a server.
    pub fn on_a_server(source: Arc<dyn Source>, web: Arc<Web>) -> Self {
        Self { wiki: Some((source, Way::Web(web))), models: None, embeds: None }
    }

    /// A world without a wiki: for a run that reads only what is kept.
    pub fn without_wiki() -> Self {
        Self { wiki: None, models: None, embeds: None }
    }

    /// The same world, with these models to ask.
    #[must_use]
    pub fn with_models(self, models: Models) -> Self {
        Self { models: Some(Arc::new(models)), ..self }
    }

    /// The same world, with this embedder to ask.
    #[must_use]
    pub fn with_embeds(self, embeds: Arc<Embeds>) -> Self {
        Self { embeds: Some(embeds), ..self }
    }
}

impl World for Live {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let (wiki, models, embeds) = (self.wiki.clone(), self.models.clone(), self.embeds.clone());
        async move {
            let ask = match task {
                Task::Read(ask) => ask,
                Task::Ask(question) => return ask(models, *question).await,
                Task::Batch(task) => {
                    let nobody = || Error::new(Kind::Bug, "sending a batch: there is no model");
                    return batches::perform(&*models.ok_or_else(nobody)?, *task).await;
                }
                Task::Embed(texts) => {
                    let nobody = || Error::new(Kind::Bug, "asking for vectors: there is nobody to ask");
                    return embeds::embed(&*embeds.ok_or_else(nobody)?, *texts).await;
                }
            };
            let Some((source, way)) = wiki else {
                return Err(Error::new(Kind::Halt, "the last run left pages that are not fetched yet")
                    .hint("run `highwater pipeline` to its end first"));
            };
            let read = match way {
                Way::Web(web) => web.answer(&source, &ask).await,
                Way::Files(files) => {
                    // Reading blocks: it runs beside the loop, so that an append never waits for a disk.
                    let asked = ask.clone();
                    let reading = tokio::task::spawn_blocking(move || answer(&*source, &asked, &files));
                    reading.await.map_err(|error| Error::new(Kind::Bug, format!("reading: {error}")))?
                }
            };
            read.or_else(|error| park(&ask, error))
        }
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn wait_until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send {
        let left = std::time::Duration::try_from(moment.duration_since(now())).unwrap_or_default();
        // Rounded up: a clock that counts milliseconds must not come too early.
        pause(left + std::time::Duration::from_millis(1))
    }
}

/// Asks a model, once. What comes back is recorded as it came. That a prompt will never be answered is recorded as
/// well: whether it is the prompt's fault shows beside others.
async fn ask(models: Option<Arc<Models>>, question: Question) -> Result<Vec<Record>> {
    let Question { pack, endpoint, prompt } = question;
    let unknown = || Error::new(Kind::Bug, format!("asking a model: there is no endpoint {endpoint}"));
    let models = models.ok_or_else(unknown)?;
    let answerer = models.answerers.get(endpoint as usize).ok_or_else(unknown)?;
    let sent_at = now();
    let heard = match answerer {
        Answerer::Recording(recording) => Ok(recording.answer(&prompt)),
        Answerer::Vendor(dialect) => match models.http.send(&dialect.request(&prompt)).await {
            Ok(response) => dialect.read(&response),
            Err(refusal) => Err(refusal),
        },
    };
    let refusal = match heard {
        Ok(reply) => {
            return Ok(vec![Record::Answered(Box::new(Answered { pack, endpoint, sent_at, reply }))]);
        }
        Err(refusal) => refusal,
    };
    let why = format!("{}: {}", answerer.label(), refusal.text);
    match refusal.kind {
        models::Kind::Later { wait, quota, day } => {
            let wait = if day { Some(DAY_USED_UP) } else { wait };
            let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            let deferred = Deferred { pack, endpoint, sent_at, wait_ms, quota, never: false, why };
            Ok(vec![Record::Deferred(deferred)])
        }
        models::Kind::Never => {
            let deferred =
                Deferred { pack, endpoint, sent_at, wait_ms: None, quota: false, never: true, why };
            Ok(vec![Record::Deferred(deferred)])
        }
        models::Kind::Halt => Err(Error::new(Kind::Halt, format!("asking a model: {why}"))
            .hint("fix the setting, the key or the bill; everything answered so far is kept")),
    }
}

/// How long to leave a provider alone whose requests of the day are used up: it does not say when they are given again,
/// and to ask every quarter of an hour costs nothing.
pub(super) const DAY_USED_UP: std::time::Duration = std::time::Duration::from_secs(900);

/// A page that cannot be had, or that changed while it was read, is passed over and recorded; the next sweep sees its
/// new fingerprint and tries again. Whatever else goes wrong halts the run.
fn park(ask: &Ask, error: SourceError) -> Result<Vec<Record>> {
    match (ask, error.kind) {
        (Ask::Fetch { page, version, .. }, sources::Kind::Never | sources::Kind::Changed) => {
            Ok(vec![Record::Parked(Parked { page: page.clone(), version: Some(*version), why: error.text })])
        }
        _ => Err(error.into()),
    }
}

/// The machine's time, to the millisecond: what is kept has no more.
#[allow(clippy::disallowed_methods)] // This is the edge where the clock is read and passed in.
pub fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Lets time pass.
pub async fn pause(length: std::time::Duration) {
    tokio::time::sleep(length).await;
}
