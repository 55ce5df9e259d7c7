//! What a run takes: said before anything is asked, and beside what it took afterwards. It must not know how a run is
//! planned. Invariant: both are made by one function of the chunks that are owed, so what is compared afterwards is
//! what would have been said before.

use super::prices::{self, Prices, Taken};
use super::{Call, print, print_json};
use crate::error::Result;
use crate::plan::{Asks, Embeds};
use crate::state::State;
use crate::state::spending::Unembedded;
use knowledge::extract::{self, Owed};
use knowledge::quota::Allowance;
use serde::Serialize;
use serde_json::json;
use vault::Seq;

/// Tokens of prompt and answer of a call about pairs in doubt: twenty pairs, the mean over 17 epochs of the five sample
/// wikis. One such call an epoch is estimated.
const DOUBT_TOKENS: (u64, u64) = (2_100, 250);

/// Texts to be turned into vectors for a text chunk by the rules alone, and characters of one: `samples/` has 3,659
/// (passages, facts, names) of 154 characters for 717 text chunks.
const RULES_TEXTS: (f64, f64) = (5.1, 154.0);

/// The same, that a model adds for a chunk it reads: 946 of 19 characters, nearly all of them names, for 605 chunks of
/// `samples/` with the mock. A model that states more facts adds more.
const MODEL_TEXTS: (f64, f64) = (1.6, 19.0);

/// Who is asked.
#[derive(Clone, Copy)]
pub(super) struct Whom<'a> {
    /// How models are.
    pub asks: Option<&'a Asks>,
    /// Who makes vectors for money.
    pub embeds: Option<&'a Embeds>,
}

/// What there is to be asked about.
#[derive(Default)]
pub(super) struct Debt {
    /// Chunks for a model, by the slices they are sorted in.
    pub slices: Vec<Vec<Owed>>,
    /// What is to be turned into vectors.
    pub unembedded: Unembedded,
}

/// What it will take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Estimate {
    chunks: u64,
    in_doubt: u64,
    embedding_texts: u64,
    /// The sum.
    pub taken: Taken,
    /// At the quota that is set.
    pub hours: Option<f64>,
}

/// What is in no estimate.
const NOT_IN_IT: [&str; 3] = [
    "asking again where an answer cannot be used",
    "summaries of entities about which much is said (a call for up to 20 of them)",
    "names and summaries of communities (a call for up to 10 of the `community_summaries`)",
];

