//! Rows that `juror score` wrote, as columns of numbers: texts are not kept.

mod collect;
mod origin;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use serde_json::{Map, Value};

pub use collect::Collector;
pub use origin::Origin;

use super::container::JsonRows;
use super::error::{DataError, RowError};
use super::source;

/// Which columns are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The label, among `labels`, else a number among the other fields; without a name the first that a row
    /// has among `labels`.
    pub label: Option<String>,
    /// Fields whose values tell groups of rows apart.
    pub fields: Vec<String>,
    /// Whether the surfaces of responses are wanted whole.
    pub surface: bool,
    /// Rows whose field has another value are left out.
    pub only: Vec<(String, String)>,
}

/// A column of names, each written once.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The distinct values, in order of first appearance.
    pub values: Vec<String>,
    /// For each row the place of its value; `None` where the row has none.
    pub rows: Vec<Option<u32>>,
    known: HashMap<String, u32>,
}

impl Names {
    /// Those of a field that some row has.
    pub(super) fn of<'f>(fields: &'f BTreeMap<String, Names>, name: &str) -> Option<&'f Names> {
        fields.get(name).filter(|names| !names.values.is_empty())
    }

    /// Adds a row.
    pub(super) fn push(&mut self, value: Option<String>) {
        let place = value.map(|value| {
            let next = self.values.len() as u32;
            let values = &mut self.values;
            *self.known.entry(value).or_insert_with_key(|value| {
                values.push(value.clone());
                next
            })
        });
        self.rows.push(place);
    }
}

/// Scored rows by column. A number that is missing is NaN.
#[derive(Clone, Debug, Default)]
pub struct Scored {
    /// Signals by name, one number a row.
    pub signals: BTreeMap<String, Vec<f64>>,
    pub label: Vec<f64>,
    /// Which one `label` holds, once a row told.
    pub label_name: Option<String>,
    /// Characters of the response, and its list items.
    pub length: Vec<f64>,
    pub list_items: Vec<f64>,
    /// The surface of each response, empty where its row has none; no rows where they are not wanted.
    pub surface: Vec<Vec<f32>>,
    /// Hash of record and response: the same response in another file has the same.
    pub key: Vec<u64>,
    /// The instruction each row belongs to: its hash, or the record's id where rows have none.
    pub instruction: Names,
    /// The record each row belongs to.
    pub record: Names,
    pub generator: Names,
    /// Wanted fields by name.
    pub fields: BTreeMap<String, Names>,
    /// The largest value of the scale's labels, and the smallest, where a row tells.
    pub scale: Option<(f64, f64)>,
    /// Rows that carry an error instead of a score.
    pub failed: usize,
    /// Judge and template, and hashes of both, as the first row says.
    pub judge: Option<String>,
    /// What rows tell of judge, template and embedder, the first of each first.
    pub judges: Vec<Origin>,
    pub templates: Vec<Origin>,
    pub embedders: Vec<Origin>,
    /// Hash of what embedded, as the first row that tells says.
    pub embedder: Option<String>,
    /// `reference` and `reference-free`, as far as rows have them.
    pub modes: BTreeSet<String>,
    /// How `fused` was made, as the first row says.
    pub fusion: Option<String>,
    /// Whether other rows say something else.
    pub mixed: bool,
    rows: usize,
}

impl Scored {
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

    /// A signal's column as a number that rises with quality.
    ///
    /// # Errors
    /// As [`Scored::signal`].
    pub fn quality(&self, name: &str) -> Result<Vec<f64>, String> {
        let column = self.signal(name)?;
        Ok(column.iter().map(|x| quality(name, *x)).collect())
    }

