//! Lives of a vault alone: several writers and readers over one false store, killed, paused and overtaken. This page
//! lives one seed; `crew` is who acts, `crate::sea` what fails, `ledger` what was promised, `checks` what must hold.
//!
//! Invariant: a life follows from its seed. One process is polled at a time, and the seed says which.

pub mod checks;
pub mod crew;
pub mod fold;
pub mod ledger;
pub mod tally;

use crate::rng::Rng;
use crate::sea::{Sea, Shore, lock};
use crew::{End, Process};
use fold::Fold;
use ledger::Ledger;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use vault::{Identity, Kind, VaultId};

/// Steps of a life before all its processes are killed.
const SPAN: (usize, usize) = (400, 2600);
/// A step may be followed by a kill in one case of so many: about three a life.
const KILLS: usize = 350;
/// The same for a pause, and its length in steps: most processes are overtaken while they sleep.
const PAUSES: usize = 250;
const PAUSE: (usize, usize) = (20, 700);
/// Steps after which a single call has not come to its end: something turns in a circle.
const ENDLESS: u64 = 200_000;
/// A year, which a clock may be off by from one moment to the next.
const YEAR_S: i64 = 31_556_952;

/// How a life went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What struck or was seen, and how often.
    pub seen: BTreeMap<&'static str, u64>,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// Processes that lived.
    pub processes: u64,
    /// What befell them, in order.
    pub log: Vec<String>,
}

type Life = Pin<Box<dyn Future<Output = Result<(), End>>>>;

/// A place where one process after the other runs.
struct Berth {
    machine: u32,
    writes: bool,
    disk: Arc<Mutex<Option<Fold>>>,
    process: u32,
    life: Option<Life>,
    wakes: u64,
}

/// A life under way.
struct World {
    rng: Rng,
    sea: Arc<Mutex<Sea>>,
    ledger: Arc<Mutex<Ledger>>,
    clocks: Vec<Arc<Mutex<i64>>>,
    processes: u32,
    log: Vec<String>,
}

/// Lives a seed over deep or shallow water.
pub fn live(seed: u64, deep: bool) -> Result<Outcome, String> {
    let mut rng = Rng::new(seed, "vaults");
    let vexed = *rng.pick(&[(0, 0), (5, 0), (15, 2), (40, 5)]);
    let sea = Arc::new(Mutex::new(Sea::new(Rng::new(seed, "sea"), deep, (0, 0))));
    let clocks = (0..3).map(|_| Arc::new(Mutex::new(1_790_000_000))).collect();
    let ledger = Arc::default();
    let mut world = World { rng, sea, ledger, clocks, processes: 0, log: Vec::new() };
    let identity = Identity::new(VaultId::new(world.rng.bytes()), "test");
    finish(vault::init(&quiet(&world), &identity)).and_then(|end| end.map_err(|error| error.to_string()))?;
    lock(&world.sea).vexed = vexed;
    let end = world.runs().and_then(|()| checks::at_rest(&mut world));
    match end {
        Ok(()) => Ok(world.outcome()),
        Err(why) => {
            let log = world.log.iter().map(|line| format!("\n    {line}")).collect::<String>();
            Err(format!("{why}{log}"))
        }
    }
}

/// A way to the sea for whoever looks on; its steps are nobody's.
fn quiet(world: &World) -> Shore {
    Shore::new(world.sea.clone(), u32::MAX, 0)
}

/// Runs a future that nobody else disturbs to its end.
fn finish<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..ENDLESS {
        if let Poll::Ready(end) = future.as_mut().poll(&mut context) {
            return Ok(end);
        }
    }
    Err("a call did not come to an end".to_owned())
}

impl World {
    fn process(&mut self, machine: u32, disk: &Arc<Mutex<Option<Fold>>>) -> Process {
        self.processes += 1;
        let shore = Shore::new(self.sea.clone(), machine, self.processes);
        let clock = self.clocks[machine as usize % self.clocks.len()].clone();
        Process { shore, ledger: self.ledger.clone(), disk: disk.clone(), clock, seed: self.rng.next() }
    }

    fn says(&mut self, text: String) {
        let step = lock(&self.sea).step;
        self.log.push(format!("step {step}: {text}"));
    }

    fn sees(&self, word: &'static str) {
        lock(&self.ledger).sees(word);
    }

