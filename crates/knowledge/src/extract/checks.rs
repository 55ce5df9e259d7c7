//! What is believed of an answer about one chunk. It must not know other chunks. Invariants: a name that is kept stands
//! in the chunk or in its headings, a sentence that is kept is a piece of the chunk, a claim's ends are two different
//! things that are kept, and nothing is said twice.

use crate::extract::answers::whole_number;
use crate::extract::dates::{self, Span};
use crate::extract::plain::Plain;
use crate::extract::prompts::{ENTITIES, FACTS, NAME_CHARS, QUOTE_CHARS};
use crate::extract::vocabulary::{RELATES_TO, SAME_AS, Vocabulary, snake};
use crate::extract::{Asked, Witness};
use crate::graph::{Claim, Extractor, Key, Kind, Mention, Object, Reading};
use crate::id::PersonKey;
use crate::resolve::normalise;
use crate::structure::issue;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Longest relation, as rules have them.
const RELATION_CHARS: usize = 40;
/// Words of an end's name that are long enough to show that a quote speaks of it.
const TELLING_CHARS: usize = 3;

/// Words that stand for a name and are none.
#[rustfmt::skip]
const PRONOUNS: &[&str] = &[
    "it", "its", "he", "she", "they", "them", "we", "us", "our", "you", "your", "i", "me", "this", "that", "these",
    "those", "here", "there", "who", "which", "what", "someone", "everyone", "null", "none", "unknown", "n/a",
];

/// Why a part of an answer was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is not what the schema asks for.
    Shape,
    /// It is no name: empty, a pronoun, a number, or too long.
    Name,
    /// The name stands neither in the chunk nor in its headings.
    NameNotThere,
    /// There are more entities or facts than a chunk can hold.
    TooMany,
    /// An end of the fact is not among the entities.
    End,
    /// Both ends are the same.
    Loop,
    /// It was said before.
    Repeat,
    /// The relation is no name.
    Relation,
    /// There is no quote, or more than a sentence.
    Quote,
    /// The quote does not stand in the chunk.
    QuoteNotThere,
    /// The quote speaks of neither end, or not of both where it must.
    QuoteElsewhere,
    /// The value does not stand in the quote.
    Value,
    /// A date was left out: nothing in the chunk speaks of it. The fact itself stands.
    Date,
}

impl Refusal {
    /// Whether a fact was lost by it, and not a name.
    fn is_of_a_fact(self) -> bool {
        use Refusal::{End, Loop, Quote, QuoteElsewhere, QuoteNotThere, Relation, Value};
        matches!(self, End | Loop | Relation | Quote | QuoteNotThere | QuoteElsewhere | Value)
    }

    /// In words.
    pub fn why(self) -> &'static str {
        match self {
            Refusal::Shape => "not of the schema",
            Refusal::Name => "not a name",
            Refusal::NameNotThere => "name not in the chunk",
            Refusal::TooMany => "too many for a chunk",
            Refusal::End => "subject or object not among the entities",
            Refusal::Loop => "subject and object are the same",
            Refusal::Repeat => "said before",
            Refusal::Relation => "not a relation",
            Refusal::Quote => "no quote",
            Refusal::QuoteNotThere => "quote not in the chunk",
            Refusal::QuoteElsewhere => "quote does not speak of subject and object",
            Refusal::Value => "value not in the quote",
            Refusal::Date => "date not in the chunk",
        }
    }
}

/// A chunk, ready to be searched.
pub(super) struct Text<'a> {
    asked: &'a Asked,
    text: Plain,
    headings: String,
    path: Plain,
}

impl<'a> Text<'a> {
    pub fn of(asked: &'a Asked) -> Self {
        let headings = asked.path.join("\n");
        Text { asked, text: Plain::of(&asked.text), path: Plain::of(&headings), headings }
    }

