//! `show`: an entity with its facts, a page with its chunks, a fact with its supports, a chunk.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::inquiry::{Graph, Name, say_shown};
use clap::Args;

/// Show an entity, a page, a fact or a chunk
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  highwater show ledger-service\n  highwater show \"Deploy runbook\"\n  \
                        highwater show ID, with an id that `search` printed")]
pub(super) struct Typed {
    #[command(flatten)]
    name: Name,
    /// Only what this user may see: a key, an e-mail address or a name [default: the setting `as`]
    #[arg(long = "as", value_name = "USER")]
    viewer: Option<String>,
}

impl Typed {
    /// Who looks, as the setting it is.
    pub(super) fn viewer(&self) -> Option<String> {
        self.viewer.clone()
    }
}

pub(super) async fn run(call: &Call, typed: &Typed) -> Result<Exit> {
    let shown = Graph::open(&call.settings).await?.show(&typed.name, &|text| call.tell(text)).await?;
    match call.json {
        true => print_json(&shown)?,
        false => print(&say_shown(&shown))?,
    }
    Ok(Exit::Done)
}
