//! What happens to a life and when: where it is killed and how, what is durable by then, and what must never
//! happen.
//!
//! Store and world ask here before each step. Kills are aimed at records, not at times: "the put that holds
//! the third `resolved` of day two". So whether a kill point was reached is known, and a life that misses one
//! fails. This file must not know how a step is done.

use crate::engine::Engine;
use crate::model::{self, Model};
use crate::paid::{Asked, Paid};
use crate::provider::{Arrival, Fill, Provider};
use crate::rng::Rng;
use highwater::job::Interrupt;
use highwater::world::{Batch, Question, Texts};
use knowledge::id::{PageId, Version};
use knowledge::record::Record;
use knowledge::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use vault::{Entry, Event};

/// How a process dies, or is vexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    /// Killed before the put reached the store.
    Before,
    /// Killed after the put, before the answer came back.
    After,
    /// Killed in the middle: the first part of the bytes, in percent, is there under the name.
    Torn(usize),
    /// Killed in the middle: the object appears whole when the next process writes, just before it does.
    Late,
    /// One unclear answer, and the put happened or not. Nobody dies of it.
    Unclear(bool),
    /// So many puts that do not happen, with unclear answers: the run waits until the store is back.
    Outage(u32),
    /// Unclear answers, and the put never happens: the run is told to stop, and gives up.
    Refused,
    /// Killed while the state file takes in what was put; the number chooses how far it came.
    InApply(usize),
    /// Killed when an answer of the world arrives, with others under way.
    Answering,
    /// Killed while the journal is read at the start.
    Reading,
    /// Told to stop, as a service manager does: the run ends by itself.
    Interrupted,
}

impl Manner {
    /// A word for the histogram.
    pub fn word(self) -> &'static str {
        match self {
            Manner::Before => "before put",
            Manner::After => "after put",
            Manner::Torn(_) => "torn put",
            Manner::Late => "late put",
            Manner::Unclear(_) => "unclear put",
            Manner::Outage(_) => "outage",
            Manner::Refused => "refused put",
            Manner::InApply(_) => "in apply",
            Manner::Answering => "answering",
            Manner::Reading => "reading",
            Manner::Interrupted => "interrupted",
        }
    }

    /// Whether the process is gone after it.
    pub fn is_death(self) -> bool {
        !matches!(self, Manner::Unclear(_) | Manner::Outage(_) | Manner::Interrupted)
    }
}

/// A kill point: on this day, when the `nth` record of this kind is put.
#[derive(Clone, Debug)]
pub struct Aim {
    day: usize,
    kind: &'static str,
    nth: u32,
    manner: Manner,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Waiting,
    Hit,
    /// Its record became durable together with one that another kill was aimed at.
    Overtaken,
}

/// How many records of each kind each day of a life made durable.
pub type Counts = Vec<BTreeMap<&'static str, u32>>;

/// The kind under which answers of the world are counted.
const ANSWER: &str = "answer";

/// Kinds of records and how much kill points like them: half of them go for resolution and retraction.
const LIKED: [(&str, usize); 22] = [
    ("packed", 7),
    ("asking", 8),
    ("answered", 8),
    ("understood", 8),
    ("submitting", 16),
    ("submitted", 16),
    ("batch_ended", 8),
    ("embedded", 14),
    ("gathered", 7),
    ("resolved", 9),
    ("gone", 6),
    ("cut", 4),
    ("fetched", 4),
    ("worklist", 3),
    ("listed", 2),
    ("parked", 2),
    ("audience_changed", 2),
    ("reindexing", 8),
    ("reindexed", 10),
    ("opened", 2),
    ("closed", 2),
    (ANSWER, 3),
];

/// The kinds of records whose loss would show in the middle of resolution or retraction.
const RESOLUTION: [&str; 3] = ["gathered", "resolved", "gone"];

