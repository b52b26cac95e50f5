//! Lists to choose from, narrowed by typing.

use ratatui::layout::Rect;

use super::filter::matching;
use super::{Column, Facet, Overlay, Purpose, Queue, SortBy, State};
use crate::tui::keymap::{Action, sequence_label};
use crate::tui::layout::{PICK_WIDTH, overlay_area};

/// What is chosen from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// All actions.
    Palette,
    Facets,
    Sort,
    Columns,
    Queue,
    /// Another judge, or a second one.
    Judges {
        second: bool,
    },
    /// Responses written, best first.
    Samples,
    /// What to write to a file.
    Export,
}

impl Listed {
    /// Over the list.
    pub fn title(&self) -> &'static str {
        match self {
            Listed::Palette => "Do",
            Listed::Facets => "Only records with",
            Listed::Sort => "Order by",
            Listed::Columns => "Columns",
            Listed::Queue => "Next is",
            Listed::Judges { second: false } => "Judge",
            Listed::Judges { second: true } => "Second judge",
            Listed::Samples => "Samples",
            Listed::Export => "Write to a file",
        }
    }
}

/// What can be written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    Records,
    Labels,
    Pairs,
}

impl Exported {
    /// All of them with what they are.
    pub const ALL: [(Exported, &'static str, &'static str); 3] = [
        (
            Exported::Records,
            "records",
            "a row for each listed response",
        ),
        (
            Exported::Labels,
            "labels",
            "a row for each annotator and response",
        ),
        (Exported::Pairs, "pairs", "preferences: chosen and rejected"),
    ];

    /// As a file is called.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(what, ..)| *what == self);
        found.map_or("records", |(_, word, _)| word)
    }
}

/// What choosing a line does.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    Do(Action),
    Facet(Facet),
    Sort(SortBy),
    Column(Column),
    Queue(Queue),
    Judge(String),
    Sample(usize),
    Export(Exported),
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub text: String,
    /// At the right.
    pub note: String,
    /// Whether it is chosen already.
    pub on: bool,
    pub pick: Pick,
}

impl State {
    /// Where the box over the screen is, if it is one to choose from or to type in.
    pub fn overlay_area(&self) -> Option<Rect> {
        match self.overlay.as_ref()? {
            Overlay::Pick { listed, .. } => {
                // As high as all its lines: it stays in place while typing narrows them.
                let lines = self.all_entries(listed).len() + 1;
                Some(overlay_area(self.size, PICK_WIDTH, lines.max(3)))
            }
            Overlay::Line { purpose, .. } => {
                // Under a name to type stand those that there are.
                let lines = 1 + usize::from(*purpose == Purpose::Annotator);
                Some(overlay_area(self.size, PICK_WIDTH, lines))
            }
            _ => None,
        }
    }

    /// The first line of the list that is shown, so that the chosen one is.
    pub fn pick_top(&self, shown: usize) -> usize {
        match &self.overlay {
            Some(Overlay::Pick { chosen, .. }) => (chosen + 1).saturating_sub(shown),
            _ => 0,
        }
    }

    /// The lines of a list that a query leaves, best first.
    pub fn entries(&self, listed: &Listed, query: &str) -> Vec<Entry> {
        let all = self.all_entries(listed);
        let mut found: Vec<Entry> = Vec::new();
        for place in matching(query, all.iter().map(|entry| entry.text.as_str())) {
            found.extend(all.get(place).cloned());
        }
        let typed = query.trim();
        if let (Listed::Judges { .. }, false) = (listed, typed.is_empty()) {
            // Any name will do, known or not.
            if all.iter().all(|entry| entry.text != typed) {
                found.push(Entry {
                    text: typed.to_owned(),
                    note: "as typed".into(),
                    on: false,
                    pick: Pick::Judge(typed.to_owned()),
                });
            }
        }
        found
    }

    fn all_entries(&self, listed: &Listed) -> Vec<Entry> {
        let entry = |text: &str, note: String, on: bool, pick: Pick| Entry {
            text: text.to_owned(),
            note,
            on,
            pick,
        };
        match listed {
            Listed::Palette => {
                let bindings = self.keymap.reachable(self.screen_layer());
                let useful = bindings.into_iter().filter(|b| b.run != Action::Palette);
                useful
                    .map(|binding| {
                        let keys = binding.on.first().map_or_else(String::new, |keys| {
                            sequence_label(keys, self.glyphs.ascii)
                        });
                        let about = binding.run.about().trim_end_matches('.');
                        let text = format!("{}: {about}", binding.run.name());
                        entry(&text, keys, false, Pick::Do(binding.run))
                    })
                    .collect()
            }
            Listed::Facets => {
                let counts = self.facet_counts.iter().flat_map(|counts| counts.iter());
                counts
                    .map(|count| {
                        let facet = &count.facet;
                        let on = self.listing.facets.contains(facet);
                        let text = format!("{}: {}", facet.field, facet.value);
                        let note = count.records.to_string();
                        entry(&text, note, on, Pick::Facet(facet.clone()))
                    })
                    .collect()
            }
            Listed::Sort => {
                let plain = [
                    SortBy::Data,
                    SortBy::SelfEval,
                    SortBy::SelfEvalFree,
                    SortBy::Cosine,
                    SortBy::Fused,
                    SortBy::Disagreement,
                    SortBy::Length,
                ];
                let labels = self.facts.labels.keys().cloned().map(SortBy::Label);
                plain
                    .into_iter()
                    .chain(self.selection.is_some().then_some(SortBy::Selection))
                    .chain(labels)
                    .map(|by| {
                        let note = match by {
                            SortBy::Label(_) => "label",
                            _ => "",
                        };
                        let on = by == self.listing.sort;
                        entry(by.word(), note.into(), on, Pick::Sort(by.clone()))
                    })
                    .collect()
            }
            Listed::Columns => Column::ALL
                .iter()
                .map(|(column, word)| {
                    let on = self.columns.contains(column);
                    entry(word, String::new(), on, Pick::Column(*column))
                })
                .collect(),
            Listed::Queue => Queue::ALL
                .iter()
                .map(|order| {
                    let on = *order == self.annotate.order;
                    let note = order.note().to_owned();
                    entry(order.word(), note, on, Pick::Queue(*order))
                })
                .collect(),
            Listed::Judges { second } => {
                let now = match second {
                    false => self.judge_name.as_deref(),
                    true => self.second.as_ref().map(|second| second.name.as_str()),
                };
                let known = self.known_judges.iter();
                known
                    .map(|(name, note)| {
                        let on = now == Some(name.as_str());
                        entry(name, note.clone(), on, Pick::Judge(name.clone()))
                    })
                    .collect()
            }
            Listed::Samples => self.sample_entries(),
            Listed::Export => Exported::ALL
                .iter()
                .map(|(what, word, about)| {
                    entry(word, (*about).to_owned(), false, Pick::Export(*what))
                })
                .collect(),
        }
    }
}
