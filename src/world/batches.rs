//! Speaks with a batch engine: sends a job or finds it, looks how far it is, brings its answers. What is said is the
//! engine's business (`models::batch`), what becomes of answers the loop's.
//!
//! Invariant: a job that may have been sent is looked for by its key before it is sent again; and what an engine has
//! answered is handed over whole, before anything is said about what it has not.

use super::Batch;
use super::http::Http;
use super::live::{Models, pause};
use crate::error::{Error, Kind, Result};
use crate::models::batch::{Engine, Pauses, Results, Sending, Step};
use crate::models::{self, Dialect, Refusal};
use knowledge::prompt::{Finish, Reply};
use knowledge::record::{Answered, BatchEnded, Record};
use std::time::Duration;

/// Bytes of the largest file of results: a thousand answers of 64 KB each, and as much again where a vendor repeats
/// what was asked, in a JSON that doubles what it quotes.
const RESULTS: usize = 256 << 20;

/// Requests of one conversation: a list of some thousand jobs, or some hundred files of results. A server that goes on
/// without end is not followed.
const REQUESTS: usize = 1_000;

/// Performs a job, up to the next thing that is worth a record: that the engine has it, or how it ended.
pub(super) async fn perform(models: &Models, task: Batch) -> Result<Vec<Record>> {
    let unknown = || Error::new(Kind::Bug, format!("batch {}: there is no such endpoint", task.job.key));
    let answerer = models.answerers.get(task.endpoint as usize).ok_or_else(unknown)?;
    let dialect = answerer.dialect();
    let found = dialect.and_then(|dialect| Some((dialect, dialect.engine()?)));
    let (dialect, engine) = found.ok_or_else(|| {
        let text = format!("batch {}: `{}` has no batch engine", task.job.key, answerer.label());
        Error::new(Kind::Halt, text).hint("set the model and the bucket that the job was sent with")
    })?;
    let http = models.http.clone().with_body(RESULTS);
    let talk = Talk { engine: &*engine, http, pauses: models.pauses, task: &task };
    match &task.name {
        None => talk.submit(dialect.label()).await,
        Some(name) => talk.collect(name, dialect).await,
    }
}

struct Talk<'a> {
    engine: &'a dyn Engine,
    http: Http,
    pauses: Pauses,
    task: &'a Batch,
}

impl Talk<'_> {
    /// Sends the job, or finds it where it may have been sent before. A job that the engine does not take has ended
    /// without an answer: its packs are owed again, and may be asked about one by one.
    async fn submit(&self, label: &str) -> Result<Vec<Record>> {
        let job = &self.task.job;
        let mut may_be_there = self.task.may_be_there;
        if may_be_there {
            // The process before this one may have died while the engine was still making it.
            pause(self.pauses.nth(0)).await;
        }
        for nth in 0.. {
            let first = match may_be_there {
                true => self.engine.find(job),
                false => self.engine.submit(job, &self.task.prompts),
            };
            let wait = match self.converse(first).await {
                Ok(Step::There(name)) => return Ok(vec![Record::Submitted { key: job.key, name }]),
                Ok(Step::Absent) => {
                    may_be_there = false;
                    continue;
                }
                Ok(_) => None,
                Err(refusal) if !may_be_there && !matches!(refusal.kind, models::Kind::Later { .. }) => {
                    return Ok(vec![self.not_taken(label, refusal)]);
                }
                Err(refusal) => {
                    let wait = later(
                        refusal,
                        &format!("sending a batch of {} calls to `{label}`", job.packs.len()),
                    )?;
                    // Whether it was taken is not known.
                    may_be_there = true;
                    wait
                }
            };
            pause(wait.unwrap_or_default().max(self.pauses.nth(nth))).await;
        }
        Ok(Vec::new())
    }

    fn not_taken(&self, label: &str, refusal: Refusal) -> Record {
        let job = &self.task.job;
        let why = format!("sending a batch of {} calls to `{label}`: {}", job.packs.len(), refusal.text);
        let why = why.replace("\nhint: ", "; ");
        Record::BatchEnded(BatchEnded { key: job.key, missing: job.packs.clone(), why, halts: true })
    }

    /// Waits for the job to end, and brings what it answered.
    async fn collect(&self, name: &str, dialect: &dyn Dialect) -> Result<Vec<Record>> {
        for nth in 0.. {
            let wait = match self.converse(self.engine.poll(&self.task.job, name)).await {
                Ok(Step::Ended(results)) => return Ok(self.records(results, dialect.label())),
                Ok(_) => None,
                Err(refusal) => later(refusal, &format!("looking at batch `{name}`"))?,
            };
            pause(wait.unwrap_or_default().max(self.pauses.nth(nth))).await;
        }
        Ok(Vec::new())
    }

    /// Sends request after request, as long as the engine knows at once what comes next.
    async fn converse(&self, first: Sending) -> std::result::Result<Step, Refusal> {
        let mut sending = first;
        for _ in 0..REQUESTS {
            let response = self.http.send(&sending.request).await?;
            match self.engine.next(&self.task.job, sending.stage, &response)? {
                Step::Send(next) => sending = *next,
                step => return Ok(step),
            }
        }
        Err(Refusal::new(
            models::Kind::Halt,
            format!("the provider's list has no end: more than {REQUESTS} pages were read"),
        ))
    }

    /// What a job that is over came to. What was refused for good counts as answered, as it does in a single call; what
    /// may be had later, or after a setting is fixed, is missing.
    fn records(&self, results: Results, label: &str) -> Vec<Record> {
        let Results { mut answers, mut why, .. } = results;
        let (mut records, mut missing, mut halts) = (Vec::new(), Vec::new(), false);
        for pack in &self.task.job.packs {
            let reply = match answers.remove(pack) {
                Some(Ok(reply)) => reply,
                Some(Err(Refusal { kind: models::Kind::Never, text })) => {
                    Reply { finish: Finish::Refused(format!("{label}: {text}")), ..Reply::default() }
                }
                Some(Err(refusal)) => {
                    if missing.is_empty() || (refusal.kind == models::Kind::Halt && !halts) {
                        why = format!("{why}; {}", refusal.text);
                    }
                    halts |= refusal.kind == models::Kind::Halt;
                    missing.push(*pack);
                    continue;
                }
                None => {
                    missing.push(*pack);
                    continue;
                }
            };
            let (endpoint, sent_at) = (self.task.endpoint, self.task.job.since);
            records.push(Record::Answered(Box::new(Answered { pack: *pack, endpoint, sent_at, reply })));
        }
        records.push(Record::BatchEnded(BatchEnded { key: self.task.job.key, missing, why, halts }));
        records
    }
}

/// How long to wait after a refusal that time heals; any other halts the run.
fn later(refusal: Refusal, during: &str) -> Result<Option<Duration>> {
    match refusal.kind {
        models::Kind::Later { wait, .. } => Ok(wait),
        _ => Err(Error::from(refusal).during(during)),
    }
}
