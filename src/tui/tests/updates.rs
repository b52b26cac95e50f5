//! What messages do, without terminal, files or judge.

use super::fixture::{Bench, info, judged, records};
use crate::data::Record;
use crate::run::live::{Command, Event, Lane};
use crate::stats::preset::Preset;
use crate::tui::effect::Effect;
use crate::tui::layout::{Pane, Screen};
use crate::tui::message::{Message, Mouse, MouseKind};
use crate::tui::state::{Decision, JudgeStatus, Overlay, ShownMode};

fn bench() -> Bench {
    Bench::ready(120, 40)
}

#[test]
fn moving_through_records_and_responses() {
    let mut bench = bench();
    bench.keys("jj");
    assert_eq!((bench.state.cursor, bench.state.response), (2, 0));
    bench.keys("k]");
    assert_eq!((bench.state.cursor, bench.state.response), (1, 1));
    bench.keys("]]]");
    assert_eq!(bench.state.response, 1, "there are two responses");
    bench.keys("j");
    assert_eq!(
        bench.state.response, 0,
        "another record begins at its first"
    );
    bench.keys("G");
    assert_eq!(bench.state.cursor, 39);
    bench.keys("n");
    assert_eq!(bench.state.cursor, 0, "matches go around");
    bench.keys("N");
    assert_eq!(bench.state.cursor, 39);
    bench.keys("gg");
    assert_eq!(bench.state.cursor, 0);
    bench.keys("<ctrl-d>");
    assert_eq!(bench.state.cursor, 17);
    bench.keys("<ctrl-u>k");
    assert_eq!(bench.state.cursor, 0);
}

#[test]
fn a_broken_sequence_leaves_its_last_key() {
    let mut bench = bench();
    bench.keys("jjg");
    assert_eq!(bench.state.pending_keys.len(), 1);
    assert!(bench.screen().contains("g…"));
    bench.keys("j");
    assert_eq!((bench.state.cursor, bench.state.pending_keys.len()), (3, 0));
}

#[test]
fn panes_screens_and_back() {
    let mut bench = bench();
    bench.keys("<tab>");
    assert_eq!(bench.state.focus, Pane::Text);
    bench.keys("<backtab><backtab>");
    assert_eq!(bench.state.focus, Pane::Card);
    bench.keys("<f2>");
    assert_eq!(
        (bench.state.screen, bench.state.focus),
        (Screen::Judge, Pane::Editor)
    );
    bench.keys("<esc>");
    assert_eq!(
        (bench.state.screen, bench.state.focus),
        (Screen::Explore, Pane::List)
    );
    bench.take();
    bench.keys("q");
    assert_eq!(bench.take(), [Effect::Quit]);
}

#[test]
fn the_cursor_is_scored_at_once_and_its_neighbours_after() {
    let mut bench = bench();
    let asked = bench.asked();
    assert_eq!(asked[0].2, Lane::Interactive);
    assert_eq!(asked[0].1.response, records()[0].responses[0].text);
    assert_eq!(asked[1].1.response, records()[0].responses[1].text);
    assert!(asked[1..].iter().all(|(_, _, lane)| *lane == Lane::Batch));
    assert_eq!(asked.len(), 25, "24 are asked for ahead");
    assert_eq!(bench.state.scores.queue(), 25);
    // A score makes room for one more.
    bench.score(&asked[1]);
    assert_eq!(bench.asked().len(), 1);
}

#[test]
fn nothing_is_asked_for_twice() {
    let mut bench = bench();
    bench.judge_all();
    assert_eq!(bench.state.scores.queue(), 0);
    bench.keys("]][[");
    assert_eq!(bench.asked(), [], "all of them are known");
    let before = bench.state.coverage;
    assert!(before.scored > 20);
}

#[test]
fn a_jump_drops_what_waits() {
    let mut bench = bench();
    bench.take();
    bench.keys("G");
    let effects = bench.take();
    let dropped = effects
        .iter()
        .position(|e| *e == Effect::Judge(Command::CancelBatch));
    assert!(dropped.is_some());
    let interactive = effects.iter().find_map(|effect| match effect {
        Effect::Judge(Command::Score { subject, lane, .. }) if *lane == Lane::Interactive => {
            Some(subject.response.clone())
        }
        _ => None,
    });
    assert_eq!(interactive, Some(records()[39].responses[0].text.clone()));
    let asked = effects.iter().filter_map(|effect| match effect {
        Effect::Judge(Command::Score { subject, .. }) => Some(subject.instruction.as_str()),
        _ => None,
    });
    let near = &records()[20..];
    for instruction in asked {
        assert!(near.iter().any(|record| record.instruction == instruction));
    }
}

