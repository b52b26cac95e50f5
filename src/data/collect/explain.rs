//! Why a row is there or is not, from the files of an earlier run.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::CollectError;
use super::output::{Beside, DroppedRow};
use crate::data::container::RawRows;
use crate::data::{DataError, FieldMap};

/// What is known of a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The row's id.
    pub id: String,
    /// Whether it is in the output.
    pub kept: bool,
    /// Why not; then why its twin is not either, and so on.
    pub dropped: Vec<DroppedRow>,
    /// The row that stands in the output: itself, or the last twin.
    pub row: Option<Map<String, Value>>,
    /// Ids of rows that were dropped in its favour.
    pub instead_of: Vec<String>,
}

/// How many twins are followed and told.
const MOST: usize = 100;

/// Explains the row of an id, or at a place (`FILE:LINE`).
///
/// # Errors
/// Files that are not there, and an id that is in none.
pub fn explain(id: &str, output: &Path) -> Result<Explanation, CollectError> {
    let beside = Beside::of(output);
    let mut found = Explanation {
        id: id.to_owned(),
        ..Explanation::default()
    };
    // A twin was read before: looking for it is another turn.
    let mut wanted = id.to_owned();
    while let Some(row) = dropped(&beside.dropped, |row| {
        row.id == wanted || row.place == wanted
    })? {
        if found.dropped.is_empty() {
            found.id.clone_from(&row.id);
        }
        let twin = row.twin.clone();
        found.dropped.push(row);
        match twin {
            Some(twin) if found.dropped.len() < MOST => wanted = twin,
            _ => return Ok(found),
        }
    }
    found.kept = found.dropped.is_empty();
    for row in RawRows::open(output, &FieldMap::new())? {
        let object = row.map_err(DataError::from)?.object;
        if object
            .get("id")
            .is_some_and(|own| own.as_str() == Some(&wanted) || format!("{own}") == wanted)
        {
            found.row = Some(object);
            break;
        }
    }
    if found.row.is_none() && found.kept {
        return Err(CollectError::UnknownId {
            id: id.to_owned(),
            output: output.to_owned(),
            dropped: beside.dropped,
        });
    }
    if found.kept {
        dropped(&beside.dropped, |row| {
            if row.twin.as_deref() == Some(&wanted) && found.instead_of.len() < MOST {
                found.instead_of.push(row.id.clone());
            }
            false
        })?;
    }
    Ok(found)
}

/// The first dropped row that is meant.
fn dropped(
    path: &Path,
    mut is: impl FnMut(&DroppedRow) -> bool,
) -> Result<Option<DroppedRow>, CollectError> {
    for row in RawRows::open(path, &FieldMap::new())? {
        let row = row.map_err(DataError::from)?;
        let found: DroppedRow =
            serde_json::from_value(Value::Object(row.object)).map_err(|cause| {
                CollectError::Config {
                    path: path.to_owned(),
                    cause: format!(
                        "line {}: {cause}; `juror collect` writes this file",
                        row.line
                    ),
                }
            })?;
        if is(&found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
