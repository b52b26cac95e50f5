use ratatui::style::{Color, Modifier, Style};

use super::{Depth, reduced};
use crate::tui::theme::{Theme, ThemeSet};

fn detected(variables: &[(&str, &str)]) -> Depth {
    Depth::detect(&|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_string())
    })
}

fn shipped() -> Vec<Theme> {
    let (set, _) = ThemeSet::new(&[], true);
    (0..set.len())
        .filter_map(|place| set.at(place).cloned())
        .collect()
}

fn theme(styles: &[(&str, Style)]) -> Theme {
    Theme {
        name: "made up".into(),
        styles: styles
            .iter()
            .map(|(role, style)| (role.to_string(), *style))
            .collect(),
    }
}

#[test]
fn the_environment_tells_the_depth() {
    assert_eq!(detected(&[]), Depth::Sixteen);
    assert_eq!(detected(&[("TERM", "xterm")]), Depth::Sixteen);
    assert_eq!(detected(&[("TERM", "tmux-256color")]), Depth::Indexed);
    assert_eq!(detected(&[("TERM", "xterm-direct")]), Depth::Full);
    let full = [("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
    assert_eq!(detected(&full), Depth::Full);
    assert_eq!(detected(&[("COLORTERM", "24bit")]), Depth::Full);
    let none = [("NO_COLOR", "1"), ("COLORTERM", "truecolor")];
    assert_eq!(detected(&none), Depth::None);
    assert_eq!(detected(&[("NO_COLOR", "")]), Depth::Sixteen);
}

#[test]
fn every_colour_is_one_that_the_terminal_has() {
    for theme in shipped() {
        for depth in [Depth::Indexed, Depth::Sixteen, Depth::None] {
            for style in reduced(theme.clone(), depth).styles.values() {
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    let fits = match colour {
                        Color::Rgb(..) => false,
                        Color::Indexed(_) => depth == Depth::Indexed,
                        _ => depth != Depth::None,
                    };
                    assert!(fits, "{} at {depth:?}: {colour:?}", theme.name);
                }
            }
        }
    }
}

#[test]
fn nothing_is_written_in_the_colour_of_its_own_ground() {
    for theme in shipped() {
        for depth in [Depth::Indexed, Depth::Sixteen] {
            let name = theme.name.clone();
            let theme = reduced(theme.clone(), depth);
            for (role, style) in &theme.styles {
                let same = style.fg.is_some() && style.fg == style.bg;
                assert!(!same, "{name} at {depth:?}: {role}");
            }
            let ground = theme.style("ui.background").bg;
            for role in ["ui.text", "ui.text.dim", "ui.border", "stale", "score.mark"] {
                let fg = theme.style(role).fg;
                let seen = fg.is_none() || ground.is_none() || fg != ground;
                assert!(seen, "{name} at {depth:?}: {role} on the background");
            }
        }
    }
    // Two greys that are one and the same among the 256 and among the sixteen.
    let grey = |v: u8| Color::Rgb(v, v, v);
    let close = theme(&[("ui.tab", Style::default().fg(grey(4)).bg(grey(3)))]);
    for depth in [Depth::Indexed, Depth::Sixteen] {
        let style = reduced(close.clone(), depth).style("ui.tab");
        assert_ne!(style.fg, style.bg, "{depth:?}");
    }
}

#[test]
fn good_near_and_bad_are_told_apart() {
    let signals = |theme: &Theme| {
        ["score.good", "score.near", "score.bad"].map(|role| theme.style(role).fg.unwrap())
    };
    for theme in shipped() {
        for depth in [Depth::Indexed, Depth::Sixteen] {
            let [good, near, bad] = signals(&reduced(theme.clone(), depth));
            assert!(good != near && near != bad && good != bad, "{}", theme.name);
        }
        let [good, near, bad] = signals(&reduced(theme, Depth::Sixteen));
        assert!(matches!(good, Color::Green | Color::LightGreen));
        assert!(matches!(near, Color::Yellow | Color::LightYellow));
        assert!(matches!(bad, Color::Red | Color::LightRed));
    }
    // Three oranges.
    let orange = |g: u8| Style::default().fg(Color::Rgb(230, g, 60));
    let close = theme(&[
        ("score.good", orange(160)),
        ("score.near", orange(155)),
        ("score.bad", orange(150)),
    ]);
    for depth in [Depth::Indexed, Depth::Sixteen] {
        let [good, near, bad] = signals(&reduced(close.clone(), depth));
        assert!(good != near && near != bad && good != bad, "{depth:?}");
    }
}

#[test]
fn a_pale_colour_keeps_its_hue_and_modifiers_stay() {
    let pale = Style::default()
        .fg(Color::Rgb(0xc8, 0xe0, 0xc8))
        .add_modifier(Modifier::BOLD);
    let style = reduced(theme(&[("verdict.answer", pale)]), Depth::Indexed);
    assert_eq!(style.style("verdict.answer").add_modifier, Modifier::BOLD);
    let saturated = Style::default().fg(Color::Rgb(0x7f, 0xcf, 0x8a));
    let style = reduced(theme(&[("label", saturated)]), Depth::Sixteen).style("label");
    assert!(matches!(style.fg, Some(Color::Green | Color::LightGreen)));
}

#[test]
fn colours_of_the_terminal_stay_as_they_are() {
    let own = theme(&[("ui.text", Style::default().fg(Color::Cyan).bg(Color::Reset))]);
    for depth in [Depth::Full, Depth::Indexed, Depth::Sixteen] {
        assert_eq!(reduced(own.clone(), depth).styles, own.styles);
    }
    let numbered = theme(&[("ui.text", Style::default().fg(Color::Indexed(9)))]);
    let style = reduced(numbered, Depth::Sixteen).style("ui.text");
    assert_eq!(style.fg, Some(Color::LightRed));
}
