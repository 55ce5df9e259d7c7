//! The seam `Engine`: how a provider's batch engine is spoken to. What all vendors share is here: the steps of a
//! conversation, lines of results, pauses between looks.
//!
//! As pure as a dialect: requests out, responses in. Must not know who sends, what time it is, or what becomes of an
//! answer. Invariant: a job carries our key from its creation on, and only answers to what it asked come out of it, one
//! for each.

use super::{Refusal, Request, Response, refusal};
use knowledge::batch::Job;
use knowledge::id::PackId;
use knowledge::prompt::{Prompt, Reply};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A provider's batch engine, for one model.
pub trait Engine: Send + Sync {
    /// How much one job may hold.
    fn room(&self) -> Room;

    /// Looks for a job by its key.
    fn find(&self, job: &Job) -> Sending;

    /// Sends a job. `prompts` are those of its packs, in their order.
    fn submit(&self, job: &Job, prompts: &[Prompt]) -> Sending;

    /// Looks how far a job is, by the engine's name for it.
    fn poll(&self, job: &Job, name: &str) -> Sending;

    /// What comes next after a response, at the stage of the conversation that its request belongs to.
    ///
    /// # Errors
    /// A failure, or a success that is not what the vendor documents.
    fn next(&self, job: &Job, stage: Stage, response: &Response) -> Result<Step, Refusal>;
}

impl<E: Engine + ?Sized> Engine for &E {
    fn room(&self) -> Room {
        (**self).room()
    }

    fn find(&self, job: &Job) -> Sending {
        (**self).find(job)
    }

    fn submit(&self, job: &Job, prompts: &[Prompt]) -> Sending {
        (**self).submit(job, prompts)
    }

    fn poll(&self, job: &Job, name: &str) -> Sending {
        (**self).poll(job, name)
    }

    fn next(&self, job: &Job, stage: Stage, response: &Response) -> Result<Step, Refusal> {
        (**self).next(job, stage, response)
    }
}

/// How much one job may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Prompts.
    pub prompts: usize,
    /// Bytes of the file that holds them.
    pub bytes: usize,
}

impl Room {
    /// The most that we put into a job, whatever the vendor takes. All its answers are recorded at once, as one segment
    /// of the journal: a thousand answers are some 8 MB, and 64 MB if each is as long as it may be.
    const OURS: Room = Room { prompts: 1_000, bytes: 64 << 20 };

    /// What both a vendor and we allow.
    pub(super) fn within(prompts: usize, bytes: usize) -> Self {
        Self { prompts: prompts.min(Self::OURS.prompts), bytes: bytes.min(Self::OURS.bytes) }
    }
}

/// A request, and what its response will be about.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The request.
    pub request: Request,
    /// Where the conversation stands with it.
    pub stage: Stage,
}

/// What a response is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// A page of the list of jobs.
    Listed(Search),
    /// The results of a job that may be ours, whose name is first.
    Peeked(String, Search),
    /// The file of a job's prompts was sent.
    Uploaded,
    /// The job was created.
    Created,
    /// How far a job is.
    Polled,
    /// A page of the list of a job's result files.
    Found(Results),
    /// A file of results.
    Fetched(Results),
}

/// Jobs that may be the one that is looked for, where an engine shows a job's key only in its results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// Jobs that are over, to be looked into.
    pub over: Vec<String>,
    /// There are others that are not over yet.
    pub waits: bool,
}

/// Results of a job, as far as they are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Results {
    /// Files that are still to be read, last first.
    pub files: Vec<String>,
    /// What was answered.
    pub answers: BTreeMap<PackId, Result<Reply, Refusal>>,
    /// How the job ended, in the vendor's words.
    pub why: String,
}

impl Results {
    /// Nothing read yet of a job that ended so.
    pub(super) fn of(why: impl Into<String>) -> Self {
        Self { why: why.into(), ..Self::default() }
    }

    /// Notes an answer, unless it is to something that was not asked. Of two about one thing the first counts, except
    /// that a reply beats a refusal: an error file may name what was answered after all.
    pub(super) fn note(&mut self, job: &Job, pack: PackId, answer: Result<Reply, Refusal>) {
        if !job.packs.contains(&pack) {
            return;
        }
        let better = |held: &Result<Reply, Refusal>| held.is_err() && answer.is_ok();
        if self.answers.get(&pack).is_none_or(better) {
            self.answers.insert(pack, answer);
        }
    }
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send this, at once.
    Send(Box<Sending>),
    /// The job is there under this name.
    There(String),
    /// There is no such job.
    Absent,
    /// Look again later.
    Wait,
    /// The job is over.
    Ended(Results),
}

impl Step {
    pub(super) fn send(request: Request, stage: Stage) -> Self {
        Step::Send(Box::new(Sending { request, stage }))
    }
}

/// How long is waited between looks at a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// Before the second look.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Pauses {
    /// No engine ends a job sooner than in a quarter of a minute; and of one that takes an hour, five minutes are a
    /// twelfth that is waited for in vain.
    fn default() -> Self {
        Self { first: Duration::from_secs(15), longest: Duration::from_secs(300) }
    }
}

