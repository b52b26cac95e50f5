//! Prints screens for people to look at: `cargo test --lib tui::tests::look -- --ignored --nocapture`.

use std::fmt::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use serde_json::Value;

use super::fixture::{Bench, info, records};
use crate::data::{Record, Response};
use crate::run::live::Event;
use crate::tui::view::view;

/// One line a cell: column, row, sign, style; for turning screens into pictures.
fn cells(bench: &Bench) -> String {
    let (width, height) = bench.state.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(&bench.state, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let mut out = format!("{width} {height}\n");
    for y in 0..height {
        for x in 0..width {
            let cell = &buffer[(x, y)];
            let _ = writeln!(
                out,
                "{x}\t{y}\t{}\t{:?}\t{:?}\t{:?}",
                cell.symbol(),
                cell.fg,
                cell.bg,
                cell.modifier
            );
        }
    }
    out
}

fn show(name: &str, bench: &Bench) {
    println!("== {name}\n{}", bench.screen());
    if let Ok(folder) = std::env::var("JUROR_LOOK") {
        std::fs::write(format!("{folder}/{name}.cells"), cells(bench)).unwrap();
    }
}

fn scored(width: u16, height: u16, theme: &str) -> Bench {
    let mut bench = Bench::with(width, height, theme, false);
    bench.load(records()).tell(Event::Ready(info()));
    bench.judge_all();
    bench.keys("]");
    bench
}

/// The sample data, read only as far as looking needs.
fn sample() -> Vec<Record> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_data/coding.jsonl");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let string = |value: &Value, name: &str| value[name].as_str().map(str::to_string);
    let response = |value: &Value| Response {
        id: string(value, "id").unwrap_or_default(),
        generator: string(value, "generator"),
        text: string(value, "response").unwrap_or_default(),
        labels: value["rating"]
            .as_f64()
            .map(|rating| ("rating".to_string(), rating))
            .into_iter()
            .collect(),
        reason: string(value, "reason"),
        ..Response::default()
    };
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|value| Record {
            id: string(&value, "id").unwrap_or_default(),
            category: string(&value, "category"),
            instruction: string(&value, "instruction").unwrap_or_default(),
            input: string(&value, "input"),
            reference: string(&value, "reference"),
            responses: value["responses"]
                .as_array()
                .map(|responses| responses.iter().map(response).collect())
                .unwrap_or_default(),
            ..Record::default()
        })
        .collect()
}

#[test]
#[ignore = "for looking at"]
fn look() {
    for theme in ["dark", "light", "terminal", "high-contrast"] {
        show(&format!("explore-{theme}"), &scored(120, 40, theme));
    }
    show("explore-80", &scored(80, 24, "dark"));
    show("explore-60", &scored(60, 16, "dark"));
    let mut bench = scored(60, 16, "dark");
    show("text-60", bench.keys("<tab>"));
    show("card-60", bench.keys("<tab>"));
    let mut bench = scored(120, 40, "dark");
    bench.keys("iwith a pinch of salt");
    show("judge-typing", &bench);
    bench.judge_all();
    show("judge-scored", &bench);
    let mut bench = scored(80, 24, "dark");
    bench.keys("iwith a pinch of salt").judge_all();
    show("judge-80", &bench);
    let mut bench = scored(60, 16, "dark");
    bench.keys("i and salt").judge_all();
    show("judge-60", &bench);
    let mut bench = scored(120, 40, "dark");
    show("help", bench.keys("?"));
    show("themes", bench.keys("<esc>Tj"));
    show("filter", bench.keys("<esc>/boil"));
    show("small", &scored(38, 9, "dark"));
    let mut bench = Bench::with(120, 40, "dark", true);
    bench.load(records()).tell(Event::Ready(info()));
    bench.judge_all();
    show("ascii", &bench);
    let mut bench = Bench::with(120, 40, "dark", false);
    show("reading", &bench);
    bench.load_with_errors(records()).tell(Event::Loading {
        stage: "weights".into(),
        done: 12_000_000,
        total: 31_500_000,
    });
    show("loading", &bench);
    show("errors", bench.keys("E"));
    bench.keys("<esc>").tell(Event::LoadFailed {
        cause: "model.safetensors is not there".into(),
        cure: "Set JUROR_SHARE to the folder with starter/, or name another judge with --judge."
            .into(),
    });
    show("failed", &bench);
    for (width, height) in [(120, 40), (200, 50), (80, 24)] {
        let mut bench = Bench::with(width, height, "dark", false);
        bench.load(sample()).tell(Event::Ready(info()));
        bench.judge_all().keys("jj]");
        show(&format!("sample-{width}"), &bench);
        bench.keys("<f2>").judge_all();
        show(&format!("sample-judge-{width}"), &bench);
    }
    let mut bench = Bench::with(80, 24, "dark", false);
    show("empty", bench.load(Vec::new()));
}
