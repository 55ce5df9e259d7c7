//! Whole runs in virtual time against a strict server: it counts what arrives in a true sliding window and refuses
//! what is over. The ledger is judged by that count, never by its own.

use super::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// Microseconds since the run began.
type Micros = i64;
const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;

fn time(at: Micros) -> Timestamp {
    // 2026-01-01, eight in the evening of the day before in California.
    Timestamp::from_microsecond(1_767_240_000 * SECOND + at).unwrap()
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % sides.max(1)
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.roll(high - low + 1)
    }

    /// Every order of magnitude alike.
    fn spread(&mut self, low: i64, high: i64) -> i64 {
        let part = self.roll(1_000_000) as f64 / 1e6;
        (low as f64 * (high as f64 / low as f64).powf(part)) as i64
    }
}

/// What the run is like.
#[derive(Clone)]
struct World {
    endpoints: Vec<Allowance>,
    /// Calls served before the run is over.
    calls: usize,
    tokens: (i64, i64),
    /// How far the reservation is off the count, in thousandths either way.
    misjudged: i64,
    latency: (Micros, Micros),
    jitter: Micros,
    /// A kill in every window, and how long the process is down at most.
    kills: Option<Micros>,
    /// Requests a minute of somebody else with the same quota, from and until when.
    others: (i64, Micros, Micros),
    /// Everything is refused between these times.
    storm: (Micros, Micros),
    /// One in so many calls fails.
    faults: i64,
    hints: bool,
    /// Calls that the server works on at once; the rest queue.
    workers: Option<usize>,
    seed: u64,
}

impl World {
    fn of(endpoints: Vec<Allowance>, calls: usize) -> Self {
        Self {
            endpoints,
            calls,
            tokens: (4_000, 4_000),
            misjudged: 0,
            latency: (SECOND / 100, 5 * MINUTE),
            jitter: SECOND / 4,
            kills: None,
            others: (0, 0, 0),
            storm: (0, 0),
            faults: 0,
            hints: true,
            workers: None,
            seed: 1054,
        }
    }
}

fn rpm(limit: u32) -> Allowance {
    Allowance { requests_per_minute: Some(limit), max_concurrency: 10_000, ..Allowance::default() }
}

/// The provider's side of one endpoint.
struct Server {
    allowance: Allowance,
    minute: VecDeque<(Micros, i64)>,
    day: VecDeque<Micros>,
    refused: usize,
    most: usize,
    /// When each worker is free.
    workers: Vec<Micros>,
}

impl Server {
    fn new(world: &World, allowance: &Allowance) -> Self {
        Self {
            allowance: allowance.clone(),
            minute: VecDeque::new(),
            day: VecDeque::new(),
            refused: 0,
            most: 0,
            workers: vec![0; world.workers.unwrap_or(0)],
        }
    }

    /// Takes a place, or says how long to wait.
    fn take(&mut self, now: Micros, tokens: i64) -> Result<(), Micros> {
        let window = self.allowance.window.as_micros() as Micros;
        while self.minute.front().is_some_and(|(at, _)| now - at >= window) {
            self.minute.pop_front();
        }
        let given_back = |at: Micros| match &self.allowance.day {
            Day::Rolling => at + 24 * 60 * MINUTE,
            Day::Midnight(zone) => {
                let morrow = time(at).to_zoned(zone.clone()).tomorrow().unwrap().start_of_day().unwrap();
                morrow.timestamp().duration_since(time(0)).as_micros() as Micros
            }
        };
        while self.day.front().is_some_and(|at| now >= given_back(*at)) {
            self.day.pop_front();
        }
        let limit = self.allowance.requests_per_minute.map_or(usize::MAX, |limit| limit as usize);
        if self.minute.len() >= limit {
            return Err(self.minute[0].0 + window - now);
        }
        let worth: i64 = self.minute.iter().map(|(_, tokens)| tokens).sum();
        if self.allowance.tokens_per_minute.is_some_and(|limit| worth + tokens > limit as i64) {
            return Err(self.minute[0].0 + window - now);
        }
        if self.allowance.requests_per_day.is_some_and(|limit| self.day.len() >= limit as usize) {
            return Err(given_back(self.day[0]) - now);
        }
        self.minute.push_back((now, tokens));
        if self.allowance.requests_per_day.is_some() {
            self.day.push_back(now);
        }
        self.most = self.most.max(self.minute.len());
        Ok(())
    }