impl Pauses {
    /// The pause before the `nth` look, from 0: a quarter longer each time, from the first to the longest within half
    /// an hour.
    pub fn nth(&self, nth: u32) -> Duration {
        self.first.mul_f64(1.25_f64.powi(nth.min(20) as i32)).min(self.longest)
    }
}

/// Clocks differ, and a vendor's time of creation is not that of our record: what an engine took up to so long before
/// may be ours.
pub(super) const DOUBT: jiff::SignedDuration = jiff::SignedDuration::from_mins(60);

/// Whether something that an engine made at `seconds` may be a job that was announced then.
pub(super) fn may_be(job: &Job, seconds: i64) -> bool {
    seconds.saturating_add(DOUBT.as_secs()) >= job.since.as_second()
}

/// Joins lines of JSON, each made of one prompt.
pub(super) fn joined(job: &Job, prompts: &[Prompt], line: impl Fn(PackId, &Prompt) -> Vec<u8>) -> Vec<u8> {
    let mut body = Vec::new();
    for (pack, prompt) in job.packs.iter().zip(prompts) {
        body.extend_from_slice(&line(*pack, prompt));
        body.push(b'\n');
    }
    body
}

/// The lines of a file of results. One that is no JSON (the last of a file that is cut off) is passed over: what it
/// answered counts as missing.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = Value> {
    body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// The next file of results, or the end.
pub(super) fn next_file(mut results: Results, get: impl Fn(&str) -> Request) -> Step {
    match results.files.pop() {
        Some(file) => Step::send(get(&file), Stage::Fetched(results)),
        None => Step::Ended(results),
    }
}

/// What to do about a failed request for something that may be gone: a result file is kept for days only, and a job
/// that nobody knows any more is lost. Then what was not read is missing, and there is nothing to wait for.
pub(super) fn or_gone(vendor: &str, response: &Response) -> Result<(), Refusal> {
    match response.status {
        404 | 410 => Ok(()),
        _ => Err(refusal::of_failure(vendor, response)),
    }
}

/// An answer out of a line of results, as if it had come alone.
pub(super) fn alone(status: u16, body: &Value) -> Response {
    Response { status, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// Text as a part of an address: everything but letters, digits and `-._~` as its bytes.
pub(super) fn in_url(text: &str) -> String {
    let mut written = String::new();
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => written.push(char::from(byte)),
            false => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

/// A name that a vendor gave, if it can stand in an address as it is.
pub(super) fn safe_name(name: &str) -> Option<String> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let whole = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    (whole && name.chars().all(safe)).then(|| name.to_owned())
}

/// The body of a conversation's answer, and the name that stands in it.
pub(super) fn named(response: &Response, field: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    safe_name(body.get(field)?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::id::BatchKey;

    fn job() -> Job {
        let packs = (0..2_u8).map(|number| PackId::of(&[&[number]])).collect();
        let since = jiff::Timestamp::from_second(1_000_000).unwrap();
        Job { key: BatchKey::of(&[b"x"]), packs, since, known: Vec::new() }
    }

    #[test]
    fn pauses_grow_from_a_quarter_of_a_minute_to_five_minutes() {
        let ends = Pauses::default();
        let pauses: Vec<Duration> = (0..40).map(|nth| ends.nth(nth)).collect();
        assert_eq!((pauses[0], pauses[39]), (ends.first, ends.longest));
        assert!(pauses.is_sorted());
        let until_longest = pauses.iter().take_while(|pause| **pause < ends.longest).sum::<Duration>();
        assert!(until_longest < Duration::from_secs(1_800), "{until_longest:?}");
    }

    #[test]
    fn only_what_was_asked_is_noted_and_the_first_reply_counts() {
        let (job, mut results) = (job(), Results::default());
        let reply = |text: &str| Reply { text: text.to_owned(), ..Reply::default() };
        let refused = || Err(Refusal::new(refusal::Kind::fault(), "later"));
        results.note(&job, PackId::of(&[b"another"]), Ok(reply("x")));
        results.note(&job, job.packs[0], refused());
        results.note(&job, job.packs[0], Ok(reply("one")));
        results.note(&job, job.packs[0], Ok(reply("two")));
        results.note(&job, job.packs[0], refused());
        assert_eq!(results.answers, BTreeMap::from([(job.packs[0], Ok(reply("one")))]));
    }

    #[test]
    fn a_file_that_is_cut_off_keeps_its_whole_lines() {
        let found: Vec<Value> = lines(b"{\"a\":1}\n\n{\"a\":2}\n{\"a\":").collect();
        assert_eq!(found.len(), 2);
        assert_eq!(lines(b"\xff\xfe{}").count(), 0);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert_eq!(safe_name("batches/a-1").as_deref(), Some("batches/a-1"));
        for wrong in ["", "/x", "a//b", "../x", "a?b", "a b", "http://x"] {
            assert_eq!(safe_name(wrong), None, "{wrong}");
        }
        assert_eq!(in_url("a/b c\"ä"), "a%2Fb%20c%22%C3%A4");
    }
}
