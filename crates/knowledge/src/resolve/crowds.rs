//! Names that may mean one thing by what they look like, and of which there may be so many that nobody is asked: equal
//! telling names of several spaces, and an abbreviation with what its letters may stand for. It must not know what was
//! found about a pair.
//!
//! Invariant: what is asked about and which answers count follow from the names that live texts speak of now. When one
//! comes or goes so that there are too many, or few enough again, all pairs are looked at again.

use crate::graph::{Decision, Node};
use crate::id::{NodeId, SpaceKey};
use crate::resolve::after::After;
use crate::resolve::doubts::WEIGHT_JUDGED;
use crate::resolve::names::{self, Class};
use crate::resolve::{Held, pairs};
use std::collections::{BTreeMap, BTreeSet};

/// Spaces beyond which nobody is asked whether a name means the same in two of them: a name that stands everywhere is a
/// word, and its pairs grow with the square of the wiki.
const NAMESAKES: usize = 6;
/// Expansions of one abbreviation in a space beyond which nobody is asked: its letters are the initials of anything.
const EXPANSIONS: usize = 6;

/// What names have in common that may make them one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Crowd {
    /// Equal telling names, each in a space of its own.
    Namesakes(String),
    /// An abbreviation of a space, and the names there whose initials it is.
    Letters(SpaceKey, String),
}

/// The crowds that a name belongs to.
pub(super) fn crowds_of(node: &Node) -> Vec<Crowd> {
    let namesakes = is_telling(node).then(|| Crowd::Namesakes(node.normal.clone()));
    let short = pairs::abbreviation(node).map(str::to_owned);
    let letters = short.into_iter().chain(pairs::initials(node));
    let letters = letters.filter_map(|letters| Some(Crowd::Letters(node.space.clone()?, letters)));
    namesakes.into_iter().chain(letters).collect()
}

/// A plain name of several words in a space, of which at least one is not an everyday word.
fn is_telling(node: &Node) -> bool {
    let plain = node.key.is_none() && node.space.is_some() && Class::of(&node.kind, None) == Class::Thing;
    plain && names::several_words(&node.normal)
}

/// Whether two names are equal telling names of two spaces.
pub(super) fn are_namesakes(one: &Node, other: &Node) -> bool {
    one.normal == other.normal && one.space != other.space && is_telling(one) && is_telling(other)
}

/// The crowd in which two names are asked about.
fn between(one: &Node, other: &Node) -> Option<Crowd> {
    if are_namesakes(one, other) {
        return Some(Crowd::Namesakes(one.normal.clone()));
    }
    let common = crowds_of(one).into_iter().filter(|crowd| crowds_of(other).contains(crowd));
    let one_is_short = pairs::abbreviation(one).is_some() != pairs::abbreviation(other).is_some();
    common.filter(|_| one_is_short).find(|crowd| matches!(crowd, Crowd::Letters(..)))
}

/// Whether a decision counts now: of answers about a crowd none does while there are too many in it.
pub(super) fn counts<H: Held>(decision: &Decision, after: &After<'_, H>) -> Result<bool, H::Error> {
    if decision.chunk.is_some() || decision.weight != WEIGHT_JUDGED {
        return Ok(true);
    }
    let both = after.node(decision.a)?.zip(after.node(decision.b)?);
    let Some(crowd) = both.and_then(|(one, other)| between(&one, &other)) else { return Ok(true) };
    // What is alike for another reason is asked about for that.
    let noted =
        matches!(crowd, Crowd::Letters(..)) && after.held.noted_alike(decision.a)?.contains(&decision.b);
    Ok(noted || !Members::of(&crowd, after)?.living(after)?.are_too_many())
}

/// The names of a crowd.
struct Members {
    /// Equal names, or what letters may stand for.
    names: Vec<Node>,
    /// The abbreviations; none of equal names.
    shorts: Option<Vec<Node>>,
}

impl Members {
    /// All that were ever spoken of, by id.
    fn of<H: Held>(crowd: &Crowd, after: &After<'_, H>) -> Result<Self, H::Error> {
        let held = match crowd {
            Crowd::Namesakes(normal) => after.held.nodes_named(normal)?,
            Crowd::Letters(space, letters) => {
                after.held.nodes_in_bands(&pairs::bands_of_letters(space, letters))?
            }
        };
        let new = after.crowds.get(crowd).into_iter().flatten();
        let new = new.filter_map(|id| after.said.nodes.get(id)).cloned();
        let all: BTreeMap<NodeId, Node> = held.into_iter().chain(new).map(|node| (node.id, node)).collect();
        let all = all.into_values().filter(|node| crowds_of(node).contains(crowd));
        let (shorts, names) = match crowd {
            Crowd::Namesakes(_) => (None, all.collect()),
            Crowd::Letters(..) => {
                let (shorts, names) = all.partition(|node| pairs::abbreviation(node).is_some());
                (Some(shorts), names)
            }
        };
        Ok(Members { names, shorts })
    }