    /// When a call of this latency is done.
    fn work(&mut self, now: Micros, latency: Micros) -> Micros {
        let Some(free) = self.workers.iter_mut().min() else { return now + latency };
        *free = now.max(*free) + latency;
        *free
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Turn,
    Launch(u64),
    Arrive(u64),
    Ended(u64),
    Others,
    Kill,
    Restart,
}

struct Asked {
    life: u32,
    endpoint: usize,
    tokens: i64,
    sent: Option<Micros>,
    end: Option<End>,
}

/// What a run came to.
#[derive(Debug)]
struct Outcomes {
    took: Micros,
    down: Micros,
    served: Vec<usize>,
    tokens: i64,
    refused: usize,
    lost: usize,
    most: Vec<usize>,
    /// Served, refused, and tokens served in each minute.
    minutes: BTreeMap<i64, (usize, usize, i64)>,
    concurrency: u32,
}

struct Run {
    world: World,
    dice: Dice,
    heap: BinaryHeap<Reverse<(Micros, u64, Event)>>,
    number: u64,
    asked: BTreeMap<u64, Asked>,
    rows: Vec<Vec<Call>>,
    ledgers: Vec<Ledger>,
    servers: Vec<Server>,
    wake: Micros,
    life: u32,
    alive: bool,
    killed_at: Micros,
    next_tokens: i64,
    outcomes: Outcomes,
}

impl Run {
    fn new(world: World) -> Self {
        let count = world.endpoints.len();
        let mut run = Self {
            dice: Dice(world.seed),
            heap: BinaryHeap::new(),
            number: 0,
            asked: BTreeMap::new(),
            rows: vec![Vec::new(); count],
            ledgers: world.endpoints.iter().cloned().map(Ledger::new).collect(),
            servers: world.endpoints.iter().map(|one| Server::new(&world, one)).collect(),
            wake: Micros::MAX,
            life: 0,
            alive: true,
            killed_at: 0,
            next_tokens: world.tokens.0,
            outcomes: Outcomes {
                took: 0,
                down: 0,
                served: vec![0; count],
                tokens: 0,
                refused: 0,
                lost: 0,
                most: vec![0; count],
                minutes: BTreeMap::new(),
                concurrency: 0,
            },
            world,
        };
        run.push(0, Event::Turn);
        if run.world.kills.is_some() {
            run.push(MINUTE / 2, Event::Kill);
        }
        if run.world.others.0 > 0 {
            run.push(run.world.others.1, Event::Others);
        }
        run
    }

    fn push(&mut self, at: Micros, event: Event) {
        self.number += 1;
        self.heap.push(Reverse((at, self.number, event)));
    }

    fn finish(mut self) -> Outcomes {
        while let Some(Reverse((now, _, event))) = self.heap.pop() {
            match event {
                Event::Turn => self.turn(now),
                Event::Launch(ticket) => self.launch(now, ticket),
                Event::Arrive(ticket) => self.arrive(now, ticket),
                Event::Ended(ticket) => self.ended(now, ticket),
                Event::Others => self.others(now),
                Event::Kill => self.kill(now),
                Event::Restart => self.restart(now),
            }
            if self.outcomes.served.iter().sum::<usize>() >= self.world.calls {
                break;
            }
        }
        self.outcomes.most = self.servers.iter().map(|server| server.most).collect();
        self.outcomes.refused = self.servers.iter().map(|server| server.refused).sum();
        self.outcomes.concurrency = self.ledgers[0].concurrency();
        self.outcomes
    }

