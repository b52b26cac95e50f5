//! Which columns can be read: all others are refused by name before a row is asked for.

use ::parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::schema::types::Type;

/// Lists within lists within lists: nobody means more than this.
const MAX_DEPTH: usize = 32;

/// Looks at all columns of a schema.
///
/// # Errors
/// The first column that cannot be read, with a cure.
pub fn check(root: &Type) -> Result<(), String> {
    if !root.is_group() || root.get_fields().is_empty() {
        return Err("a Parquet file without columns; check how it was written".to_owned());
    }
    for field in root.get_fields() {
        column(field, MAX_DEPTH).map_err(|what| {
            format!(
                "column `{}` is {what}, which is not read; write it as text, numbers, lists or structs, or leave it out",
                field.name()
            )
        })?;
    }
    Ok(())
}

/// Whether every row group has the columns that the schema promises, at places that there are.
///
/// # Errors
/// A row group that does not.
pub fn check_groups(meta: &ParquetMetaData) -> Result<(), String> {
    let columns = meta.file_metadata().schema_descr().num_columns();
    let whole = |group: &::parquet::file::metadata::RowGroupMetaData| {
        let mut all = group.columns().iter();
        let placed = all.all(|column| {
            let start = column.dictionary_page_offset();
            start.unwrap_or(column.data_page_offset()) >= 0 && column.compressed_size() >= 0
        });
        group.num_columns() == columns && group.num_rows() >= 0 && placed
    };
    match meta.row_groups().iter().all(whole) {
        true => Ok(()),
        false => Err(
            "the Parquet footer contradicts itself: the file is damaged; write or download it again".to_owned(),
        ),
    }
}

fn column(field: &Type, depth: usize) -> Result<(), String> {
    let info = field.get_basic_info();
    if depth == 0 {
        return Err(format!("nested more than {MAX_DEPTH} levels deep"));
    }
    if !info.has_repetition() {
        return Err("without a repetition".to_owned());
    }
    if field.is_primitive() {
        return primitive(field);
    }
    let children = field.get_fields();
    let only = match children {
        [] => return Err("a struct without fields".to_owned()),
        [only] => Some(only),
        _ => None,
    };
    let repeated = |child: &Type| {
        let info = child.get_basic_info();
        info.has_repetition() && info.repetition() == Repetition::REPEATED
    };
    match info.converted_type() {
        ConvertedType::LIST if !only.is_some_and(|child| repeated(child)) => {
            return Err("a malformed list".to_owned());
        }
        ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE => {
            let entries = only.filter(|child| repeated(child) && child.is_group());
            if !entries.is_some_and(|child| (1..=2).contains(&child.get_fields().len())) {
                return Err("a malformed map".to_owned());
            }
        }
        _ => {}
    }
    children
        .iter()
        .try_for_each(|child| column(child, depth - 1))
}

/// The pairs that the library turns into values; it panics at others.
fn primitive(field: &Type) -> Result<(), String> {
    use ConvertedType as C;
    let info = field.get_basic_info();
    let converted = info.converted_type();
    let physical = field.get_physical_type();
    let known = match physical {
        Physical::BOOLEAN | Physical::INT96 | Physical::FLOAT | Physical::DOUBLE => true,
        Physical::INT32 => matches!(
            converted,
            C::NONE
                | C::INT_8
                | C::INT_16
                | C::INT_32
                | C::UINT_8
                | C::UINT_16
                | C::UINT_32
                | C::DATE
                | C::TIME_MILLIS
                | C::DECIMAL
        ),
        Physical::INT64 => matches!(
            converted,
            C::NONE
                | C::INT_64
                | C::UINT_64
                | C::TIME_MICROS
                | C::TIMESTAMP_MILLIS
                | C::TIMESTAMP_MICROS
                | C::DECIMAL
        ),
        Physical::BYTE_ARRAY => matches!(
            converted,
            C::NONE | C::UTF8 | C::ENUM | C::JSON | C::BSON | C::DECIMAL
        ),
        Physical::FIXED_LEN_BYTE_ARRAY => match info.logical_type_ref() {
            Some(LogicalType::Float16) => converted == C::NONE,
            _ => matches!(converted, C::NONE | C::DECIMAL),
        },
    };
    match known {
        true => Ok(()),
        false => Err(format!("of type {physical} ({converted})")),
    }
}
