//! JSON as models write it: in fences, with commas too many, cut off half way. It must not know what the JSON says.
//! Invariants: whole JSON is read as it is; of cut JSON everything that is complete is read and nothing is made up;
//! any text at all is read without a panic, in time proportional to its length.

use serde_json::{Map, Number, Value};

/// Deeper nesting is no answer of ours but a model in a loop, and would exhaust the stack.
const DEPTH: usize = 32;
/// How many brackets an introduction may hold before the answer begins.
const BRACKETS_BEFORE: usize = 8;

/// What could be read from some place in a text.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    /// The value. Arrays and objects that were not closed end with their last complete member, or with one that was
    /// not closed either.
    pub value: Value,
    /// How deep the innermost bracket lies that was not closed, the outermost being 0; none when all were closed.
    pub open: Option<usize>,
    /// Where reading ended, in bytes.
    pub end: usize,
}

/// The first array or object at or after `from`, be it whole or not; none when nothing there begins like one.
pub(crate) fn read(text: &str, from: usize) -> Option<Read> {
    let begins = text.get(from..)?.find(['{', '['])? + from;
    let mut reader = Reader { text, at: begins, open: None };
    let value = reader.value(0)?;
    Some(Read { value, open: reader.open, end: reader.at.max(begins + 1) })
}

/// The answer without what the model thought aloud.
pub(crate) fn spoken(text: &str) -> &str {
    text.rsplit_once("</think>").map_or(text, |(_, spoken)| spoken)
}

/// The first JSON of an answer that says something: before it, a model may have written brackets of other sorts.
pub(crate) fn first(text: &str) -> Option<Read> {
    let mut from = 0;
    for _ in 0..BRACKETS_BEFORE {
        let read = read(text, from)?;
        if is_something(&read.value) {
            return Some(read);
        }
        from = read.end;
    }
    None
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => items.is_empty() || items.iter().any(Value::is_object),
        _ => false,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Set where the text stops being JSON, to the depth of the bracket that is innermost there; nothing is read behind
    /// that.
    open: Option<usize>,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text.as_bytes().get(self.at).copied()
    }

    /// One value, in as many brackets as `depth` says. None, and the end of reading, where there is none or only a
    /// part of a text, a number or a word.
    fn value(&mut self, depth: usize) -> Option<Value> {
        let value = match self.peek() {
            Some(b'{') if depth < DEPTH => Some(self.object(depth)),
            Some(b'[') if depth < DEPTH => Some(self.array(depth)),
            Some(b'"') => self.string().map(Value::String),
            Some(_) => self.word(),
            None => None,
        };
        if value.is_none() {
            self.open.get_or_insert(depth.saturating_sub(1));
        }
        value
    }

    fn array(&mut self, depth: usize) -> Value {
        let mut items = Vec::new();
        self.at += 1;
        while !self.closed(b']') {
            items.extend(self.value(depth + 1));
            if self.open.is_some() {
                break;
            }
        }
        Value::Array(items)
    }

    fn object(&mut self, depth: usize) -> Value {
        let mut members = Map::new();
        self.at += 1;
        while !self.closed(b'}') {
            let Some(name) = self.name() else {
                self.open.get_or_insert(depth);
                break;
            };
            if let Some(value) = self.value(depth + 1) {
                members.insert(name, value);
            }
            if self.open.is_some() {
                break;
            }
        }
        Value::Object(members)
    }

    /// Steps over commas, and over the closing bracket if it comes next. Commas that are missing or too many do not
    /// matter: where a member ends is clear without them.
    fn closed(&mut self, bracket: u8) -> bool {
        while self.peek() == Some(b',') {
            self.at += 1;
        }
        let closed = self.peek() == Some(bracket);
        self.at += usize::from(closed);
        closed
    }

    fn name(&mut self) -> Option<String> {
        let name = (self.peek() == Some(b'"')).then(|| self.string()).flatten()?;
        (self.peek() == Some(b':')).then_some(())?;
        self.at += 1;
        Some(name)
    }

    fn string(&mut self) -> Option<String> {
        let rest = &self.text[self.at + 1..];
        let mut escaped = false;
        let length = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let quoted = &self.text[self.at..self.at + length + 2];
        self.at += quoted.len();
        Some(serde_json::from_str(quoted).unwrap_or_else(|_| unescaped(&rest[..length])))
    }

    /// A number or one of three words, complete only if something follows.
    fn word(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')))?;
        let value = match &rest[..length] {
            "null" | "None" => Value::Null,
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            number => Value::Number(serde_json::from_str::<Number>(number).ok()?),
        };
        self.at += length;
        Some(value)
    }
}

