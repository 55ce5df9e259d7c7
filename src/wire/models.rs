//! The settings of models become how they are asked, how much, and the way there.

use crate::error::{Error, Kind, Result};
use crate::models::batch::{Pauses, Room};
use crate::models::{self, Answerer, Endpoint, Form, Recording, Refusal, local};
use crate::plan::{Asks, Batching};
use crate::secret::KeySource;
use crate::settings::{Origin, Settings};
use crate::world::http::{self, Bounds, Http};
use crate::world::live::Models;
use knowledge::extract::Vocabulary;
use knowledge::quota::Allowance;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The model that the settings name: how it is asked, and the way to it. Nothing when none is named.
///
/// # Errors
/// An unknown vendor, a key that cannot be read, no or several servers where `local` is meant.
pub async fn models(settings: &Settings) -> Result<Option<(Asks, Models)>> {
    let asked = asked(settings)?;
    let (mut endpoints, mut answerers, mut allowances) = (Vec::new(), Vec::new(), Vec::new());
    for settings in &asked {
        let endpoint = match settings.text("model").split_once('/').unwrap_or((settings.text("model"), "")) {
            ("local", model) => {
                let found = local_model(Some(model).filter(|model| !model.is_empty())).await?;
                spoken_to(settings, found)?
            }
            (RECORDED, model) => recorded(model),
            _ => endpoint(settings)?,
        };
        answerers.push(match endpoint.vendor == RECORDED {
            true => Answerer::Recording(recording(settings, &endpoint.model)?),
            false => Answerer::Vendor(models::dialect(&endpoint, |name| std::env::var(name).ok())?),
        });
        allowances.push(allowance(settings, &endpoint.vendor)?);
        endpoints.push(endpoint);
    }
    let Some(first) = answerers.first() else { return Ok(None) };
    check_side_by_side(&endpoints)?;
    let mut asks = asks_of(settings, first.model(), allowances)?;
    asks.size.output_tokens = asks.size.output_tokens.min(answer_tokens(&endpoints));
    asks.places = endpoints.iter().map(Endpoint::place).collect();
    let http = Http::new(Bounds::default()).map_err(halt)?;
    Ok(Some((asks, Models { answerers, http, pauses: Pauses::default() })))
}

/// How the model that the settings name is asked, for those who only look: no key is read and no server looked for, so
/// there is nothing where `local` leaves the model to be found.
pub fn asks(settings: &Settings) -> Result<Option<Asks>> {
    let (mut named, mut allowances) = (None, Vec::new());
    for settings in asked(settings)? {
        let (vendor, model) = settings.text("model").split_once('/').unwrap_or((settings.text("model"), ""));
        allowances.push(allowance(&settings, vendor)?);
        named = named.or(Some(model.to_owned()));
    }
    let named = named.filter(|model| !model.is_empty());
    named.map(|model| asks_of(settings, &model, allowances)).transpose()
}

/// The word for a recording, in a vendor's place.
const RECORDED: &str = "recorded";

/// A recording's place among endpoints.
fn recorded(model: &str) -> Endpoint {
    Endpoint { vendor: RECORDED.to_owned(), model: model.to_owned(), ..Endpoint::default() }
}

/// The recording that the settings name.
fn recording(settings: &Settings, model: &str) -> Result<Recording> {
    let path = settings.text("model_recording");
    if model.is_empty() || path.is_empty() {
        let found = format!("the model is `{}`, a recording", settings.text("model"));
        return Err(Error::new(Kind::Usage, found)
            .hint("write `recorded/NAME-OF-THE-MODEL`, and set `model_recording` to its file (JSON Lines)"));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| wrong(settings, "model_recording", format!("`{path}` cannot be read: {error}")))?;
    Recording::read(model, path, &bytes)
}

/// Whether a recording answers. It must not share the work with a model that is asked: facts without a quote would be
/// believed of both, or of neither.
fn answers_are_recorded(settings: &Settings) -> Result<bool> {
    let asked = asked(settings)?;
    let recorded = asked.iter().filter(|one| one.text("model").split('/').next() == Some(RECORDED)).count();
    match recorded {
        0 => Ok(false),
        all if all == asked.len() => Ok(true),
        _ => Err(Error::new(Kind::Usage, "a recording and a model that is asked are set side by side")
            .hint("use `recorded/NAME` everywhere or nowhere")),
    }
}