impl Whom<'_> {
    /// What it takes to ask about all of this once, at so many characters a token.
    fn estimate(&self, debt: &Debt, per_token: f64) -> Estimate {
        let mut all = Estimate::default();
        let owed = debt.slices.iter().filter(|slice| !slice.is_empty());
        for (slice, asks) in owed.filter_map(|slice| Some((slice, self.asks?))) {
            let one = match asks.two_steps {
                true => extract::estimate_two_steps(slice, asks.size, &asks.vocabulary, per_token),
                false => extract::estimate(slice, asks.size, &asks.vocabulary, per_token),
            };
            all.chunks += slice.len() as u64;
            all.in_doubt += 1;
            all.taken.calls += one.calls + 1;
            all.taken.input_tokens += one.input_tokens + DOUBT_TOKENS.0;
            all.taken.output_tokens += one.output_tokens + DOUBT_TOKENS.1;
        }
        if let Some(embeds) = self.embeds {
            let (fresh, read) = (debt.unembedded.chunks as f64, all.chunks as f64);
            let (by_rules, by_model) = (fresh * RULES_TEXTS.0, read * MODEL_TEXTS.0);
            let texts = debt.unembedded.texts + (by_rules + by_model).ceil() as u64;
            let chars = debt.unembedded.chars as f64 + by_rules * RULES_TEXTS.1 + by_model * MODEL_TEXTS.1;
            all.embedding_texts = texts;
            // A share is in bytes, of which a character has one in most of the text there is.
            let full = (chars as u64).div_ceil(embeds.share.bytes.max(1) as u64);
            all.taken.embedding_calls = texts.div_ceil(embeds.share.texts.max(1) as u64).max(full);
            all.taken.embedding_tokens = (chars / extract::CHARS_PER_TOKEN).ceil() as u64;
        }
        all.hours = self.hours(&all);
        all
    }

    /// How long the quotas make it take, where any is set. Vectors come after everything else.
    fn hours(&self, all: &Estimate) -> Option<f64> {
        let asked = self.asks.and_then(|asks| {
            let taken = match asks.batch {
                None => (all.taken.calls, all.taken.input_tokens + all.taken.output_tokens),
                // Jobs of a batch engine are outside the quota of calls.
                Some(_) => (all.in_doubt, all.in_doubt * (DOUBT_TOKENS.0 + DOUBT_TOKENS.1)),
            };
            hours(&asks.allowances, taken)
        });
        let embedded = self.embeds.and_then(|embeds| {
            hours(
                std::slice::from_ref(&embeds.allowance),
                (all.taken.embedding_calls, all.taken.embedding_tokens),
            )
        });
        asked.into_iter().chain(embedded).reduce(|asked, embedded| asked + embedded)
    }

    /// Characters a token at a record, as this model has been seen to count them by then.
    fn per_token(&self, state: &State, at: Seq) -> Result<f64> {
        let seen =
            self.asks.map(|asks| state.chars_per_token_until(&asks.reads.extractor, at)).transpose()?;
        Ok(seen.flatten().unwrap_or(extract::CHARS_PER_TOKEN))
    }

    /// What would have been said before a run, of the chunks that it asked about since a record.
    pub(super) fn of_run(&self, state: &State, since: Seq) -> Result<Estimate> {
        let slices = match self.asks {
            Some(asks) => state.asked_since(&asks.reads.extractor, since)?,
            None => Vec::new(),
        };
        let chunks = if self.embeds.is_some() { state.chunks_embedded_since(since)? } else { 0 };
        let debt = Debt { slices, unembedded: Unembedded { chunks, ..Unembedded::default() } };
        Ok(self.estimate(&debt, self.per_token(state, since)?))
    }

    /// What is owed by the work that lies ahead, slice by slice, as it will be packed.
    pub(super) fn ahead(&self, state: &State) -> Result<Debt> {
        let mut debt = Debt::default();
        if let Some(asks) = self.asks {
            while let Some(slice) = state.slice_ahead(debt.slices.len() as u32)? {
                debt.slices.push(state.owed_answers(slice, &asks.reads)?);
            }
        }
        self.with_vectors(state, debt)
    }

    /// What a re-indexing in slices of so many pages would ask.
    pub(super) fn again(&self, state: &State, epoch_pages: usize) -> Result<Debt> {
        let slices = match self.asks {
            Some(asks) => state.unread(&asks.reads, epoch_pages)?,
            None => Vec::new(),
        };
        self.with_vectors(state, Debt { slices, ..Debt::default() })
    }

    fn with_vectors(&self, state: &State, debt: Debt) -> Result<Debt> {
        match self.embeds {
            Some(embeds) => Ok(Debt { unembedded: state.unembedded(&embeds.model)?, ..debt }),
            None => Ok(debt),
        }
    }
}

/// How long so many calls, and so many tokens, take at these quotas together.
pub(super) fn hours(allowances: &[Allowance], (calls, tokens): (u64, u64)) -> Option<f64> {
    let sum = |pick: fn(&Allowance) -> Option<f64>| -> Option<f64> { allowances.iter().map(pick).sum() };
    let minutes = |most: Option<f64>, of: u64| most.map(|most| of as f64 / most);
    let requests = minutes(sum(|allowance| allowance.requests_per_minute.map(f64::from)), calls);
    let tokens = minutes(sum(|allowance| allowance.tokens_per_minute.map(|most| most as f64)), tokens);
    let a_day = sum(|allowance| allowance.requests_per_day.map(f64::from));
    // What goes beyond a day waits for the next.
    let days = a_day.map(|most| ((calls as f64 / most).ceil() - 1.0).max(0.0) * 24.0 * 60.0);
    let longest = [requests, tokens, days].into_iter().flatten().reduce(f64::max);
    longest.map(|minutes| minutes / 60.0)
}

