//! Settings become components: the one room that knows them all.

pub mod embedding;

use crate::error::{Error, Kind, Result};
use crate::models::batch::{Pauses, Room};
use crate::models::{self, Endpoint, Refusal, local};
use crate::plan::{Asks, Batching};
use crate::secret::KeySource;
use crate::settings::{Origin, Settings};
use crate::sources;
use crate::state::{Standing, State};
use crate::world::files::Files;
use crate::world::http::{self, Bounds, Http};
use crate::world::live::{self, Live, Models};
use knowledge::extract::Vocabulary;
use knowledge::quota::Allowance;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vault::{DirStore, Identity, Nonce, VaultId, Writer};

/// Refuses settings that no component could be built from, before anything is begun.
pub fn check(settings: &Settings) -> Result<()> {
    settings.number("chunk_chars", CHUNK_CHARS)?;
    settings.number("epoch_pages", EPOCH_PAGES)?;
    settings.number("concurrency", CONCURRENCY)?;
    for name in ["source", "vault", "state", "environment"] {
        if settings.text(name).is_empty() {
            let found = format!("setting `{name}` ({}) is empty", settings.origin(name));
            return Err(Error::new(Kind::Usage, found).hint("give a value, or leave the setting out"));
        }
    }
    if settings.path("state").starts_with(settings.path("vault")) {
        let found = format!("state file `{}`: it is inside the vault", settings.path("state").display());
        return Err(Error::new(Kind::Usage, found)
            .hint("give a `--state` outside: the vault holds nothing but the journal"));
    }
    check_models(settings)?;
    embedding::check(settings)
}

/// What the cap of a chunk may be: less than a paragraph makes no chunk, more than this no model reads with care.
pub const CHUNK_CHARS: RangeInclusive<usize> = 500..=20_000;
/// How many pages an epoch may take.
pub const EPOCH_PAGES: RangeInclusive<usize> = 1..=10_000;
/// How many reads may be under way at once.
pub const CONCURRENCY: RangeInclusive<usize> = 1..=256;

/// The vault's store and what it says it is.
pub struct Vaulted {
    /// Where its objects are.
    pub store: DirStore,
    /// Its identity.
    pub identity: Identity,
}

/// Opens the vault that the settings name. Nothing is made.
///
/// # Errors
/// An empty target, a foreign environment, a newer format.
pub async fn vault(settings: &Settings) -> Result<Vaulted> {
    let store = DirStore::new(settings.path("vault"));
    let identity = vault::identity(&store).await?;
    identity.require_environment(settings.text("environment"))?;
    Ok(Vaulted { store, identity })
}

/// Opens the vault for a run: as `vault`, but at the default place it is made when nothing is there.
pub async fn vault_to_write(settings: &Settings) -> Result<Vaulted> {
    let path = settings.path("vault");
    let nothing = std::fs::read_dir(&path).map_or(true, |mut entries| entries.next().is_none());
    if *settings.origin("vault") == Origin::Default && nothing {
        return make_vault(settings, &path).await;
    }
    vault(settings).await
}

/// Makes a vault in an empty or absent folder.
pub async fn make_vault(settings: &Settings, path: &Path) -> Result<Vaulted> {
    let store = DirStore::new(path);
    let identity = Identity::new(VaultId::new(random()?), settings.text("environment"));
    vault::init(&store, &identity).await?;
    Ok(Vaulted { store, identity })
}

/// A fresh nonce for a term: with the vault's id, the one use of unseeded randomness.
pub fn nonce() -> Result<Nonce> {
    Ok(Nonce::new(random()?))
}

fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(Kind::Halt, format!("reading random bytes from the system: {error}")))?;
    Ok(bytes)
}

