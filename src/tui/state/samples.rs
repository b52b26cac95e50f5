//! Responses written to be compared.

use super::State;
use super::picker::{Entry, Pick};
use super::reading::Decision;
use crate::data::SubjectKey;
use crate::run::live::Ticket;

/// Several responses to one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    pub record: usize,
    pub all: Vec<Sample>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub ticket: Ticket,
    /// `None` while it is written.
    pub text: Option<String>,
    pub key: Option<SubjectKey>,
    /// Why there is none.
    pub trouble: Option<String>,
}

impl State {
    /// Samples as lines of a list, best first.
    pub(super) fn sample_entries(&self) -> Vec<Entry> {
        let samples = self.samples.iter().flat_map(|samples| &samples.all);
        let mut lines: Vec<(Option<f64>, Entry)> = samples
            .enumerate()
            .map(|(place, sample)| {
                let card = sample.key.and_then(|key| self.scores.card(key));
                let decision = card.and_then(|c| Decision::of(c, self.mode, self.alone));
                let value = decision.map(|decision| decision.value);
                let note = match (decision, &sample.text, &sample.trouble) {
                    (Some(decision), ..) => {
                        format!("{} {:.2}", decision.signal.word(), decision.value)
                    }
                    (None, _, Some(_)) => "failed".into(),
                    (None, Some(_), _) => {
                        let failed = sample.key.and_then(|key| self.scores.failure(key));
                        failed.map_or("being scored", |_| "not scored").into()
                    }
                    (None, None, _) => "being written".into(),
                };
                let text = sample.text.as_deref().or(sample.trouble.as_deref());
                let text = text.unwrap_or_default();
                let start: String = text.chars().take(200).collect();
                let entry = Entry {
                    text: format!("{}  {}", place + 1, start.replace('\n', " ")),
                    note,
                    on: false,
                    pick: Pick::Sample(place),
                };
                (value, entry)
            })
            .collect();
        lines.sort_by(|(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => b.total_cmp(a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        lines.into_iter().map(|(_, entry)| entry).collect()
    }
}
