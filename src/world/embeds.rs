//! Asks an embedder, once: texts out, vectors or the reason why there are none back. Must not know which texts are owed,
//! or where vectors are kept.
//!
//! Invariant: what is recorded as a text's vector came from the model whose name it carries, and has as many numbers as
//! the vectors of that name that are held.

use super::Texts;
use super::http::Http;
use super::live::{DAY_USED_UP, now};
use crate::embedders::{Answer, Embedder, Purpose, Quantised, Turn};
use crate::error::{Error, Kind, Result};
use crate::models::{self, Refusal};
use knowledge::record::Record;
use knowledge::vector::{Direction, Embedded, Fault, NotEmbedded};

/// Who makes vectors, and the way there.
pub struct Embeds {
    /// Who.
    pub embedder: Box<dyn Embedder>,
    /// The way out.
    pub http: Http,
}

impl Embeds {
    /// The vectors of these texts.
    ///
    /// # Errors
    /// Why there are none, and what to do about it.
    pub async fn vectors(&self, texts: &[&str], purpose: Purpose) -> std::result::Result<Answer, Refusal> {
        let request = match self.embedder.turn(texts, purpose) {
            Turn::Made(vectors) => return Ok(Answer { vectors, tokens: 0 }),
            Turn::Send(request) => request,
        };
        self.embedder.read(&self.http.send(&request).await?, texts.len())
    }
}

/// Performs a call for vectors.
pub(super) async fn embed(embeds: &Embeds, task: Texts) -> Result<Vec<Record>> {
    let words: Vec<&str> = task.texts.iter().map(|(_, text)| text.as_str()).collect();
    let sent_at = now();
    let refusal = match embeds.vectors(&words, Purpose::Kept).await {
        Ok(answer) => {
            check_held(embeds, &answer.vectors, task.held)?;
            let kept = |vector: &Quantised| Direction(vector.to_bytes());
            return Ok(vec![Record::Embedded(Box::new(Embedded {
                call: task.call,
                model: embeds.embedder.name().to_owned(),
                endpoint: task.endpoint,
                sent_at,
                tokens: answer.tokens,
                texts: task.texts.iter().map(|(text, _)| *text).collect(),
                vectors: answer.vectors.iter().map(kept).collect(),
            }))]);
        }
        Err(refusal) => refusal,
    };
    let (fault, wait) = match refusal.kind {
        models::Kind::Later { day: true, .. } => (Fault::Quota, Some(DAY_USED_UP)),
        models::Kind::Later { wait, quota: true, .. } => (Fault::Quota, wait),
        models::Kind::Later { wait, .. } => (Fault::Provider, wait),
        models::Kind::Never => (Fault::Texts, None),
        models::Kind::Halt => return Err(Error::from(refusal).during("asking for vectors")),
    };
    let wait_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    let why = format!("{}: {}", embeds.embedder.label(), refusal.text);
    Ok(vec![Record::NotEmbedded(NotEmbedded { call: task.call, sent_at, wait_ms, fault, why })])
}

/// Another model behind the same name would fill the state with vectors that mean nothing to those that are there.
fn check_held(embeds: &Embeds, vectors: &[Quantised], held: Option<usize>) -> Result<()> {
    let found = vectors.first().map_or(0, Quantised::dimensions);
    match held.filter(|held| *held != found) {
        None => Ok(()),
        Some(held) => {
            let (name, label) = (embeds.embedder.name(), embeds.embedder.label());
            let text = format!(
                "asking for vectors: those of `{name}` at `{label}` have {found} numbers, those held of it {held}"
            );
            Err(Error::new(Kind::Halt, text).hint(
                "another model answers by that name; give it one of its own, or set the one that was used",
            ))
        }
    }
}