    fn berths(&mut self) -> Vec<Berth> {
        let writers = self.rng.between(2, 3);
        let machines = self.rng.between(1, 2);
        let readers = self.rng.between(0, 1);
        let berth = |at: usize| Berth {
            machine: (at % machines) as u32,
            writes: at < writers,
            disk: Arc::default(),
            process: 0,
            life: None,
            wakes: 0,
        };
        (0..writers + readers).map(berth).collect()
    }

    fn runs(&mut self) -> Result<(), String> {
        let mut berths = self.berths();
        let span = self.rng.between(SPAN.0, SPAN.1) as u64;
        let damage = self.rng.chance(10).then(|| self.rng.between(SPAN.0 / 2, SPAN.1) as u64);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            lock(&self.sea).turn();
            let step = lock(&self.sea).step;
            if step >= span {
                break;
            }
            if damage == Some(step) {
                checks::damage_shows(self)?;
            }
            let at = self.rng.below(berths.len());
            let berth = &mut berths[at];
            if berth.wakes > step {
                continue;
            }
            if berth.life.is_none() {
                self.begins(berth);
                continue;
            }
            let Some(life) = &mut berth.life else { continue };
            if let Poll::Ready(end) = life.as_mut().poll(&mut context) {
                berth.life = None;
                berth.wakes = step + self.rng.below(60) as u64;
                self.ends(berth.process, end)?;
                continue;
            }
            self.befalls(berth);
        }
        // Killed, all of them, where they stand.
        drop(berths);
        lock(&self.sea).calm();
        Ok(())
    }

    fn begins(&mut self, berth: &mut Berth) {
        if self.rng.chance(40) {
            *lock(&berth.disk) = None;
        }
        let process = self.process(berth.machine, &berth.disk);
        berth.process = process.shore.process;
        self.says(format!("process {} begins on machine {}", berth.process, berth.machine));
        berth.life = Some(match berth.writes {
            true => Box::pin(process.write()),
            false => Box::pin(process.follow()),
        });
    }

    /// What can befall a process between two steps.
    fn befalls(&mut self, berth: &mut Berth) {
        if self.rng.below(KILLS) == 0 {
            berth.life = None;
            self.sees("killed");
            self.says(format!("process {} is killed", berth.process));
        } else if self.rng.below(PAUSES) == 0 {
            let steps = self.rng.between(PAUSE.0, PAUSE.1);
            berth.wakes = lock(&self.sea).step + steps as u64;
            self.sees("paused");
            self.says(format!("process {} is paused for {steps}", berth.process));
        } else if self.rng.below(PAUSES) == 0 {
            let years = if self.rng.chance(50) { YEAR_S } else { -YEAR_S };
            *lock(&self.clocks[berth.machine as usize]) += years;
            self.sees("clock jumped");
        }
    }

    fn ends(&mut self, process: u32, end: Result<(), End>) -> Result<(), String> {
        match end {
            Ok(()) | Err(End::Over) => Ok(()),
            Err(End::Wrong(text)) => Err(format!("process {process}: {text}")),
            Err(End::Refused(error)) => {
                self.says(format!("process {process} ended: {error}"));
                let names_deleted = lock(&self.sea).deleted.iter().any(|key| error.to_string().contains(key));
                match error.kind() {
                    Kind::Later | Kind::Halt | Kind::Fenced | Kind::NotInChain => Ok(()),
                    // Somebody deleted it while it was read.
                    Kind::Damaged if names_deleted => {
                        self.sees("deleted while it was read");
                        Ok(())
                    }
                    // No vault can know better; it is over when that file is closed.
                    Kind::Damaged if lock(&self.sea).deceived.contains(&process) => {
                        self.sees("deceived by its mount");
                        Ok(())
                    }
                    kind => Err(format!("process {process}: {kind:?}: {error}")),
                }
            }
        }
    }

    fn outcome(self) -> Outcome {
        let ledger = lock(&self.ledger);
        let mut seen = lock(&self.sea).struck.clone();
        ledger.seen.iter().for_each(|(word, count)| *seen.entry(word).or_default() += count);
        let (acknowledged, processes) = (ledger.acknowledged.len() as u64, u64::from(self.processes));
        drop(ledger);
        Outcome { seen, acknowledged, processes, log: self.log }
    }
}
