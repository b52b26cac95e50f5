//! Whether text can be read: in the themes as they are written, and on the screens as drawn.
//!
//! The theme `terminal` is left out, for its colours are the terminal's own. Borders, rules,
//! tracks, bars and other signs that are not text are exempt; of those that carry meaning
//! (scores, signals, states, the pointer, the mark, the border of the focused pane) the colours
//! are held to text's measure by being used for text as well, or to 3 by the second list.

use std::collections::BTreeSet;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::style::Modifier;

use super::fixture::{Bench, info, records};
use crate::run::live::Event;
use crate::tui::state::JudgeStatus;
use crate::tui::theme::contrast::{TEXT, contrast};
use crate::tui::theme::lab::rgb;
use crate::tui::theme::{Depth, Theme, ThemeSet};
use crate::tui::view::view;

/// The themes with colours of their own.
const THEMES: [&str; 3] = ["dark", "light", "high-contrast"];

/// What signs that are not text need.
const SIGN: f64 = 3.0;

/// Roles of text, and the grounds they are drawn on.
const ON_GROUNDS: &[(&[&str], &[&str])] = &[
    // The panes and the footer; lines of the list also on both selections; the chosen draft.
    (
        &["ui.background", "ui.selection", "ui.selection.inactive"],
        &[
            "ui.text",
            "ui.text.dim",
            "ui.match",
            "ui.input",
            "ui.pointer",
            "score.good",
            "score.near",
            "score.bad",
            "score.mark",
            "verdict.answer",
            "verdict.decline",
            "label",
            "state.error",
            "state.loading",
        ],
    ),
    (
        &["ui.background"],
        &[
            "ui.text.heading",
            "ui.text.quote",
            "ui.title",
            "ui.title.focus",
            "ui.footer",
            "ui.footer.key",
            "signal.reference",
            "signal.free",
            "signal.cosine",
            "stale",
            "state.ready",
            "state.warning",
        ],
    ),
    (&["ui.tab"], &["ui.tab", "ui.brand", "ui.tab.active"]),
    (
        &["ui.status"],
        &[
            "ui.status",
            "ui.status.strong",
            "ui.text.dim",
            "state.ready",
            "state.loading",
            "state.warning",
            "state.error",
        ],
    ),
    // Help, errors, themes.
    (
        &["ui.overlay"],
        &[
            "ui.overlay",
            "ui.text.heading",
            "ui.text.dim",
            "ui.title.focus",
            "ui.footer.key",
            "ui.pointer",
            "state.warning",
        ],
    ),
    // Verdicts stand out by being written in the ground's colour on their own.
    (&["verdict.answer", "verdict.decline"], &["ui.background"]),
];

/// Signs that carry meaning and are never text.
const SIGNS: &[(&str, &str)] = &[
    ("ui.border.focus", "ui.background"),
    ("ui.overlay.border", "ui.overlay"),
    ("score.good", "score.track"),
    ("score.near", "score.track"),
    ("score.bad", "score.track"),
];

fn themes(depth: Depth) -> Vec<Theme> {
    let (set, _) = ThemeSet::new(&[], true);
    let set = set.reduced(depth);
    THEMES.map(|name| set.get(name).unwrap().clone()).to_vec()
}

/// The contrast of one role's colour on another's ground; a role with a ground of its own keeps it.
fn reached(theme: &Theme, role: &str, ground: &str) -> f64 {
    let (text, below) = (theme.style(role), theme.style(ground));
    let swapped = role == "ui.background";
    let fg = if swapped { text.bg } else { text.fg };
    let fg = fg.or(theme.style("ui.text").fg);
    let own = text.bg.filter(|_| !swapped);
    let bg = own.or(below.bg).or(below.fg.filter(|_| swapped));
    contrast(rgb(fg.unwrap()).unwrap(), rgb(bg.unwrap()).unwrap())
}

