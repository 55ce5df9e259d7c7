//! The seat of a vault's writer, for verbs that write besides `pipeline`: each is a term of its own, with the same
//! courtesy as a run. It must not know what is written.

use super::{Call, courtesy};
use crate::error::Result;
use crate::wire::{self, Owned, Vaulted};
use crate::world::live;
use vault::{AnyStore, Vault};

/// A vault, open for writing, with its state.
pub(super) struct Seat {
    pub vaulted: Vaulted,
    pub owned: Owned,
    pub vault: Vault<AnyStore>,
}

impl Seat {
    /// Waits for the seat and takes it; the state is at the end of the journal then.
    pub(super) async fn take(call: &Call, take_over: bool) -> Result<Self> {
        let vaulted = wire::vault(&call.settings).await?;
        let mut owned = wire::state_to_write(&call.settings, &vaulted, &|text| call.tell(text)).await?;
        let me = wire::writer();
        let from = owned.state.position()?;
        courtesy::wait(call, (&vaulted.store, from), (&me, take_over)).await?;
        let vault = Vault::open_from(vaulted.store.clone(), (me, wire::nonce()?), live::now(), from).await?;
        owned.state.catch_up(&vaulted.store).await?;
        Ok(Self { vaulted, owned, vault })
    }

    /// Says that nothing is left undone.
    pub(super) async fn leave(&mut self) -> Result<()> {
        let segment = self.vault.close(live::now()).await?;
        self.owned.state.advance(&segment)
    }
}
