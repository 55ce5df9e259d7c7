//! The query language of search, as far as programs that read a wiki use it. Dates are read in the time zone of whoever
//! asks and compared to the minute. It must not know how results are written down.

use super::exchange::Refusal;
use super::site::{Content, ContentId, Edition, Site, Status, UserId};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A query that was understood.
#[derive(Clone, Debug)]
pub struct Query {
    condition: Condition,
    /// By what results are sorted: field, and whether the largest comes first.
    order: Vec<(String, bool)>,
}

#[derive(Clone, Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Field { name: String, sign: String, values: Vec<String> },
    Anything,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(String),
}

impl Query {
    /// Whether the largest comes first.
    pub fn descends(&self) -> bool {
        self.order.first().is_some_and(|(_, descending)| *descending)
    }
}

/// Reads a query.
pub fn read(text: &str) -> Result<Query, Refusal> {
    let unread = |why: String| Refusal::new(400, format!("Could not parse cql : {text}: {why}"));
    let tokens = tokens(text).map_err(unread)?;
    let mut reader = Reader { tokens: &tokens, at: 0 };
    let condition = match reader.is_word("order") || tokens.is_empty() {
        true => Condition::Anything,
        false => reader.any().map_err(unread)?,
    };
    let order = reader.order().map_err(unread)?;
    if reader.at < tokens.len() {
        return Err(unread(format!("unexpected {:?}", tokens[reader.at])));
    }
    Ok(Query { condition, order })
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first == '"' || first == '\'' {
            quoted(rest, first)?
        } else if let Some(sign) = ["!=", "!~", ">=", "<="].iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign((*sign).to_owned()), 2)
        } else if "=<>~(),".contains(first) {
            (Token::Sign(first.to_string()), 1)
        } else {
            let end =
                rest.find(|c: char| c.is_whitespace() || "=<>~(),!\"'".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("unexpected `{first}`"));
            }
            (Token::Word(rest[..end].to_owned()), end)
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match (escaped, c) {
            (false, '\\') => escaped = true,
            (false, c) if c == quote => return Ok((Token::Quoted(text), at + 1)),
            _ => {
                text.push(c);
                escaped = false;
            }
        }
    }
    Err("a quotation has no end".to_owned())
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn is_word(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let takes = self.is_word(word);
        self.at += usize::from(takes);
        takes
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let takes = self.tokens.get(self.at) == Some(&Token::Sign(sign.to_owned()));
        self.at += usize::from(takes);
        takes
    }

    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.one()?];
        while self.takes_word("and") {
            parts.push(self.one()?);
        }
        Ok(Condition::All(parts))
    }

    fn one(&mut self) -> Result<Condition, String> {
        if self.takes_word("not") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.takes_sign("(") {
            let inner = self.any()?;
            return if self.takes_sign(")") { Ok(inner) } else { Err("a bracket has no end".to_owned()) };
        }
        let name = self.value()?.to_lowercase();
        if self.takes_word("not") {
            return match self.takes_word("in") {
                true => Ok(Condition::Not(Box::new(self.values_of(name)?))),
                false => Err("`not` without `in`".to_owned()),
            };
        }
        if self.takes_word("in") {
            return self.values_of(name);
        }
        let Some(Token::Sign(sign)) = self.tokens.get(self.at).cloned() else {
            return Err(format!("no operator after `{name}`"));
        };
        if !["=", "!=", "~", "!~", ">", "<", ">=", "<="].contains(&sign.as_str()) {
            return Err(format!("`{sign}` is no operator"));
        }
        self.at += 1;
        let values = vec![self.value()?];
        known_field(&name)?;
        Ok(match sign.strip_prefix('!') {
            Some(sign) => Condition::Not(Box::new(Condition::Field { name, sign: sign.to_owned(), values })),
            None => Condition::Field { name, sign, values },
        })
    }

    fn values_of(&mut self, name: String) -> Result<Condition, String> {
        known_field(&name)?;
        if !self.takes_sign("(") {
            return Err("`in` wants brackets".to_owned());
        }
        let mut values = vec![self.value()?];
        while self.takes_sign(",") {
            values.push(self.value()?);
        }
        match self.takes_sign(")") {
            true => Ok(Condition::Field { name, sign: "=".to_owned(), values }),
            false => Err("a bracket has no end".to_owned()),
        }
    }

    /// A word, a quotation, or a function with what is in its brackets.
    fn value(&mut self) -> Result<String, String> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Quoted(text)) => Ok(text),
            Some(Token::Word(word)) if self.takes_sign("(") => {
                let inner = match self.tokens.get(self.at) {
                    Some(Token::Quoted(inner) | Token::Word(inner)) => inner.clone(),
                    _ => String::new(),
                };
                self.at += usize::from(!inner.is_empty());
                match self.takes_sign(")") {
                    true => Ok(format!("{word}({inner})")),
                    false => Err("a bracket has no end".to_owned()),
                }
            }
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("a value was expected, not {other:?}")),
        }
    }

    fn order(&mut self) -> Result<Vec<(String, bool)>, String> {
        let mut order = Vec::new();
        if !self.takes_word("order") {
            return Ok(order);
        }
        if !self.takes_word("by") {
            return Err("`order` without `by`".to_owned());
        }
        loop {
            let field = self.value()?.to_lowercase();
            known_field(&field)?;
            let descending = self.takes_word("desc") || self.takes_word("descending");
            if !descending && !self.takes_word("asc") {
                self.takes_word("ascending");
            }
            order.push((field, descending));
            if !self.takes_sign(",") {
                return Ok(order);
            }
        }
    }
}

