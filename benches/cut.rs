//! Moving the cut over many scored rows: each key, from the press to the drawn frame.
//!
//!     cargo bench --bench cut -- --rows 1000000
//!
//! The whole explorer without a terminal: state, update and view are those of the program, the frame is drawn into
//! memory. Scores are made up.

use std::time::Instant;

use anyhow::{Result, anyhow};
use clap::Parser;
use juror::data::{LabelDistribution, Library, Record, Response, ScoreCard};
use juror::run::live::Lane;
use juror::stats::bootstrap::SplitMix64;
use juror::tui::key::Key;
use juror::tui::message::Message;
use juror::tui::state::{Loaded, Pending, State};
use juror::tui::theme::ThemeSet;
use juror::tui::update::update;
use juror::tui::view::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// Moves that are measured.
const MOVES: usize = 200;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut draw = SplitMix64(7);
    let unit = |draw: &mut SplitMix64| draw.next_u64() as f64 / u64::MAX as f64;
    let records = (0..arguments.rows).map(|at| Record {
        id: at.to_string(),
        category: Some(["academic", "coding", "common"][at % 3].into()),
        instruction: format!("Question {at}"),
        reference: Some("An answer.".into()),
        responses: vec![Response {
            id: "a".into(),
            text: "Another answer.".into(),
            labels: [("rating".to_owned(), (at % 10) as f64)].into(),
            ..Response::default()
        }],
        ..Record::default()
    });
    let (library, facts) = Library::of(records.collect());
    let mut state = State::new((120, 40), ThemeSet::new(&[], true).0, "dark", false);
    for at in 0..arguments.rows {
        let item = library.get(at).ok_or_else(|| anyhow!("record {at}"))?;
        let fused = (unit(&mut draw) + unit(&mut draw)) / 2.0;
        let card = ScoreCard {
            self_eval_ref: Some(LabelDistribution {
                labels: Vec::new(),
                values: vec![0.0, 9.0],
                probs: vec![1.0 - fused, fused],
                mass: None,
                missing: None,
            }),
            fused: Some(fused),
            ..ScoreCard::default()
        };
        let pending = Pending {
            key: item.keys[0],
            lane: Lane::Batch,
            row: Some((at, 0)),
            dropped: false,
        };
        state.scores.ask(at as u64 + 1, pending);
        state.scores.scored(at as u64 + 1, card, 0.0);
    }
    update(
        &mut state,
        Message::Data(Box::new(Ok(Loaded {
            library,
            facts,
            errors: Vec::new(),
            complete: true,
            selection: None,
        }))),
    );
    let mut terminal = Terminal::new(TestBackend::new(120, 40))?;
    let mut press = |state: &mut State, name: &str| -> Result<f64> {
        let key = Key::parse(name).ok_or_else(|| anyhow!("{name} is no key"))?;
        let started = Instant::now();
        update(state, Message::Key(key));
        terminal.draw(|frame| view(state, frame))?;
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    let opened = press(&mut state, "f4")?;
    let mut moves = Vec::with_capacity(MOVES);
    for at in 0..MOVES {
        let name = if at / 40 % 2 == 0 { ">" } else { "lt" };
        moves.push(press(&mut state, name)?);
    }
    moves.sort_by(f64::total_cmp);
    println!(
        "{} scored rows: the screen opens in {opened:.0} ms; a move of the cut takes {:.2} ms (median), {:.2} ms (largest of {MOVES})",
        arguments.rows,
        moves[MOVES / 2],
        moves[MOVES - 1]
    );
    Ok(())
}
