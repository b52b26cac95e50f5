//! Which of the records a method selects as training data (`juror select`), and by how much.

use crate::data::Library;
use crate::method::selectit::ranked;
use crate::run::select::{ScoreRow, hash_of};

/// A data set's scores, best first, and how many of them are taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// By record.
    scored: Vec<Option<Scored>>,
    /// Records with a score, best first.
    order: Vec<u32>,
    /// Rows that were scored or could not be: what a share is of.
    rows: usize,
    /// So many are taken.
    count: usize,
    /// Rows of the scores whose texts no record has.
    pub strangers: usize,
}

/// The score of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub score: f64,
    /// By judge, and of each by prompt.
    pub token_scores: Vec<Vec<f64>>,
    /// Among all, from 0.
    pub rank: usize,
}

impl Selection {
    /// The scores of a library's records, found by the texts that were rated.
    pub fn new(library: &Library, rows: Vec<ScoreRow>) -> Self {
        let mut by_text = std::collections::HashMap::new();
        for (record, item) in library.iter() {
            if let Some(hash) = hash_of(&item) {
                // Of records with the same texts each takes a row.
                by_text.entry(hash).or_insert_with(Vec::new).push(record);
            }
        }
        by_text.values_mut().for_each(|records| records.reverse());
        let mut selection = Selection {
            scored: vec![None; library.len()],
            rows: rows.len(),
            count: rows.iter().filter(|row| row.selected).count(),
            ..Selection::default()
        };
        let scores: Vec<Option<f64>> = rows.iter().map(|row| row.score).collect();
        let mut rank_of = vec![0; rows.len()];
        for (rank, at) in ranked(&scores).into_iter().enumerate() {
            rank_of[at] = rank;
        }
        let mut order: Vec<(usize, u32)> = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            let Some(score) = row.score else { continue };
            let place = by_text.get_mut(&row.hash).and_then(Vec::pop);
            let Some(record) = place else {
                selection.strangers += 1;
                continue;
            };
            let rank = rank_of[at];
            order.push((rank, record as u32));
            if let Some(place) = selection.scored.get_mut(record) {
                *place = Some(Scored {
                    score,
                    token_scores: row.token_scores,
                    rank,
                });
            }
        }
        order.sort_unstable();
        selection.order = order.into_iter().map(|(_, record)| record).collect();
        selection
    }

    /// The score of a record.
    pub fn of(&self, record: usize) -> Option<&Scored> {
        self.scored.get(record)?.as_ref()
    }

    /// Whether any record has a score.
    pub fn of_any(&self) -> bool {
        !self.order.is_empty()
    }

    /// Whether a record is taken.
    pub fn takes(&self, record: usize) -> bool {
        self.of(record)
            .is_some_and(|scored| scored.rank < self.count)
    }

    /// The records that are taken, best first.
    pub fn taken(&self) -> impl Iterator<Item = u32> + '_ {
        let taken = |record: &u32| self.takes(*record as usize);
        self.order.iter().copied().take_while(taken)
    }

    /// How many rows are taken, of how many.
    pub fn count(&self) -> (usize, usize) {
        (self.count, self.rows)
    }

    /// The share of rows that is taken.
    pub fn share(&self) -> f64 {
        match self.rows {
            0 => 0.0,
            rows => self.count as f64 / rows as f64,
        }
    }

    /// Takes so many rows more or less; what has no score is never taken.
    pub fn take_more(&mut self, rows: isize) {
        let scored = self.order.len() + self.strangers;
        self.count = self.count.saturating_add_signed(rows).min(scored);
    }

    /// The least score that is taken.
    pub fn least(&self) -> Option<f64> {
        let last = self.taken().last()?;
        Some(self.of(last as usize)?.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Record, Response};

    fn row(index: usize, text: &Record, score: Option<f64>) -> ScoreRow {
        ScoreRow {
            index,
            score,
            token_scores: vec![vec![1.0, 2.0]],
            selected: false,
            tokens: 1,
            hash: hash_of(text).unwrap(),
            error: None,
        }
    }

    #[test]
    fn records_have_the_score_of_their_texts() {
        let records: Vec<Record> = ["one", "two", "three", "two"]
            .map(|text| Record {
                instruction: text.into(),
                responses: vec![Response {
                    text: format!("{text} it is"),
                    ..Response::default()
                }],
                ..Record::default()
            })
            .into();
        // The data have a row more than the library, which could not be read, and are in another order.
        let rows = vec![
            row(0, &records[2], Some(1.5)),
            row(1, &records[1], Some(2.5)),
            row(2, &records[3], Some(1.5)),
            row(3, &records[0], None),
        ];
        let (library, _) = Library::of(records);
        let mut selection = Selection::new(&library, rows);
        assert_eq!(selection.of(0), None);
        assert_eq!(selection.of(1).map(|s| (s.score, s.rank)), Some((2.5, 0)));
        // Of equals the later row comes first.
        assert_eq!(selection.order, [1, 3, 2]);
        selection.take_more(2);
        assert_eq!(selection.taken().collect::<Vec<_>>(), [1, 3]);
        assert_eq!((selection.count(), selection.least()), ((2, 4), Some(1.5)));
        selection.take_more(9);
        assert_eq!(
            selection.count(),
            (3, 4),
            "what has no score is never taken"
        );
    }
}
