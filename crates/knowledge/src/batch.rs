//! A job of a provider's batch engine, in no vendor's own form: many prompts sent at once, answered within a day. This
//! module must not know who performs it, nor what its prompts are about.

use crate::id::{BatchKey, PackId};
use crate::time::Timestamp;

/// A job as whoever speaks with the engine needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Our name for it, given before it is sent: the engine carries it, so that the job can be found again.
    pub key: BatchKey,
    /// What it asks about.
    pub packs: Vec<PackId>,
    /// When it was announced: whatever an engine took before is another one.
    pub since: Timestamp,
    /// The engine's names of our jobs whose names are recorded: none of them is this one.
    pub known: Vec<String>,
}
