//! How much of what was found goes into one answer. An assistant reads all that it is given, and pays for it: what is
//! too much is left out at the end, whole, and counted. It must not know the protocol, nor how anything is found.
//!
//! Invariant: whatever was found, the data of an answer has at most `ANSWER` characters, and its words have no more.

use crate::error::Result;
use crate::inquiry::{Shown, clip};
use crate::state::search::{Found, Hit};
use schemars::JsonSchema;
use serde::Serialize;

/// Characters of an answer as data, and again in words: each is about 10,000 tokens, and a client shows a model one of
/// the two.
pub(super) const ANSWER: usize = 40_000;
/// Characters that stand around the results.
const AROUND: usize = 200;
/// A fact is told with the page that says it, or not at all.
const SOURCES: usize = 1;
/// What to do about what was left out.
const NARROWER: &str =
    "hint: ask more narrowly, with other words or parameters; `show` tells one result by its id";

/// Results in order, as data.
#[derive(Serialize, JsonSchema)]
pub(super) struct Results<T> {
    /// What was found, best first.
    pub results: Vec<T>,
    /// What was found and is not here, because an answer holds only so many characters.
    pub left_out: LeftOut,
}

/// How much was left out, at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LeftOut {
    /// Whole results.
    pub results: usize,
    /// Facts, sources, names or chunks of the last result that is here.
    pub parts: usize,
}

/// As many hits as an answer holds.
pub(super) fn fit_hits(hits: Vec<Hit>) -> Result<Results<Hit>> {
    fit(hits, shorten_hit)
}

/// As much as an answer holds of what has a name.
pub(super) fn fit_shown(shown: Vec<Shown>) -> Result<Results<Shown>> {
    fit(shown, shorten_shown)
}

/// Words beside the data, with a word about what both lack.
pub(super) fn in_words(said: &str, left_out: LeftOut) -> String {
    let LeftOut { results, parts } = left_out;
    let parts = format!("{parts} facts, sources, names or chunks of the last result here");
    let left = match (results, left_out.parts) {
        (0, 0) => String::new(),
        (0, _) => parts,
        (_, 0) => format!("results: {results}"),
        (_, _) => format!("{parts}, and whole results: {results}"),
    };
    let note = match left.is_empty() {
        true => left,
        false => format!("\nleft out, since an answer holds only so much: {left}\n{NARROWER}\n"),
    };
    // The words of a result are fewer than its data; this holds should they ever not be.
    clip(said, ANSWER - 1 - note.chars().count()) + &note
}

/// What is left of the characters of an answer.
struct Purse(usize);

