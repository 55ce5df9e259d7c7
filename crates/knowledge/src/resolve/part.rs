//! The same rules over a part of what is held: the graph as somebody sees it who may not see all of it. `Held` answers
//! for that part alone, and nothing of the whole is asked. This file must not know who sees what. Invariant: of a part
//! that pages make up, the groups, names and folds are those that the resolver would have given to a wiki of these.

use crate::graph::{Change, Decision, Extractor, Fact, Judgement, Mention, Node, Reading};
use crate::id::{FactId, NodeId, PageId, SpaceKey};
use crate::judge::Findings;
use crate::resolve::after::After;
use crate::resolve::facts::judge_again;
use crate::resolve::fold::folded;
use crate::resolve::groups::{Regrouped, regroup};
use crate::resolve::{Group, Held, HeldFact, PageSaid, names, page, pairs};
use std::collections::BTreeMap;

/// The groups of all nodes that these may be one with, as their names, mentions and decisions give them. `held` knows
/// of no group yet. A node that nothing live speaks of is in none.
pub fn groups_around<H: Held>(nodes: &[NodeId], held: &H) -> Result<Vec<Group>, H::Error> {
    let findings = Findings::by_rules_alone();
    let mut after = After::new(&[], held, &findings)?;
    after.seeds.extend(nodes);
    regroup(&mut after)?;
    let group = |change| match change {
        Change::Group { entity, nodes, name, kind } => Some(Group { entity, nodes, name, kind }),
        _ => None,
    };
    Ok(after.changes.into_iter().filter_map(group).collect())
}

/// Facts that say the same, each with the one that is shown in its place.
pub type Said = BTreeMap<FactId, Option<FactId>>;

/// All that says the same as a fact, itself included, with the groups that `held` knows.
pub fn says_the_same<H: Held>(fact: &HeldFact, held: &H) -> Result<Said, H::Error> {
    // Whoever has judged counts; nobody is asked.
    let findings = Findings::of("");
    let after = After::new(&[], held, &findings)?;
    let class = folded(&after, &Regrouped::default(), fact)?;
    Ok(class.into_iter().map(|(fact, (_, into))| (fact, into)).collect())
}

/// The judgements about a fact: which of them hold hangs on what else is said around it, and on the groups that `held`
/// knows.
pub fn judgements_about<H: Held>(fact: &Fact, held: &H) -> Result<Vec<Judgement>, H::Error> {
    let findings = Findings::of("");
    let mut after = After::new(&[], held, &findings)?;
    judge_again(&mut after, fact)?;
    after.judgements(fact.id)
}

/// Whether what a decision stands on is there, and it counts among the names that are.
pub fn stands<H: Held>(decision: &Decision, held: &H) -> Result<bool, H::Error> {
    After::new(&[], held, &Findings::by_rules_alone())?.stands(decision)
}

/// Whether a decision about two nodes follows from their names, whatever any text says.
pub fn follows_from_names(one: &Node, other: &Node) -> bool {
    pairs::is_decided(one, other)
}

/// The nodes that a chunk of a page speaks of, named as the chunk names them.
pub fn names_in(page: &PageId, space: &SpaceKey, reading: &Reading) -> Vec<Node> {
    let page = PageSaid {
        page: page.clone(),
        space: space.clone(),
        versions: Vec::new(),
        gone: false,
        readings: BTreeMap::new(),
    };
    let mut found: BTreeMap<NodeId, Node> = BTreeMap::new();
    for node in reading.mentions.iter().filter_map(|mention: &Mention| names::node_of(mention, &page)) {
        let node = match found.remove(&node.id) {
            Some(known) => names::merged(node, &known),
            None => node,
        };
        found.insert(node.id, node);
    }
    found.into_values().collect()
}

/// Two sightings of one node as one.
pub fn merged(one: Node, other: &Node) -> Node {
    names::merged(one, other)
}

/// Who read each fact that a page states.
pub fn extractors(said: &PageSaid) -> BTreeMap<FactId, Extractor> {
    page::said(said).facts.into_values().map(|fact| (fact.id, fact.extractor)).collect()
}