#[test]
fn a_newer_request_replaces_the_waiting_one() {
    let mut bench = bench();
    let first = bench.asked()[0].clone();
    bench.keys("]");
    let second = bench.asked();
    assert_eq!(second[0].2, Lane::Interactive);
    assert!(second[0].0 > first.0);
    bench.tell(Event::Cancelled { ticket: first.0 });
    assert!(bench.state.shown().pending);
    bench.score(&second[0]);
    assert!(!bench.state.shown().pending);
    assert!(bench.state.shown().card.is_some());
}

#[test]
fn a_late_score_goes_to_the_texts_it_belongs_to() {
    let mut bench = bench();
    let first = bench.asked()[0].clone();
    bench.keys("]");
    assert!(
        bench.state.shown().card.is_none(),
        "numbers of another text are never shown"
    );
    bench.score(&first);
    assert!(bench.state.shown().card.is_none());
    assert!(bench.state.row_card(0, 0).is_some());
    // Tickets nobody waits for change nothing.
    bench.tell(Event::Scored {
        ticket: 99_999,
        card: judged(&first.1),
        seconds: 1.0,
    });
    assert_eq!(bench.state.scores.rows().len(), 1);
}

#[test]
fn ctrl_c_cancels_and_then_quits() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<ctrl-g>");
    bench.take();
    bench.keys("<ctrl-c>");
    assert!(!bench.take().contains(&Effect::Quit));
    bench.keys("i<ctrl-c>");
    assert!(
        !bench.take().contains(&Effect::Quit),
        "first it leaves the editor"
    );
    bench.keys("<ctrl-c>");
    assert!(bench.take().contains(&Effect::Quit));
    bench.keys("j<ctrl-c>");
    assert!(
        !bench.take().contains(&Effect::Quit),
        "another key in between asks anew"
    );
}

#[test]
fn the_threshold_moves_verdicts_without_the_judge() {
    let mut bench = bench();
    bench.judge_all();
    bench.take();
    let before = bench.state.coverage;
    bench.keys(">>=");
    assert!((bench.state.threshold - 0.53).abs() < 1e-12);
    bench.keys("}}}}}}}}}}}}");
    assert!((bench.state.threshold - 1.0).abs() < 1e-12);
    assert_eq!(bench.state.coverage.answered, 0);
    assert_eq!(bench.state.coverage.scored, before.scored);
    assert!(bench.screen().contains("DECLINE"));
    bench.keys("<lt>-{");
    assert!((bench.state.threshold - 0.93).abs() < 1e-12);
    assert_eq!(bench.take(), []);
}

#[test]
fn the_mode_changes_what_decides() {
    let mut bench = bench();
    bench.judge_all();
    assert!(bench.screen().contains("0.50 on fused"));
    bench.take();
    bench.keys("r");
    assert_eq!(bench.state.mode, ShownMode::Free);
    assert!(bench.screen().contains("0.50 on self-eval"));
    assert_eq!(bench.take(), [], "both are in the card already");
}

#[test]
fn the_filter_narrows_while_it_is_typed() {
    let mut bench = bench();
    bench.keys("jj/egg");
    assert!(bench.state.listing.open);
    assert_eq!(bench.state.listed(), 1);
    assert_eq!(bench.state.record().unwrap().id, "common-001");
    bench.keys("<enter>");
    assert!(!bench.state.listing.open);
    bench.keys("jn");
    assert_eq!(bench.state.record().unwrap().id, "common-001");
    bench.keys("<esc>");
    assert_eq!(bench.state.listed(), 40);
    assert_eq!(
        bench.state.record().unwrap().id,
        "common-001",
        "it stays there"
    );
    bench.keys("/zzzz");
    assert_eq!(bench.state.listed(), 0);
    assert!(bench.screen().contains("Nothing matches"));
    bench.keys("<ctrl-u>window");
    assert_eq!(bench.state.record().unwrap().id, "common-002");
}

#[test]
fn a_failure_is_shown_and_tried_again_on_return() {
    let mut bench = bench();
    let asked = bench.asked();
    bench.tell(Event::Failed {
        ticket: asked[0].0,
        error: "prompt is longer than the context".into(),
    });
    assert!(bench.screen().contains("prompt is longer"));
    let again: Vec<_> = bench.asked();
    assert!(
        again
            .iter()
            .all(|(_, s, _)| s.response != asked[0].1.response)
    );
    bench.keys("][");
    let again = bench.asked();
    assert!(
        again
            .iter()
            .any(|(_, s, _)| s.response == asked[0].1.response)
    );
}

#[test]
fn without_a_judge_browsing_goes_on() {
    let mut bench = Bench::new(120, 40);
    bench.load(records()).tell(Event::LoadFailed {
        cause: "no weights".into(),
        cure: "fetch them".into(),
    });
    bench.keys("jj]iabc<esc><ctrl-g>");
    assert_eq!(bench.take(), []);
    assert!(bench.state.notice.is_some());
    let screen = bench.screen();
    assert!(screen.contains("no weights") && screen.contains("fetch them"));
}

