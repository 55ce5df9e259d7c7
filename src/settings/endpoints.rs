//! Several keys, regions or servers side by side: each `[[endpoint]]` of the settings file is the plain settings with
//! some of them said anew. Must not know what an endpoint is made of.
//!
//! Invariant: an endpoint sets only what concerns the way to a model and its quota, so whatever else is decided is
//! decided once for all of them.

use super::{Origin, Settings, Values, in_file, read_table};
use crate::error::{Error, Kind, Result};
use std::path::Path;

/// The settings that an `[[endpoint]]` may say anew.
pub const ENDPOINT_KEYS: [&str; 16] = [
    "model",
    "model_url",
    "model_key",
    "model_project",
    "model_location",
    "model_headers",
    "model_api_version",
    "model_form",
    "model_temperature",
    "model_effort",
    "model_output_tokens",
    "batch_bucket",
    "requests_per_minute",
    "tokens_per_minute",
    "requests_per_day",
    "calls_at_once",
];

/// Takes the `[[endpoint]]` tables out of a settings file.
pub(super) fn take(file: &mut toml::Table, path: &Path) -> Result<Vec<Values>> {
    let whence = in_file(path);
    let tables = match file.remove("endpoint") {
        None => return Ok(Vec::new()),
        Some(toml::Value::Array(tables)) => tables,
        Some(other) => {
            let text = format!("{whence}: `endpoint` is a {}, expected tables", other.type_str());
            return Err(Error::new(Kind::Usage, text).hint("write `[[endpoint]]` above each of them"));
        }
    };
    let read = |(number, table): (usize, toml::Value)| {
        let whence = format!("{whence}, endpoint {}", number + 1);
        let toml::Value::Table(table) = table else {
            let text = format!("{whence}: found {}, expected a table", table.type_str());
            return Err(Error::new(Kind::Usage, text));
        };
        if let Some(name) = table.keys().find(|name| !ENDPOINT_KEYS.contains(&name.as_str())) {
            let text = format!("{whence}: `{name}` cannot be set for one endpoint");
            return Err(Error::new(Kind::Usage, text)
                .hint(format!("an endpoint may set: {}", ENDPOINT_KEYS.join(", "))));
        }
        read_table(table, path, &whence)
    };
    tables.into_iter().enumerate().map(read).collect()
}

impl Settings {
    /// The settings of every endpoint, in the order in which calls number them: one for each `[[endpoint]]` and each of
    /// its locations; without any, the plain settings are the only one.
    pub fn endpoints(&self) -> Vec<Settings> {
        let whole = |table: &Values| {
            let mut values = self.values.clone();
            values.extend(table.clone());
            Settings { values, tables: Vec::new() }
        };
        let tables = match self.tables.is_empty() {
            true => vec![whole(&Values::new())],
            false => self.tables.iter().map(whole).collect(),
        };
        tables.into_iter().flat_map(by_location).collect()
    }

    /// What each `[[endpoint]]` says anew, with where it was said.
    pub fn said_by_endpoints(&self) -> impl Iterator<Item = Vec<(&'static str, &str, &Origin)>> {
        self.tables.iter().map(|table| {
            table.iter().map(|(name, (value, origin))| (*name, value.as_str(), origin)).collect()
        })
    }
}

/// Quotas are given by region, so each region that is named is an endpoint.
fn by_location(settings: Settings) -> Vec<Settings> {
    let (locations, origin) =
        (settings.text("model_location").to_owned(), settings.origin("model_location").clone());
    let one = |location: &str| {
        let mut values = settings.values.clone();
        values.insert("model_location", (location.trim().to_owned(), origin.clone()));
        Settings { values, tables: Vec::new() }
    };
    locations.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("h.toml");
        std::fs::write(&file, text).unwrap();
        Settings::load(Some(&file), [], &[])
    }

    #[test]
    fn each_endpoint_is_the_plain_settings_with_some_said_anew() {
        let settings = load(
            "model = \"vertex/m\"\nrequests_per_minute = 5\nmodel_location = \"europe-west1\"\n\
             [[endpoint]]\n[[endpoint]]\nmodel_location = \"us, asia-east1\"\nrequests_per_minute = 60\n",
        )
        .unwrap();
        let found: Vec<_> = settings
            .endpoints()
            .iter()
            .map(|one| {
                let text = |name: &str| one.text(name).to_owned();
                (text("model"), text("model_location"), text("requests_per_minute"))
            })
            .collect();
        let expected = [("europe-west1", "5"), ("us", "60"), ("asia-east1", "60")];
        let expected = expected.map(|(place, rpm)| ("vertex/m".into(), place.into(), rpm.into()));
        assert_eq!(found, expected);
        assert_eq!(settings.said_by_endpoints().count(), 2);
    }

    #[test]
    fn without_tables_the_plain_settings_are_the_only_endpoint() {
        let settings = load("model_key = \"env:KEY\"\n").unwrap();
        let [one] = &settings.endpoints()[..] else { panic!("expected one") };
        assert_eq!((one.text("model_key"), one.text("model_location")), ("env:KEY", ""));
    }

    #[test]
    fn what_is_not_an_endpoints_own_is_refused_by_name() {
        for (text, word) in [
            ("[[endpoint]]\nvault = \"x\"\n", "endpoint 1: `vault`"),
            ("[[endpoint]]\n[[endpoint]]\nmodel_kee = \"x\"\n", "endpoint 2: `model_kee`"),
            ("[endpoint]\nmodel = \"x\"\n", "`endpoint` is a table"),
            ("endpoint = [3]\n", "endpoint 1: found integer"),
            ("[[endpoint]]\nmodel = []\n", "`model` is a array"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