/// Whether the versions of a page before the current one are asked about.
fn asks_history(settings: &Settings) -> Result<bool> {
    match settings.text("ask_history") {
        "no" => Ok(false),
        "yes" => Ok(true),
        other => {
            Err(Error::new(Kind::Usage, format!("ask_history: found `{other}`, expected `yes` or `no`"))
                .hint("`yes` pays for the old versions of every page too; see `--estimate`"))
        }
    }
}

fn asks_of(settings: &Settings, model: &str, allowances: Vec<Allowance>) -> Result<Asks> {
    let mut asks = Asks::new(model, vocabulary(settings)?, allowances);
    asks.size.chars = settings.number("pack_chars", PACK_CHARS)?;
    asks.quotes = !answers_are_recorded(settings)?;
    asks.reads.history = asks_history(settings)?;
    let portraits = settings.number("community_summaries", PORTRAITS)?;
    // What a model said of communities is in no recording.
    asks.portraits = if asks.quotes { portraits } else { 0 };
    match settings.number("extraction_steps", STEPS)? {
        2 => Ok(asks.in_two_steps()),
        _ => Ok(asks),
    }
}

/// The settings of every endpoint that is asked; none when no model is.
fn asked(settings: &Settings) -> Result<Vec<Settings>> {
    // An endpoint may name the model when the plain settings do not; but `none` that was written means none.
    if settings.text("model") == "none" && *settings.origin("model") != Origin::Default {
        return Ok(Vec::new());
    }
    let mut endpoints = settings.endpoints();
    let all = endpoints.len();
    endpoints.retain(|one| one.text("model") != "none");
    if !endpoints.is_empty() && endpoints.len() < all {
        let found = format!("{} of {all} endpoints name no model", all - endpoints.len());
        return Err(Error::new(Kind::Usage, found).hint("set `model` once, beside the endpoints"));
    }
    // A flag that names another model than the tables would be passed over in silence otherwise.
    let name = |settings: &Settings| settings.text("model").split_once('/').map(|(_, name)| name.to_owned());
    match endpoints.iter().find(|one| settings.text("model") != "none" && name(one) != name(settings)) {
        None => Ok(endpoints),
        Some(other) => {
            let (found, plain) = (other.text("model"), settings.text("model"));
            let text = format!("an endpoint names the model `{found}`, expected that of `{plain}`");
            Err(Error::new(Kind::Usage, text)
                .hint("name the same model everywhere, or only in the endpoints"))
        }
    }
}

/// Refuses endpoints that cannot share the work: answers are kept by the model's name, so it has to be the same
/// everywhere; and one quota that is counted twice would be passed.
fn check_side_by_side(endpoints: &[Endpoint]) -> Result<()> {
    for (number, endpoint) in endpoints.iter().enumerate() {
        if endpoint.model != endpoints[0].model {
            let names = (endpoint.name(), endpoints[0].name());
            let found = format!(
                "endpoint {}: the model is `{}`, expected that of `{}`",
                number + 1,
                names.0,
                names.1
            );
            return Err(Error::new(Kind::Usage, found)
                .hint("answers are kept by the model's name (with Azure the deployment's): give one name everywhere"));
        }
        if endpoints[..number].contains(endpoint) {
            let found = format!("endpoint {}: it is the same as one before it", number + 1);
            return Err(Error::new(Kind::Usage, found).hint(
                "give each its own `model_key`, `model_project`, `model_location` or `model_url`: a quota counts once",
            ));
        }
    }
    Ok(())
}

/// Tokens that all of these write in one answer.
fn answer_tokens(endpoints: &[Endpoint]) -> u32 {
    endpoints.iter().filter_map(|endpoint| endpoint.output_tokens).min().unwrap_or(u32::MAX)
}

/// Which of these models has a batch engine, and what a job there may hold.
///
/// # Errors
/// None of them has one, or a setting that it needs is missing.
pub fn batching(models: &Models) -> Result<Batching> {
    let room = |answerer: &Answerer| answerer.dialect()?.engine().map(|engine| engine.room());
    let rooms = models.answerers.iter().map(room);
    let found = rooms.enumerate().find_map(|(endpoint, room)| Some((endpoint, room?)));
    let (endpoint, Room { prompts, bytes }) = found.ok_or_else(|| {
        Error::new(Kind::Usage, "`--batch`: the model that is set has no batch engine here").hint(
            "`openai`, `anthropic`, `gemini` and `vertex` have one; `vertex` also needs `batch_bucket` and \
             `model_project`. Leave `--batch` out to ask call by call",
        )
    })?;
    Ok(Batching { endpoint: endpoint as u32, prompts, bytes })
}