    /// A name as it is written here: as the model has it if that is one way, or else as the text has it; none where it
    /// stands nowhere.
    fn spelled(&self, name: &str) -> Option<String> {
        let plain = Plain::of(name);
        let texts = [(&self.text, &self.asked.text), (&self.path, &self.headings)];
        let mut places = texts.iter().filter_map(|(plain_text, source)| {
            plain_text.find_words(&plain).map(|place| tidy(&source[place]))
        });
        // What stands in a link's target alone, such as a ticket's key, is there too, but only as it is.
        let spelled = places.next().or_else(|| stands(&self.asked.text, name).then(|| name.to_owned()))?;
        let exact = texts.iter().any(|(_, source)| source.contains(name));
        // Where a link stands inside a name, the source holds its target as well.
        Some(if exact || spelled.contains("](") { name.to_owned() } else { spelled })
    }

    /// The person whose key is written so here.
    fn person(&self, name: &str) -> Option<PersonKey> {
        let key = name.strip_prefix("@{").and_then(|rest| rest.strip_suffix('}'))?;
        let stands = |text: &String| text.contains(name);
        (stands(&self.asked.text) || stands(&self.headings)).then(|| PersonKey::new(key))
    }
}

/// What words mean, and who says so.
pub(super) struct Terms<'a> {
    pub vocabulary: &'a Vocabulary,
    pub witness: Witness<'a>,
}

/// Whether a text holds a name, letter by letter and as whole words.
fn stands(text: &str, name: &str) -> bool {
    let joins = |outer: Option<char>| outer.is_some_and(char::is_alphanumeric);
    let whole =
        |at: usize| !joins(text[..at].chars().next_back()) && !joins(text[at + name.len()..].chars().next());
    !name.is_empty() && text.match_indices(name).any(|(at, _)| whole(at))
}

/// As many refusals in one chunk are a habit.
const MANY: usize = 4;

/// What is believed.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub reading: Reading,
    /// By the index of the claim.
    pub wordings: Vec<(u32, String)>,
    pub refused: Vec<Refusal>,
}

impl Checked {
    /// Why this is worth asking about again: several things were said, and none of them, or no fact, can be believed.
    /// A few that cannot be found in the text word by word are the ordinary price of a model; many are a habit that
    /// may pass when it is named.
    pub fn fault(&self) -> Option<String> {
        let serious =
            |refusal: &&Refusal| !matches!(refusal, Refusal::Repeat | Refusal::Date | Refusal::TooMany);
        let mut counts: BTreeMap<Refusal, usize> = BTreeMap::new();
        for refusal in self.refused.iter().filter(serious) {
            *counts.entry(*refusal).or_default() += 1;
        }
        let (worst, _) = counts.into_iter().max_by_key(|(refusal, count)| (*count, *refusal))?;
        let nothing = self.reading.mentions.is_empty() && self.refused.len() >= MANY;
        let facts = self.refused.iter().filter(|refusal| refusal.is_of_a_fact()).count();
        let no_fact = self.reading.claims.is_empty() && (nothing || facts >= MANY);
        no_fact.then(|| format!("nothing could be used of a chunk ({})", worst.why()))
    }
}

/// What is believed of `said` about a chunk; not even a list is an error.
pub(super) fn check(text: &Text, said: &Map<String, Value>, terms: &Terms) -> Result<Checked, String> {
    let entities = list(said, "entities")?;
    let facts = list(said, "facts")?;
    if entities.is_none() && facts.is_none() {
        return Err("the answer has neither entities nor facts for a chunk".to_owned());
    }
    let mut refused = Vec::new();
    let ends = named(text, entities.unwrap_or_default(), terms.vocabulary, &mut refused);
    let mut checked = stated(text, facts.unwrap_or_default(), (&ends, terms), &mut refused);
    checked.reading.mentions = ends.mentions;
    checked.refused = refused;
    Ok(checked)
}

/// A list by name; none where it is missing, an error where there is something else in its place.
pub(super) fn list<'v>(said: &'v Map<String, Value>, name: &str) -> Result<Option<&'v [Value]>, String> {
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(format!("`{name}` of a chunk is no list")),
    }
}

/// The things a chunk speaks of.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub mentions: Vec<Mention>,
    /// What each place in the model's list came to.
    places: Vec<Meant>,
    by_name: BTreeMap<String, u32>,
}

