//! Annotations as lines of JSON: taken elsewhere and brought back without loss.

use std::io::{BufRead, Write};

use super::{Event, Result, StoreError};

/// Writes events, one a line.
///
/// # Errors
/// What the file says.
pub fn write(events: &[Event], out: &mut dyn Write) -> std::io::Result<()> {
    for event in events {
        serde_json::to_writer(&mut *out, event)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads events; `file` is for messages.
///
/// # Errors
/// The first line that is none, with its number.
pub fn read(file: &str, lines: impl BufRead) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for (number, line) in lines.lines().enumerate() {
        let line = line.map_err(|cause| StoreError::File {
            file: file.to_owned(),
            cause,
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let event: Event = serde_json::from_str(&line).map_err(|cause| StoreError::Line {
            file: file.to_owned(),
            line: number + 1,
            cause: format!(
                "not an annotation: {cause}; give a file that `juror annotations export` wrote"
            ),
        })?;
        events.push(event);
    }
    Ok(events)
}
