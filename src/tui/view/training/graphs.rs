//! Curves with their titles, side by side.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::Paint;
use crate::train::tune::log::{History, Series};
use crate::tui::state::Watched;
use crate::tui::text::truncate;
use crate::tui::widget::{Curve, short};

/// Columns between two curves.
const GAP: u16 = 2;

/// A curve, what it is of, and its latest value.
pub struct Graph {
    title: String,
    points: Vec<(f64, f64)>,
    last: Option<f64>,
    /// The same figure on data that is not learned from: its points and its latest value.
    marks: Option<Marks>,
}

struct Marks {
    points: Vec<(f64, f64)>,
    last: Option<f64>,
}

impl Graph {
    fn of(title: impl Into<String>, series: &Series) -> Self {
        Graph {
            title: title.into(),
            points: series.points(),
            last: series.last(),
            marks: None,
        }
    }
}

/// The loss, with that of evaluations on it; before the first step, nothing.
pub fn loss(history: &History) -> Option<Graph> {
    history.loss.last()?;
    let mut graph = Graph::of("loss", &history.loss);
    let other = history.figures.get("loss");
    graph.marks = other.map(|series| Marks {
        points: series.points(),
        last: series.last(),
    });
    Some(graph)
}

/// All other curves that move: figures of evaluations, parts of the loss, what the steps are like.
pub fn small(history: &History) -> Vec<Graph> {
    let figures = history.figures.iter().filter(|(name, _)| *name != "loss");
    let figures = figures.map(|(name, series)| Graph::of(format!("eval {name}"), series));
    let parts = history.parts.iter();
    let parts = parts.map(|(name, series)| Graph::of(format!("loss {name}"), series));
    let others = [
        ("learning rate", &history.learning_rate),
        ("gradient norm", &history.grad_norm),
        ("tokens a second", &history.tokens_per_s),
    ];
    let others = others.map(|(name, series)| Graph::of(name, series));
    let all = figures.chain(parts).chain(others);
    all.filter(|graph| graph.last.is_some()).collect()
}

/// Draws curves side by side.
pub fn row(
    graphs: &[Graph],
    watched: &Watched,
    paint: &Paint<'_>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let count = graphs.len().max(1) as u16;
    let width = area.width.saturating_sub(GAP * (count - 1)) / count;
    // The last step: all curves of a training have one axis.
    let until = watched.history.progress().0.max(1) as f64;
    for (place, graph) in graphs.iter().enumerate() {
        let x = area.x + place as u16 * (width + GAP);
        // The last one takes what is left over.
        let width = match place + 1 == graphs.len() {
            true => area.right().saturating_sub(x),
            false => width,
        };
        one(graph, until, paint, Rect { x, width, ..area }, buffer);
    }
}

fn one(graph: &Graph, until: f64, paint: &Paint<'_>, area: Rect, buffer: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let width = usize::from(area.width);
    let mut note = graph.last.map_or_else(String::new, short);
    let none = Vec::new();
    let marks = match &graph.marks {
        Some(Marks { points, last }) => {
            let last = last.map_or_else(String::new, short);
            note.push_str(&format!("   {} eval {last}", paint.glyphs.empty));
            points
        }
        None => &none,
    };
    let title = paint.safe(&graph.title).replace('\n', " ");
    let room = width.saturating_sub(note.len() + 3);
    let title = truncate(&title, room, paint.glyphs.ellipsis);
    let head = Rect { height: 1, ..area };
    paint.heading(&title, &note, width).render(head, buffer);
    let rest = Rect::new(area.x, area.y + 1, area.width, area.height - 1);
    Curve {
        points: &graph.points,
        marks,
        until,
        style: paint.style("signal.reference"),
        mark_style: paint.style("label"),
        axis: paint.style("ui.text.dim"),
    }
    .draw(rest, paint.glyphs, buffer);
}