/// Draws the kill points of a life from what an undisturbed life of the same seed did.
pub fn draw(rng: &mut Rng, counts: &Counts) -> Vec<Aim> {
    let wanted = if rng.chance(4) { 0 } else { rng.between(2, 6) };
    let mut aims: Vec<Aim> = Vec::new();
    for _ in 0..wanted {
        let day = rng.below(counts.len());
        let there = |kind: &str| match kind {
            // What surely is the answer to a question; a page may be gone without one.
            ANSWER => ["listed", "fetched", "parked", "answered"]
                .iter()
                .filter_map(|kind| counts[day].get(kind))
                .sum(),
            _ => counts[day].get(kind).copied().unwrap_or(0),
        };
        let weights: Vec<usize> =
            LIKED.iter().map(|(kind, weight)| if there(kind) > 0 { *weight } else { 0 }).collect();
        let (kind, _) = LIKED[rng.weighted(&weights)];
        let nth = 1 + rng.below(there(kind) as usize) as u32;
        let manner = match kind == ANSWER {
            true if rng.chance(20) => Manner::Interrupted,
            true => Manner::Answering,
            false => manner(rng),
        };
        if !aims.iter().any(|aim| (aim.day, aim.kind, aim.nth) == (day, kind, nth)) {
            aims.push(Aim { day, kind, nth, manner, standing: Standing::Waiting });
        }
    }
    aims
}

fn manner(rng: &mut Rng) -> Manner {
    match rng.below(15) {
        0 | 1 => Manner::Before,
        2 | 3 => Manner::After,
        4 | 5 => Manner::Torn(rng.below(100)),
        6 => Manner::Late,
        7 => Manner::Unclear(rng.chance(50)),
        8 if rng.chance(50) => Manner::Outage(rng.between(1, 200) as u32),
        8 => Manner::Refused,
        9 => Manner::Interrupted,
        _ => Manner::InApply(rng.below(1 << 16)),
    }
}

/// How often each kind of death met each kind of record.
pub type Histogram = BTreeMap<(&'static str, &'static str), u64>;

/// A call that was sent.
pub struct Called {
    /// How long it takes until it is heard of.
    pub takes: Duration,
    /// What becomes of it; of a call for vectors, only what is not their coming.
    pub outcome: Option<model::Fate>,
    /// Counts calls.
    pub number: u64,
}

/// The fate of one life.
#[derive(Debug, Default)]
pub struct Fate {
    /// The day it is.
    pub day: usize,
    aims: Vec<Aim>,
    /// What became durable, by day.
    pub durable: Counts,
    fetched: BTreeSet<(usize, PageId, Version)>,
    gone: BTreeSet<(usize, PageId)>,
    /// When the life began, as virtual time counts.
    pub began: Option<tokio::time::Instant>,
    /// What models and embedders were asked.
    pub paid: Paid,
    /// The endpoints that are asked, and the embedder after them.
    providers: Vec<Provider>,
    /// The provider's batch engine.
    pub engine: Engine,
    /// Everything is refused for good.
    pub refuses_all: bool,
    /// Stops the process that lives, and since when it is told to.
    interrupt: Interrupt,
    told_to_stop: Option<tokio::time::Instant>,
    /// Kill at this many more reads of the store.
    reads_left: Option<u32>,
    /// Steps taken and allowed: a life that needs more makes no progress.
    steps: u64,
    allowed: u64,
    dead: bool,
    /// Why the process is about to end with an error of our making.
    pub doomed: Option<Manner>,
    /// Puts that the store will refuse still.
    outage: u32,
    /// What must never happen, and did.
    pub broken: Vec<String>,
    /// Deaths so far.
    pub deaths: u32,
    /// A death fell inside resolution or retraction.
    pub in_resolution: bool,
    /// Where kills happened.
    pub histogram: Histogram,
    /// What happened, for a reader.
    pub log: Vec<String>,
}

/// A shared handle: store, world and life see the same fate.
#[derive(Clone, Debug)]
pub struct Fates {
    fate: Arc<Mutex<Fate>>,
    killed: Arc<Notify>,
}

impl Fates {
    /// A fate with these kill points, over this many days, that ends after `allowed` steps at the latest.
    pub fn new(aims: Vec<Aim>, days: usize, allowed: u64, model: &Model) -> Self {
        let endpoints = model.endpoints.iter().chain([&model.embedder]);
        let providers = endpoints.map(|allows| Provider::new(allows.clone())).collect();
        let durable = vec![BTreeMap::new(); days];
        let fate = Fate { aims, durable, allowed, providers, ..Fate::default() };
        Self { fate: Arc::new(Mutex::new(fate)), killed: Arc::new(Notify::new()) }
    }

