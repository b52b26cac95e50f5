//! Records and scores made up for tests.

use std::collections::BTreeMap;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::data::{LabelDistribution, Record, Response, ScoreCard};
use crate::judge::pairwise::verdict::Positions;
use crate::judge::pairwise::{Judgment, Pair, Rule};
use crate::run::live::{Command, Event, JudgeInfo, Lane, Subject, Ticket};
use crate::stats::preset::Source;
use crate::store::Store;
use crate::tui::effect::{Effect, Keep};
use crate::tui::finder::Finder;
use crate::tui::key::Key;
use crate::tui::message::{Kept, Message};
use crate::tui::state::{Loaded, RowError, State};
use crate::tui::theme::ThemeSet;
use crate::tui::update::update;
use crate::tui::view::view;

/// A distribution over 0–9 with its mass around a value.
pub fn peak(at: f64) -> LabelDistribution {
    let weights: Vec<f64> = (0..10)
        .map(|label| (-0.5 * (f64::from(label) - at).powi(2) / 1.2).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    LabelDistribution {
        missing: None,
        labels: (0..10).map(|label| label.to_string()).collect(),
        values: (0..10).map(f64::from).collect(),
        probs: weights.iter().map(|weight| weight / sum).collect(),
        mass: Some(0.98),
    }
}

/// A card with both modes, cosine and fused.
pub fn card(with: f64, free: f64, fused: Option<(f64, f64)>) -> ScoreCard {
    ScoreCard {
        self_eval_ref: Some(peak(with)),
        self_eval_free: Some(peak(free)),
        cosine: fused.map(|(cosine, _)| cosine),
        fused: fused.map(|(_, fused)| fused),
        prompt_tokens: 312,
    }
}

/// A score that depends on the text alone: longer answers do better, up to a point.
pub fn judged(subject: &Subject) -> ScoreCard {
    let length = subject.response.chars().count() as f64;
    let with = 1.0 + 8.0 * (length / 190.0).min(1.0);
    let free = (with + 0.8).min(8.6);
    if subject.reference.is_none() {
        return ScoreCard {
            self_eval_free: Some(peak(free)),
            prompt_tokens: 180,
            ..ScoreCard::default()
        };
    }
    let cosine = 0.15 + 0.75 * (length / 190.0).min(1.0);
    let fused = 0.5 * peak(with).mean() / 9.0 + 0.5 * (cosine + 1.0) / 2.0;
    card(with, free, Some((cosine, fused)))
}

fn response(id: &str, generator: &str, rating: f64, text: &str, reason: &str) -> Response {
    Response {
        id: id.into(),
        generator: Some(generator.into()),
        text: text.into(),
        labels: BTreeMap::from([("rating".to_string(), rating)]),
        reason: Some(reason.into()),
        ..Response::default()
    }
}

/// A few records of different shapes.
pub fn records() -> Vec<Record> {
    let mut records = vec![
        Record {
            id: "common-001".into(),
            category: Some("common".into()),
            instruction: "How long should I boil an egg if I want a set white but a runny yolk?"
                .into(),
            reference: Some(
                "Lower a large egg straight from the fridge into gently boiling water and cook it for about six minutes, then cool it briefly under cold water so it stops cooking.".into(),
            ),
            responses: vec![
                response("a", "moth-mini", 1.0, "Twelve minutes at a full rolling boil.", "Twelve minutes produces a hard-boiled egg, so the confident method gives exactly the wrong result."),
                response("b", "quill-7b", 6.0, "Around six minutes in boiling water. That gives you a runny yolk with a white that holds together.", "Time is right and usable, but no mention of egg size or stopping the cooking."),
                response("c", "larch-2", 9.0, "Six minutes in simmering water for a large fridge-cold egg, then straight under the cold tap. Take off a minute for looser white, add one for a jammy yolk, and lower it in with a spoon.", "Exact, complete and adjustable."),
            ],
            ..Record::default()
        },
        Record {
            id: "coding-001".into(),
            category: Some("coding".into()),
            instruction: "Why does this function remember items between calls, and how do I fix it?".into(),
            input: Some("def add_item(item, basket=[]):\n    basket.append(item)\n    return basket".into()),
            reference: Some("Default values are evaluated once, when the `def` line runs.".into()),
            responses: vec![
                response("a", "slate-1", 3.0, "The garbage collector has not run yet.", "Blames garbage collection."),
                response("b", "larch-2", 9.0, "The `[]` default is created once, at definition time, so all calls share that one list. Write `basket=None` and start the body with `if basket is None: basket = []`.", "Names the exact cause."),
            ],
            ..Record::default()
        },
        Record {
            id: "common-002".into(),
            instruction: "Translate into Japanese: I would like a window seat, please.".into(),
            responses: vec![Response {
                id: "a".into(),
                text: "窓側の席をお願いします。\u{1b}[31m".into(),
                ..Response::default()
            }],
            ..Record::default()
        },
    ];
    for number in 3..40 {
        records.push(Record {
            id: format!("more-{number:03}"),
            instruction: format!("Question {number} of the common set, about something plain"),
            reference: Some("A plain answer.".into()),
            responses: vec![
                response("a", "quill-7b", 5.0, &"word ".repeat(number), "Fair."),
                response(
                    "b",
                    "larch-2",
                    7.0,
                    &"answer ".repeat(number % 7 + 1),
                    "Good.",
                ),
            ],
            ..Record::default()
        });
    }
    records
}

/// A judge as it says it is ready.
pub fn info() -> JudgeInfo {
    JudgeInfo {
        name: "starter".into(),
        hash: "a1b2c3d4".into(),
        parameters: 8_400_000,
        context: 1024,
        scale: (0.0, 9.0),
        path: None,
        identity: "abc+def".into(),
        source: Source {
            fusion: "range 0.5".into(),
            embedder: "e".into(),
        },
        template: ("standard".into(), TEMPLATE.into()),
        special: vec!["<|rate|>".into()],
    }
}

/// The longer one is better by the first principle, the shorter by the second, but not by as much.
pub fn compared(pair: &Pair) -> Judgment {
    let lead = (pair.a.len() as f64 - pair.b.len() as f64) / 1000.0;
    let order = |lead: f64| Positions {
        p_a: (0.45 + lead + 0.05).clamp(0.01, 0.9),
        p_b: (0.45 - lead - 0.05).clamp(0.01, 0.9),
    };
    let found = [
        ("helpfulness", [order(lead), order(-lead)]),
        ("brevity", [order(-lead / 2.0), order(lead / 2.0)]),
    ];
    Judgment::new(found, Rule::default()).unwrap()
}

/// A template file as a judge tells it.
pub const TEMPLATE: &str = "name = \"standard\"\nfree = \"{instruction} {response}\"\n";

/// The explorer with a script instead of people, files and judge.
pub struct Bench {
    pub state: State,
    /// Effects not looked at yet; what searches the data or keeps something is done at once.
    pub effects: Vec<Effect>,
    folder: tempfile::TempDir,
    store: Option<Store>,
}

impl Bench {
    /// Answers a request with what the fixture's judge says.
    pub fn score(&mut self, (ticket, subject, _): &(u64, crate::run::live::Subject, Lane)) {
        let card = judged(subject);
        self.tell(Event::Scored {
            ticket: *ticket,
            card,
            seconds: 0.1,
        });
    }

    /// Nothing loaded yet.
    pub fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, "terminal", false)
    }

    /// With a theme and signs.
    pub fn with(width: u16, height: u16, theme: &str, ascii: bool) -> Self {
        let (themes, errors) = ThemeSet::new(&[], true);
        assert_eq!(errors, []);
        let mut state = State::new((width, height), themes, theme, ascii);
        state.title = "sample_data".into();
        Bench {
            state,
            effects: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            store: None,
        }
    }

    /// The store is opened, as if the program had been started again.
    pub fn open_store(&mut self) -> &mut Self {
        let store = Store::at(&self.folder.path().join("juror.db")).unwrap();
        let opened = Kept::Opened {
            events: store.events().unwrap(),
            annotator: store.recall("annotator").unwrap(),
            place: store.recall("place").unwrap(),
            runs: store.runs(10).unwrap(),
        };
        self.store = Some(store);
        self.send(Message::Kept(Box::new(opened)))
    }

    /// A new explorer on the same store.
    pub fn restart(self) -> Self {
        let (width, height) = self.state.size;
        let mut next = Self::new(width, height);
        next.folder = self.folder;
        next
    }

    /// What the threads of the real explorer do.
    fn serve(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Find(search) => {
                let mut found = Vec::new();
                let mut finder = Finder::new(self.state.library.clone());
                finder.find(&search, &|| false, &mut |records, complete| {
                    found.push((records, complete));
                });
                for (records, complete) in found {
                    let number = search.number;
                    self.send(Message::Found {
                        number,
                        records,
                        complete,
                    });
                }
            }
            Effect::CountFacets => {
                let facets = Finder::new(self.state.library.clone()).facets(&|| false);
                self.send(Message::Facets(facets.unwrap().into()));
            }
            Effect::Compare(comparison) => {
                let agreed = comparison.count(self.state.annotate.agreed.clone());
                self.send(Message::Agreed(Box::new(agreed)));
            }
            Effect::Keep(Keep::Event { ticket, event }) if self.store.is_some() => {
                let store = self.store.as_mut().unwrap();
                store.add_events(std::slice::from_ref(&*event)).unwrap();
                let kept = Kept::Event { ticket, event };
                self.send(Message::Kept(Box::new(kept)));
            }
            Effect::Keep(Keep::Remember { key, value }) if self.store.is_some() => {
                self.store.as_mut().unwrap().remember(&key, &value).unwrap();
            }
            other => return Some(other),
        }
        None
    }

    /// Records are there, the judge is ready.
    pub fn ready(width: u16, height: u16) -> Self {
        let mut bench = Self::new(width, height);
        bench.load(records());
        bench.tell(Event::Ready(info()));
        bench
    }

    /// Sends a message.
    pub fn send(&mut self, message: Message) -> &mut Self {
        for effect in update(&mut self.state, message) {
            let left = self.serve(effect);
            self.effects.extend(left);
        }
        self
    }

    /// Presses keys, a frame before each: `jj]ihello<esc>`.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in Key::parse_typed(keys).unwrap() {
            self.state.note_drawn();
            self.send(Message::Key(key));
        }
        self
    }

    /// The data arrives.
    pub fn load(&mut self, records: Vec<Record>) -> &mut Self {
        self.send(Message::Data(Box::new(Ok(Loaded::new(
            records,
            Vec::new(),
        )))))
    }

    /// The data arrives with rows left out.
    pub fn load_with_errors(&mut self, records: Vec<Record>) -> &mut Self {
        let errors = vec![
            RowError {
                file: "answers.jsonl".into(),
                line: Some(17),
                cause: "expected `,` or `}` at column 212".into(),
            },
            RowError {
                file: "answers.jsonl".into(),
                line: Some(391),
                cause: "no field `instruction`".into(),
            },
        ];
        self.send(Message::Data(Box::new(Ok(Loaded::new(records, errors)))))
    }

    /// The judge says something.
    pub fn tell(&mut self, event: Event) -> &mut Self {
        self.send(Message::Judge(Box::new(event)))
    }

    /// Takes the effects so far.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Takes the scores asked for so far.
    pub fn asked(&mut self) -> Vec<(Ticket, Subject, Lane)> {
        let effects = self.take();
        effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Judge(Command::Score {
                    ticket,
                    subject,
                    lane,
                }) => Some((ticket, subject, lane)),
                _ => None,
            })
            .collect()
    }

    /// Answers everything asked for, until nothing more is asked.
    pub fn judge_all(&mut self) -> &mut Self {
        loop {
            let mut answers = Vec::new();
            for effect in self.take() {
                answers.extend(match effect {
                    Effect::Judge(Command::Score {
                        ticket, subject, ..
                    }) => Some(Event::Scored {
                        ticket,
                        card: judged(&subject),
                        seconds: 0.2,
                    }),
                    Effect::Judge(Command::Pair { ticket, pair }) => Some(Event::Paired {
                        ticket,
                        judgment: Box::new(compared(&pair)),
                        seconds: 0.2,
                    }),
                    Effect::Judge(Command::Reason { ticket, reason }) => Some(Event::Reasoned {
                        ticket,
                        text: format!("Position {} says more.", ["A", "B"][reason.position]),
                    }),
                    _ => None,
                });
            }
            if answers.is_empty() {
                return self;
            }
            for answer in answers {
                self.tell(answer);
            }
        }
    }

    /// The screen as drawn.
    pub fn screen(&self) -> String {
        let (width, height) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view(&self.state, frame)).unwrap();
        terminal.backend().to_string()
    }
}