impl Purse {
    fn pay(&mut self, chars: usize) -> bool {
        let left = self.0.checked_sub(chars);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Keeps what can be paid from the front of a list; gives how much that leaves out.
    fn keep<T: Serialize>(&mut self, list: &mut Vec<T>) -> Result<usize> {
        let mut kept = 0;
        while kept < list.len() && self.pay(chars(&list[kept])?) {
            kept += 1;
        }
        let left_out = list.len() - kept;
        if left_out > 0 {
            list.truncate(kept);
            // Nothing that comes later takes the place of what came first.
            self.0 = 0;
        }
        Ok(left_out)
    }
}

/// Shortens a result, so that a purse pays for it; gives how many parts that leaves out, and nothing where it cannot
/// be paid at all.
type Shorten<T> = fn(&mut T, &mut Purse) -> Result<Option<usize>>;

fn fit<T: Serialize>(found: Vec<T>, shorten: Shorten<T>) -> Result<Results<T>> {
    let (mut purse, count) = (Purse(ANSWER - AROUND), found.len());
    let (mut results, mut parts) = (Vec::new(), 0);
    for mut result in found {
        if purse.pay(chars(&result)?) {
            results.push(result);
            continue;
        }
        if let Some(left) = shorten(&mut result, &mut purse)? {
            parts = left;
            results.push(result);
        }
        break;
    }
    let left_out = LeftOut { results: count - results.len(), parts };
    Ok(Results { results, left_out })
}

fn shorten_hit(hit: &mut Hit, purse: &mut Purse) -> Result<Option<usize>> {
    let whole = chars(hit)?;
    match &mut hit.found {
        Found::Fact { sources, .. } => shorten_sources(whole, sources, purse),
        Found::Entity { .. } | Found::Passage { .. } => Ok(None),
    }
}

fn shorten_shown(shown: &mut Shown, purse: &mut Purse) -> Result<Option<usize>> {
    let whole = chars(shown)?;
    match shown {
        Shown::Fact { sources, .. } => shorten_sources(whole, sources, purse),
        Shown::Entity { card, facts, why, .. } => {
            let names = chars(&card.also)? + chars(&card.perhaps)? + chars(&card.summaries)?;
            if !purse.pay(whole.saturating_sub(names + chars(facts)? + chars(why)?)) {
                return Ok(None);
            }
            let told = purse.keep(&mut card.summaries)?;
            // Names and reasons must not crowd out what is known, nor each other.
            let (mut for_names, mut for_reasons) = (Purse(purse.0 / 5), Purse(purse.0 / 3));
            purse.0 -= for_names.0 + for_reasons.0;
            let named = for_names.keep(&mut card.perhaps)? + for_names.keep(&mut card.also)?;
            let explained = for_reasons.keep(why)?;
            purse.0 += for_names.0 + for_reasons.0;
            Ok(Some(told + named + explained + purse.keep(facts)?))
        }
        Shown::Page(page) => match purse.pay(whole.saturating_sub(chars(&page.chunks)?)) {
            true => purse.keep(&mut page.chunks).map(Some),
            false => Ok(None),
        },
        Shown::Chunk(_) => Ok(None),
    }
}

fn shorten_sources<T: Serialize>(
    whole: usize,
    sources: &mut Vec<T>,
    purse: &mut Purse,
) -> Result<Option<usize>> {
    if !purse.pay(whole.saturating_sub(chars(sources)?)) {
        return Ok(None);
    }
    let left_out = purse.keep(sources)?;
    Ok(Some(left_out).filter(|_| sources.len() >= SOURCES))
}

/// Characters of something as data, with the comma behind it.
fn chars(thing: &impl Serialize) -> Result<usize> {
    Ok(serde_json::to_string(thing)?.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::look::{ChunkCard, EntityCard, PageCard, Source, Statement};
    use knowledge::id::{ChunkId, EntityId, FactId, NodeId};

    fn statement(number: u8) -> Statement {
        Statement {
            fact: FactId::from_bytes([number; 16]),
            subject: "broker".to_owned(),
            relation: "owner".to_owned(),
            object: "Team \"Green\" ".repeat(10),
            valid_at: None,
            invalid_at: None,
            withdrawn: false,
            extractor: "structural".to_owned(),
        }
    }

    fn source(sentence: &str) -> Source {
        Source {
            sentence: sentence.to_owned(),
            chunk: ChunkId::from_bytes([1; 16]),
            page: "7".to_owned(),
            title: "broker".to_owned(),
            version: 1,
            link: None,
            asserted_from: None,
            asserted_to: None,
            ended: None,
        }
    }

    fn entity(names: usize, facts: usize) -> Shown {
        let entity = EntityId(NodeId::from_bytes([2; 16]));
        let also = (0..names).map(|number| format!("the broker number {number}")).collect();
        let (name, kind) = ("broker".to_owned(), "Service".to_owned());
        let card = EntityCard { entity, name, kind, also, perhaps: Vec::new(), summaries: Vec::new() };
        let facts = (0..facts).map(|number| statement((number % 200) as u8)).collect();
        Shown::Entity { card, community: None, facts, why: Vec::new() }
    }

    fn fits<T: Serialize>(fitted: &Results<T>) {
        let data = serde_json::to_string(fitted).unwrap().chars().count();
        assert!(data <= ANSWER, "{data} characters");
    }

    #[test]
    fn what_fits_is_whole_and_nothing_is_said_to_lack() {
        let fitted = fit_shown(vec![entity(3, 20), entity(0, 1)]).unwrap();
        assert_eq!((fitted.results.len(), fitted.left_out), (2, LeftOut::default()));
        assert_eq!(in_words("broker", fitted.left_out), "broker");
    }

    #[test]
    fn facts_at_the_end_are_left_out_and_counted_and_later_results_are_too() {
        let fitted = fit_shown(vec![entity(5_000, 5_000), entity(0, 1)]).unwrap();
        fits(&fitted);
        let [Shown::Entity { card, facts, .. }] = fitted.results.as_slice() else { panic!("one entity") };
        assert!(facts.len() > 50 && card.also.len() > 50, "{} facts, {} names", facts.len(), card.also.len());
        let parts = 10_000 - facts.len() - card.also.len();
        assert_eq!(fitted.left_out, LeftOut { results: 1, parts });
        let said = in_words(&"é".repeat(2 * ANSWER), fitted.left_out);
        assert!(said.chars().count() <= ANSWER && said.contains(&format!("{parts} facts")));
    }

    #[test]
    fn a_fact_keeps_a_source_or_is_left_out() {
        let fact = |sentence: &str| {
            let sources = (0..500).map(|_| source(sentence)).collect();
            vec![Shown::Fact { statement: statement(1), sources }]
        };
        let fitted = fit_shown(fact(&"It is Green's. ".repeat(20))).unwrap();
        fits(&fitted);
        assert!(matches!(&fitted.results[..], [Shown::Fact { sources, .. }] if sources.len() > 10));
        let fitted = fit_shown(fact(&"x".repeat(ANSWER))).unwrap();
        assert_eq!(fitted.left_out, LeftOut { results: 1, parts: 0 });
    }

    #[test]
    fn a_page_has_its_first_chunks() {
        let chunk = |number: u8| ChunkCard {
            chunk: ChunkId::from_bytes([number; 16]),
            form: "text".to_owned(),
            path: vec!["broker".to_owned()],
            text: "A line.\n".repeat(400),
            facts: 0,
        };
        let page = PageCard {
            page: "7".to_owned(),
            space: "OPS".to_owned(),
            title: "broker".to_owned(),
            version: 1,
            modified: None,
            link: None,
            gone: false,
            chunks: (0..100).map(chunk).collect(),
        };
        let fitted = fit_shown(vec![Shown::Page(page)]).unwrap();
        fits(&fitted);
        let [Shown::Page(page)] = fitted.results.as_slice() else { panic!("a page") };
        assert!(page.chunks.len() >= 10 && page.chunks[1] == chunk(1), "{}", page.chunks.len());
        assert_eq!(fitted.left_out.parts, 100 - page.chunks.len());
    }
}
