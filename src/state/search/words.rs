//! Facts and names by the question's words. The order follows from what whoever looks may read: which of the words a
//! fact or a name has, where, and how rare each is among the passages that he sees. How often a word stands in hidden
//! texts makes no row come, go or move.
//!
//! The indexes have the words of everybody. For a viewer they only propose: a row that may read otherwise to him is
//! derived and read again in his own index, the greatest promise first, until no promise that is left could be among
//! the best. Must not know what becomes of the rows.

use super::grounds::RowNumber;
use super::passages::Asked;
use super::scope::Scope;
use super::{Row, lengths};
use crate::error::Result;
use crate::state::State;
use knowledge::id::{FactId, NodeId};
use knowledge::rank::{self, pairs};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a word counts in a fact's own statement, and in what a card says (the page tree, who edited), where one in the
/// sentence counts 1: what people wrote comes first, and what it is about before how they put it.
const IN_STATEMENT: f64 = 2.0;
const ON_CARD: f64 = 0.2;
/// Words at which a row's weight is halved: what has the words that are asked for and no others comes before what has
/// them among many. A name is short, so each word counts more.
const HALF_A_NAME: f64 = 3.0;
const HALF_A_FACT: f64 = 100.0;
/// The least words of a statement: its subject's and its relation's.
const LEAST: u16 = 2;
/// Promises that are kept at once: what was derived is read again after each turn.
const AT_ONCE: usize = 40;
/// Rows that are looked at for one that passes a filter.
const FILTERED: usize = 2_000;
/// Passages in which the words that are looked up may stand, all together, even in a small wiki.
const LOOKED_UP: usize = 1_000;
/// Rows of an index that are read for one word: in a large graph a common one is in more, and weighs what comes first.
const READ: usize = 20_000;
/// Facts of an entity, and names of one word, that others may read under another name and that are looked at for that.
const RENAMED: usize = 1_000;

/// A word with its weight.
struct Weighed<'a> {
    asked: &'a Asked,
    weight: f64,
    /// Whether what has it may be found: it is among the rarest. A commoner one only counts for what has a rarer one
    /// too.
    proposes: bool,
}

/// A row in its place: the more it is worth the earlier, and then by id. Rows are numbered as they came, hidden ones
/// among them, so their numbers decide nothing.
type Worth = (f64, [u8; 16], RowNumber);

fn order(one: &Worth, other: &Worth) -> Ordering {
    other.0.total_cmp(&one.0).then(one.1.cmp(&other.1))
}

/// What is proposed, with the most it may be worth, and whether it may read otherwise for whoever looks.
struct Promise {
    worth: Worth,
    derive: bool,
}

/// How promises are kept: what derives rows, and what reads all rows that were derived by now.
struct Keeping<'a> {
    derive: &'a dyn Fn(&[RowNumber]) -> Result<()>,
    read: &'a dyn Fn() -> Result<Vec<Worth>>,
    admits: &'a dyn Fn(RowNumber) -> Result<bool>,
}

/// The best rows, at most so many.
fn keep(mut promises: Vec<Promise>, wanted: usize, keeping: &Keeping<'_>) -> Result<Vec<RowNumber>> {
    promises.sort_unstable_by(|one, other| order(&one.worth, &other.worth));
    let (mut sure, mut derived): (Vec<Worth>, Vec<Worth>) = (Vec::new(), Vec::new());
    let mut admitted: HashMap<RowNumber, bool> = HashMap::new();
    let step = wanted.max(AT_ONCE);
    for begin in (0..promises.len()).step_by(step) {
        let end = promises.len().min(begin + step);
        let (other, as_they_are): (Vec<&Promise>, Vec<&Promise>) =
            promises[begin..end].iter().partition(|promise| promise.derive);
        sure.extend(as_they_are.iter().map(|promise| promise.worth));
        if !other.is_empty() {
            (keeping.derive)(&other.iter().map(|promise| promise.worth.2).collect::<Vec<_>>())?;
            derived = (keeping.read)()?;
        }
        let mut all: Vec<Worth> = sure.iter().chain(&derived).copied().collect();
        all.sort_unstable_by(order);
        let next = promises.get(end).map(|promise| promise.worth);
        let certain = |worth: &Worth| next.is_none_or(|next| order(worth, &next).is_lt());
        let mut kept = Vec::new();
        for (place, (_, _, row)) in all.into_iter().take_while(certain).enumerate() {
            if place == FILTERED {
                return Ok(kept);
            }
            let passes = match admitted.get(&row) {
                Some(passes) => *passes,
                None => (keeping.admits)(row)?,
            };
            admitted.insert(row, passes);
            if passes {
                kept.push(row);
            }
            if kept.len() == wanted {
                break;
            }
        }
        if kept.len() == wanted || end == promises.len() {
            return Ok(kept);
        }
    }
    Ok(Vec::new())
}