    /// The signal to use where nobody named one: `fused` if every scored row has it, else `self_eval`.
    pub fn default_signal(&self) -> &'static str {
        let there = |name: &str| {
            let column = self.signals.get(name);
            column.map_or(0, |c| c.iter().filter(|x| !x.is_nan()).count())
        };
        match there("fused") > 0 && there("fused") >= there("self_eval") {
            true => "fused",
            false => "self_eval",
        }
    }

    /// A signal's column.
    ///
    /// # Errors
    /// A signal that no row has, with those that there are.
    pub fn signal(&self, name: &str) -> Result<&[f64], String> {
        let column = self.signals.get(name).map(Vec::as_slice);
        column.ok_or_else(|| {
            let known: Vec<&str> = self.signals.keys().map(String::as_str).collect();
            format!("no signal `{name}`; the rows have {}", known.join(", "))
        })
    }

    /// Which rows belong together: those with the same value of a field, or of one instruction. Rows without a
    /// value each stand alone.
    ///
    /// # Errors
    /// A field that no row has.
    pub fn clusters(&self, field: Option<&str>) -> Result<Vec<usize>, String> {
        let names = match field {
            None => &self.instruction,
            Some(name) => self.field(name).ok_or_else(|| no_field(name))?,
        };
        let alone = names.values.len();
        let each = names.rows.iter().enumerate();
        Ok(each
            .map(|(row, name)| name.map_or(alone + row, |name| name as usize))
            .collect())
    }

    fn push(&mut self, row: &Map<String, Value>, wanted: &Wanted) -> Result<(), String> {
        let signals = row.get("signals").and_then(Value::as_object).ok_or(
            "field `signals` is missing: this is no row of `juror score`; score the data first",
        )?;
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let id = text("id").ok_or("field `id`: expected a string")?;
        let only = wanted.only.iter();
        if !only
            .clone()
            .all(|(name, value)| field(row, name).as_ref() == Some(value))
        {
            return Ok(());
        }
        let response = text("response_id").unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        (id, response).hash(&mut hasher);
        self.key.push(hasher.finish());
        let instruction = text("instruction_hash").unwrap_or(id);
        self.instruction.push(Some(instruction.to_owned()));
        self.record.push(Some(id.to_owned()));
        self.generator.push(text("generator").map(str::to_owned));
        for name in &wanted.fields {
            let names = self.fields.entry(name.clone()).or_default();
            names.push(field(row, name));
        }
        if self.label_name.is_none() {
            let labels = row.get("labels").and_then(Value::as_object);
            let first = labels.and_then(|labels| labels.keys().next());
            self.label_name = wanted.label.as_ref().or(first).cloned();
        }
        let label = |part: &str| row.get(part)?.get(self.label_name.as_ref()?);
        let label = label("labels").or_else(|| label("meta"));
        self.label.push(number(label));
        self.length.push(number(row.get("length")));
        self.list_items.push(number(row.get("list_items")));
        if wanted.surface {
            let surface = row.get("surface").and_then(Value::as_array);
            let features = surface
                .into_iter()
                .flatten()
                .map(|x| number(Some(x)) as f32);
            self.surface.push(features.collect());
        }
        for (name, value) in signals {
            if !self.signals.contains_key(name) {
                let before = vec![f64::NAN; self.rows];
                self.signals.insert(name.clone(), before);
            }
            if let Some(column) = self.signals.get_mut(name) {
                column.resize(self.rows, f64::NAN);
                column.push(number(Some(value)));
            }
        }
        self.failed += usize::from(row.get("error").is_some_and(|e| !e.is_null()));
        if self.scale.is_none() {
            self.scale = scale(row);
        }
        let hashes = ["judge", "template"].map(|part| row.get(part)?.get("hash")?.as_str());
        let judge = hashes
            .iter()
            .flatten()
            .copied()
            .collect::<Vec<_>>()
            .join("+");
        origin::note(&mut self.judges, row, "judge");
        origin::note(&mut self.templates, row, "template");
        origin::note(&mut self.embedders, row, "embedder");
        let embedder = row.get("embedder").and_then(|e| e.get("hash")?.as_str());
        match (&self.embedder, embedder) {
            (None, Some(hash)) => self.embedder = Some(hash.to_owned()),
            (Some(first), Some(hash)) => self.mixed |= first != hash,
            (_, None) => (),
        }
        if let Some(mode) = text("mode").filter(|mode| !self.modes.contains(*mode)) {
            self.modes.insert(mode.to_owned());
        }
        let fusion = text("fusion").map(str::to_owned);
        match &self.judge {
            None => (self.judge, self.fusion) = (Some(judge), fusion),
            Some(first) => self.mixed |= *first != judge || self.fusion != fusion,
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(&mut self) {
        for column in self.signals.values_mut() {
            column.resize(self.rows, f64::NAN);
        }
    }
}

/// Signals of which the lower number is the better one.
pub const LOWER_IS_BETTER: [&str; 2] = ["ppl", "disagreement"];

/// A signal as a number that rises with quality: −ln of a perplexity; judges that disagree are less to be trusted.
pub fn quality(signal: &str, value: f64) -> f64 {
    match signal {
        "ppl" => -value.ln(),
        "disagreement" => -value,
        _ => value,
    }
}

/// What [`quality`] makes of a signal, in words.
pub fn quality_name(signal: &str) -> String {
    match signal {
        "ppl" => "−ln ppl".to_owned(),
        "disagreement" => "−disagreement".to_owned(),
        _ => signal.to_owned(),
    }
}

/// Says that no row has a field.
pub fn no_field(name: &str) -> String {
    format!("no row has the field `{name}`")
}

pub(super) fn number(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Number(n)) => n.as_f64().unwrap_or(f64::NAN),
        Some(Value::Bool(b)) => f64::from(u8::from(*b)),
        _ => f64::NAN,
    }
}

