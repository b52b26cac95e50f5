//! Taking typed fields out of a JSON object, with errors that name the field, what was expected and
//! what was found.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::record::{Record, Response};

/// The fields of one row that are not taken yet.
#[derive(Clone, Debug)]
pub struct Fields {
    map: Map<String, Value>,
    /// Where the object lies within its row, such as `responses[2].`.
    path: String,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is not there.
    #[error("field `{field}` is missing{hint}")]
    Missing {
        /// Its name.
        field: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// It holds something else.
    #[error("field `{field}`: expected {expected}, found {found}")]
    Type {
        /// Its name.
        field: String,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// Nothing known is there.
    #[error("{0}")]
    Shape(String),
}

impl Fields {
    /// The fields of a row.
    pub fn new(map: Map<String, Value>) -> Self {
        Fields {
            map,
            path: String::new(),
        }
    }

    /// The fields of an object within a row.
    pub fn within(path: String, map: Map<String, Value>) -> Self {
        Fields { map, path }
    }

    /// An error about one of these fields.
    pub fn wrong(&self, name: &str, expected: &'static str, found: &Value) -> FieldError {
        FieldError::Type {
            field: format!("{}{name}", self.path),
            expected,
            found: describe(found),
        }
    }

    /// That a field is not there.
    pub fn missing(&self, name: &str, hint: &'static str) -> FieldError {
        FieldError::Missing {
            field: format!("{}{name}", self.path),
            hint,
        }
    }

    /// Whether a field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// A field as it is; null counts as absent.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// A string, or nothing where the field is absent or null.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, FieldError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "a string", &other)),
        }
    }

    /// A string that says something; blank counts as absent.
    pub fn filled(&mut self, name: &str) -> Result<Option<String>, FieldError> {
        Ok(self.text(name)?.filter(|text| !text.trim().is_empty()))
    }

    /// A string that must be there.
    pub fn needed(&mut self, name: &str, hint: &'static str) -> Result<String, FieldError> {
        self.text(name)?.ok_or_else(|| self.missing(name, hint))
    }

    /// An id: a string or a whole number.
    pub fn id(&mut self) -> Result<Option<String>, FieldError> {
        match self.value("id") {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(self.wrong("id", "a string or a number", &other)),
        }
    }

    /// The numeric fields among `names`, also where a number is written as text. A boolean counts as
    /// 1 or 0; words in `label` are no number and stay.
    pub fn labels(&mut self, names: &[String]) -> Result<BTreeMap<String, f64>, FieldError> {
        let mut labels = BTreeMap::new();
        for name in names {
            let number = match self.map.get(name) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => match text.trim().parse::<f64>() {
                    Ok(number) => Some(number).filter(|number| number.is_finite()),
                    Err(_) if name == "label" => continue,
                    Err(_) => None,
                },
                Some(Value::Bool(flag)) => Some(f64::from(u8::from(*flag))),
                Some(Value::Number(number)) => number.as_f64().filter(|number| number.is_finite()),
                Some(_) => None,
            };
            let value = self.map.shift_remove(name).unwrap_or_default();
            match number {
                Some(number) => {
                    labels.insert(name.clone(), number);
                }
                None => return Err(self.wrong(name, "a number", &value)),
            }
        }
        Ok(labels)
    }

    /// What belongs to the record in every format but the conversations: the task with its input,
    /// context, reference, rubric and category. Id, responses and meta are left to the format.
    pub fn task(&mut self) -> Result<Record, FieldError> {
        let mut record = self.setting()?;
        record.instruction = self.needed(
            "instruction",
            "; where it has another name, give --field instruction=NAME",
        )?;
        if record.instruction.trim().is_empty() && record.input.is_none() {
            return Err(FieldError::Shape(format!(
                "field `{}instruction` is empty",
                self.path
            )));
        }
        Ok(record)
    }

    /// As [`Fields::task`], without the instruction.
    pub fn setting(&mut self) -> Result<Record, FieldError> {
        Ok(Record {
            input: self.filled("input")?,
            context: self.filled("context")?,
            reference: self.filled("reference")?,
            rubric: self.filled("rubric")?,
            category: self.filled("category")?,
            ..Record::default()
        })
    }

    /// One response with its text under `name`, its generator, labels and reason. Id and meta are left
    /// to the format.
    pub fn response(&mut self, name: &str, labels: &[String]) -> Result<Response, FieldError> {
        let text = self.needed(
            name,
            "; where it has another name, give --field response=NAME",
        )?;
        Ok(Response {
            generator: self.filled("generator")?,
            text,
            labels: self.labels(labels)?,
            reason: self.reason()?,
            ..Response::default()
        })
    }

    fn reason(&mut self) -> Result<Option<String>, FieldError> {
        let name = if self.has("reason") {
            "reason"
        } else {
            "rationale"
        };
        self.filled(name)
    }

    /// Everything not taken.
    pub fn rest(self) -> Map<String, Value> {
        self.map
    }
}

/// A value in words, for messages: its type, and the beginning of it where it is short.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let start: String = text.chars().take(24).collect();
            let more = if start.len() < text.len() { "…" } else { "" };
            format!("the string {start:?}{more}")
        }
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(map) => format!("an object with {} fields", map.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::new(map),
            _ => unreachable!("tests give objects"),
        }
    }

    #[test]
    fn a_wrong_type_names_field_expected_and_found() {
        let mut row = fields(json!({"instruction": 5, "p": "high", "id": [1]}));
        assert_eq!(
            row.task().unwrap_err().to_string(),
            "field `instruction`: expected a string, found the number 5"
        );
        assert_eq!(
            row.labels(&["p".into()]).unwrap_err().to_string(),
            "field `p`: expected a number, found the string \"high\""
        );
        assert!(row.id().unwrap_err().to_string().contains("an array of 1"));
        let row = Fields::within("responses[1].".into(), Map::new());
        assert!(
            row.missing("text", "")
                .to_string()
                .contains("responses[1].text")
        );
    }

    #[test]
    fn labels_are_the_numbers_among_the_names() {
        let names: Vec<String> = ["p", "score", "label", "rating", "gone"]
            .map(String::from)
            .into();
        let mut row =
            fields(json!({"p": 0.25, "score": null, "label": "tie", "rating": true, "x": 1}));
        let labels = row.labels(&names).unwrap();
        assert_eq!(
            labels.into_iter().collect::<Vec<_>>(),
            [("p".to_string(), 0.25), ("rating".to_string(), 1.0)]
        );
        let left: Vec<_> = row.rest().into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["score", "label", "x"]);
    }

    #[test]
    fn blank_fields_are_absent() {
        let row = json!({"instruction": "do", "input": "", "reference": " \n", "context": null});
        let record = fields(row).task().unwrap();
        assert_eq!(record.input, None);
        assert_eq!(record.reference, None);
        assert_eq!(record.context, None);
        assert!(fields(json!({"instruction": " "})).task().is_err());
        assert!(
            fields(json!({"instruction": "", "input": "x"}))
                .task()
                .is_ok()
        );
        assert!(
            fields(json!({}))
                .task()
                .unwrap_err()
                .to_string()
                .contains("--field")
        );
    }
}
