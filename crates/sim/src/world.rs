//! The world of a false wiki: it answers after a while of virtual time, in an order that fate chooses.

use crate::fate::Fates;
use crate::model::{Fate as Outcome, Model};
use crate::rng::Rng;
use crate::wiki::{Answer, Day, moment};
use highwater::error::Result;
use highwater::sources::Ask;
use highwater::world::{Batch, Question, Task, Texts, World};
use knowledge::document::Warning;
use knowledge::id::{PageId, Version};
use knowledge::record::{Answered, BatchEnded, Deferred, Listed, Parked, Record};
use knowledge::time::Timestamp;
use knowledge::vector::{Direction, Embedded, Fault, NotEmbedded};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One day of a wiki, as a world.
#[derive(Debug)]
pub struct FalseWorld {
    day: Arc<Day>,
    fates: Fates,
    /// The moment of the life at which this world began, in seconds.
    began: i64,
    since: Instant,
    /// Pages in a slice of the listing.
    slice: usize,
    /// Draws the delays; without it answers come at once.
    delays: Option<Rng>,
    asked: std::sync::atomic::AtomicU64,
    model: Model,
}

impl FalseWorld {
    /// A world in which it is this day.
    pub fn new(day: (Arc<Day>, usize), model: Model, fates: Fates, delays: Option<Rng>) -> Self {
        let (day, slice) = day;
        let (began, since) = {
            let mut fate = fates.lock();
            let since = *fate.began.get_or_insert_with(Instant::now);
            (fate.day as i64 * 86_400 + 43_200, since)
        };
        Self { day, fates, began, since, slice, delays, asked: Default::default(), model }
    }

    /// Most answers take up to a second; one in eight takes a minute, so that the head of the line has to be
    /// waited for.
    fn delay(&self) -> Option<Duration> {
        let mut rng = self.delays.clone()?;
        let number = self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut rng = Rng::new(rng.next() ^ number, "delay");
        let longest = if rng.chance(12) { 60_000 } else { 1_000 };
        Some(Duration::from_millis(rng.below(longest) as u64))
    }
}

impl World for FalseWorld {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let (day, fates, slice, delay) = (self.day.clone(), self.fates.clone(), self.slice, self.delay());
        let (model, clock) = (self.model.clone(), Clock { began: self.began, since: self.since });
        async move {
            let ask = match task {
                Task::Read(ask) => ask,
                Task::Embed(texts) => return embed(model, *texts, fates, clock).await,
                Task::Ask(question) => return answer(model, *question, fates, clock).await,
                Task::Batch(task) => return batch(model, *task, fates, clock).await,
            };
            if let Ask::Fetch { page, version, .. } = &ask {
                fates.lock().asks_for(page, *version);
            }
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            let dies = {
                let mut fate = fates.lock();
                fate.is_dead() || fate.answers()
            };
            if dies {
                return fates.hang().await;
            }
            Ok(vec![match ask {
                Ask::List { sweep, cursor } => list(&day, sweep, cursor.as_deref(), slice),
                Ask::Fetch { page, version, .. } => fetch(&day, page, version),
                // The loop owes single pages.
                Ask::Together(_) => return Ok(Vec::new()),
            }])
        }
    }

    fn now(&self) -> Timestamp {
        Clock { began: self.began, since: self.since }.now()
    }

    fn wait_until(&self, until: Timestamp) -> impl Future<Output = ()> + Send {
        let left = until.duration_since(self.now());
        let left = Duration::try_from(left).unwrap_or_default();
        // Rounded up: a clock that counts milliseconds must not come too early.
        tokio::time::sleep(left + Duration::from_millis(1))
    }
}

/// The time of a life: it goes on through kills.
#[derive(Clone, Copy, Debug)]
struct Clock {
    began: i64,
    since: Instant,
}

impl Clock {
    fn now(self) -> Timestamp {
        let passed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        let began = moment(self.began).as_millisecond();
        Timestamp::from_millisecond(began.saturating_add(passed)).unwrap_or(Timestamp::MAX)
    }
}

/// A call to the false model: what arrives is counted, and the answer takes its time.
async fn answer(model: Model, question: Question, fates: Fates, clock: Clock) -> Result<Vec<Record>> {
    let sent_at = clock.now();
    let called = fates.lock().is_asked(&question, sent_at, &model);
    tokio::time::sleep(called.takes).await;
    let outcome = called.outcome;
    let dies = {
        let mut fate = fates.lock();
        fate.is_dead() || matches!(outcome, Some(Outcome::Answer(_))) && fate.answers()
    };
    if dies {
        return fates.hang().await;
    }
    let Question { pack, endpoint, .. } = question;
    let deferred = |wait_ms, quota, why: &str| {
        Record::Deferred(Deferred {
            pack,
            endpoint,
            sent_at,
            wait_ms,
            quota,
            never: false,
            why: why.to_owned(),
        })
    };
    Ok(vec![match outcome {
        Some(Outcome::Answer(reply)) => {
            Record::Answered(Box::new(Answered { pack, endpoint, sent_at, reply }))
        }
        Some(Outcome::Storm(wait_ms)) => deferred(wait_ms, true, "the model answers 429"),
        Some(Outcome::Failure) | None => deferred(None, false, "the model answers 503"),
    }])
}

