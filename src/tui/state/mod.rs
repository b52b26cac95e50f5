//! All that the explorer knows.

mod agreeing;
mod annotate;
mod columns;
mod cut;
mod document;
mod draft;
mod filter;
mod listing;
mod pairs;
mod parts;
mod picker;
mod place;
mod queue;
mod reading;
mod rows;
mod runs;
mod said;
mod samples;
mod scores;
mod selection;
mod settle;
mod subject;
mod suspects;
mod tally;
mod template;
mod trainings;
mod why;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

pub use agreeing::{Agreed, Comparison, FEW, Together};
pub use annotate::Annotate;
pub use columns::Column;
pub use cut::{Bin, CONFIDENCE, Cell, Cut, Good, Solved};
pub use document::{Document, DocumentKey, DocumentLine, Mark, apart, wrapped};
pub use draft::{Draft, DraftId, Origin};
pub use filter::{is_near, matched_chars};
pub use listing::{Facet, Listing, Quick, Search, SortBy};
pub use pairs::{Bracket, PairKey, Pairs, Reasoned};
pub use parts::{
    DataStatus, Generation, JudgeStatus, Notice, Overlay, Purpose, Second, Shown, Tone,
};
pub use picker::{Entry, Exported, Listed, Pick};
pub use place::{Place, QueuePlace};
pub use queue::Queue;
pub use reading::{Decision, ShownMode, Signal, distribution, scaled};
pub use rows::ListRow;
pub use runs::{Changed, Changes, Held, Job, Runs};
pub use samples::{Sample, Samples};
pub use scores::{Pending, Row, Scores};
pub use selection::Selection;
pub use subject::{DataFailure, Loaded, RowError};
pub use suspects::Suspects;
pub use tally::{Coverage, Tally};
pub use template::TemplateEdit;
pub use trainings::{RunRow, Standing, Watched};
pub use why::why;

