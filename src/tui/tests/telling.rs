//! What the explorer says, asks before it acts, and how it names things.

use std::path::PathBuf;

use super::fixture::{Bench, info, records};
use super::screens::snapshot;
use crate::data::{Record, Response};
use crate::run::live::Event;
use crate::tui::effect::{Effect, Write};
use crate::tui::layout::Screen;
use crate::tui::message::{Message, Mouse, MouseKind};
use crate::tui::state::{Bin, Facet, Overlay, Purpose, Tone};
use crate::tui::theme::ThemeSet;

fn bench() -> Bench {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all();
    bench
}

#[test]
fn a_file_that_is_there_is_overwritten_by_a_second_enter() {
    let mut bench = bench();
    for (keys, purpose) in [
        ("<f4>w", Purpose::Preset),
        ("<f1>R", Purpose::Report),
        (
            "<f1>X<enter>",
            Purpose::Export(crate::tui::state::Exported::Records),
        ),
    ] {
        bench.take();
        bench.keys(keys).keys("<ctrl-u>mine.out<enter>");
        let path = PathBuf::from("mine.out");
        let named = |write: &Write| write.named().map(|(what, path)| (what, path.to_path_buf()));
        let asked = bench.take();
        let first = asked.iter().find_map(|effect| match effect {
            Effect::Write(write) => named(write),
            _ => None,
        });
        assert_eq!(first, Some((purpose.clone(), path.clone())));
        bench.send(Message::Exists {
            purpose: purpose.clone(),
            path: path.clone(),
        });
        let screen = bench.screen();
        assert!(screen.contains("mine.out exists; Enter again overwrites it."));
        assert!(screen.contains("It exists: Enter again overwrites it"));
        bench.keys("<enter>");
        let over = bench.take().into_iter().find_map(|effect| match effect {
            Effect::Overwrite(write) => named(&write),
            _ => None,
        });
        assert_eq!(over, Some((purpose.clone(), path.clone())));
        // Another name is asked for anew, and so is the same one later.
        bench.send(Message::Exists {
            purpose: purpose.clone(),
            path: path.clone(),
        });
        bench.keys("2<enter>");
        assert!(bench.state.overlay.is_none());
        bench.send(Message::Exists { purpose, path });
        bench
            .keys("<esc>")
            .keys(keys)
            .keys("<ctrl-u>mine.out<enter>");
        let over = |effect: &Effect| matches!(effect, Effect::Overwrite(_));
        assert!(!bench.take().iter().any(over));
    }
}

#[test]
fn the_palette_has_the_actions_of_all_screens() {
    let mut bench = bench();
    bench.keys(":solve");
    let screen = bench.screen();
    assert!(
        screen.contains("solve: Find the cut for a risk") && screen.contains("threshold  s"),
        "{screen}"
    );
    bench.keys("<enter>");
    assert_eq!(bench.state.screen, Screen::Threshold);
    assert!(bench.state.notice.is_some(), "and it was done there");
    bench.keys("<f6>:own<esc><f1>:samples<enter>");
    assert_eq!(bench.state.screen, Screen::Judge);
}

#[test]
fn lines_of_lists_and_help_keep_apart() {
    let mut bench = bench();
    let screen = bench.keys(":").screen();
    assert!(screen.contains("without, f…  r"), "{screen}");
    // The last lines of the help are the longest.
    let screen = bench.keys("<esc>?G").screen();
    assert!(screen.contains("Esc q ? T E L I"), "{screen}");
    assert!(!screen.contains("Iclose"));
}

#[test]
fn what_the_footer_cuts_is_in_the_log() {
    let mut bench = Bench::ready(60, 16);
    let text = "a disk is full and ".repeat(4) + "its cure stands at the end.";
    bench.state.say(Tone::Warning, text.clone());
    assert!(bench.screen().contains("L shows all"));
    bench.keys("L");
    assert!(bench.screen().contains("stands at the end."));
    bench.state.say(Tone::Warning, text.clone());
    let logged = bench.state.runs.log.iter().filter(|(_, l)| *l == text);
    assert_eq!(logged.count(), 1);
    // A narrower terminal cuts what the wide one did not.
    let mut bench = Bench::ready(120, 40);
    bench.state.say(Tone::Plain, text);
    assert!(
        bench
            .state
            .runs
            .log
            .iter()
            .all(|(_, l)| !l.contains("cure"))
    );
    bench.send(Message::Resize(60, 16));
    assert!(bench.state.runs.log.iter().any(|(_, l)| l.contains("cure")));
}

#[test]
fn of_several_broken_themes_each_is_in_the_log() {
    let mut bench = bench();
    let (themes, _) = ThemeSet::new(&[], true);
    bench.send(Message::Themes {
        themes: Box::new(themes),
        errors: vec!["one.toml: no value".into(), "two.toml: no colour".into()],
    });
    let screen = bench.screen();
    assert!(screen.contains("2 theme files cannot be used; L shows each."));
    let screen = bench.keys("L").screen();
    assert!(screen.contains("one.toml: no value") && screen.contains("two.toml: no colour"));
}

