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
const FAULTS: u32 = 8;
const FAILING: SignedDuration = SignedDuration::from_mins(10);
/// Calls that the endpoint has to have answered meanwhile.
const OTHERS: u64 = 3;
/// The same for a pack beside which no others are answered, since there are none: few outages are as long. To take a
/// pack apart costs nothing; to give up what is asked about alone waits longer.
const FAULTS_ALONE: u32 = 20;
const FAILING_ALONE: SignedDuration = SignedDuration::from_hours(1);
const FAILING_SINGLE: SignedDuration = SignedDuration::from_hours(6);
/// Packs in a row that an endpoint may say it will never answer, when it has answered nothing yet: the fault is in the
/// settings.
const NEVERS_AT_FIRST: u64 = 3;
/// The same once it has answered others: twenty in a row that are all bad texts are less likely than a setting that was
/// changed.
const NEVERS: u64 = 20;
/// Calls that may fail in a row where none was ever answered: with the pauses between them some five minutes, in which
/// a wrong address has to be seen. One that has answered before is waited for.
const FAULTS_AT_FIRST: u64 = 8;

/// Adds what is given up, and says whether anything is.
///
/// # Errors
/// Nothing will work until a setting is fixed.
pub(super) fn plan(state: &State, (asks, now): (&Asks, Timestamp), plan: &mut Plan) -> Result<bool> {
    let (faults, answered_ever) = state.faults_in_a_row(asks.askers())?;
    if faults >= FAULTS_AT_FIRST && !answered_ever {
        let why = state.last_fault()?.unwrap_or_default();
        let text =
            format!("asking `{}`: {faults} calls failed and none was ever answered; {why}", asks.model);
        return Err(Error::new(Kind::Later, text)
            .hint("check the address and the model's name; nothing is lost, and the same command goes on"));
    }
    let before = plan.settled.len();
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
    Ok(plan.settled.len() > before)
}

/// Whether so much was refused in a row that it cannot be the texts.
fn is_at_fault(conduct: &Conduct) -> bool {
    conduct.nevers >= if conduct.answered_ever { NEVERS } else { NEVERS_AT_FIRST }
}

/// Whether a pack failed so often, for so long, and alone, that it will go on failing.
fn is_beyond_hope(failing: &Failing, conduct: &Conduct, now: Timestamp) -> bool {
    let since = now.duration_since(failing.since);
    let beside_others = failing.faults >= FAULTS && since >= FAILING && conduct.answered_since >= OTHERS;
    let longest = if failing.things > 1 { FAILING_ALONE } else { FAILING_SINGLE };
    let alone = failing.faults >= FAULTS_ALONE && since >= longest && conduct.answered_ever;
    beside_others || alone
}

