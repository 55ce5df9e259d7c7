//! What is asked of a language model and what comes back, in no vendor's own form. Dialects turn a `Prompt` into a
//! request and a response into a `Reply`. This module must not know what a prompt is about, nor who answers it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A question to a model, the whole of it: the same prompt is the same bytes to the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What never changes between prompts of one kind. It goes first, so that vendors' caches of prefixes hit.
    pub system: String,
    /// What is asked this time. Text of pages stands in it delimited and declared as data.
    pub text: String,
    /// What the answer's JSON is called, where a vendor wants a name: letters, digits and `_`.
    pub schema_name: String,
    /// JSON Schema of the answer. Only `type` (one, never a list), `properties`, `required`, `items`, `enum`,
    /// `anyOf`, `description`, `minItems`, `maxItems`, `maxLength`, `minimum`, `maximum` and
    /// `additionalProperties: false`; no `$ref`. Dialects drop what their vendor does not take.
    pub schema: Value,
    /// The most tokens the answer may have.
    pub max_output_tokens: u32,
}

/// A model's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The text, as received: it should be JSON of the schema, and may be anything.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// What it took.
    pub usage: Usage,
}

/// Why a model stopped writing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It had said everything.
    #[default]
    Stop,
    /// The allowed length was reached: the end is missing.
    Length,
    /// The vendor would not answer (safety, recitation, refusal), in its words.
    Refused(String),
}

/// Tokens of a call, as the vendor counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones among them.
    pub input_tokens: u64,
    /// Tokens of the prompt that came from the vendor's cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Tokens of the answer, with what the model thought before it.
    pub output_tokens: u64,
}

/// Tokens that no call takes: a thousand times the longest prompt there is.
const MOST_TOKENS: u64 = 1 << 30;

impl Usage {
    /// The same, within what can be meant. What a provider counts is foreign input: it is added up over years, and no
    /// sum may overflow.
    #[must_use]
    pub fn bounded(self) -> Self {
        let Self { input_tokens, cached_tokens, output_tokens } = self;
        let input_tokens = input_tokens.min(MOST_TOKENS);
        Self {
            input_tokens,
            cached_tokens: cached_tokens.min(input_tokens),
            output_tokens: output_tokens.min(MOST_TOKENS),
        }
    }

    /// Tokens as quotas count them.
    pub fn total(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// Things that a model is to answer one by one.
pub(crate) struct Listed<'a> {
    /// What they are called in the prompt; the fences around them bear this name.
    pub name: &'a str,
    /// What their seal is for: never that of another kind of prompt.
    pub context: &'a str,
    /// One line of JSON each, numbered from 1.
    pub lines: &'a [String],
    /// What is to be done with them. It stands behind them, where no line can.
    pub task: &'a str,
}

impl Listed<'_> {
    /// The text of a prompt: the things between their fences, what is to be done, and last what was wrong with an
    /// earlier answer, so that the beginning stays the same.
    pub(crate) fn text(&self, fault: Option<&str>) -> String {
        let Self { name, context, lines, task } = self;
        let seal = seal(context, lines);
        let mut text = format!("<{name} {seal}>\n{}\n</{name} {seal}>\n{task}", lines.join("\n"));
        if let Some(fault) = fault {
            text.push_str(&format!("\nAn earlier answer could not be used: {fault}. Take care of that."));
        }
        text
    }

    /// Tokens that the answer may have: so many for each, and what stands around them.
    pub(crate) fn tokens(&self, each: u32, around: u32) -> u32 {
        let count = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        count.saturating_mul(each).saturating_add(around)
    }
}

/// A code made of all the texts, which whoever writes one of them cannot know beforehand: it fences what is data in a
/// prompt.
fn seal(context: &str, lines: &[String]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for line in lines {
        hasher.update(&(line.len() as u64).to_le_bytes());
        hasher.update(line.as_bytes());
    }
    loop {
        let seal = hasher.finalize().to_hex().as_str()[..16].to_owned();
        if !lines.iter().any(|line| line.contains(&seal)) {
            return seal;
        }
        hasher.update(b"again");
    }
}
