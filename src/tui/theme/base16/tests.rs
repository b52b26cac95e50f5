use ratatui::style::Color;

use super::theme_text;
use crate::tui::theme::contrast::{TEXT, contrast};
use crate::tui::theme::lab::rgb;
use crate::tui::theme::tests::ROLES;
use crate::tui::theme::{Theme, grammar};

/// A dark scheme made up for this, in the older layout.
const DARK: &str = r##"# made up
scheme: "Night: a test"
author: 'Nobody'
base00: "101418"
base01: "1a2026"
base02: "2a323a"
base03: "46505a"
base04: "8a949e"
base05: "c8d0d8"
base06: "e0e6ec"
base07: "f6f8fa"
base08: "d05050"
base09: "d89040"
base0A: "d8c050"
base0B: "50b060"
base0C: "40b0b0"
base0D: "4880d8"
base0E: "a060d0"
base0F: "905030"
"##;

/// A light one in the newer layout, with the bright colours of base24.
const LIGHT: &str = r##"
system: "base24"
name: "Day"
variant: "light"
palette:
  base00: "#f8f8f4" # paper
  base01: "#ececE6"
  base02: "#d8d8d0"
  base03: "#a0a098"
  base04: "#707068"
  base05: "#303028"
  base06: "#202018"
  base07: "#101008"
  base08: "#c03030"
  base09: "#b06010"
  base0A: "#a08000"
  base0B: "#308030"
  base0C: "#108080"
  base0D: "#2050c0"
  base0E: "#8030a0"
  base0F: "#704020"
  base10: "#f0f0ec"
  base11: "#ffffff"
  base12: "#d02020"
  base13: "#907000"
  base14: "#107010"
  base15: "#006868"
  base16: "#1040d0"
  base17: "#9020b0"
"##;

fn theme(yaml: &str) -> Theme {
    let text = theme_text(yaml).unwrap();
    grammar::read("scheme", &|_| Some(text.clone())).unwrap()
}

fn mistake(yaml: &str) -> (Option<usize>, String) {
    let error = theme_text(yaml).unwrap_err();
    (error.line, format!("{}; {}", error.cause, error.cure))
}

#[test]
fn both_layouts_become_whole_themes() {
    for yaml in [DARK, LIGHT] {
        let theme = theme(yaml);
        for role in ROLES {
            assert!(theme.has(role), "{role}");
        }
    }
    let ground = |theme: &Theme| theme.style("ui.background").bg;
    assert_eq!(ground(&theme(DARK)), Some(Color::Rgb(0x10, 0x14, 0x18)));
    assert_eq!(ground(&theme(LIGHT)), Some(Color::Rgb(0xf8, 0xf8, 0xf4)));
    assert_eq!(
        theme(DARK).style("score.near").fg,
        Some(Color::Rgb(0xd8, 0xc0, 0x50))
    );
}

#[test]
fn base24_lends_its_bright_colours_and_its_deeper_ground() {
    let theme = theme(LIGHT);
    let answer = theme.style("verdict.answer").fg;
    assert_eq!(answer, Some(Color::Rgb(0x10, 0x70, 0x10)));
    assert_ne!(answer, theme.style("score.good").fg);
    assert_eq!(theme.style("ui.tab").bg, Some(Color::Rgb(0xf0, 0xf0, 0xec)));
}

#[test]
fn what_is_drawn_faint_can_still_be_read() {
    for yaml in [DARK, LIGHT] {
        let theme = theme(yaml);
        for ground in ["ui.background", "ui.tab", "ui.selection", "ui.overlay"] {
            let ground = rgb(theme.style(ground).bg.unwrap()).unwrap();
            for role in [
                "ui.text",
                "ui.text.dim",
                "score.bad",
                "verdict.decline",
                "label",
            ] {
                let text = rgb(theme.style(role).fg.unwrap()).unwrap();
                let reached = contrast(text, ground);
                assert!(reached >= TEXT, "{role} on {ground:?}: {reached}");
            }
        }
        let tab = theme.style("ui.tab.active");
        let reached = contrast(rgb(tab.fg.unwrap()).unwrap(), rgb(tab.bg.unwrap()).unwrap());
        assert!(reached >= TEXT, "{reached}");
    }
}

#[test]
fn unquoted_bare_and_braced_values_are_read() {
    let bare = DARK.replace('"', "").replace("101418", "000000");
    assert_eq!(
        theme(&bare).style("ui.background").bg,
        Some(Color::Rgb(0, 0, 0))
    );
    let single = DARK.replace('"', "'").replace("base0A", "base0a");
    assert_eq!(theme(&single), theme(DARK));
    let colours = DARK.lines().filter(|line| line.starts_with("base"));
    let braced = format!("palette: {{{}}}", colours.collect::<Vec<_>>().join(", "));
    assert_eq!(theme(&braced), theme(DARK));
    let windows = DARK.replace('\n', "\r\n");
    assert_eq!(theme(&windows), theme(DARK));
}

#[test]
fn mistakes_name_line_key_cause_and_cure() {
    let (line, text) = mistake(&DARK.replace("d05050", "d0505"));
    assert_eq!(line, Some(12));
    assert!(text.contains("base08") && text.contains("d0505") && text.contains("six"));
    let (line, text) = mistake(&LIGHT.replace("\"#c03030\"", "#c03030"));
    assert_eq!(line, Some(14));
    assert!(text.contains("quotes"), "{text}");
    let (_, text) = mistake(&DARK.replace("base0F: \"905030\"", ""));
    assert!(text.contains("base0F not given"), "{text}");
    let (line, text) = mistake(&format!("{DARK}base00: \"000000\""));
    assert_eq!(line, Some(20));
    assert!(text.contains("twice"), "{text}");
    let (line, text) = mistake("");
    assert_eq!(line, None);
    assert!(
        text.contains("base00, base01, base02 and 13 more"),
        "{text}"
    );
    for value in [
        "\"12345g\"",
        "\"123456\" 7",
        "",
        "\"\"",
        "'12é45'",
        "{",
        "\"",
    ] {
        let (line, _) = mistake(&DARK.replace("\"d05050\"", value));
        assert!(line.is_some() || value == "{", "{value}");
    }
}
