//! What models will take, and what they took, in words and numbers.

use super::{Call, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::plan::{Asks, Budget, Prices};
use crate::state::State;
use crate::state::answers::Spent;
use knowledge::extract;
use knowledge::quota::Allowance;
use serde_json::json;

/// Tokens of prompt and answer of a call about pairs in doubt: twenty pairs, the mean over 17 epochs of the five sample
/// wikis. One such call an epoch is estimated.
const DOUBT_TOKENS: (u64, u64) = (2_100, 250);

/// Says what it takes to ask about every chunk that is owed an answer, and asks nothing.
pub(super) fn estimate(call: &Call, state: &State, asks: &Asks) -> Result<()> {
    let mut all = extract::Estimate::default();
    let (mut chunks, mut number, mut in_doubt) = (0, 0, 0);
    // Slice by slice, as they will be packed.
    while let Some(slice) = state.slice_ahead(number)? {
        let owed = state.owed_answers(slice, &asks.extractor)?;
        let per_token = state.chars_per_token(&asks.extractor)?.unwrap_or(extract::CHARS_PER_TOKEN);
        let one = extract::estimate(&owed, asks.size, &asks.vocabulary, per_token);
        chunks += owed.len();
        in_doubt += u64::from(!owed.is_empty());
        all.calls += one.calls;
        all.input_tokens += one.input_tokens;
        all.output_tokens += one.output_tokens;
        number += 1;
    }
    all.calls += in_doubt;
    all.input_tokens += in_doubt * DOUBT_TOKENS.0;
    all.output_tokens += in_doubt * DOUBT_TOKENS.1;
    let hours = hours(asks, &all);
    let money = money(call, all.input_tokens, all.output_tokens)?;
    if call.json {
        return print_json(&json!({
            "model": asks.model, "chunks": chunks, "calls": all.calls, "calls_in_doubt": in_doubt,
            "input_tokens": all.input_tokens, "output_tokens": all.output_tokens, "hours": hours, "money": money,
        }));
    }
    print(&format!(
        "{chunks} chunks are owed an answer of `{}`: {} calls ({in_doubt} of them about what may be the same or \
         contradict), {} tokens of prompts, {} of answers\n",
        asks.model, all.calls, all.input_tokens, all.output_tokens
    ))?;
    match hours {
        Some(hours) => print(&format!("at the quota that is set: {hours:.2} hours\n"))?,
        None => print("no quota is set (`requests_per_minute`): the time is not known\n")?,
    }
    match money {
        Some(money) => print(&format!("at the prices that are set: {money:.2}\n")),
        None => print("no prices are set (`input_price`, `output_price`): the money is not known\n"),
    }
}

/// How long the quota makes it take, where one is set.
fn hours(asks: &Asks, all: &extract::Estimate) -> Option<f64> {
    let sum = |pick: fn(&Allowance) -> Option<f64>| -> Option<f64> { asks.allowances.iter().map(pick).sum() };
    let minutes = |most: Option<f64>, of: u64| most.map(|most| of as f64 / most);
    let tokens = all.input_tokens + all.output_tokens;
    let requests = minutes(sum(|allowance| allowance.requests_per_minute.map(f64::from)), all.calls);
    let tokens = minutes(sum(|allowance| allowance.tokens_per_minute.map(|most| most as f64)), tokens);
    let a_day = sum(|allowance| allowance.requests_per_day.map(f64::from));
    // What goes beyond a day waits for the next.
    let days = a_day.map(|most| ((all.calls as f64 / most).ceil() - 1.0).max(0.0) * 24.0 * 60.0);
    let longest = [requests, tokens, days].into_iter().flatten().reduce(f64::max);
    longest.map(|minutes| minutes / 60.0)
}

fn money(call: &Call, input_tokens: u64, output_tokens: u64) -> Result<Option<f64>> {
    let prices = (call.settings.price("input_price")?, call.settings.price("output_price")?);
    let (Some(input), Some(output)) = prices else { return Ok(None) };
    let prices = Prices { input, output, ..Prices::default() };
    Ok(Some(prices.cost(&Spent { input_tokens, output_tokens, ..Spent::default() })))
}

/// What a run may take, by its flags and the prices that are set.
pub(super) fn budget(call: &Call, calls: Option<u64>, money: Option<f64>) -> Result<Budget> {
    let prices = (call.settings.price("input_price")?, call.settings.price("output_price")?);
    match (money, prices) {
        (Some(money), _) if !(money.is_finite() && money >= 0.0) => Err(Error::new(
            Kind::Usage,
            format!("`--max-cost {money}`: expected an amount of money such as 2.50"),
        )),
        (Some(_), (None, _) | (_, None)) => {
            Err(Error::new(Kind::Usage, "`--max-cost`: no prices are set, so nobody knows what a call costs")
                .hint("set `input_price` and `output_price`, for a million tokens each"))
        }
        (money, (input, output)) => {
            let (input, output) = (input.unwrap_or(0.0), output.unwrap_or(0.0));
            Ok(Budget { calls, money, prices: Prices { input, output, ..Prices::default() } })
        }
    }
}

/// Says what models took in a run.
pub(super) fn tell_spent(call: &Call, spent: &Spent) -> Result<()> {
    let money = money(call, spent.input_tokens, spent.output_tokens)?;
    let money = money.map(|money| format!(", {money:.2} at the prices that are set")).unwrap_or_default();
    if spent.calls > 0 {
        print(&format!("{} calls were estimated for what was asked\n", spent.estimated_calls))?;
    }
    print(&format!(
        "{} tokens of prompts ({} from the vendor's cache), {} of answers{money}\n",
        spent.input_tokens, spent.cached_tokens, spent.output_tokens
    ))?;
    if spent.refused_chunks > 0 {
        print(&format!("{} chunks got no usable answer and were passed\n", spent.refused_chunks))?;
    }
    Ok(())
}
