//! How many colours a terminal has, and themes brought down to that many.

use ratatui::style::{Color, Style};

use super::Theme;
use super::contrast::{TEXT, contrast};
use super::lab::{self, Lab, NAMES, Rgb};

/// How many colours there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None at all.
    None,
    /// The terminal's own sixteen.
    Sixteen,
    /// A cube of 216, 24 greys, and the sixteen.
    Indexed,
    /// All, by red, green and blue.
    Full,
}

impl Depth {
    /// As a flag says it; `None` where it is left to the environment.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "24" => Depth::Full,
            "256" => Depth::Indexed,
            "16" => Depth::Sixteen,
            "none" => Depth::None,
            _ => return None,
        })
    }

    /// What the environment says; `variable` looks one up. `NO_COLOR` counts where it is not empty.
    pub fn detect(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let of = |name: &str| variable(name).unwrap_or_default();
        let (term, colour_term) = (of("TERM"), of("COLORTERM"));
        if !of("NO_COLOR").is_empty() {
            Depth::None
        } else if ["truecolor", "24bit"].iter().any(|word| colour_term.contains(word))
            // By a convention of terminfo, names of terminals with direct colour end so.
            || term.ends_with("-direct")
        {
            Depth::Full
        } else if term.contains("256color") {
            Depth::Indexed
        } else {
            Depth::Sixteen
        }
    }
}

/// Colours of these stand for different things and must go on doing so.
const TOLD_APART: [&str; 3] = ["score.good", "score.bad", "score.near"];

/// Roles whose backgrounds lie under text of other roles.
const GROUNDS: [&str; 6] = [
    "ui.background",
    "ui.selection",
    "ui.selection.inactive",
    "ui.tab",
    "ui.status",
    "ui.overlay",
];

/// Lighter than this is a light ground.
const LIGHT: f64 = 0.6;
/// So many of the 256 colours are considered for one.
const NEAR: usize = 16;
/// Less colourful than this is a grey.
const GREY: f64 = 0.045;

/// The theme with colours that a terminal of this depth has. Colours that the terminal itself
/// names stay as they are.
pub fn reduced(theme: Theme, depth: Depth) -> Theme {
    match depth {
        Depth::None => theme.without_colour(),
        Depth::Full => theme,
        Depth::Indexed => {
            let before = grounds(&theme);
            let after: Vec<Rgb> = before.iter().map(|rgb| nearest_index(*rgb)).collect();
            each(theme, &|color, part| {
                let mut ranked = nearest_of_256(color);
                let reads = |color: &Color, grounds: &[Rgb]| {
                    let rgb = lab::rgb(*color);
                    rgb.is_some_and(|rgb| grounds.iter().all(|g| contrast(rgb, *g) >= TEXT))
                };
                // What could be read on every ground before, can be read afterwards.
                if part == Part::Text && reads(&color, &before) {
                    ranked.sort_by_key(|candidate| !reads(candidate, &after));
                }
                ranked
            })
        }
        Depth::Sixteen => {
            let ground = theme.style("ui.background").bg;
            let ground = ground.and_then(lab::rgb).map(|rgb| Lab::of(rgb).light);
            let light = ground.map(|light| light > LIGHT);
            each(theme, &|color, part| match part {
                Part::Text => named_text(color, light),
                Part::Ground => named_ground(color),
            })
        }
    }
}

/// What text of many roles is drawn on.
fn grounds(theme: &Theme) -> Vec<Rgb> {
    let grounds = GROUNDS.iter().filter_map(|role| theme.style(role).bg);
    grounds.filter_map(lab::rgb).collect()
}

/// Whether a colour is drawn with or on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Text,
    Ground,
}

type Choice<'a> = dyn Fn(Color, Part) -> Ranked + 'a;

/// Colours to choose from, the best first.
type Ranked = Vec<Color>;

fn each(mut theme: Theme, choose: &Choice<'_>) -> Theme {
    let first = |color: Color, part| choose(color, part).first().copied().unwrap_or(color);
    let mut taken: Vec<(Color, Color)> = Vec::new();
    for role in TOLD_APART {
        let Some(before) = theme.styles.get(role).and_then(|style| style.fg) else {
            continue;
        };
        let free = |after: &Color| {
            let other = |(own, chosen): &(Color, Color)| *own != before && alike(*chosen, *after);
            !taken.iter().any(other)
        };
        if let Some(after) = choose(before, Part::Text).into_iter().find(free) {
            taken.push((before, after));
        }
    }
    for style in theme.styles.values_mut() {
        let (fg, bg) = (style.fg, style.bg);
        style.bg = bg.map(|color| first(color, Part::Ground));
        style.fg = fg.map(|color| {
            let known = taken.iter().find(|(before, _)| *before == color);
            known.map_or_else(|| first(color, Part::Text), |(_, after)| *after)
        });
        if style.fg.is_some() && style.fg == style.bg && fg != bg {
            keep_apart(style, fg, choose);
        }
    }
    theme
}

