//! A prompt's JSON Schema in a vendor's own dialect. What a vendor refuses is left out and said in the description
//! instead, since answers are validated here anyway. This file must not know any vendor by name.
//!
//! Invariant: properties stand in the order of `required`, then the rest by name. Models write in that order, so a
//! schema says with `required` what is thought of first; a `Value` has no order of its own.

use knowledge::prompt::Prompt;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt::Write;

/// What a vendor takes.
pub(super) struct Rules {
    /// Keywords beside `type`, `description`, `enum`, `anyOf`, `properties`, `required` and `items`, which all know.
    pub(super) keeps: &'static [&'static str],
    /// Every property must be in `required`; what may be absent is then something or null.
    pub(super) all_required: bool,
    /// Every object must say `additionalProperties: false`.
    pub(super) closed: bool,
    /// The largest `minItems`.
    pub(super) most_min_items: u64,
}

/// OpenAI takes 1,000 enum values in all and, of an enum with over 250, 15,000 characters; Gemini's unwritten limit is
/// of that size. What is longer becomes free text: the answer is validated here.
const ENUM_VALUES: usize = 250;
/// See `ENUM_VALUES`.
const ENUM_CHARS: usize = 15_000;

/// The schema of a prompt as JSON that the vendor takes.
pub(super) fn adapt(schema: &Value, rules: &Rules) -> Box<RawValue> {
    let mut text = String::new();
    write_schema(schema, rules, false, &mut text);
    // Written from values by the rules of JSON; an empty schema allows everything, which validation narrows.
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A system text that shows the schema, for servers that promise JSON and nothing more.
pub(super) fn shown(prompt: &Prompt) -> String {
    let plain = Rules {
        keeps: &["additionalProperties", "minItems", "maxItems", "maxLength", "minimum", "maximum"],
        all_required: false,
        closed: false,
        most_min_items: u64::MAX,
    };
    let schema = adapt(&prompt.schema, &plain);
    format!(
        "{}\n\nAnswer with one JSON object that fits this JSON Schema, and nothing else:\n{schema}",
        prompt.system
    )
}

fn write_schema(schema: &Value, rules: &Rules, or_null: bool, into: &mut String) {
    let Value::Object(schema) = schema else {
        into.push_str(if schema == &Value::Bool(false) { "false" } else { "{}" });
        return;
    };
    match (or_null, schema.get("anyOf").is_some()) {
        (true, false) => {
            into.push_str("{\"anyOf\":[");
            write_object(schema, rules, false, into);
            into.push_str(",{\"type\":\"null\"}]}");
        }
        _ => write_object(schema, rules, or_null, into),
    }
}

fn write_object(schema: &Map<String, Value>, rules: &Rules, or_null: bool, into: &mut String) {
    let mut fields: Vec<(&str, String)> = Vec::new();
    let mut notes = Vec::new();
    for (key, value) in schema {
        match kept(key, value, rules) {
            Kept::Whole => fields.push((key, inner(key, value, rules, or_null))),
            Kept::Said(note) => notes.push(note),
            Kept::Not => {}
        }
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let names = order(schema);
        let required = match rules.all_required {
            true => names.clone(),
            false => names.iter().copied().filter(|name| is_required(schema, name)).collect(),
        };
        fields.push(("properties", write_properties(schema, properties, rules)));
        fields.push(("required", list(required.into_iter().map(quoted))));
    }
    if rules.closed && schema.get("type").is_some_and(|kind| kind == "object") {
        fields.push(("additionalProperties", "false".to_owned()));
    }
    if let Some(description) = described(schema, &notes) {
        fields.push(("description", quoted(&description)));
    }
    // A fixed order, so that the same schema is the same bytes and vendors' caches of prefixes hit.
    fields.sort_by_key(|(key, _)| (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), *key));
    let fields = fields.iter().map(|(key, text)| format!("{}:{text}", quoted(key)));
    let fields: Vec<String> = fields.collect();
    // Writing into a string cannot fail.
    write!(into, "{{{}}}", fields.join(",")).unwrap_or_default();
}

/// What reads well first.
const FIRST: [&str; 7] = ["type", "description", "enum", "anyOf", "items", "properties", "required"];

enum Kept {
    Whole,
    /// Left out, and said in words.
    Said(String),
    Not,
}

