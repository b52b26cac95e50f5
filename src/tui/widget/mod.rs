//! Small drawing parts: they know numbers, glyphs and styles, nothing of the state.

mod bar;
mod curve;
mod histogram;
mod line;
mod pane;

pub use bar::Bar;
pub use curve::{Curve, short};
pub use histogram::{columns, rows};
pub use line::{Row, rule};
pub use pane::{Frame as PaneFrame, scrollbar};