use super::finder::FacetCount;
use super::glyphs::Glyphs;
use super::key::Key;
use super::keymap::{HelpLine, Keymap, Layer};
use super::layout::{Areas, Pane, Screen, areas, inner};
use super::theme::{Theme, ThemeSet};
pub use crate::data::SubjectKey;
use crate::data::{Facts, Item, Library, ScoreCard};
use crate::judge::attribution::Attribution;
use crate::judge::inspect::Inspection;
use crate::run::live::Ticket;
use crate::stats::preset::Preset;

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
    pub listing: Listing,
    /// What the data can be narrowed by, once counted, and of how many records.
    pub facet_counts: Option<Arc<Vec<FacetCount>>>,
    pub counted_records: usize,
    /// Which numbers the list shows.
    pub columns: Vec<Column>,
    pub document: Document,
    /// What response and reference do not share is marked.
    pub diff: bool,
    /// What each sentence is worth, of the texts it was asked for.
    pub attributions: HashMap<(SubjectKey, bool), Attribution>,
    /// What in responses is aimed at the judge.
    pub suspects: Suspects,
    /// Sentences are marked by their worth.
    pub attributing: bool,
    /// The ticket of an attribution on its way, and of which texts.
    pub asked_worth: Option<(Ticket, (SubjectKey, bool))>,

    pub mode: ShownMode,
    /// The decline threshold τ.
    pub threshold: f64,
    /// Whether self-evaluation alone decides, even where there is a fused score.
    pub alone: bool,
    /// A threshold to take as soon as the judge that it was made for is there.
    pub preset: Option<Preset>,
    /// Which labels are good.
    pub good: Good,
    /// What a preset calls good: a label and which of its values.
    pub good_given: Option<(String, String)>,
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
    /// As it was asked for; `None` for the usual one.
    pub judge_name: Option<String>,
    /// Names that can be loaded, and what they are.
    pub known_judges: Vec<(String, String)>,
    pub second: Option<Second>,
    /// Scores of other judges and templates that were looked at, by their hashes; and whose the shown ones are.
    pub shelf: HashMap<String, Scores>,
    pub identity: Option<String>,
    pub template: Option<TemplateEdit>,
    /// Esc again closes a template that no file has.
    pub asked_to_close: bool,
    /// Responses scored again with every template.
    pub pinned: Vec<Row>,
    pub samples: Option<Samples>,
    /// What the judge sees, once it is there; the ticket while it is not.
    pub inspection: Option<Box<Inspection>>,
    pub asked_inspection: Option<Ticket>,
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

    pub annotate: Annotate,
    pub runs: Runs,
    /// The responses side by side, by their places in the record.
    pub compare: (usize, usize),
    /// Lines each of the two is scrolled by.
    pub compare_scroll: (usize, usize),
    /// Which of two responses is better.
    pub pairs: Pairs,
    /// Which records are selected as training data.
    pub selection: Option<Selection>,
    /// The marked bin or cell.
    pub marked: Option<Bin>,
    /// A threshold that was solved for.
    pub solved: Option<Solved>,
    /// Milliseconds since 1970, as of the message at hand.
    pub clock: i64,
    /// Drawn anew at every start, so that events of two never have one name.
    pub session: u64,
    pub next_event: u64,
    /// Where the person was is remembered under this name.
    pub place_key: String,
    /// What was remembered last.
    pub remembered: Option<String>,
    /// Where to go once the data are there.
    pub place: Option<Place>,
    /// Whether a key was pressed or the mouse used.
    pub touched: bool,
    /// Whether the threshold was given at the start.
    pub threshold_given: bool,

    pub overlay: Option<Overlay>,
    pub notice: Option<Notice>,
    /// A file that stands where one is to be written: the same name again overwrites it.
    pub in_the_way: Option<(Purpose, PathBuf)>,
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
            listing: Listing::default(),
            facet_counts: None,
            counted_records: 0,
            columns: Column::USUAL.to_vec(),
            document: Document::default(),
            diff: false,
            attributions: HashMap::new(),
            suspects: Suspects::default(),
            attributing: false,
            asked_worth: None,
            mode: ShownMode::Reference,
            threshold: 0.5,
            alone: false,
            preset: None,
            good: Good::default(),
            good_given: None,
            target: 0.1,
            cut: Cut::default(),
            sweep: 0,
            scores: Scores::default(),
            tally: Tally::default(),
            coverage: Coverage::default(),
            judge: JudgeStatus::Absent,
            judge_name: None,
            known_judges: Vec::new(),
            second: None,
            shelf: HashMap::new(),
            identity: None,
            template: None,
            asked_to_close: false,
            pinned: Vec::new(),
            samples: None,
            inspection: None,
            asked_inspection: None,
            generation: None,
            next_ticket: 1,
            considered: None,
            generated: 0,
            drafts: BTreeMap::new(),
            asked_to_quit: false,
            origins: HashMap::new(),
            typing: false,
            register: String::new(),
            annotate: Annotate {
                name: "rating".into(),
                scale: (0, 9),
                blind: true,
                ..Annotate::default()
            },
            runs: Runs::default(),
            compare: (0, 1),
            compare_scroll: (0, 0),
            pairs: Pairs::default(),
            selection: None,
            marked: None,
            solved: None,
            clock: 0,
            session: 0,
            next_event: 0,
            place_key: String::new(),
            remembered: None,
            place: None,
            touched: false,
            threshold_given: false,
            overlay: None,
            notice: None,
            in_the_way: None,
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
        match &self.listing.order {
            Some(order) => order.len(),
            None => self.facts.records,
        }
    }

    /// The record at a place of the list.
    pub fn record_at(&self, position: usize) -> Option<usize> {
        match &self.listing.order {
            Some(order) => order.get(position).map(|record| *record as usize),
            None => (position < self.facts.records).then_some(position),
        }
    }

    /// The place in the data of the record that is shown.
    pub fn record_index(&self) -> Option<usize> {
        match self.screen {
            Screen::Annotate => self.annotate.row().map(|(record, _)| record),
            _ => self.listed_record(),
        }
    }

    /// The place in the data of the record under the list's cursor.
    pub fn listed_record(&self) -> Option<usize> {
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
        self.library.responses_of(record)
    }

    /// The key of a row of the data.
    pub fn row_key(&self, record: usize, response: usize) -> Option<SubjectKey> {
        self.library.key(record, response)
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
            Screen::Judge => {
                let draft = self.draft().filter(|draft| !draft.is_blank())?;
                let item = self.item(record)?;
                let row = item.keys.iter().position(|key| *key == draft.key);
                Some((draft.key, row.map(|response| (record, response))))
            }
            _ => {
                let key = self.row_key(record, self.response)?;
                Some((key, Some((record, self.response))))
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
            Screen::Judge => self.draft().and_then(|draft| draft.scored),
            _ => None,
        };
        let card = older.and_then(|key| self.scores.card(key));
        // By the template before, while the one being edited is on its way.
        let card = card.or_else(|| self.template.as_ref()?.before(self, key));
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
        if let Some(overlay) = &self.overlay {
            match overlay {
                Overlay::Pick { .. } | Overlay::Line { .. } => Layer::Prompt,
                _ => Layer::Overlay,
            }
        } else if self.listing.open {
            Layer::Prompt
        } else if self.typing {
            Layer::Editor
        } else {
            self.screen_layer()
        }
    }

    /// The keys of the screen.
    pub fn screen_layer(&self) -> Layer {
        Layer::of(self.screen)
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
            || self.listing.searching
            || self.asked_inspection.is_some()
            || self.asked_worth.is_some()
            || self.pairs.is_waiting()
            || self.scores.queue() > 0
            || self.is_looking()
    }

    /// Whether there is more to look through for what is on screen.
    pub fn is_looking(&self) -> bool {
        self.suspects.behind || self.is_queueing()
    }

    /// Whether the queue on screen grows by itself.
    pub fn is_queueing(&self) -> bool {
        self.screen == Screen::Annotate && self.queue_is_behind()
    }

    /// A new ticket.
    pub fn ticket(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        ticket
    }

    /// Takes a theme.
    pub fn set_theme(&mut self, theme: Theme) {
        for draft in self.drafts.values_mut() {
            draft.dress(&theme);
        }
        self.theme = theme;
    }

    /// What the sentences of the response on screen are worth, where that is to be seen.
    pub fn shown_worth(&self) -> Option<&Attribution> {
        let shown = self.attributing && self.screen == Screen::Explore;
        let item = self.record()?;
        let key = item.keys.get(self.response).copied()?;
        let with_reference = self.mode == ShownMode::Reference && item.reference.is_some();
        self.attributions
            .get(&(key, with_reference))
            .filter(|_| shown)
    }

    /// Whether judge, generator and labels are hidden.
    pub fn is_blind(&self) -> bool {
        self.screen == Screen::Annotate && self.annotate.blind
    }

    /// The modes in which the scored rows are read: `reference`, `reference-free`; those with a fused score alone
    /// where that decides.
    pub fn modes_read(&self, fused: bool) -> Vec<String> {
        let cards = self.scores.rows().values();
        let modes = cards
            .filter_map(|key| self.scores.card(*key))
            .filter_map(|card| {
                let with = self.mode == ShownMode::Reference && card.self_eval_ref.is_some();
                (!fused || card.fused.is_some()).then_some(match with {
                    true => "reference",
                    false => "reference-free",
                })
            });
        let modes: BTreeSet<&str> = modes.collect();
        modes.into_iter().map(str::to_owned).collect()
    }

    /// What decides about most scored rows, if one is scored.
    pub fn tally_signal(&self) -> Option<Signal> {
        let mut cards = self
            .scores
            .rows()
            .values()
            .filter_map(|key| self.scores.card(*key));
        let decision = cards.find_map(|card| Decision::of(card, self.mode, self.alone));
        decision.map(|decision| decision.signal)
    }
}
