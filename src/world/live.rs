//! The real world: files, and the machine's clock. The one place that reads the time.

use super::files::{Files, answer};
use super::{Task, World};
use crate::error::{Error, Kind, Result};
use crate::sources::{self, Ask, Source, SourceError};
use knowledge::record::{Parked, Record};
use knowledge::time::Timestamp;
use std::future::Future;
use std::sync::Arc;

/// Performs tasks against a wiki on disk.
pub struct Live {
    wiki: Option<(Arc<dyn Source>, Arc<Files>)>,
}

impl Live {
    /// A world that reads this source from these files.
    pub fn new(source: Arc<dyn Source>, files: Arc<Files>) -> Self {
        Self { wiki: Some((source, files)) }
    }

    /// A world without a wiki: for a run that reads only what is kept.
    pub fn without_wiki() -> Self {
        Self { wiki: None }
    }
}

impl World for Live {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let wiki = self.wiki.clone();
        async move {
            let Task::Read(ask) = task;
            let Some((source, files)) = wiki else {
                return Err(Error::new(Kind::Halt, "the last run left pages that are not fetched yet")
                    .hint("run `highwater pipeline` to its end first"));
            };
            // Reading blocks: it runs beside the loop, so that an append never waits for a disk.
            let asked = ask.clone();
            let reading = tokio::task::spawn_blocking(move || answer(&*source, &asked, &files));
            let read = reading.await.map_err(|error| Error::new(Kind::Bug, format!("reading: {error}")))?;
            read.or_else(|error| park(&ask, error))
        }
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

/// A page that cannot be had, or that changed while it was read, is passed over and recorded; the next sweep sees its
/// new fingerprint and tries again. Whatever else goes wrong halts the run.
fn park(ask: &Ask, error: SourceError) -> Result<Vec<Record>> {
    match (ask, error.kind) {
        (Ask::Fetch { page, version, .. }, sources::Kind::Never | sources::Kind::Changed) => {
            Ok(vec![Record::Parked(Parked { page: page.clone(), version: Some(*version), why: error.text })])
        }
        _ => Err(error.into()),
    }
}

/// The machine's time, to the millisecond: what is kept has no more.
#[allow(clippy::disallowed_methods)] // This is the edge where the clock is read and passed in.
pub fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// Lets time pass.
pub async fn pause(length: std::time::Duration) {
    tokio::time::sleep(length).await;
}