/// Who we are, for the term we open.
pub fn writer() -> Writer {
    let read =
        |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    Writer {
        host: read("/proc/sys/kernel/hostname"),
        boot: read("/proc/sys/kernel/random/boot_id"),
        pid: std::process::id(),
        execution: std::env::var("CLOUD_RUN_EXECUTION").ok(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The state file with the right to write it, until dropped.
pub struct Owned {
    /// The state.
    pub state: State,
    _lock: File,
}

/// Opens the state for writing and brings it up to the end of the journal. What was discarded on the way is told to
/// `tell`.
///
/// # Errors
/// Another process that writes the same file; a file that is not ours.
pub async fn state_to_write(settings: &Settings, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<Owned> {
    let path = settings.path("state");
    let lock = lock_soon(&path, tell).await?;
    let state = fold(&path, vaulted, tell).await?;
    Ok(Owned { state, _lock: lock })
}

/// Opens the state for reading, as fresh as it can be had: brought up to the end of the journal, or, while a run is
/// writing it, as that run has left it.
///
/// Where nothing may be written, an existing state file is read as it stands.
///
/// # Errors
/// A state file of another vault is refused: looking is no reason to give it up.
pub async fn state_to_read(settings: &Settings, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<State> {
    let path = settings.path("state");
    let standing = State::standing(&path, &vaulted.identity.id.to_string())?;
    if let Standing::OtherVault(id) = standing {
        let text = format!("state file `{}`: it is a fold of another vault ({id})", path.display());
        return Err(Error::new(Kind::Vault, text).hint(
            "give the `--state` that belongs to this `--vault`, or a new one: it is made from the vault",
        ));
    }
    match lock(&path) {
        Ok(Some(lock)) => {
            drop(fold(&path, vaulted, tell).await?);
            drop(lock);
        }
        Ok(None) => {}
        Err(error) if standing == Standing::Ours => {
            tell(&format!("the state file `{}` may be behind the vault: {error}", path.display()));
        }
        Err(error) => return Err(error),
    }
    State::open_to_read(&path)?.ok_or_else(|| {
        Error::new(Kind::Later, format!("state file `{}`: another run is just making it", path.display()))
            .hint("try again in a moment")
    })
}

/// How often, and how many times, a lock that another process holds is asked for: a command that only looks holds it
/// for less than this, a run for longer.
const LOCK_PAUSE: Duration = Duration::from_millis(100);
const LOCK_TRIES: u32 = 100;

/// The right to write the state file, after a command that was only looking has let go of it.
async fn lock_soon(path: &Path, tell: &dyn Fn(&str)) -> Result<File> {
    for attempt in 0..LOCK_TRIES {
        if let Some(lock) = lock(path)? {
            return Ok(lock);
        }
        if attempt == LOCK_TRIES / 10 {
            tell(&format!("waiting for another command to let go of the state file `{}`", path.display()));
        }
        live::pause(LOCK_PAUSE).await;
    }
    Err(busy(path))
}

fn lock(state: &Path) -> Result<Option<File>> {
    let mut name = state.as_os_str().to_owned();
    name.push("-lock");
    let path = PathBuf::from(name);
    let failed = |error: std::io::Error| {
        Error::new(Kind::Halt, format!("lock file `{}`: {error}", path.display()))
            .hint("give a `--state` path that can be written")
    };
    if let Some(folder) = state.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

async fn fold(path: &Path, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<State> {
    let id = vaulted.identity.id.to_string();
    let why = match State::standing(path, &id)? {
        Standing::Absent | Standing::Ours => match catch_up(path, &id, vaulted).await {
            Err(error) if error.kind() == Kind::Foreign => {
                "it had taken another turn than the vault".to_owned()
            }
            done => return done,
        },
        Standing::OtherVault(other) => format!("it was a fold of another vault ({other})"),
        Standing::OlderFold => "it was made by an older version".to_owned(),
        Standing::Damaged => "it is damaged".to_owned(),
    };
    tell(&format!("the state file `{}` is made again from the vault: {why}", path.display()));
    State::fold_anew(path, &id, &vaulted.store).await
}

async fn catch_up(path: &Path, id: &str, vaulted: &Vaulted) -> Result<State> {
    let mut state = State::open(path, id)?;
    state.catch_up(&vaulted.store).await?;
    Ok(state)
}

/// Makes the state again from the journal, from the first record on. The old file stays until the new one is complete.
pub async fn rebuild(settings: &Settings, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<Owned> {
    let path = settings.path("state");
    let lock = lock_soon(&path, tell).await?;
    let id = vaulted.identity.id.to_string();
    State::standing(&path, &id)?;
    tell("folding the journal into a new state file");
    let state = State::fold_anew(&path, &id, &vaulted.store).await?;
    Ok(Owned { state, _lock: lock })
}

fn busy(path: &Path) -> Error {
    Error::new(Kind::Halt, format!("state file `{}`: another run is writing it", path.display()))
        .hint("wait for that run to end, or give another `--state`")
}

/// The world with the wiki that the settings name.
pub fn world(settings: &Settings) -> Result<(Live, String)> {
    let path = settings.path("source");
    let (files, tree) = Files::open(&path)?;
    let source: Arc<dyn sources::Source> = sources::recognise(&tree)?.into();
    let wiki = source.wiki();
    Ok((Live::new(source, Arc::new(files)), wiki))
}

/// The world of a run that needs nothing but what is kept.
pub fn world_without_wiki() -> Live {
    Live::without_wiki()
}

/// The model that the settings name: how it is asked, and the way to it. Nothing when none is named.
///
/// # Errors
/// An unknown vendor, a key that cannot be read, no or several servers where `local` is meant.
pub async fn models(settings: &Settings) -> Result<Option<(Asks, Models)>> {
    let asked = asked(settings)?;
    let (mut endpoints, mut dialects, mut allowances) = (Vec::new(), Vec::new(), Vec::new());
    for settings in &asked {
        let endpoint = match settings.text("model").split_once('/').unwrap_or((settings.text("model"), "")) {
            ("local", model) => local_model(Some(model).filter(|model| !model.is_empty())).await?,
            _ => endpoint(settings)?,
        };
        dialects.push(models::dialect(&endpoint, |name| std::env::var(name).ok())?);
        allowances.push(allowance(settings, &endpoint.vendor)?);
        endpoints.push(endpoint);
    }
    let Some(first) = dialects.first() else { return Ok(None) };
    check_side_by_side(&endpoints)?;
    let mut asks = Asks::new(first.model(), vocabulary(settings)?, allowances);
    asks.size.chars = settings.number("pack_chars", PACK_CHARS)?;
    let http = Http::new(Bounds::default()).map_err(halt)?;
    Ok(Some((asks, Models { dialects, http, pauses: Pauses::default() })))
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

/// Which of these models has a batch engine, and what a job there may hold.
///
/// # Errors
/// None of them has one, or a setting that it needs is missing.
pub fn batching(models: &Models) -> Result<Batching> {
    let rooms = models.dialects.iter().map(|dialect| dialect.engine().map(|engine| engine.room()));
    let found = rooms.enumerate().find_map(|(endpoint, room)| Some((endpoint, room?)));
    let (endpoint, Room { prompts, bytes }) = found.ok_or_else(|| {
        Error::new(Kind::Usage, "`--batch`: the model that is set has no batch engine here").hint(
            "`openai`, `anthropic`, `gemini` and `vertex` have one; `vertex` also needs `batch_bucket` and \
             `model_project`. Leave `--batch` out to ask call by call",
        )
    })?;
    Ok(Batching { endpoint: endpoint as u32, prompts, bytes })
}

async fn local_model(model: Option<&str>) -> Result<Endpoint> {
    let named = std::env::var("OPENAI_BASE_URL").ok();
    let found = http::look(local::places(named.as_deref())).await.map_err(halt)?;
    local::choose(&found, model)
}

fn halt(refusal: Refusal) -> Error {
    Error::new(Kind::Halt, refusal.text)
}

fn endpoint(settings: &Settings) -> Result<Endpoint> {
    let given = |name: &str| Some(settings.text(name).to_owned()).filter(|text| !text.is_empty());
    let endpoint = Endpoint {
        base_url: given("model_url"),
        project: given("model_project"),
        location: given("model_location"),
        batch_bucket: given("batch_bucket"),
        key: key(settings, "model_key")?,
        ..settings.text("model").parse::<Endpoint>()?
    };
    endpoint.check().map(|()| endpoint)
}

/// Where the key is that a setting names.
fn key(settings: &Settings, name: &str) -> Result<Option<KeySource>> {
    let given = Some(settings.text(name).to_owned()).filter(|text| !text.is_empty());
    given.map(KeySource::try_from).transpose().map_err(|why| {
        Error::new(Kind::Usage, format!("setting `{name}` ({}): {why}", settings.origin(name)))
    })
}

/// Refuses an address that cannot be meant, or that holds what must not be shown.
fn check_url(settings: &Settings, name: &str) -> Result<()> {
    let url = settings.text(name);
    match models::url_fault(url).filter(|_| !url.is_empty()) {
        None => Ok(()),
        Some(found) => {
            let text = format!("setting `{name}` ({}): it {found}", settings.origin(name));
            Err(Error::new(Kind::Usage, text).hint("for example `http://localhost:11434/v1`"))
        }
    }
}

fn allowance(settings: &Settings, vendor: &str) -> Result<Allowance> {
    let count = |name: &str| -> Result<Option<u32>> {
        Ok(settings.limit(name)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    };
    Ok(Allowance {
        requests_per_minute: count("requests_per_minute")?,
        tokens_per_minute: settings.limit("tokens_per_minute")?,
        requests_per_day: count("requests_per_day")?,
        max_concurrency: settings.number("calls_at_once", CALLS_AT_ONCE)? as u32,
        day: models::day(vendor),
        ..Allowance::default()
    })
}

/// Refuses settings of models that nothing could be built from.
fn check_models(settings: &Settings) -> Result<()> {
    for name in ["input_price", "output_price"] {
        settings.price(name)?;
    }
    settings.number("pack_chars", PACK_CHARS)?;
    vocabulary(settings)?;
    for settings in settings.endpoints().iter().chain([settings]) {
        allowance(settings, "")?;
        // Whether or not a model is asked: `config` shows them, so there must be no key in them.
        key(settings, "model_key")?;
        check_url(settings, "model_url")?;
    }
    let is_local = |settings: &Settings| settings.text("model").split('/').next() == Some("local");
    asked(settings)?.iter().filter(|one| !is_local(one)).try_for_each(|one| endpoint(one).map(|_| ()))
}

/// How many calls may be under way at once.
pub const CALLS_AT_ONCE: RangeInclusive<usize> = 1..=256;
/// How much text may share a call: less than a chunk makes a call a chunk, more is more than models attend to.
pub const PACK_CHARS: RangeInclusive<usize> = 500..=400_000;

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
