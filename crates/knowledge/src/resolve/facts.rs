//! Facts in doubt: which pairs that share an end may say the same or contradict each other, and what was found about
//! them. It must not know how a contradiction ends a fact (`times` does) nor how duplicates are shown (`fold` does).
//!
//! Whether a pair is asked about follows from the two facts, what they stand on, and the facts between them in time,
//! and is looked at again whenever one of these changes. No question is raised where no answer could change the graph:
//! equal facts, facts that rules alone have read, and contradictions between facts that begin on the same day, have no
//! day, or whose texts tell of times that do not overlap. What was said side by side once and is not any more is asked
//! about for those who read the wiki of that day (`once`); what is found counts for them alone.

use crate::graph::{Extractor, Fact, Judgement, Likeness, Object, Support};
use crate::id::{FactId, NodeId};
use crate::judge::{Finding, Pair, Question, Side};
use crate::resolve::Held;
use crate::resolve::after::After;
use crate::resolve::groups::Regrouped;
use crate::resolve::once;
use crate::resolve::times::begins;
use crate::time::Timestamp;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// How many days on either side of a fact are looked at for what ends it or what it ends, where a subject has few
/// values of a relation. The next is enough where a relation holds one value at a time; one more in case the next turns
/// out to be unrelated.
pub(super) const DAYS: usize = 2;
/// More values than this, and only the next day is looked at: a subject with many values has most of them side by side,
/// and a question about each pair would cost the square.
pub(super) const FEW: usize = 6;
/// Most questions of a sort about one statement: a hub that says a hundred things of one sort says them side by side.
pub(super) const MOST: usize = 8;
/// Words of two values that must be common, in percent of all, for them to be one value in other words, unless one has
/// all the words of the other: `Quebec` and `Quebec City`, but not flights to Delhi and flights to Dubai.
const COMMON_WORDS: usize = 80;

/// What a fact says, once its ends are entities: facts with equal ones are equal.
pub(super) type Saying = (NodeId, String, Object<NodeId>, u32);

/// Equal facts, with what they stand on.
pub(super) struct Equals {
    /// The smallest of them, which speaks for all.
    pub fact: Fact,
    members: Vec<FactId>,
    pub by_model: bool,
    pub texts: Vec<Support>,
}

/// What is said, with what it stands on.
pub(super) type Sayings = BTreeMap<Saying, Equals>;

/// Looks at all pairs that the epoch may have changed.
pub(super) fn judge<H: Held>(after: &mut After<'_, H>, regrouped: &Regrouped) -> Result<(), H::Error> {
    if !after.weighs_models() {
        return Ok(());
    }
    for node in regrouped.moved.difference(&after.entering) {
        after.touched.extend(after.held.facts_at(*node)?.into_iter().map(|held| held.fact.id));
    }
    touch_what_was_left_open(after)?;
    let touched: Vec<FactId> = after.touched.iter().copied().collect();
    let mut of_subject: BTreeMap<NodeId, Vec<Fact>> = BTreeMap::new();
    for id in touched {
        let Some(fact) = after.fact(id)? else { continue };
        part(after, regrouped, &fact)?;
        of_subject.entry(entity(after, regrouped, fact.subject)?).or_default().push(fact);
    }
    let (mut now, mut once) = (Doubtful::new(), Doubtful::new());
    for (entity, facts) in &of_subject {
        let scope = Scope::of(after, regrouped, (*entity, facts))?;
        let around = around(after, regrouped, &scope)?;
        let near = doubtful(after, &around.now, &scope);
        uphold(after, &around.now, (&scope, &near))?;
        now.extend(near);
        once.extend(once::doubtful(after, &around.once, &scope));
    }
    once.retain(|pair, _| !now.contains_key(pair));
    now.values().try_for_each(|pair| settle(after, pair, true))?;
    once.values().try_for_each(|pair| settle(after, pair, false))
}

