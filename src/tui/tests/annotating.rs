//! Rating one response after the other.

use super::fixture::{Bench, records};
use crate::tui::effect::{Effect, Keep};
use crate::tui::layout::Screen;
use crate::tui::message::{Kept, Message};
use crate::tui::state::{Overlay, Queue};

fn bench() -> Bench {
    let mut bench = Bench::ready(120, 40);
    bench.state.annotate.annotator = "ada".into();
    bench.open_store().keys("<f5>");
    bench
}

fn said(bench: &Bench, at: usize) -> Option<f64> {
    let (record, response) = bench.state.annotate.queue[at];
    let key = bench.state.row_key(record, response)?;
    let journal = bench.state.annotate.journal.as_ref()?;
    journal.said("ada", key)?.labels.get("rating").copied()
}

#[test]
fn a_digit_rates_and_goes_on() {
    let mut bench = bench();
    let all: usize = records().iter().map(|r| r.responses.len()).sum();
    assert_eq!(bench.state.annotate.queue.len(), all);
    let first = bench.state.annotate.row();
    bench.keys("7");
    assert_eq!((said(&bench, 0), bench.state.annotate.at), (Some(7.0), 1));
    assert_ne!(bench.state.annotate.row(), first);
    assert_eq!(
        bench.state.record_index(),
        bench.state.annotate.row().map(|row| row.0)
    );
    bench.keys("2s");
    assert_eq!((said(&bench, 1), said(&bench, 2)), (Some(2.0), None));
    assert_eq!(bench.state.annotate.at, 3);
    assert!(bench.screen().contains("3 of"), "{}", bench.screen());
    // Going back shows what was said; another digit replaces it.
    bench.keys("KKK");
    assert!(bench.screen().contains("[7]"));
    bench.keys("8");
    assert_eq!(said(&bench, 0), Some(8.0));
    assert_eq!(bench.state.annotate.at, 3, "on to what nothing is said of");
    bench.keys("KKKx");
    assert_eq!((said(&bench, 0), bench.state.annotate.at), (None, 0));
}

#[test]
fn nothing_moves_on_before_it_is_on_disk() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f5>4");
    assert!(bench.screen().contains("still being read"));
    let events = Vec::new();
    bench.send(Message::Kept(Box::new(Kept::Opened {
        events,
        annotator: None,
        place: None,
        runs: Vec::new(),
    })));
    bench.take();
    bench.keys("4");
    let effects = bench.take();
    let [Effect::Keep(Keep::Event { ticket, event })] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!((bench.state.annotate.at, event.value), (0, Some(4.0)));
    assert!(bench.screen().contains("saving"));
    bench.keys("9");
    assert_eq!(bench.take(), [], "one at a time");
    let cause = "the disk is full".to_owned();
    bench.send(Message::Kept(Box::new(Kept::Refused {
        ticket: *ticket,
        cause,
    })));
    assert_eq!(bench.state.annotate.at, 0);
    assert!(bench.screen().contains("Not kept: the disk is full"));
    bench.keys("5");
    assert!(
        matches!(bench.take().as_slice(), [Effect::Keep(_)]),
        "tried again"
    );
}

#[test]
fn undo_and_redo_outlive_the_program() {
    let mut bench = bench();
    bench.keys("123u");
    assert_eq!((bench.state.annotate.at, said(&bench, 2)), (2, None));
    assert!(bench.screen().contains("Undone"));
    let mut bench = bench.restart();
    bench.state.annotate.annotator = "ada".into();
    bench.load(records()).open_store().keys("<f5>");
    assert_eq!(bench.state.annotate.at, 2, "the first without a word");
    bench.keys("u");
    assert_eq!((bench.state.annotate.at, said(&bench, 1)), (1, None));
    bench.keys("<ctrl-r><ctrl-r>");
    assert_eq!((said(&bench, 1), said(&bench, 2)), (Some(2.0), Some(3.0)));
    bench.keys("<ctrl-r>");
    assert!(bench.screen().contains("nothing to do again"));
    bench.keys("uuuu");
    assert!(bench.screen().contains("nothing to undo"));
    assert_eq!(bench.state.said_count(), 0);
}

#[test]
fn comments_are_typed_and_kept() {
    let mut bench = bench();
    bench.keys("c");
    assert!(matches!(bench.state.overlay, Some(Overlay::Line { .. })));
    bench.keys("too short 7<enter>");
    assert_eq!(bench.state.annotate.at, 0, "a comment does not go on");
    assert!(bench.screen().contains("“too short 7”"));
    bench.keys("c<ctrl-u><enter>");
    assert!(!bench.screen().contains("too short"));
}

#[test]
fn blind_hides_judge_generator_and_labels() {
    let mut bench = bench();
    bench.judge_all();
    let hidden = [
        "quill-7b",
        "larch-2",
        "moth-mini",
        "self-eval",
        "in the data",
        "ANSWER",
    ];
    for _ in 0..6 {
        let screen = bench.screen();
        let seen: Vec<_> = hidden
            .iter()
            .filter(|word| screen.contains(**word))
            .collect();
        assert!(seen.is_empty(), "{seen:?}\n{screen}");
        bench.keys("J");
    }
    bench.keys("gg<f5>b");
    bench.judge_all();
    let screen = bench.screen();
    assert!(screen.contains("self-eval"), "{screen}");
}