fn kept(key: &str, value: &Value, rules: &Rules) -> Kept {
    let said = |kept: bool, note: &str| match kept {
        true => Kept::Whole,
        false => Kept::Said(note.replace('#', &value.to_string())),
    };
    let keeps = rules.keeps.contains(&key);
    match key {
        "type" | "anyOf" | "items" => Kept::Whole,
        "enum" => said(fits(value), "One of the values that the text names."),
        "minItems" => {
            let small = value.as_u64().is_some_and(|count| count <= rules.most_min_items);
            said(keeps && small, "At least # items.")
        }
        "maxItems" => said(keeps, "At most # items."),
        "maxLength" => said(keeps, "At most # characters."),
        "minimum" => said(keeps, "At least #."),
        "maximum" => said(keeps, "At most #."),
        "additionalProperties" if keeps && !rules.closed => Kept::Whole,
        // `properties`, `required` and `description` are written by themselves; what nobody asked for is left out.
        _ => Kept::Not,
    }
}

fn fits(values: &Value) -> bool {
    let Value::Array(values) = values else { return false };
    let chars = || values.iter().filter_map(Value::as_str).map(str::len).sum::<usize>();
    values.len() <= ENUM_VALUES || (values.len() <= 4 * ENUM_VALUES && chars() <= ENUM_CHARS)
}

fn inner(key: &str, value: &Value, rules: &Rules, or_null: bool) -> String {
    let mut text = String::new();
    match (key, value) {
        ("items", _) => write_schema(value, rules, false, &mut text),
        ("anyOf", Value::Array(choices)) => {
            let has_null = choices.iter().any(|choice| choice.get("type").is_some_and(|kind| kind == "null"));
            let null = (or_null && !has_null).then(|| "{\"type\":\"null\"}".to_owned());
            let choices = choices.iter().map(|choice| {
                let mut text = String::new();
                write_schema(choice, rules, false, &mut text);
                text
            });
            text = list(choices.chain(null));
        }
        _ => text = value.to_string(),
    }
    text
}

fn write_properties(schema: &Map<String, Value>, properties: &Map<String, Value>, rules: &Rules) -> String {
    let mut text = String::from("{");
    for name in order(schema) {
        let Some(property) = properties.get(name) else { continue };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        write_schema(property, rules, rules.all_required && !is_required(schema, name), &mut text);
    }
    text.push('}');
    text
}

/// The names of the properties: those required, in that order, then the rest.
fn order(schema: &Map<String, Value>) -> Vec<&str> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return Vec::new() };
    let mut names: Vec<&str> = Vec::new();
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str).chain(properties.keys().map(String::as_str)) {
        if properties.contains_key(name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn is_required(schema: &Map<String, Value>, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|required| required == name))
}

fn described(schema: &Map<String, Value>, notes: &[String]) -> Option<String> {
    let own = schema.get("description").and_then(Value::as_str);
    let parts: Vec<&str> = own.into_iter().chain(notes.iter().map(String::as_str)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<String>>().join(","))
}

