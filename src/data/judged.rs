//! Judged pairs as columns of numbers: rows that `juror pair` wrote, pairs with a label, answers labelled beside their
//! reference, AlpacaEval's annotations. Texts are not kept.

mod orders;
mod outcome;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde_json::{Map, Value};

pub use orders::Order;
pub use outcome::outcome;

use super::container::RawRows;
use super::error::{DataError, RowError};
use super::options::FieldMap;
use super::record::Record;
use super::scored::{Names, field, number};

/// What the reference is called where it is one of the two.
pub const REFERENCE: &str = "reference";

/// Which columns are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The label: of `labels`, of `meta` or of the row.
    pub label: Option<String>,
    /// Fields whose values tell groups of rows apart.
    pub fields: Vec<String>,
    /// Rows whose field has another value are left out.
    pub only: Vec<(String, String)>,
}

/// Judged pairs by column. What is missing is NaN or `None`.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What answer a won by the judge (field `winner`): 1, ½ for a tie, 0.
    pub verdict: Vec<f64>,
    /// What answer a won by the label.
    pub label: Vec<f64>,
    /// The distinct generators, in order of first appearance.
    pub generators: Vec<String>,
    /// Who wrote a and b, as places in `generators`.
    pub generator_a: Vec<Option<u32>>,
    pub generator_b: Vec<Option<u32>>,
    /// Characters of the answers.
    pub length_a: Vec<f64>,
    pub length_b: Vec<f64>,
    /// The verdicts of each order alone, where the row tells of both.
    pub orders: Vec<Option<Order>>,
    /// The instruction each row belongs to: its hash, or the row's id.
    pub instruction: Names,
    /// Hash of the row's id, or of what tells it from others: the same pair in another file has the same.
    pub key: Vec<u64>,
    /// Wanted fields by name.
    pub fields: BTreeMap<String, Names>,
    /// Rows that carry an error instead of a verdict.
    pub failed: usize,
    known: HashMap<String, u32>,
    rows: usize,
}

impl Judged {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A wanted field; `None` where no row has it.
    pub fn field(&self, name: &str) -> Option<&Names> {
        Names::of(&self.fields, name)
    }

    /// Which rows belong together: those with the same value of a field, or of one instruction. Rows without a value
    /// each stand alone.
    ///
    /// # Errors
    /// A field that no row has.
    pub fn clusters(&self, field: Option<&str>) -> Result<Vec<usize>, String> {
        let names = match field {
            None => &self.instruction,
            Some(name) => self
                .field(name)
                .ok_or_else(|| super::scored::no_field(name))?,
        };
        let alone = names.values.len();
        let each = names.rows.iter().enumerate();
        Ok(each
            .map(|(row, name)| name.map_or(alone + row, |name| name as usize))
            .collect())
    }

    /// What the longer answer won: the verdict of a judge of length alone.
    pub fn longer(&self) -> Vec<f64> {
        let each = self.length_a.iter().zip(&self.length_b);
        each.map(|(a, b)| match a.partial_cmp(b) {
            None => f64::NAN,
            Some(order) => (f64::from(order as i8) + 1.0) / 2.0,
        })
        .collect()
    }

    /// Adds the rows of a file; bad rows come beside.
    ///
    /// # Errors
    /// A file that cannot be read, or of which no row is a judged pair.
    pub fn read(
        &mut self,
        path: &Path,
        fields: &FieldMap,
        wanted: &Wanted,
    ) -> Result<Vec<RowError>, DataError> {
        let mut errors = Vec::new();
        let mut any = false;
        for row in RawRows::open(path, fields)? {
            let mut row = match row {
                Ok(row) => row,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            fields.apply(&mut row.object);
            match self.push(&row.object, wanted) {
                Ok(()) => any = true,
                Err(cause) => {
                    let mut error = RowError::new(path, row.line, cause);
                    error.element = row.element;
                    errors.push(error);
                }
            }
        }
        if !any {
            let Some(first) = errors.first().cloned() else {
                return Err(DataError::Empty {
                    path: path.to_path_buf(),
                });
            };
            return Err(DataError::NothingRead {
                first: Box::new(first),
                errors: errors.len(),
            });
        }
        Ok(errors)
    }

    fn push(&mut self, row: &Map<String, Value>, wanted: &Wanted) -> Result<(), String> {
        let form = Form::of(row).ok_or(
            "no judged pair: neither `winner` with `generator_a` and `generator_b` nor two answers are here; `juror pair` \
             judges pairs",
        )?;
        let mut only = wanted.only.iter();
        if !only.all(|(name, value)| field(row, name).as_ref() == Some(value)) {
            return Ok(());
        }
        let read = |name: &str, value: Option<&Value>| match value {
            None | Some(Value::Null) => Ok(f64::NAN),
            Some(value) => outcome(name, value, form == Form::Annotation),
        };
        let verdict = read("winner", row.get("winner"))?;
        let label = match &wanted.label {
            None => f64::NAN,
            Some(name) => read(name, labelled(row, name))?,
        };
        let (generator_a, generator_b) = form.generators(row);
        let lengths = form.lengths(row);
        let id = identity(row);
        let mut hasher = DefaultHasher::new();
        (&id, &generator_a, &generator_b).hash(&mut hasher);
        for side in ["response_a_id", "response_b_id"] {
            row.get(side).and_then(Value::as_str).hash(&mut hasher);
        }
        self.key.push(hasher.finish());
        self.instruction.push(instruction(row).or(id));
        self.verdict.push(verdict);
        self.label.push(label);
        let a = self.number(generator_a);
        self.generator_a.push(a);
        let b = self.number(generator_b);
        self.generator_b.push(b);
        self.length_a.push(lengths.0);
        self.length_b.push(lengths.1);
        self.orders.push(orders::of(row));
        for name in &wanted.fields {
            let names = self.fields.entry(name.clone()).or_default();
            names.push(field(row, name));
        }
        self.failed += usize::from(row.get("error").is_some_and(|e| !e.is_null()));
        self.rows += 1;
        Ok(())
    }

    fn number(&mut self, generator: Option<String>) -> Option<u32> {
        let name = generator?;
        if let Some(number) = self.known.get(&name) {
            return Some(*number);
        }
        let number = self.generators.len() as u32;
        self.generators.push(name.clone());
        self.known.insert(name, number);
        Some(number)
    }
}

/// How a row tells of two answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `a` and `b`, as in rows of `juror pair` and in pairs.
    Sides,
    /// `response` beside `reference`.
    Reference,
    /// AlpacaEval's `output_1` and `output_2`, with a preference from 1 to 2.
    Annotation,
}