pub(super) async fn local_model(model: Option<&str>) -> Result<Endpoint> {
    let named = std::env::var("OPENAI_BASE_URL").ok();
    let found = http::look(local::places(named.as_deref())).await.map_err(halt)?;
    local::choose(&found, model)
}

pub(super) fn halt(refusal: Refusal) -> Error {
    Error::new(Kind::Halt, refusal.text)
}

fn endpoint(settings: &Settings) -> Result<Endpoint> {
    let given = |name: &str| Some(settings.text(name).to_owned()).filter(|text| !text.is_empty());
    let endpoint = Endpoint {
        base_url: given("model_url"),
        project: given("model_project"),
        location: given("model_location"),
        api_version: given("model_api_version"),
        batch_bucket: given("batch_bucket"),
        key: key(settings, "model_key")?,
        ..settings.text("model").parse::<Endpoint>()?
    };
    spoken_to(settings, endpoint)
}

/// An endpoint, with what the settings say about how it is spoken to.
fn spoken_to(settings: &Settings, endpoint: Endpoint) -> Result<Endpoint> {
    let given = |name: &str| Some(settings.text(name)).filter(|text| !text.is_empty());
    let temperature = given("model_temperature").map(|text| {
        let why = |_| wrong(settings, "model_temperature", format!("`{text}` is not a number from 0 to 2"));
        text.parse().map_err(why)
    });
    let form = settings.text("model_form");
    let form = FORMS.into_iter().find(|(name, _)| *name == form).map(|(_, form)| form).ok_or_else(|| {
        wrong(settings, "model_form", format!("`{form}`, expected `schema`, `object` or `tool`"))
    })?;
    let effort = given("model_effort").map(str::to_owned);
    let output_tokens = count(settings, "model_output_tokens")?;
    let endpoint = Endpoint {
        headers: headers(settings)?,
        form,
        temperature: temperature.transpose()?,
        effort,
        output_tokens,
        ..endpoint
    };
    endpoint.check().map(|()| endpoint)
}

/// The ways of asking for JSON, by the words of the setting.
const FORMS: [(&str, Form); 3] = [("schema", Form::Schema), ("object", Form::Object), ("tool", Form::Tool)];

/// Words in a header's name that say that its value is a secret.
const SECRET_WORDS: [&str; 6] = ["auth", "cookie", "key", "password", "secret", "token"];

/// The setting `model_headers`.
fn headers(settings: &Settings) -> Result<BTreeMap<String, String>> {
    read_headers(settings.text("model_headers")).map_err(|why| wrong(settings, "model_headers", why))
}

/// Headers as they are written in a setting: `NAME=VALUE` with commas between. Why they are refused is said without the
/// values, of which one may be a key in the wrong place.
fn read_headers(text: &str) -> std::result::Result<BTreeMap<String, String>, String> {
    let written = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut headers = BTreeMap::new();
    for (number, part) in written.enumerate() {
        let (name, value) = part.split_once('=').ok_or_else(|| {
            format!("header {} has no `=`, expected `NAME=VALUE` with `,` between them", number + 1)
        })?;
        let (name, value) = (name.trim().to_lowercase(), value.trim());
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
            return Err(format!(
                "the name of header {} holds more than letters, digits, `-`, `_`",
                number + 1
            ));
        }
        let secret = SECRET_WORDS.iter().any(|word| name.contains(word));
        if secret && KeySource::try_from(value.to_owned()).is_err() {
            return Err(format!(
                "header `{name}`: by its name the value is a secret, expected `env:NAME` or \
                                `file:PATH`"
            ));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(format!("header `{name}` has no value, or one that cannot stand in a header"));
        }
        if headers.insert(name.clone(), value.to_owned()).is_some() {
            return Err(format!("header `{name}` is there twice"));
        }
    }
    Ok(headers)
}

/// A setting is wrong.
fn wrong(settings: &Settings, name: &str, why: String) -> Error {
    Error::new(Kind::Usage, format!("setting `{name}` ({}): {why}", settings.origin(name)))
}

/// Where the key is that a setting names.
pub(super) fn key(settings: &Settings, name: &str) -> Result<Option<KeySource>> {
    let given = Some(settings.text(name).to_owned()).filter(|text| !text.is_empty());
    given.map(KeySource::try_from).transpose().map_err(|why| wrong(settings, name, why))
}

/// Refuses an address that cannot be meant, or that holds what must not be shown.
pub(super) fn check_url(settings: &Settings, name: &str) -> Result<()> {
    let url = settings.text(name);
    match models::url_fault(url).filter(|_| !url.is_empty()) {
        None => Ok(()),
        Some(found) => {
            let text = format!("setting `{name}` ({}): it {found}", settings.origin(name));
            Err(Error::new(Kind::Usage, text).hint("for example `http://localhost:11434/v1`"))
        }
    }
}