fn quoted(text: impl AsRef<str>) -> String {
    Value::String(text.as_ref().to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const STRICT: Rules = Rules {
        keeps: &["minItems", "maxItems"],
        all_required: true,
        closed: true,
        most_min_items: u64::MAX,
    };
    const LOOSE: Rules = Rules { keeps: &["minimum"], all_required: false, closed: false, most_min_items: 0 };

    fn text(schema: &Value, rules: &Rules) -> String {
        adapt(schema, rules).get().to_owned()
    }

    #[test]
    fn properties_stand_in_the_order_of_required_and_the_rest_may_be_null() {
        let schema = json!({
            "type": "object",
            "properties": {
                "claims": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3},
                "aside": {"type": "string", "description": "What else."},
                "entities": {"type": "integer", "minimum": 0}
            },
            "required": ["entities", "claims"]
        });
        assert_eq!(
            text(&schema, &STRICT),
            r#"{"type":"object","properties":{"#.to_owned()
                + r#""entities":{"type":"integer","description":"At least 0."},"#
                + r#""claims":{"type":"array","items":{"type":"string","description":"At most 9 characters."},"maxItems":3},"#
                + r#""aside":{"anyOf":[{"type":"string","description":"What else."},{"type":"null"}]}"#
                + r#"},"required":["entities","claims","aside"],"additionalProperties":false}"#
        );
        assert_eq!(
            text(&schema, &LOOSE),
            r#"{"type":"object","properties":{"#.to_owned()
                + r#""entities":{"type":"integer","minimum":0},"#
                + r#""claims":{"type":"array","description":"At most 3 items.","items":{"type":"string","description":"At most 9 characters."}},"#
                + r#""aside":{"type":"string","description":"What else."}"#
                + r#"},"required":["entities","claims"]}"#
        );
    }

    #[test]
    fn a_choice_that_may_be_absent_gets_null_once() {
        let schema = json!({"type": "object", "properties": {
            "a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "b": {"anyOf": [{"type": "string"}, {"type": "integer"}]}
        }});
        let found = text(&schema, &STRICT);
        assert!(found.contains(r#""a":{"anyOf":[{"type":"string"},{"type":"null"}]}"#), "{found}");
        assert!(
            found.contains(r#""b":{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}"#),
            "{found}"
        );
    }

    #[test]
    fn an_enum_that_vendors_refuse_becomes_words() {
        let names = |count: usize, length: usize| -> Vec<String> {
            (0..count).map(|at| format!("{at:0length$}")).collect()
        };
        let kept = |names: Vec<String>| {
            text(&json!({"type": "string", "enum": names}), &STRICT).contains("\"enum\"")
        };
        assert!(kept(names(250, 100)) && kept(names(1000, 15)));
        assert!(!kept(names(1000, 16)) && !kept(names(1001, 4)));
    }

    #[test]
    fn a_server_that_knows_no_schemas_is_shown_one() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 5}}});
        let prompt = Prompt {
            system: "Extract.".into(),
            text: "x".into(),
            schema_name: "x".into(),
            schema,
            max_output_tokens: 1,
        };
        let shown = shown(&prompt);
        assert!(shown.starts_with("Extract.\n\nAnswer with one JSON object"), "{shown}");
        assert!(
            shown.ends_with(
                r#"{"type":"object","properties":{"a":{"type":"string","maxLength":5}},"required":[]}"#
            ),
            "{shown}"
        );
    }

    /// Schemas of the kind that a `Prompt` may have, and a few that it may not.
    fn schema() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!({"type": "string", "maxLength": 40, "format": "date"})),
            Just(json!({"type": "integer", "minimum": 0, "maximum": 9})),
            Just(json!({"type": "string", "enum": ["a", "b\"\n"]})),
            Just(json!({"description": 7})),
            Just(json!(true)),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let objects = (
                proptest::collection::btree_map("[a-e\"]{1,3}", inner.clone(), 0..5),
                proptest::collection::vec("[a-e\"]{1,3}", 0..5),
            );
            prop_oneof![
                objects.prop_map(|(properties, required)| {
                    json!({"type": "object", "properties": properties, "required": required, "$comment": "x"})
                }),
                inner
                    .clone()
                    .prop_map(|items| json!({"type": "array", "items": items, "minItems": 2, "maxItems": 5})),
                proptest::collection::vec(inner, 1..3).prop_map(|choices| json!({"anyOf": choices})),
            ]
        })
    }

    /// Every schema within a schema.
    fn walk(schema: &Value, seen: &mut dyn FnMut(&Map<String, Value>)) {
        let Value::Object(map) = schema else { return };
        seen(map);
        let properties = map.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values);
        let choices = map.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        properties.chain(choices).chain(map.get("items")).for_each(|inner| walk(inner, seen));
    }

    proptest! {
        #[test]
        fn a_strict_schema_is_closed_and_complete_and_adapting_it_again_changes_nothing(schema in schema()) {
            let once = text(&schema, &STRICT);
            let adapted: Value = serde_json::from_str(&once).unwrap();
            let mut wrong = Vec::new();
            walk(&adapted, &mut |map| {
                let refused = ["maxLength", "minimum", "maximum", "format", "$comment"];
                wrong.extend(refused.iter().filter(|key| map.contains_key(**key)).map(|key| (*key).to_owned()));
                let Some(properties) = map.get("properties").and_then(Value::as_object) else { return };
                let mut required: Vec<&str> =
                    map["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                required.sort_unstable();
                if map["additionalProperties"] != json!(false) || !required.iter().eq(properties.keys()) {
                    wrong.push(format!("{map:?}"));
                }
            });
            prop_assert!(wrong.is_empty(), "{wrong:?}");
            prop_assert_eq!(text(&adapted, &STRICT), text(&serde_json::from_str(&once).unwrap(), &STRICT));
        }

        #[test]
        fn what_is_required_stays_required_and_in_order(schema in schema()) {
            let adapted: Value = serde_json::from_str(&text(&schema, &LOOSE)).unwrap();
            if let Some(required) = adapted.get("required") {
                let known = schema["properties"].as_object().unwrap();
                let mut expected: Vec<&str> = Vec::new();
                for name in schema["required"].as_array().unwrap().iter().filter_map(Value::as_str) {
                    if known.contains_key(name) && !expected.contains(&name) {
                        expected.push(name);
                    }
                }
                prop_assert_eq!(required, &json!(expected));
            }
        }
    }
}
