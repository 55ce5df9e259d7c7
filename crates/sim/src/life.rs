//! One life of a vault: for each day of a false wiki, processes are begun and killed until one ends by
//! itself. The same graph must come out as in a life that nothing disturbs. What a process does is production
//! code: the state, the vault and `job::run`; only the world and the store under it are false.

use crate::checks;
use crate::disk::{Disk, Image};
use crate::fate::{Counts, Fate, Fates, Histogram, draw};
use crate::model::{Model, REFUSES_ALL_AT_FIRST};
use crate::paid::Asked;
use crate::rng::Rng;
use crate::store::FaultyStore;
use crate::wiki::{Day, Wiki};
use crate::word::word;
use crate::world::FalseWorld;
use highwater::embedders::Share;
use highwater::error::{Error, Kind};
use highwater::job::{self, Report};
use highwater::plan::{Asks, Batching, Embeds, Limits};
use highwater::state::{Standing, State};
use highwater::world::World;
use knowledge::extract::Vocabulary;
use knowledge::record::Ruled;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use vault::{Identity, MemoryStore, Nonce, Vault, VaultId, Writer};

/// What a seed came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Processes that died.
    pub deaths: u32,
    /// A death fell inside resolution or retraction.
    pub in_resolution: bool,
    /// Where.
    pub histogram: Histogram,
    /// Kill points whose record became durable by another kill.
    pub overtaken: usize,
    /// Steps an undisturbed life took.
    pub steps: u64,
    /// Rows of the final graph.
    pub rows: usize,
    /// What asking came to.
    pub asked: Asked,
    /// What this life has shown: how its model behaves, windows that were full, what happened.
    pub shown: BTreeSet<&'static str>,
    /// What happened, in order.
    pub log: Vec<String>,
}

/// Steps an undisturbed life may take: ten times what the longest of the first thousand seeds took.
const STEPS: u64 = 40_000;
/// Processes one day may take; kill points are ten times fewer.
const PROCESSES: usize = 100;
/// A process that takes longer than this, in virtual time, waits for something that never comes.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Puts may take as long as this in some lives.
pub const SLOW_PUTS: bool = true;
/// A process that is told to stop has ended by then: a service manager waits for ten seconds before it kills.
const TO_STOP: Duration = Duration::from_secs(10);
/// A window is full when so many hundredths of it are used: prompts do not fill a minute's tokens to the brim.
const FULL: [u64; 3] = [100, 75, 100];

/// What belongs to a life from its seed on, whether disturbed or not.
struct Plan {
    seed: u64,
    days: Vec<Arc<Day>>,
    /// The wiki is such that reading it again gives the same graph.
    strict: bool,
    /// On this day everything is read and resolved again.
    reindex: Option<usize>,
    slice: usize,
    /// At the end of this day a user says something of names.
    says: Option<usize>,
    limits: Limits,
    model: Model,
    hazards: Hazards,
}

/// What a seed brings besides kills.
struct Hazards {
    /// How long puts take, at most.
    slowest_put: Duration,
    /// Processes are told to stop out of the blue.
    interrupts: bool,
    /// The first process meets a model that refuses everything.
    refuses_all: bool,
}