    /// What the loop does between two sleeps. Recording what was decided takes 5 to 30 ms.
    fn turn(&mut self, now: Micros) {
        if now >= self.wake {
            self.wake = Micros::MAX;
        }
        if !self.alive {
            return;
        }
        self.ledgers.iter_mut().for_each(|ledger| ledger.advance(time(now)));
        let record = self.dice.between(SECOND / 200, SECOND / 33);
        loop {
            let tokens = self.next_tokens;
            let off = self.world.misjudged;
            let reserved = (tokens + tokens * self.dice.between(-off, off) / 1_000) as u64;
            match slot(&self.ledgers, reserved, time(now)) {
                Slot::Now(endpoint) => {
                    self.number += 1;
                    let ticket = self.number;
                    self.ledgers[endpoint].begin(Ticket(ticket), reserved, time(now));
                    let row = Call {
                        ticket: Ticket(ticket),
                        tokens: reserved,
                        at: time(now),
                        state: State::InFlight,
                    };
                    self.rows[endpoint].push(row);
                    let life = self.life;
                    self.asked.insert(ticket, Asked { life, endpoint, tokens, sent: None, end: None });
                    self.push(now + record, Event::Launch(ticket));
                    self.next_tokens = self.dice.between(self.world.tokens.0, self.world.tokens.1);
                }
                Slot::At(at) => {
                    let at = at.duration_since(time(0)).as_micros() as Micros + self.dice.between(1, 2_000);
                    assert!(at > now, "an opening lies ahead");
                    if at < self.wake {
                        self.wake = at;
                        self.push(at, Event::Turn);
                    }
                    return;
                }
                Slot::Busy => return,
                Slot::Never(why) => panic!("{why}"),
            }
        }
    }

    fn launch(&mut self, now: Micros, ticket: u64) {
        let asked = self.asked.get_mut(&ticket).unwrap();
        if asked.life != self.life {
            return;
        }
        let (endpoint, reserved) = (asked.endpoint, asked.tokens as u64);
        let reserved = match self.rows[endpoint].iter_mut().rev().find(|row| row.ticket.0 == ticket) {
            Some(row) => {
                row.at = time(now);
                row.tokens
            }
            None => reserved,
        };
        let sent = now + self.dice.between(100, 5_000);
        self.asked.get_mut(&ticket).unwrap().sent = Some(sent);
        self.ledgers[endpoint].begin(Ticket(ticket), reserved, time(now));
        // Most arrive within a quarter of the jitter, one in twenty anywhere in it.
        let far = if self.dice.roll(20) == 0 { self.world.jitter } else { self.world.jitter / 4 };
        let way = self.dice.between(1_000, far.max(1_001));
        self.push(sent + way, Event::Arrive(ticket));
    }

    fn arrive(&mut self, now: Micros, ticket: u64) {
        let asked = &self.asked[&ticket];
        let (endpoint, tokens, sent) = (asked.endpoint, asked.tokens, asked.sent);
        let server = &mut self.servers[endpoint];
        let (from, until) = self.world.storm;
        let verdict = match (from..until).contains(&now) {
            true => Err(20 * SECOND),
            false => server.take(now, tokens),
        };
        let minute = self.outcomes.minutes.entry(now / MINUTE).or_default();
        let back = self.dice.between(1_000, 40_000);
        let (at, outcome) = match verdict {
            Err(wait) => {
                server.refused += 1;
                minute.1 += 1;
                let wait = self.world.hints.then(|| SignedDuration::from_micros(wait));
                (now + back, Outcome::Refused(wait))
            }
            Ok(()) if self.world.faults > 0 && self.dice.roll(self.world.faults) == 0 => {
                (now + back, Outcome::Failed(None))
            }
            Ok(()) => {
                let latency = self.dice.spread(self.world.latency.0, self.world.latency.1);
                minute.0 += 1;
                minute.2 += tokens;
                self.outcomes.served[endpoint] += 1;
                self.outcomes.tokens += tokens;
                self.outcomes.took = now;
                (server.work(now, latency) + back, Outcome::Answered(Some(tokens as u64)))
            }
        };
        self.asked.get_mut(&ticket).unwrap().end =
            Some(End { sent_at: sent.map(time), at: time(at), outcome });
        let record = self.dice.between(SECOND / 200, SECOND / 33);
        self.push(at + record, Event::Ended(ticket));
    }

    fn ended(&mut self, now: Micros, ticket: u64) {
        let asked = self.asked.remove(&ticket).unwrap();
        if asked.life != self.life || !self.alive {
            return;
        }
        let end = asked.end.unwrap();
        self.ledgers[asked.endpoint].settle(Ticket(ticket), &end);
        let row = self.rows[asked.endpoint].iter_mut().rev().find(|row| row.ticket.0 == ticket).unwrap();
        row.state = State::Ended(end);
        self.turn(now);
    }

