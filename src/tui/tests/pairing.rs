//! Which of two responses is better, and the tournament.

use super::fixture::{Bench, info};
use super::screens::{SIZES, snapshot};
use crate::run::live::{Command, Event, Ticket};
use crate::tui::effect::Effect;
use crate::tui::state::Overlay;

fn asked(bench: &mut Bench) -> Vec<Ticket> {
    let effects = bench.take().into_iter();
    effects
        .filter_map(|effect| match effect {
            Effect::Judge(Command::Pair { ticket, .. }) => Some(ticket),
            _ => None,
        })
        .collect()
}

#[test]
fn the_pair_on_screen_is_compared_once() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f3>");
    let tickets = asked(&mut bench);
    assert_eq!(tickets.len(), 1);
    assert!(bench.screen().contains("comparing in both orders"));
    bench.keys("r");
    assert!(asked(&mut bench).is_empty(), "it is asked for already");
    bench.tell(Event::Failed {
        ticket: tickets[0],
        error: "the prompt does not fit".into(),
    });
    assert!(
        bench
            .screen()
            .contains("Not compared: the prompt does not fit")
    );
    assert!(asked(&mut bench).is_empty(), "it fails once");
    // Another pair, and back: it is tried again.
    bench.keys("<tab>]");
    assert_eq!(asked(&mut bench).len(), 1);
    bench.keys("[");
    assert_eq!(asked(&mut bench).len(), 1);
}

#[test]
fn verdicts_by_principle_and_reasons() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        bench.keys("<f3>").judge_all();
        if width < 80 {
            bench.keys("<tab><tab>");
        }
        snapshot("verdict", &bench);
    }
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f3>").judge_all();
    assert!(bench.screen().contains("RIGHT is better"));
    bench.keys("w");
    assert!(bench.screen().contains("writing"));
    bench.judge_all();
    assert!(bench.screen().contains("why, by helpfulness"));
    assert!(bench.screen().contains("Position B says more."));
    bench.keys("w").judge_all().keys("<tab><tab>j");
    assert!(bench.screen().contains("Position A says more."));
}

#[test]
fn a_tournament_is_held_round_by_round() {
    for (width, height) in SIZES {
        let mut bench = Bench::ready(width, height);
        bench.keys("<f3>").judge_all().keys("b").judge_all();
        snapshot("bracket", &bench);
    }
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f3>").judge_all().keys("b");
    assert!(matches!(bench.state.overlay, Some(Overlay::Bracket { .. })));
    bench.judge_all();
    assert!(bench.screen().contains("3 larch-2 wins after 2 judgments"));
    // Nothing is computed twice.
    bench.keys("<esc>b");
    assert!(asked(&mut bench).is_empty());
}

#[test]
fn another_judge_knows_nothing_of_the_verdicts() {
    let mut bench = Bench::ready(120, 40);
    bench.keys("<f3>").judge_all();
    assert!(bench.screen().contains("RIGHT is better"));
    let mut other = info();
    other.identity = "other+template".into();
    bench.tell(Event::Ready(other));
    assert!(!bench.screen().contains("RIGHT is better"));
    assert_eq!(asked(&mut bench).len(), 1);
}
