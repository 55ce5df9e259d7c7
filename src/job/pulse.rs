//! What passes between a run and whoever started it: the word to stop, and what the run is waiting for. It must not
//! know who listens.

use knowledge::time::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The word to stop: shared between the loop and whoever catches signals. Once raised it stays raised.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<(AtomicBool, Notify)>);

impl Interrupt {
    /// Says the word.
    pub fn raise(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Whether it was said.
    pub fn is_raised(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until it is said.
    pub(super) async fn raised(&self) {
        let heard = self.0.1.notified();
        tokio::pin!(heard);
        heard.as_mut().enable();
        // The flag is looked at after listening began, so that no word falls between the two.
        if !self.is_raised() {
            heard.await;
        }
    }
}

/// What a run is waiting for, for people and monitors. Cloning gives another handle on the same pulse.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<Waiting>>);

/// Why a run makes no progress at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The quota lets the next call out then.
    pub slot: Option<Timestamp>,
    /// Something cannot be written, in words: nothing is asked until it can.
    pub trouble: Option<String>,
    /// The last snapshot that could not be saved, in words.
    pub unsaved: Option<String>,
}

impl Pulse {
    /// What it is waiting for now.
    pub fn waiting(&self) -> Waiting {
        self.lock().clone()
    }

    pub(super) fn waits_until(&self, slot: Option<Timestamp>) {
        self.lock().slot = slot;
    }

    pub(super) fn is_in_trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    pub(super) fn could_not_save(&self, why: Option<String>) {
        self.lock().unsaved = why;
    }

    /// Each change is one assignment, so a panic elsewhere leaves nothing half-changed.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
