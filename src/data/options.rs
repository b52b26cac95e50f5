//! How to read: other names for fields, which fields are labels, and what a bad row means.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::error::DataError;

/// The fields that are labels where nothing else is said.
pub const DEFAULT_LABELS: [&str; 5] = ["p", "score", "rating", "label", "preference"];

/// How to read data.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOptions {
    /// Stop at the first bad row instead of skipping it.
    pub strict: bool,
    /// Fields with other names.
    pub fields: FieldMap,
    /// Numeric fields that are labels of a response.
    pub labels: Vec<String>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            strict: false,
            fields: FieldMap::default(),
            labels: DEFAULT_LABELS.map(String::from).to_vec(),
        }
    }
}

/// Names of fields in the data for the names known here: `instruction=prompt`. A source may be a path
/// into the row, such as `answers.0.text`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap {
    pairs: Vec<(String, String)>,
}

impl FieldMap {
    /// No field has another name.
    pub fn new() -> Self {
        FieldMap::default()
    }

    /// Adds `target=source`, as given on the command line.
    pub fn add(&mut self, text: &str) -> Result<(), DataError> {
        let (target, source) = text
            .split_once('=')
            .map(|(target, source)| (target.trim(), source.trim()))
            .filter(|(target, source)| !target.is_empty() && !source.is_empty())
            .ok_or_else(|| DataError::FieldMap {
                text: text.to_string(),
            })?;
        self.pairs.push((target.to_string(), source.to_string()));
        Ok(())
    }

    /// Parses several `target=source`.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, DataError> {
        let mut map = FieldMap::new();
        for text in texts {
            map.add(text.as_ref())?;
        }
        Ok(map)
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The name in the data of a field that is known here.
    pub fn source_of<'a>(&'a self, target: &'a str) -> &'a str {
        let found = self.pairs.iter().rfind(|(name, _)| name == target);
        found.map_or(target, |(_, source)| source.as_str())
    }

    /// The names that fields have in the data.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(_, source)| source.as_str())
    }

    /// Renames the fields of a row, all at once, so that two may change places. A field in the way of a
    /// new name takes the name that became free.
    pub fn apply(&self, row: &mut Map<String, Value>) {
        // A row that lacks the source lacks the field: another field of that name is not meant.
        for (target, source) in &self.pairs {
            if target != source && !row.contains_key(source.split('.').next().unwrap_or(source)) {
                row.shift_remove(target);
            }
        }
        let found: Vec<(&str, &str, Value)> = self
            .pairs
            .iter()
            .filter_map(|(target, source)| {
                Some((target.as_str(), source.as_str(), take(row, source)?))
            })
            .collect();
        for (target, source, value) in found {
            if let Some(old) = row.insert(target.to_string(), value)
                && !row.contains_key(source)
            {
                row.insert(source.to_string(), old);
            }
        }
    }
}

impl FromStr for FieldMap {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        FieldMap::parse(&text.split(',').collect::<Vec<_>>())
    }
}

/// Takes a field out; a path into the row is copied, its field stays.
fn take(row: &mut Map<String, Value>, source: &str) -> Option<Value> {
    if let Some(value) = row.shift_remove(source) {
        return Some(value);
    }
    let mut steps = source.split('.');
    let mut value = row.get(steps.next()?)?;
    for step in steps {
        value = match value {
            Value::Object(map) => map.get(step)?,
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn applied(map: &str, row: Value) -> Value {
        let Value::Object(mut row) = row else {
            unreachable!("tests give objects")
        };
        map.parse::<FieldMap>().unwrap().apply(&mut row);
        Value::Object(row)
    }

    #[test]
    fn fields_are_renamed() {
        let row = json!({"prompt": "q", "answers": [{"text": "a"}], "x": 1});
        assert_eq!(
            applied("instruction=prompt,response=answers.0.text", row),
            json!({"x": 1, "answers": [{"text": "a"}], "instruction": "q", "response": "a"})
        );
        assert_eq!(
            applied(
                "response_a=response_b,response_b=response_a",
                json!({"response_a": 1, "response_b": 2})
            ),
            json!({"response_a": 2, "response_b": 1})
        );
        assert_eq!(
            applied("response=best", json!({"response": 1, "best": 2})),
            json!({"response": 2, "best": 1})
        );
        assert_eq!(applied("a=b", json!({"c": 1})), json!({"c": 1}));
        assert_eq!(applied("a=b", json!({"a": 1, "c": 1})), json!({"c": 1}));
    }

    #[test]
    fn a_mapping_has_two_sides() {
        for text in ["prompt", "=prompt", "instruction="] {
            let error = FieldMap::parse(&[text]).unwrap_err().to_string();
            assert!(error.contains("TARGET=SOURCE"), "{error}");
        }
        assert!(FieldMap::new().is_empty());
    }
}
