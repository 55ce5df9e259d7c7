//! Courtesy among writers of one vault: a run that is at work is not thrown out by a second one that was started by
//! mistake, and two that are restarted by turns do not fence each other for ever. Nothing is decided here: whoever goes
//! on wins or loses the next ordinal like anybody.

use super::Call;
use super::head::{self, Head};
use crate::error::{Error, Kind, Result};
use crate::world::live;
use jiff::SignedDuration;
use knowledge::time::Timestamp;
use std::path::Path;
use std::time::{Duration, Instant};
use vault::{ObjectStore, Position, Reign, Writer};

/// A writer that is alive shows itself within 30 seconds; whoever has not for so long is taken for dead.
const SILENCE: SignedDuration = SignedDuration::from_mins(2);
/// How often it is looked at what the other one does.
const LOOK: Duration = Duration::from_secs(2);

/// Waits until nobody else is at work on the vault, as far as can be seen.
///
/// # Errors
/// `Kind::Active` when somebody is.
pub(super) async fn wait<S: ObjectStore>(
    call: &Call,
    (store, from): (&S, Option<Position>),
    (me, take_over): (&Writer, bool),
) -> Result<()> {
    let first = Instant::now();
    let mut seen: Option<Head> = None;
    loop {
        let Some(other) = other((store, from), me).await? else { return Ok(()) };
        if take_over {
            call.tell(&format!("taking over from {}", named(&other)));
            return Ok(());
        }
        let head = head::read(store).await.filter(|head| head.term == other.term);
        match (&seen, head) {
            (_, None) => return Ok(()),
            (Some(before), Some(head)) if *before != head => return Err(active(&other)),
            (None, Some(head)) => {
                if is_silent(live::now(), head.at) {
                    return Ok(());
                }
                call.tell(&format!(
                    "{} may be at work: waiting for it to end or to fall silent",
                    named(&other)
                ));
                seen = Some(head);
            }
            (Some(_), Some(_)) if first.elapsed() >= SILENCE.unsigned_abs() => return Ok(()),
            (Some(_), Some(_)) => {}
        }
        live::pause(LOOK).await;
    }
}

/// Clocks of two machines may differ: a time that has not come yet says nothing.
fn is_silent(now: Timestamp, shown: Timestamp) -> bool {
    now.duration_since(shown) >= SILENCE
}

/// The last writer, if it may be at work and is not an earlier attempt of ours.
async fn other<S: ObjectStore>((store, from): (&S, Option<Position>), me: &Writer) -> Result<Option<Reign>> {
    let Some(reign) = vault::reign(store, from).await?.filter(|reign| !reign.closed) else { return Ok(None) };
    let Some(writer) = &reign.writer else { return Ok(None) };
    let same_job = me.execution.is_some() && writer.execution == me.execution;
    let same_boot = !me.boot.is_empty() && writer.boot == me.boot && writer.host == me.host;
    // A container that is started again in place has the number of the one before.
    let is_ours = writer.pid == me.pid;
    let is_dead = same_boot && (is_ours || !Path::new(&format!("/proc/{}", writer.pid)).exists());
    Ok(if same_job || is_dead { None } else { Some(reign) })
}

fn named(reign: &Reign) -> String {
    match &reign.writer {
        Some(writer) => format!("{writer} (term {})", reign.term),
        None => format!("the writer of term {}", reign.term),
    }
}

fn active(other: &Reign) -> Error {
    Error::new(Kind::Active, format!("another run is active on this vault: {}", named(other))).hint(
        "let it finish, or stop it; `--take-over` fences it: what it has saved stays, what is in flight there is lost",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_makes_nobody_silent() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(is_silent(at(1_000), at(880)));
        assert!(!is_silent(at(1_000), at(881)));
        assert!(!is_silent(at(1_000), at(90_000)));
    }
}