/// A limit as the number that vendors count in.
pub(super) fn count(settings: &Settings, name: &str) -> Result<Option<u32>> {
    Ok(settings.limit(name)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

/// Calls under way at once, at most. Unless it is said, as many as a minute lets out: answers take seconds or minutes,
/// and whatever is under way must not keep the quota from being used. Without a quota the number is found below this.
pub(super) fn calls_at_once(settings: &Settings, requests: Option<u32>) -> Result<u32> {
    if !settings.text("calls_at_once").is_empty() {
        return Ok(settings.number("calls_at_once", CALLS_AT_ONCE)? as u32);
    }
    let (fewest, most) = (FEWEST_AT_ONCE, *CALLS_AT_ONCE.end() as u32);
    Ok(requests.unwrap_or(0).clamp(fewest, most))
}

fn allowance(settings: &Settings, vendor: &str) -> Result<Allowance> {
    let requests = count(settings, "requests_per_minute")?;
    Ok(Allowance {
        requests_per_minute: requests,
        tokens_per_minute: settings.limit("tokens_per_minute")?,
        requests_per_day: count(settings, "requests_per_day")?,
        max_concurrency: calls_at_once(settings, requests)?,
        day: models::day(vendor),
        ..Allowance::default()
    })
}

/// Refuses settings of models that nothing could be built from.
pub(super) fn check(settings: &Settings) -> Result<()> {
    for name in ["input_price", "cached_price", "output_price", "embedding_price"] {
        settings.price(name)?;
    }
    settings.number("pack_chars", PACK_CHARS)?;
    settings.number("extraction_steps", STEPS)?;
    settings.number("community_summaries", PORTRAITS)?;
    asks_history(settings)?;
    vocabulary(settings)?;
    for settings in settings.endpoints().iter().chain([settings]) {
        allowance(settings, "")?;
        // Whether or not a model is asked: `config` shows them, so there must be no key in them.
        key(settings, "model_key")?;
        check_url(settings, "model_url")?;
        headers(settings)?;
    }
    let is_local = |settings: &Settings| {
        settings.text("model").split('/').next().is_some_and(|vendor| ["local", RECORDED].contains(&vendor))
    };
    asked(settings)?.iter().filter(|one| !is_local(one)).try_for_each(|one| endpoint(one).map(|_| ()))
}

/// Calls under way at once where nobody says how many: at five requests a minute and answers of five minutes, 25 are.
const FEWEST_AT_ONCE: u32 = 32;
/// How many calls may be under way at once.
pub const CALLS_AT_ONCE: RangeInclusive<usize> = 1..=256;
/// How much text may share a call: less than a chunk makes a call a chunk, more is more than models attend to.
pub const PACK_CHARS: RangeInclusive<usize> = 500..=400_000;
/// How many communities may be named: nobody reads through more of them.
pub const PORTRAITS: RangeInclusive<usize> = 0..=1_000;
/// In how many steps chunks may be asked about.
pub const STEPS: RangeInclusive<usize> = 1..=2;

fn vocabulary(settings: &Settings) -> Result<Vocabulary> {
    let path = settings.path("vocabulary");
    if path.as_os_str().is_empty() {
        return Ok(Vocabulary::default());
    }
    let wrong = |why: String| {
        Error::new(Kind::Usage, format!("vocabulary `{}`: {why}", path.display()))
            .hint("`docs/models.md` shows such a file")
    };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let read: Vocabulary = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    read.checked().map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::read_headers;

    #[test]
    fn headers_are_read_with_commas_between() {
        let read = read_headers(" X-Team = wiki, x-gateway-key=env:GATEWAY, ").unwrap();
        let read: Vec<(&str, &str)> = read.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(read, [("x-gateway-key", "env:GATEWAY"), ("x-team", "wiki")]);
        assert!(read_headers("").unwrap().is_empty());
    }

    #[test]
    fn headers_that_cannot_be_meant_are_refused_without_their_values() {
        for text in [
            "x-api-key=hunter2hunter2",
            "Authorization=Bearer hunter2",
            "hunter2",
            "x y=hunter2",
            "x-team=hunter2\r\nx-evil: 1",
            "x-team=hunter2,x-team=hunter2",
            "x-team=",
        ] {
            let why = read_headers(text).unwrap_err();
            assert!(!why.contains("hunter2"), "{text}: {why}");
        }
    }
}