#[test]
fn the_second_button_marks_a_bin_and_then_opens_it() {
    let mut bench = bench();
    bench.keys("<f4>");
    let area = bench.state.areas().unwrap().cut.unwrap();
    let click = |column| {
        Message::Mouse(Mouse {
            kind: MouseKind::Open,
            column,
            row: area.y + 3,
        })
    };
    let inside = area.x + 2..area.right() - 2;
    let column = inside
        .clone()
        .find(|column| {
            bench.send(click(*column));
            let marked = bench.state.notice.as_ref().unwrap();
            !marked.text.starts_with("0 ")
        })
        .unwrap();
    assert_eq!(bench.state.screen, Screen::Threshold);
    assert!(matches!(bench.state.marked, Some(Bin::Scores(..))));
    bench.send(click(column));
    assert_eq!(bench.state.screen, Screen::Explore);
    bench.keys("<f4>").send(click(inside.start));
    bench.send(click(column)).keys("<enter>");
    assert_eq!(bench.state.screen, Screen::Explore);
}

#[test]
fn a_paste_where_nothing_takes_one_leaves_the_screen_alone() {
    for (key, screen) in [
        ("<f3>", Screen::Compare),
        ("<f4>", Screen::Threshold),
        ("<f5>", Screen::Annotate),
        ("<f6>", Screen::Runs),
    ] {
        let mut bench = bench();
        bench.keys(key).send(Message::Paste("mine".into()));
        assert_eq!(bench.state.screen, screen);
        assert!(bench.state.drafts.is_empty());
        assert!(bench.screen().contains("Nothing takes a paste here"));
    }
}

#[test]
fn where_there_is_nothing_to_mark_it_is_said() {
    let mut bench = bench();
    bench.keys("d");
    assert!(bench.screen().contains("What the two do not share"));
    bench.keys("djjd");
    assert!(bench.screen().contains("this record has no reference"));
    bench.keys("d<f3>d");
    assert!(bench.screen().contains("this record has no other response"));
    bench.keys("d<f2>d");
    assert!(bench.screen().contains("explore and compare show them"));
}

#[test]
fn a_filter_that_leaves_nothing_is_told_wherever_one_looks() {
    let mut bench = Bench::ready(60, 16);
    bench.judge_all().keys("/zzzz");
    let said = "Nothing matches \"zzzz\"; Esc lists everything";
    assert!(bench.state.notice.as_ref().unwrap().text.starts_with(said));
    bench.keys("<enter>");
    assert!(bench.state.notice.as_ref().unwrap().text.starts_with(said));
    bench.keys("<esc>");
    assert!(bench.state.notice.is_none());
}

#[test]
fn the_label_of_people_fits_first() {
    for (width, height) in [(200, 40), (120, 40), (80, 24)] {
        let mut bench = Bench::ready(width, height);
        bench.judge_all().keys("<f3>");
        let screen = bench.screen();
        let said = match width {
            200 => "people (rating): right ahead by 5.0",
            _ => "right ahead: people 5.0, fused 0.20",
        };
        assert!(screen.contains(said), "{screen}");
        snapshot("compare_scored", &bench);
    }
}

#[test]
fn a_facet_is_named_with_its_field() {
    let mut bench = bench();
    bench.state.listing.facets.push(Facet {
        field: "generator".into(),
        value: "6".into(),
    });
    bench.state.relist();
    assert!(bench.screen().contains("Records: generator 6"));
}

/// One record whose responses have ids that begin alike.
fn long() -> Record {
    let response = |generator: &str, text: &str| Response {
        id: format!("tulu_human_eval_0001_{generator}"),
        generator: Some(generator.into()),
        text: text.into(),
        ..Response::default()
    };
    Record {
        id: "tulu_human_eval_0001".into(),
        instruction: "Boil an egg.".into(),
        responses: vec![
            response("chatgpt", "Six minutes."),
            response("alpaca", "Twelve minutes."),
        ],
        ..Record::default()
    }
}

#[test]
fn responses_whose_ids_begin_alike_are_told_apart() {
    let mut bench = Bench::new(80, 24);
    bench.load(vec![long()]).tell(Event::Ready(info()));
    bench.judge_all().keys("<f2>]");
    let screen = bench.screen();
    assert!(
        screen.contains("1 chatgpt") && screen.contains("2 alpaca"),
        "{screen}"
    );
    assert!(screen.contains("Response 1 by chatgpt"), "{screen}");
    bench.keys("<f1>m]m<f2>t");
    let screen = bench.screen();
    assert!(
        screen.contains("01 1 chatgpt") && screen.contains("01 2 alpaca"),
        "{screen}"
    );
    let screen = bench.keys("<esc><esc><f3>").screen();
    assert!(
        screen.contains("1 by chatgpt") && screen.contains("2 by alpaca"),
        "{screen}"
    );
}

#[test]
fn a_box_that_asks_for_a_file_is_not_put_over_another() {
    let mut bench = bench();
    bench.load(records()).keys("<f4>w<enter>?");
    bench.send(Message::Exists {
        purpose: Purpose::Preset,
        path: "threshold.toml".into(),
    });
    assert!(matches!(bench.state.overlay, Some(Overlay::Help { .. })));
    assert!(
        bench
            .screen()
            .contains("threshold.toml exists and was left")
    );
}
