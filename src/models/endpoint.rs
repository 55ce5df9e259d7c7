//! Which model is asked, and where: settings as plain data, and whether they can be meant. Holds no key, only where
//! one is, so it may be shown. This file must not know how any vendor is spoken to.

use crate::error::{Error, Kind, Result};
use crate::secret::KeySource;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// A model at a place. What is not said is the vendor's usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoint {
    /// Whose it is, such as `vertex`.
    pub vendor: String,
    /// Its name there, such as `gemini-2.5-flash`; with Azure the name of the deployment.
    pub model: String,
    /// Where the vendor's API begins, such as `http://localhost:11434/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Google Cloud project, for Vertex AI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Region, for Vertex AI: `global`, `eu`, `us`, or one such as `europe-west4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The bucket, and a folder in it, through which Vertex AI's batch jobs go: `gs://BUCKET/FOLDER`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_bucket: Option<String>,
    /// Where the API of that bucket begins, if not at Google's usual place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_url: Option<String>,
    /// For Azure resources that still ask for a dated version, such as `2024-10-21`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Where the key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeySource>,
    /// More headers, for gateways; a value may be `env:NAME` or `file:PATH`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// How JSON is asked for.
    pub form: Form,
    /// How freely the model chooses. Unset, vendors' models keep their own (several refuse any other), and servers of
    /// one's own get 0, since theirs is made for chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How much it thinks first, in the vendor's word (`low`, `minimal`), or for Gemini 2.5 a count of tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// The most tokens that it writes in one answer, where that is less than is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u32>,
}

/// How JSON is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// By the vendor's own mechanism for schemas.
    #[default]
    Schema,
    /// As the arguments of a tool that must be called: for models of Anthropic older than their schemas.
    Tool,
    /// As any JSON, with the schema shown in the prompt: for servers that know no schemas.
    Object,
}

impl FromStr for Endpoint {
    type Err = Error;

    /// Reads `vendor/model`, as `--model` has it. A model may have a `/` in its name.
    fn from_str(text: &str) -> Result<Self> {
        let (vendor, model) = text.split_once('/').unwrap_or((text, ""));
        let endpoint = Self { vendor: vendor.to_owned(), model: model.to_owned(), ..Self::default() };
        endpoint.check_names().map(|()| endpoint)
    }
}

impl Endpoint {
    /// What it is called in messages: `vendor/model`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.vendor, self.model)
    }

    /// What tells it from others: vendor, model and where it is asked. Holds no key.
    pub fn place(&self) -> String {
        let parts = [&self.base_url, &self.project, &self.location].into_iter().flatten();
        let key = self.key.iter().map(ToString::to_string);
        [self.name()].into_iter().chain(parts.cloned()).chain(key).collect::<Vec<_>>().join(" ")
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// Says which setting, what it is and what was expected.
    pub fn check(&self) -> Result<()> {
        self.check_names()?;
        let names =
            [("project", &self.project), ("location", &self.location), ("api_version", &self.api_version)];
        for (name, value) in names {
            let Some(value) = value else { continue };
            if value.is_empty() || !value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c)) {
                return Err(self
                    .wrong(format!("`{name}` is `{value}`, expected letters, digits, `-`, `_`, `.`, `:`")));
            }
        }
        for url in [&self.base_url, &self.storage_url].into_iter().flatten() {
            self.check_url(url)?;
        }
        if let Some(place) = self.batch_bucket.as_deref().filter(|place| !is_bucket(place)) {
            return Err(self
                .wrong(format!("`batch_bucket` is `{place}`, expected a bucket of Cloud Storage"))
                .hint("write `gs://BUCKET` or `gs://BUCKET/FOLDER`"));
        }
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err(self.wrong("`temperature` is not a number from 0 to 2".to_owned()));
        }
        if self
            .effort
            .as_ref()
            .is_some_and(|effort| !effort.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        {
            return Err(self.wrong("`effort` is neither a word nor a number".to_owned()));
        }
        if self.form == Form::Tool && self.vendor != "anthropic" {
            return Err(self
                .wrong("`form` is `tool`, which is for `anthropic`".to_owned())
                .hint("use `schema`, or `object` for a server that knows no schemas"));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        if !super::vendors().any(|vendor| vendor == self.vendor) {
            return Err(self.unknown());
        }
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.:@/+".contains(c);
        let dots = self.model.split('/').any(|part| part.is_empty() || part == "." || part == "..");
        if self.model.is_empty() || dots || !self.model.chars().all(safe) {
            let found = format!("the model is `{}`, expected a name", self.model);
            return Err(self.wrong(found).hint(format!("write `{}/NAME-OF-THE-MODEL`", self.vendor)));
        }
        Ok(())
    }

    fn check_url(&self, url: &str) -> Result<()> {
        match url_fault(url) {
            None => Ok(()),
            Some(found) => {
                Err(self.wrong(format!("`base_url` {found}")).hint("for example `http://localhost:11434/v1`"))
            }
        }
    }

    /// The vendor is none of ours.
    pub(super) fn unknown(&self) -> Error {
        let vendors: Vec<&str> = super::vendors().collect();
        let text = format!("choosing a model: there is no vendor `{}`", self.vendor);
        Error::new(Kind::Usage, text).hint(format!(
            "vendors are: {}; write `vendor/model`, `local` for a server on this machine, or `recorded/model`",
            vendors.join(", ")
        ))
    }

    /// A setting of this endpoint is wrong.
    pub(crate) fn wrong(&self, found: String) -> Error {
        Error::new(Kind::Usage, format!("model `{}`: {found}", self.name()))
    }

    /// The address without a closing `/`, or the vendor's usual one.
    pub(crate) fn base(&self, usual: &str) -> String {
        self.base_url.as_deref().unwrap_or(usual).trim_end_matches('/').to_owned()
    }
}

