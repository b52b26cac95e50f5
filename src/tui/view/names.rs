//! What responses are called where there is little room.

use super::paint::Paint;
use crate::data::Response;
use crate::tui::text::{truncate, truncate_start, width};

/// A response in at most `room` columns: its id where that fits, otherwise its number and its generator. Long ids mostly
/// begin alike, and their beginnings would tell nothing apart.
pub fn short(response: &Response, place: usize, room: usize, paint: &Paint<'_>) -> String {
    let id = line(&response.id, paint);
    if width(&id) <= room {
        return id;
    }
    let number = format!("{} ", place + 1);
    let room = room.saturating_sub(width(&number));
    let ellipsis = paint.glyphs.ellipsis;
    let rest = match &response.generator {
        Some(generator) => truncate(&line(generator, paint), room, ellipsis),
        None => truncate_start(&id, room, ellipsis),
    };
    format!("{number}{rest}")
}

/// A response and its generator in at most `room` columns.
pub fn by(response: &Response, place: usize, room: usize, paint: &Paint<'_>) -> String {
    let Some(generator) = &response.generator else {
        return short(response, place, room, paint);
    };
    let generator = line(generator, paint);
    let id = line(&response.id, paint);
    let whole = format!("{id} by {generator}");
    let number = (place + 1).to_string();
    match width(&whole) <= room || width(&id) <= width(&number) {
        true => truncate(&whole, room, paint.glyphs.ellipsis),
        false => truncate(
            &format!("{number} by {generator}"),
            room,
            paint.glyphs.ellipsis,
        ),
    }
}

/// A response of a record in at most `room` columns, its end in sight.
pub fn of(record: &str, response: &str, room: usize, paint: &Paint<'_>) -> String {
    let (record, response) = (line(record, paint), line(response, paint));
    // Many ids of responses begin with that of their record.
    let whole = match response.starts_with(&record) {
        true => response,
        false => format!("{record} {response}"),
    };
    truncate_start(&whole, room, paint.glyphs.ellipsis)
}

fn line(text: &str, paint: &Paint<'_>) -> String {
    paint.safe(text).replace('\n', " ")
}