/// A fact of the epoch's pages about which a question was never answered is looked at again.
fn touch_what_was_left_open<H: Held>(after: &mut After<'_, H>) -> Result<(), H::Error> {
    let known = after.said.facts.keys().filter(|id| !after.new_facts.contains(id));
    let mut open = Vec::new();
    for id in known.filter(|id| !after.touched.contains(id)) {
        let mut judgements = after.held.judgements(*id)?.into_iter();
        if judgements.any(|judgement| judgement.likeness == Likeness::Doubt) {
            open.push(*id);
        }
    }
    after.touched.extend(open);
    Ok(())
}

/// Sets aside the judgements about a fact that were made for other entities than its ends are now. Where neither end
/// moved, the other fact's has, which is looked at for itself.
fn part<H: Held>(after: &mut After<'_, H>, regrouped: &Regrouped, fact: &Fact) -> Result<(), H::Error> {
    let moved = |node| regrouped.moved.contains(node);
    if !moved(&fact.subject) && !matches!(&fact.object, Object::Named(object) if moved(object)) {
        return Ok(());
    }
    part_at_last(after, regrouped, fact)
}

/// The same, wherever the ends have moved.
fn part_at_last<H: Held>(
    after: &mut After<'_, H>,
    regrouped: &Regrouped,
    fact: &Fact,
) -> Result<(), H::Error> {
    for judgement in after.judgements(fact.id)?.into_iter().filter(|judgement| judgement.stands) {
        let (Some(a), Some(b)) = (after.fact(judgement.a)?, after.fact(judgement.b)?) else { continue };
        // What nobody speaks of any more ends nothing today, and did when the wiki still spoke of it.
        if !is_spoken_of(after, regrouped, &a)? || !is_spoken_of(after, regrouped, &b)? {
            continue;
        }
        let (a, b) = (saying(after, regrouped, &a)?, saying(after, regrouped, &b)?);
        if !a.zip(b).is_some_and(|(a, b)| share_ends(&a, &b)) {
            after.judge(Judgement { stands: false, ..judgement });
        }
    }
    Ok(())
}

/// Whether both ends of a fact are in the graph.
fn is_spoken_of<H: Held>(after: &After<'_, H>, regrouped: &Regrouped, fact: &Fact) -> Result<bool, H::Error> {
    let is_there = |node| Ok(!regrouped.members(node, after.held)?.is_empty());
    Ok(is_there(fact.subject)?
        && match &fact.object {
            Object::Named(object) => is_there(*object)?,
            Object::Value(_) => true,
        })
}

/// Notes which of the judgements about a fact hold as things stand, whatever held before.
pub(super) fn judge_again<H: Held>(after: &mut After<'_, H>, fact: &Fact) -> Result<(), H::Error> {
    let regrouped = Regrouped::default();
    part_at_last(after, &regrouped, fact)?;
    let Some(entity) = regrouped.members(fact.subject, after.held)?.first().copied() else { return Ok(()) };
    let scope = Scope::of(after, &regrouped, (entity, std::slice::from_ref(fact)))?;
    let now = around(after, &regrouped, &scope)?.now;
    let near = doubtful(after, &now, &scope);
    uphold(after, &now, (&scope, &near))
}

/// Notes which judgements hold among the facts at an entity: those about pairs that would be asked about now. So what
/// counts does not depend on what was there when a pair was judged.
fn uphold<H: Held>(
    after: &mut After<'_, H>,
    sayings: &Sayings,
    (scope, near): (&Scope, &Doubtful),
) -> Result<(), H::Error> {
    let mut says: BTreeMap<FactId, &Saying> = BTreeMap::new();
    for (saying, equals) in sayings {
        says.extend(equals.members.iter().map(|member| (*member, saying)));
    }
    let speaker = |saying: &Saying| sayings.get(saying).map(|equals| equals.fact.id);
    for (id, own) in &says {
        for judgement in after.judgements(*id)?.into_iter().filter(|judgement| judgement.a == *id) {
            let Some(other) = says.get(&judgement.b).filter(|other| scope.covers(own, other)) else {
                continue;
            };
            let Some((one, other)) = speaker(own).zip(speaker(other)) else { continue };
            let stands = near.contains_key(&(one.min(other), one.max(other)));
            if stands != judgement.stands {
                after.judge(Judgement { stands, ..judgement });
            }
        }
    }
    Ok(())
}