/// Whether this is `gs://BUCKET`, with a folder or without.
fn is_bucket(place: &str) -> bool {
    let safe = |part: &str| {
        let dots = part.is_empty() || part == "." || part == "..";
        !dots && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    place.strip_prefix("gs://").is_some_and(|path| path.trim_end_matches('/').split('/').all(safe))
}

/// What is wrong with an address, in words that do not repeat it: what stands before an `@` may be a password.
pub fn url_fault(url: &str) -> Option<&'static str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
    match host {
        None => Some("does not begin with `https://` or `http://`"),
        Some("") => Some("names no host"),
        Some(host) if host.contains('@') => Some("holds a user name or password; put it where `key` says"),
        Some(_) if url.contains(['?', '#']) => Some("holds a `?` or `#`; keys do not belong into addresses"),
        Some(_) if url.chars().any(|c| c.is_whitespace() || c.is_control()) => Some("holds white space"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendor_and_model_are_read_from_one_word() {
        let endpoint: Endpoint = "compatible/Qwen/Qwen3-8B".parse().unwrap();
        assert_eq!((endpoint.vendor.as_str(), endpoint.model.as_str()), ("compatible", "Qwen/Qwen3-8B"));
        for wrong in ["openai", "openai/", "gemini/../x", "gemini/a b", "vertex/a?key=b", "openai//x"] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_vendor_is_told_the_known_ones() {
        let error = "opneai/gpt".parse::<Endpoint>().unwrap_err();
        assert_eq!(error.to_string(), "choosing a model: there is no vendor `opneai`");
        assert!(error.advice().unwrap().contains("anthropic, azure, compatible, gemini, openai, vertex"));
    }

    #[test]
    fn addresses_with_passwords_or_keys_are_refused_and_not_repeated() {
        for url in
            ["http://me:hunter2@host/v1", "https://h/v1?key=hunter2", "ftp://hunter2", "http:///x", "hunter2"]
        {
            let endpoint =
                Endpoint { base_url: Some(url.into()), ..Endpoint::from_str("compatible/m").unwrap() };
            let error = endpoint.check().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_go_to_a_file_and_back_without_keys() {
        let text = "vendor = \"vertex\"\nmodel = \"gemini-2.5-flash\"\nproject = \"wiki\"\nlocation = \"europe-west4\"\n\
                    key = \"env:MY_KEY\"\nform = \"object\"\n";
        let endpoint: Endpoint = toml::from_str(text).unwrap();
        endpoint.check().unwrap();
        assert_eq!(toml::from_str::<Endpoint>(&toml::to_string(&endpoint).unwrap()).unwrap(), endpoint);
        let error = toml::from_str::<Endpoint>("key = \"sk-hunter2-hunter2\"").unwrap_err();
        assert!(error.message().contains("expected `env:NAME`"), "{error}");
        assert!(toml::from_str::<Endpoint>("modle = \"x\"").is_err());
    }
}
