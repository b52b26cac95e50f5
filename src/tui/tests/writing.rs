//! Drafts: typed, pasted, written by the model.

use super::fixture::{Bench, records};
use crate::run::live::{Command, Event, Lane};
use crate::tui::effect::Effect;
use crate::tui::layout::Screen;
use crate::tui::message::Message;
use crate::tui::state::Origin;
#[test]
fn typing_asks_again_and_marks_the_older_numbers() {
    let mut bench = Bench::ready(120, 40);
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
    bench.score(&asked[4]);
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
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    bench.keys("iab");
    let asked = bench.asked();
    bench.score(&asked[0]);
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
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    bench.keys("ix");
    bench.judge_all();
    bench.keys("<backspace>");
    assert_eq!(bench.asked(), []);
    assert!(!bench.state.shown().stale);
}

#[test]
fn drafts_are_kept_for_each_record_and_response() {
    let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    bench.keys("<f2>i  <enter> ");
    assert_eq!(bench.asked(), []);
    assert!(bench.state.shown().blank);
}

#[test]
fn copy_and_paste_within_the_explorer() {
    let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
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
        let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
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
    let mut bench = Bench::ready(120, 40);
    bench.keys("imine<esc>q");
    assert!(!bench.take().contains(&Effect::Quit));
    assert!(bench.screen().contains("q again quits"));
    bench.keys("q");
    assert!(bench.take().contains(&Effect::Quit));
}

#[test]
fn a_failed_writing_is_told() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    bench.keys("<ctrl-g>");
    let ticket = bench.state.generation.as_ref().unwrap().ticket;
    let error = "out of memory".to_string();
    bench.tell(Event::Failed { ticket, error });
    assert_eq!(bench.state.generation, None);
    assert!(bench.screen().contains("out of memory"));
}