/// Says what it takes to ask about a debt, and asks nothing. `unread` are chunks that are in the graph, are none of
/// this debt, and were never read by this model.
pub(super) fn tell(call: &Call, state: &State, whom: Whom<'_>, (debt, unread): (&Debt, u64)) -> Result<()> {
    let all = whom.estimate(debt, whom.per_token(state, state.applied()?)?);
    let prices = Prices::of(&call.settings)?;
    let (taken, money) = (&all.taken, prices.cost(&all.taken));
    if call.json {
        return print_json(&json!({
            "model": whom.asks.map(|asks| &asks.model), "chunks": all.chunks, "calls": taken.calls,
            "calls_in_doubt": all.in_doubt, "input_tokens": taken.input_tokens,
            "output_tokens": taken.output_tokens, "embedding_calls": taken.embedding_calls,
            "embedding_texts": all.embedding_texts, "embedding_tokens": taken.embedding_tokens,
            "hours": all.hours, "money": money, "not_in_it": NOT_IN_IT, "unread_chunks": unread,
        }));
    }
    if let Some(asks) = whom.asks {
        let steps = if asks.two_steps { ", in two steps" } else { "" };
        print(&format!(
            "{} chunks are owed an answer of `{}`: {} calls ({} of them about what may be the same or \
             contradict{steps}), {} tokens of prompts, {} of answers\n",
            all.chunks, asks.model, taken.calls, all.in_doubt, taken.input_tokens, taken.output_tokens
        ))?;
    }
    if let Some(embeds) = whom.embeds {
        print(&format!(
            "about {} texts are owed a vector of `{}`: {} calls, {} tokens\n",
            all.embedding_texts, embeds.model, taken.embedding_calls, taken.embedding_tokens
        ))?;
    }
    if whom.asks.is_some_and(|asks| asks.batch.is_some()) {
        print(
            "calls about chunks go to a batch engine, which takes up to a day for a job and no quota of calls\n",
        )?;
    }
    match all.hours {
        Some(hours) => print(&format!("at the quota that is set: {hours:.2} hours\n"))?,
        None => print("no quota is set (`requests_per_minute`): the time is not known\n")?,
    }
    match (money, prices.missing(taken)) {
        (Some(money), None) => print(&format!("at the prices that are set: {}\n", prices::shown(money)))?,
        (Some(money), Some(missing)) => {
            let money = prices::shown(money);
            print(&format!("at the prices that are set: {money}, without what has none ({missing})\n"))?;
        }
        (None, missing) => {
            let missing = missing.unwrap_or("`input_price`, `output_price`");
            print(&format!("no prices are set ({missing}): the money is not known\n"))?;
        }
    }
    if whom.asks.is_some() {
        print(&format!("not in it: {}\n", NOT_IN_IT.join("; ")))?;
        tell_unread(call, unread);
    }
    Ok(())
}

/// Says that finished work stays finished, and how to have it read all the same.
pub(super) fn tell_unread(call: &Call, unread: u64) {
    if unread > 0 {
        let flags = call.flags_as_typed();
        call.tell(&format!(
            "{unread} chunks that are in the graph already were never read by this model with these settings\n\
             hint: `highwater pipeline{flags} --reindex` has them read; with `--estimate` it says what that takes"
        ));
    }
}

/// What a run took, or was said to take.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    calls: u64,
    input_tokens: u64,
    output_tokens: u64,
    embedding_calls: u64,
    embedding_tokens: u64,
    money: Option<f64>,
    hours: Option<f64>,
}