fn known_field(name: &str) -> Result<(), String> {
    const KNOWN: [&str; 19] = [
        "type",
        "space",
        "space.key",
        "space.type",
        "id",
        "content",
        "title",
        "text",
        "sitesearch",
        "label",
        "parent",
        "ancestor",
        "container",
        "creator",
        "contributor",
        "lastmodified",
        "created",
        "user",
        "user.fullname",
    ];
    match KNOWN.contains(&name) {
        true => Ok(()),
        false => Err(format!("no field exists with name '{name}'")),
    }
}

/// What a search looks at: the site, who searches, and as of when the index is.
pub struct Search<'a> {
    site: &'a Site,
    caller: &'a UserId,
    zone: TimeZone,
    /// What was written after this is not in the index yet.
    seen_until: Timestamp,
}

impl<'a> Search<'a> {
    /// A search by somebody, in an index that lags so far behind.
    pub fn new(site: &'a Site, caller: &'a UserId, lag: SignedDuration) -> Self {
        Self { site, caller, zone: site.zone_of(caller), seen_until: site.now - lag }
    }

    /// What is found, in the order that is asked for; without one, by number.
    pub fn run(&self, query: &Query) -> Result<Vec<&'a Content>, Refusal> {
        let mut found = Vec::new();
        for content in self.site.contents().filter(|content| content.status == Status::Current) {
            let Some(edition) = self.indexed(content) else { continue };
            if self.fits(&query.condition, (content, edition))? && self.site.sees(self.caller, content) {
                found.push(content);
            }
        }
        for (field, descending) in query.order.iter().rev() {
            found.sort_by_cached_key(|content| self.key(content, field));
            if *descending {
                found.reverse();
            }
        }
        Ok(found)
    }

    /// Where a result stands: by what the query sorts first, then by number.
    pub fn place(&self, query: &Query, content: &Content) -> (String, u64) {
        let field = query.order.first().map_or("", |(field, _)| field.as_str());
        self.key(content, field)
    }

    /// By what a result is sorted.
    fn key(&self, content: &Content, field: &str) -> (String, u64) {
        let at = |at: Timestamp| format!("{:030}", at.as_nanosecond());
        let key = match field {
            "lastmodified" => at(self.indexed(content).unwrap_or(content.newest()).at),
            "created" => at(content.created()),
            "title" => content.title().to_lowercase(),
            _ => String::new(),
        };
        (key, content.id.0)
    }

    /// The version the index knows.
    fn indexed<'b>(&self, content: &'b Content) -> Option<&'b Edition> {
        content.editions.iter().rev().find(|edition| edition.at <= self.seen_until)
    }

    fn fits(&self, condition: &Condition, what: (&Content, &Edition)) -> Result<bool, Refusal> {
        match condition {
            Condition::Anything => Ok(true),
            Condition::Not(inner) => self.fits(inner, what).map(|fits| !fits),
            Condition::All(parts) => {
                parts.iter().try_fold(true, |all, part| Ok(all && self.fits(part, what)?))
            }
            Condition::Any(parts) => {
                parts.iter().try_fold(false, |any, part| Ok(any || self.fits(part, what)?))
            }
            Condition::Field { name, sign, values } => {
                values.iter().try_fold(false, |any, value| Ok(any || self.holds((name, sign, value), what)?))
            }
        }
    }

    fn holds(
        &self,
        (name, sign, value): (&str, &str, &str),
        (content, edition): (&Content, &Edition),
    ) -> Result<bool, Refusal> {
        let is = |found: &str| found.eq_ignore_ascii_case(value);
        let number = || ContentId::read(value);
        Ok(match name {
            "type" => is(content.kind.name()),
            "space" | "space.key" => self.space_of(content, |space| is(&space.key)),
            "space.type" => self.space_of(content, |space| is(&space.kind)),
            "id" | "content" => number() == Some(content.id),
            "container" => number().is_some() && number() == content.container,
            "parent" => number().is_some() && number() == content.parent,
            "ancestor" => self.site.ancestors(content).iter().any(|above| Some(above.id) == number()),
            "title" if sign == "~" => contains(&edition.title, value),
            "title" => is(&edition.title),
            "text" | "sitesearch" => contains(&edition.title, value) || contains(&edition.body, value),
            "label" => {
                let plain = value.split_once(':').map_or(value, |(_, name)| name);
                content.labels.iter().any(|label| label.name.eq_ignore_ascii_case(plain))
            }
            "creator" => content.editions[0].by.as_ref().is_some_and(|by| self.is_user(by, value)),
            "contributor" => {
                let mut by = content.editions.iter().filter_map(|edition| edition.by.as_ref());
                by.any(|by| self.is_user(by, value))
            }
            "lastmodified" => self.compares(edition.at, sign, value)?,
            "created" => self.compares(content.created(), sign, value)?,
            _ => false,
        })
    }

    fn space_of(&self, content: &Content, is: impl Fn(&super::site::Space) -> bool) -> bool {
        self.site.spaces.get(&content.space).is_some_and(is)
    }

    fn is_user(&self, user: &UserId, value: &str) -> bool {
        let named = self.site.users.get(user).is_some_and(|user| user.username == value);
        user.0 == value || named || (value.starts_with("currentUser") && user == self.caller)
    }

    /// Compares to the minute, in the zone of whoever asks. A date alone is its first minute, but equals its whole day.
    fn compares(&self, at: Timestamp, sign: &str, value: &str) -> Result<bool, Refusal> {
        let local = at.to_zoned(self.zone.clone()).datetime();
        let minute = local.date().at(local.hour(), local.minute(), 0, 0);
        let (asked, whole_day) = self.date(value)?;
        Ok(match sign {
            "=" if whole_day => minute.date() == asked.date(),
            "=" => minute == asked,
            ">" => minute > asked,
            ">=" => minute >= asked,
            "<" => minute < asked,
            "<=" => minute <= asked,
            _ => return Err(Refusal::new(400, format!("dates do not know the operator {sign}"))),
        })
    }

    fn date(&self, value: &str) -> Result<(DateTime, bool), Refusal> {
        let unread = || Refusal::new(400, format!("Could not parse date '{value}'"));
        if let Some(shift) = value.strip_prefix("now(").and_then(|rest| rest.strip_suffix(')')) {
            let then = self.site.now + shift_of(shift).ok_or_else(unread)?;
            let local = then.to_zoned(self.zone.clone()).datetime();
            return Ok((local.date().at(local.hour(), local.minute(), 0, 0), false));
        }
        let text = value.trim().replace('/', "-");
        let (day, time) = text.split_once(' ').unwrap_or((&text, ""));
        let day: Date = day.parse().map_err(|_| unread())?;
        if time.is_empty() {
            return Ok((day.to_datetime(Time::midnight()), true));
        }
        let (hour, minute) = time.trim().split_once(':').ok_or_else(unread)?;
        let (hour, minute) = (hour.parse().map_err(|_| unread())?, minute.parse().map_err(|_| unread())?);
        let time = Time::new(hour, minute, 0, 0).map_err(|_| unread())?;
        Ok((day.to_datetime(time), false))
    }
}

