//! Annotations as lines of JSON: taken elsewhere and brought back without loss.

use std::collections::HashMap;
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

/// Events of several places as one sequence without repetition: of those that come next in each place always the
/// earliest, and of equally early ones that with the smaller `uid`. What is in order of time stays so; an undo stays
/// behind what it undoes even where a clock went back. The order of the places does not matter.
///
/// # Errors
/// The `uid` of two events that differ otherwise.
pub fn merge(places: Vec<Vec<Event>>) -> std::result::Result<Vec<Event>, String> {
    let mut queues: Vec<_> = places
        .into_iter()
        .map(|events| events.into_iter().peekable())
        .collect();
    let mut merged: Vec<Event> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    loop {
        let heads = queues.iter_mut().enumerate();
        let first = heads
            .filter_map(|(place, queue)| queue.peek().map(|e| (e.at, e.uid.clone(), place)))
            .min();
        let Some((.., place)) = first else {
            return Ok(merged);
        };
        let Some(event) = queues.get_mut(place).and_then(Iterator::next) else {
            return Ok(merged);
        };
        match known.get(&event.uid).and_then(|at| merged.get(*at)) {
            None => {
                known.insert(event.uid.clone(), merged.len());
                merged.push(event);
            }
            Some(same) if *same == event => {}
            Some(_) => return Err(event.uid),
        }
    }
}