/// A job of the false batch engine, sent or waited for. Time passes on the way there and back.
async fn batch(model: Model, task: Batch, fates: Fates, clock: Clock) -> Result<Vec<Record>> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    if fates.lock().is_dead() {
        return fates.hang().await;
    }
    let key = task.job.key;
    let Some(name) = &task.name else {
        let name = {
            let mut fate = fates.lock();
            let found = task.may_be_there.then(|| fate.engine.find(key)).flatten();
            found.unwrap_or_else(|| fate.takes(&task, clock.now(), &model))
        };
        tokio::time::sleep(Duration::from_secs(1)).await;
        return Ok(vec![Record::Submitted { key, name }]);
    };
    let ends = fates.lock().engine.ends(name).unwrap_or_else(|| clock.now());
    let left = Duration::try_from(ends.duration_since(clock.now())).unwrap_or_default();
    tokio::time::sleep(left).await;
    let mut answers = fates.lock().engine.results(name, model.seed());
    answers.retain(|(pack, _)| task.job.packs.contains(pack));
    let dies = {
        let mut fate = fates.lock();
        fate.is_dead() || answers.iter().any(|_| fate.answers())
    };
    if dies {
        return fates.hang().await;
    }
    let missing = task.job.packs.iter().filter(|pack| !answers.iter().any(|(found, _)| found == *pack));
    let missing: Vec<_> = missing.copied().collect();
    let answered = answers.into_iter().map(|(pack, reply)| {
        let (endpoint, sent_at) = (task.endpoint, task.job.since);
        Record::Answered(Box::new(Answered { pack, endpoint, sent_at, reply }))
    });
    let ended = BatchEnded { key, missing, why: "it ended".to_owned(), halts: false };
    Ok(answered.chain([Record::BatchEnded(ended)]).collect())
}

/// A call to the false embedder: vectors follow from the words; texts that are refused together are taken apart.
async fn embed(model: Model, asked: Texts, fates: Fates, clock: Clock) -> Result<Vec<Record>> {
    let sent_at = clock.now();
    let called = fates.lock().is_embedded(&asked, sent_at, &model);
    tokio::time::sleep(called.takes).await;
    let outcome = called.outcome;
    let dies = {
        let mut fate = fates.lock();
        fate.is_dead() || outcome.is_none() && fate.answers()
    };
    if dies {
        return fates.hang().await;
    }
    let Texts { call, endpoint, texts, .. } = asked;
    let failed = |wait_ms, fault| {
        Record::NotEmbedded(NotEmbedded {
            call,
            sent_at,
            wait_ms,
            fault,
            why: "the embedder fails".to_owned(),
        })
    };
    let vector = |text: &String| Direction(blake3::hash(text.as_bytes()).as_bytes().to_vec());
    Ok(vec![match outcome {
        Some(Outcome::Storm(wait_ms)) => failed(wait_ms, Fault::Quota),
        Some(_) => failed(None, Fault::Provider),
        None if called.number.is_multiple_of(7) && texts.len() > 1 => failed(None, Fault::Texts),
        None => Record::Embedded(Box::new(Embedded {
            call,
            model: "false".to_owned(),
            endpoint,
            sent_at,
            tokens: model.told(texts.iter().map(|(_, text)| model.tokens_of_text(text)).sum()),
            vectors: texts.iter().map(|(_, text)| vector(text)).collect(),
            texts: texts.into_iter().map(|(text, _)| text).collect(),
        })),
    }])
}

fn list(day: &Day, sweep: u32, cursor: Option<&str>, slice: usize) -> Record {
    let first: usize = cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
    let end = day.pages.len().min(first + slice);
    let mut listed = Listed { sweep, wiki: "false".to_owned(), ..Listed::default() };
    listed.pages = day.pages.values().skip(first).take(slice).map(|page| page.listed()).collect();
    if first == 0 {
        listed.people = day.people.clone();
        listed.spaces = day.spaces.clone();
        listed.layers = day.layers.clone();
        listed.skipped = vec![Warning { what: "drafts".to_owned(), count: 1 }];
    }
    listed.next = (end < day.pages.len()).then(|| end.to_string());
    Record::Listed(listed)
}

fn fetch(day: &Day, page: PageId, version: Version) -> Record {
    match day.pages.get(&page).map(|found| found.fetched(version)) {
        Some(Answer::Page(raw)) => Record::Fetched(raw),
        Some(Answer::Refused) => {
            Record::Parked(Parked { page, version: Some(version), why: "the wiki answers 500".to_owned() })
        }
        Some(Answer::Gone) | None => Record::Gone { page },
    }
}
