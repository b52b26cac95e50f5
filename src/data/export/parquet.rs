//! Parquet out of rows, a row group at a time.

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::{Type, TypePtr};
use serde_json::Value;

use super::Row;
use super::columns::{Columns, Kind, text};

/// A row group is closed after so many rows, or so many bytes of text.
const GROUP_ROWS: usize = 1 << 16;
const GROUP_BYTES: usize = 64 << 20;

/// Writes rows; how many there were.
///
/// # Errors
/// What writing says.
pub fn write(
    columns: &Columns,
    rows: impl Iterator<Item = Row>,
    out: &mut (impl Write + Send),
) -> io::Result<usize> {
    let zstd = ZstdLevel::try_new(3).map_err(wrong)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .build();
    let schema = schema(columns).map_err(wrong)?;
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(wrong)?;
    let mut group = Group::new(columns);
    let mut count = 0;
    for row in rows {
        group.add(&row);
        count += 1;
        if group.rows >= GROUP_ROWS || group.bytes >= GROUP_BYTES {
            group.flush(&mut file).map_err(wrong)?;
        }
    }
    if group.rows > 0 {
        group.flush(&mut file).map_err(wrong)?;
    }
    file.close().map_err(wrong)?;
    Ok(count)
}

/// What the library says about writing; of the file system's errors, these themselves.
fn wrong(cause: ParquetError) -> io::Error {
    match cause {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}

fn schema(columns: &Columns) -> Result<TypePtr, ParquetError> {
    let column = |(name, kind): (&str, Kind)| {
        let (physical, logical) = match kind {
            Kind::Bool => (Physical::BOOLEAN, None),
            Kind::Whole => (Physical::INT64, None),
            Kind::Number => (Physical::DOUBLE, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let built = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build();
        built.map(Arc::new)
    };
    let fields = columns.kinds().map(column).collect::<Result<Vec<_>, _>>()?;
    let root = Type::group_type_builder("schema")
        .with_fields(fields)
        .build();
    root.map(Arc::new)
}

/// The rows of one group, by column.
struct Group {
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

struct Column {
    name: String,
    values: Values,
    /// For each row 1, or 0 where it has nothing.
    there: Vec<i16>,
}

/// What is there, without the nulls.
enum Values {
    Bool(Vec<bool>),
    Whole(Vec<i64>),
    Number(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl Group {
    fn new(columns: &Columns) -> Self {
        let column = |(name, kind): (&str, Kind)| Column {
            name: name.to_owned(),
            values: match kind {
                Kind::Bool => Values::Bool(Vec::new()),
                Kind::Whole => Values::Whole(Vec::new()),
                Kind::Number => Values::Number(Vec::new()),
                Kind::Text => Values::Text(Vec::new()),
            },
            there: Vec::new(),
        };
        Group {
            columns: columns.kinds().map(column).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    fn add(&mut self, row: &Row) {
        self.rows += 1;
        for column in &mut self.columns {
            self.bytes += column.add(row.get(&column.name));
        }
    }

    fn flush<W: Write + Send>(
        &mut self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        for column in &mut self.columns {
            column.flush(&mut group)?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Column {
    /// Takes one value; the bytes of its text.
    fn add(&mut self, value: Option<&Value>) -> usize {
        let mut bytes = 0;
        let there = match &mut self.values {
            Values::Bool(all) => push(all, value.and_then(Value::as_bool)),
            Values::Whole(all) => push(all, value.and_then(Value::as_i64)),
            Values::Number(all) => push(all, value.and_then(Value::as_f64)),
            Values::Text(all) => {
                let text = text(value);
                bytes = text.as_ref().map_or(0, String::len);
                push(all, text.map(|text| ByteArray::from(text.into_bytes())))
            }
        };
        self.there.push(i16::from(there));
        bytes
    }

    fn flush<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let there = std::mem::take(&mut self.there);
        match &mut self.values {
            Values::Bool(all) => column::<BoolType, W>(group, std::mem::take(all), &there),
            Values::Whole(all) => column::<Int64Type, W>(group, std::mem::take(all), &there),
            Values::Number(all) => column::<DoubleType, W>(group, std::mem::take(all), &there),
            Values::Text(all) => column::<ByteArrayType, W>(group, std::mem::take(all), &there),
        }
    }
}

fn push<T>(all: &mut Vec<T>, value: Option<T>) -> bool {
    let there = value.is_some();
    all.extend(value);
    there
}

fn column<D: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: Vec<D::T>,
    there: &[i16],
) -> Result<(), ParquetError> {
    let next = group.next_column()?;
    let mut writer =
        next.ok_or_else(|| ParquetError::General("a column without a place".to_owned()))?;
    writer
        .typed::<D>()
        .write_batch(&values, Some(there), None)?;
    writer.close()
}
