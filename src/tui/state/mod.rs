//! All that the explorer knows.

mod cut;
mod document;
mod draft;
mod filter;
mod reading;
mod rows;
mod scores;
mod subject;
mod tally;
mod why;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use cut::{CONFIDENCE, Cut, Good};
pub use document::{Document, DocumentKey, DocumentLine};
pub use draft::{Draft, DraftId, Origin};
pub use filter::{Filter, matched_chars};
pub use reading::{Decision, ShownMode, Signal, distribution, scaled};
pub use rows::ListRow;
pub use scores::{Pending, Row, Scores};
pub use subject::{DataFailure, Loaded, RowError};
pub use tally::{Coverage, Tally};
pub use why::why;

use super::glyphs::Glyphs;
use super::key::Key;
use super::keymap::{HelpLine, Keymap, Layer};
use super::layout::{Areas, Pane, Screen, areas, inner, padded};
use super::theme::{Theme, ThemeSet};
pub use crate::data::SubjectKey;
use crate::data::{Facts, Item, Library, ScoreCard};
use crate::run::live::{JudgeInfo, Ticket};
use crate::stats::preset::Preset;

/// How far the data is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DataStatus {
    /// Being read; records may be there already.
    #[default]
    Loading,
    /// There, possibly without any record.
    Ready,
    /// Cannot be read.
    Failed(DataFailure),
}

/// How far the judge is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum JudgeStatus {
    /// None was asked for.
    #[default]
    Absent,
    /// Being loaded.
    Loading {
        stage: String,
        done: u64,
        total: u64,
    },
    /// Can score.
    Ready(JudgeInfo),
    /// Cannot be loaded.
    Failed { cause: String, cure: String },
}

/// A response being written by the judge's model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The command it answers.
    pub ticket: Ticket,
    /// Where the text goes.
    pub draft: DraftId,
    /// What the draft held before.
    pub before: String,
    /// Characters so far.
    pub chars: usize,
    /// Characters when a score was last asked for.
    pub scored: usize,
}

/// What lies over the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// All keys, scrolled by this many lines.
    Help { scroll: usize },
    /// Rows that could not be read.
    Errors { scroll: usize },
    /// Themes; the one before stands by for Esc.
    Themes { chosen: usize, before: String },
}

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Warning,
}

/// A line for the person, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub tone: Tone,
}

/// What is shown of the subject under the cursor.
#[derive(Clone, Debug, Default)]
pub struct Shown<'a> {
    /// The numbers, of this text or of an older one.
    pub card: Option<&'a ScoreCard>,
    /// The numbers belong to an older text.
    pub stale: bool,
    /// A score of this text is on its way.
    pub pending: bool,
    /// Why this text has no score.
    pub failure: Option<&'a str>,
    /// There is no text.
    pub blank: bool,
}

/// All that the explorer knows.
#[derive(Clone, Debug)]
pub struct State {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// What the tabs call the data.
    pub title: String,
    pub data: DataStatus,
    pub library: Library,
    /// What is known of the records so far.
    pub facts: Facts,
    /// Rows that could not be read.
    pub errors: Vec<RowError>,

    pub screen: Screen,
    pub focus: Pane,
    /// The place in the list.
    pub cursor: usize,
    /// The response of the record under the cursor.
    pub response: usize,
    /// The first listed place on screen.
    pub list_top: usize,
    /// Lines the text pane is scrolled by.
    pub text_scroll: usize,
    /// Lines the card is scrolled by.
    pub card_scroll: usize,
    pub filter: Filter,
    pub document: Document,

    pub mode: ShownMode,
    /// The decline threshold τ.
    pub threshold: f64,
    /// Whether self-evaluation alone decides, even where there is a fused score.
    pub alone: bool,
    /// A threshold to take as soon as the judge that it was made for is there.
    pub preset: Option<Preset>,
    /// Which labels are good.
    pub good: Good,
    /// The risk that a threshold is solved for.
    pub target: f64,
    /// What the cut is seen against; made while its screen is shown.
    pub cut: Cut,
    /// Records before this one are scored, or cannot be.
    pub sweep: usize,
    pub scores: Scores,
    pub tally: Tally,
    pub coverage: Coverage,
    pub judge: JudgeStatus,
    pub generation: Option<Generation>,
    /// The next ticket.
    pub next_ticket: Ticket,
    /// The texts the latest urgent score was considered for.
    pub considered: Option<SubjectKey>,
    /// Responses written so far, for seeds that differ.
    pub generated: u64,