fn too_low(theme: &Theme, least: f64) -> Vec<String> {
    let mut low = Vec::new();
    for (grounds, roles) in ON_GROUNDS {
        for ground in *grounds {
            for role in *roles {
                let reached = reached(theme, role, ground);
                if reached < least {
                    low.push(format!("{} {role} on {ground}: {reached:.2}", theme.name));
                }
            }
        }
    }
    low
}

#[test]
fn text_of_every_role_can_be_read_on_every_ground() {
    let mut low = Vec::new();
    for theme in themes(Depth::Full) {
        low.extend(too_low(&theme, TEXT));
        for (role, ground) in SIGNS {
            let reached = reached(&theme, role, ground);
            if reached < SIGN {
                low.push(format!("{} {role} on {ground}: {reached:.2}", theme.name));
            }
        }
    }
    assert_eq!(low, Vec::<String>::new());
}

#[test]
fn with_256_colours_nothing_of_it_is_lost() {
    let low = themes(Depth::Indexed)
        .iter()
        .flat_map(|theme| too_low(theme, TEXT))
        .collect::<Vec<_>>();
    assert_eq!(low, Vec::<String>::new());
}

/// All screens, as far as they differ in what is drawn on what.
fn screens(theme: &str, (width, height): (u16, u16)) -> Vec<Bench> {
    let bench = || {
        let mut bench = Bench::with(width, height, theme, false);
        bench.load(records()).tell(Event::Ready(info()));
        bench
    };
    let mut screens = Vec::new();
    for keys in [
        "]",
        "/egg",
        "/nothing",
        "]i with salt",
        "<f2>",
        "<f2><tab>",
        "<f4>",
        "<f4><tab>",
        "?",
        "T",
        "<tab>",
        "<tab><tab>",
        "g",
        "jj",
        "q",
    ] {
        let mut bench = bench();
        if keys != "<tab>" {
            bench.judge_all();
        }
        bench.keys(keys);
        screens.push(bench);
    }
    let mut stale = bench();
    stale.judge_all().keys("]i with salt").take();
    let mut skipped = Bench::with(width, height, theme, false);
    skipped.load_with_errors(records()).keys("E");
    let mut failed = Bench::with(width, height, theme, false);
    failed.load(records()).tell(Event::LoadFailed {
        cause: "model.safetensors is not there".into(),
        cure: "Name another judge with --judge.".into(),
    });
    let mut loading = Bench::with(width, height, theme, false);
    loading.state.judge = JudgeStatus::Loading {
        stage: "weights".into(),
        done: 12_000_000,
        total: 31_500_000,
    };
    screens.extend([stale, skipped, failed, loading]);
    screens
}

/// The contrast of a sign as drawn; none for blanks and what is not text.
fn of_cell(cell: &Cell) -> Option<f64> {
    let text = |c: char| c.is_alphanumeric() || c.is_ascii_punctuation() || "τ±–…“”".contains(c);
    if !cell.symbol().chars().any(text) {
        return None;
    }
    assert!(
        !cell.modifier.contains(Modifier::DIM),
        "{cell:?} is dimmed by the terminal"
    );
    let (fg, bg) = (rgb(cell.fg)?, rgb(cell.bg)?);
    Some(contrast(fg, bg))
}

#[test]
fn text_can_be_read_on_every_screen() {
    let mut low = BTreeSet::new();
    let mut seen = 0;
    for theme in THEMES {
        for size in [(120, 40), (60, 16)] {
            for bench in screens(theme, size) {
                let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
                terminal.draw(|frame| view(&bench.state, frame)).unwrap();
                for cell in terminal.backend().buffer().content() {
                    let Some(reached) = of_cell(cell) else {
                        continue;
                    };
                    seen += 1;
                    if reached < TEXT {
                        low.insert(format!(
                            "{theme}: {:?} on {:?}: {reached:.2}",
                            cell.fg, cell.bg
                        ));
                    }
                }
            }
        }
    }
    assert_eq!(low, BTreeSet::new());
    assert!(seen > 10_000, "{seen}");
}
