//! Themes while the explorer runs: picked, read again, suggested.

use super::fixture::{Bench, records};
use crate::tui::effect::Effect;
use crate::tui::message::{Message, Mouse, MouseKind};
use crate::tui::state::{Overlay, State};
use crate::tui::theme::ThemeSet;
use crate::tui::theme_box;
use ratatui::style::Color;

fn many() -> Bench {
    let extra: Vec<(String, String)> = (0..50)
        .map(|n| (format!("extra-{n:02}"), "inherits = 'dark'".to_string()))
        .collect();
    let (themes, errors) = ThemeSet::new(&extra, true);
    assert_eq!(errors, []);
    let mut bench = Bench::new(80, 24);
    bench.state = State::new((80, 24), themes, "terminal", false);
    bench.load(records());
    bench.take();
    bench
}

fn mouse(kind: MouseKind, column: u16, row: u16) -> Message {
    Message::Mouse(Mouse { kind, column, row })
}

fn suggestion(theme: &str, instead_of: &str) -> Message {
    Message::ThemeSuggested {
        theme: theme.into(),
        instead_of: instead_of.into(),
    }
}

#[test]
fn more_themes_than_lines_scroll_with_the_chosen_one_in_sight() {
    let mut bench = many();
    bench.keys("T");
    assert!(!bench.screen().contains("extra-49"));
    for place in 0..54 {
        let name = bench.state.theme.name.clone();
        assert_eq!(bench.state.themes.position(&name), Some(place));
        let screen = bench.screen();
        let pointed = screen
            .lines()
            .find(|line| line.contains(&format!("▌ {name}")));
        assert!(pointed.is_some(), "{name}:\n{screen}");
        bench.keys("j");
    }
    assert!(bench.screen().contains("extra-49"));
    bench.keys("gg");
    assert!(bench.screen().contains("▌ terminal"));
}

#[test]
fn a_click_takes_the_theme_under_it_wherever_the_box_is_scrolled_to() {
    for keys in ["T", "TG", "T<ctrl-d>"] {
        let mut bench = many();
        let screen = bench.keys(keys).screen();
        let area = theme_box::area(&bench.state);
        let row = area.y + 3;
        let line = screen.lines().nth(usize::from(row)).unwrap();
        bench.send(mouse(MouseKind::Press, area.x + 5, row));
        let name = bench.state.theme.name.clone();
        assert!(line.contains(&format!(" {name} ")), "{name}: {line}");
        assert_eq!(bench.state.overlay, None);
        assert_eq!(bench.take(), [Effect::ThemeChosen(name)]);
    }
}

#[test]
fn the_wheel_tries_themes_on_and_a_click_beside_them_leaves_them() {
    let mut bench = many();
    bench.keys("T").send(mouse(MouseKind::ScrollDown, 40, 10));
    assert_eq!(bench.state.theme.name, "dark");
    bench.send(mouse(MouseKind::Press, theme_box::area(&bench.state).x, 12));
    assert!(
        bench.state.overlay.is_some(),
        "the border is part of the box"
    );
    bench.send(mouse(MouseKind::Press, 1, 1));
    assert_eq!(bench.state.theme.name, "terminal");
    assert_eq!((bench.state.overlay.clone(), bench.take()), (None, vec![]));
    bench.keys("?").send(mouse(MouseKind::ScrollDown, 40, 10));
    assert_eq!(bench.state.overlay, Some(Overlay::Help { scroll: 3 }));
}

#[test]
fn a_saved_theme_is_seen_at_once_and_a_broken_one_is_told() {
    let mut bench = many();
    bench.keys("TG<enter>");
    let read = |text: &str, errors: &[&str]| {
        let (themes, _) = ThemeSet::new(&[("extra-49".into(), text.into())], true);
        Message::Themes {
            themes: Box::new(themes),
            errors: errors.iter().map(ToString::to_string).collect(),
        }
    };
    bench.send(read("'ui.text' = 'red'", &[]));
    assert_eq!(bench.state.theme.style("ui.text").fg, Some(Color::Red));
    assert!(bench.screen().contains("Themes were read again."));
    bench.send(read("= =", &["theme extra-49: no value"]));
    assert_eq!(bench.state.theme.style("ui.text").fg, Some(Color::Red));
    assert!(bench.screen().contains("theme extra-49: no value"));
    // Fewer themes than before while the box is open.
    let mut bench = many();
    bench.keys("TG").send(read("inherits = 'dark'", &[]));
    assert!(bench.screen().contains("▌ extra-49"));
}

#[test]
fn the_terminals_background_decides_where_nobody_chose() {
    let mut bench = Bench::with(80, 24, "dark", false);
    bench.send(suggestion("light", "dark"));
    assert_eq!(bench.state.theme.name, "light");
    let mut bench = Bench::with(80, 24, "dark", false);
    bench.keys("TG<enter>").send(suggestion("light", "dark"));
    assert_eq!(bench.state.theme.name, "high-contrast");
    let mut bench = Bench::with(80, 24, "dark", false);
    bench.keys("TG").send(suggestion("light", "dark"));
    assert_eq!(bench.state.theme.name, "high-contrast");
    bench.keys("<esc>");
    assert_eq!(bench.state.theme.name, "light");
}
