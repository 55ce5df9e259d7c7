//! `config`: the settings, each with the layer that won, and what each endpoint says anew.

use super::{Call, Exit, print, print_json};
use crate::error::Result;
use crate::settings::Origin;
use serde_json::json;

pub(super) fn run(call: &Call) -> Result<Exit> {
    if call.json {
        let mut all: serde_json::Map<String, serde_json::Value> = call
            .settings
            .all()
            .map(|(key, value, origin)| {
                (key.name.to_owned(), json!({"value": value, "from": origin.to_string()}))
            })
            .collect();
        let endpoint = |said: Vec<(&'static str, &str, &Origin)>| -> serde_json::Map<_, _> {
            let shown = |value: &str, from: &Origin| json!({"value": value, "from": from.to_string()});
            said.into_iter().map(|(name, value, from)| (name.to_owned(), shown(value, from))).collect()
        };
        all.insert("endpoint".to_owned(), call.settings.said_by_endpoints().map(endpoint).collect());
        print_json(&all)?;
        return Ok(Exit::Done);
    }
    for (key, value, origin) in call.settings.all() {
        print(&format!("{} = {value:?}  # {origin}; {}\n", key.name, key.about))?;
    }
    for said in call.settings.said_by_endpoints() {
        print("\n[[endpoint]]\n")?;
        for (name, value, origin) in said {
            print(&format!("{name} = {value:?}  # {origin}\n"))?;
        }
    }
    Ok(Exit::Done)
}