/// What a model means by an end of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    /// A mention.
    Thing(u32),
    /// Words that are no name: a date, an amount, a description.
    Words(String),
}

impl Ends {
    /// Things that were read before.
    pub fn of(mentions: &[Mention]) -> Ends {
        let mut ends = Ends::default();
        for mention in mentions {
            let place = ends.add(mention.clone());
            ends.places.push(Meant::Thing(place));
        }
        ends
    }

    /// Adds a thing, or finds it; the kind that tells more stands.
    fn add(&mut self, mention: Mention) -> u32 {
        let name = spoken(&mention);
        let next = u32::try_from(self.mentions.len()).unwrap_or(u32::MAX);
        let place = *self.by_name.entry(normalise(&name)).or_insert(next);
        if place == next {
            self.mentions.push(mention);
        } else if let Some(known) = self.mentions.get_mut(place as usize)
            && known.kind == Kind::THING
        {
            known.kind = mention.kind;
        }
        place
    }

    /// What is meant by a place in the list, or by a name.
    fn find(&self, end: &Value) -> Option<Meant> {
        let by_place = || self.places.get(whole_number(end)?).cloned();
        let Some(words) = end.as_str() else { return by_place() };
        let by_name = self.by_name.get(&normalise(&tidy(words))).copied().map(Meant::Thing);
        by_name.or_else(by_place).or_else(|| Some(Meant::Words(words.to_owned())))
    }

    fn thing(&self, end: &Value) -> Option<u32> {
        match self.find(end)? {
            Meant::Thing(place) => Some(place),
            Meant::Words(_) => None,
        }
    }

    fn name(&self, place: u32) -> String {
        self.mentions.get(place as usize).map(spoken).unwrap_or_default()
    }

    fn kind(&self, place: u32) -> Kind {
        self.mentions.get(place as usize).map_or(Kind::THING, |mention| mention.kind.clone())
    }
}

/// How the chunk writes a thing.
pub(super) fn spoken(mention: &Mention) -> String {
    match &mention.key {
        Some(Key::Person(key)) => format!("@{{{key}}}"),
        _ => mention.name.clone(),
    }
}

/// The entities that are believed.
pub(super) fn named(
    text: &Text,
    entities: &[Value],
    vocabulary: &Vocabulary,
    refused: &mut Vec<Refusal>,
) -> Ends {
    let mut ends = Ends::default();
    for entity in &entities[..entities.len().min(ENTITIES)] {
        let place = match mention(text, entity, vocabulary) {
            Ok(mention) => Meant::Thing(ends.add(mention)),
            Err(refusal) => {
                refused.push(refusal);
                let name = entity.get("name").unwrap_or(entity).as_str();
                Meant::Words(name.unwrap_or_default().to_owned())
            }
        };
        ends.places.push(place);
    }
    refused.extend(entities.iter().skip(ENTITIES).map(|_| Refusal::TooMany));
    ends
}

fn mention(text: &Text, entity: &Value, vocabulary: &Vocabulary) -> Result<Mention, Refusal> {
    let (name, kind) = match entity {
        Value::String(name) => (name.as_str(), ""),
        Value::Object(entity) => (
            entity.get("name").and_then(Value::as_str).ok_or(Refusal::Shape)?,
            entity.get("type").and_then(Value::as_str).unwrap_or_default(),
        ),
        _ => return Err(Refusal::Shape),
    };
    let name = tidy(name);
    if let Some(key) = text.person(&name) {
        let name = key.as_str().to_owned();
        return Ok(Mention { name, kind: Kind::PERSON, key: Some(Key::Person(key)) });
    }
    let normal = normalise(&name);
    let chars = normal.chars().count();
    let good = (2..=NAME_CHARS).contains(&chars)
        && normal.contains(char::is_alphabetic)
        && !PRONOUNS.contains(&normal.as_str());
    if !good {
        return Err(Refusal::Name);
    }
    let name = text.spelled(&name).ok_or(Refusal::NameNotThere)?;
    let kind = vocabulary.kind(kind);
    let ticket = (kind == Kind::THING || kind == Kind::ISSUE).then(|| issue(&name)).flatten();
    Ok(ticket.unwrap_or(Mention { name, kind, key: None }))
}