#[test]
fn a_judge_that_stops_is_told_and_scores_stay() {
    let mut bench = bench();
    bench.judge_all();
    bench.send(Message::JudgeGone);
    assert!(matches!(bench.state.judge, JudgeStatus::Failed { .. }));
    assert!(bench.state.shown().card.is_some());
    bench.keys("G");
    assert_eq!(bench.take(), []);
}

#[test]
fn the_judge_may_be_ready_before_the_data() {
    let mut bench = Bench::new(120, 40);
    bench.tell(Event::Ready(info()));
    assert_eq!(bench.take(), []);
    bench.load(records());
    assert_eq!(bench.asked()[0].2, Lane::Interactive);
}

#[test]
fn a_preset_cuts_for_the_judge_it_was_made_for() {
    let preset = |signal: &str, judge: &str, threshold: f64| Preset {
        signal: signal.into(),
        threshold,
        judge: judge.into(),
        fusion: None,
        embedder: None,
        modes: Vec::new(),
        label: "rating".into(),
        good: ">=6".into(),
        target_risk: Some(0.1),
        target_coverage: None,
        confidence: None,
        guarantee: None,
        calibrated_on: 100,
        scores: None,
    };
    let ready = |preset: Preset| {
        let mut bench = Bench::new(120, 40);
        bench.state.preset = Some(preset);
        bench.tell(Event::Ready(info()));
        bench.state
    };
    let state = ready(preset("fused", "abc+def", 0.71));
    assert_eq!((state.threshold, state.alone), (0.71, false));
    // On the judge's own scale, 0 to 9.
    let state = ready(preset("self_eval_free", "abc+def", 6.3));
    assert!((state.threshold - 0.7).abs() < 1e-12 && state.alone);
    assert_eq!(state.mode, ShownMode::Free);
    let state = ready(preset("fused", "other", 0.71));
    assert_eq!(state.threshold, 0.5);
    let said = state.notice.expect("a warning");
    assert!(said.text.contains("another judge"), "{}", said.text);
}

#[test]
fn empty_data_takes_every_key() {
    let mut bench = Bench::ready(80, 24);
    bench.load(Vec::new());
    bench.take();
    bench.keys("jkGgg]r/x<esc>ip<f2>i<ctrl-g>y<tab>?<esc>E");
    assert_eq!(bench.take(), []);
    let mut bench = Bench::ready(80, 24);
    bench.load(vec![Record {
        instruction: "No responses here".into(),
        ..Record::default()
    }]);
    bench.take();
    bench.keys("j]iown");
    assert_eq!(bench.state.draft().unwrap().text(), "own");
    assert!(!bench.asked().is_empty());
}

#[test]
fn themes_are_tried_on_and_taken_or_left() {
    let mut bench = bench();
    bench.keys("Tjj");
    assert_eq!(bench.state.theme.name, "light");
    bench.keys("<esc>");
    assert_eq!(bench.state.theme.name, "terminal");
    bench.take();
    bench.keys("Tj<enter>");
    assert_eq!(bench.take(), [Effect::ThemeChosen("dark".into())]);
    assert_eq!(bench.state.overlay, None);
}

#[test]
fn errors_have_a_box_of_their_own() {
    let mut bench = Bench::new(120, 40);
    bench.load_with_errors(records());
    assert!(bench.screen().contains("2 rows skipped"));
    bench.keys("E");
    assert_eq!(bench.state.overlay, Some(Overlay::Errors { scroll: 0 }));
    assert!(bench.screen().contains("answers.jsonl:391"));
}

#[test]
fn help_lists_every_row_of_the_keymap() {
    let mut bench = Bench::ready(120, 200);
    let screen = bench.keys("?").screen();
    for column in bench.state.help(true) {
        for line in column {
            if let crate::tui::keymap::HelpLine::Binding(binding) = line {
                assert!(screen.contains(binding.desc.as_str()), "{}", binding.desc);
            }
        }
    }
}

#[test]
fn the_mouse_selects_and_scrolls() {
    let mut bench = bench();
    let at = |kind, column, row| Message::Mouse(Mouse { kind, column, row });
    bench.send(at(MouseKind::Press, 10, 7));
    assert_eq!(
        bench.state.cursor, 2,
        "below the three responses of the first"
    );
    bench.send(at(MouseKind::ScrollUp, 10, 7));
    assert_eq!(bench.state.cursor, 1);
    bench.send(at(MouseKind::Press, 60, 7));
    assert_eq!(bench.state.focus, Pane::Text);
    bench.send(at(MouseKind::Press, 24, 0));
    assert_eq!(bench.state.screen, Screen::Judge);
}

