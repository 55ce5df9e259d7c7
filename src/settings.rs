//! Settings: plain data from defaults, a file, the environment and flags, in that order of rising strength. Unknown
//! keys are refused. Components are built from them in `wire.rs` and nowhere else.

mod endpoints;

pub use endpoints::ENDPOINT_KEYS;

use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A settings file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "file `{}`", path.display()),
            Origin::Environment(name) => write!(f, "environment `{name}`"),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// A key: its name, its default, and a sentence.
pub struct Key {
    /// The name in the file; upper-cased behind `HIGHWATER_` it is the environment variable.
    pub name: &'static str,
    /// The default, as it would be written in the file.
    pub default: &'static str,
    /// What it sets.
    pub about: &'static str,
}

/// Every setting there is.
pub const KEYS: [Key; 51] = [
    Key {
        name: "source",
        default: "samples",
        about: "the wiki to index: an export (ZIP or folder), a folder of pages, or the address of a Confluence, such \
                as `https://SITE.atlassian.net/wiki`",
    },
    Key {
        name: "confluence_user",
        default: "",
        about: "who we are to Confluence: the e-mail of an API token, or a user name; empty for a personal access \
                token",
    },
    Key {
        name: "confluence_token",
        default: "",
        about: "where the API token, personal access token or password is: `env:NAME` or `file:PATH`; empty for \
                `CONFLUENCE_TOKEN`, if it is set",
    },
    Key {
        name: "confluence_oauth",
        default: "",
        about: "a file with OAuth 2.0 tokens (mode 0600), which is rewritten as they are renewed; empty for none",
    },
    Key {
        name: "confluence_deployment",
        default: "",
        about: "`cloud` or `data-center`; empty to tell by the address",
    },
    Key {
        name: "confluence_spaces",
        default: "",
        about: "the keys of the spaces to read, with `,` between; empty for all but personal ones",
    },
    Key {
        name: "confluence_history",
        default: "0",
        about: "versions before the current one that are read of each page, for looking back (0 to 1000)",
    },
    Key {
        name: "vault",
        default: "vault",
        about: "what holds the journal, the one thing that must not be lost: a folder, `gs://BUCKET/PREFIX`, \
                `s3://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`",
    },
    Key {
        name: "state",
        default: "highwater.db",
        about: "the state file; a cache of the vault on a local disk",
    },
    Key {
        name: "environment",
        default: "default",
        about: "the name a vault is made for, such as prod; a mismatch is refused",
    },
    Key { name: "chunk_chars", default: "3500", about: "the cap of a chunk, in characters (500 to 20000)" },
    Key { name: "epoch_pages", default: "64", about: "pages resolved together (1 to 10000)" },
    Key {
        name: "snapshot_bytes",
        default: "262144",
        about: "journal, in bytes, from which on a first snapshot of the state is saved (0 to 1073741824)",
    },
    Key {
        name: "as",
        default: "",
        about: "for whom `search` and `show` answer: a user's key, e-mail address or name; empty for everything",
    },
    Key {
        name: "principals",
        default: "",
        about: "a file that says who belongs to which group, for wikis that do not (JSON); read by `pipeline`",
    },
    Key {
        name: "principals_max_age",
        default: "24",
        about: "hours after which groups that were read may have changed, and `as` is refused (1 to 8760)",
    },
    Key { name: "concurrency", default: "64", about: "reads under way at once (1 to 256)" },
    Key {
        name: "embedding",
        default: "builtin",
        about: "what turns text into vectors: `builtin`, `none` for words only, `local/MODEL`, or `VENDOR/MODEL` such \
                as `openai/text-embedding-3-small`",
    },
    Key {
        name: "embedding_url",
        default: "",
        about: "where the embedding's API begins; empty for the vendor's usual place",
    },
    Key {
        name: "embedding_key",
        default: "",
        about: "where its key is: `env:NAME` or `file:PATH`; empty for the vendor's usual variable",
    },
    Key {
        name: "embedding_project",
        default: "",
        about: "its Google Cloud project, for Vertex AI; empty for `model_project`",
    },
    Key {
        name: "embedding_location",
        default: "",
        about: "its region, for Vertex AI; empty for the first `model_location`",
    },
    Key {
        name: "embedding_dimensions",
        default: "",
        about: "numbers of a vector; empty for 768 where the model lets us choose, and for all it makes elsewhere",
    },
    Key {
        name: "embedding_requests_per_minute",
        default: "",
        about: "requests for vectors that the provider allows in a minute; empty for no limit",
    },
    Key {
        name: "embedding_tokens_per_minute",
        default: "",
        about: "tokens of texts that the provider allows in a minute; empty for no limit",
    },
    Key {
        name: "model",
        default: "none",
        about: "who reads the text: `none`, `VENDOR/MODEL` such as `vertex/gemini-2.5-flash`, `local`, or \
                `recorded/MODEL`",
    },
    Key {
        name: "model_url",
        default: "",
        about: "where the model's API begins; empty for the vendor's usual place",
    },
    Key {
        name: "model_key",
        default: "",
        about: "where the key is: `env:NAME` or `file:PATH`; empty for the vendor's usual variable",
    },
    Key {
        name: "model_recording",
        default: "",
        about: "with `recorded/MODEL`, which repeats what a model once read: the file, JSON Lines with `title`, \
                `text`, `entities` and `triples`",
    },
    Key { name: "model_project", default: "", about: "the Google Cloud project, for Vertex AI" },
    Key {
        name: "model_location",
        default: "",
        about: "the region, for Vertex AI, such as `europe-west4`; several with `,` between share the work",
    },
    Key {
        name: "model_headers",
        default: "",
        about: "more headers for a gateway: `NAME=VALUE, NAME=env:VARIABLE, NAME=file:PATH`",
    },
    Key {
        name: "model_api_version",
        default: "",
        about: "for Azure resources that still ask for a dated version, such as `2024-10-21`",
    },
    Key {
        name: "model_form",
        default: "schema",
        about: "how JSON is asked for: `schema`, `object` (servers that know no schemas), `tool` (older models of \
                Anthropic)",
    },
    Key {
        name: "model_temperature",
        default: "",
        about: "how freely the model chooses, 0 to 2; empty for its own (servers of one's own get 0)",
    },
    Key {
        name: "model_effort",
        default: "",
        about: "how much the model thinks first, in its vendor's word such as `low`, or tokens; empty for its own",
    },
    Key {
        name: "model_output_tokens",
        default: "",
        about: "tokens that the model writes in one answer at most; empty for 16384 and what it thinks besides",
    },
    Key {
        name: "batch_bucket",
        default: "",
        about: "the bucket of Vertex AI's batch jobs: `gs://BUCKET/FOLDER`; needed for `--batch` there",
    },
    Key {
        name: "requests_per_minute",
        default: "",
        about: "requests that the provider allows in a minute; empty for no limit",
    },
    Key {
        name: "tokens_per_minute",
        default: "",
        about: "tokens that the provider allows in a minute; empty for no limit",
    },
    Key {
        name: "requests_per_day",
        default: "",
        about: "requests that the provider allows in a day; empty for no limit",
    },
    Key {
        name: "calls_at_once",
        default: "",
        about: "calls under way at once, at most (1 to 256); empty to find it, or for as many as the quota lets out",
    },
    Key {
        name: "pack_chars",
        default: "16000",
        about: "text that shares a call, in characters (500 to 400000)",
    },
    Key {
        name: "extraction_steps",
        default: "1",
        about: "1: entities and facts in one call; 2: entities first, for small models that lose count otherwise",
    },
    Key {
        name: "ask_history",
        default: "no",
        about: "`yes`: the model also reads the versions before the current one that `confluence_history` brings",
    },
    Key {
        name: "community_summaries",
        default: "50",
        about: "communities that the model names and summarises, those with most facts first (0 to 1000)",
    },
    Key {
        name: "vocabulary",
        default: "",
        about: "a file of entity and relation types (TOML); empty for the built-in ones",
    },
    Key {
        name: "input_price",
        default: "",
        about: "money for a million tokens of prompts, for estimates, reports and `--max-cost`",
    },
    Key {
        name: "cached_price",
        default: "",
        about: "money for a million tokens of prompts that came from the vendor's cache; empty for `input_price`",
    },
    Key {
        name: "output_price",
        default: "",
        about: "money for a million tokens of answers, for estimates, reports and `--max-cost`",
    },
    Key {
        name: "embedding_price",
        default: "",
        about: "money for a million tokens of texts that are turned into vectors",
    },
];

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "highwater.toml";