/// Whether two colours are the same, or a colour and its bright twin.
fn alike(one: Color, other: Color) -> bool {
    let place = |color| NAMES.iter().position(|name| *name == color);
    match (place(one), place(other)) {
        (Some(one), Some(other)) => one % 8 == other % 8,
        _ => one == other,
    }
}

/// Takes the next best colour for the text that is not the ground's.
fn keep_apart(style: &mut Style, wished: Option<Color>, choose: &Choice<'_>) {
    let candidates = wished.map(|color| choose(color, Part::Text));
    let other = candidates
        .into_iter()
        .flatten()
        .find(|color| Some(*color) != style.bg);
    let ground = style.bg.and_then(lab::rgb).map(|rgb| Lab::of(rgb).light);
    let opposite = match ground {
        Some(light) if light > LIGHT => Color::Black,
        _ => Color::White,
    };
    style.fg = Some(other.unwrap_or(opposite));
}

/// The 256 colours from the nearest on; of the first sixteen nobody knows how they look.
fn nearest_of_256(color: Color) -> Ranked {
    let Color::Rgb(r, g, b) = color else {
        return vec![color];
    };
    let wished = Lab::of((r, g, b));
    let distance = |index: &u8| wished.distance(Lab::of(lab::indexed(*index)));
    let mut indices: Vec<u8> = (16..=255).collect();
    indices.sort_by(|one, other| distance(one).total_cmp(&distance(other)));
    indices.truncate(NEAR);
    indices.into_iter().map(Color::Indexed).collect()
}

fn nearest_index((r, g, b): Rgb) -> Rgb {
    let nearest = nearest_of_256(Color::Rgb(r, g, b)).first().copied();
    nearest.and_then(lab::rgb).unwrap_or((r, g, b))
}

/// A colour that is not one of the sixteen by name.
fn foreign(color: Color) -> Result<Rgb, Ranked> {
    match color {
        Color::Rgb(r, g, b) => Ok((r, g, b)),
        Color::Indexed(index) if index < 16 => Err(vec![NAMES[usize::from(index)]]),
        Color::Indexed(index) => Ok(lab::indexed(index)),
        named => Err(vec![named]),
    }
}

/// The sixteen for text. A hue stays a hue: what matters of a pale green is that it is green, and
/// by distance alone it would be a grey. Greys stay clear of the ground's own side.
fn named_text(color: Color, light_ground: Option<bool>) -> Ranked {
    let rgb = match foreign(color) {
        Ok(rgb) => rgb,
        Err(named) => return named,
    };
    let wished = Lab::of(rgb);
    if wished.chroma() < GREY {
        // From dark to light: black, dark grey, light grey, white.
        let greys: &[usize] = match light_ground {
            Some(true) => &[0, 8],
            Some(false) => &[8, 7, 15],
            None => &[0, 8, 7, 15],
        };
        return ranked(greys, |lab| (wished.light - lab.light).abs());
    }
    let hues: [usize; 12] = [1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14];
    // Hue first; lightness only decides between a colour and its bright twin.
    let twin = |place: &usize| Lab::of(lab::indexed(*place as u8 % 8));
    let score = |place: &usize| {
        let own = Lab::of(lab::indexed(*place as u8));
        wished.hue_distance(twin(place)) + (wished.light - own.light).abs()
    };
    let mut places = hues.to_vec();
    if light_ground == Some(true) {
        // Bright twins are made for dark grounds.
        places.retain(|place| *place < 8);
    }
    places.sort_by(|one, other| score(one).total_cmp(&score(other)));
    places.into_iter().map(|place| NAMES[place]).collect()
}

/// The sixteen for grounds. Nearly black is black and nearly white is white, so that the greys
/// are left to the text; a colourful ground keeps its hue.
fn named_ground(color: Color) -> Ranked {
    let rgb = match foreign(color) {
        Ok(rgb) => rgb,
        Err(named) => return named,
    };
    let wished = Lab::of(rgb);
    if wished.chroma() < GREY || !(0.35..0.9).contains(&wished.light) {
        return ranked(&[0, 15], |lab| (wished.light - lab.light).abs());
    }
    named_text(color, None)
}

fn ranked(places: &[usize], distance: impl Fn(Lab) -> f64) -> Ranked {
    let mut places = places.to_vec();
    let of = |place: &usize| distance(Lab::of(lab::indexed(*place as u8)));
    places.sort_by(|one, other| of(one).total_cmp(&of(other)));
    places.into_iter().map(|place| NAMES[place]).collect()
}

#[cfg(test)]
mod tests;
