//! Rating one response after the other.

use super::fixture::{Bench, records};
use crate::data::{Library, Record};
use crate::stats::evaluation::{Rows, Settings, raters};
use crate::tui::effect::{Effect, Keep};
use crate::tui::key::Key;
use crate::tui::layout::Screen;
use crate::tui::message::{Kept, Message};
use crate::tui::state::{DataStatus, Loaded, Overlay, Purpose, Queue, Together};

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
fn what_is_not_on_screen_yet_is_not_rated() {
    let mut bench = bench();
    bench.keys("JJJ").state.note_drawn();
    bench.state.annotate.at = 0;
    for key in Key::parse_typed("7sc").unwrap() {
        bench.send(Message::Key(key));
    }
    assert_eq!((said(&bench, 0), bench.state.annotate.at), (None, 0));
    assert!(bench.state.overlay.is_none(), "{:?}", bench.state.overlay);
    bench.keys("7");
    assert_eq!((said(&bench, 0), bench.state.annotate.at), (Some(7.0), 1));
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
    let name = bench.state.row_name(bench.state.annotate.queue[2]).unwrap();
    let screen = bench.screen();
    assert!(
        screen.contains(&format!("Undone: rating 3 of {name}.")),
        "{screen}"
    );
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
    // What is in the data is not the annotator's.
    bench.keys("7s").keys("o").keys("unlab<enter>");
    assert_eq!(bench.state.annotate.order, Queue::Unlabelled);
    let mut left = random[2..].to_vec();
    left.sort_unstable();
    assert_eq!(bench.state.annotate.queue, left);
    bench.keys("oskip<enter>");
    assert_eq!(bench.state.annotate.queue, [random[1]]);
    assert_eq!(bench.state.said_count(), 0);
    bench.keys("4");
    assert_eq!((said(&bench, 0), bench.state.said_count()), (Some(4.0), 1));
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
    let together = &bench.state.annotate.agreed.with_judge;
    assert_eq!(together.rows, 8);
    assert!(together.correlations.spearman.is_some());
    assert!(together.agreement.is_some_and(|a| a.gwet_ac1.is_some()));
    let (who, data) = &bench.state.annotate.agreed.with_others[0];
    assert_eq!(who, "rating in the data");
    assert!(data.rows >= 7);
    assert!(bench.screen().contains("8 rated"));
    // Somebody else begins anew, and is compared with the first.
    bench.keys("A<enter>");
    assert_eq!(
        bench.state.annotate.annotator, "ada",
        "an empty line keeps the name"
    );
    bench.keys("A");
    assert!(bench.screen().contains("now ada"), "{}", bench.screen());
    bench.keys("bob<enter>");
    assert_eq!(bench.state.annotate.annotator, "bob");
    assert_eq!(bench.state.said_count(), 0);
    bench.keys("19A");
    assert!(bench.screen().contains("now bob; also ada"));
    bench.keys("<esc>");
    let others: Vec<&str> = bench
        .state
        .annotate
        .agreed
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
    bench.state.note_drawn();
    bench.send(mouse(area.x + 2 + 3 * 4 + 1, area.y + 2));
    assert_eq!(said(&bench, 0), Some(4.0));
    bench.state.note_drawn();
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

/// Kappa and AC1 as they are.
fn figures(found: &Together) -> [f64; 2] {
    let agreement = found.agreement.unwrap();
    [agreement.quadratic_kappa, agreement.gwet_ac1].map(|f| f.unwrap().estimate)
}

#[test]
fn annotators_agree_the_same_from_either_side_and_as_the_command_says() {
    let mut bench = bench();
    bench.keys("357268").keys("Abea<enter>").keys("247316");
    let (who, as_bea) = bench.state.annotate.agreed.with_others[0].clone();
    assert_eq!((who.as_str(), as_bea.rows), ("ada", 6));
    bench.keys("Aada<enter>");
    let others = &bench.state.annotate.agreed.with_others;
    let as_ada = &others.iter().find(|(who, _)| who == "bea").unwrap().1;
    assert_eq!(figures(&as_bea), figures(as_ada));
    let rows = Rows {
        score: &[3.0, 5.0, 7.0, 2.0, 6.0, 8.0],
        label: &[2.0, 4.0, 7.0, 3.0, 1.0, 6.0],
        cluster: &[0; 6],
    };
    // What `juror annotations agreement` tells.
    let settings = Settings {
        rounds: 0,
        seed: 0,
        scale: None,
    };
    let told = raters(&rows, &settings).unwrap();
    let told = [told.quadratic_kappa, told.gwet_ac1].map(|f| f.unwrap().estimate);
    assert_eq!(figures(as_ada), told);
    assert!((told[0] - 0.503).abs() < 5e-4 && (told[1] - 0.050).abs() < 5e-4);
}

#[test]
fn what_is_labelled_already_is_compared_after_a_restart() {
    let mut bench = bench();
    bench.keys("13579");
    let mut bench = bench.restart();
    bench.state.annotate.annotator = "ada".into();
    bench.load(records()).open_store();
    bench.tell(crate::run::live::Event::Ready(super::fixture::info()));
    bench.keys("<f5>");
    assert_eq!(bench.state.annotate.rated, 5);
    assert!(
        bench.screen().contains("0 of 5 scored"),
        "{}",
        bench.screen()
    );
    bench.judge_all();
    assert_eq!(bench.state.annotate.agreed.with_judge.rows, 5);
    // A queue without a response leaves the figures.
    bench.keys("oskip<enter>");
    let screen = bench.screen();
    assert!(
        screen.contains("5 rated") && screen.contains("Nothing is skipped"),
        "{screen}"
    );
}

#[test]
fn few_ratings_have_no_figures() {
    let mut bench = bench();
    bench.keys("1928").judge_all();
    assert!(bench.screen().contains("4 rated"));
    assert!(bench.screen().contains("too few"));
    assert!(!bench.screen().contains("kappa"));
    bench.keys("5").judge_all();
    assert!(bench.screen().contains("kappa"));
}

fn plain(count: usize) -> Vec<Record> {
    let mut records = records();
    let pattern = records[20].clone();
    records.extend((records.len()..count).map(|number| Record {
        id: format!("plain-{number}"),
        instruction: format!("Question {number}"),
        ..pattern.clone()
    }));
    records
}

/// The first records of a library, as they are told of while the others are read.
fn part(library: &Library, count: usize, complete: bool) -> Message {
    let (_, facts) = Library::of(
        library
            .iter()
            .take(count)
            .map(|(_, i)| i.record.clone())
            .collect(),
    );
    Message::Data(Box::new(Ok(Loaded {
        library: library.clone(),
        facts,
        errors: Vec::new(),
        complete,
        selection: None,
    })))
}

#[test]
fn a_queue_grows_with_the_data_and_stays_at_the_response() {
    let (library, all) = Library::of(plain(30_000));
    let mut bench = Bench::new(120, 40);
    bench
        .open_store()
        .send(part(&library, 256, false))
        .keys("<f5>5");
    let first = bench.state.annotate.queue.clone();
    assert_eq!(bench.state.data, DataStatus::Loading);
    assert!(bench.screen().contains("so far"));
    let row = bench.state.annotate.row();
    bench.send(part(&library, 20_000, false));
    assert!(bench.state.annotate.queue.len() > 39_000);
    bench.send(part(&library, 30_000, true));
    assert_eq!(bench.state.annotate.queue.len(), all.responses);
    assert_eq!(
        (bench.state.annotate.row(), bench.state.said_count()),
        (row, 1)
    );
    assert!(bench.screen().contains(&format!("1 of {}", all.responses)));
    // The same order, however the data came.
    let mut whole = Bench::new(120, 40);
    whole.open_store().load(plain(30_000)).keys("<f5>");
    assert_eq!(whole.state.annotate.queue, bench.state.annotate.queue);
    let kept = whole
        .state
        .annotate
        .queue
        .iter()
        .filter(|row| first.contains(row));
    assert_eq!(kept.copied().collect::<Vec<_>>(), first);
}

#[test]
fn very_many_responses_are_taken_in_slices() {
    let records = plain(70_000);
    let all: usize = records.iter().map(|r| r.responses.len()).sum();
    let mut bench = Bench::new(120, 40);
    bench.open_store().load(records).keys("<f5>");
    assert!(bench.state.annotate.queue.len() < all && bench.state.is_moving());
    let row = bench.state.annotate.row();
    bench.send(Message::Tick).send(Message::Tick);
    assert_eq!(bench.state.annotate.queue.len(), all);
    assert_eq!(bench.state.annotate.row(), row);
    assert!(!bench.state.is_queueing());
}

#[test]
fn queue_and_place_outlive_the_program() {
    let mut bench = Bench::ready(120, 40);
    bench.state.place_key = "place".into();
    bench.open_store().keys("<f5>1ounlab<enter>JJJJ");
    let (row, at) = (bench.state.annotate.row(), bench.state.annotate.at);
    assert_eq!(at, 4);
    // One that only looks at the list keeps them.
    let mut bench = bench.restart();
    bench.state.place_key = "place".into();
    bench.open_store().load(records()).keys("<f1>jj");
    let mut bench = bench.restart();
    bench.state.place_key = "place".into();
    bench.open_store().keys("<f5>").load(records());
    assert_eq!(bench.state.annotate.order, Queue::Unlabelled);
    assert_eq!(
        (bench.state.annotate.row(), bench.state.annotate.at),
        (row, at)
    );
}

#[test]
fn until_the_data_come_to_where_a_person_was_nothing_is_rated() {
    let all = plain(30_000);
    let mut bench = Bench::new(120, 40);
    bench.state.place_key = "place".into();
    bench.open_store().load(all.clone()).keys("<f5>");
    while bench.state.annotate.row().unwrap().0 < 20_000 {
        bench.keys("J");
    }
    let row = bench.state.annotate.row();
    bench.keys("<f1>");
    let begin = |bench: Bench| {
        let mut bench = bench.restart();
        bench.state.place_key = "place".into();
        let (library, _) = Library::of(all.clone());
        bench.open_store().send(part(&library, 256, false));
        bench.keys("<f5>");
        (bench, library)
    };
    let (mut bench, library) = begin(bench);
    let events = |bench: &Bench| {
        let journal = bench.state.annotate.journal.as_ref().unwrap();
        journal.done_by(&bench.state.annotate.annotator).len()
    };
    for (width, height) in [(120, 40), (80, 24), (60, 20)] {
        bench.state.size = (width, height);
        let screen = bench.send(Message::Tick).screen();
        assert!(screen.contains("Reading up to where you were"), "{screen}");
        assert_eq!(bench.state.annotate.row(), None);
        bench.keys("7csxu");
        assert_eq!((events(&bench), &bench.state.overlay), (0, &None));
    }
    assert!(bench.screen().contains("still read up to where you were"));
    bench.send(part(&library, 21_000, false));
    assert_eq!(bench.state.annotate.row(), row);
    bench.keys("7");
    assert_eq!((events(&bench), bench.state.labelled().count()), (1, 1));
    // Who moves does not want to return, and stays there.
    let (mut bench, library) = begin(bench);
    let here = bench.keys("J").state.annotate.row();
    assert!(here.is_some_and(|(record, _)| record < 256));
    bench.send(part(&library, 30_000, true));
    assert_eq!(bench.state.annotate.row(), here);
}

#[test]
fn data_that_end_before_where_a_person_was_are_rated_all_the_same() {
    let mut bench = Bench::new(120, 40);
    bench.state.place_key = "place".into();
    bench.open_store().load(plain(300)).keys("<f5>");
    while bench.state.annotate.row().unwrap().0 < 200 {
        bench.keys("J");
    }
    bench.keys("<f1>");
    let mut bench = bench.restart();
    bench.state.place_key = "place".into();
    let (library, _) = Library::of(plain(100));
    bench
        .open_store()
        .send(part(&library, 100, false))
        .keys("<f5>");
    assert_eq!(bench.state.annotate.row(), None);
    bench.send(part(&library, 100, true));
    assert_eq!(bench.state.annotate.at, 0);
    assert!(bench.state.annotate.row().is_some());
}

#[test]
fn a_comment_says_of_which_response_it_is() {
    let mut bench = bench();
    let first = bench.state.annotate.row().unwrap();
    let name = bench.state.row_name(first).unwrap();
    bench.keys("C");
    assert!(bench.screen().contains("Nothing is rated yet"));
    bench.keys("7C");
    assert!(bench.screen().contains(&format!("Comment on {name}")));
    bench.keys("too kind<enter>");
    assert_eq!(bench.state.annotate.at, 1, "what is on screen stays there");
    let key = bench.state.row_key(first.0, first.1).unwrap();
    assert_eq!(
        bench.state.said(key).unwrap().comment.as_deref(),
        Some("too kind")
    );
    let now = bench.state.annotate.row().unwrap();
    bench.keys("c");
    let purpose = Purpose::Comment(now);
    let text = String::new();
    assert_eq!(bench.state.overlay, Some(Overlay::Line { purpose, text }));
    bench.keys("<esc>u");
    let screen = bench.screen();
    assert!(
        screen.contains(&format!("Undone: the comment on {name}.")),
        "{screen}"
    );
}

#[test]
fn what_is_not_there_is_not_taken_back() {
    let mut bench = bench();
    bench.keys("x");
    assert!(bench.screen().contains("There is no rating to take back"));
    let journal = bench.state.annotate.journal.as_ref().unwrap();
    assert_eq!(journal.done_by("ada"), []);
}

#[test]
fn two_digits_have_their_ends_told() {
    let mut bench = Bench::ready(120, 40);
    bench.state.annotate.scale = (0, 1);
    bench.state.annotate.scale_given = true;
    bench.open_store().keys("<f5>");
    assert!(
        bench.screen().contains("0 is worst, 1 is best"),
        "{}",
        bench.screen()
    );
}

#[test]
fn help_says_that_digits_rate() {
    let mut bench = bench();
    bench.keys("?");
    let screen = bench.screen();
    assert!(
        screen.contains("0-9") && screen.contains("rate, and go on"),
        "{screen}"
    );
}
