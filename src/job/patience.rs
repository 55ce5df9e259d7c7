//! Waiting for what a person has to mend: a vault that cannot be reached, a disk that is full. It must not know what is
//! being written.
//!
//! Invariant: what is done again was taken back whole before, or says itself what is left of it.

use crate::error::{Error, Kind, Result};
use crate::plan::Limits;
use crate::world::World;
use jiff::SignedDuration;

/// Pauses between attempts: a short hiccup costs a second, an outage of hours a request each half minute.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Writes to the state file, again and again while its disk is full: a transaction that finds no room is taken back
/// whole. It may wait for as long as nobody makes room, or tells the run to stop.
///
/// # Errors
/// Whatever else ends the work; the lack of room, if the run is told to stop.
pub async fn patiently<T>(world: &impl World, limits: &Limits, work: impl Fn() -> Result<T>) -> Result<T> {
    let mut pauses = Pauses::default();
    loop {
        match work() {
            Err(error) if error.kind() == Kind::Later => {
                limits.pulse.is_in_trouble(Some(format!("{error}; what is recorded is safe in the vault")));
                pauses.pause(world, limits, error).await?;
            }
            done => {
                limits.pulse.is_in_trouble(None);
                return done;
            }
        }
    }
}

/// Growing pauses.
pub(super) struct Pauses {
    next: SignedDuration,
    /// Attempts that are left once the run is told to stop.
    left: u32,
}

/// Attempts of a run that is told to stop, a second apart: whoever stops it kills it a few seconds later.
const LAST_ATTEMPTS: u32 = 3;

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE, left: LAST_ATTEMPTS }
    }
}

impl Pauses {
    /// Waits before the next attempt; when there is none, `error` is what the run ends with.
    pub async fn pause(&mut self, world: &impl World, limits: &Limits, error: Error) -> Result<()> {
        let is_told = limits.interrupt.is_raised();
        let length = if is_told { FIRST_PAUSE } else { self.next };
        if is_told {
            self.left = self.left.checked_sub(1).ok_or(error)?;
        }
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        let now = world.now();
        let over = world.wait_until(now.checked_add(length).unwrap_or(now));
        tokio::select! {
            () = over => {}
            () = limits.interrupt.raised(), if !is_told => {}
        }
        Ok(())
    }
}
