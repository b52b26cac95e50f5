//! Where the panes are, from the size of the terminal alone; drawing and scrolling agree through it.

use std::ops::Range;

use ratatui::layout::Rect;

/// The least the explorer can be drawn in.
pub const MIN_SIZE: (u16, u16) = (40, 10);

/// A screen of the explorer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// Look through records.
    #[default]
    Explore,
    /// Type or generate a response and watch its scores.
    Judge,
    /// Two responses side by side.
    Compare,
    /// Decide where to decline.
    Threshold,
    /// Rate one response after the other.
    Annotate,
    /// Work in the background, and earlier work.
    Runs,
}

impl Screen {
    /// In the order of their tabs.
    pub const ALL: [Screen; 6] = [
        Screen::Explore,
        Screen::Judge,
        Screen::Compare,
        Screen::Threshold,
        Screen::Annotate,
        Screen::Runs,
    ];

    /// Of its function key.
    pub fn number(self) -> u8 {
        match self {
            Screen::Explore => 1,
            Screen::Judge => 2,
            Screen::Compare => 3,
            Screen::Threshold => 4,
            Screen::Annotate => 5,
            Screen::Runs => 6,
        }
    }

    /// The panes of the screen, in the order Tab goes through them.
    pub fn panes(self) -> &'static [Pane] {
        match self {
            Screen::Explore => &[Pane::List, Pane::Text, Pane::Card],
            Screen::Judge => &[Pane::Editor, Pane::Text, Pane::Card],
            Screen::Compare => &[Pane::Left, Pane::Right, Pane::Verdict],
            Screen::Annotate => &[Pane::Text, Pane::Rating],
            Screen::Runs => &[Pane::Runs, Pane::Run],
            Screen::Threshold => &[Pane::Cut, Pane::Figures],
        }
    }

    /// As its tab says.
    pub fn title(self) -> &'static str {
        match self {
            Screen::Explore => "Explore",
            Screen::Judge => "Judge",
            Screen::Compare => "Compare",
            Screen::Threshold => "Threshold",
            Screen::Annotate => "Annotate",
            Screen::Runs => "Runs",
        }
    }
}

/// A part of a screen that can have the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The records.
    #[default]
    List,
    /// Instruction, response, reference.
    Text,
    /// The response being written.
    Editor,
    /// The score.
    Card,
    /// All scores, with the cut through them.
    Cut,
    /// What the cut does.
    Figures,
    /// One response, and another beside it.
    Left,
    Right,
    /// Which of the two is better.
    Verdict,
    /// What a person says of a response.
    Rating,
    /// All runs.
    Runs,
    /// The run under the cursor.
    Run,
    /// The training under the cursor, on the whole screen.
    Training,
}

/// How many panes fit beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    One,
    Two,
    Three,
}

/// Where everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    pub shape: Shape,
    pub tabs: Rect,
    pub list: Option<Rect>,
    pub text: Option<Rect>,
    pub editor: Option<Rect>,
    pub card: Option<Rect>,
    pub cut: Option<Rect>,
    pub figures: Option<Rect>,
    /// What two responses have in common: the task.
    pub task: Option<Rect>,
    pub left: Option<Rect>,
    pub right: Option<Rect>,
    pub verdict: Option<Rect>,
    pub rating: Option<Rect>,
    pub runs: Option<Rect>,
    pub run: Option<Rect>,
    pub training: Option<Rect>,
    /// The score in two lines, where the card is not on screen.
    pub brief: Option<Rect>,
    pub status: Rect,
    pub footer: Rect,
}

