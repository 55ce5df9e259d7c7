//! Who looks, and who belongs to which group, from the settings.

use crate::error::{Error, Kind, Result};
use crate::settings::{Origin, Settings};
use crate::state::State;
use crate::state::principals::Membership;
use crate::state::viewer::Viewer;
use jiff::SignedDuration;
use knowledge::id::PersonKey;
use knowledge::time::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Hours that groups may be old.
const HOURS: RangeInclusive<usize> = 1..=8_760;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    groups: BTreeMap<String, BTreeSet<PersonKey>>,
    #[serde(default)]
    users: BTreeSet<PersonKey>,
}

/// Refuses what can mean nobody: an empty name must never be taken for nobody who looks, and so for everything.
pub(super) fn check(settings: &Settings) -> Result<()> {
    settings.number("principals_max_age", HOURS)?;
    let named = settings.text("as");
    if named.trim().is_empty() && *settings.origin("as") != Origin::Default {
        let text = format!("setting `as` ({}) is empty", settings.origin("as"));
        return Err(Error::new(Kind::Usage, text)
            .hint("name a user, or leave the setting out to see everything, as operators do"));
    }
    Ok(())
}

/// Who belongs to which group, from the file that the settings name; none where they name none.
pub fn principals(settings: &Settings) -> Result<Option<Membership>> {
    if settings.text("principals").is_empty() {
        return Ok(None);
    }
    let path = settings.path("principals");
    let whence = format!("principals file `{}`", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::new(Kind::Usage, format!("{whence}: {error}")).hint("name a readable file, or leave it out")
    })?;
    let Written { groups, users } = serde_json::from_str(&text).map_err(|error| {
        Error::new(Kind::Usage, format!("{whence}: {error}"))
            .hint(r#"write `{"groups": {"NAME": ["USER KEY", ...]}, "users": ["USER KEY", ...]}`"#)
    })?;
    let all = || groups.values().flatten().chain(&users);
    if all().next().is_none() || all().any(|user| user.as_str().trim().is_empty()) {
        return Err(Error::new(Kind::Usage, format!("{whence}: it names nobody, or a user without a key"))
            .hint("with such a file nobody could look; leave the setting out instead"));
    }
    Ok(Some(Membership { groups, users }))
}

/// For whom the settings say that a state is looked at; nobody where they say nothing.
pub fn viewer(settings: &Settings, state: &State, now: Timestamp) -> Result<Option<Viewer>> {
    let named = settings.text("as");
    if *settings.origin("as") == Origin::Default {
        return Ok(None);
    }
    let hours = settings.number("principals_max_age", HOURS)?;
    let max_age = SignedDuration::from_hours(i64::try_from(hours).unwrap_or(0));
    state.viewer(named, now, max_age).map(Some)
}

/// The state as the user may see it for whom the settings say that it is looked at; all of it where they say nobody.
pub fn seen(settings: &Settings, state: State, now: Timestamp) -> Result<State> {
    match viewer(settings, &state, now)? {
        Some(viewer) => state.seen_by(&viewer),
        None => Ok(state),
    }
}