/// What a fact says of entities; nothing when nobody speaks of an end any more, or both ends are one.
fn saying<H: Held>(
    after: &After<'_, H>,
    regrouped: &Regrouped,
    fact: &Fact,
) -> Result<Option<Saying>, H::Error> {
    let entity = |node| Ok(regrouped.members(node, after.held)?.first().copied());
    let Some(subject) = entity(fact.subject)? else { return Ok(None) };
    let object = match &fact.object {
        Object::Named(node) => entity(*node)?.filter(|object| *object != subject).map(Object::Named),
        Object::Value(value) => Some(Object::Value(value.clone())),
    };
    Ok(object.map(|object| (subject, fact.relation.clone(), object, fact.run)))
}

/// The same of what was said once: a node that nobody speaks of any more is an entity of its own.
fn said_once<H: Held>(
    after: &After<'_, H>,
    regrouped: &Regrouped,
    fact: &Fact,
) -> Result<Option<Saying>, H::Error> {
    let subject = entity(after, regrouped, fact.subject)?;
    let object = match &fact.object {
        Object::Named(node) => Object::Named(entity(after, regrouped, *node)?),
        Object::Value(value) => Object::Value(value.clone()),
    };
    let says_something = object != Object::Named(subject);
    Ok(says_something.then(|| (subject, fact.relation.clone(), object, fact.run)))
}

/// The entity of a node; of one that nobody speaks of any more, itself.
fn entity<H: Held>(after: &After<'_, H>, regrouped: &Regrouped, node: NodeId) -> Result<NodeId, H::Error> {
    Ok(regrouped.members(node, after.held)?.first().copied().unwrap_or(node))
}

/// Two sayings of which one may end the other, or say the same in other words.
fn share_ends(one: &Saying, other: &Saying) -> bool {
    may_contradict(one, other) || may_repeat(one, other)
}

/// One subject and relation, two objects.
pub(super) fn may_contradict(one: &Saying, other: &Saying) -> bool {
    (one.0, &one.1) == (other.0, &other.1) && one.2 != other.2
}

/// The same two ends, either way round, under two relations; or two values in nearly the same words.
fn may_repeat(one: &Saying, other: &Saying) -> bool {
    let reversed = || one.2 == Object::Named(other.0) && other.2 == Object::Named(one.0);
    match (&one.2, &other.2) {
        (Object::Value(a), Object::Value(b)) if one.1 == other.1 => one.0 == other.0 && nearly_equal(a, b),
        _ => one.1 != other.1 && ((one.0 == other.0 && one.2 == other.2) || reversed()),
    }
}

fn nearly_equal(one: &str, other: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let (a, b) = (words(one), words(other));
    let numbers = |words: &BTreeSet<String>| -> Vec<String> {
        words.iter().filter(|word| word.contains(char::is_numeric)).cloned().collect()
    };
    let common = a.intersection(&b).count();
    let within = common > 0 && common == a.len().min(b.len());
    let close = common * 100 >= (a.len() + b.len() - common) * COMMON_WORDS;
    one != other && numbers(&a) == numbers(&b) && (within || close)
}

/// What the facts that changed at an entity may have made doubtful there: all pairs under one of their relations, and
/// all between the ends of one of them.
pub(super) struct Scope {
    entity: NodeId,
    relations: BTreeSet<String>,
    /// The other ends, with all names of each.
    ends: BTreeSet<Object<NodeId>>,
}