#[test]
fn the_list_keeps_the_cursor_and_its_responses_on_screen() {
    let mut bench = Bench::ready(80, 24);
    for key in ["j"; 39].iter().chain(&["k"; 39]).chain(&["G", "gg"]) {
        bench.keys(key);
        let rows = bench.state.list_rows(bench.state.list_height());
        let chosen = bench.state.record_index().unwrap();
        let responses = bench.state.responses_of(chosen);
        let drawn = rows.iter().filter(|row| {
            matches!(row, crate::tui::state::ListRow::Response { record, .. } if *record == chosen)
        });
        assert_eq!(drawn.count(), responses, "at {}", bench.state.cursor);
    }
}

#[test]
fn many_responses_are_listed_around_the_chosen_one() {
    let mut bench = Bench::ready(80, 24);
    let mut record = records()[3].clone();
    let template = record.responses[0].clone();
    record.responses = (0..64)
        .map(|n| crate::data::Response {
            id: n.to_string(),
            text: format!("answer {n}"),
            ..template.clone()
        })
        .collect();
    bench.load(vec![record]);
    for _ in 0..40 {
        bench.keys("]");
    }
    assert_eq!(bench.state.response, 40);
    assert!(bench.screen().contains(" 40 quill-7b") || bench.screen().contains("40 qui"));
}

#[test]
fn digits_do_nothing_outside_text() {
    let mut bench = bench();
    bench.judge_all();
    let before = bench.screen();
    bench.take();
    bench.keys("0123456789");
    assert_eq!(bench.screen(), before);
    assert_eq!(bench.take(), []);
}

#[test]
fn the_threshold_screen_scores_everything_and_counts_by_the_label() {
    let mut bench = bench();
    bench.keys("<f4>");
    assert_eq!(bench.state.screen, Screen::Threshold);
    bench.judge_all();
    let all = bench.state.facts.responses;
    assert_eq!(
        bench.state.scores.rows().len(),
        all,
        "not the rows near the cursor alone"
    );
    let counts = |bench: &Bench| {
        let now = bench.state.cut.all.at(bench.state.threshold);
        (
            now.answered_good,
            now.answered_bad,
            now.declined_good,
            now.declined_bad,
        )
    };
    let labelled = bench.state.cut.all.len();
    let (a, b, c, d) = counts(&bench);
    assert_eq!((a + b + c + d, labelled > 0), (labelled, true));
    // By the rows themselves.
    let state = &bench.state;
    let mut by_hand = (0, 0);
    for (_, record) in state.library.iter() {
        for (response, key) in record.responses.iter().zip(&record.keys) {
            let Some(rating) = response.labels.get("rating") else {
                continue;
            };
            let decision =
                Decision::of(state.scores.card(*key).unwrap(), state.mode, false).unwrap();
            if decision.value >= state.threshold {
                match *rating >= state.good.from {
                    true => by_hand.0 += 1,
                    false => by_hand.1 += 1,
                }
            }
        }
    }
    assert_eq!((a, b), by_hand);
    let before = bench.state.good.from;
    bench.keys(".");
    assert_eq!(bench.state.good.from, before + 1.0);
    assert!(counts(&bench).0 <= a, "fewer are good");
    bench.keys(",");
    for _ in 0..20 {
        bench.keys("}");
    }
    assert_eq!(bench.state.threshold, 1.0);
    assert_eq!(counts(&bench).0 + counts(&bench).1, by_answered(&bench));
    // Too few labels to promise anything: it is said, and the cut stays.
    bench.keys("s");
    assert_eq!(bench.state.threshold, 1.0);
    assert!(bench.state.notice.is_some());
    bench.keys("<esc>");
    assert_eq!(bench.state.screen, Screen::Explore);
}

fn by_answered(bench: &Bench) -> usize {
    bench.state.cut.all.at(1.0).answered_good + bench.state.cut.all.at(1.0).answered_bad
}

#[test]
fn a_click_in_the_histogram_moves_the_cut() {
    let mut bench = bench();
    bench.keys("<f4>");
    bench.judge_all();
    let area = bench.state.areas().unwrap().cut.unwrap();
    let press = |column: u16, kind| {
        Message::Mouse(Mouse {
            kind,
            column,
            row: area.y + 4,
        })
    };
    bench.send(press(area.x + 2, MouseKind::Press));
    assert!(bench.state.threshold < 0.03, "{}", bench.state.threshold);
    bench.send(press(area.x + area.width / 2, MouseKind::Drag));
    assert!((bench.state.threshold - 0.5).abs() < 0.03);
    assert_eq!(bench.state.focus, Pane::Cut);
}