    pub drafts: BTreeMap<DraftId, Draft>,
    /// Whether leaving was asked for by the key before.
    pub asked_to_quit: bool,
    /// The draft of each record that was edited last.
    pub origins: HashMap<usize, Origin>,
    /// Keys go into the editor.
    pub typing: bool,
    /// What was copied last.
    pub register: String,

    pub overlay: Option<Overlay>,
    pub notice: Option<Notice>,
    pub keymap: Keymap,
    /// Keys of a sequence that is not complete.
    pub pending_keys: Vec<Key>,
    pub themes: ThemeSet,
    pub theme: Theme,
    pub glyphs: &'static Glyphs,
    /// Frames of things that move.
    pub tick: u64,
}

impl State {
    /// Before anything is there.
    pub fn new(size: (u16, u16), themes: ThemeSet, theme: &str, ascii: bool) -> Self {
        let theme = themes
            .get(theme)
            .or_else(|| themes.at(0))
            .cloned()
            .unwrap_or_default();
        State {
            size,
            title: String::new(),
            data: DataStatus::Loading,
            library: Library::default(),
            facts: Facts::default(),
            errors: Vec::new(),
            screen: Screen::Explore,
            focus: Pane::List,
            cursor: 0,
            response: 0,
            list_top: 0,
            text_scroll: 0,
            card_scroll: 0,
            filter: Filter::default(),
            document: Document::default(),
            mode: ShownMode::Reference,
            threshold: 0.5,
            alone: false,
            preset: None,
            good: Good::default(),
            target: 0.1,
            cut: Cut::default(),
            sweep: 0,
            scores: Scores::default(),
            tally: Tally::default(),
            coverage: Coverage::default(),
            judge: JudgeStatus::Absent,
            generation: None,
            next_ticket: 1,
            considered: None,
            generated: 0,
            drafts: BTreeMap::new(),
            asked_to_quit: false,
            origins: HashMap::new(),
            typing: false,
            register: String::new(),
            overlay: None,
            notice: None,
            keymap: Keymap::standard(),
            pending_keys: Vec::new(),
            themes,
            theme,
            glyphs: Glyphs::for_terminal(ascii),
            tick: 0,
        }
    }

    /// How many records are listed.
    pub fn listed(&self) -> usize {
        match &self.filter.matches {
            Some(matches) => matches.len(),
            None => self.facts.records,
        }
    }

    /// The record at a place of the list.
    pub fn record_at(&self, position: usize) -> Option<usize> {
        match &self.filter.matches {
            Some(matches) => matches.get(position).copied(),
            None => (position < self.facts.records).then_some(position),
        }
    }

    /// The place of the record under the cursor in the data.
    pub fn record_index(&self) -> Option<usize> {
        self.record_at(self.cursor)
    }

    /// The record under the cursor.
    pub fn record(&self) -> Option<Arc<Item>> {
        self.item(self.record_index()?)
    }

    /// A record of the data.
    pub fn item(&self, record: usize) -> Option<Arc<Item>> {
        self.library.get(record)
    }

    /// How many responses a record has.
    pub fn responses_of(&self, record: usize) -> usize {
        self.item(record).map_or(0, |item| item.keys.len())
    }

    /// The key of a row of the data.
    pub fn row_key(&self, record: usize, response: usize) -> Option<SubjectKey> {
        self.item(record)?.keys.get(response).copied()
    }

    /// The score of a row of the data.
    pub fn row_card(&self, record: usize, response: usize) -> Option<&ScoreCard> {
        self.scores.card(self.row_key(record, response)?)
    }

    /// The draft that is or would be edited.
    pub fn draft_id(&self) -> Option<DraftId> {
        let record = self.record_index()?;
        let origin = self.origins.get(&record).copied().unwrap_or_default();
        Some(DraftId { record, origin })
    }

    /// The draft on the judge screen.
    pub fn draft(&self) -> Option<&Draft> {
        self.drafts.get(&self.draft_id()?)
    }