    /// The fate itself. Nobody holds it across a wait, and a panic ends the life anyway.
    pub fn lock(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the process is killed.
    pub async fn killed(&self) {
        // A word to a process before this one may still be waiting here: only the flag counts.
        while !self.lock().dead {
            self.killed.notified().await;
        }
    }

    /// What a dead process does: nothing, for ever.
    pub async fn hang<T>(&self) -> T {
        self.killed.notify_one();
        std::future::pending().await
    }
}

impl Fate {
    /// A new process begins.
    pub fn be_born(&mut self, reads_left: Option<u32>, interrupt: Interrupt) {
        (self.interrupt, self.told_to_stop) = (interrupt, None);
        self.dead = false;
        self.doomed = None;
        self.outage = 0;
        self.reads_left = reads_left;
    }

    /// Whether the process is dead. Counts a step: one that makes no progress is killed, too.
    pub fn is_dead(&mut self) -> bool {
        self.steps += 1;
        if self.steps > self.allowed && !self.dead {
            self.broken.push(format!("no progress: more than {} steps", self.allowed));
            self.dead = true;
        }
        self.dead
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The store is read: true when that is the end.
    pub fn reads(&mut self) -> bool {
        match &mut self.reads_left {
            Some(0) => {
                self.reads_left = None;
                self.strike(Manner::Reading, "journal");
                true
            }
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    /// The journal is put: how that ends, if not well.
    pub fn puts(&mut self, entries: &[Entry<Record>]) -> Option<Manner> {
        if self.doomed == Some(Manner::Refused) {
            return Some(Manner::Refused);
        }
        if let Some(left) = self.outage.checked_sub(1) {
            self.outage = left;
            return Some(Manner::Outage(left));
        }
        self.aimed(&self.count(entries)).filter(|manner| *manner != Manner::Interrupted)
    }

    /// The process is gone. How long it took to stop, if it was told to.
    pub fn process_ends(&mut self) -> Option<Duration> {
        self.paid.process_ends();
        self.told_to_stop.take().map(|since| since.elapsed())
    }

    /// The process is told to stop.
    pub fn tell_to_stop(&mut self) {
        self.told_to_stop.get_or_insert_with(tokio::time::Instant::now);
        self.interrupt.raise();
    }

    /// The process is told to stop out of the blue.
    pub fn interrupts(&mut self) {
        *self.histogram.entry((Manner::Interrupted.word(), "nothing")).or_default() += 1;
        self.log.push(format!("day {}: interrupted", self.day));
        self.tell_to_stop();
    }

    /// Entries by kind. A page counts as gone once a day: how many of its versions are asked for before the
    /// first answer says so depends on how many calls run at once.
    fn count(&self, entries: &[Entry<Record>]) -> BTreeMap<&'static str, u32> {
        let (mut here, mut gone) = (BTreeMap::new(), BTreeSet::new());
        for entry in entries {
            let again = match &entry.event {
                Event::Record(Record::Gone { page }) => {
                    self.gone.contains(&(self.day, page.clone())) || !gone.insert(page)
                }
                _ => false,
            };
            *here.entry(kind(&entry.event)).or_default() += u32::from(!again);
        }
        here
    }

    fn aimed(&mut self, here: &BTreeMap<&'static str, u32>) -> Option<Manner> {
        let (day, durable) = (self.day, &self.durable[self.day]);
        let falls = |aim: &Aim| {
            let before = durable.get(aim.kind).copied().unwrap_or(0);
            let count = here.get(aim.kind).copied().unwrap_or(0);
            aim.standing == Standing::Waiting
                && aim.day == day
                && aim.nth > before
                && aim.nth <= before + count
        };
        let aim = self.aims.iter_mut().find(|aim| falls(aim))?;
        aim.standing = Standing::Hit;
        let (manner, kind) = (aim.manner, aim.kind);
        self.strike(manner, kind);
        Some(manner)
    }

    fn strike(&mut self, manner: Manner, kind: &'static str) {
        *self.histogram.entry((manner.word(), kind)).or_default() += 1;
        self.log.push(format!("day {}: {} of `{kind}`", self.day, manner.word()));
        if matches!(manner, Manner::Interrupted | Manner::Refused) {
            self.tell_to_stop();
        }
        if let Manner::Outage(puts) = manner {
            self.outage = puts;
            // Who cannot even open gives up at once, and whoever started it starts it again.
            self.doomed = (kind == "opened").then_some(manner);
        }
        if !manner.is_death() {
            return;
        }
        self.deaths += 1;
        self.in_resolution |= RESOLUTION.contains(&kind) || self.epoch_is_open();
        match manner {
            Manner::InApply(_) | Manner::Refused => self.doomed = Some(manner),
            _ => self.dead = true,
        }
    }

    /// An epoch is gathered and not resolved.
    fn epoch_is_open(&self) -> bool {
        let all = |kind| self.durable.iter().filter_map(|day| day.get(kind)).sum::<u32>();
        all("gathered") > all("resolved")
    }

    /// These entries are in the journal now.
    pub fn is_durable(&mut self, entries: &[Entry<Record>]) {
        for (kind, count) in self.count(entries) {
            *self.durable[self.day].entry(kind).or_default() += count;
        }
        for entry in entries {
            match &entry.event {
                Event::Record(Record::Fetched(page)) => {
                    self.fetched.insert((self.day, page.id.clone(), page.version));
                }
                Event::Record(Record::Gone { page }) => {
                    self.gone.insert((self.day, page.clone()));
                }
                Event::Record(record) => self.remember(record),
                _ => {}
            }
        }
        let (day, durable) = (self.day, &self.durable[self.day]);
        for aim in self.aims.iter_mut().filter(|aim| aim.day == day && aim.standing == Standing::Waiting) {
            if durable.get(aim.kind).is_some_and(|count| *count >= aim.nth) {
                aim.standing = Standing::Overtaken;
            }
        }
    }

    /// A page is asked for. What is durable must not be asked for again on the same day.
    pub fn asks_for(&mut self, page: &PageId, version: Version) {
        if self.fetched.contains(&(self.day, page.clone(), version)) {
            self.broken.push(format!(
                "page {page} version {} was asked for again although it is durable",
                version.0
            ));
        }
    }

    /// A pack is asked about: how long the call is on its way, and what becomes of it.
    pub fn is_asked(&mut self, question: &Question, sent: Timestamp, model: &Model) -> Called {
        let endpoint = question.endpoint;
        let (number, travel, at) = self.sends(sent, model);
        let outcome = match self.refuses_all {
            true => model::Fate::Answer(model::refusal()),
            false => model.fate(&question.prompt, (endpoint, at), number),
        };
        let let_in = !matches!(outcome, model::Fate::Storm(_));
        self.arrives(endpoint as usize, at, (model.tokens(&question.prompt), let_in));
        let answered = matches!(outcome, model::Fate::Answer(_)) && !self.refuses_all;
        let broken = self.paid.asks(question.pack, answered);
        self.broken.extend(broken);
        Called {
            takes: travel + model.latency(&question.prompt.text, number),
            outcome: Some(outcome),
            number,
        }
    }

    /// Vectors are asked for: how long the call is on its way, and why there are none.
    pub fn is_embedded(&mut self, asked: &Texts, sent: Timestamp, model: &Model) -> Called {
        let (number, travel, at) = self.sends(sent, model);
        let outcome = model.refuses((0, at), number);
        let tokens = asked.texts.iter().map(|(_, text)| model.tokens_of_text(text)).sum();
        let let_in = !matches!(outcome, Some(model::Fate::Storm(_)));
        self.arrives(self.providers.len() - 1, at, (tokens, let_in));
        let refused = number.is_multiple_of(7) && asked.texts.len() > 1;
        let broken = self.paid.embeds(asked.call, &asked.texts, outcome.is_none() && !refused);
        self.broken.extend(broken);
        Called { takes: travel + model.latency("", number), outcome, number }
    }

    /// A call is sent: its number, how long it is on its way, and when it arrives, whoever lives to see it.
    fn sends(&self, sent: Timestamp, model: &Model) -> (u64, Duration, Timestamp) {
        let number = self.providers.iter().map(Provider::calls).sum::<usize>() as u64 + 1;
        let travel = model.travel(number);
        (number, travel, sent.checked_add(travel).unwrap_or(sent))
    }

    fn arrives(&mut self, provider: usize, at: Timestamp, (tokens, let_in): (u64, bool)) {
        let tokens = if let_in { tokens } else { 0 };
        match self.providers.get_mut(provider) {
            Some(provider) => provider.take(Arrival { at: at.as_millisecond(), tokens, let_in }),
            None => self.broken.push(format!("a call went to endpoint {provider}, which is not there")),
        }
    }

    /// How full the windows of the providers were, each kind the fullest.
    ///
    /// # Errors
    /// More arrived in a window than is allowed.
    pub fn judge(&self) -> Result<Fill, String> {
        let mut fullest = Fill::default();
        for (number, provider) in self.providers.iter().enumerate() {
            let is_embedder = number + 1 == self.providers.len();
            let name = if is_embedder { "the embedder".to_owned() } else { format!("endpoint {number}") };
            let fill = provider.judge(&name)?;
            fullest.iter_mut().zip(fill).for_each(|(most, found)| *most = found.max(*most));
        }
        Ok(fullest)
    }

    /// Whether every endpoint was asked.
    pub fn asked_all(&self) -> bool {
        self.endpoints().all(|provider| provider.calls() > 0)
    }

    fn endpoints(&self) -> impl Iterator<Item = &Provider> {
        self.providers.iter().take(self.providers.len().saturating_sub(1))
    }

    /// A job of the batch engine is sent: the engine's name for it.
    pub fn takes(&mut self, task: &Batch, at: Timestamp, model: &Model) -> String {
        let broken = self.paid.submits(task.job.key, &task.job.packs);
        self.broken.extend(broken);
        match self.engine.take(task, at, model) {
            Ok(name) => name,
            Err(broken) => {
                self.broken.push(broken);
                "job-nowhere".to_owned()
            }
        }
    }

    fn remember(&mut self, record: &Record) {
        self.paid.is_durable(record);
        match record {
            Record::Submitting(submitting) => drop(self.engine.announced.insert(submitting.key)),
            Record::BatchEnded(ended) => drop(self.engine.ended.insert(ended.key)),
            _ => {}
        }
    }

    /// The world has an answer: true when the process dies of it.
    pub fn answers(&mut self) -> bool {
        let struck = self.aimed(&BTreeMap::from([(ANSWER, 1)]));
        *self.durable[self.day].entry(ANSWER).or_default() += 1;
        struck.is_some_and(Manner::is_death)
    }

    /// What asking came to.
    pub fn asked(&self) -> Asked {
        let calls = self.endpoints().map(Provider::calls).sum();
        Asked { calls, in_jobs: self.engine.requests(), ..self.paid.came_to() }
    }

    /// Kill points that were not reached, and how many were overtaken.
    pub fn missed(&self) -> (Vec<&Aim>, usize) {
        // Which texts are refused depends on which are asked together, and with it whether a later day owes any.
        let is_sure = |aim: &&Aim| aim.standing == Standing::Waiting && aim.kind != "embedded";
        let missed: Vec<&Aim> = self.aims.iter().filter(is_sure).collect();
        let overtaken = self.aims.iter().filter(|aim| aim.standing != Standing::Hit).count() - missed.len();
        (missed, overtaken)
    }
}

/// The kind of an entry, as its record is named in the journal.
pub fn kind(event: &Event<Record>) -> &'static str {
    match event {
        Event::Opened { .. } => "opened",
        Event::Pruned { .. } => "pruned",
        Event::Closed => "closed",
        Event::Record(record) => match record {
            Record::Listed(_) => "listed",
            Record::Worklist(_) => "worklist",
            Record::Fetched(_) => "fetched",
            Record::Gone { .. } => "gone",
            Record::AudienceChanged { .. } => "audience_changed",
            Record::Principals(_) => "principals",
            Record::Cut(_) => "cut",
            Record::Parked(_) => "parked",
            Record::Packed(_) => "packed",
            Record::Asking(_) => "asking",
            Record::Answered(_) => "answered",
            Record::Deferred(_) => "deferred",
            Record::Salvaged(_) => "salvaged",
            Record::Erasing(_) => "erasing",
            Record::Erased { .. } => "erased",
            Record::Refused(_) => "refused",
            Record::Retried(_) => "retried",
            Record::Understood(_) => "understood",
            Record::Submitting(_) => "submitting",
            Record::Submitted { .. } => "submitted",
            Record::BatchEnded(_) => "batch_ended",
            Record::Ruled(_) => "ruled",
            Record::Embedding(_) => "embedding",
            Record::Embedded(_) => "embedded",
            Record::NotEmbedded(_) => "not_embedded",
            Record::Gathered(_) => "gathered",
            Record::Resolved(_) => "resolved",
            Record::Reindexing { .. } => "reindexing",
            Record::Reindexed { .. } => "reindexed",
        },
    }
}
