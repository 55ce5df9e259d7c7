//! The world outside: effects, and the clock. The loop hands it tasks and gets records back; it must not know what is
//! done with them. The simulator has a world of its own.

mod batches;
pub mod doctor;
pub mod embeds;
pub mod files;
#[cfg(feature = "gcp")]
pub(crate) mod google;
pub mod http;
pub mod live;
pub mod oauth;
pub mod web;

use crate::error::Result;
use crate::sources::Ask;
use knowledge::batch::Job;
use knowledge::id::{PackId, TextId};
use knowledge::prompt::Prompt;
use knowledge::record::Record;
use knowledge::time::Timestamp;
use std::future::Future;

/// An effect that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Ask the source for a page of a listing, or for a page.
    Read(Ask),
    /// Ask a model.
    Ask(Box<Question>),
    /// Have a provider's batch engine ask a model.
    Batch(Box<Batch>),
    /// Ask for vectors.
    Embed(Box<Texts>),
}

/// A call to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The pack it asks about.
    pub pack: PackId,
    /// Which of the configured endpoints it goes to, from 0.
    pub endpoint: u32,
    /// What is asked.
    pub prompt: Prompt,
}

/// A job of a batch engine, to be sent or, once the engine's name for it is known, to be waited for.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Which of the configured endpoints it goes to, from 0.
    pub endpoint: u32,
    /// The job.
    pub job: Job,
    /// The engine's name for it.
    pub name: Option<String>,
    /// A process before this one may have sent it.
    pub may_be_there: bool,
    /// What its packs ask, in their order; nothing once the engine has it.
    pub prompts: Vec<Prompt>,
}

impl PartialEq for Batch {
    /// A key names all that is in a job: its prompts need not be made to know whether it is under way.
    fn eq(&self, other: &Self) -> bool {
        (self.job.key, &self.name) == (other.job.key, &other.name)
    }
}

impl Eq for Batch {}

/// A call for vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The record that announced it.
    pub call: u64,
    /// Which of the configured endpoints it goes to, from 0.
    pub endpoint: u32,
    /// The texts.
    pub texts: Vec<(TextId, String)>,
    /// How many numbers the vectors have that are held of this model.
    pub held: Option<usize>,
}

/// Performs effects and tells the time.
pub trait World {
    /// Performs a task. A refusal that concerns one item is a record too; an error halts the run.
    fn perform(&self, task: Task) -> impl Future<Output = Result<Vec<Record>>> + Send + 'static;

    /// The time now.
    fn now(&self) -> Timestamp;

    /// Lets time pass until a moment.
    fn wait_until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send;
}
