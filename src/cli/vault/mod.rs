//! `vault ...`: the vault as a thing of its own.

mod log;
mod past;
mod writing;

use super::{Call, Exit, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::state::snapshots::Until;
use crate::wire;
use clap::Subcommand;
use knowledge::time::Timestamp;
use serde_json::json;
use std::path::PathBuf;
use vault::Seq;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a vault in an empty or absent folder, or under an empty prefix of a bucket
    #[command(
        after_help = "Examples:\n  highwater vault init /mnt/wiki-vault\n  highwater vault init gs://bucket/wiki"
    )]
    Init {
        /// The folder or bucket [default: the setting `vault`]
        target: Option<String>,
    },
    /// Show what happened when: runs, counts, cost
    #[command(after_help = "Example: highwater vault log --last 3")]
    Log {
        /// Terms shown, counted from the newest
        #[arg(long, value_name = "N", default_value_t = 20)]
        last: usize,
    },
    /// Check every digest and every link, and that folding the journal gives the newest snapshot
    #[command(after_help = "Example: highwater vault verify --vault /mnt/wiki-vault")]
    Verify {
        /// Check objects only, and fold nothing
        #[arg(long)]
        quick: bool,
    },
    /// Fold the journal into a new state file, from its start
    #[command(after_help = "Example: highwater vault rebuild")]
    Rebuild,
    /// Make a state file as it is now, or as it was
    #[command(after_help = "Example: highwater vault restore --to before.db --time 2026-11-27T09:00:00Z")]
    Restore {
        /// The file to make
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// As it was after this record
        #[arg(long, value_name = "N", conflicts_with = "time")]
        seq: Option<u64>,
        /// As it was at this moment, in UTC
        #[arg(long, value_name = "TIME")]
        time: Option<String>,
    },
    /// Copy a vault between any two places; what is there already is compared, and the copy is verified
    #[command(after_help = "Example: highwater vault copy gs://bucket/wiki /mnt/backup/wiki")]
    Copy {
        /// The vault
        from: String,
        /// An empty place, or an earlier copy
        to: String,
    },
    /// Delete old segments that verified snapshots cover
    #[command(after_help = "Example: highwater vault prune --keep-days 30")]
    Prune {
        /// Segments younger than so many days stay
        #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(..=36_500))]
        keep_days: u32,
        /// Fence a run that is active on this vault
        #[arg(long)]
        take_over: bool,
    },
    /// Erase all that came from a page, for ever
    #[command(after_help = "Example: highwater vault erase 499359365\n\n\
                            The page is read again only when the wiki has a newer version of it.")]
    Erase {
        /// The id of the page
        page: String,
        /// Fence a run that is active on this vault
        #[arg(long)]
        take_over: bool,
    },
}

pub(super) async fn run(call: &Call, verb: &Verb) -> Result<Exit> {
    match verb {
        Verb::Init { target } => {
            let target = target.clone().unwrap_or_else(|| call.settings.text("vault").to_owned());
            init(call, &target).await
        }
        Verb::Log { last } => log::run(call, *last).await,
        Verb::Verify { quick } => past::verify(call, *quick).await,
        Verb::Rebuild => rebuild(call).await,
        Verb::Restore { to, seq, time } => {
            let until = match (seq, time) {
                (Some(seq), _) => Some(Until::Seq(Seq::new(*seq))),
                (None, Some(time)) => Some(Until::Time(moment(time)?)),
                (None, None) => None,
            };
            past::restore(call, to, until).await
        }
        Verb::Copy { from, to } => past::copy(call, from, to).await,
        Verb::Prune { keep_days, take_over } => writing::prune(call, *keep_days, *take_over).await,
        Verb::Erase { page, take_over } => writing::erase(call, page, *take_over).await,
    }
}

fn moment(text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error| {
        Error::new(Kind::Usage, format!("`--time {text}`: {error}"))
            .hint("give a time such as 2026-11-27T09:00:00Z")
    })
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