fn halt(asks: &Asks, failing: &Failing, conduct: &Conduct) -> Error {
    let text = format!(
        "asking `{}`: the last {} requests were refused for good, and none was answered between them; {}",
        asks.model, conduct.nevers, failing.why
    );
    let hint = match conduct.answered_ever {
        true => "fix what it says; what was given up is asked about again with `--retry-parked`",
        false => {
            "fix what it says (a server without JSON schemas wants `model_form = \"object\"`); nothing was given up"
        }
    };
    Error::new(Kind::Halt, text).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::extract::Vocabulary;
    use knowledge::id::ChunkId;
    use knowledge::prompt::Reply;
    use knowledge::quota::Allowance;
    use knowledge::record::{Answered, Asking, Deferred, Matter, Pack, Packed};
    use vault::{Digest, Entry, Event, Ordinal, Position, Segment, Seq, Term};

    /// A state to which one record after the other happens, a minute apart.
    struct Told {
        _folder: tempfile::TempDir,
        state: State,
        asks: Asks,
        packs: Vec<Pack>,
        seq: u64,
    }

    impl Told {
        fn new(packs: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let state = State::open(&folder.path().join("state.db"), "one").unwrap();
            let asks = Asks::new("m", Vocabulary::default(), vec![Allowance::default()]);
            let pack = |number: usize| {
                let chunk = ChunkId::of(&[&number.to_le_bytes()]);
                Pack::new(&asks.reads.extractor, 0, None, Matter::Chunks(vec![chunk]))
            };
            let packs: Vec<Pack> = (0..packs).map(pack).collect();
            let mut told = Self { _folder: folder, state, asks, packs: packs.clone(), seq: 0 };
            let extractor = told.asks.reads.extractor.clone();
            told.happens(Record::Packed(Packed { extractor, slice: None, packs }));
            told
        }

        fn now(&self) -> Timestamp {
            Timestamp::from_second(1_780_000_000 + 60 * self.seq as i64).unwrap()
        }

        fn happens(&mut self, record: Record) {
            self.seq += 1;
            let (seq, at) = (Seq::new(self.seq), self.now());
            let position =
                Position { ordinal: Ordinal::new(self.seq), digest: Digest::of(&self.seq.to_le_bytes()) };
            let entries = vec![Entry { seq, at, event: Event::Record(record) }];
            self.state.apply(&Segment { position, term: Term::new(1), entries, bytes: 0 }).unwrap();
        }

        fn asking(&mut self, pack: usize) {
            let pack = self.packs[pack].id;
            self.happens(Record::Asking(Asking { pack, endpoint: 0, tokens: 1, chars: 1 }));
        }

        fn fails(&mut self, pack: usize, never: bool) {
            self.asking(pack);
            let (pack, sent_at) = (self.packs[pack].id, self.now());
            let why = "status 500".to_owned();
            let deferred = Deferred { pack, endpoint: 0, sent_at, wait_ms: None, quota: false, never, why };
            self.happens(Record::Deferred(deferred));
        }

        fn answers(&mut self, pack: usize) {
            self.asking(pack);
            let (pack, sent_at) = (self.packs[pack].id, self.now());
            let reply = Reply::default();
            self.happens(Record::Answered(Box::new(Answered { pack, endpoint: 0, sent_at, reply })));
        }

        /// What is given up now, by number.
        fn given_up(&self) -> Result<Vec<usize>> {
            let mut plan = Plan::default();
            super::plan(&self.state, (&self.asks, self.now()), &mut plan)?;
            let number = |record: &Record| match record {
                Record::Refused(refused) => self.packs.iter().position(|pack| pack.id == refused.pack),
                _ => None,
            };
            Ok(plan.settled.iter().filter_map(number).collect())
        }
    }

    #[test]
    fn a_pack_that_fails_again_and_again_while_others_are_answered_is_given_up() {
        let mut told = Told::new(12);
        for round in 0..FAULTS as usize {
            assert_eq!(told.given_up().unwrap(), [0usize; 0], "after {round} faults");
            told.fails(0, false);
            told.answers(round + 1);
        }
        assert_eq!(told.given_up().unwrap(), [0]);
    }

    #[test]
    fn an_endpoint_that_fails_at_everything_parks_nothing_for_hours() {
        let mut told = Told::new(3);
        told.answers(2);
        // Two records a call, a minute apart.
        (0..150).for_each(|round| told.fails(round % 2, false));
        assert_eq!(told.given_up().unwrap(), [0usize; 0]);
        (0..60).for_each(|_| told.fails(0, false));
        assert_eq!(told.given_up().unwrap(), [0, 1]);
    }

    #[test]
    fn an_address_that_never_answered_ends_the_run() {
        let mut told = Told::new(2);
        (0..FAULTS_AT_FIRST as usize - 1).for_each(|round| told.fails(round % 2, false));
        assert_eq!(told.given_up().unwrap(), [0usize; 0]);
        told.fails(0, false);
        let error = told.given_up().unwrap_err();
        assert!(error.kind() == Kind::Later && error.to_string().contains("status 500"), "{error}");
    }

    #[test]
    fn what_is_refused_for_good_is_given_up_once_others_are_answered() {
        let mut told = Told::new(4);
        told.fails(0, true);
        told.fails(1, true);
        assert_eq!(told.given_up().unwrap(), [0usize; 0]);
        told.answers(2);
        assert_eq!(told.given_up().unwrap(), [0, 1]);
    }

    #[test]
    fn refusals_in_a_row_from_the_first_call_on_halt_the_run() {
        let mut told = Told::new(5);
        (0..3).for_each(|pack| told.fails(pack, true));
        assert_eq!(told.given_up().unwrap_err().kind(), Kind::Halt);
    }
}