/// All settings with their origins.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Values,
    /// What each `[[endpoint]]` of the file sets.
    tables: Vec<Values>,
}

/// Values by key, with their origins.
type Values = BTreeMap<&'static str, (String, Origin)>;

impl Settings {
    /// Puts the layers together. `file` is a path the user named; without it `highwater.toml` is read if it is there.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, Option<String>)],
    ) -> Result<Self> {
        let mut values: Values =
            KEYS.iter().map(|key| (key.name, (key.default.to_owned(), Origin::Default))).collect();
        let mut tables = Vec::new();
        let named = file.map(Path::to_owned);
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        if named.is_some() || path.exists() {
            let mut table = read_file(&path)?;
            tables = endpoints::take(&mut table, &path)?;
            values.extend(read_table(table, &path, &in_file(&path))?);
        }
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix("HIGHWATER_") else { continue };
            let key = known(&name.to_lowercase(), &format!("environment variable `{variable}`"))?;
            values.insert(key, (value, Origin::Environment(variable)));
        }
        for (name, value) in flags {
            if let Some(value) = value {
                values.insert(known(name, "a flag")?, (value.clone(), Origin::Flag));
            }
        }
        Ok(Self { values, tables })
    }

    /// A value as text.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |(value, _)| value)
    }

    /// Where a value came from.
    pub fn origin(&self, name: &str) -> &Origin {
        self.values.get(name).map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// A value as a path.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(self.text(name))
    }

    /// A value as a number within bounds.
    pub fn number(&self, name: &str, bounds: std::ops::RangeInclusive<usize>) -> Result<usize> {
        let text = self.text(name);
        text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
            let found = format!("setting `{name}` ({}): `{text}`", self.origin(name));
            Error::new(
                Kind::Usage,
                format!("{found} is not a number from {} to {}", bounds.start(), bounds.end()),
            )
        })
    }

    /// A value as a number of at least 1; nothing when it is empty.
    pub fn limit(&self, name: &str) -> Result<Option<u64>> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().ok().filter(|number| *number > 0).map(Some).ok_or_else(|| {
                let found = format!("setting `{name}` ({}): `{text}`", self.origin(name));
                Error::new(Kind::Usage, format!("{found} is not a whole number above zero"))
            }),
        }
    }

    /// A value as money; nothing when it is empty.
    pub fn price(&self, name: &str) -> Result<Option<f64>> {
        match self.text(name) {
            "" => Ok(None),
            text => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
                number.map(Some).ok_or_else(|| {
                    let found = format!("setting `{name}` ({}): `{text}`", self.origin(name));
                    Error::new(Kind::Usage, format!("{found} is not a price such as 0.30"))
                })
            }
        }
    }

    /// All settings in the order of `KEYS`.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &str, &Origin)> {
        KEYS.iter().map(|key| (key, self.text(key.name), self.origin(key.name)))
    }
}

