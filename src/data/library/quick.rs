//! The row that most large files are made of, one response to an instruction, read without what its place in a file does
//! not take: other fields are looked at and dropped. Where there is any doubt, the row is left to the reader of all shapes.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};

use crate::data::record::{Record, Response};

/// Reads a row of [`Shape::Row`](crate::data::Shape::Row): its record with the texts, the id and the labels. `None` where
/// that is not certainly what [`read::row`](crate::data::read::row) says.
pub(super) fn row(line: &[u8], labels: &[String]) -> Option<Record> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let mut source = serde_json::Deserializer::from_str(text);
    let found = source.deserialize_map(Row { labels }).ok()?;
    source.end().ok()?;
    let record = found?;
    let is_blank = record.instruction.trim().is_empty() && record.input.is_none();
    (!is_blank).then_some(record)
}

/// Which field a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Instruction,
    Input,
    Context,
    Reference,
    Rubric,
    Category,
    Response,
    /// A text that is not needed here.
    Text,
    Label(usize),
    /// A field of another shape.
    Foreign,
    Other,
}

struct KeyOf<'l>(&'l [String]);

impl<'de> DeserializeSeed<'de> for KeyOf<'_> {
    type Value = Key;

    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Key, D::Error> {
        source.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeyOf<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            "id" => Key::Id,
            "instruction" => Key::Instruction,
            "input" => Key::Input,
            "context" => Key::Context,
            "reference" => Key::Reference,
            "rubric" => Key::Rubric,
            "category" => Key::Category,
            "response" => Key::Response,
            "generator" | "reason" | "rationale" | "response_id" => Key::Text,
            "responses" | "response_a" | "response_b" | "response_A" | "response_B" | "chosen"
            | "rejected" | "conversations" | "messages" => Key::Foreign,
            _ => match self.0.iter().position(|label| label == name) {
                Some(label) => Key::Label(label),
                None => Key::Other,
            },
        })
    }
}

/// A value that is no list and no object.
enum Value {
    Text(String),
    Number(f64),
    /// As it is written.
    Whole(String),
    Bool,
    Null,
}

/// Whether a text is to be kept.
struct ValueOf {
    keep: bool,
}

impl<'de> DeserializeSeed<'de> for ValueOf {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl Visitor<'_> for ValueOf {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(match self.keep {
            true => text.to_owned(),
            false => String::new(),
        }))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(match self.keep {
            true => Value::Whole(number.to_string()),
            false => Value::Number(number as f64),
        })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(match self.keep {
            true => Value::Whole(number.to_string()),
            false => Value::Number(number as f64),
        })
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Bool)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