/// `-4w` and the like; nothing is no shift.
fn shift_of(text: &str) -> Option<SignedDuration> {
    if text.is_empty() {
        return Some(SignedDuration::ZERO);
    }
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let hours = match unit {
        'm' => return Some(SignedDuration::from_mins(number)),
        'h' => 1,
        'd' => 24,
        'w' => 24 * 7,
        'M' => 24 * 30,
        'y' => 24 * 365,
        _ => return None,
    };
    Some(SignedDuration::from_hours(number * hours))
}

fn contains(text: &str, words: &str) -> bool {
    let text = text.to_lowercase();
    let words = words.trim_matches('"').to_lowercase();
    words.split_whitespace().all(|word| text.contains(word.trim_end_matches('*')))
}

/// Whether a query asks for people and not for contents.
pub fn asks_for_people(query: &Query) -> bool {
    fn within(condition: &Condition) -> bool {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(within),
            Condition::Field { name, values, .. } => {
                name.starts_with("user") || (name == "type" && values.iter().any(|value| value == "user"))
            }
            _ => false,
        }
    }
    within(&query.condition)
}

#[cfg(test)]
mod tests {
    use super::super::edits::{Edit, Order, apply};
    use super::super::loading::small;
    use super::super::site::Deployment;
    use super::*;