    /// Those of which something live will speak.
    fn living<H: Held>(self, after: &After<'_, H>) -> Result<Self, H::Error> {
        self.which(|node| after.is_live_node(node.id))
    }

    /// Those of which something live spoke before.
    fn before<H: Held>(&self, after: &After<'_, H>) -> Result<Self, H::Error> {
        let all = Members { names: self.names.clone(), shorts: self.shorts.clone() };
        all.which(|node: &Node| -> Result<bool, H::Error> { Ok(after.held.group(node.id)?.is_some()) })
    }

    fn which<E>(self, is_there: impl Fn(&Node) -> Result<bool, E>) -> Result<Self, E> {
        let keep = |nodes: Vec<Node>| -> Result<Vec<Node>, E> {
            let mut kept = Vec::new();
            for node in nodes {
                if is_there(&node)? {
                    kept.push(node);
                }
            }
            Ok(kept)
        };
        Ok(Members { names: keep(self.names)?, shorts: self.shorts.map(keep).transpose()? })
    }

    fn are_too_many(&self) -> bool {
        self.names.len() > if self.shorts.is_some() { EXPANSIONS } else { NAMESAKES }
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.names.iter().chain(self.shorts.iter().flatten()).map(|node| node.id)
    }

    /// The pairs that may be one, the smaller id first.
    fn pairs(&self) -> Vec<[Node; 2]> {
        let pair = |one: &Node, other: &Node| match one.id < other.id {
            true => [one.clone(), other.clone()],
            false => [other.clone(), one.clone()],
        };
        let mut pairs = Vec::new();
        for (at, one) in self.names.iter().enumerate() {
            let others = self.shorts.as_deref().unwrap_or(&self.names[at + 1..]);
            pairs.extend(others.iter().map(|other| pair(one, other)));
        }
        pairs
    }

    /// In how many pairs these nodes are.
    fn pairs_with(&self, moved: &BTreeSet<NodeId>) -> usize {
        let count = |nodes: &[Node]| nodes.iter().filter(|node| moved.contains(&node.id)).count();
        match &self.shorts {
            None => count(&self.names) * self.names.len().saturating_sub(1),
            Some(shorts) => count(&self.names) * shorts.len() + count(shorts) * self.names.len(),
        }
    }
}

/// What the coming and going of names means for those that are like them.
#[derive(Debug, Default)]
pub(super) struct Stirred {
    /// Pairs that may mean one thing, the smaller id first.
    pub pairs: Vec<[Node; 2]>,
    /// Nodes whose answers count from now on, or do not any more.
    pub turned: BTreeSet<NodeId>,
    /// Pairs that nobody is asked about.
    pub passed_over: usize,
}

/// Looks at all names that are in a crowd with one of these, which enter, come to life or are not spoken of any more.
pub(super) fn stirred<H: Held>(moved: &BTreeSet<NodeId>, after: &After<'_, H>) -> Result<Stirred, H::Error> {
    let mut stirred = Stirred::default();
    let mut crowds: BTreeSet<Crowd> = BTreeSet::new();
    for id in moved {
        crowds.extend(after.node(*id)?.iter().flat_map(crowds_of));
    }
    for crowd in crowds {
        let all = Members::of(&crowd, after)?;
        if all.names.len() + all.shorts.as_ref().map_or(0, Vec::len) < 2 {
            continue;
        }
        let before = all.before(after)?;
        // While there are few, names of history are asked about like others: whoever reads the wiki again would.
        let few = (!all.are_too_many()).then(|| all.pairs());
        let now = all.living(after)?;
        if before.are_too_many() != now.are_too_many() {
            stirred.turned.extend(now.ids());
        }
        match now.are_too_many() {
            true => stirred.passed_over += now.pairs_with(moved),
            false => stirred.pairs.extend(few.unwrap_or_else(|| now.pairs())),
        }
    }
    Ok(stirred)
}
