//! The lines of the list: records, and under the record of the cursor its responses.

use super::State;

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListRow {
    /// A record, by its place in the list and in the data.
    Record { position: usize, record: usize },
    /// A response of the record under the cursor.
    Response {
        record: usize,
        response: usize,
        last: bool,
    },
}

impl State {
    /// The lines that fit into a height, from the top of the list.
    pub fn list_rows(&self, height: usize) -> Vec<ListRow> {
        let mut rows = Vec::with_capacity(height);
        for position in self.list_top..self.listed() {
            if rows.len() >= height {
                break;
            }
            let Some(record) = self.record_at(position) else {
                break;
            };
            rows.push(ListRow::Record { position, record });
            if position == self.cursor {
                let children = self.children(height);
                let last = children.end.saturating_sub(1);
                rows.extend(children.map(|response| ListRow::Response {
                    record,
                    response,
                    last: response == last,
                }));
            }
        }
        rows.truncate(height);
        rows
    }

    /// Which responses of the record under the cursor are listed: all that fit, around the one
    /// under the cursor.
    pub fn children(&self, height: usize) -> std::ops::Range<usize> {
        let count = self.record().map_or(0, |record| record.responses.len());
        let room = (height.saturating_sub(1))
            .min((height * 2 / 3).max(3))
            .min(count);
        let start = self
            .response
            .saturating_sub(room / 2)
            .min(count.saturating_sub(room));
        start..start + room
    }

    /// Scrolls the list so that the record under the cursor and its responses are on screen.
    pub(super) fn follow(&mut self, height: usize) {
        let block = 1 + self.children(height).len();
        let end = self.cursor + block;
        self.list_top = self
            .list_top
            .min(self.cursor)
            .max(end.saturating_sub(height.max(block)));
        // Nothing is gained by scrolling past the end.
        let total = self.listed() + block - 1;
        self.list_top = self.list_top.min(total.saturating_sub(height));
    }
}
