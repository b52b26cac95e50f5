//! What people see, sign by sign.

use super::fixture::{Bench, info, records};
use crate::run::live::Event;
use crate::tui::message::Message;
use crate::tui::state::{DataFailure, JudgeStatus};

pub const SIZES: [(u16, u16); 4] = [(120, 40), (80, 24), (60, 16), (40, 10)];

pub fn snapshot(name: &str, bench: &Bench) {
    let (width, height) = bench.state.size;
    insta::assert_snapshot!(format!("{name}_{width}x{height}"), bench.screen());
}

#[test]
fn before_anything_is_loaded() {
    for (width, height) in SIZES {
        let mut bench = Bench::new(width, height);
        bench.state.judge = JudgeStatus::Loading {
            stage: "starting".into(),
            done: 0,
            total: 0,
        };
        snapshot("reading", &bench);
    }
}

#[test]
fn while_the_judge_is_loading() {
    for (width, height) in SIZES {
        let mut bench = Bench::new(width, height);
        bench.load(records()).tell(Event::Loading {
            stage: "weights".into(),
            done: 12_000_000,
            total: 31_500_000,
        });
        snapshot("loading", &bench);
    }
}

#[test]
fn when_the_judge_cannot_be_loaded() {
    for (width, height) in SIZES {
        let mut bench = Bench::new(width, height);
        bench.load(records()).tell(Event::LoadFailed {
            cause: "model.safetensors is not there".into(),
            cure: "Name another judge with --judge.".into(),
        });
        if width < 80 {
            bench.keys("<tab>");
        }
        snapshot("load_failed", &bench);
    }
}

#[test]
fn without_records() {
    for (width, height) in SIZES {
        let mut bench = Bench::new(width, height);
        snapshot("empty", bench.load(Vec::new()));
    }
    let mut bench = Bench::new(80, 24);
    bench.send(Message::Data(Box::new(Err(DataFailure {
        cause: "answers.jsonl: no such file".into(),
    }))));
    snapshot("no_data", &bench);
}

#[test]
fn while_scores_come() {
    for (width, height) in SIZES {
        snapshot("busy", &Bench::ready(width, height));
    }
}

#[test]
fn when_everything_near_is_scored() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        bench.judge_all().keys("]");
        snapshot("scored", &bench);
        if width < 80 {
            snapshot("scored_text", bench.keys("<tab>"));
            snapshot("scored_card", bench.keys("<tab>"));
        }
    }
}

#[test]
fn without_a_reference_and_with_hostile_text() {
    let mut bench = Bench::ready(120, 40);
    bench.judge_all().keys("jj");
    let screen = bench.screen();
    assert!(!screen.contains('\u{1b}'));
    assert!(screen.contains("needs a reference"));
    snapshot("free", &bench);
}

#[test]
fn while_typing_numbers_of_the_older_text_are_marked() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        bench.judge_all().keys("]i with salt");
        snapshot("typing", &bench);
        bench.judge_all();
        snapshot("typed", &bench);
    }
}

#[test]
fn an_empty_draft_invites() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        snapshot("own", bench.judge_all().keys("<f2>"));
    }
}

#[test]
fn rows_that_could_not_be_read() {
    let mut bench = Bench::new(80, 24);
    bench.load_with_errors(records()).keys("E");
    snapshot("row_errors", &bench);
}

#[test]
fn boxes_over_the_screen() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        snapshot("help", bench.judge_all().keys("?"));
        snapshot("themes", bench.keys("<esc>T"));
        snapshot("filter", bench.keys("<esc>/boil"));
    }
}

#[test]
fn in_ascii_only_the_data_is_not_ascii() {
    let mut data = records();
    data.truncate(2);
    for keys in [
        "",
        "]i more<esc>",
        "?",
        "T",
        "/egg",
        "<tab>",
        "<tab><tab>",
        "<f3>",
        "<f4>",
        "<f5>",
        "<f6>",
        ":",
        "o",
        "d",
        "<f2>t",
    ] {
        for (width, height) in SIZES {
            let mut bench = Bench::with(width, height, "terminal", true);
            bench.load(data.clone()).tell(Event::Ready(info()));
            bench.judge_all().keys(keys);
            let screen = bench.screen();
            let foreign: String = screen.chars().filter(|c| !c.is_ascii()).collect();
            assert_eq!(foreign, "", "{keys:?} {width}\n{screen}");
        }
    }
    let mut bench = Bench::with(80, 24, "terminal", true);
    bench.load(records()).tell(Event::Ready(info()));
    snapshot("ascii", bench.judge_all());
}