impl Scope {
    fn of<H: Held>(
        after: &After<'_, H>,
        regrouped: &Regrouped,
        (entity, changed): (NodeId, &[Fact]),
    ) -> Result<Self, H::Error> {
        let relations = changed.iter().map(|fact| fact.relation.clone()).collect();
        let mut ends: BTreeSet<Object<NodeId>> = BTreeSet::new();
        for fact in changed {
            match &fact.object {
                Object::Named(node) => {
                    let members = regrouped.members(*node, after.held)?;
                    ends.extend(members.iter().copied().map(Object::Named));
                }
                Object::Value(_) => drop(ends.insert(fact.object.clone())),
            }
        }
        Ok(Scope { entity, relations, ends })
    }

    /// Whether all that stands next to a saying in time is at hand.
    pub fn has_relation(&self, saying: &Saying) -> bool {
        saying.0 == self.entity && self.relations.contains(&saying.1)
    }

    /// Whether all that is said of the two ends of a saying is at hand.
    fn has_ends(&self, saying: &Saying) -> bool {
        let from_here = saying.0 == self.entity && self.ends.contains(&saying.2);
        from_here || (saying.2 == Object::Named(self.entity) && self.ends.contains(&Object::Named(saying.0)))
    }

    /// Whether a pair is asked about here, if it is doubtful.
    fn covers(&self, one: &Saying, other: &Saying) -> bool {
        (may_contradict(one, other) && self.has_relation(one)) || self.has_repeat(one, other)
    }

    /// Whether one may repeat the other, and all else that may is at hand.
    fn has_repeat(&self, one: &Saying, other: &Saying) -> bool {
        let at_hand = if one.1 == other.1 { self.has_relation(one) } else { self.has_ends(one) };
        at_hand && may_repeat(one, other)
    }
}

/// What is said at an entity, and what ever was.
#[derive(Default)]
struct Around {
    now: Sayings,
    once: Sayings,
}

/// The sayings at an entity that have a relation or an end in common with the facts that changed there.
fn around<H: Held>(after: &After<'_, H>, regrouped: &Regrouped, scope: &Scope) -> Result<Around, H::Error> {
    let members = regrouped.members(scope.entity, after.held)?;
    let alone = [scope.entity];
    let members = if members.is_empty() { &alone[..] } else { &members[..] };
    let mut around = Around::default();
    for node in members {
        for fact in after.facts_at(*node)? {
            let from_here = members.contains(&fact.subject);
            let near = match from_here {
                true => scope.relations.contains(&fact.relation) || scope.ends.contains(&fact.object),
                false => scope.ends.contains(&Object::Named(fact.subject)),
            };
            if !near {
                continue;
            }
            let (now, once) = (saying(after, regrouped, &fact)?, said_once(after, regrouped, &fact)?);
            let texts = after.supports(fact.id)?;
            let live: Vec<Support> = texts.iter().filter(|text| text.end.is_none()).cloned().collect();
            if let Some(saying) = now.filter(|_| !live.is_empty()) {
                join(&mut around.now, saying, fact.clone(), live);
            }
            if let Some(saying) = once {
                join(&mut around.once, saying, fact, texts);
            }
        }
    }
    // What is said now speaks for what says the same.
    for (saying, equals) in &around.now {
        if let Some(known) = around.once.get_mut(saying) {
            known.fact = equals.fact.clone();
        }
    }
    Ok(around)
}

fn join(sayings: &mut Sayings, saying: Saying, fact: Fact, texts: Vec<Support>) {
    let by_model = matches!(fact.extractor, Extractor::Model(_));
    let known = sayings.entry(saying).or_insert_with(|| Equals {
        fact: fact.clone(),
        members: Vec::new(),
        by_model: false,
        texts: Vec::new(),
    });
    if known.members.contains(&fact.id) {
        return;
    }
    known.members.push(fact.id);
    known.by_model |= by_model;
    known.texts.extend(texts);
    if fact.id < known.fact.id {
        known.fact = fact;
    }
}

