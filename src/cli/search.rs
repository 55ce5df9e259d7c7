//! `search`: the answering fact, its sentence, and where it stands.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::inquiry::{Graph, Search, say_hits};
use clap::Args;

/// Find facts, entities and passages
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  highwater search who owns the ledger service\n  \
                        highwater search --as-of 2024-06-01 who is on call\n  \
                        highwater search --wiki-at 2024-06-01 --json status of the migration\n  \
                        highwater search --as ann@example.com who owns the ledger service\n  \
                        highwater search --space OPS --only passages --explain why the ledger moved")]
pub(super) struct Typed {
    #[command(flatten)]
    search: Search,
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
    let query = typed.search.query(|field| format!("--{}", field.replace('_', "-")))?;
    let hits = Graph::open(&call.settings).await?.search(query, &|text| call.tell(text)).await?;
    match (call.json, hits.is_empty()) {
        (true, _) => print_json(&hits)?,
        (false, true) => call.tell("nothing found"),
        (false, false) => print(&say_hits(&hits, PASSAGE))?,
    }
    Ok(Exit::Done)
}

/// Characters of a passage shown in a list of results: about two lines of a terminal.
const PASSAGE: usize = 180;
