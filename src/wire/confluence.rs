//! The way to a live Confluence, from settings: which wiki, and what lets us in.

use super::models::key;
use crate::error::{Error, Kind, Result};
use crate::models::url_fault;
use crate::secret::{KeySource, Secret};
use crate::settings::Settings;
use crate::sources::confluence::{Confluence, Wiki, is_cloud};
use crate::sources::{PAGE_CAP, Source};
use crate::world::doctor::{self, Finding};
use crate::world::http::{Bounds, Http};
use crate::world::live::Live;
use crate::world::oauth::Tokens;
use crate::world::web::{Login, Web};
use base64::Engine;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The variable that holds a token if no setting names another.
const TOKEN: &str = "CONFLUENCE_TOKEN";
/// How many versions before the current one may be read.
const HISTORY: RangeInclusive<usize> = 0..=1_000;
/// A list of 50 bodies may be large; one body is no larger than any source reads.
const BODY: usize = (PAGE_CAP as usize) * 4;
/// Servers for people give up before this.
const TOTAL: Duration = Duration::from_secs(120);

/// Whether a source is an address rather than a path.
pub fn is_address(source: &str) -> bool {
    source.starts_with("https://") || source.starts_with("http://")
}

/// Refuses settings that no wiki can be read with.
pub(super) fn check(settings: &Settings) -> Result<()> {
    settings.number("confluence_history", HISTORY)?;
    key(settings, "confluence_token")?;
    deployment(settings)?;
    let source = settings.text("source");
    match url_fault(source).filter(|_| is_address(source)) {
        None => Ok(()),
        Some(found) => {
            let text = format!("setting `source` ({}): it {found}", settings.origin("source"));
            Err(Error::new(Kind::Usage, text).hint("for example `https://SITE.atlassian.net/wiki`"))
        }
    }
}

/// Whether it is Confluence Cloud.
fn deployment(settings: &Settings) -> Result<bool> {
    match settings.text("confluence_deployment") {
        "" => Ok(is_cloud(settings.text("source"))),
        "cloud" => Ok(true),
        "data-center" => Ok(false),
        other => {
            let origin = settings.origin("confluence_deployment");
            let text = format!("setting `confluence_deployment` ({origin}): `{other}` is no deployment");
            Err(Error::new(Kind::Usage, text).hint("`cloud` or `data-center`"))
        }
    }
}

/// The wiki that the settings mean.
pub fn wiki(settings: &Settings) -> Result<Wiki> {
    let is_cloud = deployment(settings)?;
    let mut base = settings.text("source").trim_end_matches('/').to_owned();
    // The address a browser shows; its interfaces begin below it.
    if is_cloud && base.ends_with(".atlassian.net") {
        base.push_str("/wiki");
    }
    let spaces = settings.text("confluence_spaces").split(',').map(str::trim).filter(|key| !key.is_empty());
    let history = u32::try_from(settings.number("confluence_history", HISTORY)?).unwrap_or(0);
    Ok(Wiki { base, is_cloud, spaces: spaces.map(str::to_owned).collect(), history })
}

/// The way to its server.
pub fn web(settings: &Settings, wiki: &Wiki) -> Result<Arc<Web>> {
    let bounds = Bounds { total: TOTAL, body: BODY, ..Bounds::default() };
    let http = Http::new(bounds).map_err(|refusal| Error::new(Kind::Halt, refusal.text))?;
    Ok(Arc::new(Web::new(http, &wiki.base, login(settings)?)))
}

fn login(settings: &Settings) -> Result<Login> {
    let environment = |name: &str| std::env::var(name).ok();
    if !settings.text("confluence_oauth").is_empty() {
        return Ok(Login::OAuth(Arc::new(Tokens::open(&settings.path("confluence_oauth"))?)));
    }
    let source = match key(settings, "confluence_token")? {
        None if environment(TOKEN).is_none() => None,
        named => Some(named.unwrap_or_else(|| KeySource::Env(TOKEN.to_owned()))),
    };
    let Some(token) = source.map(|source| source.read(environment)).transpose()? else {
        return Ok(Login::Nobody);
    };
    let user = settings.text("confluence_user");
    if user.is_empty() {
        return Ok(Login::Bearer(token));
    }
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", token.expose()));
    Ok(Login::Basic(Secret::new(format!("Basic {pair}"))))
}

/// The world with the live wiki, and the wiki's name.
pub fn world(settings: &Settings) -> Result<(Live, String)> {
    let wiki = wiki(settings)?;
    let web = web(settings, &wiki)?;
    let source: Arc<dyn Source> = Arc::new(Confluence::new(wiki));
    let name = source.wiki();
    Ok((Live::on_a_server(source, web), name))
}

/// What stands between us and the wiki.
pub async fn examine(settings: &Settings) -> Result<Vec<Finding>> {
    let wiki = wiki(settings)?;
    let web = web(settings, &wiki)?;
    Ok(doctor::examine(&wiki, &web, !settings.text("confluence_oauth").is_empty()).await)
}
