//! Facts that say the same once their ends are the same entities: all but the smallest are folded into it. It
//! must not look at supports: a fact that nothing says any more still tells when it was true.

use crate::graph::{Change, Fact, Object};
use crate::id::{FactId, NodeId};
use crate::resolve::after::After;
use crate::resolve::groups::Regrouped;
use crate::resolve::page::fact_id;
use crate::resolve::{Held, HeldFact};
use std::collections::{BTreeMap, BTreeSet};

/// Folds and unfolds the facts that are new and those at nodes whose group changed.
pub(super) fn fold<H: Held>(after: &mut After<'_, H>, regrouped: &Regrouped) -> Result<(), H::Error> {
    let mut asked: BTreeMap<FactId, HeldFact> = BTreeMap::new();
    let new = after.new_facts.iter().filter_map(|id| after.said.facts.get(id));
    asked.extend(new.map(|fact| (fact.id, HeldFact { fact: fact.clone(), into: None })));
    for node in regrouped.moved.difference(&after.entering) {
        asked.extend(after.held.facts_at(*node)?.into_iter().map(|held| (held.fact.id, held)));
    }
    let mut settled: BTreeSet<FactId> = BTreeSet::new();
    for held in asked.values() {
        if settled.contains(&held.fact.id) {
            continue;
        }
        let alike = alike(after, regrouped, &held.fact)?;
        let into = match &alike {
            Alike::Alone => None,
            Alike::SaysNothing => Some(held.fact.id),
            Alike::Class(class) => class.keys().next().copied(),
        };
        let own = BTreeMap::from([(held.fact.id, held.into)]);
        let class = if let Alike::Class(class) = &alike { class } else { &own };
        for (fact, was) in class {
            let into = into.filter(|into| into != fact || matches!(alike, Alike::SaysNothing));
            if into != *was {
                after.changes.push(Change::Fold { fact: *fact, into });
            }
            settled.insert(*fact);
        }
    }
    Ok(())
}

/// What else says the same as a fact.
enum Alike {
    /// Nothing; or an end is in no entity.
    Alone,
    /// Both its ends are one entity.
    SaysNothing,
    /// These facts, with what each is folded into so far.
    Class(BTreeMap<FactId, Option<FactId>>),
}

/// Finds the facts between the same two entities by their ids, which are made of the ends: no index is asked.
fn alike<H: Held>(after: &After<'_, H>, regrouped: &Regrouped, fact: &Fact) -> Result<Alike, H::Error> {
    let subjects = regrouped.members(fact.subject, after.held)?;
    let objects: Vec<Object<NodeId>> = match &fact.object {
        Object::Named(object) if subjects.contains(object) => return Ok(Alike::SaysNothing),
        Object::Named(object) => {
            regrouped.members(*object, after.held)?.into_iter().map(Object::Named).collect()
        }
        Object::Value(value) => vec![Object::Value(value.clone())],
    };
    if subjects.len() * objects.len() < 2 {
        return Ok(Alike::Alone);
    }
    let mut class = BTreeMap::new();
    for subject in &subjects {
        for object in &objects {
            let id = fact_id(*subject, &fact.relation, object, fact.run);
            if after.new_facts.contains(&id) {
                class.insert(id, None);
            } else if let Some(held) = after.held.fact(id)? {
                class.insert(id, held.into);
            }
        }
    }
    Ok(Alike::Class(class))
}
