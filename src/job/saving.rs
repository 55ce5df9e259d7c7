//! Snapshots beside the loop: when one is due, and how it is taken without stopping. It must not know what the state
//! holds.
//!
//! Invariant: a snapshot is never needed for what was acknowledged. That one could not be saved is said, and tried
//! again later; it ends no run.

use super::{Interrupt, Pulse};
use crate::error::{Kind, Result};
use crate::plan::Limits;
use crate::state::State;
use crate::state::snapshots::Frozen;
use knowledge::time::Timestamp;
use tokio::task::JoinHandle;
use vault::snapshot::{self, Snapshot, Snapshots};
use vault::{ObjectStore, Vault};

/// Snapshots that are always kept: the newest may prove damaged.
const SNAPSHOTS_KEPT: usize = 2;
/// A run that ends leaves a tail of at most this part of the last snapshot, so that the next one starts soon; and an
/// incremental run over a hundredth of a wiki does not upload all of it again.
const TAIL_AT_END: u64 = 8;

/// A snapshot that was saved, and why older ones could not be deleted, if they could not.
type Saved = (Snapshot, Option<vault::Error>);

/// The snapshot that is being taken, and what the next one is compared with.
pub(super) struct Saving {
    task: Option<JoinHandle<vault::Result<Saved>>>,
    /// The last one that counts.
    last: Option<Snapshot>,
    /// The tail at which the next is due.
    due: u64,
    floor: u64,
    pulse: Pulse,
    interrupt: Interrupt,
}

impl Drop for Saving {
    fn drop(&mut self) {
        // A task would outlive the run that began it, and save what nobody counts.
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Saving {
    /// Looks at what there is.
    pub(super) async fn begin<S: ObjectStore>(vault: &Vault<S>, limits: &Limits) -> Self {
        let found = snapshot::snapshots(vault.store()).await.unwrap_or_else(|error| {
            // No reason to end a run: at worst a snapshot more is saved.
            limits.pulse.could_not_save(Some(error.to_string()));
            Snapshots::default()
        });
        let last = found.whole.into_iter().find(|snapshot| snapshot.base.fold == State::fold());
        let mut saving = Self {
            task: None,
            last: None,
            due: 0,
            floor: limits.snapshot_bytes,
            pulse: limits.pulse.clone(),
            interrupt: limits.interrupt.clone(),
        };
        saving.counts(last);
        saving
    }

    fn counts(&mut self, snapshot: Option<Snapshot>) {
        self.due = self.floor.max(snapshot.as_ref().map_or(0, |snapshot| snapshot.stored_bytes / 2));
        self.last = snapshot;
    }

    /// Takes up a snapshot that was saved, and begins one that is due.
    pub(super) async fn turn<S: ObjectStore + Clone + 'static>(
        &mut self,
        (vault, state): (&Vault<S>, &mut State),
        now: Timestamp,
    ) -> Result<()> {
        if self.task.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish((vault, state)).await?;
        }
        if self.task.is_none() && self.tail(state)? > self.due {
            self.start((vault, state), now)?;
        }
        Ok(())
    }

    /// Takes the last snapshot of a run, where one is due, and waits for it.
    pub(super) async fn last<S: ObjectStore + Clone + 'static>(
        mut self,
        (vault, state): (&Vault<S>, &mut State),
        now: Timestamp,
    ) -> Result<()> {
        let is_due = match &self.last {
            None => state.journal_bytes()? > self.floor / TAIL_AT_END,
            // Vectors come into the file without a record.
            Some(last) => {
                self.tail(state)? > last.stored_bytes / TAIL_AT_END
                    || state.file_bytes()? > last.bytes + last.bytes / TAIL_AT_END
            }
        };
        if is_due {
            self.start((vault, state), now)?;
            self.finish((vault, state)).await?;
        }
        Ok(())
    }

    /// Lets go of one that is under way.
    pub(super) fn abandon(&mut self, state: &mut State) -> Result<()> {
        match self.task.take() {
            Some(task) => {
                task.abort();
                state.thaw()
            }
            None => Ok(()),
        }
    }

    /// Journal since the last snapshot, in bytes.
    fn tail(&self, state: &State) -> Result<u64> {
        let before = self.last.as_ref().map_or(0, |snapshot| snapshot.base.journal_bytes);
        Ok(state.journal_bytes()?.saturating_sub(before))
    }

    fn start<S: ObjectStore + Clone + 'static>(
        &mut self,
        (vault, state): (&Vault<S>, &mut State),
        now: Timestamp,
    ) -> Result<()> {
        let frozen = match state.freeze(now) {
            // Another reads the file, or its disk is full.
            Err(error) if error.kind() == Kind::Later => {
                self.pulse.could_not_save(Some(error.to_string()));
                None
            }
            held => held?,
        };
        let Some(frozen) = frozen else { return self.postpone(state) };
        let Frozen { base, bytes, .. } = frozen;
        let (store, nonce) = (vault.store().clone(), vault.nonce());
        self.task = Some(tokio::spawn(async move {
            let saved = snapshot::save(&store, (base, nonce), bytes, frozen).await?;
            Ok((saved, snapshot::rotate(&store, base.fold, SNAPSHOTS_KEPT).await.err()))
        }));
        Ok(())
    }

    async fn finish<S: ObjectStore>(&mut self, (_, state): (&Vault<S>, &mut State)) -> Result<()> {
        let Some(mut task) = self.task.take() else { return Ok(()) };
        let ended = tokio::select! {
            ended = &mut task => ended,
            // A run that is told to stop has no time for what the next one can do.
            () = self.interrupt.raised() => {
                task.abort();
                return state.thaw();
            }
        };
        let saved = match ended {
            Ok(saved) => saved.map_err(|error| error.to_string()),
            Err(error) => Err(format!("saving a snapshot did not end as it should: {error}")),
        };
        state.thaw()?;
        match saved {
            Ok((snapshot, left)) => {
                self.counts(Some(snapshot));
                self.pulse.could_not_save(left.map(|why| format!("older ones could not be deleted: {why}")));
            }
            Err(why) => {
                self.pulse.could_not_save(Some(why));
                self.postpone(state)?;
            }
        }
        Ok(())
    }

    /// Not at once again: whatever stood in the way stands there still.
    fn postpone(&mut self, state: &State) -> Result<()> {
        self.due = self.tail(state)? + self.due.max(1_024) / 4;
        Ok(())
    }
}
