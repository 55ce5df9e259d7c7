//! Names in doubt: decisions that a model's findings give, and questions where there is none. It must not know what
//! makes a pair doubtful (`pairs` does). Invariant: without a finding a pair stays apart, marked as doubt.

use crate::graph::{Decision, Node, Verdict};
use crate::id::NodeId;
use crate::judge::{Finding, Pair, Question, Side};
use crate::resolve::Held;
use crate::resolve::after::After;
use crate::resolve::crowds;
use crate::resolve::pairs::{self, Doubts};

/// A model judged two names: below every rule, since it has seen less than a text that says so, and above no other
/// link.
pub const WEIGHT_JUDGED: u16 = 600;

/// Decisions about pairs in doubt of which one enters, and about those that were left in doubt before and have a
/// finding now.
pub(super) fn decisions<H: Held>(
    after: &mut After<'_, H>,
    entering: &[Node],
) -> Result<Vec<Decision>, H::Error> {
    let Some(model) = after.pending.model() else { return Ok(Vec::new()) };
    let mut open = pairs::doubts(entering, after.held)?;
    let stirred = std::mem::take(&mut after.stirred.pairs).into_iter();
    let stirred = stirred.filter(|[one, other]| !pairs::is_decided(one, other));
    open.extend(stirred.map(|both| ((both[0].id, both[1].id), both)));
    after.pending.pass_over_names(after.stirred.passed_over);
    let again = left_in_doubt(after)?;
    open.extend(again.iter().map(|(pair, both)| (*pair, both.clone())));
    let mut decided = Vec::new();
    for (pair, both) in open {
        let asked_before = again.contains_key(&pair);
        if !asked_before && is_decided(after, pair)? {
            continue;
        }
        if asked_before && !crowds::counts(&decision(pair, None, model), after)? {
            continue;
        }
        if is_ruled(after, pair)? {
            // Should the user take his word back, it is asked about when a page speaks of it again.
            decided.extend((!asked_before).then(|| decision(pair, None, model)));
            continue;
        }
        let question = question(after, model, &both)?;
        let finding = after.pending.ask(Question { again: asked_before, ..question });
        if finding.is_some() || !asked_before {
            decided.push(decision(pair, finding, model));
        }
    }
    Ok(decided)
}

/// Pairs of which the epoch's pages speak and that nobody has answered yet.
fn left_in_doubt<H: Held>(after: &After<'_, H>) -> Result<Doubts, H::Error> {
    let mut found = Doubts::new();
    for id in after.said.nodes.keys().filter(|id| !after.entering.contains(id)) {
        let doubts = after.held.decisions(*id)?.into_iter();
        for doubt in doubts.filter(|held| held.verdict == Verdict::Doubt && held.chunk.is_none()) {
            if let (Some(a), Some(b)) = (after.node(doubt.a)?, after.node(doubt.b)?) {
                found.insert((doubt.a, doubt.b), [a, b]);
            }
        }
    }
    Ok(found)
}

/// Whether a rule or somebody who looked closer has decided about a pair.
fn is_decided<H: Held>(after: &After<'_, H>, (a, b): (NodeId, NodeId)) -> Result<bool, H::Error> {
    let held = after.held.decisions(a)?;
    Ok(held.iter().any(|held| held.chunk.is_none() && (held.a, held.b) == (a, b)))
}

/// Whether a user has said what a pair is.
fn is_ruled<H: Held>(after: &After<'_, H>, (a, b): (NodeId, NodeId)) -> Result<bool, H::Error> {
    Ok(after.rulings(a)?.iter().any(|said| (said.a, said.b) == (a, b)))
}

fn decision((a, b): (NodeId, NodeId), finding: Option<Finding>, model: &str) -> Decision {
    let (verdict, why) = match finding {
        Some(Finding::Same) => (Verdict::Same, format!("`{model}` finds that both names mean one thing")),
        Some(_) => (Verdict::Apart, format!("`{model}` finds that the names mean two things")),
        None => (Verdict::Doubt, "nobody has answered yet whether both names mean one thing".to_owned()),
    };
    Decision { a, b, verdict, why, weight: WEIGHT_JUDGED, chunk: None }
}

fn question<H: Held>(after: &After<'_, H>, model: &str, both: &[Node; 2]) -> Result<Question, H::Error> {
    let pair = Pair::Entities(both[0].id, both[1].id);
    Ok(Question::new(model, pair, (side(after, &both[0])?, side(after, &both[1])?)))
}

/// A name with the space it counts in, and words in which it stands.
fn side<H: Held>(after: &After<'_, H>, node: &Node) -> Result<Side, H::Error> {
    let text = match &node.space {
        Some(space) => format!("{} (in space {space})", node.normal),
        None => node.normal.clone(),
    };
    let chunk = after.a_mention(node.id)?;
    let stands = |sentence: &&String| sentence.to_lowercase().contains(&node.name.to_lowercase());
    let said = after.said.supports.iter().filter(|((_, on), _)| Some(*on) == chunk);
    let quote = said.map(|(_, support)| &support.sentence).find(stands).cloned().unwrap_or_default();
    Ok(Side { text, kind: node.kind.as_str().to_owned(), quote, since: None, chunk })
}