    /// The texts under the cursor: their key, and the row if they are a row's.
    pub fn current(&self) -> Option<(SubjectKey, Option<(usize, usize)>)> {
        let record = self.record_index()?;
        match self.screen {
            Screen::Explore | Screen::Threshold => {
                let key = self.row_key(record, self.response)?;
                Some((key, Some((record, self.response))))
            }
            Screen::Judge => {
                let draft = self.draft().filter(|draft| !draft.is_blank())?;
                let item = self.item(record)?;
                let row = item.keys.iter().position(|key| *key == draft.key);
                Some((draft.key, row.map(|response| (record, response))))
            }
        }
    }

    /// What is shown of the texts under the cursor. Numbers of an older text say so.
    pub fn shown(&self) -> Shown<'_> {
        let Some((key, _)) = self.current() else {
            return Shown {
                blank: true,
                ..Shown::default()
            };
        };
        let pending = self.scores.is_pending(key);
        let failure = self.scores.failure(key);
        if let Some(card) = self.scores.card(key) {
            return Shown {
                card: Some(card),
                ..Shown::default()
            };
        }
        let older = match self.screen {
            Screen::Explore | Screen::Threshold => None,
            Screen::Judge => self.draft().and_then(|draft| draft.scored),
        };
        let card = older.and_then(|key| self.scores.card(key));
        Shown {
            stale: card.is_some(),
            card,
            pending,
            failure,
            blank: false,
        }
    }

    /// Where keys go.
    pub fn layer(&self) -> Layer {
        if self.overlay.is_some() {
            Layer::Overlay
        } else if self.filter.open {
            Layer::Prompt
        } else if self.typing {
            Layer::Editor
        } else {
            self.screen_layer()
        }
    }

    /// The keys of the screen.
    pub fn screen_layer(&self) -> Layer {
        match self.screen {
            Screen::Explore => Layer::Explore,
            Screen::Judge => Layer::Judge,
            Screen::Threshold => Layer::Threshold,
        }
    }

    /// The help, that of the screen first.
    pub fn help(&self, two: bool) -> [Vec<HelpLine<'_>>; 2] {
        self.keymap.help(self.screen_layer(), two)
    }

    /// Where the panes are; `None` where the terminal is too small.
    pub fn areas(&self) -> Option<Areas> {
        areas(self.size.0, self.size.1, self.screen, self.focus)
    }

    /// Lines of the list that fit.
    pub fn list_height(&self) -> usize {
        let list = self.areas().and_then(|areas| areas.list);
        list.map_or(0, |area| usize::from(inner(area).height))
    }

    /// Lines of the text pane that fit.
    pub fn text_height(&self) -> usize {
        let text = self.areas().and_then(|areas| areas.text);
        text.map_or(0, |area| usize::from(inner(area).height))
    }

    /// Whether something on screen moves by itself.
    pub fn is_moving(&self) -> bool {
        matches!(self.data, DataStatus::Loading)
            || matches!(self.judge, JudgeStatus::Loading { .. })
            || self.generation.is_some()
            || self.scores.queue() > 0
    }

    /// A new ticket.
    pub fn ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }

    /// Says something until the next key.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        let text = text.into();
        self.notice = Some(Notice { text, tone });
    }

    /// Takes a theme.
    pub fn set_theme(&mut self, theme: Theme) {
        for draft in self.drafts.values_mut() {
            draft.dress(&theme);
        }
        self.theme = theme;
    }

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
        if self.screen == Screen::Judge {
            self.ensure_draft();
        }
        let height = self.list_height();
        if height > 0 {
            self.follow(height);
        }
        self.wrap_texts();
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

    fn wrap_texts(&mut self) {
        let width = self
            .areas()
            .and_then(|areas| areas.text)
            .map(|area| padded(area).width);
        let (Some(width), Some(record)) = (width, self.record_index()) else {
            return;
        };
        let Some(item) = self.item(record) else {
            self.document = Document::default();
            return;
        };
        let key = DocumentKey {
            screen: self.screen,
            record,
            response: self.response,
            width,
        };
        let old = self.document.key;
        if old != Some(key) {
            self.document = Document::new(key, &item, self.glyphs.ascii);
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
