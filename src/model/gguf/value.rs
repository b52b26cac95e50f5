//! Metadata of a GGUF file: typed values under names, with errors that name what is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::{ModelError, Result};

/// The numeric types of GGUF's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    U64,
    I64,
    F64,
}

impl Scalar {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            Scalar::U8 | Scalar::I8 | Scalar::Bool => 1,
            Scalar::U16 | Scalar::I16 => 2,
            Scalar::U32 | Scalar::I32 | Scalar::F32 => 4,
            Scalar::U64 | Scalar::I64 | Scalar::F64 => 8,
        }
    }

    /// The value that [`Self::size`] bytes stand for.
    pub fn decode(self, bytes: &[u8]) -> Value {
        let mut wide = [0; 8];
        wide[..self.size()].copy_from_slice(&bytes[..self.size()]);
        let bits = u64::from_le_bytes(wide);
        match self {
            Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => Value::Unsigned(bits),
            Scalar::I8 => Value::Signed((bits as u8 as i8).into()),
            Scalar::I16 => Value::Signed((bits as u16 as i16).into()),
            Scalar::I32 => Value::Signed((bits as u32 as i32).into()),
            Scalar::I64 => Value::Signed(bits as i64),
            Scalar::F32 => Value::Float(decimal(f32::from_bits(bits as u32))),
            Scalar::F64 => Value::Float(f64::from_bits(bits)),
            Scalar::Bool => Value::Bool(bits != 0),
        }
    }
}

/// The f64 that a person wrote before it became an f32: 1e-5, not 9.99999974737875e-6.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    /// An array of numbers, kept as it lies in the file: decoding it would multiply its size.
    Numbers(Scalar, Vec<u8>),
    /// An array of arrays: nothing here uses one.
    Nested,
}

impl Value {
    fn describe(&self) -> String {
        match self {
            Value::Unsigned(n) => n.to_string(),
            Value::Signed(n) => n.to_string(),
            Value::Float(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Text(_) => "a text".into(),
            Value::Texts(many) => format!("{} texts", many.len()),
            Value::Numbers(kind, bytes) => format!("{} numbers", bytes.len() / kind.size()),
            Value::Nested => "an array of arrays".into(),
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Value::Unsigned(n) => i64::try_from(*n).ok(),
            Value::Signed(n) => Some(*n),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Value::Float(n) => Some(*n),
            other => other.integer().map(|n| n as f64),
        }
    }
}

/// All values of a file.
pub struct Metadata {
    pub path: PathBuf,
    pub values: BTreeMap<String, Value>,
}

impl Metadata {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error about a key.
    pub fn wrong(&self, key: &str, expected: &str) -> ModelError {
        let cause = match self.values.get(key) {
            None => format!("metadata `{key}` is missing ({expected} expected)"),
            Some(v) => format!("metadata `{key}` is {}, {expected} expected", v.describe()),
        };
        ModelError::file(&self.path, cause)
    }

    fn pick<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        take: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(value) => take(value)
                .map(Some)
                .ok_or_else(|| self.wrong(key, expected)),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// A value of another type; so for all that follow.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        self.pick(key, "a text", |v| match v {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Texts.
    ///
    /// # Errors
    /// A value of another type.
    pub fn texts(&self, key: &str) -> Result<Option<&[String]>> {
        self.pick(key, "an array of texts", |v| match v {
            Value::Texts(texts) => Some(texts.as_slice()),
            _ => None,
        })
    }

    /// A whole number, zero included.
    ///
    /// # Errors
    /// A value of another type, or a negative one.
    pub fn size(&self, key: &str) -> Result<Option<usize>> {
        self.pick(key, "a whole number", |v| {
            usize::try_from(v.integer()?).ok()
        })
    }

    /// A token's id.
    ///
    /// # Errors
    /// A value of another type, or one that is no id.
    pub fn id(&self, key: &str) -> Result<Option<u32>> {
        self.pick(key, "a token id", |v| u32::try_from(v.integer()?).ok())
    }

    /// A finite number.
    ///
    /// # Errors
    /// A value of another type, or an infinity.
    pub fn number(&self, key: &str) -> Result<Option<f64>> {
        self.pick(key, "a finite number", |v| {
            v.float().filter(|n| n.is_finite())
        })
    }

    /// Yes or no.
    ///
    /// # Errors
    /// A value of another type.
    pub fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.pick(key, "true or false", |v| match v {
            Value::Bool(b) => Some(*b),
            _ => None,
        })
    }

    /// Numbers, from an array of any numeric type.
    ///
    /// # Errors
    /// A value of another type.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>> {
        self.pick(key, "an array of numbers", |v| match v {
            Value::Numbers(kind, bytes) => bytes
                .chunks_exact(kind.size())
                .map(|b| match kind.decode(b) {
                    Value::Bool(b) => Some(f64::from(u8::from(b))),
                    // The exact value: scores are compared, never shown.
                    Value::Float(_) if *kind == Scalar::F32 => {
                        Some(f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into())
                    }
                    other => other.float(),
                })
                .collect(),
            _ => None,
        })
    }

    /// Whether an array stands under a key.
    pub fn is_array(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Numbers(..)))
    }
}
