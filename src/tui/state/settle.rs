//! What follows from a change: cursors in bounds, texts wrapped, figures counted.

use super::{Cut, Document, DocumentKey, Draft, Good, Origin, Pairs, State, Tally};
use crate::tui::layout::{Screen, padded};

impl State {
    /// Makes the draft the judge screen shows, if it is not there.
    pub fn ensure_draft(&mut self) {
        let Some(id) = self.draft_id() else {
            return;
        };
        let Some(record) = self.item(id.record) else {
            return;
        };
        let text = match id.origin {
            Origin::Own => "",
            Origin::Response(place) => record.responses.get(place).map_or("", |r| &r.text),
        };
        let theme = &self.theme;
        self.drafts
            .entry(id)
            .or_insert_with(|| Draft::new(&record, text, theme));
    }

    /// Brings everything that follows from the rest up to date.
    pub fn settle(&mut self) {
        self.cursor = self.cursor.min(self.listed().saturating_sub(1));
        let responses = self.record().map_or(0, |record| record.responses.len());
        self.response = self.response.min(responses.saturating_sub(1));
        match self.screen {
            Screen::Judge => self.ensure_draft(),
            Screen::Annotate => {
                self.ensure_queue();
                if let Some((_, response)) = self.annotate.row() {
                    self.response = response;
                }
                self.count_agreement();
                let key = self.current().map(|(key, _)| key);
                if key != self.annotate.shown {
                    self.annotate.shown = key;
                    self.annotate.shown_at = self.clock;
                    self.annotate.peeked = false;
                    self.text_scroll = 0;
                }
                self.annotate.peeked |= !self.annotate.blind;
            }
            Screen::Compare => {
                let most = responses.saturating_sub(1);
                self.compare = (self.compare.0.min(most), self.compare.1.min(most));
            }
            _ => {}
        }
        if self.listing.needs_scores() {
            let more =
                self.scores.noted().len() - self.listing.scored.min(self.scores.noted().len());
            if more > self.listing.scored / 16 || (more > 0 && self.scores.queue() == 0) {
                self.relist();
            }
        }
        let height = self.list_height();
        if height > 0 {
            self.follow(height);
        }
        self.wrap_texts();
        self.look_for_suspects();
        if let Some((key, row)) = self.current()
            && self.scores.card(key).is_some()
        {
            if let Some(row) = row {
                self.scores.note_row(row, key);
            }
            if let Some(draft) = self.draft_id().and_then(|id| self.drafts.get_mut(&id))
                && draft.key == key
            {
                draft.scored = Some(key);
            }
        }
        if self.screen == Screen::Threshold {
            let (mode, alone) = (self.mode, self.alone);
            if self.cut.is_old(&self.scores, mode, alone, &self.good) {
                self.cut = Cut::new(&self.library, &self.scores, (mode, alone), &self.good);
            }
        }
        self.tally.update(&self.scores, self.mode, self.alone);
        self.coverage = self.tally.at(self.threshold);
    }

    /// The scores belong to another judge or template from now on; those of the one before are put away.
    pub fn take_identity(&mut self, identity: &str) {
        if self.identity.as_deref() == Some(identity) {
            return;
        }
        self.put_scores_away();
        if let Some(scores) = self.shelf.remove(identity) {
            self.scores = scores;
        }
        self.identity = Some(identity.to_owned());
    }

    /// Calls good what a preset does, once there is such a label; what a person chose stays.
    pub fn take_good(&mut self) {
        let given = self.good_given.as_ref();
        let good = given.and_then(|(name, good)| Good::given(name, good, &self.facts));
        if let (Some(good), false) = (good, self.good.chosen) {
            self.good = good;
        }
    }

    /// Puts the scores away under their judge's name.
    pub fn put_scores_away(&mut self) {
        let mut scores = std::mem::take(&mut self.scores);
        scores.forget_pending();
        if let Some(identity) = self.identity.take() {
            self.shelf.insert(identity, scores);
        }
        self.considered = None;
        self.sweep = 0;
        self.tally = Tally::default();
        self.cut = Cut::default();
        self.attributions.clear();
        self.asked_worth = None;
        self.asked_inspection = None;
        self.pairs = Pairs::default();
        self.compare_anew();
    }

    fn wrap_texts(&mut self) {
        let width = self
            .areas()
            .and_then(|areas| areas.text)
            .map(|area| padded(area).width);
        let Some(width) = width else {
            return;
        };
        let record = self.record_index();
        let Some((record, item)) = record.and_then(|at| Some((at, self.item(at)?))) else {
            self.document = Document::default();
            return;
        };
        let key = DocumentKey {
            screen: self.screen,
            record,
            response: self.response,
            width,
            diff: self.diff && self.screen == Screen::Explore,
            worth: self.shown_worth().map(|_| self.mode),
            blind: self.is_blind(),
        };
        let old = self.document.key;
        if old != Some(key) {
            let worth = self.shown_worth();
            self.document = Document::new(key, &item, worth, self.glyphs.ascii);
            let same_record =
                old.is_some_and(|old| old.record == record && old.screen == self.screen);
            if same_record {
                self.reveal_response();
            } else {
                self.text_scroll = 0;
            }
        }
        let most = self.document.lines.len().saturating_sub(self.text_height());
        self.text_scroll = self.text_scroll.min(most);
    }

    /// Scrolls to the response where its beginning is out of sight.
    fn reveal_response(&mut self) {
        let height = self.text_height();
        let at = self.document.response_at;
        let in_sight = at >= self.text_scroll && at + 3 <= self.text_scroll + height;
        if self.screen == Screen::Explore && !in_sight {
            self.text_scroll = at;
        }
    }
}