/// The words that are looked up, with their weights: the rarest, which propose rows, and then the commoner ones as far
/// as they are not in too much; those first that propose.
fn weighed<'a>(asked: &'a [Asked], scope: &Scope) -> Vec<Weighed<'a>> {
    let passages = scope.passages();
    let common = pairs::frequent(passages);
    let counts: Vec<usize> = asked.iter().map(|asked| asked.seen.len()).collect();
    let proposing = rank::rarest(&counts, common);
    let weigh = |at: usize| {
        // A word that stands in no passage is one of the names of relations: how rare it is nobody knows.
        let with = if counts[at] == 0 { common } else { counts[at] };
        let proposes = proposing.contains(&at);
        Weighed { asked: &asked[at], weight: pairs::rarity(with, passages), proposes }
    };
    let mut words: Vec<_> = rank::rarest(&counts, common.max(LOOKED_UP)).into_iter().map(weigh).collect();
    words.sort_by_key(|word| !word.proposes);
    words
}

impl State {
    /// The facts that the words find and that `admits` lets pass, best first.
    pub(super) fn facts_by_words(
        &self,
        asked: &[Asked],
        (scope, wanted): (&Scope, usize),
        admits: &dyn Fn(RowNumber) -> Result<bool>,
    ) -> Result<Vec<Row>> {
        let words = weighed(asked, scope);
        let worths = counted(&words, |asked| self.facts_with(asked, ("main", scope)))?;
        let mut promises = Vec::new();
        for Counted { row, worth, has } in worths.iter().copied() {
            let derive = !scope.is_as_all_see(row);
            let length = || scope.grounds.fact(row).map_or(LEAST, |held| held.words);
            let most = match derive {
                true => may_be_worth(row, has, (&words, scope)),
                false => worth * share(length(), HALF_A_FACT),
            };
            promises.extend(promise(scope, row, most, derive));
        }
        if self.has_viewer() {
            let proposing = &words[..proposing(&words)];
            let mut known = HashSet::new();
            let mut is_new = |row: &RowNumber| find(&worths, *row).is_err() && known.insert(*row);
            let mut more = read_otherwise(proposing, scope);
            more.retain(&mut is_new);
            // What has no word that proposes was not looked at for the others: its statement may have them all.
            let most = |row: RowNumber| may_be_worth(row, common(&words), (&words, scope));
            promises.extend(more.into_iter().filter_map(|row| promise(scope, row, most(row), true)));
            let whole =
                words.iter().map(|word| word.weight).sum::<f64>() * IN_STATEMENT * share(LEAST, HALF_A_FACT);
            let mut more = self.facts_renamed(proposing, scope)?;
            more.retain(&mut is_new);
            promises.extend(more.into_iter().filter_map(|row| promise(scope, row, whole, true)));
        }
        let derive = |rows: &[RowNumber]| {
            // What stands for others may itself be hidden, and what it stands for is not.
            let members =
                |row: &RowNumber| std::iter::once(*row).chain(scope.grounds.folded(*row).iter().copied());
            let members = rows.iter().flat_map(members);
            let ids: Vec<FactId> = members.filter_map(|row| Some(scope.grounds.fact(row)?.id)).collect();
            self.bring_facts(&ids)
        };
        let read = || self.facts_read(&words, scope);
        let kept = keep(promises, wanted, &Keeping { derive: &derive, read: &read, admits })?;
        Ok(kept.into_iter().map(|row| Row::Fact(i64::from(row))).collect())
    }

    /// The facts that have a word in one of the two indexes, with what it counts there. Whether what was derived is
    /// wanted is looked at where all of it is known: others may be folded into it than are for all.
    fn facts_with(&self, asked: &Asked, (whose, scope): (&str, &Scope)) -> Result<Vec<(RowNumber, f64)>> {
        let find = |expression: &str| -> Result<Vec<RowNumber>> {
            let sql = format!("SELECT rowid FROM {whose}.fact_text WHERE fact_text MATCH ?1");
            self.places(&sql, expression, |row| whose == "temp" || scope.wants_shown(row))
        };
        let word = rank::phrase(&asked.term);
        let all = find(&word)?;
        let stated = find(&format!("statement : {word}"))?;
        let mut next = stated.iter().copied().peekable();
        let part = |row: RowNumber| {
            while next.next_if(|stated| *stated < row).is_some() {}
            match next.peek() == Some(&row) {
                true => IN_STATEMENT,
                false if scope.is_on_text(row) => 1.0,
                false => ON_CARD,
            }
        };
        Ok(all.iter().copied().zip(all.iter().copied().map(part)).collect())
    }

