//! What narrows and orders the list, and what opens there.

use super::fixture::{Bench, records};
use super::screens::{SIZES, snapshot};
use crate::run::select::{ScoreRow, hash_of};
use crate::tui::layout::Screen;
use crate::tui::message::{Message, Mouse, MouseKind};
use crate::tui::state::{Bin, Cell, Column, Decision, Loaded, Quick, Selection, SortBy};

fn bench() -> Bench {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f4>").judge_all().keys("<f1>");
    bench
}

fn ids(bench: &Bench) -> Vec<String> {
    let listed = 0..bench.state.listed();
    let records = listed.filter_map(|at| bench.state.item(bench.state.record_at(at)?));
    records.map(|item| item.id.clone()).collect()
}

#[test]
fn quick_views() {
    let mut bench = bench();
    let declined = |bench: &Bench, record: usize| {
        (0..bench.state.responses_of(record)).any(|response| {
            let card = bench.state.row_card(record, response).unwrap();
            let decision = Decision::of(card, bench.state.mode, false).unwrap();
            decision.value < bench.state.threshold
        })
    };
    bench.keys("v");
    assert_eq!(bench.state.listing.quick, Quick::Declined);
    let expected = (0..40).filter(|record| declined(&bench, *record)).count();
    assert!(expected > 3 && expected < 40);
    assert_eq!(bench.state.listed(), expected);
    assert!(bench.screen().contains("Records: declined"));
    bench.keys("v");
    assert_eq!(bench.state.listing.quick, Quick::Disagreements);
    bench.keys("v");
    assert_eq!(
        (bench.state.listing.quick, bench.state.listed()),
        (Quick::Errors, 0)
    );
    assert!(bench.screen().contains("No record is errors"));
    bench.keys("v");
    assert_eq!(ids(&bench), ["common-002"], "its response has no label");
    bench.keys("<esc>");
    assert_eq!(
        (bench.state.listing.quick, bench.state.listed()),
        (Quick::All, 40)
    );
}

#[test]
fn facets_narrow_one_by_one() {
    let mut bench = bench();
    bench.keys("f");
    assert!(
        bench.screen().contains("category: coding"),
        "{}",
        bench.screen()
    );
    bench.keys("coding<enter><esc>");
    assert_eq!(ids(&bench), ["coding-001"]);
    assert!(bench.screen().contains("Records: category coding"));
    bench.keys("fcategory: common<enter><esc>");
    assert_eq!(
        ids(&bench),
        ["common-001"],
        "one value of a field at a time"
    );
    bench.keys("fcategory: common<enter><esc>");
    assert_eq!(bench.state.listed(), 40, "chosen again, it is let go");
}

#[test]
fn orders_by_signals_and_labels() {
    let mut bench = bench();
    bench.keys("oself-eval<enter>");
    assert_eq!(bench.state.listing.sort, SortBy::SelfEval);
    let best = |bench: &Bench, at: usize| {
        let record = bench.state.record_at(at).unwrap();
        let each = (0..bench.state.responses_of(record)).filter_map(|response| {
            let card = bench.state.row_card(record, response)?;
            crate::tui::state::distribution(card, bench.state.mode).map(|d| d.mean())
        });
        each.fold(f64::NEG_INFINITY, f64::max)
    };
    assert!((1..40).all(|at| best(&bench, at - 1) >= best(&bench, at)));
    bench.keys("O");
    assert!((1..40).all(|at| best(&bench, at - 1) <= best(&bench, at)));
    bench.keys("orating<enter>");
    assert_eq!(bench.state.listing.sort, SortBy::Label("rating".into()));
    let first: Vec<String> = ids(&bench).into_iter().take(2).collect();
    assert_eq!(first, ["common-001", "coding-001"], "both have a 9");
    bench.keys("oorder<enter>");
    assert_eq!(bench.state.listed(), 40);
}

#[test]
fn the_filter_works_inside_a_facet() {
    let mut bench = bench();
    bench.keys("/question 1");
    let narrowed = bench.state.listed();
    assert!(narrowed > 0 && narrowed < 40);
    bench.keys("<enter>fcategory: coding<enter><esc>");
    assert_eq!(bench.state.listed(), 0);
}

#[test]
fn columns_are_chosen() {
    let mut bench = bench();
    assert!(!bench.screen().contains("length"));
    bench.keys("clength<enter><ctrl-u>bar<enter><esc>");
    assert_eq!(
        bench.state.columns,
        [
            Column::SelfEval,
            Column::Verdict,
            Column::Length,
            Column::Label
        ]
    );
    assert!(bench.screen().contains("length"), "{}", bench.screen());
}

#[test]
fn the_most_disagreeing_come_one_after_the_other() {
    let mut bench = bench();
    let all = bench.state.disagreements();
    bench.keys("D");
    let here = |bench: &Bench| (bench.state.record_index().unwrap(), bench.state.response);
    assert_eq!(here(&bench), all[0].0);
    assert!(bench.screen().contains(&format!("1 of {}", all.len())));
    bench.keys("D");
    assert_eq!(here(&bench), all[1].0);
    assert!(all[0].1.abs() >= all[1].1.abs());
}

