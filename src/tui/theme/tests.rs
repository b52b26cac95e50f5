use ratatui::style::{Color, Modifier};

use super::grammar::{ThemeError, read};
use super::{Theme, ThemeSet};

fn theme(text: &str) -> Result<Theme, ThemeError> {
    let text = text.to_string();
    read("test", &move |name| match name {
        "test" => Some(text.clone()),
        "base" => Some(
            r##"
            "ui.text" = "ink"
            "ui.border" = { fg = "line", modifiers = ["dim"] }
            [palette]
            ink = "#102030"
            line = "light-blue"
            "##
            .to_string(),
        ),
        "loop" => Some("inherits = 'loop'".to_string()),
        _ => None,
    })
}

#[test]
fn roles_fall_back_to_the_left() {
    let theme = theme("'ui.text' = 'red'\n'ui.text.heading' = { fg = 'blue' }").unwrap();
    assert_eq!(theme.style("ui.text.heading").fg, Some(Color::Blue));
    assert_eq!(theme.style("ui.text.dim.more").fg, Some(Color::Red));
    assert_eq!(theme.style("ui").fg, None);
    assert_eq!(theme.style("score.good").fg, None);
}

#[test]
fn inherited_roles_and_palette_are_replaced_one_by_one() {
    let theme = theme("inherits = 'base'\n[palette]\nink = '7'").unwrap();
    assert_eq!(theme.style("ui.text").fg, Some(Color::Indexed(7)));
    let border = theme.style("ui.border");
    assert_eq!(border.fg, Some(Color::LightBlue));
    assert!(border.add_modifier.contains(Modifier::DIM));
}

#[test]
fn groups_of_roles_may_be_tables() {
    let theme = theme("[verdict]\nanswer = 'green'\ndecline = { bg = 'red' }").unwrap();
    assert_eq!(theme.style("verdict.answer").fg, Some(Color::Green));
    assert_eq!(theme.style("verdict.decline").bg, Some(Color::Red));
}

#[test]
fn mistakes_are_named() {
    assert!(matches!(
        theme("inherits = 'nowhere'"),
        Err(ThemeError::Unknown(name)) if name == "nowhere"
    ));
    assert!(matches!(
        theme("inherits = 'loop'"),
        Err(ThemeError::Circle(_))
    ));
    assert!(matches!(theme("= ="), Err(ThemeError::Syntax { .. })));
    let error = theme("'ui.text' = 'no-such-colour'").unwrap_err();
    assert!(error.to_string().contains("ui.text"), "{error}");
    let error = theme("'ui.text' = { modifiers = ['loud'] }").unwrap_err();
    assert!(error.to_string().contains("loud"), "{error}");
}

/// Every role the screens ask for; kept in step with the views by the test below it.
pub const ROLES: &[&str] = &[
    "ui.background",
    "ui.text",
    "ui.text.dim",
    "ui.text.heading",
    "ui.border",
    "ui.border.focus",
    "ui.title",
    "ui.title.focus",
    "ui.tab",
    "ui.tab.active",
    "ui.selection",
    "ui.selection.inactive",
    "ui.status",
    "ui.footer",
    "ui.footer.key",
    "ui.overlay",
    "ui.overlay.border",
    "ui.input",
    "ui.match",
    "score.good",
    "score.near",
    "score.bad",
    "score.track",
    "score.mark",
    "signal.reference",
    "signal.free",
    "signal.cosine",
    "verdict.answer",
    "verdict.decline",
    "label",
    "stale",
    "state.ready",
    "state.loading",
    "state.warning",
    "state.error",
];

#[test]
fn the_four_themes_are_whole() {
    let (set, errors) = ThemeSet::new(&[], true);
    assert_eq!(errors, []);
    let names: Vec<_> = set.names().collect();
    assert_eq!(names, ["terminal", "dark", "light", "high-contrast"]);
    for name in names {
        let theme = set.get(name).unwrap();
        for role in ROLES {
            assert!(theme.has(role), "{name} lacks {role}");
        }
    }
}

#[test]
fn the_terminal_theme_uses_terminal_colours_only() {
    let (set, _) = ThemeSet::new(&[], true);
    for style in set.get("terminal").unwrap().styles.values() {
        for colour in [style.fg, style.bg].into_iter().flatten() {
            assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)));
        }
    }
}

#[test]
fn a_folder_adds_and_replaces() {
    let extra = [
        ("dark".to_string(), "'ui.text' = 'red'".to_string()),
        ("mine".to_string(), "inherits = 'dark'".to_string()),
        ("broken".to_string(), "inherits = 'gone'".to_string()),
    ];
    let (set, errors) = ThemeSet::new(&extra, true);
    assert_eq!(
        set.get("mine").unwrap().style("ui.text").fg,
        Some(Color::Red)
    );
    assert_eq!(errors, [ThemeError::Unknown("gone".into())]);
    assert!(set.get("broken").is_none());
}

#[test]
fn without_colour_nothing_is_coloured_and_selection_is_reversed() {
    let (set, _) = ThemeSet::new(&[], false);
    for name in set.names().map(str::to_string).collect::<Vec<_>>() {
        let theme = set.get(&name).unwrap();
        for style in theme.styles.values() {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        let selection = theme.style("ui.selection");
        assert!(selection.add_modifier.contains(Modifier::REVERSED));
    }
}
