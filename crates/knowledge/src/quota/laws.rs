//! The laws of the ledger, over random lives: small limits, so that they are met all the time.

use super::brake::backoff;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_767_240_000_000 + millis).unwrap()
}

/// A step of a life: how long it takes in milliseconds, what happens, and two numbers for it.
type Step = (i64, u8, u8, u16);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((0i64..8_000, 0u8..10, any::<u8>(), any::<u16>()), 1..200)
}

fn allowances() -> impl Strategy<Value = Allowance> {
    let (requests, tokens) = (proptest::option::of(1u32..8), proptest::option::of(1_000u64..4_000));
    (requests, tokens, proptest::option::of(1u32..30), 1u32..12).prop_map(|(requests, tokens, day, most)| {
        Allowance {
            requests_per_minute: requests,
            tokens_per_minute: tokens,
            requests_per_day: day,
            max_concurrency: most,
            ..Allowance::default()
        }
    })
}

/// A life: what was asked, when it arrived, and the rows that tell of it.
struct Life {
    now: i64,
    ledger: Ledger,
    rows: Vec<Call>,
    /// Begun and sent, in milliseconds, of what is under way.
    under_way: BTreeMap<u64, (i64, i64)>,
    /// When, how many tokens, which.
    arrived: Vec<(i64, u64, u64)>,
    /// Not served: tokens and days do not count these.
    refused: BTreeSet<u64>,
}

impl Life {
    fn new(allowance: Allowance) -> Self {
        let ledger = Ledger::new(allowance);
        Self {
            now: 0,
            ledger,
            rows: Vec::new(),
            under_way: BTreeMap::new(),
            arrived: Vec::new(),
            refused: BTreeSet::new(),
        }
    }

    fn step(&mut self, (millis, what, which, number): Step) {
        self.now += millis;
        self.ledger.advance(time(self.now));
        match what {
            0..=4 => self.ask(u64::from(number % 900) + 1, i64::from(which)),
            5..=7 => self.end(which, number),
            8 => self.restart(),
            _ => {}
        }
    }

    fn ask(&mut self, tokens: u64, delay: i64) {
        if self.ledger.opens(tokens, time(self.now)) != Opening::Now {
            return;
        }
        let ticket = self.rows.len() as u64;
        self.ledger.begin(Ticket(ticket), tokens, time(self.now));
        let row = Call { ticket: Ticket(ticket), tokens, at: time(self.now), state: State::InFlight };
        self.rows.push(row);
        // On its way less than the margin of 300 ms.
        self.under_way.insert(ticket, (self.now, self.now + delay / 4));
        self.arrived.push((self.now + delay, tokens, ticket));
        self.now += delay;
    }

    fn end(&mut self, which: u8, number: u16) {
        let Some(ticket) =
            self.under_way.keys().nth(usize::from(which) % self.under_way.len().max(1)).copied()
        else {
            return;
        };
        let (_, sent) = self.under_way.remove(&ticket).unwrap();
        let wait = number.is_multiple_of(3).then(|| SignedDuration::from_millis(i64::from(number) % 30_000));
        let outcome = match number % 8 {
            0 => Outcome::Failed(wait),
            // A server that counts refused calls sees them too.
            1 => Outcome::Refused(wait),
            _ => Outcome::Answered(None),
        };
        if matches!(outcome, Outcome::Refused(_)) {
            self.refused.insert(ticket);
        }
        let end = End { sent_at: Some(time(sent)), at: time(self.now), outcome };
        self.ledger.settle(Ticket(ticket), &end);
        self.rows[ticket as usize].state = State::Ended(end);
    }

