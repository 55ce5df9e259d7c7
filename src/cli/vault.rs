//! `vault init|verify|rebuild`: the vault as a thing of its own.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::wire;
use clap::Subcommand;
use serde_json::json;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a vault in an empty or absent folder, or in a bucket
    #[command(after_help = "Example: highwater vault init gs://our-bucket/wiki")]
    Init {
        /// A folder, `gs://BUCKET/PREFIX`, `s3://BUCKET/PREFIX` or `az://CONTAINER/PREFIX` [default: the setting
        /// `vault`]
        target: Option<String>,
    },
    /// Check every digest and every link of the journal
    #[command(after_help = "Example: highwater vault verify --vault /mnt/wiki-vault")]
    Verify,
    /// Fold the journal into a new state file
    #[command(after_help = "Example: highwater vault rebuild")]
    Rebuild,
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Result<Exit> {
    match verb {
        Verb::Init { target } => init(call, target.as_deref().unwrap_or(call.settings.text("vault"))).await,
        Verb::Verify => verify(call).await,
        Verb::Rebuild => rebuild(call).await,
    }
}

async fn init(call: &Call, target: &str) -> Result<Exit> {
    let made = wire::make_vault(&call.settings, target).await?;
    match call.json {
        true => print_json(&json!({
            "vault": target, "id": made.identity.id, "environment": made.identity.environment,
        }))?,
        false => print(&format!(
            "made vault {} for environment `{}` in `{}`\n",
            made.identity.id, made.identity.environment, target
        ))?,
    }
    Ok(Exit::Done)
}

async fn verify(call: &Call) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let found = vault::verify(&vaulted.store).await?;
    if call.json {
        print_json(&json!({
            "id": vaulted.identity.id, "segments": found.segments, "entries": found.entries, "bytes": found.bytes,
            "terms": found.terms, "voided": found.voided, "last_seq": found.tail.seq, "torn": found.tail.torn.len(),
        }))?;
        return Ok(Exit::Done);
    }
    print(&format!(
        "vault {} is whole: {} entries in {} segments ({}), {} terms, last record {}\n",
        vaulted.identity.id,
        found.entries,
        found.segments,
        indicatif::HumanBytes(found.bytes),
        found.terms,
        found.tail.seq
    ))?;
    for torn in &found.tail.torn {
        print(&format!(
            "`{}` is torn: it was never acknowledged, and the next run will pass it\n",
            torn.name
        ))?;
    }
    Ok(Exit::Done)
}

async fn rebuild(call: &Call) -> Result<Exit> {
    let vaulted = wire::vault(&call.settings).await?;
    let owned = wire::rebuild(&call.settings, &vaulted, &|text| call.tell(text)).await?;
    let applied = owned.state.applied()?;
    match call.json {
        true => print_json(&json!({"applied_seq": applied}))?,
        false => print(&format!("folded {applied} records into `{}`\n", owned.state.path().display()))?,
    }
    Ok(Exit::Done)
}