    fn others(&mut self, now: Micros) {
        let _refused_too = self.servers[0].take(now, 0).is_err();
        let (each_minute, _, until) = self.world.others;
        if now < until {
            let gap = MINUTE / each_minute;
            let next = now + self.dice.between(gap / 2, gap * 3 / 2);
            self.push(next, Event::Others);
        }
    }

    fn kill(&mut self, now: Micros) {
        let down = self.world.kills.unwrap();
        self.alive = false;
        self.life += 1;
        self.killed_at = now;
        self.outcomes.lost += self.ledgers.iter().map(Ledger::under_way).sum::<usize>();
        let back = now + self.dice.between(1, down);
        self.push(back, Event::Restart);
        let next = (now / MINUTE + 1) * MINUTE + self.dice.roll(MINUTE);
        self.push(next.max(back + 1), Event::Kill);
    }

    fn restart(&mut self, now: Micros) {
        self.alive = true;
        self.outcomes.down += now - self.killed_at;
        for (index, rows) in self.rows.iter_mut().enumerate() {
            let allowance = &self.world.endpoints[index];
            let known = after(time(now), -allowance.memory());
            for row in rows.iter_mut().filter(|row| row.state == State::InFlight) {
                (row.state, row.at) = (State::Crashed, time(now));
            }
            rows.retain(|row| row.at >= known);
            self.ledgers[index] = Ledger::replayed(allowance.clone(), rows.iter().cloned());
        }
        self.turn(now);
    }
}

fn run(world: World) -> Outcomes {
    Run::new(world).finish()
}

/// The part of the allowance that was used, were the best run possible one that fills each window at once.
fn part_used(outcomes: &Outcomes, limit: u32) -> f64 {
    let calls = outcomes.served.iter().sum::<usize>() + outcomes.lost;
    let best = (calls - 1) / limit as usize;
    best as f64 * MINUTE as f64 / (outcomes.took - outcomes.down) as f64
}

fn told(what: &str, used: f64, outcomes: &Outcomes) {
    println!(
        "{what}: used {:.2} %, {} served in {:.1} min, {} refused, {} lost to kills, at most {:?} in a window",
        used * 100.0,
        outcomes.served.iter().sum::<usize>(),
        outcomes.took as f64 / MINUTE as f64,
        outcomes.refused,
        outcomes.lost,
        outcomes.most,
    );
}

/// Requests a minute, and calls to make: whole windows and the first call of another.
const RATES: [(u32, usize); 3] = [(5, 1_501), (60, 3_001), (600, 12_001)];

#[test]
fn the_allowance_is_kept_full_and_never_exceeded() {
    for (limit, calls) in RATES {
        for seed in 0..5 {
            let outcomes = run(World { seed, ..World::of(vec![rpm(limit)], calls) });
            let used = part_used(&outcomes, limit);
            told(&format!("{limit} a minute"), used, &outcomes);
            assert!(used >= 0.99, "{used}");
            assert_eq!(outcomes.refused, 0);
        }
    }
}

#[test]
fn jitter_beyond_the_margin_costs_at_most_one_refusal_in_a_thousand() {
    for (limit, calls) in RATES {
        // Four fifths arrive within 100 ms of each other, one in twenty anywhere within 400.
        let outcomes = run(World { jitter: SECOND * 4 / 10, ..World::of(vec![rpm(limit)], calls) });
        let used = part_used(&outcomes, limit);
        told(&format!("{limit} a minute, 400 ms of jitter"), used, &outcomes);
        assert!(outcomes.refused * 1_000 <= calls, "{outcomes:?}");
        assert!(used >= 0.99, "{used}");
    }
}

#[test]
fn kills_in_every_window_cost_what_was_in_flight_and_no_refusal() {
    for (limit, calls) in RATES {
        for seed in 0..5 {
            let world = World { seed, kills: Some(3 * SECOND), ..World::of(vec![rpm(limit)], calls) };
            let outcomes = run(world);
            let used = part_used(&outcomes, limit);
            told(&format!("{limit} a minute, killed in every window"), used, &outcomes);
            let served =
                outcomes.served[0] as f64 / f64::from(limit) / (outcomes.took as f64 / MINUTE as f64);
            println!("  {:.1} % of the whole allowance, kills and all", served * 100.0);
            assert!(used >= 0.99, "{used}");
            assert_eq!(outcomes.refused, 0);
        }
    }
}

fn tpm(limit: u64) -> Allowance {
    Allowance { tokens_per_minute: Some(limit), max_concurrency: 10_000, ..Allowance::default() }
}

/// The part of the time that the best run would have taken, times the part of each window that was filled: prompts
/// of different sizes leave a gap at its brim. What was in flight at kills counts as 4,000 tokens each.
fn part_of_tokens(outcomes: &Outcomes, limit: u64) -> f64 {
    let lost = outcomes.lost as i64 * 4_000;
    let best = (outcomes.tokens + lost) / limit as i64;
    let filled: i64 = outcomes.minutes.range(..best).map(|(_, minute)| minute.2).sum();
    let in_time = (best * MINUTE) as f64 / (outcomes.took - outcomes.down) as f64;
    in_time * ((filled + lost) as f64 / (best as f64 * limit as f64)).min(1.0)
}

#[test]
fn tokens_a_minute_are_kept_full_and_never_exceeded() {
    let plain = World::of(vec![tpm(2_000_000)], 20_250);
    for (what, world) in [
        ("prompts of 4,000", plain.clone()),
        ("prompts of 500 to 7,500", World { tokens: (500, 7_500), ..plain.clone() }),
        (
            "killed in every window",
            World { kills: Some(SECOND), latency: (SECOND / 10, 10 * SECOND), ..plain },
        ),
    ] {
        let outcomes = run(world);
        let used = part_of_tokens(&outcomes, 2_000_000);
        told(&format!("2M tokens a minute, {what}"), used, &outcomes);
        assert!(used >= 0.99, "{used}");
        assert_eq!(outcomes.refused, 0);
    }
}

#[test]
fn misjudged_tokens_are_settled_by_usage() {
    let world =
        World { misjudged: 30, latency: (SECOND, 20 * SECOND), ..World::of(vec![tpm(2_000_000)], 20_250) };
    let outcomes = run(world);
    let used = part_of_tokens(&outcomes, 2_000_000);
    told("2M tokens a minute, reservations 3 % off", used, &outcomes);
    assert!(outcomes.refused * 1_000 <= 20_000, "{outcomes:?}");
    assert!(used >= 0.985, "{used}");
}

#[test]
fn both_limits_hold_together() {
    let allowance = Allowance { requests_per_minute: Some(600), ..tpm(2_000_000) };
    let outcomes = run(World { tokens: (500, 7_500), ..World::of(vec![allowance], 12_250) });
    let used = part_of_tokens(&outcomes, 2_000_000);
    told("600 requests and 2M tokens a minute", used, &outcomes);
    assert_eq!(outcomes.refused, 0);
    assert!(used >= 0.99, "{used}");
}

#[test]
fn requests_a_day_are_used_and_never_exceeded() {
    for (what, day, best) in
        [("rolling", Day::Rolling, 2 * 24 * 60 * MINUTE), ("pacific", Day::pacific(), (4 + 24) * 60 * MINUTE)]
    {
        for kills in [None, Some(3 * SECOND)] {
            let allowance = Allowance { requests_per_day: Some(500), day: day.clone(), ..rpm(60) };
            let mut world = World { kills, ..World::of(vec![allowance], 1_001) };
            world.latency.1 = 30 * SECOND;
            let outcomes = run(world);
            println!(
                "500 a day, {what}, kills {}: 1,001 served in {:.2} h of {:.2}, {} refused, {} lost",
                kills.is_some(),
                outcomes.took as f64 / 60.0 / MINUTE as f64,
                best as f64 / 60.0 / MINUTE as f64,
                outcomes.refused,
                outcomes.lost
            );
            assert_eq!(outcomes.refused, 0);
            // What is lost to kills is lost for the day.
            let allowed = if kills.is_some() { 48 * 60 * MINUTE } else { best + best / 100 };
            assert!(kills.is_some() || outcomes.took <= allowed, "{outcomes:?}");
        }
    }
}

#[test]
fn keys_side_by_side_are_all_full_and_share_by_size() {
    let outcomes = run(World::of(vec![rpm(60), rpm(60), rpm(120)], 4_801));
    let used = part_used(&outcomes, 240);
    told("keys of 60, 60 and 120", used, &outcomes);
    println!("  by key: {:?}", outcomes.served);
    assert!(used >= 0.99, "{used}");
    assert_eq!(outcomes.refused, 0);
}

#[test]
fn a_share_of_the_quota_is_found_and_given_back() {
    let mut seen = Vec::new();
    for (limit, others, hints) in
        [(60, 24, true), (60, 24, false), (600, 300, true), (600, 300, false), (5, 2, true)]
    {
        let calls = limit as usize * 120;
        let world = World { others: (others, 0, 120 * MINUTE), hints, ..World::of(vec![rpm(limit)], calls) };
        let outcomes = run(world);
        let spoiled = |from: i64, until: i64| {
            let minutes = outcomes.minutes.range(from..until).map(|(_, minute)| (minute.0, minute.1));
            minutes.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
        };
        let (shared, refused) = spoiled(20, 120);
        let ours = shared as f64 / 100.0 / (i64::from(limit) - others) as f64;
        let (alone, _) = spoiled(150, 160);
        let back = alone as f64 / 10.0 / f64::from(limit);
        println!(
            "{limit} a minute, others use {others}, hints {hints}: {:.1} % of the rest used, {:.2} % refused; \
             half an hour after they stopped {:.1} %",
            ours * 100.0,
            refused as f64 * 100.0 / shared as f64,
            back * 100.0
        );
        seen.push((ours, refused as f64 / shared as f64, back));
    }
    for (ours, refused, back) in seen {
        // Of five a minute one place is a fifth: there the share is coarse.
        assert!(ours >= 0.75 && refused <= 0.1 && back >= 0.97, "{ours}, {refused}, {back}");
    }
}

#[test]
fn a_storm_is_waited_out() {
    for hints in [true, false] {
        let storm = (10 * MINUTE, 20 * MINUTE);
        let outcomes = run(World { storm, hints, ..World::of(vec![rpm(60)], 3_600) });
        let asked: usize = outcomes.minutes.range(10..20).map(|(_, count)| count.1).sum();
        let soon: usize = outcomes.minutes.range(20..30).map(|(_, count)| count.0).sum();
        let later: usize = outcomes.minutes.range(52..57).map(|(_, count)| count.0).sum();
        println!(
            "ten minutes of 429, hints {hints}: {asked} refused; then {soon} of 600, later {later} of 300"
        );
        assert!(asked <= 60, "{asked}");
        assert!(soon >= 50, "{soon}");
        assert!(later >= 295, "{later}");
    }
}

#[test]
fn scattered_faults_cost_little() {
    for (limit, calls) in RATES {
        let outcomes = run(World { faults: 100, ..World::of(vec![rpm(limit)], calls) });
        let used = part_used(&outcomes, limit);
        told(&format!("{limit} a minute, one fault in a hundred"), used, &outcomes);
        assert_eq!(outcomes.refused, 0);
        // A fault used its place too: it is not served, but counted.
        assert!(used >= 0.975, "{used}");
    }
}

#[test]
fn without_limits_the_concurrency_is_found() {
    for (workers, latency) in
        [(16, (SECOND, SECOND)), (16, (SECOND / 10, 10 * SECOND)), (1, (SECOND, SECOND))]
    {
        let allowance = Allowance { max_concurrency: 64, ..Allowance::default() };
        let world = World { latency, workers: Some(workers), ..World::of(vec![allowance], 4_000) };
        let outcomes = run(world);
        let mean =
            if latency.0 == latency.1 { 1.0 } else { (latency.1 - latency.0) as f64 / 1e6 / 100f64.ln() };
        let busy = 4_000.0 * mean / workers as f64 / (outcomes.took as f64 / 1e6);
        println!(
            "{workers} workers, {latency:?}: busy {:.1} %, {} at once",
            busy * 100.0,
            outcomes.concurrency
        );
        assert!(busy >= 0.8, "{busy}");
    }
    let four = run(World { latency: (SECOND, SECOND), ..World::of(vec![Allowance::default()], 400) });
    assert_eq!(four.concurrency, 4);
}