#[test]
fn queues_order_what_comes() {
    let mut bench = bench();
    let random = bench.state.annotate.queue.clone();
    bench.keys("o").keys("unlab<enter>");
    assert_eq!(bench.state.annotate.order, Queue::Unlabelled);
    assert_eq!(
        bench.state.annotate.queue,
        [(2, 0)],
        "the one response without a label"
    );
    bench.keys("onear<enter>");
    bench.judge_all();
    let apart = |bench: &Bench, at: usize| {
        let (record, response) = bench.state.annotate.queue[at];
        let card = bench.state.row_card(record, response).unwrap();
        let decision = crate::tui::state::Decision::of(card, bench.state.mode, false).unwrap();
        (decision.value - bench.state.threshold).abs()
    };
    bench.keys("o<enter>onear<enter>");
    assert_eq!(bench.state.annotate.order, Queue::NearCut);
    let count = bench.state.annotate.queue.len();
    assert!(count > 50);
    assert!((1..count).all(|at| apart(&bench, at - 1) <= apart(&bench, at)));
    bench.keys("odisag<enter>");
    assert_eq!(bench.state.annotate.order, Queue::Disagreeing);
    bench.keys("orandom<enter>");
    assert_eq!(
        bench.state.annotate.queue, random,
        "the same seed, the same order"
    );
}

#[test]
fn agreement_is_counted_as_it_grows() {
    let mut bench = bench();
    bench.judge_all();
    for round in 0..8 {
        bench.keys(["1", "9", "5", "3"][round % 4]);
        bench.judge_all();
    }
    let together = &bench.state.annotate.with_judge;
    assert_eq!(together.rows, 8);
    assert!(together.correlations.spearman.is_some());
    assert!(together.agreement.is_some_and(|a| a.gwet_ac1.is_some()));
    let (who, data) = &bench.state.annotate.with_others[0];
    assert_eq!(who, "rating in the data");
    assert!(data.rows >= 7);
    assert!(bench.screen().contains("8 rated"));
    // Somebody else begins anew, and is compared with the first.
    bench.keys("A<ctrl-u>bob<enter>");
    assert_eq!(bench.state.said_count(), 0);
    bench.keys("19");
    let others: Vec<&str> = bench
        .state
        .annotate
        .with_others
        .iter()
        .map(|o| o.0.as_str())
        .collect();
    assert!(others.contains(&"ada"), "{others:?}");
}

#[test]
fn a_digit_off_the_scale_is_told() {
    let mut bench = Bench::ready(120, 40);
    bench.state.annotate.scale = (1, 5);
    bench.state.annotate.scale_given = true;
    bench.open_store().keys("<f5>7");
    assert!(bench.screen().contains("not on the scale from 1 to 5"));
    assert_eq!(bench.state.screen, Screen::Annotate);
}

#[test]
fn where_a_person_was_is_where_they_return() {
    let mut bench = Bench::ready(120, 40);
    bench.state.place_key = "place".into();
    bench.open_store().keys("jj]>>>r<f4>");
    let mut bench = bench.restart();
    bench.open_store().load(records());
    let state = &bench.state;
    assert_eq!((state.cursor, state.screen), (2, Screen::Threshold));
    assert!((state.threshold - 0.53).abs() < 1e-9);
    assert_eq!(state.mode, crate::tui::state::ShownMode::Free);
}

#[test]
fn a_click_on_a_digit_rates() {
    use crate::tui::message::{Mouse, MouseKind};
    let mut bench = bench();
    let area = bench.state.areas().unwrap().rating.unwrap();
    let mouse = |column, row| {
        Message::Mouse(Mouse {
            kind: MouseKind::Press,
            column,
            row,
        })
    };
    // The digits stand three columns apart, in the second line of the pane.
    bench.send(mouse(area.x + 2 + 3 * 4 + 1, area.y + 2));
    assert_eq!(said(&bench, 0), Some(4.0));
    bench.send(mouse(area.x + 2 + 3 * 10 + 1, area.y + 2));
    assert_eq!(said(&bench, 1), None, "beside the last digit");
}

#[test]
fn a_comment_that_could_not_be_kept_is_still_there() {
    let mut bench = Bench::ready(120, 40);
    bench.send(Message::Kept(Box::new(Kept::Opened {
        events: Vec::new(),
        annotator: None,
        place: None,
        runs: Vec::new(),
    })));
    bench.keys("<f5>");
    bench.take();
    bench.keys("cwell said<enter>");
    let effects = bench.take();
    let [Effect::Keep(Keep::Event { ticket, .. })] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    bench.send(Message::Kept(Box::new(Kept::Refused {
        ticket: *ticket,
        cause: "the disk is full".into(),
    })));
    let Some(Overlay::Line { text, .. }) = &bench.state.overlay else {
        panic!("{:?}", bench.state.overlay);
    };
    assert_eq!(text, "well said");
}