    fn found(site: &Site, who: &str, cql: &str) -> Vec<u64> {
        let caller = UserId(who.to_owned());
        let search = Search::new(site, &caller, SignedDuration::ZERO);
        let query = read(cql).unwrap();
        search.run(&query).unwrap().iter().map(|content| content.id.0).collect()
    }

    #[test]
    fn dates_are_read_in_the_zone_of_whoever_asks_and_to_the_minute() {
        let mut site = small(Deployment::Cloud);
        let at: Timestamp = "2026-07-01T10:30:59Z".parse().unwrap();
        let edit = Edit::Edit { id: 1003, title: None, body: None, message: None, minor: None };
        apply(&mut site, Order { by: None, at: Some(at), edit }).unwrap();
        // The reader is in Berlin, where it is half past twelve; the administrator in UTC.
        for (who, hour) in [("acc-reader", "12"), ("acc-admin", "10")] {
            let ask = |sign: &str, minute: &str| {
                found(
                    &site,
                    who,
                    &format!("type = page and lastmodified {sign} \"2026/07/01 {hour}:{minute}\""),
                )
            };
            assert_eq!(ask(">=", "30"), [1003]);
            assert_eq!(ask("=", "30"), [1003], "seconds are not looked at");
            assert_eq!(ask(">=", "31"), [0; 0]);
            assert_eq!(ask(">", "30"), [0; 0]);
        }
        assert_eq!(found(&site, "acc-reader", "lastmodified = \"2026-07-01\" and type=page"), [1003]);
        assert_eq!(found(&site, "acc-reader", "lastmodified >= \"2026-07-01 11:00\" and type=page"), [1003]);
        assert_eq!(found(&site, "acc-admin", "lastmodified >= \"2026-07-01 11:00\" and type=page"), [0; 0]);
    }

    #[test]
    fn conditions_are_joined_and_results_ordered() {
        let site = small(Deployment::Cloud);
        let ask = |cql: &str| found(&site, "acc-reader", cql);
        assert_eq!(ask("space = OPS and type in (page, blogpost) order by title desc").len(), 5);
        assert_eq!(ask("type = page and (id = 1001 or id=1003) order by lastmodified desc"), [1003, 1001]);
        assert_eq!(ask("ancestor = 1000 and type = page"), [1001, 1002, 1003]);
        assert_eq!(ask("parent = 1001"), [1002, 1003]);
        assert_eq!(ask("label = runbook"), [1001]);
        assert_eq!(ask("title ~ \"rest*\" and type = page and space not in (X)"), [1002]);
        assert_eq!(ask("creator = currentUser()"), [0; 0]);
        assert_eq!(ask("lastmodified >= now(\"-1m\")"), [0; 0]);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for wrong in
            ["space =", "(type = page", "spaces = OPS", "type page", "title = \"open", "type = page type"]
        {
            assert_eq!(read(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn an_index_that_lags_shows_what_was() {
        let mut site = small(Deployment::Cloud);
        site.now = "2026-08-01T12:00:00Z".parse().unwrap();
        let edit =
            Edit::Edit { id: 1003, title: Some("New".to_owned()), body: None, message: None, minor: None };
        apply(&mut site, edit.into()).unwrap();
        let caller = UserId("acc-admin".to_owned());
        let query = read("lastmodified >= \"2026-08-01\"").unwrap();
        let lagging = Search::new(&site, &caller, SignedDuration::from_mins(5));
        assert!(lagging.run(&query).unwrap().is_empty());
        assert_eq!(found(&site, "acc-admin", "lastmodified >= \"2026-08-01\""), [1003]);
    }
}
