//! The world at a run: the pages that are there, and the oracle. It must not know what is true.

use super::history::{Page, Wiki};
use super::oracle;
use highwater::error::Result;
use highwater::sources::Ask;
use highwater::world::{Task, World};
use knowledge::id::{PageId, SpaceKey, Version};
use knowledge::page::{BodyFormat, PageKind, PageRef, RawPage};
use knowledge::record::{Answered, Listed, Record};
use knowledge::time::Timestamp;
use std::future::{Future, ready};
use std::sync::Arc;

/// One run of a wiki, as a world. It is the same moment all the time.
#[derive(Clone, Debug)]
pub struct TrueWorld {
    /// The wiki.
    pub wiki: Arc<Wiki>,
    /// Which run it is.
    pub run: usize,
}

impl World for TrueWorld {
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static {
        ready(Ok(match task {
            Task::Read(Ask::List { sweep, .. }) => vec![self.list(sweep)],
            Task::Read(Ask::Fetch { page, version, .. }) => vec![self.fetch(page, version)],
            Task::Ask(question) => {
                let (pack, endpoint, sent_at) = (question.pack, question.endpoint, self.now());
                let reply = oracle::answer(&question.prompt);
                vec![Record::Answered(Box::new(Answered { pack, endpoint, sent_at, reply }))]
            }
            // The loop owes single pages, and nobody sends jobs or pays for vectors here.
            Task::Read(Ask::Together(_)) | Task::Batch(_) | Task::Embed(_) => Vec::new(),
        }))
    }

    fn now(&self) -> Timestamp {
        self.wiki.runs[self.run]
    }

    async fn wait_until(&self, _: Timestamp) {}
}

impl TrueWorld {
    fn there(&self) -> impl Iterator<Item = (&Page, usize)> {
        self.wiki.pages.iter().filter_map(|page| Some((page, page.seen.get(self.run).copied().flatten()?)))
    }

    fn list(&self, sweep: u32) -> Record {
        let listed = |(page, written): (&Page, usize)| PageRef {
            id: PageId::new(&*page.id),
            space: SpaceKey::new(page.space),
            version: Some(version(written - 1)),
            history: if page.told { (0..written - 1).map(version).collect() } else { Vec::new() },
            above: None,
            fingerprint: written.to_string(),
            locator: String::new(),
        };
        let pages = self.there().map(listed).collect();
        Record::Listed(Listed { sweep, wiki: "true".to_owned(), pages, ..Listed::default() })
    }

    fn fetch(&self, id: PageId, number: Version) -> Record {
        let at = number.0 as usize - 1;
        let found = self.there().find(|(page, written)| page.id == id.as_str() && at < *written);
        let Some((page, written)) = found else { return Record::Gone { page: id } };
        let text = &page.versions[at];
        Record::Fetched(Box::new(RawPage {
            id,
            space: SpaceKey::new(page.space),
            kind: PageKind::Page,
            version: number,
            title: format!("Notes {}", page.id),
            format: BodyFormat::Storage,
            body: text.body(),
            created: None,
            modified: page.dated.then_some(text.at),
            author: None,
            editor: None,
            parent: None,
            ancestors: Vec::new(),
            labels: Vec::new(),
            attachments: Vec::new(),
            link: None,
            historical: at + 1 < written,
        }))
    }
}

fn version(at: usize) -> Version {
    Version(u32::try_from(at + 1).unwrap_or(u32::MAX))
}