#[test]
fn too_small_says_so_in_one_line() {
    let bench = Bench::ready(39, 12);
    let screen = bench.screen();
    let blank = |line: &&str| !line.trim_matches('"').trim().is_empty();
    assert_eq!(screen.lines().filter(blank).count(), 1, "{screen}");
    assert!(screen.contains("Terminal too small: 39×12, needs"));
    snapshot("too_small", &bench);
}

#[test]
fn every_size_can_be_drawn() {
    for width in [1, 5, 39, 40, 41, 59, 60, 79, 80, 119, 120, 121, 400] {
        for height in [1, 9, 10, 11, 16, 24, 90] {
            for keys in [
                "",
                "<tab>",
                "<tab><tab>",
                "i",
                "i<esc><tab>",
                "?",
                "T",
                "/x",
            ] {
                let mut bench = Bench::ready(width, height);
                bench.judge_all().keys(keys);
                bench.screen();
            }
        }
    }
}

#[test]
fn where_to_decline() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        bench.keys("<f4>");
        bench.judge_all();
        snapshot("threshold", &bench);
        if width < 80 {
            bench.keys("<tab>");
            snapshot("threshold_figures", &bench);
        }
    }
}

/// Every screen in every state, at every size.
#[test]
fn all_screens_in_all_states() {
    let long = |text: &str| text.repeat(40);
    let mut cjk = records();
    cjk.truncate(2);
    for record in &mut cjk {
        record.instruction = long("漢字とカナの長い質問。");
        record.reference = Some(long("参照です。"));
        for response in &mut record.responses {
            response.text = long("回答は\u{301}こちら。");
            response.generator = Some("模型一号".into());
        }
    }
    for (screen, name) in [("<f3>", "compare"), ("<f5>", "annotate"), ("<f6>", "runs")] {
        for (width, height) in SIZES {
            let mut loading = Bench::new(width, height);
            snapshot(&format!("{name}_loading"), loading.keys(screen));
            let mut empty = Bench::new(width, height);
            empty.load(Vec::new()).open_store();
            snapshot(&format!("{name}_empty"), empty.keys(screen));
            let mut failed = Bench::new(width, height);
            failed.load(records()).tell(Event::LoadFailed {
                cause: "model.safetensors is not there".into(),
                cure: "Name another judge with --judge.".into(),
            });
            failed.send(Message::Kept(Box::new(crate::tui::message::Kept::Trouble(
                "juror.db: the disk is full; make room and do it again".into(),
            ))));
            snapshot(&format!("{name}_error"), failed.keys(screen));
            let mut busy = Bench::ready(width, height);
            busy.state.annotate.annotator = "ada".into();
            busy.open_store();
            snapshot(&format!("{name}_busy"), busy.keys(screen));
            let mut wide = Bench::new(width, height);
            wide.state.annotate.annotator = "ada".into();
            wide.load(cjk.clone())
                .tell(Event::Ready(info()))
                .open_store();
            snapshot(&format!("{name}_cjk"), wide.judge_all().keys(screen));
        }
    }
    for (width, height) in SIZES {
        let mut wide = Bench::new(width, height);
        wide.load(cjk.clone()).tell(Event::Ready(info()));
        snapshot("explore_cjk", wide.judge_all());
        snapshot("judge_cjk", wide.keys("<f2>"));
        snapshot("threshold_cjk", wide.keys("<f4>"));
        let mut empty = Bench::new(width, height);
        empty.load(Vec::new());
        snapshot("judge_empty", empty.keys("<f2>"));
        snapshot("threshold_empty", empty.keys("<f4>"));
        let mut lists = Bench::ready(width, height);
        snapshot("palette", lists.judge_all().keys(":"));
        snapshot("facets", lists.keys("<esc>f"));
        snapshot("columns", lists.keys("<esc>c"));
        snapshot("template", lists.keys("<esc><f2>t"));
        snapshot("diff", lists.keys("<esc><esc><f1>]d<tab>"));
    }
}
