//! What messages do, without terminal, files or judge.

use super::fixture::{Bench, info, judged, records};
use crate::data::Record;
use crate::run::live::{Command, Event, Lane};
use crate::stats::preset::Preset;
use crate::tui::effect::Effect;
use crate::tui::layout::{Pane, Screen};
use crate::tui::message::{Message, Mouse, MouseKind};
use crate::tui::state::{Decision, JudgeStatus, Origin, Overlay, ShownMode};

fn bench() -> Bench {
    Bench::ready(120, 40)
}

fn score(bench: &mut Bench, (ticket, subject, _): &(u64, crate::run::live::Subject, Lane)) {
    let card = judged(subject);
    bench.tell(Event::Scored {
        ticket: *ticket,
        card,
        seconds: 0.1,
    });
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
    score(&mut bench, &asked[1]);
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
    assert_eq!(bench.state.scores.queue(), 2);
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
    score(&mut bench, &second[0]);
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
    score(&mut bench, &first);
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
fn typing_asks_again_and_marks_the_older_numbers() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("]i");
    assert_eq!(
        (bench.state.screen, bench.state.typing),
        (Screen::Judge, true)
    );
    assert_eq!(bench.asked(), [], "an unchanged draft has the row's score");
    assert!(!bench.state.shown().stale);
    bench.keys("hello");
    let asked = bench.asked();
    assert_eq!(asked.len(), 5, "every change is scored");
    assert!(asked.iter().all(|(_, _, lane)| *lane == Lane::Interactive));
    assert!(asked[4].1.response.ends_with("hello"));
    let shown = bench.state.shown();
    assert!(shown.stale && shown.pending && shown.card.is_some());
    for ticket in &asked[..4] {
        bench.tell(Event::Cancelled { ticket: ticket.0 });
    }
    score(&mut bench, &asked[4]);
    let shown = bench.state.shown();
    assert!(!shown.stale && !shown.pending && shown.card.is_some());
    bench.keys("<esc><esc>");
    assert_eq!(bench.state.screen, Screen::Explore);
    // The row keeps its own score, the draft its own text.
    assert!(bench.screen().contains("c larch-2"));
    bench.keys("i");
    assert!(bench.state.draft().unwrap().text().ends_with("hello"));
}

#[test]
fn a_score_of_an_older_draft_stays_marked() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("iab");
    let asked = bench.asked();
    score(&mut bench, &asked[0]);
    let shown = bench.state.shown();
    assert!(shown.stale, "the text went on after that");
    let older = bench.state.draft().unwrap().scored;
    assert_eq!(
        shown.card,
        older.and_then(|key| bench.state.scores.card(key))
    );
}

#[test]
fn going_back_to_a_scored_text_needs_no_judge() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("ix");
    bench.judge_all();
    bench.keys("<backspace>");
    assert_eq!(bench.asked(), []);
    assert!(!bench.state.shown().stale);
}

#[test]
fn drafts_are_kept_for_each_record_and_response() {
    let mut bench = bench();
    bench.keys("iab<esc>]icd<esc>");
    let text = |bench: &Bench| bench.state.draft().unwrap().text();
    assert!(text(&bench).ends_with("cd"));
    bench.keys("[");
    assert!(text(&bench).ends_with("ab"));
    bench.keys("[iown words<esc>");
    assert_eq!(text(&bench), "own words");
    bench.keys("J");
    assert_eq!(text(&bench), "", "the next record has its own");
    bench.keys("K");
    assert_eq!(text(&bench), "own words");
}

#[test]
fn pasted_text_is_cleaned_and_scored() {
    let mut bench = bench();
    bench.judge_all();
    bench.send(Message::Paste(
        "A \u{1b}[31mred\u{202e} egg.\r\nDone.".into(),
    ));
    assert_eq!(bench.state.screen, Screen::Judge);
    assert_eq!(bench.state.draft().unwrap().text(), "A [31mred egg.\nDone.");
    let asked = bench.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1.response, "A [31mred egg.\nDone.");
    assert_eq!(asked[0].1.reference, records()[0].reference);
}

#[test]
fn a_blank_draft_is_not_judged() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<f2>i  <enter> ");
    assert_eq!(bench.asked(), []);
    assert!(bench.state.shown().blank);
}