#[test]
fn a_bin_and_a_count_open_their_records() {
    let mut bench = bench();
    bench.keys("<f4>]");
    let Some(Bin::Scores(from, to)) = bench.state.marked else {
        panic!("{:?}", bench.state.marked);
    };
    assert!(from <= bench.state.threshold && bench.state.threshold < to + 1e-9);
    bench.keys("<enter>");
    assert_eq!(
        (bench.state.screen, bench.state.listing.quick),
        (Screen::Explore, Quick::Picked)
    );
    assert!(
        bench.screen().contains("Records: score 0.5"),
        "{}",
        bench.screen()
    );
    bench.keys("<f4><tab>j");
    assert_eq!(bench.state.marked, Some(Bin::Cell(Cell::AnsweredGood)));
    bench.keys("j");
    assert_eq!(bench.state.marked, Some(Bin::Cell(Cell::AnsweredBad)));
    let expected = bench.state.cut.all.at(bench.state.threshold).answered_bad;
    bench.keys("<enter>");
    let rows: usize = bench.state.listed();
    assert!(rows > 0 && rows <= expected);
    bench.keys("<esc>");
    assert_eq!(bench.state.listed(), 40);
}

#[test]
fn the_palette_does_what_is_chosen() {
    let mut bench = bench();
    bench.keys(":annotate");
    assert!(bench.screen().contains("annotate: The annotate screen"));
    bench.keys("<enter>");
    assert_eq!(
        (bench.state.screen, bench.state.overlay.is_none()),
        (Screen::Annotate, true)
    );
    bench.keys("<f1>:zzzz<enter>");
    assert!(bench.screen().contains("Nothing is called that"));
    bench.keys("<esc>j");
    assert_eq!(bench.state.cursor, 1);
}

#[test]
fn a_click_takes_a_line_of_a_list_and_one_beside_it_closes_it() {
    let mut bench = bench();
    bench.keys("o");
    let area = bench.state.overlay_area().unwrap();
    let press = |column, row| {
        Message::Mouse(Mouse {
            kind: MouseKind::Press,
            column,
            row,
        })
    };
    bench.send(press(area.x + 5, area.y + 3));
    assert_eq!(bench.state.listing.sort, SortBy::SelfEval);
    bench.keys("o");
    bench.send(press(0, 39));
    assert!(bench.state.overlay.is_none());
}

#[test]
fn words_that_are_not_shared_are_marked() {
    let mut bench = bench();
    bench.keys("]d");
    assert!(
        bench.screen().contains("marked: own words"),
        "{}",
        bench.screen()
    );
    bench.keys("d");
    assert!(!bench.screen().contains("marked:"));
}

#[test]
fn more_records_may_come_while_one_looks() {
    let mut bench = Bench::new(80, 24);
    let (library, facts) = crate::data::Library::of(records());
    let part = |records: usize, complete: bool| crate::tui::state::Loaded {
        library: library.clone(),
        facts: crate::data::Facts {
            records,
            ..facts.clone()
        },
        errors: Vec::new(),
        complete,
        selection: None,
    };
    bench.send(Message::Data(Box::new(Ok(part(10, false)))));
    bench.keys("jjj");
    assert_eq!((bench.state.listed(), bench.state.cursor), (10, 3));
    assert!(
        bench.screen().contains("reading data"),
        "{}",
        bench.screen()
    );
    bench.send(Message::Data(Box::new(Ok(part(40, true)))));
    assert_eq!((bench.state.listed(), bench.state.cursor), (40, 3));
}

#[test]
fn a_click_on_a_count_opens_its_records_and_the_marked_one_stays_in_sight() {
    let mut bench = bench();
    bench.keys("<f4>");
    let area = bench.state.areas().unwrap().figures.unwrap();
    let screen = bench.screen();
    let line = screen
        .lines()
        .position(|line| line.contains("declined   "))
        .unwrap();
    bench.send(Message::Mouse(Mouse {
        kind: MouseKind::Press,
        column: area.x + 2 + 10 + 8 + 3,
        row: line as u16,
    }));
    assert_eq!(bench.state.marked, Some(Bin::Cell(Cell::DeclinedBad)));
    assert_eq!(bench.state.screen, Screen::Explore);
    let mut small = Bench::ready(60, 16);
    small.keys("<f4>").judge_all().keys("<tab>jjjjj");
    assert!(matches!(small.state.marked, Some(Bin::Slice(_))));
    assert!(small.screen().contains("["), "{}", small.screen());
}

/// What `juror select` might have said of the fixture's records.
fn selection(bench: &Bench) -> Selection {
    let library = &bench.state.library;
    let rows = library.iter().filter_map(|(at, item)| {
        Some(ScoreRow {
            index: at,
            score: Some(((at * 7) % 11) as f64 / 4.0),
            token_scores: vec![vec![1.0, 2.0, 0.5, 1.5, 2.25]],
            selected: at % 5 == 0,
            tokens: 3,
            hash: hash_of(&item)?,
            error: None,
        })
    });
    Selection::new(library, rows.collect())
}

#[test]
fn a_selection_is_ranked_and_its_share_moved() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        bench.judge_all();
        let mut loaded = Loaded::new(records(), Vec::new());
        loaded.selection = Some(Box::new(selection(&bench)));
        bench.send(Message::Data(Box::new(Ok(loaded)))).judge_all();
        snapshot("selection", &bench);
        if width == 120 {
            let first = bench.state.record_index().unwrap();
            let best = bench.state.selection.as_ref().unwrap().taken().next();
            assert_eq!(best, Some(first as u32));
            let (before, rows) = bench.state.selection.as_ref().unwrap().count();
            bench.keys("))))");
            let (after, _) = bench.state.selection.as_ref().unwrap().count();
            assert!(after > before, "{before} {after} of {rows}");
            bench.keys("vvvvvv");
            assert_eq!(bench.state.listing.quick, Quick::Selected);
            assert_eq!(bench.state.listed(), after);
            bench.keys("((((");
            assert_eq!(bench.state.listed(), before);
        }
    }
}
