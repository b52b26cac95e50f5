//! The columns of a table: what the rows have, and of what kind it is.

use std::collections::HashMap;

use serde_json::Value;

use super::Row;

/// What all values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// Whole numbers that fit 64 bits with a sign.
    Whole,
    Number,
    /// Everything else, as [`text`] writes it.
    Text,
}

/// Columns in the order of first appearance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    names: Vec<String>,
    kinds: Vec<Option<Kind>>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// Of all rows.
    pub fn of(rows: impl Iterator<Item = Row>) -> Self {
        let mut columns = Columns::default();
        for row in rows {
            for (name, value) in &row {
                columns.see(name, value);
            }
        }
        columns
    }

    fn see(&mut self, name: &str, value: &Value) {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                let place = self.names.len();
                self.names.push(name.to_owned());
                self.kinds.push(None);
                self.places.insert(name.to_owned(), place);
                place
            }
        };
        if let (Some(kind), Some(new)) = (self.kinds.get_mut(place), kind(value)) {
            *kind = Some(match *kind {
                None => new,
                Some(old) if old == new => old,
                Some(Kind::Whole | Kind::Number) if matches!(new, Kind::Whole | Kind::Number) => {
                    Kind::Number
                }
                Some(_) => Kind::Text,
            });
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Names with kinds; a column of nulls is one of text.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, Kind)> {
        let kinds = self.kinds.iter().map(|kind| kind.unwrap_or(Kind::Text));
        self.names().zip(kinds)
    }
}

fn kind(value: &Value) -> Option<Kind> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(Kind::Bool),
        Value::Number(number) if number.is_i64() => Some(Kind::Whole),
        Value::Number(_) => Some(Kind::Number),
        _ => Some(Kind::Text),
    }
}

/// A value as a cell: a text as it is, everything else as JSON; nothing for null.
pub fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_of_the_narrowest_kind() {
        let rows = [
            json!({"a": 1, "b": 1, "c": true, "d": null, "e": "x"}),
            json!({"b": 0.5, "a": -3, "c": 1, "e": [1], "f": u64::MAX, "g": false}),
        ];
        let rows = rows.iter().filter_map(|row| row.as_object().cloned());
        let columns = Columns::of(rows);
        let found: Vec<_> = columns.kinds().collect();
        use Kind::*;
        let expected = [
            ("a", Whole),
            ("b", Number),
            ("c", Text),
            ("d", Text),
            ("e", Text),
            ("f", Number),
            ("g", Bool),
        ];
        assert_eq!(found, expected);
        assert_eq!(text(Some(&json!({"x": [1]}))).unwrap(), "{\"x\":[1]}");
        assert_eq!(text(Some(&Value::Null)), None);
    }
}