fn known(name: &str, whence: &str) -> Result<&'static str> {
    KEYS.iter().find(|key| key.name == name).map(|key| key.name).ok_or_else(|| {
        let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        Error::new(Kind::Usage, format!("{whence}: there is no setting `{name}`"))
            .hint(format!("settings are: {}", names.join(", ")))
    })
}

fn in_file(path: &Path) -> String {
    format!("settings file `{}`", path.display())
}

fn read_file(path: &Path) -> Result<toml::Table> {
    let whence = in_file(path);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(Kind::Usage, format!("{whence}: {error}")).hint("name a readable file with `--config`")
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        // Never the line itself: a key that was written without quotes stands in it.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::new(Kind::Usage, format!("{whence}, line {line}: {}", error.message()))
            .hint("text stands in quotes: `name = \"value\"`")
    })
}

/// The values of a table; `whence` names it in messages.
fn read_table(table: toml::Table, path: &Path, whence: &str) -> Result<Values> {
    let mut values = Values::new();
    for (name, value) in table {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            other => {
                let kind = other.type_str();
                let text = format!("{whence}: setting `{name}` is a {kind}, expected text or a number");
                return Err(Error::new(Kind::Usage, text));
            }
        };
        values.insert(known(&name, whence)?, (value, Origin::File(path.to_owned())));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_environment_and_the_environment_beats_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("h.toml");
        std::fs::write(&file, "chunk_chars = 1000\nvault = \"from-file\"\nstate = \"from-file\"\n").unwrap();
        let environment =
            [("HIGHWATER_VAULT".into(), "from-env".into()), ("HIGHWATER_STATE".into(), "from-env".into())];
        let flags = [("state", Some("from-flag".to_owned())), ("vault", None)];
        let settings = Settings::load(Some(&file), environment, &flags).unwrap();
        assert_eq!(settings.number("chunk_chars", 500..=20_000).unwrap(), 1_000);
        assert_eq!(settings.text("vault"), "from-env");
        assert_eq!((settings.text("state"), settings.origin("state")), ("from-flag", &Origin::Flag));
        assert_eq!(settings.text("embedding"), "builtin");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_refused_by_line_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("h.toml");
        for line in [
            "model_key = sk-hunter2",
            "model_key = hunter2",
            "model_key = \"sk-hunter2",
            "model_key = 'sk-hunter2\"",
            "model_key = \"sk-\\hunter2\"",
            "model_key \"sk-hunter2\"",
            "sk-hunter2",
            "model_key = \"env:KEY\" sk-hunter2",
            "model_key = { sk-hunter2 }",
            "model_key = 2hunter2",
        ] {
            std::fs::write(&file, format!("model = \"none\"\n\n{line}\n")).unwrap();
            let error = Settings::load(Some(&file), [], &[]).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", error.advice());
            assert!(!shown.contains("hunter2"), "{line}: {shown}");
            assert!(error.to_string().contains("line 3: "), "{line}: {error}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_wherever_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("h.toml");
        std::fs::write(&file, "chunk_char = 1000\n").unwrap();
        let error = Settings::load(Some(&file), [], &[]).unwrap_err();
        assert!(error.to_string().contains("`chunk_char`"), "{error}");
        assert!(Settings::load(None, [("HIGHWATER_VALT".into(), "x".into())], &[]).is_err());
    }
}