impl Hazards {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "hazards");
        let slow = rng.chance(25) && SLOW_PUTS;
        Self {
            slowest_put: if slow { Duration::from_secs(2) } else { Duration::ZERO },
            interrupts: rng.chance(30),
            refuses_all: rng.chance(10) && REFUSES_ALL_AT_FIRST,
        }
    }
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "plan");
        let asked = Rng::new(seed, "models").chance(60);
        // Whoever is asked takes time: small wikis find as much of it.
        let sizes = if rng.chance(8) {
            (10, 40)
        } else if asked {
            (6, 20)
        } else {
            (8, 30)
        };
        let wiki = Wiki::new(seed, sizes);
        let mut days: Vec<Arc<Day>> = wiki.days.into_iter().map(Arc::new).collect();
        let reindex = rng.chance(50).then(|| rng.between(1, days.len()));
        if reindex == Some(days.len()) {
            days.extend(days.last().cloned());
        }
        let model = Model::new(seed);
        let mut asks = Asks::new("false", Vocabulary::default(), model.endpoints.clone());
        asks.size.chars = *rng.pick(&[1_500, 4_000, 16_000]);
        asks.long_chars = *rng.pick(&[100, 300, 2_000]);
        asks.portraits = *Rng::new(seed, "portraits").pick(&[0, 2, 50]);
        if rng.chance(20) {
            asks = asks.in_two_steps();
        }
        // What fails for ever in a job makes jobs that bring nothing.
        asks.batch = batching(seed).filter(|_| !model.fails_some());
        let mut paid = Rng::new(seed, "embeds");
        let embeds = Embeds {
            model: "false".to_owned(),
            share: Share { texts: paid.between(1, 40), bytes: 4_000 },
            allowance: model.embedder.clone(),
        };
        let limits = Limits {
            embeds: paid.chance(40).then_some(embeds),
            asks: asked.then_some(asks),
            accept_deletes: true,
            // What an undisturbed life does. One at a time makes most segments, and costs most.
            concurrency: *rng.pick(&[1, 16, 16, 16]),
            chunk_chars: *rng.pick(&[500, 800, 3_500]),
            epoch_pages: rng.between(1, 12) as u32,
            snapshot_bytes: *Rng::new(seed, "snapshots").pick(&[0, 2_000, 20_000, 256 << 10]),
            ..Limits::default()
        };
        // A question that a word opens is asked when a page speaks of it again, or everything is read again.
        let plain = limits.asks.is_none() || reindex.is_none();
        let mut said = Rng::new(seed, "says");
        let says = said.chance(50).then(|| said.below(days.len())).filter(|_| plain);
        Self {
            seed,
            says,
            days,
            strict: wiki.strict && (limits.asks.is_none() || model.is_consistent()),
            reindex,
            slice: rng.between(3, 20),
            limits,
            model,
            hazards: Hazards::new(seed),
        }
    }
}

/// Whether and how a life uses the provider's batch engine.
fn batching(seed: u64) -> Option<Batching> {
    let mut rng = Rng::new(seed, "batch");
    let prompts = *rng.pick(&[2, 10, 1_000]);
    rng.chance(40).then_some(Batching { endpoint: 0, prompts, bytes: 64 << 20 })
}

impl Plan {
    /// A day on which the same wiki is only read again.
    fn changes_nothing(&self, day: usize) -> bool {
        self.reindex == Some(day) && day > 0 && Arc::ptr_eq(&self.days[day], &self.days[day - 1])
    }
}

/// A life in progress.
struct Life<'a> {
    plan: &'a Plan,
    fates: Fates,
    disk: Disk,
    store: FaultyStore<MemoryStore>,
    rng: Rng,
    disturbed: bool,
    /// What earlier kills left on the disk.
    images: Vec<Image>,
    /// Folders of snapshots that were damaged.
    damaged: BTreeSet<String>,
    /// Processes begun so far.
    processes: usize,
    /// What a user says, while that is all a process does.
    said: Option<Ruled>,
}

/// How a process ended.
enum End {
    Done,
    Killed,
    /// It was told to stop, or found everything refused, and ended by itself.
    Stopped,
    /// It was told to stop and could not save what had arrived: whoever told it kills it in the end.
    GaveUp,
}