#[test]
fn copy_and_paste_within_the_explorer() {
    let mut bench = bench();
    bench.take();
    bench.keys("p");
    assert!(
        bench.state.notice.is_some(),
        "there is nothing to paste yet"
    );
    bench.keys("]y");
    let text = records()[0].responses[1].text.clone();
    assert!(bench.take().contains(&Effect::Copy(text.clone())));
    bench.keys("p");
    assert_eq!(bench.state.draft_id().unwrap().origin, Origin::Own);
    assert_eq!(bench.state.draft().unwrap().text(), text);
}

#[test]
fn a_response_is_written_token_by_token() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<ctrl-g>");
    let effects = bench.take();
    let [
        Effect::Judge(Command::CancelBatch),
        Effect::Judge(Command::Generate {
            ticket,
            instruction,
            ..
        }),
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*instruction, records()[0].task());
    let ticket = *ticket;
    for text in ["Six ", "minutes\u{7}, ", "then cool"] {
        let text = text.to_string();
        bench.tell(Event::Token { ticket, text });
    }
    assert_eq!(
        bench.state.draft().unwrap().text(),
        "Six minutes, then cool"
    );
    assert_eq!(bench.asked(), [], "too little to score on the way");
    bench.keys("x");
    bench.tell(Event::Generated {
        ticket,
        text: "Six minutes, then cool it.".into(),
    });
    assert_eq!(bench.state.generation, None);
    let asked = bench.asked();
    assert_eq!(asked[0].1.response, "Six minutes, then cool it.");
    assert_eq!(asked[0].2, Lane::Interactive);
}

#[test]
fn cancelling_keeps_the_text_so_far() {
    for stop in ["<esc>", "<ctrl-c>"] {
        let mut bench = bench();
        bench.judge_all();
        bench.keys("<ctrl-g>");
        let ticket = bench.state.generation.as_ref().unwrap().ticket;
        bench.tell(Event::Token {
            ticket,
            text: "Six min".into(),
        });
        bench.take();
        bench.keys(stop);
        let effects = bench.take();
        assert_eq!(effects[0], Effect::Judge(Command::Cancel(ticket)));
        bench.tell(Event::Token {
            ticket,
            text: "utes".into(),
        });
        bench.tell(Event::Cancelled { ticket });
        assert_eq!(bench.state.draft().unwrap().text(), "Six min");
        assert_eq!(bench.state.screen, Screen::Judge);
    }
}

#[test]
fn writing_does_not_lose_ones_own_words() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<f2>imine<esc><ctrl-g>");
    assert_eq!(bench.state.draft().unwrap().text(), "");
    bench.keys("<esc>i<ctrl-u>");
    assert_eq!(
        bench.state.draft().unwrap().text(),
        "mine",
        "undo brings them back"
    );
}

#[test]
fn what_is_being_written_is_scored_a_few_words_at_a_time() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<ctrl-g>");
    let ticket = bench.state.generation.as_ref().unwrap().ticket;
    bench.asked();
    let mut write = |text: &str| {
        let text = text.to_string();
        bench.tell(Event::Token { ticket, text });
        bench.asked()
    };
    assert!(write("Six").is_empty(), "too little to score");
    let asked = write(" minutes in boiling water");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1.response, "Six minutes in boiling water");
    assert!(
        write(", then cold water at once.").is_empty(),
        "one at a time"
    );
}

#[test]
fn after_a_writing_undo_leads_back_to_ones_own_words() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<f2>imine<esc><ctrl-g>");
    let ticket = bench.state.generation.as_ref().unwrap().ticket;
    for n in 0..200 {
        let text = format!("word {n} ");
        bench.tell(Event::Token { ticket, text });
    }
    bench.keys("<esc>");
    assert!(bench.state.draft().unwrap().text().ends_with("word 199 "));
    bench.keys("i<ctrl-u><ctrl-u>");
    assert_eq!(bench.state.draft().unwrap().text(), "mine");
}

#[test]
fn edits_are_not_left_behind_by_one_key() {
    let mut bench = bench();
    bench.keys("imine<esc>q");
    assert!(!bench.take().contains(&Effect::Quit));
    assert!(bench.screen().contains("q again quits"));
    bench.keys("q");
    assert!(bench.take().contains(&Effect::Quit));
}

#[test]
fn a_failed_writing_is_told() {
    let mut bench = bench();
    bench.judge_all();
    bench.keys("<ctrl-g>");
    let ticket = bench.state.generation.as_ref().unwrap().ticket;
    let error = "out of memory".to_string();
    bench.tell(Event::Failed { ticket, error });
    assert_eq!(bench.state.generation, None);
    assert!(bench.screen().contains("out of memory"));
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
