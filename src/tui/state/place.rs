//! Where a person was, to return there.

use serde::{Deserialize, Serialize};

use super::{Column, Queue, ShownMode, SortBy, State};
use crate::tui::layout::Screen;

/// What is remembered of one data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The record's place in the data, and its id: the data may have changed.
    pub record: usize,
    pub id: String,
    pub response: usize,
    /// The number of the screen.
    pub screen: u8,
    /// In hundredths.
    pub threshold: u32,
    pub free: bool,
    pub good_from: Option<f64>,
    pub columns: Vec<String>,
    pub queue: Option<QueuePlace>,
}

/// Where an annotator was in which queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueuePlace {
    /// The queue's word.
    pub order: String,
    pub annotator: String,
    pub record: usize,
    pub id: String,
    pub response: usize,
}

impl State {
    /// Where the person is now.
    pub fn here(&self) -> Option<Place> {
        let record = self.listed_record()?;
        let columns = Column::ALL.iter().filter(|(c, _)| self.columns.contains(c));
        Some(Place {
            record,
            id: self.item(record)?.id.clone(),
            response: self.response,
            screen: self.screen.number(),
            threshold: (self.threshold * 100.0).round() as u32,
            free: self.mode == ShownMode::Free,
            good_from: self.good.chosen.then_some(self.good.from),
            columns: columns.map(|(_, word)| (*word).to_owned()).collect(),
            queue: self.queue_place(),
        })
    }

    /// Takes the queue where the person was: it does not wait for the data, and a queue that is there already stays.
    pub fn take_queue_place(&mut self, place: QueuePlace) {
        let order = Queue::parse(&place.order);
        if let (Some(order), None) = (order, &self.annotate.made_of) {
            self.annotate.order = order;
            self.annotate.wish = Some(place);
        }
    }

    /// Goes where the person was, as far as that is still there.
    pub fn go_to_place(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        // Whoever has gone somewhere meanwhile wants to be there.
        if self.touched {
            return;
        }
        if self
            .item(place.record)
            .is_some_and(|item| item.id == place.id)
            && self.listing.sort == SortBy::Data
            && !self.listing.is_narrowed()
        {
            self.cursor = place.record;
            self.response = place.response;
        }
        if let Some(screen) = Screen::ALL.into_iter().find(|s| s.number() == place.screen) {
            self.screen = screen;
            self.focus = screen.panes()[0];
        }
        if !self.threshold_given {
            self.threshold = f64::from(place.threshold.min(100)) / 100.0;
        }
        if place.free {
            self.mode = ShownMode::Free;
        }
        if let Some(from) = place.good_from {
            self.good.from = from;
            self.good.chosen = true;
        }
        if !place.columns.is_empty() {
            let known = Column::ALL
                .iter()
                .filter(|(_, w)| place.columns.iter().any(|c| c == w));
            self.columns = known.map(|(column, _)| *column).collect();
        }
    }
}