/// Lives one seed twice, undisturbed and disturbed, and compares.
///
/// # Errors
/// What differed, in words, with the lines that differ.
pub fn live(seed: u64) -> Result<Outcome, String> {
    let plan = Plan::new(seed);
    let mut calm = Life::begin(&plan, Vec::new(), STEPS, "calm")?;
    let graphs = match calm.pass() {
        // All that its first day asks about fails for ever: a run that ends is as it should be, and all there is.
        Err(error) if plan.model.fails_some() && error.contains("none was ever answered") => {
            return Ok(Outcome::default());
        }
        ended => ended?,
    };
    let counts = countable(&calm.fates.lock().durable, &plan);
    let steps = calm.fates.lock().steps();
    drop(calm);
    let aims = draw(&mut Rng::new(seed, "aims"), &counts);
    let allowed = steps * 10 * (aims.len() as u64 + 2) + 10_000;
    let mut life = Life::begin(&plan, aims, allowed, "wild")?;
    let ended = life.pass();
    let log = || life.fates.lock().log.join("\n    ");
    let said = ended.map_err(|error| format!("{error}\n    {}", log()))?;
    for (day, (expected, found)) in graphs.iter().zip(&said).enumerate() {
        checks::same(&format!("day {day}, against an undisturbed life"), expected, found)
            .map_err(|error| format!("{error}\n    {}", log()))?;
    }
    let fate = life.fates.lock();
    let (missed, overtaken) = fate.missed();
    if !missed.is_empty() {
        return Err(format!(
            "kill points that were not reached: {missed:?}\n    {}",
            fate.log.join("\n    ")
        ));
    }
    Ok(Outcome {
        deaths: fate.deaths,
        in_resolution: fate.in_resolution,
        shown: shown(&plan, &fate)?,
        histogram: fate.histogram.clone(),
        overtaken,
        steps,
        rows: said.last().map_or(0, |graph| graph.lines().count()),
        asked: fate.asked(),
        log: fate.log.clone(),
    })
}

/// How many records of each kind every life of a seed has, whatever happens to it.
fn countable(durable: &Counts, plan: &Plan) -> Counts {
    let mut counts = durable.clone();
    let in_jobs = plan.limits.asks.as_ref().is_some_and(|asks| asks.batch.is_some());
    for day in &mut counts {
        // How often a call has to be announced depends on which of them fail: once for each answer, at least.
        let calls = day.get("answered").copied().filter(|_| !in_jobs);
        day.remove("asking");
        day.extend(calls.map(|calls| ("asking", calls)));
        // Of others, only that there is a first one on a day does not depend on that.
        let only_first = ["submitting", "submitted", "batch_ended", "embedded"];
        day.iter_mut().filter(|(kind, _)| only_first.contains(kind)).for_each(|(_, count)| *count = 1);
        day.retain(|kind, _| !["deferred", "embedding", "not_embedded"].contains(kind));
    }
    counts
}

impl<'a> Life<'a> {
    fn begin(plan: &'a Plan, aims: Vec<crate::fate::Aim>, steps: u64, name: &str) -> Result<Self, String> {
        let disturbed = name == "wild";
        let fates = Fates::new(aims, plan.days.len(), steps, &plan.model);
        let disk =
            Disk::new(&format!("{}-{name}", plan.seed)).map_err(|error| format!("making a disk: {error}"))?;
        let store = FaultyStore::new(MemoryStore::new(), fates.clone(), disk.clone())
            .slowed(plan.hazards.slowest_put);
        let rng = Rng::new(plan.seed, "life");
        let (images, damaged) = (Vec::new(), BTreeSet::new());
        Ok(Self { plan, fates, disk, store, rng, disturbed, images, damaged, processes: 0, said: None })
    }

