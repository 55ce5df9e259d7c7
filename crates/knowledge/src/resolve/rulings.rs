//! What a user says of names: what it changes in the graph as it stands, and what stands against it. Nothing is asked
//! and nothing is read again. It must not know how he names what he means.
//!
//! Invariant: what was ruled counts whenever groups are cut, so it is the same whether it was said before or after the
//! pages came that speak of the names.

use crate::graph::{Change, Node, Ruling, Verdict};
use crate::id::NodeId;
use crate::judge::Findings;
use crate::resolve::after::After;
use crate::resolve::fold::fold;
use crate::resolve::groups::regroup;
use crate::resolve::names::{Class, sort_of};
use crate::resolve::{Held, facts};
use std::collections::{BTreeMap, BTreeSet};

/// The changes that bring the graph up to date with what a user says now, and with what he takes back.
pub fn rule<H: Held>(
    rulings: &[Ruling],
    forgotten: &[(NodeId, NodeId)],
    held: &H,
) -> Result<Vec<Change>, H::Error> {
    // Whoever has judged counts; nobody is asked.
    let findings = Findings::of("");
    let mut after = laid_over(rulings, forgotten, (held, &findings))?;
    let ends: Vec<NodeId> = after.ruled.keys().flat_map(|(a, b)| [*a, *b]).collect();
    after.seeds.extend(ends);
    let regrouped = regroup(&mut after)?;
    facts::judge(&mut after, &regrouped)?;
    fold(&mut after, &regrouped)?;
    Ok(after.changes)
}

/// What is held, with what a user says laid over it.
fn laid_over<'a, H: Held>(
    rulings: &[Ruling],
    forgotten: &[(NodeId, NodeId)],
    (held, findings): (&'a H, &'a Findings),
) -> Result<After<'a, H>, H::Error> {
    let mut after = After::new(&[], held, findings)?;
    after.ruled.extend(forgotten.iter().map(|pair| (*pair, None)));
    after.ruled.extend(rulings.iter().map(|said| ((said.a, said.b), Some(said.clone()))));
    Ok(after)
}

/// Why what a user says cannot be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clash {
    /// He said himself that these two are apart, and what he says would join them.
    SaidApart(NodeId, NodeId),
    /// Each has a key, and one entity has one of that sort at most: two accounts are two people.
    Keys(NodeId, NodeId),
    /// One is a person, a label or a file, and the other is none.
    Kinds(NodeId, NodeId),
}

/// What stands against what a user says, whatever texts or models say.
pub fn clash<H: Held>(rulings: &[Ruling], held: &H) -> Result<Option<Clash>, H::Error> {
    let findings = Findings::by_rules_alone();
    let after = laid_over(rulings, &[], (held, &findings))?;
    let mut seen: BTreeSet<(Verdict, NodeId)> = BTreeSet::new();
    for ruling in rulings {
        if seen.contains(&(ruling.verdict, ruling.a)) {
            continue;
        }
        let joined = joined_by_user(ruling.a, &after)?;
        for node in &joined {
            let said = after.rulings(*node)?.into_iter();
            let mut parted = said.filter(|said| said.verdict == Verdict::Apart);
            if let Some(said) = parted.find(|said| joined.contains(&said.a) && joined.contains(&said.b)) {
                return Ok(Some(Clash::SaidApart(said.a, said.b)));
            }
        }
        // What keeps names apart is no reason not to part them.
        if ruling.verdict == Verdict::Same
            && let Some(clash) = clash_among(&joined, &after)?
        {
            return Ok(Some(clash));
        }
        seen.extend(joined.into_iter().map(|node| (ruling.verdict, node)));
    }
    Ok(None)
}

/// All that a user's words make one with a node, itself included.
fn joined_by_user<H: Held>(node: NodeId, after: &After<'_, H>) -> Result<BTreeSet<NodeId>, H::Error> {
    let (mut joined, mut open) = (BTreeSet::new(), vec![node]);
    while let Some(id) = open.pop() {
        if joined.insert(id) {
            let said = after.rulings(id)?.into_iter().filter(|said| said.verdict == Verdict::Same);
            open.extend(said.map(|said| if said.a == id { said.b } else { said.a }));
        }
    }
    Ok(joined)
}

/// Two of these nodes, or of those that are one with them today, that are never one.
fn clash_among<H: Held>(joined: &BTreeSet<NodeId>, after: &After<'_, H>) -> Result<Option<Clash>, H::Error> {
    let mut all: BTreeMap<NodeId, Node> = BTreeMap::new();
    for id in joined {
        let members = after.held.group(*id)?.map(|group| group.nodes).unwrap_or_default();
        for member in members.into_iter().chain([*id]) {
            all.extend(after.node(member)?.map(|node| (member, node)));
        }
    }
    let mut keyed: BTreeMap<u8, NodeId> = BTreeMap::new();
    let mut first: Option<(NodeId, Class)> = None;
    for (id, node) in &all {
        let class = Class::of(&node.kind, node.key.as_ref());
        let (one, known) = *first.get_or_insert((*id, class));
        if !class.may_join(known) {
            return Ok(Some(Clash::Kinds(one, *id)));
        }
        let Some(key) = &node.key else { continue };
        if let Some(one) = keyed.insert(sort_of(key), *id) {
            return Ok(Some(Clash::Keys(one, *id)));
        }
    }
    Ok(None)
}
