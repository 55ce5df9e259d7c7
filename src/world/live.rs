//! The real world: files, and the machine's clock. The one place that reads the time.

use super::files::{Files, answer};
use super::{Task, World};
use crate::error::{Error, Kind, Result};
use crate::sources::Source;
use knowledge::record::Record;
use knowledge::time::Timestamp;
use std::future::Future;
use std::sync::Arc;

/// Performs tasks against a wiki on disk.
pub struct Live {
    source: Arc<dyn Source>,
    files: Arc<Files>,
}

impl Live {
    /// A world that reads this source from these files.
    pub fn new(source: Arc<dyn Source>, files: Arc<Files>) -> Self {
        Self { source, files }
    }
}

impl World for Live {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        let (source, files) = (self.source.clone(), self.files.clone());
        async move {
            let Task::Read(ask) = task;
            // Reading blocks: it runs beside the loop, so that an append never waits for a disk.
            let reading = tokio::task::spawn_blocking(move || answer(&*source, &ask, &files));
            let read = reading.await.map_err(|error| Error::new(Kind::Bug, format!("reading: {error}")))?;
            read.map_err(Error::from)
        }
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

/// The machine's time, to the millisecond: what is kept has no more.
#[allow(clippy::disallowed_methods)] // This is the edge where the clock is read and passed in.
pub fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