impl Form {
    fn of(row: &Map<String, Value>) -> Option<Self> {
        let has = |name: &str| row.get(name).is_some_and(|value| !value.is_null());
        let sides = [
            ("generator_a", "generator_b"),
            ("model_a", "model_b"),
            ("response_a", "response_b"),
        ];
        if sides.iter().any(|(a, b)| has(a) && has(b)) || row.contains_key("winner") {
            Some(Form::Sides)
        } else if has("generator_1") && has("generator_2") && has("preference") {
            Some(Form::Annotation)
        } else if has("response") && has("reference") && has("generator") {
            Some(Form::Reference)
        } else {
            None
        }
    }

    fn generators(self, row: &Map<String, Value>) -> (Option<String>, Option<String>) {
        let text = |names: [&str; 2]| {
            let found = names.iter().find_map(|name| row.get(*name)?.as_str());
            found.filter(|name| !name.is_empty()).map(str::to_owned)
        };
        match self {
            Form::Sides => {
                // `juror pair --against-reference` has no generator for it.
                let is_reference = text(["response_b_id"; 2]).as_deref() == Some(REFERENCE);
                let reference = || is_reference.then(|| REFERENCE.to_owned());
                let b = text(["generator_b", "model_b"]).or_else(reference);
                (text(["generator_a", "model_a"]), b)
            }
            Form::Annotation => (text(["generator_1"; 2]), text(["generator_2"; 2])),
            Form::Reference => (text(["generator"; 2]), Some(REFERENCE.to_owned())),
        }
    }

    fn lengths(self, row: &Map<String, Value>) -> (f64, f64) {
        let characters = |name: &str| match row.get(name) {
            Some(Value::String(text)) => text.chars().count() as f64,
            _ => f64::NAN,
        };
        let (a, b) = match self {
            Form::Sides => ("response_a", "response_b"),
            Form::Annotation => ("output_1", "output_2"),
            Form::Reference => ("response", "reference"),
        };
        let told = |name: &str, text: &str| match number(row.get(name)) {
            told if told.is_nan() => characters(text),
            told => told,
        };
        (told("length_a", a), told("length_b", b))
    }
}

/// The label under a name: of `labels`, of `meta`, else of the row itself.
fn labelled<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let inner = |part: &str| row.get(part).and_then(|part| part.get(name));
    inner("labels").or_else(|| inner("meta")).or(row.get(name))
}

/// The row's id, however it is called.
fn identity(row: &Map<String, Value>) -> Option<String> {
    let names = ["id", "question_id", "instr_id", "index"];
    names.iter().find_map(|name| match row.get(*name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// What tells rows of one instruction from those of others: its hash.
fn instruction(row: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    if let Some(hash) = text("instruction_hash") {
        return Some(hash.to_owned());
    }
    let task = Record {
        instruction: text("instruction")?.to_owned(),
        input: text("input").filter(|i| !i.is_empty()).map(str::to_owned),
        context: text("context").map(str::to_owned),
        ..Record::default()
    };
    Some(task.instruction_hash())
}

/// Whether a file's first row that can be read is a verdict on two generators.
pub fn is_judged(path: &Path) -> bool {
    let Ok(rows) = RawRows::open(path, &FieldMap::default()) else {
        return false;
    };
    let first = rows.take(100).find_map(Result::ok);
    first.is_some_and(|row| {
        let has = |name: &str| row.object.contains_key(name);
        let named = |a: &str, b: &str| has(a) && has(b);
        let sides = named("generator_a", "generator_b") || named("model_a", "model_b");
        has("winner") && sides || named("generator_1", "generator_2") && has("preference")
    })
}

#[cfg(test)]
mod tests;