/// Lays a screen out; `None` where the terminal is too small.
pub fn areas(width: u16, height: u16, screen: Screen, focus: Pane) -> Option<Areas> {
    if width < MIN_SIZE.0 || height < MIN_SIZE.1 {
        return None;
    }
    let row = |y: u16| Rect::new(0, y, width, 1);
    let body = Rect::new(0, 1, width, height - 3);
    let shape = match width {
        120.. => Shape::Three,
        80.. => Shape::Two,
        _ => Shape::One,
    };
    let mut areas = Areas {
        shape,
        tabs: row(0),
        list: None,
        text: None,
        editor: None,
        card: None,
        cut: None,
        figures: None,
        task: None,
        left: None,
        right: None,
        verdict: None,
        rating: None,
        runs: None,
        run: None,
        training: None,
        brief: None,
        status: row(height - 2),
        footer: row(height - 1),
    };
    match (screen, shape) {
        (Screen::Runs, _) if focus == Pane::Training => areas.training = Some(body),
        (Screen::Explore, Shape::Three) => {
            let (list, rest) = cut_left(body, share(width, 34, 40, 60));
            let (text, card) = cut_right(rest, share(width, 30, 36, 48));
            areas.list = Some(list);
            areas.text = Some(text);
            areas.card = Some(card);
        }
        (Screen::Judge, Shape::Three) => {
            let (text, rest) = cut_left(body, share(width, 32, 38, 64));
            let (editor, card) = cut_right(rest, share(width, 30, 36, 48));
            areas.text = Some(text);
            areas.editor = Some(editor);
            areas.card = Some(card);
        }
        (Screen::Explore, Shape::Two) => {
            let (list, rest) = cut_left(body, share(width, 43, 34, 46));
            let (text, card) = cut_top(rest, (body.height / 2).saturating_sub(1));
            areas.list = Some(list);
            areas.text = Some(text);
            areas.card = Some(card);
        }
        (Screen::Judge, Shape::Two) => {
            let (left, card) = cut_right(body, share(width, 45, 36, 46));
            let (text, editor) = cut_top(left, body.height * 2 / 5);
            areas.text = Some(text);
            areas.editor = Some(editor);
            areas.card = Some(card);
        }
        (Screen::Threshold, Shape::Two | Shape::Three) => {
            let (cut, figures) = cut_right(body, share(width, 35, 34, 52));
            areas.cut = Some(cut);
            areas.figures = Some(figures);
        }
        (Screen::Compare, Shape::Two | Shape::Three) => {
            let (task, rest) = cut_top(body, (body.height / 4).clamp(4, 10));
            let verdict = (body.height / 4).clamp(4, 9);
            let (rest, verdict) = cut_top(rest, rest.height.saturating_sub(verdict));
            let (left, right) = cut_left(rest, rest.width / 2);
            areas.verdict = Some(verdict);
            areas.task = Some(task);
            areas.left = Some(left);
            areas.right = Some(right);
        }
        (Screen::Annotate, Shape::Two | Shape::Three) => {
            let (text, rating) = cut_right(body, share(width, 36, 36, 52));
            areas.text = Some(text);
            areas.rating = Some(rating);
        }
        (Screen::Runs, Shape::Two | Shape::Three) => {
            let (runs, run) = cut_left(body, share(width, 48, 40, 80));
            areas.runs = Some(runs);
            areas.run = Some(run);
        }
        (_, Shape::One) => {
            let (pane, brief) = match focus {
                Pane::Text | Pane::Editor if body.height >= 7 => {
                    let (pane, brief) = cut_top(body, body.height - 2);
                    (pane, Some(brief))
                }
                _ => (body, None),
            };
            areas.brief = brief;
            match focus {
                Pane::List => areas.list = Some(pane),
                Pane::Text => areas.text = Some(pane),
                Pane::Editor => areas.editor = Some(pane),
                Pane::Card => areas.card = Some(pane),
                Pane::Cut => areas.cut = Some(pane),
                Pane::Figures => areas.figures = Some(pane),
                Pane::Left => areas.left = Some(pane),
                Pane::Right => areas.right = Some(pane),
                Pane::Verdict => areas.verdict = Some(pane),
                Pane::Rating => areas.rating = Some(pane),
                Pane::Runs => areas.runs = Some(pane),
                Pane::Run => areas.run = Some(pane),
                Pane::Training => areas.training = Some(pane),
            }
        }
    }
    Some(areas)
}

/// A tab and where it stands in the first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    pub screen: Screen,
    pub label: String,
    pub columns: Range<u16>,
}

/// What stands before the tabs.
pub const BRAND: &str = " juror ";