    /// The rows that an index has for an expression, as far as they are wanted, in their order.
    fn places(
        &self,
        sql: &str,
        expression: &str,
        wants: impl Fn(RowNumber) -> bool,
    ) -> Result<Vec<RowNumber>> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query([expression])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let row = RowNumber::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
            if wants(row) {
                found.push(row);
            }
            if found.len() == READ {
                break;
            }
        }
        Ok(found)
    }

    /// What was derived of facts, by the words that it has.
    fn facts_read(&self, words: &[Weighed<'_>], scope: &Scope) -> Result<Vec<Worth>> {
        let worths = counted(words, |asked| self.facts_with(asked, ("temp", scope)))?;
        let mut found = Vec::with_capacity(worths.len());
        for Counted { row, worth, .. } in
            worths.into_iter().filter(|counted| !scope.is_as_all_see(counted.row))
        {
            let Some(held) = scope.grounds.fact(row) else { continue };
            if self.fact_stands_as_seen(row, scope)? {
                let worth = worth * share(lengths::FACTS.derived(self, row)?, HALF_A_FACT);
                found.push((worth, *held.id.as_bytes(), row));
            }
        }
        Ok(found)
    }

    /// Whether a fact stands on what is wanted, with what is folded into it for whoever looks.
    pub(super) fn fact_stands_as_seen(&self, row: RowNumber, scope: &Scope) -> Result<bool> {
        if scope.is_as_all_see(row) {
            return Ok(scope.wants_fact(row));
        }
        let mut statement = self.connection().prepare_cached(
            "SELECT row FROM fact WHERE folded_into = (SELECT fact FROM fact WHERE row = ?1)",
        )?;
        let folded = statement.query_map([row], |row| row.get(0))?;
        let folded = folded.collect::<rusqlite::Result<Vec<RowNumber>>>()?;
        Ok(scope.stands(row) || folded.into_iter().any(|folded| scope.stands(folded)))
    }

    /// Facts at entities that whoever looks knows by another name, one that has a word.
    fn facts_renamed(&self, words: &[Weighed<'_>], scope: &Scope) -> Result<Vec<RowNumber>> {
        let mut entities = BTreeSet::new();
        let mut found = Vec::new();
        for word in words {
            // Those whose names have it for all, and those that a passage with it may call otherwise.
            let known = self.nodes_with(word.asked, ("main", scope))?.into_iter().map(|(row, _)| row);
            let known = known.chain(retitled(word, scope).collect::<BTreeSet<_>>());
            for row in known.filter(|row| !scope.is_called_as_all_see(*row)).take(RENAMED) {
                let Some(named) = scope.grounds.node(row) else { continue };
                self.place_nodes(&[named.id])?;
                match self.entity_of_node(named.id)? {
                    Some(entity) if entities.insert(entity) && self.is_named_otherwise(entity)? => {
                        found.extend(self.places_of_facts(
                            "SELECT f.row FROM temp.node n JOIN main.fact f ON f.subject = n.node OR f.object = n.node
                             WHERE n.entity = ?1",
                            (entity.0, scope),
                        )?);
                    }
                    Some(_) => {}
                    // Nothing says it any more; for others it may go by another name.
                    None => found.extend(self.places_of_facts(
                        "SELECT row FROM main.fact WHERE subject = ?1 OR object = ?1",
                        (named.id, scope),
                    )?),
                }
            }
        }
        let shown = |row: RowNumber| scope.grounds.fact(row).map(|held| held.shown);
        let shown = found.into_iter().filter_map(shown).filter(|row| scope.wants_fact(*row));
        Ok(shown.collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Of these facts the first that may be seen: how many others are hidden makes no difference.
    fn places_of_facts(&self, sql: &str, (of, scope): (NodeId, &Scope)) -> Result<Vec<RowNumber>> {
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows = statement.query_map([of.as_bytes()], |row| row.get(0))?;
        let seen = rows.filter(|row| row.as_ref().map_or(true, |row| scope.sees_fact(*row)));
        Ok(seen.take(RENAMED).collect::<rusqlite::Result<_>>()?)
    }

    /// The names that the words find and that `admits` lets pass, best first.
    pub(super) fn nodes_by_words(
        &self,
        asked: &[Asked],
        (scope, wanted): (&Scope, usize),
        admits: &dyn Fn(RowNumber) -> Result<bool>,
    ) -> Result<Vec<Row>> {
        let words = weighed(asked, scope);
        let mut worths = counted(&words, |asked| self.nodes_with(asked, ("main", scope)))?;
        if self.has_viewer() {
            let proposing = words.iter().filter(|word| word.proposes);
            let retitled: BTreeSet<RowNumber> = proposing.flat_map(|word| retitled(word, scope)).collect();
            let more = retitled.into_iter().filter(|row| find(&worths, *row).is_err());
            let more: Vec<Counted> = more.map(|row| Counted { row, worth: 0.0, has: 0 }).collect();
            worths.extend(more);
        }
        let promise = |Counted { row, worth, has }| {
            let named = scope.grounds.node(row)?;
            let derive = !scope.is_named_as_all_see(row);
            let most = match derive {
                true => may_be_called(row, has | common(&words), (&words, scope)) * share(1, HALF_A_NAME),
                false => worth * share(named.words, HALF_A_NAME),
            };
            Some(Promise { worth: (most, *named.id.as_bytes(), row), derive })
        };
        let promises = worths.into_iter().filter_map(promise).collect();
        let derive = |rows: &[RowNumber]| {
            let ids: Vec<NodeId> = rows.iter().filter_map(|row| Some(scope.grounds.node(*row)?.id)).collect();
            self.bring_nodes(&ids)
        };
        let read = || self.nodes_read(&words, scope);
        let kept = keep(promises, wanted, &Keeping { derive: &derive, read: &read, admits })?;
        Ok(kept.into_iter().map(|row| Row::Node(i64::from(row))).collect())
    }

    /// The names that have a word in one of the two indexes, each for one.
    fn nodes_with(&self, asked: &Asked, (whose, scope): (&str, &Scope)) -> Result<Vec<(RowNumber, f64)>> {
        let sql = format!("SELECT rowid FROM {whose}.node_text WHERE node_text MATCH ?1");
        let found = self.places(&sql, &rank::phrase(&asked.term), |row| scope.wants_node(row))?;
        Ok(found.into_iter().map(|row| (row, 1.0)).collect())
    }

    /// What was derived of names, by the words that it has.
    fn nodes_read(&self, words: &[Weighed<'_>], scope: &Scope) -> Result<Vec<Worth>> {
        let worths = counted(words, |asked| self.nodes_with(asked, ("temp", scope)))?;
        let mut found = Vec::with_capacity(worths.len());
        for Counted { row, worth, .. } in worths {
            let Some(named) = scope.grounds.node(row).filter(|_| !scope.is_named_as_all_see(row)) else {
                continue;
            };
            let worth = worth * share(lengths::NAMES.derived(self, row)?, HALF_A_NAME);
            found.push((worth, *named.id.as_bytes(), row));
        }
        Ok(found)
    }
}

/// How many words propose; they stand before the others.
fn proposing(words: &[Weighed<'_>]) -> usize {
    words.iter().filter(|word| word.proposes).count()
}

/// The places of the words that only weigh, as bits. A question has far fewer words than bits (`rank::QUERY_TERMS`).
fn common(words: &[Weighed<'_>]) -> u32 {
    (proposing(words)..words.len()).fold(0, |bits, at| bits | 1 << at)
}

/// A row with the words of a question that it has: what they are worth together, and which.
#[derive(Clone, Copy)]
struct Counted {
    row: RowNumber,
    worth: f64,
    has: u32,
}

/// The rows that have any of the words that propose, in their order, by what `with` finds for each and what the word
/// counts there.
fn counted(
    words: &[Weighed<'_>],
    with: impl Fn(&Asked) -> Result<Vec<(RowNumber, f64)>>,
) -> Result<Vec<Counted>> {
    let mut rows: Vec<Counted> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let known = rows.len();
        let mut from = 0;
        for (row, part) in with(word.asked)? {
            let (worth, has) = (word.weight * part, 1 << at);
            while from < known && rows[from].row < row {
                from += 1;
            }
            match rows[..known].get_mut(from).filter(|counted| counted.row == row) {
                Some(counted) => {
                    counted.worth += worth;
                    counted.has |= has;
                }
                None if word.proposes => rows.push(Counted { row, worth, has }),
                None => {}
            }
        }
        rows.sort_by_key(|counted| counted.row);
    }
    Ok(rows)
}

fn find(rows: &[Counted], row: RowNumber) -> std::result::Result<usize, usize> {
    rows.binary_search_by_key(&row, |counted| counted.row)
}

/// What a passage with a word speaks of and what has a title: it may have another one for whoever looks.
fn retitled<'a>(word: &'a Weighed<'_>, scope: &'a Scope) -> impl Iterator<Item = RowNumber> + 'a {
    let spoken = word.asked.seen.iter().flat_map(move |passage| scope.grounds.speaks(*passage)).copied();
    let has_title = move |row: &RowNumber| scope.grounds.node(*row).is_some_and(|named| named.has_titles);
    spoken.filter(has_title).filter(move |row| !scope.is_named_as_all_see(*row))
}

/// The most that a name may be worth which is another for whoever looks: `known` are the words that it has for all;
/// what pages call otherwise has the words of a passage that speaks of it, and what is joined with others any.
fn may_be_called(row: RowNumber, known: u32, (words, scope): (&[Weighed<'_>], &Scope)) -> f64 {
    let joined = scope.grounds.node(row).is_none_or(|named| named.kin.is_some());
    let has = |(at, word): &(usize, &Weighed<'_>)| {
        let mut spoken = scope.grounds.spoken(row).iter();
        joined || known & (1 << at) != 0 || spoken.any(|passage| word.asked.may_stand_in(*passage))
    };
    words.iter().enumerate().filter(has).map(|(_, word)| word.weight).sum()
}

/// What is left of the weight of a row of so many words, where `half` of them halve it.
fn share(words: u16, half: f64) -> f64 {
    half / (half + f64::from(words))
}

fn promise(scope: &Scope, row: RowNumber, worth: f64, derive: bool) -> Option<Promise> {
    let held = scope.grounds.fact(row)?;
    Some(Promise { worth: (worth, *held.id.as_bytes(), row), derive })
}

/// The most that a fact may be worth which reads otherwise for whoever looks: `known` are the words that it has for
/// all, a word of a passage that it stands on may be in the sentence or the names that he reads, and any word in a name
/// that was joined with others.
fn may_be_worth(row: RowNumber, known: u32, (words, scope): (&[Weighed<'_>], &Scope)) -> f64 {
    let Some(held) = scope.grounds.fact(row) else { return 0.0 };
    let members = || std::iter::once(row).chain(scope.grounds.folded(row).iter().copied());
    let mut ends = members().filter_map(|row| scope.grounds.fact(row)).flat_map(|held| held.ends).flatten();
    let may_be_joined = |end: RowNumber| {
        !scope.is_called_as_all_see(end) && scope.grounds.node(end).is_some_and(|named| named.kin.is_some())
    };
    let judged = members().any(|row| scope.grounds.fact(row).is_some_and(|held| held.judged));
    // What pages call otherwise has the words of whatever speaks of it, which need not be what the fact stands on.
    let titled = |end: &RowNumber| {
        !scope.is_called_as_all_see(*end) && scope.grounds.node(*end).is_some_and(|named| named.has_titles)
    };
    let titled: Vec<RowNumber> = ends.clone().filter(titled).collect();
    let joined = judged || ends.any(may_be_joined);
    let has = |(at, word): &(usize, &Weighed<'_>)| {
        let mut stands = members().flat_map(|row| scope.grounds.stands(row));
        let mut spoken = titled.iter().flat_map(|end| scope.grounds.spoken(*end));
        joined
            || known & (1 << at) != 0
            || stands.any(|(passage, _)| word.asked.may_stand_in(passage))
            || spoken.any(|passage| word.asked.may_stand_in(*passage))
    };
    let weights = words.iter().enumerate().filter(has).map(|(_, word)| word.weight).sum::<f64>();
    // What stands on cards alone for all that he may see says nothing in a sentence.
    let part = if judged || members().any(|row| scope.is_on_text(row)) { IN_STATEMENT } else { ON_CARD };
    let is_worded_so = !judged
        && scope.grounds.folded(row).is_empty()
        && held.ends.iter().flatten().all(|end| scope.is_called_as_all_see(*end));
    weights * part * share(if is_worded_so { held.words.max(LEAST) } else { LEAST }, HALF_A_FACT)
}

/// Facts that stand on a passage with one of the words and may read otherwise for whoever looks, in their order.
fn read_otherwise(words: &[Weighed<'_>], scope: &Scope) -> Vec<RowNumber> {
    let passages = words.iter().flat_map(|word| &word.asked.seen);
    let told = passages.flat_map(|passage| scope.grounds.told(*passage));
    let shown = told.filter_map(|fact| Some(scope.grounds.fact(*fact)?.shown));
    let may = |row: &RowNumber| !scope.is_as_all_see(*row) && scope.wants_fact(*row);
    let mut found: Vec<RowNumber> = shown.filter(may).collect();
    found.sort_unstable();
    found.dedup();
    found
}
