//! Which questions share a call. It must not know what is asked. Invariants: every question is in exactly one pack, a
//! pack holds questions of one audience, and the same questions give the same packs.

use crate::judge::{Question, prompts};
use std::collections::BTreeMap;

/// How much a call may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackSize {
    /// Most questions.
    pub questions: usize,
    /// Most characters of text.
    pub chars: usize,
}

impl Default for PackSize {
    /// A verdict is a word under a number, and what reads a pack of chunks keeps a hundred numbered lines apart; a
    /// model that leaves some out is asked for those again. 40,000 characters are 100 questions of 400: two statements
    /// with a sentence each.
    fn default() -> Self {
        PackSize { questions: 100, chars: 40_000 }
    }
}

/// Sorts questions into packs, as positions. `audience` tells who may see a question; questions that differ in it never
/// share a pack, since what a model answers to one may draw on its neighbours. Questions keep their order, and packs
/// come in the order of their first questions.
pub fn pack<A: Ord>(
    questions: &[Question],
    audience: impl Fn(&Question) -> A,
    size: PackSize,
) -> Vec<Vec<usize>> {
    let mut packs: Vec<(Vec<usize>, usize)> = Vec::new();
    let mut open: BTreeMap<A, usize> = BTreeMap::new();
    for (position, question) in questions.iter().enumerate() {
        let chars = prompts::line(0, question).len();
        let kind = audience(question);
        let fits = |at: &&usize| {
            let (pack, used) = &packs[**at];
            pack.len() < size.questions && used + chars <= size.chars
        };
        let at = match open.get(&kind).filter(fits) {
            Some(at) => *at,
            None => {
                packs.push((Vec::new(), 0));
                packs.len() - 1
            }
        };
        open.insert(kind, at);
        packs[at].0.push(position);
        packs[at].1 += chars;
    }
    packs.into_iter().map(|(pack, _)| pack).collect()
}