/// The tabs, from the left; where columns are few, only the shown one has its name.
pub fn tabs(width: u16, shown: Screen) -> Vec<Tab> {
    let mut at = BRAND.len() as u16 + 1;
    Screen::ALL
        .into_iter()
        .map(|screen| {
            let number = screen.number();
            let label = match screen == shown || width >= 100 {
                true => format!(" F{number} {} ", screen.title()),
                false => format!(" F{number} "),
            };
            let columns = at..at + label.len() as u16;
            at = columns.end + 1;
            Tab {
                screen,
                label,
                columns,
            }
        })
        .collect()
}

/// A pane without its border.
pub fn inner(area: Rect) -> Rect {
    Rect::new(
        area.x + 1,
        area.y + 1,
        area.width.saturating_sub(2),
        area.height.saturating_sub(2),
    )
}

/// The inside of a pane with a blank column at either side, for text.
pub fn padded(area: Rect) -> Rect {
    let inside = inner(area);
    Rect::new(
        inside.x + 1,
        inside.y,
        inside.width.saturating_sub(2),
        inside.height,
    )
}

/// Whether the help has room for two columns.
pub fn help_in_two(width: u16) -> bool {
    width >= 104
}

/// A box over the screen, with its border, for so many columns and lines.
pub fn overlay_area((columns, rows): (u16, u16), width: u16, lines: usize) -> Rect {
    let width = width.min(columns.saturating_sub(2));
    let height = lines.min(overlay_height(rows)) as u16 + 2;
    Rect::new(
        (columns - width) / 2,
        rows.saturating_sub(height) / 2,
        width,
        height,
    )
}

/// Columns of a list to choose from.
pub const PICK_WIDTH: u16 = 76;

/// Lines that fit into a box over the screen.
pub fn overlay_height(height: u16) -> usize {
    usize::from(height.saturating_sub(6)).max(1)
}

fn share(width: u16, percent: u32, least: u16, most: u16) -> u16 {
    let part = (u32::from(width) * percent / 100) as u16;
    part.clamp(least, most)
}

fn cut_left(area: Rect, width: u16) -> (Rect, Rect) {
    let width = width.min(area.width);
    (
        Rect { width, ..area },
        Rect::new(area.x + width, area.y, area.width - width, area.height),
    )
}

fn cut_right(area: Rect, width: u16) -> (Rect, Rect) {
    cut_left(area, area.width.saturating_sub(width))
}

fn cut_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (
        Rect { height, ..area },
        Rect::new(area.x, area.y + height, area.width, area.height - height),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_fill_the_body_without_overlap() {
        for (width, height) in [
            (40, 10),
            (60, 16),
            (79, 24),
            (80, 24),
            (119, 40),
            (300, 100),
        ] {
            for screen in Screen::ALL {
                let opened = (screen == Screen::Runs).then_some(&Pane::Training);
                for pane in screen.panes().iter().chain(opened) {
                    let areas = areas(width, height, screen, *pane).unwrap();
                    let parts: Vec<Rect> = [
                        Some(areas.tabs),
                        areas.list,
                        areas.text,
                        areas.editor,
                        areas.card,
                        areas.cut,
                        areas.figures,
                        areas.task,
                        areas.left,
                        areas.right,
                        areas.verdict,
                        areas.rating,
                        areas.runs,
                        areas.run,
                        areas.training,
                        areas.brief,
                        Some(areas.status),
                        Some(areas.footer),
                    ]
                    .into_iter()
                    .flatten()
                    .collect();
                    let cells: u32 = parts.iter().map(|part| part.area()).sum();
                    assert_eq!(cells, u32::from(width) * u32::from(height));
                    for (i, part) in parts.iter().enumerate() {
                        assert!(parts[..i].iter().all(|other| !other.intersects(*part)));
                    }
                }
            }
        }
    }

    #[test]
    fn too_small_is_nothing() {
        assert_eq!(areas(39, 10, Screen::Explore, Pane::List), None);
        assert_eq!(areas(40, 9, Screen::Explore, Pane::List), None);
    }
}
