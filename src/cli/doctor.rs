//! `doctor`: what stands between us and a live Confluence, found out before a run does. It reads, and writes nothing.

use super::{Call, Exit, print, print_json};
use crate::error::{Error, Kind, Result};
use crate::wire;
use crate::world::doctor::Finding;
use clap::Args;

pub(super) const EXAMPLE: &str = "Example: highwater doctor https://example.atlassian.net/wiki";

#[derive(Args, Debug)]
pub(super) struct Typed {
    /// The address of the wiki [default: the setting `source`]
    source: Option<String>,
}

impl Typed {
    /// The address, where one was typed.
    pub(super) fn source(&self) -> Option<String> {
        self.source.clone()
    }
}

pub(super) async fn run(call: &Call) -> Result<Exit> {
    let source = call.settings.text("source");
    if !wire::confluence::is_address(source) {
        let text = format!("checking `{source}`: it is no address of a Confluence");
        return Err(Error::new(Kind::Usage, text).hint(EXAMPLE.replace("Example", "for example")));
    }
    let findings = wire::confluence::examine(&call.settings).await?;
    match call.json {
        true => print_json(&findings)?,
        false => findings.iter().try_for_each(show)?,
    }
    Ok(if findings.iter().all(|finding| finding.good) { Exit::Done } else { Exit::Failed })
}

fn show(finding: &Finding) -> Result<()> {
    let mark = if finding.good { "ok     " } else { "missing" };
    print(&format!("{mark}  {:<12} {}\n", finding.what, finding.found))?;
    match &finding.hint {
        Some(hint) => print(&format!("         {:<12} hint: {hint}\n", "")),
        None => Ok(()),
    }
}