    /// The whole life on a runtime of its own, under virtual time: the graph after each day.
    fn pass(&mut self) -> Result<Vec<String>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error| format!("making a runtime: {error}"))?;
        runtime.block_on(async {
            let identity = Identity::new(VaultId::new(self.rng.bytes()), "simulation");
            vault::init(self.store.inner(), &identity).await.map_err(|error| error.to_string())?;
            let mut graphs: Vec<String> = Vec::new();
            for day in 0..self.plan.days.len() {
                self.fates.lock().day = day;
                self.pass_day(day, &identity).await?;
                let graph =
                    self.look().map_err(|error| format!("day {day}, looking at the graph: {error}"))?;
                if self.plan.strict && self.plan.changes_nothing(day) {
                    checks::same("after a re-indexing of the same pages", graphs[day - 1].as_str(), &graph)?;
                }
                graphs.push(graph);
            }
            let last = graphs.last().map_or("", String::as_str);
            self.fates.lock().judge()?;
            self.delete_damaged();
            // The undisturbed life comes to the same graph, or the seed fails anyway.
            if self.disturbed {
                let chars = self.plan.limits.chunk_chars;
                checks::at_the_end(self.store.inner(), &self.disk, (&identity, chars), last).await?;
            }
            Ok(graphs)
        })
    }

    async fn pass_day(&mut self, day: usize, identity: &Identity) -> Result<(), String> {
        for _ in 0..PROCESSES {
            let end = self.live_once(day, identity).await?;
            let left = self.fates.lock().paid.under_way();
            let stopping = self.fates.lock().process_ends().unwrap_or_default();
            if matches!(end, End::Done) && left > 0 {
                return Err(format!("day {day}: the run ended with {left} calls under way"));
            }
            if matches!(end, End::Done | End::Stopped) && stopping > TO_STOP {
                return Err(format!("day {day}: the run took {stopping:?} to stop"));
            }
            let broken = std::mem::take(&mut self.fates.lock().broken);
            if !broken.is_empty() {
                return Err(format!("day {day}: {}", broken.join("; ")));
            }
            match end {
                End::Done if self.is_to_speak(day).map_err(|error| format!("day {day}: {error}"))? => {}
                End::Done => return self.has_vectors(day).map_err(|error| format!("day {day}: {error}")),
                End::Killed => self.suffer()?,
                End::Stopped | End::GaveUp => {}
            }
        }
        Err(format!("day {day}: no end after {PROCESSES} processes"))
    }

    /// Whether a user speaks now, since all else of the day is done. What he has said is taken for said when the
    /// process ends that he said it to.
    fn is_to_speak(&mut self, day: usize) -> Result<bool, Error> {
        if self.plan.says != Some(day) || self.plan.changes_nothing(day) || self.said.take().is_some() {
            return Ok(false);
        }
        let Some(state) = State::open_to_read(&self.disk.state())? else { return Ok(false) };
        self.said = word(&state, self.plan.seed)?;
        Ok(self.said.is_some())
    }

    /// Whoever is paid for vectors has made all that a run that ended owes. A word on names pays for nothing: what is
    /// told otherwise since is the next run's.
    fn has_vectors(&self, day: usize) -> Result<(), Error> {
        let owes = self.plan.limits.embeds.is_some() && self.plan.says != Some(day);
        let Some(state) = State::open_to_read(&self.disk.state())?.filter(|_| owes) else { return Ok(()) };
        match state.count_owed_vectors()? {
            0 if state.has_vectors("false")? => Ok(()),
            owed => {
                Err(Error::new(Kind::Bug, format!("{owed} texts are owed a vector after a run that ended")))
            }
        }
    }

    /// One process, until it ends or is killed.
    async fn live_once(&mut self, day: usize, identity: &Identity) -> Result<End, String> {
        let reads_left = self.reads_left().await;
        let limits = self.limits(day);
        self.fates.lock().be_born(reads_left, limits.interrupt.clone());
        let refuses_all = self.disturbed && self.plan.hazards.refuses_all && self.processes == 0;
        self.fates.lock().refuses_all = refuses_all;
        self.processes += 1;
        let (interrupted, told) = (self.interrupted(), limits.interrupt.clone());
        let nonce = Nonce::new(self.rng.bytes());
        let delays = self.disturbed.then(|| Rng::new(self.rng.next(), "delays"));
        let listing = (self.plan.days[day].clone(), self.plan.slice);
        let world = FalseWorld::new(listing, self.plan.model.clone(), self.fates.clone(), delays);
        let store = self.store.clone();
        let path = self.disk.state();
        let mut process =
            Box::pin(
                async move { work(&store, &path, &identity.id.to_string(), (&world, nonce, &limits)).await },
            );
        let ended = tokio::select! {
            biased;
            () = self.fates.killed() => None,
            ended = tokio::time::timeout(LONGEST, &mut process) => Some(ended),
            () = interrupt(interrupted, &self.fates) => None,
        };
        let doomed = self.fates.lock().doomed;
        let uproot = || self.disk.uproot().map_err(|error| format!("day {day}, after {doomed:?}: {error}"));
        if doomed.is_some() {
            uproot()?;
        }
        // Taken while the process still holds its files, as a kill finds them.
        let image = ended.is_none().then(|| self.disk.image());
        drop(process);
        if let Some(image) = image {
            self.disk.restore(&image).map_err(|error| format!("putting the disk back: {error}"))?;
            self.images.push(image);
            return Ok(End::Killed);
        }
        uproot()?;
        match (ended, doomed) {
            (Some(Ok(Err(_))), Some(_)) => Ok(End::Killed),
            (Some(Ok(Ok(_))), None)
                if refuses_all && self.fates.lock().asked().calls > 0 && !told.is_raised() =>
            {
                Err(format!("day {day}: the run went on although everything was refused"))
            }
            (Some(Ok(Ok(report))), None) if report.interrupted => Ok(End::Stopped),
            (Some(Ok(Ok(_))), None) => Ok(End::Done),
            (Some(Ok(Err(error))), None) if refuses_all && error.kind() == Kind::Halt => Ok(End::Stopped),
            (Some(Ok(Err(error))), None) if told.is_raised() && error.kind() == Kind::Later => {
                Ok(End::GaveUp)
            }
            (Some(Ok(Err(error))), None) => Err(format!("day {day}: the run ended with an error: {error}")),
            (_, Some(manner)) => Err(format!("day {day}: the run went on through {}", manner.word())),
            _ => Err(format!("day {day}: the run waited for thirty days")),
        }
    }

    /// After how long a process is told to stop, if it is.
    fn interrupted(&mut self) -> Option<Duration> {
        if !self.disturbed || !self.plan.hazards.interrupts || !self.rng.chance(30) {
            return None;
        }
        // From a millisecond to some hours: most of a life passes in single days, some in milliseconds.
        let longest = 1 << self.rng.below(24);
        Some(Duration::from_millis(1 + self.rng.below(longest) as u64))
    }

    /// After some kills the next process is killed as well, while it reads the journal.
    async fn reads_left(&mut self) -> Option<u32> {
        use vault::ObjectStore;
        if !self.disturbed || self.fates.lock().deaths == 0 || !self.rng.chance(15) {
            return None;
        }
        let segments = self.store.inner().list("journal/", "", usize::MAX).await.ok()?.len();
        Some(self.rng.below(segments + 2) as u32)
    }

    fn limits(&mut self, day: usize) -> Limits {
        let fates = self.fates.clone();
        let owed = |kind| !fates.lock().durable[day].contains_key(kind);
        // Once begun, a re-indexing must go on without being asked for again.
        let ask = self.plan.reindex == Some(day)
            && (owed("reindexing") || (owed("reindexed") && self.rng.chance(50)));
        let concurrency = if self.disturbed { self.rng.between(1, 12) } else { self.plan.limits.concurrency };
        let interrupt = job::Interrupt::default();
        let ruled = self.said.clone();
        let mut limits = Limits { reindex: ask, concurrency, interrupt, ruled, ..self.plan.limits.clone() };
        if limits.ruled.is_some() {
            (limits.asks, limits.embeds) = (None, None);
        }
        // Once the jobs of a day are under way, single calls may do the rest.
        if let Some(asks) = limits.asks.as_mut().filter(|asks| asks.batch.is_some() && !owed("submitting"))
            && self.disturbed
            && self.rng.chance(30)
        {
            asks.batch = None;
        }
        limits
    }

    /// What a kill may do to the disk besides.
    fn suffer(&mut self) -> Result<(), String> {
        let (word, image) = match self.rng.below(100) {
            0..15 => ("lost disk", Some(Image::new())),
            15..30 if !self.images.is_empty() => ("stale disk", Some(self.rng.pick(&self.images).clone())),
            30..50 if self.disk.is_growing() => ("torn second file", Some(self.torn_second_file())),
            50..60 => {
                self.damage_snapshot();
                ("lost disk, damaged snapshot", Some(Image::new()))
            }
            _ => ("", None),
        };
        let Some(image) = image else { return Ok(()) };
        let mut fate = self.fates.lock();
        *fate.histogram.entry((word, "disk")).or_default() += 1;
        let line = format!("day {}: {word}", fate.day);
        fate.log.push(line);
        self.disk.restore(&image).map_err(|error| format!("{word}: {error}"))
    }

    /// A bit of the newest snapshot flips, or one of its objects is lost.
    fn damage_snapshot(&mut self) {
        let mut objects = self.store.inner().objects();
        let saved: Vec<String> =
            objects.keys().filter(|key| key.starts_with("snapshots/")).cloned().collect();
        let newest = saved.iter().filter_map(|key| key.rsplit_once('/')).map(|(folder, _)| folder).max();
        let Some(newest) = newest else { return };
        self.damaged.insert(format!("{newest}/"));
        let of_newest: Vec<&String> = saved.iter().filter(|key| key.starts_with(newest)).collect();
        let key = (*self.rng.pick(&of_newest)).clone();
        let lost = self.rng.chance(30);
        match objects.get_mut(&key).filter(|bytes| !lost && !bytes.is_empty()) {
            Some(bytes) => {
                let at = self.rng.below(bytes.len());
                bytes[at] ^= 1 << self.rng.below(8);
            }
            None => drop(objects.remove(&key)),
        }
        self.store.inner().set(objects);
    }

    /// What a person is told to do with snapshots that are damaged.
    fn delete_damaged(&mut self) {
        let mut objects = self.store.inner().objects();
        objects.retain(|key, _| !self.damaged.iter().any(|folder| key.starts_with(folder)));
        self.store.inner().set(objects);
    }

    /// A re-indexing was killed while its file was copied, or the file is lost.
    fn torn_second_file(&mut self) -> Image {
        let mut image = self.disk.image();
        image.remove("-next-wal");
        match image.remove("-next") {
            Some(mut bytes) if self.rng.chance(60) => {
                bytes.truncate(self.rng.below(bytes.len()));
                image.insert("-next", bytes);
                image
            }
            _ => image,
        }
    }

    /// The graph as a reader of the state file sees it.
    fn look(&self) -> Result<String, Error> {
        match State::open_to_read(&self.disk.state())? {
            Some(state) => state.dump(),
            None => Err(Error::new(Kind::Bug, "there is no state file")),
        }
    }
}

