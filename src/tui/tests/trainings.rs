//! Trainings of other processes among the runs.

use std::sync::Arc;

use super::fixture::{Bench, info, records};
use super::runs::{NOW, run};
use super::screens::{SIZES, snapshot};
use crate::run::live;
use crate::store::Training;
use crate::train::tune::log::{Entry, Eval, History, Reason, Start, Step};
use crate::tui::effect::{Attend, Effect};
use crate::tui::layout::{Pane, Screen};
use crate::tui::message::{Kept, Message};
use crate::tui::state::{Standing, Watched};

/// A log whose loss falls in waves.
fn history(steps: usize) -> History {
    let mut history = History::of([Entry::Start(Start {
        command: "judge".into(),
        model: "hf:ORG/SmolModel-135M".into(),
        steps: 400,
        started: "2025-07-01T09:10:00Z".into(),
        config_hash: "c0ffee".into(),
        from: 0,
    })]);
    for step in 1..=steps {
        let at = step as f64;
        let loss = 0.8 + 2.4 * (-at / 60.0).exp() + 0.08 * (at * 0.9).sin();
        history.add(Entry::Step(Step {
            step,
            epoch: at / 200.0,
            loss,
            parts: [("ref", 0.6), ("free", 0.7), ("kl", 0.05)]
                .map(|(name, share)| (name.to_owned(), loss * share))
                .into_iter()
                .collect(),
            learning_rate: 2e-4 * (at / 40.0).min(1.0) * (1.0 - at / 500.0),
            grad_norm: 1.0 + 0.5 * (at * 0.3).cos(),
            tokens: step as u64 * 4096,
            tokens_per_s: 1900.0,
        }));
        if step % 50 == 0 {
            let figures = [("loss", loss + 0.15), ("pearson", 0.3 + at / 1000.0)];
            history.add(Entry::Eval(Eval {
                step,
                figures: figures.map(|(name, v)| (name.to_owned(), v)).into(),
            }));
            history.add(Entry::Saved { step });
        }
    }
    history
}

fn watched(output: &str, minutes: i64, standing: Standing, history: History) -> Watched {
    Watched {
        training: Training {
            output: output.into(),
            command: "judge".into(),
            started: NOW - minutes * 60_000,
        },
        standing,
        stopping: false,
        history: Arc::new(history),
    }
}

fn ended(steps: usize, reason: Reason, message: &str) -> History {
    let mut history = history(steps);
    history.add(Entry::End {
        reason,
        message: message.into(),
    });
    history
}

/// One that runs, one whose loss was no number, one that is gone.
fn several() -> Vec<Watched> {
    let nan = "step 31: the loss is not a number in batch 31 (rows 240 to 247); the checkpoint of step 25 is kept: lower learning_rate";
    vec![
        watched("/data/judges/b", 4, Standing::Running, history(120)),
        watched(
            "/data/judges/nan",
            61,
            Standing::Ended(Reason::Nan),
            ended(30, Reason::Nan, nan),
        ),
        watched(
            "/data/judges/gone",
            3000,
            Standing::Gone,
            History::default(),
        ),
    ]
}

fn bench(width: u16, height: u16, trainings: Vec<Watched>) -> Bench {
    let mut bench = Bench::ready(width, height);
    bench.judge_all();
    bench.state.clock = NOW;
    bench.send(Message::Kept(Box::new(Kept::Runs(vec![run(
        1, 30, "standard",
    )]))));
    bench.keys("<f6>").send(Message::Trainings(trainings));
    bench
}

#[test]
fn a_training_is_a_row_with_its_curves_beside_it() {
    for (width, height) in SIZES {
        let mut bench = bench(width, height, several());
        snapshot("trainings", &bench);
        if width < 80 {
            snapshot("trainings_tab", bench.keys("<tab>"));
        }
        snapshot("training_opened", bench.keys("<enter>"));
        snapshot("training_opened_end", bench.keys("G"));
    }
    // 280 steps of 4096 tokens at 1900 a second.
    for (width, texts) in [
        (
            120,
            [
                "120/400",
                "ETA 10:04",
                "30 %",
                "NaN loss",
                "gone",
                "eval 1.47",
            ],
        ),
        (
            170,
            [
                "1.9k tok/s",
                "loss 1.20",
                "judge",
                "hf:",
                "latest step",
                "step 100",
            ],
        ),
    ] {
        let screen = bench(width, 40, several()).screen();
        for text in texts {
            assert!(screen.contains(text), "{text}\n{screen}");
        }
    }
}

#[test]
fn how_it_ended_is_said_first() {
    for (width, height) in SIZES {
        let mut bench = bench(width, height, several());
        bench.keys("jj<enter>");
        snapshot("training_nan", &bench);
    }
    let mut bench = bench(120, 40, several());
    bench.keys("jj<enter>");
    assert!(bench.screen().contains("in batch 31"));
    let mut rest = several();
    rest[0].standing = Standing::Interrupted;
    rest[1].standing = Standing::Unreadable("permission denied".into());
    rest[2].standing = Standing::Unlogged;
    let mut half = History::default();
    half.add_bad(crate::train::tune::log::BadLine {
        line: 17,
        cause: "unknown variant `weather`".into(),
    });
    rest[2].history = Arc::new(half);
    bench.send(Message::Trainings(rest));
    assert!(bench.screen().contains("make it readable"));
    bench.keys("K");
    assert!(bench.screen().contains("ended without a word"));
    bench.keys("JJ");
    let screen = bench.screen();
    assert!(screen.contains("no log yet") && screen.contains("line 17: unknown"));
}

