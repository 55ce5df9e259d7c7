//! How many questions a recorded extraction raises, and what comes of them. A chunk a line on standard input, as
//! `tests/recorded` describes.
//! `cargo run --release -p knowledge --example questions_asked -- [pages an epoch] < chunks.jsonl`

#![allow(clippy::print_stdout, reason = "a measurement prints what it measured")]

#[allow(clippy::unwrap_used, reason = "a recording that cannot be read is no measurement")]
#[path = "../tests/recorded/mod.rs"]
mod recorded;

use knowledge::judge::{self, Findings, Pair, Question};
use knowledge::resolve::memory::Memory;
use knowledge::resolve::{PageSaid, questions};
use recorded::{answer, page};
use std::time::{Duration, Instant};

/// What was asked and what it took.
#[derive(Default)]
struct Tally {
    names: usize,
    facts: usize,
    calls: usize,
    rounds: usize,
    chars: usize,
    passed_over: usize,
    spent: Duration,
}

impl Tally {
    fn add(&mut self, asked: &[Question]) {
        let packs = judge::pack(asked, |_| (), judge::PackSize::default());
        self.rounds += 1;
        self.calls += packs.len();
        for pack in packs {
            let pack: Vec<Question> = pack.into_iter().map(|at| asked[at].clone()).collect();
            let prompt = judge::prompt(&pack, None);
            self.chars += prompt.system.len() + prompt.text.len();
        }
        let names = asked.iter().filter(|question| matches!(question.pair, Pair::Entities(..))).count();
        self.names += names;
        self.facts += asked.len() - names;
    }
}

fn settle(memory: &mut Memory, epoch: &[PageSaid], tally: &mut Tally) {
    let mut findings = Findings::of("recorded");
    loop {
        let begun = Instant::now();
        let Ok(round) = questions(epoch, memory, &findings);
        tally.spent += begun.elapsed();
        if round.questions.is_empty() {
            tally.passed_over += round.passed_over.iter().map(|over| over.candidates).sum::<usize>();
            break;
        }
        tally.add(&round.questions);
        findings.found.extend(round.questions.iter().map(|question| (question.id, answer(question))));
    }
    let begun = Instant::now();
    memory.settle_with(epoch, &findings);
    tally.spent += begun.elapsed();
}

fn main() -> std::io::Result<()> {
    let lines = std::io::stdin().lines().collect::<std::io::Result<Vec<String>>>()?;
    let pages: Vec<PageSaid> = lines.iter().map(|line| page(line)).collect();
    let an_epoch = std::env::args().nth(1).and_then(|size| size.parse().ok()).unwrap_or(64);
    let (mut memory, mut tally) = (Memory::default(), Tally::default());
    pages.chunks(an_epoch).for_each(|epoch| settle(&mut memory, epoch, &mut tally));
    let shown = memory.shown();
    let spells = shown.keys().flat_map(|fact| memory.spells(*fact));
    let closed = spells.filter(|spell| spell.by.is_some()).count();
    let Tally { names, facts, calls, rounds, passed_over, .. } = tally;
    let chunks = pages.len() as f64;
    let a_chunk = |count: usize| count as f64 / chunks;
    println!(
        "{} chunks, {names} questions about names, {facts} about facts, {passed_over} passed over",
        pages.len()
    );
    println!(
        "{:.2} questions and {:.3} calls a chunk, in {rounds} rounds",
        a_chunk(names + facts),
        a_chunk(calls)
    );
    println!(
        "{:.0} characters and {:.2} ms a chunk",
        a_chunk(tally.chars),
        tally.spent.as_secs_f64() * 1e3 / chunks
    );
    println!("{} entities, {} facts, {closed} spells ended by another", memory.groups().count(), shown.len());
    Ok(())
}