    fn restart(&mut self) {
        self.under_way.clear();
        for row in self.rows.iter_mut().filter(|row| row.state == State::InFlight) {
            (row.state, row.at) = (State::Crashed, time(self.now));
        }
        self.ledger = Ledger::replayed(self.ledger.allowance().clone(), self.rows.clone());
        self.ledger.advance(time(self.now));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_window_ever_holds_more_than_is_allowed(allowance in allowances(), steps in steps()) {
        let mut life = Life::new(allowance.clone());
        steps.into_iter().for_each(|step| life.step(step));
        for (first, ..) in &life.arrived {
            let within = |length: i64| life.arrived.iter().filter(move |(at, ..)| (0..length).contains(&(at - first)));
            let requests = within(60_000).count();
            prop_assert!(requests <= allowance.requests_per_minute.map_or(usize::MAX, |limit| limit as usize));
            let tokens: u64 = within(60_000).filter(|call| !life.refused.contains(&call.2)).map(|call| call.1).sum();
            prop_assert!(tokens <= allowance.tokens_per_minute.unwrap_or(u64::MAX));
            let day = within(86_400_000).filter(|call| !life.refused.contains(&call.2)).count();
            prop_assert!(day <= allowance.requests_per_day.map_or(usize::MAX, |limit| limit as usize));
        }
    }

    #[test]
    fn a_replayed_ledger_answers_like_the_one_that_was_kept(allowance in allowances(), steps in steps()) {
        let mut life = Life::new(allowance.clone());
        steps.into_iter().filter(|step| step.1 != 8).for_each(|step| life.step(step));
        let mut again = Ledger::replayed(allowance, life.rows.iter().rev().cloned());
        for millis in [0, 10_000, 60_000, 3_600_000] {
            life.ledger.advance(time(life.now + millis));
            again.advance(time(life.now + millis));
            for tokens in [1, 300, 900] {
                let now = time(life.now + millis);
                prop_assert_eq!(life.ledger.opens(tokens, now), again.opens(tokens, now));
            }
        }
    }

    #[test]
    fn who_waits_for_the_time_named_gets_in(allowance in allowances(), steps in steps()) {
        let mut life = Life::new(allowance);
        steps.into_iter().for_each(|step| life.step(step));
        let mut now = time(life.now);
        for _ in 0..4 {
            match life.ledger.opens(700, now) {
                Opening::At(at) => {
                    prop_assert!(at > now);
                    now = at;
                }
                _ => return Ok(()),
            }
        }
        prop_assert!(false, "four waits were not enough: {:?}", life.ledger);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_for_it(allowance in allowances(), steps in steps()) {
        let mut life = Life::new(allowance);
        steps.into_iter().filter(|step| step.1 < 8).for_each(|step| life.step(step));
        let before = life.ledger.opens(700, time(life.now));
        let back = time(life.now - 86_400_000 * 30);
        let by = time(life.now).duration_since(back);
        life.ledger.advance(back);
        // The reading before may have been ahead of the last thing that happened by a delay.
        let near = SignedDuration::from_secs(9);
        match (before, life.ledger.opens(700, back)) {
            (Opening::At(then), Opening::At(now)) => {
                prop_assert!(now.duration_since(after(then, -by)).abs() <= near);
            }
            (Opening::At(then), _) => prop_assert!(then.duration_since(time(life.now)) <= near),
            (_, Opening::At(now)) => prop_assert!(now.duration_since(back) <= near),
            _ => {}
        }
    }

    #[test]
    fn of_several_endpoints_the_open_one_is_taken_and_else_the_soonest(
        endpoints in proptest::collection::vec((allowances(), steps()), 1..4),
    ) {
        let lives: Vec<Life> = endpoints.into_iter().map(|(allowance, steps)| {
            let mut life = Life::new(allowance);
            steps.into_iter().for_each(|step| life.step(step));
            life
        }).collect();
        let now = time(lives.iter().map(|life| life.now).max().unwrap());
        let ledgers: Vec<Ledger> = lives.into_iter().map(|life| life.ledger).collect();
        let each: Vec<Opening> = ledgers.iter().map(|ledger| ledger.opens(700, now)).collect();
        match slot(&ledgers, 700, now) {
            Slot::Now(index) => prop_assert_eq!(&each[index], &Opening::Now),
            Slot::At(at) => {
                prop_assert!(each.contains(&Opening::At(at)) && !each.contains(&Opening::Now));
                prop_assert!(each.iter().all(|one| !matches!(one, Opening::At(other) if *other < at)));
            }
            Slot::Busy => prop_assert!(each.contains(&Opening::Busy)),
            Slot::Never(_) => prop_assert!(each.iter().all(|one| matches!(one, Opening::Never(_)))),
        }
    }

    #[test]
    fn waits_grow_are_bounded_and_come_out_the_same(strikes in 1u32..100, ticket in any::<u64>()) {
        let (base, cap) = (SignedDuration::from_secs(1), SignedDuration::from_secs(60));
        let wait = backoff(strikes, (base, cap), Ticket(ticket));
        prop_assert_eq!(wait, backoff(strikes, (base, cap), Ticket(ticket)));
        let full = SignedDuration::from_secs(1i64 << strikes.saturating_sub(1).min(10)).min(cap);
        prop_assert!(wait <= full && wait >= full / 1_000 * 499);
    }
}

#[test]
fn a_prompt_over_the_tokens_of_a_minute_is_told_so() {
    let ledger = Ledger::new(Allowance { tokens_per_minute: Some(1_000), ..Allowance::default() });
    let Slot::Never(why) = slot(&[ledger], 1_001, time(0)) else { panic!() };
    assert_eq!(
        why,
        "a prompt of about 1001 tokens never fits into 1000 tokens a minute; make `pack_chars` smaller, or correct \
         the quota"
    );
    assert!(matches!(slot(&[], 1, time(0)), Slot::Never(_)));
}

#[test]
fn keys_are_used_by_their_size() {
    let of = |limit| Allowance {
        requests_per_minute: Some(limit),
        max_concurrency: 1_000,
        ..Allowance::default()
    };
    let mut ledgers = [60, 60, 120].map(|limit| Ledger::new(of(limit)));
    for ticket in 0..100 {
        let Slot::Now(index) = slot(&ledgers, 1, time(0)) else { panic!() };
        ledgers[index].begin(Ticket(ticket), 1, time(0));
    }
    assert_eq!(ledgers.map(|ledger| ledger.under_way()), [25, 25, 50]);
}

#[test]
fn a_named_wait_is_obeyed_and_the_rest_follow_the_first() {
    let mut ledger = Ledger::new(Allowance { requests_per_minute: Some(60), ..Allowance::default() });
    ledger.begin(Ticket(1), 1, time(0));
    let wait = Some(SignedDuration::from_secs(7));
    let end = End { sent_at: Some(time(0)), at: time(100), outcome: Outcome::Refused(wait) };
    ledger.settle(Ticket(1), &end);
    assert_eq!(ledger.opens(1, time(100)), Opening::At(time(7_100)));
    assert_eq!(ledger.opens(1, time(7_100)), Opening::Now);
    ledger.begin(Ticket(2), 1, time(7_100));
    assert_eq!(ledger.opens(1, time(7_100)), Opening::At(time(7_100 + 60_000 / 32)));
}

#[test]
fn an_endpoint_that_fails_is_passed_over() {
    let mut ledgers = vec![Ledger::new(Allowance::default()), Ledger::new(Allowance::default())];
    ledgers[0].begin(Ticket(1), 1, time(0));
    let end = End { sent_at: Some(time(0)), at: time(100), outcome: Outcome::Failed(None) };
    ledgers[0].settle(Ticket(1), &end);
    assert_eq!(slot(&ledgers, 1, time(100)), Slot::Now(1));
    assert!(matches!(slot(&ledgers[..1], 1, time(100)), Slot::At(at) if at <= time(1_100)));
}

#[test]
fn an_hour_that_is_doubted_counts_for_both_days() {
    let zone = |text: &str| text.parse::<Timestamp>().unwrap();
    let day = Day::pacific();
    assert!(matches!(day, Day::Midnight(_)));
    // Summer: midnight is seven o'clock in Greenwich; winter: eight.
    assert_eq!(day.leaves(zone("2026-07-01T06:59:00Z")), zone("2026-07-01T07:00:30Z"));
    assert_eq!(day.leaves(zone("2026-07-01T06:59:31Z")), zone("2026-07-02T07:00:30Z"));
    assert_eq!(day.leaves(zone("2026-01-01T07:59:00Z")), zone("2026-01-01T08:00:30Z"));
    assert_eq!(
        Day::named("UTC0").unwrap().leaves(zone("2026-07-01T12:00:00Z")),
        zone("2026-07-02T00:00:30Z")
    );
    assert_eq!(Day::named("midnight"), None);
}