struct Row<'l> {
    labels: &'l [String],
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Option<Record>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Option<Record>, M::Error> {
        let doubt = || de::Error::custom("in doubt");
        let (mut record, mut response) = (Record::default(), Response::default());
        let (mut instruction, mut answer) = (None, None);
        // The last of two fields of one name would count: such a row is looked at closely.
        let mut seen: Vec<Key> = Vec::with_capacity(12);
        while let Some(key) = map.next_key_seed(KeyOf(self.labels))? {
            let is_text = matches!(key, Key::Other | Key::Text | Key::Label(_));
            let value = map.next_value_seed(ValueOf { keep: !is_text })?;
            if key == Key::Other {
                continue;
            }
            if key != Key::Text {
                if seen.contains(&key) {
                    return Err(doubt());
                }
                seen.push(key);
            }
            let filled = |text: String| Some(text).filter(|text| !text.trim().is_empty());
            match (key, value) {
                (Key::Foreign, _) => return Err(doubt()),
                (_, Value::Null) => (),
                (Key::Id, Value::Text(text) | Value::Whole(text)) => record.id = text,
                (Key::Instruction, Value::Text(text)) => instruction = Some(text),
                (Key::Input, Value::Text(text)) => record.input = filled(text),
                (Key::Context, Value::Text(text)) => record.context = filled(text),
                (Key::Reference, Value::Text(text)) => record.reference = filled(text),
                (Key::Rubric, Value::Text(text)) => record.rubric = filled(text),
                (Key::Category, Value::Text(text)) => record.category = filled(text),
                (Key::Response, Value::Text(text)) => answer = Some(text),
                (Key::Text, Value::Text(_)) => (),
                (Key::Label(at), Value::Number(number)) if number.is_finite() => {
                    let name = self.labels.get(at).cloned().unwrap_or_default();
                    response.labels.insert(name, number);
                }
                _ => return Err(doubt()),
            }
        }
        let (Some(instruction), Some(answer)) = (instruction, answer) else {
            return Ok(None);
        };
        record.instruction = instruction;
        response.text = answer;
        record.responses.push(response);
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::data::detect::Shape;
    use crate::data::options::ReadOptions;
    use crate::data::{SubjectKey, read};

    /// What is kept of a record whose place alone is.
    type Kept = (String, Option<String>, Vec<SubjectKey>, Vec<(String, f64)>);

    fn kept(record: &Record) -> Kept {
        let labels = record.responses.iter().flat_map(|r| r.labels.clone());
        (
            record.id.clone(),
            record.category.clone(),
            SubjectKey::of_all(record),
            labels.collect(),
        )
    }

    /// Whether the row was read at once; if it was, as it is read otherwise.
    fn is_quick(text: &str) -> bool {
        let options = ReadOptions::default();
        let Some(found) = row(text.as_bytes(), &options.labels) else {
            return false;
        };
        let object: Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
        let (whole, shape) = read::row(object, &options, Some(Shape::Row)).unwrap();
        assert_eq!(shape, Shape::Row, "{text}");
        assert_eq!(kept(&found), kept(&whole), "{text}");
        true
    }

    #[test]
    fn a_plain_row_is_quick() {
        for text in [
            r#"{"id":"a","instruction":"q","response":"r","rating":3,"generator":"g"}"#,
            r#"{"id":7,"instruction":"q \u00e4\n","input":" ","response":"","score":1e-3,"topic":"t","n":null}"#,
            r#"{"instruction":"","input":"x","response":"r","reference":"y","category":"c","rubric":"z","context":"w"} "#,
            r#"{"id":-3,"instruction":"q","response":"r","label":null,"reason":"so","p":0.5,"rating":-2}"#,
        ] {
            assert!(is_quick(text), "{text}");
        }
    }

    #[test]
    fn any_doubt_is_left_to_others() {
        for text in [
            r#"{"instruction":"q"}"#,
            r#"{"instruction":" ","response":"r"}"#,
            r#"{"instruction":"q","response":"r","responses":null}"#,
            r#"{"instruction":"q","response":"r","meta":{"a":1}}"#,
            r#"{"instruction":"q","response":"r","tags":[]}"#,
            r#"{"instruction":"q","instruction":"p","response":"r"}"#,
            r#"{"instruction":"q","response":"r","label":"good"}"#,
            r#"{"instruction":"q","response":"r","rating":true}"#,
            r#"{"instruction":"q","response":5}"#,
            r#"{"id":1.5,"instruction":"q","response":"r"}"#,
            r#"{"instruction":"q","response":"r","x":"\ud800"}"#,
            r#"{"instruction":"q","response":"r","x":1e999}"#,
            r#"{"instruction":"q","response":"r"} x"#,
            r#"[1]"#,
            "",
        ] {
            assert!(!is_quick(text), "{text}");
        }
        assert!(row(b"{\"instruction\":\"q\",\"response\":\"\xff\"}", &[]).is_none());
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        prop_oneof![
            6 => "[a-z \\n\"\u{e4}]{0,6}".prop_map(|text| json!(text)),
            2 => any::<i32>().prop_map(|n| json!(n)),
            1 => any::<f64>().prop_map(|x| json!(x)),
            1 => Just(json!(null)),
            1 => any::<bool>().prop_map(|b| json!(b)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_quick_is_right(fields in proptest::collection::vec((0usize..18, value()), 0..8)) {
            const NAMES: [&str; 18] = [
                "id", "instruction", "input", "context", "reference", "rubric", "category", "response", "generator",
                "reason", "response_id", "p", "rating", "label", "output", "other", "rationale", "chosen",
            ];
            let mut object = json!({"instruction": "q", "response": "r"});
            for (name, value) in fields {
                object[NAMES[name]] = value;
            }
            is_quick(&object.to_string());
        }
    }
}