impl Side {
    pub(super) fn new(taken: &Taken, prices: &Prices, hours: Option<f64>) -> Self {
        Self {
            calls: taken.calls,
            input_tokens: taken.input_tokens,
            output_tokens: taken.output_tokens,
            embedding_calls: taken.embedding_calls,
            embedding_tokens: taken.embedding_tokens,
            money: prices.cost(taken),
            hours,
        }
    }
}

/// The two sides, a line for each thing that either knows of.
pub(super) fn compared(estimate: &Side, actual: &Side) -> String {
    let number = |name, pick: fn(&Side) -> u64| {
        let (one, other) = (pick(estimate), pick(actual));
        (one + other > 0).then(|| (name, one.to_string(), other.to_string()))
    };
    let fraction = |name, pick: fn(&Side) -> Option<f64>, shown: fn(f64) -> String| {
        let text = |side: &Side| pick(side).map_or_else(|| "not known".to_owned(), shown);
        pick(estimate).or(pick(actual)).map(|_| (name, text(estimate), text(actual)))
    };
    let rows = [
        number("calls", |side| side.calls),
        number("tokens of prompts", |side| side.input_tokens),
        number("tokens of answers", |side| side.output_tokens),
        number("calls for vectors", |side| side.embedding_calls),
        number("tokens for vectors", |side| side.embedding_tokens),
        fraction("money", |side| side.money, prices::shown),
        fraction("hours", |side| side.hours, |hours| format!("{hours:.2}")),
    ];
    let mut table = format!("{:<18} {:>12} {:>12}\n", "", "estimated", "actual");
    for (name, one, other) in rows.into_iter().flatten() {
        table.push_str(&format!("{name:<18} {one:>12} {other:>12}\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedders::Share;
    use knowledge::id::ChunkId;

    #[test]
    fn vectors_are_estimated_by_texts_and_by_bytes_whichever_fills_a_call_first() {
        let embeds = |texts, bytes| Embeds {
            model: "m".to_owned(),
            share: Share { texts, bytes },
            allowance: Allowance { requests_per_minute: Some(1), ..Allowance::default() },
        };
        let unembedded = Unembedded { chunks: 100, texts: 10, chars: 1_000 };
        let debt = Debt { unembedded, ..Debt::default() };
        let of = |embeds: &Embeds| Whom { asks: None, embeds: Some(embeds) }.estimate(&debt, 4.0);
        let by_texts = of(&embeds(64, 1 << 20));
        assert_eq!((by_texts.embedding_texts, by_texts.taken.embedding_calls), (520, 9));
        assert_eq!(by_texts.taken.embedding_tokens, (1_000 + 510 * 154) / 4);
        assert_eq!(by_texts.hours.map(|hours| (hours * 60.0).round()), Some(9.0));
        assert_eq!(of(&embeds(64, 1_000)).taken.embedding_calls, 80);
    }

    #[test]
    fn each_slice_is_packed_by_itself_and_has_a_call_for_its_doubts() {
        let asks = Asks::new("m", extract::Vocabulary::default(), vec![Allowance::default()]);
        let owed = |at: u32| Owed {
            chunk: ChunkId::of(&[&at.to_le_bytes()]),
            chars: 900,
            audience: vec![],
            round: 0,
        };
        let slices = vec![(0..20).map(owed).collect(), vec![], (20..21).map(owed).collect()];
        let debt = Debt { slices, ..Debt::default() };
        let calls = |asks: &Asks| Whom { asks: Some(asks), embeds: None }.estimate(&debt, 4.0).taken.calls;
        assert_eq!(calls(&asks), 2 + 1 + 2);
        assert_eq!(calls(&asks.in_two_steps()), 4 + 2 + 2);
    }

    #[test]
    fn what_neither_side_knows_has_no_line() {
        let side = |calls, hours| Side::new(&Taken { calls, ..Taken::default() }, &Prices::default(), hours);
        let table = compared(&side(12, None), &side(13, Some(0.5)));
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [vec!["estimated", "actual"], vec!["calls", "12", "13"], vec!["hours", "not", "known", "0.50"]]
        );
    }
}