/// A string that is no JSON string: line breaks stand in it as they are, or a backslash before anything.
fn unescaped(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'r' | 't') => out.push(' '),
                Some('u') => out.extend(code_point(&mut chars)),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

/// The character of four hexadecimal digits; nothing when they are none, or half of a pair.
fn code_point(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = chars.as_str().get(..4)?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    *chars = chars.as_str()[4..].chars();
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"{]{1,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Whether `part` is `whole` with the end of it missing.
    fn is_beginning(part: &Value, whole: &Value) -> bool {
        match (part, whole) {
            (Value::Array(part), Value::Array(whole)) => {
                let complete = part.len().saturating_sub(1);
                part.len() <= whole.len()
                    && part[..complete] == whole[..complete]
                    && part.last().is_none_or(|last| is_beginning(last, &whole[complete]))
            }
            (Value::Object(part), Value::Object(whole)) => {
                part.iter().enumerate().all(|(at, (name, value))| {
                    let known = whole.get(name);
                    known.is_some_and(|known| match at + 1 == part.len() {
                        true => is_beginning(value, known),
                        false => value == known,
                    })
                })
            }
            (part, whole) => part == whole,
        }
    }

    proptest! {
        #[test]
        fn whole_json_is_read_as_it_is_whatever_stands_around_it(value in any_value(), pretty in any::<bool>()) {
            let value = Value::Array(vec![value]);
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let read = read(&format!("Sure:\n```json\n{text}\n```\nDone."), 0).unwrap();
            prop_assert_eq!(read.value, value);
            prop_assert_eq!(read.open, None);
        }

        #[test]
        fn the_beginning_of_json_is_read_as_a_beginning(value in any_value(), cut in 0..400usize) {
            let value = Value::Array(vec![value]);
            let text = value.to_string();
            let cut: String = text.chars().take(cut).collect();
            let read = read(&cut, 0);
            prop_assert_eq!(read.is_none(), cut.is_empty());
            if let Some(read) = read {
                prop_assert!(is_beginning(&read.value, &value), "{} of {}", read.value, value);
                prop_assert_eq!(read.open.is_none(), cut == text);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>(), json in "[\\[{\\]}\",:a\\\\u0é1-]{0,60}") {
            for text in [text, json] {
                if let Some(read) = read(&text, 0) {
                    prop_assert!(read.end > 0 && text.is_char_boundary(read.end));
                }
            }
        }
    }

    #[test]
    fn what_models_get_wrong_is_put_right() {
        let cases = [
            (r#"[1, 2,]"#, "[1,2]"),
            (r#"[{"a":1} {"b":2}]"#, r#"[{"a":1},{"b":2}]"#),
            ("{\"a\":\"two\nlines\"}", "{\"a\":\"two\\nlines\"}"),
            (r#"{"a":"it\'s \_x\_ \u0041"}"#, r#"{"a":"it's _x_ A"}"#),
            (r#"{"a":None,"b":True}"#, r#"{"a":null,"b":true}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, 0).map(|read| read.value.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_thousand_brackets_exhaust_nothing() {
        let read = read(&"[".repeat(100_000), 0).unwrap();
        assert!(read.open.is_some());
    }
}