/// A name without the marks a model puts around it.
fn tidy(name: &str) -> String {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = words.chars().filter(|c| !matches!(c, '*' | '`' | '\\')).collect();
    let marks = |c: char| matches!(c, '"' | '\'' | '“' | '”' | '‘' | '’' | ' ' | ',' | ';' | ':');
    plain.trim_matches(marks).to_owned()
}

/// The claims that are believed.
pub(super) fn stated(
    text: &Text,
    facts: &[Value],
    (ends, terms): (&Ends, &Terms),
    refused: &mut Vec<Refusal>,
) -> Checked {
    let mut checked = Checked::default();
    let mut said = BTreeSet::new();
    for fact in &facts[..facts.len().min(FACTS)] {
        let stated = match statement(text, fact, ends, terms) {
            Ok(stated) => stated,
            Err(refusal) => {
                refused.push(refusal);
                continue;
            }
        };
        if stated.date_refused {
            refused.push(Refusal::Date);
        }
        let claim = stated.claim;
        let twin = |subject, object| (subject, claim.relation.clone(), object);
        let there = twin(claim.subject, claim.object.clone());
        // The same sentence read from both ends is one statement.
        let back = match &claim.object {
            Object::Named(object) => said.contains(&(
                twin(*object, Object::Named(claim.subject)),
                claim.valid_at,
                Some(claim.sentence.clone()),
            )),
            Object::Value(_) => false,
        };
        if back || !said.insert((there.clone(), claim.valid_at, None)) {
            refused.push(Refusal::Repeat);
            continue;
        }
        said.insert((there, claim.valid_at, Some(claim.sentence.clone())));
        let index = u32::try_from(checked.reading.claims.len()).unwrap_or(u32::MAX);
        checked.wordings.extend(stated.wording.map(|wording| (index, wording)));
        checked.reading.claims.push(claim);
    }
    refused.extend(facts.iter().skip(FACTS).map(|_| Refusal::TooMany));
    checked
}

/// A claim, with what else is known of it.
struct Stated {
    claim: Claim,
    wording: Option<String>,
    date_refused: bool,
}

fn statement(text: &Text, fact: &Value, ends: &Ends, terms: &Terms) -> Result<Stated, Refusal> {
    let fact = fact.as_object().ok_or(Refusal::Shape)?;
    let word = |name: &str| fact.get(name).and_then(Value::as_str);
    let given = relation(word("relation").ok_or(Refusal::Shape)?)?;
    let subject = ends.thing(fact.get("subject").ok_or(Refusal::Shape)?).ok_or(Refusal::End)?;
    let end = fact.get("object").ok_or(Refusal::Shape)?;
    let (quote, sentence) = match word("quote") {
        None if !terms.witness.quotes => (Plain::of(&text.asked.text), String::new()),
        given => quoted(text, given.unwrap_or_default())?,
    };
    let attribute = terms.vocabulary.has_attribute(&ends.kind(subject), &given);
    let meant = match end.as_str().filter(|_| attribute) {
        Some(value) => Meant::Words(value.to_owned()),
        None => ends.find(end).ok_or(Refusal::End)?,
    };
    let same = given == SAME_AS;
    let (relation, object, single) = match meant {
        Meant::Words(_) if same => return Err(Refusal::End),
        Meant::Words(value) => {
            let value = valued(&value, &quote)?;
            if normalise(&value) == normalise(&ends.name(subject)) {
                return Err(Refusal::Loop);
            }
            let kinds = [ends.kind(subject), Kind::THING];
            let (relation, single) = if attribute { (given, true) } else { in_terms(given, &kinds, terms) };
            (relation, Object::Value(value), single)
        }
        Meant::Thing(object) if object == subject => return Err(Refusal::Loop),
        Meant::Thing(object) => {
            speaks_of(&quote, &[subject, object].map(|end| ends.name(end)), same)?;
            let (relation, single) = in_terms(given, &[subject, object].map(|end| ends.kind(end)), terms);
            (relation, Object::Named(object), single)
        }
    };
    let wording = word("fact").map(str::trim).unwrap_or_default();
    let tense = format!("{} {wording}", quote.text());
    let Span { valid_at, invalid_at, refused } =
        dates::span(word("valid_at"), word("invalid_at"), &tense, text.asked);
    let named = |end: &Object<u32>| match end {
        Object::Named(end) => Plain::of(wording).says(&Plain::of(&ends.name(*end))),
        Object::Value(value) => Plain::of(wording).says(&Plain::of(value)),
    };
    let full = named(&Object::Named(subject)) && named(&object) && wording.chars().count() <= QUOTE_CHARS;
    let claim = Claim {
        subject,
        relation,
        object,
        sentence,
        valid_at,
        invalid_at,
        single,
        extractor: Extractor::Model(terms.witness.model.to_owned()),
    };
    Ok(Stated { claim, wording: full.then(|| wording.to_owned()), date_refused: refused })
}

