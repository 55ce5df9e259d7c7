//! From a model's answer to what each chunk says. It must not know who answered, nor ask again. Invariants: any answer
//! is understood without a panic, every chunk that was asked about is either read or missing, and what is read of one
//! chunk does not depend on what the answer says of another.

use crate::extract::answers::{self, Answer, Given};
use crate::extract::checks::{Checked, Refusal, Terms, Text, check};
use crate::extract::{Asked, Vocabulary, Witness};
use crate::graph::Reading;
use crate::id::ChunkId;
use crate::prompt::{Finish, Reply};
use std::collections::{BTreeMap, BTreeSet};

/// What an answer came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// What chunks say, in the order they were asked about.
    pub readings: Vec<(ChunkId, Reading)>,
    /// Chunks that were not read, and why, in words for a second ask and for `status`.
    pub missing: Vec<(ChunkId, String)>,
    /// What stands in the answer about a chunk that is missing because the answer breaks off in it, or because none of
    /// its facts could be believed. It is as true as a reading and less than all: worth keeping when nobody will be
    /// asked again, and only then.
    pub partial: Vec<(ChunkId, Reading)>,
    /// Those of the missing about which the answer is in order, only not to be believed: to ask for less at a time
    /// would not help.
    pub unbelieved: BTreeSet<ChunkId>,
    /// What of an answer was not believed.
    pub refused: Vec<(ChunkId, Refusal)>,
    /// Statements in the model's own words, where a claim's sentence does not say who or what.
    pub wordings: Vec<Wording>,
    /// Parts of the answer about nothing that was asked.
    pub strays: usize,
}

/// A statement in a model's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// The chunk.
    pub chunk: ChunkId,
    /// Index of the claim in the chunk's reading.
    pub claim: u32,
    /// A full sentence that names both ends.
    pub sentence: String,
}

impl Understood {
    /// How often each reason stood against a part of the answer.
    pub fn refusals(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for (_, refusal) in &self.refused {
            *counts.entry(refusal.why()).or_default() += 1;
        }
        counts
    }

    /// What to name as the fault when the missing chunks are asked about again.
    pub fn fault(&self) -> Option<String> {
        let reasons: BTreeSet<&str> = self.missing.iter().map(|(_, why)| why.as_str()).collect();
        (!reasons.is_empty()).then(|| reasons.into_iter().collect::<Vec<_>>().join("; "))
    }

    /// Adds what was read of a chunk.
    fn add(&mut self, chunk: ChunkId, checked: Checked, whole: bool) {
        let fault = if whole { checked.fault() } else { Some(BROKEN_OFF.to_owned()) };
        if whole && fault.is_some() {
            self.unbelieved.insert(chunk);
        }
        self.refused.extend(checked.refused.iter().map(|refusal| (chunk, *refusal)));
        let Some(why) = fault else {
            let wordings = checked.wordings.into_iter();
            self.wordings.extend(wordings.map(|(claim, sentence)| Wording { chunk, claim, sentence }));
            self.readings.push((chunk, checked.reading));
            return;
        };
        self.missing.push((chunk, why));
        if checked.reading != Reading::default() {
            self.partial.push((chunk, checked.reading));
        }
    }
}

const BROKEN_OFF: &str = "the answer broke off inside a chunk";
const LEFT_OUT: &str = "the answer left a chunk out";

/// What a model's answer says about the chunks it was asked about.
pub fn understand(
    asked: &[Asked],
    vocabulary: &Vocabulary,
    witness: Witness<'_>,
    reply: &Reply,
) -> Understood {
    let terms = Terms { vocabulary, witness };
    each(asked, reply, |at, given| check(&Text::of(&asked[at]), &given.said, &terms))
}

/// Goes through the parts of an answer.
pub(super) fn each(
    asked: &[Asked],
    reply: &Reply,
    read: impl Fn(usize, &Given) -> Result<Checked, String>,
) -> Understood {
    let mut understood = Understood::default();
    let answer = match parts(reply, asked.len()) {
        Ok(answer) => answer,
        Err(why) => {
            understood.missing = asked.iter().map(|asked| (asked.chunk, why.clone())).collect();
            return understood;
        }
    };
    understood.strays = answer.strays;
    for (at, asked) in asked.iter().enumerate() {
        let read = match answer.parts.get(&at) {
            Some(given) => read(at, given).map(|checked| (checked, given.whole)),
            None => Err(LEFT_OUT.to_owned()),
        };
        match read {
            Ok((checked, whole)) => understood.add(asked.chunk, checked, whole),
            Err(why) => understood.missing.push((asked.chunk, why)),
        }
    }
    understood
}

/// The parts of an answer, or why there are none.
pub(super) fn parts(reply: &Reply, asked: usize) -> Result<Answer, String> {
    if let Finish::Refused(why) = &reply.finish {
        let why: String = why.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect();
        return Err(format!("the model would not answer: `{why}`"));
    }
    answers::parts(&reply.text, asked).ok_or_else(|| match reply.text.trim().is_empty() {
        true => "the answer was empty".to_owned(),
        false => "the answer was no JSON".to_owned(),
    })
}
