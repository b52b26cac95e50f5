//! Values of Parquet as JSON.

use ::parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};

use crate::data::time;

/// A row as an object. What is null is left out, as is what is no number or no text.
pub fn object(row: &Row) -> Map<String, Value> {
    let fields = row.get_column_iter();
    fields
        .map(|(name, field)| (name.clone(), value(field)))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => (*flag).into(),
        Field::Byte(n) => (*n).into(),
        Field::Short(n) => (*n).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) => (*n).into(),
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        // By its shortest digits: 0.1 stays 0.1.
        Field::Float16(x) => short(f32::from(*x)),
        Field::Float(x) => short(*x),
        Field::Double(x) => number(*x),
        Field::Decimal(decimal) => {
            let scale = i32::from(u8::try_from(decimal.scale()).unwrap_or(u8::MAX));
            unscaled(decimal.data()).map_or(Value::Null, |n| decimal_number(n, scale))
        }
        Field::Str(text) => text.as_str().into(),
        // Text that older programs did not mark as such.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => Value::Null,
        },
        Field::Date(days) => time::date(i64::from(*days) * 86_400_000).into(),
        Field::TimestampMillis(ms) => time::rfc3339(*ms).into(),
        Field::TimestampMicros(us) => time::rfc3339(us.div_euclid(1000)).into(),
        Field::TimeMillis(ms) => clock(i64::from(*ms)),
        Field::TimeMicros(us) => clock(us.div_euclid(1000)),
        Field::Group(row) => Value::Object(object(row)),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().map(|(key, held)| {
                let key = match value(key) {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                (key, value(held))
            });
            Value::Object(entries.collect())
        }
    }
}

fn number(x: f64) -> Value {
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}

fn short(x: f32) -> Value {
    number(x.to_string().parse().unwrap_or(f64::from(x)))
}

/// `HH:MM:SS.mmm` of milliseconds since midnight.
fn clock(ms: i64) -> Value {
    let ms = ms.rem_euclid(86_400_000);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{ms:03}", seconds % 60).into()
}

/// A signed number of up to sixteen bytes, the highest first.
fn unscaled(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let fill = if first & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [fill; 16];
    let at = wide.len().checked_sub(bytes.len())?;
    wide.get_mut(at..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

fn decimal_number(unscaled: i128, scale: i32) -> Value {
    // By its digits, so that 0.1 is the number that is written 0.1.
    let digits = format!("{unscaled}e-{scale}");
    digits.parse().map_or(Value::Null, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(short(0.1).to_string(), "0.1");
        assert_eq!(short(f32::NAN), Value::Null);
        let of = |bytes: &[u8], scale| unscaled(bytes).map(|n| decimal_number(n, scale));
        assert_eq!(of(&[0x30, 0x39], 2).unwrap().to_string(), "123.45");
        assert_eq!(of(&[0xff], 1).unwrap().to_string(), "-0.1");
        assert_eq!(of(&[], 1), None);
        assert_eq!(of(&[0; 17], 1), None);
        assert_eq!(clock(86_399_999), "23:59:59.999");
    }
}