#[test]
fn one_after_another_is_looked_at_and_esc_leads_back() {
    let mut bench = bench(120, 40, several());
    bench.keys("<enter>");
    assert_eq!(bench.state.focus, Pane::Training);
    bench.keys("J");
    assert_eq!(
        bench.state.chosen_training().unwrap().training.output,
        "/data/judges/nan",
        "the run that scored between them is passed over"
    );
    bench.keys("J");
    assert!(bench.screen().contains("is not there any more"));
    bench.keys("J");
    assert!(bench.screen().contains("There is no earlier training."));
    bench.keys("KK");
    // It cannot be scrolled past its end.
    bench.keys("GGjjjj");
    let end = bench.screen();
    bench.keys("k");
    assert_ne!(bench.screen(), end, "one line up is one line up");
    bench.keys("<esc>");
    assert_eq!(
        (bench.state.screen, bench.state.focus),
        (Screen::Runs, Pane::Runs)
    );
    // Enter on a run that scored opens what changed, as before.
    bench.keys("j<enter>");
    assert!(bench.screen().contains("Mark two runs"));
    bench.keys("kc");
    assert!(
        bench
            .screen()
            .contains("Only runs that score are compared.")
    );
}

#[test]
fn it_is_followed_while_the_cursor_stays_where_it_is() {
    let mut bench = bench(120, 40, several());
    bench.keys("jj");
    let mut more = several();
    more[0].history = Arc::new(history(121));
    more.insert(
        0,
        watched(
            "/data/judges/new",
            0,
            Standing::Unlogged,
            History::default(),
        ),
    );
    bench.send(Message::Trainings(more));
    assert!(bench.screen().contains("121/400"));
    let chosen = |bench: &Bench| {
        bench
            .state
            .chosen_training()
            .map(|w| w.training.output.clone())
    };
    assert_eq!(chosen(&bench).as_deref(), Some("/data/judges/nan"));
    let runs = vec![run(2, 0, "standard"), run(1, 30, "standard")];
    bench.send(Message::Kept(Box::new(Kept::Runs(runs))));
    assert_eq!(chosen(&bench).as_deref(), Some("/data/judges/nan"));
    bench.keys("<enter>").send(Message::Trainings(Vec::new()));
    assert_eq!(bench.state.focus, Pane::Runs, "nothing is left to be open");
    bench.screen();
}

#[test]
fn a_training_is_stopped_after_a_second_press() {
    let mut bench = bench(120, 40, several());
    let asked = |bench: &mut Bench| -> Vec<Attend> {
        let effects = bench.take().into_iter();
        effects
            .filter_map(|effect| match effect {
                Effect::Attend(attend) => Some(attend),
                _ => None,
            })
            .collect()
    };
    bench.keys("x");
    assert!(bench.screen().contains("x again stops this training"));
    bench.keys("jkx");
    assert_eq!(asked(&mut bench), [], "another key between them is a no");
    bench.keys("x");
    assert_eq!(asked(&mut bench), [Attend::Stop("/data/judges/b".into())]);
    let mut stopping = several();
    stopping[0].stopping = true;
    bench.send(Message::Trainings(stopping)).keys("x");
    let screen = bench.screen();
    assert!(screen.contains("asked to stop already") && screen.contains("stopping"));
    bench.keys("d");
    assert!(bench.screen().contains("stop it first"));
    bench.keys("jjx");
    assert!(bench.screen().contains("This training is not running."));
    bench.keys("d");
    assert_eq!(asked(&mut bench), []);
    bench.keys("d");
    assert_eq!(
        asked(&mut bench),
        [Attend::Forget("/data/judges/nan".into())]
    );
    // What is gone goes at once.
    bench.keys("jd");
    assert_eq!(
        asked(&mut bench),
        [Attend::Forget("/data/judges/gone".into())]
    );
}

#[test]
fn in_ascii_only_the_data_is_not_ascii() {
    for keys in ["", "<tab>", "<enter>", "<enter>G", "jj", "jjj"] {
        for (width, height) in SIZES {
            let mut bench = Bench::with(width, height, "terminal", true);
            let mut data = records();
            data.truncate(2);
            bench.load(data).tell(live::Event::Ready(info()));
            bench.judge_all().keys("<f6>");
            bench.state.clock = NOW;
            bench.send(Message::Trainings(several()));
            bench.keys(keys);
            let screen = bench.screen();
            let foreign: String = screen.chars().filter(|c| !c.is_ascii()).collect();
            assert_eq!(foreign, "", "{keys:?} {width}\n{screen}");
            if keys == "<enter>" {
                snapshot("training_ascii", &bench);
            }
        }
    }
}

#[test]
fn names_from_a_log_are_inert() {
    let mut hostile = several();
    let mut history = history(3);
    history.start.as_mut().unwrap().model = "a\u{1b}[31mb\nc".into();
    let figures = [("x\u{1b}]0;y\u{7}\n", 1.0)].map(|(n, v)| (n.to_owned(), v));
    history.add(Entry::Eval(Eval {
        step: 3,
        figures: figures.into(),
    }));
    hostile[0].history = Arc::new(history);
    let mut bench = bench(120, 40, hostile);
    assert!(!bench.screen().contains('\u{1b}'));
    bench.keys("<enter>");
    assert!(!bench.screen().contains('\u{1b}'));
}

#[test]
fn every_size_can_be_drawn() {
    for width in [40, 41, 59, 79, 80, 119, 121, 400] {
        for height in [10, 11, 16, 24, 90] {
            for keys in [
                "",
                "<tab>",
                "<enter>",
                "<enter>G",
                "jj<enter>",
                "jjj<enter>",
            ] {
                bench(width, height, several()).keys(keys).screen();
            }
        }
    }
}
