//! Facts that say the same, because their ends are the same entities or because somebody found so: all but the smallest
//! are folded into it. A fact that nothing says any more still folds with its equals, since it tells when it was true;
//! what was found about two facts in other words counts only while live texts say both.

use crate::graph::{Change, Likeness, Object};
use crate::id::{FactId, NodeId};
use crate::resolve::after::After;
use crate::resolve::groups::Regrouped;
use crate::resolve::page::fact_id;
use crate::resolve::{Held, HeldFact};
use std::collections::{BTreeMap, BTreeSet};

/// Folds and unfolds the facts that are new, those at nodes whose group changed, and those said to be duplicates.
pub(super) fn fold<H: Held>(after: &mut After<'_, H>, regrouped: &Regrouped) -> Result<(), H::Error> {
    let mut asked: BTreeMap<FactId, HeldFact> = BTreeMap::new();
    let new = after.new_facts.iter().filter_map(|id| after.said.facts.get(id));
    asked.extend(new.map(|fact| (fact.id, HeldFact { fact: fact.clone(), into: None })));
    for node in regrouped.moved.difference(&after.entering) {
        asked.extend(after.held.facts_at(*node)?.into_iter().map(|held| (held.fact.id, held)));
    }
    for id in repeated(after, regrouped)? {
        asked.extend(as_held(after, id)?.map(|held| (id, held)));
    }
    let mut settled: BTreeSet<FactId> = BTreeSet::new();
    for held in asked.values() {
        if settled.contains(&held.fact.id) {
            continue;
        }
        for (fact, (was, into)) in folded(after, regrouped, held)? {
            if into != was {
                after.changes.push(Change::Fold { fact, into });
            }
            settled.insert(fact);
        }
    }
    Ok(())
}

/// Facts with what each is folded into so far, and what it is to be folded into.
pub(super) type Folded = BTreeMap<FactId, (Option<FactId>, Option<FactId>)>;

/// All that says the same as a fact, itself included.
pub(super) fn folded<H: Held>(
    after: &After<'_, H>,
    regrouped: &Regrouped,
    held: &HeldFact,
) -> Result<Folded, H::Error> {
    let class = match alike(after, regrouped, held)? {
        Alike::Class(class) => with_repeats(after, regrouped, class)?,
        Alike::SaysNothing => {
            return Ok(BTreeMap::from([(held.fact.id, (held.into, Some(held.fact.id)))]));
        }
    };
    let least = class.keys().next().copied();
    let place = |(fact, was): (FactId, Option<FactId>)| (fact, (was, least.filter(|least| *least != fact)));
    Ok(class.into_iter().map(place).collect())
}

/// Facts with what each is folded into so far.
type Class = BTreeMap<FactId, Option<FactId>>;

/// What else says the same as a fact.
enum Alike {
    /// Both its ends are one entity.
    SaysNothing,
    /// These facts, the fact among them.
    Class(Class),
}

/// Finds the facts between the same two entities by their ids, which are made of the ends: no index is asked.
fn alike<H: Held>(after: &After<'_, H>, regrouped: &Regrouped, held: &HeldFact) -> Result<Alike, H::Error> {
    let fact = &held.fact;
    let subjects = regrouped.members(fact.subject, after.held)?;
    let objects: Vec<Object<NodeId>> = match &fact.object {
        Object::Named(object) if subjects.contains(object) => return Ok(Alike::SaysNothing),
        Object::Named(object) => {
            regrouped.members(*object, after.held)?.iter().copied().map(Object::Named).collect()
        }
        Object::Value(value) => vec![Object::Value(value.clone())],
    };
    if subjects.len() * objects.len() < 2 {
        return Ok(Alike::Class(BTreeMap::from([(fact.id, held.into)])));
    }
    let mut class = BTreeMap::new();
    for subject in subjects.iter() {
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

/// Facts that are or were said to be duplicates of what this epoch touches, both of each pair.
fn repeated<H: Held>(after: &After<'_, H>, regrouped: &Regrouped) -> Result<BTreeSet<FactId>, H::Error> {
    let mut found = BTreeSet::new();
    if !after.weighs_models() {
        return Ok(found);
    }
    for id in &after.touched {
        let Some(held) = as_held(after, *id)? else { continue };
        let Alike::Class(class) = alike(after, regrouped, &held)? else { continue };
        for member in class.keys() {
            let said = after.judgements(*member)?.into_iter();
            let said = said.filter(|judgement| judgement.likeness == Likeness::Duplicate);
            found.extend(said.flat_map(|judgement| [judgement.a, judgement.b]));
        }
    }
    Ok(found)
}

/// A fact with what it is folded into so far.
fn as_held<H: Held>(after: &After<'_, H>, id: FactId) -> Result<Option<HeldFact>, H::Error> {
    match after.said.facts.get(&id).filter(|_| after.new_facts.contains(&id)) {
        Some(fact) => Ok(Some(HeldFact { fact: fact.clone(), into: None })),
        None => after.held.fact(id),
    }
}

/// Adds what somebody found to say the same, as long as something live says each.
fn with_repeats<H: Held>(
    after: &After<'_, H>,
    regrouped: &Regrouped,
    class: Class,
) -> Result<Class, H::Error> {
    if !after.weighs_models() || !is_live(after, &class)? {
        return Ok(class);
    }
    let mut open: Vec<FactId> = class.keys().copied().collect();
    let mut all = class;
    while let Some(id) = open.pop() {
        for judgement in after.judgements(id)? {
            let other = if judgement.a == id { judgement.b } else { judgement.a };
            let counts = judgement.likeness == Likeness::Duplicate && judgement.stands;
            if !counts || all.contains_key(&other) {
                continue;
            }
            let Some(other) = as_held(after, other)? else { continue };
            let Alike::Class(more) = alike(after, regrouped, &other)? else { continue };
            if is_live(after, &more)? {
                open.extend(more.keys());
                all.extend(more);
            }
        }
    }
    Ok(all)
}

fn is_live<H: Held>(after: &After<'_, H>, class: &Class) -> Result<bool, H::Error> {
    for fact in class.keys() {
        if !after.live_supports(*fact)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