/// A pair that is worth a question.
pub(super) type Doubtful = BTreeMap<(FactId, FactId), (Shown, Shown)>;

/// A saying as it is asked about.
#[derive(Clone)]
pub(super) struct Shown {
    fact: Fact,
    members: Vec<FactId>,
    /// What speaks for it: the support that begins first, of those that have not ended if there are any.
    first: Support,
}

impl Equals {
    fn shown(&self) -> Option<Shown> {
        let order = |support: &&Support| {
            (support.end.is_some(), begins(support).is_none(), begins(support), support.chunk)
        };
        let first = self.texts.iter().min_by_key(order)?.clone();
        Some(Shown { fact: self.fact.clone(), members: self.members.clone(), first })
    }
}

/// The pairs in a scope that are doubtful as things stand: what is next to each other in time under one relation, and
/// what may say the same.
fn doubtful<H: Held>(after: &mut After<'_, H>, sayings: &Sayings, scope: &Scope) -> Doubtful {
    let mut pairs = Doubtful::new();
    let days = by_day(sayings);
    for (saying, own) in sayings {
        let mut near: Vec<&Saying> = Vec::new();
        if scope.has_relation(saying) {
            near = neighbours(&days, saying, own);
        }
        let mut repeats: Vec<&Saying> = Vec::new();
        if scope.has_relation(saying) || scope.has_ends(saying) {
            repeats.extend(sayings.keys().filter(|other| scope.has_repeat(saying, other)));
        }
        for near in [near, repeats] {
            let near = near.into_iter().filter_map(|other| sayings.get(other));
            let near: Vec<&Equals> = near.filter(|other| own.by_model || other.by_model).collect();
            if near.len() > MOST {
                after.pending.pass_over(own.fact.id, near.len() - MOST);
            }
            near.into_iter().take(MOST).for_each(|other| add(&mut pairs, own, other));
        }
    }
    pairs
}

/// Adds two sayings as they are asked about, the smaller id first. Most pairs are found from both their sides.
pub(super) fn add(pairs: &mut Doubtful, own: &Equals, other: &Equals) {
    let (one, other) = if own.fact.id < other.fact.id { (own, other) } else { (other, own) };
    if let Entry::Vacant(place) = pairs.entry((one.fact.id, other.fact.id))
        && let Some(shown) = one.shown().zip(other.shown())
    {
        place.insert(shown);
    }
}

/// What was said under one relation of a subject.
#[derive(Default)]
struct Said<'a> {
    /// When something began and, where its text says so, ended; sorted.
    days: Vec<(Timestamp, Option<Timestamp>, &'a Saying)>,
    /// How many values there are.
    values: usize,
}

/// By subject and relation.
type Days<'a> = BTreeMap<(NodeId, &'a str), Said<'a>>;

fn by_day(sayings: &Sayings) -> Days<'_> {
    let mut days: Days<'_> = BTreeMap::new();
    for (saying, equals) in sayings {
        let said = days.entry((saying.0, &saying.1)).or_default();
        let before = said.days.len();
        said.days.extend(
            equals.texts.iter().filter_map(|support| Some((begins(support)?, support.invalid_at, saying))),
        );
        said.values += usize::from(said.days.len() > before);
    }
    days.values_mut().for_each(|said| said.days.sort_unstable());
    days
}

