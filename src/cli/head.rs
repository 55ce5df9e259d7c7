//! `HEAD.json`: a courtesy for monitors and for other writers. It says how far a run has come or what it waits for, at
//! least every 30 seconds, so that an alert on silence stays quiet while a quota is waited for. Nothing depends on it:
//! it is overwritten, may be lost, and may lie.

use super::progress::Lookout;
use crate::job::Pulse;
use crate::world::live;
use knowledge::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use vault::{ObjectStore, Term, VaultId};

/// Where it is.
const KEY: &str = "HEAD.json";
/// At most so often it is written, if there is anything new to say; and so often in any case.
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST_BEATS: u32 = 3;
/// How long the last word may take: a bucket that is slow must not hold up the end of a run.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Which vault.
    pub vault: VaultId,
    /// Whose term.
    pub term: Term,
    /// The writer, in words.
    pub writer: String,
    /// When it was written.
    pub at: Timestamp,
    /// `running`, `waiting`, or `ended`.
    pub standing: String,
    /// What is waited for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// When the quota lets the next call out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<Timestamp>,
    /// The last durable record.
    pub durable_seq: u64,
    /// The step in progress.
    pub step: String,
    /// How much of it is done.
    pub done: u64,
    /// How much of it there is.
    pub of: u64,
}

/// Reads it; nothing where there is none, or none that can be read.
pub(super) async fn read<S: ObjectStore>(store: &S) -> Option<Head> {
    serde_json::from_slice(&store.get(KEY).await.ok()??).ok()
}

/// Who writes it, until dropped.
pub(super) struct Beat<S> {
    task: tokio::task::JoinHandle<()>,
    store: S,
    head: Head,
}

/// What a writer says of itself.
pub(super) struct Whose {
    /// Which vault.
    pub vault: VaultId,
    /// Its term.
    pub term: Term,
    /// It, in words.
    pub writer: String,
}

impl<S: ObjectStore + Clone + 'static> Beat<S> {
    /// Begins to write, as what `lookout` sees and `pulse` says.
    pub(super) fn begin(store: S, whose: Whose, (lookout, pulse): (Lookout, Pulse)) -> Self {
        let head = Head {
            vault: whose.vault,
            term: whose.term,
            writer: whose.writer,
            at: live::now(),
            standing: "running".to_owned(),
            waiting_for: None,
            waiting_until: None,
            durable_seq: 0,
            step: String::new(),
            done: 0,
            of: 0,
        };
        let task = tokio::spawn(beat(store.clone(), head.clone(), (lookout, pulse)));
        Self { task, store, head }
    }

    /// Says that the run has ended, after this record.
    pub(super) async fn end(&self, durable_seq: u64) {
        self.task.abort();
        let head = Head { standing: "ended".to_owned(), at: live::now(), durable_seq, ..self.head.clone() };
        let last_word = async {
            if !is_passed(&self.store, &head).await {
                write(&self.store, &head).await;
            }
        };
        tokio::select! {
            () = last_word => {}
            () = live::pause(LAST_WORD) => {}
        }
    }
}

impl<S> Drop for Beat<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat<S: ObjectStore>(store: S, mut head: Head, (mut lookout, pulse): (Lookout, Pulse)) {
    let mut beats = LONGEST_BEATS;
    loop {
        let before = head.clone();
        look(&mut head, &mut lookout, &pulse);
        if head != before || beats >= LONGEST_BEATS {
            if is_passed(&store, &head).await {
                return;
            }
            head.at = live::now();
            write(&store, &head).await;
            beats = 0;
        }
        beats += 1;
        live::pause(SHORTEST).await;
    }
}

/// Whether a later writer says what is so; ours finds out at its next append.
async fn is_passed<S: ObjectStore>(store: &S, head: &Head) -> bool {
    read(store).await.is_some_and(|other| other.vault == head.vault && other.term > head.term)
}

fn look(head: &mut Head, lookout: &mut Lookout, pulse: &Pulse) {
    if let Some(glance) = lookout.look() {
        head.durable_seq = glance.durable;
        head.step = glance.step.to_owned();
        (head.done, head.of) = (glance.done, glance.of);
    }
    let waiting = pulse.waiting();
    let quota = waiting.slot.map(|_| "the quota".to_owned());
    head.waiting_until = waiting.slot;
    head.waiting_for = waiting.trouble.or(quota);
    head.standing = if head.waiting_for.is_some() { "waiting" } else { "running" }.to_owned();
}

/// Best effort: whoever cannot write this finds out from the journal.
async fn write<S: ObjectStore>(store: &S, head: &Head) {
    if let Ok(mut text) = serde_json::to_vec_pretty(head) {
        text.push(b'\n');
        store.replace(KEY, &text).await.ok();
    }
}
