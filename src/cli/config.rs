//! `config`: the settings, each with the layer that won.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use serde_json::json;

pub(super) fn run(call: &Call) -> Result<Exit> {
    if call.json {
        let all: serde_json::Map<String, serde_json::Value> = call
            .settings
            .all()
            .map(|(key, value, origin)| {
                (key.name.to_owned(), json!({"value": value, "from": origin.to_string()}))
            })
            .collect();
        print_json(&all)?;
        return Ok(Exit::Done);
    }
    for (key, value, origin) in call.settings.all() {
        print(&format!("{} = {value:?}  # {origin}; {}\n", key.name, key.about))?;
    }
    Ok(Exit::Done)
}