/// What began on the days next to those on which a saying began, so that one may end the other; the nearest first.
fn neighbours<'a>(days: &Days<'a>, saying: &Saying, own: &Equals) -> Vec<&'a Saying> {
    let Some(Said { days, values }) = days.get(&(saying.0, saying.1.as_str())) else { return Vec::new() };
    let most = if *values > FEW { 1 } else { DAYS };
    let mut near: BTreeSet<(usize, &Saying)> = BTreeSet::new();
    for support in &own.texts {
        let Some(at) = begins(support) else { continue };
        let after = days[days.partition_point(|(day, ..)| *day <= at)..].iter();
        let ended = |next: Timestamp| support.invalid_at.is_some_and(|end| end <= next);
        let mut count = Distance::up_to(most);
        for (day, _, other) in after.filter(|(day, _, other)| may_contradict(saying, other) && !ended(*day)) {
            let Some(distance) = count.of(*day) else { break };
            near.insert((distance, other));
        }
        let before = days[..days.partition_point(|(day, ..)| *day < at)].iter().rev();
        let lasted = |end: &Option<Timestamp>| end.is_none_or(|end| end > at);
        let mut count = Distance::up_to(most);
        for (day, _, other) in before.filter(|(_, end, other)| may_contradict(saying, other) && lasted(end)) {
            let Some(distance) = count.of(*day) else { break };
            near.insert((distance, other));
        }
    }
    let mut seen = BTreeSet::new();
    near.into_iter().map(|(_, other)| other).filter(|other| seen.insert(*other)).collect()
}

/// Counts different days, up to as many as are looked at.
struct Distance {
    most: usize,
    days: usize,
    last: Option<Timestamp>,
}

impl Distance {
    fn up_to(most: usize) -> Self {
        Distance { most, days: 0, last: None }
    }

    fn of(&mut self, day: Timestamp) -> Option<usize> {
        if self.last != Some(day) {
            self.days += 1;
            self.last = Some(day);
        }
        (self.days <= self.most).then_some(self.days)
    }
}

/// Takes over what was found about a pair, or asks; it stands if the pair is doubtful now.
fn settle<H: Held>(
    after: &mut After<'_, H>,
    (one, other): &(Shown, Shown),
    stands: bool,
) -> Result<(), H::Error> {
    let mut left_open = false;
    for member in &one.members {
        let known = after.judgements(*member)?;
        let between =
            known.iter().filter(|known| other.members.contains(&known.a) || other.members.contains(&known.b));
        for known in between {
            match known.likeness {
                Likeness::Doubt => left_open = true,
                _ => return Ok(()),
            }
        }
    }
    let Some(model) = after.pending.model() else { return Ok(()) };
    let pair = Pair::Facts(one.fact.id, other.fact.id);
    let question = Question::new(model, pair, (side(after, one)?, side(after, other)?));
    let finding = after.pending.ask(Question { again: left_open, ..question });
    if finding.is_none() && left_open {
        return Ok(());
    }
    let (likeness, why) = match finding {
        Some(Finding::Duplicate) => (Likeness::Duplicate, format!("`{model}` finds that both say the same")),
        Some(Finding::Contradicts) => {
            (Likeness::Contradicts, format!("`{model}` finds that only one is true at a time"))
        }
        Some(_) => (Likeness::Unrelated, format!("`{model}` finds that both may be true")),
        None => (Likeness::Doubt, "nobody has answered yet what they are to each other".to_owned()),
    };
    after.judge(Judgement { a: one.fact.id, b: other.fact.id, likeness, why, stands });
    Ok(())
}

/// A statement in words that are the same whoever says it, with what speaks for it.
fn side<H: Held>(after: &After<'_, H>, shown: &Shown) -> Result<Side, H::Error> {
    let name = |node| Ok(after.node(node)?.map(|node| node.normal).unwrap_or_default());
    let object = match &shown.fact.object {
        Object::Named(node) => name(*node)?,
        Object::Value(value) => value.clone(),
    };
    let relation = shown.fact.relation.replace('_', " ");
    let first = &shown.first;
    Ok(Side {
        text: format!("{} {relation} {object}", name(shown.fact.subject)?),
        kind: String::new(),
        quote: first.sentence.clone(),
        since: begins(first),
        chunk: Some(first.chunk),
    })
}
