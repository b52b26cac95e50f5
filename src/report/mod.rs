//! A report on scores: figures and plots of one signal against a label, as one HTML file that needs nothing else.
//!
//! [`figures`] gathers numbers from columns, [`render`] makes the page; neither reads or writes a file. Every
//! number comes from [`crate::stats`].
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cut;
mod date;
mod gather;
mod missing;
mod page;
mod plot;
mod rows;
mod scatter;
mod slices;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use cut::{AtCut, OnLabels, Share};
pub use date::utc;
pub use gather::{Counts, Figures, figures};
pub use missing::Missing;
pub use page::render;
pub use rows::{Asked, Cut, Good, Label, Rows, Slices};
pub use scatter::Scatter;
pub use slices::{BySlice, Slice};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A column that does not belong to the others.
    #[error("column `{column}` has {found} rows, the scores have {expected}: give one value a row")]
    Length {
        column: &'static str,
        found: usize,
        expected: usize,
    },
    /// Nothing to show.
    #[error(
        "no row has a number for the signal `{signal}`: score the data with it, or name another"
    )]
    NoScore { signal: String },
    /// The page or one of its plots cannot be written.
    #[error("cannot make the page: {0}")]
    Page(String),
}

/// Name and hash of what determined scores.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub name: String,
    pub hash: String,
}

/// Where rows come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Facts {
    /// Of the file, without its folder.
    pub name: String,
    pub rows: usize,
    /// Rows that carry an error instead of a score.
    pub errors: usize,
    /// Lines that could not be read.
    pub unreadable: usize,
    pub judges: Vec<Origin>,
    pub templates: Vec<Origin>,
    pub embedders: Vec<Origin>,
    /// `reference` and `reference-free`, as far as rows have them.
    pub modes: Vec<String>,
    /// How `fused` was made.
    pub fusion: Option<String>,
    /// Conditions that rows had to meet, as in `category=coding`.
    pub only: Vec<String>,
    /// Whether rows differ in judge, template, embedder or fusion.
    pub mixed: bool,
}

/// One set of rows: where they come from, and their figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    pub facts: Facts,
    #[serde(flatten)]
    pub figures: Figures,
}

/// All that the page tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub title: String,
    /// Of Juror.
    pub version: String,
    /// When, in words: see [`utc`].
    pub made: String,
    /// Side by side in the summary, one after the other below.
    pub sections: Vec<Section>,
}