/// What a process does, as the command line does it: fold, open, fold what came since, run.
async fn work(
    store: &FaultyStore<MemoryStore>,
    path: &std::path::Path,
    vault_id: &str,
    (world, nonce, limits): (&FalseWorld, Nonce, &Limits),
) -> Result<Report, Error> {
    let mut state = match State::standing(path, vault_id)? {
        Standing::Absent => State::restore(path, vault_id, store, &|_| {}).await?,
        _ => State::open(path, vault_id)?,
    };
    if let Err(error) = state.catch_up(store).await {
        if error.kind() != Kind::Foreign {
            return Err(error);
        }
        drop(state);
        state = State::restore(path, vault_id, store, &|_| {}).await?;
    }
    let writer =
        Writer { host: "simulated".to_owned(), pid: 1, version: "0".to_owned(), ..Writer::default() };
    let mut vault = Vault::open(store.clone(), writer, nonce, world.now()).await?;
    state.catch_up(store).await?;
    let report = job::run(world, &mut vault, &mut state, limits).await?;
    let durable = job::end(world, &mut vault, &mut state, limits).await?;
    Ok(Report { durable, ..report })
}

/// Tells a process to stop after this long; never ends.
async fn interrupt(after: Option<Duration>, fates: &Fates) {
    if let Some(after) = after {
        tokio::time::sleep(after).await;
        fates.lock().interrupts();
    }
    std::future::pending().await
}

/// What a life has shown.
fn shown(plan: &Plan, fate: &Fate) -> Result<BTreeSet<&'static str>, String> {
    let mut shown = BTreeSet::new();
    if plan.limits.asks.is_some() {
        shown.extend(plan.model.traits());
    }
    if plan.model.endpoints.len() > 1 && plan.limits.asks.is_some() && fate.asked_all() {
        shown.insert("both endpoints asked");
    }
    let full = ["a full minute of requests", "a full minute of tokens", "a full day of requests"];
    let fill = fate.judge()?.into_iter().zip(FULL).zip(full);
    shown.extend(fill.filter(|((fill, full), _)| fill >= full).map(|(_, word)| word));
    let spoke = fate.durable.iter().any(|day| day.contains_key("ruled"));
    shown.extend(spoke.then_some("a word on names"));
    let slow = !plan.hazards.slowest_put.is_zero();
    shown.extend(slow.then_some("slow puts"));
    shown.extend((fate.asked().packs_again > 0).then_some("answered once more"));
    shown.extend((fate.asked().texts_again > 0).then_some("vectors made once more"));
    Ok(shown)
}