/// A quote with the piece of the chunk that it is.
fn quoted(text: &Text, given: &str) -> Result<(Plain, String), Refusal> {
    let quote = quote(given)?;
    // A quote that begins or ends inside a link reads otherwise than the whole, and is a piece of the chunk too.
    let copied = given.trim();
    let copied = || text.asked.text.find(copied).map(|at| at..at + copied.len());
    let mut place = text.text.find(&quote).or_else(copied).ok_or(Refusal::QuoteNotThere)?;
    place.end += usize::from(text.asked.text[place.end..].starts_with(['.', '!', '?']));
    Ok((quote, text.asked.text[place].to_owned()))
}

/// A relation in its one form.
fn relation(given: &str) -> Result<String, Refusal> {
    let name = snake(given);
    let good = name.starts_with(char::is_alphabetic) && (2..=RELATION_CHARS).contains(&name.chars().count());
    good.then_some(name).ok_or(Refusal::Relation)
}

/// A relation as the vocabulary knows it, and whether there is one at a time.
fn in_terms(given: String, kinds: &[Kind; 2], terms: &Terms) -> (String, bool) {
    match terms.vocabulary.relation(&given) {
        None => (given, false),
        Some(known) if known.fits(&kinds[0], &kinds[1]) => (known.name.clone(), known.single),
        Some(_) => (RELATES_TO.to_owned(), false),
    }
}

/// A quote, ready to be looked for. Models put dots where they leave something out at an end, and a full stop where
/// the text goes on.
fn quote(given: &str) -> Result<Plain, Refusal> {
    let dots = |c: char| c.is_whitespace() || matches!(c, '.' | '…' | '"' | '“' | '”' | ',' | ';');
    let plain = Plain::of(given.trim_matches(dots));
    let chars = plain.text().chars().count();
    match (TELLING_CHARS..=QUOTE_CHARS).contains(&chars) {
        true => Ok(plain),
        false => Err(Refusal::Quote),
    }
}

/// A value that stands in its quote.
fn valued(value: &str, quote: &Plain) -> Result<String, Refusal> {
    let value = tidy(value);
    let good = (1..=NAME_CHARS).contains(&value.chars().count()) && quote.says(&Plain::of(&value));
    good.then_some(value).ok_or(Refusal::Value)
}

/// A quote must hold a telling word of one end at least, or else anything could be hung on any sentence; and both
/// names in full where two things are said to be one, since nothing harms a graph like a wrong merge.
fn speaks_of(quote: &Plain, names: &[String; 2], of_both: bool) -> Result<(), Refusal> {
    let holds = |name: &String| {
        let name = Plain::of(name);
        let mut words = name.text().split(|c: char| !c.is_alphanumeric());
        quote.says(&name) || !of_both && words.any(|word| tells(word) && quote.text().contains(word))
    };
    let good = match of_both {
        true => names.iter().all(holds),
        false => names.iter().any(holds),
    };
    good.then_some(()).ok_or(Refusal::QuoteElsewhere)
}

fn tells(word: &str) -> bool {
    word.chars().count() >= TELLING_CHARS && !PRONOUNS.contains(&word)
}