/// A field's value as text: of the row, else of its `labels` or `meta`.
pub(super) fn field(row: &Map<String, Value>, name: &str) -> Option<String> {
    let inner = |part: &str| row.get(part).and_then(|part| part.get(name));
    let value = row
        .get(name)
        .or_else(|| inner("labels"))
        .or_else(|| inner("meta"))?;
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The ends of the scale from the labels of a distribution.
fn scale(row: &Map<String, Value>) -> Option<(f64, f64)> {
    let labels = row.get("self_eval")?.get("labels")?.as_array()?.iter();
    let values = labels.filter_map(|l| l.as_str()?.trim().parse::<f64>().ok());
    values.fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// Whether a file's first row that can be read is a scored one.
pub fn is_scored(path: &Path) -> bool {
    let Ok(source) = source::open(path) else {
        return false;
    };
    let first = JsonRows::new(path, source).take(100).find_map(Result::ok);
    first.is_some_and(|row| row.object.get("signals").is_some_and(Value::is_object))
}

/// Reads a file of scored rows; bad rows come beside.
///
/// # Errors
/// A file that cannot be read, or has no scored row.
pub fn read(path: &Path, wanted: &Wanted) -> Result<(Scored, Vec<RowError>), DataError> {
    let (mut scored, mut errors) = (Scored::default(), Vec::new());
    let mut any = false;
    for row in JsonRows::new(path, source::open(path)?) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        match scored.push(&row.object, wanted) {
            Ok(()) => any = true,
            Err(cause) => {
                let mut error = RowError::new(path, row.line, cause);
                error.element = row.element;
                errors.push(error);
            }
        }
    }
    scored.finish();
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
    Ok((scored, errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    const ROWS: &str = r#"{"id":"a","response_id":"1","generator":"x","signals":{"self_eval":5.0},"self_eval":{"labels":["0","9"]},"labels":{"p":0.5},"meta":{"topic":"t"},"error":null}
{"id":"a","response_id":"2","generator":"y","signals":{"self_eval":6.0,"cosine":0.5},"labels":{},"meta":{"topic":"u","p":0.25},"error":null}
{"id":7}
{"id":"b","response_id":"1","signals":{"self_eval":null,"cosine":0.7},"labels":{"p":1},"meta":{},"error":"too long"}
"#;

    #[test]
    fn rows_become_columns() {
        let wanted = Wanted {
            label: Some("p".into()),
            fields: vec!["generator".into(), "topic".into()],
            surface: true,
            only: Vec::new(),
        };
        let (found, errors) = read(file(ROWS).path(), &wanted).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains(":3: field `signals`"));
        assert_eq!(found.label, [0.5, 0.25, 1.0]);
        assert_eq!(found.signals["self_eval"][..2], [5.0, 6.0]);
        assert!(found.signals["self_eval"][2].is_nan() && found.signals["cosine"][0].is_nan());
        assert_eq!(found.signals["cosine"][1..], [0.5, 0.7]);
        assert_eq!(found.fields["topic"].values, ["t", "u"]);
        assert_eq!(found.fields["generator"].rows, [Some(0), Some(1), None]);
        assert_eq!(found.instruction.rows, [Some(0), Some(0), Some(1)]);
        assert_eq!(found.scale, Some((0.0, 9.0)));
        assert_eq!(found.failed, 1);
        let only = Wanted {
            only: vec![("generator".into(), "y".into())],
            ..wanted
        };
        assert_eq!(read(file(ROWS).path(), &only).unwrap().0.label, [0.25]);
    }

    #[test]
    fn what_is_no_scored_row_is_said_so() {
        let unscored = file("{\"instruction\":\"x\"}\n");
        let error = read(unscored.path(), &Wanted::default()).unwrap_err();
        assert!(
            error.to_string().contains("score the data first"),
            "{error}"
        );
        assert!(read(file("").path(), &Wanted::default()).is_err());
    }
}
