//! Settings become components: the one room that knows them all.

#[cfg(feature = "cloud")]
mod buckets;
pub mod confluence;
pub mod embedding;
mod models;
mod principals;
pub mod stores;

pub use models::{CALLS_AT_ONCE, PACK_CHARS, asks, batching, models};
pub use principals::{principals, seen, viewer};

use crate::error::{Error, Kind, Result};
use crate::settings::{Origin, Settings};
use crate::sources;
use crate::state::{Standing, State};
use crate::world::files::Files;
use crate::world::live::{self, Live};
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vault::{AnyStore, Identity, Nonce, ObjectStore, VaultId, Writer};

/// Refuses settings that no component could be built from, before anything is begun.
pub fn check(settings: &Settings) -> Result<()> {
    settings.number("chunk_chars", CHUNK_CHARS)?;
    settings.number("epoch_pages", EPOCH_PAGES)?;
    settings.number("concurrency", CONCURRENCY)?;
    settings.number("snapshot_bytes", SNAPSHOT_BYTES)?;
    for name in ["source", "vault", "state", "environment"] {
        if settings.text(name).is_empty() {
            let found = format!("setting `{name}` ({}) is empty", settings.origin(name));
            return Err(Error::new(Kind::Usage, found).hint("give a value, or leave the setting out"));
        }
    }
    if stores::is_address(settings.text("vault")) {
        stores::bucket(settings.text("vault"))?;
    } else if settings.path("state").starts_with(settings.path("vault")) {
        let found = format!("state file `{}`: it is inside the vault", settings.path("state").display());
        return Err(Error::new(Kind::Usage, found)
            .hint("give a `--state` outside: the vault holds nothing but the journal"));
    }
    confluence::check(settings)?;
    principals::check(settings)?;
    models::check(settings)?;
    embedding::check(settings)
}

/// What the cap of a chunk may be: less than a paragraph makes no chunk, more than this no model reads with care.
pub const CHUNK_CHARS: RangeInclusive<usize> = 500..=20_000;
/// How many pages an epoch may take.
pub const EPOCH_PAGES: RangeInclusive<usize> = 1..=10_000;
/// From how much journal on there is a snapshot.
pub const SNAPSHOT_BYTES: RangeInclusive<usize> = 0..=1 << 30;
/// How many reads may be under way at once.
pub const CONCURRENCY: RangeInclusive<usize> = 1..=256;

/// The vault's store and what it says it is.
pub struct Vaulted {
    /// Where its objects are.
    pub store: AnyStore,
    /// Its identity.
    pub identity: Identity,
}

/// Opens the vault that the settings name. Nothing is made.
///
/// # Errors
/// An empty target, a foreign environment, a newer format.
pub async fn vault(settings: &Settings) -> Result<Vaulted> {
    let store = store(settings.text("vault"))?;
    let identity = vault::identity(&store).await?;
    identity.require_environment(settings.text("environment"))?;
    Ok(Vaulted { store, identity })
}

/// Opens the vault for a run: as `vault`, but at the default place it is made when nothing is there. A bucket is seen
/// to keep its promise first: not every vault in one was made there.
pub async fn vault_to_write(settings: &Settings) -> Result<Vaulted> {
    let target = settings.text("vault");
    let nothing = std::fs::read_dir(target).map_or(true, |mut entries| entries.next().is_none());
    if *settings.origin("vault") == Origin::Default && nothing {
        return make_vault(settings, target).await;
    }
    let vaulted = vault(settings).await?;
    if stores::is_address(target) {
        vault::check_creation(&vaulted.store).await?;
    }
    Ok(vaulted)
}

/// Makes a vault in an empty or absent folder, or below a prefix of a bucket that holds nothing.
pub async fn make_vault(settings: &Settings, target: &str) -> Result<Vaulted> {
    let store = store(target)?;
    let identity = Identity::new(VaultId::new(random()?), settings.text("environment"));
    vault::init(&store, &identity).await?;
    let checked = vault::check_creation(&store).await;
    if checked.as_ref().is_err_and(|error| error.kind() == vault::Kind::Halt) {
        // Best effort: what matters is that nobody takes this for a vault, and the error says so.
        store.delete(vault::IDENTITY).await.ok();
    }
    checked?;
    Ok(Vaulted { store, identity })
}

/// The store that a target means, with the credentials of this process.
pub fn store(target: &str) -> Result<AnyStore> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    stores::store(target, std::env::vars_os().filter_map(text))
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
    if let Some(state) = past(&path, standing == Standing::Ours)? {
        tell(&format!("`{}` shows record {}, of the past", path.display(), state.applied()?));
        return Ok(state);
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

/// Whether a state that was opened to be read still shows all that the vault holds, or the moment of the past that it
/// was restored to: no other file took its place, and nothing was written since.
pub async fn is_current(state: &State, vaulted: &Vaulted) -> Result<bool> {
    if !state.is_in_place() {
        return Ok(false);
    }
    Ok(state.meta("past")?.is_some() || !vault::goes_on(&vaulted.store, state.position()?).await?)
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

/// A state file that was restored to a moment of the past: it is looked at as it is.
fn past(path: &Path, is_ours: bool) -> Result<Option<State>> {
    let state = if is_ours { State::open_to_read(path)? } else { None };
    Ok(match state {
        Some(state) if state.meta("past")?.is_some() => Some(state),
        _ => None,
    })
}

async fn fold(path: &Path, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<State> {
    let id = vaulted.identity.id.to_string();
    let standing = State::standing(path, &id)?;
    if past(path, standing == Standing::Ours)?.is_some() {
        let text =
            format!("state file `{}`: it shows the past, and nothing is written to it", path.display());
        return Err(Error::new(Kind::Halt, text).hint("give another `--state`, or delete this file"));
    }
    let why = match standing {
        Standing::Absent => return State::restore(path, &id, &vaulted.store, tell).await,
        Standing::Ours => match catch_up(path, &id, vaulted, tell).await {
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
    State::restore(path, &id, &vaulted.store, tell).await
}

async fn catch_up(path: &Path, id: &str, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<State> {
    let mut state = State::open(path, id)?;
    state.catch_up_telling(&vaulted.store, tell).await?;
    Ok(state)
}

/// Makes the state again from the journal, from the first record on. The old file stays until the new one is complete.
pub async fn rebuild(settings: &Settings, vaulted: &Vaulted, tell: &dyn Fn(&str)) -> Result<Owned> {
    let path = settings.path("state");
    let lock = lock_soon(&path, tell).await?;
    let id = vaulted.identity.id.to_string();
    State::standing(&path, &id)?;
    if let Some(first) = vault::start(&vaulted.store).await? {
        let text = format!("folding the journal: it was pruned, and begins at segment {}", first.ordinal);
        return Err(Error::new(Kind::Vault, text)
            .hint("delete the state file: the next command restores it from a snapshot"));
    }
    tell("folding the journal into a new state file");
    let state = State::fold_telling((&path, &id), &vaulted.store, tell).await?;
    Ok(Owned { state, _lock: lock })
}

fn busy(path: &Path) -> Error {
    Error::new(Kind::Halt, format!("state file `{}`: another run is writing it", path.display()))
        .hint("wait for that run to end, or give another `--state`")
}

/// The world with the wiki that the settings name.
pub fn world(settings: &Settings) -> Result<(Live, String)> {
    if confluence::is_address(settings.text("source")) {
        return confluence::world(settings);
    }
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
