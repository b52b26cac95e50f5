//! The row that most large files are made of, one response to an instruction, read without what its place in a file does
//! not take: other fields are looked at and dropped. Where there is any doubt, the row is left to the reader of all shapes.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use smallvec::SmallVec;

use super::brief::{Brief, Task};
use crate::data::detect::Shape;

/// Labels of a response: which one, and its value.
pub(super) type Labels = SmallVec<[(usize, f64); 2]>;

/// Reads a row of [`Shape::Row`]: what is kept of it, and its labels. `None` where that is not certainly what
/// [`read::row`](crate::data::read::row) says.
pub(super) fn row(line: &[u8], labels: &[String]) -> Option<(Brief, Labels)> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let mut source = serde_json::Deserializer::from_str(text);
    let found = source.deserialize_map(Row { labels }).ok()?;
    source.end().ok()?;
    found.brief()
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

/// A text, where it stands if nothing in it is escaped.
type Text<'t> = Cow<'t, str>;

/// What was found in a row.
#[derive(Default)]
struct Texts<'t> {
    id: Text<'t>,
    instruction: Option<Text<'t>>,
    input: Option<Text<'t>>,
    context: Option<Text<'t>>,
    reference: Option<Text<'t>>,
    rubric: Option<Text<'t>>,
    category: Option<Text<'t>>,
    response: Option<Text<'t>>,
    labels: Labels,
}

impl Texts<'_> {
    fn brief(self) -> Option<(Brief, Labels)> {
        let task = Task {
            instruction: self.instruction.as_deref()?,
            input: self.input.as_deref(),
            context: self.context.as_deref(),
            reference: self.reference.as_deref(),
            rubric: self.rubric.as_deref(),
            category: self.category.as_deref(),
        };
        let response = self.response.as_deref()?;
        if task.instruction.trim().is_empty() && task.input.is_none() {
            return None;
        }
        let id = self.id.into_owned();
        let brief = Brief::new(id, Shape::Row, &task, [response].into_iter());
        Some((brief, self.labels))
    }
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
enum Value<'t> {
    Text(Text<'t>),
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
    type Value = Value<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<Value<'de>, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueOf {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(match self.keep {
            true => Cow::Owned(text.to_owned()),
            false => Cow::default(),
        }))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(match self.keep {
            true => Value::Whole(number.to_string()),
            false => Value::Number(number as f64),
        })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(match self.keep {
            true => Value::Whole(number.to_string()),
            false => Value::Number(number as f64),
        })
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }
}

struct Row<'l> {
    labels: &'l [String],
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Texts<'de>, M::Error> {
        let doubt = || de::Error::custom("in doubt");
        let mut texts = Texts::default();
        // The last of two fields of one name would count: such a row is looked at closely.
        let mut seen: SmallVec<[Key; 12]> = SmallVec::new();
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
            let filled = |text: Text<'de>| Some(text).filter(|text| !text.trim().is_empty());
            match (key, value) {
                (Key::Foreign, _) => return Err(doubt()),
                (_, Value::Null) => (),
                (Key::Id, Value::Text(text)) => texts.id = text,
                (Key::Id, Value::Whole(number)) => texts.id = number.into(),
                (Key::Instruction, Value::Text(text)) => texts.instruction = Some(text),
                (Key::Input, Value::Text(text)) => texts.input = filled(text),
                (Key::Context, Value::Text(text)) => texts.context = filled(text),
                (Key::Reference, Value::Text(text)) => texts.reference = filled(text),
                (Key::Rubric, Value::Text(text)) => texts.rubric = filled(text),
                (Key::Category, Value::Text(text)) => texts.category = filled(text),
                (Key::Response, Value::Text(text)) => texts.response = Some(text),
                (Key::Text, Value::Text(_)) => (),
                (Key::Label(at), Value::Number(number)) if number.is_finite() => {
                    texts.labels.push((at, number));
                }
                _ => return Err(doubt()),
            }
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::data::options::ReadOptions;
    use crate::data::read;

    /// Whether the row was read at once; if it was, as it is read otherwise.
    fn is_quick(text: &str) -> bool {
        let options = ReadOptions::default();
        let Some((brief, mut labels)) = row(text.as_bytes(), &options.labels) else {
            return false;
        };
        let object: Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
        let (whole, shape) = read::row(object, &options, Some(Shape::Row)).unwrap();
        assert_eq!(shape, Shape::Row, "{text}");
        assert_eq!(brief, Brief::of(&whole, shape), "{text}");
        labels.sort_by_key(|(at, _)| options.labels[*at].clone());
        let named = labels
            .into_iter()
            .map(|(at, value)| (options.labels[at].clone(), value));
        let whole = whole.responses.into_iter().flat_map(|r| r.labels);
        assert!(named.eq(whole), "{text}");
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
