//! When a call that fails is given up, and when a run is: one bad text is told from a bad endpoint by what the endpoint
//! did with others. It must not know what was asked.
//!
//! Invariant: an endpoint that answers nobody refuses nothing. What it failed at stays owed.

use super::Plan;
use super::asks::Asks;
use crate::error::{Error, Kind, Result};
use crate::state::State;
use crate::state::failing::{Conduct, Failing};
use jiff::SignedDuration;
use knowledge::record::{Record, Refused};
use knowledge::time::Timestamp;

/// Calls about one pack that may fail, while others are answered, before it is given up as it is; and how long that
/// takes at least. A provider's bad minute fails at many packs, and is over in less.
const FAULTS: u32 = 5;
const FAILING: SignedDuration = SignedDuration::from_mins(10);
/// Calls that the endpoint has to have answered meanwhile.
const OTHERS: u64 = 3;
/// Packs in a row that an endpoint may say it will never answer, when it has answered nothing yet: the fault is in the
/// settings.
const NEVERS_AT_FIRST: u64 = 3;
/// The same once it has answered others: twenty in a row that are all bad texts are less likely than a setting that was
/// changed.
const NEVERS: u64 = 20;
/// Calls that may fail in a row where none was ever answered: with the pauses between them some five minutes, in which
/// a wrong address has to be seen. One that has answered before is waited for.
const FAULTS_AT_FIRST: u64 = 8;

/// Adds what is given up.
///
/// # Errors
/// Nothing will work until a setting is fixed.
pub(super) fn plan(state: &State, (asks, now): (&Asks, Timestamp), plan: &mut Plan) -> Result<()> {
    let (faults, answered_ever) = state.faults_in_a_row()?;
    if faults >= FAULTS_AT_FIRST && !answered_ever {
        let why = state.last_fault()?.unwrap_or_default();
        let text =
            format!("asking `{}`: {faults} calls failed and none was ever answered; {why}", asks.model);
        return Err(Error::new(Kind::Later, text)
            .hint("check the address and the model's name; nothing is lost, and the same command goes on"));
    }
    for failing in state.failing(asks.askers(), FAULTS)? {
        let conduct = state.conduct(failing.endpoint, asks.askers(), failing.since)?;
        let why = match (failing.never, is_beyond_hope(&failing, &conduct, now)) {
            (true, _) if is_at_fault(&conduct) => return Err(halt(asks, &failing, &conduct)),
            (true, _) if conduct.answered_ever || !state.others_are_owed(asks.askers())? => failing.why,
            (false, true) => {
                let others = conduct.answered_since;
                format!(
                    "{} calls failed while {others} others were answered; {}",
                    failing.faults, failing.why
                )
            }
            _ => continue,
        };
        plan.settled.push(Record::Refused(Refused { pack: failing.pack, why }));
    }
    Ok(())
}

/// Whether so much was refused in a row that it cannot be the texts.
fn is_at_fault(conduct: &Conduct) -> bool {
    conduct.nevers >= if conduct.answered_ever { NEVERS } else { NEVERS_AT_FIRST }
}

/// Whether a pack failed so often, for so long, and alone, that it will go on failing.
fn is_beyond_hope(failing: &Failing, conduct: &Conduct, now: Timestamp) -> bool {
    failing.faults >= FAULTS
        && now.duration_since(failing.since) >= FAILING
        && conduct.answered_since >= OTHERS
}

fn halt(asks: &Asks, failing: &Failing, conduct: &Conduct) -> Error {
    let text = format!(
        "asking `{}`: the last {} requests were refused for good, and none was answered between them; {}",
        asks.model, conduct.nevers, failing.why
    );
    let hint = match conduct.answered_ever {
        true => "fix what it says; what was given up is asked about again with `--retry-parked`",
        false => {
            "fix what it says (a server that knows no JSON schemas wants `model_form = \"object\"`); nothing was given up"
        }
    };
    Error::new(Kind::Halt, text).hint(hint)
}
