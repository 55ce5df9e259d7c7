//! `mcp`: answers an assistant that has started this program, until it closes its end.

use super::{Call, Exit};
use crate::error::Result;
use crate::inquiry::Graph;
use crate::serve;
use crate::settings::Origin;

/// What the verb's help says below the flags.
pub(super) const EXAMPLE: &str = "Example, as clients are told of a server that they start:\n  \
    {\"mcpServers\": {\"wiki\": {\"command\": \"highwater\",\n                           \
    \"args\": [\"mcp\", \"--vault\", \"/mnt/wiki\"],\n                           \
    \"env\": {\"HIGHWATER_AS\": \"ann@example.com\"}}}}\n\n\
    It answers for the user that the setting `as` names, whatever the client says; without one, with everything.";

pub(super) async fn run(call: &Call) -> Result<Exit> {
    let graph = Graph::open(&call.settings).await?;
    match call.settings.origin("as") {
        Origin::Default => call.tell("answering an assistant on stdin and stdout, with everything there is"),
        _ => call.tell(&format!(
            "answering an assistant on stdin and stdout, as `{}` may see the wiki",
            call.settings.text("as")
        )),
    }
    serve::mcp::serve(graph, call.quiet).await?;
    Ok(Exit::Done)
}
